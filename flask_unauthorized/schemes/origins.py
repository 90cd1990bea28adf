"""Origins of other sites that an app trusts, as browsers send them in ``Origin``."""

import ipaddress
import re
from collections.abc import Iterable
from typing import Final

from ..errors import ConfigurationError

_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
# Pages of these schemes have no origin that a browser would send, so that trusting one could never match.
_NO_PAGES: Final = frozenset({"about", "blob", "data", "file", "ftp", "javascript", "ws", "wss"})
_ORIGIN: Final = re.compile(
    r"""(?P<scheme>[a-z][a-z0-9+.-]*)://
    (?P<host>\[[0-9a-f:.]+\]|[a-z0-9_.!"$&'()+,;=`{}~-]+)  # no forbidden host code point (URL standard), and no *
    (?::(?P<port>[0-9]*))?""",
    re.VERBOSE,
)
_NUMBER: Final = re.compile(r"[0-9]+|0x[0-9a-f]*")


def trusted(origins: Iterable[str], name: str = "trusted_origins") -> frozenset[str]:
    """``origins`` as browsers serialize them (Fetch, HTML §7.1.1), in lower case.

    An origin is ``scheme://host`` or ``scheme://host:port``. The scheme may be that of an app or an extension, such as
    ``capacitor://localhost`` or ``chrome-extension://…``. Raises `TypeError` and `ConfigurationError` for other values.
    """
    if isinstance(origins, str):
        raise TypeError(f'{name}={origins!r} is a bare string: write {{"{origins}"}}')
    return frozenset(_origin(name, origin) for origin in origins)


def _origin(name: str, origin: str) -> str:
    if not isinstance(origin, str):
        raise TypeError(f"{name} must hold str, not {type(origin).__name__}")
    if origin.lower() == "null":
        raise ConfigurationError(
            f"{name} has {origin!a}, which is not an origin: sandboxed frames and local files of any site send it. "
            "Serve the page from an origin of its own, and name that"
        )
    if "*" in origin:
        raise ConfigurationError(
            f"{name} has {origin!a}, which is not an origin: patterns are not supported. List each origin"
        )
    # isascii() goes first, for lower() makes ASCII letters of some others.
    found = _ORIGIN.fullmatch(origin.lower()) if origin.isascii() else None
    serialized = None if found is None else _serialized(found["scheme"], found["host"], found["port"])
    if serialized is None:
        raise ConfigurationError(
            f"{name} has {origin!a}, which is not an origin: write https://host or https://host:port, the host in ASCII"
        )
    return serialized


def _serialized(scheme: str, host: str, port: str | None) -> str | None:
    """The one spelling of an origin that browsers send; ``None`` if no browser sends it."""
    number = int(port) if port and len(port) <= 16 else None
    if scheme in _NO_PAGES or (port and (number is None or number > 65535)):
        return None
    if host.startswith("["):
        shortest = _shortest(host[1:-1])
        if shortest is None:
            return None
        host = f"[{shortest}]"
    elif scheme in _DEFAULT_PORTS and not _is_host(host):
        return None
    return f"{scheme}://{host}" + ("" if number in (None, _DEFAULT_PORTS.get(scheme)) else f":{number}")


def _is_host(host: str) -> bool:
    """Whether a host of http or https is a name, or an IPv4 address in the spelling that browsers send.

    A trailing dot stays: browsers treat ``example.com.`` as a host of its own.
    """
    labels = host.removesuffix(".").split(".")
    if not _NUMBER.fullmatch(labels[-1]):
        return "" not in labels
    try:  # the URL standard reads every host that ends in a number as an IPv4 address
        return str(ipaddress.IPv4Address(host)) == host
    except ValueError:
        return False


def _shortest(address: str) -> str | None:
    """An IPv6 address as the URL standard writes it, which has no dotted form for embedded IPv4 addresses."""
    try:
        found = ipaddress.IPv6Address(address)
    except ValueError:
        return None
    if found.ipv4_mapped is None:
        return found.compressed
    octets = found.packed
    return f"::ffff:{int.from_bytes(octets[12:14], 'big'):x}:{int.from_bytes(octets[14:], 'big'):x}"

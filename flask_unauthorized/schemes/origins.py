"""Origins of other sites that an app trusts, spelled as browsers send them in ``Origin``.

The check of a request compares its ``Origin`` with these values as plain texts. A value in another spelling would
never match, and the developer would only see that a trusted site is refused. So each value is checked when the scheme
is made, and brought into the one spelling that browsers send (the URL standard's host serializer, the HTML standard's
"serialization of an origin"):

1. Scheme and host become lower case, and the scheme's default port is left out.
2. An IPv6 address gets its shortest form. A host that ends in a number must be an IPv4 address in dotted decimal.
3. What no browser sends as an origin is refused: ``null``, a pattern with ``*``, a path, a scheme without pages.

``urllib.parse`` isn't used because it accepts too much: it takes spaces, user names and wrong ports.
"""

import ipaddress
import re
from collections.abc import Iterable
from typing import Final

from ..errors import ConfigurationError

_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
# Browsers send no origin for pages of these schemes, so an entry for one could never match.
_SCHEMES_WITHOUT_ORIGIN: Final = frozenset({"about", "blob", "data", "file", "ftp", "javascript", "ws", "wss"})
_ORIGIN: Final = re.compile(
    r"""(?P<scheme>[a-z][a-z0-9+.-]*)://
    (?P<host>\[[0-9a-f:.]+\]|[a-z0-9_.!"$&'()+,;=`{}~-]+)  # no forbidden host code point (URL standard), and no *
    (?::(?P<port>[0-9]*))?""",
    re.VERBOSE,
)
_NUMBER: Final = re.compile(r"[0-9]+|0x[0-9a-f]*")


def validated_origins(origins: Iterable[str], option: str = "trusted_origins") -> frozenset[str]:
    """Return origins in the spelling that browsers send, in lower case.

    Args:
        origins: Values such as ``https://host`` or ``https://host:8443``. The scheme may be that of an app or of a
            browser extension, such as ``capacitor://localhost`` or ``chrome-extension://…``.
        option: The name of the argument, for the message.

    Raises:
        ConfigurationError: If a value isn't an origin that browsers send.
        TypeError: If ``origins`` is a string or ``None``, or a value isn't a string.
    """
    if isinstance(origins, str):
        raise TypeError(f'{option}={origins!r} is a bare string: write {{"{origins}"}}')
    if origins is None:
        raise TypeError(f'{option}=None names no origin: leave it out, or write {{"https://pages.example"}}')
    return frozenset(_validated_origin(option, origin) for origin in origins)


def _validated_origin(option: str, origin: str) -> str:
    if not isinstance(origin, str):
        raise TypeError(f"{option} must hold str, not {type(origin).__name__}")
    if origin.lower() == "null":
        raise ConfigurationError(
            f"{option} has {origin!a}, which is not an origin: sandboxed frames and local files of any site send it. "
            "Serve the page from an origin of its own, and name that"
        )
    if "*" in origin:
        raise ConfigurationError(
            f"{option} has {origin!a}, which is not an origin: patterns are not supported. List each origin"
        )
    # isascii() is checked before lower(), which turns some other letters into ASCII letters.
    match = _ORIGIN.fullmatch(origin.lower()) if origin.isascii() else None
    serialized = None if match is None else _serialize(match["scheme"], match["host"], match["port"])
    if serialized is None:
        raise ConfigurationError(
            f"{option} has {origin!a}, which is not an origin: write https://host or https://host:port, the host in "
            "ASCII"
        )
    return serialized


def _serialize(scheme: str, host: str, port: str | None) -> str | None:
    """Return the spelling of an origin that browsers send; ``None`` if no browser sends it."""
    number = int(port) if port and len(port) <= 16 else None
    if scheme in _SCHEMES_WITHOUT_ORIGIN or (port and (number is None or number > 65535)):
        return None
    if host.startswith("["):
        address = _serialize_ipv6(host[1:-1])
        if address is None:
            return None
        host = f"[{address}]"
    elif scheme in _DEFAULT_PORTS and not _is_host(host):
        return None
    return f"{scheme}://{host}" + ("" if number in (None, _DEFAULT_PORTS.get(scheme)) else f":{number}")


def _is_host(host: str) -> bool:
    """Return whether a host of http or https is a name, or an IPv4 address in the spelling that browsers send.

    A trailing dot stays, because for browsers ``example.com.`` and ``example.com`` are two hosts.
    """
    labels = host.removesuffix(".").split(".")
    if not _NUMBER.fullmatch(labels[-1]):
        return "" not in labels
    try:  # The URL standard reads every host that ends in a number as an IPv4 address.
        return str(ipaddress.IPv4Address(host)) == host
    except ValueError:
        return False


def _serialize_ipv6(address: str) -> str | None:
    """Return an IPv6 address as the URL standard writes it: without a dotted form for embedded IPv4 addresses."""
    try:
        parsed = ipaddress.IPv6Address(address)
    except ValueError:
        return None
    if parsed.ipv4_mapped is None:
        return parsed.compressed
    octets = parsed.packed
    return f"::ffff:{int.from_bytes(octets[12:14], 'big'):x}:{int.from_bytes(octets[14:], 'big'):x}"

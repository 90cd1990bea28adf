"""The proxies that an app trusts: is the peer of a request one of them?

Some fields of a request only mean something if a proxy wrote them, such as ``X-Forwarded-User``. Any client can send
the same fields, so the address of the peer decides. The peer is the machine at the other end of the connection.

1. The address is the one that the server saw. ``ProxyFix`` replaces it by an address that the request names, and keeps
   the original in the environ, which is compared here.
2. An IPv4 address that came over an IPv6 socket (``::ffff:192.0.2.1``) is compared as IPv4.
3. A peer at the other end of a UNIX socket has no address. It is trusted only if ``"unix"`` is in the list.

Invariants: every value is checked when the object is made. An address that can't be read is no named proxy.
"""

import ipaddress
from collections.abc import Iterable, Mapping
from typing import Any, Final

from ..errors import ConfigurationError

UNIX: Final = "unix"
"""The entry that stands for peers at the other end of a UNIX socket."""
_NAMES_OF_UNIX_PEERS: Final = frozenset({"", "localhost", "<local>"})
"""What servers put into ``REMOTE_ADDR`` then: gunicorn, waitress, and the server of Werkzeug."""


class TrustedProxies:
    """The proxies whose fields count.

    Args:
        proxies: IP addresses (``"10.0.0.5"``), networks (``"10.0.0.0/24"``), and ``"unix"`` for UNIX sockets.
        option: The name of the argument, for the message.

    Raises:
        ConfigurationError: For an empty list, and for a value that is none of these.
        TypeError: If ``proxies`` is a string, or a value isn't one.
    """

    def __init__(self, proxies: Iterable[str], option: str = "proxies") -> None:
        if isinstance(proxies, str):
            raise TypeError(f'{option}={proxies!r} is a bare string: write ["{proxies}"]')
        if not isinstance(proxies, Iterable):
            raise TypeError(f"{option} must be a list of addresses and networks, not {proxies!r}")
        values = tuple(proxies)
        if not values:
            raise ConfigurationError(f'{option} is empty: name the addresses of your proxies, such as ["127.0.0.1"]')
        for value in values:
            if not isinstance(value, str):
                raise TypeError(f"{option} must hold str, not {type(value).__name__}")
        self._names: Final = values
        self._trusts_unix: Final = UNIX in values
        self._networks: Final = tuple(_network(option, value) for value in values if value != UNIX)

    def __repr__(self) -> str:
        return f"TrustedProxies({list(self._names)!r})"

    def sent(self, environ: Mapping[str, Any]) -> bool:
        """Return whether one of these proxies sent the request.

        Args:
            environ: The WSGI environ, before or after ``ProxyFix``.
        """
        peer = peer_of(environ)
        if peer in _NAMES_OF_UNIX_PEERS:
            return self._trusts_unix
        try:
            address = ipaddress.ip_address(peer)
        except ValueError:
            return False
        mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
        return any((mapped or address) in network for network in self._networks)


def peer_of(environ: Mapping[str, Any]) -> str:
    """Return the address of the peer as the server saw it; empty if the server names none.

    Args:
        environ: The WSGI environ, before or after ``ProxyFix``.
    """
    original = environ.get("werkzeug.proxy_fix.orig")
    found = (environ if original is None else original).get("REMOTE_ADDR")
    return found if isinstance(found, str) else ""


def came_with_underscores(environ: Mapping[str, Any], name: str) -> bool:
    """Return whether a client sent a field whose name has underscores for dashes.

    In the environ both spellings are one key, and a proxy removes the one with dashes only. Most servers drop the other
    one. Only a2wsgi passes on the names as they came, so elsewhere the answer is ``False``.

    Args:
        environ: The WSGI environ.
        name: The name of the field, with dashes.
    """
    wanted = name.lower().encode("latin-1")
    headers = environ.get("asgi.scope", {}).get("headers", ())
    return any(b"_" in sent and sent.lower().replace(b"_", b"-") == wanted for sent, _ in headers)


def _network(option: str, value: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    try:
        network = ipaddress.ip_network(value)
    except ValueError:
        network = None
    if network is None:
        raise ConfigurationError(
            f'{option} has {value!r}, which is not an address or a network: write such as "10.0.0.5", "10.0.0.0/24" or '
            '"unix"' + _host_bits_hint(value)
        )
    mapped = network.network_address.ipv4_mapped if isinstance(network, ipaddress.IPv6Network) else None
    if mapped is not None and network.prefixlen >= 96:
        return ipaddress.ip_network((mapped, network.prefixlen - 96))
    return network


def _host_bits_hint(value: str) -> str:
    """Return the network that a value with bits after the prefix lies in, as a hint."""
    try:
        return f". {value} lies in {ipaddress.ip_network(value, strict=False)}"
    except ValueError:
        return ""

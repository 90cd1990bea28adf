"""Trusted proxies: whether a proxy that the app names made the connection of a request.

A field such as ``Client-Cert`` or ``X-Forwarded-User`` counts only from such a proxy, because any client can send it.
So the question is always about the *peer*, the other end of the connection, and never about the client behind it:

1. ``REMOTE_ADDR`` is the peer, unless a middleware has replaced it by the client. `ProxyFix` does, and keeps the
   original in ``werkzeug.proxy_fix.orig``, which is used then.
2. A second `ProxyFix` overwrites that record. It is refused at the set-up (`refuse_second_proxy_fix`).
3. Some servers pass on the socket itself (gunicorn, Flask's own). Its peer must be a trusted proxy, too. A middleware
   that replaces ``REMOTE_ADDR`` without a record of the original would otherwise let a client choose the address that
   is compared.
4. A Unix socket has no address: servers leave ``REMOTE_ADDR`` empty, or write ``localhost`` (waitress) or ``<local>``
   (Flask's own). It is trusted only if ``"unix:"`` is named.

An IPv4 address that is mapped into IPv6 is compared as the IPv4 address. What isn't an address is never trusted.
"""

from collections.abc import Iterable, Mapping
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Any, Final

from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix

from .errors import ConfigurationError

CLIENT: Final = "flask_unauthorized.client"
"""The key of the environ under which a trusted proxy's word on the address of its client is found."""
UNIX: Final = "unix:"
"""Stands for a proxy that connects through a Unix socket, for which a server names no address."""
_WITHOUT_ADDRESS: Final = frozenset({"", "localhost", "<local>"})
"""What servers call the peer of a Unix socket. All of them write other peers as numbers."""
_MAX_LAYERS: Final = 50
"""How many layers around an app are looked at. A layer may name itself as the inner one."""
_SOCKETS: Final = ("gunicorn.socket", "werkzeug.socket")
"""The keys under which servers pass on the socket of the connection."""


def refuse_second_proxy_fix(app: Flask) -> None:
    """Refuse an app where a second `ProxyFix` overwrites the record of the peer.

    A client that reaches the app directly could name the address of a proxy in ``X-Forwarded-For`` then. Layers of the
    server, outside of ``app.wsgi_app``, can't be seen here.

    Raises:
        ConfigurationError: If a `ProxyFix` stands inside of one that replaces the address.
    """
    layer: Any = app.wsgi_app
    is_replaced = False
    for _ in range(_MAX_LAYERS):
        if isinstance(layer, ProxyFix):
            if is_replaced:
                raise ConfigurationError(
                    f"ProxyFix stands twice around the app {app.name!r}, so a client could choose the address that is "
                    "compared with proxies=: use one ProxyFix with all its arguments"
                )
            is_replaced = bool(layer.x_for)
        layer = getattr(layer, "app", None)


class TrustedProxies:
    """The proxies that an app trusts, by their addresses.

    Args:
        proxies: Addresses and networks, such as ``"10.0.0.5"`` and ``"10.0.0.0/24"``, and ``"unix:"``.

    Raises:
        ConfigurationError: If there is none, if one of them isn't an address or a network, or if a network has every
            address.
        TypeError: If ``proxies`` is a bare string, or holds something else than strings.
    """

    __slots__ = ("_networks", "_unix")

    def __init__(self, proxies: Iterable[str]) -> None:
        if isinstance(proxies, str):
            raise TypeError(f'proxies={proxies!r} is a bare string: write ["{proxies}"]')
        names = tuple(proxies)
        if not names:
            raise ConfigurationError('proxies is empty: name the addresses of your proxies, such as ["10.0.0.0/24"]')
        self._unix = UNIX in names
        self._networks = tuple(_network(name) for name in names if name != UNIX)

    def trusts(self, environ: Mapping[str, Any]) -> bool:
        """Return whether one of the proxies made the connection to the server.

        Args:
            environ: The WSGI environment of the request.
        """
        return self._has(peer_address(environ)) and all(
            self._has(_socket_peer(environ[key])) for key in _SOCKETS if environ.get(key) is not None
        )

    def _has(self, peer: str) -> bool:
        if peer in _WITHOUT_ADDRESS:
            return self._unix
        try:
            address = ip_address(peer)
        except ValueError:
            return False
        address = getattr(address, "ipv4_mapped", None) or address
        return any(address in network for network in self._networks)


def peer_address(environ: Mapping[str, Any]) -> str:
    """Return the address of the peer, before `ProxyFix` replaced it. It is empty for a Unix socket.

    Args:
        environ: The WSGI environment of the request.
    """
    peer: str | None = environ.get("werkzeug.proxy_fix.orig", environ).get("REMOTE_ADDR")
    return peer or ""


def came_with_underscores(environ: Mapping[str, Any], field: str) -> bool:
    """Return whether a field's name was sent with underscores for dashes, which becomes the same key of the environ.

    Most servers drop such fields. a2wsgi doesn't, and it is the only one that also passes on the names as they were
    sent.

    Args:
        environ: The WSGI environment of the request.
        field: The name of the field, with dashes.
    """
    headers = environ.get("asgi.scope", {}).get("headers", ())
    wanted = field.lower().encode()
    return any(b"_" in name and name.lower().replace(b"_", b"-") == wanted for name, _ in headers)


def _socket_peer(sock: Any) -> str:
    """Return the address of the other end of a socket; a text that isn't an address if the connection is closed."""
    try:
        peer = sock.getpeername()
    except (AttributeError, OSError, ValueError):
        return "unknown"
    return str(peer[0]) if isinstance(peer, tuple) else ""


def _network(name: str) -> IPv4Network | IPv6Network:
    if not isinstance(name, str):
        raise TypeError(f"proxies must hold str, not {name!r}")
    try:
        network = ip_network(name)
    except ValueError:
        raise ConfigurationError(
            f"proxies has {name!r}: write addresses or networks such as '10.0.0.5' and '10.0.0.0/24', or 'unix:'"
        ) from None
    if network.prefixlen == 0:
        raise ConfigurationError(
            f"proxies has {name!r}, which is every address, so any client could forge the field: name the addresses or "
            "the network of your proxies, such as '10.0.0.0/24'"
        )
    return network

"""Networks: where a request came from, as far as counters are concerned.

The address is the one that the server and `ProxyFix` leave in ``REMOTE_ADDR``, never a field that a client can write.
An IPv4 address is a network of its own. An IPv6 address stands for its /64, because one client has all addresses of it.
An IPv4 address that is mapped into IPv6 is the IPv4 address.

Behind a proxy that the app doesn't know, all clients have the address of the proxy. A limit on that address would let
one attacker lock out all clients. Two signs reveal such a proxy (`Network.is_shared`):

- The peer of a Unix socket has no address, so it must be a proxy.
- The peer has a private address, sent ``X-Forwarded-For``, and `ProxyFix` did not use it.

If a proxy asks about a request (`flask_unauthorized.forward_auth`), it names the address of its client itself.
"""

import functools
from collections.abc import Mapping
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Any, Final, NamedTuple

from ..proxies import CLIENT, peer_address

_PRIVATE: Final = tuple(
    ip_network(network)
    for network in (
        "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16",
        "::1/128", "fc00::/7", "fe80::/10",
    )
)  # fmt: skip
"""Where proxies stand: RFC 1918, RFC 6598, loopback, link-local, and RFC 4193."""


class Network(NamedTuple):
    """Where a request came from.

    Attributes:
        key: The network, such as ``"203.0.113.7"``, ``"2001:db8::/64"`` or ``"unix"``.
        is_shared: Whether all clients seem to have this address, because `ProxyFix` is missing.
    """

    key: str
    is_shared: bool


def network_of(environ: Mapping[str, Any]) -> Network:
    """Return where a request came from.

    Args:
        environ: The WSGI environment of the request.
    """
    client = environ.get(CLIENT)
    if client is not None:
        return _read_address(client)[0]
    address = environ.get("REMOTE_ADDR") or ""
    network, if_forwarded = _read_address(address)
    if "HTTP_X_FORWARDED_FOR" not in environ or network is if_forwarded or peer_address(environ) != address:
        return network
    return if_forwarded


@functools.lru_cache(maxsize=1024)
def _read_address(text: str) -> tuple[Network, Network]:
    """Return the network of an address, and what it is if the request was forwarded and `ProxyFix` didn't see it.

    What isn't an address is a Unix socket.
    """
    try:
        address = ip_address(text)
    except ValueError:
        unix = Network("unix", is_shared=True)
        return unix, unix
    address = getattr(address, "ipv4_mapped", None) or address
    key = str(address)
    if isinstance(address, IPv6Address):
        key = str(ip_network((int(address) >> 64 << 64, 64)))
    network = Network(key, is_shared=False)
    is_private = any(address in network for network in _PRIVATE)
    return network, Network(key, is_shared=True) if is_private else network

"""Where the client's certificate is: for ``Bearer(load, certificate=…)`` and ``DPoP(…, certificate=…)`` (RFC 8705 §3).

Behind a server that ends TLS itself `peer_certificate` finds it; behind a proxy that does, `ClientCert` (RFC 9440) or
`EscapedPEM`. The chain need not be trusted (RFC 8705 §6.2): what counts is that the client has the key, which TLS
has shown.
"""

import base64
import binascii
import re
from collections.abc import Iterable, Mapping
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Any, Final
from urllib.parse import unquote_to_bytes

from flask import Request

from .errors import ConfigurationError, MalformedCredentials
from .wire.grammar import is_token

MAX_CERTIFICATE: Final = 64 * 1024
"""Longest field with a certificate that is read, in bytes."""
UNIX: Final = "unix:"
"""Stands for a proxy that comes through a Unix socket, where a server names no address."""

# Flask's own server, Apache (SSLOptions +ExportCertData), nginx (uwsgi_param) and cheroot; uWSGI (https-export-cert).
# A header can't become such a key: PEP 3333 puts HTTP_ before its name.
_SERVER_KEYS: Final = ("SSL_CLIENT_CERT", "HTTPS_CC")
_PEM: Final = re.compile(
    rb"\s*-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]+)-----END CERTIFICATE-----\s*"
)  # one certificate alone
_BINARY: Final = re.compile(r":([A-Za-z0-9+/]+={0,2}):")  # sf-binary (RFC 8941 §3.3.5)


def peer_certificate(request: Request) -> bytes | None:
    """The certificate that the client showed to this app's own server, DER-encoded; ``None`` for none.

    gunicorn (``--certfile``, ``--ca-certs``, ``--cert-reqs 1`` or ``2``) tells it through its socket, others in the
    environment: Flask's own server, cheroot, mod_wsgi with ``SSLOptions +ExportCertData``, uWSGI with
    ``https-export-cert``, nginx with ``uwsgi_param SSL_CLIENT_CERT $ssl_client_escaped_cert``.
    """
    environ = request.environ
    for key in _SERVER_KEYS:
        if environ.get(key):
            return _from_pem(environ[key])
    ask = getattr(environ.get("gunicorn.socket"), "getpeercert", None)
    if ask is None:
        return None
    try:
        found = ask(True)
    except (OSError, ValueError):  # the connection is gone
        return None
    return found if isinstance(found, bytes) and found else None


class _Proxied:
    """What a proxy tells in a field, which counts only where the request comes from that proxy itself."""

    form: str

    def __init__(self, proxies: Iterable[str], field: str) -> None:
        if isinstance(proxies, str):
            raise TypeError(f'proxies={proxies!r} is a bare string: write ["{proxies}"]')
        names = tuple(proxies)
        if not names:
            raise ConfigurationError('proxies is empty: name the addresses of your proxies, such as ["10.0.0.0/24"]')
        if not isinstance(field, str) or not is_token(field):
            raise ConfigurationError(f"field must be the name of a header such as 'Client-Cert', not {field!a}")
        self.unix = UNIX in names
        self.proxies = tuple(_network(name) for name in names if name != UNIX)
        self.varies = (field,)
        self._key = "HTTP_" + field.upper().replace("-", "_")
        self._octets = field.lower().encode()

    def __call__(self, request: Request) -> bytes | None:
        value = request.environ.get(self._key)
        if not value or not self.trusts(request.environ):
            return None
        if self._has_other_spelling(request.environ):
            raise MalformedCredentials(
                reason=f"{self.varies[0]} came with underscores for dashes, which this server reads alike: the proxy "
                "must remove that spelling, too"
            )
        found = self._read(value) if len(value) <= MAX_CERTIFICATE else None
        if found is None:
            raise MalformedCredentials(
                reason=f"{self.varies[0]} has {len(value)} bytes and isn't one certificate of at most "
                f"{MAX_CERTIFICATE}, expected it as {self.form}: look at what the proxy sends"
            )
        return found

    def trusts(self, environ: Mapping[str, Any]) -> bool:
        """Whether the request comes from one of the proxies itself: what they forward counts, not what they say."""
        # ProxyFix puts the client's address in place of the proxy's, and keeps that one.
        peer = environ.get("werkzeug.proxy_fix.orig", environ).get("REMOTE_ADDR")
        if not peer:
            return self.unix
        try:
            address = ip_address(peer)
        except ValueError:
            return False
        mapped = getattr(address, "ipv4_mapped", None)
        return any((mapped or address) in network for network in self.proxies)

    def _has_other_spelling(self, environ: Mapping[str, Any]) -> bool:
        """Whether the field came with underscores, where a server tells the names as they were sent (a2wsgi)."""
        sent = environ.get("asgi.scope", {}).get("headers", ())
        return any(b"_" in name and name.lower().replace(b"_", b"-") == self._octets for name, _ in sent)

    def _read(self, value: str) -> bytes | None:
        raise NotImplementedError

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.varies[0]}>"


class ClientCert(_Proxied):
    """What a trusted proxy tells in ``Client-Cert`` (RFC 9440): ``ClientCert(["10.0.0.0/24"])``.

    ``proxies`` are the addresses or networks of the proxies, ``"unix:"`` for one that comes through a Unix socket; from
    anybody else the field is as if it weren't there. The proxy must remove what clients send under this name
    (RFC 9440 §4). A field that is not one ``:base64:`` alone is 400.

    Raises `ConfigurationError` for what is no address, `TypeError` for a bare string.
    """

    form = "RFC 9440 section 2.2 writes it"

    def __init__(self, proxies: Iterable[str], *, field: str = "Client-Cert") -> None:
        super().__init__(proxies, field)

    def _read(self, value: str) -> bytes | None:
        match = _BINARY.fullmatch(value)
        return None if match is None else _from_base64(match[1].encode())


class EscapedPEM(_Proxied):
    """What a trusted proxy tells as percent-encoded PEM: ``EscapedPEM(["10.0.0.5"], field="X-SSL-Client-Cert")``.

    So do nginx (``proxy_set_header X-SSL-Client-Cert $ssl_client_escaped_cert``), Apache
    (``RequestHeader set X-SSL-Client-Cert "expr=%{escape:%{SSL_CLIENT_CERT}s}"``) and AWS load balancers
    (``X-Amzn-Mtls-Clientcert-Leaf``). Everything else is as with `ClientCert`.
    """

    form = "percent-encoded PEM"

    def __init__(self, proxies: Iterable[str], *, field: str) -> None:
        super().__init__(proxies, field)

    def _read(self, value: str) -> bytes | None:
        return _from_pem(value)


def _network(name: str) -> IPv4Network | IPv6Network:
    try:
        return ip_network(name)
    except ValueError:
        raise ConfigurationError(
            f"proxies has {name!r}: write addresses or networks such as '10.0.0.5' and '10.0.0.0/24', or 'unix:'"
        ) from None


def _from_pem(value: str) -> bytes | None:
    match = _PEM.fullmatch(unquote_to_bytes(value))
    return None if match is None else _from_base64(b"".join(match[1].split()))


def _from_base64(text: bytes) -> bytes | None:
    try:
        return base64.b64decode(text, validate=True) or None
    except binascii.Error:
        return None

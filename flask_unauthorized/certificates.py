"""Find the client's certificate, for tokens that are bound to one (RFC 8705 §3).

These are values for ``certificate=`` of `Bearer` and `DPoP`. Which one you need depends on who ends TLS:

- If the server that runs the app does, use `peer_certificate`.
- If a proxy in front of it does, use `ClientCert` (RFC 9440) or `EscapedPEM`, whichever the proxy sends.

A certificate in a field counts only if the request comes from one of the proxies that you name. Any client can send the
field, and a certificate is public. The proxy must remove what clients send under its name (RFC 9440 §4).

The chain of the certificate isn't checked and need not be trusted (RFC 8705 §6.2). TLS has shown that the client has
the key, and the token names the certificate.
"""

import base64
import binascii
import re
from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Final
from urllib.parse import unquote_to_bytes

from flask import Flask, Request

from .errors import ConfigurationError, MalformedCredentials
from .proxies import TrustedProxies, came_with_underscores, refuse_second_proxy_fix
from .wire.grammar import is_token

MAX_CERTIFICATE: Final = 64 * 1024
"""Longest field with a certificate that is read, in bytes."""

# uWSGI sets the second one, all others the first. Clients can't set them with a header, because PEP 3333 puts HTTP_
# before its name.
_SERVER_KEYS: Final = ("SSL_CLIENT_CERT", "HTTPS_CC")
_ONE_PEM: Final = re.compile(rb"\s*-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]+)-----END CERTIFICATE-----\s*")
_BINARY: Final = re.compile(r":([A-Za-z0-9+/]+={0,2}):")
"""A byte sequence of structured fields (RFC 8941 §3.3.5)."""


def peer_certificate(request: Request) -> bytes | None:
    """Return the certificate that the client showed to the server that runs the app.

    These servers pass it on:

    - Flask's own server and cheroot;
    - gunicorn with ``--certfile``, ``--ca-certs``, and ``--cert-reqs`` 1 or 2;
    - mod_wsgi with ``SSLOptions +ExportCertData``;
    - uWSGI with ``https-export-cert``;
    - nginx with ``uwsgi_param SSL_CLIENT_CERT $ssl_client_escaped_cert``.

    Example:
        Accept bound tokens if the server that runs the app ends TLS::

            from flask_unauthorized import Auth, Bearer
            from flask_unauthorized.certificates import peer_certificate

            auth = Auth(Bearer(load_user, certificate=peer_certificate), app=app)

    Args:
        request: The request.

    Returns:
        The certificate, DER-encoded, or ``None`` if the client showed none.
    """
    environ = request.environ
    for key in _SERVER_KEYS:
        if environ.get(key):
            return _from_pem(environ[key])
    getpeercert = getattr(environ.get("gunicorn.socket"), "getpeercert", None)
    if getpeercert is None:
        return None
    try:
        certificate = getpeercert(True)
    except (OSError, ValueError):  # The connection is closed.
        return None
    return certificate if isinstance(certificate, bytes) and certificate else None


class _ProxyField(ABC):
    """Find the certificate in a field, if the request comes from a trusted proxy."""

    form: str
    """How the field is written, for the message about a wrong one."""

    def __init__(self, proxies: Iterable[str], field: str) -> None:
        self.proxies = TrustedProxies(proxies)
        if not isinstance(field, str) or not is_token(field):
            raise ConfigurationError(f"field must be the name of a header such as 'Client-Cert', not {field!a}")
        self.varies = (field,)
        self._environ_key = "HTTP_" + field.upper().replace("-", "_")

    def check_app(self, app: Flask) -> None:
        """Check that the address of the proxy is known, before an app's first request."""
        refuse_second_proxy_fix(app)

    def __call__(self, request: Request) -> bytes | None:
        value = request.environ.get(self._environ_key)
        if not value or not self.proxies.trusts(request.environ):
            return None
        if came_with_underscores(request.environ, self.varies[0]):
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

    @abstractmethod
    def _read(self, value: str) -> bytes | None:
        """Return the certificate in a field's value; ``None`` if there is none."""

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.varies[0]}>"


class ClientCert(_ProxyField):
    """Read the certificate from ``Client-Cert`` of a trusted proxy (RFC 9440).

    Write ``ClientCert(["10.0.0.0/24"])``. The proxy must remove what clients send under this name (RFC 9440 §4). From
    all other addresses the field is ignored. A value that isn't one ``:base64:`` gets 400.

    Example:
        Accept bound tokens behind a proxy that sends ``Client-Cert``::

            from flask_unauthorized import Auth, Bearer
            from flask_unauthorized.certificates import ClientCert

            auth = Auth(Bearer(load_user, certificate=ClientCert(["10.0.0.0/24"])), app=app)

    Args:
        proxies: The addresses or networks of the proxies, ``"unix:"`` for one that connects through a Unix socket.
        field: The name of the field.

    Raises:
        ConfigurationError: If one of ``proxies`` isn't an address, or there is none, or ``field`` isn't a field name.
        TypeError: If ``proxies`` is a bare string.
    """

    form = "RFC 9440 section 2.2 writes it"

    def __init__(self, proxies: Iterable[str], *, field: str = "Client-Cert") -> None:
        super().__init__(proxies, field)

    def _read(self, value: str) -> bytes | None:
        match = _BINARY.fullmatch(value)
        return None if match is None else _from_base64(match[1].encode())


class EscapedPEM(_ProxyField):
    """Read the certificate as percent-encoded PEM from a field of a trusted proxy.

    Write ``EscapedPEM(["10.0.0.5"], field="X-SSL-Client-Cert")``. These proxies send it: nginx
    (``proxy_set_header X-SSL-Client-Cert $ssl_client_escaped_cert``), Apache
    (``RequestHeader set X-SSL-Client-Cert "expr=%{escape:%{SSL_CLIENT_CERT}s}"``), and AWS load balancers
    (``X-Amzn-Mtls-Clientcert-Leaf``).

    Example:
        Accept bound tokens behind nginx::

            from flask_unauthorized import Auth, Bearer
            from flask_unauthorized.certificates import EscapedPEM

            certificate = EscapedPEM(["127.0.0.1"], field="X-SSL-Client-Cert")
            auth = Auth(Bearer(load_user, certificate=certificate), app=app)

    Args:
        proxies: As for `ClientCert`.
        field: The name of the field.

    Raises:
        ConfigurationError: As `ClientCert` does.
        TypeError: If ``proxies`` is a bare string.
    """

    form = "percent-encoded PEM"

    def __init__(self, proxies: Iterable[str], *, field: str) -> None:
        super().__init__(proxies, field)

    def _read(self, value: str) -> bytes | None:
        return _from_pem(value)


def _from_pem(value: str) -> bytes | None:
    match = _ONE_PEM.fullmatch(unquote_to_bytes(value))
    return None if match is None else _from_base64(b"".join(match[1].split()))


def _from_base64(text: bytes) -> bytes | None:
    try:
        return base64.b64decode(text, validate=True) or None
    except binascii.Error:
        return None

"""Certificates that a proxy passes on in a field."""

from typing import Any

from flask import Request
from werkzeug.test import EnvironBuilder

from flask_unauthorized.certificates import ClientCert, EscapedPEM

from . import Row
from .refusing import call_of


def read(source: Any, value: str, **environ: Any) -> Any:
    made = EnvironBuilder("/", headers={source.varies[0]: value}).get_environ()
    return call_of(source, Request({**made, "REMOTE_ADDR": "127.0.0.1", **environ}))


PEM = EscapedPEM(["127.0.0.1"], field="X-Client-Cert")
ROWS = [
    Row(
        "no PEM", read(PEM, "no certificate"), 400,
        "X-Client-Cert has 14 bytes and isn't one certificate of at most 65536, expected it as percent-encoded PEM: "
        "look at what the proxy sends",
    ),
    Row(
        "no RFC 9440", read(ClientCert(["127.0.0.1"]), "x" * 65537), 400,
        "Client-Cert has 65537 bytes and isn't one certificate of at most 65536, expected it as RFC 9440 section 2.2 "
        "writes it: look at what the proxy sends",
    ),
    Row(
        "underscores", read(PEM, "x", **{"asgi.scope": {"headers": [(b"x_client_cert", b"forged")]}}), 400,
        "X-Client-Cert came with underscores for dashes, which this server reads alike: the proxy must remove that "
        "spelling, too",
    ),
]  # fmt: skip

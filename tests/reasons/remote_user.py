"""RemoteUser: names that a server or a proxy passes on."""

from typing import Any

from flask_unauthorized.schemes.remote_user import RemoteUser

from . import Row
from .refusing import request_of


def server(name: str, loader: Any = lambda name: None) -> Any:
    return request_of(RemoteUser(loader), environ={"REMOTE_USER": name})


def proxy(name: str, peer: str = "10.0.0.7", **environ: Any) -> Any:
    scheme = RemoteUser(lambda name: None, header="X-Forwarded-User", proxies=["10.0.0.0/24"])
    return request_of(scheme, environ={"HTTP_X_FORWARDED_USER": name, "REMOTE_ADDR": peer, **environ})


ROWS = [
    Row(
        "nothing", server(""), 401,
        "no credentials came for a scheme in force: RemoteUser in REMOTE_USER of the server",
    ),
    Row("None", server("ada"), 401, "the loader of RemoteUser returned None for the user name"),
    Row(
        "False", server("ada", lambda name: False), 401, "the loader of RemoteUser returned False for the user name"
    ),
    Row(
        "a peer that is not named", proxy("ada", "192.0.2.1"), 401,
        "X-Forwarded-User came from '192.0.2.1', which is not in proxies=, so it was ignored",
    ),
    Row(
        "a Unix socket that is not named", proxy("ada", ""), 401,
        "X-Forwarded-User came from a Unix socket, which is not in proxies=, so it was ignored",
    ),
    Row(
        "two names", proxy("ada,admin"), 400,
        "X-Forwarded-User holds a comma, expected one name without commas: servers join repeated fields with one, so "
        "the proxy must remove what clients send, and send a name without commas",
    ),
    Row(
        "underscores", proxy("ada", **{"asgi.scope": {"headers": [(b"x_forwarded_user", b"ada")]}}), 400,
        "X-Forwarded-User came with underscores for dashes, which this server reads alike: the proxy must remove that "
        "spelling, too",
    ),
    Row(
        "not UTF-8", server("zo\xeb"), 400,
        "REMOTE_USER is not UTF-8, expected the octets of UTF-8, decoded as Latin-1 (PEP 3333)",
    ),
    Row("a long name", server("a" * 1025), 400, "REMOTE_USER has 1025 bytes, expected at most 1024"),
    Row(
        "a control character", server("ada\x00"), 400,
        "REMOTE_USER holds a control character or blanks around the name, expected printable characters",
    ),
]  # fmt: skip

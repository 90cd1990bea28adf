"""An app with a neighbour, served twice: alone, and with our one line. Every request is asked of both."""

import os
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Any, NamedTuple
from unittest.mock import patch

import pytest
from flask import Flask
from flask.testing import FlaskClient
from itsdangerous import TimestampSigner
from werkzeug.exceptions import Unauthorized

from flask_unauthorized import Auth, Bearer, Identity

MODULES = (
    "login", "jwt_extended", "http_auth", "authlib_oauth", "restful", "restx", "smorest", "api_flask", "openapi3",
    "connexion_app", "cors", "limiter", "caching", "talisman", "wtf", "babel", "sock", "socket_io", "admin", "security",
    "four", "everything",
)  # fmt: skip
if sys.version_info < (3, 11):  # Flask-Security-Too needs it
    MODULES = tuple(name for name in MODULES if name != "security")
OURS = ('Bearer realm="shop"',)
PRIVATE = ("Cache-Control", "Vary")
CHALLENGE = "WWW-Authenticate"
EXPOSE = "Access-Control-Expose-Headers"
FLASKS_OWN_PAGE = Unauthorized().get_body().encode()
_SESSION_TIME = 1_800_000_000
_COOKIE_DATE = re.compile(r"Expires=[^;]+")
_TOKENS = {"ada": {"read", "write"}, "bob": {"read"}}


def load(token: str) -> Identity | None:
    """The loader of our scheme: ``ada`` may read and write, ``bob`` may read."""
    return Identity(token, scopes=_TOKENS[token]) if token in _TOKENS else None


class Ask(NamedTuple):
    """A request, and what is expected: the neighbour's status, and the challenges once our line is there.

    ``after`` is ``None`` where the neighbour's own challenges stay as they are. ``page``: the body was Flask's own
    error page, and becomes a negotiated body. ``login`` is called with the client before. ``outside``: the 401
    is made outside of Flask, where our line changes nothing.
    """

    title: str
    path: str
    status: int
    after: tuple[str, ...] | None = None
    headers: Mapping[str, str] = {}
    method: str = "GET"
    login: Callable[[FlaskClient], Any] | None = None
    page: bool = False
    json: Any = None
    outside: bool = False


class Guarded(NamedTuple):
    """A route that `Neighbour.together` guards with ours: ``login``, ``scopes`` (write) or ``abort``."""

    path: str
    by: str = "login"
    method: str = "GET"


def _same(app: Flask, subject: str) -> str:
    return subject


@dataclass(frozen=True, eq=False)
class Neighbour:
    """A neighbour as its own documentation uses it (``build``), and next to ours (``together``)."""

    name: str
    package: str
    build: Callable[[Flask], None]
    asks: tuple[Ask, ...]
    together: Callable[[Flask], Auth]
    guarded: tuple[Guarded, ...]
    advice: str
    make: Callable[[str], Flask] = Flask
    token: Callable[[Flask, str], str] = _same


class Answer(NamedTuple):
    """What came back, without the parts that tell the time."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def lines(self, name: str) -> tuple[str, ...]:
        """All lines of a header."""
        return tuple(value for known, value in self.headers if known.lower() == name.lower())

    def without(self, *names: str) -> tuple[tuple[str, str], ...]:
        """The header lines but those of ``names``."""
        left_out = {name.lower() for name in names}
        return tuple(line for line in self.headers if line[0].lower() not in left_out)


def names(answer: Answer, header: str) -> set[str]:
    """The members of a header that is a list, in lower case."""
    return {part.strip().lower() for line in answer.lines(header) for part in line.split(",")}


def modules() -> dict[str, Any]:
    """The modules of the neighbours by name. Where one is not installed, the tests are skipped, and fail in CI."""
    try:
        return {name: import_module(f"{__package__}.{name}") for name in MODULES}
    except ModuleNotFoundError as missing:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(f"{missing.name} is not installed: nox -s neighbours", allow_module_level=True)


def neighbours() -> list[Neighbour]:
    """All of them, in the order of the page."""
    return [neighbour for module in modules().values() for neighbour in module.NEIGHBOURS]


def cases(rows: str) -> list[Any]:
    """A parameter ``(neighbour, row)`` for each row in that attribute of each neighbour."""
    return [
        pytest.param(neighbour, row, id=f"{neighbour.name}-{row[0]}")
        for neighbour in neighbours()
        for row in getattr(neighbour, rows)
    ]


def new_app(neighbour: Neighbour) -> Flask:
    """An app that nobody has touched yet."""
    app = neighbour.make("shop")
    app.config["SECRET_KEY"] = "a secret of thirty-two characters"
    return app


@cache
def served(neighbour: Neighbour, line: str) -> Flask:
    """The neighbour's app; ``line`` says where ours stands: ``"none"``, ``"first"`` or ``"last"``."""
    app = new_app(neighbour)
    auth = Auth(Bearer(load))
    if line == "first":
        auth.init_app(app)
    neighbour.build(app)
    if line == "last":
        auth.init_app(app)
    return app


def answer(app: Flask, ask: Ask) -> Answer:
    """Asks with a new client, at a time that stands still: cookies tell it."""
    client = app.test_client()
    with patch.object(TimestampSigner, "get_timestamp", return_value=_SESSION_TIME):
        if ask.login is not None:
            ask.login(client)
        with client.open(ask.path, method=ask.method, headers=dict(ask.headers), json=ask.json) as response:
            body = response.get_data()
    headers = tuple((name, _COOKIE_DATE.sub("Expires=…", value)) for name, value in response.headers if name != "Date")
    return Answer(response.status_code, headers, body)


def bearer(token: str) -> dict[str, str]:
    """The header line that carries a token."""
    return {"Authorization": f"Bearer {token}"}

"""What `check` says of a session in a cookie: copies that outlive a logout, and its signature."""

import inspect
import logging

import pytest
from flask import Flask
from flask.sessions import SecureCookieSession, SessionInterface

from flask_unauthorized import Auth, SessionCookie, SHA256Sessions
from flask_unauthorized.stores.memory import MemoryStore

COPIED = "SessionCookie has no store="
SHA1 = "Flask signs the session's cookie with HMAC-SHA-1"


class ServerSide(SessionInterface):
    """Sessions on the server, whose ids can be renewed."""

    def open_session(self, app, request):
        return SecureCookieSession()

    def save_session(self, app, session, response):
        pass

    def regenerate(self, session):
        pass


def said(caplog, interface=None, config=None, **options):
    """The messages of two checks and a request, with their levels."""
    caplog.set_level(logging.INFO, "flask_unauthorized")
    app = Flask("site")
    app.config.update(SECRET_KEY="k" * 32, SESSION_COOKIE_SECURE=True, SESSION_COOKIE_SAMESITE="Lax", **(config or {}))
    if interface is not None:
        app.session_interface = interface
    auth = Auth(SessionCookie(lambda name: name, **options), realm="shop")
    auth.init_app(app)
    auth.check(app)
    auth.check(app)
    app.test_client().get("/")
    return [(record.levelname, record.getMessage().partition(",")[0]) for record in caplog.records]


SAFE_STORE = {"store": MemoryStore(single_process=True)}


class Own(SHA256Sessions):
    pass


@pytest.mark.parametrize(
    ("interface", "config", "options", "expected"),
    [
        (None, {}, {}, [("INFO", SHA1), ("WARNING", COPIED)]),
        (None, {}, {"store": None}, [("INFO", SHA1)]),
        (None, {}, SAFE_STORE, [("INFO", SHA1)]),
        (SHA256Sessions(), {}, {}, [("WARNING", COPIED)]),
        (Own(), {}, {"store": None}, []),
        (SHA256Sessions(), {}, SAFE_STORE, []),
        (ServerSide(), {}, {}, []),
        (None, {"TESTING": True}, {}, []),
        (None, {"DEBUG": True}, {}, []),
    ],
)
def test_what_check_says_once(caplog, interface, config, options, expected):
    assert said(caplog, interface, config, **options) == expected


def test_no_store_reads_as_none():
    scheme = SessionCookie(lambda name: name)
    assert scheme.store is None
    assert SessionCookie(lambda name: name, store=None).store is None
    assert str(inspect.signature(SessionCookie).parameters["store"].default) == "<no store>"

"""An app with a page of devices and with remembered logins, a clock to be moved, and stores that fail."""

import time
from types import SimpleNamespace

import pytest
from flask import request, session

from flask_unauthorized import Auth, Bearer, Identity, SessionCookie
from flask_unauthorized.stores import memory
from flask_unauthorized.stores.base import Store
from flask_unauthorized.stores.memory import MemoryStore

from .conftest import KEY


class OldStore(MemoryStore):
    """A store of an app that was written before `Store.replace`."""

    _replace = Store._replace


@pytest.fixture
def clock(monkeypatch):
    """The time of sessions and stores, to be moved."""
    now = [1_800_000_000.0]
    monkeypatch.setattr(time, "time", lambda: now[0])
    monkeypatch.setattr("flask_unauthorized.authentication.authorization.time", lambda: now[0])
    monkeypatch.setattr(memory, "time", SimpleNamespace(time=lambda: now[0], monotonic=lambda: now[0]))
    return now


@pytest.fixture
def site(make_app):
    """An app with a page of devices."""

    def make(store=None, *, realm="shop", config=None, load=None, **options):
        store = MemoryStore() if store is None else store
        cookie = SessionCookie(load or (lambda name: name if name != "nobody" else None), store=store, **options)
        tokens = {"t": Identity("ada"), "i": Identity("ada", claims={"iss": "x"}), "n": Identity(client_id="a program")}
        auth = Auth(cookie, Bearer(tokens.get), realm=realm)
        app = make_app(auth, SECRET_KEY=KEY, **(config or {}))

        @app.post("/login/<name>")
        @auth.public
        def login(name):
            given = request.form.to_dict()
            auth.login(name, **{**given, **({"remember": True} if "remember" in given else {})})
            return "in"

        @app.post("/logout")
        @auth.public
        def logout():
            auth.logout()
            return "out"

        @app.get("/")
        @auth.login_required
        def home():
            return auth.identity.subject

        @app.get("/open")
        def open_page():
            identity = auth.get_identity()
            return f"{identity and identity.subject} {auth.remembered}"

        @app.get("/fresh")
        @auth.login_required(max_age=300)
        def fresh():
            return "fresh"

        @app.get("/devices")
        @auth.login_required
        def devices():
            return [vars_of(one) for one in auth.sessions(auth.identity)]

        @app.post("/end/<session_id>")
        @auth.public
        def end(session_id):
            return [auth.end_session(session_id), session.get("_unauthorized") is not None]

        def device(name="ada", agent="Firefox", **data):
            client = app.test_client()
            client.environ_base["HTTP_USER_AGENT"] = agent
            assert client.post(f"/login/{name}", data=data).status_code == 200
            return client

        return SimpleNamespace(app=app, auth=auth, cookie=cookie, store=store, device=device)

    return make


def vars_of(one):
    names = ("id", "created", "last_seen", "remembered", "current", "label")
    return {name: getattr(one, name) for name in names}


def listed(client, who="ada"):
    return client.get("/devices").json


def sessions(site, who="ada"):
    with site.app.app_context():
        return site.auth.sessions(who)


class FailsAt(MemoryStore):
    """A store whose n-th operation fails, from now on or once."""

    def __init__(self):
        super().__init__()
        self.left = None
        self.goes_on = False

    def _count(self):
        if self.left is not None:
            self.left -= 1
            if self.left == 0 or (self.left < 0 and self.goes_on):
                raise ConnectionRefusedError


for _name in ("_get", "_get_many", "_put", "_replace", "_claim", "_increment"):

    def _failing(self, *args, _real=getattr(MemoryStore, _name)):
        self._count()
        return _real(self, *args)

    setattr(FailsAt, _name, _failing)

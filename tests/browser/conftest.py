"""An app with a login page."""

import json
import time
from types import SimpleNamespace

import pytest
from flask import redirect, request, session
from itsdangerous import URLSafeTimedSerializer

from flask_unauthorized import Auth, Bearer, Identity, SessionCookie

PAGE = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
KEY = "a secret of thirty-two characters"
USERS = {"ada": Identity("ada", scopes={"read"}), "bob": Identity("bob")}


@pytest.fixture
def clock(monkeypatch):
    """The time, to be moved."""
    now = [time.time()]
    monkeypatch.setattr(time, "time", lambda: now[0])
    monkeypatch.setattr("flask_unauthorized.authentication.authorization.time", lambda: now[0])
    return now


@pytest.fixture
def build(make_app):
    """An app, its `Auth`, and a client: a page, an API, a login and a logout."""

    def make(*others, users=None, config=None, guard=None, **options):
        known = dict(USERS if users is None else users)
        cookie = SessionCookie(known.get, **{"login_view": "login", "logout_view": "logout", **options})
        auth = Auth(cookie, *(others or (Bearer(lambda token: None),)), realm="shop")
        app = make_app(auth, SECRET_KEY=KEY, **(config or {}))
        ran = []

        @app.route("/login", methods=["GET", "POST"])
        @auth.public
        def login():
            if request.method == "POST":
                auth.login(request.form.get("name", "ada"), acr=request.form.get("acr"))
                return redirect(auth.next_url("/page"), code=302)
            return "login form"

        @app.route("/logout", methods=["GET", "POST"])
        def logout():
            auth.logout()
            return redirect("/login", code=302)

        @app.route("/page", methods=["GET", "POST", "PUT", "DELETE"])
        @(guard or auth.login_required)
        def page():
            ran.append(auth.identity)
            return f"page of {auth.identity.subject}"

        @app.get("/fresh")
        @auth.login_required(max_age=300)
        def fresh():
            return "fresh"

        @app.get("/optional")
        @auth.login_optional
        def optional():
            return str(auth.get_identity() and auth.identity.subject)

        @app.get("/set")
        def put():
            session["cart"] = "three"
            return "put"

        client = app.test_client()
        return SimpleNamespace(app=app, auth=auth, cookie=cookie, client=client, ran=ran, users=known)

    return make


def session_cookie_of(client):
    found = client.get_cookie("session")
    return None if found is None else found.value


def session_content(app, value):
    """What a session cookie holds, read by itsdangerous alone."""
    serializer = URLSafeTimedSerializer(
        app.secret_key, salt="cookie-session", serializer=json, signer_kwargs={"key_derivation": "hmac"}
    )
    return serializer.loads(value)


def forge(app, value):
    """A cookie with any content, signed with the app's key (it leaked, or another part of the app wrote it)."""
    return app.session_interface.get_signing_serializer(app).dumps(value)

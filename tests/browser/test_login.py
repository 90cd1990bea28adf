"""Logging in and out in the middle of a request."""

import pytest

from flask_unauthorized import Bearer, DPoP, Identity, SessionCookie
from tests.dpop_client import Holder
from tests.helpers import app_with_schemes


def test_login_uses_up_no_proof_twice(make_app):
    holder = Holder("ES256")
    tokens = {"t": Identity("ada", scopes={"a"}, confirmation={"jkt": holder.jkt})}
    dpop = DPoP(tokens.get, origin="https://api.example.com")
    app = app_with_schemes(make_app, dpop, SessionCookie(Identity))
    auth = app.auth

    @app.post("/x")
    @auth.login_required(via=dpop)
    def x():
        auth.login("bob")
        first = auth.require(scopes={"a"}, via=dpop).subject
        auth.logout()
        return f"{first} {auth.require(via=dpop).subject}"

    assert app.test_client().post("/x", headers=holder.sent(token="t", path="/x", method="POST")).text == "ada ada"


def test_after_login_the_caller_stays_who_logged_in(make_app):
    app = app_with_schemes(make_app, Bearer({"t": Identity("alice")}.get), SessionCookie(Identity))
    auth = app.auth

    @app.post("/z")
    @auth.login_required
    def z():
        auth.login("bob")
        return f"{auth.identity.subject} {auth.require().subject} {auth.identity.subject} {auth.scheme.name}"

    assert app.test_client().post("/z", headers={"Authorization": "Bearer t"}).text == "bob bob bob Cookie"


def test_the_caller_of_an_issuer_is_no_user_of_ours(make_app):
    app = app_with_schemes(make_app, SessionCookie(Identity))
    token = Identity("1", claims={"iss": "https://one.example"})
    with app.test_request_context(method="POST"), pytest.raises(TypeError, match="issuer"):
        app.auth.login(token)

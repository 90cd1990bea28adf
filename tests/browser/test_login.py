"""Logging in and out in the middle of a request."""

import pytest

from flask_unauthorized import Auth, Bearer, DPoP, Identity, SessionCookie
from tests.dpop_client import Holder

KEY = "a secret of thirty-two characters"


@pytest.fixture
def guarded(make_app):
    """A view for everything, guarded by the schemes given; what ran is kept."""

    def make(*schemes, **config):
        auth = Auth(*schemes, realm="site")
        app = make_app(auth, SECRET_KEY=KEY, **config)
        app.ran = []

        @app.route("/", methods=["GET", "POST"])
        @auth.login_required
        def view():
            app.ran.append(auth.identity.subject)
            return "ran"

        app.auth = auth
        return app

    return make


def test_login_uses_up_no_proof_twice(guarded):
    holder = Holder("ES256")
    tokens = {"t": Identity("ada", scopes={"a"}, confirmation={"jkt": holder.jkt})}
    dpop = DPoP(tokens.get, origin="https://api.example.com")
    app = guarded(dpop, SessionCookie(Identity))
    auth = app.auth

    @app.post("/x")
    @auth.login_required(via=dpop)
    def x():
        auth.login("bob")
        first = auth.require(scopes={"a"}, via=dpop).subject
        auth.logout()
        return f"{first} {auth.require(via=dpop).subject}"

    assert app.test_client().post("/x", headers=holder.sent(token="t", path="/x", method="POST")).text == "ada ada"


def test_after_login_the_caller_stays_who_logged_in(guarded):
    app = guarded(Bearer({"t": Identity("alice")}.get), SessionCookie(Identity))
    auth = app.auth

    @app.post("/z")
    @auth.login_required
    def z():
        auth.login("bob")
        return f"{auth.identity.subject} {auth.require().subject} {auth.identity.subject} {auth.scheme.name}"

    assert app.test_client().post("/z", headers={"Authorization": "Bearer t"}).text == "bob bob bob Cookie"


def test_the_caller_of_an_issuer_is_no_user_of_ours(guarded):
    app = guarded(SessionCookie(Identity))
    token = Identity("1", claims={"iss": "https://one.example"})
    with app.test_request_context(method="POST"), pytest.raises(TypeError, match="issuer"):
        app.auth.login(token)

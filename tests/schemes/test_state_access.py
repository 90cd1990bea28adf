"""What a scheme remembers for the response belongs to this scheme and to this request."""

import time

from flask_unauthorized import Auth, Digest, DPoP, Identity, NonceRequired
from tests.digest_client import challenge, sent
from tests.dpop_client import ORIGIN, Holder

from .digest_served import CHALLENGE, KEY, load

HOLDER = Holder()


def load_token(token):
    return Identity("ada", confirmation={"jkt": HOLDER.jkt})


def app_with(make_app, **schemes):
    """An app that asks for the schemes that its path names, one after the other: ``/first-second``."""
    auth = Auth(*schemes.values())
    app = make_app(auth, **KEY)

    @app.get("/<names>")
    def view(names):
        for name in names.split("-"):
            auth.require(via=schemes[name])
        return "in"

    return app


def in_seconds(monkeypatch, seconds):
    later = time.time() + seconds
    monkeypatch.setattr(time, "time", lambda: later)


def test_two_dpop_schemes_in_one_request_keep_their_nonces_apart(make_app, monkeypatch):
    brief, long = (
        DPoP(load_token, origin=ORIGIN, realm="api", nonce=True, nonce_lifetime=lifetime) for lifetime in (60, 600)
    )
    client = app_with(make_app, brief=brief, long=long).test_client()
    nonce = client.get("/brief", headers=HOLDER.sent(path="/brief")).headers["DPoP-Nonce"]
    # 50 seconds are more than half of the brief lifetime, and less than half of the long one.
    in_seconds(monkeypatch, 50)
    for path, comes in (("/brief", True), ("/long", False), ("/brief-long", False), ("/long-brief", True)):
        response = client.get(path, headers=HOLDER.sent(path=path, nonce=nonce))
        assert (response.status_code, "DPoP-Nonce" in response.headers) == (200, comes), path


def test_two_digest_schemes_in_one_request_keep_their_proofs_apart(make_app, monkeypatch):
    brief, long = (Digest(load, realm="shop", nextnonce=True, nonce_lifetime=lifetime) for lifetime in (60, 600))
    client = app_with(make_app, brief=brief, long=long).test_client()
    offered = challenge(client.get("/brief").headers[CHALLENGE])
    in_seconds(monkeypatch, 50)
    paths = (("/brief", True), ("/long", False), ("/brief-long", False), ("/brief-long-brief", True))
    for count, (path, comes) in enumerate(paths, start=1):
        response = client.get(path, headers=sent(offered, uri=path, nc=count))
        assert (response.status_code, "Authentication-Info" in response.headers) == (200, comes), path


def test_an_app_that_another_one_calls_has_its_own_proof(make_app):
    """A view that calls another app in the same thread: each response has the nonce count of its own request."""
    outer_auth, inner_auth = (Auth(Digest(load, realm=realm, rspauth=True)) for realm in ("outer", "inner"))
    inner, outer = make_app(inner_auth, **KEY), make_app(outer_auth, **KEY)
    inner.add_url_rule("/", "view", inner_auth.login_required(lambda: "in"))
    inner_told = challenge(inner.test_client().get("/").headers[CHALLENGE])

    def view():
        return inner.test_client().get("/", headers=sent(inner_told, nc=5)).headers["Authentication-Info"]

    outer.add_url_rule("/", "view", outer_auth.login_required(view))
    outer_told = challenge(outer.test_client().get("/").headers[CHALLENGE])
    response = outer.test_client().get("/", headers=sent(outer_told, nc=3))
    assert "nc=00000005" in response.text
    assert "nc=00000003" in response.headers["Authentication-Info"]


def test_challenges_outside_of_a_judged_request_have_their_nonce(make_app):
    """Users may call ``challenges`` of a scheme themselves, for example to check them before the first request."""
    dpop = DPoP(load_token, origin=ORIGIN, realm="api", nonce=True)
    app = make_app(Auth(dpop), **KEY)
    error = NonceRequired()
    with app.test_request_context("/") as context:
        (made,) = dpop.challenges("api", error, context.request)
        assert made.get("error") == "use_dpop_nonce"
        assert error.nonce is not None
        response = app.make_response("")
        dpop.respond(response, accepted=False)
        assert "DPoP-Nonce" not in response.headers

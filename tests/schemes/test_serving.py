"""What a scheme remembers for the response belongs to this scheme and to this request."""

import time

from flask_unauthorized import Auth, Digest, DPoP, Identity, NonceRequired
from tests.digest_client import challenge, sent
from tests.dpop_client import ORIGIN, Holder

from .digest_served import CHALLENGE, KEY, load

HOLDER = Holder()


def load_token(token):
    return Identity("ada", confirmation={"jkt": HOLDER.jkt})


def app_with_two(make_app, first, second):
    """An app whose view asks for the first scheme, and then for the second one."""
    auth = Auth(first, second)
    app = make_app(auth, **KEY)

    @app.get("/")
    def view():
        auth.require(via=first)
        auth.require(via=second)
        return "in"

    app.add_url_rule("/first", "first", auth.login_required(via=first)(lambda: "in"))
    return app


def in_seconds(monkeypatch, seconds):
    later = time.time() + seconds
    monkeypatch.setattr(time, "time", lambda: later)


def test_two_dpop_schemes_in_one_request_keep_their_nonces_apart(make_app, monkeypatch):
    options = {"origin": ORIGIN, "realm": "api", "nonce": True}
    app = app_with_two(
        make_app, DPoP(load_token, nonce_lifetime=60, **options), DPoP(load_token, nonce_lifetime=600, **options)
    )
    client = app.test_client()
    nonce = client.get("/", headers=HOLDER.sent()).headers["DPoP-Nonce"]
    in_seconds(monkeypatch, 50)
    # 50 seconds are more than half of the first lifetime, and less than half of the second one.
    alone = client.get("/first", headers=HOLDER.sent(path="/first", nonce=nonce))
    assert (alone.status_code, "DPoP-Nonce" in alone.headers) == (200, True)
    both = client.get("/", headers=HOLDER.sent(nonce=nonce))
    assert (both.status_code, "DPoP-Nonce" in both.headers) == (200, False)


def test_two_digest_schemes_in_one_request_keep_their_proofs_apart(make_app, monkeypatch):
    first = Digest(load, realm="shop", nextnonce=True, nonce_lifetime=60)
    app = app_with_two(make_app, first, Digest(load, realm="shop", nextnonce=True, nonce_lifetime=600))
    client = app.test_client()
    told = challenge(client.get("/").headers[CHALLENGE])
    in_seconds(monkeypatch, 50)
    alone = client.get("/first", headers=sent(told, uri="/first"))
    assert (alone.status_code, "Authentication-Info" in alone.headers) == (200, True)
    both = client.get("/", headers=sent(told, nc=2))
    assert (both.status_code, "Authentication-Info" in both.headers) == (200, False)


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

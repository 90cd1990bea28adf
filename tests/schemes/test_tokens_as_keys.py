"""Any loader of Bearer works for APIKey: tokens of a login service in a header or a cookie of its own."""

import time
from types import SimpleNamespace

import pytest

from flask_unauthorized import APIKey, Auth, Bearer, Identity, StepUpRequired
from flask_unauthorized.loaders import SignedTokens, StaticTokens
from flask_unauthorized.testing import assert_sound, assert_unauthorized
from tests.http_client.conftest import plain as plain
from tests.http_client.server import answer
from tests.jose.conftest import jwt
from tests.jose.signing import ISSUER, claims, header, private, signed
from tests.loaders.asking import ACTIVE, TOKEN, make_introspection

HEADER, COOKIE = "Cf-Access-Jwt-Assertion", "CF_Authorization"
PLACES = {"header": {"header": HEADER}, "cookie": {"cookie": COOKIE}}
KEY = "0123456789abcdef0123456789abcdef"


@pytest.fixture
def build(make_app):
    """An app whose keys are tokens; ``send(token)`` puts one into the place."""

    def make(loader, place="header", *, more=(), size=None):
        auth = Auth(APIKey(loader, **PLACES[place]), *more, realm="team")
        app = make_app(auth, SECRET_KEY=KEY, **({} if size is None else {"UNAUTHORIZED_MAX_CREDENTIALS": size}))

        @app.route("/", methods=["GET", "POST"])
        @auth.login_required
        def view():
            return {"who": auth.identity.subject}

        @app.get("/write")
        @auth.login_required(scopes={"write"})
        def write():
            return "written"

        @app.get("/fresh")
        @auth.login_required(max_age=60, acr="gold")
        def fresh():
            return "fresh"

        def send(token, path="/", method="GET", headers=()):
            field = {HEADER: token} if place == "header" else {"Cookie": f"{COOKIE}={token}"}
            return app.test_client(use_cookies=False).open(path, method=method, headers={**field, **dict(headers)})

        return SimpleNamespace(app=app, auth=auth, send=send)

    return make


def access_token(**changes):
    return signed(header(), claims(scope="read", **changes))


def assert_challenge(response, place, error, **members):
    """401 with what this place is called, and with the error."""
    challenge = assert_unauthorized(response, scheme="ApiKey", error=error)
    name = HEADER if place == "header" else COOKIE
    expected = {"realm": "team", "in": place, "name": name, **members}
    assert {member: challenge.get(member) for member in expected} == expected


# --- JWTs


@pytest.mark.parametrize("place", PLACES)
def test_a_token_of_an_issuer_gets_in(build, place):
    served = build(jwt(), place)
    assert served.send(access_token(sub="ada")).json == {"who": "ada"}


@pytest.mark.parametrize("place", PLACES)
def test_expired_and_forged_tokens_are_told_apart(build, place):
    served = build(jwt(), place)
    past = int(time.time()) - 3600
    expired = served.send(access_token(iat=past, exp=past + 60))
    assert_challenge(expired, place, "invalid_token", error_description="The credentials have expired.")
    for forged in (
        signed(header(), claims(), key=private("ES256", 1)),
        access_token(aud="https://other.example"),
        access_token(iss="https://other.example"),
        access_token()[:-4] + "AAAA",
        "not-a-token",
    ):
        refused = served.send(forged)
        assert_challenge(refused, place, "invalid_token", error_description="The credentials are not valid.")


@pytest.mark.parametrize("place", PLACES)
def test_a_missing_scope_is_403_and_names_it(build, place):
    response = build(jwt(), place).send(access_token(), "/write")
    assert response.status_code == 403
    (challenge,) = assert_sound(response, schemes=["ApiKey"])
    assert (challenge.get("error"), challenge.get("scope")) == ("insufficient_scope", "write")
    assert build(jwt(), place).send(access_token(), "/").status_code == 200


def test_scopes_of_the_token_are_granted(build):
    assert build(jwt()).send(signed(header(), claims(scope="read write")), "/write").text == "written"


def test_a_login_that_is_too_weak_is_401_and_says_what_would_do(build):
    """RFC 9470 §3, in the challenge of a key."""
    response = build(jwt()).send(access_token(acr="silver", auth_time=int(time.time())), "/fresh")
    assert_challenge(response, "header", StepUpRequired.error, acr_values="gold", max_age="60")


def test_a_bound_token_is_no_key(build):
    """A key proves nothing about its sender (RFC 7800)."""
    bound = access_token(cnf={"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"})
    assert_challenge(build(jwt()).send(bound), "header", "invalid_token")


def test_the_token_of_a_login_service_as_it_really_is(build):
    """Cloudflare Access, application token: a list as aud, no scope, no client_id, typ JWT."""
    now = int(time.time())
    content = {
        "aud": ["32eafc7626e737565b5b0b1b9ec86ac3"], "email": "ada@example.com", "exp": now + 86400, "iat": now,
        "nbf": now, "iss": ISSUER, "type": "app", "identity_nonce": "6ei69kawdKzMIAPF", "country": "US",
        "sub": "7335d417-61da-459d-899c-0a01c76a2f94",
    }  # fmt: skip
    loader = jwt(audience=content["aud"][0], profile="oidc-compat")
    served = build(loader)
    assert served.send(signed(header(typ="JWT"), content)).json == {"who": content["sub"]}


# --- sizes


@pytest.mark.parametrize("place", PLACES)
def test_a_token_with_many_groups_and_the_configured_size(build, place):
    groups = [f"{number:08x}-1111-2222-3333-444455556666" for number in range(290)]
    token = access_token(groups=groups)
    assert 12_000 < len(token) < 16_384
    assert build(jwt(), place).send(token).status_code == 200
    assert build(jwt(), place, size=len(token)).send(token).status_code == 200
    assert build(jwt(), place, size=len(token) - 1).send(token).status_code == 400
    longer = access_token(groups=groups * 2)
    assert build(jwt(), place).send(longer).status_code == 400
    assert build(jwt(), place, size=65_536).send(longer).status_code == 200


# --- other loaders


@pytest.mark.parametrize("place", PLACES)
def test_signed_tokens(build, place):
    tokens = SignedTokens("device", lifetime=60)
    served = build(tokens, place)
    with served.app.app_context():
        token = tokens.issue("ada")
        other = SignedTokens("reset", lifetime=60).issue("ada")
    assert served.send(token).json == {"who": "ada"}
    assert_challenge(served.send(other), place, "invalid_token")


def test_signed_tokens_expire(build, monkeypatch):
    tokens = SignedTokens("device", lifetime=60)
    served = build(tokens)
    with served.app.app_context():
        token = tokens.issue("ada")
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 3600)
    expired = served.send(token)
    assert_challenge(expired, "header", "invalid_token", error_description="The credentials have expired.")


@pytest.mark.parametrize("place", PLACES)
def test_static_tokens(build, place):
    served = build(StaticTokens({"good": Identity("ada", scopes={"write"})}), place)
    assert served.send("good", "/write").text == "written"
    assert_challenge(served.send("bad"), place, "invalid_token")


@pytest.mark.parametrize("place", PLACES)
def test_introspection(build, plain, place):
    plain.answers["/introspect"] = answer(ACTIVE)
    served = build(make_introspection(plain, cache=0, negative_cache=0), place)
    assert served.send(TOKEN, "/write").text == "written"
    plain.answers["/introspect"] = answer({"active": False})
    assert_challenge(served.send(TOKEN), place, "invalid_token")
    plain.answers["/introspect"] = answer(b"down", 500)
    assert served.send(TOKEN).status_code == 503


# --- as a cookie


def test_a_cookie_is_sent_by_browsers_themselves(build):
    served = build(jwt(), "cookie")
    cross_site = {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}
    assert served.send(access_token(), method="POST", headers=cross_site).status_code == 403
    assert served.send(access_token(), method="POST", headers={"Sec-Fetch-Site": "same-origin"}).status_code == 200
    in_header = build(jwt())
    assert in_header.send(access_token(), method="POST", headers=cross_site).status_code == 200


def test_header_and_bearer_in_one_request_are_two_credentials(build):
    loader = jwt()
    served = build(loader, more=(Bearer(loader),))
    both = served.send(access_token(), headers={"Authorization": f"Bearer {access_token()}"})
    assert both.status_code == 400

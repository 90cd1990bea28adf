"""`JWT(…, profile="jwt-extended")`: the tokens that an app has issued with Flask-JWT-Extended 4.7.4."""

import hashlib
import hmac
import json
import logging
import time
from datetime import timedelta
from typing import Any

import jwt as pyjwt
import pytest
from flask import Flask

from flask_unauthorized import Auth, Bearer, ConfigurationError, ExpiredCredentials, InvalidCredentials
from flask_unauthorized.jose import hmac_key
from flask_unauthorized.loaders import SignedTokens
from flask_unauthorized.loaders.jwt import JWT, Issuers
from flask_unauthorized.loaders.revocation import Revocations
from flask_unauthorized.stores.memory import MemoryStore
from tests.canaries import register
from tests.helpers import app_with_view
from tests.jose.signing import b64

SECRET = "super-secret"  # as in the first program of its docs
HEADER = {"alg": "HS256", "typ": "JWT"}


@pytest.fixture(autouse=True)
def quiet(caplog):
    caplog.set_level(logging.CRITICAL, "flask_unauthorized")


def old(**changes: Any) -> JWT:
    given = {"audience": None, "algorithms": ("HS256",), "profile": "jwt-extended", **changes}
    if "keys" not in given:
        given["keys"] = hmac_key(SECRET, allow_short=True)
    return JWT(given.pop("issuer", None), **given)


def token(header: Any = HEADER, secret: str = SECRET, digest: Any = hashlib.sha256, **changes: Any) -> str:
    """A token as Flask-JWT-Extended 4.7.4 writes it, made by hand; ``...`` takes a claim away."""
    now = int(time.time())
    claims = {
        "fresh": False, "iat": now, "jti": "c7e5f3de-7b1c-4c25-bb10-4ae1d5ad5fd3", "type": "access", "sub": "ada",
        "nbf": now, "csrf": "b4a8e3bd-1f9f-4df2-a6a1-7f3a4a5f6c0c", "exp": now + 900, **changes,
    }  # fmt: skip
    claims = {name: value for name, value in claims.items() if value is not ...}
    content = ".".join(b64(json.dumps(part).encode()) for part in (header, claims))
    made = f"{content}.{b64(hmac.new(secret.encode(), content.encode(), digest).digest())}"
    register(SECRET, made)
    return made


def test_a_token_of_its_form():
    found = old()(token())
    assert (found.subject, found.auth_time, found.scopes, found.client_id) == ("ada", None, frozenset(), None)
    assert found.claims["jti"] == "c7e5f3de-7b1c-4c25-bb10-4ae1d5ad5fd3"


def test_a_token_that_pyjwt_makes():
    now = int(time.time())
    claims = {"sub": "ada", "type": "access", "fresh": True, "iat": now, "jti": "1", "exp": now + 60}
    key = hmac_key("x" * 32)
    found = old(keys=key)(pyjwt.encode(claims, "x" * 32, algorithm="HS256"))
    assert (found.subject, found.auth_time) == ("ada", now)


@pytest.fixture
def issuer():
    """An app that issues tokens with Flask-JWT-Extended itself."""
    extension = pytest.importorskip("flask_jwt_extended")
    app = Flask("issuer")
    app.config.update(JWT_SECRET_KEY="x" * 32, JWT_TOKEN_LOCATION=["headers", "cookies"])
    extension.JWTManager(app)
    with app.app_context():
        yield extension


@pytest.mark.parametrize(
    ("options", "is_login"),
    [({}, False), ({"fresh": True}, True), ({"fresh": timedelta(minutes=5)}, True),
     ({"fresh": timedelta(minutes=-5)}, False)],
)  # fmt: skip
def test_what_flask_jwt_extended_issues(issuer, options, is_login):
    made = issuer.create_access_token("ada", **options)
    found = old(keys=hmac_key("x" * 32))(made)
    assert found.subject == issuer.decode_token(made)["sub"] == "ada"
    assert found.auth_time == (issuer.decode_token(made)["iat"] if is_login else None)
    assert "csrf" in found.claims


def test_its_refresh_token_is_no_access_token(issuer):
    with pytest.raises(InvalidCredentials):
        old(keys=hmac_key("x" * 32))(issuer.create_refresh_token("ada"))


def test_its_issuer_and_audience_can_be_demanded(issuer):
    claims = {"iss": "https://shop.example", "aud": "api"}
    made = issuer.create_access_token("ada", additional_claims=claims)
    demands = {"issuer": "https://shop.example", "audience": "api", "keys": hmac_key("x" * 32)}
    assert old(**demands)(made).subject == "ada"
    for changes in ({"issuer": None}, {"issuer": "https://other.example"}, {"audience": "other"}):
        with pytest.raises(InvalidCredentials):
            old(**{**demands, **changes})(made)


PASSWORD_RESET = {"type": ..., "fresh": ..., "jti": ..., "nbf": ..., "csrf": ..., "purpose": "reset"}
NOT_ITS_TOKENS = {
    "password reset": lambda: token(**PASSWORD_RESET),
    "password reset with its other claims": lambda: token(type=...),
    "refresh": lambda: token(type="refresh"),
    "type in another case": lambda: token(type="Access"),
    "type in a list": lambda: token(type=["access"]),
    "type null": lambda: token(type=None),
    "type true": lambda: token(type=True),
    "no subject": lambda: token(sub=...),
    "boolean subject": lambda: token(sub=True),
    "fractional subject": lambda: token(sub=7.0),
    "list as subject": lambda: token(sub=[7]),
    "empty subject": lambda: token(sub=""),
    "no end": lambda: token(exp=...),
    "not yet": lambda: token(nbf=int(time.time()) + 600),
    "an issuer": lambda: token(iss="https://shop.example"),
    "another secret": lambda: token(secret="another"),
    "alg none": lambda: token({"alg": "none", "typ": "JWT"}).rpartition(".")[0] + ".",
    "alg none, signed": lambda: token({"alg": "none", "typ": "JWT"}),
    "alg HS512": lambda: token({"alg": "HS512", "typ": "JWT"}, digest=hashlib.sha512),
    "alg HS512 in name": lambda: token({"alg": "HS512", "typ": "JWT"}),
    "no alg": lambda: token({"typ": "JWT"}),
    "typ of RFC 9068": lambda: token({"alg": "HS256", "typ": "at+jwt"}),
    "no typ": lambda: token({"alg": "HS256"}),
    "no jti": lambda: token(jti=...),
    "bound to a key": lambda: token(cnf={"kid": "1"}),
}


@pytest.mark.parametrize("make", NOT_ITS_TOKENS.values(), ids=NOT_ITS_TOKENS)
def test_other_tokens_of_the_same_secret_are_401(make_app, make):
    app = app_with_view(make_app, Auth(Bearer(old())))
    client = app.test_client()
    assert client.get("/", headers={"Authorization": f"Bearer {token()}"}).status_code == 200
    response = client.get("/", headers={"Authorization": f"Bearer {make()}"})
    assert response.status_code == 401
    assert response.www_authenticate.get("error") == "invalid_token"


def test_an_expired_token_is_called_expired():
    now = int(time.time())
    with pytest.raises(ExpiredCredentials):
        old()(token(iat=now - 900, nbf=now - 900, exp=now - 300))


@pytest.mark.parametrize(
    ("sub", "subject"), [(7, "7"), (0, "0"), (-3, "-3"), (2**63, "9223372036854775808"), ("7", "7")]
)
def test_an_integer_subject_is_its_text(sub, subject):
    assert old()(token(sub=sub)).subject == subject


@pytest.mark.parametrize("profile", ["rfc9068", "oidc-compat"])
def test_an_integer_is_a_subject_in_this_profile_only(profile):
    made = token({"alg": "HS256", "typ": "at+jwt"}, sub=7, iss="https://shop.example", client_id="shop")
    with pytest.raises(InvalidCredentials, match="not valid") as raised:
        old(issuer="https://shop.example", profile=profile)(made)
    assert raised.value.reason.startswith("sub is a JSON number")


@pytest.mark.parametrize(
    ("fresh", "is_login"),
    [(True, True), (False, False), (..., False), (None, False), ("true", False), (1, False), ([True], False),
     (4e9, True), (float(2**31), True)],
)  # fmt: skip
def test_fresh_is_a_login_at_iat(fresh, is_login):
    now = int(time.time()) - 30
    assert old()(token(fresh=fresh, iat=now, auth_time=5)).auth_time == (now if is_login else None)


def test_a_cached_token_is_fresh_no_longer_than_it_says(monkeypatch):
    start = time.time()
    made = token(fresh=start + 60)
    check = old(cache_size=8)
    assert [check(made).auth_time, check(made).auth_time] == [int(start)] * 2
    for module in ("jwt", "token_cache"):
        monkeypatch.setattr(f"flask_unauthorized.loaders.{module}.time", lambda: start + 61)
    assert (check(made).subject, check(made).auth_time) == ("ada", None)


def test_max_age_is_met_by_a_fresh_token_only(make_app):
    auth = Auth(Bearer(old()))
    app = make_app(auth)
    app.add_url_rule("/", "view", auth.login_required(max_age=300)(lambda: "in"))
    client = app.test_client()
    for made, status in ((token(fresh=True), 200), (token(), 401)):
        response = client.get("/", headers={"Authorization": f"Bearer {made}"})
        assert response.status_code == status
    assert response.www_authenticate.get("error") == "insufficient_user_authentication"


def test_revoked_is_its_blocklist():
    blocklist = {"c7e5f3de-7b1c-4c25-bb10-4ae1d5ad5fd3"}
    check = old(revoked=lambda identity: identity.claims["jti"] in blocklist)
    with pytest.raises(InvalidCredentials) as raised:
        check(token())
    assert raised.value.reason == "revoked= returned True, so the token was revoked: get a new one"
    assert check(token(jti="another")).subject == "ada"


def test_revocations_need_an_issuer():
    with pytest.raises(ConfigurationError, match="Revocations"):
        old(revoked=Revocations(MemoryStore()))
    assert old(issuer="https://shop.example", revoked=Revocations(MemoryStore())).issuer == "https://shop.example"


def test_it_stands_beside_new_tokens(make_app):
    new = SignedTokens("api", lifetime=900, secret_key="x" * 32)
    asked = []

    def counted(identity):
        asked.append(identity.subject)
        return False

    app = app_with_view(make_app, Auth(Bearer(new, old(revoked=counted))))
    with app.app_context():
        issued = new.issue("ada")
    client = app.test_client()

    def status(text):
        return client.get("/", headers={"Authorization": f"Bearer {text}"}).status_code

    assert [status(issued), asked] == [200, []]
    assert [status(token()), asked] == [200, ["ada"]]
    assert [status(token(type=...)), status("x"), status(issued + "x")] == [401, 401, 401]


def test_which_tokens_it_recognizes():
    with_issuer = token(iss="https://shop.example")
    assert [old().recognizes(text) for text in (token(), token(iss=None))] == [True, True]
    assert [old().recognizes(text) for text in (with_issuer, "", "a.b.c", "e30.e30.AA", "e30.W10.AA", "x")] == [
        False
    ] * 6
    named = old(issuer="https://shop.example")
    assert [named.recognizes(text) for text in (with_issuer, token())] == [True, False]


def test_issuer_none_is_for_this_profile_only():
    for profile in ("rfc9068", "oidc-compat"):
        with pytest.raises(ConfigurationError, match="issuer must be"):
            old(profile=profile)
    for issuer in ("", " ", 0, False, []):
        with pytest.raises(ConfigurationError, match="issuer must be"):
            old(issuer=issuer)
    with pytest.raises(ConfigurationError, match="issuer=None publishes no keys"):
        JWT(None, audience=None, profile="jwt-extended")
    with pytest.raises(ConfigurationError, match="issuer=None"):
        Issuers(old())


def test_the_log_warns_of_the_short_secret_and_not_of_the_audience(caplog):
    caplog.set_level(logging.INFO, "flask_unauthorized")
    old()
    assert [record.getMessage() for record in caplog.records] == [
        "hmac_key was given a secret of 12 octets, and HS256 needs 32 (RFC 7518 §3.2): anybody who has a token can "
        "find a short secret by trying. Sign new tokens with another secret, and remove this key when the old "
        "tokens have expired"
    ]
    caplog.clear()
    old(keys=hmac_key("x" * 32, allow_short=True))
    assert caplog.records == []


def test_an_empty_secret_is_none():
    for allow_short in (True, False):
        with pytest.raises(ConfigurationError, match="0 octets"):
            hmac_key("", allow_short=allow_short)
    with pytest.raises(TypeError, match="allow_short"):
        hmac_key("short", allow_short="yes")
    with pytest.raises(ConfigurationError, match="12 octets"):
        hmac_key(SECRET)

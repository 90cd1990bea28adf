"""Logout tokens (OpenID Connect Back-Channel Logout 1.0 §2.4 and §2.6): which are valid, and why the others aren't."""

import time

import pytest

from flask_unauthorized import ConfigurationError, ExpiredCredentials, InvalidCredentials
from flask_unauthorized.jose import hmac_key, public_key_pem
from flask_unauthorized.loaders.jwt import JWT
from flask_unauthorized.loaders.logout_tokens import LogoutTokens
from tests.canaries import register
from tests.jose.signing import SECRET, as_json, b64, header, pem, private, signed

ISSUER = "https://id.example.com"
CLIENT = "notes-app"
EVENT = "http://schemas.openid.net/event/backchannel-logout"  # written by hand, from §2.4
NOW = 1_800_000_000


def logout_claims(now=None, **changes):
    """The claims of the standard's own example (§2.4), with an ``exp``; ``...`` takes one away."""
    now = int(time.time()) if now is None else now
    made = {
        "iss": ISSUER,
        "sub": "248289761001",
        "aud": CLIENT,
        "iat": now,
        "exp": now + 120,
        "jti": "bWJq",
        "sid": "08a5019c-17e1-4977-8f42-65a12843ea02",
        "events": {EVENT: {}},
        **changes,
    }
    return {name: value for name, value in made.items() if value is not ...}


def logout_token(typ="logout+jwt", now=None, **changes):
    return signed(header(typ=typ), logout_claims(now, **changes))


def of_provider(**options):
    """Verifies the tokens of a provider whose key is known."""
    return LogoutTokens(ISSUER, **{"audience": CLIENT, "keys": public_key_pem(pem("ES256"), kid="k1"), **options})


def unsigned(algorithm="none", proof=""):
    made = f"{b64(as_json(header(alg=algorithm, typ='logout+jwt')))}.{b64(as_json(logout_claims(NOW)))}.{proof}"
    register(made)
    return made


def confused():
    """Signed by HS256, with the published key as the secret (RFC 8725 §2.1)."""
    head = header(alg="HS256", typ="logout+jwt")
    return signed(head, logout_claims(NOW), algorithm="HS256", key=pem("ES256"))


# What is sent, options, and the whole reason.
FIX = "the issuer has to correct that"
TABLE = {
    "an access token's type": (
        logout_token("at+jwt", NOW), {},
        "typ is 'at+jwt', expected one of ['jwt', 'logout+jwt']: the issuer has to send a token of that type",
    ),
    "a security event of another kind": (
        logout_token("secevent+jwt", NOW), {},
        "typ is 'secevent+jwt', expected one of ['jwt', 'logout+jwt']: the issuer has to send a token of that type",
    ),
    "no type, though it is required": (
        logout_token(..., NOW), {"require_typ": True},
        "typ is absent, expected 'logout+jwt': the issuer has to send a token of that type",
    ),
    "JWT, though a type is required": (
        logout_token("JWT", NOW), {"require_typ": True},
        "typ is 'JWT', expected 'logout+jwt': the issuer has to send a token of that type",
    ),
    "another issuer": (
        logout_token(now=NOW, iss="https://evil.example"), {},
        "iss is 'https://evil.example', expected 'https://id.example.com': issuer= must be the exact text",
    ),
    "another audience": (
        logout_token(now=NOW, aud="other-app"), {},
        "aud is 'other-app', expected 'notes-app': have the issuer name this API, or set audience=",
    ),
    "an audience more": (
        logout_token(now=NOW, aud=[CLIENT, "other-app"]), {},
        "aud also names ['other-app']: audience= must list all that you trust",
    ),
    "expired": (
        logout_token(now=NOW - 1000), {}, "exp has passed 880 s ago and leeway=60: get a new token",
    ),
    "no exp": (
        logout_token(now=NOW, exp=...), {},
        f"exp is absent, expected a number of seconds since 1970 up to the year 9999: {FIX}",
    ),
    "no iat": (
        logout_token(now=NOW, iat=...), {},
        f"iat is absent, expected a number of seconds since 1970 up to the year 9999: {FIX}",
    ),
    "from the future": (
        logout_token(now=NOW, iat=NOW + 90), {},
        "iat lies 90 s in the future and ahead=60: set the clocks right, or ahead=",
    ),
    "for ever": (
        logout_token(now=NOW, exp=253_402_300_000), {},
        "exp lies more than ten years in the future, and jti is kept until then",
    ),
    "no events": (
        logout_token(now=NOW, events=...), {}, f"events is absent, expected an object with {EVENT}",
    ),
    "events in an array": (
        logout_token(now=NOW, events=[EVENT]), {}, f"events is a JSON array, expected an object with {EVENT}",
    ),
    "events as a string": (
        logout_token(now=NOW, events=EVENT), {}, f"events is a JSON string, expected an object with {EVENT}",
    ),
    "another event": (
        logout_token(now=NOW, events={"https://schemas.openid.net/secevent/risc/event-type/account-purged": {}}), {},
        f"events has absent for {EVENT}, expected an object",
    ),
    "an event that isn't an object": (
        logout_token(now=NOW, events={EVENT: True}), {},
        f"events has a JSON boolean for {EVENT}, expected an object",
    ),
    "a nonce": (
        logout_token(now=NOW, nonce="n-0S6_WzA2Mj"), {},
        "the token has a nonce, as an ID token has: a logout token must not",
    ),
    "a nonce that is null": (
        logout_token(now=NOW, nonce=None), {},
        "the token has a nonce, as an ID token has: a logout token must not",
    ),
    "nobody": (
        logout_token(now=NOW, sub=..., sid=...), {},
        f"the token has neither sub nor sid, and must name a user or a session: {FIX}",
    ),
    "sid of another type": (
        logout_token(now=NOW, sid=["a"]), {},
        f"sid is a JSON array, expected a string of 1 to 1024 printable characters: {FIX}",
    ),
    "sub is empty": (
        logout_token(now=NOW, sub=""), {},
        f"sub is empty, expected a string of 1 to 1024 printable characters: {FIX}",
    ),
    "no jti": (
        logout_token(now=NOW, jti=...), {},
        f"jti is absent, expected a string of 1 to 256 printable characters: {FIX}",
    ),
    "HS256 with the public key": (
        confused(), {},
        "alg is 'HS256', expected one of ['ES256', 'Ed25519', 'EdDSA', 'PS256', 'RS256']: "
        "algorithms= names what the issuer may use",
    ),
    "signed by another key": (
        signed(header(typ="logout+jwt"), logout_claims(NOW), key=private("ES256", 1)), {},
        "the signature with kid 'k1' and alg 'ES256' is by none of the keys tried (1), expected one of the keys: "
        "keys= must hold the issuer's keys",
    ),
    "unsigned": (
        unsigned(), {},
        f"a part of the token is empty or longer than allowed (it has 3 parts and {len(unsigned())} characters)",
    ),
    "alg none with a signature": (
        unsigned(proof="AAAA"), {},
        f"the header names no algorithm (alg) (it has 3 parts and {len(unsigned()) + 4} characters)",
    ),
}  # fmt: skip


@pytest.mark.asvs("V10.5.5")
@pytest.mark.parametrize(("token", "options", "reason"), TABLE.values(), ids=TABLE)
def test_what_is_no_valid_logout_token(token, options, reason, monkeypatch):
    for module in ("jwt", "logout_tokens"):
        monkeypatch.setattr(f"flask_unauthorized.loaders.{module}.time", lambda: NOW)
    with pytest.raises(InvalidCredentials) as caught:
        of_provider(**options)(token)
    assert caught.value.reason == reason
    assert isinstance(caught.value, ExpiredCredentials) == reason.startswith("exp has passed")


@pytest.mark.parametrize("typ", ["logout+jwt", "LOGOUT+JWT", "application/logout+jwt", "JWT", ...])
def test_a_type_is_recommended_and_not_demanded(typ):
    """§2.4: "It is RECOMMENDED that Logout Tokens be explicitly typed." Keycloak sends JWT."""
    assert of_provider()(logout_token(typ)).sid == "08a5019c-17e1-4977-8f42-65a12843ea02"


@pytest.mark.parametrize(("options", "valid"), [({}, True), ({"ahead": 0}, False), ({"leeway": 0}, False)], ids=str)
def test_ahead_is_for_iat(options, valid):
    token = logout_token(iat=int(time.time()) + 30)
    if valid:
        assert of_provider(**options)(token).jti == "bWJq"
        return
    with pytest.raises(InvalidCredentials) as caught:
        of_provider(**options)(token)
    assert "in the future and ahead=0" in caught.value.reason


def test_what_a_token_says():
    now = int(time.time())
    found = of_provider()(logout_token(now=now))
    assert (found.subject, found.sid, found.jti) == ("248289761001", "08a5019c-17e1-4977-8f42-65a12843ea02", "bWJq")
    assert found.end == now + 120 + 60  # exp, and the leeway
    assert of_provider()(logout_token(sid=...))[:2] == ("248289761001", None)
    assert of_provider()(logout_token(sub=..., sid="s"))[:2] == (None, "s")
    assert of_provider()(logout_token(sub=None, sid="s"))[:2] == (None, "s")


def test_claims_and_members_that_are_not_understood_are_ignored():
    """§2.4. Keycloak adds a member to ``events`` and a claim ``typ``; Auth0 adds ``trace_id``."""
    events = {EVENT: {"more": 1}, "revoke_offline_access": True}
    assert of_provider()(logout_token(events=events, typ="JWT", trace_id="1", scope="x")).jti == "bWJq"
    assert of_provider()(signed(header(typ="JWT"), logout_claims(typ="Logout"))).jti == "bWJq"


def test_several_client_ids_that_are_all_trusted():
    assert of_provider(audience=[CLIENT, "b"])(logout_token(aud=["b", CLIENT])).jti == "bWJq"


def test_a_provider_that_signs_with_the_client_secret():
    """`id_token_signed_response_alg` may be HS256 (OpenID Connect Core §10.1)."""
    tokens = of_provider(keys=hmac_key(SECRET), algorithms=["HS256"])
    made = signed(header(alg="HS256", typ="logout+jwt", kid=...), logout_claims(), algorithm="HS256", key=SECRET)
    assert tokens(made).jti == "bWJq"


@pytest.mark.asvs("V9.2.2")
def test_a_logout_token_is_no_access_token(make_app):
    """The keys are the same, so only the kind of token keeps a captured logout token from opening an API."""
    keys = public_key_pem(pem("ES256"), kid="k1")
    for profile in ("rfc9068", "oidc-compat"):
        with pytest.raises(InvalidCredentials):
            JWT(ISSUER, audience=CLIENT, keys=keys, profile=profile)(logout_token("JWT"))
    assert not hasattr(LogoutTokens, "recognizes")
    # `profile` of `JWT` has no value for logout tokens.
    with pytest.raises(ConfigurationError):
        JWT(ISSUER, audience=CLIENT, keys=keys, profile="logout-token")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"audience": None}, "audience=None would accept logout tokens for other apps"),
        ({"audience": ()}, "audience must be a text or several"),
        ({"algorithms": ["none"]}, "none"),
        ({"keys": hmac_key(SECRET)}, "none of the keys serves one of algorithms="),
    ],
)
def test_what_cannot_work_is_found_when_it_is_made(options, message):
    with pytest.raises(ConfigurationError, match=message):
        of_provider(**options)
    with pytest.raises(TypeError, match="require_typ must be True or False"):
        of_provider(require_typ="yes")

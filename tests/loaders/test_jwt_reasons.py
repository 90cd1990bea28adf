"""F-18: what the log says of each token that is refused: what came, what was expected, and what would accept it."""

import json
import logging
import time

import pytest

from flask_unauthorized import InvalidCredentials
from flask_unauthorized.jose import hmac_key, public_key_pem
from flask_unauthorized.loaders.jwks import JWKS
from flask_unauthorized.loaders.jwt import ANY, JWT, Issuers
from tests.jose.conftest import jwt
from tests.jose.signing import AUDIENCE, ISSUER, b64, claims, header, jwk, pem, private, signed, token

NOW = 1_800_000_000
TIMES = {"iat": NOW - 10, "exp": NOW + 600}
COMPAT = {"profile": "oidc-compat"}
EXTENDED = {"profile": "jwt-extended", "issuer": None, "audience": None}


@pytest.fixture(autouse=True)
def stopped(monkeypatch):
    monkeypatch.setattr("flask_unauthorized.loaders.jwt.time", lambda: NOW)


def of(**changes):
    return signed(header(), claims(**{**TIMES, **changes}))


def headed(**changes):
    return signed(header(**changes), claims(**TIMES))


def extended(typ="JWT", **changes):
    """A token as Flask-JWT-Extended 4.7.4 writes it, with changes."""
    gone = {"iss": ..., "aud": ..., "client_id": ..., "scope": ...}
    return signed(header(typ=typ), claims(**{**TIMES, **gone, "type": "access", "fresh": False, **changes}))


def forged():
    return signed(header(), claims(**TIMES), key=private("ES256", 1))


# what is sent, the loader's options, and the whole reason
TABLE = {
    "typ": (
        headed(typ="JWT"), {},
        "typ is 'JWT', expected 'at+jwt': profile='oidc-compat' takes it",
    ),
    "typ of no access token": (
        headed(typ="logout+jwt"), COMPAT,
        "typ is 'logout+jwt', expected one of ['at+jwt', 'jwt']: no profile takes such a token",
    ),
    "no typ": (
        headed(typ=...), {},
        "typ is absent, expected 'at+jwt': profile='oidc-compat' takes it",
    ),
    "alg": (
        headed(alg="RS256"), {"algorithms": ["ES256", "ES384"]},
        "alg is 'RS256', expected one of ['ES256', 'ES384']: algorithms= names what the issuer may use",
    ),
    "kid": (
        headed(kid="k2"), {},
        "no key has kid 'k2' and alg 'ES256', expected a key id of ['k1']: keys= must hold the issuer's keys",
    ),
    "signature": (
        forged(), {},
        "the signature with kid 'k1' and alg 'ES256' is by none of the keys tried (1), expected one of the keys: "
        "keys= must hold the issuer's keys",
    ),
    "iss": (
        of(iss="https://other.example"), {},
        f"iss is 'https://other.example', expected '{ISSUER}': issuer= must be the exact text",
    ),
    "iss, long": (
        of(iss="x" * 5000), {},
        f"iss is '{'x' * 61}..., expected '{ISSUER}': issuer= must be the exact text",
    ),
    "aud, many": (
        of(aud=["y" * 30] * 500), {},
        f"aud is [{(repr('y' * 30) + ', ') * 5}'{'y' * 25}..., expected '{AUDIENCE}': have the issuer name this API, "
        "or set audience=",
    ),
    "no iss": (
        of(iss=...), {},
        f"iss is absent, expected '{ISSUER}': the issuer must write it",
    ),
    "aud": (
        of(aud=["account", "web"]), {},
        f"aud is ['account', 'web'], expected '{AUDIENCE}': have the issuer name this API, or set audience=",
    ),
    "aud, one": (
        of(aud="account"), {"audience": ["a", "b"]},
        "aud is 'account', expected one of ['a', 'b']: have the issuer name this API, or set audience=",
    ),
    "no aud": (
        of(aud=...), {},
        f"aud is absent, expected '{AUDIENCE}': have the issuer name this API, or set audience=",
    ),
    "aud that is none": (
        of(aud={"x": 1}), {},
        f"aud is a JSON object, expected '{AUDIENCE}': have the issuer name this API, or set audience=",
    ),
    "exp": (
        of(exp=NOW - 61, iat=NOW - 600), {},
        "exp has passed 61 s ago and leeway=60: get a new token",
    ),
    "no exp": (
        of(exp=...), {},
        "exp is absent, expected a number of seconds since 1970 up to the year 9999: allow_eternal=True does without",
    ),
    "exp that is none": (
        of(exp="soon"), {"allow_eternal": True},
        "exp is a JSON string, expected a number of seconds since 1970 up to the year 9999: the issuer has to correct "
        "that",
    ),
    "no iat": (
        of(iat=...), {},
        "iat is absent, expected a number of seconds since 1970 up to the year 9999: profile='oidc-compat' does "
        "without",
    ),
    "nbf": (
        of(nbf=NOW + 90), {},
        "nbf lies 90 s in the future and ahead=60: set the clocks right, or ahead=",
    ),
    "no cnf": (
        signed(header(alg="ES256"), claims(**TIMES)), {"profile": "fapi2"},
        "cnf is absent, expected the key or certificate that the token is bound to: profile='fapi2' takes no other "
        "tokens, so the issuer must bind them",
    ),
    "typ of a FAPI token": (
        headed(typ="JWT"), {"profile": "fapi2"},
        "typ is 'JWT', expected 'at+jwt': the issuer has to write access tokens of RFC 9068",
    ),
    "no subject of a FAPI token": (
        of(sub=...), {"profile": "fapi2"},
        "sub is absent, expected a string of 1 to 1024 printable characters: the issuer has to correct that",
    ),
    "iat": (
        of(iat=NOW + 90), {"leeway": 30},
        "iat lies 90 s in the future and ahead=30: set the clocks right, or ahead=",
    ),
    "iat after exp": (
        of(iat=NOW, exp=NOW - 10), {},
        "iat is after exp, and must come before it: the issuer has to correct that",
    ),
    "no sub": (
        of(sub=...), {},
        "sub is absent, expected a string of 1 to 1024 printable characters: profile='oidc-compat' takes a token that "
        "names its client alone",
    ),
    "neither sub nor client": (
        of(sub=..., client_id=...), COMPAT,
        "sub is absent, expected a string of 1 to 1024 printable characters: it may be absent only beside one of "
        "['client_id', 'azp', 'cid', 'appid']",
    ),
    "long sub": (
        of(sub="x" * 1025), COMPAT,
        "sub is a string of 1025 characters, expected a string of 1 to 1024 printable characters: it may be absent "
        "only beside one of ['client_id', 'azp', 'cid', 'appid']",
    ),
    "no client": (
        of(client_id=...), {},
        "client_id is absent, expected a string of 1 to 1024 printable characters: profile='oidc-compat' does without",
    ),
    "a client that can't be shown": (
        of(sub=..., client_id="a\nb"), COMPAT,
        "the client's name is not a string of 1 to 1024 printable characters",
    ),
    "no jti": (
        of(jti=...), {},
        "jti is absent, expected a string of 1 to 256 printable characters: profile='oidc-compat' does without",
    ),
    "jti that is none": (
        of(jti=[5]), {},
        "jti is a JSON array, expected a string of 1 to 256 printable characters: the issuer has to correct that",
    ),
    "no jti to look up": (
        of(jti=...), {**COMPAT, "revoked": lambda identity: False},
        "jti is absent, expected a string, because revoked= needs it (or Entra's uti)",
    ),
    "nonce": (
        signed(header(typ="JWT"), claims(**TIMES, nonce="n")), COMPAT,
        "claim 'nonce' marks an ID token: send the access token; the issuer can tell one by the header typ at+jwt, or "
        "the claim typ 'Bearer'",
    ),
    "at_hash": (
        of(at_hash="h"), COMPAT,
        "claim 'at_hash' marks a token of another kind: send the access token",
    ),
    "token_use": (
        of(token_use="id"), COMPAT,
        "claim 'token_use' is 'id', expected 'access': send the access token",
    ),
    "typ in the claims": (
        of(typ="ID"), COMPAT,
        "claim 'typ' is 'ID', expected one of ['at+jwt', 'bearer', 'dpop', 'jwt']: send the access token",
    ),
    "type": (
        of(type="refresh"), COMPAT,
        "claim 'type' is 'refresh', expected none of ['id', 'refresh']: send the access token",
    ),
    "a claim that is required": (
        of(email="ada@example.com"), {"required_claims": {"email": "worker@example.com"}},
        "claim 'email' is a JSON string, expected 'worker@example.com': required_claims= demands it",
    ),
    "a tenant that is required": (
        of(tid="b"), {"required_claims": {"tid": ["a", "c"]}},
        "claim 'tid' is 'b', expected one of ['a', 'c']: required_claims= demands it",
    ),
    "any value that is required": (
        of(), {"required_claims": {"tid": ANY}},
        "claim 'tid' is absent, expected a value: required_claims= demands it",
    ),
    "cnf": (
        of(cnf={"jwe": "x"}), {},
        "cnf is a JSON object, expected an object with one of ['jkt', 'x5t#S256'] and nothing else: no setting skips a "
        "binding",
    ),
    "cnf null": (
        of(cnf=None), {},
        "cnf is null, expected an object with one of ['jkt', 'x5t#S256'] and nothing else: no setting skips a binding",
    ),
    "revoked": (
        of(), {"revoked": lambda identity: True},
        "revoked= returned True, so the token was revoked: get a new one",
    ),
    "no user": (
        of(), {"user": lambda identity: None},
        "user= returned None, so it knows no user for the subject of this token",
    ),
    "the payload": (
        signed(header(), b"[]"), {},
        "the payload is JSON that is not an object, expected a JSON object of claims",
    ),
    "two parts": (
        "a.b", {},
        "the token has not three parts: only the compact form of a signed token is read (it has 2 parts and 3 "
        "characters)",
    ),
    "an opaque token": (
        "0123456789abcdef", {},
        "the token has not three parts: only the compact form of a signed token is read (it has 1 parts and 16 "
        "characters)",
    ),
    "encrypted": (
        "a.b.c.d.e", {},
        "the token has five parts, as an encrypted one (JWE), expected three: have the issuer sign only",
    ),
    "crit": (
        b64(b'{"alg":"ES256","crit":["x"]}') + ".e30.AA", {},
        "the header asks for an extension (crit) (it has 3 parts and 45 characters)",
    ),
    "jwt-extended: an issuer": (
        extended(iss="https://id.example"), EXTENDED,
        "iss is 'https://id.example', expected none: give issuer= that text to take such tokens",
    ),
    "jwt-extended: no type": (
        extended(type=...), EXTENDED,
        "claim 'type' is absent, expected 'access': send the access token. A token of another purpose that the same "
        "secret signed isn't one",
    ),
    "jwt-extended: a refresh token": (
        extended(type="refresh"), EXTENDED,
        "claim 'type' is 'refresh', expected 'access': send the access token. A token of another purpose that the same "
        "secret signed isn't one",
    ),
    "jwt-extended: typ": (
        extended(typ="at+jwt"), EXTENDED,
        "typ is 'at+jwt', expected 'jwt': Flask-JWT-Extended writes no other",
    ),
    "jwt-extended: no typ": (
        extended(typ=...), EXTENDED,
        "typ is absent, expected 'jwt': Flask-JWT-Extended writes no other",
    ),
    "jwt-extended: no jti": (
        extended(jti=...), EXTENDED,
        "jti is absent, expected a string of 1 to 256 printable characters: Flask-JWT-Extended writes it into each "
        "token",
    ),
    "jwt-extended: no iat": (
        extended(iat=...), EXTENDED,
        "iat is absent, expected a number of seconds since 1970 up to the year 9999: Flask-JWT-Extended writes it into "
        "each token",
    ),
    "jwt-extended: sub": (
        extended(sub=True), EXTENDED,
        "sub is a JSON boolean, expected a string of 1 to 1024 printable characters: Flask-JWT-Extended writes it into "
        "each token",
    ),
}  # fmt: skip


def reason(loader, text):
    with pytest.raises(InvalidCredentials) as caught:
        loader(text)
    assert caught.value.error == "invalid_token"  # RFC 9068 §4
    return caught.value.reason


@pytest.mark.rfc("J-10")
@pytest.mark.parametrize(("text", "options", "expected"), TABLE.values(), ids=TABLE)
def test_the_reason(text, options, expected):
    assert reason(jwt(**options), text) == expected


def test_every_place_that_refuses_is_in_the_table():
    """A reason that is added needs a row: the table has each `raise` of these modules."""
    import inspect
    import re

    from flask_unauthorized.loaders import jwt as loader
    from flask_unauthorized.loaders import jwt_claims

    source = inspect.getsource(jwt_claims) + inspect.getsource(loader)
    said = "\n".join(expected for _, _, expected in TABLE.values())
    texts = re.findall(r'(?:_refused\(|reason=)\s*(?:\n\s*)?f?"([^"]*)"', source)
    assert len(texts) >= 12
    for text in texts:
        words = [part for part in re.split(r"\{[^}]*\}", text) if len(part.strip()) > 6]
        assert any(part in said for part in words) or "Issuers" in text or "iss is" in text, text


def test_of_several_issuers():
    both = Issuers(jwt(), JWT("https://b.example", audience=AUDIENCE, keys=public_key_pem(pem("ES256"))))
    assert reason(both, of(iss="https://c.example")) == (
        f"iss is 'https://c.example', expected one of ['{ISSUER}', 'https://b.example']: give Issuers a JWT for it"
    )


def test_of_keys_that_are_published():
    keys = JWKS(
        "https://id.example.com/keys", fetch=lambda url: json.dumps({"keys": [jwk("ES256", kid="k1")]}).encode()
    )
    published = JWT(ISSUER, audience=AUDIENCE, keys=keys)
    assert reason(published, headed(kid="k2")) == (
        "no key has kid 'k2' and alg 'ES256', expected a key id of ['k1']: "
        "get a new token, for the issuer doesn't publish this key, or no longer"
    )
    assert reason(published, forged()) == (
        "the signature with kid 'k1' and alg 'ES256' is by none of the keys tried (1), expected one of the keys: "
        "another server signed the token, or it was changed on its way"
    )


def test_the_log_names_the_issuer_of_a_token_that_no_key_signed():
    other = "https://id.example.com/realms/other"
    stranger = signed(header(kid="k2"), claims(iss=other, **TIMES), key=private("ES256", 1))
    assert reason(jwt(), stranger) == (
        "no key has kid 'k2' and alg 'ES256', expected a key id of ['k1']: "
        f"the token says that it is from '{other}', not from '{ISSUER}'"
    )


@pytest.mark.parametrize(
    "issuer",
    ["hunter2", "https://ada:hunter2@id.example.com", "https://id.example.com/?token=hunter2", "\x1b[2Jhunter2"],
)
def test_the_log_shows_no_issuer_that_is_no_plain_url(issuer):
    stranger = signed(header(kid="k2"), claims(iss=issuer, **TIMES), key=private("ES256", 1))
    assert reason(jwt(), stranger) == (
        "no key has kid 'k2' and alg 'ES256', expected a key id of ['k1']: "
        f"the token says that it is from another issuer, not from '{ISSUER}'"
    )


def test_of_a_secret_without_a_key_id():
    loader = JWT(ISSUER, audience=AUDIENCE, keys=hmac_key("k" * 32), algorithms=["HS256"])
    forged_by_a_thief = signed(header(alg="HS256", kid=...), claims(**TIMES), key=b"t" * 32, algorithm="HS256")
    assert reason(loader, forged_by_a_thief) == (
        "the signature with kid absent and alg 'HS256' is by none of the keys tried (1), expected one of the keys: "
        "keys= must hold the issuer's keys"
    )


def test_of_keys_of_ones_own():
    class Own:
        def candidates(self, kid, algorithm):
            return ()

    assert reason(jwt(keys=Own()), headed(kid=...)) == (
        "no key has kid absent and alg 'ES256', expected one of the keys: keys= must hold the issuer's keys"
    )


LONG = "x" * 5000
EVIL = "a\r\nrefused admin: \x1b[31m\u202e\ud7ff"


@pytest.mark.parametrize(
    "text",
    [
        headed(typ=LONG), headed(kid=LONG[:250]), headed(alg=LONG), of(iss=LONG), of(aud=LONG), of(aud=[LONG] * 50),
        of(aud=[f"https://{n}.example" for n in range(500)]), headed(typ=EVIL), headed(kid=EVIL), headed(alg=EVIL),
        of(iss=EVIL), of(aud=EVIL), of(aud=[EVIL]), of(client_id=EVIL), of(jti=EVIL), of(sub=EVIL),
    ],
    ids=range(16),
)  # fmt: skip
def test_what_came_is_cut_and_printable(text):
    said = reason(jwt(), text)
    assert len(said) < 700
    assert said.isascii()
    assert said.isprintable()


def test_no_reason_holds_a_value_that_is_none_of_a_name(behind, caplog):
    secret = "s3cret-of-ada"
    caplog.set_level(logging.DEBUG)
    app = behind(jwt(required_claims={"email": "x"}, roles_claim="groups"))
    for changes in (
        {"sub": [secret]}, {"sub": f"{secret}\n"}, {"exp": secret}, {"nbf": secret}, {"iat": secret}, {"jti": [secret]},
        {"cnf": {secret: secret}}, {"cnf": secret}, {"email": secret}, {"email": [secret]}, {"scope": secret},
        {"aud": {"x": secret}}, {"client_id": [secret]}, {"groups": [{"name": secret}], "email": "x"},
    ):  # fmt: skip
        text = token(**changes)
        response = app.get(text)
        assert response.status_code == 401
        assert secret not in f"{response.text}{response.headers}{caplog.text}"
        assert text not in caplog.text
        assert text.rpartition(".")[2] not in caplog.text


def test_the_log_of_a_request_holds_value_expectation_and_setting(behind, caplog):
    caplog.set_level(logging.INFO, "flask_unauthorized")
    now = int(time.time())
    text = signed(header(typ="JWT"), claims(iat=now, exp=now + 60))
    behind(jwt()).refuses(text)
    (said,) = [record.getMessage() for record in caplog.records if record.getMessage().startswith("refused")]
    assert said.endswith("(typ is 'JWT', expected 'at+jwt': profile='oidc-compat' takes it)")

"""The rules of the FAPI 2.0 Security Profile for resource servers, against the program of docs/guides/fapi.md.

Issuer and client are `Holder` of `tests.dpop_client`, which signs with ``cryptography`` and shares no code with the
package. Numbers of paragraphs are those of the FAPI 2.0 Security Profile unless another standard is named.
"""

import base64
import hashlib
import json
import logging
import re
import time
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from flask_unauthorized import Auth, Bearer, ConfigurationError, DPoP, Identity, InvalidCredentials, Scheme
from flask_unauthorized.jose import public_key_jwk, public_key_pem
from flask_unauthorized.loaders.jwks import JWKS
from flask_unauthorized.loaders.jwt import JWT
from flask_unauthorized.wire import Challenge
from tests.canaries import register
from tests.dpop_client import GONE, Holder, b64, dump, number
from tests.helpers import challenges_of

ISSUER, API = "https://id.example.com", "https://api.example.com"
NOW = 1_800_000_000
DER = b"a certificate in DER"
PAGE = Path(__file__).parents[1] / "docs" / "guides" / "fapi.md"
KEYS = {name: Holder(name) for name in ("ES256", "PS256", "EdDSA", "RS256", "ES384")}
"""The keys of the authorization server, by algorithm."""
CLIENT, THIEF = Holder("ES256"), Holder("ES256")


def published(holder, kid):
    return {**holder.jwk, "kid": kid}


def access_token(by="ES256", *, key=None, header=None, **changes):
    """A token for `CLIENT` as RFC 9068 §2 describes it, bound as RFC 9449 §6.1 does; `GONE` removes a claim."""
    holder = key or KEYS[by]
    head = {"typ": "at+jwt", "alg": by, "kid": by, **(header or {})}
    claims = {
        "iss": ISSUER, "aud": API, "sub": "ada", "client_id": "bank", "jti": "t1", "iat": NOW - 600, "exp": NOW + 600,
        "scope": "accounts", "cnf": {"jkt": CLIENT.jkt}, **changes,
    }  # fmt: skip
    parts = [{name: value for name, value in part.items() if value is not GONE} for part in (head, claims)]
    signed = ".".join(b64(dump(part)) for part in parts)
    made = f"{signed}.{b64(holder.sign(signed.encode()))}"
    register(made)
    return made


@pytest.fixture
def stopped(monkeypatch):
    """All clocks stand still; the setter turns them."""
    now = [float(NOW)]
    monkeypatch.setattr(time, "time", lambda: now[0])
    monkeypatch.setattr("flask_unauthorized.loaders.jwt.time", lambda: now[0])
    return now


def serve_keys(monkeypatch, keys):
    """Stand for the authorization server: its metadata (RFC 8414) and its keys."""
    pages = {
        f"{ISSUER}/.well-known/oauth-authorization-server": {"issuer": ISSUER, "jwks_uri": f"{ISSUER}/keys"},
        f"{ISSUER}/.well-known/openid-configuration": {"issuer": ISSUER, "jwks_uri": f"{ISSUER}/keys"},
        f"{ISSUER}/keys": {"keys": keys},
    }
    monkeypatch.setattr(
        "flask_unauthorized.http_client.client.Fetcher.get",
        lambda self, url, **options: json.dumps(pages[url]).encode(),
    )


class Server:
    """The program of the page, and requests to it over HTTPS."""

    def __init__(self, scope):
        self.scope = scope
        self.app = scope["app"]

    def send(self, headers=None, path="/accounts", *, method="GET", base_url=API, **given):
        return self.app.test_client().open(path, method=method, base_url=base_url, headers=headers, **given)

    def ask(self, token=None, *, holder=CLIENT, path="/accounts", method="GET", **proof):
        token = access_token() if token is None else token
        return self.send(holder.sent(token=token, path=path, method=method, **proof), path, method=method)


@pytest.fixture
def server(tmp_path, monkeypatch, stopped):
    serve_keys(monkeypatch, [published(holder, name) for name, holder in KEYS.items()])
    monkeypatch.chdir(tmp_path)
    program = re.search(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)[1]
    scope = {"__name__": "app"}
    exec(compile(program, "app.py", "exec"), scope)
    yield Server(scope)
    scope["store"].close()


def error_of(response):
    ((scheme, params),) = challenges_of(response)
    assert scheme.lower() == "dpop"
    return params.get("error")


def assert_refused(response, error="invalid_token"):
    assert (response.status_code, error_of(response)) == (401, error)


# --- §5.3.4 (1) and (2): where the token is


@pytest.mark.asvs("FAPI-5.3.4-1")
def test_a_bound_token_with_its_proof_is_accepted(server):
    response = server.ask()
    assert (response.status_code, response.json) == (200, {"owner": "ada"})


def test_no_token_is_401_without_an_error_code(server):
    """RFC 6750 §3.1: no error code if the request lacks any authentication information."""
    assert_refused(server.send(), None)


@pytest.mark.asvs("FAPI-5.3.4-2")
@pytest.mark.parametrize("with_proof", [False, True])
def test_a_token_in_the_query_is_none(server, with_proof):
    token = access_token()
    headers = {"DPoP": CLIENT.proof(token=token, path="/accounts")} if with_proof else {}
    assert_refused(server.send(headers, f"/accounts?access_token={token}"), None)


@pytest.mark.asvs("FAPI-5.3.4-1")
def test_a_token_in_a_form_is_none(server):
    token = access_token(scope="payments")
    proof = {"DPoP": CLIENT.proof(token=token, path="/payments", method="POST")}
    response = server.send(proof, "/payments", method="POST", data={"access_token": token})
    assert_refused(response, None)


# --- §5.3.4 (3): validity, integrity, expiration, revocation


def changed():
    head, _, signature = access_token().split(".")
    claims = access_token(sub="mallory").split(".")[1]
    return f"{head}.{claims}.{signature}"


INVALID = {
    "changed claims": changed,
    "junk": lambda: "junk",
    "three parts of junk": lambda: "a.b.c",
    "signed by another key": lambda: access_token(key=THIEF),
    "an unknown key id": lambda: access_token(header={"kid": "other"}),
    "an ID token": lambda: access_token(header={"typ": "JWT"}),
    "no type": lambda: access_token(header={"typ": GONE}),
    "another audience": lambda: access_token(aud="https://other.example.com"),
    "no audience": lambda: access_token(aud=GONE),
    "another issuer": lambda: access_token(iss="https://evil.example.com"),
    "no issuer": lambda: access_token(iss=GONE),
    "no subject": lambda: access_token(sub=GONE),
    "no end": lambda: access_token(exp=GONE),
    "expired long ago": lambda: access_token(exp=NOW - 3600, iat=NOW - 7200),
    # §5.4.1: PS256, ES256 and EdDSA (Ed25519) only, never none.
    "RS256": lambda: access_token("RS256"),
    "ES384": lambda: access_token("ES384"),
    "none": lambda: access_token(header={"alg": "none"}).rpartition(".")[0] + ".",
    "none with a signature": lambda: access_token(header={"alg": "none"}),
    "HS256": lambda: access_token(header={"alg": "HS256"}),
    # §5.3.4 (5): the token must be bound.
    "no cnf": lambda: access_token(cnf=GONE),
    "cnf is null": lambda: access_token(cnf=None),
    "an empty cnf": lambda: access_token(cnf={}),
    "cnf is a string": lambda: access_token(cnf=CLIENT.jkt),
    "cnf of an unknown kind": lambda: access_token(cnf={"kid": "1"}),
    "cnf of another key": lambda: access_token(cnf={"jkt": THIEF.jkt}),
    "bound to a certificate": lambda: access_token(cnf={"x5t#S256": "A" * 43}),
}


@pytest.mark.asvs("FAPI-5.3.4-3", "FAPI-5.4.1-1a", "V11.6.1")
@pytest.mark.parametrize("make", INVALID.values(), ids=INVALID)
def test_an_invalid_token_is_401_though_the_proof_is_valid(server, make):
    assert_refused(server.ask(make()))


@pytest.mark.parametrize("algorithm", ["ES256", "PS256", "EdDSA"])
def test_the_three_algorithms_are_accepted(server, algorithm):
    assert server.ask(access_token(algorithm)).status_code == 200


def test_ed25519_is_accepted_by_its_new_name(server):
    """RFC 9864 §2.2: Ed25519 is EdDSA with that curve."""
    token = access_token("EdDSA", header={"alg": "Ed25519"})
    assert server.ask(token).status_code == 200


@pytest.mark.asvs("FAPI-5.3.4-3")
def test_a_revoked_token_is_401(server):
    assert server.ask().status_code == 200
    server.scope["revocations"].revoke(Identity("ada", claims={"iss": ISSUER, "jti": "t1"}, expires_at=NOW + 600))
    assert_refused(server.ask())
    assert server.ask(access_token(jti="t2")).status_code == 200


TIMES = {
    # RFC 7519 §4.1.4: on or after exp the token must not be accepted.
    "exp 1 s ahead": ({"exp": NOW + 1}, 200),
    "exp now": ({"exp": NOW}, 401),
    "exp 1 s ago": ({"exp": NOW - 1}, 401),
    # §5.3.2.1: 0 to 10 s ahead must be accepted, more than 60 s refused.
    "iat now": ({"iat": NOW}, 200),
    "iat 10 s ahead": ({"iat": NOW + 10}, 200),
    "iat 11 s ahead": ({"iat": NOW + 11}, 401),
    "iat 61 s ahead": ({"iat": NOW + 61}, 401),
    "nbf now": ({"nbf": NOW}, 200),
    "nbf 10 s ahead": ({"nbf": NOW + 10}, 200),
    "nbf 11 s ahead": ({"nbf": NOW + 11}, 401),
    "nbf 61 s ahead": ({"nbf": NOW + 61}, 401),
}


@pytest.mark.asvs("FAPI-clocks", "V9.2.1")
@pytest.mark.parametrize(("claims", "status"), TIMES.values(), ids=TIMES)
def test_times_of_the_token_at_their_edges(server, claims, status):
    assert server.ask(access_token(**claims)).status_code == status


# --- §5.3.4 (4): enough authorization


@pytest.mark.asvs("FAPI-5.3.4-4")
def test_a_missing_scope_is_403(server):
    """RFC 6750 §3.1, insufficient_scope."""
    response = server.ask(path="/payments", method="POST")
    assert response.status_code == 403
    ((scheme, params),) = challenges_of(response)
    assert (scheme.lower(), params["error"], params["scope"]) == ("dpop", "insufficient_scope", "payments")


def test_the_scope_is_enough(server):
    token = access_token(scope="payments accounts")
    assert server.ask(token, path="/payments", method="POST").json == {"payer": "ada"}


# --- §5.3.4 (5): the sender has the key


@pytest.mark.asvs("FAPI-5.3.4-5a")
def test_a_bound_token_as_bearer_is_401(server):
    """RFC 9449 §7.1: the scheme is DPoP. The app has no Bearer, so there are no credentials."""
    assert_refused(server.send({"Authorization": f"Bearer {access_token()}"}), None)


def test_a_token_without_a_proof_is_401(server):
    assert_refused(server.send({"Authorization": f"DPoP {access_token()}"}), "invalid_dpop_proof")


@pytest.mark.asvs("FAPI-5.3.4-5a")
def test_a_proof_by_another_key_is_401(server):
    assert_refused(server.ask(holder=THIEF))


def test_a_proof_counts_once(server):
    token = access_token()
    sent = CLIENT.sent(token=token, path="/accounts")
    assert server.send(sent).status_code == 200
    assert_refused(server.send(sent), "invalid_dpop_proof")


@pytest.mark.asvs("FAPI-clocks")
@pytest.mark.parametrize(
    ("offset", "status"), [(-60, 200), (-61, 401), (0, 200), (10, 200), (11, 401)], ids=lambda value: str(value)
)
def test_the_time_of_the_proof_at_its_edges(server, offset, status):
    """RFC 9449 §11.1 leaves the window to the server; §5.3.2.1 asks for 10 s ahead."""
    assert server.ask(iat=NOW + offset).status_code == status


OTHER_RSA = Holder("RS256")
PROOFS = {
    # RFC 9449 §4.3, as the negative tests of the OpenID conformance suite change a proof.
    "another typ": {"header": {"typ": "jwt"}},
    "no typ": {"header": {"typ": GONE}},
    "none": {"header": {"alg": "none"}},
    "HS256": {"header": {"alg": "HS256"}},
    "no alg": {"header": {"alg": GONE}},
    "no jwk": {"header": {"jwk": GONE}},
    "a private key in jwk": {
        "header": {"jwk": {**CLIENT.jwk, "d": number(CLIENT.key.private_numbers().private_value, 32)}}
    },
    "another method": {"htm": "POST"},
    "no method": {"htm": GONE},
    "another URI": {"htu": f"{API}/payments"},
    "another host": {"htu": "https://evil.example.com/accounts"},
    "plain http": {"htu": "http://api.example.com/accounts"},
    "no URI": {"htu": GONE},
    "no time": {"iat": GONE},
    "the time as a string": {"iat": str(NOW)},
    "no jti": {"jti": GONE},
    "no ath": {"ath": GONE},
    "ath of another token": {"ath": b64(b"x" * 32)},
    "signed by another key": {"sign": THIEF.sign},
    "junk as signature": {"sign": lambda octets: b"x" * 64},
}


@pytest.mark.parametrize("changes", PROOFS.values(), ids=PROOFS)
def test_an_invalid_proof_is_401(server, changes):
    assert_refused(server.ask(**changes), "invalid_dpop_proof")


@pytest.mark.asvs("FAPI-5.4.1-1a", "FAPI-5.4.1-1b")
@pytest.mark.parametrize("algorithm", ["RS256", "ES384"])
def test_proofs_by_other_algorithms_are_401(server, algorithm):
    """§5.4.1 holds for proofs, too."""
    holder = KEYS[algorithm]
    token = access_token(cnf={"jkt": holder.jkt})
    assert_refused(server.ask(token, holder=holder), "invalid_dpop_proof")


def test_two_proofs_are_401(server):
    """RFC 9449 §4.3 (1): there is not more than one DPoP field."""
    token = access_token()
    sent = CLIENT.sent(token=token, path="/accounts")
    response = server.send([*sent.items(), ("DPoP", CLIENT.proof(token=token, path="/accounts"))])
    assert_refused(response, "invalid_dpop_proof")


def test_the_scheme_in_odd_case_is_accepted(server):
    """RFC 9110 §11.1: names of schemes are case-insensitive."""
    sent = CLIENT.sent(token=access_token(), path="/accounts")
    assert server.send({**sent, "Authorization": sent["Authorization"].replace("DPoP", "dPoP")}).status_code == 200


# --- §5.2.1: TLS


@pytest.mark.asvs("FAPI-5.2.1")
def test_plain_http_is_403_without_a_challenge(server):
    sent = CLIENT.sent(token=access_token(), path="/accounts")
    response = server.send(sent, base_url="http://api.example.com", environ_base={"REMOTE_ADDR": "192.0.2.7"})
    assert (response.status_code, response.headers.getlist("WWW-Authenticate")) == (403, [])


# --- nonces (RFC 9449 §9)


@pytest.mark.asvs("FAPI-nonces")
def test_a_nonce_of_the_server(make_app, stopped):
    loader = JWT(ISSUER, audience=API, keys=[public_key_jwk(KEYS["ES256"].jwk)], profile="fapi2")
    auth = Auth(DPoP(loader, origin=API, nonce=True), bound_only=True)
    app = make_app(auth, SECRET_KEY="a secret of thirty-two characters")
    app.add_url_rule("/", view_func=auth.login_required(lambda: "in"))
    token = access_token(header={"kid": GONE})
    first = app.test_client().get("/", base_url=API, headers=CLIENT.sent(token=token))
    assert_refused(first, "use_dpop_nonce")
    nonce = first.headers["DPoP-Nonce"]
    assert app.test_client().get("/", base_url=API, headers=CLIENT.sent(token=token, nonce=nonce)).status_code == 200
    invented = app.test_client().get("/", base_url=API, headers=CLIENT.sent(token=token, nonce="invented"))
    assert_refused(invented, "use_dpop_nonce")


# --- what contradicts the profile


CONTRADICTIONS = {
    "RS256": ({"algorithms": ("RS256",)}, "algorithms names RS256"),
    "RS256 beside ES256": ({"algorithms": ("ES256", "RS256", "ES384")}, "algorithms names ES384, RS256"),
    "HS256": ({"algorithms": ("HS256",)}, "algorithms names HS256"),
    "leeway": ({"leeway": 61}, "leeway=61"),
    "ahead too short": ({"ahead": 9}, "ahead=9"),
    "ahead too long": ({"ahead": 61}, "ahead=61"),
    "any audience": ({"audience": None}, "audience=None"),
    "no end": ({"allow_eternal": True}, "allow_eternal=True"),
    "no issuer": ({"issuer": None}, "issuer"),
}


@pytest.mark.parametrize(("given", "named"), CONTRADICTIONS.values(), ids=CONTRADICTIONS)
def test_a_setting_that_contradicts_the_profile_is_named(given, named):
    options = {"audience": API, "keys": [public_key_jwk(KEYS["ES256"].jwk)], **given}
    with pytest.raises(ConfigurationError) as caught:
        JWT(options.pop("issuer", ISSUER), profile="fapi2", **options)
    assert str(caught.value).startswith(named)


def test_settings_within_the_profile_are_taken(stopped):
    key = public_key_jwk(KEYS["PS256"].jwk)
    loader = JWT(
        ISSUER, audience=API, keys=[key], profile="fapi2", algorithms=["PS256"], leeway=60, ahead=60, min_rsa_bits=2048
    )
    late, early = {"exp": NOW - 59}, {"nbf": NOW + 60, "iat": NOW + 60}
    for claims in (late, early):
        assert loader(access_token("PS256", header={"kid": GONE}, **claims)).subject == "ada"
    with pytest.raises(InvalidCredentials):
        loader(access_token("ES256", header={"kid": GONE}))


# --- leeway and ahead, for each profile


def loader_of(name="ES256", **options):
    return JWT(ISSUER, audience=API, keys=[public_key_jwk(KEYS[name].jwk)], **options)


@pytest.mark.asvs("FAPI-5.3.4-5a")
@pytest.mark.parametrize("cnf", [GONE, None, {}, {"other": "x"}])
def test_the_profile_rejects_a_token_that_is_bound_to_nothing(stopped, cnf):
    """Whatever scheme asks the loader, also one that proves no keys."""
    load = loader_of(profile="fapi2")
    assert load(access_token()).confirmation == {"jkt": CLIENT.jkt}
    with pytest.raises(InvalidCredentials) as caught:
        load(access_token(cnf=cnf))
    assert "cnf" in caught.value.reason


CLOCKS = [
    # The default of both is 60, and `ahead` follows `leeway`.
    ({}, {"exp": NOW - 59}, True), ({}, {"exp": NOW - 60}, False),
    ({}, {"nbf": NOW + 60}, True), ({}, {"nbf": NOW + 61}, False),
    ({"leeway": 5}, {"nbf": NOW + 5}, True), ({"leeway": 5}, {"iat": NOW + 6}, False),
    # Set apart, each counts for its own claims.
    ({"leeway": 0, "ahead": 30}, {"exp": NOW}, False), ({"leeway": 0, "ahead": 30}, {"exp": NOW + 1}, True),
    ({"leeway": 0, "ahead": 30}, {"nbf": NOW + 30}, True), ({"leeway": 0, "ahead": 30}, {"nbf": NOW + 31}, False),
    ({"leeway": 0, "ahead": 30}, {"iat": NOW + 30}, True), ({"leeway": 0, "ahead": 30}, {"iat": NOW + 31}, False),
    ({"leeway": 30, "ahead": 0}, {"exp": NOW - 29}, True), ({"leeway": 30, "ahead": 0}, {"exp": NOW - 30}, False),
    ({"leeway": 30, "ahead": 0}, {"nbf": NOW}, True), ({"leeway": 30, "ahead": 0}, {"nbf": NOW + 1}, False),
]  # fmt: skip


@pytest.mark.asvs("FAPI-clocks", "V9.2.1")
@pytest.mark.parametrize(("options", "claims", "valid"), CLOCKS, ids=str)
def test_leeway_is_for_exp_and_ahead_for_nbf_and_iat(stopped, options, claims, valid):
    loader, token = loader_of(**options), access_token(header={"kid": GONE}, **claims)
    if valid:
        assert loader(token).subject == "ada"
        return
    with pytest.raises(InvalidCredentials):
        loader(token)


@pytest.mark.parametrize("ahead", [-1, 3601])
def test_ahead_out_of_range(ahead):
    with pytest.raises(ConfigurationError, match="ahead"):
        loader_of(ahead=ahead)


def test_a_long_ahead_is_named_in_the_log(caplog):
    loader_of(ahead=301)
    assert ["ahead=301" in message for message in caplog.messages] == [True]


# --- the size of keys


SHORT, LONG = Holder("PS256", bits=2048), Holder("PS256", bits=3072)


def test_a_short_key_that_is_given_is_a_mistake():
    with pytest.raises(ConfigurationError, match="2048 bits, and min_rsa_bits=3072"):
        JWT(ISSUER, audience=API, keys=[public_key_jwk(SHORT.jwk)], min_rsa_bits=3072)
    JWT(ISSUER, audience=API, keys=[public_key_jwk(LONG.jwk), public_key_jwk(CLIENT.jwk)], min_rsa_bits=3072)


def pem_of(bits):
    public = rsa.generate_private_key(65537, bits).public_key()
    return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


@pytest.mark.asvs("V11.2.3", "FAPI-5.4.1-2")
def test_keys_one_bit_short():
    """§5.4.1: 2048 bits at least. A signature by 2047 bits is as long as one by 2048.

    OpenSSL makes odd sizes one bit shorter at times.
    """
    with pytest.raises(ConfigurationError, match=r"204[67] bits"):
        public_key_pem(pem_of(2047))
    nearly = public_key_pem(pem_of(3071))
    with pytest.raises(ConfigurationError, match=r"307[01] bits, and min_rsa_bits=3072"):
        JWT(ISSUER, audience=API, keys=nearly, min_rsa_bits=3072)


def fetched(*holders, **options):
    keys = [published(holder, f"k{place}") for place, holder in enumerate(holders)]
    source = JWKS(f"{ISSUER}/keys", fetch=lambda url: json.dumps({"keys": keys}).encode())
    return JWT(ISSUER, audience=API, keys=source, profile="fapi2", **options)


@pytest.mark.asvs("V11.2.3")
def test_a_short_key_that_is_fetched_does_not_count(stopped, caplog):
    loader = fetched(SHORT, LONG, CLIENT, min_rsa_bits=3072)
    for kid, holder, name in (("k1", LONG, "PS256"), ("k2", CLIENT, "ES256"), (GONE, LONG, "PS256")):
        assert loader(access_token(name, key=holder, header={"kid": kid})).subject == "ada"
    for kid in ("k0", GONE):
        with pytest.raises(InvalidCredentials) as caught:
            loader(access_token("PS256", key=SHORT, header={"kid": kid}))
        assert "RSA keys below min_rsa_bits=3072 don't count" in caught.value.reason
    named = [message for message in caplog.messages if "min_rsa_bits=3072" in message]
    assert [("'k0'" in text, "2048 bits" in text) for text in named] == [(True, True)]


def test_short_keys_do_not_use_up_the_limit(stopped):
    """Four keys at most are tried for a token without a key id: four that count."""
    loader = fetched(*[Holder("PS256", bits=2048) for _ in range(4)], LONG, min_rsa_bits=3072)
    assert loader(access_token("PS256", key=LONG, header={"kid": GONE})).subject == "ada"


def test_a_short_key_that_was_replaced_under_its_id_is_fetched(stopped):
    sets = [[published(SHORT, "k")], [published(LONG, "k")]]
    source = JWKS(f"{ISSUER}/keys", fetch=lambda url: json.dumps({"keys": sets.pop(0)}).encode())
    loader = JWT(ISSUER, audience=API, keys=source, profile="fapi2", min_rsa_bits=3072)
    assert loader(access_token("PS256", key=LONG, header={"kid": "k"})).subject == "ada"


@pytest.mark.asvs("FAPI-5.4.1-2")
def test_2047_bits_that_are_fetched_do_not_count(stopped):
    small = Holder("PS256", bits=2047)
    loader = fetched(small, CLIENT)
    assert loader(access_token(key=CLIENT, header={"kid": "k1"})).subject == "ada"
    with pytest.raises(InvalidCredentials):
        loader(access_token("PS256", key=small, header={"kid": "k0"}))


@pytest.mark.asvs("FAPI-5.4.3")
def test_two_keys_of_one_name_both_count(stopped):
    """§5.4.3: keys of one set may share a kid."""
    keys = [published(holder, "k0") for holder in (CLIENT, THIEF)]
    source = JWKS(f"{ISSUER}/keys", fetch=lambda url: json.dumps({"keys": keys}).encode())
    loader = JWT(ISSUER, audience=API, keys=source, profile="fapi2")
    for holder in (CLIENT, THIEF):
        assert loader(access_token(key=holder, header={"kid": "k0"})).subject == "ada"
    with pytest.raises(InvalidCredentials):
        loader(access_token(key=Holder("ES256"), header={"kid": "k0"}))


def test_long_keys_serve_cached_tokens(stopped):
    loader = fetched(SHORT, LONG, min_rsa_bits=3072, cache_size=10)
    token = access_token("PS256", key=LONG, header={"kid": "k1"})
    assert [loader(token).subject, loader(token).subject] == ["ada", "ada"]


@pytest.mark.parametrize("bits", [2047, 4097, 0, -1])
def test_min_rsa_bits_out_of_range(bits):
    with pytest.raises(ConfigurationError, match=f"min_rsa_bits={bits}"):
        loader_of(min_rsa_bits=bits)


@pytest.mark.parametrize("bits", [None, "3072", 3072.0, True])
def test_min_rsa_bits_of_another_type(bits):
    with pytest.raises(TypeError, match="min_rsa_bits"):
        loader_of(min_rsa_bits=bits)


# --- Auth(bound_only=True)

BOUND = {
    "to the key": Identity("ada", confirmation={"jkt": CLIENT.jkt}),
    "to nothing": Identity("ada"),
    "bare": "ada",
    "to the certificate": Identity("ada", confirmation={"x5t#S256": "V3NMz2GFGfVuDg0XVDC4Dr-aL-0BnRFQg9qZAa0vYQY"}),
}


class Proving(Scheme):
    """A scheme of an app that takes OAuth tokens, and whose proof says yes to everything."""

    name = "Own"
    oauth = True

    def __init__(self, identity):
        super().__init__()
        self.identity = identity

    def read(self, request, rest):
        return rest

    def verify(self, credentials, request):
        return self.identity

    def prove(self, identity, credentials, request):
        pass

    def challenges(self, realm, error, request):
        return (Challenge("Own", {"realm": realm}),)


def test_an_empty_confirmation_is_refused_by_schemes_without_proof(make_app):
    found = Identity("ada", confirmation={})
    assert asked(make_app, Bearer(lambda token: found), bound_only=None).status_code == 401


class Proofless(Proving):
    prove = Scheme.prove


def asked(make_app, scheme, bound_only=True):
    auth = Auth(scheme, bound_only=bound_only)
    app = make_app(auth)
    app.add_url_rule("/", view_func=auth.login_required(lambda: "in"))
    return app.test_client().get("/", headers={"Authorization": f"{scheme.name} token"})


@pytest.mark.asvs("FAPI-5.3.4-5b", "V10.3.5")
@pytest.mark.parametrize("name", BOUND)
def test_bearer_takes_only_what_is_bound_to_the_certificate(make_app, name):
    thumbprint = base64.urlsafe_b64encode(hashlib.sha256(DER).digest()).rstrip(b"=").decode()
    found = BOUND[name]
    if name == "to the certificate":
        found = Identity("ada", confirmation={"x5t#S256": thumbprint})
    response = asked(make_app, Bearer(lambda token: found, certificate=lambda request: DER))
    assert response.status_code == (200 if name == "to the certificate" else 401)


def test_a_certificate_alone_demands_nothing_of_unbound_tokens(make_app):
    response = asked(make_app, Bearer(lambda token: "ada", certificate=lambda request: DER), bound_only=None)
    assert response.status_code == 200


@pytest.mark.parametrize(("found", "status"), [
    (BOUND["to the key"], 200), (BOUND["to nothing"], 401), ("ada", 401), (Identity("ada", confirmation={}), 401),
])  # fmt: skip
def test_schemes_of_the_app_refuse_unbound_identities(make_app, found, status):
    assert asked(make_app, Proving(found)).status_code == status
    assert asked(make_app, Proving(found), bound_only=None).status_code == 200


@pytest.mark.asvs("FAPI-5.3.4-5a", "V10.3.5")
def test_schemes_that_prove_nothing_are_a_mistake():
    for scheme, text in ((Bearer({}.get), "certificate="), (Proofless("ada"), "Proofless has no prove()")):
        with pytest.raises(ConfigurationError, match=re.escape(text)):
            Auth(DPoP({}.get, origin=API), scheme, bound_only=True)
    with pytest.raises(TypeError, match="bound_only"):
        Auth(DPoP({}.get, origin=API), bound_only="yes")


def test_a_scheme_of_another_auth_is_not_changed():
    bearer = Bearer({}.get, certificate=lambda request: DER)
    Auth(bearer)
    with pytest.raises(ConfigurationError, match="belongs to another Auth"):
        Auth(bearer, bound_only=True)
    assert not bearer.bound_only
    own = Bearer({}.get, certificate=lambda request: DER, bound_only=True)
    Auth(own)
    Auth(own, bound_only=True)


def document(make_app, *schemes, **options):
    auth = Auth(*schemes, **options)
    auth.protected_resource(API, authorization_servers=[ISSUER])
    app = make_app(auth)
    app.add_url_rule("/", view_func=auth.login_required(lambda: "in"))
    return app.test_client().get("/.well-known/oauth-protected-resource", base_url=API).json


def test_the_metadata_says_which_binding_is_required(make_app):
    """RFC 9728 §2: required means that access tokens bound by DPoP are always required."""
    flags = ("dpop_bound_access_tokens_required", "tls_client_certificate_bound_access_tokens")

    def certificate(request):
        return DER

    def told(*schemes, **options):
        found = document(make_app, *schemes, **options)
        return tuple(found.get(flag, False) for flag in flags)

    assert told(DPoP({}.get, origin=API), bound_only=True) == (True, False)
    assert told(Bearer({}.get, certificate=certificate), bound_only=True) == (False, True)
    both = DPoP({}.get, origin=API), Bearer({}.get, certificate=certificate)
    assert told(*both, bound_only=True) == (False, True)
    assert told(DPoP({}.get, origin=API), Bearer({}.get), bound_only=False) == (False, False)


# --- the warning of the check


def warnings_of(caplog, make_app, *schemes, via=None, guard=True, **options):
    auth = Auth(*schemes, **options)
    app = make_app(auth)
    if guard:
        app.add_url_rule("/", "notes", auth.login_required(via=via)(lambda: "in"))
    with caplog.at_level(logging.WARNING, "flask_unauthorized"):
        auth.check(app)
        auth.check(app)
    return [record.getMessage() for record in caplog.records if "bound to no key" in record.getMessage()]


def test_a_plain_bearer_beside_dpop_is_named_once(caplog, make_app):
    (text,) = warnings_of(caplog, make_app, DPoP({}.get, origin=API), Bearer({}.get))
    assert text.startswith("endpoint 'notes' accepts tokens of Bearer that are bound to no key, beside those of DPoP")
    assert "bound_only=True" in text
    assert "via=" in text


def test_a_certificate_without_bound_only_is_named(caplog, make_app):
    assert warnings_of(caplog, make_app, DPoP({}.get, origin=API), Bearer({}.get, certificate=lambda request: DER))


@pytest.mark.parametrize("place", [0, 1])
def test_views_of_one_scheme_are_not_named(caplog, make_app, place):
    schemes = DPoP({}.get, origin=API), Bearer({}.get)
    assert not warnings_of(caplog, make_app, *schemes, via=schemes[place])


def test_what_is_meant_is_not_named(caplog, make_app):
    certificate = {"certificate": lambda request: DER}
    for schemes, options in (
        ((DPoP({}.get, origin=API), Bearer({}.get)), {"bound_only": False}),
        ((DPoP({}.get, origin=API), Bearer({}.get, **certificate)), {"bound_only": True}),
        ((DPoP({}.get, origin=API), Bearer({}.get, bound_only=True, **certificate)), {}),
        ((DPoP({}.get, origin=API),), {}),
        ((Bearer({}.get), Bearer({}.get, name="Token")), {}),
    ):
        assert not warnings_of(caplog, make_app, *schemes, **options)

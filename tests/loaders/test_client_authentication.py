"""How an app logs in to the introspection endpoint: signed assertions (RFC 7523) and certificates (RFC 8705)."""

import json
import logging
import time
import traceback
import warnings
from urllib.parse import parse_qsl

import pytest
import trustme
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from joserfc import jws, jwt
from joserfc.jwk import import_key
from joserfc.registry import HeaderParameter

from flask_unauthorized import Auth, AuthUnavailable, Bearer, ConfigurationError
from flask_unauthorized.jose import private_key
from flask_unauthorized.loaders.introspection import Introspection
from flask_unauthorized.loaders.jwks import JWKS
from tests.canaries import register
from tests.http_client.proxy import running_proxy
from tests.http_client.server import answer
from tests.http_client.test_client_certificate import DemandingServer, write
from tests.http_client.test_client_certificate import clients as clients
from tests.http_client.test_client_certificate import demanding as demanding
from tests.jose.test_signing_keys import pem

from .asking import ACTIVE, AUDIENCE, SECRET, TOKEN

pytestmark = pytest.mark.filterwarnings("ignore:EdDSA is deprecated via RFC 9864")  # says joserfc
ISSUER = "https://id.example.com"
KEY = ec.generate_private_key(ec.SECP256R1())
JWT_BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
ALGORITHMS = ["ES256", "PS256", "RS256", "EdDSA", "Ed25519"]
REGISTRY = jws.JWSRegistry({"typ": HeaderParameter("type", "str")}, algorithms=ALGORITHMS)
HOW = {"client_id": "s6BhdRkqt3", "audience": AUDIENCE, "client_auth": "private_key_jwt", "key": KEY, "cache": 0}


@pytest.fixture
def load(plain):
    """Makes loaders for a server on loopback. What they say of their issuer is not looked up."""
    plain.answers["/introspect"] = answer(ACTIVE)
    register(TOKEN)
    return lambda **options: Introspection(
        plain.url + "/introspect", allow_http_loopback=True, **{**HOW, "issuer": ISSUER, **options}
    )


def forms(server):
    found = [dict(parse_qsl(request.body.decode(), strict_parsing=True)) for request in server.requests]
    register(*(form["client_assertion"] for form in found if "client_assertion" in form))
    return found


def public(key):
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def verified(assertion, key=KEY):
    """The header and claims of an assertion, as a server of joserfc verifies them (RFC 7523 §3)."""
    kinds = {rsa.RSAPrivateKey: "RSA", ed25519.Ed25519PrivateKey: "OKP"}
    kind = next((name for one, name in kinds.items() if isinstance(key, one)), "EC")
    token = jwt.decode(assertion, import_key(public(key), kind), registry=REGISTRY)
    jwt.JWTClaimsRegistry(
        iss={"essential": True}, sub={"essential": True}, aud={"essential": True}, exp={"essential": True},
        iat={"essential": True}, jti={"essential": True},
    ).validate(token.claims)  # fmt: skip
    return token.header, token.claims


# --- private_key_jwt


@pytest.mark.asvs("V13.2.1")
@pytest.mark.rfc("I-02")
def test_rfc_7523_2_2_the_request(load, plain):
    begun = int(time.time())
    assert load()(TOKEN).subject == "ada"
    (request,), (form,) = plain.requests, forms(plain)
    assert "authorization" not in request.headers
    assertion = form.pop("client_assertion")
    assert form == {"token": TOKEN, "token_type_hint": "access_token", "client_assertion_type": JWT_BEARER}
    header, claims = verified(assertion)
    assert header == {"alg": "ES256", "typ": "client-authentication+jwt"}
    assert claims.keys() == {"iss", "sub", "aud", "jti", "iat", "exp"}
    # RFC 7523 §3 (1) to (3), OpenID Connect Core §9; draft-ietf-oauth-rfc7523bis: aud is the issuer, as one text.
    assert (claims["iss"], claims["sub"], claims["aud"]) == ("s6BhdRkqt3", "s6BhdRkqt3", ISSUER)
    assert begun <= claims["iat"] <= time.time()
    assert claims["exp"] - claims["iat"] == 60


@pytest.mark.rfc("I-02")
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_authlib_verifies_what_each_kind_of_key_signs(load, plain, algorithm):
    keys = {"ES256": lambda: KEY, "EdDSA": ed25519.Ed25519PrivateKey.generate}
    made = keys.get(algorithm.replace("Ed25519", "EdDSA"), lambda: rsa.generate_private_key(65537, 2048))()
    load(key=private_key(made, algorithm=algorithm, kid="k1"))(TOKEN)
    (form,) = forms(plain)
    header, claims = verified(form["client_assertion"], made)
    assert (header["alg"], header["kid"], claims["sub"]) == (algorithm, "k1", "s6BhdRkqt3")
    if algorithm != "Ed25519":  # Authlib 1.9 does not know this name yet
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # this module of Authlib is deprecated
            jose = pytest.importorskip("authlib.jose", reason="Authlib is not installed: nox -s neighbours")
        key = jose.JsonWebKey.import_key(public(made))
        read = jose.JsonWebToken([algorithm]).decode(form["client_assertion"], key)
        read.validate()
        assert read["jti"] == claims["jti"]


def test_each_request_has_an_assertion_of_its_own(load, plain):
    """A strict server takes each jti once (RFC 7523 §3 (7))."""
    ask = load()
    for _ in range(20):
        ask(TOKEN)
    found = [verified(form["client_assertion"])[1]["jti"] for form in forms(plain)]
    assert len(set(found)) == 20
    assert min(map(len, found)) >= 22  # 128 random bits in base64url


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"assertion_audience": ISSUER + "/token"}, ISSUER + "/token"),
        ({"assertion_audience": "https://other.example", "issuer": None}, "https://other.example"),
        ({"issuer": ISSUER + "/"}, ISSUER + "/"),
    ],
)
def test_the_audience_is_the_issuer_or_what_the_server_demands(load, plain, given, expected):
    load(**given)(TOKEN)
    assert verified(forms(plain)[0]["client_assertion"])[1]["aud"] == expected


def test_a_post_of_the_apps_own_gets_the_assertion():
    sent = []

    def post(url, form, headers):
        sent.append((form, headers))
        register(form["client_assertion"])
        return json.dumps(ACTIVE).encode()

    given = {**HOW, "issuer": ISSUER, "post": post}
    assert Introspection("http://as/introspect", **given)(TOKEN).subject == "ada"
    ((form, headers),) = sent
    assert verified(form["client_assertion"])[1]["aud"] == ISSUER
    assert headers == {}


@pytest.mark.parametrize("source", ["pem", "path", "encrypted"])
def test_the_key_in_a_file_or_an_environment_variable(load, plain, tmp_path, source):
    (tmp_path / "client.pem").write_text(pem(KEY))
    sources = {
        "pem": lambda: pem(KEY),
        "path": lambda: tmp_path / "client.pem",
        "encrypted": lambda: private_key(pem(KEY, password="correct horse battery"), password="correct horse battery"),
    }
    load(key=sources[source]())(TOKEN)
    verified(forms(plain)[0]["client_assertion"])


@pytest.mark.rfc("I-11")
def test_a_server_that_refuses_the_assertion_is_503_for_the_caller_and_a_line_in_the_log(load, plain, make_app, caplog):
    """RFC 7662 §2.3: 401 is about our credentials, not about the token."""
    plain.answers["/introspect"] = answer({"error": "invalid_client"}, 401, WWW_Authenticate="Basic")
    auth = Auth(Bearer(load(key=pem(KEY))))
    app = make_app(auth)
    app.add_url_rule("/", "view", auth.login_required(lambda: "in"))
    with caplog.at_level(logging.WARNING, "flask_unauthorized"):
        response = app.test_client().get("/", headers={"Authorization": f"Bearer {TOKEN}"})
    assert response.status_code == 503
    assert "WWW-Authenticate" not in response.headers
    (form,) = forms(plain)
    assert "responded with 401. The server rejects how this app logs in" in caplog.text
    for secret in (form["client_assertion"], pem(KEY).splitlines()[1], TOKEN):
        assert secret not in caplog.text + response.text
    # The server does respond, so the next token is asked about.
    plain.answers["/introspect"] = answer(ACTIVE)
    assert app.test_client().get("/", headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 200


def test_nothing_shows_the_key_or_an_assertion(load, plain):
    made = load(key=pem(KEY))
    plain.answers["/introspect"] = answer({"error": "server_error"}, 500)
    with pytest.raises(AuthUnavailable) as caught:
        made(TOKEN)
    (form,) = forms(plain)
    body = "".join(pem(KEY).splitlines()[1:-1])
    shown = repr(made) + repr(vars(made)) + "".join(traceback.format_exception(caught.value)) + str(caught.value.reason)
    for secret in (form["client_assertion"], body[:60], form["client_assertion"].rpartition(".")[2]):
        assert secret not in shown


# --- mistakes at set-up


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"key": None}, 'client_auth="private_key_jwt" needs key=, the private key that the server knows'),
        ({"client_id": None}, "client_auth='private_key_jwt' needs client_id="),
        ({"client_id": " x\n"}, "client_id is empty or has white space around it"),
        ({"client_secret": SECRET}, "client_auth='private_key_jwt' sends no client_secret=: leave it out"),
        ({"issuer": None}, "needs the server's issuer identifier for aud: give issuer=, or assertion_audience="),
        ({"assertion_audience": ""}, "assertion_audience is empty"),
        ({"access_token": "x"}, "give client_id and client_secret, or access_token, not both"),
        ({"client_auth": "client_secret_basic"}, 'key= is for client_auth="private_key_jwt", and client_auth is '),
        ({"client_auth": "client_secret_jwt"}, "client_auth='client_secret_jwt': choose from client_secret_basic, "),
        ({"client_auth": "tls_client_auth", "key": None}, "needs the certificate of this app: write certificate=("),
        ({"client_auth": "none", "key": None}, "client_auth='none': choose from "),
        ({"key": rsa.generate_private_key(65537, 1024)}, "it is an RSA key of 1024 bits"),
    ],
)
def test_values_that_do_not_fit_together(load, given, expected):
    register(SECRET)
    with pytest.raises(ConfigurationError) as caught:
        load(**given)
    assert expected in str(caught.value)


def test_a_key_in_place_of_the_method_is_not_shown(load):
    text = pem(ec.generate_private_key(ec.SECP256R1()))
    text = text if isinstance(text, str) else text.decode()
    with pytest.raises(ConfigurationError, match="choose from") as caught:
        load(client_id="app", client_auth=text)
    secret = "".join(text.splitlines()[1:-1])
    assert not any(secret[at : at + 24] in str(caught.value) for at in range(0, len(secret) - 24, 4))


def test_an_encrypted_key_without_its_password(load):
    with pytest.raises(ConfigurationError, match="give password="):
        load(key=pem(KEY, password="correct horse battery"))


def test_values_of_another_type(load):
    for given in ({"client_id": 5}, {"assertion_audience": [ISSUER]}, {"key": 5}, {"key": KEY.public_key()}):
        with pytest.raises(TypeError):
            load(**given)


# --- mutual TLS


def introspection_of(server, ca_file, files, **options):
    register(TOKEN)
    server.answers["/introspect"] = answer(ACTIVE)
    given = {"client_id": "s6BhdRkqt3", "audience": AUDIENCE, "timeout": 20, **options}
    return Introspection(server.url + "/introspect", ca_file=ca_file, certificate=files, **given)


@pytest.mark.asvs("V13.2.1")
@pytest.mark.parametrize("method", ["tls_client_auth", "self_signed_tls_client_auth"])
def test_rfc_8705_2_the_certificate_logs_in_and_the_form_names_the_client(
    demanding, clients, ca_file, tmp_path, method
):
    files = write(tmp_path, clients.issue_cert("api.example.com"))
    assert introspection_of(demanding, ca_file, files, client_auth=method)(TOKEN).subject == "ada"
    (request,), (form,) = demanding.requests, forms(demanding)
    assert "authorization" not in request.headers
    assert form == {"token": TOKEN, "token_type_hint": "access_token", "client_id": "s6BhdRkqt3"}


def test_a_server_that_refuses_the_certificate_is_503(demanding, ca_file, tmp_path, make_app):
    files = write(tmp_path, trustme.CA().issue_cert("api.example.com"))
    auth = Auth(Bearer(introspection_of(demanding, ca_file, files, client_auth="tls_client_auth")))
    app = make_app(auth)
    app.add_url_rule("/", "view", auth.login_required(lambda: "in"))
    response = app.test_client().get("/", headers={"Authorization": f"Bearer {TOKEN}"})
    assert (response.status_code, "WWW-Authenticate" in response.headers) == (503, False)
    assert demanding.requests == []


def test_a_certificate_beside_an_assertion_or_a_secret(demanding, clients, ca_file, tmp_path):
    files = write(tmp_path, clients.issue_cert("api.example.com"))
    introspection_of(demanding, ca_file, files, client_auth="private_key_jwt", key=KEY, issuer=ISSUER)(TOKEN)
    introspection_of(demanding, ca_file, files, client_secret=SECRET)(TOKEN)
    verified(forms(demanding)[0]["client_assertion"])
    assert demanding.requests[1].headers["authorization"].startswith("Basic ")


def test_mutual_tls_through_a_proxy(authority, clients, ca_file, tmp_path):
    files = write(tmp_path, clients.issue_cert("api.example.com"))
    server = DemandingServer(authority, clients, "as.example")
    server.url = f"https://as.example:{server.port}"
    try:
        with running_proxy() as proxy:
            asked = introspection_of(server, ca_file, files, client_auth="tls_client_auth", proxy=proxy.url)
            assert asked(TOKEN).subject == "ada"
    finally:
        server.stop()
    assert proxy.targets == [b"as.example:%d" % server.port]
    assert forms(server)[0]["client_id"] == "s6BhdRkqt3"


@pytest.mark.parametrize("shows_certificate", [True, False])
def test_rfc_8705_5_the_alias_for_mutual_tls_in_the_metadata(tls, clients, ca_file, tmp_path, shows_certificate):
    tls.answers["/.well-known/oauth-authorization-server"] = answer(
        {
            "issuer": tls.url,
            "introspection_endpoint": tls.url + "/usual",
            "mtls_endpoint_aliases": {"introspection_endpoint": tls.url + "/mtls"},
        }
    )
    tls.answers["/usual"] = tls.answers["/mtls"] = answer(ACTIVE)
    register(TOKEN, SECRET)
    how = {"certificate": write(tmp_path, clients.issue_cert("a.example"))} if shows_certificate else {}
    asked = Introspection(
        issuer=tls.url, audience=AUDIENCE, client_id="api", client_secret=SECRET, ca_file=ca_file, timeout=20, **how
    )
    assert asked(TOKEN).subject == "ada"
    assert tls.requests[-1].target == ("/mtls" if shows_certificate else "/usual")


@pytest.mark.parametrize("aliases", [None, 5, "x", [], {}, {"introspection_endpoint": None}, {"issuer": "x"}])
def test_aliases_that_are_none(tls, clients, ca_file, tmp_path, aliases):
    metadata = {"issuer": tls.url, "introspection_endpoint": tls.url + "/usual", "mtls_endpoint_aliases": aliases}
    tls.answers["/.well-known/oauth-authorization-server"] = answer(metadata)
    tls.answers["/usual"] = answer(ACTIVE)
    files = write(tmp_path, clients.issue_cert("a.example"))
    given = {"client_id": "api", "client_auth": "tls_client_auth", "audience": AUDIENCE}
    asked = Introspection(issuer=tls.url, ca_file=ca_file, certificate=files, timeout=20, **given)
    assert asked(TOKEN).subject == "ada"


def test_keys_from_a_server_that_demands_a_certificate(demanding, clients, ca_file, tmp_path, pair):
    demanding.answers["/keys"] = answer({"keys": [pair[0]]})
    files = write(tmp_path, clients.issue_cert("api.example.com"))
    keys = JWKS(demanding.url + "/keys", ca_file=ca_file, certificate=files, timeout=20)
    (found,) = keys.candidates("one", "ES256")
    assert found.kid == "one"
    with pytest.raises(AuthUnavailable):
        JWKS(demanding.url + "/keys", ca_file=ca_file, timeout=20).candidates("one", "ES256")


def test_a_certificate_that_could_not_be_shown(clients, tmp_path, plain):
    files = write(tmp_path, clients.issue_cert("api.example.com"))
    given = {"client_id": "api", "client_auth": "tls_client_auth", "audience": AUDIENCE, "certificate": files}
    with pytest.raises(ConfigurationError, match="without TLS"):
        Introspection(plain.url + "/introspect", allow_http_loopback=True, **given)
    with pytest.raises(ConfigurationError, match="has certificate= and post="):
        Introspection("https://id.example/i", post=lambda *sent: b"", **given)
    with pytest.raises(ConfigurationError, match="without TLS"):
        JWKS(plain.url + "/keys", allow_http_loopback=True, certificate=files)
    with pytest.raises(ConfigurationError, match="has certificate= and fetch="):
        JWKS("https://id.example/keys", certificate=files, fetch=lambda url: b"")

"""A real authorization server issues the tokens, publishes its keys and is asked about tokens: oidc-provider of npm."""

import base64
import hashlib
import json
import os
import signal
import subprocess
import time
import urllib.request
import uuid
from pathlib import Path
from urllib.parse import quote_plus, urlencode

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from flask_unauthorized import Auth, Bearer, InvalidCredentials
from flask_unauthorized.loaders.introspection import Introspection
from flask_unauthorized.loaders.jwks import JWKS
from flask_unauthorized.loaders.jwt import JWT
from tests.helpers import free_port, is_listening
from tests.loaders.keys import jwk_of

from .conftest import need

SERVER = Path(__file__).with_name("oidc_server.mjs")
PACKAGE = "oidc-provider@9.13.3"
APP = ("app", "secret of the app +&%")
API = {"client_id": "api", "client_secret": "secret of the API: %41&=~*"}
SIGNED, OPAQUE = "https://api.example.com/jwt", "https://api.example.com/opaque"


@pytest.fixture(scope="module")
def issuer(tmp_path_factory):
    """The issuer's name; its server ends with the module."""
    node, npm = need("node"), need("npm")
    folder = tmp_path_factory.mktemp("oidc")
    subprocess.run(
        [npm, "install", "--no-audit", "--no-fund", "--prefix", str(folder), PACKAGE],
        check=True, capture_output=True, timeout=120,
    )  # fmt: skip
    (folder / "server.mjs").write_bytes(SERVER.read_bytes())
    port = free_port()
    process = subprocess.Popen(
        [node, "server.mjs", str(port)], cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        start_new_session=True,
    )  # fmt: skip
    try:
        end = time.monotonic() + 30
        while not is_listening(port):
            assert process.poll() is None, "oidc-provider did not start"
            assert time.monotonic() < end, "oidc-provider did not start"
            time.sleep(0.05)
        yield f"http://localhost:{port}"
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def posted(url, form, **headers):
    """A form, posted as the client; by code that isn't ours."""
    basic = base64.b64encode(":".join(map(quote_plus, APP)).encode()).decode()
    request = urllib.request.Request(url, urlencode(form).encode(), {"Authorization": f"Basic {basic}", **headers})
    with urllib.request.urlopen(request, timeout=20) as response:
        return response.read()


def token_for(issuer, resource, scope="notes:read", **headers):
    form = {"grant_type": "client_credentials", "scope": scope, "resource": resource}
    return json.loads(posted(f"{issuer}/token", form, **headers))["access_token"]


def proof(key, url):
    """A DPoP proof for the token request (RFC 9449 §4.2)."""
    header = {"typ": "dpop+jwt", "jwk": jwk_of(key.public_key())}
    claims = {"htm": "POST", "htu": url, "iat": int(time.time()), "jti": str(uuid.uuid4())}
    return jwt.encode(claims, key, "ES256", headers=header)


def thumbprint(key):
    """RFC 7638."""
    members = json.dumps(jwk_of(key.public_key()), sort_keys=True, separators=(",", ":"))
    return base64.urlsafe_b64encode(hashlib.sha256(members.encode()).digest()).rstrip(b"=").decode()


@pytest.fixture
def served(make_app):
    """Asks an app with that loader, whose view demands the scope notes:read."""

    def serve(loader):
        auth = Auth(Bearer(loader))
        app = make_app(auth)
        view = auth.login_required(scopes={"notes:read"})(lambda: auth.identity.client_id)
        app.add_url_rule("/", view_func=view)

        def ask(token):
            response = app.test_client().get("/", headers={"Authorization": f"Bearer {token}"})
            return response.status_code, response.text if response.status_code == 200 else ""

        return ask

    return serve


@pytest.mark.rfc("J-13", "AS-01", "B-24")
def test_tokens_that_it_signs(issuer, served):
    ask = served(JWT(issuer, audience=SIGNED, keys=JWKS.of_issuer(issuer, allow_http_loopback=True)))
    token = token_for(issuer, SIGNED)
    assert ask(token) == (200, "app")
    assert ask(token_for(issuer, SIGNED, "notes:write"))[0] == 403
    assert ask(token[:-8] + "AAAAAAAA")[0] == 401
    elsewhere = served(JWT(issuer, audience=OPAQUE, keys=JWKS(f"{issuer}/jwks", allow_http_loopback=True)))
    assert elsewhere(token)[0] == 401
    slash = served(JWT(issuer + "/", audience=SIGNED, keys=JWKS.of_issuer(issuer + "/", allow_http_loopback=True)))
    assert slash(token)[0] == 503  # the metadata is of another issuer, to the letter


@pytest.mark.rfc("I-01", "I-02", "I-05")
def test_tokens_that_it_is_asked_about(issuer, served):
    introspection = Introspection(issuer=issuer, audience=OPAQUE, allow_http_loopback=True, **API)
    ask = served(introspection)
    token = token_for(issuer, OPAQUE)
    assert ask(token) == (200, "app")
    assert ask(token_for(issuer, OPAQUE, "notes:write"))[0] == 403
    assert ask("unknown")[0] == 401
    identity = introspection(token)
    assert identity.scopes == {"notes:read"}
    assert 0 < identity.expires_at - time.time() <= 600
    with pytest.raises(InvalidCredentials):
        Introspection(issuer=issuer, audience=SIGNED, allow_http_loopback=True, **API)(token)


@pytest.mark.asvs("FAPI-5.3.4-3", "V8.3.2")
@pytest.mark.rfc("I-11")
def test_a_revoked_token(issuer, served):
    introspection = Introspection(issuer=issuer, audience=OPAQUE, allow_http_loopback=True, **API)
    kept, fresh = served(introspection), served(introspection.fresh())
    token = token_for(issuer, OPAQUE)
    assert (kept(token)[0], fresh(token)[0]) == (200, 200)
    posted(f"{issuer}/token/revocation", {"token": token})
    assert (kept(token)[0], fresh(token)[0], kept(token)[0]) == (200, 401, 401)


@pytest.mark.rfc("I-06")
@pytest.mark.parametrize("wrong", [{"client_secret": "wrong"}, {"client_id": "nobody"}])
def test_credentials_of_ours_that_it_refuses(issuer, served, wrong):
    ask = served(Introspection(issuer=issuer, audience=OPAQUE, allow_http_loopback=True, **{**API, **wrong}))
    assert ask(token_for(issuer, OPAQUE))[0] == 503


def test_credentials_of_ours_in_the_form(issuer, served):
    ask = served(
        Introspection(issuer=issuer, audience=OPAQUE, allow_http_loopback=True, client_auth="client_secret_post", **API)
    )
    assert ask(token_for(issuer, OPAQUE)) == (200, "app")


@pytest.mark.rfc("P-38", "P-39")
def test_a_token_bound_to_a_key_is_not_a_bearer_token(issuer, served):
    key = ec.generate_private_key(ec.SECP256R1())
    token = token_for(issuer, OPAQUE, DPoP=proof(key, f"{issuer}/token"))
    introspection = Introspection(issuer=issuer, audience=OPAQUE, allow_http_loopback=True, **API)
    assert introspection(token).confirmation == {"jkt": thumbprint(key)}
    assert served(introspection)(token)[0] == 401


@pytest.mark.rfc("I-07")
def test_a_server_that_is_not_there(issuer, served):
    gone = f"http://localhost:{free_port()}"
    keys = JWKS.of_issuer(gone, allow_http_loopback=True)
    assert served(JWT(gone, audience=SIGNED, keys=keys))(token_for(issuer, SIGNED))[0] == 503
    introspection = Introspection(issuer=gone, audience=OPAQUE, allow_http_loopback=True, **API)
    assert served(introspection)(token_for(issuer, OPAQUE))[0] == 503

"""How long a credential may be, and who may change it."""

import base64
import logging
import time

import jwt as pyjwt
import pytest

from flask_unauthorized import APIKey, Auth, Basic, Bearer, ConfigurationError, Digest, DPoP, Identity
from flask_unauthorized.jose import hmac_key
from flask_unauthorized.loaders.jwt import JWT
from flask_unauthorized.wire import GrammarError, parse_authorization

DEFAULT = 16 * 1024
KEY = "0123456789abcdef0123456789abcdef"


def serve(make_app, *schemes, size=None):
    auth = Auth(*schemes, realm="shop")
    app = make_app(auth, SECRET_KEY=KEY, **({} if size is None else {"UNAUTHORIZED_MAX_CREDENTIALS": size}))
    app.add_url_rule("/", "view", auth.login_required(lambda: "in"), methods=["GET", "POST"])
    return app.test_client(use_cookies=False)


CARRIERS = {
    "Authorization": (
        lambda: Bearer(lambda token: "ada"),
        lambda client, size: client.get("/", headers={"Authorization": "Bearer " + "t" * (size - 7)}),
        "Authorization",
    ),
    "Token": (
        lambda: Bearer(lambda token: "ada", name="Token"),
        lambda client, size: client.get("/", headers={"Authorization": "Token " + "t" * (size - 6)}),
        "Authorization",
    ),
    "query": (
        lambda: Bearer(lambda token: "ada", query=True),
        lambda client, size: client.get("/", query_string={"access_token": "t" * size}),
        "Bearer: the token",
    ),
    "form": (
        lambda: Bearer(lambda token: "ada", form=True),
        lambda client, size: client.post("/", data={"access_token": "t" * size}),
        "Bearer: the token",
    ),
    "key-header": (
        lambda: APIKey(lambda key: "ada"),
        lambda client, size: client.get("/", headers={"X-API-Key": "k" * size}),
        "APIKey: the key",
    ),
    "key-query": (
        lambda: APIKey(lambda key: "ada", query="key"),
        lambda client, size: client.get("/", query_string={"key": "k" * size}),
        "APIKey: the key",
    ),
    "key-cookie": (
        lambda: APIKey(lambda key: "ada", cookie="key"),
        lambda client, size: client.get("/", environ_overrides={"HTTP_COOKIE": "key=" + "k" * size}),
        "APIKey: the key",
    ),
}


@pytest.mark.rfc("H-29")
@pytest.mark.parametrize("size", [None, 256, 1000, 8192, 40_000, 65_536])
@pytest.mark.parametrize("carrier", CARRIERS)
def test_a_credential_up_to_the_limit_is_read_and_no_longer_one(make_app, caplog, carrier, size):  # F-31
    caplog.set_level(logging.INFO, "flask_unauthorized")
    make, send, what = CARRIERS[carrier]
    client = serve(make_app, make(), size=size)
    limit = DEFAULT if size is None else size
    assert send(client, limit).status_code == 200
    refused = send(client, limit + 1)
    assert (refused.status_code, f"{limit + 1}" in refused.text) == (400, False)
    # The developer reads the size, the limit, and what to change.
    assert f"{what} is {limit + 1} bytes long, more than {limit}: UNAUTHORIZED_MAX_CREDENTIALS" in caplog.text


@pytest.mark.parametrize("size", [None, 30_000])
def test_a_token_under_dpop_may_be_as_long(make_app, size):  # F-31
    asked = []
    client = serve(make_app, DPoP(asked.append, origin="http://localhost"), size=size)
    limit = DEFAULT if size is None else size
    for length, status in ((limit, 401), (limit + 1, 400)):  # there is no proof, which is another matter
        assert client.get("/", headers={"Authorization": "DPoP " + "t" * (length - 5)}).status_code == status


@pytest.mark.parametrize(("groups", "size"), [(200, None), (290, None), (900, 65_536)])
def test_a_jwt_with_many_groups_gets_in(make_app, groups, size):  # F-31
    secret = "a secret of more than 32 octets, shared with the issuer"
    loader = JWT(
        "https://id.example", audience="shop", keys=hmac_key(secret.encode(), algorithm="HS256"), algorithms=["HS256"],
        profile="oidc-compat", roles_claim="groups",
    )  # fmt: skip
    names = [f"{number:08x}-1111-2222-3333-444455556666" for number in range(groups)]
    now = int(time.time())
    claims = {"iss": "https://id.example", "aud": "shop", "sub": "ada", "iat": now, "exp": now + 60, "groups": names}
    token = pyjwt.encode(claims, secret, algorithm="HS256")
    assert len(token) > 8192
    client = serve(make_app, Bearer(loader), size=size)
    assert client.get("/", headers={"Authorization": f"Bearer {token}"}).status_code == 200


def test_names_and_passwords_keep_their_own_limits(make_app):  # F-31
    def basic(name, password):
        return {"Authorization": "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()}

    client = serve(make_app, Basic(lambda name, password: True), size=65_536)
    assert client.get("/", headers=basic("a", "p" * 4096)).status_code == 200
    assert client.get("/", headers=basic("a", "p" * 4097)).status_code == 401
    digest = serve(make_app, Digest(lambda name: "pw"), size=65_536)
    assert digest.get("/", headers={"Authorization": 'Digest username="' + "x" * 5000 + '"'}).status_code == 400


def test_each_app_of_an_auth_has_its_own_limit(make_app):  # F-31
    auth = Auth(APIKey(lambda key: "ada"), Bearer(lambda token: Identity("ada"), query=True))
    for size in (300, 600):
        app = make_app(auth, UNAUTHORIZED_MAX_CREDENTIALS=size)
        app.add_url_rule("/", f"view{size}", auth.login_required(lambda: "in"))
        client = app.test_client()
        assert client.get("/", headers={"X-API-Key": "k" * 500}).status_code == (200 if size == 600 else 400)
        assert client.get("/", query_string={"access_token": "t" * 500}).status_code == (200 if size == 600 else 400)


@pytest.mark.parametrize("size", [0, -1, 255, 65_537, 10**9, True, False, "16384", 16384.0, float("nan"), [1]])
def test_a_limit_that_cannot_be(make_app, size):  # F-31
    auth = Auth(Bearer(lambda token: "ada"))
    with pytest.raises(ConfigurationError, match=r"UNAUTHORIZED_MAX_CREDENTIALS=.*from 256 to 65536"):
        make_app(auth, UNAUTHORIZED_MAX_CREDENTIALS=size)


def test_the_reader_of_the_grammar_has_the_same_default():  # F-31
    assert parse_authorization("Bearer " + "a" * (DEFAULT - 7)).token68
    with pytest.raises(GrammarError, match="longer than 16384 bytes"):
        parse_authorization("Bearer " + "a" * (DEFAULT - 6))
    assert parse_authorization("Bearer " + "a" * DEFAULT, max_size=20_000).token68

"""F-29: a fetch of the app's own decides about its URL; ours takes https:// only, and says what to do."""

import json

import pytest

from flask_unauthorized import ConfigurationError
from flask_unauthorized.http_client.client import shown_url
from flask_unauthorized.loaders.introspection import Introspection
from flask_unauthorized.loaders.jwks import JWKS
from flask_unauthorized.loaders.jwt import JWT
from tests.jose.signing import AUDIENCE, ISSUER, jwk, token

INTERNAL = "http://keycloak:8080/realms/shop/protocol/openid-connect/certs"
SET = json.dumps({"keys": [jwk("ES256", kid="k1")]}).encode()


@pytest.mark.parametrize(
    "url", [INTERNAL, "http://10.0.0.7/keys", "file:///run/keys.json", "unix:/run/keys.sock", "keys"]
)
def test_keys_inside_a_network(url):
    asked = []

    def own(url):
        asked.append(url)
        return SET

    loader = JWT(ISSUER, audience=AUDIENCE, keys=JWKS(url, fetch=own))
    assert loader(token()).subject == "ada"
    assert asked == [url]


def test_metadata_inside_a_network():
    asked = []

    def own(url):
        asked.append(url)
        if url.endswith("/keys"):
            return SET
        return json.dumps(
            {"issuer": "http://localhost:9000/realms/shop", "jwks_uri": "http://keycloak:8080/keys"}
        ).encode()

    keys = JWKS.of_issuer("http://localhost:9000/realms/shop", fetch=own)
    assert [key.kid for key in keys.candidates("k1", "ES256")] == ["k1"]
    assert asked[-1] == "http://keycloak:8080/keys"


def test_introspection_inside_a_network():
    asked = []

    def own(url, form, headers):
        asked.append(url)
        return json.dumps({"active": True, "aud": AUDIENCE, "sub": "ada"}).encode()

    loader = Introspection("http://keycloak:8080/introspect", audience=AUDIENCE, access_token="x", post=own)
    assert loader("token").subject == "ada"
    assert asked == ["http://keycloak:8080/introspect"]


@pytest.mark.parametrize(
    "make",
    [
        lambda: JWKS(INTERNAL),
        lambda: JWKS(INTERNAL, allow_http_loopback=True),
        lambda: JWKS.of_issuer("http://keycloak:8080/realms/shop"),
        lambda: JWT("http://keycloak:8080/realms/shop", audience=AUDIENCE),
        lambda: Introspection("http://keycloak:8080/introspect", audience=AUDIENCE, access_token="x"),
        lambda: Introspection(audience=AUDIENCE, access_token="x", issuer="http://keycloak:8080/realms/shop"),
    ],
)
def test_ours_is_https_only_and_says_what_to_do(make):
    with pytest.raises(ConfigurationError) as caught:
        make()
    assert "must begin with https://" in str(caught.value)
    assert "give JWKS a fetch= or Introspection a post=" in str(caught.value)


@pytest.mark.parametrize("url", [None, 5, b"http://keycloak:8080/keys", ["http://keycloak:8080/keys"]])
def test_a_url_is_text(url):
    with pytest.raises(TypeError, match="URL"):
        JWKS(url, fetch=lambda url: SET)


def test_no_password_of_a_url_is_shown(caplog):
    def down(*asked):
        raise OSError

    url = "http://ada:s3cret@keycloak:8080/keys?key=s3cret"
    keys = JWKS(url, fetch=down)
    loader = Introspection(url, audience=AUDIENCE, access_token="x", post=down)
    for ask in (lambda: keys.candidates("k1", "ES256"), lambda: [loader(f"token{n}") for n in range(3)]):
        with pytest.raises(Exception, match="unavailable") as caught:
            ask()
        assert "keycloak:8080/keys" in caught.value.reason
        assert "s3cret" not in f"{caught.value.reason} {keys!r} {loader!r} {caplog.text}"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://id.example.com/keys", "https://id.example.com/keys"),
        ("https://id.example.com:8443/keys?a=b#c", "https://id.example.com:8443/keys"),
        ("http://user@host/keys", "http://host/keys"),
        ("http://a:b@c@host/keys", "http://host/keys"),
        ("http://[::1/keys", "a URL that can't be read"),
        ("keys", "keys"),
    ],
)
def test_what_is_shown_of_a_url(url, shown):
    assert shown_url(url) == shown

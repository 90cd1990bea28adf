"""The programs of docs/guides/providers.md are checked without a network, and judge tokens of the documented shapes.

The shapes are those that the providers document or that were published: header, then claims.
"""

import re
import time
from pathlib import Path

import pytest

from flask_unauthorized import InvalidCredentials
from flask_unauthorized.jose import StaticKeys, public_key_pem
from tests.jose.signing import pem, signed

PAGE = (Path(__file__).parents[2] / "docs/guides/providers.md").read_text(encoding="utf-8")
NOW = int(time.time())
TIMES = {"iat": NOW - 10, "exp": NOW + 3000}
KEYS = {"alg": "RS256", "kid": "k1"}
TENANT = "aaaabbbb-0000-cccc-1111-dddd2222eeee"
API_ID = "00001111-aaaa-2222-bbbb-3333cccc4444"

# Keycloak 26, a user's token of a client with both settings and the mapper
KEYCLOAK = {
    **TIMES,
    "jti": "onrtac:179a04e8-6a41-41bb-ab20-14d55a8518af",
    "iss": "https://id.example.com/realms/shop",
    "aud": ["https://api.example.com", "account"],
    "sub": "8befeac4-8963-49da-a9ac-f310e8d922d8",
    "typ": "Bearer",
    "azp": "web",
    "client_id": "web",
    "sid": "54db1502-a5dc-4a27-af62-eeef0694a628",
    "acr": "1",
    "auth_time": NOW - 20,
    "realm_access": {"roles": ["uma_authorization", "admin"]},
    "resource_access": {"account": {"roles": ["view-profile"]}},
    "scope": "openid email profile",
}
ENTRA = {
    **TIMES,
    "aud": API_ID,
    "iss": f"https://login.microsoftonline.com/{TENANT}/v2.0",
    "nbf": NOW - 10,
    "aio": "AXQAi/8TAAAA",
    "azp": "11112222-bbbb-3333-cccc-4444dddd5555",
    "azpacr": "0",
    "oid": "aaaaaaaa-0000-1111-2222-bbbbbbbbbbbb",
    "rh": "0.AXkAAAA",
    "roles": ["Notes.Admin"],
    "scp": "Notes.Read Notes.Write",
    "sub": "AAAAAAAAAAAAAAAAAAAAAIkzqFVrSaSaFHy782bbtaQ",
    "tid": TENANT,
    "uti": "fqiBqXLPj0eQa82S-IYFAA",
    "ver": "2.0",
}
AUTH0 = {
    **TIMES,
    "iss": "https://my-domain.auth0.com/",
    "sub": "auth0|123456",
    "aud": ["https://example.com/health-api", "https://my-domain.auth0.com/userinfo"],
    "client_id": "my_client_id",
    "jti": "73WakrfVbNJBaAmhQtEeDv",
    "scope": "openid profile read:patients read:admin",
    "permissions": ["read:patients"],
}
OKTA = {
    **TIMES,
    "ver": 1,
    "jti": "AT.xtjhr8FeMkyMfgLiFzVYOYPbgqWdd6ONULT3ffeK7d4",
    "iss": "https://dev-123456.okta.com/oauth2/default",
    "aud": "api://default",
    "cid": "0oaosna3ilNxgPTmk0h7",
    "uid": "00uixa271s6x7qt8I0h7",
    "scp": ["openid", "phone"],
    "sub": "joe.smith@okta.com",
    "groups": ["Everyone", "Admin"],
}
COGNITO = {
    **TIMES,
    "sub": "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee",
    "cognito:groups": ["admins"],
    "iss": "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_example",
    "version": 2,
    "client_id": "1example23456789",
    "origin_jti": "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee",
    "event_id": "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee",
    "token_use": "access",
    "scope": "phone openid notes/read",
    "auth_time": NOW - 20,
    "jti": "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee",
    "username": "my-test-user",
}
GOOGLE = {
    **TIMES,
    "iss": "https://accounts.google.com",
    "azp": "117000000000000000000",
    "aud": "https://api.example.com",
    "sub": "117000000000000000000",
    "email": "worker@my-project.iam.gserviceaccount.com",
    "email_verified": True,
}
# Zitadel's source, 4.x: internal/api/oidc/token.go and userinfo.go, pkg/oidc/token.go of its library
PROJECT = "69234237810729019"
ZITADEL = {
    **TIMES,
    "iss": "https://shop-abc123.zitadel.cloud",
    "sub": "77776025198584418",
    "aud": ["69234237810729234", "69234237810729235", PROJECT],
    "nbf": NOW - 10,
    "client_id": "69234237810729234",
    "jti": "V2_69234237813329048-at_69234237813329049",
    f"urn:zitadel:iam:org:project:{PROJECT}:roles": {"admin": {"69234237810729111": "acme.zitadel.cloud"}},
    "urn:zitadel:iam:org:project:roles": {"owner": {"69234237810729111": "acme.zitadel.cloud"}},
}
AT, JWT_TYPE, NONE = {"typ": "at+jwt"}, {"typ": "JWT"}, {}
GOOD = {
    "Keycloak": (AT, KEYCLOAK),
    "Entra": (JWT_TYPE, ENTRA),
    "Auth0": (AT, AUTH0),
    "Okta": (NONE, OKTA),
    "Cognito": (NONE, COGNITO),
    "Google": (JWT_TYPE, GOOGLE),
    "Zitadel": (JWT_TYPE, ZITADEL),
}


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    def refuse(*args):
        raise AssertionError("the network was used")

    monkeypatch.setattr("socket.socket.connect", refuse)
    monkeypatch.setattr("socket.getaddrinfo", refuse)


def program(heading):
    section = PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    (text,) = re.findall(r"```python\n(.*?)```", section, re.DOTALL)
    scope = {"__name__": f"behind_{heading.lower()}"}
    exec(text, scope)
    scope["auth"].check(scope["app"])
    scope["tokens"]._keys = StaticKeys([public_key_pem(pem("RS256"), kid="k1")])
    return scope


def made(head, claims, **changes):
    return signed(KEYS | head, {name: v for name, v in (claims | changes).items() if v is not ...}, "RS256")


@pytest.mark.parametrize(
    ("provider", "client", "scope", "role"),
    [
        ("Keycloak", "web", "profile", "admin"),
        ("Entra", "11112222-bbbb-3333-cccc-4444dddd5555", "Notes.Read", "Notes.Admin"),
        ("Auth0", "my_client_id", "read:patients", "read:patients"),
        ("Okta", "0oaosna3ilNxgPTmk0h7", "phone", "Admin"),
        ("Cognito", "1example23456789", "notes/read", "admins"),
        ("Google", "117000000000000000000", None, None),
        ("Zitadel", "69234237810729234", None, "admin"),
    ],
)
def test_a_token_as_the_provider_writes_it_is_taken(provider, client, scope, role):
    scope_of_program = program(provider)
    head, claims = GOOD[provider]
    scope_of_program["app"].add_url_rule("/", view_func=scope_of_program["auth"].login_required(lambda: "in"))
    response = (
        scope_of_program["app"]
        .test_client()
        .get("/", headers={"Authorization": f"Bearer {made(head, claims)}"}, base_url="https://api.example.com")
    )
    assert response.status_code == 200
    identity = scope_of_program["tokens"](made(head, claims))
    assert (identity.subject, identity.client_id) == (claims["sub"], client)
    assert scope is None or scope in identity.scopes
    assert role is None or role in identity.roles


@pytest.mark.rfc("J-12")
@pytest.mark.parametrize(
    ("provider", "head", "changes"),
    [
        # ID tokens of each, as clients get them
        ("Keycloak", JWT_TYPE, {"typ": "ID", "aud": "web", "nonce": "n", "at_hash": "h"}),
        ("Entra", JWT_TYPE, {"aud": "11112222-bbbb-3333-cccc-4444dddd5555", "nonce": "n", "scp": ..., "azp": ...}),
        ("Auth0", JWT_TYPE, {"aud": "my_client_id", "nonce": "n", "client_id": ...}),
        ("Okta", NONE, {"aud": "0oaosna3ilNxgPTmk0h7", "jti": "ID.radCQMOQ", "at_hash": "h", "scp": ..., "cid": ...}),
        ("Cognito", NONE, {"token_use": "id", "aud": "1example23456789", "client_id": ...}),
        ("Google", JWT_TYPE, {"at_hash": "h", "email": "someone@gmail.com"}),
        ("Zitadel", JWT_TYPE, {"at_hash": "h", "nonce": "n", "azp": "69234237810729234", "jti": ...}),
        ("Zitadel", JWT_TYPE, {"azp": "69234237810729234", "jti": ...}),  # the response to response_type=id_token
        # and what else must not pass
        ("Keycloak", JWT_TYPE, {}),  # the client lacks the setting, and the program doesn't relax it
        ("Keycloak", AT, {"aud": "account"}),
        ("Keycloak", AT, {"client_id": ...}),
        ("Entra", JWT_TYPE, {"iss": f"https://sts.windows.net/{TENANT}/"}),
        ("Entra", JWT_TYPE, {"iss": "https://login.microsoftonline.com/another-tenant/v2.0"}),
        ("Entra", JWT_TYPE, {"aud": f"api://{API_ID}"}),
        ("Auth0", JWT_TYPE, {}),
        ("Auth0", AT, {"iss": "https://my-domain.auth0.com"}),
        ("Okta", {"typ": "application/okta-internal-at+jwt"}, {}),
        ("Okta", NONE, {"iss": "https://dev-123456.okta.com", "aud": "https://dev-123456.okta.com"}),
        ("Cognito", NONE, {"client_id": "another-client"}),
        ("Cognito", NONE, {"token_use": ...}),
        ("Google", JWT_TYPE, {"email": "stranger@other-project.iam.gserviceaccount.com"}),
        ("Google", JWT_TYPE, {"email_verified": False}),
        ("Google", JWT_TYPE, {"aud": "https://other.example.com"}),
        ("Zitadel", JWT_TYPE, {"aud": ["69234237810729234", "69234237810729299"]}),
        ("Zitadel", JWT_TYPE, {"iss": "https://other-abc123.zitadel.cloud"}),
    ],
)
def test_other_tokens_of_the_provider_are_refused(provider, head, changes):
    tokens = program(provider)["tokens"]
    with pytest.raises(InvalidCredentials):
        tokens(made(head, GOOD[provider][1], **changes))


def test_roles_of_another_project_of_zitadel_are_none():
    """The claim without an ID is about the project of the client, which may be another one than the API's."""
    assert program("Zitadel")["tokens"](made(JWT_TYPE, ZITADEL)).roles == {"admin"}


def test_the_other_profile_as_the_page_says():
    for provider in ("Keycloak", "Auth0"):
        text = PAGE.partition(f"\n## {provider}\n")[2].partition("\n## ")[0]
        assert 'profile="oidc-compat"' in text
    from flask_unauthorized.loaders.jwt import JWT

    keys = public_key_pem(pem("RS256"), kid="k1")
    kind = {"keys": keys, "profile": "oidc-compat"}
    keycloak = JWT(KEYCLOAK["iss"], audience="https://api.example.com", **kind)
    assert keycloak(made(JWT_TYPE, KEYCLOAK, client_id=...)).client_id == "web"
    auth0 = JWT(AUTH0["iss"], audience="https://example.com/health-api", **kind)
    assert auth0(made(JWT_TYPE, AUTH0, client_id=..., jti=..., azp="my_client_id")).client_id == "my_client_id"


def test_keycloak_on_localhost_is_what_the_page_says():
    tokens = program("Keycloak on your own machine")["tokens"]
    local = KEYCLOAK | {"iss": "http://localhost:8080/realms/shop"}
    assert "admin" in tokens(made(JWT_TYPE, local, client_id=...)).roles
    with pytest.raises(InvalidCredentials):
        tokens(made(JWT_TYPE, KEYCLOAK))

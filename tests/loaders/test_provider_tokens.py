"""Access tokens as providers have written them in the last five years are taken, and their ID tokens are refused.

F-23. Each shape is that of the provider's documentation or of its source: header, then claims. Names are made up.
"""

import time

import pytest

from flask_unauthorized import InvalidCredentials
from flask_unauthorized.jose import public_key_pem
from flask_unauthorized.loaders.jwt import ANY, JWT
from tests.jose.signing import pem, signed

NOW = int(time.time())
TIMES = {"iat": NOW - 10, "exp": NOW + 3000}
USER = "8befeac4-8963-49da-a9ac-f310e8d922d8"
TENANT = "aaaabbbb-0000-cccc-1111-dddd2222eeee"
API = "https://api.example.com"
AT, TYPED, UNTYPED = {"typ": "at+jwt"}, {"typ": "JWT"}, {}

KEYCLOAK = {
    "iss": "https://id.example.com/realms/shop",
    "aud": [API, "account"],
    "sub": USER,
    "typ": "Bearer",
    "azp": "web",
    "jti": "179a04e8-6a41-41bb-ab20-14d55a8518af",
    "session_state": "54db1502-a5dc-4a27-af62-eeef0694a628",
    "sid": "54db1502-a5dc-4a27-af62-eeef0694a628",
    "acr": "1",
    "scope": "openid email",
    "realm_access": {"roles": ["admin"]},
}
KEYCLOAK_ID = {
    "iss": "https://id.example.com/realms/shop",
    "aud": "web",
    "sub": USER,
    "typ": "ID",
    "azp": "web",
    "nonce": "n-0S6_WzA2Mj",
    "at_hash": "MTIzNDU2Nzg5MDEyMzQ1Ng",
    "jti": "2ed0c62e-2d32-4c2a-bc8d-ca84e1bea5c4",
    "sid": "54db1502-a5dc-4a27-af62-eeef0694a628",
    "acr": "1",
}
ENTRA_1 = {
    "aud": API,
    "iss": f"https://sts.windows.net/{TENANT}/",
    "nbf": NOW - 10,
    "acr": "1",
    "aio": "AXQAi/8TAAAA",
    "amr": ["pwd"],
    "appid": "11112222-bbbb-3333-cccc-4444dddd5555",
    "appidacr": "0",
    "oid": USER,
    "rh": "0.AXkAAAA",
    "scp": "Notes.Read",
    "sub": "AAAAAAAAAAAAAAAAAAAAAIkzqFVrSaSaFHy782bbtaQ",
    "tid": TENANT,
    "uti": "fqiBqXLPj0eQa82S-IYFAA",
    "ver": "1.0",
}
ENTRA_2 = {
    **{name: value for name, value in ENTRA_1.items() if name not in ("acr", "amr", "appid", "appidacr")},
    "iss": f"https://login.microsoftonline.com/{TENANT}/v2.0",
    "azp": "11112222-bbbb-3333-cccc-4444dddd5555",
    "azpacr": "0",
    "ver": "2.0",
}
ENTRA_ID = {
    "aud": "11112222-bbbb-3333-cccc-4444dddd5555",
    "iss": f"https://login.microsoftonline.com/{TENANT}/v2.0",
    "nbf": NOW - 10,
    "nonce": "12345",
    "name": "Ada",
    "oid": USER,
    "sub": "AAAAAAAAAAAAAAAAAAAAAIkzqFVrSaSaFHy782bbtaQ",
    "tid": TENANT,
    "uti": "fqiBqXLPj0eQa82S-IYFAA",
    "ver": "2.0",
}
OKTA = {
    "ver": 1,
    "jti": "AT.xtjhr8FeMkyMfgLiFzVYOYPbgqWdd6ONULT3ffeK7d4",
    "iss": "https://dev-123456.okta.com/oauth2/default",
    "aud": API,
    "cid": "0oaosna3ilNxgPTmk0h7",
    "uid": "00uixa271s6x7qt8I0h7",
    "scp": ["openid"],
    "auth_time": NOW - 20,
    "sub": "joe.smith@okta.com",
}
OKTA_ID = {
    "ver": 1,
    "jti": "ID.radCQMOQ",
    "iss": "https://dev-123456.okta.com/oauth2/default",
    "aud": "0oaosna3ilNxgPTmk0h7",
    "amr": ["pwd"],
    "idp": "00oixa271s6x7qt8I0h7",
    "nonce": "n-0S6_WzA2Mj",
    "at_hash": "MTIzNDU2Nzg5MDEyMzQ1Ng",
    "auth_time": NOW - 20,
    "sub": "00uixa271s6x7qt8I0h7",
}
AUTH0 = {
    "iss": "https://my-domain.auth0.com/",
    "sub": "auth0|123456",
    "aud": [API, "https://my-domain.auth0.com/userinfo"],
    "azp": "my_client_id",
    "scope": "openid read:patients",
}
AUTH0_ID = {
    "iss": "https://my-domain.auth0.com/",
    "sub": "auth0|123456",
    "aud": "my_client_id",
    "sid": "s",
    "nonce": "n-0S6_WzA2Mj",
    "nickname": "ada",
}
COGNITO = {
    "sub": USER,
    "iss": "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_example",
    "version": 2,
    "client_id": "1example23456789",
    "origin_jti": USER,
    "token_use": "access",
    "scope": "openid notes/read",
    "auth_time": NOW - 20,
    "jti": USER,
    "username": "ada",
}
COGNITO_ID = {
    "sub": USER,
    "iss": "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_example",
    "aud": "1example23456789",
    "cognito:username": "ada",
    "token_use": "id",
    "nonce": "n-0S6_WzA2Mj",
    "at_hash": "MTIzNDU2Nzg5MDEyMzQ1Ng",
    "auth_time": NOW - 20,
    "jti": USER,
}
GOOGLE = {  # what a service account brings is an ID token by name, for the audience that it asked for
    "iss": "https://accounts.google.com",
    "azp": "117000000000000000000",
    "aud": API,
    "sub": "117000000000000000000",
    "email": "worker@my-project.iam.gserviceaccount.com",
    "email_verified": True,
}
GOOGLE_ID = {
    "iss": "https://accounts.google.com",
    "azp": "1234987819200.apps.googleusercontent.com",
    "aud": "1234987819200.apps.googleusercontent.com",
    "sub": "10769150350006150715113082367",
    "at_hash": "HK6E_P6Dh8Y93mRNtsDB1Q",
    "nonce": "0394852-3190485-2490358",
}
ZITADEL = {
    "iss": "https://shop-abc123.zitadel.cloud",
    "sub": "165460784409546987",
    "aud": ["165460784409612523", API],
    "nbf": NOW - 10,
    "jti": "165460784409678059",
    "client_id": "165460784409612523",
    "urn:zitadel:iam:org:project:roles": {"admin": {"165460784409481451": "acme.zitadel.cloud"}},
}
ZITADEL_ID = {
    "iss": "https://shop-abc123.zitadel.cloud",
    "sub": "165460784409546987",
    "aud": ["165460784409612523"],
    "azp": "165460784409612523",
    "client_id": "165460784409612523",
    "at_hash": "MTIzNDU2Nzg5MDEyMzQ1Ng",
    "nonce": "n-0S6_WzA2Mj",
    "amr": ["pwd"],
    "auth_time": NOW - 20,
}
FORGEROCK = {
    "sub": "(usr!445957f9-8528-4d14-803e-5452214633e8)",
    "cts": "OAUTH2_STATELESS_GRANT",
    "auditTrackingId": "c9611769-cbb0-4f6f-89ab-cc971a9a4267-297791",
    "iss": "https://am.example.com:443/am/oauth2/alpha",
    "tokenName": "access_token",
    "token_type": "Bearer",
    "authGrantId": "fpO7HNZXHhLW5ObvmIoYT7PMaHY",
    "client_id": "web",
    "aud": API,
    "nbf": NOW - 10,
    "nonce": "n-0S6_WzA2Mj",
    "grant_type": "authorization_code",
    "scope": ["openid", "profile"],
    "realm": "/alpha",
    "expires_in": 3600,
    "jti": "Ygd5asQcPJho3ATs8Fl9-8Q25lk",
}
FORGEROCK_ID = {
    "at_hash": "PZg5xZsIlFtRSfg8MAWhWg",
    "sub": "(usr!445957f9-8528-4d14-803e-5452214633e8)",
    "iss": "https://am.example.com:443/am/oauth2/alpha",
    "tokenName": "id_token",
    "aud": "web",
    "azp": "web",
    "nonce": "n-0S6_WzA2Mj",
    "s_hash": "bKE9UspwyIPg8LsQHkJaiQ",
    "tokenType": "JWTToken",
}
DUENDE = {
    "iss": "https://id.example.com",
    "nbf": NOW - 10,
    "aud": API,
    "scope": ["openid", "notes"],
    "amr": ["pwd"],
    "client_id": "web",
    "sub": "1",
    "auth_time": NOW - 20,
    "idp": "local",
    "sid": "A8F1",
    "jti": "5D0C",
}
DUENDE_ID = {
    "iss": "https://id.example.com",
    "nbf": NOW - 10,
    "aud": "web",
    "nonce": "n-0S6_WzA2Mj",
    "at_hash": "MTIzNDU2Nzg5MDEyMzQ1Ng",
    "amr": ["pwd"],
    "sub": "1",
    "sid": "A8F1",
}
AUTHENTIK_ID = {
    "iss": "https://auth.example.com/application/o/shop/",
    "sub": "ef6f5d0b9d0b3d4b1b3a5a",
    "aud": "zYSf8s0k",
    "auth_time": NOW - 20,
    "acr": "goauthentik.io/providers/oauth2/default",
    "amr": ["pwd"],
    "nonce": "n-0S6_WzA2Mj",
    "sid": "d1f3",
}
AUTHENTIK = {**AUTHENTIK_ID, "azp": "zYSf8s0k", "uid": "SvJbzZmcZHcmjnRDLHOMQwFLgoFHKyRWG1eVXGpj"}

ACCESS = {
    "Keycloak 18 to 24": (TYPED, {**KEYCLOAK, "nonce": "n-0S6_WzA2Mj"}),
    "Keycloak 25 and 26": (TYPED, {**KEYCLOAK, "session_state": ...}),
    "Keycloak 26 with at+jwt": (AT, {**KEYCLOAK, "session_state": ..., "client_id": "web"}),
    "Keycloak with DPoP": (TYPED, {**KEYCLOAK, "typ": "DPoP", "cnf": {"jkt": "x"}, "nonce": "n"}),
    "Keycloak, a service": (TYPED, {**KEYCLOAK, "client_id": "worker", "azp": "worker", "sid": ..., "sub": USER}),
    "Keycloak, a lightweight token": (
        TYPED,
        {name: KEYCLOAK[name] for name in ("iss", "aud", "typ", "azp", "jti", "scope", "sid")},
    ),
    "Entra 1.0": (TYPED, ENTRA_1),
    "Entra 2.0": (TYPED, ENTRA_2),
    "Entra 2.0, a service": (TYPED, {**ENTRA_2, "scp": ..., "roles": ["Notes.Admin"], "azpacr": "1"}),
    "Okta, custom server": (UNTYPED, OKTA),
    "Okta, org server": (UNTYPED, {**OKTA, "iss": "https://dev-123456.okta.com"}),
    "Okta, a service": (UNTYPED, {**OKTA, "uid": ..., "sub": "0oaosna3ilNxgPTmk0h7"}),
    "Auth0, its own profile": (TYPED, AUTH0),
    "Auth0, profile of RFC 9068": (AT, {**AUTH0, "azp": ..., "client_id": "my_client_id", "jti": "73WakrfVbNJB"}),
    "Auth0, a service": (TYPED, {**AUTH0, "aud": API, "sub": "my_client_id@clients", "gty": "client-credentials"}),
    "Cognito": (UNTYPED, COGNITO),
    "Google, a service account": (TYPED, GOOGLE),
    "Zitadel": (UNTYPED, ZITADEL),
    "ForgeRock": (TYPED, FORGEROCK),
    "ForgeRock, a service": (TYPED, {**FORGEROCK, "nonce": ..., "grant_type": "client_credentials"}),
    "Duende": (AT, DUENDE),
    "Duende, a service without sub": (
        AT,
        {name: DUENDE[name] for name in ("iss", "nbf", "aud", "client_id", "jti", "scope")},
    ),
    "IdentityServer before at+jwt": (TYPED, DUENDE),
    "authentik": (TYPED, AUTHENTIK),
    "authentik, a service": (TYPED, {**AUTHENTIK, "nonce": ..., "sid": ..., "amr": ...}),
}
ID = {
    "Keycloak": (TYPED, KEYCLOAK_ID),
    "Keycloak without at_hash": (TYPED, {**KEYCLOAK_ID, "at_hash": ...}),
    "Entra": (TYPED, ENTRA_ID),
    "Okta": (UNTYPED, OKTA_ID),
    "Auth0": (TYPED, AUTH0_ID),
    "Cognito": (UNTYPED, COGNITO_ID),
    "Google": (TYPED, GOOGLE_ID),
    "Zitadel": (UNTYPED, ZITADEL_ID),
    "ForgeRock": (TYPED, FORGEROCK_ID),
    "ForgeRock without hashes": (TYPED, {**FORGEROCK_ID, "at_hash": ..., "s_hash": ..., "nonce": ...}),
    "Duende": (TYPED, DUENDE_ID),
    "authentik": (TYPED, AUTHENTIK_ID),
}


def loader(claims, **options):
    """A loader for the issuer of the claims, which takes any audience: the kind of token alone decides."""
    keys = public_key_pem(pem("RS256"), kid="k1")
    return JWT(claims["iss"], audience=None, keys=keys, profile="oidc-compat", **options)


def made(head, claims):
    claims = {name: value for name, value in {**TIMES, **claims}.items() if value is not ...}
    return signed({"alg": "RS256", "kid": "k1", **head}, claims, "RS256")


@pytest.mark.parametrize(("head", "claims"), ACCESS.values(), ids=ACCESS)
def test_an_access_token_is_taken(head, claims):
    identity = loader(claims)(made(head, claims))
    assert identity.subject == claims.get("sub")
    named = [
        claims[name] for name in ("client_id", "azp", "cid", "appid") if name in claims and claims[name] is not ...
    ]
    assert identity.client_id == named[0]


@pytest.mark.rfc("J-12")
@pytest.mark.parametrize(("head", "claims"), ID.values(), ids=ID)
def test_an_id_token_is_refused(head, claims):
    with pytest.raises(InvalidCredentials) as caught:
        loader(claims)(made(head, claims))
    assert "send the access token" in caught.value.reason


@pytest.mark.rfc("J-12")
@pytest.mark.parametrize(
    ("head", "changes"),
    [
        (TYPED, {"nonce": "n"}),
        (UNTYPED, {"nonce": "n"}),
        (TYPED, {"nonce": "n", "typ": "JWT"}),  # says nothing
        (TYPED, {"nonce": "n", "azp": "web", "uid": "ada"}),  # a user's claim called uid, not authentik's
        (TYPED, {"nonce": "n", "acr": "goauthentik.io/providers/oauth2/default", "azp": "web", "uid": ""}),
        (TYPED, {"nonce": "n", "typ": "Bearer", "token_use": "id"}),
        (TYPED, {"nonce": "n", "typ": "Bearer", "tokenName": "id_token"}),
        (TYPED, {"nonce": "n", "typ": ["Bearer"]}),
        (AT, {"nonce": "n", "at_hash": "h"}),  # two signs
        (AT, {"events": {"http://schemas.openid.net/event/backchannel-logout": {}}}),
        (TYPED, {"typ": "Bearer", "c_hash": "h"}),
    ],
    ids=str,
)
def test_what_does_not_outweigh_the_signs_of_an_id_token(head, changes):
    claims = {"iss": "https://id.example.com", "sub": "ada", **changes}
    with pytest.raises(InvalidCredentials):
        loader(claims)(made(head, claims))


@pytest.mark.parametrize(
    ("head", "changes"),
    [
        (AT, {}), ({"typ": "application/AT+JWT"}, {}), (TYPED, {"typ": "bearer"}), (UNTYPED, {"typ": "DPoP"}),
        (TYPED, {"tokenName": "access_token"}), (TYPED, {"token_use": "access"}),
    ],
    ids=str,
)  # fmt: skip
def test_what_outweighs_a_nonce(head, changes):
    claims = {"iss": "https://id.example.com", "sub": "ada", "nonce": "n", **changes}
    assert loader(claims)(made(head, claims)).subject == "ada"


# --- F-24: clients that speak for themselves


@pytest.mark.parametrize("name", ["client_id", "azp", "cid", "appid"])
@pytest.mark.parametrize("subject", [..., None])
def test_a_client_without_a_subject(name, subject):
    claims = {"iss": "https://id.example.com", "sub": subject, name: "worker", "scope": "notes:read"}
    identity = loader(claims)(made(TYPED, claims))
    assert (identity.subject, identity.client_id, identity.scopes) == (None, "worker", {"notes:read"})


@pytest.mark.parametrize(
    "changes",
    [
        {"client_id": ...},
        {"client_id": None},
        {"client_id": ""},
        {"client_id": ["worker"]},
        {"client_id": "x" * 1025},
        {"client_id": "a\nb"},
        {"sub": ""},
        {"sub": 5},
        {"sub": ["ada"]},
        {"sub": "a\nb"},
    ],
    ids=str,
)
def test_neither_a_subject_nor_a_client(changes):
    claims = {"iss": "https://id.example.com", "client_id": "worker", **changes}
    with pytest.raises(InvalidCredentials):
        loader(claims)(made(TYPED, claims))


@pytest.mark.rfc("J-14")
def test_a_client_may_use_a_view_and_is_named(behind):
    claims = {"iss": "https://id.example.com", "client_id": "worker", "scope": "notes:read"}
    app = behind(loader(claims), scopes={"notes:read"})
    assert app.admits(made(TYPED, claims)).client_id == "worker"


def test_who_needs_a_subject_can_demand_it():
    claims = {"iss": "https://id.example.com", "client_id": "worker"}
    needs = loader(claims, required_claims={"sub": ANY})
    assert needs(made(TYPED, {**claims, "sub": "ada"})).subject == "ada"
    for subject in (..., None):
        with pytest.raises(InvalidCredentials) as caught:
            needs(made(TYPED, {**claims, "sub": subject}))
        assert caught.value.reason == "claim 'sub' is absent, expected a value: required_claims= demands it"


@pytest.mark.parametrize(
    ("value", "good"),
    [("x", True), (0, True), (False, True), ([1], True), ("", False), ([], False), ({}, False), (None, False)],
)
def test_any_value_of_a_claim(value, good):
    claims = {"iss": "https://id.example.com", "sub": "ada", "tenant": value}
    needs = loader(claims, required_claims={"tenant": ANY})
    if good:
        assert needs(made(TYPED, claims))
    else:
        with pytest.raises(InvalidCredentials, match=r".*"):
            needs(made(TYPED, claims))


# --- F-25: null is absent


@pytest.mark.parametrize(
    "name",
    ["nbf", "iat", "jti", "scope", "scp", "nonce", "events", "at_hash", "typ", "token_use", "tokenName", "auth_time",
     "acr", "azp", "type", "roles"],
)  # fmt: skip
def test_a_claim_that_may_be_absent_may_be_null(name):
    claims = {"iss": "https://id.example.com", "sub": "ada", "client_id": "web", name: None}
    assert loader(claims, roles_claim="roles")(made(TYPED, claims)).subject == "ada"


def test_null_where_a_claim_is_needed_is_refused():
    claims = {"iss": "https://id.example.com", "sub": "ada", "cnf": None}
    with pytest.raises(InvalidCredentials, match=r".*") as caught:
        loader(claims)(made(TYPED, claims))
    assert caught.value.reason.startswith("cnf is null")
    claims = {"iss": "https://id.example.com", "sub": "ada", "exp": None}
    with pytest.raises(InvalidCredentials):
        loader(claims)(made(TYPED, claims))
    assert loader(claims, allow_eternal=True)(made(TYPED, claims)).expires_at is None
    claims = {"iss": "https://id.example.com", "sub": "ada", "jti": None}
    with pytest.raises(InvalidCredentials):  # what can't be named can't be looked up among the revoked
        loader(claims, revoked=lambda identity: False)(made(TYPED, claims))


def test_null_scope_gives_way_to_scp():
    claims = {"iss": "https://id.example.com", "sub": "ada", "scope": None, "scp": ["notes:read"]}
    assert loader(claims)(made(TYPED, claims)).scopes == {"notes:read"}

"""Bearer tokens and keys: what comes, what ready loaders say of it, and how it is bound."""

from typing import Any

from flask import Flask, Request
from werkzeug.exceptions import Unauthorized as HTTPUnauthorized

from flask_unauthorized import (
    APIKey,
    AuthError,
    Bearer,
    Challenge,
    Identity,
    Scheme,
    abort_unauthorized,
)
from flask_unauthorized.identity import RestrictedIdentity
from flask_unauthorized.loaders import SignedTokens, StaticTokens
from flask_unauthorized.loaders.revocation import Revocations
from flask_unauthorized.stores.memory import MemoryStore
from tests.canaries import register

from . import Row
from .refusing import APP_KEY, KEY, NOW, TOKEN, call_of, clock, request_of, stopped

BEARER = {"Authorization": f"Bearer {TOKEN}"}
HASH = "A" * 43


def bearer(identity: Any = None, headers: Any = BEARER, **given: Any) -> Any:
    return request_of(Bearer(lambda token: identity), headers=headers, **given)


def refuses(token: str) -> Any:
    raise HTTPUnauthorized


def is_down(*given: Any) -> Any:
    raise ConnectionError(TOKEN)


def denies(details: Any) -> bool:
    return False


def returns_none(token: str) -> None:
    return None


def several(*loaders: Any) -> Any:
    return request_of(Bearer(*loaders), headers=BEARER, unavailable=(ConnectionError,))


def bound(certificate: Any, confirmation: Any, **options: Any) -> Any:
    scheme = Bearer(lambda token: Identity("ada", confirmation=confirmation), certificate=certificate, **options)
    return request_of(scheme, headers=BEARER, unavailable=(ConnectionError,))


class Own(Scheme[str]):
    """A scheme of an app, which rejects everything."""

    name = "Own"

    def read(self, request: Request, rest: str | None) -> str | None:
        return rest

    def verify(self, credentials: str, request: Request) -> object:
        return None

    def challenges(self, realm: str, error: AuthError | None, request: Request) -> tuple[Challenge, ...]:
        return (Challenge("Own", {"realm": realm}),)


class OwnUnbound(Own):
    oauth = True

    def __init__(self) -> None:
        super().__init__()
        self.demand_binding()  # as Auth(bound_only=True) does

    def verify(self, credentials: str, request: Request) -> object:
        return Identity("ada")

    def prove(self, identity: Identity, credentials: str, request: Request) -> None:
        pass


class OwnBound(Own):
    def verify(self, credentials: str, request: Request) -> object:
        return Identity("ada", confirmation={"jkt": HASH})


def signed_tokens(make: Any, salt: str = "login") -> Any:
    def run() -> AuthError:
        app = Flask("shop")
        app.secret_key = APP_KEY
        with app.app_context():
            with clock(NOW):
                token = make(SignedTokens("login", lifetime=60))
            register(token)
            with clock(NOW + 3600):
                return call_of(SignedTokens(salt, lifetime=60), token)()

    return run


def forged(tokens: SignedTokens) -> str:
    with clock(NOW + 3600):
        return str(tokens._serializer().dumps({"no": "content"}))


def revoked_by_another_program() -> Any:
    store = MemoryStore()
    revocations = Revocations(store)
    revocations.revoke_subject("https://id.example", "ada")
    for key, entry in store._entries.items():
        store._entries[key] = (entry[0], KEY)
    claims = {"iss": "https://id.example", "jti": "1", "iat": NOW}
    return revocations(Identity("ada", claims=claims))


NOT_A_B64TOKEN = (
    "is not a b64token, expected characters of A-Z a-z 0-9 - . _ ~ + / and = at the end only (RFC 6750 section 2.1)"
)

ROWS = [
    Row("Bearer: None", bearer(), 401, "the loader of Bearer returned None for the token"),
    Row(
        "Token: None",
        request_of(Bearer(lambda token: None, name="Token"), headers={"Authorization": f"Token {TOKEN}"}), 401,
        "the loader of Token returned None for the token",
    ),
    Row(
        "StaticTokens", request_of(Bearer(StaticTokens({"another-token": "ada"})), headers=BEARER), 401,
        "the loader of Bearer returned None for the token",
    ),
    Row(
        "another scheme's verify()", request_of(Own(), headers={"Authorization": f"Own {TOKEN}"}), 401,
        "verify() of Own returned None for the credentials",
    ),
    Row(
        "bound_only= and no binding", request_of(OwnUnbound(), headers={"Authorization": f"Own {TOKEN}"}), 401,
        "Own: the identity has no confirmation, and bound_only=True: the loader must return the cnf of the token",
    ),
    Row(
        "another scheme's binding", request_of(OwnBound(), headers={"Authorization": f"Own {TOKEN}"}), 401,
        "Own: the credentials are bound (cnf has ['jkt']), and Own checks no binding: send a bound token under DPoP, "
        "or give Bearer certificate=",
    ),
    Row(
        "not a b64token", bearer(headers={"Authorization": f"Bearer {TOKEN} x"}), 400,
        f"Bearer: the token (21 characters) {NOT_A_B64TOKEN}",
    ),
    Row(
        "only padding", bearer(headers={"Authorization": "Bearer ==="}), 400,
        f"Bearer: the token (3 characters) {NOT_A_B64TOKEN}",
    ),
    Row(
        "a token in the query and in the field",
        request_of(Bearer(lambda token: None, query=True), headers=BEARER, url=f"/?access_token={TOKEN}"), 400,
        "Bearer: credentials came 2 times in one request, expected once",
    ),
    Row(
        "a query that is not UTF-8",
        request_of(Bearer(lambda token: None, query=True), environ={"QUERY_STRING": f"access_token={TOKEN}\xff"}), 400,
        "the query has octets that are not UTF-8, so access_token can't be read: percent-encode it as UTF-8",
    ),
    Row(
        "a long token in the query",
        request_of(Bearer(lambda token: None, query=True), url="/?access_token=" + "a" * 16385), 400,
        "Bearer: the token is 16385 bytes long, more than 16384: UNAUTHORIZED_MAX_CREDENTIALS allows more",
    ),
    Row(
        "a 401 of Werkzeug", request_of(Bearer(refuses), headers=BEARER), 401,
        "the loader of Bearer raised Unauthorized (401), which rejects the token",
    ),
    Row(
        "the loader aborts", request_of(Bearer(lambda token: abort_unauthorized()), headers=BEARER), 401,
        "the loader of Bearer called abort_unauthorized()",
    ),
    Row(
        "the loader's back end", request_of(Bearer(is_down), headers=BEARER, unavailable=(ConnectionError,)), 503,
        "the loader of Bearer raised ConnectionError, which unavailable= of Auth lists",
    ),
    Row(
        "another callable's back end", bound(is_down, {"x5t#S256": HASH}), 503,
        "certificate= of Bearer raised ConnectionError, which unavailable= of Auth lists",
    ),
    # --- keys
    Row(
        "a key", request_of(APIKey(lambda key: None), headers={"X-API-Key": KEY}), 401,
        "the loader of ApiKey returned None for the key",
    ),
    Row(
        "two keys", request_of(APIKey(lambda key: None), headers={"X-API-Key": f"{KEY},{KEY}"}), 400,
        "APIKey: the header X-API-Key holds a comma, expected one key without commas: a client or a server joined two",
    ),
    Row(
        "a key that is not ASCII", request_of(APIKey(lambda key: None), headers={"X-API-Key": f"{KEY}\xe9"}), 401,
        "APIKey: the header X-API-Key holds a character outside printable ASCII, expected printable ASCII only",
    ),
    Row(
        "a long key", request_of(APIKey(lambda key: None), headers={"X-API-Key": "k" * 16385}), 400,
        "APIKey: the key is 16385 bytes long, more than 16384: UNAUTHORIZED_MAX_CREDENTIALS allows more",
    ),
    Row(
        "two keys in the query", request_of(APIKey(lambda key: None, query="key"), url=f"/?key={KEY}&key={KEY}"), 400,
        "ApiKey: credentials came 2 times in one request, expected once",
    ),
    Row(
        "two keys in cookies",
        request_of(APIKey(lambda key: None, cookie="key"), headers={"Cookie": f"key={KEY}; key={KEY}"}), 400,
        "ApiKey: credentials came 2 times in one request, expected once",
    ),
    # --- how a token is bound
    Row(
        "bound to a key", bearer(Identity("ada", confirmation={"jkt": HASH})), 401,
        "Bearer: the credentials are bound (cnf has ['jkt']), and Bearer checks no binding: send a bound token under "
        "DPoP, or give Bearer certificate=",
    ),
    Row(
        "bound to a key, where certificates are known", bound(lambda request: None, {"jkt": HASH}), 401,
        "Bearer: the token is bound to a key (cnf has jkt), which Bearer doesn't prove: send it under DPoP",
    ),
    Row(
        "bound to nothing", bound(lambda request: None, None, bound_only=True), 401,
        "Bearer: the token is bound to nothing, expected jkt or x5t#S256 in cnf: the issuer must bind it, and the "
        "loader return it as confirmation=",
    ),
    Row(
        "bound by something else", bound(lambda request: None, {"kid": "1"}), 401,
        "Bearer: the token is bound by ['kid'] (cnf), and only jkt and x5t#S256 can be checked",
    ),
    Row(
        "a thumbprint that is short", bound(lambda request: b"der", {"x5t#S256": "x"}), 401,
        "Bearer: x5t#S256 of the token is a text of 1 characters, expected 43 characters of base64url",
    ),
    Row(
        "a thumbprint that is a number", bound(lambda request: b"der", {"x5t#S256": 5}), 401,
        "Bearer: x5t#S256 of the token is of type int, expected 43 characters of base64url",
    ),
    Row(
        "no certificate", bound(lambda request: None, {"x5t#S256": HASH}), 401,
        "Bearer: the token is bound to a certificate, and certificate= returned None, so the client showed none",
    ),
    Row(
        "another certificate", bound(lambda request: b"der", {"x5t#S256": HASH}), 401,
        "Bearer: the client's certificate is not the one that the token is bound to, expected its SHA-256 to be "
        "x5t#S256",
    ),
    # --- several loaders
    Row(
        "no loader recognizes the token", several(StaticTokens({"a": "b"}), SignedTokens("login", 60)), 401,
        "no loader of Bearer recognizes the token: loader 1 (StaticTokens), loader 2 (SignedTokens)",
    ),
    Row(
        "all loaders reject the token", several(refuses, returns_none), 401,
        "loader 1 (refuses): the loader of Bearer raised Unauthorized (401), which rejects the token; loader 2 "
        "(returns_none): it returned None for the token",
    ),
    Row(
        "one loader is unavailable, another one rejects the token", several(returns_none, is_down), 503,
        "loader 1 (returns_none): it returned None for the token; loader 2 (is_down): the loader of Bearer raised "
        "ConnectionError, which unavailable= of Auth lists",
    ),
    # --- ready loaders
    Row(
        "SignedTokens: old", signed_tokens(lambda tokens: tokens.issue("ada")), 401,
        "SignedTokens: the token is 3600 s old, and lifetime=60: issue a new one",
    ),
    Row(
        "SignedTokens: another purpose", signed_tokens(lambda tokens: tokens.issue("ada"), salt="reset"), 401,
        "SignedTokens: the token is not signed for salt='reset' by one of the keys: secret_key=, or SECRET_KEY and "
        "SECRET_KEY_FALLBACKS",
    ),
    Row(
        "SignedTokens: other content", signed_tokens(forged), 401,
        "SignedTokens: the token for salt='login' holds type dict, expected the list that issue() writes",
    ),
    Row(
        "Revocations", call_of(revoked_by_another_program), 503,
        "Revocations: the store holds a text of 17 characters for a subject, expected seconds since 1970: give each "
        "app its own prefix=",
    ),
    # --- what an identity says of itself
    Row(
        "expired", stopped(bearer(Identity("ada", expires_at=NOW - 5))), 401,
        "expires_at has passed: it is 1799999995, and now 1800000000",
    ),
    Row(
        "acr", bearer(Identity("ada", acr="silver"), acr="gold"), 401,
        "acr is 'silver', and acr= of the view accepts ['gold']",
    ),
    Row(
        "no amr", bearer(Identity("ada", amr={"pwd"}), amr={"hwk"}), 401,
        "none of the methods ['hwk'] was used: amr of the login is ['pwd'], and amr= of the view asks for others",
    ),
    Row(
        "restricted by authorization_details", bearer(RestrictedIdentity("ada")), 403,
        "the token carries authorization_details, and the view doesn't look at them, as "
        'authorization_details="demand" of the loader asks: give the guard authorization_details=, a function',
    ),
    Row(
        "authorization_details that do not suffice", bearer(Identity("ada"), authorization_details=denies), 403,
        "authorization_details=denies of the view returned False for those of the caller",
    ),
    Row(
        "no auth_time", bearer(Identity("ada"), max_age=60), 401,
        "the time of the login is unknown (auth_time), and max_age=60 of the view needs it",
    ),
    Row(
        "a login in the future", stopped(bearer(Identity("ada", auth_time=NOW + 61), max_age=60)), 401,
        "the time of the login lies in the future: auth_time is 1800000061, and now 1800000000",
    ),
    Row(
        "an old login", stopped(bearer(Identity("ada", auth_time=NOW - 61), max_age=60)), 401,
        "the login is too old: auth_time is 1799999939, now 1800000000, and max_age=60 of the view",
    ),
    Row(
        "scopes", bearer(Identity("ada", scopes={"c", "a"}), scopes={"b"}), 403,
        "none of ['b'] is granted: the scopes of the credentials are ['a', 'c'], and scopes= of the view asks for "
        "others",
    ),
    Row(
        "roles", bearer(Identity("ada", roles={"clerk"}), roles={"boss"}), 403,
        "none of the roles ['boss'] is held: the caller has ['clerk'], by roles_claim= or the loader, and roles= of "
        "the view asks for others",
    ),
]  # fmt: skip

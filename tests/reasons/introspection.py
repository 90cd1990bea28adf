"""Introspection: what the authorization server says of a token, and what it doesn't."""

import json
from typing import Any

from flask_unauthorized import AuthError
from flask_unauthorized.http_client.client import FetchError
from flask_unauthorized.loaders.introspection import Introspection
from tests.canaries import register

from . import Row
from .refusing import NOW, PASSWORD, TOKEN, call_of, clock

ACTIVE = {"active": True, "sub": "ada", "aud": "api", "iss": "https://id.example"}
WHO = "introspection at https://id.example/introspect"


def made(post: Any, **options: Any) -> Introspection:
    register(PASSWORD)
    given = {"audience": "api", "client_id": "shop", "client_secret": PASSWORD, **options}
    return Introspection("https://id.example/introspect", post=post, **given)


def answered(answer: Any, **options: Any) -> Any:
    """The refusal of one token, of which the server says ``answer`` (octets, or anything for JSON)."""
    octets = answer if isinstance(answer, bytes) else json.dumps(answer).encode()

    def run() -> AuthError:
        with clock():
            return call_of(made(lambda *sent: octets, **options), TOKEN)()

    return run


def member(name: str, value: Any, **options: Any) -> Any:
    return answered({**ACTIVE, name: value}, **options)


def failing(error: Exception, times: int = 1) -> Any:
    def post(*sent: Any) -> bytes:
        raise error

    def run() -> AuthError:
        load = made(post)
        for _ in range(times - 1):
            call_of(load, TOKEN)()
        return call_of(load, TOKEN)()

    return run


def cached_rejection() -> AuthError:
    load = made(lambda *sent: b'{"active": false}')
    call_of(load, TOKEN)()
    return call_of(load, TOKEN)()


def cached_and_expired() -> AuthError:
    load = made(lambda *sent: json.dumps({**ACTIVE, "exp": NOW + 10}).encode())
    with clock():
        load(TOKEN)
    with clock(NOW + 11):
        return call_of(load, TOKEN)()


def overtaken() -> AuthError:
    """Another request gets a later answer while this one waits for its own."""
    answers = iter(['{"active": false}', json.dumps(ACTIVE)])
    begun = []

    def post(*sent: Any) -> bytes:
        if not begun:
            begun.append(True)
            call_of(load, TOKEN)()
        return next(answers).encode()

    load = made(post)
    return call_of(load, TOKEN)()


def crowded() -> AuthError:
    found = []

    def post(*sent: Any) -> bytes:
        found.append(call_of(load, f"{TOKEN}-2")())
        return json.dumps(ACTIVE).encode()

    load = made(post, max_concurrent=1)
    load(TOKEN)
    return found[0]


def without(name: str) -> Any:
    return answered({key: value for key, value in ACTIVE.items() if key != name})


WRONG = "in the introspection response has the wrong type:"
ROWS = [
    Row(
        "authorization_details without a value", member("authorization_details", None), 401,
        "authorization_details is null, expected an array of objects with a text as type "
        "(RFC 9396 section 2): the issuer has to correct that",
    ),
    Row(
        "authorization_details of another form", member("authorization_details", ["payment"]), 401,
        "authorization_details is an array with something else, expected an array of objects with a text as type "
        "(RFC 9396 section 2): the issuer has to correct that",
    ),
    Row("no token", call_of(made(None), ""), 401, "the token has 0 characters, expected 1 to 65536 of printable ASCII"),
    Row(
        "inactive", answered({"active": False}), 401,
        "the authorization server says that the token isn't active (active: false)",
    ),
    Row(
        "inactive, cached", cached_rejection, 401,
        "the authorization server says that the token isn't active (active: false) (cached: see negative_cache=)",
    ),
    Row(
        "inactive, by a later answer", overtaken, 401,
        "the authorization server says that the token isn't active (active: false) (response to a later request)",
    ),
    Row(
        "active, and expired since", cached_and_expired, 401,
        "exp has passed since the authorization server was asked: it is 1800000010, and now 1800000011",
    ),
    Row(
        "no active", answered({"error": "invalid_client"}), 503,
        "active in the introspection response is missing (RFC 7662 section 2.2); error is 'invalid_client'",
    ),
    Row(
        "active that is a text", answered({"active": "yes"}), 503,
        "active in the introspection response is 'yes', not true or false (RFC 7662 section 2.2)",
    ),
    Row(
        "exp", member("exp", NOW - 1), 401,
        "exp has passed, though the authorization server says active: exp is 1799999999, and it is 1800000000 here",
    ),
    Row(
        "nbf", member("nbf", NOW + 61), 401,
        "nbf has not come, though the authorization server says active: nbf is 1800000061, and it is 1800000000 here",
    ),
    Row(
        "iss", member("iss", "https://evil.example", issuer="https://id.example"), 401,
        "iss is 'https://evil.example', and issuer='https://id.example'",
    ),
    Row("aud", member("aud", "files"), 401, "aud is 'files', and audience=['api']"),
    Row(
        "no aud", without("aud"), 401,
        "the authorization server names no aud, and audience=['api']: audience=None accepts tokens without one",
    ),
    Row(
        "exp that is a text", member("exp", "soon"), 503,
        f"exp {WRONG} str and not a number (RFC 7662 section 2.2)",
    ),
    Row(
        "a long sub", member("sub", "x" * 1025), 503,
        f"sub {WRONG} str and not text of at most 1024 characters (RFC 7662 section 2.2)",
    ),
    Row(
        "typ", member("typ", "Refresh"), 401,
        "typ is 'Refresh', so this is not an access token: send the access token",
    ),
    Row("type", member("type", "id"), 401, "type is 'id', so this is not an access token: send the access token"),
    Row(
        "DPoP without cnf", member("token_type", "DPoP"), 401,
        "token_type is DPoP, but cnf names no key (RFC 9449 section 6.2)",
    ),
    Row("cnf null", member("cnf", None), 401, "cnf is null, so it names no key (RFC 7800 section 3.1)"),
    Row(
        "cnf", member("cnf", {"kid": "1"}), 401,
        "cnf binds the token by ['kid'], and only a text for ['jkt', 'x5t#S256'] is known here (RFC 7800 section 3.1)",
    ),
    Row(
        "no user", answered(ACTIVE, user=lambda identity: None), 401,
        "user= returned None, so it knows no user for the subject of this token",
    ),
    Row("no JSON", answered(b"oops"), 503, f"{WHO}: the response is not a JSON object (not JSON)"),
    Row("a bug of post=", failing(KeyError(TOKEN)), 503, f"{WHO}: KeyError while asking"),
    Row("no connection", failing(ConnectionError(TOKEN)), 503, f"{WHO}: ConnectionError while asking"),
    Row("no connection for some time", failing(ConnectionError(TOKEN), 4), 503, f"{WHO}: ConnectionError while asking"),
    Row(
        "another status",
        failing(FetchError("POST https://id.example/introspect: responded with 500", status=500)),
        503,
        f"{WHO}: POST https://id.example/introspect: responded with 500",
    ),
    Row("too many", crowded, 503, f"{WHO}: 1 tokens are being asked about, and max_concurrent=1"),
]  # fmt: skip

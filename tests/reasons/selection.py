"""What is sent, before a scheme verifies it; and refusals that an app asks for."""

from typing import Any

from flask import Flask, abort

from flask_unauthorized import APIKey, Auth, Basic, Bearer, Identity, SessionCookie, abort_forbidden, abort_unauthorized
from flask_unauthorized.wire.grammar import DEFAULT_CREDENTIAL_LIMIT

from . import Row
from .refusing import KEY, TOKEN, request_of
from .tokens import BEARER

bearer = lambda: Bearer(lambda token: Identity("ada"))  # noqa: E731
key = lambda: APIKey(lambda key: Identity("ada"))  # noqa: E731
cookie = lambda **options: APIKey(lambda key: Identity("ada"), cookie="key", **options)  # noqa: E731

TWO = (
    "Authorization holds two credentials with a comma between them, expected one: a client or a server joined two "
    "fields"
)
LONG = "https://" + "a" * 60 + ".example"
NOTHING = "no credentials came for a scheme in force: Bearer in Authorization"


def past_the_layer(auth: Auth, app: Flask) -> None:
    inner = app.wsgi_app
    auth.forward_auth("/asked", proxies=["127.0.0.1"])
    app.wsgi_app = inner  # type: ignore[method-assign]  # Flask's own idiom


def in_resource(auth: Auth, app: Flask) -> None:
    auth.protected_resource(
        "https://api.example.com", authorization_servers=["https://id.example.com"], origins=["https://app.example"]
    )


def cross_site(origin: str, site: str) -> Any:
    """A request that a page of another site sent."""
    headers = {"Cookie": f"key={KEY}", "Origin": origin, "Sec-Fetch-Site": site}
    return request_of(cookie(trusted_origins=["https://app.example", LONG]), method="POST", headers=headers)


ROWS = [
    Row("nothing", request_of(bearer()), 401, NOTHING),
    Row(
        "nothing, of several schemes",
        request_of(Basic(lambda name, password: None), Bearer(lambda token: None, query=True), key(),
                   SessionCookie(lambda subject: None)),
        401,
        "no credentials came for a scheme in force: Basic in Authorization, Bearer in Authorization or the query "
        "access_token, ApiKey in the header x-api-key, Cookie in Flask's session",
    ),
    Row(
        "a scheme that is not in force", request_of(bearer(), headers={"Authorization": f"Foo {TOKEN}"}), 401,
        f"{NOTHING} (Authorization holds credentials of another scheme)",
    ),
    Row(
        "a known scheme that is not in force", request_of(bearer(), headers={"Authorization": f"Token {TOKEN}"}), 401,
        f"{NOTHING} (Authorization holds credentials of Token)",
    ),
    Row(
        "a token for a view that takes logins only",
        request_of(SessionCookie(lambda subject: None), headers={"Authorization": f"Bearer {TOKEN}"}),
        401,
        "no credentials came for a scheme in force: Cookie in Flask's session (Authorization holds credentials of "
        "Bearer)",
    ),
    Row(
        "a word for a view that takes logins only",
        request_of(SessionCookie(lambda subject: None), headers={"Authorization": f"Foo {TOKEN}"}),
        401,
        "no credentials came for a scheme in force: Cookie in Flask's session",
    ),
    Row(
        "a secret without a scheme", request_of(bearer(), headers={"Authorization": TOKEN}), 401,
        f"{NOTHING} (Authorization holds one word ({len(TOKEN)} characters) without the name of a scheme before it)",
    ),
    Row(
        "a scheme without a secret", request_of(bearer(), headers={"Authorization": "Bearer"}), 401,
        f"{NOTHING} (Authorization holds the name Bearer alone)",
    ),
    Row(
        "no scheme", request_of(bearer(), headers={"Authorization": f"Bearer:{TOKEN}"}), 400,
        "Authorization (26 characters) doesn't begin with the name of a scheme and a blank, expected such as 'Bearer ' "
        "(RFC 9110 section 11.4)",
    ),
    Row("two in a field", request_of(bearer(), headers={"Authorization": f"Foo YII=, Bearer {TOKEN}"}), 400, TWO),
    Row(
        "two in a field that is broken", request_of(bearer(), headers={"Authorization": f'Foo a="b, Bearer {TOKEN}'}),
        400, TWO,
    ),
    Row(
        "a long field", request_of(bearer(), headers={"Authorization": "B" * (DEFAULT_CREDENTIAL_LIMIT + 1)}), 400,
        "Authorization is 16385 bytes long, more than 16384: UNAUTHORIZED_MAX_CREDENTIALS allows more",
    ),
    Row(
        "two carriers", request_of(bearer(), key(), headers={**BEARER, "X-API-Key": KEY}), 400,
        "credentials for Bearer and ApiKey came in one request, expected one of them",
    ),
    Row(
        "plain HTTP", request_of(bearer(), headers=BEARER, config={"UNAUTHORIZED_REQUIRE_HTTPS": True}), 403,
        "the request came over plain HTTP, and UNAUTHORIZED_REQUIRE_HTTPS is on: behind a proxy that ends TLS use "
        "ProxyFix",
    ),
    Row(
        "an origin that the resource doesn't trust",
        request_of(bearer(), headers={**BEARER, "Origin": "https://evil.example"}, url="https://api.example.com/",
                   prepare=in_resource),
        403,
        "Origin is 'https://evil.example', expected one of ['https://api.example.com', 'https://app.example']: "
        "origins= of the resource",
    ),
    Row(
        "past the layer of forward_auth()",
        request_of(bearer(), headers=BEARER, url="/asked", prepare=past_the_layer),
        403,
        "the request reached the endpoint of forward_auth() past its WSGI layer: call app.wsgi_app, and put no other "
        "WSGI application into its place",
    ),
    Row(
        "cross-site",
        request_of(cookie(trusted_origins=["https://app.example"]), method="POST",
                   headers={"Cookie": f"key={KEY}", "Sec-Fetch-Site": "cross-site"}),
        403,
        "the request with ApiKey came from another site: Origin is None and Sec-Fetch-Site 'cross-site', expected one "
        "of ['https://app.example'] of trusted_origins=",
    ),
    Row(
        "cross-site, by a proxy that the app doesn't know",
        request_of(cookie(), method="POST", headers={"Cookie": f"key={KEY}", "Origin": "https://localhost"}), 403,
        "the request with ApiKey came from another site: Origin is 'https://localhost' and Sec-Fetch-Site None (and "
        "the app sees plain HTTP: behind a proxy, tell Flask of HTTPS with werkzeug's ProxyFix), expected one of [] of "
        "trusted_origins=",
    ),
    Row(
        "cross-site, by its origin",
        request_of(cookie(), method="POST", headers={"Cookie": f"key={KEY}", "Origin": "https://evil.example"}), 403,
        "the request with ApiKey came from another site: Origin is 'https://evil.example' and Sec-Fetch-Site None, "
        "expected one of [] of trusted_origins=",
    ),
    Row(
        "the identity of nobody", request_of(bearer(), guard="login_optional", view=lambda auth: auth.identity.subject),
        401, "auth.identity or auth.user was read, and no credentials came: get_identity() returns None then",
    ),
    # --- what an app refuses
    Row(
        "abort_unauthorized()", request_of(bearer(), guard=None, view=lambda auth: abort_unauthorized()), 401,
        "abort_unauthorized() was called without reason=",
    ),
    Row(
        "abort_unauthorized(reason=...)",
        request_of(bearer(), guard=None, view=lambda auth: abort_unauthorized(reason="the account is locked")), 401,
        "the account is locked",
    ),
    Row(
        "abort_forbidden(), of nobody", request_of(bearer(), guard=None, view=lambda auth: abort_forbidden()), 401,
        NOTHING,
    ),
    Row(
        "abort_forbidden(), of an anonymous caller",
        request_of(bearer(), guard="login_optional", view=lambda auth: abort_forbidden()), 401,
        "abort_forbidden() was called for an unknown caller, so it became 401: a login may help",
    ),
    Row(
        "abort_forbidden()", request_of(bearer(), headers=BEARER, view=lambda auth: abort_forbidden()), 403,
        "the view called abort_forbidden()",
    ),
    Row(
        "abort_forbidden(scopes=...)",
        request_of(bearer(), headers=BEARER, view=lambda auth: abort_forbidden(scopes="read write")), 403,
        "the view called abort_forbidden(scopes=['read', 'write'])",
    ),
    Row(
        "abort(401)", request_of(bearer(), guard=None, view=lambda auth: abort(401)), 401,
        "the app or another extension responded with 401 by itself: abort_unauthorized() takes a reason=",
    ),
]  # fmt: skip

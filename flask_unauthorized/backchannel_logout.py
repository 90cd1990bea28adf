"""The endpoint at which an OpenID provider ends logins (OpenID Connect Back-Channel Logout 1.0 §2.5 to §2.8).

Theory of operation
-------------------

The provider's server posts a logout token. No user and no browser takes part, so the request has no cookie and no CSRF
token, and the token's signature authenticates the provider. The endpoint is a WSGI layer around the app, not a route:
hooks that demand a login or a CSRF token, such as that of Flask-WTF, would refuse the provider.

A request to the path of an endpoint takes these steps:

1. The method must be POST (else 405), and the body a form of at most `MAX_BODY` bytes with one ``logout_token``. The
   query and other parameters don't count.
2. `LogoutTokens` verifies the token.
3. A ``jti`` that was accepted before is refused (§2.6 step 8).
4. `SessionCookie.end_by_provider` ends the sessions. That there are none is a success (§2.7).
5. The ``jti`` is recorded until the token can't be accepted any more.
6. The response is 200 or 400, with ``Cache-Control: no-store`` (§2.8).

Decisions:

- The ``jti`` is recorded last. If the store fails in between, the provider can send the same token again, and ending a
  session twice does no harm. Of several requests with one token at the same time, exactly one gets 200, because the
  entry is made by compare and swap. All of them have ended the sessions by then.
- §2.8 says: "If the logout request was invalid or the logout failed, the RP MUST respond with HTTP 400 Bad Request."
  One case differs: if the store or the key server is unavailable, the response is a 503 with ``Retry-After``. Promise:
  a server-side failure is always a 503. §2.5 lets the provider repeat a request only after "potentially recoverable
  errors", and the status says that this is one.
- The response names no reason, because everyone may send a request. The log does, and in debug the body does too.

Invariants: no part of a token gets into a response, a log or a traceback. A mistake of the set-up, or an exception
of ``subject=``, is raised to the server (500). Then nothing was recorded.
"""

import json
import logging
from collections.abc import Callable, Iterable
from time import time
from typing import TYPE_CHECKING, Any, Final, Protocol
from urllib.parse import parse_qsl

from flask import Flask
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Request

from .errors import AuthError, AuthUnavailable, ConfigurationError, InvalidCredentials, MalformedCredentials
from .errors.text import loggable_text
from .events import log_event
from .loaders.claims import check_parts, validated_callable
from .loaders.logout_tokens import LogoutToken, LogoutTokens
from .schemes.run_async import resolve_awaitable
from .schemes.session.scheme import SessionCookie
from .stores.base import MIN_LIFETIME, Store
from .wsgi import add_layer, validated_path

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

MAX_BODY: Final = 64 * 1024
"""Longest body, in bytes. A logout token has about 1 000."""
MAX_PARAMETERS: Final = 20
"""Most parameters of the form. Providers send one."""
USED_TOKEN: Final = "logout-token"
"""The purpose of the store's entries."""
_FORM: Final = "application/x-www-form-urlencoded"


class AppWithLogoutEndpoints(Protocol):
    """The part of an app's state that the endpoints need."""

    @property
    def app(self) -> Flask:
        """The app."""
        ...

    backchannel_logout: "dict[str, LogoutEndpoint]"
    """The endpoints of the app, by path."""
    logged_once: set[object]
    """Keys of the messages that were logged, and aren't logged again."""
    realm: str
    """The realm of the app, once the state is ready."""
    diagnostics_enabled: bool
    """Whether bodies explain refusals to the developer."""

    def prepare(self) -> None:
        """Make the state ready. Raises `ConfigurationError` for a mistake."""


class LogoutEndpoint:
    """An endpoint for one provider.

    Args:
        path: Its path in the app.
        tokens: Verifies the tokens of the provider.
        scheme: The scheme whose sessions end.
        subject: Maps the provider's ``sub`` to a subject of the app; it may be async.

    Raises:
        ConfigurationError: If the path has variables, or if the scheme has no suitable store.
        TypeError: If the path isn't a ``str``.
    """

    def __init__(
        self, path: str, tokens: LogoutTokens, scheme: SessionCookie, subject: Callable[[str], Any] | None
    ) -> None:
        self.path: Final = validated_path("backchannel_logout", path, "/backchannel-logout", "issuer=…")
        self.store: Final = _store_of(scheme)
        self._tokens = tokens
        self._scheme = scheme
        self.scheme_name: Final = scheme.name
        self._subject = validated_callable("subject", subject)

    def check(self, app: Flask) -> None:
        """Check before an app's first request.

        Raises:
            ConfigurationError: If the app has a route with this path, or if the keys can't work.
        """
        if any(rule.rule == self.path for rule in app.url_map.iter_rules()):
            raise ConfigurationError(
                f"the app {app.name!r} has a route for {self.path!r} already, which backchannel_logout() would hide: "
                "give one of them another path"
            )
        check_parts(app, self._tokens, self._subject)

    def end_logins(self, token: str, realm: str) -> list[tuple[str, str]]:
        """End the logins that a logout token names. Return the user and the session of each that was alive.

        Args:
            token: The token.
            realm: The realm of the app, in which the token is recorded.

        Raises:
            AuthUnavailable: If the store or the keys are unavailable.
            InvalidCredentials: If the token isn't valid, or was accepted before.
        """
        try:
            found = self._tokens(token)
        finally:
            del token  # a traceback shows locals
        key = json.dumps([realm, self._tokens.issuer, found.jti])
        if self.store.get(USED_TOKEN, key) is not None:
            raise _used()
        ended = self._end(found)
        lifetime = max(MIN_LIFETIME, found.end - time())
        if not self.store.replace(USED_TOKEN, key, None, "used", lifetime):
            raise _used()
        return ended

    def _end(self, found: LogoutToken) -> list[tuple[str, str]]:
        subject = found.subject
        if self._subject is not None and subject is not None:
            subject = self._mapped(subject)
            if subject is None:
                return []
        elif found.sid is not None:
            # The provider's name of a user is usually not the app's. Comparing them would end nothing.
            subject = None
        return self._scheme.end_by_provider(self._tokens.issuer, sid=found.sid, subject=subject)

    def _mapped(self, subject: str) -> str | None:
        look_up: Any = self._subject
        mapped = self._scheme.call_option("subject=", lambda: resolve_awaitable(look_up(subject)))
        if mapped is not None and (not isinstance(mapped, str) or not mapped):
            raise TypeError(
                f"subject= of backchannel_logout() returned a {type(mapped).__name__}: return the subject that login() "
                "was given, a str that isn't empty, or None for an unknown user"
            )
        return mapped


def _store_of(scheme: SessionCookie) -> Store:
    store = scheme.store
    if store is None or not store.can_replace:
        what = "no store" if store is None else f"a {type(store).__name__} without replace"
        raise ConfigurationError(
            f"backchannel_logout() has to find and end sessions, and the SessionCookie has {what}: "
            "write SessionCookie(…, store=SQLiteStore(path))"
        )
    return store


def _used() -> InvalidCredentials:
    return InvalidCredentials(
        reason="jti was accepted before, and that logout is done: the provider has to send each token once"
    )


def add_logout_endpoint(state: AppWithLogoutEndpoints, endpoint: LogoutEndpoint) -> None:
    """Add an endpoint to an app."""
    if not state.backchannel_logout:
        add_layer(state.app, lambda inner: _with_endpoints(state, inner))
    state.backchannel_logout[endpoint.path] = endpoint


def _with_endpoints(state: AppWithLogoutEndpoints, app: "WSGIApplication") -> "WSGIApplication":
    endpoints = state.backchannel_logout

    def serve(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        endpoint = endpoints.get(environ.get("PATH_INFO", ""))
        if endpoint is None:
            return app(environ, start_response)
        if environ["REQUEST_METHOD"] != "POST":
            body = _respond(start_response, "405 Method Not Allowed", {"error": "invalid_request"}, ("Allow", "POST"))
            return [] if environ["REQUEST_METHOD"] == "HEAD" else body
        with state.app.app_context():
            return _serve_logout(state, endpoint, environ, start_response)

    return serve


def _serve_logout(
    state: AppWithLogoutEndpoints,
    endpoint: LogoutEndpoint,
    environ: "WSGIEnvironment",
    start_response: "StartResponse",
) -> list[bytes]:
    try:
        state.prepare()
        ended = endpoint.end_logins(_logout_token(environ), state.realm)
    except AuthUnavailable as error:
        log_event(
            logging.WARNING,
            "refused",
            "%s could not end logins: %s",
            endpoint.path,
            loggable_text(error.reason),
            request=Request(environ),
            reason_code=error.reason_code,
        )
        return _respond(
            start_response,
            "503 Service Unavailable",
            {"error": "temporarily_unavailable", "error_description": str(error.description)},
            ("Retry-After", str(error.retry_after)),
        )
    except AuthError as error:
        reason = loggable_text(error.reason)
        # The first one of its kind is a WARNING: the set-up may be wrong, and then users stay logged in.
        key = "backchannel_logout", endpoint.path, reason.partition(" ")[0]
        is_first = key not in state.logged_once
        state.logged_once.add(key)
        log_event(
            logging.WARNING if is_first else logging.INFO,
            "refused",
            "%s refused a logout: %s",
            endpoint.path,
            reason,
            request=Request(environ),
            reason_code=error.reason_code,
        )
        public = _description(reason) if state.diagnostics_enabled else "The logout token is missing or not valid."
        return _respond(start_response, "400 Bad Request", {"error": "invalid_request", "error_description": public})
    found: list[tuple[str | None, str | None]] = [*ended] or [(None, None)]
    for subject, session in found:
        log_event(
            logging.INFO,
            "sessions_ended",
            "%s: the provider ended %s",
            endpoint.path,
            "no login" if session is None else "a login",
            request=Request(environ),
            scheme=endpoint.scheme_name,
            subject=subject,
            session=session,
        )
    return _respond(start_response, "200 OK", None)


def _logout_token(environ: "WSGIEnvironment") -> str:
    """Return the parameter ``logout_token`` of the body. Raises `MalformedCredentials`."""
    request = Request(environ)
    if request.mimetype != _FORM:
        raise _malformed(f"Content-Type is not {_FORM}")
    request.max_content_length = MAX_BODY
    try:
        pairs = parse_qsl(
            request.get_data(cache=False).decode("ascii"),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=MAX_PARAMETERS,
        )
    except (HTTPException, ValueError, OSError) as error:
        raise _malformed(
            f"the body can't be read as a form of at most {MAX_BODY} bytes and {MAX_PARAMETERS} parameters "
            f"({type(error).__name__})"
        ) from None
    tokens = [value for name, value in pairs if name == "logout_token"]
    if len(tokens) != 1:
        raise _malformed(f"the body has {len(tokens)} parameters logout_token, expected one")
    return tokens[0]


def _malformed(reason: str) -> MalformedCredentials:
    return MalformedCredentials(
        reason=f"{reason}: the provider has to send a form, see Back-Channel Logout 1.0 section 2.5"
    )


def _description(reason: str) -> str:
    """Return a reason in the characters of ``error_description`` (RFC 6749 §5.2)."""
    return reason.encode("ascii", "replace").decode("ascii").replace('"', "'").replace("\\", "/")


def _respond(
    start_response: "StartResponse", status: str, content: dict[str, str] | None, *headers: tuple[str, str]
) -> list[bytes]:
    body = b"" if content is None else json.dumps(content).encode()
    kind = () if content is None else (("Content-Type", "application/json"),)
    start_response(status, [*kind, *headers, ("Cache-Control", "no-store"), ("Content-Length", str(len(body)))])
    return [body]

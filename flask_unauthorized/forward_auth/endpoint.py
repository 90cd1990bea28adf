"""Answer proxies that ask whether a request may pass (nginx ``auth_request``, Caddy ``forward_auth``, Traefik).

The endpoint is a guarded view like others. A WSGI layer around the app makes its request the original one, and its
response one that a proxy understands. A request to the path of an endpoint takes these steps:

1. If the peer is not a named proxy, the layer responds with 403 and gives no reason. Any client could
   forge what follows.
2. The original request is read out of the fields that the proxy sent (`original`). If they are broken: 403.
3. A CORS preflight passes: browsers send it without credentials, and the service behind the proxy answers it.
4. The app handles the original request at the path of the endpoint. Hooks, schemes, the check of cross-site requests,
   Digest and DPoP all see the method, URI, host and scheme that the client used.
5. The answer is brought into the form that the proxy takes (`_Answer`).

Invariants:

- Only a request whose guard has let it pass is answered 2xx, and always 204. A hook or handler of the app that answers
  200 for a maintenance page or an error opens nothing.
- nginx gets 204, 401 and 403 only. All else it would turn into its own 500. ``X-Auth-Status`` holds the real status.
- Caddy and Traefik send their client what they get, so refusals keep their status: a back end that is unavailable is
  a 503. A redirect is sent only to the login page.
- A 401 is never made of another status: the caller can't repair a server-side failure by other credentials.
"""

import logging
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, Final, Protocol

from flask import Flask
from werkzeug.wrappers import Request
from werkzeug.wsgi import ClosingIterator

from ..errors import ConfigurationError
from ..errors.text import shown
from ..events import log_event
from ..proxies import TrustedProxies, peer_address
from ..wsgi import add_layer
from .forwarded import Forwarded
from .original import BrokenForwarding, original_environ, read_original

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

STATUS_FIELD: Final = "X-Auth-Status"
"""The real status of a refusal that nginx gets as 403."""
LOGIN_FIELD: Final = "X-Auth-Login"
"""The absolute URL of the login page, on a 401 for a browser that opens a page."""
_STATUS_LINES: Final = {204: "204 No Content", 403: "403 Forbidden"}


class AppWithForwardAuth(Protocol):
    """The part of an app's state that the endpoints need."""

    @property
    def app(self) -> Flask:
        """The app."""
        ...

    got_first_request: bool
    """Whether the app has served a request."""
    forward_auth: dict[str, "Endpoint"]
    """The endpoints of the app, by path."""
    logged_once: set[object]
    """Keys of the messages that were logged, and aren't logged again."""


class Endpoint:
    """An endpoint that proxies ask.

    Args:
        path: Its path in the app.
        proxies: The proxies that may ask.
        view: The guarded view.
    """

    def __init__(self, path: str, proxies: TrustedProxies, view: Callable[..., Any]) -> None:
        self.path: Final = path
        self.proxies: Final = proxies
        self.view: Final = view
        self.name: Final = f"forward_auth:{path}"


def add_endpoint(state: AppWithForwardAuth, endpoint: Endpoint) -> None:
    """Add an endpoint to an app.

    Raises:
        ConfigurationError: If the app has a route with this path already.
    """
    app = state.app
    if any(rule.rule == endpoint.path for rule in app.url_map.iter_rules()):
        raise ConfigurationError(
            f"the app {app.name!r} has a route for {endpoint.path!r} already: give forward_auth() another path"
        )
    if not state.forward_auth:
        add_layer(app, lambda inner: _with_endpoints(state, inner))
    state.forward_auth[endpoint.path] = endpoint
    # A rule without methods takes all of them. Flask's add_url_rule would give it GET.
    host = "<forwarded_host>" if app.url_map.host_matching else None
    app.url_map.add(app.url_rule_class(endpoint.path, endpoint=endpoint.name, host=host))
    app.view_functions[endpoint.name] = endpoint.view


def _with_endpoints(state: AppWithForwardAuth, app: "WSGIApplication") -> "WSGIApplication":
    endpoints = state.forward_auth

    def serve(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        endpoint = endpoints.get(environ.get("PATH_INFO", ""))
        if endpoint is None:
            return app(environ, start_response)
        if not endpoint.proxies.trusts(environ):
            return _refuse(
                state,
                endpoint,
                environ,
                start_response,
                f"the peer {shown(peer_address(environ))} is not in proxies=: name it there if it is your proxy",
            )
        try:
            forwarded = read_original(environ)
        except BrokenForwarding as error:
            return _refuse(state, endpoint, environ, start_response, str(error))
        original = original_environ(environ, forwarded)
        if _is_preflight(original):
            start_response(_STATUS_LINES[204], [("Cache-Control", "no-store")])
            return []
        answer = _Answer(forwarded, start_response)
        body = app(original, answer)
        if answer.is_started and not answer.drops_body:
            return body
        if not answer.is_started:  # A middleware inside of this layer is a generator.
            return ClosingIterator(_unless_dropped(body, answer), getattr(body, "close", None))
        close = getattr(body, "close", None)
        if close is not None:
            close()
        return []

    return serve


def _is_preflight(environ: "WSGIEnvironment") -> bool:
    return (
        environ["REQUEST_METHOD"] == "OPTIONS"
        and "HTTP_ORIGIN" in environ
        and "HTTP_ACCESS_CONTROL_REQUEST_METHOD" in environ
    )


def _refuse(
    state: AppWithForwardAuth,
    endpoint: Endpoint,
    environ: "WSGIEnvironment",
    start_response: "StartResponse",
    reason: str,
) -> Iterable[bytes]:
    """Answer 403 before the app sees the request. The first time it is a WARNING: it may be a mistake of the set-up."""
    key = endpoint.name, reason.partition(" ")[0]  # the field or the peer, and no word of a client
    is_first = key not in state.logged_once
    state.logged_once.add(key)
    log_event(
        logging.WARNING if is_first else logging.INFO,
        "refused",
        "refused %s: %s",
        endpoint.name,
        reason,
        request=Request(environ),
        reason_code="malformed",
    )
    body = b"Forbidden\n"
    start_response(
        _STATUS_LINES[403],
        [
            ("Content-Type", "text/plain; charset=utf-8"),
            ("Content-Length", str(len(body))),
            ("Cache-Control", "no-store"),
        ],
    )
    return [body]


def _unless_dropped(body: Iterable[bytes], answer: "_Answer") -> Iterator[bytes]:
    """Give the body that is sent. A proxy would take octets beyond ``Content-Length`` for the next response."""
    for chunk in body:
        if answer.drops_body:
            return
        yield chunk


class _Answer:
    """A ``start_response`` that brings an answer of the app into the form that the proxy takes."""

    __slots__ = ("_forwarded", "_start_response", "drops_body", "is_started")

    def __init__(self, forwarded: Forwarded, start_response: "StartResponse") -> None:
        self._forwarded = forwarded
        self._start_response = start_response
        self.drops_body = False
        """Whether the body of the app isn't sent. It is known when the app has called this object, as Flask does."""
        self.is_started = False

    def __call__(self, status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
        self.is_started = True
        code = int(status[:3])
        sent = self._sent_status(code, headers)
        if sent != code:
            status = _STATUS_LINES[sent]
        if sent == 403 != code:
            headers = _without(headers, "Location", "Cache-Control")
            headers += [("Cache-Control", "no-store"), (STATUS_FIELD, str(code))]
        if sent == 401:
            headers = _joined_challenges(headers)
            if self._forwarded.login_url is not None:
                headers.append((LOGIN_FIELD, self._forwarded.login_url))
        self.drops_body = sent == 204 or self._forwarded.method == "HEAD" or (sent != code and code < 400)
        if self.drops_body:
            headers = _without(headers, "Content-Length", "Content-Type")
            if sent != 204:  # The proxy asked by GET, so it would wait for a body.
                headers.append(("Content-Length", "0"))
        return self._start_response(status, headers, exc_info)

    def _sent_status(self, code: int, headers: list[tuple[str, str]]) -> int:
        """Return the status that the proxy gets."""
        forwarded = self._forwarded
        if code < 300:
            return 204 if forwarded.accepted and code >= 200 else 403
        if code < 400:
            location = next((value for name, value in headers if name.lower() == "location"), None)
            is_login = forwarded.takes_all_statuses and location is not None and location == forwarded.login_url
            return code if is_login else 403
        return code if forwarded.takes_all_statuses or code == 401 else 403


def _without(headers: list[tuple[str, str]], *names: str) -> list[tuple[str, str]]:
    dropped = {name.lower() for name in names}
    return [line for line in headers if line[0].lower() not in dropped]


def _joined_challenges(headers: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return headers with all challenges on one line: nginx before 1.23 passes on the first line only."""
    challenges = [value for name, value in headers if name.lower() == "www-authenticate"]
    rest = _without(headers, "WWW-Authenticate")
    return [*rest, ("WWW-Authenticate", ", ".join(challenges))] if challenges else rest

"""From an error to a response: the second net. The app's own handlers keep deciding bodies."""

from collections.abc import Callable
from typing import Any, Final

from flask import Flask, Request, Response
from werkzeug.datastructures import Headers
from werkzeug.exceptions import HTTPException
from werkzeug.exceptions import Unauthorized as HTTPUnauthorized

from ..authentication.authenticate import SAFE_METHODS, State, log
from ..browser.login import login_page, login_redirect
from ..errors import AuthError, Unauthorized, fixed_wording, is_text
from ..policy.plan import keep
from ..rendering.html import CONTENT_SECURITY_POLICY, page
from ..rendering.negotiation import choose_language, negotiate
from ..rendering.problem import Explanation, facts
from ..rendering.renderers import BUILT_IN, Body, content_type
from ..runtime.app_state import AppState
from ..runtime.context import complete_once, plan_in_force, real_app, real_request, state_for
from ..runtime.exception_groups import handler_without_ours, refusal_of_group
from ..runtime.preconditions import PRECONDITIONS, ignore_preconditions
from ..wire import Challenge
from .diagnostics import explain

Renderer = Callable[[Any], "Body | Response"]
MAX_HANDLERS: Final = 4096
"""Most answers kept of the question which handler of the app an error has."""
_NO_SNIFFING: Final = ("X-Content-Type-Options", "nosniff")
"""On every body of ours: it holds the app's words, and maybe the caller's, which no browser may take for HTML."""
_READY: Final[dict[Any, bytes]] = {}


class _Answer:
    """A refusal that is the same in the next request."""

    __slots__ = ("body", "challenges", "lines", "status")

    def __init__(
        self, challenges: tuple[Challenge, ...], status: int, lines: list[tuple[str, str]], body: bytes
    ) -> None:
        self.challenges = challenges
        self.status = status
        self.lines = lines
        self.body = body


def handle(error: Exception) -> Any:
    """The error handler for every `AuthError` and for 401.

    Gives way to a handler of the app or blueprint for the code, the class or ``HTTPException``.
    """
    request = real_request()
    state = state_for(request)
    if not request.environ.keys().isdisjoint(PRECONDITIONS):
        ignore_preconditions(request)
    refusal = _as_refusal(error)
    app = real_app()
    own = _own_handler(app, error, request, state.app.own_handlers)
    state.foreign = not isinstance(error, AuthError)
    if refusal is not None:
        complete_once(refusal, request, state)
        plan = plan_in_force(request, state)
        redirect = login_redirect(refusal, request, state, plan) if plan.ambient else None
        if redirect is not None:
            return redirect
        return _render(refusal, request, state, app) if own is None else app.ensure_sync(own)(error)
    if own is None or not state.foreign or not isinstance(error, HTTPUnauthorized):
        return error.response if isinstance(error, HTTPException) and error.response is not None else error
    # The app's handler makes the body, and may lose the challenges that the error brings.
    state.refused = (401, tuple(line for line in error.get_headers() if line[0] == "WWW-Authenticate"))
    return app.ensure_sync(own)(error)


def handle_group(group: Exception) -> Any:
    """The error handler for exception groups: one that holds refusals only is answered as its first one."""
    request = real_request()
    refusal = refusal_of_group(group, request, state_for(request))
    if refusal is not None:
        return handle(refusal)
    app = real_app()
    own = handler_without_ours(app, group, request, handle_group)
    if own is None:
        raise group
    return app.ensure_sync(own)(group)


def _as_refusal(error: Exception) -> AuthError | None:
    """``error`` as one of ours; ``None`` for what brings its own answer."""
    if isinstance(error, AuthError):
        return None if getattr(error, "response", None) is not None else error
    if not isinstance(error, HTTPUnauthorized) or error.response is not None or error.www_authenticate:
        return None
    # An app may give abort(401, ...) anything; a text of its own is kept.
    own = is_text(error.description) and error.description is not HTTPUnauthorized.description
    reason = "the app or another extension answered 401 by itself: abort_unauthorized() takes a reason="
    return Unauthorized(error.description if own else None, reason=reason)


def _own_handler(
    app: Flask, error: Exception, request: Request, known: dict[Any, Callable[[Any], Any] | None]
) -> Callable[[Any], Any] | None:
    """The handler that Flask would have called without ours; a catch-all for ``Exception`` doesn't count."""
    key = (request.endpoint, type(error), getattr(error, "code", None))
    try:
        return known[key]
    except KeyError:
        if len(known) >= MAX_HANDLERS:
            known.clear()
        found = known[key] = _find_handler(app, error, request)
        return found


def _find_handler(app: Flask, error: Exception, request: Request) -> Callable[[Any], Any] | None:
    for names in (*request.blueprints, None):
        scope = app.error_handler_spec.get(names, {})
        for code in (getattr(error, "code", None), None):
            handlers = scope.get(code, {})
            if all(handler is handle for handler in handlers.values()):
                continue
            for kind in type(error).__mro__:
                handler = handlers.get(kind)
                if handler is not None and handler is not handle and kind not in (Exception, BaseException):
                    return handler
    return None


def _render(error: AuthError, request: Request, state: State, app: Flask) -> Response:
    app_state: AppState = state.app
    renderers = app_state.auth.renderers
    media = negotiate(request.environ.get("HTTP_ACCEPT"), app_state.auth.media_types)
    response = None
    if media in renderers and not state.rendering:
        response = _custom(renderers[media], media, error, state, app)
    if response is None:
        return _plain(error, media if media in BUILT_IN else next(iter(BUILT_IN)), request, state, app)
    response.status_code = getattr(error, "code", 500)
    response.headers.setdefault(*_NO_SNIFFING)
    for name, value in (("Vary", "Accept"), *error.auth_headers()):
        if name == "WWW-Authenticate":
            response.headers.add(name, value)
        else:
            response.headers[name] = value
    return response


def _plain(error: AuthError, media: str, request: Request, state: State, app: Flask) -> Response:
    """The answer in one of our own media types; kept, where it will be the same for the next request."""
    plan = plan_in_force(request, state)
    key = (fixed_wording(error), media, error.scheme, error.one_line)
    answer = plan.answers.get(key)
    headers = Headers()
    if answer is not None and answer.challenges is error.challenges:
        headers[:] = answer.lines  # a third of what adding them one by one costs
        state.sent = answer.lines
        return app.response_class([answer.body], answer.status, headers)
    body, headers[:] = _built_in(error, media, request, state)
    status = getattr(error, "code", 500)
    response = app.response_class(body, status, headers)
    state.sent = list(iter(response.headers))
    if media == "text/html":
        state.page = response, body
    if plan.steady and key[0] is not None and _can_be_kept(media, state.app, app.response_class):
        keep(plan.answers, key, _Answer(error.challenges, status, state.sent, body))
    return response


def _can_be_kept(media: str, app_state: AppState, made: type[Response]) -> bool:
    """Whether the next body will be this one, and the app's class of responses does nothing of its own with it."""
    if media == "text/html" or app_state.explains:
        return False
    return made.__init__ is Response.__init__ and made.set_data is Response.set_data


def _custom(renderer: Renderer, media: str, error: AuthError, state: State, app: Flask) -> Response | None:
    """What the app's renderer makes; ``None`` where it fails: a broken body never costs the answer."""
    state.rendering = True
    try:
        body = renderer(error)
        if isinstance(body, dict):
            body = app.json.dumps(body)
        if isinstance(body, Response):
            del body.headers["WWW-Authenticate"]
            return body
        if isinstance(body, (str, bytes)):
            return app.response_class(body, content_type=content_type(media))
    except Exception:  # whatever a renderer does wrong, the refusal stands
        log.exception("the renderer for %s failed; the built-in answer is sent", media)
        return None
    finally:
        state.rendering = False
    text = f"the renderer for {media} returned a {type(body).__name__}: return str, bytes, a dict or a Response"
    if app.debug or app.testing:
        raise TypeError(text)
    log.error("%s", text)
    return None


def _built_in(error: AuthError, media: str, request: Request, state: State) -> tuple[bytes, list[tuple[str, str]]]:
    """Body and header lines in one of our own media types."""
    plan = plan_in_force(request, state)
    lines = [("Content-Type", content_type(media)), _NO_SNIFFING, ("Vary", plan.refusal_vary), *error.auth_headers()]
    if media != "text/html":
        return _body(error, media, request, state), lines
    texts = state.app.auth.texts
    language = choose_language(request.environ.get("HTTP_ACCEPT_LANGUAGE"), tuple(texts))
    lines[2] = ("Vary", plan.refusal_vary + ", Accept-Language")
    lines += (("Content-Language", language), ("Content-Security-Policy", CONTENT_SECURITY_POLICY))
    told = facts(
        error,
        schemes=plan.scheme_names,
        login_page=login_page(plan, request),
        unsaved=request.method not in SAFE_METHODS,
        explanation=_explanation(error, request, state),
    )
    return page(told, texts, language).encode(errors="replace"), lines


def _body(error: AuthError, media: str, request: Request, state: State) -> bytes:
    problem_base = state.app.settings.problem_base
    wording = fixed_wording(error)
    if state.app.explains or problem_base is not None or wording is None:
        explanation = _explanation(error, request, state) if media in _EXPLAINED else None
        told = facts(error, problem_base=problem_base, explanation=explanation)
        return BUILT_IN[media](told).encode(errors="replace")
    return _READY.get((wording, media)) or keep(_READY, (wording, media), BUILT_IN[media](facts(error)).encode())


def _explanation(error: AuthError, request: Request, state: State) -> Explanation | None:
    return explain(error, request, state) if state.app.explains else None


_EXPLAINED: Final = ("application/json", "application/problem+json")

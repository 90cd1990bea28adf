"""From an error to a response. The app's own error handlers keep deciding bodies.

One handler is registered for every `AuthError`, for 401, and for exception groups. It takes these steps:

1. An ``abort(401)`` without challenges becomes an `Unauthorized`. An error that brings its own response keeps it.
2. The refusal gets its challenges, unless it has them from the place where it was raised (`handle_refusal`).
3. If the app or a blueprint has a handler for the error's code, class or ``HTTPException``, that one makes the
   response. A catch-all for ``Exception`` doesn't count. The guard restores headers that it loses.
4. A browser that opens a page is redirected to the login page, if the view has one. If htmx asks, the refusal names
   that page in ``HX-Redirect``, whichever code makes the response.
5. Otherwise the built-in response is sent: out of the plan's cache, or made by `body.render_refusal`.
"""

from collections.abc import Sequence
from typing import Any, Final

from flask import Flask, Request, Response
from werkzeug.exceptions import HTTPException
from werkzeug.exceptions import Unauthorized as HTTPUnauthorized

from ..errors import AuthError, Unauthorized
from ..errors.text import is_text
from ..policy.challenges import ReadyRefusal, RecordedRefusal
from ..policy.plan import Plan
from ..rendering.headers import CHALLENGE_FIELD
from ..rendering.negotiation import negotiate
from ..runtime.app_state import AppState, ErrorHandler
from ..runtime.conditional_requests import ignore_conditions
from ..runtime.exception_groups import handler_without_ours, refusal_of_group
from ..runtime.refuse import handle_refusal, has_conditional_fields, plan_in_force, ready_refusal
from ..runtime.request_state import RequestState, real_app, real_request, state_for
from .body import render_refusal
from .ready import copy_of

MAX_APP_HANDLERS: Final = 4096
"""The most entries in the cache of the handlers that errors have."""


def handle_error(error: Exception) -> Any:
    """Return the response to an `AuthError` or a 401."""
    request = real_request()
    state = state_for(request)
    refusal = _as_refusal(error)
    app = real_app()
    own = _app_handler(app, error, request, request.endpoint, state.app_state)
    state.is_foreign_error = not isinstance(error, AuthError)
    if refusal is None:
        if has_conditional_fields(request.environ):
            ignore_conditions(request)
        return _respond_to_foreign_error(app, error, state, own)
    handle_refusal(refusal, request, state)
    plan = plan_in_force(request, state)
    redirect = _prepare(refusal, request, state, plan)
    if redirect is not None:
        return redirect
    if own is not None:
        return app.ensure_sync(own)(error)
    return _respond(refusal, request, state, app, ready_refusal(refusal, request, state))


def respond_at_dispatch(
    error: AuthError, request: Request, state: RequestState, endpoint: str, ready: ReadyRefusal | None
) -> Response | None:
    """Return the response to a refusal that has its challenges; ``None`` if a handler of the app has to be asked."""
    app = state.app_state.app
    if (
        getattr(error, "response", None) is not None
        or _app_handler(app, error, request, endpoint, state.app_state) is not None
    ):
        return None
    state.is_foreign_error = False
    redirect = _prepare(error, request, state, plan_in_force(request, state))
    return _respond(error, request, state, app, ready) if redirect is None else redirect


def _prepare(error: AuthError, request: Request, state: RequestState, plan: Plan) -> Response | None:
    """Take out what hooks must not act on, and return the redirect to the login page, if that is the response."""
    if state.has_conditional_fields:
        ignore_conditions(request)
    if not plan.implicit_schemes:
        return None
    from ..browser.login_redirect import htmx_redirect, login_redirect  # only apps with a login load it

    if "HTTP_HX_REQUEST" in request.environ and state.recorded_refusal is not None:
        page = htmx_redirect(error, request, state, plan)
        if page is not None:
            state.htmx_redirect = page
            status, lines = state.recorded_refusal
            state.recorded_refusal = RecordedRefusal(status, (*lines, ("HX-Redirect", page)))
    return login_redirect(error, request, state, plan)


def _respond(
    error: AuthError, request: Request, state: RequestState, app: Flask, ready: ReadyRefusal | None
) -> Response:
    """Return the built-in response, which names the login page for htmx: the ready one, if there is one."""
    media_type = negotiate(request.environ.get("HTTP_ACCEPT"), state.app_state.configuration.media_types)
    cached = state.cached_response = None if ready is None else ready.responses.get(media_type)
    if cached is None or cached.kind is not app.response_class:
        response = render_refusal(error, media_type, request, state, app, ready)
    else:
        state.rendered_headers = cached.lines
        response = copy_of(cached)
    if state.htmx_redirect is not None:
        response.headers["HX-Redirect"] = state.htmx_redirect
    return response


def _respond_to_foreign_error(app: Flask, error: Exception, state: RequestState, own: ErrorHandler | None) -> Any:
    """Return the response to an error that brings its own response or its own challenges."""
    if own is None or isinstance(error, AuthError) or not isinstance(error, HTTPUnauthorized):
        return error.response if isinstance(error, HTTPException) and error.response is not None else error
    # The app's handler makes the body, and may lose the challenges that the error brings.
    lines = tuple(line for line in error.get_headers() if line[0] == CHALLENGE_FIELD)
    state.recorded_refusal = RecordedRefusal(401, lines)
    return app.ensure_sync(own)(error)


def handle_group(group: Exception) -> Any:
    """Return the response to an exception group: one that holds refusals only is returned as its first one."""
    request = real_request()
    refusal = refusal_of_group(group, request, state_for(request))
    if refusal is not None:
        return handle_error(refusal)
    app = real_app()
    own = handler_without_ours(app, group, request, handle_group)
    if own is None:
        raise group
    return app.ensure_sync(own)(group)


def _as_refusal(error: Exception) -> AuthError | None:
    """Return ``error`` as an `AuthError`; ``None`` for an error that brings its own response or challenges."""
    if isinstance(error, AuthError):
        return None if getattr(error, "response", None) is not None else error
    if not isinstance(error, HTTPUnauthorized) or error.response is not None or error.www_authenticate:
        return None
    # An app may give abort(401, ...) anything; a text of its own stays.
    own = is_text(error.description) and error.description is not HTTPUnauthorized.description
    reason = "the app or another extension responded with 401 by itself: abort_unauthorized() takes a reason="
    return Unauthorized(error.description if own else None, reason=reason)


def _app_handler(
    app: Flask, error: Exception, request: Request, endpoint: str | None, app_state: AppState
) -> ErrorHandler | None:
    """Return the handler that Flask would call without this one; a catch-all for ``Exception`` doesn't count."""
    known = app_state.app_handlers
    key = (endpoint, type(error), getattr(error, "code", None))
    try:
        return known[key]
    except KeyError:
        if len(known) >= MAX_APP_HANDLERS:
            known.clear()
        found = known[key] = find_app_handler(app, error, request.blueprints)
        return found


def find_app_handler(app: Flask, error: Exception, blueprints: Sequence[str]) -> ErrorHandler | None:
    """Return the handler of the app for an error, if there is one other than `handle_error`.

    Args:
        app: The app.
        error: The error.
        blueprints: The blueprints of the endpoint, the innermost first.
    """
    for names in (*blueprints, None):
        scope = app.error_handler_spec.get(names, {})
        for code in (getattr(error, "code", None), None):
            handlers = scope.get(code, {})
            if all(handler is handle_error for handler in handlers.values()):
                continue
            for kind in type(error).__mro__:
                handler = handlers.get(kind)
                if handler is not None and handler is not handle_error and kind not in (Exception, BaseException):
                    return handler
    return None

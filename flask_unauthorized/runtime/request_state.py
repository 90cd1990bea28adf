"""The state of one request, and the real objects behind Flask's proxies.

`RequestState` is the whole of what the extension notes of a request: see `authentication.state` for the idea and for
the part that authentication needs. This module adds what the runtime and the response need.
"""

from typing import Any, Final

import flask
from flask import Flask, Request, Response

from ..authentication.state import AuthenticationState
from ..errors import ConfigurationError
from ..identity import Identity
from ..policy.challenges import CachedResponse, HeaderLines, RecordedRefusal
from ..schemes.state_access import REQUEST_STATE, RESPONSE_LEFT
from .app_state import AppState, app_state_of
from .flask_compat import is_of_app

# Bound once: an attribute through a LocalProxy costs eight times as much.
_request_proxy: Any = flask.request
_app_proxy: Any = flask.current_app
real_request: Final = _request_proxy._get_current_object
real_app: Final = _app_proxy._get_current_object


class RequestState(AuthenticationState):
    """Everything that is noted of one request.

    Attributes:
        app_state: The state of the app that serves it.
        announced_identity: The identity that the signal ``authenticated`` has announced.
        refusal_number: The number of this request among those that were refused. An error carries it as well, so that
            no refusal is logged twice in one request, and one error object that is raised again and again is logged in
            each request.
        recorded_refusal: Status and header lines of the refusal. The guard restores them.
        has_conditional_fields: Whether a refused request has ``If-*`` or ``Range``.
        rendered_headers: All header lines of the refusal as the built-in renderer made it.
        cached_response: The ready response that was copied.
        rendered_page: The refusal page: the response, and its body.
        login_redirect: The redirect to the login page.
        is_rendering: Whether a renderer of the app runs at this moment.
        is_foreign_error: Whether the error that was handled last isn't an `AuthError`: ``abort(401)``, another
            extension.
        htmx_redirect: The URL of the login page, if htmx sent a request that was refused.
        no_store: Whether no cache may store the response, whatever hooks say: a login, a logout, a redirect to it.
        allows_shared_cache: Whether the view lets shared caches keep its response.
    """

    app_state: AppState
    announced_identity: Identity | None = None
    refusal_number: int | None = None
    recorded_refusal: RecordedRefusal | None = None
    has_conditional_fields = False
    rendered_headers: HeaderLines | None = None
    cached_response: CachedResponse | None = None
    rendered_page: tuple[Response, bytes] | None = None
    login_redirect: Response | None = None
    is_rendering = False
    is_foreign_error = False
    htmx_redirect: str | None = None
    no_store = False
    allows_shared_cache = False


def note_response_left(request: Request) -> None:
    """Note that the headers of the response leave now."""
    setattr(request, RESPONSE_LEFT, True)


def state_for(request: Request) -> RequestState:
    """Return the state of a request, made if there is none yet.

    Raises:
        ConfigurationError: If no `Auth` serves the app, if the app's set-up has a mistake, or if the request came to
            another app than the current one.
    """
    state = state_if_any(request)
    if state is None:
        app: Flask = real_app()
        if not is_of_app(request, app):
            raise ConfigurationError(
                f"the app context of {app.name!r} is pushed in a request of another app, so its Auth can't say who is "
                "calling: ask before `with other_app.app_context():`"
            )
        app_state = app_state_of(app)
        if not app_state.ready:
            app_state.prepare()
        state = RequestState()
        state.app_state = app_state
        setattr(request, REQUEST_STATE, state)
    return state


def state_if_any(request: Request) -> RequestState | None:
    """Return the state of a request; ``None`` if no code has asked who is calling."""
    state: RequestState | None = getattr(request, REQUEST_STATE, None)
    return state

"""What `Auth.init_app` puts into an app: handlers, the first check, ``protect``'s hook, the guard."""

from typing import Any

from flask import Flask
from werkzeug.exceptions import Unauthorized as HTTPUnauthorized

from .answering import handle, handle_group
from .app_state import EXTENSION, AppState
from .context import authenticate, real_request, state_for
from .errors import (
    AuthError,
    AuthUnavailable,
    Forbidden,
    MalformedCredentials,
    TooManyAttempts,
    Unauthorized,
)
from .exception_groups import GROUPS
from .guard import guard
from .preflight import is_preflight, options_response


def install(app: Flask, state: AppState) -> None:
    """The handlers, the check before the first request, ``protect``'s hook and the guard."""
    _register_handlers(app)

    def judge_protected() -> Any:
        request = real_request()
        endpoint = request.endpoint
        if endpoint is None or state.effective(endpoint) is None:
            return None
        if request.method == "OPTIONS":
            if getattr(request.url_rule, "provide_automatic_options", False):
                return None
            if is_preflight(request):
                # Our decorator answers it as well, after those above it, which may have to say more: cross_origin.
                decorated = state.auth.decorations.around(app.view_functions[endpoint])
                return None if decorated else options_response(app)
        authenticate(state.plan(endpoint), request, state_for(request))
        return None

    def check_first() -> None:
        unprotected = state.serve()
        drop = {check_first, *((judge_protected,) if unprotected else state.auth.watching)}
        # Rebound, not changed: Flask is iterating over such a list, and would skip the next hook.
        for name, hooks in list(app.before_request_funcs.items()):
            app.before_request_funcs[name] = [hook for hook in hooks if hook not in drop]
        last = [] if state.settings.guard == "off" else [guard]
        after = [function for function in app.after_request_funcs[None] if function is not guard]
        app.after_request_funcs[None] = last + after

    app.before_request_funcs.setdefault(None, []).insert(0, check_first)
    app.before_request_funcs[None].append(judge_protected)
    app.after_request_funcs.setdefault(None, []).insert(0, guard)
    app.extensions[EXTENSION] = state


def _register_handlers(app: Flask) -> None:
    # Under its codes too: Flask looks there before it comes to a blueprint's catch-all for Exception.
    for kind in (AuthError, MalformedCredentials, Unauthorized, Forbidden, TooManyAttempts, AuthUnavailable):
        app.register_error_handler(kind, handle)
    # A handler for a subclass of ours lies under 401 too, and says nothing of abort(401).
    if HTTPUnauthorized not in app.error_handler_spec[None][401]:
        app.register_error_handler(401, handle)

    for group in GROUPS:
        if group not in app.error_handler_spec[None][None]:
            app.register_error_handler(group, handle_group)

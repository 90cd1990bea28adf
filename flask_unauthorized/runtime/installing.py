"""What `Auth.init_app` puts into an app: error handlers, the check before the first request, the guard."""

from flask import Flask
from werkzeug.exceptions import Unauthorized as HTTPUnauthorized

from ..errors import (
    AuthError,
    AuthUnavailable,
    Forbidden,
    MalformedCredentials,
    TooManyAttempts,
    Unauthorized,
)
from ..responses.error_handler import handle, handle_group
from ..responses.guard import guard
from .app_state import EXTENSION, AppState
from .dispatch import wrap_views
from .exception_groups import GROUPS


def install(app: Flask, state: AppState) -> None:
    """Registers the error handlers, the check before the first request and the guard."""
    _register_handlers(app)

    def check_first() -> None:
        state.serve(finish)

    def finish() -> None:
        wrap_views(state)
        # Rebound, not changed: Flask is iterating over such a list, and would skip the next hook.
        drop = {check_first, *state.auth.watching}
        for name, hooks in list(app.before_request_funcs.items()):
            app.before_request_funcs[name] = [hook for hook in hooks if hook not in drop]
        last = [] if state.settings.guard == "off" else [guard]
        after = [function for function in app.after_request_funcs[None] if function is not guard]
        app.after_request_funcs[None] = last + after
        state.has_response_hooks = bool(after) or any(hooks for name, hooks in app.after_request_funcs.items() if name)

    app.before_request_funcs.setdefault(None, []).insert(0, check_first)
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

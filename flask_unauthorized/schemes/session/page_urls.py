"""URLs of the login page and the logout page.

A refusal names the login page, so its URL is built while a request is refused. That must never fail, and never lead to
another site. Three things can go wrong:

1. **The endpoint doesn't exist, or its URL has a variable that nothing fills.** `check_page` finds that before the
   first request, and raises.
2. **Only the app's ``url_defaults`` functions can fill the variable**, for example a language. They may depend on the
   request. `warn_if_unbuildable` tries it once in an empty context and logs a warning. In a request, `build_url`
   returns ``None`` and logs an error, once for each endpoint.
3. **The prefix of the app (``SCRIPT_NAME``) comes from a proxy**, and may not be a path. ``url_for`` would put it at
   the beginning, where ``//host`` is another site. `build_url` refuses such a prefix.

A ``url_defaults`` function may ask who is calling. That may be refused, and the refusal needs the URL again. The
context variable ``_is_building`` ends this circle.
"""

from contextlib import suppress
from contextvars import Context, ContextVar
from typing import Any, Final

from flask import Flask, current_app, request, url_for
from werkzeug.routing import BuildError

from ...errors import ConfigurationError
from ...logs import log
from ..state_access import readable_app_state, suggest_endpoint

_ADD_DEFAULTS: Final = "give its variables a default for all requests with @app.url_defaults"
_is_building: Final = ContextVar("_is_building", default=False)


def validated_view(option: str, view: str | None) -> str | None:
    """Return ``view`` if it is a string or ``None``.

    Raises:
        TypeError: If it is anything else, such as the view function.
    """
    if view is not None and not isinstance(view, str):
        fix = f": write {view.__name__!r}" if hasattr(view, "__name__") else ""
        raise TypeError(f"{option} must be the name of an endpoint, not {view!r}{fix}")
    return view


def is_absolute_url(view: str) -> bool:
    """Return whether ``view`` is a URL, and not the name of an endpoint."""
    return view.startswith(("https://", "http://"))


def is_own_path(target: str) -> bool:
    """Return whether every browser reads ``target`` as a path on the same origin (URL standard)."""
    if not target.startswith("/") or target.startswith("//") or "\\" in target:
        return False
    return target.isprintable() and not any(character.isspace() for character in target)


def build_url(option: str, endpoint: str, values: dict[str, str]) -> str | None:
    """Return the URL of an endpoint in the current request.

    Args:
        option: The option that names the endpoint, for the log.
        endpoint: The endpoint.
        values: Variables of the URL, or parameters of its query.

    Returns:
        The URL. ``None`` if it can't be built; then an error was logged, once for each endpoint.
    """
    if _is_building.get():  # A function that fills in variables asks who is calling, and is refused.
        return None
    root = request.script_root
    if root and not is_own_path(root):
        _log_missing(option, endpoint, "SCRIPT_NAME is not a path", "check the prefix that your proxy sends")
        return None
    token = _is_building.set(True)
    try:
        return url_for(endpoint, **values)  # type: ignore[arg-type]  # a value of the query, not of an option
    except Exception as error:  # a BuildError, or any exception of a function of the app
        # The text of a BuildError has the names of the missing variables. Other texts may hold what the client sent.
        why = str(error) if type(error) is BuildError else f"{type(error).__name__} was raised"
        _log_missing(option, endpoint, why, _ADD_DEFAULTS)
        return None
    finally:
        _is_building.reset(token)


def _log_missing(option: str, endpoint: str, why: str, fix: str) -> None:
    logged = readable_app_state(current_app).logged_once
    # The fix is a part of the key, so that an error that clients can cause doesn't hide one of the app.
    key = request.endpoint, option, fix
    if key not in logged:
        logged.add(key)
        log.error("%s=%r has no URL in requests for endpoint %r (%s): %s", option, endpoint, request.endpoint, why, fix)


def check_page(app: Flask, option: str, endpoint: str) -> None:
    """Check that an endpoint exists and that its URL can be built.

    Raises:
        ConfigurationError: If it doesn't exist, or if its URL has a variable and no function fills in variables.
    """
    if endpoint not in app.view_functions:
        raise ConfigurationError(_unknown_endpoint_message(app, option, endpoint))
    rules = [rule for rule in app.url_map.iter_rules(endpoint) if not rule.build_only]
    variables = [sorted(rule.arguments - set(rule.defaults or ())) for rule in rules]
    blueprints = endpoint.split(".")[:-1]
    scopes = {None, *(".".join(blueprints[: depth + 1]) for depth in range(len(blueprints)))}
    if all(variables) and not any(app.url_default_functions.get(scope) for scope in scopes):
        missing = ", ".join(variables[0]) if variables else "nothing to match"
        raise ConfigurationError(
            f"{option}={endpoint!r} has an address with {missing}, which only @app.url_defaults could fill in: name a "
            "view whose address has no variable"
        )


def _unknown_endpoint_message(app: Flask, option: str, endpoint: str) -> str:
    near = suggest_endpoint(app, endpoint)
    if near is not None:
        fix = f"did you mean {near!r}?"
    elif option == "login_view":
        fix = "write the name of the view's function, with the blueprint's before it, or an absolute URL"
    else:
        fix = "write the name of the view's function, with the blueprint's before it"
    return f"{option}={endpoint!r} is not an endpoint of the app {app.name!r}: {fix}"


def warn_if_unbuildable(app: Flask, option: str, endpoint: str) -> None:
    """Log a warning if a page has no URL in requests for views outside of its blueprint."""
    if _is_building.get() or not any(app.url_default_functions.values()):
        return  # Without such functions, `check_page` has seen that no variable is missing.

    def build() -> str:
        # This runs in an empty context. In the caller's own context, Flask would run teardown functions for the request
        # that is pushed here.
        app.test_request_context().push()
        _is_building.set(True)
        request.url_rule = None
        for function in app.url_value_preprocessors.get(None, ()):
            with suppress(Exception):
                function(None, {})
        values: dict[str, Any] = {}
        app.inject_url_defaults(endpoint, values)
        return app.url_map.bind("localhost").build(endpoint, values)

    try:
        Context().run(build)
    except Exception as error:  # any exception of a function of the app
        log.warning(
            "%s=%r has no URL outside of its blueprint (%s was raised): %s",
            option,
            endpoint,
            type(error).__name__,
            _ADD_DEFAULTS,
        )

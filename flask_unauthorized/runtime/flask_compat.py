"""What is asked of Flask itself, for any version of it: its contexts, default OPTIONS response, and error handling.

The methods behind these functions take the app context since Flask 3.2, and took no context before. Subclasses may
override them, so they are called, not imitated. Flask 3.2 adapts an override with the old signature by itself. So the
class of Flask alone decides what has to be passed.
"""

import inspect
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from types import FunctionType
from typing import Any, Final

from flask import Flask, Request, Response
from flask.globals import app_ctx

_ERROR_HANDLING: Final = (
    "full_dispatch_request",
    "dispatch_request",
    "handle_user_exception",
    "handle_http_exception",
    "trap_http_exception",
    "ensure_sync",
)
"""The methods through which an exception of a view goes."""


@contextmanager
def request_context(app: Flask, **arguments: Any) -> Iterator[None]:
    """Push a request context as ``app.test_request_context()`` does, and pop it in any case.

    A URL converter of the app may raise while Flask pushes the context. ``with`` alone would leave it there.

    Args:
        app: The app.
        **arguments: Those of Werkzeug's ``EnvironBuilder``.
    """
    context = app.test_request_context(**arguments)
    try:
        context.push()
        yield
    except BaseException as error:  # whatever it is, the context is popped, and the exception passes
        context.pop(error)
        raise
    context.pop()


def handles_errors_itself(app: Flask) -> bool:
    """Return whether Flask's own code, and nothing else, handles the exceptions of an app's views.

    A subclass or an extension (Flask-RESTful) may override these methods, and a monitoring tool may wrap them on the
    class. The app may also be configured to raise HTTP exceptions. Any doubt means no.
    """
    if app.config["TRAP_HTTP_EXCEPTIONS"] or app.config["TRAP_BAD_REQUEST_ERRORS"]:
        return False
    return all(name not in vars(app) and _is_of_flask(getattr(type(app), name, None)) for name in _ERROR_HANDLING)


def _is_of_flask(method: object) -> bool:
    """Return whether a function was defined in a module of Flask. `functools.wraps` can't make a wrapper look so."""
    return isinstance(method, FunctionType) and any(
        method.__globals__ is vars(sys.modules[name])
        for name in ("flask.app", "flask.sansio.app")
        if name in sys.modules
    )


def is_of_app(request: Request, app: Flask) -> bool:
    """Return whether ``request`` came to ``app``. Until Flask 3.2, its view may push the app context of another app."""
    rule = request.url_rule
    return request.json_module is app.json if rule is None else rule.map is app.url_map


def options_response(app: Flask) -> Response:
    """Return the default OPTIONS response of the app for the current request."""
    response: Response = _call(app, "make_default_options_response")
    return response


def handled_response(app: Flask, error: Exception) -> Response:
    """Return what the app's error handlers make of an error of the current request."""
    return app.make_response(_call(app, "handle_user_exception", error))


def _call(app: Flask, name: str, *arguments: Any) -> Any:
    if _takes_context(name, len(arguments)):
        arguments = app_ctx._get_current_object(), *arguments  # type: ignore[attr-defined]  # a LocalProxy has it
    return getattr(app, name)(*arguments)


def is_preflight(request: Request) -> bool:
    """Return whether an OPTIONS request is a CORS preflight, which carries no credentials (Fetch §4.8)."""
    return "HTTP_ORIGIN" in request.environ and "HTTP_ACCESS_CONTROL_REQUEST_METHOD" in request.environ


@cache
def _takes_context(name: str, given: int) -> bool:
    return len(inspect.signature(getattr(Flask, name)).parameters) > 1 + given  # the first one is self

"""CORS preflights: how to recognize one, and the default OPTIONS response."""

import inspect
from typing import Any, Final

from flask import Flask, Request, Response
from flask.globals import app_ctx

# Flask 3.2 passes the app context to this method; earlier versions pass nothing. Subclasses may override the method.
# Flask 3.2 adapts an override with the old signature by itself, so the class of Flask alone decides.
_TAKES_CONTEXT: Final = len(inspect.signature(Flask.make_default_options_response).parameters) > 1


def is_preflight(request: Request) -> bool:
    """Return whether an OPTIONS request is a CORS preflight, which carries no credentials (Fetch §4.8)."""
    return "HTTP_ORIGIN" in request.environ and "HTTP_ACCESS_CONTROL_REQUEST_METHOD" in request.environ


def options_response(app: Flask) -> Response:
    """Return the response that Flask itself gives to OPTIONS, including what a subclass of `Flask` changed in it."""
    make: Any = app.make_default_options_response
    response: Response = make(app_ctx._get_current_object()) if _TAKES_CONTEXT else make()  # type: ignore[attr-defined]
    return response

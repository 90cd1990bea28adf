"""CORS preflights: how to recognize one. `app_methods.options_response` is their answer."""

from flask import Request


def is_preflight(request: Request) -> bool:
    """Return whether an OPTIONS request is a CORS preflight, which carries no credentials (Fetch §4.8)."""
    return "HTTP_ORIGIN" in request.environ and "HTTP_ACCESS_CONTROL_REQUEST_METHOD" in request.environ

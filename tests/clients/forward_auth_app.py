"""The example for reverse proxies, with hooks that answer in place of the view."""

from typing import Any

from flask import redirect, request

from examples.forward_auth.app import app
from flask_unauthorized import AuthUnavailable, TooManyAttempts


@app.before_request
def answer_in_place_of_the_view() -> Any:
    match request.headers.get("X-Test"):
        case "unavailable":
            raise AuthUnavailable(retry_after=7)
        case "throttled":
            raise TooManyAttempts
        case "broken":
            raise RuntimeError("a hook with a mistake")
        case "maintenance":
            return "We are back at noon."
        case "moved":
            return redirect("/elsewhere")
    return None

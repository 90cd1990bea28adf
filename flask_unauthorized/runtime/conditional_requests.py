"""A refusal ignores conditions and ranges (RFC 9110 §13.2.1, §14.2), whatever hooks do to other responses.

Hooks that call ``response.make_conditional()`` would turn a refusal into 304, 412 or 206, or fail with 416. So a
refused request loses these fields before the hooks run. Not at once: a view may catch the refusal, and then needs
``If-Match`` to keep one update from undoing another.
"""

from typing import Final

from flask import Request, Response, after_this_request

from .request_state import RequestState

_FIELDS: Final = ("if_match", "if_none_match", "if_modified_since", "if_unmodified_since", "if_range", "range")
"""The attributes under which a request keeps what it has parsed of the fields."""


def ignore_conditions(request: Request) -> None:
    """Take ``If-*`` and ``Range`` out of a request."""
    for name in _FIELDS:
        request.environ.pop(f"HTTP_{name.upper()}", None)
        vars(request).pop(name, None)


def ignore_conditions_of_401(request: Request) -> None:
    """Do so before the hooks run, if a guarded view responds with 401 by itself, without an exception."""

    def before_hooks(response: Response) -> Response:
        if response.status_code == 401:
            ignore_conditions(request)
        return response

    after_this_request(before_hooks)


def ignore_conditions_if_refused(request: Request, state: RequestState) -> None:
    """Do so before the hooks run, if the refusal becomes the response."""

    def before_hooks(response: Response) -> Response:
        if state.recorded_refusal is not None and response.status_code >= 400:
            ignore_conditions(request)
        return response

    after_this_request(before_hooks)

"""A refusal ignores preconditions and ranges (RFC 9110 §13.2.1, §14.2), whatever hooks make of other answers."""

from typing import Final

from flask import Request, Response, after_this_request

from ..authentication.authenticate import State

PRECONDITIONS: Final = {
    f"HTTP_{name.upper()}": name
    for name in ("if_match", "if_none_match", "if_modified_since", "if_unmodified_since", "if_range", "range")
}
"""The keys of the environ, and the attributes under which the request keeps what it has parsed of them."""


def ignore_preconditions(request: Request) -> None:
    """Takes ``If-*`` and ``Range`` out of the request.

    Hooks that call ``response.make_conditional()`` would turn the refusal into 304, 412 or 206, or fail with 416.
    """
    for key, name in PRECONDITIONS.items():
        request.environ.pop(key, None)
        vars(request).pop(name, None)


def ignore_preconditions_of_401(request: Request) -> None:
    """Does that before the hooks run, if a guarded view answers 401 by itself, without an exception."""

    def before_hooks(response: Response) -> Response:
        if response.status_code == 401:
            ignore_preconditions(request)
        return response

    after_this_request(before_hooks)


def ignore_preconditions_if_refused(request: Request, state: State) -> None:
    """Does that before the hooks run, if the refusal becomes the answer.

    Not at once: a view may catch the refusal, and then needs ``If-Match`` to keep one update from undoing another.
    """

    def before_hooks(response: Response) -> Response:
        if state.refused is not None and response.status_code >= 400:
            ignore_preconditions(request)
        return response

    after_this_request(before_hooks)

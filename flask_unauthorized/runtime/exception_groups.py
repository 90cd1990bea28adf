"""Groups of exceptions that hold refusals only: the first one decides the response (Python 3.11 and later).

``asyncio.TaskGroup`` wraps what its tasks raise, also `abort_unauthorized` called in a task.
"""

import builtins
from typing import Any, Final

from flask import Flask, Request

from ..errors import AuthError
from ..errors.snapshot import ErrorSnapshot
from .refuse import record_as_response
from .request_state import RequestState

# Python 3.10 has none, and ``except ():`` catches nothing.
GROUPS: Final[tuple[type[Exception], ...]] = tuple(filter(None, (getattr(builtins, "ExceptionGroup", None),)))


def first_refusal(group: Any) -> AuthError | None:
    """Return the first error of a group, nested groups included; ``None`` if the group holds anything else.

    A bug or an outage beside a refusal stays what it is: Flask responds with 500, or the app's own handler decides.
    """
    first: AuthError | None = None
    for error in group.exceptions:
        found = first_refusal(error) if isinstance(error, GROUPS) else error
        if not isinstance(found, AuthError):
            return None
        first = first or found
    return first


def raise_refusal_of(group: BaseException, request: Request, state: RequestState) -> None:
    """Raise the refusal that decides a group; return if the group holds anything else."""
    refusal = refusal_of_group(group, request, state)
    if refusal is not None:
        try:
            raise refusal from group
        finally:
            del refusal  # its traceback holds this frame


def refusal_of_group(group: Any, request: Request, state: RequestState) -> AuthError | None:
    """Return a copy of `first_refusal`, completed: another refusal of the group may have been recorded after it.

    A copy, because an error that is raised for the group that holds it would be a reference cycle.
    """
    first = first_refusal(group)
    if first is None:
        return None
    refusal = ErrorSnapshot(first).restore()
    record_as_response(refusal, request, state)
    return refusal


def handler_without_ours(app: Flask, error: Exception, request: Request, ours: Any) -> Any:
    """Return the handler that Flask would have called for a group if ``ours`` were not registered."""
    for name in (*request.blueprints, None):
        handlers = app.error_handler_spec.get(name, {}).get(None, {})
        for kind in type(error).__mro__:
            handler = handlers.get(kind)
            if handler is not None and handler is not ours:
                return handler
    return None

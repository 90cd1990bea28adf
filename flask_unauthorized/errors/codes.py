"""Reason codes that are finer than those of the classes. `flask_unauthorized.events` has the table."""

from typing import TypeVar

from . import AuthError

E = TypeVar("E", bound=AuthError)


def with_code(error: E, code: str) -> E:
    """Give an error a reason code of its own, and return it."""
    error.reason_code = code
    return error

"""The table of private reasons: each refusal of the package, made by a request or a call, and its whole text.

A module of this folder holds the rows of one area. `test_reasons.py` runs them all, and searches the package for
reasons that no row reaches.
"""

from collections.abc import Callable
from dataclasses import dataclass

from flask_unauthorized import AuthError


@dataclass(frozen=True)
class Row:
    """One refusal: ``make`` lets a request or a call end in it, and returns the error as raised or signaled."""

    name: str
    make: Callable[[], AuthError]
    status: int
    reason: str

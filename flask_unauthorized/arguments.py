"""Helpers for messages about a developer's mistake: what happened, the value, and the fix."""

import functools
import inspect
from collections.abc import Callable, Iterable
from datetime import timedelta
from difflib import get_close_matches
from typing import Any, TypeVar

from flask import Flask

from .errors import ConfigurationError

F = TypeVar("F", bound=Callable[..., Any])


def explains_arguments(**needed: str) -> Callable[[F], F]:
    """Decorate an ``__init__`` so that a missing or unknown argument is explained.

    Python's own error names the argument only. ``needed`` says what to write for required ones.
    """

    def decorate(init: F) -> F:
        @functools.wraps(init)
        def explained(self: Any, *args: Any, **kwargs: Any) -> None:
            try:
                init(self, *args, **kwargs)
            except TypeError as error:
                # Raised by the call itself, not inside of the function.
                if error.__traceback__ is None or error.__traceback__.tb_next is not None:
                    raise
                raise TypeError(_explained_call(init, type(self).__name__, kwargs, needed, error)) from None

        return explained  # type: ignore[return-value]  # same parameters

    return decorate


def _explained_call(
    function: Callable[..., Any], name: str, kwargs: Iterable[str], needed: dict[str, str], error: TypeError
) -> str:
    """Describe why ``function`` can't be called with these arguments."""
    known = [
        one.name
        for one in inspect.signature(function).parameters.values()
        if one.kind in (one.KEYWORD_ONLY, one.POSITIONAL_OR_KEYWORD) and one.name != "self"
    ]
    for keyword in kwargs:
        if keyword not in known:
            return no_keyword(name, keyword, known)
    for argument, fix in needed.items():
        if "missing" in str(error) and f"'{argument}'" in str(error):
            return f"{name}() needs {argument}: {fix}"
    return str(error)


def no_keyword(where: str, keyword: str, known: Iterable[str]) -> str:
    """Describe an unknown keyword argument, with the nearest known one."""
    names = list(known)
    near = get_close_matches(keyword, names, n=1, cutoff=0.7)
    hint = f"did you mean {near[0]}?" if near else f"it takes {', '.join(names) or 'no keywords'}"
    return f"{where}() has no keyword {keyword}: {hint}"


def near_endpoint(app: Flask, name: str, prefix: str = "") -> str | None:
    """Return the endpoint below ``prefix`` that the developer may have meant by ``name``: a typo, or a URL's path."""
    known = [endpoint.removeprefix(prefix) for endpoint in app.view_functions if endpoint.startswith(prefix)]
    for rule in app.url_map.iter_rules():
        if rule.rule == name and rule.endpoint.startswith(prefix):
            return str(rule.endpoint).removeprefix(prefix)
    # A view of a blueprint, without the blueprint's name.
    last = [endpoint for endpoint in known if endpoint.rpartition(".")[2] == name]
    near = last[:1] if len(last) == 1 else get_close_matches(name, known, n=1)
    return near[0] if near else None


def checked_flag(name: str, value: Any) -> bool:
    """Return ``value`` if it is a ``bool``; else raise `TypeError`."""
    if not isinstance(value, bool):
        raise TypeError(f"{name} must be True or False, not {value!r}")
    return value


def seconds(name: str, value: float | timedelta, *, least: float = 0, most: float = 2**31) -> float:
    """Return a span of time in seconds, which the developer gave as a number or a `timedelta`.

    Raises:
        TypeError: ``value`` is neither.
        ConfigurationError: It is below ``least`` or above ``most`` seconds.
    """
    number = value.total_seconds() if isinstance(value, timedelta) else value
    if isinstance(number, bool) or not isinstance(number, (int, float)):
        raise TypeError(f"{name} must be a number of seconds or a timedelta, not {value!r}")
    if not least <= number <= most:  # NaN is outside as well
        raise ConfigurationError(f"{name} must be {least} to {most} seconds, not {value}")
    return number


def whole_seconds(name: str, value: int | timedelta, *, least: int = 0, most: int = 2**31) -> int:
    """Return the same as `seconds`, for times that are counted in whole seconds. A fraction is a `TypeError`."""
    number = seconds(name, value, least=least, most=most)
    if not isinstance(value, int) and not (isinstance(value, timedelta) and number.is_integer()):
        raise TypeError(f"{name} must be a whole number of seconds, or a timedelta of whole seconds, not {value!r}")
    return int(number)

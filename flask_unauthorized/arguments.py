"""Checks of arguments, and messages about a developer's mistake: what happened, the value, and the fix."""

import functools
import inspect
from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from difflib import get_close_matches
from typing import Any, TypeVar

from .errors import MAX_TIME_SPAN, ConfigurationError

F = TypeVar("F", bound=Callable[..., Any])


class Omitted:
    """The default of an argument for which ``None``, written out, means something else.

    Args:
        shown: What ``help()`` shows as the default.
    """

    def __init__(self, shown: str) -> None:
        self._shown = shown

    def __repr__(self) -> str:
        return self._shown


def explains_arguments(**fixes: str) -> Callable[[F], F]:
    """Decorate an ``__init__`` so that a missing or unknown argument is explained.

    Python's own error names the argument only.

    Args:
        fixes: What to write, by argument name: for required arguments, and for those that other libraries have.

    Returns:
        The decorator.
    """

    def decorate(init: F) -> F:
        @functools.wraps(init)
        def explained(self: Any, *args: Any, **kwargs: Any) -> None:
            try:
                init(self, *args, **kwargs)
            except TypeError as error:
                # Only a TypeError of the call itself is explained. One that comes from inside the function has more
                # than one frame in its traceback.
                if error.__traceback__ is None or error.__traceback__.tb_next is not None:
                    raise
                raise TypeError(_call_error_message(init, type(self).__name__, kwargs, fixes, error)) from None

        return explained  # type: ignore[return-value]  # same parameters

    return decorate


def shows_keywords(keywords: type | None = None, **defaults: Any) -> Callable[[F], F]:
    """Decorate a function so that its signature names each keyword that it takes by ``**``.

    The function still gets them in one dict, because it explains an unknown keyword. Only ``help()``, editors and the
    documentation read the signature, so a call costs the same. It leaves out the types, which are so long that the
    names would drown in them. Type checkers read those in the source.

    Args:
        keywords: A `TypedDict` of the keywords. ``None`` if ``**`` only collects unknown ones.
        defaults: The defaults that aren't ``None``, by keyword.

    Returns:
        The decorator.
    """

    def decorate(function: F) -> F:
        signature = inspect.signature(function)
        parameters = [one for one in signature.parameters.values() if one.kind is not one.VAR_KEYWORD]
        parameters += [
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=defaults.get(name))
            for name in (() if keywords is None else keywords.__annotations__)
        ]
        function.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]  # inspect reads it
        return function

    return decorate


def _call_error_message(
    function: Callable[..., Any], name: str, kwargs: Iterable[str], fixes: dict[str, str], error: TypeError
) -> str:
    """Explain why ``function`` can't be called with these arguments."""
    known = [
        parameter.name
        for parameter in inspect.signature(function).parameters.values()
        if parameter.kind in (parameter.KEYWORD_ONLY, parameter.POSITIONAL_OR_KEYWORD) and parameter.name != "self"
    ]
    for keyword in kwargs:
        if keyword not in known:
            if keyword in fixes:
                return f"{name}() has no keyword {keyword}: {fixes[keyword]}"
            return unknown_keyword_message(name, keyword, known)
    for argument, fix in fixes.items():
        if "missing" in str(error) and f"'{argument}'" in str(error):
            return f"{name}() needs {argument}: {fix}"
    return str(error)


def unknown_keyword_message(function: str, keyword: str, known: Iterable[str]) -> str:
    """Return the message about an unknown keyword argument, with the nearest known one.

    Args:
        function: The name of the function that was called.
        keyword: The keyword argument that it doesn't have.
        known: The keyword arguments that it has.
    """
    names = list(known)
    near = get_close_matches(keyword, names, n=1, cutoff=0.7)
    hint = f"did you mean {near[0]}?" if near else f"it takes {', '.join(names) or 'no keywords'}"
    return f"{function}() has no keyword {keyword}: {hint}"


def validated_flag(name: str, value: Any) -> bool:
    """Return ``value`` if it is a ``bool``.

    Args:
        name: The name of the argument, for the message.
        value: What the developer passed.

    Raises:
        TypeError: If it is anything else, because the text ``"false"`` is true.
    """
    if not isinstance(value, bool):
        raise TypeError(f"{name} must be True or False, not {value!r}")
    return value


def validated_choice(name: str, given: Sequence[str], known: tuple[str, ...]) -> tuple[str, ...]:
    """Return ``given`` as a tuple if all its members are in ``known``.

    Args:
        name: The name of the argument, for the message.
        given: What the developer passed. The order is kept.
        known: The possible values.

    Raises:
        ConfigurationError: If ``given`` is empty, or has an unknown value, or the same value twice.
        TypeError: If ``given`` is a string.
    """
    if isinstance(given, str):
        raise TypeError(f'{name}={given!r} is a bare string: write ("{given}",)')
    values = tuple(given)
    for value in values:
        if value not in known or values.count(value) > 1:
            raise ConfigurationError(f"{name} has {value!a} unknown or twice: choose from {', '.join(known)}")
    if not values:
        raise ConfigurationError(f"{name} is empty: choose from {', '.join(known)}")
    return values


def validated_seconds(name: str, value: float | timedelta, *, least: float = 0, most: float = MAX_TIME_SPAN) -> float:
    """Return a span of time in seconds, which the developer gave as a number or a `timedelta`.

    Args:
        name: The name of the argument, for the message.
        value: What the developer passed.
        least: The shortest span that is allowed, in seconds.
        most: The longest one.

    Raises:
        TypeError: If it is neither a number nor a `timedelta`.
        ConfigurationError: If it is below ``least`` or above ``most``.
    """
    number = value.total_seconds() if isinstance(value, timedelta) else value
    if isinstance(number, bool) or not isinstance(number, (int, float)):
        raise TypeError(f"{name} must be a number of seconds or a timedelta, not {value!r}")
    if not least <= number <= most:  # NaN is outside as well
        raise ConfigurationError(f"{name} must be {least} to {most} seconds, not {value}")
    return number


def validated_whole_seconds(name: str, value: int | timedelta, *, least: int = 0, most: int = MAX_TIME_SPAN) -> int:
    """Return the same as `validated_seconds`, for times in whole seconds. A fraction is a `TypeError`."""
    number = value.total_seconds() if isinstance(value, timedelta) else value
    if isinstance(number, float) and (not number.is_integer() or not isinstance(value, timedelta)):
        raise TypeError(f"{name} must be a whole number of seconds, or a timedelta of whole seconds, not {value!r}")
    return int(validated_seconds(name, value, least=least, most=most))

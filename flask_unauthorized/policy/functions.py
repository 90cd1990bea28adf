"""Functions of the app that decide in a guard: those of ``unless=`` and ``authorization_details=``."""

import inspect
from collections.abc import Callable
from typing import Any


def check_function(option: str, function: Callable[..., object], arguments: tuple[Any, ...], how: str) -> None:
    """Check that a guard can call a function and keep it.

    Args:
        option: The name of the keyword that the developer wrote.
        function: Its value.
        arguments: Examples of the arguments with which the guard calls the function.
        how: What the arguments are, for the message, such as ``"without arguments"``.

    Raises:
        TypeError: The function is async, has no hash, or can't be called in this way.
    """
    if inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(getattr(type(function), "__call__", None)):  # noqa: B004  # its type's, not whether it is callable
        raise TypeError(
            f"{option}={name_of(function)} is async, and it must be a plain function: write def, not async def"
        )
    if type(function).__hash__ is None:
        raise TypeError(f"{option}={function!r} has no hash, so a guard can't keep it: pass a function")
    try:
        inspect.signature(function).bind(*arguments)
    except TypeError as error:
        raise TypeError(
            f"{option}={name_of(function)} can't be called {how} ({error}): read request and current_app in it"
        ) from None
    except ValueError:  # A callable written in C may have no signature.
        pass


def name_of(function: Callable[..., object]) -> str:
    """Return the name of a function for messages: the app's words, never a value of a request."""
    return str(getattr(function, "__qualname__", None) or type(function).__qualname__)

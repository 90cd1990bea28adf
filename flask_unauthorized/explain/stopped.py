"""Stops functions: while an app is explained, all code that calls the view gets `Entered`, and not a line of it runs.

The code of the function is replaced, and not the function: so it doesn't matter where a reference to it is kept, which
thread calls it, or how often a caller tries again. The replacement has the same parameters, name, place and closure, so
that decorators that look at a function see what they saw before. A function that an app makes from the same code isn't
stopped.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from inspect import (
    CO_ASYNC_GENERATOR,
    CO_COROUTINE,
    CO_GENERATOR,
    CO_ITERABLE_COROUTINE,
    CO_VARARGS,
    CO_VARKEYWORDS,
)
from types import CodeType, FunctionType
from typing import Final, NoReturn

_CALLS: Final[list[list[str]]] = []
"""For each `stopped` that is in force, the names of functions that were called."""


class Entered(BaseException):
    """The view was called, although no guard has accepted the caller."""


@contextmanager
def stopped(functions: Iterable[FunctionType]) -> Iterator[list[str]]:
    """Stop functions until the context ends.

    Returns:
        The names of those that were called. It grows, whether or not the caller caught `Entered`.
    """
    kept = [(function, function.__code__) for function in functions]
    calls: list[str] = []
    _CALLS.append(calls)
    try:
        for function, code in kept:
            function.__code__ = _stopping(code)
        yield calls
    finally:
        for function, code in kept:
            function.__code__ = code
        _CALLS.remove(calls)


def stop(name: str) -> NoReturn:
    """Note a call, and raise `Entered`. The code that takes the place of a function calls it."""
    for calls in _CALLS:
        calls.append(name)
    raise Entered


def _stopping(code: CodeType) -> CodeType:
    """Return code of the same kind, with the parameters and the closure of another, which calls `stop`.

    A generator calls it once it is asked for its first value, which is when the first line of the other would run.
    """
    keyword = "async def" if code.co_flags & (CO_COROUTINE | CO_ASYNC_GENERATOR) else "def"
    end = "yield" if code.co_flags & (CO_GENERATOR | CO_ASYNC_GENERATOR) else "pass"
    free = ", ".join(code.co_freevars)
    source = (
        f"def _outer_({free}):\n"
        f"    {keyword} _stopping_({_parameters(code)}):\n"
        f"        from {__name__} import stop\n"
        f"        stop({code.co_name!r})\n"
        f"        ({free and free + ','})\n"
        f"        {end}\n"
    )
    outer = compile(source, code.co_filename, "exec")
    made = _code_in(_code_in(outer, "_outer_"), "_stopping_")
    flags = made.co_flags | code.co_flags & CO_ITERABLE_COROUTINE
    return made.replace(co_name=code.co_name, co_firstlineno=code.co_firstlineno, co_flags=flags)


def _code_in(code: CodeType, name: str) -> CodeType:
    return next(one for one in code.co_consts if isinstance(one, CodeType) and one.co_name == name)


def _parameters(code: CodeType) -> str:
    """Return the parameters of a function as source. Defaults belong to the function, not to its code."""
    names = iter(code.co_varnames)
    positional = [next(names) for _ in range(code.co_argcount)]
    keywords = [next(names) for _ in range(code.co_kwonlyargcount)]
    parts = positional[: code.co_posonlyargcount]
    parts += ["/"] if parts else []
    parts += positional[code.co_posonlyargcount :]
    if code.co_flags & CO_VARARGS:
        parts.append(f"*{next(names)}")
    elif keywords:
        parts.append("*")
    parts += keywords
    if code.co_flags & CO_VARKEYWORDS:
        parts.append(f"**{next(names)}")
    return ", ".join(parts)

"""The texts of errors: messages that may be translated lazily, and values shown in private reasons."""

import functools
from typing import Any, Final, Protocol

from ..logs import log

MAX_REASON = 300
"""The longest private reason that is logged or explained, in characters."""
# Callers must not read what str() shows of these: raw bytes, and the details of an exception.
_NOT_TEXTS: Final = (bytes, bytearray, BaseException)


class LazyText(Protocol):
    """A text that is translated when it is read, such as Flask-Babel's ``lazy_gettext()`` returns."""

    def __str__(self) -> str: ...

    def __len__(self) -> int: ...

    def __mod__(self, other: Any, /) -> Any: ...


Text = str | LazyText


def is_text(value: object) -> bool:
    """Return whether a value is a `str` or a lazily translated text, whose class defines ``__str__``."""
    if isinstance(value, str):
        return True
    return type(value).__str__ is not object.__str__ and not isinstance(value, _NOT_TEXTS)


def as_text(value: Any, default: Any = "") -> str:
    """Translate a lazy text now, and return a `str`; ``None`` and a failing translation give ``default``."""
    try:
        return str(default if value is None else value)
    except Exception:  # A broken translation must not turn a refusal into a 500.
        log.exception("a lazily translated text (%s) could not be rendered", type(value).__name__)
        return default if type(default) is str else ""


def loggable_text(value: Any) -> str:
    """Format a private reason for a log: one line of at most `MAX_REASON` characters. It may hold a loader's text."""
    return "".join(character if character.isprintable() else "?" for character in as_text(value)[:MAX_REASON])


def shown(value: object, longest: int = 48) -> str:
    """Format a value for a private reason: in ASCII, sets sorted, at most ``longest`` characters."""
    if type(value) is frozenset:
        return _shown_set(value, longest)
    return _cut(ascii(sorted(value, key=str) if isinstance(value, (set, frozenset)) else value), longest)


@functools.lru_cache(maxsize=512)
def _shown_set(names: frozenset[Any], longest: int) -> str:
    """Show a set, sorted. Cached, because many refusals show the same scopes or roles."""
    return _cut(ascii(sorted(names, key=str)), longest)


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[: longest - 3]}..."

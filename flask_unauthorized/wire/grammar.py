"""The grammar of authentication fields, as commented fragments (RFC 9110 §5.6 and §11).

One strict reader serves both directions: a list of challenges (``WWW-Authenticate``) and one set of credentials
(``Authorization``) are made of the same elements. It is linear in its input and raises nothing but `GrammarError`.
"""

import re
from typing import Final, NamedTuple

MAX_AUTHORIZATION: Final = 16 * 1024
"""Longest ``Authorization`` field value that is read, in bytes, unless ``UNAUTHORIZED_MAX_CREDENTIALS`` says more."""
LARGEST_AUTHORIZATION: Final = 64 * 1024
"""What ``UNAUTHORIZED_MAX_CREDENTIALS`` may say at most: no server lets a longer line through."""
MAX_CHALLENGES: Final = 16 * 1024
"""Longest ``WWW-Authenticate`` value (all lines together) that is read, in bytes."""
MAX_PARAMS: Final = 32
"""Most parameters that one challenge or one set of credentials may have."""
MAX_EMPTY_ELEMENTS: Final = 64
"""Most empty list elements that are ignored (RFC 9110 §5.6.1.2: "a reasonable number")."""

# token (§5.6.2), token68 (§11.2), quoted-string (§5.6.4; unrolled, so that nothing is tried twice) and BWS (§5.6.3).
# \x80-\xff is obs-text: field values are bytes, which WSGI hands over as Latin-1.
TOKEN: Final = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
TOKEN68: Final = r"[A-Za-z0-9\-._~+/]+=*"
QUOTED: Final = (
    r'"[\t \x21\x23-\x5b\x5d-\x7e\x80-\xff]*(?:\\[\t \x21-\x7e\x80-\xff][\t \x21\x23-\x5b\x5d-\x7e\x80-\xff]*)*"'
)
BWS: Final = r"[ \t]*"

_SEPARATORS = re.compile(r"[ \t,]*")
_END_OF_ELEMENT = re.compile(r"[ \t]*(?:,|\Z)")
_SCHEME = re.compile(TOKEN)
_PARAM_START = re.compile(rf"({TOKEN}){BWS}={BWS}")
_VALUE = re.compile(rf"{QUOTED}|{TOKEN}")
# A token68 is recognised by what follows it: "Foo a=" is one, "Foo a=b" is a parameter.
_TOKEN68 = re.compile(rf"({TOKEN68})(?=[ \t]*(?:,|\Z))")
_QUOTED_PAIR = re.compile(r"\\(.)")
_IS_TOKEN = re.compile(TOKEN)
_IS_TOKEN68 = re.compile(TOKEN68)


class GrammarError(ValueError):
    """A field value does not follow RFC 9110 §11. The text names the place, never the value: it may hold a secret."""


class Element(NamedTuple):
    """A scheme with what came after it: nothing, a token68, or parameters in the order in which they came."""

    scheme: str
    params: tuple[tuple[str, str], ...]
    token68: str | None


def is_token(text: str) -> bool:
    """Whether ``text`` is a ``token`` (RFC 9110 §5.6.2)."""
    return _IS_TOKEN.fullmatch(text) is not None


def is_token68(text: str) -> bool:
    """Whether ``text`` is a ``token68`` (RFC 9110 §11.2)."""
    return _IS_TOKEN68.fullmatch(text) is not None


def quote(text: str) -> str:
    """``text`` as a quoted-string; only ``"`` and ``\\`` are escaped (RFC 9110 §5.6.4)."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def read_elements(text: str, limit: int) -> list[Element]:
    """All elements of a comma-separated list of at most ``limit`` bytes.

    Raises `GrammarError` for anything that the grammar does not allow.
    """
    _check_characters(text, limit)
    found: list[Element] = []
    params: dict[str, tuple[str, str]] = {}
    position = empty = 0
    while True:
        separators = _match(_SEPARATORS, text, position)
        empty += max(0, text.count(",", position, separators.end()) - (1 if found else 0))
        if empty > MAX_EMPTY_ELEMENTS:
            raise GrammarError(f"more than {MAX_EMPTY_ELEMENTS} empty list elements")
        position = separators.end()
        if position == len(text):
            return found
        if _PARAM_START.match(text, position):
            # A parameter after a comma belongs to the scheme before it (RFC 9110 §11.6.1).
            if not found or found[-1].token68 is not None:
                raise GrammarError(f"a parameter without a scheme at byte {position}")
            position = _read_param(text, position, params)
            found[-1] = found[-1]._replace(params=tuple(params.values()))
        else:
            params = {}
            element, position = _read_scheme(text, position, params)
            found.append(element)
        if not _END_OF_ELEMENT.match(text, position):
            raise GrammarError(f"expected a comma or the end at byte {position}")


def _read_scheme(text: str, start: int, params: dict[str, tuple[str, str]]) -> tuple[Element, int]:
    """The scheme at ``start`` with the token68 or the first parameter behind it, and where they end."""
    name = _SCHEME.match(text, start)
    if name is None:
        raise GrammarError(f"expected a scheme at byte {start}")
    end = name.end()
    # 1*SP stands between the scheme and the rest (§11.3): no tab, and nothing else.
    rest = end
    while text.startswith(" ", rest):
        rest += 1
    if rest == end or _END_OF_ELEMENT.match(text, rest):
        return Element(name[0], (), None), end
    token68 = _TOKEN68.match(text, rest)
    if token68 is not None:
        return Element(name[0], (), token68[1]), token68.end()
    position = _read_param(text, rest, params)
    return Element(name[0], tuple(params.values()), None), position


def _read_param(text: str, start: int, params: dict[str, tuple[str, str]]) -> int:
    """Adds the parameter at ``start`` to ``params`` (keyed by its lower-case name); returns where it ends."""
    name = _PARAM_START.match(text, start)
    if name is None:
        raise GrammarError(f"expected a parameter at byte {start}")
    key = name[1].lower()
    if key in params:
        raise GrammarError(f"a parameter occurs twice (RFC 9110 §11.2) at byte {start}")
    if len(params) == MAX_PARAMS:
        raise GrammarError(f"more than {MAX_PARAMS} parameters")
    value = _VALUE.match(text, name.end())
    if value is None:
        raise GrammarError(f"expected a token or a quoted-string at byte {name.end()}")
    params[key] = (name[1], _unquote(value[0]))
    return value.end()


def _unquote(value: str) -> str:
    if not value.startswith('"'):
        return value
    value = value[1:-1]
    return _QUOTED_PAIR.sub(r"\1", value) if "\\" in value else value


def _check_characters(text: str, limit: int) -> None:
    if len(text) > limit:
        raise GrammarError(f"longer than {limit} bytes")
    if not text.isascii() and any(character > "\xff" for character in text):
        raise GrammarError("a character beyond Latin-1, which no field value can hold")


def _match(pattern: "re.Pattern[str]", text: str, position: int) -> "re.Match[str]":
    match = pattern.match(text, position)
    assert match is not None, "the pattern matches the empty string"
    return match

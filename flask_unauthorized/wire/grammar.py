"""The grammar of authentication fields (RFC 9110 §5.6 and §11): a field value in, its elements out.

One reader serves both directions, because a list of challenges (``WWW-Authenticate``) and one set of credentials
(``Authorization``) are made of the same elements: a scheme, then nothing, a token68, or parameters.

The order of steps in `read_elements`:

1. Refuse a value that is too long, or has characters that no field value may have. Nothing else looks at the whole
   value first.
2. Skip separators. Empty list elements are allowed, up to a limit (RFC 9110 §5.6.1.2).
3. Read a parameter of the current scheme, or a new scheme with what follows it. Both begin with a token, and a comma
   separates both kinds of lists (RFC 9110 §11.6.1), so the text behind the token decides: ``=`` makes it a parameter.
4. Require a comma or the end. Nothing is skipped to find a place where the text makes sense again.

Invariants:

- Strict: an input that the grammar doesn't allow raises `GrammarError`, and is never repaired. If a proxy
  and this app guessed differently, an attacker could smuggle credentials past the proxy.
- Linear: each pattern is anchored at a position that only grows, and has one way to match. No input makes it slow.
- Bounded: length, parameters and empty elements have limits, so that one request costs little memory.
- Discreet: an error names the position, never the text, which may be a secret.

Werkzeug's ``Authorization`` and ``WWWAuthenticate`` are not used. They accept what the grammar forbids, read one scheme
only, have no limits, and write realms without quotes, which some clients don't understand.
"""

import re
from typing import Final, NamedTuple

DEFAULT_CREDENTIAL_LIMIT: Final = 16 * 1024
"""The longest ``Authorization`` value that is read, in bytes. ``UNAUTHORIZED_MAX_CREDENTIALS`` can raise it."""
MAX_CREDENTIAL_LIMIT: Final = 64 * 1024
"""The largest ``UNAUTHORIZED_MAX_CREDENTIALS``, in bytes: no server accepts a longer field line."""
MAX_CHALLENGES: Final = 16 * 1024
"""The longest ``WWW-Authenticate`` value that is read, all lines together, in bytes."""
MAX_PARAMS: Final = 32
"""How many parameters one challenge or one set of credentials may have."""
MAX_EMPTY_ELEMENTS: Final = 64
"""How many empty list elements are ignored (RFC 9110 §5.6.1.2: "a reasonable number")."""

# token (§5.6.2), token68 (§11.2), quoted-string (§5.6.4) and BWS (§5.6.3). The quoted-string is unrolled, so that no
# character is tried twice. \x80-\xff is obs-text: field values are bytes, which WSGI decodes as Latin-1.
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
# What follows decides whether it is a token68: "Foo a=" is one, "Foo a=b" is a parameter.
_TOKEN68 = re.compile(rf"({TOKEN68})(?=[ \t]*(?:,|\Z))")
_QUOTED_PAIR = re.compile(r"\\(.)")
_IS_TOKEN = re.compile(TOKEN)
_IS_TOKEN68 = re.compile(TOKEN68)


class GrammarError(ValueError):
    """A field value that RFC 9110 §11 doesn't allow.

    The message of a value that was received names the position, never the text, which may be a secret.
    """


class Element(NamedTuple):
    """A scheme with what follows it: nothing, a token68, or parameters in the order of the field."""

    scheme: str
    params: tuple[tuple[str, str], ...]
    token68: str | None


def is_token(text: str) -> bool:
    """Return whether a text is a ``token`` (RFC 9110 §5.6.2)."""
    return _IS_TOKEN.fullmatch(text) is not None


def is_token68(text: str) -> bool:
    """Return whether a text is a ``token68`` (RFC 9110 §11.2)."""
    return _IS_TOKEN68.fullmatch(text) is not None


def quote(text: str) -> str:
    """Return a text as a quoted-string; quotes and backslashes are escaped (RFC 9110 §5.6.4)."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def read_elements(text: str, limit: int) -> list[Element]:
    """Return all elements of a comma-separated list.

    Args:
        text: The field value, decoded as Latin-1.
        limit: The longest value that is read, in bytes.

    Raises:
        GrammarError: If the value is too long, or the grammar doesn't allow it.
    """
    _check_characters(text, limit)
    found: list[Element] = []
    params: dict[str, tuple[str, str]] = {}
    takes_params = False
    position = empty = 0
    while True:
        separators = _SEPARATORS.match(text, position)
        assert separators is not None, "the pattern matches the empty string"
        empty += max(0, text.count(",", position, separators.end()) - (1 if found else 0))
        if empty > MAX_EMPTY_ELEMENTS:
            raise GrammarError(f"more than {MAX_EMPTY_ELEMENTS} empty list elements")
        position = separators.end()
        if position == len(text):
            return found
        if _PARAM_START.match(text, position):
            # A parameter after a comma belongs to the scheme before it (RFC 9110 §11.6.1).
            if not takes_params:
                raise GrammarError(f"a parameter without a scheme at byte {position}")
            position = _read_param(text, position, params)
            found[-1] = found[-1]._replace(params=tuple(params.values()))
        else:
            params = {}
            element, position = _read_scheme(text, position, params)
            found.append(element)
            # Behind the name alone, only a space begins the list of parameters (RFC 9110 §11.3).
            takes_params = bool(params) or (element.token68 is None and text.startswith(" ", position))
        if not _END_OF_ELEMENT.match(text, position):
            raise GrammarError(f"expected a comma or the end at byte {position}")


def _read_scheme(text: str, start: int, params: dict[str, tuple[str, str]]) -> tuple[Element, int]:
    """Read the scheme at ``start`` with its token68 or first parameter; return both and where they end."""
    name = _SCHEME.match(text, start)
    if name is None:
        raise GrammarError(f"expected a scheme at byte {start}")
    end = name.end()
    # One or more spaces separate the scheme from the rest (§11.3). Tabs are not allowed here.
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
    """Add the parameter at ``start`` to ``params``, keyed by its lower-case name; return where it ends."""
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
    content = value[0]
    if content.startswith('"'):
        content = _QUOTED_PAIR.sub(r"\1", content[1:-1]) if "\\" in content else content[1:-1]
    params[key] = (name[1], content)
    return value.end()


def _check_characters(text: str, limit: int) -> None:
    if len(text) > limit:
        raise GrammarError(f"longer than {limit} bytes")
    if not text.isascii() and any(character > "\xff" for character in text):
        raise GrammarError("a character beyond Latin-1, which no field value can hold")

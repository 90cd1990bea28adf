"""`Challenge`: one challenge of ``WWW-Authenticate`` (RFC 9110 §11.6.1), valid by construction.

Only this module prints challenges, so all challenges of this package are correct, whichever code asked. There
are two ways to make one:

- ``Challenge(scheme, params)`` is for senders. It checks the grammar, the characters, and the rules of the scheme's own
  RFC (`rules`), and it raises on the first mistake. A mistake is a bug of the app or of a scheme.
- `parse_challenges` is for receivers: tests, and the guard, which reads the challenges of other code. It requires the
  grammar only. Old clients and servers break rules for senders, and their challenges must still be readable;
  `soundness` decides whether such a challenge may be sent on.

Both are printed in the same way: the scheme as registered, ``realm`` first, values quoted unless the scheme's RFC wants
a token. Some clients compare scheme names with case, or expect a quoted realm. The text is made once, because the same
challenge goes out with many responses.
"""

from collections.abc import Iterable, Iterator, Mapping

from .grammar import MAX_CHALLENGES, Element, GrammarError, is_token, is_token68, quote, read_elements
from .rules import SCHEMES_WITH_RULES, SPELLINGS, UNQUOTED_PARAMS, check_param, check_required


class Challenge:
    """One immutable challenge; ``str()`` gives its exact text.

    >>> str(Challenge("Bearer", {"realm": "notes", "error": "invalid_token"}))
    'Bearer realm="notes", error="invalid_token"'

    Equality ignores the case of scheme and parameter names, and the order of parameters.

    Example:
        Write a challenge, and read a part of it::

            from flask_unauthorized import Challenge

            challenge = Challenge("Bearer", {"realm": "notes", "error": "invalid_token"})
            assert str(challenge) == 'Bearer realm="notes", error="invalid_token"'
            assert challenge.get("error") == "invalid_token"

    Args:
        scheme: The scheme's name, a token. It is spelled as registered, whatever its case (RFC 9110 §11.1).
        params: A mapping or pairs of names and unescaped values. ``realm`` goes first and is quoted (RFC 9110 §11.5).
        token68: The value that some schemes have in place of parameters (RFC 9110 §11.3).

    Raises:
        TypeError: If a part is not a string.
        ValueError: If the challenge must not be sent: a parameter occurs twice, a value is not printable ASCII, the
            realm is longer than 256 bytes, or the scheme's own RFC forbids it.
    """

    __slots__ = ("_key", "_params", "_scheme", "_text", "_token68")

    _scheme: str
    _params: tuple[tuple[str, str], ...]
    _token68: str | None
    _text: str
    _key: tuple[object, ...]

    def __init__(
        self,
        scheme: str,
        params: Mapping[str, str] | Iterable[tuple[str, str]] = (),
        *,
        token68: str | None = None,
    ) -> None:
        items: Iterable[tuple[str, str]] = params.items() if isinstance(params, Mapping) else params  # pyright: ignore  # Mapping or pairs
        pairs = tuple(items)
        _check(scheme, pairs, token68)
        realm = tuple(pair for pair in pairs if pair[0].lower() == "realm")
        others = tuple(pair for pair in pairs if pair[0].lower() != "realm")
        self._set(scheme, realm + others, token68)

    @classmethod
    def _received(cls, element: Element) -> "Challenge":
        """Make a challenge as it was received: it follows the grammar, but maybe not the rules for senders."""
        self = object.__new__(cls)
        self._set(element.scheme, element.params, element.token68)
        return self

    def _set(self, scheme: str, params: tuple[tuple[str, str], ...], token68: str | None) -> None:
        lower = scheme.lower()
        put = object.__setattr__
        put(self, "_scheme", SPELLINGS.get(lower, scheme))
        put(self, "_params", params)
        put(self, "_token68", token68)
        put(self, "_text", _format(self._scheme, params, token68))
        put(self, "_key", (lower, frozenset((name.lower(), value) for name, value in params), token68))

    @property
    def scheme(self) -> str:
        """The scheme, spelled as registered: ``"DPoP"``."""
        return self._scheme

    @property
    def params(self) -> tuple[tuple[str, str], ...]:
        """The parameters as (name, unescaped value), in the order in which they are printed."""
        return self._params

    @property
    def token68(self) -> str | None:
        """The value in place of parameters, or ``None``."""
        return self._token68

    def get(self, name: str) -> str | None:
        """Return the value of a parameter, or ``None``.

        Args:
            name: The name of the parameter, in any case (RFC 9110 §11.2).
        """
        wanted = name.lower()
        return next((value for key, value in self._params if key.lower() == wanted), None)

    def __iter__(self) -> Iterator[str]:
        return (name for name, _ in self._params)

    def __str__(self) -> str:
        return self._text

    def __repr__(self) -> str:
        return f"<Challenge {self._text}>"

    def __eq__(self, other: object) -> bool:
        return self._key == other._key if isinstance(other, Challenge) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._key)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"a Challenge is immutable: make a new one instead of setting {name}")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"a Challenge is immutable: {name} cannot be deleted")

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, (self._scheme, self._params, self._token68)


def parse_challenges(value: str | Iterable[str]) -> tuple[Challenge, ...]:
    """Parse all challenges of ``WWW-Authenticate``, in their order.

    Example:
        Read what another server asks for::

            from flask_unauthorized.wire import parse_challenges

            found = parse_challenges('Basic realm="notes", Bearer error="invalid_token"')
            assert [challenge.scheme for challenge in found] == ["Basic", "Bearer"]

    Args:
        value: The field value. Several field lines are given as an iterable, and joined by commas (RFC 9110 §5.3).

    Returns:
        The challenges; an empty tuple if there is none.

    Raises:
        GrammarError: If the value is malformed, or longer than 16 KiB.
    """
    text = value if isinstance(value, str) else ", ".join(value)
    return tuple(Challenge._received(element) for element in read_elements(text, MAX_CHALLENGES))


def _rebuild(scheme: str, params: tuple[tuple[str, str], ...], token68: str | None) -> Challenge:
    return Challenge._received(Element(scheme, params, token68))


def _check(scheme: str, pairs: tuple[tuple[str, str], ...], token68: str | None) -> None:
    for text in (scheme, *(part for pair in pairs for part in pair), *(() if token68 is None else (token68,))):
        if not isinstance(text, str):
            raise TypeError(f"a challenge is made of str, not {type(text).__name__}")
    if not is_token(scheme):
        raise GrammarError(f"scheme {scheme!a} is not a token (RFC 9110 §11.1)")
    if token68 is not None:
        _check_token68(scheme, pairs, token68)
    else:
        _check_params(scheme, pairs)


def _check_token68(scheme: str, pairs: tuple[tuple[str, str], ...], token68: str) -> None:
    if pairs:
        raise GrammarError("a challenge has a token68 or parameters, not both (RFC 9110 §11.3)")
    if not is_token68(token68):
        raise GrammarError("token68 holds a character outside A-Z a-z 0-9 - . _ ~ + / (RFC 9110 §11.2)")
    if scheme.lower() in SCHEMES_WITH_RULES:
        raise GrammarError(f"a {scheme} challenge has parameters, no token68")


def _check_params(scheme: str, pairs: tuple[tuple[str, str], ...]) -> None:
    lower = scheme.lower()
    names = {name.lower() for name, _ in pairs}
    if len(names) != len(pairs):
        raise GrammarError(f"a {scheme} challenge has a parameter twice (RFC 9110 §11.2)")
    for name, value in pairs:
        if not is_token(name):
            raise GrammarError(f"parameter name {name!a} is not a token (RFC 9110 §11.2)")
        check_sendable(lower, name, value)
    check_required(lower, names)


def check_sendable(scheme: str, name: str, value: str) -> None:
    """Raise `ValueError` if a parameter must not be sent; ``scheme`` in lower case."""
    check_param(scheme, name.lower(), value)
    if _is_unquoted(scheme, name) and not is_token(value):
        raise GrammarError(f"{name}={value!a} is not a token")


def _is_unquoted(scheme: str, name: str) -> bool:
    # An extended parameter (RFC 8187) is never quoted.
    return name.lower() in UNQUOTED_PARAMS.get(scheme, ()) or name.endswith("*")


def _format(scheme: str, params: tuple[tuple[str, str], ...], token68: str | None) -> str:
    if token68 is not None:
        return f"{scheme} {token68}"
    lower = scheme.lower()
    # Other code may have quoted a value that must be a token. If it is none, it can only be printed quoted.
    printed = (
        f"{name}={value if _is_unquoted(lower, name) and is_token(value) else quote(value)}" for name, value in params
    )
    return f"{scheme} {', '.join(printed)}" if params else scheme

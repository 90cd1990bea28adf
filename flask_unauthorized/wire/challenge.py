"""`Challenge`: one challenge, valid by construction. It alone writes ``WWW-Authenticate`` (RFC 9110 §11.6.1)."""

from collections.abc import Iterable, Iterator, Mapping

from .grammar import MAX_CHALLENGES, Element, GrammarError, is_token, is_token68, quote, read_elements
from .rules import BARE, RULED, SPELLINGS, check_param, check_required


class Challenge:
    """An immutable challenge; ``str()`` gives its exact text.

    >>> str(Challenge("Bearer", {"realm": "notes", "error": "invalid_token"}))
    'Bearer realm="notes", error="invalid_token"'

    ``params`` is a mapping or pairs; ``realm`` goes first and is always quoted (RFC 9110 §11.5). ``token68`` stands
    instead of parameters (RFC 9110 §11.3). Equality ignores the case of scheme and parameter names and the order of
    parameters.

    Raises `ValueError` for what must not be sent: a name twice, a value that is not printable ASCII, a realm over
    256 bytes, or what the scheme's own RFC forbids; `TypeError` where something is not a string.
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
        items: Iterable[tuple[str, str]] = params.items() if isinstance(params, Mapping) else params  # pyright: ignore
        pairs = tuple(items)
        _check(scheme, pairs, token68)
        realm = tuple(pair for pair in pairs if pair[0].lower() == "realm")
        others = tuple(pair for pair in pairs if pair[0].lower() != "realm")
        self._set(scheme, realm + others, token68)

    @classmethod
    def _of(cls, element: Element) -> "Challenge":
        """A challenge as it was received: the grammar holds, the rules for senders need not."""
        self = object.__new__(cls)
        self._set(element.scheme, element.params, element.token68)
        return self

    def _set(self, scheme: str, params: tuple[tuple[str, str], ...], token68: str | None) -> None:
        lower = scheme.lower()
        put = object.__setattr__
        put(self, "_scheme", SPELLINGS.get(lower, scheme))
        put(self, "_params", params)
        put(self, "_token68", token68)
        put(self, "_text", _print(self._scheme, params, token68))
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
        """What stands in the place of parameters, or ``None``."""
        return self._token68

    def get(self, name: str) -> str | None:
        """The value of a parameter (its name compares without case, RFC 9110 §11.2), or ``None``."""
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
    """All challenges in the value of ``WWW-Authenticate``, in their order; several lines are given as an iterable.

    Raises `GrammarError` where the value (all lines together, joined by commas: RFC 9110 §5.3) is malformed or longer
    than 16 KiB. No challenge at all is an empty tuple.
    """
    text = value if isinstance(value, str) else ", ".join(value)
    return tuple(Challenge._of(element) for element in read_elements(text, MAX_CHALLENGES))


def _rebuild(scheme: str, params: tuple[tuple[str, str], ...], token68: str | None) -> Challenge:
    return Challenge._of(Element(scheme, params, token68))


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
    if scheme.lower() in RULED:
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
    """Refuses a parameter that must not be sent: by the scheme's own rule, or because it is no token and must be."""
    check_param(scheme, name.lower(), value)
    if _is_bare(scheme, name) and not is_token(value):
        raise GrammarError(f"{name}={value!a} is not a token")


def _is_bare(scheme: str, name: str) -> bool:
    # An extended parameter (RFC 8187) is never quoted.
    return name.lower() in BARE.get(scheme, ()) or name.endswith("*")


def _print(scheme: str, params: tuple[tuple[str, str], ...], token68: str | None) -> str:
    if token68 is not None:
        return f"{scheme} {token68}"
    lower = scheme.lower()
    # A bare value that was received quoted stays quoted where it is no token.
    printed = (
        f"{name}={value if _is_bare(lower, name) and is_token(value) else quote(value)}" for name, value in params
    )
    return f"{scheme} {', '.join(printed)}" if params else scheme

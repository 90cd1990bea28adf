"""Why a request is refused. The class fixes status, OAuth error code and safe wording (the design's decision table).

All but `ConfigurationError` are Werkzeug HTTP exceptions as well, so ``except Unauthorized`` and ``errorhandler(401)``
see them; their headers hold the challenges.
"""

import functools
import logging
import math
from collections.abc import Iterable, Iterator
from html import escape
from typing import Any, ClassVar, Final, Protocol

from werkzeug import exceptions as http

from .wire.challenge import Challenge
from .wire.rules import check_scope_token

MAX_REASON = 300
"""Longest private reason that is logged or explained, in characters."""
MAX_RETRY_AFTER = 86_400
"""Longest ``Retry-After`` that is sent, in seconds: a day."""


class LazyText(Protocol):
    """A text that is translated when it is read, such as Flask-Babel's ``lazy_gettext()`` returns."""

    def __str__(self) -> str: ...

    def __len__(self) -> int: ...

    def __mod__(self, other: Any, /) -> Any: ...


Text = str | LazyText

_log: Final = logging.getLogger("flask_unauthorized")
# Their str() shows bytes, or what an exception was about, which callers must not read.
_NO_TEXTS: Final = (bytes, bytearray, BaseException)


def is_text(value: object) -> bool:
    """Whether ``str(value)`` is a text: a `str`, or a lazily translated one, whose class writes its own ``__str__``."""
    if isinstance(value, str):
        return True
    return type(value).__str__ is not object.__str__ and not isinstance(value, _NO_TEXTS)


def as_text(value: Any, instead: Any = "") -> str:
    """``value`` as a `str`, translated now if it is lazy; ``instead`` for ``None`` and where the translation fails."""
    try:
        return str(instead if value is None else value)
    except Exception:  # a broken translation never costs the refusal
        _log.exception("a lazily translated text (%s) could not be rendered", type(value).__name__)
        return instead if type(instead) is str else ""


class ConfigurationError(Exception):
    """The developer's mistake, found while configuring, decorating or before the first request."""


class AuthError(Exception):
    """Base of every refusal.

    ``error`` is the OAuth code that goes on the wire, ``None`` for those without. ``challenges`` are filled in by the
    extension where a request is refused; ``scheme`` is the name of the scheme that was tried; ``one_line`` puts all
    challenges into one field line, for scripts: Firefox's fetch() shows none of two. ``reason`` is for the log and the
    signal only and never leaves the server.
    """

    error: ClassVar[str | None] = None
    challenges: tuple[Challenge, ...] = ()
    one_line: bool = False
    scheme: str | None = None
    reason: str | None = None
    refusal_number: int | None = None
    """The number of the request for which this error was logged. A copy may be raised in another request."""

    @property
    def message(self) -> str:
        """The text for the client: the one given, else the class's own. A lazy text is translated when this is read."""
        text = getattr(self, "description", None)
        return text if type(text) is str else as_text(text, getattr(type(self), "description", None) or "")

    def auth_headers(self) -> Iterator[tuple[str, str]]:
        """The header lines that must survive whoever renders this error."""
        lines = map(str, self.challenges)
        for line in (", ".join(lines),) if self.one_line and self.challenges else lines:
            yield "WWW-Authenticate", line
        yield "Cache-Control", "no-store"


class _Answer(http.HTTPException, AuthError):
    """What all refusals share. The first base, so that its ``__init__`` and ``get_headers`` are the ones that count."""

    response: Any = None
    www_authenticate: Any = None

    def __init__(self, message: Text | None = None, *, reason: Text | None = None) -> None:
        if message is not None and not is_text(message):
            raise TypeError(
                f"message must be a str, a lazily translated text or None, not {type(message).__name__}: "
                "write the text that the caller may read"
            )
        # Werkzeug's own __init__ would set what the class says already, and costs a refusal four more calls.
        if message is not None:
            self.description = message  # type: ignore[assignment]  # Werkzeug's type knows no lazy texts
        if reason is not None:
            self.reason = reason  # type: ignore[assignment]  # a str for all who read ours

    def __reduce__(self) -> tuple[Any, ...]:
        """For ``pickle`` and ``copy``: what the fields hold, whatever arguments the class takes.

        Which request was told of the error is left out: a copy may be raised in another one, or in another process.
        """
        fields = {name: value for name, value in vars(self).items() if name != "refusal_number"}
        lazy = {name for name in ("description", "reason") if not isinstance(fields.get(name), str | None)}
        # A lazy text may not be picklable, and other processes speak other languages.
        args = tuple(as_text(arg) if any(arg is fields[name] for name in lazy) else arg for arg in self.args)
        fields.update((name, as_text(fields[name])) for name in lazy)
        return _rebuilt, (type(self), args, fields)

    def get_description(self, environ: Any = None, scope: Any = None) -> str:
        """The message for Werkzeug's own body; always escaped, for a lazy text may name what a caller sent."""
        return f"<p>{escape(self.message)}</p>".replace("\n", "<br>")

    def get_headers(self, environ: Any = None, scope: Any = None) -> list[tuple[str, str]]:
        """Content type, one ``WWW-Authenticate`` line per challenge, ``no-store``, and ``Retry-After``."""
        return [*http.HTTPException.get_headers(self, environ, scope), *self.auth_headers()]


def _rebuilt(kind: type[_Answer], args: tuple[Any, ...], fields: dict[str, Any]) -> _Answer:
    error = kind.__new__(kind, *args)
    vars(error).update(fields)
    return error


class _RetryLater(_Answer):
    """A refusal that names the time after which to try again."""

    retry_after: int | None = None

    def __init__(
        self, message: Text | None = None, *, reason: Text | None = None, retry_after: float | None = None
    ) -> None:
        super().__init__(message, reason=reason)
        if retry_after is not None:
            self.retry_after = _whole_seconds(retry_after)

    def auth_headers(self) -> Iterator[tuple[str, str]]:
        yield from super().auth_headers()
        if self.retry_after is not None:
            yield "Retry-After", str(self.retry_after)


for _base in (_Answer, _RetryLater):
    # Python's own message about a wrong argument shows this name.
    _base.__init__.__qualname__ = "AuthError.__init__"


class Unauthorized(_Answer, http.Unauthorized, AuthError):
    """401: the base of the refusals that ask the caller to (re)authenticate (RFC 9110 §15.5.2)."""

    description = "Authentication is required to access this resource."


class MissingCredentials(Unauthorized):
    """401: no credentials were sent, or only those of a scheme that this resource doesn't take (RFC 6750 §3.1)."""


class InvalidCredentials(Unauthorized):
    """401: credentials were sent and are not good; for Bearer ``invalid_token`` (RFC 6750 §3.1)."""

    error = "invalid_token"
    description = "The credentials are not valid."


class ExpiredCredentials(InvalidCredentials):
    """401: the credentials were good once and have expired."""

    description = "The credentials have expired."


class StaleNonce(ExpiredCredentials):
    """401: the proof was right, its nonce is over or was used (RFC 7616 §3.3, ``stale``): the client tries again."""


class RevokedCredentials(InvalidCredentials):
    """401: the credentials were good once and were revoked."""

    description = "The credentials have been revoked."


class InvalidProof(InvalidCredentials):
    """401: the proof that belongs to the token is missing, wrong or used (RFC 9449 §7.1, ``invalid_dpop_proof``)."""

    error = "invalid_dpop_proof"
    description = "The DPoP proof is missing or not valid."


class NonceRequired(InvalidCredentials):
    """401: the proof needs a nonce of ours, which goes out as ``DPoP-Nonce`` (RFC 9449 §9, ``use_dpop_nonce``).

    ``nonce`` is that one; where it is ``None``, the scheme makes one.
    """

    error = "use_dpop_nonce"
    description = "The DPoP proof needs the nonce that comes with this answer."
    nonce: str | None = None

    def auth_headers(self) -> Iterator[tuple[str, str]]:
        yield from super().auth_headers()
        if self.nonce is not None:
            yield "DPoP-Nonce", self.nonce


class StepUpRequired(Unauthorized):
    """401: the login is too old or too weak for this resource (RFC 9470 §3).

    ``acr_values`` are the acceptable classes in order of preference, ``max_age`` the longest time since the login in
    seconds; both go into the challenge.
    """

    error = "insufficient_user_authentication"
    description = "A more recent or a stronger login is needed."
    acr_values: tuple[str, ...] = ()
    max_age: int | None = None

    def __init__(
        self,
        message: Text | None = None,
        *,
        reason: Text | None = None,
        acr_values: str | Iterable[str] = (),
        max_age: int | None = None,
    ) -> None:
        super().__init__(message, reason=reason)
        self.acr_values = _tokens("acr_values", acr_values.split() if isinstance(acr_values, str) else acr_values)
        if max_age is not None:
            self.max_age = _checked_seconds("max_age", max_age)


class MalformedCredentials(_Answer, http.BadRequest, AuthError):
    """400: broken syntax of a scheme that this resource takes, or two credentials at once (RFC 6750 §3.1)."""

    error = "invalid_request"
    description = "The credentials are malformed."


class Forbidden(_Answer, http.Forbidden, AuthError):
    """403: the caller is known and not allowed (RFC 9110 §15.5.4)."""

    description = "You are not allowed to access this resource."


class CrossSiteRequest(Forbidden):
    """403: a page of another site sent this with the caller's cookie, or to change whose cookie it is."""

    description = "This request came from another site, whose origin is not in trusted_origins=."


class InsufficientScope(Forbidden):
    """403: good credentials, but not for this; ``scopes`` is everything that the resource needs (RFC 6750 §3.1)."""

    error = "insufficient_scope"
    description = "The credentials do not give the permissions that this resource needs."
    scopes: tuple[str, ...] = ()

    def __init__(
        self, message: Text | None = None, *, reason: Text | None = None, scopes: str | Iterable[str] = ()
    ) -> None:
        super().__init__(message, reason=reason)
        self.scopes = _sorted_scopes(tuple(scopes.split() if isinstance(scopes, str) else scopes))


class TooManyAttempts(_RetryLater, http.TooManyRequests, AuthError):  # type: ignore[misc]  # Werkzeug allows a date too
    """429: throttled; ``retry_after`` in seconds goes out as ``Retry-After`` (RFC 6585 §4)."""

    description = "Too many attempts. Try again later."


class AuthUnavailable(_RetryLater, http.ServiceUnavailable, AuthError):
    """503: we can't know whether the credentials are good. Our trouble, so no challenge; ``retry_after`` in seconds."""

    description = "Authentication is temporarily unavailable. Try again later."
    retry_after = 5


def _checked_seconds(name: str, value: int) -> int:
    # In a view, where a wrong number is a wrong value and no mistake of configuration.
    try:
        return configured_seconds(name, value)
    except ConfigurationError as error:
        raise ValueError(str(error)) from None


def configured_seconds(name: str, value: int, *, least: int = 0, most: int = 2**31) -> int:
    """``value`` if it is a whole number of seconds within the bounds; else `TypeError` or `ConfigurationError`."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} must be an int of seconds, not {value!r}")
    if not least <= value <= most:
        raise ConfigurationError(f"{name} must be {least} to {most} seconds, not {value}")
    return value


def shown(value: object, longest: int = 48) -> str:
    """``value`` as a private reason tells it: in ASCII, sets sorted, and cut."""
    if type(value) is frozenset:
        return _shown_set(value, longest)
    return _cut(ascii(sorted(value, key=str) if isinstance(value, (set, frozenset)) else value), longest)


@functools.lru_cache(maxsize=512)
def _shown_set(names: frozenset[Any], longest: int) -> str:
    """Scopes and roles, which are the same in many refusals."""
    return _cut(ascii(sorted(names, key=str)), longest)


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[: longest - 3]}..."


@functools.lru_cache(maxsize=512)
def _sorted_scopes(scopes: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(sorted(set(_tokens("scopes", scopes))))


def _tokens(name: str, values: Iterable[str]) -> tuple[str, ...]:
    tokens = tuple(values)
    for token in tokens:
        if not isinstance(token, str):
            raise TypeError(f"{name} must hold str, not {type(token).__name__}")
        check_scope_token(token)
    return tokens


def _whole_seconds(value: float) -> int:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or math.isnan(value):
        raise TypeError(f"retry_after must be a number of seconds, not {value!r}")
    return int(min(max(0, math.ceil(min(value, MAX_RETRY_AFTER))), MAX_RETRY_AFTER))


CacheKey = tuple[type[AuthError], tuple[str, ...]]


def response_cache_key(error: AuthError) -> CacheKey | None:
    """Return class and scopes, if these alone decide what a response says; ``None`` if an app changed anything."""
    kind = type(error)
    fields = vars(error)
    if (
        kind not in _OWN_CLASSES
        or not _FIELDS_WITHOUT_EFFECT.issuperset(fields)
        or type(kind.__dict__.get("description", "")) is not str
    ):
        return None
    scopes = fields.get("scopes", ())
    return (kind, scopes) if type(scopes) is tuple else None


_OWN_CLASSES = frozenset(kind for kind in vars().values() if isinstance(kind, type) and issubclass(kind, AuthError))
# These change nothing of what a response says, except for the scopes, which are part of the key.
_FIELDS_WITHOUT_EFFECT = frozenset({"challenges", "one_line", "reason", "refusal_number", "scheme", "scopes"})


class ErrorSnapshot:
    """A copy of an error: its class and fields, never the exception, whose traceback would keep frames alive."""

    __slots__ = ("fields", "kind")

    def __init__(self, error: AuthError) -> None:
        self.kind = type(error)
        self.fields = vars(error).copy()

    def restore(self) -> AuthError:
        """Return an equal error."""
        error = self.kind.__new__(self.kind)
        error.__dict__.update(self.fields)
        return error

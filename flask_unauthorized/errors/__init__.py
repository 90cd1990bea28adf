"""Why a request is refused: one class per case. The class fixes status, OAuth error code and safe wording.

- 400: `MalformedCredentials`
- 401: `Unauthorized`, with `MissingCredentials`, `InvalidCredentials`, `ExpiredCredentials`, `RevokedCredentials`,
  `SessionStolen`, `StaleNonce`, `InvalidProof`, `NonceRequired` and `StepUpRequired`
- 403: `Forbidden`, with `InsufficientScope` and `CrossSiteRequest`
- 429: `TooManyAttempts`
- 503: `AuthUnavailable`
- no response: `ConfigurationError`, a mistake in the set-up

All but `AuthError` and `ConfigurationError` are Werkzeug HTTP exceptions as well. So ``except Unauthorized``,
``errorhandler(401)`` and ``errorhandler(AuthError)`` see them, and their headers hold the challenges.

Two texts go with an error. ``message`` is public: the caller reads it in the body and, for OAuth schemes, in
``error_description``. ``reason`` is private: it may name values that were received, and only the log, the signal and
the developer's explanation show it. Both may be lazily translated texts, which are read as late as possible, in the
language of the request.

Errors can be copied and pickled, because caches and task queues do that (Flask-Caching stores a returned error). A copy
carries the fields, whatever arguments the class takes, and lazy texts as they read in the current request.

The other modules of this package are for the extension itself: `text` has the helpers for both texts, `snapshot` copies
an error without its traceback, and `cache_key` says which errors have equal responses.
"""

import functools
import math
from collections.abc import Iterable, Iterator
from html import escape
from typing import Any, ClassVar, Final

from werkzeug import exceptions as http

from ..wire.challenge import Challenge
from ..wire.rules import check_scope_token
from .text import Text, as_text, is_text

MAX_RETRY_AFTER = 86_400
"""The longest ``Retry-After`` that is sent, in seconds: one day."""
MAX_TIME_SPAN: Final = 2**31
"""The longest span of time that a challenge or the configuration may name, in seconds."""


class ConfigurationError(Exception):
    """A mistake of the developer in the set-up of an app.

    It is raised while configuring, while decorating, or before the first request. It isn't an `AuthError`, so no
    handler turns it into a response. The app doesn't start, or responds with 500.

    Example:
        See the message of a mistake::

            from flask_unauthorized import Auth, Bearer, ConfigurationError

            try:
                Auth(Bearer(load_user), realm="")
            except ConfigurationError as error:
                print(error)
    """


class AuthError(Exception):
    """Base of all refusals.

    Raise a subclass. The extension fills in ``challenges``, ``scheme`` and ``one_line`` when it refuses a request.

    Example:
        Count all refusals in one place::

            from flask_unauthorized import AuthError
            from flask_unauthorized.signals import refused

            @refused.connect_via(app)
            def count(sender, error: AuthError, **extra):
                sender.logger.info("%s %s", error.code, error.reason_code)

    Attributes:
        error: The OAuth error code that goes on the wire, or ``None``. It belongs to the class.
        challenges: The challenges of the response.
        scheme: The name of the scheme whose credentials were tried, such as ``"Bearer"``, or ``None``.
        one_line: True if all challenges go into one field line. Scripts need that: Firefox's ``fetch()`` shows none of
            two lines.
        reason: The private reason. It never leaves the server, except in the developer's explanation.
        reason_code: The reason as a stable word for the log, such as ``"expired"``. `flask_unauthorized.events` lists
            all. Classes of an app may have their own.
    """

    error: ClassVar[str | None] = None
    challenges: tuple[Challenge, ...] = ()
    one_line: bool = False
    scheme: str | None = None
    reason: str | None = None
    reason_code: str = "refused"
    refusal_number: int | None = None
    """The number of the request for which this error was logged. A copy may be raised in another request."""

    @property
    def message(self) -> str:
        """The text for the caller: the one given, else the one of the class; lazy texts are translated now."""
        text = getattr(self, "description", None)
        return text if type(text) is str else as_text(text, getattr(type(self), "description", None) or "")

    def auth_headers(self) -> Iterator[tuple[str, str]]:
        """Yield the header lines that the response must have, whatever code renders its body."""
        lines = map(str, self.challenges)
        for line in (", ".join(lines),) if self.one_line and self.challenges else lines:
            yield "WWW-Authenticate", line
        yield "Cache-Control", "no-store"


class _HTTPRefusal(http.HTTPException, AuthError):
    """What all refusals share.

    It comes first among the bases, so that its ``__init__`` and ``get_headers`` take precedence over Werkzeug's.
    """

    response: Any = None
    www_authenticate: Any = None

    def __init__(self, message: Text | None = None, *, reason: Text | None = None) -> None:
        if message is not None and not is_text(message):
            raise TypeError(
                f"message must be a str, a lazily translated text or None, not {type(message).__name__}: "
                "write the text that the caller may read"
            )
        # Werkzeug's own __init__ would set again what the class defines, and costs a refusal four more calls.
        if message is not None:
            self.description = message  # type: ignore[assignment]  # Werkzeug's type knows no lazy texts
        if reason is not None:
            self.reason = reason  # type: ignore[assignment]  # a str for code that reads it

    def __reduce__(self) -> tuple[Any, ...]:
        """Support ``pickle`` and ``copy``: save the fields, whatever arguments the class takes.

        The request that reported the error is left out: a copy may be raised in another one, or in another process.
        """
        fields = {name: value for name, value in vars(self).items() if name != "refusal_number"}
        lazy = {name for name in ("description", "reason") if not isinstance(fields.get(name), str | None)}
        # A lazy text may not be picklable, and other processes speak other languages.
        args = tuple(as_text(arg) if any(arg is fields[name] for name in lazy) else arg for arg in self.args)
        fields.update((name, as_text(fields[name])) for name in lazy)
        return _rebuilt, (type(self), args, fields)

    def get_description(self, environ: Any = None, scope: Any = None) -> str:
        """Return the message for Werkzeug's own body, escaped because a lazy text may contain caller input."""
        return f"<p>{escape(self.message)}</p>".replace("\n", "<br>")

    def get_headers(self, environ: Any = None, scope: Any = None) -> list[tuple[str, str]]:
        """Return the content type, the challenges, ``no-store``, and ``Retry-After`` if there is one."""
        return [*http.HTTPException.get_headers(self, environ, scope), *self.auth_headers()]


def _rebuilt(kind: type[_HTTPRefusal], args: tuple[Any, ...], fields: dict[str, Any]) -> _HTTPRefusal:
    error = kind.__new__(kind, *args)
    vars(error).update(fields)
    return error


class _RetryLater(_HTTPRefusal):
    """A refusal that may tell the caller when to try again."""

    retry_after: int | None = None

    def __init__(
        self, message: Text | None = None, *, reason: Text | None = None, retry_after: float | None = None
    ) -> None:
        super().__init__(message, reason=reason)
        if retry_after is not None:
            self.retry_after = _validated_retry_after(retry_after)

    def auth_headers(self) -> Iterator[tuple[str, str]]:
        yield from super().auth_headers()
        if self.retry_after is not None:
            yield "Retry-After", str(self.retry_after)


for _base in (_HTTPRefusal, _RetryLater):
    # Python's own message about a wrong argument shows this name.
    _base.__init__.__qualname__ = "AuthError.__init__"


class Unauthorized(_HTTPRefusal, http.Unauthorized, AuthError):
    """401: base of the refusals that ask the caller to authenticate.

    The extension raises its subclasses. The response has a challenge of each scheme that the view accepts.
    Source: RFC 9110 §15.5.2.

    Example:
        Show a page of your own for every 401, with the headers of the extension::

            from flask_unauthorized import Unauthorized

            @app.errorhandler(Unauthorized)
            def show_refusal(error):
                return f"<p>{error.message}</p>", 401, dict(error.auth_headers())

    Args:
        message: The public text for the caller, in place of the default one. It may be lazily translated.
        reason: The private reason, for the log and the signal.
    """

    description = "Authentication is required to access this resource."


class MissingCredentials(Unauthorized):
    """401: the request has no credentials that this resource accepts.

    The extension raises it if nothing was sent, or only credentials of schemes that are not in force here. The
    challenges then carry no error code. Loaders don't raise it. Source: RFC 9110 §15.5.2, RFC 6750 §3.1.

    Example:
        Greet callers who sent nothing with a hint::

            from flask_unauthorized import MissingCredentials

            @app.errorhandler(MissingCredentials)
            def explain(error):
                return {"hint": "Get a token at /tokens."}, 401

    Args:
        message: The public text for the caller, in place of the default one. It may be lazily translated.
        reason: The private reason, for the log and the signal.
    """

    reason_code = "credentials_missing"


class InvalidCredentials(Unauthorized):
    """401: credentials were sent and are not valid.

    The extension raises it if a loader rejects the credentials by ``None`` or ``False``. The loaders of this package
    raise it with a ``reason``. The OAuth error code is ``invalid_token``. Source: RFC 9110 §15.5.2, RFC 6750 §3.1.

    Example:
        Say in a loader why the token is not valid::

            from flask_unauthorized import InvalidCredentials

            def load(token):
                found = find_token(token)
                if found and found.kind != "api":
                    raise InvalidCredentials(reason="this token is not for the API")
                return found and found.owner

    Args:
        message: The public text for the caller, in place of the default one. It may be lazily translated.
        reason: The private reason, for the log and the signal.
    """

    reason_code = "credentials_invalid"
    error = "invalid_token"
    description = "The credentials are not valid."


class ExpiredCredentials(InvalidCredentials):
    """401: the credentials have expired.

    The loaders of this package raise it. The OAuth error code is ``invalid_token``. Source: RFC 6750 §3.1.

    Example:
        Tell expired tokens from unknown ones in a loader::

            from time import time
            from flask_unauthorized import ExpiredCredentials

            def load(token):
                found = find_token(token)
                if found and found.expires_at < time():
                    raise ExpiredCredentials()
                return found and found.owner

    Args:
        message: The public text for the caller, in place of the default one. It may be lazily translated.
        reason: The private reason, for the log and the signal.
    """

    reason_code = "expired"
    description = "The credentials have expired."


class StaleNonce(ExpiredCredentials):
    """401: the Digest response is right, but its nonce has expired or was used.

    `Digest` raises it. The challenge says ``stale=true`` and has a new nonce, so the client tries again without asking
    for the password. Source: RFC 7616 §3.3.

    Example:
        Count clients that have to repeat a request::

            from flask_unauthorized import StaleNonce
            from flask_unauthorized.signals import refused

            @refused.connect_via(app)
            def count(sender, error, **extra):
                if isinstance(error, StaleNonce):
                    sender.logger.info("a Digest nonce has expired")

    Args:
        message: The public text for the caller, in place of the default one. It may be lazily translated.
        reason: The private reason, for the log and the signal.
    """

    reason_code = "nonce_stale"


class RevokedCredentials(InvalidCredentials):
    """401: the credentials were revoked.

    The loaders of this package raise it. The OAuth error code is ``invalid_token``. Source: RFC 6750 §3.1, RFC 7009.

    Example:
        Tell revoked tokens from unknown ones in a loader::

            from flask_unauthorized import RevokedCredentials

            def load(token):
                found = find_token(token)
                if found and found.revoked:
                    raise RevokedCredentials()
                return found and found.owner

    Args:
        message: The public text for the caller, in place of the default one. It may be lazily translated.
        reason: The private reason, for the log and the signal.
    """

    reason_code = "revoked"
    description = "The credentials have been revoked."


class SessionStolen(RevokedCredentials):
    """401: a remembered login was used in two places, so it was ended.

    `SessionCookie` raises it, because the cookie may have been stolen. A caller who sends the cookie or a session of
    the login gets this error, until they log in again. Its response is never a redirect to the login page, so that
    people read why they are logged out. The OAuth error code is ``invalid_token``. Source: RFC 9110 §15.5.2.

    Example:
        Explain on a page of your own what has happened::

            from flask_unauthorized import SessionStolen

            @app.errorhandler(SessionStolen)
            def explain(error):
                return "<p>Another person may have used your login. Change your password.</p>", 401

    Args:
        message: The public text for the caller, in place of the default one. It may be lazily translated.
        reason: The private reason, for the log and the signal.
    """

    reason_code = "session_stolen"
    description = "This login was used in a second place, so it was ended. Log in again."


class InvalidProof(InvalidCredentials):
    """401: the DPoP proof is missing, not valid, or was used before.

    `DPoP` raises it. The challenge of DPoP has ``error="invalid_dpop_proof"`` and ``algs``. The OAuth error code is
    ``invalid_dpop_proof``. Source: RFC 9449 §7.1.

    Example:
        Refuse the key of a client in a loader of `DPoP`::

            from flask_unauthorized import InvalidProof

            def load(token):
                found = find_token(token)
                if found and found.client_is_unsafe:
                    raise InvalidProof(reason="the client shares its key")
                return found and found.owner

    Args:
        message: The public text for the caller, in place of the default one. It may be lazily translated.
        reason: The private reason, for the log and the signal.
    """

    reason_code = "proof_invalid"
    error = "invalid_dpop_proof"
    description = "The DPoP proof is missing or not valid."


class NonceRequired(InvalidCredentials):
    """401: the DPoP proof needs a nonce from this server.

    `DPoP` raises it if it was made with ``nonce=True``. Clients then repeat the request with the nonce. The OAuth error
    code is ``use_dpop_nonce``, and the nonce goes out as ``DPoP-Nonce``. Source: RFC 9449 §9.

    Example:
        Leave requests for a nonce out of an alarm::

            from flask_unauthorized import NonceRequired
            from flask_unauthorized.signals import refused

            @refused.connect_via(app)
            def alarm(sender, error, **extra):
                if not isinstance(error, NonceRequired):
                    sender.logger.warning("refused: %s", error.reason_code)

    Args:
        message: The public text for the caller, in place of the default one. It may be lazily translated.
        reason: The private reason, for the log and the signal.

    Attributes:
        nonce: The nonce to send, or ``None`` if the scheme makes one.
    """

    reason_code = "nonce_required"
    error = "use_dpop_nonce"
    description = "The DPoP proof needs the nonce that comes with this response."
    nonce: str | None = None

    def auth_headers(self) -> Iterator[tuple[str, str]]:
        """Yield the header lines of every refusal, and ``DPoP-Nonce`` if there is a nonce."""
        yield from super().auth_headers()
        if self.nonce is not None:
            yield "DPoP-Nonce", self.nonce


class StepUpRequired(Unauthorized):
    """401: the login is too old or not strong enough for this resource.

    The extension raises it for views with ``acr=``, ``amr=`` or ``max_age=``. `abort_unauthorized` raises it for you.
    The challenge of Bearer and DPoP has ``acr_values`` and ``max_age``. The OAuth error code is
    ``insufficient_user_authentication``. Source: RFC 9470 §3.

    Example:
        Ask for a strong login before a payment::

            from flask_unauthorized import StepUpRequired, abort_unauthorized

            @app.post("/pay")
            @auth.login_required
            def pay():
                abort_unauthorized(error=StepUpRequired, acr_values=["gold"], max_age=300)

    Args:
        message: The public text for the caller, in place of the default one. It may be lazily translated.
        reason: The private reason, for the log and the signal.
        acr_values: The accepted authentication contexts in order of preference; a string is split at spaces. They go
            into the challenge.
        max_age: The longest accepted time since the login, in seconds. It goes into the challenge.

    Raises:
        TypeError: If a context is not a string, or ``max_age`` is not an int.
        ValueError: If a context is not a token, or ``max_age`` is negative or larger than 2³¹.
    """

    reason_code = "step_up_required"
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
        self.acr_values = _scope_tokens("acr_values", acr_values.split() if isinstance(acr_values, str) else acr_values)
        if max_age is not None:
            if isinstance(max_age, bool) or not isinstance(max_age, int):
                raise TypeError(f"max_age must be an int of seconds, not {max_age!r}")
            if not 0 <= max_age <= MAX_TIME_SPAN:
                raise ValueError(f"max_age must be 0 to {MAX_TIME_SPAN} seconds, not {max_age}")
            self.max_age = max_age


class MalformedCredentials(_HTTPRefusal, http.BadRequest, AuthError):
    """400: the credentials cannot be parsed, or the request has more than one.

    The schemes raise it. The response has a challenge, because clients read from it what is wrong. The OAuth error code
    is ``invalid_request``. Source: RFC 6750 §3.1, RFC 9110 §11.6.2.

    Example:
        Refuse in a loader what can't be one of your tokens::

            from flask_unauthorized import MalformedCredentials

            def load(token):
                found = find_token(token)
                if not token.startswith("notes_"):
                    raise MalformedCredentials("Tokens begin with notes_.")
                return found and found.owner

    Args:
        message: The public text for the caller, in place of the default one. It may be lazily translated.
        reason: The private reason, for the log and the signal.
    """

    reason_code = "malformed"
    error = "invalid_request"
    description = "The credentials are malformed."


class Forbidden(_HTTPRefusal, http.Forbidden, AuthError):
    """403: the caller is known and lacks permission.

    The extension raises it if a role is missing, and `abort_forbidden` raises it for you. The response has no
    challenge, because logging in again does not help. Source: RFC 9110 §15.5.4.

    Example:
        Refuse a locked account in a loader::

            from flask_unauthorized import Forbidden

            def load(token):
                found = find_token(token)
                if found and is_locked(found.owner):
                    raise Forbidden("This account is locked.")
                return found and found.owner

    Args:
        message: The public text for the caller, in place of the default one. It may be lazily translated.
        reason: The private reason, for the log and the signal.
    """

    reason_code = "forbidden"
    description = "You are not allowed to access this resource."


class CrossSiteRequest(Forbidden):
    """403: a page of another site sent the request with the caller's cookie.

    The extension raises it for unsafe methods, if the origin isn't in ``trusted_origins``. It also does so if such a
    page tries to log the caller in or out. The response has no challenge. Source: RFC 9110 §15.5.4, RFC 6265 §8.2.

    Example:
        Tell people what the 403 means::

            from flask_unauthorized import CrossSiteRequest

            @app.errorhandler(CrossSiteRequest)
            def explain(error):
                return "<p>Another site sent this form. Open our page, and send it from there.</p>", 403

    Args:
        message: The public text for the caller, in place of the default one. It may be lazily translated.
        reason: The private reason, for the log and the signal.
    """

    reason_code = "cross_site"
    description = "This request came from another site, whose origin is not in trusted_origins=."


class InsufficientScope(Forbidden):
    """403: the credentials are valid, but don't grant all scopes that are needed.

    The extension raises it for views with ``scopes=``, and if the function of ``authorization_details=`` returns
    ``False``. ``abort_forbidden(scopes=…)`` raises it for you. The challenge of Bearer and DPoP names the scopes. The
    OAuth error code is ``insufficient_scope``. Source: RFC 6750 §3.1.

    Example:
        Refuse tokens without any scope in a loader::

            from flask_unauthorized import InsufficientScope

            def load(token):
                found = find_token(token)
                if found and not found.scopes:
                    raise InsufficientScope(scopes={"notes:read"})
                return found and found.owner

    Args:
        message: The public text for the caller, in place of the default one. It may be lazily translated.
        reason: The private reason, for the log and the signal.
        scopes: All scopes that the resource needs; a string is split at spaces. They go into the challenge.

    Raises:
        TypeError: If a scope is not a string.
        ValueError: If a scope is not a scope token (RFC 6749 §3.3).
    """

    reason_code = "scope_missing"
    error = "insufficient_scope"
    description = "The credentials do not give the permissions that this resource needs."
    scopes: tuple[str, ...] = ()

    def __init__(
        self, message: Text | None = None, *, reason: Text | None = None, scopes: str | Iterable[str] = ()
    ) -> None:
        super().__init__(message, reason=reason)
        self.scopes = _sorted_scopes(tuple(scopes.split() if isinstance(scopes, str) else scopes))


class TooManyAttempts(_RetryLater, http.TooManyRequests, AuthError):  # type: ignore[misc]  # Werkzeug allows a date too
    """429: the caller made too many attempts in a short time.

    A `Throttle` raises it before a loader runs. The response has ``Retry-After`` and no challenge. Source: RFC 6585 §4.

    Example:
        Limit the requests of a token in a loader::

            from flask_unauthorized import TooManyAttempts

            def load(token):
                found = find_token(token)
                if found and found.requests > 1000:
                    raise TooManyAttempts(retry_after=60)
                return found and found.owner

    Args:
        message: The public text for the caller, in place of the default one. It may be lazily translated.
        reason: The private reason, for the log and the signal.
        retry_after: Seconds until the next attempt, sent as ``Retry-After``. It is rounded up, and at most one day.

    Raises:
        TypeError: If ``retry_after`` is not a number.
    """

    reason_code = "over_limit"
    description = "Too many attempts. Try again later."


class AuthUnavailable(_RetryLater, http.ServiceUnavailable, AuthError):
    """503: the credentials cannot be checked now, because of a server-side failure.

    Loaders and stores raise it if a server that they ask is unavailable. ``Auth(unavailable=[…])`` makes it of the
    exceptions of your libraries. The response has ``Retry-After``, and no challenge, since other credentials would not
    help. Source: RFC 9110 §15.6.4.

    Example:
        Respond with 503 while your database is unavailable::

            from flask_unauthorized import AuthUnavailable

            def load(token):
                try:
                    return query_of_a_slow_database(token)
                except TimeoutError:
                    raise AuthUnavailable(reason="the database timed out", retry_after=10) from None

    Args:
        message: The public text for the caller, in place of the default one. It may be lazily translated.
        reason: The private reason, for the log and the signal.
        retry_after: Seconds until the next attempt, sent as ``Retry-After``. It is rounded up, and at most one day.
            Default: 5.

    Raises:
        TypeError: If ``retry_after`` is not a number.
    """

    reason_code = "unavailable"
    description = "Authentication is temporarily unavailable. Try again later."
    retry_after = 5


@functools.lru_cache(maxsize=512)
def _sorted_scopes(scopes: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(sorted(set(_scope_tokens("scopes", scopes))))


def _scope_tokens(name: str, values: Iterable[str]) -> tuple[str, ...]:
    tokens = tuple(values)
    for token in tokens:
        if not isinstance(token, str):
            raise TypeError(f"{name} must hold str, not {type(token).__name__}")
        check_scope_token(token)
    return tokens


def _validated_retry_after(value: float) -> int:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or math.isnan(value):
        raise TypeError(f"retry_after must be a number of seconds, not {value!r}")
    return int(min(max(0, math.ceil(min(value, MAX_RETRY_AFTER))), MAX_RETRY_AFTER))

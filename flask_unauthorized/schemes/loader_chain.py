"""`LoaderChain`: the loaders of a scheme that takes several kinds of tokens, ``Bearer(tokens, JWT(…))``.

A scheme with one loader calls it without this module. A scheme with several has a `LoaderChain` as its loader, which
asks them in the order in which they were given:

1. A loader may have a method ``recognizes``. It gets the arguments of the loader, and returns ``False`` for a token
   that is of another kind, by its form alone. Such a loader isn't asked.
2. A loader rejects the token if it returns ``None``, or raises a 401 (ours or Werkzeug's) or `MalformedCredentials`.
   Then the next loader is asked. A token that is malformed for one loader may be valid for another one.
3. A loader that is unavailable (503) doesn't accept the token, and the next loader is asked as well.
4. Everything else decides: a user, a step-up, 403, 429, and a plain exception, which is a bug of the app (500).

If no loader decides, the token is refused. If one of the loaders was unavailable, the response is its 503, because the
token may be one that this loader accepts. Else the error is the most specific one, so that an expired token is still
called expired. Its reason holds those of all loaders that were asked. See `_rank`.

Invariants:

- ``recognizes`` never accepts a token. It only spares the loader.
- Errors are kept as `ErrorSnapshot`, because an exception keeps the frames of its traceback alive.
- No local variable holds the token, because debug pages and error trackers show local variables.
"""

import inspect
import logging
from collections.abc import Callable
from typing import Any, ClassVar, NamedTuple, Protocol

from werkzeug.exceptions import Unauthorized as HTTPUnauthorized

from ..errors import (
    AuthError,
    AuthUnavailable,
    ConfigurationError,
    InvalidCredentials,
    MalformedCredentials,
    StepUpRequired,
    Unauthorized,
)
from ..errors.snapshot import ErrorSnapshot
from ..errors.text import MAX_REASON, is_text, loggable_text
from ..logs import LOGGER, log
from .run_async import resolve_awaitable
from .secret import Secret


class Owner(Protocol):
    """What a chain needs of its scheme."""

    name: str
    names_subject: ClassVar[bool]
    _credential: ClassVar[str]
    _unavailable: tuple[type[Exception], ...]


class _Link(NamedTuple):
    """One loader of a chain, and how logs and reasons name it."""

    label: str
    load: Callable[..., Any]
    recognizes: Callable[..., Any] | None


class _Failure(NamedTuple):
    """How a loader that was asked rejected the token, or that it was unavailable."""

    link: _Link
    error: ErrorSnapshot

    @property
    def is_outage(self) -> bool:
        return issubclass(self.error.kind, AuthUnavailable)

    @property
    def reason(self) -> str:
        return loggable_text(self.error.fields.get("reason"))


class LoaderChain:
    """Several loaders as one. See the module's description.

    Args:
        scheme: The scheme that owns them.
        loaders: The loaders, at least two.

    Raises:
        ConfigurationError: If a loader is there twice, or its ``recognizes`` can't be used.
    """

    def __init__(self, scheme: Owner, loaders: tuple[Callable[..., Any], ...], count: int) -> None:
        self._scheme = scheme
        self.loaders = loaders
        links = []
        for number, load in enumerate(loaders, 1):
            if any(load is other for other in loaders[: number - 1]):
                raise ConfigurationError(f"{type(scheme).__name__} has a loader twice ({_name(load)}): pass it once")
            label = f"loader {number} ({_name(load)})"
            links.append(_Link(label, load, _validated_recognizes(load, label, count)))
        self._links = tuple(links)

    def __call__(self, *args: str) -> Any:
        """Return what the first loader that doesn't reject the token returns.

        Raises:
            AuthError: If no loader accepts the token, or if one decides by this error.
            Exception: What a loader raised, unless it is a rejection or an outage.
        """
        secret = Secret()
        secret.arguments = args
        del args
        scheme = self._scheme
        failures: list[_Failure] = []
        for link in self._links:
            try:
                if link.recognizes is not None and not _is_recognized(link.label, link.recognizes, secret):
                    continue
                result = resolve_awaitable(link.load(*secret.arguments))
            except AuthError as error:
                if not _lets_others_decide(error):
                    raise
                failure = ErrorSnapshot(error)
            except HTTPUnauthorized as refused:
                failure = ErrorSnapshot(rejected_by_401(scheme, refused))
            except scheme._unavailable as trouble:
                failure = ErrorSnapshot(unavailable_by(scheme, trouble))
            else:
                if result is not None and (result is not False or not scheme.names_subject):
                    self._warn_of_outages(failures, link)
                    return result
                failure = ErrorSnapshot(InvalidCredentials(reason=f"it returned {result} for {scheme._credential}"))
            failures.append(_Failure(link, failure))
            self._log(failures[-1])
        raise self._refusal(failures)

    def _refusal(self, failures: list[_Failure]) -> AuthError:
        """Return the error for a token that no loader accepts."""
        scheme = self._scheme
        if not failures:
            labels = ", ".join(link.label for link in self._links)
            return InvalidCredentials(
                reason=f"no loader of {scheme.name} recognizes {scheme._credential}: {labels}"[:MAX_REASON]
            )
        error = min((failure.error for failure in failures), key=_rank).restore()
        share = (MAX_REASON - 2 * (len(failures) - 1)) // len(failures)
        error.reason = "; ".join(_described(failure, share) for failure in failures)
        return error

    def _log(self, failure: _Failure) -> None:
        if LOGGER.isEnabledFor(logging.DEBUG):
            log.debug(
                "%s of %s didn't accept %s: %s (%s)",
                failure.link.label,
                self._scheme.name,
                self._scheme._credential,
                failure.error.kind.__name__,
                failure.reason,
            )

    def _warn_of_outages(self, failures: list[_Failure], accepting: _Link) -> None:
        """Log outages that the accepted request hides."""
        for failure in failures:
            if failure.is_outage:
                log.warning(
                    "%s of %s is unavailable (%s), and %s decided",
                    failure.link.label,
                    self._scheme.name,
                    failure.reason,
                    accepting.label,
                )

    def __repr__(self) -> str:
        return f"<LoaderChain: {', '.join(_name(load) for load in self.loaders)}>"


def rejected_by_401(scheme: Owner, refused: HTTPUnauthorized) -> InvalidCredentials:
    """Return the rejection for a 401 of Werkzeug (``abort(401)``) that a loader raised."""
    text = refused.description
    own = is_text(text) and text is not HTTPUnauthorized.description
    reason = f"the loader of {scheme.name} raised {type(refused).__name__} (401), which rejects {scheme._credential}"
    return InvalidCredentials(text if own else None, reason=reason)


def unavailable_by(scheme: Owner, trouble: Exception) -> AuthUnavailable:
    """Return the 503 for an exception of a loader whose type is in ``Auth(unavailable=…)``."""
    return AuthUnavailable(
        reason=f"the loader of {scheme.name} raised {type(trouble).__name__}, which unavailable= of Auth lists"
    )


def _lets_others_decide(error: AuthError) -> bool:
    """Return whether the next loader is asked after this error. A step-up is for a token that the loader knows."""
    if isinstance(error, StepUpRequired):
        return False
    return isinstance(error, (Unauthorized, MalformedCredentials, AuthUnavailable))


def _rank(failure: ErrorSnapshot) -> int:
    """Return how little an error says about the token; that of the lowest rank is raised, the first among equals."""
    kind = failure.kind
    if issubclass(kind, AuthUnavailable):
        return 0  # The token may be valid.
    if issubclass(kind, InvalidCredentials):
        if kind is not InvalidCredentials:
            return 1  # It is expired or revoked, say.
        return 2 if "description" in failure.fields else 3  # The loader may have written a message.
    # MissingCredentials says that no token was sent, which isn't so. A 400 is sent only if no loader could read it.
    return 5 if issubclass(kind, MalformedCredentials) else 4


def _described(failure: _Failure, longest: int) -> str:
    text = f"{failure.link.label}: {failure.reason or f'raised {failure.error.kind.__name__}'}"
    return text if len(text) <= longest else f"{text[: max(0, longest - 3)]}..."


def _is_recognized(label: str, recognizes: Callable[..., Any], secret: Secret) -> bool:
    result = recognizes(*secret.arguments)
    if not isinstance(result, bool):
        raise TypeError(f"recognizes() of {label} returned a {type(result).__name__}: return True or False")
    return result


def _validated_recognizes(load: Callable[..., Any], label: str, count: int) -> Callable[..., Any] | None:
    """Return the method ``recognizes`` of a loader, ``None`` if it has none."""
    recognizes = getattr(load, "recognizes", None)
    if recognizes is None:
        return None
    if not callable(recognizes):
        raise ConfigurationError(f"recognizes of {label} is a {type(recognizes).__name__}: make it a method")
    if inspect.iscoroutinefunction(recognizes):
        raise ConfigurationError(f"recognizes() of {label} is async: look at the form of the token only, without await")
    try:
        inspect.signature(recognizes).bind(*("",) * count)
    except TypeError:
        raise ConfigurationError(
            f"recognizes() of {label} is called with {count} argument{'s' if count > 1 else ''}, as the loader is, and "
            "doesn't take that"
        ) from None
    except ValueError:
        pass  # Some callables written in C have no signature.
    return recognizes  # type: ignore[no-any-return]  # a loader's attribute has no type


def _name(load: Callable[..., Any]) -> str:
    """Return how logs name a loader. Its ``repr`` may hold a secret."""
    name = getattr(load, "__name__", None)
    return name if isinstance(name, str) else type(load).__name__


def loaders_of(scheme: Any) -> tuple[object, ...]:
    """Return the loaders of a `Scheme`; one ``None`` for a scheme that has none."""
    loader = scheme._loader
    return loader.loaders if isinstance(loader, LoaderChain) else (loader,)

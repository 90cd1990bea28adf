"""From credentials to an `Identity`: the scheme verifies, the loader returns a result, and the result is read strictly.

Each scheme's credentials are verified once per request. The result is stored, a refusal as well, so that a second
question (``require()``, an outer decorator, a quiet question before the view) never asks the loader again and never
spends a proof or a count twice.

A scheme with a throttle reserves an attempt before it verifies, and settles it afterwards. A caller beyond a limit is
refused before the loader runs, and so is one that is only identified. An exception that isn't a refusal gives the
attempt back.

Loaders fail closed. ``None`` rejects. ``True`` and ``False`` count only if the credentials name the caller. A
positive ``int`` is a subject, if the credentials name no caller. What can't be a user (a cursor, a response, an empty
string) is a `TypeError`, and so a 500: it is the developer's mistake, and the caller must not be accepted.
"""

import functools
from collections.abc import ItemsView, KeysView, Mapping, ValuesView
from numbers import Number
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import Any, Final

from flask import Request
from werkzeug.wrappers import Response

from ..errors import AuthError, InvalidCredentials
from ..errors.snapshot import ErrorSnapshot
from ..events import claim_subject
from ..identity import BareIdentity, Identity
from ..schemes.base import AnyScheme
from .state import AuthenticationState

# No plain tuple either, but a named tuple may well be a user.
_NO_USER_BASES: Final = (
    str, Number, bytes, bytearray, list, set, frozenset, range, KeysView, ValuesView, ItemsView, type,
    type(NotImplemented), type(Ellipsis), ModuleType, FunctionType, MethodType, BuiltinFunctionType, BaseException,
    Response, Mapping,
)  # fmt: skip

_QUERY_METHODS: Final = ("__next__", "__anext__", "add_done_callback", "filter", "filter_by", "where")


def verify(scheme: AnyScheme, credentials: Any, request: Request, state: AuthenticationState) -> Identity:
    """Return the identity behind the credentials.

    Raises:
        AuthError: If the credentials are refused. Later calls in the same request raise an equal error.
        TypeError: If the loader returned what can't be a user.
    """
    results = state.verification_results
    if results is not None and scheme in results:
        return _known_result(results[scheme])
    if scheme.throttle is not None and state.verifying_scheme is not scheme:
        return _verify_throttled(scheme, credentials, request, state)
    state.verifying_scheme = scheme
    try:
        result = scheme.verify(credentials, request)
        identity = result if type(result) is Identity else identity_from_loader_result(result, scheme, credentials)
        if identity.confirmation is not None or scheme.proves_key:
            _prove(scheme, identity, credentials, request)
        if scheme.knows_login:
            identity = scheme.identity_with_login(identity, credentials)
    except AuthError as error:
        state.verification_results = {**(results or {}), scheme: ErrorSnapshot(error)}
        claim_subject(request, _claimed_name(scheme, credentials))
        raise
    finally:
        state.verifying_scheme = None
    state.verification_results = {scheme: identity} if results is None else {**results, scheme: identity}
    return identity


def _prove(scheme: AnyScheme, identity: Identity, credentials: Any, request: Request) -> None:
    """Let the scheme prove the binding. ``bound_only`` refuses an identity without a confirmation in any case.

    An empty confirmation counts as none there. The default of `Scheme.prove` refuses an empty one as well, because a
    loader that returns it meant a binding.
    """
    scheme.prove(identity, credentials, request)
    if scheme.bound_only and not identity.confirmation:
        raise InvalidCredentials(
            reason=f"{scheme.name}: the identity has no confirmation, and bound_only=True: the loader must return the "
            "cnf of the token"
        )


def _known_result(known: Identity | ErrorSnapshot) -> Identity:
    """Return the identity that was found before, or raise the refusal again."""
    if isinstance(known, ErrorSnapshot):
        raise known.restore()
    return known


def _verify_throttled(scheme: AnyScheme, credentials: Any, request: Request, state: AuthenticationState) -> Identity:
    """Do the same as an attempt of the scheme's throttle, which is settled by what comes of it."""
    try:
        attempt = scheme.reserve_attempt(credentials, request)
    except AuthError as error:
        state.verification_results = {**(state.verification_results or {}), scheme: ErrorSnapshot(error)}
        claim_subject(request, _claimed_name(scheme, credentials))
        raise
    state.verifying_scheme = scheme  # `verify` sees that the attempt is reserved
    try:
        identity = verify(scheme, credentials, request, state)
    except AuthError as error:
        attempt.refused(error)
        raise
    except BaseException:  # A failure of the server, or an interrupt: no attempt of the caller has failed.
        attempt.given_back()
        raise
    attempt.succeeded()
    return identity


def _claimed_name(scheme: AnyScheme, credentials: Any) -> str | None:
    """Return the name that rejected credentials claim, for the log; ``None`` if they name no caller."""
    try:
        return scheme.subject(credentials) if scheme.names_subject else None
    except Exception:  # The refusal stands. A scheme may fail to read a name in what it has rejected.
        return None


def identity_from_loader_result(result: object, scheme: AnyScheme, credentials: Any) -> Identity:
    """Return what a loader returned as an identity.

    Raises:
        InvalidCredentials: For ``None``, and for ``False`` if the credentials name the caller.
        TypeError: For what can't be a user.
    """
    if isinstance(result, Identity):
        return result
    if result is None or (result is False and scheme.names_subject):
        raise InvalidCredentials(reason=scheme.rejections[result])
    subject = _named_subject(result, scheme, credentials) if scheme.names_subject else None
    if result is True and scheme.names_subject:
        return BareIdentity(subject)
    kind = type(result)
    if kind is str and result:
        return BareIdentity(result)  # type: ignore[arg-type]  # kind is str
    # A proxy names another class than its own.
    if result.__class__ is kind and _are_users(kind):  # type: ignore[arg-type]  # mypy: a class has no hash
        return BareIdentity(subject, user=result)
    return _identity_from_unusual_result(result, scheme, subject)


def _named_subject(result: object, scheme: AnyScheme, credentials: Any) -> str | None:
    """Return the caller that the credentials name. Refuse an empty name, which is the client's mistake."""
    subject = scheme.subject(credentials)
    if not subject and (result is True or (type(result) is str and not result)):
        raise InvalidCredentials(
            reason=f"the loader of {scheme.name} returned {result!r} for an empty name, expected a name in the "
            "credentials"
        )
    return subject


@functools.lru_cache(maxsize=256)
def _are_users(kind: type[Any]) -> bool:
    """Return whether objects of a class can be users. Cached, because apps have one class of users, or a few."""
    return not issubclass(kind, _NO_USER_BASES) and not _is_query_result(kind)


def _is_query_result(kind: type) -> bool:
    """Return whether objects of a class are queries, cursors or futures, which are there for every token.

    They are recognized by their shape: importing `asyncio` alone costs more than importing this package, and a query
    may be one of SQLAlchemy, Django, peewee or any other library. A query has a method that narrows it. A cursor or the
    result of a query is an iterator, and a future takes callbacks. A plain tuple is a row of the database driver, which
    doesn't name its fields; a named tuple may well be a user.
    """
    return kind is tuple or any(hasattr(kind, name) for name in _QUERY_METHODS)


def _identity_from_unusual_result(result: object, scheme: AnyScheme, subject: str | None) -> BareIdentity:
    """Return what stands for a result whose class doesn't tell that it is a user. Raises `TypeError` for most."""
    if not isinstance(result, _NO_USER_BASES):
        if _is_query_result(type(result)):
            raise _cannot_be_user(result, scheme)
        return BareIdentity(subject, user=result)
    if isinstance(result, Number) and not isinstance(result, bool):
        return BareIdentity(_number_as_subject(result, scheme))
    text = str.__str__(result) if isinstance(result, str) else ""  # `str` of a member of an enum gives its name
    if not text:
        raise _cannot_be_user(result, scheme)
    return BareIdentity(text, user=result)


def _cannot_be_user(result: object, scheme: AnyScheme) -> TypeError:
    kind = type(result)
    fix = "return an Identity, your user object, a non-empty subject, or None for no"
    if hasattr(kind, "__next__"):
        fix = f"it is there whether or not a user was found. Take the first row out of it, and {fix}"
    if isinstance(result, bool):  # `verify_token` of Flask-HTTPAuth may return it
        return TypeError(
            f"the loader of {scheme.name} returned {result}, which names no caller: return an Identity, your user "
            "object or a non-empty subject for yes, and None for no"
        )
    what = "an empty str" if isinstance(result, str) else f"a {kind.__name__}"
    return TypeError(f"the loader of {scheme.name} returned {what}, which cannot be a user: {fix}")


def _number_as_subject(number: Any, scheme: AnyScheme) -> str:
    """Return a positive ``int``, the id of a row, as text. Raise `TypeError` for what may be a rejection."""
    if scheme.names_subject:
        raise TypeError(
            f"the loader of {scheme.name} returned {number!r}, which could mean no, or be an id: return True or False, "
            "None for no, or str(id)"
        )
    if not isinstance(number, int) or number <= 0:
        raise TypeError(
            f"the loader of {scheme.name} returned {number!r}, which could mean no, or be an id: return None for no, a "
            "positive int or str(id) as the subject, an Identity, or your user object"
        )
    return str(int(number))

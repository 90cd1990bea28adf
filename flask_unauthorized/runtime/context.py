"""The caller of the current request: where it is kept, the proxies, and the two ways to stop a view."""

import inspect
import logging
from collections.abc import Collection, Iterable
from contextlib import suppress
from itertools import count
from typing import Any, Final, NoReturn

import flask
from flask import Request
from werkzeug.exceptions import HTTPException
from werkzeug.local import LocalProxy

from .. import signals
from ..arguments import no_keyword
from ..authentication.authenticate import Refusal, State, complete, identify, judge, log, select
from ..errors import (
    MAX_REASON,
    AuthError,
    AuthUnavailable,
    Forbidden,
    InsufficientScope,
    InvalidCredentials,
    MissingCredentials,
    StepUpRequired,
    Text,
    Unauthorized,
    as_text,
    shown,
)
from ..identity import Identity
from ..policy.plan import AnyScheme, Plan
from .app_state import EXTENSION, state_of
from .preconditions import PRECONDITIONS, ignore_preconditions_if_refused

# The real objects behind the proxies, bound once: an attribute through a LocalProxy costs eight times as much.
real_request: Final = flask.request._get_current_object  # type: ignore[attr-defined]  # a LocalProxy has it
real_app: Final = flask.current_app._get_current_object  # type: ignore[attr-defined]  # a LocalProxy has it

_NUMBERS: Final = count(1)
"""Numbers of refused requests. An error notes the one that it was told for: as a number, so that it can be pickled."""

STATE: Final = "_unauthorized"
"""The private attribute of the request object that holds its `State`."""


def state_for(request: Request) -> State:
    """The request's state, made where there is none yet."""
    state: State | None = getattr(request, STATE, None)
    if state is None:
        app = real_app()
        app_state = app.extensions.get(EXTENSION) or state_of(app)
        if not app_state.ready:
            app_state.prepare()
        state = State()
        state.app = app_state
        setattr(request, STATE, state)
    return state


def authenticate(plan: Plan, request: Request, state: State) -> Identity | None:
    """`judge`, with challenges, log and signals. The decorator does the same in line, for it runs the view as well."""
    try:
        identity = judge(plan, request, state)
    except AuthError as error:
        complete_raised(error)
        raise
    if signals.authenticated.receivers:
        announce(state)
    return identity


def authenticate_late(plan: Plan, request: Request, state: State) -> None:
    """`authenticate`, where a decorator may have caught a refusal before: the same one isn't logged twice."""
    caught = state.refused
    try:
        judge(plan, request, state)
    except AuthError as error:
        _complete(error, request, state)
        if state.refused == caught:
            error._told = state.number  # type: ignore[attr-defined]  # private, see tell_refused
        else:
            tell_refused(error, request, state)
        raise
    if signals.authenticated.receivers:
        announce(state)


def announce(state: State) -> None:
    """Tells the receivers who was let in, once for each identity."""
    identity, scheme = state.identity, state.scheme
    if identity is not state.announced and scheme is not None:
        state.announced = identity
        signals.send(signals.authenticated, real_app(), identity=identity, scheme=scheme.name)


def plan_in_force(request: Request, state: State) -> Plan:
    """The plan that was judged, else that of the route, else one of all schemes."""
    if state.plan is None:
        plan: Plan = state.app.plan(request.endpoint, None, request.method)
        return plan
    return state.plan


def complete_raised(error: AuthError) -> None:
    """Gives an error its challenges, logs and signals it; nothing where that was done for this request before."""
    request = real_request()
    complete_once(error, request, state_for(request))


def complete_once(error: AuthError, request: Request, state: State) -> None:
    """`complete_raised`, where request and state are at hand."""
    told = getattr(error, "_told", None)
    # An app may raise one object again and again: what was told in another request doesn't count.
    if told is None or told != state.number:
        _complete(error, request, state)
        tell_refused(error, request, state)


def complete_again(error: AuthError, request: Request, state: State) -> None:
    """`complete_once` for one of several errors that were raised at the same time: it becomes the recorded one."""
    told = getattr(error, "_told", None)
    _complete(error, request, state)
    if told is None or told != state.number:
        tell_refused(error, request, state)


def refuse(error: AuthError, request: Request, state: State) -> NoReturn:
    """Raises ``error`` with the challenges in force."""
    _complete(error, request, state)
    tell_refused(error, request, state)
    raise error


def _complete(error: AuthError, request: Request, state: State) -> None:
    plan = plan_in_force(request, state)
    if state.refused is None and not request.environ.keys().isdisjoint(PRECONDITIONS):
        ignore_preconditions_if_refused(request, state)
    if state.plan is None:
        # Nobody judged this route: the scheme that was sent is still the one that is told the error.
        state.plan = plan  # a scheme may ask for the realm in force
        try:
            with suppress(AuthError, HTTPException):  # malformed, or a body that is too long
                select(plan, request, state)
        finally:
            state.plan = None
    complete(error, plan, state, request)


def tell_refused(error: AuthError, request: Request, state: State) -> None:
    """Logs a refusal and sends the signal. The reason may hold what a loader wrote: one line, cut."""
    if state.number is None:
        state.number = next(_NUMBERS)
    error._told = state.number  # type: ignore[attr-defined]  # private, so that the handler doesn't tell it again
    level = logging.WARNING if isinstance(error, AuthUnavailable) else logging.INFO
    if log.isEnabledFor(level):
        reason = "".join(
            character if character.isprintable() else "?" for character in as_text(error.reason)[:MAX_REASON]
        )
        log.log(level, "refused %s: %s (%s)", request.endpoint, type(error).__name__, reason)
    if signals.refused.receivers:
        signals.send(signals.refused, real_app(), error=Refusal(error).again())


def abort_unauthorized(
    message: Text | None = None,
    *,
    error: type[Unauthorized] | None = None,
    via: AnyScheme | Collection[AnyScheme] | None = None,
    **details: Any,
) -> NoReturn:
    """Stops the view with 401 and the challenges in force for this route (RFC 9110 §11.6.1).

    Without ``error``, credentials that came with the request are verified, unless that was done before. Rejected ones
    are refused as their scheme refused them (``invalid_token``, a stale nonce); malformed ones with 400; 503 where they
    can't be verified. Valid credentials and none get a challenge without an error.

    Args:
        message: The text for the client. Default: that of the error's class.
        error: A subclass of `Unauthorized`, which says what is wrong. Nothing is verified then.
        via: The schemes to offer, in place of those in force for this route.
        **details: Further arguments of the error's class (``max_age=300`` for `StepUpRequired`), and ``reason``, which
            only the log and the signal show.

    Raises:
        AuthError: Always, unless an argument is wrong.
        TypeError: For another class, and for details that the class doesn't take.
    """
    if error is not None and not (isinstance(error, type) and issubclass(error, Unauthorized)):
        fix = (
            f"write error={type(error).__name__}"
            if isinstance(error, Unauthorized)
            else "for 403 call abort_forbidden()"
        )
        raise TypeError(f"error must be a subclass of Unauthorized, not {error!r}: {fix}")
    request = real_request()
    state = state_for(request)
    if error is None:
        refusal: AuthError = _made(MissingCredentials, message, details)
        rejected = _rejection(request, state)
        if rejected is not None:
            refusal = _reworded(rejected, message, details.get("reason"))
    else:
        if error is StepUpRequired and not details.keys() & {"acr_values", "max_age"}:
            plan = plan_in_force(request, state)
            details = {"acr_values": plan.acr, "max_age": plan.max_age, **details}
        refusal = _made(error, message, details)
    if refusal.reason is None:
        refusal.reason = "abort_unauthorized() was called without reason="
    if via is not None:
        state.plan = state.app.plan_offering(request.endpoint, state.app.auth.own_schemes(via))
    refuse(refusal, request, state)


def _made(kind: type[Unauthorized], message: Text | None, details: dict[str, Any]) -> Unauthorized:
    """The error. Raises `TypeError` for details that its class doesn't take."""
    if details:
        known = [name for name in inspect.signature(kind).parameters if name not in ("self", "message")]
        for name in details:
            if name in ("scheme", "schemes"):
                raise TypeError(
                    f"abort_unauthorized() has no keyword {name}: name the schemes to offer with via=scheme"
                )
            if name not in known:
                raise TypeError(no_keyword("abort_unauthorized", name, ("error", "via", *known)))
    return kind(message, **details)


def _rejection(request: Request, state: State) -> AuthError | None:
    """How the credentials in this request were rejected; ``None`` for valid ones and for none."""
    if state.verifying is not None:  # the loader itself says no
        state.tried = state.verifying
        return InvalidCredentials(reason=f"the loader of {state.verifying.name} called abort_unauthorized()")
    if state.identity is not None:
        return None
    found = identify(plan_in_force(request, state), request, state)
    if found.refusal is None:
        return None
    rejected = found.refusal.again()
    if isinstance(rejected, Forbidden):  # sent over plain HTTP or by another site: nobody verified anything
        return None
    state.tried = found.scheme
    return rejected


def _reworded(rejected: AuthError, message: Text | None, reason: Text | None) -> AuthError:
    """A rejection with the app's own words; those of a 400 or 503 stay, for they aren't about a login."""
    if isinstance(rejected, Unauthorized):
        if message is not None:
            rejected.description = message  # type: ignore[assignment]  # Werkzeug's type knows no lazy texts
        if reason is not None:
            rejected.reason = reason  # type: ignore[assignment]  # a str for all who read ours
    return rejected


def abort_forbidden(message: Text | None = None, *, scopes: Iterable[str] | str | None = None) -> NoReturn:
    """Stops the view with 403; ``scopes`` are those that would do (RFC 6750 §3.1, ``insufficient_scope``).

    A caller who isn't known gets 401 instead: logging in may help (RFC 9110 §15.5.2).
    """
    request = real_request()
    state = state_for(request)
    # Nobody may have judged this route: a caller who is known by now is not told to log in.
    if state.identity is None and authenticate(plan_in_force(request, state), request, state) is None:
        abort_unauthorized(
            reason="abort_forbidden() was called for an unknown caller, so it became 401: a login may help"
        )
    if scopes is not None:
        scopes = scopes.split() if isinstance(scopes, str) else tuple(scopes)
        reason = f"the view called abort_forbidden(scopes={shown(list(scopes), 200)})"
        refuse(InsufficientScope(message, scopes=scopes, reason=reason), request, state)
    refuse(Forbidden(message, reason="the view called abort_forbidden()"), request, state)


def request_identity() -> Identity | None:
    """The caller of the current request, ``None`` for nobody; `RuntimeError` outside a request.

    A ``before_request`` function may ask before the view of a guarded endpoint is judged. Then the credentials are
    verified, once and without refusing anybody; the judgment reuses the result.
    """
    request = real_request()
    state: State | None = getattr(request, STATE, None)
    if state is not None and (state.plan is not None or state.identity is not None):
        return state.identity
    app_state = state_of(real_app())  # where init_app was forgotten, everybody would look anonymous
    endpoint = request.endpoint
    if endpoint not in app_state.dispatched or app_state.effective(endpoint, request.method) is None:
        return None
    return _identity_before_judgment(request, state_for(request))


def _identity_before_judgment(request: Request, state: State) -> Identity | None:
    if state.verifying is not None:  # the loader itself asks who is calling
        return None
    first = state.quiet is None
    found = identify(plan_in_force(request, state), request, state)
    if first and found.refusal is not None and issubclass(found.refusal.kind, AuthUnavailable):
        log.warning("%s: nobody is identified, because the credentials could not be verified", request.endpoint)
    return found.identity


def request_user() -> Any:
    """The caller's user object, else the identity itself where the loader gave none; ``None`` for nobody."""
    identity = request_identity()
    if identity is None:
        return None
    return identity if identity.user is None else identity.user


current_identity: Identity = LocalProxy(request_identity)  # type: ignore[assignment]  # what Flask's own proxies do
current_user: Any = LocalProxy(request_user)

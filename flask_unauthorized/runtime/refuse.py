"""Refusing: an error gets its challenges, is recorded, logged and signaled, once per request.

A refusal passes `handle_refusal` where it is raised: in the wrapper of a guarded view, in ``require()`` or in
`abort_unauthorized`. So decorators between the guard and Flask, and the app's own error handlers, see an error with its
challenges. The error handler passes it again, for errors that a hook raised by hand. ``error.refusal_number`` says that
there is nothing left to do: it is the number of the request for which the error was logged.

What is recorded (`RecordedRefusal`) holds the header lines that must survive whichever code renders the error. For most
refusals they are the same in each request, so they come out of a cache of the plan (`ReadyRefusal`). The same entry has
the responses, so a refusal that is responded to at once needs one look-up.
"""

import logging
from collections.abc import Mapping
from contextlib import suppress
from itertools import count
from typing import Any, Final, NoReturn

from flask import Request
from werkzeug.exceptions import HTTPException

from .. import signals
from ..authentication.authenticate import authenticate_request, select
from ..errors import AuthError, AuthUnavailable
from ..errors.cache_key import response_cache_key
from ..errors.snapshot import ErrorSnapshot
from ..errors.text import loggable_text
from ..events import claimed_subject, log_event, subject_hash
from ..identity import Identity
from ..logs import LOGGER, ROOT_LOGGER
from ..policy.challenges import ReadyRefusal, RecordedRefusal, cache_put
from ..policy.functions import name_of
from ..policy.plan import Plan
from ..policy.unless import Results
from ..schemes.base import AnyScheme
from ..wire.fetch_metadata import is_script
from .conditional_requests import ignore_conditions_if_refused
from .request_state import RequestState, real_app, real_request, state_for

_REFUSAL_NUMBERS: Final = count(1)


def authenticate(plan: Plan, request: Request, state: RequestState) -> Identity | None:
    """Return the caller as `authenticate_request` does, with challenges, log and signals.

    The wrapper of a view does the same in line, because it also runs the view.
    """
    try:
        identity = authenticate_request(plan, request, state)
    except AuthError as error:
        handle_refusal(error, request, state)
        raise
    if signals.authenticated.receivers or (LOGGER.level or ROOT_LOGGER.level) <= logging.DEBUG:
        announce(state)
    return identity


def authenticate_late(plan: Plan, request: Request, state: RequestState) -> None:
    """Do the same after the view, where a decorator may have caught the refusal: it isn't logged twice."""
    caught = state.recorded_refusal
    try:
        authenticate_request(plan, request, state)
    except AuthError as error:
        attach_challenges(error, request, state)
        if state.recorded_refusal == caught:
            error.refusal_number = state.refusal_number
        else:
            log_and_signal(error, request, state)
        raise
    if signals.authenticated.receivers or (LOGGER.level or ROOT_LOGGER.level) <= logging.DEBUG:
        announce(state)


def announce(state: RequestState) -> None:
    """Log and signal the accepted caller, once for each identity."""
    identity, scheme = state.identity, state.scheme
    if identity is not state.announced_identity and scheme is not None:
        state.announced_identity = identity
        if LOGGER.isEnabledFor(logging.DEBUG):
            _log_decision(logging.DEBUG, "authenticated", "accepted by %s", scheme.name, scheme=scheme, caller=identity)
        if signals.authenticated.receivers:
            signals.send(
                signals.authenticated, real_app(), identity=identity, scheme=scheme.name, session=_session_of(scheme)
            )


def _log_decision(
    level: int,
    event: str,
    message: str,
    *args: object,
    scheme: AnyScheme | None,
    caller: Identity | None,
    claimed: str | None = None,
    reason_code: str | None = None,
) -> None:
    """Log an event about credentials.

    Args:
        level: The level.
        event: A key of `events.EVENTS`.
        message: The text, with placeholders for ``args``.
        *args: The values of the placeholders.
        scheme: The scheme of the credentials.
        caller: The caller, if the credentials are valid.
        claimed: The name in rejected credentials. It counts only without ``caller``.
        reason_code: Why the request was refused.
    """
    token_id, token_prefix = (None, None) if caller is None else _token_of(caller)
    log_event(
        level,
        event,
        message,
        *args,
        scheme=None if scheme is None else scheme.name,
        subject=claimed if caller is None else caller.subject,
        reason_code=reason_code,
        session=_session_of(scheme),
        token_id=token_id,
        token_prefix=token_prefix,
    )


def _token_of(caller: Identity) -> tuple[str | int | None, str | None]:
    """Return the id of the token that a caller used, and the prefix of the loader that counts such ids."""
    claims = caller.claims
    # Stored tokens and the logins of `Pairs` name their id in these claims, JWTs in ``jti`` (RFC 7519 §4.1.7).
    for name in ("token_id", "family_id"):
        if isinstance(claims.get(name), (str, int)):
            prefix = claims.get("token_prefix")
            return claims[name], prefix if isinstance(prefix, str) else None
    jti = claims.get("jti")
    return (jti if isinstance(jti, (str, int)) else None), None


def _session_of(scheme: AnyScheme | None) -> str | None:
    with suppress(Exception):  # The request was judged. A session that can't be read changes nothing.
        return None if scheme is None else scheme.public_session_id()
    return None


def _refused_caller(state: RequestState) -> Identity | None:
    """Return the caller whose valid credentials were refused; ``None`` if the credentials were rejected."""
    found = None if state.attempted_scheme is None else (state.verification_results or {}).get(state.attempted_scheme)
    return found if isinstance(found, Identity) else state.identity


def plan_in_force(request: Request, state: RequestState) -> Plan:
    """Return the plan by which the request was judged, else that of the route, else one of all schemes."""
    return state.app_state.known_plan(request, state) if state.plan is None else state.plan


def refuse(error: AuthError, request: Request, state: RequestState) -> NoReturn:
    """Raise ``error`` with the challenges in force.

    A loader only rejects the credentials by it. Another loader of the scheme may accept them, and a page that is open
    only asked who is calling. So the code that asked the loader refuses the request, or doesn't.
    """
    if state.verifying_scheme is None:
        attach_challenges(error, request, state)
        log_and_signal(error, request, state)
    try:
        raise error
    finally:
        del error  # This frame belongs to the traceback of the error: keeping it would be a reference cycle.


def handle_refusal(error: AuthError, request: Request, state: RequestState) -> ReadyRefusal | None:
    """Give a raised error its challenges, log and signal it, unless that was done for this request before.

    Returns what is ready for this error, as long as no other code gets it. ``None`` if `ready_refusal` has to find it.
    """
    if error.refusal_number is None or error.refusal_number != state.refusal_number:
        ready = attach_challenges(error, request, state)
        log_and_signal(error, request, state)
        return ready
    return None


def ready_refusal(error: AuthError, request: Request, state: RequestState) -> ReadyRefusal | None:
    """Return what is ready for an error that has its challenges; ``None`` if other code has changed the error."""
    challenges = plan_in_force(request, state).challenges
    content = response_cache_key(error)
    if content is None:
        return None
    ready = challenges.ready_refusals.get((content, state.attempted_scheme, error.one_line))
    return ready if ready is not None and ready.challenges is error.challenges else None


def handle_refusal_of_current_request(error: AuthError) -> None:
    """Do the same for code that hasn't the request and its state at hand."""
    request = real_request()
    handle_refusal(error, request, state_for(request))


def record_as_response(error: AuthError, request: Request, state: RequestState) -> None:
    """Do the same for one of several errors that were raised together: this one becomes the recorded one."""
    attach_challenges(error, request, state)
    if error.refusal_number is None or error.refusal_number != state.refusal_number:
        log_and_signal(error, request, state)


def attach_challenges(error: AuthError, request: Request, state: RequestState) -> ReadyRefusal | None:
    """Give ``error`` the challenges in force, and record the refusal. Return what the next one will have, too."""
    environ = request.environ
    plan = plan_in_force(request, state)
    if state.recorded_refusal is None and has_conditional_fields(environ):
        state.has_conditional_fields = True
        ignore_conditions_if_refused(request, state)
    if state.plan is None:
        _find_attempted_scheme(plan, request, state)
    attempted = state.attempted_scheme
    error.scheme = None if attempted is None else attempted.name
    challenges = plan.challenges
    if challenges.may_be_several:
        error.one_line = state.app_state.settings.one_line or is_script(environ)
    content = response_cache_key(error) if challenges.responses_cacheable else None
    if content is not None:
        ready = challenges.ready_refusals.get((content, attempted, error.one_line))
        if ready is not None:
            error.challenges, state.recorded_refusal, _ = ready
            return ready
    error.challenges = challenges.for_error(error, attempted, request)
    state.recorded_refusal = RecordedRefusal(getattr(error, "code", 0), tuple(error.auth_headers()))
    if content is None:
        return None
    ready = ReadyRefusal(error.challenges, state.recorded_refusal, {})
    return cache_put(challenges.ready_refusals, (content, attempted, error.one_line), ready)


def has_conditional_fields(environ: Mapping[str, Any]) -> bool:
    """Return whether a request has ``If-*`` or ``Range``."""
    # Spelled out, because each refusal asks this, and a set operation on the keys costs five times as much.
    return (
        "HTTP_IF_NONE_MATCH" in environ
        or "HTTP_IF_MODIFIED_SINCE" in environ
        or "HTTP_IF_MATCH" in environ
        or "HTTP_IF_UNMODIFIED_SINCE" in environ
        or "HTTP_RANGE" in environ
        or "HTTP_IF_RANGE" in environ
    )


def _find_attempted_scheme(plan: Plan, request: Request, state: RequestState) -> None:
    """Find the scheme whose credentials came to a route that wasn't judged: the error is about them."""
    state.plan = plan  # a scheme may ask for the realm in force
    try:
        with suppress(AuthError, HTTPException):  # malformed, or a body that is too long
            select(plan, request, state)
    finally:
        state.plan = None


def _results(results: Results) -> str:
    """Return for the log what the functions of ``unless=`` returned, so which levels were dropped."""
    return ", ".join(f"unless={name_of(unless)} returned {result}" for unless, result in results.items())


def log_and_signal(error: AuthError, request: Request, state: RequestState) -> None:
    """Log a refusal and send the signal. The reason may hold what a loader wrote: one line, cut."""
    if state.refusal_number is None:
        state.refusal_number = next(_REFUSAL_NUMBERS)
    error.refusal_number = state.refusal_number
    level = logging.WARNING if isinstance(error, AuthUnavailable) else logging.INFO
    if (LOGGER.level or ROOT_LOGGER.level) <= level and LOGGER.isEnabledFor(level):
        reason = loggable_text(error.reason)
        if state.unless_results:
            reason += f"; {_results(state.unless_results)}"
        _log_decision(
            level,
            "refused",
            "refused %s: %s (%s)",
            request.endpoint,
            type(error).__name__,
            reason,
            scheme=state.attempted_scheme,
            caller=_refused_caller(state),
            claimed=claimed_subject(request),
            reason_code=error.reason_code,
        )
    if signals.refused.receivers:
        app, identity = real_app(), _refused_caller(state)
        name = claimed_subject(request) if identity is None else identity.subject
        signals.send(
            signals.refused,
            app,
            error=ErrorSnapshot(error).restore(),
            identity=identity,
            subject=None if name is None else subject_hash(app, name),
            session=_session_of(state.attempted_scheme),
        )

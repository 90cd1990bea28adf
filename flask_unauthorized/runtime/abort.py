"""The two ways for a view to stop: `abort_unauthorized` with 401, `abort_forbidden` with 403."""

import inspect
from collections.abc import Collection, Iterable
from typing import Any, NoReturn

from flask import Request

from ..arguments import unknown_keyword_message
from ..authentication.identification import identify
from ..errors import (
    AuthError,
    Forbidden,
    InsufficientScope,
    InvalidCredentials,
    MissingCredentials,
    StepUpRequired,
    Unauthorized,
)
from ..errors.text import Text, shown
from ..schemes.base import AnyScheme
from .refuse import authenticate, plan_in_force, refuse
from .request_state import RequestState, real_request, state_for


def abort_unauthorized(
    message: Text | None = None,
    *,
    error: type[Unauthorized] | None = None,
    via: AnyScheme | Collection[AnyScheme] | None = None,
    reason: Text | None = None,
    **details: Any,
) -> NoReturn:
    """Stop the view with 401 and the challenges of this route (RFC 9110 §11.6.1).

    Without ``error``, the credentials of the request are verified, unless that was done before. If they are rejected,
    the response names that error (``invalid_token``, a stale nonce). Malformed ones get 400, and 503 is sent if they
    can't be verified. If they are valid or absent, the challenge has no error.

    Example:
        Ask for a login in the last five minutes::

            from flask_unauthorized import StepUpRequired, abort_unauthorized

            @app.post("/pay")
            @auth.login_required
            def pay():
                if int(request.args.get("cents", 0)) > 10_000:
                    abort_unauthorized(error=StepUpRequired, max_age=300)
                return "paid"

    Args:
        message: The text for the client. Default: that of the error's class.
        error: A subclass of `Unauthorized`, which says what is wrong. Nothing is verified then.
        via: The schemes to offer, in place of those in force for this route.
        reason: The private reason, for the log and the signal. Default: that of the loader's error, or a text that
            names this function.
        **details: Further arguments of the error's class, such as ``max_age=300`` for `StepUpRequired`.

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
        refusal: AuthError = _make_error(MissingCredentials, message, reason, details)
        refusal = _reword(_rejection(request, state), message, reason) or refusal
    else:
        if error is StepUpRequired and not details.keys() & {"acr_values", "max_age"}:
            plan = plan_in_force(request, state)
            details = {"acr_values": plan.acr, "max_age": plan.max_age, **details}
        refusal = _make_error(error, message, reason, details)
    if refusal.reason is None:
        refusal.reason = "abort_unauthorized() was called without reason="
    if via is not None:
        app_state = state.app_state
        schemes = app_state.configuration.schemes_of("abort_unauthorized", via) or ()
        state.plan = app_state.plans.for_open_route(request.endpoint, schemes)
    try:
        refuse(refusal, request, state)
    finally:
        del refusal  # its traceback holds this frame


def _make_error(
    kind: type[Unauthorized], message: Text | None, reason: Text | None, details: dict[str, Any]
) -> Unauthorized:
    """Return the error. Raise `TypeError` for details that its class doesn't take."""
    if reason is not None:
        details = {"reason": reason, **details}
    if details:
        known = [name for name in inspect.signature(kind).parameters if name not in ("self", "message")]
        for name in details:
            if name in ("scheme", "schemes"):
                raise TypeError(
                    f"abort_unauthorized() has no keyword {name}: name the schemes to offer with via=scheme"
                )
            if name not in known:
                raise TypeError(unknown_keyword_message("abort_unauthorized", name, ("error", "via", *known)))
    return kind(message, **details)


def _rejection(request: Request, state: RequestState) -> AuthError | None:
    """Return how the credentials in this request were rejected; ``None`` for valid ones and for none."""
    if state.verifying_scheme is not None:  # the loader itself rejects
        state.attempted_scheme = state.verifying_scheme
        return InvalidCredentials(reason=f"the loader of {state.verifying_scheme.name} called abort_unauthorized()")
    if state.identity is not None:
        return None
    found = identify(plan_in_force(request, state), request, state, may_read_body=True)
    if found.refusal is None:
        return None
    rejected = found.refusal.restore()
    if isinstance(rejected, Forbidden):  # sent over plain HTTP or by another site: nothing was verified
        return None
    state.attempted_scheme = found.scheme
    return rejected


def _reword(rejected: AuthError | None, message: Text | None, reason: Text | None) -> AuthError | None:
    """Give a rejection the app's own words. A 400 or 503 keeps its words, because it isn't about a login."""
    if isinstance(rejected, Unauthorized):
        if message is not None:
            rejected.description = message  # type: ignore[assignment]  # Werkzeug's type knows no lazy texts
        if reason is not None:
            rejected.reason = reason  # type: ignore[assignment]  # a str for code that reads it
    return rejected


def abort_forbidden(message: Text | None = None, *, scopes: Iterable[str] | str | None = None) -> NoReturn:
    """Stop the view with 403 (RFC 9110 §15.5.4).

    A caller who isn't known gets 401 instead: logging in may help (RFC 9110 §15.5.2).

    Example:
        Keep callers out of the notes of others::

            from flask_unauthorized import abort_forbidden

            @app.get("/notes/<owner>")
            @auth.login_required
            def notes_of(owner):
                if owner != auth.identity.subject:
                    abort_forbidden("These notes belong to another user.")
                return "notes"

    Args:
        message: The text for the client. Default: that of the error's class.
        scopes: The scopes that would suffice; a string is split at spaces. Bearer and DPoP name them in a challenge
            with ``insufficient_scope`` (RFC 6750 §3.1).

    Raises:
        AuthError: Always, unless an argument is wrong: `Forbidden`, `InsufficientScope`, or an error with 401.
        RuntimeError: Outside a request.
    """
    request = real_request()
    state = state_for(request)
    # This route may not have been judged yet: a caller who is known by now isn't asked to log in.
    plan = plan_in_force(request, state)
    if plan.is_open:  # It demands nothing, and the caller has to be known here.
        plan = state.app_state.plans.for_open_route(request.endpoint, plan.schemes)
    if state.identity is None and authenticate(plan, request, state) is None:
        abort_unauthorized(
            reason="abort_forbidden() was called for an unknown caller, so it became 401: a login may help"
        )
    if scopes is not None:
        scopes = scopes.split() if isinstance(scopes, str) else tuple(scopes)
        reason = f"the view called abort_forbidden(scopes={shown(list(scopes), 200)})"
        refuse(InsufficientScope(message, scopes=scopes, reason=reason), request, state)
    refuse(Forbidden(message, reason="the view called abort_forbidden()"), request, state)

"""Whether an identity meets a plan: expiry, then step-up, then scopes and roles, then ``authorization_details``.

The order is that of the responses: expired credentials and a login that is too old or too weak are 401 (RFC 9470), a
missing permission is 403. A login without a known time, class or method counts as too old or too weak.

RFC 9470 has no parameter for methods (``amr``). So the challenge for a missing one says that a stronger login is
needed, and doesn't say which.
"""

from time import time

from ..errors import ConfigurationError, ExpiredCredentials, Forbidden, InsufficientScope, StepUpRequired
from ..errors.codes import with_code
from ..errors.text import shown
from ..identity import BareIdentity, Identity
from ..logs import log
from ..policy.details import allows
from ..policy.functions import name_of
from ..policy.plan import Plan
from ..wire.rules import MAX_CLOCK_SKEW


def authorize(plan: Plan, identity: Identity) -> None:
    """Refuse an identity that doesn't meet the plan.

    Raises:
        ExpiredCredentials: 401.
        StepUpRequired: 401.
        InsufficientScope: 403, for a missing scope, or by ``authorization_details``.
        Forbidden: 403, for a missing role.
        Exception: What a function of ``authorization_details=`` raises.
    """
    check_expiry(identity)
    if plan.requires_step_up:
        _check_login(plan, identity)
    if plan.has_permissions or identity.is_restricted:
        _check_permissions(plan, identity)


def check_expiry(identity: Identity) -> None:
    """Refuse expired credentials. Raises `ExpiredCredentials`."""
    if identity.expires_at is not None and identity.expires_at <= time():
        raise ExpiredCredentials(
            reason=f"expires_at has passed: it is {shown(identity.expires_at)}, and now {time():.0f}"
        )


def _check_login(plan: Plan, identity: Identity) -> None:
    reason, code = None, "too_old"
    if plan.acr and identity.acr not in plan.acr:
        code = "too_weak"
        reason = f"acr is {shown(identity.acr)}, and acr= of the view accepts {shown(list(plan.acr))}"
    elif missing := next(filter(identity.amr.isdisjoint, plan.amr_groups), None):
        code = "too_weak"
        reason = (
            f"none of the methods {shown(missing)} was used: amr of the login is {shown(identity.amr)}, and amr= of "
            "the view asks for others"
        )
    elif plan.max_age is not None:
        now = time()
        at = identity.auth_time
        if at is None:
            reason = f"the time of the login is unknown (auth_time), and max_age={plan.max_age} of the view needs it"
        elif at > now + MAX_CLOCK_SKEW:
            reason = f"the time of the login lies in the future: auth_time is {shown(at)}, and now {now:.0f}"
        elif at < now - plan.max_age:
            reason = (
                f"the login is too old: auth_time is {shown(at)}, now {now:.0f}, and max_age={plan.max_age} of the view"
            )
    if reason is not None:
        raise with_code(StepUpRequired(reason=reason, acr_values=plan.acr, max_age=plan.max_age), code)


def _check_permissions(plan: Plan, identity: Identity) -> None:
    for accepted in plan.scope_groups:
        if accepted.isdisjoint(identity.scopes):
            _warn_missing_identity(plan, identity)
            reason = (
                f"none of {shown(accepted)} is granted: the scopes of the credentials are {shown(identity.scopes)}, "
                "and scopes= of the view asks for others"
            )
            raise InsufficientScope(reason=reason, scopes=plan.challenge_scopes)
    for roles in plan.role_groups:
        if roles.isdisjoint(identity.roles):
            _warn_missing_identity(plan, identity)
            raise with_code(
                Forbidden(
                    reason=f"none of the roles {shown(roles)} is held: the caller has {shown(identity.roles)}, by "
                    "roles_claim= or the loader, and roles= of the view asks for others"
                ),
                "role_missing",
            )
    if identity.is_restricted and not plan.authorization_details:
        raise InsufficientScope(
            reason="the token carries authorization_details, and the view doesn't look at them, as "
            'authorization_details="demand" of the loader asks: give the guard authorization_details=, a function'
        )
    for decide in plan.authorization_details:
        if not allows(decide, identity.claims):
            raise InsufficientScope(
                reason=f"authorization_details={name_of(decide)} of the view returned False for those of the caller"
            )


def _warn_missing_identity(plan: Plan, identity: Identity) -> None:
    """Name the developer's mistake: a loader that returns a bare user can never meet scopes or roles."""
    if isinstance(identity, BareIdentity):
        text = (
            f"{plan.requirement!r} demands scopes or roles, but the loader returned a bare user or subject: "
            "return Identity(subject, scopes=…, roles=…, user=…)"
        )
        if plan.raises_on_mistakes:
            raise ConfigurationError(text)
        log.error("%s", text)

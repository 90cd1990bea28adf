"""What authentication notes of one request.

The state is one slotless object on the real request object: never on ``flask.g``, because Flask reuses a pushed app
context, and an identity on ``g`` would show one caller to another. Each layer adds what it notes: `SchemeState` for
schemes, `AuthenticationState` here, and `runtime.request_state.RequestState` for the rest. All of them are one object.

The state never holds an exception, whose traceback would keep frames alive: a refusal is stored as an `ErrorSnapshot`.
"""

from typing import NamedTuple

from ..errors.snapshot import ErrorSnapshot
from ..identity import Identity
from ..policy.plan import Plan
from ..policy.unless import Results
from ..schemes.base import AnyScheme
from ..schemes.state_access import SchemeState


class Identification(NamedTuple):
    """What `identify` found: the caller with the scheme that was used, or the refusal that was not raised."""

    identity: Identity | None
    scheme: AnyScheme | None
    refusal: ErrorSnapshot | None


class AuthenticationState(SchemeState[Plan]):
    """The part of a request's state that authentication reads and writes.

    The defaults belong to the class: setting ten attributes on each request would cost more than reading credentials.

    Attributes:
        plan: The plan by which the request was judged last, satisfied or not.
        satisfied_plan: The plan that the identity satisfies.
        satisfied_before: Plans that were satisfied before the view demanded more, or logged its caller in or out.
        identity: The caller.
        scheme: The scheme that the caller used.
        attempted_scheme: The scheme whose credentials were looked at last.
        login_scheme: The scheme by which `Auth.login` logged in the caller of this request. It decides from there on.
        test_identity: The identity of a test client's caller (`testing.acting_as`).
        verifying_scheme: The scheme that verifies credentials at this moment.
        verification_results: What each scheme's credentials came to. Each is verified once per request.
        identification: What `identify` found. It is asked once per request.
        unless_results: What the functions of ``unless=`` returned. Each runs once per request.
    """

    satisfied_plan: Plan | None = None
    satisfied_before: tuple[Plan, ...] = ()
    identity: Identity | None = None
    scheme: AnyScheme | None = None
    attempted_scheme: AnyScheme | None = None
    login_scheme: AnyScheme | None = None
    test_identity: Identity | None = None
    verifying_scheme: AnyScheme | None = None
    verification_results: dict[AnyScheme, Identity | ErrorSnapshot] | None = None
    identification: Identification | None = None
    unless_results: Results | None = None

    def has_satisfied(self, plan: Plan) -> bool:
        """Return whether this request satisfied ``plan`` at any time."""
        return self.satisfied_plan is plan or plan in self.satisfied_before

    def keep_satisfied_plan(self) -> None:
        """Remember the plan that is satisfied, before another one takes its place."""
        if self.satisfied_plan is not None:
            self.satisfied_before = (*self.satisfied_before, self.satisfied_plan)

"""Identification: who is calling, without refusing the request and without asking for more.

A hook may ask for the caller before the view is judged. Then the credentials are verified, once per request, and the
judgment reuses the result. Required HTTPS, the resource's origins and expiry are checked, because without them no
caller is identified. Scopes, roles and step-up aren't. If several schemes read the same field, the extension can't
know which loader to ask, so it identifies no caller.
"""

import logging
from typing import Final

from flask import Request
from werkzeug.exceptions import HTTPException

from ..errors import AuthError
from ..errors.snapshot import ErrorSnapshot
from ..policy.plan import Plan
from .authenticate import check_preconditions, select
from .authorization import check_expiry
from .state import AuthenticationState, Identification
from .verification import verify

log: Final = logging.getLogger("flask_unauthorized")
_NOBODY: Final = Identification(None, None, None)


def identify(plan: Plan, request: Request, state: AuthenticationState) -> Identification:
    """Return who is calling by the credentials that ``plan`` reads.

    An exception of the loader is raised the first time. Later calls return no identity.
    """
    if state.identification is None:
        state.identification = _NOBODY
        before = state.plan, state.attempted_scheme
        try:
            state.identification = _identify(plan, request, state)
        except AuthError as error:
            state.identification = Identification(None, state.attempted_scheme, ErrorSnapshot(error))
        except HTTPException:  # a body that is too long or broken: the code that reads it responds to that
            pass
        finally:
            state.plan, state.attempted_scheme = before
    return state.identification


def _identify(plan: Plan, request: Request, state: AuthenticationState) -> Identification:
    if plan.has_preconditions:
        check_preconditions(plan, request.environ)
    state.plan = plan  # a scheme may ask for the realm in force
    selected = select(plan, request, state)
    if selected is None:
        return Identification(state.test_identity, None if state.test_identity is None else plan.schemes[0], None)
    scheme, credentials = selected
    if scheme in plan.ambiguous:
        log.debug("%s: several schemes of the Auth read what was sent as %s", request.endpoint, scheme.name)
        return _NOBODY
    identity = verify(scheme, credentials, request, state)
    check_expiry(identity)
    return Identification(identity, scheme, None)

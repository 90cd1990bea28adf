"""Identification: who is calling, without refusing the request and without asking for more.

The navigation bar of an open page, a rate limiter's key, a locale selector and an error page ask who is calling, before
or without a judgment of the view. The rules:

1. The credentials are verified once per request, and a later judgment reuses the result. If verification is under way,
   because the loader itself asks who is calling, then no caller is known yet and nothing is verified a second time.
2. Nothing is refused, logged at INFO or signaled. Missing, invalid and expired credentials identify no caller. The
   same holds for those that a browser added to an unsafe request of another site's page.
3. Required HTTPS, the resource's origins and expiry are checked, because without them no caller is identified. Scopes,
   roles and step-up aren't: they decide what a caller may do.
4. If several schemes of the `Auth` read the same field, the extension can't know which loader to ask, so it identifies
   no caller. A token is never handed to a loader that it wasn't meant for.
5. A body that no code has read stays unread. Credentials that need it are looked at again when it has been read.
6. An exception of the loader is raised the first time. Later calls in the same request return no caller, so that the
   page which reports the exception can be rendered.
"""

from typing import Final

from flask import Flask, Request
from werkzeug.exceptions import HTTPException

from ..errors import AuthError, MalformedCredentials
from ..errors.snapshot import ErrorSnapshot
from ..logs import log
from ..policy.plan import Plan
from ..schemes.base import FLASK_SESSION, REMEMBER_COOKIE, query_values
from ..schemes.session.remember_cookie import cookie_name
from ..schemes.state_access import BodyNotRead
from .authenticate import check_preconditions, select
from .authorization import check_expiry
from .state import AuthenticationState, Identification
from .verification import verify

_NOBODY: Final = Identification(None, None, None)


def identify(
    plan: Plan, request: Request, state: AuthenticationState, *, may_read_body: bool = False
) -> Identification:
    """Return who is calling by the credentials that ``plan`` reads.

    An exception of the loader is raised the first time. Later calls return no identity.
    """
    if state.identification is not None:
        return state.identification
    state.identification = _NOBODY  # the answer for a loader that asks who is calling
    before = state.plan, state.attempted_scheme
    state.may_read_body = may_read_body
    try:
        state.identification = _identify(plan, request, state)
    except BodyNotRead:
        state.identification = None
        return _NOBODY
    except AuthError as error:
        state.identification = Identification(None, state.attempted_scheme, ErrorSnapshot(error))
    except HTTPException:  # a body that is too long or broken: the code that reads it responds to that
        pass
    finally:
        state.plan, state.attempted_scheme = before
        state.may_read_body = True
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


def carries_credentials(plan: Plan, request: Request, app: Flask) -> bool:
    """Return whether a request has a field that ``plan`` reads. Verifies nothing, and reads no body.

    Args:
        plan: The plan.
        request: The request.
        app: The app, which chooses the names of its cookies.
    """
    names = {FLASK_SESSION: app.session_interface.get_cookie_name, REMEMBER_COOKIE: cookie_name}
    return any(
        _is_sent(request, where, names[where, name](app) if (where, name) in names else name)
        for scheme in plan.schemes
        for where, name in scheme.reads
    )


def _is_sent(request: Request, where: str, name: str) -> bool:
    if where == "cookie":
        return name in request.cookies
    if where == "query":
        try:
            return bool(query_values(request, name))
        except MalformedCredentials:  # Such a query identifies no caller.
            return False
    key = {"authorization": "HTTP_AUTHORIZATION", "environ": name}.get(where)
    if where == "header":
        key = f"HTTP_{name.upper().replace('-', '_')}"
    return key is not None and bool(request.environ.get(key))

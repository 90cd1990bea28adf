"""Who is calling: the caller of the current request, and the proxies `current_user` and `current_identity`."""

import logging
from typing import Any, Final

from flask import Request
from werkzeug.local import LocalProxy

from ..authentication.identification import identify
from ..errors import AuthUnavailable
from ..identity import Identity
from .app_state import app_state_of
from .refuse import plan_in_force
from .request_state import RequestState, real_app, real_request, state_for, state_if_any

log: Final = logging.getLogger("flask_unauthorized")


def request_identity() -> Identity | None:
    """Return the caller of the current request, or ``None``. Raise `RuntimeError` outside a request.

    A ``before_request`` function may ask before the view of a guarded endpoint is judged. Then the credentials are
    verified, once and without refusing the request; the judgment reuses the result.
    """
    request = real_request()
    state = state_if_any(request)
    if state is not None and (state.plan is not None or state.identity is not None):
        return state.identity
    app_state = app_state_of(real_app())  # Without init_app, all callers would look anonymous
    endpoint = request.endpoint
    if endpoint not in app_state.dispatched or app_state.effective.for_endpoint(endpoint, request.method) is None:
        return None
    return _identity_before_judgment(request, state_for(request))


def _identity_before_judgment(request: Request, state: RequestState) -> Identity | None:
    if state.verifying_scheme is not None:  # the loader itself asks who is calling
        return None
    first = state.identification is None
    found = identify(plan_in_force(request, state), request, state)
    if first and found.refusal is not None and issubclass(found.refusal.kind, AuthUnavailable):
        log.warning("%s: the caller is not identified, because the credentials could not be verified", request.endpoint)
    return found.identity


def request_user() -> Any:
    """Return the caller's user object, or the identity if the loader gave none; ``None`` without a caller."""
    identity = request_identity()
    if identity is None:
        return None
    return identity if identity.user is None else identity.user


current_identity: Identity = LocalProxy(request_identity)  # type: ignore[assignment]  # what Flask's own proxies do
current_user: Any = LocalProxy(request_user)

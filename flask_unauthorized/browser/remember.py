"""The response to a request whose remember cookie changes.

This is the last function that sees a response, after the guard, and only in apps that remember logins. So it also sends
the cookie if a hook of the response asked who is calling, on error pages, and with ``UNAUTHORIZED_GUARD="off"``. What
is sent now can't change any more, so nothing rotates from here on.
"""

import logging
from collections.abc import Callable, Iterable

from flask import Response

from .. import signals
from ..events import log_event
from ..identity import Identity
from ..rendering.headers import set_no_store
from ..runtime.request_state import note_response_left, real_app, real_request, state_if_any
from ..schemes.base import AnyScheme
from ..schemes.session.remember_cookie import delete_cookie, send_cookie
from .login import session_scheme


def cookie_sender(schemes: Iterable[AnyScheme]) -> Callable[[Response], Response]:
    """Return the response function for an app that remembers logins."""
    scheme = session_scheme(schemes)

    def send(response: Response) -> Response:
        request = real_request()
        note_response_left(request)
        change = scheme.cookie_change(request)
        if change is None:
            return response
        app = real_app()
        if change.value is None:
            delete_cookie(response, app)
        else:
            send_cookie(response, app, change.value, change.max_age)
        set_no_store(response)
        if change.opens_session:
            state = state_if_any(request)
            found = None if state is None else (state.verification_results or {}).get(scheme)
            if isinstance(found, Identity):
                session_id = scheme.public_session_id()
                log_event(
                    logging.INFO,
                    "remembered",
                    "a remember cookie opened a session",
                    scheme=scheme.name,
                    subject=found.subject,
                    session=session_id,
                )
                signals.send(signals.remembered, app, identity=found, scheme=scheme.name, session=session_id)
        return response

    return send

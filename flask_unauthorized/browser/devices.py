"""The devices of a user: list them, and end one, or all.

`Auth.sessions`, `Auth.end_session`, `Auth.end_sessions` and `Auth.end_all_sessions` delegate to this module.
`SessionCookie` knows what the store holds. This module decides whose devices they are, and what becomes of the request.

1. Users may end their own devices only. An id alone names no user, because a request may hold the id of another
   user's device. So without a user, it names a device of the caller, who has to be known.
2. The device of this request ends by a logout: the browser is logged out as well, and the caller is forgotten.
3. A command has no request. It has an app context, because devices are recorded by the app's realm.
"""

import logging
from typing import Any

from flask import has_request_context

from ..errors import MissingCredentials
from ..events import log_event
from ..identity import Identity
from ..runtime.app_state import app_state_of
from ..runtime.refuse import refuse
from ..runtime.request_state import real_app, real_request, state_for
from ..schemes.base import AnyScheme
from ..schemes.session.devices import DeviceSession, public_id
from ..schemes.session.record import LoginRecord
from ..schemes.session.scheme import SessionCookie
from .login import log_out


def list_sessions(scheme: SessionCookie, who: Any) -> list[DeviceSession]:
    """Return the devices of a user; see `Auth.sessions`."""
    app_state_of(real_app()).prepare()
    subject, current = scheme.subject_of(who, "sessions()"), _current_login(scheme)
    found = scheme.device_entries("sessions()").devices(subject, scheme.realm_in_force())
    current_id = None if current is None else current.session_id
    return sorted(
        (
            DeviceSession(
                public_id(session_id), device.created, seen, device.is_remembered, session_id == current_id,
                device.label,
            )
            for session_id, seen, device in found
        ),
        key=lambda shown: (-shown.last_seen, -shown.created),
    )  # fmt: skip


def end_session(scheme: SessionCookie, session_id: str, who: Any, caller: Identity | None) -> bool:
    """End one device; see `Auth.end_session`. Without ``who``, it is one of ``caller``."""
    app_state_of(real_app()).prepare()
    scheme.device_entries("end_session()")
    current = _current_login(scheme)
    if caller is not None and current is not None and state_for(real_request()).scheme is scheme:
        subject = current.subject  # The loader may call its users by another name.
    else:
        subject = scheme.subject_of(who, "end_session()") if caller is None else _subject_of_caller(scheme, caller)
    if current is not None and current.subject == subject and public_id(current.session_id) == session_id:
        log_out(scheme)
        return True
    ended = scheme.end_session(session_id, subject)
    if ended:
        log_event(
            logging.INFO,
            "sessions_ended",
            "a session was ended",
            scheme=scheme.name,
            subject=subject,
            session=session_id,
        )
    return ended


def _subject_of_caller(scheme: SessionCookie, caller: Identity) -> str:
    """Return the subject of a caller who isn't logged in by ``scheme``."""
    try:
        return scheme.subject_of(caller, "end_session()")
    except TypeError:  # Clients choose with which credentials they come, so it isn't a mistake of the developer.
        request = real_request()
        error = MissingCredentials(
            reason="end_session() was called without a user, and the caller has no login of the SessionCookie: call "
            "login() first, or name the user"
        )
        refuse(error, request, state_for(request))


def end_sessions(scheme: SessionCookie, who: Any) -> None:
    """End all sessions that a user has begun until now; see `Auth.end_sessions`."""
    app_state_of(real_app()).prepare()
    subject = scheme.subject_of(who, "end_sessions()")
    scheme.end_all(subject)
    log_event(logging.INFO, "sessions_ended", "all sessions of a user were ended", scheme=scheme.name, subject=subject)


def end_all_sessions(scheme: SessionCookie) -> None:
    """End all sessions that have begun until now; see `Auth.end_all_sessions`."""
    app_state_of(real_app()).prepare()
    scheme.end_all_users()
    log_event(logging.INFO, "sessions_ended", "all sessions of all users were ended", scheme=scheme.name)


def is_remembered(scheme: AnyScheme | None) -> bool:
    """Return whether a remember cookie has opened the session of the caller, who used ``scheme``."""
    login = scheme.current_login() if isinstance(scheme, SessionCookie) else None
    return login is not None and login.is_remembered


def _current_login(scheme: SessionCookie) -> LoginRecord | None:
    return scheme.current_login() if has_request_context() else None

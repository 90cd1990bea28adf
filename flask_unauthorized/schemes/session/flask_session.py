"""Flask's session and request, as the modules of this package change and read them.

All functions work on the session of the current request. The login is one value in it, and other content belongs to the
app.
"""

from typing import Final

from flask import current_app, session
from flask import request as request_proxy

from .devices import label_of
from .record import SESSION_KEY, LoginRecord

_real_request: Final = request_proxy._get_current_object  # type: ignore[attr-defined]  # a LocalProxy has it


def open_session(login: LoginRecord, is_new: bool) -> None:
    """Put a login into the session whose content stays. One that isn't new leaves the session as unmodified as it was.

    So the response to a repeated request sends no session cookie because of it. A session on the server gets a new id
    nevertheless: Flask-Session also stores sessions that weren't modified, and an attacker may have planted the id.
    """
    was_modified = session.modified
    session[SESSION_KEY] = login.to_session()
    renew_id()
    if not is_new and not was_modified:
        session.modified = False


def device_label() -> str:
    """Return the label of the device that sent this request."""
    return label_of(_real_request().headers.get("User-Agent"))


def renew_id() -> None:
    """Give a session on the server a new id, if its interface can do that (Flask-Session).

    Call it while the session has content: an empty one keeps its id there, which an attacker may have planted.
    """
    renew = getattr(current_app.session_interface, "regenerate", None)
    if callable(renew) and session:
        renew(session)

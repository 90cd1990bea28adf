"""Security events: each decision that matters is one record of the logger ``flask_unauthorized``, with fixed fields.

Every record has all fields as attributes, so that a formatter can write them as JSON (``docs/reference/logging.md``).
A field without a value is ``None``. The message is for people, and its wording may change. The fields don't.

Fields::

    | field | what it holds |
    |---|---|
    | `event` | what happened: a word of the next table |
    | `outcome` | `"success"` or `"failure"` |
    | `scheme` | the name of the scheme that was used or tried, such as `"Basic"` |
    | `subject` | the caller, or the name that a failed attempt claimed, as `subject_hash` gives it |
    | `endpoint` | Flask's name of the view |
    | `method` | the method of the request |
    | `path` | the path of the request, without the query |
    | `remote_addr` | the address of the client, as `ProxyFix` leaves it |
    | `reason_code` | why a request was refused: a word of the last table |
    | `session` | the id of the session that `Auth.sessions` lists, as `session_hash` gives it |
    | `token_id` | the id of the token (not the token), as `token_hash` gives it |

Events::

    | event | outcome | level | when |
    |---|---|---|---|
    | `refused` | failure | INFO; WARNING for an outage | credentials, a request or an attempt to log in were refused |
    | `authenticated` | success | DEBUG; INFO for `confirm()` | a caller was accepted, or has confirmed the login |
    | `logged_in` | success | INFO | `login()` has logged a caller in |
    | `logged_out` | success | INFO | `logout()` has ended a login |
    | `sessions_ended` | success | INFO | sessions of a user were ended by a call, or by the identity provider |
    | `remembered` | success | INFO | a remember cookie has opened a session |
    | `session_stolen` | failure | WARNING | a remember cookie was used in two places, so its login was ended |
    | `token_issued` | success | INFO | a token was issued, or `Pairs` began a login |
    | `token_revoked` | success | INFO | a token or a login of `Pairs` was revoked |
    | `token_rotated` | success | INFO | a token was replaced by another one |
    | `token_reused` | failure | WARNING | a replaced token was used after its end |
    | `throttled` | failure | INFO | a `Throttle` refused an attempt before the loader ran |
    | `subject_disabled` | failure | WARNING | consecutive failures have disabled a subject (`disable_after=`) |
    | `repaired` | failure | WARNING; DEBUG after the first of an endpoint | a 401 of other code got a challenge |
    | `misconfigured` | failure | CRITICAL; ERROR if the check itself fails | guarded views respond with 500 |

Reasons::

    | reason_code | what it means |
    |---|---|
    | `refused` | The app refused the request for a reason of its own. |
    | `credentials_missing` | Nothing was sent that the view accepts. |
    | `credentials_invalid` | The credentials are not valid. |
    | `malformed` | The request is malformed (400), or more than one credential was sent. |
    | `expired` | The credentials have expired. |
    | `revoked` | The credentials were revoked. |
    | `replayed` | A credential that is valid once was used again. |
    | `wrong_audience` | The token was issued for another service. |
    | `nonce_stale` | The nonce of Digest has expired. |
    | `nonce_required` | The client has to repeat the DPoP proof with a nonce. |
    | `proof_invalid` | The DPoP proof is missing or not valid. |
    | `session_ended` | The session was ended by a logout or by the app. |
    | `session_stolen` | The remember cookie of the login was used in two places. |
    | `step_up_required` | The view asks for another login. |
    | `too_old` | The login is older than the view accepts. |
    | `too_weak` | The login is of a weaker class than the view accepts, or lacks a method. |
    | `forbidden` | The caller is known and lacks permission. |
    | `scope_missing` | The credentials lack a scope. |
    | `role_missing` | The caller lacks a role. |
    | `cross_site` | A page of another site sent the request. |
    | `plain_http` | The request came over plain HTTP. |
    | `over_limit` | Too many attempts failed. |
    | `unavailable` | A server-side failure prevents the check of the credentials. |
    | `misconfigured` | The app's set-up has a mistake. |

How a record is made:

1. Nothing is computed unless the level is enabled.
2. What clients send is cut, and characters that can't be printed become ``?``. So no value begins a new line.
3. Names and ids are hashed with a key that is derived from ``SECRET_KEY``, so that those who read the log can't guess
   them. With ``UNAUTHORIZED_LOG_SUBJECTS="text"``, ``subject`` is the name itself. Ids are always hashed.
4. The decision stands when the record is made. A log handler or a filter that raises costs one ERROR, and never a
   request.
"""

import hashlib
import hmac
import secrets
import sys
from typing import Any, Final

from flask import Flask, current_app, has_app_context, has_request_context
from flask import request as current_request
from werkzeug.wrappers import Request

from .errors.text import loggable_text
from .logs import LOGGER, Apart, report_loss
from .subjects import subject_key

EVENTS: Final = {
    "refused": "failure",
    "authenticated": "success",
    "logged_in": "success",
    "logged_out": "success",
    "sessions_ended": "success",
    "remembered": "success",
    "session_stolen": "failure",
    "token_issued": "success",
    "token_revoked": "success",
    "token_rotated": "success",
    "token_reused": "failure",
    "throttled": "failure",
    "subject_disabled": "failure",
    "repaired": "failure",
    "misconfigured": "failure",
}
"""By event, its outcome."""
FIELDS: Final = (
    "event",
    "outcome",
    "scheme",
    "subject",
    "endpoint",
    "method",
    "path",
    "remote_addr",
    "reason_code",
    "session",
    "token_id",
)
"""The names of the fields, which are attributes of each record.

Example:
    Write each record as one line of JSON::

        import json
        import logging
        from flask_unauthorized.events import FIELDS

        class JSONFormatter(logging.Formatter):
            def format(self, record):
                return json.dumps({name: getattr(record, name, None) for name in FIELDS})
"""
SUBJECTS_SETTING: Final = "UNAUTHORIZED_LOG_SUBJECTS"
_CLAIMED_SUBJECT: Final = "_unauthorized_claimed_subject"
"""A private attribute of the request object. A throttle has no access to our state of the request."""
_KEY_OF_PROCESS: Final = secrets.token_bytes(32)
"""For apps without ``SECRET_KEY``: hashes can be compared within one process then."""


def subject_hash(app: Flask, name: str) -> str:
    """Return how records and signals of an app name a subject: 16 hex digits.

    It is the same in all processes and after a restart, until ``SECRET_KEY`` changes. Spellings that differ only in
    case, white space or marks have one hash, because databases may take them for one account.

    Example:
        Find the records of one user::

            from flask_unauthorized.events import subject_hash

            assert subject_hash(app, "ada") == subject_hash(app, "Ada")

    Args:
        app: The app. Without ``SECRET_KEY``, each process has hashes of its own.
        name: The subject of a caller, or a name that was tried.
    """
    return _keyed_hash(app, "subject", subject_key(name))


def session_hash(app: Flask, id: str) -> str:  # noqa: A002  # as in Auth.end_session
    """Return how records name a session: 16 hex digits.

    Example:
        Find the records of one session::

            from flask_unauthorized.events import session_hash

            with app.app_context():
                wanted = [session_hash(app, one.id) for one in auth.sessions("ada")]

    Args:
        app: The app.
        id: The id that `Auth.sessions` lists.
    """
    return _keyed_hash(app, "session", id)


def token_hash(app: Flask, id: str | int, prefix: str | None = None) -> str:  # noqa: A002  # as in StoredTokens.get
    """Return how records name a token: 16 hex digits.

    Example:
        Find the records of one stored token::

            from flask_unauthorized.events import token_hash

            wanted = token_hash(app, 42, prefix="notes")

    Args:
        app: The app.
        id: The id of a `TokenRecord`, or the claim ``jti`` of a JWT.
        prefix: The ``prefix=`` of `StoredTokens` or `Pairs`, because each table counts its ids for itself. ``None`` for
            a JWT.
    """
    return _keyed_hash(app, "token" if prefix is None else f"token {prefix}", str(id))


def shown_subject(name: str) -> str:
    """Return how the log of the current app shows a name: as its hash, or as text if the app says so."""
    app = _current_app()
    if app is not None and app.config.get(SUBJECTS_SETTING) == "text":
        return loggable_text(name)
    return _keyed_hash(app, "subject", subject_key(name))


def claim_subject(request: Request, name: str | None) -> None:
    """Note the name that rejected credentials or an attempt claim, for the record ``refused`` of the request.

    Args:
        request: The request.
        name: The name. Only the log shows it, as `shown_subject` does.
    """
    setattr(request, _CLAIMED_SUBJECT, name)


def claimed_subject(request: Request) -> str | None:
    """Return the name that `claim_subject` noted last for a request; ``None`` if there is none."""
    name: str | None = getattr(request, _CLAIMED_SUBJECT, None)
    return name


def log_event(
    level: int,
    event: str,
    message: str,
    *args: object,
    request: Request | None = None,
    scheme: str | None = None,
    subject: str | None = None,
    reason_code: str | None = None,
    session: str | None = None,
    token_id: str | int | None = None,
    token_prefix: str | None = None,
) -> None:
    """Log an event, if its level is enabled. It never raises an exception.

    Args:
        level: The level.
        event: A key of `EVENTS`.
        message: The text for people, with placeholders for ``args``.
        *args: The values of the placeholders.
        request: The request. Default: Flask's current one.
        scheme: The name of the scheme.
        subject: The name of the caller, or the one that was claimed.
        reason_code: Why a request was refused.
        session: The id of the session, as `Auth.sessions` lists it.
        token_id: The id of the token.
        token_prefix: The ``prefix=`` of the loader that counts these ids; ``None`` for a ``jti``.
    """
    if not LOGGER.isEnabledFor(level):
        return
    apart = Apart()  # hides the exception that is being handled, whose text may hold a secret
    try:
        try:
            raise apart
        except Apart:
            apart.__context__ = apart.__traceback__ = None  # its traceback holds this frame: a cycle
            fields = {
                "event": event,
                "outcome": EVENTS[event],
                "scheme": scheme,
                **_request_fields(request),
                "reason_code": None if reason_code is None else loggable_text(reason_code),
                **_hashed_fields(subject, session, token_id, token_prefix),
            }
            caller = sys._getframe(1)
            code = caller.f_code
            record = LOGGER.makeRecord(
                LOGGER.name, level, code.co_filename, caller.f_lineno, message, args, None, code.co_name
            )
            # Not by extra=, which raises KeyError if the app's LogRecord factory sets an attribute of the same name.
            vars(record).update(fields)
            LOGGER.handle(record)
    except Exception as failure:  # The decision stands, whatever happens to its record.
        report_loss(failure, apart, "the event %s", event)


def _request_fields(request: Request | None) -> dict[str, str | None]:
    if request is None and has_request_context():
        request = current_request
    if request is None:
        return dict.fromkeys(("endpoint", "method", "path", "remote_addr"))
    endpoint = getattr(request, "endpoint", None)  # only Flask's requests have one
    return {
        "endpoint": None if endpoint is None else loggable_text(endpoint),
        "method": loggable_text(request.method),
        "path": loggable_text(request.path),
        "remote_addr": None if request.remote_addr is None else loggable_text(request.remote_addr),
    }


def _hashed_fields(
    subject: object, session: str | None, token_id: str | int | None, token_prefix: str | None
) -> dict[str, str | None]:
    app = _current_app()
    if app is None:  # Without an app there is no key.
        return dict.fromkeys(("subject", "session", "token_id"))
    return {
        "subject": shown_subject(subject) if isinstance(subject, str) else None,
        "session": None if session is None else session_hash(app, session),
        "token_id": None if token_id is None else token_hash(app, token_id, token_prefix),
    }


def _current_app() -> Flask | None:
    return current_app._get_current_object() if has_app_context() else None  # type: ignore[attr-defined]  # a proxy's method


def _keyed_hash(app: Flask | None, kind: str, value: str) -> str:
    secret: Any = None if app is None else app.config.get("SECRET_KEY")
    key = secret.encode() if isinstance(secret, str) else secret
    if not isinstance(key, bytes) or not key:
        key = _KEY_OF_PROCESS
    derived = hmac.digest(key, b"flask_unauthorized.events " + kind.encode(), hashlib.sha256)
    return hmac.new(derived, value.encode(errors="surrogatepass"), hashlib.sha256).hexdigest()[:16]

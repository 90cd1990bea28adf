"""Signals (blinker) for an app's metrics and audit. The sender is the app; no argument holds a secret.

Each signal has an example of its own: ``print(signals.refused.__doc__)``.

- ``authenticated(app, identity, scheme, session)``: a request was accepted.
- ``refused(app, error, identity, subject, session)``: a request was refused.
- ``logged_in(app, identity, scheme, session)``: ``auth.login()`` has logged a caller in.
- ``logged_out(app, identity, scheme, session)``: ``auth.logout()`` has ended a login.
- ``remembered(app, identity, scheme, session)``: a remember cookie has opened a new session, without a login.
- ``session_stolen(app, subject, scheme, session)``: a remember cookie was used in two places.
- ``repaired(app, endpoint, challenges)``: a 401 was about to leave without a usable challenge, and got one.
- ``throttled(app, scheme, limit, subject, network, retry_after)``: a `Throttle` refused an attempt to log in.
- ``subject_disabled(app, subject, network)``: consecutive failures have disabled a subject.
- ``token_issued(app, record)``: `StoredTokens` issued a token, or `Pairs` began a login.
- ``token_revoked(app, record)``: a token or a login was revoked that had not been before.
- ``token_rotated(app, record, successor)``: a token was replaced by another one.
- ``token_reused(app, record)``: a replaced token was used after its end.

``scheme`` is the name of a scheme, such as ``"Bearer"``. ``session`` is the id that `Auth.sessions` lists, ``None`` for
callers without a session. ``subject`` is a hash (`flask_unauthorized.events.subject_hash`), only ``session_stolen``
sends the subject itself. ``record`` and ``successor`` are of the type `TokenRecord`. The same decisions are records of
the log: see `flask_unauthorized.events`.

Receivers take what they need, and end with ``**extra``: a later version may send more. They run inside the request, so
Flask's ``request`` has its endpoint, method, path and address.

The decision about a request is made before a signal is sent, so a receiver can't change it. If a receiver raises an
exception, the extension logs it, and the other receivers still run.

The extension logs a traceback of the app's code only if it catches the exception for good. It does so for receivers,
renderers, lazy texts, and the loader at a logout. The text of such an exception holds a secret only if the app put one
there. Other exceptions reach Flask, which logs them. Lines of the extension about those name the type alone.
"""

from typing import Any, Final

from blinker import NamedSignal, Namespace
from flask import Flask

from .logs import log

_namespace = Namespace()
authenticated: Final = _namespace.signal(
    "unauthorized-authenticated",
    doc="""Sent when a request was accepted.

Arguments: ``identity``, ``scheme``, ``session``. ``identity`` is the `Identity` of the caller.

Example:
    Count requests by scheme::

        from flask_unauthorized.signals import authenticated

        @authenticated.connect_via(app)
        def note(sender, identity, scheme, **extra):
            sender.logger.info("%s came by %s", identity.subject, scheme)
""",
)
refused: Final = _namespace.signal(
    "unauthorized-refused",
    doc="""Sent when a request was refused.

Arguments: ``error``, ``identity``, ``subject``, ``session``. ``error`` is a copy without traceback, with its private
``reason`` and its ``reason_code``. ``identity`` is the caller whose valid credentials were refused, else ``None``.
``subject`` is the hash of their name, or of the name that rejected credentials claim
(`flask_unauthorized.events.subject_hash`). It is ``None`` if there is no name.

Example:
    Count refusals by their reason::

        from flask_unauthorized.signals import refused

        @refused.connect_via(app)
        def note(sender, error, **extra):
            sender.logger.info("%s: %s", error.reason_code, error.reason)
""",
)
logged_in: Final = _namespace.signal(
    "unauthorized-logged-in",
    doc="""Sent when ``auth.login()`` has logged a caller in.

Arguments: ``identity``, ``scheme``, ``session``. A user object is ``identity.user``.

Example:
    Note the time of the last login::

        from flask_unauthorized.signals import logged_in

        @logged_in.connect_via(app)
        def note(sender, identity, **extra):
            sender.logger.info("%s has logged in", identity.subject)
""",
)
logged_out: Final = _namespace.signal(
    "unauthorized-logged-out",
    doc="""Sent when ``auth.logout()`` has ended a login.

Arguments: ``identity``, ``scheme``, ``session``. ``identity`` is ``None`` if the session's user is gone, or can't be
loaded.

Example:
    Note logouts::

        from flask_unauthorized.signals import logged_out

        @logged_out.connect_via(app)
        def note(sender, identity, **extra):
            sender.logger.info("%s has logged out", identity.subject if identity else "a deleted user")
""",
)
remembered: Final = _namespace.signal(
    "unauthorized-remembered",
    doc="""Sent when a remember cookie has opened a new session, without a login.

Arguments: ``identity``, ``scheme``, ``session``. It is sent with the response.

Example:
    Note that a user has come back::

        from flask_unauthorized.signals import remembered

        @remembered.connect_via(app)
        def note(sender, identity, **extra):
            sender.logger.info("%s has come back", identity.subject)
""",
)
session_stolen: Final = _namespace.signal(
    "unauthorized-session-stolen",
    doc="""Sent when a remember cookie was used in two places, so its login was ended.

Arguments: ``subject``, ``scheme``, ``session``. It is sent once for each login. ``subject`` is the subject itself, so
that you can write to the user.

Example:
    Warn the user::

        from flask_unauthorized.signals import session_stolen

        @session_stolen.connect_via(app)
        def warn(sender, subject, **extra):
            sender.logger.warning("write to %s: a login was used in two places", subject)
""",
)
repaired: Final = _namespace.signal(
    "unauthorized-repaired",
    doc="""Sent when a 401 was about to leave without a usable challenge.

Arguments: ``endpoint``, ``challenges``. The response got ``challenges``.

Example:
    Find the view that makes such a 401::

        from flask_unauthorized.signals import repaired

        @repaired.connect_via(app)
        def note(sender, endpoint, challenges, **extra):
            sender.logger.warning("%s got %s", endpoint, challenges)
""",
)
throttled: Final = _namespace.signal(
    "unauthorized-throttled",
    doc="""Sent when a `Throttle` refused an attempt to log in.

Arguments: ``scheme``, ``limit``, ``subject``, ``network``, ``retry_after``. ``scheme`` is ``None`` for a login form.
``limit`` is ``"pair"``, ``"subject"``, ``"network"`` or ``"disabled"``. ``subject`` is a hash
(`flask_unauthorized.events.subject_hash`), ``None`` for a token. ``network`` is an address or the /64 of one.
``retry_after`` is in seconds.

Example:
    Watch the networks that try passwords::

        from flask_unauthorized.signals import throttled

        @throttled.connect_via(app)
        def note(sender, limit, network, **extra):
            sender.logger.warning("%s is beyond its limit (%s)", network, limit)
""",
)
subject_disabled: Final = _namespace.signal(
    "unauthorized-subject-disabled",
    doc="""Sent when consecutive failures have disabled a subject (``disable_after=``).

Arguments: ``subject``, ``network``, as in ``throttled``. It is sent once, by the process that saw the last failure.

Example:
    Tell your support::

        from flask_unauthorized.signals import subject_disabled

        @subject_disabled.connect_via(app)
        def note(sender, subject, **extra):
            sender.logger.warning("the subject with the hash %s is disabled", subject)
""",
)
token_issued: Final = _namespace.signal(
    "unauthorized-token-issued",
    doc="""Sent when `StoredTokens` issued a token, or `Pairs` began a login.

Argument: ``record``, its `TokenRecord`.

Example:
    Write to the owner of a new token::

        from flask_unauthorized.signals import token_issued

        @token_issued.connect_via(app)
        def note(sender, record, **extra):
            sender.logger.info("%s has a new token: %s", record.owner, record.name)
""",
)
token_revoked: Final = _namespace.signal(
    "unauthorized-token-revoked",
    doc="""Sent when a token or a login was revoked that had not been before.

Argument: ``record``, its `TokenRecord`.

Example:
    Note revoked tokens::

        from flask_unauthorized.signals import token_revoked

        @token_revoked.connect_via(app)
        def note(sender, record, **extra):
            sender.logger.info("%s has lost the token %s", record.owner, record.name)
""",
)
token_rotated: Final = _namespace.signal(
    "unauthorized-token-rotated",
    doc="""Sent when a token was replaced by another one.

Arguments: ``record``, ``successor``. Both are of the type `TokenRecord`.

Example:
    Note which token replaces another one::

        from flask_unauthorized.signals import token_rotated

        @token_rotated.connect_via(app)
        def note(sender, record, successor, **extra):
            sender.logger.info("token %s replaces %s", successor.id, record.id)
""",
)
token_reused: Final = _namespace.signal(
    "unauthorized-token-reused",
    doc="""Sent when a replaced token was used after its end.

Argument: ``record``, its `TokenRecord`. A program missed the rotation, or an attacker has a copy. It is sent at most
once in five minutes for each token and process. A refresh token of `Pairs` that is reused ends its login, whose
``record`` is sent once.

Example:
    Warn the owner::

        from flask_unauthorized.signals import token_reused

        @token_reused.connect_via(app)
        def warn(sender, record, **extra):
            sender.logger.warning("write to %s: %s was used after its end", record.owner, record.name)
""",
)


def send(signal: NamedSignal, app: Flask, **arguments: Any) -> None:
    """Call all receivers of a signal; those that fail are logged."""
    for receiver in signal.receivers_for(app):
        try:
            receiver(app, **arguments)
        except Exception:  # a receiver's mistake doesn't change the decision
            log.exception("a receiver of the signal %s failed", signal.name)

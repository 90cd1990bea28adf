"""Signals (blinker) for an app's metrics and audit. The sender is the app; no argument holds a secret.

- ``authenticated(app, identity, scheme, session)``: a request was accepted. ``scheme`` is the name of its scheme.
- ``refused(app, error, identity, subject, session)``: a request was refused. ``error`` is a copy without traceback,
  with its private ``reason`` and its ``reason_code``. ``identity`` is the caller whose valid credentials were refused,
  else ``None``. ``subject`` is the hash of their name, or of the name that rejected credentials claim
  (`flask_unauthorized.events.subject_hash`), ``None`` if there is no name.
- ``logged_in(app, identity, scheme, session)``: ``auth.login()`` has logged a caller in. A user object is
  ``identity.user``.
- ``logged_out(app, identity, scheme, session)``: ``auth.logout()`` has ended a login. ``identity`` is ``None`` if the
  session's user is gone, or can't be loaded.
- ``remembered(app, identity, scheme, session)``: a remember cookie has opened a new session for a caller, without a
  login. It is sent with the response.
- ``session_stolen(app, subject, scheme, session)``: the remember cookie of ``subject`` was used in two places, so the
  login was ended. It is sent once for each login.
- ``repaired(app, endpoint, challenges)``: a 401 was about to leave without a usable challenge, and got ``challenges``.
- ``throttled(app, scheme, limit, subject, network, retry_after)``: a `Throttle` refused an attempt to log in.
  ``scheme`` is the name of the scheme, ``None`` for a login form. ``limit`` is ``"pair"``, ``"subject"``,
  ``"network"`` or ``"disabled"``. ``subject`` is a hash (`flask_unauthorized.events.subject_hash`), ``None`` for a
  token. ``network`` is an address or the /64 of one. ``retry_after`` is in seconds.
- ``subject_disabled(app, subject, network)``: consecutive failures have disabled a subject (``disable_after=``). It is
  sent once, by the process that saw the last failure. The arguments are those of ``throttled``.
- ``token_issued(app, record)``: `StoredTokens` issued a token, or `Pairs` began a login. ``record`` is its
  `TokenRecord`.
- ``token_revoked(app, record)``: a token or a login was revoked that had not been before.
- ``token_rotated(app, record, successor)``: a token was replaced. Both are records.
- ``token_reused(app, record)``: a replaced token was used after its end. A program missed the rotation, or an attacker
  has a copy. It is sent at most once in five minutes for each token and process. A refresh token of `Pairs` that is
  reused ends its login, whose ``record`` is sent once.

Let receivers take ``**extra``, because later versions may add arguments. The same decisions are records of the log:
see `flask_unauthorized.events`.

``session`` is the id that `Auth.sessions` lists, ``None`` for callers without a session. Receivers take what they need,
and end with ``**extra``: a later version may send more. They run inside the request, so Flask's ``request`` has its
endpoint, method, path and address.

The decision about a request stands when a signal is sent. So a receiver cannot change it, and one that fails is logged
and costs the others nothing.

The extension logs an exception of the app's code with its traceback only if it goes no further: one of a receiver, a
renderer, a lazy text, or the loader at a logout. Its text holds a secret only if the app put one there. An exception
that reaches Flask is logged by Flask, and lines of the extension about it name its type alone.
"""

from typing import Any, Final

from blinker import NamedSignal, Namespace
from flask import Flask

from .logs import log

_namespace = Namespace()
authenticated: Final = _namespace.signal("unauthorized-authenticated")
refused: Final = _namespace.signal("unauthorized-refused")
logged_in: Final = _namespace.signal("unauthorized-logged-in")
logged_out: Final = _namespace.signal("unauthorized-logged-out")
remembered: Final = _namespace.signal("unauthorized-remembered")
session_stolen: Final = _namespace.signal("unauthorized-session-stolen")
repaired: Final = _namespace.signal("unauthorized-repaired")
throttled: Final = _namespace.signal("unauthorized-throttled")
subject_disabled: Final = _namespace.signal("unauthorized-subject-disabled")
token_issued: Final = _namespace.signal("unauthorized-token-issued")
token_revoked: Final = _namespace.signal("unauthorized-token-revoked")
token_rotated: Final = _namespace.signal("unauthorized-token-rotated")
token_reused: Final = _namespace.signal("unauthorized-token-reused")


def send(signal: NamedSignal, app: Flask, **arguments: Any) -> None:
    """Call all receivers of a signal; those that fail are logged."""
    for receiver in signal.receivers_for(app):
        try:
            receiver(app, **arguments)
        except Exception:  # a receiver's mistake doesn't change the decision
            log.exception("a receiver of the signal %s failed", signal.name)

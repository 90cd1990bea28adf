"""Signals (blinker) for an app's metrics and audit. The sender is the app; no argument holds a secret.

- ``authenticated(app, identity, scheme)``: a request was accepted. ``scheme`` is the name of its scheme.
- ``refused(app, error)``: a request was refused. ``error`` is a copy without traceback, with its private ``reason``.
- ``logged_in(app, identity, scheme)``: ``auth.login()`` has logged a caller in. A user object is ``identity.user``.
- ``logged_out(app, identity, scheme)``: ``auth.logout()`` has ended a login. ``identity`` is ``None`` if the session's
  user is gone, or can't be loaded.
- ``remembered(app, identity, scheme)``: a remember cookie has opened a new session for a caller, without a login. It is
  sent with the response.
- ``session_stolen(app, subject, scheme)``: the remember cookie of ``subject`` was used in two places, so the login was
  ended. It is sent once for each login.
- ``repaired(app, endpoint, challenges)``: a 401 was about to leave without a usable challenge, and got ``challenges``.

The decision about a request stands when a signal is sent. So a receiver cannot change it, and one that fails is logged
and costs the others nothing.
"""

import logging
from typing import Any, Final

from blinker import NamedSignal, Namespace
from flask import Flask

log: Final = logging.getLogger("flask_unauthorized")

_namespace = Namespace()
authenticated: Final = _namespace.signal("unauthorized-authenticated")
refused: Final = _namespace.signal("unauthorized-refused")
logged_in: Final = _namespace.signal("unauthorized-logged-in")
logged_out: Final = _namespace.signal("unauthorized-logged-out")
remembered: Final = _namespace.signal("unauthorized-remembered")
session_stolen: Final = _namespace.signal("unauthorized-session-stolen")
repaired: Final = _namespace.signal("unauthorized-repaired")


def send(signal: NamedSignal, app: Flask, **arguments: Any) -> None:
    """Call all receivers of a signal; those that fail are logged."""
    for receiver in signal.receivers_for(app):
        try:
            receiver(app, **arguments)
        except Exception:
            log.exception("a receiver of the signal %s failed", signal.name)

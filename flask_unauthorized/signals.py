"""Signals (blinker) that an app may listen to. Senders are the app; no argument ever holds a secret.

- ``authenticated(app, identity, scheme)``: a request was let in; ``scheme`` is the scheme's name;
- ``refused(app, error)``: a request was refused; ``error`` is a copy without traceback, with its private ``reason``;
- ``repaired(app, endpoint, challenges)``: a 401 without a usable challenge was about to leave, and was given some.
"""

import logging
from typing import Any, Final

from blinker import NamedSignal, Namespace

log: Final = logging.getLogger("flask_unauthorized")
_namespace = Namespace()
authenticated: Final = _namespace.signal("unauthorized-authenticated")
refused: Final = _namespace.signal("unauthorized-refused")
repaired: Final = _namespace.signal("unauthorized-repaired")


def send(signal: NamedSignal, app: Any, **arguments: Any) -> None:
    """Tells all receivers; the decision stands even if one of them fails, which is logged."""
    for receiver in signal.receivers_for(app):
        try:
            receiver(app, **arguments)
        except Exception:  # whatever a receiver does wrong, the answer to the request is decided
            log.exception("a receiver of the signal %s failed", signal.name)

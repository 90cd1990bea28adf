"""`Unauthorized`: what the fixture ``unauthorized`` gives to a test."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from flask import Flask, has_request_context, request
from flask.testing import FlaskClient

from ..errors import AuthError
from ..identity import Identity
from ..lint.catalog import Finding
from ..signals import refused
from ..testing import acting_as
from .clients import Recorder
from .clock import Clock
from .outage import outage


class Refusal(NamedTuple):
    """One refused request.

    Attributes:
        status: The status that the error stands for.
        reason_code: The code of the reason, as in the log.
        reason: The private reason, as in the log.
        error: The error, without traceback.
        method: The method of the request.
        path: Its path.
    """

    status: int | None
    reason_code: str | None
    reason: str | None
    error: AuthError
    method: str | None
    path: str | None


class Unauthorized:
    """Callers, outages, a clock and the refusals, for one test.

    Attributes:
        clock: Moves the time of this process forward: ``unauthorized.clock.advance(3600)``.
        refusals: The refused requests of this test, in their order.
    """

    def __init__(self, recorder: Recorder | None) -> None:
        self.clock = Clock()
        self.refusals: list[Refusal] = []
        self._recorder = recorder

    @property
    def findings(self) -> list[Finding]:
        """What the linter has found in this test so far. Empty if it is off."""
        return [] if self._recorder is None else [*self._recorder.findings]

    def acting_as(self, app: Flask, identity: Identity | str) -> FlaskClient:
        """Return a test client whose requests come from an identity: see `flask_unauthorized.testing.acting_as`."""
        return acting_as(app, identity)

    @contextmanager
    def down(self, app: Flask, error: Exception | None = None) -> Iterator[None]:
        """Let all loaders of an app and all stores fail inside of the ``with`` block.

        A request with credentials must get 503 then, never 401. A 500 says that ``Auth(unavailable=…)`` lacks the
        exception that your loader raises.

        Args:
            app: The app. The stores of all apps of this process are down.
            error: What the loaders raise. Default: an exception of the first type in ``Auth(unavailable=…)``, or else
                `AuthUnavailable`.
        """
        with outage(app, error):
            yield

    @contextmanager
    def recording(self) -> Iterator[None]:
        """Note refusals inside of the ``with`` block, and restore the clock at its end."""
        with refused.connected_to(self._note):
            try:
                yield
            finally:
                self.clock.restore()

    def _note(self, sender: Any, error: AuthError, **_: Any) -> None:
        method, path = (request.method, request.path) if has_request_context() else (None, None)
        self.refusals.append(
            Refusal(getattr(error, "code", None), error.reason_code, error.reason, error, method, path)
        )

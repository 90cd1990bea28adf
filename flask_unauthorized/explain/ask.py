"""Sends the request of a case through the app, and returns the answer: a response, or that the view would decide."""

import logging
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final, NamedTuple

from flask import Flask, Request, request_started
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from ..logs import LOGGER
from ..runtime.app_state import AppState
from ..runtime.request_state import real_request
from ..signals import logged_in
from .cases import Case
from .explained import EXPLAINED, Elsewhere, Explained, Reached
from .find_route import Target
from .samples import request_arguments
from .stopped import Entered

HIDDEN: Final = "…"
"""Stands for what differs from request to request."""
_NONCE: Final = re.compile(r"""(nonce=")[^"]*(")|('nonce-)[^']*(')""", re.IGNORECASE)
_DYNAMIC_FIELDS: Final = frozenset({"dpop-nonce"})
_VIEW_DECIDES: Final = "let through: the view decides"


class Unexplainable(Exception):
    """The route can't be explained. The message says why."""


class Answer(NamedTuple):
    """What a caller gets.

    Attributes:
        status: The status; ``None`` if the view decides.
        reason: The reason phrase of the status.
        headers: The header lines, with `HIDDEN` in place of what differs from request to request.
        body: The body; ``None`` if the view decides.
        note: What else there is to say, or ``None``.
    """

    status: int | None
    reason: str
    headers: tuple[tuple[str, str], ...]
    body: bytes | None
    note: str | None


def ask(app_state: AppState, target: Target, case: Case, headers: Sequence[tuple[str, str]] = ()) -> Answer:
    """Return what the app responds to a case. The view doesn't run.

    Args:
        app_state: The state of the app, which is set up.
        target: Where the request goes.
        case: The case.
        headers: Further header lines. They replace those of the case that have the same name.

    Raises:
        Unexplainable: If the view was called without a judgment, or code of the app raised an exception.
    """
    explained = Explained(app_state, case.outcomes, case.sample.unread, case.sample.session)
    try:
        response = _send(explained, target, case, headers)
    except (Exception, SystemExit) as error:  # code of the app raises whatever it likes
        raise Unexplainable(
            f"{case.label}: code of the app raised {type(error).__name__}, so callers get a server error: see the log"
        ) from error
    why = _why_unexplainable(explained, response)
    if why is not None:
        raise Unexplainable(f"{case.label}: {why}")
    if explained.was_reached or response is None:
        return Answer(None, "", (), None, _VIEW_DECIDES)
    lines = tuple((name, _shown(name, value, case)) for name, value in response.headers)
    status, _, reason = response.status.partition(" ")
    return Answer(int(status), reason, lines, response.data, _note(explained))


def _send(explained: Explained, target: Target, case: Case, headers: Sequence[tuple[str, str]]) -> TestResponse | None:
    """Return the response; ``None`` if the request was stopped.

    ``explained`` notes why it was stopped, even if code of the app caught the exception that stopped it.
    """
    app = explained.app_state.app

    def begin(sender: Flask, **__: Any) -> None:
        request = real_request()
        if request.environ.get(EXPLAINED) is explained:
            explained.begin(sender, request)

    def note_login(_: Flask, **__: Any) -> None:
        explained.logged_in = explained.logged_in or real_request().environ.get(EXPLAINED) is explained

    client = FlaskClient(app, app.response_class, use_cookies=False)
    client.environ_base[EXPLAINED] = explained  # type: ignore[assignment]  # an environ holds any value
    arguments = request_arguments(_target_of(target, case), case.sample)
    replaced = {name.lower() for name, _ in headers}
    sent = [*arguments["headers"], *case.headers, *_upgrade(target, case)]
    arguments["headers"] = [*(line for line in sent if line[0].lower() not in replaced), *headers]
    try:
        with (
            _requests_of_class(app, explained.request_class(app.request_class)),
            request_started.connected_to(begin),
            logged_in.connected_to(note_login, app),
            _refusals_at_debug(),
        ):
            return client.open(**arguments, buffered=True)
    except (Reached, Entered, Elsewhere):
        return None
    finally:
        explained.end()


def _why_unexplainable(explained: Explained, response: TestResponse | None) -> str | None:
    if explained.elsewhere is not None:
        return (
            f"a WSGI middleware sends such a request to another app, {explained.elsewhere!r}: explain it with that app"
        )
    if explained.logged_in:
        return (
            "code of the app logs a caller in during the request. The response depends on the loader, which isn't asked"
        )
    if explained.entered or (response is None and not explained.was_reached):
        return (
            "the view was called before a guard had accepted the caller, and was stopped: a decorator above the guard "
            "or a hook calls the view itself. Put the guard on top"
        )
    return None


@contextmanager
def _requests_of_class(app: Flask, kind: type[Request]) -> Iterator[None]:
    """Let an app make requests of a class."""
    own = vars(app).get("request_class")
    app.request_class = kind
    try:
        yield
    finally:
        if own is None:
            del app.request_class
        else:
            app.request_class = own


@contextmanager
def _refusals_at_debug() -> Iterator[None]:
    """Log refusals at DEBUG, because they were asked for. An outage would look like one of the app."""

    def demote(record: logging.LogRecord) -> bool:
        if str(record.msg).startswith("refused "):
            record.levelno, record.levelname = logging.DEBUG, logging.getLevelName(logging.DEBUG)
            return LOGGER.isEnabledFor(logging.DEBUG)
        return True

    LOGGER.addFilter(demote)
    try:
        yield
    finally:
        LOGGER.removeFilter(demote)


def _note(explained: Explained) -> str | None:
    state = explained.state
    if state is None:
        return "a WSGI middleware responded: the request didn't reach the app"
    if explained.responded_by == "decorator":
        return "a decorator above the guard responded"
    if explained.responded_by is None and state.recorded_refusal is None:
        return "a hook of the app responded"
    return None


def _target_of(target: Target, case: Case) -> Target:
    base_url = target.base_url if case.https else target.base_url.replace("https://", "http://", 1)
    return target._replace(method=case.method or target.method, base_url=base_url)


def _upgrade(target: Target, case: Case) -> list[tuple[str, str]]:
    """Return what makes the request the handshake of a WebSocket (RFC 6455 §4.1)."""
    if not target.is_websocket or case.method is not None:
        return []
    return [("Connection", "Upgrade"), ("Upgrade", "websocket")]


def _shown(name: str, value: str, case: Case) -> str:
    """Return a value without what differs from request to request, and without what a cookie holds."""
    lower = name.lower()
    if lower in _DYNAMIC_FIELDS or (lower == "retry-after" and case.has_dynamic_wait):
        return HIDDEN
    if lower == "allow":  # Flask joins a set, whose order differs from process to process.
        return ", ".join(sorted(value.split(", ")))
    if lower == "set-cookie":
        cookie, _, rest = value.partition(";")
        key, _, content = cookie.partition("=")
        return f"{key}={HIDDEN if content else ''}" + (f";{rest}" if rest else "")
    return _NONCE.sub(rf"\1\3{HIDDEN}\2\4", value)

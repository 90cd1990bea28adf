"""`Linter` and `ASGILinter`: middleware that reports wrong refusals, and changes no byte.

The WSGI form wraps ``start_response`` only. The app's iterable goes to the server as it is, so streams stay streams.
If an app calls ``start_response`` again with ``exc_info`` before it returns, only the last call counts.

A response whose status no rule speaks of costs one comparison.
"""

import logging
import threading
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, Final, Literal
from urllib.parse import quote

from ..logs import report_loss
from .catalog import Finding
from .exchange import Exchange, make_exchange
from .responses import SAFE_IN_PATH, exchange_of_environ
from .rules import LINTED_STATUSES, lint_exchange

LOGGER: Final = logging.getLogger("flask_unauthorized.lint")
_MAX_REPORTED: Final = 1000
_LOG_LEVELS: Final = {"error": logging.ERROR, "warning": logging.WARNING, "note": logging.INFO}

Report = Literal["log", "raise"] | Callable[[Finding], Any]


class LintError(AssertionError):
    """A response with findings, raised by a linter with ``on_finding="raise"``.

    Example:
        Fail where a test gets a 401 without a challenge::

            from flask import Flask, abort
            from flask_unauthorized.lint import Linter, LintError

            bare = Flask("bare")
            bare.wsgi_app = Linter(bare.wsgi_app, "raise")
            bare.add_url_rule("/", view_func=lambda: abort(401), endpoint="view")
            try:
                bare.test_client().get("/")
            except LintError as error:
                assert [finding.id for finding in error.findings] == ["W1"]

    Attributes:
        findings: All findings of the response.
    """

    def __init__(self, findings: list[Finding]) -> None:
        super().__init__("\n".join(map(str, findings)))
        self.findings = findings


class _Reporter:
    """Sends findings to where ``on_finding`` says."""

    def __init__(self, on_finding: Report, ignore: Iterable[str]) -> None:
        if on_finding not in ("log", "raise") and not callable(on_finding):
            raise TypeError(f'on_finding must be "log", "raise" or a callable, not {on_finding!r}')
        self.on_finding = on_finding
        self.ignore = frozenset(ignore)
        self._reported: set[tuple[str, str, str]] = set()
        self._lock = threading.Lock()

    def report(self, make: Callable[[], Exchange]) -> None:
        if self.on_finding != "log":
            self._pass_on(self._found(make()))
            return
        try:
            self._log(self._found(make()))
        except Exception as failure:  # An odd request, or a log handler that fails, must cost no request.
            report_loss(failure, None, "a finding of the linter")

    def _found(self, exchange: Exchange) -> list[Finding]:
        return [finding for finding in lint_exchange(exchange) if finding.id not in self.ignore]

    def _log(self, findings: list[Finding]) -> None:
        for finding in findings:
            if self._is_new(finding):
                LOGGER.log(_LOG_LEVELS[finding.level], "%s", finding)

    def _pass_on(self, findings: list[Finding]) -> None:
        if self.on_finding == "raise":
            serious = [finding for finding in findings if finding.level != "note"]
            if serious:
                raise LintError(serious)
        else:
            for finding in findings:
                self.on_finding(finding)  # type: ignore[operator]  # not one of the two texts

    def _is_new(self, finding: Finding) -> bool:
        key = (finding.id, finding.method, finding.path)
        with self._lock:
            if key in self._reported or len(self._reported) >= _MAX_REPORTED:
                return False
            self._reported.add(key)
            return True


class Linter:
    """WSGI middleware that reports wrong refusals, and never changes a response.

    Example:
        Log what is wrong with the refusals of an app::

            from flask import Flask
            from flask_unauthorized.lint import Linter

            app = Flask(__name__)
            app.wsgi_app = Linter(app.wsgi_app)

    Args:
        app: A WSGI app.
        on_finding: ``"log"`` writes each finding once for each method and path, to the logger
            ``flask_unauthorized.lint``. ``"raise"`` raises `LintError` for errors and warnings: for tests. A callable
            gets each finding.
        ignore: Ids of findings that aren't reported.
    """

    def __init__(
        self, app: Callable[..., Iterable[bytes]], on_finding: Report = "log", *, ignore: Iterable[str] = ()
    ) -> None:
        self.app = app
        self._reporter = _Reporter(on_finding, ignore)

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Run the app, and lint what it starts its response with."""
        last: list[tuple[str, list[tuple[str, str]]]] = []
        returned = False

        def start(status: str, headers: list[tuple[str, str]], *exc_info: Any) -> Any:
            # Servers may change the list, so it is copied.
            write = start_response(status, headers, *exc_info)
            last[:] = [(status, [*headers])] if status[:3] in LINTED_STATUSES else []
            if returned and last:
                self._reporter.report(lambda: exchange_of_environ(environ, *last[0]))
            return write

        body = self.app(environ, start)
        returned = True
        if last:
            try:
                self._reporter.report(lambda: exchange_of_environ(environ, *last[0]))
            except BaseException:  # a LintError, or what the callable of the app raises: the server gets no body
                close = getattr(body, "close", None)
                if close is not None:
                    close()
                raise
        return body


class ASGILinter:
    """ASGI middleware that reports wrong refusals, as `Linter` does.

    WebSockets pass unseen.

    Example:
        Lint a FastAPI or Starlette app::

            from flask_unauthorized.lint import ASGILinter

            async def asgi_app(scope, receive, send):
                await send({"type": "http.response.start", "status": 401, "headers": []})
                await send({"type": "http.response.body"})

            asgi_app = ASGILinter(asgi_app)

    Args:
        app: An ASGI app.
        on_finding: As for `Linter`.
        ignore: Ids of findings that aren't reported.
    """

    def __init__(
        self, app: Callable[..., Awaitable[Any]], on_finding: Report = "log", *, ignore: Iterable[str] = ()
    ) -> None:
        self.app = app
        self._reporter = _Reporter(on_finding, ignore)

    async def __call__(
        self, scope: Mapping[str, Any], receive: Callable[..., Awaitable[Any]], send: Callable[..., Awaitable[Any]]
    ) -> None:
        """Run the app, and lint what it starts its response with."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def linting(message: Mapping[str, Any]) -> None:
            # A status may be an HTTPStatus.
            if message["type"] != "http.response.start" or f"{message['status']:d}" not in LINTED_STATUSES:
                await send(message)
                return
            # ASGI allows any iterable here, and an iterator gives its fields only once.
            fields = [*message.get("headers", ())]
            await send({**message, "headers": fields})
            self._reporter.report(lambda: _exchange_of_scope(scope, message["status"], fields))

        await self.app(scope, receive, linting)


def _exchange_of_scope(
    scope: Mapping[str, Any], status: int, fields: Iterable[tuple[str | bytes, str | bytes]]
) -> Exchange:
    return make_exchange(
        int(status),
        fields,
        method=scope["method"],
        path=quote(scope["path"], safe=SAFE_IN_PATH, errors="replace"),
        query=scope.get("query_string", b"").decode("latin-1"),
        request_fields=scope.get("headers", ()),
    )

"""`Recorder`: listens to the test clients of a process, and lints what they receive.

A client is listened to if its module is loaded: Werkzeug's (so Flask's), httpx with a WSGI or ASGI app, Starlette's
(so FastAPI's), and Django's. The recorder replaces the method through which each sends a request to the app, and puts
it back when the test ends. Middleware of the app has run by then, so its work is seen. Real connections aren't linted.

A client never notices: it gets what the app sent, and no exception of the linter.
"""

import functools
import sys
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from ..lint.catalog import Finding
from ..lint.exchange import Exchange
from ..lint.responses import exchange_of, exchange_of_environ, pairs_of
from ..lint.rules import LINTED_STATUSES, lint_exchange


class UnauthorizedLintWarning(UserWarning):
    """A finding that doesn't fail the test."""


class _Target(NamedTuple):
    """A method of a client, and how to read its arguments and its result."""

    module: str
    owner: str
    method: str
    read: Callable[..., Exchange]
    is_async: bool = False


def _read_werkzeug(client: Any, environ: dict[str, Any], result: Any) -> Exchange:
    _, status, headers = result
    return exchange_of_environ(environ, status, pairs_of(headers))


def _read_django(handler: Any, environ: dict[str, Any], response: Any) -> Exchange:
    return exchange_of_environ(environ, response.status_code, pairs_of(response.headers))


def _read_http(transport: Any, request: Any, response: Any) -> Exchange:
    return exchange_of(response, request)


_TARGETS: Final = (
    _Target("werkzeug.test", "Client", "run_wsgi_app", _read_werkzeug),
    _Target("django.test.client", "ClientHandler", "__call__", _read_django),
    _Target("starlette.testclient", "_TestClientTransport", "handle_request", _read_http),
    *(
        _Target(module, owner, method, _read_http, owner == "ASGITransport")
        for module in ("httpx", "httpx2")
        for owner, method in (("WSGITransport", "handle_request"), ("ASGITransport", "handle_async_request"))
    ),
)


class Recorder:
    """Lints the responses of one test.

    Args:
        ignore: Ids of findings that aren't recorded.
    """

    def __init__(self, ignore: frozenset[str]) -> None:
        self.findings: list[Finding] = []
        self._ignore = ignore
        self._new: list[Finding] = []
        self._replaced: dict[_Target, tuple[type, Any, Any]] = {}

    def start(self) -> None:
        """Listen to the clients that are loaded and not listened to yet."""
        for target in _TARGETS:
            module = sys.modules.get(target.module)
            owner = getattr(module, target.owner, None)
            if owner is not None and target not in self._replaced:
                original = getattr(owner, target.method)
                listening = self._listening(target, original)
                self._replaced[target] = owner, original, listening
                setattr(owner, target.method, listening)

    def stop(self) -> None:
        """Put the methods of the clients back. What others have put there since is theirs, and stays."""
        while self._replaced:
            target, (owner, original, listening) = self._replaced.popitem()
            if getattr(owner, target.method) is listening:
                setattr(owner, target.method, original)

    def take(self) -> list[Finding]:
        """Return the findings since the last call, each once."""
        found, self._new = list(dict.fromkeys(self._new)), []
        return found

    def _listening(self, target: _Target, original: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(original)
        def send(client: Any, request: Any, *args: Any, **kwargs: Any) -> Any:
            result = original(client, request, *args, **kwargs)
            self._lint(target.read, client, request, result)
            return result

        @functools.wraps(original)
        async def send_async(client: Any, request: Any, *args: Any, **kwargs: Any) -> Any:
            result = await original(client, request, *args, **kwargs)
            self._lint(target.read, client, request, result)
            return result

        return send_async if target.is_async else send

    def _lint(self, read: Callable[..., Exchange], *values: Any) -> None:
        if not self._replaced:
            return  # The test has ended, and another tool still calls the method that was there before its own.
        try:
            exchange = read(*values)
            if str(exchange.status) not in LINTED_STATUSES:
                return
            found = [finding for finding in lint_exchange(exchange) if finding.id not in self._ignore]
        except Exception:  # of whatever type, for clients and responses are those of others
            return  # A response that can't be read concerns the test, not the linter.
        self.findings += found
        self._new += found

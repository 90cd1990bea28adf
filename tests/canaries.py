"""Canaries: secrets that a test used, which no log record, signal, body or header may hold.

A fixture of ``conftest.py`` enters `watching` for each test. What a request carries is registered when it reaches the
app, and what a session keeps when it is saved. Helpers that make credentials without a request call `register`. Texts
are compared once per request and at the end of the test, so that thousands of tests stay fast.
"""

import base64
import binascii
import json
import logging
import re
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qsl, quote, unquote

import pytest
from flask import Flask
from flask.sessions import SecureCookieSessionInterface

from flask_unauthorized import signals

SHORTEST = 8
"""Shorter secrets of tests ("good", "pw") are words that messages hold for other reasons."""
WORDS = frozenset({"unavailable", "no colon"})
"""Credentials of tests that messages hold for other reasons, too."""
MOST = 400
"""How many canaries of a test are remembered; a property makes thousands, and the latest matter."""
_LIBRARY = logging.getLogger("flask_unauthorized")
_FORMAT = logging.Formatter()
_FIELDS = re.compile(r"HTTP_(AUTHORIZATION|PROXY_AUTHORIZATION|DPOP|COOKIE|.*(KEY|TOKEN|SECRET|PASSWORD).*)")
_PARAMETERS = re.compile(r"token|key|password|secret", re.IGNORECASE)
_REMEMBERED = re.compile(r"1\.[\w-]{8}\.[\w-]{22}\.[\w-]{43}")
_OF_JWS = re.compile(r"[A-Za-z0-9_-]+")
_TEXTS_OF_DIGEST = re.compile(r'response="?([0-9a-zA-Z]+)')


class Canaries:
    """The secrets of one test, the texts that were told since they were compared last, and what leaked."""

    def __init__(self) -> None:
        self.secrets: deque[str] = deque(maxlen=MOST)
        self.cookies: set[str] = set()  # secrets that Set-Cookie holds on purpose
        self.texts: list[tuple[str, str]] = []
        self.leaks: list[str] = []

    def register(self, *secrets: object, cookie: bool = False) -> None:
        """Remembers secrets, each as it is written in a URL, too."""
        for secret in secrets:
            text = secret.decode("latin-1") if isinstance(secret, bytes) else str(secret)
            for form in dict.fromkeys((text, quote(text), unquote(text))):
                if len(form) >= SHORTEST and form not in WORDS and form not in self.secrets:
                    self.secrets.append(form)
                    if cookie:
                        self.cookies.add(form)

    def tell(self, where: str, text: str) -> None:
        """Remembers a text that left the library, to be searched."""
        self.texts.append((where, text))

    def compare(self) -> None:
        """Searches what was told so far."""
        texts = dict.fromkeys(self.texts)
        self.texts.clear()
        for secret in tuple(self.secrets):
            for where, text in texts:
                if secret in text and not (where == "set-cookie" and secret in self.cookies):
                    self.leaks.append(f"{where} holds {secret!r}: {text[:500]!r}")


_now: list[Canaries] = []  # of the running test; a stack, for tests of this module itself


def register(*secrets: object) -> None:
    """Names secrets that were made; nothing where no test runs."""
    if _now:
        _now[-1].register(*secrets)


class WatchedLogger(logging.Logger):
    """The library's logger, of which every record is seen, whatever the level that the test chose."""

    def isEnabledFor(self, level: int) -> bool:
        return bool(_now) or super().isEnabledFor(level)

    def handle(self, record: logging.LogRecord) -> None:
        if _now:
            tell_record(record)
        if super().isEnabledFor(record.levelno):
            super().handle(record)


class _Others(logging.Handler):
    """The records of other loggers: the app's, with its tracebacks."""

    def emit(self, record: logging.LogRecord) -> None:
        if _now and record.name != _LIBRARY.name:
            tell_record(record)


def tell_record(record: logging.LogRecord) -> None:
    """Message, arguments, extras and traceback of a log record."""
    told = [record.getMessage(), str(vars(record))]
    if record.exc_info:
        told.append(_FORMAT.formatException(record.exc_info))
    _now[-1].tell("log", "\n".join(told))


@contextmanager
def watching() -> Iterator[Canaries]:
    """Everything that is told while inside is searched for everything that is registered inside."""
    canaries = Canaries()
    others = _Others()
    root = logging.getLogger()
    root.addHandler(others)
    kind = _LIBRARY.__class__
    _LIBRARY.__class__ = WatchedLogger
    _now.append(canaries)
    # Receivers of `authenticated` would switch off the way that requests take without any, so its sending is watched.
    receive = _receiver(canaries)
    for signal in (signals.refused, signals.repaired):
        signal.connect(receive, weak=False)
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(signals, "send", _sending(signals.send, canaries))
            patch.setattr(Flask, "__call__", _called(Flask.__call__))
            patch.setattr(SecureCookieSessionInterface, "save_session", _saved(SecureCookieSessionInterface))
            yield canaries
    finally:
        for signal in (signals.refused, signals.repaired):
            signal.disconnect(receive)
        _now.pop()
        _LIBRARY.__class__ = kind
        root.removeHandler(others)
        canaries.compare()


def _receiver(canaries: Canaries) -> Any:
    def receive(sender: object, **arguments: Any) -> None:
        for value in arguments.values():
            attributes = vars(value) if hasattr(value, "__dict__") else ""
            canaries.tell("signal", f"{value!r} {value} {attributes!r}")

    return receive


def _sending(send: Any, canaries: Canaries) -> Any:
    receive = _receiver(canaries)

    def watched(signal: Any, app: Any, **arguments: Any) -> None:
        if signal is signals.authenticated:
            receive(app, **arguments)
        send(signal, app, **arguments)

    return watched


def _saved(interface: type[SecureCookieSessionInterface]) -> Any:
    save = interface.save_session

    def watched(self: Any, app: Flask, session: Any, response: Any) -> None:
        _register_content(dict(session))
        save(self, app, session, response)
        for line in response.headers.getlist("Set-Cookie"):
            _register_cookie(line.partition("=")[2].partition(";")[0])

    return watched


def _register_cookie(value: str) -> None:
    """Remembers the value of a cookie, and the id and the secret in one that remembers a login."""
    parts = value.split(".") if _REMEMBERED.fullmatch(value) else []
    _now[-1].register(value, *parts[2:], cookie=True)


def _register_content(content: Any) -> None:
    """What a session keeps: each value, and the whole of it as programs print it. Who it is of isn't a secret."""
    if isinstance(content, Mapping):
        if content:
            register(repr(dict(content)), json.dumps(dict(content), default=str))
        for name, value in content.items():
            if name == "sid" and isinstance(value, str):  # The cookie of a remembered login names it, too.
                _now[-1].register(value, cookie=True)
            elif name not in ("subject", "realm", "acr", "iss"):
                _register_content(value)
    elif isinstance(content, str):
        register(content)


def _called(call: Any) -> Any:
    """`Flask.__call__`, which registers what a request carries, and searches its answer."""

    def watched(self: Flask, environ: dict[str, Any], start_response: Any) -> Any:
        canaries = _now[-1]
        _register_request(environ)
        canaries.register(self.secret_key or "")

        body = _Body(canaries)

        def start(status: str, headers: list[tuple[str, str]], *more: Any) -> Any:
            for name, value in headers:
                body.whole = body.whole or name.lower() == "content-length"
                where = "set-cookie" if name.lower() == "set-cookie" else "header"
                canaries.tell(where, f"{name}: {value}")
            return start_response(status, headers, *more)

        body.chunks = call(self, environ, start)
        return body

    return watched


class _Body:
    """The chunks of an answer. Streamed ones are searched when they are closed, others even if no test reads them."""

    whole = False
    chunks: Any

    def __init__(self, canaries: Canaries) -> None:
        self._canaries = canaries
        self._seen: list[bytes] = []

    def __iter__(self) -> Iterator[bytes]:
        if self.whole:
            chunks = tuple(self.chunks)
            self._seen += chunks
            self._search()
            yield from chunks
            return
        for chunk in self.chunks:
            self._seen.append(chunk)
            yield chunk
        self._search()

    def close(self) -> None:
        if hasattr(self.chunks, "close"):
            self.chunks.close()
        self._search()

    def _search(self) -> None:
        self._canaries.tell("body", b"".join(self._seen)[:1_000_000].decode("utf-8", "replace"))
        self._canaries.compare()


def _register_request(environ: Mapping[str, Any]) -> None:
    for name, value in environ.items():
        if isinstance(value, str) and name.startswith("HTTP_") and _FIELDS.fullmatch(name):
            _register_field(name, value)
    for name, value in parse_qsl(environ.get("QUERY_STRING", ""), encoding="latin-1"):
        if _PARAMETERS.search(name):
            register(value)


def _register_field(name: str, value: str) -> None:
    if name == "HTTP_COOKIE":
        for pair in value.split(";"):
            _register_cookie(pair.partition("=")[2].strip())
        return
    if name == "HTTP_DPOP" or not name.endswith("AUTHORIZATION"):
        register(value, *_parts_of_jws(value))
        return
    scheme, _, rest = value.strip(" \t").partition(" ")
    if not rest.strip(" \t"):  # a scheme alone holds no secret
        return
    register(value, rest, *_parts_of_jws(rest), *_TEXTS_OF_DIGEST.findall(value))
    if scheme.lower().endswith("basic"):
        try:
            text = base64.b64decode(rest, validate=True).decode("utf-8", "replace")
        except (binascii.Error, ValueError):
            return
        register(text, text.partition(":")[2])


def _parts_of_jws(token: str) -> tuple[str, ...]:
    """The payload and the signature; a header is the same in all tokens."""
    parts = token.split(".")
    return tuple(parts[1:]) if len(parts) == 3 and all(map(_OF_JWS.fullmatch, parts)) else ()

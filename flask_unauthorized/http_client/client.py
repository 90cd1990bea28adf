"""Fetching what the configuration names, over HTTPS: key sets, metadata, the state of a token.

Nothing is followed, decoded or trusted that wasn't asked for: no redirects, no compression, no proxies or passwords
from the environment, no certificate that doesn't check out; size and time have an end.
"""

import http.client
import os
import ssl
import time
import weakref
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Final, NamedTuple
from urllib.parse import urlencode, urlsplit

from ..errors import ConfigurationError
from .connection import EndlessError, LimitedHTTP, LimitedHTTPS

MAX_BYTES: Final = 512 * 1024
"""Longest answer that is read, in bytes."""
TIMEOUT: Final = 5.0
"""Longest time that a fetch may take from connecting to the last byte, in seconds."""
CONNECT_TIMEOUT: Final = 2.0
"""Longest time for a connection to one address, in seconds."""
MAX_TIMEOUT: Final = 60.0
"""Longest ``timeout`` that may be configured, in seconds."""

MAX_IDLE: Final = 30.0
"""Longest time that a connection waits for its next request, in seconds: later a firewall may have forgotten it."""

LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_HEADERS: Final = {"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": "flask_unauthorized"}
_NOT_SENT: Final = (ConnectionError, http.client.BadStatusLine, ssl.SSLError)
"""What an idle connection says that the server has closed meanwhile."""

Get = Callable[[str], bytes]
"""A fetch of your own: the body that a URL answers with 200. Whatever it raises counts as "it can't be had"."""


class FetchError(Exception):
    """It can't be had. The text names the URL without its query, and what went wrong; it holds no secret.

    ``status`` is what the server answered, ``None`` where it gave no whole answer.
    """

    def __init__(self, text: str, *, status: int | None = None) -> None:
        super().__init__(text)
        self.status = status


class Target(NamedTuple):
    """A URL that may be fetched, in parts."""

    secure: bool
    host: str
    port: int
    path: str  # with the query
    shown: str  # without it


class _Idle(NamedTuple):
    """A connection that waits for its next request."""

    pid: int
    server: tuple[bool, str, int]
    since: float
    connection: Any


class Fetcher:
    """Fetches over HTTPS/1.1; one may serve any number of threads, and outlives a fork.

    ``limit`` is the longest body in bytes, ``timeout`` the longest time in seconds for all of it (but the look-up of
    the name, which the system's resolver bounds). Certificates are checked against the system's authorities, or those
    in ``ca_file``; nothing switches that off. ``allow_http_loopback`` lets ``http://`` through to localhost,
    127.0.0.1 and [::1], for demos and tests. ``keep_alive`` connections stay open for the next request.
    """

    def __init__(
        self,
        *,
        limit: int = MAX_BYTES,
        timeout: float = TIMEOUT,
        ca_file: str | os.PathLike[str] | None = None,
        allow_http_loopback: bool = False,
        keep_alive: int = 0,
    ) -> None:
        if isinstance(limit, bool) or not isinstance(limit, int) or limit < 1:
            raise ConfigurationError(f"limit must be a whole number of bytes, not {limit!a}")
        self.limit = limit
        self.timeout = checked_time("timeout", timeout, MAX_TIMEOUT)
        self.allow_http_loopback = allow_http_loopback
        self._ca_file = _existing(ca_file)
        self._context: ssl.SSLContext | None = None
        self._keep_alive = keep_alive
        # Lists are appended to and popped from in one step: no lock is needed, and none can be held over a fork.
        self._idle: list[_Idle] = []
        weakref.finalize(self, _close_all, self._idle)

    def check(self, url: str) -> Target:
        """``url`` in parts; `ConfigurationError` for one that is never fetched."""
        return read_url(url, allow_http_loopback=self.allow_http_loopback)

    def get(self, url: str, *, end: float | None = None) -> bytes:
        """The body that ``url`` answers with; ``end`` (monotonic clock) may end it before ``timeout`` does.

        Raises `FetchError` for everything but a whole answer with status 200 that says something.
        """
        return self._fetch("GET", self.check(url), None, {}, end)

    def post(self, url: str, form: Mapping[str, str], headers: Mapping[str, str], *, end: float | None = None) -> bytes:
        """The body that ``url`` answers a form with. Raises `FetchError`, as `get` does.

        The form may be sent a second time where a connection that was kept alive turns out to be closed.
        """
        body = urlencode(form).encode("ascii")
        return self._fetch(
            "POST", self.check(url), body, {"Content-Type": "application/x-www-form-urlencoded", **headers}, end
        )

    def close(self) -> None:
        """Closes the connections that are kept alive."""
        _close_all(self._idle)

    # --- inside

    def _fetch(
        self, method: str, target: Target, body: bytes | None, headers: Mapping[str, str], end: float | None
    ) -> bytes:
        latest = time.monotonic() + self.timeout
        latest = latest if end is None else min(end, latest)
        try:
            return self._exchange(method, target, body, {**_HEADERS, **headers}, latest)
        except FetchError:
            raise
        except (OSError, http.client.HTTPException, ValueError) as trouble:
            # Its own text stays out: it may quote what the server sent.
            text = f"{method} {target.shown}: {_told(trouble)}"
        raise FetchError(text)

    def _exchange(
        self, method: str, target: Target, body: bytes | None, headers: Mapping[str, str], end: float
    ) -> bytes:
        connection = self._reused(target)
        if connection is not None:
            try:
                return self._ask(connection, method, target, body, headers, end)
            except _NOT_SENT:
                connection.close()
        return self._ask(self._connection(target), method, target, body, headers, end)

    def _ask(
        self, connection: Any, method: str, target: Target, body: bytes | None, headers: Mapping[str, str], end: float
    ) -> bytes:
        kept = False
        connection.begin(end, self.limit)
        try:
            connection.request(method, target.path, body, headers)
            with connection.getresponse() as response:
                content = _body(response, method, target, self.limit)
                kept = not response.will_close and len(self._idle) < self._keep_alive
        finally:
            if not kept:
                connection.close()
        if kept:
            self._keep(target, connection)
        return content

    def _keep(self, target: Target, connection: Any) -> None:
        now = time.monotonic()
        self._idle.append(_Idle(os.getpid(), target[:3], now, connection))
        with suppress(IndexError):  # another thread took the last one
            while now - self._idle[0].since > MAX_IDLE:
                self._idle.pop(0).connection.close()

    def _connection(self, target: Target) -> Any:
        if not target.secure:
            return LimitedHTTP(target.host, target.port, connect_timeout=CONNECT_TIMEOUT)
        if self._context is None:  # at the first fetch: reading all authorities takes longer than importing us
            self._context = ssl.create_default_context(cafile=self._ca_file)
        return LimitedHTTPS(target.host, target.port, context=self._context, connect_timeout=CONNECT_TIMEOUT)

    def _reused(self, target: Target) -> Any:
        """A connection that is open; one of the parent process belongs to the parent."""
        while self._idle:
            try:
                idle = self._idle.pop()
            except IndexError:  # another thread took the last one
                break
            fresh = time.monotonic() - idle.since <= MAX_IDLE
            if fresh and idle.pid == os.getpid() and idle.server == target[:3]:
                return idle.connection
            idle.connection.close()
        return None

    def __repr__(self) -> str:
        return f"<Fetcher {self.limit} bytes, {self.timeout:g} s>"


def fetch(
    url: str,
    *,
    limit: int = MAX_BYTES,
    timeout: float = TIMEOUT,
    ca_file: str | os.PathLike[str] | None = None,
    allow_http_loopback: bool = False,
) -> bytes:
    """The body that ``url`` answers with, once. Raises `FetchError`, or `ConfigurationError`; see `Fetcher`."""
    return Fetcher(limit=limit, timeout=timeout, ca_file=ca_file, allow_http_loopback=allow_http_loopback).get(url)


def read_url(url: str, *, allow_http_loopback: bool = False) -> Target:
    """``url`` in parts; `ConfigurationError` for what is no ``https://`` URL of a host (`TypeError` for no ``str``).

    Also without user, password, fragment and characters that a URL writes as ``%XX``. ``http://`` is for loopback
    only, and only where ``allow_http_loopback`` says so.
    """
    if not isinstance(url, str):
        raise TypeError(f"a URL must be a str, not {type(url).__name__}")
    if not url.isascii() or not url.isprintable() or any(character in url for character in ' "<>\\^`{|}'):
        raise ConfigurationError(f"URL {url!a} holds a character that must be written as %XX (host names: as xn--)")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise ConfigurationError(f"URL {url!a}: {error}") from None
    if "@" in parts.netloc:  # not shown: it may hold a password
        raise ConfigurationError(f"URL of {host!a} must not hold a user or password")
    if "#" in url or not host or port == 0:
        raise ConfigurationError(f"URL {url!a} must have a host, and no fragment")
    secure = parts.scheme == "https"
    if not secure and not (allow_http_loopback and parts.scheme == "http" and host in LOOPBACK):
        raise ConfigurationError(
            f"URL {url!a} must begin with https:// (allow_http_loopback=True lets http://localhost, "
            "http://127.0.0.1 and http://[::1] through, for demos and tests; for http:// in a network of your own give "
            "JWKS a fetch= or Introspection a post=: your callable decides about the URL)"
        )
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    shown = f"{parts.scheme}://{parts.netloc}{parts.path}"
    return Target(secure, host, port or (443 if secure else 80), path, shown)


def shown_url(url: str) -> str:
    """``url`` for the log: without a user, a password or a query, which may hold secrets."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "a URL that can't be read"
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}" if parts.netloc else parts.path


def checked_time(name: str, value: float, most: float, least: float = 0.0) -> float:
    """``value`` if it is a number of seconds above ``least`` and up to ``most``; else `TypeError` or a
    `ConfigurationError`."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"{name} must be a number of seconds, not {value!r}")
    if not least < value <= most:  # so for NaN too
        raise ConfigurationError(f"{name}={value}: use more than {least:g} and at most {most:g} seconds")
    return float(value)


def _existing(path: str | os.PathLike[str] | None) -> str | None:
    if path is not None and not os.path.isfile(path):
        raise ConfigurationError(f"ca_file={os.fspath(path)!a} is no file: give one with the authorities, as PEM")
    return None if path is None else os.fspath(path)


def _body(response: http.client.HTTPResponse, method: str, target: Target, limit: int) -> bytes:
    """The whole body of a good answer."""
    what = _wrong(response, limit)
    if what is not None:
        raise FetchError(f"{method} {target.shown}: {what}", status=response.status)
    content = b""
    while chunk := response.read1(65536):
        content += chunk
        if len(content) > limit:
            raise FetchError(f"{method} {target.shown}: more than {limit} bytes")
    if response.length:
        raise FetchError(f"{method} {target.shown}: the answer ended early")
    if not content:  # http.client sees an empty answer, too, where the head was cut
        raise FetchError(f"{method} {target.shown}: an empty answer", status=200)
    return content


def _wrong(response: http.client.HTTPResponse, limit: int) -> str | None:
    """What the head of an answer says that we don't take."""
    if response.status != 200:
        tail = ", and redirects are not followed" if 300 <= response.status < 400 else ""
        return f"answered {response.status}{tail}"
    if response.getheader("Content-Encoding", "identity").strip().lower() != "identity":
        return "the answer is compressed, which was not asked for"
    if response.getheader("Content-Type", "").lower().startswith("text/html"):
        return "answered with a page (text/html)"
    if response.length is not None and response.length > limit:
        return f"more than {limit} bytes"
    return None


def _told(trouble: Exception) -> str:
    """What went wrong, without a word of the server's."""
    if isinstance(trouble, ssl.SSLCertVerificationError):
        return f"the certificate is not accepted ({trouble.verify_message})"
    if isinstance(trouble, EndlessError):
        return "an answer without end"
    if isinstance(trouble, TimeoutError):
        return "timed out"
    if isinstance(trouble, OSError) and trouble.errno is not None and not isinstance(trouble, ssl.SSLError):
        return f"{type(trouble).__name__} ({trouble.strerror})"
    return type(trouble).__name__


def _close_all(idle: list[_Idle]) -> None:
    with suppress(IndexError):  # when none is left; other threads take some as well
        while True:
            idle.pop().connection.close()

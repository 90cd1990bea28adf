"""Fetch what the configuration names, over HTTPS: key sets, metadata, token introspection.

A `Fetcher` sends one GET or POST and returns the body, or raises `FetchError`. Order of steps for each fetch:

1. `read_url` checks the URL: ``https://`` only, no user, password or fragment. A URL that fails is a mistake of the
   configuration, so it is a `ConfigurationError` and no `FetchError`.
2. Take an idle connection to the same server, or open one (`LimitedConnection`). If an idle connection turns out to be
   closed, the request is sent once more over a new one.
3. Check status and header fields before the body is read. Only 200 counts, without compression, and not ``text/html``.
4. Read the body up to ``limit`` bytes. It must be complete and must not be empty.

Invariants:

- One deadline covers all steps. It doesn't restart for the second connection, nor for the proxy.
- Redirects are not followed, so a server can't direct a fetch to an address that the configuration doesn't name.
- The environment changes nothing: ``HTTPS_PROXY``, ``NO_PROXY`` and ``.netrc`` are not read. A proxy is an argument.
- The server's certificate is always checked for the name in the URL, behind a proxy as well. No option disables that.
- A connection that was made with one certificate of this app isn't used after that was replaced: see
  `client_certificate`.
- The text of a `FetchError` goes into logs. It holds the URL without its query, and nothing that a server or proxy sent
  except status codes. It holds no password of the proxy.
- No step takes a lock, because a fork could leave its copy locked in the child.

The extension has its own client because none of those that were tried bounds both time and size. `connection` has the
numbers.
"""

import base64
import http.client
import os
import re
import ssl
import time
import weakref
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Final, NamedTuple
from urllib.parse import SplitResult, unquote_to_bytes, urlencode, urlsplit

from ..arguments import validated_seconds
from ..errors import ConfigurationError
from .client_certificate import CertificateFiles, ClientCertificate
from .connection import LimitedConnection, Proxy, ProxyError, ResponseTooLargeError

MAX_BYTES: Final = 512 * 1024
"""Longest body that is read unless ``limit`` says otherwise, in bytes."""
TIMEOUT: Final = 5.0
"""Longest time that a fetch may take from connecting to the last byte, in seconds."""
CONNECT_TIMEOUT: Final = 2.0
"""Longest time for a connection to one address, in seconds."""
MIN_TIMEOUT: Final = 0.001
MAX_TIMEOUT: Final = 60.0
"""Shortest and longest ``timeout`` that may be configured, in seconds."""

MAX_IDLE: Final = 30.0
"""Longest time that a connection waits for its next request, in seconds. Firewalls may drop it after that."""

LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_HEADERS: Final = {"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": "flask_unauthorized"}
_STALE_CONNECTION: Final = (ConnectionError, http.client.BadStatusLine, ssl.SSLError)
"""What a request over an idle connection raises if the server has closed it in the meantime."""
_DEFAULT_PORTS: Final = {"https": 443, "http": 80}
_FORBIDDEN_IN_URL: Final = re.compile(r'[^\x21-\x7e]|["<>\\^`{|}]')

Get = Callable[[str], bytes]
"""A fetch of your own: takes a URL, returns the body of a response with status 200. Any exception is a failure."""


class FetchError(Exception):
    """The fetch failed. The text names the URL without its query, and the reason. It holds no secret.

    Args:
        text: The text.
        status: The status code of the response, or ``None`` if the server sent no complete response.
    """

    def __init__(self, text: str, *, status: int | None = None) -> None:
        super().__init__(text)
        self.status = status


class Target(NamedTuple):
    """The parts of a URL that may be fetched."""

    is_https: bool
    host: str  # without brackets
    port: int
    path: str  # with the query
    display_url: str  # without the query


class _Route(NamedTuple):
    """What two requests must have in common to share a connection."""

    host: str
    port: int
    proxy: Proxy | None
    context: ssl.SSLContext | None  # None for plain HTTP


class _IdleConnection(NamedTuple):
    """A connection that waits for its next request."""

    pid: int
    route: "_Route"
    since: float
    connection: LimitedConnection


class Fetcher:
    """Fetches over HTTPS/1.1. One may serve any number of threads, and works in child processes after a fork.

    Certificates are checked against the system's authorities, or those in ``ca_file``. No option disables that.

    Args:
        limit: Longest body, in bytes.
        timeout: Longest time for the whole fetch, in seconds. Only the look-up of a host name isn't covered, which the
            system's resolver bounds.
        ca_file: A PEM file with the certificate authorities to accept.
        allow_http_loopback: Accepts ``http://`` URLs of localhost, 127.0.0.1 and [::1], for demos and tests.
        keep_alive: How many connections stay open for the next request.
        proxy: ``"http://host:port"`` of a proxy for all ``https://`` URLs, or ``"http://user:password@host:port"``.
            ``http://`` URLs of this machine are fetched directly.
        certificate: The files of a certificate chain and its key in PEM, with which this app logs in by mutual TLS, and
            the password of an encrypted key. They are read again when they change.

    Raises:
        ConfigurationError: An argument has a value that can't be used.
        TypeError: An argument has another type.
    """

    def __init__(
        self,
        *,
        limit: int = MAX_BYTES,
        timeout: float = TIMEOUT,
        ca_file: str | os.PathLike[str] | None = None,
        allow_http_loopback: bool = False,
        keep_alive: int = 0,
        proxy: str | None = None,
        certificate: CertificateFiles | None = None,
    ) -> None:
        if isinstance(limit, bool) or not isinstance(limit, int) or limit < 1:
            raise ConfigurationError(f"limit must be a whole number of bytes, not {limit!a}")
        if ca_file is not None and not os.path.isfile(ca_file):
            raise ConfigurationError(f"ca_file={os.fspath(ca_file)!a} is not a file: give a PEM file of authorities")
        self.limit = limit
        self.timeout = validated_seconds("timeout", timeout, least=MIN_TIMEOUT, most=MAX_TIMEOUT)
        self.allow_http_loopback = allow_http_loopback
        self.proxy = None if proxy is None else read_proxy_url(proxy)
        self.certificate = None if certificate is None else ClientCertificate(certificate, ca_file)
        self._ca_file = ca_file
        self._context: ssl.SSLContext | None = None
        self._keep_alive = keep_alive
        # Appending to a list and popping from it are atomic, so no lock is needed.
        self._idle: list[_IdleConnection] = []
        weakref.finalize(self, _close_all, self._idle)

    def check(self, url: str) -> Target:
        """Return the parts of ``url``; see `read_url` for what it raises."""
        return read_url(url, allow_http_loopback=self.allow_http_loopback)

    def check_certified(self, url: str) -> None:
        """Raise `ConfigurationError` as `check` does, and for a certificate with a URL without TLS."""
        if not self.check(url).is_https and self.certificate is not None:
            raise ConfigurationError(f"URL {shown_url(url)!a} is without TLS, so certificate= has no use: use https://")

    def get(self, url: str, *, end: float | None = None) -> bytes:
        """Return the body of ``url``.

        Args:
            url: The URL.
            end: When the fetch ends at the latest (monotonic clock), if that is before ``timeout`` has passed.

        Raises:
            FetchError: Everything but a complete, non-empty response with status 200.
            ConfigurationError: The URL isn't allowed.
        """
        return self._fetch("GET", self.check(url), None, {}, end)

    def post(self, url: str, form: Mapping[str, str], headers: Mapping[str, str], *, end: float | None = None) -> bytes:
        """Send a form to ``url`` and return the body of the response.

        If an idle connection turns out to be closed, the form is sent a second time over a new one.

        Args:
            url: The URL.
            form: The fields, which are encoded as ``application/x-www-form-urlencoded``.
            headers: Further header fields.
            end: As with `get`.

        Raises:
            FetchError: As with `get`.
            ConfigurationError: The URL isn't allowed.
        """
        body = urlencode(form).encode("ascii")
        form_headers = {"Content-Type": "application/x-www-form-urlencoded", **headers}
        return self._fetch("POST", self.check(url), body, form_headers, end)

    def close(self) -> None:
        """Close the idle connections."""
        _close_all(self._idle)

    def _fetch(
        self, method: str, target: Target, body: bytes | None, headers: Mapping[str, str], end: float | None
    ) -> bytes:
        deadline = time.monotonic() + self.timeout
        if end is not None:
            deadline = min(deadline, end)
        headers = {**_HEADERS, **headers}
        try:
            route = self._route(target)
            connection = self._take_idle(route)
            if connection is not None:
                try:
                    return self._send(connection, route, method, target, body, headers, deadline)
                except _STALE_CONNECTION:
                    connection.close()
            return self._send(_connection(route), route, method, target, body, headers, deadline)
        except FetchError:
            raise
        except (OSError, http.client.HTTPException, ValueError) as error:
            text = f"{method} {target.display_url}: {self._describe(error, target)}"
        # It is raised here and not above, so that no error is chained whose text may quote what the server sent.
        raise FetchError(text)

    def _send(
        self,
        connection: LimitedConnection,
        route: _Route,
        method: str,
        target: Target,
        body: bytes | None,
        headers: Mapping[str, str],
        deadline: float,
    ) -> bytes:
        reusable = False
        connection.begin(deadline, self.limit)
        try:
            connection.request(method, target.path, body, headers)
            with connection.getresponse() as response:
                content = _read_body(response, method, target, self.limit)
                reusable = not response.will_close and len(self._idle) < self._keep_alive
        finally:
            if not reusable:
                connection.close()
        if reusable:
            self._add_idle(route, connection)
        return content

    def _tls_context(self) -> ssl.SSLContext:
        if self.certificate is not None:
            return self.certificate.context()
        if self._context is None:  # at the first fetch, because reading the system's authorities is slow
            self._context = ssl.create_default_context(cafile=self._ca_file)
        return self._context

    def _proxy_for(self, target: Target) -> Proxy | None:
        # Plain HTTP is for servers on this machine, which a proxy doesn't reach under their loopback address.
        return self.proxy if target.is_https else None

    def _route(self, target: Target) -> _Route:
        context = self._tls_context() if target.is_https else None
        return _Route(target.host, target.port, self._proxy_for(target), context)

    def _add_idle(self, route: _Route, connection: LimitedConnection) -> None:
        now = time.monotonic()
        self._idle.append(_IdleConnection(os.getpid(), route, now, connection))
        with suppress(IndexError):  # another thread took the last one
            while now - self._idle[0].since > MAX_IDLE:
                self._idle.pop(0).connection.close()

    def _take_idle(self, route: _Route) -> LimitedConnection | None:
        """Return an idle connection. Those that a child process inherited belong to its parent and are not used."""
        while self._idle:
            try:
                idle = self._idle.pop()
            except IndexError:  # another thread took the last one
                break
            is_fresh = time.monotonic() - idle.since <= MAX_IDLE
            if is_fresh and idle.pid == os.getpid() and idle.route == route:
                return idle.connection
            idle.connection.close()
        return None

    def _describe(self, error: Exception, target: Target) -> str:
        """Return why the fetch failed, without any word of the server or the proxy."""
        proxy = self._proxy_for(target)
        if proxy is None:
            return _describe_error(error)
        if not isinstance(error, ProxyError):
            return f"{_describe_error(error)} (through the proxy {proxy})"
        if error.status is None:
            cause = error.__cause__
            return f"the proxy {proxy}: {_describe_error(cause) if isinstance(cause, Exception) else 'no response'}"
        hint = ": check the user and password in proxy=" if error.status == 407 else ""
        return f"the proxy {proxy} responded to CONNECT with {error.status}{hint}"

    def __repr__(self) -> str:
        proxy = "" if self.proxy is None else f", proxy {self.proxy}"
        return f"<Fetcher {self.limit} bytes, {self.timeout:g} s{proxy}>"


def _connection(route: _Route) -> LimitedConnection:
    return LimitedConnection(
        route.host, route.port, connect_timeout=CONNECT_TIMEOUT, context=route.context, proxy=route.proxy
    )


def fetch(
    url: str,
    *,
    limit: int = MAX_BYTES,
    timeout: float = TIMEOUT,
    ca_file: str | os.PathLike[str] | None = None,
    allow_http_loopback: bool = False,
    proxy: str | None = None,
) -> bytes:
    """Return the body of ``url``, fetched once. The keywords are those of `Fetcher`.

    Raises:
        FetchError: Everything but a complete, non-empty response with status 200.
        ConfigurationError: The URL or another argument isn't allowed.
    """
    fetcher = Fetcher(
        limit=limit, timeout=timeout, ca_file=ca_file, allow_http_loopback=allow_http_loopback, proxy=proxy
    )
    return fetcher.get(url)


def read_url(url: str, *, allow_http_loopback: bool = False) -> Target:
    """Return the parts of a URL that may be fetched.

    Args:
        url: An ``https://`` URL with a host, without user, password and fragment. Characters outside of RFC 3986 must
            be written as ``%XX``.
        allow_http_loopback: Accepts ``http://`` URLs of localhost, 127.0.0.1 and [::1].

    Raises:
        ConfigurationError: The URL isn't allowed.
        TypeError: ``url`` isn't a ``str``.
    """
    if not isinstance(url, str):
        raise TypeError(f"a URL must be a str, not {type(url).__name__}")
    if _FORBIDDEN_IN_URL.search(url):
        raise ConfigurationError(
            f"URL {_without_secrets(url)} holds a character that must be written as %XX (host names: as xn--)"
        )
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise ConfigurationError(f"URL {_without_secrets(url)} has no valid host and port") from None
    if "@" in parts.netloc:  # not shown, because it may hold a password
        raise ConfigurationError(f"URL of {host!a} must not hold a user or password")
    if "#" in url or not host or port == 0:
        raise ConfigurationError(f"URL {shown_url(url)!a} must have a host, and no fragment")
    if not _is_allowed_scheme(parts, allow_http_loopback):
        raise ConfigurationError(
            f"URL {shown_url(url)!a} must begin with https:// (allow_http_loopback=True lets http://localhost, "
            "http://127.0.0.1 and http://[::1] through, for demos and tests; for http:// in a network of your own give "
            "JWKS a fetch= or Introspection a post=: your callable decides about the URL)"
        )
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Target(parts.scheme == "https", host, port or _DEFAULT_PORTS[parts.scheme], path, shown_url(url))


def _is_allowed_scheme(parts: SplitResult, allow_http_loopback: bool) -> bool:
    if parts.scheme == "http":
        return allow_http_loopback and parts.hostname in LOOPBACK
    return parts.scheme == "https"


def read_proxy_url(url: str) -> Proxy:
    """Return the proxy at ``url``.

    Args:
        url: ``http://host:port`` or ``http://user:password@host:port``. The default port is 80. Special characters of
            user and password are percent-encoded; they are sent as ``Proxy-Authorization: Basic`` (RFC 7617).

    Raises:
        ConfigurationError: It isn't such a URL. The text never holds the user and the password.
        TypeError: ``url`` isn't a ``str``.
    """
    if not isinstance(url, str):
        raise TypeError(f"proxy must be a str, not {type(url).__name__}")
    shown = f"proxy={_without_secrets(url)}"
    form = "write 'http://host:port' or 'http://user:password@host:port', with special characters as %XX"
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise ConfigurationError(f"{shown} is not a URL: {form}") from None
    if parts.scheme == "https":
        raise ConfigurationError(
            f"{shown} asks for TLS to the proxy, which is not supported: {form}. Fetches still use TLS from end to end"
        )
    rest = url.partition("://")[2].removeprefix(parts.netloc)
    if parts.scheme != "http" or not host or port == 0 or rest not in ("", "/") or _FORBIDDEN_IN_URL.search(url):
        raise ConfigurationError(f"{shown} is not a URL of an HTTP proxy: {form}")
    return Proxy(host, port or 80, _basic_credentials(parts.netloc))


def _without_secrets(url: str) -> str:
    """Return a URL that can't be parsed for an error. Where the password in it ends is unknown, so nothing is shown."""
    return "(not shown, because it may hold a password)" if "@" in url else ascii(url)


def _basic_credentials(netloc: str) -> str | None:
    """Return the value of ``Proxy-Authorization`` for the user and password in ``netloc`` (RFC 7617 §2)."""
    userinfo, at_sign, _ = netloc.rpartition("@")
    if not at_sign:
        return None
    user, _, password = userinfo.partition(":")
    user_octets, password_octets = unquote_to_bytes(user), unquote_to_bytes(password)
    if b":" in user_octets or any(octet < 32 or octet == 127 for octet in user_octets + password_octets):
        raise ConfigurationError("proxy= has a user with a colon, or a control character: RFC 7617 allows neither")
    return "Basic " + base64.b64encode(user_octets + b":" + password_octets).decode("ascii")


def shown_url(url: str) -> str:
    """Return ``url`` for the log: without user, password and query, which may hold secrets."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "a URL that can't be read"
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}" if parts.netloc else parts.path


def _read_body(response: http.client.HTTPResponse, method: str, target: Target, limit: int) -> bytes:
    """Return the complete body of an acceptable response, else raise `FetchError`."""
    what = f"{method} {target.display_url}"
    problem = _problem_with_head(response, limit)
    if problem is not None:
        raise FetchError(f"{what}: {problem}", status=response.status)
    content = b""
    while chunk := response.read1(65536):
        content += chunk
        if len(content) > limit:
            raise FetchError(f"{what}: more than {limit} bytes")
    if response.length:
        raise FetchError(f"{what}: the response ended early")
    if not content:  # also a head that was cut off, which http.client takes for an empty response
        raise FetchError(f"{what}: an empty response", status=200)
    return content


def _problem_with_head(response: http.client.HTTPResponse, limit: int) -> str | None:
    """Return why a response isn't acceptable, judged by its status and header fields."""
    if response.status != 200:
        is_redirect = 300 <= response.status < 400
        return f"responded with {response.status}{', and redirects are not followed' if is_redirect else ''}"
    if response.getheader("Content-Encoding", "identity").strip().lower() != "identity":
        return "the response is compressed, which was not asked for"
    if response.getheader("Content-Type", "").lower().startswith("text/html"):
        return "responded with a page (text/html)"
    if response.length is not None and response.length > limit:
        return f"more than {limit} bytes"
    return None


def _describe_error(error: Exception) -> str:
    """Return what went wrong, without the text of an exception that may quote a server."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the certificate is not accepted ({error.verify_message})"
    if isinstance(error, ssl.SSLError) and "_ALERT_" in (error.reason or ""):
        # The name of the alert (RFC 8446 §6.2) is a constant of OpenSSL.
        return f"the server ended TLS with {error.reason}: it may demand another client certificate, see certificate="
    if isinstance(error, ResponseTooLargeError):
        return "the response is too large"
    if isinstance(error, TimeoutError):
        return "timed out"
    if isinstance(error, OSError) and error.errno is not None and not isinstance(error, ssl.SSLError):
        return f"{type(error).__name__} ({error.strerror})"
    return type(error).__name__


def _close_all(idle: list[_IdleConnection]) -> None:
    with suppress(IndexError):  # until the list is empty; other threads may take connections as well
        while True:
            idle.pop().connection.close()

"""`IntrospectionEndpoint`: one request to the authorization server about one token (RFC 7662 §2).

Theory of operation
-------------------

Each failure becomes an `AuthUnavailable` (503). What it means for the *next* token depends on whether the server
responded at all:

- **Silence** (no connection, a timeout): the server is down. After `FREE_FAILURES` in a row it isn't asked for a while,
  so that requests don't pile up behind its timeout.
- **A response that can't be used** (another status, no JSON): the server is up, and the next token is asked about.
  Otherwise anyone could lock out all users by sending tokens that the server responds to with an error.
- **Unknown**, if a ``post=`` of the app raised something that doesn't tell: only this token fails.

At most ``max_concurrent`` requests are under way; more are 503 at once, so a slow server can't hold all threads. The
count belongs to one process: after a fork it begins at zero, since the parent's requests never end in the child.
Texts of exceptions that other code raised are not logged, because they may hold the token or the client's secret.
"""

import functools
import os
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from ..errors import AuthUnavailable
from ..http_client.client import Fetcher, FetchError, shown_url
from ..locks import renew_after_fork
from ..wire.jws import JOSEError, read_json_object
from .backoff import Backoff
from .client_authentication import Credentials
from .discovery import discover, member_url, with_mtls_aliases

FREE_FAILURES: Final = 2
"""Failures in a row to connect or to hear anything, after which the endpoint is left alone for a while."""
LONGEST_PAUSE: Final = 10.0
"""Longest such while, in seconds."""
DISCOVER_EVERY: Final = 86_400.0
"""Age at which the issuer's metadata is read again, in seconds."""
REDISCOVER_AFTER: Final = 30.0
"""Age from which it is read again because the endpoint fails, in seconds."""

REJECTED_LOGIN: Final = (
    ". The server rejects how this app logs in (RFC 7662 section 2.3): compare client_auth= with its registration there"
)
"""What the status 401 means, for the log."""

Post = Callable[[str, Mapping[str, str], Mapping[str, str]], bytes]
"""A callable of your own that posts: URL, form, headers in; the body of a response with status 200 out. Whatever it
raises is a 503 for the client.

An `OSError` (`ConnectionError`, `TimeoutError`) counts as silence of the server, which is then left alone for a while.
`IntrospectionRefused`, or an exception that has the status of a response, means that the server does respond.
"""


class IntrospectionRefused(Exception):
    """Raise it in your ``post=`` if the server responds with another status than 200.

    The client gets 503, and the server is asked about the next token as before. Otherwise callers could lock out all
    others by sending tokens that the server rejects. The exception's text isn't logged, because it may hold the token.
    """


class IntrospectionEndpoint:
    """The endpoint at ``url``, or the one that the metadata of ``issuer`` names, which is read with the first token."""

    def __init__(
        self,
        url: str | None,
        *,
        issuer: str | None,
        credentials: Credentials,
        fetcher: Fetcher,
        post: Post | None,
        max_concurrent: int,
    ) -> None:
        self.url = url
        self.name = f"introspection at {shown_url(url or issuer or '')}"
        self.clock = time.monotonic
        self._issuer = issuer
        self._credentials = credentials
        self._fetcher = fetcher
        self._post = post
        self._max_concurrent = max_concurrent
        self._busy = 0
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._discovered_at = float("-inf")
        self._silence = Backoff(self.name, longest=LONGEST_PAUSE, free=FREE_FAILURES)
        self._bad_responses = Backoff(self.name, longest=0)  # for its warnings only: it never pauses
        renew_after_fork(self)

    def ask(self, token: str) -> Mapping[str, Any]:
        """Return the members of the server's response about ``token``. Raises `AuthUnavailable` if there is none."""
        self._enter()
        responded: bool | None
        try:
            response = read_json_object(self._send(token))
        except FetchError as error:
            text, responded = str(error), error.status is not None
            if error.status == 401:
                text += REJECTED_LOGIN
        except JOSEError as error:
            text, responded = f"the response is not a JSON object ({error})", True
        except Exception as error:  # what the app gave us may raise anything, and the text may hold anything
            text, responded = f"{type(error).__name__} while asking", _has_responded(error)
        else:
            with self._lock:
                self._silence.record_success()
            return response
        finally:
            self._leave()
        raise self._failure(text, responded)

    def record_bad_response(self, error: AuthUnavailable) -> None:
        """Log a response that is JSON, but not one of RFC 7662."""
        with self._lock:
            self._bad_responses.record_failure(self.clock(), error.reason or "", "503")

    def _send(self, token: str) -> bytes:
        form = {"token": token, "token_type_hint": "access_token"}
        headers: dict[str, str] = {}
        end = time.monotonic() + self._fetcher.timeout
        self._credentials(form, headers)
        url = self._place(end)
        if self._post is not None:
            return self._post(url, form, headers)
        return self._fetcher.post(url, form, headers, end=end)

    def _place(self, end: float) -> str:
        now = self.clock()
        if self._issuer is not None and (self.url is None or now - self._discovered_at >= DISCOVER_EVERY):
            metadata = discover(self._issuer, functools.partial(self._fetcher.get, end=end))
            if self._fetcher.certificate is not None:
                metadata = with_mtls_aliases(metadata)
            self.url = member_url(
                metadata, "introspection_endpoint", allow_http_loopback=self._fetcher.allow_http_loopback
            )
            self._discovered_at = now
        assert self.url is not None
        return self.url

    def _enter(self) -> None:
        with self._lock:
            now = self.clock()
            if self._silence.wait(now):
                raise self._silence.unavailable(now)
            if self._pid != os.getpid():  # a fork: those under way are the parent's
                self._pid, self._busy = os.getpid(), 0
            if self._busy >= self._max_concurrent:
                raise AuthUnavailable(
                    reason=f"{self.name}: {self._max_concurrent} tokens are being asked about, and "
                    f"max_concurrent={self._max_concurrent}",
                    retry_after=1,
                )
            self._busy += 1

    def _leave(self) -> None:
        with self._lock:
            self._busy = max(0, self._busy - 1)

    def _failure(self, text: str, responded: bool | None) -> AuthUnavailable:
        """Return the 503 for one token. Only silence, ``responded=False``, counts against the next token."""
        with self._lock:
            now = self.clock()
            if self._issuer is not None and now - self._discovered_at >= REDISCOVER_AFTER:
                self.url = None  # it may have moved
            if responded is False:
                self._silence.record_failure(now, text, "503")
                return self._silence.unavailable(now)
            if responded:
                self._silence.record_success()
            self._bad_responses.record_failure(now, text, "503")
            return AuthUnavailable(reason=f"{self.name}: {text}")


def _has_responded(error: Exception) -> bool | None:
    """Return whether the server responded before a callable of the app raised ``error``; ``None`` if unknown.

    The exceptions of requests and httpx have the ``response``, those of urllib the ``code``.
    """
    if isinstance(error, IntrospectionRefused):
        return True
    response = getattr(error, "response", None)
    status = getattr(error, "code", None) if response is None else getattr(response, "status_code", None)
    if isinstance(status, int) and 100 <= status <= 599:
        return True
    return False if isinstance(error, OSError) else None

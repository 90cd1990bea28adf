"""`JWKS`: the keys that an authorization server publishes (RFC 7517 §5), fetched when needed and kept up to date.

Theory of operation
-------------------

`JWT` asks for the keys of each token, so a look-up in a fresh set takes no lock and no time. The age of the set decides
what else happens:

=========================  ==================================================================================
below ``cache``            the set is used
up to twice ``cache``      it is used, and a thread in the background fetches a new one
up to ``max_stale``        requests wait for the fetch; while the server is known to be down, the set is used
beyond, or without a set   requests wait for the fetch; if it fails, `AuthUnavailable` (503)
=========================  ==================================================================================

A token whose key id is unknown, or that no known key signed, may have been signed by a new key. Anyone can send such a
token, so it causes an *early* fetch only within a budget: `EARLY_FETCHES` in `EARLY_PERIOD` seconds, for all tokens
together. Beyond the budget an unknown key id is 503 and not 401, since its key may be new. A wrong signature under a
known key id is 401, since it is most probably forged.

Invariants:

1. At most one fetch is under way in a process. Other requests wait for it, and only so many that they can't block all
   threads of the server (`MAX_WAITING`, `MAX_WAITING_FIRST`); the next ones get 503.
2. A token is called invalid for its key id only after a look at a set that is newer than the token's first look-up, or
   if the key id was seen to be withdrawn.
3. A set without a usable key replaces nothing.
4. A fetch that never ends (its thread did not start, or hangs in the resolver) is abandoned after the timeout and
   `LOST_AFTER` seconds. A fetch of the parent process doesn't count in a fork, whose copy of the thread doesn't exist.
5. Everything below "under the lock" is called with the lock; no fetch and no waiting ever is.

Why it isn't simpler: a dictionary with a time to live makes every request wait while it is renewed, fails all users
when the server is down for a second, and lets anyone make the app fetch by inventing key ids.
"""

import os
import threading
import time
from collections import deque
from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Final, NamedTuple, TypedDict

from ..arguments import explains_arguments, validated_seconds
from ..errors import AuthUnavailable, ConfigurationError
from ..http_client.client import TIMEOUT, Fetcher, FetchError, Get, shown_url
from ..http_client.client_certificate import CertificateFiles
from ..jose import Key, select_keys
from ..jose.key_sets import MAX_KEYS, KeySet
from ..locks import renew_after_fork
from ..wire.jws import JOSEError
from .backoff import Backoff
from .discovery import check_issuer
from .jwks_source import KeySetSource

if TYPE_CHECKING:
    from typing_extensions import Unpack

DEFAULT_CACHE: Final = 300.0
"""Age at which keys are fetched again, in seconds. From twice that age on, requests wait for it."""
MIN_CACHE: Final = 30
MAX_CACHE: Final = 7 * 86_400
"""Shortest and longest ``cache``, in seconds."""
DEFAULT_MAX_STALE: Final = 86_400.0
"""Age up to which keys are used while their server is down, in seconds."""
MAX_STALE_LIMIT: Final = 30 * 86_400
"""Longest ``max_stale``, in seconds."""
EARLY_FETCHES: Final = 5
"""Most fetches in `EARLY_PERIOD` because of a key id that isn't known, or a signature by none of the known keys."""
EARLY_PERIOD: Final = 60.0
"""In seconds."""
LONGEST_PAUSE: Final = 60.0
"""Longest time between two attempts while the server is down, in seconds."""
MAX_WAITING: Final = 8
"""Most requests that wait for an early fetch."""
MAX_WAITING_FIRST: Final = 64
"""Most requests that wait for a fetch while there are no keys at all."""
LOST_AFTER: Final = 5.0
"""Seconds after its timeout when a fetch is abandoned."""


class Options(TypedDict, total=False):
    """The keywords of `JWKS`."""

    cache: float | timedelta
    max_stale: float | timedelta
    timeout: float
    ca_file: str | os.PathLike[str] | None
    allow_http_loopback: bool
    proxy: str | None
    certificate: CertificateFiles | None
    fetch: Get | None


class JWKS:
    """The key set at a URL, for ``JWT(…, keys=…)``.

    Nothing is fetched before the first token comes, so an app starts while its key server is down. While the server is
    down, the last keys stay in use until they are ``max_stale`` old; after that, or if none were ever fetched, tokens
    are `AuthUnavailable` (503). A response without a usable key changes nothing. One object serves all threads of a
    process; each process fetches for itself.

    Example:
        Fetch keys from an address that the issuer's metadata doesn't name::

            from flask_unauthorized.loaders.jwks import JWKS
            from flask_unauthorized.loaders.jwt import JWT

            keys = JWKS("https://keys.example.com/jwks.json", cache=600)
            tokens = JWT("https://id.example.com", audience="notes", keys=keys)

    Args:
        url: Where the keys are.
        cache: How long a key set is used before a new one is fetched in the background: 30 seconds to 7 days, as
            seconds or a `timedelta`. Unknown key ids and wrong signatures cause an earlier fetch, at most five times a
            minute.
        max_stale: How long keys are used while their server is down, as seconds or a `timedelta`: at least twice
            ``cache``, at most 30 days.
        timeout: Longest time for one fetch, in seconds.
        ca_file: A file of certificate authorities in PEM, in place of the system's.
        allow_http_loopback: Whether ``http://localhost`` is allowed, for demos and tests.
        proxy: The URL of an HTTP proxy for ``https://`` URLs, ``"http://proxy.example:3128"`` or
            ``"http://user:password@proxy.example:3128"``. It isn't taken from the environment.
        certificate: The certificate of this app for mutual TLS, for servers that demand one: the files of the chain and
            of the private key in PEM, and the password of an encrypted key. They are read again when they change.
        fetch: Your own callable in place of the HTTP client. It gets the URL and returns the body, and has to limit
            time and size itself. It decides which URLs are allowed (``http://keycloak:8080/…``).

    Raises:
        ConfigurationError: A value is out of range, or the URL is not one that is fetched.
        TypeError: A value has the wrong type.
    """

    @explains_arguments(url='write JWKS("https://id.example.com/keys"), or JWKS.of_issuer("https://id.example.com")')
    def __init__(
        self,
        url: str,
        *,
        cache: float | timedelta = DEFAULT_CACHE,
        max_stale: float | timedelta = DEFAULT_MAX_STALE,
        timeout: float = TIMEOUT,
        ca_file: str | os.PathLike[str] | None = None,
        allow_http_loopback: bool = False,
        proxy: str | None = None,
        certificate: CertificateFiles | None = None,
        fetch: Get | None = None,
    ) -> None:
        if fetch is not None and not callable(fetch):
            raise TypeError(f"fetch must be a callable, URL in and body out, not {type(fetch).__name__}")
        for name, value in (("proxy", proxy), ("certificate", certificate)):
            if fetch is not None and value is not None:
                raise ConfigurationError(f"JWKS has {name}= and fetch=, which fetches by itself: give one of them")
        self._fetcher = Fetcher(
            timeout=timeout,
            ca_file=ca_file,
            allow_http_loopback=allow_http_loopback,
            proxy=proxy,
            certificate=certificate,
        )
        if fetch is None:
            self._fetcher.check_certified(url)
        elif not isinstance(url, str):
            raise TypeError(f"a URL must be a str, not {type(url).__name__}")
        self._source = KeySetSource(url, fetcher=self._fetcher, fetch=fetch)
        self.cache = validated_seconds("cache", cache, least=MIN_CACHE, most=MAX_CACHE)
        self.max_stale = validated_seconds("max_stale", max_stale, most=MAX_STALE_LIMIT)
        if self.max_stale < 2 * self.cache:
            raise ConfigurationError(f"max_stale={self.max_stale:g}: use at least twice cache={self.cache:g}")
        self._clock = time.monotonic
        self._lock = threading.Lock()
        self._current: _FetchedKeys | None = None
        self._under_way: _Fetch | None = None
        self._early: deque[float] = deque(maxlen=EARLY_FETCHES)  # when the last early fetches began
        self._withdrawn: dict[str, None] = {}  # the last key ids that the issuer has withdrawn
        self._threads_run = True  # not so under uWSGI without --enable-threads: then requests fetch for themselves
        self._backoff = Backoff(self._source.name, longest=LONGEST_PAUSE)
        renew_after_fork(self)

    @classmethod
    def of_issuer(cls, issuer: str, **options: "Unpack[Options]") -> "JWKS":
        """Find the keys by the metadata of their issuer (RFC 8414, OpenID Connect Discovery).

        Args:
            issuer: The exact ``issuer`` in the metadata.
            **options: Those of the class.

        Raises:
            ConfigurationError: ``issuer`` is not an ``https://`` URL without query and fragment.
        """
        if options.get("fetch") is None:
            check_issuer(issuer, allow_http_loopback=options.get("allow_http_loopback", False))
        keys = cls(issuer, **options)
        keys._source.issuer = issuer
        return keys

    @property
    def url(self) -> str:
        """Where the keys are; for an issuer, where they were when they were fetched last."""
        return self._source.url

    @property
    def issuer(self) -> str | None:
        """The issuer whose metadata names the URL, or ``None``."""
        return self._source.issuer

    # --- what `JWT` uses

    def candidates(self, kid: str | None, algorithm: str) -> Sequence[Key]:
        """Return the keys that may have signed: by key id, or without one the first few for ``algorithm``.

        Empty if there is none, so that the token is invalid. Raises `AuthUnavailable` if that can't be known.
        """
        known = self._current
        keys = self._keys_in_force()
        found = _matching(keys, kid, algorithm)
        if found is None and self._current is known:  # else they were fetched just now
            found = _matching(self._keys_after_early_fetch(known, kid), kid, algorithm)
        return found or ()

    def newer(self, kid: str | None, algorithm: str, tried: Sequence[Key]) -> Sequence[Key]:
        """Return newer keys for a token that none of ``tried`` signed: their key id may be that of a new key now.

        Costs an early fetch. Empty if the budget is used up or the server is down, because the signature is most
        probably forged. Raises `AuthUnavailable` if a fetch is under way that this request may not wait for.
        """
        known = self._current
        found = _untried(known, kid, algorithm, tried)
        if found:
            return found  # another request fetched them meanwhile
        if known is None or (not tried and _matching(known.keys, kid, algorithm) is None):
            return ()  # no key has that key id: `candidates` has looked for it
        fetch = self._fetch_or_wait(MAX_WAITING, known, early=True)
        if fetch is not None and not fetch.done.is_set():
            raise self._backoff.unavailable(self._clock())
        return _untried(self._current, kid, algorithm, tried)

    @property
    def kids(self) -> tuple[str | None, ...]:
        """The key ids of the last set, for the log."""
        current = self._current
        return () if current is None else tuple(key.kid for key in current.keys)

    # --- deciding whether to fetch

    def _keys_in_force(self) -> tuple[Key, ...]:
        """Return the keys in force. Wait for them only if they are missing or much too old."""
        current, now = self._current, self._clock()
        if current is not None and now - current.at < self.cache:
            return current.keys
        age = float("inf") if current is None else now - current.at
        if age > self.max_stale:
            with self._lock:
                if self._current is current:
                    self._current = None
            self._fetch_or_wait(MAX_WAITING_FIRST, None)
        elif age >= 2 * self.cache and not self._backoff.failures:
            self._fetch_or_wait(MAX_WAITING_FIRST, current)
        else:
            self._refresh_in_background(current)
        current = self._current
        if current is None:
            raise self._backoff.unavailable(self._clock())
        return current.keys

    def _keys_after_early_fetch(self, known: "_FetchedKeys | None", kid: str | None) -> tuple[Key, ...]:
        """Return the keys after a fetch for an id that isn't in ``known``. Raise `AuthUnavailable` without a fetch."""
        fetch = self._fetch_or_wait(MAX_WAITING, known, early=True)
        current = self._current
        if current is not known and current is not None:
            return current.keys
        if self._backoff.failures or (fetch is not None and not fetch.done.is_set()):
            raise self._backoff.unavailable(self._clock())
        if fetch is None and kid not in self._withdrawn:
            # The budget is used up. Callers who invent key ids must not make the token of a new key look invalid.
            what = "no key serves the algorithm" if kid is None else f"no key has kid {kid[:60]!a}"
            raise AuthUnavailable(
                reason=f"{self._source.name}: {what}, "
                f"and {EARLY_FETCHES} early fetches in {EARLY_PERIOD:g} s were made",
                retry_after=max(1.0, self._early_wait(self._clock())),
            )
        return () if current is None else current.keys

    def _fetch_or_wait(self, most: int, known: "_FetchedKeys | None", *, early: bool = False) -> "_Fetch | None":
        """Wait for the fetch under way, or fetch if that is due. Return ``None`` if neither is.

        No fetch is made either if another request has stored a newer set than ``known``.
        """
        with self._lock:
            fetch = self._fetch_under_way()
            mine = fetch is None and self._current is known and self._is_due(early)
            if mine:
                fetch = self._under_way = _Fetch(self._clock())
                if early:
                    self._early.append(fetch.begun)
            elif fetch is not None:
                if fetch.waiting >= most:
                    return fetch
                fetch.waiting += 1
        if fetch is None:
            return None
        if mine:
            self._run(fetch)
        else:
            fetch.done.wait(self._fetcher.timeout + LOST_AFTER)
        return fetch

    def _refresh_in_background(self, known: "_FetchedKeys | None") -> None:
        """Begins a fetch in a thread of its own, if one is due and none is under way."""
        if not self._threads_run:
            self._fetch_or_wait(0, known)
            return
        with self._lock:
            if self._fetch_under_way() is not None or self._current is not known or not self._is_due(False):
                return
            fetch = self._under_way = _Fetch(self._clock())
        try:
            threading.Thread(target=self._run, args=(fetch,), name="flask_unauthorized JWKS", daemon=True).start()
        except RuntimeError:  # no more threads, or the interpreter ends
            self._finish(fetch, None, "no thread could be started")

    # --- under the lock

    def _fetch_under_way(self) -> "_Fetch | None":
        """Return the fetch under way. A fetch of the parent process doesn't count, nor one that is lost."""
        fetch = self._under_way
        if fetch is None or fetch.pid != os.getpid():
            return None
        if self._clock() - fetch.begun > self._fetcher.timeout + LOST_AFTER:
            self._under_way = None
            self._threads_run = fetch.running
            fetch.done.set()
            self._record_failure("a fetch never came to an end")
            return None
        return fetch

    def _is_due(self, early: bool) -> bool:
        now = self._clock()
        if self._backoff.failures:
            return self._backoff.wait(now) == 0
        return not early or self._early_wait(now) == 0

    def _early_wait(self, now: float) -> float:
        """Seconds until the budget allows the next early fetch; 0 for now."""
        early = self._early
        return max(0.0, early[0] + EARLY_PERIOD - now) if len(early) == EARLY_FETCHES else 0.0

    def _record_failure(self, text: str) -> None:
        now, current = self._clock(), self._current
        consequence = "no keys: 503" if current is None else f"the keys of {now - current.at:.0f} s ago serve"
        self._backoff.record_failure(now, text, consequence)

    # --- fetching

    def _run(self, fetch: "_Fetch") -> None:
        fetch.running = True
        found: KeySet | None = None
        text = "interrupted"
        try:
            found = self._source.read(self._clock())
        except (FetchError, JOSEError) as error:
            text = str(error)
        except Exception as error:  # a fetch of the user's may raise anything, and its text may hold anything
            text = f"fetch raised {type(error).__name__}"
        finally:
            self._finish(fetch, found, text)

    def _finish(self, fetch: "_Fetch", found: KeySet | None, text: str) -> None:
        with self._lock:
            if self._under_way is not fetch:
                pass  # it was abandoned
            elif found is None:
                self._under_way = None
                self._source.forget_url()
                self._record_failure(text)
            else:
                self._under_way = None
                kids = {key.kid for key in found.keys}
                before = () if self._current is None else self._current.keys
                withdrawn = [*dict.fromkeys((*self._withdrawn, *(key.kid for key in before if key.kid is not None)))]
                self._withdrawn = {kid: None for kid in withdrawn[-MAX_KEYS:] if kid not in kids}
                self._current = _FetchedKeys(found.keys, self._clock())
                self._backoff.record_success()
        fetch.done.set()

    def __repr__(self) -> str:
        return f"<JWKS {shown_url(self.url)}>" if self._source.issuer is None else f"<JWKS of {self.issuer}>"


class _FetchedKeys(NamedTuple):
    """The keys of the last usable set, and when they came, by the clock of `JWKS`."""

    keys: tuple[Key, ...]
    at: float


class _Fetch:
    """One fetch under way."""

    __slots__ = ("begun", "done", "pid", "running", "waiting")

    def __init__(self, begun: float) -> None:
        self.begun = begun
        self.done = threading.Event()
        self.pid = os.getpid()
        self.running = False
        self.waiting = 0


def _matching(keys: tuple[Key, ...], kid: str | None, algorithm: str) -> Sequence[Key] | None:
    """Return the keys that fit; ``None`` if none does, but newer keys might."""
    found = select_keys(keys, kid, algorithm)
    if found:
        return found
    known = any(algorithm in key.algorithms if kid is None else key.kid == kid for key in keys)
    return () if known else None


def _untried(current: _FetchedKeys | None, kid: str | None, algorithm: str, tried: Sequence[Key]) -> Sequence[Key]:
    return () if current is None else [key for key in select_keys(current.keys, kid, algorithm) if key not in tried]

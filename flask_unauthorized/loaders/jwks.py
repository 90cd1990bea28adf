"""`JWKS`: the keys that an authorization server publishes (RFC 7517 §5), fetched when needed and kept up to date."""

import functools
import logging
import os
import threading
import time
from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, NamedTuple, TypedDict

from ..errors import AuthUnavailable, ConfigurationError
from ..http_client.client import TIMEOUT, Fetcher, FetchError, Get, checked_time, shown_url
from ..jose.keys import MAX_KEYS, Key, KeySet, parse_key_set, select_keys
from ..stores.locks import renew_after_fork
from ..wire.jws import JOSEError
from .backoff import Outage
from .discovery import check_issuer, discover, member_url

if TYPE_CHECKING:
    from typing_extensions import Unpack

REFRESH_AFTER: Final = 300.0
"""Age at which keys are fetched anew, in seconds; from twice that on, requests wait for it."""
MAX_STALE: Final = 86_400.0
"""Age up to which keys are used while their server is down, in seconds."""
EARLY_FETCHES: Final = 5
"""Most fetches in `EARLY_PERIOD` because of a key id that isn't known, or a signature by none of the known keys."""
EARLY_PERIOD: Final = 60.0
"""In seconds."""
LONGEST_PAUSE: Final = 60.0
"""Longest time between two attempts while the server is down, in seconds."""
DISCOVER_EVERY: Final = 86_400.0
"""Age at which the issuer's metadata is read anew, in seconds."""
MAX_WAITING: Final = 8
"""Most requests that wait for an early fetch."""
MAX_WAITING_FIRST: Final = 64
"""Most requests that wait for a fetch while there are no keys at all."""
_LOST: Final = 5.0
"""A fetch is given up this long after its time, in seconds: its thread never ran, or hangs in the resolver."""

log: Final = logging.getLogger("flask_unauthorized")


class Options(TypedDict, total=False):
    """The keywords of `JWKS`."""

    refresh_after: float
    max_stale: float
    timeout: float
    ca_file: str | os.PathLike[str] | None
    allow_http_loopback: bool
    proxy: str | None
    fetch: Get | None


class JWKS:
    """The key set at ``url``, for `JWT`. Nothing is fetched before the first token comes, so an app starts without.

    Keys are fetched anew in the background after ``refresh_after`` seconds, and early where a token names a key that
    isn't known, or none of the known keys signed it: at most five times a minute, whatever is sent. When that budget is
    used up, a token that names an unknown key is `AuthUnavailable` (503), since its key may be new; tokens of known
    keys are judged as ever.

    While the server is down the last keys stay in use until they are ``max_stale`` seconds old. After that, or if none
    were ever fetched, tokens are `AuthUnavailable` (503). An answer without a usable key changes nothing. ``timeout``,
    ``ca_file`` and ``allow_http_loopback`` are those of `Fetcher`. ``fetch`` takes its place: your callable gets the
    URL and returns the body. It has to limit time and size itself, and decides alone which URLs are allowed
    (``http://keycloak:8080/…``).

    ``proxy`` is the URL of an HTTP proxy for ``https://`` URLs, ``"http://proxy.example:3128"`` or
    ``"http://user:password@proxy.example:3128"``; see `Fetcher`. It isn't taken from the environment.

    One object serves all threads of a process; each process fetches for itself.
    """

    def __init__(
        self,
        url: str,
        *,
        refresh_after: float = REFRESH_AFTER,
        max_stale: float = MAX_STALE,
        timeout: float = TIMEOUT,
        ca_file: str | os.PathLike[str] | None = None,
        allow_http_loopback: bool = False,
        proxy: str | None = None,
        fetch: Get | None = None,
    ) -> None:
        if fetch is not None and not callable(fetch):
            raise TypeError(f"fetch must be a callable, URL in and body out, not {type(fetch).__name__}")
        if fetch is not None and proxy is not None:
            raise ConfigurationError("JWKS has proxy= and fetch=, which fetches by itself: give one of them")
        self._fetcher = Fetcher(timeout=timeout, ca_file=ca_file, allow_http_loopback=allow_http_loopback, proxy=proxy)
        if fetch is None:
            self._fetcher.check(url)
        elif not isinstance(url, str):
            raise TypeError(f"a URL must be a str, not {type(url).__name__}")
        self.url = url
        self.issuer: str | None = None
        self.refresh_after = checked_time("refresh_after", refresh_after, 7 * 86_400.0, 29)
        self.max_stale = checked_time("max_stale", max_stale, 30 * 86_400.0)
        if max_stale < 2 * refresh_after:
            raise ConfigurationError(f"max_stale={max_stale:g}: use at least twice refresh_after={refresh_after:g}")
        self._fetch = fetch
        self._clock = time.monotonic
        self._lock = threading.Lock()
        self._good: _Good | None = None
        self._under_way: _Fetch | None = None
        self._early: deque[float] = deque(maxlen=EARLY_FETCHES)  # when the last early fetches began
        self._withdrawn: dict[str, None] = {}  # the last key ids that the issuer has withdrawn
        self._remarks: tuple[str, ...] = ()  # what the log said of the last set
        self._discovered = float("-inf")
        self._threads_run = True  # not so under uWSGI without --enable-threads: then requests fetch for themselves
        self._outage = Outage(f"JWKS {shown_url(url)}", longest=LONGEST_PAUSE)
        renew_after_fork(self)

    @classmethod
    def of_issuer(cls, issuer: str, **options: "Unpack[Options]") -> "JWKS":
        """The keys of an authorization server, whose metadata says where they are: see `discover`.

        ``options`` are those of the class.
        """
        if options.get("fetch") is None:
            check_issuer(issuer, allow_http_loopback=options.get("allow_http_loopback", False))
        keys = cls(issuer, **options)
        keys.issuer = issuer
        return keys

    # --- what `JWT` uses

    def candidates(self, kid: str | None, algorithm: str) -> Sequence[Key]:
        """The keys that may have signed: by key id, or without one the first few for ``algorithm``.

        Empty where there is none (the token is invalid), `AuthUnavailable` where that can't be known.
        """
        known = self._good
        keys = self._keys()
        found = _matching(keys, kid, algorithm)
        if found is None and self._good is known:  # else they were fetched just now
            found = _matching(self._renewed(known, kid), kid, algorithm)
        return found or ()

    def newer(self, kid: str | None, algorithm: str, tried: Sequence[Key]) -> Sequence[Key]:
        """The keys for a token that none of ``tried`` signed: its issuer may have given their key id to a new key.

        Costs an early fetch. Empty where the budget for these is used up or the server is down, because the signature
        is most probably forged; `AuthUnavailable` where a fetch is under way that this request may not wait for.
        """
        known = self._good
        found = _untried(known, kid, algorithm, tried)
        if found:
            return found  # another request fetched them meanwhile
        if known is None or (not tried and _matching(known.keys, kid, algorithm) is None):
            return ()  # nothing has that key id: `candidates` has looked for it
        fetch = self._join(MAX_WAITING, known, early=True)
        if fetch is not None and not fetch.done.is_set():
            raise self._outage.unavailable(self._clock())
        return _untried(self._good, kid, algorithm, tried)

    @property
    def kids(self) -> tuple[str | None, ...]:
        """The key ids of the last set, for the log."""
        good = self._good
        return () if good is None else tuple(key.kid for key in good.keys)

    # --- deciding whether to fetch

    def _keys(self) -> tuple[Key, ...]:
        """The keys in force; waits for them only where they are missing or much too old."""
        good, now = self._good, self._clock()
        if good is not None and now - good.at < self.refresh_after:
            return good.keys
        age = float("inf") if good is None else now - good.at
        if age > self.max_stale:
            self._give_up(good)
            self._join(MAX_WAITING_FIRST, None)
        elif age >= 2 * self.refresh_after and not self._outage.failures:
            self._join(MAX_WAITING_FIRST, good)
        else:
            self._refresh_aside(good)
        good = self._good
        if good is None:
            raise self._outage.unavailable(self._clock())
        return good.keys

    def _renewed(self, known: "_Good | None", kid: str | None) -> tuple[Key, ...]:
        """The keys after a fetch for an id that isn't in ``known``; `AuthUnavailable` where it can't be had."""
        fetch = self._join(MAX_WAITING, known, early=True)
        good = self._good
        if good is not known and good is not None:
            return good.keys
        if self._outage.failures or (fetch is not None and not fetch.done.is_set()):
            raise self._outage.unavailable(self._clock())
        if fetch is None and kid not in self._withdrawn:
            # Whoever sends invented ids mustn't make the token of a key that is new look invalid.
            raise self._exhausted(kid)
        return () if good is None else good.keys

    def _exhausted(self, kid: str | None) -> AuthUnavailable:
        what = "no key serves the algorithm" if kid is None else f"no key has kid {kid[:60]!a}"
        return AuthUnavailable(
            reason=f"{self._outage.who}: {what}, and {EARLY_FETCHES} early fetches in {EARLY_PERIOD:g} s were made",
            retry_after=max(1.0, self._early_wait(self._clock())),
        )

    def _join(self, most: int, known: "_Good | None", *, early: bool = False) -> "_Fetch | None":
        """Waits for the fetch under way, or makes one where that is due; ``None`` where neither is.

        Nor is one due where another request has brought a newer set than ``known`` meanwhile.
        """
        with self._lock:
            fetch = self._alive()
            mine = fetch is None and self._good is known and self._is_due(early)
            if mine:
                fetch = self._begin()
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
            fetch.done.wait(self._fetcher.timeout + _LOST)
        return fetch

    def _refresh_aside(self, known: "_Good | None") -> None:
        """Begins a fetch in a thread of its own, where one is due and none is under way."""
        if not self._threads_run:
            self._join(0, known)
            return
        with self._lock:
            if self._alive() is not None or self._good is not known or not self._is_due(False):
                return
            fetch = self._begin()
        try:
            threading.Thread(target=self._run, args=(fetch,), name="flask_unauthorized JWKS", daemon=True).start()
        except RuntimeError:  # no more threads, or the interpreter ends
            self._finish(fetch, None, "no thread could be started")

    # --- under the lock

    def _alive(self) -> "_Fetch | None":
        """The fetch under way; one of the parent process is none, nor one that is lost."""
        fetch = self._under_way
        if fetch is None or fetch.pid != os.getpid():
            return None
        if self._clock() - fetch.begun > self._fetcher.timeout + _LOST:
            self._under_way = None
            self._threads_run = fetch.running
            fetch.done.set()
            self._note_failure("a fetch never came to an end")
            return None
        return fetch

    def _is_due(self, early: bool) -> bool:
        now = self._clock()
        if self._outage.failures:
            return self._outage.wait(now) == 0
        return not early or self._early_wait(now) == 0

    def _early_wait(self, now: float) -> float:
        """Seconds until the budget allows the next early fetch; 0 for now."""
        early = self._early
        return max(0.0, early[0] + EARLY_PERIOD - now) if len(early) == EARLY_FETCHES else 0.0

    def _begin(self) -> "_Fetch":
        fetch = self._under_way = _Fetch(self._clock())
        return fetch

    def _note_failure(self, text: str) -> None:
        now, good = self._clock(), self._good
        doing = "no keys: 503" if good is None else f"the keys of {now - good.at:.0f} s ago serve"
        self._outage.failed(now, text, doing)

    # --- fetching

    def _run(self, fetch: "_Fetch") -> None:
        fetch.running = True
        found: KeySet | None = None
        text = "interrupted"
        try:
            found = self._load()
        except (FetchError, JOSEError) as trouble:
            text = str(trouble)
        except Exception as trouble:  # a fetch of the user's may raise anything, and its text may hold anything
            text = f"fetch raised {type(trouble).__name__}"
        finally:
            self._finish(fetch, found, text)

    def _load(self) -> KeySet:
        end = time.monotonic() + self._fetcher.timeout
        get = self._fetch or functools.partial(self._fetcher.get, end=end)
        found = parse_key_set(get(self._place(get)))
        self._remark(found.remarks)
        if not found.keys:
            raise FetchError("no usable key in the answer")
        return found

    def _remark(self, remarks: tuple[str, ...]) -> None:
        """Tells the log of keys that are wrong, once as long as they are in the set."""
        for text in remarks:
            if text not in self._remarks:
                log.warning("%s: %s", self._outage.who, text)
        self._remarks = remarks

    def _place(self, get: Get) -> str:
        """Where the keys are: as configured, or as the metadata says."""
        if self.issuer is not None and self._clock() - self._discovered >= DISCOVER_EVERY:
            metadata = discover(self.issuer, get)
            self.url = member_url(
                metadata,
                "jwks_uri",
                allow_http_loopback=self._fetcher.allow_http_loopback,
                any_url=self._fetch is not None,
            )
            self._discovered = self._clock()
        return self.url

    def _finish(self, fetch: "_Fetch", found: KeySet | None, text: str) -> None:
        with self._lock:
            if self._under_way is fetch:
                self._under_way = None
                if found is None:
                    self._discovered = float("-inf")  # the keys may have moved
                    self._note_failure(text)
                else:
                    self._keep(found.keys)
        fetch.done.set()

    def _keep(self, keys: tuple[Key, ...]) -> None:
        before = () if self._good is None else self._good.keys
        kids = {key.kid for key in keys}
        withdrawn = {**self._withdrawn, **{key.kid: None for key in before if key.kid is not None}}
        self._withdrawn = {kid: None for kid in list(withdrawn)[-MAX_KEYS:] if kid not in kids}
        self._good = _Good(keys, self._clock())
        self._outage.ended()

    def _give_up(self, good: "_Good | None") -> None:
        """Forgets keys that are older than ``max_stale``."""
        with self._lock:
            if good is not None and self._good is good:
                self._good = None

    def __repr__(self) -> str:
        return f"<JWKS {shown_url(self.url)}>" if self.issuer is None else f"<JWKS of {self.issuer}>"


class _Good(NamedTuple):
    """The last good set, and when it came."""

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
    """The keys that fit; ``None`` where none does, and newer keys might."""
    found = select_keys(keys, kid, algorithm)
    if found:
        return found
    known = any(algorithm in key.algorithms if kid is None else key.kid == kid for key in keys)
    return () if known else None


def _untried(good: _Good | None, kid: str | None, algorithm: str, tried: Sequence[Key]) -> Sequence[Key]:
    return () if good is None else [key for key in select_keys(good.keys, kid, algorithm) if key not in tried]

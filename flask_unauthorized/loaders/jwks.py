"""`JWKS`: the keys that an authorization server publishes (RFC 7517 §5), fetched when needed and kept up to date."""

import functools
import os
import threading
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, NamedTuple, TypedDict

from ..errors import ConfigurationError
from ..fetching import TIMEOUT, Fetcher, FetchError, Get, checked_time
from ..jose.keys import Key, read_key_set, select_keys
from ..stores.locks import renew_after_fork
from ..wire.jws import JOSEError
from .discovery import check_issuer, discover, member_url
from .outage import Outage

if TYPE_CHECKING:
    from typing_extensions import Unpack

REFRESH_AFTER: Final = 300.0
"""Age at which keys are fetched anew, in seconds; from twice that on, requests wait for it."""
MAX_STALE: Final = 86_400.0
"""Age up to which keys are used while their server is down, in seconds."""
UNKNOWN_EVERY: Final = 30.0
"""Least time between two fetches because of a key id that isn't known, in seconds."""
LONGEST_PAUSE: Final = 60.0
"""Longest time between two attempts while the server is down, in seconds."""
DISCOVER_EVERY: Final = 86_400.0
"""Age at which the issuer's metadata is read anew, in seconds."""
MAX_WAITING: Final = 8
"""Most requests that wait for a fetch because of a key id that isn't known."""
MAX_WAITING_FIRST: Final = 64
"""Most requests that wait for a fetch while there are no keys at all."""
_LOST: Final = 5.0
"""A fetch is given up this long after its time, in seconds: its thread never ran, or hangs in the resolver."""


class Options(TypedDict, total=False):
    """The keywords of `JWKS`."""

    refresh_after: float
    max_stale: float
    timeout: float
    ca_file: str | os.PathLike[str] | None
    allow_http_loopback: bool
    fetch: Get | None


class JWKS:
    """The key set at ``url``, for `JWT`. Nothing is fetched before the first token comes, so an app starts without.

    Keys are fetched anew in the background after ``refresh_after`` seconds, and at once where a token names a key that
    isn't known (every 30 s at most). While the server is down the last good keys serve until they are ``max_stale``
    seconds old; then, or where there never were any, `AuthUnavailable` (503). An answer without a usable key changes
    nothing. ``timeout``, ``ca_file`` and ``allow_http_loopback`` are those of `Fetcher`; ``fetch`` takes its place:
    your callable, URL in, body out, which has to bound time and size itself.

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
        fetch: Get | None = None,
    ) -> None:
        if fetch is not None and not callable(fetch):
            raise TypeError(f"fetch must be a callable, URL in and body out, not {type(fetch).__name__}")
        self._fetcher = Fetcher(timeout=timeout, ca_file=ca_file, allow_http_loopback=allow_http_loopback)
        self._fetcher.check(url)
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
        self._asked = float("-inf")  # when a fetch began last
        self._discovered = float("-inf")
        self._threads_run = True  # not so under uWSGI without --enable-threads: then requests fetch for themselves
        self._outage = Outage(f"JWKS {url}", longest=LONGEST_PAUSE)
        renew_after_fork(self)

    @classmethod
    def of_issuer(cls, issuer: str, **options: "Unpack[Options]") -> "JWKS":
        """The keys of an authorization server, whose metadata says where they are: see `discover`.

        ``options`` are those of the class.
        """
        check_issuer(issuer, allow_http_loopback=options.get("allow_http_loopback", False))
        keys = cls(issuer, **options)
        keys.issuer = issuer
        return keys

    # --- what `JWT` uses

    def candidates(self, kid: str | None, algorithm: str) -> Sequence[Key]:
        """The keys that may have signed: by key id, or without one the only key for ``algorithm``.

        Empty where there is none (the token is no good), `AuthUnavailable` where that can't be known.
        """
        keys = self._keys()
        found = _matching(keys, kid, algorithm)
        if found is None:
            found = _matching(self._renewed(keys), kid, algorithm)
        return found or ()

    # --- deciding whether to fetch

    def _keys(self) -> tuple[Key, ...]:
        """The keys in force; waits for them only where they are missing or much too old."""
        good, now = self._good, self._clock()
        age = float("inf") if good is None else now - good.at
        if age < self.refresh_after:
            assert good is not None
            return good.keys
        if age > self.max_stale:
            self._give_up(good)
            self._join(MAX_WAITING_FIRST, unknown=False)
        elif age >= 2 * self.refresh_after and not self._outage.failures:
            self._join(MAX_WAITING_FIRST, unknown=False)
        else:
            self._refresh_aside()
        good = self._good
        if good is None:
            raise self._outage.unavailable(self._clock())
        return good.keys

    def _renewed(self, known: tuple[Key, ...]) -> tuple[Key, ...]:
        """The keys after a fetch for an id that isn't among ``known``; `AuthUnavailable` where it can't be had."""
        fetch = self._join(MAX_WAITING, unknown=True)
        good = self._good
        if self._outage.failures or (fetch is not None and not fetch.done.is_set()):
            raise self._outage.unavailable(self._clock())
        return known if good is None else good.keys

    def _join(self, most: int, *, unknown: bool) -> "_Fetch | None":
        """Waits for the fetch under way, or makes one where that is due; ``None`` where neither is."""
        with self._lock:
            fetch = self._alive()
            mine = fetch is None and self._is_due(unknown)
            if mine:
                fetch = self._begin()
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

    def _refresh_aside(self) -> None:
        """Begins a fetch in a thread of its own, where one is due and none is under way."""
        if not self._threads_run:
            self._join(0, unknown=False)
            return
        with self._lock:
            if self._alive() is not None or not self._is_due(False):
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

    def _is_due(self, unknown: bool) -> bool:
        now = self._clock()
        if self._outage.failures:
            return self._outage.wait(now) == 0
        return not unknown or now - self._asked >= UNKNOWN_EVERY

    def _begin(self) -> "_Fetch":
        now = self._clock()
        self._asked = now
        fetch = self._under_way = _Fetch(now)
        return fetch

    def _note_failure(self, text: str) -> None:
        now, good = self._clock(), self._good
        doing = "no keys: 503" if good is None else f"the keys of {now - good.at:.0f} s ago serve"
        self._outage.failed(now, text, doing)

    # --- fetching

    def _run(self, fetch: "_Fetch") -> None:
        fetch.running = True
        keys: tuple[Key, ...] | None = None
        text = "interrupted"
        try:
            keys = self._load()
        except (FetchError, JOSEError) as trouble:
            text = str(trouble)
        except Exception as trouble:  # a fetch of the user's may raise anything, and its text may hold anything
            text = f"fetch raised {type(trouble).__name__}"
        finally:
            self._finish(fetch, keys, text)

    def _load(self) -> tuple[Key, ...]:
        end = time.monotonic() + self._fetcher.timeout
        get = self._fetch or functools.partial(self._fetcher.get, end=end)
        keys = read_key_set(get(self._place(get)))
        if not keys:
            raise FetchError("no usable key in the answer")
        return keys

    def _place(self, get: Get) -> str:
        """Where the keys are: as configured, or as the metadata says."""
        if self.issuer is not None and self._clock() - self._discovered >= DISCOVER_EVERY:
            metadata = discover(self.issuer, get)
            self.url = member_url(metadata, "jwks_uri", allow_http_loopback=self._fetcher.allow_http_loopback)
            self._discovered = self._clock()
        return self.url

    def _finish(self, fetch: "_Fetch", keys: tuple[Key, ...] | None, text: str) -> None:
        with self._lock:
            if self._under_way is fetch:
                self._under_way = None
                if keys is None:
                    self._discovered = float("-inf")  # the keys may have moved
                    self._note_failure(text)
                else:
                    self._keep(keys)
        fetch.done.set()

    def _keep(self, keys: tuple[Key, ...]) -> None:
        self._good = _Good(keys, self._clock())
        self._outage.ended()

    def _give_up(self, good: "_Good | None") -> None:
        """Forgets keys that are older than ``max_stale``."""
        with self._lock:
            if good is not None and self._good is good:
                self._good = None

    def __repr__(self) -> str:
        return f"<JWKS {self.url}>" if self.issuer is None else f"<JWKS of {self.issuer}>"


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

"""`MemoryStore` keeps its entries in the memory of one process.

One lock guards a dictionary. Two steps bound its size without a pass over all entries per request:

1. Each write of a new key looks at the next `_SWEEP_SIZE` keys in turn and drops those that have expired. That is more
   than one write adds, so expired entries disappear although nothing is sorted by time.
2. If the store is full nevertheless, one pass over all entries looks for expired ones, at most once per second. If
   there are none, the write fails: a live entry is never dropped.

Entries that may be evicted (`EVICTABLE_PURPOSE`) have as many places of their own. If all are taken, expired ones are
dropped, and then the one whose last write is the longest ago. So a counter that is written often outlives random names.

An entry expires when its lifetime has passed by both the monotonic clock and the wall clock. What callers present is
dated by the wall clock. If that is set back, a used proof becomes acceptable again, so its entry must still exist.
"""

import threading
import time
from collections import OrderedDict, deque
from collections.abc import Sequence
from typing import Any, ClassVar, Final

from ..errors import AuthUnavailable, ConfigurationError
from ..locks import renew_after_fork
from .base import EMPTY_WINDOW, Count, Store, advance_window

_SWEEP_SIZE: Final = 4
"""How many entries are examined when one is added."""


class MemoryStore(Store):
    """A store in the memory of this process.

    It is for one process with any number of threads, and for tests. Other processes don't see its entries, so each of
    them accepts the same nonce or proof once, and so does this one after a restart. Outside of debug and testing, the
    log warns of that before the first request.

    Example:
        Serve Digest from one process::

            from flask_unauthorized import Digest
            from flask_unauthorized.stores.memory import MemoryStore

            digest = Digest(realm="notes", store=MemoryStore(single_process=True))

    Args:
        capacity: How many entries may be alive at a time. If it is full, new entries are refused with 503. As many
            counters of a throttle may be alive beside them, and of these the oldest are dropped.
        prefix: As with `Store`.
        strict: Raises `ConfigurationError` before the first request, in place of the warning.
        single_process: Says that exactly one process serves the app, so nothing is logged.

    Raises:
        ConfigurationError: An argument has a value that can't be used.
        TypeError: ``single_process`` isn't a ``bool``.
    """

    shared: ClassVar[bool] = False

    def __init__(
        self,
        *,
        capacity: int = 100_000,
        prefix: str = "flask_unauthorized",
        strict: bool = False,
        single_process: bool = False,
    ) -> None:
        super().__init__(prefix=prefix, strict=strict)
        if isinstance(capacity, bool) or not isinstance(capacity, int) or capacity < 1:
            raise ConfigurationError(f"capacity must be a whole number of entries, not {capacity!r}")
        if not isinstance(single_process, bool):
            raise TypeError(f"single_process must be True or False, not {single_process!r}")
        self.single_process = single_process
        self.capacity = capacity
        self._lock = threading.Lock()
        self._entries: dict[str, tuple[_Moment, Any]] = {}  # expiry and value
        self._sweep_queue: deque[str] = deque()  # each key that must stay, once, in any order
        self._evictable: OrderedDict[str, None] = OrderedDict()  # the other keys: the one written last is the last
        self._last_full_sweep = float("-inf")  # by the monotonic clock
        self._last_evictable_sweep = float("-inf")
        renew_after_fork(self)

    def _claim(self, key: str, lifetime: float) -> bool:
        with self._lock:
            now = _now()
            if self._find(key, now) is not None:
                return False
            self._write(key, True, _expiry(now, lifetime), now)
            return True

    def _spend(self, key: str, number: int, lifetime: float) -> bool:
        with self._lock:
            now = _now()
            expiry, window = self._find(key, now) or (_expiry(now, lifetime), EMPTY_WINDOW)
            advanced = advance_window(number, *window)
            if advanced is not None:
                self._write(key, advanced, expiry, now)
            return advanced is not None

    def _increment(self, key: str, lifetime: float) -> int:
        with self._lock:
            now = _now()
            entry = self._find(key, now)
            expiry, count = (_expiry(now, lifetime), 1) if entry is None else (entry[0], entry[1] + 1)
            self._write(key, count, expiry, now)
            return int(count)

    def _increment_many(self, counters: Sequence[tuple[str, float]]) -> list[Count]:
        counts = []
        with self._lock:
            now = _now()
            for key, lifetime in counters:
                latest, entry = _expiry(now, lifetime), self._find(key, now)
                expiry, count = (latest, 0) if entry is None else entry
                expiry = min(expiry[0], latest[0]), min(expiry[1], latest[1])  # a clock may have been set back
                self._write(key, count + 1, expiry, now)
                counts.append(Count(count + 1, max(expiry[0] - now[0], expiry[1] - now[1])))
        return counts

    def _decrement(self, keys: Sequence[str]) -> None:
        with self._lock:
            now = _now()
            for key in keys:
                entry = self._find(key, now)
                if entry is not None and entry[1] > 1:
                    self._write(key, entry[1] - 1, entry[0], now)
                elif entry is not None:
                    self._remove(key)

    def _forget(self, keys: Sequence[str]) -> None:
        with self._lock:
            for key in keys:
                self._remove(key)

    def _put(self, key: str, value: str, lifetime: float) -> None:
        with self._lock:
            now = _now()
            self._write(key, value, _expiry(now, lifetime), now)

    def _replace(self, key: str, old: str | None, new: str, lifetime: float) -> bool:
        with self._lock:
            now = _now()
            entry = self._find(key, now)
            if (None if entry is None else entry[1]) != old:
                return False
            self._write(key, new, _expiry(now, lifetime), now)
            return True

    def _get(self, key: str) -> str | None:
        with self._lock:
            entry = self._find(key, _now())
            return None if entry is None else str(entry[1])

    def _get_many(self, keys: Sequence[str]) -> list[str | None]:
        with self._lock:
            now = _now()
            values: list[str | None] = []
            for key in keys:
                entry = self._entries.get(key)
                values.append(None if entry is None or _has_expired(entry[0], now) else str(entry[1]))
            return values

    # --- called with the lock held

    def _find(self, key: str, now: "_Moment") -> tuple["_Moment", Any] | None:
        entry = self._entries.get(key)
        return None if entry is None or _has_expired(entry[0], now) else entry

    def _write(self, key: str, value: Any, expiry: "_Moment", now: "_Moment") -> None:
        if key.startswith(self._evictable_start):
            self._note_evictable(key, now)
        elif key not in self._entries:
            self._sweep(now)
            if len(self._sweep_queue) >= self.capacity and not self._make_room(now):
                raise AuthUnavailable(
                    reason=f"MemoryStore: {len(self._sweep_queue)} entries are alive, and capacity={self.capacity}: "
                    "allow more, or use another store"
                )
            self._sweep_queue.append(key)
        self._entries[key] = (expiry, value)

    def _remove(self, key: str) -> None:
        if key in self._evictable:
            del self._entries[key], self._evictable[key]
        elif key in self._entries:
            self._entries[key] = (_PAST, None)  # its place in the queue is taken away when it is examined

    def _note_evictable(self, key: str, now: "_Moment") -> None:
        """Note which key is written last. Make room for it: expired entries go first, then the one written first."""
        if key not in self._evictable and len(self._evictable) >= self.capacity:
            if now[0] >= self._last_evictable_sweep + 1:
                self._last_evictable_sweep = now[0]
                for other in [other for other in self._evictable if _has_expired(self._entries[other][0], now)]:
                    del self._entries[other], self._evictable[other]
            if len(self._evictable) >= self.capacity:
                oldest, _ = self._evictable.popitem(last=False)
                del self._entries[oldest]
        self._evictable[key] = None
        self._evictable.move_to_end(key)

    def _sweep(self, now: "_Moment", count: int = _SWEEP_SIZE) -> None:
        """Examine the next few entries, and drop those that have expired."""
        for _ in range(min(count, len(self._sweep_queue))):
            key = self._sweep_queue.popleft()
            if _has_expired(self._entries[key][0], now):
                del self._entries[key]
            else:
                self._sweep_queue.append(key)

    def _make_room(self, now: "_Moment") -> bool:
        """Examine all entries, at most once per second. Return whether there is room for one more."""
        if now[0] < self._last_full_sweep + 1:
            return False
        self._last_full_sweep = now[0]
        self._sweep(now, len(self._sweep_queue))
        return len(self._sweep_queue) < self.capacity


_Moment = tuple[float, float]
"""A moment by the monotonic clock and by the wall clock, in seconds."""
_PAST: Final = (float("-inf"), float("-inf"))


def _now() -> _Moment:
    return time.monotonic(), time.time()


def _expiry(now: _Moment, seconds: float) -> _Moment:
    return now[0] + seconds, now[1] + seconds


def _has_expired(expiry: _Moment, now: _Moment) -> bool:
    return expiry[0] <= now[0] and expiry[1] <= now[1]

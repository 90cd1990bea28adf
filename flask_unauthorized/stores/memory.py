"""`MemoryStore`: in the memory of one process."""

import threading
import time
from collections import deque
from typing import Any, ClassVar, Final

from ..errors import AuthUnavailable, ConfigurationError
from .base import Store
from .locks import renew_after_fork
from .window import FIRST, spent

_SWEEP: Final = 4
"""Entries whose end is looked at in one operation: more than one adds, so that what is over goes in time."""


class MemoryStore(Store):
    """Keeps everything in this process: for one process with any number of threads, and for tests.

    Several processes don't share it, so one answer counts once in each of them, and again after a restart. Outside of
    debug and testing the log therefore names it before the first request; with ``strict`` that is a
    `ConfigurationError`. ``single_process=True`` says that exactly one process serves, and nothing is logged. At most
    ``capacity`` entries live at a time; where it is full, new ones are refused (503) rather than a live one given up.

    An entry lives until its time is over by the monotonic clock and by the wall clock. What callers present is dated by
    the wall clock, so after that was set back, what was used must still be known when it is acceptable again.
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
        self._entries: dict[str, tuple[_Times, Any]] = {}  # until when, and what
        self._order: deque[str] = deque()  # every key once, in no order of time: swept a few at a time
        self._swept = float("-inf")  # when all were swept last, by the monotonic clock
        renew_after_fork(self)

    def _claim(self, key: str, lifetime: float) -> bool:
        with self._lock:
            now = _now()
            if self._live(key, now) is not None:
                return False
            self._keep(key, True, _later(now, lifetime), now)
            return True

    def _spend(self, key: str, number: int, lifetime: float) -> bool:
        with self._lock:
            now = _now()
            until, window = self._live(key, now) or (_later(now, lifetime), FIRST)
            after = spent(number, *window)
            if after is not None:
                self._keep(key, after, until, now)
            return after is not None

    def _increment(self, key: str, lifetime: float) -> int:
        with self._lock:
            now = _now()
            entry = self._live(key, now)
            until, count = (_later(now, lifetime), 1) if entry is None else (entry[0], entry[1] + 1)
            self._keep(key, count, until, now)
            return int(count)

    def _put(self, key: str, value: str, lifetime: float) -> None:
        with self._lock:
            now = _now()
            self._keep(key, value, _later(now, lifetime), now)

    def _get(self, key: str) -> str | None:
        with self._lock:
            entry = self._live(key, _now())
            return None if entry is None else str(entry[1])

    # --- under the lock

    def _live(self, key: str, now: "_Times") -> tuple["_Times", Any] | None:
        entry = self._entries.get(key)
        return None if entry is None or _is_over(entry[0], now) else entry

    def _keep(self, key: str, value: Any, until: "_Times", now: "_Times") -> None:
        if key not in self._entries:
            self._sweep(now)
            if len(self._entries) >= self.capacity and not self._sweep_all(now):
                raise AuthUnavailable(
                    reason=f"MemoryStore: {len(self._entries)} entries are alive, and capacity={self.capacity}: allow "
                    "more, or use another store"
                )
            self._order.append(key)
        self._entries[key] = (until, value)

    def _sweep(self, now: "_Times", most: int = _SWEEP) -> None:
        """Looks at the next few entries, and drops those that are over."""
        for _ in range(min(most, len(self._order))):
            key = self._order.popleft()
            if _is_over(self._entries[key][0], now):
                del self._entries[key]
            else:
                self._order.append(key)

    def _sweep_all(self, now: "_Times") -> bool:
        """A pass over all entries, at most once a second: whether there is room now."""
        if now[0] < self._swept + 1:
            return False
        self._swept = now[0]
        self._sweep(now, len(self._order))
        return len(self._entries) < self.capacity


_Times = tuple[float, float]
"""One moment by the monotonic clock and by the wall clock, in seconds."""


def _now() -> _Times:
    return time.monotonic(), time.time()


def _later(now: _Times, seconds: float) -> _Times:
    return now[0] + seconds, now[1] + seconds


def _is_over(until: _Times, now: _Times) -> bool:
    return until[0] <= now[0] and until[1] <= now[1]

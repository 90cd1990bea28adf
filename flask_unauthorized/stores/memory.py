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
    """Keeps everything in this process: for one worker with any number of threads, and for tests.

    Several workers don't share it, so one answer could count once in each of them; the log then tells so, or with
    ``strict`` a `ConfigurationError`. At most ``capacity`` entries live at a time; where it is full, new ones are
    refused (503) rather than a live one given up.
    """

    shared: ClassVar[bool] = False

    def __init__(self, *, capacity: int = 100_000, prefix: str = "flask_unauthorized", strict: bool = False) -> None:
        super().__init__(prefix=prefix, strict=strict)
        if isinstance(capacity, bool) or not isinstance(capacity, int) or capacity < 1:
            raise ConfigurationError(f"capacity must be a whole number of entries, not {capacity!r}")
        self.capacity = capacity
        self._lock = threading.Lock()
        self._entries: dict[str, tuple[float, Any]] = {}  # until when, by the monotonic clock, and what
        self._order: deque[str] = deque()  # every key once, in no order of time: swept a few at a time
        self._swept = float("-inf")  # when all were swept last
        renew_after_fork(self)

    def _claim(self, key: str, lifetime: float) -> bool:
        with self._lock:
            now = time.monotonic()
            if self._live(key, now) is not None:
                return False
            self._keep(key, True, now + lifetime, now)
            return True

    def _spend(self, key: str, number: int, lifetime: float) -> bool:
        with self._lock:
            now = time.monotonic()
            until, window = self._live(key, now) or (now + lifetime, FIRST)
            after = spent(number, *window)
            if after is not None:
                self._keep(key, after, until, now)
            return after is not None

    def _increment(self, key: str, lifetime: float) -> int:
        with self._lock:
            now = time.monotonic()
            entry = self._live(key, now)
            until, count = (now + lifetime, 1) if entry is None else (entry[0], entry[1] + 1)
            self._keep(key, count, until, now)
            return int(count)

    def _put(self, key: str, value: str, lifetime: float) -> None:
        with self._lock:
            now = time.monotonic()
            self._keep(key, value, now + lifetime, now)

    def _get(self, key: str) -> str | None:
        with self._lock:
            entry = self._live(key, time.monotonic())
            return None if entry is None else str(entry[1])

    # --- under the lock

    def _live(self, key: str, now: float) -> tuple[float, Any] | None:
        entry = self._entries.get(key)
        return entry if entry is not None and entry[0] > now else None

    def _keep(self, key: str, value: Any, until: float, now: float) -> None:
        if key not in self._entries:
            self._sweep(now)
            if len(self._entries) >= self.capacity and not self._sweep_all(now):
                raise AuthUnavailable(reason=f"MemoryStore: {self.capacity} entries are alive, it is full")
            self._order.append(key)
        self._entries[key] = (until, value)

    def _sweep(self, now: float, most: int = _SWEEP) -> None:
        """Looks at the next few entries, and drops those that are over."""
        for _ in range(min(most, len(self._order))):
            key = self._order.popleft()
            if self._entries[key][0] > now:
                self._order.append(key)
            else:
                del self._entries[key]

    def _sweep_all(self, now: float) -> bool:
        """A pass over all entries, at most once a second: whether there is room now."""
        if now < self._swept + 1:
            return False
        self._swept = now
        self._sweep(now, len(self._order))
        return len(self._entries) < self.capacity

"""`SQLiteStore` keeps its entries in a file, for all workers on one machine.

- Each writing operation is one ``BEGIN IMMEDIATE`` transaction, so writers of all processes take turns.
- Each process has one connection. Its threads queue for a lock, and not for the file, because SQLite polls.
- Every wait is bounded by `QUEUE_TIMEOUT` and `BUSY_TIMEOUT`, less than a second together. After that the store counts
  as unavailable.
- Expiry uses the wall clock, which all processes share.
- Every `_PRUNE_EVERY` writes, up to `_PRUNE_COUNT` expired entries are deleted: more than were added in between.
- Entries that may be evicted (`EVICTABLE_PURPOSE`) have a table of their own. It is kept to a quarter of the file:
  beyond that, the rows whose last write is the longest ago are deleted.
- The file has a maximum size. Beyond it SQLite reports that it is full. Then all evictable entries are deleted at once,
  because only this frees whole pages for the other table, and the operation is tried again. If there were none, it
  becomes a 503.

After a fork, a child opens a connection of its own. SQLite doesn't allow the child to use or close the inherited one,
which could corrupt the file. Therefore the child keeps a reference to it, so that it is never closed there.
"""

import functools
import os
import sqlite3
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar, Concatenate, Final, ParamSpec, TypeVar

from ..errors import ConfigurationError
from ..locks import renew_after_fork
from .base import EMPTY_WINDOW, Count, Store, advance_window

P = ParamSpec("P")
T = TypeVar("T")

BUSY_TIMEOUT: Final = 0.25
"""Longest wait for another process that writes, in seconds. Then the store counts as unavailable."""
QUEUE_TIMEOUT: Final = 0.5
"""Longest wait for other threads of this process, in seconds. A busy machine runs them late: with 12 threads on two
busy cores, a quarter of a second was too short for one operation in a hundred."""
MAX_SIZE: Final = 256 * 1024 * 1024
"""Default of ``max_size``, in bytes: about a million entries."""
_OPEN_TIMEOUT: Final = 5.0  # if all workers start at once, one creates the table and the others wait
_PRUNE_EVERY: Final = 64
"""After how many writes expired entries are deleted."""
_PRUNE_COUNT: Final = 256
"""Most entries that are deleted at once."""
_BYTES_PER_EVICTABLE: Final = 4 * 512
"""One evictable entry may be kept per so many bytes of ``max_size``: a quarter of the file, at up to 512 bytes each."""

_TABLES: Final = """
CREATE TABLE IF NOT EXISTS entries (
    key TEXT PRIMARY KEY,
    until REAL NOT NULL,
    value TEXT,
    number INTEGER NOT NULL DEFAULT 0,
    seen TEXT NOT NULL DEFAULT ''
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS entries_until ON entries (until);
CREATE TABLE IF NOT EXISTS evictable (
    key TEXT PRIMARY KEY,
    until REAL NOT NULL,
    value TEXT,
    number INTEGER NOT NULL DEFAULT 0,
    seen TEXT NOT NULL DEFAULT ''
);
CREATE INDEX IF NOT EXISTS evictable_until ON evictable (until);
"""
# Each write of an evictable entry gives its row the highest ``rowid``, so their order is that of the last writes.
_EVICT: Final = """
DELETE FROM evictable WHERE rowid IN (
    SELECT rowid FROM evictable ORDER BY rowid LIMIT max(0, (SELECT count(*) FROM evictable) - :most)
)
"""
_CLAIM: Final = """
INSERT INTO {table} (key, until) VALUES (:key, :until)
ON CONFLICT (key) DO UPDATE SET until = :until, value = NULL, number = 0, seen = '' WHERE until <= :now
"""
_WRITE: Final = """
INSERT OR REPLACE INTO {table} (key, until, value, number, seen) VALUES (:key, :until, :value, :number, :seen)
"""
_FORGET: Final = "DELETE FROM {table} WHERE key = :key"
_PRUNE: Final = "DELETE FROM {table} WHERE key IN (SELECT key FROM {table} WHERE until <= :now LIMIT :most)"
_FIND: Final = "SELECT until, value, number, seen FROM {table} WHERE key = :key AND until > :now"


class _Statements:
    """The statements for one of the two tables."""

    def __init__(self, table: str) -> None:
        self.claim: Final = _CLAIM.format(table=table)
        self.write: Final = _WRITE.format(table=table)
        self.forget: Final = _FORGET.format(table=table)
        self.prune: Final = _PRUNE.format(table=table)
        self.find: Final = _FIND.format(table=table)


_LASTING: Final = _Statements("entries")
_EVICTABLE: Final = _Statements("evictable")


def _retried_if_full(
    operation: Callable[Concatenate["SQLiteStore", P], T],
) -> Callable[Concatenate["SQLiteStore", P], T]:
    """Return the operation so that a full file loses its evictable entries before the operation fails."""

    @functools.wraps(operation)
    def run(store: "SQLiteStore", /, *args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return operation(store, *args, **kwargs)
        except sqlite3.OperationalError as error:
            # The text, because Python 3.10 has no error code. The disk may be full as well: then the next line fails.
            if "full" not in str(error) or not store._drop_evictable():
                raise
        return operation(store, *args, **kwargs)

    return run


class SQLiteStore(Store):
    """A store in a SQLite file, shared by all processes and threads of one machine.

    Example:
        Share the counters of a throttle between the workers of one machine::

            from flask_unauthorized import Basic
            from flask_unauthorized.stores.sqlite import SQLiteStore
            from flask_unauthorized.throttle import Throttle

            basic = Basic(load_user, throttle=Throttle(SQLiteStore("throttle.db")))

    Args:
        path: The file. It must be on a local disk, in a folder that the app may write to. If it doesn't exist, it is
            created with mode 0600.
        max_size: How large the file may grow, in bytes. If it is full, the counters of a throttle are dropped. After
            that, new entries are refused with 503.
        prefix: As with `Store`.
        strict: As with `Store`.

    Raises:
        ConfigurationError: ``path`` isn't the path of a file, or ``max_size`` is too small.
    """

    unavailable_errors: ClassVar[tuple[type[Exception], ...]] = (OSError, sqlite3.Error)

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        max_size: int = MAX_SIZE,
        prefix: str = "flask_unauthorized",
        strict: bool = False,
    ) -> None:
        super().__init__(prefix=prefix, strict=strict)
        if isinstance(max_size, bool) or not isinstance(max_size, int) or max_size < 65536:
            raise ConfigurationError(f"max_size must be a number of bytes, 65536 at least, not {max_size!r}")
        name = os.fspath(path)
        if not isinstance(name, str) or name in ("", ":memory:") or name.startswith("file:"):
            raise ConfigurationError(f"SQLiteStore needs the path of a file, not {name!r}: workers have to share it")
        self.path = Path(name).absolute()
        self.max_size = max_size
        self._lock = threading.Lock()
        self._opened: tuple[int, sqlite3.Connection] | None = None
        self._inherited: list[sqlite3.Connection] = []
        self._writes = 0
        renew_after_fork(self)

    def check(self) -> None:
        """Raise `ConfigurationError` if the folder of the file doesn't exist."""
        if not self.path.parent.is_dir():
            raise ConfigurationError(f"SQLiteStore: there is no folder {str(self.path.parent)!r}: make it first")

    def close(self) -> None:
        """Close the connection of this process. The next operation opens a new one."""
        with self._lock:
            if self._opened is not None and self._opened[0] == os.getpid():
                self._close_at_end()
                self._opened = None

    @_retried_if_full
    def _claim(self, key: str, lifetime: float) -> bool:
        with self._transaction() as (database, now):
            return (
                database.execute(
                    self._statements(key).claim, {"key": key, "until": now + lifetime, "now": now}
                ).rowcount
                == 1
            )

    @_retried_if_full
    def _spend(self, key: str, number: int, lifetime: float) -> bool:
        with self._transaction() as (database, now):
            found = self._find(database, key, now)
            until, highest, seen = (
                (now + lifetime, *EMPTY_WINDOW) if found is None else (found[0], found[2], int(found[3], 16))
            )
            window = advance_window(number, highest, seen)
            if window is None:
                return False
            self._write(database, key, until, number=window[0], seen=f"{window[1]:x}")
            return True

    @_retried_if_full
    def _increment(self, key: str, lifetime: float) -> int:
        with self._transaction() as (database, now):
            found = self._find(database, key, now)
            until, count = (now + lifetime, 1) if found is None else (found[0], found[2] + 1)
            self._write(database, key, until, number=count)
            return int(count)

    @_retried_if_full
    def _increment_many(self, counters: Sequence[tuple[str, float]]) -> list[Count]:
        counts = []
        with self._transaction() as (database, now):
            for key, lifetime in counters:
                found = self._find(database, key, now)
                until, count = (now + lifetime, 1) if found is None else (found[0], found[2] + 1)
                until = min(until, now + lifetime)  # the clock may have been set back
                self._write(database, key, until, number=count)
                counts.append(Count(count, until - now))
        return counts

    @_retried_if_full
    def _decrement(self, keys: Sequence[str]) -> None:
        with self._transaction() as (database, now):
            for key in keys:
                found = self._find(database, key, now)
                if found is not None and found[2] > 1:
                    self._write(database, key, found[0], number=found[2] - 1)
                elif found is not None and found[2] == 1:
                    database.execute(self._statements(key).forget, {"key": key})

    def _forget(self, keys: Sequence[str]) -> None:
        with self._transaction() as (database, _):
            for key in keys:
                database.execute(self._statements(key).forget, {"key": key})

    @_retried_if_full
    def _put(self, key: str, value: str, lifetime: float) -> None:
        with self._transaction() as (database, now):
            self._write(database, key, now + lifetime, value=value)

    @_retried_if_full
    def _replace(self, key: str, old: str | None, new: str, lifetime: float) -> bool:
        with self._transaction() as (database, now):
            found = self._find(database, key, now)
            if (found is None) is not (old is None) or (found is not None and found[1] != old):
                return False
            self._write(database, key, now + lifetime, value=new)
            return True

    def _get(self, key: str) -> str | None:
        with self._connection() as database:
            found = self._find(database, key, time.time())
        return None if found is None else str(found[1])

    def _get_many(self, keys: Sequence[str]) -> list[str | None]:
        with self._connection() as database:
            now = time.time()
            found = [self._find(database, key, now) for key in keys]
        return [None if row is None else str(row[1]) for row in found]

    # --- inside

    def _statements(self, key: str) -> _Statements:
        return _EVICTABLE if key.startswith(self._evictable_start) else _LASTING

    def _find(self, database: sqlite3.Connection, key: str, now: float) -> tuple[Any, ...] | None:
        found: tuple[Any, ...] | None = database.execute(
            self._statements(key).find, {"key": key, "now": now}
        ).fetchone()
        return found

    def _write(
        self,
        database: sqlite3.Connection,
        key: str,
        until: float,
        *,
        value: str | None = None,
        number: int = 0,
        seen: str = "",
    ) -> None:
        fields = {"key": key, "until": until, "value": value, "number": number, "seen": seen}
        database.execute(self._statements(key).write, fields)

    def _prune(self, database: sqlite3.Connection) -> None:
        """Delete expired entries, and those by which the evictable ones are too many."""
        expired = {"now": time.time(), "most": _PRUNE_COUNT}
        database.execute(_LASTING.prune, expired)
        database.execute(_EVICTABLE.prune, expired)
        database.execute(_EVICT, {"most": self.max_size // _BYTES_PER_EVICTABLE})

    def _drop_evictable(self) -> bool:
        """Delete all evictable entries, which frees whole pages. Return whether there were any."""
        with self._connection() as database:
            return database.execute("DELETE FROM evictable").rowcount > 0

    @contextmanager
    def _transaction(self) -> Iterator[tuple[sqlite3.Connection, float]]:
        """Yield the connection in a transaction that no other one overlaps, and the time (wall clock)."""
        with self._connection() as database:
            self._writes += 1
            if self._writes % _PRUNE_EVERY == 0:  # in a transaction of its own: the next one fails if the file is full
                self._prune(database)
            database.execute("BEGIN IMMEDIATE")
            try:
                yield database, time.time()
                database.execute("COMMIT")
            except BaseException:  # also an interrupt: nothing half-written stays
                if database.in_transaction:
                    database.execute("ROLLBACK")
                self._writes = -1  # the file may be full, so the next write deletes expired entries first
                raise

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        """Yield the connection of this process to one thread at a time."""
        if not self._lock.acquire(timeout=QUEUE_TIMEOUT):
            raise TimeoutError("another thread held the connection for too long")
        try:
            if self._opened is None or self._opened[0] != os.getpid():
                if self._opened is not None:
                    self._inherited.append(self._opened[1])  # belongs to the parent
                self._opened = (os.getpid(), self._open())
                self._close_at_end = weakref.finalize(self, _close, *self._opened)
            yield self._opened[1]
        finally:
            self._lock.release()

    def _open(self) -> sqlite3.Connection:
        os.close(os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600))  # SQLite would use the umask
        database = sqlite3.connect(self.path, timeout=_OPEN_TIMEOUT, isolation_level=None, check_same_thread=False)
        try:
            if database.execute("PRAGMA journal_mode").fetchone() != ("wal",):
                database.execute("PRAGMA journal_mode = WAL")
            database.executescript(_TABLES)
            (page,) = database.execute("PRAGMA page_size").fetchone()
            database.execute(f"PRAGMA max_page_count = {self.max_size // page}")
            database.execute("PRAGMA synchronous = NORMAL")
            database.execute(f"PRAGMA busy_timeout = {int(BUSY_TIMEOUT * 1000)}")
        except BaseException:  # also an interrupt: no connection stays open
            database.close()
            raise
        return database


def _close(process: int, database: sqlite3.Connection) -> None:
    """Close the connection, but only in the process that opened it."""
    if os.getpid() == process:
        database.close()

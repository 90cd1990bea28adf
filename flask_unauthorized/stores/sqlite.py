"""`SQLiteStore`: in a file, for all workers on one machine."""

import os
import sqlite3
import threading
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar, Final

from ..errors import ConfigurationError
from .base import Store
from .locks import renew_after_fork
from .window import FIRST, spent

BUSY_TIMEOUT: Final = 0.25
"""Longest wait for another thread or process that writes, in seconds; then the store counts as down."""
MAX_SIZE: Final = 256 * 1024 * 1024
"""Largest file unless told otherwise, in bytes: about a million entries."""
_OPEN_TIMEOUT: Final = 5.0  # when all workers start at once, one makes the table and the others wait
_PRUNE_EVERY: Final = 64
"""Writes between two looks for entries that are over."""
_PRUNED: Final = 256
"""Most entries that go in one look: more than are added in between, so that what is over goes in time."""

_TABLE: Final = """
CREATE TABLE IF NOT EXISTS entries (
    key TEXT PRIMARY KEY,
    until REAL NOT NULL,
    value TEXT,
    number INTEGER NOT NULL DEFAULT 0,
    seen TEXT NOT NULL DEFAULT ''
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS entries_until ON entries (until);
"""
_CLAIM: Final = """
INSERT INTO entries (key, until) VALUES (:key, :until)
ON CONFLICT (key) DO UPDATE SET until = :until, value = NULL, number = 0, seen = '' WHERE until <= :now
"""
_KEEP: Final = """
INSERT OR REPLACE INTO entries (key, until, value, number, seen) VALUES (:key, :until, :value, :number, :seen)
"""
_PRUNE: Final = "DELETE FROM entries WHERE key IN (SELECT key FROM entries WHERE until <= :now LIMIT :most)"
_FIND: Final = "SELECT until, value, number, seen FROM entries WHERE key = :key AND until > :now"


class SQLiteStore(Store):
    """Keeps everything in a SQLite file, shared by all processes and threads of one machine.

    ``path`` must be on a local disk, in a folder that the app may write to; the file is made where there is none,
    readable by the app's user alone, and grows to ``max_size`` bytes. Where it is full, new entries are refused (503)
    rather than a live one given up.
    """

    trouble: ClassVar[tuple[type[Exception], ...]] = (OSError, sqlite3.Error)

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
        if not self.path.parent.is_dir():
            raise ConfigurationError(f"SQLiteStore: there is no folder {str(self.path.parent)!r}: make it first")

    def close(self) -> None:
        """Closes this process's connection; the next use opens a new one."""
        with self._lock:
            if self._opened is not None and self._opened[0] == os.getpid():
                self._close_at_end()
                self._opened = None

    def _claim(self, key: str, lifetime: float) -> bool:
        with self._writing() as (database, now):
            return database.execute(_CLAIM, {"key": key, "until": now + lifetime, "now": now}).rowcount == 1

    def _spend(self, key: str, number: int, lifetime: float) -> bool:
        with self._writing() as (database, now):
            found = _find(database, key, now)
            until, highest, seen = (
                (now + lifetime, *FIRST) if found is None else (found[0], found[2], int(found[3], 16))
            )
            window = spent(number, highest, seen)
            if window is None:
                return False
            _keep(database, key, until, number=window[0], seen=f"{window[1]:x}")
            return True

    def _increment(self, key: str, lifetime: float) -> int:
        with self._writing() as (database, now):
            found = _find(database, key, now)
            until, count = (now + lifetime, 1) if found is None else (found[0], found[2] + 1)
            _keep(database, key, until, number=count)
            return int(count)

    def _put(self, key: str, value: str, lifetime: float) -> None:
        with self._writing() as (database, now):
            _keep(database, key, now + lifetime, value=value)

    def _get(self, key: str) -> str | None:
        with self._locked() as database:
            found = _find(database, key, time.time())
        return None if found is None else str(found[1])

    # --- inside

    @contextmanager
    def _writing(self) -> Iterator[tuple[sqlite3.Connection, float]]:
        """A transaction that no other one overlaps, and the time in it: the wall clock, which processes share."""
        with self._locked() as database:
            self._writes += 1
            if self._writes % _PRUNE_EVERY == 0:  # in a transaction of its own: what follows may find the file full
                database.execute(_PRUNE, {"now": time.time(), "most": _PRUNED})
            database.execute("BEGIN IMMEDIATE")
            try:
                yield database, time.time()
                database.execute("COMMIT")
            except BaseException:
                if database.in_transaction:
                    database.execute("ROLLBACK")
                self._writes = -1  # it may be full
                raise

    @contextmanager
    def _locked(self) -> Iterator[sqlite3.Connection]:
        """This process's connection, for one thread at a time: they wait here in turn, and not on the file."""
        if not self._lock.acquire(timeout=BUSY_TIMEOUT):
            raise TimeoutError("another thread has had the connection for too long")
        try:
            if self._opened is None or self._opened[0] != os.getpid():
                if self._opened is not None:
                    self._inherited.append(self._opened[1])  # the parent's: not to be used here, nor to be closed
                self._opened = (os.getpid(), self._open())
                self._close_at_end = weakref.finalize(self, _close, *self._opened)
            yield self._opened[1]
        finally:
            self._lock.release()

    def _open(self) -> sqlite3.Connection:
        os.close(os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600))  # SQLite would let others read it
        database = sqlite3.connect(self.path, timeout=_OPEN_TIMEOUT, isolation_level=None, check_same_thread=False)
        try:
            if database.execute("PRAGMA journal_mode").fetchone() != ("wal",):
                database.execute("PRAGMA journal_mode = WAL")
            database.executescript(_TABLE)
            (page,) = database.execute("PRAGMA page_size").fetchone()
            database.execute(f"PRAGMA max_page_count = {self.max_size // page}")
            database.execute("PRAGMA synchronous = NORMAL")
            database.execute(f"PRAGMA busy_timeout = {int(BUSY_TIMEOUT * 1000)}")
        except BaseException:
            database.close()
            raise
        return database


def _close(process: int, database: sqlite3.Connection) -> None:
    """Closes the connection in the process that opened it: in a child it is the parent's."""
    if os.getpid() == process:
        database.close()


def _find(database: sqlite3.Connection, key: str, now: float) -> tuple[Any, ...] | None:
    found: tuple[Any, ...] | None = database.execute(_FIND, {"key": key, "now": now}).fetchone()
    return found


def _keep(
    database: sqlite3.Connection, key: str, until: float, *, value: str | None = None, number: int = 0, seen: str = ""
) -> None:
    database.execute(_KEEP, {"key": key, "until": until, "value": value, "number": number, "seen": seen})

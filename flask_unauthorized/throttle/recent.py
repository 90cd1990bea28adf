"""What this process knows of credentials that it has seen a moment ago.

The same credentials from the same network are one guess, however often they come. So a page whose thirty images repeat
one wrong password is one failure, and thirty requests at once with the right password need one reservation:

- The first request with the credentials is the *leader*. It reserves an attempt, and others wait that long.
- Requests that come before the leader's loader has decided, or within `REMEMBER_REJECTED` seconds after it rejected the
  credentials, are *repetitions*. They need no reservation. After `MAX_REPEATS` of them the next one is a leader again,
  so that repetitions can't keep the server busy with hashes.
- Credentials that were accepted are known for `REMEMBER_ACCEPTED` seconds.

Credentials are compared by a keyed hash (BLAKE2b). This process makes the key and never gives it away, so a copy of the
table is of no use for guessing elsewhere. The table forgets its oldest entries if it is full, which costs a reservation
and nothing else.
"""

import hashlib
import secrets
import threading
import time
from enum import Enum
from typing import Any, Final

from ..locks import renew_after_fork
from .counters import Source

REMEMBER_REJECTED: Final = 60.0
"""How long rejected credentials are the same guess, in seconds."""
REMEMBER_ACCEPTED: Final = 300.0
"""How long accepted credentials need no new reservation, in seconds."""
MAX_REPEATS: Final = 50
"""How many repetitions are part of one guess."""
MAX_ENTRIES: Final = 8192
_VERIFYING_AT_MOST: Final = 60.0


class State(Enum):
    """What became of credentials."""

    VERIFYING = "verifying"
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    UNDECIDED = "undecided"
    """The attempt was refused, or given back. The next request with the credentials is a leader."""


class Entry:
    """Credentials that were seen.

    Attributes:
        source: What attempts with them are counted by.
        wait_key: The key of the time until which their pair has to wait.
        state: What became of them.
        until: When the entry ends, by the monotonic clock.
        repeats: How often they were repeated.
        lock: Held by the leader while it reserves.
    """

    __slots__ = ("lock", "repeats", "source", "state", "until", "wait_key")

    def __init__(self, source: Source, now: float) -> None:
        self.source = source
        self.wait_key = source.wait_key
        self.state = State.VERIFYING
        self.until = now + _VERIFYING_AT_MOST
        self.repeats = 0
        self.lock = threading.Lock()

    def accept(self) -> None:
        """Remember that the credentials were accepted."""
        self.until = time.monotonic() + REMEMBER_ACCEPTED
        self.state = State.ACCEPTED

    def reject(self) -> None:
        """Remember that the credentials were rejected."""
        self.until = time.monotonic() + REMEMBER_REJECTED
        self.state = State.REJECTED

    def give_up(self) -> None:
        """Remember that nothing is known of the credentials."""
        self.state = State.UNDECIDED

    def repeat(self, *, after_rejection: bool) -> bool:
        """Return whether this is a repetition that needs no reservation. Waits for the leader to reserve.

        Args:
            after_rejection: Whether it is one after the loader has rejected the credentials, too.
        """
        with self.lock:
            states = (State.VERIFYING, State.REJECTED) if after_rejection else (State.VERIFYING,)
            if self.state not in states or self.repeats >= MAX_REPEATS:
                return False
            self.repeats += 1
            return True


class RecentCredentials:
    """The table of one throttle in one process."""

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)
        self._entries: dict[bytes, Entry] = {}
        self._lock = threading.Lock()
        entries = self._entries

        def make_lock() -> Any:
            entries.clear()  # A thread of the parent may hold the lock of an entry.
            return threading.Lock()

        renew_after_fork(self, make_lock)

    def tag(self, network: str, credentials: tuple[str, ...]) -> bytes:
        """Return what stands for credentials from a network."""
        text = "\0".join((network, *credentials)).encode(errors="surrogatepass")
        return hashlib.blake2b(text, digest_size=16, key=self._key).digest()

    def find(self, tag: bytes) -> Entry | None:
        """Return what is known of credentials."""
        entry = self._entries.get(tag)
        return entry if entry is not None and entry.until > time.monotonic() else None

    def lead(self, tag: bytes, known: Entry | None, source: Source) -> tuple[Entry, bool]:
        """Return the entry for an attempt, and whether the caller is its leader, who holds the entry's lock then.

        Args:
            tag: What stands for the credentials.
            known: What `find` returned. Another entry means that another request leads by now.
            source: What the attempt is counted by.
        """
        with self._lock:
            now = time.monotonic()
            current = self._entries.get(tag)
            if current is not None and current is not known and current.until > now:
                return current, False
            entry = Entry(source, now)
            entry.lock.acquire()
            self._entries.pop(tag, None)
            self._entries[tag] = entry
            while len(self._entries) > MAX_ENTRIES:
                del self._entries[next(iter(self._entries))]
            return entry, True


class SuspectNetworks:
    """The networks from which this process has lately seen a failure or a refused attempt.

    Args:
        seconds: How long one is remembered.

    Attributes:
        until: The networks, each with the time until which it is remembered, by the monotonic clock.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self.until: dict[str, float] = {}
        self._lock = threading.Lock()
        renew_after_fork(self)

    def add(self, network: str) -> None:
        """Remember a network, and forget those whose time has passed."""
        with self._lock:
            now, until = time.monotonic(), self.until
            until.pop(network, None)
            until[network] = now + self._seconds
            while len(until) > MAX_ENTRIES or until[next(iter(until))] <= now:
                del until[next(iter(until))]

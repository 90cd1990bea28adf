"""`IntrospectionCache`: what the authorization server said of tokens, for a while.

Theory of operation
-------------------

1. Entries are found by the SHA-256 of the token's text; the text itself is not stored.
2. Accepted and rejected tokens have separate tables of the same size. Invented tokens therefore displace other invented
   tokens only.
3. Two requests about one token may be under way at once. The response to the *later request* wins, whichever response
   comes first: a slow "active" from before a logout must not replace the "inactive" from after it. `begin` gives each
   request a number; `put` and `put_refusal` compare it with the number of the newest response.
4. A rejection is stored as class and reason. A stored exception would keep its traceback, and that the token.
5. ``exp`` is checked by the wall clock at each use, the age of an entry by the monotonic clock.

Reading takes no lock: a dictionary's ``get`` is atomic, and entries are immutable.
"""

import threading
import time
from collections import OrderedDict
from typing import Any

from ..errors import ExpiredCredentials, InvalidCredentials
from ..errors.text import shown
from ..identity import Identity
from ..locks import renew_after_fork

_Refusal = tuple[type[InvalidCredentials], str | None]


class _Requests:
    """The requests about one token that are under way: how many, and the newest response so far."""

    __slots__ = ("count", "newest", "refusal")

    def __init__(self) -> None:
        self.count = 0
        self.newest = 0  # when its request was asked, as a number that `IntrospectionCache.begin` gave
        self.refusal: _Refusal | None = None  # None if the newest response accepts the token


class IntrospectionCache:
    """At most ``size`` accepted tokens for ``cache`` seconds, and as many rejected ones for ``negative_cache``."""

    def __init__(self, cache: float, negative_cache: float, size: int) -> None:
        self.clock = time.monotonic
        self._accepted_for = cache
        self._rejected_for = negative_cache
        self._size = size
        self._identities: OrderedDict[bytes, tuple[float, Identity]] = OrderedDict()
        self._refusals: OrderedDict[bytes, tuple[float, _Refusal]] = OrderedDict()
        self._under_way: dict[bytes, _Requests] = {}  # as many as may be asked about at a time
        self._last_number = 0
        self._lock = threading.Lock()
        renew_after_fork(self)

    def get(self, digest: bytes) -> Identity | None:
        """Return the identity of an accepted token, or ``None`` for no entry. A rejection is raised again."""
        found = self._identities.get(digest)
        if found is not None and found[0] > self.clock():
            identity = found[1]
            if identity.expires_at is not None and identity.expires_at <= time.time():
                raise ExpiredCredentials(
                    reason="exp has passed since the authorization server was asked: it is "
                    f"{shown(identity.expires_at)}, and now {time.time():.0f}"
                )
            return identity
        refused = self._refusals.get(digest)
        if refused is not None and refused[0] > self.clock():
            kind, reason = refused[1]
            raise kind(reason=f"{reason} (cached: see negative_cache=)")
        return None

    def begin(self, digest: bytes) -> int:
        """Return the number of a request that is asked now; a later request has a higher one. Call `end` after it."""
        with self._lock:
            self._last_number += 1
            self._under_way.setdefault(digest, _Requests()).count += 1
            return self._last_number

    def end(self, digest: bytes) -> None:
        """Remove a request that got its response, or that failed."""
        with self._lock:
            requests = self._under_way[digest]
            requests.count -= 1
            if not requests.count:
                del self._under_way[digest]

    def put(self, digest: bytes, identity: Identity, number: int) -> None:
        """Store an accepted token. Raises the rejection that came for a later request, if there is one."""
        with self._lock:
            if self._is_newest(digest, number, None):
                self._refusals.pop(digest, None)
                self._store(self._identities, digest, identity, self._accepted_for)
                return
            newer = self._under_way[digest].refusal
        if newer is not None:
            raise newer[0](reason=f"{newer[1]} (response to a later request)")

    def put_refusal(self, digest: bytes, refusal: InvalidCredentials, number: int) -> None:
        """Store a rejection."""
        entry = type(refusal), refusal.reason
        with self._lock:
            if self._is_newest(digest, number, entry):
                self._identities.pop(digest, None)
                self._store(self._refusals, digest, entry, self._rejected_for)

    def _is_newest(self, digest: bytes, number: int, refusal: _Refusal | None) -> bool:
        requests = self._under_way[digest]
        if number < requests.newest:
            return False
        requests.newest, requests.refusal = number, refusal
        return True

    def _store(self, table: OrderedDict[bytes, tuple[float, Any]], digest: bytes, value: Any, seconds: float) -> None:
        table.pop(digest, None)
        now = self.clock()
        while table and (len(table) >= self._size or next(iter(table.values()))[0] <= now):  # the oldest come first
            table.popitem(last=False)
        if seconds:
            table[digest] = (now + seconds, value)

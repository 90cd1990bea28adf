"""`TokenCache`: tokens that `JWT` has verified, so that the signature of a repeated token isn't checked again.

Theory of operation
-------------------

The check of a signature is most of what an accepted request costs, and clients send the same token many times.

1. An entry is found by the SHA-256 of the token's text. The text itself is not stored, so a dump holds no token.
2. An entry holds the identity and the key that signed. `JWT` compares that key with the issuer's keys at each use:
   a token whose key was withdrawn is rejected at once, although its entry is younger.
3. An entry ends when the token expires (``until`` is ``exp`` and the leeway).
4. There are at most ``size`` entries. The one that was not used for longest is removed first.
5. Rejected tokens are never stored: their sender can make as many as they like.

What may change while a token lives (whether it was revoked, its user) is not cached; `JWT` asks each time.
"""

import threading
from collections import OrderedDict
from time import time
from typing import NamedTuple

from ..identity import Identity
from ..jose import Key
from ..locks import renew_after_fork


class VerifiedToken(NamedTuple):
    """An accepted token: its identity, the key that signed, and its end in seconds since 1970, or ``None``."""

    identity: Identity
    key: Key
    kid: str | None
    algorithm: str
    until: float | None


class TokenCache:
    """The last ``size`` verified tokens."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._lock = threading.Lock()
        self._tokens: OrderedDict[bytes, VerifiedToken] = OrderedDict()
        renew_after_fork(self)

    def get(self, digest: bytes) -> VerifiedToken | None:
        """Return the entry, or ``None`` for none that still counts."""
        with self._lock:
            found = self._tokens.get(digest)
            if found is None:
                return None
            if found.until is not None and found.until <= time():
                del self._tokens[digest]
                return None
            self._tokens.move_to_end(digest)
        return found

    def put(self, digest: bytes, verified: VerifiedToken) -> None:
        """Add an entry, and remove the one that was not used for longest if there are too many."""
        with self._lock:
            self._tokens[digest] = verified
            self._tokens.move_to_end(digest)
            if len(self._tokens) > self._size:
                self._tokens.popitem(last=False)

    def remove(self, digest: bytes) -> None:
        """Remove an entry, if it is there."""
        with self._lock:
            self._tokens.pop(digest, None)

    def __len__(self) -> int:
        return len(self._tokens)

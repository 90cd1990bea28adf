"""What was verified once, for a while: bounded, by digest, and only as long as its key and its time hold."""

import hashlib
import threading
from collections import OrderedDict
from time import time
from typing import NamedTuple

from ..identity import Identity
from ..jose import Key
from ..stores.locks import renew_after_fork


class Verified(NamedTuple):
    """A token that was good: whose it is, by which key, and until when (seconds since 1970, ``None`` for no end)."""

    identity: Identity
    key: Key
    kid: str | None
    algorithm: str
    until: float | None


class Remembered:
    """The last ``size`` verified tokens, by SHA-256 of their text; the one that was not used for longest goes first."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._lock = threading.Lock()
        self._tokens: OrderedDict[bytes, Verified] = OrderedDict()
        renew_after_fork(self)

    def get(self, digest: bytes) -> Verified | None:
        """What is remembered, or ``None``; never what has ended."""
        with self._lock:
            found = self._tokens.get(digest)
            if found is None:
                return None
            if found.until is not None and found.until <= time():
                del self._tokens[digest]
                return None
            self._tokens.move_to_end(digest)
        return found

    def put(self, digest: bytes, verified: Verified) -> None:
        """Remembers a token, and forgets the oldest beyond the size."""
        with self._lock:
            self._tokens[digest] = verified
            self._tokens.move_to_end(digest)
            if len(self._tokens) > self._size:
                self._tokens.popitem(last=False)

    def forget(self, digest: bytes) -> None:
        """Forgets a token."""
        with self._lock:
            self._tokens.pop(digest, None)

    def __len__(self) -> int:
        return len(self._tokens)


def digest_of(token: str) -> bytes:
    """What a token is remembered by; its text is kept nowhere."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()

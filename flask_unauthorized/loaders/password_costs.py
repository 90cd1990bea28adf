"""What a comparison for an unknown name costs: `Costs` chooses the dummy hash.

Theory of operation
-------------------

A known name costs what its own stored hash costs. A table may have hashes of several costs, such as bcrypt from an old
app and scrypt from a new one. If all unknown names cost the same, each name with another cost would be a known one.
So an unknown name is given a cost as if it had a hash:

1. **Shares.** The costs of stored hashes are counted. A mapping is counted once. With ``sample``, its hashes are
   counted once. A look-up without ``sample`` is counted as its names are seen, and each name counts once, so that
   logging in often doesn't shift the shares.
2. **Choice.** Each name is given one cost, at random in proportion to the shares. The choice is a keyed hash of the
   name (weighted rendezvous hashing). So an unknown name costs the same each time, as a known one does, and only few
   names change their cost when the shares change.
3. **Key.** All processes must choose alike, and clients must not be able to compute the choice. A mapping's key is a
   hash of its contents, whose salts are secret. A look-up's key is the app's ``SECRET_KEY``; without one it is random.

Invariants:

- Over many names, unknown names have the distribution of costs that the counted names have.
- The dummy of a cost takes the same method and parameters as the hashes of that cost.
- While nothing has been counted, the dummy is that of new hashes.
- A hash that can't be compared because of its parameters isn't counted. One whose package is missing is, so that
  unknown names are a 503 in the same share as known ones.

What remains: a look-up without ``sample`` learns in each process. Until a process has seen a few hundred names, its
shares may differ from the table's, and a name may change its cost. Give ``sample`` if that matters.
"""

import hashlib
import hmac
import math
import secrets
import threading
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable, Mapping
from itertools import islice
from typing import Any, Final

from flask import current_app, has_app_context

from ..errors import ConfigurationError
from ..locks import renew_after_fork
from .password_hashes import StoredHash, read_hash

MAX_SAMPLE: Final = 10_000
"""Most hashes of ``sample`` that are counted."""
MAX_NAMES: Final = 10_000
"""Most names that are counted while a process learns."""
_Cost = str
"""The text of the dummy hash: it has the method and all parameters, and nothing of one user."""


class Costs:
    """The costs of stored hashes, and which of them an unknown name has.

    Args:
        default: The dummy while nothing was counted.
        stored: All names with their hashes; ``None`` for a look-up.
        sample: Returns stored hashes to count; ``None`` to learn from the names that are looked up.
    """

    def __init__(
        self, default: StoredHash, stored: Mapping[str, Any] | None, sample: Callable[[], Iterable[Any]] | None
    ) -> None:
        self._default = default
        self._sample = sample
        self._is_look_up = self._learns = stored is None
        self._shares: Counter[_Cost] = Counter()
        self._dummies: dict[_Cost, StoredHash] = {}
        self._names: OrderedDict[int, _Cost] = OrderedDict()  # the hash of each counted name, the latest last
        self._key = secrets.token_bytes(32) if stored is None else _key_of(stored)
        self._lock = threading.Lock()
        renew_after_fork(self)
        if stored is not None:
            self._count_all(stored.values())

    def prepare(self) -> None:
        """Count the hashes of ``sample``, once. What it raises is raised, and the next call tries again."""
        if self._sample is None:
            return
        found = list(islice(self._sample(), MAX_SAMPLE))
        with self._lock:
            if self._sample is not None:
                self._count_all(found)
                self._sample = None
                self._learns = not self._shares  # nothing in it can be compared

    def note(self, name: str, read: StoredHash) -> None:
        """Count a known name whose hash was compared."""
        if not self._learns:
            return
        tag, cost = hash(name), read.dummy_text
        if self._names.get(tag) == cost:
            return
        with self._lock:
            self._take_out(self._names.pop(tag, None))
            self._names[tag] = cost
            self._shares[cost] += 1
            self._dummies.setdefault(cost, read.dummy())
            if len(self._names) > MAX_NAMES:
                self._take_out(self._names.popitem(last=False)[1])

    def dummy(self, name: str) -> StoredHash:
        """Return the dummy hash that stands for an unknown name."""
        with self._lock:
            shares = dict(self._shares)
        if not shares:
            return self._default
        if len(shares) == 1:
            return self._dummies[next(iter(shares))]
        key = self._key
        if self._is_look_up and has_app_context() and current_app.secret_key:
            secret = current_app.secret_key
            key = secret if isinstance(secret, bytes) else secret.encode()
        return self._dummies[min(shares, key=lambda cost: _arrival(key, name, cost) / shares[cost])]

    def _count_all(self, stored: Iterable[Any]) -> None:
        for read in map(read_hash, stored):
            if read is not None and not read.too_costly:
                self._shares[read.dummy_text] += 1
                self._dummies.setdefault(read.dummy_text, read.dummy())

    def _take_out(self, cost: _Cost | None) -> None:
        if cost is not None:
            self._shares[cost] -= 1
            if not self._shares[cost]:
                del self._shares[cost]


def validated_sample(sample: Any, hashes: object) -> Callable[[], Iterable[Any]] | None:
    """Return ``sample``. Raises `ConfigurationError` unless it is a callable beside a look-up."""
    if sample is None:
        return None
    if not callable(sample) or isinstance(hashes, Mapping):
        raise ConfigurationError(
            f"sample={type(sample).__name__} must be a function without arguments that returns stored hashes, beside a "
            "look-up: a mapping is counted without it"
        )
    return sample  # type: ignore[no-any-return]  # a callable


def _key_of(stored: Mapping[str, Any]) -> bytes:
    digest = hashlib.sha256()
    for item in sorted(repr(item) for item in stored.items()):
        digest.update(item.encode(errors="backslashreplace") + b"\n")
    return digest.digest()


def _arrival(key: bytes, name: str, cost: _Cost) -> float:
    """Return a number that is exponentially distributed over names, and always the same for a name and a cost.

    If each of several such numbers is divided by its weight, each is the smallest in proportion to its weight.
    """
    text = f"flask_unauthorized passwords\0{cost}\0{name}"
    number = int.from_bytes(hmac.digest(key, text.encode(errors="surrogatepass"), "sha256")[:7], "big")
    return -math.log((number + 0.5) / 2**56)

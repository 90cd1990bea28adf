"""The counters of a throttle, in its store.

One attempt takes these steps. Each is one operation of the store, or none:

1. `Counters.reserve` increments the counters of the pair (subject and network), of the subject and of the network, all
   at once. The count includes other attempts that are under way, so parallel guesses can't pass together.
2. A network beyond its limit is refused.
3. An attempt that uses up the pair's free failures, or comes later, needs the pair's *turn*: a counter that the first
   of several attempts brings from 0 to 1. The attempt that has the turn looks at the pair's *wait*, which the failure
   before has set. If the wait isn't over, or if another attempt has the turn, the attempt is refused.
4. Beyond the subject's limit, an attempt from a network without acquaintance needs the subject's turn, which lasts for
   the delay.
5. After a failure, `Reservation.failed` leaves the counters as they are. An attempt that had the pair's turn sets the
   next wait, which is twice as long as the one before, and then gives the turn back.
6. After a success, `Reservation.succeeded` takes its own attempt from the counters of network and subject, and forgets
   the pair with its waits. It makes the network an acquaintance of the subject.
7. `Reservation.given_back` takes the attempt out of all counters, as if it had not been made.

Invariants:

- A refused attempt leaves no trace in the counters, so a client that keeps sending prolongs nothing. Nor does it leave
  entries in the store, so random names beyond the limit of a network fill nothing.
- A wait is set before the turn is given back. So the attempt that gets the turn sees the wait.
- No key holds a name, an address or a secret: the store hashes keys.
- A subject is never locked. Acquainted networks only have the limits of pair and network.
- All entries may be evicted. An eviction loses counted failures or an acquaintance.

An acquaintance is a network from which a caller logged in as the subject within the last `ACQUAINTANCE` seconds. One
entry for each subject holds the latest of them, so that one account can't fill the store.
"""

import hashlib
import math
import random
import time
from contextlib import suppress
from typing import Final, NamedTuple

from ..errors import AuthUnavailable, TooManyAttempts
from ..events import shown_subject
from ..logs import log
from ..stores.base import EVICTABLE_PURPOSE, Store
from .limits import DAY, Limit
from .networks import Network

ACQUAINTANCE: Final = 30 * DAY
"""How long a network is an acquaintance of a subject after a login, in seconds."""
MAX_ACQUAINTANCES: Final = 20
"""How many networks are remembered for each subject."""
SUBJECT_DELAY: Final = 30
"""The delay between attempts for a subject beyond its limit, in seconds."""
_MAX_KNOWN: Final = 8192
TURN: Final = 60
"""How long a loader may take before another attempt gets the turn, in seconds."""


class Source(NamedTuple):
    """What one attempt is counted by.

    Attributes:
        subject: The key of the subject (`subjects.subject_key`); for a token, the hash of the token.
        name: The name that was tried, as `subjects.short_name` gives it; ``None`` for a token, which names no caller.
        network: Where the attempt comes from.
    """

    subject: str
    name: str | None
    network: Network

    @property
    def pair(self) -> str:
        """The key of subject and network together."""
        kind = "token" if self.name is None else "name"
        return f"{kind} {self.network.key} {self.subject}"

    @property
    def wait_key(self) -> str:
        """The key of the time until which the pair has to wait."""
        return f"wait {self.pair}"


class Refusal(Exception):
    """An attempt is refused. It never leaves this package.

    Args:
        limit: ``"pair"``, ``"subject"``, ``"network"`` or ``"disabled"``.
        wait: How long the caller has to wait, in seconds.
    """

    def __init__(self, limit: str, wait: float) -> None:
        super().__init__(limit, wait)
        self.limit = limit
        self.wait = wait


class Counters:
    """The counters of one throttle. The arguments are those of `Throttle`."""

    def __init__(self, store: Store, *, per_pair: Limit, per_subject: Limit, per_network: Limit, max_wait: int) -> None:
        self.store: Final = store
        self.per_pair: Final = per_pair
        self.per_subject: Final = per_subject
        self.per_network: Final = per_network
        self.max_wait: Final = max_wait
        self._acquainted_on: dict[str, int] = {}

    def reserve(self, source: Source) -> "Reservation":
        """Reserve an attempt.

        Raises:
            Refusal: If it has to wait.
            AuthUnavailable: If the store is unavailable.
        """
        reservation = Reservation(self, source)
        (of_pair, _), (of_network, rest), *of_subject = self.store.increment_many(
            EVICTABLE_PURPOSE, reservation.lifetimes()
        )
        reservation.failures_of_pair = of_pair
        try:
            if of_network > self.per_network.failures and not source.network.is_shared:
                # Many clients may wait for the same moment. They shouldn't all come at once.
                spread = random.uniform(1, 1.1)  # noqa: S311  # not a secret
                raise Refusal("network", max(1.0, rest) * spread)
            if of_pair >= self.per_pair.failures:
                self._take_turn(reservation)
            for count, _ in of_subject:
                if count > self.per_subject.failures:
                    self._take_turn_of_subject(reservation, count)
        except (Refusal, AuthUnavailable):
            with suppress(AuthUnavailable):
                reservation.given_back()
            raise
        return reservation

    def count_failure(self, source: Source) -> None:
        """Count a failure that was not reserved. The next attempt sees it."""
        self.store.increment_many(EVICTABLE_PURPOSE, Reservation(self, source).lifetimes())

    def wait(self, key: str) -> float:
        """Return how long a pair has to wait, in seconds; 0 if an attempt may be made now.

        Args:
            key: The pair's `Source.wait_key`.
        """
        until = self.store.get(EVICTABLE_PURPOSE, key)
        # Clocks of processes may differ, so a wait is never longer than the longest one.
        return 0.0 if until is None else min(max(0.0, float(until) - time.time()), self.max_wait)

    def set_wait(self, source: Source) -> None:
        """Set the next wait of a pair, twice as long as the one before."""
        ((level, _),) = self.store.increment_many(EVICTABLE_PURPOSE, [(f"level {source.pair}", DAY)])
        wait = min(self.per_pair.seconds * 2 ** min(level - 1, 20), self.max_wait)
        self.store.put(EVICTABLE_PURPOSE, source.wait_key, f"{time.time() + wait:.3f}", wait)

    def _take_turn(self, reservation: "Reservation") -> None:
        key = f"turn {reservation.source.pair}"
        ((count, _),) = self.store.increment_many(EVICTABLE_PURPOSE, [(key, TURN)])
        if count == 1:
            reservation.turns.append(key)
        wait = self.wait(reservation.source.wait_key)
        if count > 1 or wait > 0:
            # Without a wait another attempt is under way, and only its end will tell.
            raise Refusal("pair", max(1.0, wait))

    def _take_turn_of_subject(self, reservation: "Reservation", failures: int) -> None:
        source = reservation.source
        if self._is_acquainted(source):
            return
        is_long = failures > 2 * self.per_subject.failures
        # Turns of both lengths have keys of their own, because a store may shorten a turn to the lifetime that it gets.
        key = f"turn-{'long' if is_long else 'short'} {source.subject}"
        delay = max(self.max_wait, SUBJECT_DELAY) if is_long else SUBJECT_DELAY
        ((count, remaining),) = self.store.increment_many(EVICTABLE_PURPOSE, [(key, delay)])
        if count > 1:
            raise Refusal("subject", max(1.0, remaining))
        reservation.turns_of_subject.append(key)
        if is_long:
            log.warning(
                "throttle: %d failed attempts in %d s for the subject %s: networks without an earlier login now wait "
                "%d s for each attempt",
                failures,
                self.per_subject.seconds,
                shown_subject(source.name or ""),
                delay,
            )

    def _is_acquainted(self, source: Source) -> bool:
        return _network_tag(source.network.key) in self._acquaintances(source)

    def _acquaintances(self, source: Source) -> dict[str, int]:
        """Return the acquaintances of a subject with the day of the last login, the latest last."""
        found = self.store.get(EVICTABLE_PURPOSE, f"known {source.subject}") or ""
        oldest = (time.time() - ACQUAINTANCE) // DAY
        days = (item.partition(":")[::2] for item in found.split())
        return {tag: int(day) for tag, day in days if int(day) >= oldest}

    def make_acquainted(self, source: Source) -> None:
        """Remember that a caller logged in as the subject from this network."""
        today = int(time.time() // DAY)
        if self._acquainted_on.get(source.pair) == today:  # It saves a read of the store.
            return
        if len(self._acquainted_on) >= _MAX_KNOWN:
            self._acquainted_on.clear()
        self._acquainted_on[source.pair] = today
        known, tag = self._acquaintances(source), _network_tag(source.network.key)
        if known.pop(tag, None) == today:
            return
        known[tag] = today
        latest = list(known.items())[-MAX_ACQUAINTANCES:]
        value = " ".join(f"{tag}:{day}" for tag, day in latest)
        self.store.put(EVICTABLE_PURPOSE, f"known {source.subject}", value, ACQUAINTANCE)


class Reservation:
    """A reserved attempt. Exactly one of `failed`, `succeeded` and `given_back` ends it."""

    __slots__ = ("counters", "failures_of_pair", "source", "turns", "turns_of_subject")

    def __init__(self, counters: Counters, source: Source) -> None:
        self.counters = counters
        self.source = source
        self.failures_of_pair = 0
        self.turns: list[str] = []
        self.turns_of_subject: list[str] = []

    def lifetimes(self) -> list[tuple[str, float]]:
        """Return the counters of the attempt, each with its lifetime: pair, network, and subject if there is one."""
        counters, source = self.counters, self.source
        found: list[tuple[str, float]] = [
            (f"pair {source.pair}", DAY),
            (f"network {source.network.key}", counters.per_network.seconds),
        ]
        if source.name is not None:
            found.append((f"subject {source.subject}", counters.per_subject.seconds))
        return found

    def failed(self) -> None:
        """Keep the attempt as a failure."""
        if self.turns:
            self.counters.set_wait(self.source)
            self.counters.store.forget(EVICTABLE_PURPOSE, *self.turns)

    def succeeded(self) -> None:
        """Take the attempt back from network and subject, and forget the failures of the pair."""
        store, pair = self.counters.store, self.source.pair
        keys = [key for key, _ in self.lifetimes()]
        if self.failures_of_pair > 1:
            store.decrement(EVICTABLE_PURPOSE, *keys[1:])
            turns = (f"level {pair}", self.source.wait_key, *self.turns, *self.turns_of_subject)
            store.forget(EVICTABLE_PURPOSE, keys[0], *turns)
        else:
            store.decrement(EVICTABLE_PURPOSE, *keys)
            turns = (*self.turns, *self.turns_of_subject)
            if turns:
                store.forget(EVICTABLE_PURPOSE, *turns)
        if self.source.name is not None:
            self.counters.make_acquainted(self.source)

    def given_back(self) -> None:
        """Take the attempt out of all counters."""
        store = self.counters.store
        store.decrement(EVICTABLE_PURPOSE, *(key for key, _ in self.lifetimes()))
        turns = (*self.turns, *self.turns_of_subject)
        if turns:
            store.forget(EVICTABLE_PURPOSE, *turns)


def refusal_error(refusal: Refusal, source: Source, limit: Limit | None) -> TooManyAttempts:
    """Return the 429 for a refused attempt. A disabled subject has no limit."""
    if limit is None:
        return TooManyAttempts(
            reason=f"throttle: the subject {shown_subject(source.name or '')} is disabled, tried from "
            f"{source.network.key}: call throttle.enable(name) when its owner has a new password",
            retry_after=refusal.wait,
        )
    who = "a token" if source.name is None else f"the subject {shown_subject(source.name)}"
    return TooManyAttempts(
        reason=f"throttle: the limit per {refusal.limit}, {limit!r}, is reached for {who} from {source.network.key}: "
        f"wait {math.ceil(refusal.wait)} s",
        retry_after=refusal.wait,
    )


def _network_tag(key: str) -> str:
    """Return how a network is named in the list of acquaintances: a hash, because the list is stored."""
    return hashlib.sha256(key.encode()).hexdigest()[:16]

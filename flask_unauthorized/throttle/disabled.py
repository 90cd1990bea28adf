"""Subjects that are disabled after many consecutive failures: ``Throttle(disable_after=100)``.

NIST SP 800-63B-4 §3.2.2 demands that an authenticator is disabled after at most 100 consecutive failures of one
account. Most apps shouldn't want this, because anyone who knows a name can disable it. So it is off by default.

1. `DisabledSubjects.reserve` increments the subject's counter before the loader runs. The count includes attempts
   that are under way, so parallel guesses can't pass together: the loader is asked at most ``limit`` times in a row.
2. A success forgets the counter. An attempt that is given back takes 1 from it.
3. The failure that reaches the limit writes the mark. `Store.replace` has one winner, who sends the signal.
4. A marked subject is refused, whatever else is known of its credentials, until the app removes the mark.

Invariants:

- Counter and mark have a purpose of their own, so no store evicts them. A full store refuses new subjects (503).
- Neither expires before `MAX_LIFETIME`, ten years.
- Known and unknown names are counted alike, and a refusal looks like that of a delayed subject. So it doesn't say
  whether a name exists.
- A process that dies between 1 and 3 leaves its attempt counted as a failure.
"""

from typing import Any, Final

from ..errors import AuthUnavailable, ConfigurationError
from ..stores.base import MAX_LIFETIME, Store

PURPOSE: Final = "disabling"
"""The purpose of counters and marks. It isn't `EVICTABLE_PURPOSE`."""
MAX_FAILURES: Final = 1_000_000


class DisabledSubjects:
    """The consecutive failures of subjects, and which subjects are disabled.

    Args:
        store: Holds counters and marks.
        limit: How many consecutive failures disable a subject.
    """

    def __init__(self, store: Store, limit: int) -> None:
        self.store: Final = store
        self.limit: Final = limit

    def contains(self, subject: str) -> bool:
        """Return whether a subject is disabled."""
        return self.store.get(PURPOSE, f"mark {subject}") is not None

    def reserve(self, subject: str) -> int:
        """Count an attempt, and return the count. Return 0, and count nothing, if the subject is at its limit."""
        if self.contains(subject):
            return 0
        ((count, _),) = self.store.increment_many(PURPOSE, [(f"failures {subject}", MAX_LIFETIME)])
        if count > self.limit:
            self.give_back(subject)
            return 0
        return count

    def failed(self, subject: str, count: int) -> bool:
        """Disable the subject if this failure reaches the limit. Return ``True`` to the one caller who did.

        Args:
            subject: The key of the subject.
            count: What `reserve` returned; 0 if it wasn't called for this attempt.
        """
        if not count:
            ((count, _),) = self.store.increment_many(PURPOSE, [(f"failures {subject}", MAX_LIFETIME)])
        return count >= self.limit and self.store.replace(PURPOSE, f"mark {subject}", None, "1", MAX_LIFETIME)

    def give_back(self, subject: str) -> None:
        """Take an attempt from the count."""
        self.store.decrement(PURPOSE, f"failures {subject}")

    def succeeded(self, subject: str) -> None:
        """Forget the failures of a subject. A mark stays."""
        self.store.forget(PURPOSE, f"failures {subject}")

    def enable(self, subject: str) -> bool:
        """Forget the failures and the mark of a subject. Return whether its attempts were refused."""
        try:
            # Not only the mark, because a subject is refused as well if its last failure couldn't write it.
            was_disabled = not self.reserve(subject)
        except AuthUnavailable:  # A full store counts no new subject, and forgets all the same.
            was_disabled = False
        self.store.forget(PURPOSE, f"failures {subject}", f"mark {subject}")
        return was_disabled


def validated_disable_after(limit: Any, store: Store, on_outage: str) -> DisabledSubjects | None:
    """Return what counts the failures, or ``None`` if ``limit`` is.

    Raises:
        ConfigurationError: The value, the store or ``on_outage`` can't be used.
        TypeError: ``limit`` isn't an ``int``.
    """
    if limit is None:
        return None
    if isinstance(limit, bool) or not isinstance(limit, int):
        raise TypeError(f"disable_after must be an int or None, not {limit!r}: write such as disable_after=100")
    if not 1 <= limit <= MAX_FAILURES:
        raise ConfigurationError(f"disable_after must be 1 to {MAX_FAILURES}, not {limit}")
    if on_outage == "allow":
        raise ConfigurationError(
            "disable_after= and on_outage='allow' contradict each other: an outage would enable every subject. Leave "
            "out on_outage="
        )
    if not store.can_replace:
        raise ConfigurationError(
            f"disable_after= needs a store that can replace, and {type(store).__name__} has no method _replace: use "
            "MemoryStore, SQLiteStore or RedisStore"
        )
    return DisabledSubjects(store, limit)

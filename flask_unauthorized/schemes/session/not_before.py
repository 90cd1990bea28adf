"""Not-before times: the sessions of a user that began at this time or before have ended.

One entry of a store (``session-not-before``) ends any number of sessions. These rules hold:

1. **Clocks of hosts differ.** The time lies `MAX_CLOCK_SKEW` seconds ahead, so that it covers a session that began by a
   clock ahead of this one. A new session must begin later than that, or it would have ended at once: `next_begin` gives
   the moment after it.
2. **A not-before time never goes back.** A session may have begun just after the last one, and an earlier time would
   revive the sessions between them.
3. **A session from the future isn't accepted.** If a clock was set back, such a session may still be older than the
   not-before time.
"""

import math
import time

from ...stores.base import Store
from ...wire.rules import MAX_CLOCK_SKEW
from .devices import Device
from .storage import entry_lifetime, reject_foreign_value, store_key


class NotBeforeTimes:
    """The not-before times of users.

    Args:
        store: Where they are.
        lifetime: How long a login and its last session may live, in seconds.
    """

    def __init__(self, store: Store, lifetime: int) -> None:
        self._store = store
        self._lifetime = lifetime

    def find(self, subject: str, realm: str) -> float | None:
        """Return the not-before time of a user, ``None`` if there is none.

        Raises:
            AuthUnavailable: If the store can't be asked.
        """
        not_before = self._store.get("session-not-before", store_key(realm, subject))
        try:
            return None if not_before is None else float(not_before)
        except ValueError:
            reject_foreign_value()

    def advance(self, subject: str, realm: str) -> float:
        """End all sessions that a user has begun until now. Return the new time.

        Raises:
            AuthUnavailable: If the store can't be asked.
        """
        last = self.find(subject, realm)
        not_before = time.time() + MAX_CLOCK_SKEW
        if last is not None and not_before <= last:
            not_before = math.nextafter(last, math.inf)
        until = not_before + self._lifetime
        self._store.put("session-not-before", store_key(realm, subject), repr(not_before), entry_lifetime(until))
        return not_before

    def begin_time(self, subject: str, realm: str) -> float:
        """Return the time of a session that begins now: the present, or the moment after the user's not-before time.

        Raises:
            AuthUnavailable: If the store can't be asked.
        """
        return next_begin(self.find(subject, realm))

    def begin_time_of(self, device: Device, realm: str) -> float | None:
        """Return the time of a session that a remember cookie opens now; ``None`` if its login was ended with all.

        Both are decided by one reading. Otherwise the session could begin after a not-before time that ends its login.

        Raises:
            AuthUnavailable: If the store can't be asked.
        """
        not_before = self.find(device.subject, realm)
        return None if is_covered(device.created, not_before) else next_begin(not_before)

    def was_ended_with_all(self, device: Device, realm: str) -> bool:
        """Return whether a login was ended with all sessions of its user.

        Raises:
            AuthUnavailable: If the store can't be asked.
        """
        return is_covered(device.created, self.find(device.subject, realm))


def is_covered(begun: float, not_before: float | None) -> bool:
    """Return whether a not-before time ends what began at ``begun``."""
    # If the clock went back, a login from the future may still be older than the not-before time.
    return not_before is not None and not not_before < begun <= time.time() + 2 * MAX_CLOCK_SKEW


def next_begin(not_before: float | None) -> float:
    """Return the time of a session that begins now: the present, or the moment after a not-before time."""
    now = time.time()
    return now if not_before is None or now > not_before else math.nextafter(not_before, math.inf)

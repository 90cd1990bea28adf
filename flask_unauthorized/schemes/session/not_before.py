"""Not-before times: sessions that began at this time or before have ended.

One entry of a store ends any number of sessions: those of one user (``session-not-before``), or those of all users of a
realm (``session-not-before-all``). The later of the two counts. These rules hold:

1. **Clocks of hosts differ.** The time lies `MAX_CLOCK_SKEW` seconds ahead, so that it covers a session that began by a
   clock ahead of this one. A new session must begin later than that, or it would have ended at once: `next_begin` gives
   the moment after it.
2. **A not-before time never goes back.** A session may have begun just after the last one, and an earlier time would
   revive the sessions between them.
3. **A session from the future isn't accepted.** If a clock was set back, such a session may still be older than the
   not-before time.
4. **The time of a realm covers what began after the time of any user.** It can't read these times, because there may
   be a million. By rule 1, such a session began at most twice `MAX_CLOCK_SKEW` ahead of this clock, or a few moments
   more. So the time of the realm lies that far ahead, and `_STEP` after the last one.

A request reads the session's entry and both times by one operation of the store.
"""

import math
import time
from typing import Final, NamedTuple

from ...stores.base import Store
from ...wire.rules import MAX_CLOCK_SKEW
from .devices import Device
from .storage import entry_lifetime, reject_foreign_value, store_key

_OF_USER: Final = "session-not-before"
_OF_REALM: Final = "session-not-before-all"
_STEP: Final = 0.001
"""Least time between two times of a realm, in seconds: more than a user's sessions and times move ahead in between."""


class NotBefore(NamedTuple):
    """When a session must have begun to count.

    Attributes:
        time: Sessions that began at this time or before have ended.
        most_ahead: How far ahead of this host's clock a session may have begun, because clocks of hosts differ, in
            seconds.
    """

    time: float
    most_ahead: float


class NotBeforeTimes:
    """The not-before times of users and of realms.

    Args:
        store: Where they are.
        lifetime: How long a login and its last session may live, in seconds.
    """

    def __init__(self, store: Store, lifetime: int) -> None:
        self._store = store
        self._lifetime = lifetime

    def find(self, subject: str, realm: str) -> NotBefore | None:
        """Return the later of the not-before times of a user and of the realm; ``None`` if there is none.

        Raises:
            AuthUnavailable: If the store can't be asked.
        """
        return _latest(*self._store.get_many((_OF_USER, store_key(realm, subject)), (_OF_REALM, store_key(realm, ""))))

    def find_with(self, session_key: str, subject: str, realm: str) -> tuple[str | None, NotBefore | None]:
        """Return the entry of a session, and the not-before time of its user, which are read at once.

        Raises:
            AuthUnavailable: If the store can't be asked.
        """
        entry, of_user, of_realm = self._store.get_many(
            ("session", session_key), (_OF_USER, store_key(realm, subject)), (_OF_REALM, store_key(realm, ""))
        )
        return entry, None if of_user is None and of_realm is None else _latest(of_user, of_realm)

    def advance(self, subject: str, realm: str) -> float:
        """End all sessions that a user has begun until now. Return the new time.

        Raises:
            AuthUnavailable: If the store can't be asked.
        """
        last = self.find(subject, realm)
        not_before = time.time() + MAX_CLOCK_SKEW
        if last is not None and not_before <= last.time:
            not_before = math.nextafter(last.time, math.inf)
        until = not_before + self._lifetime
        self._store.put(_OF_USER, store_key(realm, subject), repr(not_before), entry_lifetime(until))
        return not_before

    def advance_all(self, realm: str) -> None:
        """End all sessions that any user of a realm has begun until now.

        Raises:
            AuthUnavailable: If the store can't be asked.
        """
        last = _latest(None, self._store.get(_OF_REALM, store_key(realm, "")))
        not_before = time.time() + 2 * MAX_CLOCK_SKEW + _STEP
        if last is not None:
            not_before = max(not_before, last.time + _STEP)
        until = not_before + self._lifetime
        self._store.put(_OF_REALM, store_key(realm, ""), repr(not_before), entry_lifetime(until))

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


def is_covered(begun: float, not_before: NotBefore | None) -> bool:
    """Return whether a not-before time ends what began at ``begun``."""
    # If the clock went back, a login from the future may still be older than the not-before time.
    return not_before is not None and not not_before.time < begun <= time.time() + not_before.most_ahead


def next_begin(not_before: NotBefore | None) -> float:
    """Return the time of a session that begins now: the present, or the moment after a not-before time."""
    now = time.time()
    return now if not_before is None or now > not_before.time else math.nextafter(not_before.time, math.inf)


def _latest(of_user: str | None, of_realm: str | None) -> NotBefore | None:
    """Return the later of the times that a store holds; ``None`` if there is none."""
    try:
        if of_realm is not None:
            time_of_realm = float(of_realm)
            latest = time_of_realm if of_user is None else max(float(of_user), time_of_realm)
            return NotBefore(latest, 3 * MAX_CLOCK_SKEW + 1)
        return None if of_user is None else NotBefore(float(of_user), 2 * MAX_CLOCK_SKEW + 1)
    except ValueError:
        reject_foreign_value()

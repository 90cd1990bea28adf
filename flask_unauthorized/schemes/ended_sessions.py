"""Sessions that ended before their time, as a store remembers them.

Flask's session lies in the cookie. A logout deletes the cookie in one browser, and every copy of it stays valid until
the session's lifetime has passed. `EndedSessions` remembers which sessions have ended, and a session counts only if
`was_ended` is false. The store has two kinds of entries:

- One for each session that ended by itself, by its id (``session-ended``).
- One **not-before time** for each user whose sessions all ended (``session-not-before``): sessions that began at
  it or before have ended. One entry ends any number of sessions.

Four facts make this more than a set of ids:

1. **A user must not be able to fill the store** by logging in and out. Logouts are counted for each user, and after
   `MAX_ENDED` of them a logout ends all sessions of the user. It then writes the not-before time, which is one entry.
2. **Clocks of machines differ.** The not-before time lies `MAX_CLOCK_SKEW` seconds ahead, so that it covers a session
   that began by a clock ahead of this one. A new session must be later than that, or it would be over at once:
   `begin_time` gives the next moment after it.
3. **A not-before time never goes back.** A session may have begun just after the last one, and an earlier time would
   revive the sessions between them.
4. **Entries live as long as what they end**, and a little longer for the clocks. A session that outlived its entry
   would be valid again.

All entries are stored by realm, because another app with the same store may have another user of the same name.
"""

import math
import time
from typing import Final

from ..stores.base import MAX_LIFETIME, Store
from ..wire.rules import MAX_CLOCK_SKEW
from .session_record import LoginRecord

MAX_ENDED: Final = 100
"""Most sessions of one user that the store remembers one by one. After that, a logout ends all sessions of the user."""
_ENDED: Final = "ended"
"""The value of an ended session. A logout that failed in the middle leaves a claim, which has another value."""


class EndedSessions:
    """The sessions of one `SessionCookie` that have ended.

    Args:
        store: Where they are remembered.
        lifetime: How long a session lives at most, in seconds.
    """

    def __init__(self, store: Store, lifetime: int) -> None:
        self._store = store
        self._lifetime = lifetime

    def was_ended(self, login: LoginRecord) -> bool:
        """Return whether a session has ended, alone or with all sessions of its user.

        Raises:
            AuthUnavailable: If the store can't be asked.
        """
        if self._store.get("session-ended", _key(login.realm, login.session_id)) == _ENDED:
            return True
        not_before = self._not_before(login.subject, login.realm)
        # If the clock went back, a login from the future may still be older than the not-before time.
        return not_before is not None and not not_before < login.begun <= time.time() + 2 * MAX_CLOCK_SKEW

    def end(self, login: LoginRecord) -> bool:
        """End one session. Return whether that ended all sessions of its user.

        Several logouts with copies of one cookie count once, also at the same time, because one of them gets the claim.

        Raises:
            AuthUnavailable: If the store can't be asked.
        """
        session, user = _key(login.realm, login.session_id), _key(login.realm, login.subject)
        entry_lifetime = self._entry_lifetime(login.begun)
        exceeds_limit = self._store.get("sessions-flooded", user) is not None
        if not exceeds_limit and self._store.claim("session-ended", session, entry_lifetime):
            count_lifetime = self._entry_lifetime(time.time())
            exceeds_limit = self._store.increment("sessions-ended", user, count_lifetime) > MAX_ENDED
            if exceeds_limit:
                self._store.put("sessions-flooded", user, "1", count_lifetime)
        if exceeds_limit:
            self.end_all(login.subject, login.realm)
        else:  # Also without the claim: the request that got it may have failed since.
            self._store.put("session-ended", session, _ENDED, entry_lifetime)
        return exceeds_limit

    def end_all(self, subject: str, realm: str) -> None:
        """End all sessions that a user has begun until now.

        Raises:
            AuthUnavailable: If the store can't be asked.
        """
        last = self._not_before(subject, realm)
        not_before = time.time() + MAX_CLOCK_SKEW
        if last is not None and not_before <= last:
            not_before = math.nextafter(last, math.inf)
        self._store.put("session-not-before", _key(realm, subject), repr(not_before), self._entry_lifetime(not_before))

    def begin_time(self, subject: str, realm: str) -> float:
        """Return the time of a session that begins now: the present, or the moment after the user's not-before time.

        Raises:
            AuthUnavailable: If the store can't be asked.
        """
        now = time.time()
        not_before = self._not_before(subject, realm)
        return now if not_before is None or now > not_before else math.nextafter(not_before, math.inf)

    def _not_before(self, subject: str, realm: str) -> float | None:
        not_before = self._store.get("session-not-before", _key(realm, subject))
        return None if not_before is None else float(not_before)

    def _entry_lifetime(self, begun: float) -> float:
        """Return how long an entry is stored that ends sessions which began until ``begun``, in seconds.

        The sessions live longer on a machine whose clock is behind this one, so the entry does, too.
        """
        return min(begun + self._lifetime - time.time() + MAX_CLOCK_SKEW + 1, MAX_LIFETIME)


def _key(realm: str, name: str) -> str:
    """Return a key for something that belongs to ``realm``. The length separates realms with a common beginning."""
    return f"{len(realm)}:{realm}{name}"

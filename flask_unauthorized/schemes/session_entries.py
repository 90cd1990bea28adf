"""What a store remembers about sessions: which have ended, which devices a user has, and who logged in elsewhere.

Flask's session lies in the cookie. A logout deletes the cookie in one browser, and every copy of it stays valid until
the session's lifetime has passed. With a store, a session counts only if `SessionEntries.was_ended` is false. The store
has these entries:

- One for each login, by the id in its session (``session``): see `devices`. It says whether the device has ended.
- One **not-before time** for each user whose sessions all ended (``session-not-before``): sessions that began at
  it or before have ended. One entry ends any number of sessions.
- One list of the devices of each user (``sessions``), and one of the devices of each session at an identity provider
  (``provider-session``). They only find entries. Whether a device is alive, its own entry says.

The entries change by compare and swap only, so none of these can be lost: "ended" is final, also if another request
notes the last use at the same moment. If the store can't do that (`Store.can_replace`), it remembers only ended
sessions and not-before times.

Six facts make this more than a set of ids:

1. **A user must not be able to fill the store** by logging in and out. A user has `MAX_DEVICES` devices at most: the
   next login ends the oldest. Ended devices are counted for each user, and after `MAX_ENDED` of them the next end is
   one of all sessions of the user. It writes the not-before time, which is one entry, and drops the others.
2. **Clocks of machines differ.** The not-before time lies `MAX_CLOCK_SKEW` seconds ahead, so that it covers a session
   that began by a clock ahead of this one. A new session must be later than that, or it would be over at once:
   `begin_time` gives the next moment after it.
3. **A not-before time never goes back.** A session may have begun just after the last one, and an earlier time would
   revive the sessions between them.
4. **Entries live as long as what they end**, and a little longer for the clocks. A session that outlived its entry
   would be valid again.
5. **A lost entry ends no session**, because a store may be wiped, or may be new. The session is entered again when
   its last use is noted. A remember cookie without an entry isn't valid.
6. **Steps can fail in between.** A device is ended before a list forgets it, and a login is entered before its
   cookie is sent. What a failure leaves is an entry without a cookie, which opens nothing and expires.

All entries are stored by realm, because another app with the same store may have another user of the same name.
"""

import json
import logging
import math
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, Final, NamedTuple, NoReturn

from ..errors import AuthUnavailable, InvalidCredentials, SessionStolen
from ..stores.base import MAX_LIFETIME, MIN_LIFETIME, Store
from ..wire.rules import MAX_CLOCK_SKEW
from .devices import ENDED, STOLEN, Device, read_entry
from .session_record import LoginRecord, is_time

log: Final = logging.getLogger("flask_unauthorized")
MAX_ENDED: Final = 100
"""Most devices of one user that the store remembers as ended. After that, a logout ends all sessions of the user."""
MAX_DEVICES: Final = 20
"""Most devices of one user, and of one session at an identity provider."""
USE_INTERVAL: Final = 60
"""Least time between two notes that a session was used, in seconds. A shorter ``idle`` shortens it."""
_INTERVAL_WITHOUT_IDLE: Final = 3600
MAX_TRIES: Final = 200
"""How often an entry is read again that others have changed. Each time one of the others has succeeded."""
ENDED_REASON: Final = "Cookie: the session was ended by logout() or end_sessions(), as store= knows: log in again"
STOLEN_REASON: Final = (
    "Cookie: the remember cookie of this login was used in two places, so it may have been stolen: log in again"
)


class Row(NamedTuple):
    """A device in a list: its id, when it was created, and when it ends at the latest."""

    session_id: str
    created: float
    until: float


class FoundDevice(NamedTuple):
    """A device that is alive: its id, the time of its last use, and the device."""

    session_id: str
    last_seen: int
    device: Device


def use_interval(idle: int | None) -> float:
    """Return the least time between two notes that a session was used, in seconds."""
    # Without an idle time, nothing depends on the last use. A quarter keeps short idle times exact enough.
    return _INTERVAL_WITHOUT_IDLE if idle is None else min(USE_INTERVAL, idle / 4)


class SessionEntries:
    """The sessions of one `SessionCookie`, as its store remembers them.

    Args:
        store: Where they are remembered.
        lifetime: How long a session lives at most, in seconds.
        idle: How long a session lives after its last use, in seconds; ``None`` for no limit.
        remember: How long a login is remembered, in seconds; ``None`` if no login is.

    Attributes:
        lists_devices: Whether the store can change entries atomically. Otherwise it remembers only what has ended.
    """

    def __init__(self, store: Store, lifetime: int, idle: int | None, remember: int | None) -> None:
        self.lists_devices = store.can_replace
        self._store = store
        self._lifetime = lifetime
        self._idle = idle
        self._longest = max(lifetime, (remember or 0) + lifetime)
        self._use_interval = use_interval(idle)

    # --- one session

    def was_ended(self, login: LoginRecord) -> bool:
        """Return whether a session has ended, alone or with all sessions of its user.

        It leaves the entry in ``login.entry``.

        Raises:
            AuthUnavailable: If the store can't be asked.
            SessionStolen: If the remember cookie of the session was used in two places.
        """
        entry = login.entry = self._store.get("session", _key(login.realm, login.session_id))
        if entry == ENDED:
            return True
        if entry == STOLEN:
            raise SessionStolen(reason=STOLEN_REASON)
        return _is_covered(login.begun, self._not_before(login.subject, login.realm))

    def note_use(self, login: LoginRecord, label: Callable[[], str]) -> None:
        """Note that a session is used, if that is due. A failure refuses no request.

        Args:
            login: What `was_ended` was asked about.
            label: Gives the label of the device, if the session has to be entered again.

        Raises:
            AuthUnavailable: If the store holds an entry that this library didn't write.
        """
        entry, now = login.entry, time.time()
        try:
            seen = login.last_used if entry is None else int(entry.partition(" ")[0])
        except ValueError:
            _refuse_foreign_value()
        if -MAX_CLOCK_SKEW <= now - seen <= self._use_interval:
            return
        device = None if entry is None else _read(entry)[1]
        try:
            self._write_use(login, entry, device, label, now)
        except AuthUnavailable as error:
            log.debug("the last use of a session was not noted: %s", error.reason)

    def _write_use(
        self, login: LoginRecord, entry: str | None, device: Device | None, label: Callable[[], str], now: float
    ) -> None:
        if device is None:
            device = Device(subject=login.subject, created=login.begun, label=label())
        key, lifetime = _key(login.realm, login.session_id), self._lifetime_of(device, login.begun)
        if self._store.replace("session", key, entry, device.to_entry(now), lifetime):
            self._list(login, device)

    def keep_listed(self, login: LoginRecord, device: Device) -> None:
        """List a device again that its user's list has lost, such as by a failure. A failure refuses nobody."""
        try:
            self._list(login, device)
        except AuthUnavailable as error:
            log.debug("a device was not listed: %s", error.reason)

    def find(self, realm: str, session_id: str) -> tuple[str | None, FoundDevice | None]:
        """Return the entry of a device, and the device, unless it has ended.

        Raises:
            AuthUnavailable: If the store can't be asked.
        """
        entry = self._store.get("session", _key(realm, session_id))
        if entry is None or entry in (ENDED, STOLEN):
            return entry, None
        return entry, FoundDevice(session_id, *_read(entry))

    def change(self, realm: str, session_id: str, entry: str, device: Device) -> bool:
        """Replace the entry of a device that is used now. Return ``False`` if it isn't ``entry`` any more."""
        key = _key(realm, session_id)
        return self._store.replace("session", key, entry, device.to_entry(time.time()), self._lifetime_of(device))

    # --- logins

    def enter(self, login: LoginRecord, device: Device, replaced_id: str | None = None) -> None:
        """Enter a login that begins. If that ends all other sessions of the user, ``login.begun`` changes.

        Args:
            login: The login.
            device: The device. ``created`` is when the login began.
            replaced_id: The id of the device whose place it takes, which ends afterwards.

        Raises:
            AuthUnavailable: If the store can't be asked.
        """
        self._list(login, device, replaced_id, enter=True)
        if device.issuer is not None and device.sid is not None:
            self._list_at_provider(login, device)

    def _list(self, login: LoginRecord, device: Device, replaced_id: str | None = None, *, enter: bool = False) -> None:
        """List a device with its user. The oldest devices end if there are too many.

        With ``enter``, the login begins. Otherwise it goes on, and nothing is written if the list names it.
        """
        user = _key(login.realm, login.subject)
        row = Row(login.session_id, device.created, self._end_of(device, login.begun))
        tries = 0
        while True:
            tries = next_try(tries)
            text = self._store.get("sessions", user)
            rows = _live_rows(text)
            if not enter and _is_listed(rows, row):
                return
            others = self._others(login.realm, rows, (login.session_id, replaced_id))
            excess = others[: max(0, len(others) - MAX_DEVICES + 1)]
            if any(self._end_device(login.realm, one.session_id, login.subject, one.until) for one in excess):
                if not enter:  # It ended with all others. A later beginning would revive it.
                    return
                login.begun = device.created = self.begin_time(login.subject, login.realm)
                continue
            if enter:
                entry = device.to_entry(time.time())
                self._store.put("session", _key(login.realm, login.session_id), entry, self._lifetime_of(device))
            row = Row(login.session_id, device.created, self._end_of(device, login.begun))
            replaced = [one for one in rows if one.session_id == replaced_id]
            listed = sorted([*replaced, *others[len(excess) :], row], key=_created)
            if self._store.replace("sessions", user, text, json.dumps(listed), self._list_lifetime()):
                return

    def _others(self, realm: str, rows: list[Row], left_out: tuple[str | None, ...]) -> list[Row]:
        """Return the rows of other devices. If they are too many, only of those that could still be used."""
        others = [row for row in rows if row.session_id not in left_out]
        if len(others) < MAX_DEVICES:
            return others
        found = ((row, self.find(realm, row.session_id)[1]) for row in others)
        return [row for row, device in found if device is not None and self._is_alive(device)]

    def _list_at_provider(self, login: LoginRecord, device: Device) -> None:
        key = _provider_key(login.realm, device.issuer, device.sid)
        row = Row(login.session_id, device.created, self._end_of(device))
        tries = 0
        while True:
            tries = next_try(tries)
            text = self._store.get("provider-session", key)
            others = [other for other in _live_rows(text) if other.session_id != login.session_id]
            for other in others[: max(0, len(others) - MAX_DEVICES + 1)]:  # They could not be found any more.
                self._mark(login.realm, other.session_id, ENDED, other.until)
            listed = [*others[-MAX_DEVICES + 1 :], row]
            if self._store.replace("provider-session", key, text, json.dumps(listed), self._list_lifetime()):
                return

    def _unlist(self, realm: str, subject: str, session_ids: frozenset[str]) -> None:
        """Take devices that have ended out of the list of their user. A failure leaves rows that are ignored."""
        if not self.lists_devices:
            return
        user = _key(realm, subject)
        with suppress(AuthUnavailable):
            tries = 0
            while True:
                tries = next_try(tries)
                text = self._store.get("sessions", user)
                rows = _rows(text)
                staying = [row for row in rows if row.session_id not in session_ids]
                if len(staying) == len(rows):
                    return
                if self._store.replace("sessions", user, text, json.dumps(staying), self._list_lifetime()):
                    return

    # --- ending

    def end(self, login: LoginRecord) -> bool:
        """End one session, with its device. Return whether that ended all sessions of its user.

        Several logouts with copies of one cookie count once, also at the same time.

        Raises:
            AuthUnavailable: If the store can't be asked.
        """
        all_ended = self._end_device(login.realm, login.session_id, login.subject, login.begun + self._lifetime)
        self._unlist(login.realm, login.subject, frozenset({login.session_id}))
        return all_ended

    def end_confirmed(self, current: LoginRecord, login: LoginRecord) -> bool:
        """End a session in whose place a confirmed one was entered. Return whether that ended all sessions of its user.

        If another request has ended the session in the meantime, the confirmed one ends as well.

        Raises:
            AuthUnavailable: If the store can't be asked.
            InvalidCredentials: If the session has been ended in the meantime.
        """
        realm, subject = current.realm, current.subject
        exceeds_limit = self._is_flooded(realm, subject)
        if not self._mark(realm, current.session_id, ENDED, None if exceeds_limit else current.begun + self._lifetime):
            self._mark(realm, login.session_id, ENDED, login.begun + self._lifetime)
            self._unlist(realm, subject, frozenset({current.session_id, login.session_id}))
            if self._store.get("session", _key(realm, current.session_id)) == STOLEN:
                raise SessionStolen(reason=STOLEN_REASON)
            raise InvalidCredentials(reason=ENDED_REASON)
        if exceeds_limit or self._count_ended(realm, subject):
            self.end_all(subject, realm)
            return True
        self._unlist(realm, subject, frozenset({current.session_id}))
        return False

    def _end_device(self, realm: str, session_id: str, subject: str, until: float) -> bool:
        exceeds_limit = self._is_flooded(realm, subject)
        if not exceeds_limit and self._mark(realm, session_id, ENDED, until):
            exceeds_limit = self._count_ended(realm, subject)
        if exceeds_limit:
            self.end_all(subject, realm)
            self._drop(realm, session_id)
        return exceeds_limit

    def _is_flooded(self, realm: str, subject: str) -> bool:
        return self._store.get("sessions-flooded", _key(realm, subject)) is not None

    def _count_ended(self, realm: str, subject: str) -> bool:
        """Count an ended device. Return whether these are too many."""
        user = _key(realm, subject)
        count_lifetime = self._entry_lifetime(time.time() + self._lifetime)
        exceeds_limit = self._store.increment("sessions-ended", user, count_lifetime) > MAX_ENDED
        if exceeds_limit:
            self._store.put("sessions-flooded", user, "1", count_lifetime)
        return exceeds_limit

    def mark_stolen(self, realm: str, session_id: str, entry: str, device: Device) -> bool:
        """End a device whose cookie was used in two places. Return ``True`` to the one caller that ended it.

        Raises:
            AuthUnavailable: If the store can't be asked.
        """
        key = _key(realm, session_id)
        if not self._store.replace("session", key, entry, STOLEN, self._lifetime_of(device)):
            return False
        self._unlist(realm, device.subject, frozenset({session_id}))
        return True

    def end_all(self, subject: str, realm: str) -> None:
        """End all sessions that a user has begun until now, and forget the devices.

        Raises:
            AuthUnavailable: If the store can't be asked.
        """
        last = self._not_before(subject, realm)
        not_before = time.time() + MAX_CLOCK_SKEW
        if last is not None and not_before <= last:
            not_before = math.nextafter(last, math.inf)
        until = not_before + self._longest
        self._store.put("session-not-before", _key(realm, subject), repr(not_before), self._entry_lifetime(until))
        if self.lists_devices:
            rows = _rows(self._store.get("sessions", _key(realm, subject)))
            covered = frozenset(row.session_id for row in rows if row.created <= not_before)
            for session_id in covered:
                self._drop(realm, session_id)
            self._unlist(realm, subject, covered)

    def _drop(self, realm: str, session_id: str) -> None:
        """Let the entry of a device expire, which the not-before time of its user ends."""
        if self.lists_devices:
            self._mark(realm, session_id, ENDED, None)

    def _mark(self, realm: str, session_id: str, mark: str, until: float | None) -> bool:
        """Write that a device has ended. Return ``True`` to exactly one caller.

        Args:
            realm: The realm.
            session_id: The id of the device.
            mark: The entry to write.
            until: When its sessions end at the latest. ``None`` if the entry isn't needed.
        """
        key = _key(realm, session_id)
        if not self.lists_devices:
            lifetime = self._entry_lifetime(until or 0)
            is_first = self._store.claim("session", key, lifetime)
            self._store.put("session", key, mark, lifetime)  # Also if another logout has claimed it, and failed here.
            return is_first
        tries = 0
        while True:
            tries = next_try(tries)
            entry, found = self.find(realm, session_id)
            if entry is not None and found is None:
                return False
            lifetime = MIN_LIFETIME
            if until is not None:
                begun = 0.0 if found is None else found.device.latest_begin
                lifetime = self._entry_lifetime(max(until, begun + self._lifetime))
            if self._store.replace("session", key, entry, mark, lifetime):
                return True

    # --- the devices of a user

    def devices(self, subject: str, realm: str) -> Iterator[FoundDevice]:
        """Give the devices of a user that are alive.

        Raises:
            AuthUnavailable: If the store can't be asked.
        """
        rows = _rows(self._store.get("sessions", _key(realm, subject)))
        not_before = self._not_before(subject, realm) if rows else None
        for row in rows:
            found = self.find(realm, row.session_id)[1]
            if found is None or not self._is_alive(found):
                continue
            if not_before is None or found.device.created > not_before:
                yield found

    def devices_at_provider(self, issuer: str, sid: str, realm: str) -> Iterator[FoundDevice]:
        """Give the devices that were begun with a session at an identity provider, and have not ended.

        Raises:
            AuthUnavailable: If the store can't be asked.
        """
        for row in _rows(self._store.get("provider-session", _provider_key(realm, issuer, sid))):
            found = self.find(realm, row.session_id)[1]
            if found is not None:
                yield found

    def end_found(self, found: FoundDevice, realm: str) -> bool:
        """End a device. Return whether this call did it.

        Raises:
            AuthUnavailable: If the store can't be asked.
        """
        until = found.device.latest_begin + self._lifetime
        ended = self._mark(realm, found.session_id, ENDED, until)
        self._unlist(realm, found.device.subject, frozenset({found.session_id}))
        return ended

    def _is_alive(self, found: FoundDevice) -> bool:
        """Return whether the device could still be used, by its times. The last use may have been noted late."""
        now = time.time()
        if found.device.until is not None and now <= found.device.until:
            return True
        is_idle = self._idle is not None and now > found.last_seen + self._idle + self._use_interval
        return not is_idle and now <= found.device.latest_begin + self._lifetime

    # --- times

    def begin_time(self, subject: str, realm: str) -> float:
        """Return the time of a session that begins now: the present, or the moment after the user's not-before time.

        Raises:
            AuthUnavailable: If the store can't be asked.
        """
        return _next_begin(self._not_before(subject, realm))

    def begin_time_of(self, device: Device, realm: str) -> float | None:
        """Return the time of a session that a remember cookie opens now; ``None`` if its login was ended with all.

        Both are decided by one reading. Otherwise the session could begin after a not-before time that ends its login.

        Raises:
            AuthUnavailable: If the store can't be asked.
        """
        not_before = self._not_before(device.subject, realm)
        return None if _is_covered(device.created, not_before) else _next_begin(not_before)

    def was_ended_with_all(self, device: Device, realm: str) -> bool:
        """Return whether a login was ended with all sessions of its user.

        Raises:
            AuthUnavailable: If the store can't be asked.
        """
        return _is_covered(device.created, self._not_before(device.subject, realm))

    def _not_before(self, subject: str, realm: str) -> float | None:
        not_before = self._store.get("session-not-before", _key(realm, subject))
        try:
            return None if not_before is None else float(not_before)
        except ValueError:
            _refuse_foreign_value()

    def _end_of(self, device: Device, begun: float = 0) -> float:
        """Return when the last session of a device ends at the latest; ``begun`` is that of one of them."""
        return max(device.until or 0, max(device.latest_begin, begun) + self._lifetime)

    def _lifetime_of(self, device: Device, begun: float = 0) -> float:
        return self._entry_lifetime(self._end_of(device, begun))

    def _list_lifetime(self) -> float:
        return self._entry_lifetime(time.time() + self._longest)

    def _entry_lifetime(self, until: float) -> float:
        """Return how long an entry is stored that ends sessions which live until ``until``, in seconds.

        The sessions live longer on a machine whose clock is behind this one, so the entry does, too.
        """
        return max(MIN_LIFETIME, min(until - time.time() + MAX_CLOCK_SKEW + 1, MAX_LIFETIME))


def _key(realm: str, name: str) -> str:
    """Return a key for something that belongs to ``realm``. The length separates realms with a common beginning."""
    return f"{len(realm)}:{realm}{name}"


def _provider_key(realm: str, issuer: str | None, sid: str | None) -> str:
    return _key(realm, json.dumps([issuer, sid]))


def _is_listed(rows: list[Row], row: Row) -> bool:
    """Return whether a list has the device of a row for as long as it may live."""
    return any(row.session_id == one.session_id and row.until <= one.until for one in rows)


def _is_covered(begun: float, not_before: float | None) -> bool:
    """Return whether a not-before time ends what began at ``begun``."""
    # If the clock went back, a login from the future may still be older than the not-before time.
    return not_before is not None and not not_before < begun <= time.time() + 2 * MAX_CLOCK_SKEW


def _next_begin(not_before: float | None) -> float:
    now = time.time()
    return now if not_before is None or now > not_before else math.nextafter(not_before, math.inf)


def _created(row: Row) -> float:
    return row.created


def _read(entry: str) -> tuple[int, Device]:
    try:
        return read_entry(entry)
    except ValueError:
        _refuse_foreign_value()


def _rows(text: str | None) -> list[Row]:
    """Return the rows of a list, the oldest device first."""
    if text is None:
        return []
    try:
        content: Any = json.loads(text)
        rows = [Row(*row) for row in content]
    except (ValueError, TypeError):
        _refuse_foreign_value()
    if not all(isinstance(row.session_id, str) and is_time(row.created) and is_time(row.until) for row in rows):
        _refuse_foreign_value()
    return rows


def _live_rows(text: str | None) -> list[Row]:
    """Return the rows without devices whose time is over, by each clock."""
    now = time.time()
    return [row for row in _rows(text) if now <= row.until + MAX_CLOCK_SKEW]


def _refuse_foreign_value() -> NoReturn:
    raise AuthUnavailable(
        reason="the store holds an entry of a session that this library didn't write: give each app a prefix= of its "
        "own"
    ) from None


def next_try(tries: int) -> int:
    """Return the number of the next attempt to change an entry that others change, too.

    Raises:
        AuthUnavailable: After `MAX_TRIES`.
    """
    if tries >= MAX_TRIES:
        raise AuthUnavailable(
            reason="too many requests changed the sessions of one user at the same time: they may try again"
        )
    return tries + 1

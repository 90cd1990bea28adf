"""What a store remembers about sessions: which have ended, which devices a user has, and who logged in elsewhere.

Flask's session lies in the cookie. A logout deletes the cookie in one browser, and every copy of it stays valid until
the session's lifetime has passed. With a store, a session counts only if `SessionEntries.was_ended` is false. The store
has these entries:

- One for each login, by the id in its session (``session``): see `devices`. It says whether the device has ended.
- One **not-before time** for each user whose sessions all ended (``session-not-before``), and one for all users of the
  realm (``session-not-before-all``): see `not_before`.
- One list of the devices of each user (``sessions``), and one of the devices of each session at an identity provider
  (``provider-session``). They only find entries. The entry of a device says whether it is alive.

The entries change by compare and swap only, so none of these can be lost: "ended" is final, also if another request
notes the last use at the same moment. If the store can't do that (`Store.can_replace`), it remembers only ended
sessions and not-before times.

Four facts make this more than a set of ids:

1. **A user must not be able to fill the store** by logging in and out. A user has `MAX_DEVICES` devices at most: the
   next login ends the oldest. Ended devices are counted for each user, and after `MAX_ENDED` of them the next end is
   one of all sessions of the user. It writes the not-before time, which is one entry, and drops the others.
2. **Entries live as long as what they end**, and a little longer for the clocks. A session that outlived its entry
   would be valid again.
3. **A lost entry ends no session**, because a store may be wiped, or may be new. The session is entered again when
   its last use is noted. A remember cookie without an entry isn't valid.
4. **Steps can fail in between.** A device is ended before a list forgets it, and a login is entered before its
   cookie is sent. A failure leaves an entry without a cookie, which opens nothing and expires.

A logout at an identity provider finds devices by the lists, so it could miss a login that is being entered. It leaves a
mark (``provider-logout``) first, and a login whose mark has changed while it was entered ends itself.

`storage` says how entries and lists are written.
"""

import json
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from operator import attrgetter
from typing import Final

from ...errors import AuthUnavailable, InvalidCredentials, SessionStolen
from ...errors.codes import with_code
from ...logs import log
from ...stores.base import MAX_VALUE, MIN_LIFETIME, Store
from ...wire.rules import MAX_CLOCK_SKEW
from .devices import ENDED, STOLEN, Device, StoredDevice, read_entry
from .not_before import NotBeforeTimes, is_covered
from .record import LoginRecord
from .storage import (
    MAX_ATTEMPTS,
    ListedDevice,
    entry_lifetime,
    provider_key,
    read_current_list,
    read_list,
    reject_foreign_value,
    store_key,
    too_many_changes,
    write_list,
)

MAX_ENDED: Final = 100
"""Most devices of one user that the store remembers as ended. After that, a logout ends all sessions of the user."""
MAX_DEVICES: Final = 20
"""Most devices of one user, and of one session at an identity provider."""
MAX_ENTRY: Final = MAX_VALUE - 512
"""Longest entry of a login, in bytes. The rest is for what a remembered login adds when its cookie is used."""
USE_INTERVAL: Final = 60
"""Least time between two notes that a session was used, in seconds. A shorter ``idle`` shortens it."""
_INTERVAL_WITHOUT_IDLE: Final = 3600
LONGEST_LOGIN: Final = 300
"""How long the steps of one login may take in which a logout at the provider could miss it, in seconds."""
STOLEN_REASON: Final = (
    "Cookie: the remember cookie of this login was used in two places, so it may have been stolen: log in again"
)


def session_ended() -> InvalidCredentials:
    """Return the refusal of a session that has ended."""
    reason = "Cookie: the session was ended by logout() or end_sessions(), as store= knows: log in again"
    return with_code(InvalidCredentials(reason=reason), "session_ended")


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
        self._longest = (remember or 0) + lifetime
        self.not_before = NotBeforeTimes(store, self._longest)
        self._use_interval = use_interval(idle)

    # --- one session

    def was_ended(self, login: LoginRecord) -> bool:
        """Return whether a session has ended, alone or with all sessions of its user.

        It leaves the entry in ``login.entry``.

        Raises:
            AuthUnavailable: If the store can't be asked.
            SessionStolen: If the remember cookie of the session was used in two places.
        """
        key = store_key(login.realm, login.session_id)
        entry, not_before = self.not_before.find_with(key, login.subject, login.realm)
        login.entry = entry
        if entry == ENDED:
            return True
        if entry == STOLEN:
            raise SessionStolen(reason=STOLEN_REASON)
        return is_covered(login.begun, not_before)

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
            reject_foreign_value()
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
        key, lifetime = store_key(login.realm, login.session_id), self._lifetime_of(device, login.begun)
        if self._store.replace("session", key, entry, device.to_entry(now), lifetime):
            self._list(login, device)

    def keep_listed(self, login: LoginRecord, device: Device) -> None:
        """List a device again that its user's list has lost, such as by a failure. A failure refuses no request."""
        try:
            self._list(login, device)
        except AuthUnavailable as error:
            log.debug("a device was not listed: %s", error.reason)

    def find(self, realm: str, session_id: str) -> tuple[str | None, StoredDevice | None]:
        """Return the entry of a device, and the device, unless it has ended.

        Raises:
            AuthUnavailable: If the store can't be asked.
        """
        entry = self._store.get("session", store_key(realm, session_id))
        if entry is None or entry in (ENDED, STOLEN):
            return entry, None
        return entry, StoredDevice(session_id, *_read(entry))

    def change(self, realm: str, session_id: str, entry: str, device: Device) -> bool:
        """Replace the entry of a device that is used now. Return ``False`` if it isn't ``entry`` any more."""
        key = store_key(realm, session_id)
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
            InvalidCredentials: If the login has been ended in the meantime.
            ValueError: If the login is too long for the store.
        """
        size = len(device.to_entry(time.time()).encode(errors="surrogatepass"))
        if size > MAX_ENTRY:
            raise ValueError(
                f"the store keeps {MAX_ENTRY} bytes of a login, and this one has {size}: login() and confirm() need a "
                "shorter subject, acr=, issuer= or sid="
            )
        self._list(login, device, replaced_id, enter=True)
        if device.issuer is not None and device.sid is not None:
            self._list_at_provider(login, device)

    def _list(self, login: LoginRecord, device: Device, replaced_id: str | None = None, *, enter: bool = False) -> None:
        """List a device with its user. The oldest devices end if there are too many.

        With ``enter``, the login begins. Otherwise it goes on, and nothing is written if the list names it.
        """
        user = store_key(login.realm, login.subject)
        row = ListedDevice(login.session_id, device.created, self._end_of(device, login.begun))
        written: str | None = None
        for _ in range(MAX_ATTEMPTS):
            text = self._store.get("sessions", user)
            rows = read_current_list(text)
            if not enter and _is_listed(row, rows):
                return
            others = self._others(login.realm, rows, (login.session_id, replaced_id))
            excess = others[: max(0, len(others) - MAX_DEVICES + 1)]
            if any(self._end_device(login.realm, one.session_id, login.subject, one.until) for one in excess):
                if not enter:  # It ended with all others. A later beginning would revive it.
                    return
                login.begun = device.created = self.not_before.begin_time(login.subject, login.realm)
                continue
            if enter:
                written = self._write_entry(login, device, written)
            row = ListedDevice(login.session_id, device.created, self._end_of(device, login.begun))
            replaced = [one for one in rows if one.session_id == replaced_id]
            listed = sorted([*replaced, *others[len(excess) :], row], key=attrgetter("created"))
            if self._store.replace("sessions", user, text, write_list(listed), self._list_lifetime()):
                if not enter:
                    self._unlist_ended(login)
                return
        raise too_many_changes()

    def _write_entry(self, login: LoginRecord, device: Device, written: str | None) -> str:
        """Write the entry of a login that begins, in place of the one that the last attempt has written."""
        key, entry = store_key(login.realm, login.session_id), device.to_entry(time.time())
        if not self._store.replace("session", key, written, entry, self._lifetime_of(device)):
            raise session_ended()  # A logout has found it since the last attempt.
        return entry

    def _unlist_ended(self, login: LoginRecord) -> None:
        """Take a device out of the list again if it ended while it was being listed."""
        if self.find(login.realm, login.session_id)[1] is None:
            self._unlist(login.realm, login.subject, frozenset({login.session_id}))

    def _others(self, realm: str, rows: list[ListedDevice], excluded: tuple[str | None, ...]) -> list[ListedDevice]:
        """Return the rows of other devices. If they are too many, only of those that could still be used."""
        others = [row for row in rows if row.session_id not in excluded]
        if len(others) < MAX_DEVICES:
            return others
        found = ((row, self.find(realm, row.session_id)[1]) for row in others)
        return [row for row, device in found if device is not None and self._is_alive(device)]

    def _list_at_provider(self, login: LoginRecord, device: Device) -> None:
        key = provider_key(login.realm, device.issuer, device.sid)
        row = ListedDevice(login.session_id, device.created, self._end_of(device))
        for _ in range(MAX_ATTEMPTS):
            text = self._store.get("provider-session", key)
            others = [other for other in read_current_list(text) if other.session_id != login.session_id]
            for other in others[: max(0, len(others) - MAX_DEVICES + 1)]:  # They could not be found any more.
                self._mark_ended(login.realm, other.session_id, other.until)
            listed = [*others[-MAX_DEVICES + 1 :], row]
            if self._store.replace("provider-session", key, text, write_list(listed), _longest_lifetime(listed)):
                return
        raise too_many_changes()

    def _unlist(self, realm: str, subject: str, session_ids: frozenset[str]) -> None:
        """Take devices that have ended out of the list of their user. A failure leaves rows that are ignored."""
        if self.lists_devices:
            self._remove_rows("sessions", store_key(realm, subject), session_ids)

    def _unlist_at_provider(self, realm: str, session_id: str, device: Device) -> None:
        """Take a device that has ended out of the list of its session at the provider, as `_unlist` does."""
        if device.issuer is not None and device.sid is not None:
            key = provider_key(realm, device.issuer, device.sid)
            self._remove_rows("provider-session", key, frozenset({session_id}))

    def _remove_rows(self, purpose: str, key: str, session_ids: frozenset[str]) -> None:
        with suppress(AuthUnavailable):
            for _ in range(MAX_ATTEMPTS):
                text = self._store.get(purpose, key)
                rows = read_list(text)
                staying = [row for row in rows if row.session_id not in session_ids]
                if len(staying) == len(rows):
                    return
                lifetime = self._list_lifetime() if purpose == "sessions" else _longest_lifetime(staying)
                if self._store.replace(purpose, key, text, write_list(staying), lifetime):
                    return

    # --- logouts at a provider

    def provider_logouts(self, realm: str, issuer: str, sid: str | None, subject: str) -> tuple[str | None, ...]:
        """Return the marks of the last logouts at a provider that named this session there, or this user.

        A login reads the marks first, and again when all lists have the login. A logout in between may have missed it,
        and has changed a mark. So the login ends if the marks differ.

        Raises:
            AuthUnavailable: If the store can't be asked.
        """
        names = (("sub", subject),) if sid is None else (("sub", subject), ("sid", sid))
        return tuple(self._store.get("provider-logout", _logout_key(realm, issuer, *name)) for name in names)

    def note_provider_logout(self, realm: str, issuer: str, *, sid: str | None, subject: str | None) -> None:
        """Note a logout at a provider, before the devices are looked for: see `provider_logouts`.

        Raises:
            AuthUnavailable: If the store can't be asked.
        """
        name = ("sub", subject or "") if sid is None else ("sid", sid)
        key = _logout_key(realm, issuer, *name)
        self._store.put("provider-logout", key, secrets.token_urlsafe(16), LONGEST_LOGIN)

    def end_begun(self, login: LoginRecord) -> None:
        """End a login that was entered and isn't in a session yet."""
        self._mark_ended(login.realm, login.session_id, None)
        self._unlist(login.realm, login.subject, frozenset({login.session_id}))

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

    def may_renew(self, login: LoginRecord) -> bool:
        """Count a confirmation of a login. Return whether it may get a new id, which leaves an entry for the old one.

        Users can confirm as often as they like, and must not be able to fill the store.

        Raises:
            AuthUnavailable: If the store can't be asked.
        """
        count_lifetime = entry_lifetime(time.time() + self._lifetime)
        user = store_key(login.realm, login.subject)
        return self._store.increment("sessions-confirmed", user, count_lifetime) <= MAX_ENDED

    def end_confirmed(self, current: LoginRecord, login: LoginRecord) -> None:
        """End a session in whose place a confirmed one was entered.

        If another request has ended the session in the meantime, the confirmed one ends as well.

        Raises:
            AuthUnavailable: If the store can't be asked.
            InvalidCredentials: If the session has been ended in the meantime.
        """
        realm, subject = current.realm, current.subject
        if self._mark_ended(realm, current.session_id, current.begun + self._lifetime):
            self._unlist(realm, subject, frozenset({current.session_id}))
            return
        self._mark_ended(realm, login.session_id, None)  # No cookie has its id, so the entry needs not stay.
        self._unlist(realm, subject, frozenset({current.session_id, login.session_id}))
        if self._store.get("session", store_key(realm, current.session_id)) == STOLEN:
            raise SessionStolen(reason=STOLEN_REASON)
        raise session_ended()

    def _end_device(self, realm: str, session_id: str, subject: str, until: float) -> bool:
        exceeds_limit = self._is_flooded(realm, subject)
        if not exceeds_limit and self._mark_ended(realm, session_id, until):
            exceeds_limit = self._count_ended(realm, subject)
        if exceeds_limit:
            self.end_all(subject, realm)
            self._drop(realm, session_id)
        return exceeds_limit

    def _is_flooded(self, realm: str, subject: str) -> bool:
        return self._store.get("sessions-flooded", store_key(realm, subject)) is not None

    def _count_ended(self, realm: str, subject: str) -> bool:
        """Count an ended device. Return whether these are too many."""
        user = store_key(realm, subject)
        count_lifetime = entry_lifetime(time.time() + self._lifetime)
        exceeds_limit = self._store.increment("sessions-ended", user, count_lifetime) > MAX_ENDED
        if exceeds_limit:
            self._store.put("sessions-flooded", user, "1", count_lifetime)
        return exceeds_limit

    def mark_stolen(self, realm: str, session_id: str, entry: str, device: Device) -> bool:
        """End a device whose cookie was used in two places. Return ``True`` to the one caller that ended it.

        Raises:
            AuthUnavailable: If the store can't be asked.
        """
        key = store_key(realm, session_id)
        if not self._store.replace("session", key, entry, STOLEN, self._lifetime_of(device)):
            return False
        self._unlist(realm, device.subject, frozenset({session_id}))
        self._unlist_at_provider(realm, session_id, device)
        if self._count_ended(realm, device.subject):
            self.end_all(device.subject, realm)
            self._store.put("session", key, ENDED, MIN_LIFETIME)
        return True

    def end_all(self, subject: str, realm: str) -> None:
        """End all sessions that a user has begun until now, and forget the devices.

        Raises:
            AuthUnavailable: If the store can't be asked.
        """
        not_before = self.not_before.advance(subject, realm)
        if self.lists_devices:
            rows = read_list(self._store.get("sessions", store_key(realm, subject)))
            covered = frozenset(row.session_id for row in rows if row.created <= not_before)
            for session_id in covered:
                self._drop(realm, session_id)
            self._unlist(realm, subject, covered)

    def end_all_users(self, realm: str) -> None:
        """End all sessions that have begun until now in a realm. Entries and lists of devices expire by themselves.

        Raises:
            AuthUnavailable: If the store can't be asked.
        """
        self.not_before.advance_all(realm)

    def _drop(self, realm: str, session_id: str) -> None:
        """Let the entry of a device expire, which the not-before time of its user ends."""
        if self.lists_devices:
            self._mark_ended(realm, session_id, None)

    def _mark_ended(self, realm: str, session_id: str, until: float | None) -> bool:
        """Write that a device has ended. Return ``True`` to exactly one caller.

        Args:
            realm: The realm.
            session_id: The id of the device.
            until: When its sessions end at the latest. ``None`` if the entry isn't needed.
        """
        key = store_key(realm, session_id)
        if not self.lists_devices:
            lifetime = entry_lifetime(until or 0)
            is_first = self._store.claim("session", key, lifetime)
            self._store.put("session", key, ENDED, lifetime)  # Also if another logout has claimed it, and failed here.
            return is_first
        for _ in range(MAX_ATTEMPTS):
            entry, found = self.find(realm, session_id)
            if entry is not None and found is None:
                return False
            lifetime = MIN_LIFETIME
            if until is not None:
                begun = 0.0 if found is None else found.device.latest_begin
                lifetime = entry_lifetime(max(until, begun + self._lifetime))
            if self._store.replace("session", key, entry, ENDED, lifetime):
                if found is not None:
                    self._unlist_at_provider(realm, session_id, found.device)
                return True
        raise too_many_changes()

    # --- the devices of a user

    def devices(self, subject: str, realm: str) -> Iterator[StoredDevice]:
        """Give the devices of a user that are alive.

        Raises:
            AuthUnavailable: If the store can't be asked.
        """
        rows = read_list(self._store.get("sessions", store_key(realm, subject)))
        not_before = self.not_before.find(subject, realm) if rows else None
        for row in rows:
            found = self.find(realm, row.session_id)[1]
            if found is None or not self._is_alive(found):
                continue
            if not_before is None or found.device.created > not_before.time:
                yield found

    def devices_at_provider(self, issuer: str, sid: str, realm: str) -> Iterator[StoredDevice]:
        """Give the devices that were begun with a session at an identity provider, and have not ended.

        Raises:
            AuthUnavailable: If the store can't be asked.
        """
        for row in read_list(self._store.get("provider-session", provider_key(realm, issuer, sid))):
            found = self.find(realm, row.session_id)[1]
            if found is not None:
                yield found

    def end_found(self, found: StoredDevice, realm: str) -> bool:
        """End a device. Return whether this call did it.

        Raises:
            AuthUnavailable: If the store can't be asked.
        """
        subject = found.device.subject
        ended = self._mark_ended(realm, found.session_id, found.device.latest_begin + self._lifetime)
        self._unlist(realm, subject, frozenset({found.session_id}))
        if ended and self._count_ended(realm, subject):
            self.end_all(subject, realm)
            self._store.put("session", store_key(realm, found.session_id), ENDED, MIN_LIFETIME)
        return ended

    def _is_alive(self, found: StoredDevice) -> bool:
        """Return whether the device could still be used, by its times. The last use may have been noted late."""
        now = time.time()
        if found.device.until is not None and now <= found.device.until:
            return True
        is_idle = self._idle is not None and now > found.last_seen + self._idle + self._use_interval
        return not is_idle and now <= found.device.latest_begin + self._lifetime

    # --- times

    def _end_of(self, device: Device, begun: float = 0) -> float:
        """Return when the last session of a device ends at the latest; ``begun`` is that of one of them."""
        # A remember cookie may open a session just before it ends.
        of_cookie = 0 if device.until is None else device.until + self._lifetime
        return max(of_cookie, max(device.latest_begin, begun) + self._lifetime)

    def _lifetime_of(self, device: Device, begun: float = 0) -> float:
        return entry_lifetime(self._end_of(device, begun))

    def _list_lifetime(self) -> float:
        return entry_lifetime(time.time() + self._longest)


def _read(entry: str) -> tuple[int, Device]:
    try:
        return read_entry(entry)
    except ValueError:
        reject_foreign_value()


def _logout_key(realm: str, issuer: str, kind: str, name: str) -> str:
    return store_key(realm, json.dumps([issuer, kind, name]))


def _longest_lifetime(rows: list[ListedDevice]) -> float:
    """Return how long a list lives whose rows can't be prolonged: as long as its longest row."""
    return entry_lifetime(max((row.until for row in rows), default=0))


def _is_listed(device: ListedDevice, rows: list[ListedDevice]) -> bool:
    """Return whether a list has a device, and will have it as long as needed."""
    return any(device.session_id == row.session_id and device.until <= row.until for row in rows)

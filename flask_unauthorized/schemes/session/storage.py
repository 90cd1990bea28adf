"""How the data of sessions lie in a store: keys, lifetimes, lists, and attempts to change an entry.

- All keys contain the realm, because another app with the same store may have another user of the same name.
- An entry lives as long as what it ends, and longer by the most that the clocks of two hosts differ.
- A list is a JSON array with one array for each device. It only finds entries. The entry of a device says whether the
  device is alive.
- An entry that others change as well is read, changed and replaced, in at most `MAX_ATTEMPTS` attempts. Each time that
  an attempt fails, one of the others has succeeded.
- An entry that this library didn't write is a failure of the server, and ends no session.
"""

import json
import time
from typing import Any, Final, NamedTuple, NoReturn

from ...errors import AuthUnavailable
from ...stores.base import MAX_LIFETIME, MIN_LIFETIME
from ...wire.rules import MAX_CLOCK_SKEW
from .record import is_time

MAX_ATTEMPTS: Final = 200
"""How often an entry is read that others change at the same time."""


class ListedDevice(NamedTuple):
    """A device in a list: its id, when it was created, and when it ends at the latest."""

    session_id: str
    created: float
    until: float


def entry_lifetime(until: float) -> float:
    """Return the lifetime of an entry that ends sessions which live until ``until``, in seconds.

    The sessions live longer on a machine whose clock is behind this one, so the entry does, too.
    """
    return max(MIN_LIFETIME, min(until - time.time() + MAX_CLOCK_SKEW + 1, MAX_LIFETIME))


def store_key(realm: str, name: str) -> str:
    """Return a key for something that belongs to ``realm``. The length separates realms with a common beginning."""
    return f"{len(realm)}:{realm}{name}"


def provider_key(realm: str, issuer: str | None, sid: str | None) -> str:
    """Return the key of a session at an identity provider."""
    return store_key(realm, json.dumps([issuer, sid]))


def write_list(devices: list[ListedDevice]) -> str:
    """Return the text of a list."""
    return json.dumps(devices)


def read_list(text: str | None) -> list[ListedDevice]:
    """Return the devices of a list, the oldest first.

    Raises:
        AuthUnavailable: If this library didn't write the list.
    """
    if text is None:
        return []
    try:
        content: Any = json.loads(text)
        devices = [ListedDevice(*values) for values in content]
    except (ValueError, TypeError):
        reject_foreign_value()
    for session_id, created, until in devices:
        if not (isinstance(session_id, str) and is_time(created) and is_time(until)):
            reject_foreign_value()
    return devices


def read_current_list(text: str | None) -> list[ListedDevice]:
    """Return the devices of a list whose time isn't over by any clock."""
    now = time.time()
    return [device for device in read_list(text) if now <= device.until + MAX_CLOCK_SKEW]


def reject_foreign_value() -> NoReturn:
    """Raise `AuthUnavailable` for an entry that this library didn't write."""
    raise AuthUnavailable(
        reason="the store holds an entry of a session that this library didn't write: give each app a prefix= of its "
        "own"
    ) from None


def too_many_changes() -> AuthUnavailable:
    """Return the error for an entry that others have changed during each of `MAX_ATTEMPTS` attempts."""
    return AuthUnavailable(
        reason="too many requests changed the sessions of one user at the same time: they may try again"
    )

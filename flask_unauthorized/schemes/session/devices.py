"""A device: what a store keeps of one login, and what `Auth.sessions` shows of it.

Each login begins a device. It has one entry in the store, whose key is the id in the session. The entry is a text:

- ``"ended"`` if the device was logged out, or ended in another way;
- ``"stolen"`` if its remember cookie was used in two places;
- otherwise the time of the last use in whole seconds, a blank, and the `Device` as a JSON object.

Each request compares the entry with the two words and reads the number, so it parses no JSON. A login that isn't
remembered has one session. A remembered one has as many as its cookie opens, and all of them have the id of the device.

The store isn't trusted to hold what this module wrote. Anything else raises `ValueError`, and callers refuse it.
"""

import base64
import hashlib
import json
from dataclasses import asdict, dataclass, fields
from typing import Any, Final, NamedTuple

from ...rotation import Rotation
from .record import are_methods, is_time

ENDED: Final = "ended"
"""The entry of a device that has ended."""
STOLEN: Final = "stolen"
"""The entry of a device whose remember cookie was used in two places."""
MAX_LABEL: Final = 120
"""Longest label of a device, in characters."""
_TEXT: Final = (str, type(None))


@dataclass(slots=True, kw_only=True, repr=False)
class Device:
    """What the store keeps of a login. Times are seconds since 1970.

    Attributes:
        subject: The user.
        created: When the login began.
        label: The ``User-Agent`` of the login, see `label_of`.
        issuer: The identity provider where the user logged in, or ``None``.
        sid: The session at that provider, or ``None``.
        until: When the remember cookie ends. ``None`` if the login isn't remembered, like the six attributes below.
        series: Hash of the key that all secrets of the cookie have in common.
        auth_time: When the user authenticated.
        acr: The class of the login.
        amr: The methods of the login.
        begun: When the last session of the cookie began.
        rotation: The state of the cookie's secrets, see `Rotation.to_text`.
    """

    subject: str
    created: float
    label: str
    issuer: str | None = None
    sid: str | None = None
    until: float | None = None
    series: str | None = None
    auth_time: float | None = None
    acr: str | None = None
    amr: list[str] | None = None
    begun: float | None = None
    rotation: str | None = None

    @property
    def is_remembered(self) -> bool:
        """Whether the device has a remember cookie."""
        return self.until is not None

    @property
    def latest_begin(self) -> float:
        """When the last session began that the device may have."""
        return self.created if self.begun is None else max(self.created, self.begun)

    def to_entry(self, last_seen: float) -> str:
        """Return the entry of the device."""
        values = {name: value for name, value in asdict(self).items() if value is not None}
        return f"{int(last_seen)} {json.dumps(values, ensure_ascii=False, separators=(',', ':'))}"

    def __repr__(self) -> str:
        return f"<Device created={self.created:.0f}>"


_NAMES: Final = frozenset(field.name for field in fields(Device))
_REQUIRED: Final = frozenset({"subject", "created", "label"})


def read_entry(entry: str) -> tuple[int, Device]:
    """Return the time of the last use, and the device.

    Raises:
        ValueError: If `Device.to_entry` can't have written ``entry``.
    """
    last_seen, _, text = entry.partition(" ")
    values: Any = json.loads(text)
    if not isinstance(values, dict) or not _REQUIRED <= values.keys() <= _NAMES:
        raise ValueError("not the entry of a device")
    device = Device(**values)
    if not _is_valid(device):
        raise ValueError("not the entry of a device")
    if device.is_remembered:
        if device.auth_time is None or device.rotation is None or device.series is None:
            raise ValueError("not the entry of a remembered device")
        Rotation.from_text(device.rotation)
    return int(last_seen), device


def _is_valid(device: Device) -> bool:
    texts = (device.issuer, device.sid, device.acr, device.rotation, device.series)
    times = (device.until, device.auth_time, device.begun)
    valid = isinstance(device.subject, str) and isinstance(device.label, str) and is_time(device.created)
    valid = valid and all(isinstance(text, _TEXT) for text in texts)
    valid = valid and (device.amr is None or are_methods(device.amr))
    return valid and all(time is None or is_time(time) for time in times)


class StoredDevice(NamedTuple):
    """A device that has not ended: its id, the time of its last use, and what the store keeps of it."""

    session_id: str
    last_seen: int
    device: Device


def label_of(user_agent: str | None) -> str:
    """Return the name of a device for its user: its ``User-Agent``, printable and cut."""
    return "".join(filter(str.isprintable, user_agent or ""))[:MAX_LABEL].strip()


def public_id(session_id: str) -> str:
    """Return the id that pages may show. The id in the session would let others forge a cookie of the device."""
    return base64.urlsafe_b64encode(hashlib.sha256(session_id.encode()).digest()[:16]).decode().rstrip("=")


@dataclass(frozen=True, slots=True)
class DeviceSession:
    """A login of a user that is still valid, for a page on which users see their devices.

    Attributes:
        id: Names it for `Auth.end_session`. It opens no session, so a page may show it.
        created: When the user logged in, in seconds since 1970.
        last_seen: When the device was used last, in seconds since 1970. It is updated about once a minute, and once an
            hour if the `SessionCookie` has no ``idle``.
        remembered: Whether the login is remembered after its session has ended.
        current: Whether this request uses it.
        label: The ``User-Agent`` with which the user logged in, at most 120 printable characters. It may be empty.
            Clients choose it, so escape it, as Jinja does.
    """

    id: str
    created: float
    last_seen: int
    remembered: bool
    current: bool
    label: str

"""`Identity`: who is calling."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

_NOTHING: Mapping[str, Any] = MappingProxyType({})


@dataclass(init=False, frozen=True, slots=True)
class Identity:
    """Who is calling, and what their credentials allow. Frozen, so one object may serve many requests.

    ``subject`` names the caller; ``scopes`` and ``roles`` are any collections of strings and become frozensets (a bare
    string is a `TypeError`: it is a collection of letters). ``acr`` is the class of the login, ``auth_time`` its time,
    ``expires_at`` when the credentials end: both times are seconds since 1970 (RFC 7519 §2, NumericDate). ``claims``
    become a read-only view, and nothing in them should be changed. ``user`` is your own object. ``confirmation`` binds
    the credentials to a key (RFC 7800 ``cnf``): a scheme that doesn't check the key then refuses them.

    Claims, user and confirmation are not part of the hash, nor of the ``repr``.
    """

    subject: str | None = None
    scopes: frozenset[str] = frozenset()
    roles: frozenset[str] = frozenset()
    acr: str | None = None
    auth_time: float | None = None
    claims: Mapping[str, Any] = field(default_factory=lambda: _NOTHING, hash=False, repr=False)
    user: Any = field(default=None, hash=False, repr=False)
    client_id: str | None = None
    expires_at: float | None = field(default=None, repr=False)
    confirmation: Mapping[str, Any] | None = field(default=None, hash=False, repr=False)

    def __init__(
        self,
        subject: str | None = None,
        *,
        scopes: Iterable[str] = frozenset(),
        roles: Iterable[str] = frozenset(),
        acr: str | None = None,
        auth_time: float | None = None,
        claims: Mapping[str, Any] | None = None,
        user: Any = None,
        client_id: str | None = None,
        expires_at: float | None = None,
        confirmation: Mapping[str, Any] | None = None,
    ) -> None:
        if subject is not None and (not isinstance(subject, str) or not subject):
            raise TypeError(f"subject must be a non-empty str or None, not {subject!r}")
        put = object.__setattr__
        put(self, "subject", subject)
        put(self, "scopes", _names("scopes", scopes))
        put(self, "roles", _names("roles", roles))
        put(self, "acr", _text("acr", acr))
        put(self, "auth_time", _time("auth_time", auth_time))
        put(self, "claims", _NOTHING if claims is None else MappingProxyType(dict(claims)))
        put(self, "user", user)
        put(self, "client_id", _text("client_id", client_id))
        put(self, "expires_at", _time("expires_at", expires_at))
        put(self, "confirmation", None if confirmation is None else MappingProxyType(dict(confirmation)))

    def __reduce__(self) -> tuple[Any, ...]:
        # A read-only view cannot be pickled; its content can.
        values = {name: getattr(self, name) for name in _FIELDS}
        for name in ("claims", "confirmation"):
            values[name] = None if values[name] is None else dict(values[name])
        return _restore, (type(self), values)


class BareIdentity(Identity):
    """An identity made from a loader's bare user, subject or ``True``: nobody said anything of scopes and roles."""

    __slots__ = ()


def dated(identity: Identity, auth_time: float, acr: str | None) -> Identity:
    """``identity`` with time and class of the login, where it says nothing of them."""
    made = object.__new__(type(identity))
    for name in _FIELDS:  # all were checked when it was made
        object.__setattr__(made, name, getattr(identity, name))
    if identity.auth_time is None:
        object.__setattr__(made, "auth_time", auth_time)
    if identity.acr is None:
        object.__setattr__(made, "acr", acr)
    return made


_FIELDS = tuple(Identity.__dataclass_fields__)


def _restore(cls: type[Identity], values: dict[str, Any]) -> Identity:
    return cls(**values)


def _names(name: str, values: Iterable[str]) -> frozenset[str]:
    if isinstance(values, (str, bytes)):
        raise TypeError(f"{name} must be a collection of str, not {values!r}: write {name}={as_set(values)}")
    names = frozenset(values)
    for value in names:
        if not isinstance(value, str):
            raise TypeError(f"{name} must hold str, not {value!r}")
    return names


def as_set(text: str | bytes) -> str:
    """The set that was meant by a bare string of names, as source."""
    names = (text.decode("latin-1") if isinstance(text, bytes) else text).split()
    return "{" + ", ".join(f'"{name}"' for name in names or ["name"]) + "}"


def _text(name: str, value: str | None) -> str | None:
    if value is not None and not isinstance(value, str):
        raise TypeError(f"{name} must be a str or None, not {value!r}")
    return value


def _time(name: str, value: float | None) -> float | None:
    if value is not None and (isinstance(value, bool) or not isinstance(value, (int, float)) or value != value):
        fix = f": write {name}=moment.timestamp()" if hasattr(value, "timestamp") else ""
        raise TypeError(f"{name} must be seconds since 1970 or None, not {value!r}{fix}")
    return value

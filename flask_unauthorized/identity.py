"""`Identity`: the caller of a request. It is checked once, when it is made, and never changes."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from types import MappingProxyType, MemberDescriptorType
from typing import Any, ClassVar, Final
from urllib.parse import quote

_NO_NAMES: Final[frozenset[str]] = frozenset()
_NO_CLAIMS: Mapping[str, Any] = MappingProxyType({})


@dataclass(init=False, frozen=True, slots=True)
class Identity:
    """Who is calling, and what their credentials allow.

    An identity is frozen and checked when it is made, so one object may serve many requests. ``claims``, ``user`` and
    ``confirmation`` are not part of the hash, nor of the ``repr``: they may be unhashable or secret.

    Example:
        Return a caller with scopes from a loader::

            from flask_unauthorized import Bearer, Identity

            def load(token):
                found = find_token(token)
                return Identity(found.owner, scopes=found.scopes) if found else None

            bearer = Bearer(load)

    Args:
        subject: The name of the caller that never changes, such as a user id. ``None`` for a caller without one, such
            as a program that only ``client_id`` names.
        scopes: The scopes that are granted, as any collection of strings; stored as a `frozenset`.
        roles: The roles of the caller, as any collection of strings; stored as a `frozenset`.
        acr: The authentication context class of the login (OpenID Connect Core §2).
        amr: The methods by which the caller authenticated, such as ``"pwd"`` and ``"hwk"`` (RFC 8176), as any
            collection of strings; stored as a `frozenset`.
        auth_time: When the caller logged in, in seconds since 1970 (NumericDate, RFC 7519 §2).
        claims: Further facts about the caller, such as those of a token; stored as a read-only view.
        user: The app's own user object.
        client_id: The OAuth client that calls (RFC 8693 §4.3).
        expires_at: When the credentials expire, in seconds since 1970 (NumericDate, RFC 7519 §2).
        confirmation: The key that the credentials are bound to (``cnf``, RFC 7800 §3.1); stored as a read-only view.
            Schemes that don't check that key refuse the identity.
        issuer: The server that named the subject, such as the ``iss`` of a token. Another issuer may give the same
            subject to another caller. ``None`` for subjects of your own app.

    Raises:
        TypeError: If an argument has the wrong type. ``scopes``, ``roles`` and ``amr`` refuse a bare string, because it
            is a collection of its letters.
    """

    subject: str | None
    scopes: frozenset[str]
    roles: frozenset[str]
    acr: str | None
    auth_time: float | None
    claims: Mapping[str, Any] = field(hash=False, repr=False)
    user: Any = field(hash=False, repr=False)
    client_id: str | None
    expires_at: float | None = field(repr=False)
    confirmation: Mapping[str, Any] | None = field(hash=False, repr=False)
    issuer: str | None
    amr: frozenset[str]

    # Whether only views that look at the authorization_details of the token may accept it. An attribute of the class,
    # which costs a request nothing.
    is_restricted: ClassVar[bool] = False

    def __init__(
        self,
        subject: str | None = None,
        *,
        scopes: Iterable[str] = _NO_NAMES,
        roles: Iterable[str] = _NO_NAMES,
        acr: str | None = None,
        auth_time: float | None = None,
        claims: Mapping[str, Any] | None = None,
        user: Any = None,
        client_id: str | None = None,
        expires_at: float | None = None,
        confirmation: Mapping[str, Any] | None = None,
        issuer: str | None = None,
        amr: Iterable[str] = _NO_NAMES,
    ) -> None:
        if subject is not None and (not isinstance(subject, str) or not subject):
            raise TypeError(f"subject must be a non-empty str or None, not {subject!r}")
        # Many loaders make an identity for each request. Values that were left out need no check.
        if not (acr is client_id is issuer is None):
            _check_texts(acr, client_id, issuer)
        if not (auth_time is expires_at is None):
            _check_time("auth_time", auth_time)
            _check_time("expires_at", expires_at)
        values = (
            subject,
            scopes if scopes is _NO_NAMES else _validated_names("scopes", scopes),
            roles if roles is _NO_NAMES else _validated_names("roles", roles),
            acr,
            auth_time,
            _NO_CLAIMS if claims is None else MappingProxyType(dict(claims)),
            user,
            client_id,
            expires_at,
            None if confirmation is None else MappingProxyType(dict(confirmation)),
            issuer,
            amr if amr is _NO_NAMES else _validated_names("amr", amr),
        )
        _set_fields(self, values)

    @property
    def key(self) -> str | None:
        """A text that names the caller among those of all issuers, for a column of a database.

        It is the issuer, ``#``, and the subject, such as ``https://id.example.com#42``. All characters of both are
        percent-encoded in UTF-8 (RFC 3986 §2.1), except ASCII letters and digits and ``-._~:/@|``. So no two pairs of
        issuer and subject share a key. It is ASCII, and upper and lower case differ. Without an issuer it begins with
        ``#``, as no other key does. ``None`` if there is no subject.
        """
        if self.subject is None:
            return None
        return f"{_encoded(self.issuer or '')}#{_encoded(self.subject)}"

    def __reduce__(self) -> tuple[Any, ...]:
        # A read-only view cannot be pickled; its content can.
        values = {name: getattr(self, name) for name in _FIELDS}
        for name in ("claims", "confirmation"):
            values[name] = None if values[name] is None else dict(values[name])
        kind = type(self)
        return _rebuild, (kind, values) if kind in _WITHOUT_MORE else (kind, values, _more_of(self))


class BareIdentity(Identity):
    """An identity for a loader that returned a user, a subject or ``True``, and so said nothing about scopes and roles.

    A requirement of scopes or roles that it doesn't meet is probably a mistake of the loader, which the log then says.
    """

    __slots__ = ()


class RestrictedIdentity(Identity):
    """An identity that only views with ``authorization_details=`` accept: its token is restricted by them (RFC 9396).

    ``JWT(authorization_details="demand")`` and `Introspection` make it.
    """

    __slots__ = ()
    is_restricted: ClassVar[bool] = True


def with_login(
    identity: Identity,
    auth_time: float,
    acr: str | None,
    amr: frozenset[str] = _NO_NAMES,
    issuer: str | None = None,
) -> Identity:
    """Return a copy with time, class, methods and issuer of the login, each unless the identity has its own."""
    kind = type(identity)
    copied = object.__new__(kind)
    values = (
        identity.subject,
        identity.scopes,
        identity.roles,
        acr if identity.acr is None else identity.acr,
        auth_time if identity.auth_time is None else identity.auth_time,
        identity.claims,
        identity.user,
        identity.client_id,
        identity.expires_at,
        identity.confirmation,
        issuer if identity.issuer is None else identity.issuer,
        identity.amr or amr,
    )
    _set_fields(copied, values)  # They were checked when the identity was made.
    if kind not in _WITHOUT_MORE:
        for name, value in _more_of(identity).items():
            object.__setattr__(copied, name, value)
    return copied


_WITHOUT_MORE: Final = frozenset({Identity, BareIdentity, RestrictedIdentity})
"""The classes without attributes of an app."""
_FIELDS: Final = tuple(one.name for one in fields(Identity))


class _Draft:
    """An identity that is being made: its layout is that of `Identity`, and its fields can be set.

    Setting the fields of a frozen object takes eight times as long.
    """

    __slots__ = (
        "acr", "amr", "auth_time", "claims", "client_id", "confirmation", "expires_at", "issuer", "roles", "scopes",
        "subject", "user",
    )  # fmt: skip


def _set_fields(identity: Identity, values: tuple[Any, ...]) -> None:
    """Set all fields of an identity that is being made, in the order of `_FIELDS`."""
    put, kind = object.__setattr__, type(identity)
    try:
        put(identity, "__class__", _Draft)
    except TypeError:  # The layout is another one: a subclass of an app may have fields of its own.
        for name, value in zip(_FIELDS, values, strict=True):
            put(identity, name, value)
        return
    draft: Any = identity
    (
        draft.subject, draft.scopes, draft.roles, draft.acr, draft.auth_time, draft.claims, draft.user, draft.client_id,
        draft.expires_at, draft.confirmation, draft.issuer, draft.amr,
    ) = values  # fmt: skip
    draft.__class__ = kind


def _more_of(identity: Identity) -> dict[str, Any]:
    """Return the attributes that a subclass of an app adds to the fields, in slots or not."""
    found = dict(getattr(identity, "__dict__", ()))
    for kind in type(identity).__mro__:
        for name, member in vars(kind).items():
            if isinstance(member, MemberDescriptorType) and name not in _FIELDS and hasattr(identity, name):
                found[name] = member.__get__(identity)
    return found


def _rebuild(cls: type[Identity], values: dict[str, Any], more: dict[str, Any] | None = None) -> Identity:
    if more is None:
        return cls(**values)
    made = object.__new__(cls)
    Identity.__init__(made, **values)  # The constructor of the app's class may take other arguments.
    for name, value in more.items():
        object.__setattr__(made, name, value)
    return made


def _encoded(text: str) -> str:
    return quote(text, safe=":/@|", errors="surrogatepass")


def validated_methods(amr: Iterable[str]) -> frozenset[str]:
    """Return the methods of a login as a set. Raise `TypeError` for a bare string, and for what isn't a `str`."""
    if not isinstance(amr, Iterable):
        raise TypeError(f"amr must be a collection of str, not {amr!r}")
    return _validated_names("amr", amr)


def _validated_names(name: str, values: Iterable[str]) -> frozenset[str]:
    if isinstance(values, (str, bytes)):
        raise TypeError(f"{name} must be a collection of str, not {values!r}: write {name}={as_set(values)}")
    names = frozenset(values)
    for value in names:
        if not isinstance(value, str):
            raise TypeError(f"{name} must hold str, not {value!r}")
    return names


def as_set(text: str | bytes) -> str:
    """Return the set that a bare string of names probably means, as source for an error message."""
    names = (text.decode("latin-1") if isinstance(text, bytes) else text).split()
    return "{" + ", ".join(f'"{name}"' for name in names or ["name"]) + "}"


def _check_texts(acr: str | None, client_id: str | None, issuer: str | None) -> None:
    if acr is not None and not isinstance(acr, str):
        raise TypeError(f"acr must be a str or None, not {acr!r}")
    if client_id is not None and not isinstance(client_id, str):
        raise TypeError(f"client_id must be a str or None, not {client_id!r}")
    if issuer is not None and (not isinstance(issuer, str) or not issuer):
        raise TypeError(f"issuer must be a non-empty str or None, not {issuer!r}")


def _check_time(name: str, value: float | None) -> None:
    if value is not None and (isinstance(value, bool) or not isinstance(value, (int, float)) or value != value):
        fix = f": write {name}=moment.timestamp()" if hasattr(value, "timestamp") else ""
        raise TypeError(f"{name} must be seconds since 1970 or None, not {value!r}{fix}")

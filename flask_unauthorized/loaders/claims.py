"""Reading claims, whether a token holds them or an introspection response does (RFC 7519, RFC 7662).

The last part checks the options that `JWT` and `Introspection` share.
"""

from collections.abc import Mapping
from dataclasses import replace
from importlib.util import find_spec
from inspect import iscoroutinefunction
from typing import Any, Final, Literal

from flask import Flask

from ..errors import ConfigurationError, InvalidCredentials
from ..errors.text import shown
from ..identity import Identity, RestrictedIdentity
from ..logs import log
from ..policy.details import CLAIM as DETAILS_CLAIM
from ..schemes.confirmation import CERTIFICATE, KEY
from ..schemes.run_async import resolve_awaitable

MAX_TEXT: Final = 1024
"""Longest subject or client, in characters."""
CONFIRMATIONS: Final = frozenset({KEY, CERTIFICATE})
"""The ways of binding a token that a scheme can check (RFC 9449 §6.1, RFC 8705 §3.1)."""

MAX_SHOWN: Final = 65
"""Most characters of a name that the log shows."""
MAX_SHOWN_LIST: Final = 200
"""Most characters of a list of names that the log shows."""
MAX_SHOWN_CLAIMS: Final = 1000
"""Most characters of the names of all claims that the log shows."""

Claims = Mapping[str, Any]
DetailsDemand = Literal["demand"] | None
"""What ``authorization_details=`` of a loader may be."""
RolesPaths = str | tuple[str, ...] | list[str | tuple[str, ...]]
"""``roles_claim=``: a path, or several in a list."""
NO_NAMES: Final[frozenset[str]] = frozenset()


def text_or_none(value: Any) -> str | None:
    """Return a text that isn't empty, else ``None``."""
    return value if isinstance(value, str) and value else None


def time_or_none(value: Any) -> float | None:
    """Return a number, else ``None``: an unknown login time counts as too old (RFC 9470)."""
    return value if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def strings(value: Any) -> frozenset[str]:
    """Return the texts of a list of texts; of anything else none."""
    return frozenset(value) if isinstance(value, list) and all(isinstance(one, str) for one in value) else NO_NAMES


def shown_claim(value: Any) -> str:
    """Return a claim of an unverified token for the log: a text or a list of texts, cut; of others the JSON type only.

    It is for names only (type, algorithm, key id, issuer, audience, client, claim, role), never for a secret.
    """
    if isinstance(value, str):
        text = ascii(value)
        return text if len(text) <= MAX_SHOWN else shown(value, MAX_SHOWN)
    return shown_names(value) if strings(value) else kind_of(value)


def shown_names(names: list[str]) -> str:
    """Return a list of names for the log, cut."""
    return shown(names, MAX_SHOWN_LIST)


def kind_of(value: Any) -> str:
    """Return the JSON type of a value, without the value."""
    if value is None:
        return "absent"
    if value in ("", [], {}):
        return "empty"
    return f"a JSON {_KINDS.get(type(value), 'value')}"


_KINDS: Final = {str: "string", int: "number", float: "number", bool: "boolean", list: "array", dict: "object"}


class RolesClaim:
    """Where the roles are: one path of names, or several whose roles add up.

    A claim that can't be read as roles gives none, and the log warns once for each path. It also warns if the first
    token has no such claim, because the path may be misspelled.
    """

    def __init__(self, paths: tuple[tuple[str, ...], ...]) -> None:
        self.paths = paths
        self._seen: set[tuple[str, ...]] = set()
        self._unreadable: set[tuple[str, ...]] = set()

    def roles(self, claims: Claims) -> frozenset[str]:
        """Return the roles in ``claims``."""
        paths = self.paths
        if len(paths) == 1:
            return self._roles(claims, paths[0])
        return frozenset().union(*[self._roles(claims, path) for path in paths])

    def _roles(self, claims: Claims, path: tuple[str, ...]) -> frozenset[str]:
        value: Any = claims
        for name in path:
            value = value.get(name) if isinstance(value, dict) else None
        if value is None:
            if path not in self._seen:
                self._seen.add(path)
                log.warning(_NO_ROLES, _shown_path(path), _members_on(path, claims))
            return NO_NAMES
        self._seen.add(path)
        roles = _role_names(value)
        if roles is not None:
            return roles
        if path not in self._unreadable:
            self._unreadable.add(path)
            log.warning(_UNREADABLE_ROLES, _shown_path(path), _held(value))
        return NO_NAMES


_NO_ROLES: Final = (
    "roles_claim=%s: this token has no such claim, so its caller has no roles by it. %s. "
    "Correct roles_claim if none of your tokens has it."
)
_UNREADABLE_ROLES: Final = (
    "roles_claim=%s holds %s, so it gives no roles. Expected a string, an array of strings, or an object whose member "
    "names are the roles. Name another claim, or give the roles in user=."
)


def _members_on(path: tuple[str, ...], claims: Claims) -> str:
    """Name what stands in place of the first name of ``path`` that is missing."""
    found: Any = claims
    depth = 0
    while isinstance(inner := found.get(path[depth]), dict) and depth + 1 < len(path):
        found = inner
        depth += 1
    names = shown(sorted(found), MAX_SHOWN_CLAIMS)
    return f"Its claim {_shown_path(path[:depth])} has {names}" if depth else f"The token's claims are {names}"


def _shown_path(path: tuple[str, ...]) -> str:
    return shown(list(path) if any("." in name for name in path) else ".".join(path), MAX_SHOWN_LIST)


def _role_names(value: Any) -> frozenset[str] | None:
    """Return the roles in a claim, or ``None`` if it can't be read."""
    if isinstance(value, list):
        names = strings(value)
        if not names:
            return None if value else NO_NAMES
        return names - {""} if "" in names else names
    if isinstance(value, str):
        return frozenset((value,)) if value else NO_NAMES
    if isinstance(value, dict):
        # Zitadel: {"admin": {organization: domain}}. A role whose value denies it isn't granted.
        return frozenset(name for name, granted in value.items() if name and granted not in (None, False))
    return None


def _held(value: Any) -> str:
    if not isinstance(value, list):
        return kind_of(value)
    return f"an array with {kind_of(next(one for one in value if not isinstance(one, str)))}"


def is_confirmation(value: Any) -> bool:
    """Return whether ``cnf`` (RFC 7800) names a key or a certificate, only in ways that can be checked."""
    return (
        isinstance(value, dict)
        and bool(value)
        and value.keys() <= CONFIRMATIONS
        and all(isinstance(one, str) and one for one in value.values())
    )


def identity_class(claims: Claims, *, restricts: bool) -> type[Identity]:
    """Return the class of a token's identity, which says whether only views that look at its details may accept it.

    Args:
        claims: The claims. ``authorization_details`` limits the token, so a malformed one rejects it.
        restricts: Whether the loader demands that views look at them.

    Raises:
        InvalidCredentials: If ``authorization_details`` isn't a list of objects with a text as ``type`` (RFC 9396 §2).
    """
    if DETAILS_CLAIM not in claims:
        return Identity
    details = claims[DETAILS_CLAIM]
    is_list = isinstance(details, list)
    if not is_list or not all(isinstance(one, dict) and text_or_none(one.get("type")) for one in details):
        what = "an array with something else" if is_list else "null" if details is None else kind_of(details)
        raise InvalidCredentials(
            reason=f"authorization_details is {what}, expected an array of objects with a text as type (RFC 9396 "
            "section 2): the issuer has to correct that"
        )
    return RestrictedIdentity if restricts else Identity


def validated_details_demand(demand: Any) -> bool:
    """Return whether views must look at ``authorization_details``. Raise `ConfigurationError` for another value."""
    if demand not in ("demand", None):
        raise ConfigurationError(
            f'authorization_details must be "demand" or None, not {demand!a}. A function that decides by them belongs '
            "to the guard of a view: login_required(authorization_details=may_pay)"
        )
    return demand is not None


def with_user(identity: Identity, look_up: Any) -> Identity:
    """Add the user that ``look_up`` returns, which may be async. ``None`` rejects the token.

    If it returns an `Identity`, that one's subject, roles and user are taken, and nothing else. Its issuer is taken
    with another subject, because the issuer of the token names only the subject of the token.
    """
    user = resolve_awaitable(look_up(identity))
    if user is None:
        raise InvalidCredentials(reason="user= returned None, so it knows no user for the subject of this token")
    if isinstance(user, bool):
        raise TypeError(f"user= returned {user}: return your user object, or None for no")
    if isinstance(user, Identity):
        # A look-up never widens what the token grants: scopes, login, expiry and key binding stay.
        is_renamed = user.subject is not None and (user.subject != identity.subject or user.issuer is not None)
        subject, issuer = (user.subject, user.issuer) if is_renamed else (identity.subject, identity.issuer)
        return replace(identity, subject=subject, issuer=issuer, roles=user.roles, user=user.user)
    return replace(identity, user=user)


def check_parts(app: Flask, *parts: Any) -> None:
    """Run the checks of a loader's parts before an app's first request; a part may be ``None``."""
    for part in parts:
        if iscoroutinefunction(part) and find_spec("asgiref") is None:
            raise ConfigurationError("user= or revoked= is async: install flask[async]")
        check = getattr(part, "check_app", None)
        if callable(check):
            check(app)


# --- options that a developer gives


def validated_names(name: str, values: Any) -> frozenset[str]:
    """Return one text or several as a set; `ConfigurationError` for none, or an empty one."""
    names = frozenset((values,)) if isinstance(values, str) else frozenset(values)
    if not names or not all(isinstance(one, str) and one for one in names):
        raise ConfigurationError(f"{name} must be a text or several, none empty, not {values!a}")
    return names


def claim_path(claim: RolesPaths | None) -> RolesClaim | None:
    """Return where the roles are: a tuple is one path, a list has several. Raises `ConfigurationError`."""
    if claim is None:
        return None
    paths = claim if isinstance(claim, list) else [claim]
    if not paths:
        raise ConfigurationError("roles_claim=[] names no claim: give one path at least, or None")
    return RolesClaim(tuple(dict.fromkeys(_one_path(path) for path in paths)))


def _one_path(claim: Any) -> tuple[str, ...]:
    """Return the names that lead to the roles: a URL is one name, another text is split at its dots."""
    if isinstance(claim, str):
        claim = (claim,) if "://" in claim else tuple(claim.split("."))
    if not isinstance(claim, tuple) or not claim or not all(isinstance(name, str) and name for name in claim):
        raise ConfigurationError(
            "roles_claim must be a name such as 'roles', a path such as 'realm_access.roles', a tuple of names, or a "
            f"list of these, not {claim!a}"
        )
    return claim


def validated_callable(name: str, value: Any) -> Any:
    """Return ``value`` if it can be called, or is ``None``; else raise `ConfigurationError`."""
    if value is not None and not callable(value):
        raise ConfigurationError(f"{name} must be callable, not {type(value).__name__}")
    return value


def validated_count(name: str, value: Any, *, least: int = 1) -> int:
    """Return ``value`` if it is a whole number up to a million; else raise `ConfigurationError`."""
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= 1_000_000:
        raise ConfigurationError(f"{name} must be a whole number from {least} to 1000000, not {value!a}")
    return value

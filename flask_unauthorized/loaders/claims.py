"""What claims say of a caller, whether a token holds them or an introspection answer does (RFC 7519, RFC 7662)."""

import logging
from collections.abc import Collection, Mapping
from dataclasses import replace
from importlib.util import find_spec
from inspect import iscoroutinefunction
from typing import Any, Final

from flask import Flask

from ..errors import ConfigurationError, InvalidCredentials
from ..identity import Identity
from ..schemes.confirmation import CERTIFICATE, KEY
from ..schemes.run_async import resolve_awaitable

log: Final = logging.getLogger("flask_unauthorized")
MAX_TEXT: Final = 1024
"""Longest subject or client, in characters."""
CONFIRMATIONS: Final = frozenset({KEY, CERTIFICATE})
"""The ways of binding a token that a scheme can check (RFC 9449 §6.1, RFC 8705 §3.1)."""

MAX_SHOWN: Final = 60
"""Most characters of a name that the log shows."""
MAX_NAMES: Final = 5
"""Most names of a list that the log shows."""

Claims = Mapping[str, Any]
RolesPaths = str | tuple[str, ...] | list[str | tuple[str, ...]]
"""``roles_claim=``: a path, or several in a list."""
_NONE: Final[frozenset[str]] = frozenset()


def text_or_none(value: Any) -> str | None:
    """A text that isn't empty, else ``None``."""
    return value if isinstance(value, str) and value else None


def time_or_none(value: Any) -> float | None:
    """A number, else ``None``: a login time that isn't known counts as too old (RFC 9470)."""
    return value if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def strings(value: Any) -> frozenset[str]:
    """The texts of a list of nothing else; of anything else none."""
    return frozenset(value) if isinstance(value, list) and all(isinstance(one, str) for one in value) else _NONE


def show(value: Any) -> str:
    """``value``, of a token nobody has to trust, for the log: a text quoted, in ASCII and cut, else its kind only.

    To be used for names only (type, algorithm, key id, issuer, audience, client, claim, role), never for a secret.
    """
    if isinstance(value, str):
        return ascii(value if len(value) <= MAX_SHOWN else value[:MAX_SHOWN] + "...")
    if isinstance(value, list) and value and all(isinstance(one, str) for one in value):
        return show_names(value)
    return kind_of(value)


def show_names(names: Collection[str], *, most: int = MAX_NAMES) -> str:
    """Several names as a list, for the log: the first few, each cut."""
    shown = [show(name) for name in list(names)[:most]]
    return f"[{', '.join(shown)}{', ...' if len(names) > most else ''}]"


def kind_of(value: Any) -> str:
    """What a JSON value is, without the value."""
    if value is None:
        return "absent"
    if value in ("", [], {}):
        return "empty"
    return f"a JSON {_KINDS.get(type(value), 'value')}"


_KINDS: Final = {str: "string", int: "number", float: "number", bool: "boolean", list: "array", dict: "object"}


class RolesClaim:
    """Where the roles are: one path of names, or several whose roles add up.

    What can't be read as roles gives none, and the log says so once for each path. So it does the first time that
    nothing is found at the end of a path, unless something was found there before: perhaps the name is misspelled.
    """

    def __init__(self, paths: tuple[tuple[str, ...], ...]) -> None:
        self.paths = paths
        self._seen: set[tuple[str, ...]] = set()
        self._unreadable: set[tuple[str, ...]] = set()

    def roles(self, claims: Claims) -> frozenset[str]:
        """The roles in ``claims``."""
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
                log.warning(_NO_ROLES, _shown_path(path), show_names(sorted(claims), most=30))
            return _NONE
        self._seen.add(path)
        roles = _role_names(value)
        if roles is not None:
            return roles
        if path not in self._unreadable:
            self._unreadable.add(path)
            log.warning(_UNREADABLE_ROLES, _shown_path(path), _held(value))
        return _NONE


_NO_ROLES: Final = (
    "roles_claim=%s: this token has no such claim, so its caller has no roles by it. The token's claims are %s. "
    "Correct roles_claim if none of your tokens has it."
)
_UNREADABLE_ROLES: Final = (
    "roles_claim=%s holds %s, so it gives no roles. Expected a string, an array of strings, or an object whose member "
    "names are the roles. Name another claim, or give the roles in user=."
)


def _shown_path(path: tuple[str, ...]) -> str:
    return show_names(path) if any("." in name for name in path) else show(".".join(path))


def _role_names(value: Any) -> frozenset[str] | None:
    """The roles in a claim; ``None`` where it can't be read."""
    if isinstance(value, list):
        names = strings(value)
        if not names:
            return None if value else _NONE
        return names - {""} if "" in names else names
    if isinstance(value, str):
        return frozenset((value,)) if value else _NONE
    if isinstance(value, dict):
        # Zitadel: {"admin": {organization: domain}}. A role whose value denies it isn't granted.
        return frozenset(name for name, granted in value.items() if name and granted not in (None, False))
    return None


def _held(value: Any) -> str:
    if not isinstance(value, list):
        return kind_of(value)
    return f"an array with {kind_of(next(one for one in value if not isinstance(one, str)))}"


def roles_at(claims: Claims, where: RolesClaim | None) -> frozenset[str]:
    """The roles of a caller; none where nobody said where they are."""
    return _NONE if where is None else where.roles(claims)


def is_confirmation(value: Any) -> bool:
    """Whether ``cnf`` (RFC 7800) names a key or a certificate, in ways that can be checked and no other."""
    return (
        isinstance(value, dict)
        and bool(value)
        and value.keys() <= CONFIRMATIONS
        and all(isinstance(one, str) and one for one in value.values())
    )


def with_user(identity: Identity, look_up: Any) -> Identity:
    """``identity`` with the user that ``look_up`` gives for it; ``None`` refuses. It may be async.

    Of an `Identity` its subject, roles and user count.
    """
    user = resolve_awaitable(look_up(identity))
    if user is None:
        raise InvalidCredentials(reason="user= returned None, so it knows no user for the subject of this token")
    if isinstance(user, bool):
        raise TypeError(f"user= returned {user}: return your user object, or None for no")
    if isinstance(user, Identity):
        # What the token says is not the look-up's to change: its scopes, its login, its end, the key it is bound to.
        return replace(identity, subject=user.subject or identity.subject, roles=user.roles, user=user.user)
    return replace(identity, user=user)


def check_parts(app: Flask, *parts: Any) -> None:
    """What the parts of a loader, ``None`` among them, have to check before an app's first request."""
    for part in parts:
        if iscoroutinefunction(part) and find_spec("asgiref") is None:
            raise ConfigurationError("user= or revoked= is async: install flask[async]")
        check = getattr(part, "check_app", None)
        if callable(check):
            check(app)


# --- what a developer gives


def checked_names(name: str, values: Any) -> frozenset[str]:
    """One text or several, as a set; `ConfigurationError` for none, or an empty one."""
    names = frozenset((values,)) if isinstance(values, str) else frozenset(values)
    if not names or not all(isinstance(one, str) and one for one in names):
        raise ConfigurationError(f"{name} must be a text or several, none empty, not {values!a}")
    return names


def claim_path(claim: RolesPaths | None) -> RolesClaim | None:
    """Where the roles are: a tuple is one path, a list has several. `ConfigurationError` for what is neither."""
    if claim is None:
        return None
    paths = claim if isinstance(claim, list) else [claim]
    if not paths:
        raise ConfigurationError("roles_claim=[] names no claim: give one path at least, or None")
    return RolesClaim(tuple(dict.fromkeys(_one_path(path) for path in paths)))


def _one_path(claim: Any) -> tuple[str, ...]:
    """The names that lead to the roles: a URL is one name, another text is split at its dots."""
    if isinstance(claim, str):
        claim = (claim,) if "://" in claim else tuple(claim.split("."))
    if not isinstance(claim, tuple) or not claim or not all(isinstance(name, str) and name for name in claim):
        raise ConfigurationError(
            "roles_claim must be a name such as 'roles', a path such as 'realm_access.roles', a tuple of names, or a "
            f"list of these, not {claim!a}"
        )
    return claim


def checked_callable(name: str, value: Any) -> Any:
    """``value`` if it can be called, or is ``None``; else `ConfigurationError`."""
    if value is not None and not callable(value):
        raise ConfigurationError(f"{name} must be callable, not {type(value).__name__}")
    return value

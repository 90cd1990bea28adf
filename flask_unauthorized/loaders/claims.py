"""What claims say of a caller, whether a token holds them or an introspection answer does (RFC 7519, RFC 7662)."""

import logging
from collections.abc import Mapping
from dataclasses import replace
from importlib.util import find_spec
from inspect import iscoroutinefunction
from typing import Any, Final

from flask import Flask

from ..errors import ConfigurationError, InvalidCredentials, shown
from ..identity import Identity
from ..schemes.confirmation import CERTIFICATE, KEY
from ..schemes.settle import settle

log: Final = logging.getLogger("flask_unauthorized")
MAX_TEXT: Final = 1024
"""Longest subject or client, in characters."""
CONFIRMATIONS: Final = frozenset({KEY, CERTIFICATE})
"""The ways of binding a token that a scheme can check (RFC 9449 §6.1, RFC 8705 §3.1)."""

Claims = Mapping[str, Any]
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


def roles_at(claims: Claims, path: tuple[str, ...] | None) -> frozenset[str]:
    """The roles to which a path of names leads. A single text counts as a list of it.

    The log warns once for each path that led to nothing, because it may be misspelt.
    """
    if path is None:
        return _NONE
    value: Any = claims
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    roles = strings([value] if isinstance(value, str) and value else value)
    if not roles and value != [] and path not in _warned_of:
        _warned_of.add(path)
        what = "is not there" if value is None else f"is a {type(value).__name__} and not a list of texts"
        log.warning(
            "roles_claim=%a: this claim %s, so the caller has no roles; the token has the claims %s (told once)",
            path[0] if len(path) == 1 else path,
            what,
            shown(sorted(claims), 200),
        )
    return roles


_warned_of: Final[set[tuple[str, ...]]] = set()  # paths, of which a program has as many as loaders


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
    user = settle(look_up(identity))
    if user is None:
        raise InvalidCredentials(reason="user= knows no such user")
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


def claim_path(claim: str | tuple[str, ...] | None) -> tuple[str, ...] | None:
    """The names that lead to the roles: a URL is one name, another text is split at its dots."""
    if claim is None:
        return None
    if isinstance(claim, str):
        claim = (claim,) if "://" in claim else tuple(claim.split("."))
    if not isinstance(claim, tuple) or not claim or not all(isinstance(name, str) and name for name in claim):
        raise ConfigurationError(
            "roles_claim must be a name such as 'roles', a path such as 'realm_access.roles', or a tuple of names, "
            f"not {claim!a}"
        )
    return claim


def checked_callable(name: str, value: Any) -> Any:
    """``value`` if it can be called, or is ``None``; else `ConfigurationError`."""
    if value is not None and not callable(value):
        raise ConfigurationError(f"{name} must be callable, not {type(value).__name__}")
    return value

"""Checks of what a scheme declares, for subclasses that an app writes.

The rest of the package relies on the attributes of a scheme without looking at them again on a request. So they are
checked once, before the first request, and each message names the attribute, its value and the fix:

1. `check_attributes` looks at the attributes alone: their types, and whether their values can be sent.
2. The scheme's own `Scheme.check` runs between the two, because it may complete the set-up.
3. `check_challenges` makes a challenge without an error, and compares its name with what the scheme reads. A scheme
   that asks for one name and reads another one would refuse every client that obeys the challenge.

The challenges of a ``static`` scheme must be possible without a request, so an exception there is raised. Other schemes
may need more of a request than an empty one has. Their challenges are then not checked.
"""

from contextlib import nullcontext
from typing import Any, Final, get_args

from flask import Flask, current_app, has_app_context

from ..errors import ConfigurationError
from ..wire import Challenge
from ..wire.grammar import is_token
from .base import CredentialKind, Scheme, validated_realm

_LOCATIONS: Final = ("authorization", "header", "cookie", "query", "form", "environ")


def check_attributes(scheme: Scheme[Any]) -> None:
    """Check that the attributes of a scheme have the types and values that `Scheme` documents.

    Raises:
        ConfigurationError: If one of them hasn't.
    """
    kind = type(scheme).__name__
    name = getattr(scheme, "name", None)
    if not isinstance(name, str) or not is_token(name):
        raise ConfigurationError(f"{kind}.name must be a token such as 'Bearer', not {name!a} (RFC 9110 §11.1)")
    reads = getattr(scheme, "reads", None)
    if not isinstance(reads, tuple) or not reads:
        raise ConfigurationError(f"{kind}.reads must be a tuple of (location, name), such as (('header', 'x-key'),)")
    for entry in reads:
        _check_reads_entry(kind, entry)
    varies = getattr(scheme, "varies", None)
    if not isinstance(varies, tuple) or not all(isinstance(field, str) and is_token(field) for field in varies):
        raise ConfigurationError(f"{kind}.varies must be a tuple of field names such as ('DPoP',), not {varies!a}")
    kinds = get_args(CredentialKind)
    if scheme.credential_kind not in kinds:
        raise ConfigurationError(
            f"{kind}.credential_kind must be one of {', '.join(kinds)}, not {scheme.credential_kind!a}"
        )
    _check_login_of(scheme)
    if scheme.realm is not None:
        validated_realm(scheme.realm)


def _check_login_of(scheme: Scheme[Any]) -> None:
    """Check that a scheme that says when its callers logged in has the method for it."""
    kind = type(scheme)
    has_method = kind.login_of is not Scheme.login_of or kind.identity_with_login is not Scheme.identity_with_login
    if scheme.knows_login and not has_method:
        raise ConfigurationError(
            f"{kind.__name__}.knows_login is True, and {kind.__name__} has no login_of(): write it, or leave it out"
        )


def _check_reads_entry(kind: str, entry: Any) -> None:
    """Check one pair of a location and a name."""
    is_pair = isinstance(entry, tuple) and len(entry) == 2 and all(isinstance(part, str) and part for part in entry)
    if not is_pair or entry[0] not in _LOCATIONS:
        raise ConfigurationError(f"{kind}.reads has {entry!a}: the location must be one of {', '.join(_LOCATIONS)}")
    if entry[0] in ("authorization", "header") and entry[1] != entry[1].lower():
        raise ConfigurationError(f"{kind}.reads has {entry!a}: write the name in lower case")
    if entry[0] in ("authorization", "header") and not is_token(entry[1]):
        raise ConfigurationError(f"{kind}.reads has {entry!a}: the name is not a token (RFC 9110 §5.1)")


def check_challenges(scheme: Scheme[Any], app: Flask, realm: str) -> None:
    """Check that a scheme that reads ``Authorization`` asks for a name that it reads there.

    Args:
        scheme: The scheme.
        app: The app that it serves.
        realm: The realm of the app, for schemes without their own.

    Raises:
        ConfigurationError: If a challenge has another name.
    """
    names = sorted(name for location, name in scheme.reads if location == "authorization")
    if not names:
        return
    for challenge in _sample_challenges(scheme, app, realm if scheme.realm is None else scheme.realm):
        if challenge.scheme.lower() not in names:
            raise ConfigurationError(
                f"{type(scheme).__name__} challenges for {challenge.scheme!r}, but reads {', '.join(map(repr, names))} "
                f"from Authorization: set its name to {challenge.scheme!r} and leave reads out, or make challenges() "
                "name what it reads"
            )


def _sample_challenges(scheme: Scheme[Any], app: Flask, realm: str) -> tuple[Challenge, ...]:
    """Return the challenges for an empty request; none if a scheme that isn't ``static`` can't make them."""
    # Imported here because this module costs more than the whole package, and is needed once.
    from werkzeug.test import create_environ

    current: Any = current_app
    in_context = has_app_context() and current._get_current_object() is app
    with nullcontext() if in_context else app.app_context():
        try:
            return tuple(scheme.challenges(realm, None, app.request_class(create_environ())))
        except Exception:  # a scheme that isn't static may need a real request
            if scheme.static:
                raise
            return ()

"""Rows of OWASP ASVS 5.0.0 that an app's configuration decides: met or not, with the setting to change.

Each function below decides one row, or several that depend on the same setting. It reads plain values, and returns

- ``True`` if the row is met,
- ``False`` if it isn't,
- ``None`` if the app has nothing that the row is about, such as a password.

Rows that the extension meets by default, or that only the app's own code can meet, aren't listed here.
docs/explanation/asvs.md has all rows.
"""

import logging
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final, NamedTuple

from flask import Flask
from flask.sessions import SecureCookieSessionInterface

from ..logs import LOGGER
from ..policy.settings import Settings
from ..schemes.loader_chain import loaders_of
from ..schemes.session.scheme import SessionCookie
from .findings import Audited

_RSA_BITS: Final = 3072
"""The least length of RSA keys that give 128 bits of security."""


class Row(NamedTuple):
    """A row of the standard.

    Attributes:
        id: Its number, such as ``"3.3.1"``.
        level: The least level of the standard that asks for it: 1 to 3.
        asks: What is asked, in our own words.
        setting: What to write to meet it.
        met: Whether it is met.
    """

    id: str
    level: int
    asks: str
    setting: str
    met: bool


class Setup(NamedTuple):
    """What the rows are decided by."""

    app: Flask
    audited: Audited
    protects_app: bool
    """Whether ``protect(app)`` demands a caller of every view that isn't named as public."""

    @property
    def settings(self) -> Settings:
        """The settings of the extension."""
        return self.audited.settings

    @property
    def sessions(self) -> list[SessionCookie]:
        """The schemes that read Flask's session."""
        return [scheme for scheme in self.audited.names if isinstance(scheme, SessionCookie)]

    @property
    def jwts(self) -> list[Any]:
        """The loaders that verify signed tokens."""
        return list(_jwt_loaders(loader for scheme in self.audited.names for loader in loaders_of(scheme)))


def _jwt_loaders(loaders: Iterable[Any]) -> Iterator[Any]:
    try:
        from ..loaders.jwt import JWT, Issuers
    except ImportError:  # The extra isn't installed, so no scheme has such a loader.
        return
    for loader in loaders:
        if isinstance(loader, JWT):
            yield loader
        elif isinstance(loader, Issuers):
            yield from loader._by_issuer.values()


def _all(decided: Iterable[bool]) -> bool | None:
    """Return whether all are met; ``None`` if there are none."""
    found = list(decided)
    return all(found) if found else None


def _throttled(setup: Setup) -> bool | None:
    kinds = (scheme for scheme in setup.audited.names if scheme.credential_kind == "password")
    return _all(scheme.throttle is not None for scheme in kinds)


def _host_cookie(setup: Setup) -> bool | None:
    config = setup.app.config
    prefixes = ("__Host-", "__Secure-")
    return _all(
        config["SESSION_COOKIE_SECURE"] and config["SESSION_COOKIE_NAME"].startswith(prefixes) for _ in setup.sessions
    )


def _same_site(setup: Setup) -> bool | None:
    value = setup.app.config["SESSION_COOKIE_SAMESITE"]
    return _all(str(value).lower() in ("lax", "strict") for _ in setup.sessions)


def _host_prefix(setup: Setup) -> bool | None:
    return _all(setup.app.config["SESSION_COOKIE_NAME"].startswith("__Host-") for _ in setup.sessions)


def _same_site_reads(setup: Setup) -> bool | None:
    return _all(not scheme.cross_site_reads for scheme in setup.sessions)


def _protected(setup: Setup) -> bool | None:
    return setup.protects_app


def _ends_sessions(setup: Setup) -> bool | None:
    return _all(scheme.store is not None for scheme in setup.sessions)


def _ends_everything(setup: Setup) -> bool | None:
    sessions = [scheme.store is not None for scheme in setup.sessions]
    return _all([*sessions, *(loader._revoked is not None for loader in setup.jwts)])


def _idle(setup: Setup) -> bool | None:
    return _all(scheme.idle is not None for scheme in setup.sessions)


def _step_up(setup: Setup) -> bool | None:
    demands = (route.requirement for route in setup.audited.routes)
    return any(one is not None and (one.acr or one.amr or one.max_age is not None) for one in demands)


def _exact_time(setup: Setup) -> bool | None:
    return _all(loader._rules.leeway == 0 for loader in setup.jwts)


def _audience(setup: Setup) -> bool | None:
    return _all(loader._rules.audiences is not None for loader in setup.jwts)


def _bound(setup: Setup) -> bool | None:
    return _all(scheme.bound_only for scheme in setup.audited.names if scheme.oauth)


def _strong_keys(setup: Setup) -> bool | None:
    return _all(map(_has_strong_keys, setup.jwts))


def _has_strong_keys(loader: Any) -> bool:
    """Return whether a loader takes no RSA key below 3072 bits."""
    keys = loader._keys
    if not any(name.startswith(("RS", "PS")) for name in loader._algorithms):
        return True
    if isinstance(keys, Iterable):  # keys that the developer gave, so they are known
        return not any(key.is_shorter_than(_RSA_BITS) for key in keys)
    return bool(getattr(keys, "min_rsa_bits", 0) >= _RSA_BITS)


def _approved_signatures(setup: Setup) -> bool | None:
    return _all(not any(name.startswith("RS") for name in loader._algorithms) for loader in setup.jwts)


def _sha256_session(setup: Setup) -> bool | None:
    interface = setup.app.session_interface
    if not setup.sessions or not isinstance(interface, SecureCookieSessionInterface):
        return None
    return bool(interface.digest_method().name.replace("-", "").lower() != "sha1")


def _https(setup: Setup) -> bool | None:
    return setup.settings.require_https


def _no_query(setup: Setup) -> bool | None:
    locations = [{location for location, _ in scheme.reads} for scheme in setup.audited.names]
    return _all("query" not in found for found in locations)


def _no_store(setup: Setup) -> bool | None:
    return _all(one.no_store for route in setup.audited.routes if (one := route.requirement) is not None)


def _logged(level: int) -> Callable[[Setup], bool | None]:
    def decide(setup: Setup) -> bool | None:
        return not LOGGER.disabled and max(LOGGER.getEffectiveLevel(), LOGGER.manager.disable + 1) <= level

    return decide


_INFO: Final = 'logging.getLogger("flask_unauthorized").setLevel("INFO")'
_ROWS: Final[tuple[tuple[str, int, str, str, Callable[[Setup], bool | None]], ...]] = (
    ("2.4.1", 2, "Limits against excessive calls.", "throttle=Throttle(store) on the scheme", _throttled),
    (
        "3.3.1", 1, "Cookies are Secure and have a `__Host-` or `__Secure-` name.",
        'SESSION_COOKIE_SECURE=True, SESSION_COOKIE_NAME="__Host-session"', _host_cookie,
    ),
    ("3.3.2", 2, "SameSite fits the purpose.", 'SESSION_COOKIE_SAMESITE="Lax"', _same_site),
    ("3.3.3", 2, "`__Host-` prefix unless shared on purpose.", 'SESSION_COOKIE_NAME="__Host-session"', _host_prefix),
    (
        "3.5.8", 3, "Guarded resources are embedded or loaded by other sites only where intended.",
        "SessionCookie(..., cross_site_reads=False)", _same_site_reads,
    ),
    ("6.3.1", 1, "Brute force and stuffing are countered.", "throttle=Throttle(store) on the scheme", _throttled),
    (
        "6.3.4", 2, "No undocumented way in; the same strength everywhere.", "auth.protect(app, public={...})",
        _protected,
    ),
    ("7.3.1", 2, "Idle time-out.", "SessionCookie(..., idle=3600)", _idle),
    (
        "7.4.1", 1, "After logout a session can't be used any more.",
        "SessionCookie(..., store=...), JWT(..., revoked=Revocations(store))", _ends_everything,
    ),
    (
        "7.4.3", 2, "After a change of a factor the other sessions can be ended.", "SessionCookie(..., store=...)",
        _ends_sessions,
    ),
    (
        "7.4.5", 2, "Administrators end the sessions of one user, or of all.", "SessionCookie(..., store=...)",
        _ends_sessions,
    ),
    (
        "7.5.1", 2, "Full login before changes of e-mail, factors, recovery.", "login_required(max_age=300)", _step_up,
    ),
    ("7.5.2", 2, "Users see and end their sessions.", "SessionCookie(..., store=...)", _ends_sessions),
    ("7.5.3", 3, "Further authentication for highly sensitive operations.", "login_required(acr=..., max_age=300)",
     _step_up),
    ("8.2.1", 1, "Functions only with explicit permission.", "auth.protect(app, public={...})", _protected),
    ("9.2.1", 1, "Only within the token's time.", "JWT(..., leeway=0)", _exact_time),
    ("9.2.3", 2, "Only tokens for this audience.", "JWT(..., audience=...)", _audience),
    ("10.3.5", 3, "Sender-constrained tokens only.", "Auth(DPoP(load, origin=...), bound_only=True)", _bound),
    (
        "11.2.3", 2, "128 bits of security (RSA of 3072 bits).",
        'JWT(..., min_rsa_bits=3072), or algorithms=("ES256", "EdDSA", "Ed25519")', _strong_keys,
    ),
    ("11.4.1", 1, "Only approved hash functions.", "app.session_interface = SHA256Sessions()", _sha256_session),
    (
        "11.4.3", 2, "Hashes in signatures of 256 bits or more.", "app.session_interface = SHA256Sessions()",
        _sha256_session,
    ),
    (
        "11.6.1", 2, "Only approved signatures and keys.",
        'JWT(..., algorithms=("ES256", "PS256", "EdDSA", "Ed25519"))', _approved_signatures,
    ),
    ("12.2.1", 1, "TLS for all outside connections.", "UNAUTHORIZED_REQUIRE_HTTPS=True", _https),
    ("14.2.1", 1, "No secrets in URLs.", "read a header, not query= or location=", _no_query),
    (
        "14.3.2", 2, "`no-store` for sensitive answers.",
        "login_required(no_store=True), or auth.protect(app, no_store=True)", _no_store,
    ),
    ("16.3.1", 2, "All authentication is logged, failed and successful.", _INFO, _logged(logging.INFO)),
    ("16.3.2", 2, "Failed authorization is logged; at L3 all decisions.", _INFO, _logged(logging.INFO)),
    ("16.3.3", 2, "Attempts to get around controls are logged.", _INFO, _logged(logging.INFO)),
)  # fmt: skip


def decide_rows(setup: Setup) -> tuple[Row, ...]:
    """Return the rows that the configuration decides, in the order of the standard."""
    decided = [(name, level, asks, setting, decide(setup)) for name, level, asks, setting, decide in _ROWS]
    return tuple(Row(name, level, asks, setting, met) for name, level, asks, setting, met in decided if met is not None)

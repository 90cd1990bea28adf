"""Checks of Flask's session settings, for apps that authenticate people by the session.

A setting that gives every session away is a `ConfigurationError`. A setting that is a risk only in production is a
warning, and isn't mentioned in debug mode and in tests. Each warning is logged once for each app.
"""

from typing import Final

from flask import Flask
from flask.sessions import SecureCookieSessionInterface

from ...errors import ConfigurationError
from ...logs import log
from ..secret_keys import secret_keys
from ..state_access import mention_once, warn_once

_MIN_KEY_LENGTH: Final = 16
"""Length of a ``SECRET_KEY`` that isn't short, in bytes."""
_DAY: Final = 86_400
_WELL_KNOWN_KEYS: Final = frozenset({"dev", "secret", "change me", "changeme", "secret key", "secret_key", "key"})


def check_secret_key(app: Flask) -> None:
    """Check that the app has a ``SECRET_KEY``, and warn if it can be guessed.

    Raises:
        ConfigurationError: If a key is missing.
    """
    newest = secret_keys(app, "SessionCookie")[-1]
    is_weak = len(newest) < _MIN_KEY_LENGTH or newest.decode("latin-1").lower() in _WELL_KNOWN_KEYS
    if is_weak and not app.testing:
        text = "SECRET_KEY is short or well-known, so anyone can guess it and log in: use secrets.token_hex()"
        warn_once(app, text)


def warn_of_shorter_lifetime(app: Flask, lifetime: int, idle: int | None) -> None:
    """Warn if Flask's own limit ends sessions earlier than the scheme does.

    Flask refuses a cookie that it signed longer ago than ``PERMANENT_SESSION_LIFETIME``. Use signs the cookie anew only
    if there is an ``idle``.

    Args:
        app: The app.
        lifetime: Seconds from the login.
        idle: Seconds from the last request; ``None`` for no limit.
    """
    limit = app.permanent_session_lifetime.total_seconds()
    option, seconds = ("lifetime", lifetime) if idle is None else ("idle", idle)
    if seconds > limit and lifetime > limit:
        log.warning(
            "SessionCookie(%s=%d) is longer than PERMANENT_SESSION_LIFETIME, so sessions end after %d seconds: set "
            "PERMANENT_SESSION_LIFETIME to %d or more",
            option,
            seconds,
            limit,
            seconds,
        )


def warn_of_short_memory(app: Flask, remember: int) -> None:
    """Warn if logins are remembered for less than a day, because days may have been meant.

    Args:
        app: The app.
        remember: How long a login is remembered, in seconds.
    """
    if remember < _DAY and not app.testing:
        warn_once(
            app,
            f"SessionCookie(remember={remember}) remembers logins for {remember} seconds, which is less than a day: "
            "write remember=timedelta(days=30) for 30 days",
        )


def check_session_cookie(app: Flask) -> None:
    """Check the attributes of the session's cookie (RFC 6265bis §8).

    Raises:
        ConfigurationError: If scripts can read the cookie, or if browsers drop it.
    """
    name, secure = app.config["SESSION_COOKIE_NAME"], app.config["SESSION_COOKIE_SECURE"]
    same_site = app.config["SESSION_COOKIE_SAMESITE"]
    if not app.config["SESSION_COOKIE_HTTPONLY"]:
        raise ConfigurationError("SESSION_COOKIE_HTTPONLY is False: any script in a page could take the session")
    if same_site == "None" and not secure:
        raise ConfigurationError(
            "SESSION_COOKIE_SAMESITE='None' needs SESSION_COOKIE_SECURE: browsers drop it otherwise"
        )
    if name.startswith(("__Host-", "__Secure-")) and not secure:
        raise ConfigurationError(
            f"SESSION_COOKIE_NAME={name!r} needs SESSION_COOKIE_SECURE: browsers drop it otherwise"
        )
    paths = {app.config["SESSION_COOKIE_PATH"] or "/", app.config["APPLICATION_ROOT"]}
    if name.startswith("__Host-") and (app.config["SESSION_COOKIE_DOMAIN"] or paths != {"/"}):
        raise ConfigurationError(f"SESSION_COOKIE_NAME={name!r} allows no domain, and no path but /")


def warn_of_exposed_cookie(app: Flask) -> None:
    """Warn in production if the session's cookie is sent over plain HTTP, or by any site."""
    if app.debug or app.testing:
        return
    if not app.config["SESSION_COOKIE_SECURE"]:
        text = (
            "SESSION_COOKIE_SECURE is False: the session goes over plain HTTP too, where attackers can copy it: "
            "set it to True, and serve HTTPS"
        )
        warn_once(app, text)
    if app.config["SESSION_COOKIE_SAMESITE"] is None:
        warn_once(app, "SESSION_COOKIE_SAMESITE is not set, and browsers differ: set it to 'Lax'")
    elif app.config["SESSION_COOKIE_SAMESITE"].lower() == "none":
        text = (
            "SESSION_COOKIE_SAMESITE='None': pages of all other sites send the session when they load something of "
            "this app, so only the check of cross-site requests protects it: set 'Lax', unless others embed the app"
        )
        warn_once(app, text)


def warn_of_copied_cookies(app: Flask) -> None:
    """Warn in production that a logout doesn't end copies of a cookie that holds the session."""
    if app.debug or app.testing:
        return
    warn_once(
        app,
        "SessionCookie has no store=, so a copied session cookie stays valid after the logout: give "
        "store=SQLiteStore(path) or store=RedisStore(url), or accept it with store=None",
    )


def mention_sha1(app: Flask) -> None:
    """Mention at INFO in production that the session's cookie is signed with HMAC-SHA-1, as Flask does by default."""
    interface = app.session_interface
    if app.debug or app.testing or not isinstance(interface, SecureCookieSessionInterface):
        return
    if getattr(interface.digest_method(), "name", None) == "sha1":
        mention_once(
            app,
            "Flask signs the session's cookie with HMAC-SHA-1, which no known attack forges, and which some rules "
            "forbid: app.session_interface = SHA256Sessions() signs it with SHA-256",
        )


def warn_of_session_fixation(app: Flask) -> None:
    """Warn if sessions are stored on the server and their ids can't be renewed at login."""
    interface = app.session_interface
    if isinstance(interface, SecureCookieSessionInterface) or callable(getattr(interface, "regenerate", None)):
        return
    warn_once(
        app,
        f"{type(interface).__name__} has no regenerate(session). If it stores sessions on the server, their ids aren't "
        "renewed at login, so an attacker who planted an id is logged in as well (session fixation)",
    )

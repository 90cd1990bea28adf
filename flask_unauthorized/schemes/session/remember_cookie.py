"""The cookie of a remembered login: its name, its flags, and its value.

The name and the flags follow those of the app's session cookie, so that browsers send both cookies to the same places.
The value is ``version.tag.id.secret``:

- the tag is a short hash of the realm. Two apps on one host may have cookies of one name, and each leaves alone what
  the other one wrote;
- the id is that of the device, by which the store finds its entry;
- the secret is replaced at each use. It begins with the key of the series, which stays. Only the browser knows the key,
  because the id is also in the session cookie, which may lie in a backup. No other client can end the login by a wrong
  secret.

Only values of this form are read, and they are short. A request may hold several cookies of one name, with different
paths. The first one with the tag of the realm counts, because browsers send the most specific path first (RFC 6265
§5.4).
"""

import base64
import hashlib
import re
import secrets
from typing import Any, Final

from flask import Flask, Request, Response

_VERSION: Final = "1"
_SERIES_KEY: Final = 21
_CHANGING: Final = 22
_VALUE: Final = re.compile(r"1\.([\w-]{8})\.([\w-]{22})\.([\w-]{43})", re.ASCII)


class PresentedCookie:
    """A remember cookie of this realm that a request holds. Its ``repr`` shows nothing.

    Attributes:
        realm: The realm.
        session_id: The id of the device.
        secret: The secret.
        subject: The user. This and what follows are set when the cookie has been verified.
        auth_time: When the user authenticated, in seconds since 1970.
        acr: The class of the login, or ``None``.
        amr: The methods of the login.
        issuer: The identity provider where the user logged in, or ``None``.
    """

    __slots__ = ("acr", "amr", "auth_time", "issuer", "realm", "secret", "session_id", "subject")
    subject: str
    auth_time: float
    acr: str | None
    amr: frozenset[str]
    issuer: str | None

    def __init__(self, realm: str, session_id: str, secret: str) -> None:
        self.realm = realm
        self.session_id = session_id
        self.secret = secret

    def __repr__(self) -> str:
        return "<PresentedCookie>"


def new_secret(before: str = "") -> str:
    """Return a new secret of 256 bits.

    Args:
        before: The secret that it replaces, whose series goes on. Without it, a series begins.
    """
    return (series_key(before) or secrets.token_urlsafe(16)[:_SERIES_KEY]) + secrets.token_urlsafe(17)[:_CHANGING]


def series_key(secret: str) -> str:
    """Return the part of a secret that all secrets of its series have in common: 126 bits."""
    return secret[:_SERIES_KEY]


def cookie_value(realm: str, session_id: str, secret: str) -> str:
    """Return the value of a cookie."""
    return ".".join((_VERSION, _realm_tag(realm), session_id, secret))


def read_cookie(request: Request, app: Flask, realm: str) -> tuple[PresentedCookie | None, bool]:
    """Return the remember cookie of a request, and whether the browser has one that is of no use.

    A cookie of another realm is neither.
    """
    values = request.cookies.getlist(cookie_name(app))
    is_dead = False
    for value in values:
        match = _VALUE.fullmatch(value)
        if match is None:
            is_dead = True
        elif match[1] == _realm_tag(realm):
            return PresentedCookie(realm, match[2], match[3]), False
    return None, is_dead


def has_only_other_realms(request: Request, app: Flask, realm: str) -> bool:
    """Return whether a request has remember cookies, and all are of other realms."""
    return bool(request.cookies.getlist(cookie_name(app))) and read_cookie(request, app, realm) == (None, False)


def cookie_name(app: Flask) -> str:
    """Return the name of the cookie in an app (RFC 6265bis §4.1.3 for its beginning)."""
    interface = app.session_interface
    name = interface.get_cookie_name(app)
    base = name.removeprefix("__Host-").removeprefix("__Secure-") + "_remember"
    is_of_host = interface.get_cookie_path(app) == "/" and not interface.get_cookie_domain(app)
    if is_of_host and interface.get_cookie_secure(app):
        return f"__Host-{base}"
    return f"__Secure-{base}" if name.startswith(("__Host-", "__Secure-")) else base


def send_cookie(response: Response, app: Flask, value: str, max_age: int) -> None:
    """Set the cookie.

    Args:
        response: The response.
        app: The app.
        value: What `cookie_value` returned.
        max_age: How long the browser keeps it, in seconds.
    """
    response.set_cookie(cookie_name(app), value, max_age=max_age, **_flags(app))


def delete_cookie(response: Response, app: Flask) -> None:
    """Let the browser drop the cookie."""
    response.delete_cookie(cookie_name(app), **_flags(app))


def _flags(app: Flask) -> dict[str, Any]:
    interface = app.session_interface
    flags: dict[str, Any] = {
        "path": interface.get_cookie_path(app),
        "domain": interface.get_cookie_domain(app),
        "secure": interface.get_cookie_secure(app),
        "samesite": interface.get_cookie_samesite(app),
        "httponly": True,
    }
    if hasattr(interface, "get_cookie_partitioned"):  # Flask 3.1
        flags["partitioned"] = interface.get_cookie_partitioned(app)
    return flags


def _realm_tag(realm: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(realm.encode(errors="surrogatepass")).digest()[:6]).decode()

"""Flask-HTTPAuth."""

from typing import Any

from flask import Flask
from flask_httpauth import HTTPBasicAuth, HTTPDigestAuth, HTTPTokenAuth, MultiAuth

from .base import (
    ALL,
    BASIC_REQUESTS,
    KEY_HEADER,
    MULTI_REQUESTS,
    OPEN,
    READ,
    REFUSALS,
    WRITE,
    Caller,
    Contender,
    View,
    asking,
    password_check,
    token_check,
    with_handler,
)
from .exchanges import REALM, digest_requests, stored_hashes


def _roles(caller: Caller) -> tuple[str, ...]:
    return caller.scopes


def _demanding(auth: Any, view: View, demand: str) -> View:
    if demand == "login":
        return auth.login_required(view)
    if demand == "optional":
        return auth.login_required(optional=True)(view)
    if demand in OPEN:  # only a decorator asks who is calling
        return auth.login_required(optional=True)(asking(auth.current_user, view)) if demand == "asks" else view
    return auth.login_required(role={"held": READ, "lacking": WRITE}[demand])(view)


def _token_auth(**options: str) -> HTTPTokenAuth:
    auth = HTTPTokenAuth(**options)
    auth.verify_token(token_check())
    auth.get_user_roles(_roles)
    return auth


def _basic_auth() -> HTTPBasicAuth:
    auth = HTTPBasicAuth()
    auth.verify_password(password_check())
    auth.get_user_roles(_roles)
    return auth


def _token(app: Flask, view: View, demand: str) -> View:
    return _demanding(_token_auth(), view, demand)


def _basic(app: Flask, view: View, demand: str) -> View:
    return _demanding(_basic_auth(), view, demand)


def _multi(app: Flask, view: View, demand: str) -> View:
    auth = MultiAuth(_token_auth(), _basic_auth(), _token_auth(scheme="ApiKey", header=KEY_HEADER))
    return _demanding(auth, view, demand)


def _digest(app: Flask, view: View, demand: str) -> View:
    auth = HTTPDigestAuth(realm=REALM, use_ha1_pw=True)  # MD5 is the best that it has
    stored = stored_hashes("MD5")

    def load(name: str) -> str | None:
        return stored.get(name)

    auth.get_password(load)
    return auth.login_required(view)


CONTENDERS = (
    Contender("httpauth.token", "Flask-HTTPAuth Token", _token, (*ALL, *OPEN), rival="ours.bearer"),
    Contender(
        "httpauth.token-handler",
        "Flask-HTTPAuth Token, a handler for `HTTPException`",
        with_handler(_token),
        REFUSALS,
        rival="ours.bearer-handler",
    ),
    Contender(
        "httpauth.basic",
        "Flask-HTTPAuth Basic",
        _basic,
        ("accepted", *REFUSALS),
        requests=lambda app: BASIC_REQUESTS,
        rival="ours.basic",
    ),
    Contender(
        "httpauth.multi",
        "Flask-HTTPAuth Multi, three schemes",
        _multi,
        ("accepted", "basic", "key", *REFUSALS),
        requests=lambda app: MULTI_REQUESTS,
        rival="ours.three",
    ),
    Contender(
        "httpauth.digest",
        "Flask-HTTPAuth Digest",
        _digest,
        ("accepted", "missing", "wrong"),
        requests=digest_requests,
        rival="ours.digest",
    ),
)

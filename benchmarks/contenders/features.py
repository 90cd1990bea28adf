"""Features that an accepted request may not use: each absent and present in the app, with the same request."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from flask import Flask

from flask_unauthorized import Auth, Basic, Bearer, SessionCookie
from flask_unauthorized.stores.memory import MemoryStore
from flask_unauthorized.throttle import Throttle

from .base import (
    BASIC_REQUESTS,
    BEARER_REQUESTS,
    NAME,
    NAMES,
    Caller,
    Contender,
    Environ,
    Series,
    View,
    password_check,
    token_check,
)
from .exchanges import cookie_requests

Guard = Callable[[Flask, View, str], View]
_ACCEPTED = ("accepted",)


class Feature(NamedTuple):
    """One feature, and the keys of the apps without it and with it."""

    title: str
    absent: str
    present: str


def _bearer(app: Flask, view: View, demand: str) -> View:
    """The loader returns the app's own user object."""
    return Auth(Bearer(token_check()), app=app).login_required(view)


def _two_loaders(app: Flask, view: View, demand: str) -> View:
    return Auth(Bearer(token_check(), lambda token: None), app=app).login_required(view)


def _unless(app: Flask, view: View, demand: str) -> View:
    return Auth(Bearer(token_check()), app=app).login_required(unless=lambda: False)(view)


def _asking(app: Flask, view: View, demand: str) -> View:
    auth = Auth(Bearer(token_check()), app=app)

    @auth.login_required
    def asks() -> str:
        assert auth.get_identity() is not None
        return view()

    return asks


def _basic(throttled: bool) -> Guard:
    def guard(app: Flask, view: View, demand: str) -> View:
        throttle = Throttle(MemoryStore(single_process=True)) if throttled else None
        return Auth(Basic(password_check(), throttle=throttle), app=app).login_required(view)

    return guard


def _session(remember: int | None) -> Guard:
    members = {name: Caller(name) for name in NAMES}

    def guard(app: Flask, view: View, demand: str) -> View:
        scheme = SessionCookie(members.get, store=MemoryStore(single_process=True), remember=remember)
        auth = Auth(scheme, app=app)

        def log_in() -> str:
            auth.login(NAME)
            return "hello"

        app.add_url_rule("/log-in", "log_in", log_in)
        return auth.login_required(view)

    return guard


def _contender(key: str, guard: Guard, requests: Callable[[Flask], Any] = lambda app: BEARER_REQUESTS) -> Contender:
    return Contender(f"features.{key}", key, guard, _ACCEPTED, requests=requests)


def _basic_requests(app: Flask) -> dict[str, Environ]:
    return BASIC_REQUESTS


def _cookie_requests(app: Flask) -> dict[str, Series]:
    return cookie_requests(app)


FEATURES: Sequence[Feature] = (
    Feature("a second loader", "features.bearer", "features.two-loaders"),
    Feature("`unless=`", "features.bearer", "features.unless"),
    Feature("the view asks who is calling", "features.bearer", "features.asking"),
    Feature("a throttle", "features.basic", "features.throttle"),
    Feature("remembered logins", "features.session", "features.remember"),
)

CONTENDERS = (
    _contender("bearer", _bearer),
    _contender("two-loaders", _two_loaders),
    _contender("unless", _unless),
    _contender("asking", _asking),
    _contender("basic", _basic(False), _basic_requests),
    _contender("throttle", _basic(True), _basic_requests),
    _contender("session", _session(None), _cookie_requests),
    _contender("remember", _session(30 * 24 * 3600), _cookie_requests),
)

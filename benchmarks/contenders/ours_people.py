"""flask_unauthorized for browsers and devices: Digest and sessions, with each store."""

from collections.abc import Callable

from flask import Flask

from flask_unauthorized import Auth, Digest, SessionCookie
from flask_unauthorized.stores.base import Store

from .base import NAME, NAMES, Caller, Contender, View
from .exchanges import REALM, cookie_requests, digest_requests, stored_hashes
from .stores import makers

_CASES = ("accepted", "missing", "wrong")
_ALGORITHM = "SHA-256"


def _digest(make_store: Callable[[], Store] | None = None) -> Callable[[Flask, View, str], View]:
    stored = {name: {_ALGORITHM: value} for name, value in stored_hashes(_ALGORITHM).items()}

    def load(name: str) -> dict[str, str] | None:
        return stored.get(name)

    def guard(app: Flask, view: View, demand: str) -> View:
        scheme = Digest(load, realm=REALM, store=make_store() if make_store else None)
        return Auth(scheme, app=app).login_required(view)

    return guard


def _session(make_store: Callable[[], Store] | None = None) -> Callable[[Flask, View, str], View]:
    members = {name: Caller(name) for name in NAMES}

    def load(name: str) -> Caller | None:
        return members.get(name)

    def guard(app: Flask, view: View, demand: str) -> View:
        auth = Auth(SessionCookie(load, store=make_store() if make_store else None), app=app)

        def log_in() -> str:
            auth.login(NAME)
            return "hello"

        app.add_url_rule("/log-in", "log_in", log_in)
        return auth.login_required(view)

    return guard


CONTENDERS = (
    Contender("ours.digest", "**flask_unauthorized, Digest**", _digest(), _CASES, requests=digest_requests),
    Contender("ours.session", "**flask_unauthorized, session**", _session(), _CASES, requests=cookie_requests),
    # The store is asked about credentials alone, and each request with wrong ones ends before it is.
    *(
        Contender(f"ours.store-digest-{name}", name, _digest(make), ("accepted",), requests=digest_requests)
        for name, make in makers().items()
        if name != "memory"  # the default
    ),
    *(
        Contender(f"ours.store-session-{name}", name, _session(make), ("accepted",), requests=cookie_requests)
        for name, make in makers().items()
    ),
)

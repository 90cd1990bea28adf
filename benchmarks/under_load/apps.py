"""The apps under load. A server imports `make`; `load.py` builds the same apps to have credentials for them.

Tokens and secrets of the other benchmarks are constants, so that both processes have the same ones. What is made at
random (the database of tokens, the key of a DPoP client) is handed over in the environment.
"""

import logging
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from contenders import find
from contenders.base import NAME, NAMES, READ, TOKEN, Contender, Environ, View, bearer, new_app, new_view
from contenders.ours_dpop import ORIGIN, Holder
from contenders.stores import has_redis, makers
from flask import Flask
from sqlalchemy import create_engine

from flask_unauthorized import Auth, Bearer, DPoP, Identity
from flask_unauthorized.loaders.stored import StoredTokens
from flask_unauthorized.stores.base import Store

APP = "BENCHMARK_LOAD_APP"
FOLDER = "BENCHMARK_LOAD_FOLDER"
THUMBPRINT = "BENCHMARK_LOAD_THUMBPRINT"
BARE = "none.bare"
ALL = ("accepted", "refused", "mixed")
CASES: Mapping[str, tuple[str | None, ...]] = {
    "accepted": ("good",),
    "refused": (None, "wrong"),
    "mixed": ("good", None, "good", "wrong"),
}
"""What is sent in turn."""
_STATUSES = {"good": 200, None: 401, "wrong": 401}


class Loaded(NamedTuple):
    """An app under load, and its cases."""

    contender: Contender
    label: str
    cases: tuple[str, ...]
    is_good_once: bool = False  # each of its requests

    @property
    def key(self) -> str:
        """The contender's."""
        return self.contender.key

    def statuses(self, case: str) -> list[int]:
        """The statuses that are due, in turn."""
        due = {**_STATUSES, "wrong": self.contender.statuses.get("wrong", 401)}
        return [due[sent] for sent in CASES[case]]


def make() -> Flask:
    """The app that a server serves."""
    logging.getLogger().addHandler(logging.NullHandler())  # or Python prints warnings on the console
    return build(find_loaded(os.environ[APP]).contender)


def build(contender: Contender) -> Flask:
    """An app with one view at ``/``."""
    app = new_app()
    app.add_url_rule("/", "view", contender.guard(app, new_view(), "login"))
    return app


def find_loaded(key: str) -> Loaded:
    """One of all, by the key of its contender."""
    return next(one for one in (bare(), *loaded()) if one.key == key)


def bare() -> Loaded:
    """The view without protection."""
    return Loaded(find(BARE), "bare Flask", ("accepted",))


def loaded() -> list[Loaded]:
    """All that are compared with bare Flask."""
    found = [
        Loaded(find("ours.bearer"), "**flask_unauthorized, Bearer**", ALL),
        Loaded(find("httpauth.token"), "Flask-HTTPAuth Token", ALL),
        Loaded(find("ours_jwt.hs256"), "**flask_unauthorized, JWT HS256**", ALL),
        Loaded(find("jwt_extended.hs256"), "Flask-JWT-Extended, HS256", ALL),
        Loaded(find("ours.session"), "**flask_unauthorized, session**", ALL),
        Loaded(find("login.session"), "Flask-Login, session", ALL),
        Loaded(find("ours.store-session-sqlite"), "flask_unauthorized, session, SQLiteStore", ("accepted",)),
        Loaded(_stored_tokens(), "flask_unauthorized, stored tokens, SQLite", ALL),
        Loaded(_dpop("sqlite"), "flask_unauthorized, DPoP ES256, SQLiteStore", ("accepted",), True),
    ]
    if has_redis():
        session = find("ours.store-session-redis")
        found.insert(-2, Loaded(session, "flask_unauthorized, session, RedisStore", ("accepted",)))
        found.append(Loaded(_dpop("redis"), "flask_unauthorized, DPoP ES256, RedisStore", ("accepted",), True))
    return found


# --- those that only this measurement has


def _stored_tokens() -> Contender:
    """Stored tokens in a file, which the threads of a server can share."""

    def guard(app: Flask, view: View, demand: str) -> View:
        return Auth(Bearer(_tokens()), app=app).login_required(view)

    def requests(app: Flask) -> dict[str, Environ]:
        tokens = _tokens()
        tokens.create_table()
        issued = [tokens.issue(name, name="CI").token for name in NAMES]
        unknown = tokens.format.make().arguments[0]  # with a right checksum, so that it costs a query
        return {"good": bearer(issued[NAMES.index(NAME)]), "wrong": bearer(unknown)}

    return Contender("load.stored", "", guard, ALL, requests=requests)


def _tokens() -> StoredTokens:
    return StoredTokens(create_engine(f"sqlite:///{Path(os.environ[FOLDER]) / 'tokens.db'}"), prefix="bench")


def _dpop(store: str) -> Contender:
    """DPoP, which writes each proof into a store."""

    def guard(app: Flask, view: View, demand: str) -> View:
        caller = Identity(NAME, scopes={READ}, confirmation={"jkt": os.environ[THUMBPRINT]})
        make_store: Callable[[], Store] = makers()[store]
        return Auth(DPoP({TOKEN: caller}.get, origin=ORIGIN, store=make_store()), app=app).login_required(view)

    def requests(app: Flask) -> dict[str, Callable[[int], list[Environ]]]:
        return {"good": _proofs}

    return Contender(f"load.dpop-{store}", "", guard, ("accepted",), requests=requests)


_holders: list[Holder] = []


def hold_key() -> str:
    """Makes the key of the DPoP client, and returns its thumbprint for the environment."""
    _holders[:] = [Holder("ES256")]
    return _holders[0].thumbprint


def _proofs(count: int) -> list[Environ]:
    return [{"HTTP_AUTHORIZATION": f"DPoP {TOKEN}", "HTTP_DPOP": _holders[0].proof()} for _ in range(count)]

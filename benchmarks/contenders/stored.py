"""Tokens in a database: ours, Flask-Security's, and a look-up by digest that a developer writes by hand.

All have one SELECT per accepted request, by SQLAlchemy, in a SQLite database in memory. Flask-Security's datastore is
written with SQLAlchemy Core, as the others, which is faster than its own one with the ORM.
"""

import hashlib
import time
from collections.abc import Mapping
from functools import wraps
from typing import Any

from flask import Flask, Response, abort, g, request
from flask_security import RoleMixin, Security, UserDatastore, UserMixin, auth_required
from sqlalchemy import Column, Engine, Float, MetaData, String, Table, create_engine, insert, select

from flask_unauthorized import Auth, Bearer
from flask_unauthorized.loaders.stored import StoredTokens

from .base import NAME, NAMES, TOKENS, Contender, Environ, View, bearer

_WRONG = "6f1c0de5a2b94c7e8d3b1a097f5e4c2d"


def _ours(app: Flask, view: View, demand: str) -> View:
    tokens = StoredTokens(create_engine("sqlite://"), prefix="bench")
    tokens.create_table()
    issued = [tokens.issue(name, name="CI").token for name in NAMES]
    unknown = tokens.format.make().arguments[0]  # with a right checksum, so that it costs a query as everywhere else
    app.extensions["tokens of the benchmark"] = issued[NAMES.index(NAME)], unknown
    return Auth(Bearer(tokens), app=app).login_required(view)


def _by_hand(app: Flask, view: View, demand: str) -> View:
    table = Table(
        "tokens",
        MetaData(),
        Column("digest", String(64), primary_key=True),
        Column("owner", String(255), nullable=False),
        Column("expires_at", Float, nullable=False),
    )
    rows = [
        {"digest": hashlib.sha256(token.encode()).hexdigest(), "owner": name, "expires_at": time.time() + 86_400}
        for token, name in TOKENS.items()
    ]
    engine = _filled(table, rows)
    app.extensions["tokens of the benchmark"] = next(token for token, name in TOKENS.items() if name == NAME), _WRONG

    @wraps(view)
    def guarded() -> str:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        row = None
        if scheme.lower() == "bearer":
            digest = hashlib.sha256(token.encode()).hexdigest()
            with engine.connect() as connection:
                row = connection.execute(select(table).where(table.c.digest == digest)).one_or_none()
        if row is None or row.expires_at <= time.time():
            abort(Response("Unauthorized", 401, {"WWW-Authenticate": 'Bearer realm="benchmark"'}))
        g.owner = row.owner
        return view()

    return guarded


def _filled(table: Table, rows: list[dict[str, Any]]) -> Engine:
    engine = create_engine("sqlite://")
    table.metadata.create_all(engine)
    with engine.begin() as connection:
        connection.execute(insert(table), rows)
    return engine


class _Role(RoleMixin):
    name = ""
    permissions = None


class _User(UserMixin):
    fs_uniquifier = email = ""
    active = True

    def __init__(self, name: str) -> None:
        self.fs_uniquifier = self.email = name
        self.roles = []


class _People(UserDatastore):
    def __init__(self) -> None:
        super().__init__(_User, _Role)
        self.table = Table("users", MetaData(), Column("fs_uniquifier", String(64), primary_key=True))
        self.engine = _filled(self.table, [{"fs_uniquifier": name} for name in NAMES])

    def find_user(self, case_insensitive: bool = False, **wanted: Any) -> _User | None:
        if "fs_uniquifier" not in wanted:
            return None
        statement = select(self.table).where(self.table.c.fs_uniquifier == wanted["fs_uniquifier"])
        with self.engine.connect() as connection:
            row = connection.execute(statement).one_or_none()
        return None if row is None else _User(row.fs_uniquifier)


def _flask_security(app: Flask, view: View, demand: str) -> View:
    app.config.update(SECURITY_PASSWORD_SALT="a salt of the benchmark", WTF_CSRF_ENABLED=False)
    people = _People()
    Security(app, people, register_blueprint=False)
    with app.app_context():
        user = people.find_user(fs_uniquifier=NAME)
        assert user is not None
        app.extensions["tokens of the benchmark"] = user.get_auth_token()
    guarded: View = auth_required("token")(view)
    return guarded


def _bearer(app: Flask) -> Mapping[str, Environ]:
    good, wrong = app.extensions["tokens of the benchmark"]
    return {"good": bearer(good), "wrong": bearer(wrong)}


def _header(app: Flask) -> Mapping[str, Environ]:
    return {"good": {"HTTP_AUTHENTICATION_TOKEN": app.extensions["tokens of the benchmark"]}}


_CASES = ("accepted", "missing", "wrong")

CONTENDERS = (
    Contender("stored.ours", "**flask_unauthorized, stored tokens**", _ours, _CASES, requests=_bearer),
    Contender(
        "stored.by_hand", "by hand: a look-up by digest", _by_hand, _CASES, requests=_bearer, rival="stored.ours"
    ),
    Contender(
        "stored.flask_security",
        "Flask-Security, token",
        _flask_security,
        ("accepted",),  # its refusals need its pages
        requests=_header,
        rival="stored.ours",
    ),
)

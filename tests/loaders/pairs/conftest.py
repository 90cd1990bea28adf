"""Pairs of tokens in a SQLite file, and an app that takes and refreshes them."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask, request
from sqlalchemy import Engine

from flask_unauthorized import Auth, Bearer
from flask_unauthorized.loaders.pairs import Pair, Pairs
from tests.canaries import register
from tests.engines import closed_engines as closed_engines
from tests.helpers import bearer_header
from tests.loaders.stored.conftest import clock, engine, statements  # noqa: F401

KEY = "s3cret-of-the-app-in-32-characters"


class Watched(Pairs):
    """Pairs that no log, signal, body or header of a test may hold."""

    def issue(self, *args: Any, **kwargs: Any) -> Pair[str]:
        return _registered(super().issue(*args, **kwargs))

    def refresh(self, *args: Any, **kwargs: Any) -> Pair[str | None]:
        return _registered(super().refresh(*args, **kwargs))


def _registered(pair: Pair[Any]) -> Pair[Any]:
    register(pair.access, *([] if pair.refresh is None else [pair.refresh]))
    return pair


@pytest.fixture
def make_pairs(engine: Engine) -> Callable[..., Pairs]:  # noqa: F811
    """A factory of `Pairs` whose table exists."""

    def make(database: Any = None, **options: Any) -> Pairs:
        pairs = Watched(engine if database is None else database, **{"prefix": "notes", "secret_key": KEY, **options})
        pairs.create_table()
        return pairs

    return make


@pytest.fixture
def pairs(make_pairs: Callable[..., Pairs]) -> Pairs:
    """Pairs with all defaults."""
    return make_pairs()


@pytest.fixture
def reused() -> Iterator[list[Any]]:
    """The records that were sent with `token_reused`."""
    from flask_unauthorized.signals import token_reused

    seen: list[Any] = []

    def note(sender: Any, record: Any) -> None:
        seen.append(record)

    with token_reused.connected_to(note):
        yield seen


@pytest.fixture
def app_of(make_app: Any) -> Callable[..., Flask]:
    """Makes an app with a guarded view, a token view and a logout view."""

    def make(pairs: Pairs, *more: Any, **demands: Any) -> Flask:
        auth: Auth[Any] = Auth(Bearer(pairs, *more))
        app: Flask = make_app(auth, SECRET_KEY=KEY)

        @app.get("/")
        @auth.login_required(**demands)
        def view() -> Any:
            me = auth.identity
            return {"subject": me.subject, "scopes": sorted(me.scopes), "claims": dict(me.claims)}

        @app.post("/token")
        def token() -> Any:
            return pairs.refresh(request.form.get("refresh_token"), scopes=request.form.get("scope")).response()

        @app.post("/logout")
        @auth.login_required
        def logout() -> Any:
            return {"ended": pairs.revoke(auth.identity)}

        return app

    return make


@pytest.fixture
def status(app_of: Callable[..., Flask]) -> Callable[..., int]:
    """The status that a guarded view responds with to an access token."""

    def get(pairs: Pairs, access: str, *more: Any, **demands: Any) -> int:
        code: int = app_of(pairs, *more, **demands).test_client().get("/", headers=bearer_header(access)).status_code
        return code

    return get

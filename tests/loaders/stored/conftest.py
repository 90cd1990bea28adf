"""Databases for the tests of stored tokens, and an app that takes such tokens."""

from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import Engine, create_engine, event

from flask_unauthorized import APIKey, Auth, Bearer
from flask_unauthorized.loaders.stored import StoredTokens
from tests.canaries import register
from tests.engines import closed_engines as closed_engines
from tests.helpers import bearer_header


class Watched(StoredTokens):
    """Tokens that no log, signal, body or header of a test may hold."""

    def issue(self, *args: Any, **kwargs: Any) -> Any:
        issued = super().issue(*args, **kwargs)
        register(issued.token)
        return issued

    def rotate(self, *args: Any, **kwargs: Any) -> Any:
        issued = super().rotate(*args, **kwargs)
        register(issued.token)
        return issued


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    """A SQLite file, which need not survive a power cut."""
    made = create_engine(f"sqlite:///{tmp_path / 'tokens.db'}")
    event.listen(made, "connect", lambda connection, record: connection.execute("PRAGMA synchronous = OFF"))
    return made


@pytest.fixture
def make_tokens(engine: Engine) -> Callable[..., StoredTokens]:
    """A factory of `StoredTokens` whose table exists."""

    def make(database: Any = None, **options: Any) -> StoredTokens:
        tokens = Watched(engine if database is None else database, **{"prefix": "notes", **options})
        tokens.create_table()
        return tokens

    return make


@pytest.fixture
def tokens(make_tokens: Callable[..., StoredTokens]) -> StoredTokens:
    """Tokens in a SQLite file."""
    return make_tokens()


@pytest.fixture
def ask(make_app: Any) -> Callable[..., Any]:
    """Sends a token to an app with one guarded view, which names the caller."""
    clients: dict[int, Any] = {}

    def get(tokens: StoredTokens, token: str, header: str | None = None) -> Any:
        if id(tokens) not in clients:
            auth: Auth[Any] = Auth(Bearer(tokens), APIKey(tokens, header="X-Notes-Key"))
            app = make_app(auth)

            @app.get("/")
            @auth.login_required(scopes={"notes:read"})
            def view() -> Any:
                me = auth.identity
                return {"subject": me.subject, "scopes": sorted(me.scopes), "claims": dict(me.claims)}

            clients[id(tokens)] = app.test_client()
        headers = bearer_header(token) if header is None else {header: token}
        return clients[id(tokens)].get("/", headers=headers)

    return get


@pytest.fixture
def statements(engine: Engine) -> Iterator[list[str]]:
    """The statements that reach the database, as SQL."""
    seen: list[str] = []

    def note(connection: Any, cursor: Any, statement: str, *more: Any) -> None:
        seen.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    yield seen
    event.remove(engine, "before_cursor_execute", note)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A clock that tests move: ``clock.now += 60``. It drives the wall clock and the monotonic one."""
    import time

    clock = SimpleNamespace(now=1_800_000_000.7)
    monkeypatch.setattr(time, "time", lambda: clock.now)
    monkeypatch.setattr(time, "monotonic", lambda: clock.now)
    monkeypatch.setattr("flask_unauthorized.authentication.authorization.time", lambda: clock.now)
    return clock

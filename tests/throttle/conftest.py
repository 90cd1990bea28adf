"""A clock that tests move, stores on it, and apps whose views have a throttle."""

import time
from collections.abc import Callable
from typing import Any

import pytest

from flask_unauthorized import Auth, Basic
from flask_unauthorized.stores.memory import MemoryStore
from flask_unauthorized.stores.sqlite import SQLiteStore

from ..helpers import SECRET_KEY

HOME, OFFICE, AWAY = "203.0.113.7", "198.51.100.20", "192.0.2.99"


class Clock:
    """Both clocks of the process, moved by hand."""

    def __init__(self) -> None:
        self.now = 1_764_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(time, "time", made)
    monkeypatch.setattr(time, "monotonic", made)
    return made


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Any) -> Any:
    return MemoryStore() if request.param == "memory" else SQLiteStore(tmp_path / "store.db")


class Served:
    """An app with a guarded view, what its loader was asked, and a client of any address."""

    def __init__(self, app: Any, auth: Auth[Any]) -> None:
        self.app = app
        self.auth = auth
        self.asked: list[tuple[str, ...]] = []

    def get(self, name: str = "", password: str = "", address: str = HOME, path: str = "/", **kwargs: Any) -> Any:
        credentials = (name, password) if name or password else None
        return self.app.test_client().get(
            path, auth=credentials, environ_overrides={"REMOTE_ADDR": address, **kwargs.pop("environ", {})}, **kwargs
        )

    def statuses(self, *passwords: str, name: str = "ada", address: str = HOME) -> list[int]:
        return [self.get(name, password, address).status_code for password in passwords]


@pytest.fixture
def serve(make_app: Any) -> Callable[..., Served]:
    """Serve Basic with a throttle. The password of every name is "right horse"."""

    def make(throttle: Any, load: Any = None, scheme: Any = None, **config: Any) -> Served:
        served: Any = None

        def check(name: str, password: str) -> bool:
            served.asked.append((name, password))
            return password == "right horse" if load is None else load(name, password)

        auth: Auth[Any] = Auth(Basic(check, throttle=throttle) if scheme is None else scheme, realm="site")
        app = make_app(auth, SECRET_KEY=SECRET_KEY, **config)
        served = Served(app, auth)
        app.add_url_rule("/", "view", auth.login_required(lambda: auth.identity.subject))
        app.add_url_rule("/open", "open", lambda: f"{(auth.get_identity() or 'nobody')}")
        return served

    return make


def guesses(count: int) -> list[str]:
    return [f"guess number {number}" for number in range(count)]

"""A clock that tests move, stores on it, and apps whose views have a throttle."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import redis

from flask_unauthorized import Auth, Basic
from flask_unauthorized.stores.memory import MemoryStore
from flask_unauthorized.stores.redis import RedisStore
from flask_unauthorized.stores.sqlite import SQLiteStore

from ..helpers import SECRET_KEY
from ..stores.servers import redis_server

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


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with redis_server(tmp_path_factory.mktemp("redis")) as url:
        yield url


class RedisOnTheClock(RedisStore):
    """A real server whose entries expire by the clock of the test.

    The clock of a server can't be moved. So each operation first shifts the rest of all lifetimes by what the clock of
    the test has moved, less the real time that has passed.
    """

    _SHIFT = """
    for _, key in ipairs(redis.call('KEYS', '*')) do
        redis.call('PEXPIRE', key, redis.call('PTTL', key) - ARGV[1])
    end
    """

    def __init__(self, client: "redis.Redis") -> None:
        super().__init__(client)
        self._start = time.time() - time.perf_counter()
        self._shifted = 0

    def _shift(self) -> None:
        moved = round((time.time() - time.perf_counter() - self._start) * 1000)
        if moved != self._shifted:
            shift, self._shifted = moved - self._shifted, moved
            self._client.eval(self._SHIFT, 0, shift)

    def _increment_many(self, counters: Any) -> Any:
        self._shift()
        return super()._increment_many(counters)

    def _get(self, key: str) -> Any:
        self._shift()
        return super()._get(key)


@pytest.fixture(params=["memory", "sqlite", "redis"])
def store(request: pytest.FixtureRequest, tmp_path: Any) -> Iterator[Any]:
    if request.param != "redis":
        yield MemoryStore() if request.param == "memory" else SQLiteStore(tmp_path / "store.db")
        return
    # With a URL, a server that pauses for a quarter of a second counts as unavailable, and a busy machine pauses it.
    with redis.Redis.from_url(request.getfixturevalue("redis_url"), socket_timeout=60) as client:
        client.flushall()
        yield RedisOnTheClock(client) if "clock" in request.fixturenames else RedisStore(client)


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

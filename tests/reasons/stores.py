"""Stores that fail, are full, or answer with something odd: 503, and the cause in the log."""

import sqlite3
from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any

import pytest

from flask_unauthorized import AuthError
from flask_unauthorized.stores.base import Store
from flask_unauthorized.stores.memory import MemoryStore
from flask_unauthorized.stores.redis import RedisStore
from flask_unauthorized.stores.sqlite import SQLiteStore

from . import Row
from .refusing import call_of

SECRET_URL = "redis://:s3cret-password-of-ada@host"


class Broken(MemoryStore):
    """A store whose back end is away."""

    unavailable_errors = (ConnectionError,)

    def _get(self, key: str) -> str | None:
        raise ConnectionError(SECRET_URL)

    def _spend(self, key: str, number: int, lifetime: float) -> bool:
        raise ConnectionError(SECRET_URL)


class Octets(MemoryStore):
    """A store that forgot to decode what its back end returned."""

    def _get(self, key: str) -> Any:
        return b"ended"


class OddClient:
    """A Redis that gives one odd answer to everything."""

    def __init__(self, answer: object) -> None:
        self.get = self.set = lambda *_, **__: answer
        self.execute = lambda: answer

    def pipeline(self, **_: Any) -> Any:
        return nullcontext(self)


class OctetsAtOnce(MemoryStore):
    """A store that forgot to decode the values that it reads at once."""

    def _get_many(self, keys: Sequence[str]) -> list[Any]:
        return [b"ended" for _ in keys]


def many_of(store: Store) -> Any:
    return call_of(store.get_many, ("purpose", "key"), ("purpose", "another key"))


def odd_many(answer: object) -> Any:
    store = RedisStore("redis://127.0.0.1:1/0")
    store._client = OddClient(answer)
    return many_of(store)


def asked(store: Store, operation: str, *arguments: Any) -> Any:
    return call_of(getattr(store, operation), "purpose", "key", *arguments)


def full() -> AuthError:
    store = MemoryStore(capacity=1)
    store.put("purpose", "one", "1", 100)
    return asked(store, "put", "2", 100)()


def without_a_folder() -> AuthError:
    return asked(SQLiteStore("/nowhere/at/all/store.db"), "get")()


def locked() -> AuthError:
    store = SQLiteStore("/nowhere/at/all/store.db")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store, "_get", lambda key: (_ for _ in ()).throw(sqlite3.OperationalError("locked")))
        return asked(store, "get")()


def odd(answer: object, operation: str, *arguments: Any) -> Any:
    def run() -> AuthError:
        store = RedisStore("redis://127.0.0.1:1/0")
        store._client = OddClient(answer)
        store._increments = lambda **_: answer
        return asked(store, operation, *arguments)()

    return run


def counters_of_one_key(answer: object) -> Any:
    store = RedisStore("redis://127.0.0.1:1/0")
    store._increments_many = lambda **_: answer
    return call_of(store.increment_many, "throttle", [("key", 60)])


FAILED = "look whether the store is reachable, writable and not full"
ROWS = [
    Row("get", asked(Broken(), "get"), 503, f"Broken: its back end raised ConnectionError: {FAILED}"),
    Row("spend", asked(Broken(), "spend", 1, 10), 503, f"Broken: its back end raised ConnectionError: {FAILED}"),
    Row(
        "MemoryStore: full", full, 503,
        "MemoryStore: 1 entries are alive, and capacity=1: allow more, or use another store",
    ),
    Row(
        "SQLiteStore: no folder", without_a_folder, 503,
        f"SQLiteStore: its back end raised FileNotFoundError: {FAILED}",
    ),
    Row("SQLiteStore: locked", locked, 503, f"SQLiteStore: its back end raised OperationalError: {FAILED}"),
    Row(
        "RedisStore: down", asked(RedisStore("redis://127.0.0.1:1/0"), "get"), 503,
        f"RedisStore: its back end raised ConnectionError: {FAILED}",
    ),
    Row(
        "RedisStore: GET, a number", odd(5, "get"), 503, "RedisStore: GET returned type int, expected bytes or None",
    ),
    Row(
        "RedisStore: GET, octets", odd(b"\xff", "get"), 503,
        "RedisStore: GET returned octets that are not UTF-8, so another program wrote them: give each app its own "
        "prefix=",
    ),
    Row(
        "a store that returns octets", asked(Octets(), "get"), 503,
        "Octets: _get() returned a bytes: it must return a str or None",
    ),
    Row(
        "a store that returns octets at once", many_of(OctetsAtOnce()), 503,
        "OctetsAtOnce: _get_many() returned a bytes: it must return a str or None",
    ),
    Row("several values of a store that fails", many_of(Broken()), 503,
        f"Broken: its back end raised ConnectionError: {FAILED}"),
    Row(
        "RedisStore: a pipeline with too few values", odd_many([b"1"]), 503,
        "RedisStore: a pipeline returned type list, expected a value for each key",
    ),
    Row(
        "RedisStore: a pipeline, a number", odd_many([b"1", 5]), 503,
        "RedisStore: GET returned type int, expected bytes or None",
    ),
    Row(
        "RedisStore: SET", odd(None, "put", "x", 60), 503,
        "RedisStore: SET returned type NoneType, expected True: the value was not stored",
    ),
    Row(
        "RedisStore: a script", odd("OK", "increment", 60), 503,
        "RedisStore: a script returned type str, expected an int",
    ),
    Row(
        "RedisStore: a script of a throttle", counters_of_one_key([1]), 503,
        "RedisStore: a script returned type list, expected a count and a rest for each key",
    ),
]  # fmt: skip

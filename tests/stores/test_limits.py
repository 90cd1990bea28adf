"""The limits and the extra that docs/guides/stores.md and the docstrings name."""

import importlib
import sys

import pytest

from flask_unauthorized.stores.memory import MemoryStore
from flask_unauthorized.stores.sqlite import SQLiteStore

TEN_YEARS = 3660 * 86400


def test_an_entry_lives_for_ten_years_at_most():
    store = MemoryStore()
    assert store.claim("test", "a", TEN_YEARS)
    with pytest.raises(ValueError, match=f"at most {TEN_YEARS} seconds"):
        store.claim("test", "b", TEN_YEARS + 1)


def test_a_memory_store_has_room_for_100_000_entries():
    assert MemoryStore().capacity == 100_000


def test_the_file_of_a_sqlite_store_grows_to_256_mib(tmp_path):
    assert SQLiteStore(tmp_path / "entries.db").max_size == 268_435_456


def test_without_redis_py_the_import_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "redis", None)
    monkeypatch.delitem(sys.modules, "flask_unauthorized.stores.redis", raising=False)
    fix = r"^RedisStore needs redis-py: pip install 'flask-unauthorized\[redis\]'$"
    with pytest.raises(ImportError, match=fix):
        importlib.import_module("flask_unauthorized.stores.redis")

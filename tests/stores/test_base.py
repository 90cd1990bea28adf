"""What every store refuses before it asks its back end."""

import time

import pytest

from flask_unauthorized import AuthUnavailable
from flask_unauthorized.stores.base import MAX_NUMBER
from flask_unauthorized.stores.memory import MemoryStore


@pytest.mark.parametrize("number", [0, -1, True, 1.0, "1", MAX_NUMBER + 1])
def test_a_series_has_whole_numbers_from_1(number):
    store = MemoryStore()
    with pytest.raises(ValueError, match=f"^number must be an int from 1 to {MAX_NUMBER}, not "):
        store.spend("a", "series", number, 60)
    assert store.spend("a", "series", 1, 60)
    assert store.spend("a", "series", MAX_NUMBER, 60)


def test_a_full_store_looks_for_expired_entries_before_it_refuses(monkeypatch):
    store = MemoryStore(capacity=200)
    assert store.claim("t", "short", 10)
    assert all(store.claim("t", f"long {number}", 100_000) for number in range(199))
    with pytest.raises(AuthUnavailable):
        store.claim("t", "one more", 10)
    monotonic, wall = time.monotonic() + 100, time.time() + 100
    monkeypatch.setattr(time, "monotonic", lambda: monotonic)
    monkeypatch.setattr(time, "time", lambda: wall)
    assert store.claim("t", "one more", 10)

"""What every store refuses before it asks its back end."""

import time

import pytest

from flask_unauthorized import AuthUnavailable, ConfigurationError
from flask_unauthorized.stores.base import EVICTABLE_PURPOSE, MAX_NUMBER, Store
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


class FiveOperations(Store):
    """A store that a user wrote when a store had five operations."""

    unavailable_errors = (OSError,)

    def _claim(self, key, lifetime):
        return True

    def _spend(self, key, number, lifetime):
        return True

    def _increment(self, key, lifetime):
        return 7

    def _put(self, key, value, lifetime):
        pass

    def _get(self, key):
        return "value"


def test_a_store_with_five_operations_goes_on_working_and_says_what_it_cannot_do():
    store = FiveOperations()
    assert (store.can_replace, store.can_throttle) == (False, False)
    assert store.claim("a", "key", 60)
    assert store.spend("a", "key", 1, 60)
    assert store.increment("a", "key", 60) == 7
    store.put("a", "key", "x", 60)
    assert store.get("a", "key") == "value"
    for operation, call in {
        "_replace": lambda: store.replace("a", "key", None, "x", 60),
        "_increment_many": lambda: store.increment_many("a", [("key", 60)]),
        "_decrement": lambda: store.decrement("a", "key"),
        "_forget": lambda: store.forget("a", "key"),
    }.items():
        with pytest.raises(
            ConfigurationError, match=f"^FiveOperations has no method {operation}: implement it, or use"
        ):
            call()


def test_a_store_can_throttle_with_all_three_operations():
    class Two(FiveOperations):
        def _increment_many(self, counters):
            return []

        def _decrement(self, keys):
            pass

        def _replace(self, key, old, new, lifetime):
            return True

    class Three(Two):
        def _forget(self, keys):
            pass

    assert (Two().can_replace, Two().can_throttle, Three().can_throttle) == (True, False, True)


def test_keys_of_counters_that_may_be_evicted_are_known_by_their_purpose():
    store = MemoryStore(prefix="shop")
    assert store._entry_key(EVICTABLE_PURPOSE, "x").startswith(store._evictable_start)
    for purpose in ("throttled", "throttle-x", "dpop"):
        assert not store._entry_key(purpose, "x").startswith(store._evictable_start)


def test_a_value_that_is_no_text_is_unavailable():
    """Octets equal no text, so an ended session of such a store would be valid."""

    class Octets(MemoryStore):
        def _get(self, key):
            found = super()._get(key)
            return found and found.encode()

    store = Octets()
    assert store.get("a", "key") is None
    store.put("a", "key", "ended", 60)
    with pytest.raises(AuthUnavailable) as caught:
        store.get("a", "key")
    assert caught.value.reason == "Octets: _get() returned a bytes: it must return a str or None"


def test_a_subclass_that_reads_in_its_own_way_reads_several_in_this_way():
    """A store that encrypts its values overrides one method. Ciphertext would never equal a text such as "ended"."""

    class Own(MemoryStore):
        def _get(self, key):
            found = super()._get(key)
            return None if found is None else found[::-1]

    class Mixin:
        def _get(self, key):
            return "mixed in"

    class Mixed(Mixin, MemoryStore):
        pass

    for kind, expected in ((MemoryStore, "dedne"), (Own, "ended"), (Mixed, "mixed in")):
        store = kind()
        store.put("a", "key", "dedne", 60)
        assert store.get_many(("a", "key")) == [expected]


@pytest.mark.parametrize("found", [[b"ended"], [None, 7]])
def test_several_values_that_are_no_texts_are_a_failure_of_the_server(found):
    class Octets(MemoryStore):
        def _get_many(self, keys):
            return found

    with pytest.raises(AuthUnavailable) as caught:
        Octets().get_many(("a", "key"))
    assert caught.value.reason.startswith("Octets: _get_many() returned a ")

"""What every store must do: one table, every row for each store. Named by the cases of the security report (STO)."""

import itertools
import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from json import loads
from pathlib import Path

import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flask_unauthorized.stores.base import MAX_LIFETIME, MAX_NUMBER, WINDOW
from flask_unauthorized.stores.memory import MemoryStore
from flask_unauthorized.stores.redis import RedisStore
from flask_unauthorized.stores.sqlite import SQLiteStore

from .racing import KEYS, THREADS, run
from .servers import redis_server

ROOT = Path(__file__).parents[2]
PROCESSES = 8
OPERATIONS = ("claim", "spend", "increment", "replace", "increment_many")
KINDS = ("memory", "sqlite", "redis")
_fresh = itertools.count()


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory):
    with redis_server(tmp_path_factory.mktemp("redis")) as url:
        yield url


@pytest.fixture(params=KINDS)
def store(request, tmp_path):
    """A store with nothing in it."""
    if request.param == "memory":
        return MemoryStore()
    if request.param == "sqlite":
        return SQLiteStore(tmp_path / "store.db")
    # With a URL, a server that pauses for a quarter of a second counts as unavailable, and a busy machine pauses it.
    client = redis.Redis.from_url(request.getfixturevalue("redis_url"), socket_timeout=60)
    return RedisStore(client, prefix=f"test{next(_fresh)}")


def test_a_key_is_claimed_once(store):
    assert store.claim("a", "key", 60) is True
    assert store.claim("a", "key", 60) is False
    assert store.claim("a", "other", 60) is True
    assert store.claim("b", "key", 60) is True


def test_values_are_kept_and_replaced(store):
    assert store.get("a", "key") is None
    store.put("a", "key", "värde", 60)
    assert store.get("a", "key") == "värde"
    store.put("a", "key", "", 60)
    assert store.get("a", "key") == ""
    assert store.get("b", "key") is None


def test_several_values_are_read_at_once(store):
    store.put("a", "key", "värde", 60)
    store.put("b", "key", "", 60)
    store.put("throttle", "key", "counted elsewhere", 60)
    asked = [("b", "key"), ("a", "other"), ("a", "key"), ("throttle", "key"), ("b", "key")]
    assert store.get_many(*asked) == ["", None, "värde", "counted elsewhere", ""]
    assert store.get_many() == []


def test_a_value_is_replaced_only_by_callers_that_know_it(store):
    assert store.can_replace is True
    assert store.replace("a", "key", "guess", "new", 60) is False
    assert store.replace("a", "key", "", "new", 60) is False
    assert store.get("a", "key") is None
    assert store.replace("a", "key", None, "värde", 60) is True
    assert store.replace("a", "key", None, "other", 60) is False
    assert store.replace("a", "key", "", "other", 60) is False
    assert store.replace("a", "key", "värd", "other", 60) is False
    assert store.get("a", "key") == "värde"
    assert store.replace("b", "key", "värde", "other", 60) is False
    assert store.replace("a", "key", "värde", "", 60) is True
    assert store.get("a", "key") == ""
    assert store.replace("a", "key", None, "other", 60) is False
    assert store.replace("a", "key", "", "x" * 4096, 60) is True
    assert store.replace("a", "key", "x" * 4095, "other", 60) is False
    assert store.replace("a", "key", "x" * 4096, "x" * 4096, 60) is True
    store.put("a", "key", "put", 60)
    assert store.replace("a", "key", "put", "end", 60) is True
    assert store.get("a", "key") == "end"


def test_a_claim_is_an_entry_that_replace_leaves_alone(store):
    store.claim("a", "key", 60)
    assert store.replace("a", "key", None, "new", 60) is False
    assert store.claim("a", "key", 60) is False


def test_increments_count(store):
    assert [store.increment("a", "key", 60) for _ in range(3)] == [1, 2, 3]
    assert store.increment("a", "other", 60) == 1


@pytest.mark.parametrize("purpose", ["throttle", "other"])
def test_several_counters_are_incremented_given_back_and_forgotten(store, purpose):
    assert store.can_throttle is True
    pair, network, total = ("pair", 60.0), ("network", 600), ("total", 6000.5)
    first = store.increment_many(purpose, [pair, network])
    assert [count.value for count in first] == [1, 1]
    assert [58 < count.remaining <= 60.01 for count in first] == [True, False]
    assert 598 < first[1].remaining <= 600.01
    assert [count.value for count in store.increment_many(purpose, [total, pair, network])] == [1, 2, 2]
    assert [count.value for count in store.increment_many(purpose, [pair, pair])] == [3, 4]  # one after the other
    assert store.increment(purpose, "pair", 60) == 5
    store.decrement(purpose, "pair", "network", "absent")
    assert [count.value for count in store.increment_many(purpose, [pair, network, ("absent", 60)])] == [5, 2, 1]
    store.decrement(purpose, "total")
    store.decrement(purpose, "total", "total")
    assert [count.value for count in store.increment_many(purpose, [total])] == [1]
    store.forget(purpose, "pair", "never was")
    assert [count.value for count in store.increment_many(purpose, [pair, network])] == [1, 3]
    assert [count.value for count in store.increment_many("elsewhere", [network])] == [1]


def test_no_counters_at_all(store):
    assert store.increment_many("throttle", []) == []
    store.decrement("throttle")
    store.forget("throttle")


@pytest.mark.parametrize("purpose", ["throttle", "other"])
def test_any_entry_can_be_forgotten_and_written_again(store, purpose):
    for _ in range(3):
        store.put(purpose, "value", "x", 60)
        assert store.claim(purpose, "claim", 60)
        assert store.spend(purpose, "series", 7, 60)
        store.forget(purpose, "value", "claim", "series", "value")
        assert store.get(purpose, "value") is None
        assert store.replace(purpose, "value", None, "y", 60)
        store.forget(purpose, "value")
    assert store.spend(purpose, "series", 7, 60)


def test_entries_that_may_be_evicted_are_read_as_all_others(store):
    store.put("throttle", "value", "x", 60)
    assert store.get("throttle", "value") == "x"
    assert store.replace("throttle", "value", "x", "y", 60)
    assert store.claim("throttle", "claim", 60)
    assert not store.claim("throttle", "claim", 60)
    assert store.spend("throttle", "series", 2, 60)
    assert not store.spend("throttle", "series", 2, 60)


def test_decrement_and_increment_leave_a_lifetime_as_it_was(store):
    store.increment_many("throttle", [("key", 60), ("key", 60)])
    store.decrement("throttle", "key")
    (count,) = store.increment_many("throttle", [("key", 6000)])
    assert (count.value, count.remaining <= 60.01) == (2, True)


@pytest.mark.parametrize("purpose", ["throttle", "other"])
def test_a_counter_that_is_decremented_to_0_is_gone(store, purpose):
    """Nothing is counted, so the next increment begins a new lifetime."""
    store.increment_many(purpose, [("key", 60), ("key", 60)])
    store.decrement(purpose, "key", "key")
    assert store.claim(purpose, "key", 60) is True
    store.forget(purpose, "key")
    store.increment_many(purpose, [("key", 60)])
    store.decrement(purpose, "key")
    (count,) = store.increment_many(purpose, [("key", 6000)])
    assert (count.value, count.remaining > 5998) == (1, True)


def test_the_rest_of_a_lifetime_is_never_longer_than_the_lifetime(store):
    """So a clock that was set back, or a limit that was configured anew, locks nobody out for days."""
    store.increment_many("throttle", [("key", 86_400)])
    (count,) = store.increment_many("throttle", [("key", 60)])
    assert (count.value, 58 < count.remaining <= 60.01) == (2, True)
    (count,) = store.increment_many("throttle", [("key", 86_400)])
    assert (count.value, count.remaining <= 60.01) == (3, True)


def test_numbers_are_spent_once_inside_the_window(store):
    assert [store.spend("a", "series", number, 60) for number in (5, 1, 5, 64, 2, 2)] == [
        True, True, False, True, True, False,
    ]  # fmt: skip
    assert store.spend("a", "series", 64 + WINDOW, 60)
    assert not store.spend("a", "series", 64, 60)
    assert store.spend("a", "series", 65, 60)
    assert store.spend("a", "series", MAX_NUMBER, 60)
    assert not store.spend("a", "series", MAX_NUMBER, 60)
    assert not store.spend("a", "series", 66, 60)
    assert store.spend("a", "another", 66, 60)


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(numbers=st.lists(st.integers(1, 200) | st.integers(2**31 - 70, 2**31 + 70), max_size=60))
def test_spending_is_what_a_set_and_a_highest_number_say(kind, numbers, tmp_path, request):
    series = f"series{next(_fresh)}"
    if kind == "redis":
        kept = RedisStore(redis.Redis.from_url(request.getfixturevalue("redis_url"), socket_timeout=60))
    else:
        kept = MemoryStore() if kind == "memory" else SQLiteStore(tmp_path / "store.db")
    seen: set[int] = set()
    for number in numbers:
        expected = number not in seen and number > max(seen, default=0) - WINDOW
        assert kept.spend("a", series, number, 60) is expected
        seen |= {number} if expected else set()


# --- races


@pytest.mark.asvs("V15.4.1")
@pytest.mark.parametrize("operation", OPERATIONS)
def test_sto_01_threads_of_one_process(store, operation):
    barrier = threading.Barrier(THREADS)
    with ThreadPoolExecutor(THREADS) as pool:
        threads = [pool.submit(run, store, operation, barrier) for _ in range(THREADS)]
        won = sorted(number for thread in threads for number in thread.result())
    _each_once(won, operation, THREADS)
    if operation.startswith("increment") and isinstance(store, MemoryStore):  # which nothing times out
        assert won == list(range(1, THREADS * KEYS + 1))


@pytest.mark.asvs("V15.4.2", "V6.5.1")
@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("kind", ["sqlite", "redis"])
def test_sto_01_eight_processes_with_eight_threads_each(kind, operation, tmp_path, request):
    if kind == "sqlite":
        address = str(tmp_path / "store.db")
    else:
        address = request.getfixturevalue("redis_url").removesuffix("0") + str(6 + OPERATIONS.index(operation))
    command = [sys.executable, "-m", "tests.stores.racing", kind, address, operation]
    racers = [
        subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(PROCESSES)
    ]
    for racer in racers:
        racer.stdin.write("go\n")
        racer.stdin.flush()
    try:
        outputs = [racer.communicate(timeout=100) for racer in racers]
    finally:  # no racer outlives a test that failed
        for racer in racers:
            racer.kill()
            racer.wait()
    assert all(racer.returncode == 0 for racer in racers)
    _each_once(sorted(number for out, _ in outputs for number in loads(out)), operation, PROCESSES * THREADS)


def _each_once(won, operation, racers):
    if operation.startswith("increment"):
        # T-07: each number is given once. Gapless numbers aren't promised over a time-out: an increment whose answer
        # came too late has counted, and the racer asked again.
        assert len(set(won)) == len(won) == racers * KEYS
        assert min(won) >= 1
        assert max(won) >= racers * KEYS
    elif operation in ("claim", "replace"):
        assert won == list(range(KEYS))
    else:  # who comes too late finds the window gone: never twice, and the highest always
        assert len(set(won)) == len(won)
        assert KEYS - 1 in won


# --- lifetimes


@pytest.mark.parametrize("lifetime", [0, -1, -5, float("nan"), float("inf"), 2**63, MAX_LIFETIME + 1])
def test_sto_03_lifetimes_that_are_none(store, lifetime):
    for call in (
        lambda: store.claim("a", "key", lifetime),
        lambda: store.spend("a", "series", 1, lifetime),
        lambda: store.increment("a", "count", lifetime),
        lambda: store.put("a", "value", "x", lifetime),
        lambda: store.replace("a", "value", None, "x", lifetime),
        lambda: store.increment_many("a", [("other", 60), ("count", lifetime)]),
    ):
        with pytest.raises(ValueError, match="lifetime"):
            call()
    assert store.claim("a", "key", 60)


@pytest.mark.parametrize("lifetime", [True, "60", None])
def test_sto_03_lifetimes_of_another_type(store, lifetime):
    with pytest.raises(TypeError, match="lifetime"):
        store.claim("a", "key", lifetime)


def test_sto_04_a_second_is_a_whole_second_and_then_all_is_forgotten(store):
    begun = time.monotonic()
    for lifetime in (0.3, 1):
        assert store.claim("a", f"key{lifetime}", lifetime)
    store.put("a", "value", "x", 1)
    assert store.replace("a", "replaced", None, "x", 1)
    assert store.replace("a", "prolonged", None, "x", 1)
    assert store.replace("a", "prolonged", "x", "y", 60)
    assert not store.replace("a", "replaced", "other", "z", 60)  # which doesn't make its life longer
    assert store.increment("a", "count", 1) == 1
    assert store.increment("a", "count", 60) == 2  # which doesn't make its life longer
    assert store.increment_many("a", [("many", 1), ("many", 1)])[1].value == 2
    store.decrement("a", "many")  # which doesn't make its life longer
    assert store.spend("a", "series", 7, 1)
    assert store.claim("a", "longer", 60)
    while time.monotonic() < begun + 0.95:
        held = [store.claim("a", "key0.3", 1), store.claim("a", "key1", 1), store.spend("a", "series", 7, 1)]
        value = store.get("a", "value")
        if time.monotonic() < begun + 0.95:
            assert (held, value) == ([False] * 3, "x")
        time.sleep(0.05)
    time.sleep(max(0, begun + 1.3 - time.monotonic()))
    assert store.claim("a", "key1", 60)
    assert store.claim("a", "key0.3", 60)
    assert store.get("a", "value") is None
    assert store.get("a", "replaced") is None
    assert not store.replace("a", "replaced", "x", "y", 60)
    assert store.replace("a", "replaced", None, "y", 60)
    assert store.get("a", "prolonged") == "y"
    store.decrement("a", "many")
    (count,) = store.increment_many("a", [("many", 60)])
    assert (count.value, count.remaining > 50) == (1, True)
    assert store.increment("a", "count", 60) == 1
    assert store.spend("a", "series", 7, 60)
    assert not store.claim("a", "longer", 60)


# --- keys and values


@pytest.mark.parametrize(
    "key", ["", "k" * 300, "a b", "a\r\nb", "a\x00b", "schlüssel\U0001f511", "\udc80", "k" * 2**20, "*", "a:b"],
    ids=["empty", "long", "blank", "line", "nul", "unicode", "surrogate", "megabyte", "star", "colon"],
)  # fmt: skip
def test_sto_10_odd_keys(store, key):
    assert store.claim("a", key, 60)
    assert not store.claim("a", key, 60)
    store.put("b", key, "x", 60)
    assert store.get("b", key) == "x"


def test_sto_10_no_key_reaches_the_store(store):
    entry_key = store._entry_key("digest", "a secret nonce")
    assert entry_key.startswith(f"{store.prefix}:digest:")
    assert len(entry_key.rpartition(":")[2]) == 64
    assert "nonce" not in entry_key


def test_sto_11_two_apps_with_one_store(redis_url, tmp_path):
    for make in (
        lambda prefix: RedisStore(redis_url, prefix=prefix),
        lambda prefix: SQLiteStore(tmp_path / "shared.db", prefix=prefix),
    ):
        one, two = make("one"), make("two")
        assert one.claim("a", "key", 60)
        assert two.claim("a", "key", 60)
        assert not make("one").claim("a", "key", 60)


@pytest.mark.parametrize("number", [0, -1, 2**32, True, 1.0, "1"])
def test_numbers_that_are_none(store, number):
    with pytest.raises(ValueError, match="number"):
        store.spend("a", "series", number, 60)


@pytest.mark.parametrize(("value", "error"), [(b"x", TypeError), (None, TypeError), ("x" * 4097, ValueError)])
def test_values_that_are_none(store, value, error):
    with pytest.raises(error, match="value"):
        store.put("a", "key", value, 60)


@pytest.mark.parametrize(("value", "error"), [(b"x", TypeError), (1, TypeError), ("x" * 4097, ValueError)])
def test_replace_takes_the_values_that_put_takes(store, value, error):
    with pytest.raises(error, match=r"^old "):
        store.replace("a", "key", value, "x", 60)
    with pytest.raises(error, match=r"^new "):
        store.replace("a", "key", None, value, 60)
    with pytest.raises(TypeError, match=r"^new "):
        store.replace("a", "key", "x", None, 60)
    for old, new in (("\ud800", "x"), (None, "\ud800")):
        with pytest.raises(ValueError, match="surrogates"):
            store.replace("a", "key", old, new, 60)
    assert store.get("a", "key") is None


def test_a_purpose_is_a_token(store):
    for call in (
        lambda: store.claim("two words", "key", 60),
        lambda: store.replace("two words", "key", None, "x", 60),
        lambda: store.increment_many("two words", [("key", 60)]),
        lambda: store.decrement("two words", "key"),
        lambda: store.forget("two words", "key"),
    ):
        with pytest.raises(ValueError, match="purpose"):
            call()


# --- forks


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork on Windows")
@pytest.mark.parametrize("kind", ["sqlite", "redis", "memory"])
def test_sto_15_after_a_fork(kind, tmp_path, request):
    address = str(tmp_path / "store.db") if kind == "sqlite" else "-"
    if kind == "redis":
        address = request.getfixturevalue("redis_url").removesuffix("0") + "5"
    done = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", _FORK, kind, address],
        cwd=ROOT, capture_output=True, text=True, timeout=30,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.split() == (["True", "False", "True"] if kind != "memory" else ["True", "True", "True"])


_FORK = """if True:
    import os, signal, sys, threading, time
    from flask_unauthorized.stores.memory import MemoryStore
    from tests.stores.racing import store_of

    kind, address = sys.argv[1:]
    store = MemoryStore() if kind == "memory" else store_of(kind, address)
    store.claim("a", "before", 60)
    holding = threading.Event()

    def hold():  # another thread holds the lock while we fork
        if hasattr(store, "_lock"):
            with store._lock:
                holding.set()
                time.sleep(0.2)
        holding.set()

    threading.Thread(target=hold).start()
    holding.wait()
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        signal.alarm(20)  # ends a child that waits forever
        result = f"{store.claim('a', 'first', 60)}"
        os.write(write, result.encode())
        os._exit(0)
    os.waitpid(child, 0)
    in_child = os.read(read, 99).decode()
    print(in_child, store.claim("a", "first", 60), store.claim("a", "second", 60))
"""

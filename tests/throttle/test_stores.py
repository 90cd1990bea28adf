"""A throttle whose store forgets, is full, or goes away: what is promised of attempts that are under way."""

import os
from concurrent.futures import ThreadPoolExecutor

import pytest
from redis import Redis

from flask_unauthorized import AuthUnavailable, InvalidCredentials, TooManyAttempts
from flask_unauthorized.stores.memory import MemoryStore
from flask_unauthorized.stores.redis import RedisStore
from flask_unauthorized.throttle import Throttle

from ..helpers import free_port
from ..stores.servers import redis_server
from .conftest import AWAY, HOME, guesses
from .test_throttle import count_entries, guess_at

ENDS = {
    "succeeded": lambda attempt: attempt.succeeded(),
    "failed": lambda attempt: attempt.refused(InvalidCredentials()),
    "given back": lambda attempt: attempt.given_back(),
}


def reserved(throttle, password, name="ada", address=HOME):
    return throttle.reserve(name, (name, password), {"REMOTE_ADDR": address})


def evict_all(store):
    if isinstance(store, MemoryStore):
        store._entries.clear()
        store._evictable.clear()
    elif isinstance(store, RedisStore):
        store._client.flushall()
    else:
        with store._connection() as database:
            database.execute("DELETE FROM evictable")


def test_an_attempt_that_is_given_back_leaves_nothing(store, clock):
    throttle = Throttle(store)
    reserved(throttle, "guess").given_back()
    assert count_entries(store) == 0


def test_a_success_leaves_the_acquaintance_only(store, clock):
    throttle = Throttle(store)
    reserved(throttle, "right horse").succeeded()
    assert count_entries(store) == 1


def test_a_success_after_failures_leaves_those_of_subject_and_network(store, clock):
    throttle = Throttle(store)
    for guess in guesses(3):
        assert guess_at(throttle, "ada", guess, HOME)
    assert guess_at(throttle, "ada", "right horse", HOME)
    assert count_entries(store) == 3  # and the acquaintance


def test_many_attempts_at_once_that_are_given_back_leave_nothing(store):
    throttle = Throttle(store)

    def attempt(number):
        try:
            reserved(throttle, f"guess {number}").given_back()
        except (TooManyAttempts, AuthUnavailable):  # SQLite: others write for too long
            return False
        return True

    with ThreadPoolExecutor(16) as pool:
        passed = sum(pool.map(attempt, range(64)))
    assert passed > 0
    if isinstance(store, (MemoryStore, RedisStore)):  # An attempt whose end SQLite could not note counts until later.
        assert count_entries(store) == 0
        assert [guess_at(throttle, "ada", guess, HOME) for guess in guesses(6)] == [True] * 5 + [False]


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("failures", [0, 4])
def test_counters_that_were_evicted_under_way_begin_at_zero(store, clock, end, failures):
    throttle = Throttle(store)
    for number in range(failures):
        assert guess_at(throttle, "ada", f"before {number}", HOME)
    attempt = reserved(throttle, "under way")
    evict_all(store)
    ENDS[end](attempt)
    clock.now += 60  # the wait that a failure with the turn has set
    # An attempt that isn't counted any more must not be taken from the counters of others.
    assert [guess_at(throttle, "ada", guess, HOME) for guess in guesses(6)] == [True] * 5 + [False]


def test_evicted_waits_and_acquaintances_lock_nobody_out(store, clock):
    throttle = Throttle(store)
    assert guess_at(throttle, "ada", "right horse", HOME)
    assert [guess_at(throttle, "ada", guess, AWAY) for guess in guesses(6)] == [True] * 5 + [False]
    evict_all(store)
    assert guess_at(throttle, "ada", "right horse", HOME)
    assert guess_at(throttle, "ada", "right horse", AWAY)


# --- a server


@pytest.fixture
def server(tmp_path):
    """A Redis server of this test alone, as a client and a store whose timeout is long."""
    with redis_server(tmp_path) as url, Redis.from_url(url, socket_timeout=60) as client:
        yield client, RedisStore(client)


def test_a_server_that_evicts_goes_on(server):  # STO-06
    client, store = server
    throttle = Throttle(store)
    client.config_set("maxmemory-policy", "allkeys-lru")
    client.config_set("maxmemory", client.info("memory")["used_memory"] + 4_000_000)
    for _ in range(10):
        client.mset({f"junk {os.urandom(8).hex()}": "x" * 1000 for _ in range(800)})
    for number in range(300):
        assert guess_at(throttle, f"name {number}", "junk password", f"100.{number // 250}.{number % 250}.1")
    assert client.info("stats")["evicted_keys"] > 0
    assert [guess_at(throttle, "ada", guess, HOME) for guess in guesses(6)] == [True] * 5 + [False]


@pytest.mark.parametrize(("on_outage", "statuses"), [("refuse", [503, 503]), ("allow", [200, 401])])
def test_a_full_server_is_an_outage(serve, server, caplog, on_outage, statuses):  # STO-05, THR-11
    client, store = server
    served = serve(Throttle(store, on_outage=on_outage))
    assert served.statuses("first guess") == [401]
    client.config_set("maxmemory", 1)
    keys = client.dbsize()
    assert served.statuses("right horse", "wrong horse") == statuses
    assert client.dbsize() == keys
    assert ("because on_outage='allow' and RedisStore: its back end" in caplog.text) is (on_outage == "allow")
    client.config_set("maxmemory", 0)
    assert served.statuses(*guesses(5)) == [401] * 4 + [429]


@pytest.mark.parametrize(("password", "status"), [("right horse", 200), ("wrong horse", 401)])
def test_a_server_that_is_full_after_the_loader_changes_nothing(serve, server, caplog, password, status):
    client, store = server

    def load(name, password):
        client.config_set("maxmemory", 1)
        return password == "right horse"

    served = serve(Throttle(store), load)
    for guess in guesses(4):
        assert served.statuses(guess) == [401]
        client.config_set("maxmemory", 0)
    assert served.statuses(password) == [status]
    assert "an attempt couldn't be settled: RedisStore: its back end raised" in caplog.text


@pytest.mark.parametrize(("on_outage", "statuses"), [("refuse", [503, 503]), ("allow", [200, 401])])
def test_a_server_that_goes_and_comes_back(serve, tmp_path, on_outage, statuses):  # THR-11
    port = free_port()
    store = RedisStore(Redis(port=port, socket_timeout=60))
    served = serve(Throttle(store, on_outage=on_outage))
    with redis_server(tmp_path, port=port):
        assert served.statuses(*guesses(6)) == [401] * 5 + [429]
    assert served.statuses("right horse", "wrong horse") == statuses
    with redis_server(tmp_path, port=port):  # It has neither counters nor scripts.
        assert served.statuses(*guesses(12)[6:]) == [401] * 5 + [429]
    store._client.close()

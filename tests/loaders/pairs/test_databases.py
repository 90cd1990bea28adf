"""Pairs on SQLite, PostgreSQL and MariaDB: the whole life of a login, and races of several processes."""

import subprocess
import sys
from collections import Counter

import pytest
from sqlalchemy import create_engine, event

from flask_unauthorized import AuthUnavailable, Identity
from flask_unauthorized.loaders.pairs import GrantRefused, Pairs
from tests.loaders.stored.conftest import clock  # noqa: F401
from tests.loaders.stored.test_databases import KEYS, PROCESSES, THREADS, database, url  # noqa: F401

SECRET_KEY = "s3cret-of-the-app-in-32-characters"


@pytest.fixture
def pairs(database):  # noqa: F811
    made = Pairs(database, prefix="notes", secret_key=SECRET_KEY)
    made.create_table()
    return made


def test_the_whole_life_of_a_login(pairs, clock):  # noqa: F811
    pair = pairs.issue(Identity("Ada", acr="É", auth_time=5), name="Telefon", acr="É")
    other = pairs.issue("ada ")
    token = pair.refresh
    for _ in range(3):
        clock.now += 60
        got = pairs.refresh(token)
        assert pairs.refresh(token).refresh is None
        assert (pairs(got.access).acr, pairs(got.access).auth_time) == ("É", 5)
        token = got.refresh
    assert [record.name for record in pairs.list("Ada")] == ["Telefon"]
    with pytest.raises(GrantRefused):
        pairs.refresh(pair.refresh)
    assert pairs.list("Ada") == []
    assert pairs.get(pairs(pair.access)) is None
    assert pairs.revoke_all("ada") == 0
    assert pairs.revoke(pairs.list("ada ")[0])
    assert not pairs.revoke(other.refresh)
    clock.now += 40 * 86_400
    assert pairs.prune() == 2


def test_a_read_only_database_is_503_and_uses_nothing_up(pairs, database):  # noqa: F811
    token = pairs.issue("42").refresh
    switch = {
        "sqlite": "PRAGMA query_only = ON",
        "postgresql": "SET default_transaction_read_only = on",
        "mysql": "SET SESSION TRANSACTION READ ONLY",
        "mariadb": "SET SESSION TRANSACTION READ ONLY",
    }[database.dialect.name]
    reader = create_engine(database.url, pool_size=1)
    event.listen(reader, "connect", lambda connection, record: connection.cursor().execute(switch))
    event.listen(reader, "connect", lambda connection, record: connection.commit())
    with pytest.raises(AuthUnavailable):
        Pairs(reader, prefix="notes", secret_key=SECRET_KEY).refresh(token)
    reader.dispose()
    assert pairs.refresh(token).refresh is not None


RACER = """
import sys, threading
from sqlalchemy import create_engine
from flask_unauthorized import AuthUnavailable
from flask_unauthorized.loaders.pairs import Pairs
url, threads = sys.argv[1], int(sys.argv[2])
pairs = Pairs(create_engine(url, pool_size=threads), prefix="notes", secret_key="x" * 32)
print("ready", flush=True)
tokens = sys.stdin.readline().split()
barrier, found = threading.Barrier(threads), []
def run():
    for number, token in enumerate(tokens):
        barrier.wait()
        while True:
            try:
                pair = pairs.refresh(token)
            except AuthUnavailable:  # SQLite: another one writes
                continue
            assert pairs(pair.access).subject == "42"
            found.append(f"lost {number}" if pair.refresh is None else f"won {number} {pair.refresh}")
            break
started = [threading.Thread(target=run) for _ in range(threads)]
[one.start() for one in started]
[one.join() for one in started]
print(*found, sep="\\n")
"""


def test_of_all_refreshes_of_a_token_one_wins_and_the_others_are_repetitions(pairs, database, url):  # noqa: F811
    tokens = [pairs.issue("42").refresh for _ in range(KEYS)]
    command = [sys.executable, "-c", RACER, url, str(THREADS)]
    racers = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(PROCESSES)
    ]
    try:
        for racer in racers:
            assert racer.stdout.readline() == "ready\n"
        for racer in racers:
            racer.stdin.write(" ".join(tokens) + "\n")
            racer.stdin.flush()
        lines = [line.split() for racer in racers for line in racer.communicate()[0].splitlines()]
        assert [racer.returncode for racer in racers] == [0] * PROCESSES
    finally:
        for racer in racers:
            racer.kill()
            racer.wait()
    assert Counter(int(line[1]) for line in lines) == dict.fromkeys(range(KEYS), PROCESSES * THREADS)
    won = [line for line in lines if line[0] == "won"]
    assert Counter(int(line[1]) for line in won) == dict.fromkeys(range(KEYS), 1)
    assert len(pairs.list("42")) == min(KEYS, 1000)  # nobody was taken for a thief
    for line in won:
        assert pairs.refresh(line[2]).refresh is not None

"""Stored tokens on SQLite, PostgreSQL and MariaDB: owners, times, races, migrations."""

import os
import subprocess
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import MetaData, create_engine, event, inspect, text
from sqlalchemy.schema import CreateTable

from flask_unauthorized import AuthUnavailable, ConfigurationError, InvalidCredentials, RevokedCredentials
from flask_unauthorized.loaders.stored import AlreadyRotated, StoredTokens, TokenEnded, tokens_table

from .servers import SERVERS, missing

KEYS = int(os.environ.get("TOKEN_RACE_KEYS", "20"))
"""How many tokens each race has. A full run has 500."""
PROCESSES, THREADS = (int(one) for one in os.environ.get("TOKEN_RACERS", "2 4").split())


@pytest.fixture(scope="module", params=["sqlite", *SERVERS])
def url(request, tmp_path_factory):
    """A database that serves all tests of this module."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path_factory.mktemp('stored') / 'tokens.db'}"
        return
    with SERVERS[request.param]() as url:
        yield url


@pytest.fixture
def database(url):
    """An engine of the database, without our table."""
    engine = create_engine(url, pool_size=THREADS)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", lambda connection, record: connection.execute("PRAGMA synchronous = OFF"))
    tokens_table(MetaData()).drop(engine, checkfirst=True)
    yield engine
    engine.dispose()


@pytest.fixture
def stored(database):
    tokens = StoredTokens(database, prefix="notes", max_per_owner=10_000)
    tokens.create_table()
    return tokens


def test_a_table_that_exists_keeps_the_indexes_of_its_migration(database):
    table = tokens_table(MetaData())
    with database.begin() as connection:
        connection.execute(CreateTable(table))
        connection.execute(text("CREATE UNIQUE INDEX by_digest ON auth_tokens (digest)"))
    StoredTokens(database, prefix="notes").create_table()
    assert [index["name"] for index in inspect(database).get_indexes("auth_tokens")] == ["by_digest"]


def test_workers_that_start_together_all_make_the_table(database):
    """A table may come between the look whether it exists and its creation."""
    engines = [create_engine(database.url) for _ in range(8)]
    barrier = threading.Barrier(len(engines))

    def start(engine):
        tokens = StoredTokens(engine, prefix="notes")
        barrier.wait(60)
        tokens.create_table()

    for _ in range(10):
        tokens_table(MetaData()).drop(database, checkfirst=True)
        with ThreadPoolExecutor(len(engines)) as workers:
            list(workers.map(start, engines))
        database.dispose()  # a connection of SQLite may remember the schema of before
        made = {index["name"] for index in inspect(database).get_indexes("auth_tokens")}
        assert made == {index.name for index in tokens_table(MetaData()).indexes}
    for engine in engines:
        engine.dispose()


@pytest.mark.parametrize("who", ["Ada", "ada", "ada ", "äda", "a\u0308da", "ADA"])
def test_owners_are_compared_exactly(stored, who):
    others = [name for name in ("Ada", "ada", "ada ", "äda", "a\u0308da", "ADA") if name != who]
    mine = stored.issue(who, name="mine")
    kept = {other: stored.issue(other, name="theirs") for other in others}
    assert [record.owner for record in stored.list(who)] == [who]
    for issued in kept.values():
        assert not stored.revoke(issued.record.id, who)
    assert stored.revoke_all(who) == 1
    assert [stored(issued.token).subject for issued in kept.values()] == others
    with pytest.raises(RevokedCredentials):
        stored(mine.token)


def test_times_and_texts_come_back_as_they_were_written(stored):
    issued = stored.issue("42", name="Caf\u00e9 \U0001f511", scopes={"a", "b:c"}, roles={"r"}, lifetime=90.9)
    assert stored.get(issued.record.id, "42") == issued.record
    assert (issued.record.expires_at - issued.record.created_at).total_seconds() == 90
    assert issued.record.created_at.microsecond == 0
    assert stored(issued.token).expires_at == issued.record.expires_at.timestamp()
    stored.rotate(issued.record.id, "42", overlap=30)
    record = stored.get(issued.record.id, "42")
    assert 28 <= (record.ends_at - issued.record.created_at).total_seconds() <= 60
    assert record.last_used_at is not None


def test_the_whole_life_of_a_token(stored):
    old = stored.issue("42", name="CI")
    new = stored.rotate(old.record.id, "42")
    with pytest.raises(AlreadyRotated):
        stored.rotate(old.record.id, "42")
    newer = stored.rotate(old.record.id, "42", again=True)
    assert stored.get(old.record.id, "42").replaced_by == newer.record.id
    with pytest.raises(RevokedCredentials):
        stored(new.token)
    assert stored.rename(newer.record.id, "42", "Deploy")
    assert stored.rename(newer.record.id, "42", "Deploy")  # the same name once more: found, not changed
    assert [record.name for record in stored.list("42")] == ["Deploy", "CI"]
    assert stored.revoke(newer.record.id, "42")
    assert stored.revoke_all("42") == 1
    assert stored.list("42") == []
    assert stored.prune(ended_before=1) == 0
    assert stored.get(2**63 - 1, "42") is None
    with pytest.raises(InvalidCredentials):
        stored(stored.format.make().arguments[0])


def test_a_name_that_the_character_set_lacks_is_a_value_error(database):
    if database.dialect.name not in ("mysql", "mariadb"):
        pytest.skip("its texts hold all characters")
    old = create_engine(database.url.set(database="old"))
    tokens = StoredTokens(old, prefix="notes")
    tokens.create_table()
    with pytest.raises(ValueError, match="can't store a text"):
        tokens.issue("42", name="\U0001f511")
    assert tokens.issue("42", name="Caf\u00e9").record.name == "Caf\u00e9"
    old.dispose()


def test_a_missing_table_says_to_migrate(database):
    tokens = StoredTokens(database, prefix="notes")
    for act in (lambda: tokens(tokens.format.make().arguments[0]), lambda: tokens.issue("42", name="CI")):
        with pytest.raises(ConfigurationError, match="run the migration"):
            act()


def test_a_missing_column_says_to_migrate(stored, database):
    with database.begin() as connection:
        connection.execute(text("ALTER TABLE auth_tokens DROP COLUMN hint"))
    with pytest.raises(ConfigurationError, match="run the migration"):
        stored.list("42")


def test_a_read_only_database_is_503(stored, database):
    issued = stored.issue("42", name="CI")
    switch = {
        "sqlite": "PRAGMA query_only = ON",
        "postgresql": "SET default_transaction_read_only = on",
        "mysql": "SET SESSION TRANSACTION READ ONLY",
        "mariadb": "SET SESSION TRANSACTION READ ONLY",
    }[database.dialect.name]
    reader = create_engine(database.url, pool_size=1)
    event.listen(reader, "connect", lambda connection, record: connection.cursor().execute(switch))
    event.listen(reader, "connect", lambda connection, record: connection.commit())
    tokens = StoredTokens(reader, prefix="notes")
    assert tokens(issued.token).subject == "42"
    for act in (lambda: tokens.issue("42", name="x"), lambda: tokens.revoke(issued.record.id, "42")):
        with pytest.raises(AuthUnavailable):
            act()
    reader.dispose()
    assert stored(issued.token).subject == "42"


def test_a_server_that_is_away_is_503(database, url):
    if database.dialect.name == "sqlite":
        pytest.skip("SQLite has no server")
    from tests.helpers import free_port

    gone = create_engine(database.url.set(port=free_port()))
    tokens = StoredTokens(gone, prefix="notes")
    with pytest.raises(AuthUnavailable) as caught:
        tokens(tokens.format.make().arguments[0])
    assert caught.value.reason.startswith("StoredTokens: the database raised OperationalError")


# --- races


RACER = """
import sys, threading
from sqlalchemy import create_engine
from flask_unauthorized import AuthUnavailable
from flask_unauthorized.loaders.stored import AlreadyRotated, StoredTokens
url, first, count, threads = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
tokens = StoredTokens(create_engine(url, pool_size=threads), prefix="notes", max_per_owner=100_000)
barrier = threading.Barrier(threads)
print("ready", flush=True)
sys.stdin.readline()
def run():
    for id in range(first, first + count):
        barrier.wait()
        while True:
            try:
                print("won", id, tokens.rotate(id, "42").record.id, flush=True)
            except AlreadyRotated as error:
                assert error.successor is not None
            except AuthUnavailable:  # SQLite: another one writes
                continue
            break
started = [threading.Thread(target=run) for _ in range(threads)]
[one.start() for one in started]
[one.join() for one in started]
"""


def test_of_all_rotations_of_a_token_one_wins(stored, database, url):
    ids = [stored.issue("42", name="CI").record.id for _ in range(KEYS)]
    command = [sys.executable, "-c", RACER, url, str(ids[0]), str(KEYS), str(THREADS)]
    racers = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(PROCESSES)
    ]
    try:
        for racer in racers:
            assert racer.stdout.readline() == "ready\n"
        for racer in racers:
            racer.stdin.write("\n")
            racer.stdin.flush()
        lines = [line.split() for racer in racers for line in racer.communicate()[0].splitlines()]
        assert [racer.returncode for racer in racers] == [0] * PROCESSES
    finally:
        for racer in racers:
            racer.kill()
            racer.wait()
    assert Counter(int(line[1]) for line in lines) == dict.fromkeys(ids, 1)
    records = stored.list("42", limit=1000) if KEYS <= 500 else []
    assert KEYS > 500 or len(records) == 2 * KEYS  # each token and its one successor; no row of a loser
    won = {int(line[1]): int(line[2]) for line in lines}
    assert {one.id: one.replaced_by for one in records if one.replaced_by} == (won if records else {})


def test_revoke_all_catches_tokens_that_a_rotation_makes_meanwhile(stored, database):
    """A thief rotates as fast as possible, while the owner ends all tokens."""

    stop = threading.Event()

    def rotate(number, started):
        while not stop.is_set():
            try:
                number = stored.rotate(number, "42", overlap=0).record.id
            except (AlreadyRotated, TokenEnded):
                return
            except AuthUnavailable:  # SQLite: another one writes
                continue
            finally:
                started.set()

    def revoke_all():
        end = time.monotonic() + 20
        while time.monotonic() < end:
            try:
                return stored.revoke_all("42")
            except AuthUnavailable:
                continue
        return None

    with ThreadPoolExecutor(THREADS) as pool:
        for _ in range(5):
            events = [threading.Event() for _ in range(2)]
            thieves = [pool.submit(rotate, stored.issue("42", name="CI").record.id, one) for one in events]
            try:
                assert all(one.wait(20) for one in events)
                assert revoke_all() is not None
                for thief in thieves:  # it ends, because it finds its token revoked
                    thief.result(timeout=5)
            finally:
                stop.set()
            stop.clear()
            assert stored.list("42") == []


# --- migrations


def test_alembic_finds_no_difference_after_the_table_was_created(stored, database):
    try:
        from alembic.autogenerate import compare_metadata
        from alembic.migration import MigrationContext
    except ImportError:
        missing("alembic is not installed")
    with database.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, stored.table.metadata) == []


def test_indexes_have_names(stored, database):
    found = {index["name"]: index["unique"] for index in inspect(database).get_indexes("auth_tokens")}
    assert {name: bool(unique) for name, unique in found.items()} == {
        "ix_auth_tokens_digest": True,
        "ix_auth_tokens_owner_key": False,
        "ix_auth_tokens_family": False,
    }

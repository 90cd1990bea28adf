"""Stores that are full, unavailable or slow, or hold values that the library did not write: `AuthUnavailable`."""

import gc
import logging
import socket
import sqlite3
import threading
import time
import tracemalloc
from contextlib import closing, contextmanager

import pytest
import redis
from flask import Flask

from flask_unauthorized import Auth, AuthUnavailable, Bearer, ConfigurationError, Digest, DPoP, Identity, SessionCookie
from flask_unauthorized.jose import hmac_key
from flask_unauthorized.loaders.jwt import JWT
from flask_unauthorized.loaders.revocation import Revocations
from flask_unauthorized.stores.memory import MemoryStore
from flask_unauthorized.stores.redis import RedisStore
from flask_unauthorized.stores.sqlite import SQLiteStore
from tests.helpers import app_with_schemes, free_port

from .servers import redis_server

OPERATIONS = {
    "claim": lambda store: store.claim("a", "key", 60),
    "spend": lambda store: store.spend("a", "key", 1, 60),
    "increment": lambda store: store.increment("a", "key", 60),
    "put": lambda store: store.put("a", "key", "x", 60),
    "get": lambda store: store.get("a", "key"),
    "replace": lambda store: store.replace("a", "key", None, "x", 60),
    "increment_many": lambda store: store.increment_many("a", [("key", 60), ("other key", 60)]),
    "decrement": lambda store: store.decrement("a", "key"),
    "forget": lambda store: store.forget("a", "key"),
}
EACH = pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS)


def assert_unavailable(store, operation):
    """Check that an operation ends within a second with `AuthUnavailable`, without any text of the server."""
    begun = time.monotonic()
    with pytest.raises(AuthUnavailable) as caught:
        operation(store)
    assert time.monotonic() - begun < 1
    assert caught.value.__cause__ is None
    assert "secret" not in (caught.value.reason or "")


# --- memory


def test_sto_05_a_full_store_refuses_and_forgets_nothing_that_lives(monkeypatch):
    now = [1000.0]
    for clock in ("monotonic", "time"):
        monkeypatch.setattr(f"flask_unauthorized.stores.memory.time.{clock}", lambda: now[0])
    store = MemoryStore(capacity=100)
    for number in range(100):
        assert store.claim("a", str(number), 60)
    for operation in ("claim", "spend", "increment", "put", "replace", "increment_many"):
        with pytest.raises(AuthUnavailable, match="unavailable"):
            OPERATIONS[operation](store)
    assert not any(store.claim("a", str(number), 60) for number in range(100))
    now[0] += 61
    assert all(store.claim("b", str(number), 60) for number in range(100))


def test_sto_17_memory_returns_without_a_pass_over_all(monkeypatch):
    now = [1000.0]
    for clock in ("monotonic", "time"):
        monkeypatch.setattr(f"flask_unauthorized.stores.memory.time.{clock}", lambda: now[0])
    store = MemoryStore()
    for number in range(50_000):
        store.claim("a", str(number), 10)
    tracemalloc.start()
    now[0] += 11
    for number in range(17_000):
        store.claim("b", str(number), 1000)
    assert len(store._entries) == len(store._sweep_queue) == 17_000
    tracemalloc.stop()
    begun = time.perf_counter()
    store.claim("c", "one", 10)
    assert time.perf_counter() - begun < 0.01


@pytest.mark.parametrize("capacity", [0, -1, True, 1.5, "many"])
def test_a_capacity_that_is_none(capacity):
    with pytest.raises(ConfigurationError, match="capacity"):
        MemoryStore(capacity=capacity)


@pytest.mark.parametrize("prefix", ["", "two words", "ü", None])
def test_a_prefix_that_is_none(prefix):
    with pytest.raises(ConfigurationError, match="prefix"):
        MemoryStore(prefix=prefix)


def test_a_repr_names_the_kind_and_nothing_else():
    assert repr(MemoryStore(prefix="shop")) == "<MemoryStore shop>"


def test_sto_16_several_workers_are_told_once_or_refused(caplog):
    many, one = {"wsgi.multiprocess": True}, {"wsgi.multiprocess": False}
    store = MemoryStore()
    store.check_workers(one)
    assert caplog.records == []
    store.check_workers(many)
    store.check_workers(many)
    (record,) = caplog.records
    assert (record.levelno, record.name) == (logging.WARNING, "flask_unauthorized")
    with pytest.raises(ConfigurationError, match="SQLiteStore or RedisStore"):
        MemoryStore(strict=True).check_workers(many)


# F-58: no server says reliably how many processes there are.
USES = {
    "Digest: used counts": lambda store: Digest(lambda name: "pw", store=store),
    "DPoP: used proofs": lambda store: DPoP(lambda token: None, origin="https://api.example.com", store=store),
    "SessionCookie: ended sessions": lambda store: SessionCookie(lambda subject: subject, store=store),
    "SessionCookie: ended sessions and remembered logins": lambda store: SessionCookie(
        lambda subject: subject, store=store, remember=30 * 86400
    ),
    "Revocations: revoked tokens": lambda store: Bearer(
        JWT(
            "https://id.example.com",
            audience="x",
            keys=hmac_key(b"k" * 32),
            algorithms=["HS256"],
            revoked=Revocations(store),
        )
    ),
}


def check_app(use, store, **config):
    """Check an app that relies on the store, three times."""
    auth = Auth(USES[use](store), realm="shop")
    app = Flask("deployed")
    app.config.update(
        {"SECRET_KEY": "k" * 32, "SESSION_COOKIE_SECURE": True, "SESSION_COOKIE_SAMESITE": "Lax", **config}
    )
    auth.init_app(app)
    for _ in range(3):
        auth.check(app)


@pytest.mark.parametrize("use", USES)
def test_a_memory_store_is_named_before_the_first_request(use, caplog):
    check_app(use, MemoryStore())
    (record,) = caplog.records
    assert (record.levelno, record.name) == (logging.WARNING, "flask_unauthorized")
    message = record.getMessage()
    assert message.startswith(use)
    for fix in ("SQLiteStore(path)", "RedisStore(url)", "MemoryStore(single_process=True)"):
        assert fix in message


@pytest.mark.parametrize(
    "scheme", [Digest(lambda name: "pw"), DPoP(lambda token: None, origin="https://api.example.com")]
)
def test_the_store_that_a_scheme_makes_for_itself_is_named_too(scheme, caplog):
    auth = Auth(scheme)
    app = Flask("deployed")
    app.secret_key = "k" * 32
    auth.init_app(app)
    auth.check(app)
    assert "MemoryStore" in caplog.text


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize(
    ("store", "config"),
    [
        (MemoryStore(single_process=True), {}),
        (MemoryStore(single_process=True, strict=True), {"UNAUTHORIZED_GUARD": "strict"}),
        (MemoryStore(), {"TESTING": True}),
        (MemoryStore(strict=True), {"TESTING": True}),
        (MemoryStore(), {"DEBUG": True}),
    ],
)
def test_a_memory_store_of_one_process_or_of_a_test_is_not(use, store, config, caplog):
    check_app(use, store, **config)
    assert caplog.records == []


@pytest.mark.parametrize("use", USES)
def test_a_store_that_processes_share_is_not(use, caplog, tmp_path):
    check_app(use, SQLiteStore(tmp_path / "store.db", strict=True), UNAUTHORIZED_GUARD="strict")
    assert caplog.records == []


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize(("strict", "config"), [(True, {}), (False, {"UNAUTHORIZED_GUARD": "strict"})])
def test_strict_refuses_a_memory_store_before_the_first_request(use, strict, config):
    with pytest.raises(ConfigurationError, match=f"{use}.*single_process=True"):
        check_app(use, MemoryStore(strict=strict), **config)


def test_what_the_server_says_of_workers_is_overruled_by_single_process(caplog):
    """hypercorn says multiprocess with one worker, too."""
    MemoryStore(single_process=True).check_workers({"wsgi.multiprocess": True})
    MemoryStore(single_process=True, strict=True).check_workers({"wsgi.multiprocess": True})
    assert caplog.records == []
    with pytest.raises(TypeError, match="single_process"):
        MemoryStore(single_process=1)


# F-33: what callers present is dated by the wall clock, which may be set back, or stand still while the other goes on.
@pytest.mark.parametrize(("monotonic", "wall", "live"), [
    (59, 59, True), (61, 61, False), (61, -3600, True), (61, 0, True), (100_000, -1, True), (59, 3600, True),
    (0, 100_000, True), (61, 3600, False),
])  # fmt: skip
def test_memory_forgets_by_the_later_of_both_clocks(monkeypatch, monotonic, wall, live):
    now = {"monotonic": 1000.0, "time": 1_800_000_000.0}
    for clock in now:
        monkeypatch.setattr(f"flask_unauthorized.stores.memory.time.{clock}", lambda clock=clock: now[clock])
    store = MemoryStore()
    assert store.claim("a", "key", 60)
    assert store.spend("a", "series", 1, 60)
    assert store.increment("a", "count", 60) == 1
    store.put("a", "value", "x", 60)
    now["monotonic"] += monotonic
    now["time"] += wall
    store.claim("b", "any", 1)  # sweeps
    assert store.claim("a", "key", 60) is not live
    assert store.spend("a", "series", 1, 60) is not live
    assert store.increment("a", "count", 60) == (2 if live else 1)
    assert store.get("a", "value") == ("x" if live else None)


def test_thr_08_counters_of_a_throttle_leave_the_other_entries_their_place():
    store = MemoryStore(capacity=50)
    assert all(store.claim("dpop", str(number), 60) for number in range(49))
    for number in range(1000):
        store.increment_many("throttle", [(f"junk {number}", 60), ("network", 60)])
        store.put("throttle", f"junk value {number}", "x", 60)
    assert store.claim("dpop", "49", 60)
    assert not any(store.claim("dpop", str(number), 60) for number in range(50))
    assert_unavailable(store, OPERATIONS["claim"])
    assert len(store._entries) == 100
    # What is written all the time outlives the junk, and the newest junk the oldest.
    assert store.increment_many("throttle", [("network", 60)])[0].value == 1001
    assert store.increment_many("throttle", [("junk 999", 60)])[0].value == 2
    assert store.increment_many("throttle", [("junk 0", 60)])[0].value == 1


def test_expired_counters_go_before_those_that_live(monkeypatch):
    now = [1000.0]
    for clock in ("monotonic", "time"):
        monkeypatch.setattr(f"flask_unauthorized.stores.memory.time.{clock}", lambda: now[0])
    store = MemoryStore(capacity=50)
    store.put("throttle", "an acquaintance", "x", 86_400)
    for minute in range(20):
        for number in range(49):
            store.increment_many("throttle", [(f"junk {minute} {number}", 60)])
        now[0] += 61
    assert store.get("throttle", "an acquaintance") == "x"
    assert len(store._entries) <= 50


@pytest.mark.parametrize("back", [86_400, 0])
def test_a_clock_that_was_set_back_prolongs_no_counter(monkeypatch, back):
    now = {"monotonic": 1000.0, "time": 1_800_000_000.0}
    for clock in now:
        monkeypatch.setattr(f"flask_unauthorized.stores.memory.time.{clock}", lambda clock=clock: now[clock])
    store = MemoryStore()
    store.increment_many("throttle", [("key", 60)])
    now["time"] -= back
    (count,) = store.increment_many("throttle", [("key", 60)])
    assert count == (2, 60)
    now["monotonic"] += 60
    now["time"] += 60
    assert store.increment_many("throttle", [("key", 60)]) == [(1, 60)]


# --- SQLite


@pytest.mark.asvs("V14.2.4")
def test_the_file_is_for_its_owner_alone(tmp_path):
    path = tmp_path / "store.db"
    SQLiteStore(path).claim("a", "key", 60)
    assert path.stat().st_mode & 0o777 == 0o600
    assert all(other.stat().st_mode & 0o077 == 0 for other in tmp_path.iterdir())


@pytest.mark.parametrize("path", [":memory:", "", "file:x?mode=memory", b"bytes.db"])
def test_a_path_that_nobody_could_share(path):
    with pytest.raises(ConfigurationError, match="path of a file"):
        SQLiteStore(path)


@pytest.mark.parametrize("size", [0, True, 1000, "big"])
def test_a_size_that_is_none(tmp_path, size):
    with pytest.raises(ConfigurationError, match="max_size"):
        SQLiteStore(tmp_path / "store.db", max_size=size)


def test_a_full_file_refuses_and_goes_on_when_entries_are_over(tmp_path, monkeypatch):
    now = [1_800_000_000.0]
    monkeypatch.setattr("flask_unauthorized.stores.sqlite.time.time", lambda: now[0])
    store = SQLiteStore(tmp_path / "store.db", max_size=65536)
    claimed = 0
    while claimed < 2000 and _claims(store, f"a{claimed}"):
        claimed += 1
    assert 50 < claimed < 2000
    assert not store.claim("a", "a0", 60)
    assert_unavailable(store, OPERATIONS["put"])
    now[0] += 61
    # How many fit depends on their keys: a page of the tree is split when the key that comes next falls into it.
    assert all(_claims(store, f"b{number}") for number in range(claimed * 4 // 5))


def test_thr_08_counters_in_a_file_stay_below_a_quarter_of_it(tmp_path):
    store = SQLiteStore(tmp_path / "store.db", max_size=2 * 1024 * 1024)  # which makes 1 024 counters
    for number in range(2500):
        store.increment_many("throttle", [(f"junk {number}", 600), ("network", 600)])
    with closing(sqlite3.connect(store.path)) as other:
        (count,) = other.execute("SELECT count(*) FROM evictable").fetchone()
        assert 1000 < count < 1100
        assert other.execute("SELECT count(*) FROM entries").fetchone() == (0,)
    store.close()
    assert store.path.stat().st_size < 512 * 1024
    # What is written all the time outlives the junk, and the newest junk the oldest.
    assert store.increment_many("throttle", [("network", 600)])[0].value == 2501
    assert store.increment_many("throttle", [("junk 2499", 600)])[0].value == 2
    assert store.increment_many("throttle", [("junk 0", 600)])[0].value == 1


@pytest.mark.parametrize("operation", ["claim", "spend", "increment", "put", "replace", "increment_many"])
def test_thr_08_a_full_file_drops_counters_before_it_refuses(tmp_path, operation):
    store = SQLiteStore(tmp_path / "store.db", max_size=131_072)
    for number in range(64):
        store.put("throttle", f"counter {number}", "x" * 500, 600)
    claimed = 0
    while _counters(store) and claimed < 5000:
        assert store.claim("a", f"a{claimed}", 60)  # refuses nothing as long as there are counters to drop
        claimed += 1
    assert 100 < claimed < 5000
    while _claims(store, f"a{claimed}"):
        claimed += 1
    assert not any(store.claim("a", f"a{number}", 60) for number in range(claimed))
    with closing(sqlite3.connect(store.path, isolation_level=None)) as other:  # whose size isn't limited
        other.execute("INSERT INTO evictable (key, until, value) VALUES ('x', 9e9, ?)", ["x" * 100_000])
    OPERATIONS[operation](store)
    assert _counters(store) == 0
    assert not any(store.claim("a", f"a{number}", 60) for number in range(claimed))


def test_an_expired_counter_is_taken_from_the_file(tmp_path, monkeypatch):
    now = [1_800_000_000.0]
    monkeypatch.setattr("flask_unauthorized.stores.sqlite.time.time", lambda: now[0])
    store = SQLiteStore(tmp_path / "store.db")
    store.increment_many("throttle", [(str(number), 60) for number in range(200)])
    now[0] += 61
    for number in range(64):
        store.claim("a", str(number), 60)
    assert _counters(store) == 0


def test_a_file_of_an_earlier_version_takes_counters(tmp_path):
    with closing(sqlite3.connect(tmp_path / "store.db")) as other:
        other.executescript(
            "CREATE TABLE entries (key TEXT PRIMARY KEY, until REAL NOT NULL, value TEXT, number INTEGER NOT NULL "
            "DEFAULT 0, seen TEXT NOT NULL DEFAULT '') WITHOUT ROWID; CREATE INDEX entries_until ON entries (until);"
        )
    store = SQLiteStore(tmp_path / "store.db")
    assert store.claim("a", "key", 60)
    assert store.increment_many("throttle", [("key", 60)])[0].value == 1


@pytest.mark.parametrize("back", [86_400, 0])
def test_a_wall_clock_that_was_set_back_prolongs_no_counter_in_a_file(tmp_path, monkeypatch, back):
    now = [1_800_000_000.0]
    monkeypatch.setattr("flask_unauthorized.stores.sqlite.time.time", lambda: now[0])
    store = SQLiteStore(tmp_path / "store.db")
    store.increment_many("throttle", [("key", 60)])
    now[0] -= back
    assert store.increment_many("throttle", [("key", 60)]) == [(2, 60)]
    now[0] += 60
    assert store.increment_many("throttle", [("key", 60)]) == [(1, 60)]


def _counters(store):
    with closing(sqlite3.connect(store.path)) as other:
        return other.execute("SELECT count(*) FROM evictable").fetchone()[0]


def _claims(store, key):
    try:
        return store.claim("a", key, 60)
    except AuthUnavailable:
        return False


@EACH
def test_sto_07_a_file_that_cannot_be_had(tmp_path, operation):
    assert_unavailable(SQLiteStore(tmp_path / "no such folder" / "store.db"), operation)
    (tmp_path / "garbage.db").write_bytes(b"no database, but secret " * 100)
    assert_unavailable(SQLiteStore(tmp_path / "garbage.db"), operation)


@EACH
def test_sto_08_another_process_writes_for_too_long(tmp_path, operation):
    path = tmp_path / "store.db"
    store = SQLiteStore(path)
    store.put("a", "value", "x", 60)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    if operation is OPERATIONS["get"]:
        assert store.get("a", "value") == "x"  # who only reads doesn't wait
    else:
        assert_unavailable(store, operation)
    other.execute("ROLLBACK")
    other.close()
    operation(store)


def test_sto_08_another_thread_has_the_connection_for_too_long(tmp_path):
    store = SQLiteStore(tmp_path / "store.db")
    with store._lock:
        assert_unavailable(store, OPERATIONS["get"])
    assert store.get("a", "key") is None


def test_an_entry_that_is_over_is_taken_from_the_file(tmp_path, monkeypatch):
    now = [1_800_000_000.0]
    monkeypatch.setattr("flask_unauthorized.stores.sqlite.time.time", lambda: now[0])
    store = SQLiteStore(tmp_path / "store.db")
    for number in range(1000):
        store.claim("a", str(number), 60)
    now[0] += 61
    for number in range(400):
        store.claim("b", str(number), 60)
    with closing(sqlite3.connect(tmp_path / "store.db")) as other:
        assert other.execute("SELECT count(*) FROM entries").fetchone() == (400,)


def test_a_closed_store_opens_again(tmp_path):
    store = SQLiteStore(tmp_path / "store.db")
    store.close()
    store.put("a", "key", "x", 60)
    assert (tmp_path / "store.db-wal").exists()
    store.close()
    assert not (tmp_path / "store.db-wal").exists()  # SQLite removes it when the last connection is closed
    store.close()
    assert store.get("a", "key") == "x"


def test_a_dropped_store_closes_its_file(tmp_path):
    store = SQLiteStore(tmp_path / "store.db")
    store.put("a", "key", "x", 60)
    (_, database) = store._opened
    del store
    gc.collect()
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        database.execute("SELECT 1")


# --- Redis


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    with redis_server(tmp_path_factory.mktemp("redis")) as address:
        yield address


@EACH
def test_sto_07_nobody_listens(operation):
    assert_unavailable(RedisStore(f"redis://user:secret@127.0.0.1:{free_port()}/0"), operation)


@EACH
def test_sto_08_a_server_that_never_answers(operation):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        assert_unavailable(RedisStore(f"redis://127.0.0.1:{silent.getsockname()[1]}/0"), operation)


@EACH
@pytest.mark.parametrize("reply", [b"-LOADING secret\r\n", b"-OOM x\r\n", b"-READONLY x\r\n", b"nonsense\r\n", b""])
def test_sto_07_a_server_that_answers_with_an_error_or_hangs_up(operation, reply):
    with redis_that_responds(reply) as port:
        assert_unavailable(RedisStore(f"redis://127.0.0.1:{port}/0"), operation)


@contextmanager
def redis_that_responds(reply):
    """Yield the port of a server that sends the same reply to every command."""

    def serve(listener):
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=talk, args=(connection,), daemon=True).start()

    def talk(connection):
        with connection:
            while connection.recv(65536):
                if not reply:
                    return
                try:
                    connection.sendall(reply)
                except OSError:
                    return

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=serve, args=(listener,), daemon=True).start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)


def test_sto_07_a_wrong_password_and_then_the_right_one(tmp_path):
    with redis_server(tmp_path, "--requirepass", "right") as address:
        for wrong in (address, address.replace("//", "//:wrong-secret@")):
            assert_unavailable(RedisStore(wrong), OPERATIONS["claim"])
        assert RedisStore(address.replace("//", "//:right@")).claim("a", "key", 60)


def test_a_server_that_was_restarted_is_used_again(tmp_path):
    port = free_port()
    with redis_server(tmp_path, port=port) as address:
        store = RedisStore(address)
        assert store.claim("a", "key", 60)
        assert store.spend("a", "series", 1, 60)
    assert_unavailable(store, OPERATIONS["claim"])
    with redis_server(tmp_path, port=port):
        assert store.claim("a", "key", 60)
        assert store.spend("a", "series", 1, 60)


def test_sto_02_every_entry_has_an_end(url):
    client = redis.Redis.from_url(url)
    client.flushall()
    store = RedisStore(url)
    for operation in OPERATIONS.values():
        operation(store)
        store.put("a", "other", "x", 60)
        for key in client.scan_iter():
            assert 0 < client.pttl(key) <= 60_001
        client.flushall()


@pytest.mark.parametrize("planted", ["a list", "a pickle", "a text", "a hash"])
def test_sto_09_and_12_what_somebody_else_wrote(url, planted):
    client, store = redis.Redis.from_url(url), RedisStore(url)
    client.flushall()
    key = store._entry_key("a", "key")
    plant = {
        "a list": lambda: client.rpush(key, "x"),
        "a pickle": lambda: client.set(key, b"\x80\x04cos\nsystem\n"),
        "a text": lambda: client.set(key, "text"),
        "a hash": lambda: client.hset(key, mapping={"1": "x", "highest": "y"}),
    }
    plant[planted]()
    assert_unavailable(store, OPERATIONS["spend"])
    assert_unavailable(store, OPERATIONS["increment"])
    if planted in ("a list", "a hash"):
        assert_unavailable(store, OPERATIONS["replace"])
    else:
        assert not OPERATIONS["replace"](store)
    assert_unavailable(store, OPERATIONS["increment_many"])
    assert_unavailable(store, OPERATIONS["decrement"])
    assert not store.claim("a", "key", 60)
    if planted == "a text":
        assert store.get("a", "key") == "text"
    else:
        assert_unavailable(store, OPERATIONS["get"])
    OPERATIONS["forget"](store)
    assert store.claim("a", "key", 60)


@pytest.mark.parametrize("decode", [True, False])
def test_a_client_of_the_apps_own(url, decode):
    client = redis.Redis.from_url(url, decode_responses=decode)
    client.flushall()
    store = RedisStore(client)
    assert store.claim("a", "key", 60)
    assert store.spend("a", "series", 1, 60)
    store.put("a", "value", "värde", 60)
    assert store.get("a", "value") == "värde"
    assert store.replace("a", "value", "värde", "å", 60)
    assert [count.value for count in store.increment_many("throttle", [("one", 60), ("two", 60)])] == [1, 1]
    store.decrement("throttle", "one", "two")
    store.forget("throttle", "one", "two")


@pytest.mark.parametrize(
    "reply", [b":1\r\n", b"+OK\r\n", b"$-1\r\n", b"*1\r\n:1\r\n", b"*4\r\n:1\r\n$1\r\nx\r\n:1\r\n:1\r\n"]
)
def test_a_server_that_answers_increment_many_with_something_else(reply):
    with redis_that_responds(reply) as port:
        assert_unavailable(RedisStore(f"redis://127.0.0.1:{port}/0?protocol=2"), OPERATIONS["increment_many"])


def test_what_is_no_server():
    with pytest.raises(TypeError, match=r"redis\.Redis"):
        RedisStore(42)


@pytest.mark.parametrize("policy", ["allkeys-lru", "volatile-ttl"])
def test_sto_06_a_server_that_evicts(tmp_path, caplog, policy):
    with redis_server(tmp_path, "--maxmemory-policy", policy) as address:
        RedisStore(address).check()
        assert policy in caplog.text
        with pytest.raises(ConfigurationError, match="noeviction"):
            RedisStore(address, strict=True).check()


def test_sto_06_a_server_that_keeps_what_it_has_or_is_down(url, caplog):
    RedisStore(url, strict=True).check()
    assert caplog.text == ""
    RedisStore(f"redis://127.0.0.1:{free_port()}", strict=True).check()
    assert "could not be read" in caplog.text


def test_the_extra_is_named_where_it_is_missing(monkeypatch):
    import importlib
    import sys

    monkeypatch.setitem(sys.modules, "redis", None)
    monkeypatch.delitem(sys.modules, "flask_unauthorized.stores.redis")
    with pytest.raises(ImportError, match=r"flask-unauthorized\[redis\]"):
        importlib.import_module("flask_unauthorized.stores.redis")


# --- set-up


def test_a_file_in_no_folder_is_found_before_the_first_request(make_app, tmp_path):
    app = app_with_schemes(make_app, SessionCookie(Identity, store=SQLiteStore(tmp_path / "nowhere" / "auth.db")))
    with pytest.raises(ConfigurationError, match="nowhere"):
        app.auth.check(app)

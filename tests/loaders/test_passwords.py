"""Passwords."""

import contextlib
import hashlib
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from datetime import timedelta

import pytest
from flask import Flask
from werkzeug.security import check_password_hash, generate_password_hash

from flask_unauthorized import AuthUnavailable, ConfigurationError, Identity
from flask_unauthorized.loaders import Passwords

FAST = "pbkdf2:sha256:1"


def hashed(password):
    return generate_password_hash(password, method=FAST)


@pytest.fixture
def hashings(monkeypatch):
    """How often a password was hashed, counted where Werkzeug asks the standard library to."""
    done = []
    real = hashlib.pbkdf2_hmac

    def count(*args, **kwargs):
        done.append(args[1])
        return real(*args, **kwargs)

    monkeypatch.setattr(hashlib, "pbkdf2_hmac", count)
    return done


@pytest.mark.rfc("BA-16")
@pytest.mark.parametrize("method", [FAST, "scrypt"])
def test_right_password_and_no_other(method):
    check = Passwords({"ada": generate_password_hash("right", method=method)}, method=method)
    assert check("ada", "right") == "ada"
    assert [check(*pair) for pair in (("ada", "wrong"), ("bob", "right"), ("", ""))] == [None] * 3
    look_alikes = ("\uff41da", "\u0430da", "ada\u200d", "ada ", " ada", "ADA")  # BAS-10
    assert [check(name, "right") for name in look_alikes] == [None] * 6


def test_load_turns_the_name_into_a_user():
    check = Passwords({"ada": hashed("pw")}, load=lambda name: Identity(name, roles={"admin"}), method=FAST)
    assert check("ada", "pw").roles == {"admin"}
    assert check("ada", "no") is None


@pytest.mark.asvs("V6.2.8")
@pytest.mark.rfc("BA-12")
@pytest.mark.parametrize("stored", ["J\u00e4s\u00f8n", "Ja\u0308s\u00f8n"])
@pytest.mark.parametrize("sent", ["J\u00e4s\u00f8n", "Ja\u0308s\u00f8n"])
def test_names_and_passwords_compare_in_nfc_BAS_09(stored, sent):
    check = Passwords({stored: hashed("\u00c5\u00e9")}, method=FAST)
    assert [check(sent, password) for password in ("\u212b\u00e9", "A\u030ae\u0301")] == ["J\u00e4s\u00f8n"] * 2


@pytest.mark.asvs("V6.3.8")
@pytest.mark.rfc("BA-18")
def test_unknown_name_costs_as_many_hashes_as_a_wrong_password(hashings):
    check = Passwords({"ada": hashed("right")}, method=FAST)
    check("nobody", "warm up")  # the dummy is made once
    counts = []
    for name in ("ada", "nobody"):
        hashings.clear()
        assert check(name, "wrong") is None
        counts.append(list(hashings))
    assert counts == [[b"wrong"], [b"wrong"]]


MALFORMED = {
    "empty": "", "garbage": "garbage", "dollars": "$$", "no-salt": "pbkdf2:sha256:1$$ab",
    "no-digest": "pbkdf2:sha256:1$salt$", "iterations": "pbkdf2:sha256:x$salt$00",
    "zero-iterations": "pbkdf2:sha256:0$salt$00", "unknown-digest": "pbkdf2:nosuch:1$salt$00",
    "parts": "pbkdf2:sha256:1:2:3$salt$00", "scrypt-n": "scrypt:3:8:1$salt$00", "scrypt-parts": "scrypt:1:2$salt$00",
    "removed": "md5$salt$0cc175b9c0f1b6a831c399e269772661",
    "plain": "pw", "plain-with-a-name": "plain$$pw", "long": "pbkdf2:sha256:1$" + "s" * 500 + "$00",
    "bcrypt-short": "$2b$12$" + "a" * 52, "bcrypt-cost": "$2b$03$" + "a" * 53, "bcrypt-kind": "$2x$12$" + "a" * 53,
    "bcrypt-sha256": "$bcrypt-sha256$v=2,t=2b,r=12$" + "a" * 22 + "$" + "a" * 31,
    "argon2-lanes": "$argon2id$v=19$m=8,t=1,p=2$c29tZXNhbHQ$aGFzaA", "argon2-passes": "$argon2id$m=8,t=0,p=1$c2FsdA$aA",
    "argon2-version": "$argon2id$v=20$m=8,t=1,p=1$c29tZXNhbHQ$aGFzaA", "argon2-kind": "$argon2x$m=8,t=1,p=1$c2FsdA$aA",
    "non-ASCII": "pbkdf2:sha256:1$salt$\u00e9", "number": 7, "bytes": b"pbkdf2:sha256:1$salt$00",
}  # fmt: skip


@pytest.mark.rfc("BA-16")
@pytest.mark.parametrize("stored", MALFORMED.values(), ids=MALFORMED)
def test_malformed_stored_hash_refuses_in_equal_time_with_one_error_log_BAS_12(hashings, caplog, stored):
    check = Passwords(lambda name: stored if name == "ada" else None, method=FAST)
    check("nobody", "warm up")
    hashings.clear()
    caplog.clear()
    assert check("ada", "pw") is None
    assert hashings.count(b"pw") >= 1
    logged = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert len(logged) == 1
    assert "salt" not in caplog.text


@pytest.mark.parametrize(
    ("package", "stored"),
    [("bcrypt", "$2b$12$" + "a" * 53), ("argon2", "$argon2id$v=19$m=65536,t=3,p=4$c2FsdA$aGFzaA"),
     ("argon2", "$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHQAA$aGFzaA")],
)  # fmt: skip
def test_what_only_the_library_finds_malformed_refuses_the_same_way_BAS_12(hashings, caplog, package, stored):
    pytest.importorskip(package)
    check = Passwords(lambda name: stored if name == "ada" else None, method=FAST)
    assert check("ada", "pw") is None
    assert hashings == [b"pw"]
    assert [record.levelno for record in caplog.records] == [logging.ERROR]
    table = Passwords({"ada": stored}, method=FAST)  # its dummy is malformed as well
    assert [table("ada", "pw"), table("bob", "pw")] == [None] * 2


def test_stored_none_is_an_unknown_name_BAS_12(hashings):
    check = Passwords({"ada": None, "bob": hashed("pw")}, method=FAST)
    assert check("ada", "pw") is None
    assert b"pw" in hashings


def test_plain_password_as_stored_value_and_hash_as_password_are_refused_BAS_13():
    stored = hashed("right")
    check = Passwords({"ada": stored, "bob": "plain", "eve": "plain$a$b"}, method=FAST)
    assert [check("ada", stored), check("bob", "plain"), check("eve", "plain$a$b"), check("eve", "b")] == [None] * 4


def test_what_to_store_for_a_password_however_its_letters_are_composed():
    decomposed, composed = "se\u0301same", "s\u00e9same"
    check = Passwords({"ada": "x"}, method=FAST)
    assert check.hash(decomposed).startswith(f"{FAST}$")
    for stored in (check.hash(decomposed), check.hash(composed)):
        known = Passwords({"ada": stored}, method=FAST)
        assert [known("ada", decomposed), known("ada", composed), known("ada", "sesame")] == ["ada", "ada", None]


def test_passwords_are_compared_to_their_last_byte_BAS_14():
    check = Passwords({"ada": hashed("x" * 72 + "right")}, method=FAST)
    assert check("ada", "x" * 72 + "wrong") is None
    assert check("ada", "x" * 72 + "right") == "ada"


SURROGATE = "\ud800"  # JSON can hold one, and no encoding has it


def test_half_a_surrogate_pair_is_a_wrong_password_BAS_11(hashings, caplog):
    asked, stored = [], hashed("pw")
    check = Passwords(lambda name: asked.append(name) or stored, method=FAST)
    hashings.clear()
    assert [check("ada", SURROGATE), check(SURROGATE, "pw"), check("ada", f"pw{SURROGATE}")] == [None] * 3
    assert len(hashings) == 3
    assert asked == ["ada", "ada"]  # a password costs what the name costs, and no look-up gets such a name
    assert caplog.records == []
    assert check("ada", "") is None  # and it is not the empty password
    assert check("ada", "pw") == "ada"


def test_half_a_surrogate_pair_does_not_match_the_empty_password():
    check = Passwords({"ada": hashed("")}, method=FAST)
    assert [check("ada", SURROGATE), check("ada", "")] == [None, "ada"]


def test_names_and_passwords_that_are_too_long_are_wrong_and_take_no_time(hashings):
    """A login form limits neither. Normalizing these marks would take minutes."""
    marks = "\u0301\u0327" * 120_000
    asked, stored = [], hashed("pw")
    check = Passwords(lambda name: asked.append(name) or stored, method=FAST)
    hashings.clear()
    assert [check("ada", "pw" + marks), check("ada" + marks, "pw"), check("ada", "x" * 4097)] == [None] * 3
    assert len(hashings) == 3  # each costs what a wrong password costs
    assert asked == ["ada", "ada"]
    assert check("ada", "pw") == "ada"
    with pytest.raises(ValueError, match="has 4097 characters"):
        check.hash("x" * 4097)
    longest = "x" * 4096
    assert Passwords({"ada": check.hash(longest)}, method=FAST)("ada", longest) == "ada"


@pytest.mark.parametrize(("seconds", "times"), [(None, 3), (0, 3), (60, 1), (timedelta(minutes=1), 1)])
def test_cache_is_off_unless_asked_for(hashings, seconds, times):
    check = Passwords({"ada": hashed("pw")}, method=FAST, **({} if seconds is None else {"cache": seconds}))
    hashings.clear()
    assert [check("ada", "pw") for _ in range(3)] == ["ada"] * 3
    assert hashings == [b"pw"] * times


def test_cache_saves_hashing_for_the_same_pair_only(hashings):
    check = Passwords({"ada": hashed("pw"), "bob": hashed("pw2")}, cache=60, method=FAST)
    hashings.clear()
    asked = [("ada", "pw"), ("ada", "pw"), ("ada", "wrong"), ("ada", "wrong"), ("bob", "pw")]
    assert [check(*pair) for pair in asked] == ["ada", "ada", None, None, None]
    assert hashings == [b"pw", b"wrong", b"wrong", b"pw"]


def test_cache_asks_load_each_time_LDR_12():
    users = {"ada": "ada"}
    check = Passwords({"ada": hashed("pw")}, load=users.get, cache=60, method=FAST)
    assert check("ada", "pw") == "ada"
    users.clear()
    assert check("ada", "pw") is None


@pytest.mark.parametrize("change", [hashed("new"), hashed("pw2"), None, ""], ids=["new", "pw2", "none", "empty"])
def test_changed_or_removed_hash_voids_the_cache(change):
    table = {"ada": hashed("pw")}
    check = Passwords(table.get, cache=60, method=FAST)
    assert check("ada", "pw") == "ada"
    table["ada"] = change
    assert check("ada", "pw") is None


def test_cache_expires(hashings, monkeypatch):
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    check = Passwords({"ada": hashed("pw")}, cache=60, method=FAST)
    hashings.clear()
    for passed, expected in ((0, 1), (59, 1), (2, 2), (59, 2)):  # a hit doesn't prolong the entry
        now[0] += passed
        assert check("ada", "pw") == "ada"
        assert len(hashings) == expected


def test_cache_is_bounded_LIM_18(hashings):
    stored = hashed("pw")
    check = Passwords(lambda name: stored, cache=60, method=FAST)
    for number in range(1025):
        check(f"user{number}", "pw")
    hashings.clear()
    assert check("user1024", "pw") == "user1024"
    assert hashings == []
    assert check("user0", "pw") == "user0"
    assert hashings == [b"pw"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork on Windows")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_child_does_not_wait_for_a_lock_of_its_parent():
    check = Passwords({"ada": hashed("pw")}, cache=60, method=FAST)
    with check._lock:  # as if another thread held it
        child = os.fork()
        if child == 0:
            signal.alarm(30)  # ends a child that waits for ever
            try:
                os._exit(0 if check("ada", "pw") == "ada" else 2)
            finally:
                os._exit(1)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0


def test_cache_keeps_no_password():
    check = Passwords({"ada": hashed("c4nary-pw")}, cache=60, method=FAST)
    check("ada", "c4nary-pw")
    kept = repr({name: value for name, value in vars(check).items() if name != "_lock"})
    assert "c4nary" not in kept + repr(check)


@pytest.mark.parametrize(
    ("hashes", "seconds", "error"),
    [({}, 0, ConfigurationError), (None, 0, TypeError), (["ada"], 0, TypeError), ({"ada": "x"}, -1, ConfigurationError),
     ({"ada": "x"}, 301, ConfigurationError), ({"ada": "x"}, float("nan"), ConfigurationError),
     ({"ada": "x"}, True, TypeError), ({"ada": "x"}, "60", TypeError)],
)  # fmt: skip
def test_passwords_that_cannot_work_are_refused_at_set_up(hashes, seconds, error):
    with pytest.raises(error):
        Passwords(hashes, cache=seconds)


def test_what_is_no_table_is_named_by_its_type():
    with pytest.raises(TypeError) as raised:
        Passwords(["ada"])
    assert str(raised.value) == "Passwords takes a mapping of name to hash or a look-up, not list"


# --- hashes at work


class Gate:
    """Holds each hash until it is opened, and counts the hashes at work."""

    def __init__(self):
        self.opened = threading.Event()
        self.lock = threading.Lock()
        self.entered = threading.Semaphore(0)
        self.now = self.most = 0

    def __call__(self, *args, **kwargs):
        with self.lock:
            self.now += 1
            self.most = max(self.most, self.now)
        self.entered.release()
        assert self.opened.wait(60)
        with self.lock:
            self.now -= 1
        return b"\0" * 32


@pytest.fixture
def gate(monkeypatch):
    made = Gate()
    monkeypatch.setattr(hashlib, "pbkdf2_hmac", made)
    return made


ZEROS = f"{FAST}$salt${'0' * 64}"  # what the gate returns


@pytest.mark.parametrize("name", ["ada", "nobody"])
def test_a_hash_too_many_waits_and_is_503(gate, monkeypatch, name):
    monkeypatch.setattr("flask_unauthorized.loaders.passwords.MAX_WAIT", 0.01)
    check = Passwords({"ada": ZEROS}, method=FAST, concurrency=2)
    found = []
    threads = [threading.Thread(target=lambda: found.append(check("ada", "pw"))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for _ in threads:
        assert gate.entered.acquire(timeout=60)
    with pytest.raises(AuthUnavailable) as raised:
        check(name, "pw")
    assert (raised.value.code, raised.value.retry_after) == (503, 1)
    gate.opened.set()
    for thread in threads:
        thread.join(60)
    assert found == ["ada"] * 2
    assert check("ada", "pw") == "ada"  # the places are free again


@pytest.mark.asvs("V15.2.2")
def test_never_more_hashes_at_work_than_concurrency(gate, monkeypatch):
    monkeypatch.setattr("flask_unauthorized.loaders.passwords.MAX_WAIT", 60)
    check = Passwords({"ada": ZEROS}, method=FAST, concurrency=3)
    found = []
    names = ("ada", "nobody")
    threads = [threading.Thread(target=lambda: found.append(check(name, "pw"))) for name in names * 10]
    for thread in threads:
        thread.start()
    for _ in range(3):
        assert gate.entered.acquire(timeout=60)
    gate.opened.set()
    for thread in threads:
        thread.join(60)
    assert len(found) == 20
    assert gate.most == 3


@pytest.mark.parametrize("error", [ValueError, MemoryError, KeyError])
def test_a_place_is_free_again_after_an_error(monkeypatch, error):
    check = Passwords({"ada": hashed("pw")}, method=FAST, concurrency=1)
    monkeypatch.setattr("flask_unauthorized.loaders.passwords.MAX_WAIT", 0)

    def fail(*args):
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(hashlib, "pbkdf2_hmac", fail)
        with contextlib.suppress(KeyError, AuthUnavailable):
            check("ada", "pw")
    assert check("ada", "pw") == "ada"


def test_too_little_memory_is_503(monkeypatch):
    check = Passwords({"ada": hashed("pw")}, method=FAST)

    def fail(*args):
        raise MemoryError

    monkeypatch.setattr(hashlib, "pbkdf2_hmac", fail)
    for name in ("ada", "nobody"):
        with pytest.raises(AuthUnavailable):
            check(name, "pw")


def test_a_cached_password_needs_no_place(monkeypatch):
    monkeypatch.setattr("flask_unauthorized.loaders.passwords.MAX_WAIT", 0)
    check = Passwords({"ada": hashed("pw")}, method=FAST, concurrency=1, cache=60)
    check("ada", "pw")
    with check._slots.one():
        assert check("ada", "pw") == "ada"
        with pytest.raises(AuthUnavailable):
            check("ada", "wrong")
        with pytest.raises(AuthUnavailable):
            check.hash("new")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork on Windows")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_child_begins_with_all_places_free():
    check = Passwords({"ada": hashed("pw")}, method=FAST, concurrency=1)
    with check._slots.one():  # as if another thread held it
        child = os.fork()
        if child == 0:
            signal.alarm(30)
            try:
                os._exit(0 if check("ada", "pw") == "ada" else 2)
            finally:
                os._exit(1)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0


GREENLETS = """
from gevent import monkey; monkey.patch_all()
import gevent, hashlib
from flask_unauthorized.loaders import Passwords
now = most = 0
def slow(*args):
    global now, most
    now += 1; most = max(most, now)
    gevent.sleep(0.01)
    now -= 1
    return bytes(32)
hashlib.pbkdf2_hmac = slow
check = Passwords({"ada": "pbkdf2:sha256:1$salt$" + "0" * 64}, method="pbkdf2:sha256:1", concurrency=2)
jobs = [gevent.spawn(check, "ada", "pw") for _ in range(12)]
gevent.joinall(jobs, timeout=60, raise_error=True)
print(most, {job.value for job in jobs})
"""


def test_the_bound_holds_for_greenlets():
    pytest.importorskip("gevent")
    done = subprocess.run([sys.executable, "-c", GREENLETS], capture_output=True, text=True, timeout=100, check=False)
    assert (done.stdout, done.returncode) == ("2 {'ada'}\n", 0), done.stderr


@pytest.mark.parametrize("value", [0, -1, True, 1.5, "4", None])
def test_concurrency_is_a_whole_number(value):
    with pytest.raises(ConfigurationError, match="concurrency"):
        Passwords({"ada": "x"}, concurrency=value)


# --- upgrades


WEAK, STRONG = "pbkdf2:sha256:1", "pbkdf2:sha256:3"


@pytest.fixture
def upgrading():
    """A table of hashes that are upgraded, and what was written."""
    table = {}
    written = []

    def write(name, new):
        written.append((name, new))
        table[name] = new

    def make(stored, **options):
        table["ada"] = stored
        return Passwords(table.get, **{"method": STRONG, "on_upgrade": write, **options})

    make.table, make.written = table, written
    return make


@pytest.mark.parametrize(
    ("stored", "is_upgraded"),
    [(WEAK, True), (STRONG, False), ("pbkdf2:sha256:4", False), ("pbkdf2:sha512:3", True), ("scrypt:1024:1:1", True)],
)
def test_a_weaker_hash_or_one_of_another_kind_is_upgraded_once(upgrading, stored, is_upgraded):
    check = upgrading(generate_password_hash("pw", method=stored))
    assert [check("ada", "pw") for _ in range(3)] == ["ada"] * 3
    assert [name for name, _ in upgrading.written] == ["ada"] * is_upgraded
    kept = upgrading.table["ada"]
    assert kept.startswith(f"{STRONG if is_upgraded else stored}$")
    assert check_password_hash(kept, "pw")
    assert [check("ada", "no"), check("bob", "pw")] == [None] * 2


@pytest.mark.parametrize(
    ("stored", "newest"),
    [
        ("scrypt:1024:1:1", "scrypt:2048:1:1"),
        ("scrypt:1024:1:1", "scrypt:1024:2:1"),
        ("scrypt:1024:1:1", "scrypt:1024:1:2"),
        ("scrypt:1024:1:2", "scrypt:2048:1:1"),
    ],
)
def test_less_memory_or_work_is_weaker(upgrading, stored, newest):
    check = upgrading(generate_password_hash("pw", method=stored), method=newest)
    check("ada", "pw")
    assert upgrading.table["ada"].startswith(f"{newest}$")
    upgrading.written.clear()
    back = upgrading(generate_password_hash("pw", method=newest), method=stored)
    assert back("ada", "pw") == "ada"
    assert upgrading.written == []


def test_a_wrong_password_never_upgrades(upgrading):
    check = upgrading(generate_password_hash("pw", method=WEAK))
    assert [check("ada", word) for word in ("", "PW", "pw ", SURROGATE)] == [None] * 4
    assert upgrading.written == []


@pytest.mark.parametrize("answer", [None, False])
def test_a_user_whom_load_rejects_is_not_upgraded(upgrading, answer):
    check = upgrading(generate_password_hash("pw", method=WEAK), load=lambda name: answer)
    assert check("ada", "pw") is answer
    assert upgrading.written == []


def test_the_new_hash_is_of_the_composed_form(upgrading):
    check = upgrading(generate_password_hash("\u00e9", method=WEAK))
    assert check("ada", "e\u0301") == "ada"
    assert check_password_hash(upgrading.table["ada"], "\u00e9")


def test_an_upgrade_that_fails_is_logged_without_secrets_and_refuses_nobody(upgrading, caplog):
    def fail(name, new):
        raise RuntimeError(f"INSERT {name} {new}")

    check = upgrading(generate_password_hash("c4nary-pw", method=WEAK), on_upgrade=fail)
    assert check("ada", "c4nary-pw") == "ada"
    assert [record.getMessage() for record in caplog.records] == [
        "Passwords: RuntimeError while the hash of a user was upgraded, so the old one stays: see on_upgrade="
    ]
    assert "INSERT" not in caplog.text
    assert caplog.records[0].exc_info is None


def test_an_upgrade_that_finds_no_place_refuses_nobody(upgrading, monkeypatch, caplog):
    check = upgrading(generate_password_hash("pw", method=WEAK))

    def full(*args):
        raise AuthUnavailable(reason="full")

    monkeypatch.setattr(check, "_hash", full)
    assert check("ada", "pw") == "ada"
    assert "AuthUnavailable" in caplog.text


def test_a_password_that_was_changed_meanwhile_is_not_written_over(upgrading, monkeypatch):
    check = upgrading(generate_password_hash("pw", method=WEAK))
    real = check._hash

    def change_first(secret):
        upgrading.table["ada"] = generate_password_hash("new", method=WEAK)
        return real(secret)

    monkeypatch.setattr(check, "_hash", change_first)
    assert check("ada", "pw") == "ada"
    assert upgrading.written == []
    assert check_password_hash(upgrading.table["ada"], "new")


def test_a_cached_password_upgrades_once_however_often_it_fails(upgrading):
    calls = []
    check = upgrading(generate_password_hash("pw", method=WEAK), cache=60, on_upgrade=lambda *pair: calls.append(pair))
    assert [check("ada", "pw") for _ in range(3)] == ["ada"] * 3
    assert len(calls) == 1


def test_an_async_on_upgrade_is_awaited(upgrading):
    stored = []

    async def write(name, new):
        stored.append(name)

    check = upgrading(generate_password_hash("pw", method=WEAK), on_upgrade=write)
    with Flask("shop").test_request_context():
        assert check("ada", "pw") == "ada"
    assert stored == ["ada"]


def test_on_upgrade_is_a_callable():
    with pytest.raises(ConfigurationError, match="on_upgrade"):
        Passwords({"ada": "x"}, on_upgrade="yes")


@pytest.mark.parametrize("method", ["md5", "scrypt:3:8:1", "scrypt:1073741824:8:1", "pbkdf2:nosuch", "bcrypt", ""])
def test_a_method_that_makes_no_hash_is_refused_at_set_up(method):
    with pytest.raises(ConfigurationError, match="method="):
        Passwords({"ada": "x"}, method=method)

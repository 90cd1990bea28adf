"""Passwords."""

import hashlib
import logging
import os
import signal
import time
from datetime import timedelta

import pytest
from werkzeug.security import generate_password_hash

from flask_unauthorized import ConfigurationError, Identity
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


@pytest.mark.rfc("BA-12")
@pytest.mark.parametrize("stored", ["J\u00e4s\u00f8n", "Ja\u0308s\u00f8n"])
@pytest.mark.parametrize("sent", ["J\u00e4s\u00f8n", "Ja\u0308s\u00f8n"])
def test_names_and_passwords_compare_in_nfc_BAS_09(stored, sent):
    check = Passwords({stored: hashed("\u00c5\u00e9")}, method=FAST)
    assert [check(sent, password) for password in ("\u212b\u00e9", "A\u030ae\u0301")] == ["J\u00e4s\u00f8n"] * 2


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
    "scrypt-memory": "scrypt:1073741824:8:1$salt$00", "removed": "md5$salt$0cc175b9c0f1b6a831c399e269772661",
    "plain": "pw", "plain-with-a-name": "plain$$pw",
    "bcrypt": "$2b$12$" + "a" * 53, "argon2": "$argon2id$v=19$m=65536,t=3,p=4$c2FsdA$aGFzaA",
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

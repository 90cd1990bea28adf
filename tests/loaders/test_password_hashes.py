"""Stored hashes of other libraries, and their limits."""

import functools
import hashlib
import logging
import re

import pytest
from werkzeug.security import generate_password_hash

from flask_unauthorized import Auth, AuthUnavailable, Basic, ConfigurationError
from flask_unauthorized.loaders import Passwords, password_hashes
from flask_unauthorized.loaders.password_hashes import read_hash
from flask_unauthorized.schemes.base import Secret
from tests.helpers import app_with_view

FAST = "pbkdf2:sha256:1"

# Of the tests of crypt_blowfish 1.3 (wrapper.c) and of the reference implementation of Argon2 (test.c).
VECTORS = {
    "bcrypt 2a": ("bcrypt", "U*U", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"),
    "bcrypt 2a, another": ("bcrypt", "U*U*", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.VGOzA784oUp/Z0DY336zx7pLYAy0lwK"),
    "bcrypt 2b": ("bcrypt", "U*U", "$2b$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"),
    "bcrypt 2y, of PHP": ("bcrypt", "U*U", "$2y$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"),
    "bcrypt, empty": ("bcrypt", "", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.7uG0VCzI2bS7j6ymqJi9CdcdxiRTWNy"),
    "argon2i": (
        "argon2", "password",
        "$argon2i$v=19$m=256,t=2,p=1$c29tZXNhbHQ$iekCn0Y3spW+sCcFanM2xBT63UP2sghkUoHLIUpWRS8",
    ),
    "argon2i of version 16": (
        "argon2", "password", "$argon2i$m=256,t=2,p=1$c29tZXNhbHQ$/U3YPXYsSb3q9XxHvc0MLxur+GP960kN9j7emXX8zwY",
    ),
    "argon2id": (
        "argon2", "password",
        "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("package", "password", "stored"), VECTORS.values(), ids=VECTORS)
def test_the_vectors_of_the_algorithms(package, password, stored):
    pytest.importorskip(package)
    for check in (Passwords({"ada": stored}), Passwords(lambda name: stored if name == "ada" else None)):
        assert check("ada", password) == "ada"
        assert [check("ada", word) for word in ("U*V", "Password", "x" * 200)] == [None] * 3
        assert check("bob", password) is None


def test_a_hash_that_the_library_makes():
    bcrypt, argon2 = pytest.importorskip("bcrypt"), pytest.importorskip("argon2")
    table = {
        "ada": bcrypt.hashpw("\u00e9t\u00e9".encode(), bcrypt.gensalt(4)).decode(),
        "bob": argon2.PasswordHasher(time_cost=1, memory_cost=64, parallelism=2).hash("\u00e9t\u00e9"),
    }
    check = Passwords(table)
    assert [check(name, "e\u0301te\u0301") for name in table] == ["ada", "bob"]
    assert [check(name, "ete") for name in table] == [None] * 2


@pytest.fixture
def at_cost_4():
    bcrypt = pytest.importorskip("bcrypt")
    return lambda octets: bcrypt.hashpw(octets, bcrypt.gensalt(4)).decode()


@pytest.mark.parametrize("letter", ["x", "\u00e9"])
def test_bcrypt_takes_72_bytes_and_no_more_BAS_14(at_cost_4, letter):
    longest = letter * (72 // len(letter.encode()))
    check = Passwords({"ada": at_cost_4(longest.encode())})
    assert check("ada", longest) == "ada"
    assert [check("ada", longest + more) for more in ("x", letter, "x" * 4000)] == [None] * 3


def test_bcrypt_does_not_end_a_password_at_a_nul(at_cost_4):
    check = Passwords({"ada": at_cost_4(b"pw"), "bob": at_cost_4(b"")})
    assert check("ada", "pw") == "ada"
    assert [check("ada", "pw\0"), check("ada", "pw\0x"), check("bob", "\0"), check("ada", "\0pw")] == [None] * 4


def test_a_password_too_long_for_bcrypt_is_hashed_as_often_as_another(at_cost_4, monkeypatch):
    import bcrypt

    real, done = bcrypt.checkpw, []
    monkeypatch.setattr(bcrypt, "checkpw", lambda octets, stored: done.append(stored[:7]) or real(octets, stored))
    check = Passwords({"ada": at_cost_4(b"pw")})
    assert [check("ada", "x" * 73), check("ada", "\0"), check("ada", "no"), check("bob", "pw")] == [None] * 4
    assert done == [b"$2b$04$"] * 4


# --- unknown names


@pytest.fixture
def compared(monkeypatch):
    """The head of each hash that was compared with."""
    done = []

    def counted(real, stored, secret):
        done.append(stored.rpartition("$")[0].rpartition("$")[0] if "argon2" in stored else stored[:7])
        return real(stored, secret)

    for name in ("_compare_bcrypt", "_compare_argon2"):
        monkeypatch.setattr(password_hashes, name, functools.partial(counted, getattr(password_hashes, name)))
    return done


@pytest.mark.rfc("BA-18")
@pytest.mark.parametrize("names", ["table", "look-up"])
@pytest.mark.parametrize("kind", ["bcrypt 2a", "argon2i", "argon2i of version 16", "argon2id"])
def test_an_unknown_name_costs_a_hash_of_the_stored_kind_and_cost(compared, names, kind):
    package, _, stored = VECTORS[kind]
    pytest.importorskip(package)
    check = Passwords({"ada": stored} if names == "table" else {"ada": stored}.get)
    assert [check("ada", "no"), check("bob", "no")] == [None] * 2
    assert len(compared) == 2
    assert compared[0] == compared[1]


def test_the_dummies_of_a_table_are_of_its_kinds(compared, at_cost_4):
    table = {str(number): at_cost_4(b"pw") for number in range(3)}
    check = Passwords({"ada": VECTORS["argon2id"][2], **table, "bob": "malformed", "eve": None})
    for number in range(200):
        assert check(f"nobody-{number}", "pw") is None
    bcrypt = compared.count("$2b$04$")
    assert set(compared) == {"$2b$04$", "$argon2id$v=19$m=256,t=2,p=1"}
    assert 100 < bcrypt < 200  # three of four names; less than half of 200 has a chance of 1 in 10^13


def costs_of(read):
    return read.kind, read.memory, read.work


def test_a_dummy_matches_no_password_and_holds_nothing_of_the_stored_hash():
    texts = [vector[2] for vector in VECTORS.values()] + [generate_password_hash("pw", method=FAST)]
    for text in texts:
        read = read_hash(text)
        dummy = read.dummy()
        assert (costs_of(dummy), dummy.too_costly) == (costs_of(read), False)
        assert costs_of(read_hash(dummy.text)) == costs_of(read)
        salt, digest = (text[7:29], text[29:]) if text.startswith("$2") else text.split("$")[-2:]
        assert salt not in dummy.text
        assert digest not in dummy.text
        assert text not in repr(read)
        secret = Secret()
        secret.arguments = ("pw",)
        if dummy.missing_package is None:
            assert not dummy.matches(secret)


# --- limits

TOO_COSTLY = {
    "scrypt N": "scrypt:1073741824:8:1$salt$00", "scrypt r": "scrypt:32768:4096:1$salt$00",
    "scrypt p": "scrypt:32768:8:64$salt$00", "scrypt, many digits": f"scrypt:{2**300}:8:1$salt$00",
    "pbkdf2": "pbkdf2:sha256:10000001$salt$00", "pbkdf2, many digits": f"pbkdf2:sha256:{'9' * 300}$salt$00",
    "bcrypt": "$2b$17$" + "." * 53, "bcrypt, hours": "$2b$31$" + "." * 53,
    "argon2 memory": "$argon2id$v=19$m=262145,t=1,p=1$c29tZXNhbHQ$aGFzaGhhc2g",
    "argon2 terabytes": "$argon2id$v=19$m=4294967295,t=1,p=1$c29tZXNhbHQ$aGFzaGhhc2g",
    "argon2 passes": "$argon2id$v=19$m=65536,t=65,p=1$c29tZXNhbHQ$aGFzaGhhc2g",
    "argon2 lanes": "$argon2id$v=19$m=65536,t=1,p=65$c29tZXNhbHQ$aGFzaGhhc2g",
}  # fmt: skip


@pytest.mark.parametrize("stored", TOO_COSTLY.values(), ids=TOO_COSTLY)
def test_a_hash_beyond_the_limits_is_503_and_never_computed(make_app, monkeypatch, stored):
    def compute(*args, **kwargs):
        raise AssertionError("computed")

    for name in ("scrypt", "pbkdf2_hmac"):
        monkeypatch.setattr(hashlib, name, compute)
    for package in ("bcrypt", "argon2"):
        password_hashes._module(package)  # whether there is one is asked of every hash
    monkeypatch.setattr(password_hashes, "import_module", compute)
    app = app_with_view(make_app, Auth(Basic(Passwords({"ada": stored}.get))))
    assert app.test_client().get("/", auth=("ada", "pw")).status_code == 503


@pytest.mark.parametrize(
    "stored",
    ["scrypt:32768:8:1$salt$00", "scrypt:131072:8:1$salt$00", "scrypt$salt$00", "pbkdf2:sha256:1000000$salt$00",
     "pbkdf2:sha512:10000000$salt$00", "pbkdf2:sha1$salt$00", "pbkdf2$salt$00", "$2b$12$" + "." * 53,
     "$2b$16$" + "." * 53, "$argon2id$v=19$m=65536,t=3,p=4$c29tZXNhbHQ$aGFzaGhhc2g",
     "$argon2id$v=19$m=262144,t=16,p=1$c29tZXNhbHQ$aGFzaGhhc2g"],
)  # fmt: skip
def test_what_the_advice_of_today_makes_is_within_the_limits(stored):
    assert read_hash(stored).too_costly is False


def test_the_costs_that_werkzeug_writes_are_read():
    for method in ("scrypt", "pbkdf2", "pbkdf2:sha512:5", "scrypt:1024:1:1"):
        assert costs_of(read_hash(generate_password_hash("pw", method=method))) == costs_of(read_hash(f"{method}$x$0"))


# --- packages


@pytest.fixture
def without_packages(monkeypatch):
    monkeypatch.setattr(password_hashes, "_module", lambda name: None)


@pytest.mark.parametrize(("kind", "package"), [("bcrypt 2b", "bcrypt"), ("argon2id", "argon2-cffi")])
def test_a_missing_package_is_503_and_named_once(make_app, without_packages, caplog, kind, package):
    stored = VECTORS[kind][2]
    check = Passwords({"ada": stored}.get, method=FAST)
    app = app_with_view(make_app, Auth(Basic(check)))
    client = app.test_client()
    assert [client.get("/", auth=(name, "U*U")).status_code for name in ("ada", "ada", "nobody")] == [503] * 3
    errors = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    named = [text for text in errors if text.startswith("Passwords: stored hashes need")]
    assert named == [f"Passwords: stored hashes need {package}, which is not installed: pip install {package}"]
    assert stored not in caplog.text


@pytest.mark.parametrize(("kind", "package"), [("bcrypt 2b", "bcrypt"), ("argon2id", "argon2-cffi")])
def test_a_table_that_needs_a_missing_package_is_refused_at_set_up(without_packages, kind, package):
    with pytest.raises(ConfigurationError, match=f"pip install {package}"):
        Passwords({"ada": generate_password_hash("pw", method=FAST), "bob": VECTORS[kind][2]})


def test_a_method_that_needs_a_missing_package_is_refused_at_set_up(without_packages):
    with pytest.raises(ConfigurationError, match="pip install argon2-cffi"):
        Passwords({"ada": "x"}, method="argon2id")


def test_werkzeugs_hashes_need_no_package(without_packages):
    assert Passwords({"ada": generate_password_hash("pw", method=FAST)}, method=FAST)("ada", "pw") == "ada"


# --- Argon2 for new hashes


def test_new_hashes_by_argon2id():
    argon2 = pytest.importorskip("argon2")
    table = {"ada": generate_password_hash("pw", method=FAST), "bob": VECTORS["argon2i"][2]}
    check = Passwords(table.get, method="argon2id", on_upgrade=table.__setitem__)
    assert [check("ada", "pw"), check("bob", "password"), check("ada", "pw")] == ["ada", "bob", "ada"]
    for name, password in (("ada", "pw"), ("bob", "password")):
        assert table[name].startswith("$argon2id$v=19$")
        assert argon2.PasswordHasher().verify(table[name], password)
        assert not argon2.PasswordHasher().check_needs_rehash(table[name])


def test_bcrypt_is_upgraded(at_cost_4):
    table = {"ada": at_cost_4(b"pw")}
    check = Passwords(table.get, method=FAST, on_upgrade=table.__setitem__)
    assert check("ada", "pw") == "ada"
    assert table["ada"].startswith(f"{FAST}$")
    assert [check("ada", "pw"), check("ada", "no")] == ["ada", None]


@pytest.mark.parametrize(("code", "is_failure"), [(-22, True), (-33, True), (-32, False), (-6, False)])
def test_argon2_failures_of_the_server_are_no_malformed_hash(monkeypatch, code, is_failure):
    argon2 = pytest.importorskip("argon2")

    def fail(*args):
        raise argon2.exceptions.VerificationError(argon2.low_level.error_to_str(code))

    check = Passwords({"ada": VECTORS["argon2id"][2]})
    monkeypatch.setattr(argon2.PasswordHasher, "verify", fail)
    if is_failure:
        with pytest.raises(AuthUnavailable):
            check("ada", "password")
    else:
        assert check("ada", "password") is None


# The table of ASVS 5.0 appendix C, "Hash Functions for Password Storage".
ASVS_ARGON2ID = {1: 47104, 2: 19456, 3: 12288}
ASVS_SCRYPT = {1: 2**17, 2: 2**16, 3: 2**15}


@pytest.mark.asvs("V11.4.2")
@pytest.mark.parametrize("has_argon2", [True, False])
def test_the_default_is_what_asvs_accepts_with_the_least_memory(monkeypatch, has_argon2):
    if has_argon2:
        pytest.importorskip("argon2")
    else:
        monkeypatch.setattr("flask_unauthorized.loaders.password_hashes._module", lambda name: None)
    text = Passwords(lambda name: None).hash("correct horse")
    if has_argon2:
        memory, passes, lanes = map(int, re.fullmatch(r"\$argon2id\$v=19\$m=(\d+),t=(\d+),p=(\d+)\$.*", text).groups())
        assert (memory, passes, lanes) == (min(ASVS_ARGON2ID.values()), 3, 1)
    else:
        n, r, p = map(int, re.fullmatch(r"scrypt:(\d+):(\d+):(\d+)\$.*", text).groups())
        assert (n, r, p) == (min(ASVS_SCRYPT.values()), 8, 3)


def test_argon2_takes_parameters():
    pytest.importorskip("argon2")
    check = Passwords(lambda name: None, method="argon2id:64:2:1")
    assert check.hash("pw").startswith("$argon2id$v=19$m=64,t=2,p=1$")
    known = Passwords({"ada": check.hash("pw")}, method="argon2id:64:2:1")
    assert [known("ada", "pw"), known("ada", "no")] == ["ada", None]


@pytest.mark.parametrize(
    "method",
    ["argon2id:64", "argon2id:64:2", "argon2id:64:0:1", "argon2id:7:1:1", "argon2id:999999999:3:1", "argon2id:a:b:c",
     "argon2id:64:2:1:1", "argon2id64:2:1", "argon2id:12345678901:3:1"],
)  # fmt: skip
def test_argon2_parameters_that_make_no_hash_are_refused(method):
    with pytest.raises(ConfigurationError, match="method="):
        Passwords(lambda name: None, method=method)

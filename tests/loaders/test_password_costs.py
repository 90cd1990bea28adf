"""What unknown names cost: the method and parameters of stored hashes, in their shares. No test looks at a clock."""

from collections import Counter

import pytest
from flask import Flask
from werkzeug.security import generate_password_hash

from flask_unauthorized import AuthUnavailable, ConfigurationError
from flask_unauthorized.loaders import Passwords
from flask_unauthorized.loaders.password_hashes import StoredHash

NEW = "pbkdf2:sha256:1"
METHODS = ["pbkdf2:sha256:2", "pbkdf2:sha256:3", "pbkdf2:sha512:2", "scrypt:128:1:1", "scrypt:128:1:2"]
STORED = {method: generate_password_hash("right", method=method) for method in METHODS}


@pytest.fixture
def compared(monkeypatch):
    """The methods, with parameters, that passwords were compared by."""
    done = []
    real = StoredHash.matches

    def matches(self, secret):
        done.append(self.text.split("$")[0] or self.text.rsplit("$", 2)[0])
        return real(self, secret)

    monkeypatch.setattr(StoredHash, "matches", matches)
    return done


def methods_of(check, compared, names):
    """Return by which method each name was compared: exactly one comparison for each."""
    compared.clear()
    names = list(names)
    assert [check(name, "wrong") for name in names] == [None] * len(names)
    assert len(compared) == len(names)
    return list(compared)


def unknown(count):
    return [f"nobody-{number}" for number in range(count)]


def table_of(**shares):
    return {f"user-{key}-{n}": STORED[METHODS[int(key[1:])]] for key, count in shares.items() for n in range(count)}


@pytest.mark.asvs("V6.3.8")
def test_unknown_names_of_a_mapping_cost_what_its_names_cost_in_the_same_shares(compared):
    table = table_of(m0=40, m1=30, m2=15, m3=10, m4=5)
    check = Passwords(table, method=NEW)
    known = Counter(methods_of(check, compared, table))
    assert known == dict(zip(METHODS, (40, 30, 15, 10, 5), strict=True))
    found = Counter(methods_of(check, compared, unknown(4000)))
    assert set(found) == set(known)
    # The bound is five standard deviations of a binomial distribution.
    for method, count in known.items():
        share = count / 100
        assert abs(found[method] - 4000 * share) < 5 * (4000 * share * (1 - share)) ** 0.5


def test_one_unknown_name_always_costs_the_same(compared):
    table = table_of(m0=1, m1=1, m2=1)
    checks = [Passwords(dict(reversed(table.items())) if turn else table, method=NEW) for turn in (0, 1)]
    names = unknown(50)
    first = methods_of(checks[0], compared, names)
    assert methods_of(checks[0], compared, names) == first
    assert methods_of(checks[1], compared, names) == first, "another process, or a restart"
    assert len(set(first)) == 3


def test_an_unknown_name_costs_the_same_in_either_unicode_form(compared):
    check = Passwords(table_of(m0=1, m1=1), method=NEW)
    for number in range(20):
        composed, decomposed = methods_of(check, compared, [f"\u00e9{number}", f"e\u0301{number}"])
        assert composed == decomposed


def test_a_table_of_one_kind_that_isnt_the_method_is_what_unknown_names_cost(compared):
    assert set(methods_of(Passwords(table_of(m3=2), method=NEW), compared, unknown(20))) == {METHODS[3]}


def test_before_anything_was_seen_unknown_names_cost_a_new_hash(compared):
    assert methods_of(Passwords({}.get, method=NEW), compared, unknown(3)) == [NEW] * 3
    assert methods_of(Passwords({"ada": None, "bob": "malformed"}, method=NEW), compared, ["ada", "x"]) == [NEW] * 2


def test_a_look_up_learns_each_name_once_however_often_it_logs_in(compared):
    table = table_of(m0=2, m1=2)
    check = Passwords(table.get, method=NEW)
    assert methods_of(check, compared, ["user-m0-0"] * 500 + ["nobody"]) == [METHODS[0]] * 501
    methods_of(check, compared, table)
    found = Counter(methods_of(check, compared, unknown(1000)))
    assert set(found) == set(METHODS[:2])
    assert abs(found[METHODS[0]] - 500) < 80


def test_a_look_up_forgets_the_old_cost_of_a_name_that_was_upgraded(compared):
    table = table_of(m0=1)
    check = Passwords(table.get, method=NEW)
    methods_of(check, compared, table)
    table["user-m0-0"] = STORED[METHODS[1]]
    methods_of(check, compared, table)
    assert set(methods_of(check, compared, unknown(20))) == {METHODS[1]}


def test_few_unknown_names_change_their_cost_when_the_shares_change(compared):
    table = table_of(m0=50, m1=50)
    check = Passwords(table.get, method=NEW)
    methods_of(check, compared, table)
    before = methods_of(check, compared, unknown(1000))
    table["new"] = STORED[METHODS[0]]
    methods_of(check, compared, ["new"])
    after = methods_of(check, compared, unknown(1000))
    assert sum(one != other for one, other in zip(before, after, strict=True)) < 30


def test_how_many_names_are_learned_is_bounded(compared, monkeypatch):
    monkeypatch.setattr("flask_unauthorized.loaders.password_costs.MAX_NAMES", 3)
    check = Passwords(lambda name: STORED[METHODS[0 if name.startswith("old") else 1]], method=NEW)
    methods_of(check, compared, ["old1", "old2", "new1", "new2", "new3"])
    assert len(check._costs._names) == 3
    monkeypatch.setattr(check, "_look_up", lambda name: None)
    assert set(methods_of(check, compared, unknown(20))) == {METHODS[1]}


def test_processes_with_one_secret_key_choose_alike(compared):
    found = []
    for key in ("one key", "one key", b"one key", "another key"):
        app = Flask("shop")
        app.secret_key = key
        check = Passwords({}.get, method=NEW, sample=lambda: list(STORED.values()))
        with app.app_context():
            found.append(methods_of(check, compared, unknown(60)))
    assert found[0] == found[1] == found[2]
    assert found[3] != found[0]


# --- sample


def test_a_sample_is_counted_once_at_the_first_login(compared):
    asked = []

    def sample():
        asked.append(1)
        yield from [STORED[METHODS[0]], None, "malformed", STORED[METHODS[1]]]

    check = Passwords({"ada": STORED[METHODS[2]]}.get, method=NEW, sample=sample)
    assert asked == []
    found = methods_of(check, compared, ["ada", *unknown(100)])
    assert found[0] == METHODS[2]
    assert set(found[1:]) == set(METHODS[:2])
    assert asked == [1]


def test_a_sample_that_fails_is_raised_and_asked_again(compared):
    answers = [RuntimeError("database down"), AuthUnavailable(reason="down"), [STORED[METHODS[0]]]]

    def sample():
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    check = Passwords({}.get, method=NEW, sample=sample)
    for error in (RuntimeError, AuthUnavailable):
        with pytest.raises(error):
            check("ada", "pw")
    assert methods_of(check, compared, unknown(5)) == [METHODS[0]] * 5


@pytest.mark.parametrize("found", [[], [None, "", 7], ["scrypt:1073741824:8:1$x$00"]])
def test_a_look_up_learns_if_the_sample_has_no_usable_hash(compared, found):
    check = Passwords({"ada": STORED[METHODS[0]]}.get, method=NEW, sample=lambda: found)
    assert methods_of(check, compared, ["nobody", "ada", "nobody"]) == [NEW, METHODS[0], METHODS[0]]


@pytest.mark.parametrize(("hashes", "sample"), [({}.get, []), ({"ada": "x"}, list)])
def test_a_sample_is_a_function_beside_a_look_up(hashes, sample):
    with pytest.raises(ConfigurationError, match="sample="):
        Passwords(hashes, method=NEW, sample=sample)


def test_a_look_up_that_fails_is_raised_and_counts_nothing(compared):
    def fail(name):
        raise RuntimeError("database down")

    check = Passwords(fail, method=NEW)
    with pytest.raises(RuntimeError):
        check("ada", "pw")
    assert compared == []


@pytest.mark.parametrize("name", ["", "\x00\x1b[0m", "\ud800", "x" * 1_000_000])
def test_odd_names_cost_one_comparison(compared, name):
    assert methods_of(Passwords(table_of(m0=1, m1=1), method=NEW), compared, [name])[0] in METHODS[:2]


def test_hashes_beyond_the_limits_and_malformed_ones_are_not_what_unknown_names_cost(compared):
    table = {"big": "scrypt:1073741824:8:1$x$00", "odd": "md5$x$00", "ada": STORED[METHODS[0]]}
    assert set(methods_of(Passwords(table, method=NEW), compared, unknown(20))) == {METHODS[0]}
    check = Passwords(table.get, method=NEW)
    assert methods_of(check, compared, ["ada", "odd"]) == [METHODS[0]] * 2
    with pytest.raises(AuthUnavailable):
        check("big", "pw")
    assert set(methods_of(check, compared, unknown(20))) == {METHODS[0]}

"""The rotation of single-use secrets: each rule with times on both sides of its limits, and what a theft looks like."""

import dataclasses
import hashlib

import pytest

from flask_unauthorized.rotation import Outcome, Rotation, present, secret_hash

NOW = 1_800_000_000
DAY = 86_400
A, B, C, D, E = (hashlib.sha256(letter.encode()).hexdigest() for letter in "abcde")
ROTATED, REPEATED, REUSED = Outcome.ROTATED, Outcome.REPEATED, Outcome.REUSED
FIRST = Rotation(A)
ISSUED = Rotation(A, successor=B, issued=NOW)
CONFIRMED = Rotation(B, successor=C, issued=NOW, predecessor=A, confirmed=NOW)


def test_the_first_use_issues_a_successor():
    assert present(FIRST, A, B, NOW + 0.9) == (ROTATED, ISSUED)


@pytest.mark.parametrize("later", [0, 0.5, 29, 30, 30.9, -1, -DAY])
def test_the_same_secret_again_is_a_repetition_for_half_a_minute_and_by_a_clock_set_back(later):
    assert present(ISSUED, A, D, NOW + later) == (REPEATED, ISSUED)


@pytest.mark.parametrize("later", [31, 3600, 400 * DAY])
def test_later_the_answer_was_lost_and_another_successor_takes_its_place(later):
    outcome, state = present(ISSUED, A, D, NOW + later)
    assert (outcome, state) == (ROTATED, Rotation(A, successor=D, issued=NOW + later))
    assert present(state, B, E, NOW + later) == (REUSED, state)  # which was never presented, and is gone


@pytest.mark.parametrize("later", [0, 5, 31, 400 * DAY, -1, -DAY])
def test_the_successor_becomes_valid_and_gets_a_successor(later):
    moment = NOW + later
    expected = Rotation(B, successor=C, issued=moment, predecessor=A, confirmed=moment)
    assert present(ISSUED, B, C, moment) == (ROTATED, expected)


@pytest.mark.parametrize(
    ("later", "outcome"),
    [(0, REPEATED), (30, REPEATED), (30.9, REPEATED), (31, REUSED), (DAY, REUSED),
     (-1, REPEATED), (-60, REPEATED), (-61, REUSED), (-DAY, REUSED)],
)  # fmt: skip
def test_the_predecessor_counts_from_the_skew_before_the_confirmation_to_half_a_minute_after_it(later, outcome):
    assert present(CONFIRMED, A, D, NOW + later) == (outcome, CONFIRMED)


@pytest.mark.parametrize("later", [0, 30])
def test_a_burst_confirms_one_successor_and_the_next_when_the_predecessor_is_gone(later):
    assert present(CONFIRMED, C, D, NOW + later) == (REPEATED, CONFIRMED)
    expected = Rotation(C, successor=D, issued=NOW + 31, predecessor=B, confirmed=NOW + 31)
    assert present(CONFIRMED, C, D, NOW + 31) == (ROTATED, expected)
    assert present(CONFIRMED, C, D, NOW - DAY)[0] is ROTATED


def test_a_lost_answer_leaves_the_predecessor_as_it_was():
    assert present(CONFIRMED, B, D, NOW + 31) == (ROTATED, dataclasses.replace(CONFIRMED, successor=D, issued=NOW + 31))


@pytest.mark.parametrize("state", [FIRST, ISSUED, CONFIRMED])
def test_a_secret_that_was_never_issued_is_reused(state):
    assert present(state, E, D, NOW) == (REUSED, state)


def test_the_second_holder_of_a_stolen_secret_is_noticed():
    _, state = present(FIRST, A, B, NOW)  # the browser's secret is A, which a thief has read
    assert present(state, A, C, NOW + 10)[0] is REPEATED  # the thief comes while the browser's answer travels
    _, state = present(state, A, C, NOW + DAY)  # the thief again: the browser seems to have lost its answer
    assert present(state, B, D, NOW + 2 * DAY) == (REUSED, state)  # the browser comes back


def test_the_hash_is_sha_256_and_takes_any_text():
    assert secret_hash("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"  # FIPS 180-2 B.1
    assert len({secret_hash(text) for text in ("", "é", "\udc80", "x" * 2**20)}) == 4


@pytest.mark.parametrize("state", [FIRST, ISSUED, CONFIRMED])
def test_a_state_is_restored_from_its_text_and_from_its_columns(state):
    text = state.to_text()
    assert Rotation.from_text(text) == state
    assert Rotation(**dataclasses.asdict(state)) == state
    assert text.isascii()
    assert len(text) <= 217


def test_the_text_of_a_state():
    assert CONFIRMED.to_text() == f"{B} {C} 1800000000 {A} 1800000000"
    assert FIRST.to_text() == f"{A} - - - -"


@pytest.mark.parametrize("text", [
    "", "-", "ended", A, f"{A} - - -", f"{A} - - - - -", f"{A}  - - - -", f"{A} - - - -\n", f"{A}\t-\t-\t-\t-",
    "- - - - -", f"{A[:-1]} - - - -", f"{A.upper()} - - - -", f"{A[:-1]}g - - - -", f"{A} {B} - - -",
    f"{A} - 1 - -", f"{A} - - {B} -", f"{A} - - - 1", f"{A} {B} x - -", f"{A} {B} -1 - -", f"{A} {B} 1.5 - -",
    f"{A} {B} 01 - -", f"{A} {B} ١ - -", f"{A} {B} {'1' * 16} - -", f"{A} {B} 1_0 - -", f"{A} {B} True - -",
])  # fmt: skip
def test_a_text_that_no_state_has(text):
    with pytest.raises(ValueError, match=r"rotation|hash of a secret"):
        Rotation.from_text(text)


@pytest.mark.parametrize("fields", [
    {"valid": "a"}, {"valid": None}, {"valid": A.upper()}, {"valid": A + "\n"}, {"valid": A.encode()},
    {"successor": B}, {"issued": 1}, {"predecessor": B}, {"confirmed": 1}, {"successor": B, "issued": 1.5},
    {"successor": B, "issued": True}, {"successor": B, "issued": -1}, {"predecessor": "secret", "confirmed": 1},
])  # fmt: skip
def test_columns_that_no_state_has(fields):
    with pytest.raises(ValueError, match=r"rotation|hash of a secret") as caught:
        Rotation(**{"valid": A, **fields})
    assert "'secret'" not in str(caught.value)


@pytest.mark.parametrize("wrong", ["a secret", "", A.upper(), "é" * 64, None])
def test_a_secret_that_was_not_hashed(wrong):
    for presented, new in ((wrong, B), (A, wrong)):
        with pytest.raises(ValueError, match="use secret_hash"):
            present(FIRST, presented, new, NOW)


def test_a_state_is_immutable_and_its_repr_has_no_hash():
    with pytest.raises(dataclasses.FrozenInstanceError):
        FIRST.valid = B
    assert repr(CONFIRMED) == "<Rotation issued=1800000000 confirmed=1800000000>"

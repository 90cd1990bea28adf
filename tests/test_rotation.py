"""The rotation of single-use secrets: each rule with times on both sides of its limits, and what a theft looks like."""

import dataclasses
import hashlib

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

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


def test_a_parallel_request_is_no_theft_however_fast_the_others_go_on():
    """A browser that stores no session presents the cookie with each request, while its first request is on its way."""
    state, jar = FIRST, A
    for number in range(20):
        new = secret_hash(str(number))
        outcome, state = present(state, jar, new, NOW + number)
        assert outcome is not REUSED
        jar = new if outcome is ROTATED else jar
    assert present(state, A, E, NOW + 20)[0] is REPEATED


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


# --- random sequences

FLIGHT = 15
"""How long a request and its answer travel together at most, in seconds: half of the time of a repetition."""


class Model:
    """The rules in another form: a list of all secrets in the order in which they were confirmed, without hashes."""

    def __init__(self, first):
        self.confirmed = [(first, None)]
        self.pending = None  # what was issued, and when

    def judge(self, secret, new, now):
        valid, since = self.confirmed[-1]
        former_counts = since is not None and since - 60 <= now <= since + 30
        if secret == valid:
            if self.pending is not None and now <= self.pending[1] + 30:
                return "repeated"
            self.pending = (new, now)
            return "rotated"
        if self.pending is not None and secret == self.pending[0]:
            if former_counts:
                return "repeated"
            self.confirmed.append((secret, now))
            self.pending = (new, now)
            return "rotated"
        return "repeated" if former_counts and secret == self.confirmed[-2][0] else "reused"


class Rotations(RuleBasedStateMachine):
    """A server, a browser with parallel tabs, and perhaps a thief with a copy of its cookie jar.

    Requests and answers get lost and overtake each other. A browser without a thief is always accepted. A thief is
    noticed when both have gone on.
    """

    def __init__(self):
        super().__init__()
        self.now = self.latest = NOW
        self.made = 0
        self.state, self.model = Rotation(secret_hash("0")), Model("0")
        self.jars = {"browser": "0"}
        self.requests, self.answers = [], []  # who, the secret, and when the request was sent
        self.ended = False

    def arrive(self, request):
        """The server judges a request."""
        who, secret, sent = request
        self.made += 1
        new = str(self.made)
        outcome, state = present(self.state, secret_hash(secret), secret_hash(new), self.now)
        assert outcome.value == self.model.judge(secret, new, self.now)
        assert (state != self.state) is (outcome is ROTATED)
        self.state = Rotation.from_text(state.to_text())
        assert self.state.valid == secret_hash(self.model.confirmed[-1][0])
        if outcome is ROTATED:
            self.answers.append((who, new, sent))
        elif outcome is REUSED:
            assert "thief" in self.jars, "the only browser was taken for a thief"
            self.ended = True

    def receive(self, answer):
        who, secret, _ = answer
        self.jars[who] = secret

    def settle(self, moment):
        """Let everything arrive that would be on its way for too long at this moment."""
        for waiting, deliver in ((self.requests, self.arrive), (self.answers, self.receive)):
            for packet in [packet for packet in waiting if packet[2] + FLIGHT < moment]:
                waiting.remove(packet)
                if not self.ended:
                    deliver(packet)

    @precondition(lambda self: not self.ended)
    @rule(who=st.sampled_from(["browser", "thief"]), tabs=st.sampled_from([1, 1, 2, 20]))
    def send(self, who, tabs):
        if who in self.jars:
            self.requests += [(who, self.jars[who], self.now)] * tabs

    @precondition(lambda self: self.requests and not self.ended)
    @rule(place=st.integers(0, 99), lost=st.sampled_from([False, False, False, True]))
    def a_request_arrives(self, place, lost):
        request = self.requests.pop(place % len(self.requests))
        if not lost:
            self.arrive(request)

    @precondition(lambda self: self.answers and not self.ended)
    @rule(place=st.integers(0, 99), lost=st.sampled_from([False, False, True]))
    def an_answer_arrives(self, place, lost):
        answer = self.answers.pop(place % len(self.answers))
        if not lost:
            self.receive(answer)

    @rule(seconds=st.integers(0, FLIGHT))
    def wait(self, seconds):
        self.settle(self.now + seconds)
        self.now += seconds
        self.latest = max(self.latest, self.now)

    @rule(seconds=st.sampled_from([29, 30, 31, 32, 59, 60, 61, 3600, DAY, 30 * DAY, -1, -30, -60, -61, -DAY]))
    def wait_longer_or_set_the_clock_back(self, seconds):
        self.settle(float("inf"))
        self.now += seconds
        self.latest = max(self.latest, self.now)

    @initialize(thieves=st.booleans())
    def a_world(self, thieves):
        self.thieves = thieves

    @precondition(lambda self: self.thieves and "thief" not in self.jars)
    @rule()
    def steal(self):
        self.jars["thief"] = self.jars["browser"]

    @precondition(lambda self: "thief" in self.jars and not self.ended)
    @rule(order=st.permutations(["browser", "thief"]), pauses=st.lists(st.integers(31, DAY), min_size=4, max_size=4))
    def both_go_on(self, order, pauses):
        """Two holders whose answers all arrive are noticed when each has presented twice."""
        self.wait_longer_or_set_the_clock_back(self.latest - self.now)  # a clock that was set back is right again
        for who, pause in zip([*order, *order], pauses, strict=True):
            self.wait_longer_or_set_the_clock_back(pause)
            if self.ended:
                return
            self.arrive((who, self.jars[who], self.now))
            self.settle(float("inf"))
        assert self.ended, "two copies are in use, and nobody noticed"


TestRotations = Rotations.TestCase
TestRotations.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)

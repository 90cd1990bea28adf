"""Subjects that are disabled after many consecutive failures (NIST SP 800-63B-4 §3.2.2)."""

import threading

import pytest
from flask import request

from flask_unauthorized import APIKey, Auth, AuthUnavailable, Basic, ConfigurationError, signals
from flask_unauthorized.events import subject_hash
from flask_unauthorized.stores.memory import MemoryStore
from flask_unauthorized.stores.sqlite import SQLiteStore
from flask_unauthorized.throttle import Limit, Throttle
from flask_unauthorized.throttle.disabled import DisabledSubjects

from .conftest import AWAY, HOME, OFFICE, guesses
from .test_limits import OldStore

RIGHT = "right horse"
LOOSE = {"per_pair": Limit(1000, 60), "per_subject": Limit(1000, 60), "per_network": Limit(1000, 60)}


@pytest.fixture
def disabled():
    """The arguments of each signal."""
    found = []

    def receive(app, **arguments):
        found.append(arguments)

    with signals.subject_disabled.connected_to(receive):
        yield found


@pytest.mark.asvs("V6.3.5", "NIST-3.2.2")
def test_consecutive_failures_disable_a_subject_until_it_is_enabled(serve, store, clock, disabled):
    throttle = Throttle(store, disable_after=3, **LOOSE)
    served = serve(throttle)
    assert served.statuses(*guesses(2)) == [401, 401]
    assert served.get("ada", "guess", AWAY).status_code == 401
    assert disabled == [{"subject": subject_hash(served.app, "ada"), "network": AWAY}]
    asked = len(served.asked)
    for address in (HOME, AWAY, OFFICE):
        assert served.statuses(RIGHT, "more", address=address) == [429, 429]
    clock.now += 9 * 365 * 86_400
    assert served.statuses(RIGHT) == [429]
    assert len(served.asked) == asked, "no loader runs"
    assert served.get("bob", RIGHT).status_code == 200
    assert throttle.enable("ADA ") is True
    assert throttle.enable("ada") is False
    assert served.statuses(*guesses(2), RIGHT) == [401, 401, 200]
    assert len(disabled) == 1


def test_attempts_under_way_count(store, clock):
    """So no more than the limit are verified at once, whatever they turn out to be."""
    subjects = DisabledSubjects(store, 2)
    assert [subjects.reserve("ada") for _ in range(4)] == [1, 2, 0, 0]
    subjects.give_back("ada")
    assert [subjects.reserve("ada") for _ in range(2)] == [2, 0]
    assert subjects.reserve("bob") == 1


def test_a_success_resets_the_count(serve, store, disabled):
    served = serve(Throttle(store, disable_after=3, **LOOSE))
    for number in range(4):
        assert served.statuses(f"a{number}", f"b{number}", f"{RIGHT}") == [401, 401, 200]
    assert disabled == []


def test_a_caller_who_was_accepted_a_moment_ago_is_refused_too(serve, store):
    throttle = Throttle(store, disable_after=2, **LOOSE)
    served = serve(throttle)
    assert served.statuses(RIGHT, RIGHT) == [200, 200]
    assert served.statuses(*guesses(2), address=AWAY) == [401, 401]
    assert served.statuses(RIGHT) == [429]
    throttle.enable("ada")
    assert served.statuses(RIGHT) == [200]


def test_a_subject_without_a_mark_is_enabled_too(serve, store, monkeypatch):
    """The store failed between the count of the last failure and the mark."""
    throttle = Throttle(store, disable_after=2, **LOOSE)
    served = serve(throttle)

    def fail(*args):
        raise AuthUnavailable(reason="the store is down")

    with monkeypatch.context() as patch:
        patch.setattr(store, "_replace", fail)
        assert served.statuses(*guesses(2)) == [401, 401]
    assert served.statuses(RIGHT) == [429]
    assert throttle.enable("ada") is True
    assert throttle.enable("ada") is False
    assert served.statuses(RIGHT) == [200]


def test_a_full_store_enables_subjects_and_knows_the_others(serve):
    throttle = Throttle(MemoryStore(capacity=2), disable_after=1, **LOOSE)
    served = serve(throttle)
    assert served.statuses("guess") == [401]  # it takes a counter and a mark
    assert throttle.enable("bob") is False
    assert served.get("bob", "guess").status_code == 503
    assert throttle.enable("ada") is True


@pytest.mark.parametrize("failing", [("_get", "_forget"), ("_forget",)])
def test_an_outage_is_raised_by_enable(store, monkeypatch, failing):
    def fail(*args):
        raise AuthUnavailable(reason="the store is down")

    throttle = Throttle(store, disable_after=2)
    for name in failing:
        monkeypatch.setattr(store, name, fail)
    with pytest.raises(AuthUnavailable):
        throttle.enable("ada")


def test_unknown_names_are_disabled_alike(serve, store):
    bodies = []
    for name in ("ada", "nobody"):
        served = serve(Throttle(MemoryStore(), disable_after=2, **LOOSE), load=lambda name, password: None)
        responses = [served.get(name, guess) for guess in guesses(3)]
        assert [response.status_code for response in responses] == [401, 401, 429]
        bodies.append((responses[-1].data, responses[-1].headers["Retry-After"]))
    assert bodies[0] == bodies[1]
    assert bodies[0][1] == "3600"


def test_failures_of_the_server_do_not_count(serve, store, disabled):
    def down(name, password):
        raise RuntimeError

    served = serve(Throttle(store, disable_after=2, **LOOSE), load=down, PROPAGATE_EXCEPTIONS=False)
    assert served.statuses(*guesses(5)) == [500] * 5
    assert disabled == []


def test_a_refusal_of_another_limit_does_not_count(serve, store, clock, disabled):
    served = serve(Throttle(store, disable_after=4, per_pair=Limit(2, 60)))
    assert served.statuses(*guesses(8)) == [401, 401] + [429] * 6
    assert served.statuses("one", address=AWAY) == [401]
    assert disabled == []
    assert served.statuses("two", address=AWAY) == [401]
    assert len(disabled) == 1


def test_random_names_do_not_enable_a_subject(serve):
    served = serve(Throttle(MemoryStore(capacity=4), disable_after=1, **LOOSE))
    assert served.statuses("guess") == [401]
    # Each name takes a counter and a mark. A full store refuses new names, and keeps the old ones.
    statuses = [served.get(f"name{number}", "guess").status_code for number in range(20)]
    assert set(statuses) == {401, 503}
    assert statuses[-1] == 503
    assert served.statuses(RIGHT) == [429]


def test_a_restart_does_not_enable_a_subject(serve, tmp_path):
    first = serve(Throttle(SQLiteStore(tmp_path / "store.db"), disable_after=1, **LOOSE))
    assert first.statuses("guess") == [401]
    second = serve(Throttle(SQLiteStore(tmp_path / "store.db"), disable_after=1, **LOOSE))
    assert second.statuses(RIGHT) == [429]


def test_parallel_guesses_reach_the_loader_no_more_often_than_the_limit(serve, disabled):
    at_work = threading.Barrier(5)

    def check(name, password):
        at_work.wait(60)  # all that are let through are at work at once

    served = serve(Throttle(MemoryStore(), disable_after=5, **LOOSE), load=check)
    statuses = []
    threads = [
        threading.Thread(target=lambda guess=guess: statuses.append(served.get("ada", guess).status_code))
        for guess in guesses(12)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(statuses) == [401] * 5 + [429] * 7
    assert len(served.asked) == 5
    assert len(disabled) == 1


def test_a_login_form_has_it_too(make_app, store):
    throttle = Throttle(store, disable_after=2, **LOOSE)
    auth = Auth(Basic(lambda name, password: None), realm="site")
    app = make_app(auth)

    @app.post("/login")
    def login():
        with throttle.attempt("ada") as attempt:
            if request.form["password"] != RIGHT:
                return "no", 422
            attempt.succeeded()
        return "yes"

    client = app.test_client()
    sent = ["a", RIGHT, "a", "b", RIGHT]
    statuses = [client.post("/login", data={"password": password}).status_code for password in sent]
    assert statuses == [422, 200, 422, 422, 429]
    throttle.enable("ada")
    assert client.post("/login", data={"password": RIGHT}).status_code == 200


def test_tokens_have_no_subject(serve, store, disabled):
    served = serve(None, scheme=APIKey(lambda key: None, throttle=Throttle(store, disable_after=1, **LOOSE)))
    for number in range(3):
        assert served.get(headers={"X-API-Key": f"key{number}"}).status_code == 401
    assert disabled == []


def test_off_by_default(serve, disabled):
    served = serve(Throttle(MemoryStore(), **LOOSE))
    assert served.statuses(*guesses(101)) == [401] * 101
    assert served.statuses(RIGHT) == [200]
    assert disabled == []


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        ({"disable_after": True}, TypeError, "disable_after must be an int or None, not True"),
        ({"disable_after": "9"}, TypeError, "disable_after must be an int or None, not '9'"),
        ({"disable_after": 0}, ConfigurationError, "disable_after must be 1 to 1000000, not 0"),
        ({"disable_after": 9, "on_outage": "allow"}, ConfigurationError, "contradict each other"),
    ],
)
def test_a_mistake_is_explained(arguments, error, text):
    with pytest.raises(error, match=text):
        Throttle(MemoryStore(), **arguments)


def test_a_store_must_be_able_to_mark(monkeypatch):
    OldStore.__abstractmethods__ = frozenset()
    monkeypatch.setattr(OldStore, "can_throttle", True)
    with pytest.raises(ConfigurationError, match="OldStore has no method _replace"):
        Throttle(OldStore(), disable_after=9)


def test_enable_explains_mistakes():
    with pytest.raises(ConfigurationError, match="give disable_after="):
        Throttle(MemoryStore()).enable("ada")
    with pytest.raises(TypeError, match="enable"):
        Throttle(MemoryStore(), disable_after=9).enable(7)

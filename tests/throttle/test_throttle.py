"""Throttled schemes, as callers and attackers meet them. THR rows are those of the security report."""

import logging
import re
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from redis import Redis

from flask_unauthorized import (
    APIKey,
    Auth,
    AuthUnavailable,
    Basic,
    Bearer,
    Digest,
    ExpiredCredentials,
    Forbidden,
    Identity,
    InvalidCredentials,
    RevokedCredentials,
    StepUpRequired,
    TooManyAttempts,
    current_identity,
    signals,
)
from flask_unauthorized.events import shown_subject, subject_hash
from flask_unauthorized.stores.memory import MemoryStore
from flask_unauthorized.stores.redis import RedisStore
from flask_unauthorized.stores.sqlite import SQLiteStore
from flask_unauthorized.throttle import Limit, Throttle
from flask_unauthorized.throttle.recent import MAX_REPEATS

from ..digest_client import challenge, sent
from ..helpers import bearer_header, challenge_lines
from .conftest import AWAY, HOME, OFFICE, guesses

ROOT = Path(__file__).parents[2]


# --- failures of one subject from one network


@pytest.mark.asvs("V2.4.1", "V6.3.1")
def test_failures_beyond_the_limit_get_429_before_the_loader(serve, store, clock):  # THR-01
    served = serve(Throttle(store))
    assert served.statuses(*guesses(5)) == [401] * 5
    refused = served.get("ada", "right horse")
    assert refused.status_code == 429
    assert refused.headers["Retry-After"] == "60"
    assert refused.headers["Cache-Control"] == "no-store"
    assert "WWW-Authenticate" not in refused.headers
    assert len(served.asked) == 5


def guess_at(throttle, name, password, address):
    """Make an attempt without an app, as verification does; return whether a loader would have been asked."""
    try:
        attempt = throttle.reserve(name, (name, password), {"REMOTE_ADDR": address})
    except TooManyAttempts:
        return False
    if password == "right horse":
        attempt.succeeded()
    else:
        attempt.refused(InvalidCredentials())
    return True


def test_ten_thousand_guesses_verify_the_free_ones_and_the_delayed_ones(store, clock):  # THR-01, THR-03
    # One guess per second. Waits end at 64, 184, 424, 904, 1 864, 3 784 and 7 384 s: seven guesses after the five.
    throttle = Throttle(store)
    assert guess_at(throttle, "ada", "right horse", OFFICE)
    verified = 0
    # A server answers over a socket, so its attack is shorter.
    seconds, delayed = (1_000, 4) if isinstance(store, RedisStore) else (10_000, 7)
    for number in range(seconds):
        verified += guess_at(throttle, "ada", f"guess number {number}", AWAY)
        # The owner is let in from a known network in every second.
        assert guess_at(throttle, "ada", "right horse", OFFICE)
        clock.now += 1
    assert verified == 5 + delayed


def test_waits_double_up_to_the_longest_and_retry_after_is_true(serve, store, clock):
    served = serve(Throttle(store, max_wait=500))
    served.statuses(*guesses(4))
    for number, wait in enumerate((60, 120, 240, 480, 500, 500)):
        assert served.get("ada", f"late {number}").status_code == 401
        assert served.get("ada", "right horse").headers["Retry-After"] == str(wait)
        clock.now += wait - 1
        assert served.get("ada", "right horse").headers["Retry-After"] == "1"
        clock.now += 1
    assert served.get("ada", "right horse").status_code == 200


def test_a_client_that_keeps_sending_prolongs_nothing(serve, store, clock):  # THR-14
    served = serve(Throttle(store))
    served.statuses(*guesses(5))
    for number in range(59):
        clock.now += 1
        refused = served.get("ada", f"again {number}")
        assert refused.status_code == 429
        assert refused.headers["Retry-After"] == str(59 - number)
    clock.now += 1
    assert served.get("ada", "right horse").status_code == 200


def test_a_success_forgets_the_failures_of_its_pair_only(serve, store, clock):  # THR-10
    served = serve(Throttle(store, per_network=Limit(8, 60)))
    before, after = guesses(8)[:4], guesses(8)[4:]
    assert served.statuses(*before, "right horse", *after, "right horse") == [*[401] * 4, 200, *[401] * 4, 429]
    clock.now += 67  # at most 10 % more than the window
    assert served.statuses("right horse") == [200]


def test_other_subjects_and_other_networks_go_on(serve, store, clock):  # THR-03
    served = serve(Throttle(store))
    served.statuses(*guesses(6))
    assert served.get("bob", "right horse").status_code == 200
    assert served.get("ada", "right horse", OFFICE).status_code == 200
    assert served.get("ada", "right horse").status_code == 429


@pytest.mark.parametrize(
    ("first", "second"), [("2001:db8::1", "2001:db8::ffff"), ("203.0.113.7", "::ffff:203.0.113.7")]
)
def test_addresses_of_one_network_share_a_counter(serve, clock, first, second):  # THR-05
    served = serve(Throttle(MemoryStore()))
    assert served.statuses(*guesses(3), address=first) == [401] * 3
    assert served.statuses(*guesses(9)[3:], address=second) == [401, 401, 429, 429, 429, 429]


def test_spellings_of_one_name_share_a_counter(serve, clock):  # THR-06
    served = serve(Throttle(MemoryStore()))
    names = ["ada", "Ada", "ADA ", "\uff41da", "a\u0301da", " ada"]
    assert [served.get(name, "wrong horse").status_code for name in names] == [401] * 5 + [429]


def test_a_forged_forwarded_for_changes_nothing(serve, clock):  # THR-04
    served = serve(Throttle(MemoryStore()))
    statuses = [
        served.get("ada", guess, headers={"X-Forwarded-For": f"198.51.100.{number}"}).status_code
        for number, guess in enumerate(guesses(7))
    ]
    assert statuses == [401] * 5 + [429] * 2


# --- many at once


@pytest.mark.parametrize("workers", [32])
def test_a_hundred_guesses_at_once_verify_the_limit_only(serve, store, workers):  # THR-02, THR-13, THR-15
    def slow(name, password):
        time.sleep(0.05)
        return False

    served = serve(Throttle(store), slow)
    with ThreadPoolExecutor(workers) as pool:
        statuses = list(pool.map(lambda guess: served.get("ada", guess).status_code, guesses(100)))
    assert len(served.asked) == 5
    # On a busy machine SQLite is locked for too long.
    assert sorted(status for status in statuses if status != 503) == [401] * 5 + [429] * (95 - statuses.count(503))
    assert isinstance(store, SQLiteStore) or 503 not in statuses


_RACER = """
import sys
from concurrent.futures import ThreadPoolExecutor
from flask_unauthorized.errors import TooManyAttempts
from flask_unauthorized.throttle import Throttle
from tests.stores.racing import store_of

throttle = Throttle(store_of(sys.argv[3], sys.argv[1]))
def guess(number):
    try:
        throttle.reserve("ada", (f"{sys.argv[2]} {number}",), {"REMOTE_ADDR": "203.0.113.7"})
        return 1
    except TooManyAttempts:
        return 0
sys.stdin.read()
with ThreadPoolExecutor(8) as pool:
    print(sum(pool.map(guess, range(8))))
"""


@pytest.mark.parametrize("kind", ["sqlite", "redis"])
def test_processes_share_the_limit(tmp_path, redis_url, kind):  # THR-02
    address = str(tmp_path / "store.db")
    if kind == "sqlite":
        SQLiteStore(address).check()
    else:
        address = f"{redis_url}?socket_timeout=60"
        with Redis.from_url(address) as client:
            client.flushall()
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", _RACER, address, str(number), kind],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT,
        )
        for number in range(8)
    ]  # fmt: skip
    for racer in racers:
        racer.stdin.close()
    assert sum(int(racer.stdout.read()) for racer in racers) == 5
    for racer in racers:
        assert racer.wait() == 0
        racer.stdout.close()


def test_one_wrong_password_thirty_times_is_one_failure(serve, store):
    barrier = threading.Barrier(30)

    def slow(name, password):
        time.sleep(0.05)
        return password == "right horse"

    served = serve(Throttle(store), slow)

    def load_image(number):
        barrier.wait()
        return served.get("ada", "old password").status_code

    with ThreadPoolExecutor(30) as pool:
        assert set(pool.map(load_image, range(30))) == {401}
    assert served.statuses(*guesses(5)) == [401] * 4 + [429]


def test_thirty_requests_at_once_with_the_right_password_are_all_accepted(serve, store):
    def slow(name, password):
        time.sleep(0.02)
        return password == "right horse"

    served = serve(Throttle(store), slow)
    served.statuses(*guesses(4))
    with ThreadPoolExecutor(30) as pool:
        statuses = set(pool.map(lambda _: served.get("ada", "right horse").status_code, range(30)))
    assert statuses == {200}


def test_repetitions_beyond_a_number_are_a_new_failure(serve, clock):  # THR-13
    served = serve(Throttle(MemoryStore()))
    count = 0
    while served.get("ada", "wrong horse").status_code == 401:
        count += 1
    # The fifth guess uses up the free failures, so it has no repetitions.
    assert count == len(served.asked) == 4 * (MAX_REPEATS + 1) + 1


def test_a_minute_later_the_same_password_is_a_new_failure(serve, clock):
    served = serve(Throttle(MemoryStore(), per_network=Limit(100, 600)))
    for _ in range(5):
        assert served.get("ada", "wrong horse").status_code == 401
        clock.now += 61
    assert served.statuses(*guesses(2)) == [401, 429]


# --- no oracle


def test_beyond_the_limit_the_right_password_is_refused_too(serve, store, clock):
    # The password was accepted from here a moment ago. If that let it pass, a neighbor could find it out.
    served = serve(Throttle(store))
    assert served.get("ada", "right horse").status_code == 200
    served.statuses(*guesses(5))
    assert served.statuses("right horse", "wrong horse") == [429, 429]


def test_beyond_the_limit_of_another_process_the_right_password_is_refused_too(serve, store, clock):
    first, second = serve(Throttle(store)), serve(Throttle(store))
    assert first.get("ada", "right horse").status_code == 200
    second.statuses(*guesses(5))
    assert first.statuses("right horse") == [429]
    assert len(first.asked) == 1


def test_beyond_the_limit_of_the_network_the_right_password_is_refused_too(serve, clock):
    served = serve(Throttle(MemoryStore(), per_network=Limit(3, 60)))
    assert served.get("ada", "right horse").status_code == 200
    assert [served.get(f"name {number}", "one password").status_code for number in range(4)] == [401, 401, 401, 429]
    assert served.get("ada", "right horse").status_code == 429


def test_unknown_names_are_treated_alike(serve, store, clock):  # THR-12
    served = serve(Throttle(store), lambda name, password: name == "ada" and password == "right horse")
    answers = {}
    for name in ("ada", "bob"):
        found = [served.get(name, guess) for guess in guesses(8)]
        answers[name] = [(one.status_code, one.headers.get("Retry-After"), one.data) for one in found]
    assert answers["ada"] == answers["bob"]


# --- networks and subjects


def test_one_password_for_many_names_is_limited_per_network(serve, store, clock):  # THR-07
    served = serve(Throttle(store))
    statuses = [served.get(f"name {number}", "one password").status_code for number in range(150)]
    assert statuses == [401] * 100 + [429] * 50
    refused = served.get("someone else", "right horse")
    assert 60 <= int(refused.headers["Retry-After"]) <= 66
    assert served.get("ada", "right horse", OFFICE).status_code == 200
    clock.now += 61
    assert served.get("someone else", "right horse").status_code == 200


def botnet(served, count, name="ada"):
    """Guess from a new address each time; return the statuses."""
    return [
        served.get(name, guess, f"100.200.{n // 250}.{n % 250}").status_code for n, guess in enumerate(guesses(count))
    ]


def test_a_subject_is_delayed_and_never_locked(serve, store, clock):  # THR-03
    served = serve(Throttle(store))
    assert served.get("ada", "right horse", HOME).status_code == 200
    assert botnet(served, 60) == [401] * 51 + [429] * 9
    # From a known network the owner gets in at once, also with a mistake.
    assert served.statuses("right horse", "mistake", "right horse") == [200, 401, 200]
    refused = served.get("ada", "right horse", AWAY)
    assert refused.status_code == 429
    assert refused.headers["Retry-After"] == "30"
    clock.now += 30.01  # a server counts milliseconds
    assert served.get("ada", "right horse", AWAY).status_code == 200


def test_an_attack_on_a_subject_is_slowed_down_and_logged(clock, caplog):
    throttle = Throttle(MemoryStore(), per_subject=Limit(5, 86_400))
    verified = 0
    for number in range(2_000):
        verified += guess_at(throttle, "ada", "guess", f"100.{number // 250}.{number % 250}.1")
        clock.now += 10
    # 5 free ones, 5 that are 30 s apart, and one in each of the 5.5 hours that are left.
    assert verified == 5 + 5 + 6
    # The attempt under way is one of the 11.
    first = next(message for message in caplog.messages if message.startswith("throttle: "))
    assert first == (
        f"throttle: 11 failed attempts in 86400 s for the subject {shown_subject('ada')}: networks without an earlier "
        "login now wait 3600 s for each attempt"
    )


def test_an_acquaintance_ends_after_thirty_days(serve, store, clock):
    served = serve(Throttle(store))
    assert served.get("ada", "right horse", HOME).status_code == 200
    clock.now += 31 * 86_400
    botnet(served, 52)
    assert served.get("ada", "right horse", HOME).status_code == 429


def test_one_account_has_a_bounded_number_of_acquaintances(serve, clock):
    store = MemoryStore()
    served = serve(Throttle(store))
    for number in range(30):
        assert served.get("ada", "right horse", f"100.100.{number}.1").status_code == 200
    clock.now += 301  # the process forgets the accepted credentials
    botnet(served, 52)
    statuses = [served.get("ada", "right horse", f"100.100.{number}.1").status_code for number in (0, 9, 10, 29)]
    assert statuses == [429, 429, 200, 200]


def test_junk_names_do_not_fill_the_place_of_used_proofs(clock):  # THR-08
    store = MemoryStore(capacity=1000)
    throttle = Throttle(store)
    for number in range(3_000):
        guess_at(throttle, f"name {number}", "junk password", f"100.{number // 250}.{number % 250}.1")
    assert store.claim("dpop", "a proof", 60) is True
    assert [guess_at(throttle, "ada", guess, HOME) for guess in guesses(6)] == [True] * 5 + [False]


def test_random_names_beyond_the_limit_of_the_network_leave_no_entries(store, clock):  # THR-08
    throttle = Throttle(store, per_network=Limit(3, 60))
    for number in range(3):
        assert guess_at(throttle, f"free {number}", "junk password", AWAY)
    store.forget("throttle", *(f"pair name {AWAY} free{number}" for number in range(3)))
    store.forget("throttle", *(f"subject free{number}" for number in range(3)))
    assert count_entries(store) == 1  # that of the network
    for number in range(2_000):
        assert not guess_at(throttle, f"random {number}", "junk password", AWAY)
    assert count_entries(store) == 1


def count_entries(store):
    if isinstance(store, MemoryStore):
        return len(store._entries)
    if isinstance(store, RedisStore):
        return store._client.dbsize()
    with store._connection() as database:
        return sum(
            database.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in ("entries", "evictable")
        )


def test_a_process_keeps_no_name_as_long_as_a_client_likes(clock):
    throttle = Throttle(MemoryStore())
    for number in range(3):
        guess_at(throttle, "n" * 100_000, f"guess {number}", AWAY)
    kept = [entry.source.name for entry in throttle._recent._entries.values()]
    assert [len(name) for name in kept] == [1024] * 3
    assert {shown_subject(name) for name in kept} == {shown_subject("n" * 100_000)}


# --- a missing ProxyFix


def test_a_missing_proxy_fix_is_reported_once_and_does_not_lock_the_site(serve, clock, caplog):
    served = serve(Throttle(MemoryStore(), per_network=Limit(3, 60)))
    statuses = [
        served.get(f"name {number}", "pass word", "10.0.0.5", headers={"X-Forwarded-For": "203.0.113.9"}).status_code
        for number in range(9)
    ]
    assert statuses == [401] * 9
    warnings = [message for message in caplog.messages if message.startswith("throttle: ")]
    assert warnings == [
        "throttle: requests of all clients seem to come from the address '10.0.0.5', which is that of a proxy, so "
        "per_network= isn't enforced for it, and one attacker can delay all clients: wrap the app in ProxyFix; for "
        "forward_auth let the proxy send X-Forwarded-For"
    ]


# --- what isn't a failure


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (ExpiredCredentials, 401),
        (RevokedCredentials, 401),
        (StepUpRequired, 401),
        (Forbidden, 403),
        (AuthUnavailable, 503),
    ],
)
def test_other_refusals_are_not_failures(serve, store, clock, error, status):  # THR-09
    def load(name, password):
        raise error

    served = serve(Throttle(store, per_network=Limit(3, 60)), load)
    assert served.statuses(*guesses(9)) == [status] * 9


def test_exceptions_give_the_attempt_back(serve, store, clock):
    def load(name, password):
        raise LookupError("the database has a bug")

    served = serve(Throttle(store, per_network=Limit(3, 60)), load, PROPAGATE_EXCEPTIONS=False)
    assert served.statuses(*guesses(9)) == [500] * 9


def test_what_cannot_be_a_user_gives_the_attempt_back_and_makes_no_acquaintance(serve, clock):
    results = [0] * 9
    served = serve(Throttle(MemoryStore()), lambda name, password: results.pop(), PROPAGATE_EXCEPTIONS=False)
    assert served.statuses(*guesses(9)) == [500] * 9


def test_missing_and_malformed_credentials_are_not_counted(serve, clock):  # THR-09
    served = serve(Throttle(MemoryStore(), per_network=Limit(1, 60)))
    for _ in range(5):
        assert served.get().status_code == 401
        assert served.get(headers={"Authorization": "Basic a,b"}).status_code == 400
        assert served.get(headers={"Authorization": "Basic !!"}).status_code == 401
    assert served.get("ada", "right horse").status_code == 200


def test_a_gone_client_gives_the_attempt_back(serve, clock):
    class Gone(BaseException):
        pass

    def load(name, password):
        raise Gone

    served = serve(Throttle(MemoryStore()), load)
    for guess in guesses(9):
        with pytest.raises(Gone):
            served.get("ada", guess)


# --- the other schemes


def test_digest_counts_wrong_responses_and_no_middle_leg(serve, clock):  # THR-09
    served = serve(None, scheme=Digest({"ada": "right horse"}.get, throttle=Throttle(MemoryStore())))

    def log_in(name, password):
        client = served.app.test_client()
        first = client.get("/", environ_overrides={"REMOTE_ADDR": HOME})
        assert first.status_code == 401
        header = sent(challenge(challenge_lines(first)[0]), name=name, password=password)
        return client.get("/", headers=header, environ_overrides={"REMOTE_ADDR": HOME}).status_code

    assert [log_in("ada", "right horse") for _ in range(10)] == [200] * 10
    # Digest asks its loader for the decoded name, too, and without the backslash.
    names = ("ada", "%61da", "a\\da", "Ada", "a%64a", "ad\\%61")
    assert [log_in(name, "wrong horse") for name in names] == [401] * 5 + [429]
    assert log_in("ada", "right horse") == 429


def test_a_stale_nonce_is_not_a_failure(serve, clock):  # THR-09
    served = serve(None, scheme=Digest({"ada": "right horse"}.get, throttle=Throttle(MemoryStore())))
    client = served.app.test_client()
    for _ in range(9):
        offered = challenge(challenge_lines(client.get("/"))[0])
        clock.now += 301
        stale = client.get("/", headers=sent(offered, password="right horse"))
        assert challenge(challenge_lines(stale)[0])["stale"] == "true"


def test_one_unknown_token_does_not_throttle_its_office(serve, clock):
    throttle = Throttle(MemoryStore())
    served = serve(None, scheme=Bearer({"good-token-of-ada": Identity("ada")}.get, throttle=throttle))
    statuses = [served.get(headers=bearer_header("deleted-token")).status_code for _ in range(500)]
    assert statuses[:5] == [401] * 5
    assert set(statuses[5:]) == {429}
    assert served.get(headers=bearer_header("good-token-of-ada")).status_code == 200


def test_many_unknown_tokens_are_limited_per_network(serve, clock):
    throttle = Throttle(MemoryStore())
    served = serve(None, scheme=APIKey({"good-key-of-ada": Identity("ada")}.get, throttle=throttle))
    statuses = [served.get(headers={"X-API-Key": f"eyJhbGciOi-{number}"}).status_code for number in range(110)]
    assert statuses == [401] * 100 + [429] * 10
    assert served.get(headers={"X-API-Key": "good-key-of-ada"}, address=OFFICE).status_code == 200


def test_schemes_share_the_counters_of_one_throttle(make_app, clock):
    throttle = Throttle(MemoryStore())
    asked = []

    def served(scheme):
        auth = Auth(scheme, realm="site")
        app = make_app(auth, SECRET_KEY="a secret of thirty-two characters")
        app.add_url_rule("/", "view", auth.login_required(lambda: "fine"))
        return app.test_client()

    one, two = (served(Basic(lambda name, password: asked.append(name), throttle=throttle)) for _ in range(2))
    statuses = [client.get("/", auth=("ada", guess)).status_code for client, guess in zip([one, two] * 3, guesses(6))]
    assert statuses == [401] * 5 + [429]


# --- lazily verified credentials


def test_a_quiet_question_counts_and_is_anonymous_beyond_the_limit(serve, clock):
    served = serve(Throttle(MemoryStore()))
    for guess in guesses(7):
        response = served.get("ada", guess, path="/open")
        assert (response.status_code, response.text) == (200, "nobody")
    assert len(served.asked) == 5
    assert served.get("ada", "right horse", path="/open").text == "nobody"
    assert served.get("ada", "right horse").status_code == 429


def test_one_request_counts_once(make_app, clock):
    asked = []
    auth = Auth(Basic(lambda name, password: asked.append(name), throttle=Throttle(MemoryStore())), realm="site")
    app = make_app(auth)

    @app.before_request
    def ask():
        bool(current_identity)

    app.add_url_rule("/", "view", auth.login_required(lambda: "fine"))
    statuses = [app.test_client().get("/", auth=("ada", guess)).status_code for guess in guesses(6)]
    assert statuses == [401] * 5 + [429]
    assert len(asked) == 5


# --- outages, bodies, signals


class DownStore(MemoryStore):
    """A store whose back end can be switched off."""

    down = False
    get_is_down = False
    shared = True

    def _guard(self, method, *args):
        if self.down:
            raise ConnectionError("redis://user:password-of-redis@host is down")
        return method(*args)

    def _increment_many(self, *args):
        return self._guard(super()._increment_many, *args)

    def _get(self, *args):
        if self.get_is_down:
            raise ConnectionError
        return self._guard(super()._get, *args)

    def _decrement(self, *args):
        return self._guard(super()._decrement, *args)


@pytest.mark.asvs("V16.5.2")
def test_an_outage_is_503_by_default(serve, clock):  # THR-11
    store = DownStore()
    served = serve(Throttle(store))
    assert served.get("ada", "right horse").status_code == 200
    store.down = True
    for password in ("right horse", "wrong horse"):
        assert served.get("ada", password).status_code == 503
    assert len(served.asked) == 1
    store.down = False
    assert served.get("ada", "right horse").status_code == 200


def test_an_outage_can_be_allowed(serve, clock, caplog):  # THR-11
    store = DownStore()
    served = serve(Throttle(store, on_outage="allow"))
    assert served.get("ada", "right horse").status_code == 200
    store.down = True
    assert served.statuses("right horse", *guesses(7), "right horse") == [200, *[401] * 7, 200]
    assert "because on_outage='allow' and DownStore: its back end raised ConnectionError" in caplog.text
    assert "password-of-redis" not in caplog.text


def test_an_outage_while_reserving_leaves_no_attempt(serve, clock):
    store = DownStore()
    served = serve(Throttle(store))
    assert served.statuses(*guesses(5)) == [401] * 5
    clock.now += 60
    store.get_is_down = True
    assert served.statuses("right horse", "right horse") == [503, 503]
    store.get_is_down = False
    assert served.get("ada", "right horse").status_code == 200


def test_an_outage_after_the_loader_changes_nothing(serve, clock, caplog):
    store = DownStore()

    def load(name, password):
        store.down = True
        return password == "right horse"

    served = serve(Throttle(store), load)
    for password, status in (("right horse", 200), ("wrong horse", 401)):
        store.down = False
        assert served.get("ada", password).status_code == status
    assert "an attempt couldn't be settled" in caplog.text


@pytest.mark.parametrize(
    ("accept", "language", "words"),
    [
        ("text/html", "en", "Try again in 60 seconds."),
        ("text/html", "de", "es in 60 Sekunden noch einmal."),
        ("application/problem+json", "en", '"retry_after": 60'),
    ],
)
def test_a_body_says_when_to_try_again(serve, clock, accept, language, words):
    served = serve(Throttle(MemoryStore()))
    served.statuses(*guesses(5))
    refused = served.get("ada", "guess", headers={"Accept": accept, "Accept-Language": language})
    assert refused.status_code == 429
    assert words in refused.text


def test_the_signal_names_the_subject_by_a_hash(serve, clock, caplog):
    served = serve(Throttle(MemoryStore()))
    seen = []

    def receive(app, **arguments):
        seen.append(arguments)

    with signals.throttled.connected_to(receive, served.app), caplog.at_level(logging.INFO):
        served.statuses(*guesses(5), name="ada of the secret project")
        assert seen == []
        served.statuses("right horse", name="ada of the secret project")
    subject = subject_hash(served.app, "ada of the secret project")
    assert seen == [{"scheme": "Basic", "limit": "pair", "subject": subject, "network": HOME, "retry_after": 60}]
    assert caplog.messages[-1] == (
        "refused view: TooManyAttempts (throttle: the limit per pair, Limit(5, 60), is reached for the subject "
        f"{subject} from {HOME}: wait 60 s)"
    )
    assert "secret project" not in caplog.text


# --- the set-up


def test_check_warns_of_a_store_that_processes_do_not_share(make_app, caplog):
    auth = Auth(Basic(lambda name, password: None, throttle=Throttle(MemoryStore())), realm="site")
    app = make_app(auth, TESTING=False, SECRET_KEY="a secret of thirty-two characters")
    auth.check(app)
    [text] = [text for text in caplog.messages if "Basic: failed attempts" in text]
    assert text == (
        "Basic: failed attempts are kept in a MemoryStore, which each process has for itself, so each process counts "
        "for itself: give store=SQLiteStore(path) or store=RedisStore(url), or where exactly one process serves, "
        "store=MemoryStore(single_process=True)"
    )
    caplog.clear()
    shared = MemoryStore(single_process=True)
    Auth(Basic(lambda name, password: None, throttle=Throttle(shared)), realm="site", app=make_app(TESTING=False))
    assert caplog.messages == []


def test_a_scheme_without_a_throttle_loads_none():
    program = (
        "import sys, flask\n"
        "from flask_unauthorized import Auth, Basic, Bearer\n"
        "app = flask.Flask('app'); auth = Auth(Basic(lambda n, p: n), Bearer(lambda t: t), app=app)\n"
        "app.add_url_rule('/', 'view', auth.login_required(lambda: 'fine'))\n"
        "assert app.test_client().get('/', auth=('ada', 'pw')).status_code == 200\n"
        "assert not [name for name in sys.modules if 'throttle' in name]\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, cwd=ROOT)


# --- forward authentication


@pytest.mark.parametrize("uri", ["X-Original-URI", "X-Forwarded-Uri"])
def test_a_proxy_that_asks_names_the_network_of_its_client(serve, clock, caplog, uri):
    served = serve(Throttle(MemoryStore()))
    served.auth.forward_auth("/auth", proxies=["192.0.2.1"])

    def ask(password, forwarded):
        headers = {uri: "/report", uri[:-3] + "Method": "GET", "Host": "shop.example", "X-Forwarded-For": forwarded}
        response = served.get("ada", password, "192.0.2.1", "/auth", headers=headers)
        return response.headers.get("X-Auth-Status", response.status_code)

    refused = "429" if uri == "X-Original-URI" else 429
    # A client may write the field, too. The last address is the one that the proxy saw.
    statuses = [ask(guess, f"198.51.100.{number}, {HOME}") for number, guess in enumerate(guesses(6))]
    assert statuses == [401] * 5 + [refused]
    assert ask("right horse", HOME) == refused
    assert ask("right horse", OFFICE) == 204
    assert "throttle: " not in caplog.text.replace("(throttle: ", "")


def test_a_proxy_that_asks_and_names_no_client_is_reported(serve, clock, caplog):
    served = serve(Throttle(MemoryStore()))
    served.auth.forward_auth("/auth", proxies=["192.0.2.1"])
    headers = {"X-Original-URI": "/", "X-Original-Method": "GET", "Host": "shop.example"}
    assert served.get("ada", "right horse", "192.0.2.1", "/auth", headers=headers).status_code == 204
    assert "requests of all clients seem to come from the address 'unix'" in caplog.text


# --- the page about throttling

PAGE = (ROOT / "docs" / "guides" / "throttle.md").read_text(encoding="utf-8")


def program(number, tmp_path, monkeypatch):
    """Run a program of the page in an empty folder; return its app."""
    monkeypatch.chdir(tmp_path)
    scope = {"__name__": "app"}
    exec(compile(re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)[number], "app.py", "exec"), scope)
    return scope["app"]


def test_the_first_program_of_the_page(tmp_path, monkeypatch):
    client = program(0, tmp_path, monkeypatch).test_client()
    statuses = [client.get("/", auth=("ada", f"guess{number}")).status_code for number in range(1, 7)]
    assert statuses == [401] * 5 + [429]
    assert client.get("/", auth=("ada", "correct horse")).status_code == 429


def test_the_login_form_of_the_page(tmp_path, monkeypatch):
    client = program(1, tmp_path, monkeypatch).test_client()
    assert client.get("/login").status_code == 200
    for number in range(3):
        assert client.post("/login", data={"name": "ada", "password": f"guess{number}"}).status_code == 422
    assert client.post("/login", data={"name": "ada", "password": "correct horse"}).status_code == 302
    assert client.get("/").text == "Hello ada"
    statuses = [client.post("/login", data={"name": "Ada", "password": f"x{n}"}).status_code for n in range(6)]
    assert statuses == [422] * 5 + [429]


def test_the_part_of_the_page_about_proxy_fix(tmp_path, monkeypatch):
    app = program(0, tmp_path, monkeypatch)
    scope = {"app": app}
    (block,) = [block for block in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL) if "ProxyFix(" in block]
    exec(block, scope)
    assert type(app.wsgi_app).__name__ == "ProxyFix"


def test_the_page_shows_the_defaults():
    throttle = repr(Throttle(MemoryStore()))
    for name, limit in re.findall(r"\| `(per_\w+)` \|.*?\| `Limit\((.*?)\)` \|", PAGE):
        assert f"{name}=Limit({limit.replace('_', '')})" in throttle

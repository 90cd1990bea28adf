"""Keys that are fetched when needed, and kept up to date."""

import gc
import threading
import tracemalloc
from concurrent.futures import ThreadPoolExecutor

import pytest

from flask_unauthorized import AuthUnavailable, ConfigurationError
from flask_unauthorized.http_client.client import fetch
from flask_unauthorized.loaders.jwks import JWKS
from tests.http_client.server import (
    Gate,
    answer,
)  # fmt: skip

from .keys import find_ids, jwk, jwks, key_set, wait_for_fetch

# --- fetched when needed


def test_key_14_nothing_is_fetched_before_the_first_token(plain, clock, pair):
    plain.answers["/keys"] = key_set(*pair)
    keys = jwks(plain, clock)
    assert plain.requests == []
    assert [find_ids(keys, "one"), find_ids(keys, "two"), find_ids(keys, "one")] == [["one"], ["two"], ["one"]]
    assert plain.calls() == 1


@pytest.mark.parametrize("algorithm", ["ES384", "RS256", "HS256", "EdDSA", "none"])
def test_key_04_a_key_serves_its_own_algorithm(plain, clock, pair, algorithm):
    plain.answers["/keys"] = key_set(*pair)
    assert find_ids(jwks(plain, clock), "one", algorithm) == []
    assert plain.calls() == 1


def test_key_05_symmetric_and_private_keys_are_left_out(plain, clock, pair):
    secret = {"kty": "oct", "k": "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ", "kid": "shared"}
    plain.answers["/keys"] = key_set(secret, {**pair[1], "d": pair[1]["x"]}, {"kty": "EC", "kid": "broken"}, pair[0])
    keys = jwks(plain, clock)
    assert [find_ids(keys, kid) for kid in ("one", "shared", "two", "broken")] == [["one"], [], [], []]
    assert find_ids(keys, "shared", "HS256") == []


def test_key_09_without_a_key_id_every_key_may_fit(plain, clock, pair):
    plain.answers["/keys"] = key_set(pair[0], jwk("enc", use="enc"))
    assert find_ids(jwks(plain, clock), None) == ["one"]
    plain.answers["/keys"] = key_set(*pair)
    keys = jwks(plain, clock)
    assert find_ids(keys, None) == ["one", "two"]  # F-27: while keys rotate, two stand
    plain.answers["/keys"] = key_set(*(jwk(f"{n}") for n in range(9)))
    assert find_ids(jwks(plain, clock), None) == [f"{n}" for n in range(9)]  # `JWT` tries four
    assert plain.calls() == 3


def test_key_09_of_many_keys_with_one_id_all_may_fit(plain, clock):
    plain.answers["/keys"] = key_set(*(jwk("same") for _ in range(9)))
    assert find_ids(jwks(plain, clock), "same") == ["same"] * 9


@pytest.mark.parametrize(
    "kid", ["../../dev/null", "' OR 1=1--", "{{7*7}}", "\x00", "<script>", "", "ONE", "one ", "\ud800"]
)
def test_key_11_a_key_id_is_compared_and_nothing_else(plain, clock, pair, kid):
    plain.answers["/keys"] = key_set(*pair)
    assert find_ids(jwks(plain, clock), kid) == []
    assert {request.target for request in plain.requests} == {"/keys"}


# --- rotation


@pytest.mark.asvs("V13.3.4")
@pytest.mark.rfc("J-13")
def test_key_22_a_new_key_costs_one_fetch(plain, clock, pair):
    plain.answers["/keys"] = key_set(pair[0])
    keys = jwks(plain, clock)
    assert find_ids(keys, "one") == ["one"]
    plain.answers["/keys"] = key_set(*pair)
    clock.turn(30)
    assert find_ids(keys, "two") == ["two"]
    assert plain.calls() == 2


@pytest.mark.rfc("J-13")
def test_key_23_a_key_that_is_withdrawn_ends_with_the_next_fetch(plain, clock, pair):
    plain.answers["/keys"] = key_set(*pair)
    keys = jwks(plain, clock)
    assert find_ids(keys, "one") == ["one"]
    plain.answers["/keys"] = key_set(pair[1])
    clock.turn(300)
    assert find_ids(keys, "two") == ["two"]
    wait_for_fetch(keys)
    assert plain.calls() == 2
    assert find_ids(keys, "one") == []
    assert plain.calls() == 3  # it might have come back


def test_key_23_after_a_quiet_night_the_withdrawn_key_is_not_good_once_more(plain, clock, pair):
    plain.answers["/keys"] = key_set(*pair)
    keys = jwks(plain, clock)
    assert find_ids(keys, "one") == ["one"]
    plain.answers["/keys"] = key_set(pair[1])
    clock.turn(8 * 3600)
    assert find_ids(keys, "one") == []
    assert find_ids(keys, "two") == ["two"]


# --- unknown key ids


@pytest.mark.rfc("J-13")
def test_key_20_ten_thousand_unknown_ids_while_the_server_is_well(plain, clock, pair):
    plain.answers["/keys"] = key_set(*pair)
    keys = jwks(plain, clock)
    find_ids(keys, "one")
    for _ in range(5):
        assert find_ids(keys, "junk") == []
    assert plain.calls() == 6

    def ask_for_unknown_ids(count):
        for number in range(count):
            with pytest.raises(AuthUnavailable):
                keys.candidates(f"junk{number}", "ES256")

    ask_for_unknown_ids(10)  # caches, and what coverage notes of lines that run for the first time
    gc.collect()
    tracemalloc.start()
    ask_for_unknown_ids(10_000)
    gc.collect()  # exceptions and their tracebacks
    grown, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert plain.calls() == 6
    assert grown < 16_384
    assert find_ids(keys, "one") == ["one"]
    clock.turn(60)
    assert find_ids(keys, "junk") == []
    assert plain.calls() == 7


def test_key_20_ten_thousand_unknown_ids_while_the_server_is_down(plain, clock, pair):
    plain.answers["/keys"] = key_set(*pair)
    keys = jwks(plain, clock)
    find_ids(keys, "one")
    plain.answers["/keys"] = answer(b"", 500)
    clock.turn(30)
    begun, moments = clock.now, []
    for number in range(10_000):
        calls = plain.calls()
        with pytest.raises(AuthUnavailable):
            keys.candidates(f"junk{number}", "ES256")
        if plain.calls() != calls:
            moments.append(clock.now - begun)
        if number % 100 == 0:
            assert find_ids(keys, "one") == ["one"]
        clock.turn(0.02)
    # At once, then after 1, 2, 4, 8, 16, 32 and 60 seconds each.
    ideal = [0, 1, 3, 7, 15, 31, 63, 123, 183]
    assert len(moments) == len(ideal)
    assert all(abs(moment - expected) < 0.5 for moment, expected in zip(moments, ideal, strict=True))


def test_key_21_known_ids_are_answered_while_a_slow_fetch_is_under_way(plain, clock, pair):
    plain.answers["/keys"] = key_set(pair[0])
    keys = jwks(plain, clock)
    find_ids(keys, "one")
    clock.turn(30)
    gate = plain.answers["/keys"] = Gate(key_set(*pair), plain)
    outcomes = []

    def ask():
        try:
            outcomes.append(find_ids(keys, "two"))
        except AuthUnavailable:
            outcomes.append("503")

    threads = [threading.Thread(target=ask) for _ in range(50)]
    for thread in threads:
        thread.start()
    gate.wait()
    for _ in range(100):
        assert find_ids(keys, "one") == ["one"]
    # All but those that may wait have been turned away, though the answer isn't there yet.
    for thread in threads:
        thread.join(0.02)
    for _ in range(1000):
        if len(outcomes) == 41:
            break
        threading.Event().wait(0.01)
    assert outcomes == ["503"] * 41
    gate.open()
    for thread in threads:
        thread.join()
    assert outcomes[41:] == [["two"]] * 9  # the one that fetched, and eight that waited
    assert plain.calls() == 2


def test_key_21_the_first_requests_wait_for_one_fetch(plain, clock, pair):
    gate = plain.answers["/keys"] = Gate(key_set(*pair), plain)
    keys = jwks(plain, clock)
    with ThreadPoolExecutor(32) as pool:
        asked = [pool.submit(find_ids, keys, "one") for _ in range(32)]
        gate.wait()
        gate.open()
        assert [one.result(20) for one in asked] == [["one"]] * 32
    assert plain.calls() == 1


def test_one_fetch_in_the_background_however_many_ask(plain, clock, pair):
    plain.answers["/keys"] = key_set(*pair)
    keys = jwks(plain, clock)
    find_ids(keys, "one")
    gate = plain.answers["/keys"] = Gate(key_set(*pair), plain)
    clock.turn(301)
    for _ in range(200):
        assert find_ids(keys, "one") == ["one"]
    gate.wait()
    assert find_ids(keys, "one") == ["one"]
    gate.open()
    wait_for_fetch(keys)
    assert plain.calls() == 2


# --- set-up


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("cache", 5), ("cache", -1), ("cache", float("nan")), ("max_stale", 0),
        ("max_stale", 599), ("max_stale", 10**9), ("timeout", 0), ("timeout", 3600),
    ],
)  # fmt: skip
def test_cfg_04_times_that_are_none(option, value):
    with pytest.raises(ConfigurationError, match=option):
        JWKS("https://as.example/keys", **{option: value})


def test_a_fetch_that_cannot_be_called():
    with pytest.raises(TypeError, match="fetch"):
        JWKS("https://as.example/keys", fetch="requests")


def test_key_19_a_url_that_is_refused_at_set_up():
    with pytest.raises(ConfigurationError):
        JWKS("http://as.example/keys")


def test_key_26_a_certificate_of_nobody(tls, ca_file, pair):
    tls.answers["/keys"] = key_set(*pair)
    with pytest.raises(AuthUnavailable) as caught:
        JWKS(tls.url + "/keys").candidates("one", "ES256")
    assert "certificate" in caught.value.reason
    assert find_ids(JWKS(tls.url + "/keys", ca_file=ca_file), "one") == ["one"]
    assert fetch(tls.url + "/keys", ca_file=ca_file)


def test_reprs():
    assert repr(JWKS("https://as.example/keys")) == "<JWKS https://as.example/keys>"
    assert repr(JWKS.of_issuer("https://as.example")) == "<JWKS of https://as.example>"

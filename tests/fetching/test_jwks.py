"""Keys that are fetched when needed, kept up to date, and kept while their server is down."""

import gc
import logging
import os
import pickle
import threading
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from unittest import mock

import pytest

from flask_unauthorized import Auth, AuthUnavailable, Bearer, ConfigurationError, Identity
from flask_unauthorized.fetching import FetchError, fetch
from flask_unauthorized.loaders.jwks import JWKS

from .keys import Clock, jwk, jwks, key_set, known
from .server import (
    Gate,
    answer,
    chunked_flood,
    drip,
    hang_up,
    head_flood,
    redirect,
)  # fmt: skip


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def pair():
    return jwk("one"), jwk("two")


def settled(keys):
    """Waits for a fetch in the background."""
    under_way = keys._under_way
    assert under_way is None or under_way.done.wait(20)


# --- fetched when needed


def test_key_14_nothing_is_fetched_before_the_first_token(plain, clock, pair):
    plain.answers["/keys"] = key_set(*pair)
    keys = jwks(plain, clock)
    assert plain.requests == []
    assert [known(keys, "one"), known(keys, "two"), known(keys, "one")] == [["one"], ["two"], ["one"]]
    assert plain.calls() == 1


@pytest.mark.parametrize("algorithm", ["ES384", "RS256", "HS256", "EdDSA", "none"])
def test_key_04_a_key_serves_its_own_algorithm(plain, clock, pair, algorithm):
    plain.answers["/keys"] = key_set(*pair)
    assert known(jwks(plain, clock), "one", algorithm) == []
    assert plain.calls() == 1


def test_key_05_symmetric_and_private_keys_are_left_out(plain, clock, pair):
    secret = {"kty": "oct", "k": "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ", "kid": "shared"}
    plain.answers["/keys"] = key_set(secret, {**pair[1], "d": pair[1]["x"]}, {"kty": "EC", "kid": "broken"}, pair[0])
    keys = jwks(plain, clock)
    assert [known(keys, kid) for kid in ("one", "shared", "two", "broken")] == [["one"], [], [], []]
    assert known(keys, "shared", "HS256") == []


def test_key_09_without_a_key_id_only_one_key_may_fit(plain, clock, pair):
    plain.answers["/keys"] = key_set(pair[0], jwk("enc", use="enc"))
    assert known(jwks(plain, clock), None) == ["one"]
    plain.answers["/keys"] = key_set(*pair)
    keys = jwks(plain, clock)
    assert known(keys, None) == []
    clock.turn(31)
    assert known(keys, None) == []
    assert plain.calls() == 2  # newer keys would not make it clearer


def test_key_09_of_many_keys_with_one_id_four_are_tried(plain, clock):
    plain.answers["/keys"] = key_set(*(jwk("same") for _ in range(9)))
    assert known(jwks(plain, clock), "same") == ["same"] * 4


@pytest.mark.parametrize(
    "kid", ["../../dev/null", "' OR 1=1--", "{{7*7}}", "\x00", "<script>", "", "ONE", "one ", "\ud800"]
)
def test_key_11_a_key_id_is_compared_and_nothing_else(plain, clock, pair, kid):
    plain.answers["/keys"] = key_set(*pair)
    assert known(jwks(plain, clock), kid) == []
    assert {request.target for request in plain.requests} == {"/keys"}


# --- rotation


@pytest.mark.rfc("J-13")
def test_key_22_a_new_key_costs_one_fetch(plain, clock, pair):
    plain.answers["/keys"] = key_set(pair[0])
    keys = jwks(plain, clock)
    assert known(keys, "one") == ["one"]
    first = keys.generation
    plain.answers["/keys"] = key_set(*pair)
    clock.turn(30)
    assert known(keys, "two") == ["two"]
    assert plain.calls() == 2
    assert keys.generation != first


@pytest.mark.rfc("J-13")
def test_key_23_a_key_that_is_withdrawn_ends_with_the_next_fetch(plain, clock, pair):
    plain.answers["/keys"] = key_set(*pair)
    keys = jwks(plain, clock)
    assert known(keys, "one") == ["one"]
    first = keys.generation
    plain.answers["/keys"] = key_set(pair[1])
    clock.turn(300)
    assert known(keys, "two") == ["two"]
    settled(keys)
    assert keys.generation != first
    assert known(keys, "one") == []
    assert plain.calls() == 2


def test_key_23_after_a_quiet_night_the_withdrawn_key_is_not_good_once_more(plain, clock, pair):
    plain.answers["/keys"] = key_set(*pair)
    keys = jwks(plain, clock)
    assert known(keys, "one") == ["one"]
    plain.answers["/keys"] = key_set(pair[1])
    clock.turn(8 * 3600)
    assert known(keys, "one") == []
    assert known(keys, "two") == ["two"]


def test_the_generation_stays_while_the_keys_do(plain, clock, pair):
    plain.answers["/keys"] = key_set(*pair)
    keys = jwks(plain, clock)
    known(keys, "one")
    first = keys.generation
    for _ in range(3):
        clock.turn(301)
        known(keys, "one")
        settled(keys)
    assert plain.calls() == 4
    assert keys.generation == first


def test_who_looks_at_the_generation_alone_hears_of_a_rotation(plain, clock, pair):
    plain.answers["/keys"] = key_set(pair[0])
    keys = jwks(plain, clock)
    assert keys.generation == 0
    assert plain.requests == []
    known(keys, "one")
    first = keys.generation
    plain.answers["/keys"] = key_set(pair[1])
    clock.turn(299)
    assert (keys.generation, plain.calls()) == (first, 1)
    clock.turn(2)
    assert keys.generation in (first, first + 1)  # fetched aside: nobody waits
    settled(keys)
    assert (keys.generation, plain.calls()) == (first + 1, 2)


# --- unknown key ids


@pytest.mark.rfc("J-13")
def test_key_20_ten_thousand_unknown_ids_while_the_server_is_well(plain, clock, pair):
    plain.answers["/keys"] = key_set(*pair)
    keys = jwks(plain, clock)
    known(keys, "one")
    clock.turn(30)
    assert known(keys, "junk") == []
    gc.collect()
    tracemalloc.start()
    for number in range(10_000):
        assert keys.candidates(f"junk{number}", "ES256") == ()
    grown, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert plain.calls() == 2
    assert grown < 16_384
    assert known(keys, "one") == ["one"]
    clock.turn(30)
    assert known(keys, "junk") == []
    assert plain.calls() == 3


def test_key_20_ten_thousand_unknown_ids_while_the_server_is_down(plain, clock, pair):
    plain.answers["/keys"] = key_set(*pair)
    keys = jwks(plain, clock)
    known(keys, "one")
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
            assert known(keys, "one") == ["one"]
        clock.turn(0.02)
    # At once, then after 1, 2, 4, 8, 16, 32 and 60 seconds each.
    ideal = [0, 1, 3, 7, 15, 31, 63, 123, 183]
    assert len(moments) == len(ideal)
    assert all(abs(moment - expected) < 0.5 for moment, expected in zip(moments, ideal, strict=True))


def test_key_21_known_ids_are_answered_while_a_slow_fetch_is_under_way(plain, clock, pair):
    plain.answers["/keys"] = key_set(pair[0])
    keys = jwks(plain, clock)
    known(keys, "one")
    clock.turn(30)
    gate = plain.answers["/keys"] = Gate(key_set(*pair), plain)
    outcomes = []

    def ask():
        try:
            outcomes.append(known(keys, "two"))
        except AuthUnavailable:
            outcomes.append("503")

    threads = [threading.Thread(target=ask) for _ in range(50)]
    for thread in threads:
        thread.start()
    gate.wait()
    for _ in range(100):
        assert known(keys, "one") == ["one"]
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
        asked = [pool.submit(known, keys, "one") for _ in range(32)]
        gate.wait()
        gate.open()
        assert [one.result(20) for one in asked] == [["one"]] * 32
    assert plain.calls() == 1


def test_one_fetch_in_the_background_however_many_ask(plain, clock, pair):
    plain.answers["/keys"] = key_set(*pair)
    keys = jwks(plain, clock)
    known(keys, "one")
    gate = plain.answers["/keys"] = Gate(key_set(*pair), plain)
    clock.turn(301)
    for _ in range(200):
        assert known(keys, "one") == ["one"]
    gate.wait()
    assert known(keys, "one") == ["one"]
    gate.open()
    settled(keys)
    assert plain.calls() == 2


# --- the server is down


BAD = {
    "html": answer(b"<html>login</html>", kind="text/html"),
    "page without a type": answer(b"<html>login</html>", kind="text/plain"),
    "nothing": answer(b""),
    "empty object": answer({}),
    "no keys": answer({"keys": []}),
    "no list": answer({"keys": {}}),
    "list": answer([]),
    "null": answer(None),
    "cut": answer(b'{"keys": [{"kty": "EC"'),
    "cut by length": b'HTTP/1.1 200 x\r\nContent-Length: 99\r\nConnection: close\r\n\r\n{"keys": []}',
    "twice": answer(b'{"keys": [], "keys": []}'),
    "NaN": answer(b'{"keys": [], "x": NaN}'),
    "deep": answer(b'{"keys": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"),
    "UTF-16": answer('{"keys": []}'.encode("utf-16")),
    "only broken keys": answer({"keys": [{"kty": "RSA", "kid": "one"}, 5, None]}),
    "only symmetric keys": answer({"keys": [{"kty": "oct", "k": "AyM1SysPpbyDfgZld3umj1qz", "kid": "one"}]}),
    "too many keys": answer({"keys": [{}] * 101}),
    "204": answer(b"", 204),
    "500": answer(b"", 500),
    "404": answer(b"", 404),
    "redirect": redirect("http://169.254.169.254/latest"),
    "hang up": hang_up,
    "150 MB": chunked_flood,
    "head flood": head_flood,
    "gzip": answer(b"\x1f\x8b", Content_Encoding="gzip"),
}
EACH = pytest.mark.parametrize("content", BAD.values(), ids=BAD)


@EACH
def test_key_14_without_keys_it_is_our_trouble(plain, clock, pair, content):
    plain.answers["/keys"] = content
    keys = jwks(plain, clock)
    for kid in ("one", None):
        with pytest.raises(AuthUnavailable) as caught:
            keys.candidates(kid, "ES256")
        assert caught.value.retry_after == 1
        assert caught.value.reason.startswith("JWKS http://localhost")
    assert plain.calls() == 1
    plain.answers["/keys"] = key_set(*pair)
    clock.turn(1)
    assert known(keys, "one") == ["one"]


@EACH
def test_key_16_nothing_bad_replaces_the_last_good_keys(plain, clock, pair, content):
    plain.answers["/keys"] = key_set(*pair)
    keys = jwks(plain, clock)
    known(keys, "one")
    first = keys.generation
    plain.answers["/keys"] = content
    for _ in range(3):
        clock.turn(700)
        assert known(keys, "one") == ["one"]
        settled(keys)
    assert keys.generation == first
    assert 2 <= plain.calls() <= 4


def test_key_15_a_slow_server_counts_as_down(plain, clock, pair):
    plain.answers["/keys"] = drip
    keys = jwks(plain, clock, timeout=0.5)
    with pytest.raises(AuthUnavailable, match="unavailable") as caught:
        keys.candidates("one", "ES256")
    assert "timed out" in caught.value.reason


def test_key_15_the_last_good_keys_serve_up_to_max_stale(plain, clock, pair, caplog):
    plain.answers["/keys"] = key_set(*pair)
    keys = jwks(plain, clock)
    known(keys, "one")
    first = keys.generation
    plain.answers["/keys"] = answer(b"secret", 503)
    begun = clock.now
    while clock.now <= begun + 86_400 - 50:
        clock.turn(50)
        assert known(keys, "one") == ["one"]
        settled(keys)
    told = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert 86_400 / 120 < len(told) <= 86_400 / 60
    assert plain.calls() <= 1 + 86_400 / 50
    assert "answered 503; the keys of 300 s ago serve" in told[0].getMessage()
    assert "secret" not in caplog.text
    clock.now = begun + 86_401
    assert keys.generation != first
    with pytest.raises(AuthUnavailable):
        keys.candidates("one", "ES256")


def test_key_15_a_short_max_stale(plain, clock, pair):
    plain.answers["/keys"] = key_set(*pair)
    keys = jwks(plain, clock, refresh_after=60, max_stale=120)
    known(keys, "one")
    plain.answers["/keys"] = answer(b"", 503)
    clock.turn(121)
    with pytest.raises(AuthUnavailable):
        keys.candidates("one", "ES256")


def test_an_outage_that_ends_is_told(plain, clock, pair, caplog):
    plain.answers["/keys"] = answer(b"", 503)
    keys = jwks(plain, clock)
    with pytest.raises(AuthUnavailable):
        keys.candidates("one", "ES256")
    plain.answers["/keys"] = key_set(*pair)
    clock.turn(2)
    known(keys, "one")
    assert [record.getMessage().split(": ", 1)[1] for record in caplog.records] == [
        f"GET {plain.url}/keys: answered 503; no keys: 503",
        "answers again",
    ]


def test_the_back_off_begins_anew_after_a_good_answer(plain, clock, pair):
    keys = jwks(plain, clock)
    for _ in range(2):
        plain.answers["/keys"] = answer(b"", 500)
        clock.turn(700)
        for pause in (1, 2, 4):
            with pytest.raises(AuthUnavailable) as caught:
                keys.candidates("junk", "ES256")
            assert caught.value.retry_after == pause
            clock.turn(pause)
        plain.answers["/keys"] = key_set(*pair)
        assert known(keys, "one") == ["one"]


def test_an_app_never_blames_the_client(plain, clock, pair, make_app):
    keys = jwks(plain, clock)
    auth = Auth(Bearer(lambda token: Identity("ada") if keys.candidates(token, "ES256") else None))
    app = make_app(auth)
    app.add_url_rule("/", view_func=auth.login_required(lambda: auth.identity.subject))
    ask = lambda token: app.test_client().get("/", headers={"Authorization": f"Bearer {token}"})  # noqa: E731
    plain.answers["/keys"] = answer(b"", 500)
    down = ask("one")
    assert (down.status_code, down.headers.get("WWW-Authenticate"), down.headers["Retry-After"]) == (503, None, "1")
    assert b"localhost" not in down.data
    plain.answers["/keys"] = key_set(*pair)
    clock.turn(1)
    assert (ask("one").data, ask("junk").status_code) == (b"ada", 401)


# --- a fetch of the user's, threads, forks, interruptions


def test_a_fetch_of_ones_own(clock, pair):
    asked = []

    def own(url):
        asked.append(url)
        return key_set(*pair).partition(b"\r\n\r\n")[2]

    keys = JWKS("https://as.example/keys", fetch=own)
    assert known(keys, "one") == ["one"]
    assert asked == ["https://as.example/keys"]


@pytest.mark.parametrize("trouble", [OSError, KeyError, MemoryError, RecursionError, FetchError, AuthUnavailable])
def test_fau_01_a_fetch_of_ones_own_that_fails(clock, trouble, caplog):
    def own(url):
        raise trouble("s3cret" if trouble is not FetchError else "told")

    keys = JWKS("https://as.example/keys", fetch=own)
    with pytest.raises(AuthUnavailable) as caught:
        keys.candidates("one", "ES256")
    assert "s3cret" not in caplog.text + caught.value.reason


@pytest.mark.parametrize("body", [None, "text", 5, {}, []])
def test_fau_01_a_fetch_of_ones_own_that_returns_no_bytes(body):
    keys = JWKS("https://as.example/keys", fetch=lambda url: body)
    with pytest.raises(AuthUnavailable):
        keys.candidates("one", "ES256")


def test_an_interrupted_fetch_holds_nobody_up(pair):
    answers = [KeyboardInterrupt, SystemExit]

    def own(url):
        if answers:
            raise answers.pop()
        return key_set(*pair).partition(b"\r\n\r\n")[2]

    keys = JWKS("https://as.example/keys", fetch=own)
    keys._clock = clock = Clock()
    for kind in (SystemExit, KeyboardInterrupt):
        with pytest.raises(kind):
            keys.candidates("one", "ES256")
        clock.turn(10)
    assert known(keys, "one") == ["one"]


def no_threads(trouble):
    """The module threading, whose threads cannot be started, or never run."""
    thread = mock.Mock(**{"return_value.start.side_effect": trouble})
    return SimpleNamespace(Thread=thread, Event=threading.Event)


def test_no_thread_can_be_started(plain, clock, pair, monkeypatch):
    plain.answers["/keys"] = key_set(pair[0])
    keys = jwks(plain, clock)
    known(keys, "one")
    plain.answers["/keys"] = key_set(pair[1])
    clock.turn(301)
    with monkeypatch.context() as patch:
        patch.setattr("flask_unauthorized.loaders.jwks.threading", no_threads(RuntimeError("can't start new thread")))
        assert known(keys, "one") == ["one"]
    clock.turn(1)
    keys.candidates("one", "ES256")
    settled(keys)
    assert known(keys, "two") == ["two"]


def test_a_thread_that_never_runs_is_given_up(plain, clock, pair, monkeypatch):
    """As under uWSGI without --enable-threads."""
    plain.answers["/keys"] = key_set(pair[0])
    keys = jwks(plain, clock)
    known(keys, "one")
    clock.turn(301)
    monkeypatch.setattr("flask_unauthorized.loaders.jwks.threading", no_threads(None))
    assert known(keys, "one") == ["one"]
    plain.answers["/keys"] = key_set(pair[1])
    clock.turn(11)  # given up, and told
    assert known(keys, "one") == ["one"]
    assert plain.calls() == 1
    clock.turn(1)
    assert known(keys, "two") == ["two"]  # fetched by the request itself
    plain.answers["/keys"] = key_set(pair[0])
    clock.turn(301)
    assert known(keys, "one") == ["one"]
    assert plain.calls() == 3


def test_a_fetch_that_comes_too_late_changes_nothing(plain, clock, pair):
    plain.answers["/keys"] = key_set(pair[0])
    keys = jwks(plain, clock)
    known(keys, "one")
    late = plain.answers["/keys"] = Gate(key_set(pair[0]), plain)
    clock.turn(301)
    known(keys, "one")
    late.wait()
    lost = keys._under_way
    plain.answers["/keys"] = key_set(pair[1])
    clock.turn(11)  # given up
    with pytest.raises(AuthUnavailable):
        keys.candidates("two", "ES256")
    clock.turn(2)
    assert known(keys, "two") == ["two"]
    assert lost.done.is_set()
    late.open()
    for _ in range(2000):
        if not any(thread.name == "flask_unauthorized JWKS" for thread in threading.enumerate()):
            break
        threading.Event().wait(0.01)
    assert known(keys, "two") == ["two"]
    assert known(keys, "one") == []


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system doesn't fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_key_25_a_child_of_a_fork_in_the_middle_of_a_fetch(plain, clock, pair):
    plain.answers["/keys"] = key_set(pair[0])
    keys = jwks(plain, clock)
    known(keys, "one")
    gate = plain.answers["/keys"] = Gate(key_set(*pair), plain)
    clock.turn(601)
    asking = threading.Thread(target=known, args=(keys, "one"))
    asking.start()
    gate.wait()
    plain.answers["/keys"] = key_set(*pair)
    with keys._lock:  # as if another thread held it
        child = os.fork()
        if child == 0:
            status = 1
            try:
                status = 0 if known(keys, "two") == ["two"] and known(keys, "one") == ["one"] else 2
            finally:
                os._exit(status)
    gate.open()
    asking.join()
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    assert known(keys, "two") == ["two"]
    assert plain.calls() == 3


def test_key_24_keys_live_in_this_process_only(plain, clock, pair):
    plain.answers["/keys"] = key_set(*pair)
    keys = jwks(plain, clock)
    known(keys, "one")
    with pytest.raises(TypeError):
        pickle.dumps(keys)


# --- discovery


def metadata(server, issuer=None, **members):
    return answer({"issuer": issuer or server.url, "jwks_uri": server.url + "/keys", **members})


PLACES = {
    "": ("/.well-known/oauth-authorization-server", "/.well-known/openid-configuration"),
    "/issuer1": ("/.well-known/oauth-authorization-server/issuer1", "/issuer1/.well-known/openid-configuration"),
    "/issuer1/": ("/.well-known/oauth-authorization-server/issuer1", "/issuer1/.well-known/openid-configuration"),
    "/": ("/.well-known/oauth-authorization-server", "/.well-known/openid-configuration"),
}


def of_issuer(server, path="", **options):
    keys = JWKS.of_issuer(server.url + path, allow_http_loopback=True, **options)
    keys._clock = options.get("clock") or Clock()
    return keys


@pytest.mark.rfc("AS-01", "J-13")
@pytest.mark.parametrize("second", [False, True], ids=["rfc8414", "openid"])
@pytest.mark.parametrize("path", PLACES)
def test_as_01_keys_of_an_issuer(plain, pair, path, second):
    plain.answers[PLACES[path][second]] = metadata(plain, plain.url + path)
    plain.answers["/keys"] = key_set(*pair)
    keys = of_issuer(plain, path)
    assert plain.requests == []
    assert known(keys, "one") == ["one"]
    assert [request.target for request in plain.requests] == [*PLACES[path][: second + 1], "/keys"]


@pytest.mark.rfc("AS-02", "AS-04")
@pytest.mark.parametrize(
    "lie", ["/", "/issuer1/", "/Issuer1", "/issuer1?", "/%69ssuer1", "//issuer1", "/issuer1/x", None]
)
def test_as_02_another_issuer_in_the_metadata(plain, pair, lie, caplog):
    for place in PLACES["/issuer1"]:
        plain.answers[place] = metadata(plain, "https://evil.example" if lie is None else plain.url + lie)
    plain.answers["/keys"] = key_set(*pair)
    keys = of_issuer(plain, "/issuer1")
    with pytest.raises(AuthUnavailable) as caught:
        keys.candidates("one", "ES256")
    assert "to the letter" in caught.value.reason
    assert "evil" not in caplog.text
    assert plain.calls("/keys") == 0


@pytest.mark.rfc("AS-04")
def test_as_04_host_names_compare_as_they_are_written(plain, pair):
    plain.answers[PLACES[""][0]] = metadata(plain, plain.url.replace("localhost", "LOCALHOST"))
    plain.answers["/keys"] = key_set(*pair)
    with pytest.raises(AuthUnavailable):
        of_issuer(plain).candidates("one", "ES256")


@pytest.mark.rfc("AS-03")
@pytest.mark.parametrize(
    "uri",
    [None, 5, "", "http://as.example/keys", "file:///etc/passwd", "/keys", "https://u:p@as.example/", ["https://x/"]],
)
def test_as_03_keys_that_are_nowhere(plain, uri):
    for place in PLACES[""]:
        plain.answers[place] = metadata(plain, jwks_uri=uri)
    with pytest.raises(AuthUnavailable, match="unavailable") as caught:
        of_issuer(plain).candidates("one", "ES256")
    assert "jwks_uri" in caught.value.reason


@pytest.mark.parametrize(
    "content", [answer([]), answer(b""), answer(b"<html>", kind="text/html"), answer(b"{", 200), answer(b"", 500)]
)
def test_metadata_that_is_none_in_one_place_and_good_in_the_other(plain, pair, content):
    plain.answers[PLACES[""][0]] = content
    plain.answers[PLACES[""][1]] = metadata(plain)
    plain.answers["/keys"] = key_set(*pair)
    assert known(of_issuer(plain), "one") == ["one"]


def test_a_server_that_is_gone_is_asked_once(plain):
    plain.answers[PLACES[""][0]] = hang_up
    with pytest.raises(AuthUnavailable):
        of_issuer(plain).candidates("one", "ES256")
    assert plain.calls() == 1


def test_all_fetches_for_an_issuer_share_one_time(plain):
    plain.answers[PLACES[""][0]] = answer(b"", 404)
    plain.answers[PLACES[""][1]] = drip
    with pytest.raises(AuthUnavailable) as caught:
        of_issuer(plain, timeout=0.5).candidates("one", "ES256")
    assert "timed out" in caught.value.reason


def test_the_metadata_is_read_anew_when_the_keys_have_moved(plain, pair):
    plain.answers[PLACES[""][0]] = metadata(plain)
    plain.answers["/keys"] = key_set(pair[0])
    clock = Clock()
    keys = of_issuer(plain)
    keys._clock = clock
    known(keys, "one")
    clock.turn(30)
    known(keys, "two")
    assert plain.calls(PLACES[""][0]) == 1
    del plain.answers["/keys"]
    plain.answers["/moved"] = key_set(*pair)
    plain.answers[PLACES[""][0]] = metadata(plain, jwks_uri=plain.url + "/moved")
    clock.turn(30)
    with pytest.raises(AuthUnavailable):
        keys.candidates("two", "ES256")
    clock.turn(1)
    assert known(keys, "two") == ["two"]
    assert keys.url == plain.url + "/moved"


@pytest.mark.parametrize(
    "issuer", ["http://as.example", "https://as.example?x=1", "https://as.example#x", "as.example", ""]
)
@pytest.mark.rfc("AS-03")
def test_an_issuer_that_is_none(issuer):
    with pytest.raises(ConfigurationError):
        JWKS.of_issuer(issuer)


# --- set-up


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("refresh_after", 5), ("refresh_after", -1), ("refresh_after", float("nan")), ("max_stale", 0),
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
    assert known(JWKS(tls.url + "/keys", ca_file=ca_file), "one") == ["one"]
    assert fetch(tls.url + "/keys", ca_file=ca_file)


def test_reprs():
    assert repr(JWKS("https://as.example/keys")) == "<JWKS https://as.example/keys>"
    assert repr(JWKS.of_issuer("https://as.example")) == "<JWKS of https://as.example>"

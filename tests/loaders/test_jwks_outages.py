"""Keys are kept while their server is down, and whatever becomes of a fetch."""

import logging
import os
import pickle
import signal
import threading
from types import SimpleNamespace
from unittest import mock

import pytest

from flask_unauthorized import Auth, AuthUnavailable, Bearer, Identity
from flask_unauthorized.http_client.client import FetchError
from flask_unauthorized.loaders.jwks import JWKS
from tests.http_client.server import (
    Gate,
    answer,
    chunked_flood,
    drip,
    hang_up,
    head_flood,
    redirect,
)  # fmt: skip

from .keys import Clock, find_ids, jwks, key_set, wait_for_fetch

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
def test_key_14_without_keys_it_is_a_server_side_failure(plain, clock, pair, content):
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
    assert find_ids(keys, "one") == ["one"]


@EACH
def test_key_16_nothing_bad_replaces_the_last_good_keys(plain, clock, pair, content):
    plain.answers["/keys"] = key_set(*pair)
    keys = jwks(plain, clock)
    find_ids(keys, "one")
    plain.answers["/keys"] = content
    for _ in range(3):
        clock.turn(700)
        assert find_ids(keys, "one") == ["one"]
        wait_for_fetch(keys)
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
    find_ids(keys, "one")
    plain.answers["/keys"] = answer(b"secret", 503)
    begun = clock.now
    while clock.now <= begun + 86_400 - 50:
        clock.turn(50)
        assert find_ids(keys, "one") == ["one"]
        wait_for_fetch(keys)
    told = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert 86_400 / 120 < len(told) <= 86_400 / 60
    assert plain.calls() <= 1 + 86_400 / 50
    assert "responded with 503; the keys of 300 s ago serve" in told[0].getMessage()
    assert "secret" not in caplog.text
    clock.now = begun + 86_401
    with pytest.raises(AuthUnavailable):
        keys.candidates("one", "ES256")


def test_key_15_a_short_max_stale(plain, clock, pair):
    plain.answers["/keys"] = key_set(*pair)
    keys = jwks(plain, clock, cache=60, max_stale=120)
    find_ids(keys, "one")
    plain.answers["/keys"] = answer(b"", 503)
    clock.turn(121)
    with pytest.raises(AuthUnavailable):
        keys.candidates("one", "ES256")


@pytest.mark.asvs("V16.3.4")
def test_an_outage_that_ends_is_told(plain, clock, pair, caplog):
    plain.answers["/keys"] = answer(b"", 503)
    keys = jwks(plain, clock)
    with pytest.raises(AuthUnavailable):
        keys.candidates("one", "ES256")
    plain.answers["/keys"] = key_set(*pair)
    clock.turn(2)
    find_ids(keys, "one")
    assert [record.getMessage().split(": ", 1)[1] for record in caplog.records] == [
        f"GET {plain.url}/keys: responded with 503; no keys: 503",
        "responds again",
    ]


@pytest.mark.asvs("V13.1.3")
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
        assert find_ids(keys, "one") == ["one"]


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
    assert find_ids(keys, "one") == ["one"]
    assert asked == ["https://as.example/keys"]


@pytest.mark.parametrize("error", [OSError, KeyError, MemoryError, RecursionError, FetchError, AuthUnavailable])
def test_fau_01_a_fetch_of_ones_own_that_fails(clock, error, caplog):
    def own(url):
        raise error("s3cret" if error is not FetchError else "told")

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
    assert find_ids(keys, "one") == ["one"]


def no_threads(error):
    """The module threading, whose threads cannot be started, or never run."""
    thread = mock.Mock(**{"return_value.start.side_effect": error})
    return SimpleNamespace(Thread=thread, Event=threading.Event)


def test_no_thread_can_be_started(plain, clock, pair, monkeypatch):
    plain.answers["/keys"] = key_set(pair[0])
    keys = jwks(plain, clock)
    find_ids(keys, "one")
    plain.answers["/keys"] = key_set(pair[1])
    clock.turn(301)
    with monkeypatch.context() as patch:
        patch.setattr("flask_unauthorized.loaders.jwks.threading", no_threads(RuntimeError("can't start new thread")))
        assert find_ids(keys, "one") == ["one"]
    clock.turn(1)
    keys.candidates("one", "ES256")
    wait_for_fetch(keys)
    assert find_ids(keys, "two") == ["two"]


def test_a_thread_that_never_runs_is_given_up(plain, clock, pair, monkeypatch):
    """As under uWSGI without --enable-threads."""
    plain.answers["/keys"] = key_set(pair[0])
    keys = jwks(plain, clock)
    find_ids(keys, "one")
    clock.turn(301)
    monkeypatch.setattr("flask_unauthorized.loaders.jwks.threading", no_threads(None))
    assert find_ids(keys, "one") == ["one"]
    plain.answers["/keys"] = key_set(pair[1])
    clock.turn(11)  # given up, and told
    assert find_ids(keys, "one") == ["one"]
    assert plain.calls() == 1
    clock.turn(1)
    assert find_ids(keys, "two") == ["two"]  # fetched by the request itself
    plain.answers["/keys"] = key_set(pair[0])
    clock.turn(301)
    assert find_ids(keys, "one") == ["one"]
    assert plain.calls() == 3


def test_a_fetch_that_comes_too_late_changes_nothing(plain, clock, pair):
    plain.answers["/keys"] = key_set(pair[0])
    keys = jwks(plain, clock)
    find_ids(keys, "one")
    late = plain.answers["/keys"] = Gate(key_set(pair[0]), plain)
    clock.turn(301)
    find_ids(keys, "one")
    late.wait()
    lost = keys._under_way
    plain.answers["/keys"] = key_set(pair[1])
    clock.turn(11)  # given up
    with pytest.raises(AuthUnavailable):
        keys.candidates("two", "ES256")
    clock.turn(2)
    assert find_ids(keys, "two") == ["two"]
    assert lost.done.is_set()
    late.open()
    for _ in range(2000):
        if not any(thread.name == "flask_unauthorized JWKS" for thread in threading.enumerate()):
            break
        threading.Event().wait(0.01)
    assert find_ids(keys, "two") == ["two"]
    assert find_ids(keys, "one") == []


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system doesn't fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_key_25_a_child_of_a_fork_in_the_middle_of_a_fetch(plain, clock, pair):
    plain.answers["/keys"] = key_set(pair[0])
    keys = jwks(plain, clock)
    find_ids(keys, "one")
    gate = plain.answers["/keys"] = Gate(key_set(*pair), plain)
    clock.turn(601)
    asking = threading.Thread(target=find_ids, args=(keys, "one"))
    asking.start()
    gate.wait()
    plain.answers["/keys"] = key_set(*pair)
    with keys._lock:  # as if another thread held it
        child = os.fork()
        if child == 0:
            signal.alarm(20)  # ends a child that waits for ever, for nobody else would
            status = 1
            try:
                status = 0 if find_ids(keys, "two") == ["two"] and find_ids(keys, "one") == ["one"] else 2
            finally:
                os._exit(status)
    gate.open()
    asking.join(60)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    assert find_ids(keys, "two") == ["two"]
    assert plain.calls() == 3


def test_key_24_keys_live_in_this_process_only(plain, clock, pair):
    plain.answers["/keys"] = key_set(*pair)
    keys = jwks(plain, clock)
    find_ids(keys, "one")
    with pytest.raises(TypeError):
        pickle.dumps(keys)

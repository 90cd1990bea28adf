"""What cannot be known is 503, and costs nobody else anything."""

import gc
import itertools
import json
import logging
import os
import signal
import threading
import tracemalloc
import urllib.error
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest

from flask_unauthorized import (
    Auth,
    AuthUnavailable,
    Basic,
    Bearer,
    InvalidCredentials,
)  # fmt: skip
from flask_unauthorized.http_client.client import FetchError
from flask_unauthorized.loaders.introspection import Introspection, IntrospectionRefused
from tests.http_client.server import Gate, answer, chunked_flood, drip, hang_up, head_flood, redirect

from .asking import ACTIVE, AUDIENCE, SECRET, TOKEN, make_introspection, with_clock
from .keys import Clock

# --- outages


BAD = {
    "400": answer({"error": "invalid_request"}, 400),
    "401": answer({"error": "invalid_client"}, 401, WWW_Authenticate="Basic realm=as"),
    "403": answer(b"", 403),
    "429": answer(b"", 429),
    "500": answer(b"", 500),
    "503": answer(b"", 503),
    "204": answer(b"", 204),
    "html": answer(b"<html>", kind="text/html"),
    "nothing": answer(b""),
    "list": answer([]),
    "true": answer(True),
    "null": answer(None),
    "cut": answer(b'{"active": tr'),
    "cut by length": b'HTTP/1.1 200 x\r\nContent-Length: 99\r\nConnection: close\r\n\r\n{"active": true}',
    "twice": answer(b'{"active": true, "active": true}'),
    "NaN": answer(b'{"active": true, "exp": NaN}'),
    "huge": answer(b'{"active": true, "exp": 1e999}'),
    "deep": answer(b'{"active": true, "x": ' + b"[" * 90_000 + b"]" * 90_000 + b"}"),
    "deeper": answer(b'{"active": true, "x": ' + b"[" * 30_000 + b"]" * 30_000 + b"}"),
    "UTF-16": answer(json.dumps(ACTIVE).encode("utf-16")),
    "latin-1": answer('{"active": true, "sub": "jürgen"}'.encode("latin-1")),
    "BOM": answer(b"\xef\xbb\xbf" + json.dumps(ACTIVE).encode()),
    "redirect": redirect("http://127.0.0.1:1/"),
    "hang up": hang_up,
    "150 MB": chunked_flood,
    "head flood": head_flood,
    "gzip": answer(b"\x1f\x8b", Content_Encoding="gzip"),
    "64 KiB": answer(json.dumps({**ACTIVE, "x": "x" * 65536}).encode()),
}


@pytest.mark.rfc("I-06", "I-07")
@pytest.mark.parametrize("content", BAD.values(), ids=BAD)
def test_int_02_what_cannot_be_known_is_503_and_not_remembered(plain, make_app, content, caplog):
    plain.answers["/introspect"] = content
    auth = Auth(Bearer(make_introspection(plain)))
    app = make_app(auth)
    app.add_url_rule("/", view_func=auth.login_required(lambda: auth.identity.subject))
    ask = lambda: app.test_client().get("/", headers={"Authorization": f"Bearer {TOKEN}"})  # noqa: E731
    response = ask()
    assert (response.status_code, response.headers.get("WWW-Authenticate")) == (503, None)
    assert int(response.headers["Retry-After"]) > 0
    assert b"localhost" not in response.data
    assert f"introspection at {plain.url}/introspect" in caplog.text
    assert SECRET not in caplog.text
    assert TOKEN not in caplog.text
    plain.answers["/introspect"] = answer(ACTIVE)
    assert ask().data == b"ada"


@pytest.mark.rfc("I-07")
def test_int_02_a_slow_answer(ask):
    with pytest.raises(AuthUnavailable) as caught:
        ask(drip, timeout=0.5)
    assert "timed out" in caught.value.reason


def test_a_server_that_is_silent_is_left_alone_and_one_that_answers_is_not(plain, monkeypatch, caplog):
    loader = with_clock(make_introspection(plain), clock := Clock(), monkeypatch)

    def fails():
        calls = plain.calls()
        with pytest.raises(AuthUnavailable) as caught:
            loader(TOKEN)
        return plain.calls() - calls, caught.value.retry_after

    plain.answers["/introspect"] = answer(b"", 500)
    assert [fails() for _ in range(5)] == [(1, 5)] * 5
    plain.answers["/introspect"] = hang_up
    assert [fails() for _ in range(5)] == [(1, 1), (1, 1), (1, 1), (0, 1), (0, 1)]
    for pause in (1, 2, 4, 8, 10, 10):
        clock.turn(pause - 0.5)
        assert fails()[0] == 0
        clock.turn(0.5)
        assert fails()[0] == 1
    clock.turn(10)
    plain.answers["/introspect"] = answer(ACTIVE)
    assert loader(TOKEN).subject == "ada"
    told = [record.getMessage() for record in caplog.records]
    assert told[-1].endswith("responds again")
    assert len(told) == 3  # the first 500, the first silence, and the end
    assert all(record.levelno == logging.WARNING for record in caplog.records)


@pytest.mark.rfc("I-13", "S-03")
def test_int_09_no_secret_anywhere(plain, caplog):
    caplog.set_level(logging.DEBUG)
    loader = make_introspection(plain, client_auth="client_secret_post")
    for content in (answer({"active": False}), answer(b"", 500), hang_up, answer({**ACTIVE, "exp": "x"})):
        plain.answers["/introspect"] = content
        with pytest.raises((InvalidCredentials, AuthUnavailable)) as caught:
            loader(f"{TOKEN}{content!r:.8}".replace(" ", ""))
        said = [str(caught.value), repr(caught.value), repr(caught.value.args), caught.value.reason, caplog.text]
        said += [repr(caught.value.__cause__), repr(caught.value.__context__), repr(loader), repr(loader.fresh())]
        said += [repr(vars(loader)), repr(vars(loader._endpoint)), repr(vars(loader._cache))]
        assert not any(SECRET in text or TOKEN in text for text in said)


@pytest.mark.parametrize("error", [OSError, KeyError, MemoryError, RecursionError, ValueError, InvalidCredentials])
def test_fau_01_a_post_of_ones_own_that_fails(error, caplog):
    def post(url, form, headers):
        raise error("s3cret")

    loader = Introspection("https://id.example/i", audience=None, client_id="a", client_secret="b", post=post)
    with pytest.raises(AuthUnavailable) as caught:
        loader(TOKEN)
    assert "s3cret" not in caplog.text + caught.value.reason


class HTTPError(OSError):
    """As requests.HTTPError, an OSError, and httpx.HTTPStatusError tell of a status."""

    def __init__(self, text):
        super().__init__(text)
        self.response = SimpleNamespace(status_code=400)


# F-32: callers who send junk must not lock out everybody else.
@pytest.mark.parametrize(
    "refusal",
    [
        IntrospectionRefused, IntrospectionRefused("400 s3cret"), HTTPError("400 Client Error"), RuntimeError("400"),
        urllib.error.HTTPError("https://id.example/i", 400, "s3cret", None, None), FetchError("400", status=400),
    ],
    ids=lambda refusal: refusal.__name__ if isinstance(refusal, type) else type(refusal).__name__,
)  # fmt: skip
def test_a_post_of_ones_own_for_which_the_server_rejected_junk(refusal, caplog):
    asked = []

    def post(url, form, headers):
        asked.append(form["token"])
        if form["token"].startswith("junk"):
            raise refusal
        return json.dumps(ACTIVE).encode()

    loader = Introspection("https://id.example/i", audience=None, client_id="a", client_secret="b", post=post)
    for number in range(10):
        with pytest.raises(AuthUnavailable):
            loader(f"junk{number}")
    assert loader(TOKEN).subject == "ada"
    with pytest.raises(AuthUnavailable):
        loader("junk1")
    assert asked.count("junk1") == 2  # it isn't kept
    assert "s3cret" not in caplog.text
    assert len(caplog.records) == 1


# F-32: silence is the server's, whatever token met it.
@pytest.mark.parametrize("error", [OSError, ConnectionError, TimeoutError, ConnectionResetError("s3cret")])
def test_a_post_of_ones_own_that_meets_silence_gets_a_pause(error):
    asked = []

    def post(url, form, headers):
        asked.append(form["token"])
        raise error

    loader = Introspection("https://id.example/i", audience=None, client_id="a", client_secret="b", post=post)
    for number in range(10):
        with pytest.raises(AuthUnavailable):
            loader(f"token{number}")
    assert len(asked) == 3


# F-32
@pytest.mark.parametrize(("between", "asked_for"), [(IntrospectionRefused, 10), (RuntimeError, 5)])
def test_only_an_answer_of_the_server_ends_a_series_of_silences(between, asked_for):
    """A rejection is an answer; an exception that says nothing of the server neither ends a series nor adds to it."""
    failures = itertools.cycle([TimeoutError, between])
    asked = []

    def post(url, form, headers):
        asked.append(form["token"])
        raise next(failures)

    loader = Introspection("https://id.example/i", audience=None, client_id="a", client_secret="b", post=post)
    for number in range(10):
        with pytest.raises(AuthUnavailable):
            loader(f"token{number}")
    assert len(asked) == asked_for


@pytest.mark.parametrize("body", [None, "text", 5, {"active": True}, [], True])
def test_fau_01_a_post_of_ones_own_that_returns_no_bytes(body):
    loader = Introspection(
        "https://id.example/i", audience=None, client_id="a", client_secret="b", post=lambda *args: body
    )
    with pytest.raises(AuthUnavailable):
        loader(TOKEN)


def test_a_post_of_ones_own():
    sent = []

    def post(url, form, headers):
        sent.append((url, form["token"], headers["Authorization"]))
        return json.dumps(ACTIVE).encode()

    loader = Introspection(
        "https://id.example/i", audience=AUDIENCE, client_id="s6BhdRkqt3", client_secret=SECRET, post=post
    )
    assert loader(TOKEN).subject == "ada"
    assert sent == [("https://id.example/i", TOKEN, "Basic czZCaGRSa3F0MzpnWDFmQmF0M2JW")]


def test_our_own_access_token_cannot_be_had(plain):
    def access_token():
        raise OSError("s3cret")

    with pytest.raises(AuthUnavailable) as caught:
        make_introspection(plain, client_id=None, client_secret=None, access_token=access_token)(TOKEN)
    assert "s3cret" not in caught.value.reason


# --- many at once


@pytest.mark.asvs("V13.1.2")
def test_int_08_as_many_at_a_time_as_allowed_and_other_schemes_go_on(plain, make_app):
    gate = plain.answers["/introspect"] = Gate(answer(ACTIVE), plain)
    auth = Auth(Bearer(make_introspection(plain, max_concurrent=4, timeout=30)), Basic(lambda name, password: True))
    app = make_app(auth)
    app.add_url_rule("/", view_func=auth.login_required(lambda: auth.identity.subject))

    def ask(number):
        return app.test_client().get("/", headers={"Authorization": f"Bearer junk{number}"}).status_code

    with ThreadPoolExecutor(4) as pool:
        waiting = [pool.submit(ask, number) for number in range(4)]
        for _ in range(4):
            gate.wait()
        assert [ask(number) for number in range(4, 200)] == [503] * 196
        assert app.test_client().get("/", auth=("ada", "x")).status_code == 200
        gate.open()
        assert [one.result(20) for one in waiting] == [200] * 4
    assert plain.calls() == 4
    assert ask(1000) == 200


def test_int_08_ten_thousand_tokens_leave_little_behind():
    answered = json.dumps({"active": False}).encode()
    loader = Introspection(
        "https://id.example/i", audience=None, client_id="a", client_secret="b", post=lambda *args: answered,
        cache_size=100,
    )  # fmt: skip

    def junk(numbers):
        for number in numbers:
            with pytest.raises(InvalidCredentials):
                loader(f"junk{number}")

    junk(range(200))
    gc.collect()
    tracemalloc.start()
    junk(range(200, 10_200))
    gc.collect()
    grown, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert grown < 100_000
    assert len(loader._cache._refusals) == 100


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system doesn't fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_key_25_a_child_of_a_fork_while_all_places_are_taken(plain):
    gate = plain.answers["/introspect"] = Gate(answer(ACTIVE), plain)
    loader = make_introspection(plain, max_concurrent=1)
    asking = threading.Thread(target=loader, args=(TOKEN,))
    asking.start()
    gate.wait()
    plain.answers["/introspect"] = answer(ACTIVE)
    with loader._cache._lock, loader._endpoint._lock:  # as if other threads held them
        child = os.fork()
        if child == 0:
            signal.alarm(20)  # ends a child that waits for ever, for nobody else would
            status = 1
            try:
                status = 0 if loader("another").subject == "ada" else 2
            finally:
                os._exit(status)
    _, status = os.waitpid(child, 0)
    gate.open()
    asking.join()
    assert os.waitstatus_to_exitcode(status) == 0

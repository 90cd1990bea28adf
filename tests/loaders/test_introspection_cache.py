"""What was heard is kept for a while, never too long, and never the token."""

import hashlib
import json
import threading
from datetime import timedelta
from urllib.parse import parse_qsl

import pytest

from flask_unauthorized import (
    Auth,
    Bearer,
    ConfigurationError,
    ExpiredCredentials,
    InvalidCredentials,
)  # fmt: skip
from flask_unauthorized.loaders.introspection import Introspection
from tests.http_client.server import answer

from .asking import ACTIVE, TOKEN, make_introspection, with_clock
from .keys import Clock


@pytest.mark.rfc("I-11")
def test_a_good_answer_is_kept_for_a_while(plain, monkeypatch):
    plain.answers["/introspect"] = answer(ACTIVE)
    loader = with_clock(make_introspection(plain), clock := Clock(), monkeypatch)
    for _ in range(3):
        assert loader(TOKEN).subject == "ada"
    clock.turn(59.9)
    assert loader(TOKEN).subject == "ada"
    assert plain.calls() == 1
    plain.answers["/introspect"] = answer({"active": False})
    clock.turn(0.2)
    with pytest.raises(InvalidCredentials):
        loader(TOKEN)
    assert plain.calls() == 2


def test_times_in_the_cache_as_a_timedelta(plain, monkeypatch):
    loader = make_introspection(plain, cache=timedelta(seconds=90), negative_cache=timedelta(seconds=3))
    clock = Clock()
    with_clock(loader, clock, monkeypatch)
    plain.answers["/introspect"] = answer(ACTIVE)
    for seconds, calls in ((0, 1), (89, 1), (2, 2)):
        clock.turn(seconds)
        loader(TOKEN)
        assert plain.calls() == calls
    plain.answers["/introspect"] = answer({"active": False})
    for seconds, calls in ((91, 3), (2, 3), (2, 4)):
        clock.turn(seconds)
        with pytest.raises(InvalidCredentials):
            loader(TOKEN)
        assert plain.calls() == calls


@pytest.mark.rfc("I-12")
@pytest.mark.parametrize("cache", [60, 600, timedelta(minutes=10)])
def test_int_07_never_past_the_end_of_the_token(plain, monkeypatch, cache):
    clock = Clock(1_000_000)
    plain.answers["/introspect"] = answer({**ACTIVE, "exp": 1_000_030})
    loader = with_clock(make_introspection(plain, cache=cache), clock, monkeypatch)
    assert loader(TOKEN).subject == "ada"
    clock.turn(29.9)
    assert loader(TOKEN).subject == "ada"
    clock.turn(0.1)
    with pytest.raises(ExpiredCredentials):
        loader(TOKEN)
    assert plain.calls() == 1


def test_int_07_a_bad_answer_is_kept_for_ten_seconds_at_most(plain, monkeypatch):
    plain.answers["/introspect"] = answer({"active": False})
    loader = with_clock(make_introspection(plain), clock := Clock(), monkeypatch)
    for _ in range(3):
        with pytest.raises(InvalidCredentials):
            loader(TOKEN)
    assert plain.calls() == 1
    plain.answers["/introspect"] = answer(ACTIVE)
    clock.turn(10)
    assert loader(TOKEN).subject == "ada"
    with pytest.raises(ConfigurationError, match="negative_cache"):
        make_introspection(plain, negative_cache=11)


def test_a_refusal_that_was_kept_keeps_its_kind(plain, monkeypatch):
    plain.answers["/introspect"] = answer({**ACTIVE, "exp": 1})
    loader = with_clock(make_introspection(plain), Clock(), monkeypatch)
    for _ in range(2):
        with pytest.raises(ExpiredCredentials):
            loader(TOKEN)
    assert plain.calls() == 1


def test_nothing_is_kept_where_so_asked(plain):
    loader = make_introspection(plain, cache=0, negative_cache=0)
    plain.answers["/introspect"] = answer(ACTIVE)
    for _ in range(2):
        loader(TOKEN)
    plain.answers["/introspect"] = answer({"active": False})
    for _ in range(2):
        with pytest.raises(InvalidCredentials):
            loader(TOKEN)
    assert plain.calls() == 4


@pytest.mark.rfc("S-03")
def test_int_06_tokens_are_told_apart_by_all_of_them_and_kept_as_digests(plain):
    same = "x" * 100

    def whose(request, sock):
        token = dict(parse_qsl(request.body.decode()))["token"]
        sock.sendall(answer({**ACTIVE, "sub": token[-1]}))

    plain.answers["/introspect"] = whose
    loader = make_introspection(plain)
    assert [loader(same + name).subject for name in "aabb"] == ["a", "a", "b", "b"]
    assert plain.calls() == 2
    assert [*loader._cache._identities] == [hashlib.sha256((same + name).encode()).digest() for name in "ab"]


def test_what_is_kept_is_bounded_and_junk_pushes_out_junk(plain, monkeypatch):
    def whose(request, sock):
        token = dict(parse_qsl(request.body.decode()))["token"]
        sock.sendall(answer({**ACTIVE, "active": token.startswith("good")}))

    plain.answers["/introspect"] = whose
    loader = with_clock(make_introspection(plain, cache_size=3), Clock(), monkeypatch)
    for number in range(3):
        loader(f"good{number}")
    for number in range(20):
        with pytest.raises(InvalidCredentials):
            loader(f"junk{number}")
    calls = plain.calls()
    for number in range(3):
        loader(f"good{number}")
    assert plain.calls() == calls
    loader("good3")
    loader("good0")  # the oldest made room
    assert plain.calls() == calls + 2
    assert (len(loader._cache._identities), len(loader._cache._refusals)) == (3, 3)


@pytest.mark.rfc("I-11")
def test_single_views_ask_anew(plain, make_app):
    plain.answers["/introspect"] = answer(ACTIVE)
    introspection = make_introspection(plain)
    bearer, careful = Bearer(introspection), Bearer(introspection.fresh())
    auth = Auth(bearer, careful)
    app = make_app(auth)
    auth.protect(app, via=bearer)
    app.add_url_rule("/notes", view_func=lambda: "notes", endpoint="notes")
    app.add_url_rule("/account", view_func=auth.login_required(via=careful)(lambda: "account"), endpoint="account")
    get = lambda path: app.test_client().get(path, headers={"Authorization": f"Bearer {TOKEN}"}).status_code  # noqa: E731
    assert [get("/notes"), get("/notes"), plain.calls()] == [200, 200, 1]
    assert [get("/account"), get("/account"), plain.calls()] == [200, 200, 3]
    plain.answers["/introspect"] = answer({"active": False})
    assert [get("/notes"), plain.calls()] == [200, 3]
    assert [get("/account"), plain.calls()] == [401, 4]
    assert [get("/notes"), plain.calls()] == [401, 4]  # what was heard anew replaces what was kept


# --- two answers about one token


class Slow:
    """A server whose first answer about a token is held back: it was decided before, and comes after the others."""

    def __init__(self, first, then):
        self.first, self.then = first, then
        self.asked = threading.Event()
        self.free = threading.Event()
        self.lock = threading.Lock()
        self.calls = 0

    def __call__(self, url, form, headers):
        with self.lock:
            self.calls += 1
            number = self.calls
        if number > 1:
            return json.dumps(self.then).encode()
        self.asked.set()
        assert self.free.wait(20)
        return json.dumps(self.first).encode()


def raced(first, then, **options):
    """The loader, and what came of a slow question and of the one that was asked after it."""
    server = Slow(first, then)
    loader = Introspection(
        "https://id.example/i", audience=None, client_id="a", client_secret="b", post=server, **options
    )
    outcomes = {}

    def ask(name, load):
        try:
            outcomes[name] = load(TOKEN).subject
        except InvalidCredentials as refusal:
            outcomes[name] = type(refusal)

    slow = threading.Thread(target=ask, args=("slow", loader))
    slow.start()
    assert server.asked.wait(20)
    ask("later", loader.fresh())
    server.free.set()
    slow.join(20)
    return loader, server, outcomes


# F-32: the token was revoked while the first answer was on its way.
@pytest.mark.parametrize("options", [{}, {"negative_cache": 0}, {"cache_size": 1}], ids=str)
def test_a_slow_yes_does_not_replace_a_later_no(options):
    loader, server, outcomes = raced(ACTIVE, {"active": False}, **options)
    assert outcomes == {"slow": InvalidCredentials, "later": InvalidCredentials}
    with pytest.raises(InvalidCredentials):
        loader(TOKEN)
    assert server.calls == (3 if options.get("negative_cache") == 0 else 2)
    assert not loader._cache._under_way  # nothing is remembered of questions that have ended


def test_a_slow_no_does_not_replace_a_later_yes():
    loader, server, outcomes = raced({"active": False}, ACTIVE)
    assert outcomes == {"slow": InvalidCredentials, "later": "ada"}
    assert loader(TOKEN).subject == "ada"
    assert server.calls == 2


def test_a_slow_yes_and_a_later_yes():
    loader, _, outcomes = raced({**ACTIVE, "sub": "old"}, {**ACTIVE, "sub": "new"})
    assert outcomes == {"slow": "old", "later": "new"}
    assert loader(TOKEN).subject == "new"


def test_a_question_of_after_both_is_newer_than_both():
    loader, server, _ = raced(ACTIVE, {"active": False})
    server.then = ACTIVE
    assert loader.fresh()(TOKEN).subject == "ada"
    assert loader(TOKEN).subject == "ada"


# T-03
@pytest.mark.parametrize("first", [TOKEN.lower(), TOKEN.upper(), TOKEN.swapcase()])
def test_tokens_that_differ_in_case_only_are_asked_about_apart(first):
    def post(url, form, headers):
        return json.dumps({"active": True, "sub": form["token"]}).encode()

    loader = Introspection("https://id.example/i", audience=None, client_id="a", client_secret="b", post=post)
    assert loader(first).subject == first
    assert loader(TOKEN).subject == TOKEN
    assert loader(first).subject == first


# T-03
@pytest.mark.parametrize("first", [TOKEN.lower(), TOKEN.upper()])
def test_a_refusal_of_a_token_that_differs_in_case_is_not_that_of_another(first):
    def post(url, form, headers):
        return json.dumps({"active": form["token"] == TOKEN, "sub": "ada"}).encode()

    loader = Introspection("https://id.example/i", audience=None, client_id="a", client_secret="b", post=post)
    with pytest.raises(InvalidCredentials):
        loader(first)
    assert loader(TOKEN).subject == "ada"

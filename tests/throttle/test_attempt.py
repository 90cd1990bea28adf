"""``with throttle.attempt(name) as attempt``: the login form of an app."""

from typing import Any

import pytest
from flask import abort, request

from flask_unauthorized import Auth, InvalidCredentials, SessionCookie, TooManyAttempts
from flask_unauthorized.stores.memory import MemoryStore
from flask_unauthorized.throttle import Limit, Throttle

from ..helpers import SECRET_KEY
from .conftest import HOME, OFFICE, guesses


@pytest.fixture
def form(make_app: Any) -> Any:
    """Serve a login form, and return what sends it."""

    def make(throttle, view=None):
        auth: Auth[Any] = Auth(SessionCookie(lambda subject: subject, login_view="log_in"), realm="site")
        app = make_app(auth, SECRET_KEY=SECRET_KEY, PROPAGATE_EXCEPTIONS=False)

        def log_in():
            with throttle.attempt(request.form["name"]) as attempt:
                if view is not None:
                    return view(attempt)
                if request.form["password"] != "right horse":
                    return "wrong", 422
                attempt.succeeded()
                auth.login(request.form["name"])
            return "welcome"

        app.add_url_rule("/login", "log_in", auth.public(log_in), methods=["GET", "POST"])

        def send(password, name="ada", address=HOME):
            response = app.test_client().post(
                "/login", data={"name": name, "password": password}, environ_overrides={"REMOTE_ADDR": address}
            )
            return response.status_code

        send.app = app
        return send

    return make


@pytest.mark.asvs("V6.3.1", "V6.6.3")
def test_failed_logins_are_limited(form, store, clock):
    send = form(Throttle(store))
    assert [send(guess) for guess in guesses(6)] == [422] * 5 + [429]
    assert send("right horse") == 429
    assert send("right horse", address=OFFICE) == 200
    assert send("right horse", name="bob") == 200
    clock.now += 60
    assert send("right horse") == 200
    assert [send(guess) for guess in guesses(6)] == [422] * 5 + [429]


def test_the_page_says_when_to_try_again(form, clock):
    send = form(Throttle(MemoryStore()))
    for guess in guesses(5):
        send(guess)
    response = send.app.test_client().post(
        "/login",
        data={"name": "ADA", "password": "guess"},
        environ_overrides={"REMOTE_ADDR": HOME},
        headers={"Accept": "text/html,application/xhtml+xml"},
    )
    assert response.status_code == 429
    assert response.headers["Retry-After"] == "60"
    assert response.headers["Cache-Control"] == "no-store"
    assert "Try again in 60 seconds." in response.text


@pytest.mark.parametrize(
    ("end", "status"),
    [
        (lambda attempt: ("no", 200), 200),
        (lambda attempt: abort(401), 401),
        (lambda attempt: abort(400), 400),
        (lambda attempt: abort(403), 403),
        (lambda attempt: (_ for _ in ()).throw(InvalidCredentials()), 401),
    ],
)
def test_what_does_not_succeed_is_a_failure(form, clock, end, status):
    send = form(Throttle(MemoryStore()), end)
    assert [send(guess) for guess in guesses(7)] == [status] * 5 + [429] * 2


@pytest.mark.parametrize(
    ("end", "status"),
    [
        (lambda attempt: 1 // 0, 500),
        (lambda attempt: abort(503), 503),
        (lambda attempt: abort(429), 429),
        (lambda attempt: (attempt.succeeded(), abort(400)), 400),
        (lambda attempt: (attempt.succeeded(), 1 // 0), 500),
    ],
)
def test_what_is_no_verdict_gives_the_attempt_back(form, clock, end, status):
    asked = []

    def view(attempt):
        asked.append(attempt)
        return end(attempt)

    send = form(Throttle(MemoryStore(), per_network=Limit(3, 60)), view)
    assert [send(guess) for guess in guesses(9)] == [status] * 9
    assert len(asked) == 9


def test_an_attempt_succeeds_once_and_inside_its_block(form, clock):
    kept = []
    send = form(Throttle(MemoryStore()), lambda attempt: (kept.append(attempt), "left")[1])
    assert send("guess") == 200
    with pytest.raises(RuntimeError, match=r"succeeded\(\) was called outside of the with block"):
        kept[0].succeeded()
    send = form(Throttle(MemoryStore()), lambda attempt: (attempt.succeeded(), attempt.succeeded()))
    assert send("guess") == 500


def test_the_refusal_is_an_exception_of_the_package(form, clock):
    throttle = Throttle(MemoryStore())
    send = form(throttle)
    for guess in guesses(5):
        send(guess)
    context = send.app.test_request_context("/login", environ_overrides={"REMOTE_ADDR": HOME})
    with context, pytest.raises(TooManyAttempts) as caught, throttle.attempt("ada"):
        raise AssertionError("the block runs")
    assert caught.value.retry_after == 60


def test_a_store_that_processes_do_not_share_is_reported_once(form, make_app, caplog):
    throttle = Throttle(MemoryStore())
    app = make_app(TESTING=False)
    for _ in range(2):
        with (
            app.test_request_context("/login", environ_overrides={"REMOTE_ADDR": HOME}),
            throttle.attempt("ada") as attempt,
        ):
            attempt.succeeded()
    [text] = caplog.messages
    assert text.startswith("Throttle.attempt: failed attempts are kept in a MemoryStore, which each process has for ")

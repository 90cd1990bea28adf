"""Ways around a guard that the set-up doesn't see: views that come late, preflights, and a check that fails."""

import logging
from typing import Any

import pytest
from flask import Flask
from flask.views import MethodView

from flask_unauthorized import Auth, Bearer, Identity, MissingCredentials, SessionCookie
from flask_unauthorized.signals import refused

GOOD = {"Authorization": "Bearer good"}
PREFLIGHT = {"Origin": "https://a.example", "Access-Control-Request-Method": "GET"}


def load(token: str) -> Identity | None:
    return Identity("ada") if token == "good" else None


@pytest.fixture
def auth() -> Auth[Any]:
    return Auth(Bearer(load), realm="shop")


# --- views that come while the app serves


@pytest.mark.parametrize("target", ["new endpoint", "another rule"])
def test_a_view_that_comes_late_is_refused_below_protect(make_app: Any, auth: Any, target: str) -> None:
    app = make_app(auth)
    auth.protect(app)
    app.add_url_rule("/", "view", lambda: "fine")
    client = app.test_client()
    assert client.get("/", headers=GOOD).data == b"fine"
    endpoint = "late" if target == "new endpoint" else "view"
    app.url_map.add(app.url_rule_class("/late", endpoint=endpoint, methods=["GET"]))
    app.view_functions.setdefault("late", lambda: "late")
    response = client.get("/late")
    assert response.status_code == 401
    assert b"late" not in response.data
    assert client.get("/late", headers=GOOD).status_code == 200


def test_a_view_that_comes_late_is_open_in_an_open_app(make_app: Any, auth: Any) -> None:
    app = make_app(auth)
    client = app.test_client()
    client.get("/")
    app.url_map.add(app.url_rule_class("/late", endpoint="late", methods=["GET"]))
    app.view_functions["late"] = lambda: "late"
    assert client.get("/late").data == b"late"


# --- preflights


@pytest.mark.parametrize("body", ["secret", ""])
def test_a_preflight_does_not_reach_the_options_method_of_a_protected_class(
    make_app: Any, auth: Any, body: str
) -> None:
    ran: list[str] = []

    class Page(MethodView):
        @auth.login_required
        def get(self) -> str:
            return "fine"

        def options(self) -> Any:
            ran.append("options")
            return body, {"X-Secret": "yes"}

    app = make_app(auth)
    auth.protect(app)
    app.add_url_rule("/", view_func=Page.as_view("page"))
    client = app.test_client()
    response = client.options("/", headers=PREFLIGHT)
    assert response.status_code == 200
    assert ran == []
    assert "X-Secret" not in response.headers
    assert "GET" in response.headers["Allow"]
    assert client.options("/").status_code == 401
    assert client.options("/", headers=GOOD).headers["X-Secret"] == "yes"


def test_an_open_options_method_runs_where_nothing_demands_a_caller(make_app: Any, auth: Any) -> None:
    class Page(MethodView):
        @auth.login_required
        def get(self) -> str:
            return "fine"

        def options(self) -> Any:
            return "", {"X-Own": "yes"}

    app = make_app(auth)
    app.add_url_rule("/", view_func=Page.as_view("page"))
    assert app.test_client().options("/", headers=PREFLIGHT).headers["X-Own"] == "yes"


@pytest.mark.parametrize("is_async", [False, True])
def test_a_guarded_hook_answers_preflights(make_app: Any, auth: Any, is_async: bool, caplog: Any) -> None:
    app = make_app(auth)

    if is_async:

        @app.before_request
        @auth.login_required
        async def hook() -> None:
            pass
    else:

        @app.before_request
        @auth.login_required
        def hook() -> None:
            pass

    app.add_url_rule("/", "view", lambda: "fine", methods=["GET", "OPTIONS"])
    client = app.test_client()
    with caplog.at_level(logging.WARNING):
        assert client.get("/").status_code == 401
        assert client.get("/", headers=GOOD).data == b"fine"
        assert client.options("/", headers=PREFLIGHT).status_code == 200
    assert "a guard runs that is not among its decorators" not in caplog.text


# --- a check that fails


@pytest.mark.parametrize("error", [OSError("postgres://user:s3cret@db"), ValueError("no")])
def test_open_routes_work_while_the_check_fails(error: Exception, caplog: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    is_down = True

    class Checked:
        def __call__(self, token: str) -> Identity | None:
            return load(token)

        def check_app(self, app: Flask) -> None:
            if is_down:
                raise error

    auth: Auth[Any] = Auth(Bearer(Checked()))
    app = Flask("app")
    auth.init_app(app)
    app.add_url_rule("/health", "health", lambda: "up")
    app.add_url_rule("/", "view", auth.login_required(lambda: "fine"))
    client = app.test_client()
    with caplog.at_level(logging.ERROR, "flask_unauthorized"):
        assert client.get("/health").data == b"up"
    ours = [record.getMessage() for record in caplog.records if record.name == "flask_unauthorized"]
    assert ours == [
        "guarded views respond with 500 until the check of the app 'app' passes: "
        f"{type(error).__name__} was raised in it"
    ]
    monkeypatch.setattr(app.logger, "disabled", True)  # what it logs has the secret; other tests share the logger
    assert client.get("/", headers=GOOD).status_code == 500
    is_down = False
    assert client.get("/", headers=GOOD).data == b"fine"
    assert client.get("/").status_code == 401


def test_no_caller_is_known_while_the_check_fails_and_the_log_has_no_text_of_the_error(caplog: Any) -> None:
    class Checked:
        def __call__(self, token: str) -> Identity | None:
            return load(token)

        def check_app(self, app: Flask) -> None:
            raise OSError("postgres://user:s3cret@db")

    auth: Auth[Any] = Auth(Bearer(Checked()))
    app = Flask("app")
    auth.init_app(app)
    app.add_url_rule("/", "open", lambda: str(auth.get_identity()))
    with caplog.at_level(logging.ERROR, "flask_unauthorized"):
        assert app.test_client().get("/", headers=GOOD).data == b"None"
    assert caplog.messages[-1] == (
        "no caller is identified until the check of the app 'app' passes: OSError was raised in it"
    )
    assert "s3cret" not in caplog.text


# --- errors that are raised again and again


def test_an_error_object_that_is_raised_again_forgets_the_scheme_of_the_last_request(make_app: Any, auth: Any) -> None:
    error = MissingCredentials()
    app = make_app(auth)

    def view() -> Any:
        raise error

    app.add_url_rule("/", "view", auth.login_optional(view))
    schemes: list[str | None] = []
    with refused.connected_to(lambda sender, error, **extra: schemes.append(error.scheme), app):
        app.test_client().get("/", headers=GOOD)
        app.test_client().get("/")
    assert schemes == ["Bearer", None]


def test_an_error_class_with_a_constructor_of_its_own_is_signaled(make_app: Any, auth: Any) -> None:
    class Coded(MissingCredentials):
        def __new__(cls, number: int) -> "Coded":  # noqa: PYI034  # Python 3.10 has no Self
            return super().__new__(cls, number)

        def __init__(self, number: int) -> None:
            super().__init__(f"Number {number}.")

    app = make_app(auth)

    def view() -> Any:
        raise Coded(7)

    app.add_url_rule("/", "view", auth.login_optional(view))
    messages: list[str] = []
    with refused.connected_to(lambda sender, error, **extra: messages.append(error.message), app):
        assert app.test_client().get("/").status_code == 401
    assert messages == ["Number 7."]


def test_the_reason_of_a_dropped_session_is_not_that_of_another_demand(make_app: Any) -> None:
    bearer = Bearer(load)
    session = SessionCookie(lambda name: Identity(name), idle=None, lifetime=1)
    auth: Auth[Any] = Auth(session, bearer, realm="shop")
    app = make_app(auth, SECRET_KEY="0123456789abcdef0123456789abcdef")

    @app.get("/")
    @auth.login_optional
    def view() -> str:
        return str(auth.require(via=bearer).subject)

    reasons: list[str] = []
    with refused.connected_to(lambda sender, error, **extra: reasons.append(error.reason), app):
        client = app.test_client()
        with client.session_transaction() as content:
            content["_unauthorized"] = "not written by auth.login()"
        client.get("/")
    (reason,) = reasons
    assert "Bearer in Authorization" in reason
    assert "Cookie" not in reason

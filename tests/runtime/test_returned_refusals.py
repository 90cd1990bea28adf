"""The dispatch form of a guarded view returns the response to a refusal. Whoever else is asked is asked as before."""

from collections.abc import Callable
from typing import Any

import pytest
from flask import Blueprint, Flask, Response, abort, jsonify
from werkzeug.exceptions import HTTPException

from flask_unauthorized import (
    Auth,
    AuthError,
    Basic,
    Bearer,
    Forbidden,
    Identity,
    InvalidCredentials,
    MissingCredentials,
    Unauthorized,
    abort_unauthorized,
)
from flask_unauthorized.signals import refused

BAD = {"Authorization": "Bearer bad"}
GOOD = {"Authorization": "Bearer good"}


def load(token: str) -> Identity | None:
    return Identity("ada") if token == "good" else None


@pytest.fixture
def auth() -> Auth[Any]:
    return Auth(Bearer(load), realm="shop")


def serve(make_app: Callable[..., Flask], auth: Auth[Any], **config: Any) -> Flask:
    app = make_app(auth, **config)
    app.add_url_rule("/", "view", auth.login_required(lambda: "fine"))
    return app


def raised_to(app: Flask) -> list[Exception]:
    """The exceptions that reach Flask's error handling from here on."""
    seen: list[Exception] = []
    inner = app.handle_user_exception

    def handle(*arguments: Any) -> Any:
        seen.append(arguments[-1])
        return inner(*arguments)

    app.handle_user_exception = handle  # type: ignore[method-assign]
    return seen


# --- who is asked


def test_flask_handles_nothing_where_nobody_would_be_asked(make_app: Any, auth: Any) -> None:
    app = serve(make_app, auth)
    client = app.test_client()
    first = client.get("/")
    seen = raised_to(app)  # after the set-up, so that it doesn't count as another error handling
    again = client.get("/")
    assert seen == []
    assert (again.status_code, again.data, again.headers.getlist("WWW-Authenticate")) == (
        first.status_code,
        first.data,
        first.headers.getlist("WWW-Authenticate"),
    )
    assert first.headers["WWW-Authenticate"] == 'Bearer realm="shop"'


@pytest.mark.parametrize("registered_for", [401, Unauthorized, MissingCredentials, AuthError, HTTPException])
@pytest.mark.parametrize("on_blueprint", [False, True])
def test_a_handler_of_the_app_or_a_blueprint_is_asked(
    make_app: Any, auth: Any, registered_for: Any, on_blueprint: bool
) -> None:
    app = make_app(auth)
    blueprint = Blueprint("part", __name__)
    blueprint.add_url_rule("/", "view", auth.login_required(lambda: "fine"))
    owner = blueprint if on_blueprint else app
    owner.register_error_handler(registered_for, lambda error: (jsonify(mine=error.reason is not None), error.code))
    app.register_blueprint(blueprint)
    for _ in range(2):
        response = app.test_client().get("/")
        assert (response.status_code, response.json) == (401, {"mine": True})


def test_a_handler_of_another_blueprint_is_not_asked(make_app: Any, auth: Any) -> None:
    app = serve(make_app, auth)
    other = Blueprint("other", __name__)
    other.register_error_handler(401, lambda error: ("other", 418))
    app.register_blueprint(other)
    assert app.test_client().get("/").status_code == 401


@pytest.mark.parametrize("trap", ["TRAP_HTTP_EXCEPTIONS", "TRAP_BAD_REQUEST_ERRORS"])
def test_an_app_that_wants_http_exceptions_raised_gets_them(make_app: Any, auth: Any, trap: str) -> None:
    app = serve(make_app, auth, **{trap: True})
    app.test_client().get("/")
    seen = raised_to(app)
    app.test_client().get("/")
    assert [type(error) for error in seen] == [MissingCredentials]


def on_the_instance(app: Flask, calls: list[str]) -> None:
    inner = app.handle_user_exception

    def handle(*arguments: Any) -> Any:
        calls.append(type(arguments[-1]).__name__)
        return inner(*arguments)

    app.handle_user_exception = handle  # type: ignore[method-assign]


@pytest.mark.parametrize("method", ["handle_user_exception", "handle_http_exception", "dispatch_request"])
def test_a_tool_that_wraps_flasks_methods_on_the_class_sees_the_exception(
    make_app: Any, auth: Any, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    import functools

    inner = getattr(Flask, method)
    seen: list[str] = []

    @functools.wraps(inner)
    def traced(self: Flask, *arguments: Any) -> Any:
        try:
            result = inner(self, *arguments)
        except HTTPException as error:
            seen.append(type(error).__name__)
            raise
        seen.extend(type(one).__name__ for one in (*arguments, result) if isinstance(one, HTTPException))
        return result

    monkeypatch.setattr(Flask, method, traced)
    app = serve(make_app, auth)
    for _ in range(2):
        seen.clear()
        assert app.test_client().get("/", headers=BAD).status_code == 401
        assert "InvalidCredentials" in seen


def test_a_subclass_that_overrides_the_handling_sees_the_exception(auth: Any) -> None:
    class Traced(Flask):
        seen: list[str] = []

        def trap_http_exception(self, error: Exception) -> bool:
            self.seen.append(type(error).__name__)
            return super().trap_http_exception(error)

    app = Traced("app")
    auth.init_app(app)
    app.add_url_rule("/", "view", auth.login_required(lambda: "fine"))
    for _ in range(2):
        assert app.test_client().get("/").status_code == 401
    assert app.seen == ["MissingCredentials"] * 2


def test_an_extension_that_replaces_the_handling_on_the_app_sees_the_exception(make_app: Any, auth: Any) -> None:
    app = serve(make_app, auth)
    calls: list[str] = []
    on_the_instance(app, calls)
    for _ in range(2):
        assert app.test_client().get("/").status_code == 401
    assert calls == ["MissingCredentials"] * 2


# --- direct calls raise


def test_a_direct_call_of_a_decorated_function_raises(make_app: Any, auth: Any) -> None:
    app = make_app(auth)
    guarded = auth.login_required(lambda: "fine")
    app.add_url_rule("/", "view", guarded)
    app.test_client().get("/")
    with app.test_request_context("/"), pytest.raises(MissingCredentials):
        guarded()
    with app.test_request_context("/", headers=GOOD):
        assert guarded() == "fine"


@pytest.mark.parametrize("way", ["function", "view_functions"])
def test_a_call_by_another_view_raises(make_app: Any, auth: Any, way: str) -> None:
    app = make_app(auth)
    guarded = auth.login_required(lambda: "fine")
    app.add_url_rule("/", "view", guarded)

    @app.get("/caller")
    @auth.public
    def caller() -> str:
        try:
            return str((guarded if way == "function" else app.view_functions["view"])())
        except MissingCredentials:
            return "raised"

    app.test_client().get("/")
    assert app.test_client().get("/caller").data == b"raised"


# --- nothing else changes


def test_the_registered_function_keeps_name_and_attributes(make_app: Any, auth: Any) -> None:
    app = make_app(auth)

    @auth.login_required
    def view() -> str:
        """What it does."""
        return "fine"

    view.limit = "10/minute"  # type: ignore[attr-defined]
    app.add_url_rule("/", "view", view)
    app.add_url_rule("/open", "open", open_view := lambda: "")
    app.test_client().get("/")
    registered = app.view_functions["view"]
    assert (registered.__name__, registered.__doc__, registered.limit) == ("view", "What it does.", "10/minute")
    assert registered.__wrapped__ is view
    assert app.view_functions["open"] is open_view
    auth.check(app)


@pytest.mark.parametrize("refuse", [lambda: abort_unauthorized(), lambda: abort(401), lambda: ("", 401)])
def test_hooks_see_every_refusal_alike(make_app: Any, refuse: Any) -> None:
    auth: Auth[Any] = Auth(Bearer(load), Basic(lambda name, password: None), realm="shop")
    app = make_app(auth)
    app.add_url_rule("/", "view", auth.login_required(refuse))
    seen: list[tuple[int, bool]] = []

    @app.after_request
    def hook(response: Response) -> Response:
        seen.append((response.status_code, isinstance(response, Response)))
        response.headers["X-Hook"] = "yes"
        return response

    for headers in ({}, BAD, GOOD, BAD):
        response = app.test_client().get("/", headers=headers)
        assert response.status_code == 401
        assert response.headers["X-Hook"] == "yes"
    assert seen == [(401, True)] * 4


def test_teardown_functions_and_signals_are_those_of_a_handled_refusal(make_app: Any, auth: Any) -> None:
    app = serve(make_app, auth)
    torn: list[Any] = []
    heard: list[str] = []
    app.teardown_request(lambda error: torn.append(error))
    with refused.connected_to(lambda sender, error, **extra: heard.append(type(error).__name__), app):
        app.test_client().get("/", headers=BAD)
    assert torn == [None]
    assert heard == ["InvalidCredentials"]


def test_an_error_that_brings_its_own_response_is_raised(make_app: Any, auth: Any) -> None:
    class Teapot(Forbidden):
        response = Response("short and stout", 418)

    app = make_app(auth)

    def view() -> Any:
        raise Teapot

    app.add_url_rule("/", "view", auth.login_required(view))
    assert app.test_client().get("/", headers=GOOD).status_code == 418


def test_a_class_view_and_protect_return_theirs(make_app: Any, auth: Any) -> None:
    from flask.views import MethodView

    class Page(MethodView):
        decorators = [auth.login_required]

        def get(self) -> str:
            return "fine"

    app = make_app(auth)
    app.add_url_rule("/page", view_func=Page.as_view("page"))
    blueprint = Blueprint("part", __name__)
    blueprint.add_url_rule("/part", "view", lambda: "fine")
    app.register_blueprint(blueprint)
    auth.protect(blueprint)
    client = app.test_client()
    client.get("/page")
    seen = raised_to(app)
    for path in ("/page", "/part"):
        assert client.get(path, headers=BAD).status_code == 401
        assert client.get(path, headers=GOOD).data == b"fine"
    assert seen == []
    assert InvalidCredentials.code == 401

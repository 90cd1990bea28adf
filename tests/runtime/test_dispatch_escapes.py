"""Ways around the judgment of a guarded view: raised answers, preflights, calls of registered views, odd callables."""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import pytest
from flask import Blueprint, Response, abort, current_app, make_response
from flask.views import MethodView
from werkzeug.exceptions import HTTPException

from flask_unauthorized import Auth, Bearer, Identity
from tests.helpers import raise_error

CALLERS = {"ada": Identity("ada", roles={"admin"}), "bob": Identity("bob")}
ADA, BOB, BAD = ({"Authorization": f"Bearer {name}"} for name in ("ada", "bob", "nobody"))
PREFLIGHT = {"Origin": "https://shop.example", "Access-Control-Request-Method": "GET"}


@pytest.fixture
def auth() -> Auth[Any]:
    return Auth(Bearer(CALLERS.get))


class NotModified(HTTPException):
    """As flask-smorest raises it."""

    code = 304


class WithoutCode(HTTPException):
    """Flask answers 200 with the description."""

    description = "secret"


def fresh() -> Response:
    return make_response("secret")


RAISED: dict[str, tuple[Callable[[], Any], int]] = {
    "a response": (lambda: abort(fresh()), 200),
    "a response of a class of exceptions": (lambda: raise_error(HTTPException(response=fresh())), 200),
    "a WSGI app": (lambda: raise_error(HTTPException(response=fresh_wsgi)), 200),  # type: ignore[arg-type]
    "304": (lambda: raise_error(NotModified()), 304),
    "no code": (lambda: raise_error(WithoutCode()), 200),
}


def fresh_wsgi(environ: Any, start_response: Any) -> Any:
    return fresh()(environ, start_response)


@pytest.mark.parametrize("is_async", [False, True])
@pytest.mark.parametrize("shape", ["function", "class view"])
@pytest.mark.parametrize("raised", RAISED)
def test_an_answer_that_is_raised_above_the_guard_is_judged(
    make_app: Any, auth: Auth[Any], raised: str, shape: str, is_async: bool
) -> None:
    # F-02
    answer, status = RAISED[raised]

    def raising(view: Any) -> Any:
        if is_async:

            @functools.wraps(view)
            async def run_async(**kwargs: Any) -> Any:
                answer()

            return run_async
        return functools.wraps(view)(lambda **kwargs: answer())

    app = make_app(auth)
    guard = auth.login_required(roles={"admin"})
    if shape == "function":
        app.add_url_rule("/", "v", raising(guard(lambda: "ran")))
    else:

        class View(MethodView):
            decorators = [raising]

            @guard
            def get(self) -> str:
                return "ran"

        app.add_url_rule("/", view_func=View.as_view("v"))
    client = app.test_client()
    for headers, expected in ((ADA, status), ({}, 401), (BAD, 401), (BOB, 403), (ADA, status)):
        response = client.get("/", headers=headers)
        assert response.status_code == expected
        assert ("secret" in response.text) is (expected == 200)


@pytest.mark.parametrize("code", [302, 404, 429, 503])
def test_other_errors_that_are_raised_above_the_guard_pass(make_app: Any, auth: Auth[Any], code: int) -> None:
    app = make_app(auth)
    view = auth.login_required(lambda: "ran")
    app.add_url_rule("/", "v", functools.wraps(view)(lambda: abort(make_response("wait", code))))
    response = app.test_client().get("/")
    assert (response.status_code, response.text) == (code, "wait")


@pytest.mark.parametrize("protected", [False, True])
@pytest.mark.parametrize("shape", ["kept", "kept stream", "own method"])
def test_a_preflight_gets_nothing_of_a_guarded_view(
    make_app: Any, auth: Auth[Any], shape: str, protected: bool
) -> None:
    # F-02: anybody can send an OPTIONS request with the two fields of a preflight.
    app = make_app(auth)
    if protected:
        auth.protect(app)
    closed: list[bool] = []

    def keeping(view: Any) -> Any:
        def answer() -> Any:
            response = Response(iter(["secret"])) if shape == "kept stream" else Response("secret")
            response.call_on_close(lambda: closed.append(True))
            return response

        return functools.wraps(view)(answer)

    if shape != "own method":
        guarded = keeping(auth.login_required(lambda: "secret"))
        app.add_url_rule("/", "v", guarded, methods=["GET", "OPTIONS"])
    else:

        class View(MethodView):
            @auth.login_required
            def get(self) -> str:
                return "secret"

            def options(self) -> str:
                return "secret"

        if not protected:
            View.options = auth.login_required(View.options)  # type: ignore[method-assign]
        app.add_url_rule("/", view_func=View.as_view("v"))
    client = app.test_client()
    response = client.options("/", headers=PREFLIGHT)
    assert (response.status_code, response.text) == (200, "")
    assert "OPTIONS" in response.headers["Allow"]
    assert closed == ([] if shape == "own method" else [True])
    assert client.options("/").status_code == 401
    assert client.options("/", headers=ADA).text == "secret"


@pytest.mark.parametrize("shape", ["protect", "outer decorator", "class view", "async"])
def test_a_registered_view_keeps_its_demand_where_another_view_calls_it(
    make_app: Any, auth: Auth[Any], shape: str
) -> None:
    blueprint = Blueprint("b", "b", url_prefix="/b")
    guard = auth.login_required(roles={"admin"})
    if shape == "protect":
        auth.protect(blueprint, roles={"admin"})
        blueprint.add_url_rule("/", "v", lambda: "secret")
    elif shape == "outer decorator":
        guarded = guard(lambda: "secret")
        blueprint.add_url_rule("/", "v", functools.wraps(guarded)(lambda: "secret"))
    elif shape == "class view":

        class View(MethodView):
            decorators = [lambda view: functools.wraps(view)(lambda: "secret")]

            @guard
            def get(self) -> str:
                return "secret"

        blueprint.add_url_rule("/", view_func=View.as_view("v"))
    else:
        auth.protect(blueprint, roles={"admin"})

        async def view() -> str:
            return "secret"

        blueprint.add_url_rule("/", "v", view)
    app = make_app(auth)
    app.register_blueprint(blueprint)
    app.add_url_rule("/", "calls", lambda: current_app.ensure_sync(current_app.view_functions["b.v"])())
    client = app.test_client()
    for path in ("/", "/b/", "/"):
        for headers, status in (({}, 401), (BOB, 403), (ADA, 200)):
            response = client.get(path, headers=headers)
            assert response.status_code == status
            assert ("secret" in response.text) is (status == 200)


@pytest.mark.parametrize("guard", ["none", "protect", "public by name"])
def test_a_callable_without_a_hash_is_a_view(make_app: Any, auth: Auth[Any], guard: str) -> None:
    @dataclasses.dataclass
    class Greeting:  # compared by value, so without a hash
        text: str

        def __call__(self) -> str:
            return self.text

    app = make_app(auth)
    if guard != "none":
        auth.protect(app, public={"v"} if guard == "public by name" else ())
    app.add_url_rule("/", "v", Greeting("hello"))
    client = app.test_client()
    assert client.get("/").status_code == (401 if guard == "protect" else 200)
    assert client.get("/", headers=ADA).text == "hello"


def test_a_mistake_in_method_decorators_leaves_other_routes_alone(make_app: Any, auth: Auth[Any]) -> None:
    # F-47: auth.public can't mark a method that flask-restful makes anew on each request, and says so there.
    import flask_restful

    app = make_app(auth, PROPAGATE_EXCEPTIONS=False)

    class Resource(flask_restful.Resource):
        method_decorators = [auth.public]

        def get(self) -> str:
            return "in"

    flask_restful.Api(app).add_resource(Resource, "/r")
    app.add_url_rule("/health", "health", lambda: "up")
    client = app.test_client()
    assert client.get("/health").text == "up"
    assert client.get("/r").status_code == 500


@pytest.mark.parametrize("guard", ["login_required", "protect"])
@pytest.mark.parametrize("kind", ["partial", "object"])
def test_views_without_a_name_do_not_share_what_other_extensions_know_of_one(
    make_app: Any, auth: Auth[Any], kind: str, guard: str
) -> None:
    csrf_protect = pytest.importorskip("flask_wtf").CSRFProtect

    class Answer:
        def __init__(self, text: str) -> None:
            self.text = text

        def __call__(self) -> str:
            return self.text

    def view(text: str) -> Any:
        return functools.partial(str, text) if kind == "partial" else Answer(text)

    app = make_app(auth, SECRET_KEY="k" * 32)
    csrf = csrf_protect(app)
    app.add_url_rule("/hook", "hook", csrf.exempt(auth.login_required(view("hook"))), methods=["POST"])
    if guard == "protect":
        auth.protect(app)
        app.add_url_rule("/form", "form", view("form"), methods=["POST"])
    else:
        app.add_url_rule("/form", "form", auth.login_required(view("form")), methods=["POST"])
    client = app.test_client()
    assert client.post("/hook", headers=ADA).text == "hook"
    assert client.post("/form", headers=ADA).status_code == 400  # no CSRF token

"""Late judgment: what a decorator above the guard answers by itself leaves only for callers who meet the demand."""

import functools
import inspect
import logging
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask, Response, abort, make_response, redirect, request, stream_with_context
from flask.views import MethodView

from flask_unauthorized import Auth, Bearer, Identity, Unauthorized
from flask_unauthorized.signals import refused

CALLERS = {"ada": Identity("ada", roles={"admin"}), "bob": Identity("bob")}
ADA, BOB, BAD = ({"Authorization": f"Bearer {name}"} for name in ("ada", "bob", "nobody"))


def memo(view: Any) -> Any:
    """Keeps the first answer for everybody, without a look at who asks."""
    kept: list[Any] = []

    @functools.wraps(view)
    def run(*args: Any, **kwargs: Any) -> Any:
        if not kept:
            kept.append(make_response(view(*args, **kwargs)).get_data(as_text=True))
        return kept[0]

    return run


def stale_if_error(view: Any) -> Any:
    """Answers with the last good copy when the view fails, as caches for bad times do."""
    kept: list[Any] = []

    @functools.wraps(view)
    def run(*args: Any, **kwargs: Any) -> Any:
        try:
            kept[:] = [view(*args, **kwargs)]
        except Exception:
            if not kept:
                raise
        return kept[0]

    return run


def teaser(view: Any) -> Any:
    """Answers 200 with something else for those who are refused."""

    @functools.wraps(view)
    def run(*args: Any, **kwargs: Any) -> Any:
        try:
            return view(*args, **kwargs)
        except Unauthorized:
            return "buy our paper"

    return run


def unwrapping(view: Any) -> Any:
    """Calls the innermost function: the guard never runs."""
    bare = inspect.unwrap(view)
    return functools.wraps(view)(lambda *args, **kwargs: bare(*args, **kwargs))


OUTER: dict[str, Callable[[Any], Any]] = {
    "memo": memo, "stale if error": stale_if_error, "teaser": teaser, "unwrapping": unwrapping,
}  # fmt: skip
SHAPES = ("function", "partial", "class view", "method", "restful")


def add(app: Flask, shape: str, outer: Callable[[Any], Any], guard: Callable[[Any], Any]) -> None:
    """One view at / in one of several shapes, with ``outer`` above ``guard``."""
    if shape == "function":
        app.add_url_rule("/", "v", outer(guard(lambda: "secret")))
    elif shape == "partial":
        app.add_url_rule("/", "v", functools.partial(outer(guard(lambda text: text)), "secret"))
    elif shape == "class view":

        class Whole(MethodView):
            decorators = [guard, outer]

            def get(self) -> str:
                return "secret"

        app.add_url_rule("/", view_func=Whole.as_view("v"))
    elif shape == "method":

        class Method(MethodView):
            get = outer(guard(lambda self=None: "secret"))

        app.add_url_rule("/", view_func=Method.as_view("v"))
    else:
        import flask_restful

        class Resource(flask_restful.Resource):
            decorators = [outer]
            method_decorators = [guard]

            def get(self) -> str:
                return "secret"

        flask_restful.Api(app).add_resource(Resource, "/", endpoint="v")


@pytest.fixture
def auth() -> Auth[Any]:
    return Auth(Bearer(CALLERS.get))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("outer", OUTER)
def test_an_answer_from_above_the_guard_is_judged(make_app: Any, auth: Auth[Any], shape: str, outer: str) -> None:
    # F-02
    app = make_app(auth)
    add(app, shape, OUTER[outer], auth.login_required(roles={"admin"}))
    client = app.test_client()
    assert client.get("/", headers=ADA).status_code == 200
    for headers, status in (({}, 401), (BAD, 401), (BOB, 403), (ADA, 200), ({}, 401)):
        response = client.get("/", headers=headers)
        assert response.status_code == status
        assert ("secret" in response.text) is (status == 200)
        assert "paper" not in response.text


def test_async_decorators_above_the_guard(make_app: Any, auth: Auth[Any]) -> None:
    # F-02
    app = make_app(auth)
    kept: list[str] = []

    @auth.login_required(roles={"admin"})
    async def view() -> str:
        return "secret"

    @functools.wraps(view)
    async def outer() -> str:
        if not kept:
            kept.append(await view())
        return kept[0]

    app.add_url_rule("/", "v", outer)
    client = app.test_client()
    sent = (ADA, {}, BAD, BOB, ADA)
    assert [client.get("/", headers=headers).status_code for headers in sent] == [200, 401, 401, 403, 200]


@pytest.mark.parametrize("status", [200, 204, 206, 304])
def test_a_kept_answer_is_judged_whatever_its_success(make_app: Any, auth: Auth[Any], status: int) -> None:
    # F-02
    app = make_app(auth)

    def outer(view: Any) -> Any:
        return functools.wraps(view)(lambda: Response("kept" if status in (200, 206) else None, status))

    app.add_url_rule("/", "v", outer(auth.login_required(lambda: "")))
    assert app.test_client().get("/").status_code == 401
    assert app.test_client().get("/", headers=BOB).status_code == status


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (lambda: redirect("/elsewhere", code=302), 302),
        (lambda: ("too many", 429), 429),
        (lambda: ("down", 503), 503),
        (lambda: abort(422), 422),
        (lambda: ("gone", 410), 410),
    ],
)
def test_other_answers_of_outer_decorators_pass(make_app: Any, auth: Auth[Any], answer: Any, status: int) -> None:
    app = make_app(auth)
    app.add_url_rule("/", "v", functools.wraps(guarded := auth.login_required(lambda: ""))(lambda: answer()))
    assert guarded is not None
    assert app.test_client().get("/").status_code == status


def test_hooks_and_handlers_see_one_refusal_and_their_headers_stay(
    make_app: Any, auth: Auth[Any], caplog: pytest.LogCaptureFixture
) -> None:
    # F-02
    app = make_app(auth)
    seen: list[Any] = []
    told: list[Any] = []

    @app.after_request
    def stamp(response: Response) -> Response:
        seen.append(response.status_code)
        response.headers["X-Request-Id"] = "7"
        return response

    @app.errorhandler(401)
    def page(error: Any) -> Any:
        seen.append("handler")
        return "own page", 401

    app.add_url_rule("/", "v", stale_if_error(auth.login_required(lambda: "secret")))
    client = app.test_client()
    client.get("/", headers=ADA)
    seen.clear()
    caplog.set_level(logging.INFO, "flask_unauthorized")
    with refused.connected_to(lambda sender, error, **extra: told.append(type(error).__name__), app):
        response = client.get("/")
    assert (response.status_code, response.text, response.headers["X-Request-Id"]) == (401, "own page", "7")
    assert seen == ["handler", 401]
    assert told == ["MissingCredentials"]
    assert len([record for record in caplog.records if record.levelno == logging.INFO]) == 1


def test_the_endpoint_is_named_once(make_app: Any, auth: Auth[Any], caplog: pytest.LogCaptureFixture) -> None:
    app = make_app(auth)
    app.add_url_rule("/", "report", memo(auth.login_required(lambda: "secret")))
    client = app.test_client()
    for headers in (ADA, {}, BOB, {}):
        client.get("/", headers=headers)
    warnings = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert len(warnings) == 1
    assert "'report'" in warnings[0]
    assert "below @auth.login_required" in warnings[0]
    assert "caller" in warnings[0]


def test_a_replaced_answer_is_closed(make_app: Any) -> None:
    def fails(token: str) -> Any:
        raise ConnectionError

    auth = Auth(Bearer(fails))
    app = make_app(auth, PROPAGATE_EXCEPTIONS=False)
    closed: list[str] = []

    def outer(view: Any) -> Any:
        @functools.wraps(view)
        def run() -> Response:
            response = Response(stream_with_context(iter(["secret"])))
            response.call_on_close(lambda: closed.append(request.method))
            return response

        return run

    app.add_url_rule("/", "v", outer(auth.login_required(lambda: "")))
    assert app.test_client().get("/").status_code == 401
    assert closed == ["GET"]
    assert app.test_client().get("/", headers=ADA).status_code == 500
    assert closed == ["GET", "GET"]


def test_optional_views_are_judged_late_too(make_app: Any, auth: Auth[Any]) -> None:
    # F-02: wrong credentials are refused, none are fine.
    app = make_app(auth)
    app.add_url_rule("/", "v", memo(auth.login_optional(lambda: "hello")))
    client = app.test_client()
    assert [client.get("/", headers=headers).status_code for headers in ({}, BAD, ADA, {})] == [200, 401, 200, 200]


def test_another_demand_that_was_met_does_not_count(make_app: Any, auth: Auth[Any]) -> None:
    # F-02: "somebody judged something" isn't enough.
    app = make_app(auth)
    app.before_request(lambda: auth.require() and None)
    app.add_url_rule("/", "v", memo(auth.login_required(roles={"admin"})(lambda: "secret")))
    client = app.test_client()
    assert [client.get("/", headers=headers).status_code for headers in (ADA, BOB, ADA)] == [200, 403, 200]


def test_a_view_may_demand_more_and_may_log_out(make_app: Any) -> None:
    from flask_unauthorized import SessionCookie

    people = SessionCookie(lambda subject: Identity(subject, scopes={"more"}))
    auth = Auth(people, Bearer(CALLERS.get))
    app = make_app(auth, SECRET_KEY="0123456789abcdef0123456789abcdef")
    passing = lambda view: functools.wraps(view)(lambda: view())  # noqa: E731

    def more() -> str:
        return auth.require(scopes={"more"}).subject or ""

    def out() -> str:
        auth.logout()
        return "bye"

    app.add_url_rule("/in", "in", auth.public(lambda: auth.login("ada") and ""), methods=["POST"])
    app.add_url_rule("/more", "more", passing(auth.login_required(more)))
    app.add_url_rule("/out", "out", passing(auth.login_required(out)), methods=["POST"])
    client = app.test_client()
    client.post("/in")
    assert client.get("/more").text == "ada"
    assert client.post("/out").text == "bye"
    assert client.post("/out").status_code == 401


def test_what_protect_demands_is_judged_before_an_outer_decorator_runs(make_app: Any, auth: Auth[Any]) -> None:
    ran: list[str] = []
    app = make_app(auth)
    auth.protect(app)
    app.add_url_rule("/", "v", unwrapping(auth.login_required(roles={"admin"})(lambda: ran.append("ran") or "done")))
    client = app.test_client()
    assert client.get("/").status_code == 401
    assert ran == []


@pytest.mark.parametrize("optional", [False, True])
def test_the_schemes_of_the_view_count_also_where_protect_is_judged_first(make_app: Any, optional: bool) -> None:
    from flask_unauthorized import APIKey

    bearer, key = Bearer(CALLERS.get), APIKey(lambda key: Identity("machine") if key == "k" else None)
    auth = Auth(bearer, key)
    app = make_app(auth)
    auth.protect(app, via=bearer)
    guard = auth.login_optional(via=key) if optional else auth.login_required(via=key)
    app.add_url_rule("/", "v", functools.wraps(view := guard(lambda: "in"))(lambda: view()))
    client = app.test_client()
    assert client.get("/", headers={"X-API-Key": "k"}).text == "in"
    assert client.get("/", headers=ADA).status_code == (200 if optional else 401)
    assert client.get("/", headers={"X-API-Key": "bad"}).status_code == 401


def test_options_without_a_body_pass(make_app: Any, auth: Auth[Any]) -> None:
    app = make_app(auth)

    def cross_origin(view: Any) -> Any:
        @functools.wraps(view)
        def run() -> Any:
            return Response(headers={"Allow": "GET"}) if request.method == "OPTIONS" else view()

        return run

    app.add_url_rule("/", "v", cross_origin(auth.login_required(lambda: "secret")), methods=["GET", "OPTIONS"])
    assert app.test_client().options("/").status_code == 200
    app2 = make_app(second := Auth(Bearer(CALLERS.get)))
    app2.add_url_rule("/", "v", memo(second.login_required(lambda: "secret")), methods=["GET", "OPTIONS"])
    client = app2.test_client()
    assert client.options("/", headers=ADA).text == "secret"
    assert client.options("/").status_code == 401


# --- guards that the set-up can't see


def without_wraps(view: Any) -> Any:
    return lambda: view()


@pytest.mark.parametrize("hidden", ["no wraps", "helper", "hook", "public", "visible"])
def test_a_guard_that_is_not_among_the_decorators_is_named_once(
    make_app: Any, auth: Auth[Any], hidden: str, caplog: pytest.LogCaptureFixture
) -> None:
    app = make_app(auth)
    guarded = auth.login_required(lambda: "in")
    views: dict[str, Any] = {
        "no wraps": without_wraps(guarded),
        "helper": lambda: guarded(),
        "hook": lambda: "in",
        "public": auth.public(lambda: guarded()),
        "visible": functools.wraps(guarded)(lambda: guarded()),
    }
    app.add_url_rule("/", "report", views[hidden])
    if hidden == "hook":
        app.before_request(auth.login_required(lambda: None))
    client = app.test_client()
    assert [client.get("/", headers=headers).status_code for headers in (ADA, {}, BOB)] == [200, 401, 200]
    told = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert len(told) == (1 if hidden in ("no wraps", "helper") else 0)
    if told:
        assert "'report'" in told[0]
        assert "functools.wraps" in told[0]

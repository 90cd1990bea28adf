"""The view of an explained route never runs, and no loader, throttle or store is asked, whatever stands around them."""

import contextlib
import functools
import sys
import threading

import pytest
from flask import Blueprint, Flask, make_response
from flask.views import MethodView, View

from flask_unauthorized import APIKey, Auth, Basic, Bearer, SessionCookie
from flask_unauthorized.stores.memory import MemoryStore
from flask_unauthorized.throttle import Throttle

KEY = "a secret of thirty-two characters"
ENTERED = []


def view(*_, **__):
    ENTERED.append("view")
    return "in"


async def async_view():
    ENTERED.append("view")
    return "in"


def asked(*_):
    ENTERED.append("loader")


class Store(MemoryStore):
    """A store that notes each operation."""


for _name in ("_get", "_get_many", "_put", "_replace", "_claim", "_increment", "_increment_many", "_decrement"):
    if hasattr(MemoryStore, _name):
        setattr(Store, _name, lambda self, *_, **__: ENTERED.append("store"))


@pytest.fixture(autouse=True)
def nothing_runs():
    ENTERED.clear()
    profile, of_threads = sys.getprofile(), threading.getprofile()
    yield
    assert ENTERED == []
    assert sys.getprofile() is profile
    assert threading.getprofile() is of_threads


def make(add, **config):
    """Return an app with one rule ``/it``, which ``add`` adds."""
    app = Flask("app", static_folder=None)
    app.config.update(SECRET_KEY=KEY, **config)
    store = Store()
    auth = Auth(
        Bearer(asked, throttle=Throttle(store)),
        Basic(asked, throttle=Throttle(store)),
        APIKey(asked),
        SessionCookie(asked, store=store),
        app=app,
    )
    add(app, auth)
    return app


def passing(decorated):
    @functools.wraps(decorated)
    def wrapper(*args, **kwargs):
        return decorated(*args, **kwargs)

    return wrapper


def protected(app, auth):
    auth.protect(app)
    app.add_url_rule("/it", "it", view)


def protected_and_decorated(app, auth):
    auth.protect(app)
    app.add_url_rule("/it", "it", auth.login_required(roles={"admin"})(view))


def protected_below_another_decorator(app, auth):
    auth.protect(app)
    app.add_url_rule("/it", "it", passing(auth.login_required(scopes={"a"})(view)))


def below_another_decorator(app, auth):
    app.add_url_rule("/it", "it", passing(auth.login_required(view)))


def above_another_decorator(app, auth):
    app.add_url_rule("/it", "it", auth.login_required(passing(view)))


def decorated_twice(app, auth):
    app.add_url_rule("/it", "it", auth.login_required(scopes={"a"})(passing(auth.login_required(roles={"b"})(view))))


def with_step_up(app, auth):
    app.add_url_rule("/it", "it", auth.login_required(max_age=60, acr="gold", amr={"otp"})(view))


def in_async_view(app, auth):
    app.add_url_rule("/it", "it", auth.login_required(async_view))


def in_async_view_below_another_decorator(app, auth):
    guarded_view = auth.login_required(scopes={"a"})(async_view)

    @functools.wraps(guarded_view)
    async def wrapper():
        return await guarded_view()

    auth.protect(app)
    app.add_url_rule("/it", "it", wrapper)


def in_method_view(app, auth):
    class It(MethodView):
        @auth.login_required(scopes={"a"})
        def get(self):
            return view()

    app.add_url_rule("/it", view_func=It.as_view("it"))


def in_protected_method_view(app, auth):
    class It(MethodView):
        decorators = (passing,)

        @auth.login_required(scopes={"a"})
        def get(self):
            return view()

    auth.protect(app)
    app.add_url_rule("/it", view_func=It.as_view("it"))


def in_class_with_decorators(app, auth):
    class It(View):
        decorators = (auth.login_required,)

        def dispatch_request(self):
            return view()

    app.add_url_rule("/it", view_func=It.as_view("it"))


def in_blueprint(app, auth):
    blueprint = Blueprint("part", __name__)
    auth.protect(blueprint, roles={"admin"})
    blueprint.add_url_rule("/it", "it", view)
    app.register_blueprint(blueprint)


def in_hook(app, auth):
    app.before_request(auth.login_required(lambda: None))
    app.add_url_rule("/it", "it", view)


def in_hook_and_view(app, auth):
    app.before_request(auth.login_required(lambda: None))
    app.add_url_rule("/it", "it", auth.login_required(scopes={"a"})(view))


def in_partial(app, auth):
    app.add_url_rule("/it", "it", auth.login_required(functools.partial(view, 1)))


GUARDED = [
    protected, protected_and_decorated, protected_below_another_decorator, below_another_decorator,
    above_another_decorator, decorated_twice, with_step_up, in_async_view, in_async_view_below_another_decorator,
    in_method_view, in_protected_method_view, in_class_with_decorators, in_blueprint, in_hook, in_hook_and_view,
    in_partial,
]  # fmt: skip


@pytest.mark.parametrize("add", GUARDED)
def test_a_guarded_view(statuses, add):
    found = statuses(make(add), "GET", "/it")
    assert found.pop("valid") is None
    assert found.pop("preflight") == 200
    assert found.pop("unavailable") == 503
    assert found.pop("bearer-throttled") == found.pop("basic-throttled") == 429
    assert found["nothing"] == found["bearer-invalid"] == found["basic-invalid"] == found["cookie-invalid"] == 401
    assert found["two-credentials"] == found["bearer-malformed"] == 400
    assert set(found.values()) <= {400, 401, 403}
    refused = {name for name in found if "without-scope" in name or "without-role" in name}
    assert {found[name] for name in refused} <= {403}


@pytest.mark.parametrize("add", GUARDED)
def test_a_view_of_an_app_that_serves_already(statuses, add):
    app = make(add)
    app.test_client().get("/it")
    assert statuses(app, "GET", "/it")["valid"] is None


@pytest.mark.parametrize("add", GUARDED)
def test_the_app_is_as_before(explain, add):
    app = make(add)
    app.test_client().get("/it")
    views, hooks = dict(app.view_functions), dict(app.before_request_funcs)
    at_set_up = dict(app.extensions["unauthorized"].views_at_set_up)
    assert explain(app, "GET", "/it")[0] == 0
    assert app.view_functions == views
    assert app.before_request_funcs == hooks
    assert app.extensions["unauthorized"].views_at_set_up == at_set_up
    assert app.test_client().get("/it").status_code == 401
    ENTERED.clear()


def optional(app, auth):
    app.add_url_rule("/it", "it", auth.login_optional(view))


def with_unless(app, auth):
    app.add_url_rule("/it", "it", auth.login_required(unless=lambda: True)(view))


def with_unless_below_another_decorator(app, auth):
    auth.protect(app, unless=lambda: True)
    app.add_url_rule("/it", "it", passing(auth.login_optional(view)))


@pytest.mark.parametrize("add", [optional, with_unless, with_unless_below_another_decorator])
def test_a_view_that_anonymous_callers_reach(statuses, add):
    found = statuses(make(add), "GET", "/it")
    assert found["nothing"] is None
    assert found["valid"] is None


def public(app, auth):
    auth.protect(app)
    app.add_url_rule("/it", "it", auth.public(view))


def open_to_all(app, auth):
    app.add_url_rule("/it", "it", passing(view))


def open_method_of_a_class(app, auth):
    class It(MethodView):
        def get(self):
            return view()

        @auth.login_required
        def post(self):
            return view()

    app.add_url_rule("/it", view_func=It.as_view("it"))


@pytest.mark.parametrize("add", [public, open_to_all, open_method_of_a_class])
def test_a_view_that_demands_nothing(statuses, explain, add):
    app = make(add)
    assert statuses(app, "GET", "/it") == {"nothing": None}
    assert "Nothing is demanded here" in explain(app, "GET", "/it")[1]


def test_the_guarded_method_of_a_class_beside_an_open_one(statuses):
    found = statuses(make(open_method_of_a_class), "POST", "/it")
    assert found["nothing"] == 401
    assert found["basic-cross-site"] == found["cookie-cross-site"] == 403
    assert found["valid"] is None


def test_a_decorator_that_goes_around_the_guard_is_stopped(explain):
    def going_around(decorated):
        @functools.wraps(decorated)
        def wrapper(*args, **kwargs):
            return decorated.__wrapped__(*args, **kwargs)

        return wrapper

    def add(app, auth):
        app.add_url_rule("/it", "it", going_around(auth.login_required(view)))

    code, output = explain(make(add), "GET", "/it")
    assert code == 2
    assert "the view was called before a guard had accepted the caller" in output


def test_a_decorator_that_goes_around_the_guard_in_a_thread_is_stopped(explain):
    def going_around(decorated):
        @functools.wraps(decorated)
        def wrapper():
            def run():
                with contextlib.suppress(BaseException):
                    decorated.__wrapped__()

            thread = threading.Thread(target=run)
            thread.start()
            thread.join()
            return "in"

        return wrapper

    def add(app, auth):
        app.add_url_rule("/it", "it", going_around(auth.login_required(view)))

    assert explain(make(add), "GET", "/it")[0] == 2


def test_a_decorator_that_catches_everything_lets_nothing_in(statuses):
    def catching(decorated):
        @functools.wraps(decorated)
        def wrapper():
            try:
                return decorated()
            except BaseException:
                return decorated()

        return wrapper

    def add(app, auth):
        app.add_url_rule("/it", "it", catching(auth.login_required(view)))

    found = statuses(make(add), "GET", "/it")
    assert found["valid"] is None
    assert found["nothing"] == 401


def test_a_decorator_that_responds_itself_is_told(explain):
    def add(app, auth):
        def limiting(decorated):
            return functools.wraps(decorated)(lambda: make_response("slow down", 429))

        app.add_url_rule("/it", "it", limiting(auth.login_required(view)))

    code, output = explain(make(add), "GET", "/it")
    assert code == 0
    assert "(a decorator above the guard responded)" in output


def test_a_view_whose_guard_is_hidden_is_not_explained(explain):
    def add(app, auth):
        inner = auth.login_required(view)
        app.add_url_rule("/it", "it", lambda: inner())

    code, output = explain(make(add), "GET", "/it")
    assert code == 2
    assert "unknown" in output


def test_a_hook_that_requests_the_route_itself_runs_nothing(explain):
    def add(app, auth):
        def ask_again():
            if not asked_again:
                asked_again.append(True)
                app.test_client().get("/it")

        asked_again = []
        app.before_request(ask_again)
        app.add_url_rule("/it", "it", view)
        auth.protect(app)

    assert explain(make(add), "GET", "/it")[0] == 2


def test_the_handshake_of_a_websocket(explain):
    def add(app, auth):
        auth.protect(app)
        app.add_url_rule("/it", "it", auth.login_required(scopes={"a"})(view), websocket=True)

    code, output = explain(make(add), "GET", "/it")
    assert code == 0, output
    assert "valid credentials" in output

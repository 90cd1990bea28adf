"""Code around a view that calls it, or that asks who is calling before a guard does: the view never runs."""

import contextlib
import functools
import inspect
from concurrent.futures import ThreadPoolExecutor

import pytest
from flask import Flask, Response, request, request_started
from werkzeug.middleware.dispatcher import DispatcherMiddleware

from flask_unauthorized import Auth, Bearer, Identity, SessionCookie
from flask_unauthorized.explain.stopped import Entered, stopped

from .test_views_never_run import ENTERED, KEY, asked, in_partial, make, nothing_runs, view

__all__ = ["nothing_runs"]  # a fixture that each test uses


def streamed(*_):
    ENTERED.append("view")
    yield "in"


def around(call, inner=view):
    """Return what adds a view whose decorator above the guard calls the view itself."""

    def add(app, auth):
        guarded = auth.login_required(inner)
        app.add_url_rule("/it", "it", functools.wraps(guarded)(lambda *_, **__: call(guarded.__wrapped__)))

    return add


def call_again(inner):
    with contextlib.suppress(BaseException):
        inner()
    return inner()


def test_a_decorator_that_tries_again_is_stopped(explain):
    code, output = explain(make(around(call_again)), "GET", "/it")
    assert code == 2
    assert "Put the guard on top" in output


def test_a_decorator_that_streams_what_the_view_yields_runs_nothing(statuses):
    """The guard judges such a response afterwards, before its first byte."""
    found = statuses(make(around(lambda inner: Response(inner()), streamed)), "GET", "/it")
    assert (found["nothing"], found["valid"]) == (401, None)


def test_a_decorator_that_reads_what_the_view_yields_is_stopped(explain):
    assert explain(make(around(lambda inner: "".join(inner()), streamed)), "GET", "/it")[0] == 2


def test_a_decorator_that_uses_a_thread_which_runs_already_is_stopped(explain):
    with ThreadPoolExecutor(1) as pool:
        pool.submit(int).result()
        assert explain(make(around(lambda inner: pool.submit(inner).result())), "GET", "/it")[0] == 2


def test_a_hook_that_calls_the_guarded_view_is_stopped(explain):
    def add(app, auth):
        guarded = auth.login_required(view)
        app.before_request(lambda: guarded())
        app.add_url_rule("/it", "it", guarded)

    assert explain(make(add), "GET", "/it")[0] == 2


def test_an_app_that_dispatches_itself_is_stopped(explain):
    class Dispatching(Flask):
        def dispatch_request(self):
            return self.view_functions[request.endpoint].__wrapped__(**request.view_args)

    app = Dispatching("app", static_folder=None)
    auth = Auth(Bearer(asked), app=app)
    app.add_url_rule("/it", "it", auth.login_required(view))
    assert explain(app, "GET", "/it")[0] == 2


def test_another_app_to_which_a_middleware_sends_the_request_runs_nothing(explain):
    def add(app, auth):
        other = Flask("other", static_folder=None)
        other.before_request(view)
        other.add_url_rule("/it", "it", view)
        app.add_url_rule("/<path:rest>", "it", auth.login_required(view))
        app.wsgi_app = DispatcherMiddleware(app.wsgi_app, {"/other": other})

    app = make(add)
    code, output = explain(app, "GET", "/other/it")
    assert code == 2
    assert "another app, 'other'" in output
    assert explain(app, "GET", "/it")[0] == 0


def test_code_that_asks_before_the_hooks_gets_the_caller_of_the_case(explain, statuses):
    def add(app, auth):
        def ask(_, **__):
            seen.append(auth.get_identity())

        app.extensions["ask"] = ask  # signals hold their receivers weakly
        request_started.connect(ask, app)
        app.add_url_rule("/it", "it", auth.login_required(via=auth.schemes[0])(view))

    seen = []
    assert statuses(make(add), "GET", "/it")["valid"] is None
    assert "sample" in [None if one is None else one.subject for one in seen]


def test_a_hook_that_logs_a_caller_in_is_not_explained(explain):
    def add(app, auth):
        app.before_request(lambda: auth.login(Identity("ada")))
        app.add_url_rule("/it", "it", auth.login_required(view))

    app = Flask("app", static_folder=None)
    app.config["SECRET_KEY"] = KEY
    add(app, Auth(Bearer(asked), SessionCookie(asked, store=None), app=app))
    code, output = explain(app, "GET", "/it")
    assert code == 2
    assert "logs a caller in during the request" in output


def test_a_middleware_that_catches_everything_changes_nothing(statuses):
    def add(app, auth):
        inner = app.wsgi_app

        def catching(environ, start_response):
            try:
                return inner(environ, start_response)
            except BaseException:
                start_response("500 Oops", [])
                return [b"oops"]

        app.wsgi_app = catching
        app.add_url_rule("/it", "it", auth.login_required(view))
        app.add_url_rule("/open", "open", lambda: view())

    app = make(add)
    assert statuses(app, "GET", "/it")["valid"] is None
    assert statuses(app, "GET", "/open") == {"nothing": None}


def test_the_class_of_requests_is_as_before(explain):
    for own in (False, True):
        app = make(in_partial)
        if own:
            app.request_class = type("Own", (app.request_class,), {})
        before = dict(vars(app))
        assert explain(app, "GET", "/it")[0] == 0
        assert vars(app).get("request_class") is before.get("request_class")
        assert app.request_class is (before["request_class"] if own else Flask.request_class)


def parameters(a, b=1, /, c=2, *rest, d, e=3, **more):
    return a, b, c, rest, d, e, more


def keywords(a, *, d=1):
    return a, d


def closing(__class__, x):
    def inner(a, x_=1):
        return a, x, x_, __class__

    return inner


async def waiting(a, *rest):
    return a, rest


async def async_streamed(a):
    yield a


def run(called):
    """Begin with a generator or a coroutine."""
    (anext(called) if inspect.isasyncgen(called) else called).send(None)


@pytest.mark.parametrize(
    "function", [parameters, keywords, closing(1, 2), waiting, async_streamed, lambda: 5, streamed]
)
def test_a_stopped_function_looks_as_before_and_is_restored(function):
    def look():
        code = function.__code__
        place = code.co_name, code.co_filename, code.co_firstlineno, code.co_freevars
        kinds = inspect.iscoroutinefunction, inspect.isgeneratorfunction, inspect.isasyncgenfunction
        return inspect.signature(function), [kind(function) for kind in kinds], place

    before, code = look(), function.__code__
    given = [1] if "a" in inspect.signature(function).parameters else []
    more = {"d": 4} if "d" in inspect.signature(function).parameters else {}
    with stopped([function]) as calls:
        assert look() == before
        with pytest.raises(Entered):
            run(function(*given, **more))
    assert calls == [function.__name__]
    assert function.__code__ is code

"""Whose identity it is (CTX-01 to CTX-15): the one of this very request, or nobody's."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass

import gevent
import pytest
from flask import Response, copy_current_request_context, request, stream_with_context
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.test import Client, EnvironBuilder, run_wsgi_app

from flask_unauthorized import (
    APIKey,
    Auth,
    Bearer,
    Identity,
    MissingCredentials,
    abort_forbidden,
    abort_unauthorized,
    current_identity,
    current_user,
)

NAMES = ("alice", "bob")


@dataclass
class User:
    name: str
    truth: bool

    def __bool__(self):
        return self.truth


def load(token):
    """A token is the caller's name; ``plain-`` gives no user object, ``falsy-`` one that is false."""
    kind, _, name = token.rpartition("-")
    if name not in NAMES:
        return None
    return Identity(name, user=None if kind == "plain" else User(name, kind != "falsy"))


def as_(name):
    return {"Authorization": f"Bearer {name}"}


def who(auth):
    identity = auth.get_identity()
    return "nobody" if identity is None else identity.subject


@pytest.fixture
def auth():
    return Auth(Bearer(load), realm="notes")


@pytest.fixture
def app(make_app, auth):
    app = make_app(auth)
    app.add_url_rule("/guarded", "guarded", auth.login_required(lambda: who(auth)))
    app.add_url_rule("/open", "open", lambda: who(auth))
    app.add_url_rule("/optional", "optional", auth.login_optional(lambda: who(auth)))
    return app


# --- the accessors


@pytest.mark.parametrize(("token", "has_user"), [("alice", True), ("falsy-alice", True), ("plain-alice", False)])
def test_the_caller_by_every_name(make_app, token, has_user):
    bearer = Bearer(load)
    auth = Auth(APIKey(load), bearer)
    app = make_app(auth)

    @app.get("/")
    @auth.login_required
    def view():
        assert isinstance(auth.identity, Identity)
        assert auth.identity is auth.get_identity()
        assert auth.get_user() is auth.identity.user
        if has_user:
            assert isinstance(auth.user, User)
            assert auth.user is auth.get_user()
        else:  # F-22
            with pytest.raises(
                RuntimeError, match=r"the loader of <Bearer Bearer> gave no user object: return your user"
            ):
                _ = auth.user
        assert current_identity == auth.identity
        assert current_identity.subject == "alice"
        assert (current_user.name if has_user else current_user.subject) == "alice"
        assert auth.scheme is bearer
        return "fine"

    assert app.test_client().get("/", headers=as_(token)).text == "fine"


@pytest.mark.parametrize("decorated", [True, False], ids=["login_optional", "open"])
def test_anonymous_is_nobody_and_the_proxies_are_falsy(make_app, auth, decorated):
    app = make_app(auth)

    def view():
        assert (auth.get_identity(), auth.get_user(), auth.scheme) == (None, None, None)
        assert not current_user
        assert not current_identity
        assert current_user is not None
        assert current_identity is not None
        for name in ("identity", "user"):
            with pytest.raises(MissingCredentials):
                getattr(auth, name)
        return "fine"

    app.add_url_rule("/", "view", auth.login_optional(view) if decorated else view)
    assert app.test_client().get("/").text == "fine"


@pytest.mark.rfc("H-01")
@pytest.mark.parametrize("name", ["identity", "user"])
def test_asking_for_the_caller_where_there_is_none_is_401(make_app, auth, name):
    app = make_app(auth)
    app.add_url_rule("/", "view", auth.login_optional(lambda: getattr(auth, name)))
    response = app.test_client().get("/")
    assert response.status_code == 401
    assert response.headers.getlist("WWW-Authenticate") == ['Bearer realm="notes"']


OUTSIDE = {
    "identity": lambda auth: auth.identity,
    "user": lambda auth: auth.user,
    "get_identity": lambda auth: auth.get_identity(),
    "get_user": lambda auth: auth.get_user(),
    "scheme": lambda auth: auth.scheme,
    "require": lambda auth: auth.require(),
    "abort_unauthorized": lambda auth: abort_unauthorized(),
    "abort_forbidden": lambda auth: abort_forbidden(),
    "current_user": lambda auth: current_user.name,
    "current_identity": lambda auth: current_identity.subject,
    "guarded": lambda auth: auth.login_required(lambda: "fine")(),
}


OUTSIDE_OF_A_REQUEST = "outside of request context|There is no request in this context"  # up to Flask 3.1; since 3.2


@pytest.mark.parametrize("call", OUTSIDE)
@pytest.mark.parametrize("pushed", [False, True], ids=["nothing", "app_context"])
def test_outside_a_request_is_a_runtime_error(app, auth, call, pushed):
    with (
        app.app_context() if pushed else nullcontext(),
        pytest.raises(RuntimeError, match=OUTSIDE_OF_A_REQUEST),
    ):
        OUTSIDE[call](auth)


# --- one after another


@pytest.mark.rfc("H-34")
@pytest.mark.parametrize("pushed", [False, True], ids=["plain", "ctx-04_app_context_pushed"])
def test_ctx_01_and_ctx_02_alice_is_gone_in_the_next_request(app, pushed):
    context = app.app_context()
    if pushed:
        context.push()
    try:
        client, other = app.test_client(), app.test_client()
        assert client.get("/guarded", headers=as_("alice")).text == "alice"
        for following in (client, other):
            assert following.get("/guarded").status_code == 401
            assert following.get("/open").text == "nobody"
            assert following.get("/optional").text == "nobody"
            assert following.get("/guarded", headers=as_("bob")).text == "bob"
            assert following.get("/guarded", headers=as_("mallory")).status_code == 401
    finally:
        if pushed:
            context.pop()


def test_ctx_09_preserved_and_nested_contexts(app, auth):
    with app.test_client() as client:
        client.get("/guarded", headers=as_("alice"))
        assert who(auth) == "alice"
        with app.test_client() as inner:
            inner.get("/open", headers=as_("bob"))
            assert who(auth) == "bob"
        assert app.test_client().get("/open").text == "nobody"
        client.get("/optional")
        assert who(auth) == "nobody"
    with app.test_request_context(headers=as_("alice")):
        assert who(auth) == "alice"
        assert auth.require().subject == "alice"
        with app.test_request_context(headers=as_("bob")):
            assert who(auth) == "bob"
        with app.test_request_context():
            assert who(auth) == "nobody"
        assert who(auth) == "alice"
    with app.test_request_context(), pytest.raises(MissingCredentials):
        auth.require()


@pytest.mark.parametrize(("inner", "seen"), [({}, "nobody"), (as_("bob"), "bob"), (as_("alice"), "alice")])
def test_ctx_10_a_request_inside_a_request(app, auth, inner, seen):
    @app.get("/outer")
    @auth.login_required
    def outer():
        within = app.test_client().get("/optional", headers=inner).text
        return f"{within} in {who(auth)}, {current_identity.subject}"

    assert app.test_client().get("/outer", headers=as_("alice")).text == f"{seen} in alice, alice"


def test_ctx_13_a_proxy_kept_names_nobody_later(app):
    kept = []
    app.add_url_rule("/keep", "keep", lambda: kept.append(current_identity) or "fine")
    app.test_client().get("/keep", headers=as_("alice"))
    with pytest.raises(RuntimeError):
        _ = kept[0].subject
    with app.test_request_context():
        assert not kept[0]


def test_ctx_14_a_reused_environ_carries_nobody(app):
    environ = EnvironBuilder(path="/guarded", headers=as_("alice")).get_environ()

    def call():
        parts, status, _ = run_wsgi_app(app, environ, buffered=True)
        return b"".join(parts).decode() if status.startswith("200") else status[:3]

    assert call() == "alice"
    environ["HTTP_AUTHORIZATION"] = "Bearer bob"
    assert call() == "bob"
    del environ["HTTP_AUTHORIZATION"]
    assert call() == "401"
    environ["PATH_INFO"] = "/open"
    assert call() == "nobody"


def test_ctx_15_require_in_the_view_counts_for_the_rest_of_this_request_only(app, auth):
    @app.get("/later")
    def later():
        before = who(auth)
        return f"{before}, {auth.require().subject}, {who(auth)}, {current_user.name}"

    client = app.test_client()
    assert client.get("/later", headers=as_("alice")).text == "alice, alice, alice, alice"
    assert client.get("/open").text == "nobody"


def test_err_12_a_failing_teardown_leaves_nobody_behind(app):
    @app.teardown_request
    def fail(error):
        if request.path == "/guarded":
            raise ZeroDivisionError

    client = app.test_client()
    with pytest.raises(Exception) as raised:
        client.get("/guarded", headers=as_("alice"))
    error = raised.value
    while not isinstance(error, ZeroDivisionError):
        (error,) = error.exceptions  # Flask 3.2 runs all teardown functions, and raises what failed as a group
    assert client.get("/open").text == "nobody"


def test_after_a_403_the_caller_is_known_and_after_a_401_no_caller_is(make_app):
    auth = Auth(Bearer(load))
    app = make_app(auth)
    seen = []
    app.after_request(lambda response: seen.append(who(auth)) or response)
    app.register_error_handler(403, lambda error: (f"Sorry, {current_user.name}", 403))
    app.add_url_rule("/admin", "admin", auth.login_required(roles={"admin"})(lambda: "fine"))
    app.add_url_rule("/recent", "recent", auth.login_required(max_age=60)(lambda: "fine"))
    app.add_url_rule("/stop", "stop", lambda: (who(auth), abort_unauthorized()))
    client = app.test_client()
    assert client.get("/admin", headers=as_("alice")).text == "Sorry, alice"
    assert client.get("/recent", headers=as_("alice")).status_code == 401
    assert client.get("/admin", headers=as_("mallory")).status_code == 401
    assert client.get("/stop", headers=as_("alice")).status_code == 401
    assert seen == ["alice", "nobody", "nobody", "nobody"]


# --- at the same time


def in_threads(ask, numbers):
    with ThreadPoolExecutor(8) as pool:
        return list(pool.map(ask, numbers))


def in_greenlets(ask, numbers):
    jobs = [gevent.spawn(ask, number) for number in numbers]
    gevent.joinall(jobs, raise_error=True)
    return [job.value for job in jobs]


@pytest.mark.parametrize("run", [in_greenlets, in_threads], ids=["ctx-07_greenlets", "ctx-08_threads"])
def test_requests_at_the_same_time_do_not_mix(make_app, run):
    # Eight threads meet inside the loader and inside the view; greenlets all yield there.
    switch = threading.Barrier(8, timeout=30).wait if run is in_threads else gevent.sleep
    auth = Auth(Bearer(lambda token: (switch(), Identity(token))[1]))
    app = make_app(auth)

    @app.get("/")
    @auth.login_required
    def view():
        first = auth.identity.subject
        switch()
        return f"{first} {current_identity.subject}"

    def ask(number):
        return app.test_client().get("/", headers=as_(f"u{number}")).text

    assert run(ask, range(160)) == [f"u{number} u{number}" for number in range(160)]


def test_ctx_03_a_copied_context_knows_its_own_request_after_its_end(app, auth):
    over, found, threads = threading.Event(), [], []

    @app.get("/start")
    @auth.login_required
    def start():
        @copy_current_request_context
        def work():
            over.wait(30)
            found.append((who(auth), current_identity.subject))

        threads.append(threading.Thread(target=work))
        threads[0].start()
        return "fine"

    client = app.test_client()
    assert client.get("/start", headers=as_("alice")).text == "fine"
    assert client.get("/guarded", headers=as_("bob")).text == "bob"
    over.set()
    threads[0].join(30)
    assert found == [("alice", "alice")]


@pytest.mark.parametrize("call", ["identity", "get_identity", "current_user", "require"])
def test_ctx_05_a_bare_thread_is_told_and_gets_nobody(app, auth, call):
    @app.get("/thread")
    @auth.login_required
    def view():
        with ThreadPoolExecutor(1) as pool:
            error = pool.submit(OUTSIDE[call], auth).exception(30)
        return type(error).__name__

    assert app.test_client().get("/thread", headers=as_("alice")).text == "RuntimeError"


@pytest.mark.parametrize("slow", [False, True], ids=["loader", "async_loader"])
def test_ctx_06_async_views(make_app, slow):
    async def load_slowly(token):
        await asyncio.sleep(0)
        return load(token)

    auth = Auth(Bearer(load_slowly if slow else load))
    app = make_app(auth)

    @app.get("/")
    @auth.login_required
    async def view():
        async def part():
            await asyncio.sleep(0)
            return auth.identity.subject

        async def ask(name):
            await asyncio.sleep(0)
            return app.test_client().get("/sync", headers=as_(name) if name else {}).text

        parts = await asyncio.gather(part(), part())
        inner = await asyncio.gather(ask("bob"), ask(""), ask("alice"))
        cancelled = asyncio.create_task(part())
        cancelled.cancel()
        await asyncio.gather(cancelled, return_exceptions=True)
        return " ".join([*parts, *inner, current_identity.subject])

    app.add_url_rule("/sync", "sync", auth.login_optional(lambda: who(auth)))
    client = app.test_client()
    assert client.get("/", headers=as_("alice")).text == "alice alice bob nobody alice alice"
    assert client.get("/").status_code == client.get("/", headers=as_("mallory")).status_code == 401


def test_ctx_12_streaming(app, auth):
    def stream():
        yield who(auth)

    app.add_url_rule("/with", "with", auth.login_required(lambda: Response(stream_with_context(stream()))))
    app.add_url_rule("/without", "without", auth.login_required(lambda: Response(stream())))
    client = app.test_client()
    assert client.get("/with", headers=as_("alice")).text == "alice"
    with pytest.raises(RuntimeError, match=OUTSIDE_OF_A_REQUEST):
        client.get("/without", headers=as_("alice")).get_data()


# --- two apps, one Auth


def test_ctx_11_two_apps_with_one_auth(make_app):
    auth = Auth(Bearer(load))
    one = make_app(auth, UNAUTHORIZED_REALM="one")
    two = make_app(auth, UNAUTHORIZED_REALM="two", UNAUTHORIZED_PROBLEM_BASE="https://two.example/")
    one.add_url_rule("/", "view", auth.login_required(lambda: f"one {who(auth)}"))
    two.add_url_rule("/", "view", auth.login_required(roles={"admin"})(lambda: "never"))
    two.add_url_rule("/open", "open", lambda: who(auth))

    client = Client(DispatcherMiddleware(one, {"/two": two}))
    asked = {"Accept": "application/problem+json"}
    for _ in range(2):
        first, second = client.get("/", headers=asked), client.get("/two/", headers=asked)
        assert first.headers.getlist("WWW-Authenticate") == ['Bearer realm="one"']
        assert second.headers.getlist("WWW-Authenticate") == ['Bearer realm="two"']
        assert "type" not in first.json
        assert second.json["type"].startswith("https://two.example/")
        assert client.get("/", headers=as_("alice")).text == "one alice"
        assert client.get("/two/open", headers=as_("alice")).text == "alice"
        assert client.get("/two/open").text == "nobody"
    assert client.get("/two/", headers=as_("alice")).status_code == 403

"""``unless=``: a level that demands nothing of some requests, and how it merges with the levels around it."""

import asyncio
import functools
import logging
from typing import Any

import pytest
from flask import Blueprint, abort, current_app, g, request, stream_with_context
from flask.views import MethodView

from flask_unauthorized import (
    APIKey,
    Auth,
    Bearer,
    ConfigurationError,
    Forbidden,
    Identity,
    abort_forbidden,
    abort_unauthorized,
    current_user,
)
from flask_unauthorized.testing import acting_as
from tests.helpers import bearer_header, challenge_lines

ADA, WRONG = bearer_header("good"), bearer_header("wrong")
OPEN = {"X-Open": "yes"}


def opened() -> bool:
    """What the tests pass as ``unless=``: the request says so, and how often it was asked is counted."""
    g.asked = g.get("asked", 0) + 1
    return request.headers.get("X-Open") == "yes"


def second() -> bool:
    return request.headers.get("X-Second") == "yes"


def status(app, path="/", method="GET", **headers):
    return (
        app.test_client()
        .open(path, method=method, headers={k.replace("_", "-"): v for k, v in headers.items()})
        .status_code
    )


@pytest.fixture
def loaded() -> list[str]:
    return []


@pytest.fixture
def auth(loaded) -> Auth[Any]:
    def load(token: str) -> Identity | None:
        loaded.append(token)
        return Identity("ada", scopes={"read"}) if token == "good" else None

    return Auth(Bearer(load), realm="site")


# --- what may be passed


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (True, "unless must be a function without arguments that returns a bool, not True: write unless=lambda: cur"),
        ("debug", "unless must be a function without arguments that returns a bool, not 'debug'"),
        (lambda path: True, "can't be called without arguments"),
    ],
)
def test_what_cannot_be_asked_is_refused_when_decorating(auth, make_app, given, message):
    for decorate in (auth.login_required, auth.login_optional, functools.partial(auth.protect, make_app(auth))):
        with pytest.raises(TypeError, match=message):
            decorate(unless=given)


def test_an_async_function_is_refused_when_decorating(auth):
    async def later():
        return True

    with pytest.raises(TypeError, match=r"later is async, and it must be a plain function"):
        auth.login_required(unless=later)


def test_a_callable_without_a_hash_is_refused_when_decorating(auth):
    class Switch(list):
        def __call__(self):
            return True

    with pytest.raises(TypeError, match="has no hash"):
        auth.login_required(unless=Switch())


def test_require_has_an_if_instead(auth, make_app):
    app = make_app(auth)
    with app.test_request_context(), pytest.raises(TypeError, match=r"require\(\) has no keyword unless: write if"):
        auth.require(unless=lambda: True)


def test_two_lambdas_are_two_demands(auth, make_app):
    app = make_app(auth)
    app.add_url_rule("/a", "a", auth.login_required(unless=lambda: True)(lambda: "a"))
    app.add_url_rule("/b", "b", auth.login_required(unless=lambda: False)(lambda: "b"))
    assert (status(app, "/a"), status(app, "/b")) == (200, 401)


# --- one level, in every form of view


def forms(auth, app):
    """Each form of view that can be guarded, below /form/: all of them have ``unless=opened``."""
    guard = auth.login_required(unless=opened)

    def view():
        return "ran"

    async def later():
        return "ran"

    def outer(inner):
        @functools.wraps(inner)
        def run():
            return inner()

        return run

    class Inside(MethodView):
        @guard
        def get(self):
            return "ran"

    class Around(MethodView):
        decorators = [guard]

        def get(self):
            return "ran"

    class Both(MethodView):
        decorators = [auth.login_required(unless=opened)]

        @auth.login_required(unless=opened, scopes={"read"})
        def get(self):
            return "ran"

    pages = Blueprint("pages", __name__)
    auth.protect(pages, unless=opened)
    inner = Blueprint("inner", __name__)
    auth.protect(inner, unless=opened, scopes={"read"})
    inner.add_url_rule("/form/nested", "nested", view)
    pages.register_blueprint(inner)
    pages.add_url_rule("/form/protected", "protected", view)
    pages.add_url_rule("/form/protected-async", "protected-async", later)
    pages.add_url_rule("/form/protected-and-guarded", "both", auth.login_required(unless=opened)(view))
    app.register_blueprint(pages)
    views = {
        "decorated": guard(view),
        "stacked": auth.login_required(unless=opened, scopes={"read"})(guard(view)),
        "async": guard(later),
        "below another decorator": outer(guard(view)),
        "partial": guard(functools.partial(view)),
        "method": Inside.as_view("method"),
        "class": Around.as_view("class"),
        "class and method": Both.as_view("class and method"),
    }
    for name, form in views.items():
        app.add_url_rule(f"/form/{name}", name, form)
    app.add_url_rule("/form/socket", "socket", guard(view), websocket=True)
    app.add_url_rule("/form/socket-below", "socket below", outer(guard(view)), websocket=True)
    return [rule.rule for rule in app.url_map.iter_rules() if rule.rule.startswith("/form/") and not rule.websocket]


def test_every_form_of_view_is_guarded_and_can_be_opened(auth, make_app, loaded):
    app = make_app(auth)
    counts = []
    app.after_request(lambda response: counts.append(g.get("asked")) or response)
    paths = forms(auth, app)
    auth.check(app)
    client = app.test_client()
    assert len(paths) == 12
    for path in paths:
        for method in ("GET", "HEAD"):
            assert client.open(path, method=method).status_code == 401, path
            assert client.open(path, method=method, headers=ADA).status_code == 200, path
            loaded.clear()
            assert client.open(path, method=method, headers=OPEN).status_code == 200, path
            # Credentials of an open request are never refused, nor even looked at.
            assert client.open(path, method=method, headers={**OPEN, **WRONG}).status_code == 200, path
            assert client.open(path, method=method, headers={**OPEN, "Authorization": "Bearer "}).status_code == 200
            assert loaded == []
            # The next request is judged again: nothing of an opened one was kept.
            assert client.open(path, method=method, headers=WRONG).status_code == 401, path
    assert set(counts) == {1}


@pytest.mark.parametrize("path", ["socket", "socket-below"])
def test_a_rule_for_websockets_is_judged_before_its_decorators(auth, make_app, path):
    app = make_app(auth)
    forms(auth, app)
    handshake = {"Connection": "Upgrade", "Upgrade": "websocket"}
    client = app.test_client()
    for headers, expected in (({}, 401), (ADA, 200), (OPEN, 200), ({**OPEN, **WRONG}, 200)):
        got = client.get(f"ws://localhost/form/{path}", headers={**handshake, **headers})
        assert got.status_code == expected


def test_an_optional_view_refuses_invalid_credentials_unless_it_is_opened(auth, make_app):
    app = make_app(auth)
    view = lambda: str(auth.get_identity() and auth.identity.subject)  # noqa: E731
    app.add_url_rule("/", "view", auth.login_optional(unless=opened)(view))
    client = app.test_client()
    assert client.get("/", headers=WRONG).status_code == 401
    assert client.get("/", headers={**WRONG, **OPEN}).text == "None"
    assert client.get("/", headers=ADA).text == "ada"


def test_who_is_calling_is_known_in_an_opened_view_and_verified_once(auth, make_app, loaded):
    app = make_app(auth)

    @app.get("/")
    @auth.login_required(unless=opened)
    def view():
        return f"{auth.get_identity() and auth.get_identity().subject} {bool(current_user)}"

    client = app.test_client()
    for headers, expected in ((ADA, "ada True"), (WRONG, "None False"), ({}, "None False")):
        loaded.clear()
        answer = client.get("/", headers={**OPEN, **headers})
        assert (answer.status_code, answer.text) == (200, expected)
        assert len(loaded) == len(headers)
        assert "Authorization" in answer.headers["Vary"]
    assert acting_as(app, Identity("eve")).get("/", headers=OPEN).text == "eve True"


def test_a_streamed_answer_of_an_opened_view_verifies_nothing_when_its_headers_have_left(auth, make_app, loaded):
    app = make_app(auth)

    @app.get("/")
    @auth.login_required(unless=opened)
    def view():
        return app.response_class(stream_with_context(str(auth.get_identity()) for _ in range(2)))

    answer = app.test_client().get("/", headers={**OPEN, **ADA})
    assert (answer.text, loaded) == ("NoneNone", [])
    assert "Authorization" in answer.headers["Vary"]
    assert "private" in answer.headers["Cache-Control"]


@pytest.mark.parametrize("how", ["401 of the view", "refusal of the view"])
def test_an_error_page_of_an_opened_view_verifies_nothing_when_its_headers_have_left(auth, make_app, loaded, how):
    """A proof would be spent, or a session renewed, for a response that can't carry the new one any more."""
    app = make_app(auth)
    seen = []
    app.teardown_request(lambda error: seen.append(auth.get_identity()))

    def stream(*error):
        status = 403 if error else 401
        return app.response_class(stream_with_context(str(auth.get_identity()) for _ in range(2)), status)

    def refuse():
        raise Forbidden

    app.register_error_handler(403, stream)
    guard = auth.login_required(unless=opened)
    app.add_url_rule("/", "view", guard(stream if how == "401 of the view" else refuse))
    answer = app.test_client().get("/", headers={**OPEN, **ADA})
    assert (answer.status_code, answer.text) == (401 if how == "401 of the view" else 403, "NoneNone")
    assert (loaded, set(seen)) == ([], {None})


def test_a_caller_who_is_known_in_an_opened_view_gets_403_and_not_401(auth, make_app):
    app = make_app(auth)
    app.add_url_rule("/", "view", auth.login_required(unless=opened)(lambda: abort_forbidden()))
    assert status(app, X_Open="yes", **ADA) == 403
    assert status(app, X_Open="yes") == 401


def test_a_401_of_an_opened_view_has_the_challenges_of_its_schemes(make_app):
    key = APIKey(lambda key: None)
    auth = Auth(Bearer(lambda token: None), key, realm="site")
    app = make_app(auth)
    app.add_url_rule("/", "view", auth.login_required(via=key, unless=opened)(lambda: abort_unauthorized()))
    answer = app.test_client().get("/", headers=OPEN)
    assert answer.status_code == 401
    assert [line.split()[0] for line in challenge_lines(answer)] == ["ApiKey"]


def test_require_in_an_opened_view_still_demands_a_caller(auth, make_app):
    app = make_app(auth)

    @app.get("/")
    @auth.login_required(scopes={"write"}, unless=opened)
    def view():
        return auth.require(scopes={"read"}).subject

    @app.get("/identity")
    @auth.login_required(unless=opened)
    def identity():
        return auth.identity.subject

    assert status(app, X_Open="yes") == 401
    assert status(app, X_Open="yes", **WRONG) == 401
    assert status(app, X_Open="yes", **ADA) == 200  # "write" was dropped, "read" is demanded
    assert status(app, **ADA) == 403
    assert status(app, "/identity", X_Open="yes") == 401
    assert status(app, "/identity", X_Open="yes", **ADA) == 200


# --- several levels


LEVELS = [
    # X-Open drops protect(), X-Second drops the decorator; what the caller sends; what is expected
    ({}, {}, 401),
    ({}, ADA, 403),
    ({"X-Open": "yes"}, {}, 401),
    ({"X-Open": "yes"}, ADA, 200),
    ({"X-Second": "yes"}, {}, 401),
    ({"X-Second": "yes"}, ADA, 403),
    ({"X-Open": "yes", "X-Second": "yes"}, {}, 200),
    ({"X-Open": "yes", "X-Second": "yes"}, WRONG, 200),
]


@pytest.mark.parametrize("below", [False, True], ids=["outermost", "below another decorator"])
@pytest.mark.parametrize(("drop", "sent", "expected"), LEVELS)
def test_each_unless_drops_the_demand_of_its_own_level_only(auth, make_app, drop, sent, expected, below):
    app = make_app(auth)
    auth.protect(app, scopes={"admin"}, unless=opened, public={"static"})

    def outer(inner):
        return functools.wraps(inner)(lambda: inner()) if below else inner

    app.add_url_rule("/", "view", outer(auth.login_required(scopes={"read"}, unless=second)(lambda: "ran")))
    assert status(app, **{**drop, **sent}) == expected


@pytest.mark.parametrize(("drop", "sent", "expected"), LEVELS)
def test_two_levels_of_protect_are_dropped_one_by_one(auth, make_app, drop, sent, expected):
    app = make_app(auth)
    pages = Blueprint("pages", __name__)
    auth.protect(app, scopes={"admin"}, unless=opened, public={"static"})
    auth.protect(pages, scopes={"read"}, unless=second)
    pages.add_url_rule("/", "view", lambda: "ran")
    app.register_blueprint(pages)
    assert status(app, **{**drop, **sent}) == expected


def test_a_level_that_is_dropped_chooses_no_schemes(make_app):
    bearer, key = Bearer(lambda token: Identity("ada")), APIKey(lambda key: Identity("bob"))
    auth = Auth(bearer, key, realm="site")
    app = make_app(auth)
    auth.protect(app, via=bearer, public={"static"})
    app.add_url_rule("/", "view", auth.login_required(via=key, unless=opened)(lambda: auth.identity.subject))
    client = app.test_client()
    assert client.get("/", headers={"X-API-Key": "k"}).text == "bob"
    assert client.get("/", headers={"X-API-Key": "k", **OPEN}).status_code == 401
    assert client.get("/", headers={"Authorization": "Bearer t", **OPEN}).text == "ada"


def test_what_remains_of_dropped_levels_is_checked_before_the_first_request(make_app):
    first, other = APIKey(lambda key: None), APIKey(lambda key: None)
    auth = Auth(first, other, realm="site")
    app = make_app(auth)
    auth.protect(app, via=first, unless=opened, public={"static"})
    app.add_url_rule("/", "view", auth.login_required(lambda: "ran"))
    with pytest.raises(ConfigurationError, match="both read"):
        auth.check(app)


def test_a_plain_level_beside_one_with_unless_still_holds(auth, make_app):
    app = make_app(auth)
    app.add_url_rule("/", "view", auth.login_required(auth.login_required(unless=opened, scopes={"x"})(lambda: "ran")))
    assert status(app, X_Open="yes") == 401
    assert status(app, X_Open="yes", **ADA) == 200
    assert status(app, **ADA) == 403


def test_methods_of_a_class_view_keep_their_own_unless(auth, make_app):
    class Page(MethodView):
        decorators = [auth.login_required]

        @auth.login_required(scopes={"read"})
        def get(self):
            return "ran"

        @auth.login_required(scopes={"write"}, unless=opened)
        @auth.login_required(scopes={"read"})
        def post(self):
            return "ran"

    app = make_app(auth)
    app.add_url_rule("/", view_func=Page.as_view("page"))
    client = app.test_client()
    for _ in range(2):  # what one method keeps must not serve the other
        assert client.get("/", headers=ADA).status_code == 200
        assert client.post("/", headers=ADA).status_code == 403
        assert client.post("/", headers={**ADA, **OPEN}).status_code == 200
        assert client.post("/", headers=OPEN).status_code == 401


# --- the places where an answer is looked at again


def test_an_answer_from_above_an_opened_guard_leaves_and_that_of_a_guarded_one_does_not(auth, make_app):
    app = make_app(auth)
    kept: dict[str, str] = {}

    def cached(view):
        @functools.wraps(view)
        def run():
            return kept.setdefault("answer", "") or kept.update(answer=view()) or kept["answer"]

        return run

    app.add_url_rule("/", "view", cached(auth.login_required(unless=opened)(lambda: "secret")))
    client = app.test_client()
    assert client.get("/", headers=ADA).text == "secret"
    assert client.get("/", headers=OPEN).text == "secret"
    assert client.get("/").status_code == 401
    assert client.get("/", headers=WRONG).status_code == 401


def test_a_view_that_was_swapped_while_serving_is_judged_by_the_same_rule(auth, make_app):
    app = make_app(auth)
    app.add_url_rule("/", "view", auth.login_required(unless=opened)(lambda: "ran"))
    assert status(app) == 401
    app.view_functions["view"] = lambda: "swapped"
    assert status(app) == 401
    assert status(app, X_Open="yes", **WRONG) == 200


def test_a_preflight_is_answered_without_asking(auth, make_app):
    app = make_app(auth)
    asked = []
    guard = auth.login_required(unless=lambda: asked.append(1) is None)
    app.add_url_rule("/", "view", guard(lambda: "ran"), methods=["GET", "OPTIONS"], provide_automatic_options=False)
    headers = {"Origin": "https://app.example", "Access-Control-Request-Method": "GET"}
    answer = app.test_client().options("/", headers=headers)
    assert (answer.status_code, answer.text, asked) == (200, "", [])
    assert app.test_client().options("/").text == "ran"


def test_the_document_of_a_resource_lists_what_is_demanded_without_unless(auth, make_app):
    app = make_app(auth)
    auth.protected_resource("http://localhost", authorization_servers=["https://id.example"])
    app.add_url_rule("/", "view", auth.login_required(scopes={"read"}, unless=opened)(lambda: "ran"))
    assert app.test_client().get("/.well-known/oauth-protected-resource").json["scopes_supported"] == ["read"]


# --- functions that fail


class Broken(Exception):
    """A bug in the app's function."""


def raising(error):
    def fails():
        raise error

    return fails


BAD = {
    "None": (lambda: None, TypeError, "returned None, and it must return True or False"),
    "a number": (lambda: 1, TypeError, r"returned 1, and it must return True or False: write bool\(\.\.\.\)"),
    "a text": (
        lambda: "s3cret",
        TypeError,
        "returned a str, and it must return True or False: compare the text, such as value == 'true'",
    ),
    "an exception": (raising(Broken("x")), Broken, "x"),
    "a refusal": (
        lambda: abort_unauthorized(),
        RuntimeError,
        "raised (Missing|Invalid)Credentials, and it must return",
    ),
    "a 404": (lambda: abort(404), RuntimeError, "raised NotFound, and it must return"),
}


@pytest.mark.parametrize("kind", BAD)
@pytest.mark.parametrize("headers", [{}, ADA, WRONG], ids=["nothing", "valid", "invalid"])
def test_a_function_that_fails_is_a_500_for_every_caller(make_app, auth, kind, headers):
    unless, error, message = BAD[kind]
    app = make_app(auth)
    app.add_url_rule("/", "view", auth.login_required(unless=unless)(lambda: "ran"))
    with pytest.raises(error, match=message) as raised:
        app.test_client().get("/", headers=headers)
    # The log shows this error alone, and no failed look-up of the plan.
    assert not isinstance(raised.value.__context__, (AttributeError, KeyError))
    app.testing = False
    app.config["PROPAGATE_EXCEPTIONS"] = False
    answer = app.test_client().get("/", headers=headers)
    assert answer.status_code == 500
    assert "WWW-Authenticate" not in answer.headers


def test_a_failure_counts_for_the_whole_request_though_a_decorator_catches_it(auth, make_app):
    app = make_app(auth, PROPAGATE_EXCEPTIONS=False, TESTING=False)
    asked = []

    def stale_if_error(view):
        @functools.wraps(view)
        def run():
            try:
                return view()
            except Exception:
                return "a kept answer"

        return run

    def fails():
        asked.append(1)
        raise Broken

    app.add_url_rule("/", "view", stale_if_error(auth.login_required(unless=fails)(lambda: "ran")))
    assert status(app) == status(app, **ADA) == 500
    assert len(asked) == 2


def test_the_error_page_of_a_failure_may_ask_who_is_calling(auth, make_app):
    app = make_app(auth)
    app.add_url_rule("/", "view", auth.login_required(unless=raising(Broken()))(lambda: "ran"))
    app.register_error_handler(Broken, lambda error: (f"sorry {auth.get_identity().subject}", 500))
    answer = app.test_client().get("/", headers=ADA)
    assert (answer.status_code, answer.text) == (500, "sorry ada")


def test_the_function_may_ask_who_is_calling_and_may_not_demand_a_caller(auth, make_app, loaded):
    app = make_app(auth)
    guard = auth.login_required(scopes={"admin"}, unless=lambda: auth.get_identity() is not None)
    app.add_url_rule("/", "view", guard(lambda: auth.get_identity().subject))
    app.add_url_rule("/recursive", "recursive", auth.login_required(unless=lambda: bool(auth.require()))(lambda: "ran"))
    answer = app.test_client().get("/", headers=ADA)
    assert (answer.text, loaded) == ("ada", ["good"])
    assert status(app) == 401
    with pytest.raises(RuntimeError, match=r"it may ask auth.get_identity\(\), and neither auth.require\(\)"):
        app.test_client().get("/recursive", headers=ADA)


def test_hooks_that_ask_who_is_calling_run_no_function(auth, make_app):
    app = make_app(auth)
    asked = []
    app.before_request(lambda: setattr(g, "who", auth.get_identity()))
    app.before_request(lambda: asked.append("hook done") and None)
    guard = auth.login_required(unless=lambda: asked.append("unless") is None)
    app.add_url_rule("/", "view", guard(lambda: g.who.subject))
    assert app.test_client().get("/", headers=ADA).text == "ada"
    assert asked == ["hook done", "unless"]


# --- what it costs, and what developers see


def test_a_view_without_unless_finds_its_plan_on_its_rule_and_one_with_it_does_not(auth, make_app):
    app = make_app(auth)
    app.add_url_rule("/plain", "plain", auth.login_required(lambda: "ran"))
    app.add_url_rule("/", "view", auth.login_required(unless=opened)(lambda: "ran"))
    plans = app.extensions["unauthorized"].plans
    calls = []
    original = plans.for_endpoint
    plans.for_endpoint = lambda *args: calls.append(args[0]) or original(*args)
    client = app.test_client()
    client.get("/plain", headers=ADA)
    client.get("/", headers=ADA)
    calls.clear()
    client.get("/plain", headers=ADA)
    assert calls == []
    client.get("/", headers=ADA)
    assert set(calls) == {"view"}


def test_the_log_and_the_explanation_name_the_levels_that_were_dropped(auth, make_app, caplog):
    app = make_app(auth, UNAUTHORIZED_EXPLAIN=True)
    auth.protect(app, unless=opened, public={"static"})
    app.add_url_rule("/", "view", auth.login_required(scopes={"read"}, unless=second)(lambda: "ran"))
    with caplog.at_level(logging.INFO, "flask_unauthorized"):
        page = app.test_client().get("/", headers={**OPEN, "Accept": "text/html"}).text
    assert "auth.protect(app): login_required(unless=opened): dropped, because unless returned True" in page
    assert page.count(": dropped,") == 1
    assert "unless=second)" in page
    assert caplog.messages[-1].endswith("; unless=opened returned True, unless=second returned False)")


# --- what apps use it for


def test_authentication_is_switched_off_by_the_configuration(auth, make_app):
    app = make_app(auth, LOGIN_DISABLED=False)
    auth.protect(app, unless=lambda: current_app.config["LOGIN_DISABLED"])
    app.add_url_rule("/", "view", lambda: "ran")
    assert status(app) == 401
    app.config["LOGIN_DISABLED"] = True
    assert status(app) == 200
    app.config["LOGIN_DISABLED"] = "false"  # a text from the environment is true for Python
    with pytest.raises(TypeError, match="returned a str"):
        app.test_client().get("/")


def test_pages_of_one_endpoint_are_public_by_their_path(auth, make_app):
    """As in Dash, which serves all of its pages by one catch-all view."""
    app = make_app(auth)
    auth.protect(app, unless=lambda: request.path in {"/", "/about"}, public={"static"})
    app.add_url_rule("/", "page", lambda path="": f"page {path}")
    app.add_url_rule("/<path:path>", "page")
    assert [status(app, path) for path in ("/", "/about", "/secret", "/about/x")] == [200, 200, 401, 401]
    assert status(app, "/secret", **ADA) == 200
    assert status(app, "/about", **WRONG) == 200


def test_a_guarded_coroutine_called_directly_is_judged_by_unless(auth, make_app):
    app = make_app(auth)

    @auth.login_required(unless=opened)
    async def helper():
        return "ran"

    with app.test_request_context("/", headers=OPEN):
        assert asyncio.run(helper()) == "ran"

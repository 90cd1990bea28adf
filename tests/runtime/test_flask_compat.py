"""What the package uses of Flask and Werkzeug, and which of it they don't document. F-11.

A test here fails when a new version changes one of these parts, and says what breaks in the package.
"""

import inspect
import re
import warnings
from pathlib import Path

import pytest
from flask import Flask, current_app, request

import flask_unauthorized
from flask_unauthorized import Auth, Bearer

ROOT = Path(flask_unauthorized.__file__).parent
PREFLIGHT = {"Origin": "https://shop.example", "Access-Control-Request-Method": "PUT"}


@pytest.fixture
def auth():
    return Auth(Bearer(lambda token: None))


# --- documented parts whose signature differs between versions


def serve_put(app, auth, guard):
    app.add_url_rule("/", "get", auth.login_required(lambda: "fine") if guard == "decorator" else lambda: "fine")
    view = auth.login_required(lambda: "fine") if guard == "decorator" else lambda: "fine"
    app.add_url_rule("/", "put", view, methods=["PUT", "OPTIONS"], provide_automatic_options=False)
    if guard == "protect":
        auth.protect(app)
    return app.test_client()


@pytest.mark.parametrize("guard", ["decorator", "protect"])
def test_a_preflight_gets_the_response_of_flask_itself(make_app, auth, guard):
    response = serve_put(make_app(auth), auth, guard).options("/", headers=PREFLIGHT)
    assert response.status_code == 200
    assert sorted(response.allow) == ["GET", "HEAD", "OPTIONS", "PUT"]
    assert response.data == b""


@pytest.mark.parametrize("guard", ["decorator", "protect"])
def test_a_preflight_gets_what_a_subclass_of_flask_makes_of_it(auth, guard):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Flask 3.2 wants a second parameter there

        class OldFlask(Flask):
            def make_default_options_response(self):
                response = super().make_default_options_response()
                response.headers["X-Own"] = "yes"
                return response

    app = OldFlask("old")
    auth.init_app(app)
    response = serve_put(app, auth, guard).options("/", headers=PREFLIGHT)
    assert (response.status_code, response.headers["X-Own"]) == (200, "yes")
    assert "PUT" in response.allow


@pytest.mark.skipif(
    len(inspect.signature(Flask.make_default_options_response).parameters) < 2, reason="since Flask 3.2"
)
def test_a_subclass_with_the_new_signature(auth):
    class NewFlask(Flask):
        def make_default_options_response(self, ctx):
            response = super().make_default_options_response(ctx)
            response.headers["X-Own"] = "yes"
            return response

    app = NewFlask("new")
    auth.init_app(app)
    response = serve_put(app, auth, "decorator").options("/", headers=PREFLIGHT)
    assert (response.status_code, response.headers["X-Own"]) == (200, "yes")


# --- parts that aren't documented, or documented as internal

AVOIDED = ["_got_first_request", "_find_error_handler", "_cv_app", "_cv_request", "request_ctx", "HTTP_STATUS_CODES"]


@pytest.mark.parametrize("name", AVOIDED)
def test_the_package_does_without(name):
    """Deprecated, or private; the parts that the tests below hold are all that the package uses of that kind."""
    used = [path.name for path in ROOT.rglob("*.py") if re.search(rf"\b{name}\b", path.read_text(encoding="utf-8"))]
    assert used == []


def test_hooks_and_handlers_lie_where_the_package_sorts_them():
    """Else the guard is not the last ``after_request`` function, and a handler for 401 is overwritten."""
    app = Flask("parts")

    @app.before_request
    def before():
        return None

    @app.after_request
    def after(response):
        return response

    @app.errorhandler(401)
    def refused(error):
        return "no", 401

    assert app.before_request_funcs[None] == [before]
    assert app.after_request_funcs[None] == [after]
    assert list(app.error_handler_spec[None][401].values()) == [refused]


def test_a_list_of_hooks_may_be_replaced_while_its_functions_run():
    """The check before the first request takes itself out of the list; a hook that Flask skips would be a hole."""
    app = Flask("parts")
    ran = []

    def first():
        ran.append("first")
        app.before_request_funcs[None] = [second]

    def second():
        ran.append("second")

    app.before_request_funcs[None] = [first, second]
    app.add_url_rule("/", "view", lambda: "fine")
    client = app.test_client()
    client.get("/")
    client.get("/")
    assert ran == ["first", "second", "second"]


def test_after_request_functions_run_from_the_last_to_the_first():
    """Else the guard, the first of the list, doesn't see what the other functions have done."""
    app = Flask("parts")
    ran = []
    for number in range(3):
        app.after_request(lambda response, number=number: ran.append(number) or response)
    app.add_url_rule("/", "view", lambda: "fine")
    app.test_client().get("/")
    assert ran == [2, 1, 0]


def test_a_rule_says_whether_flask_answers_options():
    """Else ``protect`` refuses automatic OPTIONS responses with 401."""
    app = Flask("parts")
    app.add_url_rule("/", "automatic", lambda: "fine")
    app.add_url_rule("/own", "own", lambda: "fine", methods=["GET", "OPTIONS"])
    automatic, own = (next(app.url_map.iter_rules(endpoint)) for endpoint in ("automatic", "own"))
    assert automatic.provide_automatic_options is True
    assert own.provide_automatic_options is False


def test_a_rule_takes_an_attribute():
    """The compiled plan of a view is kept on the rule of the request."""
    app = Flask("parts")
    app.add_url_rule("/", "view", lambda: request.url_rule._unauthorized)
    next(app.url_map.iter_rules("view"))._unauthorized = "kept"
    assert app.test_client().get("/").text == "kept"


def test_the_proxies_give_their_objects():
    app = Flask("parts")
    with app.test_request_context():
        assert current_app._get_current_object() is app
        assert request._get_current_object().url_rule is None


def test_a_body_that_was_read_is_kept_where_digest_looks_for_it():
    """Else a Digest answer with ``qop=auth-int`` can't be checked after a hook has read the body."""
    app = Flask("parts")
    with app.test_request_context(data=b"abc"):
        assert request.get_data() == b"abc"
        assert vars(request._get_current_object())["_cached_data"] == b"abc"

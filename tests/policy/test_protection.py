"""What `protect` guards, and what `public` opens."""

import dataclasses
from functools import partial

import pytest
from flask import Blueprint, Flask

from flask_unauthorized import Auth, Bearer, ConfigurationError
from tests.helpers import app_with_schemes


def test_protect_knows_its_own_keyword(make_app):
    app = app_with_schemes(make_app, Bearer(lambda token: None))
    with pytest.raises(TypeError, match="did you mean public"):
        app.auth.protect(app, pubic={"a"})


ADA = {"Authorization": "Bearer good"}


def test_public_opens_one_partial_not_all_of_its_function(auth, make_app):
    app = make_app(auth)
    auth.protect(app, public={"static"})

    def serve(kind):
        return kind

    app.add_url_rule("/open", "open", auth.public(partial(serve, "open")))
    app.add_url_rule("/secret", "secret", partial(serve, "secret"))
    assert app.test_client().get("/open").text == "open"
    assert app.test_client().get("/secret").status_code == 401


def test_public_refuses_a_bound_method(auth):
    class Pages:
        def show(self):
            return "x"

    with pytest.raises(TypeError, match="protect\\(public="):
        auth.public(Pages().show)


def test_protect_without_init_app_lets_nobody_in(auth):
    app = Flask("unserved")
    app.testing = True
    auth.protect(app)
    app.add_url_rule("/", "index", lambda: "secret")
    with pytest.raises(ConfigurationError, match="init_app"):
        app.test_client().get("/", headers=ADA)


def test_a_blueprint_protected_by_another_auth_lets_nobody_in(auth, make_app):
    other = Auth(Bearer(lambda token: "eve"))
    app = make_app(other)
    blueprint = Blueprint("b", __name__)
    blueprint.add_url_rule("/", "index", lambda: "secret")
    auth.protect(blueprint)
    app.register_blueprint(blueprint)
    with pytest.raises(ConfigurationError, match="another Auth"):
        app.test_client().get("/", headers=ADA)


def test_a_blueprint_may_be_protected_after_it_was_registered(auth, make_app):
    app = make_app(auth)
    blueprint = Blueprint("b", __name__)
    blueprint.add_url_rule("/", "index", lambda: "secret")
    app.register_blueprint(blueprint)
    auth.protect(blueprint)
    assert app.test_client().get("/").status_code == 401
    assert app.test_client().get("/", headers=ADA).text == "secret"


def test_a_blueprint_registered_on_an_unserved_app_is_refused(auth):
    blueprint = Blueprint("b", __name__)
    Flask("unserved").register_blueprint(blueprint)
    with pytest.raises(ConfigurationError, match="init_app"):
        auth.protect(blueprint)


def test_what_comes_after_a_judgement_outside_a_request_is_checked_and_guarded(auth, make_app):
    app = make_app(auth)
    with app.test_request_context("/"), pytest.raises(Exception, match=r"401"):
        auth.require()
    blueprint = Blueprint("b", __name__)
    auth.protect(blueprint)
    blueprint.add_url_rule("/b", "view", lambda: "secret")
    app.register_blueprint(blueprint)
    client = app.test_client()
    assert [client.get("/b").status_code for _ in range(3)] == [401, 401, 401]


def test_check_beside_the_first_request_keeps_the_protection(auth, make_app):
    app = make_app(auth)
    auth.protect(app)
    app.add_url_rule("/", "index", lambda: "secret")
    auth.check(app)
    client = app.test_client()
    assert [client.get("/").status_code for _ in range(2)] == [401, 401]
    auth.check(app)
    assert client.get("/").status_code == 401


def test_public_does_not_open_the_guarded_twin_of_a_function(auth):
    def view():
        return "secret"

    auth.login_required(view)
    with pytest.raises(ConfigurationError, match="guarded and public"):
        auth.public(view)


def test_protect_public_refuses_a_view_with_a_guard(auth, make_app):
    app = make_app(auth)
    auth.protect(app, scopes={"admin"}, public={"v", "static"})
    app.add_url_rule("/v", "v", auth.login_required(lambda: "x"))
    with pytest.raises(ConfigurationError, match="guard of its own"):
        auth.check(app)


def test_public_opens_one_of_two_equal_callables(auth, make_app):
    @dataclasses.dataclass(frozen=True, eq=True)
    class Page:
        name: str = dataclasses.field(compare=False)

        def __call__(self):
            return self.name

    app = make_app(auth)
    auth.protect(app, public={"static"})
    opened, secret = Page("open"), Page("secret")
    app.add_url_rule("/open", "open", auth.public(opened))
    app.add_url_rule("/secret", "secret", secret)
    assert app.test_client().get("/open").text == "open"
    assert app.test_client().get("/secret").status_code == 401

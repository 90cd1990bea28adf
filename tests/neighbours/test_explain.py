"""``flask unauthorized explain`` in apps that use other extensions: their hooks run, and no view does."""

import json

import pytest
from flask import Flask
from flask.cli import ScriptInfo

from flask_unauthorized import Auth, Bearer
from flask_unauthorized.cli import commands

flask_caching = pytest.importorskip("flask_caching")
flask_cors = pytest.importorskip("flask_cors")
flask_limiter = pytest.importorskip("flask_limiter")
flask_login = pytest.importorskip("flask_login")
flask_restful = pytest.importorskip("flask_restful")
flask_restx = pytest.importorskip("flask_restx")
flask_smorest = pytest.importorskip("flask_smorest")


def refuse(*_):
    raise AssertionError("this must not run")


def explained(app, method, path):
    done = Flask("runner").test_cli_runner().invoke(
        commands, ["explain", "--json", method, path], obj=ScriptInfo(create_app=lambda: app)
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    return {case["name"]: case for case in json.loads(done.stdout)["cases"]}


def make_app():
    app = Flask("shop", static_folder=None)
    app.config.update(SECRET_KEY="only for this test, 32 characters", CACHE_TYPE="SimpleCache")
    return app, Auth(Bearer(refuse), app=app, realm="shop")


def judged(found):
    """Statuses of the cases that every guarded view has."""
    names = ("nothing", "bearer-invalid", "bearer-malformed", "unavailable", "valid")
    return [found[name]["status"] for name in names]


EXPECTED = [401, 401, 400, 503, None]


def test_flask_login():
    app, auth = make_app()
    login = flask_login.LoginManager(app)
    login.user_loader(refuse)
    app.add_url_rule("/notes", "notes", auth.login_required(refuse))
    app.before_request(lambda: None if flask_login.current_user.is_anonymous else refuse())
    assert judged(explained(app, "GET", "/notes")) == EXPECTED


def test_flask_limiter_above_and_below_the_guard():
    app, auth = make_app()
    limiter = flask_limiter.Limiter(flask_limiter.util.get_remote_address, app=app, storage_uri="memory://")

    @app.get("/above")
    @limiter.limit("100/minute")
    @auth.login_required
    def above():
        refuse()

    @app.get("/below")
    @auth.login_required
    @limiter.limit("0/minute")
    def below():
        refuse()

    @app.get("/used-up")
    @limiter.limit("0/minute")
    @auth.login_required
    def used_up():
        refuse()

    assert judged(explained(app, "GET", "/above")) == EXPECTED
    assert judged(explained(app, "GET", "/used-up")) == [429] * 5
    assert explained(app, "GET", "/used-up")["nothing"]["note"] is not None
    assert judged(explained(app, "GET", "/below")) == EXPECTED  # the guard comes before the limit, which is not asked


def test_flask_caching_below_the_guard():
    app, auth = make_app()
    cache = flask_caching.Cache(app)
    app.add_url_rule("/notes", "notes", auth.login_required(cache.cached(timeout=60)(refuse)))
    with app.app_context():  # what the view has once returned to another caller
        cache.set("view//notes", "the page of another caller")
    found = explained(app, "GET", "/notes")
    assert judged(found) == EXPECTED
    assert "another caller" not in json.dumps(found)


def test_flask_cors():
    app, auth = make_app()
    flask_cors.CORS(app, origins=["https://other.example"])
    app.add_url_rule("/notes", "notes", auth.login_required(refuse))
    found = explained(app, "GET", "/notes")
    assert judged(found) == EXPECTED
    assert found["preflight"]["status"] == 200
    assert ["Access-Control-Allow-Origin", "https://other.example"] in found["preflight"]["headers"]


@pytest.mark.parametrize("library", [flask_restful, flask_restx])
def test_resources(library):
    app, auth = make_app()
    api = library.Api(app)

    class Notes(library.Resource):
        method_decorators = [auth.login_required]

        def get(self):
            refuse()

    class Items(library.Resource):
        @auth.login_required(scopes={"a"})
        def get(self):
            refuse()

    api.add_resource(Notes, "/notes")
    api.add_resource(Items, "/items")
    assert judged(explained(app, "GET", "/notes")) == EXPECTED
    found = explained(app, "GET", "/items")
    assert judged(found) == EXPECTED
    assert found["bearer-without-scope-a"]["status"] == 403


def test_flask_smorest():
    app, auth = make_app()
    app.config.update(API_TITLE="shop", API_VERSION="1", OPENAPI_VERSION="3.1.0")
    blueprint = flask_smorest.Blueprint("part", __name__)

    @blueprint.route("/notes")
    @blueprint.response(200)
    @auth.login_required
    def notes():
        refuse()

    flask_smorest.Api(app).register_blueprint(blueprint)
    assert judged(explained(app, "GET", "/notes")) == EXPECTED

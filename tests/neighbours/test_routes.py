"""The table of routes sees the views of libraries for REST APIs as they respond."""

from typing import Any

import pytest
from flask import Flask
from flask.views import MethodView

from flask_unauthorized import Auth, Bearer

from .harness import load


def verdicts(auth: Auth[Any], app: Flask, path: str) -> dict[str, str]:
    """Return the state of each method of a path, after comparing it with what anonymous callers get."""
    table = [route for route in auth.routes(app) if route.rule == path]
    found = {method: route.state for route in table for method in sorted(route.methods)}
    statuses = {method: app.test_client().open(path, method=method).status_code for method in found}
    expected = {"guarded": {401}, "open": {200}, "public": {200}, "unknown": {200, 401}}
    wrong = {
        method: (found[method], status) for method, status in statuses.items() if status not in expected[found[method]]
    }
    assert not wrong
    return found


def new_app() -> tuple[Flask, Auth[Any]]:
    app, auth = Flask("shop"), Auth(Bearer(load))
    app.testing = True
    auth.init_app(app)
    return app, auth


@pytest.mark.parametrize("package", ["flask_restful", "flask_restx"])
def test_resources_with_method_decorators(package: str) -> None:
    library = pytest.importorskip(package)
    app, auth = new_app()
    api = library.Api(app)

    class Notes(library.Resource):  # type: ignore[misc, name-defined]
        method_decorators = [auth.login_required]

        def get(self) -> Any:
            return {}

        def post(self) -> Any:
            return {}

    class Open(library.Resource):  # type: ignore[misc, name-defined]
        def get(self) -> Any:
            return {}

        @auth.login_required
        def post(self) -> Any:
            return {}

    class Foreign(library.Resource):  # type: ignore[misc, name-defined]
        method_decorators = [lambda view: auth.login_required(view)]

        def get(self) -> Any:
            return {}

    api.add_resource(Notes, "/notes")
    api.add_resource(Open, "/open")
    api.add_resource(Foreign, "/foreign")
    assert verdicts(auth, app, "/notes") == {"GET": "guarded", "HEAD": "guarded", "POST": "guarded"}
    assert verdicts(auth, app, "/open") == {"GET": "open", "HEAD": "open", "POST": "guarded"}
    assert verdicts(auth, app, "/foreign") == {"GET": "unknown", "HEAD": "unknown"}


@pytest.mark.parametrize("package", ["flask_restful", "flask_restx", "flask_smorest", "apiflask", "flask_openapi3"])
def test_a_public_method_beside_a_guarded_one(package: str) -> None:
    library = pytest.importorskip(package)
    app, auth = new_app()
    if package in ("apiflask", "flask_openapi3"):
        app = {"apiflask": "APIFlask", "flask_openapi3": "OpenAPI"}[package]
        app = getattr(library, app)("shop")
        app.testing = True
        auth.init_app(app)
    auth.protect(app)

    class Notes(library.Resource if hasattr(library, "Resource") else MethodView):  # type: ignore[misc]
        @auth.public(reason="anyone may read")
        def get(self) -> Any:
            return {}

        def post(self) -> Any:
            return {}

    if hasattr(library, "Resource"):
        library.Api(app).add_resource(Notes, "/notes")
    elif package == "flask_smorest":
        app.config.update(API_TITLE="Shop", API_VERSION="1", OPENAPI_VERSION="3.1.0")
        blueprint = library.Blueprint("shop", __name__)
        blueprint.response(200)(Notes.get)
        blueprint.route("/notes")(Notes)
        library.Api(app).register_blueprint(blueprint)
    elif package == "flask_openapi3":
        view = library.APIView()
        for method in (Notes.get, Notes.post):
            view.doc(summary="notes")(method)
        view.route("/notes")(Notes)
        app.register_api_view(view)
    else:
        app.add_url_rule("/notes", view_func=Notes.as_view("notes"))
    auth.check(app)
    assert verdicts(auth, app, "/notes") == {"GET": "public", "HEAD": "public", "POST": "guarded"}


def test_method_decorators_by_method_in_flask_restful() -> None:
    restful = pytest.importorskip("flask_restful")
    app, auth = new_app()

    class Notes(restful.Resource):  # type: ignore[misc, name-defined]
        method_decorators = {"post": [auth.login_required]}

        def get(self) -> Any:
            return {}

        def post(self) -> Any:
            return {}

    restful.Api(app).add_resource(Notes, "/notes")
    assert verdicts(auth, app, "/notes") == {"GET": "open", "HEAD": "open", "POST": "guarded"}


def test_flask_restx_guards_what_its_api_decorates() -> None:
    restx = pytest.importorskip("flask_restx")
    app, auth = new_app()
    api = restx.Api(app, decorators=[auth.login_required], doc="/doc")
    space = restx.Namespace("notes")

    @space.route("/")
    class Notes(restx.Resource):  # type: ignore[misc, name-defined]
        def get(self) -> Any:
            return {}

    api.add_namespace(space)
    assert verdicts(auth, app, "/notes/") == {"GET": "guarded", "HEAD": "guarded"}
    assert verdicts(auth, app, "/swagger.json") == {"GET": "guarded", "HEAD": "guarded"}


def test_flask_smorest() -> None:
    smorest = pytest.importorskip("flask_smorest")
    marshmallow = pytest.importorskip("marshmallow")
    app, auth = new_app()
    app.config.update(API_TITLE="Shop", API_VERSION="1", OPENAPI_VERSION="3.1.0")
    api = smorest.Api(app)

    class Note(marshmallow.Schema):  # type: ignore[misc, name-defined]
        title = marshmallow.fields.Str()

    blueprint = smorest.Blueprint("notes", __name__, url_prefix="/notes")

    @blueprint.route("/")
    class Notes(MethodView):
        @blueprint.response(200, Note)
        def get(self) -> Any:
            return {"title": "a"}

        @blueprint.arguments(Note, location="query")
        @blueprint.response(200, Note)
        @auth.login_required
        def post(self, given: Any) -> Any:
            return given

        @auth.login_required(scopes={"write"})
        @blueprint.response(200, Note)
        def put(self) -> Any:
            return {"title": "b"}

    @blueprint.route("/function")
    @blueprint.response(200, Note)
    @auth.login_required
    def function() -> Any:
        return {"title": "c"}

    api.register_blueprint(blueprint)
    assert verdicts(auth, app, "/notes/") == {"GET": "open", "HEAD": "open", "POST": "guarded", "PUT": "guarded"}
    assert verdicts(auth, app, "/notes/function") == {"GET": "guarded", "HEAD": "guarded"}


def test_apiflask() -> None:
    apiflask = pytest.importorskip("apiflask")
    app, auth = apiflask.APIFlask("shop"), Auth(Bearer(load))
    app.testing = True
    auth.init_app(app)

    @app.get("/notes")
    @app.output({"title": apiflask.fields.String()})
    @auth.login_required
    def notes() -> Any:
        return {"title": "a"}

    @app.get("/open")
    @app.output({"title": apiflask.fields.String()})
    def opened() -> Any:
        return {"title": "a"}

    assert verdicts(auth, app, "/notes") == {"GET": "guarded", "HEAD": "guarded"}
    assert verdicts(auth, app, "/open") == {"GET": "open", "HEAD": "open"}


def test_flask_admin_is_open_without_protect() -> None:
    admin = pytest.importorskip("flask_admin")
    app, auth = new_app()
    admin.Admin(app, name="shop")
    assert {
        route.state
        for route in auth.routes(app)
        if route.rule.startswith("/admin/") and route.endpoint != "admin.static"
    } == {"open"}
    auth.protect(app)
    assert {route.state for route in auth.routes(app)} == {"guarded"}


def test_flask_sock() -> None:
    sock = pytest.importorskip("flask_sock")
    app, auth = new_app()
    sockets = sock.Sock(app)
    sockets.route("/guarded")(auth.login_required(lambda ws: None))
    sockets.route("/open", endpoint="open")(lambda ws: None)
    found = {route.rule: (route.kind, route.state) for route in auth.routes(app) if route.kind == "websocket"}
    assert found == {"/guarded": ("websocket", "guarded"), "/open": ("websocket", "open")}

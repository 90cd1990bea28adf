"""One shop, built with each library that writes an OpenAPI document.

All have the same views: guarded ones in functions, classes and blueprints, optional, public and open ones, and one
whose author wrote the security and a refusal. Each library is built twice: as it is, and with our line.
"""

import json
from collections.abc import Callable
from functools import cached_property
from typing import Any, NamedTuple

import apiflask
import flask_openapi3
import flask_restx
import flask_smorest
from apispec import APISpec
from apispec.yaml_utils import load_yaml_from_docstring
from flask import Blueprint, Flask
from flask.views import MethodView
from pydantic import BaseModel

from flask_unauthorized import APIKey, Auth, Bearer, Identity, any_of
from flask_unauthorized.openapi import AuthPlugin

PATH = "/described.json"
OWN_SCHEME = {"type": "apiKey", "in": "header", "name": "X-Partner"}
OWN_REFUSAL = {"description": "Partners only."}
OWN = {"security": [{"partner": []}], "responses": {"200": {"description": "in"}, "401": OWN_REFUSAL}}
OPTIONS = {"GET": {}, "POST": {"scopes": {"write"}}, "DELETE": {"scopes": {any_of("write", "admin"), "delete"}}}


def load(token: str) -> Identity | None:
    """A token has its scopes: ``ada.write.delete``. Others are wrong."""
    known, *scopes = token.split(".")
    return Identity("ada", scopes=scopes) if known == "ada" else None


def make_auth() -> Auth[Any]:
    return Auth(Bearer(load), APIKey(load))


class Shop(NamedTuple):
    """One app, and the path at which it serves its document."""

    app: Flask
    auth: Auth[Any]
    path: str

    def document(self, **environ: Any) -> dict[str, Any]:
        """Return the document as a client gets it."""
        response = self.app.test_client().get(self.path, **environ)
        assert response.status_code == 200, response.text
        return json.loads(response.text)  # type: ignore[no-any-return]


def answer() -> dict[str, Any]:
    return {"in": True}


def view() -> Callable[..., dict[str, Any]]:
    """Return a new view, because guards belong to one."""
    return lambda *resource, **arguments: {"in": True}


def readers(auth: Auth[Any]) -> dict[str, Any]:
    """Return what guards the views that differ in who may read them."""
    return {"maybe": auth.login_optional, "public": auth.public, "open": lambda view: view}


def set_up(app: Flask) -> None:
    app.config.update(SECRET_KEY="a secret of thirty-two characters", TESTING=True)


# --- apispec alone: paths come from docstrings of YAML, which is what its documentation shows


def by_apispec(version: str, prefix: str, described: bool) -> Shop:
    app, auth = Flask("shop", static_folder=None), make_auth()
    set_up(app)
    auth.init_app(app)
    plugins = [AuthPlugin(auth, app, prefix=prefix)] if described else []
    spec = APISpec("Shop", "1", version, plugins=plugins)
    spec.components.security_scheme("partner", OWN_SCHEME)

    class Notes(MethodView):
        @auth.login_required(**OPTIONS["GET"])
        def get(self, number: int) -> Any:
            """Read.

            ---
            responses: {"200": {description: in}}
            """
            return answer()

        @auth.login_required(**OPTIONS["POST"])
        def post(self, number: int) -> Any:
            """Write.

            ---
            responses: {"200": {description: in}}
            """
            return answer()

        @auth.login_required(**OPTIONS["DELETE"])
        def delete(self, number: int) -> Any:
            """Delete.

            ---
            responses: {"200": {description: in}}
            """
            return answer()

    app.add_url_rule(f"{prefix}/notes/<int:number>", view_func=Notes.as_view("notes"))
    schema = {"type": "integer"}
    number = {"name": "number", "in": "path", "required": True}
    number |= schema if version == "2.0" else {"schema": schema}
    methods = {name: load_yaml_from_docstring(getattr(Notes, name).__doc__) for name in ("get", "post", "delete")}
    spec.path("/notes/{number}", operations=methods, parameters=[number])
    for name, guard in readers(auth).items():
        app.add_url_rule(f"{prefix}/{name}", name, guard(view()))
        spec.path(f"/{name}", operations={"get": {"responses": {"200": {"description": "in"}}}})
    app.add_url_rule(f"{prefix}/own", "own", auth.login_required(view()))
    spec.path("/own", operations={"get": OWN})
    part = Blueprint("part", __name__, url_prefix=f"{prefix}/part")
    auth.protect(part, scopes={"write"})
    part.add_url_rule("/all", "all", view())
    app.register_blueprint(part)
    spec.path("/part/all", operations={"get": {"responses": {"200": {"description": "in"}}}})
    app.add_url_rule(PATH, "described", spec.to_dict)
    return Shop(app, auth, PATH)


# --- flask-smorest


def by_smorest(version: str, prefix: str, described: bool) -> Shop:
    app, auth = Flask("shop", static_folder=None), make_auth()
    set_up(app)
    auth.init_app(app)
    app.config.update(API_TITLE="Shop", API_VERSION="1", OPENAPI_VERSION=version, OPENAPI_URL_PREFIX=f"{prefix}/docs")
    for page in ("REDOC", "SWAGGER_UI", "RAPIDOC"):
        app.config.update({f"OPENAPI_{page}_PATH": f"/{page}", f"OPENAPI_{page}_URL": "https://ui.example/"})
    api = flask_smorest.Api(app, spec_kwargs={"extra_plugins": [AuthPlugin(auth)]} if described else {})
    api.spec.components.security_scheme("partner", OWN_SCHEME)
    notes = flask_smorest.Blueprint("notes", __name__, url_prefix=prefix or None)

    @notes.route("/notes/<int:number>")
    class Notes(MethodView):
        @auth.login_required(**OPTIONS["GET"])
        @notes.response(200)
        def get(self, number: int) -> Any:
            return answer()

        @auth.login_required(**OPTIONS["POST"])
        @notes.response(200)
        def post(self, number: int) -> Any:
            return answer()

        @auth.login_required(**OPTIONS["DELETE"])
        @notes.response(200)
        def delete(self, number: int) -> Any:
            return answer()

    for name, guard in readers(auth).items():
        notes.route(f"/{name}", endpoint=name)(guard(notes.response(200)(view())))
    own = notes.doc(**OWN)(notes.response(200)(view()))
    notes.route("/own", endpoint="own")(auth.login_required(own))
    api.register_blueprint(notes)
    part = flask_smorest.Blueprint("part", __name__, url_prefix=f"{prefix}/part")
    part.route("/all", endpoint="all")(part.response(200)(view()))
    api.register_blueprint(part)
    auth.protect(part, scopes={"write"})
    return Shop(app, auth, f"{prefix}/docs/openapi.json")


# --- APIFlask


def by_apiflask(version: str, prefix: str, described: bool) -> Shop:
    app, auth = apiflask.APIFlask("shop", title="Shop", version="1", spec_path=f"{prefix}/openapi.json"), make_auth()
    set_up(app)
    app.config.update(OPENAPI_VERSION=version, SECURITY_SCHEMES={"partner": OWN_SCHEME})
    auth.init_app(app)
    if described:
        app.spec_processor(auth.openapi)
    theirs = apiflask.APIKeyHeaderAuth(param_name="X-Theirs")
    theirs.verify_token(lambda token: token or None)

    class Notes(apiflask.views.MethodView):
        @auth.login_required(**OPTIONS["GET"])
        @app.output({})
        def get(self, number: int) -> Any:
            return answer()

        @auth.login_required(**OPTIONS["POST"])
        @app.output({})
        def post(self, number: int) -> Any:
            return answer()

        @auth.login_required(**OPTIONS["DELETE"])
        @app.output({})
        def delete(self, number: int) -> Any:
            return answer()

    app.add_url_rule(f"{prefix}/notes/<int:number>", view_func=Notes.as_view("notes"))
    for name, guard in readers(auth).items():
        app.get(f"{prefix}/{name}", endpoint=name)(guard(app.output({})(view())))
    own = app.doc(security=["partner"], responses={401: OWN_REFUSAL["description"]})(view())
    app.get(f"{prefix}/own", endpoint="own")(auth.login_required(own))
    app.get(f"{prefix}/theirs", endpoint="theirs")(app.auth_required(theirs)(view()))
    part = apiflask.APIBlueprint("part", __name__, url_prefix=f"{prefix}/part")
    part.get("/all", endpoint="all")(part.output({})(view()))
    auth.protect(part, scopes={"write"})
    app.register_blueprint(part)
    return Shop(app, auth, f"{prefix}/openapi.json")


# --- flask-openapi3


class Number(BaseModel):
    number: int


def by_openapi3(version: str, prefix: str, described: bool) -> Shop:
    auth = make_auth()

    class Documented(flask_openapi3.OpenAPI):
        @cached_property
        def api_doc(self) -> Any:
            return auth.openapi(super().api_doc)

    made = Documented if described else flask_openapi3.OpenAPI
    app = made("shop", security_schemes={"partner": OWN_SCHEME}, doc_prefix=f"{prefix}/openapi")
    app.openapi_version = version
    set_up(app)
    auth.init_app(app)
    notes = flask_openapi3.APIView(url_prefix=prefix or None)

    @notes.route("/notes/<int:number>")
    class Notes:
        @notes.doc(responses={"200": {"description": "in"}})
        @auth.login_required(**OPTIONS["GET"])
        def get(self, path: Number) -> Any:
            return answer()

        @notes.doc(responses={"200": {"description": "in"}})
        @auth.login_required(**OPTIONS["POST"])
        def post(self, path: Number) -> Any:
            return answer()

        @notes.doc(responses={"200": {"description": "in"}})
        @auth.login_required(**OPTIONS["DELETE"])
        def delete(self, path: Number) -> Any:
            return answer()

    app.register_api_view(notes)
    read = {"200": {"description": "in"}}
    for name, guard in readers(auth).items():
        app.get(f"{prefix}/{name}", endpoint=name, operation_id=name, responses=read)(guard(view()))
    own = auth.login_required(view())
    app.get(f"{prefix}/own", endpoint="own", security=OWN["security"], responses=OWN["responses"])(own)
    part = flask_openapi3.APIBlueprint("part", __name__, url_prefix=f"{prefix}/part")
    part.get("/all", endpoint="all", responses=read)(view())
    auth.protect(part, scopes={"write"})
    app.register_api(part)
    return Shop(app, auth, f"{prefix}/openapi/openapi.json")


# --- flask-restx


def documented_api(auth: Auth[Any]) -> type[flask_restx.Api]:
    """Return the class of the guide."""

    class Documented(flask_restx.Api):
        @property
        def __schema__(self) -> Any:
            return self.described

        @cached_property
        def described(self) -> Any:
            schema = super().__schema__
            return schema if "error" in schema else auth.openapi(schema)

    return Documented


def by_restx(version: str, prefix: str, described: bool) -> Shop:
    app, auth = Flask("shop", static_folder=None), make_auth()
    set_up(app)
    auth.init_app(app)

    blueprint = Blueprint("api", __name__, url_prefix=prefix or None)
    made = documented_api(auth) if described else flask_restx.Api
    api = made(blueprint, title="Shop", version="1", authorizations={"partner": OWN_SCHEME})

    @api.route("/notes/<int:number>")
    class Notes(flask_restx.Resource):
        @auth.login_required(**OPTIONS["GET"])
        def get(self, number: int) -> Any:
            return answer()

        @auth.login_required(**OPTIONS["POST"])
        def post(self, number: int) -> Any:
            return answer()

        @auth.login_required(**OPTIONS["DELETE"])
        def delete(self, number: int) -> Any:
            return answer()

    for name, guard in readers(auth).items():
        resource = type(name, (flask_restx.Resource,), {"decorators": [guard], "get": view()})
        api.add_resource(resource, f"/{name}")
    documented = api.doc(security="partner", responses={401: OWN_REFUSAL["description"]})(auth.login_required(view()))
    api.add_resource(type("own", (flask_restx.Resource,), {"get": documented}), "/own")
    part = api.namespace("part", decorators=[auth.login_required(scopes={"write"})])
    part.add_resource(type("all", (flask_restx.Resource,), {"get": view()}), "/all")
    app.register_blueprint(blueprint)
    return Shop(app, auth, f"{prefix}/swagger.json")


MAKERS: dict[str, tuple[Callable[[str, str, bool], Shop], tuple[str, ...]]] = {
    "apispec": (by_apispec, ("2.0", "3.0.3", "3.1.0")),
    "flask-smorest": (by_smorest, ("2.0", "3.0.3", "3.1.0")),
    "APIFlask": (by_apiflask, ("3.0.3", "3.1.0")),
    "flask-openapi3": (by_openapi3, ("3.1.0",)),
    "flask-restx": (by_restx, ("2.0",)),
}

"""flask-smorest: it has a JSON handler for every ``HTTPException``, which goes on making the bodies."""

import marshmallow as ma
from flask import Flask
from flask import abort as flask_abort
from flask.views import MethodView
from flask_smorest import Api, Blueprint, abort
from werkzeug.datastructures import WWWAuthenticate
from werkzeug.exceptions import Unauthorized

from flask_unauthorized import Auth, Bearer, abort_unauthorized

from .harness import OURS, Ask, Guarded, Neighbour, load

SETTINGS = {"API_TITLE": "Shop", "API_VERSION": "1", "OPENAPI_VERSION": "3.0.3", "OPENAPI_URL_PREFIX": "/docs"}


class Note(ma.Schema):
    title = ma.fields.String(required=True)


def _build(app: Flask) -> None:
    app.config.update(SETTINGS)
    blueprint = Blueprint("notes", __name__, url_prefix="/notes", description="Notes")

    @blueprint.route("/<kind>")
    class Notes(MethodView):
        @blueprint.response(200, Note)
        def get(self, kind):
            if kind == "smorest":
                abort(401, message="Log in, please.")
            if kind == "headers":
                abort(401, message="Log in, please.", headers={"WWW-Authenticate": 'Basic realm="own"'})
            if kind == "challenged":
                raise Unauthorized(www_authenticate=WWWAuthenticate("basic", {"realm": "its own"}))
            if kind == "flask":
                flask_abort(401)
            if kind == "forbidden":
                abort(403, message="Not yours.")
            return {"title": kind}

        @blueprint.arguments(Note)
        @blueprint.response(201, Note)
        def post(self, note, kind):
            return note

    Api(app).register_blueprint(blueprint)
    app.add_url_rule("/plain", "plain", lambda: flask_abort(401))


def together(app):
    auth = Auth(Bearer(load))
    auth.init_app(app)
    app.config.update(SETTINGS)
    api = Api(app)
    blueprint = Blueprint("notes", __name__, url_prefix="/notes")

    @blueprint.route("/")
    class Notes(MethodView):
        @auth.login_required
        @blueprint.response(200)
        def get(self):
            return {"owner": auth.identity.subject}

        @auth.login_required(scopes={"write"})
        @blueprint.response(200)
        def post(self):
            return {"owner": auth.identity.subject}

        @blueprint.response(204)
        def delete(self):
            abort_unauthorized("Sign in again.")

    inside = Blueprint("inside", __name__, url_prefix="/inside")
    auth.protect(inside, scopes={"write"})  # all of a blueprint

    @inside.route("/")
    class Inside(MethodView):
        decorators = [auth.login_required]

        def get(self):
            return "inside"

    api.register_blueprint(blueprint)
    api.register_blueprint(inside)
    return auth


NEIGHBOURS = (
    Neighbour(
        name="flask-smorest",
        package="flask-smorest",
        build=_build,
        asks=(
            Ask("a view", "/notes/one", 200),
            Ask("its `openapi.json`", "/docs/openapi.json", 200),
            Ask("its `abort(401, message=…)`", "/notes/smorest", 401, OURS),
            Ask("its `abort(401, headers=…)` with a challenge", "/notes/headers", 401),
            Ask("Flask's `abort(401)` in a view of its own", "/notes/flask", 401, OURS),
            Ask("`raise Unauthorized(www_authenticate=…)`", "/notes/challenged", 401, ('Basic realm="its own"',)),
            Ask("Flask's `abort(401)` beside it", "/plain", 401, OURS),
            Ask("its `abort(403)`", "/notes/forbidden", 403),
            Ask("a body that it doesn't accept", "/notes/one", 422, method="POST", json={}),
            Ask("no such path", "/nowhere", 404),
        ),
        together=together,
        guarded=(
            Guarded("/notes/"),
            Guarded("/notes/", "scopes", "POST"),
            Guarded("/notes/", "abort", "DELETE"),
            Guarded("/inside/", "scopes"),
        ),
        advice="`login_required` stands above its decorators, or in `decorators` of the `MethodView`; `protect` takes "
        "its blueprints. Its handler goes on making the bodies of all errors.",
    ),
)

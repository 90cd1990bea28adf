"""flask-restx: like flask-restful, with documentation, namespaces and error handlers of its own."""

from flask import Flask
from flask import abort as flask_abort
from flask_restx import Api, Namespace, Resource, abort, fields
from werkzeug.datastructures import WWWAuthenticate
from werkzeug.exceptions import Unauthorized

from flask_unauthorized import Auth, Bearer, abort_unauthorized

from .harness import OURS, Ask, Guarded, Neighbour, load


class NoToken(Exception):
    pass


def _build(app: Flask) -> None:
    api = Api(app, title="Shop", authorizations={"token": {"type": "apiKey", "in": "header", "name": "Authorization"}})
    space = Namespace("notes", description="Notes")
    note = space.model("Note", {"title": fields.String(required=True)})

    @space.route("/<kind>")
    class Notes(Resource):
        @space.doc(security="token")
        def get(self, kind):
            if kind == "restx":
                abort(401, "Log in, please.", hint=17)
            if kind == "flask":
                flask_abort(401)
            if kind == "challenged":
                raise Unauthorized("Who?", www_authenticate=WWWAuthenticate("basic", {"realm": "its own"}))
            if kind == "handler":
                raise NoToken
            if kind == "returned":
                return {"message": "no"}, 401, {"X-Own": "1"}
            if kind == "forbidden":
                abort(403, "Not yours.")
            return {"kind": kind}

        @space.expect(note, validate=True)
        def post(self, kind):
            return {}

    @space.errorhandler(NoToken)
    def no_token(error):
        """What its documentation shows: a body, a status, headers."""
        return {"message": "no token", "own": True}, 401, {"X-Own": "1"}

    api.add_namespace(space)


def together(app):
    auth = Auth(Bearer(load))
    auth.init_app(app)
    api = Api(app, decorators=[auth.login_required])  # around all it serves

    @api.route("/notes")
    class Notes(Resource):
        method_decorators = [auth.login_required]

        def get(self):
            return {"owner": auth.identity.subject}

        @auth.login_required(scopes={"write"})
        def post(self):
            return {"owner": auth.identity.subject}

        def delete(self):
            abort_unauthorized("Sign in again.")

    return auth


NEIGHBOURS = (
    Neighbour(
        name="flask-restx",
        package="flask-restx",
        build=_build,
        asks=(
            Ask("a resource", "/notes/one", 200),
            Ask("its documentation", "/", 200),
            Ask("its `swagger.json`", "/swagger.json", 200),
            Ask("its `abort(401, …)`", "/notes/restx", 401, OURS),
            Ask("Flask's `abort(401)` in a resource", "/notes/flask", 401, OURS),
            Ask("`raise Unauthorized(www_authenticate=…)` in a resource", "/notes/challenged", 401),
            Ask("its `errorhandler`", "/notes/handler", 401, OURS),
            Ask("`return {…}, 401`", "/notes/returned", 401, OURS),
            Ask("its `abort(403)`", "/notes/forbidden", 403),
            Ask("a body that it doesn't accept", "/notes/one", 400, method="POST", json={}),
            Ask("no such path", "/nowhere", 404),
        ),
        together=together,
        guarded=(Guarded("/notes"), Guarded("/notes", "scopes", "POST"), Guarded("/notes", "abort", "DELETE")),
        advice="`login_required` goes into `Api(decorators=…)`, which guards its `swagger.json` too, into "
        "`method_decorators`, or on a method.",
    ),
)

"""flask-restful: it answers errors inside its resources itself, past the app's error handlers."""

from flask import Flask
from flask import abort as flask_abort
from flask_restful import Api, Resource, abort, reqparse

from flask_unauthorized import Auth, Bearer, abort_unauthorized

from .harness import OURS, Ask, Guarded, Neighbour, load


class Notes(Resource):
    def get(self, kind):
        if kind == "restful":
            abort(401, message="Log in, please.", code=17)
        if kind == "flask":
            flask_abort(401)
        if kind == "returned":
            return {"message": "no"}, 401, {"X-Own": "1"}
        if kind == "forbidden":
            abort(403, message="Not yours.")
        return {"kind": kind}

    def post(self, kind):
        parser = reqparse.RequestParser()
        parser.add_argument("title", required=True)
        return parser.parse_args()


def _build(app: Flask) -> None:
    Api(app).add_resource(Notes, "/notes/<kind>")
    app.add_url_rule("/plain", "plain", lambda: flask_abort(401))


def _build_with_challenge(app: Flask) -> None:
    Api(app, serve_challenge_on_401=True).add_resource(Notes, "/notes/<kind>")


def together(app):
    auth = Auth(Bearer(load))
    auth.init_app(app)
    api = Api(app)

    class Notes(Resource):
        method_decorators = {"get": [auth.login_required]}

        def get(self):
            return {"owner": auth.identity.subject}

        @auth.login_required(scopes={"write"})
        def post(self):
            return {"owner": auth.identity.subject}

        def delete(self):
            abort_unauthorized("Sign in again.")

    api.add_resource(Notes, "/notes")
    return auth


_ASKS = (
    Ask("a resource", "/notes/one", 200),
    Ask("its `abort(401, message=…)`", "/notes/restful", 401, OURS),
    Ask("Flask's `abort(401)` in a resource", "/notes/flask", 401, OURS),
    Ask("`return {…}, 401`", "/notes/returned", 401, OURS),
    Ask("its `abort(403)`", "/notes/forbidden", 403),
    Ask("an argument that is missing", "/notes/one", 400, method="POST", json={}),
    Ask("no such path", "/nowhere", 404),
    Ask("no such method", "/notes/one", 405, method="PUT"),
)
GUARDED = (Guarded("/notes"), Guarded("/notes", "scopes", "POST"), Guarded("/notes", "abort", "DELETE"))

NEIGHBOURS = (
    Neighbour(
        name="flask-restful",
        package="flask-restful",
        build=_build,
        asks=(*_ASKS, Ask("Flask's `abort(401)` in a view beside it", "/plain", 401, OURS, page=True)),
        together=together,
        guarded=GUARDED,
        advice="Put `login_required` into `method_decorators`, or on a method. flask-restful makes the body, and"
        " the extension makes the challenges.",
    ),
    Neighbour(
        name="flask-restful, with `serve_challenge_on_401`",
        package="flask-restful",
        build=_build_with_challenge,
        asks=tuple(ask._replace(after=None) if "abort(401" in ask.title else ask for ask in _ASKS),
        together=together,
        guarded=(),
        advice="The challenge that it adds to its own 401s stays.",
    ),
)

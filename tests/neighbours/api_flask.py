"""APIFlask: an app class of its own, with JSON errors, schemas and Flask-HTTPAuth's classes."""

from typing import Any

from apiflask import APIFlask, HTTPBasicAuth, HTTPTokenAuth, Schema, abort
from apiflask.fields import String
from flask import Flask
from flask import abort as flask_abort
from flask.views import MethodView
from werkzeug.datastructures import WWWAuthenticate
from werkzeug.exceptions import Unauthorized

from flask_unauthorized import Auth, Basic, Bearer, abort_unauthorized

from .harness import OURS, Ask, Guarded, Neighbour, bearer, load


class Note(Schema):
    title = String(required=True)


def make(name: str) -> Flask:
    """An app that tells its errors in JSON, as it does by default."""
    return APIFlask(name, title="Shop", version="1")


def make_without_json(name: str) -> Flask:
    """An app that leaves errors to Flask."""
    return APIFlask(name, title="Shop", version="1", json_errors=False)


def _build(app: Any) -> None:
    token, basic = HTTPTokenAuth(), HTTPBasicAuth()
    token.verify_token(lambda token: token if token == "ada" else None)
    token.get_user_roles(lambda user: ["reader"])
    basic.verify_password(lambda name, password: None)

    @app.get("/notes")
    @app.auth_required(token)
    @app.output(Note)
    def notes():
        return {"title": token.current_user}

    @app.get("/admin")
    @app.auth_required(token, roles=["admin"])
    def admin():
        return "never"

    @app.get("/basic")
    @app.auth_required(basic)
    def by_password():
        return "never"

    @app.get("/abort")
    def by_its_abort():
        abort(401, "Log in, please.", extra_data={"code": 17})

    @app.get("/headers")
    def by_its_abort_with_headers():
        abort(401, headers={"WWW-Authenticate": 'Basic realm="own"'})

    @app.get("/flask")
    def by_flasks_abort():
        flask_abort(401)

    @app.get("/challenged")
    def by_a_challenge():
        raise Unauthorized(www_authenticate=WWWAuthenticate("basic", {"realm": "its own"}))

    @app.post("/notes")
    @app.input(Note)
    def add(json_data):
        return json_data


def together(app):  # app = APIFlask(__name__)
    auth = Auth(Bearer(load), Basic(lambda name, password: False))
    auth.init_app(app)

    @app.get("/notes")
    @auth.login_required
    @app.output({"owner": String()})
    def notes():
        return {"owner": auth.identity.subject}

    class Write(MethodView):
        decorators = [auth.login_required(scopes={"write"})]

        def post(self):
            return {"owner": auth.identity.subject}

        @app.output({})
        def delete(self):
            abort_unauthorized("Sign in again.")

    app.add_url_rule("/write", view_func=Write.as_view("write"))
    return auth


_ASKS = (
    Ask("a good token", "/notes", 200, headers=bearer("ada")),
    Ask("its documentation", "/docs", 200),
    Ask("its `openapi.json`", "/openapi.json", 200),
    Ask("nothing sent", "/notes", 401),
    Ask("a wrong token", "/notes", 401, headers=bearer("eve")),
    Ask("nothing sent, `HTTPBasicAuth`", "/basic", 401),
    Ask("a role that is missing", "/admin", 403, headers=bearer("ada")),
    Ask("its `abort(401, …)`", "/abort", 401, OURS),
    Ask("its `abort(401, headers=…)` with a challenge", "/headers", 401),
    Ask("Flask's `abort(401)`", "/flask", 401, OURS),
    Ask("`raise Unauthorized(www_authenticate=…)`", "/challenged", 401),
    Ask("a body that it doesn't accept", "/notes", 422, method="POST", json={}),
    Ask("no such path", "/nowhere", 404),
)

NEIGHBOURS = (
    Neighbour(
        name="APIFlask",
        package="apiflask",
        build=_build,
        asks=_ASKS,
        together=together,
        guarded=(Guarded("/notes"), Guarded("/write", "scopes", "POST"), Guarded("/write", "abort", "DELETE")),
        make=make,
        advice="`login_required` stands below the route and above `@app.input` and `@app.output`. All schemes are "
        "offered, one line each; its handlers make the bodies.",
    ),
    Neighbour(
        name="APIFlask, with `json_errors=False`",
        package="apiflask",
        build=_build,
        asks=tuple(ask._replace(page=True) if ask.path == "/flask" else ask for ask in _ASKS),
        together=together,
        guarded=(Guarded("/notes"), Guarded("/write", "scopes", "POST"), Guarded("/write", "abort", "DELETE")),
        make=make_without_json,
        advice="Flask's own error page is the only one that changes.",
    ),
)

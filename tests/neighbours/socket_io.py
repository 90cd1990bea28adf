"""Flask-SocketIO: WSGI middleware in front of Flask. Its events get a request context, but no dispatch."""

import flask_socketio
from flask import Flask, request
from flask import abort as flask_abort
from flask_socketio import SocketIO

from flask_unauthorized import Auth, Bearer, SessionCookie, abort_unauthorized
from flask_unauthorized.errors import AuthError

from .harness import OURS, Ask, Guarded, Neighbour, load

SETTINGS = {"async_mode": "threading", "async_handlers": False}


def _build(app: Flask) -> None:
    SocketIO(app, **SETTINGS)
    app.add_url_rule("/open", "open", lambda: "open")
    app.add_url_rule("/abort", "abort", lambda: flask_abort(401))
    app.add_url_rule("/returned", "returned", lambda: ({"message": "Log in."}, 401))


def together(app):
    auth = Auth(Bearer(load), SessionCookie(load))
    auth.init_app(app)
    socketio = SocketIO(app, **SETTINGS)

    @app.post("/login")
    @auth.public
    def login():
        return auth.login("ada").subject

    @socketio.on("connect")
    @auth.login_required
    def connect(data):
        pass

    @socketio.on("notes")
    @auth.login_required  # events are judged one by one, with what came with the handshake
    def owner():
        return {"owner": auth.identity.subject}

    @socketio.on("write")
    @auth.login_required(scopes={"write"})
    def write():
        return {"owner": auth.identity.subject}

    @socketio.on_error_default
    def refused(error):
        if not isinstance(error, AuthError):
            raise error
        if request.event["message"] == "connect":  # only this exception refuses a connection
            raise flask_socketio.ConnectionRefusedError(error.description, {"status": error.code})
        return {"message": error.description, "status": error.code}  # what the client gets for its event

    @app.get("/notes")
    @auth.login_required
    def notes():
        return {"owner": auth.identity.subject}

    @app.get("/again")
    def again():
        abort_unauthorized("Sign in again.")

    return auth


NEIGHBOURS = (
    Neighbour(
        name="Flask-SocketIO",
        package="flask-socketio",
        build=_build,
        asks=(
            Ask("an open view", "/open", 200),
            Ask("a handshake that is not valid", "/socket.io/?transport=polling", 400),
            Ask("`abort(401)`", "/abort", 401, OURS, page=True),
            Ask("`return {…}, 401`", "/returned", 401, OURS),
        ),
        together=together,
        guarded=(Guarded("/notes"), Guarded("/again", "abort")),
        advice="Flask-SocketIO's events never pass Flask's dispatch. So `protect` and hooks do not see them, and"
        " they have no status or challenge. Decorate the `connect` handler and each event that matters. "
        "Turn refusals into `ConnectionRefusedError` for `connect` and into an answer for events, as "
        "below. Without that, a refused `connect` leaves the client waiting, and with "
        "`always_connect=True` it leaves it connected. A handler that answers an error of `connect` with "
        "a value accepts the connection. Keep `cors_allowed_origins` at its default, or list origins. "
        "With `\"*\"`, another site's polling handshake is a GET with the visitor's cookie, and the "
        "extension cannot distinguish it from a page load. It still refuses WebSocket handshakes of "
        "another site.",
    ),
)

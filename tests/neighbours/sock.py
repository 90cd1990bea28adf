"""flask-sock: WebSockets of Flask's own routes. The handshake is a GET."""

from flask import Blueprint, Flask
from flask import abort as flask_abort
from flask_sock import Sock

from flask_unauthorized import Auth, Bearer, SessionCookie, abort_unauthorized

from .harness import OURS, Ask, Guarded, Neighbour, load


def _build(app: Flask) -> None:
    Sock(app).route("/echo")(lambda ws: ws.send(ws.receive()))
    app.add_url_rule("/abort", "abort", lambda: flask_abort(401))
    app.add_url_rule("/returned", "returned", lambda: ({"message": "Log in."}, 401))


def together(app):
    auth = Auth(Bearer(load), SessionCookie(load))
    auth.init_app(app)
    sock = Sock(app)

    @app.post("/login")
    @auth.public
    def login():
        return auth.login("ada").subject

    @sock.route("/ws")
    @auth.login_required  # judged before the handshake
    def ws(ws):
        ws.send(f"Hello {auth.identity.subject}")

    @sock.route("/ws/write")
    @auth.login_required(scopes={"write"})
    def write(ws):
        ws.send("written")

    live = Blueprint("live", __name__, url_prefix="/live")

    @sock.route("/ws", bp=live)
    def watch(ws):
        ws.send(f"Hello {auth.identity.subject}")

    @app.get("/notes")
    @auth.login_required
    def notes():
        return {"owner": auth.identity.subject}

    @app.get("/again")
    def again():
        abort_unauthorized("Sign in again.")

    auth.protect(live)
    app.register_blueprint(live)
    return auth


NEIGHBOURS = (
    Neighbour(
        name="flask-sock",
        package="flask-sock",
        build=_build,
        asks=(
            Ask("the path of a WebSocket, without a handshake", "/echo", 400),
            Ask("`abort(401)`", "/abort", 401, OURS, page=True),
            Ask("`return {…}, 401`", "/returned", 401, OURS),
        ),
        together=together,
        guarded=(Guarded("/notes"), Guarded("/again", "abort")),
        advice="Decorators and `protect` refuse before the handshake: the client gets 401 or 403 in place of 101, and "
        "no socket is opened. A handshake of another site with a cookie or a password that the browser repeats is "
        "403; `trusted_origins=` names sites that may. Scripts in browsers cannot send `Authorization` with a "
        "handshake, so they need the cookie. `auth.require()` inside the view comes after the handshake and cannot "
        "refuse it: use a decorator. A socket stays open when its session ends or its token expires, and the caller in "
        "it stays that of the handshake: close it yourself, for example at `auth.identity.expires_at`.",
    ),
)

"""flask-cors: preflights pass, and scripts of an allowed origin can read why they were refused."""

from flask import Flask
from flask import abort as flask_abort
from flask_cors import CORS, cross_origin

from flask_unauthorized import Auth, Bearer, abort_unauthorized

from .harness import OURS, Ask, Guarded, Neighbour, load

ORIGIN = {"Origin": "https://page.example"}
PREFLIGHT = {**ORIGIN, "Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "authorization"}


def _views(app: Flask) -> None:
    app.add_url_rule("/open", "open", lambda: "open")
    app.add_url_rule("/abort", "abort", lambda: flask_abort(401))
    app.add_url_rule("/returned", "returned", lambda: ({"message": "no"}, 401))


def _build(app: Flask) -> None:
    CORS(app)
    _views(app)


def _build_decorated(app: Flask) -> None:
    app.add_url_rule("/abort", "abort", cross_origin()(lambda: flask_abort(401)))
    app.add_url_rule("/returned", "returned", cross_origin()(lambda: ({"message": "no"}, 401)))


def _build_strict(app: Flask) -> None:
    CORS(
        app, origins=["https://page.example"], supports_credentials=True, expose_headers=["X-Total"],
        allow_headers=["Authorization"], max_age=600,
    )  # fmt: skip
    _views(app)


def together(app):
    auth = Auth(Bearer(load))
    auth.init_app(app)
    CORS(app, resources={"/api/*": {"origins": "https://page.example"}})

    @app.get("/api/notes")
    @auth.login_required
    def notes():
        return {"owner": auth.identity.subject}

    @app.get("/api/abort")
    def aborts():
        abort_unauthorized("Sign in again.")

    @app.route("/write", methods=["POST"])
    @cross_origin(origins="https://page.example")  # above ours
    @auth.login_required(scopes={"write"})
    def write():
        return {"owner": auth.identity.subject}

    return auth


_ASKS = (
    Ask("an open view", "/open", 200),
    Ask("an open view, from another origin", "/open", 200, headers=ORIGIN),
    Ask("a preflight", "/abort", 200, headers=PREFLIGHT, method="OPTIONS"),
    Ask("`abort(401)`, from another origin", "/abort", 401, OURS, ORIGIN, page=True),
    Ask("`return {…}, 401`, from another origin", "/returned", 401, OURS, ORIGIN),
    Ask("`return {…}, 401`, from the same origin", "/returned", 401, OURS),
)

NEIGHBOURS = (
    Neighbour(
        name="flask-cors",
        package="flask-cors",
        build=_build,
        asks=_ASKS,
        together=together,
        guarded=(Guarded("/api/notes"), Guarded("/write", "scopes", "POST"), Guarded("/api/abort", "abort")),
        advice="With `CORS(app)`, preflights pass the guards, and scripts that may read a refusal can read its "
        "challenge. With `cross_origin` above the extension's decorator, preflights pass and answers can "
        "be read. Refusals can't be read, because they are raised past it, as `abort` is. A script of "
        "another site that sends `Authorization: Basic` itself looks like a browser that repeats a "
        "password. Its unsafe methods get 403 until its origin is also in `Basic(trusted_origins={…})`.",
    ),
    Neighbour(
        name="flask-cors, with credentials and exposed headers of its own",
        package="flask-cors",
        build=_build_strict,
        asks=_ASKS,
        together=together,
        guarded=(),
        advice="The headers that flask-cors exposes stay, and the extension adds its own.",
    ),
    Neighbour(
        name="flask-cors, its decorator",
        package="flask-cors",
        build=_build_decorated,
        asks=_ASKS[2:],
        together=together,
        guarded=(),
        advice="A 401 that is raised goes past `cross_origin`, with or without `init_app`.",
    ),
)

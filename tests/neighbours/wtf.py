"""Flask-WTF: its CSRF protection runs before the request is dispatched, and so before authentication."""

from flask import Blueprint, Flask
from flask import abort as flask_abort
from flask_wtf.csrf import CSRFProtect, generate_csrf

from flask_unauthorized import Auth, Bearer, abort_unauthorized

from .harness import OURS, Ask, Guarded, Neighbour, load


def _build(app: Flask) -> None:
    csrf = CSRFProtect(app)
    app.add_url_rule("/open", "open", lambda: "open")
    app.add_url_rule("/form", "form", lambda: "sent", methods=["POST"])
    app.add_url_rule("/abort", "abort", lambda: flask_abort(401))

    @app.post("/api")
    @csrf.exempt
    def api():
        return {"message": "Log in."}, 401


def together(app):
    csrf = CSRFProtect()
    csrf.init_app(app)
    auth = Auth(Bearer(load))
    auth.init_app(app)

    @app.get("/token")
    def token():
        return generate_csrf()

    @app.post("/form")
    @auth.login_required  # without a CSRF token: 400, for callers who are not logged in as well
    def form():
        return {"owner": auth.identity.subject}

    @app.post("/api/write")
    @csrf.exempt  # no browser sends a token of ours by itself
    @auth.login_required(scopes={"write"})
    def write():
        return {"owner": auth.identity.subject}

    api = Blueprint("api", __name__, url_prefix="/v2")

    @api.post("/notes")
    def notes():
        return {"owner": auth.identity.subject}

    @api.post("/again")
    def again():
        abort_unauthorized("Sign in again.")

    csrf.exempt(api)  # all of the blueprint
    auth.protect(api)
    app.register_blueprint(api)
    return auth


NEIGHBOURS = (
    Neighbour(
        name="Flask-WTF",
        package="flask-wtf",
        build=_build,
        asks=(
            Ask("an open view", "/open", 200),
            Ask("a form without its CSRF token", "/form", 400, method="POST"),
            Ask("`abort(401)`", "/abort", 401, OURS, page=True),
            Ask("`return {…}, 401`, exempt from CSRF protection", "/api", 401, OURS, method="POST"),
        ),
        together=together,
        guarded=(
            Guarded("/api/write", "scopes", "POST"),
            Guarded("/v2/notes", method="POST"),
            Guarded("/v2/again", "abort", "POST"),
        ),
        advice="`CSRFProtect` is a `before_request` function, and guards judge after those. So an unsafe request"
        " without a CSRF token gets 400 before its credentials are read. Exempt the views that accept "
        "tokens or keys, because a browser does not send these by itself. `csrf.exempt` may stand above "
        "or below the extension's decorator. Views for browsers keep both checks: the extension refuses "
        "requests of other sites with a cookie or a password, and Flask-WTF also refuses those of other "
        "pages. To judge first, set `WTF_CSRF_CHECK_DEFAULT = False` and call `csrf.protect()` inside the"
        " guarded view.",
    ),
)

"""Flask-Limiter: limits are checked before the request is dispatched, or where its decorator stands."""

from flask import Flask
from flask import abort as flask_abort
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address

from flask_unauthorized import Auth, Bearer, abort_unauthorized

from .harness import OURS, Ask, Guarded, Neighbour, bearer, load


def _build(app: Flask) -> None:
    limiter = Limiter(get_remote_address, app=app, default_limits=["1000 per minute"], storage_uri="memory://")
    app.add_url_rule("/open", "open", lambda: "open")
    app.add_url_rule("/abort", "abort", lambda: flask_abort(401))

    @app.get("/returned")
    @limiter.limit("900 per minute")
    def returned():
        return {"message": "Log in."}, 401

    @app.get("/busy")
    @limiter.limit("1 per minute", cost=2)  # over the limit at once
    def busy():
        return "never"


def together(app):
    auth = Auth(Bearer(load))
    auth.init_app(app)

    def caller():
        return auth.identity.subject

    limiter = Limiter(
        get_remote_address, app=app, storage_uri="memory://",
        application_limits=["6 per hour"],  # every request counts, a refused one too: this bounds guessing
    )  # fmt: skip

    @app.get("/notes")
    @limiter.limit("3 per hour")  # above the guard: refused requests count, by address
    @auth.login_required
    def notes():
        return {"owner": auth.identity.subject}

    @app.get("/write")
    @auth.login_required(scopes={"write"})
    @limiter.limit("2 per hour", key_func=caller)  # below the guard: accepted requests count, by caller
    def write():
        return {"owner": auth.identity.subject}

    @app.get("/again")
    def again():
        abort_unauthorized("Sign in again.")

    return auth


NEIGHBOURS = (
    Neighbour(
        name="Flask-Limiter",
        package="flask-limiter",
        build=_build,
        asks=(
            Ask("an open view", "/open", 200),
            Ask("over the limit", "/busy", 429),
            Ask("over the limit, with a token", "/busy", 429, headers=bearer("ada")),
            Ask("`abort(401)`", "/abort", 401, OURS, page=True),
            Ask("`return {…}, 401`, limited", "/returned", 401, OURS),
        ),
        together=together,
        guarded=(Guarded("/notes"), Guarded("/write", "scopes"), Guarded("/again", "abort")),
        advice="Put a limit by caller below the extension's decorator. There the caller is known, and `key_func`"
        " may read `auth.identity`. Limits of the whole app (`application_limits`, `default_limits`) are "
        "checked before the guards, so key them by address. They count refused requests, too. A limit "
        "above the decorator does the same for one view. Do not put one above and one below: "
        "Flask-Limiter checks both in the inner one, and no refused request counts. Its 429 passes, "
        "whether or not the caller is logged in.",
    ),
)

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

    def caller_or_address():
        identity = auth.get_identity()
        return f"user:{identity.subject}" if identity else get_remote_address()

    @app.get("/news")
    @limiter.limit("2 per hour", key_func=caller_or_address)  # anywhere: on open pages, above guards, for the whole app
    def news():
        return "news"

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
        advice="A `key_func` may call `auth.get_identity()` on every page. Return the address for callers who "
        "aren't known, as the program shows: Flask-Limiter applies no limit to an empty key.\n\n"
        "- **Below the extension's decorator**, a limit counts accepted requests only, and `key_func` may read "
        "`auth.identity`.\n"
        "- **Above the decorator**, and as `default_limits` or `application_limits`, a limit counts refused requests "
        "too. Callers with invalid credentials count by address. `auth.identity` raises 401 there for callers who "
        "aren't known, so use `auth.get_identity()`.\n"
        "- **Not both.** Flask-Limiter checks both in the inner one, and no refused request counts.\n"
        "- **Cost.** A key by caller verifies the credentials before it counts. If that is slow, as passwords are, use "
        "a key by address for logins and `Basic`. A request is verified once, and a Digest count or a DPoP proof is "
        "spent once.\n"
        "- **Logins.** `deduct_when=lambda response: response.status_code == 401` counts failed logins only.\n"
        "- **429.** It passes with Flask-Limiter's body, whether or not the caller is logged in. If the key asked who "
        "is calling, the response has `Vary`, and `private` for a known caller.\n"
        "- **Not counted.** Flask-Limiter doesn't count requests to unknown paths. A 404 page that asks who is calling "
        "verifies credentials there, and no limit bounds the guesses.",
    ),
)

"""Notes with personal access tokens: a page where people make and revoke them, and an API that takes them.

Run: ``pip install ".[tokens]" && python -m examples.token_settings``. Behind HTTPS set
``FLASK_SESSION_COOKIE_SECURE=true`` as well.
"""

from flask import Flask, Response, request

from . import api, database, pages
from .auth import auth, bearer, key, session, tokens

# Only the app's own style file, no script at all, and no frame of another site around a page.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


def create_app() -> Flask:
    """Return the app. Its pages take the session only, so no token can make tokens. Its API takes tokens only."""
    database.create()
    tokens.create_table()
    app = Flask(__name__)
    app.config.update(
        SECRET_KEY=database.secret_key(),
        SESSION_COOKIE_SAMESITE="Lax",
        MAX_CONTENT_LENGTH=64 * 1024,
    )
    app.config.from_prefixed_env()  # FLASK_SECRET_KEY and the like
    app.teardown_appcontext(database.close)
    app.after_request(_secure)
    auth.init_app(app)
    auth.protect(app, public={"static"})
    auth.protect(pages.blueprint, via=session)
    auth.protect(api.blueprint, via=(bearer, key))
    app.register_blueprint(pages.blueprint)
    app.register_blueprint(api.blueprint)
    auth.check(app)
    return app


def _secure(response: Response) -> Response:
    response.headers.setdefault("Content-Security-Policy", CONTENT_SECURITY_POLICY)
    response.headers.setdefault("X-Content-Type-Options", "nosniff")
    response.headers.setdefault("Referrer-Policy", "same-origin")
    if request.endpoint != "static":
        response.headers["Cache-Control"] = "no-store"  # neither the Back button nor a cache shows a token again
    return response

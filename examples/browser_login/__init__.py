"""Notes for people in browsers: register, log in, be remembered, see your devices, log out.

Run: ``pip install . && python -m examples.browser_login``. Behind HTTPS set ``FLASK_SESSION_COOKIE_SECURE=true`` as
well. The page of notes uses an API with its own JavaScript.
"""

from flask import Flask, Response

from flask_unauthorized.signals import session_stolen

from . import api, database, errors, pages
from .auth import auth

# Only the app's own script and style files, none inside the page, and no frame of another site around it.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)


def create_app() -> Flask:
    """Return the app. All its views need a login, except those marked ``@auth.public`` and the static files."""
    database.create()
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
    app.register_blueprint(pages.blueprint)
    app.register_blueprint(api.blueprint)
    errors.register(app)
    session_stolen.connect(_note_theft, app)
    auth.check(app)
    return app


def _note_theft(_app: Flask, *, subject: str, **_: object) -> None:
    database.raise_alarm(subject)  # shown on all pages, once the user has logged in again


def _secure(response: Response) -> Response:
    response.headers.setdefault("Content-Security-Policy", CONTENT_SECURITY_POLICY)
    response.headers.setdefault("X-Content-Type-Options", "nosniff")
    response.headers.setdefault("Referrer-Policy", "same-origin")
    if auth.get_identity() is not None:
        response.headers.setdefault("Cache-Control", "no-store")  # the Back button shows nothing after a logout
    return response

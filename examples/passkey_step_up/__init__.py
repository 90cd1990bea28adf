"""Payouts: a page that opens only after the person has confirmed the login with a passkey.

Run: ``pip install . webauthn && python -m examples.passkey_step_up``.

- `passkeys` is what you would copy: add a passkey, and confirm a login with one;
- `pages` has the guarded page, and the login page that leads to the step-up;
- `database` stands for yours.

In production set ``FLASK_PASSKEY_ORIGIN=https://payouts.example``: the origin of your pages, as browsers send it.
"""

import os
from urllib.parse import urlsplit

from flask import Flask, Response

from . import database, pages, passkeys
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
        # The setting decides which origin is accepted. A field of the request, such as Host, can't.
        PASSKEY_ORIGIN=f"http://localhost:{os.environ.get('PORT', '5000')}",
    )
    app.config.from_prefixed_env()  # FLASK_SECRET_KEY, FLASK_PASSKEY_ORIGIN and the like
    origin = urlsplit(app.config["PASSKEY_ORIGIN"])
    app.config.setdefault("PASSKEY_RP_ID", origin.hostname)  # or a domain above it, for apps that share passkeys
    app.config["SESSION_COOKIE_SECURE"] = origin.scheme == "https"
    app.teardown_appcontext(database.close)
    app.after_request(_secure)
    auth.init_app(app)
    auth.protect(app, public={"static"})
    app.register_blueprint(pages.blueprint)
    app.register_blueprint(passkeys.blueprint)
    auth.check(app)
    return app


def _secure(response: Response) -> Response:
    response.headers.setdefault("Content-Security-Policy", CONTENT_SECURITY_POLICY)
    response.headers.setdefault("X-Content-Type-Options", "nosniff")
    response.headers.setdefault("Referrer-Policy", "same-origin")
    if auth.get_identity() is not None:
        response.headers.setdefault("Cache-Control", "no-store")  # the Back button shows nothing after a logout
    return response

"""The API: it knows the issuer by its URL, fetches the keys from there, and never calls it for a request."""

from flask import Flask

from flask_unauthorized import Auth, Bearer
from flask_unauthorized.loaders.jwks import JWKS
from flask_unauthorized.loaders.jwt import JWT

AUDIENCE = "https://notes.example.com"


def create_api(issuer: str) -> Flask:
    """The app, for tokens of ``issuer``."""
    # Over https, without the exception for a demo, this is JWT(issuer, audience=AUDIENCE, cache_size=1000).
    keys = JWKS.of_issuer(issuer, allow_http_loopback=True)
    auth = Auth(Bearer(JWT(issuer, audience=AUDIENCE, keys=keys, cache_size=1000)), realm="notes")
    app = Flask("notes", static_folder=None)
    auth.init_app(app)
    notes = ["call Grace"]

    @app.get("/notes")
    @auth.login_required(scopes={"notes:read"})
    def read() -> dict[str, object]:
        return {"notes": notes, "you": auth.identity.subject}

    @app.delete("/notes")
    @auth.login_required(scopes={"notes:write"})
    def delete() -> tuple[str, int]:
        notes.clear()
        return "", 204

    auth.check(app)
    return app

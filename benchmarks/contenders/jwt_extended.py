"""Flask-JWT-Extended with HS256. It verifies a signature instead of looking a token up: more work, by design."""

from datetime import timedelta

from flask import Flask
from flask_jwt_extended import JWTManager, create_access_token, jwt_required

from .base import NAME, Contender, Environ, View, bearer


def _guard(app: Flask, view: View, demand: str) -> View:
    app.config["JWT_SECRET_KEY"] = "another key of the benchmark, thirty-two bytes or more"
    JWTManager(app)
    return jwt_required(optional=demand == "optional")(view)


def _tokens(app: Flask) -> dict[str, Environ]:
    with app.app_context():
        token = create_access_token(NAME, expires_delta=timedelta(days=1))
    return {"good": bearer(token), "wrong": bearer(f"{token[:-4]}AAAA")}


CONTENDERS = (
    Contender(
        "jwt_extended.hs256",
        "Flask-JWT-Extended, HS256",
        _guard,
        ("accepted", "optional", "missing", "wrong"),
        requests=_tokens,
        statuses={"wrong": 422},
    ),
)

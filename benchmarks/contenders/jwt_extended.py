"""Flask-JWT-Extended. It verifies a signature instead of looking a token up: more work, by design."""

from collections.abc import Callable
from datetime import timedelta

from flask import Flask
from flask_jwt_extended import JWTManager, create_access_token, jwt_required

from .base import NAME, Contender, Environ, View, bearer
from .signed import SECRET, private_pem, public_pem


def _guard(algorithm: str) -> Callable[[Flask, View, str], View]:
    def guard(app: Flask, view: View, demand: str) -> View:
        app.config["JWT_ALGORITHM"] = algorithm
        if algorithm == "HS256":
            app.config["JWT_SECRET_KEY"] = SECRET.decode()
        else:
            app.config["JWT_PRIVATE_KEY"] = private_pem(algorithm).decode()
            app.config["JWT_PUBLIC_KEY"] = public_pem(algorithm).decode()
        JWTManager(app)
        return jwt_required(optional=demand == "optional")(view)

    return guard


def _tokens(app: Flask) -> dict[str, Environ]:
    with app.app_context():
        token = create_access_token(NAME, expires_delta=timedelta(days=1))
    content, _, proof = token.rpartition(".")
    return {"good": bearer(token), "wrong": bearer(f"{content}.{proof[4:8]}{proof[4:]}")}


CONTENDERS = tuple(
    Contender(
        f"jwt_extended.{algorithm.lower()}",
        f"Flask-JWT-Extended, {algorithm}",
        _guard(algorithm),
        ("accepted", "optional", "missing", "wrong") if algorithm == "HS256" else ("accepted", "wrong"),
        requests=_tokens,
        rival=f"ours_jwt.{algorithm.lower()}",
        statuses={"wrong": 422},
    )
    for algorithm in ("HS256", "RS256", "ES256")
)

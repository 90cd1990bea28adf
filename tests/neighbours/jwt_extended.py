"""Flask-JWT-Extended: JSON errors of its own, and no challenge."""

from datetime import timedelta
from functools import cache

from flask import Flask, jsonify
from flask_jwt_extended import (
    JWTManager,
    create_access_token,
    create_refresh_token,
    decode_token,
    get_current_user,
    get_jwt_identity,
    jwt_required,
    set_access_cookies,
    unset_jwt_cookies,
)
from jwt.exceptions import ExpiredSignatureError, PyJWTError

from flask_unauthorized import Auth, Bearer, ExpiredCredentials, Identity, InvalidCredentials

from .harness import OURS, Ask, Guarded, Neighbour, bearer

KEY = "a key of at least thirty-two bytes"


def _configure(app: Flask) -> JWTManager:
    app.config.update(JWT_SECRET_KEY=KEY, JWT_TOKEN_LOCATION=["headers", "cookies"])
    return JWTManager(app)


@cache
def made(kind: str) -> str:
    """One token of each kind for all apps, so that their answers can be compared."""
    app = Flask("maker")
    _configure(app)
    with app.app_context():
        if kind == "refresh":
            return create_refresh_token("ada")
        lifetime = timedelta(seconds=-1) if kind == "expired" else timedelta(hours=1)
        claims = {"revoked": kind == "revoked"}
        return create_access_token(
            "eve" if kind == "unknown" else "ada",
            fresh=kind == "fresh",
            expires_delta=lifetime,
            additional_claims=claims,
        )


def _build(app: Flask) -> None:
    manager = _configure(app)
    manager.token_in_blocklist_loader(lambda header, payload: payload["revoked"])
    manager.user_lookup_loader(lambda header, payload: None if payload["sub"] == "eve" else payload["sub"])

    @app.post("/login")
    def login():
        response = jsonify(login="ok")
        set_access_cookies(response, made("fresh"))
        return response

    @app.post("/wrong-login")
    def wrong_login():
        return jsonify({"msg": "Bad username or password"}), 401

    @app.post("/logout")
    def logout():
        response = jsonify(logout="ok")
        unset_jwt_cookies(response)
        return response

    @app.route("/me", methods=["GET", "POST"])
    @jwt_required()
    def me():
        return jsonify(you=get_current_user())

    @app.get("/optional")
    @jwt_required(optional=True)
    def optional():
        return jsonify(you=get_jwt_identity())

    @app.get("/bank")
    @jwt_required(fresh=True)
    def bank():
        return jsonify(money=1)


def together(app):
    JWTManager(app)

    def load_jwt(token):  # its tokens, checked by it, for our decorators
        try:
            claims = decode_token(token)
        except ExpiredSignatureError:
            raise ExpiredCredentials() from None
        except PyJWTError:
            raise InvalidCredentials() from None
        return Identity(claims["sub"], scopes=claims.get("scope", "").split(), claims=claims)

    auth = Auth(Bearer(load_jwt))
    auth.init_app(app)

    @app.get("/notes")
    @auth.login_required
    def notes():
        return {"owner": auth.identity.subject}

    @app.get("/write")
    @auth.login_required(scopes={"write"})
    def write():
        return "written"

    return auth


def _token(app: Flask, subject: str) -> str:
    with app.app_context():
        scope = "read write" if subject == "ada" else "read"
        return create_access_token(subject, additional_claims={"scope": scope})


def _cookie(client) -> None:
    client.post("/login")


NEIGHBOURS = (
    Neighbour(
        name="Flask-JWT-Extended",
        package="flask-jwt-extended",
        build=_build,
        asks=(
            Ask("the login, which sets cookies", "/login", 200, method="POST"),
            Ask("the login, wrong password", "/wrong-login", 401, OURS, method="POST"),
            Ask("the logout", "/logout", 200, method="POST"),
            Ask("a good token", "/me", 200, headers=bearer(made("fresh"))),
            Ask("a good cookie", "/me", 200, login=_cookie),
            Ask("a good cookie, no CSRF token", "/me", 401, OURS, method="POST", login=_cookie),
            Ask("nothing sent", "/me", 401, OURS),
            Ask("nothing sent, optional", "/optional", 200),
            Ask("an expired token", "/me", 401, OURS, bearer(made("expired"))),
            Ask("an expired token, optional", "/optional", 401, OURS, bearer(made("expired"))),
            Ask("a revoked token", "/me", 401, OURS, bearer(made("revoked"))),
            Ask("the token of an unknown user", "/me", 401, OURS, bearer(made("unknown"))),
            Ask("a token that isn't fresh", "/bank", 401, OURS, bearer(made("usual"))),
            Ask("a refresh token", "/me", 422, headers=bearer(made("refresh"))),
            Ask("no token at all, but nonsense", "/me", 422, headers=bearer("nonsense")),
        ),
        together=together,
        guarded=(Guarded("/notes"), Guarded("/write", "scopes")),
        token=_token,
        advice="Flask-JWT-Extended still makes the tokens, and a loader checks them with its `decode_token`. The"
        ' extension\'s decorators then also say what was wrong (`error="invalid_token"`), and respond with'
        " 401 where Flask-JWT-Extended responds with 422.",
    ),
)

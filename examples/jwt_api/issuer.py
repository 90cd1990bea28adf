"""A tiny authorization server: metadata (RFC 8414), keys that rotate (RFC 7517), tokens for clients (RFC 6749 §4.4)."""

import secrets
import time
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from flask import Flask, Response, jsonify, request
from werkzeug.security import generate_password_hash

from flask_unauthorized import Auth, Basic
from flask_unauthorized.loaders import Passwords
from flask_unauthorized.wire.jws import encode_base64url

from .api import AUDIENCE

LIFETIME = 300
CLIENTS = {"reader": {"notes:read"}, "writer": {"notes:read", "notes:write"}}  # the passwords are the names


class Keys:
    """The key that signs, the one before, whose tokens still live, and the next one.

    The next key is published before it signs, so that every API has it by then.
    """

    def __init__(self) -> None:
        self._keys = [_new_key() for _ in range(3)]

    def rotate(self) -> None:
        """The next key signs from now on."""
        self._keys = [*self._keys[1:], _new_key()]

    def sign(self, claims: dict[str, Any]) -> str:
        """An access token (RFC 9068)."""
        kid, key = self._keys[1]
        return jwt.encode(claims, key, "ES256", headers={"typ": "at+jwt", "kid": kid})

    def public(self) -> dict[str, Any]:
        """The key set."""
        return {"keys": [_jwk(kid, key) for kid, key in self._keys]}


def create_issuer() -> Flask:
    """The app; ``config["URL"]`` is its issuer identifier."""
    passwords = {name: generate_password_hash(name, method="pbkdf2:sha256:1000") for name in CLIENTS}
    auth = Auth(Basic(Passwords(passwords), realm="issuer"))
    app = Flask("issuer", static_folder=None)
    auth.init_app(app)
    keys = Keys()

    @app.get("/.well-known/oauth-authorization-server")
    def metadata() -> dict[str, Any]:
        url = app.config["URL"]
        return {
            "issuer": url,
            "jwks_uri": f"{url}/keys",
            "token_endpoint": f"{url}/token",
            "grant_types_supported": ["client_credentials"],
            "response_types_supported": [],
        }

    @app.get("/keys")
    def published() -> dict[str, Any]:
        return keys.public()

    @app.post("/rotate")
    def rotate() -> tuple[str, int]:
        keys.rotate()
        return "", 204

    @app.post("/token")
    @auth.login_required
    def token() -> Response:
        client, now = str(auth.identity.subject), int(time.time())
        granted = CLIENTS[client].intersection(request.form.get("scope", "").split())
        claims = {
            "iss": app.config["URL"],
            "sub": client,
            "client_id": client,
            "aud": AUDIENCE,
            "scope": " ".join(sorted(granted)),
            "iat": now,
            "exp": now + LIFETIME,
            "jti": secrets.token_urlsafe(16),
        }
        response = jsonify(access_token=keys.sign(claims), token_type="Bearer", expires_in=LIFETIME)
        response.headers["Cache-Control"] = "no-store"
        return response

    auth.check(app)
    return app


def _new_key() -> tuple[str, ec.EllipticCurvePrivateKey]:
    return secrets.token_hex(4), ec.generate_private_key(ec.SECP256R1())


def _jwk(kid: str, key: ec.EllipticCurvePrivateKey) -> dict[str, str]:
    point = key.public_key().public_numbers()
    x, y = (encode_base64url(number.to_bytes(32, "big")) for number in (point.x, point.y))
    return {"kty": "EC", "crv": "P-256", "x": x, "y": y, "kid": kid, "use": "sig", "alg": "ES256"}

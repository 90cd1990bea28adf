"""An authorization server for the demo: it forgets everything when it ends, and logs everyone in as Ada without asking.

What a client needs is there, in the plainest form: metadata (RFC 8414), registration (RFC 7591), an authorization code
with PKCE (RFC 7636) for one resource (RFC 8707), a signed access token (RFC 9068) and the key to check it with. Yours
is a product that asks people who they are and what they allow.
"""

import json
import secrets
import time
from base64 import urlsafe_b64encode
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any, NamedTuple
from urllib.parse import urlencode, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from flask import Flask, Response, redirect, request
from jwt.algorithms import ECAlgorithm
from werkzeug.exceptions import BadRequest

LIFETIME = 600
"""How long a token lives, in seconds."""
MAX_KEPT = 1000
"""Most clients, and codes, that are remembered."""


class Grant(NamedTuple):
    """What a code stands for until its client comes with it."""

    client_id: str
    redirect_uri: str
    resource: str
    scope: str
    challenge: str
    ends: float


class AuthorizationServer:
    """Issues tokens for ``resources``, each with the scopes that it has; the first is for those that name none."""

    def __init__(self, issuer: str, resources: Mapping[str, Sequence[str]]) -> None:
        self.issuer = issuer
        self.resources = resources
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.key_id = secrets.token_hex(8)
        self.clients: dict[str, list[str]] = {}
        self.grants: dict[str, Grant] = {}

    def app(self) -> Flask:
        app = Flask(__name__)
        path = urlsplit(self.issuer).path
        app.add_url_rule(f"/.well-known/oauth-authorization-server{path}", view_func=self.metadata)
        app.add_url_rule(f"{path}/jwks.json", view_func=self.keys)
        app.add_url_rule(f"{path}/register", view_func=self.register, methods=["POST"])
        app.add_url_rule(f"{path}/authorize", view_func=self.authorize)
        app.add_url_rule(f"{path}/token", view_func=self.token, methods=["POST"])
        app.after_request(_let_browsers_read)
        return app

    def metadata(self) -> dict[str, Any]:
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "registration_endpoint": f"{self.issuer}/register",
            "jwks_uri": f"{self.issuer}/jwks.json",
            "scopes_supported": sorted({scope for scopes in self.resources.values() for scope in scopes}),
            "response_types_supported": ["code"],
            "grant_types_supported": ["authorization_code"],
            "code_challenge_methods_supported": ["S256"],
            "token_endpoint_auth_methods_supported": ["none"],
            "authorization_response_iss_parameter_supported": True,
        }

    def keys(self) -> dict[str, Any]:
        public = json.loads(ECAlgorithm.to_jwk(self.key.public_key()))
        return {"keys": [{**public, "kid": self.key_id, "use": "sig", "alg": "ES256"}]}

    def register(self) -> tuple[dict[str, Any], int]:
        wanted = request.get_json()
        uris = wanted.get("redirect_uris") if isinstance(wanted, dict) else None
        if not isinstance(uris, list) or not uris or not all(_may_return_to(uri) for uri in uris):
            return {"error": "invalid_redirect_uri"}, 400
        client_id = secrets.token_hex(8)
        _remember(self.clients, client_id, uris)
        return {
            "client_id": client_id,
            "redirect_uris": uris,
            "grant_types": ["authorization_code"],
            "response_types": ["code"],
            "token_endpoint_auth_method": "none",
        }, 201

    def authorize(self) -> Any:
        """Sends the person back with a code; a real one would ask them first."""
        asked = request.args
        client_id, uri = asked.get("client_id", ""), asked.get("redirect_uri", "")
        if uri not in self.clients.get(client_id, ()):
            # The browser isn't sent to an unknown address.
            raise BadRequest("No such client, or not with this redirect_uri.")
        resource = asked.get("resource", "")
        known = self.resources.get(resource, ())
        scopes = asked.get("scope", "").split() or known[:1]
        if asked.get("response_type") != "code" or asked.get("code_challenge_method") != "S256":
            told = {"error": "invalid_request"}
        elif resource not in self.resources:
            told = {"error": "invalid_target"}
        elif not set(scopes) <= set(known):
            told = {"error": "invalid_scope"}
        else:
            told = {"code": secrets.token_urlsafe(24)}
            challenge, ends = asked.get("code_challenge", ""), time.time() + 60
            _remember(self.grants, told["code"], Grant(client_id, uri, resource, " ".join(scopes), challenge, ends))
        query = urlencode({**told, "iss": self.issuer, "state": asked.get("state", "")})
        return redirect(f"{uri}{'&' if '?' in uri else '?'}{query}")

    def token(self) -> tuple[dict[str, Any], int]:
        sent = request.form
        grant = self.grants.pop(sent.get("code", ""), None)  # a code is good once
        if grant is None or sent.get("grant_type") != "authorization_code" or grant.ends < time.time():
            return {"error": "invalid_grant"}, 400
        same = (sent.get("client_id"), sent.get("redirect_uri")) == (grant.client_id, grant.redirect_uri)
        if not same or grant.challenge != _challenge(sent.get("code_verifier", "")):
            return {"error": "invalid_grant"}, 400
        if sent.get("resource", grant.resource) != grant.resource:
            return {"error": "invalid_target"}, 400
        signed = self.sign(grant)
        return {"access_token": signed, "token_type": "Bearer", "expires_in": LIFETIME, "scope": grant.scope}, 200

    def sign(self, grant: Grant) -> str:
        now = int(time.time())
        claims = {
            "iss": self.issuer, "aud": grant.resource, "sub": "ada", "client_id": grant.client_id,
            "scope": grant.scope, "iat": now, "exp": now + LIFETIME, "jti": secrets.token_hex(16),
        }  # fmt: skip
        return jwt.encode(claims, self.key, algorithm="ES256", headers={"typ": "at+jwt", "kid": self.key_id})


def _may_return_to(uri: object) -> bool:
    """Whether people may be sent back to ``uri``: https, or an app on their own machine (RFC 8252 §7.3)."""
    parts = urlsplit(uri) if isinstance(uri, str) else urlsplit("")
    return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in ("127.0.0.1", "::1", "localhost"))


def _challenge(verifier: str) -> str:
    return urlsafe_b64encode(sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def _remember(kept: dict[str, Any], name: str, value: object) -> None:
    if len(kept) >= MAX_KEPT:
        kept.pop(next(iter(kept)))
    kept[name] = value


def _let_browsers_read(response: Response) -> Response:
    response.headers["Access-Control-Allow-Origin"] = "*"
    response.headers["Access-Control-Allow-Headers"] = "*"
    response.headers["Cache-Control"] = "no-store"
    return response

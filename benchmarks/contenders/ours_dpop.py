"""flask_unauthorized with DPoP: each request brings a proof of its own, made before anything is timed."""

import base64
import hashlib
import json
import time
import uuid
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from flask import Flask

from flask_unauthorized import Auth, DPoP, Identity
from flask_unauthorized.jose import public_key_pem
from flask_unauthorized.loaders.jwt import JWT

from .base import NAME, READ, TOKEN, Contender, Environ, Series, View
from .signed import AUDIENCE, ISSUER, KID, TITLES, public_pem, tokens

ORIGIN = "https://app.example"


class Holder:
    """A client with a key."""

    def __init__(self, algorithm: str) -> None:
        self.algorithm = algorithm
        if algorithm == "ES256":
            self._elliptic = ec.generate_private_key(ec.SECP256R1())
            point = self._elliptic.public_key().public_numbers()
            self.jwk = {"crv": "P-256", "kty": "EC", "x": _text(_octets(point.x)), "y": _text(_octets(point.y))}
        else:
            self._edwards = ed25519.Ed25519PrivateKey.generate()
            self.jwk = {"crv": "Ed25519", "kty": "OKP", "x": _text(self._edwards.public_key().public_bytes_raw())}

    @property
    def thumbprint(self) -> str:
        """RFC 7638."""
        return _text(hashlib.sha256(json.dumps(self.jwk, separators=(",", ":")).encode()).digest())

    def proof(self, token: str) -> str:
        """A fresh proof for the one view and a token (RFC 9449 §4.2)."""
        claims = {
            "jti": str(uuid.uuid4()),
            "htm": "GET",
            "htu": f"{ORIGIN}/",
            "iat": int(time.time()),
            "ath": _text(hashlib.sha256(token.encode()).digest()),
        }
        header = {"typ": "dpop+jwt", "alg": self.algorithm, "jwk": self.jwk}
        signed = ".".join(_text(json.dumps(part, separators=(",", ":")).encode()) for part in (header, claims))
        return f"{signed}.{_text(self._sign(signed.encode()))}"

    def _sign(self, octets: bytes) -> bytes:
        if self.algorithm != "ES256":
            return self._edwards.sign(octets)
        return b"".join(map(_octets, decode_dss_signature(self._elliptic.sign(octets, ec.ECDSA(hashes.SHA256())))))


def _octets(number: int) -> bytes:
    return number.to_bytes(32, "big")


def _text(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


def _contender(algorithm: str, title: str) -> Contender:
    holder = Holder(algorithm)
    caller = Identity(NAME, scopes={READ}, confirmation={"jkt": holder.thumbprint})
    tokens = {TOKEN: caller}

    def load(token: str) -> Identity | None:
        return tokens.get(token)

    def guard(app: Flask, view: View, demand: str) -> View:
        return Auth(DPoP(load, origin=ORIGIN), app=app).login_required(view)

    def requests(app: Flask) -> dict[str, Any]:
        return {"good": _series(holder, TOKEN), "wrong": _series(Holder(algorithm), TOKEN)}

    key = f"ours_dpop.{algorithm.lower()}"
    return Contender(
        key, f"**flask_unauthorized, DPoP {title}**", guard, ("accepted", "missing", "wrong"), requests=requests
    )


def _signed_contender(algorithm: str, title: str) -> Contender:
    """The token is signed too, as most authorization servers do it."""
    holder = Holder(algorithm)
    token = tokens(algorithm, cnf={"jkt": holder.thumbprint})["good"]

    def guard(app: Flask, view: View, demand: str) -> View:
        key = public_key_pem(public_pem(algorithm), algorithm=algorithm, kid=KID)
        loader = JWT(ISSUER, audience=AUDIENCE, keys=key, algorithms=[algorithm])
        return Auth(DPoP(loader, origin=ORIGIN), app=app).login_required(view)

    def requests(app: Flask) -> dict[str, Any]:
        return {"good": _series(holder, token)}

    return Contender(
        f"ours_dpop.{algorithm.lower()}-jwt",
        f"**flask_unauthorized, DPoP {title} with a JWT**",
        guard,
        ("accepted",),
        requests=requests,
    )


def _series(holder: Holder, token: str) -> Series:
    def make(count: int) -> list[Environ]:
        return [{"HTTP_AUTHORIZATION": f"DPoP {token}", "HTTP_DPOP": holder.proof(token)} for _ in range(count)]

    return make


CONTENDERS = tuple(make(name, TITLES[name]) for make in (_contender, _signed_contender) for name in ("ES256", "EdDSA"))

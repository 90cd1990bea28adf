"""Keys of an issuer, and its tokens, for all contenders that take signed ones. Needs PyJWT and cryptography."""

import functools
import time
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from .base import NAME, READ

ISSUER = "https://id.example"
AUDIENCE = "https://app.example"
KID = "key-of-2026"
SECRET = b"another key of the benchmark, thirty-two bytes or more"
ALGORITHMS = ("HS256", "RS256", "ES256", "EdDSA")
TITLES = {"HS256": "HS256", "RS256": "RS256", "ES256": "ES256", "EdDSA": "EdDSA (Ed25519)"}


@functools.cache
def private_key(algorithm: str) -> Any:
    """A private key, or the secret, made once per process."""
    if algorithm == "HS256":
        return SECRET
    if algorithm == "RS256":
        return rsa.generate_private_key(65537, 2048)
    return ec.generate_private_key(ec.SECP256R1()) if algorithm == "ES256" else ed25519.Ed25519PrivateKey.generate()


def public_pem(algorithm: str) -> bytes:
    """The public half, in PEM."""
    made: bytes = private_key(algorithm).public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return made


def private_pem(algorithm: str) -> bytes:
    """The private half, in PEM."""
    key = private_key(algorithm)
    made: bytes = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return made


def tokens(algorithm: str, **added: Any) -> dict[str, str]:
    """A good access token (RFC 9068), and one with another signature of the same length; with claims ``added``."""
    now = int(time.time())
    claims = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": NAME,
        "client_id": "console",
        "iat": now,
        "exp": now + 86_400,
        "jti": "6f1c0de5a2b94c7e",
        "scope": READ,
        **added,
    }
    good = jwt.encode(claims, private_key(algorithm), algorithm, headers={"typ": "at+jwt", "kid": KID})
    content, _, proof = good.rpartition(".")
    return {"good": good, "wrong": f"{content}.{proof[4:8]}{proof[4:]}"}

"""A DPoP client for tests, written from RFC 9449 alone.

It shares no code with the package, so that a mistake in one of them is found by the other.
"""

import base64
import hashlib
import itertools
import json
import time
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, utils
from cryptography.hazmat.primitives.hashes import SHA256, SHA384, SHA512

from .canaries import register

TOKEN = "Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU"
ORIGIN = "https://api.example.com"
GONE = object()
"""Stands for a member to leave out."""

_numbers = itertools.count()
_HASHES = {"256": SHA256(), "384": SHA384(), "512": SHA512()}
_CURVES = {"ES256": ec.SECP256R1(), "ES384": ec.SECP384R1(), "ES512": ec.SECP521R1(), "ES256K": ec.SECP256K1()}
_NAMES = {"ES256": "P-256", "ES384": "P-384", "ES512": "P-521", "ES256K": "secp256k1"}


def b64(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


def number(value: int, size: int = 0) -> str:
    return b64(value.to_bytes(size or (value.bit_length() + 7) // 8, "big"))


def dump(content: Any) -> bytes:
    return content if isinstance(content, bytes) else json.dumps(content, separators=(",", ":")).encode()


class Holder:
    """A client with a key: the public ``jwk``, its thumbprint ``jkt``, and proofs by the key."""

    def __init__(self, algorithm: str = "ES256", *, bits: int = 2048) -> None:
        self.algorithm = algorithm
        if algorithm in _CURVES:
            self.key: Any = ec.generate_private_key(_CURVES[algorithm])
            size = (self.key.key_size + 7) // 8
            point = self.key.public_key().public_numbers()
            self.jwk = {
                "kty": "EC", "crv": _NAMES[algorithm], "x": number(point.x, size), "y": number(point.y, size),
            }  # fmt: skip
        elif algorithm in ("EdDSA", "Ed25519"):
            self.key = ed25519.Ed25519PrivateKey.generate()
            self.jwk = {"kty": "OKP", "crv": "Ed25519", "x": b64(self.key.public_key().public_bytes_raw())}
        else:
            self.key = rsa.generate_private_key(65537, bits)
            numbers = self.key.public_key().public_numbers()
            self.jwk = {"kty": "RSA", "n": number(numbers.n), "e": number(numbers.e)}
        required = json.dumps(self.jwk, sort_keys=True, separators=(",", ":"))
        self.jkt = b64(hashlib.sha256(required.encode()).digest())

    def sign(self, octets: bytes) -> bytes:
        if isinstance(self.key, ed25519.Ed25519PrivateKey):
            return self.key.sign(octets)
        hashed = _HASHES[self.algorithm[2:5]]
        if isinstance(self.key, ec.EllipticCurvePrivateKey):
            size = (self.key.key_size + 7) // 8
            r, s = utils.decode_dss_signature(self.key.sign(octets, ec.ECDSA(hashed)))
            return r.to_bytes(size, "big") + s.to_bytes(size, "big")
        if self.algorithm.startswith("PS"):
            return self.key.sign(octets, padding.PSS(padding.MGF1(hashed), hashed.digest_size), hashed)
        return self.key.sign(octets, padding.PKCS1v15(), hashed)

    def proof(
        self, *, path: str = "/", method: str = "GET", token: str = TOKEN, header: Any = None, payload: Any = None,
        sign: Any = None, **claims: Any,
    ) -> str:  # fmt: skip
        """Return a proof for a request.

        ``header`` and ``claims`` replace members, and `GONE` removes one. ``payload`` (octets, or anything for JSON)
        replaces all claims. ``sign`` signs in place of `sign`.
        """
        protected = {"typ": "dpop+jwt", "alg": self.algorithm, "jwk": self.jwk}
        content = {
            "jti": f"proof {next(_numbers)}", "htm": method, "htu": ORIGIN + path, "iat": int(time.time()),
            "ath": b64(hashlib.sha256(token.encode()).digest()),
        }  # fmt: skip
        top = header if isinstance(header, bytes) else _put(protected, header or {})
        body = _put(content, claims) if payload is None else payload
        signed = f"{b64(dump(top))}.{b64(dump(body))}"
        made = f"{signed}.{b64((sign or self.sign)(signed.encode()))}"
        register(token, made)
        return made

    def sent(self, *, token: str = TOKEN, **given: Any) -> dict[str, str]:
        """Return the header lines of a request with a token and a proof."""
        return {"Authorization": f"DPoP {token}", "DPoP": self.proof(token=token, **given)}


def _put(content: dict[str, Any], changed: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in {**content, **changed}.items() if value is not GONE}

"""An issuer that can say anything: signs whatever octets it is given, by `cryptography` and hashlib alone."""

import base64
import functools
import hashlib
import hmac
import json
import time

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from ..canaries import register

ISSUER = "https://id.example.com"
AUDIENCE = "https://api.example.com"
SECRET = b"thirty-two octets or more of a secret that nobody else has, sixty-four even"
HASHES = {"256": hashes.SHA256, "384": hashes.SHA384, "512": hashes.SHA512}


def b64(octets):
    """Base64url without padding."""
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


def unb64(text):
    """Octets of base64url."""
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def as_json(value):
    """Octets of JSON; octets stay as they are."""
    return value if isinstance(value, bytes) else json.dumps(value).encode()


def private(algorithm, number=0):
    """A private key for an algorithm; another one for each number."""
    return _private(algorithm, number)


@functools.cache
def _private(algorithm, number):
    if algorithm.startswith("HS"):
        return SECRET + bytes([number])
    if algorithm.startswith("ES"):
        return ec.generate_private_key({"256": ec.SECP256R1, "384": ec.SECP384R1, "512": ec.SECP521R1}[algorithm[2:]]())
    if algorithm in ("EdDSA", "Ed25519"):
        return ed25519.Ed25519PrivateKey.generate()
    return rsa.generate_private_key(65537, 2048) if algorithm == "RS256" else private("RS256", number)


def pem(algorithm, number=0):
    """The public half, in PEM."""
    key = private(algorithm, number).public_key()
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def number(value, size=None):
    """An integer in base64url."""
    return b64(value.to_bytes(size or (value.bit_length() + 7) // 8, "big"))


def jwk(algorithm, key_number=0, **more):
    """The public half, as JWK."""
    key = private(algorithm, key_number).public_key()
    if isinstance(key, rsa.RSAPublicKey):
        numbers = key.public_numbers()
        made = {"kty": "RSA", "n": number(numbers.n), "e": number(numbers.e)}
    elif isinstance(key, ec.EllipticCurvePublicKey):
        size = (key.key_size + 7) // 8
        point = key.public_numbers()
        name = {256: "P-256", 384: "P-384", 521: "P-521"}[key.key_size]
        made = {"kty": "EC", "crv": name, "x": number(point.x, size), "y": number(point.y, size)}
    else:
        made = {"kty": "OKP", "crv": "Ed25519", "x": b64(key.public_bytes(Encoding.Raw, PublicFormat.Raw))}
    return {**made, **more}


def signature(algorithm, key, octets, salt=None):
    """A signature of ``octets`` (RFC 7518 §3, RFC 8037 §3.1)."""
    if algorithm in ("EdDSA", "Ed25519"):
        return key.sign(octets)
    made = HASHES[algorithm[2:]]()
    if algorithm.startswith("HS"):
        return hmac.new(key, octets, getattr(hashlib, f"sha{algorithm[2:]}")).digest()
    if algorithm.startswith("RS"):
        return key.sign(octets, padding.PKCS1v15(), made)
    if algorithm.startswith("PS"):
        return key.sign(octets, padding.PSS(padding.MGF1(made), salt or made.digest_size), made)
    size = (key.key_size + 7) // 8
    return b"".join(part.to_bytes(size, "big") for part in decode_dss_signature(key.sign(octets, ec.ECDSA(made))))


def signed(header, payload, algorithm="ES256", key=None):
    """A token of any header and payload: objects, or octets to be taken as they are."""
    content = f"{b64(as_json(header))}.{b64(as_json(payload))}"
    proof = signature(algorithm, key or private(algorithm), content.encode())
    made = f"{content}.{b64(proof)}"
    register(SECRET, made)
    return made


def claims(**changes):
    """Claims of a good token with changes; ``...`` takes one away."""
    now = int(time.time())
    made = {
        "iss": ISSUER,
        "sub": "ada",
        "aud": AUDIENCE,
        "exp": now + 600,
        "iat": now,
        "jti": "6f1c0de5",
        "client_id": "console",
        "scope": "notes:read notes:write",
        **changes,
    }
    return {name: value for name, value in made.items() if value is not ...}


def header(algorithm="ES256", **changes):
    """A header of a good token with changes; ``...`` takes a member away."""
    made = {"alg": algorithm, "typ": "at+jwt", "kid": "k1", **changes}
    return {name: value for name, value in made.items() if value is not ...}


def token(algorithm="ES256", **changes):
    """A good token, with changes of its claims."""
    return signed(header(algorithm), claims(**changes), algorithm)

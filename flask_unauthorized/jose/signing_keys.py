"""`SigningKey`: the private key of this app, with which it signs the JWTs that it sends to other servers (RFC 7515).

Theory of operation
-------------------

`private_key` reads a key once, at set-up, in each form in which keys are kept. Then it holds what `keys.Key` holds for
public keys: a typed object of ``cryptography``, and one algorithm that nothing changes later.

Invariants:

- Nothing shows the key: no ``repr``, no error, no log. Errors of other libraries are not chained, because their text
  may quote what they read.
- A key must be as strong as `key_strength` demands of the keys of others.
- The key must serve the algorithm, so `SigningKey.sign` doesn't fail.
"""

import json
import os
import re
from collections.abc import Mapping
from typing import Any, Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm
from jwt.exceptions import PyJWTError

from ..errors import ConfigurationError
from ..wire.jws import JOSEError, encode_base64url
from .engine import sign
from .keys import algorithms_of, configured_kid, key_of

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey
KeySource = str | bytes | os.PathLike[str] | Mapping[str, Any] | PrivateKey
"""A path, the text of a key in PEM or JSON, a parsed JWK, or a key of ``cryptography``."""

MAX_FILE: Final = 64 * 1024
"""Longest file that is read as a key, in bytes."""
_LOOKS_LIKE_PATH: Final = re.compile(r"[^\n]{0,250}\.[a-z0-9]{1,5}")
_FORMS: Final = (
    "give a private key of RSA, P-256, P-384, P-521 or Ed25519: a path, PEM, a JWK, or a key of cryptography"
)
_MAKE: Final = "make one by: openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out client.pem"
_JWK_FAMILIES: Final[Mapping[str, Any]] = {"RSA": RSAAlgorithm, "EC": ECAlgorithm, "OKP": OKPAlgorithm}


class SigningKey:
    """A private key and the one algorithm that it signs by. Made by `private_key`.

    The ``repr`` shows no part of the key, and the object can't be pickled.

    Attributes:
        algorithm: ``alg`` of what it signs.
        kid: Its key id, or ``None``.
    """

    __slots__ = ("_material", "algorithm", "kid")

    def __init__(self, material: PrivateKey, algorithm: str, kid: str | None) -> None:
        self._material = material
        self.algorithm = algorithm
        self.kid = kid

    def sign(self, claims: Mapping[str, Any], *, typ: str) -> str:
        """Return a signed JWT in the compact form (RFC 7515 §7.1).

        Args:
            claims: What is signed.
            typ: The type in the header (RFC 8725 §3.11).
        """
        header = {"alg": self.algorithm, "typ": typ} | ({} if self.kid is None else {"kid": self.kid})
        signed = f"{_part(header)}.{_part(claims)}"
        return f"{signed}.{encode_base64url(sign(self.algorithm, self._material, signed.encode('ascii')))}"

    def __repr__(self) -> str:
        return f"<SigningKey {self.kid!a} for {self.algorithm}>"

    def __reduce__(self) -> tuple[object, ...]:
        raise TypeError("a private key is not pickled")


def private_key(
    key: KeySource,
    *,
    algorithm: str | None = None,
    kid: str | None = None,
    password: str | bytes | None = None,
) -> SigningKey:
    """Read the private key of this app, to sign by one algorithm.

    Example:
        Log in to an authorization server with a key::

            from flask_unauthorized.jose import private_key
            from flask_unauthorized.loaders.introspection import Introspection

            key = private_key("client.pem", kid="2026-01")
            tokens = Introspection(
                "https://id.example.com/introspect", issuer="https://id.example.com", audience="notes",
                client_id="notes", client_auth="private_key_jwt", key=key,
            )

    Args:
        key: The path of a file, or what stands in such a file: PEM, or a JWK in JSON. Also a parsed JWK, or a private
            key of ``cryptography``.
        algorithm: Default: ``alg`` of the JWK, else RS256 for RSA, ES256 for P-256, EdDSA for Ed25519. Some profiles
            demand ``"PS256"`` for RSA, and some servers know EdDSA as ``"Ed25519"`` (RFC 9864).
        kid: The key id under which the other server knows the key. Default: that of the JWK, if it has one.
        password: Opens an encrypted PEM.

    Raises:
        ConfigurationError: There is no private key in it, the key is weak, or it doesn't serve ``algorithm``.
        TypeError: ``key`` is of another type.
    """
    source: Any = key
    jwk: Mapping[str, Any] = {}
    if isinstance(source, (str, bytes, os.PathLike)):
        source = _content_of(source)
        if source.lstrip().startswith(b"{"):
            source = _parsed(source)
    if isinstance(source, Mapping):
        jwk = source
        material = _from_jwk(source)
    elif isinstance(source, bytes):
        material = _from_pem(source, password)
    else:
        material = source
    if not isinstance(material, (rsa.RSAPrivateKey, ec.EllipticCurvePrivateKey, ed25519.Ed25519PrivateKey)):
        raise TypeError(f"the private key is of type {type(material).__name__}: {_FORMS}")
    chosen = jwk.get("alg") if algorithm is None else algorithm
    return SigningKey(material, _serving(material, chosen), configured_kid(jwk.get("kid") if kid is None else kid))


def _serving(material: PrivateKey, algorithm: str | None) -> str:
    """Return the algorithm that the key signs by. Raises `ConfigurationError` if the key is weak or serves another."""
    public = material.public_key()
    try:
        serves = algorithms_of(public)
        key_of(public, frozenset(serves), None)  # for its checks of strength
    except JOSEError as error:
        raise ConfigurationError(f"the private key can't be used, it is {error}: {_MAKE}") from None
    if algorithm is None:
        return serves[0]
    if algorithm not in serves:
        raise ConfigurationError(f"algorithm={algorithm!a:.40} is not one of this key: choose from {', '.join(serves)}")
    return algorithm


def _content_of(source: str | bytes | os.PathLike[str]) -> bytes:
    """Return the text of a key, from its file if ``source`` is a path."""
    if isinstance(source, bytes):
        return source
    if isinstance(source, str) and ("-----BEGIN" in source or source.lstrip().startswith("{")):
        return source.encode(errors="replace")
    try:
        with open(source, "rb") as file:
            return file.read(MAX_FILE)
    except (OSError, ValueError) as error:
        # Text without the ending of a file isn't shown: it may be the key itself, without the first line of a PEM.
        shown = ascii(os.fspath(source)) if _LOOKS_LIKE_PATH.fullmatch(os.fspath(source)) else "(name not shown)"
        what = error.strerror if isinstance(error, OSError) else "not a path"
        raise ConfigurationError(
            f"the file {shown} of the private key can't be read ({what}): give the path of a file, or the whole PEM "
            "with its line BEGIN PRIVATE KEY"
        ) from None


def _parsed(octets: bytes) -> Any:
    try:
        return json.loads(octets)
    except ValueError:
        raise ConfigurationError(f"the private key begins like a JWK and is not JSON: {_FORMS}") from None


def _from_pem(octets: bytes, password: str | bytes | None) -> Any:
    if b"PRIVATE KEY-----" not in octets:
        what = "a certificate" if b"CERTIFICATE-----" in octets else "a public key" if b"PUBLIC" in octets else "no PEM"
        raise ConfigurationError(f"key= holds {what}, and must hold a private key (BEGIN PRIVATE KEY): {_MAKE}")
    secret = password.encode() if isinstance(password, str) else password
    try:
        return load_pem_private_key(octets, secret)
    except TypeError:  # cryptography's way to say that a password is missing, or that there should be none
        fix = "give password=" if secret is None else "the PEM is not encrypted, leave out password="
        raise ConfigurationError(f"the private key can't be opened: {fix}, or make another PEM") from None
    except (ValueError, UnsupportedAlgorithm):
        hint = "" if secret is None else "the password may be wrong; "
        raise ConfigurationError(f"the private key in PEM can't be read: {hint}{_FORMS}") from None


def _from_jwk(jwk: Mapping[str, Any]) -> Any:
    family = _JWK_FAMILIES.get(str(jwk.get("kty")))
    if family is None or not isinstance(jwk.get("d"), str):
        raise ConfigurationError(f"the JWK is not a private key, which has kty RSA, EC or OKP, and d: {_FORMS}")
    operations = jwk.get("key_ops", ["sign"])
    if jwk.get("use", "sig") != "sig" or not isinstance(operations, (list, tuple)) or "sign" not in operations:
        raise ConfigurationError("the JWK isn't for signatures (use, key_ops): give one for signatures")
    try:
        return family.from_jwk(dict(jwk))
    except (PyJWTError, ValueError, TypeError, KeyError, UnsupportedAlgorithm):
        raise ConfigurationError(f"the members of the private JWK are not those of a key: {_FORMS}") from None


def _part(content: Mapping[str, Any]) -> str:
    return encode_base64url(json.dumps(content, separators=(",", ":")).encode("ascii"))

"""Reading a public key in JSON (JWK: RFC 7517, RFC 7518 §6, RFC 8037 §2).

Only public keys for signatures are read. What is refused, in this order:

1. A secret or a private half (``d``, ``k``, ``kty: oct``…): it is never published on purpose.
2. Another use than signatures (``use``, ``key_ops``), an unknown kind of key, or an ``alg`` outside its family.
3. Numbers that aren't in their canonical form, points that are not on their curve, and weak keys.

Cases 1 and 3 are mistakes of the issuer. Case 2 isn't, so it has an error class of its own, and the log stays quiet.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from ..wire.jws import JOSEError, decode_base64url
from . import algorithms as names
from .key_strength import check_rsa
from .keys import CURVES, Key, PublicKey, algorithms_of, key_of, validated_kid

MAX_MEMBER: Final = 1024
"""Longest number in a JWK, in characters; the modulus of RSA with 4 096 bits has 683."""
_PRIVATE: Final = ("d", "p", "q", "dp", "dq", "qi", "oth", "k")


class OtherUseError(JOSEError):
    """A key that isn't for signatures: nothing is wrong with it."""


def public_key_jwk(jwk: Mapping[str, Any], *, algorithms: Iterable[str] | None = None) -> Key:
    """Read a public key in JSON (RFC 7517, RFC 7518 §6, RFC 8037 §2).

    Example:
        Read the key of an example in RFC 8037::

            from flask_unauthorized.jose import public_key_jwk

            key = public_key_jwk({"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"})

    Args:
        jwk: The parsed JSON object.
        algorithms: The algorithms that the key may serve; default: all asymmetric ones. ``alg`` in the JWK narrows
            them to one.

    Raises:
        JOSEError: The only exception. The key is malformed, weak (RSA with fewer than 2 048 or more than 4 096 bits or
            an exponent above 2^32, a point off its curve or of small order), for another use, or private.
    """
    if not isinstance(jwk, Mapping):
        raise JOSEError("a JWK must be an object")
    allowed = names.ASYMMETRIC if algorithms is None else frozenset(algorithms)
    _check_use(jwk)
    public = _public_key(jwk)
    serves = frozenset(algorithms_of(public))
    if "alg" in jwk:
        serves &= {jwk["alg"]} if isinstance(jwk["alg"], str) else frozenset()
        if not serves:
            raise OtherUseError("a JWK whose alg isn't one of its family that is verified")
    if not serves & allowed:
        raise OtherUseError("a JWK that serves none of the algorithms allowed")
    return key_of(public, serves & allowed, validated_kid(jwk["kid"]) if "kid" in jwk else None)


def _check_use(jwk: Mapping[str, Any]) -> None:
    if any(name in jwk for name in _PRIVATE) or jwk.get("kty") == "oct":
        raise JOSEError("a JWK that holds a secret: only public keys are read")
    if jwk.get("use", "sig") != "sig":
        raise OtherUseError("a JWK that isn't for signatures (use)")
    operations = jwk.get("key_ops", ["verify"])
    if not isinstance(operations, list) or "verify" not in operations:
        raise OtherUseError("a JWK that isn't for checking signatures (key_ops)")


def _public_key(jwk: Mapping[str, Any]) -> PublicKey:
    kind = jwk.get("kty")
    try:
        if kind == "RSA":
            numbers = rsa.RSAPublicNumbers(_integer(jwk, "e"), _integer(jwk, "n"))
            check_rsa(numbers.n, numbers.e)
            return numbers.public_key()
        if kind == "EC":
            return _ec_key(jwk)
        if kind == "OKP" and jwk.get("crv") == "Ed25519":
            return ed25519.Ed25519PublicKey.from_public_bytes(_octets(jwk, "x", 32))
    except JOSEError:
        raise
    except (ValueError, UnsupportedAlgorithm):
        raise JOSEError("a JWK whose numbers are not a key") from None
    raise JOSEError("a JWK of a kind that isn't spoken (kty, crv)")


def _ec_key(jwk: Mapping[str, Any]) -> ec.EllipticCurvePublicKey:
    name = jwk.get("crv")
    if not isinstance(name, str) or name not in CURVES:
        raise JOSEError("a JWK of a curve that isn't spoken (crv)")
    curve, size = CURVES[name]
    x, y = (int.from_bytes(_octets(jwk, member, size), "big") for member in ("x", "y"))
    return ec.EllipticCurvePublicNumbers(x, y, curve).public_key()  # this refuses points off the curve


def _octets(jwk: Mapping[str, Any], name: str, size: int) -> bytes:
    octets = _member(jwk, name)
    if len(octets) != size:
        raise JOSEError(f"a JWK whose {name} hasn't {size} octets")
    return octets


def _integer(jwk: Mapping[str, Any], name: str) -> int:
    octets = _member(jwk, name)
    if octets[0] == 0:
        raise JOSEError(f"a JWK whose {name} begins with a zero (RFC 7518 §2, Base64urlUInt)")
    return int.from_bytes(octets, "big")


def _member(jwk: Mapping[str, Any], name: str) -> bytes:
    value = jwk.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= MAX_MEMBER:
        raise JOSEError(f"a JWK without a good {name}")
    return decode_base64url(value)

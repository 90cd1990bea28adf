"""`Key`, and the keys that a developer gives: a shared secret or a public key in PEM.

Theory of operation
-------------------

Most forgeries of signed tokens begin with a key that is used for something else than it was made for: the text of a
public key as an HMAC secret (CVE-2015-9235), or an RSA key with an algorithm that the token chose. So a `Key` fixes
what it may be used for when it is made, and nothing decides that later:

1. A `Key` holds a typed object of ``cryptography`` or the bytes of a secret. It never holds text that would have to be
   interpreted.
2. ``algorithms`` are of one family. The engine refuses any other algorithm, whatever the token's header says.
3. `key_of` is the only way to a public key. It checks the strength (`key_strength`) and computes the thumbprint and
   the length of a signature, so that no other module has to.
4. Mistakes of the developer are a `ConfigurationError` at set-up. Mistakes in a published key are a `JOSEError`, which
   leaves out that key. So the functions here raise `JOSEError`, and `hmac_key` and `public_key_pem` translate it.

`jwk` reads a key in JSON, `key_sets` the set that a server publishes, `key_selection` finds the keys for a token.
`signing_keys` reads the private key of this app.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key

from ..arguments import validated_flag
from ..errors import ConfigurationError
from ..logs import log
from ..wire.jws import MAX_KID, JOSEError, encode_base64url
from . import algorithms as names
from .key_strength import check_ed25519, check_rsa

PublicKey = rsa.RSAPublicKey | ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey
CURVES: Final[dict[str, tuple[ec.EllipticCurve, int]]] = {
    "P-256": (ec.SECP256R1(), 32),
    "P-384": (ec.SECP384R1(), 48),
    "P-521": (ec.SECP521R1(), 66),
}
"""The curves by their name in a JWK, and the bytes of one coordinate."""
_CURVE_NAMES: Final = {curve.name: name for name, (curve, _) in CURVES.items()}
_SHORT_SECRET: Final = (
    "hmac_key was given a secret of %d octets, and %s needs %d (RFC 7518 §3.2): anybody who has a token can find a "
    "short secret by trying. Sign new tokens with another secret, and remove this key when the old tokens have expired"
)
_HMAC_SIZES: Final = {"HS256": 32, "HS384": 48, "HS512": 64}


@dataclass(frozen=True, slots=True, repr=False)
class Key:
    """A key that verifies signatures.

    Made by `hmac_key`, `public_key_pem`, `public_key_jwk` and `read_key_set`. Two keys are equal if ``algorithms``,
    ``thumbprint`` and ``kid`` are. The ``repr`` shows nothing secret.

    Attributes:
        algorithms: The algorithms that it serves, all of one family.
        material: A public key of ``cryptography``, or the bytes of an HMAC secret.
        thumbprint: The thumbprint of RFC 7638 (SHA-256, base64url).
        kid: Its key id, or ``None``.
    """

    algorithms: frozenset[str]
    material: Any = field(compare=False)
    thumbprint: str
    kid: str | None = None
    _sizes: Mapping[str, int] = field(default_factory=dict, compare=False)

    def signature_size(self, algorithm: str) -> int:
        """Return the length of a signature by this key, in bytes (RFC 7518 §3)."""
        return self._sizes[algorithm]

    def is_shorter_than(self, min_rsa_bits: int) -> bool:
        """Return whether this is an RSA key with fewer bits. The length of a signature only tells whole octets."""
        return isinstance(self.material, rsa.RSAPublicKey) and self.material.key_size < min_rsa_bits

    def __repr__(self) -> str:
        return f"<Key {self.kid!a} for {', '.join(sorted(self.algorithms))}>"


def hmac_key(
    secret: str | bytes, *, algorithm: str = "HS256", kid: str | None = None, allow_short: bool = False
) -> Key:
    """Make a key from a secret that is shared with the issuer (RFC 7518 §3.2).

    Example:
        Accept tokens that your own service signs with a shared secret::

            from flask_unauthorized.jose import hmac_key
            from flask_unauthorized.loaders.jwt import JWT

            key = hmac_key("a shared secret of at least 32 bytes", algorithm="HS256")
            tokens = JWT("https://id.example.com", audience="notes", keys=key, algorithms=["HS256"])

    Args:
        secret: At least 32 bytes for HS256, 48 for HS384, 64 for HS512. A ``str`` is encoded as UTF-8.
        algorithm: ``"HS256"``, ``"HS384"`` or ``"HS512"``.
        kid: The key id that tokens name, if they name one.
        allow_short: Whether a shorter secret is accepted, for tokens that an app has issued with it already. The log
            warns, because anyone who has one token can try out short secrets.

    Raises:
        ConfigurationError: The secret is empty or too short, or it is the text of a public key, with which anyone could
            sign.
    """
    if algorithm not in _HMAC_SIZES:
        raise ConfigurationError(f"hmac_key() is for HS256, HS384 and HS512, not {algorithm!a}")
    if not isinstance(secret, (str, bytes)):
        raise ConfigurationError(f"the secret must be a str or bytes, not {type(secret).__name__}")
    material = secret.encode() if isinstance(secret, str) else bytes(secret)
    size = _HMAC_SIZES[algorithm]
    if material.isascii() and material != material.strip():  # random octets may end so by chance
        log.warning("hmac_key was given a secret with white space around it, perhaps a line end from a file: it counts")
    if len(material) < size:
        if not validated_flag("allow_short", allow_short) or not material:
            raise ConfigurationError(
                f"the secret has {len(material)} octets and {algorithm} needs {size} (RFC 7518 §3.2): use "
                f"secrets.token_bytes({size})"
            )
        log.warning(_SHORT_SECRET, len(material), algorithm, size)
    if b"-----BEGIN" in material or material.lstrip().startswith((b"ssh-", b"ecdsa-")):
        raise ConfigurationError("that is the text of a key pair's half, not a secret: use public_key_pem()")
    thumbprint = _thumbprint({"k": encode_base64url(material), "kty": "oct"})
    return Key(frozenset({algorithm}), material, thumbprint, configured_kid(kid), {algorithm: size})


def public_key_pem(pem: str | bytes, *, algorithm: str | None = None, kid: str | None = None) -> Key:
    """Read a public key in PEM (``BEGIN PUBLIC KEY``), for one algorithm.

    Example:
        Verify tokens with a key from a file::

            from pathlib import Path
            from flask_unauthorized.jose import public_key_pem
            from flask_unauthorized.loaders.jwt import JWT

            key = public_key_pem(Path("issuer.pem").read_text(), algorithm="RS256")
            tokens = JWT("https://id.example.com", audience="notes", keys=key)

    Args:
        pem: The text. If it is a private key, only its public half is used, and the log warns.
        algorithm: Default: RS256 for RSA. An elliptic curve or Ed25519 has only one algorithm.
        kid: The key id that tokens name, if they name one.

    Raises:
        ConfigurationError: There is no public key in it, the key is weak, or it doesn't serve ``algorithm``.
    """
    octets = pem.encode() if isinstance(pem, str) else pem
    if not isinstance(octets, bytes):
        raise ConfigurationError(f"public_key_pem: the key must be a str or bytes, not {type(pem).__name__}")
    try:
        if b"PRIVATE KEY-----" in octets:
            log.warning("public_key_pem was given a private key: only its public half is kept; give that one")
            public: Any = load_pem_private_key(octets, password=None).public_key()
        else:
            public = load_pem_public_key(octets)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise ConfigurationError(
            "public_key_pem: no public key in PEM (BEGIN PUBLIC KEY); of a certificate: openssl x509 -pubkey -noout"
        ) from None
    try:
        serves = algorithms_of(public)
        chosen = algorithm or serves[0]
        if chosen not in serves:
            raise JOSEError(f"it serves {', '.join(serves)}, not {chosen!a}")
        return key_of(public, frozenset({chosen}), configured_kid(kid))
    except JOSEError as error:
        raise ConfigurationError(f"public_key_pem: {error}") from None


# --- for `jwk` and `signing_keys`


def configured_kid(kid: str | None) -> str | None:
    """Return a key id that the developer gave. Raises `ConfigurationError` if it isn't a string of bounded length."""
    try:
        return None if kid is None else validated_kid(kid)
    except JOSEError:
        raise ConfigurationError(f"kid must be a str of at most {MAX_KID} octets, not {kid!a:.80}") from None


def validated_kid(kid: Any) -> str:
    """Return a key id that is a string of bounded length. Raises `JOSEError` otherwise."""
    if not isinstance(kid, str) or len(kid.encode("utf-8", "surrogatepass")) > MAX_KID:
        raise JOSEError(f"a JWK whose kid isn't a string of at most {MAX_KID} octets")
    return kid


def algorithms_of(public: Any) -> tuple[str, ...]:
    """Return the algorithms that a public key can serve, the usual one first. Raises `JOSEError` for none."""
    if isinstance(public, rsa.RSAPublicKey):
        return names.RSA
    if isinstance(public, ec.EllipticCurvePublicKey) and public.curve.name in _CURVE_NAMES:
        return (names.CURVES[_CURVE_NAMES[public.curve.name]],)
    if isinstance(public, ed25519.Ed25519PublicKey):
        return names.EDDSA
    raise JOSEError("a key of a kind that isn't spoken: RSA, P-256, P-384, P-521 and Ed25519 are")


def key_of(public: PublicKey, algorithms: frozenset[str], kid: str | None) -> Key:
    """Make the `Key` of a public key. Raises `JOSEError` for a weak one."""
    if isinstance(public, rsa.RSAPublicKey):
        numbers = public.public_numbers()
        check_rsa(numbers.n, numbers.e)
        size = (public.key_size + 7) // 8
        members = {"e": _integer_text(numbers.e), "kty": "RSA", "n": _integer_text(numbers.n)}
    elif isinstance(public, ec.EllipticCurvePublicKey):
        name = _CURVE_NAMES[public.curve.name]
        point, width = public.public_numbers(), CURVES[name][1]
        size = 2 * width
        x, y = (encode_base64url(number.to_bytes(width, "big")) for number in (point.x, point.y))
        members = {"crv": name, "kty": "EC", "x": x, "y": y}
    else:
        octets = public.public_bytes_raw()
        check_ed25519(octets)
        size = 64
        members = {"crv": "Ed25519", "kty": "OKP", "x": encode_base64url(octets)}
    return Key(algorithms, public, _thumbprint(members), kid, dict.fromkeys(algorithms, size))


def _integer_text(number: int) -> str:
    return encode_base64url(number.to_bytes((number.bit_length() + 7) // 8, "big"))


def _thumbprint(members: dict[str, str]) -> str:
    """Return the thumbprint of a key by its required members (RFC 7638 §3): sorted, and without blanks."""
    text = json.dumps(members, sort_keys=True, separators=(",", ":"))
    return encode_base64url(hashlib.sha256(text.encode()).digest())

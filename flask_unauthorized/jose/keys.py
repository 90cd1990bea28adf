"""Typed keys: what a key serves is fixed when it is made, and no text is ever guessed at."""

import hashlib
import json
import logging
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, Protocol, runtime_checkable

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key

from ..errors import ConfigurationError
from ..wire.jws import MAX_KID, JOSEError, decode_base64url, encode_base64url, read_json_object
from . import algorithms as names
from .key_strength import check_ed25519, check_rsa

MAX_KEYS: Final = 100
"""Most keys in a set."""
MAX_MEMBER: Final = 1024
"""Longest number in a JWK, in characters; the modulus of RSA with 4 096 bits has 683."""
MAX_CANDIDATES: Final = 4
"""Most keys that are tried for one token."""

log: Final = logging.getLogger("flask_unauthorized")

PublicKey = rsa.RSAPublicKey | ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey
_CURVES: Final[dict[str, tuple[ec.EllipticCurve, int]]] = {
    "P-256": (ec.SECP256R1(), 32),
    "P-384": (ec.SECP384R1(), 48),
    "P-521": (ec.SECP521R1(), 66),
}
_CURVE_NAMES: Final = {curve.name: name for name, (curve, _) in _CURVES.items()}
_PRIVATE: Final = ("d", "p", "q", "dp", "dq", "qi", "oth", "k")
_MAY_BE_NULL: Final = frozenset({"kid", "use", "alg", "key_ops"})
_HMAC_SIZES: Final = {"HS256": 32, "HS384": 48, "HS512": 64}


class _OtherUseError(JOSEError):
    """A key that isn't for signatures: nothing is wrong with it."""


@dataclass(frozen=True, slots=True, repr=False)
class Key:
    """A key to check signatures with. Made by `hmac_key`, `public_key_pem`, `public_key_jwk` and `read_key_set`.

    ``algorithms`` are those it serves, all of one family; ``kid`` is its name, ``material`` a public key of
    ``cryptography``, or the octets of an HMAC secret; ``thumbprint`` is that of RFC 7638 (SHA-256, base64url). Two keys
    with the same of all these are equal. The ``repr`` shows nothing secret.
    """

    algorithms: frozenset[str]
    material: Any = field(compare=False)
    thumbprint: str
    kid: str | None = None
    _sizes: Mapping[str, int] = field(default_factory=dict, compare=False)

    def signature_size(self, algorithm: str) -> int:
        """How many octets a signature by this key has (RFC 7518 §3)."""
        return self._sizes[algorithm]

    def __repr__(self) -> str:
        return f"<Key {self.kid!a} for {', '.join(sorted(self.algorithms))}>"


class Keys(Protocol):
    """Where the keys of an issuer are found."""

    def candidates(self, kid: str | None, algorithm: str) -> Sequence[Key]:
        """The keys to try for a token that names ``kid`` and ``algorithm``: few, best first, or none.

        Raises `AuthUnavailable` where that can't be known now.
        """
        ...


@runtime_checkable
class RenewableKeys(Keys, Protocol):
    """Keys that may have changed since they were looked up, under the same names."""

    def newer(self, kid: str | None, algorithm: str, tried: Sequence[Key]) -> Sequence[Key]:
        """The keys to try for a token that none of ``tried``, its candidates, signed; none where there are no newer.

        Raises `AuthUnavailable` where that can't be known now.
        """
        ...


class StaticKeys:
    """Keys that never change."""

    def __init__(self, keys: Iterable[Key]) -> None:
        self._keys = tuple(keys)
        for key in self._keys:
            if not isinstance(key, Key):
                raise ConfigurationError(
                    f"a key must be made by hmac_key(), public_key_pem(), public_key_jwk() or read_key_set(): "
                    f"{type(key).__name__} is none"
                )
        if not self._keys:
            raise ConfigurationError("keys is empty: give one at least")
        pairs = {(kid, name) for key in self._keys for name in key.algorithms for kid in (key.kid, None)}
        self._found = {(kid, name): select_keys(self._keys, kid, name) for kid, name in pairs}

    def candidates(self, kid: str | None, algorithm: str) -> Sequence[Key]:
        """As `select_keys` says."""
        found = self._found.get((kid, algorithm))
        return select_keys(self._keys, kid, algorithm) if found is None else found

    @property
    def kids(self) -> tuple[str | None, ...]:
        """The key ids, for the log."""
        return tuple(key.kid for key in self._keys)

    def __iter__(self) -> Iterator[Key]:
        return iter(self._keys)

    def __repr__(self) -> str:
        return f"<StaticKeys {list(self._keys)}>"


def select_keys(keys: Collection[Key], kid: str | None, algorithm: str) -> tuple[Key, ...]:
    """The keys of ``keys`` to try for a token that names ``kid`` and ``algorithm``, at most `MAX_CANDIDATES`.

    With a ``kid``: the keys of that name, else those without one. Without: all that serve the algorithm, for issuers
    that name no key while two of them stand.
    """
    found: list[Key] = []
    if kid is not None:
        found = [key for key in keys if key.kid == kid and algorithm in key.algorithms]
    if not found:
        found = [key for key in keys if (kid is None or key.kid is None) and algorithm in key.algorithms]
    return tuple(found[:MAX_CANDIDATES])


def hmac_key(secret: str | bytes, *, algorithm: str = "HS256", kid: str | None = None) -> Key:
    """A secret shared with the issuer, for one algorithm: HS256, HS384 or HS512 (RFC 7518 §3.2).

    A str counts as its UTF-8. Raises `ConfigurationError` for a secret that is shorter than the hash (32, 48 or 64
    octets), or that is the text of a public key: anybody could sign with it.
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
        raise ConfigurationError(
            f"the secret has {len(material)} octets and {algorithm} needs {size} (RFC 7518 §3.2): use "
            f"secrets.token_bytes({size})"
        )
    if b"-----BEGIN" in material or material.lstrip().startswith((b"ssh-", b"ecdsa-")):
        raise ConfigurationError("that is the text of a key pair's half, not a secret: use public_key_pem()")
    thumbprint = _thumbprint({"k": encode_base64url(material), "kty": "oct"})
    return Key(frozenset({algorithm}), material, thumbprint, _kid_of_developer(kid), {algorithm: size})


def public_key_pem(pem: str | bytes, *, algorithm: str | None = None, kid: str | None = None) -> Key:
    """A public key in PEM (``BEGIN PUBLIC KEY``), for one algorithm.

    Without ``algorithm``: RS256 for RSA; for an elliptic curve and Ed25519 there is one only. Of a private key the
    private half is dropped, and the log warns. Raises `ConfigurationError` for what is no such key, one that is weak,
    or one of another family than ``algorithm``.
    """
    public = _loaded(pem)
    try:
        serves = _serves(public)
        chosen = algorithm or serves[0]
        if chosen not in serves:
            raise JOSEError(f"it serves {', '.join(serves)}, not {chosen!a}")
        return _key(public, frozenset({chosen}), _kid_of_developer(kid))
    except JOSEError as error:
        raise ConfigurationError(f"public_key_pem: {error}") from None


def public_key_jwk(jwk: Mapping[str, Any], *, algorithms: Iterable[str] | None = None) -> Key:
    """A public key as JWK (RFC 7517, 7518 §6, 8037 §2), for what its ``alg`` says, within ``algorithms``.

    Without ``alg`` it serves all of its family within ``algorithms`` (default: every asymmetric one). Raises
    `JOSEError`, and nothing else, for what isn't one: broken, weak (RSA beside 2048 to 4096 bits or with e above 2^32,
    a point off its curve or of small order), of another use than signatures, or with a private half.
    """
    if not isinstance(jwk, Mapping):
        raise JOSEError("a JWK must be an object")
    allowed = names.ASYMMETRIC if algorithms is None else frozenset(algorithms)
    _check_use(jwk)
    public = _public_key(jwk)
    serves = frozenset(_serves(public))
    if "alg" in jwk:
        serves &= {jwk["alg"]} if isinstance(jwk["alg"], str) else frozenset()
        if not serves:
            raise _OtherUseError("a JWK whose alg isn't one of its family that is verified")
    if not serves & allowed:
        raise _OtherUseError("a JWK that serves none of the algorithms allowed")
    return _key(public, serves & allowed, _kid(jwk))


def read_key_set(octets: bytes) -> tuple[Key, ...]:
    """The keys of a JWK set (RFC 7517 §5) as a server publishes it: those that can check signatures.

    The others are left out, with a word in the log: broken ones, weak ones, symmetric ones, any with a private half,
    and those for another use. Forms that servers are known to write against the RFCs are understood: numbers with
    zeros in front or without those that belong there, ``=`` at the end, and ``null`` for what is absent; the log names
    these keys, too. Raises `JOSEError`, and nothing else, for what isn't a set, or has more than 100 keys.
    """
    found = parse_key_set(octets)
    for text in found.remarks:
        log.warning("%s", text)
    return found.keys


class KeySet(NamedTuple):
    """What a JWK set holds, and what the log should say of it."""

    keys: tuple[Key, ...]
    remarks: tuple[str, ...]


def parse_key_set(octets: bytes) -> KeySet:
    """As `read_key_set`, for callers who read a set again and again and log a remark once."""
    members = read_json_object(octets).get("keys")
    if not isinstance(members, list):
        raise JOSEError("a JWK set without a list of keys")
    if len(members) > MAX_KEYS:
        raise JOSEError(f"a JWK set of more than {MAX_KEYS} keys")
    found, remarks = [], []
    for place, member in enumerate(members):
        name = f"key {place} of the set{_named(member)}"
        try:
            jwk, repairs = _repaired(member)
            found.append(public_key_jwk(jwk))
            if repairs:
                remarks.append(f"{name} is used, but its issuer should correct it: {', '.join(repairs)}")
        except _OtherUseError as other:
            log.debug("%s is left out: %s", name, other)
        except JOSEError as error:
            remarks.append(f"{name} is left out: {error}")
    return KeySet(tuple(found), tuple(remarks))


# --- of a member of a set


def _named(member: Any) -> str:
    kid = member.get("kid") if isinstance(member, Mapping) else None
    return f" (kid {kid[:60]!a})" if isinstance(kid, str) else ""


def _repaired(member: Any) -> tuple[Any, list[str]]:
    """A member in the form that `public_key_jwk` takes, and what had to be changed.

    Private members are left alone, even if they are null: a set that has them is not what its issuer means to publish.
    """
    if not isinstance(member, Mapping):
        return member, []
    jwk = {name: value for name, value in member.items() if value is not None or name not in _MAY_BE_NULL}
    repairs = [f"{name} is null" for name in sorted(member.keys() - jwk.keys())]
    for name, size in _sizes_of(jwk).items():
        value = jwk.get(name)
        if isinstance(value, str) and 0 < len(value) <= MAX_MEMBER:
            jwk[name], texts = _repaired_number(value, size)
            repairs += [f"{name} {text}" for text in texts]
    return jwk, repairs


def _sizes_of(jwk: Mapping[str, Any]) -> dict[str, int | None]:
    """The members that hold numbers, and their size in octets; ``None`` for the shortest, -1 for octets as they are."""
    kind, curve = jwk.get("kty"), jwk.get("crv")
    if kind == "RSA":
        return {"n": None, "e": None}
    if kind == "EC" and isinstance(curve, str) and curve in _CURVES:
        return dict.fromkeys(("x", "y"), _CURVES[curve][1])
    return {"x": -1} if kind == "OKP" else {}


def _repaired_number(text: str, size: int | None) -> tuple[str, list[str]]:
    """A number in its only form (RFC 7518 §2 and §6.2.1.2), and what was wrong with it."""
    repairs = []
    bare = text.rstrip("=")
    if bare != text:
        repairs.append("is padded with '='")
    if size == -1:
        return bare, repairs
    octets = decode_base64url(bare)
    digits = octets.lstrip(b"\0")
    whole = digits if size is None else digits.rjust(size, b"\0")
    if len(whole) > len(octets):
        repairs.append(f"has {len(octets)} octets in place of {size}")
    elif len(whole) < len(octets):
        repairs.append("begins with a zero octet too many")
    return encode_base64url(whole), repairs


# --- of a JWK


def _check_use(jwk: Mapping[str, Any]) -> None:
    if any(name in jwk for name in _PRIVATE) or jwk.get("kty") == "oct":
        raise JOSEError("a JWK that holds a secret: only public keys are read")
    if jwk.get("use", "sig") != "sig":
        raise _OtherUseError("a JWK that isn't for signatures (use)")
    operations = jwk.get("key_ops", ["verify"])
    if not isinstance(operations, list) or "verify" not in operations:
        raise _OtherUseError("a JWK that isn't for checking signatures (key_ops)")


def _kid(jwk: Mapping[str, Any]) -> str | None:
    if "kid" not in jwk:
        return None
    kid = jwk["kid"]
    if not isinstance(kid, str) or len(kid.encode("utf-8", "surrogatepass")) > MAX_KID:
        raise JOSEError(f"a JWK whose kid isn't a string of at most {MAX_KID} octets")
    return kid


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
        raise JOSEError("a JWK whose numbers are no key") from None
    raise JOSEError("a JWK of a kind that isn't spoken (kty, crv)")


def _ec_key(jwk: Mapping[str, Any]) -> ec.EllipticCurvePublicKey:
    name = jwk.get("crv")
    if not isinstance(name, str) or name not in _CURVES:
        raise JOSEError("a JWK of a curve that isn't spoken (crv)")
    curve, size = _CURVES[name]
    x, y = (int.from_bytes(_octets(jwk, member, size), "big") for member in ("x", "y"))
    return ec.EllipticCurvePublicNumbers(x, y, curve).public_key()  # which refuses points off the curve


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


# --- of a developer


def _loaded(pem: str | bytes) -> Any:
    octets = pem.encode() if isinstance(pem, str) else pem
    if not isinstance(octets, bytes):
        raise ConfigurationError(f"public_key_pem: the key must be a str or bytes, not {type(pem).__name__}")
    try:
        if b"PRIVATE KEY-----" in octets:
            log.warning("public_key_pem was given a private key: only its public half is kept; give that one")
            return load_pem_private_key(octets, password=None).public_key()
        return load_pem_public_key(octets)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise ConfigurationError(
            "public_key_pem: no public key in PEM (BEGIN PUBLIC KEY); of a certificate: openssl x509 -pubkey -noout"
        ) from None


def _kid_of_developer(kid: str | None) -> str | None:
    try:
        return None if kid is None else _kid({"kid": kid})
    except JOSEError:
        raise ConfigurationError(f"kid must be a str of at most {MAX_KID} octets, not {kid!a:.80}") from None


# --- of both


def _serves(public: Any) -> tuple[str, ...]:
    if isinstance(public, rsa.RSAPublicKey):
        return names.RSA
    if isinstance(public, ec.EllipticCurvePublicKey) and public.curve.name in _CURVE_NAMES:
        return (names.CURVES[_CURVE_NAMES[public.curve.name]],)
    if isinstance(public, ed25519.Ed25519PublicKey):
        return names.EDDSA
    raise JOSEError("a key of a kind that isn't spoken: RSA, P-256, P-384, P-521 and Ed25519 are")


def _key(public: PublicKey, serves: frozenset[str], kid: str | None) -> Key:
    if isinstance(public, rsa.RSAPublicKey):
        numbers = public.public_numbers()
        check_rsa(numbers.n, numbers.e)
        size = (public.key_size + 7) // 8
        members = {"e": _integer_text(numbers.e), "kty": "RSA", "n": _integer_text(numbers.n)}
    elif isinstance(public, ec.EllipticCurvePublicKey):
        name = _CURVE_NAMES[public.curve.name]
        point, width = public.public_numbers(), _CURVES[name][1]
        size = 2 * width
        x, y = (encode_base64url(number.to_bytes(width, "big")) for number in (point.x, point.y))
        members = {"crv": name, "kty": "EC", "x": x, "y": y}
    else:
        octets = public.public_bytes_raw()
        check_ed25519(octets)
        size = 64
        members = {"crv": "Ed25519", "kty": "OKP", "x": encode_base64url(octets)}
    return Key(serves, public, _thumbprint(members), kid, dict.fromkeys(serves, size))


def _integer_text(number: int) -> str:
    return encode_base64url(number.to_bytes((number.bit_length() + 7) // 8, "big"))


def _thumbprint(members: dict[str, str]) -> str:
    """RFC 7638 §3: the required members only, sorted, without blanks."""
    text = json.dumps(members, sort_keys=True, separators=(",", ":"))
    return encode_base64url(hashlib.sha256(text.encode()).digest())

"""Read one DPoP proof, and compare it with its request (RFC 9449 §4.3).

`ProofRules.read` checks, in this order:

1. The field has one proof (check 1 of §4.3), in the compact form of a JWT (2).
2. The header: ``typ`` (4), an accepted ``alg`` (5), and a public key in ``jwk`` (7) that serves this algorithm.
3. The claims: ``htm`` (8), ``ath`` (the hash of the token, 12), ``htu`` (9), the times ``iat``, ``exp`` and ``nbf``
   (11), and ``jti`` (3). If the app asks for nonces, the scheme compares the time in the nonce in place of ``iat``.

`ProofRules.has_valid_signature` is check 6. It is separate, because it costs most: the scheme calls it only after it
found that a valid token is bound to the key. The nonce (10) and the comparison with ``cnf`` (12) are the scheme's,
too.

``htu`` is compared with the origins that the developer configured, never with ``Host`` or a proxy's field, which
clients can choose. Both sides are compared as they are first, and in normal form (RFC 3986 §6.2.2) only if they
differ.

A key that signed a valid proof is remembered, because making a key object costs as much as verifying a signature.
"""

import hmac
import re
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from flask import Request

from ..arguments import validated_choice
from ..errors import ConfigurationError, InvalidProof
from ..errors.text import shown
from ..jose import Key, PyJWTEngine, public_key_jwk
from ..jose.key_strength import validated_min_rsa_bits
from ..wire.dpop import access_token_hash, key_members, normal_path, normal_uri, thumbprint
from ..wire.jws import JOSEError, read_json_object, read_jws
from .request_target import raw_path

ALGORITHMS: Final = (
    "ES256", "ES384", "ES512", "Ed25519", "EdDSA", "PS256", "PS384", "PS512", "RS256", "RS384", "RS512",
)  # fmt: skip
"""All that a proof may be signed with: asymmetric algorithms of JWS (RFC 7518 §3.1, RFC 9864 §2.2, RFC 8037 §3.1)."""
MAX_PROOF: Final = 4096
"""Longest proof that is read, in bytes."""
MAX_JTI: Final = 256
"""Longest ``jti``, in bytes of UTF-8."""
MAX_VERIFIED_KEYS: Final = 1024
"""Most keys that one scheme remembers."""

_LOCALHOST: Final = re.compile(r"(?:localhost|127\.0\.0\.1|\[::1\])(?::[0-9]+)?(?:/.*)?")
_DOT_SEGMENT: Final = re.compile(r"/(?:\.|%2e){1,2}(?:/|$)", re.IGNORECASE)
_PRIVATE_MEMBERS: Final = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})


class Proof:
    """A proof whose form and claims fit its request.

    Its signature hasn't been verified. The ``repr`` shows no value, and the object can't be pickled.

    Attributes:
        algorithm: ``alg``, which ``key`` can be used with.
        iat: When the proof was made, in seconds since 1970.
        jti: The identifier of the proof.
        key: The public key in the proof.
        nonce: The claim ``nonce`` as it is, ``None`` if it is absent.
        signature: The octets of the signature.
        signing_input: What the signature covers.
        thumbprint: The thumbprint of ``key`` (RFC 7638).
    """

    __slots__ = ("algorithm", "iat", "jti", "key", "nonce", "signature", "signing_input", "thumbprint")
    algorithm: str
    iat: float
    jti: str
    key: Key
    nonce: object
    signature: bytes
    signing_input: bytes
    thumbprint: str

    def __repr__(self) -> str:
        return "<Proof>"

    def __reduce__(self) -> tuple[object, ...]:
        raise TypeError("a proof is not pickled")


class ProofRules:
    """What one `DPoP` scheme accepts as a proof.

    See `DPoP` for the arguments, and for what they raise.

    Attributes:
        origins: In normal form, without a slash at the end.
    """

    def __init__(
        self,
        origin: str | Iterable[str],
        algorithms: Sequence[str],
        window: int,
        ahead: int,
        *,
        nonce: bool,
        min_rsa_bits: int,
    ) -> None:
        origins = (origin,) if isinstance(origin, str) else tuple(origin)
        if not origins:
            raise ConfigurationError('origin is empty: write origin="https://api.example.com"')
        self.origins = tuple(_normal_origin(one) for one in origins)
        self.algorithms = validated_choice("algorithms", algorithms, ALGORITHMS)
        self.window = window
        self.ahead = ahead
        self.min_rsa_bits = validated_min_rsa_bits(min_rsa_bits)
        self._nonce_dates_proofs = nonce
        self._engine = PyJWTEngine()
        self._verified_keys: dict[str, Key] = {}  # Those that signed a valid proof, by their thumbprint.

    def read(self, field: str | None, token: str, request: Request) -> Proof:
        """Read a proof and check all of it but the signature and the nonce.

        Args:
            field: The field ``DPoP``, ``None`` if it is absent.
            token: The access token that was sent with it.
            request: The request that carries both.

        Raises:
            InvalidProof: If there is no proof, or not one for this request and token.
        """
        if not field:
            raise _invalid("no proof came, expected one in the field DPoP")
        if len(field) > MAX_PROOF:
            raise _invalid(f"the proof has {len(field)} bytes, expected at most {MAX_PROOF}")
        if "," in field:  # Servers join two fields of one name.
            raise _invalid("the field DPoP holds a comma, expected one proof: a client or a server joined two")
        proof, payload = self._read_jws(field)
        try:
            claims = read_json_object(payload)
        except JOSEError as error:
            raise _invalid(f"the payload is {error}, expected a JSON object of claims") from None
        method = request.environ["REQUEST_METHOD"]
        if not _is_text(claims.get("htm"), method):
            raise _invalid(
                f"htm is {_shown(claims.get('htm'), 20)}, and the method of this request is {shown(method, 20)}"
            )
        if not _is_text(claims.get("ath"), access_token_hash(token)):
            raise _invalid(
                "ath is not that of the token that came, expected its SHA-256 in base64url (RFC 9449 section 4.2)"
            )
        self._check_uri(claims.get("htu"), request)
        proof.iat = self._check_times(claims)
        jti = claims.get("jti")
        if not isinstance(jti, str) or not 0 < len(jti.encode(errors="replace")) <= MAX_JTI:
            came = f"a text of {len(jti.encode(errors='replace'))} bytes" if isinstance(jti, str) else _shown(jti)
            raise _invalid(f"jti is {came}, expected a text of 1 to {MAX_JTI} bytes")
        proof.jti = jti
        proof.nonce = claims.get("nonce")
        return proof

    def has_valid_signature(self, proof: Proof) -> bool:
        """Return whether the key in the proof made its signature.

        Call it only for a key that a valid token is bound to, because the key is remembered.
        """
        is_valid = self._engine.verify(proof.algorithm, proof.key, proof.signing_input, proof.signature)
        if is_valid:
            if len(self._verified_keys) >= MAX_VERIFIED_KEYS:
                self._verified_keys.clear()
            self._verified_keys[proof.thumbprint] = proof.key
        return is_valid

    def _read_jws(self, text: str) -> tuple[Proof, bytes]:
        try:
            jws = read_jws(text, embedded_key=True)
        except JOSEError as error:
            raise _invalid(f"the proof can't be read: {error}") from None
        if jws.header.get("typ") != "dpop+jwt":
            raise _invalid(f"typ is {_shown(jws.header.get('typ'))}, expected 'dpop+jwt'")
        if jws.algorithm not in self.algorithms:
            raise _invalid(
                f"alg is {_shown(jws.algorithm, 20)}, expected one of {shown(list(self.algorithms), 120)}: see "
                "algorithms="
            )
        proof = Proof()
        self._read_key(proof, jws.header["jwk"])
        if jws.algorithm not in proof.key.algorithms:
            raise _invalid(
                f"alg is {_shown(jws.algorithm, 20)}, and the key in jwk is for {shown(proof.key.algorithms, 60)}: "
                "sign with that"
            )
        proof.algorithm, proof.signature, proof.signing_input = jws.algorithm, jws.signature, jws.signing_input
        return proof, jws.payload

    def _read_key(self, proof: Proof, jwk: object) -> None:
        if not isinstance(jwk, dict):
            raise _invalid(f"jwk is of type {type(jwk).__name__}, expected an object that is a public key")
        if not _PRIVATE_MEMBERS.isdisjoint(jwk):
            raise _invalid(
                f"jwk has {shown(_PRIVATE_MEMBERS & jwk.keys())} of a private or symmetric key, expected a public key"
            )
        try:
            proof.thumbprint = thumbprint(jwk)
            # Other members of the JWK are ignored. With them, the client could choose which algorithms a key serves.
            proof.key = self._verified_keys.get(proof.thumbprint) or self._new_key(jwk)
        except ValueError as error:
            raise _invalid("jwk is not a public key: " + str(error).replace("§", "section ")) from None

    def _new_key(self, jwk: Mapping[str, Any]) -> Key:
        key = public_key_jwk(key_members(jwk))
        if key.is_shorter_than(self.min_rsa_bits):
            raise JOSEError(f"an RSA key of {key.material.key_size} bits, and min_rsa_bits={self.min_rsa_bits}")
        return key

    def _check_uri(self, htu: object, request: Request) -> None:
        """Compare ``htu`` with the address of the request under the configured origins."""
        path = raw_path(request)
        if not isinstance(htu, str):
            raise _invalid(f"htu is {_shown(htu)}, expected the address of this request")
        # Clients resolve segments of dots and the app may not, so one URI could mean two views.
        if _DOT_SEGMENT.search(path) is not None:
            raise _invalid("the target of the request has a segment '.' or '..', expected one without them")
        if any(htu == origin + path for origin in self.origins):
            return
        try:
            sent = normal_uri(htu)
            expected = normal_path(path)
        except ValueError:
            raise _invalid(
                "htu, or the target of the request, is not an http or https URI, expected printable ASCII without user "
                "and password"
            ) from None
        if not any(sent == origin + expected for origin in self.origins):
            host = "/".join(sent.split("/", 3)[:3])  # not the path, because it may hold anything
            raise _invalid(
                f"htu is at {shown(host, 70)}, expected {shown(expected, 60)} at {shown(list(self.origins), 76)}: "
                "DPoP(origin=...) says where clients reach the app"
            )

    def _check_times(self, claims: Mapping[str, Any]) -> float:
        now = time.time()
        iat = _number("iat", claims.get("iat"))
        if not self._nonce_dates_proofs and not now - self.window <= iat <= now + self.ahead:
            raise _invalid(
                f"iat is {shown(iat)}, and now {now:.0f}: window={self.window} and ahead={self.ahead} are the seconds "
                "allowed"
            )
        if "exp" in claims and _number("exp", claims["exp"]) <= now:
            raise _invalid(f"exp has passed: it is {shown(claims['exp'])}, and now {now:.0f}")
        if "nbf" in claims and _number("nbf", claims["nbf"]) > now + self.ahead:
            raise _invalid(
                f"nbf lies in the future: it is {shown(claims['nbf'])}, and now {now:.0f}, with ahead={self.ahead}"
            )
        return iat


def _is_text(given: object, expected: str) -> bool:
    return isinstance(given, str) and hmac.compare_digest(given.encode(errors="replace"), expected.encode())


def _shown(value: object, longest: int = 48) -> str:
    """Return a member of a proof that is a name: a text itself, of anything else its type."""
    if isinstance(value, str):
        return shown(value, longest)
    return "absent" if value is None else f"of type {type(value).__name__}"


def _number(name: str, value: object) -> float:
    # The value stays an int if it is one, because a float can't hold 10^400.
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise _invalid(
            f"{name} is {'absent' if value is None else f'of type {type(value).__name__}'}, expected a number"
        )
    return value


def _invalid(reason: str) -> InvalidProof:
    return InvalidProof(reason=f"DPoP: {reason}")


def _normal_origin(origin: str) -> str:
    if not isinstance(origin, str):
        raise TypeError(f"origin must be a str or a collection of str, not {origin!r}")
    try:
        normal = normal_uri(origin).rstrip("/")
    except ValueError:
        normal = ""
    if not normal or "?" in origin or "#" in origin:
        raise ConfigurationError(
            f"origin={origin!a} is not an origin: write https://api.example.com, add the path if clients see one in "
            "front of the app's own, and leave out the query"
        )
    if not normal.startswith("https://") and _LOCALHOST.fullmatch(normal.partition("://")[2]) is None:
        raise ConfigurationError(
            f"origin={origin!a} is plain http: write https, because DPoP is used together with HTTPS (RFC 9449 §2)"
        )
    return normal

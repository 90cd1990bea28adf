"""One DPoP proof, read and compared with the request that it came with (RFC 9449 §4.3)."""

import hmac
import re
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from flask import Request

from ..arguments import validated_choice
from ..errors import ConfigurationError, InvalidProof
from ..jose import Key, PyJWTEngine, public_key_jwk
from ..wire.dpop import access_token_hash, key_members, normal_path, normal_uri, thumbprint
from ..wire.jws import JOSEError, read_json_object, read_jws
from .request_target import raw_path

ALGORITHMS: Final = (
    "ES256", "ES384", "ES512", "Ed25519", "EdDSA", "PS256", "PS384", "PS512", "RS256", "RS384", "RS512",
)  # fmt: skip
"""All that a proof may be signed with: asymmetric ones of JWS (RFC 7518 §3.1, RFC 9864 §2.2, RFC 8037 §3.1)."""
MAX_PROOF: Final = 4096
"""Longest proof that is read, in bytes."""
MAX_JTI: Final = 256
"""Longest ``jti``, in bytes of UTF-8."""
MAX_KNOWN: Final = 1024
"""Most keys that are remembered by one scheme."""

_LOCAL: Final = re.compile(r"(?:localhost|127\.0\.0\.1|\[::1\])(?::[0-9]+)?(?:/.*)?")
_DOTS: Final = re.compile(r"/(?:\.|%2e){1,2}(?:/|$)", re.IGNORECASE)
_PRIVATE: Final = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})


class Proof:
    """A proof whose form and claims are right for its request; nobody has checked its signature yet.

    ``key`` is the one in it, ``algorithm`` one that it serves, ``iat`` in seconds since 1970, ``nonce`` whatever came.
    Its ``repr`` shows nothing and it cannot be pickled.
    """

    __slots__ = ("algorithm", "iat", "jti", "key", "nonce", "signature", "signing_input", "thumbprint")
    algorithm: str
    iat: float
    jti: str
    key: Key
    nonce: Any
    signature: bytes
    signing_input: bytes
    thumbprint: str

    def __repr__(self) -> str:
        return "<Proof>"

    def __reduce__(self) -> tuple[object, ...]:
        raise TypeError("a proof is not pickled")


class ProofRules:
    """What a scheme asks of its proofs.

    ``origins`` are in normal form and without a slash at the end, ``algorithms`` those taken, ``window`` and ``ahead``
    in seconds. Raises as `DPoP` says.
    """

    def __init__(self, origin: str | Iterable[str], algorithms: Sequence[str], window: int, ahead: int) -> None:
        self.origins = _origins(origin)
        self.algorithms = validated_choice("algorithms", algorithms, ALGORITHMS)
        self.window = window
        self.ahead = ahead
        self._engine = PyJWTEngine()
        self._known: dict[str, Key] = {}  # keys that signed something good: making one costs as much as a check

    def read(self, sent: str | None, token: str, request: Request) -> Proof:
        """The proof in the field ``DPoP``; `InvalidProof` for one that isn't good for this request and this token."""
        proof, payload = self._read_jws(_only_one(sent))
        try:
            claims = read_json_object(payload)
        except JOSEError as error:
            raise _invalid(f"the payload is {error}") from None
        _check_text("htm", claims.get("htm"), request.environ["REQUEST_METHOD"])
        _check_text("ath", claims.get("ath"), access_token_hash(token))
        self._check_uri(claims.get("htu"), request)
        proof.iat = self._check_times(claims)
        proof.jti = _jti(claims.get("jti"))
        proof.nonce = claims.get("nonce")
        return proof

    def is_signed(self, proof: Proof) -> bool:
        """Whether the signature is that of the key in the proof; to be asked for keys that some token is bound to."""
        signed = self._engine.verify(proof.algorithm, proof.key, proof.signing_input, proof.signature)
        if signed:
            if len(self._known) >= MAX_KNOWN:
                self._known.clear()
            self._known[proof.thumbprint] = proof.key
        return signed

    def _read_jws(self, text: str) -> tuple[Proof, bytes]:
        try:
            jws = read_jws(text, embedded_key=True)
        except JOSEError as error:
            raise _invalid(str(error)) from None
        if jws.header.get("typ") != "dpop+jwt":
            raise _invalid("typ isn't dpop+jwt")
        if jws.algorithm not in self.algorithms:
            raise _invalid(f"alg is none of {', '.join(self.algorithms)}")
        proof = Proof()
        self._read_key(proof, jws.header["jwk"])
        if jws.algorithm not in proof.key.algorithms:
            raise _invalid("alg isn't one for the kind of key in jwk")
        proof.algorithm, proof.signature, proof.signing_input = jws.algorithm, jws.signature, jws.signing_input
        return proof, jws.payload

    def _read_key(self, proof: Proof, jwk: object) -> None:
        if not isinstance(jwk, dict):
            raise _invalid("jwk isn't a key")
        if not _PRIVATE.isdisjoint(jwk):
            raise _invalid("jwk holds a private or a symmetric key")
        try:
            proof.thumbprint = thumbprint(jwk)
            # Of the other members none counts: with them one key would be good or not as the client likes.
            proof.key = self._known.get(proof.thumbprint) or public_key_jwk(key_members(jwk))
        except ValueError as error:
            raise _invalid(f"jwk: {error}") from None

    def _check_uri(self, htu: object, request: Request) -> None:
        """Compares with what the developer configured, never with Host or a forwarded field."""
        path = raw_path(request)
        if not isinstance(htu, str):
            raise _invalid("no htu")
        if _DOTS.search(path) is not None:  # clients resolve them, and the app may not: two views, one URI
            raise _invalid("the target of the request has a segment of dots")
        if any(htu == origin + path for origin in self.origins):
            return
        try:
            sent = normal_uri(htu)
            expected = normal_path(path)
        except ValueError:
            raise _invalid("htu, or the target of the request, isn't an http or https URI") from None
        if not any(sent == origin + expected for origin in self.origins):
            raise _invalid(
                f"htu isn't the address of this request under {' or '.join(self.origins)}: where clients know the app "
                "under another origin or prefix, say so in DPoP(origin=...)"
            )

    def _check_times(self, claims: Mapping[str, Any]) -> float:
        now = time.time()
        iat = _number("iat", claims.get("iat"))
        if not now - self.window <= iat <= now + self.ahead:
            raise _invalid(f"iat isn't within {self.window} seconds before and {self.ahead} after our time")
        if "exp" in claims and _number("exp", claims["exp"]) <= now:
            raise _invalid("exp has passed")
        if "nbf" in claims and _number("nbf", claims["nbf"]) > now + self.ahead:
            raise _invalid("nbf lies in the future")
        return iat


def _only_one(sent: str | None) -> str:
    if not sent:
        raise _invalid("no proof: send it in the field DPoP")
    if len(sent) > MAX_PROOF:
        raise _invalid(f"longer than {MAX_PROOF} bytes")
    if "," in sent:  # servers join two fields
        raise _invalid("more than one proof")
    return sent


def _check_text(name: str, given: object, expected: str) -> None:
    if not isinstance(given, str) or not hmac.compare_digest(given.encode(errors="replace"), expected.encode()):
        raise _invalid(f"{name} isn't that of this request")


def _number(name: str, value: object) -> float:
    # Not turned into a float: 10^400 has none.
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise _invalid(f"{name} isn't a number")
    return value


def _jti(value: object) -> str:
    if not isinstance(value, str) or not 0 < len(value.encode(errors="replace")) <= MAX_JTI:
        raise _invalid(f"jti isn't a text of 1 to {MAX_JTI} bytes")
    return value


def _invalid(reason: str) -> InvalidProof:
    return InvalidProof(reason=f"DPoP: {reason}")


# --- what a developer gives


def _origins(given: str | Iterable[str]) -> tuple[str, ...]:
    origins = (given,) if isinstance(given, str) else tuple(given)
    if not origins:
        raise ConfigurationError('origin is empty: write origin="https://api.example.com"')
    return tuple(_normal_origin(origin) for origin in origins)


def _normal_origin(origin: str) -> str:
    if not isinstance(origin, str):
        raise TypeError(f"origin must be a str or a collection of str, not {origin!r}")
    try:
        normal = normal_uri(origin).rstrip("/")
    except ValueError:
        normal = ""
    if not normal or "?" in origin or "#" in origin:
        raise ConfigurationError(
            f"origin {origin!a} is none: write https://api.example.com, with a path where clients see one in front of "
            "the app's own, and without a query"
        )
    if not normal.startswith("https://") and _LOCAL.fullmatch(normal.partition("://")[2]) is None:
        raise ConfigurationError(f"origin {origin!a} is plain http: DPoP is used together with HTTPS (RFC 9449 §2)")
    return normal

"""One DPoP proof, read and compared with the request that it came with (RFC 9449 §4.3)."""

import hmac
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from flask import Request

from ..errors import InvalidProof
from ..wire.dpop import access_token_hash, key_members, normal_uri, thumbprint
from ..wire.jws import JOSEError, read_json_object, read_jws
from .targets import path_of

if TYPE_CHECKING:
    from ..jose import Key

MAX_PROOF: Final = 4096
"""Longest proof that is read, in bytes."""
MAX_JTI: Final = 256
"""Longest ``jti``, in bytes of UTF-8."""
MAX_KNOWN: Final = 1024
"""Most keys that are remembered by one scheme."""

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
    key: "Key"
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

    ``origins`` are in normal form and without a slash at the end; ``algorithms`` those taken, with their names for the
    engine; ``window`` and ``ahead`` in seconds.
    """

    def __init__(self, origins: tuple[str, ...], algorithms: Mapping[str, str], window: int, ahead: int) -> None:
        # Here and not above: without a DPoP object nobody needs the extra.
        from ..jose import PyJWTEngine, public_key_jwk

        self.origins = origins
        self.algorithms = algorithms
        self.window = window
        self.ahead = ahead
        self._engine = PyJWTEngine()
        self._key_of = public_key_jwk
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
        algorithm = self.algorithms.get(jws.algorithm)
        if algorithm is None:
            raise _invalid(f"alg is none of {', '.join(self.algorithms)}")
        proof = Proof()
        self._read_key(proof, jws.header["jwk"])
        if algorithm not in proof.key.algorithms:
            raise _invalid("alg isn't one for the kind of key in jwk")
        proof.algorithm, proof.signature, proof.signing_input = algorithm, jws.signature, jws.signing_input
        return proof, jws.payload

    def _read_key(self, proof: Proof, jwk: object) -> None:
        if not isinstance(jwk, dict):
            raise _invalid("jwk isn't a key")
        if not _PRIVATE.isdisjoint(jwk):
            raise _invalid("jwk holds a private or a symmetric key")
        try:
            proof.thumbprint = thumbprint(jwk)
            # Of the other members none counts: with them one key would be good or not as the client likes.
            proof.key = self._known.get(proof.thumbprint) or self._key_of(key_members(jwk))
        except ValueError as error:
            raise _invalid(f"jwk: {error}") from None

    def _check_uri(self, htu: object, request: Request) -> None:
        """Compares with what the developer configured, never with Host or a forwarded field."""
        path = path_of(request)
        if not isinstance(htu, str):
            raise _invalid("no htu")
        if any(htu == origin + path for origin in self.origins):
            return
        try:
            sent = normal_uri(htu)
            expected = [normal_uri(origin + path) for origin in self.origins]
        except ValueError:
            raise _invalid("htu, or the target of the request, isn't an http or https URI") from None
        if sent not in expected:
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

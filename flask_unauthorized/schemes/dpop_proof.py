"""One DPoP proof, read and compared with the request that it came with (RFC 9449 §4.3)."""

import hmac
import time
from collections.abc import Mapping
from typing import Any, Final

from flask import Request

from ..errors import InvalidProof
from ..wire.dpop import access_token_hash, normal_uri, thumbprint
from ..wire.jws import CompactJWS, JOSEError, read_json_object, read_jws
from .targets import path_of

MAX_PROOF: Final = 4096
"""Longest proof that is read, in bytes."""
MAX_JTI: Final = 256
"""Longest ``jti``, in bytes of UTF-8."""

_PRIVATE: Final = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})


class Proof:
    """A proof whose form and claims are right for its request; whose key and signature are still to be checked.

    ``iat`` is in seconds since 1970. Its ``repr`` shows nothing and it cannot be pickled.
    """

    __slots__ = ("algorithm", "iat", "jti", "jws", "jwk", "nonce", "thumbprint")
    algorithm: str
    iat: float
    jti: str
    jwk: Mapping[str, Any]
    jws: CompactJWS
    nonce: Any
    thumbprint: str

    def __repr__(self) -> str:
        return "<Proof>"

    def __reduce__(self) -> tuple[object, ...]:
        raise TypeError("a proof is not pickled")


class ProofRules:
    """What a scheme asks of its proofs: ``origins`` in normal form and without a slash at the end, times in seconds."""

    __slots__ = ("ahead", "algorithms", "origins", "window")

    def __init__(self, origins: tuple[str, ...], algorithms: tuple[str, ...], window: int, ahead: int) -> None:
        self.origins = origins
        self.algorithms = algorithms
        self.window = window
        self.ahead = ahead

    def read(self, sent: str | None, token: str, request: Request) -> Proof:
        """The proof in the field ``DPoP``; `InvalidProof` for one that is not good for this request and this token."""
        proof = self._read_header(_only_one(sent))
        try:
            claims = read_json_object(proof.jws.payload)
        except JOSEError as error:
            raise _invalid(f"the payload: {error}") from None
        _check_text("htm", claims.get("htm"), request.environ["REQUEST_METHOD"])
        _check_text("ath", claims.get("ath"), access_token_hash(token))
        self._check_uri(claims.get("htu"), request)
        proof.iat = self._check_times(claims)
        proof.jti = _jti(claims.get("jti"))
        proof.nonce = claims.get("nonce")
        return proof

    def _read_header(self, text: str) -> Proof:
        try:
            jws = read_jws(text)
        except JOSEError as error:
            raise _invalid(str(error)) from None
        header, proof = jws.header, Proof()
        if header.get("typ") != "dpop+jwt":
            raise _invalid("typ isn't dpop+jwt")
        algorithm, jwk = header.get("alg"), header.get("jwk")
        if not isinstance(algorithm, str) or algorithm not in self.algorithms:
            raise _invalid(f"alg is none of {', '.join(self.algorithms)}")
        if not isinstance(jwk, dict):
            raise _invalid("no jwk")
        if not _PRIVATE.isdisjoint(jwk):
            raise _invalid("jwk holds a private or a symmetric key")
        try:
            proof.thumbprint = thumbprint(jwk)
        except ValueError as error:
            raise _invalid(f"jwk: {error}") from None
        proof.algorithm, proof.jwk, proof.jws = algorithm, jwk, jws
        return proof

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

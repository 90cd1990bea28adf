"""One DPoP proof, read and compared with the request that it came with (RFC 9449 §4.3)."""

import hmac
import re
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from flask import Request

from ..errors import ConfigurationError, InvalidProof, shown
from ..jose import Key, PyJWTEngine, public_key_jwk
from ..wire.dpop import access_token_hash, key_members, normal_path, normal_uri, thumbprint
from ..wire.jws import JOSEError, read_json_object, read_jws
from .options import chosen
from .request_target import path_of

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
        self.algorithms = chosen("algorithms", algorithms, ALGORITHMS)
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
        if not _PRIVATE.isdisjoint(jwk):
            raise _invalid(
                f"jwk has {shown(_PRIVATE & jwk.keys())} of a private or symmetric key, expected a public key"
            )
        try:
            proof.thumbprint = thumbprint(jwk)
            # Of the other members none counts: with them one key would be good or not as the client likes.
            proof.key = self._known.get(proof.thumbprint) or public_key_jwk(key_members(jwk))
        except ValueError as error:
            raise _invalid("jwk is no public key: " + str(error).replace("§", "section ")) from None

    def _check_uri(self, htu: object, request: Request) -> None:
        """Compares with what the developer configured, never with Host or a forwarded field."""
        path = path_of(request)
        if not isinstance(htu, str):
            raise _invalid(f"htu is {_shown(htu)}, expected the address of this request")
        if _DOTS.search(path) is not None:  # clients resolve them, and the app may not: two views, one URI
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
            host = "/".join(sent.split("/", 3)[:3])  # not the path, of which nobody knows what it holds
            raise _invalid(
                f"htu is at {shown(host, 70)}, expected {shown(expected, 60)} at {shown(list(self.origins), 76)}: "
                "DPoP(origin=...) says where clients reach the app"
            )

    def _check_times(self, claims: Mapping[str, Any]) -> float:
        now = time.time()
        iat = _number("iat", claims.get("iat"))
        if not now - self.window <= iat <= now + self.ahead:
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


def _only_one(sent: str | None) -> str:
    if not sent:
        raise _invalid("no proof came, expected one in the field DPoP")
    if len(sent) > MAX_PROOF:
        raise _invalid(f"the proof has {len(sent)} bytes, expected at most {MAX_PROOF}")
    if "," in sent:  # servers join two fields
        raise _invalid("the field DPoP holds a comma, expected one proof: a client or a server joined two")
    return sent


def _is_text(given: object, expected: str) -> bool:
    return isinstance(given, str) and hmac.compare_digest(given.encode(errors="replace"), expected.encode())


def _shown(value: object, longest: int = 48) -> str:
    """A member of a proof that is a name: a text itself, of anything else its type."""
    if isinstance(value, str):
        return shown(value, longest)
    return "absent" if value is None else f"of type {type(value).__name__}"


def _number(name: str, value: object) -> float:
    # Not turned into a float: 10^400 has none.
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise _invalid(
            f"{name} is {'absent' if value is None else f'of type {type(value).__name__}'}, expected a number"
        )
    return value


def _jti(value: object) -> str:
    if not isinstance(value, str) or not 0 < len(value.encode(errors="replace")) <= MAX_JTI:
        came = f"a text of {len(value.encode(errors='replace'))} bytes" if isinstance(value, str) else _shown(value)
        raise _invalid(f"jti is {came}, expected a text of 1 to {MAX_JTI} bytes")
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

"""Signatures are verified and made here.

`Engine`, which verifies, is an interface of one method, so that another library can replace PyJWT.
"""

import hmac
from typing import Any, Final, Protocol

from jwt.algorithms import Algorithm, ECAlgorithm, OKPAlgorithm, RSAAlgorithm, RSAPSSAlgorithm

from .algorithms import EDDSA
from .keys import Key

_HASHES: Final[Any] = {"256": "SHA256", "384": "SHA384", "512": "SHA512"}


class Engine(Protocol):
    """Verifies signatures. Implement it to use another library than PyJWT."""

    def verify(self, algorithm: str, key: Key, signing_input: bytes, signature: bytes) -> bool:
        """Return whether a signature is valid.

        Args:
            algorithm: The ``alg`` in the token's header. The key must serve it, or the result is ``False``.
            key: The key that may have signed.
            signing_input: What was signed.
            signature: The signature, which may be malformed in any way; then the result is ``False``.

        Raises:
            Exception: The engine or the key is broken, which is a bug: 500.
        """
        ...


class PyJWTEngine:
    """PyJWT's algorithms over the key objects of ``cryptography``, and HMAC of the standard library.

    Nothing else of PyJWT is used.
    """

    def verify(self, algorithm: str, key: Key, signing_input: bytes, signature: bytes) -> bool:
        """Return whether the signature is valid; ``False`` for an algorithm that the key doesn't serve."""
        if algorithm not in key.algorithms or len(signature) != key.signature_size(algorithm):
            return False
        digest = _HMAC.get(algorithm)
        if digest is not None:
            return hmac.compare_digest(hmac.digest(key.material, signing_input, digest), signature)
        return _ALGORITHMS[algorithm].verify(signing_input, key.material, signature)


def sign(algorithm: str, private_key: Any, signing_input: bytes) -> bytes:
    """Return the signature of a JWS (RFC 7518 §3) by a private key of ``cryptography`` that serves the algorithm."""
    return _ALGORITHMS[algorithm].sign(signing_input, private_key)


def _algorithms() -> dict[str, Algorithm]:
    made: dict[str, Algorithm] = dict.fromkeys(EDDSA, OKPAlgorithm())
    families: tuple[tuple[str, Any], ...] = (("RS", RSAAlgorithm), ("PS", RSAPSSAlgorithm))
    for size, name in _HASHES.items():
        made.update({prefix + size: family(getattr(family, name)) for prefix, family in families})
        made["ES" + size] = ECAlgorithm(getattr(ECAlgorithm, name))
    return made


_ALGORITHMS: Final = _algorithms()
_HMAC: Final = {"HS256": "sha256", "HS384": "sha384", "HS512": "sha512"}

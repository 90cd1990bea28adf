"""Who checks signatures: one method, so that another library can take the place of PyJWT."""

import hmac
from typing import Any, Final, Protocol

from jwt.algorithms import Algorithm, ECAlgorithm, OKPAlgorithm, RSAAlgorithm, RSAPSSAlgorithm

from .algorithms import EDDSA
from .keys import Key

_HASHES: Final[Any] = {"256": "SHA256", "384": "SHA384", "512": "SHA512"}


class Engine(Protocol):
    """Checks signatures."""

    def verify(self, algorithm: str, key: Key, signing_input: bytes, signature: bytes) -> bool:
        """Whether ``signature`` is one of ``signing_input`` by ``key`` and ``algorithm``.

        A signature that is wrong in any way is ``False``. An exception means that the engine or the key is broken, and
        is a 500: a bug is a bug.
        """
        ...


class PyJWTEngine:
    """PyJWT's algorithms over the key objects of ``cryptography``, and HMAC of the standard library.

    Nothing else of PyJWT is used.
    """

    def verify(self, algorithm: str, key: Key, signing_input: bytes, signature: bytes) -> bool:
        """Whether the signature holds; ``False`` for an algorithm that the key doesn't serve."""
        if algorithm not in key.algorithms or len(signature) != key.signature_size(algorithm):
            return False
        digest = _HMAC.get(algorithm)
        if digest is not None:
            return hmac.compare_digest(hmac.digest(key.material, signing_input, digest), signature)
        return _ALGORITHMS[algorithm].verify(signing_input, key.material, signature)


def _algorithms() -> dict[str, Algorithm]:
    made: dict[str, Algorithm] = dict.fromkeys(EDDSA, OKPAlgorithm())
    families: tuple[tuple[str, Any], ...] = (("RS", RSAAlgorithm), ("PS", RSAPSSAlgorithm))
    for size, name in _HASHES.items():
        made.update({prefix + size: family(getattr(family, name)) for prefix, family in families})
        made["ES" + size] = ECAlgorithm(getattr(ECAlgorithm, name))
    return made


_ALGORITHMS: Final = _algorithms()
_HMAC: Final = {"HS256": "sha256", "HS384": "sha384", "HS512": "sha512"}

"""The supported algorithms (RFC 7518 §3.1, RFC 8037 §3.1, RFC 9864 §2.2), by the family of their keys."""

from collections.abc import Iterable
from typing import Final

from ..errors import ConfigurationError

RSA: Final = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")
HMAC: Final = ("HS256", "HS384", "HS512")
CURVES: Final = {"P-256": "ES256", "P-384": "ES384", "P-521": "ES512"}
EC: Final = tuple(CURVES.values())
EDDSA: Final = ("EdDSA", "Ed25519")  # two names of one algorithm, the old one first

ASYMMETRIC: Final = frozenset({*RSA, *EC, *EDDSA})
ALL: Final = ASYMMETRIC | frozenset(HMAC)


def validated_algorithms(names: Iterable[str]) -> frozenset[str]:
    """Return ``names`` as a set. Raises `TypeError` for a bare str, `ConfigurationError` for none or an unknown one."""
    if isinstance(names, (str, bytes)):
        raise TypeError(f"algorithms={names!r} is a bare string: write ({names!r},)")
    algorithms = frozenset(names)
    if not algorithms:
        raise ConfigurationError("algorithms is empty: name those that the issuer signs with, such as ('RS256',)")
    for name in algorithms:
        if name not in ALL:
            raise ConfigurationError(
                f"{name!a} is not an algorithm that is verified: choose among {', '.join(sorted(ALL))}"
            )
    return algorithms

"""Checks of keys that are well-formed and must not be used: too small, too slow to check, or known to be broken."""

from typing import Final

from ..errors import ConfigurationError
from ..wire.jws import JOSEError

MIN_RSA: Final = 2048
MAX_RSA: Final = 4096
"""Fewest and most bits of an RSA modulus. RFC 7518 §3.3 demands the minimum; the maximum bounds what a check costs."""
MAX_EXPONENT: Final = 2**32
"""Highest public exponent: a large one makes a check 60 to 90 times slower."""

_PRIMES: Final = tuple(n for n in range(3, 168) if all(n % d for d in range(2, n)))
# CVE-2017-15361 (ROCA): primes of the broken generator are powers of 65537 modulo each small prime.
_POWERS: Final = {prime: {pow(65537, n, prime) for n in range(prime)} for prime in _PRIMES}
_P: Final = 2**255 - 19
_D: Final = -121665 * pow(121666, -1, _P) % _P


def validated_min_rsa_bits(bits: int) -> int:
    """Return the fewest bits of RSA keys that a developer accepts.

    Raises:
        ConfigurationError: It is out of range.
        TypeError: It is no ``int``.
    """
    if isinstance(bits, bool) or not isinstance(bits, int):
        raise TypeError(f"min_rsa_bits must be a whole number of bits, not {bits!r}")
    if not MIN_RSA <= bits <= MAX_RSA:
        raise ConfigurationError(
            f"min_rsa_bits={bits} is out of range: write {MIN_RSA} to {MAX_RSA}. RFC 7518 §3.3 demands {MIN_RSA}, and "
            f"keys of more than {MAX_RSA} bits are refused"
        )
    return bits


def check_rsa(modulus: int, exponent: int) -> None:
    """Raise `JOSEError` for an RSA key that must not be used."""
    bits = modulus.bit_length()
    if not MIN_RSA <= bits <= MAX_RSA:
        raise JOSEError(f"an RSA key of {bits} bits: {MIN_RSA} to {MAX_RSA} are taken")
    if not 3 <= exponent <= MAX_EXPONENT or exponent % 2 == 0 or modulus % 2 == 0:
        raise JOSEError("an RSA key whose exponent is even, below 3 or above 2^32, or whose modulus is even")
    if all(modulus % prime in powers for prime, powers in _POWERS.items()):
        raise JOSEError("an RSA key of a generator that is broken (CVE-2017-15361, ROCA)")


def check_ed25519(octets: bytes) -> None:
    """Raise `JOSEError` for a point of small order, or one that isn't written in its only way (RFC 8032 §5.1.3)."""
    y = int.from_bytes(octets, "little") & (2**255 - 1)
    # Order 1, 2 and 4 have y = 1, -1 and 0; order 8 is where doubling gives y = 0.
    if y >= _P or y in (0, 1, _P - 1) or (_D * pow(y, 4, _P) + 2 * y * y - 1) % _P == 0:
        raise JOSEError("an Ed25519 key of small order, or not canonical")

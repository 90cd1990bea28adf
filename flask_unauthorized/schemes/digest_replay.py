"""Accept each Digest response once: age, count and uses of a nonce (RFC 7616 §5.5).

`NonceUses.use` is the last step of `Digest.verify`, after the response was found to be right:

1. An expired nonce is refused. Its age comes from the nonce itself: see `nonces`.
2. The nonce count (``nc``) is marked as used in the store. Counts may arrive in any order, because clients send
   requests in parallel. A count that was used, or lies too far behind the highest one, is refused.
3. With ``nonce_uses=`` the store also counts the requests of the nonce.

All refusals are `StaleNonce`, so the challenge says ``stale=true``: the password was right, and the client repeats the
request with the new nonce, without asking its user (§3.3). For the same reason none of this runs before the response
was checked. An attacker who saw a nonce could otherwise use up its counts.

The store forgets a nonce later than any worker would accept it, even if the workers' clocks differ by `MAX_CLOCK_SKEW`.
A nonce that was never used takes no space.
"""

from typing import Final

from ..errors import StaleNonce
from ..errors.codes import with_code
from ..stores.base import Store
from ..wire.rules import MAX_CLOCK_SKEW
from .digest_credentials import DigestCredentials

_COUNTS: Final = "digest"
_COUNT_ZERO: Final = "digest-zero"
_LEGACY_RESPONSES: Final = "digest-legacy"
_USES: Final = "digest-uses"


class NonceUses:
    """The rules by which one `Digest` scheme accepts uses of its nonces.

    Args:
        lifetime: How long a nonce is accepted, in seconds.
        max_uses: How many requests one nonce serves, ``None`` for any number.
    """

    def __init__(self, lifetime: int, max_uses: int | None) -> None:
        self.lifetime = lifetime
        self.max_uses = max_uses
        self.remember_for = lifetime + 2 * MAX_CLOCK_SKEW
        """How long the store remembers a nonce that was used, in seconds."""

    def is_current(self, age: float) -> bool:
        """Return whether a nonce of this age, in seconds, is accepted.

        The age is below zero if the nonce was made by a worker whose clock is ahead.
        """
        return -MAX_CLOCK_SKEW <= age <= self.lifetime

    def use(self, credentials: DigestCredentials, age: float, store: Store) -> bool:
        """Use up the nonce count of credentials whose response is right.

        Args:
            credentials: The credentials.
            age: The age of their nonce, in seconds.
            store: Holds the used counts.

        Returns:
            Whether the client needs a new nonce for its next request.

        Raises:
            StaleNonce: If the nonce has expired, or the count or the nonce was used up before.
        """
        if not -MAX_CLOCK_SKEW <= age <= self.lifetime:  # As `is_current`, without a call more for each request.
            raise _expired(age, self.lifetime)
        nonce = credentials.nonce
        count = int(credentials.nc, 16) if credentials.qop else 0
        if count:
            is_first_use = store.spend(_COUNTS, nonce, count, self.remember_for)
        elif credentials.qop:  # Some clients count from 0, and stores from 1.
            is_first_use = store.claim(_COUNT_ZERO, nonce, self.remember_for)
        else:  # Without qop there is no count, so the response itself may come once only.
            is_first_use = store.claim(_LEGACY_RESPONSES, f"{nonce} {credentials.response}", self.remember_for)
        if not is_first_use:
            what = f"nc {count}" if credentials.qop else "the response, which has no qop,"
            raise with_code(
                StaleNonce(
                    reason=f"Digest: {what} was used before with this nonce, or lies too far behind: each answer "
                    "counts once"
                ),
                "replayed",
            )
        if self.max_uses is None:
            return not credentials.qop
        uses = store.increment(_USES, nonce, self.remember_for)
        if uses > self.max_uses:
            raise StaleNonce(reason=f"Digest: this is use {uses} of the nonce, and nonce_uses={self.max_uses}")
        return uses >= self.max_uses or not credentials.qop


def _expired(age: float, lifetime: int) -> StaleNonce:
    limit = f"nonce_lifetime={lifetime}" if age > 0 else f"workers' clocks may differ by {MAX_CLOCK_SKEW} s"
    return StaleNonce(reason=f"Digest: the nonce has expired: it is {age:.0f} s old, and {limit}")

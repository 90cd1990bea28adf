"""`Outage`: when to ask a server again that doesn't answer, and how often to say so."""

import logging
from typing import Final

from ..errors import AuthUnavailable

log: Final = logging.getLogger("flask_unauthorized")
TELL_EVERY: Final = 60.0
"""At most one warning in this time, in seconds."""


_UNDER_WAY: Final = "a request to it is under way, and no more callers may wait for it"


class Outage:
    """Counts failures in a row. Not locked: its holder does that.

    The first ``free`` of them cost nothing; then the server is left alone for 1, 2, 4 … ``longest`` seconds.
    """

    def __init__(self, who: str, *, longest: float, free: int = 0) -> None:
        self.who = who
        self.failures = 0
        self.text = _UNDER_WAY
        self._longest = longest
        self._free = free
        self._until = float("-inf")
        self._told = float("-inf")
        self._announced = False  # whether the outage that lasts was told

    def failed(self, now: float, text: str, doing: str) -> None:
        """It failed, at ``now`` on the clock of the holder; ``doing`` is what the holder does instead, for the log."""
        self.failures += 1
        self.text = text
        if self.failures > self._free:
            self._until = now + min(self._longest, 2.0 ** min(self.failures - self._free - 1, 32))
        if now - self._told >= TELL_EVERY:
            self._told = now
            self._announced = True
            log.warning("%s: %s; %s", self.who, text, doing)

    def ended(self) -> None:
        """It answers."""
        if self._announced:
            self._announced = False
            log.warning("%s: answers again", self.who)
        self.failures = 0
        self.text = _UNDER_WAY
        self._until = float("-inf")

    def wait(self, now: float) -> float:
        """Seconds until it should be asked again; 0 for now."""
        return max(0.0, self._until - now)

    def unavailable(self, now: float) -> AuthUnavailable:
        """The 503 to raise, which asks the client to come back when we shall have asked again."""
        return AuthUnavailable(reason=f"{self.who}: {self.text}", retry_after=max(1.0, self.wait(now)))

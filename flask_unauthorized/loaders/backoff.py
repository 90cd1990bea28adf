"""`Backoff`: when to ask a server again that failed, and how often to log that.

A server that is down is not asked for each request. The first ``free`` failures in a row have no consequence, then the
server is left alone for 1, 2, 4 … ``longest`` seconds, and callers get 503 with `Retry-After` meanwhile. One success
ends it. The log gets at most one warning in `WARN_EVERY` seconds, and one when the server responds again. Without that,
an outage would write a line for each request.

The object has no lock and no clock: its holder has both, and passes the time.
"""

from typing import Final

from ..errors import AuthUnavailable
from ..logs import log

WARN_EVERY: Final = 60.0
"""At most one warning in this time, in seconds."""
_UNDER_WAY: Final = "a request to it is under way, and no more callers may wait for it"
"""Why there is a 503 although the last request, if any, succeeded."""


class Backoff:
    """Counts the failures in a row of one server, and says when to ask it again.

    Args:
        server: Names the server in the log and in private reasons.
        longest: Longest pause between two attempts, in seconds.
        free: Failures in a row that are followed by no pause.
    """

    def __init__(self, server: str, *, longest: float, free: int = 0) -> None:
        self.server = server
        self.failures = 0
        self._reason = _UNDER_WAY
        self._longest = longest
        self._free = free
        self._paused_until = float("-inf")
        self._warned_at = float("-inf")
        self._has_warned = False  # of the outage that lasts

    def record_failure(self, now: float, text: str, consequence: str) -> None:
        """Count a failure at ``now``, and log it with its ``consequence`` unless that was done a moment ago."""
        self.failures += 1
        self._reason = text
        if self.failures > self._free:
            self._paused_until = now + min(self._longest, 2.0 ** min(self.failures - self._free - 1, 32))
        if now - self._warned_at >= WARN_EVERY:
            self._warned_at = now
            self._has_warned = True
            log.warning("%s: %s; %s", self.server, text, consequence)

    def record_success(self) -> None:
        """End the outage, and log that if its beginning was logged."""
        if self._has_warned:
            self._has_warned = False
            log.warning("%s: responds again", self.server)
        self.failures = 0
        self._reason = _UNDER_WAY
        self._paused_until = float("-inf")

    def wait(self, now: float) -> float:
        """Return the seconds until the server should be asked again; 0 for now."""
        return max(0.0, self._paused_until - now)

    def unavailable(self, now: float) -> AuthUnavailable:
        """Return the 503 to raise, with a `Retry-After` that ends with the pause."""
        return AuthUnavailable(reason=f"{self.server}: {self._reason}", retry_after=max(1.0, self.wait(now)))

"""The warning that credentials came over plain HTTP."""

from collections.abc import Mapping
from typing import Any

from ..logs import log


class PlainHTTPWarning:
    """Logs once per app that credentials came over plain HTTP from another machine (RFC 7617 §4, RFC 6750 §5.2)."""

    __slots__ = ("pending",)

    def __init__(self) -> None:
        self.pending = True

    def check(self, environ: Mapping[str, Any]) -> None:
        """Log the warning, if it is pending and the request didn't come from this machine.

        A peer that the server doesn't name (behind some load balancers) may be any machine.
        """
        if not self.pending or is_from_this_machine(environ):
            return
        self.pending = False
        log.warning(
            "credentials came over plain HTTP: serve HTTPS (behind a proxy, tell Flask with werkzeug's ProxyFix), "
            "and set UNAUTHORIZED_REQUIRE_HTTPS to refuse the rest"
        )


def is_from_this_machine(environ: Mapping[str, Any]) -> bool:
    """Return whether the peer of the connection has a loopback address."""
    peer = str(environ.get("REMOTE_ADDR", ""))
    return peer.removeprefix("::ffff:").startswith("127.") or peer == "::1"

"""`Forwarded`: the original request that a proxy asks about, as the rest of the extension sees it.

It is a module of its own, because every app with a login page loads it, and few apps have an endpoint for proxies.
"""

from collections.abc import Mapping
from typing import Any, Final

FORWARDED: Final = "flask_unauthorized.forwarded"
"""The key of the environ under which the `Forwarded` is found."""


class Forwarded:
    """An original request, and what becomes of it.

    Attributes:
        uri: Path and query of the original request, as the client sent them.
        host: The host that the client asked, with the port if it isn't the default.
        url_scheme: ``http`` or ``https``.
        method: The method.
        takes_all_statuses: Whether the proxy passes on every response to its client, as Caddy and Traefik do. nginx
            makes a 500 of all statuses but 2xx, 401 and 403.
        accepted: Whether the request was judged and may pass.
        login_url: The absolute URL of the login page, for a refused navigation.
    """

    __slots__ = ("accepted", "host", "login_url", "method", "takes_all_statuses", "uri", "url_scheme")

    def __init__(self, uri: str, method: str, host: str, url_scheme: str, *, takes_all_statuses: bool) -> None:
        self.uri: Final = uri
        self.method: Final = method
        self.host: Final = host
        self.url_scheme: Final = url_scheme
        self.takes_all_statuses: Final = takes_all_statuses
        self.accepted = False
        self.login_url: str | None = None

    @property
    def path(self) -> str:
        """The path of the original request, as the client sent it."""
        return self.uri.partition("?")[0]

    @property
    def query(self) -> str:
        """The query of the original request, as the client sent it."""
        return self.uri.partition("?")[2]

    def login_target(self, url: str) -> str | None:
        """Return the absolute URL to which a redirect may lead, on the origin of the original request.

        Args:
            url: The URL of the login page.

        Returns:
            The URL. ``None`` if it lies on another origin, or if it is the page that the client asked for: the proxy
            guards the login page, too, and a redirect would never end.
        """
        origin = f"{self.url_scheme}://{self.host}"
        if url.startswith("/") and not url.startswith("//"):
            url = origin + url
        elif not url.lower().startswith(f"{origin}/".lower()):
            return None
        return None if url[len(origin) :].partition("?")[0] == self.path else url


def forwarded_request(environ: Mapping[str, Any]) -> Forwarded | None:
    """Return the original request that a proxy asks about; ``None`` for all other requests."""
    found: Forwarded | None = environ.get(FORWARDED)
    return found

"""Cross-site requests: which credentials need a look at the sender's site, and how the site is found out.

Browsers add some credentials by themselves: cookies, and passwords for Basic and Digest. A page of another site can
make a browser send them, so they count on unsafe requests only if the request comes from the app's own site (or from
an origin in ``trusted_origins=``). Fetch Metadata decides; a browser that doesn't send it sends ``Origin``. A request
with neither field doesn't come from a browser of this decade.

A scheme with ``cross_site_reads = False`` also refuses other requests of other sites, so that their pages can't load
the app's pictures, scripts and data with the user's credentials. Links to the app go on working: a browser that opens a
page is let through, in a window or a frame. Every other destination is refused, such as ``<object>`` and ``<embed>``.
"""

from typing import Final

from flask import Request

from ..errors import CrossSiteRequest
from ..errors.text import shown
from ..schemes.base import AnyScheme

SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
"""RFC 9110 §9.2.1."""
_PAGE_DESTINATIONS: Final = (None, "document", "iframe", "frame", "fencedframe", "empty")
"""Values of ``Sec-Fetch-Dest`` for a page that is opened. A link with ``download`` has ``empty``."""
# A page that opens a WebSocket sends its own origin (RFC 6455 §10.2); some servers name the scheme of the URL instead.
_ORIGIN_SCHEMES: Final = {"ws": "http", "wss": "https"}


def is_unsafe(request: Request) -> bool:
    """Return whether credentials that the browser adds by itself count only from the own site.

    So it is for unsafe methods (RFC 9110 §9.2.1) and for the handshake of a WebSocket: that is a GET, but a page of
    another site can send and read over what it opens (RFC 6455 §10.2).
    """
    return request.method not in SAFE_METHODS or is_websocket_handshake(request)


def is_websocket_handshake(request: Request) -> bool:
    """Return whether the request opens a WebSocket, or came to a rule that is for WebSockets."""
    if getattr(request.url_rule, "websocket", False):
        return True
    upgrade = request.environ.get("HTTP_UPGRADE")
    return upgrade is not None and "websocket" in (name.strip().lower() for name in upgrade.split(","))


def is_cross_site(request: Request, scheme: AnyScheme) -> bool:
    """Return whether a page of another site sent the request, and none of an origin that ``scheme`` trusts."""
    origin = request.headers.get("Origin")
    if origin is not None and origin.lower() in scheme.trusted_origins:
        return False
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site not in ("same-origin", "none")
    if origin is None:
        return False
    own = _ORIGIN_SCHEMES.get(request.scheme, request.scheme)
    return origin.lower() != f"{own}://{request.host}".lower()


def site_of(request: Request) -> str:
    """Return what a browser said of the page that sent the request, for a reason.

    An app behind a proxy that ends TLS takes its own pages for those of another site until it has a ``ProxyFix``.
    """
    origin, site = request.headers.get("Origin"), request.headers.get("Sec-Fetch-Site")
    said = f"Origin is {shown(origin, 80)} and Sec-Fetch-Site {shown(site, 20)}"
    is_own_page = origin is not None and origin == f"https://{request.headers.get('Host')}"
    if not request.is_secure and (is_own_page or "X-Forwarded-Proto" in request.headers):
        said += " (and the app sees plain HTTP: behind a proxy, tell Flask of HTTPS with werkzeug's ProxyFix)"
    return said


def check_site(request: Request, scheme: AnyScheme) -> None:
    """Refuse credentials that the browser added by itself to an unsafe request, if a page of another site sent it.

    Raises:
        CrossSiteRequest: 403.
    """
    if is_cross_site(request, scheme):
        raise CrossSiteRequest(
            reason=f"the request with {scheme.name} came from another site: {site_of(request)}, expected one of "
            f"{shown(scheme.trusted_origins, 80)} of trusted_origins="
        )


def check_read(request: Request, scheme: AnyScheme) -> None:
    """Refuse a cookie or password that the browser sent for a page of another site.

    Raises:
        CrossSiteRequest: 403.
    """
    if is_cross_site(request, scheme) and not _opens_page(request):
        mode = request.headers.get("Sec-Fetch-Mode")
        raise CrossSiteRequest(
            "A page of another site tried to load this.",
            reason=f"a page of another site loads this with {scheme.name} (Sec-Fetch-Mode {shown(mode, 20)}), and "
            f"cross_site_reads=False: {site_of(request)}, expected one of {shown(scheme.trusted_origins, 80)} of "
            "trusted_origins=",
        )


def _opens_page(request: Request) -> bool:
    headers = request.headers
    return headers.get("Sec-Fetch-Mode") == "navigate" and headers.get("Sec-Fetch-Dest") in _PAGE_DESTINATIONS

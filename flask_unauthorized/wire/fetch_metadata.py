"""Recognize requests of a script in a browser, and requests of a browser that opens a page.

Two decisions depend on it. A script must not be offered a scheme that makes the browser open its password box over the
page, and it needs all challenges on one line. A browser that opens a page is redirected to the login page.

The order of evidence, the most reliable first:

1. Fetch Metadata (``Sec-Fetch-*``, W3C). Browsers set these fields and scripts cannot, so they decide if present.
2. ``HX-Request``, which only htmx sets.
3. ``X-Requested-With: XMLHttpRequest``, which jQuery and other libraries set.

Anything else counts as a program or a page: a needless password prompt is a nuisance, but a program that
isn't offered Basic cannot log in. The result decides what is offered, never whether a request is accepted. So a client
that lies in these fields gains nothing.
"""

from collections.abc import Mapping
from typing import Any, Final

SCRIPT_FIELDS: Final = ("Sec-Fetch-Mode", "Sec-Fetch-Site", "X-Requested-With", "HX-Request")
"""The request fields that `is_script` reads."""
PAGE_FIELDS: Final = ("Sec-Fetch-Dest", "Accept")
"""Further request fields that decide whether a browser opens a page, and is redirected to the login page."""

HTMX_FIELDS: Final = ("HX-Boosted", "HX-History-Restore-Request", "HX-Current-URL")
"""Further request fields of htmx, by which an app leads people from a fragment of a page to its login page."""


def is_script(environ: Mapping[str, Any]) -> bool:
    """Return whether a script in a browser sent the request.

    Node's ``fetch()`` sends a mode without a site. It isn't a browser, so it counts as a program. Android's WebView
    puts the name of its app into ``X-Requested-With``, also for pages, so only the value of the libraries counts.

    Args:
        environ: The WSGI environ.
    """
    mode = environ.get("HTTP_SEC_FETCH_MODE")
    if mode == "navigate":
        return False
    if mode is not None and "HTTP_SEC_FETCH_SITE" in environ:
        return True
    if "HTTP_HX_REQUEST" in environ:
        return True
    return "HTTP_X_REQUESTED_WITH" in environ and environ["HTTP_X_REQUESTED_WITH"].lower() == "xmlhttprequest"

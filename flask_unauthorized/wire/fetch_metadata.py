"""Telling a browser's scripts from its pages."""

from collections.abc import Mapping
from typing import Any, Final

SCRIPT_FIELDS: Final = ("Sec-Fetch-Mode", "Sec-Fetch-Site", "X-Requested-With", "HX-Request")
"""The request fields that `is_script` looks at."""
PAGE_FIELDS: Final = ("Sec-Fetch-Dest", "Accept")
"""What else decides whether a browser opens a page, and is led to the login page."""


def is_script(environ: Mapping[str, Any]) -> bool:
    """Whether a browser's script sent the request: by Fetch Metadata, else by the marks that libraries set.

    Scripts cannot set the fields of Fetch Metadata, so these decide where a browser sends them. Node's fetch sends a
    mode without a site: it is a program, which may well answer a prompt. Android's WebView puts the name of its app
    into ``X-Requested-With``, also when it opens a page, so only the value of the libraries counts.
    """
    mode = environ.get("HTTP_SEC_FETCH_MODE")
    if mode == "navigate":
        return False
    if mode is not None and "HTTP_SEC_FETCH_SITE" in environ:
        return True
    if "HTTP_HX_REQUEST" in environ:
        return True
    return "HTTP_X_REQUESTED_WITH" in environ and environ["HTTP_X_REQUESTED_WITH"].lower() == "xmlhttprequest"

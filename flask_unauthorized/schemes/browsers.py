"""Telling a browser's scripts from its pages."""

from collections.abc import Mapping
from typing import Any, Final

SCRIPT_FIELDS: Final = ("Sec-Fetch-Mode", "Sec-Fetch-Site", "X-Requested-With", "HX-Request")
"""The request fields that `is_script` looks at."""


def is_script(environ: Mapping[str, Any]) -> bool:
    """Whether a browser's script asks: by Fetch Metadata, or by the marks that its libraries set.

    Node's fetch sends a mode without a site: a program, which may well answer a prompt.
    """
    if "HTTP_X_REQUESTED_WITH" in environ or "HTTP_HX_REQUEST" in environ:
        return True
    return "HTTP_SEC_FETCH_SITE" in environ and environ.get("HTTP_SEC_FETCH_MODE", "navigate") != "navigate"

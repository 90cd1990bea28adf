"""The target of a request as the client sent it, with its percent-encoding (RFC 9112 §3.2)."""

import re
from typing import Final
from urllib.parse import quote

from flask import Request

_ABSOLUTE = re.compile(r"\Ahttps?://[^/?#]*", re.IGNORECASE)
PATH_CHARACTERS: Final = "/:@!$&'()*+,;=~"
"""What `urllib.parse.quote` leaves alone in a path, beside letters, digits and ``-._`` (RFC 3986 §3.3)."""


def raw_path(request: Request) -> str:
    """Return the path as it was sent, without the query.

    Most servers pass the target on (``RAW_URI`` or ``REQUEST_URI``). Elsewhere the path is encoded again from the
    decoded one, in which ``%2F`` looks like a slash.

    Returns:
        A path that begins with ``/``. Characters that aren't printable ASCII are percent-encoded.
    """
    environ = request.environ
    raw = environ.get("RAW_URI") or environ.get("REQUEST_URI")
    if not raw:
        decoded = f"{environ.get('SCRIPT_NAME', '')}{environ.get('PATH_INFO', '')}"
        return quote(decoded.encode("latin-1"), safe=PATH_CHARACTERS)
    path = str(_ABSOLUTE.sub("", raw, count=1)).partition("?")[0].partition("#")[0]
    if not path.startswith("/"):
        path = "/" + path  # Without the slash it would extend the host, when an origin is put before it.
    return path if path.isascii() and path.isprintable() else quote(path.encode("latin-1"), safe=PATH_CHARACTERS + "%")

"""The target of a request as the client sent it (RFC 9112 §3.2), escapes and all."""

import re
from urllib.parse import quote

from flask import Request

_ABSOLUTE = re.compile(r"\Ahttps?://[^/?#]*", re.IGNORECASE)
_SAFE = "/:@!$&'()*+,;=~"


def path_of(request: Request) -> str:
    """The path without the query; what is not printable ASCII is escaped.

    Where a server doesn't tell what came, it is made from the decoded path, in which ``%2F`` looks like a slash.
    """
    environ = request.environ
    raw = environ.get("RAW_URI") or environ.get("REQUEST_URI")
    if not raw:
        decoded = f"{environ.get('SCRIPT_NAME', '')}{environ.get('PATH_INFO', '')}"
        return quote(decoded.encode("latin-1"), safe=_SAFE)
    path = str(_ABSOLUTE.sub("", raw, count=1)).partition("?")[0].partition("#")[0]
    if not path.startswith("/"):
        path = "/" + path  # else it would run on from the host that it is put behind
    return path if path.isascii() and path.isprintable() else quote(path.encode("latin-1"), safe=_SAFE + "%")

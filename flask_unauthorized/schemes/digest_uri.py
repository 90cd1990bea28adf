"""Compare the ``uri`` of Digest credentials with the request target (RFC 7616 §3.4.6).

The response is a hash over ``uri``. If it could differ from the target, a recorded request would open other resources.

The comparison is octet for octet if the server passes on the request target as it arrived (``RAW_URI``,
``REQUEST_URI``). Three differences are accepted:

- The client sends an absolute URI of the same host.
- A proxy removed a prefix from the path and named it (``X-Forwarded-Prefix``, which becomes ``SCRIPT_NAME``).
- The server passes on the decoded path only. Path and query are then compared as the app reads them.
"""

import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import parse_qs, quote, unquote_to_bytes

from flask import Request

from ..errors.text import shown
from .request_target import PATH_CHARACTERS

_ABSOLUTE: Final = re.compile(r"http(s?)://([^/?#]*)", re.IGNORECASE)


def is_request_target(uri: str, request: Request) -> bool:
    """Return whether ``uri`` names the target of ``request``."""
    environ = request.environ
    named = _origin_form(uri, request)
    if named is None:
        return False
    raw = environ.get("RAW_URI") or environ.get("REQUEST_URI")
    if not raw:
        return _is_same_decoded(named, environ)
    target = _origin_form(raw, request) or raw
    if named == target:
        return True
    # The target as the client knows it, if a proxy removed a prefix.
    prefix = quote(environ.get("SCRIPT_NAME", "").encode("latin-1"), safe=PATH_CHARACTERS)
    return not target.startswith(prefix + "/") and named == prefix + target


def describe_mismatch(uri: str, request: Request) -> str:
    """Return why ``uri`` isn't the target. Only paths are named, because a query may hold a secret."""
    absolute = _ABSOLUTE.match(uri)
    sent = (uri if absolute is None else uri[absolute.end() :]).partition("?")[0]
    target_path = request.script_root + request.path
    why = "host or query differs" if sent == target_path else f"path is {shown(sent, 80)}"
    return f"uri is not the target of this request: its {why}, expected the target {shown(target_path, 80)} as it came"


def _origin_form(target: str, request: Request) -> str | None:
    """Return path and query of a target, ``None`` if it names another host."""
    absolute = _ABSOLUTE.match(target)
    if absolute is None:
        return target
    port = ":443" if absolute[1] else ":80"
    if absolute[2].lower().removesuffix(port) != request.host.lower().removesuffix(port):
        return None
    rest = target[absolute.end() :]
    return rest if rest.startswith("/") else "/" + rest


def _is_same_decoded(uri: str, environ: Mapping[str, Any]) -> bool:
    """Compare path and query as the app reads them.

    Adapters for serverless platforms get a parsed query and print it again, so that its escapes differ from those that
    the client sent. Octets are compared, not text, because replacement characters would make different values equal.
    """
    path, _, query = uri.partition("?")
    target_path = f"{environ.get('SCRIPT_NAME', '')}{environ.get('PATH_INFO', '')}"
    served_query = environ.get("QUERY_STRING", "")
    return unquote_to_bytes(path.encode("latin-1")) == target_path.encode("latin-1") and (
        query == served_query or _parsed(query) == _parsed(served_query)
    )


def _parsed(query: str) -> dict[str, list[str]]:
    """Return the values of each name. The order of different names is ignored."""
    return parse_qs(query, keep_blank_values=True, encoding="latin-1")

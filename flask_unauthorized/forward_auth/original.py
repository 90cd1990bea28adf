"""The original request: what a client sent to a proxy, as the proxy describes it in the request that asks us.

nginx, Caddy and Traefik send a GET of their own. It has the header fields of the client, and further fields for what
differs: method, URI, host and scheme. This module reads these fields, and makes the environ of the original request:

1. ``X-Original-URI`` or ``X-Forwarded-Uri`` is required, and the method with the same prefix (``X-Original-Method``,
   ``X-Forwarded-Method``). A proxy overwrites the pair that it sends, but passes on what a client writes into the other
   one. So no request passes if the proxy sends the URI alone: a client could name a method then, such as that of a
   preflight, which passes without credentials.
2. If both pairs come, they must agree.
3. ``X-Forwarded-Host`` takes the place of ``Host``, and ``X-Forwarded-Proto`` that of the server's URL scheme.
4. The fields are checked as a server checks a request line. A broken one is refused, because a guess about the original
   request could let it pass.
5. The last address in ``X-Forwarded-For`` is that of the client, as the proxy saw it. Throttles count by it.
6. A WebSocket handshake looks like one again: nginx doesn't pass on ``Upgrade``.
7. Conditions and ranges are about the resource behind the proxy, so they are taken out.

Invariants: path and mount path stay those of the endpoint, so routing, hooks and other WSGI layers see where the
request came to. Only a request of a named proxy gets such an environ (`endpoint`).
"""

import re
from collections.abc import Mapping
from typing import Any, Final

from ..errors.text import shown
from ..proxies import CLIENT, came_with_underscores
from .forwarded import FORWARDED, Forwarded

MAX_URI: Final = 16_384
"""The longest URI of an original request, in characters. Servers limit request lines to 8 or 16 KiB."""
# What RFC 9112 §3.2.1 allows, and octets above ASCII, which old devices send. A fragment is never sent.
_URI: Final = re.compile(r"/[!-\"$-~\x80-\xff]*")
_METHOD: Final = re.compile(r"[A-Z][A-Z0-9_-]{0,31}")  # Werkzeug turns "post" into "POST", other servers don't
_HOST: Final = re.compile(r"(?:[A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?")
_PROTO: Final = re.compile(r"https?|wss?")
_SCHEMES: Final = {"http": "http", "https": "https", "ws": "http", "wss": "https"}  # Traefik names ws and wss
_CONDITIONS: Final = (
    "HTTP_IF_MATCH",
    "HTTP_IF_NONE_MATCH",
    "HTTP_IF_MODIFIED_SINCE",
    "HTTP_IF_UNMODIFIED_SINCE",
    "HTTP_IF_RANGE",
    "HTTP_RANGE",
)
_NOT_ORIGINAL: Final = frozenset({*_CONDITIONS, "HTTP_CONNECTION"})
"""What is left out. With ``Connection: upgrade``, Werkzeug would look for a WebSocket rule at the endpoint's path."""


class BrokenForwarding(Exception):
    """The fields of a proxy don't describe a request. The text says which field, for the log."""


def read_original(environ: Mapping[str, Any]) -> Forwarded:
    """Return the original request that the fields of a named proxy describe.

    Raises:
        BrokenForwarding: If they don't describe one.
    """
    original = _field(environ, "X-Original-URI", _URI, MAX_URI), _field(environ, "X-Original-Method", _METHOD, 32)
    forwarded = _field(environ, "X-Forwarded-Uri", _URI, MAX_URI), _field(environ, "X-Forwarded-Method", _METHOD, 32)
    for kind, one, other in zip(("URI", "method"), original, forwarded, strict=True):
        if one is not None and other is not None and one != other:
            raise BrokenForwarding(
                f"X-Original-* and X-Forwarded-* name two {kind}s: a client has sent one of them, or the proxy is "
                "configured for both"
            )
    uri, method = forwarded if original[0] is None else original
    if uri is None:
        raise BrokenForwarding(
            "neither X-Original-URI nor X-Forwarded-Uri came: let the proxy send one, as docs/guides/forward-auth.md "
            "shows"
        )
    if method is None:
        raise BrokenForwarding(
            f"{'X-Forwarded' if original[0] is None else 'X-Original'}-Method didn't come with the URI: let the proxy "
            "send it, as docs/guides/forward-auth.md shows, or a client could choose it"
        )
    host = _field(environ, "X-Forwarded-Host", _HOST, 300) or _field(environ, "Host", _HOST, 300)
    if host is None:
        raise BrokenForwarding("neither X-Forwarded-Host nor Host came")
    proto = _field(environ, "X-Forwarded-Proto", _PROTO, 5) or environ.get("wsgi.url_scheme", "http")
    takes_all_statuses = original[0] is None
    return Forwarded(uri, method, host, _SCHEMES[proto], takes_all_statuses=takes_all_statuses)


def _field(environ: Mapping[str, Any], name: str, form: re.Pattern[str], longest: int) -> str | None:
    """Return the value of a field, ``None`` if it is missing or empty."""
    value: str | None = environ.get(f"HTTP_{name.upper().replace('-', '_')}")
    if not value:
        return None
    if came_with_underscores(environ, name):
        raise BrokenForwarding(f"{name} came with underscores for dashes: let the proxy remove that spelling, too")
    if len(value) > longest:
        raise BrokenForwarding(f"{name} has {len(value)} characters, expected at most {longest}")
    if form.fullmatch(value) is None:
        # The query may hold a secret.
        raise BrokenForwarding(f"{name} is {shown(value.partition('?')[0], 80)}, which can't be the one of a request")
    return value


def original_environ(environ: Mapping[str, Any], forwarded: Forwarded) -> dict[str, Any]:
    """Return the environ of the original request, at the path of the endpoint."""
    made = {name: value for name, value in environ.items() if name not in _NOT_ORIGINAL}
    made.update(
        {
            "REQUEST_METHOD": forwarded.method,
            "QUERY_STRING": forwarded.query,
            "RAW_URI": forwarded.uri,
            "REQUEST_URI": forwarded.uri,
            "HTTP_HOST": forwarded.host,
            "wsgi.url_scheme": forwarded.url_scheme,
            FORWARDED: forwarded,
            # Without the field all clients have the address of the proxy, and a throttle says so.
            CLIENT: environ.get("HTTP_X_FORWARDED_FOR", "").rpartition(",")[2].strip(" \t"),
        }
    )
    if "HTTP_SEC_WEBSOCKET_VERSION" in environ or "HTTP_SEC_WEBSOCKET_KEY" in environ:
        made["HTTP_UPGRADE"] = "websocket"
    return made

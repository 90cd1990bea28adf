"""Ready responses: a refusal that is the same for the next request is constructed once, and copied from then on.

Constructing a response costs as much as everything else that a refusal needs, mostly because Werkzeug checks each field
of the header. A copy has the attributes of the constructed one. What code may change in place, each copy has for
itself: the list of fields, the body, and the functions to call at the end. If a class of responses does anything of its
own, or Werkzeug notes more in a response than is known here, then responses aren't kept.
"""

import sys
from types import FunctionType
from typing import Final

from flask import Response
from werkzeug.datastructures import Headers

from ..policy.challenges import CachedResponse, HeaderLines

_ATTRIBUTES: Final = {"_status", "_status_code", "direct_passthrough", "headers", "response", "_on_close"}
"""All that Werkzeug notes in a response."""


def ready_response(response: Response, lines: HeaderLines, body: bytes) -> CachedResponse | None:
    """Return what `copy_of` needs, ``None`` if the response must be constructed each time.

    Args:
        response: The response to a refusal, just constructed.
        lines: Its header lines.
        body: Its body.
    """
    kind = type(response)
    attributes = vars(response)
    if not _is_plain(kind) or attributes.keys() != _ATTRIBUTES or response.direct_passthrough:
        return None
    if type(response.headers) is not Headers or vars(response.headers) != {"_list": lines}:
        return None
    return CachedResponse(kind, response.status, response.status_code, lines, body)


def copy_of(ready: CachedResponse) -> Response:
    """Return a response that is equal to the one that was kept."""
    # Attribute by attribute: that costs less than to touch the dicts of the objects, here and whenever one is read.
    headers = Headers.__new__(Headers)
    headers._list = ready.lines.copy()
    response = ready.kind.__new__(ready.kind)
    response._status = ready.status
    response._status_code = ready.status_code
    response.direct_passthrough = False
    response.headers = headers
    response.response = [ready.body]
    response._on_close = []
    return response


def is_still(response: Response, ready: CachedResponse) -> bool:
    """Return whether a response has the status and the header lines of the one that was kept."""
    headers = response.headers
    return response._status_code == ready.status_code and type(headers) is Headers and headers._list == ready.lines


def _is_plain(kind: type[Response]) -> bool:
    """Return whether Werkzeug's own code, and nothing else, constructs the responses of a class.

    A monitoring tool may wrap a method on Werkzeug's own class. `functools.wraps` can't make a wrapper look like it.
    """
    constructor = kind.__init__
    return (
        isinstance(constructor, FunctionType)
        and constructor.__globals__ is vars(sys.modules["werkzeug.wrappers.response"])
        and kind.__new__ is object.__new__
        and kind.__setattr__ is object.__setattr__
        and kind.set_data is Response.set_data
    )

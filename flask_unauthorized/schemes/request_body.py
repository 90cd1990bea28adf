"""Read a request's body before the view does, and leave it readable for the view.

Digest with ``qop=auth-int`` hashes the body as it was sent (RFC 7616 §3.4.3). The view then wants the same octets from
``request.data``, ``request.form``, ``request.files`` or ``request.stream``.

1. A declared length above the limit is refused before anything is read.
2. If Werkzeug has cached the body (``request.get_data()``), the copy is used, provided that it is the whole body.
3. If other code has read from the stream without keeping a copy, the body is lost and `read_body` returns ``None``.
4. Else the body is read, up to the limit. ``request.stream`` and ``wsgi.input`` are replaced by a copy of it.

Why it isn't simpler: ``request.get_data()`` alone would do for most requests. But it returns an empty body if the form
was parsed before, it doesn't tell a truncated body from a whole one, and servers differ in how they tell the length of
a chunked body and where it ends. The code reads attributes that Werkzeug sets on the request (``_cached_data``,
``stream``), because no public method tells whether other code has read from the stream.
"""

import io
from typing import Any, Final

from flask import Request
from werkzeug.exceptions import RequestEntityTooLarge

from ..errors import MalformedCredentials
from .state_access import BodyNotRead, may_read_body

_HTTP_1: Final = ("HTTP/1.1", "HTTP/1.0")


def read_body(request: Request, limit: int) -> bytes | None:
    """Return the body as it was sent, ``None`` if it has been read and not cached.

    Args:
        request: The request, whose body the view can still read afterwards.
        limit: Longest body, in bytes. The app's ``MAX_CONTENT_LENGTH`` applies as well.

    Raises:
        RequestEntityTooLarge: If the body is longer.
        MalformedCredentials: If the body is shorter than declared, or can't be read.
        BodyNotRead: If it must not be read now.
    """
    length = _length(request)
    if length is not None and length > limit:
        raise RequestEntityTooLarge
    cached = vars(request).get("_cached_data")
    if cached is not None:
        return bytes(cached) if _is_whole(cached, length) else None
    if length != 0 and not may_read_body(request):
        raise BodyNotRead
    if length is None and _may_have_been_read(request):
        return None
    stream_existed = "stream" in vars(request)
    body = _read(request, limit, length)
    if length is not None and len(body) != length:
        if stream_existed:
            return None
        reason = (
            f"Digest: the body has {len(body)} bytes, and Content-Length is {length}: qop=auth-int covers the whole"
        )
        raise MalformedCredentials("The body is incomplete.", reason=reason)
    request.environ["wsgi.input"] = io.BytesIO(body)
    vars(request)["stream"] = io.BytesIO(body)
    return body


def is_body_consumed(request: Request) -> bool:
    """Return whether `read_body` may find the body lost. Reads nothing."""
    length = _length(request)
    cached = vars(request).get("_cached_data")
    if length == 0:
        return False
    return not _is_whole(cached, length) if cached is not None else _may_have_been_read(request)


def _length(request: Request) -> int | None:
    """Return the length of the body in bytes, ``None`` if only its end will tell."""
    environ = request.environ
    length = request.content_length if environ.get("CONTENT_LENGTH") else None  # It may be empty (PEP 3333).
    if length is not None or environ.get("HTTP_TRANSFER_ENCODING") or environ.get("SERVER_PROTOCOL") not in _HTTP_1:
        return length
    # No length is declared, so there is no body (RFC 9112 §6.3). But a server that marks the end of the input itself
    # may have removed the field that declared it.
    return None if environ.get("wsgi.input_terminated") and request.method not in ("GET", "HEAD") else 0


def _is_whole(cached: bytes, length: int | None) -> bool:
    """Return whether Werkzeug's copy is the body.

    It is empty if ``request.data`` was read after the form was parsed.
    """
    return len(cached) == length if length is not None else bool(cached)


def _may_have_been_read(request: Request) -> bool:
    """Return whether the stream was read from. One that doesn't tell its position counts as read."""
    stream: Any = vars(request).get("stream")
    if stream is None:
        return False
    try:
        return bool(stream.tell() != 0)
    except (AttributeError, OSError, ValueError):  # io.UnsupportedOperation is both of the latter.
        return True


def _read(request: Request, limit: int, length: int | None) -> bytes:
    """Read the body. Raises `RequestEntityTooLarge` beyond ``limit`` bytes."""
    body = bytearray()
    try:
        stream = request.stream
        # A stream may return less than asked for. Werkzeug's takes a read beyond its maximum for a body beyond it.
        while len(body) <= limit and len(body) != length and not getattr(stream, "is_exhausted", False):
            chunk = stream.read(limit + 1 - len(body))
            if not chunk:
                break
            body += chunk
        # Werkzeug reads up to its maximum and doesn't tell whether the body ends there.
        has_more = length is None and getattr(stream, "is_exhausted", False) and request.environ["wsgi.input"].read(1)
    except RequestEntityTooLarge:
        raise
    except Exception as broken:  # PEP 3333 names no exceptions for wsgi.input
        # Servers raise OSError, ValueError, and types of their own.
        reason = f"Digest: reading the body raised {type(broken).__name__}, and qop=auth-int covers the whole"
        raise MalformedCredentials("The body could not be read.", reason=reason) from None
    if len(body) > limit or has_more:
        raise RequestEntityTooLarge
    return bytes(body)

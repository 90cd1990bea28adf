"""Reading a body before the view does, so that the view can still read it in any way."""

import io
from typing import Any, Final

from flask import Request
from werkzeug.exceptions import RequestEntityTooLarge

from ..errors import MalformedCredentials

_HTTP_1: Final = ("HTTP/1.1", "HTTP/1.0")


def raw_body(request: Request, limit: int) -> bytes | None:
    """The body as it came, or ``None`` where the app has read it already and Werkzeug has no copy of it.

    Raises `RequestEntityTooLarge` where it is longer than ``limit`` or the app's ``MAX_CONTENT_LENGTH``, and
    `MalformedCredentials` where it can't be read.
    """
    length = _length(request)
    if length is not None and length > limit:
        raise RequestEntityTooLarge
    kept = vars(request).get("_cached_data")
    if kept is not None:
        return bytes(kept) if _is_whole(kept, length) else None
    if length is None and _was_begun(request):
        return None
    read_before = "stream" in vars(request)
    body = _read(request, limit, length)
    if length is not None and len(body) != length:
        if read_before:
            return None
        reason = (
            f"Digest: the body has {len(body)} bytes, and Content-Length is {length}: qop=auth-int covers the whole"
        )
        raise MalformedCredentials("The body is incomplete.", reason=reason)
    request.environ["wsgi.input"] = io.BytesIO(body)
    vars(request)["stream"] = io.BytesIO(body)
    return body


def body_is_gone(request: Request) -> bool:
    """Whether `raw_body` may find that the app has read the body already. Reads nothing."""
    length = _length(request)
    kept = vars(request).get("_cached_data")
    if length == 0:
        return False
    return not _is_whole(kept, length) if kept is not None else _was_begun(request)


def _length(request: Request) -> int | None:
    """How long the body is, in bytes; ``None`` where only its end will tell."""
    environ = request.environ
    length = request.content_length if environ.get("CONTENT_LENGTH") else None  # may be empty (PEP 3333)
    if length is not None or environ.get("HTTP_TRANSFER_ENCODING") or environ.get("SERVER_PROTOCOL") not in _HTTP_1:
        return length
    # Nothing is declared, so there is no body (RFC 9112 §6.3). A server that says that it ends the input by itself may
    # have taken the declaration away.
    return None if environ.get("wsgi.input_terminated") and request.method not in ("GET", "HEAD") else 0


def _is_whole(kept: bytes, length: int | None) -> bool:
    """Whether Werkzeug's copy is the body. It is empty where ``request.data`` was read after the form was parsed."""
    return len(kept) == length if length is not None else bool(kept)


def _was_begun(request: Request) -> bool:
    """Whether somebody may have read from the stream. Where it doesn't tell, somebody who took it has read it."""
    stream: Any = vars(request).get("stream")
    if stream is None:
        return False
    try:
        return bool(stream.tell() != 0)
    except (AttributeError, OSError, ValueError):  # io.UnsupportedOperation is both of the latter
        return True


def _read(request: Request, limit: int, length: int | None) -> bytes:
    """At most ``limit`` bytes."""
    body = bytearray()
    try:
        stream = request.stream
        # A stream may give less than asked for, and Werkzeug's takes a read beyond its maximum for a body beyond it.
        while len(body) <= limit and len(body) != length and not getattr(stream, "is_exhausted", False):
            part = stream.read(limit + 1 - len(body))
            if not part:
                break
            body += part
        # Werkzeug reads up to its maximum and doesn't tell whether the body ends there.
        cut = length is None and getattr(stream, "is_exhausted", False) and request.environ["wsgi.input"].read(1)
    except RequestEntityTooLarge:
        raise
    except Exception as broken:
        # PEP 3333 names no exceptions of wsgi.input: servers raise OSError, ValueError, and types of their own.
        reason = f"Digest: reading the body raised {type(broken).__name__}, and qop=auth-int covers the whole"
        raise MalformedCredentials("The body could not be read.", reason=reason) from None
    if len(body) > limit or cut:
        raise RequestEntityTooLarge
    return bytes(body)

"""Responses of test clients, HTTP libraries and WSGI apps as exchanges, by what they have in common.

Werkzeug, httpx, requests, urllib3, Django, Starlette and aiohttp name the same things differently. None is imported
here: their objects are read by the names of their attributes.
"""

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote, urlsplit

from .exchange import Exchange, Fields, make_exchange

SAFE_IN_PATH: Final = "/:@!$&'()*+,;=~-._"
"""What a path may hold without an escape, besides letters and digits (RFC 3986 §3.3)."""


def exchange_of(response: Any, request: Any = None) -> Exchange:
    """Return the exchange of a response of any client.

    Args:
        response: The response. Its request is read as well if it has one.
        request: The request, if the response doesn't know it.

    Raises:
        TypeError: If it has no status or no headers.
    """
    status = getattr(response, "status_code", None)
    status = getattr(response, "status", None) if status is None else status
    headers = getattr(response, "headers", None)
    if not isinstance(status, int) or headers is None:
        raise TypeError(f"a response has status_code or status, and headers: {type(response).__name__} has not")
    request = _request_of(response) if request is None else request
    if isinstance(request, dict):  # from Django
        return exchange_of_environ(request, status, pairs_of(headers), _body_of(response))
    method, url, sent = _read_request(request)
    parts = urlsplit(url)
    return make_exchange(
        status,
        pairs_of(headers),
        _body_of(response),
        method=method,
        path=parts.path or "/",
        query=parts.query,
        request_fields=sent,
    )


def exchange_of_environ(
    environ: Mapping[str, Any], status: int | str, headers: Fields, body: bytes | None = None
) -> Exchange:
    """Return the exchange of a request that a WSGI environ describes."""
    sent = [
        (name[5:].replace("_", "-"), value)
        for name, value in environ.items()
        if name.startswith("HTTP_") and isinstance(value, str)
    ]
    path = environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")
    return make_exchange(
        status,
        headers,
        body,
        method=environ.get("REQUEST_METHOD", "GET"),
        path=quote(path, safe=SAFE_IN_PATH, encoding="latin-1", errors="replace"),
        query=environ.get("QUERY_STRING", ""),
        request_fields=sent,
    )


def pairs_of(headers: Any) -> list[tuple[Any, Any]]:
    """Return the pairs of any mapping of headers, with repeated names where the mapping has them."""
    items = getattr(headers, "multi_items", None) or headers.items
    return list(items())


def _request_of(response: Any) -> Any:
    try:
        return getattr(response, "request", None)
    except RuntimeError:  # from httpx, for a response that was made by hand
        return None


def _read_request(request: Any) -> tuple[str, str, list[tuple[Any, Any]] | None]:
    """Return method, URL and fields of a request. Some clients keep none."""
    method, headers = getattr(request, "method", None), getattr(request, "headers", None)
    if not isinstance(method, str) or headers is None:
        return "GET", "/", None
    return method, str(getattr(request, "url", "/")), pairs_of(headers)


def _body_of(response: Any) -> bytes | None:
    """Return the body if it is there already or can be read again; a stream stays untouched."""
    if getattr(response, "streaming", False) or getattr(response, "is_stream_consumed", None) is False:
        return None
    read = getattr(response, "get_data", None)
    if callable(read):
        body = read()
    else:
        body = next((getattr(response, name) for name in ("content", "data") if hasattr(response, name)), None)
    return body if isinstance(body, bytes) else None

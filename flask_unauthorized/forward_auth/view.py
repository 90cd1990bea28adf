"""The view behind an endpoint for proxies: it runs when the original request may pass."""

from collections.abc import Callable

from flask import Response, current_app, request

from ..errors import Forbidden
from ..identity import Identity
from .caller_headers import CallerHeaders, header_lines
from .forwarded import forwarded_request


def forward_auth_view(headers: CallerHeaders, get_identity: Callable[[], Identity | None]) -> Callable[..., Response]:
    """Return a view that tells the proxy who is calling.

    Args:
        headers: The fields that name the caller.
        get_identity: Returns the caller of the current request.
    """

    def forward_auth(**_: str) -> Response:
        forwarded = forwarded_request(request.environ)
        if forwarded is None:
            raise Forbidden(
                reason="the request reached the endpoint of forward_auth() past its WSGI layer: call app.wsgi_app, and "
                "put no other WSGI application into its place"
            )
        response = current_app.response_class(status=204)
        for name, value in header_lines(headers, get_identity()):
            response.headers[name] = value
        response.headers["Cache-Control"] = "no-store"
        forwarded.accepted = True
        return response

    return forward_auth

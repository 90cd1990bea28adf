"""WSGI layers around an app: where they stand, whatever other layers the app has."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication


def add_layer(app: Flask, layer: "Callable[[WSGIApplication], WSGIApplication]") -> None:
    """Put a layer around the ``wsgi_app`` of an app, inside of every `ProxyFix` that stands around it.

    `ProxyFix` restores the host that the client asked for, so it comes first.

    Args:
        app: The app.
        layer: Gets the WSGI application that the app has, returns the one that takes its place.
    """
    outer: Any = app.wsgi_app
    if not isinstance(outer, ProxyFix):
        app.wsgi_app = layer(outer)  # type: ignore[assignment, method-assign]  # Flask's own idiom
        return
    while isinstance(outer.app, ProxyFix):
        outer = outer.app
    outer.app = layer(outer.app)

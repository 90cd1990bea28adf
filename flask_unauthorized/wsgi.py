"""WSGI layers around an app: where they stand, whatever other layers the app has, and the paths that they serve."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix

from .errors import ConfigurationError

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


def validated_path(function: str, path: str, example: str, argument: str) -> str:
    """Return the path of an endpoint that a layer serves.

    Args:
        function: The name of the function that the developer called, for the message.
        path: What the developer passed.
        example: A path that the message proposes.
        argument: A further argument that the message shows.

    Raises:
        ConfigurationError: If it isn't a fixed path.
        TypeError: If it isn't a ``str``.
    """
    if not isinstance(path, str):
        raise TypeError(f'{function} takes the path of the endpoint, not {path!r}: {function}("{example}", {argument})')
    if not path.startswith("/") or "//" in path or not path.isascii() or any(one in path for one in "<>?#% \\"):
        raise ConfigurationError(
            f'{function} takes a fixed path without variables, not {path!r}: write such as "{example}"'
        )
    return path

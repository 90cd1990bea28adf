"""`AuthPlugin`: documents that apispec makes say what the app demands."""

from typing import Any, Protocol

from flask import Flask

try:
    from apispec import APISpec, BasePlugin
except ImportError as missing:
    raise ImportError("AuthPlugin needs apispec: pip install apispec") from missing


class Describes(Protocol):
    """What the plugin needs of an `Auth`, which stands in a higher layer."""

    def openapi(self, document: dict[str, Any], *, app: Flask | None = None, prefix: str = "") -> dict[str, Any]:
        """Return the document with what the app demands; see `Auth.openapi`."""
        ...


class AuthPlugin(BasePlugin):
    """A plugin of apispec that says what the app demands.

    It is also for libraries that use apispec, such as flask-smorest. `Auth.openapi` completes the document each time
    that ``spec.to_dict()`` or ``spec.to_yaml()`` is called. So the document knows routes and guards that were added
    after the plugin. What stands in the document by then stays as it is.

    Args:
        auth: The `Auth` of the app.
        app: The app that the document describes. Default: the current app, or the only app of ``auth``.
        prefix: The path that the rules of the app have before the paths of the document, as in `Auth.openapi`.

    Raises:
        TypeError: If ``auth`` isn't an `Auth`, ``app`` isn't a Flask app or ``prefix`` isn't a path.

    Example:
        Give it to apispec, or to flask-smorest::

            from apispec import APISpec
            from flask_unauthorized.openapi import AuthPlugin

            spec = APISpec("Notes", "1", "3.1.0", plugins=[AuthPlugin(auth, app)])
            # flask-smorest: Api(app, spec_kwargs={"extra_plugins": [AuthPlugin(auth)]})
    """

    def __init__(self, auth: Describes, app: Flask | None = None, *, prefix: str = "") -> None:
        if not callable(getattr(auth, "openapi", None)):
            raise TypeError(f"AuthPlugin takes an Auth, not {auth!r}: write AuthPlugin(auth)")
        if app is not None and not isinstance(app, Flask):
            raise TypeError(f"AuthPlugin takes a Flask app, not {app!r}: write AuthPlugin(auth, app)")
        if not isinstance(prefix, str) or (prefix and not prefix.startswith("/")):
            raise TypeError(f'prefix must be a path that begins with a slash, such as "/api", not {prefix!r}')
        self._auth = auth
        self._app = app
        self._prefix = prefix

    def init_spec(self, spec: APISpec) -> None:
        """Complete each document that a spec makes from now on. apispec calls it.

        apispec's helpers for single operations run when a path is added. Guards may follow later, so they'd be too
        early.
        """
        to_dict = spec.to_dict

        def to_complete_dict() -> dict[str, Any]:
            return self._auth.openapi(to_dict(), app=self._app, prefix=self._prefix)

        spec.to_dict = to_complete_dict  # type: ignore[method-assign]  # of this object alone

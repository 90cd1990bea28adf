"""`describe`: a document gets what it lacks about the guards of the app."""

from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Final

from flask import Flask, Request, current_app, has_request_context

from ..policy.routes import Route
from ..policy.settings import read_settings
from ..runtime.app_state import AppState
from ..runtime.flask_compat import request_context
from .document import Document, Operation, own_part
from .matching import Matcher
from .refusals import Refusal, Refusals, headers_of
from .security import SecuritySchemes


def describe(given: dict[str, Any], state: AppState, prefix: str = "", *, by_names: bool = True) -> dict[str, Any]:
    """Return a copy of a document with security schemes, ``security`` and refusals; see `Auth.openapi`.

    Args:
        given: The document.
        state: The state of the app.
        prefix: The path that the rules have before the paths of the document.
        by_names: Whether routes whose parameters have the names of a path count before others of its form.

    Raises:
        ConfigurationError: If the document can't be read, or if it has another security scheme of the same name.
        TypeError: If an argument has the wrong type.
    """
    if not isinstance(prefix, str) or (prefix and not prefix.startswith("/")):
        raise TypeError(f'prefix must be a path that begins with a slash, such as "/api", not {prefix!r}')
    document = Document(given)
    app = state.app
    matcher = matcher_of(document, app, state.routes(), prefix, by_names=by_names)
    settings = read_settings(app.config)
    schemes = SecuritySchemes(state.schemes, app, document)
    with _request_context(app):
        refusals = Refusals(app, state.configuration, settings, state.realm_by(settings), _empty_request(app))
        for operation in document.operations():
            routes = matcher.find(operation.path, operation.method)
            if routes:
                _Writer(document, schemes, refusals).write(operation, routes)
    return document.content


def matcher_of(
    document: Document, app: Flask, routes: Iterable[Route], prefix: str = "", *, by_names: bool = True
) -> Matcher:
    """Return what finds the routes of a document's operations."""
    root = app.config.get("APPLICATION_ROOT") or "/"
    return Matcher(routes, root=root, bases=document.base_paths(), prefix=prefix, by_names=by_names)


def _request_context(app: Flask) -> AbstractContextManager[Any]:
    """Return the context that schemes need to make challenges.

    In a request it is the current one. At the end of another one the app's teardown functions would run.
    """
    current: Any = current_app
    if has_request_context() and current._get_current_object() is app:
        return nullcontext()
    return request_context(app)


def _empty_request(app: Flask) -> Request:
    """Return a request for schemes whose challenges look at one."""
    from werkzeug.test import create_environ

    return app.request_class(create_environ())


_LEFT_ALONE: Final = ("open", "unknown")
"""States of routes whose ``security`` isn't written: the app doesn't say that they are open on purpose."""


class _Writer:
    """Writes one operation."""

    def __init__(self, document: Document, schemes: SecuritySchemes, refusals: Refusals) -> None:
        self._document = document
        self._schemes = schemes
        self._refusals = refusals

    def write(self, operation: Operation, routes: tuple[Route, ...]) -> None:
        if "security" not in operation.content and not any(route.state in _LEFT_ALONE for route in routes):
            self._write_security(operation.content, routes)
        refusals = self._refusals.of_routes(routes, operation.method)
        if refusals:
            self._write_refusals(operation.responses(), refusals)

    def _write_refusals(self, responses: dict[Any, Any], refusals: Iterable[Refusal]) -> None:
        # JSON with sorted keys, as Flask writes it, can't have numbers and texts as keys of one object.
        all_numbers = bool(responses) and all(isinstance(key, int) for key in responses)
        for refusal in refusals:
            known = next((key for key in responses if str(key) == str(refusal.status)), None)
            if known is None:
                status = refusal.status if all_numbers else str(refusal.status)
                responses[status] = self._refusals.write(self._document, refusal)
            elif isinstance(responses[known], dict):
                headers = headers_of(refusal, is_swagger=self._document.version.is_swagger)
                _add_headers(own_part(responses, known), headers)

    def _write_security(self, content: dict[str, Any], routes: tuple[Route, ...]) -> None:
        security = self._schemes.of_routes(routes)
        if security is None:
            return
        content["security"] = security
        for route in routes:
            self._schemes.declare(self._document, route.schemes)
            for name, value in self._schemes.extensions(route):
                content.setdefault(name, value)


def _add_headers(response: dict[str, Any], headers: dict[str, Any]) -> None:
    """Add the headers that a response of the document's author lacks. A reference stays."""
    if "$ref" in response or not headers:
        return
    known = response.get("headers")
    if known is not None and not isinstance(known, dict):
        return
    names = {str(name).lower() for name in known or {}}
    missing = {name: header for name, header in headers.items() if name.lower() not in names}
    if missing:
        response["headers"] = {**(known or {}), **missing}

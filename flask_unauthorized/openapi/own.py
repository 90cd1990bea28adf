"""A document of the app's own, for apps without a library that writes one: paths, parameters, demands and refusals."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from flask import Flask
from werkzeug.routing import BaseConverter, FloatConverter, IntegerConverter, PathConverter, UUIDConverter
from werkzeug.routing.converters import AnyConverter, UnicodeConverter
from werkzeug.routing.rules import parse_converter_args

from ..policy.routes import Route
from ..runtime.app_state import AppState
from .describe import describe
from .matching import path_of, variables_of
from .versions import METHODS, Version, version_of

_PATCHES: Final[Mapping[str, str]] = {"2.0": "2.0", "3.0": "3.0.4", "3.1": "3.1.1", "3.2": "3.2.0"}
"""What a document of each version says of itself."""
_ANY_METHOD: Final = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE"})


def make_document(state: AppState, version: str = "3.1", title: str | None = None) -> dict[str, Any]:
    """Return a document of an app: its paths with their parameters, what they demand, and their refusals.

    Args:
        state: The state of the app.
        version: The version of OpenAPI: ``"2.0"``, ``"3.0"``, ``"3.1"`` or ``"3.2"``.
        title: The title. Default: the name of the app.

    Raises:
        ConfigurationError: If the version isn't known, or the set-up of the app has a mistake.
    """
    app = state.app
    parsed = version_of(version)
    document: dict[str, Any] = {"swagger" if parsed.is_swagger else "openapi": _PATCHES[version]}
    document["info"] = {"title": app.name if title is None else title, "version": "1"}
    root = (app.config.get("APPLICATION_ROOT") or "/").rstrip("/")
    if root:
        document.update({"basePath": root} if parsed.is_swagger else {"servers": [{"url": root}]})
    document["paths"] = _paths(app, state.routes(), parsed)
    return describe(document, state, by_names=False)  # one path stands for all rules of its form


def _paths(app: Flask, routes: tuple[Route, ...], version: Version) -> dict[str, Any]:
    """Return the paths. Rules that differ only in names, converters or hosts are one path."""
    paths: dict[str, dict[str, Any]] = {}
    by_shape: dict[str, str] = {}
    for route in routes:
        methods = [] if route.kind != "view" else list(_methods(route, version))
        if methods:
            path = by_shape.setdefault(path_of(route.rule, named=False), path_of(route.rule))
            item = paths.setdefault(path, {})
            if "parameters" not in item and "{" in path:
                item["parameters"] = list(_parameters(app, route.rule, version))
            for method in methods:
                item.setdefault(method, {"responses": {"default": {"description": "The response of the view."}}})
    return paths


def _methods(route: Route, version: Version) -> Iterator[str]:
    """Give the methods of a route that a document of a version can have, without ``head`` beside ``get``."""
    for method in sorted(route.methods or _ANY_METHOD):
        is_beside_get = method == "HEAD" and "GET" in route.methods
        if not is_beside_get and method.lower() in METHODS and (method != "QUERY" or version >= (3, 2)):
            yield method.lower()


def _parameters(app: Flask, rule: str, version: Version) -> Iterator[dict[str, Any]]:
    for name, converter, arguments in variables_of(rule):
        schema = _schema(app.url_map.converters.get(converter), arguments)
        rest = schema if version.is_swagger else {"schema": schema}
        yield {"name": name, "in": "path", "required": True, **rest}


def _schema(converter: type[BaseConverter] | None, arguments: str) -> dict[str, Any]:
    """Return the schema of a parameter. Of a converter of the app's own it is a string."""
    kinds = (IntegerConverter, FloatConverter, UUIDConverter, AnyConverter, PathConverter, UnicodeConverter)
    kind = next((one for one in kinds if converter is one), None)
    args, kwargs = parse_converter_args(arguments)
    if kind in (IntegerConverter, FloatConverter):
        least = kwargs.get("min", None if kwargs.get("signed") else 0)
        schema: dict[str, Any] = {"type": "integer" if kind is IntegerConverter else "number"}
        limits = {"minimum": least, "maximum": kwargs.get("max")}
        return {**schema, **{name: limit for name, limit in limits.items() if limit is not None}}
    if kind is UUIDConverter:
        return {"type": "string", "format": "uuid"}
    if kind is AnyConverter:
        return {"type": "string", "enum": [str(arg) for arg in args]}
    if kind is UnicodeConverter:
        return {"type": "string", **_lengths(kwargs), "pattern": "^[^/]+$"}
    return {"type": "string"}


def _lengths(kwargs: Mapping[str, Any]) -> dict[str, int]:
    length = kwargs.get("length")
    found = {"minLength": length or kwargs.get("minlength", 1), "maxLength": length or kwargs.get("maxlength")}
    return {name: value for name, value in found.items() if value is not None}

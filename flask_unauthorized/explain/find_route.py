"""From ``METHOD PATH`` of the command line to the route that a request reaches.

``PATH`` is a real path, with a query if it has one, or a rule such as ``/notes/<int:id>``. The parts of a rule get
sample values, which its converters must accept.
"""

import re
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final, NamedTuple

from flask import Flask
from werkzeug.exceptions import HTTPException, MethodNotAllowed
from werkzeug.routing import AnyConverter, BaseConverter, Map, RequestRedirect, Rule, WebsocketMismatch

from ..policy.routes import Route
from ..runtime.flask_compat import request_context
from ..runtime.request_state import real_request

_VALUES: Final = (
    "sample", "1", "1.0", "00000000-0000-4000-8000-000000000000", "2026-01-01", "s", "ab", "abc", "abcd", "sampl",
    "10", "100", "1000",
)  # fmt: skip
"""Texts that are tried for a part of a rule, until its converter takes one."""


class NoRoute(Exception):
    """No view responds to the request. The message says what does."""


class Target(NamedTuple):
    """Where the requests go.

    Attributes:
        method: The method.
        path: The path, percent-encoded.
        query: The query, percent-encoded.
        base_url: Scheme and host.
        is_websocket: Whether the rule is for WebSockets.
    """

    method: str
    path: str
    query: str
    base_url: str
    is_websocket: bool = False


def find_target(app: Flask, routes: Sequence[Route], method: str, path: str, *, https: bool) -> Target:
    """Return where the requests go.

    Args:
        app: The app.
        routes: Its table of routes.
        method: The method, in upper case.
        path: A path or a rule.
        https: Whether clients use HTTPS.

    Raises:
        NoRoute: If a rule has a part for which no sample value was found, or none has this text.
    """
    host = app.config["SERVER_NAME"] or "localhost"
    base_url = f"{'https' if https else 'http'}://{host}"
    if "<" not in path:
        plain, query = _split(path)
        return Target(method, plain, query, _base_url_of_path(base_url, [one for one in routes if one.rule == plain]))
    return _target_of_rule(app.url_map, routes, method, path, base_url)


def _target_of_rule(urls: Map, routes: Sequence[Route], method: str, path: str, base_url: str) -> Target:
    named = [one for one in routes if one.rule == path and one.kind != "build_only"]
    if not named:
        raise NoRoute(f"{path} isn't a rule of the app: take one from `flask unauthorized audit`, or give a real path")
    route = next((one for one in named if method in one.methods), named[0])
    rule = next(one for one in urls.iter_rules(route.endpoint) if one.rule == path)
    return Target(method, *_split(_build(urls, rule)), _base_url(base_url, route), route.kind == "websocket")


def find_route(app: Flask, routes: Sequence[Route], target: Target) -> Route:
    """Return the route that a request to ``target`` reaches.

    Raises:
        NoRoute: If the router responds itself: 404, 405, a redirect, or Flask's own OPTIONS response.
    """
    upgrade = {"Connection": "Upgrade", "Upgrade": "websocket"} if target.is_websocket else {}
    with request_context(
        app,
        path=target.path,
        method=target.method,
        base_url=target.base_url,
        query_string=target.query,
        headers=upgrade,
    ):
        request = real_request()
        error, rule = request.routing_exception, request.url_rule
    if isinstance(error, WebsocketMismatch) and not target.is_websocket:
        return find_route(app, routes, target._replace(is_websocket=True))
    if error is not None:
        raise NoRoute(_answer_of_router(error, target))
    if rule is None:
        raise NoRoute(f"404: no rule matches {target.path}.")
    for route in routes:
        takes_method = target.method in route.methods or not route.methods
        if takes_method and _is_of(rule, route, app.url_map):
            return route
    raise NoRoute(f"200: Flask responds to {target.method} {target.path} itself, and no caller is demanded.")


def _is_of(rule: Rule, route: Route, urls: Map) -> bool:
    """Return whether an entry of the table is about a rule."""
    if (route.rule, route.endpoint) != (rule.rule, rule.endpoint):
        return False
    return (rule.host or None) == route.host if urls.host_matching else (rule.subdomain or None) == route.subdomain


def _split(path: str) -> tuple[str, str]:
    path, _, query = path.partition("?")
    return path if path.startswith("/") else f"/{path}", query


def _base_url_of_path(base_url: str, routes: Sequence[Route]) -> str:
    """Return where a path goes of which these routes have the rule: to their host, if all have one."""
    hosts = [one for one in routes if one.host or one.subdomain]
    if not hosts or len(hosts) < len(routes) or "<" in (hosts[0].host or hosts[0].subdomain or ""):
        return base_url
    return _base_url(base_url, hosts[0])


def _base_url(base_url: str, route: Route) -> str:
    scheme, _, host = base_url.partition("://")
    if route.host or route.subdomain:
        host = route.host or f"{route.subdomain}.{host}"
        if "<" in host:
            raise NoRoute(f"the host of the rule, {host}, has parts: no sample value is made for a host")
    return f"{scheme}://{host}"


def _build(urls: Map, rule: Rule) -> str:
    defaults = [other.defaults for other in urls.iter_rules(rule.endpoint) if other is not rule and other.defaults]
    values = {
        name: _value_for(name, converter, [given[name] for given in defaults if name in given])
        for name, converter in rule._converters.items()
    }
    built = rule.build(values, append_unknown=False)
    if built is None:
        raise NoRoute(f"no URL can be built for {rule.rule}: give a real path")
    return built[1]


def _value_for(name: str, converter: BaseConverter, avoided: Sequence[Any]) -> Any:
    """Return a value that a converter takes.

    Of a value that another rule has as a default, the router redirects to that rule. So one in ``avoided`` isn't taken.
    """
    named = sorted(converter.items) if isinstance(converter, AnyConverter) else ()
    for text in (*named, *_VALUES):
        if re.fullmatch(converter.regex, text):
            with suppress(Exception):  # A converter of the app raises whatever it likes, such as a 404.
                value = converter.to_python(text)
                if value not in avoided:
                    return value
    raise NoRoute(f"no sample value was found for <{name}> ({type(converter).__name__}): give a real path")


def _answer_of_router(error: HTTPException, target: Target) -> str:
    if isinstance(error, RequestRedirect):
        return f"{error.code}: the router redirects to {error.new_url}"
    if isinstance(error, MethodNotAllowed):
        allowed = ", ".join(sorted(error.valid_methods or ()))
        return f"405: {target.path} doesn't take {target.method}, only {allowed}"
    return f"{error.code}: no rule matches {target.path}"

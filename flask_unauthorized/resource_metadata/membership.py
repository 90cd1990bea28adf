"""Which views belong to which protected resource (RFC 9728), and what a document says about its views.

A challenge names at most one resource, and clients trust that its document describes the URL that they asked for. So
each endpoint belongs to one resource or to none, and every doubt is a `ConfigurationError` before the first request.

`resource_by_endpoint` decides for each rule of an app's URL map, in this order:

1. A resource that names the endpoint's blueprint in ``views=``, the innermost blueprint first; then one that names the
   app.
2. Otherwise the resources without ``views=`` whose host matches the rule and whose path lies above it. The longest path
   counts.
3. Otherwise no resource. A guarded rule with variables is refused here if it can match below a resource too
   (`rule_may_match_below`), because its challenges would point to the resource for some URLs and not for others.

All rules of an endpoint must lead to the same result, because plans, and with them challenges, are made per endpoint.

`build_documents` then collects what the routes of each resource demand, over all apps of an `Auth`: one resource may be
served by several apps. The scopes are those of all views. The schemes are those that guarded views accept; if no view
is guarded, all schemes of the `Auth`, because a repaired 401 offers these.

The decision could be made per request, from the URL. It is made per endpoint before the first request, because then
mistakes are found at once and refusals need no look-up.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Protocol

from flask import Flask
from werkzeug.routing import Rule

from ..errors import ConfigurationError
from ..policy.effective import EffectiveRequirements
from ..policy.resource import Resource
from ..schemes.base import AnyScheme
from .document import ProtectedResource, refuse_offline_access

if TYPE_CHECKING:
    from ..policy.routes import Route

_CONVERTERS_OF_NO_WORD: Final = ("int", "float", "uuid")
"""URL converters that never match a word, so a rule with one can't match a path segment with letters."""


class AppWithRoutes(Protocol):
    """The part of an app's state that tells what its routes demand."""

    @property
    def schemes(self) -> Sequence[AnyScheme]:
        """All schemes of the app's `Auth`."""
        ...

    def routes(self) -> "Sequence[Route]":
        """Return the table of the app's routes."""
        ...


def resource_by_endpoint(
    effective: EffectiveRequirements, resources: Sequence[ProtectedResource]
) -> dict[str, ProtectedResource]:
    """Return the resource of each endpoint that belongs to one.

    Raises:
        ConfigurationError: If the URLs of one endpoint belong to different resources, or some of them to none.
    """
    if not resources:
        return {}
    app = effective.app
    found: dict[str, set[ProtectedResource | None]] = {}
    for rule in app.url_map.iter_rules():
        named = _resource_naming(app, rule.endpoint, resources)
        candidates = (named,) if named is not None else _resources_by_path(effective, rule, resources)
        found.setdefault(rule.endpoint, set()).update(candidates)
    only = {endpoint: _only_resource(endpoint, candidates) for endpoint, candidates in found.items()}
    return {endpoint: resource for endpoint, resource in only.items() if resource is not None}


def build_documents(
    apps: Iterable[AppWithRoutes], resources: Sequence[ProtectedResource]
) -> dict[ProtectedResource, bytes]:
    """Return the documents of all resources of an `Auth`, one for each of their URLs.

    Raises:
        ConfigurationError: If no view in any of the apps belongs to a resource, or if its views demand
            ``offline_access``.
    """
    if not resources:
        return {}
    views: dict[Resource, _ViewsOfResource] = {resource: _ViewsOfResource() for resource in resources}
    for app in apps:
        for route in app.routes():
            if route.resource is not None:
                views[route.resource].add(app, route)
    documents: dict[ProtectedResource, bytes] = {}
    for resource in resources:
        documents.update(views[resource].documents(resource))
    return documents


class _ViewsOfResource:
    """What the views of one resource demand, and which schemes they accept."""

    def __init__(self) -> None:
        self.count = 0
        self.scopes: set[str] = set()
        self.accepted: dict[AnyScheme, None] = {}  # by guarded views, in their order
        self.offered: dict[AnyScheme, None] = {}  # by a repaired 401 of a view without a guard

    def add(self, app: AppWithRoutes, route: "Route") -> None:
        self.count += 1
        self.offered.update(dict.fromkeys(app.schemes))
        if route.requirement is not None:
            self.scopes.update(name for group in route.requirement.scopes for name in group)
            self.accepted.update(dict.fromkeys(route.schemes))

    def documents(self, resource: ProtectedResource) -> dict[ProtectedResource, bytes]:
        if not self.count:
            raise ConfigurationError(
                f"no view belongs to the resource {resource.resource!r}: views={resource.views!r} has none"
                if resource.views
                else f"no view lies below {resource.identifier.path or '/'!r}, so none belongs to the resource "
                f"{resource.resource!r}: where the app is mounted below a prefix, set APPLICATION_ROOT to it, or name "
                "the app or blueprint with protected_resource(views=...)"
            )
        refuse_offline_access(self.scopes)
        schemes = self.accepted or self.offered
        members = combine_members([scheme.resource_members() for scheme in schemes if scheme.oauth])
        return {one: one.render_document(self.scopes, members) for one in resource.urls}


def combine_members(by_scheme: Sequence[Mapping[str, Sequence[str] | bool]]) -> dict[str, Any]:
    """Combine what several schemes give as `Scheme.resource_members`.

    Lists are joined. Flags ending in ``_required`` are combined with ``all()``, other flags with ``any()``.
    """
    combined: dict[str, Any] = {"bearer_methods_supported": []}
    for name, value in (pair for members in by_scheme for pair in members.items()):
        if isinstance(value, bool):
            whole = all if name.endswith("_required") else any
            combined[name] = whole(one.get(name) is True for one in by_scheme)
        else:
            combined[name] = list(dict.fromkeys((*combined.get(name, ()), *value)))
    return combined


def _only_resource(endpoint: str, candidates: Collection[ProtectedResource | None]) -> ProtectedResource | None:
    """Return the only candidate; refuse an endpoint with several."""
    if len(candidates) > 1:
        names = " and ".join(sorted(one.resource if one else "no resource" for one in candidates))
        raise ConfigurationError(
            f"endpoint {endpoint!r} belongs to {names}, so its challenges cannot name one: give each URL an "
            "endpoint of its own, or name the blueprint with protected_resource(views=...); where they are URLs of "
            "one resource, declare it once with protected_resource(..., aliases=[...])"
        )
    return next(iter(candidates))


def _resource_naming(app: Flask, endpoint: str, resources: Sequence[ProtectedResource]) -> ProtectedResource | None:
    """Return the resource that names the endpoint's blueprint, or the app, in ``views=``."""
    names = endpoint.split(".")[:-1]
    owners = (*(app.blueprints.get(".".join(names[:length])) for length in range(len(names), 0, -1)), app)
    return next((one for owner in owners for one in resources if any(owner is view for view in one.views)), None)


def _resources_by_path(
    effective: EffectiveRequirements, rule: Rule, resources: Sequence[ProtectedResource]
) -> list[ProtectedResource | None]:
    """Return the resources with the longest path above a rule; several if they differ in their hosts only."""
    app = effective.app
    path = str(app.config["APPLICATION_ROOT"] or "").rstrip("/") + rule.rule
    host = _host_of_rule(app, rule)
    by_path = [resource for resource in resources if not resource.views]
    lengths = {resource: max(_lengths_above(resource, path, host), default=-1) for resource in by_path}
    longest = max(lengths.values(), default=-1)
    if longest >= 0:
        return [resource for resource, length in lengths.items() if length == longest]
    if "<" in path and effective.for_all_methods(rule.endpoint):
        _refuse_partial_match(path, rule.endpoint, by_path)
    return [None]


def _refuse_partial_match(path: str, endpoint: str, resources: Iterable[ProtectedResource]) -> None:
    """Refuse a rule that matches below a resource for some values of its variables, and elsewhere for others."""
    segments = path.strip("/").split("/")
    for resource in resources:
        if any(rule_may_match_below(segments, one.identifier.base_path) for one in resource.urls):
            raise ConfigurationError(
                f"the rule {path!r} of endpoint {endpoint!r} matches below {resource.resource!r} as well as elsewhere, "
                "so its challenges cannot name one: begin it with a fixed part, or name the app or blueprints of the "
                "resource with protected_resource(views=...)"
            )


def _lengths_above(resource: ProtectedResource, path: str, host: str | None) -> Iterator[int]:
    """Yield the lengths of those paths of a resource that lie above ``path`` on this host."""
    for identifier in (one.identifier for one in resource.urls):
        base = identifier.base_path
        if host in (None, identifier.host) and (path == base or path.startswith(base + "/")):
            yield len(base)


def rule_may_match_below(segments: Sequence[str], base_path: str) -> bool:
    """Return whether a rule of these segments may match a path below ``base_path``.

    ``True`` in case of doubt: a converter of the app's own may match anything within a segment.
    """
    base_segments = base_path.strip("/").split("/")
    for segment, wanted in zip(segments, base_segments, strict=False):
        if not _may_match_segment(segment, wanted):
            return False
        if "<path:" in segment:
            return True
    return len(segments) > len(base_segments)


def _may_match_segment(segment: str, wanted: str) -> bool:
    """Return whether a segment of a rule may match a segment of a path, or begin a path that goes on with it."""
    literal, has_variable, converter = segment.partition("<")
    if not has_variable:
        return segment == wanted
    if not wanted.startswith(literal) or wanted == literal or converter.startswith(_CONVERTERS_OF_NO_WORD):
        return False
    return wanted in converter if converter.startswith("any(") else True


def _host_of_rule(app: Flask, rule: Rule) -> str | None:
    """Return the name of the host that a rule is for; ``None`` if it is for any host."""
    host = rule.host or ""
    if not app.url_map.host_matching:
        server = app.config["SERVER_NAME"]
        host = ".".join(filter(None, (rule.subdomain, server))) if server and app.subdomain_matching else ""
    return None if not host or "<" in host else host.lower().partition(":")[0]

"""The table of routes: what each rule and method of an app demands, before any request comes.

Audits, explanations, OpenAPI documents and the metadata of protected resources read this table, so that none of them
walks over views by itself. It is made by the same merge that serves requests (`EffectiveRequirements.combine`). Nothing
of the app is called: no loader, no store, no ``Scheme.check``, no view.

For each rule and each of its methods, `_Reader` takes these steps:

1. Collect what judges a request: the endpoint's own requirement, and each guard among the ``before_request`` functions
   of the app and of the endpoint's blueprints. A request that is redirected by its rule meets the hooks only.
2. Find out which of them refuse an anonymous caller, for each combination of levels that ``unless`` may drop. If the
   request is always refused, the route is guarded, whatever else stands in the view.
3. Otherwise look for a reason to doubt (`hidden_guards`): a guard that the view holds outside of its decorators, a
   view that isn't written in Python. A route with a doubt is unknown. So a guard that may be skipped never makes a
   route guarded.

Methods of a rule that share all values are one `Route`. Automatic OPTIONS responses aren't listed. A call of
``auth.require()`` inside a view can't be seen, so such a view is open or public. Apps that are mounted beside the app
(``DispatcherMiddleware``) aren't part of its URL map.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import takewhile
from typing import Any, Final, Literal, NamedTuple

from werkzeug.routing import Rule

from ..schemes.base import AnyScheme
from .decorations import view_class_of
from .effective import EffectiveRequirements
from .hidden_guards import doubt_about_view, iter_visible, may_run_guard, name_of_view, parts_of_class
from .plans import MAX_COMBINED, combinations_of
from .requirement import Requirement, combine_decorators
from .resource import Resource
from .unless import NOTHING_DROPPED, Condition

State = Literal["guarded", "optional", "conditional", "public", "open", "unknown"]
Kind = Literal["view", "websocket", "alias", "redirect", "build_only"]
_WITHOUT_VIEW: Final = {"redirect": "the rule redirects", "build_only": "the rule only builds URLs"}
"""Kinds of rules that never run a view, with the reason for the table."""
_OF_FLASK: Final = ("flask.app", "flask.blueprints", "flask.sansio.app", "flask.sansio.blueprints")


class Route(NamedTuple):
    """What some methods of one rule demand.

    Attributes:
        rule: The rule, such as ``"/notes/<int:id>"``.
        methods: The methods that share all other values, without automatic OPTIONS. Empty for a rule that takes any.
        endpoint: The endpoint.
        host: The host of the rule, in apps with ``host_matching``.
        subdomain: The subdomain of the rule.
        kind: ``"view"`` for most rules. ``"websocket"`` and ``"alias"`` are options of Werkzeug's rules, ``"redirect"``
            is a rule that only redirects, and ``"build_only"`` one that only ``url_for`` uses.
        state: What anonymous callers get. ``"guarded"``: they are always refused. ``"optional"``: they pass, and
            invalid credentials are refused. ``"conditional"``: ``unless`` decides for each request. ``"public"``: open
            on purpose. ``"open"``: no guard demands credentials. ``"unknown"``: the table can't tell.
        requirement: What is demanded, with all levels taken together; ``None`` if nothing is. Of an unknown route,
            what can be seen.
        levels: Which level demands what, from the app down to the view.
        schemes: The schemes by which callers may authenticate here. On a public route, those that ``public(via=)``
            names; else empty if nothing is demanded.
        resource: The protected resource that the route belongs to (RFC 9728).
        because: Why the route is public, if the developer says so, or why the state is unknown.
        view: Module and name of the view, such as ``"shop.views:Notes.get"``.
        file: Where the view is defined.
        line: The line in ``file``.
    """

    rule: str
    methods: frozenset[str]
    endpoint: str
    host: str | None
    subdomain: str | None
    kind: Kind
    state: State
    requirement: Requirement | None
    levels: tuple[str, ...]
    schemes: tuple[AnyScheme, ...]
    resource: Resource | None
    because: str | None
    view: str
    file: str | None
    line: int | None


def find_routes(effective: EffectiveRequirements, resources: Mapping[str, Resource]) -> tuple[Route, ...]:
    """Return the table of an app's routes, sorted by rule and host. Routes of one rule keep the order of the URL map.

    Args:
        effective: The requirements of the app, after `EffectiveRequirements.refresh`.
        resources: The protected resource of each endpoint that belongs to one.

    Raises:
        ConfigurationError: If levels of a route can't be met together.
    """
    reader = _Reader(effective, resources)
    routes = (route for rule in effective.app.url_map.iter_rules() for route in reader.routes_of(rule))
    return tuple(sorted(routes, key=_sort_key))


def _sort_key(route: Route) -> tuple[Any, ...]:
    # Routes that share all of this keep the order of the URL map, because a request reaches the first one.
    return route.rule, route.host or "", route.subdomain or ""


class _Verdict(NamedTuple):
    """Whether anonymous callers are refused, always or sometimes, and by what."""

    state: State
    requirement: Requirement | None
    levels: tuple[str, ...] = ()
    because: str | None = None


def _state(refused: set[bool], conditions: tuple[Condition, ...]) -> State:
    """Return the state of a route: whether it refuses anonymous callers always, never, or as ``unless`` decides."""
    if len(refused) > 1:
        return "conditional"
    if True not in refused:
        return "optional"
    # Of very many conditions, not all combinations were tried.
    return "guarded" if len(conditions) <= MAX_COMBINED else "conditional"


class _Reader:
    """Reads the routes of one app."""

    def __init__(self, effective: EffectiveRequirements, resources: Mapping[str, Resource]) -> None:
        self.effective = effective
        self.app = effective.app
        self.decorations = effective.decorations
        self.resources = resources
        self._all_schemes = effective.configuration.schemes

    def routes_of(self, rule: Rule) -> Iterator[Route]:
        """Give the routes of one rule: one for each group of methods that share everything."""
        groups: dict[Route, set[str]] = {}
        methods = self._methods(rule)
        if methods and view_class_of(self.app.view_functions.get(rule.endpoint)) is None:
            yield self._route(rule, methods[0] or "GET")._replace(methods=frozenset(filter(None, methods)))
            return
        for method in methods:
            route = self._route(rule, method or "GET")
            groups.setdefault(route, set()).update({method} if method else ())
        for route, sharing in groups.items():
            yield route._replace(methods=frozenset(sharing))

    def _methods(self, rule: Rule) -> Sequence[str]:
        """Return the methods that reach the view; one empty name for a rule that takes any method."""
        if rule.methods is None:
            return ("",)
        automatic = {"OPTIONS"} if getattr(rule, "provide_automatic_options", False) else set()
        return sorted(rule.methods - automatic)

    def _route(self, rule: Rule, method: str) -> Route:
        kind = self._kind(rule)
        endpoint = None if kind in _WITHOUT_VIEW else rule.endpoint
        view = None if endpoint is None else self.app.view_functions.get(endpoint)
        verdict = self._verdict(endpoint, method)
        if verdict.state != "guarded":
            verdict = self._settle(verdict, rule, endpoint, view, method)
        requirement = verdict.requirement
        hosts = self.app.url_map.host_matching
        return Route(
            rule=rule.rule,
            methods=frozenset(),
            endpoint=rule.endpoint,
            host=(rule.host or None) if hosts else None,
            subdomain=None if hosts else (rule.subdomain or None),
            kind=kind,
            state=verdict.state,
            requirement=requirement,
            levels=verdict.levels,
            schemes=self._offered(endpoint, method) if requirement is None else requirement.via or self._all_schemes,
            resource=self.resources.get(rule.endpoint),
            because=verdict.because,
            **_place_of(view, method),
        )

    def _settle(self, verdict: _Verdict, rule: Rule, endpoint: str | None, view: Any, method: str) -> _Verdict:
        """Return the verdict on a route that doesn't refuse all anonymous callers: unknown if there is a doubt."""
        doubt = self._doubt(rule, endpoint, view, method)
        if doubt is not None:
            return verdict._replace(state="unknown", because=doubt)
        if verdict.state != "open":
            return verdict
        if endpoint is None:
            return verdict._replace(state="public", because=_WITHOUT_VIEW[self._kind(rule)])
        if self.effective.is_open_on_purpose(endpoint, self.effective.protections_of(endpoint), method):
            return verdict._replace(state="public", because=self.effective.public_reason(endpoint, method))
        return verdict._replace(state="public", because="static files") if _serves_static(endpoint, view) else verdict

    def _kind(self, rule: Rule) -> Kind:
        if rule.build_only:
            return "build_only"
        if rule.redirect_to is not None or (rule.alias and self.app.url_map.redirect_defaults):
            return "redirect"
        return "websocket" if rule.websocket else "alias" if rule.alias else "view"

    def _verdict(self, endpoint: str | None, method: str) -> _Verdict:
        """Return what judges a request, and whether it refuses anonymous callers for each combination of levels."""
        hooks = [demanded for hook in self._hooks(endpoint) for demanded in self._demanded_by_hook(hook)]

        def demands(dropped: frozenset[Condition]) -> list[Requirement]:
            found = (self.effective.combine(endpoint, extra, method, dropped) for extra in (None, *hooks))
            return [one for one in found if one is not None]

        known = demands(NOTHING_DROPPED)
        if not known:
            return _Verdict("open", None)
        conditions = tuple(dict.fromkeys(unless for one in known for unless in one.unless))
        refused = {
            any(not one.optional for one in demands(dropped))
            for dropped in (NOTHING_DROPPED, *combinations_of(conditions))
        }
        levels = [f"before_request: @auth.{one.as_decorator()}" for one in hooks]
        if self.effective.combine(endpoint, None, method) is not None:
            levels = [*self.effective.levels(endpoint, method), *levels]
        return _Verdict(_state(refused, conditions), combine_decorators(known), tuple(levels))

    def _hooks(self, endpoint: str | None) -> Iterator[Callable[..., Any]]:
        """Give the ``before_request`` functions that run for an endpoint, in their order."""
        names = [] if endpoint is None else endpoint.split(".")[:-1]
        for name in (None, *(".".join(names[:length]) for length in range(1, len(names) + 1))):
            yield from self.app.before_request_funcs.get(name, ())

    def _demanded_by_hook(self, hook: Callable[..., Any]) -> list[Requirement]:
        """Return what a hook demands, if nothing stands above one of its guards that could skip it."""
        demanded = self.decorations.requirements_of(hook)
        on_top = list(takewhile(self.decorations.is_guard, iter_visible(hook)))
        return demanded if len(on_top) == len(demanded) else []

    def _offered(self, endpoint: str | None, method: str) -> tuple[AnyScheme, ...]:
        """Return the schemes that ``public(via=)`` of a view, or of its method, names."""
        mark = None if endpoint is None else self.effective.public_mark(endpoint, method)
        return () if mark is None else mark.via or ()

    def _doubt(self, rule: Rule, endpoint: str | None, view: Any, method: str) -> str | None:
        """Return why the table can't tell whether a request is refused; ``None`` if everything can be seen."""
        hooks = (hook for hook in self._hooks(endpoint) if not self._demanded_by_hook(hook))
        if any(map(may_run_guard, hooks)):
            return "a before_request function holds a guard that may run or not: put the guard on top"
        if endpoint is None:
            return None
        if view is None:
            return "the endpoint has no view"
        return doubt_about_view(self.decorations, view, method, any_method=rule.methods is None)


def _serves_static(endpoint: str, view: Any) -> bool:
    """Return whether a view is the one that Flask adds for the static files of an app or a blueprint."""
    *_, function = iter_visible(view)
    return endpoint.rpartition(".")[2] == "static" and getattr(function, "__globals__", {}).get("__name__") in _OF_FLASK


def _place_of(view: Any, method: str) -> dict[str, Any]:
    """Return name, file and line of a view, or of the method of a class view."""
    if view is None:
        return {"view": "", "file": None, "line": None}
    handled = view_class_of(view)
    *_, function = iter_visible(view)
    name = name_of_view(function)
    if handled is not None:
        function = parts_of_class(handled, method)[-1]
        name = f"{name_of_view(handled)}.{getattr(function, '__name__', 'dispatch_request')}"
    *_, function = iter_visible(function)
    code = getattr(function, "__code__", None) or getattr(getattr(type(function), "__call__", None), "__code__", None)  # noqa: B004  # its type's
    return {
        "view": name,
        "file": getattr(code, "co_filename", None),
        "line": getattr(code, "co_firstlineno", None),
    }

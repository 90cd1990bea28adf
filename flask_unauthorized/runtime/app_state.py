"""What one app knows of its `Auth`: settings, protected parts, and the compiled plan of each view."""

import threading
from collections.abc import Callable, Collection, Iterator
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from flask import Blueprint, Flask, Request

from ..arguments import near_endpoint
from ..authentication.authenticate import log
from ..errors import ConfigurationError
from ..policy.decorations import chain, class_of
from ..policy.plan import AnyScheme, Plan
from ..policy.requirement import Requirement, nest, stack
from ..rendering.translations import check_translations
from ..resource_metadata.document import ProtectedResource
from ..resource_metadata.endpoint import Documents, belonging, by_path, written
from ..schemes.base import check_challenges, check_shape, checked_realm
from .settings import Settings, read_settings

if TYPE_CHECKING:
    from ..extension import Auth

MAX_PLANS: Final = 4096
"""Most compiled plans kept per app; ``require()`` with ever new demands must not grow without bound."""
EXTENSION: Final = "unauthorized"
SHORTCUTS: Final = "_unauthorized"
"""The private attribute of a routing rule that holds the plans of its view, by ``id()`` of what was demanded."""
_NOTHING: Final = Requirement()
_WITHOUT_MEANING: Final = frozenset({"__init__", "__main__", "app", "create_app", "main", "wsgi"})
"""Names of modules and functions that don't say which app it is, so that they make no realm."""


class Protection(NamedTuple):
    """What `Auth.protect` was told of an app or a blueprint."""

    requirement: Requirement
    public: frozenset[str]


class AppState:
    """Per-app state, in ``app.extensions["unauthorized"]``."""

    def __init__(self, auth: "Auth[Any]", app: Flask) -> None:
        self.auth = auth
        self.app = app
        self.settings = Settings()
        self.realm = ""
        self.realm_is_default = False  # whether it was derived from the app's name
        self.explains = False
        self.ready = False
        self.watches = True  # for credentials over plain HTTP, until it was told
        self.served = False
        self.has_response_hooks = False  # of the app, its blueprints or other extensions
        self.mistake: str | None = None  # what the check before the first request found
        self.repaired: set[str | None] = set()  # endpoints whose bare 401s were told in the log
        self.missing_urls: set[tuple[str | None, str, str]] = set()  # login pages without a URL, as they were logged
        self.warned: set[str] = set()  # what `Scheme.check` found and was told in the log
        self._lock = threading.RLock()
        # By endpoint and id(): hashing a requirement on each request would cost more than all the rest of the look-up.
        # The value holds the requirement, so that no other can take its id.
        self.plans: dict[tuple[str | None, str | None, int], tuple[Plan, Requirement | None]] = {}
        self.method_guards: dict[str, dict[str, tuple[Requirement, ...]]] = {}  # class views, by endpoint and method
        self.dispatched: dict[str, Any] = {}  # by endpoint: the outermost wrapper of a guarded view
        self.warned_hidden: set[str] = set()  # endpoints that run a guard which is not among their decorators
        self.warned_late: set[str] = set()  # endpoints whose answers came from above their guard
        self._views: tuple[Any, ...] = ()
        self.own_handlers: dict[Any, Any] = {}  # filled while serving, when no handler can be registered any more
        self._shortcuts: list[dict[int, Plan]] = []
        self._made: dict[tuple[Requirement | None, ProtectedResource | None, tuple[AnyScheme, ...] | None], Plan] = {}
        self._effective: dict[tuple[str, str | None], Requirement | None] = {}
        self._resources: dict[str, ProtectedResource] = {}  # by endpoint
        self.documents: Documents = {}
        self.publishes = False

    # --- before the first request

    def check(self) -> None:
        """Everything that can be wrong before a request comes; raises `ConfigurationError`."""
        auth, app = self.auth, self.app
        with self._lock:
            self._views = tuple(app.view_functions.values())
            self.method_guards = dict(self._find_method_guards())
            self._forget_plans()
            self._effective.clear()
            self.settings = read_settings(app.config)
            self.explains = app.debug if self.settings.explain is None else self.settings.explain
            check_translations(auth.texts)
            self.realm = self._realm()
            for scheme in auth.schemes:
                check_shape(scheme)
                scheme.check(app)
                check_challenges(scheme, app, self.realm)
            auth.decorations.check_order(app.view_functions)
            auth.decorations.check_caches(app.view_functions, self.method_guards)
            self._check_public_names()
            auth.decorations.warn_of_overridden_guards(app.view_functions)
            self._resources = belonging(app, auth.resources)
            self.documents = by_path(written(auth.states, auth.resources))
            for endpoint in app.view_functions:
                for method in (None, *self.method_guards.get(endpoint, ())):
                    if self.effective(endpoint, method) is not None:
                        self.plan(endpoint, None, method)

    def _find_method_guards(self) -> Iterator[tuple[str, dict[str, tuple[Requirement, ...]]]]:
        """The class views with guarded methods: by endpoint and method, what the decorators in the class demand."""
        for endpoint, view in self.app.view_functions.items():
            if class_of(view) is None:
                continue
            methods = {
                method
                for rule in self.app.url_map.iter_rules(endpoint)
                for method in rule.methods or ()
                if method != "OPTIONS" or not getattr(rule, "provide_automatic_options", False)
            }
            guards = {method: tuple(self.auth.decorations.around_method(view, method)) for method in sorted(methods)}
            if any(guards.values()):
                yield endpoint, guards

    def _realm(self) -> str:
        realm = self.settings.realm if self.settings.realm is not None else self.auth.realm
        self.realm_is_default = realm is None
        if realm is not None:
            return checked_realm(realm)
        try:
            return checked_realm(default_realm(self.app.name))
        except ConfigurationError as error:
            raise ConfigurationError(
                f"the app's name is the realm unless another one is set, and {error}: set UNAUTHORIZED_REALM"
            ) from None

    def prepare(self) -> None:
        """`check`, once, before a judgement outside a request's usual way: a test's request context, a command."""
        with self._lock:
            if not self.ready:
                self.check()
                self.ready = True

    def serve(self, finish: Callable[[], None]) -> None:
        """`check` before the first request, whatever was prepared: views may have come since. Then ``finish``, once.

        Where the check finds a mistake, open routes still work: a health check shouldn't depend on it.
        """
        with self._lock:
            if self.served:
                return
            try:
                self.check()
            except ConfigurationError as error:
                self.mistake = str(error)
                log.critical("guarded views answer 500, for the app %r is not set up: %s", self.app.name, error)
            finish()
            self.ready, self.served = self.mistake is None, True

    def may_be_guarded(self, endpoint: str) -> bool:
        """Whether an endpoint is guarded, as far as can be said of an app that isn't set up; doubt means yes."""
        try:
            return bool(self.requirements(endpoint)) or self.auth.decorations.is_marked(
                self.app.view_functions[endpoint]
            )
        except ConfigurationError:
            return True

    def _check_public_names(self) -> None:
        for prefix, protection in self._protections():
            for name in protection.public:
                if prefix + name not in self.app.view_functions:
                    raise ConfigurationError(
                        f"protect(public=...) names {name!r}, but there is no endpoint {prefix + name!r}: "
                        + _which(prefix, name, self.app)
                    )
                if self.auth.decorations.around(self.app.view_functions[prefix + name]) or (
                    prefix + name in self.method_guards
                ):
                    raise ConfigurationError(
                        f"protect(public=...) names {name!r}, whose view has a guard of its own: remove one of the two"
                    )

    def _protections(self) -> Iterator[tuple[str, Protection]]:
        found = self.auth.protection_of(self.app)
        if found is not None:
            yield "", found
        for name, blueprint in self.app.blueprints.items():
            found = self.auth.protection_of(blueprint)
            if found is not None:
                yield f"{name}.", found

    def warn_of_plain_http(self) -> None:
        """Tells once where credentials come over plain HTTP from another machine (RFC 7617 §4, RFC 6750 §5.2)."""
        self.watches = False
        log.warning(
            "credentials came over plain HTTP: serve HTTPS (behind a proxy, tell Flask with werkzeug's ProxyFix), "
            "and set UNAUTHORIZED_REQUIRE_HTTPS to refuse the rest"
        )

    def is_hook(self, guard: Any) -> bool:
        """Whether a guard is a ``before_request`` function, or part of one."""
        hooks = (hook for hooks in self.app.before_request_funcs.values() for hook in hooks)
        return any(guard is function for hook in hooks for function in chain(hook))

    def warn_of_hidden_guard(self, request: Request, guard: Any) -> None:
        """Warns once of an endpoint whose guard the set-up couldn't see, so that no answer from above it is judged."""
        endpoint = request.endpoint
        view = None if endpoint is None else self.app.view_functions.get(endpoint)
        if endpoint is None or view is None or endpoint in self.warned_hidden or not self.served:
            return
        if self.requirements(endpoint) or self.auth.decorations.is_public(view, self._views) or self.is_hook(guard):
            return
        self.warned_hidden.add(endpoint)
        log.warning(
            "endpoint %r: a guard runs that is not among its decorators, so an answer that a decorator above it keeps "
            "would not be judged: give that decorator functools.wraps; if the view calls a guarded function itself, "
            "call auth.require() there, or mark the view @auth.public",
            endpoint,
        )

    # --- per view

    def effective(self, endpoint: str, method: str | None = None) -> Requirement | None:
        """The effective requirement of an endpoint; ``None`` where nothing is demanded, or where it is public.

        ``method`` counts for class views that have guarded methods; without it, what holds for all methods.
        """
        key = endpoint, method if endpoint in self.method_guards else None
        try:
            return self._effective[key]
        except KeyError:
            found = self._effective[key] = self._merge(endpoint, None, method)
            return found

    def requirements(self, endpoint: str) -> list[Requirement]:
        """All that an endpoint demands: one requirement, or one for each guarded method of a class view."""
        methods = (None, *self.method_guards.get(endpoint, ()))
        found = (self.effective(endpoint, method) for method in methods)
        return list(dict.fromkeys(one for one in found if one is not None))

    def plan(self, endpoint: str | None, extra: Requirement | None = None, method: str | None = None) -> Plan:
        """The plan of an endpoint with what a decorator or ``require()`` demands on top.

        ``method`` counts for class views that have guarded methods.
        """
        key = endpoint, method if endpoint in self.method_guards else None, id(extra)
        found = self.plans.get(key)
        return self._compile(endpoint, extra, method) if found is None else found[0]

    def levels_plan(self, endpoint: str, method: str) -> Plan | None:
        """The plan of what `protect` demands of an endpoint, without what its decorators demand; ``None`` for nothing.

        Which schemes count, and whether nobody is let in, is decided with the decorators.
        """
        whole = self.effective(endpoint, method)
        levels = [protection.requirement for _, protection in self._levels_of(endpoint)]
        if whole is None or not levels:
            return None
        outer = nest(levels)
        requirement = Requirement(whole.via, outer.scopes, outer.roles, outer.acr, outer.max_age, whole.optional)
        with self._lock:
            return self._made_for(requirement, self._resources.get(endpoint), None)

    def plan_offering(self, endpoint: str | None, schemes: tuple[AnyScheme, ...]) -> Plan:
        """A plan that demands nothing, for a 401 of the app's own that offers ``schemes``."""
        with self._lock:
            return self._made_for(None, None if endpoint is None else self._resources.get(endpoint), schemes)

    def plan_of_rule(self, rule: Any, demanded: Requirement | None, method: str) -> Plan:
        """`plan` for a guarded view, kept on the routing rule: the next request finds it with two look-ups."""
        with self._lock:
            endpoint = None if rule is None else rule.endpoint
            plan = self.plan(endpoint, demanded, method)
            if rule is not None and rule.map is self.app.url_map and not self._differs(endpoint, demanded):
                # Not by vars(): a rule whose __dict__ was made costs Werkzeug more on each request (CPython 3.11).
                shortcuts = getattr(rule, SHORTCUTS, None)
                if shortcuts is None:
                    shortcuts = {}
                    setattr(rule, SHORTCUTS, shortcuts)
                    self._shortcuts.append(shortcuts)
                shortcuts[id(demanded)] = plan
            return plan

    def _differs(self, endpoint: str | None, demanded: Requirement | None) -> bool:
        """Whether a guard has other plans for other methods of a class view, so that no plan is kept on the rule."""
        guards = None if endpoint is None else self.method_guards.get(endpoint)
        if endpoint is None or guards is None:
            return False
        outside = demanded is None or demanded in self.auth.decorations.around(self.app.view_functions[endpoint])
        methods = [method for method, inside in guards.items() if outside or demanded in inside]
        return len({self._merge(endpoint, demanded, method) for method in methods}) != 1

    def _forget_plans(self) -> None:
        for shortcuts in self._shortcuts:
            shortcuts.clear()
        self.plans.clear()
        self._made.clear()
        self.own_handlers.clear()

    def _compile(self, endpoint: str | None, extra: Requirement | None, method: str | None) -> Plan:
        with self._lock:
            merged = self._merge(endpoint, extra, method)
            resource = None if endpoint is None else self._resources.get(endpoint)
            view = None if endpoint is None else self.app.view_functions.get(endpoint)
            offered = None if merged is not None or view is None else self.auth.decorations.offered_by(view)
            if len(self.plans) >= MAX_PLANS:
                self._forget_plans()
            plan = self._made_for(merged, resource, offered)
            key = endpoint, method if endpoint in self.method_guards else None, id(extra)
            self.plans[key] = plan, extra
            return plan

    def _made_for(
        self,
        merged: Requirement | None,
        resource: ProtectedResource | None,
        offered: tuple[AnyScheme, ...] | None,
    ) -> Plan:
        """One plan per requirement, so that two decorators on one view find the work of the first done."""
        key = merged, resource, offered
        plan = self._made.get(key)
        if plan is None:
            plan = self._made[key] = self._make(merged, resource, offered)
        return plan

    def _make(
        self,
        merged: Requirement | None,
        resource: ProtectedResource | None,
        offered: tuple[AnyScheme, ...] | None,
    ) -> Plan:
        """``merged`` is ``None`` for an unguarded route, which offers the schemes in ``offered``, else all schemes."""
        auth = self.auth
        schemes = auth.schemes
        ambiguous: frozenset[AnyScheme] = frozenset()
        if merged is not None:
            schemes = merged.via or schemes
        elif offered:
            schemes = offered
        else:
            schemes = _without_shared_reads(schemes)
            left_out = [scheme for scheme in auth.schemes if scheme not in schemes]
            ambiguous = frozenset(
                one for one in schemes if any(read in other.reads for other in left_out for read in one.reads)
            )
        return Plan(
            self,
            merged or _NOTHING,
            schemes,
            ambiguous=ambiguous,
            realm=self.realm,
            implied_scopes=auth.implied_scopes,
            challenge_order=auth.challenge_order,
            https_only=self.settings.require_https,
            strict=self.app.debug or self.app.testing,
            resource=resource,
            max_credentials=self.settings.max_credentials,
        )

    def _merge(self, endpoint: str | None, extra: Requirement | None, method: str | None = None) -> Requirement | None:
        """App, blueprints from outer to inner, then the view with all its decorators, then those of its method."""
        view = None if endpoint is None else self.app.view_functions.get(endpoint)
        levels = []
        if endpoint is not None:
            for prefix, protection in self._levels_of(endpoint):
                if endpoint.removeprefix(prefix) in protection.public:
                    return extra
                levels.append(protection.requirement)
        if view is not None and self.auth.decorations.is_public(view, self._views):
            return extra
        demanded = self.decorated(endpoint, method)
        if extra is not None and extra not in demanded:
            demanded.append(extra)
        if demanded:
            levels.append(stack(demanded))
        return nest(levels) if levels else None

    def decorated(self, endpoint: str | None, method: str | None) -> list[Requirement]:
        """What the decorators of an endpoint demand, outermost first, those of a class view's method last."""
        view = None if endpoint is None else self.app.view_functions.get(endpoint)
        if endpoint is None or view is None:
            return []
        inside = self.method_guards.get(endpoint, {}).get(method or "", ())
        return [*self.auth.decorations.around(view), *inside]

    def told_demands(self, endpoint: str | None, plan: Plan, method: str) -> tuple[str, ...]:
        """Who demanded what of an endpoint, for the developer: from the app down to the view."""
        levels = [] if endpoint is None else list(self._levels_of(endpoint))
        lines = [
            f"auth.protect({'app' if not prefix else prefix.rstrip('.')}): {protection.requirement.as_decorator()}"
            for prefix, protection in levels
        ]
        lines += (f"@auth.{one.as_decorator()}" for one in self.decorated(endpoint, method))
        together = plan.requirement.as_decorator()
        if not lines:
            return (f"no guard on this route (in force: {together}, all schemes of the Auth)",)
        return (*lines, f"together: {together}") if len(lines) > 1 else tuple(lines)

    def _levels_of(self, endpoint: str) -> Iterator[tuple[str, Protection]]:
        names = endpoint.split(".")[:-1]
        for prefix, protection in self._protections():
            path = prefix.rstrip(".").split(".") if prefix else []
            if names[: len(path)] == path:
                yield prefix, protection


def default_realm(name: str) -> str:
    """Derive the realm from an app's import name: its last part that says more than where the app object is.

    ``"shop.app"`` gives ``"shop"``. A name without such a part is used whole.
    """
    parts = (part for part in reversed(name.split(".")) if part and part not in _WITHOUT_MEANING)
    return next(parts, name)


def _which(prefix: str, name: str, app: Flask) -> str:
    """What the developer may have meant by ``name``."""
    endpoints = app.view_functions
    near = near_endpoint(app, name, prefix)
    if near is not None and not name.startswith(prefix or "."):
        return f"did you mean {near!r}?"
    if name.startswith(prefix) and name in endpoints:
        return f"names are relative to the blueprint, write {name.removeprefix(prefix)!r}"
    return (
        f"there are {', '.join(sorted(known.removeprefix(prefix) for known in endpoints if known.startswith(prefix)))}"
    )


def state_of(app: Flask) -> AppState:
    """The state of an app; `ConfigurationError` where no `Auth` serves it."""
    state: AppState | None = app.extensions.get(EXTENSION)
    if state is None:
        # From None: what a guard looked for in vain before it came here is no news to a developer.
        raise ConfigurationError(
            f"no Auth serves the app {app.name!r}: call auth.init_app(app) when making it"
        ) from None
    return state


def protection_target(target: object) -> Flask | Blueprint:
    """``target`` if it can be protected, else `TypeError`."""
    if not isinstance(target, (Flask, Blueprint)):
        raise TypeError(f"protect() takes an app or a blueprint, not {target!r}")
    return target


def public_names(public: Collection[str]) -> frozenset[str]:
    """Endpoint names, checked."""
    if isinstance(public, str):
        raise TypeError(f'public={public!r} is a bare string: write public={{"{public}"}}')
    if not isinstance(public, Collection):
        raise TypeError(f'public must be a collection of endpoint names, not {public!r}: write public={{"static"}}')
    for name in public:
        if not isinstance(name, str):
            named = getattr(name, "__name__", "static")
            raise TypeError(f'public must hold the names of endpoints, not {name!r}: write public={{"{named}"}}')
    return frozenset(public)


def _without_shared_reads(schemes: tuple[AnyScheme, ...]) -> tuple[AnyScheme, ...]:
    """For a route that nobody judges: of schemes that read the same, the first, so that its challenge can be told."""
    kept: list[AnyScheme] = []
    for scheme in schemes:
        if not any(read in other.reads for other in kept for read in scheme.reads):
            kept.append(scheme)
    return tuple(kept)

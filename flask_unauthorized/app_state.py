"""What one app knows of its `Auth`: settings, protected parts, and the compiled plan of each view."""

import threading
from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from flask import Blueprint, Flask

from .errors import ConfigurationError
from .judge import log
from .metadata import ProtectedResource
from .plan import AnyScheme, Plan
from .publishing import Documents, belonging, by_path, written
from .rendering.texts import check_texts
from .requirement import Requirement, nest, stack
from .schemes.base import check_challenges, check_shape, checked_realm
from .settings import Settings, read_settings

if TYPE_CHECKING:
    from .extension import Auth

MAX_PLANS: Final = 4096
"""Most compiled plans kept per app; ``require()`` with ever new demands must not grow without bound."""
EXTENSION: Final = "unauthorized"
SHORTCUTS: Final = "_unauthorized"
"""The private attribute of a routing rule that holds the plans of its view, by ``id()`` of what was demanded."""
_NOTHING: Final = Requirement()


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
        self.explains = False
        self.ready = False
        self.watches = True  # for credentials over plain HTTP, until it was told
        self.served = False
        self.repaired: set[str | None] = set()  # endpoints whose bare 401s were told in the log
        self.warned: set[str] = set()  # what `Scheme.check` found and was told in the log
        self._lock = threading.RLock()
        # By endpoint and id(): hashing a requirement on each request would cost more than all the rest of the look-up.
        # The value holds the requirement, so that no other can take its id.
        self.plans: dict[tuple[str | None, int], tuple[Plan, Requirement | None]] = {}
        self.own_handlers: dict[Any, Any] = {}  # filled while serving, when no handler can be registered any more
        self._shortcuts: list[dict[int, Plan]] = []
        self._made: dict[tuple[Requirement | None, ProtectedResource | None], Plan] = {}
        self._effective: dict[str, Requirement | None] = {}
        self._resources: dict[str, ProtectedResource] = {}  # by endpoint
        self.documents: Documents = {}
        self.publishes = False

    # --- before the first request

    def check(self) -> None:
        """Everything that can be wrong before a request comes; raises `ConfigurationError`."""
        auth, app = self.auth, self.app
        with self._lock:
            self.settings = read_settings(app.config)
            self.explains = app.debug if self.settings.explain is None else self.settings.explain
            check_texts(auth.texts)
            self.realm = self._realm()
            for scheme in auth.schemes:
                check_shape(scheme)
                scheme.check(app)
                check_challenges(scheme, app, self.realm)
            auth.decorations.check_order(app.view_functions)
            self._forget_plans()
            self._effective.clear()
            self._check_public_names()
            self._resources = belonging(app, auth.resources)
            self.documents = by_path(written(auth.states, auth.resources))
            for endpoint in app.view_functions:
                if self.effective(endpoint) is not None:
                    self.plan(endpoint)

    def _realm(self) -> str:
        realm = self.settings.realm if self.settings.realm is not None else self.auth.realm
        if realm is not None:
            return checked_realm(realm)
        try:
            return checked_realm(self.app.name)
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

    def serve(self) -> bool:
        """`check` before the first request, whatever was prepared: views may have come since. Whether all is open."""
        with self._lock:
            if not self.served:
                self.check()
                self.ready = self.served = True
            return not any(self._protections())

    def _check_public_names(self) -> None:
        for prefix, protection in self._protections():
            for name in protection.public:
                if prefix + name not in self.app.view_functions:
                    raise ConfigurationError(
                        f"protect(public=...) names {name!r}, but there is no endpoint {prefix + name!r}: "
                        + _which(prefix, name, self.app.view_functions)
                    )
                if self.auth.decorations.around(self.app.view_functions[prefix + name]):
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

    # --- per view

    def effective(self, endpoint: str) -> Requirement | None:
        """The effective requirement of an endpoint; ``None`` where nothing is demanded, or where it is public."""
        try:
            return self._effective[endpoint]
        except KeyError:
            found = self._effective[endpoint] = self._merge(endpoint, None)
            return found

    def plan(self, endpoint: str | None, extra: Requirement | None = None) -> Plan:
        """The plan of an endpoint with what a decorator or ``require()`` demands on top."""
        found = self.plans.get((endpoint, id(extra)))
        return self._compile(endpoint, extra) if found is None else found[0]

    def plan_of_rule(self, rule: Any, demanded: Requirement) -> Plan:
        """`plan` for a decorated view, kept on the routing rule: the next request finds it with two look-ups."""
        with self._lock:
            plan = self.plan(None if rule is None else rule.endpoint, demanded)
            if rule is not None and rule.map is self.app.url_map:
                # Not by vars(): a rule whose __dict__ was made costs Werkzeug more on each request (CPython 3.11).
                shortcuts = getattr(rule, SHORTCUTS, None)
                if shortcuts is None:
                    shortcuts = {}
                    setattr(rule, SHORTCUTS, shortcuts)
                    self._shortcuts.append(shortcuts)
                shortcuts[id(demanded)] = plan
            return plan

    def _forget_plans(self) -> None:
        for shortcuts in self._shortcuts:
            shortcuts.clear()
        self.plans.clear()
        self._made.clear()
        self.own_handlers.clear()

    def _compile(self, endpoint: str | None, extra: Requirement | None) -> Plan:
        with self._lock:
            merged = self._merge(endpoint, extra)
            # One plan per requirement, so that two decorators on one view find the work of the first done.
            resource = None if endpoint is None else self._resources.get(endpoint)
            plan = self._made.get((merged, resource)) or self._make(merged, resource)
            if len(self.plans) >= MAX_PLANS:
                self._forget_plans()
            self._made[merged, resource] = plan
            self.plans[endpoint, id(extra)] = plan, extra
            return plan

    def _make(self, merged: Requirement | None, resource: ProtectedResource | None) -> Plan:
        """``merged`` is ``None`` for a route that nobody judges: all schemes of the `Auth` are in force there."""
        auth = self.auth
        schemes = _without_shared_reads(auth.schemes) if merged is None else merged.via or auth.schemes
        return Plan(
            self,
            merged or _NOTHING,
            schemes,
            realm=self.realm,
            implied_scopes=auth.implied_scopes,
            challenge_order=auth.challenge_order,
            https_only=self.settings.require_https,
            strict=self.app.debug or self.app.testing,
            resource=resource,
            max_credentials=self.settings.max_credentials,
        )

    def _merge(self, endpoint: str | None, extra: Requirement | None) -> Requirement | None:
        """App, blueprints from outer to inner, then the view with all its decorators."""
        view = None if endpoint is None else self.app.view_functions.get(endpoint)
        levels = []
        if endpoint is not None:
            for prefix, protection in self._levels_of(endpoint):
                if endpoint.removeprefix(prefix) in protection.public:
                    return extra
                levels.append(protection.requirement)
        if view is not None and self.auth.decorations.is_public(view):
            return extra
        demanded = [] if view is None else self.auth.decorations.around(view)
        if extra is not None:
            demanded.append(extra)
        if demanded:
            levels.append(stack(demanded))
        return nest(levels) if levels else None

    def told_demands(self, endpoint: str | None, plan: Plan) -> tuple[str, ...]:
        """Who demanded what of an endpoint, for the developer: from the app down to the view."""
        view = None if endpoint is None else self.app.view_functions.get(endpoint)
        levels = [] if endpoint is None else list(self._levels_of(endpoint))
        lines = [
            f"auth.protect({'app' if not prefix else prefix.rstrip('.')}): {protection.requirement.as_decorator()}"
            for prefix, protection in levels
        ]
        lines += () if view is None else (f"@auth.{one.as_decorator()}" for one in self.auth.decorations.around(view))
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


def _which(prefix: str, name: str, endpoints: Collection[str]) -> str:
    """What the developer may have meant by ``name``."""
    if name.startswith(prefix) and name in endpoints:
        return f"names are relative to the blueprint, write {name.removeprefix(prefix)!r}"
    return (
        f"there are {', '.join(sorted(known.removeprefix(prefix) for known in endpoints if known.startswith(prefix)))}"
    )


def state_of(app: Flask) -> AppState:
    """The state of an app; `ConfigurationError` where no `Auth` serves it."""
    state: AppState | None = app.extensions.get(EXTENSION)
    if state is None:
        raise ConfigurationError(f"no Auth serves the app {app.name!r}: call auth.init_app(app) when making it")
    return state


def protection_target(target: object) -> Flask | Blueprint:
    """``target`` if it can be protected, else `TypeError`."""
    if not isinstance(target, (Flask, Blueprint)):
        raise TypeError(f"protect() takes an app or a blueprint, not {target!r}")
    return target


def public_names(public: Collection[str]) -> frozenset[str]:
    """Endpoint names, checked."""
    if isinstance(public, str) or not all(isinstance(name, str) for name in public):
        raise TypeError(f'public must be a collection of endpoint names, not {public!r}: write {{"static"}}')
    return frozenset(public)


def _without_shared_reads(schemes: tuple[AnyScheme, ...]) -> tuple[AnyScheme, ...]:
    """For a route that nobody judges: of schemes that read the same, the first, so that its challenge can be told."""
    kept: list[AnyScheme] = []
    for scheme in schemes:
        if not any(read in other.reads for other in kept for read in scheme.reads):
            kept.append(scheme)
    return tuple(kept)

"""`Plans`: the compiled plans of one app, made when first needed and found again by one or two look-ups.

A guarded view finds its plan on Werkzeug's routing rule (`for_guard`), by the id of what its decorator demands: hashing
a requirement on each request would cost more than the rest of the look-up. Plans of equal requirements are one object,
so that the second of two decorators on one view finds the request judged already.

A demand with ``unless`` isn't kept on the rule, because its plan depends on the request. `for_endpoint` gets the levels
that don't hold (``dropped``), and there is a plan for each combination of them.
"""

import threading
from collections.abc import Iterator
from itertools import combinations
from typing import Final, Generic, NamedTuple, TypeVar

from flask import Flask
from werkzeug.routing import Rule

from ..locks import renew_after_fork
from ..schemes.base import AnyScheme
from .configuration import Configuration
from .effective import EffectiveRequirements
from .plain_http import PlainHTTPWarning
from .plan import Plan
from .requirement import Requirement, inherit
from .resource import Resource
from .settings import Settings
from .unless import NOTHING_DROPPED, Condition

MAX_PLANS: Final = 4096
"""The most compiled plans that are cached per app, besides those of its views: ``require()`` with ever new demands must
not grow without bound."""
PLANS_OF_RULE: Final = "_unauthorized_plans"
"""The private attribute of a routing rule that holds the plans of its view."""
_NO_DEMAND: Final = Requirement()
MAX_COMBINED: Final = 6
"""The most functions of ``unless`` whose combinations are all compiled at the set-up: 64 plans."""
Owner = TypeVar("Owner")
"""The type of an app's state, which lies above this module."""


class _Compiled(NamedTuple):
    plan: Plan
    extra: Requirement | None  # held, so that no other requirement gets its id


class Plans(Generic[Owner]):
    """The plans of an app's endpoints. ``owner`` is the app's state; a guard finds it together with its plan."""

    def __init__(
        self, configuration: Configuration, app: Flask, requirements: EffectiveRequirements, owner: Owner
    ) -> None:
        self.owner = owner
        self.configuration = configuration
        self.app = app
        self.requirements = requirements
        self.settings = Settings()
        self.realm = ""
        self.resources: dict[str, Resource] = {}
        """The protected resource of each endpoint that belongs to one."""
        self.plain_http = PlainHTTPWarning()
        self._lock = threading.RLock()
        renew_after_fork(self, threading.RLock)
        self._compiled: dict[tuple[str | None, str | None, int, frozenset[Condition]], _Compiled] = {}
        self._by_content: dict[
            tuple[Requirement | None, Resource | None, tuple[AnyScheme, ...] | None, bool], Plan
        ] = {}
        self._on_rules: list[dict[int, tuple[Plan, Owner]]] = []
        self._of_views = 0  # how many plans the views of the app have, however many they are

    def forget(self) -> None:
        """Drop all plans, because what they were compiled from has changed."""
        self._of_views = 0
        self._drop()

    def _drop(self) -> None:
        for plans in self._on_rules:
            plans.clear()
        self._compiled.clear()
        self._by_content.clear()

    def for_endpoint(
        self,
        endpoint: str | None,
        extra: Requirement | None = None,
        method: str | None = None,
        dropped: frozenset[Condition] = NOTHING_DROPPED,
    ) -> Plan:
        """Return the plan of an endpoint, with what a decorator or ``require()`` demands on top.

        ``method`` counts for class views whose methods differ. ``dropped`` names the levels that don't hold for a
        request. If none holds, the plan is open, and has the schemes that identify callers here.
        """
        key = endpoint, method if endpoint in self.requirements.method_guards else None, id(extra), dropped
        found = self._compiled.get(key)
        if found is not None:
            return found.plan
        with self._lock:
            merged = self.requirements.combine(endpoint, extra, method, dropped)
            is_open = merged is None and bool(dropped)
            if is_open:
                whole = self.requirements.combine(endpoint, extra, method) or _NO_DEMAND
                merged = Requirement(whole.via, optional=True, redirect=whole.redirect)
            elif merged is not None and merged.via is None and extra is not None:
                merged = self._with_schemes_of_open_view(merged, endpoint, method, dropped)
            offered = None if merged is not None else self._offered_by(endpoint, method)
            # A view has the plan of its endpoint, and those of its guards.
            if len(self._compiled) >= MAX_PLANS + 4 * self._of_views:
                self._drop()
            plan = self._plan_for(merged, endpoint, offered, is_open=is_open)
            self._compiled[key] = _Compiled(plan, extra)
            return plan

    def _with_schemes_of_open_view(
        self, demanded: Requirement, endpoint: str | None, method: str | None, dropped: frozenset[Condition]
    ) -> Requirement:
        """Return what ``require()`` demands in a view that is open, with the schemes that identify callers there.

        So ``auth.identity`` and ``auth.get_identity()`` of one view name the same caller.
        """
        if self.requirements.combine(endpoint, None, method, dropped) is not None:
            return demanded
        whole = self.requirements.combine(endpoint, None, method)
        via = self._offered_by(endpoint, method) if whole is None else whole.via
        return demanded if via is None else inherit((Requirement(via), demanded))

    def _offered_by(self, endpoint: str | None, method: str | None) -> tuple[AnyScheme, ...] | None:
        mark = None if endpoint is None else self.requirements.public_mark(endpoint, method)
        return None if mark is None else mark.via

    def compile_all(self, endpoint: str, method: str | None) -> None:
        """Compile the plans of a guarded endpoint, with any of its levels dropped. Raise `ConfigurationError`."""
        conditions = self.for_endpoint(endpoint, None, method).requirement.unless
        self._of_views += 1
        for dropped in combinations_of(conditions):
            self.for_endpoint(endpoint, None, method, dropped)
            self._of_views += 1

    def for_protect(self, endpoint: str, method: str, dropped: frozenset[Condition] = NOTHING_DROPPED) -> Plan | None:
        """Return the plan of what `protect` demands of an endpoint, without its decorators; ``None`` for nothing."""
        demanded = self.requirements.from_protect(endpoint, method, dropped)
        if demanded is None:
            return None
        with self._lock:
            return self._plan_for(demanded, endpoint, None)

    def for_open_route(self, endpoint: str | None, schemes: tuple[AnyScheme, ...]) -> Plan:
        """Return a plan that demands nothing, for a 401 of the app's own that offers ``schemes``."""
        with self._lock:
            return self._plan_for(None, endpoint, schemes)

    def for_guard(self, rule: Rule | None, demanded: Requirement, method: str) -> Plan:
        """Return the plan of a guarded view, and keep it on the routing rule, where the next request finds it."""
        with self._lock:
            endpoint = None if rule is None else rule.endpoint
            plan = self.for_endpoint(endpoint, demanded, method)
            if (
                rule is not None
                and rule.map is self.app.url_map
                and not plan.requirement.unless
                and not self._depends_on_method(endpoint, demanded, method)
            ):
                # Not by vars(): a rule whose __dict__ was made costs Werkzeug more on each request (CPython 3.11).
                plans: dict[int, tuple[Plan, Owner]] | None = getattr(rule, PLANS_OF_RULE, None)
                if plans is None:
                    plans = {}
                    setattr(rule, PLANS_OF_RULE, plans)
                    self._on_rules.append(plans)
                plans[id(demanded)] = plan, self.owner
            return plan

    def _depends_on_method(self, endpoint: str | None, demanded: Requirement, method: str) -> bool:
        """Return whether a guard has other plans for other methods of a class view."""
        guards = None if endpoint is None else self.requirements.method_guards.get(endpoint)
        if endpoint is None or guards is None:
            return False
        if endpoint in self.requirements.public_methods:
            return True  # A hook, or a guarded method that a public one calls, meets `protect` for some methods only.
        outside = demanded in self.configuration.decorations.requirements_of(self.app.view_functions[endpoint])
        if not outside and (demanded not in guards.get(method, ()) or self._is_demanded_by_hook(demanded)):
            return True  # The guard isn't one of this method, or a hook has an equal one, which runs for all methods.
        methods = [method for method, inside in guards.items() if outside or demanded in inside]
        return len({self.requirements.combine(endpoint, demanded, method) for method in methods}) != 1

    def _is_demanded_by_hook(self, demanded: Requirement) -> bool:
        hooks = (hook for hooks in self.app.before_request_funcs.values() for hook in hooks)
        return any(demanded in self.configuration.decorations.requirements_of(hook) for hook in hooks)

    def _plan_for(
        self,
        demanded: Requirement | None,
        endpoint: str | None,
        offered: tuple[AnyScheme, ...] | None,
        *,
        is_open: bool = False,
    ) -> Plan:
        resource = None if endpoint is None else self.resources.get(endpoint)
        key = demanded, resource, offered, is_open
        plan = self._by_content.get(key)
        if plan is None:
            plan = self._by_content[key] = self._compile(demanded, resource, offered, is_open)
        return plan

    def _compile(
        self,
        demanded: Requirement | None,
        resource: Resource | None,
        offered: tuple[AnyScheme, ...] | None,
        is_open: bool,
    ) -> Plan:
        """Make a plan. An open route (nothing demanded) offers the schemes in ``offered``, else all schemes."""
        configuration = self.configuration
        schemes = configuration.schemes
        ambiguous: frozenset[AnyScheme] = frozenset()
        if demanded is not None:
            schemes = demanded.via or schemes
        elif offered:
            schemes = offered
        else:
            schemes = _without_shared_reads(schemes)
            left_out = [scheme for scheme in configuration.schemes if scheme not in schemes]
            ambiguous = frozenset(
                one for one in schemes if any(read in other.reads for other in left_out for read in one.reads)
            )
        return Plan(
            demanded or _NO_DEMAND,
            schemes,
            realm=self.realm,
            settings=self.settings,
            implied_scopes=configuration.implied_scopes,
            challenge_order=configuration.challenge_order,
            plain_http=self.plain_http,
            raises_on_mistakes=self.app.debug or self.app.testing,
            resource=resource,
            ambiguous=ambiguous,
            is_open=is_open,
        )


def combinations_of(conditions: tuple[Condition, ...]) -> Iterator[frozenset[Condition]]:
    """Give the sets of levels that a request may drop; of very many, those with one member or all."""
    sizes = range(1, len(conditions) + 1) if len(conditions) <= MAX_COMBINED else (1, len(conditions))
    for size in sizes:
        yield from map(frozenset, combinations(conditions, size))


def _without_shared_reads(schemes: tuple[AnyScheme, ...]) -> tuple[AnyScheme, ...]:
    """Return the schemes that an open route offers: of those that read the same field, the first."""
    offered: list[AnyScheme] = []
    for scheme in schemes:
        if not any(read in other.reads for other in offered for read in scheme.reads):
            offered.append(scheme)
    return tuple(offered)

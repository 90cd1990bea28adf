"""`EffectiveRequirements`: what each endpoint of one app demands, with all levels taken together.

The levels are, from the outside in: `protect` of the app, `protect` of each blueprint from outer to inner, the
decorators of the view, and for a class view the decorators inside its class, per method. Rules of the merge:

- ``public`` of any level, or `Auth.public` on the view, overrides `protect`. On a method of a class view, it does so
  for this method. It overrides no decorator, because a guard around it runs first: `check` refuses the two together.
- Decorators of one view add up (`requirement.combine_decorators`): all of them must be met.
- Levels inherit (`requirement.inherit`): the nearest ``via`` wins, the rest adds up.
- Levels whose ``unless`` returned ``True`` are left out (``dropped``). Which ones depends on the request.

What the levels say can't change any more once the app serves, so results are cached by endpoint and method.
"""

from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet
from itertools import accumulate
from typing import Final

from flask import Flask
from flask.views import MethodView, http_method_funcs
from werkzeug.routing import Rule

from ..errors import ConfigurationError
from ..logs import log
from ..schemes.state_access import suggest_endpoint
from .configuration import Configuration
from .decorations import PublicMark, View, functions_of_class, ids_of_functions, view_class_of
from .plan import Plan
from .protection import Protection
from .requirement import Requirement, combine_decorators, holding, inherit
from .unless import NOTHING_DROPPED, Condition

_GUARD_IN_PUBLIC_CLASS: Final = (
    "Take auth.public out of the class's decorators, and mark the methods that are open: @auth.public"
)
_PUBLIC_IN_GUARD: Final = (
    "Take the guard off the whole class (decorators, method_decorators, dispatch_request). Then guard the other "
    "methods, or all views by auth.protect(app). Or make the public method a view of its own"
)


class EffectiveRequirements:
    """The requirements of an app's endpoints."""

    def __init__(self, configuration: Configuration, app: Flask) -> None:
        self.app = app
        self.configuration = configuration
        self.decorations = configuration.decorations
        self.method_guards: dict[str, dict[str, tuple[Requirement, ...]]] = {}
        """Class views whose methods differ: by endpoint and HTTP method, what the decorators in the class demand. The
        tuple of a public method is empty."""
        self.public_methods: dict[str, dict[str, PublicMark]] = {}
        """Class views with public methods: by endpoint and HTTP method, what their marks say."""
        self._cache: dict[tuple[str, str | None], Requirement | None] = {}
        self._functions: frozenset[int] = frozenset()  # ids: a function that is kept shares its id with no other

    def refresh(self) -> None:
        """Read the app's views again, because some may have been added."""
        self._functions = ids_of_functions(self.app.view_functions.values())
        self._read_methods()
        self._cache.clear()

    def for_endpoint(self, endpoint: str, method: str | None = None) -> Requirement | None:
        """Return what an endpoint demands; ``None`` if nothing is demanded, or if it is public.

        Pass ``method`` for class views whose methods differ. Without it, the result covers methods that no rule names.
        """
        key = endpoint, method if endpoint in self.method_guards else None
        try:
            return self._cache[key]
        except KeyError:
            found = self._cache[key] = self.combine(endpoint, None, method)
            return found

    def for_all_methods(self, endpoint: str) -> list[Requirement]:
        """Return all that an endpoint demands: one requirement, or those of a class view's methods that differ."""
        methods = (None, *self.method_guards.get(endpoint, ()))
        found = (self.for_endpoint(endpoint, method) for method in methods)
        return list(dict.fromkeys(one for one in found if one is not None))

    def combine(
        self,
        endpoint: str | None,
        extra: Requirement | None,
        method: str | None = None,
        dropped: AbstractSet[Condition] = NOTHING_DROPPED,
    ) -> Requirement | None:
        """Return what an endpoint demands together with ``extra``, a demand of a decorator or of ``require()``.

        Levels whose ``unless`` is in ``dropped`` demand nothing.
        """
        protections = list(self.protections_of(endpoint))
        outer = [protection.requirement for _, protection in protections]
        demanded = self.from_decorators(endpoint, method)
        if endpoint is not None and self.is_open_on_purpose(endpoint, protections, method):
            outer = []
        # The guard of a view that only `protect` guards isn't a level of its own: its demand is that of these levels.
        stands_for_levels = bool(outer) and not demanded and extra == inherit(outer)
        if extra is not None and extra not in demanded and not stands_for_levels:
            demanded.append(extra)
        levels, inner = holding(outer, dropped), holding(demanded, dropped)
        if inner:
            levels.append(combine_decorators(inner))
        return inherit(levels) if levels else None

    def is_open_on_purpose(
        self, endpoint: str, protections: Iterable[tuple[str, Protection]], method: str | None
    ) -> bool:
        """Return whether ``public=`` of its ``protections`` names the endpoint, or `Auth.public` marks its view."""
        if any(endpoint.removeprefix(prefix) in protection.public for prefix, protection in protections):
            return True
        return self.public_mark(endpoint, method) is not None

    def public_mark(self, endpoint: str, method: str | None) -> PublicMark | None:
        """Return what `Auth.public` says of an endpoint's view, or of its method in a class view; ``None`` without it.

        ``method=None`` asks for the whole view.
        """
        inside = self.public_methods.get(endpoint)
        mark = None if inside is None or method is None else inside.get(method)
        if mark is not None:
            return mark
        view = self.app.view_functions.get(endpoint)
        return None if view is None else self.decorations.public_mark(view, self._functions)

    def from_protect(
        self, endpoint: str, method: str, dropped: AbstractSet[Condition] = NOTHING_DROPPED
    ) -> Requirement | None:
        """Return what `protect` demands of an endpoint, without its decorators; ``None`` for nothing.

        Which schemes count, and whether anonymous callers pass, is decided together with the decorators.
        """
        whole = self.combine(endpoint, None, method, dropped) if dropped else self.for_endpoint(endpoint, method)
        levels = holding((protection.requirement for _, protection in self.protections_of(endpoint)), dropped)
        if whole is None or not levels:
            return None
        outer = inherit(levels)
        return Requirement(
            whole.via, outer.scopes, outer.roles, outer.acr, outer.max_age, whole.optional, redirect=whole.redirect,
            # A view that looks at authorization_details does so in its decorator, maybe.
            amr=outer.amr, no_store=outer.no_store, authorization_details=whole.authorization_details,
        )  # fmt: skip

    def from_decorators(self, endpoint: str | None, method: str | None) -> list[Requirement]:
        """Return what the decorators of an endpoint demand, outermost first, those of a class view's method last."""
        view = None if endpoint is None else self.app.view_functions.get(endpoint)
        if endpoint is None or view is None:
            return []
        inside = self.method_guards.get(endpoint, {}).get(method or "", ())
        return [*self.decorations.requirements_of(view), *inside]

    def public_reason(self, endpoint: str, method: str | None = None) -> str | None:
        """Return why an endpoint is open, as `Auth.public` or `Auth.protect` says; ``None`` if neither does."""
        for prefix, protection in self.protections_of(endpoint):
            reason = protection.public.get(endpoint.removeprefix(prefix))
            if reason is not None:
                return reason
        mark = self.public_mark(endpoint, method)
        return None if mark is None else mark.reason

    def may_be_guarded(self, endpoint: str) -> bool:
        """Return whether an endpoint may be guarded, in an app that isn't set up. Any doubt means yes."""
        try:
            return bool(self.for_all_methods(endpoint)) or self.decorations.is_marked(self.app.view_functions[endpoint])
        except ConfigurationError:
            return True

    def protections_of(self, endpoint: str | None) -> Iterator[tuple[str, Protection]]:
        """Give what `protect` demands of an endpoint, from the outside in, each with the blueprint's prefix."""
        if endpoint is None:
            return
        protections = self.configuration.protections
        found = protections.get(self.app)
        if found is not None:
            yield "", found
        # By the endpoint's own blueprints: to go through all of the app's would be quadratic in large apps.
        for name in accumulate(endpoint.split(".")[:-1], "{}.{}".format):
            blueprint = self.app.blueprints.get(name)
            found = None if blueprint is None else protections.get(blueprint)
            if found is not None:
                yield f"{name}.", found

    def levels(self, endpoint: str | None, method: str, dropped: AbstractSet[Condition] = NOTHING_DROPPED) -> list[str]:
        """Return a text for each level that demands something of an endpoint, from the app down to the view."""
        lines = [
            _level(f"auth.protect({'app' if not prefix else prefix.rstrip('.')}): ", protection.requirement, dropped)
            for prefix, protection in self.protections_of(endpoint)
        ]
        return lines + [_level("@auth.", one, dropped) for one in self.from_decorators(endpoint, method)]

    def sources(
        self, endpoint: str | None, plan: Plan, method: str, dropped: AbstractSet[Condition] = NOTHING_DROPPED
    ) -> tuple[str, ...]:
        """Return for the developer which level demands what of an endpoint, and what all of them demand together.

        Levels whose ``unless`` is in ``dropped`` are marked.
        """
        lines = self.levels(endpoint, method, dropped)
        together = plan.requirement.as_decorator()
        if not lines:
            return (f"no guard on this route (in force: {together}, all schemes of the Auth)",)
        return (*lines, f"together: {together}") if len(lines) > 1 else tuple(lines)

    def check(self) -> None:
        """Refuse mistakes in decorators and in names given to ``protect(public=...)``. Raises `ConfigurationError`."""
        views = self.app.view_functions
        self.decorations.check_order(views)
        self.decorations.check_caches(views, [one for one in self.method_guards if self._differs_and_demands(one)])
        for endpoint in self.method_guards:
            self._check_public_methods(endpoint)
        for prefix, protection in self._protections():
            for name in protection.public:
                self._check_public_name(prefix, name)
        self.decorations.warn_of_overridden_guards(views, self.public_methods)
        self._warn_of_useless_marks()

    def _check_public_name(self, prefix: str, name: str) -> None:
        endpoint = prefix + name
        view = self.app.view_functions.get(endpoint)
        if view is None:
            raise ConfigurationError(
                f"protect(public=...) names {name!r}, but there is no endpoint {endpoint!r}: "
                + _meant_endpoint(prefix, name, self.app)
            )
        if self.decorations.requirements_of(view) or self._has_guarded_method(endpoint):
            raise ConfigurationError(
                f"protect(public=...) names {name!r}, whose view has a guard of its own: remove one of the two"
            )

    def _differs_and_demands(self, endpoint: str) -> bool:
        """Return whether methods of a class view demand something, of which a cache around the class knows nothing."""
        return any(self.for_endpoint(endpoint, method) for method in self.method_guards[endpoint])

    def _has_guarded_method(self, endpoint: str) -> bool:
        return any(self.method_guards.get(endpoint, {}).values())

    def _check_public_methods(self, endpoint: str) -> None:
        """Refuse a public mark and a guard that meet on one method of a class view. Raises `ConfigurationError`."""
        view = self.app.view_functions[endpoint]
        whole = self.decorations.public_mark(view, self._functions)
        outside = self.decorations.requirements_of(view)
        inside = self.public_methods.get(endpoint, {})
        for method, demanded in self.method_guards[endpoint].items():
            guards = [*outside, *demanded]
            if guards and (whole or method in inside):
                raise ConfigurationError(
                    f"endpoint {endpoint!r}: {method} is public and guarded, and the guard would run first: "
                    f"@auth.{guards[0].as_decorator()}. " + (_GUARD_IN_PUBLIC_CLASS if whole else _PUBLIC_IN_GUARD)
                )

    def _warn_of_useless_marks(self) -> None:
        """Warns of public marks inside of class views on functions that Flask doesn't choose by the HTTP method."""
        for endpoint, _, handled, _ in self._class_views():
            for name, function in functions_of_class(handled).items():
                chosen = name == "dispatch_request" or (name in http_method_funcs and issubclass(handled, MethodView))
                if not chosen and self.decorations.public_mark(function, self._functions) is not None:
                    log.warning(
                        "endpoint %r: %s.%s is marked public, which opens nothing, because the class itself runs it: "
                        "mark dispatch_request, or write decorators = [auth.public]",
                        endpoint, handled.__name__, name,
                    )  # fmt: skip

    def _read_methods(self) -> None:
        """Find the class views whose methods differ: some are guarded inside the class, or public."""
        self.method_guards, self.public_methods = {}, {}
        for endpoint, view, _, methods in self._class_views():
            guards = {method: tuple(self.decorations.requirements_of_method(view, method)) for method in methods}
            marks = {
                method: mark
                for method in methods
                if (mark := self.decorations.public_mark_of_method(view, method, self._functions)) is not None
            }
            if marks:
                self.public_methods[endpoint] = marks
            if marks or any(guards.values()):
                self.method_guards[endpoint] = guards

    def _class_views(self) -> Iterator[tuple[str, View, type, list[str]]]:
        """Give the endpoint of each class view, the view, its class, and the HTTP methods that reach it."""
        rules: dict[str, list[Rule]] = {}
        for rule in self.app.url_map.iter_rules():
            rules.setdefault(rule.endpoint, []).append(rule)
        for endpoint, view in self.app.view_functions.items():
            handled = view_class_of(view)
            if handled is None:
                continue
            methods = {
                method
                for rule in rules.get(endpoint, ())
                for method in rule.methods or ()
                if method != "OPTIONS" or not getattr(rule, "provide_automatic_options", False)
            }
            yield endpoint, view, handled, sorted(methods)

    def _protections(self) -> Iterator[tuple[str, Protection]]:
        protections = self.configuration.protections
        found = protections.get(self.app)
        if found is not None:
            yield "", found
        for name, blueprint in self.app.blueprints.items():
            found = protections.get(blueprint)
            if found is not None:
                yield f"{name}.", found


def _level(place: str, level: Requirement, dropped: AbstractSet[Condition]) -> str:
    """Return the text for one level, which says whether its ``unless`` dropped it."""
    text = f"{place}{level.as_decorator()}"
    return text if holding((level,), dropped) else f"{text}: dropped, because unless returned True"


def _meant_endpoint(prefix: str, name: str, app: Flask) -> str:
    """Return the end of a message: which endpoint the developer may have meant by ``name``."""
    endpoints = app.view_functions
    near = suggest_endpoint(app, name, prefix)
    if near is not None and not name.startswith(prefix or "."):
        return f"did you mean {near!r}?"
    if name.startswith(prefix) and name in endpoints:
        return f"names are relative to the blueprint, write {name.removeprefix(prefix)!r}"
    return (
        f"there are {', '.join(sorted(known.removeprefix(prefix) for known in endpoints if known.startswith(prefix)))}"
    )

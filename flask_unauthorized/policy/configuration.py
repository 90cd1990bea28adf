"""`Configuration`: the settings of one `Auth`, shared by all its apps.

`Auth` is the facade over it. An app's state knows the configuration and not `Auth`, so that imports point one way. A
configuration holds for all apps. What depends on one app (its realm, its settings, its compiled plans) is in the app's
state.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, Final
from weakref import WeakKeyDictionary, ref

from flask import Flask
from flask.sansio.scaffold import Scaffold
from werkzeug.exceptions import HTTPException

from ..arguments import validated_flag
from ..errors import ConfigurationError
from ..rendering.renderers import BUILT_IN_RENDERERS, Renderer
from ..rendering.translations import copy_translations
from ..schemes.base import AnyScheme, Scheme, validated_realm
from .decorations import Decorations
from .protection import Protection
from .requirement import Requirement, expand_implied_scopes, make_requirement
from .resource import Resource


class Configuration:
    """The schemes of an `Auth`, what its decorators and `protect` demand, and how its refusals are rendered."""

    def __init__(
        self,
        schemes: tuple[object, ...],
        *,
        realm: str | None,
        implied_scopes: Mapping[str, Collection[str]],
        unavailable: Sequence[type[Exception]],
        challenge_order: Sequence[AnyScheme],
        bound_only: bool | None = None,
    ) -> None:
        self.schemes: Final = _validated_schemes(schemes)
        self.realm: Final = None if realm is None else validated_realm(realm)
        self.implied_scopes: Final = expand_implied_scopes(implied_scopes)
        self.challenge_order: Final = self._own_schemes(challenge_order, "challenge_order")
        self.protections: Final[WeakKeyDictionary[Scaffold, Protection]] = WeakKeyDictionary()
        self.unserved_hooks: Final[set[Callable[[], None]]] = set()
        """Hooks of `protect` that refuse requests as long as no `Auth` serves the app."""
        self.renderers: Final[dict[str, Renderer]] = {}
        self.media_types = tuple(BUILT_IN_RENDERERS)
        self.translations: Final = copy_translations()
        self.resources: tuple[Resource, ...] = ()
        self._interned: WeakKeyDictionary[Requirement, ref[Requirement]] = WeakKeyDictionary()
        self.decorations: Final = Decorations(
            {
                name: self.make_requirement(name, {}, optional=name == "login_optional")
                for name in ("login_required", "login_optional")
            }
        )
        self._demand_binding(bound_only)
        self._set_unavailable(unavailable)

    def make_requirement(self, where: str, demands: Mapping[str, Any], *, optional: bool = False) -> Requirement:
        """Return what the keywords given to ``where`` demand. Equal demands are one object.

        Plans are found by the id of what was demanded, and flask-restful decorates again on each request.

        Raises:
            TypeError: For an unknown keyword or a value of a wrong type.
            ConfigurationError: For a value that can't be met, and for a scheme that this `Auth` doesn't have.
        """
        demanded = make_requirement(where, demands, is_scheme=Scheme, optional=optional)
        if demanded.via is not None:
            self._own_schemes(demanded.via, "via")
        known = self._interned.get(demanded)
        found = None if known is None else known()
        if found is None:
            self._interned[demanded] = ref(demanded)
        return found or demanded

    def schemes_of(self, where: str, via: AnyScheme | Collection[AnyScheme] | None) -> tuple[AnyScheme, ...] | None:
        """Return the schemes that ``via`` names; ``None`` if it is ``None``. Raises as `make_requirement` does."""
        return self.make_requirement(where, {"via": via}).via

    def add_renderer(self, media_type: str, render: Renderer) -> None:
        """Register a renderer. Raises `TypeError` for what can't be called, `ConfigurationError` for a second one."""
        if not callable(render):
            raise TypeError(f"a renderer must be callable, not {render!r}")
        if media_type in self.renderers:
            raise ConfigurationError(f"there is a renderer for {media_type} already: register one only")
        self.renderers[media_type] = render
        self.media_types = tuple(dict.fromkeys((*BUILT_IN_RENDERERS, *self.renderers)))

    def _own_schemes(self, schemes: Sequence[AnyScheme], where: str) -> tuple[AnyScheme, ...]:
        if isinstance(schemes, (str, Scheme)) or not isinstance(schemes, Iterable):
            raise TypeError(
                f"{where} must be a sequence of the schemes of this Auth, not {schemes!r}: write {where}=[scheme]"
            )
        for scheme in schemes:
            if scheme not in self.schemes:
                raise ConfigurationError(
                    f"{where} names {scheme!r}, which this Auth doesn't have: pass it to Auth(...)"
                )
        return tuple(schemes)

    def unbound_beside_bound(self, schemes: Sequence[AnyScheme]) -> tuple[AnyScheme, ...]:
        """Return those of ``schemes`` that take OAuth tokens without a binding, although others demand one.

        Attackers can use a stolen token there. Empty with ``bound_only=False``, by which the app accepts that.
        """
        tokens = [scheme for scheme in schemes if scheme.oauth] if self.bound_only is None else []
        unbound = tuple(scheme for scheme in tokens if not scheme.bound_only)
        return unbound if len(unbound) < len(tokens) else ()

    def _demand_binding(self, bound_only: bool | None) -> None:
        self.bound_only = None if bound_only is None else validated_flag("bound_only", bound_only)
        for scheme in self.schemes if bound_only else ():
            if scheme.oauth and not scheme.bound_only:
                if scheme._in_use:
                    raise ConfigurationError(
                        f"{scheme!r} belongs to another Auth, without bound_only=True: make a second object"
                    )
                scheme.demand_binding()

    def _set_unavailable(self, unavailable: Sequence[type[Exception]]) -> None:
        if isinstance(unavailable, type):
            raise TypeError(f"unavailable must be a sequence: write unavailable=({unavailable.__name__},)")
        if not isinstance(unavailable, Iterable):
            raise TypeError(f"unavailable must be a sequence of exception classes, not {unavailable!r}")
        kinds: tuple[type[Exception], ...] = tuple(unavailable)
        for kind in kinds:
            if not (isinstance(kind, type) and issubclass(kind, Exception)) or issubclass(kind, HTTPException):
                raise TypeError(
                    f"unavailable must be a sequence of exception classes of your dependencies, not {kind!r}"
                )
        for scheme in self.schemes:
            if scheme._in_use and scheme._unavailable != kinds:
                raise ConfigurationError(
                    f"{scheme!r} belongs to another Auth with other unavailable=: make a second object"
                )
            scheme._unavailable = kinds
            scheme._in_use = True


def _validated_schemes(schemes: tuple[object, ...]) -> tuple[AnyScheme, ...]:
    checked: list[AnyScheme] = []
    for scheme in schemes:
        if not isinstance(scheme, Scheme):
            raise TypeError(
                f"Auth takes scheme objects such as Bearer(load_user), not {scheme!r}" + _instead_of(scheme)
            )
        if scheme in checked:
            raise ConfigurationError(f"Auth was given {scheme!r} twice: give it once")
        checked.append(scheme)
    return tuple(checked)


def _instead_of(given: object) -> str:
    """Return what to write in place of ``given``, which isn't a scheme."""
    if isinstance(given, Flask):
        return ": pass the app as app=app, or to init_app()"
    if isinstance(given, type):
        return f": make an object, {given.__name__}(load_user)" if issubclass(given, Scheme) else ""
    if isinstance(given, (list, tuple, set, frozenset)):
        return ": pass each of them as an argument of its own"
    return ": pass the loader to a scheme, Bearer(load_user)" if callable(given) else ""

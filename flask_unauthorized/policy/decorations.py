"""Which functions an `Auth` has wrapped or marked public, and whether the decorators stand in the right order.

A decorator records three things: the wrapper with its requirement, the view in it, and every function that the view
wraps in turn. Before the first request these records are compared with the registered views (`check_order`): if a
function was decorated, then the view that Flask calls must contain the wrapper. So a guard above the route, which would
never run, is found at the set-up.

Everything is keyed by function objects, weakly: a copied attribute (``functools.wraps``) proves nothing.
`iter_wrapped` follows a view to the functions that it wraps. Public views are keyed by identity instead, because two
equal callables are two views all the same.

Guards and public marks may stand on a view, or inside a class view: on a method, or on ``dispatch_request``.
"""

import functools
import inspect
from collections.abc import Callable, Collection, Container, Hashable, Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from itertools import count
from types import FunctionType
from typing import Any, Final, NamedTuple, TypedDict, TypeVar
from weakref import WeakKeyDictionary, WeakSet, ref

from flask.views import MethodView

from ..arguments import shows_keywords
from ..errors import ConfigurationError
from ..logs import log
from ..schemes.base import AnyScheme
from .requirement import Names, Requirement, combine_decorators

View = Callable[..., Any]
F = TypeVar("F", bound=View)
_NAMELESS: Final = count(1)
"""Numbers of wrappers whose views have no name."""
_GUARDS: Final[WeakSet[Any]] = WeakSet()
"""The wrappers of every `Auth`."""


class Demands(TypedDict, total=False):
    """The keywords of `Auth.login_required` and its kin."""

    via: AnyScheme | Collection[AnyScheme] | None
    scopes: Names | None
    roles: Names | None
    acr: str | list[str] | tuple[str, ...] | None
    amr: Names | None
    max_age: int | timedelta | None
    redirect: bool
    no_store: bool
    authorization_details: Callable[[list[dict[str, Any]]], bool] | None


class LevelDemands(Demands, total=False):
    """The same, with what only a level takes: a decorator or `Auth.protect`."""

    unless: Callable[[], bool] | None


def takes_demands(demands: type[Demands]) -> Callable[[F], F]:
    """Decorate a function with ``**demands`` so that its signature names each demand, with its default."""
    return shows_keywords(demands, redirect=True, no_store=False)


class PublicMark(NamedTuple):
    """What `Auth.public` says of one view: the schemes that its own 401 offers, and why the view is open."""

    view: ref[Any]
    via: tuple[AnyScheme, ...] | None
    reason: str | None


class Decorations:
    """The views that one `Auth` has wrapped or marked public."""

    def __init__(self, default_requirements: Mapping[str, Requirement]) -> None:
        """Start empty. ``default_requirements``: what decorators without arguments demand, by name."""
        self.default_requirements: Final = default_requirements
        self.auth_ref: Callable[[], object] = lambda: None
        """Gives the `Auth` whose methods are the decorators: flask-restful lists them without calling them."""
        self._requirement_by_wrapper: WeakKeyDictionary[Any, Requirement] = (
            WeakKeyDictionary()
        )  # a wrapper -> what it demands
        self._view_by_wrapper: WeakKeyDictionary[Any, View] = WeakKeyDictionary()  # a wrapper -> the view in it
        self._recorded: WeakKeyDictionary[Any, set[Requirement]] = WeakKeyDictionary()  # function -> demanded of it
        # By identity, because equal callables are still two views.
        self._public: dict[int, PublicMark] = {}
        # The decorators themselves, because flask-restful applies its method_decorators again on each request.
        self._decorators: WeakKeyDictionary[Any, Requirement] = WeakKeyDictionary()

    def record(self, wrapper: View, view: View, demanded: Requirement) -> None:
        """Record that ``wrapper`` guards ``view``. Raise `ConfigurationError` if they cannot be met together."""
        _GUARDS.add(wrapper)
        self._requirement_by_wrapper[wrapper] = demanded
        self._view_by_wrapper[wrapper] = view
        functions = list(iter_wrapped(view))
        for function in functions:
            if self._is_marked_public(function):
                raise ConfigurationError(f"{_name(view)} is public and guarded: remove one of the decorators")
        combine_decorators(self.requirements_of(wrapper))
        for function in functions:
            self._recorded.setdefault(function, set()).add(demanded)

    def mark_public(self, view: View, via: tuple[AnyScheme, ...] | None = None, reason: str | None = None) -> None:
        """Record that ``view`` is open on purpose. ``via`` are the schemes that its own 401 offers."""
        if inspect.ismethod(view):
            raise TypeError(
                f"{_name(view)} is a bound method, made anew each time: write @auth.public above it in its class, or "
                "name its endpoint in protect(public=...)"
            )
        if self.requirements_of(view) or view in self._recorded:
            raise ConfigurationError(f"{_name(view)} is guarded and public: remove one of the decorators")
        self._public[id(view)] = PublicMark(ref(view), via, reason)

    def public_mark(self, view: View, registered: Container[int]) -> PublicMark | None:
        """Return the mark of the view, or of what it wraps; ``None`` if neither was marked public.

        Only ``__wrapped__`` is followed, because two partials of one function are two views. The search stops at a
        guard and at other ``registered`` functions (`ids_of_functions`): ``functools.wraps`` copies the attribute to
        functions that never call the public view.
        """
        seen: set[int] = set()
        function = _unbound(view)
        while function is not None and id(function) not in seen and not self.is_guard(function):
            if seen and id(function) in registered:
                return None
            if self._is_marked_public(function):
                return self._public[id(function)]
            seen.add(id(function))
            function = _unbound(getattr(function, "__wrapped__", None))
        return None

    def public_mark_of_method(self, view: View, method: str, registered: Container[int]) -> PublicMark | None:
        """Return the mark inside a class view for one HTTP method; ``None`` for other views, and without a mark.

        The mark of the method itself comes before that of ``dispatch_request``, which counts for all methods. An
        override without a mark isn't public.
        """
        handled = view_class_of(view)
        if handled is None:
            return None
        functions = [getattr(handled, "dispatch_request", None)]
        if issubclass(handled, MethodView):  # Any other class may run any function for a method.
            functions.insert(0, function_of_method(handled, method))
        marks = (self.public_mark(function, registered) for function in functions if function is not None)
        return next((mark for mark in marks if mark is not None), None)

    def _is_marked_public(self, view: View) -> bool:
        marked = self._public.get(id(view))
        return marked is not None and marked.view() is view

    def requirements_of(self, view: View | None) -> list[Requirement]:
        """Return what this `Auth`'s wrappers around and in the view demand, outermost first."""
        return [
            self._requirement_by_wrapper[function]
            for function in iter_wrapped(view)
            if function in self._requirement_by_wrapper
        ]

    def record_decorator(self, decorator: View, demanded: Requirement) -> None:
        """Record that ``decorator`` adds ``demanded`` to what it decorates."""
        self._decorators[decorator] = demanded

    def requirements_of_method(self, view: View, method: str) -> list[Requirement]:
        """Return what wrappers demand inside a class view for one HTTP method, outermost first; empty for other views.

        Reads the ``method_decorators`` of flask-restful and flask-restx as well.
        """
        handled = view_class_of(view)
        if handled is None:
            return []
        found = self.requirements_of(getattr(handled, "dispatch_request", None))
        found += reversed(list(self._method_decorators(handled, method)))  # the last one stands outermost
        return found + self.requirements_of(function_of_method(handled, method))

    def _method_decorators(self, handled: type, method: str) -> Iterator[Requirement]:
        for decorator in listed_method_decorators(handled, method):
            demanded = self._demanded_by(decorator)
            if demanded is not None:
                yield demanded

    def _demanded_by(self, decorator: Any) -> Requirement | None:
        """Return what one of the ``method_decorators`` demands; ``None`` if it isn't a guard."""
        owner = getattr(decorator, "__self__", None)
        if owner is not None and owner is self.auth_ref():
            return self.default_requirements.get(decorator.__name__)  # `Auth.public` demands nothing
        return self._decorators.get(decorator) if isinstance(decorator, FunctionType) else None

    def has_unknown_method_decorator(self, handled: type, method: str) -> bool:
        """Return whether a class view has ``method_decorators`` that aren't guards of this `Auth`.

        What they put around a method is made anew on each request, so the table of routes can't look into it.
        """
        return any(self._demanded_by(decorator) is None for decorator in listed_method_decorators(handled, method))

    def warn_of_overridden_guards(self, views: Mapping[str, View], public_methods: Mapping[str, Iterable[str]]) -> None:
        """Warns of class views in which an unguarded method overrides a guarded one of a base class.

        Args:
            views: The app's views by endpoint.
            public_methods: By endpoint, the methods that are public on purpose.
        """
        for endpoint, view in views.items():
            handled = view_class_of(view)
            if handled is None or self.requirements_of(view):
                continue
            methods = set(getattr(handled, "methods", None) or ())
            for method in sorted(methods.difference(public_methods.get(endpoint, ()))):
                name = method.lower()
                defining = [kind for kind in handled.__mro__ if name in vars(kind)]
                guarding = [kind for kind in defining if self.requirements_of(vars(kind)[name])]
                if guarding and not self.requirements_of_method(view, method):
                    log.warning(
                        "endpoint %r: %s.%s overrides the guarded %s.%s and has no guard: decorate it too",
                        endpoint, defining[0].__name__, name, guarding[0].__name__, name,
                    )  # fmt: skip

    def check_caches(self, views: Mapping[str, View], differing: Collection[str]) -> None:
        """Refuse Flask-Caching above a guard, and around a class view whose methods differ (endpoints ``differing``).

        The cache also stores redirects and errors. Late judgment doesn't check these, so another caller could get them.
        Raises `ConfigurationError`.
        """
        for endpoint, view in views.items():
            handled = view_class_of(view)
            inside = [getattr(handled, method.lower(), None) for method in getattr(handled, "methods", None) or ()]
            if self._is_cached(view, endpoint in differing) or any(self._is_cached(one) for one in inside):
                raise ConfigurationError(
                    f"endpoint {endpoint!r} has a cache above its guard, so that one caller would get what the cache "
                    "keeps of another: put @cache.cached() below @auth.login_required, and the caller into its key"
                )

    def _is_cached(self, view: Any, guards_inside: bool = False) -> bool:
        """Return whether a decorator of Flask-Caching stands above the guard.

        ``guards_inside`` says that methods of the class have one, or that `protect` guards only some of them.
        """
        for function in iter_wrapped(view):
            if self.is_guard(function):
                return False
            # functools.wraps copies the mark upwards: only the cache itself wraps what the mark names.
            cached = getattr(function, "uncached", None)
            is_cache = cached is not None and cached is getattr(function, "__wrapped__", None)
            if is_cache and (guards_inside or self.requirements_of(cached)):
                return True
        return False

    def is_marked(self, view: View) -> bool:
        """Return whether a guard was put around the view, or around a part of it, at any time and in any order."""
        handled = view_class_of(view)
        inside = () if handled is None else tuple(vars(handled).values())
        return any(
            function in self._recorded or function in self._requirement_by_wrapper
            for part in (view, *inside)
            for function in iter_wrapped(part)
        )

    def view_and_requirement(self, wrapper: View) -> tuple[View, Requirement]:
        """Return the view in one of the wrappers, and what the wrapper demands."""
        return self._view_by_wrapper[wrapper], self._requirement_by_wrapper[wrapper]

    def is_guard(self, function: View) -> bool:
        """Return whether ``function`` is a wrapper of this `Auth`."""
        # A callable object may have no hash, and the wrappers of this `Auth` are plain functions.
        return isinstance(function, FunctionType) and function in self._requirement_by_wrapper

    def check_order(self, views: Mapping[str, View]) -> None:
        """Refuse a function that was decorated, but whose registered view lacks the wrapper.

        Each guard recorded for a function must wrap that function in at least one registered view.
        Raises `ConfigurationError`.
        """
        held: dict[int, set[Requirement]] = {}
        for view in views.values():
            so_far: set[Requirement] = set()
            for function in iter_wrapped(view):
                held.setdefault(id(function), set()).update(so_far)
                if function in self._requirement_by_wrapper:
                    so_far.add(self._requirement_by_wrapper[function])
        for endpoint, view in views.items():
            for function in iter_wrapped(view):
                missing = self._recorded.get(function, set()) - held[id(function)]
                if missing:
                    decorator = "@auth." + min(demanded.as_decorator() for demanded in missing)
                    raise ConfigurationError(
                        f"endpoint {endpoint!r} is registered without its guard: {_name(function)} was decorated with "
                        f"{decorator}, but above the route. Put the route on top:\n\n"
                        f"    @app.get(...)\n    {decorator}\n    def {getattr(function, '__name__', 'view')}(): ..."
                    )


def iter_wrapped(view: Any) -> Iterator[Any]:
    """Return the view and what it wraps, outermost first: by ``__wrapped__``, ``partial.func`` and ``__func__``.

    Only what can be referenced weakly is part of it.
    """
    seen: set[int] = set()
    while view is not None and id(view) not in seen:
        seen.add(id(view))
        function = getattr(view, "__func__", None)
        # Each access makes a new bound method. Its function stays the same.
        if function is None and type(view).__weakrefoffset__ and isinstance(view, Hashable):
            yield view
        view = function or getattr(view, "__wrapped__", None) or getattr(view, "func", None)


def _unbound(view: Any) -> Any:
    """Return the function of a bound method, which stays the same; anything else as it is."""
    return view.__func__ if inspect.ismethod(view) else view


def ids_of_functions(views: Iterable[View]) -> frozenset[int]:
    """Return the ids of all functions that the views of an app stand for, those inside of class views included."""
    classes = {kind for view in views for kind in getattr(view_class_of(view), "__mro__", ())}
    inside = (function for kind in classes for function in vars(kind).values())
    return frozenset(id(_unbound(function)) for function in (*views, *inside))


def functions_of_class(handled: type) -> dict[str, View]:
    """Return the functions of a class by name, as it inherits and overrides them."""
    found = {name: value for kind in reversed(handled.__mro__) for name, value in vars(kind).items()}
    return {name: value for name, value in found.items() if isinstance(value, FunctionType)}


def function_of_method(handled: type, method: str) -> View | None:
    """Return the function of a class view that responds to an HTTP method, as Flask's `MethodView` chooses it."""
    function = getattr(handled, method.lower(), None)
    if function is None and method == "HEAD":
        function = getattr(handled, "get", None)
    return function


def listed_method_decorators(handled: type, method: str) -> Sequence[Any]:
    """Return the ``method_decorators`` of flask-restful and flask-restx for one HTTP method of a class view."""
    decorators = getattr(handled, "method_decorators", ())
    if isinstance(decorators, Mapping):
        decorators = decorators.get(method.lower(), ())
    return decorators if isinstance(decorators, (list, tuple)) else ()


def is_guard_of_any(function: Any) -> bool:
    """Return whether ``function`` is a wrapper of some `Auth`."""
    return type(function) is FunctionType and function in _GUARDS


def view_class_of(view: Any) -> type | None:
    """Return the class of a class view, also if decorators stand above it; ``None`` for a function."""
    for function in iter_wrapped(view):
        found = getattr(function, "view_class", None)
        if isinstance(found, type):
            return found
    return None


def wraps_view(view: Any) -> Callable[[F], F]:
    """Apply `functools.wraps`. Give the wrapper of a view without a name, such as a partial, a unique name.

    Other extensions know views by their names. With one name for all such wrappers, an exemption from Flask-WTF's
    CSRF protection or a limit of Flask-Limiter for one of them would count for all of them.
    """

    def name(wrapper: F) -> F:
        functools.update_wrapper(wrapper, view)
        if not hasattr(view, "__name__"):
            wrapper.__name__ = wrapper.__qualname__ = f"{wrapper.__name__}_{next(_NAMELESS)}"
        return wrapper

    return name


def check_view(view: Any, decorator: str) -> None:
    """Refuses what cannot be decorated: `TypeError` that says what to do instead."""
    if inspect.isclass(view):
        raise TypeError(
            f"{decorator} decorates functions; in class {view.__name__} write: decorators = [auth.{decorator}]"
        )
    if isinstance(view, (staticmethod, classmethod)):
        raise TypeError(f"{decorator} stands below @{type(view).__name__}: swap the two decorators")
    if not callable(view):
        raise TypeError(
            f"{decorator} decorates a view, not {view!r}: write @auth.{decorator} or "
            f"@auth.{decorator}({'via=...' if decorator == 'public' else 'scopes={...}, via=...'})"
        )


def is_async(view: Any) -> bool:
    """Return whether calling ``view`` gives a coroutine."""
    while isinstance(view, functools.partial):
        view = view.func
    return inspect.iscoroutinefunction(view) or inspect.iscoroutinefunction(getattr(type(view), "__call__", None))  # noqa: B004  # its type's, not whether it is callable


def _name(view: Any) -> str:
    return getattr(view, "__qualname__", None) or repr(view)

"""What was decorated with what, and whether the decorators stand in the right order.

Everything here is keyed by function objects, weakly: a copied attribute (``functools.wraps``) proves nothing.
"""

import functools
import inspect
from collections.abc import Callable, Collection, Hashable, Iterator, Mapping
from typing import Any, TypedDict
from weakref import WeakKeyDictionary, ref

from .errors import ConfigurationError
from .plan import AnyScheme
from .requirement import Names, Requirement, stack

View = Callable[..., Any]


class Demands(TypedDict, total=False):
    """The keywords of `Auth.login_required` and its kin."""

    via: AnyScheme | Collection[AnyScheme] | None
    scopes: Names | None
    roles: Names | None
    acr: str | list[str] | tuple[str, ...] | None
    max_age: int | None


class Decorations:
    """The views that one `Auth` has wrapped or marked public."""

    def __init__(self) -> None:
        self._guarding: WeakKeyDictionary[Any, Requirement] = WeakKeyDictionary()  # our wrapper -> what it demands
        self._recorded: WeakKeyDictionary[Any, set[Requirement]] = WeakKeyDictionary()  # function -> demanded of it
        # By identity, for equal callables are two views all the same.
        self._public: dict[int, ref[Any]] = {}

    def record(self, wrapper: View, view: View, demanded: Requirement) -> None:
        """Notes that ``wrapper`` guards ``view``. Raises `ConfigurationError` where they cannot be met together."""
        self._guarding[wrapper] = demanded
        functions = list(chain(view))
        for function in functions:
            if self._is_marked(function):
                raise ConfigurationError(f"{_name(view)} is public and guarded: remove one of the decorators")
        stack(self.around(wrapper))
        for function in functions:
            self._recorded.setdefault(function, set()).add(demanded)

    def mark_public(self, view: View) -> None:
        """Notes that ``view`` is open on purpose."""
        if inspect.ismethod(view):
            raise TypeError(
                f"{_name(view)} is a bound method, made anew each time: name its endpoint in protect(public=...)"
            )
        if self.around(view) or view in self._recorded:
            raise ConfigurationError(f"{_name(view)} is guarded and public: remove one of the decorators")
        self._public[id(view)] = ref(view)

    def is_public(self, view: View) -> bool:
        """Whether the view, or what it wraps, was marked public.

        Only ``__wrapped__`` is followed, for two partials or methods of one function are two views; and never through
        our own guard.
        """
        seen: set[int] = set()
        wrapped: Any = view
        while wrapped is not None and id(wrapped) not in seen and not self.is_ours(wrapped):
            if not inspect.ismethod(wrapped) and self._is_marked(wrapped):
                return True
            seen.add(id(wrapped))
            wrapped = getattr(wrapped, "__wrapped__", None)
        return False

    def _is_marked(self, view: View) -> bool:
        marked = self._public.get(id(view))
        return marked is not None and marked() is view

    def around(self, view: View) -> list[Requirement]:
        """What our wrappers in the view's chain demand, outermost first."""
        return [self._guarding[function] for function in chain(view) if function in self._guarding]

    def is_ours(self, function: View) -> bool:
        """Whether ``function`` is a wrapper of this `Auth`."""
        return not inspect.ismethod(function) and function in self._guarding

    def demanded(self, view: View) -> Requirement | None:
        """What all our decorators on a view demand together; ``None`` for a view without."""
        found = self.around(view)
        return stack(found) if found else None

    def check_order(self, views: Mapping[str, View]) -> None:
        """Refuses a function that was decorated, but whose registered view lacks the wrapper.

        Every requirement recorded for a function on an endpoint's chain must be held by one of our wrappers around
        that function, on this or on another endpoint of the app.
        """
        held: dict[int, set[Requirement]] = {}
        for view in views.values():
            so_far: set[Requirement] = set()
            for function in chain(view):
                held.setdefault(id(function), set()).update(so_far)
                if function in self._guarding:
                    so_far.add(self._guarding[function])
        for endpoint, view in views.items():
            for function in chain(view):
                missing = self._recorded.get(function, set()) - held[id(function)]
                if missing:
                    decorator = "@auth." + min(demanded.as_decorator() for demanded in missing)
                    raise ConfigurationError(
                        f"endpoint {endpoint!r} is registered without its guard: {_name(function)} was decorated with "
                        f"{decorator}, but above the route. Put the route on top:\n\n"
                        f"    @app.get(...)\n    {decorator}\n    def {_name(function)}(): ..."
                    )


def chain(view: Any) -> Iterator[Any]:
    """The view and what it wraps, outermost first: by ``__wrapped__``, ``partial.func`` and ``__func__``.

    Only what can be referenced weakly is part of it.
    """
    seen: set[int] = set()
    while view is not None and id(view) not in seen:
        seen.add(id(view))
        function = getattr(view, "__func__", None)
        # A bound method is made anew at each access; its function stays.
        if function is None and type(view).__weakrefoffset__ and isinstance(view, Hashable):
            yield view
        view = function or getattr(view, "__wrapped__", None) or getattr(view, "func", None)


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
            f"@auth.{decorator}(scopes={{...}}, via=...)"
        )


def is_async(view: Any) -> bool:
    """Whether calling ``view`` gives a coroutine."""
    while isinstance(view, functools.partial):
        view = view.func
    return inspect.iscoroutinefunction(view) or inspect.iscoroutinefunction(getattr(type(view), "__call__", None))  # noqa: B004  # its type's, not whether it is callable


def _name(view: Any) -> str:
    return getattr(view, "__qualname__", None) or repr(view)

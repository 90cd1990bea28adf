"""Guards that a view holds, but that aren't among its decorators.

Flask calls one function per endpoint, and `decorations.iter_wrapped` follows it through ``__wrapped__``,
``partial.func`` and ``__func__``. A wrapper without ``functools.wraps`` ends that way, although it may call a guard. So
the table of routes also looks at what functions hold: closures, default arguments, arguments of a partial, attributes
of the object that a bound method belongs to, and global names that a function uses for a guard.

- A guard that is found in this way may run or not, because the wrapper decides, and no late judgment comes after it. So
  the finding is a doubt, and never makes a route guarded.
- Nothing is called, and no attribute is read that an object computes: only ``__dict__``, closures and containers.
- Apps and blueprints are left out, because they hold all views. So are the objects of this package.
- A guard that a view finds by other ways can't be seen: ``auth.require()``, a look-up by a string.
"""

import functools
from collections.abc import Iterable, Iterator
from types import FunctionType, MemberDescriptorType, MethodType
from typing import Any, Final
from weakref import ReferenceType

from flask.sansio.scaffold import Scaffold
from flask.views import http_method_funcs
from werkzeug.local import LocalProxy

from .decorations import (
    Decorations,
    function_of_method,
    is_guard_of_any,
    listed_method_decorators,
    view_class_of,
)

MAX_OBJECTS: Final = 10_000
"""The most objects that are looked at for one view."""
_LEFT_OUT: Final = (Scaffold, LocalProxy, ReferenceType)
_CONTAINERS: Final = (list, tuple, set, frozenset, dict)
_FUNCTIONS_OF_CLASS: Final = (FunctionType, staticmethod, classmethod)
_PACKAGE: Final = __name__.partition(".")[0]


def iter_visible(view: Any) -> Iterator[Any]:
    """Return the view and what it wraps, outermost first, as `decorations.iter_wrapped` does, with bound methods."""
    seen: set[int] = set()
    while view is not None and id(view) not in seen:
        seen.add(id(view))
        yield view
        view = getattr(view, "__func__", None) or getattr(view, "__wrapped__", None) or getattr(view, "func", None)


def holds_hidden_guard(parts: Iterable[Any]) -> bool:
    """Return whether functions hold a guard that isn't among their decorators. Too much to look at counts as one.

    Args:
        parts: The functions, such as a view, or the methods of a class view that respond to a request.
    """
    visible = [function for part in parts for function in iter_visible(part)]
    kept = {id(function): function for function in visible}  # Objects that are kept never share an id.
    waiting = [held for function in visible for held in _held_by(function)]
    while waiting:
        held = waiting.pop()
        if id(held) in kept:
            continue
        kept[id(held)] = held
        if is_guard_of_any(held) or len(kept) > MAX_OBJECTS:
            return True
        waiting += _held_by(held)
    return False


def may_run_guard(function: Any) -> bool:
    """Return whether a ``before_request`` function has a guard, visible or not, in any `Auth`."""
    # The object that a bound method belongs to is an extension, which may know all views.
    function = getattr(function, "__func__", function)
    return any(map(is_guard_of_any, iter_visible(function))) or holds_hidden_guard([function])


def doubt_about_view(decorations: Decorations, view: Any, method: str, *, any_method: bool) -> str | None:
    """Return why the decorators don't tell whether a view refuses anonymous callers.

    Args:
        decorations: Those of the `Auth` that serves the app.
        view: The view.
        method: The HTTP method of the request.
        any_method: Whether the rule takes any method.

    Returns:
        The reason for the developer; ``None`` if everything can be seen.
    """
    if _is_compiled(view):
        return "the view isn't written in Python, so it may hide a guard"
    handled = view_class_of(view)
    parts = [view] if handled is None else [view, *parts_of_class(handled, method)]
    guards = [function for part in parts for function in iter_visible(part) if is_guard_of_any(function)]
    if not all(map(decorations.is_guard, guards)):
        return "a guard of another Auth is around the view: it makes each request a 500"
    if holds_hidden_guard(parts):
        return "the view holds a guard that may run or not: add functools.wraps to the decorators above the guard"
    return None if handled is None else _doubt_about_class(decorations, handled, method, any_method)


def _doubt_about_class(decorations: Decorations, handled: type, method: str, any_method: bool) -> str | None:
    if decorations.has_unknown_method_decorator(handled, method):
        names = ", ".join(name_of_view(one) for one in listed_method_decorators(handled, method))
        return f"method_decorators are applied anew to each request, so they may hide a guard: {names}"
    guarded = {
        name
        for kind in handled.__mro__
        for name, function in vars(kind).items()
        if type(function) in _FUNCTIONS_OF_CLASS and any(map(is_guard_of_any, iter_visible(function)))
    }
    if not any_method:
        guarded -= {"dispatch_request", *http_method_funcs}
    return f"a guard around {', '.join(sorted(guarded))} of the class may run or not" if guarded else None


def parts_of_class(handled: type, method: str) -> list[Any]:
    """Return the functions of a class view that a request with this method may run."""
    found = (getattr(handled, "dispatch_request", None), function_of_method(handled, method))
    return [one for one in found if one is not None]


def name_of_view(function: Any) -> str:
    """Return module and name of a function, of a class, or of the class of an object."""
    named = function if hasattr(function, "__qualname__") else type(function)
    return f"{named.__module__}:{named.__qualname__}"


def _is_compiled(view: Any) -> bool:
    """Return whether a view isn't written in Python, so that its closure can't be read."""
    *_, innermost = iter_visible(view)
    return not isinstance(innermost, FunctionType) and not isinstance(
        getattr(type(innermost), "__call__", None),  # noqa: B004  # its type's, not whether it is callable
        FunctionType,
    )


def _held_by(holder: Any) -> list[Any]:
    """Return the callables and containers in ``holder``."""
    if issubclass(type(holder), _LEFT_OUT) or _is_of_package(holder):
        return []
    return [one for one in _contents(holder) if callable(one) or type(one) in _CONTAINERS]


def _contents(holder: Any) -> Iterable[Any]:
    kind = type(holder)
    if kind is FunctionType:
        return _held_by_function(holder)
    if kind is MethodType:
        return (holder.__func__, *_attributes(holder.__self__))
    if issubclass(kind, functools.partial):
        return (holder.func, *holder.args, *holder.keywords.values())
    if kind in _CONTAINERS:
        return tuple(holder.values() if kind is dict else holder)
    if issubclass(kind, type):
        return filter(is_guard_of_any, (function for one in holder.__mro__ for function in vars(one).values()))
    return (getattr(kind, "__call__", None), *_attributes(holder))  # noqa: B004  # its type's, not whether it is callable


def _held_by_function(function: FunctionType) -> Iterator[Any]:
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        if name == "__class__":  # of a method that calls super(): its class has other methods
            continue
        try:
            yield cell.cell_contents
        except ValueError:  # The variable has no value yet.
            continue
    yield from function.__defaults__ or ()
    yield from (function.__kwdefaults__ or {}).values()
    yield getattr(function, "__wrapped__", None)
    yield from filter(is_guard_of_any, (function.__globals__.get(name) for name in function.__code__.co_names))


def _attributes(holder: Any) -> Iterable[Any]:
    """Return the values of an object's own attributes, slots included. A class or a module has none here."""
    if issubclass(type(holder), (type, *_LEFT_OUT)) or _is_of_package(holder):
        return ()
    try:
        attributes = object.__getattribute__(holder, "__dict__")
    except AttributeError:
        attributes = None
    values = attributes.values() if type(attributes) is dict else ()
    return (*values, *_values_of_slots(holder))


def _values_of_slots(holder: Any) -> Iterator[Any]:
    for slot in (slot for kind in type(holder).__mro__ for slot in vars(kind).values()):
        if isinstance(slot, MemberDescriptorType):
            try:
                yield slot.__get__(holder)
            except AttributeError:  # It has no value.
                continue


def _is_of_package(holder: Any) -> bool:
    """Return whether an object is one of this package. ``functools.wraps`` can't make a function look so."""
    name = holder.__globals__.get("__name__") if type(holder) is FunctionType else type(holder).__module__
    return str(name).partition(".")[0] == _PACKAGE

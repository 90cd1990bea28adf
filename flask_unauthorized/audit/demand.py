"""`Demand`: what a route demands, as plain values that a lock file can hold, and whether a change lets more callers in.

A change *loosens* a route if and only if some caller is admitted now who was refused before. Callers differ by:

- the scheme of their credentials, or that they send none,
- whether the credentials are valid,
- the scopes, roles, methods (``amr``), class (``acr``) and age of the login that valid ones stand for,
- what each function of ``authorization_details=`` decides about them.

All of these are independent of each other, so a demand is a product of simple sets, and it can be decided exactly
whether one product lies in another. ``implied_scopes`` is resolved before: a group of scopes holds each scope that
meets it.

Two things can't be decided: what an ``unknown`` route demands, and what functions of ``unless=`` return. The answer is
then ``None``, and callers must treat it like "more". So where ``unless=`` stands, only an equal demand is surely no
looser one: a group of scopes that another level covers may be all that holds when that level is dropped.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import IntEnum
from typing import Final, NamedTuple

from ..policy.functions import name_of
from ..policy.plan import accepted_scopes
from ..policy.routes import Route, State
from ..schemes.base import AnyScheme

Groups = frozenset[frozenset[str]]
"""Sets of names. All sets must be met, and any name of a set meets it."""
OPEN_STATES: Final = frozenset({"open", "public"})
"""States in which every caller is admitted, whatever the credentials."""
_OPENNESS: Final[Mapping[str, int]] = {"guarded": 0, "conditional": 1, "optional": 2, "public": 3, "open": 3}
_ANOTHER_SCHEME: Final = ""
"""Stands for all callers without credentials of a scheme in force, anonymous ones included."""


class Demand(NamedTuple):
    """What one method of a route demands.

    Attributes:
        state: As in `Route`.
        optional: Whether anonymous callers pass while no function of ``unless=`` returns ``True``.
        schemes: The names of the schemes in force, as `names_of_schemes` gives them.
        scopes: Groups of scopes, with those that imply one of them.
        roles: Groups of roles.
        amr: Groups of authentication methods.
        acr: The acceptable classes of a login; empty for any.
        max_age: The longest time since the login, in seconds.
        details: The names of the functions of ``authorization_details=``.
        unless: The names of the functions of ``unless=``.
        levels: Which level demands what. Empty without ``unless``, because the rest then says all.
    """

    state: State
    optional: bool = False
    schemes: frozenset[str] = frozenset()
    scopes: Groups = frozenset()
    roles: Groups = frozenset()
    amr: Groups = frozenset()
    acr: frozenset[str] = frozenset()
    max_age: int | None = None
    details: frozenset[str] = frozenset()
    unless: frozenset[str] = frozenset()
    levels: tuple[str, ...] = ()


def names_of_schemes(schemes: Sequence[AnyScheme]) -> dict[AnyScheme, str]:
    """Return a name for each scheme of an `Auth`: that of its class of credentials, with a number if several share it.

    The number follows the order of the schemes in ``Auth(...)``.
    """
    names: dict[AnyScheme, str] = {}
    for scheme in schemes:
        same = [other for other in schemes if other.name == scheme.name]
        names[scheme] = scheme.name if len(same) == 1 else f"{scheme.name}#{same.index(scheme) + 1}"
    return names


def demand_of(route: Route, names: Mapping[AnyScheme, str], implied_scopes: Mapping[str, frozenset[str]]) -> Demand:
    """Return what a route demands.

    Args:
        route: An entry of the table of routes.
        names: The names of all schemes of the `Auth`.
        implied_scopes: All scopes that each scope includes, also indirectly.
    """
    required = route.requirement
    if required is None:
        return Demand(route.state)
    return Demand(
        state=route.state,
        optional=required.optional,
        schemes=frozenset(names[scheme] for scheme in route.schemes),
        scopes=frozenset(accepted_scopes(group, implied_scopes) for group in required.scopes),
        roles=frozenset(map(frozenset, required.roles)),
        amr=frozenset(map(frozenset, required.amr)),
        acr=frozenset(required.acr),
        max_age=required.max_age,
        details=_names_of_functions(required.authorization_details),
        unless=_names_of_functions(required.unless),
        levels=route.levels if required.unless else (),
    )


def _names_of_functions(functions: Iterable[Callable[..., object]]) -> frozenset[str]:
    """Return a name for each function. If several have one name, all but the first have a number.

    Otherwise a demand would seem to be the same after one of two lambdas is gone.
    """
    counted: Counter[str] = Counter()
    names = []
    for function in functions:
        name = name_of(function)
        counted[name] += 1
        names.append(name if counted[name] == 1 else f"{name}#{counted[name]}")
    return frozenset(names)


def admits_more(old: Demand, new: Demand) -> bool | None:
    """Return whether ``new`` admits a caller whom ``old`` refuses; ``None`` if that can't be decided."""
    if old == new or old.state in OPEN_STATES:
        return False
    if "unknown" in (old.state, new.state):
        return None
    if _OPENNESS[new.state] > _OPENNESS[old.state] or _admits_more_if_all_levels_hold(old, new):
        return True
    return None if old.unless or new.unless else False


class _Admitted(IntEnum):
    """Which callers with credentials of one scheme are admitted."""

    NOBODY = 0
    THOSE_WHO_MEET_THE_DEMAND = 1
    EVERYBODY = 2


def _admits_more_if_all_levels_hold(old: Demand, new: Demand) -> bool:
    implied = _implies(new, old)
    for scheme in old.schemes | new.schemes | {_ANOTHER_SCHEME}:
        before, now = _admitted(old, scheme), _admitted(new, scheme)
        if now > before or (now == before == _Admitted.THOSE_WHO_MEET_THE_DEMAND and not implied):
            return True
    return False


def _admitted(demand: Demand, scheme: str) -> _Admitted:
    """Return who is admitted. Credentials of a scheme that isn't in force count as none."""
    if demand.state in OPEN_STATES:
        return _Admitted.EVERYBODY
    if scheme in demand.schemes:
        return _Admitted.THOSE_WHO_MEET_THE_DEMAND
    return _Admitted.EVERYBODY if demand.optional else _Admitted.NOBODY


def _implies(new: Demand, old: Demand) -> bool:
    """Return whether each valid login that meets ``new`` also meets ``old``."""
    return (
        _groups_imply(new.scopes, old.scopes)
        and _groups_imply(new.roles, old.roles)
        and _groups_imply(new.amr, old.amr)
        and (not old.acr or (bool(new.acr) and new.acr <= old.acr))
        and (old.max_age is None or (new.max_age is not None and new.max_age <= old.max_age))
        and old.details <= new.details
    )


def _groups_imply(new: Groups, old: Groups) -> bool:
    """Return whether callers who meet all groups of ``new`` meet all of ``old``: each has a part of it in ``new``."""
    return all(any(group <= wider for group in new) for wider in old)


def shown_rule(rule: str, host: str | None, subdomain: str | None) -> str:
    """Return a rule with its host for readers: ``api.example/notes``, or ``api./notes`` for a subdomain."""
    return f"{host or (f'{subdomain}.' if subdomain else '')}{rule}"


def describe(demand: Demand) -> str:
    """Return who is admitted, in a few words, without the schemes."""
    if demand.state == "open":
        return "OPEN"
    if demand.state in ("public", "unknown"):
        return demand.state
    words = [word for word in _words(demand) if word]
    if demand.state == "guarded":
        return ", ".join(words) or "authenticated"
    return ", ".join((demand.state, *words))


def _words(demand: Demand) -> Iterable[str]:
    yield from (f"{what} {_shown(groups)}" for what, groups in _grouped(demand) if groups)
    yield f"acr {' or '.join(sorted(demand.acr))}" if demand.acr else ""
    yield "" if demand.max_age is None else f"max_age {demand.max_age}"
    yield f"authorization_details {' '.join(sorted(demand.details))}" if demand.details else ""
    yield f"unless {' '.join(sorted(demand.unless))}" if demand.unless else ""


def _grouped(demand: Demand) -> tuple[tuple[str, Groups], ...]:
    return ("scopes", demand.scopes), ("roles", demand.roles), ("amr", demand.amr)


def _shown(groups: Groups) -> str:
    return " ".join(sorted("|".join(sorted(group)) for group in groups))

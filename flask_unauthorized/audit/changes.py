"""What has changed between two lock files: for each method of each rule, whether more or fewer callers are admitted."""

from collections.abc import Iterator
from typing import NamedTuple

from .demand import Demand, admits_more, describe, shown_rule
from .lock_file import ANY_METHOD, Lock, Place


class Change(NamedTuple):
    """A change of some methods of a rule.

    Attributes:
        label: ``"loosened"``, ``"tightened"``, ``"loosened and tightened"``, ``"equivalent"``, ``"unclear"``,
            ``"added"``, ``"added-open"`` or ``"removed"``.
        place: The rule.
        methods: The methods that share the change.
        old: What was demanded; ``None`` if the route is new.
        new: What is demanded; ``None`` if the route is gone.
        may_loosen: Whether the route may admit a caller now whom it refused before. ``True`` if this can't be decided.
    """

    label: str
    place: Place
    methods: tuple[str, ...]
    old: Demand | None
    new: Demand | None
    may_loosen: bool

    def __str__(self) -> str:
        was, now = (_described(demand) for demand in (self.old, self.new))
        return f"{self.label}: {self.subject}: {was} -> {now}"

    @property
    def subject(self) -> str:
        """What the change is about: methods, host and rule."""
        place = self.place
        return f"{' '.join(self.methods)} {shown_rule(place.rule, place.host, place.subdomain)}"


def find_changes(old: Lock, new: Lock) -> tuple[Change, ...]:
    """Return all changes, those that may loosen a route first, then by rule and methods."""
    found = [change for place in {**old, **new} for change in _changes_of_rule(place, old, new)]
    return tuple(sorted(found, key=lambda change: (not change.may_loosen, change.place, change.methods)))


def _changes_of_rule(place: Place, old: Lock, new: Lock) -> Iterator[Change]:
    before, now = old.get(place, {}), new.get(place, {})
    groups: dict[tuple[Demand | None, Demand | None], list[str]] = {}
    for method in sorted({**before, **now}):
        pair = before.get(method, before.get(ANY_METHOD)), now.get(method, now.get(ANY_METHOD))
        if pair[0] != pair[1]:
            groups.setdefault(pair, []).append(method)
    for (was, is_now), methods in groups.items():
        label, may_loosen = _judge(was, is_now)
        yield Change(label, place, tuple(methods), was, is_now, may_loosen)


def _judge(old: Demand | None, new: Demand | None) -> tuple[str, bool]:
    """Return the label of a change, and whether it may loosen the route."""
    if new is None:
        return "removed", False
    if old is None:
        # A caller without credentials is admitted, or may be.
        return ("added", False) if new.state == "guarded" else ("added-open", True)
    more, fewer = admits_more(old, new), admits_more(new, old)
    may_loosen = more is not False
    if more is None or (not may_loosen and fewer is None):
        return "unclear", may_loosen
    words = [word for word, holds in (("loosened", more), ("tightened", fewer)) if holds]
    return " and ".join(words) or "equivalent", may_loosen


def _described(demand: Demand | None) -> str:
    if demand is None:
        return "no route"
    return f"{describe(demand)} via {' '.join(sorted(demand.schemes))}" if demand.schemes else describe(demand)

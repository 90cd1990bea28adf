"""The lock file: what each route demands, as text that is reviewed and merged like code.

Each method group of a rule is a block. Its first line names the methods and the rule, and each further line holds one
demand. There are no line numbers and no file names, so only a change of a demand changes the file::

    # flask_unauthorized lock 1. Written by `flask unauthorized audit --freeze`.

    GET HEAD /notes
      guarded
      scope notes:read or notes:write
      via Bearer

Words are separated by spaces. A word with other characters than `_PLAIN` is a JSON string, in ASCII. So is a rule with
characters that aren't printable, or with spaces at its end. `parse` refuses each line that `render` doesn't write,
such as a state or a ``max_age`` that stands twice after a merge, because a line that is skipped would hide a demand.
"""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple, get_args

from ..policy.routes import Kind, Route, State
from .demand import Demand, Groups

HEAD: Final = "# flask_unauthorized lock 1. Written by `flask unauthorized audit --freeze`."
"""The first line of a lock file. The number is that of the format."""
ANY_METHOD: Final = "*"
_PLAIN: Final = re.compile(r"[\w.:/*+~#@<>$-]+", re.ASCII)
_WORD: Final = re.compile(r'"(?:[^"\\]|\\.)*"|\S+')
_METHOD: Final = r"[!$%&'*+.^_`|~0-9A-Z-][!#$%&'*+.^_`|~0-9A-Z-]*"  # RFC 9110 §9.1; a line with # first is a comment
_BLOCK: Final = re.compile(rf'({_METHOD}(?: {_METHOD})*) (/.*|".*")', re.DOTALL)
_LINE_END: Final = re.compile(r"\r\n|\n|\r")  # not str.splitlines(), which splits at characters that rules may have


class LockError(Exception):
    """The text isn't a lock file that this version can read."""


class Place(NamedTuple):
    """Where a demand holds: a rule, without its methods."""

    rule: str
    host: str = ""
    subdomain: str = ""
    kind: Kind = "view"
    endpoint: str = ""
    """Only of a view that no request reaches, because an endpoint that was added before has the rule and method."""


Lock = dict[Place, dict[str, Demand]]
"""By rule and method, what is demanded. A rule that takes any method has the method `ANY_METHOD`."""


def make_lock(routes: Iterable[tuple[Route, Demand]]) -> Lock:
    """Return what is locked of a table of routes. Rules that only build URLs are left out: no request reaches them.

    Of several endpoints with one rule and method, requests reach the one that is first in the table. It has a plain
    `Place`, so that another order, or an endpoint that is put before it, changes what is locked there.
    """
    lock: Lock = {}
    for route, demand in routes:
        if route.kind == "build_only":
            continue
        place = _place(route)
        for method in route.methods or (ANY_METHOD,):
            reached = lock.setdefault(place, {})
            if method in reached or ANY_METHOD in reached:
                reached = lock.setdefault(place._replace(endpoint=route.endpoint), {})
            reached.setdefault(method, demand)
    return {place: methods for place, methods in lock.items() if methods}


def _place(route: Route) -> Place:
    return Place(route.rule, route.host or "", route.subdomain or "", route.kind)


def grouped(methods: Mapping[str, Demand]) -> Iterator[tuple[tuple[str, ...], Demand]]:
    """Give the methods that share a demand, sorted."""
    groups: dict[Demand, list[str]] = {}
    for method in sorted(methods):
        groups.setdefault(methods[method], []).append(method)
    for demand, names in sorted(groups.items(), key=lambda group: group[1]):
        yield tuple(names), demand


def render(lock: Lock) -> str:
    """Return the text of a lock file."""
    blocks = [
        "\n".join((_head(methods, place), *(f"  {line}" for line in _lines(place, demand))))
        for place in sorted(lock)
        for methods, demand in grouped(lock[place])
    ]
    return "\n\n".join((HEAD, *blocks)) + "\n"


def _head(methods: Iterable[str], place: Place) -> str:
    is_plain = place.rule.isprintable() and place.rule == place.rule.strip()
    return f"{' '.join(methods)} {place.rule if is_plain else json.dumps(place.rule)}"


def _lines(place: Place, demand: Demand) -> Iterator[str]:
    yield f"{demand.state} for everybody" if demand.optional and demand.state != "optional" else demand.state
    for name in ("host", "subdomain", "endpoint"):
        if getattr(place, name):
            yield f"{name} {_quoted(getattr(place, name))}"
    if place.kind != "view":
        yield f"kind {place.kind}"
    for keyword, groups in _alternatives(demand):
        yield from (f"{keyword} {' or '.join(map(_quoted, group))}" for group in sorted(map(sorted, groups)))
    if demand.max_age is not None:
        yield f"max_age {demand.max_age}"
    for keyword, names in _single_names(demand):
        yield from (f"{keyword} {_quoted(name)}" for name in names)


def _alternatives(demand: Demand) -> tuple[tuple[str, Groups], ...]:
    acr: Groups = frozenset({demand.acr} if demand.acr else ())
    return ("scope", demand.scopes), ("role", demand.roles), ("amr", demand.amr), ("acr", acr)


def _single_names(demand: Demand) -> tuple[tuple[str, Iterable[str]], ...]:
    return (
        ("authorization_details", sorted(demand.details)),
        ("via", sorted(demand.schemes)),
        ("unless", sorted(demand.unless)),
        ("level", demand.levels),
    )


def _quoted(word: str) -> str:
    return word if _PLAIN.fullmatch(word) and word != "or" else json.dumps(word)


def parse(text: str) -> Lock:
    """Return what a lock file says.

    Raises:
        LockError: If the text has another format, a line that `render` doesn't write, or a method of a rule twice.
    """
    lines = _LINE_END.split(text)
    if lines[0].rstrip() != HEAD:
        raise LockError(f"line 1 must be {HEAD!r}: write the file with --freeze")
    lock: Lock = {}
    block: _Block | None = None
    for number, line in enumerate(lines[1:], 2):
        try:
            if not line.strip() or line.startswith("#"):
                continue
            if not line.startswith(" "):
                _close(block, lock)
                block = _Block(line.rstrip())
            elif block is None:
                raise LockError("a demand must follow a line with methods and a rule")
            else:
                block.add(line.strip())
        except (LockError, ValueError) as error:
            raise LockError(f"line {number}, {line!r}: {error}") from None
    _close(block, lock)
    return lock


class _Block:
    """The lines of one block, as they are read."""

    def __init__(self, head: str) -> None:
        found = _BLOCK.fullmatch(head)
        if found is None:
            raise LockError("expected methods and a rule, such as GET HEAD /notes")
        self.methods = found[1].split(" ")
        self.place: dict[str, Any] = {"rule": _unquoted(found[2])}
        self.demand: dict[str, Any] = {}
        self.lines: list[str] = []

    def add(self, line: str) -> None:
        self.lines.append(line)
        keyword, *raw = _WORD.findall(line)
        if keyword in get_args(State):
            self.demand["state"] = keyword
            self.demand["optional"] = keyword == "optional" or raw == ["for", "everybody"]
            return
        read = _KEYWORDS.get(keyword)
        if read is None or not raw:
            raise LockError(f"{keyword!r} without a value" if read else f"{keyword!r} is unknown: use --freeze")
        read(self, keyword, raw)


def _close(block: _Block | None, lock: Lock) -> None:
    if block is None:
        return
    if "state" not in block.demand:
        raise LockError(f"the block of {block.place['rule']!r} names no state, such as guarded or open")
    place, demand = Place(**block.place), Demand(**block.demand)
    for line in (Counter(block.lines) - Counter(_lines(place, demand))).elements():
        raise LockError(
            f"the line {line!r} of the block of {place.rule!r} stands twice or contradicts another one: resolve the "
            "merge, or use --freeze"
        )
    methods = lock.setdefault(place, {})
    for method in block.methods:
        if method in methods:
            raise LockError(f"{method} {place.rule} is there twice: resolve the merge, or use --freeze")
        methods[method] = demand


def _unquoted(word: str) -> str:
    return str(json.loads(word)) if word.startswith('"') else word


def _names(raw: list[str]) -> frozenset[str]:
    """Return the names of ``a or b``."""
    if len(raw) % 2 == 0 or any(word != "or" for word in raw[1::2]):
        raise LockError("expected names with 'or' between them")
    return frozenset(map(_unquoted, raw[::2]))


def _one(raw: list[str]) -> str:
    if len(raw) != 1:
        raise LockError("expected one word")
    return _unquoted(raw[0])


def _group(field: str) -> Callable[[_Block, str, list[str]], None]:
    def read(block: _Block, keyword: str, raw: list[str]) -> None:
        groups: Groups = block.demand.get(field, frozenset())
        block.demand[field] = groups | {_names(raw)}

    return read


def _member(field: str) -> Callable[[_Block, str, list[str]], None]:
    def read(block: _Block, keyword: str, raw: list[str]) -> None:
        block.demand[field] = block.demand.get(field, frozenset()) | {_one(raw)}

    return read


def _read_place(block: _Block, keyword: str, raw: list[str]) -> None:
    block.place[keyword] = _one(raw)
    if keyword == "kind" and block.place[keyword] not in get_args(Kind):
        raise LockError(f"{block.place[keyword]!r} isn't one of {', '.join(get_args(Kind))}")


def _read_acr(block: _Block, keyword: str, raw: list[str]) -> None:
    block.demand["acr"] = _names(raw)


def _read_max_age(block: _Block, keyword: str, raw: list[str]) -> None:
    block.demand["max_age"] = int(_one(raw))


def _read_level(block: _Block, keyword: str, raw: list[str]) -> None:
    block.demand["levels"] = (*block.demand.get("levels", ()), _one(raw))


_KEYWORDS: Final[Mapping[str, Callable[[_Block, str, list[str]], None]]] = {
    "scope": _group("scopes"),
    "role": _group("roles"),
    "amr": _group("amr"),
    "acr": _read_acr,
    "max_age": _read_max_age,
    "via": _member("schemes"),
    "authorization_details": _member("details"),
    "unless": _member("unless"),
    "level": _read_level,
    **dict.fromkeys(("host", "subdomain", "kind", "endpoint"), _read_place),
}

"""Large apps: what set-up, first request, check, table of routes and audit take, and how that grows.

``python benchmarks/scale.py`` prints the tables. ``python benchmarks/load.py`` puts them into the page.
"""

import argparse
import functools
import gc
import itertools
import json
import logging
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from contenders.base import TOKEN, answer, bearer, new_app, token_check
from flask import Blueprint, Flask

from flask_unauthorized import Auth, Bearer, Identity
from flask_unauthorized.audit.demand import demand_of
from flask_unauthorized.audit.findings import find_mistakes
from flask_unauthorized.audit.lock_file import make_lock, render
from flask_unauthorized.audit.read_app import read_app
from flask_unauthorized.runtime.app_state import app_state_of

LIMIT = 12.0
"""Ten times the size may take this many times as long. More isn't linear."""
ROUTES_OF_EACH = 10  # of each blueprint, and of each of many apps
SHAPES = {
    "routes": "routes of one app",
    "blueprints": "blueprints with ten routes each, all protected",
    "nested": "blueprints with ten routes each, nested three deep, all protected",
    "one-auth": "apps with ten routes each, one Auth for all",
    "auth-each": "apps with ten routes each, an Auth each",
}
STEPS = {
    "set_up": "set-up",
    "first": "first request",
    "check": "`auth.check`",
    "table": "`auth.routes`",
    "audit": "audit",
}
FULL = {
    "routes": (100, 1_000, 10_000),
    "blueprints": (10, 100, 1_000),
    "nested": (10, 100, 1_000),
    "one-auth": (1, 10, 100),
    "auth-each": (1, 10, 100),
}
QUICK = {
    "routes": (100, 1_000),
    "blueprints": (10, 100),
    "nested": (10, 100),
    "one-auth": (1, 10),
    "auth-each": (1, 10),
}


class Scale(NamedTuple):
    """One size of one shape: milliseconds of processor time by step, microseconds per request, MiB."""

    size: int
    steps: Mapping[str, float]
    bare_steps: Mapping[str, float]  # set-up and first request of the same without this extension
    request: float  # each route once more, after a first round through all of them
    bare_request: float
    memory: float | None  # private, after the first requests; None where the system doesn't tell
    bare_memory: float | None


Scales = Mapping[str, list[Scale]]
"""By shape."""


def measure(quick: bool, say: Callable[[str], None]) -> Scales:
    """All sizes of all shapes, in a new process for each measurement."""
    return {
        shape: [_measure_one(shape, size, 1 if quick else 3, say) for size in sizes]
        for shape, sizes in (QUICK if quick else FULL).items()
    }


def _measure_one(shape: str, size: int, repetitions: int, say: Callable[[str], None]) -> Scale:
    say(f"{size} {SHAPES[shape]}")
    ours = [_in_new_process("time", "ours", shape, size) for _ in range(repetitions)]
    bare = [_in_new_process("time", "bare", shape, size) for _ in range(repetitions)]
    steps = {name: statistics.median(one[name] for one in ours) for name in (*STEPS, "request")}
    bare_steps = {name: statistics.median(one[name] for one in bare) for name in ("set_up", "first", "request")}
    return Scale(
        size,
        steps,
        bare_steps,
        steps.pop("request"),
        bare_steps.pop("request"),
        _in_new_process("memory", "ours", shape, size).get("memory"),
        _in_new_process("memory", "bare", shape, size).get("memory"),
    )


def _in_new_process(what: str, kind: str, shape: str, size: int) -> dict[str, float]:
    command = [sys.executable, __file__, "--one", what, kind, shape, str(size)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


# --- in the new process


def _run_one(what: str, kind: str, shape: str, size: int) -> dict[str, float]:
    logging.getLogger().addHandler(logging.NullHandler())  # or Python prints warnings on the console
    warm_up = _build(kind, "nested", 11)  # what is imported at the first use isn't measured
    _first_requests(warm_up)
    if kind == "ours":
        _ask_ours(_build(kind, "nested", 11))
    del warm_up
    return _time(kind, shape, size) if what == "time" else _weigh(kind, shape, size)


def _time(kind: str, shape: str, size: int) -> dict[str, float]:
    gc.collect()
    gc.disable()  # its share depends on all that a process holds, Flask's routes too
    begun = _clock()
    apps = _build(kind, shape, size)
    found = {"set_up": _clock() - begun}
    if kind == "ours":
        found.update(_ask_ours(apps))
    begun = _clock()
    _first_requests(apps)
    found["first"] = _clock() - begun
    _go_round(apps)
    begun = _clock()
    count = _go_round(apps)
    return {**found, "request": (_clock() - begun) * 1000 / count}


def _ask_ours(apps: "list[Built]") -> dict[str, float]:
    spent = dict.fromkeys(("check", "table", "audit"), 0.0)
    for built in apps:
        assert built.auth is not None
        begun = _clock()
        built.auth.check(built.app)
        checked = _clock()
        built.auth.routes(built.app)
        listed = _clock()
        _audit(built.app)
        spent["check"] += checked - begun
        spent["table"] += listed - checked
        spent["audit"] += _clock() - listed
    return spent


def _audit(app: Flask) -> None:
    """What ``flask unauthorized audit --freeze`` and the table of findings need."""
    state = app_state_of(app)
    audited, mistake = read_app(state)
    assert mistake is None, mistake
    demands = [(route, demand_of(route, audited.names, state.configuration.implied_scopes)) for route in audited.routes]
    render(make_lock(demands))
    find_mistakes(audited)


def _weigh(kind: str, shape: str, size: int) -> dict[str, float]:
    before = _private()
    apps = _build(kind, shape, size)
    _first_requests(apps)
    after = _private()
    return {} if before is None or after is None else {"memory": (after - before) / 1024}


def _clock() -> float:
    return time.thread_time_ns() / 1e6


def _private() -> float | None:
    """KiB of memory that only this process has."""
    gc.collect()
    smaps = Path("/proc/self/smaps_rollup")
    if not smaps.exists():
        return None
    return sum(int(line.split()[1]) for line in smaps.read_text().splitlines() if line.startswith("Private_"))


# --- the apps


class Built(NamedTuple):
    """One app, the `Auth` that serves it, and the paths of its routes."""

    app: Flask
    auth: Auth[Any] | None
    paths: list[str]


def _build(kind: str, shape: str, size: int) -> list[Built]:
    make = {"routes": _with_routes, "blueprints": _with_blueprints, "nested": _with_nested}.get(shape)
    if make is not None:
        return [make(_new_auth(kind), size)]
    shared = _new_auth(kind)
    return [_with_routes(shared if shape == "one-auth" else _new_auth(kind), ROUTES_OF_EACH) for _ in range(size)]


def _new_auth(kind: str) -> Auth[Any] | None:
    return Auth(Bearer(token_check(lambda name: Identity(name, scopes=_all_scopes())))) if kind == "ours" else None


@functools.cache
def _all_scopes() -> frozenset[str]:
    """The scopes of a caller who may do everything, because of ten routes each has a scope of its own."""
    return frozenset(map(_scope, range(max(FULL["routes"]))))


def _scope(number: int) -> str:
    return f"area{number // ROUTES_OF_EACH}:read"


def _new_app(auth: Auth[Any] | None) -> Flask:
    app = new_app()
    if auth is not None:
        auth.init_app(app)
    return app


def _with_routes(auth: Auth[Any] | None, size: int) -> Built:
    app = _new_app(auth)
    return Built(app, auth, list(_add_routes(app, "", auth, size)))


def _with_blueprints(auth: Auth[Any] | None, size: int) -> Built:
    app = _new_app(auth)
    paths: list[str] = []
    for number in range(size):
        blueprint = _new_blueprint(auth, number)
        paths += _add_routes(blueprint, f"/{number}", auth, ROUTES_OF_EACH, number * ROUTES_OF_EACH)
        app.register_blueprint(blueprint, url_prefix=f"/{number}")
    return Built(app, auth, paths)


def _with_nested(auth: Auth[Any] | None, size: int) -> Built:
    app = _new_app(auth)
    paths: list[str] = []
    blueprints = [_new_blueprint(auth, number) for number in range(size)]
    for number in reversed(range(size)):  # what is inside must be registered first
        paths += _add_routes(blueprints[number], _prefix(number), auth, ROUTES_OF_EACH, number * ROUTES_OF_EACH)
        parent = _parent(number)
        place = app if parent is None else blueprints[parent]
        place.register_blueprint(blueprints[number], url_prefix=f"/{number}")
    return Built(app, auth, paths)


def _parent(number: int) -> int | None:
    """Of ten blueprints, the first holds three, and two of these hold three each."""
    place = number % 10
    return None if not place else number - place + (0 if place < 4 else (place - 1) // 3)


def _prefix(number: int) -> str:
    parent = _parent(number)
    return f"{'' if parent is None else _prefix(parent)}/{number}"


def _new_blueprint(auth: Auth[Any] | None, number: int) -> Blueprint:
    blueprint = Blueprint(f"blueprint{number}", __name__)
    if auth is not None:
        auth.protect(blueprint)
    return blueprint


def _add_routes(
    place: Flask | Blueprint, prefix: str, auth: Auth[Any] | None, count: int, first: int = 0
) -> Iterator[str]:
    """Adds views as apps have them. Of ten, seven are guarded, one is optional, and two have other decorators."""
    for number in range(count):
        kind = number % 10
        view = _new_view()
        if kind > 7:
            view = _traced(view)
        if auth is not None:
            if kind == 7:
                view = auth.login_optional(view)
            elif kind == 8:
                view = auth.public(reason="a health check")(view)
            else:
                view = auth.login_required(scopes={_scope(first + number)})(view)
        if kind > 7:
            view = _traced(view)
        place.add_url_rule(f"/view-{number}", f"view-{number}", view)
        yield f"{prefix}/view-{number}"


def _new_view() -> Callable[[], str]:
    def view() -> str:
        return "hello"

    return view


def _traced(view: Callable[[], str]) -> Callable[[], str]:
    """Another decorator, which does nothing."""

    @functools.wraps(view)
    def traced() -> str:
        return view()

    return traced


def _first_requests(apps: list[Built]) -> None:
    for built in apps:
        _ask(built.app, built.paths[0])


def _go_round(apps: list[Built]) -> int:
    """Asks for each route once, and returns how many there are."""
    for built in apps:
        for path in built.paths:
            _ask(built.app, path)
    return sum(len(built.paths) for built in apps)


def _ask(app: Flask, path: str) -> None:
    got = answer(app, {**bearer(TOKEN), "PATH_INFO": path, "RAW_URI": path})
    if (got.status, got.body) != (200, b"hello"):
        raise AssertionError(f"{path} answered {got}, but 200 is due")


# --- the tables


def section(scales: Scales) -> str:
    """The section of the page."""
    tables = "\n".join(_table_of(SHAPES[shape], found) for shape, found in scales.items())
    return f"""## Scale of an app

Processor time in milliseconds, each in new processes, without the cycle collector. A small app has had its requests
before. Flask's own share is in parentheses: the same app without this extension.

- *First request*: it includes the check.
- *Audit*: what `--freeze` and the findings need, with the table of routes.
- *Growth*: the step that grew most over the row above. Ten times the size is linear up to {LIMIT:.0f}.
- *A request*: one of a round through all routes, after a first round.
- *Memory*: what set-up and first request have left in the process.

Of ten views, seven are guarded, one is optional and two are public or guarded between other decorators. Each ten routes
have a scope that no others have.

{tables}"""


def _table_of(title: str, found: list[Scale]) -> str:
    head = (title, *STEPS.values(), "growth", "a request, µs", "memory, MiB")
    rows = [head, ("---:",) * len(head)]
    for before, one in zip((None, *found), found, strict=False):
        cells = [
            f"{one.steps[name]:.1f}" + (f" ({one.bare_steps[name]:.1f})" if name in one.bare_steps else "")
            for name in STEPS
        ]
        memory = "not told" if one.memory is None else f"{one.memory:.1f} ({one.bare_memory:.1f})"
        growth = "" if before is None else _shown_growth(before, one)
        rows.append(
            (f"{one.size:,}".replace(",", " "), *cells, growth, f"{one.request:.0f} ({one.bare_request:.0f})", memory)
        )
    return "".join("| " + " | ".join(row) + " |\n" for row in rows)


def steepest(found: Sequence[Scale]) -> tuple[str, float]:
    """The step that grew most from one size to the next, and by how much."""
    factors = (
        (name, after.steps[name] / before.steps[name]) for before, after in itertools.pairwise(found) for name in STEPS
    )
    return max(factors, key=lambda one: one[1])


def _shown_growth(before: Scale, after: Scale) -> str:
    name, factor = steepest((before, after))
    text = f"{factor:.1f} x, {STEPS[name]}"
    return f"**{text}**" if factor > LIMIT else text


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description="Measures large apps, and prints the tables.")
    parser.add_argument("--quick", action="store_true", help="small apps: whether all works")
    parser.add_argument("--one", nargs=4, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        what, kind, shape, size = arguments.one
        print(json.dumps(_run_one(what, kind, shape, int(size))))
    else:
        print(section(measure(arguments.quick, lambda text: print(text, file=sys.stderr, flush=True))))


if __name__ == "__main__":
    main()

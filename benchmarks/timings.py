"""Time: contenders in alternation with the bare view, in one process, without sockets."""

import gc
import random
import statistics
import sys
import time
from collections.abc import Sequence
from typing import NamedTuple

from contenders import all_contenders
from contenders.base import BARE, Answer, Entry, Ready, new_app, new_view, prepare
from contenders.none import ROUTES
from contenders.ours import demanding, token_schemes

from flask_unauthorized import Auth

# The processor time of this thread: what other processes do doesn't count. Windows' clock for it is too coarse.
_clock = time.perf_counter_ns if sys.platform == "win32" else time.thread_time_ns
SEED = 9110
WARM_UP = 5  # requests before each batch: the contender before it has left the processor's caches to others


class Timing(NamedTuple):
    """What a request costs above the bare view's, in microseconds, and the whole request over the bare one."""

    overhead: float
    low: float  # quartiles of the rounds
    high: float
    ratio: float


class Timings(NamedTuple):
    """All that was timed in one process."""

    bare: float  # microseconds
    by_entry: dict[Entry, Timing]
    answers: dict[Entry, Answer]
    garbage: dict[Entry, float]


def measure(rounds: int, batch: int) -> Timings:
    """Times every case of every contender, each batch between two of the bare view."""
    entries = [prepare(contender, case) for contender in all_contenders() for case in contender.cases]
    bare = next(entry for entry in entries if (entry.key, entry.case) == BARE)
    gc.collect()
    gc.freeze()  # or the collector would walk through all these apps again and again
    spent, bares = _alternate(entries, bare, rounds, batch)
    timings = {entry: _summary(differences, ratios) for entry, (differences, ratios) in spent.items()}
    return Timings(
        bare=statistics.median(bares),
        by_entry=timings,
        answers={(entry.key, entry.case): entry.answer for entry in entries},
        garbage={(entry.key, entry.case): _garbage(entry) for entry in entries},
    )


_Spent = dict[Entry, tuple[list[float], list[float]]]


def _alternate(entries: list[Ready], bare: Ready, rounds: int, batch: int) -> tuple[_Spent, list[float]]:
    shuffled = list(entries)
    order = random.Random(SEED)
    spent: _Spent = {(entry.key, entry.case): ([], []) for entry in entries}
    bares = []
    for _ in range(rounds):
        order.shuffle(shuffled)
        before = _time(bare, batch)
        for entry in shuffled:
            whole = _time(entry, batch)
            after = _time(bare, batch)
            alone = (before + after) / 2
            differences, ratios = spent[entry.key, entry.case]
            differences.append(whole - alone)
            ratios.append(whole / alone)
            bares.append(after)
            before = after
    return spent, bares


def _time(entry: Ready, batch: int) -> float:
    """Microseconds per request."""
    entry.provide(WARM_UP + batch)
    send = entry.send
    for _ in range(WARM_UP):
        send()
    begun = _clock()
    for _ in range(batch):
        send()
    return (_clock() - begun) / batch / 1000


def _summary(differences: Sequence[float], ratios: Sequence[float]) -> Timing:
    low, middle, high = statistics.quantiles(differences, n=4)
    return Timing(middle, low, high, statistics.median(ratios))


def _garbage(entry: Ready, requests: int = 100) -> float:
    """Objects per request that only the cycle collector frees."""
    entry.provide(requests)
    gc.collect()
    gc.disable()
    try:
        for _ in range(requests):
            entry.send()
        return gc.collect() / requests
    finally:
        gc.enable()


# --- start-up


class StartUp(NamedTuple):
    """Milliseconds to build an app with so many routes, and those that its first request takes."""

    build: float
    first: float


def start_ups(repetitions: int) -> dict[tuple[str, int], StartUp]:
    """The start-up of bare apps and ours, by number of routes."""
    counts = (1, *ROUTES)
    found: dict[tuple[str, int], list[StartUp]] = {(kind, count): [] for kind in ("bare", "ours") for count in counts}
    for _ in range(repetitions):
        for (kind, count), seen in found.items():
            seen.append(_start_up(kind, count))
    return {
        what: StartUp(*(statistics.median(values) for values in zip(*seen, strict=True)))
        for what, seen in found.items()
    }


def _start_up(kind: str, routes: int) -> StartUp:
    app = new_app()
    gc.collect()
    begun = _clock()
    decorate = demanding(Auth(*token_schemes(), app=app), "held") if kind == "ours" else lambda view: view
    for number in range(routes):
        app.add_url_rule(f"/{number}", f"view-{number}", decorate(new_view()))
    built = _clock()
    client = app.test_client()
    before = _clock()
    client.get("/0")
    return StartUp((built - begun) / 1e6, (_clock() - before) / 1e6)

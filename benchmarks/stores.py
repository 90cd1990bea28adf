"""What one operation of a store costs, by itself."""

import itertools
import random
import statistics
import time
from collections.abc import Callable
from typing import NamedTuple

from contenders.stores import makers

from flask_unauthorized.stores.base import Store

LIFETIME = 420.0  # seconds: that of a Digest nonce's counts, which is its own and the clocks' tolerance
KEYS = 100  # those that live at once, where an operation doesn't make one
LABELS = {"memory": "MemoryStore", "sqlite": "SQLiteStore", "redis": "RedisStore"}
SEED = 9111


class Operation(NamedTuple):
    """Medians, in microseconds: this thread's processor time, and what a clock on the wall says."""

    processor: float
    elapsed: float


Stores = dict[str, dict[str, Operation]]
"""Operations by name, by the kind of store."""


def measure(rounds: int, batch: int) -> Stores:
    """All operations of all stores that can be measured here, in alternation."""
    tasks = [(kind, name, task) for kind, make in makers().items() for name, task in _tasks(make()).items()]
    spent: dict[tuple[str, str], list[tuple[float, float]]] = {(kind, name): [] for kind, name, _ in tasks}
    order = random.Random(SEED)
    for _ in range(rounds):
        order.shuffle(tasks)
        for kind, name, task in tasks:
            spent[kind, name].append(_time(task, batch))
    found: Stores = {}
    for kind, name in itertools.product(makers(), OPERATIONS):
        processor, elapsed = zip(*spent[kind, name], strict=True)
        found.setdefault(kind, {})[name] = Operation(statistics.median(processor), statistics.median(elapsed))
    return found


OPERATIONS = {
    "claim": "`claim` a new key",
    "spend": "`spend` the next number of a series",
    "increment": "`increment`",
    "put": "`put`",
    "get": "`get`",
}


def _tasks(store: Store) -> dict[str, Callable[[], object]]:
    """Each makes one call. Keys and numbers are taken in turn from what is counted anyway."""
    keys = [f"key-{number}" for number in range(KEYS)]
    for key in keys:
        store.put("get", key, "1764078000.123", LIFETIME)
    counts = {name: itertools.count() for name in OPERATIONS}

    def claim() -> object:
        return store.claim("claim", f"key-{next(counts['claim'])}", LIFETIME)

    def spend() -> object:
        count = next(counts["spend"])
        return store.spend("spend", keys[count % KEYS], count // KEYS + 1, LIFETIME)

    def increment() -> object:
        return store.increment("increment", keys[next(counts["increment"]) % KEYS], LIFETIME)

    def put() -> object:
        return store.put("put", keys[next(counts["put"]) % KEYS], "1764078000.123", LIFETIME)

    def get() -> object:
        return store.get("get", keys[next(counts["get"]) % KEYS])

    tasks = {"claim": claim, "spend": spend, "increment": increment, "put": put, "get": get}
    done = [task() for task in tasks.values()]
    if done != [True, True, 1, None, "1764078000.123"]:
        raise AssertionError(f"{store!r} answered {done}")
    return tasks


def _time(task: Callable[[], object], batch: int) -> tuple[float, float]:
    """Microseconds per call, of the processor and elapsed."""
    task()
    began, begun = time.perf_counter_ns(), time.thread_time_ns()
    for _ in range(batch):
        task()
    worked, passed = time.thread_time_ns() - begun, time.perf_counter_ns() - began
    return worked / batch / 1000, passed / batch / 1000

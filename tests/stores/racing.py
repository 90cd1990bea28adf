"""A process of the races: what its threads win, as JSON. ``python -m tests.stores.racing KIND ADDRESS OPERATION``."""

import json
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from flask_unauthorized import AuthUnavailable
from flask_unauthorized.stores.base import Store

THREADS = 8
KEYS = 120
TRIES = 200
"""How often a thread asks a busy store for one key: 250 ms each, so a store that never answers ends the race."""


def store_of(kind: str, address: str) -> Store:
    if kind == "sqlite":
        from flask_unauthorized.stores.sqlite import SQLiteStore

        return SQLiteStore(address)
    from flask_unauthorized.stores.redis import RedisStore

    return RedisStore(address)


def run(store: Store, operation: str, barrier: Any) -> list[Any]:
    """What one thread won of all keys."""

    def once(number: int) -> Any:
        if operation == "claim":
            return store.claim("race", str(number), 60)
        if operation == "spend":
            return store.spend("race", "series", number + 1, 60)
        if operation == "replace":  # from one number to the next, in one entry
            return store.replace("race", "value", str(number - 1) if number else None, str(number), 60)
        if operation == "increment_many":
            first, second = store.increment_many("throttle", [("one", 60), ("two", 600)])
            if first.value != second.value:
                raise AssertionError(f"the counters of one call fell apart: {first} {second}")
            return first.value
        return store.increment("race", "counter", 60)

    won = []
    barrier.wait(60)
    for number in range(KEYS):
        for again in reversed(range(TRIES)):
            try:
                found = once(number)
                break
            except AuthUnavailable:  # it waited too long for the others, and is asked again
                if not again:
                    raise
        if found:
            won.append(found if operation.startswith("increment") else number)
    return won


if __name__ == "__main__":
    kind, address, operation = sys.argv[1:]
    store = store_of(kind, address)
    barrier = threading.Barrier(THREADS)
    sys.stdin.readline()  # all processes begin at once
    with ThreadPoolExecutor(THREADS) as pool:
        threads = [pool.submit(run, store, operation, barrier) for _ in range(THREADS)]
        print(json.dumps([number for thread in threads for number in thread.result()]))

"""Runs all benchmarks, and writes the page and its chart: ``python benchmarks/run.py``."""

import argparse
import logging
import time
from pathlib import Path
from typing import NamedTuple

import footprint
import instructions
import report
import stores
import timings
from contenders.stores import has_redis, redis_server
from results import Results


class Effort(NamedTuple):
    """How often things are repeated."""

    rounds: int
    batch: int
    few: int  # requests under valgrind
    many: int
    imports: int
    start_ups: int
    stores: int


FULL = Effort(rounds=100, batch=100, few=100, many=300, imports=15, start_ups=9, stores=50)
QUICK = Effort(rounds=5, batch=20, few=0, many=0, imports=2, start_ups=2, stores=5)


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description="Measures flask_unauthorized and its peers.")
    parser.add_argument("--quick", action="store_true", help="few repetitions and no valgrind: whether all works")
    evidence = Path(__file__).parents[1] / "docs/evidence"
    parser.add_argument("--output", type=Path, default=evidence, help="folder of the results")
    arguments = parser.parse_args()
    logging.getLogger().addHandler(logging.NullHandler())  # or Python prints warnings on the console
    begun = time.monotonic()
    if not has_redis():
        _say(begun, "redis-server is missing, so RedisStore is not measured: apt-get install redis-server")
    with redis_server():
        results = _measure(QUICK if arguments.quick else FULL, begun)
    report.write(results, arguments.output, arguments.quick)
    _say(begun, f"wrote benchmarks.md and overhead.svg in {arguments.output}")


def _measure(effort: Effort, begun: float) -> Results:
    _say(begun, "start-up and import")
    start_ups = timings.start_ups(effort.start_ups)
    footprints = footprint.measure(effort.imports)
    counted = None
    if effort.many and instructions.available():
        _say(begun, "instructions, two processes at once")
        counted = instructions.measure(effort.few, effort.many)
    elif effort.many:
        _say(begun, "valgrind is missing, so no instructions are counted: apt-get install valgrind")
    _say(begun, "operations of stores")
    operations = stores.measure(effort.stores, effort.batch)
    _say(begun, "time, in alternation")
    return Results(timings.measure(effort.rounds, effort.batch), counted, footprints, start_ups, operations)


def _say(begun: float, what: str) -> None:
    print(f"{time.monotonic() - begun:5.0f} s  {what}", flush=True)


if __name__ == "__main__":
    main()

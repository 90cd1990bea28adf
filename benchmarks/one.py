"""Sends many requests of some contenders: started by ``instructions.py``, under callgrind.

Each count of requests is sent by a fork of its own. Prints the process id of each fork, three that send nothing first;
the difference between two counts is what the requests cost, for all else is the same.
"""

import gc
import itertools
import os
import sys

from contenders import find
from contenders.base import Ready, prepare

WARM_UP = 10


def main(counts: list[int], keys: list[str]) -> None:
    """Prepares all cases, and forks once for each of them and each count, one after the other."""
    entries = [prepare(contender, case) for contender in map(find, keys) for case in contender.cases]
    for entry in entries:
        entry.provide(WARM_UP)
        for _ in range(WARM_UP):
            entry.send()
    gc.collect()
    gc.disable()
    lines = []
    # The first fork has to do what no later one has to, and counts for nothing; the next two tell what forking costs.
    nothing = entries[0]._replace(key="-", case="-", series=None)
    for entry, run in [(nothing, [0, 0, 0]), *((entry, counts) for entry in entries)]:
        entry.provide(sum(run))
        for sent, count in zip(itertools.accumulate(run, initial=0), run, strict=False):
            child = os.fork()
            if child == 0:
                _send(entry, sent, count)
            _, status = os.waitpid(child, 0)
            if status:
                sys.exit(f"{entry.key} failed in the case {entry.case}")
            lines.append(f"{entry.key} {entry.case} {child}")
    print("\n".join(lines))


def _send(entry: Ready, sent: int, count: int) -> None:
    """Never comes back, so that no fork goes on with what is the parent's.

    The first ``sent`` of the requests that differ were sent by another fork: a shared store would refuse them.
    """
    status = 1
    try:
        entry.waiting.rotate(-sent)
        for _ in range(count):
            entry.send()
        status = 0
    finally:
        os._exit(status)


if __name__ == "__main__":
    few, many, *keys = sys.argv[1:]
    main([int(few), int(many)], keys)

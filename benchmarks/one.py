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
        for _ in range(WARM_UP):
            entry.send()
    gc.collect()
    gc.disable()
    lines = []
    # The first fork has to do what no later one has to, and counts for nothing; the next two tell what forking costs.
    nothing = Ready("-", "-", entries[0].send, entries[0].answer)
    for entry, count in [(nothing, 0)] * 3 + list(itertools.product(entries, counts)):
        child = os.fork()
        if child == 0:
            _send(entry, count)
        _, status = os.waitpid(child, 0)
        if status:
            sys.exit(f"{entry.key} failed in the case {entry.case}")
        lines.append(f"{entry.key} {entry.case} {child}")
    print("\n".join(lines))


def _send(entry: Ready, count: int) -> None:
    """Never comes back, so that no fork goes on with what is the parent's."""
    status = 1
    try:
        for _ in range(count):
            entry.send()
        status = 0
    finally:
        os._exit(status)


if __name__ == "__main__":
    few, many, *keys = sys.argv[1:]
    main([int(few), int(many)], keys)

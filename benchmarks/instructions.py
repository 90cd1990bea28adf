"""Instructions: callgrind counts what a request executes, to 0.1 % the same whatever else the machine does."""

import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from contenders import MODULES, contenders
from contenders.base import BARE, Entry

AT_ONCE = 2
PER_PROCESS = 6
NOTHING = ("-", "-")  # forks that send nothing
_TOTALS = re.compile(r"^totals: (\d+)$", re.MULTILINE)


def available() -> bool:
    """Whether instructions can be counted here."""
    return shutil.which("valgrind") is not None and hasattr(os, "fork")


class Instructions(NamedTuple):
    """Instructions per request: the bare view's, and what all others execute above that."""

    bare: float
    overheads: dict[Entry, float]


def measure(few: int, many: int) -> Instructions:
    """Counts those of each contender's cases, as the difference between few requests and many."""
    bares: list[float] = []
    overheads: dict[Entry, float] = {}
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(AT_ONCE) as pool:
        for measured in pool.map(lambda keys: _measure(keys, few, many, Path(folder)), _tasks()):
            # Each process has a bare view of its own, for where objects lie in memory makes a small difference.
            bare = measured[BARE]
            bares.append(bare)
            overheads.update({entry: count - bare for entry, count in measured.items()})
    return Instructions(statistics.median(bares), overheads)


def _tasks() -> list[list[str]]:
    """Keys of contenders that one process measures: of one module, so that it imports one library only."""
    tasks = []
    for module in MODULES:
        keys = [contender.key for contender in contenders(module) if contender.key != BARE[0]]
        tasks += [[BARE[0], *keys[start : start + PER_PROCESS]] for start in range(0, len(keys), PER_PROCESS)]
    return tasks


def _measure(keys: list[str], few: int, many: int, folder: Path) -> dict[Entry, float]:
    script = Path(__file__).parent / "one.py"
    done = subprocess.run(
        [
            *("valgrind", "--tool=callgrind", f"--callgrind-out-file={folder}/%p", "--quiet"),
            *(sys.executable, script, str(few), str(many), *keys),
        ],
        env={**os.environ, "PYTHONHASHSEED": "0"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"counting the instructions of {', '.join(keys)} failed:\n{done.stderr}")
    executed: dict[Entry, list[int]] = {}
    for line in done.stdout.splitlines():
        key, case, process = line.split()
        executed.setdefault((key, case), []).append(_total(folder / process))
    _, once, twice = executed.pop(NOTHING)
    return {entry: (most - least - (twice - once)) / (many - few) for entry, (least, most) in executed.items()}


def _total(path: Path) -> int:
    """The instructions of one process. Its file may be large, and tells them at its end."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - 200))
        found = _TOTALS.search(file.read().decode("utf-8", "replace"))
    path.unlink()
    if found is None:
        raise RuntimeError("callgrind wrote no totals")
    return int(found[1])

"""What importing a library costs on top of Flask: time and private memory, each in processes of its own."""

import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

IMPORTS = {
    "**flask_unauthorized**": "from flask_unauthorized import Auth, Bearer",  # the package alone imports neither
    "Flask-HTTPAuth": "import flask_httpauth",
    "Flask-Login": "import flask_login",
    "Flask-JWT-Extended": "import flask_jwt_extended",
    "Authlib": "import authlib.integrations.flask_oauth2",
}
OURS = "**flask_unauthorized**"
_SMAPS = Path("/proc/self/smaps_rollup")

_TIME = """
import flask, time
begun = time.process_time()
{statement}
print((time.process_time() - begun) * 1e3)
"""
_PRIVATE = """
import flask, gc, pathlib
def private():
    gc.collect()
    lines = pathlib.Path("/proc/self/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Private_"))
private()
before = private()
{statement}
print(private() - before)
"""
_OBJECTS = """
import flask, gc, tracemalloc
gc.collect()
tracemalloc.start()
before = tracemalloc.get_traced_memory()[0]
{statement}
gc.collect()
print((tracemalloc.get_traced_memory()[0] - before) / 1024)
"""


class Footprint(NamedTuple):
    """Medians: milliseconds of processor time, KiB of private memory (where Linux tells it), KiB of Python objects."""

    time: float
    private: float | None
    objects: float


def measure(repetitions: int) -> dict[str, Footprint]:
    """The footprint of each library, measured in alternation."""
    with tempfile.TemporaryDirectory() as empty:
        times = _medians(_TIME, repetitions, empty)
        private = _medians(_PRIVATE, repetitions, empty) if _SMAPS.exists() else {}
        objects = _medians(_OBJECTS, 1, empty)
    return {name: Footprint(times[name], private.get(name), objects[name]) for name in IMPORTS}


def _medians(source: str, repetitions: int, folder: str) -> dict[str, float]:
    # Otherwise each process compiles the modules again, and that is measured.
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    measured: dict[str, list[float]] = {name: [] for name in IMPORTS}
    for repetition in range(repetitions + 1):
        for name, statement in IMPORTS.items():
            done = subprocess.run(
                [sys.executable, "-c", source.format(statement=statement)],
                cwd=folder,
                env=environ,
                capture_output=True,
                text=True,
                check=True,
            )
            if repetition:  # the first one may have to compile
                measured[name].append(float(done.stdout))
    return {name: statistics.median(values) for name, values in measured.items()}

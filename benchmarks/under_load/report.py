"""``docs/evidence/load.md`` and its chart."""

import datetime
import os
import platform
import statistics
import subprocess
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from chart import Bar, draw
from report import processor, table
from scale import LIMIT, SHAPES, STEPS, Scales, section, steepest

from .apps import CASES, loaded
from .measure import FLAT, LoadResults
from .servers import THREADS
from .wrk import CONNECTIONS, Run

PACKAGES = (
    "flask-unauthorized", "Flask", "Werkzeug", "gunicorn", "gevent", "granian", "Flask-HTTPAuth", "Flask-Login",
    "Flask-JWT-Extended", "PyJWT", "cryptography", "redis", "SQLAlchemy",
)  # fmt: skip
_TITLES = {"accepted": "accepted", "refused": "refused", "mixed": "half refused"}
_STATEMENTS = {True: "**yes**", False: "no"}


def write(results: LoadResults, scales: Scales, folder: Path, seconds: int, quick: bool) -> None:
    """Writes both files."""
    (folder / "load.svg").write_text(_chart(results), encoding="utf-8")
    servers = [_server(name, results) for name in results]
    parts = [_head(seconds, quick), _goals(results, scales), *servers, _memory(results), section(scales)]
    (folder / "load.md").write_text("\n".join(parts), encoding="utf-8")


def mistakes(results: LoadResults) -> int:
    """How many requests failed, or got a status that wasn't due."""
    return sum(run.failed + run.unexpected for one in results.values() for run in one.all_runs())


def _head(seconds: int, quick: bool) -> str:
    warning = (
        "\n**This was a `--quick` run, which only shows that all works: don't quote its numbers.**\n" if quick else ""
    )
    versions = ", ".join(f"{package} {version(package)}" for package in PACKAGES)
    client = subprocess.run(["wrk", "--version"], capture_output=True, text=True, check=False).stdout.partition("[")[0]
    return f"""# Load and scale

Written by `python benchmarks/load.py`. [What is measured, and how](../../benchmarks/README.md#load-and-scale).
{warning}
- Date: {datetime.datetime.now(datetime.timezone.utc):%Y-%m-%d}
- Machine: {processor()}, {os.cpu_count()} processors, {platform.system()}
- Python: {platform.python_implementation()} {platform.python_version()}
- Packages: {versions}
- Client: {client.strip()}, {CONNECTIONS} connections, {seconds} s for each figure, after a warm-up

The server and wrk share the processors of one machine, and so does Redis. So requests per second say little by
themselves. The ratio to bare Flask in the same server, measured just before and after, says more.

![Requests per second beside bare Flask](load.svg)
"""


def _goals(results: LoadResults, scales: Scales) -> str:
    requests = sum(run.requests for one in results.values() for run in one.all_runs())
    failed = mistakes(results)
    memory = [one for server in results.values() for one in server.memory.values()]
    rows = [
        ("no request fails, and each status is the one that is due", f"{failed} of {_number(requests)}", not failed)
    ]
    if memory:
        most = max(one.growth for one in memory)
        rows.append(
            (f"memory is flat: workers grow by less than {FLAT:.0f} MiB", f"{most:.1f} MiB at most", most < FLAT)
        )
    for shape, found in scales.items():
        step, factor = steepest(found)
        goal = f"{SHAPES[shape]}: ten times as many take at most {LIMIT:.0f} times as long"
        rows.append((goal, f"{factor:.1f} x ({STEPS[step]})", factor <= LIMIT))
    return "## Goals\n\n" + table(
        ("goal", "measured", "met"), [(goal, measured, _STATEMENTS[met]) for goal, measured, met in rows], 3
    )


def _server(name: str, results: LoadResults) -> str:
    found = results[name]
    rows: list[Sequence[str]] = [
        (
            one.label,
            _TITLES[case],
            f"{measured.run.per_second:.0f}",
            f"{measured.ratio:.2f}",
            f"{measured.run.p50:.1f}",
            f"{measured.run.p99:.1f}",
            f"{measured.run.failed + measured.run.unexpected}",
        )
        for one in loaded()
        for case in CASES
        if (measured := found.cases.get((one.key, case))) is not None
    ]
    rows.insert(0, _bare_row(found.bare))
    threads = f", {THREADS} threads" if "gevent" not in name else ""
    columns = ("", "requests", "per second", "over bare Flask", "p50, ms", "p99, ms", "failed")
    return f"## {name[:1].upper()}{name[1:]}\n\nOne worker{threads}.\n\n{table(columns, rows, 2)}"


def _bare_row(runs: Sequence[Run]) -> tuple[str, ...]:
    """The medians of all runs of bare Flask in one server."""
    medians = (
        statistics.median(values) for values in zip(*((one.per_second, one.p50, one.p99) for one in runs), strict=True)
    )
    per_second, p50, p99 = medians
    failed = sum(one.failed + one.unexpected for one in runs)
    return "bare Flask", "accepted", f"{per_second:.0f}", "1", f"{p50:.1f}", f"{p99:.1f}", f"{failed}"


def _memory(results: LoadResults) -> str:
    rows = [
        (
            one.label,
            name,
            f"{measured.before:.1f}",
            f"{measured.after:.1f}",
            f"{measured.growth + 0.0:.1f}",
            _number(measured.requests),
        )
        for one in loaded()
        for name, found in results.items()
        if (measured := found.memory.get(one.key)) is not None
    ]
    columns = ("", "server", "after the warm-up, MiB", "at the end, MiB", "growth, MiB", "requests in between")
    return f"""## Memory

Resident memory of the worker process, with the server and Python in it.

{table(columns, rows, 2)}"""


def _chart(results: LoadResults) -> str:
    groups = [
        (
            f"{name}: {_TITLES[case]}",
            [
                Bar(one.label.strip("*"), found.cases[one.key, case].ratio * 100, "flask_unauthorized" in one.label)
                for one in loaded()
                if (one.key, case) in found.cases
            ],
        )
        for name, found in results.items()
        for case in ("accepted", "refused")
    ]
    return draw("Requests per second beside bare Flask", "percent, more is better", groups)


def _number(count: int) -> str:
    return f"{count:,}".replace(",", " ")

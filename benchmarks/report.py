"""``docs/evidence/benchmarks.md`` and its chart."""

import itertools
import os
import platform
from collections.abc import Iterable, Sequence
from importlib.metadata import version
from pathlib import Path

from chart import Bar, draw
from contenders import all_contenders
from contenders.base import BARE, CASES, Contender, Entry
from contenders.none import ROUTES
from goals import goals
from results import Results
from stores_report import stores

PACKAGES = (
    "flask-unauthorized", "Flask", "Werkzeug", "Flask-HTTPAuth", "Flask-Login", "Flask-JWT-Extended", "Authlib",
    "redis", "SQLAlchemy", "Flask-Security-Too",
)  # fmt: skip
_ELSEWHERE = ("routes-", "authorization-", "mixed-", "store-")  # contenders of the tables of growth and of stores
_IN_CHART = {
    "Bearer": ("ours.bearer", "none.by_hand", "httpauth.token", "authlib.opaque", "login.request"),
    "Basic": ("ours.basic", "httpauth.basic"),
    "three schemes": ("ours.three", "httpauth.multi"),
    "Digest": ("ours.digest", "httpauth.digest"),
    "session": ("ours.session", "login.session"),
}


def write(results: Results, folder: Path, quick: bool) -> None:
    """Writes both files."""
    (folder / "overhead.svg").write_text(_chart(results), encoding="utf-8")
    parts = [
        _head(results, quick),
        _goals(results),
        *(_case(results, case) for case in CASES),
        _answers(results),
        stores(results, table, _thousands),
        _growth_of_routes(results),
        _growth_of_schemes(results),
        _footprints(results),
    ]
    (folder / "benchmarks.md").write_text("\n".join(parts), encoding="utf-8")


def table(columns: Sequence[str], rows: Iterable[Sequence[str]], left: int = 1) -> str:
    """A table whose first ``left`` columns are texts, the others numbers."""
    rule = ["---"] * left + ["---:"] * (len(columns) - left)
    return "".join("| " + " | ".join(row) + " |\n" for row in (columns, rule, *rows))


def _head(results: Results, quick: bool) -> str:
    warning = (
        "\n**This was a `--quick` run, which only shows that all works: don't quote its numbers.**\n" if quick else ""
    )
    noise = results.timings.by_entry[BARE]
    versions = ", ".join(f"{package} {version(package)}" for package in PACKAGES)
    bare = f"{results.timings.bare:.1f} µs"
    if results.instructions is not None:
        bare += f", {results.instructions.bare / 1000:.0f} k instructions"
    else:
        bare += ". Instructions were not counted: that needs valgrind (`apt-get install valgrind`), and no `--quick`"
    return f"""# Benchmarks

Written by `python benchmarks/run.py`. [What is measured, and how](../../benchmarks/README.md).
{warning}
- Machine: {processor()}, {os.cpu_count()} processors, {platform.system()}
- Python: {platform.python_implementation()} {platform.python_version()}
- Packages: {versions}
- The bare view: {bare}
- The bare view measured like all others, where 0 is right: {noise.overhead:.1f} µs, {noise.low:.1f} to {noise.high:.1f}

![Overhead of protecting a view](overhead.svg)
"""


def processor() -> str:
    """The name of the processor."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:  # not Linux
        return platform.processor() or platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def _goals(results: Results) -> str:
    shown = table(("goal", "measured", "met"), goals(results), left=3)
    return f"""## Goals

Overheads above the bare view, as ratios. A goal is met where time and instructions both say so.

{shown}"""


# --- what protecting costs


def _case(results: Results, case: str) -> str:
    rows = [
        _row(results, contender, case)
        for contender in all_contenders()
        if case in contender.cases and contender.key != "none.bare" and not _is_elsewhere(contender)
    ]
    columns = ("", "overhead, µs", "quartiles", "whole request", "k instructions", "garbage", "ours / it")
    return f"## {CASES[case].title}\n\n{table(columns, rows)}"


def _is_elsewhere(contender: Contender) -> bool:
    return contender.key.partition(".")[2].startswith(_ELSEWHERE)


def _row(results: Results, contender: Contender, case: str) -> tuple[str, ...]:
    entry = contender.key, case
    timing = results.timings.by_entry[entry]
    rival = contender.rival, case
    note = f" (answers {contender.statuses[case]})" if case in contender.statuses else ""
    return (
        contender.label + note,
        f"{timing.overhead:.1f}",
        f"{timing.low:.1f} to {timing.high:.1f}",
        f"{timing.ratio:.2f} x",
        _thousands(results, entry),
        f"{results.garbage(entry):.0f}",
        _quotient(results, rival, entry) if rival in results.timings.by_entry else "",
    )


def _thousands(results: Results, entry: Entry) -> str:
    overhead = results.overhead(entry, True)
    return "not counted" if overhead is None else f"{round(overhead / 1000, 1) + 0.0:.1f}"  # no -0.0


def _quotient(results: Results, ours: Entry, theirs: Entry) -> str:
    return f"{results.quotient(ours, theirs):.2f}"


def _answers(results: Results) -> str:
    rows = []
    for contender in all_contenders():
        for case in ("missing", "wrong", "forbidden"):
            if case in contender.cases:
                headers = results.timings.answers[contender.key, case].headers
                challenges = sum(name == "WWW-Authenticate" for name, _ in headers)
                kind = next(value for name, value in headers if name == "Content-Type")
                rows.append(
                    (
                        contender.label,
                        CASES[case].title.partition(",")[2].strip(),
                        str(results.timings.answers[contender.key, case].status),
                        str(challenges),
                        kind.partition(";")[0],
                    )
                )
    return f"""## What was answered

What is skipped costs nothing: RFC 9110 demands a challenge on each 401.

{table(("", "case", "status", "challenges", "body"), rows, left=5)}"""


# --- growth


def _growth_of_routes(results: Results) -> str:
    rows = []
    for count in (1, *ROUTES):
        bare = BARE if count == 1 else (f"none.routes-{count}", "accepted")
        ours = ("ours.bearer" if count == 1 else f"ours.routes-{count}", "accepted")
        without, with_us = results.start_ups["bare", count], results.start_ups["ours", count]
        started = (without.build, with_us.build, without.first, with_us.first)
        rows.append(
            (
                f"{count}",
                f"{results.whole(bare):.3f} x",
                f"{results.whole(ours):.3f} x",
                _thousands(results, bare),
                _thousands(results, ours),
                *(f"{value:.2f}" for value in started),
            )
        )
    columns = (
        "protected routes", "bare, whole request", "ours", "bare, k instructions", "ours",
        "bare, build the app, ms", "ours", "bare, first request, ms", "ours",
    )  # fmt: skip
    return f"## Growth with routes\n\n{table(columns, rows, left=0)}"


def _growth_of_schemes(results: Results) -> str:
    rows = []
    for count in range(1, 7):
        plain = (f"ours.authorization-{count}", "accepted")
        mixed = (f"ours.mixed-{count}", "accepted") if count > 2 else plain
        cells = [
            cell for entry in (plain, mixed) for cell in (f"{results.overhead(entry):.1f}", _thousands(results, entry))
        ]
        rows.append((f"{count}", *cells))
    columns = ("schemes", "all in `Authorization`, µs", "k instructions", "with keys in headers, µs", "k instructions")
    return f"""## Growth with schemes

Bearer accepted. In `Authorization`: Bearer, Basic, then schemes of a user's own. With keys in headers: the third and
the fourth scheme are API keys, so each request is searched for them, since credentials in two places are refused.

{table(columns, rows, left=0)}"""


def _footprints(results: Results) -> str:
    rows = [
        (
            name,
            f"{footprint.time:.1f}",
            "not told" if footprint.private is None else f"{footprint.private / 1024:.2f}",
            f"{footprint.objects / 1024:.2f}",
        )
        for name, footprint in results.footprints.items()
    ]
    columns = ("", "time, ms", "private memory, MiB", "Python objects, MiB")
    return f"## Import, over Flask's\n\n{table(columns, rows)}"


# --- the chart


def _chart(results: Results) -> str:
    labels = {contender.key: contender for contender in all_contenders()}
    groups = []
    for case, (asked, keys) in itertools.product(("accepted", "missing"), _IN_CHART.items()):
        bars = [
            Bar(labels[key].label.strip("*"), results.timings.by_entry[key, case].overhead, key.startswith("ours."))
            for key in keys
        ]
        groups.append((f"{CASES[case].title}: {asked}", bars))
    return draw("What protecting a view adds to a request", "microseconds, less is better", groups)

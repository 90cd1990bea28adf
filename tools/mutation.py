"""Change the package in small ways, and see whether a test notices.

Coverage shows that a line ran. A mutant that lives shows that no test looks at what the line does. First note which
tests reach which lines. Then make 60 mutants of each folder; "root" is the package's own modules::

    COVERAGE_FILE=.mutants python -m pytest -n 2 --cov --cov-context=test --cov-report= --ignore=tests/clients \
        --ignore=tests/neighbours --ignore=tests/live --ignore=tests/test_typing.py
    python tools/mutation.py wire jose
    python tools/mutation.py wire jose --survivors   # only those that lived, with the tests that were written since

The same seed draws the same mutants of the same source. Results are in ``.mutants.json``. Run all tests again when the
package has changed.

A process that has loaded the libraries forks for each mutant. The fork imports the mutant in place of the module, and
runs the tests that reach it until one fails: first those of the module, then of its folder, then all others. One case
of each test function comes before all second cases. If a test kills for the first time, it runs again without the
mutant, and must pass. Programs that tests start don't see the mutant.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import importlib
import json
import os
import signal
import sys
import time
from collections import Counter
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import CodeType

import coverage
import pytest
from hypothesis import Phase, settings
from mutants import PACKAGE, ROOT, Mutant, sample

REACHED, RESULTS, OUTCOME = ROOT / ".mutants", ROOT / ".mutants.json", ROOT / ".mutants.outcome"
LIBRARIES = ("flask.testing", "hypothesis.strategies", "cryptography.x509", "jwt", "asgiref.sync", "httplint")
OPTIONS = ("-q", "-p", "no:cacheprovider", "-p", "no:randomly", "--assert=plain", "--tb=no")
BUDGET = 60  # seconds of processor time for the tests of one mutant


class Selection:
    """A plugin for pytest: run these tests in this order, and before them those that aren't known, until one fails."""

    def __init__(self, names: list[str], known: set[str]) -> None:
        self.names, self.known, self.outcome = names, known, "crashed"

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        found = {item.nodeid: item for item in session.items}
        new = [name for name in found if name not in self.known and self.known]
        items = [found[name] for name in (*new, *self.names) if name in found]
        self.outcome, end = "", time.process_time() + BUDGET
        for item, following in zip(items, [*items[1:], None], strict=True):
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
            if session.testsfailed or time.process_time() > end:
                self.outcome = item.nodeid if session.testsfailed else "capped"
                break
        return True


def import_instead(mutant: Mutant) -> None:
    """From now on, import the mutant in place of its module."""
    read = SourceFileLoader.get_code

    def get_code(loader: SourceFileLoader, name: str) -> CodeType | None:
        if loader.path != str(ROOT / mutant.path):
            return read(loader, name)
        code: CodeType = compile(mutant.apply(loader.get_data(loader.path).decode()), loader.path, "exec")
        return code

    SourceFileLoader.get_code = get_code  # type: ignore[assignment,method-assign]


def run_tests(mutant: Mutant | None, names: list[str], more: list[str], known: set[str]) -> str:
    """Run tests in a fork, also the unknown ones in ``more``. Return the one that fails, or how the fork ended."""
    OUTCOME.write_text("crashed")
    child = os.fork()
    if child == 0:
        try:
            os.setsid()
            if mutant:
                import_instead(mutant)
            selection = Selection(names, known if more else set())
            files = dict.fromkeys([*more, *(name.partition("::")[0] for name in names)])
            pytest.main([*OPTIONS, *files], plugins=[selection])
            OUTCOME.write_text(selection.outcome)
        finally:
            os._exit(0)
    end = time.monotonic() + 10 * BUDGET
    while os.waitpid(child, os.WNOHANG) == (0, 0):
        if time.monotonic() > end:
            OUTCOME.write_text("hangs")
            os.killpg(child, signal.SIGKILL)
        time.sleep(0.01)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)  # servers that a test has started
    return OUTCOME.read_text()


class Judge:
    """Runs the tests that reach a mutant."""

    def __init__(self, *, with_new_tests: bool) -> None:
        self.with_new_tests, self.trusted = with_new_tests, set[str]()
        self.reached = coverage.CoverageData(str(REACHED))
        self.reached.read()
        self.known = {context.partition("|")[0] for context in self.reached.measured_contexts()}

    def order(self, mutant: Mutant) -> list[str]:
        """Return the tests that reach a mutant, in the order to run them."""
        tests_of = self.reached.contexts_by_lineno(str(ROOT / mutant.path))
        wanted = [*range(mutant.node.lineno, mutant.node.end_lineno + 1)] if mutant.function else [*tests_of]
        if not any(tests_of.get(line) for line in wanted):  # Python gives the first line of a long expression
            wanted = [max((line for line in tests_of if line < wanted[0]), default=0)]
        names = {context.partition("|")[0] for line in wanted for context in tests_of.get(line, ())} - {""}
        cases: Counter[str] = Counter()
        order = {}
        for name in sorted(names):
            cases[name.partition("[")[0]] += 1
            is_of_module = Path(name.partition("::")[0]).stem.startswith(f"test_{Path(mutant.path).stem}")
            order[name] = not is_of_module, cases[name.partition("[")[0]]
        return sorted(order, key=lambda name: order[name])

    def killer(self, mutant: Mutant) -> str:
        """Return the test that kills a mutant, "" for none."""
        names = self.order(mutant)
        home = Path(mutant.path.replace(PACKAGE.name, "tests")).parent
        near = [name for name in names if Path(name.partition("::")[0]).parent in (home, Path("tests/reasons"))]
        far = [name for name in names if name not in set(near)]
        new = [str(path) for path in sorted(home.glob("test_*.py")) if path.stem != "test_typing"]
        for stage, files in ((near, new if self.with_new_tests else []), (far, [])):
            while killer := run_tests(mutant, stage, files, self.known) if stage or files else "":
                if "::" not in killer or killer in self.trusted:
                    return killer
                before = stage[: stage.index(killer)] if killer in stage else []
                if not run_tests(None, [*before, killer], [], set()):
                    self.trusted.add(killer)
                    return killer
                self.known.add(killer)  # it fails without a mutant
                stage[:] = [name for name in stage if name != killer]
        return ""


def main() -> None:
    """Draw mutants, judge them, write and print what came of it."""
    parser = argparse.ArgumentParser(description="Change the package in small ways, and see whether a test notices.")
    parser.add_argument("folders", nargs="+", help='folders of the package; "root" is its own modules')
    parser.add_argument("--count", type=int, default=60, help="mutants of each folder")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--survivors", action="store_true", help="run those that lived, with tests written since")
    arguments = parser.parse_args()
    os.chdir(ROOT)
    os.environ.update(PYTHONPATH=str(ROOT), PYTHONDONTWRITEBYTECODE="1")
    sys.path[0] = str(ROOT)
    output = os.fdopen(os.dup(1), "w", buffering=1)
    for descriptor in (1, 2):
        os.dup2(os.open(os.devnull, os.O_WRONLY), descriptor)  # what pytest says
    settings.register_profile("mutation", database=None, deadline=None, phases=(Phase.explicit, Phase.generate))
    settings.load_profile("mutation")
    for name in LIBRARIES:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    results: dict[str, list[str]] = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    judge = Judge(with_new_tests=arguments.survivors)
    for folder in arguments.folders:
        drawn, lived = sample(folder, arguments.count, arguments.seed), 0
        for mutant in drawn:
            key = f"{mutant.path}:{mutant.node.lineno}:{mutant.node.col_offset} {mutant.text}"
            if key not in results or (arguments.survivors and results[key][0] in ("", "capped")):
                results[key] = [judge.killer(mutant), ast.unparse(mutant.node)]
                RESULTS.write_text(json.dumps(results, indent=1))
            killer, before = results[key]
            if killer in ("", "capped"):
                lived += 1
                place = f"{mutant.path}:{mutant.node.lineno} {mutant.function} {killer}"
                print(f"{place}\n- {before}\n+ {mutant.text}", file=output)
        print(f"{folder}: {len(drawn) - lived} of {len(drawn)} mutants killed", file=output)


if __name__ == "__main__":
    main()

"""Both type checkers accept right uses and refuse wrong ones. Needs mypy and pyright (``nox -s types``)."""

import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from textwrap import indent

import pytest

FOLDER = Path(__file__).parent / "typing"
WRONG = FOLDER / "wrong.py"
CHECKERS = {
    "mypy": ["-m", "mypy", "--strict", "--config-file=", "--no-error-summary", "--cache-dir", os.devnull],
    "pyright": ["-m", "pyright", "--pythonpath", sys.executable],
}


def complaints(checker: str, path: Path, root: Path, *, strict: bool = True) -> dict[int, str]:
    """The lines of a file that a checker refuses, with its words."""
    if find_spec(checker) is None:
        if os.environ.get("CI") == "true":
            pytest.fail(f"{checker} is missing")
        pytest.skip(f"{checker} is not installed: nox -s types")
    # From elsewhere, so that the project's own settings don't apply: a user has none of them.
    options = [option if strict else option.replace("--strict", "--check-untyped-defs") for option in CHECKERS[checker]]
    done = subprocess.run([sys.executable, *options, str(path)], capture_output=True, text=True, cwd=root)
    found = re.findall(rf"{path.name}:(\d+)(?::\d+)?(?: -)?:? error: (.*)", done.stdout)
    assert done.returncode in (0, 1), done.stdout + done.stderr
    return {int(number): text for number, text in found}


@pytest.mark.parametrize("checker", CHECKERS)
def test_right_uses_pass(checker: str, tmp_path: Path) -> None:
    assert complaints(checker, FOLDER / "right.py", tmp_path) == {}


@pytest.mark.parametrize("checker", CHECKERS)
def test_each_wrong_use_is_refused(checker: str, tmp_path: Path) -> None:
    expected = {number for number, line in enumerate(WRONG.read_text().splitlines(), 1) if "# refused" in line}
    assert complaints(checker, WRONG, tmp_path).keys() == expected


@pytest.mark.parametrize("checker", CHECKERS)
def test_the_programs_of_the_readme_pass(checker: str, tmp_path: Path) -> None:
    readme = (Path(__file__).parent.parent / "README.md").read_text()
    program = re.search(r"## Quick start\n.*?```python\n(.*?)```", readme, re.DOTALL)
    assert program is not None
    file = tmp_path / "program.py"
    # The app is as short as a reader likes it; --strict wants a return type.
    file.write_text(program[1].replace("def notes():", "def notes() -> dict[str, str | None]:"))
    assert complaints(checker, file, tmp_path) == {}


GUIDES = Path(__file__).parent.parent / "docs" / "guides"
OF_VIEWS = ("views", "permissions", "refusals", "recipes", "files-and-caches", "testing")
OF_OTHERS = ("flask_babel", "flask_caching", "flask_limiter", "sqlalchemy", "pytest")


@pytest.mark.parametrize("checker", CHECKERS)
def test_the_programs_of_the_guides_on_views_pass(checker: str, tmp_path: Path) -> None:
    """They have no annotations, so the checkers infer. Programs that import other extensions are left out."""
    text = "".join((GUIDES / f"{name}.md").read_text(encoding="utf-8") for name in OF_VIEWS)
    programs = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    own = [
        program
        for program in programs
        if not program.startswith("# a part of ") and not any(f" {package}" in program for package in OF_OTHERS)
    ]
    assert len(own) >= 20
    file = tmp_path / "programs.py"
    # Each in a function of its own, so that one run checks them all.
    file.write_text("".join(f"def program_{number}():\n{indent(text, '    ')}\n" for number, text in enumerate(own)))
    assert complaints(checker, file, tmp_path, strict=False) == {}

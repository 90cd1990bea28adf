"""The page of signals names all signals with their arguments, and its program prints what the page shows."""

import ast
import re
import shutil
from pathlib import Path

import pytest
from blinker import NamedSignal

from flask_unauthorized import signals

from . import pages

PAGE = "docs/reference/signals.md"
SIGNALS = {name: value for name, value in vars(signals).items() if isinstance(value, NamedSignal)}


def _table(head: str) -> dict[str, str]:
    """The second cell by the first one. A first cell may name several things."""
    text = (pages.ROOT / PAGE).read_text(encoding="utf-8")
    lines = text[text.index(f"| {head} |") :].partition("\n\n")[0].splitlines()[2:]
    rows = [[cell.strip() for cell in line.strip("| ").split(" | ")] for line in lines]
    return {name: row[1] for row in rows for name in re.findall(r"`(\w+)`", row[0])}


def test_the_table_has_all_signals():
    assert set(_table("signal")) == set(SIGNALS)


@pytest.mark.parametrize("name", SIGNALS)
def test_a_row_has_the_arguments_of_its_docstring(name):
    documented = re.search(r"^Arguments?: (.*?)(?:\.|, its|, as)", SIGNALS[name].__doc__, re.MULTILINE)[1]
    assert re.findall(r"`(\w+)`", _table("signal")[name]) == re.findall(r"``(\w+)``", documented)


def test_each_argument_is_explained():
    used = {name for row in _table("signal").values() for name in re.findall(r"`(\w+)`", row)}
    assert set(_table("argument")) == used


def test_the_program_prints_what_the_page_shows(tmp_path):
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    (program,) = pages.blocks(PAGE, "python")
    shown = [pair for block in pages.blocks(PAGE, "console") for pair in pages.commands(block)]
    with pages.served(program, tmp_path) as port:
        for command, lines in shown:
            # The helper writes what the server prints to a file of its own.
            printed = pages.run(command.replace("refused.txt", "server.log"), tmp_path, port)
            assert not pages.missing_lines(lines, printed), f"$ {command}\n{printed}"


def _sent() -> dict[str, set[str]]:
    """The arguments with which the package sends each signal, as its source says."""
    found: dict[str, set[str]] = {}
    for path in Path(signals.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Attribute):
                name, names = node.args[0].attr, {keyword.arg for keyword in node.keywords}
                if name in SIGNALS and ast.unparse(node.args[0]) == f"signals.{name}":
                    found.setdefault(name, set()).update(filter(None, names))
    return found


def test_the_arguments_are_those_that_are_sent():
    sent = _sent()
    assert {"refused", "logged_in", "throttled"} <= set(sent)
    rows = _table("signal")
    assert {name: set(re.findall(r"`(\w+)`", rows[name])) for name in sent} == sent

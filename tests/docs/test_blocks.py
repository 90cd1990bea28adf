"""Each Python block of README and docs runs alone, or says which program it is a part of.

The first line of a fragment is ``# a part of NAME``. Blocks that import another extension run where it is installed. A
block that imports names from ``app``, such as a test, gets the longest program of its page that has them.
"""

import ast
import os
import re
import subprocess
import sys
import textwrap

import pytest

from .pages import ROOT, environment

PAGES = [ROOT / "README.md", ROOT / "SECURITY.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^( *)```python\n(.*?)^\1```", re.DOTALL | re.MULTILINE)
FRAGMENT = re.compile(r"# a part of \S")


def _blocks_of(page):
    text = page.read_text(encoding="utf-8")
    found = [(textwrap.dedent(block[2]), text.count("\n", 0, block.start()) + 2) for block in BLOCK.finditer(text)]
    programs = [code for code, _ in found if not FRAGMENT.match(code)]
    for code, line in found:
        imported = re.search(r"^from app import (.*)$", code, re.MULTILINE)
        names = imported[1].split(", ") if imported else []
        fitting = [
            program
            for program in programs
            if program != code
            and all(re.search(rf"^(?:class |def )?{name}\b", program, re.MULTILINE) for name in names)
        ]
        yield pytest.param(code, max(fitting, key=len) if names else "", id=f"{page.relative_to(ROOT)}:{line}")


@pytest.mark.parametrize(("block", "program"), [block for page in PAGES for block in _blocks_of(page)])
def test_a_block_runs_alone_or_names_its_program(block, program, tmp_path):
    tree = ast.parse(block)
    if FRAGMENT.match(block):
        return
    for node in (*ast.walk(tree), *ast.walk(ast.parse(program))):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module] if isinstance(node, ast.ImportFrom) and node.module else []
        for name in names:
            top = name.partition(".")[0]
            if top not in sys.stdlib_module_names and top not in ("flask_unauthorized", "app"):
                pytest.importorskip(top)
    (tmp_path / "app.py").write_text(program, encoding="utf-8")
    (tmp_path / "block.py").write_text(block, encoding="utf-8")
    # A process of its own, because programs set up logging and start threads.
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", "import block"],
        cwd=tmp_path, env={**environment(), "PYTHONPATH": os.pathsep.join(sys.path)}, capture_output=True, text=True,
        timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr

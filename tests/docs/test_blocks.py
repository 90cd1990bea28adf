"""Each Python block of README and docs runs alone, or says which program it is a part of.

The first line of a fragment is ``# a part of NAME``. Blocks that import another extension run where it is installed.
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
BLOCKS = [
    pytest.param(textwrap.dedent(found[2]), id=f"{page.relative_to(ROOT)}:{text.count(chr(10), 0, found.start()) + 2}")
    for page in PAGES
    for text in [page.read_text(encoding="utf-8")]
    for found in BLOCK.finditer(text)
]


@pytest.mark.parametrize("block", BLOCKS)
def test_a_block_runs_alone_or_names_its_program(block, tmp_path):
    tree = ast.parse(block)
    if FRAGMENT.match(block):
        return
    for node in ast.walk(tree):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module] if isinstance(node, ast.ImportFrom) and node.module else []
        for name in names:
            top = name.partition(".")[0]
            if top not in sys.stdlib_module_names and top != "flask_unauthorized":
                pytest.importorskip(top)
    (tmp_path / "app.py").write_text(block, encoding="utf-8")
    # A process of its own, because programs set up logging and start threads.
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", "import app"],
        cwd=tmp_path, env={**environment(), "PYTHONPATH": os.pathsep.join(sys.path)}, capture_output=True, text=True,
        timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr

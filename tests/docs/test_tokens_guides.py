"""The guides of tokens and keys do what they show: each command of a page runs after the program above it.

A page is played from its first line to its last. A whole program becomes ``app.py``, ``flask run`` serves it, and the
shell remembers its variables. In the output, ``…`` stands for what differs each time.
"""

import re
import shutil
from pathlib import Path

import pytest

from .pages import ROOT, commands, missing_lines
from .test_tutorial import Terminal

BLOCK = re.compile(r"^```(python|console)\n(.*?)^```", re.DOTALL | re.MULTILINE)
GUIDES = {
    "api-keys": (), "digest": (), "loaders": ("cryptography", "jwt"), "own-scheme": (), "passwords": ("sqlalchemy",),
    "refresh-tokens": ("sqlalchemy",), "tokens": ("sqlalchemy",), "webhooks": (),
}  # fmt: skip
"""The pages, and what their programs import besides Flask and this package."""


def play(page: str, folder: Path, variables: Path) -> None:
    """Run the programs and commands of a page in their order, and compare what they print."""
    text = (ROOT / page).read_text(encoding="utf-8")
    terminal, typed = Terminal(folder, variables), 0
    with terminal.server:
        for found in BLOCK.finditer(text):
            language, block = found.groups()
            if language == "python":
                if not block.startswith("# a part of"):
                    terminal.server.close()
                    (folder / "app.py").write_text(block, encoding="utf-8")
                continue
            for command, lines in commands(block):
                printed = terminal.flask_run() if command == "flask run" else terminal.type(command)
                assert not missing_lines(lines, printed), f"$ {command}\n{printed}"
                typed += 1
    assert typed, f"{page} shows no command"


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
@pytest.mark.parametrize("guide", GUIDES)
def test_the_guide_works_as_it_says(tmp_path, guide):
    for name in GUIDES[guide]:
        pytest.importorskip(name)
    folder = tmp_path / "app"
    folder.mkdir()
    play(f"docs/guides/{guide}.md", folder, tmp_path / "variables")

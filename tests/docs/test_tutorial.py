"""The tutorial, played from its first line to its last: app.py grows step by step, and each command runs.

The page is the only source: which block goes where, which command is typed, and what it prints. In its output, ``…``
stands for what differs each time, and fields such as ``Date`` may be left out. Challenges may not.
"""

import contextlib
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from .pages import ROOT, SHOWN_PORT, commands, environment, missing_lines, served

PAGE = (ROOT / "docs/start/tutorial.md").read_text(encoding="utf-8")
BLOCKS = [found.groups() for found in re.finditer(r"^```(\w+)\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)]
MARK = re.compile(r"^(?:# |<!-- )a part of app\.py: (above|in place of) (.*?)(?: -->)?$")
PASSWORD = "correct horse"


def place(program: str, block: str) -> str:
    """Put a block where its first line says."""
    mark, _, code = block.partition("\n")
    found = MARK.match(mark)
    assert found, f"the page doesn't say where this goes: {block}"
    how, where = found.groups()
    lines = program.splitlines(keepends=True)
    if where == "the imports":
        end = max(number for number, line in enumerate(lines) if re.match(r"import |from \w+.* import ", line))
        return code + "".join(lines[end + 1 :])
    begins, quoted = re.fullmatch(r'the line (that begins with )?"(.*)"', where).groups()
    hits = [
        number for number, line in enumerate(lines) if (line.startswith(quoted) if begins else line.rstrip() == quoted)
    ]
    assert len(hits) == 1, f"{where} is in app.py {len(hits)} times"
    if how == "in place of":
        return "".join([*lines[: hits[0]], code, *lines[hits[0] + 1 :]])
    ends_in_function = code.splitlines()[-1].startswith(" ")
    gap = "" if mark.startswith("<!--") else "\n\n" if ends_in_function else "\n"
    return "".join([*lines[: hits[0]], code, gap, *lines[hits[0] :]])


class Terminal:
    """The two terminals of the reader: a server, and a shell that remembers its variables."""

    def __init__(self, folder: Path, variables: Path) -> None:
        self.folder, self.variables = folder, variables
        self.variables.touch()
        self.server = contextlib.ExitStack()
        self.port = SHOWN_PORT

    def flask_run(self) -> str:
        """Start the app as it is now, in place of the server that runs. Return what it prints."""
        self.server.close()
        self.port = self.server.enter_context(served((self.folder / "app.py").read_text(), self.folder))
        log = (self.folder / "server.log").read_text()
        return log.replace(f"127.0.0.1:{self.port}", f"127.0.0.1:{SHOWN_PORT}")

    def type(self, command: str) -> str:
        """Run a command, and return what the reader sees. A question for a password is answered."""
        command = re.sub(r"\bcurl ", "curl -sS ", command.replace(f"127.0.0.1:{SHOWN_PORT}", f"127.0.0.1:{self.port}"))
        text = f"set -a; . {self.variables}\n{command}\nexport -p > {self.variables}"
        done = subprocess.run(
            ["sh", "-c", text], cwd=self.folder, env=environment(), input=f"{PASSWORD}\n" * 2, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, timeout=60, start_new_session=True,
        )  # fmt: skip
        # Flask's `redirect` sends 303 instead of 302 since Flask 3.2.
        return done.stdout.replace("HTTP/1.1 303 SEE OTHER", "HTTP/1.1 302 FOUND")


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_the_tutorial_works_as_it_says(tmp_path):
    pytest.importorskip("sqlalchemy")
    folder, variables = tmp_path / "notes", tmp_path / "variables"
    folder.mkdir()
    terminal, program, typed = Terminal(folder, variables), "", []
    *steps, whole = [block for block in BLOCKS if block[0] != "sh"]
    with terminal.server:
        for language, block in steps:
            if language == "console":
                for command, shown in commands(block):
                    printed = terminal.flask_run() if command == "flask run" else terminal.type(command)
                    missing = missing_lines(shown, printed)
                    assert not missing, f"$ {command}\n{printed}\nThe page shows: {missing}"
                    if "curl -i" in command:
                        told = [line for line in printed.splitlines() if line.startswith("WWW-Authenticate:")]
                        assert [line for line in shown if line.startswith("WWW-Authenticate:")] == told
                    typed.append(command.split()[0])
            elif "def test_" in block:
                (folder / "test_app.py").write_text(block, encoding="utf-8")
            else:
                program = place(program, block) if "a part of" in block.partition("\n")[0] else block
                (folder / "app.py").write_text(program, encoding="utf-8")
    assert whole == ("python", program), "the whole file isn't what the steps make"
    assert typed.count("curl") == 13


def test_what_the_page_installs_is_what_the_test_needs():
    (install,) = [block for language, block in BLOCKS if language == "sh"]
    assert 'pip install "../flask-unauthorized[tokens]" pytest' in install


def test_a_block_without_a_place_is_noticed():
    with pytest.raises(AssertionError, match="doesn't say where"):
        place("auth.check(app)\n", "# a part of app.py\nx = 1\n")
    with pytest.raises(AssertionError, match="0 times"):
        place("auth.check(app)\n", '# a part of app.py: above the line "other"\nx = 1\n')

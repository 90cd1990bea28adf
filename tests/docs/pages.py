"""Programs and console blocks of a page, run as a reader runs them.

A console block is a list of commands after ``$``, each with its output. The output may leave lines out, and ``…`` in a
line stands for any text. Everything else must be what the command prints, in this order.
"""

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.helpers import free_port, is_listening

ROOT = Path(__file__).parents[2]
SHOWN_PORT = 5000  # the port that pages write


def blocks(page: str, language: str) -> list[str]:
    """Return the blocks of a language, in the order of the page. ``page`` is a path from the root."""
    text = (ROOT / page).read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def commands(block: str) -> list[tuple[str, list[str]]]:
    """Return each command of a console block with the lines that it prints."""
    found: list[tuple[str, list[str]]] = []
    for line in block.splitlines():
        if line.startswith("$ "):
            found.append((line[2:], []))
        elif found and found[-1][0].endswith("\\") and not found[-1][1]:
            found[-1] = (f"{found[-1][0]}\n{line}", [])
        else:
            found[-1][1].append(line)
    return found


def environment(**more: str) -> dict[str, str]:
    """Return an environment in which the Python of this test is `python`, and finds the same packages."""
    path = os.pathsep.join(filter(None, (str(Path(sys.executable).parent), os.environ.get("PATH"))))
    return {**os.environ, "PATH": path, "PYTHONUNBUFFERED": "1", **more}


@contextmanager
def served(program: str, folder: Path) -> Iterator[int]:
    """Serve a program as ``app.py`` with ``flask run``, and give the port."""
    (folder / "app.py").write_text(program, encoding="utf-8")
    port = free_port()
    command = [sys.executable, "-m", "flask", "run", "--port", str(port)]
    with (folder / "server.log").open("w+") as log:
        server = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log, env=environment())
        try:
            for _ in range(300):
                # The server listens before it prints where, and readers wait for that line.
                if is_listening(port) and " * Running on " in (folder / "server.log").read_text():
                    break
                if server.poll() is not None:
                    pytest.fail((folder / "server.log").read_text())
                time.sleep(0.1)
            yield port
        finally:
            server.terminate()
            server.wait(10)


def run(command: str, folder: Path, port: int) -> str:
    """Run a command of a page in a shell, against the port on which the program is served."""
    if command.startswith("curl") and shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    text = command.replace(f"127.0.0.1:{SHOWN_PORT}", f"127.0.0.1:{port}")
    done = subprocess.run(["sh", "-c", text], cwd=folder, env=environment(), capture_output=True, text=True, timeout=60)
    return (done.stdout + done.stderr).replace("\r", "").replace(f"127.0.0.1:{port}", f"127.0.0.1:{SHOWN_PORT}")


def missing_lines(shown: list[str], printed: str) -> list[str]:
    """Return the lines of the page that the command didn't print, or not in this order."""
    rest, missing = iter(printed.splitlines()), []
    for line in filter(None, (line.rstrip() for line in shown)):
        pattern = ".*".join(map(re.escape, line.split("…")))
        if not any(re.fullmatch(pattern, other.rstrip()) for other in rest):
            missing.append(line)
            rest = iter(printed.splitlines())
    return missing


def check_console(page: str, program: str, folder: Path) -> None:
    """Serve the program, run the console blocks of the page in its folder, and compare what they print."""
    shown = [pair for block in blocks(page, "console") for pair in commands(block)]
    assert shown, f"{page} shows no command"
    with served(program, folder) as port:
        for command, lines in shown:
            printed = run(command, folder, port)
            assert not missing_lines(lines, printed), f"$ {command}\n{printed}"

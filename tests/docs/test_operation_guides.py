"""The guides of operation, run as a reader runs them: with real servers and several workers."""

import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.helpers import free_port, is_listening
from tests.stores.servers import redis_server

from .pages import ROOT, blocks, check_console, commands, environment, missing_lines, run

WORKERS = "docs/guides/workers.md"


@contextmanager
def gunicorn(folder: Path, **more: str) -> Iterator[int]:
    """Serve the program of the page on workers with the command that the page shows; give the port."""
    (program,) = blocks(WORKERS, "python")
    (command,) = blocks(WORKERS, "sh")
    (folder / "app.py").write_text(program, encoding="utf-8")
    port = free_port()
    words = shlex.split(command.replace(":5000", f":{port}"))
    assert words[:3] == ["gunicorn", "--workers", "4"]
    environ = {**environment(**more), "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    with (folder / "server.log").open("w") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", *words], cwd=folder, stdout=log, stderr=log, env=environ, start_new_session=True
        )
        try:
            deadline = time.monotonic() + 30
            while not is_listening(port) or (folder / "server.log").read_text().count("Booting worker") < 4:
                assert server.poll() is None, (folder / "server.log").read_text()
                assert time.monotonic() < deadline, (folder / "server.log").read_text()
                time.sleep(0.05)
            yield port
        finally:
            os.killpg(server.pid, signal.SIGKILL)
            server.wait()


def check_workers(folder: Path, **more: str) -> None:
    shown = [pair for block in blocks(WORKERS, "console") for pair in commands(block)]
    assert len(shown) >= 6
    with gunicorn(folder, **more) as port:
        for command, lines in shown:
            printed = run(command, folder, port)
            assert not missing_lines(lines, printed), f"$ {command}\n{printed}"


def test_four_workers_share_a_sqlite_store(tmp_path):
    check_workers(tmp_path)
    assert (tmp_path / "shared.db").exists()


def test_four_workers_share_a_redis_store(tmp_path):
    pytest.importorskip("redis")
    with redis_server(tmp_path) as url:
        check_workers(tmp_path, REDIS_URL=url)
    assert not (tmp_path / "shared.db").exists()


@pytest.mark.parametrize(("page", "number"), [("servers", 0), ("throttle", 0), ("security", 0)])
def test_the_first_program_of_the_page_answers_as_shown(page, number, tmp_path):
    name = f"docs/guides/{page}.md"
    check_console(name, blocks(name, "python")[number], tmp_path)


def test_the_login_form_of_the_page_shows_how_long_to_wait(tmp_path, monkeypatch):
    """The view of the variation takes the place of the one in the program."""
    monkeypatch.chdir(tmp_path)
    _, program, view, *_ = blocks("docs/guides/throttle.md", "python")
    begin, end = program.index('@app.route("/login"'), program.index('@app.get("/")')
    scope = {"__name__": "app"}
    exec("from flask_unauthorized import TooManyAttempts\n" + program[:begin] + view + "\n\n" + program[end:], scope)
    client = scope["app"].test_client()
    guesses = [client.post("/login", data={"name": "ada", "password": f"guess{n}"}) for n in range(6)]
    assert [guess.status_code for guess in guesses] == [422] * 5 + [429]
    assert guesses[-1].headers["Retry-After"] == "60"
    assert "Try again in 60 seconds." in guesses[-1].text
    assert '<form method="post">' in guesses[-1].text
    bob = client.post("/login", data={"name": "bob", "password": "guess"})
    assert bob.status_code == 422

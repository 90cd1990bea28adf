"""The server that the clients talk to, and what a missing client means."""

import functools
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple, NoReturn

import pytest

from ..live.conftest import GUNICORN, running

USER, WORD = "ada", "pw wörd"


def need(tool: str) -> str:
    """The path of a program (or the name of a package); skips for a user who lacks it, fails in CI."""
    found = shutil.which(tool) or (tool if find_spec(tool) else None)
    if found is None:
        missing(tool)
    return found


def need_library(tool: str, *check: str) -> str:
    """The path of a program, if ``check`` (its arguments) finds a library of its language; else as `need`."""
    found = need(tool)
    if not _succeeds(found, *check):
        missing(f"a library of {tool}")
    return found


@functools.cache
def _succeeds(*command: str) -> bool:
    return subprocess.run(command, capture_output=True, timeout=60, check=False).returncode == 0


def missing(what: str) -> NoReturn:
    """Skip the test for a user who lacks a program, and fail it in CI."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"{what} is missing")
    pytest.skip(f"{what} is not installed. CONTRIBUTING.md says how to get all programs")


def copy_packages(to: Path) -> Path:
    """Copy what the extension needs, for a server that brings a Python of its own, and return the folder.

    The packages are pure Python, or do without their extension modules, so the two Pythons may differ.
    """
    for package in (
        "flask_unauthorized",
        "flask",
        "werkzeug",
        "jinja2",
        "markupsafe",
        "itsdangerous",
        "click",
        "blinker",
    ):
        found = find_spec(package)
        assert found is not None
        assert found.origin is not None
        source = Path(found.origin).parent
        shutil.copytree(source, to / package, ignore=shutil.ignore_patterns("__pycache__"))
        for data in source.parent.glob(f"{package}-*.dist-info"):  # Flask asks for the version of Werkzeug
            shutil.copytree(data, to / data.name)
    return to


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the app serves behind a password."""
    return tmp_path_factory.mktemp("files")


@pytest.fixture(scope="session")
def url(files: Path) -> Iterator[str]:
    command = (*GUNICORN, "-k", "gthread", "--threads", "8", "tests.clients.app:app")
    with running("clients", command, CLIENTS_FILES=str(files)) as server:
        yield f"http://127.0.0.1:{server.port}"


class Tools(NamedTuple):
    """The server of `tools_app`, the folder that it serves by WebDAV, and what it wrote down about the requests."""

    url: str
    folder: Path
    log: Path

    def sent(self, path: str) -> list[dict[str, str]]:
        """The requests for a path, in their order, since the test began."""
        return [line for line in map(json.loads, self.log.read_text().splitlines()) if line["path"] == path]


@pytest.fixture(scope="session")
def _tools(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tools]:
    root = tmp_path_factory.mktemp("tools")
    folder, log = root / "files", root / "log"
    folder.mkdir()
    command = (*GUNICORN, "-w", "3", "-k", "gthread", "--threads", "4", "tests.clients.tools_app:app")
    environ = {"CLIENTS_FILES": str(folder), "CLIENTS_LOG": str(log), "CLIENTS_STORE": str(root / "store.db")}
    with running("tools", command, **environ) as server:
        yield Tools(f"http://127.0.0.1:{server.port}", folder, log)


@pytest.fixture
def tools(_tools: Tools) -> Tools:
    _tools.log.write_text("")
    for file in _tools.folder.iterdir():
        file.unlink()
    return _tools

"""The server that the clients talk to, and what a missing client means."""

import os
import shutil
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from ..live.conftest import GUNICORN, running

USER, WORD = "ada", "pw wörd"


def need(tool: str) -> str:
    """The path of a program (or the name of a package); skips for a user who lacks it, fails in CI."""
    found = shutil.which(tool) or (tool if find_spec(tool) else None)
    if found is None:
        if os.environ.get("CI") == "true":
            pytest.fail(f"{tool} is missing")
        pytest.skip(f"{tool} is not installed")
    return found


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the app serves behind a password."""
    return tmp_path_factory.mktemp("files")


@pytest.fixture(scope="session")
def url(files: Path) -> Iterator[str]:
    command = (*GUNICORN, "-k", "gthread", "--threads", "8", "tests.clients.app:app")
    with running("clients", command, CLIENTS_FILES=str(files)) as server:
        yield f"http://127.0.0.1:{server.port}"

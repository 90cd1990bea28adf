"""Real PostgreSQL and MariaDB servers for tests, on free ports of this machine, run by a user without rights."""

import os
import pwd
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import pytest
from sqlalchemy import NullPool, create_engine, exc

from tests.helpers import free_port

NOBODY = "nobody"
PLACES = ("/usr/sbin", "/usr/local/bin", *map(str, sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)))


def _program(name: str) -> str:
    found = shutil.which(name, path=os.pathsep.join((os.environ.get("PATH", ""), *PLACES)))
    if found is None:
        missing(f"{name} is not installed")
    return str(found)


def missing(what: str) -> None:
    """Skip a test for lack of a program. In CI it fails."""
    if os.environ.get("CI") == "true":
        pytest.fail(what)
    pytest.skip(f"{what}. CONTRIBUTING.md says how to get all programs", allow_module_level=True)


def _user() -> dict[str, Any]:
    """Options of `subprocess`: database servers refuse to run as root."""
    if os.geteuid() != 0:
        return {}
    account = pwd.getpwnam(NOBODY)
    return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}


@contextmanager
def _folder() -> Iterator[Path]:
    """A short path, because that of a socket has 107 characters at most. The user of the server owns it."""
    path = Path(mkdtemp(prefix="db", dir="/tmp"))
    user = _user()
    if user:
        os.chown(path, user["user"], user["group"])
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


@contextmanager
def _server(command: list[str], folder: Path, url: str) -> Iterator[str]:
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log, **_user())
        try:
            _wait_for(url, process, folder / "log")
            yield url
        finally:
            process.kill()
            process.wait()


def _wait_for(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    engine = create_engine(url, poolclass=NullPool)
    end = time.monotonic() + 60
    while True:
        try:
            with engine.connect():
                return
        except exc.OperationalError:
            if time.monotonic() > end or process.poll() is not None:
                raise TimeoutError(f"the server did not come up: {log.read_text()[-2000:]}") from None
            time.sleep(0.1)


@contextmanager
def postgresql() -> Iterator[str]:
    """The URL of a server that ends with the block."""
    pytest.importorskip("psycopg") if os.environ.get("CI") != "true" else __import__("psycopg")
    initdb, server = _program("initdb"), _program("postgres")
    with _folder() as folder:
        data, port = folder / "data", free_port()
        subprocess.run(
            [initdb, "-D", data, "-U", "test", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"],
            check=True, cwd=folder, stdout=subprocess.DEVNULL, **_user(),
        )  # fmt: skip
        command = [server, "-D", str(data), "-p", str(port), "-k", str(folder), "-h", "127.0.0.1", "-F"]
        with _server(command, folder, f"postgresql+psycopg://test@127.0.0.1:{port}/postgres") as url:
            yield url


@contextmanager
def mariadb() -> Iterator[str]:
    """The URL of a server that ends with the block. Its collation is the default, which ignores case and blanks."""
    pytest.importorskip("pymysql") if os.environ.get("CI") != "true" else __import__("pymysql")
    install, server = _program("mariadb-install-db"), _program("mariadbd")
    with _folder() as folder:
        data, port = folder / "data", free_port()
        subprocess.run(
            [install, "--no-defaults", f"--datadir={data}", "--auth-root-authentication-method=normal"],
            check=True, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **_user(),
        )  # fmt: skip
        command = [
            server, "--no-defaults", f"--datadir={data}", f"--port={port}", "--bind-address=127.0.0.1",
            f"--socket={folder / 's'}", f"--pid-file={folder / 'pid'}", "--skip-name-resolve",
            "--innodb-flush-log-at-trx-commit=0",
        ]  # fmt: skip
        with _server(command, folder, f"mysql+pymysql://root@127.0.0.1:{port}/mysql") as url:
            engine = create_engine(url)
            with engine.begin() as connection:
                connection.exec_driver_sql("CREATE DATABASE notes CHARACTER SET utf8mb4")
                connection.exec_driver_sql("CREATE DATABASE old CHARACTER SET latin1")
            engine.dispose()
            yield url.replace("/mysql", "/notes")


SERVERS: dict[str, Callable[[], Any]] = {"postgresql": postgresql, "mariadb": mariadb}

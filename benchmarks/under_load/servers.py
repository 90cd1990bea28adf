"""The servers: each with one worker process, on a free port of 127.0.0.1, as long as a block runs."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import NamedTuple

from .apps import APP

THREADS = 4
_BENCHMARKS = Path(__file__).parents[1]
_GUNICORN = (
    sys.executable, "-m", "gunicorn", "under_load.apps:make()", "--workers", "1", "--keep-alive", "60",
    "--log-level", "error", "--no-control-socket", "--bind", "127.0.0.1:{port}",
)  # fmt: skip
SERVERS: Mapping[str, tuple[str, ...]] = {
    "gunicorn, gthread": (*_GUNICORN, "--worker-class", "gthread", "--threads", str(THREADS)),
    "gunicorn, gevent": (*_GUNICORN, "--worker-class", "gevent"),
    "granian": (
        sys.executable, "-m", "granian", "under_load.apps:make", "--factory", "--interface", "wsgi", "--workers", "1",
        "--blocking-threads", str(THREADS), "--no-ws", "--no-log", "--host", "127.0.0.1", "--port", "{port}",
    ),
}  # fmt: skip


class Server(NamedTuple):
    """A server that runs."""

    port: int
    process: "subprocess.Popen[bytes]"

    def memory(self) -> float | None:
        """MiB that the workers hold in memory, where Linux tells it. The first process only starts them."""
        held = [_resident(pid) for pid in _children(self.process.pid)]
        return sum(held) if held else None


@contextlib.contextmanager
def serve(name: str, key: str, folder: Path) -> Iterator[Server]:
    """Runs one app in one server. Raises `RuntimeError` if it doesn't come up."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    path = os.pathsep.join(filter(None, (str(_BENCHMARKS), os.environ.get("PYTHONPATH"))))
    log = folder / f"{port}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [part.format(port=port) for part in SERVERS[name]],
            cwd=_BENCHMARKS,
            env={**os.environ, APP: key, "PYTHONPATH": path, "TMPDIR": str(folder)},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # so that all its processes can be ended together
        )
        try:
            _wait_for(name, key, port, process, log)
            yield Server(port, process)
        finally:
            _end(process)


def _wait_for(name: str, key: str, port: int, process: "subprocess.Popen[bytes]", log: Path) -> None:
    end = time.monotonic() + 30
    while process.poll() is None and time.monotonic() < end:
        if _answers(port):
            return
        time.sleep(0.05)
    raise RuntimeError(f"{name} with {key} did not come up: {log.read_text(errors='replace')[-2000:]}")


def _answers(port: int) -> bool:
    connection = HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/")
        return connection.getresponse().status in (200, 401)
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


def _end(process: "subprocess.Popen[bytes]") -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(10)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)  # whatever is left of the group
    process.wait()


def _children(pid: int) -> list[int]:
    """The processes that a process has started, directly or not."""
    listed = Path(f"/proc/{pid}/task/{pid}/children")
    if not listed.exists():
        return []
    own = [int(child) for child in listed.read_text().split()]
    return [*own, *(one for child in own for one in _children(child))]


def _resident(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS:"))

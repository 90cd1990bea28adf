"""Real servers, each started once, and what a raw socket gets from them."""

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.helpers import free_port, is_listening

ROOT = Path(__file__).parents[2]
GUNICORN = ("-m", "gunicorn", "-b", "127.0.0.1:{port}", "--log-level", "error")
SERVERS = {
    "gunicorn-sync": (*GUNICORN, "tests.live.app:app"),
    "gunicorn-gthread": (*GUNICORN, "-k", "gthread", "--threads", "4", "tests.live.app:app"),
    "gunicorn-gevent": (*GUNICORN, "-k", "gevent", "tests.live.app:app"),
    "waitress": ("-m", "waitress", "--listen=127.0.0.1:{port}", "tests.live.app:app"),
    "werkzeug": ("-m", "flask", "--app", "tests.live.app", "run", "--port", "{port}"),
}


class Server(NamedTuple):
    """A server under test. ``keeps_alive``: more than one request on a connection."""

    name: str
    port: int

    @property
    def keeps_alive(self) -> bool:
        return self.name not in ("gunicorn-sync", "werkzeug")


@contextlib.contextmanager
def running(name: str, arguments: tuple[str, ...], *, ports: int = 1, **environ: str) -> Iterator[Server]:
    """A server, from its start to its end. ``PORT`` has its port, and more ports after it are free if it needs some."""
    port = free_port(ports)
    command = [sys.executable, *(part.format(port=port) for part in arguments)]
    process = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        env={**os.environ, "PORT": str(port), **environ},
    )  # fmt: skip
    try:
        deadline = time.monotonic() + 20
        while not is_listening(port):
            assert process.poll() is None, f"{name} did not start"
            assert time.monotonic() < deadline, f"{name} did not start"
            time.sleep(0.05)
        yield Server(name, port)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@pytest.fixture(scope="session", params=SERVERS)
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    with running(request.param, SERVERS[request.param]) as started:
        yield started


class Answer(NamedTuple):
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def challenges(self) -> list[str]:
        return self.headers.get_all("WWW-Authenticate", [])


class Connection:
    """A connection on which a test writes what it likes."""

    def __init__(self, server: Server) -> None:
        self.socket = socket.create_connection(("127.0.0.1", server.port), 15)
        self._file = self.socket.makefile("rb")

    def __enter__(self) -> "Connection":  # noqa: PYI034  # nobody derives from it
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        self.socket.close()

    def send(self, data: bytes) -> None:
        """Sends, also where the server has stopped reading: its answer may be there all the same."""
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.socket.sendall(data)

    def receive(self, method: bytes = b"GET") -> Answer | None:
        """The next answer; ``None`` where the server has closed the connection in an orderly way."""
        answer = http.client.HTTPResponse(_Shared(self._file), method=method.decode())  # type: ignore[arg-type]
        try:
            answer.begin()
            return Answer(answer.status, answer.headers, answer.read())
        except http.client.RemoteDisconnected:
            return None


class _Shared:
    """A socket for `HTTPResponse` whose buffer stays with the connection: pipelined answers come in one piece."""

    def __init__(self, file: object) -> None:
        self._file = file

    def makefile(self, *_: object, **__: object) -> object:
        return _Unclosed(self._file)


class _Unclosed:
    def __init__(self, file: object) -> None:
        self._file = file

    def __getattr__(self, name: str) -> object:
        return getattr(self._file, name)

    def close(self) -> None:
        """The connection closes it."""


def head(
    *lines: bytes, method: bytes = b"GET", target: bytes = b"/", keep: bool = False, version: bytes = b"1.1"
) -> bytes:
    """The head of a request with exactly these lines, and Host."""
    fixed = (method + b" " + target + b" HTTP/" + version, b"Host: x", *(() if keep else (b"Connection: close",)))
    return b"\r\n".join((*fixed, *lines)) + b"\r\n\r\n"


def ask(server: Server, *lines: bytes, body: bytes = b"", target: bytes = b"/", method: bytes = b"GET") -> Answer:
    """The answer to one request with exactly these header lines."""
    with Connection(server) as connection:
        connection.send(head(*lines, method=method, target=target) + body)
        answer = connection.receive(method)
        assert answer is not None, "the server hung up"
        return answer

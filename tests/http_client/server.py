"""A server on loopback, plain or with TLS, that answers as badly as a test wants. Sockets and threads, no library."""

import json
import socket
import ssl
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple


def _close_half_made(error: OSError) -> None:
    """Close the socket that wrap_socket() of CPython leaves open if the peer resets the connection."""
    for frame, _ in traceback.walk_tb(error.__traceback__):
        made = frame.f_locals.get("self")
        if isinstance(made, ssl.SSLSocket):
            made.close()


class Request(NamedTuple):
    method: str
    target: str
    headers: dict[str, str]  # names in lower case
    body: bytes


Answer = Callable[[Request, socket.socket], None]


class Listener:
    """Accepts connections on loopback, and serves each in a thread of its own until it is stopped."""

    def __init__(self) -> None:
        self.stopping = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._open: set[socket.socket] = set()
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def stop(self) -> None:
        self.stopping.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for sock in list(self._open):
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(20)
            assert not thread.is_alive()

    def _start(self, target: Callable[..., None], *args: socket.socket) -> threading.Thread:
        thread = threading.Thread(target=target, args=args)
        thread.start()
        self._threads.append(thread)  # now that it can be joined
        return thread

    def _accept(self) -> None:
        while not self.stopping.is_set():
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            self._open.add(sock)
            self._start(self._serve, sock)

    def _serve(self, sock: socket.socket) -> None:
        raise NotImplementedError


class Server(Listener):
    """``answers`` maps paths to what is sent for them: bytes, or a function of request and socket."""

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        self.answers: dict[str, Answer | bytes] = {}
        self.requests: list[Request] = []
        self.keeps = False  # whether a connection stays open behind what a function sent
        self._context = context
        super().__init__()
        self.url = f"{'https' if context else 'http'}://localhost:{self.port}"

    def calls(self, path: str | None = None) -> int:
        return sum(path in (None, request.target) for request in list(self.requests))

    def _serve(self, sock: socket.socket) -> None:
        plain = sock
        try:
            plain.settimeout(30)
            if self._context is not None:
                sock = self._context.wrap_socket(plain, server_side=True)
                self._open.add(sock)
            while (request := _read(sock)) is not None:
                self.requests.append(request)
                answer = self.answers.get(request.target.partition("?")[0], not_found)
                if callable(answer):
                    answer(request, sock)
                else:
                    sock.sendall(answer)
                if (callable(answer) and not self.keeps) or (not callable(answer) and b"Connection: close" in answer):
                    return
        except OSError as error:
            _close_half_made(error)
        finally:
            sock.close()
            plain.close()
            self._open -= {sock, plain}


def _read(sock: socket.socket) -> Request | None:
    data = b""
    while b"\r\n\r\n" not in data:
        chunk = sock.recv(65536)
        if not chunk:
            return None
        data += chunk
        if data[:1] == b"\x16":  # a TLS handshake, to a server without TLS
            sock.sendall(b"HTTP/1.1 400 x\r\n\r\n")
            return None
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode("ascii").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    while len(body) < int(headers.get("content-length", "0")):
        body += sock.recv(65536)
    method, target, _ = first.split(" ")
    return Request(method, target, headers, body)


# --- answers


def answer(body: Any = b"", status: int = 200, *, kind: str = "application/json", keep: bool = False, **headers: str):
    """A whole answer; what isn't bytes is sent as JSON."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    fields = {"Content-Type": kind, "Content-Length": str(len(content)), **headers}
    lines = [f"HTTP/1.1 {status} x", *(f"{name.replace('_', '-')}: {value}" for name, value in fields.items())]
    lines += [] if keep else ["Connection: close"]
    return "\r\n".join((*lines, "", "")).encode() + content


not_found = answer(b"nothing here", 404, kind="text/plain")


def redirect(location: str) -> bytes:
    return answer(b"", 302, Location=location)


def drip(request: Request, sock: socket.socket, head: bytes = b"HTTP/1.1 200 x\r\n\r\n") -> None:
    """A byte at a time, for as long as somebody reads."""
    sock.sendall(head)
    pause = threading.Event()
    for _ in range(3000):
        sock.sendall(b" ")
        pause.wait(0.01)


def drip_in_head(request: Request, sock: socket.socket) -> None:
    drip(request, sock, b"HTTP/1.1 200 x\r\nX: ")


def head_flood(request: Request, sock: socket.socket) -> None:
    sock.sendall(b"HTTP/1.1 200 x\r\n")
    for _ in range(3000):
        sock.sendall(b"X-Flood: " + b"x" * 60_000 + b"\r\n")


def chunked_flood(request: Request, sock: socket.socket) -> None:
    """150 MB in chunks, without a length."""
    sock.sendall(b"HTTP/1.1 200 x\r\nTransfer-Encoding: chunked\r\n\r\n")
    for _ in range(150):
        sock.sendall(b"100000\r\n" + b" " * 0x100000 + b"\r\n")


def interim_flood(request: Request, sock: socket.socket) -> None:
    """100 Continue for ever."""
    for _ in range(100_000):
        sock.sendall(b"HTTP/1.1 100 Continue\r\n\r\n" * 100)


def hang_up(request: Request, sock: socket.socket) -> None:
    """Nothing at all."""


def silent(request: Request, sock: socket.socket) -> None:
    """Waits until the other side hangs up."""
    while sock.recv(1024):
        pass


class Gate:
    """Holds an answer back until the test lets it go."""

    def __init__(self, content: bytes, server: Server) -> None:
        self.content = content
        self.arrived = threading.Semaphore(0)
        self._open = threading.Event()
        self._server = server

    def __call__(self, request: Request, sock: socket.socket) -> None:
        self.arrived.release()
        for _ in range(3000):
            if self._open.wait(0.01) or self._server.stopping.is_set():
                break
        sock.sendall(self.content)

    def wait(self) -> None:
        assert self.arrived.acquire(timeout=20), "nobody came"

    def open(self) -> None:
        self._open.set()


@contextmanager
def running(context: ssl.SSLContext | None = None) -> Iterator[Server]:
    server = Server(context)
    try:
        yield server
    finally:
        server.stop()

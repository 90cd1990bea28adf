"""A proxy on loopback that opens tunnels by CONNECT, or misbehaves as a test wants. Sockets and threads, no library."""

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from .server import Listener

ESTABLISHED = b"HTTP/1.1 200 Connection established\r\n\r\n"


class ConnectProxy(Listener):
    """Looks up the target's name in ``hosts``, and else connects to the same port of this machine.

    ``response`` is sent for CONNECT: bytes, after which a tunnel is opened if the status is 2xx, or a function of the
    socket.
    """

    def __init__(self) -> None:
        self.heads: list[bytes] = []
        self.hosts: dict[str, int] = {}
        self.response: bytes | Callable[[socket.socket], None] = ESTABLISHED
        super().__init__()
        self.name = f"127.0.0.1:{self.port}"
        self.url = f"http://{self.name}"

    def url_with(self, userinfo: str) -> str:
        return f"http://{userinfo}@{self.name}"

    @property
    def targets(self) -> list[bytes]:
        """The targets of the CONNECT requests so far."""
        return [head.split(b" ")[1] for head in self.heads]

    def _serve(self, sock: socket.socket) -> None:
        with sock, suppress(OSError):
            sock.settimeout(30)
            head = b""
            while not head.endswith(b"\r\n\r\n"):  # the client waits for the response before it says more
                if not (octets := sock.recv(65536)):
                    return
                head += octets
            self.heads.append(head)
            if callable(self.response):
                self.response(sock)
            else:
                sock.sendall(self.response)
                if self.response.startswith((b"HTTP/1.1 2", b"HTTP/1.0 2")):
                    self._tunnel(sock, self.targets[-1].decode())
        self._open.discard(sock)

    def _tunnel(self, client: socket.socket, target: str) -> None:
        port = self.hosts.get(target) or int(target.rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port), timeout=30) as server:
            self._open.add(server)
            back = self._start(self._copy, server, client)
            self._copy(client, server)
            back.join(30)
        self._open.discard(server)

    def _copy(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while octets := source.recv(65536):
                sink.sendall(octets)
        with suppress(OSError):
            sink.shutdown(socket.SHUT_WR)


@contextmanager
def running_proxy() -> Iterator[ConnectProxy]:
    proxy = ConnectProxy()
    try:
        yield proxy
    finally:
        proxy.stop()

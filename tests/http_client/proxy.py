"""A proxy on loopback that opens tunnels by CONNECT, or misbehaves as a test wants. Sockets and threads, no library."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

ESTABLISHED = b"HTTP/1.1 200 Connection established\r\n\r\n"


class ConnectProxy:
    """Looks up the target's name in ``hosts``, and else connects to the same port of this machine.

    ``response`` is sent for CONNECT: bytes, after which a tunnel is opened if the status is 2xx, or a function of the
    socket.
    """

    def __init__(self) -> None:
        self.heads: list[bytes] = []
        self.hosts: dict[str, int] = {}
        self.response: bytes | Callable[[socket.socket], None] = ESTABLISHED
        self.stopping = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.name = f"127.0.0.1:{self.port}"
        self.url = f"http://{self.name}"
        self._open: set[socket.socket] = set()
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def url_with(self, userinfo: str) -> str:
        return f"http://{userinfo}@{self.name}"

    @property
    def targets(self) -> list[bytes]:
        """The targets of the CONNECT requests so far."""
        return [head.split(b" ")[1] for head in self.heads]

    def stop(self) -> None:
        self.stopping.set()
        for sock in [self._listener, *self._open]:
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        self._listener.close()
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

    def _serve(self, client: socket.socket) -> None:
        with client, suppress(OSError):
            client.settimeout(30)
            head = b""
            while not head.endswith(b"\r\n\r\n"):  # the client waits for the response before it says more
                if not (octets := client.recv(65536)):
                    return
                head += octets
            self.heads.append(head)
            if callable(self.response):
                self.response(client)
            else:
                client.sendall(self.response)
                if self.response.startswith((b"HTTP/1.1 2", b"HTTP/1.0 2")):
                    self._tunnel(client, self.targets[-1].decode())
        self._open.discard(client)

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

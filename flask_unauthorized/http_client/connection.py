"""Connections whose every wait ends in time, and whose answers end in size: those of `http.client` bound neither."""

import http.client
import io
import socket
import ssl
import time
from typing import Any, Final

BESIDE: Final = 128 * 1024
"""Most bytes of an answer beside its body: head, chunk lines, trailers, and what is read at a time."""


class EndlessError(http.client.HTTPException):
    """An answer that goes on beyond its size."""


class _Limits:
    """Until when, and how many bytes of an answer are read: for one exchange."""

    __slots__ = ("end", "left")

    def __init__(self, end: float, limit: int) -> None:
        self.end = end
        self.left = limit + BESIDE

    def remaining(self) -> float:
        """Seconds that are left; `TimeoutError` where none are."""
        seconds = self.end - time.monotonic()
        if seconds <= 0:
            raise TimeoutError("the time for the exchange is over")
        return seconds


class _LimitedReader(io.RawIOBase):
    """Reads from a socket within the limits of its exchange."""

    def __init__(self, sock: socket.socket, limits: _Limits) -> None:
        self._sock = sock
        self._raw = sock.makefile("rb", buffering=0)  # counted by the socket, which then closes when both are closed
        self._limits = limits

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._sock.settimeout(self._limits.remaining())
        count = int(self._raw.readinto(buffer) or 0)
        self._limits.left -= count
        if self._limits.left < 0:
            raise EndlessError
        return count

    def close(self) -> None:
        self._raw.close()
        super().close()


class _LimitedSocket:
    """What `http.client` uses of a socket."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self.limits = _Limits(0, 0)

    def makefile(self, mode: str) -> io.BufferedReader:
        return io.BufferedReader(_LimitedReader(self._sock, self.limits))

    def sendall(self, data: Any) -> None:
        self._sock.settimeout(self.limits.remaining())
        self._sock.sendall(data)

    def close(self) -> None:
        self._sock.close()


class LimitedHTTP(http.client.HTTPConnection):
    """A plain connection. Call `begin` before each request."""

    def __init__(self, host: str, port: int, *, connect_timeout: float, context: ssl.SSLContext | None = None) -> None:
        super().__init__(host, port)
        self._connect_timeout = connect_timeout
        self._tls = context
        self._limits = _Limits(0, 0)

    def begin(self, end: float, limit: int) -> None:
        """Sets what the next exchange may take: until ``end`` (monotonic clock), and ``limit`` bytes of body."""
        self._limits = _Limits(end, limit)
        if self.sock is not None:
            self.sock.limits = self._limits

    def connect(self) -> None:
        sock = self._reach()
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._tls is not None:
                sock.settimeout(self._limits.remaining())
                sock = self._tls.wrap_socket(sock, server_hostname=self.host)
        except BaseException:  # an interruption too: nothing is left open
            sock.close()
            raise
        self.sock: Any = _LimitedSocket(sock)
        self.sock.limits = self._limits

    def _reach(self) -> socket.socket:
        """A socket connected to the first address that answers in time."""
        trouble: OSError | None = None
        for family, kind, protocol, _, address in socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM):
            sock = socket.socket(family, kind, protocol)
            try:
                sock.settimeout(min(self._connect_timeout, self._limits.remaining()))
                sock.connect(address)
            except BaseException as error:  # an interruption too: nothing is left open
                sock.close()
                if not isinstance(error, OSError):
                    raise
                trouble = error
            else:
                return sock
        try:
            raise trouble or OSError("the name has no address")
        finally:
            trouble = None  # else the traceback and this frame hold each other


class LimitedHTTPS(LimitedHTTP):
    """The same over TLS; ``context`` checks certificate and name."""

    default_port = 443

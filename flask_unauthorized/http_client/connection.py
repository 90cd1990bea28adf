"""HTTP connections with a total deadline and a response size limit.

`LimitedConnection` is a connection of `http.client` that also bounds the whole exchange. `begin` sets a deadline and a
byte limit for the next exchange. Every later wait on the socket is shortened to the time that remains. Every byte that
arrives counts against the limit, whether it belongs to the status line, the header, the chunk sizes or the body.

Order of steps for a new connection:

1. Try the addresses of the server in turn, or those of the proxy. Each gets at most ``connect_timeout`` seconds.
2. With a proxy, send CONNECT and read the head of its response (RFC 9110 §9.3.6). Nothing of a body is read.
3. For ``https``, perform the TLS handshake, always with the name of the target server.

Invariants:

- No step outlives the deadline. The exception is the look-up of a host name, which only the system's resolver bounds.
- A failed or interrupted step closes the socket.
- The proxy's credentials are only sent to the proxy, and never appear in a ``repr`` or in an exception.

Simpler ways don't bound the time. The timeout of a socket restarts with each byte, so a server that sends one byte per
second is never too late. `http.client` has no other timeout, and neither have requests and httpx. ``Timeout(total=2)``
of urllib3 2.8.0 took 22.2 seconds for a response head that arrived byte by byte. urllib3 with a watchdog thread came to
406 lines, was slower, and left gaps. The proxy's response isn't read by `http.client.HTTPConnection.set_tunnel`,
because that copies the proxy's own words into its exception and sets no deadline.
"""

import http.client
import io
import socket
import ssl
import time
from dataclasses import dataclass, field
from typing import Any, Final

MAX_OVERHEAD: Final = 128 * 1024
"""Most bytes of a response besides its body: head, chunk sizes, trailers, and what one read takes too much."""
MAX_TUNNEL_HEAD: Final = 32 * 1024
"""Longest head of a proxy's response to CONNECT, in bytes."""


class ResponseTooLargeError(http.client.HTTPException):
    """The response is longer than its limit."""


class ProxyError(http.client.HTTPException):
    """The proxy opened no tunnel.

    ``status`` is the status with which it responded to CONNECT. If that is ``None``, then the proxy could not be
    reached or sent no complete response, and ``__cause__`` is the reason.
    """

    def __init__(self, status: int | None) -> None:
        super().__init__(status)
        self.status = status


@dataclass(frozen=True, slots=True)
class Proxy:
    """An HTTP proxy that opens tunnels by CONNECT. Its ``repr`` and ``str`` don't show the credentials."""

    host: str
    port: int
    authorization: str | None = field(default=None, repr=False)
    """The value of ``Proxy-Authorization``."""

    def __str__(self) -> str:
        return _authority(self.host, self.port)


class _Limits:
    """The deadline of one exchange (monotonic clock), and how many more bytes may arrive."""

    __slots__ = ("bytes_left", "deadline")

    def __init__(self, deadline: float, max_bytes: int) -> None:
        self.deadline = deadline
        self.bytes_left = max_bytes

    def remaining(self) -> float:
        """Return the seconds until the deadline. Raise `TimeoutError` if it has passed."""
        seconds = self.deadline - time.monotonic()
        if seconds <= 0:
            raise TimeoutError("the deadline of the exchange has passed")
        return seconds


class _LimitedReader(io.RawIOBase):
    """A file that reads from a socket within the limits of an exchange."""

    def __init__(self, sock: socket.socket, limits: _Limits) -> None:
        self._sock = sock
        # The socket counts this file as a user, and closes itself when both are closed.
        self._raw = sock.makefile("rb", buffering=0)
        self._limits = limits

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._sock.settimeout(self._limits.remaining())
        count = int(self._raw.readinto(buffer) or 0)
        self._limits.bytes_left -= count
        if self._limits.bytes_left < 0:
            raise ResponseTooLargeError
        return count

    def close(self) -> None:
        self._raw.close()
        super().close()


class _LimitedSocket:
    """The methods of a socket that `http.client` calls, within the limits of an exchange.

    An unbuffered one reads exactly the bytes that are asked for, so the bytes behind a head stay in the socket.
    """

    def __init__(self, sock: socket.socket, limits: _Limits, *, buffered: bool = True) -> None:
        self._sock = sock
        self.limits = limits
        self._buffered = buffered

    def makefile(self, mode: str) -> io.BufferedReader | io.RawIOBase:
        reader = _LimitedReader(self._sock, self.limits)
        return io.BufferedReader(reader) if self._buffered else reader

    def sendall(self, data: bytes) -> None:
        # `ssl.SSLSocket.sendall` would restart the timeout with each record.
        unsent = memoryview(data)
        while unsent:
            self._sock.settimeout(self.limits.remaining())
            unsent = unsent[self._sock.send(unsent) :]

    def close(self) -> None:
        self._sock.close()


class LimitedConnection(http.client.HTTPConnection):
    """A connection to ``host``, directly or through a proxy. Call `begin` before each request.

    Args:
        host: The target server: a name or an IP address, without brackets.
        port: Its port.
        connect_timeout: Longest time for connecting to one address, in seconds.
        context: Uses TLS, and checks the certificate of ``host``. ``None`` for plain HTTP.
        proxy: The proxy that opens a tunnel to ``host``, or ``None``.
    """

    def __init__(
        self,
        host: str,
        port: int,
        *,
        connect_timeout: float,
        context: ssl.SSLContext | None = None,
        proxy: Proxy | None = None,
    ) -> None:
        super().__init__(host, port)
        if context is not None:
            self.default_port = http.client.HTTPS_PORT  # so that ``Host`` names other ports only
        self._connect_timeout = connect_timeout
        self._context = context
        self._proxy = proxy
        self._limits = _Limits(0, 0)

    def begin(self, deadline: float, max_body: int) -> None:
        """Set the limits of the next exchange.

        Args:
            deadline: When it ends at the latest, by the monotonic clock.
            max_body: Longest body of the response, in bytes. `MAX_OVERHEAD` is added for the rest of it.
        """
        self._limits = _Limits(deadline, max_body + MAX_OVERHEAD)
        if self.sock is not None:
            self.sock.limits = self._limits

    def connect(self) -> None:
        """Connect, through the proxy if there is one, and perform the TLS handshake.

        Raises:
            ProxyError: The proxy opened no tunnel.
            OSError: Another step failed; `ssl.SSLError` and `TimeoutError` are among these.
        """
        sock = self._connect_socket(self.host, self.port) if self._proxy is None else self._open_tunnel(self._proxy)
        try:
            if self._context is not None:
                sock.settimeout(self._limits.remaining())  # of the whole handshake
                sock = self._context.wrap_socket(sock, server_hostname=self.host)
        except BaseException:  # KeyboardInterrupt as well, so that no socket stays open
            sock.close()
            raise
        self.sock: Any = _LimitedSocket(sock, self._limits)

    def _connect_socket(self, host: str, port: int) -> socket.socket:
        """Return a socket that is connected to the first address that accepts."""
        last_error: OSError | None = None
        for family, kind, protocol, _, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
            sock = socket.socket(family, kind, protocol)
            try:
                sock.settimeout(min(self._connect_timeout, self._limits.remaining()))
                sock.connect(address)
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            except BaseException as error:  # KeyboardInterrupt as well, so that no socket stays open
                sock.close()
                if not isinstance(error, OSError):
                    raise
                last_error = error
            else:
                return sock
        try:
            raise last_error or OSError("the name has no address")
        finally:
            last_error = None  # otherwise the traceback and this frame refer to each other

    def _open_tunnel(self, proxy: Proxy) -> socket.socket:
        """Return a socket that leads through ``proxy`` to the target server (RFC 9110 §9.3.6)."""
        try:
            sock = self._connect_socket(proxy.host, proxy.port)
            try:
                status = self._request_tunnel(sock, proxy)
                if not 200 <= status < 300:
                    raise ProxyError(status)
            except BaseException:  # KeyboardInterrupt as well, so that no socket stays open
                sock.close()
                raise
        except ProxyError:
            raise
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise ProxyError(None) from error
        return sock

    def _request_tunnel(self, sock: socket.socket, proxy: Proxy) -> int:
        """Send CONNECT and return the status of the response, of which only the head is read."""
        target = _authority(self.host, self.port)
        lines = [f"CONNECT {target} HTTP/1.1", f"Host: {target}", "User-Agent: flask_unauthorized"]
        if proxy.authorization is not None:
            lines.append(f"Proxy-Authorization: {proxy.authorization}")
        # Unbuffered: the first bytes behind the head belong to the TLS handshake.
        limited = _LimitedSocket(sock, _Limits(self._limits.deadline, MAX_TUNNEL_HEAD), buffered=False)
        limited.sendall("\r\n".join((*lines, "", "")).encode("ascii"))
        with http.client.HTTPResponse(limited, method="CONNECT") as response:  # type: ignore[arg-type]  # makefile() is all that it uses
            response.begin()
            return response.status


def _authority(host: str, port: int) -> str:
    """Return ``host:port``, with brackets around an IPv6 address (RFC 3986 §3.2.2)."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

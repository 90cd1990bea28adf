"""A server and raw handshakes for the neighbours that speak WebSocket; every wait ends."""

import base64
import http.client
import os
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import NamedTuple

from flask import Flask
from werkzeug.serving import WSGIRequestHandler, make_server

_SECONDS = 5


class Reply(NamedTuple):
    """What came back for a handshake: the answer's status and fields, and what followed in the socket."""

    status: int
    headers: http.client.HTTPMessage
    data: bytes


class _Quiet(WSGIRequestHandler):
    def log_request(self, *args: object) -> None:
        """Writes nothing."""


@contextmanager
def serving(app: Flask) -> Iterator[int]:
    """Serves ``app`` in threads of Werkzeug's server; yields the port."""
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=_Quiet)
    server.daemon_threads = True  # type: ignore[attr-defined]  # socketserver's mixin has it
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join(_SECONDS)


def request(port: int, method: str, path: str, headers: Mapping[str, str] = {}, body: bytes | None = None) -> Reply:
    """One request on a connection of its own."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_SECONDS)
    try:
        connection.request(method, path, body, dict(headers))
        response = connection.getresponse()
        return Reply(response.status, response.headers, response.read())
    finally:
        connection.close()


def handshake(port: int, path: str, headers: Mapping[str, str] = {}) -> Reply:
    """Asks for a WebSocket, and reads the first frame of the server where it is granted."""
    fields = {
        "Host": f"127.0.0.1:{port}", "Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": base64.b64encode(os.urandom(16)).decode(), **headers,
    }  # fmt: skip
    lines = [f"GET {path} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items()), "", ""]
    with socket.create_connection(("127.0.0.1", port), timeout=_SECONDS) as connection:
        connection.sendall("\r\n".join(lines).encode())
        with connection.makefile("rb") as stream:
            status = int(stream.readline().split()[1])
            found = http.client.parse_headers(stream)
            if status != 101:
                return Reply(status, found, stream.read(int(found.get("Content-Length", "0"))))
            _, length = stream.read(2)  # a short frame of the server, which is not masked
            return Reply(status, found, stream.read(length))

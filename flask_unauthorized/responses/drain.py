"""Unread request bodies: after a refusal they are read and dropped, or the connection ends.

A client in the middle of sending a body sees a connection reset, not the refusal, if the server closes without having
read the body. RFC 9112 §9.6 describes the problem. A kept-alive connection would also show the rest of the body as the
next request.

gunicorn and Werkzeug's development server leave an unread body to the app, and they hand over the socket, so a read
can be ended. Other servers are left alone: waitress has read the body before it calls the app; cheroot, uWSGI, a2wsgi
and hypercorn read or close by themselves, and reading there can't be ended.

Waiting for a body costs a thread, so the time and the number of waits at once are limited. Beyond the limits the
connection ends right after the response. No ``Connection: close`` announces that: Werkzeug always sends one, gunicorn
drops the one of an app (PEP 3333 forbids apps to set it), and says ``keep-alive`` whatever the app wishes.
"""

import os
import socket
import threading
from contextlib import suppress
from typing import Any, Final

from flask import Request, Response
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.wsgi import get_input_stream

from ..schemes.run_async import threads_are_greenlets

MAX_SECONDS: Final = 2.0
"""Longest time that reading one body may take, in seconds."""

MAX_SECONDS_BEYOND: Final = 0.02
"""The same if no further thread may wait. A small body has arrived with its request by then."""

THREADS_PER_DRAIN: Final = 4
"""Of this many threads, one may wait for an unread body. One thread may always wait."""

MAX_GREEN_DRAINS: Final = 100
"""How many may wait under gevent, where a wait costs a connection: a tenth of gunicorn's ``worker_connections``."""

_SOCKETS: Final = ("gunicorn.socket", "werkzeug.socket")
_CHUNK: Final = 65536


def drain(request: Request, response: Response) -> None:
    """Read and drop the request's unread body, or end the connection after ``response``. Never raises.

    ``Expect: 100-continue`` makes no difference: both servers have asked for the body before they call the app.
    """
    environ = request.environ
    connection = next((environ[name] for name in _SOCKETS if name in environ), None)
    # In HTTP/2 the socket carries other requests, and the body of one doesn't get in the way of the next.
    if connection is None or environ.get("SERVER_PROTOCOL") not in ("HTTP/1.0", "HTTP/1.1"):
        return
    if not _drain_in_time(request, connection):
        response.call_on_close(lambda: _end(connection))


def _drain_in_time(request: Request, connection: Any) -> bool:
    """Return whether the whole body was read within the limits."""
    may_wait = _drains.begin()
    try:
        over = threading.Event()
        alarm = threading.Timer(MAX_SECONDS if may_wait else MAX_SECONDS_BEYOND, _stop_reading, (connection, over))
        alarm.daemon = True
        with suppress(RuntimeError):  # the process may have no thread left; without an alarm nothing ends a read
            alarm.start()
            try:
                return _read_all(request, over)
            finally:
                alarm.cancel()
        return False
    finally:
        _drains.finish(may_wait)


def _read_all(request: Request, over: threading.Event) -> bool:
    """Return whether the end of the body was reached before the time was ``over``."""
    # A server's input may raise any exception, for example for a malformed chunk. The refusal is ready anyway.
    with suppress(Exception):
        try:
            return _read_until(over, request.stream)
        except RequestEntityTooLarge:  # the limit is the app's, for bodies that it keeps; these are dropped
            return _read_until(over, get_input_stream(request.environ))
    return False


def _read_until(over: threading.Event, stream: Any) -> bool:
    # A read that was ended looks like the end of the body. Bytes that come all the time are read even then.
    while not over.is_set() and stream.read(_CHUNK):
        pass
    return not over.is_set()


# --- how many may wait at once


class _DrainCount:
    """The number of bodies that this process reads, and how many of these reads may wait."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Start at zero."""
        self.reading = 0
        self.waiting = 0
        self._lock = threading.Lock()

    def begin(self) -> bool:
        """Count one more, and return whether it may wait."""
        # The lock isn't held yet, because under gevent this may switch to another greenlet, which would wait for it.
        threads = threading.active_count() - self.reading  # without the alarms
        most = MAX_GREEN_DRAINS if threads_are_greenlets() else max(1, threads // THREADS_PER_DRAIN)
        with self._lock:
            may_wait = self.waiting < most
            self.reading += 1
            self.waiting += may_wait
            return may_wait

    def finish(self, may_wait: bool) -> None:
        """Count one less."""
        with self._lock:
            self.reading -= 1
            self.waiting -= may_wait


_drains: Final = _DrainCount()
if hasattr(os, "register_at_fork"):
    # A child process has none of the threads that were reading. See `locks` for the lock.
    os.register_at_fork(after_in_child=_drains.reset)


# --- how to end


def _stop_reading(connection: Any, over: threading.Event) -> None:
    """End the read that is under way, but not the writing.

    A copy of the socket is shut down for reading, because a TLS socket would lose both directions.
    """
    over.set()
    with suppress(OSError, ValueError), _copy_of(connection) as copy:
        copy.shutdown(socket.SHUT_RD)


def _end(connection: Any) -> None:
    """End the connection, whose response was sent, so that the rest of the body never counts as a request.

    Bytes that arrived in the meantime are dropped: gunicorn would read them as the next request.
    """
    with suppress(OSError, ValueError), _copy_of(connection) as copy:
        copy.shutdown(socket.SHUT_RDWR)
        while copy.recv(_CHUNK):  # never waits after the shutdown
            pass


def _copy_of(connection: Any) -> socket.socket:
    return socket.fromfd(connection.fileno(), connection.family, connection.type)

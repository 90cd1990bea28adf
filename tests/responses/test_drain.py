"""Unread bodies of refused requests, without a server: what is read, and when the connection ends."""

import io
import socket
import threading
from contextlib import ExitStack, suppress

import pytest
from werkzeug.test import EnvironBuilder
from werkzeug.wrappers import Response

from flask_unauthorized import Auth, Bearer
from flask_unauthorized.responses.drain import THREADS_PER_DRAIN

FRAMINGS = {"length": {"CONTENT_LENGTH": "3"}, "chunks": {"HTTP_TRANSFER_ENCODING": "chunked"}}


class Body(io.BytesIO):
    """A server's input that counts how often it is asked."""

    asked = 0

    def read(self, size=-1):
        self.asked += 1
        return super().read(size)


class Broken(Body):
    def read(self, size=-1):
        raise LookupError("a chunk that the server can't parse")


class FromSocket:
    """An input that waits for the client, as a server's does."""

    def __init__(self, connection):
        self.connection = connection

    def read(self, size=-1):
        return self.connection.recv(size)


@pytest.fixture
def connection():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        theirs = socket.create_connection(listener.getsockname(), 10)
        ours, _ = listener.accept()
    with ours, theirs:
        yield ours, theirs


@pytest.fixture
def app(make_app):
    auth = Auth(Bearer(lambda token: None))
    app = make_app(auth)
    app.add_url_rule("/", "view", auth.login_required(lambda: "fine"), methods=["POST"])
    return app


def post(app, body, **environ):
    return app.test_client().post(
        "/", environ_overrides={"wsgi.input": body, "wsgi.input_terminated": True, **environ}, buffered=True
    )


def is_open(connection):
    ours, theirs = connection
    try:
        ours.sendall(b"x")
        return theirs.recv(1) == b"x"
    except OSError:
        return False


@pytest.mark.parametrize("name", ["gunicorn.socket", "werkzeug.socket"])
@pytest.mark.parametrize("framing", FRAMINGS)
def test_a_body_is_read_to_its_end_and_the_connection_stays(app, connection, name, framing):
    body = Body(b"abc")
    response = post(app, body, **{name: connection[0]}, **FRAMINGS[framing])
    assert response.status_code == 401
    assert body.getvalue()[body.tell() :] == b""
    assert is_open(connection)


# F-09: without the socket nothing can end the wait
@pytest.mark.parametrize("framing", FRAMINGS)
@pytest.mark.parametrize("name", ["uwsgi.core", "gunicorn.sock", "waitress.client_disconnected", "asgi.scope"])
def test_other_servers_are_left_alone(app, name, framing):
    body = Body(b"abc")
    assert post(app, body, **{name: object()}, **FRAMINGS[framing]).status_code == 401
    assert body.asked == 0


def test_http_2_is_left_alone_because_its_socket_carries_other_requests(app, connection):
    body = Body(b"abc")
    environ = {"gunicorn.socket": connection[0], "SERVER_PROTOCOL": "HTTP/2.0", "CONTENT_LENGTH": "3"}
    assert post(app, body, **environ).status_code == 401
    assert body.asked == 0
    assert is_open(connection)


# F-10: the app's limit is for bodies that it keeps
@pytest.mark.parametrize("framing", FRAMINGS)
def test_a_body_over_the_limit_of_the_app_is_read_as_well(app, connection, framing):
    app.config["MAX_CONTENT_LENGTH"] = 2
    body = Body(b"abc")
    response = post(app, body, **{"gunicorn.socket": connection[0]}, **FRAMINGS[framing])
    assert response.status_code == 401
    assert body.tell() == 3


def test_a_request_without_a_body_is_left_alone(app, connection):
    """What stands behind it on the connection is the next request."""
    environ = EnvironBuilder(method="POST").get_environ()
    assert "CONTENT_LENGTH" not in environ
    body = Body(b"GET / HTTP/1.1")
    environ.update({"wsgi.input": body, "wsgi.input_terminated": True, "gunicorn.socket": connection[0]})
    assert Response.from_app(app, environ).status_code == 401
    assert body.asked == 0
    assert is_open(connection)


@pytest.mark.parametrize(("view", "status", "asked"), [(lambda: "fine", 200, False), (lambda: ("no", 401), 401, True)])
def test_of_a_view_s_own_answers_only_401_ends_what_was_sent(make_app, auth, connection, view, status, asked):
    app = make_app(auth)
    app.add_url_rule("/", "view", auth.login_required(view), methods=["POST"])
    body = Body(b"abc")
    environ = {"gunicorn.socket": connection[0], "HTTP_AUTHORIZATION": "Bearer good", **FRAMINGS["length"]}
    assert post(app, body, **environ).status_code == status
    assert (body.asked > 0) is asked


class Endless(Body):
    def read(self, size=-1):
        return b"x" * 100


def test_a_body_that_never_ends_is_read_for_a_bounded_time(app, connection, monkeypatch):
    monkeypatch.setattr("flask_unauthorized.responses.drain.MAX_SECONDS", 0.05)
    response = post(app, Endless(), **{"gunicorn.socket": connection[0]}, **FRAMINGS["chunks"])
    assert response.status_code == 401
    response.close()
    assert not is_open(connection)


def test_a_body_is_awaited_for_two_seconds_as_documented(app, connection, monkeypatch):
    waits = []

    class Timer(threading.Timer):
        def __init__(self, interval, *args):
            waits.append(interval)
            super().__init__(interval, *args)

    monkeypatch.setattr(threading, "Timer", Timer)
    post(app, Body(b"abc"), **{"gunicorn.socket": connection[0]}, **FRAMINGS["length"])
    assert waits == [2]


# F-08: "can't start new thread" at the process limit
def test_no_thread_to_be_had_ends_the_connection_and_not_the_response(app, connection, monkeypatch):
    def fail(self):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", fail)
    body = Body(b"abc")
    response = post(app, body, **{"gunicorn.socket": connection[0]}, **FRAMINGS["length"])
    assert response.status_code == 401
    assert body.asked == 0
    response.close()
    assert not is_open(connection)


# F-08
def test_an_input_that_fails_ends_the_connection_and_not_the_response(app, connection):
    response = post(app, Broken(), **{"gunicorn.socket": connection[0]}, **FRAMINGS["chunks"])
    assert response.status_code == 401
    response.close()
    assert not is_open(connection)


# F-09: only a share of the threads waits; and the places are given back
def test_beyond_the_share_the_connection_ends_after_the_response(app, monkeypatch):
    threads = 3 * THREADS_PER_DRAIN
    monkeypatch.setattr(threading, "active_count", lambda: threads)
    inside, leave = threading.Semaphore(0), threading.Event()

    class Waiting(Body):
        def read(self, size=-1):
            inside.release()
            leave.wait(10)
            return b""

    statuses = []

    def ask(ours):
        statuses.append(post(app, Waiting(), **{"gunicorn.socket": ours}, **FRAMINGS["length"]).status_code)

    monkeypatch.setattr("flask_unauthorized.responses.drain.MAX_SECONDS", 60)
    with ExitStack() as stack:
        workers = []
        for _ in range(2):  # of 12, 11 and 10 threads, without the alarms
            ours, theirs = socket.socketpair()
            stack.enter_context(ours)
            stack.enter_context(theirs)
            workers.append(threading.Thread(target=ask, args=(ours,)))
            workers[-1].start()
            assert inside.acquire(timeout=10)
        ours, theirs = socket.socketpair()
        with ours, theirs:
            body = Body(b"abc")  # has arrived
            assert post(app, body, **{"gunicorn.socket": ours}, **FRAMINGS["length"]).status_code == 401
            assert body.tell() == 3
            assert is_open((ours, theirs))
            response = post(app, FromSocket(ours), **{"gunicorn.socket": ours}, **FRAMINGS["length"])
            assert response.status_code == 401
            response.close()
            assert not is_open((ours, theirs))
        leave.set()
        for worker in workers:
            worker.join(10)
    assert statuses == [401, 401]
    ours, theirs = socket.socketpair()
    with ours, theirs:
        body = Body(b"abc")
        assert post(app, body, **{"gunicorn.socket": ours}, **FRAMINGS["length"]).status_code == 401
        assert body.tell() == 3
        assert is_open((ours, theirs))


# F-09: a read that was ended looks like the end of the body; what the client sends later is no request
def test_a_body_that_does_not_come_ends_the_connection(app, connection, monkeypatch):
    monkeypatch.setattr("flask_unauthorized.responses.drain.MAX_SECONDS", 0.05)
    ours, theirs = connection
    response = post(app, FromSocket(ours), **{"gunicorn.socket": ours}, **FRAMINGS["length"])
    assert response.status_code == 401
    theirs.sendall(b"GET / HTTP/1.1\r\n\r\n")
    response.close()
    with suppress(ConnectionResetError):
        assert ours.recv(100) == b""
    assert not is_open(connection)

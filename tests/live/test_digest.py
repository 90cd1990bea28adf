"""Digest with ``auth-int`` on real servers: whatever a client does with its body, the answer is no 500 (F-37)."""

import http.client
import socket

import pytest

from ..digest_client import challenge, sent
from .conftest import GUNICORN, Connection, head, running

APP = "tests.live.digest_app"
SERVERS = {
    "gunicorn-sync": (*GUNICORN, f"{APP}:app"),
    "gunicorn-gthread": (*GUNICORN, "-k", "gthread", "--threads", "4", f"{APP}:app"),
    "waitress": ("-m", "waitress", "--listen=127.0.0.1:{port}", f"{APP}:app"),
    "werkzeug": ("-m", "flask", "--app", APP, "run", "--port", "{port}"),
}
FORM = "application/x-www-form-urlencoded"


@pytest.fixture(scope="module", params=SERVERS)
def server(request):
    with running(request.param, SERVERS[request.param]) as started:
        yield started


def ask(server, path="/", method="GET", body=None, headers=None):
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    try:
        connection.request(method, path, body, headers or {})
        response = connection.getresponse()
        return response.status, response.headers.get("WWW-Authenticate"), response.read()
    finally:
        connection.close()


def told(server):
    status, line, _ = ask(server)
    assert status == 401
    return challenge(line)


def signed(server, body, *, path="/", qop="auth-int", kind=FORM, **given):
    return {**sent(told(server), method="POST", uri=path, qop=qop, body=body, **given), "Content-Type": kind}


def pieces(body):
    """For `http.client`, which sends an iterable chunked."""
    return (body[start : start + 1000] for start in range(0, len(body), 1000))


@pytest.mark.rfc("D-26")
@pytest.mark.parametrize("chunked", [False, True], ids=["declared", "chunked"])
@pytest.mark.parametrize(("size", "status"), [(0, 200), (50, 200), (99_000, 200), (101_000, 413), (151_000, 413)])
def test_a_body_of_any_length(server, chunked, size, status):
    body = b"x" * size
    try:
        got, _, text = ask(
            server, "/", "POST", pieces(body) if chunked else body, signed(server, body, kind="text/plain")
        )
    except (ConnectionError, http.client.HTTPException):
        assert status == 413  # the server closed while the client was still sending
        return
    assert got == status
    assert status == 413 or b'"body":%d' % size in text.replace(b" ", b"")


@pytest.mark.parametrize("chunked", [False, True], ids=["declared", "chunked"])
@pytest.mark.parametrize("reader", ["form", "data", "stream", "uncached"])
def test_a_body_that_a_hook_has_read(server, reader, chunked):
    path, body = f"/?{reader}", b"a=1&b=" + b"x" * 2000
    headers = signed(server, body, path=path)
    status, line, text = ask(server, path, "POST", pieces(body) if chunked else body, headers)
    if reader == "data":
        assert (status, b'"form":"1"' in text.replace(b" ", b"")) == (200, True)
        headers = signed(server, b"a=2&b=" + b"x" * 2000, path=path)
        assert ask(server, path, "POST", pieces(body) if chunked else body, headers)[0] == 401
        return
    assert status == 401
    assert challenge(line)["qop"] == "auth"
    headers = {**sent(challenge(line), method="POST", uri=path), "Content-Type": FORM}
    assert ask(server, path, "POST", pieces(body) if chunked else body, headers)[0] == 200
    # A hash of nothing is none of a body that is gone.
    headers = signed(server, b"", path=path)
    assert ask(server, path, "POST", pieces(body) if chunked else body, headers)[0] == 401


BROKEN = {
    "no chunk size": b"zz\r\nabc\r\n0\r\n\r\n",
    "negative chunk size": b"-3\r\nabc\r\n0\r\n\r\n",
    "a chunk longer than it says": b"3\r\nabcdef\r\n0\r\n\r\n",
    "no end": b"3\r\nabc\r\n",
    "nothing": b"",
}


@pytest.mark.parametrize("broken", BROKEN)
def test_a_broken_chunked_body_is_the_clients_mistake(server, broken):
    field = signed(server, b"abc")["Authorization"]
    lines = (b"Authorization: " + field.encode(), b"Transfer-Encoding: chunked")
    with Connection(server) as connection:
        connection.send(head(*lines, method=b"POST") + BROKEN[broken])
        connection.socket.shutdown(socket.SHUT_WR)
        try:
            answer = connection.receive(b"POST")
        except (ConnectionError, http.client.HTTPException):
            answer = None  # some servers hang up
    assert answer is None or answer.status in (400, 401)


def test_a_declared_body_that_ends_early(server):
    field = signed(server, b"abc")["Authorization"]
    with Connection(server) as connection:
        lines = (b"Authorization: " + field.encode(), b"Content-Length: 3")
        connection.send(head(*lines, method=b"POST") + b"ab")
        connection.socket.shutdown(socket.SHUT_WR)
        try:
            answer = connection.receive(b"POST")
        except (ConnectionError, http.client.HTTPException):
            answer = None
    assert answer is None or answer.status == 400

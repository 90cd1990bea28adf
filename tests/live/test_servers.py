"""What only a real server shows: joined and folded lines, bytes that no test client sends, unread bodies."""

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

import pytest

from flask_unauthorized.wire import parse_challenges

ROOT = Path(__file__).parents[2]
SERVERS = {
    "gunicorn-sync": ["-m", "gunicorn", "-b", "127.0.0.1:{port}", "--log-level", "error", "tests.live.app:app"],
    "gunicorn-gthread": [
        *("-m", "gunicorn", "-b", "127.0.0.1:{port}", "--log-level", "error"),
        *("-k", "gthread", "--threads", "4", "tests.live.app:app"),
    ],
    "waitress": ["-m", "waitress", "--listen=127.0.0.1:{port}", "tests.live.app:app"],
    "werkzeug": ["-m", "flask", "--app", "tests.live.app", "run", "--port", "{port}"],
}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="module", params=SERVERS)
def port(request) -> Iterator[int]:
    number = _free_port()
    command = [sys.executable, *(part.format(port=number) for part in SERVERS[request.param])]
    quiet = subprocess.DEVNULL
    server = subprocess.Popen(command, cwd=ROOT, stdout=quiet, stderr=quiet, start_new_session=True)
    try:
        for _ in range(200):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", number), 1):
                break
            time.sleep(0.05)
        yield number
    finally:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()


def _send(port: int, *lines: bytes, body: bytes = b"", target: bytes = b"/", method: bytes = b"GET"):
    """Status, headers and body of the answer to a request with exactly these header lines."""
    with socket.create_connection(("127.0.0.1", port), 10) as connection:
        head = b"\r\n".join((method + b" " + target + b" HTTP/1.1", b"Host: x", b"Connection: close", *lines))
        connection.sendall(head + b"\r\n\r\n" + body)
        answer = http.client.HTTPResponse(connection, method=method.decode())
        answer.begin()
        return answer.status, answer.headers, answer.read()


GOOD = b"Authorization: Bearer good"
BAD = b"Authorization: Bearer bad"


@pytest.mark.rfc("H-01", "H-14", "H-21")
def test_nothing_sent_is_401_with_one_line_per_scheme(port):
    status, headers, body = _send(port)
    lines = headers.get_all("WWW-Authenticate")
    assert status == 401
    assert [challenge.scheme for line in lines for challenge in parse_challenges(line)] == ["Basic", "Bearer", "ApiKey"]
    assert lines[1] == r'Bearer realm="a \"live\" \\ test"'
    assert body


@pytest.mark.rfc("H-01")
def test_a_bare_401_gets_its_challenges(port):
    status, headers, _ = _send(port, target=b"/bare")
    assert status == 401
    assert len(headers.get_all("WWW-Authenticate")) == 3


def test_good_credentials_are_let_in(port):
    assert _send(port, GOOD)[0] == 200
    assert _send(port, b"aUTHORIZATION: bEARER   good  ")[0] == 200


@pytest.mark.rfc("H-28")
@pytest.mark.parametrize(
    "lines",
    [
        pytest.param((GOOD, BAD), id="REQ-01-good-first"),
        pytest.param((BAD, GOOD), id="REQ-01-bad-first"),
        pytest.param((b"Authorization: Basic YWRhOnB3", GOOD), id="REQ-03"),
        pytest.param((GOOD, b"Authorization: Basic YWRhOnB3"), id="REQ-03-reverse"),
        pytest.param((b"X-API-Key: good", b"X-API-Key: bad"), id="REQ-05"),
        pytest.param((b"Authorization: Bearer good\x80",), id="REQ-15-obs-text"),
        pytest.param((GOOD, b"X-API-Key: good"), id="two-explicit"),
    ],
)
def test_ambiguous_credentials_are_400(port, lines):
    status, _, body = _send(port, *lines)
    assert status == 400
    assert b"good" not in body


@pytest.mark.parametrize(
    "value", [b"Bearer\tgood", b"Bearer go\r\n od", b"Bearer go\x00od"], ids=["TAB", "REQ-19", "NUL"]
)
def test_odd_blanks_folds_and_nul_are_never_let_in(port, value):
    with contextlib.suppress(http.client.HTTPException, ConnectionError):  # a server may hang up instead
        assert 400 <= _send(port, b"Authorization: " + value)[0] < 500


@pytest.mark.rfc("H-29")
def test_lim_01_oversize_is_4xx(port):
    with contextlib.suppress(http.client.HTTPException, ConnectionError):
        assert 400 <= _send(port, b"Authorization: Bearer " + b"a" * 70_000)[0] < 500


@pytest.mark.rfc("H-07")
def test_req_18_other_fields_are_no_credentials(port):
    other = (b"Proxy-Authorization: Bearer good", b"X-Authorization: Bearer good", b"X_API_Key: good")
    assert _send(port, *other)[0] in (400, 401)


@pytest.mark.rfc("H-25")
def test_head_has_the_headers_of_get_and_no_body(port):
    _, of_get, _ = _send(port)
    status, headers, body = _send(port, method=b"HEAD")
    assert (status, body) == (401, b"")
    assert headers.get_all("WWW-Authenticate") == of_get.get_all("WWW-Authenticate")
    assert headers["Cache-Control"] == of_get["Cache-Control"] == "no-store"


@pytest.mark.parametrize("size", [10_000, 200_000, 900_000])
def test_a_refused_post_with_a_body_is_answered_not_reset(port, size):
    length = b"Content-Length: %d" % size
    status, headers, _ = _send(port, BAD, length, method=b"POST", body=b"x" * size)
    assert status == 401
    assert headers["WWW-Authenticate"]


@pytest.mark.rfc("H-40")
def test_a_refusal_does_not_wait_for_a_body_that_the_client_holds_back(port):
    # Some servers say 100 by themselves (the dev server even twice), then the body is sent; the others hand the
    # decision to the app, which must not wait for it.
    with socket.create_connection(("127.0.0.1", port), 10) as connection:
        lines = (b"POST / HTTP/1.1", b"Host: x", b"Connection: close", b"Expect: 100-continue", b"Content-Length: 9")
        connection.sendall(b"\r\n".join(lines) + b"\r\n\r\n")
        received = connection.recv(65536)
        if received.startswith(b"HTTP/1.1 100"):
            connection.sendall(b"123456789")
        while b" 401 " not in received and (more := connection.recv(65536)):
            received += more
    assert b" 401 " in received


@pytest.mark.rfc("H-34")
def test_credentials_do_not_stick_to_the_connection(port):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        seen = []
        for headers in ({"Authorization": "Bearer good"}, {}):
            connection.request("GET", "/", headers=headers)
            answer = connection.getresponse()
            answer.read()
            seen.append(answer.status)
        assert seen == [200, 401]
    finally:
        connection.close()

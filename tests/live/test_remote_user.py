"""Forged names on real servers: whatever a client sends, it is logged in under no name that it chose."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time

import pytest

from .conftest import GUNICORN, ROOT, Connection, ask, head, running

APP = "tests.live.remote_user_app"
# Servers that pass on their socket are asked behind two ProxyFix, where REMOTE_ADDR is what the client says.
SERVERS = {
    "gunicorn-sync": ((*GUNICORN, f"{APP}:app"), "2"),
    "gunicorn-gthread": ((*GUNICORN, "-k", "gthread", "--threads", "4", f"{APP}:app"), "2"),
    "gunicorn-gevent": ((*GUNICORN, "-k", "gevent", f"{APP}:app"), "2"),
    "waitress": (("-m", "waitress", "--listen=127.0.0.1:{port}", f"{APP}:app"), "1"),
    "werkzeug": (("-m", "flask", "--app", APP, "run", "--port", "{port}"), "2"),
    "uvicorn": (("-m", "uvicorn", "--port", "{port}", "--no-proxy-headers", f"{APP}:asgi"), "1"),
}
UNDERSCORES = (b"X_Forwarded_User", b"x-forwarded_user", b"X_FORWARDED-USER", b"x_forwarded_user")
SPELLINGS = (b"X-Forwarded-User", b"x-forwarded-user", b"X-FORWARDED-USER", *UNDERSCORES)
OWN = b"X-Forwarded-User: ada"


@pytest.fixture(scope="module", params=SERVERS)
def server(request):
    if request.param == "uvicorn":
        pytest.importorskip("uvicorn")
        pytest.importorskip("a2wsgi")
    arguments, proxy_fixes = SERVERS[request.param]
    with running(request.param, arguments, PROXY_FIXES=proxy_fixes) as started:
        yield started


def refused(server, *lines, target):
    """The request is refused: 401 with the challenge, or 400 where a field is ambiguous."""
    answer = ask(server, *lines, target=target)
    assert answer.status in (400, 401)
    assert all(line.startswith('RemoteUser realm="live"') for line in answer.challenges)
    assert b"admin" not in answer.body
    return answer.status


# --- the named proxy


@pytest.mark.parametrize(("sent", "name"), [(b"ada", "ada"), ("zoë".encode(), "zoë"), ("山田".encode(), "山田")])
def test_a_name_of_the_named_proxy(server, sent, name):
    answer = ask(server, b"X-Forwarded-User: " + sent, target=b"/named")
    assert (answer.status, answer.body.decode()) == (200, name)


@pytest.mark.rfc("S-05")
@pytest.mark.parametrize("spelling", UNDERSCORES, ids=bytes.decode)
def test_underscores_never_log_in(server, spelling):
    """Behind a proxy that removes X-Forwarded-User, and passes on other spellings of it."""
    forged = spelling + b": admin"
    status = refused(server, forged, target=b"/named")
    # Servers drop the field. uvicorn passes it on, and the names of the fields as well, so it is found out.
    assert status == (400 if server.name == "uvicorn" else 401)
    for lines in ((OWN, forged), (forged, OWN)):
        answer = ask(server, *lines, target=b"/named")
        assert (answer.status, answer.body) == (200, b"ada") or answer.status == 400
        assert b"admin" not in answer.body


@pytest.mark.parametrize("second", SPELLINGS[:3], ids=bytes.decode)
@pytest.mark.parametrize("value", [b"admin", b"ada", b"", b" "])
def test_a_repeated_field_is_refused(server, second, value):
    forged = second + b": " + value
    for lines in ((OWN, forged), (forged, OWN)):
        assert refused(server, *lines, target=b"/named") == 400


@pytest.mark.parametrize("value", [b"", b" ", b"\t"])
def test_an_empty_field_is_nothing_sent(server, value):
    assert refused(server, b"X-Forwarded-User:" + value, target=b"/named") == 401


# --- anybody else


@pytest.mark.rfc("S-05")
@pytest.mark.parametrize(
    "spelling",
    [b"X-Remote-User", b"x-remote-user", b"X_Remote_User", b"X-Remote_User", b"HTTP_X_REMOTE_USER"],
    ids=bytes.decode,
)
def test_a_peer_that_is_not_named_never_logs_in(server, spelling):
    forged = spelling + b": admin"
    for more in ((), (b"X-Forwarded-For: 10.0.0.5",), (b"X-Forwarded-For: 10.0.0.5, 10.0.0.5",),
                 (b"Forwarded: for=10.0.0.5",), (b"X-Real-IP: 10.0.0.5",), (b"REMOTE_ADDR: 10.0.0.5",),
                 (b"Remote-Addr: 10.0.0.5",)):  # fmt: skip
        assert refused(server, forged, *more, target=b"/stranger") == 401
    assert refused(server, forged, forged, target=b"/stranger") == 401


@pytest.mark.parametrize(
    "spelling",
    [b"Remote-User", b"REMOTE_USER", b"Remote_User", b"REMOTE-USER", b"Http-Remote-User", b"X-Remote-User", b"User"],
    ids=bytes.decode,
)
def test_no_field_is_remote_user(server, spelling):
    forged = spelling + b": admin"
    assert refused(server, forged, target=b"/server") == 401
    assert refused(server, forged, b"Authorization: Basic YWRtaW46eA==", target=b"/server") == 401


def test_a_tcp_connection_is_no_unix_socket(server):
    for more in ((), (b"X-Forwarded-For: localhost",), (b"X-Forwarded-For: <local>",)):
        assert refused(server, b"X-Unix-User: admin", *more, target=b"/unix") == 401


def test_where_all_schemes_are_in_force(server):
    forged = (b"X-Remote-User: admin", b"X-Unix-User: admin", b"Remote-User: admin")
    answer = ask(server, OWN, *forged, target=b"/any")
    assert (answer.status, answer.body) == (200, b"ada")
    assert refused(server, *forged, target=b"/any") == 401


def test_cross_site_requests_are_refused(server):
    evil = (OWN, b"Origin: https://evil.example", b"Sec-Fetch-Site: cross-site", b"Content-Length: 0")
    assert ask(server, *evil, target=b"/named", method=b"POST").status == 403
    assert ask(server, *evil, target=b"/named").status == 200


# --- Unix sockets

UNIX_SERVERS = {
    "gunicorn": ("-m", "gunicorn", "-b", "unix:{path}", "--log-level", "error", f"{APP}:app"),
    "waitress": ("-m", "waitress", "--unix-socket={path}", f"{APP}:app"),
    "werkzeug": ("-m", "flask", "--app", APP, "run", "--host", "unix://{path}"),
}


class UnixConnection(Connection):
    """A connection through a Unix socket."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(15)
        try:
            self.socket.connect(path)
        except OSError:
            self.socket.close()
            raise
        self._file = self.socket.makefile("rb")


@pytest.fixture(scope="module", params=UNIX_SERVERS)
def unix_socket(request, tmp_path_factory):
    path = str(tmp_path_factory.mktemp("s") / "s")
    command = [sys.executable, *(part.format(path=path) for part in UNIX_SERVERS[request.param])]
    process = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        env={**os.environ, "PROXY_FIXES": "1"},
    )  # fmt: skip
    try:
        deadline = time.monotonic() + 20
        while True:
            with contextlib.suppress(OSError), UnixConnection(path):
                break
            assert process.poll() is None, f"{request.param} did not start"
            assert time.monotonic() < deadline
            time.sleep(0.05)
        yield path
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def ask_unix(path, *lines, target):
    with UnixConnection(path) as connection:
        connection.send(head(*lines, target=target))
        answer = connection.receive()
        assert answer is not None
        return answer


def test_a_unix_socket_counts_if_it_is_named(unix_socket):
    answer = ask_unix(unix_socket, b"X-Unix-User: ada", target=b"/unix")
    assert (answer.status, answer.body) == (200, b"ada")
    for address in (b"127.0.0.1", b"10.0.0.5"):
        forged = b"X-Forwarded-For: " + address
        assert ask_unix(unix_socket, OWN, forged, target=b"/named").status == 401
        assert ask_unix(unix_socket, b"X-Remote-User: admin", forged, target=b"/stranger").status == 401

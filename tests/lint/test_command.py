"""``python -m flask_unauthorized.lint URL`` against real servers on this machine."""

import json
import re
import socket
import ssl
import subprocess
import sys
import threading
import time
from contextlib import contextmanager, suppress
from http.client import HTTPException

import pytest
import trustme
from flask import Flask, Response, abort, request
from werkzeug.serving import make_server

from flask_unauthorized import Auth, Basic, Bearer
from flask_unauthorized.lint import probes
from flask_unauthorized.lint.__main__ import main


@contextmanager
def serving(app, tls=None):
    server = make_server("127.0.0.1", 0, app, threaded=True, ssl_context=tls)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http{'s' if tls else ''}://127.0.0.1:{server.port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def lint_app(view, capsys, *options, methods=("GET",)):
    """Run the command against one view; return its exit code, and the ids of its findings."""
    app = Flask("served")
    app.add_url_rule("/", "view", view, methods=methods, provide_automatic_options="OPTIONS" not in methods)
    with serving(app) as url:
        code = main([f"{url}/", "--json", *options])
    return code, {finding["id"] for finding in json.loads(capsys.readouterr().out)}


def refusal(status=401, line='Bearer realm="a"', **headers):
    fields = [("Cache-Control", "no-store"), *((name.replace("_", "-"), value) for name, value in headers.items())]
    return Response("x", status, [*fields, *([("WWW-Authenticate", line)] if line else [])])


def kind():
    return request.headers.get("Authorization", "").partition(" ")[0]


def _sound():
    return refusal(line='Bearer realm="a", error="invalid_token"' if kind() == "Bearer" else 'Bearer realm="a"')


def _w6():
    return refusal(403, None) if not kind() else _sound()


def _w9():
    return refusal(line=None) if "text/html" in request.headers["Accept"] else _sound()


def _w10():
    return refusal(line='Basic realm="a"') if kind() == "Basic" else _sound()


def _w13():
    return refusal(400, None) if kind() == "Bearer" else refusal(line='Token realm="a"')


def _c14():
    return Response("x", 500) if kind() == "Bearer" else refusal()


def _c15():
    return Response("x", 422) if kind() == "Bearer" else refusal()


def _c16():
    return Response("", 200) if request.method == "HEAD" else _sound()


def _w15():
    return refusal(403, None) if request.headers.get("Authorization") == "Bearer old" else _sound()


@pytest.mark.parametrize(
    ("view", "options", "code", "expected"),
    [
        (_sound, (), 0, set()),
        (lambda: refusal(line=None), (), 1, {"W1"}),
        (_w6, (), 1, {"W6"}),
        (refusal, (), 0, {"W8"}),
        (refusal, ("--fail-on", "warning"), 1, {"W8"}),
        (lambda: refusal(line=None), ("--fail-on", "never"), 0, {"W1"}),
        (_w9, (), 1, {"W1", "W9"}),
        (_w10, (), 0, {"W10"}),
        (_w13, (), 0, {"W13"}),
        (_w15, ("--expired-token", "old"), 1, {"W15"}),
        (_c14, (), 1, {"C14"}),
        (_c15, (), 0, {"C15"}),
        (_c16, (), 0, {"C16"}),
        (lambda: "open", (), 2, set()),
        (lambda: "open", ("--fail-on", "never"), 0, set()),
        (lambda: abort(404), (), 2, set()),
        (lambda: refusal(403, None), (), 0, set()),
    ],
)
def test_what_several_exchanges_show(view, options, code, expected, capsys):
    assert lint_app(view, capsys, *options) == (code, expected)


def test_a_check_of_nothing_is_told(capsys):
    with serving(Flask("served")) as url:
        assert main([f"{url}/nowhere"]) == 2
    printed = capsys.readouterr()
    assert "No refusal was seen, so nothing was checked" in printed.err
    assert "add --fail-on never" in printed.err


def test_a_preflight_that_is_asked_for_credentials(capsys):
    assert lint_app(_sound, capsys, methods=("GET", "OPTIONS")) == (1, {"W11"})


@pytest.mark.parametrize(
    ("path", "resource", "status", "expected"),
    [
        ("/.well-known/oauth-protected-resource", "", 200, set()),
        ("/.well-known/oauth-protected-resource", "/", 200, set()),
        ("/.well-known/oauth-protected-resource", "/other", 200, {"W14"}),
        ("/.well-known/oauth-protected-resource/other", "/other", 200, {"W14"}),
        ("/.well-known/oauth-protected-resource/other", "", 200, {"W14"}),
        ("/.well-known/oauth-protected-resource", "", 404, {"W14"}),
    ],
)
def test_the_metadata_is_that_of_the_resource(path, resource, status, expected, capsys):
    app = Flask("served")

    @app.get("/")
    def view():
        error = ', error="invalid_token"' if kind() == "Bearer" else ""
        return refusal(line=f'Bearer realm="a", resource_metadata="{request.host_url.rstrip("/")}{path}"{error}')

    app.add_url_rule(path, "document", lambda: ({"resource": request.host_url.rstrip("/") + resource}, status))
    with serving(app) as url:
        main([f"{url}/", "--json"])
    assert {finding["id"] for finding in json.loads(capsys.readouterr().out)} == expected


def test_what_is_sent():
    """At most nine requests, no valid credentials, no cookie, no other host, and no redirect is followed."""
    seen = []
    app = Flask("served")

    @app.before_request
    def note():
        seen.append((request.method, request.path, request.headers.get("Authorization"), len(request.cookies)))

    @app.get("/")
    def view():
        response = refusal(302, 'Bearer realm="a", resource_metadata="https://192.0.2.1/x"', Location="/elsewhere")
        response.set_cookie("a", "b")
        return response

    with serving(app) as url:
        main([f"{url}/"])
    assert {path for _, path, _, _ in seen} == {"/"}
    assert len(seen) <= 9
    assert {method for method, _, _, _ in seen} == {"GET", "HEAD", "OPTIONS"}
    assert {cookies for _, _, _, cookies in seen} == {0}
    known = {None, f"Bearer {probes.WRONG_TOKEN}", f"Basic {probes.WRONG_PASSWORD}", "Bearer two tokens"}
    assert {sent for _, _, sent, _ in seen} == known


def test_a_method_that_changes_data_is_sent_once_if_the_url_is_open(capsys):
    seen = []

    def view():
        seen.append(request.method)
        return "done"

    assert lint_app(view, capsys, "--method", "post", methods=("POST",)) == (2, set())
    assert seen == ["POST"]


def test_of_other_methods_only_the_named_one_and_the_preflight_are_sent(capsys):
    seen = set()

    def view():
        seen.add(request.method)
        return refusal(401, 'Bearer realm="a"')

    lint_app(view, capsys, "--method", "put", methods=("PUT", "GET", "OPTIONS"))
    assert seen == {"PUT", "OPTIONS"}


def test_nothing_is_found_on_ours_and_the_text_says_what_was_sent(capsys):
    app = Flask("ours")
    auth = Auth(Bearer(lambda token: None), Basic(lambda name, password: None), app=app)
    app.add_url_rule("/", "view", auth.login_required(lambda: "view"))
    with serving(app) as url:
        assert main([f"{url}/"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "sent: nothing: GET with no credentials"
    assert sum(line.startswith("sent: ") for line in lines) == 8
    assert lines[-1] == "0 findings"


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("ftp://a.example/", "not an http or https URL"),
        ("http://ada:pa55@a.example/", "has a user or a fragment"),
        ("http://a.example:port/", "[Pp]ort"),
        ("http://a.example/a b", "encode them"),
        ("http://127.0.0.1:1/", "refused"),
    ],
)
def test_a_url_that_can_not_be_asked(url, words, capsys):
    assert main([url, "--json"]) == 2
    assert re.search(words, capsys.readouterr().err)


@pytest.mark.parametrize(
    "url",
    [
        "http://ada:hunter2@127.0.0.1/", "http://ada:hunter2@[x/", "http://ada:hunter2@a.example:99999/", "ftp://ada:hunter2@a/",
        "//ada:hunter2@a/", "ada:hunter2@a", "http://127.0.0.1:1/?token=hunter2", "http://127.0.0.1:1/#hunter2",
        "http://ada:hun/ter2@a.example/",
    ],
)  # fmt: skip
def test_no_message_shows_a_secret_of_the_url(url, capsys):
    assert main([url]) == 2
    shown = capsys.readouterr()
    assert shown.err
    assert "ter2" not in shown.err + shown.out


def test_a_token_that_no_field_can_hold_is_not_shown(capsys):
    with pytest.raises(SystemExit):
        main(["http://127.0.0.1:1/", "--expired-token", "pa55\nword"])
    # argparse shows its command line only.
    assert "pa55" not in capsys.readouterr().err


def test_an_ipv6_address_needs_no_port():
    connection = probes.Client("http://[::1]/")._connection()
    assert (connection.host, connection.port) == ("::1", 80)
    connection = probes.Client("https://[::1]/")._connection()
    assert (connection.host, connection.port) == ("::1", 443)


@contextmanager
def answering(octets, document=b"", holds=False):
    """Serve the same octets to each request, but others at ``/meta``; ``%d`` in them becomes the port.

    If ``holds`` is true, connections stay open until the client closes them.
    """
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]

    def serve():
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection, suppress(OSError):
                asked = connection.recv(65536)
                connection.sendall(document if b" /meta " in asked else octets.replace(b"%d", b"%d" % port))
                if holds:
                    connection.recv(1)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield f"http://127.0.0.1:{port}/"
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


@pytest.mark.parametrize(
    ("octets", "code"),
    [
        (b"\x1b[2J" + b"A" * 60_000 + b"\r\n\r\n", 2),  # no HTTP, and http.client shows the line
        (b"HTTP/1.1 abc\x1b[31m\r\n\r\n", 2),
        (b"HTTP/1.1 401 x\r\n" + b"A: b\r\n" * 200 + b"\r\n", 2),
        (b'HTTP/1.1 401 x\r\nWWW-Authenticate: Basic realm="\x1b[2J"\r\n\x1b\r\n\r\n', 1),
        (b"HTTP/1.1 401 x\r\nContent-Length: -5\r\n\r\n", 1),
    ],
)
def test_a_hostile_server_writes_no_control_characters_to_the_terminal(octets, code, capsys):
    with answering(octets) as url:
        assert main([url]) == code
    shown = capsys.readouterr()
    assert "\x1b" not in shown.out + shown.err
    assert len(shown.err) < 400


@pytest.mark.parametrize("document", [b"", b"SSH-2.0-x\r\n"])
def test_metadata_that_can_not_be_fetched_is_a_finding(document, capsys):
    """The server names the URL, so it must not be able to end the command without its other findings."""
    line = b'WWW-Authenticate: Bearer realm="a", resource_metadata="http://127.0.0.1:%d/meta"'
    with answering(b"HTTP/1.1 401 x\r\nContent-Length: 0\r\n" + line + b"\r\n\r\n", document) as url:
        assert main([url, "--json"]) == 1
    found = {finding["id"]: finding["seen"] for finding in json.loads(capsys.readouterr().out)}
    assert found["W14"] == "resource_metadata can't be fetched"
    assert "W8" in found


@pytest.mark.parametrize(
    "head",
    ["HTTP/1.1 401 Unauthorized\r\nContent-Length: 9999", "HTTP/1.0 401 x", "HTTP/1.1 401 x\r\nConnection: close"],
)
def test_a_server_that_drips_is_left_in_time(monkeypatch, head):
    """A byte now and then renews the timeout of the socket, so the whole exchange has a limit."""
    monkeypatch.setattr(probes, "TIMEOUT", 1.0)
    listener = socket.create_server(("127.0.0.1", 0))
    ended = threading.Event()

    def drip():
        connection, _ = listener.accept()
        with connection:
            try:
                connection.sendall(f"{head}\r\n\r\n".encode())
                for _ in range(800):  # 40 seconds
                    if ended.wait(0.05):
                        break
                    connection.sendall(b"x")
            except OSError:
                pass

    thread = threading.Thread(target=drip)
    thread.start()
    begun = time.monotonic()
    try:
        client = probes.Client(f"http://127.0.0.1:{listener.getsockname()[1]}/")
        with suppress(OSError, HTTPException):
            client.send(probes.Probe("nothing", "GET", {}))
        assert time.monotonic() - begun < 30
    finally:
        ended.set()
        thread.join()
        listener.close()


def test_the_certificate_is_verified_unless_insecure_says_otherwise(capsys, monkeypatch, tmp_path):
    monkeypatch.delenv("SSL_CERT_DIR", raising=False)
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    authority = trustme.CA()
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(tls)
    app = Flask("served")
    app.add_url_rule("/", "view", lambda: abort(401))
    with serving(app, tls) as url:
        assert main([f"{url}/"]) == 2
        assert "certificate verify failed" in capsys.readouterr().err
        assert main([f"{url}/", "--insecure"]) == 1
        authority.cert_pem.write_to_path(tmp_path / "ca.pem")
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))  # of OpenSSL
        assert main([f"{url}/"]) == 1


def test_a_long_body_is_not_read_to_its_end(monkeypatch):
    monkeypatch.setattr(probes, "TIMEOUT", 3.0)
    head = b"HTTP/1.1 401 x\r\nContent-Length: 1000000000\r\n\r\n"
    with answering(head + b"x" * 200_000, holds=True) as url:
        exchange = probes.Client(url).send(probes.Probe("nothing", "GET", {}))
    assert (exchange.status, len(exchange.body)) == (401, probes.MAX_BODY)


def test_the_module_is_a_command():
    app = Flask("served")
    app.add_url_rule("/", "view", lambda: abort(401))
    with serving(app) as url:
        command = [sys.executable, "-m", "flask_unauthorized.lint", f"{url}/"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert "error W1: GET / -> 401: a 401 without a challenge." in done.stdout

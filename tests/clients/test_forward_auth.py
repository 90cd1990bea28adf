"""nginx and Caddy ask the example app before they pass on a request, with the configurations that the docs show."""

import contextlib
import hashlib
import http.client
import json
import re
import subprocess
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from examples.forward_auth.app import app as example
from tests.docs.pages import SHOWN_PORT, blocks, commands, missing_lines, run
from tests.helpers import free_port

from ..live.conftest import GUNICORN, ROOT, running
from .conftest import need

EXAMPLE = ROOT / "examples" / "forward_auth"
GOOD = {"Authorization": "Bearer demo-token-of-ada-0123456789"}
NAVIGATION = {
    "Sec-Fetch-Mode": "navigate",
    "Sec-Fetch-Site": "none",
    "Sec-Fetch-Dest": "document",
    "Accept": "text/html",
}
CROSS_SITE = {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}
HANDSHAKE = {
    "Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}  # fmt: skip


class Service(BaseHTTPRequestHandler):
    """The service behind the proxy. It answers what it got."""

    protocol_version = "HTTP/1.1"

    def answer(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = json.dumps(
            {
                "method": self.command,
                "target": self.path,
                "fields": self.headers.items(),
                "read": len(self.rfile.read(length)),
            }
        ).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Set-Cookie", "of=service; Path=/")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = do_OPTIONS = answer

    def log_message(self, *_: Any) -> None: ...


class Proxy(NamedTuple):
    """A proxy that runs, by its name and port."""

    name: str
    port: int


class Answer(NamedTuple):
    status: int
    headers: http.client.HTTPMessage
    body: str

    @property
    def request(self) -> dict[str, Any]:
        """What the service got."""
        return json.loads(self.body)

    def fields(self, name: str) -> list[str]:
        """The values of a field that the service got, in any spelling that a WSGI server reads as this one."""
        return [
            value for sent, value in self.request["fields"] if sent.lower().replace("_", "-") == name.lower() and value
        ]


@pytest.fixture(scope="module")
def ports() -> Iterator[dict[str, int]]:
    """The ports of the example's configurations, and those that stand for them here."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Service)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        command = (*GUNICORN, "-k", "gthread", "--threads", "8", "tests.clients.forward_auth_app:app")
        with running("forward_auth", command) as app:
            yield {"5000": app.port, "9000": server.server_port}
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def configuration(name: str, ports: dict[str, int], port: int) -> str:
    text = (EXAMPLE / name).read_text(encoding="utf-8")
    for wanted, free in {**ports, "8080": port}.items():
        assert re.search(rf"\b{wanted}\b", text), f"{name} doesn't name port {wanted}"
        text = re.sub(rf"\b{wanted}\b", str(free), text)
    return text


@contextlib.contextmanager
def started(command: list[str], name: str, port: int, folder: Path) -> Iterator[Proxy]:
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            command, cwd=folder, stdout=log, stderr=log, env={"HOME": str(folder), "PATH": "/usr/bin:/usr/sbin"}
        )
        try:
            deadline = time.monotonic() + 20
            while time.monotonic() < deadline:
                with contextlib.suppress(OSError), http_connection(port) as connection:
                    connection.connect()
                    break
                assert process.poll() is None, (folder / "log").read_text()
                time.sleep(0.05)
            yield Proxy(name, port)
        finally:
            process.terminate()
            process.wait(20)


@contextlib.contextmanager
def http_connection(port: int) -> Iterator[http.client.HTTPConnection]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        yield connection
    finally:
        connection.close()


@pytest.fixture(scope="module")
def nginx(ports: dict[str, int], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    folder, port = tmp_path_factory.mktemp("nginx"), free_port()
    program = need("nginx")
    paths = "".join(f"{kind}_temp_path {folder};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    text = configuration("nginx.conf", ports, port).replace("http {", "http { access_log off; " + paths, 1)
    (folder / "nginx.conf").write_text(text)
    run = f"daemon off; master_process off; pid {folder}/pid; error_log {folder}/errors;"
    command = [program, "-p", str(folder), "-c", str(folder / "nginx.conf"), "-g", run]
    with started(command, "nginx", port, folder) as proxy:
        yield proxy


@pytest.fixture(scope="module")
def caddy(ports: dict[str, int], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    folder, port = tmp_path_factory.mktemp("caddy"), free_port()
    program = need("caddy")
    (folder / "Caddyfile").write_text("{\n\tadmin off\n}\n" + configuration("Caddyfile", ports, port))
    command = [program, "run", "--adapter", "caddyfile", "--config", "Caddyfile"]
    with started(command, "caddy", port, folder) as proxy:
        yield proxy


@pytest.fixture(params=["nginx", "caddy"])
def proxy(request: pytest.FixtureRequest) -> Proxy:
    return request.getfixturevalue(request.param)


def ask(proxy: Proxy, path: str = "/report", method: str = "GET", body: bytes | None = None, **fields: str) -> Answer:
    return ask_by(proxy, path, method, body, fields)


def ask_by(proxy: Proxy, path: str, method: str, body: bytes | None, fields: dict[str, str]) -> Answer:
    with http_connection(proxy.port) as connection:
        connection.request(method, path, body, fields)
        answer = connection.getresponse()
        return Answer(answer.status, answer.headers, answer.read().decode())


def session_of(monkeypatch: pytest.MonkeyPatch, age: int = 0) -> str:
    """The cookie of a session that was used last ``age`` seconds ago."""
    client = example.test_client()
    with monkeypatch.context() as patch:
        now = time.time()
        patch.setattr(time, "time", lambda: now - age)
        answer = client.post("/login", data={"name": "ada", "password": "correct horse"})
    assert answer.status_code == 302
    return answer.headers["Set-Cookie"].partition(";")[0]


# --- what the page shows


def test_nginx_answers_as_the_page_shows(nginx, tmp_path):
    shown = [pair for block in blocks("docs/guides/forward-auth.md", "console") for pair in commands(block)]
    assert len(shown) == 3
    for command, lines in shown:
        printed = run(command.replace("127.0.0.1:8080", f"127.0.0.1:{nginx.port}"), tmp_path, nginx.port)
        printed = printed.replace(f"127.0.0.1:{SHOWN_PORT}", "127.0.0.1:8080")
        assert not missing_lines(lines, printed), f"$ {command}\n{printed}"


# --- who gets in


def test_a_caller_gets_in_and_the_service_learns_who_it_is(proxy):
    answer = ask(proxy, "/report?page=2", **GOOD)
    assert (answer.status, answer.request["method"], answer.request["target"]) == (200, "GET", "/report?page=2")
    assert answer.fields("X-Auth-Subject") == ["ada"]
    assert answer.fields("X-Auth-Scopes") == ["read write"]
    assert answer.headers["Set-Cookie"] == "of=service; Path=/"


def test_a_program_gets_the_challenges(proxy):
    answer = ask(proxy)
    assert answer.status == 401
    assert ", ".join(answer.headers.get_all("WWW-Authenticate")) == (
        'Bearer realm="reports", Cookie realm="reports", form-action="/login", cookie-name="session"'
    )
    assert "no-store" in answer.headers["Cache-Control"]


def test_an_invalid_token_is_named(proxy):
    answer = ask(proxy, Authorization="Bearer forged")
    assert answer.status == 401
    assert 'error="invalid_token"' in ", ".join(answer.headers.get_all("WWW-Authenticate"))


def test_a_body_reaches_the_service_alone(proxy):
    answer = ask(proxy, method="POST", body=b"x" * 100_000, **GOOD)
    assert (answer.status, answer.request["method"], answer.request["read"]) == (200, "POST", 100_000)


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "DELETE"])
@pytest.mark.parametrize("fields", [{}, GOOD], ids=["anonymous", "ada"])
def test_each_method_gets_a_whole_answer(proxy, method, fields):
    assert ask(proxy, method=method, **fields).status == (200 if fields else 401)


def test_digest_compares_method_and_uri_of_the_client(ports):
    # Asked directly: the example has its devices at an endpoint of their own. The fields are those that nginx sends.
    target, method = "/meters/7?from=a%20b", "PUT"
    with http_connection(ports["5000"]) as connection:
        fields = {"X-Original-URI": target, "X-Original-Method": method}
        connection.request("GET", "/auth/meters", None, fields)
        refused = connection.getresponse()
        refused.read()
        offered = dict(re.findall(r'(\w+)="?([^",]+)"?', refused.headers["WWW-Authenticate"]))
        ha1 = hashlib.sha256(f"meter:{offered['realm']}:Circle of Life".encode()).hexdigest()
        statuses = []
        for count, hashed in enumerate((method, "GET", method), 1):
            ha2 = hashlib.sha256(f"{hashed}:{target}".encode()).hexdigest()
            parts = f"{ha1}:{offered['nonce']}:{count:08x}:c:auth:{ha2}"
            sent = (
                f'Digest username="meter", realm="{offered["realm"]}", nonce="{offered["nonce"]}", uri="{target}", '
                f'algorithm=SHA-256, response="{hashlib.sha256(parts.encode()).hexdigest()}", qop=auth, '
                f'nc={count:08x}, cnonce="c"'
            )
            connection.request("GET", "/auth/meters", None, {**fields, "Authorization": sent})
            answer = connection.getresponse()
            answer.read()
            statuses.append(answer.status)
    assert (refused.status, statuses) == (401, [204, 401, 204])


# --- people


def test_a_person_is_led_to_the_login_page_and_back(proxy):
    answer = ask(proxy, "/reports/2026?page=2", **NAVIGATION)
    assert answer.status == 302
    assert answer.headers["Location"] == f"http://127.0.0.1:{proxy.port}/login?next=/reports/2026?page%3D2"
    page = ask(proxy, answer.headers["Location"].partition(str(proxy.port))[2])
    assert (page.status, "<form" in page.body) == (200, True)
    done = ask(
        proxy, "/login?next=/reports/2026?page%3D2", "POST", b"name=ada&password=correct+horse",
        **{"Content-Type": "application/x-www-form-urlencoded"},
    )  # fmt: skip
    assert (done.status, done.headers["Location"]) == (302, "/reports/2026?page=2")
    inside = ask(proxy, "/reports/2026?page=2", Cookie=done.headers["Set-Cookie"].partition(";")[0], **NAVIGATION)
    assert (inside.status, inside.fields("X-Auth-Subject"), inside.fields("X-Auth-Roles")) == (200, ["ada"], ["editor"])


def test_a_session_in_use_is_renewed(proxy, monkeypatch):
    answer = ask(proxy, Cookie=session_of(monkeypatch, age=900))
    cookies = answer.headers.get_all("Set-Cookie")
    assert answer.status == 200
    assert len([one for one in cookies if one.startswith("session=")]) == 1
    assert "of=service; Path=/" in cookies
    again = ask(proxy, Cookie=next(one for one in cookies if one.startswith("session=")).partition(";")[0])
    assert again.headers.get_all("Set-Cookie") == ["of=service; Path=/"]


def test_an_idle_session_is_over(proxy, monkeypatch):
    assert ask(proxy, Cookie=session_of(monkeypatch, age=1801)).status == 401


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_a_page_of_another_site_cannot_use_the_session(proxy, monkeypatch, method):
    cookie = session_of(monkeypatch)
    assert ask(proxy, method=method, Cookie=cookie).status == 200
    assert ask(proxy, method=method, Cookie=cookie, **CROSS_SITE).status == 403
    assert ask(proxy, method=method, Cookie=cookie, Origin="https://evil.example").status == 403
    assert ask(proxy, method=method, Cookie=cookie, Origin=f"http://127.0.0.1:{proxy.port}").status == 200


@pytest.mark.asvs("V4.4.2")
def test_a_page_of_another_site_cannot_open_a_websocket(proxy, monkeypatch):
    cookie = session_of(monkeypatch)
    own, foreign = f"http://127.0.0.1:{proxy.port}", "https://evil.example"
    assert ask(proxy, Cookie=cookie, Origin=foreign, **HANDSHAKE).status == 403
    assert ask(proxy, Cookie=cookie, Origin=own, **HANDSHAKE).status == 200


def test_a_preflight_reaches_the_service(proxy):
    fields = {"Origin": "https://app.example", "Access-Control-Request-Method": "PUT"}
    assert ask(proxy, method="OPTIONS", **fields).request["method"] == "OPTIONS"
    assert ask(proxy, method="OPTIONS").status == 401


# --- what a client writes into the fields of the proxy


FORGED = {
    "X-Original-Method": "GET", "X-Original-URI": "/login", "X-Forwarded-Method": "GET", "X-Forwarded-Uri": "/login",
    "X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "https", "X-Forwarded-For": "127.0.0.1",
    "X_Forwarded_Method": "GET", "X_Original_Method": "GET", "X_Forwarded_Host": "evil.example",
    "X-Original-Url": "/login", "X-Rewrite-Url": "/login", "X-Http-Method-Override": "GET",
    "Forwarded": "for=127.0.0.1",
}  # fmt: skip


@pytest.mark.parametrize("name", FORGED)
def test_a_forged_field_opens_nothing(proxy, monkeypatch, name):
    cookie = session_of(monkeypatch)
    fields = {name: FORGED[name]}
    assert ask(proxy, **fields).status in (401, 403)
    assert ask_by(proxy, "/report", "POST", None, {**fields, "Cookie": cookie, **CROSS_SITE}).status == 403
    forged_origin = {**fields, "Cookie": cookie, "Origin": "https://evil.example"}
    assert ask_by(proxy, "/report", "POST", None, forged_origin).status == 403
    location = ask_by(proxy, "/report", "GET", None, {**fields, **NAVIGATION}).headers.get("Location", "")
    assert "evil.example" not in location


@pytest.mark.parametrize("name", ["X-Auth-Subject", "X_Auth_Subject", "x-auth-subject", "X-Auth_Subject"])
def test_what_a_client_says_about_the_caller_is_dropped(proxy, name):
    answer = ask(proxy, **{name: "root", "X-Auth-Roles": "admin", **GOOD})
    assert (answer.status, answer.fields("X-Auth-Subject"), answer.fields("X-Auth-Roles")) == (200, ["ada"], [])


@pytest.mark.parametrize(
    "path", ["//evil.example/x", "/a//b", "/x?next=//evil", "/\\evil", "/a/../b", "/login/x", "/;x"]
)
def test_an_odd_path_is_judged_and_leads_nowhere_else(proxy, path):
    assert ask(proxy, path).status == 401
    answer = ask(proxy, path, **NAVIGATION)
    assert answer.status == 302
    assert answer.headers["Location"].startswith(f"http://127.0.0.1:{proxy.port}/login")
    assert "//evil" not in answer.headers["Location"].partition("?next=")[2].partition("?")[0]


@pytest.mark.parametrize(
    "path", ["/login/../report", "/login/..;/report", "/login%2f..%2freport", "/login/%2e%2e/report"]
)
def test_no_path_leads_around_the_question(proxy, path):
    assert ask(proxy, path).status in (400, 401, 404)


def test_the_endpoint_is_not_open_to_clients(proxy):
    # It lies behind the proxies, as all other pages do.
    assert ask(proxy, "/_auth").status in (401, 404)
    assert ask(proxy, "/auth").status == 401


# --- answers of hooks and handlers in place of the view


@pytest.mark.parametrize(
    ("hook", "status"),
    [("unavailable", 503), ("throttled", 429), ("maintenance", 403), ("moved", 403), ("broken", 503)],
)
def test_the_client_sees_the_real_status(proxy, hook, status):
    answer = ask(proxy, **{"X-Test": hook, **GOOD})
    expected = 500 if (hook, proxy.name) == ("broken", "caddy") else status
    assert answer.status == expected
    assert "back at noon" not in answer.body
    if hook == "unavailable":
        assert answer.headers["Retry-After"] == "7"


def test_a_malformed_credential_is_400(proxy):
    assert ask(proxy, Authorization="Bearer a b").status == 400


# --- nginx alone


def test_nginx_never_answers_500(ports):
    """Whatever happens in the app, nginx gets a status that it knows."""
    with http_connection(ports["5000"]) as connection:
        for hook in ("unavailable", "throttled", "maintenance", "moved", "broken", "none"):
            fields = {"X-Original-URI": "/x", "X-Original-Method": "GET", "X-Test": hook, "Authorization": "Bearer a b"}
            connection.request("GET", "/auth", None, fields)
            answer = connection.getresponse()
            answer.read()
            assert answer.status == 403
            assert answer.headers["X-Auth-Status"] == {
                "unavailable": "503", "throttled": "429", "maintenance": "200", "moved": "302", "broken": "500",
                "none": "400",
            }[hook]  # fmt: skip

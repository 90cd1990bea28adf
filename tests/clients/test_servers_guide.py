"""nginx, gunicorn, uWSGI and ASGI servers with the files of docs/guides/servers.md."""

import http.client
import os
import shlex
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
import trustme

from tests.docs.pages import blocks
from tests.helpers import free_port, is_listening

from .conftest import copy_packages, missing, need

PAGE = "docs/guides/servers.md"
BY_TOKEN = {"Authorization": "Bearer demo-token-of-ada-0123456789"}
FORGED = {"X-Forwarded-For": "192.0.2.1", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "evil.example"}
UWSGI_PLUGINS = Path("/usr/lib/uwsgi/plugins")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the Python files of the page, and a certificate."""
    folder = tmp_path_factory.mktemp("servers")
    for name, marks in {
        "app.py": "/probe", "wsgi.py": "ProxyFix(", "gunicorn.conf.py": "worker_class", "asgi.py": "WSGIMiddleware(",
    }.items():  # fmt: skip
        (text,) = (block for block in blocks(PAGE, "python") if marks in block)
        (folder / name).write_text(text)
    authority = trustme.CA()
    authority.issue_cert("notes.example.com", "127.0.0.1").private_key_and_cert_chain_pem.write_to_path(
        str(folder / "both.pem")
    )
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    return folder


@contextmanager
def started(command: list[str], folder: Path, port: int, **environ: str) -> Iterator[Path]:
    """Run a server until the block ends, and give its log."""
    log = folder / f"log-{port}"
    environment = {**os.environ, **environ}
    with log.open("w") as output:
        process = subprocess.Popen(command, cwd=folder, stdout=output, stderr=output, env=environment)
        try:
            deadline = time.monotonic() + 20
            while not is_listening(port):
                assert process.poll() is None, log.read_text()
                assert time.monotonic() < deadline, log.read_text()
                time.sleep(0.05)
            yield log
        finally:
            process.terminate()
            process.wait(20)


@contextmanager
def nginx(folder: Path, backend: int, location: str = "") -> Iterator[tuple[int, int]]:
    """Run nginx with the configuration of the page; give its ports for HTTPS and for HTTP."""
    program = need("nginx")
    secure, plain = free_port(), free_port()
    text, _ = blocks(PAGE, "nginx")
    for wanted, used in {
        "listen 443 ssl;": f"listen {secure} ssl; listen {plain};",
        "/etc/ssl/notes/cert.pem": f"{folder}/both.pem",
        "/etc/ssl/notes/key.pem": f"{folder}/both.pem",
        "127.0.0.1:8000": f"127.0.0.1:{backend}",
    }.items():
        assert text.count(wanted) == 1, wanted
        text = text.replace(wanted, used)
    if location:
        start = text.index("        location / {")
        text = text[:start] + location.replace("127.0.0.1:8001", f"127.0.0.1:{backend}") + "}\n}\n"
    paths = "".join(f"{kind}_temp_path {folder};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    file = folder / f"nginx-{secure}.conf"
    file.write_text(text.replace("http {", "http { access_log off; " + paths, 1))
    run = f"daemon off; master_process off; pid {folder}/pid-{secure}; error_log {folder}/errors-{secure};"
    with started([program, "-p", str(folder), "-c", str(file), "-g", run], folder, secure):
        yield secure, plain


def ask(folder: Path, port: int, body=None, *, secure: bool = True, **fields: str):
    """Return status, headers and text of the probe's response."""
    if secure:
        context = ssl.create_default_context(cafile=str(folder / "ca.pem"))
        connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=30, context=context)
    else:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("GET" if body is None else "POST", "/probe", body, fields)
        response = connection.getresponse()
        return response.status, response.headers, response.read().decode()
    finally:
        connection.close()


def check_behind_nginx(folder: Path, secure: int, plain: int) -> None:
    """Check what the page promises of each server behind nginx."""
    status, _, text = ask(folder, secure, **BY_TOKEN, **FORGED, X_Probe_Me="1")
    assert (status, text.count('"url":"https://127.0.0.1/probe"'), text.count('"address":"127.0.0.1"')) == (200, 1, 1)
    assert '"underscores":false' in text
    status, _, text = ask(folder, plain, secure=False, **BY_TOKEN, **FORGED)
    assert (status, text.count('"url":"http://127.0.0.1/probe"'), text.count('"address":"127.0.0.1"')) == (200, 1, 1)
    status, headers, _ = ask(folder, secure)
    assert status == 401
    assert [line.partition(" ")[0] for line in headers.get_all("WWW-Authenticate")] == ["Basic", "Bearer"]
    status, headers, _ = ask(folder, secure, Authorization="Bearer " + "a" * 12_000)
    assert status == 401
    assert any('error="invalid_token"' in line for line in headers.get_all("WWW-Authenticate"))
    status, _, text = ask(folder, secure, b"a" * 3_000_000, **BY_TOKEN)
    assert (status, '"bytes":3000000' in text) == (200, True), text
    for _ in range(5):  # an unread upload must not cost the response
        assert ask(folder, secure, b"a" * 3_000_000)[0] == 401


def test_gunicorn_behind_nginx(folder):
    port = free_port()
    command = [sys.executable, "-m", "gunicorn", "-b", f"127.0.0.1:{port}", "wsgi:application"]
    with started(command, folder, port), nginx(folder, port) as ports:
        check_behind_nginx(folder, *ports)


def test_waitress_behind_nginx(folder):
    """It drops the proxy's fields without the options of the page."""
    port = free_port()
    (block,) = (block for block in blocks(PAGE, "sh") if "waitress-serve" in block)
    arguments = [word.replace(":8000", f":{port}") for word in shlex.split(block.replace("\\\n", " "))[1:]]
    with started([sys.executable, "-m", "waitress", *arguments], folder, port), nginx(folder, port) as ports:
        check_behind_nginx(folder, *ports)


@pytest.mark.parametrize("server", ["gunicorn -b 127.0.0.1:{} wsgi:application", "uvicorn --port {} asgi:application"])
def test_servers_behind_caddy(folder, server):
    """gunicorn drops fields with underscores by itself. uvicorn shows that Caddy does, too."""
    if server.startswith("uvicorn"):
        pytest.importorskip("uvicorn")
        pytest.importorskip("a2wsgi")
    backend, port = free_port(), free_port()
    command = [sys.executable, "-m", *server.format(backend).split()]
    (text,) = blocks(PAGE, "text")
    for wanted, used in {"https://notes.example.com": f"http://:{port}", ":8000": f":{backend}"}.items():
        assert text.count(wanted) == 1, wanted
        text = text.replace(wanted, used)
    (folder / "Caddyfile").write_text("{\n\tadmin off\n}\n" + text)
    caddy = [need("caddy"), "run", "--adapter", "caddyfile", "--config", "Caddyfile"]
    with started(command, folder, backend), started(caddy, folder, port, HOME=str(folder)):
        status, _, text = ask(folder, port, secure=False, **BY_TOKEN, **FORGED, X_Probe_Me="1")
        assert (status, f'"url":"http://127.0.0.1:{port}/probe"' in text) == (200, True), text
        assert '"address":"127.0.0.1"' in text
        assert '"underscores":false' in text
        status, headers, _ = ask(folder, port, secure=False)
        assert (status, len(headers.get_all("WWW-Authenticate"))) == (401, 2)


def uwsgi_command(folder: Path, port: int, *leave_out: str) -> list[str]:
    program = need("uwsgi")
    if not (UWSGI_PLUGINS / "python3_plugin.so").exists():
        missing("uwsgi-plugin-python3")
    (text,) = blocks(PAGE, "ini")
    text = text.replace("/srv/notes", str(folder)).replace("127.0.0.1:8001", f"127.0.0.1:{port}")
    # The plugin brings the Python of the system, so the packages come from PYTHONPATH.
    lines = [line for line in text.splitlines() if not line.startswith(("virtualenv", *leave_out))]
    file = folder / f"uwsgi-{port}.ini"
    file.write_text("\n".join(lines) + "\n")
    return [program, "--ini", str(file)]


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What uWSGI imports with the Python of the system."""
    return str(copy_packages(tmp_path_factory.mktemp("packages")))


def test_uwsgi_behind_nginx(folder, packages):
    port = free_port()
    location = blocks(PAGE, "nginx")[1]
    with (
        started(uwsgi_command(folder, port), folder, port, PYTHONPATH=packages),
        nginx(folder, port, location) as ports,
    ):
        check_behind_nginx(folder, *ports)


def test_uwsgi_lets_clients_choose_the_scheme_without_the_line_of_the_page(folder, packages):
    port = free_port()
    location = blocks(PAGE, "nginx")[1]
    line = "    uwsgi_param HTTP_X_FORWARDED_PROTO $scheme;\n"
    assert location.count(line) == 1
    with ExitStack() as stack:
        stack.enter_context(started(uwsgi_command(folder, port), folder, port, PYTHONPATH=packages))
        _, plain = stack.enter_context(nginx(folder, port, location.replace(line, "")))
        assert '"url":"https://' in ask(folder, plain, secure=False, **BY_TOKEN, **FORGED)[2]


def test_uwsgi_sends_nothing_for_long_tokens_by_default(folder, packages):
    port = free_port()
    with ExitStack() as stack:
        log = stack.enter_context(
            started(uwsgi_command(folder, port, "buffer-size"), folder, port, PYTHONPATH=packages)
        )
        secure, _ = stack.enter_context(nginx(folder, port, blocks(PAGE, "nginx")[1]))
        assert ask(folder, secure, Authorization="Bearer " + "a" * 3_000)[0] == 401
        assert ask(folder, secure, Authorization="Bearer " + "a" * 5_000)[0] == 502
        assert "(max 4096)...skip" in log.read_text()


@pytest.mark.parametrize(("options", "believed"), [((), True), (("--no-proxy-headers",), False)])
def test_uvicorn_believes_a_proxy_of_this_machine(folder, options, believed):
    pytest.importorskip("uvicorn")
    pytest.importorskip("a2wsgi")
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", "--port", str(port), *options, "asgi:application"]
    with started(command, folder, port):
        status, _, text = ask(folder, port, secure=False, **BY_TOKEN, **FORGED)
        assert (status, '"address":"192.0.2.1"' in text, '"url":"https://' in text) == (200, believed, believed)
        status, headers, _ = ask(folder, port, secure=False)
        assert (status, len(headers.get_all("WWW-Authenticate"))) == (401, 2)

"""Apache with mod_wsgi runs the app of docs/guides/servers.md, with the configuration that the page shows.

mod_wsgi brings the Python of the system. It imports copies of the packages that this test uses.
"""

import os
import pwd
import re
import ssl
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPSConnection
from pathlib import Path

import pytest
import trustme

from tests.docs.pages import blocks
from tests.helpers import free_port, is_listening

from .conftest import copy_packages, missing, need

PAGE = "docs/guides/servers.md"
MODULES = Path("/usr/lib/apache2/modules")
BY_TOKEN = {"Authorization": "Bearer demo-token-of-ada-0123456789"}
# What Debian's own files set before those of the sites are read.
BASIS = """
ServerRoot /usr/lib/apache2
PidFile {folder}/pid-{port}
ErrorLog {folder}/errors-{port}
DefaultRuntimeDir {folder}
Mutex file:{folder}
LoadModule mpm_event_module modules/mod_mpm_event.so
LoadModule authz_core_module modules/mod_authz_core.so
LoadModule ssl_module modules/mod_ssl.so
LoadModule wsgi_module modules/mod_wsgi.so
WSGISocketPrefix {folder}/wsgi-{port}
Listen 127.0.0.1:{port}
"""


def directive(text: str, line: str, replacement: str) -> str:
    """Replace a line of the configuration, which must be there."""
    assert len(re.findall(line, text)) == 1, f"the page has no {line!r}"
    return re.sub(line, lambda _: replacement, text)


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """The folder /srv/notes of the page, which another user than root can read, and the packages beside it."""
    need("apache2")
    if not (MODULES / "mod_wsgi.so").exists():
        missing("mod_wsgi")
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        notes = root / "notes"
        notes.mkdir()
        (program,) = (block for block in blocks(PAGE, "python") if "/probe" in block)
        (script,) = (block for block in blocks(PAGE, "python") if block == "from app import app\n\napplication = app\n")
        (notes / "app.py").write_text(program)
        (notes / "notes.wsgi").write_text(script)
        copy_packages(root / "packages")
        authority = trustme.CA()
        certificate = authority.issue_cert("notes.example.com", "127.0.0.1")
        certificate.private_key_and_cert_chain_pem.write_to_path(str(root / "both.pem"))
        authority.cert_pem.write_to_path(str(root / "ca.pem"))
        if os.getuid() == 0:  # Apache refuses to serve as root
            _give_to_nobody(root)
        yield root


def _give_to_nobody(root: Path) -> None:
    nobody = pwd.getpwnam("nobody")
    for path in (root, *root.rglob("*")):
        os.chown(path, nobody.pw_uid, nobody.pw_gid)


@contextmanager
def apache(folder: Path, change: Callable[[str], str] = str) -> Iterator[HTTPSConnection]:
    """Serve with the configuration of the page, after ``change`` to it, and give a connection."""
    port = free_port()
    (text,) = blocks(PAGE, "apache")
    text = change(text)
    text = directive(text, "python-home=/srv/notes/venv", f"python-path={folder}/packages")
    text = directive(text, r"\*:443", f"*:{port}")
    text = directive(text, "/etc/ssl/notes/cert.pem", f"{folder}/both.pem")
    text = directive(text, "/etc/ssl/notes/key.pem", f"{folder}/both.pem")
    text = text.replace("/srv/notes", f"{folder}/notes")
    file = folder / f"apache-{port}.conf"
    file.write_text(BASIS.format(folder=folder, port=port) + text)
    user = {"user": "nobody", "group": "nogroup", "extra_groups": ()} if os.getuid() == 0 else {}
    with (folder / "output").open("w+") as output:
        server = subprocess.Popen(
            [need("apache2"), "-f", str(file), "-DFOREGROUND"], cwd=folder, stdout=output, stderr=output, **user
        )
        try:
            deadline = time.monotonic() + 20
            while not is_listening(port):
                output.seek(0)
                said = f"{output.read()} (and more in {folder}/errors-{port})"
                assert server.poll() is None, said
                assert time.monotonic() < deadline, said
                time.sleep(0.05)
            context = ssl.create_default_context(cafile=str(folder / "ca.pem"))
            connection = HTTPSConnection("127.0.0.1", port, timeout=30, context=context)
            try:
                yield connection
            finally:
                connection.close()
        finally:
            server.terminate()
            server.wait(20)


@pytest.fixture(scope="module")
def served(folder: Path) -> Iterator[HTTPSConnection]:
    with apache(folder) as connection:
        yield connection


def ask(connection: HTTPSConnection, method: str = "GET", body=None, **fields: str):
    """Return status, headers and text of the probe's response."""
    connection.request(method, "/probe", body, {"Connection": "close", **fields})
    response = connection.getresponse()
    return response.status, response.headers, response.read().decode()


def test_a_token_reaches_the_app_and_so_do_https_and_the_address(served):
    status, _, text = ask(served, **BY_TOKEN, X_Probe_Me="1")
    assert (status, '"url":"https://' in text, '"address":"127.0.0.1"' in text) == (200, True, True), text
    assert '"underscores":false' in text


def test_fields_that_a_proxy_would_set_change_nothing(served):
    forged = {"X-Forwarded-For": "192.0.2.1", "X-Forwarded-Proto": "http", "X-Forwarded-Host": "evil.example"}
    status, _, text = ask(served, **BY_TOKEN, **forged)
    assert (status, '"url":"https://127.0.0.1:' in text, '"address":"127.0.0.1"' in text) == (200, True, True), text


def test_each_challenge_has_its_line(served):
    status, headers, _ = ask(served)
    assert status == 401
    assert [line.partition(" ")[0] for line in headers.get_all("WWW-Authenticate")] == ["Basic", "Bearer"]


def test_a_long_token_reaches_the_app(served):
    status, headers, _ = ask(served, Authorization="Bearer " + "a" * 12_000)
    assert status == 401
    assert any('error="invalid_token"' in line for line in headers.get_all("WWW-Authenticate"))


def test_uploads_of_unknown_length_reach_the_app(served):
    status, _, text = ask(served, "POST", iter([b"a" * 1000, b"b" * 1000]), **BY_TOKEN)
    assert (status, '"bytes":2000' in text) == (200, True), text


@pytest.mark.parametrize(
    ("line", "status", "sent"),
    [
        ("WSGIPassAuthorization On", 401, {}),
        ("LimitRequestFieldSize 32768", 400, {"Authorization": "Bearer " + "a" * 12_000}),
    ],
)
def test_the_page_says_what_happens_without_a_directive(folder, line, status, sent):
    with apache(folder, lambda text: directive(text, line, "")) as connection:
        answered, headers, _ = ask(connection, **{**BY_TOKEN, **sent})
        assert answered == status
        if status == 401:  # the caller is told to send what it sent
            assert 'Bearer realm="notes"' in headers.get_all("WWW-Authenticate")
        else:
            assert headers["WWW-Authenticate"] is None

"""Each example starts with the command of its docstring, and the commands that it prints get the statuses beside them.

An example prints lines such as ``  curl -i http://127.0.0.1:5000/notes   # 401``. A text after a colon, as in
``# 200: call Grace``, must be in the response. Lines without a status define what later lines use.
"""

import argparse
import ast
import base64
import contextlib
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from http.client import HTTPConnection
from http.cookies import SimpleCookie
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urljoin, urlsplit

import pytest

from tests.helpers import free_port, is_listening

ROOT = Path(__file__).parents[1]
NAMES = (
    "browser_login", "dpop", "factory", "forward_auth", "jwt_api", "mcp_server", "oidc_login", "passkey_step_up",
    "quickstart", "step_up", "token_settings",
)  # fmt: skip
HAVE_TWO_SERVERS = ("jwt_api", "mcp_server", "oidc_login")
MODULES = {".[jwt]": "jwt", ".[tokens]": "sqlalchemy"}
"""The modules that show whether an extra is installed. Other packages have one of their own name."""
LINE = re.compile(r"  (?P<command>\S.*?) +# (?P<status>\d{3})(?:: (?P<text>.+))?(?:, .+)?")
# What Flask and Werkzeug write, and the one warning of a demo without HTTPS.
EXPECTED_IN_THE_LOG = re.compile(
    r"\S*WARNING: This is a development server| \* Running on|\S*Press CTRL\+C|127\.0\.0\.1 - -"
    r"|SESSION_COOKIE_SECURE is False"
)


class Started(NamedTuple):
    """A running example: what it had printed and logged when it began to listen, and a folder for its files."""

    name: str
    url: str
    text: str
    log: str
    folder: Path


def source_of(name: str) -> Path:
    file = ROOT / "examples" / f"{name}.py"
    return file if file.exists() else file.with_suffix("") / "__init__.py"


def command_of(name: str) -> list[str]:
    """Return the command that the docstring names. Skip if a package that it names isn't installed."""
    docstring = ast.get_docstring(ast.parse(source_of(name).read_text(encoding="utf-8"))) or ""
    packages, arguments = re.search(r"^Run: ``pip install (.+?) && python (.+?)``", docstring, re.MULTILINE).groups()
    for package in shlex.split(packages):
        if package != ".":
            pytest.importorskip(MODULES.get(package, package))
    return [sys.executable, *shlex.split(arguments)]


def folder_beside_the_examples(folder: Path) -> Path:
    """Make the folder look like the clone, so that data of examples is stored there."""
    (folder / "examples").symlink_to(ROOT / "examples")
    return folder


def environment(port: int) -> dict[str, str]:
    return {**os.environ, "PORT": str(port), "PYTHONPATH": str(ROOT)}


@contextlib.contextmanager
def started(name: str, folder: Path) -> Iterator[Started]:
    port = free_port(2)
    ports = (port, port + 1) if name in HAVE_TWO_SERVERS else (port,)
    command = command_of(name)
    printed, logged = folder / "printed", folder / "logged"
    with printed.open("w") as stdout, logged.open("w") as stderr:
        process = subprocess.Popen(command, cwd=folder, env=environment(port), stdout=stdout, stderr=stderr)
    try:
        deadline = time.monotonic() + 60
        while not ("# 401" in printed.read_text() and all(map(is_listening, ports))):
            assert process.poll() is None, f"{name} ended: {logged.read_text()}"
            assert time.monotonic() < deadline, f"{name} doesn't listen: {logged.read_text()}"
            time.sleep(0.05)
        host = "localhost" if name == "passkey_step_up" else "127.0.0.1"
        yield Started(name, f"http://{host}:{port}", printed.read_text(), logged.read_text(), folder)
    finally:
        process.terminate()
        process.wait(30)


@pytest.fixture(scope="module", params=NAMES)
def example(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Started]:
    folder = folder_beside_the_examples(tmp_path_factory.mktemp(request.param))
    with started(request.param, folder) as running:
        yield running


def test_all_examples_are_here():
    files = {file.stem for file in (ROOT / "examples").glob("*.py")} - {"serving"}
    packages = {file.parent.name for file in (ROOT / "examples").glob("*/__init__.py")}
    assert files | packages == set(NAMES)


@pytest.mark.parametrize(
    "file", sorted((ROOT / "examples").rglob("*.py")), ids=lambda file: str(file.relative_to(ROOT))
)
def test_the_set_up_of_each_app_ends_with_a_check(file):
    module = ast.parse(file.read_text(encoding="utf-8"))
    functions = [node for node in module.body if isinstance(node, ast.FunctionDef)]
    for scope in (module, *functions):
        statements = [ast.unparse(node) for node in scope.body if not isinstance(node, ast.FunctionDef)]
        if not any("auth.init_app(app)" in statement or ", app=app" in statement for statement in statements):
            continue
        if scope is module:  # what runs the app comes after it
            assert "auth.check(app)" in statements
        else:
            assert statements[-2:] == ["auth.check(app)", "return app"]


def test_the_quick_start_can_be_read_at_once():
    assert len(source_of("quickstart").read_text(encoding="utf-8").splitlines()) <= 60


def test_it_begins_with_what_it_is_and_where(example):
    first, second, *_ = example.text.splitlines()
    assert re.match(r"[A-Z].{30,}", first)
    if example.name not in ("dpop", "step_up", "jwt_api"):  # those have no page
        assert re.match("In (?:a browser|an MCP client)", second)
    assert example.url in example.text
    assert "http://127.0.0.1:5000" not in example.text


def test_it_listens_on_this_machine_only(example):
    with pytest.raises(OSError), socket.create_connection(("127.0.0.2", urlsplit(example.url).port), 5):
        pass


def test_it_warns_of_nothing_unexpected(example):
    assert [line for line in example.log.splitlines() if not EXPECTED_IN_THE_LOG.match(line)] == []
    assert ("SESSION_COOKIE_SECURE" in example.log) == ("SESSION_COOKIE_SECURE is expected" in example.text)


def test_the_commands_get_the_statuses_beside_them(example):
    definitions, statuses, jar = [], [], {}
    commands = re.search(r"^In another terminal.*:\n((?:  .+\n)+)", example.text, re.MULTILINE)[1]
    for line in commands.splitlines():
        found = LINE.fullmatch(line)
        if found is None:
            assert not line.startswith("  curl"), f"no status beside {line}"
            definitions.append(line)
            continue
        status, output = run(found["command"], definitions, example.folder, jar)
        assert status == int(found["status"]), (line, output)
        assert (found["text"] or "") in output, (line, output)
        statuses.append(status)
    assert min(statuses) < 300, "nothing is accepted"
    assert max(statuses) >= 400, "nothing is refused"
    assert len(statuses) >= 3


def run(command: str, definitions: list[str], folder: Path, jar: dict[str, str]) -> tuple[int, str]:
    """Return the last status of a command, and all that it wrote."""
    if shutil.which("curl") and shutil.which("bash"):
        script = "\n".join([*definitions, command])
        done = subprocess.run(
            ["bash", "-c", script], cwd=folder, capture_output=True, text=True, timeout=60, check=True
        )
        return int(re.findall(r"^HTTP/1\.1 (\d{3}) ", done.stdout, re.MULTILINE)[-1]), done.stdout
    if os.environ.get("CI") == "true":
        pytest.fail("curl and bash are missing")
    if not command.startswith("curl ") or "$" in command:
        pytest.skip("this command needs curl and bash")
    return run_without_curl(shlex.split(command)[1:], jar)


def run_without_curl(arguments: list[str], jar: dict[str, str]) -> tuple[int, str]:
    """Do what curl does with the arguments that the examples use."""
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    for flag in ("-i", "-L"):
        parser.add_argument(flag, action="store_true")
    for flag in ("-X", "-d", "-u", "-b", "-c"):
        parser.add_argument(flag)
    parser.add_argument("-H", action="append", default=[])
    given = parser.parse_args(arguments)
    headers = dict(field.split(": ", 1) for field in given.H)
    if given.u:
        headers["Authorization"] = f"Basic {base64.b64encode(given.u.encode()).decode()}"
    if given.d:
        headers.setdefault("Content-Type", "application/x-www-form-urlencoded")
    url, method, body, output = given.url, given.X or ("POST" if given.d else "GET"), given.d, ""
    while True:
        if given.b and jar:
            headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in jar.items())
        parts = urlsplit(url)
        with contextlib.closing(HTTPConnection(parts.netloc, timeout=60)) as connection:
            connection.request(method, parts.path, body, headers)
            response = connection.getresponse()
            output += f"{response.headers}{response.read().decode()}"
        if given.c:
            for line in response.headers.get_all("Set-Cookie", []):
                jar.update({name: morsel.value for name, morsel in SimpleCookie(line).items()})
        if not given.L or response.status not in (302, 303):
            return response.status, output
        url, method, body = urljoin(url, response.headers["Location"]), "GET", None


@pytest.mark.parametrize(
    ("name", "offset"), [*((name, 0) for name in NAMES), *((name, 1) for name in HAVE_TWO_SERVERS)]
)
def test_a_busy_port_is_told_without_a_traceback(name, offset, tmp_path):
    command, folder = command_of(name), folder_beside_the_examples(tmp_path)
    port = free_port(2)
    with socket.create_server(("127.0.0.1", port + offset)):
        done = subprocess.run(
            command, cwd=folder, env=environment(port), capture_output=True, text=True, timeout=60, check=False
        )
    assert done.returncode == 1
    assert f"Port {port + offset} is in use by another program." in done.stderr
    assert "Traceback" not in done.stderr


def test_the_dpop_example_prints_its_exchange(tmp_path):
    with started("dpop", folder_beside_the_examples(tmp_path)) as example:
        exchange = example.text.partition("In another terminal")[0]
    statuses = re.findall(r"^    (\d{3}) ", exchange, re.MULTILINE)
    assert statuses == ["401", "200", "200", "401", "200", "401", "401"]
    errors = re.findall(r' error="([^"]+)"', exchange)
    assert errors == ["use_dpop_nonce", "invalid_token", "invalid_dpop_proof", "invalid_token"]
    assert exchange.count("DPoP-Nonce: ") == 1

"""The guides on views: each program is served, and each command prints what the page shows.

A page is read from its first heading to its last, as a reader does it. A whole program is a new ``app.py``. A fragment
goes into the ``app.py`` of that moment, at the place that its first line names. Tests go into ``test_app.py``. The
console blocks of a section are run with the files that the reader has then.
"""

import json
import re
import shutil
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest

from .pages import ROOT, blocks, commands, missing_lines, run, served
from .test_tutorial import place

GUIDES = ROOT / "docs" / "guides"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.DOTALL | re.MULTILINE)
FENCED = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)
FRAGMENT = "# a part of app.py: "
FILE = re.compile(r"as `([\w./-]+)`[^`]*?:\n\n```html\n(.*?)^```", re.DOTALL | re.MULTILINE)
PAGES = (
    "views",
    "guards",
    "unless",
    "permissions",
    "recipes",
    "refusals",
    "files-and-caches",
    "websockets",
    "testing",
)
OTHER_EXTENSIONS = ("flask_babel", "flask_caching", "flask_limiter", "flask_sock", "flask_socketio", "sqlalchemy")


def sections(page: str) -> list[tuple[str, list[tuple[str, str]]]]:
    """Return heading and blocks of each section, the text below the title included."""
    text = (GUIDES / f"{page}.md").read_text(encoding="utf-8")
    hidden = FENCED.sub(lambda found: found[0].replace("\n#", "\n\0"), text)  # comments in code are not headings
    parts = re.split(r"^#{1,3} ", hidden, flags=re.MULTILINE)[1:]
    return [
        (part.partition("\n")[0], [found.groups() for found in BLOCK.finditer(part.replace("\0", "#"))])
        for part in parts
    ]


def steps(page: str) -> list[tuple[str, str, str, list[tuple[str, list[str]]]]]:
    """Return each section that shows commands: its heading, program and tests that the reader has, and the commands."""
    program, tests, found = "", "", []
    for heading, parts in sections(page):
        typed = []
        for language, block in parts:
            if "test_refusals.py" in block:  # test_the_fixture_of_the_page_on_tests_works runs that file.
                continue
            if language == "python" and block.startswith(FRAGMENT):
                program = place(program, block)
            elif language == "python" and "def test_" in block and "test_clock.py" not in block:
                tests = tests + block if block.startswith("# a part of test_app.py\n") else block
            elif language == "python" and not block.startswith("# a part of "):
                program = block
            elif language == "console":
                typed += commands(block)
        if typed:
            found.append((heading, program, tests, typed))
    return found


STEPS = [
    pytest.param(page, program, tests, typed, id=f"{page}: {heading}")
    for page in PAGES
    for heading, program, tests, typed in steps(page)
]  # fmt: skip


@pytest.mark.parametrize(("page", "program", "tests", "typed"), STEPS)
def test_the_program_answers_as_the_page_shows(
    page: str, program: str, tests: str, typed: list[tuple[str, list[str]]], tmp_path: Path
) -> None:
    for package in OTHER_EXTENSIONS:
        if f"from {package}" in program:
            pytest.importorskip(package)
    for name, text in FILE.findall((GUIDES / f"{page}.md").read_text(encoding="utf-8")):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    (tmp_path / "test_app.py").write_text(tests, encoding="utf-8")
    with served(program, tmp_path) as port:
        for command, shown in typed:
            if command.startswith("sqlite3 ") and shutil.which("sqlite3") is None:
                continue
            printed = run(re.sub(r"\bcurl ", "curl -sS ", command), tmp_path, port)
            assert not missing_lines(shown, printed), f"$ {command}\n{printed}"
            if "-i" in command.split():  # a page leaves fields out, but never a challenge
                told = [line for line in printed.splitlines() if line.startswith("WWW-Authenticate:")]
                named = [line for line in shown if line.startswith("WWW-Authenticate:")]
                assert len(named) == len(told), printed


def test_every_page_of_the_group_shows_commands() -> None:
    assert {name.partition(":")[0] for name in (step.id for step in STEPS)} == set(PAGES)


@pytest.mark.parametrize(
    ("page", "needle", "decorator"),
    [("views", "load_caller", '@app.get("/notes")'), ("files-and-caches", "Cache(", "@auth.login_required")],
)
def test_the_check_says_what_the_page_says_of_a_wrong_order(
    page: str, needle: str, decorator: str, tmp_path: Path
) -> None:
    (text,) = blocks(f"docs/guides/{page}.md", "text")
    program = next(block for block in blocks(f"docs/guides/{page}.md", "python") if needle in block)
    if "flask_caching" in program:
        pytest.importorskip("flask_caching")
    lines = [line for line in program.splitlines() if line != "auth.check(app)"]
    upper = lines.index(decorator)
    lines[upper], lines[upper + 1] = lines[upper + 1], lines[upper]
    (tmp_path / "app.py").write_text("\n".join(lines), encoding="utf-8")
    printed = run("flask --app app unauthorized check", tmp_path, 0)
    assert printed.strip() == text.strip()


def test_the_explanation_in_debug_mode_is_the_one_of_the_page() -> None:
    (program, *_), (shown,) = blocks("docs/guides/refusals.md", "python"), blocks("docs/guides/refusals.md", "json")
    scope: dict[str, Any] = {"__name__": "app"}
    exec(program, scope)
    scope["app"].debug = True
    client = scope["app"].test_client()
    refused = client.get("/notes", auth=("ada", "wrong"), base_url="http://127.0.0.1:5000")
    assert refused.json == json.loads(shown)


def files_of_the_page_on_tests() -> tuple[str, str]:
    """Return its program, and what goes into ``test_app.py``."""
    program, *parts = [
        block
        for block in blocks("docs/guides/testing.md", "python")
        if ("def test_" in block or "def create" in block) and not block.startswith("# a part of test_refusals.py")
    ]
    return program, "".join(parts)


def test_the_clock_of_the_page_on_tests_can_be_frozen(tmp_path: Path) -> None:
    pytest.importorskip("time_machine")
    program, tests = files_of_the_page_on_tests()
    (tmp_path / "app.py").write_text(program, encoding="utf-8")
    (tmp_path / "test_clock.py").write_text(tests, encoding="utf-8")
    assert "11 passed" in run("python -m pytest -q test_clock.py", tmp_path, 0)


def test_the_fixture_of_the_page_on_tests_works(tmp_path: Path) -> None:
    program, _ = files_of_the_page_on_tests()
    parts = [
        one for one in blocks("docs/guides/testing.md", "python") if one.startswith("# a part of test_refusals.py")
    ]
    (tmp_path / "app.py").write_text(program, encoding="utf-8")
    (tmp_path / "test_refusals.py").write_text("".join(parts), encoding="utf-8")
    # An editable install of another checkout has no entry point, so the module is named then.
    installed = any(one.name == "unauthorized" for one in entry_points(group="pytest11"))
    plugin = "" if installed else "-p flask_unauthorized.pytest_plugin"
    command = f"python -m pytest -q {plugin} --unauthorized-lint=fail test_refusals.py"
    assert "6 passed" in run(command, tmp_path, 0)
    ini, toml = (blocks("docs/guides/testing.md", language)[-1] for language in ("ini", "toml"))
    (tmp_path / "test_bare.py").write_text(
        "from flask import Flask, abort\n\ndef test_bare():\n    app = Flask('bare')\n"
        "    app.add_url_rule('/', 'view', lambda: abort(401))\n    app.test_client().get('/')\n"
    )
    assert "1 passed" in run(f"python -m pytest -q {plugin} test_bare.py", tmp_path, 0)
    for name, content in (("pyproject.toml", toml), ("pytest.ini", ini)):
        (tmp_path / name).write_text(content, encoding="utf-8")
        assert "unauthorized lint: error W1" in run(f"python -m pytest -q {plugin} test_bare.py", tmp_path, 0)
        (tmp_path / name).unlink()


def test_the_page_on_websockets_closes_a_socket_in_time(tmp_path: Path) -> None:
    pytest.importorskip("flask_sock")
    program, clock, *_ = blocks("docs/guides/websockets.md", "python")
    assert clock.count("LONGEST = 900 ") == 1
    client = (
        "from simple_websocket import Client\n"
        "ws = Client('ws://127.0.0.1:5000/clock', headers={'Authorization': 'Bearer demo-token-of-bob-0123456789'})\n"
        "while True: print(ws.receive(timeout=20))"
    )
    with served(place(program, clock.replace("LONGEST = 900 ", "LONGEST = 2 ")), tmp_path) as port:
        printed = run(f'python -c "{client}"', tmp_path, port)
    assert "ConnectionClosed: Connection closed: 1008 Connect again." in printed


@pytest.mark.parametrize(
    ("written", "forgotten", "failing"),
    [
        ('@auth.login_required(roles={"editor"})', "@auth.login_required", "test_others_do_not"),
        ("@auth.login_required(max_age=300)", "@auth.login_required", "test_an_old_login_is_not_enough"),
        (
            "users.get, login_view",
            "users.get, trusted_origins=['https://evil.example'], login_view",
            "test_other_sites",
        ),
        ("demo-token-of-ada-0123456789", "demo-token-of-ada-9876543210", "test_the_loader"),
    ],
)
def test_the_tests_of_the_page_find_what_is_wrong(written: str, forgotten: str, failing: str, tmp_path: Path) -> None:
    """They are run against the program of the page with one fault."""
    (program, tests) = next((program, tests) for _, program, tests, _ in reversed(steps("testing")))
    assert program.count(written) == 1
    (tmp_path / "app.py").write_text(program.replace(written, forgotten), encoding="utf-8")
    (tmp_path / "test_app.py").write_text(tests, encoding="utf-8")
    printed = run("python -m pytest -q -p no:cacheprovider test_app.py", tmp_path, 0)
    assert f"FAILED test_app.py::{failing}" in printed

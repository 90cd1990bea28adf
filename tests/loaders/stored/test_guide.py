"""The programs of docs/guides/tokens.md do what the page says."""

import json
import os
import re
import subprocess
import sys
from base64 import b64encode
from pathlib import Path

import pytest

from flask_unauthorized.loaders.stored import TokenFormat
from flask_unauthorized.testing import assert_sound
from tests.canaries import register
from tests.helpers import bearer_header

PAGE = (Path(__file__).parents[3] / "docs" / "guides" / "tokens.md").read_text(encoding="utf-8")
ADA = {"Authorization": f"Basic {b64encode(b'ada:correct horse').decode()}"}


def section(heading):
    return PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]


def program(heading):
    return re.search(r"```python\n(.*?)```", section(heading), re.DOTALL)[1]


def run(heading):
    scope = {"__name__": "app"}
    exec(compile(program(heading), "app.py", "exec"), scope)
    return scope


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_table_names_every_section_that_a_reader_looks_for():
    headings = re.findall(r"^## (.*)$", PAGE, re.MULTILINE)
    table = PAGE.partition("| you want | read |")[2].partition("\n\n")[0]
    named = re.findall(r"\[([^]]*)\]\(#", table)
    assert len(named) >= 6
    assert set(named) <= set(headings)


def test_start(folder):
    (folder / "app.py").write_text(program("Start"))
    command = re.search(r"\$\((flask unauthorized tokens issue .*)\)", PAGE)[1]
    shell = f'flask() {{ "{sys.executable}" -W ignore -c "{ENTRY}" "$@"; }}\n{command}'
    done = subprocess.run(["sh", "-c", shell], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    token = done.stdout.strip()
    register(token)
    client = run("Start")["app"].test_client()
    for headers in (bearer_header(token), {"X-API-Key": token}):
        answer = client.get("/notes", headers=headers)
        assert (answer.status_code, answer.json) == (200, {"owner": "42", "token": 1})
    assert_sound(client.get("/notes", headers=bearer_header(token[:-1])))


# The package may not be installed where the tests run, and then the command `flask` doesn't know `unauthorized`.
ENTRY = (
    "from flask.cli import cli; from flask_unauthorized.cli import commands; "
    "'unauthorized' in cli.commands or cli.add_command(commands); cli.main(prog_name='flask')"
)


@pytest.mark.tells_secrets("body", because="a view shows a new token to its owner")
def test_views_for_your_users():
    scope = run("Views for your users")
    client = scope["app"].test_client()
    assert client.get("/tokens").status_code == 401
    made = client.post("/tokens", headers=ADA, data={"name": "CI", "scope": "notes:read"})
    assert (made.status_code, made.json["name"], made.headers["Cache-Control"]) == (201, "CI", "no-store")
    number = made.json["id"]
    assert scope["tokens"](made.json["token"]).scopes == {"notes:read"}
    assert client.post("/tokens", headers=ADA, data={"name": "CI", "scope": "root"}).json == {
        "message": "a token can't get more than its owner has. Missing scopes: root"
    }
    assert client.get("/tokens", headers=ADA).json == [
        {"id": number, "name": "CI", "hint": f"notes_...{made.json['token'][32:36]}", "state": "valid"}
    ]
    statuses = [client.post(f"/tokens/{one}/rotate", headers=ADA).status_code for one in (number, number, 10**30)]
    assert statuses == [201, 409, 404]
    assert [client.delete(f"/tokens/{number}", headers=ADA).status_code for _ in "ab"] == [200, 404]
    scope["GRANTS"].clear()
    assert client.get("/tokens", headers=ADA).status_code == 401


def test_the_table(capsys):
    run("The table")
    assert "TokenRecord(id=1, owner='42', name='CI'" in capsys.readouterr().out


def mistyped(text, number):
    """The token with one character changed, at a place that depends on the number."""
    at = 6 + number % 36
    return text[:at] + ("x" if text[at] != "x" else "y") + text[at + 1 :]


def test_find_leaked_tokens():
    pytest.importorskip("detect_secrets")
    scope = run("Find leaked tokens")
    made = [scope["NOTES"].make().arguments[0] for _ in range(1000)]
    register(*made)
    detector = scope["NotesTokenDetector"]()

    def found(text):
        return [one.secret_value for one in detector.analyze_line("a.py", f'T = "{text}"', 1)]

    assert [found(text) for text in made] == [[text] for text in made]
    assert not any(found(mistyped(text, number)) for number, text in enumerate(made))


def test_the_command_of_detect_secrets_finds_a_thousand_of_a_thousand_tokens(folder):
    pytest.importorskip("detect_secrets")
    (folder / "notes_tokens.py").write_text(program("Find leaked tokens"))
    made = [TokenFormat("notes").make().arguments[0] for _ in range(1000)]
    register(*made)
    (folder / "real.py").write_text("".join(f'T = "{text}"\n' for text in made))
    (folder / "mistyped.py").write_text("".join(f'T = "{mistyped(text, n)}"\n' for n, text in enumerate(made)))
    options = re.search(r"`detect-secrets scan (.*?)`", section("Find leaked tokens"))[1].split()
    done = subprocess.run(
        [sys.executable, "-m", "detect_secrets", "scan", *options, "--all-files", "."],
        cwd=folder, capture_output=True, text=True, check=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    results = json.loads(done.stdout)["results"]
    ours = {name: [one for one in rows if one["type"] == "Notes token"] for name, rows in results.items()}
    assert len(ours["real.py"]) == 1000
    assert ours.get("mistyped.py", []) == []


def test_the_rule_for_gitleaks_finds_each_token():
    tomllib = pytest.importorskip("tomllib")
    (rule,) = tomllib.loads(re.search(r"```toml\n(.*?)```", section("Find leaked tokens"), re.DOTALL)[1])["rules"]
    assert rule["regex"] == TokenFormat("notes").pattern
    made = [TokenFormat("notes").make().arguments[0] for _ in range(1000)]
    register(*made)
    assert re.findall(rule["regex"], "\n".join(f'T="{text}"' for text in made)) == made
    assert all(keyword in text for keyword in rule["keywords"] for text in made)

"""The page of settings names what the code reads, with its defaults and limits."""

import ast
import base64
import re
from pathlib import Path

import pytest
from flask import Flask

import flask_unauthorized
from flask_unauthorized import APIKey, Auth, Basic, Bearer, ConfigurationError, Digest, DPoP
from flask_unauthorized.policy.settings import Settings, read_settings
from flask_unauthorized.schemes.remote_user import RemoteUser
from flask_unauthorized.signals import refused

from .pages import ROOT, blocks

PAGE = "docs/reference/settings.md"
# Flask's own attributes for these settings are what the code reads.
READ_AS_ATTRIBUTES = {"TESTING", "DEBUG"}


def _rows() -> dict[str, list[str]]:
    """The cells behind the name of each setting. One row may name several."""
    text = (ROOT / PAGE).read_text(encoding="utf-8")
    found = {}
    for line in re.findall(r"^\| (`[A-Z_]+`.*) \|$", text, re.MULTILINE):
        names, *cells = [cell.strip() for cell in line.split(" | ")]
        found |= dict.fromkeys(re.findall(r"`([A-Z_]+)`", names), cells)
    return found


def test_the_settings_of_the_extension_are_those_of_the_code():
    shown = {name: ast.literal_eval(cells[0].strip("`")) for name, cells in _rows().items() if "UNAUTHORIZED_" in name}
    assert shown == {f"UNAUTHORIZED_{name.upper()}": value for name, value in Settings._field_defaults.items()}


@pytest.mark.parametrize("name", [name for name in _rows() if "UNAUTHORIZED_" in name])
def test_each_shown_value_is_valid_and_another_one_is_not(name):
    values = [ast.literal_eval(value) for value in re.findall(r'`("\w+"|True|False)`', _rows()[name][1])]
    for value in values:
        assert getattr(read_settings({name: value}), name.removeprefix("UNAUTHORIZED_").lower()) == value
    with pytest.raises(ConfigurationError, match=name):
        read_settings({name: ["no", "such", "value"]})


def test_the_limits_of_the_credentials_are_those_of_the_code():
    low, high = re.search(r"int, (\d+) to ([\d ]+) bytes", _rows()["UNAUTHORIZED_MAX_CREDENTIALS"][1]).groups()
    for size in (int(low), int(high.replace(" ", ""))):
        read_settings({"UNAUTHORIZED_MAX_CREDENTIALS": size})
    for size in (int(low) - 1, int(high.replace(" ", "")) + 1):
        with pytest.raises(ConfigurationError):
            read_settings({"UNAUTHORIZED_MAX_CREDENTIALS": size})


def _basic(name: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()


@pytest.mark.parametrize(
    ("size", "scheme", "headers", "status"),
    [
        (16_384, Bearer(lambda token: "ada"), lambda size: {"Authorization": "Bearer " + "a" * (size - 7)}, 400),
        (16_384, APIKey(lambda key: "ada"), lambda size: {"X-API-Key": "a" * size}, 400),
        (1024, Basic(lambda name, password: True), lambda size: {"Authorization": _basic("a" * size, "b")}, 401),
        (4096, Basic(lambda name, password: True), lambda size: {"Authorization": _basic("a", "b" * size)}, 401),
        (4096, Digest(lambda name: "x"), lambda size: {"Authorization": "Digest " + "a" * size}, 400),
        (
            4096, DPoP(lambda token: "ada", origin="https://shop.example"),
            lambda size: {"Authorization": "DPoP abc", "DPoP": "a" * size}, 401,
        ),
        (1024, RemoteUser(lambda name: "ada"), lambda size: {"REMOTE_USER": "a" * size}, 400),
    ],
)  # fmt: skip
def test_a_longer_value_gets_the_status_of_the_table(size, scheme, headers, status):
    app = Flask("shop", static_folder=None)
    app.testing, app.secret_key = True, "a secret of thirty-two characters"
    auth = Auth(scheme, app=app)
    app.add_url_rule("/", view_func=auth.login_required(lambda: "in"), endpoint="view")
    shown = f"| {size:,} |".replace(",", " ")
    text = (ROOT / PAGE).read_text(encoding="utf-8")
    assert f"{shown} {status} |" in text or (size == 16_384 and f"by default | {status} |" in text)
    reasons = []

    @refused.connect_via(app)
    def note(sender, error, **extra):
        reasons.append(error.reason)

    def get(length):
        sent = headers(length)
        environ = {"REMOTE_USER": sent.pop("REMOTE_USER")} if "REMOTE_USER" in sent else {}
        return app.test_client().get("/", base_url="https://shop.example", headers=sent, environ_base=environ)

    assert get(size + 1).status_code == status
    assert str(size) in reasons.pop()
    get(size)
    assert not [reason for reason in reasons if f"at most {size}" in reason]


def test_the_settings_of_flask_are_those_that_the_code_reads():
    defaults = dict(Flask("app").config, SECRET_KEY_FALLBACKS=None)  # Flask 3.0 doesn't know the second
    read = set()
    for path in Path(flask_unauthorized.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [node.slice] if isinstance(node, ast.Subscript) and _is_config(node.value) else []
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and _is_config(node.func.value):
                names = node.args[:1]
            read |= {name.value for name in names if isinstance(name, ast.Constant) and name.value.isidentifier()}
    shown = {
        name: ast.literal_eval(cells[0].strip("`")) for name, cells in _rows().items() if "UNAUTHORIZED" not in name
    }
    assert set(shown) == {name for name in read if not name.startswith("UNAUTHORIZED_")} | READ_AS_ATTRIBUTES
    assert shown == {name: defaults[name] for name in shown}


def _is_config(node: ast.expr) -> bool:
    return isinstance(node, ast.Attribute) and node.attr == "config"


def test_the_program_prints_the_message_that_the_page_shows(capsys):
    (program,) = blocks(PAGE, "python")
    (shown,) = blocks(PAGE, "text")
    exec(compile(program, "app.py", "exec"), {"__name__": "app"})
    assert capsys.readouterr().out.startswith(shown.strip().removesuffix("…"))

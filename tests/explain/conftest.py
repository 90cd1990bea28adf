"""How the tests call the command."""

import json

import pytest
from flask import Flask
from flask.cli import ScriptInfo

from flask_unauthorized.cli import commands


@pytest.fixture
def explain(tmp_path, monkeypatch):
    """Call the command for an app, or a function that makes one: the exit status, and both outputs together."""
    monkeypatch.chdir(tmp_path)

    def invoke(app, *arguments):
        make = app if callable(app) and not isinstance(app, Flask) else lambda: app
        runner = Flask("runner").test_cli_runner()
        done = runner.invoke(commands, ["explain", *arguments], obj=ScriptInfo(create_app=make))
        return done.exit_code, done.output

    return invoke


@pytest.fixture
def statuses(explain):
    """Explain a route, which must succeed: status by the name of the case."""

    def invoke(app, method, path):
        code, output = explain(app, "--json", method, path)
        assert code == 0, output
        return {case["name"]: case["status"] for case in json.loads(output)["cases"]}

    return invoke

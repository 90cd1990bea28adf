"""``flask unauthorized tokens``."""

import json
import subprocess
import sys

import pytest
from flask import Flask
from flask.cli import ScriptInfo
from sqlalchemy import create_engine

from flask_unauthorized import APIKey, Auth, Basic, Bearer
from flask_unauthorized.cli import commands
from flask_unauthorized.loaders.stored import StoredTokens
from tests.canaries import register


@pytest.fixture
def app(tokens):
    app = Flask("shop")
    Auth(Bearer(lambda token: None, tokens), APIKey(tokens), app=app)
    return app


@pytest.fixture
def run(app):
    def invoke(*arguments, app=app):
        done = app.test_cli_runner().invoke(commands, ["tokens", *arguments], obj=ScriptInfo(create_app=lambda: app))
        if done.stdout.startswith("notes_"):
            register(done.stdout.strip())
        return done.exit_code, done.stdout, done.stderr

    return invoke


def test_issue_prints_the_token_alone(run, tokens):
    code, out, err = run(
        "issue", "42", "--name", "CI", "--scope", "a", "--scope", "b", "--role", "r", "--lifetime", "90d"
    )
    assert code == 0
    assert tokens(out.removesuffix("\n")).scopes == {"a", "b"}
    (record,) = tokens.list("42")
    assert (record.name, record.roles, (record.expires_at - record.created_at).days) == ("CI", {"r"}, 90)
    assert out.strip() not in err
    assert f"notes_...{out[32:36]}" in err


def test_issue_as_json(run, tokens):
    code, out, err = run("issue", "42", "--name", "CI", "--scope", "a", "--json")
    answer = json.loads(out)
    register(answer["token"])
    assert (code, err, tokens(answer["token"]).subject) == (0, "", "42")
    assert answer["record"]["scopes"] == ["a"]
    assert answer["record"]["state"] == "valid"


def test_list_shows_no_token(run, tokens):
    issued = tokens.issue("42", name="CI", scopes={"a"})
    tokens.issue("43", name="other")
    tokens.revoke(tokens.issue("42", name="old").record.id, "42")
    code, out, _ = run("list", "42")
    assert code == 0
    assert out.split()[:3] == [str(issued.record.id), issued.record.hint, "valid"]
    assert len(out.splitlines()) == 1
    assert len(run("list", "42", "--all")[1].splitlines()) == 2
    assert [one["name"] for one in json.loads(run("list", "42", "--all", "--json")[1])] == ["old", "CI"]


def test_revoke(run, tokens):
    ids = [str(tokens.issue("42", name=name).record.id) for name in "abc"]
    assert run("revoke", "42", *ids[:2])[0] == 0
    code, _, err = run("revoke", "42", *ids[1:])
    assert (code, f"not valid before, or not of '42': {ids[1]}" in err) == (1, True)
    assert tokens.list("42") == []
    tokens.issue("42", name="d")
    assert run("revoke", "42", "--all")[0] == 0
    assert tokens.list("42") == []
    assert run("revoke", "42")[0] == run("revoke", "42", "--all", "1")[0] == 2


def test_revoke_of_another_owner(run, tokens):
    number = tokens.issue("42", name="CI").record.id
    assert run("revoke", "43", str(number))[0] == 1
    assert tokens.get(number, "42").state == "valid"


def test_rotate(run, tokens):
    old = tokens.issue("42", name="CI")
    code, out, _ = run("rotate", "42", str(old.record.id), "--overlap", "0", "--lifetime", "1h")
    assert (code, tokens(out.strip()).subject, tokens.get(old.record.id, "42").state) == (0, "42", "rotated")
    code, out, err = run("rotate", "42", str(old.record.id))
    assert (code, out, "already replaced" in err) == (1, "", True)
    assert run("rotate", "42", "999")[::2] == (1, "Error: token 999 is unknown\n")


def test_prune(run, tokens, clock):
    tokens.issue("42", name="CI", lifetime=60)
    clock.now += 86_400 * 31
    assert run("prune", "--ended-before", "1w")[::2] == (0, "Deleted: 1\n")


@pytest.mark.parametrize("span", ["", "90", "1y", "-1d", "1.5h", "d", "9999999999d"])
def test_spans(run, span):
    code, _, err = run("issue", "42", "--name", "CI", "--lifetime", span)
    assert (code, "is not a span of time" in err) == ((0, False) if span == "90" else (2, True))


def test_what_a_command_cannot_do_is_shown_without_a_traceback(run, tokens, engine):
    for arguments in (("issue", "42", "--name", ""), ("issue", "42", "--name", "CI", "--lifetime", "999d")):
        code, out, err = run(*arguments)
        assert (code, out) == (1, "")
        assert err.startswith("Error: ")
    tokens.table.drop(engine)
    code, _, err = run("list", "42")
    assert code == 1
    assert "run the migration" in err


def test_a_database_that_is_away(run, tmp_path):
    app = Flask("shop")
    Auth(Bearer(StoredTokens(create_engine(f"sqlite:///{tmp_path / 'no' / 't.db'}"), prefix="notes")), app=app)
    code, _, err = run("list", "42", app=app)
    assert code == 1
    assert "the database raised OperationalError" in err


def test_an_app_without_stored_tokens(run):
    app = Flask("shop")
    Auth(Basic(lambda name, password: None), app=app)
    code, _, err = run("list", "42", app=app)
    assert (code, "No scheme of this app has StoredTokens" in err) == (2, True)


def test_several_prefixes(run, tokens, engine):
    app = Flask("shop")
    robots = StoredTokens(engine, prefix="bots")
    Auth(Bearer(tokens, robots), app=app)
    code, _, err = run("list", "42", app=app)
    assert (code, "one of bots, notes" in err) == (2, True)
    code, out, _ = run("--prefix", "bots", "issue", "42", "--name", "CI", app=app)
    register(out.strip())
    assert (code, out.startswith("bots_")) == (0, True)


def test_other_commands_load_no_sqlalchemy():
    program = (
        "import sys\nfrom flask_unauthorized.cli import commands\n"
        "for one in (['--help'], ['check', '--help'], ['tokens', '--help']):\n"
        "    try:\n        commands.main(one, standalone_mode=False)\n    except SystemExit:\n        pass\n"
        "assert 'sqlalchemy' not in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "tokens" in done.stdout

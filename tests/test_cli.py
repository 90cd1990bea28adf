"""``flask unauthorized``."""

import json
import sys
import types
from importlib.metadata import entry_points

import pytest
from flask import Flask
from flask.cli import ScriptInfo

from flask_unauthorized import Auth, Basic, Bearer, Digest, SessionCookie
from flask_unauthorized.cli import commands
from flask_unauthorized.stores.memory import MemoryStore
from flask_unauthorized.stores.sqlite import SQLiteStore
from flask_unauthorized.throttle import Limit, Throttle
from tests.digest_client import hex_hash

TWICE = "correct horse\ncorrect horse\n"


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Run a command, with an app or without: its exit status and its output."""
    monkeypatch.chdir(tmp_path)

    def invoke(*arguments, app=None, sent=TWICE, command="digest-hashes"):
        info = ScriptInfo(create_app=None if app is None else lambda: app)
        runner = (app or Flask("nothing")).test_cli_runner()
        done = runner.invoke(commands, [command, *arguments], input=sent, obj=info)
        return done.exit_code, done.output

    return invoke


def last_line(result):
    code, output = result
    assert code == 0, output
    return json.loads(output.strip().splitlines()[-1])


def hashes(realm, *algorithms):
    return {algorithm: hex_hash(algorithm, f"ada:{realm}:correct horse") for algorithm in algorithms}


def test_flask_finds_the_commands():
    (found,) = [point for point in entry_points(group="flask.commands") if point.name == "unauthorized"]
    assert found.load() is commands


def test_hashes_for_a_realm_without_any_app(run):
    assert last_line(run("ada", "--realm", "shop")) == hashes("shop", "SHA-256")
    result = run("ada", "--realm", "shop", "--algorithm", "MD5", "--algorithm", "SHA-512-256")
    assert last_line(result) == hashes("shop", "MD5", "SHA-512-256")
    assert "correct horse" not in result[1]


@pytest.mark.parametrize("realm", [None, "office"])
def test_hashes_for_the_digest_of_the_app(run, realm):
    app = Flask("shop")
    app.config["SECRET_KEY"] = "a secret"
    Auth(Digest(lambda name: None, realm=realm, algorithms=["SHA-256-sess", "MD5"]), app=app)
    assert last_line(run("ada", app=app)) == hashes(realm or "shop", "SHA-256", "MD5")
    assert last_line(run("ada", "--algorithm", "SHA-256", app=app)) == hashes(realm or "shop", "SHA-256")


@pytest.mark.parametrize(
    "schemes",
    [
        [lambda: Bearer(lambda token: None)],
        [lambda: Digest(lambda name: None, realm="a"), lambda: Digest(lambda name: None, realm="b")],
    ],
    ids=["none", "two realms"],
)
def test_the_realm_must_be_clear(run, schemes):
    app = Flask("shop")
    app.config["SECRET_KEY"] = "a secret"
    Auth(*(make() for make in schemes), app=app)
    code, output = run("ada", app=app)
    assert (code, "give --realm" in output) == (2, True)


def test_a_given_realm_needs_no_digest_in_the_app(run):
    app = Flask("shop")
    Auth(Bearer(lambda token: None), app=app)
    assert last_line(run("ada", "--realm", "office", app=app)) == hashes("office", "SHA-256")


def test_no_app_and_no_realm(run):
    code, output = run("ada")
    assert (code, "Give --realm" in output) == (2, True)


def test_two_passwords_that_differ_are_asked_again(run):
    result = run("ada", "--realm", "shop", sent="one\ntwo\n" + TWICE)
    assert last_line(result) == hashes("shop", "SHA-256")


@pytest.mark.parametrize("command", ["check", "digest-hashes", "resource-metadata"])
@pytest.mark.parametrize("mistake", ["no Auth", "wrong setting"])
def test_a_mistake_in_the_configuration_is_shown_without_a_traceback(run, command, mistake):
    app = Flask("shop")
    if mistake == "wrong setting":
        Auth(Bearer(lambda token: None), app=app)
        app.config["UNAUTHORIZED_GUARD"] = "loose"
    message = {"no Auth": "no Auth serves the app 'shop'", "wrong setting": "UNAUTHORIZED_GUARD='loose'"}[mistake]
    code, output = run(*(["ada"] if command == "digest-hashes" else []), app=app, command=command)
    assert (code, output.startswith(f"Error: {message}")) == (1, True)


# --- end-sessions


def shop_of(store):
    """An app, as each process builds it."""
    app = Flask("shop")
    app.config.update(SECRET_KEY="k" * 32, TESTING=True)
    auth = Auth(SessionCookie(lambda name: name, store=store), realm="shop")
    auth.init_app(app)
    app.add_url_rule("/login/<name>", "login", lambda name: auth.login(name).subject, methods=["POST"])
    app.add_url_rule("/page", "page", auth.login_required(lambda: auth.identity.subject))
    return app


@pytest.mark.parametrize(
    ("arguments", "whose", "left"),
    [
        (["ada"], "the user 'ada'", [401, 200]),
        (["--all"], "all users", [401, 401]),
        (["--", "--all"], "the user '--all'", [200, 200]),
    ],
)
def test_sessions_are_ended_from_another_process(run, tmp_path, arguments, whose, left):
    store, other = SQLiteStore(tmp_path / "sessions.db"), SQLiteStore(tmp_path / "sessions.db")
    app = shop_of(store)
    devices = {name: app.test_client() for name in ("ada", "bob")}
    for name, device in devices.items():
        device.post(f"/login/{name}")
    code, output = run(*arguments, app=shop_of(other), sent=None, command="end-sessions")
    assert (code, output) == (0, f"All sessions of {whose} in the realm 'shop' have ended.\n")
    assert [device.get("/page").status_code for device in devices.values()] == left
    assert devices["ada"].post("/login/ada").status_code == 200
    assert devices["ada"].get("/page").text == "ada"
    store.close()
    other.close()


@pytest.mark.parametrize("arguments", [[], ["ada", "--all"], ["ada", "bob"], [""]])
def test_one_user_or_all_and_not_both(run, arguments, tmp_path):
    app = shop_of(SQLiteStore(tmp_path / "sessions.db"))
    code, output = run(*arguments, app=app, command="end-sessions")
    assert code == 2
    assert "Usage:" in output


@pytest.mark.parametrize(
    ("store", "said"), [(None, "needs a store"), (MemoryStore(), "The sessions are in a MemoryStore")]
)
@pytest.mark.parametrize("argument", ["ada", "--all"])
def test_sessions_that_a_command_cannot_end(run, store, said, argument):
    code, output = run(argument, app=shop_of(store), command="end-sessions")
    assert code == 1
    assert said in output


def test_a_store_that_is_down_is_said_without_a_traceback(run, tmp_path):
    app = shop_of(SQLiteStore(tmp_path))  # a folder
    code, output = run("--all", app=app, command="end-sessions")
    assert code == 1
    assert output.startswith("Error: SQLiteStore: its back end raised ")


def test_an_app_without_sessions_has_none_to_end(run):
    app = Flask("shop")
    Auth(Bearer(lambda token: None), app=app)
    code, output = run("--all", app=app, command="end-sessions")
    assert code == 1
    assert "SessionCookie" in output


# --- enable


def throttled(store, disable_after=2, in_form=False):
    """An app whose throttle disables subjects, as each process builds it."""
    throttle = Throttle(store, disable_after=disable_after, per_pair=Limit(50, 60))
    app = Flask("shop")
    app.config.update(SECRET_KEY="k" * 32, TESTING=True)
    load = lambda name, password: password == "right horse"  # noqa: E731
    auth = Auth(Basic(load, throttle=None if in_form else throttle), realm="shop", app=app)
    app.add_url_rule("/", "view", auth.login_required(lambda: auth.identity.subject))
    return app, throttle


def status(app, password, name="ada"):
    return app.test_client().get("/", auth=(name, password)).status_code


def test_a_subject_is_enabled_from_another_process(run, tmp_path):
    stores = [SQLiteStore(tmp_path / "throttle.db") for _ in range(2)]
    (app, _), (other, _) = map(throttled, stores)
    for name in ("ada", "bob"):
        assert [status(app, guess, name) for guess in ("one", "two", "right horse")] == [401, 401, 429]
    assert run("ADA", app=other, sent=None, command="enable") == (0, "'ADA' can log in again.\n")
    assert [status(app, "right horse", name) for name in ("ada", "bob")] == [200, 429]
    code, output = run("ada", app=other, sent=None, command="enable")
    assert (code, output) == (1, "Error: 'ada' was not disabled. Failures that were counted are forgotten.\n")
    for store in stores:
        store.close()


@pytest.mark.parametrize("path", ["forms:throttle", "forms.throttle"])
def test_the_throttle_of_a_login_form_is_named(run, tmp_path, monkeypatch, path):
    store = SQLiteStore(tmp_path / "throttle.db")
    app, throttle = throttled(store, disable_after=1, in_form=True)
    monkeypatch.setitem(sys.modules, "forms", types.SimpleNamespace(throttle=throttle))
    with app.test_request_context("/"), throttle.attempt("ada"):
        pass
    assert run("ada", "--throttle", path, app=app, sent=None, command="enable")[0] == 0
    assert throttle.enable("ada") is False
    store.close()


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ([], 2, "Missing argument 'NAME'"),
        ([""], 2, "NAME is empty"),
        (["ada"], 2, "No scheme of this app has a Throttle with disable_after="),
        (["ada", "--throttle", "no_such_module:throttle"], 2, "'no_such_module:throttle' can't be imported"),
        (["ada", "--throttle", "json:throttle"], 2, "'json:throttle' can't be imported"),
        (["ada", "--throttle", "json:dumps"], 2, "'json:dumps' is a function, not a Throttle"),
        (["ada", "--throttle", "forms:throttle"], 1, "give disable_after="),
    ],
)
def test_mistakes_of_enable_are_explained(run, tmp_path, monkeypatch, arguments, code, said):
    app, throttle = throttled(SQLiteStore(tmp_path / "throttle.db"), disable_after=None)
    monkeypatch.setitem(sys.modules, "forms", types.SimpleNamespace(throttle=throttle))
    found, output = run(*arguments, app=app, sent=None, command="enable")
    assert found == code
    assert said in " ".join(output.replace("│", " ").split())


def test_counters_that_a_command_cannot_reach(run):
    app, _ = throttled(MemoryStore())
    code, output = run("ada", app=app, sent=None, command="enable")
    assert (code, "The counters are in a MemoryStore" in output) == (1, True)


def test_enable_says_that_a_store_is_down(run, tmp_path):
    app, _ = throttled(SQLiteStore(tmp_path))  # a folder
    code, output = run("ada", app=app, sent=None, command="enable")
    assert code == 1
    assert output.startswith("Error: SQLiteStore: its back end raised ")

"""``flask unauthorized audit``: options, exit status, outputs, and that nothing of the app is called."""

import importlib
import json
import socket
import subprocess
from pathlib import Path

import pytest
from flask import Flask
from flask.cli import ScriptInfo
from flask.views import MethodView

from flask_unauthorized import Auth, Basic, Bearer, DPoP, SessionCookie
from flask_unauthorized.audit.lock_file import HEAD
from flask_unauthorized.cli import commands
from flask_unauthorized.loaders.introspection import Introspection
from flask_unauthorized.loaders.jwt import JWT
from flask_unauthorized.stores.memory import MemoryStore
from flask_unauthorized.throttle import Throttle


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Audit an app: the exit status and the output."""
    monkeypatch.chdir(tmp_path)

    def invoke(app, *arguments):
        make = app if callable(app) and not isinstance(app, Flask) else lambda: app
        done = (
            Flask("runner").test_cli_runner().invoke(commands, ["audit", *arguments], obj=ScriptInfo(create_app=make))
        )
        return done.exit_code, done.output

    return invoke


def make_site(**routes):
    """Return an app whose views have the given guards: functions of the `Auth`, or ``None``."""
    app = Flask("shop", static_folder=None)
    auth = Auth(Bearer({}.get), app=app)
    for name, guard in routes.items():
        app.add_url_rule(f"/{name}", name, guard(auth)(lambda: "in") if guard else lambda: "in")
    return app


LINE = make_site.__code__.co_firstlineno + 5
PLACE = f"{Path(__file__).as_posix()}:{LINE}"


def guarded(auth):
    return auth.login_required


def admins(auth):
    return auth.login_required(roles={"admin"})


def health_check(auth):
    return auth.public(reason="a health check")


# --- exit status


def test_no_finding_is_0(run):
    code, output = run(make_site(notes=guarded, health=health_check))
    assert code == 0
    rows = [line.split() for line in output.splitlines()]
    assert rows == [
        ["RULE", "METHODS", "WHO", "SCHEMES", "WHERE", "NOTE"],
        ["/health", "GET", "public", "-", PLACE, "a", "health", "check"],
        ["/notes", "GET", "authenticated", "Bearer", PLACE],
        [],
        ["2", "routes:", "1", "guarded,", "1", "public.", "0", "findings."],
    ]


def test_an_open_route_is_1(run):
    code, output = run(make_site(notes=None))
    assert code == 1
    assert "A1 error  GET /notes: callers need no credentials here" in output
    assert "1 finding (A1)." in output


def test_a_decorator_above_the_route_is_1_and_the_reason_is_told(run):
    app = Flask("shop", static_folder=None)
    auth = Auth(Bearer({}.get), app=app)

    @auth.login_required
    @app.get("/notes")
    def notes():
        return "in"

    code, output = run(app)
    assert code == 1
    assert "OPEN" in output
    assert "decorated with @auth.login_required, but above the route" in output


def test_a_method_without_guard_is_1(run):
    app = Flask("shop", static_folder=None)
    auth = Auth(Bearer({}.get), app=app)

    class Notes(MethodView):
        @auth.login_required
        def get(self):
            return "in"

        def delete(self):
            return "in"

    app.add_url_rule("/notes", view_func=Notes.as_view("notes"))
    code, output = run(app)
    assert code == 1
    assert "A3 error  DELETE /notes" in output


def test_a_removed_protect_is_1(run):
    def site(*, protects):
        app = Flask("shop", static_folder=None)
        auth = Auth(Bearer({}.get), app=app)
        app.add_url_rule("/notes", "notes", lambda: "in")
        if protects:
            auth.protect(app)
        return app

    assert run(site(protects=True))[0] == 0
    assert run(site(protects=True), "--freeze")[0] == 0
    assert run(site(protects=False))[0] == 1
    code, output = run(site(protects=False), "--diff", "--fail-on", "loosened")
    assert code == 1
    assert "loosened: GET HEAD /notes: authenticated via Bearer -> OPEN" in output


def broken():
    raise RuntimeError("no database")


def without_auth():
    return Flask("bare")


def with_a_lost_name():
    app = Flask("shop", static_folder=None)
    auth = Auth(Bearer({}.get), app=app)
    auth.protect(app, public={"helth"})
    app.add_url_rule("/health", "health", lambda: "in")
    return app


def with_an_unknown_setting():
    app = make_site(notes=guarded)
    app.config["UNAUTHORIZED_REALMS"] = "x"
    return app


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (broken, "the app can't be loaded: RuntimeError: no database"),
        (without_auth, "Error: "),
        (with_a_lost_name, "protect(public=...) names 'helth'"),
        (with_an_unknown_setting, "UNAUTHORIZED_REALMS is not a setting"),
    ],
)
def test_an_app_that_can_not_be_loaded_or_set_up_is_2(run, make, message):
    code, output = run(make)
    assert code == 2
    assert message in output
    assert run(make, "--freeze")[0] == 2
    assert not Path("unauthorized.lock").exists()


@pytest.mark.parametrize("form", ["--json", "--markdown", "--sarif"])
def test_a_mistake_in_the_set_up_is_also_told_beside_the_report(form):
    app = with_a_lost_name()
    done = app.test_cli_runner().invoke(commands, ["audit", form], obj=ScriptInfo(create_app=lambda: app))
    assert done.exit_code == 2
    assert "The set-up has a mistake: " in done.stderr
    assert "names 'helth'" in done.stderr
    assert done.stdout.strip()
    if form != "--markdown":
        json.loads(done.stdout)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--freeze", "--diff"], "--freeze and --diff exclude each other"),
        (["--freeze", "--openapi", "x.json"], "--freeze and --openapi exclude each other"),
        (["--asvs", "--openapi", "x.json"], "--openapi and --asvs exclude each other"),
        (["--asvs", "--freeze"], "--freeze and --asvs exclude each other"),
        (["--asvs", "--diff"], "--diff and --asvs exclude each other"),
        (["--fail-on", "ajar"], "'ajar' is none of open"),
        (["--fail-on", "loosened"], "needs --diff"),
        (["--diff"], "can't be read (No such file or directory): write it with --freeze"),
        (["--diff", "git:nowhere"], "git"),
        (["--diff", "git:--output=x"], "write git: and a revision"),
        (["--freeze", "missing/a.lock"], "can't be written"),
        (["--asvs", "--sarif"], "--asvs prints"),
        (["--nonsense"], "No such option"),
    ],
)
def test_mistakes_in_options_are_2(run, arguments, message):
    code, output = run(make_site(notes=guarded), *arguments)
    assert (code, message in output) == (2, True), output


def test_what_fails_can_be_chosen(run):
    app = Flask("shop", static_folder=None)
    auth = Auth(Basic(lambda name, password: None), app=app)
    app.add_url_rule("/notes", "notes", auth.login_required(lambda: "in"))
    app.add_url_rule("/new", "new", lambda: "in")
    assert run(app)[0] == 1
    assert run(app, "--fail-on", "")[0] == 0
    assert run(app, "--fail-on", "unknown,asymmetric")[0] == 0
    assert run(app, "--fail-on", "A7")[0] == 1
    assert run(app, "--only", "/not*")[0] == 0


def test_a_public_method_beside_a_guarded_one_does_not_fail(run):
    app = Flask("shop", static_folder=None)
    auth = Auth(Bearer({}.get), app=app)
    app.add_url_rule("/notes", "notes", auth.login_required(lambda: "in"))
    app.add_url_rule("/notes", "new", auth.public(reason="a form")(lambda: "in"), methods=["POST"])
    assert run(app)[0] == 0
    assert run(app, "--fail-on", "A3")[0] == 1


# --- the lock file


def test_freeze_then_diff(run):
    assert run(make_site(notes=admins, old=guarded), "--freeze") == (
        0, "Wrote unauthorized.lock with 2 rules. Commit it, and compare with --diff.\n",
    )  # fmt: skip
    code, output = run(make_site(notes=admins, old=guarded), "--diff")
    assert (code, "No change since the lock file." in output) == (0, True)
    code, output = run(make_site(notes=guarded, new=health_check), "--diff")
    assert code == 1
    changes = [line for line in output.splitlines() if " -> " in line]
    assert changes == [
        "added-open: GET HEAD /new: no route -> public",
        "loosened: GET HEAD /notes: roles admin via Bearer -> authenticated via Bearer",
        "removed: GET HEAD /old: authenticated via Bearer -> no route",
    ]
    assert run(make_site(notes=admins, new=guarded), "--diff")[0] == 0


def test_diff_with_a_revision(run):
    def git(*arguments):
        who = ("-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "commit.gpgsign=false")
        subprocess.run(["git", *who, *arguments], check=True, capture_output=True)

    git("init", "-q")
    run(make_site(notes=admins), "--freeze")
    git("add", ".")
    git("commit", "-qm", "lock")
    git("tag", "reviewed")
    run(make_site(notes=guarded), "--freeze")
    assert run(make_site(notes=guarded), "--diff")[0] == 0
    code, output = run(make_site(notes=guarded), "--diff", "git:reviewed")
    assert (code, "loosened: GET HEAD /notes" in output) == (1, True)
    code, output = run(make_site(notes=guarded), "--diff", "git:nowhere")
    assert (code, "git:nowhere: git show failed: fatal" in output) == (2, True)


def test_the_lock_file_of_a_revision_is_the_one_of_the_current_folder(run, monkeypatch):
    subprocess.run(["git", "init", "-q"], check=True)
    for folder, guard in (("shop", admins), ("blog", guarded)):
        Path(folder).mkdir()
        run(make_site(notes=guard), "--freeze", f"{folder}/unauthorized.lock")
    subprocess.run(["git", "add", "."], check=True)
    who = ("-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "commit.gpgsign=false")
    subprocess.run(["git", *who, "commit", "-qm", "locks"], check=True)
    monkeypatch.chdir("shop")
    assert run(make_site(notes=admins), "--diff", "git:HEAD")[0] == 0
    assert run(make_site(notes=guarded), "--diff", "git:HEAD")[0] == 1


def test_only_the_changes_of_matching_rules_count(run):
    run(make_site(notes=admins, other=admins), "--freeze")
    code, output = run(make_site(notes=guarded, other=admins), "--diff", "--only", "/notes")
    assert (code, "loosened: GET HEAD /notes" in output) == (1, True)
    code, output = run(make_site(notes=guarded, other=admins), "--diff", "--only", "/other")
    assert (code, "No change since the lock file." in output) == (0, True)


def test_a_damaged_lock_file_is_2(run):
    run(make_site(notes=guarded), "--freeze")
    with open("unauthorized.lock", "a", encoding="utf-8") as file:
        file.write("<<<<<<< HEAD\n")
    code, output = run(make_site(notes=guarded), "--diff")
    assert (code, "unauthorized.lock: line 6" in output) == (2, True), output


# --- outputs


def mixed():
    app = make_site(notes=admins, open=None, health=health_check)
    app.config["SECRET_KEY"] = "a secret"
    return app


def test_json(run):
    code, output = run(mixed(), "--json", "--root", str(Path(__file__).parent))
    document = json.loads(output)
    assert code == 1
    assert list(document) == ["version", "app", "routes", "findings"]
    assert (document["version"], document["app"]) == (1, "shop")
    (notes,) = [route for route in document["routes"] if route["rule"] == "/notes"]
    assert notes == {
        "rule": "/notes", "methods": ["GET", "HEAD"], "endpoint": "notes", "host": None, "subdomain": None,
        "kind": "view", "state": "guarded", "scopes": [], "roles": [["admin"]], "amr": [], "acr": [], "max_age": None,
        "authorization_details": [], "unless": [],
        "schemes": [{"name": "Bearer", "realm": None, "reads": [["authorization", "bearer"]]}],
        "levels": ["@auth.login_required(roles=['admin'])"],
        "view": "tests.audit.test_commands:make_site.<locals>.<lambda>",
        "file": "test_commands.py", "line": LINE, "because": None,
    }  # fmt: skip
    (finding,) = document["findings"]
    assert finding.pop("message").startswith("callers need no credentials here")
    assert finding == {
        "id": "A1", "level": "error", "about": "GET /open", "rule": "/open", "methods": ["GET", "HEAD"],
        "file": "test_commands.py", "line": LINE,
    }  # fmt: skip


def test_json_with_changes(run):
    run(make_site(notes=admins), "--freeze")
    _, output = run(make_site(notes=guarded), "--json", "--diff")
    (change,) = json.loads(output)["changes"]
    assert (change["label"], change["rule"], change["methods"], change["may_loosen"]) == (
        "loosened", "/notes", ["GET", "HEAD"], True,
    )  # fmt: skip


def test_json_names_the_realm_of_a_scheme_or_of_the_auth(run):
    app = Flask("shop", static_folder=None)
    auth = Auth(Bearer({}.get), Basic({}.get, realm="office"), realm="notes", app=app)
    app.add_url_rule("/notes", "notes", auth.login_required(lambda: "in"))
    (route,) = json.loads(run(app, "--json")[1])["routes"]
    assert [(one["name"], one["realm"]) for one in route["schemes"]] == [("Bearer", "notes"), ("Basic", "office")]


def test_markdown_escapes_what_would_be_markup(run):
    app = make_site(open=None)
    app.add_url_rule("/a/<path:b>|c", "b", lambda: "in")
    code, output = run(app, "--markdown")
    assert code == 1
    assert r"| /a/\<path:b\>\|c | GET | OPEN |" in output
    assert "## Findings" in output
    app = make_site(open=None)
    app.config["UNAUTHORIZED_<b>"] = "a"
    assert r"UNAUTHORIZED\_\<b\> is not a setting" in run(app, "--markdown")[1].partition("## Mistake")[2]


def sarif(run, app, *arguments):
    code, output = run(app, "--sarif", "--root", str(Path(__file__).parent), *arguments)
    assert code == 1
    return json.loads(output)


def test_sarif_names_each_finding_with_a_place_and_a_stable_fingerprint(run):
    document = sarif(run, mixed())
    assert document["version"] == "2.1.0"
    (found,) = document["runs"]
    rules = [rule["id"] for rule in found["tool"]["driver"]["rules"]]
    (result,) = found["results"]
    assert result["ruleId"] in rules
    assert result["level"] == "error"
    (location,) = result["locations"]
    assert location["physicalLocation"]["artifactLocation"]["uri"] == "test_commands.py"
    # The same route in other lines and beside other routes is the same alert.
    moved = Flask("shop", static_folder=None)
    Auth(Bearer({}.get), app=moved)
    moved.add_url_rule("/open", "open", lambda: "in")
    (other,) = sarif(run, moved)["runs"][0]["results"]
    assert other["locations"] != result["locations"]
    assert other["partialFingerprints"] == result["partialFingerprints"]


def test_a_file_in_sarif_is_a_uri(run, tmp_path):
    """Source: SARIF 2.1.0 §3.4.3, RFC 3986 §2.1."""
    folder = tmp_path / "my shop #1"
    folder.mkdir()
    scope = {}
    exec(compile("def view():\n    return 'in'\n", str(folder / "views.py"), "exec"), scope)
    app = Flask("shop", static_folder=None)
    Auth(Bearer({}.get), app=app)
    app.add_url_rule("/open", "open", scope["view"])
    for root, uri in ((tmp_path, "my%20shop%20%231/views.py"), (folder, "views.py")):
        document = json.loads(run(app, "--sarif", "--root", str(root))[1])
        (result,) = document["runs"][0]["results"]
        assert result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == uri


@pytest.mark.parametrize("folder", ["site-packages", "dist-packages"])
def test_a_view_of_an_installed_package_has_the_path_in_its_package(run, folder):
    scope = {}
    exec(compile("def view():\n    return 'in'\n", f"/usr/lib/python3/{folder}/flask_admin/base.py", "exec"), scope)
    app = Flask("shop", static_folder=None)
    Auth(Bearer({}.get), app=app)
    app.add_url_rule("/open", "open", scope["view"])
    assert " flask_admin/base.py:1 " in run(app)[1]


def test_sarif_has_what_was_loosened(run):
    run(make_site(notes=admins, gone=guarded), "--freeze")
    (found,) = sarif(run, make_site(notes=guarded), "--diff")["runs"]
    assert [result["ruleId"] for result in found["results"]] == ["loosened"]


# --- characters that a terminal or Markdown would obey

ODD = "a\x1b[2J\x07|b\n## c <img> &lt; ~~d~~ \u202e\u2028"


@pytest.mark.parametrize("arguments", [[], ["--markdown"], ["--json"], ["--sarif"], ["--reasons", "--markdown"]])
def test_no_report_has_control_characters(run, arguments):
    app = Flask("shop", static_folder=None)
    auth = Auth(Bearer({}.get), app=app)
    app.add_url_rule(f"/{ODD}", "v", lambda: "in")
    app.add_url_rule("/why", "why", auth.public(reason=ODD)(lambda: "in"))
    app.add_url_rule("/role", "role", auth.login_required(roles={"new"})(lambda: "in"))
    guarded_by = f"GET HEAD /role\n  guarded\n  role {json.dumps(ODD)}\n  via Bearer\n"
    Path("old.lock").write_text(f"{HEAD}\n\n{guarded_by}", encoding="ascii")
    code, output = run(app, "--diff", "old.lock", *arguments)
    assert code == 1, output
    assert all(character == "\n" or character.isprintable() for character in output)
    assert "roles a" in output
    if "--markdown" in arguments:
        assert r"\|b ## c \<img\> \&lt; \~\~d\~\~" in output
        assert "\n## c" not in output


# --- nothing is called


class DeadStore(MemoryStore):
    """A store that can't be used."""

    shared = True

    def _fail(self, *arguments, **options):
        raise AssertionError("a store was used")

    _claim = _get = _increment = _put = _spend = _fail


def refuse(*_):
    raise AssertionError("a loader was called")


@pytest.mark.parametrize(
    "arguments", [[], ["--json"], ["--sarif"], ["--markdown"], ["--asvs"], ["--reasons"], ["--freeze"]]
)
def test_no_loader_store_or_network_is_used(run, monkeypatch, arguments):
    def no_network(*_, **__):
        raise AssertionError("the network was used")

    monkeypatch.setattr(socket, "create_connection", no_network)
    monkeypatch.setattr(socket.socket, "connect", no_network)
    monkeypatch.setattr(socket, "getaddrinfo", no_network)
    app = Flask("shop")
    app.config["SECRET_KEY"] = "a secret of thirty-two characters"
    store = DeadStore(single_process=True)
    jwt = JWT("https://login.example.com", audience="shop", user=refuse, revoked=refuse)
    server = Introspection(
        "https://login.example.com/introspect", client_id="a", client_secret="b" * 32, audience="shop"
    )
    auth = Auth(
        SessionCookie(refuse, store=store), Basic(refuse, throttle=Throttle(store)), Bearer(jwt, server),
        DPoP(refuse, origin="https://shop.example", store=store), app=app,
    )  # fmt: skip
    app.add_url_rule("/notes", "notes", auth.login_required(max_age=5, unless=refuse)(refuse))
    code, output = run(app, *arguments)
    assert code == 0, output


# --- real apps


@pytest.mark.parametrize(
    ("name", "expected"),
    [("browser_login", 0), ("factory", 0), ("step_up", 0), ("quickstart", 1)],
)
def test_the_examples(run, name, expected):
    module = importlib.import_module(f"examples.{name}")
    code, output = run(getattr(module, "app", None) or module.create_app)
    assert code == expected, output
    # The start page of the shortest example is open, and says so nowhere.
    assert ("A1 error  GET /:" in output) is bool(expected)

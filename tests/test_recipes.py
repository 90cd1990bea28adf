"""The programs of docs/guides/recipes.md do what the page says, but for those that need other extensions."""

import gc
import logging
import os
import re
import sqlite3
import subprocess
import sys
import time
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from flask import Blueprint, Flask, abort, flash, get_flashed_messages, redirect

from flask_unauthorized import Auth, AuthError, Bearer, Identity, SessionCookie, Unauthorized
from flask_unauthorized.authentication import authorization
from flask_unauthorized.signals import logged_in
from flask_unauthorized.testing import assert_sound
from tests.helpers import SECRET_KEY, bearer_header, challenge_lines

PAGE = (Path(__file__).parents[1] / "docs" / "guides" / "recipes.md").read_text(encoding="utf-8")
ADA, BOB, EVE = (bearer_header(f"demo-token-of-{name}-0123456789") for name in ("ada", "bob", "eve"))
NOTHING_SENT = 'Bearer realm="notes"'
BROWSER = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Site": "none", "Accept": "text/html,application/xhtml+xml"}
HTTPS = "https://localhost"


def program(heading):
    """Return the program of a recipe."""
    section = PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    return re.search(r"```python\n(.*?)```", section, re.DOTALL)[1]


def run(heading, *changes):
    """Run the program of a recipe, as ``app.py`` that Flask imports, and return its names. Change it before."""
    text = program(heading)
    for old, new in changes:
        assert text.count(old) == 1
        text = text.replace(old, new)
    scope = {"__name__": "app"}
    exec(compile(text, "app.py", "exec"), scope)
    assert isinstance(scope["app"], Flask)
    return scope


def test_the_table_names_every_recipe():
    headings = re.findall(r"^## (.*)$", PAGE, re.MULTILINE)
    named = re.findall(r"\[([^]]*)\]\(#", PAGE.partition("\n## ")[0])
    assert named == headings


@pytest.mark.parametrize(
    ("method", "sent", "status", "body"),
    [
        ("GET", ADA, 200, {"notes": ["call Grace"]}),
        ("GET", BOB, 200, {"notes": ["call Grace"]}),
        ("GET", EVE, 403, {"error": "Forbidden", "message": "You are not allowed to access this resource."}),
        ("POST", ADA, 201, {"added by": "ada"}),
        ("POST", BOB, 403, {"error": "Forbidden", "message": "You need the permission to edit."}),
        ("POST", EVE, 403, {"error": "Forbidden", "message": "You need the permission to edit."}),
    ],
)
def test_roles_and_permissions(method, sent, status, body):
    answer = run("Roles and permissions")["app"].test_client().open("/notes", method=method, headers=sent)
    assert (answer.status_code, answer.json) == (status, body)
    assert_sound(answer)


def test_roles_and_permissions_without_a_token():
    answer = run("Roles and permissions")["app"].test_client().post("/notes")
    assert (answer.status_code, challenge_lines(answer)) == (401, [NOTHING_SENT])


def test_the_permission_refuses_where_the_guard_was_forgotten():
    scope = run("Roles and permissions")
    scope["app"].add_url_rule("/bare", view_func=scope["permission"]("edit")(lambda: "ran"))
    client = scope["app"].test_client()
    statuses = [client.get("/bare", headers=sent).status_code for sent in ({}, BOB, ADA)]
    assert statuses == [401, 403, 200]


def test_the_permission_of_async_views():
    pytest.importorskip("asgiref")
    scope = run(
        "Roles and permissions",
        ("from flask import Flask", "from flask import Flask, current_app"),
        ("return view(*args, **kwargs)", "return current_app.ensure_sync(view)(*args, **kwargs)"),
        ("def add()", "async def add()"),
    )
    client = scope["app"].test_client()
    assert client.post("/notes", headers=ADA).json == {"added by": "ada"}
    assert client.post("/notes", headers=BOB).status_code == 403


@pytest.mark.parametrize(
    ("method", "number", "sent", "status"),
    [
        ("GET", 1, ADA, 200), ("GET", 1, BOB, 200), ("GET", 1, {}, 401), ("GET", 2, ADA, 200), ("GET", 2, BOB, 404),
        ("GET", 2, {}, 401), ("GET", 3, BOB, 404), ("GET", 3, {}, 401), ("DELETE", 1, BOB, 403),
        ("DELETE", 1, ADA, 204), ("DELETE", 2, BOB, 404), ("DELETE", 2, {}, 401),
    ],
)  # fmt: skip
def test_owners_of_objects(method, number, sent, status):
    scope = run("Owners of objects")
    answer = scope["app"].test_client().open(f"/notes/{number}", method=method, headers=sent)
    assert answer.status_code == status
    assert (number in scope["NOTES"]) is (number < 3 and status != 204)
    if status == 403:
        assert answer.json == {"error": "Forbidden", "message": "Only its owner may change this note."}


def test_a_hidden_object_looks_like_one_that_does_not_exist():
    client = run("Owners of objects")["app"].test_client()
    hidden, missing = (client.get(f"/notes/{number}", headers=BOB) for number in (2, 3))
    assert (hidden.data, list(hidden.headers)) == (missing.data, list(missing.headers))


def test_one_permission_includes_another():
    scope = run("One permission includes another")
    client = scope["app"].test_client()
    assert [client.get("/notes", headers=sent).status_code for sent in (ADA, BOB)] == [200, 200]
    assert client.delete("/notes", headers=ADA).status_code == 204
    refused = client.delete("/notes", headers=BOB)
    assert refused.status_code == 403
    [line] = challenge_lines(refused)
    assert line.startswith('Bearer realm="notes", scope="admin", error="insufficient_scope", error_description="')


def test_granted_scopes_are_not_the_implied_ones():
    scope = run("One permission includes another")
    auth = scope["auth"]

    def view():
        auth.require(scopes={"read"})
        return {"granted": sorted(auth.identity.scopes)}

    scope["app"].add_url_rule("/trap", view_func=view)
    assert scope["app"].test_client().get("/trap", headers=ADA).json == {"granted": ["admin"]}


def test_one_body_for_a_media_type():
    client = run("One body for a media type")["app"].test_client()
    invalid = client.get("/notes", headers=bearer_header("nonsense"))
    description = 'error="invalid_token", error_description="The credentials are not valid."'
    assert (invalid.status_code, invalid.json) == (401, {"msg": "The credentials are not valid."})
    assert challenge_lines(invalid) == [f"{NOTHING_SENT}, {description}"]
    assert (invalid.content_type, invalid.headers["Cache-Control"]) == ("application/json", "no-store")
    for path in ("/notes", "/old"):
        missing = client.get(path)
        assert (missing.status_code, list(missing.json), challenge_lines(missing)) == (401, ["msg"], [NOTHING_SENT])
    malformed = client.get("/notes", headers={"Authorization": "Bearer a b"})
    assert (malformed.status_code, list(malformed.json)) == (400, ["msg"])
    assert client.get("/notes", headers={"Accept": "text/plain"}).content_type.startswith("text/plain")
    assert client.get("/notes", headers={"Accept": "text/html"}).content_type.startswith("text/html")


BASIC = 'Basic realm="notes", charset="UTF-8"'


@pytest.mark.parametrize(
    ("sent", "message", "error"),
    [
        ({}, "Missing Authorization Header", ""),
        (bearer_header("nonsense"), "Invalid token", "The credentials are not valid."),
        (bearer_header("token-of-last-year"), "Token has expired", "The credentials have expired."),
        ({"Authorization": "Basic YWRhOndyb25n"}, "Invalid name or password", ""),
    ],
)
def test_bodies_per_error_and_scheme(sent, message, error):
    answer = run("Bodies per blueprint, error and scheme")["app"].test_client().get("/api/notes", headers=sent)
    bearer = NOTHING_SENT + (f', error="invalid_token", error_description="{error}"' if error else "")
    assert (answer.status_code, answer.json, answer.content_type) == (401, {"msg": message}, "application/json")
    assert challenge_lines(answer) == [BASIC, bearer]
    assert answer.headers["Cache-Control"] == "no-store"
    assert_sound(answer)


def test_bodies_per_blueprint():
    client = run("Bodies per blueprint, error and scheme")["app"].test_client()
    page = client.get("/")
    assert page.text == "<h1>Please log in</h1><p>This page takes: Basic</p>"
    assert (page.status_code, challenge_lines(page)) == (401, [BASIC])
    assert page.content_type == "text/html; charset=utf-8"
    forbidden = client.delete("/api/notes", headers=ADA)
    assert (forbidden.status_code, forbidden.json) == (403, {"msg": "You are not allowed to access this resource."})
    assert client.get("/api/notes", headers=ADA).json == {"notes of": "ada"}


def test_an_abort_with_401_has_the_body_of_the_extension_beside_these_handlers():
    scope = run("Bodies per blueprint, error and scheme")
    scope["app"].add_url_rule("/old", view_func=lambda: abort(401))
    answer = scope["app"].test_client().get("/old")
    assert (answer.status_code, answer.json["error"]) == (401, "Unauthorized")
    assert challenge_lines(answer) == [BASIC, NOTHING_SENT]


def build_with_handler(kind, *, of_blueprint, status=401):
    """Return a client of an app with a login page and one error handler, in front of a guarded view of a blueprint."""
    auth = Auth(SessionCookie({}.get, login_view="login"), Bearer({}.get), realm="notes")
    app, api = Flask("app"), Blueprint("api", "app")
    app.config.update(SECRET_KEY=SECRET_KEY, TESTING=True)
    auth.init_app(app)
    handle = (api if of_blueprint else app).errorhandler(kind)
    handle(lambda error: ({"msg": getattr(error, "message", "Werkzeug's")}, status))
    app.add_url_rule("/login", "login", auth.public(lambda: "form"))
    api.add_url_rule("/notes", "notes", auth.login_required(lambda: "notes"))
    api.add_url_rule("/old", "old", lambda: abort(401))
    app.register_blueprint(api)
    return app.test_client()


@pytest.mark.parametrize(
    ("kind", "of_blueprint", "redirected"),
    [
        (401, False, True), (AuthError, False, True), (AuthError, True, True), (Unauthorized, False, False),
        (Unauthorized, True, False), (401, True, False),
    ],
)  # fmt: skip
def test_which_handlers_replace_the_redirect_to_the_login_page(kind, of_blueprint, redirected):
    client = build_with_handler(kind, of_blueprint=of_blueprint)
    program = client.get("/notes")
    assert program.json == {"msg": "Authentication is required to access this resource."}
    assert len(challenge_lines(program)) == 2
    opened = client.get("/notes", headers=BROWSER)
    assert (opened.status_code, opened.location) == ((302, "/login?next=/notes") if redirected else (401, None))


def test_a_handler_without_a_status_makes_a_200():
    assert build_with_handler(Unauthorized, of_blueprint=True, status=200).get("/notes").status_code == 200


@pytest.mark.parametrize(("kind", "own"), [(401, True), (Unauthorized, False)])
def test_an_abort_with_401_reaches_handlers_of_the_status_only(kind, own):
    answer = build_with_handler(kind, of_blueprint=False).get("/old")
    assert (answer.status_code, answer.json.get("msg") == "Werkzeug's") == (401, own)
    assert len(challenge_lines(answer)) == 2


def test_one_handler_of_a_blueprint_for_all_refusals():
    auth = Auth(Bearer({"demo-token-of-ada-0123456789": Identity("ada")}.get))
    app, api = Flask("app"), Blueprint("api", "app")
    auth.init_app(app)
    api.errorhandler(AuthError)(lambda error: ({"msg": error.message}, error.code))
    api.add_url_rule("/", view_func=auth.login_required(roles={"editor"})(lambda: "ran"))
    app.register_blueprint(api)
    for sent, status in (({}, 401), (ADA, 403), ({"Authorization": "Bearer a b"}, 400)):
        answer = app.test_client().get("/", headers=sent)
        assert (answer.status_code, list(answer.json)) == (status, ["msg"])
        assert_sound(answer)


def test_a_handler_of_the_app_for_a_status_runs_before_one_of_a_blueprint_for_auth_errors():
    scope = run("Bodies per blueprint, error and scheme")
    api = Blueprint("late", "app")
    api.errorhandler(AuthError)(lambda error: ("blueprint", 401))
    api.add_url_rule("/late", view_func=scope["auth"].login_required(lambda: "ran"))
    scope["app"].register_blueprint(api)
    assert scope["app"].test_client().get("/late").text.startswith("<h1>Please log in</h1>")


def shown(answer):
    """Return the flashed messages of a page."""
    return re.findall(r"<p>(.*?)</p>", answer.text)


def test_login_messages():
    client = run("Login messages")["app"].test_client()
    page = {"base_url": HTTPS, "headers": BROWSER}
    right, wrong = ({"name": "ada", "password": password} for password in ("correct horse", "wrong"))
    asked = client.get("/", **page)
    assert (asked.status_code, asked.location) == (302, "/login?next=/")
    assert shown(client.get(asked.location, **page)) == ["Please log in to see this page."]
    assert shown(client.get("/login", **page)) == []
    failed = client.post("/login?next=/", data=wrong, **page)
    assert (failed.status_code, shown(failed)) == (422, ["Wrong name or password."])
    done = client.post("/login?next=/", data=right, **page)
    assert (done.status_code, done.location) == (302, "/")
    assert shown(client.get("/", **page)) == ["You have been logged in."]
    assert shown(client.get("/", **page)) == []
    out = client.post("/logout", **page)
    assert (out.status_code, out.location) == (302, "/login")
    assert shown(client.get("/login", **page)) == ["You have been logged out."]


def test_the_message_of_a_step_up(monkeypatch):
    client = run("Login messages")["app"].test_client()
    page = {"base_url": HTTPS, "headers": BROWSER}
    client.post("/login", data={"name": "ada", "password": "correct horse"}, **page)
    assert shown(client.get("/account", **page)) == ["You have been logged in."]
    later(monkeypatch, 301)
    led = client.get("/account", **page)
    assert (led.status_code, led.location) == (302, "/login?next=/account")
    assert shown(client.get(led.location, **page)) == ["Please enter your password once more."]


def test_an_expired_session_is_treated_as_if_there_were_none(monkeypatch):
    client = run("Login messages")["app"].test_client()
    page = {"base_url": HTTPS, "headers": BROWSER}
    client.post("/login", data={"name": "ada", "password": "correct horse"}, **page)
    client.get("/", **page)
    later(monkeypatch, 3601)
    assert shown(client.get(client.get("/", **page).location, **page)) == ["Please log in to see this page."]


@pytest.mark.parametrize(("options", "kept"), [({}, []), ({"keep": {"_flashes"}}, ["before"])])
def test_a_login_empties_the_session_of_messages(options, kept):
    auth = Auth(SessionCookie({"ada": Identity("ada")}.get))
    app = Flask("app")
    app.config.update(SECRET_KEY=SECRET_KEY, TESTING=True)
    auth.init_app(app)

    @app.post("/login")
    @auth.public
    def login():
        flash("before")
        auth.login("ada", **options)
        return redirect("/")

    app.add_url_rule("/", "home", lambda: get_flashed_messages())
    client = app.test_client()
    client.post("/login")
    assert client.get("/").json == kept


def later(monkeypatch, seconds):
    """Let time pass."""
    now = time.time() + seconds
    monkeypatch.setattr(time, "time", lambda: now)
    monkeypatch.setattr(authorization, "time", lambda: now)


def test_a_record_of_logins(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    client = run("A record of logins")["app"].test_client()
    refused = client.post("/login", data={"name": "ada", "password": "wrong"}, base_url=HTTPS)
    assert (refused.status_code, refused.json["message"]) == (401, "Wrong name or password.")
    right = {"name": "ada", "password": "correct horse"}
    assert client.post("/login", data=right, base_url=HTTPS).json == {"you": "ada"}
    assert client.post("/logout", base_url=HTTPS).status_code == 204
    assert client.post("/logout", base_url=HTTPS).status_code == 204  # no login, so no row
    with closing(sqlite3.connect("audit.db")) as database:
        rows = database.execute("select event, subject, detail, address from audit").fetchall()
    assert rows == [
        ("refused", None, "the login form had a wrong name or password", "127.0.0.1"),
        ("login", "ada", None, "127.0.0.1"),
        ("logout", "ada", None, "127.0.0.1"),
    ]


def test_connect_holds_a_local_receiver_weakly_and_connect_via_holds_it():
    sender, heard = Flask("app"), []

    def connect():
        def weakly(app, **_):
            heard.append("weakly")

        @logged_in.connect_via(sender)
        def strongly(app, **_):
            heard.append("strongly")

        logged_in.connect(weakly, sender)
        return strongly.__code__

    code = connect()
    gc.collect()
    logged_in.send(sender, identity=Identity("ada"), scheme="Cookie")
    assert heard == ["strongly"]
    for receiver in list(logged_in.receivers_for(sender)):
        if getattr(receiver, "__code__", None) is code:
            logged_in.disconnect(receiver, sender)


@pytest.mark.parametrize(
    ("language", "tag", "title"),
    [
        ("fr", "fr", "Réservé aux membres"),
        ("en", "en", "Members only"),
        ("de", "de", "Bitte melden Sie sich an"),  # codespell:ignore
    ],
)
def test_other_languages(language, tag, title):
    headers = {"Accept": "text/html", "Accept-Language": language}
    answer = run("Other languages")["app"].test_client().get("/", headers=headers)
    assert (answer.status_code, answer.headers["Content-Language"]) == (401, tag)
    assert f"<h1>{title}</h1>" in answer.text
    assert challenge_lines(answer) == [BASIC]


@contextmanager
def logging_of_a_fresh_process():
    """Take pytest's handlers away, so that the program configures the logging."""
    root = logging.getLogger()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(root, "handlers", [])
        patch.setattr(root, "level", logging.WARNING)
        yield
    root.manager._clear_cache()  # loggers remember which levels they log


@pytest.mark.parametrize(
    ("sent", "bar", "name"),
    [
        (None, '<a href="/notes">Log in</a>', "-"),
        (("ada", "correct horse"), "ada", "ada"),
        (("ada", "wrong"), '<a href="/notes">Log in</a>', "-"),
    ],
)
def test_navigation_bar_and_log(capsys, sent, bar, name):
    with logging_of_a_fresh_process():
        app = run("Navigation bar and log")["app"]
        answer = app.test_client().get("/", auth=sent)
        app.logger.info("outside of a request")
    assert (answer.status_code, answer.text.replace("\n", "")) == (200, f"<nav>{bar}</nav>")
    assert capsys.readouterr().err == f"INFO [{name}] home page\nINFO [-] outside of a request\n"


def test_the_log_of_the_loader_has_no_caller(capsys):
    logged = ("(name, password) ==", 'app.logger.info("checking") or (name, password) ==')
    with logging_of_a_fresh_process():
        run("Navigation bar and log", logged)["app"].test_client().get("/", auth=("ada", "correct horse"))
    assert capsys.readouterr().err == "INFO [-] checking\nINFO [ada] home page\n"


@pytest.mark.parametrize(
    ("changes", "outcome"),
    [
        ([], "3 passed"),
        ([("if not auth.user.may(action)", "if False")], "1 failed, 2 passed"),
    ],
)
def test_the_tests_of_the_page_find_what_is_forgotten(tmp_path, changes, outcome):
    app = program("Roles and permissions")
    for old, new in changes:
        assert app.count(old) == 1
        app = app.replace(old, new)
    (tmp_path / "app.py").write_text(app, encoding="utf-8")
    (tmp_path / "test_app.py").write_text(program("Tests"), encoding="utf-8")
    path = os.pathsep.join(filter(None, (str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH"))))
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"], cwd=tmp_path, capture_output=True, text=True,
        timeout=60, env={**os.environ, "PYTHONPATH": path},
    )  # fmt: skip
    assert (done.returncode, outcome in done.stdout) == (int(bool(changes)), True), done.stdout + done.stderr

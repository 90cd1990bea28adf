"""The programs of docs/guides/refusals.md do what the page says."""

import re
import time

import pytest
from flask import Blueprint, Flask, abort, flash, get_flashed_messages, redirect

from flask_unauthorized import Auth, AuthError, Bearer, Identity, SessionCookie, Unauthorized
from flask_unauthorized.authentication import authorization
from flask_unauthorized.testing import assert_sound
from tests.helpers import SECRET_KEY, bearer_header, challenge_lines

from .recipes import ADA, BROWSER, HTTPS, NOTHING_SENT, run


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

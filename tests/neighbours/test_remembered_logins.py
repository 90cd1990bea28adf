"""Remembered logins in an app that also has Flask-Login, Flask-Limiter, Flask-Caching, flask-cors and Flask-WTF."""

import os
import subprocess
import sys
from contextlib import closing
from http.client import HTTPConnection

import pytest
from flask import Flask, session

from flask_unauthorized import Auth, SessionCookie
from flask_unauthorized.stores.memory import MemoryStore

try:
    from flask_login import current_user, login_user
    from flask_wtf.csrf import CSRFProtect, generate_csrf

    from .four import extensions
    from .login import User
except ModuleNotFoundError as missing:
    if os.environ.get("CI") == "true":
        raise
    pytest.skip(f"{missing.name} is not installed: nox -s neighbours", allow_module_level=True)

NAME = "session_remember"


def make_app(static_folder=None):
    app = Flask("site", static_folder=static_folder)
    app.config.update(SECRET_KEY="a secret of thirty-two characters")
    csrf = CSRFProtect(app)
    _, _, cache = extensions(app)
    store = MemoryStore(single_process=True)
    auth = Auth(SessionCookie(lambda name: name, store=store, remember=30 * 86_400), realm="shop")
    auth.init_app(app)
    app.runs = []

    @app.get("/token")
    def token():
        return generate_csrf()

    @app.post("/in/<name>")
    @csrf.exempt
    @auth.public
    def enter(name):
        auth.login(name, remember=True)
        return "in"

    @app.post("/neighbour/<name>")
    @csrf.exempt
    def neighbour(name):
        login_user(User(name))
        return "in"

    @app.get("/page")
    @auth.login_required
    @cache.cached(make_cache_key=lambda *args, **kwargs: f"page {auth.identity.subject}")
    def page():
        app.runs.append(auth.identity.subject)
        return auth.identity.subject

    @app.post("/write")
    @auth.login_required
    def write():
        return auth.identity.subject

    @app.get("/both")
    def both():
        identity = auth.get_identity()
        return f"{identity and identity.subject} {current_user.is_authenticated and current_user.id}"

    @app.get("/keep")
    def keep():
        return session.setdefault("cart", "three")

    @app.get("/asks-nobody")
    def asks_nobody():
        return "open"

    return app


@pytest.fixture
def app(tmp_path):
    (tmp_path / "style.css").write_text("p {}")
    made = make_app(str(tmp_path))
    made.testing = True
    return made


def remembered(app, name="ada"):
    """A browser that was closed and opened again."""
    client = app.test_client()
    assert client.post(f"/in/{name}").status_code == 200
    client.delete_cookie("session")
    return client


def ours(response):
    return [line for line in response.headers.getlist("Set-Cookie") if line.startswith(NAME)]


def test_a_cached_page_holds_no_cookie_of_another_user(app):
    ada, again, bob = remembered(app), remembered(app), remembered(app, "bob")
    answers = [client.get("/page") for client in (ada, again, bob)]
    assert [answer.text for answer in answers] == ["ada", "ada", "bob"]
    assert app.runs == ["ada", "bob"]
    assert len({line for answer in answers for line in ours(answer)}) == 3
    assert {answer.headers["Cache-Control"] for answer in answers} == {"no-store"}
    later = ada.get("/page")
    assert (later.text, later.headers.getlist("Set-Cookie")) == ("ada", [])
    stranger = app.test_client().get("/page")
    assert (stranger.status_code, stranger.headers.getlist("Set-Cookie")) == (401, [])


def test_what_neighbours_have_in_the_session_stays(app):
    client = remembered(app)
    client.get("/keep")
    client.post("/neighbour/carol")
    token = client.get("/token").text
    assert client.get("/both").text == "ada carol"
    with client.session_transaction() as content:
        assert content["cart"] == "three"
    assert client.post("/write", headers={"X-CSRFToken": token}).text == "ada"


def test_a_request_without_the_token_of_flask_wtf_rotates_nothing(app):
    client = remembered(app)
    refused = client.post("/write")
    assert (refused.status_code, ours(refused)) == (400, [])
    assert client.get("/page").text == "ada"


def test_a_user_of_flask_login_is_no_caller(app):
    client = app.test_client()
    client.post("/neighbour/carol")
    assert client.get("/both").text == "None carol"
    refused = client.get("/page")
    assert (refused.status_code, ours(refused)) == (401, [])


@pytest.mark.parametrize("path", ["/static/style.css", "/asks-nobody", "/nowhere"])
def test_where_nobody_is_asked_no_cookie_is_sent(app, path):
    client = remembered(app)
    assert ours(client.get(path)) == []
    assert client.get("/page").text == "ada"


def test_a_preflight_rotates_nothing(app):
    client = remembered(app)
    sent = {"Origin": "https://page.example", "Access-Control-Request-Method": "GET"}
    assert ours(client.options("/page", headers=sent)) == []


SERVERS = {
    "gunicorn sync": ["gunicorn", "-k", "sync", "-b"],
    "gunicorn gthread": ["gunicorn", "-k", "gthread", "--threads", "4", "-b"],
    "waitress": ["waitress", "--listen"],
}


@pytest.mark.parametrize("server", SERVERS)
def test_both_cookies_come_in_one_response(server, free_port_number):
    pytest.importorskip(SERVERS[server][0])
    command = [sys.executable, "-m", *SERVERS[server], f"127.0.0.1:{free_port_number}"]
    if server == "waitress":
        command.append("--call")
    target = f"{__name__}:make_app" + ("" if server == "waitress" else "()")
    process = subprocess.Popen([*command, target], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        lines = _ask(free_port_number, "POST", "/in/ada", {})
        assert sorted(lines) == ["session", NAME]
        lines = _ask(free_port_number, "GET", "/page", {"Cookie": f"{NAME}={lines[NAME]}"})
        assert sorted(lines) == ["session", NAME]
    finally:
        process.terminate()
        process.wait(20)


def _ask(port, method, path, headers):
    import time

    for _ in range(200):
        with closing(HTTPConnection("127.0.0.1", port, timeout=30)) as connection:
            try:
                connection.request(method, path, headers=headers)
                answered = connection.getresponse()
            except ConnectionError:
                time.sleep(0.1)
                continue
            assert answered.status == 200
            found = [line.split(";")[0].split("=", 1) for line in answered.headers.get_all("Set-Cookie")]
            assert answered.headers["Cache-Control"] == "no-store"
            return dict(found)
    raise TimeoutError(f"nothing listens on port {port}")


@pytest.fixture
def free_port_number():
    from tests.helpers import free_port

    return free_port()

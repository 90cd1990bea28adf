"""The example with a login page, without a browser: what it does, and what it does not let anybody do."""

import itertools
import re
import sys
import time
import urllib.request
from html.parser import HTMLParser

import pytest
from flask import redirect
from werkzeug.security import check_password_hash

from tests.conftest import SoundClient
from tests.live.conftest import running

WORD = "correct horse"
LINES = {"Accept": "text/html,application/xhtml+xml"}
numbers = itertools.count()
REDIRECT = redirect("/").status_code  # the example leaves it to Flask: 302, since Flask 3.2 303


@pytest.fixture(scope="module")
def example(tmp_path_factory):
    """The package, with its data in a folder of the tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BROWSER_LOGIN_DATA", str(tmp_path_factory.mktemp("notes")))
        known = set(sys.modules)
        import examples.browser_login as package

        yield package
        package.auth.schemes[0].store.close()
        for name in set(sys.modules) - known:
            if name.startswith("examples.browser_login"):
                del sys.modules[name]


@pytest.fixture
def app(example):
    app = example.create_app()
    app.testing = True
    app.test_client_class = SoundClient
    return app


@pytest.fixture
def client(app):
    return app.test_client()


@pytest.fixture
def register(app):
    def enter(name, word=WORD):
        client = app.test_client()
        answer = client.post("/register", data={"name": name, "password": word})
        assert answer.status_code == REDIRECT, answer.text
        return client

    return enter


def test_register_log_out_log_in(register):
    client = register("ada")
    assert "Welcome, ada." in client.get("/").text
    assert client.post("/logout").location == "/login"
    assert client.get("/", headers=LINES).location == "/login?next=/"
    assert client.get("/api/notes").status_code == 401
    answer = client.post("/login?next=/%3Fq%3Dmilk", data={"name": " ADA ", "password": WORD})
    assert (answer.status_code, answer.location) == (REDIRECT, "/?q=milk")
    assert client.get("/").status_code == 200


def test_a_wrong_password_and_a_name_that_nobody_has_look_the_same(register, app):
    register("bob")
    known, unknown = (
        app.test_client().post("/login", data={"name": name, "password": "wrong"}) for name in ("bob", "bab")
    )
    assert (known.status_code, known.text) == (unknown.status_code, unknown.text.replace("bab", "bob"))
    assert "The name or the password is wrong." in known.text
    assert "Set-Cookie" not in known.headers


@pytest.mark.parametrize(
    ("name", "word", "told"),
    [
        ("a", WORD, "2 to 32 letters"),
        ("a b", WORD, "2 to 32 letters"),
        ("<b>", WORD, "2 to 32 letters"),
        ("x" * 33, WORD, "2 to 32 letters"),
        ("ä" * 5, WORD, "2 to 32 letters"),
        ("good", "short", "10 to 200 characters"),
        ("good", "x" * 201, "10 to 200 characters"),
        ("Taken", WORD, "This name is already in use."),
    ],
)
def test_what_cannot_be_registered(register, client, name, word, told):
    if name == "Taken":
        register("taken")
    answer = client.post("/register", data={"name": name, "password": word})
    assert answer.status_code == 422
    assert told in answer.text
    assert "<b>" not in answer.text
    assert client.get("/api/notes").status_code == 401


def test_a_password_may_be_written_in_two_ways_of_unicode(register):
    client = register("jose", "contrase\u00f1a larga")
    client.post("/logout")
    assert client.post("/login", data={"name": "jose", "password": "contrasen\u0303a larga"}).status_code == REDIRECT


def test_notes_are_their_owners(register):
    grace, mallory = register("grace"), register("mallory")
    note = grace.post("/api/notes", json={"text": " 100 % <b>milk</b> "}).json
    assert note["text"] == "100 % <b>milk</b>"
    assert mallory.get("/api/notes").json == {"notes": []}
    assert mallory.delete(f"/api/notes/{note['id']}").status_code == 404
    assert grace.get("/api/notes?q=MILK").json == {"notes": [note]}
    assert grace.get("/api/notes?q=%25%20%3C").json == {"notes": [note]}
    assert grace.get("/api/notes?q=_").json == {"notes": []}
    assert grace.delete(f"/api/notes/{note['id']}").status_code == 204
    assert grace.delete(f"/api/notes/{note['id']}").status_code == 404


@pytest.mark.parametrize(
    "sent", ["", "{", "[]", "null", '{"text": 5}', '{"text": " "}', '{"text": "%s"}' % ("x" * 201)]
)
def test_what_is_no_note(register, sent):
    client = register(f"writer{next(numbers)}")
    answer = client.post("/api/notes", data=sent, content_type="application/json")
    assert answer.status_code == 400
    assert answer.json == {"error": "Bad Request", "message": "A note has 1 to 200 characters."}


def test_a_new_password_ends_the_other_sessions_and_the_old_password(register, app, example):
    phone = register("lin")
    laptop = app.test_client()
    laptop.post("/login", data={"name": "lin", "password": WORD})
    assert laptop.post("/account/password", data={"password": "short"}).status_code == 422
    assert phone.get("/api/notes").status_code == 200
    assert laptop.post("/account/password", data={"password": "another battery"}).location == "/account"
    assert [client.get("/api/notes").status_code for client in (laptop, phone)] == [200, 401]
    assert app.test_client().post("/login", data={"name": "lin", "password": WORD}).status_code == 422
    with app.app_context():
        assert check_password_hash(example.database.hash_of("lin"), "another battery")


def test_who_deletes_the_account_is_out_on_all_devices(register, app):
    client = register("eve")
    client.post("/api/notes", json={"text": "gone"})
    other = app.test_client()
    other.post("/login", data={"name": "eve", "password": WORD})
    assert client.post("/account/delete").location == "/register"
    assert [one.get("/api/notes").status_code for one in (client, other)] == [401, 401]
    assert register("eve").get("/api/notes").json == {"notes": []}  # another one of this name


@pytest.mark.parametrize("path", ["/account/delete", "/account/password", "/logout", "/api/notes"])
@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_csr_01_another_site_does_nothing(register, path, site):
    client = register(f"victim{next(numbers)}")
    sent = {"Sec-Fetch-Site": site, "Origin": "https://evil.example", "Sec-Fetch-Mode": "navigate"}
    assert client.post(path, data={"password": "another battery"}, headers=sent).status_code == 403
    assert client.get("/api/notes").status_code == 200


def test_the_old_login_of_an_account_is_asked_for_once_more(register, app, monkeypatch):
    client = register("old")
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 301)
    monkeypatch.setattr("flask_unauthorized.authentication.authorization.time", time.time)
    assert client.get("/").status_code == 200
    assert client.get("/account", headers=LINES).location == "/login?next=/account"
    refused = client.post("/account/password", data={"password": "another battery"}, headers=LINES)
    assert refused.status_code == 401
    assert "What you sent was not saved." in refused.text
    page = client.get("/login?next=/account").text
    assert 'value="old"' in page
    assert "Please give your password once more" in page
    answer = client.post("/login?next=/account", data={"name": "old", "password": WORD})
    assert client.get(answer.location).status_code == 200


class Inside(HTMLParser):
    """Scripts and styles that stand in a page, and not in a file."""

    def __init__(self, page):
        super().__init__()
        self.found = []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        names = dict(attrs)
        self.found += [name for name in names if name == "style" or name.startswith("on")]
        if tag == "style" or (tag == "script" and "src" not in names):
            self.found.append(tag)


def test_all_pages_have_a_strict_policy_and_nothing_that_it_forbids(register, app):
    visitor, member = app.test_client(), register("member")
    pages = [visitor.get("/login"), visitor.get("/register"), member.get("/"), member.get("/account")]
    pages += [visitor.post("/login"), visitor.post("/register"), visitor.get("/static/notes.js")]
    for answer in pages:
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert Inside(answer.text if answer.mimetype == "text/html" else "").found == []
        addresses = re.findall(r'(?:href|src|action)="([^"]*)"', answer.text)
        assert all(address.startswith(("/", "#")) for address in addresses)
        answer.close()


def test_the_keys_of_all_workers_are_one(example):
    first, second = example.create_app(), example.create_app()
    assert first.secret_key == second.secret_key
    assert len(first.secret_key) == 64


def test_one_command_runs_it(tmp_path):
    start = (
        "import os, runpy; os.environ['PORT'] = '{port}'; "
        "runpy.run_module('examples.browser_login', run_name='__main__')"
    )
    folder = tmp_path / "new" / "folder"
    with running("example", ("-c", start), BROWSER_LOGIN_DATA=str(folder)) as server:
        page = urllib.request.Request(f"http://127.0.0.1:{server.port}/", headers=LINES)
        with urllib.request.urlopen(page, timeout=20) as answer:
            assert "<h1>Log in</h1>" in answer.read().decode()
    assert folder.stat().st_mode & 0o077 == 0

"""The example with a login page, without a browser: what it does, and what it does not let anybody do."""

import itertools
import re
import sys
import time
import urllib.request
from html.parser import HTMLParser

import pytest
from flask import redirect

from flask_unauthorized.loaders import Passwords
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


@pytest.mark.asvs("V8.2.2")
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


@pytest.mark.asvs("V6.2.3")
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
        assert Passwords({"lin": example.database.hash_of("lin")})("lin", "another battery") == "lin"


def test_who_deletes_the_account_is_out_on_all_devices(register, app):
    client = register("eve")
    client.post("/api/notes", json={"text": "gone"})
    other = app.test_client()
    other.post("/login", data={"name": "eve", "password": WORD})
    assert client.post("/account/delete").location == "/register"
    assert [one.get("/api/notes").status_code for one in (client, other)] == [401, 401]
    assert register("eve").get("/api/notes").json == {"notes": []}  # another one of this name


@pytest.mark.parametrize(
    "path", ["/account/delete", "/account/password", "/devices/end", "/devices/end-others", "/logout", "/api/notes"]
)
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


# --- remember me

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"
SAFARI = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_4 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.4"
EDGE = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Edg/120.0.0.0"


@pytest.fixture
def enter(app):
    def enter(name, agent=FIREFOX, **form):
        client = app.test_client()
        client.environ_base["HTTP_USER_AGENT"] = agent
        answer = client.post("/login", data={"name": name, "password": WORD, **form})
        assert answer.status_code == REDIRECT, answer.text
        return client

    return enter


@pytest.fixture
def clock(monkeypatch):
    now = [time.time()]
    monkeypatch.setattr(time, "time", lambda: now[0])
    monkeypatch.setattr("flask_unauthorized.authentication.authorization.time", time.time)
    return now


def restarted(client):
    """The browser is closed and opened again."""
    client.delete_cookie("session")
    return client


def names(client):
    """The devices that the page shows, by name; the one of this browser is marked."""
    found = re.findall(r'<h2 id="device-\d+">(.*?)</h2>', client.get("/devices").text)
    return sorted(re.sub(r" <span.*", "*", name) for name in found)


def device_ids(client):
    return re.findall(r'name="id" value="([^"]+)"', client.get("/devices").text)


def test_a_remembered_login_survives_a_restart_and_another_one_does_not(register, enter):
    register("mem")
    assert 'name="remember"' in register("mem2").application.test_client().get("/login").text
    assert restarted(enter("mem")).get("/", headers=LINES).location == "/login?next=/"
    assert restarted(enter("mem", remember="on")).get("/", headers=LINES).status_code == 200


def test_the_account_of_a_remembered_user_asks_for_the_password_and_they_stay_remembered(register, enter, clock):
    register("rae")
    client = enter("rae", remember="on")
    clock[0] += 86_400
    assert "rae" in client.get("/").text
    assert client.get("/account", headers=LINES).location == "/login?next=/account"
    page = client.get("/login?next=/account").text
    assert "You are logged in. Please give your password once more" in page
    assert 'name="remember"' not in page
    answer = client.post("/login?next=/account", data={"name": "rae", "password": WORD})
    assert client.get(answer.location).status_code == 200
    assert restarted(client).get("/", headers=LINES).status_code == 200
    assert names(client) == ["Firefox on Linux*"]


@pytest.mark.parametrize("form", [{}, {"remember": "on"}])
def test_a_new_password_leaves_this_device_as_remembered_as_it_was(register, enter, form):
    name = f"pat{next(numbers)}"
    register(name)
    client = enter(name, **form)
    client.post("/account/password", data={"password": "another battery"})
    assert (restarted(client).get("/", headers=LINES).status_code == 200) is bool(form)


def test_another_user_at_the_login_page_takes_over_and_is_not_remembered(register, enter):
    register("one"), register("two")
    client = enter("one", remember="on")
    client.post("/login", data={"name": "two", "password": WORD})
    assert "two" in client.get("/").text
    assert restarted(client).get("/", headers=LINES).location == "/login?next=/"


# --- devices


def test_users_see_their_devices_and_end_one(register, enter):
    register("dev").post("/logout")
    laptop, phone = enter("dev"), enter("dev", SAFARI, remember="on")
    assert names(laptop) == ["Firefox on Linux*", "Safari on iPhone"]
    page = phone.get("/devices").text
    assert page.count("remembered") == 1
    (other,) = re.findall(r'name="id" value="([^"]+)"[^>]*>Log out<span class="hidden"> Firefox on Linux<', page)
    assert "The device is logged out." in phone.post("/devices/end", data={"id": other}, follow_redirects=True).text
    assert laptop.get("/api/notes").status_code == 401
    assert names(phone) == ["Safari on iPhone*"]
    again = phone.post("/devices/end", data={"id": other}, follow_redirects=True).text
    assert "This device was logged out before." in again


def test_all_other_devices_end_remembered_ones_too(register, enter):
    register("many").post("/logout")
    here, tablet, work = enter("many"), enter("many", SAFARI, remember="on"), enter("many", EDGE)
    assert names(here) == ["Edge on Windows", "Firefox on Linux*", "Safari on iPhone"]
    assert here.post("/devices/end-others").location == "/devices"
    everywhere = (here, tablet, restarted(tablet), work)
    assert [one.get("/api/notes").status_code for one in everywhere] == [200, 401, 401, 401]
    assert names(here) == ["Firefox on Linux*"]
    assert "Log out all other devices" not in here.get("/devices").text


def test_the_own_device_ends_by_a_logout(register):
    client = register("own")
    (own,) = device_ids(client)
    assert client.post("/devices/end", data={"id": own}).location == "/login"
    assert "You are logged out." in client.get("/login").text
    assert client.get("/api/notes").status_code == 401


@pytest.mark.parametrize("sent", [None, "", "x", "é" * 50])
def test_an_id_of_another_user_or_of_nobody_ends_nothing(register, sent):
    ada, eve = (register(f"{name}{next(numbers)}") for name in ("ada", "eve"))
    answer = eve.post("/devices/end", data={"id": device_ids(ada)[0] if sent is None else sent}, follow_redirects=True)
    assert "This device was logged out before." in answer.text
    assert [client.get("/api/notes").status_code for client in (ada, eve)] == [200, 200]


def test_a_device_may_have_any_name(register, enter):
    register("odd").post("/logout")
    client = enter("odd", "<script>alert(1)</script>" + "x" * 200)
    assert "<script>alert" not in client.get("/devices").text
    assert enter("odd", "").get("/devices").text.count(">Unknown device <") == 1


# --- a login that was used in a second place


def test_a_login_in_a_second_place_ends_and_its_user_is_told(register, enter, app, clock):
    register("vic")
    other = register("victor")
    owner, thief = enter("vic", remember="on"), app.test_client()
    thief.set_cookie("session_remember", owner.get_cookie("session_remember").value)
    for _ in range(2):  # the copied secret is replaced, and its successor was used
        assert restarted(owner).get("/").status_code == 200
    clock[0] += 60
    for client in (thief, owner, restarted(owner)):
        told = client.get("/", headers=LINES)
        assert told.status_code == 401
        assert "Your login was ended for safety" in told.text
        assert 'href="/login?next=/devices"' in told.text
    api = thief.get("/api/notes")
    assert (api.status_code, api.json["error"]) == (401, "Unauthorized")
    assert "second place" in api.json["message"]
    assert "Your login was ended" not in owner.get("/login").text  # an open page opens
    assert owner.post("/login?next=/devices", data={"name": "vic", "password": WORD}).location == "/devices"
    for path in ("/", "/devices", "/about", "/missing"):
        assert "A login of yours was used in a second place" in owner.get(path).text
    assert "second place" not in other.get("/").text
    assert owner.post("/devices/alarm").location == "/devices"
    assert "second place" not in owner.get("/").text


def test_a_new_password_dismisses_the_warning(register, app, example):
    client = register("wary")
    with app.app_context():
        example.database.raise_alarm(str(example.database.user_by_name("wary").id))
    assert "second place" in client.get("/").text
    client.post("/account/password", data={"password": "another battery"})
    assert "second place" not in client.get("/").text


# --- the user on all pages


@pytest.mark.parametrize(("path", "status"), [("/about", 200), ("/login", 200), ("/missing", 404), ("/broken", 500)])
def test_all_pages_show_who_is_logged_in(register, app, path, status):
    def broken():
        raise OSError("the disk")

    app.config["PROPAGATE_EXCEPTIONS"] = False
    app.add_url_rule("/broken", view_func=broken)
    name = f"nina{next(numbers)}"
    for client, shown in ((register(name), True), (app.test_client(), False)):
        if path == "/broken" and not shown:
            continue  # it is guarded
        answer = client.get(path)
        assert answer.status_code == status
        bar = answer.text.partition("</header>")[0]
        assert (name in bar, 'href="/register"' in bar) == (shown, not shown)
        assert "the disk" not in answer.text


def test_errors_of_the_api_are_json_and_keep_their_headers(register):
    client = register("json")
    answer = client.get("/api/missing")
    assert (answer.status_code, answer.json["error"]) == (404, "Not Found")
    answer = client.put("/api/notes")
    assert (answer.status_code, answer.json["error"]) == (405, "Method Not Allowed")
    assert {"GET", "POST"} <= set(answer.headers["Allow"].split(", "))


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
    pages += [member.get("/devices"), visitor.get("/about"), member.get("/missing")]
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
    folder = tmp_path / "new" / "folder"
    with running("example", ("-m", "examples.browser_login"), BROWSER_LOGIN_DATA=str(folder)) as server:
        page = urllib.request.Request(f"http://127.0.0.1:{server.port}/", headers=LINES)
        with urllib.request.urlopen(page, timeout=20) as answer:
            assert "<h1>Log in</h1>" in answer.read().decode()
    assert folder.stat().st_mode & 0o077 == 0

"""The programs of docs/guides do what the pages say: logins.md, email-links.md, step-up.md."""

import re
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from flask import session

from flask_unauthorized.authentication import authorization
from flask_unauthorized.cli import commands
from flask_unauthorized.signals import session_stolen

DOCS = Path(__file__).parents[1] / "docs"
BROWSER = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Site": "same-origin", "Accept": "text/html,application/xhtml+xml"}
PAGE = {"base_url": "https://localhost", "headers": BROWSER}
REMEMBER = "__Host-session_remember"


def blocks(page):
    """Return the Python of a page, block by block."""
    return re.findall(r"```python\n(.*?)```", (DOCS / page).read_text(encoding="utf-8"), re.DOTALL)


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Run the first program of a page, as ``app.py`` that Flask imports, and return its names."""
    monkeypatch.chdir(tmp_path)
    opened = []

    def run(page):
        scope = {"__name__": "app"}
        opened.append(scope)
        exec(compile(blocks(page)[0], "app.py", "exec"), scope)
        return scope

    yield run
    for scope in opened:
        scope["auth"].schemes[0].store.close()


@pytest.fixture
def clock(monkeypatch):
    now = [time.time()]
    monkeypatch.setattr(time, "time", lambda: now[0])
    monkeypatch.setattr(authorization, "time", lambda: now[0])
    return now


# --- logins and devices


def device(guide, agent="Firefox", password="correct horse", **form):
    client = guide["app"].test_client()
    client.environ_base["HTTP_USER_AGENT"] = agent
    entered = client.post("/login", data={"name": "ada", "password": password, **form}, **PAGE)
    assert (entered.status_code, entered.location) == (302, "/")
    return client


def restarted(client):
    """The browser is closed and opened again."""
    client.delete_cookie("session", domain="localhost")
    return client


def is_in(client):
    return client.get("/", **PAGE).status_code == 200


def labels(client):
    return re.findall(r"<li>(\w+): last used \d\d \w+ \d{4}, \d\d:\d\d UTC", client.get("/", **PAGE).text)


def id_of(client, label):
    return re.search(rf'<li>{label}: .*?name="id" value="([^"]+)"', client.get("/", **PAGE).text, re.DOTALL)[1]


def test_the_program_remembers_those_who_ask_for_it(run, clock):
    guide = run("guides/logins.md")
    assert guide["app"].test_client().post("/login", data={"name": "ada", "password": "x"}, **PAGE).status_code == 422
    assert not is_in(restarted(device(guide)))
    client = device(guide, remember="on")
    for _ in range(29):
        clock[0] += 86_400
        assert is_in(client)
    clock[0] += 86_401
    assert client.get("/", **PAGE).location == "/login?next=/"


def test_the_page_lists_devices_and_ends_them(run):
    guide = run("guides/logins.md")
    laptop, phone, tablet = device(guide, "Laptop"), device(guide, "Phone", remember="on"), device(guide, "Tablet")
    assert sorted(labels(laptop)) == ["Laptop", "Phone", "Tablet"]
    laptop.post("/devices/end", data={"id": id_of(laptop, "Phone")}, **PAGE)
    assert [is_in(client) for client in (laptop, restarted(phone), tablet)] == [True, False, True]
    laptop.post("/devices/end-others", **PAGE)
    assert [is_in(client) for client in (laptop, tablet)] == [True, False]
    laptop.post("/devices/end", data={"id": id_of(laptop, "Laptop")}, **PAGE)
    assert not is_in(laptop)


def test_a_new_password_ends_all_other_devices(run, clock):
    guide = run("guides/logins.md")
    phone, laptop = device(guide, "Phone", remember="on"), device(guide)
    assert laptop.post("/password", data={"password": "battery staple"}, **PAGE).location == "/"
    assert [is_in(client) for client in (laptop, restarted(phone))] == [True, False]
    again = device(guide, password="battery staple", remember="on")
    clock[0] += 86_400
    assert is_in(again)
    assert again.post("/password", data={"password": "of a thief"}, **PAGE).status_code == 401


def test_the_password_again_opens_the_form_and_the_login_stays_remembered(run, clock):
    client = device(run("guides/logins.md"), remember="on")
    clock[0] += 86_400
    assert client.get("/password", **PAGE).location == "/login?next=/password"
    entered = {"name": "ada", "password": "correct horse"}
    assert client.post("/login?next=/password", data=entered, **PAGE).location == "/password"
    assert client.get("/password", **PAGE).status_code == 200
    assert is_in(restarted(client))


def test_a_login_in_two_places_ends_for_both(run, clock):
    guide, heard = run("guides/logins.md"), []
    owner, thief = device(guide, remember="on"), guide["app"].test_client()
    thief.set_cookie(REMEMBER, owner.get_cookie(REMEMBER, domain="localhost").value, domain="localhost", secure=True)
    assert [is_in(restarted(owner)) for _ in range(2)] == [True, True]
    clock[0] += 31

    def hear(app, *, subject, scheme, session):
        heard.append((subject, scheme))

    with session_stolen.connected_to(hear):
        for client in (thief, owner):
            refused = client.get("/", **PAGE)
            assert refused.status_code == 401
            assert "used in a second place" in refused.text
            assert 'href="/login' in refused.text
    assert heard == [("ada", "Cookie")]
    assert is_in(device(guide))


def test_the_command_logs_a_user_out(run):
    guide = run("guides/logins.md")
    client = device(guide, remember="on")
    found = guide["app"].test_cli_runner().invoke(commands, ["end-sessions", "ada"])
    assert found.exit_code == 0, found.output
    assert not is_in(client)
    assert not is_in(restarted(client))


def test_the_pages_have_no_other_program():
    for page in ("guides/logins.md", "guides/email-links.md"):
        assert [block.startswith("# a part of ") for block in blocks(page)].count(False) == 1


# --- step-up


def test_the_password_again_confirms_the_login_and_keeps_the_session(tmp_path, monkeypatch, clock):
    monkeypatch.chdir(tmp_path)
    guide = {"__name__": "app"}
    exec(blocks("guides/step-up.md")[0].replace("auth.check(app)\n", ""), guide)
    fresh = guide["auth"].login_required(max_age=300)
    guide["app"].add_url_rule("/cart", "cart", fresh(lambda: session.get("cart", "")))
    guide["app"].add_url_rule("/fill", "fill", lambda: session.update(cart="a ring") or "")
    guide["auth"].check(guide["app"])
    client, form = guide["app"].test_client(), {"name": "ada", "password": "correct horse"}
    client.post("/login", data=form, **PAGE)
    client.get("/fill", **PAGE)
    clock[0] += 301
    assert client.get("/cart", **PAGE).location == "/login?next=/cart"
    assert client.post("/login?next=/cart", data={**form, "password": "wrong"}, **PAGE).status_code == 422
    assert client.get("/cart", **PAGE).location == "/login?next=/cart"
    assert client.post("/login?next=/cart", data=form, **PAGE).location == "/cart"
    assert client.get("/cart", **PAGE).text == "a ring"
    guide["people"].store.close()


# --- links in e-mails


@pytest.fixture
def guide(run, monkeypatch):
    scope = run("guides/email-links.md")
    scope["mails"] = []
    scope["send_mail"] = lambda address, text: scope["mails"].append((address, text))
    return scope


def ask(guide, address="ada@example.com", **more):
    return guide["app"].test_client().post("/forgot", data={"address": address}, **PAGE, **more)


def link(guide):
    assert ask(guide).status_code == 200
    address, text = guide["mails"][-1]
    assert address == "ada@example.com"
    url = text.removeprefix("Set a new password: ")
    assert url.startswith("https://notes.example/reset?token=")
    return url.removeprefix("https://notes.example")


def use(guide, path, password="battery staple", client=None):
    return (client or guide["app"].test_client()).post(path, data={"password": password}, **PAGE)


def enter(guide, password):
    client = guide["app"].test_client()
    return client, client.post("/login", data={"name": "ada", "password": password}, **PAGE)


def test_a_link_sets_the_password_once_and_logs_in(guide):
    thief, entered = enter(guide, "correct horse")
    assert entered.location == "/"
    path, client = link(guide), guide["app"].test_client()
    for _ in range(3):  # a scanner of mails
        opened = client.get(path, **PAGE)
        assert (opened.status_code, "New password" in opened.text) == (200, True)
        assert "Set-Cookie" not in opened.headers
    assert (opened.headers["Referrer-Policy"], opened.headers["Cache-Control"]) == ("same-origin", "no-store")
    assert use(guide, path, "short", client).status_code == 422
    done = use(guide, path, client=client)
    assert (done.status_code, done.location, done.headers["Cache-Control"]) == (303, "/", "no-store")
    assert client.get("/", **PAGE).json == {"notes of": "ada"}
    assert thief.get("/", **PAGE).status_code == 302
    assert [client.get(path, **PAGE).status_code, use(guide, path, "of a thief").status_code] == [410, 410]
    assert [enter(guide, word)[1].status_code for word in ("correct horse", "battery staple")] == [422, 302]


def test_a_link_dies_with_the_password(guide):
    first, second = link(guide), link(guide)
    assert first != second
    assert use(guide, second).status_code == 303
    assert use(guide, first, "of a thief").status_code == 410


def test_of_two_uses_at_a_time_one_counts(guide):
    """Both have read the link before either changes the password."""
    path = link(guide)
    found = guide["read_link"]
    with guide["app"].app_context():
        parsed = found(path.removeprefix("/reset?token="))
    guide["read_link"] = lambda token: parsed
    with ThreadPoolExecutor(4) as pool:
        statuses = sorted(pool.map(lambda n: use(guide, path, f"battery staple {n}").status_code, range(4)))
    assert statuses == [303, 410, 410, 410]


def test_a_link_that_is_written_in_another_way_counts_as_the_same(guide):
    """The last character of a signature has two bits that mean nothing, so the token can't be what is claimed."""
    path = link(guide)
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    other = path[:-1] + letters[letters.index(path[-1]) ^ 1]
    with guide["app"].app_context():
        read = [guide["read_link"](one.removeprefix("/reset?token=")) for one in (path, other)]
    assert read[0] == read[1] is not None
    guide["read_link"] = lambda token: read[0]
    assert [use(guide, one).status_code for one in (path, other)] == [303, 410]


def test_a_link_expires(guide, clock):
    path = link(guide)
    clock[0] += 1199
    assert guide["app"].test_client().get(path, **PAGE).status_code == 200
    clock[0] += 3
    assert use(guide, path).status_code == 410


def test_a_link_is_of_one_purpose_and_of_this_app(guide):
    from flask_unauthorized.loaders import SignedTokens

    path = link(guide)
    with guide["app"].app_context():
        content = f"ada {guide['state_of']('ada')} x"
        other = SignedTokens("confirm an address", lifetime=1200).issue(content)
        foreign = SignedTokens("password reset", lifetime=1200, secret_key="of another app").issue(content)
        no_user = guide["links"].issue(f"eve {'0' * 64} x")
    for token in (other, foreign, no_user, "x", path[len("/reset?token=") : -1], "é"):
        assert use(guide, f"/reset?token={token}").status_code == 410
    assert enter(guide, "correct horse")[1].status_code == 302


def test_unknown_addresses_get_the_same_answer_and_no_mail(guide):
    known, unknown = ask(guide, " ADA@example.com "), ask(guide, "eve@example.com")
    assert (known.status_code, known.text, dict(known.headers)) == (
        unknown.status_code, unknown.text, dict(unknown.headers),
    )  # fmt: skip
    assert [address for address, _ in guide["mails"]] == ["ada@example.com"]


def test_mails_are_limited_by_address_and_requests_by_client(guide):
    answers = {ask(guide).text for _ in range(5)}
    assert (len(answers), len(guide["mails"])) == (1, 3)
    for n in range(15):
        assert ask(guide, f"user{n}@example.com").status_code == 200
    refused = ask(guide, "user@example.com")
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "3600")
    assert ask(guide, "user@example.com", environ_overrides={"REMOTE_ADDR": "192.0.2.1"}).status_code == 200


def test_a_forged_host_is_not_in_the_link(guide):
    page = {**PAGE, "base_url": "https://evil.example"}
    guide["app"].test_client().post("/forgot", data={"address": "ada@example.com"}, **page)
    assert "https://notes.example/reset?token=" in guide["mails"][0][1]


def test_another_site_logs_nobody_in(guide):
    path = link(guide)  # such as one of the attacker's own account
    sent = {**BROWSER, "Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}
    refused = guide["app"].test_client().post(path, data={"password": "battery staple"}, **{**PAGE, "headers": sent})
    assert refused.status_code == 403

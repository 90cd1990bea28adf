"""The example with personal access tokens, over HTTP: what people and programs do, and what they can't do."""

import re
import secrets
import sys
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone

import pytest

from tests.conftest import SoundClient
from tests.live.conftest import running

WORD = "correct horse"
TOKEN = re.compile(r"notes_[0-9A-Za-z]{36}")
LINES = {"Accept": "text/html,application/xhtml+xml"}


@pytest.fixture
def example(tmp_path, monkeypatch):
    """The package, with its data in a folder of the test."""
    monkeypatch.setenv("TOKEN_SETTINGS_DATA", str(tmp_path / "data"))
    known = set(sys.modules)
    import examples.token_settings as package
    from examples.token_settings.auth import engine, store

    yield package
    engine.dispose()
    store.close()
    for name in set(sys.modules) - known:
        if name.startswith("examples.token_settings"):
            del sys.modules[name]


@pytest.fixture
def app(example):
    app = example.create_app()
    app.testing = True
    app.test_client_class = SoundClient
    return app


@pytest.fixture
def enter(app):
    def enter(name):
        client = app.test_client()
        assert client.post("/login", data={"name": name, "password": WORD}).location == "/tokens"
        return client

    return enter


@pytest.fixture
def ada(enter):
    return enter("ada")


@pytest.fixture
def api(app):
    """The status of the API for a token, as a program sends it."""

    def ask(token, method="GET"):
        headers = {"Authorization": f"Bearer {token}"}
        return app.test_client().open("/api/notes", method=method, headers=headers, json={"text": "milk"}).status_code

    return ask


def form_of(client):
    """The form for a new token, as the page has it."""
    return re.search(r'name="form" value="(\w+)"', client.get("/tokens").text)[1]


def create(client, **changes):
    sent = {"form": form_of(client), "name": "CI", "scope": ["notes:read"], "days": "30", **changes}
    return client.post("/tokens", data=sent)


def created(client, **changes):
    """A new token and its number."""
    response = create(client, **changes)
    assert response.status_code == 201, response.text
    return TOKEN.search(response.text)[0], numbers_on(client)[0]


def numbers_on(client):
    return [int(number) for number in re.findall(r"/tokens/(\d+)/revoke", client.get("/tokens").text)]


@pytest.mark.asvs("V10.4.9")
def test_a_token_is_made_used_replaced_and_revoked(ada, api):
    old, number = created(ada, name="CI of <notes>", scope=["notes:read", "notes:write"])
    page = ada.get("/tokens").text
    assert "CI of &lt;notes&gt;" in page
    assert f"notes_...{old[-10:-6]}" in page  # the six after it are the checksum
    assert "<dd>notes:read, notes:write</dd>" in page
    assert "<dd>never</dd>" in page
    assert [api(old, "POST"), api(old)] == [201, 200]
    page = ada.get("/tokens").text
    assert "<dd>never</dd>" not in page
    ends = re.search(r"<dt>Ends</dt><dd>([\d-]+ [\d:]+) UTC</dd>", page)[1]
    expected = datetime.now(timezone.utc) + timedelta(days=30)
    assert abs(datetime.fromisoformat(ends + "+00:00") - expected) < timedelta(minutes=2)

    new = TOKEN.search(ada.post(f"/tokens/{number}/rotate", data={"hours": "24"}).text)[0]
    assert [api(old), api(new), api(new, "POST")] == [200, 200, 201]
    assert "because it was replaced" in ada.get("/tokens").text

    assert ada.post(f"/tokens/{number}/revoke").location == "/tokens"
    assert "is revoked." in ada.get("/tokens").text
    assert [api(old), api(new)] == [401, 200]
    ada.post(f"/tokens/{number}/revoke")  # the second click
    assert "had ended before." in ada.get("/tokens").text
    created(ada)
    ada.post("/tokens/revoke-all")
    assert numbers_on(ada) == []
    assert api(new) == 401


def test_a_token_that_leaked_ends_at_once(ada, api):
    old, number = created(ada)
    new = TOKEN.search(ada.post(f"/tokens/{number}/rotate", data={"hours": "0"}).text)[0]
    assert [api(old), api(new)] == [401, 200]


def test_both_schemes_take_the_token_and_no_cookie_or_token_does_the_work_of_the_other(app, ada):
    token, _ = created(ada)
    program = app.test_client()
    assert program.get("/api/notes", headers={"X-API-Key": token}).json == {"notes": []}
    refused = program.get("/api/notes")
    assert refused.headers.get_all("WWW-Authenticate") == [
        'Bearer realm="Notes"', 'ApiKey realm="Notes", in="header", name="X-API-Key"',
    ]  # fmt: skip
    assert ada.get("/api/notes").status_code == 401
    headers = {"Authorization": f"Bearer {token}", "X-API-Key": token}
    for path in ("/tokens", "/tokens/revoke-all", "/tokens/1/rotate", "/tokens/1/revoke"):
        assert program.post(path, headers=headers, data={"hours": "0"}).status_code == 401
    assert len(numbers_on(ada)) == 1


def test_a_token_is_shown_once_and_never_stored(ada, example):
    sent = {"form": form_of(ada), "name": "CI", "days": "7"}
    response = ada.post("/tokens", data=sent)
    token = TOKEN.search(response.text)[0]
    assert response.headers["Cache-Control"] == "no-store"
    assert token not in str(response.headers)
    again = ada.post("/tokens", data=sent)  # the browser loads the page again
    assert (again.status_code, again.headers["Cache-Control"]) == (409, "no-store")
    for page in (again, ada.get("/tokens"), ada.post("/tokens/1/rotate", data={"hours": "1"})):
        assert token not in page.text
        assert token not in str(page.headers)
    assert len(numbers_on(ada)) == 2  # that one, and its successor
    assert all(token.encode() not in file.read_bytes() for file in example.database.FOLDER.iterdir())


def test_a_response_to_a_new_token_that_got_lost_heals(ada, api):
    sent = {"form": form_of(ada), "name": "CI", "days": "7", "scope": "notes:read"}
    lost = TOKEN.search(ada.post("/tokens", data=sent).text)[0]
    page = ada.post("/tokens", data=sent)
    assert page.status_code == 409
    number = int(re.search(r'action="/tokens/(\d+)/rotate"', page.text)[1])
    healed = ada.post(f"/tokens/{number}/rotate", data={"hours": "0"})
    seen = TOKEN.search(healed.text)[0]
    assert [api(lost), api(seen)] == [401, 200]


@pytest.mark.parametrize("hours", ["24", "0"])
def test_two_clicks_on_replace_make_one_successor_and_a_lost_one_heals(ada, api, hours):
    old, number = created(ada)
    lost = TOKEN.search(ada.post(f"/tokens/{number}/rotate", data={"hours": hours}).text)[0]
    page = ada.post(f"/tokens/{number}/rotate", data={"hours": hours})
    assert page.status_code == 409
    assert not TOKEN.search(page.text)
    successor = int(re.search(r'action="/tokens/(\d+)/rotate"', page.text)[1])
    assert successor != number
    seen = TOKEN.search(ada.post(f"/tokens/{successor}/rotate", data={"hours": "0"}).text)[0]
    assert [api(old), api(lost), api(seen)] == [200 if hours == "24" else 401, 401, 200]
    page = ada.post(f"/tokens/{successor}/rotate", data={"hours": "0"})  # loaded again
    assert page.status_code == 409
    assert api(seen) == 200


@pytest.mark.parametrize("what", ["create", "replace"])
def test_clicks_at_the_same_time_make_one_token(app, ada, what):
    _, number = created(ada)
    data = {"form": form_of(ada), "name": "two", "days": "7", "hours": "24"}
    cookie = ada.get_cookie("session").value
    path = "/tokens" if what == "create" else f"/tokens/{number}/rotate"

    def click(_):
        return app.test_client(use_cookies=False).post(path, data=data, headers={"Cookie": f"session={cookie}"})

    with ThreadPoolExecutor(4) as pool:
        responses = list(pool.map(click, range(4)))
    assert sorted(response.status_code for response in responses) == [201, 409, 409, 409]
    assert len(numbers_on(ada)) == 2


@pytest.mark.parametrize("path", ["rotate", "revoke"])
def test_nobody_reaches_the_tokens_of_others(ada, enter, api, path):
    token, number = created(ada)
    bob = enter("bob")
    assert numbers_on(bob) == []
    assert [bob.post(f"/tokens/{one}/{path}", data={"hours": "0"}).status_code for one in (number, 10**30)] == [404] * 2
    bob.post("/tokens/revoke-all")
    assert api(token) == 200


def test_a_form_of_another_person_says_nothing_about_it(ada, enter):
    form = form_of(ada)
    create(ada, form=form, name="secret plan")
    page = create(enter("bob"), form=form, name="mine")
    assert page.status_code == 201
    assert "secret plan" not in page.text


@pytest.mark.parametrize("path", ["/tokens", "/tokens/1/rotate", "/tokens/1/revoke", "/tokens/revoke-all", "/logout"])
@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_csr_01_another_site_does_nothing(ada, api, path, site):
    token, _ = created(ada)
    headers = {"Sec-Fetch-Site": site, "Origin": "https://evil.example", "Sec-Fetch-Mode": "navigate"}
    sent = {"form": secrets.token_hex(16), "name": "evil", "days": "7", "hours": "0"}
    assert ada.post(path, data=sent, headers=headers).status_code == 403
    assert api(token) == 200
    assert len(numbers_on(ada)) == 1


@pytest.mark.parametrize(
    ("changes", "status", "text"),
    [
        ({"name": ""}, 422, "The name of a token has 1 to 100 printable characters."),
        ({"name": "x" * 101}, 422, "The name of a token has 1 to 100 printable characters."),
        ({"name": "a\0b"}, 422, "The name of a token has 1 to 100 printable characters."),
        ({"scope": ["notes:write"]}, 422, "Missing scopes: notes:write."),
        ({"scope": ["admin"]}, 422, "Missing scopes: admin."),
        ({"scope": ["a b"]}, 422, "is not a scope token"),
        ({"days": "9999"}, 400, ""),
        ({"days": ""}, 400, ""),
        ({"form": ""}, 400, ""),
        ({"form": "x" * 10_000}, 400, ""),
    ],
)
def test_forms_that_are_refused_make_no_token(enter, changes, status, text):
    bob = enter("bob")  # who may only read
    response = create(bob, **changes)
    assert response.status_code == status
    assert text in response.text
    assert numbers_on(bob) == []


def test_a_refused_form_can_be_corrected(ada):
    form = form_of(ada)
    assert create(ada, form=form, name="").status_code == 422
    assert create(ada, form=form, name="CI").status_code == 201  # after the Back button


def test_nobody_has_more_than_twenty_tokens(ada):
    for _ in range(20):
        created(ada)
    response = create(ada)
    assert response.status_code == 422
    assert "20 are allowed: revoke one." in response.text


def test_a_token_never_has_more_scopes_than_its_owner_has_now(app, ada, api, example):
    token, number = created(ada, scope=["notes:read", "notes:write"])
    with app.app_context(), example.database.connection() as database:
        database.execute("UPDATE users SET scopes = 'notes:read' WHERE name = 'ada'")
    assert [api(token), api(token, "POST")] == [200, 403]
    response = ada.post(f"/tokens/{number}/rotate", data={"hours": "24"})
    assert response.status_code == 422
    assert "Missing scopes: notes:write." in response.text
    assert api(token) == 200


def test_the_tokens_of_a_deleted_user_are_refused_also_for_a_new_user_of_that_name(app, enter, api, example):
    bob = enter("bob")
    token, _ = created(bob)
    with app.app_context(), example.database.connection() as database:
        database.execute("DELETE FROM users WHERE name = 'bob'")
    assert api(token) == 401
    assert bob.get("/tokens", headers=LINES).location == "/login?next=/tokens"
    example.create_app()  # makes the demo's users who are missing
    assert api(token) == 401
    assert numbers_on(enter("bob")) == []


def test_an_expired_token_is_refused_and_cannot_be_replaced(app, ada, example):
    token, number = created(ada)
    with app.app_context(), example.database.connection() as database:
        database.execute("UPDATE auth_tokens SET expires_at = '2020-01-01 00:00:00.000000'")
    refused = app.test_client().get("/api/notes", headers={"Authorization": f"Bearer {token}"})
    assert refused.status_code == 401
    assert 'error_description="The credentials have expired."' in refused.headers["WWW-Authenticate"]
    assert numbers_on(ada) == []
    assert ada.post(f"/tokens/{number}/rotate", data={"hours": "24"}).location == "/tokens"
    assert "has ended. Create a new token." in ada.get("/tokens").text


def test_guessed_passwords_and_tokens_are_throttled(app, enter):
    guess = app.test_client()
    statuses = [guess.post("/login", data={"name": "ada", "password": f"no {n}"}).status_code for n in range(6)]
    assert statuses == [422] * 5 + [429]
    assert guess.post("/login", data={"name": "ada", "password": WORD}).status_code == 429
    enter("bob")  # is not concerned
    unknown = {"Authorization": "Bearer nonsense"}
    assert {guess.get("/api/notes", headers=unknown).status_code for _ in range(20)} == {401, 429}


def test_without_a_login_the_pages_lead_to_the_login_page_and_back(app):
    visitor = app.test_client()
    assert visitor.get("/tokens", headers=LINES).location == "/login?next=/tokens"
    refused = visitor.post("/tokens", data={"name": "CI"}, headers=LINES)
    assert refused.status_code == 401
    assert "What you sent was not saved." in refused.text


def test_the_address_of_a_response_leads_to_the_list(ada):
    assert ada.get("/tokens/1/rotate").location == "/tokens"


def test_all_pages_have_a_strict_policy_and_no_script(app, ada):
    _, number = created(ada)
    pages = [app.test_client().get("/login"), ada.get("/tokens"), create(ada), create(ada, name="")]
    pages += [ada.post(f"/tokens/{number}/rotate", data={"hours": "24"}) for _ in range(2)]
    assert [page.status_code for page in pages] == [200, 200, 201, 422, 201, 409]
    for page in pages:
        assert "default-src 'none'" in page.headers["Content-Security-Policy"]
        assert "unsafe" not in page.headers["Content-Security-Policy"]
        assert not re.search(r"<script|<style|\sstyle=|\son\w+=", page.text)


def test_one_command_starts_it(tmp_path):
    folder = tmp_path / "new" / "folder"
    with running("tokens", ("-m", "examples.token_settings"), TOKEN_SETTINGS_DATA=str(folder)) as server:
        page = urllib.request.Request(f"http://127.0.0.1:{server.port}/", headers=LINES)
        with urllib.request.urlopen(page, timeout=20) as response:
            assert "<h1>Log in</h1>" in response.read().decode()
    assert folder.stat().st_mode & 0o077 == 0

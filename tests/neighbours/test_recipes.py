"""The programs of the docs that need other extensions do what the pages say."""

import pytest

from tests.docs.recipes import ADA, BOB, run
from tests.helpers import bearer_header
from tests.test_readme import program_of


def test_rate_limits_per_caller():
    pytest.importorskip("flask_limiter")
    client = run("Rate limits per caller")["app"].test_client()
    statuses = {
        name: [client.get("/", headers=sent).status_code for _ in range(3)]
        for name, sent in {"ada": ADA, "bob": BOB, "anonymous": {}}.items()
    }
    assert statuses == {name: [200, 200, 429] for name in ("ada", "bob", "anonymous")}
    invalid = client.get("/", headers=bearer_header("guess"))  # no caller: counted by address, with the anonymous ones
    elsewhere = client.get("/", headers=bearer_header("guess"), environ_overrides={"REMOTE_ADDR": "192.0.2.1"})
    assert (invalid.status_code, elsewhere.status_code) == (429, 200)


def test_a_user_who_is_named_like_an_address_has_a_limit_of_their_own():
    pytest.importorskip("flask_limiter")
    named = ('"demo-token-of-bob-0123456789": "bob"', '"demo-token-of-bob-0123456789": "127.0.0.1"')
    client = run("Rate limits per caller", named)["app"].test_client()
    assert [client.get("/", headers=sent).status_code for sent in ({}, {}, {}, BOB)] == [200, 200, 429, 200]


@pytest.fixture
def german(tmp_path, monkeypatch):
    """A German translation beside ``app.py``."""
    pytest.importorskip("flask_babel")
    from babel.messages.catalog import Catalog
    from babel.messages.mofile import write_mo

    catalog = Catalog(locale="de")
    catalog.add("Hello", "Hallo")
    catalog.add("These notes are private.", "Diese Notizen sind privat.")
    folder = tmp_path / "translations/de/LC_MESSAGES"
    folder.mkdir(parents=True)
    with (folder / "messages.mo").open("wb") as file:
        write_mo(file, catalog)
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("sent", "hello", "status", "message"),
    [
        (BOB, "Hallo", 403, "Diese Notizen sind privat."),
        (ADA, "Hello", 403, "These notes are private."),
        ({**ADA, "Accept-Language": "de"}, "Hello", 403, "These notes are private."),
        ({"Accept-Language": "de"}, "Hallo", 401, None),
        ({}, "Hello", 401, None),
    ],
)
def test_the_language_of_the_caller(german, sent, hello, status, message):
    client = run("The language of the caller")["app"].test_client()
    assert client.get("/", headers=sent).json == {"hello": hello}
    refused = client.get("/notes", headers=sent)
    assert refused.status_code == status
    assert message is None or refused.json["message"] == message
    page = client.get("/notes", headers={**ADA, "Accept": "text/html"})
    assert "<h1>Not for you</h1>" in page.text


def test_who_created_a_row(tmp_path, monkeypatch):
    pytest.importorskip("sqlalchemy")
    monkeypatch.chdir(tmp_path)
    scope = run("Who created a row")
    client = scope["app"].test_client()
    assert client.post("/notes", json={"text": "call Grace"}).status_code == 401
    answer = client.post("/notes", json={"text": "call Grace"}, headers=ADA)
    assert (answer.status_code, answer.json) == (201, {"id": 1, "created by": "ada"})
    with scope["Session"](scope["engine"]) as session:
        session.add(scope["Note"](text="by a command"))
        session.commit()
        assert [note.created_by for note in session.query(scope["Note"]).order_by("id")] == ["ada", None]
    scope["engine"].dispose()


def test_the_single_page_app_of_the_docs_works():
    """As Chromium sends it: the pages are on another port of the same host, so on another origin of the same site."""
    pytest.importorskip("flask_cors")
    scope = {"__name__": "guide"}
    exec(program_of("Single-page apps", "docs/guides/single-page-app.md"), scope)
    client = scope["app"].test_client()
    origin = {"Origin": "http://localhost:3000"}
    fetch = {
        **origin,
        "Accept": "*/*",
        "Sec-Fetch-Mode": "cors",
        "Sec-Fetch-Site": "same-site",
        "Sec-Fetch-Dest": "empty",
    }
    preflight = {**fetch, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type"}

    def ask(path, method="GET", headers=fetch, **options):
        answer = client.open(path, method=method, headers=headers, base_url="https://localhost:5000", **options)
        if headers["Origin"] == origin["Origin"]:
            assert answer.headers["Access-Control-Allow-Origin"] == origin["Origin"]
            assert answer.headers["Access-Control-Allow-Credentials"] == "true"
        return answer

    for path in ("/api/login", "/api/notes"):
        assert ask(path, "OPTIONS", preflight).status_code == 200
    refused = ask("/api/notes")
    assert (refused.status_code, refused.json["error"]) == (401, "Unauthorized")
    assert refused.headers["WWW-Authenticate"].startswith('Cookie realm="notes"')
    assert "WWW-Authenticate" in refused.headers["Access-Control-Expose-Headers"]
    wrong = ask("/api/login", "POST", json={"name": "ada", "password": "wrong"})
    assert (wrong.status_code, wrong.json["message"]) == (401, "Wrong name or password.")
    evil = {**fetch, "Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}
    right = {"name": "ada", "password": "correct horse"}
    assert ask("/api/login", "POST", evil, json=right).status_code == 403
    assert ask("/api/login", "POST", json=right).json == {"you": "ada"}
    assert ask("/api/notes").json == {"notes of": "ada"}
    assert ask("/api/logout", "POST").status_code == 204
    opened = {**origin, "Accept": "text/html", "Sec-Fetch-Mode": "navigate"}
    assert ask("/api/notes", headers=opened).status_code == 401

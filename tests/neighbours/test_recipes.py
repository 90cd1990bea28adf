"""The programs of docs/recipes.md that need other extensions do what the page says."""

import pytest

from tests.helpers import bearer_header
from tests.test_recipes import ADA, BOB, run


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
    named = ('"token-of-bob": "bob"', '"token-of-bob": "127.0.0.1"')
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

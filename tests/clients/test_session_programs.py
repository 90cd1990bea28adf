"""Programs that keep cookies, at the example with a login page: they log in, and they learn when they are out."""

import pytest

from ..live.conftest import GUNICORN, running
from .conftest import need
from .test_programs import run

NAME, WORD = "grace", "correct horse"
PAGE = "text/html,application/xhtml+xml,*/*;q=0.8"


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    command = (*GUNICORN, "-w", "2", "-k", "gthread", "--threads", "4", "tests.clients.people_app:app")
    with running("people", command, BROWSER_LOGIN_DATA=str(tmp_path_factory.mktemp("notes"))) as server:
        yield f"http://127.0.0.1:{server.port}"


@pytest.fixture
def curl(tmp_path, url):
    """Status, redirect and body of one request with the jar of this test."""

    def call(path, *arguments):
        jar = str(tmp_path / "jar")
        told = "\n%{http_code} %{redirect_url}"
        done = run(need("curl"), "-sS", "-b", jar, "-c", jar, "-w", told, *arguments, url + path, cwd=tmp_path)
        body, _, last = done.stdout.rpartition("\n")
        status, _, target = last.partition(" ")
        return int(status), target.removeprefix(url), body

    return call


def form(word=WORD, name=NAME):
    return ("--data-urlencode", f"name={name}", "--data-urlencode", f"password={word}")


def test_curl_with_a_cookie_jar(curl, tmp_path):
    as_page = ("-H", f"Accept: {PAGE}")
    assert curl("/register", *form(name="hedy"))[:2] == (302, "/")
    assert curl("/logout", "-X", "POST")[:2] == (302, "/login")
    assert curl("/api/notes")[0] == 401
    assert curl("/?q=milk", *as_page)[:2] == (302, "/login?next=/?q%3Dmilk")
    assert curl("/login?next=/?q%3Dmilk", *form("wrong horse", "hedy"))[0] == 422
    assert curl("/login?next=/?q%3Dmilk", *form(name="hedy"))[:2] == (302, "/?q=milk")
    assert curl("/?q=milk", *as_page)[0] == 200
    note = ("-H", "Content-Type: application/json", "-d", '{"text": "a note"}')
    assert curl("/api/notes", *note)[0] == 201
    assert [curl("/api/notes?q=NOTE")[2].count("a note") for _ in range(4)] == [1] * 4
    copied = (tmp_path / "jar").read_text()
    assert curl("/logout", "-X", "POST")[0] == 302
    (tmp_path / "jar").write_text(copied)
    assert {curl("/api/notes")[0] for _ in range(4)} == {401}


def test_curl_fails_at_a_page_that_it_may_not_see(url, tmp_path):
    """``curl -f`` is how scripts find out: a redirect to a login page would look like success."""
    done = run(need("curl"), "-sSf", url + "/api/notes", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (22, "")
    assert "401" in done.stderr


@pytest.mark.parametrize("library", ["requests", "httpx"])
def test_libraries(url, library):
    client = {"requests": _requests, "httpx": _httpx}[library]()
    with client as session:
        answer = session.get(url + "/api/notes")
        assert (answer.status_code, answer.json()["error"]) == (401, "Unauthorized")
        assert answer.headers["WWW-Authenticate"].startswith('Cookie realm="Notes"')
        answer = session.post(url + "/register?next=/api/notes", data={"name": library, "password": WORD})
        assert (answer.status_code, answer.json()) == (200, {"notes": []})
        assert [session.get(url + "/api/notes").status_code for _ in range(4)] == [200] * 4
        assert session.post(url + "/api/notes", json={"text": "x" * 201}).status_code == 400
        assert session.post(url + "/api/notes", json={"text": "milk"}).json()["text"] == "milk"
        copied = session.cookies["session"]
        assert session.post(url + "/logout").url == url + "/login"
        assert session.get(url + "/api/notes").status_code == 401
        session.cookies.clear()
        sent = {"Cookie": f"session={copied}"}
        assert {session.get(url + "/api/notes", headers=sent).status_code for _ in range(4)} == {401}
        foreign = {**sent, "Origin": "https://evil.example"}
        assert (
            session.post(url + "/login", data={"name": library, "password": WORD}, headers=foreign).status_code == 403
        )


def _requests():
    need("requests")
    import requests

    return requests.Session()


def _httpx():
    need("httpx")
    import httpx

    return httpx.Client(follow_redirects=True, timeout=20)

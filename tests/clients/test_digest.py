"""Digest with clients that nobody here wrote, against gunicorn with three workers that share a store."""

import asyncio
import json
import subprocess
import sys
import threading
import time
import urllib.request
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from urllib.parse import urlsplit

import pytest

from ..digest_client import challenge, sent
from ..live.conftest import GUNICORN, running
from .conftest import need
from .test_browser import browser as browser  # the fixture
from .test_programs import curl, run

USER, WORD = "ada", "correct horse"
ODD, ODD_WORD = "Jäsøn Doe", "pw wörd"
WORKERS = (*GUNICORN, "-w", "3", "-k", "gthread", "--threads", "4", "tests.clients.digest_app:app")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("digest")


@pytest.fixture(scope="module")
def url(folder):
    with running("digest", WORKERS, CLIENTS_FILES=str(folder), CLIENTS_STORE=str(folder / "store.db")) as server:
        yield f"http://127.0.0.1:{server.port}"


# --- programs


@pytest.mark.parametrize("way", ["--digest", "--anyauth"])
@pytest.mark.parametrize(
    ("path", "user", "word", "status"),
    [
        ("/strong", USER, WORD, 200),
        ("/strong?a=b%20c&d", USER, WORD, 200),
        ("/md5", USER, WORD, 200),
        ("/old", USER, WORD, 200),
        ("/whole", USER, WORD, 200),
        ("/beside", USER, WORD, 200),
        ("/beside-bearer", USER, WORD, 200),
        ("/strong", ODD, ODD_WORD, 200),
        ("/strong", USER, "wrong", 401),
        ("/strong", "nobody", WORD, 401),
    ],
)
def test_curl(url, way, path, user, word, status):
    found, body = curl(way, "-u", f"{user}:{word}", url + path)
    assert found == status
    assert status == 401 or json.loads(body)["you"] == user


@pytest.mark.parametrize("size", [10_000, 3_000_000])
def test_curl_posts_after_the_challenge(url, size, tmp_path):
    (tmp_path / "body").write_bytes(b"x" * size)
    status, body = curl("--digest", "-u", f"{USER}:{WORD}", "--data-binary", f"@{tmp_path / 'body'}", url + "/strong")
    assert (status, json.loads(body)["body"]) == (200, size)


def test_curl_gets_on_when_its_nonce_is_over(url):
    pages = [url + "/brief", url + "/brief?2"]
    done = run(
        need("curl"), "-sS", "--digest", "-u", f"{USER}:{WORD}", "--rate", "10/m", "-w", "%{http_code}\n", "-o",
        "/dev/null", "-o", "/dev/null", *pages,
    )  # fmt: skip
    assert done.stdout.split() == ["200", "200"]


@pytest.mark.parametrize(("path", "gets_in"), [("/md5", True), ("/old", True), ("/strong", False)])
def test_wget_knows_md5_alone(url, path, gets_in, tmp_path):
    done = run(need("wget"), "-S", "-O-", f"--user={USER}", f"--password={WORD}", url + path, cwd=tmp_path)
    assert (f'"you":"{USER}"' in done.stdout) == gets_in
    assert done.stderr.count("HTTP/1.1 401") <= 2


def test_git_clones_with_digest(url, folder, tmp_path):
    work, bare = tmp_path / "work", folder / "repository.git"
    commit = ("-c", "user.name=Ada", "-c", "user.email=ada@example.org", "commit", "-q", "--allow-empty", "-m", "first")
    bared = ("clone", "-q", "--bare", str(work), str(bare))
    for command in (
        ("init", "-q", str(work)), ("-C", str(work), *commit), bared, ("-C", str(bare), "update-server-info"),
    ):  # fmt: skip
        run(need("git"), *command, cwd=tmp_path).check_returncode()
    address = url.replace("//", f"//{USER}:correct%20horse@") + "/files/repository.git"
    done = run(need("git"), "clone", "-q", address, str(tmp_path / "copy"), cwd=tmp_path, GIT_TERMINAL_PROMPT="0")
    assert (done.returncode, done.stderr) == (0, "")
    assert run("git", "-C", str(tmp_path / "copy"), "log", "--format=%s", cwd=tmp_path).stdout == "first\n"


NPM = """
import DigestClient from 'digest-fetch';
const [address, name, word] = process.argv.slice(2);
const answer = await new DigestClient(name, word, {algorithm: 'MD5'}).fetch(address);
console.log(JSON.stringify([answer.status, (await answer.json()).you ?? null]));
"""


def test_an_npm_client_by_md5_and_node_itself_not_at_all(url, tmp_path):
    need("node")
    subprocess.run(
        [need("npm"), "install", "--no-audit", "--no-fund", "--prefix", str(tmp_path), "digest-fetch@3.1.1"],
        check=True, capture_output=True, timeout=120,
    )  # fmt: skip
    (tmp_path / "client.mjs").write_text(NPM, encoding="utf-8")

    def got(word):
        done = run(need("node"), str(tmp_path / "client.mjs"), url + "/old", USER, word, cwd=tmp_path)
        return json.loads(done.stdout or f'["{done.stderr[-300:]!a}"]')

    assert got(WORD) == [200, USER]
    assert got("wrong") == [401, None]
    script = f"fetch('{url}/strong').then(a => console.log(a.status, a.headers.get('WWW-Authenticate').slice(0, 22)))"
    assert run(need("node"), "-e", script).stdout == '401 Digest realm="clients"\n'[:26] + "\n"


# --- libraries


PATHS = pytest.mark.parametrize("path", ["/strong?a=b%20c", "/md5", "/old", "/beside", "/beside-bearer"])


@PATHS
@pytest.mark.parametrize(("user", "word"), [(USER, WORD), (ODD, ODD_WORD)])
def test_requests(url, path, user, word):
    need("requests")
    import requests
    from requests.auth import HTTPDigestAuth

    with requests.Session() as session:
        session.auth = HTTPDigestAuth(user, word)
        answers = [session.get(url + path, timeout=10) for _ in range(4)]
        assert [answer.json()["you"] for answer in answers] == [user] * 4
        assert [len(answer.history) for answer in answers] == [1, 0, 0, 0]  # the nonce serves on
        posted = session.post(url + path, data=b"x" * 1000, timeout=10)
        assert posted.json()["body"] == 1000
    wrong = requests.get(url + path, auth=HTTPDigestAuth(user, "wrong"), timeout=10)
    assert wrong.status_code == 401


@PATHS
def test_httpx(url, path):
    need("httpx")
    import httpx

    with httpx.Client(auth=httpx.DigestAuth(USER, WORD), timeout=10) as client:
        answers = [client.get(url + path) for _ in range(4)]
        assert [answer.json()["you"] for answer in answers] == [USER] * 4
        assert [len(answer.history) for answer in answers] == [1, 0, 0, 0]
    assert httpx.get(url + path, auth=httpx.DigestAuth(USER, "wrong"), timeout=10).status_code == 401


@pytest.mark.parametrize("path", ["/strong?a=b%20c", "/md5", "/old", "/whole"])
def test_aiohttp(url, path):
    need("aiohttp")
    import aiohttp

    async def ask(word):
        digest = aiohttp.DigestAuthMiddleware(login=USER, password=word)
        async with aiohttp.ClientSession(middlewares=(digest,)) as session:
            found = []
            for method in ("GET", "GET", "POST"):
                body = b"x" * 1000 if method == "POST" else None
                async with session.request(method, url + path, data=body) as answer:
                    found.append((answer.status, (await answer.json()).get("body")))
            return found

    assert asyncio.run(ask(WORD)) == [(200, 0), (200, 0), (200, 1000)]
    assert {status for status, _ in asyncio.run(ask("wrong"))} == {401}


def urllib_get(url, user=USER, word=WORD):
    manager = urllib.request.HTTPPasswordMgrWithDefaultRealm()
    manager.add_password(None, url, user, word)
    opener = urllib.request.build_opener(urllib.request.HTTPDigestAuthHandler(manager))
    with opener.open(url, timeout=10) as answer:
        return json.load(answer)["you"]


@pytest.mark.parametrize("path", ["/old", "/first-md5"])
def test_urllib_looks_at_the_first_challenge_and_knows_md5(url, path):
    assert urllib_get(url + path) == USER


@pytest.mark.skipif(sys.version_info >= (3, 14), reason="urllib knows SHA-256 since Python 3.14")
@pytest.mark.parametrize("path", ["/strong", "/md5"])
def test_urllib_raises_where_another_algorithm_goes_first(url, path):
    """F-41: the docs say to put MD5 first for it."""
    with pytest.raises(ValueError, match="Unsupported digest authentication algorithm"):
        urllib_get(url + path)


# F-60
@pytest.mark.parametrize(("path", "algorithm"), [("/md5", "SHA-256"), ("/first-md5", "MD5")])
def test_curl_takes_the_first_algorithm(url, path, algorithm):
    done = run(need("curl"), "-sSv", "--digest", "-u", f"{USER}:{WORD}", "-w", "%{http_code}", url + path)
    assert done.stdout.endswith("200")
    [line] = [line for line in done.stderr.splitlines() if line.startswith("> Authorization: ") and "response=" in line]
    assert f"algorithm={algorithm}" in line.split(", ")


# F-40
@pytest.mark.parametrize("client", ["requests", "httpx"])
def test_clients_go_on_where_a_nonce_serves_once(url, client):
    """Each request but the first takes two round trips, and none asks the user again."""
    need(client)
    import httpx
    import requests
    from requests.auth import HTTPDigestAuth

    with requests.Session() if client == "requests" else httpx.Client(timeout=10) as session:
        session.auth = HTTPDigestAuth(USER, WORD) if client == "requests" else httpx.DigestAuth(USER, WORD)
        answers = [session.get(url + "/once") for _ in range(4)]
        assert [answer.json()["you"] for answer in answers] == [USER] * 4
        assert [len(answer.history) for answer in answers] == [1] * 4


# F-61
DOMAIN_USER, DOMAIN_WORD = "DOMAIN\\user", "pw"


@pytest.mark.parametrize("word", [DOMAIN_WORD, "wrong"])
@pytest.mark.parametrize("client", ["curl", "wget", "requests", "httpx"])
def test_a_name_with_a_backslash(url, client, word, tmp_path):
    """curl escapes it, the others don't."""
    need(client)
    status = 200 if word == DOMAIN_WORD else 401
    if client == "curl":
        got, body = curl("--digest", "-u", f"{DOMAIN_USER}:{word}", url + "/md5")
        name = json.loads(body).get("you")
    elif client == "wget":
        done = run("wget", "-q", "-O-", f"--user={DOMAIN_USER}", f"--password={word}", url + "/old", cwd=tmp_path)
        name = json.loads(done.stdout or "{}").get("you")
        got = 200 if name else 401
    else:
        import httpx
        import requests
        from requests.auth import HTTPDigestAuth

        digest = HTTPDigestAuth(DOMAIN_USER, word) if client == "requests" else httpx.DigestAuth(DOMAIN_USER, word)
        answer = (requests if client == "requests" else httpx).get(url + "/md5", auth=digest, timeout=10)
        got, name = answer.status_code, answer.json().get("you")
    assert (got, name) == (status, DOMAIN_USER if status == 200 else None)


# --- browsers


@pytest.mark.parametrize("path", ["/strong", "/md5"])
def test_chromium_asks_and_gets_in(browser, url, path):
    assert json.loads(browser.open(url + path, (USER, WORD)))["you"] == USER
    assert [scheme.lower() for scheme in browser.asked] == ["digest"]
    browser.asked = []
    script = f"Promise.all([1, 2, 3, 4, 5, 6].map(n => fetch('{path}?' + n).then(a => a.status)))"
    assert browser.run(script) == [200] * 6  # at once, with counts in any order
    assert browser.asked == []


def test_chromium_asks_again_for_a_wrong_password_and_not_for_an_old_nonce(browser, url):
    assert "That name or password was not accepted" in browser.open(url + "/strong", (USER, "wrong"))
    assert len(browser.asked) == 2
    browser.open(url + "/brief", (USER, WORD))
    browser.asked = []
    time.sleep(5.5)
    assert browser.run("fetch('/brief').then(a => a.status)") == 200
    assert browser.asked == []


def test_a_script_is_not_asked_where_another_scheme_is_in_force(browser, url):
    browser.open(url + "/page")
    script = "fetch('/beside-bearer').then(a => [a.status, a.headers.get('WWW-Authenticate')])"
    assert browser.run(script) == [401, 'Bearer realm="clients"']
    assert browser.asked == []


# --- several workers


def test_one_answer_counts_once_among_all_workers(url):
    host = urlsplit(url).netloc

    def get(headers):
        connection = HTTPConnection(host, timeout=10)
        try:
            connection.request("GET", "/strong", headers=headers)
            answer = connection.getresponse()
            body = answer.read()
            return answer.status, answer.headers["WWW-Authenticate"], body
        finally:
            connection.close()

    workers = Counter()
    for _ in range(15):
        told = challenge(get({})[1])
        headers = sent(told, uri="/strong")
        begin = threading.Barrier(8)

        def race(headers=headers, begin=begin):
            begin.wait()
            return get(headers)

        with ThreadPoolExecutor(8) as pool:
            answers = [future.result() for future in [pool.submit(race) for _ in range(8)]]
        assert sorted(status for status, _, _ in answers) == [200] + [401] * 7
        assert all("stale=true" in line for status, line, _ in answers if status == 401)
        workers.update(json.loads(body)["worker"] for status, _, body in answers if status == 200)
    assert len(workers) > 1


def test_a_restart_of_all_workers_locks_nobody_out(folder):
    """Stale at most, and never a new question for the password."""
    need("requests")
    import requests
    from requests.auth import HTTPDigestAuth

    environ = {"CLIENTS_FILES": str(folder), "CLIENTS_STORE": str(folder / "restarted.db")}
    digest = HTTPDigestAuth(USER, WORD)
    for _ in range(2):
        with running("digest", WORKERS, **environ) as server:
            address = f"http://127.0.0.1:{server.port}/strong"
            answers = [requests.get(address, auth=digest, timeout=10) for _ in range(3)]
            assert [answer.status_code for answer in answers] == [200] * 3

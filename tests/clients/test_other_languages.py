"""Libraries of Ruby, PHP and Go: how each answers a challenge, and how it shows a refusal."""

import json
from pathlib import Path

import pytest

from .conftest import Tools, need, need_library
from .test_programs import run

HERE = Path(__file__).parent
USER, WORD = "ada", "correct-horse"
RUBY = ("mechanize", "httparty")
PHP = ("curl", "guzzle", "soap", "stream")
ALL = (*RUBY, *PHP, "go")
NEEDS = {
    "curl": "exit((int) !function_exists('curl_init'));",
    "guzzle": "exit((int) !(@include 'GuzzleHttp/autoload.php'));",
    "soap": "exit((int) !class_exists('SoapClient'));",
    "stream": "",
}
Answer = tuple[int | None, str, str | None]  # the status, the body or message, the class of the exception or the error


@pytest.fixture(scope="session")
def go(tmp_path_factory):
    """The client in Go, compiled without any module but the standard library's."""
    folder = tmp_path_factory.mktemp("go")
    program = folder / "client"
    command = (need("go"), "build", "-o", str(program), str(HERE / "client.go"))
    done = run(*command, cwd=folder, GO111MODULE="off", GOCACHE=str(folder / "cache"))
    assert done.returncode == 0, done.stderr
    return str(program)


@pytest.fixture
def ask(request, tools, tmp_path):
    """Sends requests of these sizes (0: a GET, else a POST) with one object of a library."""

    def ask(library: str, path: str, sizes: list[int], **given: str) -> list[Answer]:
        if library in RUBY:
            command = [need_library("ruby", "-e", f"require '{library}'"), str(HERE / "client.rb")]
        elif library in PHP:
            command = [need_library("php", "-r", NEEDS[library]), str(HERE / "client.php")]
        else:
            command = [request.getfixturevalue("go")]
        text = json.dumps({"library": library, "url": tools.url + path, "sizes": sizes, **given})
        done = run(*command, cwd=tmp_path, stdin=text)
        assert done.returncode == 0, done.stderr
        return [tuple(answer) for answer in json.loads(done.stdout)]

    return ask


def place(library: str, way: str) -> str:
    return f"/{way}/{'soap' if library == 'soap' else 'echo'}"


def got_in(library: str, answers: list[Answer], sizes: list[int]) -> bool:
    """Whether every request was accepted, with its whole body."""
    if library == "soap":
        return answers == [(200, USER, None)] * len(sizes)
    return [(status, json.loads(body)) for status, body, _ in answers] == [
        (200, {"you": USER, "body": size}) for size in sizes
    ]


def refused(library: str, answer: Answer) -> bool:
    """Whether this is how the library shows a 401, by its own documentation."""
    status, text, error = answer
    if library == "mechanize":
        return (status, error) == (401, "Mechanize::UnauthorizedError")
    if library == "guzzle":
        return (status, error) == (401, "GuzzleHttp\\Exception\\ClientException")
    if library == "soap":
        return (text.upper(), error) == ("UNAUTHORIZED", "SoapFault")
    if library == "stream":
        return "HTTP request failed! HTTP/1.1 401 " in text
    return (status, error, json.loads(text)["error"]) == (401, None, "Unauthorized")


# --- passwords and tokens


@pytest.mark.parametrize("way", ["basic", "bearer-basic"])
@pytest.mark.parametrize("library", ALL)
def test_a_password(tools, ask, library, way):
    sizes = [0, 0, 1000, 5_000_000]
    path = place(library, way)
    assert got_in(library, ask(library, path, sizes, user=USER, word=WORD, way="basic"), sizes)
    # Mechanize alone waits for a challenge.
    expected = [200] * 4 if library != "mechanize" else [401, *[200] * 4]
    assert [line["status"] for line in tools.sent(path)] == expected


@pytest.mark.parametrize("way", ["bearer", "bearer-basic"])
@pytest.mark.parametrize("library", ALL)
def test_a_token(ask, library, way):
    sizes = [0, 0, 1000, 5_000_000]
    assert got_in(library, ask(library, place(library, way), sizes, token="good"), sizes)


@pytest.mark.parametrize("way", ["url", "chunked"])
def test_go_with_a_password_in_the_url_and_with_a_body_of_unknown_length(ask, way):
    sizes = [1000, 20_000_000]
    assert got_in("go", ask("go", "/basic/echo", sizes, user=USER, word=WORD, way=way), sizes)
    answers = ask("go", "/basic/echo", sizes, user=USER, word="wrong", way=way)
    assert all(refused("go", answer) for answer in answers)


# F-10 with more clients: a body that was not read ends no connection.
@pytest.mark.parametrize("given", [{}, {"user": USER, "word": "wrong", "way": "basic"}, {"token": "bad"}])
@pytest.mark.parametrize("library", ALL)
def test_a_refusal_is_shown_as_401_and_ends(tools, ask, library, given):
    sizes = [0, 500_000, 20_000_000, 0]
    path = place(library, "bearer-basic")
    answers = ask(library, path, sizes, **given)
    assert [refused(library, answer) for answer in answers] == [True] * 4, answers
    # Mechanize repeats the first request with its password.
    assert len(tools.sent(path)) <= 5


# --- Digest

ALGORITHMS = {
    "mechanize": {"md5": "MD5", "md5-first": "MD5"},
    "httparty": {"md5": "MD5", "sha256-first": "MD5"},
    "curl": {"md5": "MD5", "md5-first": "MD5", "sha256": "SHA-256", "sha256-first": "SHA-256"},
    "guzzle": {"md5": "MD5", "md5-first": "MD5", "sha256": "SHA-256", "sha256-first": "SHA-256"},
    "soap": {"md5": "MD5", "md5-first": "MD5"},
}
"""For each library and choice of algorithms, the one by which it gets in. Where there is none, it doesn't."""


# F-41, F-60
@pytest.mark.parametrize("way", ["sha256", "sha256-first", "md5-first", "md5"])
@pytest.mark.parametrize("library", ALGORITHMS)
def test_digest_by_the_order_of_algorithms(tools, ask, library, way):
    algorithm = ALGORITHMS[library].get(way)
    sizes = [0, 0, 1000, 5_000_000] if algorithm else [0]
    path = place(library, way)
    answers = ask(library, path, sizes, user=USER, word=WORD, way="digest")
    if algorithm is None:
        [(_, text, error)] = answers
        if library == "mechanize":
            assert (text, error) == ('unknown algorithm "SHA-256"', "Net::HTTP::DigestAuth::Error")
        else:
            assert refused(library, answers[0])
        assert len(tools.sent(path)) <= 2
        return
    assert got_in(library, answers, sizes)
    accepted = [line for line in tools.sent(path) if line["status"] == 200]
    assert {(line["scheme"], line["algorithm"]) for line in accepted} == {("Digest", algorithm)}
    assert len(accepted) == 4


# F-38
def test_mechanize_counts_from_zero(tools, ask):
    sizes = [0, 0, 0, 1000]
    assert got_in("mechanize", ask("mechanize", "/md5/echo?a=b%20c", sizes, user=USER, word=WORD), sizes)
    sent = [(line["status"], line["nc"]) for line in tools.sent("/md5/echo")]
    assert sent == [(401, ""), *((200, f"0000000{count}") for count in range(4))]


def test_mechanize_wants_a_digest_password_escaped(ask):
    """It puts name and password into a URL, where a space may not stand."""
    [(_, _, error)] = ask("mechanize", "/md5/echo", [0], user="grace", word="pass word")
    assert error == "URI::InvalidComponentError"
    [(status, body, _)] = ask("mechanize", "/md5/echo", [0], user="grace", word="pass%20word")
    assert (status, json.loads(body)["you"]) == (200, "grace")


@pytest.mark.parametrize("library", ALGORITHMS)
def test_a_wrong_digest_password_ends(tools, ask, library):
    path = place(library, "md5")
    answers = ask(library, path, [0, 0], user=USER, word="wrong", way="digest")
    assert [refused(library, answer) for answer in answers] == [True] * 2
    assert len(tools.sent(path)) <= 5


@pytest.mark.parametrize(
    ("library", "goes_on"), [("curl", True), ("guzzle", True), ("mechanize", False), ("soap", False)]
)
def test_who_goes_on_when_a_nonce_serves_no_more(ask, library, goes_on):
    """Mechanize and SoapClient take no second nonce in the life of an object, though ``stale=true`` says so."""
    answers = ask(library, place(library, "once"), [0, 0, 1000], user=USER, word=WORD, way="digest")
    assert answers[0][0] == 200
    if goes_on:
        assert got_in(library, answers, [0, 0, 1000])
    else:
        assert [refused(library, answer) for answer in answers[1:]] == [True] * 2


@pytest.mark.parametrize("library", ["curl", "guzzle", "mechanize", "soap"])
def test_digest_with_authentication_info(ask, library):
    sizes = [0, 0, 1000]
    answers = ask(library, place(library, "mutual"), sizes, user=USER, word=WORD, way="digest")
    assert got_in(library, answers, sizes)


@pytest.mark.parametrize(
    ("library", "scheme"), [("curl", "Digest"), ("guzzle", "Digest"), ("mechanize", "Digest"), ("soap", "Basic")]
)
def test_digest_beside_basic(tools: Tools, ask, library, scheme):
    """SoapClient sends its first request with Basic, whatever ``authentication`` says."""
    path = place(library, "basic-md5-first")
    assert got_in(library, ask(library, path, [0, 0], user=USER, word=WORD, way="digest"), [0, 0])
    assert {line["scheme"] for line in tools.sent(path) if line["status"] == 200} == {scheme}

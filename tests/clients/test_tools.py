"""rclone and cadaver, which copy files by WebDAV, and Prometheus, which scrapes: passwords, tokens, refusals."""

import http.client
import json
import subprocess
import time

import pytest

from tests.helpers import free_port

from .conftest import need
from .test_programs import run

USER, WORD = "ada", "correct-horse"


@pytest.fixture
def big(tmp_path):
    """A file that is larger than all buffers between the client and the app."""
    file = tmp_path / "big.bin"
    file.write_bytes(b"x" * 20_000_000)
    return file


# --- rclone


@pytest.fixture
def rclone(tmp_path):
    """Runs rclone, without a configuration file."""
    program = need("rclone")
    (tmp_path / "rclone.conf").write_text("")

    def rclone(*arguments: str) -> subprocess.CompletedProcess[str]:
        return run(program, *arguments, cwd=tmp_path, stdin="", RCLONE_CONFIG=str(tmp_path / "rclone.conf"))

    return rclone


@pytest.fixture
def webdav(rclone, tools):
    """The options of rclone's WebDAV for a way in."""

    def webdav(way: str, word: str | None = None, *more: str) -> list[str]:
        options = ["--webdav-url", f"{tools.url}/{way}/dav/", *more]
        if word is not None:
            options += ["--webdav-user", USER, "--webdav-pass", rclone("obscure", word).stdout.strip()]
        return options

    return webdav


@pytest.mark.parametrize("way", ["basic", "bearer-basic", "basic-md5-first"])
def test_rclone_with_a_password(tools, rclone, webdav, way, big):
    done = rclone("copy", str(big), ":webdav:", *webdav(way, WORD))
    assert (done.returncode, (tools.folder / "big.bin").read_bytes()) == (0, big.read_bytes()), done.stderr
    assert rclone("lsf", ":webdav:", *webdav(way, WORD)).stdout == "big.bin\n"


@pytest.mark.parametrize("way", ["bearer", "bearer-basic"])
@pytest.mark.parametrize(
    "options",
    [("--webdav-bearer-token", "good"), ("--webdav-bearer-token-command", "echo good")],
    ids=["token", "command"],
)
def test_rclone_with_a_token(tools, rclone, webdav, way, options):
    (tools.folder / "hello.txt").write_text("hello")
    assert rclone("cat", ":webdav:hello.txt", *webdav(way, None, *options)).stdout == "hello"


@pytest.mark.parametrize(
    ("way", "word", "options", "most"),
    [
        ("basic", "wrong", (), 1),
        ("sha256", WORD, (), 1),  # it knows no Digest
        ("md5", WORD, (), 1),
        ("bearer", None, ("--webdav-bearer-token", "bad"), 1),
        ("bearer", None, ("--webdav-bearer-token-command", "echo bad"), 10),  # its --low-level-retries
    ],
)
def test_rclone_gives_up(tools, rclone, webdav, way, word, options, most):
    done = rclone("lsf", ":webdav:", *webdav(way, word, *options))
    assert done.returncode == 1
    assert "401 UNAUTHORIZED" in done.stderr
    assert 1 <= len(tools.sent(f"/{way}/dav/")) <= most


def test_rclone_tries_an_upload_three_times(tools, rclone, webdav, big):
    """As often as its ``--retries`` says."""
    done = rclone("copy", str(big), ":webdav:", *webdav("basic", "wrong"))
    assert done.returncode == 1
    assert "401 UNAUTHORIZED" in done.stderr
    assert len(tools.sent("/basic/dav/big.bin")) == 3
    assert not (tools.folder / "big.bin").exists()


@pytest.mark.parametrize(
    ("user", "headers", "gets_in"),
    [
        ("", ("--http-headers", "Authorization,Bearer good"), True),
        ("", ("--http-headers", "Authorization,Bearer bad"), False),
        (f"{USER}:{WORD}@", (), True),
        (f"{USER}:wrong@", (), False),
        ("", (), False),
    ],
)
def test_rclone_by_http(tools, rclone, user, headers, gets_in):
    (tools.folder / "hello.txt").write_text("hello")
    url = tools.url.replace("//", f"//{user}") + "/bearer-basic/dav/"
    done = rclone("cat", ":http:hello.txt", "--http-url", url, *headers)
    if gets_in:
        assert (done.returncode, done.stdout) == (0, "hello")
    else:
        assert (done.returncode, done.stdout) == (1, "")
        assert "401 UNAUTHORIZED" in done.stderr


# --- cadaver


@pytest.fixture
def cadaver(tools, tmp_path):
    """Opens the folder and gives commands, with a password from ~/.netrc."""
    program = need("cadaver")

    def cadaver(way: str, word: str | None, *commands: str) -> str:
        if word is not None:
            (tmp_path / ".netrc").write_text(f"machine 127.0.0.1 login {USER} password {word}\n")
        script = "\n".join([f"open {tools.url}/{way}/dav/", *commands, "quit", ""])
        return run(program, cwd=tmp_path, stdin=script).stdout

    return cadaver


@pytest.mark.parametrize(
    ("way", "scheme", "algorithm"),
    [
        ("basic", "Basic", ""),
        ("bearer-basic", "Basic", ""),
        ("sha256", "Digest", "SHA-256"),
        ("sha256-first", "Digest", "SHA-256"),
        ("md5-first", "Digest", "SHA-256"),  # it takes the strongest in whatever order
        ("md5", "Digest", "MD5"),
        ("once", "Digest", "SHA-256"),
        ("mutual", "Digest", "SHA-256"),  # and verifies rspauth
        ("basic-md5-first", "Digest", "SHA-256"),
    ],
)
def test_cadaver(tools, cadaver, way, scheme, algorithm, tmp_path, big):
    (tools.folder / "hello.txt").write_text("hello")
    text = cadaver(way, WORD, "ls", f"put {big} big.bin", f"get hello.txt {tmp_path / 'got.txt'}", "delete hello.txt")
    assert text.count("succeeded.") == 4, text
    assert (tmp_path / "got.txt").read_text() == "hello"
    assert {file.name: file.stat().st_size for file in tools.folder.iterdir()} == {"big.bin": 20_000_000}
    asked = [line for name in ("", "big.bin", "hello.txt") for line in tools.sent(f"/{way}/dav/{name}")]
    accepted = [line for line in asked if line["status"] < 300]
    assert {(line["scheme"], line["algorithm"]) for line in accepted} == {(scheme, algorithm)}
    # A one-time nonce costs each request a second round trip, and no question for the password.
    assert len(asked) - len(accepted) == (len(accepted) if way == "once" else 1)


@pytest.mark.parametrize(
    ("way", "reason"),
    [
        ("basic", "rejected Basic challenge"),
        ("md5-first", "rejected Digest challenge"),
        ("bearer", "ignored Bearer challenge"),
    ],
)
@pytest.mark.parametrize("word", ["wrong", None])
def test_cadaver_gives_up(tools, cadaver, way, reason, word):
    text = cadaver(way, word)
    assert "Could not authenticate to server" in text
    assert reason in text
    assert len(tools.sent(f"/{way}/dav/")) <= 3


# --- Prometheus

JOBS = {
    "basic": ("/basic/metrics", {"basic_auth": {"username": USER, "password": WORD}}, True),
    "wrong password": ("/basic/metrics", {"basic_auth": {"username": USER, "password": "wrong"}}, False),
    "bearer": ("/bearer/metrics", {"authorization": {"credentials": "good"}}, True),
    "bearer beside basic": ("/bearer-basic/metrics", {"authorization": {"credentials": "good"}}, True),
    "wrong token": ("/bearer/metrics", {"authorization": {"credentials": "bad"}}, False),
    "nothing": ("/bearer-basic/metrics", {}, False),
    "digest": ("/sha256/metrics", {"basic_auth": {"username": USER, "password": WORD}}, False),  # it knows none
}


def test_prometheus(tools, tmp_path):
    jobs = [
        {
            "job_name": name, "metrics_path": path, **credentials,
            "static_configs": [{"targets": [tools.url.removeprefix("http://")]}],
        }
        for name, (path, credentials, _) in JOBS.items()
    ]  # fmt: skip
    times = {"scrape_interval": "2s", "scrape_timeout": "2s"}
    # YAML is a superset of JSON.
    (tmp_path / "prometheus.yml").write_text(json.dumps({"global": times, "scrape_configs": jobs}))
    port = free_port()
    command = [
        need("prometheus"), f"--config.file={tmp_path / 'prometheus.yml'}", f"--storage.tsdb.path={tmp_path / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
    ]  # fmt: skip
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    refused = "server returned HTTP status 401 UNAUTHORIZED"
    expected = {name: ("up", "") if good else ("down", refused) for name, (*_, good) in JOBS.items()}
    targets: dict[str, tuple[str, str]] = {}
    until = time.monotonic() + 30
    try:
        while targets != expected and time.monotonic() < until:
            time.sleep(0.2)
            targets = _targets(port)
    finally:
        process.kill()
        process.wait()
    assert targets == expected


def _targets(port: int) -> dict[str, tuple[str, str]]:
    """Health and last error of each target; nothing before Prometheus is ready."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/api/v1/targets")
        answer = connection.getresponse()
        targets = json.load(answer)["data"]["activeTargets"] if answer.status == 200 else []
    except OSError:
        return {}
    finally:
        connection.close()
    return {target["labels"]["job"]: (target["health"], target["lastError"]) for target in targets}

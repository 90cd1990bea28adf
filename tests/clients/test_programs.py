"""Programs that nobody here wrote: each gets in by its own way of answering a challenge, and none loops."""

import json
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote

import pytest

from .conftest import USER, WORD, need


def run(
    *command: str, cwd: Path | None = None, stdin: str | None = None, **environ: str
) -> subprocess.CompletedProcess[str]:
    """With ``stdin`` the program has no terminal either, from which it could ask for a password."""
    clean = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C.UTF-8", "HOME": str(cwd or "/nonexistent"), **environ}
    return subprocess.run(
        command, capture_output=True, text=True, timeout=60, cwd=cwd, env=clean, check=False,
        input=stdin, start_new_session=stdin is not None,
    )  # fmt: skip


# --- curl


def curl(*arguments: str, cwd: Path | None = None) -> tuple[int, str]:
    """The status, and the body of the last answer."""
    done = run(need("curl"), "-sS", "-w", "\n%{http_code} %{num_connects}", *arguments, cwd=cwd)
    body, _, status = done.stdout.rpartition("\n")
    return int(status.split()[0]), body


@pytest.mark.parametrize(
    ("arguments", "path", "status"),
    [
        ((), "/any", 401),
        (("--oauth2-bearer", "good"), "/bearer", 200),
        (("--oauth2-bearer", "good"), "/any", 200),
        (("--oauth2-bearer", "bad"), "/any", 401),
        (("--basic", "-u", f"{USER}:{WORD}"), "/any", 200),
        (("--basic", "-u", f"{USER}:{WORD}"), "/basic", 200),
        (("--basic", "-u", f"{USER}:wrong"), "/any", 401),
        (("--anyauth", "-u", f"{USER}:{WORD}"), "/any", 200),
        (("--anyauth", "-u", f"{USER}:{WORD}"), "/basic", 200),
        (("--anyauth", "-u", f"{USER}:wrong"), "/any", 401),
        (("--anyauth", "-u", f"{USER}:{WORD}"), "/bearer", 401),
        (("-H", "X-API-Key: good"), "/key", 200),
        (("-H", "X-API-Key: good"), "/any", 200),
    ],
)
def test_curl(url, arguments, path, status):
    assert curl(*arguments, url + path)[0] == status


def test_curl_with_a_netrc_file(url, tmp_path):
    (tmp_path / "netrc").write_text(f'machine 127.0.0.1 login {USER} password "{WORD}"\n', encoding="utf-8")
    status, body = curl("--netrc-file", str(tmp_path / "netrc"), url + "/basic")
    assert (status, json.loads(body)) == (200, {"you": USER})


# --- wget


# wget 1.21 looks at the last challenge only, takes any name with a B for Basic, and aborts (SIGABRT) at most others: an
# app that offers API keys beside passwords and has wget as a client ends its challenge_order with Basic or Bearer.
@pytest.mark.parametrize("path", ["/basic", "/two"])
def test_wget_answers_the_challenge(url, path, tmp_path):
    done = run(need("wget"), "-S", "-O-", f"--user={USER}", f"--password={WORD}", url + path, cwd=tmp_path)
    assert json.loads(done.stdout) == {"you": USER}
    assert done.stderr.count("HTTP/1.1 401") == 1


@pytest.mark.parametrize("arguments", [(), (f"--user={USER}", "--password=wrong")])
def test_wget_gives_up(url, arguments, tmp_path):
    done = run(need("wget"), "-S", "-O-", *arguments, url + "/two", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (6, "")  # its manual: authentication failure
    assert done.stderr.count("HTTP/1.1 401") <= 2


# --- HTTPie


@pytest.mark.parametrize(
    ("arguments", "path", "status"),
    [
        ((), "/any", 401),
        (("-a", f"{USER}:{WORD}"), "/any", 200),
        (("-a", f"{USER}:wrong"), "/basic", 401),
        (("-A", "bearer", "-a", "good"), "/bearer", 200),
        (("-A", "bearer", "-a", "bad"), "/any", 401),
        (("X-API-Key:good",), "/key", 200),
    ],
)
def test_httpie(url, arguments, path, status, tmp_path):
    need("httpie")
    options = [part for part in arguments if not part.startswith("X-")]
    fields = [part for part in arguments if part.startswith("X-")]
    done = run(sys.executable, "-m", "httpie", "--ignore-stdin", "-p", "h", *options, url + path, *fields, cwd=tmp_path)
    assert done.stdout.startswith(f"HTTP/1.1 {status} ")


# --- Node

NODE = """
const [url, authorization] = process.argv.slice(1)
const answer = await fetch(url, {headers: authorization ? {authorization} : {}})
console.log(JSON.stringify([answer.status, answer.headers.get("www-authenticate"), await answer.json()]))
"""


@pytest.mark.parametrize(("credentials", "status"), [("", 401), ("Bearer bad", 401), ("Bearer good", 200)])
def test_node_fetch(url, credentials, status):
    done = run(need("node"), "--input-type=module", "-e", NODE, "--", url + "/any", credentials)
    found, challenge, body = json.loads(done.stdout)
    assert found == status
    if status == 401:
        assert body["error"] == "Unauthorized"
        # A program, though it says Sec-Fetch-Mode: it is told of passwords too.
        assert challenge.startswith('Basic realm="clients", charset="UTF-8", Bearer realm="clients"')


# --- git and pip, which only know passwords


def test_git_clones_behind_a_password(url, files, tmp_path):
    git = need("git")
    work, bare = tmp_path / "work", files / "repo.git"
    identity = {
        "GIT_AUTHOR_NAME": "a",
        "GIT_AUTHOR_EMAIL": "a@b",
        "GIT_COMMITTER_NAME": "a",
        "GIT_COMMITTER_EMAIL": "a@b",
    }
    run(git, "init", "-q", str(work), cwd=tmp_path)
    (work / "hello.txt").write_text("hello")
    run(git, "add", "-A", cwd=work)
    run(git, "commit", "-qm", "first", cwd=work, **identity)
    run(git, "clone", "-q", "--bare", str(work), str(bare), cwd=tmp_path)
    run(git, "update-server-info", cwd=bare)
    address = f"{url}/files/repo.git".replace("//", f"//{USER}:{quote(WORD)}@")
    done = run(git, "clone", "-q", address, str(tmp_path / "copy"), cwd=tmp_path, GIT_TERMINAL_PROMPT="0")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "copy" / "hello.txt").read_text() == "hello"
    for bad in (url, url.replace("//", f"//{USER}:wrong@")):
        done = run(
            git, "clone", "-q", bad + "/files/repo.git", str(tmp_path / "no"), cwd=tmp_path, GIT_TERMINAL_PROMPT="0"
        )
        assert done.returncode == 128
        assert "Authentication failed" in done.stderr or "could not read Username" in done.stderr


def test_pip_installs_behind_a_password(url, files, tmp_path):
    index = files / "simple" / "hello-from-here"
    index.mkdir(parents=True)
    wheel = "hello_from_here-1.0-py3-none-any.whl"
    _write_wheel(index / wheel)
    (index / "index.html").write_text(f'<!doctype html><a href="{wheel}">{wheel}</a>')
    pip = [sys.executable, "-m", "pip", "--isolated", "--disable-pip-version-check", "--no-input"]
    fetch = [*pip, "download", "--no-deps", "-d", str(tmp_path / "got")]
    for user, status in ((f"{USER}:{quote(WORD)}@", 0), (f"{USER}:wrong@", 1), ("", 1)):
        address = f"{url}/files/simple/".replace("//", f"//{user}", 1)
        done = run(*fetch, "-i", address, "hello-from-here", cwd=tmp_path)
        assert done.returncode == status, done.stderr
    assert (tmp_path / "got" / wheel).exists()


def _write_wheel(path: Path) -> None:
    import zipfile

    with zipfile.ZipFile(path, "w") as archive:
        info = "hello_from_here-1.0.dist-info"
        archive.writestr("hello_from_here.py", "")
        archive.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: hello-from-here\nVersion: 1.0\n")
        archive.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{info}/RECORD", "")

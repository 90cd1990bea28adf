"""The guides of tokens and keys do what they show: each command of a page runs after the program above it.

A page is played from its first line to its last. A whole program becomes ``app.py``, ``flask run`` serves it, and the
shell remembers its variables. In the output, ``…`` stands for what differs each time.
"""

import hashlib
import hmac
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, Response

from flask_unauthorized import (
    APIKey,
    Auth,
    AuthUnavailable,
    Basic,
    Bearer,
    Digest,
    ExpiredCredentials,
    Identity,
    InvalidCredentials,
    RevokedCredentials,
    Scheme,
    TooManyAttempts,
)
from flask_unauthorized.testing import assert_sound

from .pages import ROOT, blocks, commands, environment, missing_lines
from .test_tutorial import Terminal

BLOCK = re.compile(r"^```(python|console)\n(.*?)^```", re.DOTALL | re.MULTILINE)
GUIDES = {
    "api-keys": (), "digest": (), "loaders": ("cryptography", "jwt"), "own-scheme": (), "passwords": (),
    "refresh-tokens": ("sqlalchemy",), "tokens": ("sqlalchemy",), "webhooks": (),
}  # fmt: skip
"""The pages, and what their programs import besides Flask and this package."""


def play(page: str, folder: Path, variables: Path) -> None:
    """Run the programs and commands of a page in their order, and compare what they print."""
    text = (ROOT / page).read_text(encoding="utf-8")
    terminal, typed = Terminal(folder, variables), 0
    with terminal.server:
        for found in BLOCK.finditer(text):
            language, block = found.groups()
            if language == "python":
                if not block.startswith("# a part of"):
                    terminal.server.close()
                    (folder / "app.py").write_text(block, encoding="utf-8")
                continue
            for command, lines in commands(block):
                printed = terminal.flask_run() if command == "flask run" else terminal.type(command)
                assert not missing_lines(lines, printed), f"$ {command}\n{printed}"
                typed += 1
    assert typed, f"{page} shows no command"


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
@pytest.mark.parametrize("guide", GUIDES)
def test_the_guide_works_as_it_says(tmp_path, guide):
    for name in GUIDES[guide]:
        pytest.importorskip(name)
    folder = tmp_path / "app"
    folder.mkdir()
    play(f"docs/guides/{guide}.md", folder, tmp_path / "variables")


def program(guide: str, number: int = 0) -> dict[str, Any]:
    """Return the names of a whole program of a guide."""
    whole = [block for block in blocks(f"docs/guides/{guide}.md", "python") if not block.startswith("# a part of")]
    scope: dict[str, Any] = {"__name__": "app"}
    exec(compile(whole[number], "app.py", "exec"), scope)
    return scope


BODY = b"Hello, World!"
SIGNATURE = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
"""The example in the documentation of GitHub, for the secret "It's a Secret to Everybody"."""


@pytest.mark.parametrize(
    ("signature", "body", "status"),
    [
        (SIGNATURE, BODY, 200), (SIGNATURE, BODY + b"\n", 401), (SIGNATURE, b"", 401), (None, BODY, 401),
        ("", BODY, 401), ("sha256=", BODY, 401), (SIGNATURE.upper(), BODY, 401), (SIGNATURE + "0", BODY, 401),
        (SIGNATURE.replace("sha256", "sha1"), BODY, 401), (f"{SIGNATURE}, {SIGNATURE}", BODY, 401),
        ("sha256=é", BODY, 401), ("\x00", BODY, 401),
    ],
)  # fmt: skip
def test_the_webhook_of_github_is_accepted_only_as_it_was_signed(signature, body, status):
    client = program("webhooks")["app"].test_client()
    headers = {} if signature is None else {"X-Hub-Signature-256": signature}
    response = client.post("/github", data=body, headers=headers)
    assert response.status_code == status
    assert_sound(response)


def test_the_webhook_has_a_limit_and_takes_a_new_secret():
    scope = program("webhooks")
    client = scope["app"].test_client()
    scope["app"].config["MAX_CONTENT_LENGTH"] = len(BODY) - 1
    assert client.post("/github", data=BODY, headers={"X-Hub-Signature-256": SIGNATURE}).status_code == 413
    scope["app"].config["MAX_CONTENT_LENGTH"] = len(BODY)
    scope["SECRETS"].insert(0, b"a new one")
    assert client.post("/github", data=BODY, headers={"X-Hub-Signature-256": SIGNATURE}).status_code == 200
    scope["SECRETS"].pop()
    assert client.post("/github", data=BODY, headers={"X-Hub-Signature-256": SIGNATURE}).status_code == 401


@pytest.mark.parametrize(
    ("header", "status"),
    [
        ("t={now},v1={signature}", 200), ("t={now}, v1=0000, v1={signature}, v0=x", 200),
        ("t={now},v0={signature}", 401), ("t={now},v1=é", 401), ("v1={signature}", 400),
        ("t={now},t={now},v1={signature}", 400), ("t=,v1=a", 400),
        ("t=-1,v1=a", 400), ("t=²,v1=a", 400), ("t=9e9,v1=a", 400), ("t=" + "9" * 5000 + ",v1=a", 400), ("=", 400),
        ("t={old},v1={signature}", 401), ("t={now},v1={signature_of_old}", 401), ("t={old},v1={signature_of_old}", 401),
        ("t={early},v1={signature_of_early}", 401),
    ],
)  # fmt: skip
def test_the_webhook_of_stripe_is_accepted_for_five_minutes(header, status):
    times = {"now": int(time.time()), "old": int(time.time()) - 400, "early": int(time.time()) + 400}
    body = b'{"type": "invoice.paid"}'

    def signature(at):
        return hashlib.sha256(OUTER + hashlib.sha256(INNER + str(at).encode() + b"." + body).digest()).hexdigest()

    values = {**times, **{f"signature_of_{name}": signature(at) for name, at in times.items()}}
    values["signature"] = values["signature_of_now"]
    client = program("webhooks", 1)["app"].test_client()
    sent = {"Stripe-Signature": header.format(**values)}
    response = client.post("/stripe", data=body, headers=sent, content_type="application/json")
    assert response.status_code == status
    assert_sound(response)


KEY = b"whsec_replace_this".ljust(64, b"\0")
INNER, OUTER = (bytes(octet ^ pad for octet in KEY) for pad in (0x36, 0x5C))
"""HMAC by hand, as RFC 2104 §2 writes it."""


def test_the_test_of_the_guide_passes_beside_its_program(tmp_path):
    (tmp_path / "app.py").write_text(blocks("docs/guides/own-scheme.md", "python")[0], encoding="utf-8")
    (test,) = [block for block in blocks("docs/guides/own-scheme.md", "python") if "# a part of test_app.py" in block]
    (tmp_path / "test_app.py").write_text(test, encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:randomly", "--rootdir=."]
    path = os.pathsep.join([".", *sys.path])
    done = subprocess.run(
        command, cwd=tmp_path, env={**environment(), "PYTHONPATH": path}, capture_output=True, text=True, timeout=60
    )
    assert "6 passed" in done.stdout, done.stdout + done.stderr


def test_the_scheme_with_a_nonce_refuses_what_it_should(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # for its file
    client = program("own-scheme", 1)["app"].test_client()

    def nonce():
        return re.search(r'nonce="([^"]*)"', client.get("/meter").headers["WWW-Authenticate"])[1]

    def ask(path="/meter", /, *, signed=None, key=b"the key of ada", **params):
        given = {"user": "ada", "nonce": nonce(), **params}
        text = f"GET {signed or (path if '?' in path else path + '?')} {given['nonce']}".encode()
        given.setdefault("signature", hmac.new(key, text, "sha256").hexdigest())
        line = ", ".join(f'{name}="{value}"' for name, value in given.items() if value is not None)
        response = client.get(path, headers={"Authorization": f"Signed-Request {line}"})
        assert_sound(response)
        return response.status_code

    assert [ask(), ask("/meter?day=1"), ask("/meter?day=2", signed="/meter?day=1")] == [200, 200, 401]
    assert [ask(key=b"another"), ask(user="bob", key=b""), ask(signature="0"), ask(signature="é")] == [401] * 4
    assert [ask(nonce="chosen.by.me"), ask(nonce=""), ask(nonce="é")] == [401] * 3
    assert [ask(signature=None), ask(user=None)] == [400, 400]
    once = nonce()
    assert [ask(nonce=once, key=b"another"), ask(nonce=once), ask(nonce=once)] == [401, 200, 401]
    late = nonce()
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 302)
    assert ask(nonce=late) == 401


@pytest.mark.parametrize(
    ("scheme", "request_of", "status"),
    [
        ('APIKey(keys, header="X-API-Key")', {"headers": {"X-API-Key": "{}"}}, 200),
        ("Bearer(keys)", {"headers": {"Authorization": "Bearer {}"}}, 200),
        ('Bearer(keys, name="Token")', {"headers": {"Authorization": "Token {}"}}, 200),
        ("Basic(lambda name, password: keys(name), empty_password=True)", {"auth": ("{}", "")}, 200),
        ('APIKey(keys, query="api_key")', {"query_string": {"api_key": "{}"}}, 200),
        ('APIKey(keys, cookie="key")', {"headers": {"Cookie": "key={}"}}, 200),
        (
            'APIKey(keys, cookie="key")',
            {"headers": {"Cookie": "key={}", "Sec-Fetch-Site": "cross-site"}, "method": "POST"},
            403,
        ),
    ],
)
def test_each_place_for_a_key_is_read(scheme, request_of, status):
    assert scheme in (ROOT / "docs/guides/api-keys.md").read_text(encoding="utf-8")
    scope = program("api-keys")
    key = "Zf0m2ZkR2c1m9hGpmpQkJrYFzXq1u4uKxOtG1tSgcpA"
    names = {**scope, "Basic": Basic, "Bearer": Bearer}
    auth = Auth(eval(scheme, names))
    app = Flask("places")
    app.testing = True
    auth.init_app(app)
    app.add_url_rule("/", "view", auth.login_required(lambda: auth.identity.subject), methods=["GET", "POST"])

    def filled(value):
        if isinstance(value, dict):
            return {name: filled(inner) for name, inner in value.items()}
        return tuple(map(filled, value)) if isinstance(value, tuple) else value.format(key)

    response = app.test_client(use_cookies=False).open("/", **filled(request_of))
    assert (response.status_code, status == 403 or response.text) == (status, status == 403 or "dashboard")


def test_two_keys_in_one_request_are_malformed():
    scope = program("api-keys")
    auth = Auth(APIKey(scope["keys"]), Bearer(scope["keys"]))
    app = Flask("places")
    app.testing = True
    auth.init_app(app)
    app.add_url_rule("/", "view", auth.login_required(lambda: auth.identity.subject))
    key = "Zf0m2ZkR2c1m9hGpmpQkJrYFzXq1u4uKxOtG1tSgcpA"
    sent = {"X-API-Key": key, "Authorization": f"Bearer {key}"}
    assert app.test_client().get("/", headers=sent).status_code == 400


def test_the_fragment_for_old_devices_accepts_an_answer_without_qop():
    scope = program("digest")
    fragment = next(block for block in blocks("docs/guides/digest.md", "python") if "legacy=True" in block)
    scope["HASHES"]["camera"] = Digest(realm="meters", algorithms=("MD5",)).hashes("camera", "correct horse")
    exec(fragment, scope)
    app = Flask("meters")
    app.config.update(SECRET_KEY="a secret of thirty-two characters", TESTING=True)
    auth = scope["auth"]
    auth.init_app(app)
    app.add_url_rule("/", "view", auth.login_required(lambda: auth.identity.subject))
    client = app.test_client()
    offered = re.search(r'nonce="([^"]*)"', client.get("/").headers["WWW-Authenticate"])[1]

    def md5(text):
        return hashlib.md5(text.encode()).hexdigest()

    response = md5(f"{md5('camera:meters:correct horse')}:{offered}:{md5('GET:/')}")  # RFC 2069 §2.1.2
    line = f'Digest username="camera", realm="meters", nonce="{offered}", uri="/", response="{response}"'
    assert client.get("/", headers={"Authorization": line}).text == "camera"


class Falsy:
    """A user object that is false in an ``if``."""

    def __bool__(self) -> bool:
        return False


RETURNED = {
    "an `Identity`": [Identity("ada")],
    "your user object, also one that is false in an `if`": [object(), Falsy()],
    "a `str` that isn't empty": ["ada"],
    "`True`": [True],
    "`None`": [None],
    "`False`": [False],
    "a positive `int`": [7],
    'any other number, `""`, a `dict`, a `list`, a plain `tuple`, a query, a response': [
        0, -1, 1.5, "", {}, {"sub": "ada"}, [], ["ada"], (), ("ada", 1), Response("ok"),
    ],
    "raises `InvalidCredentials`, `ExpiredCredentials`, `RevokedCredentials`": [
        InvalidCredentials(), ExpiredCredentials(), RevokedCredentials(),
    ],
    "raises `AuthUnavailable`, or a type in `Auth(unavailable=[…])`": [AuthUnavailable(), ConnectionError()],
    "raises `TooManyAttempts(retry_after=30)`": [TooManyAttempts(retry_after=30)],
    "raises anything else": [ValueError("a bug"), KeyError("ada")],
}  # fmt: skip
"""What a loader does for each row of the table in docs/guides/loaders.md."""


def test_what_a_loader_returns_is_what_the_table_says():
    page = (ROOT / "docs/guides/loaders.md").read_text(encoding="utf-8")
    table = page.partition("\n| it returns or raises |")[2].partition("\n\n")[0].splitlines()[2:]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table]
    assert [row[0] for row in rows] == list(RETURNED)
    for case, for_tokens, for_passwords in rows:
        if for_passwords == "the same":
            for_passwords = for_tokens
        for result in RETURNED[case]:
            for sent, cell in (
                ({"headers": {"Authorization": "Bearer t"}}, for_tokens), ({"headers": {"X-API-Key": "t"}}, for_tokens),
                ({"auth": ("ada", "pw")}, for_passwords),
            ):  # fmt: skip
                assert status_for(result, sent) == (200 if cell.startswith("accepted") else int(cell[:3])), (case, sent)


def status_for(result: Any, sent: dict[str, Any]) -> int:
    """Return the status of a view whose loaders return or raise ``result``."""

    def load(*credentials: str) -> Any:
        if isinstance(result, Exception):
            raise result
        return result

    app = Flask("notes")
    auth = Auth(Bearer(load), APIKey(load), Basic(load), unavailable=[ConnectionError], app=app)
    app.add_url_rule("/", "view", auth.login_required(lambda: "ok"))
    return app.test_client().get("/", **sent).status_code


def test_the_attributes_of_a_scheme_have_the_defaults_that_the_table_names():
    page = (ROOT / "docs/guides/own-scheme.md").read_text(encoding="utf-8")
    table = page.partition("\n| attribute | default |")[2].partition("\n\n")[0].splitlines()[2:]
    rows = [line.strip("| ").split(" | ")[:2] for line in table]
    literal = {name.strip("`"): value.strip("`") for name, value in rows if value.startswith("`") and "un" not in value}
    assert len(literal) >= 7
    assert {name: repr(getattr(Scheme, name)).replace("'", '"') for name in literal} == literal
    assert {name.strip("`") for name, _ in rows} - set(literal) == {"reads", "curl_options"}

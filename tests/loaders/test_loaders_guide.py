"""The programs of docs/guides/loaders.md and passwords.md do what the pages say."""

import hmac
import re
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest
from werkzeug.security import generate_password_hash

from flask_unauthorized import Auth, Bearer
from flask_unauthorized.jose import hmac_key
from flask_unauthorized.loaders import jwks
from flask_unauthorized.loaders.jwt import JWT
from tests.helpers import app_with_view
from tests.jose.signing import as_json, b64

DOCS = Path(__file__).parents[2] / "docs"
MOVING = (DOCS / "moving" / "flask-jwt-extended.md").read_text("utf-8")
OLD_TOKENS = re.search(
    r"^## JWTs that Flask-JWT-Extended issued\n.*?```python\n(.*?)```", MOVING, re.DOTALL | re.MULTILINE
)[1]


def programs(page, heading):
    """Return the programs of a section."""
    text = (DOCS / "guides" / page).read_text("utf-8").partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    return re.findall(r"```python\n(.*?)```", text, re.DOTALL)


def scope_of(program):
    scope = {"__name__": "guide"}
    exec(program, scope)
    return scope


def test_the_program_with_several_loaders(monkeypatch):
    asked = []
    monkeypatch.setattr(jwks.JWKS, "candidates", lambda keys, kid, algorithm: asked.append(kid) or ())
    scope = scope_of(programs("loaders.md", "Several kinds of tokens")[0])
    client = scope["app"].test_client()
    with scope["app"].app_context():
        issued = scope["own"].issue("ada")
    for token, subject in {"3Qm6xT9vKp2LrW8zYb5N7c": "backup", issued: "ada"}.items():
        assert client.get("/me", headers={"Authorization": f"Bearer {token}"}).json == {"subject": subject}
    other = "eyJhbGciOiJSUzI1NiIsInR5cCI6ImF0K2p3dCJ9.eyJpc3MiOiJodHRwczovL290aGVyLmV4YW1wbGUifQ.AAAA"  # other.example
    assert client.get("/me", headers={"Authorization": f"Bearer {other}"}).status_code == 401
    assert asked == []


@pytest.mark.parametrize(("token", "status"), [("v1_7f3a-long-and-random", 200), ("v1_other", 401), ("v2_7f3a", 401)])
def test_the_loader_with_recognizes(make_app, token, status):
    old = scope_of(programs("loaders.md", "Several kinds of tokens")[1])["old"]
    app = app_with_view(make_app, Auth(Bearer(old, lambda token: None)))
    assert app.test_client().get("/", headers={"Authorization": f"Bearer {token}"}).status_code == status
    assert old.recognizes(token) is token.startswith("v1_")


def test_the_program_that_issues_its_own_jwts(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    scope = scope_of(programs("loaders.md", "JWTs that your app issues")[0])
    client = scope["app"].test_client()

    def answer(token):
        return client.get("/notes", headers={"Authorization": f"Bearer {token}"})

    for issue in (scope["issue_jwt"], scope["issue_opaque"]):
        assert answer(issue("ada", "notes:read")).json == {"owner": "ada"}
        assert answer(issue("ada", "notes:write")).status_code == 403
    old = scope["issue_jwt"]("ada", "notes:read", lifetime=-600)
    assert "have expired" in answer(old).headers["WWW-Authenticate"]
    forged = jwt_of("another secret of 32 bytes or more, of a thief", scope)
    assert [answer(token).status_code for token in ("shop_unknown", forged)] == [401, 401]
    monkeypatch.setitem(scope, "connect", lambda: (_ for _ in ()).throw(sqlite3.OperationalError("database is locked")))
    assert answer("shop_unknown").status_code == 503


def jwt_of(secret, scope):
    """Sign a token as the program does, with another secret."""
    return scope["jwt"].encode(
        scope["jwt"].decode(scope["issue_jwt"]("ada", "notes:read"), options={"verify_signature": False}),
        secret, algorithm="HS256", headers={"typ": "at+jwt"},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("changed", "status", "text"),
    [
        ({}, 200, "1"), ({"type": "refresh"}, 401, "not valid"), ({"exp": 1, "iat": 0, "nbf": 0}, 401, "have expired"),
        ({"sub": None}, 401, "not valid"), ({"exp": None}, 401, "not valid"), ({"type": None}, 401, "not valid"),
        ({"sub": 7}, 200, "7"),
    ],
)  # fmt: skip
def test_jwts_that_flask_jwt_extended_issued_beside_new_ones(make_app, changed, status, text):
    scope = scope_of(OLD_TOKENS)
    now = int(time.time())
    claims = {"sub": "1", "iat": now, "nbf": now, "exp": now + 900, "jti": "x", "type": "access", "fresh": True}
    given = {name: value for name, value in {**claims, **changed}.items() if value is not None}
    app_jwt = JWT("https://app.example", audience="app", keys=hmac_key("x" * 32), algorithms=["HS256"])
    app = app_with_view(make_app, Auth(Bearer(app_jwt, scope["old"])))
    token = jws_of(given, scope["SECRET"])
    response = app.test_client().get("/", headers={"Authorization": f"Bearer {token}"})
    assert response.status_code == status
    assert text in (response.text if status == 200 else response.headers["WWW-Authenticate"])


def jws_of(claims, secret):
    """Sign claims by HS256. PyJWT would warn of the short secret."""
    content = ".".join(b64(as_json(part)) for part in ({"alg": "HS256", "typ": "JWT"}, claims))
    return f"{content}.{b64(hmac.digest(secret.encode(), content.encode(), 'sha256'))}"


def test_the_callback_of_flask_httpauth():
    client = scope_of(programs("loaders.md", "Callbacks of Flask-HTTPAuth")[0])["app"].test_client()
    for name, password, status in (
        ("ada", "correct horse", 200), ("ada", "wrong", 401), ("7f3a-long-and-random", "", 200), ("ada", "", 401),
        ("", "", 401),
    ):  # fmt: skip
        response = client.get("/me", auth=(name, password))
        assert response.status_code == status
        assert status == 401 or response.json == {"subject": "ada"}


def test_the_program_that_upgrades_hashes(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    scope = scope_of(programs("passwords.md", "Stored passwords")[0])
    client = scope["app"].test_client()
    weak = generate_password_hash("correct horse", method="pbkdf2:sha256:1")
    with closing(scope["connect"]()) as database, database:
        database.execute("INSERT INTO user VALUES ('ada', ?)", [weak])
    assert client.get("/me", auth=("ada", "wrong")).status_code == 401
    assert scope["stored_hash"]("ada") == weak
    assert client.get("/me", auth=("ada", "correct horse")).json == {"subject": "ada"}
    stored = scope["stored_hash"]("ada")
    assert stored.startswith("scrypt:32768:8:3$")
    assert client.get("/me", auth=("ada", "correct horse")).status_code == 200
    assert scope["stored_hash"]("ada") == stored
    assert client.get("/me", auth=("bob", "correct horse")).status_code == 401

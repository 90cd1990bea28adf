"""The programs of docs/loaders.md do what the page says."""

import re
import sqlite3
import time
from pathlib import Path

import pytest

from flask_unauthorized import Auth, Bearer
from flask_unauthorized.jose import hmac_key
from flask_unauthorized.loaders import jwks
from flask_unauthorized.loaders.jwt import JWT
from tests.helpers import app_with_view

PROGRAMS = re.findall(
    r"```python\n(.*?)```", (Path(__file__).parents[2] / "docs" / "loaders.md").read_text("utf-8"), re.DOTALL
)


def scope_of(program):
    scope = {"__name__": "guide"}
    exec(program, scope)
    return scope


def test_the_program_with_several_loaders(monkeypatch):
    asked = []
    monkeypatch.setattr(jwks.JWKS, "candidates", lambda keys, kid, algorithm: asked.append(kid) or ())
    scope = scope_of(PROGRAMS[0])
    client = scope["app"].test_client()
    with scope["app"].app_context():
        issued = scope["own"].issue("ada")
    for token, subject in {"3Qm6-long-and-random": "backup", issued: "ada"}.items():
        assert client.get("/me", headers={"Authorization": f"Bearer {token}"}).json == {"subject": subject}
    other = "eyJhbGciOiJSUzI1NiIsInR5cCI6ImF0K2p3dCJ9.eyJpc3MiOiJodHRwczovL290aGVyLmV4YW1wbGUifQ.AAAA"  # other.example
    assert client.get("/me", headers={"Authorization": f"Bearer {other}"}).status_code == 401
    assert asked == []


@pytest.mark.parametrize(("token", "status"), [("v1_7f3a-long-and-random", 200), ("v1_other", 401), ("v2_7f3a", 401)])
def test_the_loader_with_recognizes(make_app, token, status):
    old = scope_of(PROGRAMS[1])["old"]
    app = app_with_view(make_app, Auth(Bearer(old, lambda token: None)))
    assert app.test_client().get("/", headers={"Authorization": f"Bearer {token}"}).status_code == status
    assert old.recognizes(token) is token.startswith("v1_")


def test_the_program_that_issues_its_own_jwts(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    scope = scope_of(PROGRAMS[2])
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
        ({}, 200, "1"), ({"type": "refresh"}, 401, "not valid"), ({"exp": 1}, 401, "have expired"),
        ({"sub": None}, 401, "not valid"), ({"exp": None}, 401, "not valid"),
    ],
)  # fmt: skip
def test_old_jwts_without_an_issuer_beside_new_ones(make_app, changed, status, text):
    scope = scope_of(PROGRAMS[3])
    now = int(time.time())
    claims = {"sub": "1", "iat": now, "nbf": now, "exp": now + 900, "jti": "x", "type": "access", "fresh": True}
    given = {name: value for name, value in {**claims, **changed}.items() if value is not None}
    token = scope["jwt"].encode(given, scope["SECRET"])
    app_jwt = JWT(
        "https://app.example", audience="app", keys=hmac_key(scope["SECRET"]), algorithms=["HS256"],
        profile="oidc-compat",
    )  # fmt: skip
    app = app_with_view(make_app, Auth(Bearer(app_jwt, scope["load_old_jwt"])))
    response = app.test_client().get("/", headers={"Authorization": f"Bearer {token}"})
    assert response.status_code == status
    assert text in (response.text if status == 200 else response.headers["WWW-Authenticate"])


def test_the_callback_of_flask_httpauth():
    client = scope_of(PROGRAMS[4])["app"].test_client()
    for name, password, status in (
        ("ada", "correct horse", 200), ("ada", "wrong", 401), ("7f3a-long-and-random", "", 200), ("ada", "", 401),
        ("", "", 401),
    ):  # fmt: skip
        response = client.get("/me", auth=(name, password))
        assert response.status_code == status
        assert status == 401 or response.json == {"subject": "ada"}

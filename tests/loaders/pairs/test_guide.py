"""The program of docs/guides/refresh-tokens.md does what the page says."""

import json
import re
import time
from pathlib import Path

import pytest

from tests.helpers import bearer_header

PAGE = (Path(__file__).parents[3] / "docs" / "guides" / "refresh-tokens.md").read_text(encoding="utf-8")


@pytest.mark.tells_secrets("body", because="a token view sends the tokens")
def test_access_and_refresh_tokens(monkeypatch, tmp_path):
    now = time.time()
    monkeypatch.chdir(tmp_path)
    scope = {"__name__": "app"}
    exec(compile(re.search(r"```python\n(.*?)```", PAGE, re.DOTALL)[1], "app.py", "exec"), scope)
    client = scope["app"].test_client()
    ada = {"name": "ada", "password": "correct horse"}
    assert client.post("/login", data={**ada, "password": "wrong horse"}).status_code == 401
    first = client.post("/login", data=ada)
    assert first.headers["Cache-Control"] == "no-store"
    listed = json.loads(re.search(r'^\{"access_token".*', PAGE, re.MULTILINE)[0])
    unlike = ("access_token", "refresh_token")
    assert first.json.keys() == listed.keys()
    assert {name: first.json[name] for name in listed if name not in unlike} == {
        name: listed[name] for name in listed if name not in unlike
    }

    def refresh(token, **more):
        answer = client.post("/token", data={"refresh_token": token, **more})
        return answer.status_code, answer.json

    status, second = refresh(first.json["refresh_token"], scope="notes:write")
    assert (status, second["scope"]) == (200, "notes:write")
    status, repeated = refresh(first.json["refresh_token"])
    assert (status, "refresh_token" in repeated) == (200, False)
    assert client.get("/notes", headers=bearer_header(second["access_token"])).status_code == 403
    assert client.get("/notes", headers=bearer_header(repeated["access_token"])).json == {"owner": "ada"}
    assert client.post("/password").status_code == 401
    assert client.post("/logout", headers=bearer_header(repeated["access_token"])).status_code == 204
    assert refresh(second["refresh_token"])[1]["error"] == "invalid_grant"
    assert client.get("/notes", headers=bearer_header(repeated["access_token"])).status_code == 200  # as the page says

    third = client.post("/login", data=ada).json
    monkeypatch.setattr(time, "time", lambda: now + 600)
    monkeypatch.setattr("flask_unauthorized.authentication.authorization.time", lambda: now + 600)
    third = refresh(third["refresh_token"])[1]
    assert client.post("/password", headers=bearer_header(third["access_token"])).status_code == 401  # too long ago
    scope["GRANTS"].clear()
    assert refresh(third["refresh_token"])[1]["error"] == "invalid_grant"

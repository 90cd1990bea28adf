"""The program of the guide does what it says."""

import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import parse_qsl

import trustme

from tests.http_client.server import answer
from tests.http_client.test_client_certificate import write

GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "authorization-servers.md"


def test_the_program_of_the_guide(plain, monkeypatch, tmp_path):
    text = GUIDE.read_text(encoding="utf-8")
    program, signed, certified, keys, proxied, own = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    scope = {"__name__": "guide"}
    exec(keys, scope)
    local = program.replace("https://id.example.com", plain.url).replace(
        "    client_id=", "    allow_http_loopback=True,\n    client_id="
    )
    exec(local, scope)
    monkeypatch.setenv("HTTPS_PROXY", "")
    exec(proxied, scope)
    exec(signed, {})
    write(tmp_path, trustme.CA().issue_cert("api.example.com"))
    exec(certified.replace("/etc/notes", tmp_path.as_posix()), {})
    compile(own, "guide", "exec")
    client = scope["app"].test_client()
    bearer = {"Authorization": "Bearer demo-token-of-ada-0123456789"}
    members = {"active": True, "sub": "ada", "aud": "https://notes.example.com", "scope": "notes:read account:delete"}
    plain.answers["/introspect"] = answer(members)
    assert client.get("/notes").status_code == 401
    assert client.get("/notes", headers=bearer).json == {"owner": "ada"}
    assert client.get("/notes", headers=bearer).status_code == 200
    assert plain.calls() == 1
    plain.answers["/introspect"] = answer({"active": False})
    assert client.get("/notes", headers=bearer).status_code == 200
    assert client.delete("/account", headers=bearer).status_code == 401
    assert client.get("/notes", headers=bearer).status_code == 401
    assert dict(parse_qsl(plain.requests[0].body.decode()))["token"] == "demo-token-of-ada-0123456789"


def test_introspection_needs_no_extra_and_the_root_fetches_nothing():
    program = "import sys, flask_unauthorized{}; print(*sys.modules)"

    def loaded(module):
        done = subprocess.run(
            [sys.executable, "-c", program.format(module)], capture_output=True, text=True, check=True
        )
        return set(done.stdout.split())

    assert not loaded(".loaders.introspection") & {"jwt", "cryptography", "urllib3", "requests"}
    assert "flask_unauthorized.http_client.client" not in loaded("")

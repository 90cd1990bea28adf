"""The README's programs and the examples do what it says."""

import importlib
import inspect
import re
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

import flask_unauthorized

from .digest_client import challenge, sent
from .docs.pages import blocks, check_console
from .dpop_client import Holder
from .test_package import DOCUMENTED_PATHS

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def program_of(heading: str, page: str = "README.md") -> str:
    text = (ROOT / page).read_text(encoding="utf-8").partition(f"# {heading}\n")[2]
    return re.search(r"```python\n(.*?)```", text, re.DOTALL)[1]


def test_the_scheme_of_the_docs_works(make_app):
    from flask_unauthorized import Auth

    scope = {"__name__": "readme"}
    exec(program_of("A scheme of your own", "docs/guides/own-scheme.md"), scope)
    auth = Auth(scope["Ticket"](lambda ticket: "ada" if ticket == "17" else None, realm="trains"))
    app = make_app(auth)
    app.add_url_rule("/", view_func=auth.login_required(lambda: auth.identity.subject))
    answers = {sent: app.test_client().get("/", headers={"Authorization": sent}) for sent in TICKETS}
    assert [answer.status_code for answer in answers.values()] == list(TICKETS.values())
    assert answers["Ticket"].headers["WWW-Authenticate"] == 'Ticket realm="trains"'
    assert answers["Ticket 17-8"].text == "ada"


TICKETS = {
    "Ticket": 401, "Ticket 17-8": 200, "Ticket 18-9": 401, "Ticket 17-9": 400, "Ticket x": 400, "Bearer 17-8": 401,
}  # fmt: skip


def test_the_digest_of_the_docs_works():
    scope = {"__name__": "readme"}
    exec(program_of("Devices with Digest", "docs/guides/digest.md"), scope)
    client = scope["app"].test_client()
    told = challenge(client.get("/meter").headers["WWW-Authenticate"])
    assert client.get("/meter", headers=sent(told, uri="/meter")).json == {"read by": "ada"}


def test_the_jwt_of_the_docs_works(monkeypatch):
    from flask_unauthorized.loaders import jwks

    monkeypatch.setattr(jwks.JWKS, "candidates", lambda keys, kid, algorithm: ())  # nothing is fetched here
    scope = {"__name__": "readme"}
    exec(program_of("Access tokens of an identity provider", "docs/guides/access-tokens.md"), scope)
    client = scope["app"].test_client()
    assert client.get("/orders").headers["WWW-Authenticate"] == 'Bearer realm="readme"'
    token = "eyJhbGciOiJSUzI1NiIsInR5cCI6ImF0K2p3dCJ9.e30.AAAA"  # at+jwt, RS256, signed by nobody
    refused = client.get("/orders", headers={"Authorization": f"Bearer {token}"})
    assert (refused.status_code, "invalid_token" in refused.headers["WWW-Authenticate"]) == (401, True)


def test_the_dpop_of_the_docs_works():
    scope = {"__name__": "readme"}
    exec(program_of("DPoP and certificate-bound tokens", "docs/guides/dpop.md"), scope)
    holder, client = Holder("EdDSA"), scope["app"].test_client()
    scope["tokens"]["t"] = scope["Identity"]("bob", confirmation={"jkt": holder.jkt})
    nonce = client.get("/notes", headers=holder.sent(token="t", path="/notes")).headers["DPoP-Nonce"]
    sent = holder.sent(token="t", path="/notes", nonce=nonce)
    assert client.get("/notes", headers=sent).json == {"owner": "bob"}


def test_the_sessions_of_the_docs_work(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # for its file
    scope = {"__name__": "guide"}
    exec(program_of("People in browsers", "docs/guides/browsers.md"), scope)
    client = scope["app"].test_client()
    page = {"base_url": "https://localhost", "headers": {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Site": "none"}}
    assert client.get("/?page=2", **page).location == "/login?next=/?page%3D2"
    assert client.post("/login", data={"name": "ada", "password": "wrong"}, **page).status_code == 422
    right = {"name": "ada", "password": "correct horse", "next": "/?page=2"}
    assert client.post("/login", data=right, **page).location == "/?page=2"
    assert client.get("/", **page).json == {"notes of": "ada"}
    assert client.post("/logout", **page).location == "/login"
    assert client.get("/", base_url="https://localhost").status_code == 401


def test_the_program_for_those_who_come_from_flask_login_works(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # for its file
    scope = {"__name__": "guide"}
    text = (ROOT / "docs/moving/flask-login.md").read_text(encoding="utf-8")
    exec(re.findall(r"```python\n(.*?)```", text, re.DOTALL)[1], scope)  # the first is the app before
    app = scope["app"]
    browser = {"base_url": "https://localhost", "headers": {"Accept": "text/html,application/xhtml+xml"}}
    client = app.test_client()
    assert "Log in" in client.get("/", **browser).text
    assert client.get("/moderate", **browser).location == "/login?next=/moderate"
    assert "Please log in to access this page." in client.get("/login?next=/moderate", **browser).text
    assert (sent := client.post("/moderate", **browser)).status_code == 303
    assert sent.location == "/login"
    assert client.post("/moderate", base_url="https://localhost").status_code == 401
    assert "Wrong name" in client.post("/login", data={"name": "ada", "password": "wrong"}, **browser).text

    def log_in(name, password, **more):
        client = app.test_client()
        form = {"name": name, "password": password, **more}
        return client, client.post("/login?next=/moderate", data=form, **browser)

    ada, led = log_in("ada", "correct horse", remember="on")
    assert led.location == "/moderate"
    ada.delete_cookie("session", domain="localhost")  # the browser is closed
    assert "Moderate</a>" in ada.get("/moderate", **browser).text
    bob, led = log_in("bob", "battery")
    assert not [line for line in led.headers.getlist("Set-Cookie") if "remember" in line or "Expires=" in line]
    assert bob.get("/moderate", **browser).status_code == 403
    shown = bob.get("/", **browser).text
    assert "bob" in shown
    assert "Moderate" not in shown
    assert "You have been logged out." in bob.get("/logout", follow_redirects=True, **browser).text


def test_the_remote_users_of_the_docs_get_in():
    scope = {"__name__": "guide"}
    exec(program_of("`REMOTE_USER` of the server", "docs/guides/remote-user.md"), scope)
    client = scope["app"].test_client()
    assert client.get("/", environ_overrides={"REMOTE_USER": "ada"}).json == {"who": "ada"}
    assert client.get("/", headers={"Remote-User": "ada"}).headers["WWW-Authenticate"] == 'RemoteUser realm="guide"'
    exec(program_of("A header of a proxy", "docs/guides/remote-user.md"), scope)
    client, named = scope["app"].test_client(), {"X-Forwarded-User": "ada"}
    assert client.get("/", headers=named).json == {"who": "ada"}
    assert client.get("/", headers=named, environ_overrides={"REMOTE_ADDR": "192.0.2.1"}).status_code == 401


def test_the_posted_answer_of_the_docs_works():  # F-43
    scope = {"__name__": "guide"}
    exec(program_of("An identity provider that posts its answer", "docs/guides/cross-site.md"), scope)
    client = scope["app"].test_client()
    own = {"base_url": "https://localhost"}

    def begin():
        led = client.get("/login?next=/?page%3D2", **own)
        kept = next(line for line in led.headers.getlist("Set-Cookie") if line.startswith("__Host-login="))
        assert {"Secure", "HttpOnly", "Path=/", "SameSite=None", "Max-Age=600"} <= set(kept.split("; ")[1:])
        return parse_qs(urlsplit(led.location).query)["state"][0]

    def posted(origin="https://idp.example", **form):
        sent = {"Origin": origin, "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
        return client.post("/callback", data=form, headers=sent, **own)

    state = begin()
    assert posted(state=state, code="code-of-ada", origin="https://evil.example").status_code == 403
    for wrong in ({}, {"state": ""}, {"state": "é"}, {"state": state[1:], "code": "code-of-ada"}):
        assert posted(**wrong).status_code == 400
    assert posted(state=state, code="of another app").status_code == 403
    assert client.get("/", **own).status_code == 401
    answered = posted(state=state, code="code-of-ada")
    assert (answered.status_code, answered.location) == (303, "/?page=2")
    assert client.get("/", **own).json == {"notes of": "ada"}
    assert posted(state=state, code="code-of-ada").status_code == 400  # the cookie is gone, so it counts once
    state = begin()
    client.delete_cookie("__Host-login")
    assert posted(state=state, code="code-of-ada").status_code == 400  # began in another browser


def test_the_mcp_server_of_the_docs_works():
    scope = {"__name__": "guide"}
    exec(program_of("AI agents (MCP)", "docs/guides/mcp-server.md"), scope)
    client = scope["app"].test_client()
    refused = client.post("/mcp")
    url = "https://api.example.com/.well-known/oauth-protected-resource/mcp"
    told = f'Bearer realm="guide", scope="notes:read", resource_metadata="{url}"'
    assert (refused.status_code, refused.headers["WWW-Authenticate"]) == (401, told)
    assert client.get(url.removeprefix("https://api.example.com")).json["resource"] == "https://api.example.com/mcp"
    assert client.post("/mcp", headers={"Origin": "https://evil.example"}).status_code == 403


def _run_example(name):
    scope = {"__name__": name}
    exec(compile((ROOT / f"examples/{name}.py").read_text(encoding="utf-8"), f"{name}.py", "exec"), scope)
    return scope["app"].test_client()


def _run_quickstart():
    return _run_example("quickstart")


@pytest.mark.parametrize(
    ("method", "path", "token", "status"),
    [
        ("GET", "/balance", "demo-token-password-this-morning", 200),
        ("POST", "/transfers", "demo-token-password-this-morning", 401),
        ("POST", "/transfers", "demo-token-password-just-now", 401),
        ("POST", "/transfers", "demo-token-second-factor-just-now", 200),
    ],
)
def test_the_step_up_example_wants_a_stronger_login(method, path, token, status):
    headers = {"Authorization": f"Bearer {token}"}
    answer = _run_example("step_up").open(path, method=method, headers=headers)
    assert answer.status_code == status
    if status == 401:
        told = answer.headers["WWW-Authenticate"]
        assert all(
            part in told for part in ('error="insufficient_user_authentication"', 'acr_values="mfa"', 'max_age="300"')
        )


def test_the_readme_is_short():
    assert len(README.splitlines()) <= 150


def test_the_program_of_the_readme_does_what_the_readme_shows(tmp_path):
    (program,) = blocks("README.md", "python")
    check_console("README.md", program, tmp_path)


def test_the_readme_installs_from_a_clone_until_the_package_index_has_it():
    install, example, tests = blocks("README.md", "sh")
    assert "not on PyPI yet" in README
    source = re.search(r'^Source = "(.*)"$', (ROOT / "pyproject.toml").read_text(encoding="utf-8"), re.MULTILINE)[1]
    assert install == f"git clone {source}\ncd flask-unauthorized\npip install .\n"
    # Each of these two runs as it is in a fresh clone.
    assert example == "python3 -m venv .venv && .venv/bin/pip install . && .venv/bin/python examples/quickstart.py\n"
    assert tests == 'python3 -m venv .venv && .venv/bin/pip install ".[test]" && .venv/bin/python -m pytest\n'


def test_the_table_names_calls_and_arguments_that_exist():
    modules = {name: module for module, names in DOCUMENTED_PATHS.items() for name in names}
    table = README.partition("## You have")[2].partition("\n## ")[0]
    rows = [row.split(" | ") for row in table.splitlines() if row.startswith("| ")][1:]
    assert 12 <= len(rows) <= 20
    calls = re.findall(r"([\w.]+)\((.*)\)", "\n".join(use for row in rows for use in re.findall(r"`([^`]+)`", row[1])))
    assert len(calls) >= 12
    for name, arguments in calls:
        if name.startswith("auth."):
            called = getattr(flask_unauthorized.Auth, name.removeprefix("auth."))
        else:
            called = getattr(importlib.import_module(modules.get(name, "flask_unauthorized")), name)
        assert set(re.findall(r"(\w+)=", arguments)) <= set(inspect.signature(called).parameters), name
        for inner in re.findall(r"(\w+)\(", arguments):
            assert hasattr(importlib.import_module(modules[inner]), inner)


@pytest.mark.parametrize(
    ("method", "path", "credentials", "status", "challenges"),
    [
        ("GET", "/notes", None, 401, ['Bearer realm="notes"']),
        ("GET", "/notes", "Bearer demo-token-of-bob-0123456789", 200, []),
        ("GET", "/me", "Basic YWRhOmNvcnJlY3QgaG9yc2U=", 200, []),
        ("GET", "/me", None, 401, ['Basic realm="notes", charset="UTF-8"', 'Bearer realm="notes"']),
        ("DELETE", "/notes", "Bearer demo-token-of-ada-0123456789", 204, []),
        ("GET", "/", None, 200, []),
    ],
)
def test_the_quick_start_answers_as_the_readme_says(method, path, credentials, status, challenges):
    headers = {"Authorization": credentials} if credentials else {}
    answer = _run_quickstart().open(path, method=method, headers=headers)
    assert answer.status_code == status
    assert answer.headers.getlist("WWW-Authenticate") == challenges


def test_the_quick_start_names_the_missing_scope():
    answer = _run_quickstart().delete("/notes", headers={"Authorization": "Bearer demo-token-of-bob-0123456789"})
    assert answer.status_code == 403
    assert 'scope="notes:write", error="insufficient_scope"' in answer.headers["WWW-Authenticate"]


def test_the_factory_example_protects_its_blueprints():
    from examples.factory import create_app

    client = create_app().test_client()
    assert create_app() is not client.application
    assert client.get("/api/health").status_code == 200
    assert b"/console/" in client.get("/").data
    assert client.post("/api/telemetry/thermometer", json={}).status_code == 401
    key = {"X-Device-Key": "key-of-thermometer"}
    assert client.post("/api/telemetry/thermometer", json={}, headers=key).status_code == 201
    assert client.post("/api/telemetry/lamp", json={}, headers=key).status_code == 403
    retired = client.post("/api/telemetry/old-lamp", json={}, headers={"X-Device-Key": "key-of-old-lamp"})
    assert retired.status_code == 401
    assert "This device was retired." in retired.headers["WWW-Authenticate"]
    assert client.get("/console/").headers["WWW-Authenticate"] == 'Basic realm="console", charset="UTF-8"'
    assert b"Hello olga" in client.get("/console/", auth=("olga", "let me in")).data


def test_the_switch_and_the_open_paths_of_the_docs_work():
    scope = {"__name__": "guide"}
    exec(program_of("Open for some requests", "docs/guides/unless.md"), scope)
    app, client = scope["app"], scope["app"].test_client()
    paths = ("/", "/about", "/about/us", "/secret")
    assert [client.get(path).status_code for path in paths] == [200, 200, 401, 401]
    ada = {"Authorization": "Bearer demo-token-of-ada-0123456789"}
    assert client.get("/secret", headers=ada).json == {"page": "secret"}
    app.config["LOGIN_DISABLED"] = True
    assert [client.get(path).status_code for path in paths] == [200, 200, 200, 200]


def test_a_fixed_user_while_authentication_is_off():
    scope = {"__name__": "guide"}
    exec(program_of("A caller while authentication is off", "docs/guides/unless.md"), scope)
    app, client = scope["app"], scope["app"].test_client()
    bob = {"Authorization": "Bearer demo-token-of-bob-0123456789"}
    assert client.get("/me").json == client.get("/me", headers=bob).json == {"you": "Ada"}
    app.config["DISABLE_AUTH"] = False
    assert client.get("/me").status_code == 401
    assert client.get("/me", headers=bob).json == {"you": "Bob"}


@pytest.mark.parametrize(
    ("language", "name"),
    [("python", "app.py"), ("nginx", "nginx.conf"), ("", "Caddyfile"), ("yaml", "traefik.yml")],
)
def test_the_page_on_forward_authentication_shows_the_files_that_the_tests_run(language, name):
    """`tests/clients/test_forward_auth.py` runs them, except for Traefik's."""
    page = (ROOT / "docs/guides/forward-auth.md").read_text(encoding="utf-8")
    file = (ROOT / "examples/forward_auth" / name).read_text(encoding="utf-8")
    assert f"`examples/forward_auth/{name}`" in page
    assert f"```{language}\n{file}```\n" in page

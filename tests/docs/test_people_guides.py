"""The guides of People in browsers and Identity providers show what a server really sends."""

import json
import logging
import re
import time

import pytest

from flask_unauthorized.loaders.jwks import JWKS
from tests.helpers import bearer_header
from tests.jose.signing import jwk, signed

from .pages import ROOT, blocks, check_console

GUIDES = "docs/guides"


@pytest.mark.parametrize("name", ["browsers", "cross-site", "logins", "email-links"])
def test_the_program_of_the_page_answers_as_shown(name, tmp_path):
    page = f"{GUIDES}/{name}.md"
    check_console(page, blocks(page, "python")[0], tmp_path)


def test_a_script_of_another_origin_gets_what_the_page_shows(tmp_path):
    pytest.importorskip("flask_cors")
    page = f"{GUIDES}/single-page-app.md"
    program, _ = blocks(page, "python")
    check_console(page, program, tmp_path)


def test_the_step_up_of_the_page_happens_as_shown(tmp_path):
    """Five minutes are three seconds here, in the program and in the page."""
    text = (ROOT / GUIDES / "step-up.md").read_text(encoding="utf-8")
    quick = text.replace("max_age=300", "max_age=3").replace("sleep 301", "sleep 5")
    assert (text.count("max_age=300"), text.count("$ sleep 301")) == (3, 1)
    page = tmp_path / "step-up.md"
    page.write_text(quick, encoding="utf-8")
    check_console(str(page), re.search(r"```python\n(.*?)^```", quick, re.DOTALL | re.MULTILINE)[1], tmp_path)


@pytest.mark.parametrize("heading", ["`REMOTE_USER` of the server", "A header of a proxy"])
def test_a_name_of_the_server_is_read_as_the_page_shows(heading, tmp_path):
    text = (ROOT / GUIDES / "remote-user.md").read_text(encoding="utf-8")
    part = tmp_path / "part.md"
    part.write_text(text.partition(f"## {heading}\n")[2].partition("\n## ")[0], encoding="utf-8")
    check_console(str(part), blocks(str(part), "python")[0], tmp_path)


def test_the_login_at_a_provider_begins_as_the_page_shows(tmp_path):
    pytest.importorskip("authlib.integrations.flask_client")
    pytest.importorskip("requests")
    page = f"{GUIDES}/provider-login.md"
    (program,) = blocks(page, "python")
    check_console(page, program, tmp_path)


# --- access tokens


NOW = int(time.time())
HEADER = {"typ": "at+jwt", "alg": "RS256", "kid": "k1"}
CLAIMS = {
    "iss": "https://id.example.com", "aud": "https://api.example.com", "sub": "ada", "client_id": "web",
    "iat": NOW - 10, "exp": NOW + 300, "jti": "t1", "scope": "orders:read",
}  # fmt: skip


def access_token(header=HEADER, **changes):
    """Return a token as the issuer of the page signs it; ``...`` leaves a claim out."""
    return signed(header, {name: value for name, value in (CLAIMS | changes).items() if value is not ...}, "RS256")


MISTAKES = [
    ("the issuer lacks a slash", lambda: access_token(iss="https://id.example.com/")),
    ("the client asked for a token of another API", lambda: access_token(aud="account")),
    ("the provider doesn't follow RFC 9068", lambda: access_token({**HEADER, "typ": "JWT"})),
    ("the provider names the client in another claim", lambda: access_token(client_id=..., azp="web")),
    ("the token is opaque", lambda: "kJ2hFm3gQ9"),
    ("the token has expired", lambda: access_token(exp=NOW - 100)),
    ("the clock of the API is slow", lambda: access_token(nbf=NOW + 500)),
    (
        "the token is from another realm",
        lambda: access_token({**HEADER, "kid": "k9"}, iss="https://id.example.com/realms/other"),
    ),
    ("the token was changed on its way", lambda: access_token()[:-8] + "AAAAAAAA"),
    ("the token lacks the scope", lambda: access_token(scope="profile")),
]


@pytest.fixture
def orders():
    """Run the program of the page, with the published key of an issuer that this test is."""
    scope = {"__name__": "app"}
    exec(blocks(f"{GUIDES}/access-tokens.md", "python")[0], scope)
    key_set = json.dumps({"keys": [jwk("RS256", kid="k1")]}).encode()
    scope["tokens"]._keys = JWKS("https://id.example.com/keys", fetch=lambda url: key_set)
    return scope["app"].test_client()


def test_a_valid_token_gets_what_the_page_says(orders):
    answer = orders.get("/orders", headers=bearer_header(access_token()))
    assert (answer.status_code, answer.json) == (200, {"of": "ada"})


@pytest.mark.parametrize(("mistake", "make"), MISTAKES)
def test_the_log_says_of_a_mistake_what_the_page_shows(mistake, make, orders, caplog):
    caplog.set_level(logging.INFO, "flask_unauthorized")
    text = (ROOT / GUIDES / "access-tokens.md").read_text(encoding="utf-8")
    row = re.search(rf"^\| {re.escape(mistake)}.* \| (\d+).* \| `(.*)` \|$", text, re.MULTILINE)
    answer = orders.get("/orders", headers=bearer_header(make()))
    seconds = re.compile(r"\d+ s ")
    assert answer.status_code == int(row[1])
    assert seconds.sub("N s ", row[2]) in seconds.sub("N s ", caplog.text)


def test_a_script_of_other_pages_sends_a_token_of_a_provider(orders):
    pytest.importorskip("flask_cors")
    (fragment,) = [code for code in blocks(f"{GUIDES}/single-page-app.md", "python") if code.startswith("# a part of")]
    exec(fragment, {"app": orders.application})
    pages = {"Origin": "http://localhost:3000", "Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "cors"}
    asked = {"Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "authorization"}
    preflight = orders.options("/orders", headers=pages | asked)
    assert (preflight.status_code, preflight.headers["Access-Control-Allow-Headers"]) == (200, "authorization")
    expired = orders.get("/orders", headers=pages | bearer_header(access_token(exp=NOW - 100)))
    assert (expired.status_code, expired.headers["Access-Control-Allow-Origin"]) == (401, pages["Origin"])
    assert 'error="invalid_token"' in expired.headers["WWW-Authenticate"]
    assert "WWW-Authenticate" in expired.headers["Access-Control-Expose-Headers"]
    assert orders.get("/orders", headers=pages | bearer_header(access_token())).json == {"of": "ada"}


def test_the_table_of_mistakes_has_no_row_that_is_not_tried():
    text = (ROOT / GUIDES / "access-tokens.md").read_text(encoding="utf-8")
    assert len(re.findall(r"^\| .* \| 40[13].* \| `.*` \|$", text, re.MULTILINE)) == len(MISTAKES)


@pytest.mark.parametrize("name", ["access-tokens", "authorization-servers", "dpop", "mcp-server", "fapi"])
def test_an_api_answers_as_its_page_shows(name, tmp_path):
    check_console(f"{GUIDES}/{name}.md", blocks(f"{GUIDES}/{name}.md", "python")[0], tmp_path)


def test_the_button_of_the_page_logs_out_everywhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    program, view = (blocks(f"{GUIDES}/logins.md", "python")[number] for number in (0, -1))
    scope = {"__name__": "app"}
    exec(program.replace("auth.check(app)", view + "\nauth.check(app)"), scope)
    phone, laptop = (scope["app"].test_client() for _ in range(2))
    for client in (phone, laptop):
        sent = {"name": "ada", "password": "correct horse", "remember": "on"}
        assert client.post("/login", data=sent, base_url="https://localhost").location == "/"
        assert client.get("/", base_url="https://localhost").status_code == 200
    assert laptop.post("/logout-everywhere", base_url="https://localhost").location == "/login"
    assert [client.get("/", base_url="https://localhost").status_code for client in (phone, laptop)] == [401, 401]

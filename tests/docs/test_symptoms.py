"""docs/symptoms.md: each entry is reproduced, its output is real, and its fix removes the symptom.

`ELSEWHERE` names the tests of entries that need a browser, a proxy or another extension.
"""

import http.client
import http.cookiejar
import json
import logging
import re
import subprocess
import sys
import threading
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import pytest
from flask import Flask
from werkzeug.serving import WSGIRequestHandler, make_server

from flask_unauthorized import APIKey, Auth, AuthUnavailable, Bearer, ConfigurationError, Identity, SessionCookie
from flask_unauthorized.authentication import authorization
from flask_unauthorized.jose import read_key_set
from flask_unauthorized.loaders.jwks import JWKS
from flask_unauthorized.loaders.jwt import JWT
from flask_unauthorized.stores.memory import MemoryStore
from tests.digest_client import challenge, sent
from tests.helpers import bearer_header
from tests.jose.signing import jwk, private, signed

from .symptoms import ENTRIES, TEXT, name_of_test, slug

ROOT = Path(__file__).parents[2]
NEIGHBOURS = "tests/docs/test_symptoms_neighbours.py::"
ELSEWHERE = {
    "flask-cors-no-cors-headers-on-the-401": NEIGHBOURS + "test_flask_cors_no_cors_headers_on_the_401",
    "works-in-curl-and-postman-not-in-fetch": NEIGHBOURS + "test_works_in_curl_and_postman_not_in_fetch",
    "the-rate-limiter-counts-all-users-as-one": NEIGHBOURS + "test_the_rate_limiter_counts_all_users_as_one",
    "nginx-auth_request-responds-with-500": "tests/clients/test_forward_auth.py::test_nginx_never_answers_500",
}
CLIENTS = "tests/clients/"
IN_BROWSERS = {
    "cors-the-preflight-options-is-401": "test_popups.py::test_a_preflight_passes_and_what_follows_is_judged",
    "redirect-loop-between-a-page-and-the-login-page": "test_symptoms.py::test_the_browser_ends_a_loop_of_redirects",
    "401-or-403-from-a-websocket": "test_symptoms.py::test_the_console_says_that_a_websocket_failed",
    "flask-cors-no-cors-headers-on-the-401": "test_popups.py::test_a_script_of_another_origin_reads_the_refusal",
    "a-password-box-pops-up-in-the-browser": "test_popups.py::test_a_script_opens_no_window",
    "not-logged-in-inside-an-iframe-third-party-cookies": (
        "test_people.py::test_csr_01_a_cookie_that_a_browser_sends_across_sites"
    ),
}
"""Entries that are reproduced here without a browser, and the tests in `CLIENTS` that use Chromium."""
ADA = bearer_header("token-of-ada")
KEY = "a secret of thirty-two characters"
NOW = 1_800_000_000

API = """
from flask import Flask, request
from flask_unauthorized import APIKey, Auth, Basic, Bearer, Identity, SessionCookie

def load_user(token):
    return {"token-of-ada": Identity("ada", scopes={"notes:read"}), "token-of-bob": Identity("bob")}.get(token)

def check_key(name, password):
    return load_user(name)

def check_password(name, password):
    return password == "correct horse"

auth = Auth(Bearer(load_user), realm="notes")
app = Flask("notes")
PART
auth.init_app(app)

@app.route("/notes", methods=["GET", "POST"])
@auth.login_required
def notes():
    return {"you": auth.identity.subject}

auth.check(app)
"""

PROVIDER = """
from flask import Flask
from flask_unauthorized import Auth, Bearer

PART
auth = Auth(Bearer(tokens), realm="notes")
app = Flask("notes")
auth.init_app(app)

@app.get("/notes")
@auth.login_required
def notes():
    return {"you": auth.identity.subject}

auth.check(app)
"""
REALM = "https://id.example.com/realms/shop"
AT_REALM = f'tokens = JWT("{REALM}", audience="https://api.example.com")'

PEOPLE = """
from flask import Flask, redirect, request
from flask_unauthorized import Auth, Identity, SessionCookie, current_user

USERS = {1: "ada"}

def load_user(user_id):
    return Identity(user_id)

people = SessionCookie(load_user, login_view="login")
app = Flask("notes")
app.config["SECRET_KEY"] = "a secret of thirty-two characters"
FORM = "<form method=post><button>Log in</button></form>"
PART
auth = Auth(people, realm="notes")
auth.init_app(app)

@app.route("/login", methods=["GET", "POST"])
@auth.public
def login():
    if request.method == "POST":
        auth.login("1")
        return redirect(auth.next_url("/"))
    return FORM

@app.route("/", methods=["GET", "POST"])
@auth.login_required
def home():
    return {"you": auth.identity.subject}

auth.check(app)
"""


# --- the page


def test_each_entry_is_reproduced():
    here = {name for name in globals() if name.startswith("test_")}
    for entry in ENTRIES:
        if entry in ELSEWHERE:
            assert name_of_test(entry) not in here
        else:
            assert name_of_test(entry) in here, entry
    for place in (*ELSEWHERE.values(), *(CLIENTS + place for place in IN_BROWSERS.values())):
        path, _, test = place.partition("::")
        assert f"def {test}(" in (ROOT / path).read_text(encoding="utf-8"), place
    assert {*ELSEWHERE, *IN_BROWSERS} <= ENTRIES.keys()


def test_the_index_has_each_entry_under_its_heading():
    index = TEXT.partition("\n## ")[0]
    listed = re.findall(r"^\| ([^|]*) \| \[(.*)\]\(#(.*)\) \|$", index, re.MULTILINE)
    groups = re.split(r"^## ", TEXT, flags=re.MULTILINE)[1:]
    expected = [
        (group.partition("\n")[0], heading, slug(heading))
        for group in groups
        for heading in re.findall(r"^### (.*)$", group, re.MULTILINE)
    ]
    assert listed == expected
    assert len(expected) >= 30


@pytest.mark.parametrize("text", ENTRIES.values(), ids=ENTRIES)
def test_each_entry_has_its_four_parts_and_a_link(text):
    parts = [text.index(part) for part in ("**You see**", "**Cause.**", "**Check.**", "**Fix.**")]
    assert parts == sorted(parts)
    assert re.search(r"\]\((\w+/|\.\./)", text)


# --- in curl, Postman or another client


class Provider:
    """A simulated Keycloak: its keys, and tokens as it writes them for a client without further settings."""

    def __init__(self, monkeypatch):
        monkeypatch.setattr("flask_unauthorized.loaders.jwt.time", lambda: NOW)
        self.down = False
        url = f"{REALM}/protocol/openid-connect/certs"
        self.JWT = lambda issuer, **options: JWT(issuer, **{"keys": JWKS(url, fetch=self.fetch), **options})

    def fetch(self, url):
        if self.down:
            raise ConnectionError("refused")
        return json.dumps({"keys": [jwk("RS256", kid="k1")]}).encode()

    def token(self, typ="at+jwt", kid="k1", alg="RS256", key=None, **changes):
        claims = {
            "iss": REALM, "aud": ["https://api.example.com", "account"], "sub": "8befeac4", "azp": "web",
            "client_id": "web", "jti": "onrtac:179a04e8", "iat": NOW - 10, "exp": NOW + 300, "typ": "Bearer",
            **changes,
        }  # fmt: skip
        claims = {name: value for name, value in claims.items() if value is not None}
        return signed({"typ": typ, "kid": kid, "alg": alg}, claims, "RS256", key)


@pytest.fixture
def provider(monkeypatch):
    return Provider(monkeypatch)


def solve(entry, provider, token, part=AT_REALM, status=401, **names):
    """The program refuses the token. With the code of the page, it accepts it."""
    names = {"JWT": provider.JWT, **names}
    assert entry.curl(entry.run(PROVIDER, part, **names)["app"], TOKEN=token) == [status]
    fixed = entry.run(PROVIDER, entry.fix, **names)["app"]
    return fixed.test_client().get("/notes", headers=bearer_header(token))


def test_my_token_is_valid_but_i_get_401(entry, provider):
    app = entry.run(PROVIDER, AT_REALM, JWT=provider.JWT)["app"]
    tokens = [
        provider.token(typ="JWT"),
        provider.token(iss="https://keycloak.internal:8443/realms/shop"),
        provider.token(aud="account"),
        provider.token(aud="web"),
        provider.token(iat=NOW - 7200, exp=NOW - 3600),
        provider.token(nbf=NOW + 300),
        provider.token(iat=NOW + 180),
        provider.token(kid="k2"),
        provider.token(key=private("RS256", 1)),
        provider.token(alg="HS256"),
        provider.token(alg="RS512"),
        provider.token(client_id=None),
        "opaque-token-of-the-provider",
    ]
    for token in tokens:
        assert entry.curl(app, TOKEN=token) == [401]
    lines = [line for line in entry.log() if "refused notes" in line]
    spans = re.findall(r"^\| `(.*?)` \|", entry.text, re.MULTILINE)
    assert len(lines) == len(spans) == len(tokens)
    for line, span in zip(lines, spans, strict=True):
        assert span in line
    accepted = app.test_client().get("/notes", headers=bearer_header(provider.token()))
    assert accepted.json == {"you": "8befeac4"}


def test_the_command_shows_what_a_token_holds(provider):
    entry = ENTRIES["my-token-is-valid-but-i-get-401"]
    (code,) = re.findall(r"python -c '(.*)' \"\$TOKEN\"", entry)
    shown = subprocess.run([sys.executable, "-c", code, provider.token()], capture_output=True, text=True, check=True)
    header, claims = map(json.loads, shown.stdout.splitlines())
    assert (header["typ"], claims["iss"]) == ("at+jwt", REALM)


def test_keycloak_or_entra_token_rejected_typ_is_jwt_not_atjwt(entry, provider):
    assert solve(entry, provider, provider.token(typ="JWT", client_id=None)).status_code == 200


def test_jwt_audience_mismatch_aud_is_account(entry, provider):
    assert solve(entry, provider, provider.token(aud="account")).status_code == 401
    fixed = entry.run(PROVIDER, entry.fix, JWT=provider.JWT)["app"].test_client()
    token = provider.token(aud="00001111-aaaa-2222-bbbb-3333cccc4444")
    assert fixed.get("/notes", headers=bearer_header(token)).status_code == 200


def test_issuer_mismatch_keycloak_in_docker_or_a_slash_at_the_end(entry, provider):
    token = provider.token(iss="https://keycloak.internal:8443/realms/shop")
    assert solve(entry, provider, token).status_code == 200
    app = entry.run(PROVIDER, AT_REALM, JWT=provider.JWT)["app"]
    assert app.test_client().get("/notes", headers=bearer_header(provider.token(iss=f"{REALM}/"))).status_code == 401


def test_signature_or_key_id_no_key_has_kid(entry, provider):
    old = read_key_set(provider.fetch("https://id.example.com/keys"))
    part = AT_REALM.replace('com")', 'com", keys=old)')
    token = provider.token(kid="k2", key=private("RS256", 1))
    assert entry.curl(entry.run(PROVIDER, part, JWT=JWT, old=old)["app"], TOKEN=token) == [401]
    app = entry.run(PROVIDER, AT_REALM, JWT=provider.JWT)["app"]
    assert entry.curl(app, TOKEN=token) == [401]
    elsewhere = provider.token(kid="k2", key=private("RS256", 1), iss="https://id.example.com/realms/test")
    assert entry.curl(app, TOKEN=elsewhere) == [401]
    assert entry.curl(app, TOKEN=provider.token(key=private("RS256", 1))) == [401]
    provider.fetch = lambda url: json.dumps({"keys": [jwk("RS256", 1, kid="k2")]}).encode()
    fixed = entry.run(PROVIDER, entry.fix, JWT=provider.JWT)["app"].test_client()
    assert fixed.get("/notes", headers=bearer_header(token)).status_code == 200


def test_clock_skew_the_token_is_not_valid_yet(entry, provider):
    assert solve(entry, provider, provider.token(iat=NOW, nbf=NOW + 300)).status_code == 200
    assert solve(entry, provider, provider.token(iat=NOW + 180)).status_code == 200


def test_every_request_is_503(entry, provider, monkeypatch):
    provider.down = True
    app = entry.run(PROVIDER, AT_REALM, JWT=provider.JWT)["app"]
    assert entry.curl(app, TOKEN=provider.token()) == [503]
    fetched = []

    def fetch(url):
        fetched.append(url)
        provider.down = False
        return provider.fetch(url)

    monkeypatch.setattr("flask_unauthorized.loaders.jwks.JWKS", lambda url, *, ca_file: JWKS(url, fetch=fetch))
    fixed = entry.run(PROVIDER, entry.fix, JWT=JWT)
    answered = fixed["app"].test_client().get("/notes", headers=bearer_header(provider.token()))
    assert (answered.status_code, fetched) == (200, [fixed["CERTS"]])


def test_the_table_of_503_quotes_the_log(provider, caplog):
    rows = re.findall(r"^\| `(the issuer in it .*?)` \|", ENTRIES["every-request-is-503"], re.MULTILINE)
    keys = JWKS.of_issuer(f"{REALM}/", fetch=lambda url: json.dumps({"issuer": REALM}).encode())
    with pytest.raises(AuthUnavailable) as caught:
        keys.candidates("k1", "RS256")
    (row,) = rows
    assert row in caught.value.reason


def check_config(entry, part, fixed_status, **given):
    """The program with ``part`` shows what the page says; with the code of the page, the requests have a status."""
    first = entry.curl(entry.run(API, part)["app"], **given)
    return first, entry.curl(entry.run(API, entry.fix)["app"], **given) == fixed_status


def test_401_and_the_log_says_no_credentials_came(entry):
    assert check_config(entry, "", [401, 200]) == ([401, 401], True)
    app, people = Flask("notes"), SessionCookie({"ada": "ada"}.get)
    app.config.update(SECRET_KEY="only for this test, 32 characters", SESSION_COOKIE_SAMESITE="Lax")
    auth = Auth(Bearer({"token-of-ada": "ada"}.get), people, realm="notes")
    auth.init_app(app)
    app.add_url_rule("/tokens", "make_token", auth.login_required(via=people)(lambda: "made"), methods=["POST"])
    app.add_url_rule("/both", "both", auth.login_required(lambda: "both"))
    client = app.test_client()
    assert [client.post("/tokens", headers=ADA).status_code, client.get("/both", headers=ADA).status_code] == [401, 200]


def test_400_bad_request_with_a_token(entry):
    app = entry.run(API, "")["app"]
    assert (entry.curl(app, 0), entry.curl(app, 1)) == ([400], [200])


def test_400_two_credentials_in_one_request(entry):
    app, bearer = Flask("notes"), Bearer({"token-of-ada": "ada"}.get)
    auth = Auth(bearer, APIKey({"token-of-ada": "ada"}.get), realm="notes")
    auth.init_app(app)
    app.add_url_rule("/notes", "notes", auth.login_required(lambda: "notes"))
    scope = entry.run("PART", entry.fix, auth=auth, bearer=bearer)
    app.add_url_rule("/fixed", "fixed", scope["guard"](lambda: "notes"))
    assert entry.curl(app) == [400]
    assert app.test_client().get("/fixed", headers={**ADA, "X-API-Key": "token-of-ada"}).status_code == 200


def test_400_with_a_very_long_token(entry):
    assert check_config(entry, "", [401], LONG_TOKEN="x" * 20_000) == ([400], True)


def test_a_token_in_the_url_does_not_work(entry):
    assert check_config(entry, "", [200]) == ([401], True)


def test_401_with_an_api_key_as_the_user_name_curl_u_key(entry):
    assert check_config(entry, 'auth = Auth(Basic(check_key), realm="notes")', [200]) == ([401], True)


def test_403_with_a_valid_token(entry):
    program = API.replace("@auth.login_required", "@auth.login_required(scopes={'notes:list'})")
    assert entry.curl(entry.run(program, "")["app"]) == [403]
    assert entry.curl(entry.run(program, entry.fix)["app"]) == [200]


def test_403_and_the_log_says_none_of_the_roles(entry, provider):
    program = PROVIDER.replace("@auth.login_required", "@auth.login_required(roles={'editor'})")
    token = provider.token(realm_access={"roles": ["editor"]})
    wrong = AT_REALM.replace('com")', 'com", roles_claim="realm_access.role")')
    assert entry.curl(entry.run(program, wrong, JWT=provider.JWT)["app"], TOKEN=token) == [403]
    assert entry.curl(entry.run(program, AT_REALM, JWT=provider.JWT)["app"], TOKEN=token) == [403]
    assert entry.curl(entry.run(program, entry.fix, JWT=provider.JWT)["app"], TOKEN=token) == [200]


def test_two_www_authenticate_headers_and_the_client_reads_one(entry):
    both = 'auth = Auth(Bearer(load_user), Basic(check_password), realm="notes")\n'
    entry.curl(entry.run(API, both)["app"])
    assert entry.curl(entry.run(API, both + entry.fix)["app"], 1) == [401]
    written = "bearer, basic = Bearer(load_user), Basic(check_password)\n"
    written += "auth = " + re.search(r"`(Auth\(bearer.*?\))`", entry.text)[1].replace("Auth(", "Auth(realm='notes', *(")
    ordered = entry.run(API, written.replace("basic, challenge", "basic), challenge"))["app"]
    assert ordered.test_client().get("/notes").headers.getlist("WWW-Authenticate")[0].startswith("Bearer")


# --- in a browser


def test_cors_the_preflight_options_is_401(entry):
    assert entry.curl(entry.run(API, "app.before_request(lambda: auth.require() and None)")["app"]) == [401]
    fixed = entry.run(API, entry.fix)["app"]
    assert entry.curl(fixed) == [200]
    assert fixed.test_client().get("/notes").status_code == 401


def test_a_password_box_pops_up_in_the_browser(entry):
    assert entry.curl(entry.run(API, 'auth = Auth(Basic(check_password), realm="notes")')["app"], 0) == [401]
    fixed = entry.run(API, entry.fix)["app"]
    assert entry.curl(fixed, 1) == [401]
    assert fixed.test_client().get("/notes", auth=("ada", "correct horse")).status_code == 200


def test_redirect_loop_between_a_page_and_the_login_page(entry, monkeypatch):
    now = [NOW]
    monkeypatch.setattr(time, "time", lambda: now[0])
    monkeypatch.setattr(authorization, "time", lambda: now[0])
    program = """
from flask import Flask, redirect, request
from flask_unauthorized import Auth, Identity, SessionCookie, current_user

FORM = "<form method=post><button>Log in</button></form>"
app = Flask("notes")
app.config["SECRET_KEY"] = "a secret of thirty-two characters"
auth = Auth(SessionCookie(Identity, login_view="login", idle=None), realm="notes")
auth.init_app(app)
PART
app.add_url_rule("/login", "login", auth.public(login), methods=["GET", "POST"])

@app.get("/account")
@auth.login_required(max_age=300)
def account():
    return "account"
"""
    broken = entry.fix.replace(
        "def login():\n", "def login():\n    if current_user: return redirect(auth.next_url('/'))\n"
    ).replace("if current_user", "if request.method == 'GET' and current_user")
    assert 'if current_user: return redirect(auth.next_url("/"))' in entry.text
    browser = {"headers": {"Accept": "text/html,application/xhtml+xml"}}
    ways = {}
    for name, part in (("broken", broken), ("fixed", entry.fix)):
        client = entry.run(program, part)["app"].test_client()
        now[0] = NOW
        client.post("/login")
        now[0] += 600
        path, ways[name] = "/account", []
        for _ in range(3):
            response = client.get(path, **browser)
            ways[name].append(f"GET {path} {response.status_code} {response.location or ''}".strip())
            path = response.location or path
    entry.seen += ways["broken"]
    assert ways["fixed"][1:] == ["GET /login?next=/account 200"] * 2
    assert client.post("/login?next=/account", **browser).location == "/account"
    assert client.get("/account", **browser).status_code == 200


class Quiet(WSGIRequestHandler):
    def log(self, *args):
        pass


@contextmanager
def served(app):
    """Serve an app by Flask's server, over plain HTTP, and yield the port."""
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=Quiet)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class Followed(urllib.request.HTTPRedirectHandler):
    """Notes each redirect, as the network tab of a browser does."""

    def __init__(self, notes):
        self.notes = notes

    def redirect_request(self, req, fp, code, msg, headers, newurl):
        path = "/" + req.full_url.split("/", 3)[3]
        self.notes.append(f"{req.get_method()} {path} {code} {headers['Location']}")
        followed = super().redirect_request(req, fp, code, msg, headers, newurl)
        followed.add_header("Accept", "text/html,application/xhtml+xml")
        return followed


def test_the_login_page_shows_again_after_logging_in(entry):
    """Python's cookie jar keeps the rule of browsers that are not on the same machine: no `Secure` over HTTP."""

    def log_in(part):
        notes = []
        with served(entry.run(PEOPLE, part)["app"]) as port:
            jar = urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
            opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), jar, Followed(notes))
            with opener.open(f"http://127.0.0.1:{port}/login", b"", timeout=30) as page:
                return notes, page.read().decode()

    notes, page = log_in('app.config["SESSION_COOKIE_SECURE"] = True')
    entry.seen += notes
    assert "Log in" in page
    assert len(notes) == 2
    assert "you" in log_in(entry.fix)[1]


def session_of(app, **given):
    """Log in, and return the value of the cookie."""
    client = app.test_client()
    assert client.post("/login", **given).status_code == 302
    return client.get_cookie("session", domain=given.get("domain", "localhost")).value


PROXY = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "notes.example.com", "X-Forwarded-For": "203.0.113.9"}


def test_403_on_post_from_my_own_page(entry):
    app = entry.run(PEOPLE, "")["app"]
    assert entry.curl(app, SESSION=session_of(app), headers=PROXY) == [403]
    fixed = entry.run(PEOPLE, entry.fix)["app"]
    assert entry.curl(fixed, SESSION=session_of(fixed), headers=PROXY) == [200]


RANDOM = 'import secrets\napp.config["SECRET_KEY"] = secrets.token_hex()'


def test_logged_out_after_each_restart(entry, monkeypatch):
    monkeypatch.setenv("SECRET_KEY", KEY)
    for part, status in ((RANDOM, 401), (entry.fix, 200)):
        session = session_of(entry.run(PEOPLE, part)["app"])
        assert entry.curl(entry.run(PEOPLE, part)["app"], SESSION=session) == [status]


def test_session_lost_between_workers_200_then_401_then_200(entry, monkeypatch):
    monkeypatch.setenv("SECRET_KEY", KEY)

    def statuses(part):
        workers = [entry.run(PEOPLE, part)["app"] for _ in range(2)]
        cookie = {"Cookie": f"session={session_of(workers[0])}"}
        return [app.test_client(use_cookies=False).get("/", headers=cookie).status_code for app in workers * 2]

    entry.seen.append(" ".join(map(str, statuses(RANDOM))))
    assert statuses(entry.fix) == [200] * 4


def test_logged_out_after_an_hour_or_the_mobile_app_is_logged_out_each_day(entry, monkeypatch):
    now = [NOW]
    monkeypatch.setattr(time, "time", lambda: now[0])
    for part, status in (("", 401), (entry.fix, 200)):
        now[0] = NOW
        app = entry.run(PEOPLE, part)["app"]
        session = session_of(app)
        now[0] += 3700
        assert entry.curl(app, SESSION=session) == [status]


def test_not_logged_in_inside_an_iframe_third_party_cookies(entry):
    lax = entry.run(PEOPLE, 'app.config["SESSION_COOKIE_SAMESITE"] = "Lax"')["app"]
    assert "SameSite=Lax" in lax.test_client().post("/login").headers["Set-Cookie"]
    assert entry.curl(lax) == [401]  # A browser sends no cookie here.
    fixed = entry.run(PEOPLE, entry.fix)["app"]
    entered = fixed.test_client().post("/login", base_url="https://localhost")
    assert "Secure" in entered.headers["Set-Cookie"]
    assert "SameSite=None" in entered.headers["Set-Cookie"]
    sent = {"Cookie": entered.headers["Set-Cookie"].partition(";")[0], "Sec-Fetch-Site": "cross-site"}
    framed = fixed.test_client(use_cookies=False).get("/", headers=sent, base_url="https://localhost")
    assert framed.status_code == 200


CACHED = """
import functools
from flask import Flask, request
from flask_unauthorized import Auth, Bearer

def cached(key):
    kept = {}
    def decorate(view):
        @functools.wraps(view)
        def run():
            name = (key(), request.path)
            if name not in kept:
                kept[name] = view()
            return kept[name]
        return run
    return decorate

app = Flask("notes")
auth = Auth(Bearer({"token-of-ada": "ada", "token-of-bob": "bob"}.get), realm="notes")
auth.init_app(app)
PART
auth.check(app)
"""


def test_a_cached_page_of_another_user(entry):
    broken = entry.fix.replace("@auth.login_required\n@cached(", "@cached(").replace("auth.identity.key", "None")
    broken = broken.replace("def notes", "@auth.login_required\ndef notes")
    assert entry.curl(entry.run(CACHED, broken)["app"]) == [200, 200]
    fixed = entry.run(CACHED, entry.fix)["app"].test_client()
    for name in ("ada", "bob", "ada"):
        assert fixed.get("/notes", headers=bearer_header(f"token-of-{name}")).text == f"notes of {name}"


def test_current_user_is_empty_after_the_login(entry):
    def program(code):
        return f"{code}\npeople = SessionCookie(load_user, login_view='login')"

    assert entry.curl(entry.run(PEOPLE, program(entry.fix.replace("int(user_id)", "user_id")))["app"]) == [401]
    assert entry.curl(entry.run(PEOPLE, program(entry.fix))["app"]) == [302]


def test_swagger_ui_asks_again_and_again_or_sends_no_token(entry):
    document = {"openapi": "3.1.0", "info": {"title": "notes", "version": "1"}, "paths": {"/notes": {"get": {}}}}
    for part in ("", entry.fix):
        found = entry.run(API.replace("PART\n", "") + "PART", part, document=document)["document"]
        schemes = found.get("components", {}).get("securitySchemes", {})
        entry.seen.append(f"securitySchemes: {list(schemes)}")
    (demand,) = found["paths"]["/notes"]["get"]["security"]
    assert demand.keys() == schemes.keys()


# --- behind a server or a proxy


def without_authorization(app):
    """What mod_wsgi does by default."""

    def run(environ, start_response):
        environ.pop("HTTP_AUTHORIZATION", None)
        return app(environ, start_response)

    return run


def test_401_behind_apache_with_mod_wsgi(entry):
    app = entry.run(API, "")["app"]
    assert app.test_client().get("/notes", headers=ADA).status_code == 200
    app.wsgi_app = without_authorization(app.wsgi_app)
    assert entry.curl(app) == [401]
    assert "WSGIPassAuthorization On" in entry.blocks("apache")[0]


def test_the_authorization_header_is_missing_in_cgi_fastcgi_or_a_cloud_function(entry):
    app = entry.run(API, entry.fix)["app"]
    assert app.test_client().get("/probe", headers=ADA).json == {"Authorization came": True}
    app.wsgi_app = without_authorization(app.wsgi_app)
    assert entry.curl(app) == [200]
    assert app.test_client().get("/notes", headers=ADA).status_code == 401


def test_401_in_production_200_on_my_machine(entry):
    assert entry.curl(entry.run(API, "")["app"]) == [401]
    fixed = entry.run(API, entry.fix)["app"].test_client()
    assert fixed.get("/notes", auth=("staging", "password"), headers={"X-API-Key": "token-of-ada"}).status_code == 200


def test_403_use_https_though_the_site_has_https(entry):
    required = 'app.config["UNAUTHORIZED_REQUIRE_HTTPS"] = True\n'
    assert entry.curl(entry.run(API, required)["app"], headers=PROXY) == [403]
    assert entry.curl(entry.run(API, required + entry.fix)["app"], headers=PROXY) == [200]


def test_an_api_key_header_with_an_underscore_is_dropped_by_nginx_or_gunicorn(entry):
    with served(entry.run(API, 'auth = Auth(APIKey(load_user), realm="notes")')["app"]) as port:
        for name in ("X_API_Key", "X-API-Key"):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
            connection.request("GET", "/notes", headers={name: "token-of-ada"})
            entry.seen.append(f"{name}: {connection.getresponse().status}")
            connection.close()


def test_digest_the_nonce_is_stale_behind_a_load_balancer(entry, monkeypatch):
    monkeypatch.setenv("SECRET_KEY", KEY)
    program = """
from flask import Flask
from flask_unauthorized import Auth, Digest
from flask_unauthorized.stores.memory import MemoryStore

app = Flask("notes")
PART
auth = Auth(Digest(lambda name: "correct horse", store=store), realm="notes")
auth.init_app(app)

@app.get("/")
@auth.login_required
def home():
    return "in"
"""

    def statuses(part):
        """Each request goes to the other host, with an answer to the challenge that came last."""
        store = MemoryStore(single_process=True)
        hosts = [entry.run(program, part, store=store)["app"].test_client() for _ in range(2)]
        offered, found = None, []
        for number, host in enumerate([hosts[0], hosts[0], hosts[1], hosts[1]]):
            response = host.get("/", headers=sent(offered, nc=number) if offered else {})
            found.append(response.status_code)
            if response.status_code == 401:
                offered = challenge(response.headers["WWW-Authenticate"])
        return " ".join(map(str, found))

    entry.seen.append(statuses(RANDOM))
    assert statuses(entry.fix) == "401 200 200 200"


def test_401_or_403_from_a_websocket(entry):
    upgrade = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13"}
    ws = {"base_url": "ws://localhost"}

    def build(people):
        app = Flask("notes")
        app.config["SECRET_KEY"] = KEY
        auth = Auth(people, realm="notes")
        auth.init_app(app)
        app.add_url_rule("/login", "login", lambda: auth.login("ada").subject, methods=["POST"])
        app.add_url_rule("/feed", "feed", auth.login_required(lambda: ("", 101)), websocket=True)
        return app.test_client()

    client = build(SessionCookie(Identity))
    pages = {**upgrade, "Origin": "https://pages.example"}
    here = {**upgrade, "Origin": "http://localhost"}
    entry.seen.append(f"{client.get('/feed', headers=here, **ws).status_code} without a cookie")
    client.post("/login")
    entry.seen.append(f"{client.get('/feed', headers=pages, **ws).status_code} from a page of another site")
    entry.seen.append(f"{client.get('/feed', headers=here, **ws).status_code} with a cookie")
    fixed = build(entry.run("PART", entry.fix, SessionCookie=SessionCookie, load_user=Identity)["people"])
    fixed.post("/login")
    assert fixed.get("/feed", headers=pages, **ws).status_code == 101


# --- in tests


def test_a_test_gets_401_instead_of_302_or_302_instead_of_401(entry):
    app = entry.run(PEOPLE, "")["app"]
    assert entry.curl(app, 0) == [401, 302]
    with pytest.raises(AssertionError) as raised:
        assert app.test_client().get("/").status_code == 302
    entry.seen.append(str(raised.value).splitlines()[0])
    assert entry.run("PART", entry.fix, app=app)["response"].status_code == 302


def test_a_test_has_to_log_in_first_and_gets_401(entry):
    app = entry.run(API, "app.testing = True")["app"]
    assert entry.curl(app) == [401]
    assert entry.run("PART", entry.fix, app=app)["client"].get("/notes").json == {"you": "ada"}


# --- at the start and in the log


def test_configurationerror_at_start(entry):
    program = API.replace("auth.check(app)", "app.add_url_rule('/health', 'health', lambda: 'ok')\nauth.check(app)")
    with pytest.raises(ConfigurationError) as raised:
        entry.run(program, entry.fix.replace("health", "helth"))
    entry.seen.append(f"ConfigurationError: {raised.value}")
    assert entry.run(program, entry.fix)["app"].test_client().get("/health").text == "ok"


def test_500_for_each_guarded_view_the_decorator_is_above_the_route(entry):
    program = API[: API.index("@app.route")] + "PART2"
    above = '@auth.login_required\n@app.get("/notes")\ndef notes():\n    return "notes"\n'
    assert entry.curl(entry.run(program.replace("PART2", above), "")["app"]) == [500]
    assert entry.curl(entry.run(program.replace("PART2", entry.fix), "")["app"]) == [401]


def test_500_with_the_loader_of_bearer_returned_true(entry):
    wrong = entry.fix.replace('Identity("ada") if token == "token-of-ada" else None', 'token == "token-of-ada"')
    auth = '\nauth = Auth(Bearer(verify_token), realm="notes")'
    assert entry.curl(entry.run(API, wrong + auth)["app"]) == [500]
    assert entry.curl(entry.run(API, entry.fix + auth)["app"]) == [200]


def test_500_for_async_views_install_flask_with_the_async_extra(entry, monkeypatch):
    program = API.replace("def notes", "async def notes")
    with monkeypatch.context() as without:
        for name in ("asgiref", "asgiref.sync"):
            without.setitem(sys.modules, name, None)
        assert entry.curl(entry.run(program, "")["app"]) == [500]
    assert "pip install 'flask[async]'" in entry.text


def test_the_log_says_nothing_about_the_401(entry, caplog):
    caplog.set_level(logging.WARNING, "flask_unauthorized")
    app = entry.run(API, "")["app"]
    assert logging.getLogger("flask_unauthorized").getEffectiveLevel() == 30
    assert entry.curl(app) == [401]
    assert not [line for line in entry.log() if "refused" in line]
    caplog.handler.setLevel(logging.NOTSET)
    exec(entry.fix, {})
    assert entry.curl(app) == [401]
    assert [line for line in entry.log() if "refused notes" in line]

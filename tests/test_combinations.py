"""What parts do together, and what a second attack found."""

import time

import pytest
from werkzeug.middleware.proxy_fix import ProxyFix

from flask_unauthorized import (
    Auth,
    Basic,
    Bearer,
    ConfigurationError,
    Digest,
    DPoP,
    Identity,
    InsufficientScope,
    InvalidCredentials,
    SessionCookie,
)
from flask_unauthorized.loaders.claims import with_user
from flask_unauthorized.stores.memory import MemoryStore
from flask_unauthorized.stores.sqlite import SQLiteStore
from flask_unauthorized.testing import assert_unauthorized

from .digest_client import challenge, sent
from .dpop_client import Holder

KEY = "a secret of thirty-two characters"
BASIC = {"Authorization": "Basic YWRhOnBhc3N3b3Jk"}
CROSS = [
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
]
OWN = [{}, {"Sec-Fetch-Site": "same-origin"}, {"Sec-Fetch-Site": "none"}, {"Origin": "http://localhost"}]


@pytest.fixture
def site(make_app):
    """A view for everything, guarded by the schemes given; what ran is kept."""

    def make(*schemes, **config):
        auth = Auth(*schemes, realm="site")
        app = make_app(auth, SECRET_KEY=KEY, **config)
        app.ran = []

        @app.route("/", methods=["GET", "POST"])
        @auth.login_required
        def view():
            app.ran.append(auth.identity.subject)
            return "ran"

        app.auth = auth
        return app

    return make


# --- browsers repeat passwords as they do cookies


@pytest.mark.rfc("CK-05")
@pytest.mark.parametrize("headers", CROSS)
def test_a_page_of_another_site_cannot_use_the_password_that_the_browser_repeats(site, headers):
    app = site(Basic(lambda name, password: True), SessionCookie(Identity))
    refused = app.test_client().post("/", headers={**BASIC, **headers})
    assert (refused.status_code, app.ran) == (403, [])
    assert "WWW-Authenticate" not in refused.headers
    assert app.test_client().get("/", headers={**BASIC, **headers}).status_code == 200


@pytest.mark.parametrize("headers", OWN)
def test_its_own_pages_and_programs_can(site, headers):
    app = site(Basic(lambda name, password: True))
    assert app.test_client().post("/", headers={**BASIC, **headers}).text == "ran"


@pytest.mark.parametrize("blank", ["", " ", "\t "])
def test_a_blank_in_front_opens_no_way_around(site, blank):
    app = site(Basic(lambda name, password: True))
    headers = {"Authorization": blank + BASIC["Authorization"], **CROSS[0]}
    assert (app.test_client().post("/", headers=headers).status_code, app.ran) == (403, [])


def test_a_digest_answer_of_another_sites_form(site):
    app = site(Digest({"ada": "password"}.get, realm="meters"))
    client = app.test_client()
    told = challenge(client.post("/").headers["WWW-Authenticate"])
    answer = sent(told, user="ada", password="password", uri="/", method="POST")
    assert client.post("/", headers={**answer, **CROSS[0]}).status_code == 403
    assert client.post("/", headers=answer).text == "ran"  # the count was not used up


def test_trusted_origins_and_the_name_that_only_scripts_send(site):
    trusting = Basic(lambda name, password: True, script_alias="XBasic", trusted_origins={"https://app.example"})
    client = site(trusting).test_client()
    trusted = {"Origin": "https://app.example", "Sec-Fetch-Site": "cross-site"}
    assert client.post("/", headers={**BASIC, **trusted}).text == "ran"
    alias = {"Authorization": BASIC["Authorization"].replace("Basic", "XBasic")}
    assert client.post("/", headers={**alias, **CROSS[0]}).text == "ran"  # no browser sends that by itself
    assert client.post("/", headers={"Authorization": "Bearer x", **CROSS[0]}).status_code == 401


# --- login() in the middle of a request


def test_login_uses_up_no_proof_twice(site):
    holder = Holder("ES256")
    tokens = {"t": Identity("ada", scopes={"a"}, confirmation={"jkt": holder.jkt})}
    dpop = DPoP(tokens.get, origin="https://api.example.com")
    app = site(dpop, SessionCookie(Identity))
    auth = app.auth

    @app.post("/x")
    @auth.login_required(via=dpop)
    def x():
        auth.login("bob")
        first = auth.require(scopes={"a"}, via=dpop).subject
        auth.logout()
        return f"{first} {auth.require(via=dpop).subject}"

    assert app.test_client().post("/x", headers=holder.sent(token="t", path="/x", method="POST")).text == "ada ada"


def test_after_login_the_caller_stays_who_logged_in(site):
    app = site(Bearer({"t": Identity("alice")}.get), SessionCookie(Identity))
    auth = app.auth

    @app.post("/z")
    @auth.login_required
    def z():
        auth.login("bob")
        return f"{auth.identity.subject} {auth.require().subject} {auth.identity.subject} {auth.scheme.name}"

    assert app.test_client().post("/z", headers={"Authorization": "Bearer t"}).text == "bob bob bob Cookie"


def test_the_caller_of_an_issuer_is_no_user_of_ours(site):
    app = site(SessionCookie(Identity))
    token = Identity("1", claims={"iss": "https://one.example"})
    with app.test_request_context(method="POST"), pytest.raises(TypeError, match="issuer"):
        app.auth.login(token)


# --- one account, many sessions


def test_logging_in_and_out_again_and_again_fills_no_store(site):
    store = MemoryStore(capacity=400)
    app = site(SessionCookie(Identity, store=store))
    auth = app.auth
    app.add_url_rule("/in/<name>", "in", lambda name: auth.login(name).subject, methods=["POST"])
    app.add_url_rule("/out", "out", lambda: auth.logout() or "out", methods=["POST"])
    busy, other, copied = (app.test_client() for _ in range(3))
    for _ in range(250):
        assert busy.post("/in/mallory").status_code == 200
        cookie = busy.get_cookie("session").value
        assert busy.post("/out").status_code == 200
    assert len(store._entries) < 110
    copied.set_cookie("session", cookie)
    assert copied.get("/").status_code == 401
    assert busy.post("/in/mallory").status_code == 200
    assert busy.get("/").status_code == 200
    other.post("/in/ada")
    assert [other.get("/").status_code, other.post("/out").status_code, other.get("/").status_code] == [200, 200, 401]


# --- what the look-up of a token's user may say


def test_a_look_up_cannot_widen_what_a_token_allows():
    token = Identity("1", scopes={"read"}, acr="pwd", auth_time=5.0, claims={"jti": "x"}, client_id="app")
    looked_up = Identity("ada", scopes={"admin"}, roles={"boss"}, acr="mfa", auth_time=9.0, user=object())
    found = with_user(token, lambda identity: looked_up)
    assert (found.subject, found.roles, found.user) == ("ada", {"boss"}, looked_up.user)
    assert (found.scopes, found.acr, found.auth_time, found.client_id) == ({"read"}, "pwd", 5.0, "app")
    assert found.claims == token.claims


# --- refusals that are kept, and refusals that a view catches


def test_a_realm_of_one_tenant_is_not_told_to_the_next(make_app):
    from flask import has_request_context, request

    class Tenants(Bearer):
        static = False

        @property
        def realm(self):
            return request.host if has_request_context() else None

    auth = Auth(Tenants(lambda token: None))
    app = make_app(auth)
    app.add_url_rule("/", "view", auth.login_required(lambda: ""))
    for host in ("acme.example", "globex.example"):
        for headers in ({}, {"Authorization": "Bearer x"}):
            refused = app.test_client().get("/", base_url=f"http://{host}/", headers=headers)
            assert f'realm="{host}"' in refused.headers["WWW-Authenticate"]


def test_a_translated_wording_is_not_kept(site, monkeypatch):
    language = []
    monkeypatch.setattr(InvalidCredentials, "description", property(lambda error: language[-1]))
    client = site(Bearer(lambda token: None)).test_client()
    for words in ("No.", "Nein."):
        language.append(words)
        refused = client.get("/", headers={"Authorization": "Bearer x"})
        assert f'error_description="{words}"' in refused.headers["WWW-Authenticate"]
        assert refused.json["message"] == words


@pytest.mark.parametrize("asynchronous", [False, True])
def test_a_refusal_that_the_view_caught_says_nothing_of_its_answer(make_app, asynchronous):
    auth = Auth(Bearer({"t": Identity("ada", scopes={"read"})}.get))
    app = make_app(auth)

    def caught():
        with pytest.raises(InsufficientScope):
            auth.require(scopes={"admin"})
        return "quota used up", 403

    async def caught_too():
        return caught()

    app.add_url_rule("/", "view", auth.login_required(caught_too if asynchronous else caught))
    answered = app.test_client().get("/", headers={"Authorization": "Bearer t"})
    assert (answered.status_code, answered.text) == (403, "quota used up")
    assert "WWW-Authenticate" not in answered.headers


# --- addresses


def test_dpo_09_the_uri_of_a_proof_is_read_in_linear_time(site):
    client = site(DPoP(lambda token: None, origin="https://api.example.com")).test_client()
    holder = Holder("EdDSA")
    took = []
    for signs in (300, 2400):
        headers = holder.sent(token="t", htu="https://x/?" + "#" * signs + "\x01")
        begun = time.perf_counter()
        for _ in range(5):
            assert_unauthorized(client.get("/", headers=headers), scheme="DPoP", error="invalid_dpop_proof")
        took.append(time.perf_counter() - begun)
    assert took[1] < 20 * took[0] + 1  # eight times as long; with a square it was sixty times


@pytest.mark.parametrize("target", ["/files/../notes", "/files/%2e%2e/notes", "/notes/.", "/./notes", "/a/%2E/notes"])
def test_dpo_09_a_target_that_clients_write_in_another_way_is_refused(site, target):
    holder = Holder("EdDSA")
    tokens = {"t": Identity("ada", confirmation={"jkt": holder.jkt})}
    app = site(DPoP(tokens.get, origin="https://api.example.com"))
    app.add_url_rule("/<path:rest>", "rest", app.auth.login_required(lambda rest: "ran"))
    headers = holder.sent(token="t", path="/notes")
    sent_as = {"RAW_URI": target}
    assert app.test_client().get("/x", headers=headers, environ_overrides=sent_as).status_code == 401
    good = holder.sent(token="t", path="/notes..")
    assert app.test_client().get("/x", headers=good, environ_overrides={"RAW_URI": "/notes.."}).status_code == 200


@pytest.mark.parametrize("rule", ["/<area>/run", "/<path:anything>", "/<any(mcp, api):area>/x", "/m<path:rest>"])
def test_a_rule_that_reaches_into_a_resource_is_refused(make_app, rule):
    auth = Auth(Bearer(lambda token: None))
    app = make_app(auth)
    app.add_url_rule("/mcp/tools", "tools", auth.login_required(lambda: ""))
    app.add_url_rule(rule, "wide", auth.login_required(lambda **parts: ""))
    auth.protected_resource("https://api.example.com/mcp", origins=[])
    with pytest.raises(ConfigurationError, match="views="):
        auth.check(app)


@pytest.mark.parametrize("rule", ["/<int:number>/run", "/<any(a, b):area>/x", "/api/<name>", "/other/<path:x>"])
def test_a_rule_that_cannot_is_not(make_app, rule):
    auth = Auth(Bearer(lambda token: None))
    app = make_app(auth)
    app.add_url_rule("/mcp/tools", "tools", auth.login_required(lambda: ""))
    app.add_url_rule(rule, "wide", auth.login_required(lambda **parts: ""))
    app.add_url_rule("/<path:page>", "open", lambda page: "")  # nobody is asked there
    auth.protected_resource("https://api.example.com/mcp", origins=[])
    auth.check(app)


# --- set-up


def test_a_file_in_no_folder_is_found_before_the_first_request(site, tmp_path):
    app = site(SessionCookie(Identity, store=SQLiteStore(tmp_path / "nowhere" / "auth.db")))
    with pytest.raises(ConfigurationError, match="nowhere"):
        app.auth.check(app)


def test_protect_knows_its_own_keyword(site):
    app = site(Bearer(lambda token: None))
    with pytest.raises(TypeError, match="did you mean public"):
        app.auth.protect(app, pubic={"a"})


def test_a_prefix_that_no_address_can_have_is_explained_all_the_same(site):
    app = site(Bearer(lambda token: None), UNAUTHORIZED_EXPLAIN=True)
    app.wsgi_app = ProxyFix(app.wsgi_app, x_prefix=1)
    refused = app.test_client().get("/", headers={"X-Forwarded-Prefix": ":99999"})
    assert refused.status_code == 401

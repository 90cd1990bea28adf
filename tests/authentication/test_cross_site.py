"""Requests of other sites with our cookie, by the cases CSR of the security report and RFC 6265bis §8.2."""

import json
import time

import ada_url
import pytest

from flask_unauthorized import (
    APIKey,
    Auth,
    Basic,
    Bearer,
    ConfigurationError,
    Digest,
    Identity,
    SessionCookie,
    abort_unauthorized,
)
from flask_unauthorized.testing import assert_unauthorized
from tests.browser.conftest import KEY, USERS, session_cookie_of
from tests.digest_client import challenge, sent
from tests.digest_client import sent as digest_of
from tests.helpers import app_with_schemes

OWN = "http://localhost"
FOREIGN = [
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "cross-site", "Origin": OWN},
    {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"},
    {"Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": ""},
    {"Sec-Fetch-Site": "Same-Origin"},
    {"Sec-Fetch-Site": "same-origin, none"},
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Origin": ""},
    {"Origin": "https://localhost"},
    {"Origin": "http://localhost:8080"},
    {"Origin": "http://localhost.evil.example"},
    {"Origin": "http://evil-localhost"},
    {"Origin": "http://localhost/"},
    {"Origin": f"{OWN}, https://evil.example"},
    {"Origin": "https://evil.example", "Host": "localhost"},
]
OWNS = [
    {"Sec-Fetch-Site": "same-origin"},
    {"Sec-Fetch-Site": "same-origin", "Origin": OWN},
    {"Sec-Fetch-Site": "same-origin", "Origin": "null"},  # Referrer-Policy: no-referrer
    {"Sec-Fetch-Site": "none"},
    {"Origin": OWN},
    {"Origin": "HTTP://LocalHost"},
]
UNSAFE = ["POST", "PUT", "DELETE", "PATCH", "PROPFIND"]


@pytest.fixture(params=["session", "key"])
def site(request, make_app):
    """An app whose callers are known by a cookie: a session, or an API key; with the view of all methods."""

    def make(**options):
        if request.param == "session":
            scheme = SessionCookie(USERS.get, login_view="login", **options)
        else:
            scheme = APIKey({"ada-key": USERS["ada"]}.get, cookie="session", **options)
        auth = Auth(scheme, Bearer({"good": USERS["bob"]}.get), realm="shop")
        app = make_app(auth, SECRET_KEY=KEY)
        ran = []

        @app.route("/page", methods=["GET", "OPTIONS", "TRACE", *UNSAFE])
        @auth.login_required
        def page():
            ran.append(auth.identity.subject)
            return "done"

        @app.route("/optional", methods=["GET", "POST"])
        @auth.login_optional
        def optional():
            ran.append(None if auth.get_identity() is None else auth.identity.subject)
            return "done"

        @app.route("/open", methods=["GET", "POST"])
        def unguarded():
            abort_unauthorized()

        @app.post("/login")
        @auth.public
        def login():
            auth.login("ada")
            return "in"

        client = app.test_client()
        if request.param == "session":
            client.post("/login")
        else:
            client.set_cookie("session", "ada-key")
        client.ran = ran
        return client

    return make


@pytest.mark.asvs("V3.5.1")
@pytest.mark.rfc("B-26", "CK-05")
@pytest.mark.parametrize("headers", FOREIGN)
def test_csr_01_another_site_is_403_and_the_view_does_not_run(site, headers):
    client = site()
    refused = client.post("/page", headers=headers)
    assert refused.status_code == 403
    assert "WWW-Authenticate" not in refused.headers
    assert refused.headers["Cache-Control"] == "no-store"
    assert "Set-Cookie" not in refused.headers  # another site can log nobody out
    assert client.ran == []


@pytest.mark.rfc("CK-05")
@pytest.mark.parametrize("method", UNSAFE)
def test_csr_01_whatever_the_unsafe_method(site, method):
    client = site()
    assert client.open("/page", method=method, headers=FOREIGN[0]).status_code == 403
    assert client.open("/page", method=method, headers=OWNS[0]).status_code == 200
    assert client.ran == ["ada"]


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "TRACE"])
def test_another_site_may_send_safe_methods(site, method):
    """RFC 9110 §9.2.1: they change nothing."""
    client = site()
    assert client.open("/page", method=method, headers=FOREIGN[0]).status_code == 200
    assert client.ran == ["ada"]


@pytest.mark.parametrize("headers", OWNS)
def test_the_own_site_is_let_in(site, headers):
    assert site().post("/page", headers=headers).text == "done"


def test_the_own_origin_has_the_port_that_was_asked_for(site):
    client = site()
    for origin, status in (("http://localhost:8080", 200), ("http://localhost", 403), ("https://localhost:8080", 403)):
        answered = client.post("/page", headers={"Origin": origin}, base_url="http://localhost:8080")
        assert answered.status_code == status


def test_csr_02_neither_field_is_no_browser_and_is_let_in(site):
    assert site().post("/page").text == "done"


@pytest.mark.asvs("V3.5.2")
@pytest.mark.parametrize(
    "disguise", [{"X-HTTP-Method-Override": "GET"}, {"X-HTTP-Method": "GET"}, {"X-Method-Override": "HEAD"}]
)
def test_csr_03_the_real_method_counts(site, disguise):
    client = site()
    assert client.post("/page?_method=GET", headers={**FOREIGN[0], **disguise}).status_code == 403
    assert client.post("/page", headers=FOREIGN[0], data={"_method": "GET"}).status_code == 403


@pytest.mark.asvs("V3.5.2")
@pytest.mark.parametrize(
    "content_type",
    ["text/plain", "application/json", "multipart/form-data; boundary=x", "", "x", "application/csp-report"],
)
def test_csr_04_the_content_type_does_not_matter(site, content_type):
    client = site()
    sent = {**FOREIGN[0], "Content-Type": content_type}
    assert client.post("/page", headers=sent, data=json.dumps({"a": 1})).status_code == 403


@pytest.mark.parametrize("credentials", ["Bearer junk", "bearer junk"])
@pytest.mark.parametrize("path", ["/page", "/optional"])
def test_csr_05_junk_credentials_are_not_rescued_by_the_cookie(site, credentials, path):
    client = site()
    for headers in ({}, FOREIGN[0], OWNS[0]):
        refused = client.post(path, headers={"Authorization": credentials, **headers})
        assert_unauthorized(refused, scheme="Bearer", error="invalid_token")
    assert client.ran == []


@pytest.mark.parametrize(
    ("credentials", "status"),
    [("Bearer", 403), ("Token junk", 403), ("Basic eDp5", 403), ("Bearer junk, Bearer junk", 400)],
)
def test_csr_05_junk_that_is_no_credential_of_ours_skips_nothing(site, credentials, status):
    client = site()
    assert client.post("/page", headers={"Authorization": credentials, **FOREIGN[0]}).status_code == status
    assert client.ran == []


@pytest.mark.parametrize("headers", FOREIGN)
def test_explicit_credentials_win_and_need_no_protection(site, headers):
    client = site()
    assert client.post("/page", headers={"Authorization": "Bearer good", **headers}).text == "done"
    assert client.ran == ["bob"]


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_csr_07_safe_methods_are_let_in_from_everywhere(site, method):
    client = site()
    assert client.open("/page", method=method, headers=FOREIGN[0]).status_code == 200


@pytest.mark.parametrize("referer", ["https://localhost.evil", "", "data:", OWN, f"{OWN}/page"])
def test_csr_09_the_referer_decides_nothing(site, referer):
    client = site()
    assert client.post("/page", headers={"Referer": referer, **FOREIGN[0]}).status_code == 403
    assert client.post("/page", headers={"Referer": referer, "Origin": "null"}).status_code == 403
    assert client.post("/page", headers={"Referer": referer, **OWNS[0]}).status_code == 200


SIBLING = {"Sec-Fetch-Site": "same-site", "Origin": "https://blog.example"}


def test_csr_10_a_sibling_is_another_site_unless_it_is_trusted(site):
    assert site().post("/page", headers=SIBLING).status_code == 403


@pytest.mark.parametrize(
    "trusted", ["https://blog.example", "HTTPS://Blog.Example", "https://blog.example:443", "https://blog.example:"]
)
def test_csr_10_a_trusted_sibling_is_let_in(make_app, site, trusted):
    client = site(trusted_origins=[trusted, "https://other.example:8443"])
    assert client.post("/page", headers=SIBLING).text == "done"
    assert client.post("/page", headers={"Origin": "https://other.example:8443"}).text == "done"
    assert client.post("/page", headers={"Sec-Fetch-Site": "same-site"}).status_code == 403
    for origin in ("https://other.example", "http://blog.example", "https://a.blog.example", "null"):
        assert client.post("/page", headers={**SIBLING, "Origin": origin}).status_code == 403


@pytest.mark.parametrize(
    "origin",
    [
        "null",
        "*",
        "https://",
        "blog.example",
        "https://a/",
        "https://a/b",
        "https://u@a",
        "ftp://a",
        "https://a?b",
        "",
        "https://[",
        "https://a:x",
        "https://a:99999",
        "https://é.example",
        "https:// a",
        "https://:80",
        # F-30
        "NULL",
        "capacitor://",
        "capacitor:localhost",
        "capacitor://localhost/",
        "chrome-extension://abc/page",
        "://a",
        "1a://b",
        "file://",
        "file:///",
        "file://a",
        "data:text/html,x",
        "blob:https://a",
        "wss://a",
        "https://*.example.com",
        "https://*",
        "*://a",
        "https://a:*",
        "app://*",
        "https://a\\b",
        "https://a\t",
        "https://%61",
        "https://a..b",
        "https://.",
        "https://\u212aelvin.example",
        "app://\xe9",
        "https://127.1",
        "https://0x7f000001",
        "https://2130706433",
        "https://127.0.0.1.",
        "https://256.1.1.1",
        "https://[fe80::1%25eth0]",
        "https://[::g]",
        "https://[::1]x",
        "https://::1",
        "https://a:65536",
        "https://a:" + "1" * 5000,
        "https://a:1:2",
        "https://a, https://b",
    ],
)
def test_what_is_no_origin_cannot_be_trusted(site, origin):
    with pytest.raises(ConfigurationError, match="is not an origin"):
        site(trusted_origins=[origin])


@pytest.mark.parametrize("origin", [5, None, b"https://a"])
def test_what_is_no_text_cannot_be_trusted(site, origin):
    with pytest.raises(TypeError, match="must hold str"):
        site(trusted_origins=[origin])


@pytest.mark.parametrize(
    ("origin", "match"),
    [
        ("null", "sandboxed frames and local files of any site send it"),
        ("*", "patterns are not supported. List each origin"),
        ("https://*.example.com", "'https://\\*.example.com', which is not an origin.*List each origin"),
        ("https://b\xfccher.example", "the host in ASCII"),
    ],
)
def test_why_it_is_no_origin(site, origin, match):  # F-30
    schemes = (
        lambda: Basic(USERS.get, trusted_origins=[origin]),
        lambda: Digest(USERS.get, trusted_origins=[origin]),
        lambda: APIKey(USERS.get, cookie="k", trusted_origins=[origin]),
        lambda: SessionCookie(USERS.get, trusted_origins=[origin]),
    )
    for make in schemes:
        with pytest.raises(ConfigurationError, match=f"trusted_origins has .*{match}"):
            make()
    with pytest.raises(ConfigurationError, match=f"origins has .*{match}"):
        Auth(Bearer(USERS.get)).protected_resource("https://api.example.com", origins=[origin])


@pytest.mark.parametrize(
    ("origin", "sent"),  # by the URL standard: see the test below
    [
        ("https://a.example:0443", "https://a.example"),
        ("http://a.example:443", "http://a.example:443"),
        ("https://example.com.", "https://example.com."),
        ("https://xn--bcher-kva.example", "https://xn--bcher-kva.example"),
        ("https://A_b.example", "https://a_b.example"),
        ("http://127.0.0.1:8000", "http://127.0.0.1:8000"),
        ("https://[0:0:0:0:0:0:0:1]:443", "https://[::1]"),
        ("https://[2001:DB8:0:0:1:0:0:1]", "https://[2001:db8::1:0:0:1]"),
        ("https://[::ffff:1.2.3.4]", "https://[::ffff:102:304]"),
        ("https://[::1.2.3.4]", "https://[::102:304]"),
        ("https://[1:0:2:3:4:5:6:7]", "https://[1:0:2:3:4:5:6:7]"),
    ],
)
def test_an_origin_is_compared_as_browsers_send_it(site, origin, sent):  # F-30
    assert ada_url.URL(origin).origin == sent
    client = site(trusted_origins=[origin])
    assert client.post("/page", headers={**FOREIGN[0], "Origin": sent}).text == "done"


@pytest.mark.parametrize(
    "origin",
    [
        "capacitor://localhost", "ionic://localhost", "tauri://localhost", "chrome-extension://abcdefghijklmnop",
        "moz-extension://0b1c2d3e-22", "safari-web-extension://0B1C2D3E-22", "app://-", "app://.", "app://obsidian.md",
        "vscode-webview://0abc", "ms-appx-web://my-app.x", "app://host:80", "a+b-c.1://h",
    ],
)  # fmt: skip
def test_pages_of_apps_and_extensions_can_be_trusted(make_app, site, origin):  # F-30
    client = site(trusted_origins=[origin])
    assert client.post("/page", headers={**FOREIGN[0], "Origin": origin}).text == "done"
    assert client.post("/page", headers={**FOREIGN[0], "Origin": origin + "x"}).status_code == 403
    auth = Auth(Bearer(lambda token: "ada"))
    app = make_app(auth)
    auth.protected_resource("https://api.example.com", authorization_servers=["https://id.example"], origins=[origin])
    app.add_url_rule("/mcp", "mcp", auth.login_required(lambda: "in"))
    bearer = {"Authorization": "Bearer x"}
    assert app.test_client().get("/mcp", headers={**bearer, "Origin": origin}).text == "in"
    assert app.test_client().get("/mcp", headers={**bearer, "Origin": "https://a.example"}).status_code == 403


@pytest.mark.parametrize("origin", ["http://[::1]", "http://[::1]:5000", "http://a:8080"])
def test_origins_with_ports_and_numbers_for_hosts(site, origin):
    assert site(trusted_origins=[origin]).post("/page", headers={**FOREIGN[0], "Origin": origin}).text == "done"


def test_without_a_login_another_site_is_told_to_log_in(site):
    client = site()
    client.delete_cookie("session")
    assert_unauthorized(client.post("/page", headers=FOREIGN[0]), error=None)


# --- views that need no login


def test_an_optional_view_does_not_act_for_another_site(site):
    """The cookie doesn't count, and to take its owner for a stranger would be to act on a guess: 403, as everywhere."""
    client = site()
    assert client.post("/optional", headers=FOREIGN[0]).status_code == 403
    assert client.get("/optional", headers=FOREIGN[0]).status_code == 200
    assert client.post("/optional", headers=OWNS[0]).status_code == 200
    client.delete_cookie("session")
    assert client.post("/optional", headers=FOREIGN[0]).status_code == 200
    assert client.ran == ["ada", "ada", None]


def test_an_open_view_that_stops_is_401_from_everywhere(site):
    client = site()
    for headers in (FOREIGN[0], OWNS[0], {}):
        assert_unauthorized(client.post("/open", headers=headers))


# --- login and logout


@pytest.mark.asvs("V7.6.2")
@pytest.mark.parametrize("headers", FOREIGN)
def test_csr_08_another_site_can_log_nobody_in(build, headers):
    shop = build()
    refused = shop.client.post("/login", headers=headers)
    assert refused.status_code == 403
    assert session_cookie_of(shop.client) is None
    shop.client.post("/login", data={"name": "bob"})
    assert shop.client.post("/login", headers=headers, data={"name": "ada"}).status_code == 403
    assert shop.client.get("/page").text == "page of bob"


def test_csr_08_a_trusted_site_can(build):
    shop = build(trusted_origins=["https://login.example"])
    assert shop.client.post("/login", headers={**FOREIGN[0], "Origin": "https://login.example"}).status_code == 302
    assert shop.client.get("/page").text == "page of ada"


def test_a_provider_that_sends_the_caller_back_by_get_can(build):
    shop = build()

    @shop.app.get("/callback")
    @shop.auth.public
    def callback():
        shop.auth.login("ada")
        return "in"

    assert shop.client.get("/callback?code=x", headers=FOREIGN[0]).text == "in"
    assert shop.client.get("/page").text == "page of ada"


@pytest.mark.asvs("V3.5.3")
@pytest.mark.parametrize("headers", FOREIGN)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_ses_16_another_site_can_log_nobody_out(build, headers, method):
    shop = build()
    shop.client.post("/login")
    assert shop.client.open("/logout", method=method, headers=headers).status_code == 403
    assert shop.client.get("/page").status_code == 200


@pytest.mark.parametrize("headers", [*OWNS, {}])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_ses_16_the_own_pages_can(build, headers, method):
    shop = build()
    shop.client.post("/login")
    assert shop.client.open("/logout", method=method, headers=headers).status_code == 302
    assert shop.client.get("/page").status_code == 401


def test_another_site_cannot_make_a_session_look_used(build, monkeypatch):
    shop = build(idle=3600)
    shop.client.post("/login")
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 1000)
    assert "Set-Cookie" not in shop.client.post("/page", headers=FOREIGN[0]).headers
    assert "Set-Cookie" in shop.client.post("/page", headers=OWNS[0]).headers


def test_the_refusal_page_of_another_sites_form_leads_nowhere(build):
    shop = build()
    shop.client.post("/login")
    refused = shop.client.post("/page", headers={**FOREIGN[0], "Sec-Fetch-Mode": "navigate", "Accept": "text/html"})
    assert (refused.status_code, refused.location) == (403, None)
    assert "another site" in refused.text
    assert "another account" not in refused.text  # that of this site is good enough


def test_roles_come_after_the_cross_site_check(build):
    shop = build()
    view = shop.auth.login_required(roles={"admin"})(lambda: "in")
    shop.app.add_url_rule("/admin", "admin", view, methods=["POST"])
    shop.users["ada"] = Identity("ada", roles={"admin"})
    shop.client.post("/login")
    assert shop.client.post("/admin", headers=FOREIGN[0]).status_code == 403
    assert shop.client.post("/admin", headers=OWNS[0]).text == "in"


# --- F-43: an identity provider whose page posts the answer

PROVIDER = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Origin": "https://idp.example"}


@pytest.fixture
def posted(build):
    """What a form of another site gets where ``login`` names origins; and the shop."""

    def post(origins, headers=PROVIDER, *, view="callback", **options):
        shop = build(**options)

        @shop.app.route("/callback", methods=["GET", "POST"])
        @shop.auth.public
        def callback():
            return shop.auth.login("ada", from_origins=origins).subject

        @shop.app.post("/elsewhere")
        @shop.auth.public
        def elsewhere():
            return shop.auth.login("ada").subject

        return shop.client.post(f"/{view}", headers=headers), shop

    return post


@pytest.mark.parametrize(
    "origins",
    [
        {"https://idp.example"},
        ["HTTPS://IdP.example"],
        ("https://idp.example:443",),
        iter(["https://other.example", "https://idp.example"]),
    ],
)
def test_csr_08_a_provider_that_is_named_logs_its_users_in(posted, origins):  # F-43
    answered, shop = posted(origins)
    assert answered.text == "ada"
    assert shop.client.get("/page").text == "page of ada"


@pytest.mark.parametrize(
    "headers",
    [
        {**PROVIDER, "Origin": "https://idp.example.evil"},
        {**PROVIDER, "Origin": "http://idp.example"},
        {**PROVIDER, "Origin": "https://idp.example:8443"},
        {**PROVIDER, "Origin": "https://login.idp.example"},
        {**PROVIDER, "Origin": "https://idp.example/"},
        {**PROVIDER, "Origin": "https://idp.example, https://idp.example"},
        {**PROVIDER, "Origin": "null"},
        {**PROVIDER, "Origin": ""},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "cross-site", "Referer": "https://idp.example/login"},
    ],
)
def test_csr_08_and_nobody_else_does(posted, headers):  # F-43
    answered, shop = posted({"https://idp.example"}, headers)
    assert answered.status_code == 403
    assert session_cookie_of(shop.client) is None


def test_the_origins_of_one_login_open_no_other_view(posted):  # F-43
    """Neither another login, nor a logout, nor what the cookie opens."""
    answered, shop = posted({"https://idp.example"}, view="elsewhere")
    assert answered.status_code == 403
    shop.client.post("/login")
    for path in ("/logout", "/page", "/login"):
        assert shop.client.post(path, headers=PROVIDER).status_code == 403
    assert shop.client.get("/page").text == "page of ada"


@pytest.mark.parametrize("headers", [*OWNS, {}])
def test_the_own_pages_log_in_there_as_well(posted, headers):  # F-43
    assert posted({"https://idp.example"}, headers)[0].text == "ada"


def test_origins_of_the_scheme_still_count(posted):  # F-43
    assert posted(set(), trusted_origins=["https://idp.example"])[0].text == "ada"
    assert posted(set())[0].status_code == 403


@pytest.mark.parametrize("origins", ["https://idp.example", ["null"], ["https://idp.example/callback"], ["*"], [5]])
def test_what_is_no_origin_of_a_provider(posted, origins):  # F-43
    with pytest.raises((TypeError, ConfigurationError), match="from_origins"):
        posted(origins)


# --- F-44: the refusal says what would let the site in


@pytest.mark.parametrize(
    "accept", ["application/json", "application/problem+json", "text/html", "text/plain", "text/html;q=1, */*;q=0.1"]
)
@pytest.mark.parametrize("guard", ["decorator", "protect", "require"])
@pytest.mark.parametrize("kind", ["session", "key", "basic", "digest"])
def test_the_refusal_names_the_setting_in_body_and_log(make_app, caplog, kind, guard, accept):  # F-44
    schemes = {
        "session": lambda: SessionCookie(USERS.get),
        "key": lambda: APIKey({"ada-key": USERS["ada"]}.get, cookie="key"),
        "basic": lambda: Basic(lambda name, password: True),
        "digest": lambda: Digest({"ada": "secret"}.get),
    }
    auth = Auth(schemes[kind](), Bearer(lambda token: None), realm="shop")
    app = make_app(auth, SECRET_KEY=KEY)
    if guard == "protect":
        auth.protect(app, public={"login"})

    @app.post("/login")
    @auth.public
    def login():
        return auth.login("ada").subject

    def page():
        auth.require()
        return "in"

    app.add_url_rule("/page", "page", auth.login_required(page) if guard == "decorator" else page, methods=["POST"])
    client = app.test_client()
    sent = {"Accept": accept, "Origin": "https://spa.example", "Sec-Fetch-Site": "cross-site"}
    if kind == "session":
        client.post("/login")
    elif kind == "key":
        client.set_cookie("key", "ada-key")
    elif kind == "basic":
        sent["Authorization"] = "Basic YWRhOng="
    else:
        told = challenge(client.post("/page").headers.getlist("WWW-Authenticate")[0])
        sent |= digest_of(told, password="secret", method="POST", uri="/page")
    caplog.set_level("INFO", "flask_unauthorized")
    refused = client.post("/page", headers=sent)
    assert refused.status_code == 403
    assert "trusted_origins=" in refused.text
    assert "trusted_origins=" in caplog.text
    assert "spa.example" not in refused.text  # nothing of the request


@pytest.mark.asvs("V16.3.3")
@pytest.mark.parametrize(
    ("path", "settings"), [("/login", ("from_origins=", "trusted_origins=")), ("/logout", ("trusted_origins=",))]
)
@pytest.mark.parametrize("accept", ["application/json", "text/html"])
def test_so_does_that_of_a_login_and_a_logout(build, caplog, path, settings, accept):  # F-44
    caplog.set_level("INFO", "flask_unauthorized")
    refused = build().client.post(path, headers={**FOREIGN[0], "Accept": accept})
    assert refused.status_code == 403
    for setting in settings:
        assert setting in refused.text
        assert setting in caplog.text
    assert ("from_origins=" in refused.text) is (path == "/login")


def test_so_does_that_of_a_protected_resource(make_app, caplog):  # F-44
    auth = Auth(Bearer(lambda token: None))
    auth.protected_resource("https://api.example", authorization_servers=["https://idp.example"], origins=())
    app = make_app(auth)
    app.add_url_rule("/mcp", "mcp", auth.login_required(lambda: "in"), methods=["POST"])
    caplog.set_level("INFO", "flask_unauthorized")
    sent = {"base_url": "https://api.example", "headers": {"Origin": "https://page.example"}}
    refused = app.test_client().post("/mcp", **sent)
    assert refused.status_code == 403
    assert " origins= of the resource" in refused.json["message"]
    assert "origins= of the resource" in caplog.text


@pytest.mark.parametrize("kind", ["basic", "digest"])
def test_a_script_of_a_trusted_site_sends_a_password_of_its_own(make_app, kind):  # F-44
    """``fetch()`` with an explicit ``Authorization: Basic`` looks like a password that the browser repeats."""
    scheme = {
        "basic": lambda: Basic(lambda name, password: True, trusted_origins={"http://localhost:3000"}),
        "digest": lambda: Digest({"ada": "secret"}.get, trusted_origins={"http://localhost:3000"}),
    }[kind]()
    auth = Auth(scheme)
    app = make_app(auth, SECRET_KEY=KEY)
    app.add_url_rule("/tokens", "tokens", auth.login_required(lambda: "token"), methods=["POST"])
    client = app.test_client()
    sent = {"Origin": "http://localhost:3000", "Sec-Fetch-Mode": "cors", "Sec-Fetch-Site": "same-site"}
    if kind == "basic":
        sent["Authorization"] = "Basic YWRhOng="
    else:
        told = challenge(client.post("/tokens").headers["WWW-Authenticate"])
        sent |= digest_of(told, password="secret", method="POST", uri="/tokens")
    assert client.post("/tokens", headers=sent).text == "token"


# --- passwords, which browsers repeat as they do cookies


BASIC = {"Authorization": "Basic YWRhOnBhc3N3b3Jk"}


OTHER_SITES = [
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
]


OWN_SITE = [{}, {"Sec-Fetch-Site": "same-origin"}, {"Sec-Fetch-Site": "none"}, {"Origin": "http://localhost"}]


@pytest.mark.rfc("CK-05")
@pytest.mark.parametrize("headers", OTHER_SITES)
def test_a_page_of_another_site_cannot_use_the_password_that_the_browser_repeats(make_app, headers):
    app = app_with_schemes(make_app, Basic(lambda name, password: True), SessionCookie(Identity))
    refused = app.test_client().post("/", headers={**BASIC, **headers})
    assert (refused.status_code, app.ran) == (403, [])
    assert "WWW-Authenticate" not in refused.headers
    assert app.test_client().get("/", headers={**BASIC, **headers}).status_code == 200


@pytest.mark.parametrize("headers", OWN_SITE)
def test_its_own_pages_and_programs_can(make_app, headers):
    app = app_with_schemes(make_app, Basic(lambda name, password: True))
    assert app.test_client().post("/", headers={**BASIC, **headers}).text == "ran"


@pytest.mark.parametrize("blank", ["", " ", "\t "])
def test_a_blank_in_front_opens_no_way_around(make_app, blank):
    app = app_with_schemes(make_app, Basic(lambda name, password: True))
    headers = {"Authorization": blank + BASIC["Authorization"], **OTHER_SITES[0]}
    assert (app.test_client().post("/", headers=headers).status_code, app.ran) == (403, [])


def test_a_digest_answer_of_another_sites_form(make_app):
    app = app_with_schemes(make_app, Digest({"ada": "password"}.get, realm="meters"))
    client = app.test_client()
    told = challenge(client.post("/").headers["WWW-Authenticate"])
    answer = sent(told, user="ada", password="password", uri="/", method="POST")
    assert client.post("/", headers={**answer, **OTHER_SITES[0]}).status_code == 403
    assert client.post("/", headers=answer).text == "ran"  # the count was not used up


def test_trusted_origins_and_the_name_that_only_scripts_send(make_app):
    trusting = Basic(lambda name, password: True, script_alias="XBasic", trusted_origins={"https://app.example"})
    client = app_with_schemes(make_app, trusting).test_client()
    trusted = {"Origin": "https://app.example", "Sec-Fetch-Site": "cross-site"}
    assert client.post("/", headers={**BASIC, **trusted}).text == "ran"
    alias = {"Authorization": BASIC["Authorization"].replace("Basic", "XBasic")}
    assert client.post("/", headers={**alias, **OTHER_SITES[0]}).text == "ran"  # no browser sends that by itself
    assert client.post("/", headers={"Authorization": "Bearer x", **OTHER_SITES[0]}).status_code == 401


def test_a_cross_site_request_is_told_so(make_app):
    auth = Auth(APIKey({"plain": Identity("ada")}.get, cookie="key"))
    app = make_app(auth)
    app.add_url_rule("/", "view", auth.login_required(lambda: "in"), methods=["POST"])
    headers = {"Cookie": "key=plain", "Origin": "https://elsewhere.example"}
    response = app.test_client(use_cookies=False).post("/", headers=headers)
    told = "This request came from another site, whose origin is not in trusted_origins=."  # F-44
    assert (response.status_code, response.json["message"]) == (403, told)


# --- reads of other sites


@pytest.fixture
def album(make_app):
    """An app with a picture, for a user who is logged in."""

    def make(*, hook=None, **options):
        cookie = SessionCookie(USERS.get, login_view="login", **options)
        auth = Auth(cookie, Bearer({"good": USERS["bob"]}.get), realm="shop")
        app = make_app(auth, SECRET_KEY=KEY)
        app.add_url_rule("/login", "login", auth.public(lambda: auth.login("ada").subject), methods=["GET", "POST"])
        app.add_url_rule("/picture", "picture", auth.login_required(lambda: "picture"))
        app.add_url_rule("/open", "open", auth.public(lambda: str(auth.get_identity() is not None)))
        if hook is not None:
            app.after_request(hook)
        client = app.test_client()
        client.post("/login")
        return client

    return make


CORP = "Cross-Origin-Resource-Policy"
PICTURE = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"}


@pytest.mark.asvs("V3.5.8")
@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize(
    ("headers", "status"),
    [
        (PICTURE, 403),
        ({**PICTURE, "Sec-Fetch-Site": "same-site"}, 403),
        ({**PICTURE, "Sec-Fetch-Site": "same-origin"}, 200),
        ({**PICTURE, "Sec-Fetch-Site": "none"}, 200),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}, 200),
        ({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"}, 200),
        ({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "object"}, 403),
        ({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "embed"}, 403),
        ({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "empty"}, 200),  # a download
        ({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}, 200),
        ({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "OBJECT"}, 403),
        ({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "object, document"}, 403),
        ({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "new"}, 403),
        ({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "Navigate"}, 403),
        ({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "cors", "Origin": "https://evil.example"}, 403),
        ({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "cors", "Origin": "https://app.example"}, 200),
        ({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "cors", "Origin": "null"}, 403),
        ({"Origin": "https://evil.example"}, 403),
        ({}, 200),
    ],
)
def test_other_sites_load_nothing_if_the_app_says_so(album, method, headers, status):
    strict = album(cross_site_reads=False, trusted_origins=["https://app.example"])
    response = strict.open("/picture", method=method, headers=headers)
    assert response.status_code == status
    assert response.headers.get(CORP) == ("same-origin" if status == 200 else None)
    response = album().open("/picture", method=method, headers=headers)
    assert (response.status_code, response.headers.get(CORP)) == (200, None)


def test_it_is_about_the_cookie_alone(album):
    client = album(cross_site_reads=False)
    with_token = client.get("/picture", headers={**PICTURE, "Authorization": "Bearer good"})
    assert (with_token.status_code, with_token.headers.get(CORP)) == (200, None)
    anonymous = client.application.test_client().get("/picture", headers=PICTURE)
    assert anonymous.status_code == 401
    assert CORP not in anonymous.headers
    assert client.get("/open", headers=PICTURE).text == "False"
    assert client.get("/open").text == "True"


def test_a_policy_of_the_app_stays(album):
    def allow(response):
        response.headers[CORP] = "same-site"
        return response

    response = album(cross_site_reads=False, hook=allow).get("/picture")
    assert response.headers.getlist(CORP) == ["same-site"]


def test_it_must_be_a_flag():
    with pytest.raises(TypeError, match="cross_site_reads"):
        SessionCookie(USERS.get, cross_site_reads="no")

"""The way to the login page and back, by the cases RED of the security report; a WHATWG URL parser is the judge."""

import re
from urllib.parse import parse_qs, quote, urlsplit

import ada_url
import pytest
from flask import Blueprint, abort, g, redirect, request
from hypothesis import given, settings
from hypothesis import strategies as st
from werkzeug.test import EnvironBuilder

from flask_unauthorized import (
    APIKey,
    Auth,
    Bearer,
    ConfigurationError,
    Identity,
    SessionCookie,
    abort_unauthorized,
)
from flask_unauthorized.browser.login_redirect import LOOP_WINDOW
from flask_unauthorized.browser.next_url import MAX_NEXT_BYTES
from flask_unauthorized.errors import MissingCredentials, StepUpRequired
from flask_unauthorized.testing import assert_unauthorized
from tests.helpers import raise_error

from .conftest import KEY, PAGE, USERS

ORIGIN = "http://localhost"
NAVIGATE = {"Accept": "text/html", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Site": "none", "Sec-Fetch-Dest": "document"}


def origin_of(target, base=f"{ORIGIN}/login"):
    """The origin that a browser at ``base`` goes to for a ``Location`` or ``href``."""
    return ada_url.URL(target, base).origin


def path_of(target, base=f"{ORIGIN}/login"):
    return ada_url.URL(target, base).pathname


def next_url_for(shop, target, *, mount="", method="GET", form=None):
    """What ``next_url("/default")`` returns for a ``next``. A URL parser checks that it stays on this host."""
    builder = EnvironBuilder(f"{mount}/login", base_url=ORIGIN, method=method, data=form)
    environ = builder.get_environ()
    environ["SCRIPT_NAME"], environ["PATH_INFO"] = mount, "/login"
    if target is not None:
        environ["QUERY_STRING"] = f"next={quote(target, safe='', errors='surrogatepass')}"
    with shop.app.request_context(environ):
        found = shop.auth.next_url("/default")
    assert origin_of(found, f"{ORIGIN}{mount}/login") == ORIGIN
    return found


def next_in(redirected, errors="replace"):
    """The ``next`` of a redirect to the login page."""
    parts = urlsplit(redirected.location)
    assert (parts.scheme, parts.netloc) == ("", "")
    assert origin_of(redirected.location) == ORIGIN
    (target,) = parse_qs(parts.query, errors=errors).get("next", [None])
    return target


@pytest.fixture
def shop(build):
    return build()


# --- RED-01 to 09: what may be in next


@pytest.mark.asvs("V3.7.2")
@pytest.mark.parametrize("target", ["//evil.com", "///evil.com", "////evil.com", "//evil.com/%2f.."])
def test_red_01_slashes(shop, target):
    assert next_url_for(shop, target) == "/default"


@pytest.mark.parametrize(
    "target",
    ["https:evil.com", "https:/evil.com", "http:///evil.com", "https://evil.com", "http:evil.com", "HTTPS://e"],
)
def test_red_02_schemes(shop, target):
    assert next_url_for(shop, target) == "/default"


@pytest.mark.parametrize("target", ["\\\\evil.com", "/\\evil.com", "\\/evil.com", "/\\/evil.com", "/a\\b", "/?\\"])
def test_red_03_backslashes(shop, target):
    assert next_url_for(shop, target) == "/default"


@pytest.mark.parametrize("odd", ["\t", "\n", "\r", " ", "\x00", "\u3000", "\ufeff", "\x7f", "\x85", "\u2028", "\u200b"])
@pytest.mark.parametrize("form", ["{}//evil.com", "/{}/evil.com", "{}/ok", "/ok{}", "/ok?a={}", "/ok#{}"])
def test_red_04_blanks_and_controls(shop, odd, form):
    assert next_url_for(shop, form.format(odd)) == "/default"


@pytest.mark.parametrize("target", ["/%09/evil.com", "/%0d%0aLocation:%20x", "/%5cevil.com", "/%2f%2fevil.com", "/%00"])
def test_red_04_written_as_octets_they_stay_inside(shop, target):
    assert next_url_for(shop, target) == target


@pytest.mark.parametrize(
    "target",
    ["javascript:alert(1)", "data:text/html,x", "vbscript:x", "blob:http://localhost/x", "JaVa\tScript:alert(1)", "x:"],
)
def test_red_05_other_schemes(shop, target):
    assert next_url_for(shop, target) == "/default"


@pytest.mark.asvs("V3.7.2")
@pytest.mark.parametrize(
    "target",
    [
        "//app@evil", "//evil\\@app", "http://app.evil", "http://app:80@evil", "//evil。com", "//еvil.com",
        "//localhost",
        "http://localhost/page", "@evil", ".evil.com", ":80/",
    ],
)  # fmt: skip
def test_red_06_hosts(shop, target):
    assert next_url_for(shop, target) == "/default"


@pytest.mark.parametrize("target", ["http://[::1", "http://[", "/" + "a" * 100_000, "", "/" + "é" * 1025])
def test_red_07_what_breaks_parsers(shop, target):
    assert next_url_for(shop, target) == "/default"


def test_red_07_a_lone_surrogate_comes_as_octets_and_stays_them(shop):
    assert next_url_for(shop, "/\ud800") == "/%ED%A0%80"


def test_red_07_the_longest_that_is_kept(shop):
    assert next_url_for(shop, "/" + "a" * (MAX_NEXT_BYTES - 1)) == "/" + "a" * (MAX_NEXT_BYTES - 1)
    assert next_url_for(shop, "/" + "a" * MAX_NEXT_BYTES) == "/default"


@pytest.mark.parametrize(
    ("target", "found"),
    [
        ("/", "/"),
        ("/a//evil.com", "/a//evil.com"),
        ("/ok?x=//evil", "/ok?x=//evil"),
        ("/ok#//evil", "/ok#//evil"),
        ("/ok?a=1&b=%26#part", "/ok?a=1&b=%26#part"),
        ("/é", "/%C3%A9"),
        ('/a"b<c>', "/a%22b%3Cc%3E"),
        ("/a.b/..c/...", "/a.b/..c/..."),
        ("?x", "/default"),
        ("ok", "/default"),
        ("./ok", "/default"),
        ("#x", "/default"),
        ("/a/../b", "/default"),
        ("/a/%2e%2E/b", "/default"),
        ("/.", "/default"),
    ],
)
def test_red_08_paths(shop, target, found):
    assert next_url_for(shop, target) == found


ODD = st.text(
    alphabet=st.sampled_from("/\\.:@?#%&=[]\t\n\r \x00\u3000\ufeff\u2028。еaevil2fFcC0dD5\ud800"), max_size=24
)


@settings(max_examples=400, deadline=None)
@given(
    target=st.one_of(ODD, ODD.map("/".__add__), ODD.map("/shop/".__add__), st.text()),
    mount=st.sampled_from(["", "/shop"]),
)
def test_red_09_whatever_is_given_the_way_back_is_ours(target, mount):
    auth = _property_auth()
    found = next_url_for(auth, target, mount=mount)  # checks the origin
    if found != "/default":
        assert (path_of(found) + "/").startswith(mount + "/")
        assert found.isascii()
        assert found.isprintable()


@settings(max_examples=400, deadline=None)
@given(path=st.binary(max_size=24), query=st.binary(max_size=24), mount=st.sampled_from(["", "/shop", "/é"]))
def test_red_09_wherever_somebody_was_the_way_to_the_login_is_ours(path, query, mount):
    environ = EnvironBuilder("/", base_url=ORIGIN, headers=PAGE).get_environ()
    environ["SCRIPT_NAME"] = mount.encode().decode("latin-1")
    environ["PATH_INFO"] = "/" + path.decode("latin-1")
    environ["QUERY_STRING"] = query.decode("latin-1")
    shop = _property_auth()
    started = []
    body = shop.app.wsgi_app(environ, lambda status, headers, exc_info=None: started.append((status, dict(headers))))
    getattr(body, "close", lambda: None)()
    ((status, headers),) = started
    assert status.startswith(("302", "308", "404"))  # no 500, and nobody got in
    if status.startswith("302"):
        base = f"{ORIGIN}{quote(mount)}/x"
        assert origin_of(headers["Location"], base) == ORIGIN
        target = parse_qs(urlsplit(headers["Location"]).query).get("next", ["/"])[0]
        assert origin_of(target, base) == ORIGIN


_made = []


def _property_auth():
    """One app for all examples: a fixture would be made anew for each test only, and Hypothesis says so."""
    if not _made:
        from types import SimpleNamespace

        from flask import Flask

        auth = Auth(SessionCookie(USERS.get, login_view="login"))
        app = Flask("property")
        app.config.update(TESTING=True, SECRET_KEY=KEY)
        auth.init_app(app)
        app.add_url_rule("/login", "login", auth.public(lambda: "form"))
        app.add_url_rule("/", "root", auth.login_required(lambda: "in"))
        app.add_url_rule("/<path:path>", "any", auth.login_required(lambda path: "in"))
        _made.append(SimpleNamespace(app=app, auth=auth))
    return _made[0]


# --- the mount


@pytest.mark.parametrize(
    ("target", "found"),
    [
        ("/shop/page", "/shop/page"),
        ("/shop", "/shop"),
        ("/shop?a", "/shop?a"),
        ("/shopping", "/default"),
        ("/SHOP/page", "/default"),
        ("/page", "/default"),
        ("/", "/default"),
        ("/shop/../page", "/default"),
        ("/shop/%2e%2e/page", "/default"),
        ("/shop/login", "/default"),
        ("/shop/logout", "/default"),
    ],
)
def test_a_mounted_app_is_not_left(shop, target, found):
    assert next_url_for(shop, target, mount="/shop") == found


@pytest.mark.parametrize(("mount", "root"), [("", "/"), ("/shop", "/shop/"), ("/caf\xc3\xa9", "/caf%C3%A9/")])
def test_without_a_default_it_is_the_root_of_the_app(shop, mount, root):
    environ = EnvironBuilder("/login").get_environ()
    environ["SCRIPT_NAME"] = mount
    with shop.app.request_context(environ):
        assert shop.auth.next_url() == root


def test_from_a_mounted_page_to_the_login_and_back(shop):
    redirected = shop.client.get("/page?page=1", headers=PAGE, environ_overrides={"SCRIPT_NAME": "/shop"})
    assert redirected.location.startswith("/shop/login?")
    target = next_in(redirected)
    assert target == "/shop/page?page=1"
    assert next_url_for(shop, target, mount="/shop") == target


# --- the way back from odd requests


@pytest.fixture
def anywhere(build):
    shop = build()

    @shop.app.get("/any/<path:path>")
    @shop.auth.login_required
    def any_path(path):
        return path

    return shop


@pytest.mark.parametrize(
    ("raw", "target"),
    [
        ("/any/a%20b", "/any/a%20b"),
        ("/any/100%25", "/any/100%25"),
        ("/any/%252e%252e/x", "/any/%252e%252e/x"),
        ("/any/a%3Fb%23c", "/any/a%3Fb%23c"),
        ("/any/%C3%A9", "/any/%C3%A9"),
        ("/any/a?page=1&q=%2F%2Fevil.com", "/any/a?page=1&q=%2F%2Fevil.com"),
        ("/any/a?", "/any/a"),
        ("/any/%5Cevil.com", "/any/%5Cevil.com"),
        ("/any/a%2Fb", "/any/a/b"),  # a WSGI server decodes the path, so that the two are one
    ],
)
def test_the_way_back_is_the_address_that_was_asked_for(anywhere, raw, target):
    redirected = anywhere.client.get(raw, headers=PAGE)
    assert redirected.status_code == 302
    assert next_in(redirected) == target
    anywhere.client.post("/login")
    shown = anywhere.client.get(raw).text
    assert anywhere.client.get(next_url_for(anywhere, target)).text == shown


@pytest.mark.parametrize(
    "query", ["\xff=1", "a=\xe9", "%zz", "a=%", "=", "&&", "a[]=1", 'a="<', "a=b c", "next=//evil"]
)
def test_odd_queries_lead_to_the_login_page_too(anywhere, query):
    redirected = anywhere.client.get("/any/a", headers=PAGE, environ_overrides={"QUERY_STRING": query})
    assert redirected.status_code == 302
    assert next_in(redirected) in (f"/any/a?{query}", "/any/a", None)


@pytest.mark.parametrize("query", ["next=\xff", "\xff=1&next=/page", "next=%ff", "next=/%ff"])
def test_a_next_that_is_not_utf_8_is_no_500(shop, query):
    environ = EnvironBuilder("/login").get_environ()
    environ["QUERY_STRING"] = query
    with shop.app.request_context(environ):
        assert origin_of(shop.auth.next_url("/default")) == ORIGIN


@pytest.mark.parametrize(  # no rule of this app matches "///"
    ("path", "status"),
    [("///", 404), *((path, 302) for path in ("//evil.com/x", "/\\evil.com", "//evil.com%2f", "/./x", "/../x"))],
)
def test_a_path_that_is_an_address_is_not_handed_on(build, path, status):
    shop = build()
    shop.app.url_map.merge_slashes = False
    shop.app.add_url_rule("/<path:p>", "every", shop.auth.login_required(lambda p: p))
    redirected = shop.client.get("/", headers=PAGE, environ_overrides={"PATH_INFO": path})
    assert redirected.status_code == status
    if redirected.status_code == 302:
        assert path.startswith("/\\") or next_in(redirected) is None
        assert origin_of(next_in(redirected) or "/") == ORIGIN


def test_octets_of_no_encoding_come_back_as_they_were(anywhere):
    redirected = anywhere.client.get("/", headers=PAGE, environ_overrides={"PATH_INFO": "/any/\xe9"})
    assert next_in(redirected, errors="strict") == "/any/%E9"


def test_a_way_back_of_100_kb_is_left_out(anywhere):
    for address in ("/any/" + "a" * 100_000, "/any/a?q=" + "c" * 100_000):
        assert anywhere.client.get(address, headers=PAGE).location == "/login"


# --- RED-10


@pytest.mark.rfc("H-38")
@pytest.mark.parametrize(
    "query",
    [
        "token=x", "a=1&access_token=x", "TOKEN=x", "code=1&state=2", "reset_token=x", "resetToken=x",
        "reset-password=x",
        "X-Amz-Signature=x", "oauth.key=x", "api_key=x", "pass%77ord=x",
    ],
)  # fmt: skip
def test_red_10_secrets_do_not_go_along(anywhere, query):
    assert next_in(anywhere.client.get(f"/any/a?{query}", headers=PAGE)) == "/any/a"


@pytest.mark.parametrize(
    "query",
    [
        "pass=x", "passwd=x", "pwd=x", "pin=1", "otp=1", "sid=x", "session=x", "authorization=x", "credential=x",
        "magic=x", "invite=x", "SAMLResponse=x", "zipcode=1", "eyJhbGciOiJIUzI1NiJ9", "page=1&eyJhbGciOiJIUzI1NiJ9",
        "page=1&pin=2", "pin=2&page=1", "Page=1", "page[]=1", "page =1", "+page=1", "=1", "&=", "page=1;pin=2",
        "page=1&%70in=2", "page=1&q=%00&\u00e9=1",
    ],
)  # fmt: skip
def test_red_10_a_query_with_a_name_that_is_not_kept_does_not_go_along(anywhere, query):  # F-42
    redirected = anywhere.client.get("/any/a", headers=PAGE, environ_overrides={"QUERY_STRING": query})
    assert next_in(redirected) == "/any/a"


@pytest.mark.parametrize(
    "query",
    [
        "page=2", "q=blue+shoes&sort=price&tab=all&lang=de", "page", "page=", "page=1&page=2", "%70age=1", "page=1&&",
        "q=token%3Dx%26y",
    ],
)  # fmt: skip
def test_red_10_a_query_of_names_that_are_kept_does(anywhere, query):  # F-42
    assert next_in(anywhere.client.get(f"/any/a?{query}", headers=PAGE)) == f"/any/a?{query}"


@pytest.mark.parametrize(
    ("keep_query", "query", "kept"),
    [
        ({"a", "b"}, "a=1&b=2", True),
        (["a", "b"], "b", True),
        (("a",), "a=1&b=2", False),
        ({"a"}, "page=1", False),
        ((), "page=1", False),
        ((), "a", False),
    ],
)
def test_red_10_the_app_says_which_names_are_kept(build, keep_query, query, kept):  # F-42
    shop = build(keep_query=keep_query)
    found = next_in(shop.client.get(f"/page?{query}", headers=PAGE))
    assert found == (f"/page?{query}" if kept else "/page")
    refused = shop.client.post(f"/page?{query}", headers=NAVIGATE)
    assert links_in(refused.text) == ["/login"]


@pytest.mark.parametrize(
    ("keep_query", "error", "match"),
    [
        ("page", TypeError, "keep_query='page' is a bare string: write {\"page\"}"),
        ({1}, TypeError, "keep_query must hold str, not int"),
        ([None], TypeError, "keep_query must hold str, not NoneType"),
    ],
)
def test_red_10_names_that_are_none(keep_query, error, match):  # F-42
    with pytest.raises(error, match=re.escape(match)):
        SessionCookie(USERS.get, keep_query=keep_query)


# --- RED-11 to 13: who is redirected


def links_in(page):
    """The targets of the links on a page that stay on this host."""
    return re.findall(r'href="(/[^"]*)"', page)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_red_11_what_was_sent_is_not_dropped_without_a_word(build, method):
    shop = build()
    shop.app.add_url_rule("/form", "form", shop.auth.login_required(lambda: "in"), methods=[method])
    refused = shop.client.open("/form?a=1", method=method, headers=NAVIGATE, data={"text": "long"})
    assert_unauthorized(refused, scheme="Cookie", error=None)
    assert refused.mimetype == "text/html"
    assert links_in(refused.text) == ["/login"]  # without next: the address was for sending to
    assert "What you sent was not saved" in refused.text
    assert "long" not in refused.text


@pytest.mark.parametrize(
    "headers",
    [
        PAGE,
        NAVIGATE,
        {"Sec-Fetch-Mode": "navigate"},
        {"Accept": "text/html;q=0.5, application/xhtml+xml;q=0.5, */*;q=0.1"},  # F-55
        {**PAGE, "X-Requested-With": "com.example.app"},  # F-54: a WebView over plain HTTP, or before Chrome 76
        {**NAVIGATE, "X-Requested-With": "com.example.app"},
        {**NAVIGATE, "X-Requested-With": "XMLHttpRequest"},  # no script can send "navigate"
        {**NAVIGATE, "HX-Request": "true"},
        {**NAVIGATE, "Sec-Fetch-Dest": "empty"},  # F-56: HTML is named
        {**NAVIGATE, "Sec-Fetch-Dest": "iframe", "Accept": "*/*"},
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_red_12_a_page_is_redirected(shop, headers, method):
    redirected = shop.client.open("/page", method=method, headers=headers)
    assert redirected.status_code == 302
    assert redirected.location == "/login?next=/page"
    assert "WWW-Authenticate" not in redirected.headers
    assert shop.ran == []


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Accept": "*/*"},
        {"Accept": "application/json"},
        {"Accept": "text/html, application/json"},
        {"Accept": "text/html;q=0, */*"},
        {"Accept": "text/plain"},
        {"Accept": "text/html;q=x"},
        {"Accept": "text/html;q=0.5, */*;q=0.1"},  # F-55: HTML alone is what programs name
        {**PAGE, "X-Requested-With": "xmlhttprequest"},
        {**PAGE, "Sec-Fetch-Mode": "cors", "X-Requested-With": "com.example.app"},
        {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Site": "same-origin", "Sec-Fetch-Dest": "empty"},  # F-56
        {**NAVIGATE, "Sec-Fetch-Dest": "empty", "Accept": "*/*"},
        {**NAVIGATE, "Sec-Fetch-Dest": "empty", "Accept": "text/html;q=0, */*"},
        {**NAVIGATE, "Sec-Fetch-Dest": "empty", "Accept": "text/*"},
        {**PAGE, "X-Requested-With": "XMLHttpRequest"},
        {**PAGE, "HX-Request": "true"},
        {**PAGE, "Sec-Fetch-Mode": "cors"},
        {**PAGE, "Sec-Fetch-Mode": "cors", "Sec-Fetch-Site": "same-origin"},
        {**PAGE, "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Site": "same-origin"},
        {**PAGE, "Sec-Fetch-Mode": "websocket", "Sec-Fetch-Site": "same-origin"},
        {**PAGE, "Sec-Fetch-Mode": ""},
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_red_12_scripts_and_programs_get_the_401(shop, headers, method):
    refused = shop.client.open("/page", method=method, headers=headers)
    assert refused.status_code == 401
    assert "Cookie realm=" in ",".join(refused.headers.getlist("WWW-Authenticate"))


def test_red_12_options_is_no_page(shop):
    shop.app.add_url_rule("/o", "o", shop.auth.login_required(lambda: "x"), methods=["OPTIONS"])
    assert shop.client.options("/o", headers=NAVIGATE).status_code == 401


@pytest.mark.parametrize("credentials", ["Bearer bad", "bearer bad", "DPoP x", "Token abc", "x"])
def test_red_13_whoever_sent_credentials_is_told_that_they_failed(shop, credentials):
    refused = shop.client.get("/page", headers={**PAGE, "Authorization": credentials})
    assert refused.status_code == 401
    assert refused.location is None


def test_red_13_a_key_of_another_kind_too(build):
    shop = build(APIKey(lambda key: None))
    assert shop.client.get("/page", headers={**PAGE, "X-API-Key": "bad"}).status_code == 401
    assert shop.client.get("/page", headers=PAGE).status_code == 302


def test_a_bad_cookie_of_another_kind_is_not_the_callers_choice(build):
    shop = build(APIKey(lambda key: None, cookie="device"))
    shop.client.set_cookie("device", "bad")
    assert shop.client.get("/page", headers=PAGE).status_code == 302


@pytest.mark.parametrize("credentials", ["Basic eDp5", "Digest username=x", "Negotiate abc", "NTLM x"])
def test_what_a_browser_sends_to_a_proxy_is_nobodys_answer_here(shop, credentials):
    redirected = shop.client.get("/page", headers={**NAVIGATE, "Authorization": credentials})
    assert redirected.location == "/login?next=/page"


# --- RED-14: loops, and pages that cannot work


def test_red_14_a_login_page_that_needs_a_login(make_app):
    auth = Auth(SessionCookie(USERS.get, login_view="login"))
    app = make_app(auth, SECRET_KEY=KEY)
    app.add_url_rule("/login", "login", lambda: "form")
    auth.protect(app)
    with pytest.raises(ConfigurationError, match=r"login_view='login' demands a login itself.*@auth\.public"):
        auth.check(app)


def test_red_14_an_optional_login_page_is_one(make_app):
    auth = Auth(SessionCookie(USERS.get, login_view="login"))
    app = make_app(auth, SECRET_KEY=KEY)
    app.add_url_rule("/login", "login", auth.login_optional(lambda: "form"))
    auth.protect(app)
    assert app.test_client().get("/login", headers=PAGE).text == "form"


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"login_view": "nowhere"}, "login_view='nowhere' is not an endpoint.*or an absolute URL"),
        ({"login_view": ".login"}, "is not an endpoint"),
        ({"login_view": "//login.example/"}, "is not an endpoint"),
        ({"logout_view": "nowhere"}, "logout_view='nowhere' is not an endpoint"),
        ({"login_view": "of"}, "login_view='of' has an address with lang"),
        ({"logout_view": "of"}, "logout_view='of' has an address with lang"),
    ],
)
def test_pages_that_are_none(make_app, options, match):
    auth = Auth(SessionCookie(USERS.get, **options))
    app = make_app(auth, SECRET_KEY=KEY)
    app.add_url_rule("/<lang>/login", "of", lambda lang: "form")
    with pytest.raises(ConfigurationError, match=match):
        auth.check(app)


def test_an_address_with_a_variable_that_the_app_fills_in(make_app):
    auth = Auth(SessionCookie(USERS.get, login_view="site.login", logout_view="site.logout"))
    app = make_app(auth, SECRET_KEY=KEY)
    site = Blueprint("site", __name__, url_prefix="/<lang>")

    @site.url_value_preprocessor
    def take(endpoint, values):
        g.lang = (values or {}).pop("lang", "de")

    @app.url_defaults
    def give(endpoint, values):
        if endpoint.startswith("site."):
            values.setdefault("lang", g.get("lang", "de"))

    @site.get("/login")
    @auth.public
    def login():
        return auth.next_url("/default")

    site.add_url_rule("/logout", "logout", auth.public(lambda: "out"))
    site.add_url_rule("/page", "page", auth.login_required(lambda: "in"))
    app.register_blueprint(site)
    client = app.test_client()
    redirected = client.get("/fr/page", headers=PAGE)
    assert redirected.location == "/fr/login?next=/fr/page"
    assert client.get(redirected.location).text == "/fr/page"
    assert client.get("/fr/login?next=/fr/logout").text == "/default"


@pytest.mark.parametrize("target", ["/login", "/logout", "/login?next=/login", "/logout#x", "/%6cogout", "/logi%6E?a"])
def test_red_14_nobody_comes_back_to_the_login_or_the_logout(shop, target):
    assert next_url_for(shop, target) == "/default"


def test_red_14_from_the_logout_page_to_the_login_and_not_back(build):
    shop = build()
    shop.app.view_functions["logout"] = shop.auth.login_required(shop.app.view_functions["logout"])
    redirected = shop.client.get("/logout", headers=PAGE)
    assert next_url_for(shop, next_in(redirected)) == "/default"


# --- RED-15 to 18


@pytest.mark.parametrize("host", ["evil.com", "evil.com:99", "localhost:5000"])
def test_red_15_no_host_of_the_request_is_in_the_address(shop, host):
    redirected = shop.client.get("/page", headers={**PAGE, "Host": host, "X-Forwarded-Host": "evil.com"})
    assert redirected.location == "/login?next=/page"
    refused = shop.client.get("/page", headers={"Host": host})
    assert "evil" not in str(refused.headers)


def test_red_15_a_server_name_changes_nothing(build):
    shop = build(config={"SERVER_NAME": "shop.example"})
    assert shop.client.get("/page", headers=PAGE, base_url="http://shop.example").location == "/login?next=/page"


@pytest.mark.parametrize(
    ("query", "form", "found"),
    [
        ("next=/page&next=/fresh", {}, "/default"),
        ("next=/page", {"next": "/fresh"}, "/default"),
        ("next=/page", {"next": "//evil.com"}, "/default"),
        ("next=/page", {"next": "/page"}, "/page"),
        ("", {"next": "/page"}, "/page"),
        ("next=/page", {}, "/page"),
        ("", {}, "/default"),
        ("next=/page&next=", {}, "/default"),
        ("NEXT=/page", {}, "/default"),
    ],
)
def test_red_16_two_ways_back_are_none(shop, query, form, found):
    with shop.app.test_request_context(f"/login?{query}", method="POST", data=form):
        assert shop.auth.next_url("/default") == found


def test_the_redirect_varies_without_the_guard_too(build):
    redirected = build(config={"UNAUTHORIZED_GUARD": "off"}).client.get("/page", headers=PAGE)
    assert redirected.status_code == 302
    assert {"Accept", "Authorization", "Cookie"} <= {name.strip() for name in redirected.headers["Vary"].split(",")}
    assert redirected.headers["Cache-Control"] == "no-store"


def test_red_17_the_redirect_is_nobody_elses(build):
    shop = build()
    shop.app.after_request(lambda response: response.headers.update({"Cache-Control": "public"}) or response)
    redirected = shop.client.get("/page", headers=PAGE)
    named = {name.strip() for name in redirected.headers["Vary"].split(",")}
    assert named == {
        "Accept", "Authorization", "Cookie", "Sec-Fetch-Mode", "Sec-Fetch-Site", "Sec-Fetch-Dest", "X-Requested-With",
        "HX-Request",
    }  # fmt: skip
    assert redirected.headers["Cache-Control"] == "no-store"
    assert "WWW-Authenticate" not in redirected.headers


@pytest.mark.parametrize(
    ("page", "location"),
    [
        ("https://login.example/in", "https://login.example/in?next=%2Fpage"),
        ("https://login.example/in?app=1", "https://login.example/in?app=1&next=%2Fpage"),
    ],
)
def test_red_18_a_login_page_elsewhere_by_configuration(make_app, page, location):
    auth = Auth(SessionCookie(USERS.get, login_view=page), realm="shop")
    app = make_app(auth, SECRET_KEY=KEY)
    app.add_url_rule("/page", "page", auth.login_required(lambda: "in"))
    app.add_url_rule("/back", "back", lambda: auth.next_url("/default"))
    client = app.test_client()
    assert client.get("/page", headers=PAGE).location == location
    assert f'form-action="{page}"' in client.get("/page").headers["WWW-Authenticate"]
    assert client.get(f"/back?next={page}").text == "/default"


# --- step-up


def test_an_old_login_leads_to_the_login_page_and_back(build, clock):
    shop = build()
    shop.client.post("/login")
    clock[0] += 301
    redirected = shop.client.get("/fresh?page=1", headers=PAGE)
    assert (redirected.status_code, next_in(redirected)) == (302, "/fresh?page=1")
    returned = shop.client.post(redirected.location)
    assert returned.location == "/fresh?page=1"
    assert shop.client.get(returned.location, headers=PAGE).text == "fresh"
    assert shop.client.get("/page").text == "page of ada"


@pytest.fixture
def vault(build, clock):
    shop = build()
    shop.app.add_url_rule("/vault", "vault", shop.auth.login_required(acr="mfa")(lambda: "vault"))
    return shop


def test_a_weak_login_leads_to_a_stronger_one(vault):
    vault.client.post("/login")
    redirected = vault.client.get("/vault", headers=PAGE)
    assert redirected.location == "/login?next=/vault"
    assert vault.client.post(redirected.location, data={"acr": "mfa"}).location == "/vault"
    assert vault.client.get("/vault", headers=PAGE).text == "vault"


def test_a_second_login_that_is_not_enough_either_is_told(vault, clock):
    vault.client.post("/login")
    assert vault.client.get("/vault", headers=PAGE).status_code == 302
    vault.client.post("/login")
    refused = vault.client.get("/vault", headers=PAGE)
    assert_unauthorized(refused, scheme="Cookie", error="insufficient_user_authentication")
    assert refused.mimetype == "text/html"
    assert links_in(refused.text) == ["/login?next=/vault"]
    clock[0] += LOOP_WINDOW - 1
    assert vault.client.get("/vault", headers=PAGE).status_code == 401
    clock[0] += 1
    assert vault.client.get("/vault", headers=PAGE).status_code == 302


def test_a_step_up_for_a_post_is_a_page_that_says_so(vault):
    vault.app.add_url_rule("/pay", "pay", vault.auth.login_required(acr="mfa")(lambda: "paid"), methods=["POST"])
    vault.client.post("/login")
    refused = vault.client.post("/pay", headers={**NAVIGATE, "Sec-Fetch-Site": "same-origin"}, data={"sum": "7"})
    assert_unauthorized(refused, scheme="Cookie", error="insufficient_user_authentication")
    assert links_in(refused.text) == ["/login"]
    assert "What you sent was not saved" in refused.text


def test_a_script_is_told_the_step_up(vault):
    vault.client.post("/login")
    sent = {"Sec-Fetch-Mode": "cors", "Sec-Fetch-Site": "same-origin", "Accept": "*/*"}
    assert_unauthorized(vault.client.get("/vault", headers=sent), error="insufficient_user_authentication")


# --- other ways to a 401


@pytest.fixture
def shop_401s(build):
    shop = build()
    add = shop.app.add_url_rule
    add("/abort", "abort", lambda: abort(401))
    add("/bare", "bare", lambda: ("", 401))
    add("/ours", "ours", lambda: abort_unauthorized())
    add("/raise", "raise", lambda: raise_error(MissingCredentials()))
    add("/step", "step", lambda: raise_error(StepUpRequired(max_age=5)))
    add("/own", "own", lambda: abort(shop.app.response_class("own", 401)))
    return shop


@pytest.mark.parametrize("path", ["/abort", "/ours", "/raise", "/step"])
def test_every_401_that_is_raised_leads_to_the_login(shop_401s, path):
    assert shop_401s.client.get(path, headers=PAGE).location == f"/login?next={path}"
    assert shop_401s.client.get(path).status_code == 401


@pytest.mark.parametrize("path", ["/bare", "/own"])
def test_an_answer_of_the_apps_own_stays_and_gets_the_challenges(shop_401s, path):
    refused = shop_401s.client.get(path, headers=PAGE)
    assert refused.status_code == 401
    assert any(line.startswith("Cookie ") for line in refused.headers.getlist("WWW-Authenticate"))


@pytest.mark.parametrize("path", ["/abort", "/step"])
def test_a_401_in_spite_of_a_login_does_not_send_round_in_circles(shop_401s, path):
    shop_401s.client.post("/login")
    assert shop_401s.client.get(path, headers=PAGE).status_code == 302
    shop_401s.client.post("/login")
    refused = shop_401s.client.get(path, headers=PAGE)
    assert refused.status_code == 401
    assert links_in(refused.text) == [f"/login?next={path}"]


def test_the_redirect_goes_before_the_apps_own_page_for_401(shop_401s):
    shop_401s.app.register_error_handler(401, lambda error: ("own page", 401))
    assert shop_401s.client.get("/page", headers=PAGE).status_code == 302
    assert shop_401s.client.get("/abort", headers=PAGE).text == "own page"  # Flask never asks us of this one
    assert shop_401s.client.get("/page").text == "own page"
    assert shop_401s.client.post("/page", headers=PAGE).text == "own page"


def test_a_403_is_never_a_redirect(build):
    shop = build()
    shop.app.add_url_rule("/admin", "admin", shop.auth.login_required(roles={"admin"})(lambda: "in"))
    shop.client.post("/login")
    shop.users["ada"] = Identity("ada", roles={"guest"})
    assert shop.client.get("/admin", headers=PAGE).status_code == 403
    assert shop.client.get("/admin", headers=PAGE).location is None


def test_a_route_without_sessions_in_force_has_no_login_page(build):
    bearer = Bearer(lambda token: None)
    shop = build(bearer)
    shop.app.add_url_rule("/api", "api", shop.auth.login_required(via=bearer)(lambda: "in"))
    refused = shop.client.get("/api", headers=PAGE)
    assert_unauthorized(refused, scheme="Bearer", error=None)
    assert links_in(refused.text) == []


def test_sessions_without_a_login_page_answer_401(build):
    shop = build(login_view=None, logout_view=None)
    refused = shop.client.get("/page", headers=PAGE)
    assert_unauthorized(refused, error=None)
    assert "form-action" not in str(refused.headers.getlist("WWW-Authenticate"))


def test_a_protected_app_leads_to_the_login_from_everywhere_but_errors(make_app):
    auth = Auth(SessionCookie(USERS.get, login_view="pages.login"))
    app = make_app(auth, SECRET_KEY=KEY)
    auth.protect(app)
    pages = Blueprint("pages", __name__, url_prefix="/account")

    @pages.route("/login", methods=["GET", "POST"])
    @auth.public
    def login():
        if request.method == "POST":
            auth.login("ada")
            return redirect(auth.next_url(), code=302)
        return "form"

    pages.add_url_rule("/", "home", lambda: auth.identity.subject)
    app.register_blueprint(pages)
    client = app.test_client()
    redirected = client.get("/account/", headers=PAGE)
    assert redirected.location == "/account/login?next=/account/"
    assert client.get("/none", headers=PAGE).status_code == 404
    assert client.get("/account/login", headers=PAGE).text == "form"
    assert client.post(redirected.location).location == "/account/"
    assert client.get("/account/", headers=PAGE).text == "ada"

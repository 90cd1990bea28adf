"""A proxy asks whether a request may pass: who may ask, what is judged, and what the proxy gets."""

import itertools
import logging
import time

import pytest
from flask import Flask, abort, make_response, redirect, request
from flask.cli import routes_command
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.test import Client, EnvironBuilder, run_wsgi_app

from flask_unauthorized import (
    APIKey,
    Auth,
    AuthUnavailable,
    Bearer,
    ConfigurationError,
    Digest,
    DPoP,
    Identity,
    SessionCookie,
    TooManyAttempts,
)
from flask_unauthorized.stores.memory import MemoryStore
from tests.digest_client import ADA, challenge, sent
from tests.dpop_client import TOKEN, Holder

from .asking import CROSS_SITE, GOOD, NAVIGATION, PROXY, Asked, by_caddy, by_nginx

BOTH = pytest.mark.parametrize("by", [by_nginx, by_caddy], ids=["nginx", "caddy"])
UNNAMED = [
    "203.0.113.9",
    "127.0.0.1",
    "192.0.2.2",
    "",
    "localhost",
    "unix:",
    "<local>",
    "192.0.2.1, 203.0.113.9",
    "::1",
    "unknown",
]


@pytest.fixture
def asked(make_app):
    return Asked(make_app)


# --- who may ask

FORGED = {
    "nothing": {},
    "nginx": by_nginx(),
    "nginx, without a method": by_nginx(method=None),
    "caddy": by_caddy(),
    "both": {**by_nginx(), **by_caddy()},
    "preflight": {**by_nginx(method="OPTIONS"), "Origin": "https://a.example", "Access-Control-Request-Method": "PUT"},
    "peer in X-Forwarded-For": {**by_caddy(), "X-Forwarded-For": PROXY},
    "peer in X-Real-IP": {**by_caddy(), "X-Real-IP": PROXY},
    "peer in Forwarded": {**by_caddy(), "Forwarded": f"for={PROXY};host=shop.example"},
    "peer in X-Client-IP": {**by_caddy(), "X-Client-IP": PROXY, "True-Client-IP": PROXY},
    "subject": {**by_caddy(), "X-Auth-Subject": "root", "X-Auth-Scopes": "admin"},
    "status": {**by_nginx(), "X-Auth-Status": "204"},
    "override": {**by_nginx(), "X-HTTP-Method-Override": "OPTIONS"},
}


@pytest.mark.parametrize("forged", FORGED.values(), ids=FORGED)
def test_a_peer_that_is_not_named_learns_nothing(asked, forged):
    """Not even with valid credentials. Neither the app nor a loader sees the request."""
    for peer, fields in itertools.product(UNNAMED, (forged, {**forged, **GOOD})):
        response = asked(fields, peer=peer)
        assert (response.status_code, response.text) == (403, "Forbidden\n")
        assert "WWW-Authenticate" not in response.headers
        assert not [name for name in dict(response.headers) if name.startswith("X-Auth")]
    assert (asked.handled, asked.loaded) == ([], [])


@pytest.mark.parametrize("inside", [True, False], ids=["ProxyFix before", "ProxyFix after"])
def test_proxy_fix_changes_nothing_of_who_may_ask(make_app, inside):
    auth = Auth(Bearer({"good": Identity("ada")}.get))
    app = make_app()
    if inside:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=1, x_proto=1, x_host=1)
    auth.forward_auth("/auth", proxies=[PROXY])
    auth.init_app(app)
    if not inside:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=1, x_proto=1, x_host=1)
    statuses = [
        app.test_client()
        .get(
            "/auth", headers={**by_caddy(), **GOOD, "X-Forwarded-For": claimed}, environ_overrides={"REMOTE_ADDR": peer}
        )
        .status_code
        for peer, claimed in ((PROXY, "203.0.113.9"), ("203.0.113.9", PROXY))
    ]
    assert statuses == [204, 403]


def test_a_peer_that_is_not_named_is_in_the_log(asked, caplog):
    caplog.set_level(logging.INFO, "flask_unauthorized")
    for _ in range(2):
        asked(by_nginx(), peer="203.0.113.9")
    text = "refused forward_auth:/auth: the peer '203.0.113.9' is not in proxies=: name it there if it is your proxy"
    assert [(record.levelname, record.message) for record in caplog.records] == [("WARNING", text), ("INFO", text)]


def test_clients_cannot_use_up_the_warnings(asked, caplog):
    """Each kind of mistake is a WARNING once, whatever clients send."""
    for number in range(300):
        asked(by_nginx(f"broken {number}"))
    for number in range(300):
        asked(by_nginx(), peer=f"203.0.113.{number}")
    refusals = [record for record in caplog.records if "refused forward_auth" in record.message]
    warned = [record.message.partition(": ")[2].split()[0] for record in refusals if record.levelname == "WARNING"]
    assert warned == ["X-Original-URI", "the"]
    assert len(asked.app.extensions["unauthorized"].logged_once) < 10


# --- what is judged


@BOTH
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "PROPFIND", "M-SEARCH", "CONNECT"])
def test_hooks_and_schemes_see_the_original_request(asked, by, method):
    response = asked({**by("/report?page=2", method), **GOOD})
    assert (response.status_code, response.data) == (204, b"")
    assert response.headers["Cache-Control"] == "no-store"
    assert asked.handled == [(method, "shop.example")]


@BOTH
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "CONNECT", "PROPFIND"])
def test_a_page_of_another_site_cannot_use_the_session(make_app, by, method):
    asked = Asked(make_app).log_in()
    assert asked(by(method=method)).status_code == 204
    assert asked({**by(method=method), "Origin": "https://shop.example"}).status_code == 204
    assert asked({**by(method=method), **CROSS_SITE}).status_code == 403
    assert asked({**by(method=method), "Origin": "https://evil.example"}).status_code == 403
    assert asked({**by(method=method), "Origin": "http://shop.example"}).status_code == 403
    assert asked({**by(method="GET"), **CROSS_SITE}).status_code == 204


@pytest.mark.parametrize(
    "fields",
    [
        {"Upgrade": "websocket", "Connection": "Upgrade"},
        {"Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==", "Connection": "close"},  # what nginx passes on
        {"Sec-WebSocket-Version": "13"},  # HTTP/2 (RFC 8441)
    ],
)
@BOTH
def test_a_page_of_another_site_cannot_open_a_websocket(make_app, by, fields):
    asked = Asked(make_app).log_in()
    assert asked({**by(), **fields, "Origin": "https://evil.example"}).status_code == 403
    assert asked({**by(), **fields, "Origin": "https://shop.example"}).status_code == 204


def test_traefik_names_the_scheme_of_a_websocket(make_app):
    asked = Asked(make_app).log_in()
    fields = {**by_caddy(proto="wss"), "Upgrade": "websocket", "Connection": "Upgrade"}
    assert asked({**fields, "Origin": "https://shop.example"}).status_code == 204
    assert asked({**fields, "Origin": "https://evil.example"}).status_code == 403


PREFLIGHT = {"Origin": "https://evil.example", "Access-Control-Request-Method": "GET"}


@pytest.mark.parametrize("method", ["GET", "OPTIONS"])
@pytest.mark.parametrize("name", ["X-Forwarded-Method", "X-HTTP-Method-Override", "X-Original-Verb"])
def test_a_client_cannot_name_the_method_that_nginx_leaves_out(make_app, name, method):
    """nginx overwrites the fields that it is configured to send, and passes on the others."""
    asked = Asked(make_app).log_in()
    for more in ({}, {"X-Forwarded-Uri": "/report"}):
        assert asked({**by_nginx(method=None), name: method, **more, **CROSS_SITE}).status_code == 403
        assert asked({**by_nginx(method=None), name: method, **more, **PREFLIGHT}).status_code == 403
    assert asked.handled == []


@BOTH
def test_a_proxy_that_names_no_method_lets_nobody_pass(asked, by, caplog):
    """Its users see that before a client finds out that it can name OPTIONS, as a preflight, which always passes."""
    fields = by()
    missing = next(name for name in fields if name.endswith("-Method"))
    del fields[missing]
    assert asked({**fields, **GOOD}).status_code == 403
    assert f"{missing} didn't come with the URI" in caplog.text
    assert asked.handled == []


@BOTH
def test_a_preflight_passes_and_names_no_caller(asked, by):
    fields = {"Origin": "https://app.example", "Access-Control-Request-Method": "PUT"}
    response = asked({**by(method="OPTIONS"), **fields, **GOOD})
    assert (response.status_code, response.data, asked.handled) == (204, b"", [])
    assert "X-Auth-Subject" not in response.headers


def test_only_a_preflight_passes(asked):
    origin, asks = {"Origin": "https://app.example"}, {"Access-Control-Request-Method": "PUT"}
    assert asked({**by_nginx(method="OPTIONS"), **origin}).status_code == 401
    assert asked({**by_nginx(method="OPTIONS"), **asks}).status_code == 401
    assert asked({**by_nginx(method="GET"), **origin, **asks}).status_code == 401


@BOTH
def test_digest_compares_the_original_method_and_uri(make_app, by):
    asked = Asked(make_app, Digest({"ada": ADA}.get, store=MemoryStore(single_process=True)))
    told = challenge(asked(by("/meters/7?day=a%20b", "PUT")).headers["WWW-Authenticate"].partition(", Digest")[0])
    for count, (uri, method, hashed, status) in enumerate(
        [
            ("/meters/7?day=a%20b", "PUT", "PUT", 204),
            ("/meters/7?day=a%20b", "PUT", "GET", 401),
            ("/auth", "PUT", "PUT", 403),  # 400 for all but nginx: the target differs
            ("/meters/7", "PUT", "PUT", 403),
            ("/meters/7?day=a%20b", "DELETE", "PUT", 401),
        ],
        1,
    ):
        fields = by("/meters/7?day=a%20b", method)
        response = asked({**fields, **sent(told, uri=uri, method=hashed, nc=count)})
        assert response.status_code == (status if by is by_nginx or status != 403 else 400), (uri, method, hashed)


@BOTH
def test_a_hook_that_asks_for_the_caller_sees_the_original_request(make_app, by):
    """A Digest count is spent once, by the hook or by the guard, and the hook's answer is the guard's."""
    seen = []
    asked = Asked(make_app, Digest({"ada": ADA}.get, store=MemoryStore(single_process=True)))
    asked.app.before_request(lambda: seen.append((identity := asked.auth.get_identity()) and identity.subject))
    told = challenge(asked(by("/meters/7", "PUT")).headers["WWW-Authenticate"].partition(", Digest")[0])
    fields = {**by("/meters/7", "PUT"), **sent(told, uri="/meters/7", method="PUT", nc=1)}
    assert (asked(fields).status_code, asked(fields).status_code) == (204, 401)
    assert seen == [None, "ada", None]


@BOTH
def test_a_hook_of_a_cross_site_request_has_no_caller(make_app, by):
    seen = []
    asked = Asked(make_app)
    asked.app.before_request(lambda: seen.append((identity := asked.auth.get_identity()) and identity.subject))
    asked.log_in()
    assert asked({**by(method="POST"), **CROSS_SITE}).status_code == 403
    assert asked(by(method="POST")).status_code == 204
    assert seen[-2:] == [None, "ada"]


@BOTH
def test_dpop_compares_the_original_method_and_url(make_app, by):
    holder = Holder()
    load = {TOKEN: Identity("ada", confirmation={"jkt": holder.jkt})}.get
    asked = Asked(make_app, DPoP(load, origin="https://shop.example", store=MemoryStore(single_process=True)))
    for htm, htu, status in (
        ("POST", "https://shop.example/orders", 204),
        ("GET", "https://shop.example/orders", 401),
        ("POST", "https://shop.example/auth", 401),
        ("POST", "http://shop.example/orders", 401),
        ("POST", "https://localhost/orders", 401),
        ("POST", "https://shop.example/other", 401),
    ):
        proof = holder.proof(htm=htm, htu=htu)
        fields = {**by("/orders?page=1", "POST"), "Authorization": f"DPoP {TOKEN}", "DPoP": proof}
        assert asked(fields).status_code == status, (htm, htu)


def test_a_key_in_the_original_query_counts(make_app):
    asked = Asked(make_app, APIKey({"k-1": Identity("ada")}.get, query="key"))
    assert asked(by_nginx("/report?key=k-1")).status_code == 204
    assert asked(by_nginx("/report?key=k-2")).status_code == 401
    assert asked(by_nginx("/report"), QUERY_STRING="key=k-1").status_code == 401


def test_https_is_what_the_client_used(make_app):
    asked = Asked(make_app, config={"UNAUTHORIZED_REQUIRE_HTTPS": True})
    assert asked({**by_caddy(proto="https"), **GOOD}).status_code == 204
    assert asked({**by_caddy(proto="http"), **GOOD}).status_code == 403


def test_conditions_are_about_the_resource_behind_the_proxy(asked):
    @asked.app.after_request
    def make_conditional(response):
        response.set_etag("same")
        return response.make_conditional(request)

    for fields, status in ((GOOD, 204), ({}, 401)):
        assert asked({**by_nginx(), **fields, "If-None-Match": '"same"', "Range": "bytes=0-1"}).status_code == status


BROKEN = {
    "no URI": {"X-Original-Method": "GET"},
    "no method": by_nginx(method=None),
    "a method of the other pair": {**by_nginx(method=None), "X-Forwarded-Method": "GET"},
    "empty URI": {**by_nginx(""), "X-Forwarded-Uri": ""},
    "two URIs": {**by_nginx("/a"), "X-Forwarded-Uri": "/b"},
    "two methods": {**by_nginx(method="GET"), "X-Forwarded-Method": "POST"},
    "two methods, other way": {**by_caddy(method="POST"), "X-Original-Method": "GET"},
    "joined methods": by_caddy(method="POST,GET"),
    "joined URIs": by_caddy("/a, /b"),
    "joined hosts": by_caddy(host="a.example, b.example"),
    "joined schemes": by_caddy(proto="https,http"),
    "absolute URI": by_nginx("https://shop.example/report"),
    "asterisk": by_nginx("*", "OPTIONS"),
    "authority": by_nginx("shop.example:443", "CONNECT"),
    "relative": by_nginx("report"),
    "question mark alone": by_nginx("?a=1"),
    "fragment": by_nginx("/report#top"),
    "blank": by_nginx("/a b"),
    "tab": by_nginx("/a\tb"),
    "delete": by_nginx("/a\x7f"),
    "giant URI": by_nginx("/" + "a" * 16_384),
    "giant method": by_nginx(method="A" * 33),
    "lower case method": by_nginx(method="get"),
    "method with a blank": by_nginx(method="GET /"),
    "digit": by_nginx(method="1"),
    "host with a user": by_caddy(host="shop.example@evil.example"),
    "host with a path": by_caddy(host="shop.example/x"),
    "host with a question mark": by_caddy(host="shop.example?"),
    "host with a backslash": by_caddy(host="shop.example\\evil"),
    "non-ASCII host": by_caddy(host="sh\xf6p.example"),
    "long port": by_caddy(host="shop.example:123456"),
    "giant host": by_caddy(host="a" * 300),
    "unknown scheme": by_caddy(proto="javascript"),
    "upper case scheme": by_caddy(proto="HTTPS"),
}


@pytest.mark.parametrize("fields", BROKEN.values(), ids=BROKEN)
def test_broken_fields_are_refused_and_logged(asked, fields, caplog):
    response = asked({**fields, **GOOD})
    assert (response.status_code, response.text, asked.handled) == (403, "Forbidden\n", [])
    assert [record.levelname for record in caplog.records if "refused forward_auth:/auth" in record.message] == [
        "WARNING"
    ]


@pytest.mark.parametrize(
    "name", ["X_Forwarded_Method", "X-Forwarded_Uri", "X_Forwarded-Host", "X_FORWARDED_PROTO", "x_original_uri"]
)
def test_a_spelling_with_underscores_is_refused(asked, name):
    """a2wsgi, the one server that shows it, joins both values or keeps the last one."""
    scope = {"headers": [(name.lower().encode(), b"GET"), (b"x-forwarded-method", b"POST")]}
    fields = {**by_caddy(), "X-Original-URI": "/report", "X-Original-Method": "GET", **GOOD}
    assert asked(fields, **{"asgi.scope": {"headers": []}}).status_code == 204
    assert asked(fields, **{"asgi.scope": scope}).status_code == 403


def test_the_query_is_not_logged(asked, caplog):
    asked(by_nginx("/a?token=s3cret value"))
    assert caplog.records
    assert "s3cret" not in caplog.text


ODD = {
    "//evil.example/x": "http",
    "/..//../login": "dots",
    "/%2e%2e/login": "encoded dots",
    "/\\evil.example": "backslash",
    "/" + "a" * 8000: "long",
    "/caf\xc3\xa9": "octets",
    "/%00": "nul",
    "/%0d%0aSet-Cookie:%20a=b": "line break",
    "/a;b=c?x=|&y='\"<>": "punctuation",
    "/?": "empty query",
}


@pytest.mark.parametrize("uri", ODD, ids=ODD.values())
@BOTH
def test_an_odd_uri_is_judged_and_leads_nowhere_else(asked, by, uri):
    assert asked({**by(uri), **GOOD}).status_code == 204
    response = asked({**by(uri), **NAVIGATION})
    leads = response.headers["X-Auth-Login" if by is by_nginx else "Location"]
    assert response.status_code == (401 if by is by_nginx else 302)
    assert leads.startswith("https://shop.example/login")
    way_back = leads.partition("?next=")[2]
    assert way_back[:2] not in ("//", "/\\", "/.")
    assert leads.isascii()
    assert leads.isprintable()


@pytest.mark.parametrize(
    "host", ["shop.example", "shop.example:8443", "[2001:db8::1]:8443", "192.0.2.7", "a_b.example"]
)
def test_the_login_page_is_on_the_host_of_the_original_request(asked, host):
    for proto in ("http", "https"):
        response = asked({**by_caddy("/report", host=host, proto=proto), **NAVIGATION})
        assert (response.status_code, response.headers["Location"]) == (302, f"{proto}://{host}/login?next=/report")


def test_without_forwarded_host_the_host_counts(asked):
    fields = {"X-Original-URI": "/a", "X-Original-Method": "GET", "Host": "shop.example:8080"}
    assert asked({**fields, **NAVIGATION}).headers["X-Auth-Login"] == "http://shop.example:8080/login?next=/a"


@pytest.mark.parametrize(
    ("login_view", "leads"),
    [
        ("https://shop.example/sign-in", "https://shop.example/sign-in?next=%2Freport"),
        ("https://login.example/sign-in", None),
        ("https://shop.example.evil.example/", None),
        ("http://shop.example/sign-in", None),
    ],
)
def test_a_login_page_elsewhere_is_no_target(make_app, login_view, leads):
    """The way back is a path, which another host can't follow."""
    asked = Asked(make_app, SessionCookie({"ada": "ada"}.get, login_view=login_view))
    response = asked({**by_caddy(), **NAVIGATION})
    assert (response.status_code, response.headers.get("Location")) == (401 if leads is None else 302, leads)
    assert asked({**by_nginx(), **NAVIGATION}).headers.get("X-Auth-Login") == leads


@BOTH
@pytest.mark.parametrize("uri", ["/login", "/login?next=/login"])
def test_a_guarded_login_page_is_no_endless_redirect(asked, by, uri):
    response = asked({**by(uri), **NAVIGATION})
    assert (response.status_code, "X-Auth-Login" in response.headers) == (401, False)


@BOTH
@pytest.mark.parametrize(
    "fields",
    [{}, {"Sec-Fetch-Mode": "cors", "Sec-Fetch-Site": "same-origin"}, {**NAVIGATION, "Authorization": "Bearer bad"}],
    ids=["program", "script", "explicit"],
)
def test_only_pages_lead_to_the_login_page(asked, by, fields):
    response = asked({**by(), **fields})
    assert (response.status_code, "X-Auth-Login" in response.headers) == (401, False)


def test_only_safe_methods_lead_to_the_login_page(asked):
    assert asked({**by_caddy(method="POST"), **NAVIGATION}).status_code == 401


# --- what the proxy gets


def test_challenges_stand_on_one_line(make_app):
    """nginx before 1.23 passes on one line only."""
    asked = Asked(make_app)
    for by in (by_nginx, by_caddy):
        lines = asked(by()).headers.getlist("WWW-Authenticate")
        assert lines == ['Bearer realm="shop", Cookie realm="shop", form-action="/login", cookie-name="session"']


@BOTH
def test_the_answer_to_a_head_has_no_body(asked, by):
    response = asked(by(method="HEAD"))
    assert (response.status_code, response.headers["Content-Length"], response.data) == (401, "0", b"")


def test_a_missing_scope_is_403_with_its_challenge(make_app):
    asked = Asked(make_app, scopes={"admin"})
    for by in (by_nginx, by_caddy):
        response = asked({**by(), **GOOD})
        assert response.status_code == 403
        assert 'error="insufficient_scope"' in response.headers["WWW-Authenticate"]
        assert "X-Auth-Status" not in response.headers


INSTEAD = {
    "unavailable": (lambda: (_ for _ in ()).throw(AuthUnavailable(retry_after=7)), 503),
    "throttled": (lambda: (_ for _ in ()).throw(TooManyAttempts()), 429),
    "not found": (lambda: abort(404), 404),
    "maintenance": (lambda: "We are back at noon.", 200),
    "empty": (lambda: ("", 204), 204),
    "created": (lambda: ("", 201), 201),
    "redirect": (lambda: redirect("/elsewhere"), 302),
    "login look-alike": (lambda: redirect("https://shop.example/login"), 302),
    "not modified": (lambda: ("", 304), 304),
    "teapot": (lambda: abort(418), 418),
    "bug": (lambda: 1 // 0, 500),
}


@pytest.mark.parametrize(("hook", "code"), INSTEAD.values(), ids=INSTEAD)
def test_an_answer_in_place_of_the_view_opens_nothing(make_app, hook, code):
    asked = Asked(make_app, config={"PROPAGATE_EXCEPTIONS": False})
    asked.app.before_request(hook)
    by_status = asked({**by_nginx(), **GOOD})
    assert (by_status.status_code, by_status.headers["X-Auth-Status"]) == (403, str(code))
    assert by_status.headers["Cache-Control"] == "no-store"
    for fields in ({}, GOOD, NAVIGATION):
        response = asked({**by_caddy(), **fields})
        assert response.status_code == (code if code >= 400 else 403)
        if code < 400:
            assert (response.data, "Location" in response.headers) == (b"", False)


def test_retry_after_stays(make_app):
    asked = Asked(make_app)
    asked.app.before_request(INSTEAD["unavailable"][0])
    for by in (by_nginx, by_caddy):
        response = asked({**by(), **GOOD})
        assert (response.headers["Retry-After"], "WWW-Authenticate" in response.headers) == ("7", False)


@pytest.mark.parametrize("status", [200, 204, 302, 404])
def test_a_handler_that_hides_refusals_opens_nothing(make_app, status):
    """An envelope that is always 200 is common in APIs."""
    asked = Asked(make_app)
    asked.app.register_error_handler(401, lambda error: make_response({"ok": False}, status))
    for by in (by_nginx, by_caddy):
        assert asked(by()).status_code == (404 if by is by_caddy and status == 404 else 403)
        assert asked({**by(), **GOOD}).status_code == 204


@pytest.mark.parametrize("status", [200, 202, 206])
def test_an_accepted_request_is_204_whatever_hooks_do(asked, status):
    @asked.app.after_request
    def change(response):
        response.status_code = status
        response.data = b"a body"
        return response

    response = asked({**by_nginx(), **GOOD})
    assert (response.status_code, response.data, "Content-Length" in response.headers) == (204, b"", False)


@pytest.mark.parametrize("status", [401, 403, 503])
def test_a_hook_can_refuse_an_accepted_request(asked, status):
    asked.app.after_request(lambda response: make_response("", status))
    for by in (by_nginx, by_caddy):
        response = asked({**by(), **GOOD})
        assert response.status_code == (403 if by is by_nginx and status == 503 else status)
        assert ("WWW-Authenticate" in response.headers) == (status == 401)


def test_a_session_in_use_is_renewed(make_app, monkeypatch):
    asked = Asked(make_app).log_in()
    assert "Set-Cookie" not in asked(by_nginx()).headers
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 900)
    assert asked(by_nginx()).headers["Set-Cookie"].startswith("session=")
    monkeypatch.setattr(time, "time", lambda: now + 900 + 1801)
    assert asked(by_nginx()).status_code == 401


# --- where it is added


def test_protect_and_the_endpoint_add_up(make_app):
    auth = Auth(Bearer({"good": Identity("ada", scopes={"a"}), "best": Identity("ada", scopes={"a", "b"})}.get))
    app = make_app(auth)
    auth.protect(app, scopes={"a"})
    auth.forward_auth("/auth", proxies=[PROXY], scopes={"b"})
    client = app.test_client()
    statuses = {
        token: client.get(
            "/auth",
            headers={**by_nginx(), "Authorization": f"Bearer {token}"},
            environ_overrides={"REMOTE_ADDR": PROXY},
        ).status_code
        for token in ("good", "best", "bad")
    }
    assert statuses == {"good": 403, "best": 204, "bad": 401}


def test_each_app_has_each_endpoint(make_app):
    auth = Auth(Bearer({"good": Identity("ada")}.get), APIKey({"k": "bo"}.get))
    bearer, key = auth.schemes
    first, second = make_app(auth), make_app()
    auth.forward_auth("/auth", proxies=[PROXY], via=bearer)
    auth.forward_auth("/auth/keys", proxies=["unix:"], via=key)
    auth.init_app(second)
    auth.check(second)
    for app in (first, second):
        client = app.test_client()
        for path, peer, fields in (("/auth", PROXY, GOOD), ("/auth/keys", "", {"X-API-Key": "k"})):
            for headers, status in ((fields, 204), ({}, 401)):
                response = client.get(path, headers={**by_nginx(), **headers}, environ_overrides={"REMOTE_ADDR": peer})
                assert response.status_code == status


def test_an_app_below_a_prefix(make_app):
    asked = Asked(make_app)
    client = Client(DispatcherMiddleware(Flask("other"), {"/sso": asked.app}))
    overrides = {"REMOTE_ADDR": PROXY}
    assert client.get("/sso/auth", headers={**by_nginx(), **GOOD}, environ_overrides=overrides).status_code == 204
    response = client.get("/sso/auth", headers={**by_caddy("/sso/report"), **NAVIGATION}, environ_overrides=overrides)
    assert response.headers["Location"] == "https://shop.example/sso/login?next=/sso/report"
    # The app's next_url() follows paths of the app only, so other pages of the host are no way back.
    response = client.get("/sso/auth", headers={**by_caddy("/report"), **NAVIGATION}, environ_overrides=overrides)
    assert response.headers["Location"] == "https://shop.example/sso/login"


def test_an_app_that_matches_hosts(make_app):
    auth = Auth(Bearer({"good": Identity("ada")}.get))
    app = Flask("hosts", host_matching=True, static_host="localhost")
    auth.init_app(app)
    auth.forward_auth("/auth", proxies=[PROXY])
    client = app.test_client()
    for host in ("shop.example", "other.example:8080", "[2001:db8::1]"):
        response = client.get(
            "/auth", headers={**by_caddy(host=host), **GOOD}, environ_overrides={"REMOTE_ADDR": PROXY}
        )
        assert response.status_code == 204


def test_flask_lists_the_endpoint(make_app):
    asked = Asked(make_app)
    listed = asked.app.test_cli_runner().invoke(routes_command, [])
    assert listed.exit_code == 0
    assert "forward_auth:/auth" in listed.output


def test_other_paths_are_as_before(asked):
    seen = []

    @asked.app.get("/other")
    def other():
        seen.append((request.method, request.host, dict(request.args)))
        return "fine"

    response = asked({**by_nginx("/x?a=1", "DELETE"), "Host": "app.example"}, path="/other")
    assert (response.text, seen) == ("fine", [("GET", "app.example", {})])


@pytest.mark.parametrize(("answers", "status"), [("200", 403), ("302", 403), ("401", 401), ("204", 204)])
def test_a_middleware_that_is_a_generator_sends_no_octets_beyond_the_length(make_app, answers, status):
    """nginx would take them for the next response on this connection."""
    auth = Auth(Bearer({"good": Identity("ada")}.get))
    app = make_app(auth)
    inner, closed = app.wsgi_app, []

    def middleware(environ, start_response):
        try:
            yield from inner(environ, start_response)
        finally:
            closed.append(True)

    app.wsgi_app = middleware
    auth.forward_auth("/auth", proxies=[PROXY])
    if answers in ("200", "302"):
        app.before_request(lambda: ("HTTP/1.1 204 No Content", int(answers), {"Location": "/down"}))
    fields = {**by_nginx(), **(GOOD if answers == "204" else {})}
    environ = EnvironBuilder("/auth", headers=fields, environ_overrides={"REMOTE_ADDR": PROXY}).get_environ()
    body, line, headers = run_wsgi_app(app, environ)
    octets = b"".join(body)
    body.close()
    assert line.startswith(f"{status} ")
    assert len(octets) == int(headers.get("Content-Length", 0))
    assert closed == [True]


def test_a_request_past_the_layer_is_refused(make_app):
    auth = Auth(Bearer({"good": Identity("ada")}.get))
    app = make_app(auth)
    before = app.wsgi_app
    auth.forward_auth("/auth", proxies=[PROXY])
    app.wsgi_app = before
    response = app.test_client().get("/auth", headers={**by_nginx(), **GOOD}, environ_overrides={"REMOTE_ADDR": PROXY})
    assert response.status_code == 403


# --- mistakes


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (
            {"rule": 7},
            TypeError,
            'forward_auth takes the path of the endpoint, not 7: forward_auth("/auth", proxies=…)',
        ),
        (
            {"rule": "auth"},
            ConfigurationError,
            "forward_auth takes a fixed path without variables, not 'auth': write such as \"/auth\"",
        ),
        (
            {"rule": "/auth/<kind>"},
            ConfigurationError,
            "forward_auth takes a fixed path without variables, not '/auth/<kind>': write such as \"/auth\"",
        ),
        ({"proxies": "127.0.0.1"}, TypeError, "proxies='127.0.0.1' is a bare string: write [\"127.0.0.1\"]"),
        (
            {"proxies": []},
            ConfigurationError,
            'proxies is empty: name the addresses of your proxies, such as ["10.0.0.0/24"]',
        ),
        (
            {"scope": {"a"}},
            TypeError,
            'forward_auth() has no keyword scope: did you mean scopes? Write scopes={"read"}',
        ),
        (
            {"rule": "/taken"},
            ConfigurationError,
            "the app 'taken' has a route for '/taken' already: give forward_auth() another path",
        ),
    ],
)
def test_mistakes_are_explained(arguments, error, message):
    auth = Auth(Bearer({}.get))
    app = Flask("taken")
    app.add_url_rule("/taken", "taken", lambda: "")
    auth.init_app(app)
    given = {"rule": "/auth", "proxies": [PROXY], **arguments}
    with pytest.raises(error) as raised:
        auth.forward_auth(given.pop("rule"), **given)
    assert str(raised.value) == message


def test_a_path_is_added_once(make_app):
    auth = Auth(Bearer({}.get))
    auth.forward_auth("/auth", proxies=[PROXY])
    with pytest.raises(ConfigurationError) as raised:
        auth.forward_auth("/auth", proxies=[PROXY])
    assert str(raised.value) == "forward_auth('/auth') was called twice: give the second one another path"


def test_it_is_too_late_after_the_first_request(make_app):
    auth = Auth(Bearer({}.get))
    app = make_app(auth)
    app.test_client().get("/")
    with pytest.raises(ConfigurationError) as raised:
        auth.forward_auth("/auth", proxies=[PROXY])
    assert str(raised.value) == f"the app {app.name!r} has served a request: call forward_auth() before its first one"


def test_a_mistake_of_the_set_up_is_no_204(make_app):
    asked = Asked(
        make_app, SessionCookie({"ada": "ada"}.get, login_view="nowhere"), config={"PROPAGATE_EXCEPTIONS": False}
    )
    response = asked(by_nginx())
    assert (response.status_code, response.headers["X-Auth-Status"]) == (403, "500")

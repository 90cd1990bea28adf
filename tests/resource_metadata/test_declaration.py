"""Declaring a protected resource: what is refused, and when."""

import gc
import logging
from urllib.parse import unquote_to_bytes

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from flask_unauthorized import Auth, Bearer, ConfigurationError
from flask_unauthorized.resource_metadata.document import WELL_KNOWN
from tests.resource_metadata.served import (
    ISSUER,
    METADATA_PATH,
    METADATA_URL,
    ORIGIN,
    RESOURCE,
    TOKENS,
    app_with_resource,
    challenges,
    get_document,
)


@pytest.mark.rfc("M-01", "M-20")
@pytest.mark.parametrize(
    "resource",
    [
        "http://api.example.com/mcp", "http://127.0.0.1.example.com/", "ftp://127.0.0.1/", f"{RESOURCE}#f",
        f"{RESOURCE}#",
        "https:///mcp", "https://", "api.example.com/mcp", "/mcp", "", "https://ada@api.example.com/mcp",
        "https://ada:pw@api.example.com/mcp", "https://api.example.com:port/", "https://api.example.com:99999/",
        'https://api.example.com/"', "https://api.example.com/a b", "https://api.example.com/café",
        "https://api.example.com/%zz", "https://api.example.com/a\\b", "https://api.example.com/\r\nX: y",
        "https://api.example.com/a/../b", "https://api.example.com/./b", "https://api.example.com/%2E%2e/b",
        "https://[::1", f"{RESOURCE}?", "https:api.example.com/mcp", "https:/api.example.com/mcp", "urn:example:mcp",
    ],
)  # fmt: skip
def test_what_is_no_resource(make_app, resource):
    with pytest.raises(ConfigurationError, match=r"resource '.*' (is|has|must)"):
        Auth(Bearer(TOKENS)).protected_resource(resource)


@pytest.mark.rfc("M-01")
def test_a_query_is_warned_about(make_app, caplog):
    Auth(Bearer(TOKENS)).protected_resource(f"{RESOURCE}?x=1")
    assert [(one.levelno, "has a query" in one.getMessage()) for one in caplog.records] == [(logging.WARNING, True)]


@pytest.mark.parametrize("host", ["127.0.0.1:5000", "localhost", "[::1]:8000", "127.1.2.3"])
def test_http_is_good_for_a_demo_on_the_same_machine(make_app, host):
    assert Auth(Bearer(TOKENS)).protected_resource(f"http://{host}/mcp") == f"http://{host}{METADATA_PATH}"


@pytest.mark.rfc("M-10")
@pytest.mark.parametrize("issuer", [f"{ISSUER}?x", f"{ISSUER}#x", "http://as.example.com", "as.example.com", ""])
def test_what_is_no_issuer(make_app, issuer):
    with pytest.raises(ConfigurationError, match="authorization server"):
        app_with_resource(make_app, authorization_servers=[issuer])


@pytest.mark.parametrize(
    ("declared", "kind", "told"),
    [
        ({"authorization_servers": ISSUER}, TypeError, "collection"),
        ({"authorization_servers": [1]}, TypeError, "collection"),
        ({"scopes": "notes:read"}, TypeError, "collection"),
        ({"scopes": {"two words"}}, ConfigurationError, "scope token"),
        ({"scopes": {""}}, ConfigurationError, "scope token"),
        ({"name": 1}, TypeError, "name"),
        ({"name": ""}, TypeError, "name"),
        ({"name": {"": "x", "en us": "y"}}, ConfigurationError, "language"),
        ({"documentation": "docs"}, ConfigurationError, "documentation"),
        ({"documentation": "javascript:alert(1)"}, ConfigurationError, "documentation"),
        ({"jwks_uri": 1}, TypeError, "jwks_uri"),
        ({"signed_metadata": b"x"}, TypeError, "signed_metadata"),
        ({"signing_algorithms": "ES256"}, TypeError, "signing_algorithms"),
        ({"views": ()}, ConfigurationError, "^views is empty, so no view would belong to the resource: "),
        ({"views": "mcp"}, TypeError, "views"),
        ({"views": [None]}, TypeError, "views"),
        ({"origins": "https://a.example"}, TypeError, "origins"),
        ({"origins": ["https://a.example/"]}, ConfigurationError, "origin"),
        ({"origins": ["null"]}, ConfigurationError, "origin"),
        ({"resource_name": "x"}, TypeError, "no keyword resource_name"),
    ],
)
def test_what_cannot_be_meant(make_app, declared, kind, told):
    with pytest.raises(kind, match=told):
        app_with_resource(make_app, **declared)


def test_a_resource_that_is_no_str():
    with pytest.raises(TypeError, match="resource must be a str"):
        Auth(Bearer(TOKENS)).protected_resource(b"https://api.example.com")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "again", [RESOURCE, "HTTPS://api.example.com:443/mcp", "https://API.example.com/mcp", f"{ORIGIN}/%6dcp"]
)
def test_a_resource_is_declared_once(make_app, again):
    auth, _ = app_with_resource(make_app)
    with pytest.raises(ConfigurationError, match="declared already"):
        auth.protected_resource(again)
    assert repr(auth._resources.declared) == f"(<ProtectedResource {RESOURCE}>,)"


def test_a_host_with_and_without_a_slash_have_one_place(make_app):
    auth = Auth(Bearer(TOKENS))
    auth.protected_resource(ORIGIN)
    with pytest.raises(ConfigurationError, match="at the same place"):
        auth.protected_resource(f"{ORIGIN}/")


_LETTERS = st.text("aZ0-._~:@!$&'()*+,;=/", max_size=12) | st.sampled_from(["%20", "%C3%A9", "%3C", "%2f", "%00", "//"])


@pytest.mark.rfc("M-02", "M-07")
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(path=st.lists(_LETTERS, max_size=3).map("".join), query=st.none() | _LETTERS.filter(bool))
def test_any_identifier_has_its_document_where_its_url_says(make_app, path, query):
    resource = f"{ORIGIN}/{path}" + ("" if query is None else f"?{query}")
    assume(not {".", ".."} & set(path.split("/")))
    auth = Auth(Bearer(TOKENS))
    app = make_app(auth)
    app.add_url_rule("/", "view", auth.login_required(lambda: ""))
    url = auth.protected_resource(resource, views=app)
    assert url.replace(WELL_KNOWN, "", 1) in (resource, resource.replace("/?", "?", 1), resource.removesuffix("/"))
    target = url.removeprefix(ORIGIN)
    environ = {  # as a server makes it
        "PATH_INFO": unquote_to_bytes(target.partition("?")[0]).decode("latin-1"),
        "QUERY_STRING": target.partition("?")[2],
    }
    found = app.test_client().get(WELL_KNOWN, environ_overrides=environ)
    assert (found.status_code, found.json["resource"]) == (200, resource)


def test_after_the_first_request_it_is_too_late(make_app):
    auth, app = app_with_resource(make_app)
    app.test_client().get("/mcp")
    with pytest.raises(ConfigurationError, match="has served a request"):
        auth.protected_resource(f"{ORIGIN}/other")


def test_a_document_that_was_asked_for_first_doesn_t_end_the_set_up(make_app):
    auth, app = app_with_resource(make_app)
    assert get_document(app)["scopes_supported"] == ["notes:read"]
    app.add_url_rule("/mcp/more", "more", auth.login_required(scopes={"more"})(lambda: ""))
    auth.protected_resource(f"{ORIGIN}/other")
    assert get_document(app, f"{WELL_KNOWN}/other")["resource"] == f"{ORIGIN}/other"
    assert app.test_client().get("/mcp/more").status_code == 401
    assert get_document(app)["scopes_supported"] == ["more", "notes:read"]


@pytest.mark.rfc("MC-11")
def test_offline_access_is_no_matter_of_a_resource(make_app):
    with pytest.raises(ConfigurationError, match="offline_access"):
        app_with_resource(make_app, scopes=["offline_access"])
    auth, app = app_with_resource(make_app, demands={"scopes": {"offline_access"}})
    with pytest.raises(ConfigurationError, match="offline_access"):
        auth.check(app)


@pytest.mark.parametrize("when", ["before", "after"])
def test_it_may_be_declared_before_and_after_init_app(make_app, when):
    auth = Auth(Bearer(TOKENS))
    if when == "before":
        auth.protected_resource(RESOURCE)
    app = make_app(auth)
    if when == "after":
        auth.protected_resource(RESOURCE)
    app.add_url_rule("/mcp", "mcp", auth.login_required(lambda: ""))
    assert get_document(app)["resource"] == RESOURCE
    assert challenges(app.test_client().get("/mcp"))["bearer"]["resource_metadata"] == METADATA_URL


def test_one_auth_serves_several_apps(make_app):
    auth = Auth(Bearer(TOKENS))
    auth.protected_resource(f"{ORIGIN}/a")
    first, second = make_app(auth), make_app(auth)
    auth.protected_resource(f"{ORIGIN}/b")
    first.add_url_rule("/a", "a", auth.login_required(scopes={"of:a"})(lambda: ""))
    second.add_url_rule("/b", "b", auth.login_required(scopes={"of:b"})(lambda: ""))
    for app in (first, second):
        assert get_document(app, f"{WELL_KNOWN}/a")["scopes_supported"] == ["of:a"]
        assert get_document(app, f"{WELL_KNOWN}/b")["scopes_supported"] == ["of:b"]
    assert challenges(second.test_client().get("/b"))["bearer"]["resource_metadata"] == f"{ORIGIN}{WELL_KNOWN}/b"
    del first, app
    gc.collect()


@pytest.mark.rfc("H-39")
@pytest.mark.parametrize(
    "members",
    [
        {"resource": "https://user:pw@api.example/notes"},
        {"resource": "https://api.example/notes", "authorization_servers": ["https://user:pw@id.example"]},
    ],
    ids=["resource", "authorization_servers"],
)
def test_no_user_or_password_in_a_document_of_ours(auth, members):
    with pytest.raises((ValueError, ConfigurationError)):
        auth.protected_resource(**members)

"""The path of a request as its client sent it (RFC 9112 §3.2), with which the URI of a proof is compared."""

import pytest
from flask import Request

from flask_unauthorized import DPoP, Identity
from flask_unauthorized.schemes.request_target import raw_path
from tests.dpop_client import ORIGIN, Holder
from tests.helpers import app_with_schemes

from .dpop_served import HOLDER


@pytest.mark.parametrize(
    ("target", "path"),
    [
        ("/p", "/p"),
        ("/p?a=1", "/p"),
        ("/p?a?b", "/p"),
        ("/p#f", "/p"),
        ("/p#f?x", "/p"),
        ("/p?x#f", "/p"),
        ("https://api.example.com/p", "/p"),
        ("HTTP://API.example.com:80/p?x", "/p"),
        ("https://api.example.com", "/"),
        ("https://api.example.com?x", "/"),
        ("p", "/p"),
        ("*", "/*"),
        ("//p", "//p"),
        ("/go/https://b.example/p", "/go/https://b.example/p"),
        ("https://a.example/go/https://b.example/p", "/go/https://b.example/p"),
        ("/p?to=https://b.example/q", "/p"),
        ("/%7E%2f%c3", "/%7E%2f%c3"),
        ("/a\tb", "/a%09b"),
        ("/a%20\x7f\xc3\xa4", "/a%20%7F%C3%A4"),
        ("/:@!$&'()*+,;=~\t", "/:@!$&'()*+,;=~%09"),
    ],
)
def test_the_path_is_as_it_was_sent(target, path):
    assert raw_path(Request({"RAW_URI": target})) == path
    assert raw_path(Request({"REQUEST_URI": target, "PATH_INFO": "/other", "SCRIPT_NAME": "/v1"})) == path


@pytest.mark.parametrize(
    ("environ", "path"),
    [
        ({"PATH_INFO": "/p"}, "/p"),
        ({"SCRIPT_NAME": "/v1", "PATH_INFO": "/p"}, "/v1/p"),
        ({"SCRIPT_NAME": "/v1"}, "/v1"),
        ({"SCRIPT_NAME": "/v1", "PATH_INFO": ""}, "/v1"),
        ({}, ""),
        ({"PATH_INFO": "/a b%\xc3\xa4"}, "/a%20b%25%C3%A4"),
        ({"PATH_INFO": "/:@!$&'()*+,;=~"}, "/:@!$&'()*+,;=~"),
        ({"RAW_URI": "", "REQUEST_URI": "/q", "PATH_INFO": "/p"}, "/q"),
        ({"RAW_URI": "/q", "REQUEST_URI": "/r", "PATH_INFO": "/p"}, "/q"),
    ],
)
def test_servers_that_do_not_pass_on_the_target_or_omit_empty_values(environ, path):
    """PEP 3333: what would be an empty string may be omitted."""
    assert raw_path(Request(environ)) == path


@pytest.mark.rfc("P-12")
def test_a_url_within_the_path_is_part_of_it(dpop):
    target = "/go/https://b.example/x"
    environ = {"RAW_URI": target, "REQUEST_URI": target, "PATH_INFO": target}
    for path, status in ((target, 200), ("/go//x", 401), ("/x", 401)):
        sent = HOLDER.sent(htu=ORIGIN + path)
        assert dpop.app.test_client().get("/", headers=sent, environ_overrides=environ).status_code == status


@pytest.mark.parametrize("target", ["/files/../notes", "/files/%2e%2e/notes", "/notes/.", "/./notes", "/a/%2E/notes"])
def test_dpo_09_a_target_that_clients_write_in_another_way_is_refused(make_app, target):
    holder = Holder("EdDSA")
    tokens = {"t": Identity("ada", confirmation={"jkt": holder.jkt})}
    app = app_with_schemes(make_app, DPoP(tokens.get, origin="https://api.example.com"))
    app.add_url_rule("/<path:rest>", "rest", app.auth.login_required(lambda rest: "ran"))
    headers = holder.sent(token="t", path="/notes")
    sent_as = {"RAW_URI": target}
    assert app.test_client().get("/x", headers=headers, environ_overrides=sent_as).status_code == 401
    good = holder.sent(token="t", path="/notes..")
    assert app.test_client().get("/x", headers=good, environ_overrides={"RAW_URI": "/notes.."}).status_code == 200

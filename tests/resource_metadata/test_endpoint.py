"""Serving the metadata document: to whom, and below which prefix."""

import json

import pytest
from flask import Flask, abort, redirect
from flask.cli import ScriptInfo
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.test import Client, EnvironBuilder

from flask_unauthorized import Auth, Bearer
from flask_unauthorized.cli import commands
from flask_unauthorized.resource_metadata.document import WELL_KNOWN
from tests.helpers import bearer_header
from tests.resource_metadata.served import (
    ISSUER,
    METADATA_PATH,
    ORIGIN,
    RESOURCE,
    TOKENS,
    app_with_resource,
    challenges,
    get_document,
)


def lock_by_require(auth, app):
    app.before_request(lambda: auth.require() and None)


def lock_by_decorator(auth, app):
    app.before_request(auth.login_required(lambda: None))


def lock_by_abort(auth, app):
    app.before_request(lambda: abort(401))


def lock_by_redirect(auth, app):
    app.before_request(lambda: redirect("/login"))


def lock_by_protect(auth, app):
    auth.protect(app)


@pytest.mark.rfc("M-22")
@pytest.mark.parametrize("lock", [lock_by_require, lock_by_decorator, lock_by_abort, lock_by_redirect, lock_by_protect])
def test_the_document_is_public_whatever_hooks_the_app_has(make_app, lock):
    auth, app = app_with_resource(make_app, config={"UNAUTHORIZED_REQUIRE_HTTPS": True})
    lock(auth, app)
    response = app.test_client().get(
        METADATA_PATH, headers={"Origin": "https://evil.example", **bearer_header("nonsense")}
    )
    assert (response.status_code, response.json["resource"]) == (200, RESOURCE)
    assert response.headers.getlist("Access-Control-Allow-Origin") == ["*"]
    assert "Set-Cookie" not in response.headers


def test_the_length_is_that_of_the_document_for_head_too(make_app):
    _, app = app_with_resource(make_app)
    found = app.test_client().get(METADATA_PATH)
    for method in ("GET", "HEAD"):
        started = {}
        environ = EnvironBuilder(method=method, path=METADATA_PATH).get_environ()
        app.wsgi_app(environ, lambda status, headers, started=started: started.update(headers))
        assert started["Content-Length"] == str(len(found.data))


def test_a_document_is_found_with_and_without_the_slash_at_the_end(make_app):
    auth = Auth(Bearer(TOKENS))
    app = make_app(auth)
    auth.protected_resource(f"{ORIGIN}/mcp/", authorization_servers=[ISSUER])
    app.add_url_rule("/mcp/tools", "tools", auth.login_required(lambda: "inside"))
    for path in (METADATA_PATH, f"{METADATA_PATH}/"):
        assert get_document(app, path)["resource"] == f"{ORIGIN}/mcp/"


@pytest.mark.rfc("M-22")
def test_pages_of_other_sites_may_read_it(make_app):
    """MCP clients in browsers send MCP-Protocol-Version along, so they ask before. An app's own CORS adds nothing."""
    _, app = app_with_resource(make_app)

    @app.after_request
    def cors(response):
        response.headers.add("Access-Control-Allow-Origin", "https://inspector.example")
        return response

    asked = {
        "Origin": "https://inspector.example",
        "Access-Control-Request-Method": "GET",
        "Access-Control-Request-Headers": "mcp-protocol-version",
    }
    preflight = app.test_client().options(METADATA_PATH, headers=asked)
    assert preflight.status_code == 200
    assert preflight.headers.getlist("Access-Control-Allow-Origin") == ["*"]
    assert preflight.headers["Access-Control-Allow-Headers"] == "*"
    assert "GET" in preflight.headers["Access-Control-Allow-Methods"]
    got = app.test_client().get(METADATA_PATH, headers={"Origin": "https://inspector.example"})
    assert got.headers.getlist("Access-Control-Allow-Origin") == ["*"]
    refused = app.test_client().get("/mcp", headers={"Origin": "https://inspector.example"})
    assert "WWW-Authenticate" in refused.headers["Access-Control-Expose-Headers"]


@pytest.mark.parametrize("declared", [{}, {"views": "app"}])
def test_an_app_below_a_prefix(make_app, declared):
    """The well-known URL lies outside of the mount, so the app is mounted there too."""
    auth = Auth(Bearer(TOKENS))
    app = make_app(auth, **({} if declared else {"APPLICATION_ROOT": "/api"}))
    auth.protected_resource(f"{ORIGIN}/api/mcp", **({"views": app} if declared else {}))
    app.add_url_rule("/mcp", "mcp", auth.login_required(lambda: "inside"))
    site = Client(DispatcherMiddleware(Flask("root"), {"/api": app, WELL_KNOWN: app}))
    found = site.get(f"{WELL_KNOWN}/api/mcp")
    assert (found.status_code, found.json["resource"]) == (200, f"{ORIGIN}/api/mcp")
    refused = site.get("/api/mcp")
    assert challenges(refused)["bearer"]["resource_metadata"] == f"{ORIGIN}{WELL_KNOWN}/api/mcp"
    assert site.get("/api/mcp", headers=bearer_header("read")).text == "inside"
    for path in (f"{WELL_KNOWN}/mcp", f"{WELL_KNOWN}/api/other"):
        assert site.get(path, headers=bearer_header("read")).status_code == 404  # the views don't lie there


@pytest.mark.rfc("M-20", "M-23")
def test_behind_a_proxy_that_cuts_the_prefix_off_and_speaks_plain_http(make_app):
    auth = Auth(Bearer(TOKENS))
    app = make_app(auth, APPLICATION_ROOT="/api")
    auth.protected_resource(f"{ORIGIN}/api/mcp")
    app.add_url_rule("/mcp", "mcp", auth.login_required(lambda: "inside"))
    app.wsgi_app = ProxyFix(app.wsgi_app, x_prefix=1, x_host=1, x_proto=1)
    proxy = {"X-Forwarded-Prefix": "/api", "X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "http"}
    assert get_document(app, f"{WELL_KNOWN}/api/mcp", headers=proxy)["resource"] == f"{ORIGIN}/api/mcp"
    refused = app.test_client().get("/mcp", headers=proxy)
    assert challenges(refused)["bearer"]["resource_metadata"] == (
        "https://api.example.com/.well-known/oauth-protected-resource/api/mcp"
    )


def test_a_resource_above_the_prefix_has_all_views(make_app):
    auth = Auth(Bearer(TOKENS))
    app = make_app(auth, APPLICATION_ROOT="/api/")
    auth.protected_resource(ORIGIN)
    app.add_url_rule("/mcp", "mcp", auth.login_required(lambda: ""))
    assert challenges(app.test_client().get("/mcp"))["bearer"]["resource_metadata"] == f"{ORIGIN}{WELL_KNOWN}"


def test_the_command_prints_what_a_server_in_front_may_serve(make_app):
    auth, app = app_with_resource(make_app)
    auth.protected_resource(f"{ORIGIN}/other")

    def printed(app, *arguments):
        runner = app.test_cli_runner()
        done = runner.invoke(commands, ["resource-metadata", *arguments], obj=ScriptInfo(create_app=lambda: app))
        return done.exit_code, done.output

    code, text = printed(app, RESOURCE)
    assert (code, json.loads(text)) == (0, get_document(app))
    for arguments in ((), (f"{ORIGIN}/unknown",)):
        code, text = printed(app, *arguments)
        assert (code, f"{ORIGIN}/other" in text) == (2, True)
    _, alone = app_with_resource(make_app)
    code, text = printed(alone)
    assert (code, json.loads(text)["resource"]) == (0, RESOURCE)
    code, text = printed(make_app(Auth(Bearer(TOKENS))))
    assert (code, "declares none" in text) == (2, True)

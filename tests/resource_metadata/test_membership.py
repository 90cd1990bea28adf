"""Which views belong to a resource."""

import pytest
from flask import Blueprint, Flask

from flask_unauthorized import Auth, Bearer, ConfigurationError
from tests.resource_metadata.served import METADATA_PATH, METADATA_URL, ORIGIN, TOKENS, app_with_resource, challenges


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


def test_a_blueprint_belongs_to_one_resource(make_app):
    auth = Auth(Bearer(TOKENS))
    blueprint = Blueprint("api", "api")
    auth.protected_resource(f"{ORIGIN}/a", views=blueprint)
    with pytest.raises(ConfigurationError, match="belongs to"):
        auth.protected_resource(f"{ORIGIN}/b", views=[blueprint])


def test_a_blueprint_that_is_registered_nowhere_has_no_views(make_app):
    auth, app = app_with_resource(make_app, views=Blueprint("unused", "unused"))
    with pytest.raises(ConfigurationError, match=r"views=\(.*unused.*\) has none"):
        auth.check(app)


@pytest.mark.parametrize("views", [lambda: "view", 5, ["notes"], "notes"])
def test_views_that_are_no_apps_or_blueprints_are_named(views):
    auth = Auth(Bearer(lambda token: None))
    with pytest.raises(TypeError, match=r"views must be an app, a blueprint or a collection of them, not .*blueprint"):
        auth.protected_resource("https://api.example/", views=views)


def test_a_resource_without_views_is_a_mistake(make_app):
    auth, app = app_with_resource(make_app, resource=f"{ORIGIN}/api/mcp")
    with pytest.raises(ConfigurationError, match="APPLICATION_ROOT"):
        auth.check(app)
    assert app.test_client().get(METADATA_PATH.replace("mcp", "api/mcp")).status_code == 404
    for path in ("/mcp", "/other"):
        with pytest.raises(ConfigurationError, match="APPLICATION_ROOT"):
            app.test_client().get(path)


def test_an_endpoint_in_two_resources_is_a_mistake(make_app):
    auth, app = app_with_resource(make_app)
    app.add_url_rule("/mcp/old", "two")
    app.add_url_rule("/elsewhere", "two", auth.login_required(lambda: ""))
    with pytest.raises(ConfigurationError, match=r"'two' belongs to https://api.example.com/mcp and no resource"):
        auth.check(app)


def test_a_rule_that_reaches_into_a_resource_with_its_second_variable_is_a_mistake(make_app):
    auth, app = app_with_resource(make_app, resource=f"{ORIGIN}/mcpx")
    app.add_url_rule("/mcpx", "root", auth.login_required(lambda: ""))
    app.add_url_rule("/m<name>p<path:rest>", "wide", auth.login_required(lambda name, rest: f"{name} {rest}"))
    assert app.url_map.bind("").match("/mcpx/tools") == ("wide", {"name": "c", "rest": "x/tools"})
    with pytest.raises(ConfigurationError, match=r"'wide' matches below 'https://api.example.com/mcpx'"):
        auth.check(app)


def test_a_view_for_hosts_with_a_variable_may_belong_to_any_resource():
    auth = Auth(Bearer(TOKENS), realm="notes")
    app = Flask("hosts", host_matching=True, static_folder=None)
    auth.init_app(app)
    auth.protected_resource(f"{ORIGIN}/mcp", authorization_servers=["https://as.example.com"])
    guard = auth.login_required
    app.add_url_rule("/mcp", "mcp", guard(lambda tenant: "inside"), host="<tenant>.example.com")
    app.add_url_rule("/mcp", "other", guard(lambda: "outside"), host="api.example.org")
    client = app.test_client()
    inside = client.get("/mcp", base_url=ORIGIN)
    assert challenges(inside)["bearer"]["resource_metadata"] == METADATA_URL
    outside = client.get("/mcp", base_url="https://api.example.org")
    assert "resource_metadata" not in challenges(outside)["bearer"]

"""Which views belong to a resource."""

import pytest

from flask_unauthorized import Auth, Bearer, ConfigurationError


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

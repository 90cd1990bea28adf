"""``flask unauthorized openapi``: a document of the app's own."""

import json
from pathlib import Path

import pytest
from flask import Flask
from flask.cli import ScriptInfo
from werkzeug.routing import BaseConverter

from flask_unauthorized import Auth, Bearer
from flask_unauthorized.cli import commands
from flask_unauthorized.openapi.own import make_document
from flask_unauthorized.runtime.app_state import app_state_of


def load(token):
    return None


def run(app, *arguments):
    make = app if callable(app) and not isinstance(app, Flask) else lambda: app
    return Flask("runner").test_cli_runner().invoke(commands, ["openapi", *arguments], obj=ScriptInfo(create_app=make))


@pytest.mark.parametrize(
    ("variable", "schema"),
    [
        ("<a>", {"type": "string", "minLength": 1, "pattern": "^[^/]+$"}),
        ("<string:a>", {"type": "string", "minLength": 1, "pattern": "^[^/]+$"}),
        ("<string(length=2):a>", {"type": "string", "minLength": 2, "maxLength": 2, "pattern": "^[^/]+$"}),
        (
            "<string(minlength=2, maxlength=3):a>",
            {"type": "string", "minLength": 2, "maxLength": 3, "pattern": "^[^/]+$"},
        ),
        ("<int:a>", {"type": "integer", "minimum": 0}),
        ("<int(min=1, max=9):a>", {"type": "integer", "minimum": 1, "maximum": 9}),
        ("<int(signed=True):a>", {"type": "integer"}),
        ("<float:a>", {"type": "number", "minimum": 0}),
        ("<uuid:a>", {"type": "string", "format": "uuid"}),
        ("<any(x, 'y:z'):a>", {"type": "string", "enum": ["x", "y:z"]}),
        ("<path:a>", {"type": "string"}),
        ("<own:a>", {"type": "string"}),
    ],
)
def test_parameters_follow_from_converters(site, variable, schema):
    app, auth = site(Bearer(load), views={})

    class Own(BaseConverter):
        pass

    app.url_map.converters["own"] = Own
    app.add_url_rule(f"/x/{variable}", "x", auth.login_required(lambda a: "in"))
    state = app_state_of(app)
    assert make_document(state)["paths"]["/x/{a}"]["parameters"] == [
        {"name": "a", "in": "path", "required": True, "schema": schema}
    ]
    assert make_document(state, "2.0")["paths"]["/x/{a}"]["parameters"] == [
        {"name": "a", "in": "path", "required": True, **schema}
    ]


def test_rules_of_one_form_are_one_path(site):
    """OpenAPI 3.1 §4.8.8.2: paths that differ only in the names of parameters are identical."""
    app, _ = site(Bearer(load), views={"GET /a/<int:id>": {}, "POST /a/<name>": {}, "GET /b": None})
    document = make_document(app_state_of(app))
    assert [*document["paths"]] == ["/a/{id}", "/b"]
    assert [*document["paths"]["/a/{id}"]] == ["parameters", "get", "post"]
    for method in ("get", "post"):
        assert document["paths"]["/a/{id}"][method]["security"] == [{"Bearer": []}]
    assert "security" not in document["paths"]["/b"]["get"]


def test_rules_without_a_view_are_left_out(site):
    app, _ = site(Bearer(load), views={"GET /a": {}, "QUERY /q": {}, "COPY /c": {}})
    app.add_url_rule("/built", "built", build_only=True)
    app.add_url_rule("/old", redirect_to="/a", endpoint="old")
    assert [*make_document(app_state_of(app))["paths"]] == ["/a"]
    assert [*make_document(app_state_of(app), "3.2")["paths"]] == ["/a", "/q"]


def test_the_root_of_the_app_stands_before_the_paths(site):
    app, _ = site(Bearer(load), views={"GET /a": {}}, APPLICATION_ROOT="/shop")
    state = app_state_of(app)
    assert make_document(state)["servers"] == [{"url": "/shop"}]
    assert make_document(state, "2.0")["basePath"] == "/shop"
    assert make_document(state)["paths"]["/a"]["get"]["security"] == [{"Bearer": []}]


@pytest.mark.parametrize(
    ("arguments", "head", "title"),
    [
        ([], {"openapi": "3.1.1"}, "shop"),
        (["--version", "2.0", "--title", "Our shop"], {"swagger": "2.0"}, "Our shop"),
        (["--version", "3.0"], {"openapi": "3.0.4"}, "shop"),
        (["--version", "3.2"], {"openapi": "3.2.0"}, "shop"),
    ],
)
def test_the_command_prints_json(site, arguments, head, title):
    app, _ = site(Bearer(load), views={"GET /a": {}})
    done = run(app, *arguments)
    assert done.exit_code == 0
    document = json.loads(done.stdout)
    assert head.items() <= document.items()
    assert document["info"] == {"title": title, "version": "1"}
    assert document["paths"]["/a"]["get"]["security"] == [{"Bearer": []}]


def broken():
    raise RuntimeError("no database")


def without_auth():
    return Flask("plain")


def with_a_mistake():
    app = Flask("shop")
    auth = Auth(Bearer(load), app=app)
    app.config["UNAUTHORIZED_REALM"] = "new\nline"
    app.add_url_rule("/a", "a", auth.login_required(lambda: "in"))
    return app


@pytest.mark.parametrize(
    ("make", "says"),
    [(broken, "RuntimeError: no database"), (without_auth, "no Auth"), (with_a_mistake, "cannot be sent safely")],
)
def test_an_app_that_cannot_be_read_is_exit_status_2(make, says):
    done = run(make)
    assert (done.exit_code, done.stdout) == (2, "")
    assert says in done.stderr


def test_an_unknown_version_is_exit_status_2(site):
    app, _ = site(Bearer(load), views={})
    done = run(app, "--version", "1.2")
    assert done.exit_code == 2
    assert "'1.2' is not one of '2.0', '3.0', '3.1', '3.2'" in done.stderr


def test_no_file_of_the_app_stands_in_the_document(site):
    app, _ = site(Bearer(load), views={"GET /a": {}})
    text = run(app).stdout
    assert Path(__file__).name not in text
    assert str(Path(__file__).parent) not in text

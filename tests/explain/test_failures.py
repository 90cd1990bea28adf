"""``flask unauthorized explain``: code of the app that fails, paths without a sample, and terminals."""

import pytest
from flask import Flask, has_app_context
from flask.cli import ScriptInfo
from werkzeug.routing import BaseConverter

from flask_unauthorized import Auth, Bearer
from flask_unauthorized.cli import commands

from .test_command import document, make_app, refuse


class Failing(BaseConverter):
    def to_python(self, value):
        raise LookupError("postgres://user:password@db")


class Unbuilt(BaseConverter):
    def to_url(self, value):
        raise LookupError("postgres://user:password@db")


@pytest.mark.parametrize(
    ("converter", "path", "status"),
    [(Failing, "/x/<own:id>", 1), (Failing, "/x/1", 2), (Unbuilt, "/x/<own:id>", 2), (Unbuilt, "/x/1", 0)],
)
def test_a_converter_that_raises(explain, converter, path, status):
    app = Flask("shop", static_folder=None)
    app.url_map.converters["own"] = converter
    app.add_url_rule("/x/<own:id>", "x", Auth(Bearer(refuse), app=app).login_required(refuse))
    code, output = explain(app, "GET", path)
    assert code == status
    assert "password" not in output
    assert "Traceback" not in output
    assert not has_app_context()  # of a request whose converter raised


@pytest.mark.parametrize("error", [LookupError("postgres://user:password@db"), SystemExit(0)])
@pytest.mark.parametrize("place", ["before_request", "teardown_request"])
def test_code_that_ends_the_process_or_fails_late(explain, error, place):
    app = make_app(PROPAGATE_EXCEPTIONS=True)

    def fail(*_):
        raise error

    getattr(app, place)(fail)
    code, output = explain(app, "GET", "/notes")
    assert code == 2
    assert f"code of the app raised {type(error).__name__}" in output
    assert "password" not in output


def test_an_app_that_exits_when_it_is_loaded_is_2(explain):
    def create_app():
        raise SystemExit(0)

    code, output = explain(create_app, "GET", "/notes")
    assert code == 2
    assert "the app can't be loaded: SystemExit" in output


def test_a_path_that_is_no_unicode_is_2(explain):
    assert explain(make_app(), "GET", "/\udcff")[0] == 2


def test_a_value_that_another_rule_has_as_default_is_not_sampled(explain):
    """Werkzeug redirects ``/notes/page/1`` to ``/notes/`` (``Map.redirect_defaults``)."""
    app = make_app(rule="/notes/page/<int:page>")
    app.add_url_rule("/notes/", "notes", app.view_functions["notes"], defaults={"page": 1})
    found = document(explain, app, "GET", "/notes/page/<int:page>")
    assert (found["path"], found["cases"][0]["status"]) == ("/notes/page/10", 401)
    assert document(explain, app, "GET", "/notes/")["cases"][0]["status"] == 401


# --- the terminal


@pytest.mark.parametrize("command", [["explain", "GET", "/ключ"], ["explain", "--raw", "GET", "/ключ"], ["audit"]])
@pytest.mark.parametrize("charset", ["cp1252", "ascii", "utf-8"])
def test_an_output_that_cannot_encode_a_character(command, charset):
    """Python writes to a pipe on Windows as cp1252, which has no arrow."""
    app = make_app(rule="/ключ")
    done = (
        Flask("runner")
        .test_cli_runner(charset=charset)
        .invoke(commands, command, obj=ScriptInfo(create_app=lambda: app))
    )
    assert done.exception is None, done.exception
    assert done.exit_code == 0
    assert ("ключ" in done.stdout) is (charset == "utf-8" and "--raw" not in command)


def test_a_path_that_only_a_subdomain_or_a_host_has(explain):
    with_subdomains = Flask("shop", static_folder=None, subdomain_matching=True)
    with_subdomains.config["SERVER_NAME"] = "shop.example"
    with_hosts = Flask("shop", static_folder=None, host_matching=True)
    for app, place in ((with_subdomains, {"subdomain": "api"}), (with_hosts, {"host": "api.example"})):
        auth = Auth(Bearer(refuse), app=app)
        app.add_url_rule("/notes", "notes", auth.login_required(refuse), **place)
        assert document(explain, app, "GET", "/notes?a=1")["cases"][0]["status"] == 401
        assert explain(app, "GET", "/nowhere")[0] == 1

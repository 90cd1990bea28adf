"""``flask unauthorized audit --openapi FILE``: where a document and the app disagree."""

import json
import sys
from typing import Any

import pytest
from flask import Flask
from flask.cli import ScriptInfo

from flask_unauthorized import APIKey, Auth, Bearer, ConfigurationError, any_of
from flask_unauthorized.audit.documented import compare, read_document
from flask_unauthorized.cli import commands
from flask_unauthorized.load_app import Unreadable
from flask_unauthorized.runtime.app_state import app_state_of

BEARER = {"type": "http", "scheme": "bearer"}
KEY = {"type": "apiKey", "in": "header", "name": "x-api-key"}
OPENID = {"type": "openIdConnect", "openIdConnectUrl": "https://id.example/"}


def load(token):
    return None


def make_site(guard: Any, *, rule: str = "/a", **config: Any) -> Flask:
    app = Flask("shop", static_folder=None)
    app.config.update(config)
    bearer, key = Bearer(load), APIKey(load)
    auth: Auth[Any] = Auth(bearer, key, app=app)

    def view(**arguments: Any) -> str:
        return "in"

    decorators = {
        "open": lambda: view,
        "public": lambda: auth.public(reason="a price list")(view),
        "optional": lambda: auth.login_optional(via=bearer)(view),
        "guarded": lambda: auth.login_required(via=bearer)(view),
        "both": lambda: auth.login_required(view),
        "scope": lambda: auth.login_required(via=bearer, scopes={"a"})(view),
        "either": lambda: auth.login_required(via=bearer, scopes=any_of("a", "b"))(view),
        "scope and role": lambda: auth.login_required(via=bearer, scopes={"a"}, roles={"x"})(view),
        "conditional": lambda: auth.login_required(via=bearer, unless=lambda: False)(view),
    }
    app.add_url_rule(rule, "a", decorators[guard]())
    return app


def document_of(security: Any = None, *, path: str = "/a", schemes: Any = None, **members: Any) -> dict[str, Any]:
    operation: dict[str, Any] = {"responses": {"200": {"description": "in"}}}
    if security is not None:
        operation["security"] = security
    declared = {"token": BEARER, "key": KEY, "id": OPENID} if schemes is None else schemes
    return {
        "openapi": "3.1.0",
        "info": {"title": "Shop", "version": "1"},
        "paths": {path: {"get": operation}},
        "components": {"securitySchemes": declared},
        **members,
    }


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Audit an app with a document: the exit status and the output."""
    monkeypatch.chdir(tmp_path)

    def invoke(app: Flask, document: Any, *arguments: str, name: str = "openapi.json") -> tuple[int, str]:
        text = document if isinstance(document, str) else json.dumps(document)
        (tmp_path / name).write_text(text, encoding="utf-8")
        done = (
            Flask("runner")
            .test_cli_runner()
            .invoke(commands, ["audit", "--openapi", name, *arguments], obj=ScriptInfo(create_app=lambda: app))
        )
        return done.exit_code, done.output

    return invoke


def found_by(run, guard, document, **options):
    _, output = run(make_site(guard, **options), document, "--json")
    return [one for one in json.loads(output)["findings"] if int(one["id"][1:]) >= 13]


@pytest.mark.parametrize(
    ("guard", "security"),
    [
        ("guarded", [{"token": []}]),
        ("guarded", [{"id": []}]),
        ("both", [{"token": []}, {"key": []}]),
        ("both", [{"id": []}, {"key": []}, {"token": []}]),
        ("public", []),
        ("public", None),
        ("public", [{}]),
        ("open", []),
        ("optional", [{"token": []}, {}]),
        ("conditional", [{"token": []}, {}]),
        ("optional", []),
        ("scope", [{"token": ["a"]}]),
        ("scope", [{"id": ["a"]}]),
        ("either", [{"id": ["a"]}, {"id": ["b"]}]),
        ("scope and role", [{"token": ["a", "x"]}]),
        ("scope and role", [{"id": ["a"]}]),
    ],
)
def test_a_document_that_agrees(run, guard, security):
    assert found_by(run, guard, document_of(security)) == []


@pytest.mark.parametrize(
    ("guard", "security", "rule", "level", "says"),
    [
        ("guarded", None, "A13", "error", "it is open, and the app demands credentials"),
        ("guarded", [], "A13", "error", "it is open"),
        ("guarded", [{}], "A13", "error", "it is open"),
        ("guarded", [{"token": []}, {}], "A13", "error", "open for anonymous callers as well"),
        ("open", [{"token": []}], "A14", "error", "the document demands credentials, and the app demands none"),
        ("public", [{"token": []}], "A14", "error", "the app demands none"),
        ("optional", [{"token": []}], "A14", "error", "the app admits anonymous callers"),
        ("conditional", [{"token": []}], "A14", "error", "the app admits anonymous callers"),
        ("guarded", [{"key": []}], "A15", "error", "the app doesn't accept key of the document here"),
        ("guarded", [{"token": []}, {"key": []}], "A15", "error", "doesn't accept key"),
        ("both", [{"token": []}], "A15", "error", "accepts the header x-api-key as well"),
        ("both", [{"key": []}], "A15", "error", "accepts bearer in Authorization as well"),
        (
            "guarded",
            [{"token": [], "key": []}],
            "A15",
            "error",
            "demands key with token, and the app never demands two",
        ),
        ("scope", [{"token": ["b"]}], "A15", "error", "the document demands b of token, and the app a"),
        ("scope", [{"id": []}], "A15", "error", "the document demands no scopes of id, and the app a"),
        ("guarded", [{"id": ["a"]}], "A15", "error", "the document demands a of id, and the app no scopes"),
        ("either", [{"id": ["a", "b"]}], "A15", "error", "the document demands a b of id, and the app a or b"),
        ("scope and role", [{"id": ["a", "x"]}], "A15", "error", "demands a x of id, and the app a"),
    ],
)
def test_a_document_that_promises_less_or_other_fails_the_audit(run, guard, security, rule, level, says):
    document = document_of(security)
    found = found_by(run, guard, document)
    assert next((one["id"], one["level"], one["about"]) for one in found) == (rule, level, "GET /a")
    assert says in found[0]["message"]
    assert run(make_site(guard), document)[0] == 1
    assert run(make_site(guard), document, "--fail-on", "openapi")[0] == 1
    assert run(make_site(guard), document, "--fail-on", "unknown")[0] == 0
    assert run(make_site(guard), document, "--fail-on", rule)[0] == 1


@pytest.mark.parametrize(
    ("guard", "security", "says"),
    [
        ("scope", [{"token": []}], "names no scopes and no roles for token, and the app demands a:"),
        ("scope and role", [{"token": []}], "names no scopes and no roles for token, and the app demands a x:"),
        ("scope and role", [{"token": ["a"]}], "names a for token, and the app demands a x:"),
        ("either", [{"token": []}], "names no scopes and no roles for token, and the app demands a or b:"),
    ],
)
def test_names_that_a_document_may_leave_out_are_a_warning(run, guard, security, says):
    """OpenAPI 3.1 §4.8.30: the array MAY name roles. In 3.0 §4.7.30 it MUST be empty for this type."""
    (found,) = found_by(run, guard, document_of(security))
    assert (found["id"], found["level"], found["about"]) == ("A15", "warning", "GET /a")
    assert says in found["message"]
    assert run(make_site(guard), document_of(security))[0] == 0
    assert run(make_site(guard), document_of(security), "--fail-on", "A15")[0] == 1
    if security == [{"token": []}]:
        assert found_by(run, guard, {**document_of(security), "openapi": "3.0.3"}) == []


def test_the_security_of_the_whole_document_counts(run):
    assert found_by(run, "guarded", document_of(security=[{"token": []}])) == []
    whole = {**document_of(), "security": [{"token": []}]}
    assert found_by(run, "guarded", whole) == []
    assert [one["id"] for one in found_by(run, "guarded", {**document_of([]), "security": [{"token": []}]})] == ["A13"]
    assert [one["id"] for one in found_by(run, "public", whole)] == ["A14"]


def test_what_only_one_of_both_has_is_a_warning(run):
    found = found_by(run, "guarded", document_of([{"token": []}], path="/b"))
    assert [(one["id"], one["level"], one["about"], one["rule"], one["methods"]) for one in found] == [
        ("A16", "warning", "GET /a", "/a", ["GET", "HEAD"]),
        ("A17", "warning", "GET /b", "/b", ["GET"]),
    ]
    assert run(make_site("guarded"), document_of([{"token": []}], path="/b"))[0] == 0
    assert [one["id"] for one in found_by(run, "public", document_of(path="/b"))] == ["A17"]


def test_paths_match_as_they_do_for_auth_openapi(run):
    document = document_of([{"token": []}], path="/a/{note}", servers=[{"url": "https://a.example/api"}])
    assert found_by(run, "guarded", document, rule="/api/a/<int:id>") == []


@pytest.mark.parametrize("version", ["2.0", "3.0", "3.1", "3.2"])
def test_the_document_that_the_app_prints_agrees_with_it(run, version):
    for guard in ("guarded", "both", "optional", "public", "scope", "either", "scope and role", "conditional"):
        app = make_site(guard)
        printed = app.test_cli_runner().invoke(
            commands, ["openapi", "--version", version], obj=ScriptInfo(create_app=lambda: app)
        )
        code, output = run(app, printed.stdout, "--json")
        assert (code, [one for one in json.loads(output)["findings"] if int(one["id"][1:]) >= 13]) == (0, [])


def test_the_other_outputs_show_the_findings(run):
    document = document_of(path="/b")
    app = make_site("guarded")
    assert "A17 warning  GET /b: the app has no such route" in run(app, document)[1]
    assert "| A17 | warning | GET /b | the app has no such route | - |" in run(app, document, "--markdown")[1]
    results = json.loads(run(app, document, "--sarif")[1])["runs"][0]["results"]
    assert {one["ruleId"] for one in results} == {"A16", "A17"}
    assert "GET /a" not in run(app, document, "--only", "/b")[1]


@pytest.mark.parametrize(
    ("text", "name", "says"),
    [
        ("{", "openapi.json", "openapi.json isn't JSON"),
        ("[]", "openapi.json", "not list"),
        ("{}", "openapi.json", 'neither "openapi" nor "swagger"'),
        ("[" * 100_000, "openapi.json", "isn't JSON"),
        (json.dumps(document_of([{"other": []}])), "openapi.json", "names 'other', which the document doesn't declare"),
        (json.dumps(document_of("all")), "openapi.json", "it must be a list of objects"),
        (json.dumps(document_of([{"token": "a"}])), "openapi.json", "gives 'token' the scopes 'a'"),
    ],
)
def test_a_document_that_cannot_be_read_is_exit_status_2(run, text, name, says):
    code, output = run(make_site("guarded"), text, name=name)
    assert code == 2
    assert says in output


def test_a_file_that_is_not_there_is_exit_status_2(run):
    app = make_site("guarded")
    done = app.test_cli_runner().invoke(
        commands, ["audit", "--openapi", "no.json"], obj=ScriptInfo(create_app=lambda: app)
    )
    assert done.exit_code == 2
    assert "no.json can't be read" in done.output


YAML = """
openapi: 3.1.0
info: {title: Shop, version: "1"}
paths:
  /a:
    get: {responses: {200: {description: in}}}
"""


def test_yaml_needs_pyyaml(run, monkeypatch):
    monkeypatch.setitem(sys.modules, "yaml", None)  # an import of it raises ImportError
    code, output = run(make_site("guarded"), YAML, name="openapi.yaml")
    assert code == 2
    assert "PyYAML isn't installed: pip install PyYAML, or give JSON" in output


def test_yaml(run):
    pytest.importorskip("yaml")
    code, output = run(make_site("guarded"), YAML, name="openapi.yaml")
    assert code == 1
    assert "A13 error  GET /a" in output
    code, output = run(make_site("guarded"), "a: [", name="openapi.yml")
    assert code == 2
    assert "openapi.yml isn't YAML" in output


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32"])
@pytest.mark.parametrize("text", [json.dumps({"title": "Prüfung"}), "\n\n{}"])
def test_each_encoding_of_unicode_is_read(tmp_path, encoding, text):
    """RFC 4627 §3 names them all. RFC 8259 §8.1 lets readers skip a byte order mark."""
    file = tmp_path / "openapi.json"
    file.write_bytes(text.encode(encoding))
    assert read_document(str(file)) == json.loads(text)


@pytest.mark.parametrize("name", ["openapi.json", "openapi.yaml"])
@pytest.mark.parametrize(
    "content",
    [b"", b"\xff\xfe", b"\x00\x01\x02", b"a: 2026-02-30", b"a: !!python/name:os.system", b"[" * 100_000],
)
def test_a_file_that_is_no_document_is_told(tmp_path, name, content):
    file = tmp_path / name
    file.write_bytes(content)
    app = make_site("guarded")
    with pytest.raises((Unreadable, ConfigurationError)):
        compare(read_document(str(file)), app_state_of(app), ())


@pytest.mark.parametrize("name", ["", ".", "nowhere.json", "a\0b"])
def test_what_is_no_file_is_told(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(Unreadable, match="can't be read"):
        read_document(name)

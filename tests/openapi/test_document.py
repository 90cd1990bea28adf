"""What `Auth.openapi` changes in a document, and what it leaves."""

import copy
from typing import Any

import pytest
from flask import Blueprint, Flask
from flask.views import MethodView

from flask_unauthorized import APIKey, Auth, Basic, Bearer, ConfigurationError

from .conftest import HEADS, written

VERSIONS = [*HEADS]


def load(*credentials):
    return None


@pytest.mark.parametrize("version", VERSIONS)
def test_the_document_is_not_changed_and_a_second_time_adds_nothing(site, version):
    _, auth = site(Bearer(load), Basic(load), views={"GET /a": {"scopes": {"a"}}, "GET /b": "optional"})
    given = written(["GET /a", "GET /b"], version)
    kept = copy.deepcopy(given)
    made = auth.openapi(given)
    assert given == kept != made
    assert auth.openapi(made) == made


@pytest.mark.parametrize("version", VERSIONS)
def test_a_document_without_guarded_operations_stays_as_it_is(site, version):
    _, auth = site(Bearer(load), views={"GET /a": None, "GET /b": {}})
    for given in (written(["GET /a"], version), written([], version), written(["GET /c", "POST /b"], version)):
        assert auth.openapi(given) == given
    without_paths = {**HEADS["3.1"], "info": {"title": "a", "version": "1"}, "webhooks": {}}
    assert auth.openapi(without_paths) == without_paths


def test_nothing_that_its_author_wrote_is_overwritten(site):
    _, auth = site(Bearer(load), views={"GET /a": {"scopes": {"a"}}, "GET /b": {}, "GET /c": {}})
    own = {"description": "mine", "headers": {"www-authenticate": {"schema": {"type": "string"}}}}
    given = written(
        {
            "GET /a": {
                "security": [{"mine": []}],
                "responses": {401: own, "403": {"$ref": "#/components/responses/no"}},
            },
            "GET /b": {"responses": {"401": {"description": "mine", "content": {}}, "default": {"description": "d"}}},
            "GET /c": {"security": [], "x-required-scopes": "mine"},
        },
        security=[{"mine": []}],
        components={
            "securitySchemes": {"mine": {"type": "apiKey", "in": "header", "name": "X"}},
            "responses": {"no": {"description": "no"}, "Unauthorized": {"description": "mine"}},
            "schemas": {"Refusal": {"type": "integer"}},
        },
    )
    made = auth.openapi(given)
    first, second, third = (made["paths"][f"/{name}"]["get"] for name in "abc")
    assert first["security"] == [{"mine": []}]
    assert first["responses"][401] == own
    assert "401" not in first["responses"]
    assert first["responses"]["403"] == {"$ref": "#/components/responses/no"}
    assert {name: second["responses"]["401"][name] for name in ("description", "content")} == {
        "description": "mine", "content": {},
    }  # fmt: skip
    assert [*second["responses"]["401"]["headers"]] == ["WWW-Authenticate"]
    assert second["responses"]["default"] == {"description": "d"}
    assert (third["security"], third["x-required-scopes"]) == ([], "mine")
    assert made["security"] == given["security"]
    for kind, parts in given["components"].items():
        for name, part in parts.items():
            assert made["components"][kind][name] == part
    assert third["responses"]["401"] == {"$ref": "#/components/responses/Unauthorized_2"}
    assert made["components"]["responses"]["Unauthorized_2"]["content"]["application/json"] == {
        "schema": {"$ref": "#/components/schemas/Refusal_2"}
    }


@pytest.mark.parametrize(
    "same",
    [
        {"type": "http", "scheme": "Bearer", "description": "From the portal."},
        {"type": "oauth2", "flows": {"clientCredentials": {"tokenUrl": "https://id.example/", "scopes": {}}}},
        {"type": "openIdConnect", "openIdConnectUrl": "https://id.example/"},
    ],
)
@pytest.mark.parametrize("name", ["token", "Bearer"])
def test_a_scheme_that_the_document_declares_for_the_same_credentials_is_used(site, same, name):
    _, auth = site(Bearer(load), views={"GET /a": {"scopes": {"a"}}})
    made = auth.openapi(written(["GET /a"], components={"securitySchemes": {name: same}}))
    assert made["components"]["securitySchemes"] == {name: same}
    assert made["paths"]["/a"]["get"]["security"] == [{name: ["a"]}]


def test_another_scheme_of_the_same_name_is_a_mistake_that_names_both(site):
    _, auth = site(APIKey(load), views={"GET /a": {}})
    other = {"type": "apiKey", "in": "query", "name": "k"}
    with pytest.raises(ConfigurationError, match=r"'ApiKey' already, as .*'query'.*X-API-Key.*openapi_name"):
        auth.openapi(written(["GET /a"], components={"securitySchemes": {"ApiKey": other}}))


@pytest.mark.parametrize(
    ("given", "error", "says"),
    [
        (None, TypeError, "as a dict, not NoneType: pass the parsed JSON"),
        ("{}", TypeError, "not str"),
        ([], TypeError, "not list"),
        ({}, ConfigurationError, 'neither "openapi" nor "swagger".*add "openapi": "3.1.0"'),
        ({"openapi": "4.0.0"}, ConfigurationError, r"is '4.0.0': use one of 2.0, 3.0, 3.1, 3.2"),
        ({"openapi": "3.10.0"}, ConfigurationError, "'3.10.0'"),
        ({"openapi": None, "swagger": "1.2"}, ConfigurationError, "'1.2'|neither"),
        (
            {"openapi": "3.1.0", "paths": []},
            ConfigurationError,
            r"'paths' of the document is \[\]: it must be an object",
        ),
        ({"openapi": "3.1.0", "paths": {"/a": None}}, ConfigurationError, "'/a' of the document is None"),
        ({"openapi": "3.1.0", "paths": {"/a": {"get": 1}}}, ConfigurationError, "GET /a of the document is 1"),
        (
            {"openapi": "3.1.0", "paths": {"/a": {"get": {"responses": 1}}}},
            ConfigurationError,
            "'responses' of GET /a is 1",
        ),
        (
            {"openapi": "3.1.0", "components": 1, "paths": {"/a": {"get": {}}}},
            ConfigurationError,
            "'components' of the",
        ),
        (
            {"openapi": "3.2.0", "paths": {"/a": {"additionalOperations": 1}}},
            ConfigurationError,
            "'additionalOperations' of '/a' is 1",
        ),
    ],
)
def test_a_document_that_cannot_be_read(site, given, error, says):
    _, auth = site(Bearer(load), views={"GET /a": {}})
    with pytest.raises(error, match=says):
        auth.openapi(given)


def test_versions_may_be_numbers_as_yaml_reads_them(site):
    _, auth = site(Bearer(load), views={"GET /a": {}})
    for head in ({"swagger": 2.0}, {"openapi": 3.1}):
        made = auth.openapi({**head, "paths": {"/a": {"get": {}}}})
        assert made["paths"]["/a"]["get"]["security"] == [{"Bearer": []}]


def test_a_reference_in_place_of_a_path_is_left(site):
    _, auth = site(Bearer(load), views={"GET /a": {}})
    given = {
        **HEADS["3.1"],
        "paths": {"/a": {"$ref": "#/components/pathItems/a", "parameters": []}, "x-note": {"get": 1}},
    }
    assert auth.openapi(given) == given


# --- which routes an operation describes


def is_guarded(document: dict[str, Any], path: str, method: str = "get") -> bool:
    return document["paths"][path][method].get("security") == [{"Bearer": []}]


@pytest.mark.parametrize(
    ("rule", "path"),
    [
        ("/notes/<int:id>", "/notes/{id}"),
        ("/notes/<int(min=1):id>", "/notes/{note_id}"),
        ("/a/<any('b:c', d):x>/<path:rest>", "/a/{x}/{rest}"),
        ("/<string(length=2):lang>/x", "/{lang}/x"),
        ("/notes/", "/notes"),
        ("/notes", "/notes/"),
        ("/", "/"),
    ],
)
def test_rules_and_paths(site, rule, path):
    _, auth = site(Bearer(load), views={f"GET {rule}": {}})
    assert is_guarded(auth.openapi(written([f"GET {path}"])), path)


def test_a_path_of_the_same_names_counts_before_one_of_the_same_form(site):
    _, auth = site(Bearer(load), views={"GET /a/<int:id>": {}, "GET /a/<name>": "public"})
    document = auth.openapi(written(["GET /a/{id}", "GET /a/{name}"]))
    assert is_guarded(document, "/a/{id}")
    assert document["paths"]["/a/{name}"]["get"]["security"] == []


def test_methods_of_one_rule_differ(site):
    app, auth = site(Bearer(load), views={})

    class Notes(MethodView):
        @auth.login_required
        def post(self):
            return "in"

        @auth.public
        def get(self):
            return "in"

    app.add_url_rule("/notes", view_func=Notes.as_view("notes"))
    document = auth.openapi(written(["GET /notes", "POST /notes", "OPTIONS /notes", "DELETE /notes"]))
    assert is_guarded(document, "/notes", "post")
    assert not is_guarded(document, "/notes")
    assert "security" not in document["paths"]["/notes"]["options"]
    assert "security" not in document["paths"]["/notes"]["delete"]


def test_methods_that_only_version_3_2_has(site):
    _, auth = site(Bearer(load), views={"QUERY /a": {}, "COPY /a": {}})
    given = {**HEADS["3.2"], "paths": {"/a": {"query": {}, "additionalOperations": {"COPY": {}}}}}
    item = auth.openapi(given)["paths"]["/a"]
    assert item["query"]["security"] == item["additionalOperations"]["COPY"]["security"] == [{"Bearer": []}]


@pytest.mark.parametrize(
    ("members", "version", "prefix", "config"),
    [
        ({"basePath": "/api"}, "2.0", "", {}),
        ({"basePath": "/api/"}, "2.0", "", {}),
        ({"servers": [{"url": "https://a.example/api"}]}, "3.1", "", {}),
        ({"servers": [{"url": "/api/"}]}, "3.0", "", {}),
        ({"servers": [{"url": "https://a.example/shop/api"}]}, "3.1", "", {"APPLICATION_ROOT": "/shop"}),
        ({"servers": [{"url": "https://a.example/outer/api"}]}, "3.1", "", {}),
        ({"basePath": "/far/out/api"}, "2.0", "", {"APPLICATION_ROOT": "/other"}),
        ({"servers": [{"url": "https://{host}/api"}]}, "3.1", "/api", {}),
        ({}, "3.1", "/api", {}),
        ({}, "3.1", "/api/", {}),
    ],
)
def test_what_stands_before_the_paths(site, members, version, prefix, config):
    _, auth = site(Bearer(load), views={"GET /api/notes": {}, "GET /notes": "public"}, **config)
    assert is_guarded(auth.openapi(written(["GET /notes"], version, **members), prefix=prefix), "/notes")


def test_an_app_that_is_mounted_lower_has_shorter_rules(site):
    _, auth = site(Bearer(load), views={"GET /notes": {}}, APPLICATION_ROOT="/shop")
    assert is_guarded(auth.openapi(written(["GET /notes"], servers=[{"url": "/shop"}])), "/notes")


def test_the_path_of_the_app_counts_before_an_ending(site):
    """``/shop`` is where the app is, so ``/shop/api`` is its ``/api``, and not its ``/shop/api``."""
    views = {"GET /shop/api/notes": "public", "GET /api/notes": {}}
    _, auth = site(Bearer(load), views=views, APPLICATION_ROOT="/shop")
    assert is_guarded(auth.openapi(written(["GET /notes"], servers=[{"url": "/shop/api"}])), "/notes")


@pytest.mark.parametrize("prefix", [None, 1, "api", b"/api"])
def test_a_prefix_that_is_no_path(site, prefix):
    _, auth = site(Bearer(load), views={})
    with pytest.raises(TypeError, match=r'such as "/api", not'):
        auth.openapi(written([]), prefix=prefix)


# --- which app


def test_the_app_is_the_given_one_the_current_one_or_the_only_one():
    auth = Auth(Bearer(load))
    first, second = Flask("first"), Flask("second")
    for app in (first, second):
        auth.init_app(app)
    first.add_url_rule("/a", "a", auth.login_required(lambda: "in"))
    given = written(["GET /a"])
    assert is_guarded(auth.openapi(given, app=first), "/a")
    assert auth.openapi(given, app=second) == given
    with first.app_context():
        assert is_guarded(auth.openapi(given), "/a")
        assert auth.openapi(given, app=second) == given
    with pytest.raises(ConfigurationError, match=r"serves 2 apps: pass the one that is meant, openapi\(..., app=app\)"):
        auth.openapi(given)
    with pytest.raises(ConfigurationError, match=r"serves no app: call init_app\(app\) before openapi\(\)"):
        Auth(Bearer(load)).openapi(given)
    with pytest.raises(ConfigurationError, match="another Auth"):
        Auth(Bearer(load), app=Flask("third")).openapi(given, app=first)


def test_it_works_in_a_request_and_runs_no_hook_of_the_app(site):
    ran: list[str] = []
    app, auth = site(Bearer(load), views={"GET /a": {}})
    app.before_request(lambda: ran.append("before"))
    app.teardown_request(lambda error: ran.append("request ends"))
    app.teardown_appcontext(lambda error: ran.append("context ends"))

    @app.get("/openapi.json")
    @auth.public
    def show():
        made = auth.openapi(written(["GET /a"]))
        assert ran == ["before"]
        return made

    assert is_guarded(app.test_client().get("/openapi.json").json, "/a")


def test_blueprints_are_part_of_the_app(site):
    app, auth = site(Bearer(load), views={})
    part = Blueprint("part", __name__, url_prefix="/part")
    auth.protect(part)
    part.add_url_rule("/a", "a", lambda: "in")
    app.register_blueprint(part)
    assert is_guarded(auth.openapi(written(["GET /part/a"])), "/part/a")


def test_nothing_private_stands_in_the_document(site):
    """No file, no name of a loader, no private reason (§4.3, rule 6)."""

    def look_up_in_the_secret_table(token):
        return None

    _, auth = site(Bearer(look_up_in_the_secret_table), views={"GET /a": {"authorization_details": decide_it}})
    text = str(auth.openapi(written(["GET /a"])))
    for word in ("look_up_in_the_secret_table", "decide_it", ".py", __file__, "no credentials came"):
        assert word not in text


def decide_it(details):
    return False

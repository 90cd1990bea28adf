"""The documents that libraries serve say what the app does: each operation is asked, and the answers are compared."""

import copy
import os
import re
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.test import Client

if os.environ.get("CI") != "true":
    for library in (
        "apiflask", "flask_openapi3", "flask_restx", "flask_smorest", "openapi_spec_validator", "schemathesis"
    ):  # fmt: skip
        pytest.importorskip(library, reason="nox -s neighbours")

import apiflask  # after the skip
import flask_restx
import flask_smorest
from openapi_spec_validator import validate

from flask_unauthorized import ConfigurationError
from flask_unauthorized.openapi import AuthPlugin

from ..openapi.test_refusals import examples, resolved
from .documents import MAKERS, OWN_REFUSAL, OWN_SCHEME, Shop, documented_api, make_auth, set_up
from .test_openapi import GUESSED, ROOT, failures_of

BUILDS = [
    pytest.param(make, version, prefix, id=f"{name}-{version}{prefix}")
    for name, (make, versions) in MAKERS.items()
    for version in versions
    for prefix in ("", "/api")
]
SHOPS = pytest.mark.parametrize(("make", "version", "prefix"), BUILDS)
CREDENTIALS = [
    {}, {"Authorization": "Bearer nobodys"}, {"Authorization": "Bearer a b"}, {"Authorization": "Bearer ada"}
]  # fmt: skip
KNOWN_SCOPES = ("admin", "delete", "write")


def credentials(scheme: str, *scopes: str) -> dict[str, str]:
    """Return the header with a token or key that has these scopes."""
    secret = ".".join(("ada", *scopes))
    return {"Authorization": f"Bearer {secret}"} if scheme == "Bearer" else {"X-API-Key": secret}


class Asked:
    """One operation of a served document."""

    def __init__(self, shop: Shop, document: dict[str, Any], prefix: str, path: str, method: str) -> None:
        self.name = path.removeprefix(prefix)
        self.method = method
        self.content: dict[str, Any] = document["paths"][path][method]
        self.responses = resolved(document, path, method)
        self._client = shop.app.test_client()
        self._url = prefix + re.sub(r"\{.*?\}", "1", self.name)

    def send(self, headers: dict[str, str]) -> Any:
        return self._client.open(self._url, method=self.method.upper(), headers=headers)


def operations(shop: Shop, document: dict[str, Any], prefix: str) -> Iterator[Asked]:
    for path, item in document["paths"].items():
        for method in item:
            if method in ("get", "post", "delete"):
                yield Asked(shop, document, prefix, path, method)


def alternatives(asked: Asked, scheme: str) -> list[frozenset[str]]:
    """Return the sets of scopes of which one will do, as a client of a scheme reads them from the document."""
    found = {frozenset(one[scheme]) for one in asked.content["security"] if scheme in one}
    listed = asked.content.get("x-required-scopes", ())
    for group in listed:
        names = [group] if isinstance(group, str) else group
        found = {frozenset({*one, name}) for one in found for name in names}
    return [*found]


@SHOPS
def test_the_document_is_valid_and_the_same_on_the_second_request(make, version, prefix):
    validate(make(version, prefix, False).document())
    shop = make(version, prefix, True)
    document = shop.document()
    validate(document)
    assert shop.document() == document


@SHOPS
def test_what_the_library_and_its_user_wrote_is_still_there(make, version, prefix):
    """The document without our line is a part of the one with it."""
    before, after = (make(version, prefix, described).document() for described in (False, True))

    def compare(was: Any, now: Any, where: str) -> None:
        if isinstance(was, dict) and isinstance(now, dict):
            for name, value in was.items():
                assert name in now, f"{where}/{name} is gone"
                compare(value, now[name], f"{where}/{name}")
        else:
            assert was == now, where

    compare(before, after, "")
    assert before != after
    own = after["paths"][next(path for path in after["paths"] if path.endswith("/own"))]["get"]
    assert own["security"] == [{"partner": []}]
    assert own["responses"]["401"]["description"] == OWN_REFUSAL["description"]
    declared = after["securityDefinitions"] if version == "2.0" else after["components"]["securitySchemes"]
    assert declared["partner"] == OWN_SCHEME


@SHOPS
def test_each_operation_demands_what_its_document_says(make, version, prefix):
    shop = make(version, prefix, True)
    seen: dict[str, set[str]] = {}
    for asked in operations(shop, shop.document(), prefix):
        security = asked.content.get("security")
        seen.setdefault(asked.name, set()).add(asked.method)
        if asked.name in ("/own", "/theirs"):
            continue  # its author says something else
        admits_anybody = not security or {} in security
        assert asked.send({}).status_code == (200 if admits_anybody else 401)
        if asked.name == "/open":
            assert security is None
        if not security:
            assert not {"400", "401", "403"} & {*asked.responses}
            continue
        assert {name for one in security for name in one} == {"Bearer", "ApiKey"}
        for scheme in ("Bearer", "ApiKey"):
            enough = alternatives(asked, scheme)
            for number in range(2 ** len(KNOWN_SCOPES)):
                scopes = {name for bit, name in enumerate(KNOWN_SCOPES) if number >> bit & 1}
                expected = 200 if any(one <= scopes for one in enough) else 403
                assert asked.send(credentials(scheme, *scopes)).status_code == expected, (asked.name, scheme, scopes)
    assert {"/notes/{number}", "/maybe", "/public", "/open", "/own", "/part/all"} <= {*seen}
    assert seen["/notes/{number}"] == {"get", "post", "delete"}


@SHOPS
def test_each_refusal_is_documented_with_its_header(make, version, prefix):
    shop = make(version, prefix, True)
    sent: set[int] = set()
    for asked in operations(shop, shop.document(), prefix):
        if asked.name == "/theirs":
            continue
        for response in map(asked.send, CREDENTIALS):
            if response.status_code == 200:
                continue
            sent.add(response.status_code)
            documented = asked.responses[str(response.status_code)]
            assert "WWW-Authenticate" in documented["headers"]
            if version != "2.0":
                assert {*response.headers.getlist("WWW-Authenticate")} <= examples(documented)
    assert sent == {400, 401, 403}


LIBRARIES = pytest.mark.parametrize(
    ("make", "version"), [pytest.param(make, versions[-1], id=name) for name, (make, versions) in MAKERS.items()]
)


@LIBRARIES
def test_an_app_under_a_path_of_the_server(make, version):
    """``SCRIPT_NAME``: some libraries write it into ``basePath`` or ``servers``."""
    for prefix in ("", "/api"):
        expected = shape(make(version, prefix, True).document())
        shop = make(version, prefix, True)
        client = Client(DispatcherMiddleware(Flask("outer"), {"/outer": shop.app}))
        document = client.get(f"/outer{shop.path}").json
        assert shape(document) == expected
        shop = make(version, prefix, True)
        shop.app.config["APPLICATION_ROOT"] = "/outer"
        assert shape(shop.document(base_url="http://localhost/outer")) == expected


def shape(document: dict[str, Any]) -> dict[str, Any]:
    """Return what each operation demands."""
    return {
        f"{method} {path}": (content.get("security"), content.get("x-required-scopes"), {*content["responses"]})
        for path, item in document["paths"].items()
        for method, content in item.items()
        if method in ("get", "post", "delete")
    }


@GUESSED
@LIBRARIES
def test_schemathesis_finds_no_fault(make, version):
    shop = make(version, "", True)
    document = judged(shop.document())
    for headers in ({}, {"Authorization": "Bearer ada.write.delete"}, {"Authorization": "Bearer ada"}):
        assert failures_of(shop.app, document, **headers) == set()


@GUESSED
@LIBRARIES
def test_schemathesis_finds_a_guard_that_is_gone(make, version):
    document = judged(make(version, "", True).document())
    shop = make(version, "", True)
    name = shop.app.url_map.bind("localhost").match("/notes/1")[0]
    shop.app.view_functions[name] = lambda **arguments: {"in": True}
    assert "IgnoredAuth" in failures_of(shop.app, document, Authorization="Bearer ada.write.delete")


def judged(document: dict[str, Any]) -> dict[str, Any]:
    """Return the document without the operations whose author wrote what the app doesn't do.

    Numbers of a rule aren't negative, which some libraries don't say.
    """
    document = copy.deepcopy(document)
    for path in [path for path in document["paths"] if path.endswith(("/own", "/theirs"))]:
        del document["paths"][path]
    for item in document["paths"].values():
        for part in [item, *(one for one in item.values() if isinstance(one, dict))]:
            for parameter in part.get("parameters", ()):
                parameter.get("schema", parameter)["minimum"] = 0
    return document


# --- the document itself


def endpoints_in_the_guide(library: str) -> set[str]:
    """Return what the guide names for ``protect(app, public={...})``."""
    guide = (ROOT / "docs" / "guides" / "openapi.md").read_text(encoding="utf-8")
    (row,) = re.findall(
        rf"^\| {library} \| (`.*) \|$", guide.partition("## Guard the document itself")[2], re.MULTILINE
    )
    return {*re.findall(r"`([^`]+)`", row.partition(". ")[0])}


@pytest.mark.parametrize("library", [name for name in MAKERS if name != "apispec"])
def test_the_document_is_guarded_unless_its_endpoints_are_public(library):
    make, versions = MAKERS[library]
    shop = make(versions[-1], "", True)
    shop.auth.protect(shop.app)
    client = shop.app.test_client()
    assert client.get(shop.path).status_code == 401
    served = client.get(shop.path, headers={"Authorization": "Bearer ada"}).json
    shop = make(versions[-1], "", True)
    names = endpoints_in_the_guide(library)
    if library == "flask-restx":  # its Api belongs to a blueprint
        names = {name if "." in name else f"api.{name}" for name in names}
    shop.auth.protect(shop.app, public=names)
    shop.auth.check(shop.app)  # each name is an endpoint
    assert shop.document() == served
    assert shop.app.test_client().get("/open").status_code == 401


# --- two apps with one Auth


def test_one_auth_serves_two_apps_of_flask_smorest():
    auth = make_auth()
    plugin = AuthPlugin(auth)
    apis = {}
    for name, guard in (("first", auth.login_required), ("second", auth.public)):
        app = Flask(name)
        set_up(app)
        app.config.update(API_TITLE=name, API_VERSION="1", OPENAPI_VERSION="3.1.0", OPENAPI_URL_PREFIX="/docs")
        auth.init_app(app)
        apis[name] = flask_smorest.Api(app, spec_kwargs={"extra_plugins": [plugin]})
        blueprint = flask_smorest.Blueprint("notes", __name__)
        blueprint.route("/notes")(guard(lambda: {"in": True}))
        apis[name].register_blueprint(blueprint)
        expected = [{"Bearer": []}, {"ApiKey": []}] if name == "first" else []
        served = app.test_client().get("/docs/openapi.json").json
        assert served["paths"]["/notes"]["get"]["security"] == expected
        with app.app_context():
            assert apis[name].spec.to_dict() == served
    with pytest.raises(ConfigurationError, match="serves 2 apps"):
        apis["first"].spec.to_dict()


def test_one_auth_serves_two_apps_of_apiflask():
    auth = make_auth()
    for name, guard in (("first", auth.login_required), ("second", auth.public)):
        app = apiflask.APIFlask(name)
        auth.init_app(app)
        app.spec_processor(auth.openapi)
        app.get("/notes")(guard(lambda: {"in": True}))
        served = app.test_client().get("/openapi.json").json
        expected = [{"Bearer": []}, {"ApiKey": []}] if name == "first" else []
        assert served["paths"]["/notes"]["get"]["security"] == expected
        with app.app_context():
            assert app.spec["paths"] == served["paths"]


# --- what each library can do besides


def test_apiflask_writes_yaml_and_may_pass_the_spec_object():
    yaml = pytest.importorskip("yaml")
    auth = make_auth()
    app = apiflask.APIFlask("shop", spec_plugins=[AuthPlugin(auth)])
    auth.init_app(app)
    app.get("/notes")(auth.login_required(lambda: {"in": True}))
    by_plugin = app.spec
    assert by_plugin["paths"]["/notes"]["get"]["security"] == [{"Bearer": []}, {"ApiKey": []}]
    app.spec_processor(lambda spec: spec)
    app.config["SPEC_PROCESSOR_PASS_OBJECT"] = True
    assert app.spec == by_plugin
    app.config["SPEC_PROCESSOR_PASS_OBJECT"] = False
    app.spec_processor(auth.openapi)
    assert app.spec == by_plugin
    app.config["SPEC_FORMAT"] = "yaml"
    assert yaml.safe_load(app.spec) == by_plugin


def test_apispec_writes_yaml_and_flask_smorest_prints():
    yaml = pytest.importorskip("yaml")
    shop = MAKERS["flask-smorest"][0]("3.1.0", "", True)
    served = shop.document()
    (api,) = (one["ext_obj"] for one in shop.app.extensions["flask-smorest"]["apis"].values())
    assert isinstance(api, flask_smorest.Api)
    with shop.app.app_context():
        assert yaml.safe_load(api.spec.to_yaml()) == served
    printed = shop.app.test_cli_runner().invoke(args=["openapi", "print"])
    assert yaml.safe_load(printed.output) == served


def test_flask_openapi3_prints_the_same():
    shop = MAKERS["flask-openapi3"][0]("3.1.0", "", True)
    printed = shop.app.test_cli_runner().invoke(args=["openapi"])
    assert '"WWW-Authenticate"' in printed.output


def test_flask_restx_still_validates_with_the_models_of_its_document():
    auth = make_auth()
    app = Flask("shop")
    set_up(app)
    api = documented_api(auth)(app, validate=True)
    auth.init_app(app)
    model = api.model("Note", {"title": flask_restx.fields.String(required=True)})

    class Notes(flask_restx.Resource):
        @auth.login_required
        @api.expect(model)
        def post(self) -> Any:
            return {"in": True}

    api.add_resource(Notes, "/notes")
    client = app.test_client()
    known = credentials("Bearer")
    assert [client.post("/notes", json=body, headers=known).status_code for body in ({"title": "a"}, {})] == [200, 400]
    assert client.post("/notes", json={"title": "a"}).status_code == 401
    assert api.__schema__ == client.get("/swagger.json").json
    assert api.__schema__["paths"]["/notes"]["post"]["security"] == [{"Bearer": []}, {"ApiKey": []}]


@pytest.mark.parametrize("library", ["flask-smorest", "APIFlask"])
def test_the_order_of_set_up_does_not_matter(library):
    auth = make_auth()
    if library == "APIFlask":
        app = apiflask.APIFlask("shop")
        app.spec_processor(auth.openapi)
        app.get("/notes")(lambda: {"in": True})
    else:
        api = flask_smorest.Api(spec_kwargs={"extra_plugins": [AuthPlugin(auth)]})
        app = Flask("shop")
        app.config.update(API_TITLE="Shop", API_VERSION="1", OPENAPI_VERSION="3.1.0", OPENAPI_URL_PREFIX="/")
        api.init_app(app)
        blueprint = flask_smorest.Blueprint("notes", __name__)
        blueprint.route("/notes")(lambda: {"in": True})
        api.register_blueprint(blueprint)
    set_up(app)
    auth.init_app(app)
    auth.protect(app)
    served = app.test_client().get("/openapi.json", headers=credentials("Bearer")).json
    assert served["paths"]["/notes"]["get"]["security"] == [{"Bearer": []}, {"ApiKey": []}]


def test_a_schema_that_flask_restx_cannot_make_stays_an_error():
    shop = MAKERS["flask-restx"][0]("2.0", "", True)
    (endpoint,) = (name for name in shop.app.view_functions if name.endswith("notes"))
    shop.app.view_functions[endpoint].view_class.get.__apidoc__ = {"params": 1}
    response = shop.app.test_client().get(shop.path)
    assert (response.status_code, response.json) == (500, {"error": "Unable to render schema"})

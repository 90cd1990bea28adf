"""The responses in a document are those that the app sends: status, header lines and bodies."""

import base64
from typing import Any

import hypothesis.strategies as st
import pytest
from flask import Flask
from hypothesis import given, settings

from flask_unauthorized import (
    APIKey,
    Auth,
    Basic,
    Bearer,
    Digest,
    DPoP,
    Identity,
    SessionCookie,
    any_of,
)
from flask_unauthorized.loaders import Passwords, SignedTokens, StaticTokens
from flask_unauthorized.loaders.stored import StoredTokens
from flask_unauthorized.openapi.own import make_document
from flask_unauthorized.runtime.app_state import app_state_of
from flask_unauthorized.stores.memory import MemoryStore
from flask_unauthorized.throttle import Throttle

from .conftest import written

CALLERS = {"good": Identity("g", scopes={"a"}, roles={"x"}), "poor": Identity("p")}


def load(secret: str) -> Identity | None:
    if secret == "down":
        raise ConnectionError
    return CALLERS.get(secret)


def load_password(name: str, password: str) -> Identity | None:
    return load(password)


def resolved(document: dict[str, Any], path: str, method: str = "get") -> dict[str, Any]:
    """The responses of an operation by status, with references followed."""
    found = {}
    for status, response in document["paths"][path][method]["responses"].items():
        if "$ref" in response:
            *_, kind, name = response["$ref"].split("/")
            parts = document if "swagger" in document else document["components"]
            response = parts[kind][name]
        found[status] = response
    return found


def examples(response: dict[str, Any], name: str = "WWW-Authenticate") -> set[str]:
    return {one["value"] for one in response["headers"][name].get("examples", {}).values()}


def statuses(site: Any, *schemes: Any, guard: Any = None, method: str = "GET", **config: Any) -> set[str]:
    _, auth = site(*schemes, views={f"{method} /a": {} if guard is None else guard}, **config)
    return {*resolved(auth.openapi(written([f"{method} /a"])), "/a", method.lower())} - {"200"}


@pytest.mark.rfc("OA-07")
@pytest.mark.parametrize("version", ["3.0", "3.1", "3.2"])
def test_401_and_403_are_documented_with_the_challenges_that_are_sent(site, version):
    app, auth = site(Bearer(load), Basic(load_password), views={"GET /a": {"scopes": {"a"}}})
    found = resolved(auth.openapi(written(["GET /a"], version)), "/a")
    client = app.test_client()
    password = base64.b64encode(b"x:poor").decode()
    sent = {
        "401": [{}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic eDp5"}],
        "403": [{"Authorization": "Bearer poor"}, {"Authorization": f"Basic {password}"}],
        "400": [{"Authorization": "Bearer a b"}],
    }
    for status, headers in sent.items():
        for one in headers:
            response = client.get("/a", headers=one)
            assert response.status_code == int(status)
            lines = response.headers.getlist("WWW-Authenticate")
            assert lines or status == "403"
            assert {*lines} <= examples(found[status])
    assert found["401"]["headers"]["WWW-Authenticate"]["required"] is True
    assert "required" not in found["403"]["headers"]["WWW-Authenticate"]
    assert found["401"]["headers"]["WWW-Authenticate"]["schema"] == {"type": "string"}


@pytest.mark.rfc("OA-07")
def test_swagger_names_the_header(site):
    _, auth = site(Bearer(load), views={"GET /a": {"scopes": {"a"}}})
    found = resolved(auth.openapi(written(["GET /a"], "2.0")), "/a")
    for status in ("401", "403"):
        assert found[status]["headers"]["WWW-Authenticate"]["type"] == "string"
        assert found[status]["schema"] == {"$ref": "#/definitions/Refusal"}


@pytest.mark.parametrize(
    ("schemes", "options", "config"),
    [
        (lambda: [Bearer(load, realm="own")], {}, {}),
        (lambda: [Bearer(load)], {"realm": "of the auth"}, {}),
        (lambda: [Bearer(load)], {"realm": "of the auth"}, {"UNAUTHORIZED_REALM": "of the app"}),
        (lambda: [Bearer(load), Basic(load_password), APIKey(load)], {}, {"UNAUTHORIZED_ONE_LINE": True}),
        (lambda: [Bearer(load, params={"authorization_uri": "https://id.example"})], {}, {}),
        (lambda: [SessionCookie(load, login_view="view1"), Bearer(load)], {}, {"SESSION_COOKIE_NAME": "visit"}),
        (lambda: [DPoP(load, origin="http://localhost"), Bearer(load)], {}, {}),
        (lambda: [Basic(load_password, script_alias="XBasic")], {}, {}),
    ],
)
def test_the_example_is_what_a_caller_without_credentials_gets(site, schemes, options, config):
    views = {"GET /a": {}, "GET /login": "public"}
    app, auth = site(*schemes(), views=views, auth_options=options, **config)
    document = auth.openapi(written(["GET /a"]))
    response = app.test_client().get("/a", headers={"Accept": "application/json"})
    lines = response.headers.getlist("WWW-Authenticate")
    assert lines
    assert {*lines} <= examples(resolved(document, "/a")["401"])


def test_a_step_up_is_among_the_examples(site):
    caller = Identity("a", auth_time=1, acr="bronze")
    app, auth = site(Bearer({"a": caller}.get), views={"GET /a": {"acr": "gold", "max_age": 60}})
    found = resolved(auth.openapi(written(["GET /a"])), "/a")["401"]
    response = app.test_client().get("/a", headers={"Authorization": "Bearer a"})
    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"] in examples(found)
    assert "a login of the class `gold`" in found["description"]
    assert "at most 60 seconds old" in found["description"]


def test_a_resource_names_its_metadata(site):
    app, auth = site(Bearer(load), views={"GET /mcp": {"scopes": {"a"}}})
    auth.protected_resource("http://localhost/mcp", authorization_servers=["https://id.example"])
    found = resolved(auth.openapi(written(["GET /mcp"])), "/mcp")
    for token, status in ((None, "401"), ("poor", "403")):
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        response = app.test_client().get("/mcp", headers=headers)
        assert "resource_metadata" in response.headers["WWW-Authenticate"]
        assert response.headers["WWW-Authenticate"] in examples(found[status])


def test_scopes_supported_are_the_scopes_of_the_document(site):
    """RFC 9728 §2: the metadata and the document come from one table."""
    views = {
        "GET /mcp/a": {"scopes": {"a", "b"}},
        "POST /mcp/a": {"scopes": {any_of("c", "d")}},
        "GET /mcp/b": {"roles": {"admin"}},
        "GET /other": {"scopes": {"e"}},
    }
    app, auth = site(
        Bearer(load, openapi={"type": "openIdConnect", "openIdConnectUrl": "https://id.example/"}), views=views
    )
    auth.protected_resource("http://localhost/mcp", authorization_servers=["https://id.example"])
    document = auth.openapi(written(["GET /mcp/a", "POST /mcp/a", "GET /mcp/b"]))
    named = {
        scope
        for item in document["paths"].values()
        for operation in item.values()
        for one in operation["security"]
        for scope in one["Bearer"]
    }
    metadata = app.test_client().get("/.well-known/oauth-protected-resource/mcp").json
    assert {*metadata["scopes_supported"]} == named == {"a", "b", "c", "d"}


def test_a_nonce_is_replaced_by_a_word(site):
    app, auth = site(Digest(lambda name: None), views={"GET /a": {}})
    first, second = (auth.openapi(written(["GET /a"])) for _ in range(2))
    assert first == second
    (example,) = examples(resolved(first, "/a")["401"])
    sent = app.test_client().get("/a").www_authenticate
    assert f'nonce="{sent["nonce"]}"' not in example
    assert 'nonce="NONCE"' in example
    assert f'realm="{sent.realm}"' in example


def test_the_nonce_of_dpop(site):
    with_nonce = DPoP(load, origin="https://a.example", nonce=True)
    for scheme, expected in ((with_nonce, True), (DPoP(load, origin="https://a.example"), False)):
        _, auth = site(scheme, views={"GET /a": {}})
        headers = resolved(auth.openapi(written(["GET /a"])), "/a")["401"]["headers"]
        assert ("DPoP-Nonce" in headers) is expected


# --- which refusals


@pytest.mark.parametrize(
    ("guard", "found"),
    [
        ({}, {"400", "401"}),
        ("optional", {"400", "401"}),
        ("public", set()),
        (None, set()),
        ({"scopes": {"a"}}, {"400", "401", "403"}),
        ({"roles": {"x"}}, {"400", "401", "403"}),
        ({"authorization_details": lambda details: True}, {"400", "401", "403"}),
        ({"acr": "gold"}, {"400", "401"}),
    ],
)
def test_refusals_by_demand(site, guard, found):
    _, auth = site(Bearer(load), views={"GET /a": guard})
    assert {*resolved(auth.openapi(written(["GET /a"])), "/a")} - {"200"} == found


def test_refusals_of_browsers_credentials(site):
    """A page of another site gets 403 for unsafe methods; a session is never malformed."""
    session = SessionCookie(load)
    assert statuses(site, session) == {"401"}
    assert statuses(site, session, method="POST") == {"401", "403"}
    assert statuses(site, SessionCookie(load, cross_site_reads=False)) == {"401", "403"}
    assert statuses(site, Basic(load_password), method="POST") == {"400", "401", "403"}
    assert statuses(site, Bearer(load), method="POST") == {"400", "401"}
    assert statuses(site, session, Bearer(load)) == {"400", "401"}


def test_https_and_origins(site):
    assert statuses(site, Bearer(load), UNAUTHORIZED_REQUIRE_HTTPS=True) == {"400", "401", "403"}
    _, auth = site(Bearer(load), views={"GET /mcp": {}})
    auth.protected_resource("https://a.example/mcp", origins=["https://b.example"])
    assert "403" in resolved(auth.openapi(written(["GET /mcp"])), "/mcp")


HASH = "scrypt:32768:8:1$a$" + "0" * 128


@pytest.mark.parametrize(
    ("scheme", "options", "unavailable", "throttled"),
    [
        (lambda: Bearer(StaticTokens({"9Zk3v1xQ7mB4tY8wLr2c6A": "a"})), {}, False, False),
        (lambda: Bearer(SignedTokens("login", lifetime=60)), {}, False, False),
        (lambda: Bearer(load), {}, False, False),
        (lambda: Bearer(load), {"unavailable": [ConnectionError]}, True, False),
        (lambda: Bearer(load, throttle=Throttle(MemoryStore())), {}, True, True),
        (lambda: Basic(Passwords({"ada": HASH})), {}, True, False),
        (lambda: SessionCookie(load, store=MemoryStore()), {}, True, False),
        (lambda: Bearer(load, StoredTokens(engine(), prefix="notes")), {}, True, False),
    ],
)
def test_503_and_429(site, scheme, options, unavailable, throttled):
    found = statuses(site, scheme(), auth_options=options)
    assert ("503" in found, "429" in found) == (unavailable, throttled)


def engine():
    from sqlalchemy import create_engine

    return create_engine("sqlite://")


def test_503_and_429_say_when_to_try_again(site):
    bearer = Bearer(load, throttle=Throttle(MemoryStore()))
    app, auth = site(bearer, views={"GET /a": {}}, auth_options={"unavailable": [ConnectionError]})
    found = resolved(auth.openapi(written(["GET /a"])), "/a")
    response = app.test_client().get("/a", headers={"Authorization": "Bearer down"})
    assert response.status_code == 503
    assert found["503"]["headers"]["Retry-After"] == {
        "description": found["503"]["headers"]["Retry-After"]["description"],
        "schema": {"type": "integer"},
        "required": True,
    }
    assert int(response.headers["Retry-After"]) > 0
    assert [*found["429"]["headers"]] == ["Retry-After"]


# --- bodies


def check_schema(schema: dict[str, Any], document: dict[str, Any], body: Any) -> None:
    """Check a body by the few keywords that the schemas have."""
    if "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    kinds = {"object": dict, "string": str, "integer": int}
    assert isinstance(body, kinds[schema["type"]])
    if schema["type"] == "object":
        assert {*schema["required"]} <= {*body} <= {*schema["properties"]}
        for name, value in body.items():
            check_schema(schema["properties"][name], document, value)


@pytest.mark.parametrize("credentials", [None, "Bearer wrong", "Bearer poor", "Bearer a b", "Bearer down"])
def test_bodies_follow_their_schemas(site, credentials):
    app, auth = site(
        Bearer(load),
        views={"GET /a": {"scopes": {"a"}}},
        auth_options={"unavailable": [ConnectionError]},
        UNAUTHORIZED_PROBLEM_BASE="https://a.example/errors/",
    )
    document = auth.openapi(written(["GET /a"]))
    headers = {} if credentials is None else {"Authorization": credentials}
    for media_type in ("application/json", "application/problem+json", "text/html", "text/plain"):
        response = app.test_client().get("/a", headers={**headers, "Accept": media_type})
        content = resolved(document, "/a")[str(response.status_code)]["content"]
        assert response.mimetype == media_type
        body = response.json if response.is_json else response.text
        check_schema(content[media_type]["schema"], document, body)


def test_of_bodies_that_the_app_writes_nothing_is_said(site):
    app, auth = site(Bearer(load), views={"GET /a": {}})
    auth.renderer("application/json")(lambda error: {"mine": 1})
    auth.renderer("application/vnd.api+json")(lambda error: {"mine": 1})
    content = resolved(auth.openapi(written(["GET /a"])), "/a")["401"]["content"]
    assert content["application/json"] == content["application/vnd.api+json"] == {"schema": {}}
    swagger = resolved(auth.openapi(written(["GET /a"], "2.0")), "/a")["401"]
    assert "schema" not in swagger
    app.register_error_handler(401, lambda error: ("mine", 401))
    found = resolved(auth.openapi(written(["GET /a"])), "/a")
    assert "content" not in found["401"]
    assert "WWW-Authenticate" in found["401"]["headers"]
    assert "content" in found["400"]


def test_a_scheme_that_needs_more_of_a_request_has_no_example(site):
    class Choosy(Bearer):
        static = False

        def challenges(self, realm, error, request):
            return super().challenges(request.headers["X-Realm"], error, request)

    _, auth = site(Choosy(load), views={"GET /a": {}})
    header = resolved(auth.openapi(written(["GET /a"])), "/a")["401"]["headers"]["WWW-Authenticate"]
    assert "examples" not in header
    assert header["required"] is True


# --- apps that nobody thought of

GUARDS: dict[str, Any] = {
    "open": lambda auth: lambda view: view,
    "public": lambda auth: auth.public,
    "required": lambda auth: auth.login_required,
    "optional": lambda auth: auth.login_optional,
    "scope": lambda auth: auth.login_required(scopes={"a"}),
    "one role": lambda auth: auth.login_required(roles=any_of("x", "y")),
    "both": lambda auth: auth.login_required(scopes={"a", any_of("b", "c")}, roles={"x"}),
}
SCHEMES: dict[str, Any] = {
    "bearer": lambda: Bearer(load),
    "basic": lambda: Basic(load_password, realm="console"),
    "key": lambda: APIKey(load),
    "cookie key": lambda: APIKey(load, cookie="key"),
    "session": lambda: SessionCookie(load, login_view="login"),
}
SENT: tuple[dict[str, str], ...] = (
    {},
    {"Authorization": "Bearer wrong"},
    {"Authorization": "Bearer poor"},
    {"Authorization": "Bearer good"},
    {"Authorization": "Bearer down"},
    {"Authorization": "Bearer a b"},
    {"X-API-Key": "wrong"},
    {"X-API-Key": "poor", "Authorization": "Bearer poor"},
    {"Cookie": "key=poor", "Origin": "https://other.example"},
)


def make_random_app(schemes: list[str], outer: str, guards: list[str]) -> tuple[Flask, Auth[Any]]:
    app = Flask("random", static_folder=None)
    app.config.update(SECRET_KEY="a secret of thirty-two characters", PROPAGATE_EXCEPTIONS=False)
    auth: Auth[Any] = Auth(*(SCHEMES[name]() for name in schemes), app=app, unavailable=[ConnectionError])
    if outer != "open":
        auth.protect(app, **({"scopes": {"a"}} if outer == "scope" else {}))
    app.add_url_rule("/login", "login", auth.public(lambda: "in"))
    for number, guard in enumerate(guards):
        view = GUARDS[guard](auth)(lambda: "in")
        app.add_url_rule(f"/{number}", f"view{number}", view, methods=["GET", "POST"])
    return app, auth


random_apps = st.builds(
    make_random_app,
    st.lists(st.sampled_from(sorted(SCHEMES)), min_size=1, max_size=4, unique=True),
    st.sampled_from(("open", "required", "scope")),
    st.lists(st.sampled_from(sorted(GUARDS)), min_size=1, max_size=5),
)


@settings(deadline=None)
@given(made=random_apps, sent=st.sampled_from(SENT), method=st.sampled_from(("GET", "POST")))
def test_the_document_of_a_random_app_tells_what_each_request_gets(made, sent, method):
    app, _ = made
    document = make_document(app_state_of(app))
    for path in document["paths"]:
        operation = document["paths"][path].get(method.lower())
        if operation is None:
            continue
        response = app.test_client().open(path, method=method, headers={**sent, "Accept": "application/json"})
        anonymous_passes = {} in operation.get("security", [{}]) or operation.get("security") == []
        if not sent:
            assert (response.status_code == 401) is not anonymous_passes
        if response.status_code == 200:
            continue
        documented = resolved(document, path, method.lower())[str(response.status_code)]
        lines = response.headers.getlist("WWW-Authenticate")
        header = documented.get("headers", {}).get("WWW-Authenticate", {})
        assert lines or not header.get("required")
        if response.json["message"] == documented_message(response.status_code):
            assert {*lines} <= {one["value"] for one in header.get("examples", {}).values()}


def documented_message(status: int) -> str:
    """The text of the usual refusal: a message of its own changes ``error_description``."""
    return {
        400: "The credentials are malformed.",
        401: "Authentication is required to access this resource.",
        403: "The credentials do not give the permissions that this resource needs.",
    }.get(status, "")


def test_bodies_that_a_method_of_the_app_makes_are_not_described():
    """flask-restful and flask-restx put a method of theirs on the app, and it answers for their resources."""
    restful = pytest.importorskip("flask_restful", reason="the extra test has it")
    app = Flask("shop", static_folder=None)
    auth: Auth[Any] = Auth(Bearer(load), app=app)

    class Notes(restful.Resource):
        method_decorators = [auth.login_required]

        def get(self) -> Any:
            return []

    restful.Api(app).add_resource(Notes, "/notes")
    found = resolved(auth.openapi(written(["GET /notes"])), "/notes")["401"]
    response = app.test_client().get("/notes")
    assert {*response.get_json()} == {"message"}
    assert "content" not in found
    assert examples(found) >= {*response.headers.getlist("WWW-Authenticate")}

"""What the views of a protected resource tell clients that find their way alone: AI agents (MCP), RFC 9728 §5."""

import json

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from flask import Blueprint, abort
from jwt.algorithms import ECAlgorithm

from flask_unauthorized import (
    APIKey,
    Auth,
    Basic,
    Bearer,
    Digest,
    DPoP,
    StepUpRequired,
    abort_forbidden,
    abort_unauthorized,
)
from flask_unauthorized.jose import public_key_jwk
from flask_unauthorized.loaders.jwt import JWT
from flask_unauthorized.resource_metadata.document import WELL_KNOWN
from tests.helpers import bearer_header

from .served import (
    ISSUER,
    METADATA_URL,
    ORIGIN,
    RESOURCE,
    TOKENS,
    app_with_resource,
    challenges,
    get_document,
)

KEY = ec.generate_private_key(ec.SECP256R1())


# --- challenges


@pytest.mark.rfc("M-18", "MC-02", "MC-03")
def test_who_sent_nothing_is_told_where_and_for_what(make_app):
    _, app = app_with_resource(make_app)
    client = app.test_client()
    response = client.get("/mcp")
    assert response.headers.getlist("WWW-Authenticate") == [
        f'Bearer realm="notes", scope="notes:read", resource_metadata="{METADATA_URL}"'
    ]
    told = challenges(response)["bearer"]["resource_metadata"]
    assert client.get(told.removeprefix(ORIGIN)).json["resource"] == RESOURCE
    assert challenges(client.get("/other")) == {"bearer": {"realm": "notes"}}


@pytest.mark.rfc("M-08")
def test_a_challenge_leads_to_a_document_about_the_url_that_was_asked_for(make_app):
    """For each URL that is declared; below it, one of the nearest that is, which most clients take."""
    auth = Auth(Bearer(TOKENS))
    app = make_app(auth)
    client = app.test_client()
    for path in ("/mcp", "/mcp/a", "/mcp/a/deep", "/mcp/b"):
        app.add_url_rule(path, path, auth.login_required(lambda: ""))
    for path in ("/mcp", "/mcp/a"):
        auth.protected_resource(ORIGIN + path)

    def led_to(path):
        url = challenges(client.get(path))["bearer"]["resource_metadata"]
        return client.get(url.removeprefix(ORIGIN)).json["resource"]

    assert [led_to(path) for path in ("/mcp", "/mcp/a")] == [f"{ORIGIN}/mcp", f"{ORIGIN}/mcp/a"]
    assert [led_to(path) for path in ("/mcp/a/deep", "/mcp/b")] == [f"{ORIGIN}/mcp/a", f"{ORIGIN}/mcp"]


def test_a_view_that_demands_no_scope_has_no_empty_one(make_app):
    _, app = app_with_resource(make_app, demands={})
    for headers in ({}, bearer_header("nonsense")):
        assert "scope" not in challenges(app.test_client().get("/mcp", headers=headers))["bearer"]


@pytest.mark.rfc("MC-04", "M-19")
@pytest.mark.parametrize(
    ("headers", "status", "error"),
    [
        ({}, 401, None),
        (bearer_header("nonsense"), 401, "invalid_token"),
        (bearer_header("none"), 403, "insufficient_scope"),
        ({"Authorization": "Bearer a b"}, 400, "invalid_request"),
        ({"Authorization": "Basic eDp5"}, 401, None),
        (bearer_header("read"), 200, None),
    ],
)
def test_the_statuses_are_told_apart_and_each_challenge_points_to_the_document(make_app, headers, status, error):
    _, app = app_with_resource(make_app)
    response = app.test_client().get("/mcp", headers=headers)
    assert response.status_code == status
    if status != 200:
        told = challenges(response)["bearer"]
        assert (told.get("error"), told["resource_metadata"], told["scope"]) == (error, METADATA_URL, "notes:read")
        assert list(told)[:3] == ["realm", "scope", "resource_metadata"]  # MCP clients search for the first "scope="


@pytest.mark.rfc("M-19")
def test_only_challenges_of_oauth_schemes_point_to_it(make_app):
    schemes = (
        Digest(lambda name: None), Basic(lambda name, word: None), APIKey(lambda key: None),
        DPoP(TOKENS, origin=ORIGIN, algorithms=["ES256"]), Bearer(TOKENS),
    )  # fmt: skip
    _, app = app_with_resource(make_app, *schemes, config={"SECRET_KEY": "a secret of thirty-two characters"})
    response = app.test_client().get("/mcp")
    told = challenges(response)
    assert list(told) == ["bearer", "dpop", "digest", "basic", "apikey"]  # MCP clients read the first alone
    assert {name for name, params in told.items() if params.get("resource_metadata") == METADATA_URL} == {
        "bearer",
        "dpop",
    }
    assert {name for name, params in told.items() if "scope" in params} == {"bearer", "dpop"}
    assert list(told["dpop"]) == ["realm", "scope", "resource_metadata", "algs"]
    elsewhere = challenges(app.test_client().get("/other"))
    assert list(elsewhere) == ["digest", "basic", "bearer", "apikey", "dpop"]
    wrong = challenges(app.test_client().get("/mcp", headers={"Authorization": "Basic eDp5"}))
    assert wrong["bearer"]["resource_metadata"] == METADATA_URL
    assert "resource_metadata" not in wrong["basic"]


@pytest.mark.rfc("M-19")
def test_with_dpop_alone_its_challenge_goes_first_and_points_to_it(make_app):
    _, app = app_with_resource(make_app, Basic(lambda name, word: None), DPoP(TOKENS, origin=ORIGIN))
    told = challenges(app.test_client().get("/mcp"))
    assert next(iter(told)) == "dpop"
    assert told["dpop"]["resource_metadata"] == METADATA_URL
    bad = app.test_client().get("/mcp", headers={"Authorization": "DPoP read"})
    assert (bad.status_code, challenges(bad)["dpop"]["error"]) == (401, "invalid_dpop_proof")
    assert challenges(bad)["dpop"]["resource_metadata"] == METADATA_URL


@pytest.mark.rfc("M-19", "SU-04")
def test_a_step_up_points_to_it_too(make_app):
    _, app = app_with_resource(make_app, demands={"acr": "gold", "max_age": 60, "scopes": {"notes:read"}})
    response = app.test_client().get("/mcp", headers=bearer_header("read"))
    assert response.status_code == 401
    assert challenges(response)["bearer"] | {"error_description": ""} == {
        "realm": "notes", "scope": "notes:read", "resource_metadata": METADATA_URL, "error": StepUpRequired.error,
        "error_description": "", "acr_values": "gold", "max_age": "60",
    }  # fmt: skip


@pytest.mark.rfc("MC-09")
def test_all_that_is_needed_is_told_at_once(make_app):
    _, app = app_with_resource(make_app, demands={"scopes": {"notes:read", "base"}})
    client = app.test_client()
    response = client.get("/mcp", headers=bearer_header("none"))
    assert response.status_code == 403
    found = challenges(response)["bearer"]
    assert list(found) == ["realm", "scope", "resource_metadata", "error", "error_description"]
    assert (found["scope"], found["resource_metadata"]) == ("base notes:read", METADATA_URL)


@pytest.mark.rfc("MC-09")
@pytest.mark.parametrize("how", ["require", "abort", "decorator"])
def test_what_a_tool_needs_besides_is_told_with_what_its_endpoint_needs(make_app, how):
    auth, app = app_with_resource(make_app)

    @auth.login_required(scopes={"notes:write"})
    def tool():
        return "done"

    @app.post("/mcp/tools")
    @auth.login_required(scopes={"notes:read"})
    def tools():
        if how == "require":
            auth.require(scopes={"notes:write"})
        elif how == "abort" and "notes:write" not in auth.identity.scopes:
            abort_forbidden(scopes={"notes:write"})
        return tool() if how == "decorator" else "done"

    client = app.test_client()
    refused = client.post("/mcp/tools", headers=bearer_header("read"))
    assert refused.status_code == 403
    told = challenges(refused)["bearer"]
    assert (told["scope"], told["error"], told["resource_metadata"]) == (
        "notes:read notes:write", "insufficient_scope", METADATA_URL,
    )  # fmt: skip
    assert client.post("/mcp/tools", headers=bearer_header("all")).text == "done"


@pytest.mark.rfc("MC-10")
def test_a_scope_that_includes_others_will_do(make_app):
    auth = Auth(Bearer(TOKENS), implied_scopes={"notes:write": {"notes:read"}})
    app = make_app(auth)
    auth.protected_resource(RESOURCE)
    app.add_url_rule("/mcp", "mcp", auth.login_required(scopes={"notes:read"})(lambda: "inside"))
    assert app.test_client().get("/mcp", headers=bearer_header("write")).text == "inside"


def test_the_same_refusal_elsewhere_says_nothing_of_the_resource(make_app):
    """Plans of one requirement are shared by endpoints, but not across resources."""
    _, app = app_with_resource(make_app)
    client = app.test_client()
    for _ in range(2):
        assert "resource_metadata" in challenges(client.get("/mcp"))["bearer"]
        assert "resource_metadata" not in challenges(client.get("/other"))["bearer"]
        assert "resource_metadata" in challenges(client.get("/mcp", headers=bearer_header("none")))["bearer"]
        assert "resource_metadata" not in challenges(client.get("/other", headers=bearer_header("none")))["bearer"]


def test_a_401_of_anybody_in_a_view_of_the_resource_points_to_it(make_app):
    _, app = app_with_resource(make_app)
    app.add_url_rule("/mcp/plain", "plain", lambda: abort(401))
    app.add_url_rule("/mcp/tuple", "tuple", lambda: ("", 401))
    app.add_url_rule("/mcp/ours", "ours", lambda: abort_unauthorized("No."))
    for path in ("/mcp/plain", "/mcp/tuple", "/mcp/ours"):
        assert challenges(app.test_client().get(path))["bearer"]["resource_metadata"] == METADATA_URL


@pytest.mark.parametrize(
    ("rule", "path", "belongs"),
    [
        ("/mcp/", "/mcp/", True), ("/mcp/<int:number>", "/mcp/1", True), ("/mcp/a/b", "/mcp/a/b", True),
        ("/mcpx", "/mcpx", False), ("/<name>", "/mcp-", False), ("/a/mcp", "/a/mcp", False), ("/MCP", "/MCP", False),
        ("/mcp<path:rest>", "/mcp-a", False),
    ],
)  # fmt: skip
def test_views_belong_by_whole_segments_of_their_path(make_app, rule, path, belongs):
    auth, app = app_with_resource(make_app)
    app.add_url_rule(rule, "added", auth.login_required(lambda **_: ""))
    told = challenges(app.test_client().get(path))["bearer"]
    assert ("resource_metadata" in told) == belongs


def test_views_of_blueprints_the_inner_goes_first(make_app):
    auth = Auth(Bearer(TOKENS))
    app = make_app(auth)
    outer, inner = Blueprint("outer", "outer", url_prefix="/x"), Blueprint("inner", "inner", url_prefix="/y")
    for one in (outer, inner):
        one.add_url_rule("/view", "view", auth.login_required(lambda: ""))
    outer.register_blueprint(inner)
    app.register_blueprint(outer)
    app.add_url_rule("/x/free", "free", auth.login_required(lambda: ""))
    app.add_url_rule("/elsewhere", "elsewhere", auth.login_required(lambda: ""))
    auth.protected_resource(f"{ORIGIN}/x")
    auth.protected_resource(f"{ORIGIN}/outer", views=outer)
    auth.protected_resource(f"{ORIGIN}/inner", views=[inner])
    told = [
        challenges(app.test_client().get(path))["bearer"].get("resource_metadata")
        for path in ("/x/view", "/x/y/view", "/x/free", "/elsewhere")
    ]
    assert told == [*(ORIGIN + WELL_KNOWN + path for path in ("/outer", "/inner", "/x")), None]


def test_the_challenges_are_ready_before_anybody_asks(make_app):
    auth, app = app_with_resource(make_app)
    auth.check(app)
    plan = app.extensions["unauthorized"].plans.for_endpoint("mcp")
    assert [str(one) for one in plan.challenges.default_challenges] == [
        f'Bearer realm="notes", scope="notes:read", resource_metadata="{METADATA_URL}"'
    ]
    with app.test_client() as client:
        first = client.get("/mcp", headers=bearer_header("nonsense")).headers["WWW-Authenticate"]
        assert client.get("/mcp", headers=bearer_header("nonsense")).headers["WWW-Authenticate"] == first


# --- agents (MCP)


@pytest.mark.rfc("MC-01", "MC-02")
def test_an_mcp_server_names_its_authorization_server(make_app):
    _, app = app_with_resource(make_app)
    assert get_document(app)["authorization_servers"] == [ISSUER]


@pytest.mark.rfc("MC-08")
def test_every_request_of_a_session_needs_the_token(make_app):
    _, app = app_with_resource(make_app)
    client = app.test_client()
    session = {"Mcp-Session-Id": "1868a90c"}
    assert client.post("/mcp", headers={**session, **bearer_header("read")}).status_code == 200
    assert client.post("/mcp", headers=session).status_code == 401


@pytest.mark.rfc("MC-05", "MC-06")
def test_a_token_for_another_server_is_not_taken(make_app):
    """Nor does the library pass it on: an identity holds no token. A view can read its request's header (F-26)."""
    key = public_key_jwk({**json.loads(ECAlgorithm.to_jwk(KEY.public_key())), "kid": "1"})
    auth, app = app_with_resource(make_app, Bearer(JWT(ISSUER, audience=RESOURCE, keys=key)), demands={})
    handed = []
    app.add_url_rule("/mcp/who", "who", auth.login_required(lambda: handed.append(auth.identity) or ""))

    def token(audience, ends=4_000_000_000, issuer=ISSUER):
        claims = {"iss": issuer, "aud": audience, "sub": "ada", "client_id": "c", "exp": ends, "iat": 1, "jti": "1"}
        return jwt.encode(claims, KEY, "ES256", headers={"typ": "at+jwt", "kid": "1"})

    client = app.test_client()
    good = token(RESOURCE)
    assert client.get("/mcp", headers=bearer_header(good)).status_code == 200
    client.get("/mcp/who", headers=bearer_header(good))
    told = repr([(getattr(handed[0], name), str(name)) for name in dir(handed[0]) if not name.startswith("__")])
    assert good.rpartition(".")[2] not in told
    wrong = (
        token(ORIGIN),
        token(f"{RESOURCE}/"),
        token(RESOURCE.upper()),
        token("other"),
        token(RESOURCE, 1),
        token(RESOURCE, issuer=ORIGIN),
    )
    for one in wrong:
        response = client.get("/mcp", headers=bearer_header(one))
        assert (response.status_code, challenges(response)["bearer"]["error"]) == (401, "invalid_token")


@pytest.mark.rfc("MC-13")
@pytest.mark.parametrize(
    ("origin", "refused"),
    [
        (None, False), (ORIGIN, False), ("HTTPS://API.example.com", False), ("https://app.example.com", False),
        ("https://evil.example", True), ("http://api.example.com", True), ("null", True), ("", True),
        (f"{ORIGIN}:444", True), (f"{ORIGIN}.evil.example", True), ("https://app.example.com.", True),
    ],
)  # fmt: skip
@pytest.mark.parametrize("token", [None, "read", "nonsense", "a b"])
def test_a_bad_origin_is_refused_before_anything_else(make_app, origin, refused, token):
    asked = []
    _, app = app_with_resource(
        make_app, Bearer(lambda token: asked.append(token) or TOKENS(token)), origins={"https://app.example.com"}
    )
    headers = {**({} if origin is None else {"Origin": origin}), **({} if token is None else bearer_header(token))}
    response = app.test_client().post("/mcp", headers={**headers, "Host": "evil.example"})
    if refused:
        assert (response.status_code, asked) == (403, [])
        assert "WWW-Authenticate" not in response.headers
    else:
        assert response.status_code == {None: 401, "read": 200, "nonsense": 401, "a b": 400}[token]


@pytest.mark.rfc("MC-13")
def test_a_server_on_the_own_machine_is_safe_from_pages(make_app):
    """DNS rebinding: the page's own name leads to 127.0.0.1, but its Origin stays."""
    _, app = app_with_resource(make_app, resource="http://127.0.0.1:5000/mcp", origins=())
    client = app.test_client()
    rebound = {"Origin": "http://evil.example:5000", "Host": "evil.example:5000", **bearer_header("read")}
    assert client.post("/mcp", headers=rebound).status_code == 403
    assert client.post("/mcp", headers={"Origin": "http://127.0.0.1:5000", **bearer_header("read")}).status_code == 200
    _, open_to_all = app_with_resource(make_app)  # without origins= the field is not looked at
    assert open_to_all.test_client().post("/mcp", headers={**rebound, "Host": "a.example"}).status_code == 200
    assert client.get("/other", headers={"Origin": "http://evil.example", **bearer_header("read")}).status_code == 200


def test_without_origins_none_is_looked_at(make_app):
    _, app = app_with_resource(make_app)
    assert (
        app.test_client().post("/mcp", headers={"Origin": "https://x.example", **bearer_header("read")}).status_code
        == 200
    )

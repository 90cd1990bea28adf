"""The metadata document of a protected resource (RFC 9728): where it lies, and what it says."""

import json

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from flask import Blueprint, Flask
from flask.cli import ScriptInfo
from flask.views import MethodView
from werkzeug.middleware.proxy_fix import ProxyFix

from flask_unauthorized import (
    APIKey,
    Auth,
    Bearer,
    ConfigurationError,
    DPoP,
    any_of,
)
from flask_unauthorized.cli import commands
from flask_unauthorized.resource_metadata.document import WELL_KNOWN, parse_identifier
from tests.helpers import bearer_header

from .served import (
    ISSUER,
    METADATA_PATH,
    ORIGIN,
    RESOURCE,
    TOKENS,
    app_with_resource,
    challenges,
    get_document,
)

# --- where a document lies


@pytest.mark.rfc("M-02", "M-03")
@pytest.mark.parametrize(
    ("resource", "url"),
    [
        # RFC 9728 §3, §3.1 and the MCP specification
        ("https://resource.example.com", "https://resource.example.com/.well-known/oauth-protected-resource"),
        ("https://resource.example.com/", "https://resource.example.com/.well-known/oauth-protected-resource"),
        (
            "https://resource.example.com/resource1",
            "https://resource.example.com/.well-known/oauth-protected-resource/resource1",
        ),
        ("https://resource.example.com/a/", "https://resource.example.com/.well-known/oauth-protected-resource/a/"),
        (
            "https://resource.example.com:8443/a/b",
            "https://resource.example.com:8443/.well-known/oauth-protected-resource/a/b",
        ),
        (
            "https://resource.example.com/r?x=1",
            "https://resource.example.com/.well-known/oauth-protected-resource/r?x=1",
        ),
        ("https://resource.example.com?x=1", "https://resource.example.com/.well-known/oauth-protected-resource?x=1"),
        ("https://resource.example.com/?x=1", "https://resource.example.com/.well-known/oauth-protected-resource?x=1"),
        ("https://example.com/public/mcp", "https://example.com/.well-known/oauth-protected-resource/public/mcp"),
    ],
)
def test_the_document_lies_at_the_well_known_place(make_app, resource, url):
    assert parse_identifier(resource).metadata_url == url
    auth = Auth(Bearer(TOKENS))
    app = make_app(auth)
    assert auth.protected_resource(resource, views=app) == url
    app.add_url_rule("/", "view", auth.login_required(lambda: ""))
    path = url.partition("example.com")[2].removeprefix(":8443")
    assert get_document(app, path)["resource"] == resource
    stem, mark, query = path.partition("?")
    other = stem[:-1] if stem.endswith("/") else stem + "/"
    assert get_document(app, other + mark + query)["resource"] == resource  # by either spelling


@pytest.mark.rfc("M-04", "M-07")
def test_several_resources_have_their_own_documents(make_app):
    auth = Auth(Bearer(TOKENS))
    app = make_app(auth)
    declared = [f"{ORIGIN}/", f"{ORIGIN}/a", f"{ORIGIN}/a/b/", f"{ORIGIN}/caf%C3%A9", f"{ORIGIN}/A"]
    for resource in declared:
        auth.protected_resource(resource, scopes={f"of:{resource}"})
    for path in ("/x", "/a", "/a/b/c", "/café", "/A"):
        app.add_url_rule(path, path[1:], auth.login_required(lambda: ""))
    client = app.test_client()
    for resource in declared:
        url = parse_identifier(resource).metadata_url
        found = client.get(url.removeprefix(ORIGIN)).json
        assert (found["resource"], found["scopes_supported"]) == (resource, [f"of:{resource}"])
    for path, resource in zip(("/x", "/a", "/a/b/c", "/café", "/A"), declared, strict=True):
        assert challenges(client.get(path))["bearer"]["resource_metadata"] == parse_identifier(resource).metadata_url
    assert client.get(f"{WELL_KNOWN}/b").status_code == 404


def test_a_slash_at_the_end_may_make_another_resource(make_app):
    auth = Auth(Bearer(TOKENS))
    app = make_app(auth)
    first, second = Blueprint("first", "first"), Blueprint("second", "second")
    for one, resource in ((first, f"{ORIGIN}/a"), (second, f"{ORIGIN}/a/")):
        one.add_url_rule(f"/{one.name}", "view", auth.login_required(lambda: ""))
        app.register_blueprint(one)
        auth.protected_resource(resource, views=one)
    assert get_document(app, f"{WELL_KNOWN}/a")["resource"] == f"{ORIGIN}/a"
    assert get_document(app, f"{WELL_KNOWN}/a/")["resource"] == f"{ORIGIN}/a/"


def test_two_hosts_with_one_path(make_app):
    auth = Auth(Bearer(TOKENS))
    app = Flask("hosts", host_matching=True, static_host="a.example.com")
    app.testing = True
    auth.init_app(app)
    for host in ("a.example.com", "b.example.com:8443"):
        auth.protected_resource(f"https://{host}/mcp")
        app.add_url_rule("/mcp", host.replace(".", "-"), auth.login_required(lambda: ""), host=host)
    client = app.test_client()
    for host in ("a.example.com", "b.example.com:8443"):
        base = f"https://{host}"
        assert client.get(METADATA_PATH, base_url=base).json["resource"] == f"{base}/mcp"
        assert challenges(client.get("/mcp", base_url=base))["bearer"]["resource_metadata"] == base + METADATA_PATH
    assert client.get(METADATA_PATH, base_url="https://c.example.com").status_code == 404


BOTH = ("http://127.0.0.1:5000/mcp", "http://localhost:5000/mcp", "https://API.example.com/mcp")
BASES = ("http://127.0.0.1:5000", "http://localhost:5000", "https://api.example.com")


@pytest.mark.parametrize("guard", ["view", "protect", "repaired"])
@pytest.mark.parametrize("scheme", [Bearer, lambda load: DPoP(load, origin="https://api.example.com")])
def test_one_resource_under_several_hosts(make_app, scheme, guard):  # F-40; RFC 9728 §3.3
    auth = Auth(scheme(TOKENS), APIKey({}.get), realm="notes")
    app = make_app(auth)
    assert auth.protected_resource(BOTH[0], aliases=BOTH[1:], scopes={"notes"}, origins=[]) == BASES[0] + METADATA_PATH
    view = {"view": auth.login_required(lambda: "in"), "protect": lambda: "in", "repaired": lambda: ("", 401)}[guard]
    app.add_url_rule("/mcp", "mcp", view)
    if guard == "protect":
        auth.protect(app)
    auth.check(app)
    client = app.test_client()
    name = auth.schemes[0].name
    # The declared spelling counts, whatever the case of Host.
    for base, url in [*zip(BASES, BOTH, strict=True), (BASES[2].upper().replace("HTTPS", "https"), BOTH[2])] * 2:
        found = client.get(METADATA_PATH, base_url=base).json
        assert (found["resource"], found["scopes_supported"]) == (url, ["notes"])
        for headers in ({}, {"Authorization": f"{name} bad"}, {"Origin": base.lower()}):
            response = client.get("/mcp", base_url=base, headers=headers)
            assert response.status_code == 401
            told = challenges(response)
            assert told[name.lower()]["resource_metadata"] == url.removesuffix("/mcp") + METADATA_PATH
            assert "resource_metadata" not in told["apikey"]
    for headers in ({}, {"Authorization": f"{name} bad"}):  # a host that nobody declared
        told = challenges(client.get("/mcp", base_url="http://10.0.0.1:8080", headers=headers))
        assert told[name.lower()]["resource_metadata"] == BASES[0] + METADATA_PATH
    assert client.get(METADATA_PATH, base_url="http://10.0.0.1:8080").json["resource"] == BOTH[0]
    if guard != "repaired":
        assert client.get("/mcp", headers={"Origin": "https://other.example"}).status_code == 403


@pytest.mark.parametrize("first", ["ProxyFix", "twice", "init_app", "other"])
def test_the_host_that_a_proxy_tells_chooses_the_document(first):  # F-40; RFC 9728 §3.3
    app = Flask("notes")
    app.testing = True
    auth = Auth(Bearer(TOKENS))

    def behind_proxy():
        app.wsgi_app = ProxyFix(app.wsgi_app, x_proto=1, x_host=1)

    if first == "other":  # another middleware between the two
        inner = app.wsgi_app
        app.wsgi_app = lambda environ, start_response: inner(environ, start_response)
    if first != "init_app":
        behind_proxy()
    if first == "twice":
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=1, x_proto=0)
    auth.init_app(app)
    auth.protected_resource("https://a.example/mcp", aliases=["https://b.example/mcp"])
    app.add_url_rule("/mcp", "mcp", auth.login_required(lambda: ""))
    if first == "init_app":
        behind_proxy()
    for host in ("a.example", "b.example", "a.example"):
        told = {"Host": "internal:8000", "X-Forwarded-Host": host, "X-Forwarded-Proto": "https"}
        client = app.test_client()
        pointed = challenges(client.get("/mcp", headers=told))["bearer"]["resource_metadata"]
        assert pointed == f"https://{host}{METADATA_PATH}"
        assert client.get(METADATA_PATH, headers=told).json["resource"] == f"https://{host}/mcp"


def test_aliases_keep_the_scope_of_a_403_apart(make_app):  # F-40
    _, app = app_with_resource(make_app, aliases=["https://old.example.com/mcp"], demands={"scopes": {"notes:write"}})
    for base in (ORIGIN, "https://old.example.com", ORIGIN):
        response = app.test_client().get("/mcp", base_url=base, headers=bearer_header("read"))
        assert response.status_code == 403
        assert challenges(response)["bearer"]["resource_metadata"] == base + METADATA_PATH


def test_an_alias_may_have_another_path(make_app):  # F-40
    _, app = app_with_resource(make_app, aliases=["https://old.example.com/api/mcp"])
    assert get_document(app, f"{WELL_KNOWN}/api/mcp")["resource"] == "https://old.example.com/api/mcp"
    told = challenges(app.test_client().get("/mcp", base_url="https://old.example.com"))
    assert told["bearer"]["resource_metadata"] == f"https://old.example.com{WELL_KNOWN}/api/mcp"


def test_hosts_of_rules_belong_by_their_aliases(make_app):  # F-40
    auth = Auth(Bearer(TOKENS))
    app = Flask("hosts", host_matching=True, static_host="a.example.com")
    app.testing = True
    auth.init_app(app)
    auth.protected_resource("https://a.example.com/mcp", aliases=["https://b.example.com/mcp"])
    view = auth.login_required(lambda: "")
    for host in ("a.example.com", "b.example.com"):
        app.add_url_rule("/mcp", "mcp", view, host=host)
    app.add_url_rule("/mcp", "other", auth.login_required(lambda: "other"), host="c.example.com")
    for host in ("a.example.com", "b.example.com"):
        told = challenges(app.test_client().get("/mcp", base_url=f"https://{host}"))
        assert told["bearer"]["resource_metadata"] == f"https://{host}{METADATA_PATH}"
    told = challenges(app.test_client().get("/mcp", base_url="https://c.example.com"))
    assert "resource_metadata" not in told["bearer"]


@pytest.mark.parametrize(
    ("aliases", "error", "text"),
    [
        ("http://localhost/mcp", TypeError, "aliases must be a collection of str"),
        ([RESOURCE], ConfigurationError, "share a host"),
        ([f"{ORIGIN}:443/other"], ConfigurationError, "share a host"),
        (["https://b.example/mcp", "https://b.example/x"], ConfigurationError, "share a host"),
        (["http://b.example/mcp"], ConfigurationError, "must be https"),
        (["https://b.example/mcp#x"], ConfigurationError, "fragment"),
        ([5], TypeError, "collection of str"),
    ],
)
def test_aliases_that_cannot_be(make_app, aliases, error, text):  # F-40
    with pytest.raises(error, match=text):
        app_with_resource(make_app, aliases=aliases)


def test_an_alias_is_declared_once(make_app):  # F-40
    auth, _ = app_with_resource(make_app, aliases=["https://b.example/mcp"])
    for again in ({"resource": "https://b.example/mcp"}, {"resource": "https://c.example/x", "aliases": [RESOURCE]}):
        with pytest.raises(ConfigurationError, match=r"^the resource 'https://.+' is declared already"):
            auth.protected_resource(**again)


def test_two_urls_of_one_view_are_told_to_be_declared_together(make_app):  # F-40
    auth, app = app_with_resource(make_app)
    auth.protected_resource("https://old.example.com/mcp")
    with pytest.raises(ConfigurationError, match="aliases="):
        auth.check(app)


def test_the_command_prints_the_document_of_an_alias(make_app):  # F-40
    _, app = app_with_resource(make_app, aliases=["https://old.example.com/mcp"])
    runner = app.test_cli_runner()
    for url in (RESOURCE, "https://old.example.com/mcp"):
        result = runner.invoke(commands, ["resource-metadata", url], obj=ScriptInfo(create_app=lambda: app))
        assert json.loads(result.output)["resource"] == url


def test_subdomains_tell_resources_apart(make_app):
    auth = Auth(Bearer(TOKENS))
    app = Flask("subdomains", subdomain_matching=True)
    app.config.update(TESTING=True, SERVER_NAME="example.com")
    auth.init_app(app)
    for name in ("a", "b"):
        auth.protected_resource(f"https://{name}.example.com/mcp")
        app.add_url_rule("/mcp", name, auth.login_required(lambda: ""), subdomain=name)
    client = app.test_client()
    for name in ("a", "b"):
        found = client.get("/mcp", base_url=f"https://{name}.example.com")
        assert challenges(found)["bearer"]["resource_metadata"] == f"https://{name}.example.com{METADATA_PATH}"


def test_two_resources_that_nothing_tells_apart_are_a_mistake(make_app):
    auth, app = app_with_resource(make_app)
    auth.protected_resource("https://other.example.com/mcp")
    with pytest.raises(ConfigurationError, match="cannot name one"):
        auth.check(app)


# --- what a document says


@pytest.mark.rfc("M-05", "M-06", "M-21")
def test_get_gives_one_json_object(make_app):
    _, app = app_with_resource(make_app)
    client = app.test_client()
    got = client.get(METADATA_PATH)
    assert (got.status_code, got.headers["Content-Type"]) == (200, "application/json")
    assert int(got.headers["Cache-Control"].removeprefix("public, max-age=")) > 0
    assert json.loads(got.data)["resource"] == RESOURCE
    head = client.head(METADATA_PATH)
    assert (head.status_code, head.data) == (200, b"")
    assert head.headers == got.headers
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        refused = client.open(METADATA_PATH, method=method)
        assert (refused.status_code, refused.headers["Allow"]) == (405, "GET, HEAD, OPTIONS")


@pytest.mark.rfc("M-07", "M-23", "MC-12")
@pytest.mark.parametrize(
    ("resource", "path", "url"),  # of its document, written out: the well-known part stands behind the host (F-26)
    [
        (
            "HTTPS://API.Example.com/MCP",
            "/.well-known/oauth-protected-resource/MCP",
            "HTTPS://API.Example.com/.well-known/oauth-protected-resource/MCP",
        ),
        (
            "https://api.example.com:443/mcp/",
            "/.well-known/oauth-protected-resource/mcp/",
            "https://api.example.com:443/.well-known/oauth-protected-resource/mcp/",
        ),
        (
            "https://api.example.com/m%63p",
            "/.well-known/oauth-protected-resource/m%63p",
            "https://api.example.com/.well-known/oauth-protected-resource/m%63p",
        ),
        (
            "https://api.example.com/mcp;a=b,c/%7Ex",
            "/.well-known/oauth-protected-resource/mcp;a=b,c/%7Ex",
            "https://api.example.com/.well-known/oauth-protected-resource/mcp;a=b,c/%7Ex",
        ),
        (
            "https://[2001:DB8::1]/mcp",
            "/.well-known/oauth-protected-resource/mcp",
            "https://[2001:DB8::1]/.well-known/oauth-protected-resource/mcp",
        ),
    ],
)
def test_an_identifier_is_kept_byte_for_byte(make_app, resource, path, url):
    """Upper case, a default port, a slash and escapes stay, for clients compare characters; Host never gets in."""
    _, app = app_with_resource(make_app, resource=resource, views=None)
    app.add_url_rule("/MCP", "a", app.view_functions["mcp"])
    app.add_url_rule("/mcp;a=b,c/~x", "b", app.view_functions["mcp"])
    evil = {"Host": "evil.example", "X-Forwarded-Host": "evil.example", "Forwarded": "host=evil.example"}
    assert get_document(app, path, headers=evil)["resource"] == resource
    client = app.test_client()
    found = [challenges(client.get(one, headers=evil)) for one in ("/mcp", "/MCP", "/mcp;a=b,c/~x")]
    urls = {one["bearer"].get("resource_metadata") for one in found} - {None}
    assert urls == {url}


def test_the_bytes_of_a_document_are_utf_8(make_app):
    _, app = app_with_resource(make_app, name="Notizen für Bär")
    assert "Bär".encode() in app.test_client().get(METADATA_PATH).data


@pytest.mark.rfc("M-09", "M-10", "M-11")
def test_lists_are_arrays_and_what_is_empty_is_left_out(make_app):
    _, app = app_with_resource(make_app)
    assert get_document(app) == {
        "resource": RESOURCE,
        "authorization_servers": [ISSUER],
        "scopes_supported": ["notes:read"],
        "bearer_methods_supported": ["header"],
    }
    _, app = app_with_resource(make_app, APIKey(lambda key: None), demands={}, authorization_servers=())
    assert get_document(app) == {"resource": RESOURCE, "bearer_methods_supported": []}  # none: RFC 9728 §2


@pytest.mark.rfc("M-11")
def test_scopes_supported_follow_from_what_the_views_of_the_resource_demand(make_app):
    auth = Auth(Bearer(TOKENS))
    app = make_app(auth)
    api, admin = Blueprint("api", "api", url_prefix="/mcp"), Blueprint("admin", "admin", url_prefix="/admin")
    auth.protected_resource(RESOURCE, scopes=["given", "notes:read"])
    auth.protect(api, scopes={"base"}, public={"open"})
    api.add_url_rule("/one", "one", auth.login_required(scopes={"notes:read"})(lambda: ""))
    api.add_url_rule("/two", "two", auth.login_required(scopes=any_of("a", "b"))(lambda: ""))
    api.add_url_rule("/open", "open", lambda: "")
    api.add_url_rule("/maybe", "maybe", auth.login_optional(scopes={"maybe"})(lambda: ""))
    admin.add_url_rule("/all", "all", auth.login_required(scopes={"admin"})(lambda: ""))
    app.register_blueprint(api)
    app.register_blueprint(admin)
    assert get_document(app)["scopes_supported"] == ["a", "b", "base", "given", "maybe", "notes:read"]
    told = challenges(app.test_client().get("/mcp/two"))["bearer"]
    assert told["scope"] == "a base"


def test_scopes_supported_are_those_of_the_table_of_routes(make_app):
    """Methods of class views, guarded hooks, and an app that hasn't served a request yet."""
    auth = Auth(Bearer(TOKENS))
    serving, waiting = make_app(auth), make_app(auth)
    auth.protected_resource(RESOURCE)
    hook = Blueprint("hook", "hook", url_prefix="/mcp/hook")
    hook.before_request(auth.login_required(scopes={"of:hook"})(lambda: None))
    hook.add_url_rule("/", "view", lambda: "")
    serving.register_blueprint(hook)

    class Notes(MethodView):
        @auth.login_required(scopes={"of:get"})
        def get(self):
            return ""

        @auth.login_optional(scopes={"of:post"}, unless=lambda: True)
        def post(self):
            return ""

    waiting.add_url_rule("/mcp/notes", view_func=Notes.as_view("notes"))
    found = {
        scope
        for app in (serving, waiting)
        for route in auth.routes(app)
        if route.resource is not None and route.requirement is not None
        for group in route.requirement.scopes
        for scope in group
    }
    assert get_document(serving)["scopes_supported"] == sorted(found) == ["of:get", "of:hook", "of:post"]


@pytest.mark.rfc("M-12", "B-19", "MC-07")
@pytest.mark.parametrize("ways", [set(), {"form"}, {"query"}, {"form", "query"}])
def test_the_ways_to_send_a_token_are_those_that_work(make_app, ways):
    _, app = app_with_resource(make_app, Bearer(TOKENS, **dict.fromkeys(ways, True)))
    client = app.test_client()
    working = {
        "header": client.get("/mcp", headers=bearer_header("read")),
        "body": client.post("/mcp", data={"access_token": "read"}),
        "query": client.get("/mcp?access_token=read"),
    }
    assert {response.status_code for response in working.values()} <= {200, 401}
    accepted = {name for name, response in working.items() if response.status_code == 200}
    assert set(get_document(app)["bearer_methods_supported"]) == accepted


@pytest.mark.rfc("M-13", "M-14")
def test_what_a_resource_signs_with(make_app):
    _, app = app_with_resource(make_app, jwks_uri=f"{ORIGIN}/keys", signing_algorithms=["ES256", "EdDSA"])
    found = get_document(app)
    assert found["jwks_uri"] == f"{ORIGIN}/keys"
    assert found["resource_signing_alg_values_supported"] == ["ES256", "EdDSA"]
    with pytest.raises(ConfigurationError, match="https"):
        app_with_resource(make_app, jwks_uri="http://api.example.com/keys")
    with pytest.raises(ConfigurationError, match="none"):
        app_with_resource(make_app, signing_algorithms=["ES256", "none"])


@pytest.mark.rfc("M-15")
def test_what_people_read_may_be_in_languages(make_app):
    page = f"{ORIGIN}/docs"
    _, app = app_with_resource(
        make_app, name={"": "Notes", "it": "Note", "pt-BR": "Notas"}, documentation=page,
        policy={"": f"{page}/policy", "de": f"{page}/regeln"}, terms=f"{page}/terms?x=1",
    )  # fmt: skip
    found = get_document(app)
    assert {name: value for name, value in found.items() if name.startswith("resource_")} == {
        "resource_name": "Notes",
        "resource_name#it": "Note",
        "resource_name#pt-BR": "Notas",
        "resource_documentation": page,
        "resource_policy_uri": f"{page}/policy",
        "resource_policy_uri#de": f"{page}/regeln",
        "resource_tos_uri": f"{page}/terms?x=1",
    }
    with pytest.raises(ConfigurationError, match="no default text"):
        app_with_resource(make_app, name={"it": "Note"})


@pytest.mark.rfc("M-16")
@pytest.mark.parametrize("kinds", ["bearer", "dpop", "both"])
def test_what_is_said_of_dpop_is_what_holds(make_app, kinds):
    bearer = Bearer(TOKENS)
    dpop = DPoP(TOKENS, origin=ORIGIN, algorithms=["ES256", "PS256"])
    schemes = {"bearer": (bearer,), "dpop": (dpop,), "both": (bearer, dpop)}[kinds]
    _, app = app_with_resource(make_app, *schemes)
    found = get_document(app)
    assert found.get("dpop_signing_alg_values_supported") == (None if kinds == "bearer" else ["ES256", "PS256"])
    assert found.get("dpop_bound_access_tokens_required") == (True if kinds == "dpop" else None)
    assert found["bearer_methods_supported"] == ["header"]
    assert "tls_client_certificate_bound_access_tokens" not in found
    response = app.test_client().get("/mcp", headers=bearer_header("read"))
    assert response.status_code == (401 if kinds == "dpop" else 200)
    offered = set(challenges(app.test_client().get("/mcp")))
    assert offered == {"bearer": {"bearer"}, "dpop": {"dpop"}, "both": {"bearer", "dpop"}}[kinds]


@pytest.mark.rfc("M-16")
def test_what_is_said_of_certificates_and_of_details(make_app):
    _, app = app_with_resource(
        make_app, Bearer(TOKENS, certificate=lambda request: None), authorization_details_types=["payment"]
    )  # fmt: skip
    found = get_document(app)
    assert found["tls_client_certificate_bound_access_tokens"] is True
    assert found["authorization_details_types_supported"] == ["payment"]
    _, app = app_with_resource(make_app, DPoP(TOKENS, origin=ORIGIN, certificate=lambda request: None))
    assert get_document(app)["tls_client_certificate_bound_access_tokens"] is True
    _, app = app_with_resource(make_app)
    assert not {name for name in get_document(app) if name.startswith(("tls", "dpop", "authorization_details"))}


KEY = ec.generate_private_key(ec.SECP256R1())


def signed(claims, algorithm="ES256"):
    return jwt.encode(claims, KEY if algorithm == "ES256" else None, algorithm=algorithm)


@pytest.mark.rfc("M-17")
def test_signed_metadata_passes_as_it_is(make_app):
    token = signed({"iss": ORIGIN, "resource": RESOURCE, "resource_name": "Notes"})
    _, app = app_with_resource(make_app, signed_metadata=token)
    found = get_document(app)["signed_metadata"]
    assert jwt.decode(found, KEY.public_key(), algorithms=["ES256"])["resource_name"] == "Notes"


@pytest.mark.rfc("M-17")
@pytest.mark.parametrize(
    ("token", "problem"),
    [
        (signed({"resource": RESOURCE}), "no iss"),
        (signed({"iss": ORIGIN, "signed_metadata": "x"}), "itself"),
        (
            signed({"iss": ORIGIN, "resource": f"{ORIGIN}/other"}),
            f"^signed_metadata is for the resource '{ORIGIN}/other'",
        ),
        (signed({"iss": ORIGIN}, "none"), "not signed"),
        (signed({"iss": ORIGIN}, "none") + "c2lnbmVk", "not signed"),
        (signed({"iss": ORIGIN}).rpartition(".")[0], "three parts"),
        (signed({"iss": ORIGIN}).rpartition(".")[0] + ".", "not signed"),
        ("WzFd.WzFd.x", "three parts"),
        ("!!!.e30.x", "three parts"),
        ("nonsense", "three parts"),
    ],
)
def test_signed_metadata_that_clients_would_refuse(make_app, token, problem):
    with pytest.raises(ConfigurationError, match=problem):
        app_with_resource(make_app, signed_metadata=token)


# RFC 9728 §2. Arguments and the views decide these members, so extra= must not say something else.
REGISTERED_MEMBERS = (
    "resource", "authorization_servers", "jwks_uri", "scopes_supported", "bearer_methods_supported",
    "resource_signing_alg_values_supported", "resource_name", "resource_documentation", "resource_policy_uri",
    "resource_tos_uri", "tls_client_certificate_bound_access_tokens", "authorization_details_types_supported",
    "dpop_signing_alg_values_supported", "dpop_bound_access_tokens_required", "signed_metadata",
)  # fmt: skip


@pytest.mark.parametrize("name", REGISTERED_MEMBERS)
def test_no_member_of_the_rfc_is_an_extra_one(make_app, name):
    with pytest.raises(ConfigurationError, match=f"extra has .*{name}"):
        app_with_resource(make_app, extra={name: "x"})


def test_other_members(make_app):
    _, app = app_with_resource(make_app, extra={"x_contact": "ada@example.com", "mcp_protocol_version": ["2025-11-25"]})
    assert get_document(app)["mcp_protocol_version"] == ["2025-11-25"]
    for name, value in (("resource", RESOURCE), ("resource_name#it", "x"), ("x", None), ("x", []), ("x", float("nan"))):
        with pytest.raises(ConfigurationError, match="extra has"):
            app_with_resource(make_app, extra={name: value})

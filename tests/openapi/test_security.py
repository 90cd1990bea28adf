"""Security schemes and security requirements: OpenAPI 3.1 §4.8.27 and §4.8.30."""

import copy

import pytest

from flask_unauthorized import (
    APIKey,
    Basic,
    Bearer,
    ConfigurationError,
    Digest,
    DPoP,
    Scheme,
    SessionCookie,
    any_of,
)
from flask_unauthorized.jose import hmac_key
from flask_unauthorized.loaders.jwt import JWT
from flask_unauthorized.openapi.security import MAX_ALTERNATIVES
from flask_unauthorized.schemes.remote_user import RemoteUser
from flask_unauthorized.wire import Challenge

from .conftest import written


def load(*credentials):
    return None


class Ticket(Scheme[str]):
    name = "Ticket"

    def read(self, request, rest):
        return rest

    def verify(self, credentials, request):
        return None

    def challenges(self, realm, error, request):
        return (Challenge(self.name, {"realm": realm}),)


class Certificate(Ticket):
    name = "Certificate"
    reads = (("environ", "SSL_CLIENT_CERT"),)

    def openapi(self):
        return {"type": "mutualTLS"}


def schemes_in(site, *schemes, version="3.1", **config):
    _, auth = site(*schemes, views={"GET /a": {}}, **config)
    document = auth.openapi(written(["GET /a"], version))
    if version == "2.0":
        return document.get("securityDefinitions", {})
    return document.get("components", {}).get("securitySchemes", {})


@pytest.mark.rfc("OA-01", "OA-02", "OA-03")
@pytest.mark.parametrize(
    ("scheme", "name", "said"),
    [
        (Bearer(load), "Bearer", {"type": "http", "scheme": "bearer"}),
        (Bearer(load, name="Token"), "Token", {"type": "http", "scheme": "token"}),
        (Basic(load), "Basic", {"type": "http", "scheme": "basic"}),
        (Digest(load), "Digest", {"type": "http", "scheme": "digest"}),
        (DPoP(load, origin="https://a.example"), "DPoP", {"type": "http", "scheme": "dpop"}),
        (APIKey(load), "ApiKey", {"type": "apiKey", "in": "header", "name": "X-API-Key"}),
        (APIKey(load, cookie="k"), "ApiKey", {"type": "apiKey", "in": "cookie", "name": "k"}),
        (SessionCookie(load), "Cookie", {"type": "apiKey", "in": "cookie", "name": "visit"}),
        (RemoteUser(load), "RemoteUser", {"type": "http", "scheme": "remoteuser"}),
        (Ticket(load), "Ticket", {"type": "http", "scheme": "ticket"}),
        (Certificate(load), "Certificate", {"type": "mutualTLS"}),
    ],
)
def test_each_scheme_is_one_of_the_known_types_with_its_members(site, scheme, name, said):
    assert schemes_in(site, scheme, SESSION_COOKIE_NAME="visit") == {name: said}


@pytest.mark.rfc("OA-03")
def test_tokens_of_a_jwt_loader_are_hinted_at(site):
    jwt = JWT("https://id.example", audience="a", keys=hmac_key(b"k" * 32), algorithms=["HS256"])
    assert schemes_in(site, Bearer(jwt)) == {"Bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}}
    assert "bearerFormat" not in schemes_in(site, Bearer(jwt, load))["Bearer"]


def test_a_key_in_the_query(site, caplog):
    assert schemes_in(site, APIKey(load, query="key")) == {"ApiKey": {"type": "apiKey", "in": "query", "name": "key"}}


FLOW = {"clientCredentials": {"tokenUrl": "https://id.example/token", "scopes": {"a": "read"}}}
OAUTH = {"type": "oauth2", "flows": FLOW}
OPENID = {"type": "openIdConnect", "openIdConnectUrl": "https://id.example/.well-known/openid-configuration"}


@pytest.mark.rfc("OA-01", "OA-02")
@pytest.mark.parametrize("given", [OAUTH, OPENID])
def test_the_app_states_its_flows_itself(site, given):
    for scheme in (Bearer(load, openapi=given), DPoP(load, origin="https://a.example", openapi=given)):
        assert schemes_in(site, scheme) == {scheme.name: given}


@pytest.mark.rfc("OA-01", "OA-02")
@pytest.mark.parametrize(
    ("given", "error", "says"),
    [
        ({"type": "token"}, ConfigurationError, "'token'.*use one of apiKey, http, mutualTLS, oauth2, openIdConnect"),
        ({}, ConfigurationError, "the type None"),
        ({"type": "oauth2"}, ConfigurationError, "no 'flows'"),
        ({"type": "openIdConnect"}, ConfigurationError, "no 'openIdConnectUrl'"),
        ({"type": "http"}, ConfigurationError, "no 'scheme'"),
        ({"type": "apiKey", "name": "a"}, ConfigurationError, "no 'in'"),
        ({"type": "apiKey", "name": "a", "in": "body"}, ConfigurationError, "in='body'.*header, query, cookie"),
        ("bearer", TypeError, "must be a mapping"),
    ],
)
def test_a_scheme_that_openapi_does_not_know_is_refused(given, error, says):
    with pytest.raises(error, match=says):
        Bearer(load, openapi=given)


def test_what_the_app_gave_can_change_later(site):
    given = copy.deepcopy(OAUTH)
    bearer = Bearer(load, openapi=given)
    given["flows"].clear()
    assert schemes_in(site, bearer)["Bearer"] == OAUTH


def test_two_schemes_of_one_name_have_two_names(site):
    two = Basic(load), Basic(load, realm="the console")
    _, auth = site(*two, views={"GET /a": {"via": two[0]}, "GET /b": {"via": two[1]}})
    document = auth.openapi(written(["GET /a", "GET /b"]))
    assert [*document["components"]["securitySchemes"]] == ["Basic", "Basic_the_console"]
    assert document["paths"]["/b"]["get"]["security"] == [{"Basic_the_console": []}]
    keys = APIKey(load), APIKey(load, header="X-Other"), APIKey(load, query="k")
    assert [*schemes_in(site, *keys)] == ["ApiKey", "ApiKey_2", "ApiKey_3"]


def test_a_scheme_may_have_a_name_of_its_own(site):
    bearer = Bearer(load)
    bearer.openapi_name = "token"
    assert [*schemes_in(site, bearer)] == ["token"]
    key = APIKey(load)
    key.openapi_name = "token"
    with pytest.raises(ConfigurationError, match="two schemes have the openapi_name 'token'"):
        schemes_in(site, bearer, key)


@pytest.mark.rfc("OA-01", "OA-02")
def test_swagger_has_three_types_only(site):
    """OpenAPI 2.0, Security Scheme Object: basic, apiKey (query or header), oauth2."""
    schemes = Bearer(load), Basic(load), APIKey(load), SessionCookie(load)
    found = schemes_in(site, *schemes, version="2.0")
    for one in found.values():
        one.pop("description", None)
    assert found == {
        "Bearer": {"type": "apiKey", "in": "header", "name": "Authorization"},
        "Basic": {"type": "basic"},
        "ApiKey": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
        "Cookie": {"type": "apiKey", "in": "header", "name": "Cookie"},
    }


def test_a_certificate_needs_version_3_1(site, caplog):
    _, auth = site(Certificate(load), Bearer(load), views={"GET /a": {}, "GET /b": {"via": ()[:0] or None}})
    with caplog.at_level("INFO", "flask_unauthorized"):
        document = auth.openapi(written(["GET /a"], "3.0"))
    assert [*document["components"]["securitySchemes"]] == ["Bearer"]
    assert document["paths"]["/a"]["get"]["security"] == [{"Bearer": []}]
    assert "OpenAPI 3.0 has no type mutualTLS, so the document leaves Certificate out" in caplog.text


def test_a_route_that_no_scheme_of_the_version_describes_is_not_shown_as_open(site):
    _, auth = site(Certificate(load), views={"GET /a": {}})
    assert "security" not in auth.openapi(written(["GET /a"], "3.0"))["paths"]["/a"]["get"]


# --- requirements


def security_of(site, demands, version="3.1", schemes=None, **options):
    _, auth = site(*(schemes or [Bearer(load)]), views={"GET /a": demands}, **options)
    return auth.openapi(written(["GET /a"], version))["paths"]["/a"]["get"].get("security")


@pytest.mark.rfc("OA-05")
@pytest.mark.parametrize(
    ("guard", "security"),
    [
        ({}, [{"Bearer": []}, {"ApiKey": []}]),
        ("optional", [{"Bearer": []}, {"ApiKey": []}, {}]),
        ("public", []),
        (None, None),
        ({"unless": lambda: True}, [{"Bearer": []}, {"ApiKey": []}, {}]),
    ],
)
def test_any_scheme_in_force_will_do_and_an_empty_object_admits_anonymous_callers(site, guard, security):
    assert security_of(site, guard, schemes=[Bearer(load), APIKey(load)]) == security


@pytest.mark.rfc("OA-04")
@pytest.mark.parametrize("version", ["2.0", "3.0", "3.1", "3.2"])
def test_each_name_is_declared_and_nothing_else_is(site, version):
    bearer, key, unused = Bearer(load), APIKey(load), Basic(load)
    _, auth = site(
        bearer, key, unused, views={"GET /a": {"via": bearer}, "POST /a": {"via": key}, "GET /b": {"via": unused}}
    )
    document = auth.openapi(written(["GET /a", "POST /a"], version))
    named = {name for item in document["paths"]["/a"].values() for one in item["security"] for name in one}
    declared = document["securityDefinitions"] if version == "2.0" else document["components"]["securitySchemes"]
    assert named == {*declared} == {"Bearer", "ApiKey"}


@pytest.mark.rfc("OA-06")
@pytest.mark.parametrize(
    ("demands", "arrays"),
    [
        ({"scopes": {"a", "b"}}, [["a", "b"]]),
        ({"scopes": any_of("a", "b")}, [["a"], ["b"]]),
        ({"scopes": {"c", any_of("a", "b")}}, [["a", "c"], ["b", "c"]]),
        ({"roles": {"admin"}}, [["admin"]]),
        ({"scopes": {"a"}, "roles": any_of("x", "y")}, [["a", "x"], ["a", "y"]]),
    ],
)
@pytest.mark.parametrize("version", ["3.1", "3.2"])
def test_scopes_and_then_roles_stand_in_the_array(site, demands, arrays, version):
    assert security_of(site, demands, version) == [{"Bearer": array} for array in arrays]


@pytest.mark.rfc("OA-06")
@pytest.mark.parametrize("version", ["3.0", "3.1"])
def test_oauth_has_scopes_in_all_versions_and_never_roles(site, version):
    _, auth = site(Bearer(load, openapi=OAUTH), views={"GET /a": {"scopes": {"a"}, "roles": {"admin"}}})
    operation = auth.openapi(written(["GET /a"], version))["paths"]["/a"]["get"]
    assert operation["security"] == [{"Bearer": ["a"]}]
    assert operation["x-required-roles"] == ["admin"]


@pytest.mark.rfc("OA-06")
@pytest.mark.parametrize("version", ["2.0", "3.0"])
def test_older_versions_have_empty_arrays_and_tell_the_scopes_beside(site, version):
    _, auth = site(Bearer(load), views={"GET /a": {"scopes": {"c", any_of("a", "b")}}})
    operation = auth.openapi(written(["GET /a"], version))["paths"]["/a"]["get"]
    assert operation["security"] == [{"Bearer": []}]
    assert operation["x-required-scopes"] == [["a", "b"], "c"]


def test_very_many_alternatives_are_cut_and_the_403_says_so(site):
    groups = {any_of(*(f"{letter}{number}" for number in range(3))) for letter in "abcd"}
    _, auth = site(Bearer(load), views={"GET /a": {"scopes": groups}, "GET /b": {"scopes": {*list(groups)[:3]}}})
    document = auth.openapi(written(["GET /a", "GET /b"]))
    assert document["paths"]["/a"]["get"]["security"] == [{"Bearer": ["a0", "b0", "c0", "d0"]}]
    assert len(document["paths"]["/b"]["get"]["security"]) == 27 <= MAX_ALTERNATIVES
    texts = [one["description"] for one in document["components"]["responses"].values()]
    assert sum("More than 32 combinations will do" in text for text in texts) == 1


def test_routes_of_one_path_are_taken_together(site):
    bearer, key = Bearer(load), APIKey(load)
    _, auth = site(bearer, key, views={"GET /a/<int:id>": {"via": bearer}, "GET /a/<id>": {"via": key}})
    operation = auth.openapi(written(["GET /a/{id}"]))["paths"]["/a/{id}"]["get"]
    assert sorted(map(str, operation["security"])) == ["{'ApiKey': []}", "{'Bearer': []}"]
    _, auth = site(bearer, views={"GET /a/<int:id>": {}, "GET /a/<id>": "public"})
    operation = auth.openapi(written(["GET /a/{id}"]))["paths"]["/a/{id}"]["get"]
    assert {} in operation["security"]
    assert {"Bearer": []} in operation["security"]
    _, auth = site(bearer, views={"GET /a/<int:id>": {}, "GET /a/<id>": None})
    assert "security" not in auth.openapi(written(["GET /a/{id}"]))["paths"]["/a/{id}"]["get"]


def test_a_public_view_that_offers_a_scheme_shows_it(site):
    bearer = Bearer(load)
    app, auth = site(bearer, views={})
    app.add_url_rule("/a", "a", auth.public(via=bearer)(lambda: "in"))
    assert auth.openapi(written(["GET /a"]))["paths"]["/a"]["get"]["security"] == [{"Bearer": []}, {}]


def test_an_unknown_view_gets_no_security(site):
    app, auth = site(Bearer(load), views={})

    def hide(view):
        return lambda: view()

    app.add_url_rule("/a", "a", hide(auth.login_required(lambda: "in")))
    assert auth.routes(app)[0].state == "unknown"
    assert auth.openapi(written(["GET /a"])) == written(["GET /a"])

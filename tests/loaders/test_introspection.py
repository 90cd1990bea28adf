"""Tokens that the authorization server is asked about: what it is sent, where it is, and how that is set up."""

import base64
import time
from types import SimpleNamespace
from urllib.parse import parse_qsl

import pytest

from flask_unauthorized import (
    APIKey,
    Auth,
    AuthUnavailable,
    Bearer,
    ConfigurationError,
    Identity,
    InvalidCredentials,
)  # fmt: skip
from flask_unauthorized.loaders import StaticTokens
from flask_unauthorized.loaders.introspection import Introspection
from tests.http_client.server import answer
from tests.jose.signing import header as jwt_header
from tests.jose.signing import signed as jwt_signed

from .asking import ACTIVE, AUDIENCE, BOUND, SECRET, TOKEN, make_introspection, with_clock
from .keys import Clock

# --- what the server is sent


@pytest.mark.rfc("I-01", "I-02", "I-13")
def test_rfc_7662_2_1_the_request(ask, plain):
    ask(ACTIVE)
    (request,) = plain.requests
    assert (request.method, request.target) == ("POST", "/introspect")
    assert request.headers["content-type"] == "application/x-www-form-urlencoded"
    assert dict(parse_qsl(request.body.decode())) == {"token": TOKEN, "token_type_hint": "access_token"}
    # The credentials of the RFC's examples.
    assert request.headers["authorization"] == "Basic czZCaGRSa3F0MzpnWDFmQmF0M2JW"
    assert request.headers["accept"] == "application/json"


@pytest.mark.rfc("I-02")
def test_client_credentials_are_form_encoded_first(ask, plain):
    ask(ACTIVE, client_id="rs:rs", client_secret=" %&+£€".strip())
    sent = base64.b64decode(plain.requests[0].headers["authorization"].removeprefix("Basic "))
    assert sent == b"rs%3Ars:%25%26%2B%C2%A3%E2%82%AC"  # RFC 6749 appendix B, RFC 6749 §2.3.1


@pytest.mark.rfc("I-02")
def test_client_credentials_in_the_form(ask, plain):
    ask(ACTIVE, client_auth="client_secret_post", client_secret="a&b=c +")
    (request,) = plain.requests
    assert dict(parse_qsl(request.body.decode()))["client_secret"] == "a&b=c +"
    assert dict(parse_qsl(request.body.decode()))["client_id"] == "s6BhdRkqt3"
    assert "authorization" not in request.headers


@pytest.mark.rfc("I-02")
def test_an_access_token_of_our_own(ask, plain):
    tokens = iter(["first", "second"])
    for expected in ("first", "second"):
        ask(ACTIVE, client_id=None, client_secret=None, access_token=lambda: next(tokens))
        assert plain.requests[-1].headers["authorization"] == f"Bearer {expected}"
    ask(ACTIVE, client_id=None, client_secret=None, access_token="fixed")
    assert plain.requests[-1].headers["authorization"] == "Bearer fixed"


@pytest.mark.rfc("I-01", "I-13")
@pytest.mark.parametrize(
    "token", ["a&active=true", "a%00b", "a+b/c==", "a b", "%0d%0a", "token=x&token=y", "a;b", "\\"]
)
def test_int_04_the_token_is_encoded_exactly_once(ask, plain, token):
    ask(ACTIVE, token=token)
    (request,) = plain.requests
    assert request.target == "/introspect"
    assert parse_qsl(request.body.decode(), strict_parsing=True)[0] == ("token", token)
    assert len(parse_qsl(request.body.decode())) == 2


@pytest.mark.parametrize("token", ["", "a\r\nb", "a\x00b", "ü", "\ud800", "x" * 65537])
def test_int_04_what_is_no_token_is_not_sent(ask, plain, token):
    with pytest.raises(InvalidCredentials):
        ask(ACTIVE, token=token)
    assert plain.requests == []


@pytest.mark.asvs("V12.3.1", "V12.3.4")
@pytest.mark.rfc("I-03")
def test_int_05_only_over_tls_that_checks_out(tls, ca_file):
    tls.answers["/introspect"] = answer(ACTIVE)
    ours = {"client_id": "api", "client_secret": SECRET, "audience": AUDIENCE}
    with pytest.raises(AuthUnavailable) as caught:
        Introspection(tls.url + "/introspect", **ours)(TOKEN)
    assert "certificate is not accepted" in caught.value.reason
    assert tls.requests == []
    assert Introspection(tls.url + "/introspect", ca_file=ca_file, **ours)(TOKEN).subject == "ada"
    with pytest.raises(ConfigurationError, match="https://"):
        Introspection("http://as.example/introspect", **ours)


def test_a_connection_serves_many_tokens(tls, ca_file):
    peers = set()

    def note(request, sock):
        peers.add(sock.getpeername())
        sock.sendall(answer(ACTIVE, keep=True))

    tls.answers["/introspect"] = note
    tls.keeps = True
    loader = Introspection(
        tls.url + "/introspect", ca_file=ca_file, client_id="api", client_secret=SECRET, audience=AUDIENCE
    )
    for number in range(5):
        loader(f"token{number}")
    assert (len(peers), tls.calls()) == (1, 5)
    loader._endpoint._fetcher.close()


# --- the user


def test_the_user_is_looked_up_each_time(plain):
    plain.answers["/introspect"] = answer(ACTIVE)
    users = [SimpleNamespace(name="Ada"), None]
    loader = make_introspection(plain, user=lambda identity: users.pop(0) if identity.subject == "ada" else None)
    assert loader(TOKEN).user.name == "Ada"
    with pytest.raises(InvalidCredentials):
        loader(TOKEN)
    assert plain.calls() == 1


def test_a_look_up_may_make_the_identity_but_not_loosen_the_token(ask):
    end = int(time.time()) + 60
    looked_up = Identity("bob", scopes={"all"}, roles={"boss"})
    identity = ask({**ACTIVE, "scope": "read", "exp": end, "cnf": BOUND}, user=lambda identity: looked_up)
    assert (identity.subject, identity.roles) == ("bob", {"boss"})
    assert (identity.scopes, identity.expires_at) == ({"read"}, end)
    assert identity.confirmation == BOUND


@pytest.mark.parametrize("answered", [True, False])
def test_a_look_up_answers_no_bool(ask, answered):
    with pytest.raises(TypeError, match="user="):
        ask(ACTIVE, user=lambda identity: answered)


# --- discovery


def test_as_03_the_endpoint_of_an_issuer(plain):
    issuer = plain.url
    plain.answers["/.well-known/oauth-authorization-server"] = answer(
        {"issuer": issuer, "introspection_endpoint": issuer + "/introspect"}
    )
    plain.answers["/introspect"] = answer({**ACTIVE, "iss": issuer})
    loader = Introspection(
        issuer=issuer, audience=AUDIENCE, client_id="a", client_secret="b", cache=0, allow_http_loopback=True
    )
    assert plain.requests == []
    assert loader(TOKEN).subject == loader(TOKEN).subject == "ada"
    assert [request.method for request in plain.requests] == ["GET", "POST", "POST"]
    plain.answers["/introspect"] = answer({**ACTIVE, "iss": "https://other.example"})
    with pytest.raises(InvalidCredentials):
        loader(TOKEN)


@pytest.mark.rfc("AS-02", "AS-03")
@pytest.mark.parametrize(
    "lie", [{"issuer": "https://evil.example"}, {"introspection_endpoint": "http://as.example/i"}, {}]
)
def test_as_02_metadata_that_lies_gets_no_token(plain, lie):
    members = {
        "issuer": plain.url,
        **({"introspection_endpoint": plain.url + "/introspect"} if "issuer" in lie else {}),
    }
    for place in ("/.well-known/oauth-authorization-server", "/.well-known/openid-configuration"):
        plain.answers[place] = answer({**members, **lie})
    loader = Introspection(
        issuer=plain.url, audience=AUDIENCE, client_id="a", client_secret="b", allow_http_loopback=True
    )
    with pytest.raises(AuthUnavailable):
        loader(TOKEN)
    assert {request.method for request in plain.requests} == {"GET"}


def test_the_endpoint_has_moved(plain, monkeypatch):
    def metadata(path):
        return answer({"issuer": plain.url, "introspection_endpoint": plain.url + path})

    plain.answers["/.well-known/oauth-authorization-server"] = metadata("/old")
    plain.answers["/old"] = answer(ACTIVE)
    loader = Introspection(
        issuer=plain.url, audience=AUDIENCE, client_id="a", client_secret="b", cache=0, allow_http_loopback=True
    )
    with_clock(loader, clock := Clock(), monkeypatch)
    loader(TOKEN)
    plain.answers["/.well-known/oauth-authorization-server"] = metadata("/new")
    plain.answers["/new"] = plain.answers.pop("/old")
    clock.turn(30)
    with pytest.raises(AuthUnavailable):
        loader(TOKEN)
    assert loader(TOKEN).subject == "ada"


# --- set-up


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"client_secret": None}, "client_id and client_secret"),
        ({"client_id": None}, "client_id and client_secret"),
        ({"client_secret": "x\n"}, "line end"),
        ({"client_secret": ""}, "client_secret"),
        ({"client_id": " a"}, "client_id"),
        ({"access_token": "x"}, "not both"),
        ({"client_id": None, "client_secret": None, "access_token": "x\n"}, "access_token"),
        ({"client_auth": "none"}, "client_auth"),
        ({"audience": ""}, "audience"),
        ({"audience": []}, "audience"),
        ({"audience": [5]}, "audience"),
        ({"cache": 601}, "cache"),
        ({"cache": -1}, "cache"),
        ({"cache": float("nan")}, "cache"),
        ({"negative_cache": -1}, "negative_cache"),
        ({"cache_size": 0}, "cache_size"),
        ({"max_concurrent": True}, "max_concurrent"),
        ({"max_concurrent": 1.5}, "max_concurrent"),
        ({"timeout": 0}, "timeout"),
        ({"roles_claim": ""}, "roles_claim"),
        ({"roles_claim": [5]}, "roles_claim"),
        ({"user": "ada"}, "user"),
        ({"post": "requests"}, "post"),
    ],
)
def test_cfg_01_what_is_refused_at_set_up(options, named):
    given = {"client_id": "a", "client_secret": "b", "audience": AUDIENCE, **options}
    with pytest.raises(ConfigurationError, match=named) as caught:
        Introspection("https://id.example/introspect", **given)
    assert "x\n" not in str(caught.value)


def test_what_the_look_up_has_to_check(make_app):
    def user(identity):
        return identity

    def check_app(app):
        raise ConfigurationError("no database")

    user.check_app = check_app
    loader = Introspection("https://id.example/i", audience=None, access_token="x", user=user)
    auth = Auth(Bearer(loader))
    app = make_app(auth)
    app.add_url_rule("/", view_func=auth.login_required(lambda: "in"))
    with pytest.raises(ConfigurationError, match="no database"):
        auth.check(app)


@pytest.mark.parametrize("options", [{"client_id": 5}, {"client_secret": b"x"}, {"cache": "60"}, {"cache": True}])
def test_cfg_01_types_that_are_refused_at_set_up(options):
    with pytest.raises(TypeError):
        Introspection("https://id.example/i", **{"client_id": "a", "client_secret": "b", "audience": None, **options})


def test_cfg_01_an_access_token_of_another_type():
    with pytest.raises(TypeError, match="access_token"):
        Introspection("https://id.example/i", audience=None, access_token=5)


def test_cfg_03_an_audience_has_to_be_said():
    with pytest.raises(TypeError, match="audience"):
        Introspection("https://id.example/introspect", client_id="a", client_secret="b")
    with pytest.raises(ConfigurationError, match="endpoint"):
        Introspection(audience=None, client_id="a", client_secret="b")


def test_reprs():
    loader = Introspection("https://id.example/introspect", audience=None, client_id="a", client_secret="b")
    assert repr(loader) == "<Introspection at https://id.example/introspect>"


def test_an_api_key_may_be_asked_about_too(plain, make_app):
    plain.answers["/introspect"] = answer(ACTIVE)
    auth = Auth(APIKey(make_introspection(plain), header="X-Key"))
    app = make_app(auth)
    app.add_url_rule("/", view_func=auth.login_required(lambda: auth.identity.subject))
    assert app.test_client().get("/", headers={"X-Key": "a&active=true"}).data == b"ada"


# T-03
@pytest.mark.parametrize(
    "issuer",
    [
        "http://id.example.com",
        "https://id.example.com?tenant=1",
        "https://id.example.com/#a",
        "ftp://id.example.com",
        "id.example.com",
        "",
    ],
)
def test_an_issuer_whose_metadata_is_to_be_read_must_be_one(issuer):
    """RFC 8414 §2: a URL with https and without query or fragment; it is found at once, not with the first token."""
    with pytest.raises(ConfigurationError):
        Introspection(issuer=issuer, audience=None, client_id="a", client_secret="b")


# T-03
def test_an_issuer_over_plain_http_is_for_loopback_and_only_if_allowed():
    options = {"audience": None, "client_id": "a", "client_secret": "b"}
    with pytest.raises(ConfigurationError):
        Introspection(issuer="http://localhost", **options)
    with pytest.raises(ConfigurationError):
        Introspection(issuer="http://id.example.com", allow_http_loopback=True, **options)
    Introspection(issuer="http://localhost", allow_http_loopback=True, **options)
    with pytest.raises(TypeError):
        Introspection(issuer=b"https://id.example.com", **options)


# --- beside other loaders


def claiming(issuer):
    return jwt_signed(jwt_header(), {"iss": issuer})


def test_introspection_recognizes_what_may_be_a_token_of_its_issuer(plain):
    mine, any_issuer = make_introspection(plain, issuer="https://id.example"), make_introspection(plain)
    for token, expected in {
        TOKEN: [True, True], claiming("https://id.example"): [True, True], claiming("https://b.example"): [False, True],
        claiming(None): [True, True], "": [False, False], "\u00fc": [False, False], "a b": [True, True],
    }.items():  # fmt: skip
        assert [mine.recognizes(token), any_issuer.recognizes(token)] == expected
    assert plain.requests == []


def test_a_server_isnt_asked_about_tokens_of_other_loaders(make_app, plain):
    """Its outage doesn't concern them either."""
    introspection = make_introspection(plain, issuer="https://id.example")
    auth = Auth(Bearer(StaticTokens({"key-of-tom": "tom"}), introspection))
    app = make_app(auth)
    app.add_url_rule("/", "view", auth.login_required(lambda: auth.identity.subject))

    def status(token):
        return app.test_client().get("/", headers={"Authorization": f"Bearer {token}"}).status_code

    assert (status("key-of-tom"), status(claiming("https://b.example"))) == (200, 401)
    assert plain.requests == []
    assert status(TOKEN) == 503  # the server has no answer
    assert len(plain.requests) == 1

"""Tokens that the authorization server is asked about: what it is sent, what counts as yes, and what as an outage."""

import base64
import gc
import hashlib
import json
import logging
import os
import threading
import time
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from urllib.parse import parse_qsl

import pytest

from flask_unauthorized import (
    APIKey,
    Auth,
    AuthUnavailable,
    Basic,
    Bearer,
    ConfigurationError,
    ExpiredCredentials,
    Identity,
    InvalidCredentials,
)  # fmt: skip
from flask_unauthorized.loaders.introspection import Introspection

from .keys import Clock
from .server import Gate, answer, chunked_flood, drip, hang_up, head_flood, redirect

TOKEN = "2YotnFZFEjr1zCsicMWpAA"
AUDIENCE = "https://api.example.com"
SECRET = "gX1fBat3bV"
ACTIVE = {"active": True, "aud": AUDIENCE, "sub": "ada", "client_id": "l238j323ds-23ij4", "scope": "read write"}
BOUND = {"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}


@pytest.fixture
def ask(plain):
    """Asks about a token, where the server answers with the members given, or with octets."""

    def introspect(content, token=TOKEN, **options):
        plain.answers["/introspect"] = answer(content) if isinstance(content, dict) else content
        return made(plain, **options)(token)

    return introspect


def made(server, **options):
    given = {"client_id": "s6BhdRkqt3", "client_secret": SECRET, "audience": AUDIENCE, **options}
    return Introspection(server.url + "/introspect", allow_http_loopback=True, **given)


def clocked(loader, clock, monkeypatch):
    """The loader by a clock of the test's; its wall clock stands at the same."""
    loader._cache.clock = loader._endpoint.clock = clock
    monkeypatch.setattr("flask_unauthorized.loaders.introspection.time", SimpleNamespace(time=clock, monotonic=clock))
    return loader


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
    assert parse_qsl(request.body.decode(), strict_parsing=True)[0] == ("token", token)
    assert len(parse_qsl(request.body.decode())) == 2


@pytest.mark.parametrize("token", ["", "a\r\nb", "a\x00b", "ü", "\ud800", "x" * 8193])
def test_int_04_what_is_no_token_is_not_sent(ask, plain, token):
    with pytest.raises(InvalidCredentials):
        ask(ACTIVE, token=token)
    assert plain.requests == []


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


# --- what counts as yes


def test_rfc_7662_2_2_the_example(ask):
    """The answer printed in the RFC, and its members' meaning."""
    example = {
        "active": True, "client_id": "l238j323ds-23ij4", "username": "jdoe", "scope": "read write dolphin",
        "sub": "Z5O3upPC88QrAjx00dis", "aud": "https://protected.example.net/resource",
        "iss": "https://server.example.com/", "exp": 1419356238, "iat": 1419350238, "extension_field": "twenty-seven",
    }  # fmt: skip
    options = {"audience": "https://protected.example.net/resource", "issuer": "https://server.example.com/"}
    with pytest.raises(ExpiredCredentials):
        ask(example, **options)
    end = int(time.time()) + 600
    identity = ask({**example, "exp": end, "acr": "urn:x:mfa", "auth_time": end - 900}, **options)
    assert (identity.subject, identity.client_id) == ("Z5O3upPC88QrAjx00dis", "l238j323ds-23ij4")
    assert identity.scopes == {"read", "write", "dolphin"}
    assert (identity.expires_at, identity.acr, identity.auth_time) == (end, "urn:x:mfa", end - 900)
    assert identity.claims["extension_field"] == "twenty-seven"
    assert identity.confirmation is None
    assert ask({**example, "exp": end}, subject="username", **options).subject == "jdoe"


@pytest.mark.rfc("I-04", "I-05")
@pytest.mark.parametrize("active", ["true", "True", 1, 1.0, None, [], [True], {}, "", 0, False, ...])
def test_int_01_only_true_is_yes(ask, active):
    members = {**ACTIVE, "active": active}
    if active is ...:
        del members["active"]
    with pytest.raises(InvalidCredentials):
        ask(members)


@pytest.mark.rfc("I-05")
def test_int_01_inactive_is_an_invalid_token_and_no_more(plain, make_app):
    plain.answers["/introspect"] = answer({"active": False})
    auth = Auth(Bearer(made(plain)))
    app = make_app(auth)
    app.add_url_rule("/", view_func=auth.login_required(lambda: "in"))
    response = app.test_client().get("/", headers={"Authorization": f"Bearer {TOKEN}"})
    assert response.status_code == 401
    assert 'error="invalid_token"' in response.headers["WWW-Authenticate"]
    assert "active" not in response.headers["WWW-Authenticate"] + response.text


@pytest.mark.rfc("I-08")
@pytest.mark.parametrize(
    ("members", "kind"),
    [
        ({"exp": 0}, ExpiredCredentials),
        ({"exp": -1}, ExpiredCredentials),
        ({"exp": 1_000_000}, ExpiredCredentials),
        ({"exp": 999_999.5}, ExpiredCredentials),
        ({"nbf": 1_000_061}, InvalidCredentials),
        ({"exp": 1_000_001}, None),
        ({"exp": 1e300}, None),
        ({"nbf": 1_000_060}, None),
        ({"iat": 1_000_060}, None),
        ({"exp": None, "nbf": None}, None),
        ({"exp": "1000001"}, AuthUnavailable),
        ({"exp": True}, AuthUnavailable),
        ({"exp": []}, AuthUnavailable),
        ({"nbf": "0"}, AuthUnavailable),
    ],
)
def test_int_03_times_are_checked_again(plain, monkeypatch, members, kind):
    plain.answers["/introspect"] = answer({**ACTIVE, **members})
    loader = clocked(made(plain), Clock(1_000_000), monkeypatch)
    if kind is None:
        assert loader(TOKEN).subject == "ada"
    else:
        with pytest.raises(kind) as caught:
            loader(TOKEN)
        assert type(caught.value) is kind


@pytest.mark.rfc("I-09", "S-01", "AS-04")
@pytest.mark.parametrize(
    ("aud", "good"),
    [
        (AUDIENCE, True), ([AUDIENCE], True), ([*map(str, range(49)), AUDIENCE], True), ("https://b.example", True),
        (AUDIENCE + "/", False), (AUDIENCE.upper(), False), (AUDIENCE[:-1], False), ([], False), ("", False),
        (None, False), (5, False), ({AUDIENCE: 1}, False), ([5, None], False), (f"{AUDIENCE} x", False), (..., False),
    ],
)  # fmt: skip
def test_int_03_the_audience_has_to_be_ours(ask, aud, good):
    members = {**ACTIVE, "aud": aud}
    if aud is ...:
        del members["aud"]
    if good:
        assert ask(members, audience=[AUDIENCE, "https://b.example"]).subject == "ada"
        return
    with pytest.raises(InvalidCredentials):
        ask(members, audience=[AUDIENCE, "https://b.example"])


def test_an_audience_that_the_server_never_names_is_told(ask):
    members = {name: value for name, value in ACTIVE.items() if name != "aud"}
    with pytest.raises(InvalidCredentials) as caught:
        ask(members)
    assert "audience=None" in caught.value.reason
    assert ask(members, audience=None).subject == "ada"


@pytest.mark.rfc("I-09", "AS-04")
@pytest.mark.parametrize(
    ("iss", "good"),
    [
        ("https://id.example", True), (..., True), (None, True), ("https://id.example/", False), ("", False),
        ("https://ID.example", False), (["https://id.example"], False), ("https://id.example.evil", False),
    ],
)  # fmt: skip
def test_int_03_another_issuer(ask, iss, good):
    members = ACTIVE if iss is ... else {**ACTIVE, "iss": iss}
    if good:
        assert ask(members, issuer="https://id.example").subject == "ada"
        return
    with pytest.raises(InvalidCredentials):
        ask(members, issuer="https://id.example")


@pytest.mark.rfc("I-10")
@pytest.mark.parametrize(
    ("scope", "expected"),
    [
        ("read write", {"read", "write"}), ("read", {"read"}), ("  read  write ", {"read", "write"}), ("", set()),
        (["read", "write"], {"read", "write"}), ([], set()), (["read", 5], set()), ({"read": True}, set()),
        (None, set()), (5, set()), (True, set()), ("read,write", {"read,write"}), ("read\twrite", {"read\twrite"}),
    ],
)  # fmt: skip
def test_clm_18_scopes(ask, scope, expected):
    assert ask({**ACTIVE, "scope": scope}).scopes == expected


def test_members_that_are_missing(ask):
    identity = ask({"active": True}, audience=None)
    assert (identity.subject, identity.client_id, identity.scopes, identity.expires_at) == (
        None,
        None,
        frozenset(),
        None,
    )


@pytest.mark.parametrize("name", ["sub", "client_id"])
@pytest.mark.parametrize("value", [5, True, [], {}, ["ada"], "x" * 1025])
def test_clm_17_names_of_another_type_are_the_servers_fault(ask, name, value):
    with pytest.raises(AuthUnavailable) as caught:
        ask({**ACTIVE, name: value})
    assert name in caught.value.reason


@pytest.mark.parametrize("members", [{"acr": 5, "auth_time": "now"}, {"acr": [], "auth_time": True}, {"acr": ""}])
def test_clm_24_a_login_that_cannot_be_read_is_none(ask, members):
    identity = ask({**ACTIVE, **members})
    assert (identity.acr, identity.auth_time) == (None, None)


@pytest.mark.parametrize(
    ("members", "roles"),
    [
        ({"realm_access": {"roles": ["admin", "user"]}}, {"admin", "user"}),
        ({"realm_access": {"roles": "admin"}}, set()),
        ({"realm_access": []}, set()),
        ({}, set()),
    ],
)
def test_roles(ask, members, roles):
    assert ask({**ACTIVE, **members}, roles_claim="realm_access.roles").roles == roles
    assert ask({**ACTIVE, "https://x.example/roles": ["a"]}, roles_claim="https://x.example/roles").roles == {"a"}


@pytest.mark.rfc("I-14")
def test_clm_20_members_named_like_anything_do_no_harm(ask):
    odd = {"__class__": "x", "verify": False, "roles": ["admin"], "user": "eve", "scopes": "all", "is_admin": True}
    identity = ask({**ACTIVE, **odd})
    assert (identity.subject, identity.scopes, identity.roles, identity.user) == ("ada", {"read", "write"}, set(), None)


@pytest.mark.rfc("P-38", "P-39", "I-14")
@pytest.mark.parametrize("kind", ["DPoP", "Bearer", ...])
def test_clm_23_a_bound_token_is_not_a_bearer_token(plain, make_app, kind):
    members = {**ACTIVE, "cnf": BOUND} if kind is ... else {**ACTIVE, "cnf": BOUND, "token_type": kind}
    plain.answers["/introspect"] = answer(members)
    assert made(plain)(TOKEN).confirmation == BOUND
    auth = Auth(Bearer(made(plain)))
    app = make_app(auth)
    app.add_url_rule("/", view_func=auth.login_required(lambda: "in"))
    assert app.test_client().get("/", headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 401


@pytest.mark.rfc("T-03")
def test_a_certificate_that_binds(ask):
    bound = {"x5t#S256": "bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg2"}  # RFC 8705 §3.1
    assert ask({**ACTIVE, "cnf": bound}).confirmation == bound


@pytest.mark.rfc("P-39")
@pytest.mark.parametrize(
    "members",
    [
        {"cnf": None}, {"cnf": {}}, {"cnf": []}, {"cnf": "jkt"}, {"cnf": {"jkt": None}}, {"cnf": {"jkt": ""}},
        {"cnf": {"jku": "https://evil.example"}}, {"cnf": {**BOUND, "jwe": "x"}}, {"cnf": {"jkt": ["x"]}},
        {"token_type": "DPoP"}, {"token_type": "dpop", "cnf": None},
    ],
)  # fmt: skip
def test_clm_22_a_binding_that_is_not_understood(ask, members):
    with pytest.raises(InvalidCredentials):
        ask({**ACTIVE, **members})


# --- the user


def test_the_user_is_looked_up_each_time(plain):
    plain.answers["/introspect"] = answer(ACTIVE)
    users = [SimpleNamespace(name="Ada"), None]
    loader = made(plain, user=lambda identity: users.pop(0) if identity.subject == "ada" else None)
    assert loader(TOKEN).user.name == "Ada"
    with pytest.raises(InvalidCredentials):
        loader(TOKEN)
    assert plain.calls() == 1


def test_a_look_up_may_make_the_identity_but_not_loosen_the_token(ask):
    end = int(time.time()) + 60
    identity = ask({**ACTIVE, "exp": end, "cnf": BOUND}, user=lambda identity: Identity("bob", scopes={"all"}))
    assert (identity.subject, identity.scopes, identity.expires_at) == ("bob", {"all"}, end)
    assert identity.confirmation == BOUND


@pytest.mark.parametrize("answered", [True, False])
def test_a_look_up_answers_no_bool(ask, answered):
    with pytest.raises(TypeError, match="user="):
        ask(ACTIVE, user=lambda identity: answered)


# --- outages


BAD = {
    "400": answer({"error": "invalid_request"}, 400),
    "401": answer({"error": "invalid_client"}, 401, WWW_Authenticate="Basic realm=as"),
    "403": answer(b"", 403),
    "429": answer(b"", 429),
    "500": answer(b"", 500),
    "503": answer(b"", 503),
    "204": answer(b"", 204),
    "html": answer(b"<html>", kind="text/html"),
    "nothing": answer(b""),
    "list": answer([]),
    "true": answer(True),
    "null": answer(None),
    "cut": answer(b'{"active": tr'),
    "cut by length": b'HTTP/1.1 200 x\r\nContent-Length: 99\r\nConnection: close\r\n\r\n{"active": true}',
    "twice": answer(b'{"active": true, "active": true}'),
    "NaN": answer(b'{"active": true, "exp": NaN}'),
    "huge": answer(b'{"active": true, "exp": 1e999}'),
    "deep": answer(b'{"active": true, "x": ' + b"[" * 90_000 + b"]" * 90_000 + b"}"),
    "deeper": answer(b'{"active": true, "x": ' + b"[" * 30_000 + b"]" * 30_000 + b"}"),
    "UTF-16": answer(json.dumps(ACTIVE).encode("utf-16")),
    "latin-1": answer('{"active": true, "sub": "jürgen"}'.encode("latin-1")),
    "BOM": answer(b"\xef\xbb\xbf" + json.dumps(ACTIVE).encode()),
    "redirect": redirect("http://127.0.0.1:1/"),
    "hang up": hang_up,
    "150 MB": chunked_flood,
    "head flood": head_flood,
    "gzip": answer(b"\x1f\x8b", Content_Encoding="gzip"),
    "64 KiB": answer(json.dumps({**ACTIVE, "x": "x" * 65536}).encode()),
}


@pytest.mark.rfc("I-06", "I-07")
@pytest.mark.parametrize("content", BAD.values(), ids=BAD)
def test_int_02_what_cannot_be_known_is_503_and_not_remembered(plain, make_app, content, caplog):
    plain.answers["/introspect"] = content
    auth = Auth(Bearer(made(plain)))
    app = make_app(auth)
    app.add_url_rule("/", view_func=auth.login_required(lambda: auth.identity.subject))
    ask = lambda: app.test_client().get("/", headers={"Authorization": f"Bearer {TOKEN}"})  # noqa: E731
    response = ask()
    assert (response.status_code, response.headers.get("WWW-Authenticate")) == (503, None)
    assert int(response.headers["Retry-After"]) > 0
    assert b"localhost" not in response.data
    assert f"introspection at {plain.url}/introspect" in caplog.text
    assert SECRET not in caplog.text
    assert TOKEN not in caplog.text
    plain.answers["/introspect"] = answer(ACTIVE)
    assert ask().data == b"ada"


@pytest.mark.rfc("I-07")
def test_int_02_a_slow_answer(ask):
    with pytest.raises(AuthUnavailable) as caught:
        ask(drip, timeout=0.5)
    assert "timed out" in caught.value.reason


def test_a_server_that_is_silent_is_left_alone_and_one_that_answers_is_not(plain, monkeypatch, caplog):
    loader = clocked(made(plain), clock := Clock(), monkeypatch)

    def fails():
        calls = plain.calls()
        with pytest.raises(AuthUnavailable) as caught:
            loader(TOKEN)
        return plain.calls() - calls, caught.value.retry_after

    plain.answers["/introspect"] = answer(b"", 500)
    assert [fails() for _ in range(5)] == [(1, 5)] * 5
    plain.answers["/introspect"] = hang_up
    assert [fails() for _ in range(5)] == [(1, 1), (1, 1), (1, 1), (0, 1), (0, 1)]
    for pause in (1, 2, 4, 8, 10, 10):
        clock.turn(pause - 0.5)
        assert fails()[0] == 0
        clock.turn(0.5)
        assert fails()[0] == 1
    clock.turn(10)
    plain.answers["/introspect"] = answer(ACTIVE)
    assert loader(TOKEN).subject == "ada"
    told = [record.getMessage() for record in caplog.records]
    assert told[-1].endswith("answers again")
    assert len(told) == 3  # the first 500, the first silence, and the end
    assert all(record.levelno == logging.WARNING for record in caplog.records)


@pytest.mark.rfc("I-13", "S-03")
def test_int_09_no_secret_anywhere(plain, caplog):
    caplog.set_level(logging.DEBUG)
    loader = made(plain, client_auth="client_secret_post")
    for content in (answer({"active": False}), answer(b"", 500), hang_up, answer({**ACTIVE, "exp": "x"})):
        plain.answers["/introspect"] = content
        with pytest.raises((InvalidCredentials, AuthUnavailable)) as caught:
            loader(f"{TOKEN}{content!r:.8}".replace(" ", ""))
        said = [str(caught.value), repr(caught.value), repr(caught.value.args), caught.value.reason, caplog.text]
        said += [repr(caught.value.__cause__), repr(caught.value.__context__), repr(loader), repr(loader.fresh())]
        said += [repr(vars(loader)), repr(vars(loader._endpoint)), repr(vars(loader._cache))]
        assert not any(SECRET in text or TOKEN in text for text in said)


@pytest.mark.parametrize("trouble", [OSError, KeyError, MemoryError, RecursionError, ValueError, InvalidCredentials])
def test_fau_01_a_post_of_ones_own_that_fails(trouble, caplog):
    def post(url, form, headers):
        raise trouble("s3cret")

    loader = Introspection("https://id.example/i", audience=None, client_id="a", client_secret="b", post=post)
    with pytest.raises(AuthUnavailable) as caught:
        loader(TOKEN)
    assert "s3cret" not in caplog.text + caught.value.reason


@pytest.mark.parametrize("body", [None, "text", 5, {"active": True}, [], True])
def test_fau_01_a_post_of_ones_own_that_returns_no_bytes(body):
    loader = Introspection(
        "https://id.example/i", audience=None, client_id="a", client_secret="b", post=lambda *args: body
    )
    with pytest.raises(AuthUnavailable):
        loader(TOKEN)


def test_a_post_of_ones_own():
    sent = []

    def post(url, form, headers):
        sent.append((url, form["token"], headers["Authorization"]))
        return json.dumps(ACTIVE).encode()

    loader = Introspection(
        "https://id.example/i", audience=AUDIENCE, client_id="s6BhdRkqt3", client_secret=SECRET, post=post
    )
    assert loader(TOKEN).subject == "ada"
    assert sent == [("https://id.example/i", TOKEN, "Basic czZCaGRSa3F0MzpnWDFmQmF0M2JW")]


def test_our_own_access_token_cannot_be_had(plain):
    def access_token():
        raise OSError("s3cret")

    with pytest.raises(AuthUnavailable) as caught:
        made(plain, client_id=None, client_secret=None, access_token=access_token)(TOKEN)
    assert "s3cret" not in caught.value.reason


# --- many at once


def test_int_08_as_many_at_a_time_as_allowed_and_other_schemes_go_on(plain, make_app):
    gate = plain.answers["/introspect"] = Gate(answer(ACTIVE), plain)
    auth = Auth(Bearer(made(plain, max_concurrent=4)), Basic(lambda name, password: True))
    app = make_app(auth)
    app.add_url_rule("/", view_func=auth.login_required(lambda: auth.identity.subject))

    def ask(number):
        return app.test_client().get("/", headers={"Authorization": f"Bearer junk{number}"}).status_code

    with ThreadPoolExecutor(4) as pool:
        waiting = [pool.submit(ask, number) for number in range(4)]
        for _ in range(4):
            gate.wait()
        assert [ask(number) for number in range(4, 200)] == [503] * 196
        assert app.test_client().get("/", auth=("ada", "x")).status_code == 200
        gate.open()
        assert [one.result(20) for one in waiting] == [200] * 4
    assert plain.calls() == 4
    assert ask(1000) == 200


def test_int_08_ten_thousand_tokens_leave_little_behind():
    answered = json.dumps({"active": False}).encode()
    loader = Introspection(
        "https://id.example/i", audience=None, client_id="a", client_secret="b", post=lambda *args: answered,
        max_cached=100,
    )  # fmt: skip

    def junk(numbers):
        for number in numbers:
            with pytest.raises(InvalidCredentials):
                loader(f"junk{number}")

    junk(range(200))
    gc.collect()
    tracemalloc.start()
    junk(range(200, 10_200))
    gc.collect()
    grown, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert grown < 100_000
    assert len(loader._cache._refusals) == 100


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system doesn't fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_key_25_a_child_of_a_fork_while_all_places_are_taken(plain):
    gate = plain.answers["/introspect"] = Gate(answer(ACTIVE), plain)
    loader = made(plain, max_concurrent=1)
    asking = threading.Thread(target=loader, args=(TOKEN,))
    asking.start()
    gate.wait()
    plain.answers["/introspect"] = answer(ACTIVE)
    with loader._cache._lock, loader._endpoint._lock:  # as if other threads held them
        child = os.fork()
        if child == 0:
            status = 1
            try:
                status = 0 if loader("another").subject == "ada" else 2
            finally:
                os._exit(status)
    _, status = os.waitpid(child, 0)
    gate.open()
    asking.join()
    assert os.waitstatus_to_exitcode(status) == 0


# --- kept answers


@pytest.mark.rfc("I-11")
def test_a_good_answer_is_kept_for_a_while(plain, monkeypatch):
    plain.answers["/introspect"] = answer(ACTIVE)
    loader = clocked(made(plain), clock := Clock(), monkeypatch)
    for _ in range(3):
        assert loader(TOKEN).subject == "ada"
    clock.turn(59.9)
    assert loader(TOKEN).subject == "ada"
    assert plain.calls() == 1
    plain.answers["/introspect"] = answer({"active": False})
    clock.turn(0.2)
    with pytest.raises(InvalidCredentials):
        loader(TOKEN)
    assert plain.calls() == 2


@pytest.mark.rfc("I-12")
@pytest.mark.parametrize("cache", [60, 600])
def test_int_07_never_past_the_end_of_the_token(plain, monkeypatch, cache):
    clock = Clock(1_000_000)
    plain.answers["/introspect"] = answer({**ACTIVE, "exp": 1_000_030})
    loader = clocked(made(plain, cache=cache), clock, monkeypatch)
    assert loader(TOKEN).subject == "ada"
    clock.turn(29.9)
    assert loader(TOKEN).subject == "ada"
    clock.turn(0.1)
    with pytest.raises(ExpiredCredentials):
        loader(TOKEN)
    assert plain.calls() == 1


def test_int_07_a_bad_answer_is_kept_for_ten_seconds_at_most(plain, monkeypatch):
    plain.answers["/introspect"] = answer({"active": False})
    loader = clocked(made(plain), clock := Clock(), monkeypatch)
    for _ in range(3):
        with pytest.raises(InvalidCredentials):
            loader(TOKEN)
    assert plain.calls() == 1
    plain.answers["/introspect"] = answer(ACTIVE)
    clock.turn(10)
    assert loader(TOKEN).subject == "ada"
    with pytest.raises(ConfigurationError, match="negative_cache"):
        made(plain, negative_cache=11)


def test_a_refusal_that_was_kept_keeps_its_kind(plain, monkeypatch):
    plain.answers["/introspect"] = answer({**ACTIVE, "exp": 1})
    loader = clocked(made(plain), Clock(), monkeypatch)
    for _ in range(2):
        with pytest.raises(ExpiredCredentials):
            loader(TOKEN)
    assert plain.calls() == 1


def test_nothing_is_kept_where_so_asked(plain):
    loader = made(plain, cache=0, negative_cache=0)
    plain.answers["/introspect"] = answer(ACTIVE)
    for _ in range(2):
        loader(TOKEN)
    plain.answers["/introspect"] = answer({"active": False})
    for _ in range(2):
        with pytest.raises(InvalidCredentials):
            loader(TOKEN)
    assert plain.calls() == 4


@pytest.mark.rfc("S-03")
def test_int_06_tokens_are_told_apart_by_all_of_them_and_kept_as_digests(plain):
    same = "x" * 100

    def whose(request, sock):
        token = dict(parse_qsl(request.body.decode()))["token"]
        sock.sendall(answer({**ACTIVE, "sub": token[-1]}))

    plain.answers["/introspect"] = whose
    loader = made(plain)
    assert [loader(same + name).subject for name in "aabb"] == ["a", "a", "b", "b"]
    assert plain.calls() == 2
    assert [*loader._cache._identities] == [hashlib.sha256((same + name).encode()).digest() for name in "ab"]


def test_what_is_kept_is_bounded_and_junk_pushes_out_junk(plain, monkeypatch):
    def whose(request, sock):
        token = dict(parse_qsl(request.body.decode()))["token"]
        sock.sendall(answer({**ACTIVE, "active": token.startswith("good")}))

    plain.answers["/introspect"] = whose
    loader = clocked(made(plain, max_cached=3), Clock(), monkeypatch)
    for number in range(3):
        loader(f"good{number}")
    for number in range(20):
        with pytest.raises(InvalidCredentials):
            loader(f"junk{number}")
    calls = plain.calls()
    for number in range(3):
        loader(f"good{number}")
    assert plain.calls() == calls
    loader("good3")
    loader("good0")  # the oldest made room
    assert plain.calls() == calls + 2
    assert (len(loader._cache._identities), len(loader._cache._refusals)) == (3, 3)


@pytest.mark.rfc("I-11")
def test_single_views_ask_anew(plain, make_app):
    plain.answers["/introspect"] = answer(ACTIVE)
    introspection = made(plain)
    bearer, careful = Bearer(introspection), Bearer(introspection.fresh())
    auth = Auth(bearer, careful)
    app = make_app(auth)
    auth.protect(app, via=bearer)
    app.add_url_rule("/notes", view_func=lambda: "notes", endpoint="notes")
    app.add_url_rule("/account", view_func=auth.login_required(via=careful)(lambda: "account"), endpoint="account")
    get = lambda path: app.test_client().get(path, headers={"Authorization": f"Bearer {TOKEN}"}).status_code  # noqa: E731
    assert [get("/notes"), get("/notes"), plain.calls()] == [200, 200, 1]
    assert [get("/account"), get("/account"), plain.calls()] == [200, 200, 3]
    plain.answers["/introspect"] = answer({"active": False})
    assert [get("/notes"), plain.calls()] == [200, 3]
    assert [get("/account"), plain.calls()] == [401, 4]
    assert [get("/notes"), plain.calls()] == [401, 4]  # what was heard anew replaces what was kept


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
    clocked(loader, clock := Clock(), monkeypatch)
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
        ({"max_cached": 0}, "max_cached"),
        ({"max_concurrent": True}, "max_concurrent"),
        ({"max_concurrent": 1.5}, "max_concurrent"),
        ({"timeout": 0}, "timeout"),
        ({"roles_claim": ""}, "roles_claim"),
        ({"roles_claim": ["a"]}, "roles_claim"),
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
    auth = Auth(APIKey(made(plain), header="X-Key"))
    app = make_app(auth)
    app.add_url_rule("/", view_func=auth.login_required(lambda: auth.identity.subject))
    assert app.test_client().get("/", headers={"X-Key": "a&active=true"}).data == b"ada"

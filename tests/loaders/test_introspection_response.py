"""What counts as yes, and whose identity an answer makes."""

import time

import pytest

from flask_unauthorized import (
    Auth,
    AuthUnavailable,
    Bearer,
    DPoP,
    ExpiredCredentials,
    InvalidCredentials,
)  # fmt: skip
from tests.dpop_client import ORIGIN, Holder
from tests.http_client.server import answer

from .asking import ACTIVE, AUDIENCE, BOUND, TOKEN, make_introspection, with_clock
from .keys import Clock


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


# F-32: RFC 7662 §2.2 says that "active" is a boolean and REQUIRED; anything else is the server's fault.
@pytest.mark.rfc("I-04")
@pytest.mark.parametrize("active", ["true", "True", "false", 1, 1.0, None, [], [True], {}, "", 0, ...])
@pytest.mark.parametrize("more", [ACTIVE, {}, {"error": "server_error"}, {"message": "upstream timeout"}], ids=str)
def test_int_01_what_is_neither_true_nor_false_is_no_answer(ask, active, more):
    members = {**more, "active": active}
    if active is ...:
        del members["active"]
    with pytest.raises(AuthUnavailable) as caught:
        ask(members)
    assert "active" in caught.value.reason
    assert ("missing" in caught.value.reason) == (active is ...)
    assert ("server_error" in caught.value.reason) == ("error" in more)


# Many servers introspect refresh tokens (RFC 7662 §2.1) and ID tokens as well, and call them active.
@pytest.mark.parametrize("audience", [AUDIENCE, None])
@pytest.mark.parametrize(
    ("member", "value"),
    [
        *(("typ", value) for value in ("Refresh", "Offline", "ID", "Logout", "application/id_token+jwt", 5, [], "")),
        *(("token_use", value) for value in ("refresh_token", "refresh", "id", "ID_TOKEN", True)),
        *(("token_type", value) for value in ("refresh_token", "Refresh", "id_token")),
        *(("type", value) for value in ("refresh", "id_token")),
        ("purpose", "refresh_token"),
    ],
)
def test_what_is_no_access_token_is_refused_though_it_is_active(ask, member, value, audience):  # F-32
    with pytest.raises(InvalidCredentials) as caught:
        ask({**ACTIVE, member: value}, audience=audience)
    assert caught.value.reason.startswith(f"{member} is ")
    assert caught.value.reason.endswith("send the access token")


@pytest.mark.parametrize(
    "more",
    [
        {"typ": "Bearer"}, {"typ": "at+jwt"}, {"typ": "application/at+jwt"}, {"typ": "JWT"}, {"typ": None},
        {"token_use": "access_token"}, {"token_use": "access"}, {"token_type": "Bearer"},
        {"token_type": "access_token"}, {"token_type": "N_A"}, {"token_type": 5}, {"type": "person"},
        {"purpose": "access_token"}, {"purpose": ["x"]},
    ],
    ids=str,
)  # fmt: skip
def test_what_names_an_access_token_or_something_else_is_taken(ask, more):
    assert ask({**ACTIVE, **more}).subject == ACTIVE["sub"]


def test_int_01_false_is_no_whatever_else_is_said(ask):
    for members in ({}, ACTIVE, {"aud": 5, "exp": "x", "cnf": [], "error": "expired"}):
        with pytest.raises(InvalidCredentials):
            ask({**members, "active": False})


# F-32
@pytest.mark.parametrize("body", [{}, {"error": "invalid_client"}, {"active": "true"}, {**ACTIVE, "aud": 5}], ids=str)
def test_what_is_no_answer_is_503_and_the_next_answer_counts(plain, make_app, body, caplog):
    plain.answers["/introspect"] = answer(body)
    auth = Auth(Bearer(make_introspection(plain)))
    app = make_app(auth)
    app.add_url_rule("/", view_func=auth.login_required(lambda: auth.identity.subject))
    ask = lambda: app.test_client().get("/", headers={"Authorization": f"Bearer {TOKEN}"})  # noqa: E731
    responses = [ask() for _ in range(5)]
    assert [(one.status_code, one.headers.get("WWW-Authenticate")) for one in responses] == [(503, None)] * 5
    assert plain.calls() == 5  # neither kept, nor does the server get a pause: it answers
    plain.answers["/introspect"] = answer(ACTIVE)
    assert ask().text == "ada"


@pytest.mark.rfc("I-05")
def test_int_01_inactive_is_an_invalid_token_and_no_more(plain, make_app):
    plain.answers["/introspect"] = answer({"active": False})
    auth = Auth(Bearer(make_introspection(plain)))
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
    loader = with_clock(make_introspection(plain), Clock(1_000_000), monkeypatch)
    if kind is None:
        assert loader(TOKEN).subject == "ada"
    else:
        with pytest.raises(kind) as caught:
            loader(TOKEN)
        assert type(caught.value) is kind


@pytest.mark.asvs("V10.3.1")
@pytest.mark.rfc("I-09", "S-01", "AS-04")
@pytest.mark.parametrize(
    ("aud", "good"),
    [
        (AUDIENCE, True), ([AUDIENCE], True), ([*map(str, range(49)), AUDIENCE], True), ("https://b.example", True),
        (AUDIENCE + "/", False), (AUDIENCE.upper(), False), (AUDIENCE[:-1], False), ([], False), ("", False),
        (None, False), (f"{AUDIENCE} x", False), (..., False),
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
        ("https://ID.example", False), ("https://id.example.evil", False),
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


# F-32: a member of a type that RFC 7662 §2.2, RFC 7519 or RFC 7800 doesn't give it isn't the client's fault.
@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("aud", value) for value in (5, True, {}, {AUDIENCE: 1}, [5], [AUDIENCE, 5], [None], [[AUDIENCE]])),
        *(("iss", value) for value in (5, True, [], ["https://id.example"], {})),
        *(("sub", value) for value in (5, True, [], {}, ["ada"])),
        *(("client_id", value) for value in (5, [])),
        *(("exp", value) for value in ("1", True, [], {})),
        *(("nbf", value) for value in ("1", False, [])),
        *(("cnf", value) for value in (5, "jkt", [], True, {"jkt": None}, {"jkt": 5}, {"x5t#S256": ["x"]})),
    ],
)
@pytest.mark.parametrize("options", [{}, {"audience": None}, {"issuer": "https://id.example"}], ids=str)
def test_members_of_another_type_are_the_servers_fault(ask, name, value, options):
    with pytest.raises(AuthUnavailable) as caught:
        ask({**ACTIVE, name: value}, **options)
    assert caught.value.reason.startswith(f"{name} in the introspection response has the wrong type: ")


# F-18: each reason says what came, what was expected, and the option that decides.
@pytest.mark.parametrize(
    ("members", "options", "told"),
    [
        ({"active": False}, {}, ["active: false"]),
        ({"active": "yes"}, {}, ["active", "'yes'", "true or false"]),
        ({"aud": "https://b.example"}, {}, ["aud is 'https://b.example'", f"audience=['{AUDIENCE}']"]),
        ({"aud": None}, {}, ["no aud", AUDIENCE, "audience=None"]),
        ({"iss": "https://b.example"}, {"issuer": "https://id.example"}, ["iss is 'https://b.example'", "issuer='https://id.example'"]),
        ({"exp": 5}, {}, ["exp is 5", "it is 1"]),
        ({"nbf": 4_000_000_000}, {}, ["nbf is 4000000000", "it is 1"]),
        ({"cnf": {"jwe": "s3cret"}}, {}, ["cnf", "'jwe'", "'jkt'", "'x5t#S256'"]),
        ({"cnf": {}}, {}, ["cnf", "[]", "'jkt'"]),
        ({"token_type": "DPoP"}, {}, ["token_type is DPoP", "cnf"]),
        ({"sub": 5}, {}, ["sub", "int", "text"]),
        ({"exp": "5"}, {}, ["exp", "str", "a number"]),
        ({"aud": ["x" * 5000]}, {}, ["aud is ['xxx", f"audience=['{AUDIENCE}']"]),
    ],
)  # fmt: skip
def test_the_reason_says_what_came_and_what_was_expected(ask, members, options, told):
    with pytest.raises((InvalidCredentials, AuthUnavailable)) as caught:
        ask({**ACTIVE, **members}, **options)
    assert all(part in caught.value.reason for part in told), caught.value.reason
    assert "s3cret" not in caught.value.reason
    assert len(caught.value.reason) <= 300


@pytest.mark.parametrize("members", [{"acr": 5, "auth_time": "now"}, {"acr": [], "auth_time": True}, {"acr": ""}])
def test_clm_24_a_login_that_cannot_be_read_is_none(ask, members):
    identity = ask({**ACTIVE, **members})
    assert (identity.acr, identity.auth_time) == (None, None)


@pytest.mark.parametrize(
    ("members", "roles"),
    [
        ({"realm_access": {"roles": ["admin", "user"]}}, {"admin", "user"}),
        ({"realm_access": {"roles": "admin"}}, {"admin"}),  # as JWT reads it
        ({"realm_access": {"roles": ["admin", 5]}}, set()),
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
    assert make_introspection(plain)(TOKEN).confirmation == BOUND
    auth = Auth(Bearer(make_introspection(plain)))
    app = make_app(auth)
    app.add_url_rule("/", view_func=auth.login_required(lambda: "in"))
    assert app.test_client().get("/", headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 401


@pytest.mark.rfc("P-38")
def test_a_bound_token_needs_the_proof_of_its_key(plain, make_app):
    holder, stranger = Holder(), Holder()
    plain.answers["/introspect"] = answer({**ACTIVE, "cnf": {"jkt": holder.jkt}})
    auth = Auth(DPoP(make_introspection(plain), origin=ORIGIN))
    app = make_app(auth)
    app.add_url_rule("/", view_func=auth.login_required(lambda: auth.identity.subject))
    client = app.test_client()
    assert client.get("/", headers=holder.sent(token=TOKEN)).text == "ada"
    assert client.get("/", headers=stranger.sent(token=TOKEN)).status_code == 401
    assert client.get("/", headers={"Authorization": f"DPoP {TOKEN}"}).status_code == 401
    plain.answers["/introspect"] = answer(ACTIVE)  # bound to no key
    auth = Auth(DPoP(make_introspection(plain), origin=ORIGIN))
    app = make_app(auth)
    app.add_url_rule("/", view_func=auth.login_required(lambda: auth.identity.subject))
    assert app.test_client().get("/", headers=holder.sent(token=TOKEN)).status_code == 401


@pytest.mark.rfc("T-03")
def test_a_certificate_that_binds(ask):
    bound = {"x5t#S256": "bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg2"}  # RFC 8705 §3.1
    assert ask({**ACTIVE, "cnf": bound}).confirmation == bound


@pytest.mark.rfc("P-39")
@pytest.mark.parametrize(
    "members",
    [
        {"cnf": None}, {"cnf": {}}, {"cnf": {"jkt": ""}}, {"cnf": {"jku": 5}},
        {"cnf": {"jku": "https://evil.example"}}, {"cnf": {**BOUND, "jwe": "x"}},
        {"token_type": "DPoP"}, {"token_type": "dpop", "cnf": None},
    ],
)  # fmt: skip
def test_clm_22_a_binding_that_is_not_understood(ask, members):
    with pytest.raises(InvalidCredentials):
        ask({**ACTIVE, **members})

"""What the 204 says about the caller."""

import datetime
from urllib.parse import unquote

import pytest

from flask_unauthorized import Auth, Bearer, ConfigurationError, Identity

from .asking import GOOD, PROXY, by_nginx


def fields_of(make_app, identity, **arguments):
    auth = Auth(Bearer(lambda token: identity))
    app = make_app(auth)
    auth.forward_auth("/auth", proxies=[PROXY], **arguments)
    response = app.test_client().get("/auth", headers={**by_nginx(), **GOOD}, environ_overrides={"REMOTE_ADDR": PROXY})
    assert response.status_code == 204
    return {name: value for name, value in response.headers if name.startswith("X-")}


def test_the_default_fields(make_app):
    identity = Identity("ada", scopes={"write", "read"}, roles={"editor"}, client_id="app-1")
    assert fields_of(make_app, identity) == {
        "X-Auth-Subject": "ada", "X-Auth-Scopes": "read write", "X-Auth-Roles": "editor", "X-Auth-Client": "app-1",
    }  # fmt: skip


def test_all_fields_come_each_time_so_that_a_proxy_overwrites_what_a_client_sent(make_app):
    assert fields_of(make_app, Identity(client_id="app-1")) == {
        "X-Auth-Subject": "", "X-Auth-Scopes": "", "X-Auth-Roles": "", "X-Auth-Client": "app-1",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("subject", "sent"),
    [
        ("ada@shop.example", "ada@shop.example"),
        ("https://id.example/u?x=1&y=2", "https://id.example/u?x=1&y=2"),
        ("DOM\\ada", "DOM\\ada"),
        ("zoë", "zo%C3%AB"),
        ("日本", "%E6%97%A5%E6%9C%AC"),
        ("a b", "a%20b"),
        (" a ", "%20a%20"),
        ("100%", "100%25"),
        ("%C3%AB", "%25C3%25AB"),
        ("a\r\nX-Auth-Roles: admin", "a%0D%0AX-Auth-Roles:%20admin"),
        ("a\x00\x7f\x85", "a%00%7F%C2%85"),
        ("\u2028", "%E2%80%A8"),
    ],
)
def test_a_value_is_visible_ascii_and_can_be_decoded(make_app, subject, sent):
    assert fields_of(make_app, Identity(subject))["X-Auth-Subject"] == sent
    assert unquote(sent) == subject


def test_names_and_sources_can_be_chosen(make_app):
    identity = Identity("7", acr="gold", claims={"email": "zoë@shop.example"}, auth_time=1_800_000_000)
    found = fields_of(
        make_app,
        identity,
        headers={
            "X-Remote-User": "subject",
            "X-Remote-Level": "acr",
            "X-Remote-Since": "auth_time",
            "X-Remote-Email": lambda identity: identity.claims["email"],
            "X-Remote-Groups": lambda identity: ["b c", "a"],
            "X-Remote-Nothing": lambda identity: None,
            "X-Remote-Day": lambda identity: datetime.date(2026, 11, 28),
        },
    )
    assert found == {
        "X-Remote-User": "7",
        "X-Remote-Level": "gold",
        "X-Remote-Since": "1800000000",
        "X-Remote-Email": "zo%C3%AB@shop.example",
        "X-Remote-Groups": "b%20c a",
        "X-Remote-Nothing": "",
        "X-Remote-Day": "2026-11-28",
    }


def test_no_fields_at_all(make_app):
    assert fields_of(make_app, Identity("ada"), headers={}) == {}


@pytest.mark.parametrize(
    ("headers", "error", "message"),
    [
        (["X-User"], TypeError, 'headers must be a mapping such as {"X-Auth-Subject": "subject"}, not [\'X-User\']'),
        (
            {"X-User": 7},
            TypeError,
            "headers has 'X-User': 7, expected the name of a field, and an attribute of Identity or a function of it",
        ),
        (
            {"X_User": "subject"},
            ConfigurationError,
            "headers has 'X_User', which can't name the caller: write a name such as \"X-Auth-Subject\"",
        ),
        (
            {"X-User: x\r\n": "subject"},
            ConfigurationError,
            "headers has 'X-User: x\\r\\n', which can't name the caller: write a name such as \"X-Auth-Subject\"",
        ),
        (
            {"Set-Cookie": "subject"},
            ConfigurationError,
            "headers has 'Set-Cookie', which can't name the caller: write a name such as \"X-Auth-Subject\"",
        ),
        (
            {"X-Auth-Status": "subject"},
            ConfigurationError,
            "headers has 'X-Auth-Status', which can't name the caller: write a name such as \"X-Auth-Subject\"",
        ),
        (
            {"X-User": "email"},
            ConfigurationError,
            "headers has 'email' for X-User, which is not one of subject, scopes, roles, acr, auth_time, client_id, "
            "expires_at, issuer, amr: write a function of the Identity for anything else",
        ),
    ],
)
def test_mistakes_are_explained(headers, error, message):
    with pytest.raises(error) as raised:
        Auth(Bearer({}.get)).forward_auth("/auth", proxies=[PROXY], headers=headers)
    assert str(raised.value) == message

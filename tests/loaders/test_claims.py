"""Whose identity the claims of a token make."""

import pytest

from flask_unauthorized import Identity
from flask_unauthorized.loaders.claims import kind_of, with_user


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "absent"), ("", "empty"), ([], "empty"), ({}, "empty"), ("x", "a JSON string"), (1, "a JSON number"),
        (0.5, "a JSON number"), (False, "a JSON boolean"), ([1], "a JSON array"), ({"a": 1}, "a JSON object"),
    ],
)  # fmt: skip
def test_the_log_names_the_kind_of_a_claim(value, text):
    assert kind_of(value) == text


def test_a_look_up_cannot_widen_what_a_token_allows():
    token = Identity("1", scopes={"read"}, acr="pwd", auth_time=5.0, claims={"jti": "x"}, client_id="app")
    looked_up = Identity("ada", scopes={"admin"}, roles={"boss"}, acr="mfa", auth_time=9.0, user=object())
    found = with_user(token, lambda identity: looked_up)
    assert (found.subject, found.roles, found.user) == ("ada", {"boss"}, looked_up.user)
    assert (found.scopes, found.acr, found.auth_time, found.client_id) == ({"read"}, "pwd", 5.0, "app")
    assert found.claims == token.claims

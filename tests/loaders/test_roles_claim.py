"""F-28, F-18: where the roles are, and what the log says of a claim that holds none."""

import logging

import pytest

from flask_unauthorized.loaders.introspection import Introspection
from tests.jose.conftest import jwt
from tests.jose.signing import AUDIENCE, as_json, token

ZITADEL = "urn:zitadel:iam:org:project:roles"
KEYCLOAK = {"realm_access": {"roles": ["a"]}, "resource_access": {"my.api": {"roles": ["b", "c"]}}}


def by_jwt(where, claims):
    return jwt(roles_claim=where)(token(**claims)).roles


def by_introspection(where, claims):
    answer = as_json({"active": True, "aud": AUDIENCE, "sub": "ada", **claims})
    loader = Introspection(
        "https://id.example/i", audience=AUDIENCE, access_token="x", roles_claim=where, post=lambda *asked: answer
    )
    return loader("token").roles


READERS = pytest.mark.parametrize("read", [by_jwt, by_introspection])


@READERS
@pytest.mark.parametrize(
    ("where", "claims", "roles"),
    [
        (["realm_access.roles", ("resource_access", "my.api", "roles")], KEYCLOAK, {"a", "b", "c"}),
        (["realm_access.roles"], KEYCLOAK, {"a"}),
        ([("realm_access", "roles"), "other"], KEYCLOAK, {"a"}),
        (("realm_access", "roles"), KEYCLOAK, {"a"}),  # a tuple is one path
        (["roles", "roles"], {"roles": "a"}, {"a"}),
        (ZITADEL, {ZITADEL: {"admin": {"123": "acme.zitadel.cloud"}, "editor": {"123": "acme"}}}, {"admin", "editor"}),
        ("roles", {"roles": {"admin": True, "guest": False, "owner": None}}, {"admin"}),
        ("roles", {"roles": {}}, set()),
        ("roles", {"roles": []}, set()),
        ("roles", {"roles": ""}, set()),
        ("roles", {"roles": ["", "a"]}, {"a"}),
    ],
)
def test_where_the_roles_are(read, where, claims, roles, caplog):
    assert read(where, claims) == roles
    expected = ["other"] if "other" in where else []
    assert [record.args[0].strip("'") for record in caplog.records if "roles_claim" in record.getMessage()] == expected


@pytest.mark.parametrize(
    ("value", "held"),
    [
        ([{"id": "g1", "name": "Admins"}], "an array with a JSON object"),
        (["a", 5], "an array with a JSON number"),
        (5, "a JSON number"),
        (True, "a JSON boolean"),
    ],
)
@READERS
def test_what_cannot_be_read_is_told_once(read, value, held, caplog):
    assert read("groups", {"groups": value}) == frozenset()
    (said,) = [record for record in caplog.records if "roles_claim" in record.getMessage()]
    assert said.levelno == logging.WARNING
    assert said.getMessage().startswith(f"roles_claim='groups' holds {held}, so it gives no roles. Expected ")
    assert "Admins" not in said.getMessage()


def test_it_is_told_once_for_each_path(caplog):
    loader = jwt(roles_claim=["groups", "roles"])
    for _ in range(3):
        assert loader(token(groups=[{"name": "x"}], roles=5)).roles == frozenset()
    assert len(caplog.records) == 2


def test_a_misspelled_claim_is_told_once(caplog):
    loader = jwt(roles_claim="realm_acess.roles")
    for _ in range(3):
        assert loader(token(realm_access={"roles": ["admin"]})).roles == frozenset()
    (said,) = caplog.records
    assert said.levelno == logging.WARNING
    assert said.getMessage().startswith("roles_claim='realm_acess.roles': this token has no such claim")
    assert "'realm_access'" in said.getMessage()


def test_a_misspelled_member_is_named_with_its_neighbors(caplog):
    jwt(roles_claim="realm_access.role")(token(realm_access={"roles": ["admin"]}))
    jwt(roles_claim="resource_access.my-api.roles")(token(resource_access={"account": {"roles": ["view-profile"]}}))
    role, client = (record.getMessage() for record in caplog.records)
    assert "Its claim 'realm_access' has ['roles']. Correct" in role
    assert "Its claim 'resource_access' has ['account']. Correct" in client
    assert "admin" not in role


def test_a_caller_without_roles_is_no_mistake(caplog):
    loader = jwt(roles_claim="roles")
    assert loader(token(roles=["admin"])).roles == {"admin"}
    assert loader(token()).roles == frozenset()
    assert loader(token(roles=None)).roles == frozenset()
    assert not caplog.records


def test_a_path_with_dots_in_its_names_is_shown_in_parts(caplog):
    jwt(roles_claim=("resource_access", "my.api", "roles"))(token())
    assert caplog.records[0].getMessage().startswith("roles_claim=['resource_access', 'my.api', 'roles']: ")

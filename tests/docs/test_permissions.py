"""The programs of docs/guides/permissions.md do what the page says."""

import pytest

from flask_unauthorized.testing import assert_sound
from tests.helpers import challenge_lines

from .recipes import ADA, BOB, EVE, NOTHING_SENT, run


@pytest.mark.parametrize(
    ("method", "sent", "status", "body"),
    [
        ("GET", ADA, 200, {"notes": ["call Grace"]}),
        ("GET", BOB, 200, {"notes": ["call Grace"]}),
        ("GET", EVE, 403, {"error": "Forbidden", "message": "You are not allowed to access this resource."}),
        ("POST", ADA, 201, {"added by": "ada"}),
        ("POST", BOB, 403, {"error": "Forbidden", "message": "You need the permission to edit."}),
        ("POST", EVE, 403, {"error": "Forbidden", "message": "You need the permission to edit."}),
    ],
)
def test_roles_and_permissions(method, sent, status, body):
    answer = run("Roles and permissions")["app"].test_client().open("/notes", method=method, headers=sent)
    assert (answer.status_code, answer.json) == (status, body)
    assert_sound(answer)


def test_roles_and_permissions_without_a_token():
    answer = run("Roles and permissions")["app"].test_client().post("/notes")
    assert (answer.status_code, challenge_lines(answer)) == (401, [NOTHING_SENT])


def test_the_permission_refuses_where_the_guard_was_forgotten():
    scope = run("Roles and permissions")
    scope["app"].add_url_rule("/bare", view_func=scope["permission"]("edit")(lambda: "ran"))
    client = scope["app"].test_client()
    statuses = [client.get("/bare", headers=sent).status_code for sent in ({}, BOB, ADA)]
    assert statuses == [401, 403, 200]


def test_the_permission_of_async_views():
    pytest.importorskip("asgiref")
    scope = run(
        "Roles and permissions",
        ("from flask import Flask", "from flask import Flask, current_app"),
        ("return view(*args, **kwargs)", "return current_app.ensure_sync(view)(*args, **kwargs)"),
        ("def add()", "async def add()"),
    )
    client = scope["app"].test_client()
    assert client.post("/notes", headers=ADA).json == {"added by": "ada"}
    assert client.post("/notes", headers=BOB).status_code == 403


@pytest.mark.parametrize(
    ("method", "number", "sent", "status"),
    [
        ("GET", 1, ADA, 200), ("GET", 1, BOB, 200), ("GET", 1, {}, 401), ("GET", 2, ADA, 200), ("GET", 2, BOB, 404),
        ("GET", 2, {}, 401), ("GET", 3, BOB, 404), ("GET", 3, {}, 401), ("DELETE", 1, BOB, 403),
        ("DELETE", 1, ADA, 204), ("DELETE", 2, BOB, 404), ("DELETE", 2, {}, 401),
    ],
)  # fmt: skip
def test_owners_of_objects(method, number, sent, status):
    scope = run("Owners of objects")
    answer = scope["app"].test_client().open(f"/notes/{number}", method=method, headers=sent)
    assert answer.status_code == status
    assert (number in scope["NOTES"]) is (number < 3 and status != 204)
    if status == 403:
        assert answer.json == {"error": "Forbidden", "message": "Only its owner may change this note."}


def test_a_hidden_object_looks_like_one_that_does_not_exist():
    client = run("Owners of objects")["app"].test_client()
    hidden, missing = (client.get(f"/notes/{number}", headers=BOB) for number in (2, 3))
    assert (hidden.data, list(hidden.headers)) == (missing.data, list(missing.headers))


def test_one_permission_includes_another():
    scope = run("One permission includes another")
    client = scope["app"].test_client()
    assert [client.get("/notes", headers=sent).status_code for sent in (ADA, BOB)] == [200, 200]
    assert client.delete("/notes", headers=ADA).status_code == 204
    refused = client.delete("/notes", headers=BOB)
    assert refused.status_code == 403
    [line] = challenge_lines(refused)
    assert line.startswith('Bearer realm="notes", scope="admin", error="insufficient_scope", error_description="')


def test_granted_scopes_are_not_the_implied_ones():
    scope = run("One permission includes another")
    auth = scope["auth"]

    def view():
        auth.require(scopes={"read"})
        return {"granted": sorted(auth.identity.scopes)}

    scope["app"].add_url_rule("/trap", view_func=view)
    assert scope["app"].test_client().get("/trap", headers=ADA).json == {"granted": ["admin"]}

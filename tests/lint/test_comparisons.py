"""What several exchanges show together: each finding, and the nearest responses that are right."""

import json

import pytest

from flask_unauthorized.lint.comparisons import compare
from flask_unauthorized.lint.exchange import make_exchange
from flask_unauthorized.lint.rules import WELL_KNOWN

BEARER, INVALID = 'Bearer realm="a"', 'Bearer realm="a", error="invalid_token"'


def response(status, *lines, path="/notes", body=b"", method="GET"):
    return make_exchange(status, [("WWW-Authenticate", line) for line in lines], body, method=method, path=path)


def found(nothing=None, **others):
    """Return the ids of the findings. ``wrong_token`` stands for the exchange with a wrong token."""
    first = response(401, BEARER) if nothing is None else nothing
    named = {name.replace("_", " "): one for name, one in others.items()}
    return {finding.id for finding in compare({"nothing": first, **named})}


def test_one_error_code_tells_the_client_that_its_token_is_invalid():
    """RFC 6750 §3.1. Beside DPoP, only the scheme that was used has an error (RFC 9449 §7.2)."""
    assert found(wrong_token=response(401, BEARER)) == {"W8"}
    both = response(401, BEARER, 'DPoP algs="ES256"')
    assert found(both, wrong_token=response(401, INVALID, 'DPoP algs="ES256"')) == set()
    assert found(both, wrong_token=response(401, BEARER, 'DPoP algs="ES256"')) == {"W8"}


def test_a_403_for_all_is_a_decision_about_all():
    refused = response(403)
    assert found(refused, wrong_token=response(403), wrong_password=response(403)) == set()
    assert found(refused, wrong_token=response(401, INVALID)) == {"W6"}


def test_a_token_was_read_only_if_another_scheme_changes_nothing():
    token = response(401, 'Token realm="a"')
    assert found(token, wrong_token=response(400), wrong_password=token) == {"W13"}
    assert "W13" not in found(token, wrong_token=response(400), wrong_password=response(400))


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (500, {"C14"}), (502, {"C14"}), (503, set()),  # RFC 9110 §15.6.4: the server can't check now
        (404, {"C15"}), (422, {"C15"}), (403, set()), (429, set()),  # RFC 6585 §4: too many attempts
    ],
)  # fmt: skip
def test_the_status_for_a_wrong_password(status, expected):
    basic = response(401, 'Basic realm="a"')
    assert found(basic, wrong_password=response(status)) == expected


@pytest.mark.parametrize(("status", "expected"), [(401, set()), (405, set()), (501, set()), (200, {"C16"})])
def test_head_is_refused_as_get_is_or_not_allowed_at_all(status, expected):
    lines = (BEARER,) if status == 401 else ()
    assert found(HEAD=response(status, *lines, method="HEAD")) == expected


@pytest.mark.parametrize(
    ("asked", "resource", "expected"),
    [
        ("", "https://a.example", set()),
        ("", "https://a.example/", set()),  # RFC 9728 §3.1: a slash after the host is removed
        ("/notes", "https://a.example/notes", set()),
        ("/no", "https://a.example/no", {"W14"}),  # not a part of /notes, whose first letters are the same
        ("/notes", "https://a.example/notes/", {"W14"}),
        ("?a=b", "https://a.example?a=b", set()),
        ("?a=c", "https://a.example?a=b", {"W14"}),
    ],
)
def test_the_metadata_stands_where_its_resource_says(asked, resource, expected):
    """RFC 9728 §3.1 and §3.3."""
    document = make_exchange(200, (), json.dumps({"resource": resource}).encode(), path=f"{WELL_KNOWN}{asked}")
    assert found(metadata=document) == expected


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"[]",
        b"{}",
        b'{"resource": 1}',
        b'{"resource": null}',
        b'{"resource": "http://["}',
        b"[" * 60_000,
    ],
)
def test_a_document_that_is_none_is_a_finding(body):
    assert found(metadata=make_exchange(200, (), body, path=WELL_KNOWN)) == {"W14"}

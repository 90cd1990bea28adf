"""docs/reference/schemes.md is fresh, and its challenges are those that the standards name."""

import re

import pytest

import flask_unauthorized.schemes
from tests.independent import independent

from . import schemes
from .schemes import CASES, COMMAND, MARKED, PAGE

TEXT = PAGE.read_text(encoding="utf-8")
ROW = re.compile(r"^\| (?P<cases>.*?) \| (?P<status>\d{3}) \| (?P<fields>.*) \|$", re.MULTILINE)
CHALLENGE = re.compile(r"`WWW-Authenticate: (.*?)`")


@pytest.fixture(scope="module")
def rows():
    """Each row of the page: its scheme, status and the challenges as another parser reads them."""
    found = []
    for part in MARKED.finditer(TEXT):
        for row in ROW.finditer(part[0]):
            lines = CHALLENGE.findall(row["fields"].replace("…", "random"))
            challenges = [one for line in lines for one in independent(line)]
            found.append((part[2], row["cases"], int(row["status"]), challenges, row["fields"]))
    return found


def test_the_page_is_fresh():
    assert schemes.current() == TEXT, f"run {COMMAND}"


def test_each_scheme_has_its_arguments_and_its_responses():
    assert set(CASES) == {*flask_unauthorized.schemes.__all__, "RemoteUser"} - {"Scheme"}
    assert {(found[2], found[3]) for found in MARKED.finditer(TEXT)} == {
        (name, part) for name in CASES for part in ("arguments", "responses")
    }


def test_each_row_keeps_the_rules_of_its_status(rows):
    """RFC 9110 §11.6.1: a 401 has a challenge. RFC 6585 §4 and RFC 9110 §15.6.4: 429 and 503 say when to come back."""
    assert len(rows) > 50
    for _, cases, status, challenges, fields in rows:
        assert bool(challenges) >= (status == 401), cases
        assert ("Retry-After" in fields) == (status in (429, 503)), cases
        assert not challenges or status in (400, 401, 403), cases


@pytest.mark.parametrize(
    ("scheme", "case", "status", "challenge"),
    [
        # RFC 6750 §3, with the description and the order of this library.
        ("Bearer", "nothing was sent", 401, {"realm": "notes"}),
        ("Bearer", "unknown", 401, {"error": "invalid_token"}),
        ("Bearer", "malformed", 400, {"error": "invalid_request"}),
        ("Bearer", "a scope is missing", 403, {"error": "insufficient_scope", "scope": "notes:write"}),
        # RFC 9470 §3
        ("Bearer", "too old", 401, {"error": "insufficient_user_authentication", "max_age": "300"}),
        ("Bearer", "too weak", 401, {"error": "insufficient_user_authentication", "acr_values": "mfa"}),
        # RFC 9449 §7.1 and §9
        ("DPoP", "nothing was sent", 401, {"realm": "notes", "algs": "ES256 Ed25519 EdDSA PS256"}),
        ("DPoP", "the proof is missing", 401, {"error": "invalid_dpop_proof"}),
        ("DPoP", "no nonce", 401, {"error": "use_dpop_nonce"}),
        # RFC 7617 §2.1
        ("Basic", "unknown", 401, {"realm": "notes", "charset": "UTF-8"}),
        # RFC 7616 §3.3
        ("Digest", "the password is wrong", 401, {"qop": "auth", "algorithm": "SHA-256", "charset": "UTF-8"}),
        ("Digest", "nonce has expired", 401, {"stale": "true"}),
    ],
)
def test_rows_that_a_standard_fixes(rows, scheme, case, status, challenge):
    found = [row for row in rows if row[0] == scheme and case in row[1]]
    assert found[0][2] == status
    ((_, params),) = found[0][3]
    assert {name: params.get(name) for name in challenge} == challenge
    assert ("error" in params) == ("error" in challenge)

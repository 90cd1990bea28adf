"""The linter on apps that use other libraries."""

import os

import pytest

from flask_unauthorized.lint.comparisons import compare
from flask_unauthorized.lint.rules import lint_exchange

from .linter import COMMAND, OURS, PAGE, PEERS, exchanges, page

if os.environ.get("CI") != "true":
    for name in ("fastapi", "flask_httpauth", "flask_jwt_extended", "authlib"):
        pytest.importorskip(name, reason="nox -s neighbours")

# By hand, from the source of each library: what the first response lacks.
EXPECTED = {
    "Flask alone": {"W1", "C1"},
    "Flask-HTTPAuth, passwords": {"W2", "C1"},
    "Flask-HTTPAuth, tokens": {"C1"},
    "Flask-JWT-Extended": {"W1", "C1"},
    "Authlib": {"W4", "C6"},
    "FastAPI, HTTPBearer": {"W3", "C1"},
    "FastAPI, HTTPDigest": {"W3", "C1"},
}


@pytest.mark.parametrize("peer", PEERS, ids=lambda peer: peer.title)
def test_what_the_first_response_lacks(peer):
    found = lint_exchange(exchanges(peer)["nothing sent"])
    assert {finding.id for finding in found} == EXPECTED[peer.title]


def test_nothing_is_found_on_ours():
    found = exchanges(OURS)
    assert [lint_exchange(one) for one in found.values()] == [[]] * 4
    assert compare({"nothing": found["nothing sent"], "wrong token": found["a wrong token"]}) == []


def test_the_page_is_fresh():
    assert PAGE.read_text(encoding="utf-8") == page(), f"run {COMMAND}"

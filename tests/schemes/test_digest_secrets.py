"""Digest: what depends on a secret is compared in constant time (RFC 7616 §3.6; `hmac.compare_digest`)."""

import ast
import hmac
from pathlib import Path

import pytest

import flask_unauthorized
from tests.digest_client import credentials_for, field_value

from .digest_served import Served, is_stale

PACKAGE = Path(flask_unauthorized.__file__).parent
SECRETS = {
    "a1", "digest", "expected", "hash", "mac", "made", "password", "proof", "response", "secret", "signature",
    "signed", "stored",
}  # fmt: skip
"""Words in names of values that depend on a secret."""
FILES = (
    "schemes/digest.py", "schemes/digest_authentication_info.py", "schemes/digest_credentials.py",
    "schemes/digest_replay.py", "schemes/digest_secrets.py", "schemes/digest_uri.py", "schemes/nonces.py",
    "wire/digest.py",
)  # fmt: skip
EQUALITY = (ast.Eq, ast.NotEq, ast.In, ast.NotIn)


def comparisons_of_secrets(source):
    """Comparisons that end at the first difference, of names that tell of a secret; ``len()`` of one is no secret."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Compare) or not any(isinstance(operator, EQUALITY) for operator in node.ops):
            continue
        sides = [side for side in (node.left, *node.comparators) if not isinstance(side, ast.Constant)]
        words = {word for side in sides for name in names(side) for word in name.strip("_").split("_")}
        if words & SECRETS:
            found.append(ast.unparse(node))
    return found


def names(node):
    if isinstance(node, ast.Call):
        called = node.func
        if isinstance(called, ast.Name) and called.id == "len":
            return []
        # What a call returns is told by its name, and by what it is called on.
        return [called.id] if isinstance(called, ast.Name) else [called.attr, *names(called.value)]
    if isinstance(node, ast.Attribute):
        return [node.attr, *names(node.value)]
    if isinstance(node, ast.Name):
        return [node.id]
    return [name for child in ast.iter_child_nodes(node) for name in names(child)]


# T-02
@pytest.mark.rfc("D-24")
@pytest.mark.parametrize("file", FILES)
def test_no_secret_is_compared_by_equality(file):
    assert comparisons_of_secrets((PACKAGE / file).read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "planted",
    [
        "expected == sent.response",
        "_signature(key, signed) == signature",
        "signature != _signature(key, signed)",
        "response_hash(a) == sent.response",
        "sent.response in (expected,)",
        "expected.encode('latin-1') == sent.response.encode('latin-1')",
        "made.digest() == given",
    ],
)
def test_the_search_finds_what_it_is_for(planted):
    assert comparisons_of_secrets(f"if {planted}: pass") == [planted]


# T-02
@pytest.mark.asvs("V11.2.4")
@pytest.mark.parametrize("what", ["response", "nonce"])
def test_responses_and_signatures_of_nonces_go_through_compare_digest(make_app, monkeypatch, what):
    """Whatever the code looks like: with a ``compare_digest`` that says no, nobody gets in."""
    served = Served(make_app)
    offered = served.challenge()
    params = credentials_for(offered)
    wanted = params["response"] if what == "response" else offered["nonce"].rpartition(".")[2]
    compared = []

    def never(first, second):
        compared.append((first, second))
        pair = [side if isinstance(side, str) else side.decode() for side in (first, second)]
        return pair[0] == pair[1] and wanted not in pair

    monkeypatch.setattr(hmac, "compare_digest", never)
    response = served.app.test_client().get("/", headers={"Authorization": field_value(params)})
    assert not is_stale(response)
    assert compared
    assert not served.ran

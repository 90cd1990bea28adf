"""DPoP on real servers, each of which tells the target of a request, and two fields of one name, in its own way."""

import pytest

from ..dpop_client import Holder
from .conftest import SERVERS, ask, running

HOLDER = Holder()


@pytest.fixture(scope="module", params=SERVERS)
def served(request):
    command = tuple(part.replace("tests.live.app", "tests.live.dpop_app") for part in SERVERS[request.param])
    with running(f"dpop-{request.param}", command) as server:
        yield server


def send(served, *proofs, target=b"/"):
    """The answer to a request with these proofs."""
    lines = [b"DPoP: " + proof.encode() for proof in proofs]
    return ask(served, b"Authorization: DPoP " + HOLDER.jkt.encode(), *lines, target=target)


def proof_for(served, path, **claims):
    """A proof with a nonce of this server."""
    first = send(served, HOLDER.proof(token=HOLDER.jkt))
    assert first.status == 401
    assert 'error="use_dpop_nonce"' in first.challenges[0]
    return HOLDER.proof(token=HOLDER.jkt, path=path, nonce=first.headers["DPoP-Nonce"], **claims)


@pytest.mark.rfc("P-12", "P-13", "P-27")
@pytest.mark.parametrize(
    ("target", "path"),
    [
        (b"/", "/"),
        (b"/?x=1", "/"),
        (b"/a/b?x=/y", "/a/b"),
        (b"/a%20b/%C3%BC~", "/a%20b/%c3%bc%7E"),
        (b"/a%2Fb", "/a%2fb"),
        (b"/a//b", "/a//b"),
        (b"/%25", "/%25"),
        (b"http://whatever.example/a?x", "/a"),
    ],
)
def test_dpo_10_addresses_as_servers_tell_them(served, target, path):
    sent = proof_for(served, path)
    assert send(served, sent, target=target).status == 200
    assert send(served, sent, target=target).status == 401


@pytest.mark.rfc("P-12")
@pytest.mark.parametrize(
    ("target", "path"), [(b"/a/b", "/a%2Fb"), (b"/a%2Fb", "/a/b"), (b"/a", "/b"), (b"/a//b", "/a/b")]
)
def test_dpo_09_other_addresses_on_real_servers(served, target, path):
    answer = send(served, proof_for(served, path), target=target)
    assert answer.status == 401
    assert 'error="invalid_dpop_proof"' in answer.challenges[0]


@pytest.mark.rfc("P-04")
def test_dpo_02_two_proofs_in_two_lines(served):
    answer = send(served, proof_for(served, "/"), proof_for(served, "/"))
    assert answer.status == 401
    assert 'error="invalid_dpop_proof"' in answer.challenges[0]

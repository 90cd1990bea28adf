"""DPoP with clients that nobody here wrote, against gunicorn with three workers that share a store."""

import json
import subprocess
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from ..dpop_client import Holder
from ..live.conftest import GUNICORN, ask, running
from .conftest import need

ORIGIN = ("-e", "CLIENTS_ORIGIN=http://localhost:{port}")
WORKERS = (*GUNICORN, *ORIGIN, "-w", "3", "-k", "gthread", "--threads", "4", "tests.clients.dpop_app:app")
ALGORITHMS = ["ES256", "PS256", "Ed25519"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where the npm packages are."""
    need("node")
    folder = tmp_path_factory.mktemp("dpop")
    command = [
        need("npm"),
        "install",
        "--no-audit",
        "--no-fund",
        "--prefix",
        str(folder),
        "dpop@2.1.2",
        "oauth4webapi@3.8.8",
    ]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    return folder


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    store = tmp_path_factory.mktemp("store") / "store.db"
    with running("dpop", WORKERS, CLIENTS_STORE=str(store)) as started:
        yield started


def run(folder, program, *arguments):
    """What a program of Node prints, as JSON."""
    (folder / "client.mjs").write_text(program, encoding="utf-8")
    done = subprocess.run(
        [need("node"), str(folder / "client.mjs"), *arguments], capture_output=True, text=True, cwd=folder, timeout=60
    )
    assert done.returncode == 0, done.stderr[-600:]
    return json.loads(done.stdout)


# The package with which most JavaScript clients make proofs, and Node's own fetch.
PROOFS = """
import * as DPoP from 'dpop';
const [address, algorithm] = process.argv.slice(2);
const pair = await DPoP.generateKeyPair(algorithm);
const token = await DPoP.calculateThumbprint(pair.publicKey);
let nonce, found = [];
async function ask(method, proof) {
  proof ??= await DPoP.generateProof(pair, address, method, nonce, token);
  const answer = await fetch(address, {method, headers: {Authorization: `DPoP ${token}`, DPoP: proof}});
  const told = answer.headers.get('WWW-Authenticate');
  nonce = answer.headers.get('DPoP-Nonce') ?? nonce;
  found.push([answer.status, /error="([^"]+)"/.exec(told ?? '')?.[1] ?? null]);
  return proof;
}
await ask('GET');
await ask('GET');
const used = await ask('POST');
await ask('POST', used);
const other = await DPoP.generateKeyPair(algorithm);
await ask('GET', await DPoP.generateProof(other, address, 'GET', nonce, token));
console.log(JSON.stringify(found));
"""


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("path", ["plain", "plain/a%20b/%C3%BC~?x=1", "nonces", "beside"])
def test_the_npm_package_for_proofs(server, folder, algorithm, path):
    found = run(folder, PROOFS, f"http://localhost:{server.port}/{path}", algorithm)
    first = [200, None] if path.startswith("plain") else [401, "use_dpop_nonce"]
    assert found == [first, [200, None], [200, None], [401, "invalid_dpop_proof"], [401, "invalid_token"]]


# A certified OAuth client: it reads the challenges, keeps the nonces, and makes proofs by itself.
OAUTH = """
import * as oauth from 'oauth4webapi';
import { calculateThumbprint } from 'dpop';
const [base, algorithm] = process.argv.slice(2);
const pair = await oauth.generateKeyPair(algorithm);
const token = await calculateThumbprint(pair.publicKey);
const handle = oauth.DPoP({client_id: 'me'}, pair);
const found = [];
async function ask(path, given = token, again = true) {
  try {
    const options = {DPoP: handle, [oauth.allowInsecureRequests]: true};
    const answer = await oauth.protectedResourceRequest(given, 'GET', new URL(base + path), undefined, null, options);
    found.push([path, answer.status]);
  } catch (error) {
    if (again && oauth.isDPoPNonceError(error)) { found.push([path, 'nonce']); return ask(path, given, false); }
    if (!(error instanceof oauth.WWWAuthenticateChallengeError)) throw error;
    found.push([path, error.status, ...error.cause.map(({scheme, parameters}) => [scheme, parameters.error ?? null])]);
  }
}
await ask('/plain?x=1');
await ask('/nonces');
await ask('/nonces');
await ask('/scope');
await ask('/beside', 'not-the-thumbprint');
console.log(JSON.stringify(found));
"""


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_certified_oauth_client(server, folder, algorithm):
    found = run(folder, OAUTH, f"http://localhost:{server.port}", algorithm)
    assert found == [
        ["/plain?x=1", 200],
        ["/nonces", "nonce"],
        ["/nonces", 200],
        ["/nonces", 200],
        ["/scope", 403, ["dpop", "insufficient_scope"]],
        ["/beside", 401, ["bearer", None], ["dpop", "invalid_token"]],
    ]


# A client whose nonce is soon over goes on with what comes with the answers.
ROLLING = """
import * as DPoP from 'dpop';
const [address] = process.argv.slice(2);
const pair = await DPoP.generateKeyPair('ES256');
const token = await DPoP.calculateThumbprint(pair.publicKey);
let nonce, seen = new Set(), statuses = {};
const end = Date.now() + 20000;
while (seen.size < 4 && Date.now() < end) {
  const proof = await DPoP.generateProof(pair, address, 'GET', nonce, token);
  const answer = await fetch(address, {headers: {Authorization: `DPoP ${token}`, DPoP: proof}});
  statuses[answer.status] = true;
  nonce = answer.headers.get('DPoP-Nonce') ?? nonce;
  seen.add(nonce);
}
console.log(JSON.stringify([seen.size, statuses['200'] ?? false]));
"""


@pytest.mark.rfc("P-37")
def test_nonces_that_roll(server, folder):
    assert run(folder, ROLLING, f"http://localhost:{server.port}/brief") == [4, True]


@pytest.mark.rfc("P-04")
def test_dpo_02_two_proofs_in_two_lines_of_a_real_request(server):
    holder = Holder()
    proofs = [holder.proof(token=holder.jkt, htu=f"http://localhost:{server.port}/plain") for _ in range(3)]
    token = b"Authorization: DPoP " + holder.jkt.encode()
    lines = [b"DPoP: " + proof.encode() for proof in proofs]
    assert ask(server, token, lines[0], target=b"/plain").status == 200
    two = ask(server, token, *lines[1:], target=b"/plain")
    assert two.status == 401
    assert 'error="invalid_dpop_proof"' in two.challenges[0]


@pytest.mark.rfc("P-33")
def test_both_schemes_in_two_lines_of_a_real_request(server):
    answer = ask(server, b"Authorization: DPoP a", b"Authorization: Bearer a", b"DPoP: a", target=b"/beside")
    assert answer.status == 400
    assert all('error="invalid_request"' in line for line in answer.challenges)
    assert len(answer.challenges) == 2


@pytest.mark.rfc("P-19")
def test_dpo_13_workers_share_what_was_used(server):
    holder = Holder()
    url = f"http://localhost:{server.port}/plain"
    sent = [holder.sent(token=holder.jkt, htu=url) for _ in range(8)]

    def send(headers):
        lines = [f"{name}: {value}".encode() for name, value in headers.items()]
        for _ in range(100):
            status = ask(server, *lines, target=b"/plain").status
            if status != 503:  # the store was busy
                break
        return status

    with ThreadPoolExecutor(8) as pool:
        for headers in sent:
            assert Counter(pool.map(send, [headers] * 8)) == {200: 1, 401: 7}

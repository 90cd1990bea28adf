"""Proofs judged twice: by us, and by the resource server's half of oauth4webapi."""

import json
import subprocess
import time

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey

from flask_unauthorized import Auth, DPoP, Identity

from ..dpop_client import GONE, ORIGIN, Holder
from .conftest import need

HOLDER, STRANGER = Holder(), Holder()


def cases(now):
    """Proofs by name, as what is changed of a good one."""
    return {
        "good": {},
        "good, with more": {"odd": 1, "header": {"kid": "1"}},
        "good, its query left out": {"htu": ORIGIN + "/p?other=1#f"},
        "good, upper case and port": {"htu": "HTTPS://API.example.com:443/p"},
        "good, dots": {"htu": ORIGIN + "/a/../p"},
        "good, a little old": {"iat": now - 20},
        **{f"without {name}": {name: GONE} for name in ("jti", "htm", "htu", "iat", "ath")},
        **{f"{name} is null": {name: None} for name in ("jti", "htm", "htu", "iat", "ath")},
        **{f"{name} is a number": {name: 1} for name in ("jti", "htm", "htu", "ath")},
        "iat is a text": {"iat": str(now)},
        "an hour old": {"iat": now - 3600},
        "from the future": {"iat": now + 3600},
        "exp": {"exp": now - 3600},
        "nbf": {"nbf": now + 3600},
        "another method": {"htm": "POST"},
        "method in lower case": {"htm": "get"},
        "another path": {"htu": ORIGIN + "/q"},
        "a path more": {"htu": ORIGIN + "/p/"},
        "another host": {"htu": "https://api.example.org/p"},
        "another port": {"htu": "https://api.example.com:8443/p"},
        "plain http": {"htu": "http://api.example.com/p"},
        "no URI": {"htu": "/p"},
        "another token's hash": {"ath": "uOFIVFsTx4vHTaLxpydd1x5W3ezhKdfS97PswG95lNo"},
        **{f"without {name} in the header": {"header": {name: GONE}} for name in ("typ", "alg", "jwk")},
        "another type": {"header": {"typ": "JWT"}},
        "no algorithm": {"header": {"alg": "none"}, "sign": lambda octets: b""},
        "a MAC": {"header": {"alg": "HS256"}},
        "another algorithm": {"header": {"alg": "ES384"}},
        "crit": {"header": {"crit": ["odd"], "odd": 1}},
        "a private key": {"header": {"jwk": {**HOLDER.jwk, "d": HOLDER.jwk["x"]}}},
        "another key in it": {"header": {"jwk": STRANGER.jwk}},
        "another's signature": {"sign": STRANGER.sign},
        "no signature": {"sign": lambda octets: b""},
        "zeros for a signature": {"sign": lambda octets: bytes(64)},
        "claims in a list": {"payload": [1]},
        "no claims": {"payload": b"{}"},
    }


PROGRAM = """
import * as oauth from 'oauth4webapi';
import { readFileSync } from 'node:fs';
const {token, keys, proofs, url, origin} = JSON.parse(readFileSync(process.argv[2]));
const as = {issuer: 'https://id.example.com', jwks_uri: 'https://id.example.com/jwks'};
const options = {[oauth.customFetch]: async () => Response.json(keys)};
const found = {};
for (const [name, proof] of Object.entries(proofs)) {
  const request = new Request(url, {headers: {Authorization: `DPoP ${token}`, DPoP: proof}});
  try { await oauth.validateJwtAccessToken(as, request, origin, options); found[name] = true; }
  catch (error) { found[name] = false; }
}
console.log(JSON.stringify(found));
"""


@pytest.fixture
def issued():
    """A token for the holder's key, and the issuer's key set."""
    now = int(time.time())
    key = ECKey.generate_key("P-256", {"kid": "1", "use": "sig", "alg": "ES256"})
    claims = {
        "iss": "https://id.example.com", "aud": ORIGIN, "sub": "ada", "client_id": "app", "jti": "1", "iat": now,
        "exp": now + 600, "cnf": {"jkt": HOLDER.jkt},
    }  # fmt: skip
    token = jwt.encode({"alg": "ES256", "typ": "at+jwt", "kid": "1"}, claims, key, algorithms=["ES256"])
    return token, {"keys": [key.as_dict(private=False)]}


def test_both_take_and_refuse_the_same_proofs(issued, tmp_path, make_app):
    token, keys = issued
    node = need("node")
    install = ("install", "--no-audit", "--no-fund", "--prefix", str(tmp_path), "oauth4webapi@3.8.8")
    subprocess.run([need("npm"), *install], check=True, capture_output=True, timeout=120)
    given = cases(int(time.time()))
    proofs = {name: HOLDER.proof(path="/p", token=token, **changed) for name, changed in given.items()}
    (tmp_path / "given.json").write_text(
        json.dumps({"token": token, "keys": keys, "proofs": proofs, "url": ORIGIN + "/p", "origin": ORIGIN})
    )
    (tmp_path / "judge.mjs").write_text(PROGRAM, encoding="utf-8")
    done = subprocess.run(
        [node, str(tmp_path / "judge.mjs"), str(tmp_path / "given.json")], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr[-600:]
    theirs = json.loads(done.stdout)
    identity = Identity("ada", confirmation={"jkt": HOLDER.jkt})
    auth = Auth(DPoP({token: identity}.get, origin=ORIGIN))
    app = make_app(auth)
    app.add_url_rule("/p", "view", auth.login_required(lambda: "in"))
    sent = {name: {"Authorization": f"DPoP {token}", "DPoP": proof} for name, proof in proofs.items()}
    ours = {name: app.test_client().get("/p", headers=headers).status_code == 200 for name, headers in sent.items()}
    assert {name for name in given if ours[name] != theirs[name]} == set()
    assert {name for name in given if ours[name]} == {name for name in given if name.startswith("good")}

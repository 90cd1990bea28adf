"""Wycheproof's JOSE vectors: nothing invalid is accepted, and what is wrong is said by one kind of error.

The files are Google's, under the Apache License 2.0 that lies beside them.
"""

import hashlib
import hmac
import json
from pathlib import Path

import pytest

from flask_unauthorized import ConfigurationError
from flask_unauthorized.jose import PyJWTEngine, hmac_key, public_key_jwk, read_key_set, select_keys
from flask_unauthorized.wire.jws import JOSEError, read_jws

from .signing import unb64

FILES = sorted((Path(__file__).parents[1] / "vectors/wycheproof").glob("*.json"))

# Called valid by the vectors and refused by us, each for a reason of its own.
REFUSED_ON_PURPOSE = {
    **dict.fromkeys(
        [259, 264, 268, 272, 320, 325], "the payload is empty: no token has none (JWS-13, detached content)"
    ),
    **dict.fromkeys([346, 350], "the key says PS256 and the token PS384: a key serves what it says (RFC 7517 §4.4)"),
    **dict.fromkeys([347, 351], "the key says ES521, which is no algorithm (RFC 7518 §3.1; RFC 7520 has the slip)"),
    **dict.fromkeys([372, 373], "a question mark inside base64url: not the canonical form (RFC 7515 §2)"),
}
# In the sets of keys: symmetric keys, which no server publishes, so a set never has them (KEY-05).
SECRETS_IN_SETS = {
    ("json_web_crypto_test.json", 48),
    ("json_web_key_test.json", 2),
    ("json_web_key_test.json", 13),
    ("json_web_key_test.json", 14),
    ("json_web_key_test.json", 15),
}
# Called invalid for their padding, which the file has lost: what is left is a token without any fault.
FAULTY = {367, 370}


def _vectors():
    for path in FILES:
        for group in json.loads(path.read_text(encoding="utf-8"))["testGroups"]:
            for test in group["tests"]:
                if "jws" in test:
                    keys = group.get("public", group.get("private"))
                    yield pytest.param(
                        path.name, keys, test, id=f"{path.stem.removeprefix('json_web_')}-{test['tcId']}"
                    )


def _keys(jwk, algorithm):
    if "keys" in jwk:
        return read_key_set(json.dumps(jwk).encode())
    if jwk.get("kty") == "oct":
        return (hmac_key(unb64(jwk["k"]), algorithm=jwk.get("alg", algorithm), kid=jwk.get("kid")),)
    return (public_key_jwk(jwk),)


def verified(jws, jwk):
    """Whether the token verifies; raises nothing but our typed errors."""
    try:
        read = read_jws(jws)
        candidates = select_keys(_keys(jwk, read.algorithm), read.kid, read.algorithm)
    except (JOSEError, ConfigurationError):
        return False
    engine = PyJWTEngine()
    return any(engine.verify(read.algorithm, key, read.signing_input, read.signature) for key in candidates)


@pytest.mark.asvs("V11.2.1")
@pytest.mark.rfc("J-04", "JB-02", "JB-04")
@pytest.mark.parametrize(("file", "jwk", "test"), list(_vectors()))
def test_jws_28_wycheproof(file, jwk, test):
    number, jws = test["tcId"], test["jws"]
    accepted = verified(jws, jwk)
    if file == "json_web_signature_test.json" and number in FAULTY:
        content, _, proof = jws.rpartition(".")
        assert hmac.new(unb64(jwk["k"]), content.encode(), hashlib.sha256).digest() == unb64(proof)
        return
    refused = (file, number) in SECRETS_IN_SETS or (
        file == "json_web_signature_test.json" and number in REFUSED_ON_PURPOSE
    )
    assert accepted == (test["result"] == "valid" and not refused)


def test_all_vectors_are_there():
    assert [path.name for path in FILES] == [
        "json_web_crypto_test.json",
        "json_web_key_test.json",
        "json_web_signature_test.json",
    ]
    assert len(list(_vectors())) > 470
    assert (FILES[0].parent / "LICENSE").read_text(encoding="utf-8").count("Apache License") > 0

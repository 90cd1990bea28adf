"""DPoP proofs, raw and signed: see README.md."""

import base64
import hashlib
import json
import logging
import sys
import time

import atheris
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

with atheris.instrument_imports(include=["flask_unauthorized"]):
    from flask import Flask

    import flask_unauthorized.schemes.dpop_proof  # noqa: F401  # which DPoP would import too late, when it is made
    from flask_unauthorized import Auth, DPoP, Identity
    from flask_unauthorized.stores.memory import MemoryStore
    from flask_unauthorized.testing import assert_sound

logging.disable(logging.CRITICAL)


def base64url(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


KEY = Ed25519PrivateKey.generate()
JWK = {"crv": "Ed25519", "kty": "OKP", "x": base64url(KEY.public_key().public_bytes_raw())}
JKT = base64url(hashlib.sha256(json.dumps(JWK, separators=(",", ":")).encode()).digest())
HEADER = {"typ": '"dpop+jwt"', "alg": '"EdDSA"', "jwk": json.dumps(JWK)}
CLAIMS = {"jti": '"x"', "htm": '"GET"', "htu": '"https://a.example/p"', "ath": '""', "iat": "0"}
CLAIMS["ath"] = json.dumps(base64url(hashlib.sha256(b"good").digest()))

app = Flask("fuzz")
app.config["PROPAGATE_EXCEPTIONS"] = True
dpop = DPoP({"good": Identity("ada", confirmation={"jkt": JKT})}.get, origin="https://a.example")
auth = Auth(dpop, app=app)
app.add_url_rule("/p", "view", auth.login_required(lambda: "in"))


def an_object(given: "atheris.FuzzedDataProvider", members: dict[str, str]) -> bytes:
    """JSON of these members, some of them replaced by what the fuzzer likes."""
    octets = {name: text.encode() for name, text in members.items()}
    for _ in range(given.ConsumeIntInRange(0, 2)):
        name = given.PickValueInList([*members, "exp", "nbf", "nonce", "crit", "kid", "cty"])
        octets[name] = given.ConsumeBytes(given.ConsumeIntInRange(0, 60))
    return b"{" + b",".join(b'"%s":%s' % (name.encode(), text) for name, text in octets.items()) + b"}"


def one_input(data: bytes) -> None:
    given = atheris.FuzzedDataProvider(data)
    dpop.store = MemoryStore()
    if given.ConsumeBool():
        proof = given.ConsumeBytes(5000).decode("latin-1")
    else:
        header = an_object(given, HEADER)
        payload = an_object(given, {**CLAIMS, "iat": str(int(time.time()))})
        signed = f"{base64url(header)}.{base64url(payload)}"
        proof = f"{signed}.{base64url(KEY.sign(signed.encode()))}"
    response = app.test_client(use_cookies=False).get(
        "/p", environ_overrides={"HTTP_AUTHORIZATION": "DPoP good", "HTTP_DPOP": proof}
    )
    assert response.status_code in (200, 401), response.status
    assert_sound(response)
    if response.status_code == 200:
        claims = json.loads(payload)
        assert (claims["htm"], claims["ath"], json.loads(header)["typ"]) == (
            "GET",
            json.loads(CLAIMS["ath"]),
            "dpop+jwt",
        )
        assert abs(claims["iat"] - time.time()) < 70


if __name__ == "__main__":
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()

"""DPoP (RFC 9449): an API whose tokens work with their owner's key only, and a client that prints the exchange.

Run: ``pip install ".[jwt]" && python examples/dpop.py``. Real tokens come from an authorization server. It puts the
thumbprint of the client's key into their ``cnf``.
"""

import base64
import contextlib
import hashlib
import json
import logging
import os
import threading
import time
import uuid
from http.client import HTTPConnection, HTTPResponse

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from flask import Flask
from werkzeug.serving import make_server

from flask_unauthorized import Auth, Bearer, DPoP, Identity
from flask_unauthorized.stores.memory import MemoryStore

PORT = int(os.environ.get("PORT", "5000"))
ORIGIN = f"http://127.0.0.1:{PORT}"
TRY = """\
In another terminal, within five minutes:
  proof={proof}
  curl -i {url}/notes                                                                           # 401
  curl -i {url}/notes -H 'Authorization: DPoP demo-token-of-ada-0123456789' -H "DPoP: $proof"   # 200: ada
  curl -i {url}/notes -H 'Authorization: DPoP demo-token-of-ada-0123456789' -H "DPoP: $proof"   # 401, used before
  curl -i {url}/notes -H 'Authorization: Bearer demo-token-of-ada-0123456789'                   # 401: invalid_token
"""

# --- the API

tokens: dict[str, Identity] = {}  # what the authorization server knows
store = MemoryStore(single_process=True)  # several processes need SQLiteStore or RedisStore
auth = Auth(
    DPoP(tokens.get, origin=ORIGIN, nonce=True, store=store), Bearer(tokens.get), realm="notes", bound_only=False
)

app = Flask(__name__)
app.config["SECRET_KEY"] = os.environ.get("SECRET_KEY", "only for this demo")  # signs the nonces
auth.init_app(app)


@app.get("/notes")
@auth.login_required(scopes={"notes:read"})
def notes() -> dict[str, str | None]:
    return {"notes of": auth.identity.subject}


auth.check(app)

# --- the client


class Client:
    """A client that holds a key, and signs a proof with it for each request."""

    def __init__(self, token: str) -> None:
        self.token = token
        self.key = Ed25519PrivateKey.generate()
        self.jwk = {"crv": "Ed25519", "kty": "OKP", "x": base64url(self.key.public_key().public_bytes_raw())}
        self.nonce: str | None = None

    @property
    def thumbprint(self) -> str:
        """Return what an authorization server puts into ``cnf`` (RFC 7638; the members are sorted already)."""
        return base64url(hashlib.sha256(dump(self.jwk)).digest())

    def proof(self, method: str, url: str) -> str:
        """Return a new proof for one request (RFC 9449 §4.2)."""
        header = {"typ": "dpop+jwt", "alg": "EdDSA", "jwk": self.jwk}
        claims = {"jti": str(uuid.uuid4()), "htm": method, "htu": url, "iat": int(time.time())}
        claims["ath"] = base64url(hashlib.sha256(self.token.encode()).digest())
        if self.nonce is not None:
            claims["nonce"] = self.nonce
        text = f"{base64url(dump(header))}.{base64url(dump(claims))}"
        return f"{text}.{base64url(self.key.sign(text.encode()))}"

    def get(self, path: str) -> HTTPResponse:
        """Return the response. If the API demands its nonce in the proof, try once more."""
        response = send(f"DPoP {self.token}", self.proof("GET", ORIGIN + path), path)
        nonce = response.getheader("DPoP-Nonce")
        if nonce is not None:
            self.nonce = nonce
        if any('error="use_dpop_nonce"' in line for line in response.headers.get_all("WWW-Authenticate", [])):
            return send(f"DPoP {self.token}", self.proof("GET", ORIGIN + path), path)
        return response


def send(authorization: str, proof: str | None, path: str) -> HTTPResponse:
    """Send a request. Print it and the response."""
    headers = {"Authorization": authorization} if proof is None else {"Authorization": authorization, "DPoP": proof}
    connection = HTTPConnection("127.0.0.1", PORT, timeout=10)
    connection.request("GET", path, headers=headers)
    response = connection.getresponse()
    body = response.read().decode().strip()
    connection.close()
    print(f"GET {path}")
    for name, value in headers.items():
        print(f"{name}: {value if len(value) < 80 else value[:60] + '…'}")
    print(f"\n    {response.status} {response.reason}")
    for name in ("WWW-Authenticate", "DPoP-Nonce"):
        for value in response.headers.get_all(name, []):
            print(f"    {name}: {value}")
    print(f"    {body}\n")
    return response


def base64url(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


def dump(content: dict[str, object] | dict[str, str]) -> bytes:
    return json.dumps(content, separators=(",", ":")).encode()


def demo() -> Client:
    """Show that the owner is accepted, and a thief of the token or of a whole request is not. Return the owner."""
    ada = Client("demo-token-of-ada-0123456789")
    tokens[ada.token] = Identity("ada", scopes={"notes:read"}, confirmation={"jkt": ada.thumbprint})
    print("# Ada asks. The first time the API wants its nonce in the proof.\n")
    ada.get("/notes")
    print("# The next proof has it already.\n")
    ada.get("/notes")
    print("# Eve has stolen the token, and has a key of her own.\n")
    Client(ada.token).get("/notes")
    print("# Eve has seen a whole request, and sends it once more.\n")
    seen = ada.proof("GET", ORIGIN + "/notes")
    send(f"DPoP {ada.token}", seen, "/notes")
    send(f"DPoP {ada.token}", seen, "/notes")
    print("# Eve sends the token as a plain Bearer, which this API takes as well, but not when it is bound to a key.\n")
    send(f"Bearer {ada.token}", None, "/notes")
    return ada


def main() -> None:
    logging.getLogger("werkzeug").setLevel(logging.WARNING)  # what the client prints is enough
    server = make_server("127.0.0.1", PORT, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    print(f"Notes at {ORIGIN}, for clients that prove that they have the key of their token (DPoP).\n")
    ada = demo()
    print(TRY.format(url=ORIGIN, proof=ada.proof("GET", f"{ORIGIN}/notes")), flush=True)
    with contextlib.suppress(KeyboardInterrupt):
        thread.join()


if __name__ == "__main__":
    main()

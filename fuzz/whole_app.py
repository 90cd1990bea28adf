"""A whole app by its request fields: see README.md."""

import base64
import hashlib
import json
import logging
import re
import sys
import time
from itertools import chain

import atheris
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

with atheris.instrument_imports(include=["flask_unauthorized"]):
    from flask import Flask

    import flask_unauthorized.schemes.dpop_proof  # noqa: F401  # which DPoP would import too late, when it is made
    from flask_unauthorized import APIKey, Auth, Basic, Bearer, Digest, DPoP, Identity, SessionCookie
    from flask_unauthorized.jose import public_key_jwk
    from flask_unauthorized.loaders.jwt import JWT
    from flask_unauthorized.stores.memory import MemoryStore
    from flask_unauthorized.testing import assert_sound

logging.disable(logging.CRITICAL)
DAY = 24 * 3600
FIELDS = (
    "Authorization",
    "X-API-Key",
    "DPoP",
    "Accept",
    "Accept-Language",
    "Cookie",
    "Origin",
    "Sec-Fetch-Site",
    "Sec-Fetch-Mode",
    "X-Requested-With",
    "Vary",
)
STATUSES = {200, 302, 400, 401, 403, 405}
ORIGIN = "https://a.example"
KEY = Ed25519PrivateKey.generate()


def base64url(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


def signed(header: dict[str, object], payload: dict[str, object]) -> str:
    text = ".".join(base64url(json.dumps(part).encode()) for part in (header, payload))
    return f"{text}.{base64url(KEY.sign(text.encode()))}"


JWK = {"crv": "Ed25519", "kty": "OKP", "x": base64url(KEY.public_key().public_bytes_raw())}
JKT = base64url(hashlib.sha256(json.dumps(JWK, separators=(",", ":")).encode()).digest())
NOW = int(time.time())

# --- the app. A loader that says yes leaves word; the secrets of Digest and of sessions are proved otherwise.

said_yes: list[str] = []
read_jwt = JWT(ORIGIN, audience="a", keys=public_key_jwk(JWK), algorithms=["EdDSA"], profile="oidc-compat")


def yes(identity: Identity) -> Identity:
    said_yes.append(identity.subject or "")
    return identity


def load(secret: str) -> Identity | None:
    return yes(Identity("ada", scopes={"a"})) if secret == "good" else None


def load_token(token: str) -> Identity | None:
    return load(token) or yes(read_jwt(token))


def load_password(name: str, password: str) -> Identity | None:
    return load(password) if name else None


def load_bound(token: str) -> Identity | None:
    return yes(Identity("ada", confirmation={"jkt": JKT})) if token == "good" else None


dpop = DPoP(load_bound, origin=ORIGIN, window=3600)
digest = Digest(
    {"ada": "secret"}.get, algorithms=("SHA-256", "MD5-sess"), qop=("auth", "auth-int"), nonce_lifetime=DAY,
    name_of_hash=lambda hashed, algorithm: "ada" if hashed.startswith("a") else None, rspauth=True, nextnonce=True,
)  # fmt: skip
sessions = SessionCookie(lambda subject: Identity(subject), login_view="log_in", lifetime=DAY, idle=None)
auth = Auth(
    Bearer(load_token, form=True, query=True),
    dpop,
    digest,
    Basic(load_password, latin1=True, script_alias="XBasic"),
    APIKey(load),
    APIKey(load, cookie="key", realm="cookies"),
    sessions,
    realm="fuzz",
)
app = Flask("fuzz")
app.config.update(PROPAGATE_EXCEPTIONS=True, SECRET_KEY="a secret of thirty-two characters")  # noqa: S106
auth.init_app(app)


@app.route("/required", methods=["GET", "POST", "OPTIONS"])
@auth.login_required
def required() -> str:
    assert auth.get_identity() is not None
    return "in"


@app.route("/optional", methods=["GET", "POST"])
@auth.login_optional(scopes={"a"}, max_age=DAY)
def optional() -> str:
    return str(auth.get_identity())


@app.get("/bare")
def bare() -> tuple[str, int]:
    return "", 401


@app.post("/login")
def log_in() -> str:
    auth.login("ada")
    return "in"


# --- what gets in, for the fuzzer to spoil


def digest_answer(qop: str) -> str:
    """By RFC 7616 §3.4, for a GET of /required without a body."""
    lines = app.test_client().get("/required").headers.getlist("WWW-Authenticate")
    told = next(line for line in lines if line.startswith("Digest ") and "algorithm=SHA-256" in line)
    nonce = re.findall(r'nonce="([^"]*)"', told)[0]

    def h(text: str) -> str:
        return hashlib.sha256(text.encode()).hexdigest()

    a2 = "GET:/required" + (f":{h('')}" if qop == "auth-int" else "")
    response = h(f"{h('ada:fuzz:secret')}:{nonce}:00000001:c:{qop}:{h(a2)}")
    return (
        f'Digest username="ada", realm="fuzz", nonce="{nonce}", uri="/required", algorithm=SHA-256, '
        f'response="{response}", qop={qop}, nc=00000001, cnonce="c"'
    )


ATH = base64url(hashlib.sha256(b"good").digest())
PROOF = signed(
    {"typ": "dpop+jwt", "alg": "EdDSA", "jwk": JWK},
    {"jti": "x", "htm": "GET", "htu": f"{ORIGIN}/required", "ath": ATH, "iat": NOW},
)
TOKEN = signed({"alg": "EdDSA"}, {"iss": ORIGIN, "aud": "a", "sub": "ada", "exp": NOW + DAY, "scope": "a"})
SESSION = app.test_client().post("/login").headers["Set-Cookie"].partition(";")[0]
ANSWERS = [digest_answer(qop) for qop in ("auth", "auth-int")]
GOOD: dict[str, list[str]] = {
    "Authorization": [
        "Bearer good",
        f"Bearer {TOKEN}",
        "DPoP good",
        "Basic YWRhOmdvb2Q=",
        "XBasic YWRhOmdvb2Q=",
        *ANSWERS,
    ],
    "DPoP": [PROOF],
    "X-API-Key": ["good"],
    "Cookie": [SESSION, "key=good"],
    "Accept": ["text/html", "application/problem+json"],
    "Sec-Fetch-Site": ["same-origin", "cross-site"],
    "Sec-Fetch-Mode": ["navigate", "cors"],
}
# itsdangerous skips what is no base64url, and the last character has bits to spare.
PROVED = [re.findall(r'response="([^"]*)"', answer)[0] for answer in ANSWERS] + [SESSION.rpartition(".")[2][:-1]]
NO_BASE64URL = re.compile(r"[^A-Za-z0-9_-]")


def ask(method: str, path: str, environ: dict[str, str], body: bytes = b"") -> int:
    """The status of an answer, which is sound."""
    dpop.store, digest.store = MemoryStore(), MemoryStore()
    said_yes.clear()
    response = app.test_client(use_cookies=False).open(
        environ_overrides=environ, method=method, path=path, data=body, content_type=environ.get("CONTENT_TYPE")
    )
    assert_sound(response)
    return int(response.status_code)


def environ_of(lines: dict[str, str]) -> dict[str, str]:
    return {"HTTP_" + field.upper().replace("-", "_"): value for field, value in lines.items()}


for line in chain(({"Authorization": text, "DPoP": PROOF} for text in GOOD["Authorization"]),
                  ({"Cookie": text} for text in GOOD["Cookie"]), [{"X-API-Key": "good"}]):  # fmt: skip
    assert ask("GET", "/required", environ_of(line)) == 200, line


def a_value(given: "atheris.FuzzedDataProvider", field: str) -> str:
    """Anything, or what gets in, or that with something of it replaced."""
    good = GOOD.get(field)
    what = given.ConsumeIntInRange(0, 2) if good else 0
    if what == 0:
        return given.ConsumeBytes(given.ConsumeIntInRange(0, 400)).decode("latin-1")
    text = given.PickValueInList(good)
    if what == 1:
        return text
    start = given.ConsumeIntInRange(0, len(text))
    put = given.ConsumeBytes(given.ConsumeIntInRange(0, 12)).decode("latin-1")
    return text[:start] + put + text[start + given.ConsumeIntInRange(0, 12) :]


def one_input(data: bytes) -> None:
    given = atheris.FuzzedDataProvider(data)
    path = given.PickValueInList(["/required", "/optional", "/bare", "/login"])
    method = given.PickValueInList(["GET", "POST", "HEAD", "OPTIONS"])
    lines = {}
    for _ in range(given.ConsumeIntInRange(0, 4)):
        field = given.PickValueInList(list(FIELDS))
        value = a_value(given, field)
        if not {"\r", "\n", "\0"} & set(value):
            lines[field] = value
    environ = {"REQUEST_METHOD": method, "PATH_INFO": path, "QUERY_STRING": "", **environ_of(lines)}
    if given.ConsumeBool():
        environ["QUERY_STRING"] = "access_token=" + given.ConsumeBytes(60).decode("latin-1")
    if given.ConsumeBool():
        environ["CONTENT_TYPE"] = "application/x-www-form-urlencoded"
    status = ask(method, path, environ, given.ConsumeBytes(300))
    assert status in STATUSES, status
    if path == "/required" and status == 200 and method != "OPTIONS":
        sent = environ.get("HTTP_AUTHORIZATION", "") + NO_BASE64URL.sub("", environ.get("HTTP_COOKIE", ""))
        assert said_yes or any(proof in sent for proof in PROVED)


if __name__ == "__main__":
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()

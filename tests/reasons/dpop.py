"""DPoP: the proof, its key, its nonce, and the binding of the token."""

from typing import Any

from flask_unauthorized import Auth, AuthError, DPoP, Identity
from tests.canaries import register
from tests.dpop_client import GONE, ORIGIN, TOKEN, Holder

from . import Row
from .refusing import NOW, app_of, clock, signaled

HOLDER = Holder()
STRANGER = Holder()


class Served:
    """An app with DPoP, whose loader knows one token."""

    def __init__(self, *, confirmation: Any = None, loader: Any = None, **options: Any) -> None:
        bound = {"jkt": HOLDER.jkt} if confirmation is None else confirmation
        load = loader or (lambda token: Identity("ada", confirmation=bound))
        auth = Auth(DPoP(load, **{"origin": ORIGIN, **options}))
        self.app = app_of(auth)
        self.app.add_url_rule("/", "view", auth.login_required(lambda: "in"))
        self.app.add_url_rule("/<path:rest>", "any", auth.login_required(lambda rest: "in"))
        self.client = self.app.test_client()

    def send(self, headers: Any, path: str = "/") -> AuthError:
        return signaled(self.app, lambda: self.client.get(path, headers=headers))


def proof(options: Any = None, path: str = "/", **given: Any) -> Any:
    """A request with a proof, which is for that request unless ``given`` says otherwise."""

    def run() -> AuthError:
        with clock():
            return Served(**(options or {})).send(HOLDER.sent(**given), path)

    return run


def field(value: str) -> Any:
    return lambda: Served().send({"Authorization": f"DPoP {TOKEN}", "DPoP": value})


def used() -> AuthError:
    served, sent = Served(), HOLDER.sent()
    assert served.client.get("/", headers=sent).status_code == 200
    return served.send(sent)


def slow() -> AuthError:
    """The proof expires while the loader runs."""
    with clock():
        inner = clock(NOW + 71)

        def load(token: str) -> Identity:
            inner.__enter__()
            return Identity("ada", confirmation={"jkt": HOLDER.jkt})

        try:
            return Served(loader=load).send(HOLDER.sent())
        finally:
            inner.__exit__(None, None, None)


def small_key(bits: int, options: Any = None) -> AuthError:
    holder = Holder("RS256", bits=bits)
    served = Served(**(options or {"algorithms": ["RS256"]}))
    with clock():
        return served.send(holder.sent())


def old_nonce() -> AuthError:
    with clock(NOW - 62):
        served = Served(nonce=True, nonce_lifetime=60)
        nonce = served.client.get("/", headers=HOLDER.sent()).headers["DPoP-Nonce"]
        register(nonce)
    with clock():
        return served.send(HOLDER.sent(nonce=nonce))


DER = {"certificate": lambda request: b"der"}
TABLE: list[tuple[str, Any, str]] = [
    (
        "a small RSA key", lambda: small_key(2047),
        "jwk is not a public key: an RSA key of 2047 bits: 2048 to 4096 are taken",
    ),
    (
        "an RSA key below min_rsa_bits", lambda: small_key(2048, {"min_rsa_bits": 3072, "algorithms": ["RS256"]}),
        "jwk is not a public key: an RSA key of 2048 bits, and min_rsa_bits=3072",
    ),
    ("no typ", proof(header={"typ": GONE}), "typ is absent, expected 'dpop+jwt'"),
    ("typ", proof(header={"typ": "JWT"}), "typ is 'JWT', expected 'dpop+jwt'"),
    (
        "alg", proof(header={"alg": "RS256"}),
        "alg is 'RS256', expected one of ['ES256', 'Ed25519', 'EdDSA', 'PS256']: see algorithms=",
    ),
    (
        "alg of another key", proof(header={"alg": "EdDSA"}),
        "alg is 'EdDSA', and the key in jwk is for ['ES256']: sign with that",
    ),
    ("no jwk", proof(header={"jwk": GONE}), "the proof can't be read: the header has no key (jwk)"),
    ("jwk", proof(header={"jwk": "x"}), "jwk is of type str, expected an object that is a public key"),
    (
        "a private key", proof(header={"jwk": {**HOLDER.jwk, "d": "s3cret-key-of-ada"}}),
        "jwk has ['d'] of a private or symmetric key, expected a public key",
    ),
    (
        "crv", proof(header={"jwk": {**HOLDER.jwk, "crv": "P-1"}}),
        "jwk is not a public key: crv is none of P-256, P-384, P-521",
    ),
    ("kty", proof(header={"jwk": {"kty": "oct"}}), "jwk is not a public key: kty is none of EC, OKP and RSA"),
    (
        "x", proof(header={"jwk": {**HOLDER.jwk, "x": "A!"}}),
        "jwk is not a public key: x is not base64url (RFC 7515 section 2)",
    ),
    (
        "y", proof(header={"jwk": {**HOLDER.jwk, "y": "AA"}}),
        "jwk is not a public key: y has too many octets, or too few (RFC 7518 section 6)",
    ),
    ("a payload that is not JSON", proof(payload=b"x"), "the payload is not JSON, expected a JSON object of claims"),
    (
        "a payload that is a list", proof(payload=[]),
        "the payload is JSON that is not an object, expected a JSON object of claims",
    ),
    ("htm", proof(htm="POST"), "htm is 'POST', and the method of this request is 'GET'"),
    ("no htm", proof(htm=GONE), "htm is absent, and the method of this request is 'GET'"),
    ("htm that is a number", proof(htm=5), "htm is of type int, and the method of this request is 'GET'"),
    (
        "ath", proof(ath=GONE),
        "ath is not that of the token that came, expected its SHA-256 in base64url (RFC 9449 section 4.2)",
    ),
    ("no htu", proof(htu=GONE), "htu is absent, expected the address of this request"),
    (
        "dots in the target", proof(path="/a/../b", htu=ORIGIN + "/b"),
        "the target of the request has a segment '.' or '..', expected one without them",
    ),
    (
        "htu that is none", proof(htu="ftp://ada:s3cret-password-of-ada@x"),
        "htu, or the target of the request, is not an http or https URI, expected printable ASCII without user and "
        "password",
    ),
    (
        "htu", proof(htu=ORIGIN + "/other?token=s3cret-token-of-ada"),
        "htu is at 'https://api.example.com', expected '/' at ['https://api.example.com']: DPoP(origin=...) says "
        "where clients reach the app",
    ),
    (
        "htu where there are several origins",
        proof({"origin": [ORIGIN, "http://localhost"]}, htu="https://b.example/"),
        "htu is at 'https://b.example', expected '/' at ['https://api.example.com', 'http://localhost']: "
        "DPoP(origin=...) says where clients reach the app",
    ),
    ("no iat", proof(iat=GONE), "iat is absent, expected a number"),
    ("iat that is a text", proof(iat="now"), "iat is of type str, expected a number"),
    (
        "iat", proof(iat=NOW - 61),
        "iat is 1799999939, and now 1800000000: window=60 and ahead=10 are the seconds allowed",
    ),
    ("exp that is a text", proof(exp="x"), "exp is of type str, expected a number"),
    ("exp", proof(exp=NOW - 1), "exp has passed: it is 1799999999, and now 1800000000"),
    ("nbf that is null", proof(nbf=None), "nbf is absent, expected a number"),
    ("nbf", proof(nbf=NOW + 11), "nbf lies in the future: it is 1800000011, and now 1800000000, with ahead=10"),
    ("no jti", proof(jti=GONE), "jti is absent, expected a text of 1 to 256 bytes"),
    ("an empty jti", proof(jti=""), "jti is a text of 0 bytes, expected a text of 1 to 256 bytes"),
    ("no proof", field(""), "no proof came, expected one in the field DPoP"),
    (
        "the longest proof", field("x" * 4096),
        "the proof can't be read: the token has not three parts: only the compact form of a signed token is read",
    ),
    ("a long proof", field("x" * 4097), "the proof has 4097 bytes, expected at most 4096"),
    (
        "two proofs", field("x,x"),
        "the field DPoP holds a comma, expected one proof: a client or a server joined two",
    ),
    (
        "a signature by another key", proof(sign=STRANGER.sign),
        "the proof is not signed by the key in its jwk, expected its ES256 signature",
    ),
    (
        "a token that is bound to another key", proof({"confirmation": {"jkt": STRANGER.jkt}}),
        "jkt in cnf of the token is that of another key, expected the thumbprint of the key in the proof (RFC 9449 "
        "section 7.1)",
    ),
    (
        "a token that is bound to a certificate alone", proof({"confirmation": {"x5t#S256": "A" * 43}}),
        "jkt in cnf of the token is absent, expected the thumbprint of the key in the proof (RFC 9449 section 7.1)",
    ),
    (
        "a token that is bound to nothing", proof({"confirmation": {}}),
        "the token is bound to nothing, expected jkt or x5t#S256 in cnf: the issuer must bind it, and the loader "
        "return it as confirmation=",
    ),
    (
        "a token that is bound by something else", proof({"confirmation": {"kid": "1"}}),
        "the token is bound by ['kid'] (cnf), and only jkt and x5t#S256 can be checked",
    ),
    (
        "a certificate that isn't looked at", proof({"confirmation": {"jkt": HOLDER.jkt, "x5t#S256": "A" * 43}}),
        "the token is bound to a certificate (cnf has x5t#S256), and DPoP has no certificate=: give it one",
    ),
    (
        "another certificate", proof({"confirmation": {"jkt": HOLDER.jkt, "x5t#S256": "A" * 43}, **DER}),
        "the client's certificate is not the one that the token is bound to, expected its SHA-256 to be x5t#S256",
    ),
    (
        "no nonce", proof({"nonce": True}), "the proof has no nonce, and nonce=True asks for that of DPoP-Nonce",
    ),
    (
        "a nonce of another app", proof({"nonce": True}, nonce="x.y.z"),
        "the proof has a nonce that this app did not sign for the realm in force, and nonce=True asks for that of "
        "DPoP-Nonce",
    ),
    ("a nonce that has expired", old_nonce, "the nonce has expired: it is 62 s old, and nonce_lifetime=60"),
    (
        "a proof that expired meanwhile", slow,
        "the proof expired while the loader ran: iat is 1800000000, window=60 and ahead=10",
    ),
    (
        "a proof that was used", used,
        "a proof with this jti and key was used before, and each counts once: make a new one",
    ),
]  # fmt: skip
ROWS = [Row(name, make, 401, f"DPoP: {expected}") for name, make, expected in TABLE] + [
    Row(
        "DPoP: a token that is none",
        lambda: Served().send({"Authorization": "DPoP a b"}),
        400,
        "DPoP: the token (3 characters) is not a b64token, expected characters of A-Z a-z 0-9 - . _ ~ + / and = at the "
        "end only (RFC 6750 section 2.1)",
    ),
    Row(
        "DPoP: None",
        proof({"loader": lambda token: None}),
        401,
        "the loader of DPoP returned None for the token",
    ),
]

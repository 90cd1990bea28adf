"""What mypy and pyright must accept, and the types they must find. Checked by both, never run."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from flask import Blueprint, Flask, Request, redirect
from flask.typing import ResponseReturnValue
from flask.views import MethodView
from typing_extensions import assert_type

from flask_unauthorized import (
    APIKey,
    Auth,
    Basic,
    Bearer,
    Challenge,
    Digest,
    DPoP,
    Identity,
    Scheme,
    SessionCookie,
    StepUpRequired,
    abort_forbidden,
    abort_unauthorized,
    any_of,
)
from flask_unauthorized.certificates import ClientCert, EscapedPEM, peer_certificate
from flask_unauthorized.errors import AuthError
from flask_unauthorized.jose import hmac_key, private_key, public_key_pem
from flask_unauthorized.lint import Finding, Linter, lint
from flask_unauthorized.loaders import Passwords, SignedTokens, StaticTokens
from flask_unauthorized.loaders.introspection import Introspection
from flask_unauthorized.loaders.jwks import JWKS
from flask_unauthorized.loaders.jwt import JWT, Issuers
from flask_unauthorized.loaders.pairs import Pair, Pairs
from flask_unauthorized.loaders.revocation import Revocations
from flask_unauthorized.policy.routes import Route
from flask_unauthorized.stores.memory import MemoryStore
from flask_unauthorized.stores.sqlite import SQLiteStore
from flask_unauthorized.testing import assert_all_guarded, assert_challenge, assert_forbidden


@dataclass
class User:
    name: str


bearer = Bearer()
auth: Auth[User] = Auth(bearer, Basic(Passwords({"ada": "hash"})), APIKey(StaticTokens({"k": "device"})), realm="x")


@bearer.loader
def load_user(token: str) -> User | None:
    return User(token) if token else None


async def load_device(token: str) -> Identity | None:
    return None


Bearer(load_user, load_device, StaticTokens({"t": "tom"}), JWT("https://id.example", audience="api"), form=True)
APIKey(load_user, SignedTokens("key", 60), header="X-Key")
DPoP(load_device, Introspection("https://id.example/i", audience="api", access_token="x"), origin="https://a.example")
Introspection("https://id.example/i", audience="api", client_id="a", client_auth="private_key_jwt", key="client.pem")
Introspection(
    "https://id.example/i",
    audience="api",
    client_id="a",
    client_auth="private_key_jwt",
    key=private_key({"kty": "OKP"}, algorithm="EdDSA", kid="k1", password=b"x"),
    assertion_audience="https://id.example",
)
Introspection(
    "https://id.example/i", audience="api", client_auth="tls_client_auth", certificate=("a.crt", Path("a.key"))
)
JWKS.of_issuer("https://id.example", certificate=("a.crt", "a.key", "password of the key"))
assert_type(StaticTokens({"t": "tom"}).recognizes("t"), bool)
Bearer(load_user, name="Token", params={"authorization_uri": "https://id.example/authorize"})
auth.protected_resource("https://a.example/mcp", aliases=["https://b.example/mcp"])
auth.forward_auth("/auth", proxies=["10.0.0.1", "unix:"], roles={"editor"})
auth.forward_auth("/mail", proxies=("10.0.0.1",), headers={"X-User": "subject", "X-Mail": lambda who: who.user.email})

assert_type(load_user("x"), User | None)

app = Flask(__name__)
auth.init_app(app)
api = Blueprint("api", __name__)
auth.protect(api, public={"health"}, scopes={"api"})
auth.protect(api, public={"health": "the load balancer asks"}, unless=lambda: app.debug, redirect=False)
auth.require(redirect=False)
SessionCookie(login_view="login", redirect_posts=True, htmx=True)


@app.get("/<int:number>")
@auth.login_required
def bare(number: int) -> str:
    return str(number)


assert_type(bare(1), str)


@auth.login_required(scopes={"read", any_of("a", "b")}, roles=["admin"], via=bearer, acr=("gold", "silver"), max_age=60)
def configured() -> ResponseReturnValue:
    return auth.user.name, 200


@auth.login_optional(via={bearer}, scopes=any_of("read", "write"), acr="gold")
async def optional() -> str:
    user = auth.get_user()
    return user.name if user else "nobody"


@auth.login_required(unless=lambda: app.debug, redirect=False)
def sometimes_open() -> str:
    return "open"


assert_type(sometimes_open(), str)


@auth.public(reason="the load balancer asks", via=bearer)
def alive() -> str:
    return "alive"


assert_type(alive(), str)


@auth.public
def health() -> dict[str, str]:
    return {}


assert_type(health(), dict[str, str])
assert_type(auth.user, User)
assert_type(auth.get_user(), User | None)
assert_type(auth.identity, Identity)
assert_type(auth.get_identity(), Identity | None)
assert_type(auth.require(scopes=frozenset({"read"})), Identity)
names: set[str] = {"a"}
admin_only = auth.login_required(scopes=names)


@admin_only
def reused() -> int:
    abort_unauthorized("again", error=StepUpRequired, max_age=5)


class View(MethodView):
    decorators = [auth.login_required, auth.login_required(roles={"admin"})]

    def get(self) -> str:
        abort_forbidden(scopes="write")


@auth.renderer("text/html")
def page(error: AuthError) -> str:
    return error.message


class Ticket(Scheme[str]):
    name = "Ticket"
    reads = (("header", "x-ticket"),)
    needs_loader = True
    cacheable_challenges = True
    depends_on_script = False
    specification = {"invalid_token": ("Tickets §1", "https://tickets.example/#1")}
    curl_options = ("-H", "X-Ticket: NUMBER")

    def read(self, request: Request, rest: str | None) -> str | None:
        return request.headers.get("X-Ticket")

    def verify(self, credentials: str, request: Request) -> object:
        return self.load(credentials)

    def challenges(self, realm: str, error: AuthError | None, request: Request) -> tuple[Challenge, ...]:
        return (Challenge("Ticket", {"realm": realm}),)


Auth(Ticket(lambda ticket: ticket), Bearer(SignedTokens("login", lifetime=3600, load=User)))

people = SessionCookie(User, login_view="login", logout_view="logout", idle=None, store=SQLiteStore("sessions.db"))
meters = Digest(
    lambda name: ({"SHA-256": name}, User(name)), realm="meters", algorithms=["SHA-256"], store=MemoryStore()
)
spa = DPoP(
    lambda token: Identity(token, confirmation={"jkt": "…"}),
    origin=["https://api.example.com"],
    nonce=True,
    algorithms=["ES256"],
    store=SQLiteStore("proofs.db"),
    certificate=ClientCert(["10.0.0.0/8"]),
)
Auth(spa, Bearer(certificate=peer_certificate, bound_only=True), Bearer(certificate=lambda request: b"DER"))
Bearer(certificate=EscapedPEM(["10.0.0.1"], field="X-SSL-Client-Cert"))
Passwords({"ada": "hash"}.get, method="argon2id", concurrency=2, on_upgrade=lambda name, new_hash: print(name))
browsers = Auth[User](people, meters, Basic(Passwords({"ada": "hash"}), script_alias="XBasic"))


@app.post("/login")
def login() -> ResponseReturnValue:
    assert_type(browsers.login(User("ada"), acr="mfa", auth_time=1.0, keep={"cart"}), Identity)
    return redirect(browsers.next_url("/"))


@app.post("/logout")
def logout() -> str:
    browsers.end_sessions("ada")
    browsers.logout()
    return browsers.next_url()


assert_type(
    auth.protected_resource(
        "https://api.example.com/mcp", authorization_servers=["https://id.example.com"], scopes={"notes:read"},
        name={"": "Notes", "it": "Note"}, documentation="https://api.example.com/docs", origins=(), views=app,
        extra={"contact": "ada"},
    ),
    str,
)  # fmt: skip

keys = hmac_key("0123456789abcdef0123456789abcdef"), public_key_pem(b"", algorithm="ES256", kid="one")
tokens = JWT("https://id.example", audience={"https://api.example"}, keys=keys, roles_claim=("a", "b"), cache_size=10)
asked = Introspection("https://id.example/ask", client_id="api", client_secret="s3cret", audience="https://api.example")
oauth = Auth[User](
    Bearer(Issuers(tokens), certificate=peer_certificate, bound_only=True),
    DPoP(asked.fresh(), origin=["https://api.example"], nonce=True, certificate=ClientCert(["10.0.0.0/8"])),
)
assert_type(tokens("a.b.c"), Identity)
assert_type(oauth.protected_resource("https://api.example", authorization_servers=["https://id.example"]), str)
revocations = Revocations(MemoryStore())
JWT(None, audience=None, keys=hmac_key("s", allow_short=True), algorithms=("HS256",), profile="jwt-extended")
JWT("https://id.example", audience=None, keys=JWKS.of_issuer("https://id.example"), revoked=revocations)

pairs = Pairs(None, prefix="notes", user=lambda identity: identity.subject)
assert_type(pairs.issue("42", scopes={"read"}), Pair[str])
assert_type(pairs.issue(Identity("42")).refresh, str)
assert_type(pairs.refresh(None, scopes="read").refresh, str | None)
Bearer(pairs, tokens)

# Guards and identities of OAuth.
oauth_auth = Auth(
    Bearer(JWT("https://id.example.com", audience="a", profile="fapi2", ahead=10, min_rsa_bits=3072, user=None)),
    bound_only=False,
)


def may_pay(details: list[dict[str, object]]) -> bool:
    return bool(details)


@oauth_auth.login_required(amr=any_of("hwk", "swk"), no_store=True, authorization_details=may_pay)
def pay() -> str:
    assert_type(oauth_auth.identity.key, str | None)
    assert_type(oauth_auth.identity.issuer, str | None)
    assert_type(oauth_auth.identity.amr, frozenset[str])
    oauth_auth.login("ada", amr={"pwd", "otp"})
    oauth_auth.logout(clear_cache=False)
    return "paid"


SessionCookie({}.get, store=None)
oauth_auth.backchannel_logout("/logged-out", issuer="https://id.example.com", audience="a", ahead=5)

# The table of routes.
table_app = Flask("shop")
for route in assert_type(auth.routes(table_app), tuple[Route, ...]):
    assert_type(route.methods, frozenset[str])
    assert_type(route.because, str | None)
    is_open: bool = route.state == "open" and route.kind != "redirect"

# The linter, and assertions about responses.
linted = assert_type(lint(401, [(b"a", b"b")], b"body", request_headers={"a": "b"}), list[Finding])
assert_type(linted[0].level, Literal["error", "warning", "note"])
table_app.wsgi_app = Linter(table_app.wsgi_app, on_finding=print, ignore={"C1"})  # type: ignore[method-assign]
assert_forbidden(table_app.test_client().get("/"), scopes={"a"})
assert_challenge(object()).offers("Bearer", scope={"a"}, error=None, realm=...).offers("Basic")
assert_all_guarded(table_app, except_={"/": "the start page"})

"""What mypy and pyright must refuse: each line that says so, and no other. Checked by both, never run."""

from flask import Flask

from flask_unauthorized import (
    APIKey,
    Auth,
    Basic,
    Bearer,
    Digest,
    DPoP,
    Forbidden,
    Identity,
    SessionCookie,
    abort_unauthorized,
    any_of,
)
from flask_unauthorized.jose import hmac_key
from flask_unauthorized.loaders import Passwords
from flask_unauthorized.loaders.introspection import Introspection
from flask_unauthorized.loaders.jwt import JWT
from flask_unauthorized.loaders.pairs import Pairs
from flask_unauthorized.stores.memory import MemoryStore
from flask_unauthorized.throttle import Throttle

bearer = Bearer()
auth = Auth[str](bearer)
app = Flask(__name__)


def view() -> str:
    return ""


def first(token: str) -> str | None:
    return None


Pairs(None, prefix="notes").refresh("a").refresh.upper()  # refused: None after a repeated request
Pairs(None, prefix="notes").revoke(7)  # refused: an identity, a record or a refresh token
Bearer(first, "no loader")  # refused
APIKey(first, 7)  # refused
Basic(first, first)  # refused: one loader
auth.login_required(scopes="read write")  # refused: a bare string is a collection of letters
auth.login_required(roles="admin")  # refused
auth.login_required(scope={"read"})  # refused: no such keyword
auth.login_required(max_age="300")  # refused: seconds are a number
auth.login_required(via="bearer")  # refused: a scheme object
auth.login_required(view, scopes={"read"})  # refused: a view alone, or keywords
auth.login_optional(scopes={1, 2})  # refused
auth.protect("api")  # refused
auth.protect(app, role={"admin"})  # refused
auth.require(scopes="read")  # refused
auth.require(unless=lambda: True)  # refused: write if
auth.login_required(unless=True)  # refused: a function
auth.login_required(unless=lambda path: True)  # refused: without arguments
auth.login_optional(redirect="no")  # refused: a bool
auth.public(view, reason="why")  # refused: a view alone, or keywords
auth.protected_resource("https://a.example", authorization_servers="https://b.example")  # refused: a bare string
auth.protected_resource("https://a.example", scopes="read")  # refused
auth.protected_resource("https://a.example", resource_name="A")  # refused: no such keyword
auth.protected_resource("https://a.example", views="mcp")  # refused: an app or blueprints
auth.forward_auth("/auth")  # refused: proxies are needed
auth.forward_auth("/auth", proxies=["10.0.0.1"], headers={"X-User": 7})  # refused
auth.forward_auth("/auth", proxies=["10.0.0.1"], scope={"a"})  # refused: no such keyword
auth.identity = Identity("ada")  # refused: read-only
auth.user.nothing()  # refused: a str has no such method
auth.get_user().upper()  # refused: may be None
Auth("bearer")  # refused: a scheme object
Auth(bearer, unavailable=OSError)  # refused: a sequence
Auth(bearer, realm=5)  # refused
Identity(5)  # refused: a subject is a str
Identity("ada", "read")  # refused: keywords only
Identity("ada").subject = "bob"  # refused: frozen
any_of(["a", "b"])  # refused: names, not a list
Basic(realm=b"x")  # refused
SessionCookie(lifetime="12h")  # refused: seconds are a number
SessionCookie(store={})  # refused: a store
auth.login("ada", keep="cart", acr=5)  # refused: acr is a str
Digest(store={})  # refused
Digest(nonce_lifetime="300")  # refused
DPoP(lambda token: token)  # refused: the origin must be said
DPoP(origin="https://a", nonce="yes")  # refused
DPoP(origin="https://a", store={})  # refused
DPoP(origin="https://a", min_rsa_bits="3072")  # refused
Introspection("https://a", audience="api", client_auth="client_secret_jwt")  # refused
Introspection("https://a", audience="api", certificate="a.pem")  # refused
Bearer(name=b"Token")  # refused: a str
Bearer(params=["authorization_uri"])  # refused: a mapping
auth.protected_resource("https://a.example", aliases="https://b.example")  # refused: a bare string
Bearer(certificate=b"DER")  # refused: a function of the request
Bearer(certificate=lambda request: "PEM")  # refused: octets
JWT("https://id.example")  # refused: the audience must be said
JWT("https://id.example", audience="x", profile="any")  # refused: no such profile
Passwords({"ada": "hash"}, concurrency="4")  # refused: a number
Passwords({"ada": "hash"}, on_upgrade=lambda name: None)  # refused: it gets the new hash as well
hmac_key("s", allow_short=1)  # refused: True or False
JWT("https://id.example", audience="x", keys="secret")  # refused: a key is made, not guessed
Bearer(certificate="Client-Cert")  # refused: a function
auth.routes("shop")  # refused: an app
auth.login_required(amr="hwk")  # refused: a bare string is a collection of letters
auth.login_required(amr={1})  # refused
auth.protect(app, amr="hwk")  # refused
auth.require(amr="hwk")  # refused
auth.login("ada", amr=5)  # refused: names
auth.confirm(amr=[1])  # refused
Identity("ada", amr=[7])  # refused
auth.login_required(no_store="yes")  # refused: a bool
auth.public(no_store=True)  # refused: no such keyword
auth.login_required(authorization_details={"type": "payment"})  # refused: a function
auth.login_required(authorization_details=lambda: True)  # refused: it gets the details
auth.require(authorization_details=lambda details: "yes")  # refused: it returns a bool
Auth(bearer, bound_only="yes")  # refused: a bool
Bearer(first, bound_only="yes")  # refused
APIKey(first, bound_only=True)  # refused: no such keyword
JWT("https://id.example", audience="x", profile=None)  # refused: a name of a profile
JWT("https://id.example", audience="x", min_rsa_bits="3072")  # refused: a number
JWT("https://id.example", audience="x", ahead="10")  # refused: seconds are a number
DPoP(origin="https://a", ahead="10")  # refused
auth.backchannel_logout("/out", issuer="https://a", audience="x", ahead="10")  # refused
Introspection("https://a", audience="api", client_auth=("id", "secret"))  # refused: the name of a method
Throttle(MemoryStore(), disable_after="100")  # refused: a number
Throttle(MemoryStore(), disable_after=100).enable(7)  # refused: a name
SessionCookie(cross_site_reads="no")  # refused: a bool
Basic(cross_site_reads=False)  # refused: no such keyword
abort_unauthorized(error=Forbidden)  # refused: not a 401

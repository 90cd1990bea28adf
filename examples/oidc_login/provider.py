"""A tiny OpenID provider: authorization code with PKCE, ID tokens, and back-channel logout. It is a demo.

Its own users and clients are checked by the extension, too. It has two ways to log in: with the password alone
(``acr`` "pwd"), and with a code as well ("mfa").
"""

import hashlib
import secrets
import time
import urllib.request
from typing import Any
from urllib.parse import urlencode

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from flask import Flask, Response, abort, jsonify, redirect, request, session
from markupsafe import escape
from werkzeug.security import generate_password_hash
from werkzeug.wrappers import Response as AnyResponse

from flask_unauthorized import Auth, Basic, SessionCookie
from flask_unauthorized.loaders import Passwords
from flask_unauthorized.wire.jws import encode_base64url

from .app import CLIENT_ID, CLIENT_SECRET

NAMES = ("ada", "bob")  # the passwords are the names
SECOND_FACTOR = "123456"
FORM = """\
<form method="post"><input name="name" value="{name}" aria-label="Name" autofocus>
<input name="password" type="password" aria-label="Password">
<input name="code" aria-label="Code, if you were asked for it" placeholder="Code, if asked">
<button>Log in</button></form>
"""
PARAMETERS = {
    "acr_values",
    "client_id",
    "code_challenge",
    "code_challenge_method",
    "max_age",
    "nonce",
    "prompt",
    "redirect_uri",
    "response_mode",
    "response_type",
    "scope",
    "state",
}
"""The parameters of an authorization request, which must not get lost on the way over the login page."""
Page = str | AnyResponse | tuple[str, int]


class Issued:
    """The key of the provider, and what it has issued."""

    def __init__(self) -> None:
        self._key, self._kid = ec.generate_private_key(ec.SECP256R1()), secrets.token_hex(4)
        self.codes: dict[str, dict[str, Any]] = {}
        self.logins: dict[str, str] = {}
        """The users who are logged in at the app, by ``sid``."""

    def sign(self, typ: str, issuer: str, lifetime: int, **claims: Any) -> str:
        now = int(time.time())
        common = {"iss": issuer, "aud": CLIENT_ID, "iat": now, "exp": now + lifetime}
        return jwt.encode({**common, **claims}, self._key, "ES256", headers={"typ": typ, "kid": self._kid})

    def public_keys(self) -> dict[str, Any]:
        point = self._key.public_key().public_numbers()
        x, y = (encode_base64url(number.to_bytes(32, "big")) for number in (point.x, point.y))
        return {"keys": [{"kty": "EC", "crv": "P-256", "x": x, "y": y, "kid": self._kid, "use": "sig", "alg": "ES256"}]}


def create_provider() -> Flask:
    """Makes the provider; ``config["URL"]`` is its issuer identifier, ``config["APP_URL"]`` the app of its client."""
    clients = Basic(Passwords({CLIENT_ID: generate_password_hash(CLIENT_SECRET, method="pbkdf2:sha256:1000")}))
    people = SessionCookie(
        lambda name: name if name in NAMES else None, login_view="login", keep_query=PARAMETERS, idle=None, store=None
    )
    auth: Auth[Any] = Auth(people, clients, realm="provider")
    app = Flask("provider", static_folder=None)
    # The app listens on the same host, and ports don't separate cookies.
    app.config.update(
        SECRET_KEY=secrets.token_hex(),
        SESSION_COOKIE_NAME="provider",
        SESSION_COOKIE_SAMESITE="Lax",
        URL="",
        APP_URL="",
    )
    auth.init_app(app)
    issued = Issued()
    _add_pages(app, auth, people, issued)
    _add_protocol(app, auth, people, clients, issued)
    auth.check(app)
    return app


def _add_pages(app: Flask, auth: Auth[Any], people: SessionCookie, issued: Issued) -> None:
    """Adds the pages for people: to log in, and to log out everywhere."""
    check_password = Passwords({name: generate_password_hash(name, method="pbkdf2:sha256:1000") for name in NAMES})

    @app.route("/login", methods=["GET", "POST"])
    @auth.public
    def login() -> Page:
        name, password = request.form.get("name", ""), request.form.get("password", "")
        if request.method == "GET":
            return FORM.format(name=escape(session.get("name", "")))
        if not check_password(name, password):
            return FORM.format(name=escape(name)), 422
        # A user who logs in once more goes on with the same session at the provider.
        sid = session["sid"] if session.get("name") == name else secrets.token_urlsafe(16)
        auth.login(name, acr="mfa" if request.form.get("code") == SECOND_FACTOR else "pwd")
        session.update(name=name, sid=sid)
        return redirect(auth.next_url("/"))

    @app.get("/")
    @auth.login_required(via=people)
    def home() -> str:
        return (
            f"You are {escape(auth.identity.subject)} at the provider."
            "<form method='post' action='/log-out-everywhere'><button>Log out everywhere</button></form>"
        )

    @app.post("/log-out-everywhere")
    @auth.login_required(via=people)
    def log_out_everywhere() -> str:
        user = issued.logins.pop(session["sid"], None)
        if user is not None:
            logout_token = issued.sign(
                "logout+jwt",
                app.config["URL"],
                120,
                sub=user,
                sid=session["sid"],
                jti=secrets.token_urlsafe(16),
                events={"http://schemas.openid.net/event/backchannel-logout": {}},
            )
            # A provider sends this to the backchannel_logout_uri of each client, and tries again later if it gets 503.
            form = urlencode({"logout_token": logout_token}).encode()
            urllib.request.urlopen(f"{app.config['APP_URL']}/backchannel-logout", form, timeout=10).close()
        auth.logout()
        return f"You are logged out. {int(user is not None)} app was told."


def _add_protocol(app: Flask, auth: Auth[Any], people: SessionCookie, clients: Basic, issued: Issued) -> None:
    """Adds what clients and browsers use (OpenID Connect Core §3.1)."""

    @app.get("/.well-known/openid-configuration")
    def metadata() -> dict[str, Any]:
        url = app.config["URL"]
        return {
            "issuer": url,
            "authorization_endpoint": f"{url}/authorize",
            "token_endpoint": f"{url}/token",
            "jwks_uri": f"{url}/keys",
            "response_types_supported": ["code"],
            "response_modes_supported": ["query", "form_post"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["ES256"],
            "code_challenge_methods_supported": ["S256"],
            "acr_values_supported": ["pwd", "mfa"],
            "backchannel_logout_supported": True,
            "backchannel_logout_session_supported": True,
        }

    @app.get("/keys")
    def published() -> dict[str, Any]:
        return issued.public_keys()

    @app.get("/authorize")
    @auth.login_required(via=people)
    def authorize() -> Page:
        asked = request.args
        callback = f"{app.config['APP_URL']}/callback"
        if asked.get("client_id") != CLIENT_ID or asked.get("redirect_uri") != callback:
            abort(400)
        if asked.get("response_type") != "code" or asked.get("code_challenge_method") != "S256":
            abort(400)
        if asked.get("acr_values"):
            auth.require(via=people, acr=asked["acr_values"].split())
        max_age = 10 if asked.get("prompt") == "login" else asked.get("max_age", type=int)
        if max_age is not None:
            auth.require(via=people, max_age=max_age)
        code = secrets.token_urlsafe(32)
        issued.codes[code] = {
            "made": time.time(),
            "challenge": asked.get("code_challenge"),
            "claims": {
                "sub": auth.identity.subject,
                "nonce": asked.get("nonce"),
                "auth_time": int(auth.identity.auth_time or 0),
                "acr": auth.identity.acr,
                "sid": session["sid"],
            },
        }
        sent = {"code": code, "state": asked.get("state", "")}
        if asked.get("response_mode") != "form_post":
            return redirect(f"{callback}?{urlencode(sent)}")
        inputs = "".join(f'<input type="hidden" name="{name}" value="{escape(value)}">' for name, value in sent.items())
        return (
            f'<form method="post" action="{callback}">{inputs}<button>Go on</button></form>'
            "<script>document.forms[0].submit()</script>"
        )

    @app.post("/token")
    @auth.login_required(via=clients)
    def token() -> Response | tuple[Response, int]:
        found = issued.codes.pop(request.form.get("code", ""), None)
        verifier = hashlib.sha256(request.form.get("code_verifier", "").encode()).digest()
        if found is None or time.time() - found["made"] > 60 or encode_base64url(verifier) != found["challenge"]:
            return jsonify(error="invalid_grant"), 400
        claims = found["claims"]
        issued.logins[claims["sid"]] = claims["sub"]
        id_token = issued.sign("JWT", app.config["URL"], 300, **claims)
        response = jsonify(access_token=secrets.token_urlsafe(32), token_type="Bearer", id_token=id_token)
        response.headers["Cache-Control"] = "no-store"
        return response

"""The app. Authlib talks to the provider, and the extension begins, guards and ends the sessions."""

import secrets
from typing import Any

from authlib.integrations.base_client import OAuthError
from authlib.integrations.flask_client import OAuth
from flask import Flask, redirect, session, url_for
from markupsafe import escape
from werkzeug.wrappers import Response

from flask_unauthorized import Auth, AuthError, Identity, SessionCookie, StepUpRequired
from flask_unauthorized.loaders.jwks import JWKS
from flask_unauthorized.signals import refused
from flask_unauthorized.stores.memory import MemoryStore

CLIENT_ID = "vault-app"
CLIENT_SECRET = "demo-secret-of-the-app"
USERS = {"ada": Identity("ada", roles={"owner"}), "bob": Identity("bob")}
"""The users of the app, by the provider's ``sub``."""


def create_app(issuer: str, response_mode: str | None = None) -> Flask:
    """Makes the app, whose users log in at ``issuer``."""
    app = Flask("vault", static_folder=None)
    # Over HTTPS also SESSION_COOKIE_SECURE=True. With form_post, a provider on another site needs SameSite "None".
    app.config.update(SECRET_KEY=secrets.token_hex(), SESSION_COOKIE_SAMESITE="Lax")
    # Several processes need a SQLiteStore or a RedisStore, and one SECRET_KEY.
    store = MemoryStore(single_process=True)
    auth: Auth[Any] = Auth(SessionCookie(USERS.get, login_view="login", store=store), app=app, realm="vault")
    auth.protect(app)

    # Over https, without the exception for a demo, no keys= are needed.
    keys = JWKS.of_issuer(issuer, allow_http_loopback=True)
    auth.backchannel_logout("/backchannel-logout", issuer=issuer, audience=CLIENT_ID, keys=keys)

    oauth = OAuth(app)
    oauth.register(
        "provider",
        client_id=CLIENT_ID,
        client_secret=CLIENT_SECRET,
        server_metadata_url=f"{issuer}/.well-known/openid-configuration",
        client_kwargs={"scope": "openid", "code_challenge_method": "S256"},
    )

    def remember_step_up(sender: Flask, error: AuthError, **extra: object) -> None:
        """Remembers what the refused page demands, for the login that follows."""
        if isinstance(error, StepUpRequired):
            session["step_up"] = {"acr_values": " ".join(error.acr_values) or None, "max_age": error.max_age}

    refused.connect(remember_step_up, app, weak=False)

    @app.get("/login")
    @auth.public
    def login() -> Response:
        session["way_back"] = auth.next_url("/")
        demanded = {name: value for name, value in session.pop("step_up", {}).items() if value is not None}
        if response_mode is not None:
            demanded["response_mode"] = response_mode
        response: Response = oauth.provider.authorize_redirect(url_for("callback", _external=True), **demanded)
        return response

    @app.route("/callback", methods=["GET", "POST"])
    @auth.public
    def callback() -> Response | tuple[str, int]:
        try:
            token = oauth.provider.authorize_access_token()  # checks state, PKCE, nonce and the ID token
        except OAuthError as error:
            return f"The login failed ({escape(error.error)}). <a href='/login'>Try again</a>", 400
        claims = token["userinfo"]
        way_back = session.get("way_back", "/")
        auth.login(
            claims["sub"],
            acr=claims.get("acr"),
            auth_time=claims.get("auth_time"),
            amr=claims.get("amr", ()),
            from_origins=[issuer],  # the provider's page posts its response with form_post
            sid=claims.get("sid"),
            issuer=claims["iss"],
        )
        return redirect(way_back)

    @app.post("/logout")
    @auth.public
    def logout() -> str:
        auth.logout()
        return "You are logged out here. <a href='/'>Log in</a>"

    @app.get("/")
    def home() -> str:
        return (
            f"Hello, {escape(auth.identity.subject)}. <a href='/vault'>Open the vault</a>"
            "<form method='post' action='/logout'><button>Log out</button></form>"
        )

    @app.get("/vault")
    @auth.login_required(acr="mfa", max_age=300)
    def vault() -> str:
        return f"The vault of {escape(auth.identity.subject)} is open."

    @app.get("/api/me")
    def me() -> dict[str, object]:
        return {"subject": auth.identity.subject, "acr": auth.identity.acr}

    auth.check(app)
    return app

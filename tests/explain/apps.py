"""Three apps that are explained, and served by gunicorn beside it.

The loaders decide by the credentials themselves: a token, a key or a name is the name of the case, with `_` for `:`.
"""

from time import time

from flask import Flask, abort

from flask_unauthorized import APIKey, Auth, AuthUnavailable, Basic, Bearer, Digest, DPoP, Identity, SessionCookie
from flask_unauthorized.stores.memory import MemoryStore
from flask_unauthorized.throttle import Throttle
from tests.dpop_client import ORIGIN

KEY = "a secret of thirty-two characters"
PASSWORD = "correct horse"
ALL = {
    "scopes": {"notes:read", "notes:write"}, "roles": {"admin"}, "acr": "gold", "amr": {"otp"}, "auth_time": time(),
}  # fmt: skip
LACKING = {
    "valid": {},
    "cross-site": {},
    "expired": {"expires_at": 1.0},
    "without-scope-notes_read": {"scopes": {"notes:write"}},
    "without-scope-notes_write": {"scopes": {"notes:read"}},
    "without-role-admin": {"roles": {"guest"}},
    "without-acr": {"acr": "silver"},
    "without-amr-otp": {"amr": {"pwd"}},
    "too-old": {"auth_time": 1.0},
}


def load(name):
    if name == "unavailable":
        raise AuthUnavailable
    return Identity("ada", **{**ALL, **LACKING[name]}) if name in LACKING else None


def load_password(name, _):
    return load(name)


def load_bound(token):
    """The caller of a DPoP token, which is a name and the thumbprint of the key after it."""
    name, _, thumbprint = token.partition("~")
    if name == "unavailable":
        raise AuthUnavailable
    if name not in LACKING:
        return None
    return Identity("ada", confirmation={"jkt": thumbprint}, **{**ALL, **LACKING[name]})


def load_digest(name):
    if name == "unavailable":
        raise AuthUnavailable
    return (PASSWORD, Identity("ada", **{**ALL, **LACKING[name]})) if name in LACKING else None


def refuse_to_run(*_, **__):
    """The view of all routes. Real requests that reach it are told by this status."""
    abort(418)


def make_api():
    """Bearer and Basic with scopes and a role, protected, with a hook of the app."""
    app = Flask("api", static_folder=None)
    auth = Auth(Bearer(load), Basic(load_password), app=app, realm="api")
    auth.protect(app, scopes={"notes:read"})
    guard = auth.login_required(scopes={"notes:write"}, roles={"admin"}, acr="gold", amr={"otp"}, max_age=3600)
    app.add_url_rule("/notes", "notes", guard(refuse_to_run), methods=["GET", "POST"])
    app.add_url_rule("/optional", "optional", auth.login_optional(refuse_to_run))
    app.after_request(lambda response: response.headers.set("X-Of-The-App", "1") or response)
    return app


def make_site():
    """People with sessions, and programs with tokens."""
    app = Flask("site", static_folder=None)
    app.config.update(SECRET_KEY=KEY, SESSION_COOKIE_SAMESITE="Lax")
    auth = Auth(SessionCookie(load, login_view="login", store=None), Bearer(load), app=app, realm="site")
    app.add_url_rule("/page", "page", auth.login_required(refuse_to_run), methods=["GET", "POST"])
    app.add_url_rule("/admin", "admin", auth.login_required(roles={"admin"}, max_age=3600)(refuse_to_run))

    @app.get("/login")
    @auth.public
    def login():
        return "the form"

    @app.get("/log-in/<name>")
    @auth.public
    def log_in(name):
        """Logs in without a look at a password, and under names that the loader will reject."""
        auth.login(Identity(name), auth_time=1.0 if name == "too-old" else None)
        return "in"

    return app


def make_devices():
    """DPoP, Digest and keys, with a throttle for keys."""
    app = Flask("devices", static_folder=None)
    app.config["SECRET_KEY"] = KEY
    throttle = Throttle(MemoryStore())
    auth = Auth(
        DPoP(load_bound, origin=ORIGIN, nonce=True),
        Digest(load_digest, throttle=throttle),
        APIKey(load),
        app=app,
        realm="devices",
    )
    app.add_url_rule("/data", "data", auth.login_required(scopes={"notes:read"})(refuse_to_run))
    return app


api = make_api()
site = make_site()
devices = make_devices()

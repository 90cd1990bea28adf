"""The app that the proxy asks. It listens on port 5000: ``python -m examples.forward_auth``."""

from typing import Any

from flask import Flask, redirect, request
from werkzeug.security import generate_password_hash

from flask_unauthorized import Auth, Bearer, Digest, Identity, SessionCookie
from flask_unauthorized.loaders import Passwords, StaticTokens
from flask_unauthorized.stores.memory import MemoryStore

users = {"ada": Identity("ada", roles={"editor"})}
check_password = Passwords({"ada": generate_password_hash("correct horse")})

store = MemoryStore(single_process=True)  # several processes need a SQLiteStore or a RedisStore
people = SessionCookie(users.get, login_view="login", idle=1800, store=store)
programs = Bearer(StaticTokens({"demo-token-of-ada-0123456789": Identity("ada", scopes={"read", "write"})}))
devices = Digest({"meter": "Circle of Life"}.get, store=store)
auth = Auth(people, programs, devices, realm="reports")

app = Flask(__name__)
app.config.update(SECRET_KEY="only for this demo, 32 characters", SESSION_COOKIE_SAMESITE="Lax")
auth.init_app(app)
auth.forward_auth("/auth", proxies=["127.0.0.1"], via=[people, programs])
auth.forward_auth("/auth/meters", proxies=["127.0.0.1"], via=devices)

FORM = '<form method="post"><input name="name"><input name="password" type="password"><button>Log in</button></form>'


@app.route("/login", methods=["GET", "POST"])
@auth.public
def login() -> Any:
    if request.method == "POST":
        if check_password(request.form["name"], request.form["password"]):
            auth.login(request.form["name"])
            return redirect(auth.next_url("/"))
        return FORM, 422
    return FORM


auth.check(app)

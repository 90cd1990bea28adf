"""An app that remembers its users, and says which devices they have. A file says how far ahead its clock is."""

import os
import time
from datetime import timedelta
from pathlib import Path

FOLDER, real_time = Path(os.environ["REMEMBER_DATA"]), time.time
time.time = lambda: real_time() + float((FOLDER / "ahead").read_text())

from flask import Flask, redirect, request  # noqa: E402  # after the clock

from flask_unauthorized import Auth, Identity, SessionCookie  # noqa: E402
from flask_unauthorized.stores.sqlite import SQLiteStore  # noqa: E402

users = {"ada": Identity("ada")}
store = SQLiteStore(FOLDER / "store.db")
auth = Auth(
    SessionCookie(users.get, login_view="login", logout_view="logout", store=store, remember=timedelta(days=30)),
    realm="remember",
)
PAGE = "<!doctype html><html lang=en><title>{title}</title><h1>{title}</h1>"
FORM = PAGE.format(title="Log in") + (
    "<form method=post><label>Remember me <input id=remember name=remember type=checkbox></label>"
    "<button>Log in as Ada</button></form>"
)
app = Flask(__name__)
app.config.update(SECRET_KEY="a key that the tests share with their workers", SESSION_COOKIE_SAMESITE="Lax")
auth.init_app(app)
without_notes = app.wsgi_app


def note_new_cookies(environ, start_response):
    """Writes down the path of each response that sets the cookie. Tabs have to wait, as on a slow network."""

    def start(status, headers, *more):
        if environ["PATH_INFO"].startswith("/tab/"):
            time.sleep(1)  # meanwhile the browser sends the old cookie for other tabs
        if any(name == "Set-Cookie" and value.startswith("session_remember=") for name, value in headers):
            with (FOLDER / "log").open("a") as log:
                log.write(environ["PATH_INFO"] + "\n")
        return start_response(status, headers, *more)

    return without_notes(environ, start)


app.wsgi_app = note_new_cookies


@app.route("/login", methods=["GET", "POST"])
@auth.public
def login():
    if request.method == "GET":
        return FORM
    auth.login("ada", remember="remember" in request.form)
    return redirect(auth.next_url("/"))


@app.post("/logout")
@auth.public
def logout():
    auth.logout()
    return redirect("/login")


@app.get("/")
@app.get("/tab/<int:number>")
@auth.login_required
def page(number=0):
    (current,) = [device.id for device in auth.sessions("ada") if device.current]
    return PAGE.format(title=f"{auth.identity.subject} {'by the cookie' if auth.remembered else 'by hand'} {current}")


@app.get("/devices")
@auth.login_required
def devices():
    return {"devices": [device.id for device in auth.sessions("ada")]}

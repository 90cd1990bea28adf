"""Pages that ask by htmx, for fragments that need a login. ``CLIENTS_HTMX`` is the path of htmx."""

import os
from pathlib import Path

from flask import Flask, redirect, render_template_string, request

from flask_unauthorized import Auth, SessionCookie

# The action names the login page, because htmx shows this form under the address of a page of its history.
FORM = """<form method="post" action="{{ request.full_path }}"><h1>Log in</h1>
<input name="name" value="ada"><button id="in">Log in</button></form>"""
PAGE = """<!doctype html><title>list</title><script src="/htmx.js"></script><body>
<h1>The list</h1>
<button id="get" hx-get="/fragment" hx-target="#there">get</button>
<button id="post" hx-post="/fragment" hx-target="#there">post</button>
<a id="boosted" hx-boost="true" href="/private?page=3">boosted</a>
<a id="away" hx-boost="true" href="/list">away</a>
<p id="there"></p>"""

auth = Auth(SessionCookie({"ada": "ada"}.get, login_view="login", htmx=True, redirect_posts=True), realm="htmx")
app = Flask(__name__)
app.config.update(SECRET_KEY="a secret of thirty-two characters", SESSION_COOKIE_SAMESITE="Lax")
auth.init_app(app)


@app.get("/htmx.js")
@auth.public(reason="a library")
def library():
    script = Path(os.environ["CLIENTS_HTMX"]).read_text(encoding="utf-8")
    return script, {"Content-Type": "text/javascript"}


@app.get("/list")
@auth.public(reason="a page without secrets, whose fragments need a login")
def pages():
    return PAGE


@app.route("/fragment", methods=["GET", "POST"])
@auth.login_required
def fragment():
    return f"for {auth.identity.subject}"


@app.get("/private")
@auth.login_required
def private():
    return PAGE.replace("The list", "The private page")


@app.route("/login", methods=["GET", "POST"])
@auth.public(reason="people log in here")
def login():
    if request.method == "POST":
        auth.login(request.form["name"])
        return redirect(auth.next_url("/list"), 303)
    return render_template_string(FORM)


@app.post("/logout")
@auth.public(reason="also for people who are logged out")
def logout():
    auth.logout()
    return ""

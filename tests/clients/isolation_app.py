"""A page that opens pop-ups, a login form, and two guarded pages."""

from flask import Flask, redirect, request, session

from flask_unauthorized import Auth, Bearer, SessionCookie

app = Flask("isolation")
app.config.update(SECRET_KEY="k" * 32, SESSION_COOKIE_SAMESITE="Lax")
people = SessionCookie(lambda subject: subject, login_view="login")
tokens_of_programs = Bearer(lambda token: None)
auth = Auth(people, tokens_of_programs, app=app)


@app.get("/opener")
def opener():
    return "<script>let told; onmessage = event => { told = event.data }</script>"


@app.route("/login", methods=["GET", "POST"])
@auth.public
def login():
    if request.method == "POST":
        auth.login("ada")
        session["origin"] = request.headers.get("Origin")
        return redirect(auth.next_url("/private"))
    return "<form method=post></form><script>opener?.postMessage('login page')</script>"


@app.get("/private")
@auth.login_required(via=people)
def private():
    return f"origin {session['origin']}"


@app.get("/tokens")
@auth.login_required(via=tokens_of_programs)
def tokens():
    return "never"

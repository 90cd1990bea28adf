"""Pages of another site, views that ask for passwords, and an API for scripts of other origins, allowed in two ways."""

from flask import Flask, request
from werkzeug.middleware.dispatcher import DispatcherMiddleware

from flask_unauthorized import Auth, Basic, Bearer, SessionCookie


def check(name, word):
    return (name, word) == ("ada", "pw")


def _pages():
    app = Flask("pages")
    app.config.update(SECRET_KEY="a secret of thirty-two characters", UNAUTHORIZED_EXPLAIN=True)
    cookie, password = SessionCookie(lambda name: name), Basic(check)
    quiet = Basic(check, script_alias="XBasic")
    auth = Auth(cookie, password, quiet, app=app, realm="popups")

    @app.get("/page")
    def page():
        return "<!doctype html><title>open</title><h1>open</h1>"

    for path, via in {"either": [cookie, password], "quiet": [quiet]}.items():
        app.add_url_rule(f"/{path}", path, auth.login_required(via=via)(lambda: {"you": auth.identity.subject}))
    return app


def _api(allow):
    app = Flask("api")
    auth = Auth(Bearer({"good": "ada"}.get), Basic(check), app=app, realm="api")
    app.add_url_rule(
        "/", "view", auth.login_required(lambda: {"you": auth.identity.subject}), methods=["GET", "PUT", "OPTIONS"]
    )
    allow(app)
    return app


def _by_extension(app):
    from flask_cors import CORS

    CORS(app, origins=r"http://localhost:\d+", supports_credentials=True)


def _by_hand(app):
    @app.after_request
    def allow(response):
        origin = request.headers.get("Origin", "")
        response.vary.add("Origin")
        if origin.startswith("http://localhost:"):
            response.headers["Access-Control-Allow-Origin"] = origin
            response.headers["Access-Control-Allow-Credentials"] = "true"
            response.headers["Access-Control-Allow-Headers"] = "Authorization"
            response.headers["Access-Control-Allow-Methods"] = "PUT"
        return response


try:
    api_by_extension = {"/by-extension": _api(_by_extension)}
except ImportError:  # its test is skipped then
    api_by_extension = {}
app = DispatcherMiddleware(_pages(), {"/by-hand": _api(_by_hand), **api_by_extension})

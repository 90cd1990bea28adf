"""A login, a page that the browser may store, and a picture for other sites: ``/clears``, ``/keeps``, ``/strict``."""

from flask import Flask
from werkzeug.middleware.dispatcher import DispatcherMiddleware

from flask_unauthorized import Auth, SessionCookie

PICTURE = '<svg xmlns="http://www.w3.org/2000/svg" width="7" height="7"></svg>'


def _gallery(name, *, clear_cache=True, **options):
    auth = Auth(SessionCookie(lambda subject: subject, **options), realm=name)
    app = Flask(name)
    app.config.update(SECRET_KEY="a secret of thirty-two characters", SESSION_COOKIE_PATH="/")
    auth.init_app(app)

    @app.get("/open")
    def shown():
        return f"<title>open</title><h1>{auth.get_identity() is not None}</h1>"

    @app.post("/login")
    def login():
        return auth.login("ada").subject

    @app.post("/logout")
    def logout():
        auth.logout(clear_cache=clear_cache)
        return "out"

    @app.get("/page")
    @auth.login_required
    def page():
        return "<title>page</title><h1>private</h1>", {"Cache-Control": "max-age=600"}

    @app.get("/picture")
    @auth.login_required
    def picture():
        return PICTURE, {"Content-Type": "image/svg+xml"}

    return app


app = DispatcherMiddleware(
    Flask("nothing"),
    {
        "/clears": _gallery("clears"),
        "/keeps": _gallery("keeps", clear_cache=False),
        "/strict": _gallery("strict", cross_site_reads=False),
    },
)

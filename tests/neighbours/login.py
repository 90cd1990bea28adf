"""Flask-Login: sessions. Without a login view it answers ``abort(401)``, with one a redirect."""

from flask import Flask, redirect, request
from flask_login import LoginManager, UserMixin, current_user, fresh_login_required, login_required, login_user

from flask_unauthorized import Auth, Bearer, abort_unauthorized

from .harness import OURS, Ask, Guarded, Neighbour, bearer, load


class User(UserMixin):
    def __init__(self, name: str) -> None:
        self.id = name


def _views(app: Flask) -> LoginManager:
    manager = LoginManager(app)
    manager.user_loader(User)

    @app.post("/login")
    def login():
        if request.json["password"] != "correct horse":
            return "Wrong password.", 401
        login_user(User("ada"), remember=request.json.get("remember", False))
        return redirect("/me")

    @app.get("/me")
    @login_required
    def me():
        return f"Hello {current_user.id}"

    @app.get("/bank")
    @fresh_login_required
    def bank():
        return "money"

    return manager


def _build(app: Flask) -> None:
    manager = _views(app)

    @manager.request_loader
    def from_header(request):
        token = request.headers.get("X-Token")
        return User(token) if token == "ada" else None


def _build_with_login_view(app: Flask) -> None:
    _views(app).login_view = "login"


def _build_with_handler(app: Flask) -> None:
    _views(app).unauthorized_handler(lambda: ({"sign": "in"}, 401))


def together(app):
    manager = LoginManager(app)
    manager.user_loader(User)
    manager.unauthorized_handler(abort_unauthorized)  # in place of abort(401)
    auth = Auth(Bearer(load))
    auth.init_app(app)

    @app.get("/page")
    @login_required  # a session, of Flask-Login
    def page():
        return f"Hello {current_user.id}"

    @app.get("/api/notes")
    @auth.login_required  # a token, of ours
    def notes():
        return {"owner": auth.identity.subject}

    @app.get("/api/write")
    @auth.login_required(scopes={"write"})
    def write():
        return "written"

    return auth


def sign_in(client):
    assert client.post("/login", json={"password": "correct horse"}).status_code == 302


def remembered(client):
    client.post("/login", json={"password": "correct horse", "remember": True})
    client.delete_cookie("session")


_ANY = {
    "login": Ask("the login itself", "/login", 302, method="POST", json={"password": "correct horse"}),
    "remember": Ask(
        "the login, with a remember cookie", "/login", 302, method="POST",
        json={"password": "correct horse", "remember": True},
    ),
    "wrong": Ask("the login, wrong password", "/login", 401, OURS, method="POST", json={"password": "x"}),
    "in": Ask("logged in", "/me", 200, login=sign_in),
}  # fmt: skip

NEIGHBOURS = (
    Neighbour(
        name="Flask-Login, without a login view",
        package="flask-login",
        build=_build,
        asks=(
            *_ANY.values(),
            Ask("nothing sent", "/me", 401, OURS, page=True),
            Ask("nothing sent, from a browser", "/me", 401, OURS, {"Accept": "text/html"}, page=True),
            Ask("by its request loader", "/me", 200, headers={"X-Token": "ada"}),
            Ask("by its request loader, wrong", "/me", 401, OURS, {"X-Token": "eve"}, page=True),
            Ask(
                "a token for the extension, which Flask-Login doesn't know", "/me", 401, OURS, bearer("ada"), page=True
            ),
            Ask("remembered", "/me", 200, login=remembered),
            Ask("remembered, where a fresh login is needed", "/bank", 401, OURS, login=remembered, page=True),
        ),
        together=together,
        guarded=(Guarded("/api/notes"), Guarded("/api/write", "scopes"), Guarded("/page", "abort")),
        advice="Pages keep `@login_required` of Flask-Login, and the API uses `login_required` of the extension."
        " `abort_unauthorized` works well as its unauthorized handler: it verifies the credentials that "
        "were sent, so a caller with a valid token isn't told that the token is invalid.\n\n"
        "- **Templates.** `current_user` stays Flask-Login's. Use `current_identity` for the extension's caller. In "
        "Python code, the import decides. Import macros `with context`: without it, they see the extension's caller.\n"
        "- **Guards.** Each guard judges by its own login. A view with both decorators needs both logins.\n"
        "- **Tokens for its pages.** A `request_loader` may call `auth.get_identity()` and return the user. Then pages "
        "with Flask-Login's decorator also accept the extension's tokens. Scopes aren't checked there.\n"
        "- **Loaders.** A loader of the extension may read Flask-Login's `current_user`. If its loaders ask the "
        "extension as well, the one that is asked second sees no caller. Flask-Login remembers that for the whole "
        "request, so let only one of the two ask.\n"
        "- **Login with `SessionCookie`.** Both logins are in Flask's session, and `auth.login()` empties it. To keep "
        'Flask-Login\'s login, write `auth.login(user, keep={"_user_id", "_fresh", "_id"})`. Its session protection '
        "may be `strong`.\n"
        "- **Logout.** `logout_user()` leaves the extension's login. `auth.logout()` ends both, but Flask-Login's "
        "remember cookie stays and logs the user in again. Call `auth.logout()` first and `logout_user()` second. In "
        "the other order, the note that removes the cookie is lost with the session.",
    ),
    Neighbour(
        name="Flask-Login, with a login view",
        package="flask-login",
        build=_build_with_login_view,
        asks=(
            *_ANY.values(),
            Ask("nothing sent: to the login page", "/me", 302),
            Ask("nothing sent, JSON wanted: to the login page too", "/me", 302, headers={"Accept": "application/json"}),
        ),
        together=together,
        guarded=(),
        advice="Its redirects stay redirects.",
    ),
    Neighbour(
        name="Flask-Login, with an unauthorized handler",
        package="flask-login",
        build=_build_with_handler,
        asks=(*_ANY.values(), Ask("nothing sent", "/me", 401, OURS)),
        together=together,
        guarded=(),
        advice="The handler's body stays.",
    ),
)

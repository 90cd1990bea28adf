"""Flask-HTTPAuth: it sends challenges of its own. They stay, if they parse."""

from flask import Flask
from flask_httpauth import HTTPBasicAuth, HTTPTokenAuth, MultiAuth

from flask_unauthorized import Auth, Basic, Bearer

from .harness import OURS, Ask, Guarded, Neighbour, bearer, load

_GOOD = {"Authorization": "Basic YWRhOmNvcnJlY3QgaG9yc2U="}
_BAD = {"Authorization": "Basic YWRhOndyb25n"}


def check_password(name, password):
    return name if (name, password) == ("ada", "correct horse") else None


def _build(app: Flask) -> None:
    basic, token = HTTPBasicAuth(), HTTPTokenAuth("Bearer")
    multi, broken = MultiAuth(basic, token), HTTPBasicAuth(realm='The "shop"')
    own = HTTPTokenAuth("ApiKey", header="X-API-Key")
    basic.verify_password(check_password)
    broken.verify_password(check_password)
    token.verify_token(lambda token: token if token == "ada" else None)
    own.verify_token(lambda token: token if token == "ada" else None)
    basic.get_user_roles(lambda user: ["reader"])
    own.error_handler(lambda status: ({"status": status}, status))

    app.add_url_rule("/basic", "basic", basic.login_required(lambda: f"Hello {basic.current_user()}"))
    app.add_url_rule("/admin", "admin", basic.login_required(role="admin")(lambda: "never"))
    app.add_url_rule("/optional", "optional", basic.login_required(optional=True)(lambda: f"{basic.current_user()}"))
    app.add_url_rule("/token", "token", token.login_required(lambda: token.current_user()))
    app.add_url_rule("/multi", "multi", multi.login_required(lambda: multi.current_user()))
    app.add_url_rule("/broken", "broken", broken.login_required(lambda: broken.current_user()))
    app.add_url_rule("/key", "key", own.login_required(lambda: own.current_user()))


def together(app):
    basic, token = HTTPBasicAuth(), HTTPTokenAuth("Bearer")
    basic.verify_password(check_password)
    token.verify_token(load)
    auth = Auth(Bearer(load), Basic(check_password, realm="console"))  # the same callbacks
    auth.init_app(app)

    @app.get("/old")
    @basic.login_required  # not moved yet
    def old():
        return f"Hello {basic.current_user()}"

    @app.get("/old-token")
    @token.login_required
    def old_token():
        return f"Hello {token.current_user().subject}"

    @app.get("/notes")
    @auth.login_required
    def notes():
        return {"owner": auth.identity.subject}

    @app.get("/write")
    @auth.login_required(scopes={"write"})
    def write():
        return "written"

    return auth


NEIGHBOURS = (
    Neighbour(
        name="Flask-HTTPAuth",
        package="flask-httpauth",
        build=_build,
        asks=(
            Ask("a good password", "/basic", 200, headers=_GOOD),
            Ask("nothing sent", "/basic", 401),
            Ask("a wrong password", "/basic", 401, headers=_BAD),
            Ask("a role that is missing", "/admin", 403, headers=_GOOD),
            Ask("a wrong password, optional", "/optional", 200, headers=_BAD),
            Ask("a good token", "/token", 200, headers=bearer("ada")),
            Ask("no token", "/token", 401),
            Ask("a wrong token", "/token", 401, headers=bearer("eve")),
            Ask("`MultiAuth`, a good token", "/multi", 200, headers=bearer("ada")),
            Ask("`MultiAuth`, nothing sent", "/multi", 401),
            Ask("a realm with quotes, which it doesn't escape", "/broken", 401, OURS),
            Ask("an API key, with an error handler, nothing sent", "/key", 401),
            Ask("an API key, with an error handler, a wrong key", "/key", 401, headers={"X-API-Key": "eve"}),
        ),
        together=together,
        guarded=(Guarded("/notes"), Guarded("/write", "scopes")),
        advice="Do this before you move: if pages of another origin send `Authorization: Basic` with `fetch()`, "
        'name that origin, `Basic(check, trusted_origins={"https://app.example"})`. Otherwise their '
        "unsafe requests get 403. Flask-HTTPAuth's callbacks (`verify_password`, `verify_token`) are loaders here, so "
        "views can move one by one. Write `Basic(check, empty_password=True)` if callers send a token as the user name "
        "and no password. A `verify_token` that returns `True` or `False` must return the user or `None`. "
        "[Loaders](../guides/loaders.md#callbacks-of-flask-httpauth) lists what callbacks may return.",
    ),
)

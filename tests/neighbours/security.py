"""Flask-Security-Too: logins, tokens and roles on top of Flask-Login and Flask-Principal."""

from flask import Flask
from flask_security import RoleMixin, Security, UserDatastore, UserMixin, auth_required, current_user, roles_required
from flask_security.utils import hash_password, parse_auth_token
from itsdangerous import BadData

from flask_unauthorized import APIKey, Auth, Bearer, Identity

from .harness import OURS, Ask, Guarded, Neighbour, bearer, load

EMAIL = "tess@shop.example"
PASSWORD = "correct horse"
SETTINGS = {
    "SECURITY_PASSWORD_SALT": "a salt of the tests",
    "SECURITY_PASSWORD_HASH": "plaintext",  # the tests hash many
    "SECURITY_PASSWORD_SCHEMES": ["plaintext"],
    "WTF_CSRF_ENABLED": False,
}
_JSON = {"Accept": "application/json"}


class Role(RoleMixin):
    name = ""
    permissions = ()


class User(UserMixin):
    fs_uniquifier = "tess-1"
    active = True
    roles = ()

    def __init__(self, email: str, password: str) -> None:
        self.email, self.password = email, password


class People(UserDatastore):
    """A datastore of one user, in place of a database."""

    def __init__(self) -> None:
        super().__init__(User, Role)
        self.user = None

    def find_user(self, case_insensitive=False, **wanted):
        known = {"email": EMAIL, "fs_uniquifier": User.fs_uniquifier}
        if self.user is None:
            self.user = User(EMAIL, hash_password(PASSWORD))
        return self.user if all(known.get(name) == value for name, value in wanted.items()) else None

    def put(self, model):
        return model

    def commit(self) -> None:
        pass


def _build(app: Flask) -> None:
    app.config.update(SETTINGS)
    Security(app, People())

    def hello():
        return f"Hello {current_user.email if current_user.is_authenticated else 'stranger'}"

    app.add_url_rule("/", "open", hello)
    for endpoint, mechanisms in (("page", ("session",)), ("console", ("basic",)), ("api", ("token",))):
        app.add_url_rule(f"/{endpoint}", endpoint, auth_required(*mechanisms)(hello))
    app.add_url_rule("/staff", "staff", auth_required("session")(roles_required("staff")(hello)))


def together(app):
    app.config.update(SETTINGS)
    people = People()  # your datastore
    Security(app, people)

    def by_its_token(token):  # a token of Flask-Security, checked as Flask-Security does
        try:
            data = parse_auth_token(token)
        except (BadData, ValueError, KeyError):
            return None
        user = people.find_user(fs_uniquifier=data["uid"])
        if user is None or not user.active or not user.verify_auth_token(data):
            return None
        return Identity(user.email, user=user, roles=[role.name for role in user.roles])

    tokens = APIKey(by_its_token, header="Authentication-Token")
    auth = Auth(Bearer(load), tokens)
    auth.init_app(app)

    @app.get("/page")
    @auth_required("session")  # a session, of Flask-Security
    def page():
        return f"Hello {current_user.email}"

    @app.get("/old")
    @auth.public(via=tokens)  # not moved yet: its 401 names what the view takes
    @auth_required("token")
    def old():
        return f"Hello {current_user.email}"

    @app.get("/api/notes")
    @auth.login_required
    def notes():
        return {"owner": auth.identity.subject}

    @app.get("/api/write")
    @auth.login_required(scopes={"write"})
    def write():
        return "written"

    return auth


def sign_in(client):
    assert client.post("/login", json={"email": EMAIL, "password": PASSWORD}).status_code == 200


NEIGHBOURS = (
    Neighbour(
        name="Flask-Security",
        package="flask-security-too",
        build=_build,
        asks=(
            Ask("an open page", "/", 200),
            Ask("an open page, logged in", "/", 200, login=sign_in),
            Ask("a page, logged in", "/page", 200, login=sign_in),
            Ask("a page, nothing sent: to the login page", "/page", 302),
            Ask("a wrong password", "/login", 400, method="POST", json={"email": EMAIL, "password": "wrong"}),
            Ask("a role that is missing", "/staff", 403, headers=_JSON, login=sign_in),
            Ask("a page, nothing sent, JSON wanted", "/page", 401, OURS, _JSON),
            Ask("its token, nothing sent, JSON wanted", "/api", 401, OURS, _JSON),
            Ask(
                "a token for the extension, which Flask-Security doesn't know",
                "/api",
                401,
                OURS,
                {**_JSON, **bearer("ada")},
            ),
            Ask("its Basic, nothing sent", "/console", 401),
            Ask("its Basic, JSON wanted", "/console", 401, headers=_JSON),
        ),
        together=together,
        guarded=(Guarded("/api/notes"), Guarded("/api/write", "scopes")),
        advice="Its pages keep its decorators (`auth_required`, `roles_required`), and the API uses "
        "`login_required` of the extension. A loader checks Flask-Security's tokens for the extension's guards, as the "
        "program shows.\n\n"
        "- **Templates.** `current_user` stays Flask-Security's. Use `current_identity` for the extension's caller.\n"
        "- **Its 401s.** Flask-Security sends a 401 without a challenge to callers who accept JSON. It gets all "
        "schemes of the extension, although the view takes none of them. Put `@auth.public(via=…)` above its decorator "
        "to name the one that the view takes. Other callers are led to the login page, as before.\n"
        "- **Its Basic challenge** stays.\n"
        "- **`protect`.** Use it for the blueprint of the API. `auth.protect(app)` also closes Flask-Security's pages. "
        "Then name those that stay public, such as `security.login`.\n"
        "- **Sessions.** Don't use `SessionCookie` in the same app: `auth.login()` empties the session, so "
        "Flask-Security's login ends.\n"
        "- **Flask-Principal.** A `Permission` that raises 401 gets a challenge. One that raises 403 stays as it is.",
    ),
)

"""docs/moving/flask-security.md: the tables are complete, their words exist, and the two apps differ as it says."""

import inspect
import logging
import re
import shlex
import time
from pathlib import Path

import pytest
from flask import Flask

from flask_unauthorized import Auth, Scheme
from flask_unauthorized.loaders import Passwords
from flask_unauthorized.testing import assert_sound

from .moving import Page, unknown_names, words

fs = pytest.importorskip("flask_security")
pytest.importorskip("flask_sqlalchemy")
pytest.importorskip("argon2")

PAGE = Page("flask-security.md")
BEFORE, AFTER = PAGE.blocks("python", "A small app")[:2]
ADA, BOB = ("ada@example.com", "correct horse"), ("bob@example.com", "battery staple")
SITE = "https://localhost"
BROWSER = {"Accept": "text/html,application/xhtml+xml"}
JSON = {"Accept": "application/json"}
OTHER_SITE = {**BROWSER, "Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}
BAD = {**JSON, "Authentication-Token": "bad"}


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch, caplog):
    monkeypatch.chdir(tmp_path)
    caplog.set_level(logging.CRITICAL, "flask_unauthorized")
    return tmp_path


@pytest.fixture
def run(folder, monkeypatch):
    """Run a program of the page as a file of the folder, with its database there, and close that database."""
    opened = []

    def run(program, *more, name="app"):
        program = program.replace("Flask(__name__)", f"Flask(__name__, instance_path={str(folder)!r})")
        scope = {"__name__": name}
        opened.append(scope)
        for part in (program, *more):
            exec(compile(part, str(folder / f"{name}.py"), "exec"), scope)
        scope["app"].config["WTF_CSRF_ENABLED"] = False  # as Flask-Security's own tests do
        return scope

    yield run
    for scope in opened:
        with scope["app"].app_context():
            scope["db"].session.remove()
            for engine in scope["db"].engines.values():
                engine.dispose()
        if "store" in scope:
            scope["store"].close()


class Client:
    def __init__(self, scope):
        self.scope, self.client = scope, scope["app"].test_client()

    def log_in(self, who):
        sent = dict(zip(("email", "password"), who, strict=True))
        response = self.client.post("/login", data=sent, base_url=SITE)
        assert (response.status_code, response.location) == (302, "/")
        return self

    def token(self):
        sent = dict(zip(("email", "password"), ADA, strict=True))
        if "security" in self.scope:
            answer = self.client.post("/login?include_auth_token", json=sent, base_url=SITE)
            self.client = self.scope["app"].test_client()  # without the session
            made = answer.json["response"]["user"]["authentication_token"]
        else:
            made = self.client.post("/api/token", json=sent, base_url=SITE).json["token"]
        return made

    def ask(self, method, path, headers=(), **given):
        return self.client.open(path, method=method, headers=dict(headers), base_url=SITE, **given)


@pytest.fixture
def apps(run):
    before = Client(run(BEFORE, name="before"))
    return before, Client(run(AFTER))


# the request of the table: method, path, headers, who is logged in, what is sent
REQUESTS = {
    "`/account` by a browser without a login": ("GET", "/account", BROWSER, None, {}),
    "`/account` by a program that accepts JSON": ("GET", "/account", JSON, None, {}),
    "`/account` by a program that says nothing": ("GET", "/account", {}, None, {}),
    "`/account` with a token": ("GET", "/account", {**JSON, "Authentication-Token": "{token}"}, None, {}),
    "`/api/orders` with an invalid token": ("GET", "/api/orders", BAD, None, {}),
    "`/api/orders` with an invalid token, by a person who is logged in": ("GET", "/api/orders", BAD, ADA, {}),
    "`/api/orders` with the token in `?auth_token=`": ("GET", "/api/orders?auth_token={token}", JSON, None, {}),
    "`/api/orders` with the token in a JSON body": ("GET", "/api/orders", JSON, None, {"json": "token"}),
    "`/api/orders` by a person without the permission": ("GET", "/api/orders", JSON, BOB, {}),
    "`/staff` by a person without the role": ("GET", "/staff", BROWSER, BOB, {}),
    "`/address` by a form without a login": ("POST", "/address", BROWSER, None, {}),
    "`/address` by a form of another site": ("POST", "/address", OTHER_SITE, ADA, {}),
    "`/login` with a wrong password": ("POST", "/login", BROWSER, None, {"data": {"email": ADA[0], "password": "x"}}),
}


def table():
    return {row[0]: row[1:] for row in PAGE.rows("A small app") if len(row) == 3}


def test_the_table_has_each_request():
    assert set(table()) == set(REQUESTS)


@pytest.mark.tells_secrets("signal", because="the user's id is in the session that Flask-Security writes")
@pytest.mark.parametrize("row", REQUESTS)
def test_a_response_is_what_the_table_says_in_both_apps(apps, row):
    method, path, headers, who, given = REQUESTS[row]
    for client, cell in zip(apps, table()[row], strict=True):
        token = client.token()
        if who:
            client.log_in(who)
        sent = {"json": {"auth_token": token}} if given.get("json") else given
        response = client.ask(
            method,
            path.format(token=token),
            {name: value.format(token=token) for name, value in headers.items()},
            **sent,
        )
        status, _, rest = cell.partition(" ")
        assert response.status_code == int(status)
        if rest.startswith("to "):
            assert response.location == rest.removeprefix("to ").strip("`")
        elif rest:
            assert ("WWW-Authenticate" in response.headers) is (rest == "with a challenge")
    if response.status_code in (401, 403):
        assert_sound(response)


def test_accepted_requests_are_equal(apps):
    tokens = [client.token() for client in apps]
    for method, path, who, with_token in (
        ("GET", "/", None, False), ("GET", "/", ADA, False), ("GET", "/account", BOB, False),
        ("GET", "/api/orders", ADA, False), ("GET", "/api/orders", None, True), ("GET", "/staff", ADA, False),
        ("GET", "/staff", None, True), ("POST", "/address", ADA, False),
    ):  # fmt: skip
        found = []
        for client, token in zip(apps, tokens, strict=True):
            fresh = Client(client.scope)
            if who:
                fresh.log_in(who)
            found.append(fresh.ask(method, path, {"Authentication-Token": token} if with_token else {}))
        assert [response.status_code for response in found] == [200, 200]
        assert found[0].text == found[1].text


def test_an_old_token_stays_valid_until_it_expires(apps, monkeypatch):
    before, after = apps
    token = before.token()
    assert after.ask("GET", "/api/orders", {"Authentication-Token": token}).json == {"orders of": ADA[0]}
    assert after.ask("GET", "/api/orders", {"Authentication-Token": token[:-2] + "xx"}).status_code == 401
    later = time.time() + 901
    monkeypatch.setattr(time, "time", lambda: later)
    expired = after.ask("GET", "/api/orders", {"Authentication-Token": token})
    assert "have expired" in expired.headers["WWW-Authenticate"]
    assert_sound(expired)


def test_a_new_uniquifier_ends_sessions_and_tokens(apps):
    before, after = apps
    old, new = before.token(), after.token()
    after.log_in(ADA)
    scope = after.scope
    with scope["app"].app_context():
        scope["find_user"](ADA[0]).fs_uniquifier = "another"
        scope["db"].session.commit()
    assert after.ask("GET", "/account", JSON).status_code == 401
    for token in (old, new):
        assert after.ask("GET", "/api/orders", {**JSON, "Authentication-Token": token}).status_code == 401


def test_users_who_are_deactivated_are_out(apps):
    _, after = apps
    token = after.token()
    after.log_in(ADA)
    scope = after.scope
    with scope["app"].app_context():
        scope["find_user"](ADA[0]).active = False
        scope["db"].session.commit()
    assert after.ask("GET", "/account", JSON).status_code == 401
    assert after.ask("GET", "/api/orders", {"Authentication-Token": token}).status_code == 401
    assert Client(scope).ask("POST", "/login", data={"email": ADA[0], "password": ADA[1]}).status_code == 422


def test_the_diff_is_the_one_of_the_programs():
    PAGE.check_diff("before.py", "app.py", 1)


def test_the_console_shows_what_the_app_sends(apps):
    (block,) = PAGE.blocks("console", "A small app")
    issue, orders = re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]
    client = apps[1]
    answer = client.ask(
        "POST", "/api/token", data=shlex.split(issue.splitlines()[0])[-1], content_type="application/json"
    )
    assert list(answer.json) == re.findall(r'"(\w+)":', issue.splitlines()[1]) == ["token"]
    token = answer.json["token"]
    assert client.ask("GET", "/api/orders", {"Authentication-Token": token}).text == orders.splitlines()[1] + "\n"


# --- traps


@pytest.mark.tells_secrets("signal", because="the user's id is in the session that Flask-Security writes")
def test_a_token_counts_as_fresh_there_and_never_here(apps):
    before, after = apps

    @before.scope["app"].post("/fresh")
    @fs.auth_required("token", within=15, grace=0)
    def theirs():
        return "fresh"

    scope = after.scope
    scope["app"].add_url_rule(
        "/fresh",
        "fresh",
        scope["auth"].login_required(via=scope["key"], max_age=900)(lambda: "fresh"),
        methods=["POST"],
    )
    old, new = before.token(), after.token()
    statuses = [
        client.ask("POST", "/fresh", {**JSON, "Authentication-Token": token}).status_code
        for client, token in ((before, old), (after, old), (after, new))
    ]
    assert statuses == [200, 200, 401]


def test_roles_required_alone_is_403_there():
    app = Flask("roles")
    app.config.update(SECRET_KEY="x" * 32, SECURITY_PASSWORD_SALT="1", WTF_CSRF_ENABLED=False)
    from .security import People

    fs.Security(app, People())
    app.add_url_rule("/", "view", fs.roles_required("staff")(lambda: "in"))
    assert app.test_client().get("/", headers=JSON).status_code == 403


@pytest.mark.parametrize(
    ("kind", "single", "sent"),
    [("argon2", False, "prepared"), ("bcrypt", False, "cut"), ("argon2", True, "plain"), ("bcrypt", True, "plain")],
)
def test_which_form_of_a_password_fits_a_hash(run, kind, single, sent):
    prepared = run(AFTER)["prepared"]
    password = "corre²t ﬁne horse"  # NFKD changes it
    app = Flask("hashes")
    app.config.update(
        SECRET_KEY="x" * 32, SECURITY_PASSWORD_SALT="146585145368132386173505678016728509634",
        SECURITY_PASSWORD_HASH=kind, SECURITY_PASSWORD_SINGLE_HASH={kind} if single else set(),
    )  # fmt: skip
    from .security import People

    fs.Security(app, People())
    with app.app_context():
        normalized = app.extensions["security"].password_util.normalize(password)
        stored = fs.hash_password(normalized)
    passwords = Passwords({"ada": stored})
    forms = {"plain": normalized, "prepared": prepared(password), "cut": prepared(password)[:72]}
    assert [form for form, text in forms.items() if passwords("ada", text) == "ada"] == [sent]


@pytest.mark.parametrize("kind", ["argon2", "bcrypt", "pbkdf2_sha512", "pbkdf2_sha256", "sha512_crypt", "sha256_crypt"])
def test_the_fragment_takes_all_hashes_and_replaces_those_of_passlib(run, kind):
    with_kind = 'SECRET_KEY"] = "replace this by secrets.token_hex(32)"\n'
    assert with_kind in BEFORE
    run(BEFORE.replace(with_kind, f'{with_kind}app.config["SECURITY_PASSWORD_HASH"] = "{kind}"\n'), name="before")
    scope = run(AFTER, *PAGE.blocks("python", "Passwords"))
    with scope["app"].app_context():
        old = scope["stored_hash"](ADA[0])
        assert scope["check_password"](ADA[0], "wrong") is None
        assert scope["check_password"]("eve@example.com", ADA[1]) is None
        assert scope["check_password"](*ADA) == ADA[0]
        new = scope["stored_hash"](ADA[0])
        assert (new == old) is (kind in ("argon2", "bcrypt"))
        assert new.startswith("$2b$" if kind == "bcrypt" else "$argon2id$")
        assert scope["check_password"](*ADA) == ADA[0]


# --- both side by side


@pytest.fixture
def mixed(run):
    """Flask-Security's app, and a view of ours that takes its login."""
    scope = run(BEFORE, name="before")
    parts = {"__name__": "app", "load_user": load_by(scope)}
    exec(compile(PAGE.blocks("python", "Both side by side")[0], "app.py", "exec"), parts)
    people, app = parts["people"], scope["app"]
    assert isinstance(people, Scheme)
    auth = Auth(people, app=app)
    app.add_url_rule("/moved", "moved", auth.login_required(lambda: auth.user.email), methods=["GET", "POST"])
    return Client(scope)


def load_by(scope):
    def load(uniquifier):
        user = scope["datastore"].find_user(fs_uniquifier=uniquifier)
        return user if user is not None and user.active else None

    return load


def test_a_moved_view_takes_the_login_of_flask_security(mixed):
    refused = mixed.ask("GET", "/moved", JSON)
    assert_sound(refused, schemes=["Cookie"])
    assert refused.status_code == 401
    mixed.log_in(ADA)
    assert mixed.ask("GET", "/moved").text == ADA[0]
    assert mixed.ask("GET", "/account").text == ADA[0]
    assert mixed.ask("POST", "/moved", OTHER_SITE).status_code == 403
    assert mixed.ask("POST", "/moved", {"Origin": SITE, "Sec-Fetch-Site": "same-origin"}).status_code == 200
    mixed.ask("POST", "/logout")
    assert mixed.ask("GET", "/moved", JSON).status_code == 401


def test_its_own_401_gets_a_challenge(mixed):
    response = mixed.ask("GET", "/account", JSON)
    assert response.json["meta"] == {"code": 401}
    assert_sound(response, schemes=["Cookie"])


# --- completeness


def members(name):
    return {member for member in vars(getattr(fs, name)) if not member.startswith("_")}


def test_the_page_names_everything_of_flask_security():
    from flask_security import cli
    from flask_security.core import _default_config, _default_messages

    public = {name for name, value in vars(fs).items() if not name.startswith("_") and not inspect.ismodule(value)}
    public -= {"annotations"}
    classes = (
        "Security", "UserMixin", "RoleMixin", "UserDatastore", "MailUtil", "PasswordUtil", "PhoneUtil", "UsernameUtil",
        "WebauthnUtil", "WebAuthnMixin", "RefreshTrackerMixin", "AsaList", "Totp", "SmsSenderBaseClass",
        "SmsSenderFactory", "FsOAuthProvider", "OAuthGlue", "MfRecoveryCodesUtil",
    )  # fmt: skip
    wanted = public.union(*map(members, classes)) - {"cache_ok"}
    wanted |= {f"SECURITY_{name}" for name in _default_config} | {f"SECURITY_MSG_{name}" for name in _default_messages}
    for group in (cli.users, cli.roles):
        wanted |= {group.name, *group.commands}
    root = Path(fs.__file__).parent
    wanted |= {path.stem for path in (root / "templates").rglob("*") if path.is_file()}
    for source in ("views.py", "oauth_glue.py"):
        wanted |= set(re.findall(r'endpoint="(\w+)"', (root / source).read_text(encoding="utf-8")))
    assert {"roles_accepted", "user_authenticated", "SECURITY_FRESHNESS", "us_signin", "oauthstart"} <= wanted
    assert len(_default_config) == 255
    assert sorted(wanted - words((row[0] for row in PAGE.rows("Word by word")), arguments=True)) == []


def test_what_the_page_says_of_us_exists():
    rows = [row for heading in PAGE.headings() for row in PAGE.rows(heading)]
    assert unknown_names(cell for row in rows for cell in row[1:]) == []

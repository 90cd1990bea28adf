"""docs/moving/flask-jwt-extended.md: the table is complete, its words exist, and the two apps differ as it says."""

import inspect
import re
import shlex
import sys
import time
from datetime import timedelta

import pytest
from flask import Flask

from flask_unauthorized import APIKey, Auth, Bearer, Identity, current_user
from flask_unauthorized.loaders import SignedTokens
from flask_unauthorized.testing import assert_sound
from tests.canaries import register

from .moving import Page, unknown_names, words

fje = pytest.importorskip("flask_jwt_extended")
sqlalchemy = pytest.importorskip("sqlalchemy")
PAGE = Page("flask-jwt-extended.md")
BEFORE, AFTER = PAGE.blocks("python", "A small app")[:2]
REQUESTS = {
    "`/login` with a wrong password": ("POST", "/login", None),
    "`/me` without a token": ("GET", "/me", None),
    "`/me` with an expired token": ("GET", "/me", "Bearer {expired}"),
    "`/me` with `Bearer garbage`": ("GET", "/me", "Bearer garbage"),
    "`/me` with a refresh token": ("GET", "/me", "Bearer {own_refresh}"),
    "`/me` with the token of a deleted user": ("GET", "/me", "Bearer {deleted}"),
    "`/me` with `Bearer` and no token": ("GET", "/me", "Bearer"),
    "`/me` with `Bearer a b`": ("GET", "/me", "Bearer a b"),
    "`/me` with `bearer` in lower case and a valid token": ("GET", "/me", "bearer {own}"),
    "`/greeting` with an expired token": ("GET", "/greeting", "Bearer {expired}"),
    "`/greeting` with `Bearer garbage`": ("GET", "/greeting", "Bearer garbage"),
    "`/greeting` with `Bearer` and no token": ("GET", "/greeting", "Bearer"),
    "`/email` with an old token that isn't fresh": ("POST", "/email", "Bearer {unfresh}"),
    "`/refresh` without a token": ("POST", "/refresh", None),
    "`/refresh` with an access token": ("POST", "/refresh", "Bearer {own}"),
    "`/refresh` with a refresh token of the old app": ("POST", "/refresh", "Bearer {old_refresh}"),
    "`/me` after the logout": ("GET", "/me", "Bearer {ended}"),
    "`/refresh` after the logout": ("POST", "/refresh", "Bearer {ended_refresh}"),
}


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Run each program in a folder of its own, and close its database."""
    monkeypatch.chdir(tmp_path)
    engines = []
    create_engine = sqlalchemy.create_engine

    def tracked(*args, **kwargs):
        engines.append(create_engine(*args, **kwargs))
        return engines[-1]

    monkeypatch.setattr(sqlalchemy, "create_engine", tracked)
    yield
    for engine in engines:
        engine.dispose()


def run(*programs, name="app"):
    scope = {"__name__": name}
    sys.modules.setdefault("app", type(sys)("app"))  # dataclasses look for the module of a class
    for program in programs:
        exec(compile(program, f"{name}.py", "exec"), scope)
    return scope


class Client:
    """A client of one app, with the tokens that the requests of the table need."""

    def __init__(self, scope, issuer):
        self.client = scope["app"].test_client()
        mine, ended = self.log_in(), self.log_in()
        assert self.ask("POST", "/logout", f"Bearer {ended['access_token']}").json == {"msg": "Logged out."}
        self.tokens = {
            "own": mine["access_token"], "own_refresh": mine["refresh_token"], "ended": ended["access_token"],
            "ended_refresh": ended["refresh_token"], **issuer,
        }  # fmt: skip

    def log_in(self):
        response = self.client.post("/login", json={"name": "ada", "password": "correct horse"})
        assert response.status_code == 200
        return response.json

    def ask(self, method, path, field=None, **given):
        if path == "/login":
            given["json"] = {"name": "ada", "password": "wrong"}
        headers = {} if field is None else {"Authorization": field}
        return self.client.open(path, method=method, headers=headers, **given)

    def answer(self, row):
        method, path, field = REQUESTS[row]
        return self.ask(method, path, field and field.format(**self.tokens))


def tokens_of(scope):
    """Tokens that the old app has issued."""
    with scope["app"].app_context():
        made = {
            "expired": fje.create_access_token("1", expires_delta=timedelta(seconds=-90)),
            "unfresh": fje.create_access_token("1"),
            "fresh": fje.create_access_token("1", fresh=True),
            "deleted": fje.create_access_token("9"),
            "old_refresh": fje.create_refresh_token("1"),
        }
    register(*made.values())
    return made


@pytest.fixture
def apps():
    before, after = run(BEFORE), run(AFTER)
    issued = tokens_of(before)
    return Client(before, issued), Client(after, issued)


def text_of(response):
    found = response.json or {}
    return found.get("msg") or found.get("error_description")


def said(cell):
    status, _, text = cell.partition(" ")
    return int(status), text.strip("`") or None


def test_the_table_of_refusals_names_each_request_once():
    assert [row[0] for row in PAGE.rows("A small app") if len(row) == 3] == sorted(
        REQUESTS, key=[row[0] for row in PAGE.rows("A small app")].index
    )


@pytest.mark.parametrize("row", REQUESTS)
def test_a_refusal_is_what_the_table_says_in_both_apps(apps, row):
    ((_, *cells),) = (found for found in PAGE.rows("A small app") if found[0] == row)
    for client, cell in zip(apps, cells, strict=True):
        response = client.answer(row)
        status, text = said(cell)
        assert (response.status_code, text_of(response) if text else None) == (status, text)
    if response.status_code == 401:
        assert_sound(response, schemes=["Bearer"])


def test_accepted_requests_are_equal(apps):
    for method, path, field in (
        ("GET", "/me", "Bearer {own}"), ("GET", "/greeting", None), ("GET", "/greeting", "Bearer {own}"),
        ("GET", "/greeting", "Basic YTpi"), ("POST", "/email", "Bearer {own}"), ("POST", "/email", "Bearer {fresh}"),
        ("GET", "/me", "Bearer {unfresh}"), ("OPTIONS", "/me", None), ("POST", "/logout", "Bearer {fresh}"),
        ("POST", "/logout", "Bearer {own}"),
    ):  # fmt: skip
        first, second = (client.ask(method, path, field and field.format(**client.tokens)) for client in apps)
        assert first.status_code == second.status_code == 200
        assert first.json == second.json if first.is_json else first.text == second.text
    # The logout has ended the old token in both.
    assert [client.ask("GET", "/me", f"Bearer {client.tokens['fresh']}").status_code for client in apps] == [401, 401]
    for path in ("/login", "/refresh"):
        bodies = []
        for client in apps:
            fresh = client.log_in()
            field = f"Bearer {fresh['refresh_token']}"
            bodies.append(set(fresh if path == "/login" else client.ask("POST", path, field).json))
        assert bodies[0] < bodies[1]


def test_the_diff_is_the_one_of_the_programs():
    PAGE.check_diff("before.py", "app.py", 2)


def test_the_console_shows_what_the_app_sends(apps):
    client = apps[1]
    (block,) = PAGE.blocks("console", "A small app")
    login, me, refused = re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]
    answer = client.client.post("/login", data=shlex.split(login.splitlines()[0])[-1], content_type="application/json")
    assert re.findall(r'"(\w+)":', login.splitlines()[1]) == list(answer.json)
    field = f"Bearer {answer.json['access_token']}"
    assert client.ask("GET", "/me", field).text == me.splitlines()[1] + "\n"
    response = client.ask("GET", "/me")
    assert refused.splitlines()[1:4] == [
        "HTTP/1.1 401 UNAUTHORIZED",
        f"WWW-Authenticate: {response.headers['WWW-Authenticate']}",
        response.text.strip(),
    ]


def test_the_old_bodies_can_be_kept():
    before = run(BEFORE)
    issued = tokens_of(before)
    after = run(AFTER.replace("auth.check(app)\n", ""), *PAGE.blocks("python", "Keep the old bodies and 422"))
    first, second = Client(before, issued), Client(after, issued)
    for row in (
        "`/me` without a token", "`/me` with an expired token", "`/greeting` with an expired token",
        "`/email` with an old token that isn't fresh",
    ):  # fmt: skip
        one, two = first.answer(row), second.answer(row)
        assert (one.status_code, one.json) == (two.status_code, two.json)
        assert_sound(two, schemes=["Bearer"])
    for row in ("`/me` with `Bearer garbage`", "`/me` with `Bearer a b`", "`/me` with a refresh token"):
        assert first.answer(row).status_code == second.answer(row).status_code == 422
    old = issued["unfresh"]
    for client in (first, second):
        assert client.ask("POST", "/logout", f"Bearer {old}").status_code == 200
        gone = client.ask("GET", "/me", f"Bearer {old}")
        assert (gone.status_code, gone.json) == (401, {"msg": "Token has been revoked"})


def test_old_refresh_tokens_are_exchanged_once():
    before = run(BEFORE)
    issued = tokens_of(before)
    program = AFTER.replace('@app.post("/refresh")\ndef refresh():', "def unused():").replace("auth.check(app)\n", "")
    client = Client(run(program, *PAGE.blocks("python", "Exchange old refresh tokens")), issued)
    exchanged = client.ask("POST", "/refresh", f"Bearer {issued['old_refresh']}")
    assert exchanged.status_code == 200
    access = f"Bearer {exchanged.json['access_token']}"
    assert client.ask("GET", "/me", access).json == {"id": "1", "name": "ada"}
    assert client.ask("POST", "/email", access).status_code == 401  # nobody has typed a password
    assert client.ask("POST", "/refresh", f"Bearer {issued['old_refresh']}").status_code == 401
    for access_token in (issued["unfresh"], client.tokens["ended"]):
        assert client.ask("POST", "/refresh", f"Bearer {access_token}").status_code == 422
    own = client.ask("POST", "/refresh", f"Bearer {client.tokens['own_refresh']}")
    assert own.status_code == 200
    assert client.ask("POST", "/refresh").status_code == 400


def test_clients_that_keep_the_first_refresh_token_stay_logged_in(apps, monkeypatch):
    client, now = apps[1], time.time()
    for later in (600, 86_400, 5 * 86_400):
        monkeypatch.setattr(time, "time", lambda later=later: now + later)
        assert client.answer("`/refresh` with an access token").status_code == 400
        response = client.ask("POST", "/refresh", f"Bearer {client.tokens['own_refresh']}")
        assert response.status_code == 200


# --- completeness


def public(module):
    return {name for name, value in vars(module).items() if not name.startswith("_") and not inspect.ismodule(value)}


def own_members(kind):
    return {name for name in vars(kind) if not name.startswith("_")}


def test_the_page_names_everything_of_flask_jwt_extended():
    app = Flask("settings")
    fje.JWTManager(app)
    settings = {name for name in app.config if name.startswith("JWT_")}
    errors = {
        name for name, value in vars(fje.exceptions).items() if inspect.isclass(value) and issubclass(value, Exception)
    }
    keywords = set()
    for function in ("jwt_required", "create_access_token", "decode_token", "set_access_cookies"):
        keywords |= set(inspect.signature(getattr(fje, function)).parameters)
    keywords |= set(inspect.signature(fje.JWTManager.__init__).parameters)
    # The first arguments have no names in calls.
    keywords -= {"self", "app", "identity", "response", "encoded_token", "encoded_access_token"}
    wanted = public(fje) | own_members(fje.JWTManager) | settings | errors | keywords
    assert {"JWTManager", "user_lookup_loader", "JWT_HEADER_TYPE", "CSRFError", "optional"} <= wanted
    assert len(settings) == 43
    assert sorted(wanted - words((row[0] for row in PAGE.rows("Word by word")), arguments=True)) == []


def test_what_the_page_says_of_us_exists():
    rows = [row for heading in PAGE.headings() for row in PAGE.rows(heading)]
    assert unknown_names(cell for row in rows for cell in row[1:]) == []


# --- traps, and both side by side


@pytest.fixture
def mixed():
    """An app in the middle of the move: `/old` has the decorator of Flask-JWT-Extended, `/new` ours."""
    before = run(BEFORE)
    app, old = before["app"], run(AFTER)["old"]
    auth = Auth(Bearer(old), app=app)
    before["user"] = None
    users = before["USERS"]

    @app.get("/old")
    @fje.jwt_required()
    def unmoved():
        return {"theirs": fje.current_user.name, "ours": current_user.name}

    @app.get("/new")
    @auth.login_required
    def moved():
        return {"ours": auth.user.name, "known": auth.user.id in users}

    @app.get("/half")
    @auth.login_required
    def half():
        return {"theirs": fje.get_jwt_identity()}

    return app, auth, tokens_of(before)


def test_both_kinds_of_views_take_the_same_token(mixed):
    app, _, issued = mixed
    client = app.test_client()
    headers = {"Authorization": f"Bearer {issued['unfresh']}"}
    assert client.get("/old", headers=headers).json == {"theirs": "ada", "ours": "ada"}
    assert client.get("/new", headers=headers).json == {"ours": "ada", "known": True}
    refused = client.get("/old")
    assert refused.json == {"msg": "Missing Authorization Header"}
    assert_sound(refused, schemes=["Bearer"])
    assert client.get("/old", headers={"Authorization": "Bearer garbage"}).status_code == 422


def test_a_view_that_still_calls_their_functions_fails(mixed):
    app, _, issued = mixed
    app.config["PROPAGATE_EXCEPTIONS"] = False
    headers = {"Authorization": f"Bearer {issued['unfresh']}"}
    assert app.test_client().get("/half", headers=headers).status_code == 500


def test_a_new_token_is_422_in_a_view_that_has_not_moved(mixed):
    app, _, issued = mixed
    new = Client(run(AFTER), issued).tokens["own"]
    assert app.test_client().get("/old", headers={"Authorization": f"Bearer {new}"}).status_code == 422


def test_protect_closes_views_of_both_kinds(mixed):
    app, auth, issued = mixed
    auth.protect(app, public={"login"})
    client = app.test_client()
    assert client.get("/old").status_code == 401
    assert client.get("/old", headers={"Authorization": f"Bearer {issued['unfresh']}"}).status_code == 200
    login = client.post("/login", json={"name": "ada", "password": "correct horse"})
    assert login.status_code == 200


def test_a_token_has_no_tolerance_there_and_sixty_seconds_here(apps):
    with run(BEFORE)["app"].app_context():
        issued_at = int(time.time()) - 100
        late = fje.create_access_token(
            "1", additional_claims={"iat": issued_at, "nbf": issued_at, "exp": issued_at + 70}
        )
    register(late)
    assert [client.ask("GET", "/me", f"Bearer {late}").status_code for client in apps] == [401, 200]


def test_the_subject_is_text():
    before = BEFORE.replace("app = Flask(__name__)\n", 'app = Flask(__name__)\napp.config["JWT_VERIFY_SUB"] = False\n')
    before = before.replace('USERS.get(payload["sub"])', 'USERS.get(str(payload["sub"]))')
    first, second = run(before), run(AFTER)
    with first["app"].app_context():
        token = fje.create_access_token(1)
    register(token)
    found = [
        scope["app"].test_client().get("/me", headers={"Authorization": f"Bearer {token}"}).json["id"]
        for scope in (first, second)
    ]
    assert found == [1, "1"]


def test_claims_of_a_pair_are_none_that_the_app_added(apps):
    scope = run(AFTER)
    with scope["app"].app_context():
        claims = scope["pairs"](scope["pairs"].issue("1").access).claims
    assert "family_id" in claims
    with pytest.raises(KeyError):
        claims["plan"]


COOKIE_REQUESTS = [
    ("GET", {}, 200, 200),
    ("POST", {"Origin": "http://localhost", "Sec-Fetch-Site": "same-origin"}, 401, 200),
    ("POST", {}, 401, 200),
    ("POST", {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}, 401, 403),
    ("POST", {"Origin": "https://www.shop.example", "Sec-Fetch-Site": "same-site"}, 401, 403),
]


@pytest.mark.parametrize(("method", "headers", "there", "here"), COOKIE_REQUESTS)
def test_cookies_that_flask_jwt_extended_has_set(method, headers, there, here):
    statuses = []
    theirs = Flask("theirs")
    theirs.config.update(JWT_SECRET_KEY="x" * 32, JWT_TOKEN_LOCATION=["cookies"])
    fje.JWTManager(theirs)
    theirs.add_url_rule("/", "view", fje.jwt_required()(lambda: "in"), methods=["GET", "POST"])
    with theirs.app_context():
        token = fje.create_access_token("1")
    register(token)
    scope = {
        "__name__": "app", "Auth": Auth, "Bearer": Bearer, "app": Flask("ours"), "pairs": lambda token: None,
        "old": lambda sent: Identity("1") if sent == token else None,
    }  # fmt: skip
    exec(PAGE.blocks("python", "Cookies")[0], scope)
    ours = scope["app"]
    assert isinstance(scope["cookie"], APIKey)
    ours.add_url_rule("/", "view", scope["auth"].login_required(lambda: "in"), methods=["GET", "POST"])
    for app in (theirs, ours):
        client = app.test_client()
        client.set_cookie("access_token_cookie", token)
        statuses.append(client.open("/", method=method, headers=headers).status_code)
    assert statuses == [there, here]


@pytest.mark.parametrize(
    ("cookie", "query", "field", "status"),
    [(True, False, True, 200), (False, True, True, 400), (False, False, True, 200), (False, True, False, 200)],
)
def test_two_tokens(cookie, query, field, status):
    app = Flask("two")
    load = {"t1": "ada"}.get
    auth = Auth(Bearer(load), APIKey(load, cookie="c"), APIKey(load, query="jwt"), app=app)
    app.add_url_rule("/", "view", auth.login_required(lambda: "in"))
    client = app.test_client()
    if cookie:
        client.set_cookie("c", "wrong")
    headers = {"Authorization": "Bearer t1"} if field else {}
    assert client.get("/?jwt=t1" if query else "/", headers=headers).status_code == status


def test_a_query_with_a_prefix():
    app = Flask("query")
    auth = Auth(APIKey(lambda value: {"t1": "ada"}.get(value.removeprefix("JWT:")), query="jwt"), app=app)
    app.add_url_rule("/", "view", auth.login_required(lambda: "in"))
    assert app.test_client().get("/?jwt=JWT:t1").status_code == 200


def test_an_app_with_access_tokens_alone():
    (program,) = PAGE.blocks("python", "Access tokens alone")
    client = run(program, name="guide")["app"].test_client()
    expired = {"Authorization": "Token eyJhbGciOiJIUzI1NiJ9.e30.AAAA"}
    wrong = client.post("/login", json={"name": "Ada", "password": "x"}, headers=expired)
    assert (wrong.status_code, wrong.json) == (401, {"msg": "Wrong name or password."})
    assert wrong.headers["WWW-Authenticate"].split()[0] == "Token"
    right = client.post("/login", json={"name": "Ada", "password": "correct horse"}, headers=expired)
    token = right.json["token"]
    register(token)
    for name in ("Token", "token"):
        assert client.get("/me", headers={"Authorization": f"{name} {token}"}).json == {"you": "Ada"}
    assert client.get("/me", headers=expired).json == {"msg": "The credentials are not valid."}
    assert client.get("/me", headers={"Authorization": f"Bearer {token}"}).headers["WWW-Authenticate"] == (
        'Token realm="guide"'
    )


@pytest.mark.parametrize("with_subject", [False, True])
def test_a_user_object_that_signed_tokens_load_has_no_subject(with_subject):
    user = type("User", (), {"id": 7})()
    app = Flask("load")
    app.config["SECRET_KEY"] = "x" * 32
    tokens = SignedTokens("api", lifetime=900, load=lambda found: Identity(found, user=user) if with_subject else user)
    auth = Auth(Bearer(tokens), app=app)
    app.add_url_rule("/", "view", auth.login_required(lambda: [auth.identity.subject, auth.user.id]))
    with app.app_context():
        token = tokens.issue("7")
    found = app.test_client().get("/", headers={"Authorization": f"Bearer {token}"}).json
    assert found == ["7" if with_subject else None, 7]

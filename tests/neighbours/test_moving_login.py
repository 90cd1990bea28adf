"""docs/moving/flask-login.md names every word of Flask-Login, and its programs and traps are as it says."""

import functools
import inspect
import pkgutil
import re
import time
from importlib import import_module

import pytest
from flask import Flask, abort, redirect, request, session

from flask_unauthorized import Auth, Identity, SessionCookie, StepUpRequired, current_user
from flask_unauthorized.signals import authenticated, refused
from flask_unauthorized.stores.memory import MemoryStore
from flask_unauthorized.testing import acting_as

from .moving import Page, unknown_names, words

flask_login = pytest.importorskip("flask_login")

PAGE = Page("flask-login.md")
PROGRAMS = [block for block in PAGE.blocks("python") if not block.startswith("# a part of")]
HTTPS = "https://localhost"
BROWSER = {"Accept": "text/html,application/xhtml+xml"}
OTHER_SITE = {
    **BROWSER, "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example",
}  # fmt: skip
PASSWORDS = {"ada": "correct horse", "bob": "battery"}


def their_modules():
    for found in pkgutil.iter_modules(flask_login.__path__):
        if not found.name.startswith("_"):
            yield import_module(f"flask_login.{found.name}")


def their_names():
    """Public names of all modules, attributes of classes, settings, and keys in the session and in ``g``."""
    yield from flask_login.__all__
    yield "user_loaded_from_header"  # a module's __getattr__ gives it
    for module in their_modules():
        source = inspect.getsource(module)
        for name, item in vars(module).items():
            own = getattr(item, "__module__", module.__name__).startswith("flask_login")
            if (
                own
                and not name.startswith("_")
                and getattr(item, "__name__", name) == name
                and not inspect.ismodule(item)
            ):
                yield name  # an alias has another name
        yield from re.findall(r'config\.get\(\s*"(\w+)"|config\["(\w+)"\]', source)
        yield from re.findall(r'\bsession\["(\w+)"\]|\bsess\["(\w+)"\]', source)
        yield from re.findall(r"\bg\.(\w+)", source)
    manager = flask_login.LoginManager()
    for made in (manager, flask_login.UserMixin, flask_login.AnonymousUserMixin):
        yield from (name for name in dir(made) if not name.startswith("_"))


def their_arguments():
    functions = flask_login.login_user, flask_login.login_url, flask_login.set_login_view, flask_login.LoginManager
    for function in functions:
        yield from inspect.signature(function).parameters
    yield from re.findall(r'kwargs\.pop\("(\w+)"', inspect.getsource(flask_login.FlaskLoginClient))


def flat(names):
    return {name for given in names for name in ([given] if isinstance(given, str) else given) if name}


def test_every_name_of_theirs_has_a_row():
    cells = [row[0] for row in PAGE.tables("Flask-Login", "here")]
    assert sorted(flat(their_names()) - words(cells, arguments=False)) == []
    assert sorted(set(their_arguments()) - words(cells, arguments=True)) == []


def test_the_list_of_their_names_is_not_empty():
    expected = {
        "login_user", "REMEMBER_COOKIE_REFRESH_EACH_REQUEST", "SESSION_PROTECTION", "LOGIN_DISABLED", "_user_id",
        "blueprint_login_views", "user_needs_refresh", "_login_user", "EXEMPT_METHODS",
    }  # fmt: skip
    assert expected <= flat(their_names())
    assert {"force", "fresh_login", "add_context_processor"} <= set(their_arguments())


def test_every_name_of_ours_exists():
    assert unknown_names(row[1] for row in PAGE.tables("Flask-Login", "here")) == []
    assert unknown_names(row[-1] for row in PAGE.tables("situation")) == []


def test_the_diff_is_that_of_both_programs():
    PAGE.check_diff("before/app.py", "after/app.py", 1)


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Run a program of the page, and return its names. Its stores are closed at the end."""
    monkeypatch.chdir(tmp_path)
    opened = []

    def run(program):
        scope = {"__name__": "app"}
        opened.append(scope)
        exec(compile(program, "app.py", "exec"), scope)
        return scope

    yield run
    for scope in opened:
        if getattr(scope.get("people"), "store", None) is not None and hasattr(scope["people"].store, "close"):
            scope["people"].store.close()


def logged_in(app, name, **more):
    client = app.test_client()
    client.post("/login", data={"name": name, "password": PASSWORDS[name], **more}, headers=BROWSER, base_url=HTTPS)
    return client


def reopen(client):
    """Close the browser and open it again."""
    client.delete_cookie("session", domain="localhost")
    return client


def respond(scope, method, path, by):
    """Send the request of a row."""
    app, data = scope["app"], None
    client, headers = app.test_client(), {} if by == "program" else BROWSER
    if by.startswith(("ada", "bob")):
        client = logged_in(app, by[:3], **({"remember": "on"} if "remembered" in by else {}))
    if "remembered" in by:
        reopen(client)
    if "password" in by:
        name = "bob" if "locked" in by else "ada"
        data = {"name": name, "password": "wrong" if "wrong" in by else PASSWORDS[name]}
    if "locked" in by:
        next(user for user in scope["USERS"].values() if user.name == "bob").is_active = False
    if "other site" in by:
        headers = OTHER_SITE
    return client.open(path, method=method, data=data, headers=headers, base_url=HTTPS)


@pytest.mark.parametrize("row", PAGE.tables("request", "by"), ids=lambda row: f"{row[0]} {row[1]}")
@pytest.mark.parametrize("which", [0, 1], ids=["before", "after"])
def test_both_apps_respond_as_the_page_says(run, which, row):
    asked, by, cell = row[0], row[1], row[2 + which]
    method, path = asked.strip("`").split()
    response = respond(run(PROGRAMS[which]), method, path, by)
    target = re.search(r"to `([^`]+)`", cell.split("then")[0])
    assert response.status_code == int(re.search(r"\d+", cell)[0])
    assert response.location == (target and target[1])


@pytest.mark.parametrize("is_remembered", [False, True])
@pytest.mark.parametrize(("seconds", "location"), [(295, None), (305, "/login?next=/account")])
def test_five_minutes_after_the_login(run, monkeypatch, seconds, location, is_remembered):
    app = run(PROGRAMS[1])["app"]
    client = logged_in(app, "ada", remember="on")
    if is_remembered:
        reopen(client)
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + seconds)
    monkeypatch.setattr("flask_unauthorized.authentication.authorization.time", lambda: now + seconds)
    assert client.get("/account", headers=BROWSER, base_url=HTTPS).location == location


@pytest.mark.parametrize("which", [0, 1], ids=["before", "after"])
def test_what_the_pages_of_both_apps_show(run, which):
    app = run(PROGRAMS[which])["app"]
    options = {"headers": BROWSER, "base_url": HTTPS}
    nobody, ada, bob = app.test_client(), logged_in(app, "ada"), logged_in(app, "bob")
    assert "Moderate</a>" in ada.get("/", **options).text
    assert "Moderate</a>" not in bob.get("/", **options).text
    assert "Log in</a>" in nobody.get("/", **options).text
    asked = nobody.get("/moderate", follow_redirects=True, **options)
    assert "Please log in to access this page." in asked.text
    assert "You have been logged out." in ada.get("/logout", follow_redirects=True, **options).text
    wrong = nobody.post("/login", data={"name": "ada", "password": "x"}, **options)
    assert "Wrong name or password." in wrong.text


# --- the traps


class User(flask_login.UserMixin):
    def __init__(self, user_id, is_active=True):
        self.id, self.active = user_id, is_active

    @property
    def is_active(self):
        return self.active


def both(loader=None, **options):
    """One app with both extensions, each with a login of its own."""
    app = Flask("both")
    app.secret_key = "a secret of thirty-two characters"
    users = {"1": User("1"), "2": User("2", is_active=False)}
    manager = flask_login.LoginManager(app)
    manager.user_loader(loader or users.get)
    auth = Auth(SessionCookie(loader or users.get, store=MemoryStore(single_process=True), **options), app=app)
    app.users = users
    return app, auth


def test_is_active_is_not_read():
    app, auth = both()
    app.add_url_rule("/old-in", "old-in", lambda: f"{flask_login.login_user(app.users['2'])}")
    app.add_url_rule("/old", "old", flask_login.login_required(lambda: "in"))
    app.add_url_rule("/new-in", "new-in", lambda: auth.login(app.users["2"]).subject)
    app.add_url_rule("/new", "new", auth.login_required(lambda: "in"))
    client = app.test_client()
    assert client.get("/old-in").text == "False"
    assert client.get("/old").status_code == 401
    assert client.get("/new-in").text == "2"
    assert client.get("/new").text == "in"


def test_a_user_whom_the_loader_does_not_know():
    app, auth = both()
    app.add_url_rule("/old", "old", lambda: f"{flask_login.login_user(User('9'))}")
    app.add_url_rule("/new", "new", lambda: auth.login("9").subject)
    client = app.test_client()
    assert client.get("/old").text == "True"
    assert client.get("/new").status_code == 401


def test_the_truth_of_current_user():
    app, _ = both()
    app.add_url_rule(
        "/", "view", lambda: f"{bool(flask_login.current_user)} {bool(current_user)} {current_user is None}"
    )
    assert app.test_client().get("/").text == "True False False"


@pytest.mark.parametrize(("returned", "status", "shown"), [("ada", 200, "True True"), (7, 500, "False False")])
def test_a_loader_without_a_user_object(returned, status, shown):
    app, auth = both(lambda user_id: returned)

    def view():
        return f"{isinstance(current_user._get_current_object(), Identity)} {current_user.is_authenticated}"

    app.add_url_rule("/in", "in", lambda: auth.login("ada").subject)
    app.add_url_rule("/", "view", view)
    client = app.test_client()
    assert client.get("/in").status_code == status
    assert client.get("/").text == shown


def test_what_stays_in_the_session():
    app, auth = both()

    def enter(log_in):
        session["cart"] = "three"
        log_in()
        return session.get("cart", "gone")

    app.add_url_rule("/old", "old", lambda: enter(lambda: flask_login.login_user(app.users["1"])))
    app.add_url_rule("/new", "new", lambda: enter(lambda: auth.login("1")))
    app.add_url_rule("/kept", "kept", lambda: enter(lambda: auth.login("1", keep={"cart"})))
    assert [app.test_client().get(path).text for path in ("/old", "/new", "/kept")] == ["three", "gone", "three"]


def test_a_copy_of_the_cookie_after_the_logout(run):
    for program, status in zip(PROGRAMS[:2], (200, 302), strict=True):
        client = logged_in(run(program)["app"], "ada")
        copy = client.get_cookie("session", domain="localhost").value
        client.get("/logout", headers=BROWSER, base_url=HTTPS)
        thief = client.application.test_client()
        thief.set_cookie("session", copy, domain="localhost", secure=True)
        assert thief.get("/moderate", headers=BROWSER, base_url=HTTPS).status_code == status


def test_the_name_of_the_remember_cookie(run):
    for program, name in zip(PROGRAMS[:2], ("remember_token", "__Host-session_remember"), strict=True):
        client = logged_in(run(program)["app"], "ada", remember="on")
        assert client.get_cookie(name, domain="localhost") is not None


def test_login_disabled():
    app, auth = both()
    app.config["LOGIN_DISABLED"] = True
    app.add_url_rule("/old", "old", flask_login.login_required(lambda: "in"))
    app.add_url_rule("/new", "new", auth.login_required(lambda: "in"))
    client = app.test_client()
    assert [client.get(path).status_code for path in ("/old", "/new")] == [200, 401]
    app.testing = True
    user = User("1")
    assert acting_as(app, Identity("1", user=user)).get("/new").status_code == 200


def test_the_handler_of_401(run):
    for program, status in zip(PROGRAMS[:2], (302, 418), strict=True):
        app = run(program)["app"]
        app.register_error_handler(401, lambda error: ("of the app", 418))
        assert app.test_client().get("/moderate", base_url=HTTPS).status_code == status


def test_two_apps_with_one_secret():
    def make(realm):
        app = Flask(realm)
        app.secret_key = "a secret of thirty-two characters"
        auth = Auth(SessionCookie(lambda name: name, store=None), realm=realm, app=app)
        app.add_url_rule("/in", "in", lambda: auth.login("ada").subject)
        app.add_url_rule("/", "view", auth.login_required(lambda: "in"))
        return app

    client = make("one").test_client()
    client.get("/in")
    for realm, status in (("two", 401), ("one", 200)):
        other = make(realm).test_client()
        other.set_cookie("session", client.get_cookie("session").value)
        assert other.get("/").status_code == status


# --- word by word, where a table says more than a name


def test_an_old_login_and_a_handler_of_step_up():
    app, auth = both()
    app.add_url_rule("/in", "in", lambda: auth.login("1", auth_time=1).subject)
    app.add_url_rule("/", "view", auth.login_required(max_age=300)(lambda: "in"))
    app.register_error_handler(StepUpRequired, lambda error: ("once more", 401))
    client = app.test_client()
    client.get("/in")
    assert client.get("/").text == "once more"


def test_a_page_of_its_own_for_a_fresh_login():
    app, auth = both()
    scope = {"auth": auth, "app": app}
    exec(PAGE.fragment("Keep your page for a fresh login"), scope)
    app.add_url_rule("/in", "in", lambda: auth.login("1", auth_time=1).subject)
    app.add_url_rule("/", "view", auth.login_required(max_age=300)(lambda: "in"))

    def confirm():
        auth.confirm()
        return redirect(auth.next_url("/"))

    app.add_url_rule("/confirm", "confirm", auth.login_required(confirm))
    client = app.test_client()
    client.get("/in")
    assert client.get("/", headers=BROWSER).location == "/confirm?next=/"
    assert client.get("/").location == "/confirm?next=/"
    with client.session_transaction() as session:
        assert [text for _, text in session["_flashes"]] == ["Please enter your password once more."] * 2
    assert client.get("/confirm?next=/").location == "/"
    assert client.get("/", headers=BROWSER).text == "in"


def test_programs_keep_the_401_of_a_stale_login():
    app, auth = both()
    fragment = PAGE.fragment("Keep your page for a fresh login")
    first = re.search(r"start it with `([^`]+)`", PAGE.text)[1]
    exec(fragment.replace("    flash(", f"    {first}\n    flash(", 1), {"auth": auth, "app": app})
    app.add_url_rule("/in", "in", lambda: auth.login("1", auth_time=1).subject)
    app.add_url_rule("/", "view", auth.login_required(max_age=300)(lambda: "in"))
    app.add_url_rule("/confirm", "confirm", lambda: "")
    client = app.test_client()
    client.get("/in")
    assert client.get("/", headers=BROWSER).location == "/confirm?next=/"
    refused = client.get("/", headers={"Accept": "*/*"})
    assert refused.status_code == 401
    assert refused.headers["WWW-Authenticate"].startswith("Cookie ")


def test_abort_and_the_fields_of_responses(run):
    before, after = (run(program)["app"] for program in PROGRAMS[:2])
    pages = []
    for app in (before, after):
        client = logged_in(app, "bob")
        pages.append(client.get("/moderate", headers=BROWSER, base_url=HTTPS))
    assert [page.status_code for page in pages] == [403, 403]
    assert pages[0].text == pages[1].text
    assert pages[1].headers["Cache-Control"] == "private"
    refused = app.test_client().get("/moderate", headers=BROWSER, base_url=HTTPS)
    assert refused.headers["Cache-Control"] == "no-store"
    assert client.get("/", base_url=HTTPS).headers["Cache-Control"] == "private"
    out = client.get("/logout", base_url=HTTPS)
    assert out.headers["Clear-Site-Data"] == '"cache"'
    assert out.headers["Cache-Control"] == "no-store"


def test_the_body_of_a_403_for_a_role():
    app, auth = both()
    app.add_url_rule("/in", "in", lambda: auth.login("1").subject)
    app.add_url_rule("/", "view", auth.login_required(roles={"admin"})(lambda: "in"))
    app.users["1"] = Identity("1")
    client = app.test_client()
    client.get("/in")
    assert client.get("/").mimetype == "application/json"
    page = client.get("/", headers=BROWSER)
    assert page.status_code == 403
    assert page.mimetype == "text/html"
    assert "<title>403 Forbidden</title>" not in page.text


def test_a_role_decorator_of_your_own():
    app, auth = both()

    def role_required(role):
        def decorate(view):
            @functools.wraps(view)
            @auth.login_required
            def guarded():
                return view() if auth.identity.subject == role else abort(403)

            return guarded

        return decorate

    app.add_url_rule("/in", "in", lambda: auth.login("1").subject)
    app.add_url_rule("/yes", "yes", role_required("1")(lambda: "in"))
    app.add_url_rule("/no", "no", role_required("2")(lambda: "in"))
    auth.check(app)
    client = app.test_client()
    assert client.get("/yes").status_code == 401
    client.get("/in")
    assert [client.get(path).status_code for path in ("/yes", "/no")] == [200, 403]


def test_the_signals():
    app, auth = both()
    app.add_url_rule("/in", "in", lambda: auth.login("1").subject)
    app.add_url_rule("/", "view", auth.login_required(lambda: "in"))
    told = []

    def note(app, **arguments):
        told.append(type(arguments["error"]).__name__ if "error" in arguments else arguments["identity"].subject)

    with refused.connected_to(note, app), authenticated.connected_to(note, app):
        client = app.test_client()
        client.get("/")
        client.get("/in")
        client.get("/")
    assert told == ["MissingCredentials", "1"]


def test_the_class_of_anonymous_users():
    app, auth = both()

    class Anonymous:
        is_authenticated = False

        def can(self, permission):
            return False

    scope = {"auth": auth, "app": app, "Anonymous": Anonymous}
    exec(PAGE.fragment("Keep your class for anonymous users"), scope)
    app.add_url_rule("/in", "in", lambda: auth.login("1").subject)
    app.add_url_rule("/", "view", lambda: f"{isinstance(scope['current_user']._get_current_object(), Anonymous)}")
    client = app.test_client()
    assert client.get("/").text == "True"
    client.get("/in")
    assert client.get("/").text == "False"


# --- logins that exist


def old_cookies(key="change me"):
    """What a browser holds after a remembered login with Flask-Login."""
    app = Flask("old")
    app.secret_key = key
    manager = flask_login.LoginManager(app)
    manager.user_loader(User)
    app.add_url_rule("/in", "in", lambda: f"{flask_login.login_user(User(request.args['id']), remember=True)}")

    def cookies(user_id):
        client = app.test_client()
        client.get(f"/in?id={user_id}")
        return {name: client.get_cookie(name).value for name in ("session", "remember_token")}

    return cookies


@pytest.mark.parametrize("names", [["session"], ["remember_token"], ["session", "remember_token"]])
def test_a_login_is_carried_over(run, names):
    app = run(PAGE.program("Carry logins over"))["app"]
    assert app.test_client().get("/", base_url=HTTPS).status_code == 401
    client, cookies = app.test_client(), old_cookies()("1")
    for name in names:
        client.set_cookie(name, cookies[name], domain="localhost")
    assert client.get("/", base_url=HTTPS).json == {"subject": "1"}
    remembered = client.get_cookie("__Host-session_remember", domain="localhost")
    assert (remembered is not None) == ("remember_token" in names)
    assert client.get_cookie("remember_token", domain="localhost") is None
    assert client.post("/logout", base_url=HTTPS).status_code == 204
    assert client.get("/", base_url=HTTPS).status_code == 401


def test_a_logout_before_the_login_was_carried_over(run):
    client = run(PAGE.program("Carry logins over"))["app"].test_client()
    for name, value in old_cookies()("1").items():
        client.set_cookie(name, value, domain="localhost")
    client.post("/logout", base_url=HTTPS)
    assert client.get("/", base_url=HTTPS).status_code == 401


@pytest.mark.parametrize(
    "cookies",
    [
        {"remember_token": "1|0000"}, {"remember_token": "1"}, {"remember_token": ""}, {"session": "x"},
        old_cookies()("2"), old_cookies("another key")("1"),
    ],
    ids=["forged", "no signature", "empty", "no session", "a user who is gone", "another key"],
)  # fmt: skip
def test_what_is_not_carried_over(run, cookies):
    client = run(PAGE.program("Carry logins over"))["app"].test_client()
    for name, value in cookies.items():
        client.set_cookie(name, value, domain="localhost")
    for _ in range(2):
        assert client.get("/", base_url=HTTPS).status_code == 401


def test_a_carried_login_is_not_fresh(run):
    scope = run(PAGE.program("Carry logins over"))
    app, auth = scope["app"], scope["auth"]
    app.add_url_rule("/fresh", "fresh", auth.login_required(max_age=300)(lambda: "in"))
    client = app.test_client()
    client.set_cookie("session", old_cookies()("1")["session"], domain="localhost")
    assert [client.get(path, base_url=HTTPS).status_code for path in ("/", "/fresh")] == [200, 401]


def test_both_side_by_side(run):
    client = run(PAGE.program("Both side by side for a while"))["app"].test_client()
    options = {"headers": BROWSER, "base_url": HTTPS}
    assert client.get("/old", **options).location == "/login?next=%2Fold"
    assert client.get("/new", **options).location == "/login?next=%2Fnew"
    client.post("/login", data={"password": "correct horse"}, **options)
    assert [client.get(path, **options).json for path in ("/old", "/new")] == [{"you": "ada"}] * 2
    client.post("/logout", **options)
    locations = [client.get(path, **options).location for path in ("/old", "/new")]
    assert locations == ["/login?next=%2Fold", "/login?next=%2Fnew"]


def test_a_deleted_user_side_by_side(run):
    scope = run(PAGE.program("Both side by side for a while"))
    client = scope["app"].test_client()
    client.post("/login", data={"password": "correct horse"}, base_url=HTTPS)
    scope["login_manager"].user_loader(lambda user_id: None)
    assert client.get("/new", base_url=HTTPS).location == "/login?next=%2Fnew"


def test_a_guard_that_is_named_once():
    app, auth = both()
    login_required = auth.login_required(via=auth.schemes[0])
    for path in ("/one", "/two"):
        app.add_url_rule(path, path, login_required(lambda: auth.identity.subject))
    app.add_url_rule("/in", "in", lambda: auth.login("1").subject)
    client = app.test_client()
    assert client.get("/one").status_code == 401
    client.get("/in")
    assert client.get("/one").status_code == client.get("/two").status_code == 200

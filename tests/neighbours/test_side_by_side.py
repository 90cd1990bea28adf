"""Who is calling, asked by a neighbor: limits by caller, keys of caches, locales, menus, and two kinds of logins.

The neighbors ask at a time when no view was judged, on open pages too, and in either order of set-up.
"""

import pytest
from flask import Blueprint, Flask, render_template_string

from flask_unauthorized import (
    APIKey,
    Auth,
    AuthUnavailable,
    Basic,
    Bearer,
    Digest,
    Identity,
    SessionCookie,
    abort_forbidden,
    abort_unauthorized,
    current_identity,
    current_user,
)
from flask_unauthorized.testing import assert_unauthorized
from tests.conftest import SoundClient
from tests.digest_client import ADA, challenge, sent

from .harness import CHALLENGE, bearer, modules

MODULES = modules()  # or all of this is skipped
import flask_login  # noqa: E402
from flask_admin import Admin, AdminIndexView, BaseView, expose  # noqa: E402
from flask_admin.form import BaseForm  # noqa: E402
from flask_admin.model import BaseModelView  # noqa: E402
from flask_babel import Babel, get_locale, gettext  # noqa: E402
from flask_caching import Cache  # noqa: E402
from flask_cors import CORS  # noqa: E402
from flask_limiter import Limiter  # noqa: E402
from flask_limiter.util import get_remote_address  # noqa: E402

HTTPS = "https://localhost"
FROM_HERE = {"Sec-Fetch-Site": "same-origin"}
NAVIGATION = {"Accept": "text/html,application/xhtml+xml"}
ORDERS = pytest.mark.parametrize("first", ["neighbor", "auth"])


class Load:
    """A loader that notes whom it was asked for. ``ada`` and ``bob`` are known."""

    def __init__(self) -> None:
        self.asked = []

    def __call__(self, token):
        self.asked.append(token)
        if token == "down":
            raise AuthUnavailable
        if token == "bug":
            raise LookupError("a bug of the loader")
        return Identity(token, claims={"locale": "de" if token == "ada" else "en"}) if token in ("ada", "bob") else None


@pytest.fixture
def load():
    return Load()


def new_app(**config):
    app = Flask("shop")
    app.config.update(
        SECRET_KEY="a secret of thirty-two characters",
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_SECURE=True,
        **config,
    )
    app.test_client_class = SoundClient
    return app


def set_up(app, first, neighbor, auth):
    """Call the ``init_app`` of both."""
    for extension in (neighbor, auth) if first == "neighbor" else (auth, neighbor):
        extension.init_app(app)


def get(client, path, caller=None, **headers):
    return client.get(path, headers={**headers, **(bearer(caller) if caller else {})})


def statuses(client, path, *callers):
    return [get(client, path, caller).status_code for caller in callers]


# --- Flask-Limiter


def caller_or_address():
    return f"user:{current_identity.subject}" if current_identity else f"address:{get_remote_address()}"


def limited(load, first="neighbor", scheme=None, **options):
    """An app whose every view is limited by caller, its limiter and its `Auth`."""
    options = {"default_limits": ["2 per hour"], **options}
    app, auth = new_app(), Auth(scheme or Bearer(load))
    limiter = Limiter(caller_or_address, storage_uri="memory://", strategy="moving-window", **options)
    set_up(app, first, limiter, auth)
    app.add_url_rule("/open", "open", lambda: "open")
    app.add_url_rule("/guarded", "guarded", auth.login_required(lambda: "guarded"))
    app.add_url_rule("/optional", "optional", auth.login_optional(lambda: "optional"))
    return app, limiter, auth


@ORDERS
@pytest.mark.parametrize(
    ("path", "anonymous", "invalid"), [("/open", 200, 200), ("/guarded", 401, 401), ("/optional", 200, 401)]
)
def test_a_default_limit_by_caller_counts_each_caller_and_the_rest_by_address(load, first, path, anonymous, invalid):
    app, _, _ = limited(load, first)
    client = app.test_client()
    assert statuses(client, path, "ada", "ada", "ada", "bob") == [200, 200, 429, 200]
    assert statuses(client, path, None, "eve", "eve", None) == [anonymous, invalid, 429, 429]
    assert load.asked == ["ada", "ada", "ada", "bob", "eve", "eve"]  # once per request


def test_an_error_page_knows_the_caller_where_flask_limiter_does_not_count(load):
    app, _, _ = limited(load)
    app.register_error_handler(404, lambda error: (caller_or_address(), 404))
    client = app.test_client()
    answers = [get(client, "/nowhere", "ada") for _ in range(4)]
    assert {(answer.status_code, answer.text) for answer in answers} == {(404, "user:ada")}


def test_a_429_keeps_its_body_and_its_handler_knows_the_caller(load):
    app, _, _ = limited(load, headers_enabled=True)
    client = app.test_client()
    statuses(client, "/guarded", "ada", "ada")
    refused = get(client, "/guarded", "ada")
    assert "2 per 1 hour" in refused.text
    assert CHALLENGE not in refused.headers
    assert (refused.headers["X-RateLimit-Remaining"], refused.headers["Cache-Control"]) == ("0", "private")
    assert "authorization" in {name.lower() for name in refused.vary}
    app, _, _ = limited(load)
    app.register_error_handler(429, lambda error: ({"slow down": caller_or_address()}, 429))
    client = app.test_client()
    assert statuses(client, "/open", "ada", "ada") == [200, 200]
    assert get(client, "/open", "ada").json == {"slow down": "user:ada"}


def test_a_limit_by_caller_may_stand_above_the_guard(load):
    app, limiter, auth = limited(load, default_limits=[])
    app.add_url_rule("/", "view", limiter.limit("2 per hour")(auth.login_required(lambda: "inside")))
    client = app.test_client()
    assert statuses(client, "/", "ada", "ada", "ada", "bob") == [200, 200, 429, 200]
    assert statuses(client, "/", None, "eve", "eve", "bob") == [401, 401, 429, 200]
    assert load.asked == ["ada", "ada", "ada", "bob", "eve", "eve", "bob"]


def test_flask_limiter_applies_no_limit_to_an_empty_key(load):  # what the page warns of
    app, auth = new_app(), Auth(Bearer(load))
    auth.init_app(app)
    by_caller_alone = {"key_func": lambda: current_identity.subject if current_identity else ""}
    Limiter(app=app, default_limits=["2 per hour"], storage_uri="memory://", **by_caller_alone)
    app.add_url_rule("/", "open", lambda: "open")
    client = app.test_client()
    assert statuses(client, "/", "ada", "ada", "ada") == [200, 200, 429]
    assert statuses(client, "/", None, None, None, "eve") == [200] * 4


def test_shared_limits_and_costs_may_ask_who_is_calling(load):
    app, limiter, auth = limited(load, default_limits=[])
    shared = limiter.shared_limit("4 per hour", "reports", cost=lambda: 1 if current_user.is_authenticated else 4)
    app.add_url_rule("/one", "one", shared(lambda: "one"))
    app.add_url_rule("/two", "two", shared(auth.login_optional(lambda: "two")))
    client = app.test_client()
    assert statuses(client, "/one", "ada", "ada", "ada") == [200] * 3
    assert statuses(client, "/two", "ada", "ada", "bob") == [200, 429, 200]
    assert statuses(client, "/two", None) + statuses(client, "/one", None) == [200, 429]


@pytest.mark.parametrize("how", ["exempt_when", "request_filter"])
def test_callers_who_are_known_may_be_exempt(load, how):
    app, limiter, auth = limited(load, default_limits=[])
    exempt = {"exempt_when": lambda: current_user.is_authenticated} if how == "exempt_when" else {}
    if how == "request_filter":
        limiter.request_filter(lambda: current_user.is_authenticated)
    app.add_url_rule("/", "view", limiter.limit("1 per hour", **exempt)(auth.login_optional(lambda: "inside")))
    client = app.test_client()
    assert statuses(client, "/", "ada", "ada", None, "ada", None, "eve") == [200, 200, 200, 200, 429, 429]
    assert load.asked == ["ada", "ada", "ada", "eve"]


@ORDERS
def test_a_limit_of_a_blueprint_may_ask_who_is_calling(load, first):
    app, limiter, auth = limited(load, first, default_limits=[])
    shop = Blueprint("shop", "shop")
    limiter.limit("2 per hour")(shop)
    auth.protect(shop)
    shop.add_url_rule("/shop", "view", lambda: "inside")
    app.register_blueprint(shop)
    client = app.test_client()
    assert statuses(client, "/shop", "ada", "ada", "ada", "bob", None) == [200, 200, 429, 200, 401]
    assert load.asked == ["ada", "ada", "ada", "bob"]


def test_failed_logins_alone_are_counted(load):
    app, limiter, auth = limited(load, default_limits=[], scheme=SessionCookie(load))
    failed = limiter.limit(
        "2 per hour", key_func=get_remote_address, deduct_when=lambda response: response.status_code == 401
    )

    @app.post("/login/<name>")
    @failed
    def login(name):
        if name == "eve":
            abort_unauthorized("Wrong password.")
        return auth.login(name).subject

    client = app.test_client()
    logins = [client.post(f"/login/{name}", headers=FROM_HERE) for name in ("ada", "eve", "bob", "ada", "eve", "ada")]
    assert [answer.status_code for answer in logins] == [200, 401, 200, 200, 401, 429]


def test_a_limit_by_caller_spends_no_digest_count_twice(load):
    app, _, _ = limited(load, default_limits=["9 per hour"], scheme=Digest(lambda name: ADA, realm="r"))
    client = app.test_client()
    told = challenge(client.get("/guarded").headers[CHALLENGE])
    first = sent(told, uri="/guarded")
    assert client.get("/guarded", headers=first).text == "guarded"
    assert client.get("/guarded", headers=sent(told, nc=2, uri="/guarded")).text == "guarded"
    assert client.get("/guarded", headers=first).status_code == 401  # a replay


@pytest.mark.parametrize("swallow_errors", [False, True])
def test_a_key_function_that_asks_turns_no_failure_of_the_server_into_a_401(load, swallow_errors):
    app, _, _ = limited(load, swallow_errors=swallow_errors)
    client = app.test_client()
    assert statuses(client, "/guarded", "down", "bug") == [503, 500]
    assert statuses(client, "/open", "down") == [200]


# --- Flask-Login


def with_flask_login(load, first="neighbor", protection="basic", scheme=None, user_loader=None):
    """An app with the logins of both, and pages that say whom each of them knows."""
    app, auth, manager = new_app(), Auth(scheme or SessionCookie(load)), flask_login.LoginManager()
    manager.session_protection = protection
    manager.user_loader(user_loader or MODULES["login"].User)
    set_up(app, first, manager, auth)

    def who():
        ours = current_identity.subject if current_identity else None
        return f"{flask_login.current_user.get_id()} {ours}"

    def log_in(remember=False):
        return str(flask_login.login_user(MODULES["login"].User("tess"), remember=remember))

    app.add_url_rule("/", "who", who)
    app.add_url_rule("/template", "template", lambda: render_template_string(_TEMPLATE))
    app.add_url_rule("/theirs", "theirs", flask_login.login_required(who))
    app.add_url_rule("/ours", "ours", auth.login_required(who))
    app.add_url_rule("/both", "both", flask_login.login_required(auth.login_required(who)))
    app.add_url_rule("/login", "login", log_in, methods=["POST"])
    app.add_url_rule("/remember", "remember", lambda: log_in(True), methods=["POST"])
    app.add_url_rule("/logout", "logout", lambda: str(flask_login.logout_user()), methods=["POST"])
    app.add_url_rule("/our-login", "our-login", lambda: auth.login("ada").subject, methods=["POST"])
    app.add_url_rule("/our-login-keep", "keep", lambda: auth.login("ada", keep=_KEYS).subject, methods=["POST"])
    app.add_url_rule("/our-logout", "our-logout", lambda: str(auth.logout()), methods=["POST"])
    return app, auth, manager


_TEMPLATE = "{{ current_user.get_id() }} {{ current_identity.subject if current_identity else None }}"
_KEYS = ("_user_id", "_fresh", "_id")  # what Flask-Login keeps in the session
PROTECTIONS = pytest.mark.parametrize("protection", [None, "basic", "strong"])


def walk(client, *paths):
    """Post to each path, as a page of the app does, and return what ``/`` says after the last one."""
    for path in paths:
        assert client.post(path, headers=FROM_HERE, base_url=HTTPS).status_code == 200
    return client.get("/", base_url=HTTPS).text


def over_https(client, *paths):
    return [client.get(path, base_url=HTTPS).status_code for path in paths]


@ORDERS
@PROTECTIONS
def test_templates_see_flask_logins_user_and_our_identity(load, first, protection):
    app, _, _ = with_flask_login(load, first, protection)
    client = app.test_client()
    for paths, seen in (((), "None None"), (("/login",), "tess None"), (("/our-login-keep",), "tess ada")):
        assert walk(client, *paths) == seen
        assert client.get("/template", base_url=HTTPS).text == seen


def test_a_macro_without_context_sees_our_caller(load):  # what the page warns of
    from jinja2 import DictLoader

    app, _, _ = with_flask_login(load)
    macro = (
        "{% macro name() %}{{ current_user.subject if current_user.subject else current_user.get_id() }}{% endmacro %}"
    )
    app.jinja_loader = DictLoader({"macros.html": macro})
    for how in ("", " with context"):
        page = "{% from 'macros.html' import name" + how + " %}{{ name() }}"
        app.add_url_rule(f"/macro{len(how)}", how or "without", lambda page=page: render_template_string(page))
    client = app.test_client()
    walk(client, "/login", "/our-login-keep")
    assert client.get("/macro0", base_url=HTTPS).text == "ada"
    assert client.get("/macro13", base_url=HTTPS).text == "tess"


@ORDERS
@PROTECTIONS
def test_guards_of_both_judge_by_their_own_login(load, first, protection):
    app, _, _ = with_flask_login(load, first, protection)
    pages = "/theirs", "/ours", "/both"
    for paths, expected in (
        ((), [401, 401, 401]), (("/login",), [200, 401, 401]), (("/our-login",), [401, 200, 401]),
        (("/our-login", "/login"), [200, 200, 200]), (("/login", "/our-login-keep"), [200, 200, 200]),
    ):  # fmt: skip
        client = app.test_client()
        walk(client, *paths)
        assert over_https(client, *pages) == expected
        assert over_https(client, *pages) == expected  # "strong" has changed the session by then


@ORDERS
@PROTECTIONS
def test_what_a_login_and_a_logout_of_one_does_to_the_other(load, first, protection):
    app, _, _ = with_flask_login(load, first, protection)
    for paths, seen in (
        (("/our-login", "/login", "/logout"), "None ada"),  # theirs leaves ours
        (("/login", "/our-login"), "None ada"),  # ours empties the session
        (("/login", "/our-login-keep"), "tess ada"),  # but for keep=
        (("/our-login", "/login", "/our-logout"), "None None"),
    ):
        assert walk(app.test_client(), *paths) == seen


def test_a_remember_cookie_outlives_our_logout(load):
    app, _, _ = with_flask_login(load)
    client = app.test_client()
    assert walk(client, "/remember", "/our-login-keep", "/our-logout") == "tess None"
    assert over_https(client, "/theirs", "/ours") == [200, 401]


@pytest.mark.parametrize(("order", "seen"), [("/our-logout-theirs", "None None"), ("/theirs-our-logout", "tess None")])
def test_logging_out_of_both_removes_the_remember_cookie_in_one_order(load, order, seen):
    app, auth, _ = with_flask_login(load)
    app.add_url_rule(
        "/our-logout-theirs", "a", lambda: f"{auth.logout()} {flask_login.logout_user()}", methods=["POST"]
    )
    app.add_url_rule(
        "/theirs-our-logout", "b", lambda: f"{flask_login.logout_user()} {auth.logout()}", methods=["POST"]
    )
    assert walk(app.test_client(), "/remember", "/our-login-keep", order) == seen


@ORDERS
def test_a_request_loader_that_asks_us_lets_tokens_into_pages_of_flask_login(load, first):
    app, auth, manager = with_flask_login(load, first, scheme=Bearer(load))

    @manager.request_loader
    def by_token(request):
        identity = auth.get_identity()
        return None if identity is None else MODULES["login"].User(identity.subject)

    client = app.test_client()
    assert get(client, "/theirs", "ada").text == "ada ada"
    assert get(client, "/ours", "ada").text == "ada ada"
    assert load.asked == ["ada", "ada"]
    for caller in (None, "eve"):
        assert_unauthorized(get(client, "/theirs", caller), scheme="Bearer")


def test_a_page_of_another_site_gets_nobody_into_flask_login_by_a_repeated_password(load):
    app, auth, manager = with_flask_login(load, scheme=Basic(lambda name, password: name))
    manager.request_loader(lambda request: MODULES["login"].User("ada") if auth.get_identity() else None)
    app.add_url_rule("/write", "write", flask_login.login_required(lambda: "written"), methods=["POST"])
    client = app.test_client()
    evil = {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}
    for headers, status in ((FROM_HERE, 200), (evil, 401)):
        assert client.post("/write", auth=("ada", "x"), headers=headers).status_code == status


def test_a_loader_may_ask_flask_login(load):
    def with_session(token):
        user = flask_login.current_user
        return Identity(f"{token} for {user.get_id()}") if user.is_authenticated else None

    app, _, _ = with_flask_login(load, scheme=Bearer(with_session))
    client = app.test_client()
    assert get(client, "/ours", "robot").status_code == 401
    walk(client, "/login")
    over = client.get("/ours", headers=bearer("robot"), base_url=HTTPS)
    assert over.text == "tess robot for tess"


def test_loaders_that_ask_each_other_end_and_verify_once(load):
    def ours(token):
        load.asked.append(token)
        return Identity(f"{token}/{flask_login.current_user.get_id()}")

    def theirs(user_id):
        load.asked.append(user_id)
        return MODULES["login"].User(user_id + ("!" if current_identity else ""))

    app, _, _ = with_flask_login(load, scheme=Bearer(ours), user_loader=theirs)
    client = app.test_client()
    client.post("/login", base_url=HTTPS)
    load.asked.clear()
    answer = client.get("/ours", headers=bearer("ada"), base_url=HTTPS)
    assert (answer.status_code, answer.text) == (200, "tess ada/tess")  # theirs was asked while ours ran
    assert load.asked == ["ada", "tess"]


def test_of_two_loaders_that_ask_each_other_the_second_sees_no_caller(load):  # what the page warns of
    def ours(token):
        return Identity(f"{token} beside {flask_login.current_user.get_id()}")

    app, auth, manager = with_flask_login(load, scheme=Bearer(ours))
    manager.request_loader(lambda request: MODULES["login"].User("bridge") if auth.get_identity() else None)
    client = app.test_client()
    assert get(client, "/ours", "ada").text == "None ada beside None"
    assert get(client, "/theirs", "ada").text == "bridge ada beside None"


# --- Flask-Admin


def with_flask_admin(load, first="neighbor"):
    """An app whose console asks ``current_user`` what the documentation of Flask-Admin asks that of Flask-Login."""
    app, auth = new_app(), Auth(SessionCookie(load, login_view="login"), Bearer(load))
    Babel(app)

    class Secret(BaseView):
        def is_accessible(self):
            return current_user.is_authenticated

        def inaccessible_callback(self, name, **kwargs):
            abort_unauthorized()

        @expose("/")
        def index(self):
            return self.render("console.html")

    class Index(AdminIndexView):
        @expose("/")
        def index(self):
            return self.render("console.html")

    admin = Admin(name="Shop", index_view=Index())
    for number in range(3):
        admin.add_view(Secret(name=f"Secret{number}", endpoint=f"secret{number}"))
    set_up(app, first, admin, auth)
    app.jinja_loader = _templates()
    app.add_url_rule("/login", "login", lambda: "the login page")
    app.add_url_rule("/in", "in", lambda: auth.login("ada").subject, methods=["POST"])
    return app, auth, admin


def _templates():
    from jinja2 import DictLoader

    page = (
        "{% extends 'admin/base.html' %}"
        "{% block body %}<p>{{ current_user.subject if current_user.is_authenticated else 'Log in' }}</p>{% endblock %}"
    )
    return DictLoader({"console.html": page})


@ORDERS
def test_is_accessible_and_the_menu_know_the_caller(load, first):
    app, _, _ = with_flask_admin(load, first)
    client = app.test_client()
    for caller, greeting, links in ((None, "<p>Log in</p>", 0), ("ada", "<p>ada</p>", 3), ("eve", "<p>Log in</p>", 0)):
        load.asked.clear()
        page = get(client, "/admin/", caller)
        assert (page.status_code, greeting in page.text, page.text.count('href="/admin/secret')) == (200, True, links)
        assert load.asked == [caller] * (caller is not None)  # the menu asks for each of its views


@ORDERS
def test_a_view_that_is_not_accessible_leads_people_to_the_login_and_refuses_programs(load, first):
    app, _, _ = with_flask_admin(load, first)
    client = app.test_client()
    led = client.get("/admin/secret1/", headers=NAVIGATION)
    assert (led.status_code, led.headers["Location"]) == (302, "/login?next=/admin/secret1/")
    assert_unauthorized(get(client, "/admin/secret1/"), scheme="Bearer", error=None)
    assert_unauthorized(get(client, "/admin/secret1/", "eve"), scheme="Bearer", error="invalid_token")
    client.post("/in", headers=FROM_HERE, base_url=HTTPS)
    inside = client.get("/admin/secret1/", headers=NAVIGATION, base_url=HTTPS)
    assert (inside.status_code, "<p>ada</p>" in inside.text) == (200, True)


@ORDERS
def test_protect_takes_the_blueprint_of_one_view_of_flask_admin(load, first):
    app, auth, _ = with_flask_admin(load, first)
    auth.protect(app.blueprints["admin"])
    client = app.test_client()
    assert_unauthorized(get(client, "/admin/"), scheme="Bearer", error=None)
    assert get(client, "/admin/", "ada").status_code == 200
    assert get(client, "/admin/secret1/", "ada").status_code == 200
    with client.get("/admin/static/admin/css/bootstrap4/admin.css") as file:
        assert file.status_code == 401  # its files lie in the blueprint of the index


def test_the_files_of_flask_admin_stay_public_if_they_are_named(load):
    app, auth, _ = with_flask_admin(load)
    auth.protect(app.blueprints["admin"], public={"static"})
    client = app.test_client()
    assert_unauthorized(get(client, "/admin/"), scheme="Bearer", error=None)
    with client.get("/admin/static/admin/css/bootstrap4/admin.css") as file:
        assert file.status_code == 200


def notes_view(rows):
    """A model view of Flask-Admin whose models are dictionaries in a list, in place of a database."""

    class Notes(BaseModelView):
        column_list = ("text",)
        can_create = can_edit = False

        def is_accessible(self):
            return current_user.is_authenticated and current_user.subject == "ada"

        def inaccessible_callback(self, name, **kwargs):
            abort_forbidden()

        def get_pk_value(self, model):
            return model["id"]

        def scaffold_list_columns(self):
            return ["text"]

        def scaffold_sortable_columns(self):
            return {}

        def init_search(self):
            return False

        def scaffold_form(self):
            return BaseForm

        scaffold_list_form = scaffold_form

        def _get_field_value(self, model, name):
            return model[name]

        def get_list(self, page, sort_field, sort_desc, search, filters, page_size=None):
            return len(rows), rows

        def get_one(self, key):
            return next(row for row in rows if row["id"] == key)

        def delete_model(self, model):
            rows.remove(model)
            return True

    return Notes(dict, name="Notes", endpoint="note")


def test_a_model_view_shows_and_deletes_rows_for_callers_who_may(load):
    app, _, admin = with_flask_admin(load)
    rows = [{"id": "1", "text": "the first note"}]
    admin.add_view(notes_view(rows))
    client = app.test_client()
    page = get(client, "/admin/note/", "ada")
    assert (page.status_code, "the first note" in page.text, load.asked) == (200, True, ["ada"])
    assert get(client, "/admin/note/", "bob").status_code == 403
    assert_unauthorized(get(client, "/admin/note/"), scheme="Bearer", error=None)
    assert_unauthorized(get(client, "/admin/note/", "eve"), scheme="Bearer", error="invalid_token")
    for caller, status, left in (("bob", 403, 1), ("eve", 401, 1), ("ada", 302, 0)):
        answer = client.post("/admin/note/delete/", data={"id": "1"}, headers=bearer(caller))
        assert (answer.status_code, len(rows)) == (status, left)


# --- Flask-Security


_PAGE_OF_BOTH = (
    "{{ current_user.email if current_user.is_authenticated else 'stranger' }}"
    " {{ current_identity.subject if current_identity else 'nobody' }}"
)
SECURITY = pytest.mark.skipif("security" not in MODULES, reason="Flask-Security-Too needs Python 3.11")


@SECURITY
@ORDERS
@pytest.mark.tells_secrets("body", because="Flask-Security sends its token in the response to a login")
def test_templates_see_flask_securitys_user_and_our_identity(load, first):
    from flask_security import Security

    module = MODULES["security"]
    app, auth, people = new_app(**module.SETTINGS), Auth(Bearer(load)), module.People()

    class WithPeople:
        @staticmethod
        def init_app(app):
            Security().init_app(app, people)

    set_up(app, first, WithPeople, auth)
    app.add_url_rule("/", "open", lambda: render_template_string(_PAGE_OF_BOTH))
    app.add_url_rule("/api", "api", auth.login_required(lambda: render_template_string(_PAGE_OF_BOTH)))
    client = app.test_client(use_cookies=True)
    assert get(client, "/", "ada").text == "stranger ada"
    signed_in(module, client)
    for path, caller, text in (("/", None, "tess@shop.example nobody"), ("/", "ada", "tess@shop.example ada")):
        assert client.get(path, headers=bearer(caller) if caller else {}, base_url=HTTPS).text == text
    assert client.get("/api", headers=bearer("ada"), base_url=HTTPS).text == "tess@shop.example ada"
    assert_unauthorized(client.get("/api", base_url=HTTPS), scheme="Bearer", error=None)


def signed_in(module, client):
    """Log in, and return a token of Flask-Security."""
    answer = client.post(
        "/login?include_auth_token", json={"email": module.EMAIL, "password": module.PASSWORD}, base_url=HTTPS
    )
    return answer.json["response"]["user"]["authentication_token"]


def served_with_security():
    module = MODULES["security"]
    app = new_app()
    return module, app, module.together(app)


@SECURITY
@pytest.mark.tells_secrets("body", because="Flask-Security sends its token in the response to a login")
def test_a_token_of_flask_security_is_checked_by_our_guard():
    module, app, _ = served_with_security()
    token = signed_in(module, app.test_client())
    client = app.test_client()
    assert client.get("/api/notes", headers={"Authentication-Token": token}).json == {"owner": module.EMAIL}
    assert client.get("/old", headers={"Authentication-Token": token}).text == f"Hello {module.EMAIL}"
    assert client.get("/api/write", headers={"Authentication-Token": token}).status_code == 403
    for wrong in ("nonsense", f"e30.{token.partition('.')[2]}", "e30.x.y"):
        assert client.get("/api/notes", headers={"Authentication-Token": wrong}).status_code == 401
    module.User.active = False
    try:
        assert client.get("/api/notes", headers={"Authentication-Token": token}).status_code == 401
    finally:
        module.User.active = True


@SECURITY
@pytest.mark.tells_secrets("body", because="Flask-Security sends its token in the response to a login")
def test_a_session_of_flask_security_is_none_of_ours_and_the_other_way_round():
    module, app, _ = served_with_security()
    client = app.test_client()
    signed_in(module, client)
    assert client.get("/page", base_url=HTTPS).text == f"Hello {module.EMAIL}"
    assert client.get("/api/notes", base_url=HTTPS).status_code == 401
    led = app.test_client().get("/page", headers={**bearer("ada"), **NAVIGATION})
    assert (led.status_code, led.headers["Location"]) == (302, "/login?next=/page")


@SECURITY
@pytest.mark.tells_secrets("body", because="Flask-Security sends its token in the response to a login")
def test_a_login_of_ours_ends_that_of_flask_security(load):  # what the page warns of
    from flask_security import Security

    module = MODULES["security"]
    app, auth = new_app(**module.SETTINGS), Auth(SessionCookie(load))
    Security(app, module.People())
    auth.init_app(app)
    app.add_url_rule("/", "who", lambda: render_template_string(_PAGE_OF_BOTH))
    app.add_url_rule("/ours", "ours", lambda: auth.login("ada").subject, methods=["POST"])
    client = app.test_client()
    signed_in(module, client)
    assert client.get("/", base_url=HTTPS).text == "tess@shop.example nobody"
    assert walk(client, "/ours") == "stranger ada"


@SECURITY
def test_a_view_of_flask_security_names_in_its_401_what_it_takes():
    _, app, _ = served_with_security()
    refused = app.test_client().get("/old", headers={"Accept": "application/json"})
    assert [line.split()[0] for line in refused.headers.getlist(CHALLENGE)] == ["ApiKey"]
    assert refused.json["response"]["errors"] == ["You must sign in to view this resource."]


@SECURITY
def test_protect_leaves_flask_securitys_pages_open_if_they_are_named(load):
    from flask_security import Security

    module = MODULES["security"]
    app, auth = new_app(**module.SETTINGS), Auth(Bearer(load))
    Security(app, module.People())
    auth.init_app(app)
    auth.protect(app, public={"static", "security.login", "security.logout", "security.static"})
    app.add_url_rule("/notes", "notes", lambda: "notes")
    client = app.test_client()
    assert [client.get(path).status_code for path in ("/login", "/notes", "/verify")] == [200, 401, 401]
    assert get(client, "/notes", "ada").text == "notes"


@pytest.mark.parametrize(("status", "caller"), [(401, None), (403, "ada")])
def test_a_permission_of_flask_principal_gets_a_challenge_with_its_401(load, status, caller):
    principal = pytest.importorskip("flask_principal")
    app, auth = new_app(), Auth(Bearer(load))
    principal.Principal(app)
    auth.init_app(app)

    @principal.identity_loaded.connect_via(app)
    def on_identity_loaded(sender, identity):
        identity.provides.add(principal.RoleNeed(identity.id))

    @app.before_request
    def tell_flask_principal():
        if current_identity:
            principal.identity_changed.send(app, identity=principal.Identity(current_identity.subject))

    staff = principal.Permission(principal.RoleNeed("bob"))
    app.add_url_rule("/", "staff", staff.require(status)(lambda: "inside"))
    client = app.test_client()
    refused = get(client, "/", caller)
    assert refused.status_code == status
    assert (CHALLENGE in refused.headers) == (status == 401)
    assert get(client, "/", "bob").text == "inside"
    assert load.asked == ([caller] if caller else []) + ["bob"]


# --- Flask-Caching, Flask-Babel, flask-cors


@ORDERS
def test_an_open_page_is_cached_for_each_caller(load, first):
    app, auth, cache = new_app(), Auth(Bearer(load)), Cache(config={"CACHE_TYPE": "SimpleCache"})
    set_up(app, first, cache, auth)
    made = []

    @app.get("/")
    @cache.cached(
        make_cache_key=lambda *args, **kwargs: f"page of {current_identity.subject if current_identity else ''}"
    )
    def page():
        made.append(1)
        return f"Hello {current_identity.subject if current_identity else 'stranger'}"

    client = app.test_client()
    for _ in range(2):
        for caller, text in (
            ("ada", "Hello ada"),
            ("bob", "Hello bob"),
            (None, "Hello stranger"),
            ("eve", "Hello stranger"),
        ):
            answer = get(client, "/", caller)
            assert answer.text == text
            assert answer.vary.to_header() == "Authorization"
            assert ("Cache-Control" in answer.headers) == (caller in ("ada", "bob"))
    assert len(made) == 3
    assert len(load.asked) == 6


def test_without_the_caller_in_its_key_a_cached_page_shows_the_first_caller(load):  # what the page warns of
    app, auth, cache = new_app(), Auth(Bearer(load)), Cache(config={"CACHE_TYPE": "SimpleCache"})
    set_up(app, "auth", cache, auth)
    app.add_url_rule("/", "page", cache.cached()(lambda: caller_or_address()))
    client = app.test_client()
    assert [get(client, "/", caller).text for caller in ("ada", "bob")] == ["user:ada", "user:ada"]


@ORDERS
def test_the_language_of_the_caller_holds_for_all_pages(load, first):
    app, auth = new_app(), Auth(Bearer(load))
    babel = Babel()

    class WithSelector:
        @staticmethod
        def init_app(app):
            babel.init_app(app, locale_selector=lambda: current_identity.claims["locale"] if current_identity else "fr")

    set_up(app, first, WithSelector, auth)
    app.add_url_rule("/", "open", lambda: str(get_locale()))
    app.add_url_rule("/guarded", "guarded", auth.login_required(lambda: str(get_locale())))
    app.register_error_handler(404, lambda error: (str(get_locale()), 404))
    client = app.test_client()
    for path in ("/", "/guarded", "/nowhere"):
        load.asked.clear()
        assert [get(client, path, caller).text for caller in ("ada", "bob")] == ["de", "en"]
        assert load.asked == ["ada", "bob"]
    assert [get(client, "/", caller).text for caller in (None, "eve")] == ["fr", "fr"]


def test_a_loader_that_translates_gets_the_language_of_strangers(load):
    def translating(token):
        gettext("Looking for you.")
        return load(token)

    app, auth = new_app(), Auth(Bearer(translating))
    auth.init_app(app)
    Babel(app, locale_selector=lambda: current_identity.claims["locale"] if current_identity else "fr")
    app.add_url_rule("/", "view", auth.login_required(lambda: str(get_locale())))
    answer = get(app.test_client(), "/", "ada")
    assert (answer.status_code, answer.text, load.asked) == (200, "fr", ["ada"])  # Flask-Babel asks once per request


@ORDERS
def test_the_vary_of_flask_cors_and_ours_are_one_list(load, first):
    app, auth = new_app(), Auth(Bearer(load), APIKey(load, cookie="key"))
    origin = {"Origin": "https://page.example"}
    set_up(app, first, CORS(origins=["https://page.example", "https://other.example"]), auth)
    app.add_url_rule("/", "open", caller_or_address)
    app.add_url_rule("/same", "same", lambda: "the same for all")
    client = app.test_client()
    for caller, text in (("ada", "user:ada"), (None, "address:127.0.0.1")):
        answer = get(client, "/", caller, **origin)
        assert answer.text == text
        assert {name.lower() for name in answer.vary} == {"origin", "authorization", "cookie"}
        assert answer.headers["Access-Control-Allow-Origin"] == origin["Origin"]
    assert get(client, "/same", "ada", **origin).vary.to_header() == "Origin"

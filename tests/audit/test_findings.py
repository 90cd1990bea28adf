"""The findings: each kind, and the same app without the mistake."""

import time
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import pytest
from flask import Flask
from flask.views import MethodView
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import create_engine
from werkzeug.routing import Rule

from flask_unauthorized import APIKey, Auth, Basic, Bearer, SessionCookie, any_of
from flask_unauthorized.audit.findings import RULES, find_mistakes, is_near
from flask_unauthorized.audit.read_app import read_app
from flask_unauthorized.loaders import Passwords
from flask_unauthorized.loaders.stored import StoredTokens
from flask_unauthorized.runtime.app_state import app_state_of
from flask_unauthorized.stores.memory import MemoryStore
from flask_unauthorized.throttle import Throttle


@dataclass
class Site:
    app: Flask
    auth: Auth

    def add(self, rule, view=None, **options):
        view = view or (lambda: "in")
        self.app.add_url_rule(rule, rule.strip("/") or "index", view, **options)

    def guard(self, rule, methods=("GET",), **demands):
        self.add(rule, self.auth.login_required(**demands)(lambda: "in"), methods=list(methods))

    def found(self, **options):
        audited, _ = read_app(app_state_of(self.app))
        return [(one.id, one.level, one.subject) for one in find_mistakes(audited, **options)]


@pytest.fixture
def site():
    def make(*schemes, **config):
        app = Flask("shop", static_folder=None)
        app.config.update(SECRET_KEY="a secret of thirty-two characters", **config)
        return Site(app, Auth(*(schemes or (Bearer({}.get),)), app=app))

    return make


def refuse(*_):
    raise AssertionError("a loader was called")


def test_an_open_route_is_A1_and_public_and_guarded_ones_are_nothing(site):
    shop = site()
    shop.add("/open")
    shop.add("/public", shop.auth.public(lambda: "in"))
    shop.guard("/guarded")
    assert shop.found() == [("A1", "error", "GET /open")]


def test_a_wrapper_that_hides_the_guard_is_A2(site):
    shop = site()
    guarded = shop.auth.login_required(lambda: "in")
    shop.add("/hidden", lambda: guarded())
    assert shop.found() == [("A2", "error", "GET /hidden")]


def test_a_method_without_guard_is_A3_and_not_A1(site):
    shop = site()

    class Notes(MethodView):
        @shop.auth.login_required
        def get(self):
            return "in"

        def post(self):
            return "in"

    shop.add("/notes", Notes.as_view("notes"))
    assert shop.found() == [("A3", "error", "POST /notes")]


def test_public_beside_guarded_is_an_error_never(site):
    shop = site()
    shop.guard("/a", methods=["POST"])
    shop.app.add_url_rule("/a", "read a", shop.auth.public(reason="a catalog")(lambda: "in"))
    shop.guard("/b", methods=["POST"])
    shop.app.add_url_rule("/b", "read b", shop.auth.public(lambda: "in"))
    shop.guard("/c")
    shop.app.add_url_rule("/c", "write c", shop.auth.public(reason="a form")(lambda: "in"), methods=["POST"])
    assert shop.found() == [("A3", "warning", "GET /b"), ("A3", "warning", "POST /c"), ("A3", "note", "GET /a")]


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_a_reason_does_not_excuse_a_public_method_that_changes_data(site, method):
    shop = site()
    shop.guard("/a")
    shop.app.add_url_rule("/a", "write", shop.auth.public(reason="a form")(lambda: "in"), methods=[method])
    assert shop.found() == [("A3", "warning", f"{method} /a")]


def test_a_redirect_beside_guarded_methods_is_nothing(site):
    shop = site()
    shop.guard("/a", methods=["POST"])
    shop.app.url_map.add(Rule("/a", endpoint="old", redirect_to="/b", methods=["GET"]))
    assert shop.found() == []


def test_the_same_rule_on_another_host_is_another_rule(site):
    app = Flask("shop", static_folder=None, host_matching=True)
    shop = Site(app, Auth(Bearer({}.get), app=app))
    shop.app.add_url_rule("/a", "guarded", shop.auth.login_required(lambda: "in"), host="api.example")
    shop.app.add_url_rule("/a", "open", lambda: "in", host="www.example")
    assert shop.found() == [("A1", "error", "GET www.example/a")]


def test_reasons_are_asked_for_on_demand(site):
    shop = site()
    shop.add("/a", shop.auth.public(lambda: "in"))
    shop.add("/b", shop.auth.public(reason="a form")(lambda: "in"))
    assert shop.found() == []
    assert shop.found(reasons=True) == [("A4", "note", "GET /a")]


def test_a_cookie_for_all_sites_that_is_alone(site):
    def shop(same_site, *more, secure=True):
        cookie = SessionCookie(refuse, store=None)
        made = site(cookie, *more, SESSION_COOKIE_SAMESITE=same_site, SESSION_COOKIE_SECURE=secure)
        made.guard("/a")
        return made

    assert shop("None").found() == [("A5", "warning", "Cookie")]
    assert shop("Lax").found() == shop(None).found() == []
    assert shop("None", Bearer(refuse)).found() == []


class EachRequestIsALogin(Basic):
    """A scheme of an app that says itself when and how the caller logged in."""

    knows_login = True

    def login_of(self, credentials):
        return time.time(), "pwd"


@pytest.mark.parametrize("demand", [{"max_age": 300}, {"acr": "phr"}, {"amr": {"otp"}}])
def test_a_login_that_no_scheme_knows(site, demand):
    throttle = Throttle(MemoryStore(single_process=True))
    stored = Bearer(StoredTokens(create_engine("sqlite://"), prefix="notes"))
    passwords = Basic(Passwords(refuse), throttle=throttle)
    loads_users = Basic(Passwords(refuse, load=refuse), throttle=throttle, realm="other")
    people = SessionCookie(refuse, store=None)
    itself = EachRequestIsALogin(Passwords(refuse), throttle=throttle)
    for schemes, expected in (
        ((stored,), True), ((passwords,), True), ((stored, passwords), True), ((loads_users,), False),
        ((stored, people), False), ((Bearer(refuse),), False), ((itself,), False),
    ):  # fmt: skip
        shop = site(*schemes, PREFERRED_URL_SCHEME="https")
        shop.guard("/pay", **demand)
        shop.guard("/list")
        assert shop.found() == ([("A6", "warning", "GET /pay")] if expected else []), schemes


def test_passwords_without_a_throttle_and_over_plain_http(site):
    shop = site(Basic(refuse))
    shop.guard("/a")
    assert shop.found() == [("A7", "warning", "Basic"), ("A8", "note", "Basic")]
    for config in ({"UNAUTHORIZED_REQUIRE_HTTPS": True}, {"PREFERRED_URL_SCHEME": "https"}):
        shop = site(Basic(refuse, throttle=Throttle(MemoryStore(single_process=True))), **config)
        shop.guard("/a")
        assert shop.found() == []


def test_a_scheme_that_is_in_force_nowhere_is_no_finding(site):
    shop = site(Basic(refuse), Bearer(refuse))
    shop.guard("/a", via=shop.auth.schemes[1])
    assert shop.found() == []


def test_a_secret_in_the_query(site):
    for scheme in (Bearer(refuse, query=True), APIKey(refuse, query="key")):
        shop = site(scheme)
        shop.guard("/a")
        assert shop.found() == [("A10", "warning", scheme.name)]


def test_a_scope_that_is_nearly_another_one(site):
    shop = site()
    for number in range(2):
        shop.guard(f"/a{number}", scopes={"notes:read"})
    shop.guard("/slip", scopes=any_of("note:read", "admin"))
    shop.guard("/other", scopes={"notes:write"})
    assert shop.found() == [("A11", "note", "GET /slip")]


@pytest.mark.parametrize(
    ("first", "second", "near"),
    [
        ("note:read", "notes:read", True),
        ("notes:read", "ntoes:read", True),
        ("notes:read", "notes:reed", True),
        ("notes_read", "notes:read", True),
        ("Notes:read", "notes:read", True),
        ("notes:read", "notes:write", False),
        ("api:v1", "api:v2", False),
        ("team:a", "team:b", False),
        ("read:notes", "read:votes", True),
        ("notes", "notes:read", False),
        ("user:read", "usrse:read", False),
    ],
)
def test_near_scopes(first, second, near):
    assert is_near(first, second) is is_near(second, first) is near


@given(st.sets(st.text("abB1:._", min_size=1, max_size=6), max_size=12))
def test_no_pair_of_near_scopes_is_left_out(scopes):
    bearer = Bearer(refuse)
    app = Flask("shop", static_folder=None)
    auth = Auth(bearer, app=app)
    for number, scope in enumerate(sorted(scopes)):
        app.add_url_rule(f"/{number}", f"{number}", auth.login_required(scopes={scope})(lambda: "in"))
    audited, _ = read_app(app_state_of(app))
    messages = [one.message for one in find_mistakes(audited) if one.id == "A11"]
    near = [pair for pair in combinations(sorted(scopes), 2) if is_near(*pair)]
    assert len(messages) == len(near)
    for rare, other in near:
        assert any(f"{rare!r} is demanded here only: did you mean {other!r}?" in message for message in messages)


def test_pages_of_tools_that_are_open(site):
    shop = site()
    shop.add("/metrics", shop.auth.public(lambda: "in"))
    shop.add("/api/openapi.json", shop.auth.public(reason="for our clients")(lambda: "in"))
    shop.guard("/admin")
    shop.add("/metrics-of-dogs", shop.auth.public(lambda: "in"))
    assert shop.found() == [("A12", "warning", "GET /metrics")]


def test_an_open_page_of_a_tool_is_one_finding_that_fails_the_audit(site):
    shop = site()
    shop.add("/metrics", lambda: "in")
    assert shop.found() == [("A12", "error", "GET /metrics")]


@pytest.mark.parametrize("rule", ["/metrics", "/notes"])
def test_the_endpoint_that_a_finding_names_makes_the_route_public(site, rule):
    """The reader copies ``protect(public={…})`` out of the message."""
    shop = site()
    shop.app.add_url_rule(rule, "page.index'", lambda: "in")
    (finding,) = find_mistakes(read_app(app_state_of(shop.app))[0])
    copied = finding.message[finding.message.index("protect(public=") :]
    shop.auth.protect(shop.app, public=eval(copied.removeprefix("protect(public=").removesuffix(")")))
    assert shop.app.test_client().get(rule).status_code == 200
    assert shop.found(reasons=True) == []


def test_each_kind_but_A9_is_found_by_a_test_here():
    with open(__file__, encoding="utf-8") as file:
        source = file.read()
    of_documents = Path(__file__).with_name("test_documented.py").read_text(encoding="utf-8")
    found = {rule for rule in RULES if f'("{rule}", ' in source or f'"{rule}", "' in of_documents}
    assert [rule for rule in RULES if rule not in found] == ["A9"]

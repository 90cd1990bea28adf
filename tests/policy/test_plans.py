"""Plans are made once for each view, and forgotten when they are no longer needed."""

import gc

import pytest
from flask import request
from flask.views import MethodView

from flask_unauthorized import APIKey, Auth, Bearer, Forbidden
from flask_unauthorized.policy.plan import Plan
from flask_unauthorized.policy.plans import PLANS_OF_RULE
from tests.helpers import challenges_of

ADA = {"Authorization": "Bearer good"}


def test_ever_new_demands_do_not_grow_memory(auth, make_app):
    app = make_app(auth)
    with app.test_request_context("/", headers=ADA):
        for number in range(50):
            with pytest.raises(Forbidden):
                auth.require(scopes={f"s{number}"})
    app.extensions["unauthorized"].plans.forget()
    gc.collect()
    assert len(auth._configuration._interned) < 50


def test_the_plans_of_ever_new_demands_are_bounded(auth, make_app, monkeypatch):
    monkeypatch.setattr("flask_unauthorized.policy.plans.MAX_PLANS", 10)
    app = make_app(auth)
    with app.test_request_context("/", headers=ADA):
        for number in range(50):
            with pytest.raises(Forbidden):
                auth.require(scopes={f"s{number}"})
    gc.collect()
    plans = [one for one in gc.get_objects() if type(one) is Plan and one.requirement.scopes]
    assert 0 < len([one for one in plans if one.requirement in auth._configuration._interned]) <= 10


def test_the_plans_of_views_are_kept_however_many_views_there_are(auth, make_app, monkeypatch):
    monkeypatch.setattr("flask_unauthorized.policy.plans.MAX_PLANS", 10)
    app = make_app(auth)
    for number in range(50):
        app.add_url_rule(f"/{number}", f"view-{number}", auth.login_required(lambda: "in"))
        app.add_url_rule(f"/all/{number}", f"all-{number}", auth.login_optional(auth.login_required(lambda: "in")))
    client = app.test_client()

    def plans_of_rules():
        for path in (path for number in range(50) for path in (f"/{number}", f"/all/{number}")):
            assert client.get(path, headers=ADA).status_code == 200
        return {
            rule.rule: dict(getattr(rule, PLANS_OF_RULE))
            for rule in app.url_map.iter_rules()
            if hasattr(rule, PLANS_OF_RULE)
        }

    first = plans_of_rules()
    assert len(first) == 100
    assert all(first.values())
    assert plans_of_rules() == first


@pytest.mark.parametrize("first", ["GET", "DELETE"])
def test_the_methods_of_a_class_have_plans_of_their_own(make_app, first):
    bearer = Bearer({}.get)
    auth = Auth(bearer, APIKey({}.get))

    class Page(MethodView):
        decorators = [auth.login_required]

        def get(self):
            return "page"

        @auth.login_required(via=bearer)
        def delete(self):
            return "deleted"

    app = make_app(auth)
    app.add_url_rule("/", view_func=Page.as_view("page"))
    client = app.test_client()
    client.open("/", method=first)
    assert [name for name, _ in challenges_of(client.get("/"))] == ["bearer", "apikey"]
    assert [name for name, _ in challenges_of(client.delete("/"))] == ["bearer"]


def notes_view(auth):
    """A class view whose PUT demands a caller, and whose POST takes anonymous ones."""

    class Notes(MethodView):
        @auth.login_required
        def put(self):
            return "fine"

        @auth.login_optional
        def post(self):
            return "fine"

    return Notes.as_view("notes")


@pytest.mark.parametrize("order", [("PUT", "POST"), ("POST", "PUT", "POST")])
def test_a_guarded_hook_and_an_equal_guard_of_one_method_share_no_plan(auth, make_app, order):
    """Whether POST is refused must not depend on an earlier PUT, for which the hook runs as well."""
    app = make_app(auth)
    app.before_request(auth.login_optional(lambda: None))
    app.add_url_rule("/", view_func=notes_view(auth))
    client = app.test_client()
    expected = {"PUT": 401, "POST": 200}
    assert [client.open("/", method=method).status_code for method in order] == [expected[method] for method in order]


@pytest.mark.parametrize("order", [("PUT",), ("POST", "PUT"), ("POST", "PUT", "POST", "PUT")])
def test_a_guarded_hook_refuses_before_later_hooks_whatever_came_before(auth, make_app, order):
    app, seen = make_app(auth), []
    app.before_request(auth.login_optional(lambda: None))
    app.before_request(lambda: seen.append(request.method))
    app.add_url_rule("/", view_func=notes_view(auth))
    for method in order:
        app.test_client().open("/", method=method)
    assert seen == [method for method in order if method == "POST"]


def test_a_guarded_helper_of_one_method_and_an_equal_guard_of_another_share_no_plan(auth, make_app):
    helper = auth.login_optional(lambda: "fine")

    class Notes(MethodView):
        @auth.login_required
        def get(self):
            return helper()

        @auth.login_optional
        def post(self):
            return "fine"

    app = make_app(auth)
    app.add_url_rule("/", view_func=Notes.as_view("notes"))
    client = app.test_client()
    assert client.get("/", headers={"Authorization": "Bearer good"}).status_code == 200
    assert client.post("/").status_code == 200

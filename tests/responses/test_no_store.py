"""``no_store=True``: no cache stores the responses of a view (OWASP ASVS 14.3.2)."""

import functools
from io import BytesIO

import pytest
from flask import Response, make_response, send_file, stream_with_context

from flask_unauthorized import Auth, Bearer, ConfigurationError, Identity
from tests.helpers import bearer_header

ADA = bearer_header("ada")


@pytest.fixture
def serve(make_app):
    def make(view, *, outer=None, hook=None, guard="login_required", **config):
        auth = Auth(Bearer({"ada": Identity("ada")}.get))
        app = make_app(auth, **config)
        if outer is not None:
            auth.protect(app, **outer)
        if hook is not None:
            app.after_request(hook)
        demands = {} if outer is not None else {"no_store": True}
        app.add_url_rule("/", "view", getattr(auth, guard)(**demands)(lambda: view(auth)))
        return app.test_client()

    return make


def public(auth):
    response = make_response("secret")
    response.headers["Cache-Control"] = "public, max-age=60"
    return response


def shared(auth):
    auth.allow_shared_cache()
    return public(auth)


def streamed(auth):
    return Response(stream_with_context(iter(["a", "b"])))


def conditional(auth):
    response = make_response("secret")
    response.set_etag("x")
    return response.make_conditional({"HTTP_IF_NONE_MATCH": '"x"', "REQUEST_METHOD": "GET"})


VIEWS = {
    "plain": lambda auth: "secret",
    "public": public,
    "shared": shared,
    "streamed": streamed,
    "file": lambda auth: send_file(BytesIO(b"secret"), mimetype="text/plain", max_age=3600, etag="x"),
    "not-modified": conditional,
    "redirect": lambda auth: ("", 302, {"Location": "/elsewhere"}),
    "missing": lambda auth: ("no such thing", 404),
}


@pytest.mark.asvs("V14.3.2")
@pytest.mark.parametrize("view", VIEWS.values(), ids=VIEWS)
def test_no_cache_stores_the_response_whatever_the_view_says(serve, view):
    response = serve(view).get("/", headers=ADA)
    assert response.headers.getlist("Cache-Control") == ["no-store"]
    response.close()


def test_a_hook_cannot_admit_caches(serve):
    def hook(response):
        response.headers["Cache-Control"] = "public"
        return response

    assert serve(VIEWS["plain"], hook=hook).get("/", headers=ADA).headers["Cache-Control"] == "no-store"


def test_a_file_that_did_not_change_is_no_store_too(serve):
    client = serve(VIEWS["file"])
    again = client.get("/", headers={**ADA, "If-None-Match": '"x"'})
    assert (again.status_code, again.headers["Cache-Control"]) == (304, "no-store")


def test_one_level_that_says_so_is_enough(serve):
    assert serve(public, outer={"no_store": True}).get("/", headers=ADA).headers["Cache-Control"] == "no-store"
    assert "no-store" not in serve(public, outer={}).get("/", headers=ADA).headers["Cache-Control"]


@pytest.mark.parametrize("status", [302, 404])
def test_it_covers_what_a_decorator_above_the_guard_responds(make_app, status):
    auth = Auth(Bearer({"ada": Identity("ada")}.get))
    app = make_app(auth)
    auth.protect(app, no_store=True)
    guarded = auth.login_required(lambda: "in")

    @functools.wraps(guarded)
    def above():
        return "for ada", status, {"Location": "/elsewhere"}

    app.add_url_rule("/", "view", above)
    response = app.test_client().get("/", headers=ADA)
    assert (response.status_code, response.headers.getlist("Cache-Control")) == (status, ["no-store"])


def test_anonymous_callers_of_an_optional_view_get_it_as_well(serve):
    assert serve(public, guard="login_optional").get("/").headers["Cache-Control"] == "no-store"


def test_a_view_may_ask_for_it_by_require(make_app):
    auth = Auth(Bearer({"ada": Identity("ada")}.get))
    app = make_app(auth)
    app.add_url_rule("/", "view", auth.login_required(lambda: auth.require(no_store=True).subject))
    assert app.test_client().get("/", headers=ADA).headers["Cache-Control"] == "no-store"


def test_a_level_that_unless_drops_demands_it_no_more(make_app):
    auth = Auth(Bearer({"ada": Identity("ada")}.get))
    app = make_app(auth)
    app.add_url_rule("/", "view", auth.login_required(no_store=True, unless=lambda: True)(lambda: "open"))
    assert "no-store" not in app.test_client().get("/").headers.get("Cache-Control", "")


def test_without_the_guard_over_responses_it_is_a_mistake_of_the_set_up(make_app):
    auth = Auth(Bearer({"ada": Identity("ada")}.get))
    app = make_app(auth, UNAUTHORIZED_GUARD="off")
    app.add_url_rule("/", "view", auth.login_required(no_store=True)(lambda: "in"))
    with pytest.raises(ConfigurationError, match="no_store=True needs the guard"):
        auth.check(app)


@pytest.mark.parametrize("value", [1, "yes", None])
def test_it_is_a_bool(auth, value):
    with pytest.raises(TypeError, match="no_store"):
        auth.login_required(no_store=value)

"""Which views have a guard, and where it stands among other decorators."""

import functools

import pytest
from flask.views import MethodView

from flask_unauthorized import ConfigurationError


def cached(view):
    """Mark a view as ``@cache.cached()`` of Flask-Caching does."""

    @functools.wraps(view)
    def from_cache(*args, **kwargs):
        return view(*args, **kwargs)

    from_cache.uncached = view
    return from_cache


def logged(view):
    return functools.wraps(view)(lambda *args, **kwargs: view(*args, **kwargs))


def page():
    return "page"


@pytest.mark.parametrize("order", ["cache", "cache and another", "another and cache"])
def test_a_cache_above_the_guard_is_refused(make_app, auth, order):
    view = auth.login_required(page)
    view = {"cache": cached, "cache and another": lambda one: cached(logged(one))}.get(
        order, lambda one: logged(cached(one))
    )(view)
    app = make_app(auth)
    app.add_url_rule("/", "page", view)
    with pytest.raises(ConfigurationError, match=r"^endpoint 'page' has a cache above its guard"):
        auth.check(app)


@pytest.mark.parametrize("place", ["decorators", "method"])
def test_a_cache_above_the_guard_of_a_method_is_refused(make_app, auth, place):
    class Page(MethodView):
        decorators = [cached] if place == "decorators" else []

        def get(self):
            return "page"

    Page.get = auth.login_required(Page.get)
    if place == "method":
        Page.get = cached(Page.get)
    app = make_app(auth)
    app.add_url_rule("/", view_func=Page.as_view("page"))
    with pytest.raises(ConfigurationError, match=r"^endpoint 'page' has a cache above its guard"):
        auth.check(app)


@pytest.mark.parametrize("value", [None, 5, "get", {"get": None}])
def test_an_attribute_with_the_name_of_flask_restfuls_is_no_list_of_decorators(make_app, auth, value):
    class Page(MethodView):
        method_decorators = value
        get = auth.login_required(lambda self: "page")

    app = make_app(auth)
    app.add_url_rule("/", view_func=Page.as_view("page"))
    assert app.test_client().get("/").status_code == 401
    assert app.test_client().get("/", headers={"Authorization": "Bearer good"}).text == "page"


@pytest.mark.parametrize("decorate", [lambda auth: auth.login_required(cached(page)), lambda auth: cached(page)])
def test_a_cache_below_the_guard_or_without_one_is_fine(make_app, auth, decorate):
    app = make_app(auth)
    app.add_url_rule("/", "page", decorate(auth))
    app.add_url_rule("/guarded", "guarded", auth.login_required(page))
    auth.check(app)
    assert app.test_client().get("/", headers={"Authorization": "Bearer good"}).text == "page"

"""What `protect` guards, and what `public` opens."""

import dataclasses
from functools import partial

import pytest
from flask import Blueprint, Flask, request

from flask_unauthorized import Auth, Bearer, ConfigurationError, abort_unauthorized
from tests.helpers import AS_ADA, AS_BOSS, app_with_schemes, make_auth_of_two, name_of_caller


def test_protect_knows_its_own_keyword(make_app):
    app = app_with_schemes(make_app, Bearer(lambda token: None))
    with pytest.raises(TypeError, match="did you mean public"):
        app.auth.protect(app, pubic={"a"})


ADA = {"Authorization": "Bearer good"}


def test_public_opens_one_partial_not_all_of_its_function(auth, make_app):
    app = make_app(auth)
    auth.protect(app, public={"static"})

    def serve(kind):
        return kind

    app.add_url_rule("/open", "open", auth.public(partial(serve, "open")))
    app.add_url_rule("/secret", "secret", partial(serve, "secret"))
    assert app.test_client().get("/open").text == "open"
    assert app.test_client().get("/secret").status_code == 401


def test_public_refuses_a_bound_method(auth):
    class Pages:
        def show(self):
            return "x"

    with pytest.raises(TypeError, match="protect\\(public="):
        auth.public(Pages().show)


def test_protect_without_init_app_lets_nobody_in(auth):
    app = Flask("unserved")
    app.testing = True
    auth.protect(app)
    app.add_url_rule("/", "index", lambda: "secret")
    with pytest.raises(ConfigurationError, match="init_app"):
        app.test_client().get("/", headers=ADA)


def test_a_blueprint_protected_by_another_auth_lets_nobody_in(auth, make_app):
    other = Auth(Bearer(lambda token: "eve"))
    app = make_app(other)
    blueprint = Blueprint("b", __name__)
    blueprint.add_url_rule("/", "index", lambda: "secret")
    auth.protect(blueprint)
    app.register_blueprint(blueprint)
    with pytest.raises(ConfigurationError, match="another Auth"):
        app.test_client().get("/", headers=ADA)


def test_a_blueprint_may_be_protected_after_it_was_registered(auth, make_app):
    app = make_app(auth)
    blueprint = Blueprint("b", __name__)
    blueprint.add_url_rule("/", "index", lambda: "secret")
    app.register_blueprint(blueprint)
    auth.protect(blueprint)
    assert app.test_client().get("/").status_code == 401
    assert app.test_client().get("/", headers=ADA).text == "secret"


def test_a_blueprint_registered_on_an_unserved_app_is_refused(auth):
    blueprint = Blueprint("b", __name__)
    Flask("unserved").register_blueprint(blueprint)
    with pytest.raises(ConfigurationError, match="init_app"):
        auth.protect(blueprint)


def test_what_comes_after_a_judgement_outside_a_request_is_checked_and_guarded(auth, make_app):
    app = make_app(auth)
    with app.test_request_context("/"), pytest.raises(Exception, match=r"401"):
        auth.require()
    blueprint = Blueprint("b", __name__)
    auth.protect(blueprint)
    blueprint.add_url_rule("/b", "view", lambda: "secret")
    app.register_blueprint(blueprint)
    client = app.test_client()
    assert [client.get("/b").status_code for _ in range(3)] == [401, 401, 401]


def test_check_beside_the_first_request_keeps_the_protection(auth, make_app):
    app = make_app(auth)
    auth.protect(app)
    app.add_url_rule("/", "index", lambda: "secret")
    auth.check(app)
    client = app.test_client()
    assert [client.get("/").status_code for _ in range(2)] == [401, 401]
    auth.check(app)
    assert client.get("/").status_code == 401


def test_public_does_not_open_the_guarded_twin_of_a_function(auth):
    def view():
        return "secret"

    auth.login_required(view)
    with pytest.raises(ConfigurationError, match="guarded and public"):
        auth.public(view)


def test_protect_public_refuses_a_view_with_a_guard(auth, make_app):
    app = make_app(auth)
    auth.protect(app, scopes={"admin"}, public={"v", "static"})
    app.add_url_rule("/v", "v", auth.login_required(lambda: "x"))
    with pytest.raises(ConfigurationError, match="guard of its own"):
        auth.check(app)


def test_public_opens_one_of_two_equal_callables(auth, make_app):
    @dataclasses.dataclass(frozen=True, eq=True)
    class Page:
        name: str = dataclasses.field(compare=False)

        def __call__(self):
            return self.name

    app = make_app(auth)
    auth.protect(app, public={"static"})
    opened, secret = Page("open"), Page("secret")
    app.add_url_rule("/open", "open", auth.public(opened))
    app.add_url_rule("/secret", "secret", secret)
    assert app.test_client().get("/open").text == "open"
    assert app.test_client().get("/secret").status_code == 401


@pytest.fixture
def auth_of_two() -> Auth:
    return make_auth_of_two()


@pytest.mark.asvs("V6.3.4", "V8.2.1", "V13.4.5")
def test_dec_12_protect_guards_all_but_what_is_public(auth_of_two, make_app):
    app = make_app(auth_of_two)
    auth_of_two.protect(app, public={"health", "static"})
    auth_of_two.protect(app, public={"static", "health"})
    app.add_url_rule("/", "index", name_of_caller)
    app.add_url_rule("/health", "health", lambda: "up")
    app.add_url_rule("/open", "open", auth_of_two.public(lambda: "open"))
    app.add_url_rule("/optional", "optional", auth_of_two.login_optional(name_of_caller))
    client = app.test_client()
    assert client.get("/").status_code == 401
    assert client.get("/", headers=AS_ADA).text == "ada"
    assert [client.get(path).status_code for path in ("/health", "/open", "/optional", "/none")] == [200, 200, 200, 404]
    assert client.post("/").status_code == 405
    assert client.get("/optional", headers={"Authorization": "Bearer bad"}).status_code == 401
    assert client.get("/static/x").status_code == 404


def test_dec_25_static_files_are_guarded_unless_named(auth_of_two, make_app):
    app = make_app(auth_of_two)
    auth_of_two.protect(app)
    assert app.test_client().get("/static/x").status_code == 401


def test_protect_twice_with_something_else_is_an_error(auth_of_two, make_app):
    app = make_app(auth_of_two)
    auth_of_two.protect(app)
    with pytest.raises(ConfigurationError, match="already"):
        auth_of_two.protect(app, roles={"boss"})


def test_protect_after_the_first_request_is_an_error(auth_of_two, make_app):
    app = make_app(auth_of_two)
    app.test_client().get("/")
    with pytest.raises(ConfigurationError, match="before"):
        auth_of_two.protect(app)


def test_an_unknown_public_name_is_an_error(auth_of_two, make_app):
    app = make_app(auth_of_two)
    auth_of_two.protect(app, public={"helth"})
    with pytest.raises(ConfigurationError, match="helth"):
        auth_of_two.check(app)


@pytest.mark.rfc("H-35")
def test_dec_09_levels_add_up_and_the_nearest_via_wins(auth_of_two, make_app):
    bearer, key = auth_of_two.schemes
    app = make_app(auth_of_two)
    outer, inner, twin = Blueprint("api", __name__), Blueprint("inner", __name__), Blueprint("api2", __name__)
    auth_of_two.protect(app, via=key, public={"static"})
    auth_of_two.protect(outer, via=bearer, scopes={"read"})
    auth_of_two.protect(inner, roles={"user"})
    inner.add_url_rule("/plain", "plain", name_of_caller)
    inner.add_url_rule("/write", "write", auth_of_two.login_required(scopes={"write"})(name_of_caller))
    inner.add_url_rule("/key", "key", auth_of_two.login_required(via=key)(name_of_caller))
    twin.add_url_rule("/", "index", name_of_caller)
    outer.register_blueprint(inner, url_prefix="/in")
    app.register_blueprint(outer, url_prefix="/api")
    app.register_blueprint(outer, url_prefix="/again", name="again")
    app.register_blueprint(twin, url_prefix="/api2")
    client = app.test_client()
    for prefix in ("/api", "/again"):
        refused = client.get(f"{prefix}/in/plain")
        assert [line.split()[0] for line in refused.headers.getlist("WWW-Authenticate")] == ["Bearer"]
        assert client.get(f"{prefix}/in/plain", headers=AS_ADA).text == "ada"
        assert client.get(f"{prefix}/in/write", headers=AS_ADA).status_code == 403
        assert 'scope="read write"' in client.get(f"{prefix}/in/write", headers=AS_ADA).headers["WWW-Authenticate"]
        assert client.get(f"{prefix}/in/write", headers=AS_BOSS).text == "boss"
        assert client.get(f"{prefix}/in/key", headers={"X-API-Key": "good"}).status_code == 403
    assert client.get("/api2/", headers=AS_ADA).status_code == 401
    assert client.get("/api2/", headers={"X-API-Key": "good"}).text == "device"


def test_public_names_of_a_blueprint_are_relative_to_it(auth_of_two, make_app):
    blueprint = Blueprint("b", __name__)
    blueprint.add_url_rule("/open", "open", lambda: "open")
    blueprint.add_url_rule("/closed", "closed", lambda: "closed")
    auth_of_two.protect(blueprint, public={"open"})
    app = make_app(auth_of_two)
    app.register_blueprint(blueprint)
    client = app.test_client()
    assert [client.get(path).status_code for path in ("/open", "/closed")] == [200, 401]


@pytest.mark.parametrize("target", ["app", "blueprint"])
@pytest.mark.parametrize("own", [True, False], ids=["own HEAD", "automatic HEAD"])
def test_protect_judges_head_as_get(make_app, target, own):  # T-03: HEAD tells a body's length and type
    auth_of_two = Auth(Bearer(lambda token: "ada" if token == "good" else None))
    app = make_app(auth_of_two)
    part = Blueprint("part", __name__)
    ran = []

    def view():
        ran.append(request.method)
        return "secret"

    part.add_url_rule("/", "view", view, methods=["GET", "HEAD"] if own else ["GET"])
    auth_of_two.protect(app if target == "app" else part)
    app.register_blueprint(part)
    client = app.test_client()
    for headers in ({}, {"Authorization": "Bearer bad"}):
        refused = client.head("/", headers=headers)
        assert (refused.status_code, ran) == (401, [])
        assert refused.headers["WWW-Authenticate"].startswith("Bearer realm=")
        assert "ETag" not in refused.headers
    assert client.head("/", headers={"Authorization": "Bearer good"}).status_code == 200
    assert ran == ["HEAD"]


@pytest.mark.parametrize("where", ["login_required", "login_optional", "public", "require", "protect", "abort"])
def test_via_names_schemes_of_this_auth_only(make_app, where):  # T-03
    mine, foreign = Bearer(lambda token: "ada"), Bearer(lambda token: "eve")
    auth_of_two = Auth(mine)
    app = make_app(auth_of_two)
    name = {
        "login_required": lambda via: auth_of_two.login_required(via=via)(lambda: "x"),
        "login_optional": lambda via: auth_of_two.login_optional(via=via)(lambda: "x"),
        "public": lambda via: auth_of_two.public(via=via)(lambda: "x"),
        "require": lambda via: auth_of_two.require(via=via),
        "protect": lambda via: auth_of_two.protect(app, via=via),
        "abort": lambda via: abort_unauthorized(via=via),
    }[where]
    with app.test_request_context():
        for via in (foreign, [mine, foreign], {foreign}):
            with pytest.raises(ConfigurationError, match=r"^via names <Bearer Bearer>, which this Auth doesn't have"):
                name(via)


# --- why a view is open


def reasons(app):
    effective = app.extensions["unauthorized"].effective
    effective.refresh()
    return {endpoint: effective.public_reason(endpoint) for endpoint in app.view_functions}


def test_the_reason_of_an_open_view_is_kept_for_those_who_review_the_app(auth, make_app):
    app = make_app(auth)
    pages = Blueprint("pages", __name__)
    auth.protect(app, public={"static": "assets", "pages.about": "marketing"})
    auth.protect(pages, public={"terms": "the law"})
    pages.add_url_rule("/about", "about", lambda: "about")
    pages.add_url_rule("/terms", "terms", lambda: "terms")
    app.register_blueprint(pages)
    app.add_url_rule("/health", "health", auth.public(reason="the load balancer asks")(lambda: "fine"))
    app.add_url_rule("/login", "login", auth.public(via=auth.schemes[0], reason="people log in here")(lambda: ""))
    app.add_url_rule("/plain", "plain", auth.public(lambda: "open"))
    app.add_url_rule("/secret", "secret", lambda: "secret")
    assert reasons(app) == {
        "static": "assets",
        "pages.about": "marketing",
        "pages.terms": "the law",
        "health": "the load balancer asks",
        "login": "people log in here",
        "plain": None,
        "secret": None,
    }
    client = app.test_client()
    assert [client.get(path).status_code for path in ("/about", "/terms", "/health", "/plain", "/secret")] == [
        200, 200, 200, 200, 401,
    ]  # fmt: skip


def test_a_reason_reaches_no_caller(auth, make_app):
    app = make_app(auth, UNAUTHORIZED_EXPLAIN=True)
    app.add_url_rule("/", "view", auth.public(reason="hush")(lambda: abort_unauthorized()))
    answer = app.test_client().get("/", headers={"Accept": "text/html"})
    assert "hush" not in answer.text + str(answer.headers)


@pytest.mark.parametrize("reason", ["", " ", 5, True, b"assets"])
def test_a_reason_is_words(auth, make_app, reason):
    app = make_app(auth)
    with pytest.raises(TypeError, match=r"public\(reason=\) must say in words why the view is open, not"):
        auth.public(reason=reason)
    with pytest.raises(TypeError, match=r"public\['static'\] must say in words why the view is open, not"):
        auth.protect(app, public={"static": reason})


def test_the_same_names_with_other_reasons_are_another_protection(auth, make_app):
    app = make_app(auth)
    auth.protect(app, public={"static": "assets"})
    auth.protect(app, public={"static": "assets"})
    with pytest.raises(ConfigurationError, match="already protected"):
        auth.protect(app, public={"static": "files"})


def test_a_view_and_a_reason_are_two_calls(auth):
    with pytest.raises(TypeError, match="public takes a view alone"):
        auth.public(lambda: "x", reason="why")


# --- levels of blueprints


def test_levels_follow_the_names_by_which_blueprints_are_registered(auth, make_app):
    app = make_app(auth)
    shop, cart, other = (Blueprint(name, __name__) for name in ("shop", "cart", "mall2"))
    for blueprint in (shop, cart, other):
        blueprint.add_url_rule(f"/{blueprint.name}", "page", lambda: "in")
    auth.protect(shop, scopes={"shop"})
    auth.protect(cart, scopes={"cart"})
    shop.register_blueprint(cart, name="basket")
    app.register_blueprint(other)
    app.register_blueprint(shop, name="mall")
    levels = {route.endpoint: route.levels for route in auth.routes(app) if route.rule != "/static/<path:filename>"}
    assert {endpoint: [level.partition(":")[0] for level in found] for endpoint, found in levels.items()} == {
        "mall2.page": [],
        "mall.page": ["auth.protect(mall)"],
        "mall.basket.page": ["auth.protect(mall)", "auth.protect(mall.basket)"],
    }

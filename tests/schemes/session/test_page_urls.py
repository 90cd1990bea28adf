"""A login page that has no URL in a request: the refusal stands, and leads nowhere. F-07"""

import logging

import pytest
from flask import Blueprint, Flask, abort, g, request
from werkzeug.exceptions import ServiceUnavailable
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.test import EnvironBuilder

from flask_unauthorized import Auth, Bearer, Identity, SessionCookie, abort_unauthorized
from flask_unauthorized.errors import MissingCredentials, StepUpRequired
from flask_unauthorized.testing import assert_unauthorized
from tests.browser.conftest import KEY, PAGE, USERS
from tests.helpers import raise_error

NAVIGATE = {"Accept": "text/html", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Site": "none", "Sec-Fetch-Dest": "document"}
HTML = {"Accept": "text/html"}
BAD = {"Authorization": "Bearer bad"}
SECRET = "canary-of-the-app"


def of_flask(site, auth):
    """Internationalized blueprint URLs, as Flask's docs show them."""

    @site.url_defaults
    def add_language(endpoint, values):
        values.setdefault("lang", g.lang)

    @site.url_value_preprocessor
    def pull_language(endpoint, values):
        g.lang = values.pop("lang")


def of_flask_in_the_app(site, auth):
    """The same for the whole app, where pages without a language have none."""

    def add_language(state):
        @state.app.url_defaults
        def add(endpoint, values):
            if "lang" in values or not g.get("lang"):
                return
            if state.app.url_map.is_endpoint_expecting(endpoint, "lang"):
                values["lang"] = g.lang

        @state.app.url_value_preprocessor
        def pull(endpoint, values):
            g.lang = None if values is None else values.pop("lang", None)

    site.record_once(add_language)


def nothing_given(site, auth):
    site.url_defaults(lambda endpoint, values: None)
    site.url_value_preprocessor(lambda endpoint, values: values.pop("lang"))


def a_value_of_the_wrong_type(site, auth):
    site.url_defaults(lambda endpoint, values: values.update(lang=object))
    site.url_value_preprocessor(lambda endpoint, values: values.pop("lang"))


def raising(error):
    def give(site, auth):
        def fail(endpoint, values):
            raise error

        site.url_defaults(fail)
        site.url_value_preprocessor(lambda endpoint, values: values.pop("lang"))

    return give


def by_the_caller(site, auth):
    """A tenant in the URL: who isn't logged in has none, and asking makes one more refusal."""
    site.url_defaults(lambda endpoint, values: values.setdefault("lang", auth.identity.subject))
    site.url_value_preprocessor(lambda endpoint, values: values.pop("lang"))


def aborting(site, auth):
    site.url_defaults(lambda endpoint, values: abort(404))
    site.url_value_preprocessor(lambda endpoint, values: values.pop("lang"))


WAYS = {
    "flask": of_flask,
    "flask-app": of_flask_in_the_app,
    "nothing": nothing_given,
    "raises": raising(RuntimeError(SECRET)),
    "raises-key": raising(KeyError(SECRET)),
    "recursion": raising(RecursionError(SECRET)),
    "http-error": raising(ServiceUnavailable(SECRET)),
    "our-error": raising(MissingCredentials(SECRET)),
    "abort": aborting,
    "caller": by_the_caller,
}


@pytest.fixture
def serve(make_app):
    def make(way, *, protect=False, **options):
        auth = Auth(
            SessionCookie(USERS.get, login_view="site.login", logout_view="site.logout"),
            Bearer(lambda token: Identity(token) if token == "good" else None),
            realm="shop",
        )
        app = make_app(auth, SECRET_KEY=KEY, **options)
        site = Blueprint("site", __name__, url_prefix="/<lang>")
        way(site, auth)

        @site.route("/login", methods=["GET", "POST"])
        @auth.public
        def login():
            if request.method == "POST":
                auth.login("ada")
            return auth.next_url("/default")

        site.add_url_rule("/logout", "logout", auth.public(lambda: "out"))
        site.add_url_rule("/page", "page", auth.login_required(lambda: "page"))
        app.register_blueprint(site)
        guarded = (lambda view: view) if protect else auth.login_required
        app.add_url_rule("/me", "me", guarded(lambda: "me"), methods=["GET", "POST"])
        app.add_url_rule("/bare", "bare", lambda: ("", 401))
        app.add_url_rule("/abort", "abort", lambda: abort(401))
        app.add_url_rule("/ours", "ours", lambda: abort_unauthorized())
        app.add_url_rule("/step", "step", lambda: raise_error(StepUpRequired(max_age=5)))
        app.add_url_rule("/fresh", "fresh", auth.login_required(max_age=0)(lambda: "fresh"))
        app.add_url_rule("/in", "in", auth.public(lambda: auth.login("ada").subject), methods=["POST"])
        app.add_url_rule("/next", "next", auth.public(lambda: auth.next_url("/default")))
        if protect:
            auth.protect(app)
        return app

    return make


def errors(caplog, level=logging.ERROR):
    return [record.getMessage() for record in caplog.records if record.levelno == level]


@pytest.mark.parametrize("protect", [False, True])
@pytest.mark.parametrize("path", ["/me", "/bare", "/abort", "/ours", "/step", "/fresh"])
@pytest.mark.parametrize("way", WAYS.values(), ids=list(WAYS))
def test_a_refusal_stays_one(serve, caplog, way, path, protect):
    client = serve(way, protect=protect).test_client()
    for headers in ({}, PAGE, NAVIGATE, HTML, BAD, {**BAD, **HTML}):
        refused = client.get(path, headers=headers)
        assert refused.status_code == 401
        assert refused.location is None
        assert "form-action" not in str(refused.headers.getlist("WWW-Authenticate"))
        assert any(line.startswith("Cookie ") for line in refused.headers.getlist("WWW-Authenticate"))
        assert 'href="/' not in refused.text
    told = [text for text in errors(caplog) if "login_view='site.login'" in text]
    assert len(told) == 1  # once, however often and by whatever part of the refusal the URL was wanted
    assert f"{path[1:]!r}" in told[0]
    assert "@app.url_defaults" in told[0]
    assert errors(caplog) == told
    assert SECRET not in caplog.text


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_one_error_for_each_endpoint(serve, caplog, method):
    client = serve(of_flask).test_client()
    for path in ("/me", "/ours", "/me", "/ours"):
        assert client.open(path, method=method if path == "/me" else "GET", headers=HTML).status_code == 401
    assert [text.partition(" (")[0] for text in errors(caplog)] == [
        "login_view='site.login' has no URL in requests for endpoint 'me'",
        "login_view='site.login' has no URL in requests for endpoint 'ours'",
    ]


def test_what_is_missing_is_named(serve, caplog):
    serve(nothing_given).test_client().get("/me")
    (text,) = errors(caplog)
    assert "Could not build url for endpoint 'site.login'. Did you forget to specify values ['lang']?" in text


@pytest.mark.parametrize("way", [of_flask, of_flask_in_the_app])
def test_where_the_url_can_be_built_everything_is_as_ever(serve, caplog, way):
    client = serve(way).test_client()
    assert client.get("/de/page", headers=PAGE).location == "/de/login?next=/de/page"
    assert 'form-action="/de/login"' in str(client.get("/de/page").headers.getlist("WWW-Authenticate"))
    assert client.get("/de/login?next=/de/logout").text == "/default"
    assert client.get("/de/login?next=/de/page").text == "/de/page"
    assert errors(caplog) == []


@pytest.mark.parametrize("way", WAYS.values(), ids=list(WAYS))
def test_the_way_back_works_without_it(serve, caplog, way):
    client = serve(way).test_client()
    assert client.get("/next?next=/me").text == "/me"
    assert client.get("/next?next=//evil.example").text == "/default"
    assert client.post("/de/login?next=/me").text == "/me"
    assert client.get("/me").text == "me"
    assert SECRET not in caplog.text


@pytest.mark.parametrize("way", WAYS.values(), ids=list(WAYS))
def test_a_step_up_and_a_logged_in_caller(serve, way):
    client = serve(way).test_client()
    assert client.post("/in").text == "ada"
    assert client.get("/me").text == "me"
    refused = client.get("/step", headers=NAVIGATE)
    if way is by_the_caller:  # who is known has a tenant
        assert refused.location == "/ada/login?next=/step"
    else:
        assert_unauthorized(refused, error="insufficient_user_authentication")


# --- auth.check


@pytest.mark.parametrize("way", WAYS.values(), ids=list(WAYS))
def test_check_warns_and_does_not_raise(serve, caplog, way):
    app = serve(way)
    auth = app.extensions["unauthorized"].configuration.decorations.auth_ref()
    auth.check(app)
    told = errors(caplog, logging.WARNING)
    assert len(told) == 2
    assert told[0].startswith("login_view='site.login' has no URL outside of its blueprint (")
    assert told[1].startswith("logout_view='site.logout' has no URL outside of its blueprint (")
    assert "@app.url_defaults" in told[0]
    assert SECRET not in caplog.text
    assert errors(caplog) == []


def _with_language(app, site, auth):
    app.url_defaults(lambda endpoint, values: values.setdefault("lang", g.get("lang", "en")))


def _by_the_request(app, site, auth):
    app.url_defaults(lambda endpoint, values: values.setdefault("lang", request.accept_languages.best or "en"))


def _by_the_apps_preprocessor(app, site, auth):
    @app.url_value_preprocessor
    def pull(endpoint, values):
        g.language = "en" if not values else values.pop("lang", "en")

    app.url_defaults(lambda endpoint, values: values.setdefault("lang", g.language))


@pytest.mark.parametrize("give", [_with_language, _by_the_request, _by_the_apps_preprocessor])
@pytest.mark.parametrize("config", [{}, {"SERVER_NAME": "shop.example"}, {"TRUSTED_HOSTS": ["shop.example"]}])
def test_check_is_quiet_where_there_is_a_default(make_app, caplog, give, config):
    auth = Auth(SessionCookie(USERS.get, login_view="site.login"), realm="shop")
    app = make_app(auth, SECRET_KEY=KEY, **config)
    site = Blueprint("site", __name__, url_prefix="/<lang>")
    if give is not _by_the_apps_preprocessor:
        site.url_value_preprocessor(lambda endpoint, values: values.pop("lang"))
    site.add_url_rule("/login", "login", auth.public(lambda: "form"))
    give(app, site, auth)
    app.register_blueprint(site)
    app.add_url_rule("/me", "me", auth.login_required(lambda: "me"))
    auth.check(app)
    assert errors(caplog, logging.WARNING) == []
    redirected = app.test_client().get("/me", headers=PAGE, base_url="http://shop.example")
    assert redirected.location == "/en/login?next=/me"


def test_check_leaves_nothing_behind_and_ends_nothing(make_app):
    """The first request runs the check as well: its `g` and its teardown functions are its own."""
    seen = []
    auth = Auth(SessionCookie(USERS.get, login_view="site.login"), realm="shop")
    app = make_app(auth, SECRET_KEY=KEY)
    site = Blueprint("site", __name__, url_prefix="/<lang>")
    of_flask_in_the_app(site, auth)
    site.add_url_rule("/login", "login", auth.public(lambda: "form"))
    app.register_blueprint(site)
    app.teardown_request(lambda error: seen.append("request"))
    app.teardown_appcontext(lambda error: seen.append("app"))
    app.before_request(lambda: seen.append(g.lang))
    app.add_url_rule("/<lang>/page", "page", auth.public(lambda: "page"))
    assert app.test_client().get("/de/page").text == "page"
    assert seen == ["de", "request", "app"]


# --- hosts and mounts


def test_a_login_page_of_another_host(caplog):
    auth = Auth(SessionCookie(USERS.get, login_view="login"), realm="shop")
    app = Flask("hosts", host_matching=True, static_host="www.example")
    app.config.update(TESTING=True, SECRET_KEY=KEY)
    auth.init_app(app)
    app.add_url_rule("/login", "login", auth.public(lambda: "form"), host="login.example")
    app.add_url_rule("/me", "me", auth.login_required(lambda: "me"), host="www.example")
    auth.check(app)
    client = app.test_client()
    redirected = client.get("/me", headers=PAGE, base_url="http://www.example")
    assert redirected.location == "http://login.example/login?next=/me"
    assert caplog.records == [record for record in caplog.records if record.levelno < logging.WARNING]


def test_a_host_with_a_variable_that_is_not_filled_in(caplog):
    auth = Auth(SessionCookie(USERS.get, login_view="login"), realm="shop")
    app = Flask("hosts", host_matching=True, static_host="www.example")
    app.config.update(TESTING=True, SECRET_KEY=KEY)
    auth.init_app(app)
    app.url_defaults(lambda endpoint, values: None)
    app.add_url_rule("/login", "login", auth.public(lambda tenant: "form"), host="<tenant>.example")
    app.add_url_rule("/me", "me", auth.login_required(lambda: "me"), host="www.example")
    refused = app.test_client().get("/me", headers=PAGE, base_url="http://www.example")
    assert (refused.status_code, refused.location) == (401, None)
    assert "Did you forget to specify values ['tenant']?" in errors(caplog)[0]


HOSTILE = [
    "//evil.example", "///evil.example", "/\\evil.example", "\\evil.example", "\\\\evil.example", "evil.example",
    "@evil.example", ".evil.example", ":80@evil.example", "https://evil.example",
    "/\t/evil.example", "\t//evil.example", " //evil.example", "/a\r\nX-Injected: 1", "/a b", "/\x00", "/\xc2\xa0",
]  # fmt: skip


def with_mount(mount, path, **options):
    environ = EnvironBuilder("/", base_url="http://localhost", **options).get_environ()
    environ["SCRIPT_NAME"], environ["PATH_INFO"] = mount, path
    return environ


@pytest.mark.parametrize("headers", [{}, PAGE, NAVIGATE, HTML])
@pytest.mark.parametrize("mount", HOSTILE)
def test_a_mount_that_is_no_path_leads_nowhere(build, caplog, mount, headers):  # F-42
    shop = build()
    refused = shop.client.get("/page", headers=headers, environ_overrides={"SCRIPT_NAME": mount})
    assert refused.status_code == 401
    assert refused.location is None
    assert "evil" not in str(refused.headers) + refused.text
    assert "X-Injected" not in refused.headers
    (text,) = errors(caplog)
    assert text.endswith("(SCRIPT_NAME is not a path): check the prefix that your proxy sends")
    assert "evil" not in caplog.text


@pytest.mark.parametrize("mount", [*HOSTILE, "javascript:alert(1)//", "/..", "/../evil", "/.", "/%2e%2e", "/a/../b"])
def test_the_root_of_an_odd_mount(build, mount):  # F-42
    import ada_url

    shop = build()
    with shop.app.request_context(with_mount(mount, "/login")):
        found = shop.auth.next_url()
    base = "http://localhost/login"
    assert found.startswith("/")
    assert ada_url.URL(found, base).origin == "http://localhost"
    assert ".." not in found
    with shop.app.request_context(with_mount(mount, "/login", query_string={"next": f"{mount}/page"})):
        found = shop.auth.next_url("/default")
    assert ada_url.URL(found, base).origin == "http://localhost"


def test_a_prefix_of_a_client_that_the_proxy_passes_on(build, caplog):  # F-42
    shop = build()
    shop.app.wsgi_app = ProxyFix(shop.app.wsgi_app, x_prefix=1)
    refused = shop.client.get("/page", headers={**PAGE, "X-Forwarded-Prefix": "//evil.example"})
    assert (refused.status_code, refused.location) == (401, None)
    assert shop.client.get("/page", headers={**PAGE, "X-Forwarded-Prefix": "/shop"}).location.startswith("/shop/login?")
    assert len(errors(caplog)) == 1


@pytest.mark.parametrize("mount", ["//evil.example", "/\\evil.example", "@evil.example", ".evil.example"])
def test_a_mount_that_is_no_path_with_a_login_page_of_another_host(mount):  # F-42
    auth = Auth(SessionCookie(USERS.get, login_view="login"), realm="shop")
    app = Flask("hosts", host_matching=True, static_host="localhost")
    app.config.update(TESTING=True, SECRET_KEY=KEY)
    auth.init_app(app)
    app.add_url_rule("/login", "login", auth.public(lambda: "form"), host="login.example")
    app.add_url_rule("/me", "me", auth.login_required(lambda: "me"), host="localhost")
    refused = app.test_client().get("/me", headers=PAGE, environ_overrides={"SCRIPT_NAME": mount})
    assert refused.status_code == 401
    assert "evil" not in str(refused.headers) + refused.text


@pytest.mark.parametrize(
    ("mount", "login"), [("", "/login"), ("/", "/login"), ("//", "/login"), ("/a//b", "/a//b/login")]
)
def test_a_mount_that_is_a_path(build, caplog, mount, login):  # F-42
    shop = build()
    redirected = shop.client.get("/page", headers=PAGE, environ_overrides={"SCRIPT_NAME": mount})
    assert redirected.location == f"{login}?next={login.replace('login', 'page')}"
    assert errors(caplog) == []

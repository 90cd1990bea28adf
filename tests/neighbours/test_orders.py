"""What stands before, above and below a guard: the orders that the page recommends, and those that it warns of."""

from functools import wraps

import pytest
from flask import Blueprint, request
from flask.views import MethodView
from werkzeug.exceptions import HTTPException

from flask_unauthorized import (
    Auth,
    AuthUnavailable,
    Basic,
    Bearer,
    ConfigurationError,
    SessionCookie,
    abort_forbidden,
    abort_unauthorized,
)
from flask_unauthorized.testing import assert_unauthorized
from flask_unauthorized.wire import parse_challenges
from tests.conftest import SoundClient

from .harness import CHALLENGE, bearer, load, modules, new_app

MODULES = modules()  # or all of this is skipped
import flask_restful  # noqa: E402
from flask_babel import Babel, get_locale  # noqa: E402
from flask_babel.speaklater import LazyString  # noqa: E402
from flask_caching import Cache  # noqa: E402
from flask_cors import CORS  # noqa: E402
from flask_limiter import Limiter  # noqa: E402
from flask_limiter.util import get_remote_address  # noqa: E402
from flask_login import LoginManager, login_required  # noqa: E402
from flask_talisman import Talisman  # noqa: E402
from flask_wtf.csrf import CSRFProtect  # noqa: E402

SAME_SITE = {"Sec-Fetch-Site": "same-origin"}
EVIL = {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}


def serve(name):
    """The app of a neighbour next to ours, and a client of it that looks at every answer."""
    neighbour = MODULES[name].NEIGHBOURS[0]
    app = new_app(neighbour)
    app.testing = True
    app.test_client_class = SoundClient
    neighbour.together(app)
    return app.test_client()


def bare(*schemes):
    """An app of ours alone, and its `Auth`."""
    app = new_app(MODULES["login"].NEIGHBOURS[0])
    app.testing = True
    auth = Auth(*(schemes or (Bearer(load),)), app=app)
    return app, auth


def statuses(client, path, *callers, **more):
    return [client.get(path, headers=bearer(caller) if caller else {}, **more).status_code for caller in callers]


# --- Flask-Limiter


def test_a_limit_below_the_guard_counts_each_caller_who_came_in():
    client = serve("limiter")
    assert statuses(client, "/write", "ada", None, "ada", "ada") == [200, 401, 200, 429]


def test_a_limit_above_the_guard_counts_refused_requests_too():
    client = serve("limiter")
    assert statuses(client, "/notes", None, "eve", "ada", "ada") == [401, 401, 200, 429]


def test_a_limit_of_the_app_bounds_guesses_and_comes_before_the_guard():
    client = serve("limiter")
    guesses = statuses(client, "/again", *["eve"] * 8)
    assert guesses == [401] * 6 + [429] * 2
    refused = client.get("/notes")
    assert refused.status_code == 429
    assert CHALLENGE not in refused.headers


def _two_limits(auth, limiter):
    def view():
        return "inside"

    below = limiter.limit("2 per hour", key_func=lambda: auth.identity.subject)(view)
    return limiter.limit("3 per hour")(auth.login_required(below))


def test_two_limits_around_a_guard_are_both_checked_inside():  # Flask-Limiter's doing; the page warns of it
    app, auth = bare()
    limiter = Limiter(get_remote_address, app=app, storage_uri="memory://")
    app.add_url_rule("/", "view", _two_limits(auth, limiter))
    client = app.test_client()
    assert statuses(client, "/", *[None] * 5) == [401] * 5
    assert statuses(client, "/", "ada", "ada", "ada", "bob", "bob") == [200, 200, 429, 200, 429]


@pytest.mark.parametrize("first", ["limiter", "auth"])
@pytest.mark.parametrize("guard", ["decorator", "protect"])
def test_default_limits_count_every_request_whatever_was_set_up_first(first, guard):
    app = new_app(MODULES["limiter"].NEIGHBOURS[0])
    limiter = Limiter(get_remote_address, default_limits=["3 per hour"], storage_uri="memory://")
    auth = Auth(Bearer(load))
    for extension in (limiter, auth) if first == "limiter" else (auth, limiter):
        extension.init_app(app)
    if guard == "protect":
        auth.protect(app)
    app.add_url_rule("/", "view", (lambda: "inside") if guard == "protect" else auth.login_required(lambda: "inside"))
    assert statuses(app.test_client(), "/", "ada", None, "bob", "ada", None) == [200, 401, 200, 429, 429]


# --- Flask-Caching


@pytest.mark.parametrize("path", ["/notes", "/report"])
def test_a_cache_with_the_caller_in_its_key_shows_each_caller_their_own(path):
    client = serve("caching")
    for caller in ("ada", "bob", "ada"):
        assert client.get(path, headers=bearer(caller)).json == {"owner": caller}
    assert_unauthorized(client.get(path), scheme="Bearer", error=None)
    assert_unauthorized(client.get(path, headers=bearer("eve")), error="invalid_token")


def _cached_above():
    app, auth = bare()
    return app, auth, Cache(app, config={"CACHE_TYPE": "SimpleCache"})


def test_a_cache_above_the_guard_of_a_view_is_refused():  # F-02
    app, auth, cache = _cached_above()
    app.add_url_rule("/", "report", cache.cached()(auth.login_required(lambda: auth.identity.subject)))
    with pytest.raises(ConfigurationError, match=r"'report' has a cache above its guard.*below @auth.login_required"):
        auth.check(app)
    app.add_url_rule("/health", "health", lambda: "up")
    client = app.test_client()
    assert client.get("/health").text == "up"
    app.testing = False
    assert client.get("/", headers=bearer("ada")).status_code == 500


def _class_view(outside, inside=()):
    """An app with a class view; ``outside`` and ``inside`` say what stands around the class and its method."""
    app, auth, cache = _cached_above()
    known = {
        "cache": cache.cached(), "memoize": cache.memoize(), "guard": auth.login_required,
        "other": lambda view: wraps(view)(lambda *args, **kwargs: view(*args, **kwargs)),
    }  # fmt: skip

    def get(self):
        return auth.identity.subject

    for name in inside:
        get = known[name](get)
    members = {"decorators": [known[name] for name in outside], "get": get}
    view = type("Report", (MethodView,), members).as_view("report")
    blueprint = Blueprint("shop", __name__)
    blueprint.add_url_rule("/", view_func=view)
    app.register_blueprint(blueprint)
    return app, auth


@pytest.mark.parametrize(
    ("outside", "inside"),
    [
        (["guard", "cache"], []), (["guard", "other", "cache"], []), (["guard", "cache", "other"], []),
        (["guard", "memoize"], []), (["cache"], ["guard"]), (["other", "cache", "other"], ["guard"]),
        (["memoize"], ["guard"]), ([], ["guard", "cache"]), ([], ["guard", "other", "cache", "other"]),
    ],
)  # fmt: skip
def test_a_cache_above_the_guard_of_a_class_view_is_refused(outside, inside):  # F-02
    app, auth = _class_view(outside, inside)  # the last one of a list stands outermost
    with pytest.raises(ConfigurationError, match=r"'shop\.report' has a cache above its guard"):
        auth.check(app)


@pytest.mark.parametrize(
    ("outside", "inside"),
    [
        (["cache", "guard"], []), (["cache", "guard", "other"], []), (["cache", "guard"], ["guard"]),
        ([], ["cache", "guard"]),
    ],
)  # fmt: skip
def test_a_cache_below_the_guard_of_a_class_view_is_not(outside, inside):  # F-02
    app, auth = _class_view(outside, inside)
    auth.check(app)
    client = app.test_client()
    assert client.get("/", headers=bearer("ada")).text == "ada"
    assert_unauthorized(client.get("/"), scheme="Bearer", error=None)


def test_a_cache_that_check_cannot_see_shows_nothing_to_callers_who_may_not_come_in():  # F-02
    app, auth, cache = _cached_above()

    class Report(flask_restful.Resource):
        method_decorators = [auth.login_required, cache.cached()]  # applied anew for each request

        def get(self):
            return {"owner": auth.identity.subject}

    flask_restful.Api(app).add_resource(Report, "/")
    client = app.test_client()
    assert client.get("/", headers=bearer("ada")).json == {"owner": "ada"}
    for _ in range(2):
        refused = client.get("/")
        assert_unauthorized(refused, scheme="Bearer", error=None)
        assert b"ada" not in refused.data


def test_under_protect_a_cached_view_shows_nothing_to_callers_who_are_not_logged_in():  # F-02
    app, auth, cache = _cached_above()
    auth.protect(app)
    app.add_url_rule("/", "report", cache.cached(key_prefix=lambda: auth.identity.subject)(lambda: request.endpoint))
    client = app.test_client()
    for _ in range(2):
        assert client.get("/", headers=bearer("ada")).text == "report"
        assert_unauthorized(client.get("/"), scheme="Bearer", error=None)


def test_a_cached_refusal_is_a_refusal_each_time():
    app, _, cache = _cached_above()

    @app.get("/")
    @cache.cached()
    def view():
        abort_unauthorized("Sign in again.")

    client = app.test_client()
    first, second = client.get("/"), client.get("/")
    for response in (first, second):
        assert_unauthorized(response, scheme="Bearer", error=None)
    assert (first.data, list(first.headers)) == (second.data, list(second.headers))


# --- Flask-Login, Flask-Limiter, Flask-Caching and flask-cors in one app


def _asks(client):
    """Requests of all kinds, with what has to stay the same each time."""
    origin = {"Origin": "https://page.example"}
    for path, headers in (
        ("/", {}), ("/me", {}), ("/api/write", origin), ("/api/write", {**origin, **bearer("ada")}),
        ("/api/write", {**origin, **bearer("bob")}), ("/api/write", {**origin, **bearer("eve")}), ("/nowhere", {}),
    ):  # fmt: skip
        response = client.get(path, headers=headers)
        yield response.status_code, sorted(response.headers), response.data


def test_the_nth_request_equals_the_first():  # F-01
    client = serve("four")
    first = list(_asks(client))
    assert [status for status, _, _ in first] == [200, 401, 401, 200, 403, 401, 404]
    for _ in range(3):
        assert list(_asks(client)) == first
    for position in range(len(first)):  # whichever comes first
        again = serve("four")
        answers = list(_asks(again))
        assert answers[position] == first[position]


def test_limits_by_caller_count_cached_answers_and_stand_beside_each_other():
    client = serve("four")
    assert statuses(client, "/api/notes", "ada", "ada", "bob", None, "ada", "ada", "bob") == [
        200, 200, 200, 401, 200, 429, 200,
    ]  # fmt: skip
    for caller in ("bob", "eve"):
        refused = client.get("/api/write", headers={**bearer(caller), "Origin": "https://page.example"})
        assert refused.headers["Access-Control-Allow-Origin"] == "https://page.example"
        assert "www-authenticate" in refused.headers["Access-Control-Expose-Headers"].lower()


def test_a_person_and_an_api_client_are_known_side_by_side():
    client = serve("four")
    assert client.get("/").text == "Hello stranger"
    client.post("/login", json={})
    assert client.get("/").text == "Hello ada"
    assert client.get("/me").text == "Hello ada"
    assert client.get("/api/notes", headers=bearer("bob")).json == {"owner": "bob"}
    assert_unauthorized(client.get("/api/notes"), scheme="Bearer", error=None)  # her session is none of ours
    assert client.get("/", headers=bearer("bob")).text == "Hello ada"


@pytest.mark.parametrize("order", ["auth first", "auth last"])
def test_hooks_run_in_the_order_of_set_up_and_before_every_guard(order):  # F-01
    app = new_app(MODULES["four"].NEIGHBOURS[0])
    auth, ran = Auth(Bearer(load)), []
    if order == "auth first":
        auth.init_app(app)
    app.before_request(lambda: ran.append("before"))
    _, limiter, _ = MODULES["four"].extensions(app)
    app.before_request(lambda: ran.append("between"))
    if order == "auth last":
        auth.init_app(app)
    auth.protect(app, public={"index"})
    limiter.request_filter(lambda: bool(ran.append("limiter")))
    app.after_request(lambda response: ran.append("after") or response)
    app.add_url_rule("/x", "x", lambda: str(ran.append("view")))
    client = app.test_client()
    for headers, seen in ((bearer("ada"), ["view"]), ({}, []), (bearer("ada"), ["view"])):
        ran.clear()
        client.get("/x", headers=headers)
        assert [one for one in ran if one != "limiter"] == ["before", "between", *seen, "after"]
        assert ran.index("limiter") == 1


# --- Flask-Login


@pytest.mark.parametrize(("caller", "error"), [("ada", None), (None, None), ("eve", "invalid_token")])
def test_abort_unauthorized_as_flask_logins_handler_blames_no_valid_token(caller, error):  # F-12
    app, _ = bare()
    manager = LoginManager(app)
    manager.user_loader(MODULES["login"].User)
    manager.unauthorized_handler(abort_unauthorized)
    app.add_url_rule("/page", "page", login_required(lambda: "page"))
    refused = app.test_client().get("/page", headers=bearer(caller) if caller else {})
    assert_unauthorized(refused, scheme="Bearer", error=error)


# --- flask-cors


@pytest.mark.parametrize("trusted", [False, True])
def test_a_page_that_cors_allows_may_send_a_password_once_its_origin_is_trusted(trusted):  # F-44
    origin = "http://localhost:3000"
    app, auth = bare(Basic(lambda name, password: True, trusted_origins={origin} if trusted else ()))
    CORS(app, origins=[origin])
    app.add_url_rule("/tokens", "tokens", auth.login_required(lambda: "token"), methods=["POST"])
    fetch = {"Origin": origin, "Sec-Fetch-Mode": "cors", "Sec-Fetch-Site": "same-site"}
    response = app.test_client().post("/tokens", auth=("ada", "x"), headers=fetch)
    assert response.headers["Access-Control-Allow-Origin"] == origin
    assert response.status_code == (200 if trusted else 403)
    assert ("trusted_origins" in response.text) == (not trusted)


# --- Flask-Talisman


def test_talisman_leads_to_https_before_anybody_is_judged():
    app, auth = bare(Basic(lambda name, password: pytest.fail("credentials over plain HTTP were looked at")))
    Talisman(app)
    app.add_url_rule("/", "view", auth.login_required(lambda: "inside"))
    response = app.test_client().get("/", auth=("ada", "correct horse"))
    assert (response.status_code, response.headers["Location"]) == (302, "https://localhost/")


@pytest.mark.parametrize("first", ["talisman", "auth"])
def test_talismans_headers_stand_on_refusals_beside_the_policy_of_our_page(first):  # F-17
    app = new_app(MODULES["talisman"].NEIGHBOURS[0])
    auth = Auth(Bearer(load))
    if first == "auth":
        auth.init_app(app)
    Talisman(app)
    if first == "talisman":
        auth.init_app(app)
    app.add_url_rule("/", "view", auth.login_required(lambda: "<p>inside</p>"))
    client = app.test_client()
    refused = client.get("/", headers={"Accept": "text/html"}, base_url="https://localhost")
    accepted = client.get("/", headers=bearer("ada"), base_url="https://localhost")
    assert_unauthorized(refused, scheme="Bearer", error=None)
    for header in ("Strict-Transport-Security", "X-Frame-Options", "Referrer-Policy"):
        assert refused.headers[header] == accepted.headers[header]
    assert "style-src 'self'" not in refused.headers["Content-Security-Policy"]
    assert "default-src 'none'" in refused.headers["Content-Security-Policy"]
    assert "default-src 'self'" in accepted.headers["Content-Security-Policy"]


# --- Flask-WTF


def test_a_form_is_asked_for_its_csrf_token_before_the_caller_is_asked_for():
    client = serve("wtf")
    for headers in ({}, bearer("eve"), bearer("ada")):
        response = client.post("/form", headers=headers)
        assert response.status_code == 400
        assert CHALLENGE not in response.headers
    token = {"X-CSRFToken": client.get("/token").text}
    assert_unauthorized(client.post("/form", headers=token), scheme="Bearer", error=None)
    assert client.post("/form", headers={**token, **bearer("ada")}).json == {"owner": "ada"}


@pytest.mark.parametrize("order", ["above", "below", "protected"])
def test_an_exempt_view_is_exempt_wherever_the_guard_stands(order):
    app, auth = bare()
    csrf = CSRFProtect(app)

    def view():
        return "inside"

    if order == "above":
        view = csrf.exempt(auth.login_required(view))
    elif order == "below":
        view = auth.login_required(csrf.exempt(view))
    else:
        view = csrf.exempt(view)
        auth.protect(app)
    app.add_url_rule("/", "view", view, methods=["POST"])
    client = app.test_client()
    for _ in range(2):
        assert_unauthorized(client.post("/"), scheme="Bearer", error=None)
        assert client.post("/", headers=bearer("ada")).text == "inside"


@pytest.mark.parametrize(("keep", "status"), [((), 400), ({"csrf_token"}, 200)])
def test_a_login_keeps_the_forms_of_other_tabs_valid_if_the_app_asks_for_that(keep, status):
    app, auth = bare(SessionCookie(load))
    CSRFProtect(app)
    app.add_url_rule("/token", "token", lambda: MODULES["wtf"].generate_csrf())
    app.add_url_rule("/login", "login", lambda: auth.login("ada", keep=keep).subject, methods=["POST"])
    app.add_url_rule("/form", "form", auth.login_required(lambda: "sent"), methods=["POST"])
    client = app.test_client()
    token = {"X-CSRFToken": client.get("/token").text}
    assert client.post("/login", headers=token).text == "ada"
    assert client.post("/form", headers=token).status_code == status


def test_csrf_is_checked_inside_the_guard_where_the_app_asks_for_that():
    app, auth = bare(SessionCookie(load))
    app.config["WTF_CSRF_CHECK_DEFAULT"] = False
    csrf = CSRFProtect(app)
    app.add_url_rule("/login", "login", lambda: auth.login("ada").subject, methods=["POST"])
    app.add_url_rule("/token", "token", lambda: MODULES["wtf"].generate_csrf())

    @app.post("/form")
    @auth.login_required
    def form():
        csrf.protect()
        return "sent"

    client = app.test_client()
    assert client.post("/form").status_code == 401
    client.post("/login", headers=SAME_SITE)
    assert client.post("/form", headers=SAME_SITE).status_code == 400
    token = {"X-CSRFToken": client.get("/token").text}
    assert client.post("/form", headers={**SAME_SITE, **token}).text == "sent"
    assert client.post("/form", headers={**EVIL, **token}).status_code == 403


# --- flask-openapi3


def test_flask_openapi3_validates_before_a_decorator_and_after_protect():
    client = serve("openapi3")
    bad = "?number=two"
    for headers in ({}, bearer("ada")):
        assert client.get(f"/notes{bad}", headers=headers).status_code == 422
    assert_unauthorized(client.get(f"/private/notes{bad}"), scheme="Bearer", error=None)
    assert client.get(f"/private/notes{bad}", headers=bearer("ada")).status_code == 422
    assert client.get("/private/notes?number=2", headers=bearer("ada")).json == {"owner": "ada", "page": 2}
    assert client.get("/notes?number=2", headers=bearer("ada")).json == {"owner": "ada", "page": 2}
    paths = client.get("/openapi/openapi.json").json["paths"]
    assert set(paths) >= {"/notes", "/private/notes", "/private/write"}


def test_flask_openapi3s_documents_are_closed_with_the_app_unless_they_are_named():
    openapi3 = MODULES["openapi3"]
    for public, status in ((set(), 401), ({"openapi.doc_url"}, 200)):
        app = openapi3.make("shop")
        auth = Auth(Bearer(load), app=app)
        auth.protect(app, public=public)
        assert app.test_client().get("/openapi/openapi.json").status_code == status


# --- Flask-Babel


def test_lazy_texts_are_in_the_language_of_each_caller():  # F-16
    app, _ = bare()
    Babel(app, locale_selector=MODULES["babel"].language)
    lazy = LazyString(lambda: {"de": "Bitte anmelden."}.get(str(get_locale()), "Please sign in."))
    app.add_url_rule("/", "view", lambda: abort_unauthorized(lazy))
    client = app.test_client()
    for tag, text in (("de", "Bitte anmelden."), ("en", "Please sign in."), ("de", "Bitte anmelden.")):
        response = client.get("/", headers={"Accept-Language": tag})
        assert_unauthorized(response, scheme="Bearer", error=None)
        assert response.json["message"] == text


def test_a_lazy_description_of_abort_keeps_its_text():  # F-16
    client = serve("babel")
    response = client.get("/plain")
    assert_unauthorized(response, scheme="Bearer", error=None)
    assert response.json["message"] == "Sign in again."
    forbidden = client.get("/write", headers=bearer("bob"))
    assert (forbidden.status_code, forbidden.json["message"]) == (403, "You may not write here.")


# --- connexion 3


def test_connexion_keeps_our_headers_with_a_handler_of_the_app():  # F-04
    client = serve("connexion_app")
    refused = client.get("/notes", headers=bearer("eve"))
    assert_unauthorized(refused, scheme="Bearer", error="invalid_token")
    assert "no-store" in refused.headers["Cache-Control"]
    assert refused.content_type.startswith("application/problem+json")
    assert set(refused.json) == {"type", "title", "detail", "status"}
    assert client.get("/nowhere").json["title"] == "Not Found"


@pytest.mark.parametrize("guard", ["decorator", "protect"])
@pytest.mark.parametrize("kind", ["sync", "async"])
def test_connexion_passes_every_refusal_on(guard, kind):  # F-04
    module = MODULES["connexion_app"]
    app = new_app(module.NEIGHBOURS[0])
    app.test_client_class = SoundClient

    def load_or_fail(token):
        if token == "down":
            raise AuthUnavailable
        return load(token)

    auth = Auth(Bearer(load_or_fail), app=app)
    app.register_error_handler(HTTPException, lambda error: ({"status": error.code}, error.code))

    def notes():
        if auth.identity.subject == "bob":
            abort_forbidden(scopes={"write"})
        return {"owner": auth.identity.subject}

    async def async_notes():
        return notes()

    view = notes if kind == "sync" else async_notes
    if guard == "protect":
        auth.protect(app)
    module.add_api(app, notes=view if guard == "protect" else auth.login_required(view))
    client = app.test_client()
    for token, status, error in (
        ("ada", 200, None), ("", 401, None), ("eve", 401, "invalid_token"), ("a b", 400, "invalid_request"),
        ("bob", 403, "insufficient_scope"), ("down", 503, None),
    ):  # fmt: skip
        response = client.get("/notes", headers=bearer(token) if token else {})
        assert response.status_code == status
        assert ("no-store" in response.headers.get("Cache-Control", "")) == (status != 200)
        assert ("Retry-After" in response.headers) == (status == 503)
        lines = response.headers.getlist(CHALLENGE)
        assert [one.get("error") for line in lines for one in parse_challenges(line)] == (
            [error] if status in {400, 401, 403} else []
        )


def test_connexions_own_security_gets_its_challenge_from_a_handler_of_the_app():  # F-04
    client = serve("connexion_app")
    assert client.get("/secured", headers=bearer("ada")).json == {"owner": "ada"}
    assert_unauthorized(client.get("/secured"), scheme="Bearer", error=None)
    assert_unauthorized(client.get("/secured", headers=bearer("eve")), scheme="Bearer", error="invalid_token")


def test_without_that_handler_connexion_answers_for_us_and_drops_the_challenge():  # F-04: what the page warns of
    module = MODULES["connexion_app"]
    app = new_app(module.NEIGHBOURS[0])
    auth = Auth(Bearer(load), app=app)
    module.add_api(app, notes=auth.login_required(lambda: {"owner": auth.identity.subject}))
    client = app.test_client()
    assert client.get("/notes", headers=bearer("ada")).json == {"owner": "ada"}
    for headers in ({}, bearer("eve")):
        refused = client.get("/notes", headers=headers)
        assert refused.status_code == 401
        assert CHALLENGE not in refused.headers

"""Who is calling is known anywhere: on open pages and error pages, in hooks and templates, before and after the view.

Each test sends requests to an app, because the rules are about where in a request the question is asked.
"""

import io
import logging
import time
from typing import Any

import flask
import pytest
from flask import Flask, Response, abort, jsonify, render_template_string, request, send_file, stream_with_context
from flask.views import MethodView
from jinja2 import StrictUndefined
from jinja2.exceptions import UndefinedError

from flask_unauthorized import (
    APIKey,
    Auth,
    AuthUnavailable,
    Basic,
    Bearer,
    ConfigurationError,
    Digest,
    DPoP,
    ExpiredCredentials,
    Identity,
    SessionCookie,
    abort_forbidden,
    current_identity,
    current_user,
)
from flask_unauthorized.schemes.remote_user import RemoteUser
from flask_unauthorized.signals import authenticated, refused
from flask_unauthorized.stores.memory import MemoryStore
from flask_unauthorized.testing import acting_as
from tests.digest_client import ADA, challenge, sent
from tests.dpop_client import ORIGIN, Holder
from tests.helpers import SECRET_KEY, bearer_header

GOOD = bearer_header("good")
NAVIGATION = "{{ current_user.name if current_user.is_authenticated else 'Log in' }}"


class User:
    def __init__(self, name: str) -> None:
        self.name = name
        self.id = name


class Load:
    """A loader that counts how often it is asked. What it does depends on the token."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __call__(self, token: str) -> Any:
        self.asked.append(token)
        if token == "expired":
            raise ExpiredCredentials
        if token == "over":
            return Identity("ada", expires_at=time.time() - 1)
        if token == "down":
            raise AuthUnavailable
        if token == "bug":
            raise ZeroDivisionError
        return Identity("ada", user=User("Ada")) if token == "good" else None


@pytest.fixture
def load() -> Load:
    return Load()


def who() -> str:
    return current_identity.subject if current_identity else "nobody"


# --- where the question may be asked


def app_that_asks_everywhere(make_app: Any, auth: Auth[Any]) -> Flask:
    app: Flask = make_app(auth, SECRET_KEY=SECRET_KEY)
    app.testing = False  # error pages are shown, not raised
    app.add_url_rule("/open", "open", lambda: render_template_string(NAVIGATION))
    app.add_url_rule("/public", "public", auth.public(lambda: render_template_string(NAVIGATION)))
    app.add_url_rule("/optional", "optional", auth.login_optional(lambda: render_template_string(NAVIGATION)))
    app.add_url_rule("/guarded", "guarded", auth.login_required(lambda: render_template_string(NAVIGATION)))
    app.add_url_rule("/crash", "crash", lambda: 1 / 0)
    app.add_url_rule("/teapot", "teapot", lambda: abort(418))
    for code in (404, 405, 418, 500):
        app.register_error_handler(code, lambda error: (render_template_string(NAVIGATION), error.code))

    class Things(MethodView):
        def get(self) -> str:
            return render_template_string(NAVIGATION)

        @auth.login_required
        def post(self) -> str:
            return render_template_string(NAVIGATION)

    app.add_url_rule("/things", view_func=Things.as_view("things"))
    return app


PAGES = [
    ("GET", "/open", 200),
    ("GET", "/public", 200),
    ("GET", "/optional", 200),
    ("GET", "/things", 200),
    ("GET", "/nowhere", 404),
    ("DELETE", "/open", 405),
    ("GET", "/teapot", 418),
    ("GET", "/crash", 500),
]


@pytest.mark.parametrize(("method", "path", "status"), PAGES)
def test_every_page_knows_the_caller(make_app: Any, load: Load, method: str, path: str, status: int) -> None:
    client = app_that_asks_everywhere(make_app, Auth(Bearer(load))).test_client()
    response = client.open(path, method=method, headers=GOOD)
    assert (response.status_code, response.text, load.asked) == (status, "Ada", ["good"])
    response = client.open(path, method=method)
    assert (response.status_code, response.text, load.asked) == (status, "Log in", ["good"])


@pytest.mark.parametrize(("method", "path", "status"), PAGES)
def test_every_page_knows_who_is_logged_in(make_app: Any, method: str, path: str, status: int) -> None:
    auth = Auth(SessionCookie(User))
    app = app_that_asks_everywhere(make_app, auth)

    @app.post("/login")
    @auth.public
    def login() -> str:
        auth.login("Ada")
        return render_template_string(NAVIGATION)

    @app.post("/logout")
    @auth.public
    def logout() -> str:
        before = render_template_string(NAVIGATION)
        auth.logout()
        return f"{before}, {render_template_string(NAVIGATION)}"

    client = app.test_client()
    assert client.post("/login").text == "Ada"
    response = client.open(path, method=method)
    assert (response.status_code, response.text) == (status, "Ada")
    assert client.post("/logout").text == "Ada, Log in"
    assert client.open(path, method=method).text == "Log in"


@pytest.mark.parametrize("path", ["/open", "/guarded", "/nowhere"])
@pytest.mark.parametrize("scheme", ["bearer", "session"])
def test_hooks_know_the_caller_and_one_verification_serves_all(
    make_app: Any, load: Load, path: str, scheme: str
) -> None:
    auth = Auth(Bearer(load) if scheme == "bearer" else SessionCookie(load))
    app = app_that_asks_everywhere(make_app, auth)
    seen: list[tuple[str, str]] = []

    @app.url_value_preprocessor
    def before_all(endpoint: Any, values: Any) -> None:
        seen.append(("preprocessor", who()))

    @app.before_request
    def before() -> None:
        seen.append(("before", who()))

    @app.after_request
    def after(response: Response) -> Response:
        seen.append(("after", who()))
        return response

    @app.teardown_request
    def teardown(error: Any) -> None:
        seen.append(("teardown", who()))

    @app.context_processor
    def context() -> dict[str, str]:
        seen.append(("context", who()))
        return {}

    client = app.test_client()
    headers = GOOD
    if scheme == "session":
        headers = {}
        app.add_url_rule("/in", "in", auth.public(lambda: auth.login("good") and ""), methods=["POST"])
        client.post("/in")
        seen.clear()
        load.asked.clear()
    client.get(path, headers=headers)
    assert seen == [(place, "ada") for place in ("preprocessor", "before", "context", "after", "teardown")]
    assert load.asked == ["good"]


def test_a_request_that_nobody_asks_about_verifies_nothing(make_app: Any, load: Load) -> None:
    app = make_app(Auth(Bearer(load)))
    app.add_url_rule("/", "v", lambda: "in")
    assert app.test_client().get("/", headers=GOOD).text == "in"
    assert load.asked == []


def test_the_accessors_agree(make_app: Any, load: Load) -> None:
    bearer = Bearer(load)
    auth = Auth(bearer, APIKey(lambda key: None))
    app = make_app(auth)

    @app.get("/")
    def view() -> str:
        assert auth.scheme is (bearer if request.authorization else None)
        assert auth.get_identity() == (current_identity or None)
        assert auth.get_user() is (current_user._get_current_object() if current_user else None)
        return who()

    client = app.test_client()
    assert client.get("/", headers=GOOD).text == "ada"
    assert client.get("/").text == "nobody"


def test_a_test_client_acts_as_a_caller_on_open_pages(make_app: Any, load: Load) -> None:
    app = make_app(Auth(Bearer(load)))
    app.add_url_rule("/", "v", who)
    assert acting_as(app, Identity("grace")).get("/").text == "grace"
    assert load.asked == []


# --- quiet


@pytest.mark.parametrize("token", ["bad", "expired", "over", "a b", "down"])
@pytest.mark.parametrize("path", ["/open", "/public", "/nowhere"])
def test_open_pages_stay_open(make_app: Any, load: Load, caplog: Any, token: str, path: str) -> None:
    app = app_that_asks_everywhere(make_app, Auth(Bearer(load)))
    app.test_client().get("/open")  # the set-up may log
    signals: list[str] = []
    caplog.set_level(logging.INFO, "flask_unauthorized")
    caplog.clear()

    def note(*_: Any, **__: Any) -> None:
        signals.append("sent")

    with refused.connected_to(note), authenticated.connected_to(note):
        response = app.test_client().get(path, headers=bearer_header(token))
        assert (response.status_code, response.text) == (404 if path == "/nowhere" else 200, "Log in")
        assert load.asked == ([] if token == "a b" else [token])
        assert [record.levelname for record in caplog.records] == (["WARNING"] if token == "down" else [])
        caplog.clear()
        assert app.test_client().get(path, headers=GOOD).text == "Ada"
    assert (signals, caplog.records) == ([], [])


@pytest.mark.parametrize("path", ["/open", "/public", "/nowhere"])
def test_the_page_that_reports_a_bug_of_the_loader_can_ask_as_well(make_app: Any, load: Load, path: str) -> None:
    app = app_that_asks_everywhere(make_app, Auth(Bearer(load)))
    response = app.test_client().get(path, headers=bearer_header("bug"))
    assert (response.status_code, response.text, load.asked) == (500, "Log in", ["bug"])


def test_an_unavailable_back_end_is_one_warning(make_app: Any, load: Load, caplog: Any) -> None:
    app = make_app(Auth(Bearer(load)))
    app.add_url_rule("/", "v", lambda: who() + who() + str(current_user.is_authenticated))
    app.test_client().get("/")  # the set-up
    caplog.clear()
    assert app.test_client().get("/", headers=bearer_header("down")).text == "nobodynobodyFalse"
    texts = [record.getMessage() for record in caplog.records if "identified" in record.getMessage()]
    assert texts == ["v: the caller is not identified, because the credentials could not be verified"]
    assert load.asked == ["down"]


def test_a_bug_of_the_loader_is_raised_once_per_request(make_app: Any, load: Load) -> None:
    app = make_app(Auth(Bearer(load)))
    app.testing = False

    @app.get("/")
    def view() -> str:
        with pytest.raises(ZeroDivisionError):
            who()
        return who()

    assert app.test_client().get("/", headers=bearer_header("bug")).text == "nobody"
    assert load.asked == ["bug"]


@pytest.mark.parametrize("path", ["/open", "/nowhere"])
def test_another_sites_page_acts_for_nobody(make_app: Any, path: str) -> None:
    auth = Auth(SessionCookie(User), Basic(lambda name, password: User(name)))
    app = make_app(auth, SECRET_KEY=SECRET_KEY)
    app.add_url_rule("/open", "open", lambda: current_user.name if current_user else "nobody", methods=["GET", "POST"])
    app.register_error_handler(404, lambda error: (current_user.name if current_user else "nobody", 404))
    app.add_url_rule("/in", "in", auth.public(lambda: auth.login("Ada") and ""), methods=["POST"])
    client = app.test_client()
    client.post("/in")
    foreign = {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}
    assert client.get(path, headers=foreign).text == "Ada"  # a safe method changes nothing
    assert client.post(path, headers=foreign).text == "nobody"
    assert client.post(path, headers={"Origin": "https://evil.example"}).text == "nobody"
    assert client.post(path, headers={"Sec-Fetch-Site": "same-origin"}).text == "Ada"
    stranger = app.test_client()
    assert stranger.post(path, headers=foreign, auth=("Bob", "x")).text == "nobody"
    assert stranger.post(path, auth=("Bob", "x")).text == "Bob"


def test_required_https_and_origins_count_but_scopes_and_roles_do_not(make_app: Any, load: Load) -> None:
    auth = Auth(Bearer(load))
    app = make_app(auth, UNAUTHORIZED_REQUIRE_HTTPS=True)
    seen: list[str] = []
    app.before_request(lambda: seen.append(who()))
    app.add_url_rule("/", "v", auth.login_required(scopes={"admin"}, roles={"root"}, max_age=5)(lambda: "in"))
    app.add_url_rule("/mcp", "mcp", auth.login_required(lambda: "in"))
    auth.protected_resource(
        "https://localhost/mcp", authorization_servers=["https://as.example"], origins=["https://app.example"]
    )
    client = app.test_client()
    client.get("/", headers=GOOD)
    client.get("/", headers=GOOD, base_url="https://localhost")
    client.get("/mcp", headers={**GOOD, "Origin": "https://evil.example"}, base_url="https://localhost")
    client.get("/mcp", headers={**GOOD, "Origin": "https://app.example"}, base_url="https://localhost")
    assert seen == ["nobody", "ada", "nobody", "ada"]


# --- which schemes


def test_public_via_says_who_is_asked(make_app: Any) -> None:
    asked: list[str] = []
    people = Bearer(lambda token: asked.append("people") or Identity("ada"))
    machines = APIKey(lambda key: asked.append("machines") or Identity("bot"))
    auth = Auth(people, machines)
    app = make_app(auth)
    app.add_url_rule("/people", "people", auth.public(via=people)(lambda: who()))
    app.add_url_rule("/all", "all", auth.public(lambda: who()))
    client = app.test_client()
    assert client.get("/people", headers={"X-API-Key": "k"}).text == "nobody"
    assert asked == []
    assert client.get("/people", headers=GOOD).text == "ada"
    assert client.get("/all", headers={"X-API-Key": "k"}).text == "bot"
    assert asked == ["people", "machines"]


def test_a_public_view_that_demands_a_caller_takes_the_schemes_that_it_names(make_app: Any) -> None:
    people, machines = Bearer(lambda token: Identity("ada")), APIKey(lambda key: Identity("bot"))
    auth = Auth(people, machines)
    app = make_app(auth)
    app.add_url_rule("/identity", "identity", auth.public(via=people)(lambda: auth.identity.subject))
    app.add_url_rule("/require", "require", auth.public(via=people)(lambda: auth.require().subject))
    app.add_url_rule("/other", "other", auth.public(via=people)(lambda: auth.require(via=machines).subject))
    app.add_url_rule("/all", "all", auth.public(lambda: auth.identity.subject))
    client = app.test_client()
    for path in ("/identity", "/require"):
        response = client.get(path, headers={"X-API-Key": "k"})
        assert response.status_code == 401
        assert [line.split()[0] for line in response.headers.getlist("WWW-Authenticate")] == ["Bearer"]
        assert client.get(path, headers=GOOD).text == "ada"
    assert client.get("/other", headers={"X-API-Key": "k"}).text == "bot"
    assert client.get("/all", headers={"X-API-Key": "k"}).text == "bot"


def test_a_guarded_endpoint_asks_its_own_schemes_in_a_hook(make_app: Any) -> None:
    asked: list[str] = []
    people = Bearer(lambda token: asked.append("people") or Identity("ada"))
    machines = APIKey(lambda key: asked.append("machines") or Identity("bot"))
    auth = Auth(people, machines)
    app = make_app(auth)
    app.before_request(lambda: who() and None)
    app.add_url_rule("/", "v", auth.login_required(via=machines)(who))
    assert app.test_client().get("/", headers=GOOD).status_code == 401
    assert asked == []


def test_a_token_is_never_handed_to_a_loader_that_it_was_not_meant_for(make_app: Any, caplog: Any) -> None:
    caplog.set_level(logging.DEBUG)
    asked: list[str] = []
    people = Bearer(lambda token: asked.append("people") or Identity("ada"))
    machines = Bearer(lambda token: asked.append("machines") or Identity("bot"))
    auth = Auth(people, machines, SessionCookie(User))
    app = make_app(auth, SECRET_KEY=SECRET_KEY)
    app.add_url_rule("/", "v", who)
    app.add_url_rule("/m", "m", auth.login_required(via=machines)(who))
    client = app.test_client()
    assert client.get("/", headers=GOOD).text == "nobody"
    assert asked == []
    assert "several schemes of the Auth read what was sent as Bearer" in caplog.text
    assert client.get("/m", headers=GOOD).text == "bot"
    assert asked == ["machines"]


# --- asking again while a verification is under way


def test_a_digest_count_is_spent_once(make_app: Any) -> None:
    """The loader logs, and a filter of the log asks who is calling."""
    seen: list[str] = []

    def load(name: str) -> str:
        seen.append(who())
        return ADA

    auth = Auth(Digest(load, realm="r"))
    app = make_app(auth, SECRET_KEY=SECRET_KEY)
    app.add_url_rule("/", "v", auth.login_required(who))
    app.add_url_rule("/open", "open", lambda: f"{who()} {auth.require().subject}")
    client = app.test_client()
    told = challenge(client.get("/").headers["WWW-Authenticate"])
    assert client.get("/", headers=sent(told)).text == "ada"
    assert client.get("/open", headers=sent(told, nc=2, uri="/open")).text == "ada ada"
    assert seen == ["nobody", "nobody"]


def test_a_dpop_proof_is_spent_once(make_app: Any) -> None:
    holder = Holder()
    seen: list[str] = []

    def load(token: str) -> Identity:
        seen.append(who())
        return Identity("ada", confirmation={"jkt": holder.jkt})

    auth = Auth(DPoP(load, origin=ORIGIN))
    app = make_app(auth, SECRET_KEY=SECRET_KEY)
    app.before_request(lambda: seen.append(who()))
    app.add_url_rule("/", "v", auth.login_required(who))
    assert app.test_client().get("/", headers=holder.sent()).text == "ada"
    assert seen == ["nobody", "ada"]


def test_a_scheme_that_asks_while_it_reads(make_app: Any) -> None:
    asked: list[str] = []

    class Curious(Bearer):
        def read(self, request: Any, rest: str | None) -> Any:
            asked.append(who())
            return super().read(request, rest)

    auth = Auth(Curious(lambda token: Identity("ada")))
    app = make_app(auth)
    app.add_url_rule("/", "v", who)
    app.add_url_rule("/g", "g", auth.login_required(who))
    client = app.test_client()
    assert client.get("/", headers=GOOD).text == "ada"
    assert client.get("/g", headers=GOOD).text == "ada"
    assert set(asked) == {"nobody"}


# --- bodies


def test_a_token_in_a_form_is_seen_when_the_form_has_been_read(make_app: Any, load: Load) -> None:
    auth = Auth(Bearer(load, form=True))
    app = make_app(auth)
    seen: list[str] = []
    app.before_request(lambda: seen.append(who()))

    @app.post("/")
    def view() -> str:
        seen.append(who())
        assert "form" not in vars(request)
        assert request.form["note"] == "x"
        return who()

    @app.post("/raw")
    def raw() -> bytes:
        seen.append(who())
        return bytes(request.stream.read())

    client = app.test_client()
    assert client.post("/", data={"access_token": "good", "note": "x"}).text == "ada"
    assert seen == ["nobody", "nobody"]
    assert client.post("/raw", data={"access_token": "good"}).text == "access_token=good"
    assert client.post("/", data={"note": "x"}, headers=GOOD).text == "ada"
    assert seen[-2:] == ["ada", "ada"]


def test_a_digest_of_the_body_is_verified_when_the_body_has_been_read(make_app: Any) -> None:
    auth = Auth(Digest(lambda name: ADA, realm="r", qop=("auth-int",)))
    app = make_app(auth, SECRET_KEY=SECRET_KEY)
    seen: list[str] = []

    @app.post("/")
    def view() -> str:
        seen.append(who())
        assert request.get_data() == b"payload"
        return who()

    @app.post("/guarded")
    @auth.login_required
    def guarded() -> str:
        return f"{who()} {request.get_data(as_text=True)}"

    app.before_request(lambda: seen.append(who()))
    client = app.test_client()
    told = challenge(client.post("/guarded").headers["WWW-Authenticate"])
    headers = sent(told, method="POST", uri="/", qop="auth-int", body=b"payload")
    assert client.post("/", data=b"payload", headers=headers).text == "ada"
    headers = sent(told, nc=2, method="POST", uri="/guarded", qop="auth-int", body=b"payload")
    assert client.post("/guarded", data=b"payload", headers=headers).text == "ada payload"
    assert seen == ["nobody"] * 4


# --- after the response has left


def test_nothing_is_verified_after_the_response_has_left(make_app: Any, load: Load) -> None:
    app = make_app(Auth(Bearer(load)))
    seen: list[str] = []
    app.teardown_request(lambda error: seen.append(who()))
    app.add_url_rule("/", "v", lambda: "in")
    app.add_url_rule("/asks", "asks", who)
    app.add_url_rule("/stream", "stream", lambda: Response(stream_with_context(who() for _ in range(2))))
    client = app.test_client()
    client.get("/", headers=GOOD)
    assert client.get("/stream", headers=GOOD).text == "nobodynobody"
    assert (set(seen), load.asked) == ({"nobody"}, [])
    assert client.get("/asks", headers=GOOD).text == "ada"
    assert (seen[-1], load.asked) == ("ada", ["good"])


@pytest.mark.parametrize("guard", ["off", "strict"])
def test_the_same_for_any_setting_of_the_guard(make_app: Any, load: Load, guard: str) -> None:
    app = make_app(Auth(Bearer(load)), UNAUTHORIZED_GUARD=guard)
    seen: list[str] = []
    app.teardown_request(lambda error: seen.append(who()))
    app.add_url_rule("/", "v", lambda: "in")
    app.test_client().get("/", headers=GOOD)
    assert (seen, load.asked) == (["nobody"], [])


# --- caches


def test_the_response_names_what_it_depended_on(make_app: Any, load: Load) -> None:
    app = make_app(Auth(Bearer(load)))

    def page(asks: bool) -> Response:
        response = Response(who() if asks else "same for all")
        response.headers["Cache-Control"] = "public, max-age=60"
        return response

    app.add_url_rule("/asks", "asks", lambda: page(True))
    app.add_url_rule("/same", "same", lambda: page(False))
    app.register_error_handler(404, lambda error: (who(), 404))
    client = app.test_client()
    known, unknown = client.get("/asks", headers=GOOD), client.get("/asks")
    assert (known.headers["Cache-Control"], known.vary.to_header()) == ("max-age=60, private", "Authorization")
    assert (unknown.headers["Cache-Control"], unknown.vary.to_header()) == ("public, max-age=60", "Authorization")
    for headers in (GOOD, {}):
        same = client.get("/same", headers=headers)
        assert (same.headers["Cache-Control"], same.vary.to_header()) == ("public, max-age=60", "")
    assert client.get("/nowhere", headers=GOOD).headers["Cache-Control"] == "private"


def test_a_stream_is_taken_to_ask_if_credentials_came(make_app: Any, load: Load) -> None:
    auth = Auth(Bearer(load), APIKey(load, cookie="key"), SessionCookie(load))
    app = make_app(auth, SECRET_KEY=SECRET_KEY)

    @app.get("/stream")
    def stream() -> Response:
        return Response((str(number) for number in range(3)), headers={"Cache-Control": "public, max-age=60"})

    @app.get("/file")
    def file() -> Response:
        return send_file(io.BytesIO(b"a file"), mimetype="text/plain", max_age=60)

    def cached(path: str, cookie: str = "", **headers: str) -> tuple[bool, bool]:
        client = app.test_client()
        if cookie:
            client.set_cookie(cookie, "x")
        response = client.get(path, headers=headers)
        return "private" in response.headers["Cache-Control"], "Authorization" in response.headers.get("Vary", "")

    assert cached("/stream") == (False, False)
    assert cached("/stream", cookie="theme") == (False, False)
    for sent_fields in ({"Authorization": "Bearer x"}, {"cookie": "key"}, {"cookie": "session"}):
        assert cached("/stream", **sent_fields) == (True, True)
        assert cached("/file", **sent_fields) == (False, False)
    assert load.asked == []


def test_flasks_own_error_page_asks_nothing_and_a_streamed_one_may(make_app: Any, load: Load) -> None:
    app = make_app(Auth(Bearer(load)))
    app.add_url_rule("/teapot", "teapot", lambda: abort(418))
    app.add_url_rule("/stream", "stream", lambda: (stream_with_context(who() for _ in range(2)), 404))
    client = app.test_client()
    for path, status in (("/teapot", 418), ("/nowhere", 404)):
        response = client.get(path, headers=GOOD)
        assert (response.status_code, sorted(response.headers.keys())) == (status, ["Content-Length", "Content-Type"])
    streamed = client.get("/stream", headers=GOOD)
    assert (streamed.headers["Cache-Control"], streamed.vary.to_header()) == ("private", "Authorization")
    assert load.asked == []


def test_no_query_breaks_an_open_stream(make_app: Any, load: Load) -> None:
    """Servers pass on octets that are not UTF-8. No code of this page looks at the query."""
    for scheme in (APIKey(load, query="key"), Bearer(load, query=True)):
        app = make_app(Auth(scheme))
        app.add_url_rule("/", "stream", lambda: Response(str(number) for number in range(3)))
        response = app.test_client().get("/", environ_overrides={"QUERY_STRING": "key=\xff&access_token=\xff"})
        assert (response.status_code, response.text) == (200, "012")


def test_a_stream_is_taken_to_ask_if_the_server_named_a_caller(make_app: Any, load: Load) -> None:
    app = make_app(Auth(RemoteUser(load)))
    headers = {"Cache-Control": "public, max-age=60"}
    app.add_url_rule("/", "stream", lambda: Response((str(number) for number in range(3)), headers=headers))
    client = app.test_client()
    named = client.get("/", environ_overrides={"REMOTE_USER": "ada"})
    assert (named.headers["Cache-Control"], named.vary.to_header()) == ("max-age=60, private", "Authorization, Cookie")
    assert client.get("/").headers["Cache-Control"] == "public, max-age=60"


# --- another app


@pytest.fixture
def other_app(make_app: Any) -> Flask:
    """Another app of the same process, whose `Auth` would take the same token for its own caller."""
    other: Flask = make_app(Auth(Bearer(lambda token: pytest.fail("the token was sent to another app"))))
    assert other.test_client().get("/nothing-yet").status_code == 404
    return other


ONLY_FLASK_3_0_AND_3_1 = pytest.mark.skipif(
    not hasattr(flask.ctx, "RequestContext") or flask.ctx.RequestContext is flask.ctx.AppContext,
    reason="since Flask 3.2 the context of another app hides the request",
)


@ONLY_FLASK_3_0_AND_3_1
@pytest.mark.parametrize("where", ["view", "before_request", "error page"])
def test_the_context_of_another_app_shows_none_of_its_callers(
    make_app: Any, load: Load, other_app: Flask, where: str
) -> None:
    """Such as for an e-mail whose template greets the ``current_user``."""
    auth = Auth(Bearer(load))
    app = make_app(auth)
    mails = []

    def write_mail(*error: Any) -> Any:
        with other_app.app_context():
            mails.append(render_template_string(NAVIGATION))
        return (who(), 404) if error else None

    if where == "before_request":
        app.before_request(write_mail)
    app.register_error_handler(404, write_mail)
    app.add_url_rule("/open", "open", lambda: (where == "view" and write_mail()) or who())
    app.add_url_rule("/guarded", "guarded", auth.login_required(lambda: (where == "view" and write_mail()) or who()))
    client = app.test_client()
    for path in ("/nowhere",) if where == "error page" else ("/open", "/guarded"):
        assert client.get(path, headers=GOOD).text == "ada"
        assert mails.pop() == ("Ada" if (where, path) == ("view", "/guarded") else "Log in")
    if where != "error page":
        assert client.get("/guarded").status_code == 401


@ONLY_FLASK_3_0_AND_3_1
def test_another_app_cannot_judge_a_request_that_came_to_this_one(make_app: Any, load: Load, other_app: Flask) -> None:
    app = make_app(Auth(Bearer(load)))
    other_auth = Auth(Bearer(load))
    other = make_app(other_auth)

    @app.get("/")
    def view() -> str:
        with other.app_context(), pytest.raises(ConfigurationError, match="in a request of another app"):
            other_auth.require()
        return who()

    assert app.test_client().get("/", headers=GOOD).text == "ada"


@ONLY_FLASK_3_0_AND_3_1
def test_an_app_without_an_auth_may_render_a_template_that_asks(make_app: Any, load: Load) -> None:
    app, plain = make_app(Auth(Bearer(load))), Flask("plain")

    @app.get("/")
    def view() -> str:
        with plain.app_context():
            return render_template_string("{{ caller.subject or 'nobody' }}", caller=current_identity)

    assert app.test_client().get("/", headers=GOOD).text == "nobody"


# --- the proxies


def test_every_caller_has_the_words_of_flask_login(make_app: Any) -> None:
    class Locked:
        is_active = False

    users = {"plain": User("p"), "locked": Locked(), "subject": "s", "identity": Identity("i")}
    app = make_app(Auth(Bearer(users.get)))
    app.add_url_rule(
        "/",
        "v",
        lambda: jsonify(
            [
                [proxy.is_authenticated, proxy.is_active, proxy.is_anonymous, bool(proxy)]
                for proxy in (current_user, current_identity)
            ]
        ),
    )
    client = app.test_client()
    for token in ("plain", "subject", "identity"):
        assert client.get("/", headers=bearer_header(token)).json == [[True, True, False, True]] * 2
    assert client.get("/", headers=bearer_header("locked")).json[0] == [True, False, False, True]
    assert client.get("/").json == [[False, False, True, False]] * 2


def test_a_property_of_the_user_that_fails_is_not_hidden(make_app: Any) -> None:
    class Broken:
        @property
        def is_active(self) -> bool:
            raise AttributeError("no column 'active'")

    app = make_app(Auth(Bearer(lambda token: Broken())))
    app.add_url_rule("/", "v", lambda: str(current_user.is_active))
    with pytest.raises(AttributeError, match="no column 'active'"):
        app.test_client().get("/", headers=GOOD)


def test_an_anonymous_caller_says_how_to_test_for_one(make_app: Any, load: Load) -> None:
    app = make_app(Auth(Bearer(load)))

    @app.get("/")
    def view() -> str:
        for proxy in (current_user, current_identity):
            with pytest.raises(AttributeError, match=r"the caller is anonymous.*'name'.*if current_user:"):
                _ = proxy.name
            assert not hasattr(proxy, "name")
            assert repr(proxy) == "<anonymous caller>"
            assert proxy.get_id() is None
        return render_template_string("[{{ current_user.name }}]")

    assert app.test_client().get("/").text == "[]"


def test_a_caller_without_a_user_object_says_what_the_loader_must_return(make_app: Any) -> None:
    """As after a move from Flask-HTTPAuth, whose ``verify_password`` may return ``True``."""
    app = make_app(Auth(Basic(lambda name, password: True)))

    @app.get("/")
    def view() -> str:
        for proxy in (current_user, current_identity):
            with pytest.raises(AttributeError, match=r"no user object.*no 'confirmed'.*return the user"):
                _ = proxy.confirmed
        assert not hasattr(current_user, "confirmed")
        return str(current_user.subject)

    assert app.test_client().get("/", auth=("ada", "x")).text == "ada"


# --- templates


def test_a_template_says_that_the_caller_is_anonymous(make_app: Any, load: Load) -> None:
    app = make_app(Auth(Bearer(load)))
    for rule, source in {
        "/call": "{{ 'x' if current_user.can('write') else 'y' }}",
        "/name": "[{{ current_user.name }}{{ current_user['name'] }}]",
        "/test": "{{ current_user.name is defined }} {{ current_user['id'] == 7 }} {{ current_user.is_anonymous }}",
        "/guarded": "{{ 'x' if current_user and current_user.can('write') else 'y' }}",
        "/each": "{% for part in current_user %}{{ part }}{% endfor %}",
        "/in": "{{ 'x' in current_user }}",
    }.items():
        app.add_url_rule(rule, rule, lambda source=source: render_template_string(source))
    client = app.test_client()
    with pytest.raises(UndefinedError, match=r"the caller is anonymous.*'can'.*if current_user and"):
        client.get("/call")
    assert client.get("/name").text == "[]"
    assert client.get("/test").text == "False False True"
    assert client.get("/guarded").text == "y"
    for rule in ("/each", "/in"):  # neither is endless
        with pytest.raises(TypeError):
            client.get(rule)


def test_an_app_of_strict_templates_gets_the_message_for_any_use(make_app: Any, load: Load) -> None:
    app = make_app(Auth(Bearer(load)))
    app.jinja_env.undefined = StrictUndefined
    app.add_url_rule("/", "v", lambda: render_template_string("{{ current_user.name }}"))
    with pytest.raises(UndefinedError, match="the caller is anonymous"):
        app.test_client().get("/")
    assert app.test_client().get("/", headers=GOOD).text == "Ada"


def test_templates_know_both_proxies_without_set_up(make_app: Any, load: Load) -> None:
    app = make_app(Auth(Bearer(load)))
    app.add_url_rule("/", "v", lambda: render_template_string("{{ current_user.name }} {{ current_identity.subject }}"))
    macro = "{% macro bar() %}{{ current_user.name }}{% endmacro %}"
    app.jinja_env.globals["macro"] = macro
    assert app.test_client().get("/", headers=GOOD).text == "Ada ada"
    with app.app_context():  # an e-mail
        assert render_template_string(NAVIGATION) == "Log in"
        assert render_template_string("{{ 'x' if current_identity else 'y' }}") == "y"
    with pytest.raises(RuntimeError):
        _ = current_user.name


@pytest.mark.parametrize("how", ["global", "context processor"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_another_current_user_stays(make_app: Any, load: Load, how: str, when: str) -> None:
    auth = Auth(Bearer(load))
    app = make_app(None)
    if when == "after":
        auth.init_app(app)
    if how == "global":
        app.jinja_env.globals["current_user"] = "theirs"
    else:
        app.context_processor(lambda: {"current_user": "theirs"})
    if when == "before":
        auth.init_app(app)
    app.add_url_rule("/", "v", lambda: render_template_string("{{ current_user }}"))
    assert app.test_client().get("/", headers=GOOD).text == "theirs"


# --- together with the judgment


def test_the_judgment_reuses_the_answer_and_signals_it_once(make_app: Any, load: Load) -> None:
    auth = Auth(Bearer(load))
    app = make_app(auth)
    names: list[str] = []
    app.before_request(lambda: who() and None)
    app.add_url_rule("/g", "g", auth.login_required(who))
    app.add_url_rule("/f", "f", lambda: abort_forbidden())
    with authenticated.connected_to(lambda *_, identity, **__: names.append(identity.subject)):
        assert app.test_client().get("/g", headers=GOOD).text == "ada"
        assert (load.asked, names) == (["good"], ["ada"])
        assert app.test_client().get("/f", headers=GOOD).status_code == 403
        assert load.asked == ["good", "good"]


def test_an_app_whose_set_up_has_a_mistake_still_has_its_open_pages(make_app: Any, caplog: Any) -> None:
    auth = Auth(SessionCookie(User))  # no SECRET_KEY
    app = make_app(auth)
    app.testing = False
    app.add_url_rule("/", "v", lambda: "nobody" if not current_user else "somebody")
    app.add_url_rule("/g", "g", auth.login_required(who))
    app.register_error_handler(500, lambda error: ("sorry " + ("you" if not current_user else "?"), 500))
    client = app.test_client()
    assert client.get("/").text == "nobody"
    assert (client.get("/g").status_code, client.get("/g").text) == (500, "sorry you")
    assert "is not set up" in caplog.text


def test_a_store_that_is_down_at_the_first_request_identifies_nobody(make_app: Any, load: Load) -> None:
    class Down(MemoryStore):
        is_down = True

        def check(self) -> None:
            if self.is_down:
                raise ConnectionError

    auth = Auth(SessionCookie(User, store=Down()), Bearer(load))
    app = make_app(auth, SECRET_KEY=SECRET_KEY)
    app.testing = False
    app.add_url_rule("/", "v", lambda: "nobody" if not current_user else "somebody")
    client = app.test_client()
    assert client.get("/", headers=GOOD).text == "nobody"
    Down.is_down = False
    assert client.get("/", headers=GOOD).text == "somebody"

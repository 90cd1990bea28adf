"""Where a request is judged: after all hooks, before the view, and in the same place each time."""

import functools
import inspect
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from flask import Blueprint, Flask, Response, g, request
from flask.views import MethodView, View

from flask_unauthorized import Auth, Basic, Bearer, ConfigurationError, Identity, SessionCookie, Unauthorized

GOOD = {"Authorization": "Bearer good"}
PLACES = ("decorated", "protected app", "protected blueprint", "both", "class view", "method", "partial", "nested")

WITH_CLASSES = ("class view", "method", "partial")  # their views are plain functions here


class Site:
    """An app whose only view is guarded in one of several ways; what runs is written down in order."""

    def __init__(self, make_app: Any, place: str, *, is_async: bool = False) -> None:
        self.ran: list[str] = []
        self.auth = Auth(Bearer(self.load))
        self.app: Flask = make_app(self.auth)
        self.app.before_request(lambda: self.note("app hook"))
        self.inner = Blueprint("inner", __name__)
        self.inner.before_request(lambda: self.note("blueprint hook"))
        self.outer = Blueprint("outer", __name__)
        self.outer.register_blueprint(self.inner)
        if place in ("protected app", "both", "nested"):
            self.auth.protect(self.app)
        if place in ("protected blueprint", "both"):
            self.auth.protect(self.inner)
        if place == "nested":
            self.auth.protect(self.outer)
        self.add(place, is_async)
        self.app.register_blueprint(self.outer)

    def note(self, what: str) -> None:
        self.ran.append(what)
        g.prepared = [*getattr(g, "prepared", ()), what]

    def load(self, token: str) -> Identity | None:
        self.ran.append("loader")
        assert g.prepared == ["app hook", "blueprint hook"], "a loader may need what the hooks prepare"
        return Identity("ada") if token == "good" else None

    def above(self, view: Any) -> Any:
        if inspect.iscoroutinefunction(view):

            @functools.wraps(view)
            async def run_async(*args: Any, **kwargs: Any) -> Any:
                self.ran.append("outer decorator")
                return await view(*args, **kwargs)

            return run_async

        @functools.wraps(view)
        def run(*args: Any, **kwargs: Any) -> Any:
            self.ran.append("outer decorator")
            return ("down for maintenance", 503) if "down" in request.args else view(*args, **kwargs)

        return run

    def add(self, place: str, is_async: bool) -> None:
        def view() -> str:
            self.ran.append("view")
            return "fine"

        async def view_async() -> str:
            return view()

        found: Any = view_async if is_async else view
        guard = self.auth.login_required
        if place in ("decorated", "both"):
            found = self.above(guard(found))
        elif place == "partial":
            found = functools.partial(self.above(guard(lambda given: given())), found)
        elif place == "class view":

            class Whole(View):
                decorators = [guard, self.above]

                def dispatch_request(self) -> Any:
                    return view()

            found = Whole.as_view("v")
        elif place == "method":
            above = self.above

            class Method(MethodView):
                @above
                @guard
                def get(self) -> Any:
                    return view()

            found = Method.as_view("v")
        else:
            found = self.above(found)
        self.inner.add_url_rule("/", "v", found)

    def ask(self, query: str = "", **headers: str) -> tuple[Any, ...]:
        self.ran.clear()
        response = self.app.test_client().get("/" + query, headers=headers)
        return response.status_code, response.text, sorted(response.headers), list(self.ran)


@pytest.mark.parametrize(
    ("place", "is_async"),
    [*((place, False) for place in PLACES), *((place, True) for place in PLACES if place not in WITH_CLASSES)],
)
@pytest.mark.parametrize("sent", [{}, GOOD, {"Authorization": "Bearer bad"}], ids=["nothing", "good", "bad"])
def test_the_first_request_is_like_all_others(make_app: Any, place: str, sent: dict[str, str], is_async: bool) -> None:
    # F-01
    site = Site(make_app, place, is_async=is_async)
    first = site.ask(**sent)
    assert first[0] == (200 if sent == GOOD else 401)
    assert first[3][:2] == ["app hook", "blueprint hook"]
    assert ("view" in first[3]) is (sent == GOOD)
    assert [site.ask(**sent) for _ in range(3)] == [first] * 3


@pytest.mark.parametrize("place", PLACES)
def test_a_decorator_above_the_guard_decides_first(make_app: Any, place: str) -> None:
    # F-01: a maintenance page, a validation error, a limiter. What protect() demands is judged before it.
    site = Site(make_app, place)
    protected = place in ("protected app", "protected blueprint", "both", "nested")
    answers = [site.ask("?down") for _ in range(3)]
    assert [answer[0] for answer in answers] == [401 if protected else 503] * 3
    assert site.ask("?down", **GOOD)[0] == 503


def test_a_maintenance_hook_wins_over_protect_each_time(make_app: Any) -> None:
    # F-01
    auth = Auth(Bearer(lambda token: None))
    app = make_app(auth)
    auth.protect(app)
    app.add_url_rule("/", view_func=lambda: "x")
    app.before_request(lambda: ("down for maintenance", 503))
    assert [app.test_client().get("/").status_code for _ in range(3)] == [503] * 3


@pytest.mark.parametrize("place", PLACES)
def test_first_requests_at_the_same_time(make_app: Any, place: str) -> None:
    # F-01
    for _ in range(5):
        site = Site(make_app, place)
        barrier = Barrier(8)

        def ask(number: int, site: Site = site, barrier: Barrier = barrier) -> int:
            barrier.wait(10)
            return site.app.test_client().get("/", headers=GOOD if number % 2 else {}).status_code

        with ThreadPoolExecutor(8) as pool:
            assert list(pool.map(ask, range(8))) == [401, 200] * 4


def test_the_wrapper_keeps_the_attributes_that_other_extensions_look_for(make_app: Any) -> None:
    auth = Auth(Bearer(lambda token: None))
    app = make_app(auth)
    auth.protect(app)

    @app.get("/")
    def shown() -> str:
        """A docstring."""
        return ""

    shown.exempt = True  # type: ignore[attr-defined]
    app.test_client().get("/")
    registered = app.view_functions["shown"]
    assert registered is not shown
    assert registered.__wrapped__ is shown  # type: ignore[attr-defined]
    assert (registered.__name__, registered.__module__, registered.__doc__) == ("shown", __name__, "A docstring.")
    assert registered.exempt is True  # type: ignore[attr-defined]


def test_errors_of_a_view_that_only_protect_guards_keep_their_headers(make_app: Any) -> None:
    auth = Auth(Bearer(lambda token: Identity("ada")), Basic(lambda name, password: None))
    app = make_app(auth, UNAUTHORIZED_GUARD="off")
    auth.protect(app)
    app.register_error_handler(Unauthorized, lambda error: error.get_response())

    @app.get("/")
    def raises() -> str:
        raise Unauthorized("Not today.")

    response = app.test_client().get("/", headers=GOOD)
    assert response.status_code == 401
    assert [line.split()[0] for line in response.headers.getlist("WWW-Authenticate")] == ["Basic", "Bearer"]


# --- class views: what is demanded depends on the method


@pytest.fixture
def methods(make_app: Any) -> Flask:
    roles = {"reader": Identity("r"), "admin": Identity("a", roles={"admin"})}
    auth = Auth(Bearer(roles.get))
    app: Flask = make_app(auth)

    class Item(MethodView):
        def get(self) -> str:
            return "open"

        @auth.login_required
        def put(self) -> str:
            return "put"

        @auth.login_required
        @auth.login_required(roles={"admin"})
        def delete(self) -> str:
            return "deleted"

    app.add_url_rule("/item", view_func=Item.as_view("item"))
    return app


@pytest.mark.parametrize(
    ("method", "token", "status"),
    [
        ("GET", None, 200),
        ("HEAD", None, 200),
        ("GET", "nobody", 200),
        ("PUT", None, 401),
        ("PUT", "nobody", 401),
        ("PUT", "reader", 200),
        ("DELETE", None, 401),
        ("DELETE", "reader", 403),
        ("DELETE", "admin", 200),
        ("OPTIONS", None, 200),
    ],
)
def test_each_method_of_a_class_view_has_its_own_demand(
    methods: Flask, method: str, token: str | None, status: int
) -> None:
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    assert [methods.test_client().open("/item", method=method, headers=headers).status_code for _ in range(2)] == [
        status
    ] * 2


def test_a_class_that_overrides_a_guarded_method_is_warned_of(make_app: Any, caplog: pytest.LogCaptureFixture) -> None:
    # F-05
    auth = Auth(Bearer(lambda token: None))

    class Base(MethodView):
        @auth.login_required
        def get(self) -> str:
            return "base"

        @auth.login_required
        def post(self) -> str:
            return "base"

    class Open(Base):
        def get(self) -> str:
            return "overridden"

    class Guarded(Base):
        @auth.login_required
        def get(self) -> str:
            return "overridden and guarded"

    app = make_app(auth)
    app.add_url_rule("/open", view_func=Open.as_view("opened"))
    app.add_url_rule("/guarded", view_func=Guarded.as_view("guarded"))
    auth.check(app)
    told = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert len(told) == 1
    assert "Open.get" in told[0]
    assert "Base.get" in told[0]
    assert "'opened'" in told[0]
    assert app.test_client().post("/open").status_code == 401


# --- preflights


PREFLIGHT = {"Origin": "https://spa.example", "Access-Control-Request-Method": "POST"}


def test_a_guarded_helper_does_not_answer_preflights(make_app: Any) -> None:
    # F-05
    auth = Auth(Bearer(lambda token: Identity("ada")))
    app = make_app(auth)

    @auth.login_required(scopes={"helper"})
    def helper() -> str:
        return "from the helper"

    @app.route("/", methods=["GET", "OPTIONS"])
    def view() -> str:
        return f"{helper()}, and the view"

    response = app.test_client().options("/", headers=PREFLIGHT)
    assert response.status_code == 401


def test_the_log_names_an_endpoint_whose_guard_the_set_up_cannot_see(make_app: Any, auth: Any, caplog: Any) -> None:
    app = make_app(auth)
    helper = auth.login_required(lambda: "from the helper")
    app.add_url_rule("/", "page", lambda: helper())
    for _ in range(2):
        assert app.test_client().get("/", headers={"Authorization": "Bearer good"}).text == "from the helper"
    (said,) = [text for text in caplog.messages if "a guard runs" in text]
    assert said.startswith("endpoint 'page': a guard runs that is not among its decorators, so an answer that ")


@pytest.mark.parametrize("place", ["decorated", "hook", "wrapped", "protected", "wrapped, and the app protected"])
def test_guards_answer_preflights_where_they_stand(make_app: Any, place: str) -> None:
    auth = Auth(Bearer(lambda token: None))
    app = make_app(auth)
    ran: list[str] = []

    def view() -> str:
        ran.append("view")
        return "x"

    guarded: Any = auth.login_required(view) if place.startswith(("decorated", "wrapped")) else view
    if place.startswith("wrapped"):
        guarded = functools.wraps(guarded)(lambda: guarded_inside())
        guarded_inside = guarded.__wrapped__
    if place == "hook":
        app.before_request(auth.login_required(lambda: None))
    if place.endswith("protected"):
        auth.protect(app, scopes={"write"})
    app.add_url_rule("/", "v", guarded, methods=["GET", "OPTIONS"])
    response = app.test_client().options("/", headers=PREFLIGHT)
    assert response.status_code == 200
    assert set(response.headers["Allow"].split(", ")) == {"GET", "HEAD", "OPTIONS"}
    assert ran == []
    assert app.test_client().options("/").status_code == 401


# --- public


def test_public_does_not_travel_to_another_view(make_app: Any) -> None:
    # F-05: functools.wraps copies __wrapped__ also where the public view is never called.
    auth = Auth(Bearer(lambda token: None))
    app = make_app(auth)
    auth.protect(app)

    @app.get("/open")
    @auth.public
    def opened() -> str:
        return "open"

    @app.get("/other", endpoint="other")
    @functools.wraps(opened)
    def other() -> str:
        return "secret"

    assert app.test_client().get("/open").status_code == 200
    assert app.test_client().get("/other").status_code == 401


def test_public_holds_below_other_decorators_and_on_several_routes(make_app: Any) -> None:
    auth = Auth(Bearer(lambda token: None))
    app = make_app(auth)
    auth.protect(app)

    def other(view: Any) -> Any:
        return functools.wraps(view)(lambda: view())

    app.add_url_rule("/one", "one", decorated := other(auth.public(lambda: "open")))
    app.add_url_rule("/two", "two", decorated)
    assert [app.test_client().get(path).status_code for path in ("/one", "/two")] == [200, 200]


@pytest.mark.parametrize("how", ["public", "abort"])
def test_an_open_view_says_what_its_own_401_offers(make_app: Any, how: str) -> None:
    # F-14: no password box for a refresh endpoint.
    from flask import abort

    from flask_unauthorized import abort_unauthorized

    bearer, basic = Bearer(lambda token: None), Basic(lambda name, password: False)
    auth = Auth(bearer, basic)
    app = make_app(auth)
    auth.protect(app)
    if how == "public":
        for path, stop in (("/a", lambda: abort(401)), ("/b", lambda: ("", 401)), ("/c", abort_unauthorized)):
            app.add_url_rule(path, path[1:], auth.public(via=bearer)(stop))
    else:
        app.add_url_rule("/a", "a", auth.public(lambda: abort_unauthorized(via=bearer)))
        app.add_url_rule("/b", "b", auth.public(lambda: abort_unauthorized("Sign in.", via=[bearer])))
        app.add_url_rule("/c", "c", auth.login_optional(lambda: abort_unauthorized(via=bearer)))
    for path in ("/a", "/b", "/c"):
        response = app.test_client().get(path)
        assert response.status_code == 401
        assert [line.split()[0] for line in response.headers.getlist("WWW-Authenticate")] == ["Bearer"]


def test_what_an_open_view_offers_must_be_a_scheme_of_the_auth(make_app: Any) -> None:
    auth = Auth(Bearer(lambda token: None))
    with pytest.raises(ConfigurationError, match="doesn't have"):
        auth.public(via=Bearer(lambda token: None))
    with pytest.raises(TypeError, match="scheme object"):
        auth.public(via="Bearer")  # type: ignore[call-overload]
    with pytest.raises(TypeError, match="via="):
        auth.public(lambda: "", via=auth.schemes[0])  # type: ignore[call-overload]


# --- a view that is swapped in while serving


@pytest.mark.parametrize("guard", ["protect", "decorator"])
def test_a_view_swapped_in_while_serving_is_judged_by_the_guard(make_app: Any, guard: str) -> None:
    auth = Auth(Bearer({"good": Identity("ada")}.get))
    app = make_app(auth)
    if guard == "protect":
        auth.protect(app)
    app.add_url_rule("/", "v", (lambda: "old") if guard == "protect" else auth.login_required(lambda: "old"))
    client = app.test_client()
    assert client.get("/").status_code == 401
    registered = app.view_functions["v"]
    app.view_functions["v"] = lambda: f"around {registered()}"  # a tool that wraps views while the app serves
    assert client.get("/").status_code == 401
    assert client.get("/", headers=GOOD).text == "around old"
    app.view_functions["v"] = lambda: Response("swapped", headers={"X-From": "swapped"})
    refused = client.get("/")
    assert refused.status_code == 401
    assert "swapped" not in refused.text
    assert "X-From" not in refused.headers
    assert client.get("/", headers=GOOD).text == "swapped"
    app.view_functions["v"] = lambda: ("not found", 404)
    assert client.get("/").status_code == 404


def test_a_view_swapped_in_while_serving_may_log_its_caller_out(make_app: Any) -> None:
    auth = Auth(SessionCookie(Identity))
    app = make_app(auth, SECRET_KEY="a secret of thirty-two characters")
    app.add_url_rule("/in", "in", auth.public(lambda: auth.login("ada").subject or ""), methods=["POST"])
    app.add_url_rule("/", "v", auth.login_required(lambda: "old"), methods=["GET", "POST"])
    client = app.test_client()
    client.post("/in")
    app.view_functions["v"] = lambda: f"bye {auth.require().subject}{auth.logout() or ''}"
    response = client.post("/")
    assert (response.status_code, response.text) == (200, "bye ada")
    assert client.get("/").status_code == 401

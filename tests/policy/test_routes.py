"""The table of routes: what each kind of view, rule and decorator looks like in it."""

import functools
import operator
from typing import Any
from unittest.mock import MagicMock

import pytest
from flask import Blueprint, Flask, current_app, request, session, url_for
from flask.views import MethodView, View

from flask_unauthorized import APIKey, Auth, Bearer, ConfigurationError, Identity, current_user
from flask_unauthorized.policy.routes import Route

ADA = {"Authorization": "Bearer good"}


def states(auth: Auth[Any], app: Flask, rule: str) -> dict[str, str]:
    """Return the state of each method of a rule."""
    found = [route for route in auth.routes(app) if route.rule == rule]
    return {method: route.state for route in found for method in sorted(route.methods)}


def only(auth: Auth[Any], app: Flask, rule: str) -> Route:
    (found,) = [route for route in auth.routes(app) if route.rule == rule]
    return found


def fine(**values: Any) -> str:
    return "fine"


def hiding(view: Any) -> Any:
    """A decorator without functools.wraps."""

    def wrapper(**values: Any) -> Any:
        return view(**values)

    return wrapper


# --- class views


def test_each_method_of_a_class_view_has_its_own_state(auth, make_app):
    class Notes(MethodView):
        @auth.login_required(scopes={"read"})
        def get(self):
            return "fine"

        def post(self):
            return "fine"

        @auth.login_optional
        def put(self):
            return "fine"

    app = make_app(auth)
    app.add_url_rule("/notes", view_func=Notes.as_view("notes"))
    assert states(auth, app, "/notes") == {"GET": "guarded", "HEAD": "guarded", "POST": "open", "PUT": "optional"}
    client = app.test_client()
    found = {method: client.open("/notes", method=method).status_code for method in ("GET", "HEAD", "POST", "PUT")}
    assert found == {"GET": 401, "HEAD": 401, "POST": 200, "PUT": 200}


def test_a_decorated_dispatch_request_guards_all_methods(auth, make_app):
    class Report(View):
        methods = ("GET", "POST")

        @auth.login_required
        def dispatch_request(self):
            return "fine"

    app = make_app(auth)
    app.add_url_rule("/report", view_func=Report.as_view("report"))
    assert states(auth, app, "/report") == {"GET": "guarded", "HEAD": "guarded", "POST": "guarded"}


def test_decorators_of_a_class_add_to_those_of_its_methods(auth, make_app):
    class Notes(MethodView):
        decorators = (auth.login_required(scopes={"a"}),)

        @auth.login_required(scopes={"b"})
        def get(self):
            return "fine"

        def post(self):
            return "fine"

    app = make_app(auth)
    app.add_url_rule("/notes", view_func=Notes.as_view("notes"))
    found = {route.methods: route.requirement.scopes for route in auth.routes(app) if route.rule == "/notes"}
    assert found == {frozenset({"GET", "HEAD"}): {("a",), ("b",)}, frozenset({"POST"}): {("a",)}}


def test_a_guarded_helper_of_a_class_is_a_doubt(auth, make_app):
    class Notes(View):
        def dispatch_request(self):
            return self.read()

        @auth.login_required
        def read(self):
            return "fine"

    app = make_app(auth)
    app.add_url_rule("/notes", view_func=Notes.as_view("notes"))
    assert only(auth, app, "/notes").state == "unknown"
    assert only(auth, app, "/notes").because == "a guard around read of the class may run or not"


def test_method_decorators_of_flask_restful(auth, make_app):
    import flask_restful

    class ByMethod(flask_restful.Resource):
        method_decorators = {"get": [auth.login_required(scopes={"a"})]}

        def get(self):
            return {}

        def post(self):
            return {}

    class ByList(ByMethod):
        method_decorators = [auth.login_required]

    app = make_app(auth)
    api = flask_restful.Api(app)
    api.add_resource(ByMethod, "/by-method")
    api.add_resource(ByList, "/by-list")
    # flask-restful looks for decorators of "head", so those of "get" don't guard HEAD.
    assert states(auth, app, "/by-method") == {"GET": "guarded", "HEAD": "open", "POST": "open"}
    assert states(auth, app, "/by-list") == {"GET": "guarded", "HEAD": "guarded", "POST": "guarded"}
    client = app.test_client()
    found = {method: client.open("/by-method", method=method).status_code for method in ("GET", "HEAD", "POST")}
    assert found == {"GET": 401, "HEAD": 200, "POST": 200}


def test_unknown_method_decorators_of_flask_restful_are_a_doubt(auth, make_app):
    import flask_restful

    def guarded_for_all(view):
        return auth.login_required(view)

    class Notes(flask_restful.Resource):
        method_decorators = [guarded_for_all]

        def get(self):
            return {}

    app = make_app(auth)
    flask_restful.Api(app).add_resource(Notes, "/notes")
    route = only(auth, app, "/notes")
    assert route.state == "unknown"
    assert route.because.endswith("<locals>.guarded_for_all")
    assert app.test_client().get("/notes").status_code == 401


@pytest.mark.parametrize("kind", [lambda function: function, staticmethod, classmethod])
def test_a_guarded_helper_of_a_class_view_is_a_doubt(auth, make_app, kind):
    class Notes(MethodView):
        read = kind(auth.login_required(lambda *_: "notes"))

        def get(self):
            return self.read() if "all" in request.args else "fine"

    app = make_app(auth)
    app.add_url_rule("/notes", view_func=Notes.as_view("notes"))
    assert only(auth, app, "/notes").state == "unknown"
    client = app.test_client()
    assert [client.get(url).status_code for url in ("/notes", "/notes?all")] == [200, 401]


# --- what hides a guard


def test_a_wrapper_without_wraps_is_unknown_because_it_may_skip_the_guard(auth, make_app):
    def at_night(view):
        def wrapper():
            return view() if wrapper.is_night else "open by day"

        wrapper.is_night = False
        return wrapper

    app = make_app(auth)
    app.add_url_rule("/hidden", view_func=at_night(auth.login_required(lambda: "fine")), endpoint="hidden")
    route = only(auth, app, "/hidden")
    assert (route.state, route.requirement, route.schemes) == ("unknown", None, ())
    assert "add functools.wraps" in route.because
    assert app.test_client().get("/hidden").text == "open by day"  # so "guarded" would be wrong


def test_functools_wraps_makes_the_guard_visible(auth, make_app):
    def at_night(view):
        @functools.wraps(view)
        def wrapper():
            return "open by day"

        return wrapper

    app = make_app(auth)
    app.add_url_rule("/seen", view_func=at_night(auth.login_required(lambda: "fine")), endpoint="seen")
    assert only(auth, app, "/seen").state == "guarded"
    assert app.test_client().get("/seen").status_code == 401  # by late judgment


class Holder:
    def __init__(self, view: Any) -> None:
        self.view = view

    def __call__(self) -> Any:
        return self.view()

    def run(self) -> Any:
        return self.view()


@pytest.mark.parametrize(
    "hide",
    [
        hiding,
        lambda view: hiding(hiding(view)),
        lambda view: hiding(functools.partial(view)),
        lambda view: hiding({"views": [view]}["views"][0]),
        lambda view: lambda views=(view,): views[0](),
        lambda view: lambda *, views={"a": [view]}: views["a"][0](),
        lambda view: functools.partial(lambda inner: inner(), view),
        lambda view: functools.partial(lambda inner: inner(), inner=view),
        Holder,
        lambda view: Holder(view).run,
        lambda view: hiding(Holder(view)),
        lambda view: hiding(Holder(view).run),
        lambda view: hiding(functools.lru_cache(view)),
    ],
)
def test_a_guard_is_found_wherever_a_view_holds_it(auth, make_app, hide):
    app = make_app(auth)
    view = auth.login_required(lambda: "fine")
    app.add_url_rule("/held", view_func=hide(view), endpoint="held")
    app.add_url_rule("/free", view_func=hide(lambda: "fine"), endpoint="free")
    assert only(auth, app, "/held").state == "unknown"
    assert only(auth, app, "/free").state == "open"
    assert app.test_client().get("/held").status_code == 401
    assert app.test_client().get("/free").status_code == 200


def test_what_views_of_a_factory_hold_is_no_doubt(auth, make_app):
    app = make_app(auth)
    blueprint, extension, user = Blueprint("b", __name__), Holder(lambda: "fine"), current_app

    @app.get("/guarded")
    @auth.login_required
    def guarded():
        return "fine"

    @app.get("/")
    def index():
        return f"{app.name}{blueprint.name}{auth.get_identity()}{extension()}{user}{url_for('guarded')}{MethodView}"

    class Notes(MethodView):
        @auth.login_required
        def get(self):
            return "fine"

        def post(self):
            return super().__repr__()

    app.add_url_rule("/notes", view_func=Notes.as_view("notes"))
    assert only(auth, app, "/").state == "open"
    assert states(auth, app, "/notes")["POST"] == "open"


def test_odd_objects_that_a_view_holds_are_no_obstacle(auth, make_app):
    class Hostile:
        def __getattribute__(self, name):
            raise RuntimeError(name)

        def __call__(self):
            return "fine"

    class Slotted:
        __slots__ = ("never_set",)

        def __call__(self):
            return "fine"

    hostile, slotted, mock, circle = Hostile(), Slotted(), MagicMock(), []
    circle.append(circle)

    def view(key=len, convert=int, proxy=current_user, session=session):
        return str((hostile, slotted, mock, circle, later))

    app = make_app(auth)
    app.add_url_rule("/", "view", view)
    assert only(auth, app, "/").state == "open"
    later = "a variable that had no value until now"


def test_a_global_guarded_function_is_a_doubt(auth, make_app):
    scope = {"helper": auth.login_required(lambda: "fine")}
    exec("def view(): return helper()", scope)
    app = make_app(auth)
    app.add_url_rule("/", view_func=scope["view"])
    assert only(auth, app, "/").state == "unknown"


def test_too_much_to_look_at_is_a_doubt(auth, make_app, monkeypatch):
    monkeypatch.setattr("flask_unauthorized.policy.hidden_guards.MAX_OBJECTS", 3)
    app = make_app(auth)
    app.add_url_rule("/", view_func=hiding(hiding(hiding(hiding(fine)))), endpoint="deep")
    assert only(auth, app, "/").state == "unknown"


def test_views_that_cannot_be_read_are_unknown(auth, make_app):
    app = make_app(auth)
    app.add_url_rule("/compiled", "compiled", operator.itemgetter("x"))
    app.add_url_rule("/missing", "missing")
    assert only(auth, app, "/compiled").because == "the view isn't written in Python, so it may hide a guard"
    assert only(auth, app, "/missing").because == "the endpoint has no view"
    assert {route.state for route in auth.routes(app) if route.endpoint != "static"} == {"unknown"}


def test_a_call_of_require_cannot_be_seen(auth, make_app):
    app = make_app(auth)
    app.add_url_rule("/inline", "inline", lambda: auth.require().subject)
    assert only(auth, app, "/inline").state == "open"


def test_a_guard_above_the_route_guards_nothing(auth, make_app):
    app = make_app(auth)
    auth.login_required(app.get("/wrong")(lambda: "fine"))
    assert only(auth, app, "/wrong").state == "open"
    with pytest.raises(ConfigurationError, match="Put the route on top"):
        auth.check(app)


# --- levels


def test_blueprints_nested_and_registered_twice(auth, make_app):
    app = make_app(auth)
    outer, inner = Blueprint("outer", __name__), Blueprint("inner", __name__)
    auth.protect(inner, scopes={"inner"})
    inner.add_url_rule("/a", "a", fine)
    outer.register_blueprint(inner, url_prefix="/inner")
    outer.add_url_rule("/b", "b", fine)
    app.register_blueprint(outer, url_prefix="/one")
    app.register_blueprint(outer, url_prefix="/two", name="again")
    found = {route.rule: (route.endpoint, route.state, route.levels) for route in auth.routes(app)}
    assert found["/one/inner/a"] == (
        "outer.inner.a", "guarded", ("auth.protect(outer.inner): login_required(scopes=['inner'])",)
    )  # fmt: skip
    assert found["/two/inner/a"][:2] == ("again.inner.a", "guarded")
    assert found["/one/b"][:2] == ("outer.b", "open")


def test_reasons_of_public_routes(auth, make_app):
    app = make_app(auth)
    auth.protect(app, public={"health": "load balancer", "static": "assets"})
    app.add_url_rule("/health", "health", fine)
    app.add_url_rule("/about", "about", auth.public(reason="about us")(lambda: "fine"))
    app.add_url_rule("/silent", "silent", auth.public(lambda: "fine"))
    app.add_url_rule("/closed", "closed", fine)
    found = {route.endpoint: (route.state, route.because) for route in auth.routes(app)}
    assert found == {
        "static": ("public", "assets"),
        "health": ("public", "load balancer"),
        "about": ("public", "about us"),
        "silent": ("public", None),
        "closed": ("guarded", None),
    }


def test_static_files_of_flask_are_public_unless_they_are_protected(auth, make_app, tmp_path):
    app = make_app(auth)
    blueprint = Blueprint("part", __name__, static_folder=str(tmp_path), url_prefix="/part")
    app.register_blueprint(blueprint)
    own = Blueprint("own", __name__, url_prefix="/own")
    own.add_url_rule("/static", "static", lambda: "an API of that name")
    app.register_blueprint(own)
    found = {route.endpoint: (route.state, route.because) for route in auth.routes(app)}
    assert found == {
        "static": ("public", "static files"),
        "part.static": ("public", "static files"),
        "own.static": ("open", None),
    }
    auth.protect(app)
    assert {route.state for route in auth.routes(app)} == {"guarded"}


def test_unless_makes_a_route_conditional_only_if_it_can_open_it(auth, make_app):
    app = make_app(auth)
    blueprint = Blueprint("part", __name__, url_prefix="/part")
    auth.protect(blueprint)
    sometimes = auth.login_required(scopes={"a"}, unless=lambda: True)
    app.add_url_rule("/sometimes", "sometimes", sometimes(lambda: "fine"))
    blueprint.add_url_rule("/always", "always", sometimes(lambda: "fine"))
    app.add_url_rule("/never", "never", auth.login_optional(unless=lambda: True)(lambda: "fine"))
    stacked = auth.login_required(sometimes(lambda: "fine"))
    app.add_url_rule("/stacked", "stacked", stacked)
    app.register_blueprint(blueprint)
    found = {route.endpoint: route for route in auth.routes(app)}
    assert found["sometimes"].state == "conditional"
    assert found["sometimes"].requirement.scopes == {("a",)}
    assert found["part.always"].state == found["stacked"].state == "guarded"
    assert found["never"].state == "optional"


def test_very_many_conditions_are_never_guarded_without_trying_all(auth, make_app):
    view: Any = lambda: "fine"  # noqa: E731
    for _ in range(7):
        view = auth.login_required(unless=lambda: True)(view)
    app = make_app(auth)
    app.add_url_rule("/", "many", view)
    app.add_url_rule("/more", "more", auth.login_required(view))
    assert only(auth, app, "/").state == only(auth, app, "/more").state == "conditional"


def test_guarded_hooks_count(auth, make_app):
    app = make_app(auth)
    blueprint = Blueprint("part", __name__, url_prefix="/part")
    blueprint.before_request(auth.login_required(scopes={"a"})(lambda: None))
    blueprint.add_url_rule("/", "view", auth.public(lambda: "fine"))
    app.register_blueprint(blueprint)
    app.add_url_rule("/", "view", lambda: "fine")
    found = {route.endpoint: route for route in auth.routes(app)}
    assert found["part.view"].state == "guarded"
    assert found["part.view"].levels == ("before_request: @auth.login_required(scopes=['a'])",)
    assert found["view"].state == "open"
    assert app.test_client().get("/part/").status_code == 401


def test_a_hook_with_a_decorator_above_its_guard_is_a_doubt(auth, make_app):
    def never(hook):
        @functools.wraps(hook)
        def skip():
            return None

        return skip

    app = make_app(auth)
    app.before_request(never(auth.login_required(lambda: None)))
    app.add_url_rule("/", "view", lambda: "fine")
    route = only(auth, app, "/")
    assert (route.state, route.because) == (
        "unknown", "a before_request function holds a guard that may run or not: put the guard on top"
    )  # fmt: skip
    assert app.test_client().get("/").text == "fine"


def test_a_hook_whose_inner_guard_may_be_skipped_is_a_doubt(auth, make_app):
    """The roles of the inner guard hold for some requests only, so the table must not list them."""

    def sometimes(hook):
        @functools.wraps(hook)
        def skip():
            return None if "skip" in request.args else hook()

        return skip

    app = make_app(auth)
    app.before_request(auth.login_required(sometimes(auth.login_required(roles={"admin"})(lambda: None))))
    app.add_url_rule("/", "view", lambda: "fine")
    route = only(auth, app, "/")
    assert (route.state, route.requirement) == ("unknown", None)
    twice = make_app(auth)
    twice.before_request(auth.login_required(auth.login_required(roles={"admin"})(lambda: None)))
    twice.add_url_rule("/", "view", lambda: "fine")
    assert only(auth, twice, "/").requirement.roles == {("admin",)}


def test_schemes_are_those_in_force(make_app):
    bearer, key = Bearer({}.get), APIKey({}.get)
    auth = Auth(bearer, key)
    app = make_app(auth)
    app.add_url_rule("/all", "all", auth.login_required(lambda: "fine"))
    app.add_url_rule("/one", "one", auth.login_required(via=key)(lambda: "fine"))
    app.add_url_rule("/login", "login", auth.public(via=bearer)(lambda: "fine"))
    app.add_url_rule("/open", "open", lambda: "fine")
    found = {route.endpoint: route.schemes for route in auth.routes(app) if route.endpoint != "static"}
    assert found == {"all": (bearer, key), "one": (key,), "login": (bearer,), "open": ()}


# --- kinds of rules


def test_methods_and_automatic_options(auth, make_app):
    app = make_app(auth)
    app.add_url_rule("/automatic", "automatic", fine)
    app.add_url_rule("/named", "named", fine, methods=["OPTIONS", "DELETE"])
    assert states(auth, app, "/automatic") == {"GET": "open", "HEAD": "open"}
    assert states(auth, app, "/named") == {"OPTIONS": "open", "DELETE": "open"}


def test_special_rules_are_marked(auth, make_app):
    app = make_app(auth)
    guarded = auth.login_required(lambda: "fine")
    app.add_url_rule("/new", "new", guarded)
    app.add_url_rule("/alias", "new", alias=True)
    app.add_url_rule("/old", "old", redirect_to="/new")
    app.add_url_rule("/socket", "socket", guarded, websocket=True)
    app.add_url_rule("/built", "built", guarded, build_only=True)
    found = {route.rule: (route.kind, route.state, route.because) for route in auth.routes(app)}
    del found["/static/<path:filename>"]
    assert found == {
        "/new": ("view", "guarded", None),
        "/alias": ("redirect", "public", "the rule redirects"),
        "/old": ("redirect", "public", "the rule redirects"),
        "/socket": ("websocket", "guarded", None),
        "/built": ("build_only", "public", "the rule only builds URLs"),
    }
    client = app.test_client()
    assert [client.get(path).status_code for path in ("/new", "/alias", "/old", "/built")] == [401, 308, 308, 404]
    app.url_map.redirect_defaults = False
    assert [(route.kind, route.state) for route in auth.routes(app) if route.rule == "/alias"] == [("alias", "guarded")]


def test_subdomains_and_hosts(auth, make_app):
    app = make_app(auth)
    app.add_url_rule("/", "api", auth.login_required(lambda: "fine"), subdomain="api")
    app.add_url_rule("/", "www", lambda: "fine")
    found = [(route.subdomain, route.host, route.state) for route in auth.routes(app) if route.rule == "/"]
    assert found == [(None, None, "open"), ("api", None, "guarded")]
    other = Auth(Bearer({}.get))
    app = Flask("hosts", host_matching=True, static_host="a.test")
    other.init_app(app)
    app.add_url_rule("/", "b", other.login_required(lambda: "fine"), host="b.test")
    app.add_url_rule("/", "a", lambda: "fine", host="a.test")
    found = [(route.subdomain, route.host, route.state) for route in other.routes(app) if route.rule == "/"]
    assert found == [(None, "a.test", "open"), (None, "b.test", "guarded")]


def test_a_rule_that_takes_any_method_has_none(auth, make_app):
    app = make_app(auth)
    auth.forward_auth("/auth", proxies=["127.0.0.1"])
    route = only(auth, app, "/auth")
    assert (route.methods, route.state) == (frozenset(), "guarded")

    class Notes(MethodView):
        @auth.login_required
        def get(self):
            return "fine"

    app.url_map.add(app.url_rule_class("/any", endpoint="any"))
    app.view_functions["any"] = Notes.as_view("any")
    assert only(auth, app, "/any").state == "unknown"


# --- the table as a whole


def test_the_place_of_a_view(auth, make_app):
    class Notes(MethodView):
        @auth.login_required
        def get(self):
            return "fine"

    app = make_app(auth)
    app.add_url_rule("/notes", view_func=Notes.as_view("notes"))
    app.add_url_rule("/fine", view_func=functools.partial(auth.login_required(fine)), endpoint="fine")
    app.add_url_rule("/object", "object", Holder(fine))
    notes, function, holder = (only(auth, app, rule) for rule in ("/notes", "/fine", "/object"))
    assert notes.view == f"{__name__}:test_the_place_of_a_view.<locals>.Notes.get"
    assert notes.line == Notes.get.__wrapped__.__code__.co_firstlineno
    assert (function.view, function.file, function.line) == (f"{__name__}:fine", __file__, fine.__code__.co_firstlineno)
    assert (holder.view, holder.file) == (f"{__name__}:Holder", __file__)


def test_the_table_is_sorted_and_the_same_while_the_app_serves(auth, make_app):
    app = make_app(auth)
    auth.protect(app, public={"b"})
    app.add_url_rule("/z", "z", auth.login_optional(lambda: "fine"), methods=["POST", "DELETE"])
    app.add_url_rule("/b", "b", fine)
    app.add_url_rule("/a", "a", hiding(auth.login_required(lambda: "fine")))
    before = auth.routes(app)
    assert [route.rule for route in before] == ["/a", "/b", "/static/<path:filename>", "/z"]
    assert app.test_client().get("/b").status_code == 200
    assert auth.routes(app) == before
    assert len(set(before)) == 4  # routes can be members of sets


def test_nothing_of_the_app_is_called(make_app):
    class Touchy(Bearer):
        def check(self, app: Flask) -> None:
            raise AssertionError("checked")

    def explode(*args: Any) -> Identity:
        raise AssertionError("called")

    auth = Auth(Touchy(explode))
    app = make_app(auth)
    app.add_url_rule("/", "view", auth.login_required(unless=explode)(explode))
    app.before_request(explode)
    assert [route.state for route in auth.routes(app)] == ["conditional", "public"]


def test_a_class_view_without_a_rule_is_no_route(auth, make_app):
    app = make_app(auth)
    app.view_functions["later"] = MethodView.as_view("later")
    assert [route.endpoint for route in auth.routes(app)] == ["static"]
    auth.check(app)


def test_an_app_has_the_table_of_its_own_auth(auth, make_app):
    other = Auth(Bearer({}.get))
    app = make_app(auth)
    app.add_url_rule("/", "view", other.login_required(lambda: "fine"))
    route = only(auth, app, "/")
    assert (route.state, route.because) == (
        "unknown", "a guard of another Auth is around the view: it makes each request a 500"
    )  # fmt: skip
    with pytest.raises(ConfigurationError, match=r"served by another Auth: call routes\(\) of that one"):
        other.routes(app)
    with pytest.raises(ConfigurationError, match="init_app"):
        auth.routes(Flask("alone"))
    with pytest.raises(TypeError, match="routes takes a Flask app, not 'app'"):
        auth.routes("app")

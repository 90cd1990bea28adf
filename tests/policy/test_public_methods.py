"""`Auth.public` on a method of a class view opens this method, and nothing else."""

import functools
from collections import Counter
from typing import Any

import pytest
from flask import Blueprint, Flask
from flask.views import MethodView, View

from flask_unauthorized import APIKey, Auth, Bearer, ConfigurationError, Identity, SessionCookie, abort_unauthorized
from flask_unauthorized.audit.demand import demand_of, names_of_schemes
from flask_unauthorized.audit.findings import find_mistakes
from flask_unauthorized.audit.lock_file import make_lock, render
from flask_unauthorized.audit.read_app import read_app
from flask_unauthorized.runtime.app_state import app_state_of
from flask_unauthorized.testing import assert_all_guarded

from ..helpers import challenge_lines
from .test_decorations import cached

ADA = {"Authorization": "Bearer good"}
WRONG = {"Authorization": "Bearer nobody"}
PREFLIGHT = {"Origin": "https://a.example", "Access-Control-Request-Method": "POST"}
METHODS = ("GET", "HEAD", "OPTIONS", "POST", "PUT")


def logged(view: Any) -> Any:
    return functools.wraps(view)(lambda *args, **kwargs: view(*args, **kwargs))


def states(auth: Auth[Any], app: Flask, rule: str = "/notes") -> dict[str, str]:
    found = [route for route in auth.routes(app) if route.rule == rule]
    return {method: route.state for route in found for method in sorted(route.methods)}


def statuses(app: Flask, headers: Any = (), path: str = "/notes", methods: Any = METHODS) -> dict[str, int]:
    client = app.test_client()
    return {method: client.open(path, method=method, headers=dict(headers)).status_code for method in methods}


def make_notes(auth: Auth[Any], **members: Any) -> type[MethodView]:
    class Notes(MethodView):
        @auth.public(reason="anyone may read")
        def get(self) -> Any:
            return "notes"

        def post(self) -> Any:
            return "added"

    return type("Notes", (Notes,), members)


def serve(app: Flask, kind: type[View]) -> Flask:
    app.add_url_rule("/notes", view_func=kind.as_view("notes"))
    return app


@pytest.fixture
def app(auth, make_app):
    app = make_app(auth)
    auth.protect(app, public={"static"})
    return serve(app, make_notes(auth))


def test_a_public_method_is_open_beside_a_guarded_one(auth, app):
    auth.check(app)
    assert states(auth, app) == {"GET": "public", "HEAD": "public", "POST": "guarded"}
    assert statuses(app) == {"GET": 200, "HEAD": 200, "OPTIONS": 200, "POST": 401, "PUT": 405}
    assert statuses(app, WRONG) == {"GET": 200, "HEAD": 200, "OPTIONS": 200, "POST": 401, "PUT": 405}
    assert statuses(app, ADA) == {"GET": 200, "HEAD": 200, "OPTIONS": 200, "POST": 200, "PUT": 405}
    assert app.test_client().options("/notes", headers=PREFLIGHT).status_code == 200
    assert states(auth, app) == {"GET": "public", "HEAD": "public", "POST": "guarded"}  # the views are wrapped now


def test_what_was_asked_before_changes_nothing(auth, app):
    for method, status in [("POST", 401), ("GET", 200), ("POST", 401), ("HEAD", 200), ("POST", 401)]:
        assert app.test_client().open("/notes", method=method).status_code == status


def test_every_reader_of_the_table_says_so(auth, app):
    (public,) = [route for route in auth.routes(app) if route.methods == {"GET", "HEAD"} and route.rule == "/notes"]
    assert (public.because, public.requirement, public.levels) == ("anyone may read", None, ())
    names = {"/notes", "static"}
    assert_all_guarded(app, except_=names)
    with pytest.raises(AssertionError, match="GET"):
        assert_all_guarded(app, except_={"static"})
    document = {"openapi": "3.1.0", "info": {}, "paths": {"/notes": {"get": {}, "post": {}}}}
    paths = auth.openapi(document)["paths"]["/notes"]
    assert (paths["get"]["security"], paths["post"]["security"]) == ([], [{"Bearer": []}])
    state = app_state_of(app)
    audited, mistake = read_app(state)
    assert mistake is None
    found = [
        (one.id, one.level, one.message) for one in find_mistakes(audited, reasons=True) if "/notes" in one.subject
    ]
    assert found == [("A3", "note", "public beside guarded methods: anyone may read")]


def test_without_protect_the_mark_is_what_the_audit_asks_for(auth, make_app):
    kind = make_notes(auth, post=auth.login_required(lambda self: "added"))
    app = serve(make_app(auth), kind)
    auth.check(app)
    assert states(auth, app) == {"GET": "public", "HEAD": "public", "POST": "guarded"}
    assert statuses(app, methods=("GET", "POST")) == {"GET": 200, "POST": 401}


def test_a_blueprint_may_protect_as_well(auth, make_app):
    app, blueprint = make_app(auth), Blueprint("b", __name__)
    auth.protect(blueprint, scopes={"read"})
    blueprint.add_url_rule("/notes", view_func=make_notes(auth).as_view("notes"))
    app.register_blueprint(blueprint)
    auth.check(app)
    assert states(auth, app) == {"GET": "public", "HEAD": "public", "POST": "guarded"}
    assert statuses(app, methods=("GET", "POST")) == {"GET": 200, "POST": 401}


@pytest.mark.parametrize("above", [False, True])
def test_decorators_may_stand_above_or_below_the_mark(auth, make_app, above):
    def get(self):
        return "notes"

    app = make_app(auth)
    auth.protect(app)
    serve(app, make_notes(auth, get=logged(auth.public(get)) if above else auth.public(logged(get))))
    assert statuses(app, methods=("GET", "POST")) == {"GET": 200, "POST": 401}


def test_async_methods(auth, make_app):
    pytest.importorskip("asgiref")

    async def get(self):
        return "notes"

    async def post(self):
        return "added"

    app = make_app(auth)
    auth.protect(app)
    serve(app, make_notes(auth, get=auth.public(get), post=post))
    assert statuses(app, methods=("GET", "HEAD", "POST")) == {"GET": 200, "HEAD": 200, "POST": 401}


def test_a_head_of_its_own_needs_its_own_mark(auth, make_app):
    app = make_app(auth)
    auth.protect(app)
    serve(app, make_notes(auth, head=lambda self: ""))
    assert states(auth, app) == {"GET": "public", "HEAD": "guarded", "POST": "guarded"}
    assert statuses(app, methods=("GET", "HEAD")) == {"GET": 200, "HEAD": 401}


@pytest.mark.parametrize(("marked", "status"), [(True, 200), (False, 401)])
def test_options_of_the_class(auth, make_app, marked, status):
    def options(self):
        entered["options"] += 1
        return "options"

    entered: Counter[str] = Counter()
    app = make_app(auth)
    auth.protect(app)
    serve(app, make_notes(auth, options=auth.public(options) if marked else options))
    assert states(auth, app)["OPTIONS"] == ("public" if marked else "guarded")
    assert app.test_client().options("/notes").status_code == status
    assert entered["options"] == int(marked)
    # A preflight has no credentials, so it reaches the method only if this one is public.
    assert app.test_client().options("/notes", headers=PREFLIGHT).status_code == 200
    assert entered["options"] == 2 * int(marked)


# --- inheritance


def test_a_public_method_is_inherited(auth, make_app):
    app = make_app(auth)
    auth.protect(app)
    serve(app, type("Sub", (make_notes(auth),), {"put": lambda self: "put"}))
    assert states(auth, app) == {"GET": "public", "HEAD": "public", "POST": "guarded", "PUT": "guarded"}
    assert statuses(app, methods=("GET", "PUT")) == {"GET": 200, "PUT": 401}


def test_an_override_without_the_mark_is_not_public(auth, make_app):
    base = make_notes(auth)

    class Plain(base):
        def get(self):
            return super().get()

    class Copying(base):
        @functools.wraps(base.get)
        def get(self):
            return "of my own"

    app = make_app(auth)
    auth.protect(app)
    app.add_url_rule("/plain", view_func=Plain.as_view("plain"))
    app.add_url_rule("/copying", view_func=Copying.as_view("copying"))
    for path in ("/plain", "/copying"):
        assert states(auth, app, path) == {"GET": "guarded", "HEAD": "guarded", "POST": "guarded"}
        assert statuses(app, path=path, methods=("GET", "HEAD")) == {"GET": 401, "HEAD": 401}


def test_a_method_that_copies_the_name_of_another_public_view_is_not_public(auth, make_app):
    @auth.public
    def health():
        return "up"

    class Copying(MethodView):
        @functools.wraps(health)
        def get(self):
            return "of my own"

    app = make_app(auth)
    auth.protect(app)
    app.add_url_rule("/health", view_func=health)
    serve(app, Copying)
    assert states(auth, app) == {"GET": "guarded", "HEAD": "guarded"}
    assert statuses(app, methods=("GET",)) == {"GET": 401}


def test_a_public_override_of_a_guarded_method_is_meant(auth, make_app, caplog):
    class Base(MethodView):
        get = auth.login_required(lambda self: "base")

    class Open(Base):
        get = auth.public(lambda self: "open")

    app = serve(make_app(auth), Open)
    auth.check(app)
    assert states(auth, app) == {"GET": "public", "HEAD": "public"}
    assert statuses(app, methods=("GET",)) == {"GET": 200}
    assert caplog.messages == []


# --- callers


@pytest.mark.parametrize(("headers", "caller"), [(ADA, "ada"), ({}, "None"), (WRONG, "None")])
def test_a_public_method_knows_its_caller(auth, make_app, headers, caller):
    app = make_app(auth)
    auth.protect(app)
    serve(app, make_notes(auth, get=auth.public(lambda self: str(getattr(auth.get_identity(), "subject", None)))))
    assert app.test_client().get("/notes", headers=headers).text == caller


def test_require_in_a_public_method_demands_only_what_it_names(auth, make_app):
    def get(self):
        auth.require()
        return "notes"

    app = make_app(auth)
    auth.protect(app, scopes={"write"})
    serve(app, make_notes(auth, get=auth.public(get)))
    found = [statuses(app, headers, methods=("GET", "POST")) for headers in ({}, ADA)]
    assert found == [{"GET": 401, "POST": 401}, {"GET": 200, "POST": 403}]


def test_via_names_the_schemes_of_its_own_401(make_app):
    key = APIKey(lambda key: None)
    auth = Auth(Bearer({"good": Identity("ada")}.get), key, realm="r")

    class Notes(MethodView):
        @auth.public(via=key)
        def get(self):
            abort_unauthorized("send a key")

        @auth.public
        def put(self):
            abort_unauthorized("send anything")

        def post(self):
            return "added"

    app = serve(make_app(auth), Notes)
    auth.protect(app)
    offered = {
        method: [line.split()[0] for line in challenge_lines(app.test_client().open("/notes", method=method))]
        for method in ("GET", "PUT", "POST")
    }
    assert offered == {"GET": ["ApiKey"], "PUT": ["Bearer", "ApiKey"], "POST": ["Bearer", "ApiKey"]}
    schemes = {
        method: route.schemes for route in auth.routes(app) for method in route.methods if route.rule == "/notes"
    }
    assert (schemes["GET"], schemes["PUT"]) == ((key,), ())


def test_a_public_method_that_calls_a_guarded_one_is_judged_there(make_app):
    scopes = {"good": {"read"}, "boss": {"read", "write"}}
    auth = Auth(Bearer(lambda token: Identity("one", scopes=scopes[token]) if token in scopes else None))
    kind = make_notes(
        auth,
        get=auth.public(lambda self: self.post()),
        post=auth.login_required(scopes={"read"})(lambda self: "added"),
    )
    app = make_app(auth)
    auth.protect(app, scopes={"write"})
    serve(app, kind)
    # `protect` demands "write" of POST alone, whichever of the two comes first, and whoever has called before.
    for methods in (("GET", "POST"), ("POST", "GET")):
        assert statuses(app, {"Authorization": "Bearer boss"}, methods=methods) == {"GET": 200, "POST": 200}
        assert statuses(app, ADA, methods=methods) == {"GET": 200, "POST": 403}
        assert statuses(app, methods=methods) == {"GET": 401, "POST": 401}


@pytest.mark.parametrize("methods", [("GET", "POST"), ("POST", "GET")])
def test_a_guarded_hook_is_judged_for_each_method(auth, make_app, methods):
    app = make_app(auth)
    app.before_request(auth.login_required(lambda: None))
    auth.protect(app, scopes={"write"})
    serve(app, make_notes(auth))
    assert states(auth, app) == {"GET": "guarded", "HEAD": "guarded", "POST": "guarded"}
    assert statuses(app, ADA, methods=methods) == {"GET": 200, "POST": 403}
    assert statuses(app, methods=methods) == {"GET": 401, "POST": 401}


@pytest.mark.parametrize("place", ["class", "method", "class with public methods only"])
def test_a_cache_around_the_class_could_show_guarded_data_by_a_public_method(auth, make_app, place):
    """A cache keys its responses by path, so that GET would get what POST returned."""
    members = {"decorators": [] if place == "method" else [cached]}
    if place == "method":
        members["get"] = cached(auth.public(lambda self: "notes"))
    elif place == "class with public methods only":
        members["post"] = auth.public(lambda self: "added")
    app = make_app(auth)
    auth.protect(app)
    serve(app, make_notes(auth, **members))
    if place == "class":
        with pytest.raises(ConfigurationError, match=r"^endpoint 'notes' has a cache above its guard"):
            auth.check(app)
    else:
        auth.check(app)
        assert statuses(app, methods=("GET",)) == {"GET": 200}


def test_a_guarded_helper_of_a_public_method_is_known(auth, make_app, caplog):
    helper = auth.login_required(lambda: "helped")
    app = serve(make_app(auth), make_notes(auth, get=auth.public(lambda self: helper())))
    assert [statuses(app, headers, methods=("GET",))["GET"] for headers in ({}, ADA)] == [401, 200]
    assert [line for line in caplog.messages if "a guard runs that is not among its decorators" in line] == []


def test_a_response_from_above_a_method_is_judged_unless_it_is_public(auth, make_app):
    class Notes(make_notes(auth)):
        decorators = [lambda view: functools.wraps(view)(lambda **values: "kept")]
        put = auth.login_required(lambda self: "put")

    app = serve(make_app(auth), Notes)
    auth.check(app)
    assert statuses(app, methods=("GET", "PUT")) == {"GET": 200, "PUT": 401}


def test_a_login_view_whose_methods_are_public_is_no_mistake(make_app):
    auth = Auth(SessionCookie({"ada": Identity("ada")}.get, login_view="login"))
    app = make_app(auth, SECRET_KEY="a secret of thirty-two characters")
    auth.protect(app)
    kind = make_notes(auth, post=auth.public(lambda self: "in"))
    app.add_url_rule("/login", view_func=kind.as_view("login"))
    auth.check(app)
    app.add_url_rule("/secret", "secret", lambda: "secret")
    assert app.test_client().get("/login").status_code == 200


# --- mistakes


@pytest.mark.parametrize(
    "around",
    [
        lambda auth: {"decorators": [auth.login_required]},
        lambda auth: {"decorators": [logged, auth.login_required(scopes={"a"}), logged]},
        lambda auth: {"dispatch_request": auth.login_required(MethodView.dispatch_request)},
        lambda auth: {"dispatch_request": logged(auth.login_optional(MethodView.dispatch_request))},
    ],
)
@pytest.mark.parametrize("protected", [False, True])
def test_a_guard_around_a_public_method_is_refused(auth, make_app, around, protected):
    app = make_app(auth)
    if protected:
        auth.protect(app)
    serve(app, make_notes(auth, **around(auth)))
    with pytest.raises(
        ConfigurationError, match=r"^endpoint 'notes': GET is public and guarded.*@auth\.login_.*Take the"
    ):
        auth.check(app)
    assert set(states(auth, app).values()) <= {"guarded", "optional"}  # as the guard would judge
    assert read_app(app_state_of(app))[1].startswith("endpoint 'notes': GET is public and guarded")
    app.testing = False
    assert statuses(app, methods=("GET", "POST")) == {"GET": 500, "POST": 500}


@pytest.mark.parametrize("listed", [lambda guard: [guard], lambda guard: {"get": [guard]}])
def test_method_decorators_of_flask_restful_around_a_public_method_are_refused(auth, make_app, listed):
    import flask_restful

    class Notes(flask_restful.Resource):
        method_decorators = listed(auth.login_required)

        @auth.public
        def get(self):
            return []

    app = make_app(auth)
    flask_restful.Api(app).add_resource(Notes, "/notes")
    with pytest.raises(ConfigurationError, match=r"^endpoint 'notes': GET is public and guarded.*method_decorators"):
        auth.check(app)


def test_public_methods_of_flask_restful(auth, make_app):
    import flask_restful

    class Notes(flask_restful.Resource):
        method_decorators = {"post": [auth.login_required]}

        @auth.public
        def get(self):
            return []

        def post(self):
            return []

        def put(self):
            return []

    app = make_app(auth)
    auth.protect(app)
    flask_restful.Api(app).add_resource(Notes, "/notes")
    auth.check(app)
    assert states(auth, app) == {"GET": "public", "HEAD": "public", "POST": "guarded", "PUT": "guarded"}
    assert statuses(app, methods=("GET", "HEAD", "POST", "PUT")) == {"GET": 200, "HEAD": 200, "POST": 401, "PUT": 401}


@pytest.mark.parametrize("order", ["public on top", "guard on top"])
def test_a_method_that_is_public_and_guarded_is_refused(auth, order):
    decorators = [auth.public, auth.login_required]
    first, second = decorators if order == "guard on top" else reversed(decorators)
    with pytest.raises(ConfigurationError, match="remove one of the decorators"):

        class Notes(MethodView):
            @second
            @first
            def get(self):
                return "notes"


def test_a_guarded_method_in_a_public_class_is_refused(auth, make_app):
    app = serve(
        make_app(auth), make_notes(auth, decorators=[auth.public], post=auth.login_required(lambda self: "added"))
    )
    with pytest.raises(
        ConfigurationError, match=r"^endpoint 'notes': POST is public and guarded.*Take auth.public out"
    ):
        auth.check(app)
    assert states(auth, app) == {"GET": "public", "HEAD": "public", "POST": "guarded"}


def test_a_public_class_may_name_its_methods_too(auth, make_app):
    app = make_app(auth)
    auth.protect(app, public={"notes"})
    serve(app, make_notes(auth, decorators=[auth.public(reason="all of it")]))
    auth.check(app)
    assert statuses(app, methods=("GET", "POST")) == {"GET": 200, "POST": 200}
    because = {route.methods: route.because for route in auth.routes(app) if route.rule == "/notes"}
    assert because == {frozenset({"GET", "HEAD"}): "anyone may read", frozenset({"POST"}): "all of it"}


def test_a_public_dispatch_request_opens_all_methods(auth, make_app):
    class Report(View):
        methods = ("GET", "POST")

        @auth.public(reason="a report")
        def dispatch_request(self):
            return "report"

    app = make_app(auth)
    auth.protect(app)
    serve(app, Report)
    assert states(auth, app) == {"GET": "public", "HEAD": "public", "POST": "public"}
    assert statuses(app, methods=("GET", "POST")) == {"GET": 200, "POST": 200}


def test_a_mark_that_opens_nothing_is_logged(auth, make_app, caplog):
    """A class that isn't a `MethodView` runs what it wants, so its methods say nothing of a request."""

    class Report(View):
        @auth.public
        def get(self):
            return "report"

        def dispatch_request(self):
            return self.get()

    app = make_app(auth)
    auth.protect(app)
    serve(app, Report)
    auth.check(app)
    assert [line for line in caplog.messages if "Report.get is marked public, which opens nothing" in line]
    assert statuses(app, methods=("GET",)) == {"GET": 401}


def test_a_mark_on_a_method_of_an_object_counts(auth, make_app):
    class Pages:
        def __init__(self, name):
            self.name = name

        @auth.public
        def show(self):
            return self.name

        def edit(self):
            return self.name

    app = make_app(auth)
    auth.protect(app)
    pages = Pages("one")
    app.add_url_rule("/one", "one", pages.show)
    app.add_url_rule("/two", "two", Pages("two").show)
    app.add_url_rule("/edit", "edit", pages.edit)
    app.add_url_rule("/copy", "copy", functools.wraps(pages.show)(lambda: "of its own"))
    found = {path: statuses(app, path=path, methods=("GET",))["GET"] for path in ("/one", "/two", "/edit", "/copy")}
    assert found == {"/one": 200, "/two": 200, "/edit": 401, "/copy": 401}
    assert {path: states(auth, app, path)["GET"] for path in found} == {
        "/one": "public",
        "/two": "public",
        "/edit": "guarded",
        "/copy": "guarded",
    }


def test_the_lock_file_has_a_block_for_the_public_method(auth, app):
    state = app_state_of(app)
    names = names_of_schemes(state.schemes)
    text = render(make_lock((route, demand_of(route, names, {})) for route in state.routes()))
    assert "\nGET HEAD /notes\n  public\n" in text
    assert "\nPOST /notes\n  guarded\n  via Bearer\n" in text

"""The decorators in all their forms, and their order."""

import functools

import pytest
from flask import Blueprint
from flask.views import MethodView, View

from flask_unauthorized import (
    Auth,
    Bearer,
    ConfigurationError,
    Identity,
    any_of,
)
from tests.helpers import AS_ADA, AS_BOSS, make_auth_of_two, name_of_caller


@pytest.fixture
def auth() -> Auth:
    return make_auth_of_two()


async def _async_view():
    return name_of_caller()


class _Callable:
    def __call__(self):
        return name_of_caller()


@pytest.mark.parametrize(
    "view",
    [name_of_caller, _async_view, functools.partial(name_of_caller), _Callable()],
    ids=["function", "async", "partial", "callable"],
)
@pytest.mark.parametrize("form", ["bare", "called", "configured"])
def test_dec_17_each_form_guards_each_kind_of_view(auth, make_app, view, form):
    app = make_app(auth)
    decorate = {
        "bare": auth.login_required,
        "called": auth.login_required(),
        "configured": auth.login_required(scopes={"read"}),
    }
    app.add_url_rule("/", "index", decorate[form](view))
    client = app.test_client()
    assert client.get("/").status_code == 401
    assert client.get("/", headers=AS_ADA).text == "ada"
    assert client.head("/").status_code == 401


def test_a_decorated_view_keeps_its_name_and_documentation(auth):
    guarded = auth.login_required(name_of_caller)
    assert (guarded.__name__, guarded.__doc__, guarded.__wrapped__) == (
        "name_of_caller",
        "Return the name of the caller.",
        name_of_caller,
    )


def test_dec_18_stacked_decorators_demand_both(auth, make_app):
    app = make_app(auth)
    app.add_url_rule(
        "/", "index", auth.login_required(scopes={"read"})(auth.login_required(roles={"boss"})(name_of_caller))
    )
    client = app.test_client()
    assert client.get("/", headers=AS_ADA).status_code == 403
    assert client.get("/", headers=AS_BOSS).text == "boss"


@pytest.mark.parametrize("outer", ["login_optional", "login_required"])
def test_dec_19_the_stricter_of_optional_and_required_wins(auth, make_app, outer):
    app = make_app(auth)
    inner = {"login_optional": auth.login_required, "login_required": auth.login_optional}[outer]
    app.add_url_rule("/", "index", getattr(auth, outer)(inner(name_of_caller)))
    assert app.test_client().get("/").status_code == 401


@pytest.mark.rfc("C-06")
def test_an_optional_view_runs_anonymously_and_varies(auth, make_app):
    app = make_app(auth)
    app.add_url_rule("/", "index", auth.login_optional(name_of_caller))
    answer = app.test_client().get("/")
    assert (answer.text, answer.headers["Vary"]) == ("anonymous", "Authorization, X-Api-Key")
    assert app.test_client().get("/", headers=AS_ADA).text == "ada"


def test_a_method_view_is_guarded_by_decorators_and_by_method(auth, make_app):
    app = make_app(auth)

    class Both(MethodView):
        decorators = [auth.login_required]

        def get(self):
            return name_of_caller()

        @auth.login_required(roles={"boss"})
        def delete(self):
            return name_of_caller()

    class One(MethodView):
        def get(self):
            return name_of_caller()

        @auth.login_required
        def post(self):
            return name_of_caller()

    class Dispatched(View):
        decorators = [auth.login_required(scopes={"write"})]

        def dispatch_request(self):
            return name_of_caller()

    for name, kind in (("both", Both), ("one", One), ("dispatched", Dispatched)):
        app.add_url_rule(f"/{name}", view_func=kind.as_view(name))
    client = app.test_client()
    assert client.get("/both").status_code == 401
    assert client.delete("/both", headers=AS_ADA).status_code == 403
    assert client.delete("/both", headers=AS_BOSS).text == "boss"
    assert client.get("/one").text == "anonymous"
    assert client.post("/one").status_code == 401
    assert client.get("/dispatched", headers=AS_ADA).status_code == 403


@pytest.mark.parametrize(
    "misuse",
    [
        pytest.param(lambda auth: auth.login_required(None), id="DEC-20-none"),
        pytest.param(lambda auth: auth.login_required("read"), id="DEC-20-str"),
        pytest.param(lambda auth: auth.login_required(auth.schemes[0]), id="DEC-20-scheme"),
        pytest.param(lambda auth: auth.login_required(MethodView), id="class"),
        pytest.param(lambda auth: auth.login_required(staticmethod(name_of_caller)), id="staticmethod"),
        pytest.param(lambda auth: auth.login_required(name_of_caller, scopes={"a"}), id="view-and-keywords"),
        pytest.param(lambda auth: auth.login_required(scopes="read"), id="DEC-22"),
        pytest.param(lambda auth: auth.login_required(roles="boss"), id="DEC-22-roles"),
        pytest.param(lambda auth: auth.login_required(scopes=[]), id="DEC-23-scopes"),
        pytest.param(lambda auth: auth.login_required(roles=set()), id="DEC-23-roles"),
        pytest.param(lambda auth: any_of(), id="DEC-23-any-of"),
        pytest.param(lambda auth: auth.login_required(via=[]), id="via-empty"),
        pytest.param(lambda auth: auth.login_required(via="Bearer"), id="via-str"),
        pytest.param(lambda auth: auth.login_required(via=Bearer(name_of_caller)), id="via-of-another"),
        pytest.param(lambda auth: auth.login_required(max_age=-1), id="CFG-04-negative"),
        pytest.param(lambda auth: auth.login_required(max_age=True), id="CFG-04-bool"),
        pytest.param(lambda auth: auth.login_required(max_age=float("nan")), id="CFG-04-nan"),
        pytest.param(lambda auth: auth.login_required(acr=[]), id="acr-empty"),
        pytest.param(lambda auth: auth.login_required(acr="a b"), id="acr-blank"),
        pytest.param(lambda auth: auth.login_required(scopes={'read"; error="x'}), id="HDR-09-quote"),
        pytest.param(lambda auth: auth.login_required(scopes={"a b"}), id="HDR-09-blank"),
        pytest.param(lambda auth: auth.login_required(scopes={"\xe9"}), id="HDR-09-non-ascii"),
        pytest.param(lambda auth: auth.login_required(color="red"), id="unknown-keyword"),
        pytest.param(lambda auth: auth.public(auth.login_required(name_of_caller)), id="public-of-guarded"),
        pytest.param(lambda auth: auth.login_required(auth.public(lambda: "")), id="guard-of-public"),
        pytest.param(lambda auth: auth.protect("api"), id="protect-str"),
        pytest.param(lambda auth: auth.protect(Blueprint("b", "b"), public="static"), id="protect-public-str"),
    ],
)
def test_misuse_is_told_when_decorating(auth, misuse):
    with pytest.raises((TypeError, ConfigurationError)):
        misuse(auth)


def test_stacked_vias_and_acrs_that_share_nothing_are_refused(auth):
    bearer, key = auth.schemes
    with pytest.raises(ConfigurationError, match="via"):
        auth.login_required(via=bearer)(auth.login_required(via=key)(lambda: ""))
    with pytest.raises(ConfigurationError, match="acr"):
        auth.login_required(acr="gold")(auth.login_required(acr="tin")(lambda: ""))


# --- the order of decorators


def test_dec_01_a_guard_above_the_route_is_found_before_the_first_request(auth, make_app):
    app = make_app(auth)

    @auth.login_required
    @app.get("/")
    def open_by_mistake():
        raise AssertionError("the view must not run")

    app.add_url_rule("/other", "other", lambda: "other")
    with pytest.raises(ConfigurationError, match=r"(?s)open_by_mistake.*@app"):
        auth.check(app)
    for _ in range(2):
        with pytest.raises(ConfigurationError, match="open_by_mistake"):
            app.test_client().get("/")
        assert app.test_client().get("/other").text == "other"  # F-47: open routes still work


def test_dec_15_a_copied_attribute_is_no_guard(auth, make_app):
    app = make_app(auth)

    def view():
        return "x"

    def impostor():
        return "open"

    functools.update_wrapper(impostor, auth.login_required(view))
    impostor.__wrapped__ = view
    app.add_url_rule("/", "index", impostor)
    with pytest.raises(ConfigurationError, match="view"):
        auth.check(app)


def test_what_is_in_order_is_not_flagged(auth, make_app):
    app = make_app(auth)

    def other(view):
        @functools.wraps(view)
        def wrapper():
            return view()

        return wrapper

    app.add_url_rule("/a", "a", other(auth.login_required(other(name_of_caller))))
    app.add_url_rule("/b", "b", auth.login_required(name_of_caller))
    app.add_url_rule("/c", "c", name_of_caller)
    auth.check(app)
    assert app.test_client().get("/c").text == "anonymous"
    assert app.test_client().get("/a").status_code == 401


def test_the_hook_after_the_check_is_not_skipped(make_app, auth):
    seen = []
    app = make_app(auth)
    app.before_request(lambda: seen.append(1))
    app.add_url_rule("/", "index", lambda: "x")
    client = app.test_client()
    client.get("/")
    client.get("/")
    assert seen == [1, 1]


# --- protect


@pytest.mark.asvs("V8.2.3")
def test_require_adds_to_what_the_view_demands(auth, make_app):
    app = make_app(auth)

    @app.get("/")
    @auth.login_required(scopes={"read"})
    def index():
        assert isinstance(auth.require(), Identity)
        return auth.require(roles={"boss"}).subject

    client = app.test_client()
    assert client.get("/").status_code == 401
    assert client.get("/", headers=AS_ADA).status_code == 403
    assert client.get("/", headers=AS_BOSS).text == "boss"


def test_a_wrong_order_is_found_after_a_judgement_outside_a_request(auth, make_app):
    app = make_app(auth)
    with app.test_request_context("/"), pytest.raises(Exception, match=r"401"):
        auth.require()

    @auth.login_required
    @app.get("/w")
    def wrong():
        raise AssertionError("the view must not run")

    for _ in range(2):
        with pytest.raises(ConfigurationError, match="wrong"):
            app.test_client().get("/w")

"""Ways in that a review found. Each was open once."""

import base64
import dataclasses
import gc
import traceback
from functools import partial

import pytest
from flask import Blueprint, Flask

from flask_unauthorized import (
    APIKey,
    Auth,
    Basic,
    Bearer,
    Challenge,
    ConfigurationError,
    Forbidden,
    Identity,
    InsufficientScope,
    Scheme,
    StepUpRequired,
    Unauthorized,
    abort_forbidden,
    abort_unauthorized,
)
from flask_unauthorized.loaders import Passwords, SignedTokens, StaticTokens

ADA = {"Authorization": "Bearer t"}


@pytest.fixture
def auth() -> Auth:
    return Auth(Bearer(StaticTokens({"t": Identity("ada", scopes={"read"})})))


@pytest.mark.parametrize(
    ("demand", "error", "status"),
    [
        ({"scopes": {"admin"}}, InsufficientScope, 403),
        ({"max_age": 5}, StepUpRequired, 401),
        ({"roles": {"boss"}}, Forbidden, 403),
    ],
)
def test_a_demand_that_was_refused_stays_refused_in_the_same_request(auth, make_app, demand, error, status):
    app = make_app(auth)

    @auth.login_required(**demand)
    def wipe():
        raise AssertionError("the view must not run")

    @app.get("/")
    @auth.login_required
    def index():
        for _ in range(2):
            with pytest.raises(error) as caught:
                auth.require(**demand)
            assert type(caught.value) is error  # T-05
        return wipe()

    assert app.test_client().get("/", headers=ADA).status_code == status


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


def test_check_beside_the_first_request_keeps_the_protection(auth, make_app):
    app = make_app(auth)
    auth.protect(app)
    app.add_url_rule("/", "index", lambda: "secret")
    auth.check(app)
    client = app.test_client()
    assert [client.get("/").status_code for _ in range(2)] == [401, 401]
    auth.check(app)
    assert client.get("/").status_code == 401


@pytest.mark.parametrize("scheme", [APIKey(lambda key: "x", query="key"), Bearer(lambda token: "x", query=True)])
def test_a_query_that_is_not_utf_8_is_400_not_500(scheme, make_app):
    auth = Auth(scheme)
    app = make_app(auth)
    app.add_url_rule("/", "index", auth.login_required(lambda: "x"))
    answer = app.test_client().get("/", environ_overrides={"QUERY_STRING": "a=\xff"})
    assert answer.status_code == 400
    assert answer.headers["WWW-Authenticate"]


class _Silent(Scheme[str]):
    name = "Silent"
    reads = (("authorization", "silent"),)

    def __init__(self, always: bool) -> None:
        super().__init__()
        self.always = always

    def read(self, request, rest):
        return rest

    def verify(self, credentials, request):
        return None

    def challenges(self, realm, error, request):
        return () if self.always or error else (Challenge("Silent", {"realm": realm}),)


def test_a_scheme_without_a_challenge_for_an_error_still_sends_its_clean_one(make_app):
    auth = Auth(_Silent(always=False), realm="r")
    app = make_app(auth)
    app.add_url_rule("/", "index", auth.login_required(lambda: "x"))
    answer = app.test_client().get("/", headers={"Authorization": "Silent x"})
    assert answer.headers.getlist("WWW-Authenticate") == ['Silent realm="r"']


def test_a_scheme_without_any_challenge_is_refused(make_app):
    auth = Auth(_Silent(always=True))
    app = make_app(auth)
    app.add_url_rule("/", "index", auth.login_required(lambda: "x"))
    with pytest.raises(ConfigurationError, match="at least one"):
        auth.check(app)


@pytest.mark.parametrize(("credentials", "status"), [("Bearer t", 403), ("Bearer @", 400), ("Bearer x", 401)])
def test_a_blueprints_catch_all_does_not_swallow_a_refusal(auth, make_app, credentials, status):
    app = make_app(auth)
    blueprint = Blueprint("b", __name__)
    blueprint.register_error_handler(Exception, lambda error: ("boom", 500))
    blueprint.add_url_rule("/", "index", auth.login_required(scopes={"admin"})(lambda: "x"))
    app.register_blueprint(blueprint)
    assert app.test_client().get("/", headers={"Authorization": credentials}).status_code == status


def test_public_does_not_open_the_guarded_twin_of_a_function(auth):
    def view():
        return "secret"

    auth.login_required(view)
    with pytest.raises(ConfigurationError, match="guarded and public"):
        auth.public(view)


@pytest.mark.parametrize("fallbacks", [[""], "oldsecret", b"old", [None], ["fine", ""]])
def test_no_empty_or_one_letter_key_signs_tokens(make_app, fallbacks):
    auth = Auth(Bearer(SignedTokens("login", 60)))
    app = make_app(auth, SECRET_KEY="x" * 32, SECRET_KEY_FALLBACKS=fallbacks)
    with pytest.raises(ConfigurationError, match="SECRET_KEY_FALLBACKS"):
        auth.check(app)


@pytest.mark.parametrize(
    ("credentials", "status", "challenge"),
    [
        ("Bearer t", 403, None),
        (
            "Bearer x",
            401,
            'Bearer realm="r", error="invalid_token", error_description="The credentials are not valid."',
        ),
        (None, 401, 'Bearer realm="r"'),
    ],
)
def test_abort_forbidden_where_nobody_judged_asks_who_is_calling(auth, make_app, credentials, status, challenge):
    app = make_app(auth, UNAUTHORIZED_REALM="r")
    app.add_url_rule("/", "index", lambda: abort_forbidden("not you"))
    answer = app.test_client().get("/", headers={"Authorization": credentials} if credentials else {})
    assert (answer.status_code, answer.headers.get("WWW-Authenticate")) == (status, challenge)


def test_abort_unauthorized_is_401_whatever_a_junk_cookie_says(make_app):
    auth = Auth(APIKey(lambda key: None, cookie="key"))
    app = make_app(auth)
    app.add_url_rule("/", "index", lambda: abort_unauthorized("log in"), methods=["POST"])
    headers = {"Cookie": "key=junk", "Sec-Fetch-Site": "cross-site"}
    assert app.test_client().post("/", headers=headers).status_code == 401


def test_ever_new_demands_do_not_grow_memory(auth, make_app):
    app = make_app(auth)
    with app.test_request_context("/", headers=ADA):
        for number in range(50):
            with pytest.raises(Forbidden):
                auth.require(scopes={f"s{number}"})
    app.extensions["unauthorized"].plans.forget()
    gc.collect()
    assert len(auth._configuration._interned) < 50


def test_an_error_raised_twice_has_the_challenges_of_each_route(make_app):
    bearer, key = Bearer(lambda token: "a"), APIKey(lambda key: None)
    auth = Auth(bearer, key)
    app = make_app(auth, UNAUTHORIZED_REALM="r")
    again = StepUpRequired(max_age=5)

    def view():
        raise again

    app.add_url_rule("/a", "a", auth.login_optional(via=bearer)(partial(view)))
    app.add_url_rule("/b", "b", auth.login_optional(via=key)(partial(view)))
    client = app.test_client()
    for _ in range(2):
        assert client.get("/a").headers.getlist("WWW-Authenticate") == ['Bearer realm="r"']
        (line,) = client.get("/b").headers.getlist("WWW-Authenticate")
        assert line.startswith("ApiKey ")


def test_an_optional_helper_does_not_take_an_identity_that_fails_its_demands(make_app):
    key = APIKey(StaticTokens({"k": Identity("device")}))
    bearer = Bearer(StaticTokens({"t": Identity("ada", scopes={"admin"})}))
    auth = Auth(key, bearer)
    app = make_app(auth)

    @auth.login_optional(via=bearer, scopes={"admin"})
    def helper():
        return repr(auth.get_identity())

    @app.get("/")
    def index():
        auth.require(via=key)
        return helper()

    assert app.test_client().get("/", headers={"X-API-Key": "k"}).status_code == 401


def _locals_of(error: BaseException) -> str:
    frames = traceback.StackSummary.extract(traceback.walk_tb(error.__traceback__), capture_locals=True)
    ours = [frame for frame in frames if "flask_unauthorized" in frame.filename]
    return "".join(str(frame.locals) for frame in ours)


def _down(name: str) -> str:
    raise KeyError("database")


def test_lek_05_no_secret_in_the_locals_of_our_frames(make_app):
    signed = SignedTokens("s", 60, load=_down)
    auth = Auth(Bearer(signed), Basic(Passwords(_down)))
    app = make_app(auth, SECRET_KEY="x" * 32)
    app.add_url_rule("/", "index", auth.login_required(lambda: "x"))
    with app.app_context():
        token = signed.issue("ada")
    canary = base64.b64encode(b"ada:canary-password").decode()
    for credentials, secret in ((f"Bearer {token}", token), (f"Basic {canary}", "canary-password")):
        with pytest.raises(KeyError) as caught:
            app.test_client().get("/", headers={"Authorization": credentials})
        assert secret not in _locals_of(caught.value)


@pytest.mark.parametrize("way", ["query", "form"])
def test_lim_01_a_token_elsewhere_is_capped_too(make_app, way):
    seen = []
    auth = Auth(Bearer(lambda token: seen.append(token), query=True, form=True))
    app = make_app(auth)
    app.add_url_rule("/", "index", auth.login_required(lambda: "x"), methods=["GET", "POST"])
    client, token = app.test_client(), "a" * 16385
    sent = {"access_token": token}
    answer = client.get("/", query_string=sent) if way == "query" else client.post("/", data=sent)
    assert answer.status_code == 400
    assert not seen


@pytest.mark.parametrize("at", [-(10**400), 10**400, float("-inf"), float("inf")])
def test_an_absurd_login_time_is_stale_not_500(make_app, at):
    auth = Auth(Bearer(lambda token: Identity("ada", auth_time=at)))
    app = make_app(auth)
    app.add_url_rule("/", "index", auth.login_required(max_age=60)(lambda: "x"))
    assert app.test_client().get("/", headers=ADA).status_code == 401


def test_cac_04_an_answer_that_depends_on_a_caught_refusal_varies(auth, make_app):
    app = make_app(auth)

    @app.get("/")
    def index():
        try:
            return auth.require().subject
        except Unauthorized:
            return "anonymous"

    answer = app.test_client().get("/")
    assert (answer.text, answer.headers["Vary"]) == ("anonymous", "Authorization")


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


def test_an_empty_name_is_the_clients_doing(make_app):
    auth = Auth(Basic(lambda name, password: name))
    app = make_app(auth)
    app.add_url_rule("/", "view", auth.login_required(lambda: "fine"))
    app.config["PROPAGATE_EXCEPTIONS"] = True
    assert app.test_client().get("/", auth=("", "p")).status_code == 401
    assert app.test_client().get("/", auth=("ada", "p")).status_code == 200

"""The guard: whoever produced a 401, it leaves with a valid challenge."""

import pytest
from flask import Blueprint, Response, abort, after_this_request

from flask_unauthorized import (
    Auth,
    Bearer,
    ConfigurationError,
    Identity,
    InsufficientScope,
)
from tests.helpers import get_view

from .refusing import (
    BAD,
    BROKEN,
    CLEAN,
    GOOD,
    SHAPES,
    challenges,
    each_order,
    make_auth,
    serve_in_order,
)


@pytest.fixture
def app(make_app):
    return make_app(make_auth())


# --- every shape of 401 (H-01, ERR-07)


@pytest.mark.rfc("H-01", "C-04", "H-32")
@pytest.mark.parametrize("method", ["GET", "POST", "HEAD"])
@pytest.mark.parametrize("shape", SHAPES)
def test_err_07_every_401_of_a_view_has_a_challenge(app, shape, method):
    app.add_url_rule("/", "view", SHAPES[shape], methods=["GET", "POST"])
    response = app.test_client().open("/", method=method)
    assert response.status_code == 401
    assert challenges(response) == CLEAN
    assert response.headers.getlist("Cache-Control") == ["no-store"]
    assert "Authorization" in response.vary


def made_401(response):
    response.status_code = 401
    return response


def crash_and_answer_401(app):
    app.config["PROPAGATE_EXCEPTIONS"] = False
    app.before_request(lambda: 1 / 0)
    app.register_error_handler(500, lambda error: ("", 401))


HOOKS = {
    "before": lambda app: app.before_request(lambda: ("", 401)),
    "before_abort": lambda app: app.before_request(lambda: abort(401)),
    "after": lambda app: app.after_request(made_401),
    "after_new": lambda app: app.after_request(lambda response: Response("no", status=401)),
    "after_this": lambda app: app.before_request(lambda: after_this_request(made_401) and None),
    "not_found": lambda app: app.register_error_handler(404, lambda error: ("", 401)),
    "crash": crash_and_answer_401,
}


@pytest.mark.rfc("H-01")
@each_order
@pytest.mark.parametrize("hook", HOOKS)
def test_err_07_a_401_of_a_hook_or_handler_has_a_challenge(hook, early):
    _, app = serve_in_order(HOOKS[hook], early)
    app.add_url_rule("/", "view", lambda: "fine")
    response = app.test_client().get("/nowhere" if hook == "not_found" else "/")
    assert response.status_code == 401
    assert challenges(response) == CLEAN
    assert response.headers["Cache-Control"] == "no-store"


@pytest.mark.rfc("H-01")
def test_err_07_blueprint_hooks(app):
    blueprint = Blueprint("part", __name__)
    blueprint.add_url_rule("/", "view", lambda: "fine")
    blueprint.after_request(lambda response: Response("no", status=401, headers={"WWW-Authenticate": ""}))
    app.register_blueprint(blueprint)
    assert challenges(app.test_client().get("/")) == CLEAN


# --- an upstream's challenge (ERR-08)


@pytest.mark.parametrize(
    "lines",
    [
        ['Basic realm="up"'],
        ['Digest realm="up", nonce="n", qop="auth", algorithm=SHA-256'],
        ["Negotiate"],
        ["Negotiate abc=="],
        ['Basic realm="a"', 'Bearer realm="b"'],
        ['Basic realm="a", Bearer realm="b"'],
        [BROKEN, 'Basic realm="up"'],
    ],
)
def test_err_08_a_parsable_upstream_challenge_is_kept(app, lines):
    app.add_url_rule("/", "view", lambda: Response("", 401, [("WWW-Authenticate", line) for line in lines]))
    response = app.test_client().get("/")
    assert response.headers.getlist("WWW-Authenticate") == [line for line in lines if line != BROKEN]
    assert response.headers["Cache-Control"] == "no-store"


@pytest.mark.rfc("H-01", "H-10")
@pytest.mark.parametrize(
    "line",
    [
        "",
        " ",
        ",",
        'realm="x"',
        BROKEN,
        'Basic realm="a", realm="b"',
        'Basic realm="x"y',
        "Bearer b c",
        "<b>",
        'Basic realm="caf\u00e9"',
        "Basic " + "a" * 20_000,
    ],
    ids=lambda line: repr(line[:20]),
)
def test_err_08_an_unusable_upstream_challenge_is_replaced(app, line):
    app.add_url_rule("/", "view", lambda: Response("", 401, [("WWW-Authenticate", line)]))
    assert challenges(app.test_client().get("/")) == CLEAN


@pytest.mark.parametrize("guarded", [True, False])
def test_a_hook_that_answers_for_a_guarded_view_gets_its_challenges_added(make_app, guarded):
    auth = make_auth()
    app = make_app(auth)
    app.add_url_rule("/", "view", auth.login_required(lambda: "in") if guarded else lambda: "in")
    app.before_request(lambda: Response("", 401, [("WWW-Authenticate", 'Other realm="up"')]))
    found = challenges(app.test_client().get("/"))
    assert found == (CLEAN if guarded else []) + [("Other", {"realm": "up"})]


# --- hooks that spoil it (HDR-16, CAC-02)


def delete(response):
    response.headers.remove("WWW-Authenticate")
    return response


def replace(response):
    response.headers["WWW-Authenticate"] = 'Negotiate realm="other"'
    return response


def public(response):
    response.headers["Cache-Control"] = "public, max-age=600"
    return response


@pytest.mark.rfc("C-03", "C-04", "H-01")
@pytest.mark.parametrize("hook", [delete, replace, public], ids=lambda hook: hook.__name__)
@each_order
@pytest.mark.parametrize(("headers", "status"), [({}, 401), (BAD, 401), (GOOD, 403)])
def test_hdr_16_and_cac_02_hooks_cannot_spoil_a_refusal(hook, early, headers, status):
    auth, app = serve_in_order(lambda app: app.after_request(hook), early)
    app.add_url_rule("/", "view", auth.login_required(scopes={"write"})(lambda: "fine"))
    response = app.test_client().get("/", headers=headers)
    assert response.status_code == status
    ((name, params),) = challenges(response)
    assert (name, params["realm"]) == ("Bearer", "notes")
    told = {id(BAD): "invalid_token", id(GOOD): "insufficient_scope"}
    assert params.get("error") == told.get(id(headers))
    assert response.headers.getlist("Cache-Control") == ["no-store"]


def test_an_open_answer_is_left_alone(app):
    app.after_request(public)
    app.add_url_rule("/", "view", lambda: "fine")
    response = app.test_client().get("/")
    assert response.headers["Cache-Control"] == "public, max-age=600"
    assert "WWW-Authenticate" not in response.headers


# --- settings of the guard


@pytest.mark.parametrize("shape", ["tuple", "response", "abort_response", "streamed", "returned_werkzeug"])
def test_strict_raises(make_app, shape):
    app = make_app(make_auth(), UNAUTHORIZED_GUARD="strict")
    app.add_url_rule("/", "broken_view", SHAPES[shape])
    with pytest.raises(ConfigurationError, match="broken_view"):
        app.test_client().get("/")


@pytest.mark.parametrize("shape", ["abort", "raise_werkzeug", "raise_ours"])
def test_strict_passes_what_the_handler_makes_right(make_app, shape):
    app = make_app(make_auth(), UNAUTHORIZED_GUARD="strict")
    app.add_url_rule("/", "view", SHAPES[shape])
    assert challenges(app.test_client().get("/")) == CLEAN


def test_strict_keeps_an_upstream_challenge(make_app):
    app = make_app(make_auth(), UNAUTHORIZED_GUARD="strict")
    app.add_url_rule("/", "view", lambda: Response("", 401, {"WWW-Authenticate": 'Basic realm="up"'}))
    assert challenges(app.test_client().get("/")) == [("Basic", {"realm": "up"})]


def test_off_leaves_foreign_401s_alone_and_ours_right(make_app):
    auth = make_auth()
    app = make_app(auth, UNAUTHORIZED_GUARD="off")
    app.add_url_rule("/foreign", "foreign", SHAPES["tuple"])
    app.add_url_rule("/ours", "ours", auth.login_required(lambda: "fine"))
    client = app.test_client()
    assert "WWW-Authenticate" not in client.get("/foreign").headers
    assert challenges(client.get("/ours")) == CLEAN


# --- what is added to a response, and what isn't


@pytest.mark.rfc("OP-01", "OP-03")
def test_optional_www_authenticate_is_never_sent(make_app, auth):
    for headers in ({}, GOOD, BAD):
        assert "Optional-WWW-Authenticate" not in get_view(make_app, auth, auth.login_optional, headers=headers).headers


@pytest.mark.parametrize("asynchronous", [False, True])
def test_a_refusal_that_the_view_caught_says_nothing_of_its_answer(make_app, asynchronous):
    auth = Auth(Bearer({"t": Identity("ada", scopes={"read"})}.get))
    app = make_app(auth)

    def caught():
        with pytest.raises(InsufficientScope):
            auth.require(scopes={"admin"})
        return "quota used up", 403

    async def caught_too():
        return caught()

    app.add_url_rule("/", "view", auth.login_required(caught_too if asynchronous else caught))
    answered = app.test_client().get("/", headers={"Authorization": "Bearer t"})
    assert (answered.status_code, answered.text) == (403, "quota used up")
    assert "WWW-Authenticate" not in answered.headers


def test_retry_after_is_put_back_and_an_own_one_stays(make_app):
    def load(token):
        raise ConnectionError

    auth = Auth(Bearer(load), unavailable=(ConnectionError,))
    for own, expected in ((None, "5"), ("120", "120")):
        app = make_app(auth)

        @app.errorhandler(503)
        def handler(error, own=own):
            return "down", 503, {} if own is None else {"Retry-After": own}

        app.add_url_rule("/", "view", auth.login_required(lambda: "in"))
        answer = app.test_client().get("/", headers={"Authorization": "Bearer x"})
        assert (answer.status_code, answer.headers.getlist("Retry-After")) == (503, [expected])

"""The three nets and the guard: whoever produced a 401, it leaves with a valid challenge and the app's own body."""

import re

import pytest
from flask import Blueprint, Flask, Response, abort, after_this_request, jsonify
from werkzeug.exceptions import HTTPException
from werkzeug.exceptions import Unauthorized as HTTPUnauthorized

from flask_unauthorized import (
    APIKey,
    Auth,
    Bearer,
    ConfigurationError,
    Identity,
    InsufficientScope,
    MissingCredentials,
    StepUpRequired,
)

LINE = re.compile(r'([!#$%&\'*+.^_`|~0-9A-Za-z-]+) ((?:[a-z_]+="(?:[^"\\]|\\.)*"(?:, |\Z))+)')
CLEAN = [("Bearer", {"realm": "notes"})]
GOOD = {"Authorization": "Bearer good"}
BROKEN = 'Basic realm="x'
BAD = {"Authorization": "Bearer bad"}


def challenges(response):
    """The challenges of a response, read by a parser of the test's own: one line each, no parameter twice (V1)."""
    found = []
    for line in response.headers.getlist("WWW-Authenticate"):
        match = LINE.fullmatch(line)
        assert match, line
        params = re.findall(r'([a-z_]+)="((?:[^"\\]|\\.)*)"', match[2])
        assert len(dict(params)) == len(params), line
        found.append((match[1], dict(params)))
    return found


def load(token):
    return Identity("ada", scopes={"read"}) if token == "good" else None


def make_auth():
    return Auth(Bearer(load), realm="notes")


def served(install, early):
    """An `Auth` with its app; ``install(app)`` ran before ``init_app`` or after it."""
    auth, app = make_auth(), Flask("app")
    app.testing = True
    for step in (install, auth.init_app) if early else (auth.init_app, install):
        step(app)
    return auth, app


@pytest.fixture
def app(make_app):
    return make_app(make_auth())


each_order = pytest.mark.parametrize("early", [True, False], ids=["before_init_app", "after_init_app"])


# --- every shape of 401 (H-01, ERR-07)

SHAPES = {
    "abort": lambda: abort(401),
    "abort_text": lambda: abort(401, "who?"),
    "abort_object": lambda: abort(401, {"why": "no"}),
    "abort_response": lambda: abort(Response("no", status=401)),
    "raise_werkzeug": lambda: _raise(HTTPUnauthorized()),
    "raise_ours": lambda: _raise(MissingCredentials()),
    "tuple": lambda: ("", 401),
    "response": lambda: Response("no", status=401),
    "json": lambda: (jsonify(error="no"), 401),
    "returned_werkzeug": lambda: HTTPUnauthorized(),
    "returned_ours": lambda: MissingCredentials(),
    "streamed": lambda: Response((part for part in ("n", "o")), status=401),
    "wsgi": lambda: _wsgi,
}


def _raise(error):
    raise error


def _wsgi(environ, start_response):
    start_response("401 Unauthorized", [("Content-Type", "text/plain")])
    return [b"no"]


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
    _, app = served(HOOKS[hook], early)
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


# --- whose body it is (ERR-06, HDR-19)


def as_json(error):
    return {"mine": error.code}, error.code


async def as_json_async(error):
    return as_json(error)


def cleared(error):
    return Response("mine", status=error.code, headers={"Cache-Control": "public, max-age=600"})


HANDLED = {"401": 401, "HTTPException": HTTPException, "Unauthorized": HTTPUnauthorized}


@pytest.mark.rfc("H-01")
@pytest.mark.parametrize("by", ["guard", "bad_token", "abort", "raise", "identity"])
@each_order
@pytest.mark.parametrize("where", ["app", "blueprint"])
@pytest.mark.parametrize("kind", HANDLED)
def test_err_06_own_handler_decides_the_body_and_the_challenge_stays(kind, where, early, by):
    blueprint = Blueprint("part", __name__)
    auth, app = served(
        lambda app: (app if where == "app" else blueprint).register_error_handler(HANDLED[kind], as_json), early
    )
    views = {"abort": lambda: abort(401), "raise": SHAPES["raise_ours"], "identity": lambda: auth.identity.subject}
    view = views.get(by) or auth.login_required(lambda: "fine")
    blueprint.add_url_rule("/", "view", view)
    app.register_blueprint(blueprint)
    response = app.test_client().get("/", headers=BAD if by == "bad_token" else {})
    assert response.status_code == 401
    assert response.json == {"mine": 401}
    ((name, params),) = challenges(response)
    assert (name, params["realm"]) == ("Bearer", "notes")
    assert params.get("error") == ("invalid_token" if by == "bad_token" else None)
    assert response.headers["Cache-Control"] == "no-store"


@pytest.mark.rfc("H-01", "C-04")
@pytest.mark.parametrize("handler", [as_json, as_json_async, cleared], ids=lambda handler: handler.__name__)
def test_hdr_19_app_wide_json_handler(app, handler):
    app.register_error_handler(HTTPException, handler)
    app.add_url_rule("/", "view", lambda: abort(401))
    response = app.test_client().get("/")
    assert (response.status_code, challenges(response)) == (401, CLEAN)
    assert response.headers["Cache-Control"] == "no-store"


@each_order
@pytest.mark.parametrize("view", ["guarded", "abort"])
def test_err_06_a_catch_all_for_exception_does_not_count(early, view):
    auth, app = served(lambda app: app.register_error_handler(Exception, lambda error: ("oops", 500)), early)
    app.add_url_rule("/", "view", auth.login_required(lambda: "fine") if view == "guarded" else SHAPES["abort"])
    response = app.test_client().get("/")
    assert (response.status_code, challenges(response)) == (401, CLEAN)
    assert response.json["error"] == "Unauthorized"


@each_order
def test_a_handler_for_one_class_leaves_the_others_to_ours(early):
    """The order of registration doesn't matter: abort(401) gets the negotiated body either way."""
    _, app = served(lambda app: app.register_error_handler(StepUpRequired, as_json), early)
    app.add_url_rule("/", "view", lambda: abort(401))
    response = app.test_client().get("/", headers={"Accept": "application/json"})
    assert challenges(response) == CLEAN
    assert response.is_json
    assert response.json["error"] == "Unauthorized"


def test_the_blueprints_handler_goes_before_the_apps(app):
    blueprint = Blueprint("part", __name__)
    blueprint.register_error_handler(401, lambda error: ("blueprint", 401))
    blueprint.add_url_rule("/", "view", SHAPES["abort"])
    app.register_blueprint(blueprint)
    app.register_error_handler(401, lambda error: ("app", 401))
    app.add_url_rule("/app", "view", SHAPES["abort"])
    client = app.test_client()
    assert (client.get("/").text, client.get("/app").text) == ("blueprint", "app")
    assert challenges(client.get("/")) == CLEAN


@pytest.mark.rfc("H-06", "B-13")
@pytest.mark.parametrize("kind", [403, HTTPException, None], ids=str)
@pytest.mark.parametrize("by", ["decorator", "raised_by_the_view"])
def test_err_15_insufficient_scope_keeps_its_challenge(make_app, kind, by):
    auth = make_auth()
    app = make_app(auth)
    if by == "decorator":
        app.add_url_rule("/", "view", auth.login_required(scopes={"write"})(lambda: "fine"))
    else:
        view = auth.login_required(lambda: _raise(InsufficientScope(scopes={"write"})))
        app.add_url_rule("/", "view", view)
    if kind is not None:
        app.register_error_handler(kind, as_json)
    response = app.test_client().get("/", headers=GOOD)
    assert response.status_code == 403
    ((name, params),) = challenges(response)
    assert (name, params["realm"]) == ("Bearer", "notes")
    assert (params["error"], params["scope"]) == ("insufficient_scope", "write")
    assert response.headers["Cache-Control"] == "no-store"
    if kind is not None:
        assert response.json == {"mine": 403}


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
    auth, app = served(lambda app: app.after_request(hook), early)
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


# --- caches, where a request is let in


@pytest.mark.rfc("H-33", "C-02", "C-06")
@pytest.mark.parametrize(
    ("sent", "own", "cache", "vary"),
    [
        ({"X-API-Key": "good"}, {}, {"private"}, {"authorization", "x-api-key"}),
        ({"X-API-Key": "good"}, {"Cache-Control": "public, s-maxage=9, max-age=5"}, {"private", "max-age=5"}, None),
        ({"X-API-Key": "good"}, {"Cache-Control": "no-store"}, {"no-store"}, None),
        ({}, {}, set(), {"authorization", "x-api-key"}),
        ({}, {"Vary": "Accept, authorization"}, set(), {"accept", "authorization", "x-api-key"}),
        ({}, {"Vary": "*"}, set(), {"*"}),
    ],
    ids=["cac-03", "cac-03_public", "cac-03_no_store", "cac-04", "cac-06_list", "cac-06_star"],
)
def test_shared_caches_are_kept_out(make_app, sent, own, cache, vary):
    auth = Auth(Bearer(load), APIKey(load))
    app = make_app(auth)
    app.add_url_rule("/", "view", auth.login_optional(lambda: Response("fine", headers=own)))
    response = app.test_client().get("/", headers=sent)
    assert {part.strip() for part in response.headers.get("Cache-Control", "").split(",")} - {""} == cache
    names = [name.strip().lower() for line in response.headers.getlist("Vary") for name in line.split(",")]
    assert len(set(names)) == len(names)
    assert vary is None or set(names) == vary


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

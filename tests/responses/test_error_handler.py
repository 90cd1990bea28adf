"""The error handler: whose body a refusal has, and whose challenges."""

import pytest
from flask import Blueprint, Response, abort
from werkzeug.datastructures import WWWAuthenticate
from werkzeug.exceptions import HTTPException, Unauthorized
from werkzeug.exceptions import Unauthorized as HTTPUnauthorized

from flask_unauthorized import Auth, Bearer, InsufficientScope, StepUpRequired
from tests.helpers import raise_error
from tests.responses.refusing import (
    BAD,
    CLEAN,
    GOOD,
    SHAPES,
    as_json,
    as_json_async,
    challenges,
    each_order,
    make_auth,
    serve_in_order,
)

OURS = ['Bearer realm="notes"']
THEIRS = 'Basic realm="its own"'
BROKEN = 'Basic realm="x'


def plain_abort():
    abort(401)


def raise_challenged():
    raise Unauthorized(www_authenticate=WWWAuthenticate("basic", {"realm": "its own"}))


def raise_prepared():
    raise Unauthorized(response=Response("prepared", 401))


def handler(*lines):
    return lambda error: ({"mine": error.code}, error.code, [("WWW-Authenticate", line) for line in lines])


def serve(make_app, view):
    auth = Auth(Bearer(lambda token: None), realm="notes")
    app = make_app(auth)
    app.add_url_rule("/", "view", view)
    return auth, app


@pytest.mark.parametrize(
    ("view", "lines", "expected"),
    [
        (plain_abort, [THEIRS], [THEIRS]),
        (plain_abort, [BROKEN, THEIRS], [THEIRS]),
        (plain_abort, [BROKEN], OURS),
        (plain_abort, [], OURS),
        (raise_challenged, [], [THEIRS]),
        (raise_challenged, [BROKEN], [THEIRS]),
        (raise_challenged, ["Negotiate"], ["Negotiate"]),
        (raise_prepared, [], OURS),
        (raise_prepared, [THEIRS], [THEIRS]),
    ],
)
def test_the_apps_handler_makes_body_and_challenge(make_app, view, lines, expected):
    _, app = serve(make_app, view)
    app.register_error_handler(HTTPException, handler(*lines))
    response = app.test_client().get("/")
    assert (response.status_code, response.json) == (401, {"mine": 401})
    assert response.headers.getlist("WWW-Authenticate") == expected
    assert response.headers["Cache-Control"] == "no-store"


def test_a_broken_challenge_of_the_error_does_not_leave(make_app):
    def view():
        raise Unauthorized(www_authenticate=WWWAuthenticate("ba sic", {"realm": "x"}))

    _, app = serve(make_app, view)
    app.register_error_handler(HTTPException, lambda error: ("mine", 401, error.get_headers()))
    assert app.test_client().get("/").headers.getlist("WWW-Authenticate") == OURS


@pytest.mark.parametrize(("line", "expected"), [(THEIRS, [THEIRS]), (BROKEN, OURS), ("", OURS)])
def test_the_challenge_of_a_hook_stays(make_app, line, expected):
    _, app = serve(make_app, plain_abort)

    @app.after_request
    def challenge(response):
        response.headers["WWW-Authenticate"] = line
        return response

    response = app.test_client().get("/")
    assert response.headers.getlist("WWW-Authenticate") == expected
    assert response.json["error"] == "Unauthorized"


def test_without_a_handler_an_error_with_an_answer_of_its_own_is_that_answer(make_app):
    _, app = serve(make_app, raise_prepared)
    response = app.test_client().get("/")
    assert (response.text, response.headers.getlist("WWW-Authenticate")) == ("prepared", OURS)


def test_a_refusal_of_ours_with_an_answer_of_its_own_is_that_answer(make_app):
    app = make_app(make_auth())
    error = StepUpRequired()
    error.response = Response("own", 418)
    app.add_url_rule("/", "view", lambda: raise_error(error))
    answer = app.test_client().get("/")
    assert (answer.status_code, answer.text) == (418, "own")


def test_a_refusal_of_ours_still_tells_our_challenges(make_app):
    auth, app = serve(make_app, plain_abort)
    app.add_url_rule("/ours", "ours", auth.login_required(lambda: "fine"))
    app.register_error_handler(HTTPException, handler(THEIRS))
    assert app.test_client().get("/ours").headers.getlist("WWW-Authenticate") == OURS


@pytest.mark.parametrize(("credentials", "status"), [("Bearer good", 403), ("Bearer @", 400), ("Bearer x", 401)])
def test_a_blueprints_catch_all_does_not_swallow_a_refusal(auth, make_app, credentials, status):
    app = make_app(auth)
    blueprint = Blueprint("b", __name__)
    blueprint.register_error_handler(Exception, lambda error: ("boom", 500))
    blueprint.add_url_rule("/", "index", auth.login_required(scopes={"admin"})(lambda: "x"))
    app.register_blueprint(blueprint)
    assert app.test_client().get("/", headers={"Authorization": credentials}).status_code == status


@pytest.fixture
def app(make_app):
    return make_app(make_auth())


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
    auth, app = serve_in_order(
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
    auth, app = serve_in_order(lambda app: app.register_error_handler(Exception, lambda error: ("oops", 500)), early)
    app.add_url_rule("/", "view", auth.login_required(lambda: "fine") if view == "guarded" else SHAPES["abort"])
    response = app.test_client().get("/")
    assert (response.status_code, challenges(response)) == (401, CLEAN)
    assert response.json["error"] == "Unauthorized"


@each_order
def test_a_handler_for_one_class_leaves_the_others_to_ours(early):
    """The order of registration doesn't matter: abort(401) gets the negotiated body either way."""
    _, app = serve_in_order(lambda app: app.register_error_handler(StepUpRequired, as_json), early)
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
        view = auth.login_required(lambda: raise_error(InsufficientScope(scopes={"write"})))
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

"""A 401 that isn't ours keeps what its maker said: the challenges of the error, of the app's handler, of a hook."""

import pytest
from flask import Response, abort
from werkzeug.datastructures import WWWAuthenticate
from werkzeug.exceptions import HTTPException, Unauthorized

from flask_unauthorized import Auth, Bearer

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


def test_a_refusal_of_ours_still_tells_our_challenges(make_app):
    auth, app = serve(make_app, plain_abort)
    app.add_url_rule("/ours", "ours", auth.login_required(lambda: "fine"))
    app.register_error_handler(HTTPException, handler(THEIRS))
    assert app.test_client().get("/ours").headers.getlist("WWW-Authenticate") == OURS

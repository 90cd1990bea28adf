"""Scripts of other origins: preflights pass, and a refusal can be read where the app allows reading at all."""

from functools import wraps

import pytest
from flask import Flask, make_response

from flask_unauthorized import Auth, AuthUnavailable, Bearer, TooManyAttempts

ORIGIN = {"Origin": "https://page.example"}
PREFLIGHT = {**ORIGIN, "Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "authorization"}


def _unavailable(token: str) -> None:
    raise AuthUnavailable(retry_after=7)


@pytest.fixture
def app(make_app) -> Flask:
    auth = Auth(Bearer(_unavailable))
    app = make_app(auth)

    @app.route("/", methods=["GET", "OPTIONS"])
    @auth.login_required
    def index():
        raise AssertionError("the view must not run")

    return app


def _allow(app: Flask, **headers: str) -> None:
    @app.after_request
    def cors(response):
        response.headers["Access-Control-Allow-Origin"] = ORIGIN["Origin"]
        response.headers.update(headers)
        return response


@pytest.mark.asvs("V4.1.4")
@pytest.mark.rfc("F-01")
def test_dec_05_a_preflight_passes_and_the_view_does_not_run(app):
    answer = app.test_client().options("/", headers=PREFLIGHT)
    assert answer.status_code == 200
    assert "GET" in answer.headers["Allow"]


def test_dec_04_options_that_is_no_preflight_is_judged(app):
    assert app.test_client().options("/").status_code == 401
    assert app.test_client().options("/", headers=ORIGIN).status_code == 401


def test_the_challenge_can_be_read_by_scripts_of_an_allowed_origin(app):
    _allow(app)
    answer = app.test_client().get("/", headers=ORIGIN)
    assert answer.status_code == 401
    assert answer.headers["Access-Control-Expose-Headers"] == "WWW-Authenticate"


def test_what_the_app_exposes_stays_and_nothing_is_named_twice(app):
    _allow(app, **{"Access-Control-Expose-Headers": "X-Total, www-authenticate"})
    answer = app.test_client().get("/", headers=ORIGIN)
    assert answer.headers["Access-Control-Expose-Headers"] == "X-Total, www-authenticate"


def test_retry_after_is_exposed_on_503(app):
    _allow(app)
    answer = app.test_client().get("/", headers={**ORIGIN, "Authorization": "Bearer x"})
    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "7"
    assert answer.headers["Access-Control-Expose-Headers"] == "Retry-After"


def test_without_cors_nothing_is_exposed(app):
    answer = app.test_client().get("/", headers=ORIGIN)
    assert "Access-Control-Expose-Headers" not in answer.headers


def test_a_protected_blueprint_lets_preflights_pass(make_app):
    auth = Auth(Bearer(_unavailable))
    app = make_app(auth)
    app.add_url_rule("/", view_func=lambda: "x", endpoint="index")
    auth.protect(app)
    assert app.test_client().options("/", headers=PREFLIGHT).status_code == 200
    assert app.test_client().get("/").status_code == 401


@pytest.mark.parametrize("protected", [True, False])
def test_a_decorator_above_ours_may_answer_the_preflight(make_app, protected):
    """As flask-cors' ``cross_origin`` does; the view doesn't run, for ours answers where nobody did."""
    auth = Auth(Bearer(_unavailable))
    app = make_app(auth)

    def allowed(view):
        view.required_methods, view.provide_automatic_options = {"OPTIONS"}, False

        @wraps(view)
        def wrapped(*args):
            response = make_response(view(*args))
            response.headers["Access-Control-Allow-Origin"] = ORIGIN["Origin"]
            return response

        return wrapped

    @app.get("/")
    @allowed
    @auth.login_required
    def index():
        raise AssertionError("the view must not run")

    if protected:
        auth.protect(app, public={"static"})
    for _ in range(2):  # the first request is checked differently
        answer = app.test_client().options("/", headers=PREFLIGHT)
        assert (answer.status_code, answer.headers["Access-Control-Allow-Origin"]) == (200, ORIGIN["Origin"])
    assert app.test_client().options("/").status_code == 401


GOOD = {"Authorization": "Bearer good"}


ELSEWHERE = {"Origin": "https://elsewhere.example"}


@pytest.mark.rfc("F-03", "F-05", "F-06")
@pytest.mark.parametrize("allowed", [None, "*", "https://elsewhere.example"])
def test_a_script_reads_the_refusal_where_the_app_lets_it_read_anything(make_app, auth, allowed):
    app = make_app(auth)
    app.add_url_rule("/", "view", auth.login_required(lambda: "fine"))
    if allowed is not None:
        app.after_request(lambda answer: answer.headers.set("Access-Control-Allow-Origin", allowed) or answer)
    headers = app.test_client().get("/", headers=ELSEWHERE).headers
    # Named, for a star would not do with credentials; and nothing opened that the app keeps closed.
    assert headers.get("Access-Control-Expose-Headers") == (None if allowed is None else "WWW-Authenticate")
    assert headers.get("Access-Control-Allow-Origin") == allowed


@pytest.mark.rfc("F-06")
@pytest.mark.parametrize("exposed", ["*", "*, X-Request-Id"])
def test_a_star_of_the_app_does_not_stand_for_the_names(make_app, auth, exposed):
    """With credentials a browser reads ``*`` as the name of a field (Fetch, CORS protocol)."""
    app = make_app(auth)
    app.add_url_rule("/", "view", auth.login_required(lambda: "fine"))

    @app.after_request
    def cors(answer):
        answer.headers["Access-Control-Allow-Origin"] = ELSEWHERE["Origin"]
        answer.headers["Access-Control-Allow-Credentials"] = "true"
        answer.headers["Access-Control-Expose-Headers"] = exposed
        return answer

    told = app.test_client().get("/", headers=ELSEWHERE).headers["Access-Control-Expose-Headers"]
    assert "WWW-Authenticate" in [name.strip() for name in told.split(",")]


@pytest.mark.rfc("F-05")
@pytest.mark.parametrize("error", [TooManyAttempts, AuthUnavailable])
def test_a_script_reads_when_to_come_back(make_app, error):
    def load(token):
        raise error(retry_after=30)

    auth = Auth(Bearer(load))
    app = make_app(auth)
    app.add_url_rule("/", "view", auth.login_required(lambda: "fine"))
    app.after_request(lambda answer: answer.headers.set("Access-Control-Allow-Origin", "*") or answer)
    headers = app.test_client().get("/", headers={**ELSEWHERE, **GOOD}).headers
    assert (headers["Retry-After"], headers["Access-Control-Expose-Headers"]) == ("30", "Retry-After")

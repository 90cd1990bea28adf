"""Scripts of other origins: preflights pass, and a refusal can be read where the app allows reading at all."""

import pytest
from flask import Flask

from flask_unauthorized import Auth, AuthUnavailable, Bearer

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

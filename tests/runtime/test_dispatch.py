"""Requests that are never judged: preflights."""

import pytest
from flask import Blueprint

ORIGIN = {"Origin": "https://elsewhere.example"}


PREFLIGHT = {**ORIGIN, "Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "authorization"}


@pytest.mark.rfc("F-02", "F-10")
@pytest.mark.parametrize("methods", [["GET"], ["GET", "OPTIONS"]])
@pytest.mark.parametrize("guarded", ["view", "blueprint", "app"])
def test_a_preflight_is_never_judged(make_app, auth, methods, guarded):
    app, part = make_app(auth), Blueprint("part", __name__)
    view = auth.login_required(lambda: "fine") if guarded == "view" else lambda: "fine"
    part.add_url_rule("/", "view", view, methods=methods)
    if guarded != "view":
        auth.protect(part if guarded == "blueprint" else app)
    app.register_blueprint(part)
    assert app.test_client().get("/").status_code == 401
    answer = app.test_client().options("/", headers=PREFLIGHT)
    assert answer.status_code == 200
    assert "WWW-Authenticate" not in answer.headers
    assert answer.text == ""


@pytest.mark.parametrize("method", ["GET", "POST", "HEAD"])
@pytest.mark.parametrize("guarded", ["view", "app"])
def test_the_fields_of_a_preflight_open_no_other_method(make_app, auth, method, guarded):
    app = make_app(auth)
    view = auth.login_required(lambda: "fine") if guarded == "view" else lambda: "fine"
    app.add_url_rule("/", "view", view, methods=["GET", "POST"])
    if guarded == "app":
        auth.protect(app)
    client = app.test_client()
    assert client.open("/", method=method, headers=PREFLIGHT).status_code == 401
    answer = client.open("/", method=method, headers={**PREFLIGHT, "Authorization": "Bearer good"})
    assert (answer.status_code, answer.text) == (200, "" if method == "HEAD" else "fine")

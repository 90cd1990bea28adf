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

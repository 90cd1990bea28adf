"""Problem details (RFC 9457)."""

import pytest
from flask import Flask

from flask_unauthorized import Auth, Bearer, Identity, InvalidCredentials

NOW = 1_800_000_000


@pytest.fixture
def auth():
    tokens = {
        "good": Identity("ada", scopes={"read"}),
        "old": Identity("ada", acr="silver", auth_time=NOW - 3600),
        "undated": Identity("ada", acr="gold"),
        "fresh": Identity("ada", acr="gold", auth_time=NOW - 10),
    }
    return Auth(Bearer(tokens.get), realm="notes")


@pytest.fixture
def serve(make_app, auth, monkeypatch):
    """The answer of a view behind a guard to a request."""
    monkeypatch.setattr("flask_unauthorized.authentication.authorization.time", lambda: NOW)

    def answer(guard=None, view=lambda: "fine", headers=(), method="GET", url="/", **config):
        app: Flask = make_app(auth, **config)
        app.add_url_rule("/", "view", (guard or auth.login_required)(view))
        return app.test_client().open(url, method=method, headers=dict(headers))

    return answer


@pytest.mark.rfc("PD-06")
def test_detail_helps_and_debugs_nothing(serve, auth):
    def view():
        raise InvalidCredentials(reason="row 7 of table users")

    response = serve(auth.login_optional, view, {"Accept": "application/problem+json"})
    assert response.json["detail"] == "The credentials are not valid."
    assert "row 7" not in response.text

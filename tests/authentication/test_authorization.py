"""What is demanded of an identity: step-up (RFC 9470)."""

import pytest
from flask import Flask

from flask_unauthorized import Auth, Bearer, Identity
from flask_unauthorized.testing import assert_unauthorized

NOW = 1_800_000_000


BAD = {"Authorization": "Bearer bad"}


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


@pytest.mark.rfc("SU-02", "SU-04")
def test_acr_values_keep_their_order_beside_max_age(serve, auth):
    guard = auth.login_required(acr=["gold", "platinum"], max_age=60)
    challenge = assert_unauthorized(serve(guard, headers={"Authorization": "Bearer old"}), scheme="Bearer")
    assert challenge.get("error") == "insufficient_user_authentication"
    assert (challenge.get("acr_values"), challenge.get("max_age")) == ("gold platinum", "60")
    assert serve(guard, headers={"Authorization": "Bearer fresh"}).status_code == 200


@pytest.mark.rfc("SU-02")
@pytest.mark.parametrize("acr", [["gold", "platinum"], ["platinum", "gold"], ["platinum", "gold", "silver"]])
def test_any_of_the_acr_values_will_do(serve, auth, acr):
    assert serve(auth.login_required(acr=acr), headers={"Authorization": "Bearer fresh"}).status_code == 200


@pytest.mark.rfc("SU-03")
def test_max_age_may_be_zero(serve, auth):
    challenge = assert_unauthorized(serve(auth.login_required(max_age=0), headers={"Authorization": "Bearer fresh"}))
    assert (challenge.get("error"), challenge.get("max_age")) == ("insufficient_user_authentication", "0")


@pytest.mark.rfc("SU-06")
@pytest.mark.parametrize("token", ["old", "undated"])
def test_the_login_counts_and_an_unknown_time_is_too_old(serve, auth, token):
    response = serve(auth.login_required(max_age=60), headers={"Authorization": f"Bearer {token}"})
    assert_unauthorized(response, scheme="Bearer", error="insufficient_user_authentication")


@pytest.mark.rfc("SU-07")
def test_a_bad_token_learns_nothing_of_the_policy(serve, auth):
    for headers, error in ((BAD, "invalid_token"), ({}, None)):
        response = serve(auth.login_required(acr="gold", max_age=60), headers=headers)
        assert_unauthorized(response, scheme="Bearer", error=error)
        assert "gold" not in str(response.headers) + response.text
        assert "max_age" not in str(response.headers)


ADA = {"Authorization": "Bearer t"}


@pytest.mark.parametrize("at", [-(10**400), 10**400, float("-inf"), float("inf")])
def test_an_absurd_login_time_is_stale_not_500(make_app, at):
    auth = Auth(Bearer(lambda token: Identity("ada", auth_time=at)))
    app = make_app(auth)
    app.add_url_rule("/", "index", auth.login_required(max_age=60)(lambda: "x"))
    assert app.test_client().get("/", headers=ADA).status_code == 401

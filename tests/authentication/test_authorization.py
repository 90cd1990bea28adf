"""What is demanded of an identity: scopes, roles, and step-up (RFC 9470)."""

import time

import pytest
from flask import Flask

from flask_unauthorized import Auth, Bearer, ConfigurationError, Identity, any_of
from flask_unauthorized.testing import assert_unauthorized
from flask_unauthorized.wire import parse_challenges

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


def _status(make_app, identity, implied=None, **demands):
    auth = Auth(Bearer(lambda token: identity), implied_scopes=implied, realm="r")
    app = make_app(auth)
    app.add_url_rule("/", "index", auth.login_required(**demands)(lambda: "x"))
    answer = app.test_client().get("/", headers={"Authorization": "Bearer x"})
    lines = answer.headers.getlist("WWW-Authenticate")
    return answer.status_code, (parse_challenges(lines)[0] if lines else None)


@pytest.mark.rfc("B-07", "B-13")
@pytest.mark.parametrize(
    ("held", "demanded", "status"),
    [
        ({"a", "b"}, {"a", "b"}, 200),
        ({"a"}, {"a", "b"}, 403),
        ({"A"}, {"a"}, 403),
        ({"b"}, any_of("a", "b"), 200),
        ({"b"}, {"c", any_of("a", "b")}, 403),
        ({"b", "c"}, ["c", any_of("a", "b")], 200),
        ({"all"}, {"read"}, 200),
        ({"write"}, {"read"}, 200),
        ({"read"}, {"write"}, 403),
    ],
)
def test_scopes(make_app, held, demanded, status):
    implied = {"all": {"write"}, "write": {"read"}}
    assert _status(make_app, Identity("ada", scopes=held), implied, scopes=demanded)[0] == status


def test_the_needed_scopes_are_sorted_and_the_first_of_an_alternative_is_named(make_app):
    status, challenge = _status(make_app, Identity("ada"), scopes={"z", "b", any_of("m", "a")})
    assert (status, challenge.get("scope")) == (403, "b m z")


@pytest.mark.rfc("H-02", "H-04")
def test_a_role_that_is_not_held_is_403_without_challenge(make_app):
    assert _status(make_app, Identity("ada", roles={"user"}), roles={"admin"}) == (403, None)
    assert _status(make_app, Identity("ada", roles={"admin"}), roles=any_of("boss", "admin")) == (200, None)


@pytest.mark.rfc("SU-01")
@pytest.mark.parametrize(
    ("identity", "status"),
    [
        (Identity("ada", acr="gold", auth_time=time.time()), 200),
        (Identity("ada", acr="tin", auth_time=time.time()), 401),
        (Identity("ada", auth_time=time.time()), 401),
        (Identity("ada", acr="gold"), 401),
        (Identity("ada", acr="gold", auth_time=time.time() - 10_000), 401),
        (Identity("ada", acr="gold", auth_time=time.time() + 10_000), 401),
    ],
    ids=["fresh", "other-acr", "no-acr", "no-time", "old", "future"],
)
def test_step_up(make_app, identity, status):
    found, challenge = _status(make_app, identity, acr=["gold", "silver"], max_age=3600)
    assert found == status
    if status == 401:
        assert challenge.get("error") == "insufficient_user_authentication"
        assert (challenge.get("acr_values"), challenge.get("max_age")) == ("gold silver", "3600")


def test_a_bare_user_can_meet_no_scope_and_the_developer_is_told(make_app, caplog):
    auth = Auth(Bearer(lambda token: object()))
    app = make_app(auth)
    app.add_url_rule("/", "index", auth.login_required(scopes={"read"})(lambda: "x"))
    with pytest.raises(ConfigurationError, match="Identity"):
        app.test_client().get("/", headers={"Authorization": "Bearer x"})
    app = make_app(auth, TESTING=False)
    app.add_url_rule("/", "index", auth.login_required(scopes={"read"})(lambda: "x"))
    assert app.test_client().get("/", headers={"Authorization": "Bearer x"}).status_code == 403
    assert "Identity" in caplog.text

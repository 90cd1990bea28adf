"""``authorization_details=`` of guards: functions of the app decide by what a token was issued for (RFC 9396)."""

import pytest
from flask import request

from flask_unauthorized import Auth, AuthUnavailable, Bearer, Identity
from flask_unauthorized.identity import RestrictedIdentity
from tests.helpers import bearer_header, challenges_of

PAYMENT = {"type": "payment", "accounts": ["a"]}
TOKENS = {
    "pays": Identity("ada", claims={"authorization_details": [PAYMENT]}),
    "plain": Identity("ada", scopes={"read"}),
    "restricted": RestrictedIdentity("ada", claims={"authorization_details": [PAYMENT]}),
}


@pytest.fixture
def ask(make_app):
    """The response to a token of a view with a guard; ``given`` has the lists that the functions got."""

    def send(token, path="/", **demands):
        auth = Auth(Bearer(TOKENS.get))
        app = make_app(auth)
        app.add_url_rule("/", "view", auth.login_required(**demands)(lambda: "in"))
        app.add_url_rule("/optional", "optional", auth.login_optional(lambda: "in"))
        app.add_url_rule("/required", "required", auth.login_required(lambda: auth.require(**demands).subject))
        return app.test_client().get(path, headers=bearer_header(token))

    return send


def may_pay(details):
    return any(one["type"] == "payment" and request.args.get("account") in one["accounts"] for one in details)


@pytest.mark.asvs("V10.3.2")
@pytest.mark.parametrize(("query", "status"), [("/?account=a", 200), ("/?account=b", 403), ("/", 403)])
def test_the_function_decides_by_the_details_and_the_request(ask, query, status):
    assert ask("pays", query, authorization_details=may_pay).status_code == status


def test_false_is_insufficient_scope_without_a_scope_that_would_help(ask):
    """RFC 6750 §3.1: the request needs more than the token grants."""
    response = ask("plain", scopes={"read"}, authorization_details=may_pay)
    assert response.status_code == 403
    ((name, parameters),) = challenges_of(response)
    assert (name.lower(), parameters["error"]) == ("bearer", "insufficient_scope")
    assert "scope" not in parameters


def test_a_caller_without_details_gets_an_empty_list(ask):
    given = []
    assert ask("plain", authorization_details=lambda details: given.append(details) or True).status_code == 200
    assert given == [[]]


def test_a_function_cannot_change_what_later_ones_see(ask):
    def changes(details):
        details[0]["accounts"].append("b")
        return True

    assert ask("pays", "/?account=a", authorization_details=changes).status_code == 200
    assert ask("pays", "/?account=b", authorization_details=may_pay).status_code == 403


@pytest.mark.parametrize("error", [ValueError, AuthUnavailable])
def test_an_exception_is_a_server_error_and_not_a_refusal(ask, error):
    def fails(details):
        raise error

    with pytest.raises(RuntimeError if error is AuthUnavailable else error):
        ask("pays", authorization_details=fails)


@pytest.mark.parametrize("answer", [None, 1, "yes", []])
def test_what_is_no_bool_is_a_server_error(ask, answer):
    with pytest.raises(TypeError, match="must return True or False"):
        ask("pays", authorization_details=lambda details: answer)


async def is_async(details):
    return True


@pytest.mark.parametrize("decide", [True, "payment", is_async, lambda: True])
def test_what_cannot_be_called_with_the_list_is_refused_when_decorating(auth, decide):
    with pytest.raises(TypeError, match="authorization_details"):
        auth.login_required(authorization_details=decide)


def test_all_levels_must_agree(make_app):
    auth = Auth(Bearer(TOKENS.get))
    app = make_app(auth)
    auth.protect(app, authorization_details=lambda details: request.args.get("outer") == "yes")
    app.add_url_rule("/", "view", auth.login_required(authorization_details=may_pay)(lambda: "in"))
    client = app.test_client()
    for query, status in (("outer=yes&account=a", 200), ("outer=no&account=a", 403), ("outer=yes&account=b", 403)):
        assert client.get(f"/?{query}", headers=bearer_header("pays")).status_code == status


@pytest.mark.asvs("V10.3.2")
@pytest.mark.parametrize("path", ["/", "/optional"])
def test_a_restricted_token_opens_no_view_that_ignores_its_details(ask, path):
    response = ask("restricted", path)
    assert response.status_code == 403
    assert challenges_of(response)[0][1]["error"] == "insufficient_scope"


def test_a_restricted_token_opens_a_view_that_looks_at_its_details(ask):
    assert ask("restricted", "/?account=a", authorization_details=may_pay).status_code == 200
    assert ask("restricted", "/?account=b", authorization_details=may_pay).status_code == 403
    assert ask("restricted", "/required?account=a", authorization_details=may_pay).status_code == 403


def test_a_decorator_that_looks_counts_for_protect_around_another_decorator(make_app):
    """The view is judged in two steps here: what protect() demands, and then the whole."""
    auth = Auth(Bearer(TOKENS.get))
    app = make_app(auth)
    auth.protect(app)

    def outer(view):
        import functools

        return functools.wraps(view)(lambda: view())

    app.add_url_rule("/", "view", outer(auth.login_required(authorization_details=may_pay)(lambda: "in")))
    assert app.test_client().get("/?account=a", headers=bearer_header("restricted")).status_code == 200
    assert app.test_client().get("/?account=b", headers=bearer_header("restricted")).status_code == 403

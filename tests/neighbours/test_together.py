"""Our decorators, `protect`, `require` and `abort_unauthorized` inside the classes of the neighbours."""

import pytest

from flask_unauthorized.testing import assert_sound, assert_unauthorized
from tests.conftest import SoundClient
from tests.independent import independent

from .harness import CHALLENGE, bearer, cases, new_app

ROUTES = pytest.mark.parametrize(("neighbour", "route"), cases("guarded"))


def serve(neighbour):
    app = new_app(neighbour)
    app.testing = True
    app.test_client_class = SoundClient
    neighbour.together(app)
    return app


def ask(neighbour, route, subject=None, method=None):
    """The answer to a request with the token of ``subject``, with a token of nobody (``""``) or with nothing."""
    app = serve(neighbour)
    headers = {}
    if subject is not None:
        headers = bearer(neighbour.token(app, subject) if subject else "nobodys")
    return app.test_client().open(route.path, method=method or route.method, headers=headers)


@ROUTES
def test_nothing_sent(neighbour, route):
    for method in (route.method, "HEAD") if route.method == "GET" else (route.method,):
        response = ask(neighbour, route, method=method)
        assert_unauthorized(response, scheme="Bearer", error=None)
        assert ("bearer", {"realm": "shop"}) in independent(*response.headers.getlist(CHALLENGE))
        assert bool(response.data) == (method != "HEAD")


@ROUTES
def test_a_token_of_nobody(neighbour, route):
    assert_unauthorized(ask(neighbour, route, ""), scheme="Bearer", error="invalid_token")


@ROUTES
def test_who_may_and_who_may_not(neighbour, route):
    ada, bob = (ask(neighbour, route, subject) for subject in ("ada", "bob"))
    if route.by == "abort":
        assert_unauthorized(ada, scheme="Bearer", error=None)  # F-12: the token is valid, and it isn't told otherwise
        return
    assert ada.status_code == 200
    if route.by == "login":
        assert bob.status_code == 200
        return
    assert bob.status_code == 403
    (challenge,) = assert_sound(bob)
    assert (challenge.get("error"), challenge.get("scope")) == ("insufficient_scope", "write")


@ROUTES
def test_a_refusal_of_ours_is_in_the_body_too(neighbour, route):
    response = ask(neighbour, route)
    assert response.is_json
    assert response.json
    said = response.json.get("message", response.json.get("status"))
    assert said

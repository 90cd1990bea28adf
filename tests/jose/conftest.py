"""An API behind an issuer."""

import pytest
from hypothesis import HealthCheck, settings

from flask_unauthorized import Auth, Bearer
from flask_unauthorized.jose import public_key_pem
from flask_unauthorized.loaders.jwt import JWT
from tests.helpers import challenges_of

from .signing import AUDIENCE, ISSUER, pem

RELAXED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""For properties: CI is busy, so no example has a time limit."""


def jwt(algorithm="ES256", **changes):
    """A loader for the tokens of `signing`."""
    given = {
        "audience": AUDIENCE,
        "keys": public_key_pem(pem(algorithm), algorithm=algorithm, kid="k1"),
        "algorithms": (algorithm,),
        **changes,
    }
    return JWT(given.pop("issuer", ISSUER), **given)


class Api:
    """One view, judged by one loader; ``demands`` are those of the view."""

    def __init__(self, make_app, loader, scheme=Bearer, **demands):
        self.auth = Auth(scheme(loader))
        self.app = make_app(self.auth)
        self.seen = []
        self.app.add_url_rule("/", view_func=self.auth.login_required(**demands)(self._view))
        self.client = self.app.test_client()

    def _view(self):
        self.seen.append(self.auth.identity)
        return "in"

    def get(self, token, scheme="Bearer"):
        return self.client.get("/", headers={"Authorization": f"{scheme} {token}"})

    def admits(self, token):
        """The identity of a token that must be good."""
        response = self.get(token)
        assert response.status_code == 200, (response.status_code, response.headers.getlist("WWW-Authenticate"))
        return self.seen[-1]

    def refuses(self, token):
        """The answer to a token that must be no good: 401 and ``invalid_token``, whatever is wrong with it."""
        before = len(self.seen)
        response = self.get(token)
        assert len(self.seen) == before, "the view ran"
        assert response.status_code == 401, response.status_code
        ((_, params),) = challenges_of(response)
        assert dict(params)["error"] == "invalid_token"
        return response


@pytest.fixture
def api(make_app):
    """``api()`` is an app that takes the good token; what is given changes its loader."""

    def make(algorithm="ES256", *, demands=None, **changes):
        return Api(make_app, jwt(algorithm, **changes), **(demands or {}))

    return make


@pytest.fixture
def behind(make_app):
    """``behind(loader)`` is an app with that loader."""
    return lambda loader, **demands: Api(make_app, loader, **demands)

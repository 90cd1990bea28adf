"""Fixtures that all tests share."""

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from flask_unauthorized import Auth, Bearer, Identity
from flask_unauthorized.testing import assert_sound
from flask_unauthorized.wire import Challenge

from .canaries import watching
from .independent import independent

_names = itertools.count()


def _parameters(challenge: Challenge) -> dict[str, str]:
    return {name.lower(): value for name, value in challenge.params}


class SoundClient(FlaskClient):
    """A test client that looks at every answer: see `assert_sound`. A parser that isn't ours has to read the same."""

    def open(self, *args: Any, **kwargs: Any) -> Any:
        response = super().open(*args, **kwargs)
        if self.application.config.get("UNAUTHORIZED_GUARD") != "off":
            # The values too, so that both parsers agree where a quoted string ends and what an escape means.  # T-05
            read = [(challenge.scheme.lower(), _parameters(challenge)) for challenge in assert_sound(response)]
            lines = response.headers.getlist("WWW-Authenticate")
            assert read == [(name.lower(), told) for name, told in (independent(*lines) if lines else ())]
        return response


@pytest.fixture(autouse=True)
def canaries(request: pytest.FixtureRequest) -> Iterator[None]:
    """No secret that the test used may stand in a log record, a signal, a body or a header.  # T-01

    ``@pytest.mark.tells_secrets("log", "body", because="…")`` is for tests whose own app or view does it on purpose.
    """
    marker = request.node.get_closest_marker("tells_secrets")
    allowed = () if marker is None else marker.args
    with watching() as watched:
        yield
    leaks = [leak for leak in watched.leaks if not leak.startswith(allowed)]
    assert not leaks, "\n".join(leaks[:10])


@pytest.fixture
def make_app() -> Callable[..., Flask]:
    """A factory of apps under test: ``make_app(auth, UNAUTHORIZED_GUARD="strict")``. Every answer must be sound."""

    def make(auth: Any = None, **config: Any) -> Flask:
        app = Flask(f"app{next(_names)}")
        app.config.update({"TESTING": True, **config})
        if auth is not None:
            app.test_client_class = SoundClient
            auth.init_app(app)
        return app

    return make


@pytest.fixture
def auth() -> Auth[Any]:
    """An `Auth` that knows one token, "good", of ada, with the scope "read". Files with other needs have their own."""
    return Auth(Bearer({"good": Identity("ada", scopes={"read"})}.get))

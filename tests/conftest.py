"""Fixtures that all tests share."""

import itertools
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask

_names = itertools.count()


@pytest.fixture
def make_app() -> Callable[..., Flask]:
    """A factory of apps under test: ``make_app(auth, UNAUTHORIZED_GUARD="strict")``."""

    def make(auth: Any = None, **config: Any) -> Flask:
        app = Flask(f"app{next(_names)}")
        app.config.update({"TESTING": True, **config})
        if auth is not None:
            auth.init_app(app)
        return app

    return make

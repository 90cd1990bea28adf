"""What `unauthorized.down(app)` of the pytest plugin makes of loaders and stores: the log says that a test did it."""

from collections.abc import Callable

import pytest
from flask import Flask

from flask_unauthorized import Auth, AuthError, Bearer
from flask_unauthorized.pytest_plugin.outage import outage
from flask_unauthorized.stores.memory import MemoryStore

from . import Row


def taken_down(ask: Callable[[Bearer], object]) -> Callable[[], AuthError]:
    def run() -> AuthError:
        bearer, app = Bearer({"good": "ada"}.get), Flask("outage")
        Auth(bearer, app=app)
        with outage(app), pytest.raises(AuthError) as caught:
            ask(bearer)
        return caught.value

    return run


ROWS = [
    Row(
        "a loader that a test has taken down", taken_down(lambda bearer: bearer.load("good")), 503,
        "the test has taken the loaders down",
    ),
    Row(
        "a store that a test has taken down", taken_down(lambda _: MemoryStore().claim("key", 60)), 503,
        "the test has taken the stores down",
    ),
]  # fmt: skip

"""What lets a request or a call end in a refusal."""

import itertools
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from flask import Flask

from flask_unauthorized import Auth, AuthError
from flask_unauthorized.signals import refused as signal
from tests.canaries import register

NOW = 1_800_000_000
"""The time of all rows whose reasons name one, in seconds since 1970."""
PASSWORD = "s3cret-password-of-ada"
TOKEN = "s3cret-token-of-ada"
KEY = "s3cret-key-of-ada"
APP_KEY = "s3cret-of-the-app-in-32-characters"
SECRETS = (PASSWORD, TOKEN, KEY, APP_KEY)

_names = itertools.count()
_BOUND_CLOCKS = ("authentication.authorization", "loaders.jwt", "loaders.logout_tokens", "loaders.revocation")
"""Modules that hold ``time.time`` under a name of their own."""


@contextmanager
def clock(now: float = NOW) -> Iterator[None]:
    """Stops the time of the package."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(time, "time", lambda: now)
        for module in _BOUND_CLOCKS:
            patch.setattr(f"flask_unauthorized.{module}.time", lambda: now)
        yield


def stopped(make: Callable[[], AuthError]) -> Callable[[], AuthError]:
    """``make`` while the time stands still."""

    def run() -> AuthError:
        with clock():
            return make()

    return run


def app_of(auth: Auth, **config: Any) -> Flask:
    app = Flask(f"shop{next(_names)}")
    app.config.update({"SECRET_KEY": APP_KEY, "TESTING": True, "UNAUTHORIZED_REALM": "shop", **config})
    auth.init_app(app)
    register(*SECRETS)
    return app


def signaled(app: Flask, ask: Callable[[], Any]) -> AuthError:
    """The error of the last refusal, which the answer must have the status of."""
    errors: list[AuthError] = []
    with signal.connected_to(lambda sender, error, **extra: errors.append(error), app):
        response = ask()
    assert response.status_code == errors[-1].code  # type: ignore[attr-defined]  # Werkzeug's
    return errors[-1]


def request_of(
    *schemes: Any,
    headers: Any = None,
    view: Callable[[Auth], Any] = lambda auth: "in",
    guard: str | None = "login_required",
    method: str = "GET",
    url: str = "/",
    environ: Any = None,
    config: Any = None,
    prepare: Callable[[Auth, Flask], Any] = lambda auth, app: None,
    unavailable: Any = (),
    data: Any = None,
    **demands: Any,
) -> Callable[[], AuthError]:
    """A row's ``make``: one request to a view behind a guard."""

    def run() -> AuthError:
        auth = Auth(*schemes, unavailable=unavailable)
        app = app_of(auth, **(config or {}))
        prepare(auth, app)
        judged = (lambda: view(auth)) if guard is None else getattr(auth, guard)(**demands)(lambda: view(auth))
        app.add_url_rule("/", "view", judged, methods=["GET", "POST"])
        client = app.test_client(use_cookies=False)
        given = headers() if callable(headers) else headers
        return signaled(
            app, lambda: client.open(url, method=method, headers=given, environ_overrides=environ, data=data)
        )

    return run


def call_of(function: Callable[..., Any], *args: Any) -> Callable[[], AuthError]:
    """A row's ``make``: a call that raises."""

    def run() -> AuthError:
        register(*SECRETS)
        with pytest.raises(AuthError) as caught:
            function(*args)
        return caught.value

    return run

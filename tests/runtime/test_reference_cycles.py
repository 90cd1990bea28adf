"""A refusal leaves no reference cycle: all that a request used is freed at its end, without the cycle collector.

A frame that keeps the error which it raises is such a cycle, because the traceback of the error holds the frame. The
request hangs on it, with its credentials.
"""

import gc
import sys

import pytest
from flask import Flask
from werkzeug.exceptions import HTTPException

from flask_unauthorized import Auth, AuthError, Bearer, abort_forbidden, abort_unauthorized
from flask_unauthorized.signals import refused

REQUESTS = {
    "nothing sent": ("/guarded", {}),
    "wrong token": ("/guarded", {"Authorization": "Bearer wrong"}),
    "two credentials": ("/guarded", {"Authorization": "Bearer a, Bearer b"}),
    "role lacking": ("/role", {"Authorization": "Bearer good"}),
    "abort_unauthorized": ("/abort", {}),
    "abort_unauthorized, wrong token": ("/abort", {"Authorization": "Bearer wrong"}),
    "abort_forbidden": ("/forbid", {"Authorization": "Bearer good"}),
    "require": ("/require", {}),
    "a group": ("/group", {}),
}


@pytest.fixture(params=["built-in response", "handler of the app"])
def app(request):
    app = Flask(__name__)
    auth = Auth(Bearer(lambda token: "ada" if token == "good" else None), app=app)
    if request.param == "handler of the app":
        app.register_error_handler(HTTPException, lambda error: (error.name, error.code))

    app.add_url_rule("/guarded", "guarded", auth.login_required(lambda: "hello"))
    app.add_url_rule("/role", "role", auth.login_required(roles={"admin"})(lambda: "hello"))
    app.add_url_rule("/abort", "abort", lambda: abort_unauthorized())
    app.add_url_rule("/forbid", "forbid", lambda: abort_forbidden())
    app.add_url_rule("/require", "require", lambda: str(auth.require()))

    @app.get("/group")
    def group():
        if sys.version_info < (3, 11):
            abort_unauthorized()
        try:
            abort_unauthorized()
        except AuthError as error:
            group = ExceptionGroup("tasks", [error])  # noqa: F821  # Python 3.11
        try:
            raise group
        finally:
            del group

    return app


def refusals_alive():
    return [one for one in gc.get_objects() if issubclass(type(one), AuthError)]


@pytest.mark.parametrize(("path", "headers"), REQUESTS.values(), ids=REQUESTS)
def test_a_refusal_is_freed_at_the_end_of_its_request(app, path, headers, monkeypatch):
    monkeypatch.setattr(refused, "receivers", {})  # the one that looks for secrets keeps what it gets
    call = app.test_client().get
    call(path, headers=headers)
    gc.collect()
    others = refusals_alive()  # of other tests
    gc.disable()
    try:
        status = call(path, headers=headers).status_code
        left = [type(one).__name__ for one in refusals_alive() if one not in others]
    finally:
        gc.enable()
    assert status in (400, 401, 403)
    assert left == []

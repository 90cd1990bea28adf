"""``UNAUTHORIZED_ONE_LINE``: adapters and proxies that pass on one of several lines of a field (F-57)."""

import re

import pytest
from flask import Response, abort

from flask_unauthorized import (
    Auth,
    Basic,
    Bearer,
    ConfigurationError,
    Digest,
    Identity,
    abort_unauthorized,
)
from flask_unauthorized.errors import MalformedCredentials
from tests.helpers import challenge_lines, raise_error
from tests.independent import independent

BASIC = 'Basic realm="notes", charset="UTF-8"'
BEARER = 'Bearer realm="notes"'
BAD = {"Authorization": "Bearer bad"}
SCRIPT = {"Sec-Fetch-Mode": "cors", "Sec-Fetch-Site": "same-origin"}


def make_auth():
    return Auth(
        Bearer(lambda token: Identity("ada") if token == "good" else None),
        Basic(lambda name, password: None),
        realm="notes",
    )


VIEWS = {
    "bare": lambda: ("", 401),
    "abort": lambda: abort(401),
    "abort_unauthorized": lambda: abort_unauthorized(),
    "response": lambda: abort(Response("no", 401)),
    "broken": lambda: Response("no", 401, {"WWW-Authenticate": "nonsense"}),
}


@pytest.mark.parametrize("view", [*VIEWS, "guarded"])
@pytest.mark.parametrize("handler", [True, False])
def test_all_challenges_on_one_line(make_app, view, handler):  # F-57
    auth = make_auth()
    app = make_app(auth, UNAUTHORIZED_ONE_LINE=True)
    if handler:
        app.register_error_handler(401, lambda error: ("mine", 401))
    app.add_url_rule("/", "view", VIEWS.get(view) or auth.login_required(lambda: "in"))
    for _ in range(2):  # the second answer is a kept one
        assert challenge_lines(app.test_client().get("/")) == [f"{BASIC}, {BEARER}"]


def test_a_rejected_token_and_a_malformed_one(make_app):  # F-57
    auth = make_auth()
    app = make_app(auth, UNAUTHORIZED_ONE_LINE=True)
    app.add_url_rule("/", "view", auth.login_required(lambda: "in"))
    app.add_url_rule("/malformed", "malformed", auth.login_optional(lambda: raise_error(MalformedCredentials())))
    (rejected,) = challenge_lines(app.test_client().get("/", headers=BAD))
    assert [(name, params.get("error")) for name, params in independent(rejected)] == [
        ("basic", None),
        ("bearer", "invalid_token"),
    ]
    (malformed,) = challenge_lines(app.test_client().get("/malformed"))
    assert [name for name, _ in independent(malformed)] == ["basic", "bearer"]


@pytest.mark.parametrize(
    ("config", "headers"), [({"UNAUTHORIZED_ONE_LINE": True}, {}), ({}, SCRIPT)], ids=["setting", "script"]
)
def test_what_other_code_wrote_is_joined_too(make_app, config, headers):  # F-57
    app = make_app(make_auth(), **config)
    upstream = [("WWW-Authenticate", "Negotiate"), ("WWW-Authenticate", 'Bearer realm="up"')]
    app.add_url_rule("/", "view", lambda: Response("", 401, upstream))
    assert challenge_lines(app.test_client().get("/", headers=headers)) == ['Negotiate, Bearer realm="up"']


def test_a_hook_that_adds_a_line(make_app):  # F-57
    auth = make_auth()
    app = make_app(auth, UNAUTHORIZED_ONE_LINE=True)
    app.after_request(lambda answer: answer.headers.add("WWW-Authenticate", 'Bearer realm="notes", x="y"') or answer)
    app.add_url_rule("/", "view", auth.login_required(lambda: "in"))
    assert challenge_lines(app.test_client().get("/")) == [f'{BASIC}, {BEARER}, Bearer realm="notes", x="y"']


def test_two_digest_algorithms(make_app):  # F-57
    auth = Auth(Digest(lambda name: None, algorithms=("SHA-256", "MD5")), realm="notes")
    app = make_app(auth, UNAUTHORIZED_ONE_LINE=True, SECRET_KEY="k" * 32)
    app.add_url_rule("/", "view", auth.login_required(lambda: "in"))
    (line,) = challenge_lines(app.test_client().get("/"))
    assert [params["algorithm"] for _, params in independent(line)] == ["SHA-256", "MD5"]


def test_several_lines_without_it(make_app):
    auth = make_auth()
    app = make_app(auth)
    app.add_url_rule("/", "view", auth.login_required(lambda: "in"))
    assert challenge_lines(app.test_client().get("/")) == [BASIC, BEARER]


def test_an_adapter_that_keeps_the_last_line_loses_nothing(make_app):  # F-57
    """What apig-wsgi and aws-wsgi do with the header lines: a dict of the names."""
    auth = make_auth()
    app = make_app(auth, UNAUTHORIZED_ONE_LINE=True)
    app.add_url_rule("/", "view", auth.login_required(lambda: "in"))
    passed_on = dict(app.test_client().get("/").headers.to_wsgi_list())
    assert re.findall(r"(?:^|, )(\w+) realm", passed_on["WWW-Authenticate"]) == ["Basic", "Bearer"]


@pytest.mark.parametrize("value", ["yes", 1, "True"])
def test_another_value_is_refused(make_app, value):
    auth = make_auth()
    with pytest.raises(ConfigurationError, match="UNAUTHORIZED_ONE_LINE"):
        auth.check(make_app(auth, UNAUTHORIZED_ONE_LINE=value))

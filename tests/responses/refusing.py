"""Apps with one Bearer scheme, and every shape in which a view can answer 401."""

import re

import pytest
from flask import Flask, Response, abort, jsonify
from werkzeug.exceptions import Unauthorized as HTTPUnauthorized

from flask_unauthorized import Auth, Bearer, Identity, MissingCredentials
from tests.helpers import raise_error

LINE = re.compile(r'([!#$%&\'*+.^_`|~0-9A-Za-z-]+) ((?:[a-z_]+="(?:[^"\\]|\\.)*"(?:, |\Z))+)')
CLEAN = [("Bearer", {"realm": "notes"})]
GOOD = {"Authorization": "Bearer good"}
BROKEN = 'Basic realm="x'
BAD = {"Authorization": "Bearer bad"}


def challenges(response):
    """The challenges of a response, read by a parser of the test's own: one line each, no parameter twice (V1)."""
    found = []
    for line in response.headers.getlist("WWW-Authenticate"):
        match = LINE.fullmatch(line)
        assert match, line
        params = re.findall(r'([a-z_]+)="((?:[^"\\]|\\.)*)"', match[2])
        assert len(dict(params)) == len(params), line
        found.append((match[1], dict(params)))
    return found


def load(token):
    return Identity("ada", scopes={"read"}) if token == "good" else None


def make_auth():
    return Auth(Bearer(load), realm="notes")


def serve_in_order(install, early):
    """An `Auth` with its app; ``install(app)`` ran before ``init_app`` or after it."""
    auth, app = make_auth(), Flask("app")
    app.testing = True
    for step in (install, auth.init_app) if early else (auth.init_app, install):
        step(app)
    return auth, app


each_order = pytest.mark.parametrize("early", [True, False], ids=["before_init_app", "after_init_app"])
SHAPES = {
    "abort": lambda: abort(401),
    "abort_text": lambda: abort(401, "who?"),
    "abort_object": lambda: abort(401, {"why": "no"}),
    "abort_response": lambda: abort(Response("no", status=401)),
    "raise_werkzeug": lambda: raise_error(HTTPUnauthorized()),
    "raise_ours": lambda: raise_error(MissingCredentials()),
    "tuple": lambda: ("", 401),
    "response": lambda: Response("no", status=401),
    "json": lambda: (jsonify(error="no"), 401),
    "returned_werkzeug": lambda: HTTPUnauthorized(),
    "returned_ours": lambda: MissingCredentials(),
    "streamed": lambda: Response((part for part in ("n", "o")), status=401),
    "wsgi": lambda: wsgi_401,
}


def wsgi_401(environ, start_response):
    start_response("401 Unauthorized", [("Content-Type", "text/plain")])
    return [b"no"]


def as_json(error):
    return {"mine": error.code}, error.code


async def as_json_async(error):
    return as_json(error)

"""The oracle: ``explain --json`` says of a case what gunicorn sends to a real request with real credentials."""

import base64
import json
import re
import time
from contextlib import ExitStack
from urllib.parse import urlencode

import pytest
from flask import Flask
from flask.cli import ScriptInfo
from flask.sessions import SecureCookieSessionInterface

from flask_unauthorized.cli import commands
from flask_unauthorized.explain.cases import cases_of
from flask_unauthorized.explain.commands import _set_up
from flask_unauthorized.explain.find_route import find_route, find_target

from ..digest_client import challenge, credentials_for, field_value
from ..dpop_client import Holder
from ..live.conftest import GUNICORN, ask, running
from . import apps

HOLDER = Holder()
OF_THE_SERVER = {"date", "server", "connection"}
ROUTES = [
    ("api", "GET", "/notes"),
    ("api", "HEAD", "/notes"),
    ("api", "POST", "/notes"),
    ("api", "GET", "/optional"),
    ("site", "GET", "/page"),
    ("site", "POST", "/page"),
    ("site", "GET", "/admin?q=a%20b"),
    ("devices", "GET", "/data"),
]


@pytest.fixture(scope="module")
def serve():
    """Start the server of an app once, and return it."""
    started = {}
    with ExitStack() as stack:

        def start(name):
            if name not in started:
                command = (*GUNICORN, f"tests.explain.apps:{name}")
                started[name] = stack.enter_context(running(f"explained {name}", command))
            return started[name]

        yield start


def explained(app, *arguments):
    runner = Flask("runner").test_cli_runner()
    done = runner.invoke(commands, ["explain", "--json", *arguments], obj=ScriptInfo(create_app=lambda: app))
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def cases(app, method, path):
    state = _set_up(app)
    target = find_target(app, state.routes(), method, path, https=False)
    return cases_of(find_route(app, state.routes(), target), target, state)


class Client:
    """Sends real credentials to a server."""

    def __init__(self, server, app, method, path):
        self.server, self.app, self.method, self.path = server, app, method, path

    def send(self, *headers, method=None, path=None):
        lines = [f"{name}: {value}".encode() for name, value in headers]
        return ask(self.server, *lines, method=(method or self.method).encode(), target=(path or self.path).encode())

    def credentials(self, case):
        """Header lines with credentials that come to what the case is about."""
        if case.scheme is None:
            return []
        name = case.name.removeprefix(f"{case.scheme.name.lower()}-")
        if name in ("malformed", "two-credentials"):
            return [*case.sample.headers]
        return getattr(self, f"_{case.scheme.name.lower()}")(name.replace(":", "_"))

    def _bearer(self, name):
        return [("Authorization", f"Bearer {name}")]

    def _basic(self, name):
        return [("Authorization", "Basic " + base64.b64encode(f"{name}:{apps.PASSWORD}".encode()).decode())]

    def _apikey(self, name):
        return [("X-API-Key", name)]

    def _cookie(self, name):
        now = time.time()
        login = {
            "sub": name, "at": 1.0 if name == "too-old" else now, "acr": None, "sid": "s", "begun": now, "seen": now,
            "again": False, "realm": "site",
        }  # fmt: skip
        signer = SecureCookieSessionInterface().get_signing_serializer(self.app)
        return [("Cookie", "session=" + signer.dumps({"_unauthorized": login}))]

    def _digest(self, name):
        if name == "throttled":
            while self.send(*self._digest_of("throttled")).status != 429:
                pass
        sent = self._digest_of("valid" if name == "stale" else name)
        if name == "stale":
            self.send(*sent)  # a nonce count is accepted once
        return sent

    def _digest_of(self, name):
        lines = self.send(method="GET").challenges
        offered = challenge(next(line for line in lines if line.startswith("Digest ")))
        made = credentials_for(offered, uri=self.path, method=self.method, name=name, password=apps.PASSWORD)
        return [("Authorization", field_value(made))]

    def _dpop(self, name):
        token = f"{'valid' if name in ('without-proof', 'without-nonce') else name}~{HOLDER.jkt}"
        sent = [("Authorization", f"DPoP {token}")]
        if name == "without-proof":
            return sent
        proof = HOLDER.proof(path=self.path, method=self.method, token=token)
        if name != "without-nonce":
            nonce = self.send(*sent, ("DPoP", proof)).headers["DPoP-Nonce"]
            proof = HOLDER.proof(path=self.path, method=self.method, token=token, nonce=nonce)
        return [*sent, ("DPoP", proof)]


def hide(name, value, case):
    if name == "allow":  # Flask joins a set, in the order of the process's hashes
        return ", ".join(sorted(value.split(", ")))
    if name == "dpop-nonce" or (name == "retry-after" and case.has_dynamic_wait):
        return "…"
    return re.sub(r'nonce="[^"]*"', 'nonce="…"', value)


@pytest.mark.parametrize(("app_name", "method", "path"), ROUTES, ids=lambda value: value)
def test_a_case_is_what_the_server_sends(serve, app_name, method, path):
    app = getattr(apps, app_name)
    client = Client(serve(app_name), app, method, path)
    document = explained(app, method, path)
    listed = cases(app, method, path)
    assert [one["name"] for one in document["cases"]] == [case.name for case in listed]
    for case, found in zip(listed, document["cases"], strict=True):
        query = urlencode(case.sample.query)
        assert not query  # no scheme of these apps reads the query
        answer = client.send(*client.credentials(case), *case.headers, method=case.method)
        if found["status"] is None:
            assert answer.status == 418, case.name  # what the view of these apps says
            continue
        assert answer.status == found["status"], case.name
        lines = [(key.lower(), value) for key, value in answer.headers.items() if key.lower() not in OF_THE_SERVER]
        expected = sorted((key, hide(key, value, case)) for key, value in lines)
        assert sorted((key.lower(), value) for key, value in found["headers"]) == expected, case.name
        assert re.sub("'nonce-[^']*'", "'nonce-…'", answer.body.decode()) == found["body"], case.name

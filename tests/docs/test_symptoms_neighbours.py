"""The entries of docs/symptoms.md that are about other extensions: flask-cors and Flask-Limiter."""

import pytest
from flask import Flask, request

from flask_unauthorized import Auth, Bearer, Identity, SessionCookie
from tests.helpers import bearer_header

pytest.importorskip("flask_cors")
pytest.importorskip("flask_limiter")
from flask_cors import CORS, cross_origin
from flask_limiter import Limiter

ORIGIN = "https://pages.example"


def test_flask_cors_no_cors_headers_on_the_401(entry):
    def build(decorate, part):
        app = Flask("notes")
        auth = Auth(Bearer({"token-of-ada": "ada"}.get), realm="notes")
        auth.init_app(app)
        entry.run("PART", part, app=app, CORS=CORS)
        app.add_url_rule("/notes", "notes", decorate(auth.login_required(lambda: "notes")))
        return app

    broken = build(cross_origin(origins=[ORIGIN]), "")
    assert entry.curl(broken, 0) == [401]
    refused, accepted = (
        broken.test_client().get("/notes", headers={"Origin": ORIGIN, **more})
        for more in ({}, bearer_header("token-of-ada"))
    )
    assert "Access-Control-Allow-Origin" not in refused.headers
    assert accepted.headers["Access-Control-Allow-Origin"] == ORIGIN
    assert entry.curl(build(lambda view: view, entry.fix), 1) == [401]


def test_works_in_curl_and_postman_not_in_fetch(entry):
    def build(part):
        people = SessionCookie(Identity)
        app = Flask("notes")
        app.config["SECRET_KEY"] = "a secret of thirty-two characters"
        entry.run("PART", part, app=app, CORS=CORS, people=people)
        auth = Auth(people, realm="notes")
        auth.init_app(app)
        app.add_url_rule("/login", "login", lambda: auth.login("ada").subject, methods=["POST"])
        app.add_url_rule("/", "home", auth.login_required(lambda: "home"), methods=["GET", "POST"])
        return app

    assert entry.curl(build("")) == [401]
    client = build(entry.fix).test_client()
    client.post("/login")
    for method in ("GET", "POST"):
        answered = client.open("/", method=method, headers={"Origin": ORIGIN, "Sec-Fetch-Site": "cross-site"})
        assert answered.status_code == 200
        assert answered.headers["Access-Control-Allow-Credentials"] == "true"


def test_the_rate_limiter_counts_all_users_as_one(entry):
    def statuses(part, key):
        app = Flask("notes")
        auth = Auth(Bearer({"token-of-ada": "ada", "token-of-bob": "bob"}.get), realm="notes")
        auth.init_app(app)
        scope = entry.run("PART", part, auth=auth, request=request)
        Limiter(scope.get(key, lambda: request.remote_addr), app=app, default_limits=["1 per hour"],
                storage_uri="memory://")  # fmt: skip
        app.add_url_rule("/", "home", auth.login_required(lambda: "home"))
        client = app.test_client()
        return [
            f"{name} {client.get('/', headers=bearer_header(f'token-of-{name}')).status_code}"
            for name in ("ada", "bob")
        ]

    entry.seen += statuses("", "none")
    assert statuses(entry.fix, "caller_or_address") == ["ada 200", "bob 200"]

"""Plain HTTP: what is refused or warned about, and which proxy is believed."""

import logging

import pytest
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.test import EnvironBuilder, run_wsgi_app

from flask_unauthorized import Auth, Bearer, Identity

GOOD = {"Authorization": "Bearer good"}


@pytest.mark.asvs("V4.1.3")
@pytest.mark.rfc("S-05", "H-37")
def test_forwarded_fields_count_only_where_the_app_trusts_a_proxy(make_app, auth):
    app = make_app(auth, UNAUTHORIZED_REQUIRE_HTTPS=True)
    app.add_url_rule("/", "view", auth.login_required(lambda: "fine"))
    forwarded = {**GOOD, "X-Forwarded-Proto": "https", "Forwarded": "proto=https"}
    assert app.test_client().get("/", headers=forwarded).status_code == 403
    app.wsgi_app = ProxyFix(app.wsgi_app, x_proto=1)
    assert app.test_client().get("/", headers=forwarded).status_code == 200


def test_who_came_without_https_is_told_what_to_do(make_app):
    auth = Auth(Bearer({"plain": Identity("ada")}.get))
    app = make_app(auth, UNAUTHORIZED_REQUIRE_HTTPS=True)
    app.add_url_rule("/", "view", auth.login_required(lambda: "in"))
    assert app.test_client().get("/", headers={"Authorization": "Bearer plain"}).json["message"] == "Use HTTPS."


def _load(token: str):
    return Identity("ada") if token == "good" else None


@pytest.mark.asvs("V4.1.2", "V12.2.1")
@pytest.mark.rfc("H-37", "BA-15", "B-25")
def test_bas_15_required_https_is_403_without_a_challenge_before_any_loader(make_app):
    calls = []
    auth = Auth(Bearer(lambda token: calls.append(token) or "ada"))
    app = make_app(auth, UNAUTHORIZED_REQUIRE_HTTPS=True)
    app.add_url_rule("/", "index", auth.login_required(lambda: "x"))
    client, good = app.test_client(), {"Authorization": "Bearer good"}
    for headers in ({}, good):
        answer = client.get("/", headers=headers)
        assert (answer.status_code, "WWW-Authenticate" in answer.headers) == (403, False)
        assert answer.headers["Cache-Control"] == "no-store"
    assert calls == []
    assert client.get("/", headers=good, base_url="https://localhost").status_code == 200


def test_cfg_09_credentials_over_plain_http_are_warned_about_once(make_app, caplog):
    auth = Auth(Bearer(_load))
    app = make_app(auth)
    app.add_url_rule("/", "index", auth.login_required(lambda: "x"))
    client, good = app.test_client(), {"Authorization": "Bearer good"}
    with caplog.at_level(logging.WARNING, "flask_unauthorized"):
        client.get("/", headers=good, environ_base={"REMOTE_ADDR": "127.0.0.1"})
        client.get("/", environ_base={"REMOTE_ADDR": "203.0.113.5"})
        client.get("/", headers=good, base_url="https://localhost", environ_base={"REMOTE_ADDR": "203.0.113.5"})
        assert "plain HTTP" not in caplog.text
        for _ in range(2):
            client.get("/", headers=good, environ_base={"REMOTE_ADDR": "203.0.113.5"})
    assert caplog.text.count("plain HTTP") == 1


@pytest.mark.parametrize(
    ("peer", "warned"),
    [
        ("", True), (None, True), (..., True), ("203.0.113.5", True), ("::ffff:203.0.113.5", True), ("localhost", True),
        ("127.0.0.1", False), ("127.9.9.9", False), ("::1", False), ("::ffff:127.0.0.1", False),
    ],
)  # fmt: skip
def test_a_peer_that_the_server_does_not_name_is_not_local(make_app, caplog, peer, warned):  # F-66
    auth = Auth(Bearer(_load))
    app = make_app(auth)
    app.add_url_rule("/", "index", auth.login_required(lambda: "x"))
    environ = EnvironBuilder(headers={"Authorization": "Bearer good"}).get_environ()
    environ.pop("REMOTE_ADDR", None)
    if peer is not ...:
        environ["REMOTE_ADDR"] = peer
    with caplog.at_level(logging.WARNING, "flask_unauthorized"):
        assert run_wsgi_app(app, environ)[1] == "200 OK"
    assert ("plain HTTP" in caplog.text) is warned

"""Headers for logouts, caches and other sites, in an app that also has Flask-Login, Flask-Limiter, Flask-Caching,
flask-cors, Flask-Talisman and Flask-Session: each header is sent once, and what a neighbor sets stays.
"""

import logging
import os

import pytest
from flask import Flask, after_this_request

from flask_unauthorized import Auth, SessionCookie
from flask_unauthorized.stores.memory import MemoryStore

try:
    import cachelib
    import flask_session
    from flask_talisman import Talisman

    from .four import extensions
except ModuleNotFoundError as missing:
    if os.environ.get("CI") == "true":
        raise
    pytest.skip(f"{missing.name} is not installed: nox -s neighbours", allow_module_level=True)

ORIGIN = "https://shop.example"
PAGE = {"Accept": "text/html"}


@pytest.fixture
def client():
    app = Flask("site")
    app.config.update(SECRET_KEY="a secret of thirty-two characters", SESSION_COOKIE_SECURE=True)
    Talisman(app, referrer_policy="strict-origin")
    _, _, cache = extensions(app)
    store = MemoryStore(single_process=True)
    auth = Auth(SessionCookie(lambda name: name, store=store, cross_site_reads=False), realm="shop")
    auth.init_app(app)

    @app.post("/in")
    def enter():
        auth.login("ada")
        return "in"

    @app.post("/out")
    def leave():
        @after_this_request
        def forget_more(response):
            response.headers["Clear-Site-Data"] = '"storage"'
            return response

        auth.logout()
        return "out"

    @app.get("/page")
    @auth.login_required(no_store=True)
    @cache.cached(make_cache_key=lambda *args, **kwargs: f"page {auth.identity.subject}")
    def page():
        return "page"

    return app.test_client()


def ask(client, method, path, **headers):
    return client.open(path, method=method, base_url=ORIGIN, headers=headers)


def test_a_logout_clears_what_the_app_and_the_extension_ask_for(client):
    ask(client, "POST", "/in")
    response = ask(client, "POST", "/out", Origin=ORIGIN)
    assert response.status_code == 200
    asked = [one.strip() for line in response.headers.getlist("Clear-Site-Data") for one in line.split(",")]
    assert sorted(asked) == ['"cache"', '"storage"']


def test_an_accepted_page_is_not_stored_and_loaded_by_its_own_site_only(client):
    ask(client, "POST", "/in")
    for _ in range(2):  # the second comes out of the cache of the neighbor
        response = ask(client, "GET", "/page")
        assert response.status_code == 200
        assert response.headers.getlist("Cache-Control") == ["no-store"]
        assert response.headers.getlist("Cross-Origin-Resource-Policy") == ["same-origin"]
        assert response.headers.getlist("Referrer-Policy") == ["strict-origin"]
        assert len(response.headers.getlist("Content-Security-Policy")) == 1
    foreign = ask(client, "GET", "/page", **{"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"})
    assert foreign.status_code == 403


def test_the_refusal_page_keeps_the_policy_of_the_neighbor(client):
    response = ask(client, "GET", "/page", **PAGE)
    assert response.status_code == 401
    assert response.headers.getlist("Referrer-Policy") == ["strict-origin"]
    assert response.headers.getlist("Cross-Origin-Opener-Policy") == ["same-origin"]
    assert response.headers.getlist("Cache-Control") == ["no-store"]


@pytest.mark.parametrize("on_server", [True, False])
def test_sessions_on_a_server_need_no_store(caplog, on_server):
    """A copied cookie names a session that the logout has ended. A signed cookie outlives the logout."""
    app = Flask("site")
    app.config.update(SECRET_KEY="k" * 32, SESSION_COOKIE_SECURE=True, SESSION_COOKIE_SAMESITE="Lax")
    if on_server:
        app.config.update(SESSION_TYPE="cachelib", SESSION_CACHELIB=cachelib.SimpleCache())
        flask_session.Session(app)
    auth = Auth(SessionCookie(lambda name: name), realm="shop")
    auth.init_app(app)
    with caplog.at_level(logging.WARNING, "flask_unauthorized"):
        auth.check(app)
    assert any("has no store=" in record.getMessage() for record in caplog.records) is not on_server

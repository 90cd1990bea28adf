"""Flask-Session keeps sessions on the server: a login gets a new id there, and the old one is dead (SES-01, CK-03)."""

import os

import pytest
from flask import Flask, session

from flask_unauthorized import Auth, Identity, SessionCookie
from flask_unauthorized.stores.memory import MemoryStore

try:
    import cachelib
    import flask_session
except ModuleNotFoundError as missing:
    if os.environ.get("CI") == "true":
        raise
    pytest.skip(f"{missing.name} is not installed: nox -s neighbours", allow_module_level=True)


@pytest.fixture
def site():
    auth = Auth(SessionCookie(lambda name: Identity(name)))
    app = Flask("site")
    kept = cachelib.SimpleCache()
    app.config.update(TESTING=True, SECRET_KEY="k" * 32, SESSION_TYPE="cachelib", SESSION_CACHELIB=kept)
    flask_session.Session(app)
    auth.init_app(app)
    app.add_url_rule("/page", "page", auth.login_required(lambda: auth.identity.subject))
    app.add_url_rule("/set", "set", lambda: session.setdefault("cart", "three"))
    app.add_url_rule("/in/<name>", "in", lambda name: auth.login(name).subject, methods=["POST"])
    app.add_url_rule("/out", "out", lambda: auth.logout() or "out", methods=["POST"])
    app.kept = kept
    return app


def _id(client):
    found = client.get_cookie("session")
    return None if found is None else found.value


def test_ses_01_a_planted_id_is_worthless_after_the_login(site):
    attacker, victim = site.test_client(), site.test_client()
    attacker.get("/set")
    planted = _id(attacker)
    victim.set_cookie("session", planted)
    for name in ("ada", "bob"):
        before = _id(victim)
        victim.post(f"/in/{name}")
        assert _id(victim) != before
        assert victim.get("/page").text == name
        assert attacker.get("/page").status_code == 401
        assert site.kept.get(f"session:{before}") is None


def test_ses_03_a_copied_id_after_the_logout(site):
    client, thief = site.test_client(), site.test_client()
    client.post("/in/ada")
    thief.set_cookie("session", _id(client))
    assert thief.get("/page").text == "ada"
    client.post("/out")
    assert _id(client) is None
    assert thief.get("/page").status_code == 401


# --- remembered logins


@pytest.fixture
def remembering():
    auth = Auth(SessionCookie(lambda name: Identity(name), store=MemoryStore(), remember=30 * 86_400))
    app = Flask("site")
    kept = cachelib.SimpleCache()
    app.config.update(TESTING=True, SECRET_KEY="k" * 32, SESSION_TYPE="cachelib", SESSION_CACHELIB=kept)
    flask_session.Session(app)
    auth.init_app(app)
    app.add_url_rule("/page", "page", auth.login_required(lambda: auth.identity.subject))
    app.add_url_rule("/set", "set", lambda: session.setdefault("cart", "three"))
    app.add_url_rule("/cart", "cart", auth.login_required(lambda: session.get("cart", "none")))
    app.add_url_rule("/in/<name>", "in", lambda name: auth.login(name, remember=True).subject, methods=["POST"])
    app.kept = kept
    return app


def _browser(site, cookie, planted=None):
    client = site.test_client()
    client.set_cookie("session_remember", cookie)
    if planted is not None:
        client.set_cookie("session", planted)
    return client


def _remember_cookie(site):
    client = site.test_client()
    client.post("/in/ada")
    return client.get_cookie("session_remember").value


def test_ses_01_a_planted_id_is_worthless_after_a_remember_cookie_has_opened_a_session(remembering):
    cookie, attacker = _remember_cookie(remembering), remembering.test_client()
    attacker.get("/set")
    planted = _id(attacker)
    victim = _browser(remembering, cookie, planted)
    assert victim.get("/cart").text == "three"  # the content of the session stays
    assert _id(victim) != planted
    assert victim.get_cookie("session_remember").value != cookie
    assert victim.get("/page").text == "ada"
    assert attacker.get("/page").status_code == 401


def test_ses_01_a_planted_id_is_worthless_after_a_repetition(remembering):
    """Flask-Session stores sessions that weren't modified, too. So the login would lie under the attacker's id."""
    cookie, attacker = _remember_cookie(remembering), remembering.test_client()
    assert _browser(remembering, cookie).get("/page").text == "ada"
    attacker.get("/set")
    planted = _id(attacker)
    victim = _browser(remembering, cookie, planted)
    repeated = victim.get("/page")
    assert (repeated.text, "session_remember" in str(repeated.headers)) == ("ada", False)
    assert attacker.get("/page").status_code == 401
    assert remembering.kept.get(f"session:{planted}") is None

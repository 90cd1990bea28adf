"""What becomes of the session before, when somebody logs in again (SES-01: the old one is dead)."""

import time

import pytest

from flask_unauthorized.stores.memory import MemoryStore
from flask_unauthorized.testing import assert_unauthorized
from tests.browser.conftest import USERS, session_cookie_of


def thief_with(shop, copied):
    thief = shop.app.test_client()
    thief.set_cookie("session", copied)
    return thief


@pytest.mark.rfc("CK-03")
@pytest.mark.parametrize("name", ["ada", "bob"])
def test_ses_01_a_login_ends_the_session_that_it_takes_the_place_of(build, name):
    shop = build(store=MemoryStore())
    shop.client.post("/login")
    copied = session_cookie_of(shop.client)
    shop.client.post("/login", data={"name": name})
    assert_unauthorized(thief_with(shop, copied).get("/page"))
    assert shop.client.get("/page").text == f"page of {name}"
    shop.client.post("/logout")
    assert_unauthorized(thief_with(shop, copied).get("/page"))


def test_a_login_that_cannot_end_the_session_before_is_a_server_side_failure_and_changes_nothing(build):
    def refuse(key, old, new, lifetime):
        raise ConnectionRefusedError

    store = MemoryStore()
    shop = build(store=store)
    shop.client.post("/login")
    store._replace = refuse
    assert shop.client.post("/login", data={"name": "bob"}).status_code == 503
    del store._replace
    assert shop.client.get("/page").text == "page of ada"


@pytest.mark.asvs("V6.4.3", "V7.4.3")
@pytest.mark.parametrize("ahead", [0, 5])
def test_ses_04_who_changes_the_password_stays_logged_in(build, monkeypatch, ahead):
    """Where the clock hasn't ticked in between, and where the mark was set by a machine whose clock is ahead."""
    shop = build(store=MemoryStore())
    now = time.time()
    clock = [now]
    monkeypatch.setattr(time, "time", lambda: clock[0])

    @shop.app.post("/password")
    @shop.auth.login_required
    def change():
        clock[0] = now + ahead
        shop.auth.end_sessions(USERS["ada"])
        clock[0] = now
        shop.auth.login("ada")
        return "changed"

    shop.client.post("/login")
    copied = session_cookie_of(shop.client)
    assert shop.client.post("/password").text == "changed"
    assert shop.client.get("/page").status_code == 200
    assert_unauthorized(thief_with(shop, copied).get("/page"))

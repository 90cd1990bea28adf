"""What becomes of the session before, when somebody logs in again (SES-01: the old one is dead)."""

import pytest

from flask_unauthorized.stores.memory import MemoryStore
from flask_unauthorized.testing import assert_unauthorized

from .conftest import cookie_of


def thief_with(shop, copied):
    thief = shop.app.test_client()
    thief.set_cookie("session", copied)
    return thief


@pytest.mark.rfc("CK-03")
@pytest.mark.parametrize("name", ["ada", "bob"])
def test_ses_01_a_login_ends_the_session_that_it_takes_the_place_of(build, name):
    shop = build(store=MemoryStore())
    shop.client.post("/login")
    copied = cookie_of(shop.client)
    shop.client.post("/login", data={"name": name})
    assert_unauthorized(thief_with(shop, copied).get("/page"))
    assert shop.client.get("/page").text == f"page of {name}"
    shop.client.post("/logout")
    assert_unauthorized(thief_with(shop, copied).get("/page"))


def test_a_login_that_cannot_end_the_session_before_is_our_trouble_and_changes_nothing(build):
    def refuse(key, value, lifetime):
        raise ConnectionRefusedError

    store = MemoryStore()
    shop = build(store=store)
    shop.client.post("/login")
    store._put = refuse
    assert shop.client.post("/login", data={"name": "bob"}).status_code == 503
    del store._put
    assert shop.client.get("/page").text == "page of ada"

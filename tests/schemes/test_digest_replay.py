"""Digest: every count of a nonce once, and nonces of ours alone."""

import time

import pytest

from flask_unauthorized import (
    Auth,
    Digest,
)
from flask_unauthorized.stores.memory import MemoryStore
from tests.digest_client import challenge, credentials_for, field_value, sent

from .digest_served import CHALLENGE, KEY, Served, is_stale, load

# --- the count


@pytest.mark.rfc("D-12")
def test_dig_01_a_replay_is_refused_without_a_new_prompt(served):
    offered = served.challenge()
    assert served.ask(offered).status_code == 200
    assert is_stale(served.ask(offered))
    assert len(served.ran) == 1


def test_dig_03_counts_may_come_in_any_order_inside_the_window(served):
    offered = served.challenge()
    assert [served.ask(offered, nc=nc).status_code for nc in (5, 1, 64, 2)] == [200] * 4
    assert is_stale(served.ask(offered, nc=5))
    assert served.ask(offered, nc=100).status_code == 200
    assert is_stale(served.ask(offered, nc=36))  # 64 behind
    assert served.ask(offered, nc=37).status_code == 200


@pytest.mark.rfc("D-37")
def test_dig_04_two_requests_at_once_whichever_comes_first(served):
    offered = served.challenge()
    assert [served.ask(offered, nc=nc).status_code for nc in (2, 1)] == [200, 200]


@pytest.mark.rfc("D-14")
@pytest.mark.parametrize("other", [{"path": "/other"}, {"method": "POST", "data": b"changed"}])
def test_dig_05_and_16_a_count_is_used_whatever_it_was_used_for(served, other):
    offered = served.challenge()
    assert served.ask(offered, method="POST", data=b"body").status_code == 200
    assert is_stale(served.ask(offered, **other))


def test_dig_31_two_guards_of_one_view_use_one_count(make_app):
    auth = Auth(Digest(load, realm="shop"))
    app = make_app(auth, **KEY)
    auth.protect(app, public={"static"})

    @app.get("/")
    @auth.login_required
    @auth.login_required
    def view():
        return str(auth.require().subject)

    offered = challenge(app.test_client().get("/").headers[CHALLENGE])
    assert app.test_client().get("/", headers=sent(offered)).text == "ada"


def test_dig_30_a_store_that_is_down_is_a_server_side_failure(make_app):
    class Down(MemoryStore):
        def _spend(self, key, number, lifetime):
            raise ConnectionRefusedError("redis://secret@host")

    response = Served(make_app, store=Down()).ask()
    assert response.status_code == 503
    assert "secret" not in response.text
    assert CHALLENGE not in response.headers


# --- the nonce


@pytest.mark.rfc("D-10", "D-09")
def test_a_nonce_of_ours_with_one_character_changed(served):
    offered = served.challenge()
    for position, old in enumerate(offered["nonce"]):
        changed = offered["nonce"][:position] + ("B" if old == "A" else "A") + offered["nonce"][position + 1 :]
        assert not is_stale(served.ask({**offered, "nonce": changed}))
    assert not served.ran
    assert served.ask(offered).status_code == 200


@pytest.mark.rfc("D-10")
@pytest.mark.parametrize("nonce", ["dcd98b7102dd2f0e8b11d0f600bfb0c093", "", "a.b.c", "x" * 300, "MAl0.awWz3g.é"])
def test_dig_07_and_25_a_nonce_that_we_never_made(served, nonce):
    response = served.ask({**served.challenge(), "nonce": nonce}) if nonce.isascii() else None
    if response is None:
        params = field_value(credentials_for(served.challenge(), nonce=nonce))
        response = served.app.test_client().get("/", headers={"Authorization": params})
    assert response.status_code == (401 if nonce else 400)
    assert "stale" not in response.headers[CHALLENGE]


@pytest.mark.rfc("D-15")
@pytest.mark.parametrize("seconds", [301, 10_000])
def test_dig_08_an_expired_nonce_is_stale_only_for_who_knows_the_password(served, monkeypatch, seconds):
    offered = served.challenge()
    later = time.time() + seconds
    monkeypatch.setattr(time, "time", lambda: later)
    assert is_stale(served.ask(offered))
    assert not is_stale(served.ask(offered, password="wrong"))
    assert not is_stale(served.ask(password="wrong"))
    assert served.ask().status_code == 200


def test_a_nonce_lives_as_long_as_was_said(make_app, monkeypatch):
    served = Served(make_app, nonce_lifetime=3600)
    offered = served.challenge()
    later = time.time() + 3590
    monkeypatch.setattr(time, "time", lambda: later)
    assert served.ask(offered).status_code == 200


def test_dig_09_a_nonce_for_another_realm_or_app_with_the_same_key(make_app):
    here, there = Served(make_app), Served(make_app)
    assert not is_stale(here.ask({**there.challenge()}))
    other = Served(make_app, realm="office")
    assert not is_stale(here.ask({**other.challenge(), "realm": "shop"}))


@pytest.mark.parametrize("config", [{}, {"SECRET_KEY": "new", "SECRET_KEY_FALLBACKS": [KEY["SECRET_KEY"]]}])
def test_dig_10_another_worker_takes_the_nonce_after_a_restart_and_a_change_of_keys(make_app, config):
    first, second = Served(make_app), Served(make_app)
    offered = first.challenge()
    second.app.name = first.app.name
    second.app.config.update(config)
    assert second.ask(offered).status_code == 200


def test_dig_10_without_the_old_key_the_client_gets_a_new_nonce_and_goes_on(served):
    offered = served.challenge()
    served.app.config["SECRET_KEY"] = "new"
    refused = served.ask(offered)
    assert refused.status_code == 401
    assert served.ask(challenge(refused.headers[CHALLENGE])).status_code == 200


@pytest.mark.parametrize(("ahead", "status"), [(50, 200), (90, 401)])
def test_dig_11_a_nonce_from_the_future(served, monkeypatch, ahead, status):
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + ahead)
    offered = served.challenge()
    monkeypatch.setattr(time, "time", lambda: now)
    response = served.ask(offered)
    assert response.status_code == status
    assert status == 200 or is_stale(response)

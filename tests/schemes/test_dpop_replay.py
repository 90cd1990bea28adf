"""DPoP: every proof counts once, whoever asks, and what is kept of it."""

import json
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from flask_unauthorized import Auth, AuthUnavailable, Bearer, DPoP, Identity
from flask_unauthorized.stores.memory import MemoryStore
from flask_unauthorized.stores.sqlite import SQLiteStore
from tests.dpop_client import ORIGIN, TOKEN, Holder

from .dpop_served import HOLDER, STRANGER, Served, assert_proof_refused


class Watched(MemoryStore):
    """A store that says what it was asked; ``error`` is raised or returned instead of its own value."""

    def __init__(self, error=None, **given):
        super().__init__(**given)
        self.claims = []
        self.failing = error

    def _claim(self, key, lifetime):
        self.claims.append((key, lifetime))
        if isinstance(self.failing, Exception):
            raise self.failing
        return super()._claim(key, lifetime)


# --- once


@pytest.mark.rfc("P-19", "P-03")
def test_dpo_13_a_proof_counts_once(dpop):
    sent = HOLDER.sent()
    assert dpop.send(sent).status_code == 200
    dpop.ran.clear()
    for _ in range(2):
        assert_proof_refused(dpop, dpop.send(sent))
    assert dpop.ask().status_code == 200


@pytest.mark.rfc("P-19")
def test_dpo_13_another_spelling_of_a_used_proof_is_no_new_one(dpop):
    """The same jti by the same key, signed anew: the signature, the header and the other claims don't count."""
    assert dpop.ask(jti="one").status_code == 200
    for more in ({}, {"header": {"kid": "other"}}, {"odd": 1}, {"iat": int(time.time()) - 5}, {"htu": ORIGIN + "/?x"}):
        dpop.ran.clear()
        assert_proof_refused(dpop, dpop.ask(jti="one", **more))


@pytest.mark.asvs("V15.4.1")
@pytest.mark.rfc("P-19", "S-04")
def test_dpo_13_fifty_threads_at_once(dpop):
    sent, barrier = HOLDER.sent(), threading.Barrier(50)

    def ask():
        barrier.wait(60)
        return dpop.send(sent).status_code

    dpop.send()  # the app is ready before the race
    with ThreadPoolExecutor(50) as pool:
        found = [future.result() for future in [pool.submit(ask) for _ in range(50)]]
    assert sorted(found) == [200] + [401] * 49
    assert len(dpop.ran) == 1


RACER = """
import json, sys
from flask import Flask
from flask_unauthorized import Auth, DPoP, Identity
from flask_unauthorized.stores.sqlite import SQLiteStore

given = json.load(open(sys.argv[1]))
identity = Identity("ada", confirmation={"jkt": given["jkt"]})
auth = Auth(DPoP(lambda token: identity, origin=given["origin"], store=SQLiteStore(given["store"]), window=600))
app = Flask("race")
auth.init_app(app)
app.add_url_rule("/", "view", auth.login_required(lambda: "in"))
client = app.test_client()
client.get("/")
print("ready", flush=True)
sys.stdin.readline()
answers = []
for sent in given["proofs"]:
    status = 503
    for _ in range(100):  # busy: asked again, for nothing was decided
        if status == 503:
            status = client.get("/", headers=sent).status_code
    answers.append(status)
print(json.dumps(answers), flush=True)
"""


@pytest.mark.asvs("V11.3.4", "V15.4.2")
@pytest.mark.rfc("P-19")
def test_dpo_13_eight_processes_at_once(tmp_path):
    count = 10
    SQLiteStore(str(tmp_path / "store.db")).close()
    given = {
        "jkt": HOLDER.jkt, "origin": ORIGIN, "store": str(tmp_path / "store.db"),
        "proofs": [HOLDER.sent() for _ in range(count)],
    }  # fmt: skip
    (tmp_path / "given.json").write_text(json.dumps(given))
    command = [sys.executable, "-c", RACER, str(tmp_path / "given.json")]
    racers = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(8)]
    try:
        assert [racer.stdout.readline() for racer in racers] == ["ready\n"] * 8
        for racer in racers:
            racer.stdin.write("go\n")
            racer.stdin.flush()
        found = [json.loads(racer.communicate(timeout=120)[0]) for racer in racers]
    finally:
        for racer in racers:
            racer.kill()
            racer.communicate()
    for answers in zip(*found, strict=True):
        assert sorted(answers) == [200] + [401] * 7


def test_dpo_14_the_same_name_by_another_key_or_holder_is_another_proof(dpop):
    assert dpop.ask(jti="same").status_code == 200
    dpop.confirmation = {"jkt": STRANGER.jkt}
    assert dpop.ask(STRANGER, jti="same").status_code == 200


def test_dpo_14_nobody_burns_the_name_of_anothers_proof(dpop):
    for holder, given in ((STRANGER, {}), (HOLDER, {"sign": STRANGER.sign}), (HOLDER, {"htm": "POST"})):
        assert dpop.ask(holder, jti="victim's", **given).status_code == 401
    assert dpop.ask(jti="victim's").status_code == 200


def test_dpo_14_one_key_uses_a_name_once_whatever_the_address(dpop):
    assert dpop.ask(jti="same").status_code == 200
    assert dpop.ask(jti="same", path="/other").status_code == 401


def test_dpo_15_a_used_proof_is_kept_as_long_as_it_would_be_taken(make_app):
    store = Watched()
    served, now = Served(make_app, store=store), time.time()
    for iat in (now - 50, now, now + 9):
        assert served.ask(iat=iat).status_code == 200
        _, lifetime = store.claims[-1]
        assert time.time() + lifetime > iat + served.dpop.window
        assert lifetime <= served.dpop.window + 2 * served.dpop.ahead + 60


@pytest.mark.parametrize(("iat", "lifetime"), [(0, 120), (-60, 60), (-59.5, 60.5)])
def test_dpo_15_until_the_end_of_acceptance_and_a_minute_more(make_app, monkeypatch, iat, lifetime):
    """A worker whose clock is a minute behind takes the proof a minute longer."""
    now, store = float(int(time.time())), Watched()
    monkeypatch.setattr(time, "time", lambda: now)
    assert Served(make_app, store=store, ahead=0).ask(iat=now + iat).status_code == 200
    assert [claimed for _, claimed in store.claims] == [lifetime]


@pytest.mark.parametrize("iat", [-59.0, 0.0, 9.5])
def test_dpo_15_refused_until_the_end_of_its_time(make_app, monkeypatch, iat):
    """By both clocks at once: the proof is still good, so its use must still be known."""
    start, monotonic = time.time(), time.monotonic()
    passed = 0.0
    monkeypatch.setattr(time, "time", lambda: start + passed)
    monkeypatch.setattr(time, "monotonic", lambda: monotonic + passed)
    served = Served(make_app)
    sent = HOLDER.sent(iat=start + iat)
    assert served.send(sent).status_code == 200
    served.ran.clear()
    while passed <= iat + 60:
        assert_proof_refused(served, served.send(sent))
        passed += 0.5


def test_clk_01_and_02_a_clock_that_goes_back_and_forth(make_app, monkeypatch):
    served, now = Served(make_app), time.time()
    first, early = HOLDER.sent(), HOLDER.sent(iat=now + 3600)
    assert served.send(first).status_code == 200
    monkeypatch.setattr(time, "time", lambda: now - 3600)
    assert served.send(first).status_code == 401
    monkeypatch.setattr(time, "time", lambda: now + 3600)
    assert served.send(early).status_code == 200
    monkeypatch.setattr(time, "time", lambda: now)
    assert [served.send(sent).status_code for sent in (first, early)] == [401, 401]
    assert len(served.ran) == 2


# --- what is kept, and when


@pytest.mark.rfc("P-20")
def test_dpo_26_nothing_is_kept_of_what_is_not_good(make_app):
    store = Watched()
    served = Served(make_app, store=store, nonce=True)
    for number in range(30):
        holder = Holder()
        served.ask(holder, jti=f"junk {number}")
        served.ask(token=f"junk{number}")
        served.ask(sign=holder.sign)
        served.ask()  # no nonce
    assert store.claims == []
    assert served.dpop._rules._verified_keys.keys() <= {HOLDER.jkt}


def test_dpo_26_what_is_kept_is_bounded_and_never_given_up(make_app):
    served = Served(make_app, store=MemoryStore(capacity=3))
    sent = [HOLDER.sent() for _ in range(5)]
    assert [served.send(one).status_code for one in sent] == [200, 200, 200, 503, 503]
    assert [served.send(one).status_code for one in sent[:3]] == [401, 401, 401]


def test_keys_that_are_remembered_are_bounded(make_app, monkeypatch):
    from flask_unauthorized.schemes import dpop_proof

    monkeypatch.setattr(dpop_proof, "MAX_VERIFIED_KEYS", 2)
    served = Served(make_app)
    for holder in [HOLDER, STRANGER, Holder(), HOLDER]:
        served.confirmation = {"jkt": holder.jkt}
        assert served.ask(holder).status_code == 200
        assert served.ask(STRANGER if holder is HOLDER else HOLDER).status_code == 401
        assert holder.jkt in served.dpop._rules._verified_keys
        assert len(served.dpop._rules._verified_keys) <= 2


@pytest.mark.asvs("V14.2.4")
@pytest.mark.rfc("P-20")
def test_names_and_keys_never_reach_the_store(make_app):
    store = Watched()
    Served(make_app, store=store).ask(jti="a-name")
    ((key, _),) = store.claims
    assert "a-name" not in key
    assert HOLDER.jkt not in key
    assert len(key) < 120


# --- more than one guard, and failures


def test_dpo_27_two_guards_on_one_view_use_a_proof_once(make_app):
    store = Watched()
    identity = Identity("ada", scopes={"read"}, confirmation={"jkt": HOLDER.jkt})
    auth = Auth(DPoP({TOKEN: identity}.get, origin=ORIGIN, store=store))
    app = make_app(auth)

    @app.get("/")
    @auth.login_required
    @auth.login_required(scopes={"read"})
    def view():
        return auth.require(scopes={"read"}).subject

    auth.protect(app)
    assert app.test_client().get("/", headers=HOLDER.sent()).text == "ada"
    assert len(store.claims) == 1


def test_dpo_27_a_refusal_is_repeated_and_not_decided_again(make_app):
    store = Watched()
    auth = Auth(DPoP(lambda token: Identity("ada", confirmation={"jkt": HOLDER.jkt}), origin=ORIGIN, store=store))
    app = make_app(auth)

    @app.get("/")
    def view():
        for _ in range(2):
            try:
                auth.require(scopes={"write"})
            except Exception as error:
                answers.append(getattr(error, "code", None))
        return "asked"

    answers = []
    assert app.test_client().get("/", headers=HOLDER.sent()).text == "asked"
    assert answers == [403, 403]
    assert len(store.claims) == 1


def test_dpo_28_a_failing_loader_uses_nothing_up(make_app):
    failures = [ConnectionError()]

    def load(token):
        if failures:
            raise failures.pop()
        return Identity("ada", confirmation={"jkt": HOLDER.jkt})

    auth = Auth(DPoP(load, origin=ORIGIN), unavailable=(ConnectionError,))
    app = make_app(auth)
    app.add_url_rule("/", "view", auth.login_required(lambda: "in"))
    sent = HOLDER.sent()
    assert [app.test_client().get("/", headers=sent).status_code for _ in range(3)] == [503, 200, 401]


@pytest.mark.parametrize("error", [OSError("disk"), AuthUnavailable(), ConnectionResetError()], ids=repr)
def test_dpo_29_a_failing_store_is_503_without_a_challenge(make_app, error):
    served = Served(make_app, store=Watched(error))
    response = served.ask()
    assert response.status_code == 503
    assert "WWW-Authenticate" not in response.headers
    assert int(response.headers["Retry-After"]) > 0
    assert served.ran == []


@pytest.mark.asvs("V16.5.3")
def test_dpo_29_a_store_that_answers_nothing_lets_nobody_in(make_app):
    class Silent(MemoryStore):
        def _claim(self, key, lifetime):
            return None

    served = Served(make_app, store=Silent())
    assert served.ask().status_code == 401
    assert served.ran == []


def test_dpo_34_a_redirect_uses_nothing_up(make_app):
    store = Watched()
    identity = Identity("ada", confirmation={"jkt": HOLDER.jkt})
    app = make_app(auth := Auth(DPoP({TOKEN: identity}.get, origin=ORIGIN, store=store)))
    app.add_url_rule("/notes/", "notes", auth.login_required(lambda: "in"))
    auth.protect(app)
    sent = HOLDER.sent(path="/notes")
    moved = app.test_client().get("/notes", headers=sent)
    assert (moved.status_code, moved.location) == (308, "http://localhost/notes/")
    assert store.claims == []
    assert app.test_client().get("/notes/", headers=sent).status_code == 401
    assert app.test_client().get("/notes/", headers=HOLDER.sent(path="/notes/")).text == "in"


def test_a_proof_is_not_used_up_by_who_is_let_in_otherwise(make_app):
    store = Watched()
    bearer, dpop = Bearer({"open": Identity("bob")}.get), DPoP({}.get, origin=ORIGIN, store=store)
    auth = Auth(bearer, dpop)
    app = make_app(auth)
    app.add_url_rule("/", "view", auth.login_required(lambda: auth.identity.subject))
    sent = {"Authorization": "Bearer open", "DPoP": HOLDER.proof(token="open")}
    assert app.test_client().get("/", headers=sent).text == "bob"
    assert store.claims == []


def test_several_workers_without_a_shared_store_are_told_of(make_app, caplog):
    served = Served(make_app)
    client = served.app.test_client()
    response = client.get("/", headers=HOLDER.sent(), environ_overrides={"wsgi.multiprocess": True})
    assert response.status_code == 200
    assert "SQLiteStore or RedisStore" in caplog.text


def test_a_proof_that_is_over_before_the_loader_answers_lets_nobody_in(make_app, monkeypatch):
    """Two requests with one proof may wait for the loader at once: what the first one left behind would be over."""
    now, store = time.time(), Watched()

    def load(token):
        monkeypatch.setattr(time, "time", lambda: now + 500)
        return Identity("ada", confirmation={"jkt": HOLDER.jkt})

    served = Served(make_app, loader=load, store=store)
    assert_proof_refused(served, served.ask())
    assert store.claims == []


def test_stores_are_checked_before_the_first_request(make_app):
    class Broken(MemoryStore):
        def check(self):
            raise ConnectionError("checked")

    served = Served(make_app, store=Broken())
    with pytest.raises(ConnectionError, match="checked"):
        served.auth.check(served.app)

"""What ends a session, and what must not: dead cookies, other realms, several logouts at once, outages."""

import itertools
import logging
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from types import SimpleNamespace

import pytest
from flask import request, session

from flask_unauthorized import Auth, AuthUnavailable, Bearer, ConfigurationError, Identity, RevokedCredentials
from flask_unauthorized.errors import Forbidden
from flask_unauthorized.schemes.session import entries as session_entries
from flask_unauthorized.schemes.session.scheme import SessionCookie
from flask_unauthorized.stores import memory
from flask_unauthorized.stores.base import MAX_LIFETIME, Store
from flask_unauthorized.stores.memory import MemoryStore
from flask_unauthorized.stores.redis import RedisStore
from flask_unauthorized.stores.sqlite import SQLiteStore
from tests.browser.conftest import KEY, USERS, forge, session_content, session_cookie_of
from tests.helpers import app_with_schemes
from tests.stores.servers import redis_server

LIMIT = 3
"""``MAX_ENDED`` in these tests."""
_fresh = itertools.count()


@pytest.fixture
def clock(monkeypatch):
    """The time of sessions and stores, to be moved. Redis has a clock of its own."""
    now = [time.time()]
    monkeypatch.setattr(time, "time", lambda: now[0])
    monkeypatch.setattr(memory, "time", SimpleNamespace(time=lambda: now[0], monotonic=lambda: now[0]))
    return now


@pytest.fixture
def low_limit(monkeypatch):
    monkeypatch.setattr(session_entries, "MAX_ENDED", LIMIT)


@pytest.fixture(scope="module")
def redis_url(tmp_path_factory):
    with redis_server(tmp_path_factory.mktemp("redis")) as url:
        yield url


@pytest.fixture(params=["memory", "old", "sqlite", "redis"])
def store(request, tmp_path):
    if request.param in ("memory", "old"):
        return MemoryStore() if request.param == "memory" else OldStore()
    if request.param == "sqlite":
        return SQLiteStore(tmp_path / "sessions.db")
    return RedisStore(request.getfixturevalue("redis_url"), prefix=f"test{next(_fresh)}")


class OldStore(MemoryStore):
    """A store of an app that was written before `Store.replace`."""

    _replace = Store._replace


class Recording:
    """Records what ends sessions. The operations in ``down`` fail."""

    def __init__(self):
        super().__init__()
        self.ended = []
        self.down = frozenset()

    def _record(self, operation, key, value=None):
        if operation in self.down:
            raise ConnectionRefusedError
        if operation in ("claim", "increment") or value == "ended" or ":session-not-before:" in key:
            self.ended.append(operation)

    def _claim(self, key, *args):
        self._record("claim", key)
        return super()._claim(key, *args)

    def _increment(self, key, *args):
        self._record("increment", key)
        return super()._increment(key, *args)

    def _put(self, key, value, *args):
        self._record("put", key, value)
        super()._put(key, value, *args)

    def _get(self, key):
        self._record("get", "")
        return super()._get(key)


class RecordingStore(Recording, MemoryStore):
    def _replace(self, key, old, new, lifetime):
        self._record("replace", key, new)
        return super()._replace(key, old, new, lifetime)


class OldRecordingStore(Recording, OldStore):
    pass


RECORDING = pytest.mark.parametrize("make_store", [RecordingStore, OldRecordingStore])


def live_entries(store):
    """How many entries a store holds, without those that have expired."""
    return sum(store._find(key, memory._now()) is not None for key in store._entries)


def log_in(shop, name="ada"):
    """A device on which ``name`` logs in."""
    device = shop.app.test_client()
    assert device.post("/login", data={"name": name}).status_code == 302
    return device


def client_with_cookie(shop, cookie):
    """A client that sends this cookie and keeps none."""
    client = shop.app.test_client(use_cookies=False)
    sent = {"Cookie": f"session={cookie}"}
    return SimpleNamespace(
        post=lambda path, **data: client.post(path, headers=sent, data=data),
        get=lambda path: client.get(path, headers=sent),
    )


# --- F-34: a dead cookie ends and counts nothing


def logged_out(shop, clock):
    device = log_in(shop)
    cookie = session_cookie_of(device)
    device.post("/logout")
    return cookie


def replaced(shop, clock):
    device = log_in(shop)
    cookie = session_cookie_of(device)
    device.post("/login", data={"name": "ada"})
    return cookie


def all_ended(shop, clock):
    cookie = session_cookie_of(log_in(shop))
    with shop.app.app_context():
        shop.auth.end_sessions("ada")
    return cookie


def expired(shop, clock):
    cookie = session_cookie_of(log_in(shop))
    clock[0] += shop.cookie.lifetime + 1
    return cookie


def idle(shop, clock):
    cookie = session_cookie_of(log_in(shop))
    clock[0] += shop.cookie.idle + 1
    return cookie


def of_another_realm(shop, clock):
    login = session_content(shop.app, session_cookie_of(log_in(shop)))["_unauthorized"]
    return forge(shop.app, {"_unauthorized": {**login, "realm": "forum"}})


def damaged(shop, clock):
    login = session_content(shop.app, session_cookie_of(log_in(shop)))["_unauthorized"]
    return forge(shop.app, {"_unauthorized": {**login, "seen": "now"}})


DEAD = [logged_out, replaced, all_ended, expired, idle, of_another_realm, damaged]
POSTS = [("/logout", {}), ("/login", {"name": "bob"}), ("/login", {"name": "ada"}), ("/login", {"name": "nobody"})]


@pytest.mark.parametrize(("path", "data"), POSTS)
@pytest.mark.parametrize("make_dead", DEAD)
@RECORDING
def test_a_dead_cookie_ends_nothing_however_often_it_is_posted(
    build, clock, low_limit, make_store, make_dead, path, data
):  # F-34
    store = make_store()
    shop = build(store=store)
    copy = client_with_cookie(shop, make_dead(shop, clock))
    device = log_in(shop)
    del store.ended[:]
    for _ in range(LIMIT + 2):
        answered = copy.post(path, **data)
        assert answered.status_code in (302, 401)
        if answered.status_code == 401 or path == "/logout":
            (set_cookie,) = answered.headers.getlist("Set-Cookie")
            assert set_cookie.startswith("session=;")  # the browser drops it
    assert device.get("/page").text == "page of ada"
    assert log_in(shop).get("/page").status_code == 200
    assert copy.get("/page").status_code == 401
    assert store.ended == []


@pytest.mark.parametrize("refusal", [None, False, RevokedCredentials("locked")])
@pytest.mark.parametrize(("path", "data"), [("/logout", {}), ("/login", {"name": "bob"})])
@RECORDING
def test_nor_does_the_cookie_of_a_user_whom_the_loader_refuses(
    build, low_limit, make_store, refusal, path, data
):  # F-34
    def load(name):
        if name == "ada" and isinstance(refusal, Exception):
            raise refusal
        return refusal if name == "ada" else USERS[name]

    store = make_store()
    shop = build(store=store)
    device, copy = log_in(shop), client_with_cookie(shop, session_cookie_of(log_in(shop)))
    del store.ended[:]
    known, shop.cookie._loader = shop.cookie._loader, load
    for _ in range(LIMIT + 2):
        copy.post(path, **data)
    assert store.ended == []
    shop.cookie._loader = known
    assert device.get("/page").status_code == 200


def test_a_hundred_posts_of_a_dead_cookie(build):  # F-34, at the real limit
    shop = build(store=MemoryStore())
    cookie = logged_out(shop, None)
    device, copy = log_in(shop), client_with_cookie(shop, cookie)
    for _ in range(session_entries.MAX_ENDED + 2):
        copy.post("/logout")
    assert device.get("/page").status_code == 200


# --- several logouts of one session


def test_copies_of_one_live_cookie_that_log_out_at_once_count_once(build, low_limit, store):  # F-34
    shop = build(store=store)
    device = log_in(shop)
    copied = session_cookie_of(log_in(shop))
    together = threading.Barrier(2 * LIMIT)
    check = shop.cookie._was_ended

    def check_together(login, request):
        ended = check(login, request)
        together.wait(timeout=30)  # All of them have found the session alive before the first ends it.
        return ended

    shop.cookie._was_ended = check_together
    with ThreadPoolExecutor(2 * LIMIT) as pool:
        answers = list(
            pool.map(lambda _: client_with_cookie(shop, copied).post("/logout").status_code, range(2 * LIMIT))
        )
    shop.cookie._was_ended = check
    assert answers == [302] * (2 * LIMIT)
    assert client_with_cookie(shop, copied).get("/page").status_code == 401
    assert device.get("/page").status_code == 200


def test_a_logout_while_all_sessions_are_ended(build, low_limit, store):  # F-34
    """Whichever comes first: both sessions are dead, and a login after both is alive."""
    shop = build(store=store)
    device, other = log_in(shop), log_in(shop)
    check = shop.cookie._was_ended

    def end_in_between(login, request):
        ended = check(login, request)
        shop.auth.end_sessions("ada")
        return ended

    copied = session_cookie_of(device)
    shop.cookie._was_ended = end_in_between
    assert device.post("/logout").status_code == 302
    shop.cookie._was_ended = check
    assert [client_with_cookie(shop, copied).get("/page").status_code, other.get("/page").status_code] == [401, 401]
    assert log_in(shop).get("/page").status_code == 200


def test_a_user_fills_no_store_by_logging_in_and_out(build, low_limit, store):
    """More logouts than the store remembers one by one end all sessions of this user, and of no other."""
    shop = build(store=store)
    device, bob = log_in(shop), log_in(shop, "bob")
    copies = [logged_out(shop, None) for _ in range(LIMIT)]
    assert device.get("/page").status_code == 200
    copies.append(logged_out(shop, None))
    assert device.get("/page").status_code == 401
    assert {client_with_cookie(shop, copied).get("/page").status_code for copied in copies} == {401}
    assert bob.get("/page").status_code == 200


@pytest.mark.parametrize("make_store", [MemoryStore, OldStore])
def test_the_entries_of_a_user_are_bounded(build, clock, low_limit, make_store):
    store = make_store()
    shop = build(store=store)
    for _ in range(LIMIT):
        logged_out(shop, clock)
    full = live_entries(store)
    for _ in range(20):
        logged_out(shop, clock)
        clock[0] += 2  # The entries that aren't needed any more expire.
    assert live_entries(store) <= full + 3  # one session more, the mark, and that the user is one of these


@pytest.mark.parametrize("name", ["ada", "bob"])
def test_the_login_that_ends_one_session_too_many_is_alive_itself(build, low_limit, name):
    """An app that calls ``login()`` whenever rights change must not throw out its user."""
    shop = build(store=MemoryStore())
    device = shop.client
    for _ in range(LIMIT + 3):
        device.post("/login", data={"name": "ada"})
        assert device.get("/page").text == "page of ada"
    device.post("/login", data={"name": name})
    assert device.get("/page").text == f"page of {name}"


# --- outages


@pytest.mark.parametrize(
    ("make_store", "down"),
    [
        *((OldRecordingStore, operation) for operation in ("get", "claim", "increment", "put")),
        *((RecordingStore, operation) for operation in ("get", "increment", "replace")),
    ],
)
def test_a_store_that_is_down_at_the_logout_is_503_and_the_browser_is_out(build, make_store, down):  # F-34
    store = make_store()
    shop = build(store=store)
    device = log_in(shop)
    copied = session_cookie_of(device)
    store.down = {down}
    assert device.post("/logout").status_code == 503
    assert session_cookie_of(device) is None
    store.down = frozenset()
    copy = client_with_cookie(shop, copied)
    assert copy.post("/logout").status_code == 302  # once more, by a client that kept it
    assert copy.get("/page").status_code == 401


@pytest.mark.parametrize("error", [AuthUnavailable(reason="no database"), Forbidden("suspended")])
def test_a_logout_needs_no_loader(build, error):  # F-34
    def load(name):
        raise error

    shop = build(store=MemoryStore())
    device = log_in(shop)
    copied = session_cookie_of(device)
    known, shop.cookie._loader = shop.cookie._loader, load
    assert device.post("/logout").status_code == 302
    assert session_cookie_of(device) is None
    shop.cookie._loader = known
    assert client_with_cookie(shop, copied).get("/page").status_code == 401


def test_a_broken_loader_leaves_nobody_logged_in(build):
    def load(name):
        raise KeyError(name)

    shop = build(store=MemoryStore(), config={"PROPAGATE_EXCEPTIONS": False})
    device = log_in(shop)
    copied = session_cookie_of(device)
    known, shop.cookie._loader = shop.cookie._loader, load
    assert device.post("/logout").status_code == 500
    assert session_cookie_of(device) is None
    shop.cookie._loader = known
    assert client_with_cookie(shop, copied).get("/page").status_code == 401


def test_who_deletes_the_account_and_logs_out_ends_the_session(build):
    """Nobody asks for the user again, who was known when the request was judged."""
    shop = build(store=MemoryStore())

    @shop.app.post("/delete")
    @shop.auth.login_required
    def delete():
        del shop.users["ada"]
        shop.auth.logout()
        return "deleted"

    device = log_in(shop)
    copied = session_cookie_of(device)
    assert device.post("/delete").text == "deleted"
    shop.users["ada"] = Identity("ada")  # somebody else takes the name
    assert client_with_cookie(shop, copied).get("/page").status_code == 401


def test_without_a_store_a_logout_asks_nobody(build):
    def load(name):
        raise AssertionError(name)

    shop = build()
    device = log_in(shop)
    shop.cookie._loader = load
    assert device.post("/logout").status_code == 302


def test_a_loader_that_asks_who_is_calling_keeps_nobody_logged_in(build):
    """As a logging filter does, or a loader that shares code with a view."""
    shop = build(store=MemoryStore())
    known, asked = shop.cookie._loader, []

    def load(name):
        asked.append(shop.auth.get_identity())
        return known(name)

    @shop.app.post("/leave")
    def leave():
        shop.auth.logout()
        return str(shop.auth.get_identity())

    device = log_in(shop)
    shop.cookie._loader = load
    assert device.post("/leave").text == "None"
    assert asked
    assert device.get("/page").status_code == 401


# --- F-35: what belongs to one realm


@pytest.fixture
def tenants(make_app, store):
    """Apps with one secret key, one store and one `Auth`, and their clients: as the realms are called."""
    auth = Auth(SessionCookie(lambda name: Identity(name), store=store), Bearer(lambda token: None))

    def make(realm):
        app = make_app(auth, SECRET_KEY=KEY, UNAUTHORIZED_REALM=realm)

        @app.post("/login")
        @auth.public
        def login():
            auth.login(request.form["name"])
            return "in"

        @app.post("/logout")
        @auth.public
        def logout():
            auth.logout()
            return "out"

        @app.get("/page")
        @auth.login_required
        def page():
            return auth.identity.subject

        def enter(name):
            client = app.test_client()
            client.post("/login", data={"name": name})
            assert client.get("/page").text == name
            return client

        return SimpleNamespace(app=app, auth=auth, enter=enter)

    return make


def test_a_tenant_ends_no_session_of_another(tenants, low_limit):  # F-35
    a, b = tenants("tenant-a"), tenants("tenant-b")
    ada_of_a, ada_of_b = a.enter("ada"), b.enter("ada")
    with b.app.app_context():
        b.auth.end_sessions("ada")
    assert (ada_of_a.get("/page").status_code, ada_of_b.get("/page").status_code) == (200, 401)
    for _ in range(LIMIT + 2):
        b.enter("ada").post("/logout")
    assert ada_of_a.get("/page").status_code == 200


def test_a_cookie_of_another_tenant_does_nothing(tenants, low_limit):  # F-35
    a, b = tenants("tenant-a"), tenants("tenant-b")
    ada_of_a, other_of_a, ada_of_b = a.enter("ada"), a.enter("ada"), b.enter("ada")
    of_a = client_with_cookie(b, session_cookie_of(ada_of_a))
    for path, data in (("/logout", {}), ("/login", {"name": "bob"}), ("/login", {"name": "ada"})) * (LIMIT + 1):
        assert of_a.post(path, **data).status_code == 200
    assert of_a.get("/page").status_code == 401
    assert [client.get("/page").status_code for client in (ada_of_a, other_of_a, ada_of_b)] == [200, 200, 200]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("shop", "s ada"), ("shop s", " ada")),
        (("a", "b:c"), ("a:b", "c")),
        (("1", "1:x"), ("11:", "x")),
        (("2:a", "b"), ("2", ":ab")),
        (("a", '"]b'), ('a"', "]b")),
    ],
)
def test_no_two_realms_and_subjects_have_one_key(tenants, one, other):  # F-35
    here, there = tenants(one[0]), tenants(other[0])
    mine, yours = here.enter(one[1]), there.enter(other[1])
    with there.app.app_context():
        there.auth.end_sessions(other[1])
    assert (mine.get("/page").status_code, yours.get("/page").status_code) == (200, 401)


@pytest.mark.parametrize("realm", ["set by the configuration", None])
def test_a_command_ends_sessions_in_the_realm_of_its_app(build, realm):  # F-35
    """In a process of its own, where no request has come: the realm is known all the same."""
    store = MemoryStore()
    config = {} if realm is None else {"UNAUTHORIZED_REALM": realm}
    device = log_in(build(store=store, config=config))
    command = build(store=store, config=config)
    with command.app.app_context():
        command.auth.end_sessions("ada")
    assert device.get("/page").status_code == 401


def test_outside_an_app_nobody_knows_the_realm(build):
    with pytest.raises(RuntimeError, match="application context"):
        build(store=MemoryStore()).auth.end_sessions("ada")


# --- F-36: the store remembers an end for as long as the session would live


@pytest.mark.parametrize("idle_time", [None, 3600])
@pytest.mark.parametrize("kind", ["memory", "sqlite"])
@pytest.mark.parametrize("end", ["logout", "login", "end_sessions"])
def test_an_ended_session_never_comes_back(build, clock, tmp_path, idle_time, kind, end):  # F-36
    """After ``end_sessions()`` a session begins up to a minute in the future, by the clock of this machine."""
    store = MemoryStore() if kind == "memory" else SQLiteStore(os.fspath(tmp_path / "sessions.db"))
    shop = build(store=store, lifetime=600, idle=idle_time)

    @shop.app.post("/change")
    @shop.auth.public
    def change():
        shop.auth.end_sessions("ada")
        shop.auth.login("ada")
        return "changed"

    device = shop.app.test_client()
    device.post("/change")
    copy = client_with_cookie(shop, session_cookie_of(device))
    assert copy.get("/page").status_code == 200
    if end == "end_sessions":
        with shop.app.app_context():
            shop.auth.end_sessions("ada")
    else:
        device.post(f"/{end}")
    began = clock[0]
    # Half a minute back: a worker whose clock is behind this one.
    for after in (-30, 0, 1, 300, 599, 600, 601, 630, 659, 660, 661, 720, 721, 722):
        clock[0] = began + after
        assert copy.get("/page").status_code == 401, after


def test_the_mark_outlives_the_sessions_that_it_ends(build, clock, monkeypatch):  # F-36
    """One machine is a minute ahead when a session begins, another one a minute behind when it asks for it."""
    of_the_store = [clock[0]]
    monkeypatch.setattr(
        memory, "time", SimpleNamespace(time=lambda: of_the_store[0], monotonic=lambda: of_the_store[0])
    )
    shop = build(store=MemoryStore(), lifetime=600, idle=None)
    began = clock[0]
    clock[0] = began + 59
    login = session_content(shop.app, session_cookie_of(log_in(shop)))["_unauthorized"]
    clock[0] = began
    with shop.app.app_context():
        shop.auth.end_sessions("ada")
    with shop.app.test_request_context() as context:  # Flask itself refuses a cookie that was signed in the future.
        session["_unauthorized"] = login
        for after in range(725):
            of_the_store[0] = began + after
            clock[0] = began + after - 59
            current = shop.cookie.read(context.request, None)
            assert current is None or shop.cookie._was_ended(current, context.request), after


def test_redis_keeps_what_ends_a_session_as_long(build, redis_url):  # F-36
    store = RedisStore(redis_url, prefix=f"test{next(_fresh)}")
    shop = build(store=store, lifetime=600)
    with shop.app.app_context():
        shop.auth.end_sessions("ada")
    device = log_in(shop)  # begins 60 s from now, lives 600 s, and 60 s longer on a machine that is behind
    device.post("/logout")
    lives = {
        key.decode().split(":")[1]: store._client.pttl(key) / 1000
        for key in store._client.scan_iter(f"{store.prefix}:*")
    }
    assert 715 < lives["session-not-before"] <= 722
    assert 715 < lives["session"] <= 722


def test_ending_all_sessions_twice_at_one_moment(build, clock, store):  # F-36
    """Also a session that began between the two, and when the second machine's clock is behind the first's."""
    shop = build(store=store)
    for back in (0, 45):
        with shop.app.app_context():
            shop.auth.end_sessions("ada")
        device = log_in(shop)
        assert device.get("/page").status_code == 200
        clock[0] -= back
        with shop.app.app_context():
            shop.auth.end_sessions("ada")
        clock[0] += back
        assert device.get("/page").status_code == 401
    assert log_in(shop).get("/page").status_code == 200


def test_a_lifetime_that_no_store_keeps(build):
    shop = build(store=MemoryStore(), lifetime=int(MAX_LIFETIME) + 86400, idle=None)
    device = log_in(shop)
    copied = session_cookie_of(device)
    assert device.post("/logout").status_code == 302
    assert client_with_cookie(shop, copied).get("/page").status_code == 401
    device = log_in(shop)
    with shop.app.app_context():
        shop.auth.end_sessions("ada")
    assert device.get("/page").status_code == 401


@pytest.mark.parametrize("after", [59, 60, 61])
def test_a_login_a_minute_after_the_end_of_all(build, clock, after):
    """The mark lies a minute ahead, for machines whose clocks differ: a login at that very moment is alive."""
    shop = build(store=MemoryStore())
    with shop.app.app_context():
        shop.auth.end_sessions("ada")
    clock[0] += after
    assert log_in(shop).get("/page").status_code == 200


def test_a_session_in_use_ends_when_its_lifetime_is_over(build, clock):
    """Counted from the login, though the session notes each minute that it was used."""
    shop = build(idle=600, lifetime=3600)
    device = log_in(shop)
    for _ in range(12):
        clock[0] += 300
        assert device.get("/page").status_code == 200
    clock[0] += 1
    assert device.get("/page").status_code == 401


def test_the_lifetime_begins_with_the_session_and_not_with_an_older_login_elsewhere(build, clock):
    shop = build(lifetime=3600)
    began = clock[0]
    shop.app.add_url_rule(
        "/sso", "sso", lambda: shop.auth.login("ada", auth_time=began - 7200).subject, methods=["POST"]
    )
    device = shop.app.test_client()
    device.post("/sso")
    assert device.get("/page").status_code == 200


# --- a dead login isn't one that was repeated


@pytest.mark.parametrize("make_dead", [expired, idle, of_another_realm])
def test_who_logs_in_over_a_dead_login_can_step_up(build, clock, make_dead):
    shop = build(store=MemoryStore())
    view = shop.auth.login_required(acr="mfa")(lambda: "in")
    shop.app.add_url_rule("/strong", "strong", view)
    device = shop.app.test_client()
    device.set_cookie("session", make_dead(shop, clock))
    device.post("/login", data={"name": "ada"})
    assert device.get("/strong", headers={"Accept": "text/html,application/xhtml+xml"}).status_code == 302


# --- set-up


def test_two_session_schemes_are_refused_before_anybody_logs_in(make_app):  # F-40
    auth = Auth(SessionCookie(USERS.get), SessionCookie(USERS.get, realm="staff"))
    app = make_app(auth, SECRET_KEY=KEY)
    with pytest.raises(ConfigurationError, match=r"2 SessionCookie schemes.*'staff:7' and 'customer:7'"):
        auth.check(app)


def test_a_session_scheme_and_its_subclass_are_two(make_app):  # F-40
    class Staff(SessionCookie):
        pass

    auth = Auth(SessionCookie(USERS.get), Staff(USERS.get))
    with pytest.raises(ConfigurationError, match="exactly one"):
        auth.check(make_app(auth, SECRET_KEY=KEY))


def test_a_subclass_says_how_its_callers_logged_in(make_app):
    class Weak(SessionCookie):
        """Logins of before a change don't count as two factors."""

        def login_of(self, credentials):
            auth_time, acr = super().login_of(credentials)
            return auth_time, None if acr == "2fa" else acr

    auth = Auth(Weak(Identity))
    app = make_app(auth, SECRET_KEY=KEY)
    app.add_url_rule("/login/<acr>", "login", lambda acr: auth.login("7", acr=acr).subject)
    app.add_url_rule("/", "view", auth.login_required(lambda: f"{auth.identity.acr}"))
    app.add_url_rule("/strict", "strict", auth.login_required(acr=["2fa", "hardware"])(lambda: "in"))
    client = app.test_client()
    for acr, shown, status in (("2fa", "None", 401), ("hardware", "hardware", 200)):
        client.get(f"/login/{acr}")
        assert client.get("/").text == shown
        assert client.get("/strict").status_code == status


@pytest.mark.parametrize(
    ("options", "limit", "told"),
    [
        ({"lifetime": 400 * 86400, "idle": None}, None, "lifetime=34560000"),
        ({"lifetime": 400 * 86400, "idle": 60 * 86400}, None, "idle=5184000"),
        ({"lifetime": 400 * 86400, "idle": 86400}, None, None),
        ({"lifetime": 400 * 86400, "idle": 31 * 86400}, None, None),
        ({"lifetime": 400 * 86400, "idle": None}, 400 * 86400, None),
        ({"lifetime": 3600, "idle": 60 * 86400}, None, None),
        ({"lifetime": 31 * 86400, "idle": None}, None, None),
        ({}, 60, "idle=3600"),
    ],
)
def test_flasks_own_limit_is_told_where_it_is_shorter(build, caplog, options, limit, told):
    caplog.set_level(logging.WARNING)
    config = {} if limit is None else {"PERMANENT_SESSION_LIFETIME": limit}
    build(config=config, **options).client.get("/login")
    messages = [record.getMessage() for record in caplog.records]
    assert [told in message and "PERMANENT_SESSION_LIFETIME" in message for message in messages] == [True] * bool(told)


def test_flasks_limit_is_the_one_that_ends_the_session(build, clock):
    """Expected by Flask's documentation of PERMANENT_SESSION_LIFETIME, which the signature of the cookie is held to."""
    shop = build(lifetime=400 * 86400, idle=None)
    device = log_in(shop)
    clock[0] += 31 * 86400 - 1
    assert device.get("/page").status_code == 200
    clock[0] += 10
    assert device.get("/page").status_code == 401


# --- one account, many sessions


def test_logging_in_and_out_again_and_again_fills_no_store(make_app, clock):
    store = MemoryStore(capacity=400)
    app = app_with_schemes(make_app, SessionCookie(Identity, store=store))
    auth = app.auth
    app.add_url_rule("/in/<name>", "in", lambda name: auth.login(name).subject, methods=["POST"])
    app.add_url_rule("/out", "out", lambda: auth.logout() or "out", methods=["POST"])
    busy, other, copied = (app.test_client() for _ in range(3))
    for _ in range(250):
        assert busy.post("/in/mallory").status_code == 200
        cookie = busy.get_cookie("session").value
        assert busy.post("/out").status_code == 200
    clock[0] += 2
    assert live_entries(store) < 110
    copied.set_cookie("session", cookie)
    assert copied.get("/").status_code == 401
    assert busy.post("/in/mallory").status_code == 200
    assert busy.get("/").status_code == 200
    other.post("/in/ada")
    assert [other.get("/").status_code, other.post("/out").status_code, other.get("/").status_code] == [200, 200, 401]


@pytest.mark.parametrize(
    ("remember", "is_told"), [(30, True), (86_399, True), (86_400, False), (timedelta(days=30), False)]
)
def test_logins_that_are_remembered_for_less_than_a_day(build, caplog, remember, is_told):
    shop = build(store=MemoryStore(single_process=True), remember=remember, config={"TESTING": False})
    shop.auth.check(shop.app)
    told = [text for text in caplog.messages if "less than a day" in text]
    assert told == (
        [
            f"SessionCookie(remember={remember}) remembers logins for {remember} seconds, which is less than a day: "
            "write remember=timedelta(days=30) for 30 days"
        ]
        if is_told
        else []
    )

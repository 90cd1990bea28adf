"""The devices of a user: the list, ending one of them, and what the identity provider ends."""

import json
import re
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from flask import session

from flask_unauthorized import Auth, ConfigurationError, Identity, SessionCookie
from flask_unauthorized.schemes.session import entries as session_entries
from flask_unauthorized.stores import memory
from flask_unauthorized.stores.memory import MemoryStore
from flask_unauthorized.stores.sqlite import SQLiteStore
from tests.helpers import bearer_header

from .conftest import KEY
from .sites import FailsAt, OldStore, listed, sessions
from .sites import clock as clock
from .sites import site as site

ISSUER = "https://id.example"


# --- the list


@pytest.mark.asvs("V7.5.2")
def test_a_user_sees_each_device_the_newest_use_first(site, clock):
    shop = site()
    start = clock[0]
    phone = shop.device(agent="Phone")
    clock[0] += 10
    laptop = shop.device(agent="Laptop")
    shop.device("bob", agent="Bob's")
    clock[0] += 61
    found = listed(phone)
    assert [(one["label"], one["current"], one["remembered"]) for one in found] == [
        ("Phone", True, False), ("Laptop", False, False),
    ]  # fmt: skip
    assert [(one["created"], one["last_seen"]) for one in found] == [(start, start + 71), (start + 10, start + 10)]
    assert [one["label"] for one in listed(laptop) if one["current"]] == ["Laptop"]


def test_a_command_lists_devices_without_a_request(site):
    shop = site()
    shop.device()
    assert [(one.label, one.current) for one in sessions(shop)] == [("Firefox", False)]
    assert sessions(shop, "bob") == []
    assert sessions(shop, Identity("ada")) == sessions(shop)


def test_another_realm_lists_its_own_devices(site):
    store = MemoryStore()
    shop, forum = site(store), site(store, realm="forum")
    shop.device(agent="shop")
    assert (len(sessions(shop)), sessions(forum)) == (1, [])


@pytest.mark.parametrize(
    ("agent", "label"),
    [("x" * 500, "x" * 120), ("a\x7fb\x85c", "abc"), ("", ""), ("  Mozilla/5.0 (X11) é ", "Mozilla/5.0 (X11) é")],
)
def test_a_label_is_printable_and_short(site, agent, label):
    shop = site()
    shop.device(agent=agent)
    assert [one.label for one in sessions(shop)] == [label]


def test_a_logged_out_device_leaves_the_list(site):
    shop = site()
    phone, laptop = shop.device(agent="Phone"), shop.device(agent="Laptop")
    phone.post("/logout")
    assert [one["label"] for one in listed(laptop)] == ["Laptop"]


def test_a_login_in_the_same_browser_takes_the_place_of_the_device(site):
    shop = site()
    phone = shop.device()
    phone.post("/login/ada")
    assert len(listed(phone)) == 1
    phone.post("/login/bob")
    assert sessions(shop) == []


@pytest.mark.parametrize(("options", "later"), [({"idle": 600}, 661), ({"idle": None, "lifetime": 900}, 901)])
def test_a_device_that_could_not_be_used_any_more_is_not_listed(site, clock, options, later):
    shop = site(**options)
    shop.device()
    clock[0] += later - 2
    assert len(sessions(shop)) == 1
    clock[0] += 3
    assert sessions(shop) == []


@pytest.mark.asvs("V7.4.5", "V7.4.3")
def test_end_sessions_empties_the_list_and_ends_each_device(site):
    shop = site()
    devices = [shop.device() for _ in range(3)]
    other = shop.device("bob")
    with shop.app.app_context():
        shop.auth.end_sessions("ada")
    assert sessions(shop) == []
    assert [client.get("/").status_code for client in devices] == [401] * 3
    assert other.get("/").status_code == 200
    assert shop.device().get("/").status_code == 200


def test_the_page_of_devices_holds_nothing_that_opens_a_session(site):
    """The canaries of the tests also look for the id of the session in all bodies."""
    shop = site()
    (one,) = listed(shop.device())
    with shop.app.test_request_context():
        assert one["id"] not in str(dict(session))
    assert re.fullmatch(r"[\w-]{22}", one["id"])


# --- at most 20


def test_the_twenty_first_login_ends_the_oldest(site, clock):
    shop = site()
    clients = []
    for number in range(21):
        clock[0] += 1
        clients.append(shop.device(agent=str(number)))
    assert [client.get("/").status_code for client in clients] == [401] + [200] * 20
    assert sorted(int(one.label) for one in sessions(shop)) == list(range(1, 21))


def test_a_login_over_an_own_device_ends_no_other(site):
    shop = site()
    clients = [shop.device() for _ in range(20)]
    for _ in range(5):
        assert clients[7].post("/login/ada").status_code == 200
    assert {client.get("/").status_code for client in clients} == {200}
    assert len(sessions(shop)) == 20


def test_devices_that_are_idle_give_way_before_one_in_use(site, clock):
    shop = site(idle=600)
    old = shop.device(agent="in use")
    for _ in range(19):
        shop.device()
    for _ in range(3):
        clock[0] += 300
        assert old.get("/").status_code == 200
    shop.device(agent="new")
    assert old.get("/").status_code == 200
    assert {one.label for one in sessions(shop)} == {"in use", "new"}


def test_twenty_devices_is_also_the_limit_of_logins_at_the_same_time(site, tmp_path):
    shop = site(SQLiteStore(tmp_path / "s.db"))
    together = threading.Barrier(8)

    def enter(_):
        together.wait(30)
        return [shop.device() for _ in range(5)]

    with ThreadPoolExecutor(8) as pool:
        clients = [client for clients in pool.map(enter, range(8)) for client in clients]
    assert len(sessions(shop)) == 20
    assert sum(client.get("/").status_code == 200 for client in clients) == 20


def test_more_logins_than_the_store_remembers_end_all_and_the_newest_is_alive(site, clock, monkeypatch):
    monkeypatch.setattr(session_entries, "MAX_ENDED", 3)
    shop = site()
    clients = []
    for _ in range(24):
        clock[0] += 1
        clients.append(shop.device())
        assert clients[-1].get("/").status_code == 200
    assert sum(client.get("/").status_code == 200 for client in clients) == len(sessions(shop)) == 1


def test_many_logins_fill_no_store(site, clock, monkeypatch):
    monkeypatch.setattr(session_entries, "MAX_ENDED", 3)
    store = MemoryStore()
    shop = site(store)
    for _ in range(150):
        clock[0] += 2
        shop.device()
    live = sum(store._find(key, memory._now()) is not None for key in store._entries)
    assert live <= 20 + 3 + 4  # devices, ended ones, the list, the counter, and two marks


def test_a_user_who_ends_many_devices_fills_no_store(site, clock, monkeypatch):
    monkeypatch.setattr(session_entries, "MAX_ENDED", 3)
    store = MemoryStore()
    shop = site(store)
    for _ in range(50):
        clock[0] += 2
        phone, laptop = shop.device(), shop.device()
        (other, *_) = [one["id"] for one in listed(laptop) if not one["current"]]
        laptop.post(f"/end/{other}")
        assert phone.get("/").status_code == 401
    live = sum(store._find(key, memory._now()) is not None for key in store._entries)
    assert live <= 20 + 3 + 5  # devices, ended ones, one that just ended, the list, the counter, and two marks


@pytest.mark.parametrize("name", ["issuer", "sid"])
def test_a_login_that_is_too_long_for_the_store_names_the_fix_and_changes_nothing(site, name):
    shop = site()
    client = shop.device()
    given = {"issuer": ISSUER, name: "x" * 3_600}
    with pytest.raises(ValueError, match=r"^the store keeps 3584 bytes of a login, and this one has \d+: login\(\)"):
        client.post("/login/ada", data=given)
    assert client.get("/").text == "ada"
    assert len(sessions(shop)) == 1


# --- ending one


@pytest.mark.asvs("V7.5.2")
def test_a_user_ends_another_device(site):
    shop = site()
    phone, laptop = shop.device(agent="Phone"), shop.device(agent="Laptop")
    (other,) = [one["id"] for one in listed(laptop) if not one["current"]]
    assert laptop.post(f"/end/{other}").json == [True, True]
    assert phone.get("/").status_code == 401
    assert laptop.post(f"/end/{other}").json == [False, True]
    assert laptop.get("/").status_code == 200


def test_the_own_device_ends_as_by_a_logout(site):
    shop = site()
    phone = shop.device()
    copy = shop.app.test_client()
    copy.set_cookie("session", phone.get_cookie("session").value)
    (own,) = [one["id"] for one in listed(phone)]
    assert phone.post(f"/end/{own}").json == [True, False]
    assert phone.get_cookie("session") is None
    assert copy.get("/").status_code == 401


def test_the_device_of_another_user_stays(site):
    shop = site()
    ada, bob = shop.device("ada"), shop.device("bob")
    (of_ada,) = [one["id"] for one in listed(ada)]
    assert bob.post(f"/end/{of_ada}").json == [False, True]
    assert ada.get("/").status_code == 200


def test_an_anonymous_caller_ends_nothing(site):
    shop = site()
    ada = shop.device()
    (own,) = [one["id"] for one in listed(ada)]
    refused = shop.app.test_client().post(f"/end/{own}")
    assert (refused.status_code, refused.json["error"]) == (401, "Unauthorized")
    assert ada.get("/").status_code == 200


def test_a_page_of_another_site_ends_nothing(site):
    shop = site()
    phone, laptop = shop.device(), shop.device()
    for one in listed(laptop):
        assert laptop.post(f"/end/{one['id']}", headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403
    assert [client.get("/").status_code for client in (phone, laptop)] == [200, 200]


def test_an_administrator_ends_a_device_of_a_user(site):
    shop = site()
    phone = shop.device()
    (one,) = sessions(shop)
    with shop.app.app_context():
        assert shop.auth.end_session(one.id, "bob") is False
        assert shop.auth.end_session(one.id, "ada") is True
        assert shop.auth.end_session("none", "ada") is False
    assert phone.get("/").status_code == 401


@pytest.mark.parametrize("token", ["i", "n"])
def test_a_caller_who_names_no_user_of_the_cookie_ends_nothing_and_gets_its_challenge(site, token):
    """A token of an issuer, and one without a subject. Clients choose the token, so it is no 500."""
    shop = site()
    phone = shop.device()
    (one,) = sessions(shop)
    refused = phone.post(f"/end/{one.id}", headers=bearer_header(token))
    assert refused.status_code == 401
    challenge = next(line for line in refused.headers.getlist("WWW-Authenticate") if line.startswith("Cookie "))
    assert challenge == 'Cookie realm="shop", cookie-name="session"'
    assert phone.get("/").status_code == 200


def test_the_reason_for_an_anonymous_caller_names_the_method(site, caplog):
    caplog.set_level("INFO", "flask_unauthorized")
    shop = site()
    for path, ask in (("/x", lambda: shop.auth.end_session("x")), ("/confirm", lambda: shop.auth.confirm())):
        shop.app.add_url_rule(path, path, shop.auth.login_optional(ask), methods=["POST"])
    client = shop.app.test_client()
    assert [client.post(path).status_code for path in ("/x", "/confirm")] == [401, 401]
    assert ["end_session() was" in caplog.messages[0], "confirm() was" in caplog.messages[1]] == [True, True]


def test_a_caller_with_a_token_of_the_app_ends_a_device(site):
    shop = site()
    phone = shop.device()
    (one,) = sessions(shop)
    client = shop.app.test_client()
    assert client.post(f"/end/{one.id}", headers=bearer_header("t")).json == [True, False]
    assert phone.get("/").status_code == 401


def test_the_subject_of_the_login_counts_and_not_a_name_that_the_loader_gives(make_app):
    auth = Auth(SessionCookie(lambda subject: Identity(f"user {subject}"), store=MemoryStore()))
    app = make_app(auth, SECRET_KEY=KEY)
    app.add_url_rule("/in", "in", lambda: auth.login("7").subject, methods=["POST"])
    app.add_url_rule("/end/<one>", "end", auth.login_required(lambda one: str(auth.end_session(one))), methods=["POST"])
    first, second = app.test_client(), app.test_client()
    first.post("/in")
    with app.app_context():
        (one,) = auth.sessions("7")
    second.post("/in")
    assert second.post(f"/end/{one.id}").text == "True"


# --- the last use


def test_the_last_use_is_noted_once_a_minute(site, clock, monkeypatch):
    shop = site()
    phone = shop.device()
    written = []
    replace = MemoryStore._replace
    monkeypatch.setattr(MemoryStore, "_replace", lambda self, *args: written.append(args) or replace(self, *args))
    for _ in range(130):
        clock[0] += 1
        assert phone.get("/").status_code == 200
    assert len(written) == 2


def test_an_accepted_request_asks_the_store_once(site, monkeypatch):
    """For the session, and for the times before which all sessions of its user, and of all users, have ended."""
    shop = site()
    phone = shop.device()
    asked = []
    for name in ("_get", "_get_many", "_put", "_replace", "_claim", "_increment"):
        real = getattr(MemoryStore, name)
        monkeypatch.setattr(
            MemoryStore, name, lambda self, *args, n=name, r=real: asked.append((n, args[0])) or r(self, *args)
        )
    assert phone.get("/").status_code == 200
    assert [name for name, _ in asked] == ["_get_many"]
    assert [key.split(":")[1] for key in asked[0][1]] == ["session", "session-not-before", "session-not-before-all"]


def test_without_an_idle_time_the_last_use_is_noted_once_an_hour(site, clock):
    shop = site(idle=None)
    start = clock[0]
    phone = shop.device()
    for later in (3600, 3601):
        clock[0] = start + later
        phone.get("/")
        assert sessions(shop)[0].last_seen == start + (later if later > 3600 else 0)


def test_a_note_of_use_that_fails_or_loses_refuses_nobody(site, clock, monkeypatch):
    shop = site()
    phone = shop.device()
    monkeypatch.setattr(MemoryStore, "_replace", lambda *args: False)
    clock[0] += 100
    assert phone.get("/").status_code == 200

    def down(*args):
        raise ConnectionRefusedError

    monkeypatch.setattr(MemoryStore, "_replace", down)
    clock[0] += 100
    assert phone.get("/").status_code == 200


def test_a_note_of_use_revives_no_device(site, clock):
    """It ends between the two steps of the note."""
    shop = site()
    phone = shop.device()
    replace = MemoryStore._replace

    class Late(MemoryStore):
        def _replace(self, key, old, new, lifetime):
            if new != "ended" and key.split(":")[1] == "session":
                assert replace(self, key, old, "ended", lifetime)
            return replace(self, key, old, new, lifetime)

    shop.store.__class__ = Late
    clock[0] += 100
    assert phone.get("/").status_code == 200
    assert phone.get("/").status_code == 401


def test_sessions_of_a_wiped_store_go_on_and_are_entered_again(site, clock):
    shop = site()
    phone, laptop = shop.device(agent="Phone"), shop.device(agent="Laptop")
    created = clock[0]
    shop.store._entries.clear()
    shop.store._sweep_queue.clear()
    assert phone.get("/").status_code == 200
    assert sessions(shop) == []
    clock[0] += 61
    assert [phone.get("/").status_code, laptop.get("/").status_code] == [200, 200]
    assert sorted((one.label, one.created) for one in sessions(shop)) == [("Laptop", created), ("Phone", created)]
    phone.post("/logout")
    assert [one.label for one in sessions(shop)] == ["Laptop"]


@pytest.mark.parametrize("jump", [86_400, -86_400])
def test_a_clock_that_jumps_by_a_day_and_back_ends_nothing(site, clock, jump):
    shop = site(lifetime=3 * 86_400, idle=2 * 86_400)
    phone = shop.device()
    clock[0] += jump
    with shop.app.test_request_context():
        assert len(shop.auth.sessions("ada")) == 1
    clock[0] -= jump
    assert phone.get("/").status_code == 200
    assert len(sessions(shop)) == 1


# --- the identity provider


def test_a_logout_by_the_provider_ends_the_devices_of_its_session(site):
    shop = site()
    one, same = (shop.device(issuer=ISSUER, sid="s1") for _ in range(2))
    other_sid, other_issuer = shop.device(issuer=ISSUER, sid="s2"), shop.device(issuer="https://x", sid="s1")
    without = shop.device()
    with shop.app.app_context():
        assert shop.cookie.end_by_provider(ISSUER, sid="s1", subject="bob") == 0
        assert shop.cookie.end_by_provider(ISSUER, sid="s1", subject="ada") == 2
        assert shop.cookie.end_by_provider(ISSUER, sid="s1", subject=None) == 0
        assert shop.cookie.end_by_provider(ISSUER, sid="s3", subject=None) == 0
    clients = (one, same, other_sid, other_issuer, without)
    assert [client.get("/").status_code for client in clients] == [401, 401, 200, 200, 200]
    assert len(sessions(shop)) == 3


def test_a_logout_of_a_user_ends_what_began_with_the_provider(site):
    shop = site()
    with_sid, without_sid = shop.device(issuer=ISSUER, sid="s1"), shop.device(issuer=ISSUER)
    other, local = shop.device(issuer="https://x"), shop.device()
    bob = shop.device("bob", issuer=ISSUER)
    with shop.app.app_context():
        assert shop.cookie.end_by_provider(ISSUER, sid=None, subject="ada") == 2
    clients = (with_sid, without_sid, other, local, bob)
    assert [client.get("/").status_code for client in clients] == [401, 401, 200, 200, 200]


def test_a_logout_that_names_nobody_is_a_mistake(site):
    shop = site()
    with shop.app.app_context(), pytest.raises(TypeError, match="sid= or subject="):
        shop.cookie.end_by_provider(ISSUER, sid=None, subject=None)


def test_twenty_one_logins_with_one_session_of_a_provider(site, clock):
    """A device that a logout by the provider could not find would stay logged in."""
    shop = site()
    clients = [shop.device(f"user{number}", issuer=ISSUER, sid="s") for number in range(21)]
    assert [client.get("/").status_code for client in clients] == [401] + [200] * 20
    with shop.app.app_context():
        assert shop.cookie.end_by_provider(ISSUER, sid="s", subject=None) == 20
    assert {client.get("/").status_code for client in clients} == {401}


def provider_lists(shop):
    """The devices of each live list of a session at a provider."""
    return [
        json.loads(value) for key, (expiry, value) in shop.store._entries.items()
        if key.split(":")[1] == "provider-session" and expiry > memory._now()
    ]  # fmt: skip


def test_a_list_of_a_provider_lives_as_long_as_its_longest_device(site, clock):
    """So somebody who logs in again and again at a provider doesn't fill the store for a month."""
    shop = site(remember=30 * 86_400, lifetime=3600)
    shop.device(issuer=ISSUER, sid="short")
    remembered = shop.device(issuer=ISSUER, sid="long", remember="1")
    shop.device(issuer=ISSUER, sid="long")
    clock[0] += 2 * 3600
    assert [len(rows) for rows in provider_lists(shop)] == [2]
    clock[0] += 29 * 86_400
    remembered.delete_cookie("session")
    assert remembered.get("/").status_code == 200
    with shop.app.app_context():
        assert shop.cookie.end_by_provider(ISSUER, sid="long") == 1
    clock[0] += 2
    assert provider_lists(shop) == []


@pytest.mark.parametrize("end", ["logout", "end_session", "end_sessions", "stolen"])
def test_a_device_that_ends_leaves_the_list_of_its_provider(site, clock, end):
    shop = site(remember=30 * 86_400, idle=None)
    client = shop.device(issuer=ISSUER, sid="s", remember="1")
    copied = client.get_cookie("session_remember").value
    other = shop.device("bob", issuer=ISSUER, sid="s")
    assert [len(rows) for rows in provider_lists(shop)] == [2]
    if end == "logout":
        client.post("/logout")
    elif end == "stolen":
        for _ in range(2):
            clock[0] += 3700
            client.delete_cookie("session")
            client.get("/")
        thief = shop.app.test_client()
        thief.set_cookie("session_remember", copied)
        clock[0] += 31
        assert thief.get("/").status_code == 401
    else:
        with shop.app.app_context():
            if end == "end_sessions":
                shop.auth.end_sessions("ada")
            else:
                shop.auth.end_session(sessions(shop)[0].id, "ada")
    assert [len(rows) for rows in provider_lists(shop)] == [1]
    other.post("/logout")
    clock[0] += 2
    assert provider_lists(shop) == []


@pytest.mark.parametrize(
    ("data", "error"),
    [({"sid": "s"}, "sid= needs issuer="), ({"issuer": ""}, "issuer must"), ({"sid": ""}, "sid must")],
)
def test_a_provider_that_is_none(site, data, error):
    shop = site()
    with pytest.raises(TypeError, match=error):
        shop.app.test_client().post("/login/ada", data=data)


# --- stores


@pytest.mark.parametrize("store", [None, OldStore()])
@pytest.mark.parametrize(
    "act",
    [
        lambda auth, cookie: auth.sessions("ada"),
        lambda auth, cookie: auth.end_session("x", "ada"),
        lambda auth, cookie: auth.login("ada", issuer=ISSUER),
        lambda auth, cookie: cookie.end_by_provider(ISSUER, sid="s", subject=None),
    ],
)
def test_without_a_store_that_lists_devices_the_mistake_names_the_fix(make_app, store, act):
    cookie = SessionCookie(Identity, store=store)
    auth = Auth(cookie)
    app = make_app(auth, SECRET_KEY=KEY)
    with app.test_request_context(method="POST"), pytest.raises(ConfigurationError, match="SQLiteStore"):
        act(auth, cookie)


def test_an_old_store_still_logs_in_and_out(site):
    shop = site(OldStore())
    phone = shop.device()
    copy = shop.app.test_client()
    copy.set_cookie("session", phone.get_cookie("session").value)
    assert copy.get("/").status_code == 200
    phone.post("/logout")
    assert copy.get("/").status_code == 401


@pytest.mark.parametrize(
    "entry",
    ["", "x", "1", "1 {", "1 []", '1 {"subject": 7, "created": 1, "label": ""}', "1 null", '1 {"subject":"a"}',
     '1 {"subject":"a","created":1,"label":"","more":1}', '1 {"subject":"a","created":1,"label":"","until":5}',
     '1 {"subject":"a","created":"x","label":""}', '1 {"subject":"a","created":1,"label":"","begun":"1"}'],
)  # fmt: skip
def test_an_entry_that_another_program_wrote_is_503(site, clock, entry):
    shop = site()
    phone = shop.device()
    (key,) = [key for key in shop.store._entries if key.split(":")[1] == "session"]
    expiry, _ = shop.store._entries[key]
    shop.store._entries[key] = (expiry, entry)
    clock[0] += 61
    assert phone.get("/").status_code == 503


@pytest.mark.parametrize("text", ["", "x", "{}", "[1]", "[[1, 2, 3]]", '[["a", 1, 2, 3]]', '[["a", "b", 1]]', "7"])
def test_a_list_that_another_program_wrote_is_503(site, text):
    shop = site()
    phone = shop.device()
    (key,) = [key for key in shop.store._entries if key.split(":")[1] == "sessions"]
    shop.store._entries[key] = (shop.store._entries[key][0], text)
    if text != "{}":
        assert phone.get("/devices").status_code == 503


@pytest.mark.parametrize("goes_on", [True, False])
@pytest.mark.parametrize("failing", range(1, 22))
def test_a_login_that_fails_at_any_step_locks_nobody_out(site, failing, goes_on):
    """The caller has one of both sessions, and another login works."""
    shop = site(FailsAt())
    phone, other = shop.device(), shop.device()
    shop.store.goes_on = goes_on
    shop.store.left = failing
    status = phone.post("/login/bob").status_code
    shop.store.left = None
    assert status in (200, 503)
    assert status == 200 or goes_on or failing < 20
    found = phone.get("/")
    assert found.status_code in (200, 401)
    if found.status_code == 200:
        assert found.text == ("bob" if status == 200 else "ada")
    assert other.get("/").text == "ada"
    assert phone.post("/login/ada").status_code == 200
    assert phone.get("/").text == "ada"
    assert {one.label for one in sessions(shop)} == {"Firefox"}


@pytest.mark.parametrize("goes_on", [True, False])
@pytest.mark.parametrize("failing", range(1, 12))
def test_a_logout_that_fails_at_any_step_leaves_nobody_in_this_browser(site, failing, goes_on):
    shop = site(FailsAt())
    phone, other = shop.device(), shop.device()
    cookie = phone.get_cookie("session").value
    shop.store.goes_on = goes_on
    shop.store.left = failing
    status = phone.post("/logout").status_code
    shop.store.left = None
    assert phone.get_cookie("session") is None
    copy = shop.app.test_client()
    copy.set_cookie("session", cookie)
    if status == 200:
        assert copy.get("/").status_code == 401
    else:
        assert status == 503
        copy.post("/logout")
        copy.set_cookie("session", cookie)
        assert copy.get("/").status_code == 401
    assert other.get("/").status_code == 200


# --- session.permanent


def test_a_login_keeps_the_flag_of_a_permanent_session_and_a_logout_does_not(site):
    shop = site()
    shop.app.add_url_rule("/stay", "stay", lambda: setattr(session, "permanent", True) or "", methods=["POST"])
    client = shop.app.test_client()
    client.post("/stay")
    for _ in range(2):
        assert "Expires=" in client.post("/login/ada").headers["Set-Cookie"]
    client.post("/logout")
    answered = client.post("/login/ada")
    assert "Expires=" not in answered.headers["Set-Cookie"]
    assert json.loads(json.dumps(client.get("/").text)) == "ada"

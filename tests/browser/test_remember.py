"""Remembered logins: the cookie, rotation, theft, and what else may happen to them."""

import logging
import re
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from flask import request, session, stream_with_context

from flask_unauthorized import AuthUnavailable, ConfigurationError, Identity, InvalidCredentials, SessionCookie, signals
from flask_unauthorized.schemes.session import entries as session_entries
from flask_unauthorized.stores import memory
from flask_unauthorized.stores.memory import MemoryStore

from .conftest import PAGE
from .sites import FailsAt, OldStore, listed, sessions
from .sites import clock as clock
from .sites import site as site

DAY = 86_400
REMEMBER = 30 * DAY
NAME = "session_remember"
SECRET = re.compile(r"1\.[\w-]{8}\.[\w-]{22}\.[\w-]{43}")


@pytest.fixture
def shop(site, clock):
    return site(remember=REMEMBER, lifetime=12 * 3600, idle=3600)


def enter(shop, name="ada", **data):
    return shop.device(name, remember="1", **data)


def cookie_of(client, name=NAME):
    found = client.get_cookie(name)
    return None if found is None else found.value


def restart(client):
    """A browser is closed and opened again: the session's cookie is gone."""
    client.delete_cookie("session")
    return client


def browser_with(shop, value, name=NAME):
    client = shop.app.test_client()
    client.set_cookie(name, value)
    return client


def changes(response, name=NAME):
    """What a response does to the cookie: "set", "deleted", or ``None``."""
    found = [line for line in response.headers.getlist("Set-Cookie") if line.startswith(f"{name}=")]
    if not found:
        return None
    (line,) = found
    assert response.headers["Cache-Control"] == "no-store"
    return "deleted" if line.startswith(f"{name}=;") else "set"


def sets_session(response):
    return any(line.startswith("session=") for line in response.headers.getlist("Set-Cookie"))


@pytest.fixture
def heard():
    found = []

    def opened(sender, **arguments):
        found.append(("remembered", arguments))

    def stolen(sender, **arguments):
        found.append(("stolen", arguments))

    with signals.remembered.connected_to(opened), signals.session_stolen.connected_to(stolen):
        yield found


# --- a login that is remembered


def test_a_remembered_login_survives_the_end_of_the_browser(shop, heard):
    client = enter(shop)
    assert client.get("/open").text == "ada False"
    restart(client)
    opened = client.get("/open")
    assert (opened.text, changes(opened), sets_session(opened)) == ("ada True", "set", True)
    assert client.get("/").text == "ada"
    ((kind, arguments),) = heard
    assert (kind, arguments["identity"].subject, arguments["scheme"]) == ("remembered", "ada", "Cookie")
    assert arguments.keys() == {"identity", "scheme", "session"}
    assert arguments["session"] == listed(client)[0]["id"]


def test_a_login_that_is_not_remembered_does_not(shop):
    client = shop.device()
    assert cookie_of(client) is None
    assert restart(client).get("/").status_code == 401


@pytest.mark.parametrize("later", [3601, 12 * 3600 + 1, 29 * DAY])
def test_the_cookie_opens_a_session_when_the_last_one_has_ended(shop, clock, later):
    client = enter(shop)
    clock[0] += later
    assert client.get("/").text == "ada"


def test_the_time_counts_from_the_login_and_does_not_slide(shop, clock):
    start = clock[0]
    client = enter(shop)
    for day in (10, 20, 29, 29.99):
        clock[0] = start + day * DAY
        answered = restart(client).get("/")
        assert answered.status_code == 200
        (line,) = [line for line in answered.headers.getlist("Set-Cookie") if line.startswith(NAME)]
        assert f"Max-Age={int(REMEMBER - day * DAY)};" in line
    kept = cookie_of(client)
    clock[0] = start + REMEMBER + 1
    late = browser_with(shop, kept)
    refused = late.get("/")
    assert (refused.status_code, changes(refused)) == (401, "deleted")


def test_a_view_that_wants_a_fresh_login_refuses_a_remembered_one(shop, clock):
    client = enter(shop)
    assert client.get("/fresh").status_code == 200
    clock[0] += 3700
    refused = client.get("/fresh")
    assert (refused.status_code, "insufficient_user_authentication" in str(refused.headers)) == (401, True)
    assert client.get("/").status_code == 200
    client.post("/login/ada")
    assert client.get("/fresh").status_code == 200


def test_the_class_of_the_login_stays(site, clock):
    shop = site(remember=REMEMBER)
    seen = []
    shop.app.add_url_rule("/acr", "acr", shop.auth.login_required(lambda: seen.append(shop.auth.identity) or ""))
    start = clock[0]
    client = enter(shop, acr="mfa")
    clock[0] += 5000
    client.get("/acr")
    client.get("/acr")
    assert [(one.acr, one.auth_time) for one in seen] == [("mfa", start)] * 2


def test_other_content_of_the_session_stays_when_the_cookie_opens_it(shop, clock):
    shop.app.add_url_rule("/cart", "cart", lambda: session.setdefault("cart", "three"), methods=["POST"])
    shop.app.add_url_rule("/see", "see", shop.auth.login_required(lambda: session.get("cart", "none")))
    client = enter(shop)
    client.post("/cart")
    clock[0] += 3700
    assert client.get("/see").text == "three"


def test_a_live_session_asks_for_no_cookie(shop, monkeypatch):
    client = enter(shop)
    monkeypatch.setattr(shop.cookie._remembered, "read", None)
    assert client.get("/").status_code == 200
    assert client.get("/open").text == "ada False"


def test_a_server_side_session_gets_a_new_id(shop, monkeypatch):
    renewed = []
    client = restart(enter(shop))
    interface = type(shop.app.session_interface)
    monkeypatch.setattr(interface, "regenerate", lambda _, content: renewed.append(dict(content)), raising=False)
    client.get("/")
    assert len(renewed) == 1


# --- rotation


def test_each_opening_rotates_the_secret_and_the_device_stays_one(shop, clock):
    client = enter(shop)
    seen = [cookie_of(client)]
    for _ in range(5):
        clock[0] += 3700
        assert client.get("/").status_code == 200
        seen.append(cookie_of(client))
    assert len(set(seen)) == 6
    assert len({value.split(".")[2] for value in seen}) == 1
    assert all(SECRET.fullmatch(value) for value in seen)
    assert [(one["remembered"], one["current"]) for one in listed(client)] == [(True, True)]


def test_twenty_restored_tabs_are_one_device(shop, clock, heard):
    client = enter(shop)
    kept = cookie_of(client)
    clock[0] += 3700
    tabs = [browser_with(shop, kept) for _ in range(20)]
    answers = [tab.get("/open") for tab in tabs]
    assert {answer.text for answer in answers} == {"ada True"}
    assert [changes(answer) for answer in answers] == ["set"] + [None] * 19
    assert [sets_session(answer) for answer in answers] == [True] + [False] * 19
    assert len(sessions(shop)) == 1
    assert [kind for kind, _ in heard] == ["remembered"]


def test_a_repetition_opens_the_same_session(shop, clock):
    """The app writes into it, so the response sends it: id and beginning are those of the first."""
    shop.app.add_url_rule("/write", "write", lambda: (str(shop.auth.get_identity()) and session.update(x=1)) or "")
    kept = cookie_of(enter(shop))
    clock[0] += 3700
    first, second = browser_with(shop, kept), browser_with(shop, kept)
    first.get("/open")
    clock[0] += 29
    second.get("/write")
    with first.session_transaction() as one, second.session_transaction() as other:
        assert {name: one["_unauthorized"][name] for name in ("sid", "begun")} == {
            name: other["_unauthorized"][name] for name in ("sid", "begun")
        }


def test_an_answer_that_was_lost_locks_nobody_out(shop, clock):
    """The browser never got the next secret, and presents the last one that it has, also much later."""
    client = enter(shop)
    kept = cookie_of(client)
    for _ in range(3):
        clock[0] += 3700
        lost = browser_with(shop, kept)
        assert lost.get("/").status_code == 200
    restart(client)
    clock[0] += 31
    assert client.get("/").status_code == 200
    assert cookie_of(client) != kept


def test_a_secret_is_valid_for_thirty_seconds_after_its_successor_was_presented(shop, clock):
    client = enter(shop)
    first = cookie_of(client)
    clock[0] += 3700
    client.get("/")
    clock[0] += 3700
    client.get("/")
    clock[0] += 30
    late = browser_with(shop, first).get("/")
    assert (late.status_code, changes(late)) == (200, None)
    clock[0] += 1
    assert browser_with(shop, first).get("/").status_code == 401


def test_sixty_four_threads_with_one_cookie_are_one_rotation_and_one_session(shop, clock, heard):
    shop.app.add_url_rule("/which", "which", shop.auth.login_required(lambda: f"{session['_unauthorized']['begun']!r}"))
    client = enter(shop)
    kept = cookie_of(client)
    clock[0] += 3700
    together = threading.Barrier(64)

    def ask(_):
        browser = browser_with(shop, kept)
        together.wait(60)
        answered = browser.get("/which")
        return answered.status_code, changes(answered), answered.text

    with ThreadPoolExecutor(64) as pool:
        answers = list(pool.map(ask, range(64)))
    assert {status for status, _, _ in answers} == {200}
    assert sorted(str(change) for _, change, _ in answers) == ["None"] * 63 + ["set"]
    assert len({begun for _, _, begun in answers}) == 1
    assert [kind for kind, _ in heard] == ["remembered"]


# --- theft


def stolen(shop, clock):
    """A copy of the cookie, which its owner has used twice since."""
    client = enter(shop)
    copied = cookie_of(client)
    for _ in range(2):
        clock[0] += 3700
        assert client.get("/").status_code == 200
    return client, copied


@pytest.mark.asvs("V6.3.5")
def test_a_copied_cookie_that_comes_later_ends_the_login_everywhere(shop, clock, heard, caplog):
    caplog.set_level(logging.WARNING)
    client, copied = stolen(shop, clock)
    (device,) = listed(client)
    clock[0] += 31
    heard.clear()
    thief = browser_with(shop, copied)
    refused = thief.get("/", headers=PAGE)
    assert (refused.status_code, refused.location) == (401, None)
    assert "It was used in a second place" in refused.text
    told = client.get("/")
    assert (told.status_code, told.json["message"]) == (
        401, "This login was used in a second place, so it was ended. Log in again.",
    )  # fmt: skip
    assert heard == [("stolen", {"subject": "ada", "scheme": "Cookie", "session": device["id"]})]
    warnings = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert len(warnings) == 1
    assert warnings[0].startswith("the remember cookie of ")
    assert "ada" not in warnings[0]
    (event,) = [record for record in caplog.records if getattr(record, "event", None) == "session_stolen"]
    assert (event.outcome, event.subject in warnings[0], len(event.session)) == ("failure", True, 16)
    assert not [part for part in copied.split(".")[2:] if part in caplog.text]
    assert sessions(shop) == []


def test_the_thief_comes_first(shop, clock):
    """They have a session until the owner's browser presents the secret that was replaced twice."""
    client = enter(shop)
    thief = browser_with(shop, cookie_of(client))
    clock[0] += 3700
    assert thief.get("/").status_code == 200
    clock[0] += 3700
    assert thief.get("/").status_code == 200
    clock[0] += 31
    assert restart(client).get("/").status_code == 401
    assert thief.get("/").status_code == 401


def test_the_message_is_there_until_the_user_logs_in_again(shop, clock):
    client, copied = stolen(shop, clock)
    clock[0] += 31
    browser_with(shop, copied).get("/open")
    for _ in range(2):
        opened = client.get("/open")
        assert (opened.text, opened.headers.getlist("Set-Cookie")) == ("None False", [])
        assert client.get("/", headers=PAGE).status_code == 401
        assert "second place" in client.get("/", headers=PAGE).text
        restart(client)
    assert client.post("/login/ada", data={"remember": "1"}).status_code == 200
    assert client.get("/").status_code == 200
    assert restart(client).get("/").status_code == 200


@pytest.mark.parametrize(
    ("language", "title"),
    [("en", "Your login was ended for safety"), ("de", "Ihre Anmeldung wurde zur Sicherheit beendet")],
)
def test_people_read_why_they_are_logged_out_and_get_a_link_to_the_login(site, clock, language, title):
    shop = site(remember=REMEMBER, login_view="login_page", htmx=True)
    shop.app.add_url_rule("/login", "login_page", shop.auth.public(lambda: "form"))
    client, copied = stolen(shop, clock)
    assert shop.app.test_client().get("/", headers=PAGE).status_code == 302
    clock[0] += 31
    page = browser_with(shop, copied).get("/", headers={**PAGE, "Accept-Language": language})
    assert (page.status_code, page.location, title in page.text) == (401, None, True)
    assert 'href="/login?next=/"' in page.text
    fragment = client.get("/", headers={"HX-Request": "true"})
    assert (fragment.status_code, fragment.headers.get("HX-Redirect")) == (401, None)


def test_theft_is_signaled_once_by_many_requests_at_once(shop, clock, heard, caplog):
    client, copied = stolen(shop, clock)
    clock[0] += 31
    heard.clear()
    together = threading.Barrier(16)

    def ask(_):
        together.wait(60)
        return browser_with(shop, copied).get("/").status_code

    with ThreadPoolExecutor(16) as pool:
        assert set(pool.map(ask, range(16))) == {401}
    assert [kind for kind, _ in heard] == ["stolen"]
    assert client.get("/").status_code == 401


def test_a_stolen_login_ends_no_other_device(shop, clock):
    other = enter(shop)
    _, copied = stolen(shop, clock)
    clock[0] += 31
    browser_with(shop, copied).get("/")
    assert other.get("/").status_code == 200
    assert len(sessions(shop)) == 1


def test_a_session_that_outlives_its_cookie_stays_in_the_list(site, clock):
    shop = site(remember=DAY, lifetime=12 * 3600, idle=None)
    client = enter(shop)
    clock[0] += DAY - 60
    assert restart(client).get("/").status_code == 200
    clock[0] += 3_600
    other = shop.device()
    assert client.get("/").status_code == 200
    (old,) = [one["id"] for one in listed(other) if not one["current"]]
    assert other.post(f"/end/{old}").json[0]
    assert client.get("/").status_code == 401


def test_a_logout_with_an_older_session_of_a_device_ends_the_later_one_for_good(site, clock):
    shop = site(remember=REMEMBER, lifetime=12 * 3600, idle=None)
    client, copy = enter(shop), shop.app.test_client()
    copy.set_cookie("session", client.get_cookie("session").value)
    clock[0] += 11 * 3600
    assert restart(client).get("/").status_code == 200
    later = client.get_cookie("session").value
    assert copy.post("/logout").status_code == 200
    for hours in (0, 2, 9):
        clock[0] += hours * 3600
        browser = shop.app.test_client()
        browser.set_cookie("session", later)
        assert browser.get("/").status_code == 401


def test_many_thefts_from_one_user_fill_no_store(site, clock, monkeypatch):
    monkeypatch.setattr(session_entries, "MAX_ENDED", 3)
    store = MemoryStore()
    shop = site(store, remember=REMEMBER)
    for _ in range(50):
        clock[0] += 2
        client = enter(shop)
        copied = cookie_of(client)
        assert browser_with(shop, copied[:-22] + "a" * 22).get("/").status_code == 401
        assert client.get("/").status_code == 401
        assert browser_with(shop, copied).get("/").status_code == 401
    live = sum(store._find(key, memory._now()) is not None for key in store._entries)
    assert live <= 3 + 5  # those that were stolen, one that just ended, the list, the counter, and two marks


def test_a_secret_of_another_series_is_a_guess_and_ends_nothing(shop, heard, clock):
    # The id of the device is also in the session cookie. One in a backup must not be enough to end the login.
    client, other = enter(shop), enter(shop, "bob")
    parts, others = cookie_of(client).split("."), cookie_of(other).split(".")
    for secret in ("a" * 43, others[3], ("b" if parts[3][0] == "a" else "a") + parts[3][1:]):
        answered = browser_with(shop, ".".join((*parts[:3], secret))).get("/")
        assert (answered.status_code, changes(answered)) == (401, "deleted")
        browser_with(shop, ".".join((*parts[:3], secret))).post("/logout")
    clock[0] += 2 * 3600
    assert client.get("/open").text == "ada True"
    assert [kind for kind, _ in heard] == ["remembered"]


@pytest.mark.asvs("V7.2.3")
def test_all_secrets_of_a_series_differ_and_have_256_bits(shop, clock):
    client, seen = enter(shop), set()
    for _ in range(5):
        seen.add(cookie_of(client).split(".")[3])
        clock[0] += 3 * 3600
        client.get("/open")
    assert len(seen) == 5
    assert len({secret[:21] for secret in seen}) == 1
    assert len({secret[21:] for secret in seen}) == 5
    assert {len(secret) for secret in seen} == {43}


def test_a_guess_of_the_rest_of_a_secret_is_theft_and_a_guess_of_the_id_is_nothing(shop):
    client = enter(shop)
    version, tag, device, secret = cookie_of(client).split(".")
    answered = browser_with(shop, f"{version}.{tag}.{'a' * 22}.{secret}").get("/")
    assert (answered.status_code, changes(answered)) == (401, "deleted")
    assert client.get("/").status_code == 200
    assert browser_with(shop, f"{version}.{tag}.{device}.{secret[:-1]}!").get("/").status_code == 401
    assert client.get("/").status_code == 200
    guess = secret[:21] + "a" * 22
    assert browser_with(shop, f"{version}.{tag}.{device}.{guess}").get("/").status_code == 401
    assert client.get("/").status_code == 401


# --- bad cookies


@pytest.mark.parametrize(
    "change",
    [
        lambda value: value[:-1], lambda value: value + "x", lambda value: "2" + value[1:], lambda value: "",
        lambda value: "1." * 4, lambda value: value.replace(".", ":"), lambda value: "x" * 100_000,
        lambda value: value + "." + "x" * 20_000, lambda value: value[:-1] + "\xe9",
        lambda value: value[:-1] + "\u20ac", lambda value: value[:-1] + "%41", lambda value: "null",
    ],
)  # fmt: skip
def test_a_cookie_that_is_malformed_is_ignored_and_dropped(shop, change):
    client = enter(shop)
    bad = change(cookie_of(client))
    sent = {"Cookie": f"{NAME}={bad}".encode().decode("latin-1")}
    visitor = shop.app.test_client(use_cookies=False)
    opened = visitor.get("/open", headers=sent)
    assert (opened.status_code, opened.text, changes(opened)) == (200, "None False", "deleted")
    refused = visitor.get("/", headers=sent)
    assert (refused.status_code, "error=" in refused.headers["WWW-Authenticate"]) == (401, False)
    assert client.get("/").status_code == 200


def test_a_megabyte_of_cookie(shop):
    opened = shop.app.test_client(use_cookies=False).get("/open", headers={"Cookie": f"{NAME}={'1.' * 524_288}"})
    assert (opened.status_code, changes(opened)) == (200, "deleted")


def test_a_cookie_of_another_realm_on_one_host_is_left_alone(site, clock):
    store = MemoryStore()
    shop, forum = site(store, remember=REMEMBER), site(store, realm="forum", remember=REMEMBER)
    of_shop, of_forum = enter(shop), enter(forum)
    for path, method in (("/open", "GET"), ("/", "GET"), ("/logout", "POST")):
        visitor = browser_with(forum, cookie_of(of_shop))
        answered = visitor.open(path, method=method)
        assert changes(answered) is None
        assert answered.text in ("None False", "out") or answered.status_code == 401
    forged = cookie_of(of_shop).split(".")
    forged[1] = cookie_of(of_forum).split(".")[1]
    assert browser_with(forum, ".".join(forged)).get("/").status_code == 401
    assert restart(of_shop).get("/").status_code == 200
    assert restart(of_forum).get("/").status_code == 200


def test_two_apps_on_one_host_keep_their_cookies_apart(site, clock):
    """Cookies of one name, for two paths: both reach the inner app, the more specific one first."""
    store = MemoryStore()
    shop, forum = site(store, remember=REMEMBER), site(store, realm="forum", remember=REMEMBER)
    of_shop, of_forum = cookie_of(enter(shop)), cookie_of(enter(forum, "bob"))
    both = {"Cookie": f"{NAME}={of_forum}; {NAME}={of_shop}"}
    assert shop.app.test_client(use_cookies=False).get("/open", headers=both).text == "ada True"
    assert forum.app.test_client(use_cookies=False).get("/open", headers=both).text == "bob True"


def test_the_first_of_two_cookies_of_the_realm_counts(shop):
    one, other = cookie_of(enter(shop)), cookie_of(enter(shop, "bob"))
    both = {"Cookie": f"{NAME}={one}; {NAME}={other}"}
    assert shop.app.test_client(use_cookies=False).get("/open", headers=both).text == "ada True"


# --- the cookie


@pytest.mark.parametrize(
    ("config", "name", "flags"),
    [
        ({}, "session_remember", {"HttpOnly", "Path=/"}),
        ({"SESSION_COOKIE_SECURE": True}, "__Host-session_remember", {"Secure", "HttpOnly", "Path=/"}),
        ({"SESSION_COOKIE_SECURE": True, "SESSION_COOKIE_PATH": "/shop"}, "session_remember",
         {"Secure", "HttpOnly", "Path=/shop"}),
        ({"SESSION_COOKIE_SECURE": True, "SESSION_COOKIE_DOMAIN": "localhost"}, "session_remember",
         {"Secure", "HttpOnly", "Path=/", "Domain=localhost"}),
        ({"SESSION_COOKIE_SECURE": True, "SESSION_COOKIE_NAME": "__Host-sid"}, "__Host-sid_remember",
         {"Secure", "HttpOnly", "Path=/"}),
        ({"SESSION_COOKIE_SECURE": True, "SESSION_COOKIE_NAME": "__Secure-sid", "SESSION_COOKIE_PATH": "/a"},
         "__Secure-sid_remember", {"Secure", "HttpOnly", "Path=/a"}),
        ({"SESSION_COOKIE_NAME": "sid", "SESSION_COOKIE_SAMESITE": "Lax"}, "sid_remember",
         {"HttpOnly", "Path=/", "SameSite=Lax"}),
        ({"APPLICATION_ROOT": "/shop"}, "session_remember", {"HttpOnly", "Path=/shop"}),
    ],
)  # fmt: skip
def test_the_cookie_is_named_and_flagged_as_that_of_the_session(site, clock, config, name, flags):
    shop = site(remember=REMEMBER, config=config)
    client = shop.app.test_client(use_cookies=False)
    answered = client.post("/login/ada", data={"remember": "1"})
    (line,) = [line for line in answered.headers.getlist("Set-Cookie") if line.startswith(f"{name}=")]
    value, *rest = line.partition("=")[2].split("; ")
    assert {part for part in rest if not part.startswith("Expires=")} == {*flags, f"Max-Age={REMEMBER}"}
    assert SECRET.fullmatch(value)
    rotated = client.get("/open", headers={"Cookie": f"{name}={value}"})
    assert (rotated.text, changes(rotated, name)) == ("ada True", "set")
    gone = client.post("/logout", headers={"Cookie": f"{name}={value}"})
    (line,) = [line for line in gone.headers.getlist("Set-Cookie") if line.startswith(f"{name}=")]
    rest = line.partition("=")[2].split("; ")[1:]
    assert {part for part in rest if not part.startswith("Expires=")} == {*flags, "Max-Age=0"}


def test_a_partitioned_cookie(site, clock):
    config = {"SESSION_COOKIE_SECURE": True, "SESSION_COOKIE_SAMESITE": "None", "SESSION_COOKIE_PARTITIONED": True}
    shop = site(remember=REMEMBER, config=config)
    if not hasattr(shop.app.session_interface, "get_cookie_partitioned"):
        pytest.skip("Flask 3.0 knows no partitioned cookies")
    lines = shop.app.test_client().post("/login/ada", data={"remember": "1"}).headers.getlist("Set-Cookie")
    assert ["Partitioned" in line for line in lines] == [True, True]


def test_the_store_holds_no_secret(shop):
    client = enter(shop)
    secret = cookie_of(client).rpartition(".")[2]
    assert secret not in str(shop.store._entries)
    assert secret not in repr([*vars(shop.cookie).values()])


def test_a_response_that_rotates_is_never_cached_whatever_the_app_says(shop):
    shop.app.after_request(lambda answer: answer.headers.update({"Cache-Control": "public, max-age=600"}) or answer)
    client = restart(enter(shop))
    rotated = client.get("/open")
    assert changes(rotated) == "set"
    assert client.get("/open").headers["Cache-Control"] != "no-store"


# --- logging in and out


def test_a_logout_ends_the_series_and_deletes_the_cookie(shop):
    client = enter(shop)
    copied = cookie_of(client)
    answered = client.post("/logout")
    assert (changes(answered), cookie_of(client)) == ("deleted", None)
    refused = browser_with(shop, copied).get("/")
    assert (refused.status_code, changes(refused)) == (401, "deleted")


def test_a_logout_of_a_session_that_the_cookie_has_opened(shop, clock):
    client = enter(shop)
    clock[0] += 3700
    client.get("/")
    copy = browser_with(shop, client.get_cookie("session").value, "session")
    assert copy.get("/").status_code == 200
    client.post("/logout")
    assert copy.get("/").status_code == 401


def test_a_logout_without_a_live_session_ends_the_series_too(shop):
    client = restart(enter(shop))
    copied = cookie_of(client)
    assert changes(client.post("/logout")) == "deleted"
    assert browser_with(shop, copied).get("/").status_code == 401
    assert sessions(shop) == []


def test_after_a_logout_the_request_has_no_caller(shop):
    """The cookie is still in the request."""

    def leave():
        shop.auth.logout()
        return str(shop.auth.get_identity())

    shop.app.add_url_rule("/leave", "leave", leave, methods=["POST"])
    client = restart(enter(shop))
    answered = client.post("/leave")
    assert (answered.text, changes(answered)) == ("None", "deleted")


def test_after_a_logout_that_failed_the_request_has_no_caller(site, clock):
    shop = site(FailsAt(), remember=REMEMBER)

    def leave():
        shop.store.goes_on, shop.store.left = True, 1
        with pytest.raises(AuthUnavailable):
            shop.auth.logout()
        shop.store.left = None
        return str(shop.auth.get_identity())

    shop.app.add_url_rule("/leave", "leave", leave, methods=["POST"])
    answered = restart(enter(shop)).post("/leave")
    assert (answered.text, changes(answered)) == ("None", "deleted")


def test_a_login_without_remember_deletes_the_cookie_and_ends_its_device(shop):
    client = enter(shop)
    copied = cookie_of(client)
    restart(client)
    assert changes(client.post("/login/bob")) == "deleted"
    assert browser_with(shop, copied).get("/").status_code == 401
    assert client.get("/open").text == "bob False"


def test_a_login_sends_nothing_to_a_browser_without_the_cookie(shop):
    assert changes(shop.app.test_client().post("/login/ada")) is None


def test_a_login_over_a_remembered_one_ends_that_device(shop):
    client = enter(shop)
    copied = cookie_of(client)
    client.post("/login/ada", data={"remember": "1"})
    assert cookie_of(client) != copied
    assert browser_with(shop, copied).get("/").status_code == 401
    assert len(sessions(shop)) == 1
    assert restart(client).get("/").status_code == 200


@pytest.mark.parametrize("limit", [100, 0])
@pytest.mark.parametrize("path", ["/login/bob", "/login/ada", "/logout"])
def test_a_login_or_a_logout_with_a_replaced_cookie_is_theft_too(shop, clock, heard, caplog, monkeypatch, path, limit):
    """The series and its sessions end. The login goes on as a new one, also if the end was one of all sessions."""
    monkeypatch.setattr(session_entries, "MAX_ENDED", limit)
    caplog.set_level(logging.WARNING)
    client, copied = stolen(shop, clock)
    (device,) = listed(client)
    clock[0] += 31
    heard.clear()
    thief = browser_with(shop, copied)
    answered = thief.post(path)
    assert (answered.status_code, changes(answered)) == (200, "deleted")
    assert thief.get("/open").text == {"/login/bob": "bob False", "/login/ada": "ada False"}.get(path, "None False")
    assert client.get("/").status_code == 401
    assert restart(client).get("/").status_code == 401
    assert heard == [("stolen", {"subject": "ada", "scheme": "Cookie", "session": device["id"]})]
    assert sum("two places" in record.getMessage() for record in caplog.records) == 1


@pytest.mark.parametrize("path", ["/login/bob", "/logout"])
def test_a_login_or_a_logout_with_a_guessed_secret_ends_nothing(shop, clock, heard, path):
    client, copied = stolen(shop, clock)
    clock[0] += 31
    heard.clear()
    browser_with(shop, f"{copied.rpartition('.')[0]}.{'x' * 43}").post(path)
    assert client.get("/").status_code == 200
    assert heard == []


@pytest.mark.parametrize(("path", "change"), [("/login/bob", None), ("/logout", "deleted")])
def test_a_theft_that_comes_to_light_by_a_login_while_the_store_is_down(site, clock, path, change):
    shop = site(FailsAt(), remember=REMEMBER)
    client, copied = stolen(shop, clock)
    clock[0] += 31
    thief = browser_with(shop, copied)
    shop.store.goes_on, shop.store.left = True, 1
    answered = thief.post(path)
    shop.store.left = None
    assert (answered.status_code, changes(answered)) == (503, change)
    assert client.get("/").status_code == 200


def test_end_sessions_ends_remembered_logins_too(shop, clock):
    clients = [enter(shop) for _ in range(2)]
    with shop.app.app_context():
        shop.auth.end_sessions("ada")
    for client in clients:
        assert restart(client).get("/").status_code == 401
    clock[0] += 3700
    assert enter(shop).get("/").status_code == 200


def test_end_sessions_ends_a_remembered_login_that_no_list_names(shop, clock):
    """A failure in the middle left it, or the list was lost."""
    client = enter(shop)
    for key in [key for key in shop.store._entries if key.split(":")[1] == "sessions"]:
        shop.store._entries[key] = (shop.store._entries[key][0], "[]")
    with shop.app.app_context():
        shop.auth.end_sessions("ada")
    clock[0] += 29 * DAY
    assert restart(client).get("/").status_code == 401


def test_a_login_after_end_sessions_is_remembered(shop, clock):
    with shop.app.app_context():
        shop.auth.end_sessions("ada")
    client = enter(shop)
    assert restart(client).get("/").status_code == 200
    assert client.get("/").status_code == 200


def test_end_session_ends_the_series(shop):
    client, other = enter(shop), enter(shop)
    (one,) = [one["id"] for one in listed(other) if not one["current"]]
    assert other.post(f"/end/{one}").json == [True, True]
    assert restart(client).get("/").status_code == 401
    assert restart(other).get("/").status_code == 200


def test_a_logout_by_the_provider_ends_the_series(shop):
    client = enter(shop, issuer="https://id.example", sid="s")
    with shop.app.app_context():
        assert len(shop.cookie.end_by_provider("https://id.example", sid="s")) == 1
    assert restart(client).get("/").status_code == 401


def test_a_device_that_was_not_remembered_takes_no_cookie(shop):
    client = enter(shop)
    _, tag, _, secret = cookie_of(client).split(".")
    other = shop.device()
    with other.session_transaction() as content:
        device = content["_unauthorized"]["sid"]
    refused = browser_with(shop, f"1.{tag}.{device}.{secret}").get("/")
    assert (refused.status_code, changes(refused)) == (401, "deleted")
    assert other.get("/").status_code == 200


# --- who may and who may not


def test_a_rejected_user_ends_the_series(site, clock):
    users = {"ada": Identity("ada")}
    shop = site(remember=REMEMBER, load=users.get)
    client = restart(enter(shop))
    kept = cookie_of(client)
    del users["ada"]
    refused = client.get("/")
    assert (refused.status_code, changes(refused)) == (401, "deleted")
    users["ada"] = Identity("ada")
    assert browser_with(shop, kept).get("/").status_code == 401


def test_a_loader_that_raises_a_refusal_ends_the_series(site, clock):
    rejects = []

    def load(subject):
        if rejects:
            raise InvalidCredentials(reason="locked")
        return subject

    shop = site(remember=REMEMBER, load=load)
    client = restart(enter(shop))
    rejects.append(1)
    assert changes(client.get("/open")) == "deleted"
    rejects.clear()
    assert client.get("/").status_code == 401


def test_an_unavailable_loader_changes_nothing(site, clock):
    down = []

    def load(subject):
        if down:
            raise AuthUnavailable(reason="no database")
        return subject

    shop = site(remember=REMEMBER, load=load)
    client = restart(enter(shop))
    kept = cookie_of(client)
    before = dict(shop.store._entries)
    down.append(1)
    for path, status in (("/", 503), ("/open", 200)):
        answered = client.get(path)
        assert (answered.status_code, changes(answered)) == (status, None)
    assert shop.store._entries == before
    down.clear()
    assert client.get("/").status_code == 200
    assert cookie_of(client) != kept


@pytest.mark.parametrize("headers", [{"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}])
@pytest.mark.parametrize("path", ["/act", "/open-act"])
def test_an_unsafe_request_of_another_site_rotates_nothing(shop, headers, path):
    shop.app.add_url_rule("/act", "act", shop.auth.login_required(lambda: "done"), methods=["POST"])
    open_view = shop.auth.public(lambda: str(shop.auth.get_identity()))
    shop.app.add_url_rule("/open-act", "open_act", open_view, methods=["POST"])
    client = restart(enter(shop))
    before = dict(shop.store._entries)
    answered = client.post(path, headers=headers)
    assert (answered.status_code, answered.text == "None") == ((403, False) if path == "/act" else (200, True))
    assert (changes(answered), shop.store._entries == before) == (None, True)
    assert client.post("/act").status_code == 200


def test_a_token_beside_the_cookie_rotates_nothing(shop):
    client = restart(enter(shop))
    before = dict(shop.store._entries)
    answered = client.get("/", headers={"Authorization": "Bearer t"})
    assert (answered.text, changes(answered), shop.store._entries == before) == ("ada", None, True)


# --- where a caller is asked for


def test_an_open_page_that_asks_nothing_rotates_nothing(shop):
    shop.app.add_url_rule("/plain", "plain", lambda: "plain")
    client = restart(enter(shop))
    answered = client.get("/plain")
    assert (changes(answered), sets_session(answered)) == (None, False)


@pytest.mark.parametrize("guard", ["repair", "strict", "off"])
@pytest.mark.parametrize("where", ["view", "hook", "error page", "server error", "blueprint hook"])
def test_the_cookie_is_sent_wherever_the_question_is_asked(site, clock, guard, where):
    shop = site(remember=REMEMBER, config={"UNAUTHORIZED_GUARD": guard, "PROPAGATE_EXCEPTIONS": False})
    asked = []

    def ask(*answer):
        asked.append(shop.auth.get_identity())
        return answer[0] if answer else "fine"

    def fail():
        raise KeyError

    path, status = "/x", 200
    shop.app.add_url_rule("/x", "x", ask if where == "view" else lambda: "fine")
    if where in ("hook", "blueprint hook"):
        shop.app.after_request(ask)
    elif where == "error page":
        path, status = "/missing", 404
        shop.app.register_error_handler(404, lambda error: (ask("gone"), 404))
    elif where == "server error":
        path, status = "/fail", 500
        shop.app.add_url_rule("/fail", "fail", fail)
        shop.app.register_error_handler(500, lambda error: (ask("broken"), 500))
    client = restart(shop.device(remember="1"))
    del asked[:]
    client.set_cookie(NAME, cookie_of(enter(shop)))
    answered = client.get(path)
    assert (answered.status_code, changes(answered)) == (status, "set")
    assert asked[0].subject == "ada"
    assert client.get("/").text == "ada"


def test_a_streamed_body_names_the_caller_and_writes_nothing(shop):
    @shop.app.get("/stream")
    def stream():
        def lines():
            yield "who: "
            yield str(shop.auth.get_identity() and shop.auth.get_identity().subject)

        return shop.app.response_class(stream_with_context(lines()))

    client = restart(enter(shop))
    before = dict(shop.store._entries)
    answered = client.get("/stream")
    assert (answered.text, changes(answered)) == ("who: None", None)  # as with every other scheme
    assert shop.store._entries == before
    assert "Cookie" in answered.headers["Vary"]
    assert "private" in answered.headers["Cache-Control"]
    assert client.get("/").status_code == 200


def test_a_demand_in_a_streamed_body_names_the_caller_and_writes_nothing(shop):
    @shop.app.get("/stream")
    def stream():
        def lines():
            yield shop.auth.require().subject

        return shop.app.response_class(stream_with_context(lines()))

    client = restart(enter(shop))
    before = dict(shop.store._entries)
    answered = client.get("/stream")
    assert (answered.text, changes(answered), shop.store._entries == before) == ("ada", None, True)
    assert client.get("/").status_code == 200


def test_a_stolen_cookie_in_a_streamed_body_writes_nothing(shop, clock):
    @shop.app.get("/stream")
    def stream():
        def lines():
            try:
                yield shop.auth.require().subject
            except InvalidCredentials as error:
                yield type(error).__name__

        return shop.app.response_class(stream_with_context(lines()))

    client, copied = stolen(shop, clock)
    clock[0] += 31
    before = dict(shop.store._entries)
    assert browser_with(shop, copied).get("/stream").text == "SessionStolen"
    assert shop.store._entries == before
    assert client.get("/").status_code == 200


def test_the_handshake_of_a_websocket_rotates_nothing(shop):
    shop.app.add_url_rule("/ws", "ws", shop.auth.login_required(lambda: shop.auth.identity.subject), websocket=True)
    client = restart(enter(shop))
    before = dict(shop.store._entries)
    answered = client.get("/ws", headers={"Upgrade": "websocket", "Connection": "Upgrade"})
    assert (answered.text, changes(answered), shop.store._entries == before) == ("ada", None, True)


def test_the_explanation_names_both_cookies_and_shows_no_value(site, clock):
    users = {"ada": "ada"}
    shop = site(remember=REMEMBER, load=users.get, config={"UNAUTHORIZED_EXPLAIN": True})
    client = restart(enter(shop))
    users.clear()
    told = client.get("/", headers={**PAGE, "X-Requested-With": "x"}).text
    assert f"Cookie: {NAME}=" in told
    assert not [part for part in (cookie_of(client) or "").split(".") if len(part) > 8 and part in told]


# --- clocks


@pytest.mark.parametrize("jump", [DAY, -DAY])
def test_a_clock_that_jumps_by_a_day_and_back_locks_nobody_out(shop, clock, jump):
    client = enter(shop)
    assert restart(client).get("/").status_code == 200
    clock[0] += jump
    assert restart(client).get("/").status_code == 200
    clock[0] -= jump
    assert restart(client).get("/").status_code == 200
    clock[0] += 3700
    assert client.get("/").status_code == 200


@pytest.mark.parametrize("jump", [DAY, -DAY])
def test_a_clock_that_jumps_revives_no_ended_login(shop, clock, jump):
    client = enter(shop)
    kept = cookie_of(client)
    client.post("/logout")
    clock[0] += jump
    assert browser_with(shop, kept).get("/").status_code == 401


# --- stores


@pytest.mark.parametrize("store", [None, OldStore()])
def test_remember_without_a_store_that_replaces_is_found_by_check(make_app, store):
    from flask_unauthorized import Auth

    auth = Auth(SessionCookie(str, store=store, remember=REMEMBER))
    with pytest.raises(ConfigurationError, match="remember= needs a store"):
        auth.check(make_app(auth, SECRET_KEY="a secret of thirty-two characters"))


def test_login_with_remember_needs_a_scheme_that_remembers(site):
    with pytest.raises(ConfigurationError, match=r"remember=timedelta\(days=30\)"):
        site().app.test_client().post("/login/ada", data={"remember": "1"})


@pytest.mark.parametrize(("value", "error"), [(0, ConfigurationError), (1.5, TypeError), ("30", TypeError)])
def test_a_time_that_is_none(value, error):
    with pytest.raises(error, match="remember"):
        SessionCookie(str, store=MemoryStore(), remember=value)


def test_remember_is_true_or_false(shop):
    with shop.app.test_request_context(method="POST"), pytest.raises(TypeError, match="remember must be True or False"):
        shop.auth.login("ada", remember="yes")


@pytest.mark.parametrize("goes_on", [True, False])
@pytest.mark.parametrize("failing", range(1, 8))
@pytest.mark.parametrize("path", ["/", "/open"])
def test_a_store_that_fails_at_any_step_of_an_opening_locks_nobody_out(site, clock, path, failing, goes_on):
    shop = site(FailsAt(), remember=REMEMBER)
    client = restart(enter(shop))
    shop.store.goes_on, shop.store.left = goes_on, failing
    answered = client.get(path)
    shop.store.left = None
    assert answered.status_code in ((200, 503) if path == "/" else (200,))
    if answered.status_code == 503 or answered.text.startswith("None"):
        assert changes(answered) is None
    assert client.get("/").text == "ada"
    clock[0] += 3700
    assert client.get("/").text == "ada"


def test_an_outage_on_an_open_page_is_one_warning(site, clock, caplog):
    shop = site(FailsAt(), remember=REMEMBER)
    client = restart(enter(shop))
    caplog.set_level(logging.WARNING)
    shop.store.goes_on, shop.store.left = True, 1
    assert client.get("/open").text == "None False"
    assert len(caplog.records) == 1


@pytest.mark.parametrize("goes_on", [True, False])
@pytest.mark.parametrize("failing", range(1, 9))
def test_a_store_that_fails_at_any_step_of_a_theft_lets_nobody_stay(site, clock, failing, goes_on):
    shop = site(FailsAt(), remember=REMEMBER)
    client, copied = stolen(shop, clock)
    clock[0] += 31
    shop.store.goes_on, shop.store.left = goes_on, failing
    thief = browser_with(shop, copied)
    assert thief.get("/").status_code in (401, 503)
    shop.store.left = None
    assert thief.get("/").status_code == 401
    assert client.get("/").status_code == 401


@pytest.mark.parametrize("goes_on", [True, False])
@pytest.mark.parametrize("failing", range(1, 18))
@pytest.mark.parametrize("alive", [True, False])
def test_a_store_that_fails_at_any_step_of_a_logout(site, clock, alive, failing, goes_on):
    shop = site(FailsAt(), remember=REMEMBER)
    client = enter(shop)
    kept = cookie_of(client)
    if not alive:
        restart(client)
    shop.store.goes_on, shop.store.left = goes_on, failing
    answered = client.post("/logout")
    shop.store.left = None
    assert changes(answered) == "deleted"
    assert cookie_of(client) is None
    assert client.get("/").status_code == 401
    if answered.status_code == 200:
        assert browser_with(shop, kept).get("/").status_code == 401


@pytest.mark.parametrize("goes_on", [True, False])
@pytest.mark.parametrize("failing", range(1, 26))
def test_a_store_that_fails_at_any_step_of_a_remembered_login(site, clock, failing, goes_on):
    shop = site(FailsAt(), remember=REMEMBER)
    client = enter(shop)
    shop.store.goes_on, shop.store.left = goes_on, failing
    status = client.post("/login/bob", data={"remember": "1"}).status_code
    shop.store.left = None
    assert status in (200, 503)
    found = restart(client).get("/")
    assert found.text == ("bob" if status == 200 else "ada") or found.status_code == 401
    assert client.post("/login/ada", data={"remember": "1"}).status_code == 200
    assert restart(client).get("/").text == "ada"


def test_a_wiped_store_forgets_remembered_logins_and_keeps_sessions(shop, clock):
    client, other = enter(shop), restart(enter(shop))
    shop.store._entries.clear()
    shop.store._sweep_queue.clear()
    assert client.get("/").status_code == 200
    refused = other.get("/")
    assert (refused.status_code, changes(refused)) == (401, "deleted")
    clock[0] += 61
    assert client.get("/").status_code == 200
    refused = restart(client).get("/")
    assert (refused.status_code, changes(refused)) == (401, "deleted")


@pytest.mark.parametrize("rotation", ["x", "", "- - - - -", "a b"])
def test_an_entry_that_another_program_wrote_is_503(shop, rotation):
    client = restart(enter(shop))
    (key,) = [key for key in shop.store._entries if key.split(":")[1] == "session"]
    expiry, entry = shop.store._entries[key]
    text = re.sub(r'"rotation":"[^"]*"', f'"rotation":"{rotation}"', entry)
    assert text != entry
    shop.store._entries[key] = (expiry, text)
    answered = client.get("/")
    assert (answered.status_code, changes(answered)) == (503, None)


def test_what_shows_objects_shows_no_secret(shop):
    client = enter(shop)
    value = cookie_of(client)
    with shop.app.test_request_context(headers={"Cookie": f"{NAME}={value}"}):
        cookie = shop.cookie.read(request, None)
        texts = f"{cookie!r} {cookie} {shop.cookie._remembered!r}"
        assert shop.auth.require().subject == "ada"
        texts += repr(shop.cookie.cookie_change(request))
    assert not [part for part in value.split(".")[2:] if part in texts]

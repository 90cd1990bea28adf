"""Logging in and out in the middle of a request."""

from contextlib import contextmanager

import pytest
from flask import Flask, make_response

from flask_unauthorized import Auth, Bearer, DPoP, Identity, SessionCookie, signals
from flask_unauthorized.stores.memory import MemoryStore
from tests.dpop_client import Holder
from tests.helpers import app_with_schemes

from .conftest import KEY, USERS


def test_login_uses_up_no_proof_twice(make_app):
    holder = Holder("ES256")
    tokens = {"t": Identity("ada", scopes={"a"}, confirmation={"jkt": holder.jkt})}
    dpop = DPoP(tokens.get, origin="https://api.example.com")
    app = app_with_schemes(make_app, dpop, SessionCookie(Identity))
    auth = app.auth

    @app.post("/x")
    @auth.login_required(via=dpop)
    def x():
        auth.login("bob")
        first = auth.require(scopes={"a"}, via=dpop).subject
        auth.logout()
        return f"{first} {auth.require(via=dpop).subject}"

    assert app.test_client().post("/x", headers=holder.sent(token="t", path="/x", method="POST")).text == "ada ada"


def test_after_login_the_caller_stays_who_logged_in(make_app):
    app = app_with_schemes(make_app, Bearer({"t": Identity("alice")}.get), SessionCookie(Identity))
    auth = app.auth

    @app.post("/z")
    @auth.login_required
    def z():
        auth.login("bob")
        return f"{auth.identity.subject} {auth.require().subject} {auth.identity.subject} {auth.scheme.name}"

    assert app.test_client().post("/z", headers={"Authorization": "Bearer t"}).text == "bob bob bob Cookie"


def test_the_caller_of_an_issuer_is_no_user_of_ours(make_app):
    app = app_with_schemes(make_app, SessionCookie(Identity))
    token = Identity("1", claims={"iss": "https://one.example"})
    with app.test_request_context(method="POST"), pytest.raises(TypeError, match="issuer"):
        app.auth.login(token)


def test_a_failed_login_ends_the_session_and_asks_no_loader_twice(make_app):
    asked = []

    def load(subject):
        asked.append(subject)
        return Identity(subject) if subject == "ada" else None

    app = app_with_schemes(make_app, SessionCookie(load, store=MemoryStore()))
    app.add_url_rule("/in", "in", app.auth.public(lambda: app.auth.login("ada").subject), methods=["POST"])
    switch = app.auth.login_required(lambda: app.auth.login("nobody").subject)
    app.add_url_rule("/switch", "switch", switch, methods=["POST"])
    client = app.test_client()
    client.post("/in")
    copy = app.test_client()
    copy.set_cookie("session", client.get_cookie("session").value)
    assert copy.get("/").status_code == 200
    asked.clear()
    assert client.post("/switch").status_code == 401
    assert asked == ["ada", "nobody"]
    assert client.get("/").status_code == 401
    assert copy.get("/").status_code == 401


# --- signals


@contextmanager
def heard_logins():
    """The signals of logins and logouts, as (kind, sender, arguments)."""
    found = []

    def login(sender, **arguments):
        found.append(("logged_in", sender, arguments))

    def logout(sender, **arguments):
        found.append(("logged_out", sender, arguments))

    with signals.logged_in.connected_to(login), signals.logged_out.connected_to(logout):
        yield found


def test_a_login_and_a_logout_are_signaled_with_the_caller(build):
    shop = build()
    with heard_logins() as found:
        shop.client.post("/login", data={"name": "ada"})
        shop.client.get("/page")
        shop.client.post("/logout")
    assert [(kind, sender) for kind, sender, _ in found] == [("logged_in", shop.app), ("logged_out", shop.app)]
    for _, _, arguments in found:
        assert arguments.keys() == {"identity", "scheme", "session"}
        assert (arguments["identity"].subject, arguments["identity"].scopes) == ("ada", {"read"})
        assert arguments["scheme"] == "Cookie"
    (_, _, one), (_, _, other) = found
    assert one["session"] == other["session"] is not None


def test_a_login_that_fails_is_not_signaled(build):
    shop = build()
    with heard_logins() as found:
        assert shop.client.post("/login", data={"name": "nobody"}).status_code == 401
        headers = {"Sec-Fetch-Site": "cross-site"}
        assert shop.client.post("/login", data={"name": "ada"}, headers=headers).status_code == 403
    assert found == []


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_a_link_of_another_site_does_not_log_out(build, site):
    shop = build()
    shop.app.add_url_rule("/leave", "leave", lambda: shop.auth.logout() or "left")
    shop.client.post("/login", data={"name": "ada"})
    linked = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Site": site}
    assert shop.client.get("/leave", headers=linked).status_code == 403
    assert shop.client.get("/page").status_code == 200
    assert shop.client.get("/leave", headers={**linked, "Sec-Fetch-Site": "same-origin"}).text == "left"
    assert shop.client.get("/page").status_code == 401


def test_a_logout_without_a_login_is_not_signaled(build, clock):
    shop = build(lifetime=60)
    with heard_logins() as found:
        shop.client.post("/logout")
        shop.client.post("/login", data={"name": "ada"})
        clock[0] += 61
        shop.client.post("/logout")
    assert [kind for kind, _, _ in found] == ["logged_in"]


def test_a_logout_of_a_deleted_user_is_signaled_without_an_identity(build):
    shop = build()
    with heard_logins() as found:
        shop.client.post("/login", data={"name": "ada"})
        shop.users.clear()
        assert shop.client.post("/logout").status_code == 302
    (_, _, login), logout = found
    assert logout == ("logged_out", shop.app, {"identity": None, "scheme": "Cookie", "session": login["session"]})


def test_a_login_and_logout_in_one_request_are_both_signaled(build):
    shop = build()

    @shop.app.post("/both")
    @shop.auth.public
    def both():
        shop.auth.login("ada")
        shop.auth.logout()
        return ""

    with heard_logins() as found:
        shop.client.post("/both")
    assert [(kind, arguments["identity"].subject) for kind, _, arguments in found] == [
        ("logged_in", "ada"), ("logged_out", "ada"),
    ]  # fmt: skip


def test_a_loader_that_fails_prevents_no_logout(caplog):
    failing = []

    class Users(dict):
        def get(self, subject):
            if failing:
                raise RuntimeError("a bug")
            return super().get(subject)

    users = Users(USERS)
    auth = Auth(SessionCookie(users.get, login_view="login"), realm="shop")
    app = Flask("shop")
    app.config.update(SECRET_KEY=KEY, TESTING=True)
    auth.init_app(app)
    app.add_url_rule("/login", "login", auth.public(lambda: auth.login("ada").subject), methods=["POST"])
    app.add_url_rule("/logout", "logout", auth.public(lambda: str(auth.logout())), methods=["POST"])
    app.add_url_rule("/page", "page", auth.login_required(lambda: "page"))
    client = app.test_client()
    with heard_logins() as found:
        client.post("/login")
        failing.append(1)
        assert client.post("/logout").status_code == 200
    (_, _, login), logout = found
    assert logout == ("logged_out", app, {"identity": None, "scheme": "Cookie", "session": login["session"]})
    assert "the signal logged_out names no user" in caplog.text
    failing.clear()
    assert client.get("/page").status_code == 401


def test_a_receiver_that_fails_is_logged_and_the_login_stands(build, caplog):
    shop = build()

    def fails(sender, **arguments):
        raise RuntimeError("a receiver's bug")

    with signals.logged_in.connected_to(fails), signals.logged_out.connected_to(fails):
        assert shop.client.post("/login", data={"name": "ada"}).status_code == 302
        assert shop.client.get("/page").status_code == 200
        assert shop.client.post("/logout").status_code == 302
    assert [text for text in caplog.messages if "receiver" in text] == [
        "a receiver of the signal unauthorized-logged-in failed",
        "a receiver of the signal unauthorized-logged-out failed",
    ]
    assert shop.client.get("/page").status_code == 401


@pytest.mark.parametrize(
    ("secure", "request_from", "warnings"),
    [
        (True, {"REMOTE_ADDR": "203.0.113.9"}, 1),
        (True, {"REMOTE_ADDR": "203.0.113.9", "wsgi.url_scheme": "https"}, 0),
        (True, {"REMOTE_ADDR": "::ffff:127.0.0.1"}, 0),  # a developer's browser, which keeps it on localhost
        (False, {"REMOTE_ADDR": "203.0.113.9"}, 0),
    ],
)
def test_the_log_says_once_that_browsers_drop_the_cookie_of_a_login(make_app, caplog, secure, request_from, warnings):
    app = app_with_schemes(make_app, SessionCookie(Identity))
    app.config["SESSION_COOKIE_SECURE"] = secure
    app.add_url_rule("/login", "login", app.auth.public(lambda: app.auth.login("ada").subject), methods=["POST"])
    for _ in range(2):
        assert app.test_client().post("/login", environ_overrides=request_from).text == "ada"
    text = (
        "a login came over plain HTTP, and SESSION_COOKIE_SECURE is True, so browsers drop its cookie: serve HTTPS "
        "(behind a proxy, tell Flask with werkzeug's ProxyFix)"
    )
    assert [record.getMessage() for record in caplog.records].count(text) == warnings


# --- Clear-Site-Data

CLEAR = "Clear-Site-Data"


def leaving(build, *, before=None, after=None, **options):
    """The header of a logout by an app that has its own ideas of it."""
    shop = build(store=MemoryStore())
    if after is not None:
        shop.app.after_request(after)

    def leave():
        response = make_response("left")
        for line in before or ():
            response.headers.add(CLEAR, line)
        shop.auth.logout(**options)
        return response

    shop.app.add_url_rule("/leave", "leave", leave, methods=["POST"])
    shop.client.post("/login")
    return shop.client.post("/leave").headers.getlist(CLEAR)


@pytest.mark.parametrize(
    ("before", "sent"),
    [
        ((), ['"cache"']),
        (('"cookies"',), ['"cookies", "cache"']),
        (('"cookies", "storage"',), ['"cookies", "storage", "cache"']),
        (('"cookies"', '"storage"'), ['"cookies", "storage", "cache"']),
        (('"storage","cache"',), ['"storage","cache"']),
        (('"*"',), ['"*"']),
    ],
)
def test_a_logout_clears_the_cache_and_what_the_app_says(build, before, sent):
    assert leaving(build, before=before) == sent
    assert leaving(build, before=before, clear_cache=False) == list(before)


def test_a_hook_of_the_app_has_the_last_word(build):
    def drop(response):
        response.headers.pop(CLEAR, None)
        return response

    assert leaving(build, after=drop) == []


@pytest.mark.asvs("V14.3.1")
def test_only_a_logout_clears_the_cache(build):
    shop = build(store=MemoryStore())
    responses = [shop.client.post("/login"), shop.client.get("/page"), shop.client.get("/login")]
    evil = {"Origin": "https://evil.example"}
    responses.append(shop.client.post("/logout", headers=evil))
    assert responses[-1].status_code == 403
    assert [CLEAR in response.headers for response in responses] == [False] * 4
    assert shop.client.post("/logout").headers.getlist(CLEAR) == ['"cache"']
    assert CLEAR not in shop.client.get("/page").headers


def test_a_logout_that_ends_in_an_error_clears_the_cache_as_well(build):
    """This browser is logged out then, too."""

    class Down(MemoryStore):
        down = False

        def _replace(self, *args):
            if self.down:
                raise ConnectionRefusedError
            return super()._replace(*args)

    shop = build(store=Down())
    shop.client.post("/login")
    shop.cookie.store.down = True
    response = shop.client.post("/logout")
    assert response.status_code == 503
    assert response.headers.getlist(CLEAR) == ['"cache"']


def test_a_wrong_switch_of_the_logout_is_a_mistake(build):
    with pytest.raises(TypeError, match="clear_cache"):
        leaving(build, clear_cache="no")

"""Sessions under attack, and failures: shared keys, outages, other interfaces, other orders of things."""

import json
import math

import pytest
from flask import request, session

from flask_unauthorized import (
    APIKey,
    Auth,
    AuthUnavailable,
    Bearer,
    ConfigurationError,
    Identity,
    RevokedCredentials,
    SessionCookie,
    current_user,
)
from flask_unauthorized.stores.memory import MemoryStore
from flask_unauthorized.testing import assert_unauthorized
from tests.browser.conftest import KEY, PAGE, USERS, session_content, session_cookie_of


class FailingStore(MemoryStore):
    """A store whose operations fail while ``down`` names them."""

    down = frozenset()

    def _get(self, key):
        if "get" in self.down:
            raise ConnectionRefusedError
        return super()._get(key)

    def _put(self, key, value, lifetime):
        if "put" in self.down:
            raise ConnectionRefusedError
        super()._put(key, value, lifetime)

    def _replace(self, *args):
        if "replace" in self.down:
            raise ConnectionRefusedError
        return super()._replace(*args)


def add_post_view(shop, name, function):
    """Add an open view for POST that runs ``function``."""
    shop.app.add_url_rule(f"/{name}", name, function, methods=["POST"])


# --- whose session it is


@pytest.mark.asvs("V3.5.4", "V9.2.4", "V8.4.1")
def test_ses_06_a_session_of_another_app_with_the_same_key_is_none(make_app, build):
    shop = build()
    shop.client.post("/login")
    other_auth = Auth(SessionCookie(USERS.get), realm="forum")
    other = make_app(other_auth, SECRET_KEY=KEY)
    other.add_url_rule("/page", "page", other_auth.login_required(lambda: "in"))
    thief = other.test_client()
    thief.set_cookie("session", session_cookie_of(shop.client))
    assert_unauthorized(thief.get("/page"), error=None)


def test_a_realm_of_the_scheme_is_where_its_sessions_are_good(build):
    shop = build(realm="console")
    shop.client.post("/login")
    assert session_content(shop.app, session_cookie_of(shop.client))["_unauthorized"]["realm"] == "console"
    assert shop.client.get("/page").status_code == 200


def test_ses_01_with_a_store_the_login_before_is_dead_too(build):
    shop = build(store=MemoryStore())
    shop.client.post("/login")
    thief = shop.app.test_client()
    thief.set_cookie("session", session_cookie_of(shop.client))
    assert thief.get("/page").status_code == 200
    shop.client.post("/login", data={"acr": "mfa"})
    assert thief.get("/page").status_code == 401
    assert shop.client.get("/page").status_code == 200


def test_keep_never_keeps_a_login(build):
    shop = build()
    add_post_view(shop, "keep", lambda: shop.auth.login("bob", keep=["_unauthorized"]).subject)
    shop.client.post("/login", data={"name": "ada"})
    assert shop.client.post("/keep").text == "bob"
    assert shop.client.get("/page").text == "page of bob"


def test_ctx_15_a_login_in_a_guarded_view_replaces_the_caller_who_was_judged(build):
    shop = build()
    seen = []

    @shop.app.post("/become")
    @shop.auth.login_required
    def become():
        seen.append(current_user.subject)
        shop.auth.login("bob")
        seen.append(current_user.subject)
        seen.append(shop.auth.require().subject)
        shop.auth.logout()
        seen.append(bool(current_user))
        seen.append(shop.auth.get_identity())
        return shop.auth.identity.subject

    shop.client.post("/login")
    refused = shop.client.post("/become")
    assert_unauthorized(refused, error=None)
    assert seen == ["ada", "bob", "bob", False, None]
    assert session_cookie_of(shop.client) is None


def test_ctx_15_a_login_beside_a_token_does_not_outlive_the_request_for_the_token(build):
    bearer = Bearer({"t": USERS["ada"]}.get)
    shop = build(bearer)
    add_post_view(shop, "become", lambda: shop.auth.login("bob").subject)
    assert shop.client.post("/become", headers={"Authorization": "Bearer t"}).text == "bob"
    assert shop.client.get("/page", headers={"Authorization": "Bearer t"}).text == "page of ada"
    assert shop.client.get("/page").text == "page of bob"


def test_ctx_one_callers_identity_is_never_the_nexts(build):
    shop = build()
    other = shop.app.test_client()
    with shop.app.app_context():
        shop.client.post("/login")
        assert shop.client.get("/page").text == "page of ada"
        assert other.get("/optional").text == "None"
        assert other.get("/page").status_code == 401


def test_a_hook_that_judged_before_does_not_decide_after_the_login(build):
    shop = build()
    shop.app.before_request(lambda: request.path == "/hooked" and shop.auth.get_identity() and None)
    add_post_view(shop, "hooked", lambda: shop.auth.login("ada") and shop.auth.identity.subject)
    assert shop.client.post("/hooked").text == "ada"


def test_a_login_in_an_async_view(build):
    shop = build()

    async def enter():
        return shop.auth.login("ada").subject

    add_post_view(shop, "async", enter)
    entered = shop.client.post("/async")
    assert (entered.text, entered.headers["Cache-Control"]) == ("ada", "no-store")
    assert shop.client.get("/page").text == "page of ada"


def test_an_async_loader_in_an_async_view(make_app):
    async def load(name):
        return USERS.get(name)

    auth = Auth(SessionCookie(load))
    app = make_app(auth, SECRET_KEY=KEY)

    async def enter():
        return auth.login("ada").subject

    app.add_url_rule("/in", "in", enter, methods=["POST"])
    app.add_url_rule("/page", "page", auth.login_required(lambda: auth.identity.subject))
    client = app.test_client()
    assert client.post("/in").text == "ada"
    assert client.get("/page").text == "ada"


# --- what the loader says


@pytest.mark.parametrize("answer", [None, False, RevokedCredentials("locked")])
def test_a_loader_that_refuses_ends_the_session_however_it_says_so(build, answer):
    def load(name):
        if isinstance(answer, Exception):
            raise answer
        return answer

    shop = build()
    shop.client.post("/login")
    shop.cookie._loader = load
    assert_unauthorized(shop.client.get("/page"), scheme="Cookie", error="invalid_token")
    assert session_cookie_of(shop.client) is None
    assert shop.client.get("/optional").text == "None"


def test_a_login_is_written_only_once_the_loader_has_said_yes(build):
    def load(name):
        raise ZeroDivisionError

    shop = build(config={"PROPAGATE_EXCEPTIONS": False})
    shop.client.post("/login", data={"name": "bob"})
    before = session_cookie_of(shop.client)
    shop.cookie._loader = load
    assert shop.client.post("/login").status_code == 500
    assert session_cookie_of(shop.client) == before


def test_a_login_that_is_refused_shows_nobody_in_its_own_request(build):
    shop = build()
    seen = []

    def enter():
        try:
            shop.auth.login("nobody")
        except Exception:
            seen.append(shop.auth.get_identity())
            raise
        return "in"

    add_post_view(shop, "enter", enter)
    shop.client.post("/login")
    assert_unauthorized(shop.client.post("/enter"), scheme="Cookie", error="invalid_token")
    assert seen == [None]
    assert session_cookie_of(shop.client) is None


# --- outages


@pytest.mark.parametrize("down", ["get", "replace"])
def test_an_outage_while_logging_in_is_503_and_changes_nothing(build, down):
    shop = build(store=FailingStore())
    shop.client.post("/login", data={"name": "bob"})
    before = session_cookie_of(shop.client)
    shop.cookie.store.down = {down}
    assert shop.client.post("/login").status_code == 503
    assert session_cookie_of(shop.client) == before
    shop.cookie.store.down = frozenset()
    assert shop.client.get("/page").text == "page of bob"


def test_users_that_cannot_be_asked_while_logging_in_log_nobody_out(build):
    def load(name):
        raise AuthUnavailable(reason="no database")

    shop = build()
    shop.client.post("/login", data={"name": "bob"})
    known, shop.cookie._loader = shop.cookie._loader, load
    assert shop.client.post("/login").status_code == 503
    shop.cookie._loader = known
    assert shop.client.get("/page").text == "page of bob"


def test_an_outage_while_logging_out_is_told_and_this_browser_is_out(build):
    shop = build(store=FailingStore())
    shop.client.post("/login")
    shop.cookie.store.down = {"replace"}
    assert shop.client.post("/logout").status_code == 503
    assert session_cookie_of(shop.client) is None


# --- the clock


def test_end_sessions_and_login_in_one_breath(build, clock):
    """After a change of the password: all others out, the caller in, though the clock shows the same."""
    shop = build(store=MemoryStore())
    old = shop.app.test_client()

    def change():
        shop.auth.end_sessions("ada")
        shop.auth.login("ada")
        return "changed"

    add_post_view(shop, "change", change)
    old.post("/login")
    assert shop.client.post("/change").text == "changed"
    assert shop.client.get("/page").text == "page of ada"
    assert old.get("/page").status_code == 401
    begun = session_content(shop.app, session_cookie_of(shop.client))["_unauthorized"]["begun"]
    assert begun == math.nextafter(clock[0] + 60, math.inf)  # a worker's clock may be that much ahead


@pytest.mark.parametrize(("ahead", "status"), [(59, 200), (61, 401)])
def test_a_mark_of_a_machine_whose_clock_is_ahead(build, clock, ahead, status):
    shop = build(store=MemoryStore())
    clock[0] += ahead
    with shop.app.test_request_context():
        shop.auth.end_sessions("ada")
    clock[0] -= ahead
    assert shop.client.post("/login").status_code == (302 if status == 200 else 401)
    assert shop.client.get("/page").status_code == status


def test_a_session_from_the_future_does_not_survive_the_end_of_all(build, clock):
    shop = build(store=MemoryStore())
    clock[0] += 3000  # and back: Flask refuses such a cookie by itself, a session on the server has no such check
    shop.client.post("/login")
    login = session_content(shop.app, session_cookie_of(shop.client))["_unauthorized"]
    clock[0] -= 3000
    with shop.app.test_request_context():
        shop.auth.end_sessions("ada")
    with shop.app.test_request_context():
        session["_unauthorized"] = login
        assert shop.cookie._was_ended(shop.cookie.read(request, None), request)


# --- the end of all sessions of everybody


def end_all(shop):
    with shop.app.app_context():
        shop.auth.end_all_sessions()


@pytest.mark.asvs("V7.4.5")
def test_all_sessions_of_everybody_end_and_new_logins_work_at_once(build, clock):
    shop = build(store=MemoryStore())
    devices = {name: shop.app.test_client() for name in ("ada", "bob")}
    for _ in range(3):  # the clock shows the same each time
        for name, device in devices.items():
            assert device.post("/login", data={"name": name}).status_code == 302
            assert device.get("/page").text == f"page of {name}"
        end_all(shop)
        assert [device.get("/page").status_code for device in devices.values()] == [401, 401]


@pytest.mark.parametrize("ahead", [-60, 60])
def test_the_end_of_all_covers_logins_after_the_end_of_one_by_a_clock_that_differs(build, clock, ahead):
    """A user's sessions end by one host, and the user logs in there. Then another host ends those of everybody."""
    shop = build(store=MemoryStore())
    clock[0] += ahead
    for _ in range(5):
        with shop.app.app_context():
            shop.auth.end_sessions("ada")
        assert shop.client.post("/login").status_code == 302
    with shop.client.session_transaction() as content:
        login = content["_unauthorized"]
    clock[0] -= ahead
    with shop.client.session_transaction() as content:  # Flask ignores a cookie that was signed in the future.
        content["_unauthorized"] = login
    assert shop.client.get("/page").status_code == 200
    end_all(shop)
    assert shop.client.get("/page").status_code == 401
    shop.client.post("/login")
    assert shop.client.get("/page").status_code == 200
    for _ in range(5):
        with shop.app.app_context():
            shop.auth.end_sessions("ada")
        shop.client.post("/login")
        assert shop.client.get("/page").status_code == 200
    end_all(shop)
    assert shop.client.get("/page").status_code == 401


@pytest.mark.parametrize(("ahead", "status"), [(59, 200), (61, 401)])
def test_the_end_of_all_by_a_machine_whose_clock_is_ahead(build, clock, ahead, status):
    shop = build(store=MemoryStore())
    clock[0] += ahead
    end_all(shop)
    clock[0] -= ahead
    shop.client.post("/login")
    assert shop.client.get("/page").status_code == status


def test_remembered_logins_end_with_all(build, clock):
    shop = build(store=MemoryStore(), remember=30 * 86_400)
    shop.app.add_url_rule("/remember", "remember", lambda: shop.auth.login("ada", remember=True).subject,
                          methods=["POST"])  # fmt: skip
    assert shop.client.post("/remember").status_code == 200
    end_all(shop)
    shop.client.delete_cookie("session")
    assert shop.client.get("/page").status_code == 401
    assert shop.client.get_cookie("session_remember") is None
    shop.client.post("/remember")
    clock[0] += 7200  # the session is idle for too long, and the remember cookie opens another one
    assert shop.client.get("/page").status_code == 200
    with shop.app.app_context():
        assert len(shop.auth.sessions("ada")) == 1


def test_only_the_realm_of_the_app_ends(build, clock):
    store = MemoryStore()
    shop, office = build(store=store), build(store=store, realm="office")
    shop.client.post("/login")
    office.client.post("/login")
    end_all(office)
    assert (shop.client.get("/page").status_code, office.client.get("/page").status_code) == (200, 401)


def test_an_outage_while_ending_all_is_raised_and_no_store_is_a_mistake(build):
    shop = build(store=FailingStore())
    shop.client.post("/login")
    shop.cookie.store.down = {"put"}
    with pytest.raises(AuthUnavailable):
        end_all(shop)
    shop.cookie.store.down = frozenset()
    assert shop.client.get("/page").status_code == 200
    with pytest.raises(ConfigurationError, match=r"end_all_sessions\(\) needs a store"):
        end_all(build())


def test_an_entry_of_everybody_that_another_program_wrote_is_503(build):
    shop = build(store=MemoryStore())
    shop.client.post("/login")
    shop.cookie.store.put("session-not-before-all", "4:shop", "yesterday", 60)
    assert shop.client.get("/page").status_code == 503


@pytest.mark.parametrize("value", [True, "now", math.nan, math.inf, b"1"])
def test_a_login_time_that_is_none(build, value):
    shop = build()
    add_post_view(shop, "in", lambda: shop.auth.login("ada", auth_time=value).subject)
    with pytest.raises(TypeError, match="auth_time must be a number of seconds"):
        shop.client.post("/in")


def test_a_login_class_that_is_none(build):
    shop = build()
    add_post_view(shop, "in", lambda: shop.auth.login("ada", acr=5).subject)
    with pytest.raises(TypeError, match="acr must be a str"):
        shop.client.post("/in")


@pytest.mark.parametrize(
    ("options", "found"),
    [({}, (1000.0, "mfa")), ({"acr": "pwd"}, (1000.0, "pwd")), ({"auth_time": 2000}, (2000, "mfa"))],
)
def test_what_an_identity_says_of_its_login_counts(build, options, found):
    """An identity provider tells when the user authenticated there: to take "now" would make an old login fresh."""
    shop = build()
    add_post_view(shop, "in", lambda: shop.auth.login(Identity("ada", auth_time=1000.0, acr="mfa"), **options).subject)
    shop.client.post("/in")
    shop.client.get("/page")
    assert (shop.ran[0].auth_time, shop.ran[0].acr) == found


# --- configuration of the app


@pytest.mark.parametrize(
    "config", [{"SESSION_COOKIE_PATH": "/shop"}, {"APPLICATION_ROOT": "/shop"}, {"SESSION_COOKIE_NAME": "sid"}]
)
def test_login_and_logout_whatever_the_cookie_is_called_and_where_it_is_good(build, config):
    shop = build(config=config)
    mounted = {"base_url": "http://localhost/shop"}
    assert shop.client.post("/login", **mounted).status_code == 302
    assert shop.client.get("/page", **mounted).text == "page of ada"
    assert shop.client.post("/logout", **mounted).status_code == 302
    refused = shop.client.get("/page", **mounted)
    assert refused.status_code == 401
    name = config.get("SESSION_COOKIE_NAME", "session")
    assert f'form-action="/shop/login", cookie-name="{name}"' in str(refused.headers)


def test_the_explanation_tells_the_cookies_name_and_nothing_in_it(build):
    shop = build(config={"SESSION_COOKIE_NAME": "sid", "UNAUTHORIZED_EXPLAIN": True})
    shop.client.post("/login")
    value = shop.client.get_cookie("sid").value
    shop.client.get("/set")
    shop.users.clear()
    for accept in ("application/json", "text/html"):
        visitor = shop.app.test_client()
        visitor.set_cookie("sid", value)
        sent = {"Accept": accept, "X-Requested-With": "x"}
        told = visitor.get("/page", headers=sent).text
        assert "Cookie: sid=" in told
        assert "-b sid=KEY" in told
        secret = session_content(shop.app, value)["_unauthorized"]
        assert not [word for word in (value, secret["sid"], str(secret["begun"]), KEY) if word in told]


@pytest.mark.rfc("C-07")
@pytest.mark.parametrize("method", ["login", "logout"])
def test_an_answer_that_changes_the_session_is_no_caches_whatever_the_app_says_of_all(build, method):
    shop = build()
    shop.app.after_request(lambda answer: answer.headers.update({"Cache-Control": "public, max-age=600"}) or answer)
    shop.client.post("/login")
    answered = shop.client.post(f"/{method}")
    assert "Set-Cookie" in answered.headers
    assert answered.headers["Cache-Control"] == "no-store"


@pytest.mark.rfc("C-07")
def test_ses_10_a_session_that_is_noted_as_used_is_private(build, clock):
    shop = build()
    shop.app.after_request(lambda answer: answer.headers.update({"Cache-Control": "public, max-age=600"}) or answer)
    shop.client.post("/login")
    clock[0] += 1000
    answered = shop.client.get("/page")
    assert "Set-Cookie" in answered.headers
    assert "private" in answered.headers["Cache-Control"]
    assert "public" not in answered.headers["Cache-Control"]


def test_a_token_that_is_good_opens_no_session(build):
    """Nor costs it anything: the session isn't even read."""
    shop = build(Bearer({"t": USERS["ada"]}.get))
    opened = []
    shop.cookie.read = lambda *args: opened.append(args)
    assert shop.client.get("/page", headers={"Authorization": "Bearer t"}).text == "page of ada"
    assert opened == []


def test_a_bad_key_beside_a_good_session_is_not_rescued(build):
    shop = build(APIKey(lambda key: None))
    shop.client.post("/login")
    assert_unauthorized(shop.client.get("/page", headers={"X-API-Key": "bad"}), scheme="ApiKey")
    refused = shop.client.get("/page", headers={**PAGE, "X-API-Key": "bad"})
    assert (refused.status_code, refused.location) == (401, None)
    assert shop.client.get("/page").status_code == 200


def test_the_session_is_json_that_any_interface_can_keep(build):
    shop = build()
    shop.client.post("/login", data={"acr": "mfa"})
    kept = session_content(shop.app, session_cookie_of(shop.client))
    assert json.loads(json.dumps(kept)) == kept


# F-33: a user object may ask the database for what names it.
@pytest.mark.parametrize("by", ["subject=", "get_id()"])
@pytest.mark.parametrize("act", ["login", "end_sessions"])
def test_naming_a_user_that_cannot_be_known_is_503_where_the_app_says_so(make_app, by, act):
    class User:
        def get_id(self):
            raise ConnectionError("s3cret")

    subject = None if by == "get_id()" else lambda user: user.get_id()
    scheme = SessionCookie(lambda subject: subject, subject=subject, store=MemoryStore())
    auth = Auth(scheme, unavailable=(ConnectionError,))
    app = make_app(auth, SECRET_KEY="a secret key of this test")
    app.add_url_rule("/", "view", lambda: getattr(auth, act)(User()) or "in")
    response = app.test_client().get("/")
    assert (response.status_code, response.headers.get("WWW-Authenticate")) == (503, None)
    assert "s3cret" not in response.text


def test_a_login_that_fails_leaves_the_caller_who_was_there(build):
    """The session in the browser is still Ada's, so nothing in this request may take the caller for Bob."""
    store = FailingStore()
    shop = build(store=store)

    def switch():
        with pytest.raises(AuthUnavailable):
            shop.auth.login("bob")
        store.down = frozenset()
        return shop.auth.require().subject

    add_post_view(shop, "switch", shop.auth.public(switch))
    shop.client.post("/login", data={"name": "ada"})
    store.down = frozenset({"replace"})
    assert shop.client.post("/switch").text == "ada"
    assert shop.client.get("/page").text == "page of ada"

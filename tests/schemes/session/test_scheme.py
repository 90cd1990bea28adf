"""Sessions, by the cases SES of the security report and RFC 6265bis."""

import logging
import secrets
import time

import pytest
from flask import Flask, session
from flask.sessions import SessionInterface, SessionMixin

from flask_unauthorized import (
    APIKey,
    Auth,
    AuthUnavailable,
    Bearer,
    ConfigurationError,
    Identity,
    SessionCookie,
)
from flask_unauthorized.stores.memory import MemoryStore
from flask_unauthorized.testing import assert_unauthorized
from tests.browser.conftest import KEY, USERS, forge, session_content, session_cookie_of

LOGIN = {"sub": "ada", "at": 2e9, "acr": None, "sid": "x", "begun": 2e9, "seen": 2e9, "again": False, "realm": "shop"}
CHALLENGE = 'Cookie realm="shop", form-action="/login", cookie-name="session"'


def test_nothing_sent_gets_a_challenge_of_the_private_scheme(build):
    refused = build().client.get("/page")
    assert CHALLENGE in refused.headers.getlist("WWW-Authenticate")
    assert refused.headers["Cache-Control"] == "no-store"
    assert "Cookie" in refused.headers["Vary"]


@pytest.mark.rfc("C-07", "H-32")
@pytest.mark.parametrize("guard", ["repair", "off"])
def test_login_and_logout(build, guard):
    shop = build(config={"UNAUTHORIZED_GUARD": guard})
    entered = shop.client.post("/login")
    assert (entered.status_code, entered.location) == (302, "/page")
    assert entered.headers["Cache-Control"] == "no-store"
    page = shop.client.get("/page")
    assert (page.text, "Cookie" in page.headers["Vary"].split(", ")) == ("page of ada", True)
    left = shop.client.post("/logout")
    assert left.headers["Cache-Control"] == "no-store"
    assert_unauthorized(shop.client.get("/page"), error=None)
    assert session_cookie_of(shop.client) is None


def test_the_caller_is_another_one_in_the_request_of_the_login_itself(build):
    shop = build()
    seen = []

    @shop.app.post("/switch")
    def switch():
        before = shop.auth.get_identity()
        returned = shop.auth.login("bob")
        seen.append((before, returned, shop.auth.get_identity(), shop.auth.identity.subject, shop.auth.scheme))
        shop.auth.logout()
        seen.append(shop.auth.get_identity())
        return "done"

    shop.client.post("/switch")
    (before, returned, after, subject, scheme), last = seen
    assert (before, returned.subject, subject, scheme, last) == (None, "bob", "bob", shop.cookie, None)
    assert after == returned


@pytest.mark.asvs("V7.2.2", "V7.2.4")
@pytest.mark.rfc("CK-03")
def test_ses_01_nothing_that_somebody_prepared_survives_the_login(build):
    shop = build()
    shop.client.get("/set")
    before = session_cookie_of(shop.client)
    shop.client.post("/login")
    assert session_content(shop.app, session_cookie_of(shop.client)).keys() == {"_unauthorized"}
    assert session_cookie_of(shop.client) != before
    first = session_content(shop.app, session_cookie_of(shop.client))["_unauthorized"]["sid"]
    shop.client.post("/login")
    assert session_content(shop.app, session_cookie_of(shop.client))["_unauthorized"]["sid"] != first


def test_what_the_app_wants_to_keep_is_kept(build):
    shop = build()

    @shop.app.post("/keeping")
    def keeping():
        shop.auth.login("ada", keep=["cart", "nothing"])
        return session["cart"]

    shop.client.get("/set")
    assert shop.client.post("/keeping").text == "three"


class ServerSide(SessionInterface):
    """Sessions on the server, as Flask-Session keeps them: an empty one is neither stored nor given a new id."""

    class Session(dict, SessionMixin):
        sid = None

    def __init__(self):
        self.stored = {}

    def open_session(self, app, request):
        sid = request.cookies.get(self.get_cookie_name(app))
        known = sid in self.stored
        opened = self.Session(self.stored[sid] if known else {})
        opened.sid = sid if known else secrets.token_hex()
        return opened

    def regenerate(self, opened):
        if opened:
            self.stored.pop(opened.sid, None)
            opened.sid = secrets.token_hex()

    def save_session(self, app, opened, response):
        if opened:
            self.stored[opened.sid] = dict(opened)
            response.set_cookie(self.get_cookie_name(app), opened.sid)
        else:
            self.stored.pop(opened.sid, None)
            response.delete_cookie(self.get_cookie_name(app))


@pytest.mark.rfc("CK-03")
def test_ses_01_sessions_on_the_server_get_a_new_id_and_the_old_one_is_dead(build, caplog):
    shop = build()
    shop.app.session_interface = ServerSide()
    attacker, victim = shop.app.test_client(), shop.app.test_client()
    attacker.get("/set")
    planted = session_cookie_of(attacker)
    victim.set_cookie("session", planted)
    for name in ("ada", "bob"):
        victim.post("/login", data={"name": name})
        assert victim.get("/page").text == f"page of {name}"
        assert attacker.get("/page").status_code == 401
    logged_in = session_cookie_of(victim)
    victim.post("/logout")
    assert planted not in shop.app.session_interface.stored
    assert logged_in not in shop.app.session_interface.stored
    assert "regenerate" not in caplog.text


@pytest.mark.rfc("CK-03")
def test_ses_01_what_the_app_says_after_the_logout_stands_under_a_new_id(build):
    """A goodbye message keeps the session alive, and its id must not be the one that somebody knows."""
    shop = build()
    shop.app.session_interface = ServerSide()

    @shop.app.post("/goodbye")
    def goodbye():
        shop.auth.logout()
        session["message"] = "Goodbye"
        return "out"

    shop.client.post("/login")
    known = session_cookie_of(shop.client)
    shop.client.post("/goodbye")
    assert session_cookie_of(shop.client) != known
    assert known not in shop.app.session_interface.stored


def test_ses_01_ids_that_cannot_be_renewed_are_told(build, caplog):
    class Plain(ServerSide):
        regenerate = None

    shop = build()
    shop.app.session_interface = Plain()
    shop.client.post("/login")
    assert shop.client.get("/page").status_code == 200
    assert "Plain has no regenerate(session)" in caplog.text


@pytest.mark.asvs("V7.2.4")
def test_ses_02_a_cookie_from_before_the_login_is_worthless(build):
    shop = build()
    shop.client.get("/set")
    before = session_cookie_of(shop.client)
    shop.client.post("/login")
    thief = shop.app.test_client()
    thief.set_cookie("session", before)
    assert_unauthorized(thief.get("/page"))


@pytest.mark.asvs("V7.4.1")
@pytest.mark.parametrize("store", [True, False])
def test_ses_03_a_copied_cookie_after_the_logout(build, store):
    shop = build(store=MemoryStore() if store else None)
    shop.client.post("/login")
    copied = session_cookie_of(shop.client)
    shop.client.post("/logout")
    thief = shop.app.test_client()
    thief.set_cookie("session", copied)
    assert thief.get("/page").status_code == (401 if store else 200)  # without a store it lives on, and the docs say so


def test_ses_04_all_sessions_of_a_user_can_be_ended(build, clock):
    shop = build(store=MemoryStore())
    phone, laptop, other = (shop.app.test_client() for _ in range(3))
    for client, name in ((phone, "ada"), (laptop, "ada"), (other, "bob")):
        client.post("/login", data={"name": name})
    clock[0] += 1
    with shop.app.test_request_context():
        shop.auth.end_sessions("ada")
    assert [client.get("/page").status_code for client in (phone, laptop, other)] == [401, 401, 200]
    clock[0] += 1
    phone.post("/login")
    assert [client.get("/page").status_code for client in (phone, laptop)] == [200, 401]


def test_ending_sessions_needs_a_store(build):
    shop = build()
    with shop.app.test_request_context(), pytest.raises(ConfigurationError, match="needs a store"):
        shop.auth.end_sessions("ada")


def test_a_store_that_is_down_is_a_server_side_failure(build):
    def refuse(key):
        raise ConnectionRefusedError

    store = MemoryStore()
    shop = build(store=store)
    shop.client.post("/login")
    store._get_many = refuse
    assert shop.client.get("/page").status_code == 503
    assert shop.client.get("/login").status_code == 200
    del store._get_many
    assert shop.client.get("/page").status_code == 200  # nobody was logged out by it


def test_several_workers_need_a_store_that_they_share(build, caplog):
    shop = build(store=MemoryStore())
    shop.client.post("/login")
    shop.client.get("/page", environ_overrides={"wsgi.multiprocess": True})
    assert "several workers" in caplog.text


@pytest.mark.asvs("V7.2.1")
@pytest.mark.rfc("CK-04")
@pytest.mark.parametrize(
    "damage",
    [
        lambda value: value[:-1],
        lambda value: value[:10],
        lambda value: "x" + value,
        lambda value: value.swapcase(),
        lambda value: "é" + value,
        lambda value: "",
        lambda value: "a" * 3000,
    ],
)
def test_ses_06_a_damaged_cookie_is_no_login(build, damage):
    shop = build()
    shop.client.post("/login")
    value = session_cookie_of(shop.client)
    visitor = shop.app.test_client(use_cookies=False)
    sent = {"Cookie": f"session={damage(value).encode().decode('latin-1')}"}
    assert_unauthorized(visitor.get("/page", headers=sent), error=None)
    assert visitor.get("/optional", headers=sent).text == "None"


@pytest.mark.rfc("CK-08")
@pytest.mark.parametrize(
    "planted",
    [
        "ada",
        ["ada"],
        {},
        {"sub": "ada"},
        *(
            {**LOGIN, **changed}
            for changed in (
                {"sub": ""},
                {"sub": 5},
                {"at": "2e9"},
                {"at": True},
                {"acr": 1},
                {"sid": None},
                {"begun": None},
                {"seen": "2e9"},
                {"again": 1},
                {"realm": None},
                {"begun": float("inf")},
                {"more": 1},
            )
        ),
    ],
)
def test_a_session_that_login_did_not_write_is_no_login_and_goes(build, planted):
    shop = build()
    shop.client.set_cookie("session", forge(shop.app, {"_unauthorized": planted, "cart": "three"}))
    assert_unauthorized(shop.client.get("/page"), error=None)
    assert session_content(shop.app, session_cookie_of(shop.client)) == {"cart": "three"}


@pytest.mark.parametrize("realm", ["another app's", "SHOP", "shop.example", "sho", ""])
@pytest.mark.parametrize("page", ["/page", "/open"])
def test_a_session_of_another_realm_is_no_login_and_stays(build, realm, page):
    """Two apps may share the cookie and the secret key. A page of one doesn't log people out of the other."""
    shop = build()
    shop.app.add_url_rule("/open", "open", lambda: str(shop.auth.get_identity()))
    planted = {"_unauthorized": {**LOGIN, "realm": realm}, "cart": "three"}
    shop.client.set_cookie("session", forge(shop.app, planted))
    response = shop.client.get(page)
    if page == "/page":
        assert_unauthorized(response, error=None)
    else:
        assert response.text == "None"
    assert session_content(shop.app, session_cookie_of(shop.client)) == planted


@pytest.mark.rfc("CK-07")
def test_ses_07_two_cookies_of_one_name_are_decided_the_same_way_each_time(build):
    shop = build()
    shop.client.post("/login")
    good = session_cookie_of(shop.client)
    visitor = shop.app.test_client(use_cookies=False)
    # The first one counts: user agents send the cookie with the longest path first (RFC 6265bis §5.8.3).
    for sent, status in ((f"session={good}; session=x", 200), (f"session=x; session={good}", 401)):
        assert [visitor.get("/page", headers={"Cookie": sent}).status_code for _ in range(3)] == [status] * 3
    assert visitor.get("/page", headers={"Cookie": f"=session={good}"}).status_code == 401  # SES-08


@pytest.mark.rfc("CK-07")
@pytest.mark.parametrize("comma", [",", ", "], ids=["werkzeug-gunicorn", "waitress"])
def test_several_cookie_fields_as_servers_join_them(build, comma):
    """F-26: HTTP/2 servers join them with a semicolon (RFC 9113 §8.2.3); WSGI servers join every field with a comma."""
    shop = build()
    shop.client.post("/login")
    login = f"session={session_cookie_of(shop.client)}"
    visitor = shop.app.test_client(use_cookies=False)
    for fields in ((login, "a=b"), ("a=b", login), (login, login), ("a=b", "c=d"), (login, "")):
        refused = visitor.get("/page", environ_overrides={"HTTP_COOKIE": comma.join(fields)})
        assert_unauthorized(refused, error=None)
        assert "Set-Cookie" not in refused.headers  # what was not read logs nobody out
    for fields in ((login, "a=b"), ("a=b", login)):
        joined = {"HTTP_COOKIE": "; ".join(fields)}
        assert visitor.get("/page", environ_overrides=joined).text == "page of ada"


@pytest.mark.asvs("V7.4.2")
def test_ses_09_a_user_who_is_gone_is_out_at_once(build):
    shop = build()
    shop.client.post("/login")
    del shop.users["ada"]
    assert_unauthorized(shop.client.get("/page"))
    assert shop.client.get("/optional").text == "None"  # the cookie went with the refusal


def test_a_login_that_the_loader_refuses_leaves_nothing(build):
    shop = build()
    shop.client.post("/login")
    assert shop.client.post("/login", data={"name": "nobody"}).status_code == 401
    assert shop.client.get("/page").status_code == 401


@pytest.mark.asvs("V7.3.1")
@pytest.mark.rfc("CK-08")
@pytest.mark.parametrize(("after", "status"), [(899, 200), (901, 401)])
def test_ses_10_an_idle_session_ends_on_our_clock(build, clock, after, status):
    shop = build(idle=900)
    shop.client.post("/login")
    clock[0] += after
    answered = shop.client.get("/page")
    assert answered.status_code == status
    if status == 401:
        assert session_cookie_of(shop.client) is None
        return
    clock[0] += 899
    assert shop.client.get("/page").status_code == 200  # it was used in between


@pytest.mark.asvs("V7.3.2")
def test_ses_10_a_session_ends_however_much_it_is_used(build, clock):
    shop = build(idle=None, lifetime=3600)
    shop.client.post("/login")
    for _ in range(5):
        clock[0] += 700
        assert shop.client.get("/page").status_code == 200
    clock[0] += 101
    assert shop.client.get("/page").status_code == 401


def test_ses_10_a_clock_that_goes_back_locks_nobody_out(build, clock):
    shop = build()
    later = clock[0] + 3000  # Flask's own session refuses a cookie whose signature is from the future
    login = {**LOGIN, "at": later, "begun": later, "seen": later}
    shop.client.set_cookie("session", forge(shop.app, {"_unauthorized": login}))
    assert shop.client.get("/page").status_code == 200


def test_a_used_session_is_noted_once_a_minute_at_most(build, clock):
    shop = build()
    shop.client.post("/login")
    clock[0] += 30
    assert "Set-Cookie" not in shop.client.get("/page").headers
    clock[0] += 40
    assert len(shop.client.get("/page").headers.getlist("Set-Cookie")) == 1
    assert "Set-Cookie" not in shop.client.get("/page").headers


def test_a_short_idle_time_is_noted_in_time(build, clock):
    shop = build(idle=20)
    shop.client.post("/login")
    clock[0] += 6
    assert "Set-Cookie" in shop.client.get("/page").headers
    clock[0] += 19
    assert shop.client.get("/page").status_code == 200


@pytest.mark.rfc("CK-06")
def test_no_answer_sets_two_cookies(build):
    shop = build()
    for answered in (shop.client.post("/login"), shop.client.post("/login"), shop.client.post("/logout")):
        assert len(answered.headers.getlist("Set-Cookie")) == 1


@pytest.mark.parametrize("headers", [{"X-API-Key": "good"}, {"Authorization": "Bearer good"}])
def test_ses_11_a_program_never_gets_a_cookie(build, headers):
    ada = USERS["ada"]
    shop = build(
        Bearer(lambda token: ada if token == "good" else None), APIKey(lambda key: ada if key == "good" else None)
    )
    answered = shop.client.get("/page", headers=headers)
    assert answered.text == "page of ada"
    assert "Set-Cookie" not in answered.headers


@pytest.mark.parametrize(
    ("key", "warned"), [("dev", True), ("change me", True), ("tiny", True), ("Secret_Key", True), (KEY, False)]
)
def test_ses_12_a_weak_key_is_told(build, caplog, key, warned):
    shop = build(config={"TESTING": False, "SESSION_COOKIE_SECURE": True, "SESSION_COOKIE_SAMESITE": "Lax"})
    shop.app.secret_key = key
    shop.client.get("/login")
    assert ("SECRET_KEY" in caplog.text) is warned
    assert key not in caplog.text


def test_ses_12_there_must_be_a_key(build):
    shop = build()
    shop.app.secret_key = None
    with pytest.raises(ConfigurationError, match="SECRET_KEY"):
        shop.client.get("/page")


@pytest.mark.asvs("V11.2.2")
def test_ses_13_keys_can_be_changed(build):
    shop = build()
    shop.client.post("/login")
    shop.app.config.update(SECRET_KEY="another secret of thirty-two", SECRET_KEY_FALLBACKS=[KEY])
    known = "SECRET_KEY_FALLBACKS" in Flask.default_config  # Flask 3.1 looks at them, 3.0 doesn't
    assert shop.client.get("/page").status_code == (200 if known else 401)
    shop.client.post("/login")
    assert session_content(shop.app, session_cookie_of(shop.client))["_unauthorized"]["sub"] == "ada"


@pytest.mark.asvs("V14.3.3", "V8.3.1", "V8.3.2")
def test_ses_14_the_session_holds_no_rights(build):
    shop = build()
    shop.client.post("/login")
    assert session_content(shop.app, session_cookie_of(shop.client))["_unauthorized"].keys() == LOGIN.keys()
    shop.users["ada"] = Identity("ada", scopes={"more"})
    shop.client.get("/page")
    assert shop.ran[-1].scopes == {"more"}


def test_ses_15_logging_in_as_another(build):
    shop = build()
    shop.client.post("/login", data={"name": "ada"})
    shop.client.get("/set")
    shop.client.post("/login", data={"name": "bob"})
    assert shop.client.get("/page").text == "page of bob"
    assert "cart" not in session_content(shop.app, session_cookie_of(shop.client))


# --- who may be logged in


class User:
    def __init__(self, number):
        self.id = number

    def get_id(self):
        return str(self.id)


class Other:
    id = 7


@pytest.mark.parametrize(
    ("who", "options", "subject"),
    [
        ("7", {}, "7"),
        (Identity("7"), {}, "7"),
        (User(7), {}, "7"),
        (Other(), {"subject": lambda user: str(user.id)}, "7"),
    ],
)
def test_who_may_be_logged_in(build, who, options, subject):
    user = object()
    shop = build(users={"7": user}, **options)

    @shop.app.post("/in")
    def enter():
        return shop.auth.login(who).subject

    assert shop.client.post("/in").text == subject
    shop.client.get("/page")
    (identity,) = shop.ran
    assert (identity.subject, identity.user) == (subject, user)
    assert abs(identity.auth_time - time.time()) < 5


@pytest.mark.parametrize("who", [None, "", 7, Identity(), Other(), object()])
def test_who_is_nobody(build, who):
    shop = build()
    shop.app.add_url_rule("/in", "in", lambda: str(shop.auth.login(who)), methods=["POST"])
    with pytest.raises(TypeError, match="login"):
        shop.client.post("/in")


def test_a_loaders_own_word_of_the_login_goes_first(build):
    shop = build(users={"ada": Identity("ada", auth_time=1.0, acr="silver")})
    shop.client.post("/login", data={"acr": "gold"})
    shop.client.get("/page")
    assert (shop.ran[0].auth_time, shop.ran[0].acr) == (1.0, "silver")


@pytest.mark.asvs("V7.5.1")
def test_freshness_is_that_of_the_login(build, clock):
    shop = build()
    shop.client.post("/login")
    clock[0] += 299
    assert shop.client.get("/fresh").text == "fresh"
    clock[0] += 2
    refused = shop.client.get("/fresh")
    assert_unauthorized(refused, scheme="Cookie", error="insufficient_user_authentication")
    assert shop.client.get("/page").status_code == 200
    shop.client.post("/login")
    assert shop.client.get("/fresh").text == "fresh"


def test_an_auth_without_sessions_or_with_two(make_app):
    for schemes in ((Bearer(USERS.get),), (SessionCookie(USERS.get), SessionCookie(USERS.get))):
        auth = Auth(*schemes)
        app = make_app(auth, SECRET_KEY=KEY)
        with app.test_request_context(), pytest.raises(ConfigurationError, match="SessionCookie"):
            auth.login("ada")


def test_a_login_shows_nothing(build):
    shop = build()
    shop.client.post("/login")
    with shop.app.test_request_context(headers={"Cookie": f"session={session_cookie_of(shop.client)}"}) as context:
        assert repr(shop.cookie.read(context.request, None)) == "<LoginRecord>"


# --- set-up


@pytest.mark.asvs("V3.3.1", "V3.3.3", "V3.3.4")
@pytest.mark.rfc("CK-01", "CK-02")
@pytest.mark.parametrize(
    ("config", "match"),
    [
        ({"SESSION_COOKIE_HTTPONLY": False}, "HTTPONLY"),
        ({"SESSION_COOKIE_SAMESITE": "None"}, "SAMESITE"),
        ({"SESSION_COOKIE_NAME": "__Host-s"}, "SECURE"),
        ({"SESSION_COOKIE_NAME": "__Secure-s"}, "SECURE"),
        ({"SESSION_COOKIE_NAME": "__Host-s", "SESSION_COOKIE_SECURE": True, "SESSION_COOKIE_DOMAIN": "x.y"}, "domain"),
        ({"SESSION_COOKIE_NAME": "__Host-s", "SESSION_COOKIE_SECURE": True, "SESSION_COOKIE_PATH": "/a"}, "path"),
        ({"SESSION_COOKIE_NAME": "__Host-s", "SESSION_COOKIE_SECURE": True, "APPLICATION_ROOT": "/a"}, "path"),
    ],
)
def test_a_cookie_that_gives_the_session_away_or_that_browsers_drop(build, config, match):
    with pytest.raises(ConfigurationError, match=match):
        build(config=config).client.get("/page")


@pytest.mark.asvs("V3.3.2")
@pytest.mark.rfc("CK-01", "B-26")
@pytest.mark.parametrize(
    ("config", "told"),
    [
        ({}, ["SECURE", "SAMESITE"]),
        ({"SESSION_COOKIE_SECURE": True, "SESSION_COOKIE_SAMESITE": "Strict"}, []),
        ({"SESSION_COOKIE_SECURE": True, "SESSION_COOKIE_SAMESITE": "None"}, ["SAMESITE='None':"]),
        ({"DEBUG": True}, []),
    ],
)
def test_what_might_give_it_away_is_told(build, caplog, config, told):
    caplog.set_level(logging.WARNING)
    build(config={"TESTING": False, **config}, store=None).client.get("/login")
    found = [record.getMessage().partition(" ")[0].removeprefix("SESSION_COOKIE_") for record in caplog.records]
    assert found == told


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"lifetime": 0}, ConfigurationError),
        ({"idle": 0}, ConfigurationError),
        ({"lifetime": 1.5}, TypeError),
        ({"store": {}}, TypeError),
        ({"trusted_origins": "https://a"}, TypeError),
        ({"trusted_origins": ["a"]}, ConfigurationError),
    ],
)
def test_set_up_that_cannot_work(options, error):
    with pytest.raises(error):
        SessionCookie(USERS.get, **options)


def test_a_session_interface_of_the_apps_own_needs_no_key(make_app):
    class Session(dict, SessionMixin):
        pass

    class Sessions(SessionInterface):
        def open_session(self, app, request):
            return Session()

        def save_session(self, app, session, response):
            pass

    auth = Auth(SessionCookie(USERS.get))
    app = make_app(auth)
    app.session_interface = Sessions()
    app.add_url_rule("/", "view", auth.login_required(lambda: "in"))
    assert_unauthorized(app.test_client().get("/"), scheme="Cookie")


def test_unavailable_users_are_503(build):
    shop = build()
    shop.client.post("/login")

    class Gone(dict):
        def get(self, name, default=None):
            raise AuthUnavailable(reason="no database")

    shop.cookie._loader = Gone().get
    assert shop.client.get("/page").status_code == 503
    assert session_cookie_of(shop.client) is not None

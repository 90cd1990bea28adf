"""`Auth.confirm`: a step-up raises the level of the login, and keeps the session."""

import pytest
from flask import session

from flask_unauthorized import Auth, AuthUnavailable, Bearer, Identity, SessionCookie, signals
from flask_unauthorized.schemes.session import entries as session_entries
from flask_unauthorized.stores.memory import MemoryStore
from tests.helpers import bearer_header

from .conftest import KEY, PAGE
from .sites import FailsAt, OldStore, listed, sessions
from .sites import clock as clock
from .sites import site as site

DAY = 86_400
NAME = "session_remember"


@pytest.fixture
def bank(site, clock):
    """A site with a view that wants a second factor, and one that confirms it."""

    def make(store=None, **options):
        shop = site(store, **{"remember": 30 * DAY, **options})
        auth, app = shop.auth, shop.app
        shop.confirmed = []

        @app.post("/confirm")
        @app.post("/confirm/<acr>", endpoint="confirm_acr")
        @auth.public
        def confirm(acr=None):
            identity = auth.confirm(acr=acr)
            shop.confirmed.append((identity, auth.identity, auth.require(**({} if acr is None else {"acr": acr}))))
            return "confirmed"

        @app.get("/strong")
        @auth.login_required(acr="mfa", max_age=300)
        def strong():
            return f"{auth.identity.acr} {auth.identity.auth_time}"

        @app.post("/fill")
        def fill():
            session["cart"] = "three"
            session.permanent = True
            return "filled"

        @app.get("/cart")
        def cart():
            return session.get("cart", "none")

        return shop

    return make


def copy_of(shop, client, name="session"):
    copy = shop.app.test_client()
    copy.set_cookie(name, client.get_cookie(name).value)
    return copy


def test_a_confirmation_raises_level_and_time(bank, clock):
    shop = bank()
    client = shop.device()
    clock[0] += 1000
    assert client.get("/strong").status_code == 401
    assert client.post("/confirm/mfa").text == "confirmed"
    assert client.get("/strong").text == f"mfa {clock[0]}"
    ((returned, current, required),) = shop.confirmed
    assert returned is current is required
    assert (returned.subject, returned.acr, returned.auth_time) == ("ada", "mfa", clock[0])


def test_without_a_class_only_the_time_is_raised(bank, clock):
    shop = bank()
    client = shop.device(acr="mfa")
    clock[0] += 1000
    assert client.get("/strong").status_code == 401
    client.post("/confirm")
    assert client.get("/strong").text == f"mfa {clock[0]}"


def test_the_session_keeps_its_content_and_its_expiry(bank):
    shop = bank()
    client = shop.device()
    assert "Expires=" in client.post("/fill").headers["Set-Cookie"]
    answered = client.post("/confirm/mfa")
    assert "Expires=" in answered.headers["Set-Cookie"]
    assert answered.headers["Cache-Control"] == "no-store"
    assert client.get("/cart").text == "three"


@pytest.mark.parametrize("make_store", [MemoryStore, OldStore])
def test_copies_of_the_cookie_from_before_end(bank, make_store):
    shop = bank(make_store(), remember=None)
    client = shop.device()
    copy = copy_of(shop, client)
    assert copy.get("/").status_code == 200
    client.post("/confirm/mfa")
    assert (copy.get("/").status_code, client.get("/").status_code) == (401, 200)


def test_without_a_store_the_session_has_a_new_id(make_app):
    auth = Auth(SessionCookie(str))
    app = make_app(auth, SECRET_KEY=KEY)
    app.add_url_rule("/in", "in", lambda: auth.login("ada").subject, methods=["POST"])
    app.add_url_rule("/confirm", "confirm", lambda: auth.confirm(acr="mfa").acr, methods=["POST"])
    client = app.test_client()
    client.post("/in")
    with client.session_transaction() as before:
        first = before["_unauthorized"]
    assert client.post("/confirm").text == "mfa"
    with client.session_transaction() as after:
        second = after["_unauthorized"]
    assert first["sid"] != second["sid"]
    assert {name for name in first if first[name] == second[name]} >= {"sub", "begun", "realm"}


def test_a_session_on_the_server_gets_a_new_id(bank, monkeypatch):
    shop = bank()
    client = shop.device()
    renewed = []
    interface = type(shop.app.session_interface)
    monkeypatch.setattr(interface, "regenerate", lambda _, content: renewed.append(dict(content)), raising=False)
    client.post("/confirm/mfa")
    assert len(renewed) == 1


def test_the_device_stays_one_with_its_beginning_and_its_label(bank, clock):
    shop = bank()
    created = clock[0]
    client = shop.device(agent="Phone")
    other = shop.device(agent="Laptop")
    clock[0] += 100
    client.post("/confirm/mfa", headers={"User-Agent": "Another"})
    found = listed(client)
    assert [(one["label"], one["created"], one["current"]) for one in found] == [
        ("Phone", created, True), ("Laptop", created, False),
    ]  # fmt: skip
    assert other.get("/").status_code == 200


def test_twenty_devices_stay_twenty(bank):
    shop = bank()
    clients = [shop.device() for _ in range(20)]
    clients[3].post("/confirm/mfa")
    assert {client.get("/").status_code for client in clients} == {200}
    assert len(sessions(shop)) == 20


def test_the_session_at_the_provider_stays_known(bank):
    shop = bank()
    client = shop.device(issuer="https://id.example", sid="s")
    client.post("/confirm/mfa")
    with shop.app.app_context():
        assert len(shop.cookie.end_by_provider("https://id.example", sid="s")) == 1
    assert client.get("/").status_code == 401


def test_the_lifetime_counts_from_the_login(bank, clock):
    shop = bank(remember=None, lifetime=1000, idle=None)
    client = shop.device()
    clock[0] += 900
    client.post("/confirm/mfa")
    clock[0] += 101
    assert client.get("/").status_code == 401


# --- remembered logins


def test_a_remembered_login_moves_along(bank, clock):
    shop = bank()
    start = clock[0]
    client = shop.device(remember="1")
    old = copy_of(shop, client, NAME)
    clock[0] += 100
    (line,) = [
        line for line in client.post("/confirm/mfa").headers.getlist("Set-Cookie") if line.startswith(f"{NAME}=")
    ]
    assert f"Max-Age={30 * DAY - 100};" in line
    assert old.get("/").status_code == 401
    client.delete_cookie("session")
    assert client.get("/open").text == "ada True"
    clock[0] = start + 30 * DAY + 1
    client.delete_cookie("session")
    assert client.get("/").status_code == 401


def test_a_session_that_the_cookie_opens_later_has_the_level_of_the_login(bank, clock):
    shop = bank()
    client = shop.device(remember="1")
    client.post("/confirm/mfa")
    assert client.get("/strong").status_code == 200
    client.delete_cookie("session")
    assert client.get("/strong").status_code == 401
    assert client.get("/").status_code == 200


def test_a_remembered_session_that_was_confirmed_is_none_any_more(bank, clock):
    shop = bank()
    client = shop.device(remember="1")
    client.delete_cookie("session")
    assert client.get("/open").text == "ada True"
    client.post("/confirm/mfa")
    assert client.get("/open").text == "ada False"
    assert client.get("/strong").status_code == 200


def test_the_cookie_opens_the_session_that_is_confirmed(bank):
    shop = bank()
    client = shop.device(remember="1")
    client.delete_cookie("session")
    assert client.post("/confirm/mfa").status_code == 200
    assert client.get("/strong").status_code == 200
    client.delete_cookie("session")
    assert client.get("/").status_code == 200
    assert len(sessions(shop)) == 1


def test_a_login_that_is_not_remembered_gets_no_cookie(bank):
    client = bank().device()
    assert not [line for line in client.post("/confirm/mfa").headers.getlist("Set-Cookie") if NAME in line]


# --- who may not


def test_an_anonymous_caller_confirms_nothing(bank):
    refused = bank().app.test_client().post("/confirm/mfa")
    assert refused.status_code == 401
    assert "error=" not in refused.headers["WWW-Authenticate"]


def test_a_caller_with_a_token_confirms_no_session_beside_it(bank):
    shop = bank()
    client = shop.device("bob")
    assert client.post("/confirm/mfa", headers=bearer_header("t")).status_code == 401
    assert client.get("/strong").status_code == 401
    assert client.get("/").text == "bob"


@pytest.mark.parametrize("headers", [{"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}])
def test_a_page_of_another_site_confirms_nothing(bank, headers):
    client = bank().device()
    assert client.post("/confirm/mfa", headers=headers).status_code == 403
    assert client.get("/strong").status_code == 401


def test_an_ended_session_is_not_confirmed(bank):
    shop = bank()
    client = shop.device()
    with shop.app.app_context():
        shop.auth.end_sessions("ada")
    assert client.post("/confirm/mfa").status_code == 401
    assert client.get("/").status_code == 401


@pytest.mark.parametrize("end", ["end_sessions", "end_session"])
def test_a_session_that_ends_while_it_is_confirmed_stays_ended(bank, end):
    """The user ends it on another device between the check of the caller and the confirmation."""
    ending = []

    def load(name):
        if ending:
            ending.pop()(name)
        return name

    shop = bank(load=load)

    @shop.app.post("/late")
    @shop.auth.login_required
    def late():
        one = shop.auth.sessions("ada")[0].id
        ending.append((lambda name: shop.auth.end_sessions(name)) if end == "end_sessions" else
                      (lambda name: shop.cookie.end_session(one, name)))  # fmt: skip
        return shop.auth.confirm(acr="mfa").subject

    client = shop.device()
    status = client.post("/late").status_code
    assert client.get("/").status_code == 401
    assert status == 401
    assert sessions(shop) == []


def test_a_user_who_is_rejected_meanwhile_is_not_confirmed(bank):
    users = {"ada": "ada"}
    shop = bank(load=users.get)

    @shop.app.post("/late")
    @shop.auth.login_required
    def late():
        users.clear()
        return shop.auth.confirm(acr="mfa").subject

    client = shop.device()
    assert client.post("/late").status_code == 401
    assert client.get("/").status_code == 401


def test_a_loader_that_is_unavailable_changes_nothing(bank):
    down = []

    def load(name):
        if down:
            raise AuthUnavailable(reason="no database")
        return name

    shop = bank(load=load)

    @shop.app.post("/late")
    @shop.auth.login_required
    def late():
        down.append(1)
        return shop.auth.confirm(acr="mfa").subject

    client = shop.device(remember="1")
    before = dict(shop.store._entries)
    assert client.post("/late").status_code == 503
    down.clear()
    assert shop.store._entries == before
    assert (client.get("/").status_code, client.get("/strong").status_code) == (200, 401)


def test_a_class_that_is_none(bank):
    shop = bank()
    shop.app.add_url_rule("/wrong", "wrong", lambda: shop.auth.confirm(acr=7).subject, methods=["POST"])
    with pytest.raises(TypeError, match="acr must be a str"):
        shop.device().post("/wrong")


# --- failures


@pytest.mark.parametrize("goes_on", [True, False])
@pytest.mark.parametrize("failing", range(1, 22))
def test_a_store_that_fails_at_any_step_of_a_confirmation(bank, clock, failing, goes_on):
    """The login goes on, at the old level or at the new one."""
    shop = bank(FailsAt())
    client = shop.device(remember="1")
    shop.store.goes_on, shop.store.left = goes_on, failing
    status = client.post("/confirm/mfa").status_code
    shop.store.left = None
    assert status in (200, 503)
    assert client.get("/strong").status_code == (200 if status == 200 else 401)
    found = client.get("/")
    assert found.status_code in (200, 401)
    if status == 200:
        assert found.status_code == 200
        client.delete_cookie("session")
        assert client.get("/").status_code == 200
    assert client.post("/login/ada", data={"remember": "1"}).status_code == 200
    client.delete_cookie("session")
    assert client.get("/").status_code == 200


def test_many_confirmations_end_no_session_and_fill_no_store(bank, clock, monkeypatch):
    """Somebody who confirms every few minutes all day stays logged in, here and elsewhere."""
    monkeypatch.setattr(session_entries, "MAX_ENDED", 3)
    shop = bank()
    other, client = shop.device(), shop.device(remember="1")
    ids, entries = set(), []
    for _ in range(6):
        clock[0] += 400
        assert client.get("/strong").status_code == 401
        assert client.post("/confirm/mfa").status_code == 200
        assert client.get("/strong").text == f"mfa {clock[0]}"
        ids.update(one.id for one in sessions(shop) if one.remembered)
        entries.append(len(shop.store._entries))
    assert (len(ids), entries[3:]) == (3, [entries[3]] * 3)
    assert other.get("/").status_code == 200
    client.delete_cookie("session")
    assert client.get("/").status_code == 200


def test_a_step_up_that_still_fails_is_no_endless_redirect(bank, clock):
    """The page that confirms gives another class than the view wants."""
    shop = bank(login_view="login_page")
    shop.app.add_url_rule("/sign-in", "login_page", shop.auth.public(lambda: "form"))
    client = shop.device()
    clock[0] += 1000
    assert client.get("/strong", headers=PAGE).status_code == 302
    client.post("/confirm/pwd")
    assert client.get("/strong", headers=PAGE).status_code == 401
    clock[0] += 61
    assert client.get("/strong", headers=PAGE).status_code == 302


def test_a_confirmation_sends_no_signal_of_a_login(bank):
    shop = bank()
    client = shop.device()
    heard = []
    receive = lambda sender, **arguments: heard.append(arguments)  # noqa: E731  # kept alive by its name
    with signals.logged_in.connected_to(receive), signals.logged_out.connected_to(receive):
        client.post("/confirm/mfa")
    assert heard == []


def test_the_loaders_own_level_counts_as_at_a_login(make_app):
    auth = Auth(SessionCookie(lambda name: Identity(name, acr="own"), store=MemoryStore()), Bearer(str))
    app = make_app(auth, SECRET_KEY=KEY)
    app.add_url_rule("/in", "in", lambda: str(auth.login("ada", acr="pwd").acr), methods=["POST"])
    app.add_url_rule("/confirm", "confirm", lambda: str(auth.confirm(acr="mfa").acr), methods=["POST"])
    client = app.test_client()
    assert [client.post("/in").text, client.post("/confirm").text] == ["own", "own"]

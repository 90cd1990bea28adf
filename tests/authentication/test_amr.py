"""``amr=`` of guards: methods by which the caller must have logged in (RFC 8176, OWASP ASVS 6.8.4, 10.3.4)."""

import functools

import pytest

from flask_unauthorized import Auth, Bearer, Identity, SessionCookie, any_of
from flask_unauthorized.stores.memory import MemoryStore
from tests.helpers import SECRET_KEY, bearer_header, challenges_of, get_view

METHODS = {"none": set(), "pwd": {"pwd"}, "both": {"pwd", "hwk"}, "soft": {"pwd", "swk"}}
TOKENS = {name: Identity("ada", amr=amr) for name, amr in METHODS.items()}
ISSUER = "https://id.example"
"""Pages don't show it here: the canaries take it for private."""
PAGE = {"Sec-Fetch-Mode": "navigate", "Accept": "text/html"}


@pytest.fixture
def auth():
    return Auth(Bearer(TOKENS.get))


@pytest.mark.asvs("V6.8.4", "V10.3.4")
@pytest.mark.parametrize(
    ("demanded", "admitted"),
    [
        ({"pwd"}, {"pwd", "both", "soft"}),
        ({"hwk"}, {"both"}),
        ({"pwd", "hwk"}, {"both"}),
        (any_of("hwk", "swk"), {"both", "soft"}),
        (["pwd", any_of("hwk", "swk")], {"both", "soft"}),
        ({"HWK"}, set()),
    ],
)
def test_all_named_methods_must_be_among_those_of_the_login(make_app, auth, demanded, admitted):
    found = {
        token
        for token in TOKENS
        if get_view(make_app, auth, auth.login_required(amr=demanded), headers=bearer_header(token)).status_code == 200
    }
    assert found == admitted


def test_a_missing_method_needs_a_stronger_login(make_app, auth):
    response = get_view(make_app, auth, auth.login_required(amr={"hwk"}), headers=bearer_header("pwd"))
    assert response.status_code == 401
    ((_, parameters),) = challenges_of(response)
    assert parameters["error"] == "insufficient_user_authentication"
    assert parameters["error_description"] == "A more recent or a stronger login is needed."
    assert parameters.keys().isdisjoint({"acr_values", "max_age", "amr"})


def test_the_methods_of_all_levels_add_up(make_app, auth):
    app = make_app(auth)
    auth.protect(app, amr={"pwd"})
    app.add_url_rule("/", "view", auth.login_required(lambda: auth.require(amr={"hwk"}).subject))
    app.add_url_rule("/outer", "outer", auth.login_required(lambda: "in"))
    client = app.test_client()
    statuses = {name: client.get("/", headers=bearer_header(name)).status_code for name in TOKENS}
    assert statuses == {"none": 401, "pwd": 401, "both": 200, "soft": 401}
    assert client.get("/outer", headers=bearer_header("none")).status_code == 401


PARTS = {"none": Identity("ada"), "pwd": Identity("ada", amr={"pwd"}), "hwk": Identity("ada", amr={"hwk"})}


@pytest.mark.parametrize("outer", ["protect", "decorator"])
def test_no_level_takes_the_place_of_another(make_app, outer):
    auth = Auth(Bearer({**PARTS, "both": Identity("ada", amr={"pwd", "hwk"})}.get))
    app = make_app(auth)
    view = auth.login_required(amr={"hwk"})(lambda: "in")
    if outer == "protect":
        auth.protect(app, amr={"pwd"})
    else:
        view = auth.login_required(amr={"pwd"})(view)
    app.add_url_rule("/", "view", view)
    client = app.test_client()
    statuses = {name: client.get("/", headers=bearer_header(name)).status_code for name in (*PARTS, "both")}
    assert statuses == {"none": 401, "pwd": 401, "hwk": 401, "both": 200}


def test_what_protect_demands_is_judged_before_decorators_above_the_guard(make_app):
    auth = Auth(Bearer(PARTS.get))
    app, ran = make_app(auth), []
    auth.protect(app, amr={"pwd"})
    guarded = auth.login_required(lambda: "in")
    app.add_url_rule("/", "view", functools.wraps(guarded)(lambda: ran.append("above") or guarded()))
    client = app.test_client()
    assert client.get("/", headers=bearer_header("hwk")).status_code == 401
    assert ran == []
    assert client.get("/", headers=bearer_header("pwd")).status_code == 200


@pytest.mark.parametrize(
    ("found", "amr", "key"),
    [
        (Identity("ada"), {"pwd"}, "ISSUER#ada"),
        (Identity("ada", amr={"hwk"}), {"hwk"}, "ISSUER#ada"),
        (Identity("eve"), {"pwd"}, "#eve"),  # the issuer of the login names another subject
        (Identity("ada", issuer="https://own.example"), {"pwd"}, "https://own.example#ada"),
    ],
)
def test_what_the_loader_says_of_the_caller_comes_before_the_login(make_app, found, amr, key):
    auth = Auth(SessionCookie(lambda name: found, store=MemoryStore()))
    app = make_app(auth, SECRET_KEY=SECRET_KEY)
    app.add_url_rule("/in", "in", lambda: auth.login("ada", amr=["pwd"], issuer=ISSUER) and "in", methods=["POST"])
    app.add_url_rule(
        "/", "view",
        auth.login_required(lambda: [sorted(auth.identity.amr), auth.identity.key.replace(ISSUER, "ISSUER")]),
    )  # fmt: skip
    client = app.test_client()
    client.post("/in")
    assert client.get("/").json == [sorted(amr), key]


@pytest.mark.parametrize(("given", "error"), [("hwk", TypeError), ({5}, TypeError), (set(), Exception)])
def test_a_demand_that_cannot_be_met_is_refused_when_decorating(auth, given, error):
    with pytest.raises(error, match="amr"):
        auth.login_required(amr=given)


@pytest.fixture
def shop(make_app):
    """An app with logins, confirmations, and a view that needs a hardware key."""

    def make(**options):
        auth = Auth(SessionCookie(lambda name: name, login_view="page", **options))
        app = make_app(auth, SECRET_KEY=SECRET_KEY)
        given = app.extensions["given"] = {}

        @app.post("/login")
        @auth.public
        def login():
            auth.login("ada", **given)
            return "in"

        @app.get("/page")
        @auth.public
        def page():
            return "log in"

        @app.post("/confirm")
        @auth.login_required
        def confirm():
            return ",".join(sorted(auth.confirm(**given).amr))

        @app.get("/strong")
        @auth.login_required(amr={"hwk"})
        def strong():
            return f"{','.join(sorted(auth.identity.amr))} {auth.identity.key}".replace(ISSUER, "ISSUER")

        @app.get("/key")
        @auth.login_required
        def key():
            return f"{auth.identity.issuer} {auth.identity.key}".replace(ISSUER, "ISSUER")

        return app, app.test_client(), given

    return make


def test_a_login_keeps_its_methods_and_a_confirmation_replaces_them(shop):
    _, client, given = shop()
    given["amr"] = ["pwd"]
    client.post("/login")
    refused = client.get("/strong", headers=PAGE)
    assert (refused.status_code, refused.location) == (302, "/page?next=/strong")
    assert client.get("/strong").status_code == 401
    given["amr"] = {"pwd", "hwk"}
    assert client.post("/confirm").text == "hwk,pwd"
    assert client.get("/strong").text == "hwk,pwd #ada"
    given.clear()
    assert client.post("/confirm").text == "hwk,pwd"
    given["amr"] = {"pwd"}
    client.post("/confirm")
    assert client.get("/strong").status_code == 401


def test_the_issuer_of_a_login_is_that_of_the_identity(shop):
    _, client, given = shop(store=MemoryStore())
    client.post("/login")
    assert client.get("/key").text == "None #ada"
    given["issuer"] = ISSUER
    client.post("/login")
    assert client.get("/key").text == "ISSUER ISSUER#ada"


def test_a_remembered_login_keeps_methods_and_issuer(shop):
    _, client, given = shop(store=MemoryStore(), remember=86_400)
    given.update(amr={"hwk"}, issuer=ISSUER, remember=True)
    client.post("/login")
    client.delete_cookie("session")
    for _ in range(2):
        assert client.get("/strong").text == "hwk ISSUER#ada"


@pytest.mark.parametrize("amr", ["hwk", 5, [5]])
def test_methods_of_a_login_are_a_collection_of_texts(shop, amr):
    _, client, given = shop()
    given["amr"] = amr
    with pytest.raises(TypeError, match="amr"):
        client.post("/login")


@pytest.mark.parametrize("change", [{"amr": "hwk"}, {"amr": [5]}, {"amr": None}, {"iss": ""}, {"iss": 5}, {"x": 1}])
def test_a_session_that_this_package_cannot_have_written_opens_nothing(shop, change):
    _, client, given = shop()
    given["amr"] = ["hwk"]
    client.post("/login")
    assert client.get("/strong").status_code == 200
    with client.session_transaction() as session:
        session["_unauthorized"] = {**session["_unauthorized"], **change}
    assert client.get("/strong").status_code == 401

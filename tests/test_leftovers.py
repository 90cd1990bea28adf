"""Behavior at the seams, where mutants of the code had survived."""

import pytest
from flask import Flask

from flask_unauthorized import APIKey, Auth, Basic, Bearer, ConfigurationError, Identity
from flask_unauthorized.testing import assert_unauthorized

LOADED = {"good": Identity("ada")}


def serve(make_app, auth, **config) -> Flask:
    app = make_app(auth, **config)
    app.add_url_rule("/", "view", auth.login_required(lambda: f"{auth.identity.subject} {auth.get_user()}"))
    return app


def test_a_subclass_of_a_scheme_hands_its_secret_to_load(make_app):
    class Traced(Bearer):
        def verify(self, credentials, request):
            return self.load(credentials)

    app = serve(make_app, Auth(Traced(lambda token: f"user of {token}")))
    assert app.test_client().get("/", headers={"Authorization": "Bearer x"}).text.startswith("user of x ")


def test_a_user_object_of_basic_keeps_the_name_as_subject(make_app):
    class User:
        def __repr__(self):
            return "<user>"

    app = serve(make_app, Auth(Basic(lambda name, password: User())))
    assert app.test_client().get("/", auth=("ada", "pw")).text == "ada <user>"
    app = serve(make_app, Auth(Bearer(lambda token: User())))
    assert app.test_client().get("/", headers={"Authorization": "Bearer x"}).text == "None <user>"


@pytest.mark.parametrize(("said", "shown"), [("", "an empty str"), ({}, "a dict"), ((), "a tuple"), (True, "a bool")])
def test_what_cannot_be_a_user_is_named(make_app, said, shown):
    app = serve(make_app, Auth(Bearer(lambda token: said)))
    with pytest.raises(TypeError) as wrong:
        app.test_client().get("/", headers={"Authorization": "Bearer x"})
    assert str(wrong.value) == (
        f"the loader of Bearer returned {shown}, which cannot be a user: return an Identity, your user object, a "
        "non-empty subject, or None for no"
    )


@pytest.mark.parametrize("name", ["Bearer a", "bearer a"])
def test_two_in_one_field_are_told_to_be_one(make_app, name):
    app = serve(make_app, Auth(Bearer(LOADED.get)))
    answer = app.test_client().get("/", headers={"Authorization": f"Negotiate YII=, {name}"})
    assert (answer.status_code, answer.json["message"]) == (400, "More than one credential was sent. Send one.")


def test_one_of_another_scheme_with_our_name_in_a_parameter_is_nothing(make_app):
    app = serve(make_app, Auth(Bearer(LOADED.get)))
    for field in ('Foo a="x, bearer y"', "Foo a=b,bearer=c", "Foo x=bearer, y=z"):
        assert_unauthorized(app.test_client().get("/", headers={"Authorization": field}), error=None)


def test_the_apps_own_way_of_waiting_is_used(make_app):
    """A subclass of Flask may run coroutines in a loop of its own (Flask's docs, async)."""
    ran = []

    class App(Flask):
        def async_to_sync(self, function):
            ran.append(function)
            return super().async_to_sync(function)

    async def load(token):
        return "ada"

    auth = Auth(Bearer(load))
    app = App("own")
    auth.init_app(app)
    app.add_url_rule("/", "view", auth.login_required(lambda: "in"))
    assert app.test_client().get("/", headers={"Authorization": "Bearer x"}).text == "in"
    assert len(ran) == 1


@pytest.mark.parametrize("origin", ["https://user@a.example", "https://a.example/", "ftp://a.example", "a.example"])
def test_what_is_no_origin_is_refused(origin):
    with pytest.raises(ConfigurationError, match="is not an origin"):
        APIKey(LOADED.get, cookie="k", trusted_origins=[origin])


@pytest.mark.parametrize(
    ("foreign", "stays"), [('Bearer realm="r", x="y"', True), ('Bearer realm="own", x="y"', False)]
)
def test_a_challenge_of_another_is_measured_by_the_realm_of_its_scheme(make_app, foreign, stays):
    auth = Auth(Bearer(LOADED.get), Basic(lambda name, password: None, realm="own"), realm="r")
    app = serve(make_app, auth)
    app.after_request(lambda answer: answer.headers.set("WWW-Authenticate", foreign) or answer)
    assert (foreign in app.test_client().get("/").headers.getlist("WWW-Authenticate")) is stays


@pytest.mark.parametrize(
    ("own", "sent"),
    [
        (None, "private"),
        ("public, max-age=60", "max-age=60, private"),
        ("s-maxage=5", "private"),
        ("no-store", "no-store"),
    ],
)
def test_an_answer_to_a_key_is_kept_from_shared_caches(make_app, own, sent):
    auth = Auth(APIKey(LOADED.get))
    app = make_app(auth)
    headers = {} if own is None else {"Cache-Control": own}
    app.add_url_rule("/", "view", auth.login_required(lambda: ("in", 200, headers)))
    answer = app.test_client().get("/", headers={"X-API-Key": "good"})
    assert set(answer.headers["Cache-Control"].split(", ")) == set(sent.split(", "))
    assert answer.headers["Vary"] == "X-Api-Key"


@pytest.mark.parametrize("accept", ["application/json", "text/html"])
@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("access_token=%FF", 400),
        ("access_token=\xff", 400),
        ("a=%FF&access_token=x", 401),
        ("%FF=%FF", 401),
    ],
)
def test_a_request_that_cannot_be_read_can_be_explained(make_app, query, status, accept):
    auth = Auth(Bearer(lambda token: None, query=True), APIKey(lambda key: None, query="key"))
    app = make_app(auth, UNAUTHORIZED_EXPLAIN=True, PROPAGATE_EXCEPTIONS=True)
    app.add_url_rule("/", "view", auth.login_required(lambda: "fine"))
    environ = {"QUERY_STRING": query, "HTTP_HOST": "\xff bad host"}
    response = app.test_client().get("/", headers={"Accept": accept}, environ_overrides=environ)
    assert response.status_code == status
    assert "curl" in response.text

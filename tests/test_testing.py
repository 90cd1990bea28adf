"""What the package gives to the tests of apps."""

import pytest
from flask import Flask, Response

from flask_unauthorized import APIKey, Auth, Basic, Bearer, ConfigurationError, Identity, current_user
from flask_unauthorized.testing import acting_as, assert_sound, assert_unauthorized

NO_STORE = ("Cache-Control", "no-store")


def answer(status, *lines, headers=(NO_STORE,), body="x"):
    """An answer as a test client gives it, from an app without any guard."""
    app = Flask("bare")
    told = [("WWW-Authenticate", line) for line in lines]
    app.add_url_rule("/", "view", lambda: Response(body, status, [*told, *headers]))
    return app.test_client().get("/")


# --- assert_sound


@pytest.mark.parametrize(
    ("status", "lines"),
    [
        (200, []),
        (404, []),
        (500, []),
        (403, []),
        (503, []),
        (401, ['Bearer realm="a"']),
        (
            401,
            ['Basic realm="a", charset="UTF-8"', 'Bearer realm="a", error="invalid_token", error_description="Bad."'],
        ),
        (401, ['Basic realm="a", Bearer realm="realm=b"']),
        (401, ["Negotiate"]),
        (401, ['Custom realm="a", error="own"']),
        (403, ['Bearer realm="a", scope="b", error="insufficient_scope"']),
        (400, ['Bearer realm="a", error="invalid_request"']),
    ],
)
def test_what_is_sound_passes(status, lines):
    assert len(assert_sound(answer(status, *lines))) == sum(line.count("realm=") or 1 for line in lines) - str(
        lines
    ).count("realm=b")


@pytest.mark.parametrize(
    ("status", "lines", "words"),
    [
        (401, [], "without a challenge"),
        (401, [""], "without a challenge"),
        (401, ["Bearer realm=notes"], r"(^|: )a realm that is not quoted"),
        (401, ['Bearer a="b", realm = x'], "not quoted"),
        (401, ['Bearer realm="a", realm="b"'], "doesn't parse"),
        (401, ['Bearer realm="a'], "doesn't parse"),
        (401, ['Dpop realm="a"'], "registered as DPoP"),
        (401, ['BASIC realm="a"'], "registered as Basic"),
        (401, ['Basic charset="UTF-8"'], "a Basic challenge needs a realm"),
        (401, ['Bearer realm="a", error="insufficient_scope"'], "belongs to another status"),
        (403, ['Bearer realm="a", error="invalid_token"'], "belongs to another status"),
        (
            401,
            ['Bearer realm="a", error="invalid_token", error_description="say \\"x\\""'],
            "must be printable ASCII without",
        ),
        (503, ['Bearer realm="a"'], "503 with a challenge"),
    ],
)
def test_what_is_not_sound_fails_and_says_why(status, lines, words):
    with pytest.raises(AssertionError, match=words):
        assert_sound(answer(status, *lines))


def test_caching_of_a_refusal_fails():
    with pytest.raises(AssertionError, match="not no-store"):
        assert_sound(answer(401, 'Bearer realm="a"', headers=()))


def test_the_schemes_offered_may_be_named():
    response = answer(401, 'Basic realm="a"', 'Bearer realm="a"')
    assert_sound(response, schemes=["bearer", "Basic"])
    for names in (["Basic"], ["Basic", "Bearer", "Digest"], []):
        with pytest.raises(AssertionError, match="the schemes are not"):
            assert_sound(response, schemes=names)


@pytest.mark.parametrize("where", ["body", "header"])
def test_a_secret_in_the_answer_fails_without_showing_it(where):
    headers = [("X-Echo", "s3cret-1")] if where == "header" else []
    response = answer(200, headers=headers, body="hello s3cret-1" if where == "body" else "")
    with pytest.raises(AssertionError, match="a secret is in the response") as failure:
        assert_sound(response, secrets=["other", "s3cret-1"])
    assert "s3cret-1" not in str(failure.value)
    assert_sound(response, secrets=["other"])


# --- assert_unauthorized


@pytest.fixture
def auth():
    return Auth(Bearer({"good": Identity("ada")}.get), Basic(lambda name, password: None), realm="notes")


@pytest.fixture
def app(make_app, auth):
    app = make_app(auth)
    app.add_url_rule("/", "view", auth.login_required(lambda: f"hello {auth.identity.subject}"))
    app.add_url_rule("/admin", "admin", auth.login_required(roles={"admin"}, max_age=60)(lambda: "admin"))
    app.add_url_rule("/scoped", "scoped", auth.login_required(scopes={"a"})(lambda: "scoped"))
    app.add_url_rule("/maybe", "maybe", auth.login_optional(lambda: str(bool(current_user))))
    return app


def test_assert_unauthorized_returns_the_challenge(app):
    client = app.test_client()
    nothing = client.get("/")
    assert assert_unauthorized(nothing).scheme == "Basic"
    assert assert_unauthorized(nothing, scheme="bearer", error=None).get("realm") == "notes"
    wrong = client.get("/", headers={"Authorization": "Bearer bad"})
    assert assert_unauthorized(wrong, scheme="Bearer", error="invalid_token").get("error") == "invalid_token"
    assert assert_unauthorized(wrong, error="invalid_token").scheme == "Bearer"


@pytest.mark.parametrize(
    ("expected", "words"),
    [
        ({"scheme": "Digest"}, "no challenge of the scheme Digest"),
        ({"scheme": "Bearer", "error": None}, r"^no such challenge with error=None \("),
        ({"scheme": "Basic", "error": "invalid_token"}, "no such challenge with error='invalid_token'"),
    ],
)
def test_assert_unauthorized_fails_for_another_refusal(app, expected, words):
    wrong = app.test_client().get("/", headers={"Authorization": "Bearer bad"})
    with pytest.raises(AssertionError, match=words):
        assert_unauthorized(wrong, **expected)


def test_assert_unauthorized_fails_for_another_status(app):
    with pytest.raises(AssertionError, match="not a 401"):
        assert_unauthorized(acting_as(app, "ada").get("/"))


OPEN_CASES = [(None, 401, None), ("Bearer bad", 401, "invalid_token"), ("Bearer good", 200, None)]


@pytest.mark.parametrize("public", [False, True])
@pytest.mark.parametrize(("sent", "status", "error"), OPEN_CASES)
def test_asking_for_the_caller_in_an_open_view_judges_what_was_sent(make_app, auth, public, sent, status, error):
    app = make_app(auth)

    def view():
        identity = auth.get_identity()
        assert (identity is None) is (sent != "Bearer good")
        return f"{auth.require().subject} {auth.identity.subject}"

    app.add_url_rule("/", "view", auth.public(view) if public else view)
    response = app.test_client().get("/", headers={} if sent is None else {"Authorization": sent})
    assert response.status_code == status
    if status == 200:
        assert response.text == "ada ada"
    else:
        assert_unauthorized(response, scheme="Bearer", error=error)


# --- acting_as


def test_a_client_acts_as_somebody_and_the_next_one_does_not(app):
    ada, bob = acting_as(app, Identity("ada")), acting_as(app, "bob")
    assert ada.get("/").text == "hello ada"
    assert bob.get("/").text == "hello bob"
    assert ada.get("/").text == "hello ada"
    assert app.test_client().get("/").status_code == 401
    assert app.test_client().get("/maybe").text == "False"
    assert ada.get("/maybe").text == "True"


def test_demands_are_judged_as_ever(app):
    assert acting_as(app, "ada").get("/scoped").status_code == 403
    assert acting_as(app, Identity("ada", scopes={"a"})).get("/scoped").text == "scoped"
    assert acting_as(app, Identity("ada", roles={"admin"})).get("/admin").status_code == 401
    assert acting_as(app, Identity("ada", roles={"admin"}, expires_at=1)).get("/").status_code == 401


def test_credentials_that_are_sent_decide(app):
    client = acting_as(app, "bob")
    assert client.get("/", headers={"Authorization": "Bearer good"}).text == "hello ada"
    assert client.get("/", headers={"Authorization": "Bearer bad"}).status_code == 401


def test_protected_views_and_any_scheme(make_app):
    auth = Auth(APIKey(lambda key: None))
    app = make_app(auth)
    auth.protect(app)
    app.add_url_rule("/", "view", lambda: auth.scheme.name)
    assert acting_as(app, "ada").get("/").text == "ApiKey"


@pytest.mark.asvs("V15.2.3")
def test_it_refuses_outside_tests(make_app, auth, app):
    with pytest.raises(RuntimeError, match="testing off"):
        acting_as(make_app(Auth(Bearer(lambda token: None)), TESTING=False), "ada")
    client = acting_as(app, "ada")
    app.testing = False
    app.config["PROPAGATE_EXCEPTIONS"] = True
    with pytest.raises(RuntimeError, match="testing off"):
        client.get("/")


def test_it_refuses_what_is_no_identity_and_apps_without_auth(make_app, app):
    with pytest.raises(TypeError, match="takes an Identity or a subject"):
        acting_as(app, object())
    with pytest.raises(ConfigurationError, match="no Auth serves"):
        acting_as(make_app(), "ada")


def test_no_header_can_pretend(app):
    acting_as(app, "ada")
    for name in ("flask_unauthorized.acting_as", "flask-unauthorized-acting-as", "acting_as"):
        assert app.test_client().get("/", headers={name: "ada"}).status_code == 401

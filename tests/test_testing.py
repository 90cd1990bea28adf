"""What the package gives to the tests of apps."""

import pytest
from flask import Flask, Response

from flask_unauthorized import APIKey, Auth, Basic, Bearer, ConfigurationError, Identity, current_user
from flask_unauthorized.lint.responses import exchange_of
from flask_unauthorized.testing import (
    acting_as,
    assert_all_guarded,
    assert_challenge,
    assert_forbidden,
    assert_sound,
    assert_unauthorized,
)

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


# --- assert_forbidden, assert_challenge


def test_assert_forbidden(app):
    refused = app.test_client().get("/scoped", headers={"Authorization": "Bearer good"})
    assert_forbidden(acting_as(app, "ada").get("/scoped"))
    assert [one.get("error") for one in assert_forbidden(refused, scopes={"a"})] == ["insufficient_scope"]
    assert_forbidden(refused, scopes="a")
    assert_forbidden(answer(403))
    with pytest.raises(AssertionError, match=r"no challenge asks for the scopes \['b'\]"):
        assert_forbidden(refused, scopes={"b"})
    with pytest.raises(AssertionError, match="no challenge asks for"):
        assert_forbidden(answer(403), scopes={"a"})
    with pytest.raises(AssertionError, match="not a 403"):
        assert_forbidden(app.test_client().get("/scoped"))
    with pytest.raises(AssertionError, match="belongs to another status"):
        assert_forbidden(answer(403, 'Bearer error="invalid_token"'))


def test_assert_challenge():
    response = answer(403, 'Bearer realm="a", error="insufficient_scope", scope="b c"', 'Basic realm="d"')
    offered = assert_challenge(response).offers("bearer", scope={"c", "b"}, realm="a").offers("Basic", realm=...)
    assert [one.scheme for one in offered.challenges] == ["Bearer", "Basic"]
    assert_challenge(response).offers("Bearer", scope="b c", charset=None)
    for scheme, params in (
        ("Digest", {}),
        ("Bearer", {"scope": {"b"}}),
        ("Bearer", {"scope": "c b"}),
        ("Bearer", {"error": None}),
        ("Basic", {"charset": ...}),
        ("Basic", {"realm": "a"}),
    ):
        with pytest.raises(AssertionError, match=f"no challenge of the scheme {scheme}.*WWW-Authenticate"):
            assert_challenge(response).offers(scheme, **params)
    with pytest.raises(AssertionError, match=r"^no challenge \("):
        assert_challenge(answer(200))


# --- assert_all_guarded


def test_assert_all_guarded(make_app, auth):
    app = make_app(auth)
    app.add_url_rule("/", "home", auth.public(reason="the start page")(lambda: "home"))
    app.add_url_rule("/notes", "notes", auth.login_required(lambda: "notes"))
    app.add_url_rule("/maybe", "maybe", auth.login_optional(lambda: "maybe"))
    assert_all_guarded(app, except_={"/", "maybe", "static"})
    assert_all_guarded(app, except_={"home": "why not", "maybe": "", "/static/<path:filename>": ""})
    with pytest.raises(AssertionError, match=r"GET,HEAD /maybe \(endpoint maybe: optional\)"):
        assert_all_guarded(app, except_={"/", "static"})
    with pytest.raises(AssertionError, match="the start page"):
        assert_all_guarded(app)
    app.add_url_rule("/new", "new", lambda: "new")
    with pytest.raises(AssertionError, match=r"^these routes aren't guarded: GET,HEAD /new \(endpoint new: open\)\."):
        assert_all_guarded(app, except_={"/", "maybe", "static"})


@pytest.mark.parametrize("name", ["notes", "gone"])
def test_an_exception_that_is_not_needed_fails(make_app, auth, name):
    app = make_app(auth)
    app.add_url_rule("/notes", "notes", auth.login_required(lambda: "notes"))
    with pytest.raises(AssertionError, match=f"except_ names \\['{name}'\\]"):
        assert_all_guarded(app, except_={"static", name})


def test_assert_all_guarded_needs_an_auth(make_app):
    with pytest.raises(ConfigurationError, match="no Auth serves"):
        assert_all_guarded(make_app())


# --- responses of other clients


def _of_httpx(lines):
    httpx = pytest.importorskip("httpx")
    return httpx.Response(401, headers=[*lines, NO_STORE], content=b"x")


def _of_django(lines):
    pytest.importorskip("django")
    from django.conf import settings
    from django.http import HttpResponse

    if not settings.configured:
        settings.configure()
    response = HttpResponse("x", status=401, headers=dict([NO_STORE]))
    response["WWW-Authenticate"] = ", ".join(line for _, line in lines)
    return response


def _of_urllib3(lines):
    urllib3 = pytest.importorskip("urllib3")
    return urllib3.HTTPResponse(b"x", urllib3.HTTPHeaderDict([*lines, NO_STORE]), 401)


def _of_requests(lines):
    requests = pytest.importorskip("requests")
    response = requests.Response()
    response.status_code, response._content = 401, b"x"
    response.headers.update({"www-authenticate": ", ".join(line for _, line in lines), "cache-control": "no-store"})
    return response


def _of_starlette(lines):
    responses = pytest.importorskip("starlette.responses")
    response = responses.Response(b"x", 401)
    for name, value in (*lines, NO_STORE):
        response.headers.append(name, value)
    return response


@pytest.mark.parametrize("make", [_of_httpx, _of_django, _of_urllib3, _of_requests, _of_starlette])
def test_responses_of_other_clients(make):
    response = make([("WWW-Authenticate", 'Basic realm="a"'), ("WWW-Authenticate", 'Bearer realm="b"')])
    assert [one.scheme for one in assert_sound(response, schemes={"Basic", "Bearer"})] == ["Basic", "Bearer"]
    assert assert_unauthorized(response, scheme="Bearer").get("realm") == "b"
    assert_challenge(response).offers("Basic", realm="a")
    with pytest.raises(AssertionError, match="without a challenge"):
        assert_sound(make([]))


def test_what_is_no_response_is_named():
    with pytest.raises(TypeError, match="str has not"):
        assert_sound("401")


def test_lines_of_httpx_stay_apart_and_its_streams_unread():
    httpx = pytest.importorskip("httpx")
    lines = [("WWW-Authenticate", 'Bearer realm="a"'), ("WWW-Authenticate", 'Basic realm="a"')]
    exchange = exchange_of(httpx.Response(401, headers=lines, content=b"x"))
    assert (exchange.lines("www-authenticate"), exchange.body) == ([line for _, line in lines], b"x")
    stream = httpx.Response(401, headers=lines, stream=httpx.ByteStream(b"x"))
    assert exchange_of(stream).body is None
    assert stream.read() == b"x"

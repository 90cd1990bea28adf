"""The developer's explanation of a refusal."""

import base64
import shlex

import pytest
from werkzeug.middleware.proxy_fix import ProxyFix

from flask_unauthorized import (
    APIKey,
    Auth,
    AuthError,
    AuthUnavailable,
    Basic,
    Bearer,
    Forbidden,
    Identity,
    MalformedCredentials,
    MissingCredentials,
    StepUpRequired,
    TooManyAttempts,
)
from flask_unauthorized.errors import CrossSiteRequest
from tests.helpers import app_with_schemes


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
    assert ("?access_token=" in response.text) is ("access_token" in query)
    assert "curl" in response.text


def test_a_prefix_that_no_address_can_have_is_explained_all_the_same(make_app):
    app = app_with_schemes(make_app, Bearer(lambda token: None), UNAUTHORIZED_EXPLAIN=True)
    app.wsgi_app = ProxyFix(app.wsgi_app, x_prefix=1)
    refused = app.test_client().get("/", headers={"X-Forwarded-Prefix": ":99999"})
    assert refused.status_code == 401
    assert refused.json["debug"]["schemes"][0]["command"] == "curl -i -H 'Authorization: Bearer TOKEN' /"


CANARY = "c4n4ry-0123456789"


@pytest.fixture
def auth_of_page():
    return Auth(Bearer(lambda token: None), Basic(lambda name, password: None), APIKey(lambda key: None), realm="notes")


def explained(app, accept="application/json", method="GET", path="/", **headers):
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    response = app.test_client().open(path, method=method, headers={"Accept": accept, **fields})
    return response.json["debug"] if "json" in accept else response.text


def test_the_explanation_names_what_was_sent_what_is_required_and_what_each_scheme_found(make_app):
    auth_of_page = Auth(Bearer(lambda token: None), APIKey(lambda key: None), realm="notes")
    app = make_app(auth_of_page, UNAUTHORIZED_EXPLAIN=True)
    auth_of_page.protect(app, scopes={"notes:read"})
    app.add_url_rule("/", "view", auth_of_page.login_required(scopes={"notes:write"})(lambda: "fine"))
    for accept in ("application/json", "application/problem+json"):
        debug = explained(app, accept, Authorization=f"Bearer {CANARY}")
        assert debug == {
            "reason": "the loader of Bearer returned None for the token",
            "sent": ["Authorization: Bearer …"],
            "required": [
                "auth.protect(app): login_required(scopes=['notes:read'])",
                "@auth.login_required(scopes=['notes:write'])",
                "together: login_required(scopes=['notes:read', 'notes:write'])",
            ],
            "schemes": [
                {
                    "name": "Bearer",
                    "found": "the loader of Bearer returned None for the token",
                    "command": "curl -i -H 'Authorization: Bearer TOKEN' http://localhost/",
                },
                {
                    "name": "ApiKey",
                    "found": "Nothing was sent for it.",
                    "command": "curl -i -H 'X-Api-Key: KEY' http://localhost/",
                },
            ],
            "challenges": [
                'WWW-Authenticate: Bearer realm="notes", error="invalid_token", '
                'error_description="The credentials are not valid."',
                'WWW-Authenticate: ApiKey realm="notes", in="header", name="X-API-Key"',
            ],
            "specification": "RFC 6750 §3.1, invalid_token",
            "specification_url": "https://www.rfc-editor.org/rfc/rfc6750#section-3.1",
        }
    html = explained(app, "text/html", Authorization=f"Bearer {CANARY}")
    for line in (
        "Authorization: Bearer …",
        "the loader of Bearer returned None for the token",
        "curl -i -H &#x27;Authorization: Bearer TOKEN&#x27;",
    ):
        assert line in html


def test_valid_credentials_are_distinguished_from_the_missing_scope(make_app):
    auth_of_page = Auth(Bearer(lambda token: Identity("ada")))
    app = make_app(auth_of_page, UNAUTHORIZED_EXPLAIN=True)
    app.add_url_rule("/", "view", auth_of_page.login_required(scopes={"a"})(lambda: "fine"), methods=["DELETE"])
    debug = explained(app, method="DELETE", Authorization="Bearer x")
    assert debug["schemes"][0]["found"] == "The credentials are valid."
    assert debug["reason"].startswith("none of ['a'] is granted: the scopes of the credentials are [], ")
    assert shlex.split(debug["schemes"][0]["command"])[:4] == ["curl", "-i", "-X", "DELETE"]


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        ("Door x", "Authorization: Door …"),  # in force
        ("  door x", "Authorization: door …"),
        ("Digest x", "Authorization: Digest …"),  # a registered name
        ("OAuth x", "Authorization: OAuth …"),
        ("SCRAM-SHA-256 x", "Authorization: SCRAM-SHA-256 …"),
        ("NTLM x", "Authorization: NTLM …"),  # names that clients use although nobody registered them
        ("Token x", "Authorization: Token …"),
        ("Window x", "Authorization, without a scheme that is known here"),  # it may be a secret
    ],
)
def test_only_names_that_are_known_are_shown(make_app, sent, shown):
    app = app_with_schemes(make_app, Bearer(lambda token: None, name="Door"), UNAUTHORIZED_EXPLAIN=True)
    assert explained(app, Authorization=sent)["sent"] == [shown]


def test_a_bare_401_on_an_open_route_is_explained_too(make_app, auth_of_page):
    app = make_app(auth_of_page, UNAUTHORIZED_EXPLAIN=True)
    app.add_url_rule("/", "view", lambda: __import__("flask").abort(401))
    debug = explained(app)
    assert debug["required"] == ["no guard on this route (in force: login_required, all schemes of the Auth)"]
    assert debug["sent"] == ["nothing that a scheme in force reads"]


@pytest.mark.parametrize("accept", ["application/json", "application/problem+json", "text/html"])
@pytest.mark.parametrize(
    "sent",
    [
        {"Authorization": CANARY}, {"Authorization": f"Bearer {CANARY}"}, {"Authorization": f"{CANARY} x"},
        {"Authorization": f"Bearer {CANARY}, {CANARY}"}, {"X-API-Key": CANARY}, {"Cookie": f"session={CANARY}"},
        {"Authorization": "Basic " + base64.b64encode(f"ada:{CANARY}".encode()).decode()}, {"Host": "localhost"},
    ],
)  # fmt: skip
def test_lek_no_secret_is_in_an_explanation(make_app, sent, accept):
    auth_of_page = Auth(
        Bearer(lambda token: None, query=True), Basic(lambda name, password: None), APIKey(lambda key: None),
        APIKey(lambda key: None, cookie="session"),
    )  # fmt: skip
    app = make_app(auth_of_page, UNAUTHORIZED_EXPLAIN=True)
    app.add_url_rule("/", "view", auth_of_page.login_required(lambda: "fine"))
    for query in ("", f"?access_token={CANARY}", f"?q={CANARY}"):
        response = app.test_client(use_cookies=False).get("/" + query, headers={"Accept": accept, **sent})
        assert response.status_code in (400, 401)
        assert "curl" in response.text
        assert CANARY not in response.text + str(response.headers)


def test_a_server_side_failure_is_not_explained(make_app):
    def load(token):
        raise ConnectionError(f"postgres://app:{CANARY}@db/")

    auth_of_page = Auth(Bearer(load), unavailable=(ConnectionError,))
    app = make_app(auth_of_page, UNAUTHORIZED_EXPLAIN=True)
    app.add_url_rule("/", "view", auth_of_page.login_required(lambda: "fine"))
    debug = explained(app, Authorization="Bearer x")
    assert debug["reason"] == "The loader could not reach what it depends on; the log says more."
    assert CANARY not in str(debug)


def test_the_command_is_quoted_for_the_shell(make_app):
    auth_of_page = Auth(Basic(lambda name, password: None))
    app = make_app(auth_of_page, UNAUTHORIZED_EXPLAIN=True)
    app.add_url_rule("/<path:rest>", "view", auth_of_page.login_required(lambda rest: "fine"))
    debug = explained(app, path="/a';rm -rf $HOME;'")
    words = shlex.split(debug["schemes"][0]["command"])
    assert words[:4] == ["curl", "-i", "-u", "NAME:PASSWORD"]
    assert len(words) == 5
    assert words[4].startswith("http://localhost/a")


@pytest.mark.parametrize(
    ("sent", "status", "paragraph"),
    [
        ({}, 401, "RFC 9110 §15.5.2"),
        ({"Authorization": "Bearer x"}, 401, "RFC 6750 §3.1"),
        ({"Authorization": "Bearer ="}, 400, "RFC 6750 §3.1"),
        ({"Authorization": "Basic !!!"}, 401, "RFC 7617 §2"),
        ({"X-API-Key": "x"}, 401, "RFC 9110 §15.5.2"),
        ({"Authorization": "Bearer x", "X-API-Key": "x"}, 400, "RFC 9110 §11.6.2"),
    ],
)
def test_the_paragraph_is_that_of_the_scheme_that_was_tried(make_app, auth_of_page, sent, status, paragraph):
    app = make_app(auth_of_page, UNAUTHORIZED_EXPLAIN=True)
    app.add_url_rule("/", "view", auth_of_page.login_required(lambda: "fine"))
    response = app.test_client().get("/", headers=sent)
    assert response.status_code == status
    assert response.json["debug"]["specification"].startswith(paragraph)


RFC = "https://www.rfc-editor.org/rfc/rfc"


@pytest.mark.parametrize(
    ("error", "paragraph", "url"),
    [
        (StepUpRequired(max_age=5), "RFC 9470 §3, authentication requirements", f"{RFC}9470#section-3"),
        (MissingCredentials(), "RFC 9110 §15.5.2, 401 Unauthorized", f"{RFC}9110#section-15.5.2"),
        (MalformedCredentials(), "RFC 9110 §11.6.2, Authorization", f"{RFC}9110#section-11.6.2"),
        (Forbidden(), "RFC 9110 §15.5.4, 403 Forbidden", f"{RFC}9110#section-15.5.4"),
        (CrossSiteRequest(), "RFC 9110 §15.5.4, 403 Forbidden", f"{RFC}9110#section-15.5.4"),
        (TooManyAttempts(), "RFC 6585 §4, 429 Too Many Requests", f"{RFC}6585#section-4"),
        (AuthUnavailable(), "RFC 9110 §15.6.4, 503 Service Unavailable", f"{RFC}9110#section-15.6.4"),
        (AuthError(), "RFC 9110 §11, HTTP Authentication", f"{RFC}9110#section-11"),
    ],
)
def test_without_a_scheme_the_paragraph_is_that_of_the_status(make_app, auth_of_page, error, paragraph, url):
    def view():
        raise error

    app = make_app(auth_of_page, UNAUTHORIZED_EXPLAIN=True)
    app.add_url_rule("/", "view", auth_of_page.public(view))
    debug = explained(app)
    assert (debug["specification"], debug["specification_url"]) == (paragraph, url)


def test_two_at_once_are_both_named_and_the_message_says_to_send_one(make_app, auth_of_page):
    app = make_app(auth_of_page, UNAUTHORIZED_EXPLAIN=True)
    app.add_url_rule("/", "view", auth_of_page.login_required(lambda: "fine"))
    response = app.test_client().get("/", headers={"Authorization": "Bearer x", "X-API-Key": "x"})
    assert response.json["message"] == "More than one credential was sent. Send one."
    assert response.json["debug"]["sent"] == ["Authorization: Bearer …", "X-Api-Key: …"]
    said = {scheme["name"]: scheme["found"] for scheme in response.json["debug"]["schemes"]}
    assert said["Basic"] == "Nothing was sent for it."
    assert said["Bearer"] == said["ApiKey"] == "It was not asked, because something else was decided before."

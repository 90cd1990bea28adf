"""What the log says of a refusal: the private reason."""

import base64
import logging

import pytest

from flask_unauthorized import (
    APIKey,
    Auth,
    Basic,
    Bearer,
    Identity,
)
from flask_unauthorized.schemes.basic import MAX_PASSWORD, MAX_USER
from flask_unauthorized.wire.grammar import DEFAULT_CREDENTIAL_LIMIT
from tests.helpers import bearer_header

NOW = 1_800_000_000
NOTHING = (
    "no credentials came for a scheme in force: Basic in Authorization, Bearer in Authorization or the query "
    "access_token"
)
OTHER = " (Authorization holds credentials of another scheme)"
NO_TOKEN = "the loader of Bearer returned None for the token"
TWO = (
    "Authorization holds two credentials with a comma between them, expected one: a client or a server joined two "
    "fields"
)
CONTROLS = "Basic: the name or the password holds a control character, expected none (RFC 7617 section 2)"


def basic(text: str | bytes) -> dict[str, str]:
    octets = text if isinstance(text, bytes) else text.encode()
    return {"Authorization": "Basic " + base64.b64encode(octets).decode()}


TOKENS = {
    "plain": Identity("ada"),
    "ended": Identity("ada", expires_at=NOW),
    "ending": Identity("ada", expires_at=NOW + 1),
    "at-max-age": Identity("ada", acr="gold", auth_time=NOW - 60),
    "too-old": Identity("ada", acr="gold", auth_time=NOW - 61),
    "undated": Identity("ada", acr="gold"),
    "at-skew": Identity("ada", acr="gold", auth_time=NOW + 60),
    "too-early": Identity("ada", acr="gold", auth_time=NOW + 61),
    "silver": Identity("ada", acr="silver", auth_time=NOW),
    "user": object(),
    "granted": Identity("ada", scopes={"c", "a"}, roles={"clerk"}),
    "huge": Identity("ada", auth_time=-(10**400)),
    "many": Identity("ada", roles={f"role-{number}" for number in range(1000)}, auth_time=NOW),
}


@pytest.fixture
def refused(make_app, monkeypatch, caplog):
    """Status and logged reason of a request to a view behind a guard."""
    monkeypatch.setattr("flask_unauthorized.authentication.authorization.time", lambda: NOW)
    caplog.set_level(logging.INFO, "flask_unauthorized")

    def run(headers, guard="login_required", schemes=(), method="GET", url="/", config=None, environ=None, **demands):
        auth = Auth(*(schemes or (Bearer(TOKENS.get, query=True), Basic(lambda name, password: name == "ada"))))
        app = make_app(auth, **{"TESTING": False, **(config or {})})
        app.add_url_rule("/", "view", getattr(auth, guard)(**demands)(lambda: "in"), methods=["GET", "POST"])
        caplog.clear()
        response = app.test_client(use_cookies=False).open(
            url, method=method, headers=headers, environ_overrides=environ
        )
        found = [record.getMessage() for record in caplog.records if record.getMessage().startswith("refused")]
        return response.status_code, found[-1].partition("(")[2][:-1] if found else None

    return run


@pytest.mark.asvs("V16.3.3")
@pytest.mark.parametrize(
    ("headers", "status", "reason"),
    [
        ({}, 401, NOTHING),
        (bearer_header("nobody"), 401, NO_TOKEN),
        (bearer_header("X="), 401, NO_TOKEN),
        ({"Authorization": "Foo x, Bearer a b"}, 400, TWO),
        ({"Authorization": "Foo x, XBearer plain"}, 401, NOTHING + OTHER),
        ({"Authorization": "XBearer plain"}, 401, NOTHING + OTHER),
        (basic("a\x7f:b"), 401, CONTROLS),
        (basic("a" * MAX_USER + ":b"), 401, "the loader of Basic returned False for the name and the password"),
        (basic("a:" + "b" * MAX_PASSWORD), 401, "the loader of Basic returned False for the name and the password"),
        (bearer_header("ended"), 401, f"expires_at has passed: it is {NOW}, and now {NOW}"),
        (bearer_header("ending"), 200, None),
    ],
)  # fmt: skip
def test_the_log_says_why(refused, headers, status, reason):
    headers = {name: value.encode().decode("latin-1") for name, value in headers.items()}
    assert refused(headers) == (status, reason)


@pytest.mark.parametrize(
    ("token", "status", "reason"),
    [
        ("silver", 401, "acr is 'silver', and acr= of the view accepts ['gold']"),
        ("undated", 401, "the time of the login is unknown (auth_time), and max_age=60 of the view needs it"),
        ("too-early", 401, f"the time of the login lies in the future: auth_time is {NOW + 61}, and now {NOW}"),
        ("too-old", 401, f"the login is too old: auth_time is {NOW - 61}, now {NOW}, and max_age=60 of the view"),
        ("at-skew", 200, None),
        ("at-max-age", 200, None),
    ],
)
def test_the_log_says_why_a_login_is_not_enough(refused, token, status, reason):
    assert refused(bearer_header(token), acr="gold", max_age=60) == (status, reason)


def test_the_log_says_which_permission_is_missing(refused, caplog):
    no_scope = "none of ['b'] is granted: the scopes of the credentials are [], and scopes= of the view asks for others"
    no_role = (
        "none of the roles ['boss'] is held: the caller has [], by roles_claim= or the loader, and roles= of the view "
        "asks for others"
    )
    assert refused(bearer_header("plain"), scopes={"b"}) == (403, no_scope)
    assert refused(bearer_header("plain"), roles={"boss"}) == (403, no_role)
    assert refused(bearer_header("granted"), scopes={"b"}) == (403, no_scope.replace("[]", "['a', 'c']"))
    assert refused(bearer_header("granted"), roles={"boss"}) == (403, no_role.replace("[]", "['clerk']"))
    assert refused(bearer_header("undated"), acr=["x", "gold2"])[1].startswith(
        "acr is 'gold', and acr= of the view accepts"
    )
    assert refused(bearer_header("plain"), acr="gold") == (401, "acr is None, and acr= of the view accepts ['gold']")
    caplog.clear()
    assert refused(bearer_header("user"), scopes={"b"}) == (403, no_scope)
    (mistake,) = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    assert refused(bearer_header("user"), roles={"boss"}) == (403, no_role)
    (again,) = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    assert again == mistake.replace("scopes=['b']", "roles=['boss']")
    assert mistake.startswith("Requirement(scopes=['b']) demands scopes or roles, but the loader returned a bare user")


def test_the_log_names_the_option_by_which_an_origin_was_refused(make_app, caplog):
    caplog.set_level(logging.INFO, "flask_unauthorized")
    auth = Auth(Bearer(TOKENS.get))
    api = "https://api.example.com"
    auth.protected_resource(api, authorization_servers=["https://id.example.com"], origins=["https://app.example"])
    app = make_app(auth)
    app.add_url_rule("/", "view", auth.login_required(lambda: "in"))
    headers = {**bearer_header("plain"), "Origin": "https://evil.example"}
    assert app.test_client().get("/", headers=headers, base_url=api).status_code == 403
    assert "(Origin is 'https://evil.example', expected one of ['https://api.example.com', 'https://app" in caplog.text


def test_the_longest_token_in_a_query_reaches_the_loader(refused):
    assert refused({}, url="/?access_token=" + "a" * DEFAULT_CREDENTIAL_LIMIT) == (401, NO_TOKEN)


@pytest.mark.parametrize("field", [" Bearer plain", "\tBearer plain", "bEaReR plain", " bearer  plain\t"])
def test_blanks_and_case_do_not_matter(refused, field):
    assert refused({"Authorization": field})[0] == 200


@pytest.mark.parametrize(
    ("field", "holds"),
    [
        ("Negotiate YII=, Foo x", "credentials of Negotiate"),
        ("token plain", "credentials of Token"),
        ("Foo a=b, bear=c", "credentials of another scheme"),
        ("Foo Bearer", "credentials of another scheme"),
        ("Foo bearer=1, b=2", "credentials of another scheme"),
        ("Foo", "one word (3 characters) without the name of a scheme before it"),
        ("bearer ", "the name Bearer alone"),
        ("Digest", "the name Digest alone"),
    ],
)
def test_credentials_of_other_schemes_are_ignored_and_the_log_says_so(refused, field, holds):
    assert refused({"Authorization": field}) == (401, f"{NOTHING} (Authorization holds {holds})")


def test_the_log_shows_no_first_word_that_may_be_a_token(refused):
    for field in ("s3cret-token-of-ada", "s3cret-token-of-ada and-more"):
        assert "s3cret" not in refused({"Authorization": field})[1]


def test_views_that_read_other_fields_ignore_authorization(refused):
    looked = "no credentials came for a scheme in force: ApiKey in the header x-api-key"
    for field, holds in (
        ("Token plain", " (Authorization holds credentials of Token)"),
        ("Bearer", " (Authorization holds the name Bearer alone)"),
        ("Foo plain", ""),
        ("plain", ""),
    ):
        assert refused({"Authorization": field}, schemes=[APIKey(lambda key: None)]) == (401, looked + holds)


# --- what the developer reads


# F-18: whatever the values are, a reason is short, and making it never fails.
def test_reasons_of_values_that_are_huge(refused):
    status, reason = refused(bearer_header("huge"), max_age=60)
    assert status == 401
    assert reason.startswith("the login is too old: auth_time is -1000")
    status, reason = refused(bearer_header("many"), roles={f"other-{number}" for number in range(1000)})
    assert status == 403
    assert reason.startswith("none of the roles ['other-")
    assert "the caller has ['role-0', " in reason
    assert reason.endswith("roles= of the view asks for others")

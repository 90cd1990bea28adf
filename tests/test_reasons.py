"""What the log says of a refusal (the private reason), and what sits exactly on a limit."""

import base64
import logging
import threading

import pytest
from flask import Blueprint, request

from flask_unauthorized import (
    APIKey,
    Auth,
    Basic,
    Bearer,
    Challenge,
    ConfigurationError,
    Identity,
)
from flask_unauthorized.schemes.basic import MAX_PASSWORD, MAX_USER
from flask_unauthorized.schemes.bearer import MAX_FORM
from flask_unauthorized.testing import assert_unauthorized
from flask_unauthorized.wire import GrammarError, parse_authorization
from flask_unauthorized.wire.grammar import MAX_AUTHORIZATION

NOW = 1_800_000_000
NOTHING = (
    "no credentials came for a scheme in force: Basic in Authorization, Bearer in Authorization or the query "
    "access_token"
)
NO_TOKEN = "the loader of Bearer returned None for the token"
TWO = (
    "Authorization holds two credentials with a comma between them, expected one: a client or a server joined two "
    "fields"
)
CONTROLS = "Basic: the name or the password holds a control character, expected none (RFC 7617 section 2)"


def basic(text: str | bytes) -> dict[str, str]:
    octets = text if isinstance(text, bytes) else text.encode()
    return {"Authorization": "Basic " + base64.b64encode(octets).decode()}


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


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


@pytest.mark.parametrize(
    ("headers", "status", "reason"),
    [
        ({}, 401, NOTHING),
        (bearer("nobody"), 401, NO_TOKEN),
        (bearer("X="), 401, NO_TOKEN),
        ({"Authorization": "Foo x, Bearer a b"}, 400, TWO),
        ({"Authorization": "Foo x, XBearer plain"}, 401, NOTHING),
        ({"Authorization": "XBearer plain"}, 401, NOTHING),
        (basic("a\x7f:b"), 401, CONTROLS),
        (basic("a" * MAX_USER + ":b"), 401, "the loader of Basic returned False for the name and the password"),
        (basic("a:" + "b" * MAX_PASSWORD), 401, "the loader of Basic returned False for the name and the password"),
        (bearer("ended"), 401, f"expires_at has passed: it is {NOW}, and now {NOW}"),
        (bearer("ending"), 200, None),
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
    assert refused(bearer(token), acr="gold", max_age=60) == (status, reason)


def test_the_log_says_which_permission_is_missing(refused, caplog):
    no_scope = "none of ['b'] is granted: the scopes of the credentials are [], and scopes= of the view asks for others"
    no_role = (
        "none of the roles ['boss'] is held: the caller has [], by roles_claim= or the loader, and roles= of the view "
        "asks for others"
    )
    assert refused(bearer("plain"), scopes={"b"}) == (403, no_scope)
    assert refused(bearer("plain"), roles={"boss"}) == (403, no_role)
    assert refused(bearer("granted"), scopes={"b"}) == (403, no_scope.replace("[]", "['a', 'c']"))
    assert refused(bearer("granted"), roles={"boss"}) == (403, no_role.replace("[]", "['clerk']"))
    assert refused(bearer("undated"), acr=["x", "gold2"])[1].startswith("acr is 'gold', and acr= of the view accepts")
    assert refused(bearer("plain"), acr="gold") == (401, "acr is None, and acr= of the view accepts ['gold']")
    caplog.clear()
    assert refused(bearer("user"), scopes={"b"}) == (403, no_scope)
    (mistake,) = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    assert refused(bearer("user"), roles={"boss"}) == (403, no_role)
    (again,) = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    assert again == mistake.replace("scopes=['b']", "roles=['boss']")
    assert mistake.startswith("Requirement(scopes=['b']) demands scopes or roles, but the loader returned a bare user")


def test_who_came_without_https_is_told_what_to_do(make_app):
    auth = Auth(Bearer(TOKENS.get))
    app = make_app(auth, UNAUTHORIZED_REQUIRE_HTTPS=True)
    app.add_url_rule("/", "view", auth.login_required(lambda: "in"))
    assert app.test_client().get("/", headers=bearer("plain")).json["message"] == "Use HTTPS."


def test_the_log_names_the_option_by_which_an_origin_was_refused(make_app, caplog):
    caplog.set_level(logging.INFO, "flask_unauthorized")
    auth = Auth(Bearer(TOKENS.get))
    api = "https://api.example.com"
    auth.protected_resource(api, authorization_servers=["https://id.example.com"], origins=["https://app.example"])
    app = make_app(auth)
    app.add_url_rule("/", "view", auth.login_required(lambda: "in"))
    headers = {**bearer("plain"), "Origin": "https://evil.example"}
    assert app.test_client().get("/", headers=headers, base_url=api).status_code == 403
    assert "(Origin is 'https://evil.example', expected one of ['https://api.example.com', 'https://app" in caplog.text


def test_the_longest_token_in_a_query_reaches_the_loader(refused):
    assert refused({}, url="/?access_token=" + "a" * MAX_AUTHORIZATION) == (401, NO_TOKEN)


def test_a_cross_site_request_is_told_so(make_app):
    auth = Auth(APIKey(TOKENS.get, cookie="key"))
    app = make_app(auth)
    app.add_url_rule("/", "view", auth.login_required(lambda: "in"), methods=["POST"])
    headers = {"Cookie": "key=plain", "Origin": "https://elsewhere.example"}
    response = app.test_client(use_cookies=False).post("/", headers=headers)
    told = "This request came from another site, whose origin is not in trusted_origins=."  # F-44
    assert (response.status_code, response.json["message"]) == (403, told)


@pytest.mark.parametrize("field", [" Bearer plain", "\tBearer plain", "bEaReR plain", " bearer  plain\t"])
def test_blanks_and_case_do_not_matter(refused, field):
    assert refused({"Authorization": field})[0] == 200


@pytest.mark.parametrize(
    "field", ["Negotiate YII=, Foo x", "Foo a=b, bear=c", "Foo Bearer", "Foo a=b", "Foo", "Foo bearer=1, b=2"]
)
def test_what_names_no_scheme_of_ours_counts_as_nothing(refused, field):
    assert refused({"Authorization": field}) == (401, NOTHING)


# --- forms


@pytest.mark.parametrize(
    ("method", "size", "taken"),
    [("POST", 0, True), ("PUT", 0, True), ("PATCH", 0, True), ("POST", MAX_FORM, True), ("POST", MAX_FORM + 1, False)]
    + [(method, 0, False) for method in ("GET", "HEAD", "OPTIONS", "TRACE", "DELETE")],
)
def test_a_form_counts_where_the_method_has_a_body(make_app, method, size, taken):
    auth = Auth(Bearer(TOKENS.get, form=True))
    app = make_app(auth)
    view = auth.login_required(lambda: "in")
    app.add_url_rule("/", "view", view, methods=[method], provide_automatic_options=False)
    form = "access_token=plain" + "&b=" + "x" * max(0, size - len("access_token=plain&b="))
    content = "application/x-www-form-urlencoded"
    response = app.test_client().open("/", method=method, data=form, content_type=content)
    assert response.status_code == (200 if taken else 401)


def test_a_form_without_a_length_is_not_searched(make_app):
    auth = Auth(Bearer(TOKENS.get, form=True))
    app = make_app(auth)
    app.add_url_rule("/", "view", auth.login_required(lambda: "in"), methods=["POST"])
    response = app.test_client().post(
        "/", data="access_token=plain", content_type="application/x-www-form-urlencoded",
        environ_overrides={"CONTENT_LENGTH": ""},
    )  # fmt: skip
    assert response.status_code == 401


# --- challenges of others


@pytest.mark.parametrize(
    ("foreign", "stays"),
    [
        ('Basic realm="r", charset="UTF-8"', False),  # ours already
        ('BASIC realm="r"', True),
        ('Basic realm="other"', False),
        ("Basic", False),
        ('Digest realm="r", nonce="n", qop="auth"', False),
        ('Bearer realm="r", scope="more"', True),
        ('Custom realm="r"', False),
    ],
)
def test_which_challenge_of_another_stays_beside_ours(make_app, foreign, stays):
    """One of a scheme in force and of our realm; flask-restful and the like put theirs in our place."""
    auth = Auth(Bearer(TOKENS.get), Basic(lambda name, password: None), realm="r")
    app = make_app(auth)
    app.add_url_rule("/", "view", auth.login_required(lambda: "in"))
    app.after_request(lambda answer: answer.headers.set("WWW-Authenticate", foreign) or answer)
    app.after_request(lambda answer: answer.headers.set("Vary", "X-Other") or answer)
    lines = app.test_client().get("/").headers.getlist("WWW-Authenticate")
    ours = ['Basic realm="r", charset="UTF-8"', 'Bearer realm="r"']
    assert lines[:2] == ours
    assert len(lines) == (3 if stays else 2)
    if stays:
        assert lines[2].lower() == foreign.lower()


def test_retry_after_is_put_back_and_an_own_one_stays(make_app):
    def load(token):
        raise ConnectionError

    auth = Auth(Bearer(load), unavailable=(ConnectionError,))
    for own, expected in ((None, "5"), ("120", "120")):
        app = make_app(auth)

        @app.errorhandler(503)
        def handler(error, own=own):
            return "down", 503, {} if own is None else {"Retry-After": own}

        app.add_url_rule("/", "view", auth.login_required(lambda: "in"))
        answer = app.test_client().get("/", headers=bearer("x"))
        assert (answer.status_code, answer.headers.getlist("Retry-After")) == (503, [expected])


# --- optional views and what was identified before


def test_an_optional_demand_counts_for_who_was_identified_before(make_app):
    auth = Auth(Bearer(TOKENS.get), APIKey(TOKENS.get))
    key = auth.schemes[1]
    app = make_app(auth)
    part = Blueprint("part", __name__)

    @part.before_request
    def identify():
        auth.require(via=key)

    part.add_url_rule("/same", "same", auth.login_optional(lambda: auth.identity.subject))
    part.add_url_rule("/scoped", "scoped", auth.login_optional(scopes={"a"})(lambda: "in"))
    app.register_blueprint(part)
    client = app.test_client()
    key_of_ada = {"X-API-Key": "plain"}
    assert client.get("/same", headers=key_of_ada).text == "ada"
    assert client.get("/scoped", headers=key_of_ada).status_code == 403
    assert_unauthorized(client.get("/same"))


# --- what the developer reads


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Challenge("Foo", {"a": "b"}, token68="c"), r"a token68 or parameters, not both \(RFC 9110 §11\.3\)"),
        (lambda: Challenge("Foo", token68="a b"), r"token68 holds a character outside A-Z a-z 0-9 - \. _ ~ \+ /"),
        (lambda: Challenge("bASIC", token68="abc"), "a bASIC challenge has parameters, no token68"),
        (lambda: Challenge("Basic", {"charset": "UTF-8"}), r"a Basic challenge needs a realm \(RFC 7617 §2\)"),
        (lambda: Challenge("Basic", {"realm": "a", "b": "c"}), "Basic has no parameter 'b': only realm and charset"),
        (lambda: Challenge("Basic", {"realm": "a", "charset": "x"}), r"charset='x': Basic knows only UTF-8 \(RFC 7617"),
        (
            lambda: Challenge("Digest", {"realm": "a", "qop": "auth"}),
            r"a Digest challenge needs nonce \(RFC 7616",
        ),
        (lambda: parse_authorization(","), "commas without credentials"),
        (
            lambda: parse_authorization("Foo a=b, Bar c=d"),
            r"more than one set of credentials in one field \(RFC",
        ),
        (lambda: parse_authorization(", Foo a=b"), "a comma that separates nothing"),
        (lambda: parse_authorization("Foo abc,"), "a comma that separates nothing"),
    ],
)
def test_what_cannot_be_is_named(make, words):
    with pytest.raises((GrammarError, ValueError), match=words):
        make()


@pytest.mark.parametrize(
    ("name", "good", "bad", "words"),
    [
        ("stale", ("true", "FALSE"), "maybe", "stale='maybe': Digest allows true or false"),
        ("userhash", ("True", "false"), "1", "userhash='1': Digest allows true or false"),
        ("charset", ("UTF-8", "utf-8"), "latin-1", r"charset='latin-1': Digest allows utf-8 \(RFC 7616 §3\.3\)"),
    ],
)
def test_what_a_digest_challenge_may_say(name, good, bad, words):
    params = {"realm": "r", "nonce": "n", "qop": "auth"}
    for value in good:
        assert Challenge("Digest", {**params, name: value}).get(name) == value
    with pytest.raises(ValueError, match=words):
        Challenge("Digest", {**params, name: bad})


def test_challenges_are_values():
    one, same, other = Challenge("Foo", {"a": "b"}), Challenge("foo", {"A": "b"}), Challenge("Foo", token68="b=")
    assert one == same
    assert hash(one) == hash(same) != hash(other)
    assert one != "Foo"
    assert (one == "Foo") is False
    import pickle

    assert pickle.loads(pickle.dumps(other)) == other
    assert str(pickle.loads(pickle.dumps(other))) == "Foo b="
    with pytest.raises(AttributeError, match="immutable: scheme cannot be deleted"):
        del one.scheme


@pytest.mark.parametrize(
    ("realm", "proposed"), [("mein Büro", "mein Bro"), ("ä", "my app"), ("ü ~ ", " ~ "), ("ä" + "a" * 70, "a" * 64)]
)
def test_a_realm_that_could_be_sent_is_proposed(realm, proposed):
    with pytest.raises(ConfigurationError) as wrong:
        Bearer(TOKENS.get, realm=realm)
    assert str(wrong.value).endswith(f"for example {proposed!r}")


@pytest.mark.parametrize("origin", ["http://a.example", "https://a.example:8443"])
def test_origins_of_both_schemes_are_trusted(origin):
    assert APIKey(TOKENS.get, cookie="k", trusted_origins=[origin]).trusted_origins == {origin}
    with pytest.raises(ConfigurationError, match="is not an origin: write https://host or https://host:port"):
        APIKey(TOKENS.get, cookie="k", trusted_origins=[origin + "/path"])


def test_a_loader_in_a_running_loop_works_in_a_thread_that_has_a_name(make_app):
    seen = []

    async def load(token):
        seen.append(threading.current_thread().name)
        if token == "broken":
            raise KeyError("broken")
        return "ada"

    auth = Auth(Bearer(load))
    app = make_app(auth)

    async def view():
        return auth.require().subject + request.path

    app.add_url_rule("/", "view", view)
    assert app.test_client().get("/", headers=bearer("x")).text == "ada/"
    assert seen == ["flask_unauthorized loader"]
    with pytest.raises(KeyError, match="broken"):
        app.test_client().get("/", headers=bearer("broken"))


def test_a_secret_shows_nothing_and_does_not_travel():
    import pickle

    from flask_unauthorized.schemes.base import Secret

    secret = Secret()
    secret.loader_args = ("s3cret",)
    assert repr(secret) == "<Secret>"
    with pytest.raises(TypeError, match="a secret is not pickled"):
        pickle.dumps(secret)
    assert repr(Bearer(TOKENS.get)) == "<Bearer Bearer>"


# F-18: whatever the values are, a reason is short, and making it never fails.
def test_reasons_of_values_that_are_huge(refused):
    status, reason = refused(bearer("huge"), max_age=60)
    assert status == 401
    assert reason.startswith("the login is too old: auth_time is -1000")
    status, reason = refused(bearer("many"), roles={f"other-{number}" for number in range(1000)})
    assert status == 403
    assert reason.startswith("none of the roles ['other-")
    assert "the caller has ['role-0', " in reason
    assert reason.endswith("roles= of the view asks for others")

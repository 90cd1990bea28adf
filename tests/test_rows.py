"""Rows of the requirement table that no other test shows."""

import hashlib
import logging

import pytest
from flask import Blueprint, Flask
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.middleware.proxy_fix import ProxyFix

from flask_unauthorized import (
    APIKey,
    Auth,
    AuthUnavailable,
    Basic,
    Bearer,
    Challenge,
    ConfigurationError,
    Digest,
    DPoP,
    Identity,
    InvalidCredentials,
    SessionCookie,
    StepUpRequired,
    TooManyAttempts,
    errors,
)
from flask_unauthorized.loaders import StaticTokens
from flask_unauthorized.testing import assert_unauthorized
from flask_unauthorized.wire import GrammarError, parse_authorization, parse_challenges
from flask_unauthorized.wire.rules import check_uri

from .independent import independent

NOW = 1_800_000_000
GOOD = {"Authorization": "Bearer good"}
BAD = {"Authorization": "Bearer bad"}
ORIGIN = {"Origin": "https://elsewhere.example"}
PREFLIGHT = {**ORIGIN, "Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "authorization"}


@pytest.fixture
def auth():
    tokens = {
        "good": Identity("ada", scopes={"read"}),
        "old": Identity("ada", acr="silver", auth_time=NOW - 3600),
        "undated": Identity("ada", acr="gold"),
        "fresh": Identity("ada", acr="gold", auth_time=NOW - 10),
    }
    return Auth(Bearer(tokens.get), realm="notes")


@pytest.fixture
def serve(make_app, auth, monkeypatch):
    """The answer of a view behind a guard to a request."""
    monkeypatch.setattr("flask_unauthorized.authentication.authorization.time", lambda: NOW)

    def answer(guard=None, view=lambda: "fine", headers=(), method="GET", url="/", **config):
        app: Flask = make_app(auth, **config)
        app.add_url_rule("/", "view", (guard or auth.login_required)(view))
        return app.test_client().open(url, method=method, headers=dict(headers))

    return answer


# --- RFC 9110


@pytest.mark.rfc("H-08")
def test_credentials_may_come_first(serve):
    assert serve(headers=GOOD).status_code == 200


@pytest.mark.rfc("H-09")
@pytest.mark.parametrize("name", ["bearer", "BEARER", "bEaReR"])
def test_scheme_names_compare_without_case(serve, name):
    assert serve(headers={"Authorization": f"{name} good"}).status_code == 200


@pytest.mark.rfc("H-09", "H-12")
def test_parameters_are_read_without_case_and_quoted_or_not():
    plain, quoted = parse_authorization("Digest QOP=auth"), parse_authorization('digest qop="auth"')
    assert plain.get("qop") == quoted.get("Qop") == "auth"


@pytest.mark.rfc("H-10", "H-16", "H-18")
@given(st.lists(st.tuples(st.sampled_from("abc"), st.text("xyz ,=", max_size=5)), max_size=4))
def test_nothing_empty_and_nothing_twice_goes_out(params):
    try:
        line = str(Challenge("Custom", params))
    except GrammarError:
        assert len({name for name, _ in params}) < len(params)
        return
    (challenge,) = parse_challenges(line)
    assert [name for name, _ in challenge.params] == [name for name, _ in params]
    bare = "".join(line.split('"')[::2])  # outside of the quoted strings
    assert bare.count(",") == max(0, len(params) - 1)
    assert not line.startswith(",")
    assert not line.endswith(",")
    assert " =" not in bare
    assert "= " not in bare


@pytest.mark.rfc("H-39")
def test_no_user_or_password_in_a_uri_of_ours():
    with pytest.raises(ValueError, match="must not hold a user or password"):
        check_uri("error_uri", "https://user:pw@docs.example/")
    with pytest.raises(ValueError, match="must not hold a user or password"):
        Challenge("Bearer", {"realm": "a", "error": "invalid_token", "error_uri": "https://user:pw@docs.example/"})
    with pytest.raises(ValueError, match="must not hold a user or password"):
        Challenge("Bearer", {"resource_metadata": "https://user@api.example/.well-known/oauth-protected-resource"})


@pytest.mark.rfc("H-39")
@pytest.mark.parametrize(
    "members",
    [
        {"resource": "https://user:pw@api.example/notes"},
        {"resource": "https://api.example/notes", "authorization_servers": ["https://user:pw@id.example"]},
    ],
    ids=["resource", "authorization_servers"],
)
def test_no_user_or_password_in_a_document_of_ours(auth, members):
    with pytest.raises((ValueError, ConfigurationError)):
        auth.protected_resource(**members)


INCOMPLETE = {
    "basic": {"Authorization": "Basic YWRh"},  # no colon
    "bearer": {"Authorization": "Bearer"},
    "dpop": {"Authorization": "DPoP good"},  # no proof
    "digest": {"Authorization": 'Digest username="ada", realm="notes", nonce="{nonce}", uri="/"'},
}


@pytest.mark.rfc("H-03")
@pytest.mark.parametrize("sent", INCOMPLETE)
def test_incomplete_credentials_are_401_with_a_challenge(make_app, sent):
    schemes = {
        "basic": Basic(lambda name, password: True),
        "bearer": Bearer(lambda token: "ada"),
        "dpop": DPoP(lambda token: Identity("ada"), origin="https://api.example"),
        "digest": Digest(lambda name: "secret"),
    }
    auth = Auth(schemes[sent], realm="notes")
    app = make_app(auth, SECRET_KEY="a secret of thirty-two characters")
    app.add_url_rule("/", "view", auth.login_required(lambda: "fine"))
    ((name, params),) = independent(*app.test_client().get("/").headers.getlist("WWW-Authenticate"))
    headers = {field: value.format(nonce=params.get("nonce")) for field, value in INCOMPLETE[sent].items()}
    answered = app.test_client().get("/", headers=headers)
    assert answered.status_code == 401
    assert [scheme for scheme, _ in independent(*answered.headers.getlist("WWW-Authenticate"))] == [name]


@pytest.mark.rfc("H-22")
@pytest.mark.parametrize("turned", [False, True])
def test_schemes_that_all_clients_know_stand_before_those_that_few_do(make_app, turned):
    given = [
        APIKey(lambda key: None),
        DPoP(lambda token: None, origin="https://api.example"),
        Bearer(lambda token: None),
        Basic(lambda name, password: None),
        Digest(lambda name: None),
    ]
    auth = Auth(*(reversed(given) if turned else given))
    app = make_app(auth, SECRET_KEY="a secret of thirty-two characters")
    app.add_url_rule("/", "view", auth.login_required(lambda: "fine"))
    for _ in range(2):
        lines = app.test_client().get("/").headers.getlist("WWW-Authenticate")
        assert [line.partition(" ")[0] for line in lines[:3]] == ["Digest", "Basic", "Bearer"]
        assert {line.partition(" ")[0] for line in lines[3:]} == {"DPoP", "ApiKey"}


@pytest.mark.rfc("H-35", "BA-14")
def test_parts_of_an_app_have_realms_of_their_own(make_app):
    shop = Basic(lambda name, password: name == "customer", realm="shop")
    office = Basic(lambda name, password: name == "clerk", realm="Shop")
    auth = Auth(shop, office, realm="neither")
    app = make_app(auth)
    for name, scheme in (("shop", shop), ("office", office)):
        part = Blueprint(name, __name__, url_prefix=f"/{name}")
        part.add_url_rule("/", "view", lambda: "fine")
        auth.protect(part, via=scheme)
        app.register_blueprint(part)
    client = app.test_client()
    for path, realm, own, other in (("/shop/", "shop", "customer", "clerk"), ("/office/", "Shop", "clerk", "customer")):
        assert client.get(path, auth=(own, "pw")).status_code == 200
        for refused in (client.get(path), client.get(path, auth=(other, "pw"))):
            assert refused.status_code == 401
            told = independent(*refused.headers.getlist("WWW-Authenticate"))
            assert [(scheme.lower(), params["realm"]) for scheme, params in told] == [("basic", realm)]


# --- RFC 9111


@pytest.mark.rfc("C-01")
def test_an_accepted_answer_is_opened_to_no_shared_cache(serve):
    caching = serve(headers=GOOD).headers.get("Cache-Control", "")
    assert not {"public", "s-maxage", "must-revalidate"} & set(caching.replace("=", ",").replace(" ", "").split(","))


@pytest.mark.rfc("C-06", "H-32")
@pytest.mark.parametrize("kind", ["session", "key"])
def test_an_anonymous_answer_of_an_optional_view_varies_by_the_cookie(make_app, kind):
    auth = Auth(SessionCookie(lambda subject: subject) if kind == "session" else APIKey({}.get, cookie="key"))
    app = make_app(auth, SECRET_KEY="a secret of thirty-two characters")
    app.add_url_rule("/", "view", auth.login_optional(lambda: "for everybody"))
    answered = app.test_client().get("/")
    assert (answered.status_code, answered.text) == (200, "for everybody")
    assert "Cookie" in [name.strip() for name in answered.headers["Vary"].split(",")]


# --- RFC 6750


@pytest.mark.rfc("B-27", "B-21")
@pytest.mark.parametrize(
    ("kind", "status", "told"),
    [
        (errors.MissingCredentials, 401, {"bearer": None}),
        (errors.InvalidCredentials, 401, {"bearer": "invalid_token"}),
        (errors.ExpiredCredentials, 401, {"bearer": "invalid_token"}),
        (errors.RevokedCredentials, 401, {"bearer": "invalid_token"}),
        (errors.StepUpRequired, 401, {"bearer": "insufficient_user_authentication"}),
        (errors.MalformedCredentials, 400, {"bearer": "invalid_request"}),
        (errors.InsufficientScope, 403, {"bearer": "insufficient_scope"}),
        (errors.Forbidden, 403, {}),
        (errors.TooManyAttempts, 429, {}),
        (errors.AuthUnavailable, 503, {}),
    ],
)
def test_an_error_code_goes_with_its_status(serve, auth, kind, status, told):
    def view():
        raise kind

    response = serve(auth.login_required, view, GOOD)
    assert response.status_code == status
    lines = response.headers.getlist("WWW-Authenticate")
    assert {scheme.lower(): params.get("error") for scheme, params in independent(*lines)} == told


# --- RFC 9470


@pytest.mark.rfc("SU-02", "SU-04")
def test_acr_values_keep_their_order_beside_max_age(serve, auth):
    guard = auth.login_required(acr=["gold", "platinum"], max_age=60)
    challenge = assert_unauthorized(serve(guard, headers={"Authorization": "Bearer old"}), scheme="Bearer")
    assert challenge.get("error") == "insufficient_user_authentication"
    assert (challenge.get("acr_values"), challenge.get("max_age")) == ("gold platinum", "60")
    assert serve(guard, headers={"Authorization": "Bearer fresh"}).status_code == 200


@pytest.mark.rfc("SU-02")
@pytest.mark.parametrize("acr", [["gold", "platinum"], ["platinum", "gold"], ["platinum", "gold", "silver"]])
def test_any_of_the_acr_values_will_do(serve, auth, acr):
    assert serve(auth.login_required(acr=acr), headers={"Authorization": "Bearer fresh"}).status_code == 200


@pytest.mark.rfc("SU-03")
def test_max_age_may_be_zero(serve, auth):
    challenge = assert_unauthorized(serve(auth.login_required(max_age=0), headers={"Authorization": "Bearer fresh"}))
    assert (challenge.get("error"), challenge.get("max_age")) == ("insufficient_user_authentication", "0")


@pytest.mark.rfc("SU-03")
@pytest.mark.parametrize("max_age", [-1, 1.5, "60", True])
def test_max_age_is_a_whole_number_of_seconds(auth, max_age):
    with pytest.raises((TypeError, ConfigurationError), match="max_age must be"):
        auth.login_required(max_age=max_age)
    with pytest.raises((TypeError, ValueError), match="max_age must be"):
        StepUpRequired(max_age=max_age)


@pytest.mark.rfc("SU-06")
@pytest.mark.parametrize("token", ["old", "undated"])
def test_the_login_counts_and_an_unknown_time_is_too_old(serve, auth, token):
    response = serve(auth.login_required(max_age=60), headers={"Authorization": f"Bearer {token}"})
    assert_unauthorized(response, scheme="Bearer", error="insufficient_user_authentication")


@pytest.mark.rfc("SU-07")
def test_a_bad_token_learns_nothing_of_the_policy(serve, auth):
    for headers, error in ((BAD, "invalid_token"), ({}, None)):
        response = serve(auth.login_required(acr="gold", max_age=60), headers=headers)
        assert_unauthorized(response, scheme="Bearer", error=error)
        assert "gold" not in str(response.headers) + response.text
        assert "max_age" not in str(response.headers)


# --- RFC 9700


@pytest.mark.rfc("S-03")
def test_configured_tokens_are_kept_as_digests():
    tokens = StaticTokens({"s3cret-token": "ada"})
    kept = repr([getattr(tokens, name) for name in type(tokens).__slots__])
    assert "s3cret-token" not in kept
    assert repr(hashlib.sha256(b"s3cret-token").digest()) in kept


@pytest.mark.rfc("S-05", "H-37")
def test_forwarded_fields_count_only_where_the_app_trusts_a_proxy(make_app, auth):
    app = make_app(auth, UNAUTHORIZED_REQUIRE_HTTPS=True)
    app.add_url_rule("/", "view", auth.login_required(lambda: "fine"))
    forwarded = {**GOOD, "X-Forwarded-Proto": "https", "Forwarded": "proto=https"}
    assert app.test_client().get("/", headers=forwarded).status_code == 403
    app.wsgi_app = ProxyFix(app.wsgi_app, x_proto=1)
    assert app.test_client().get("/", headers=forwarded).status_code == 200


# --- RFC 9457


@pytest.mark.rfc("PD-06")
def test_detail_helps_and_debugs_nothing(serve, auth):
    def view():
        raise InvalidCredentials(reason="row 7 of table users")

    response = serve(auth.login_optional, view, {"Accept": "application/problem+json"})
    assert response.json["detail"] == "The credentials are not valid."
    assert "row 7" not in response.text


# --- RFC 8053, RFC 6585


@pytest.mark.rfc("OP-01", "OP-03")
def test_optional_www_authenticate_is_never_sent(serve, auth):
    for headers in ({}, GOOD, BAD):
        assert "Optional-WWW-Authenticate" not in serve(auth.login_optional, headers=headers).headers


@pytest.mark.rfc("ST-01")
def test_too_many_attempts_say_when_to_come_back(make_app):
    def load(token):
        raise TooManyAttempts(retry_after=30.2)

    auth = Auth(Bearer(load))
    app = make_app(auth)
    app.add_url_rule("/", "view", auth.login_required(lambda: "fine"))
    response = app.test_client().get("/", headers=GOOD)
    assert response.status_code == 429
    assert response.headers["Retry-After"] == "31"
    assert response.headers["Cache-Control"] == "no-store"
    assert response.json["message"]
    assert "WWW-Authenticate" not in response.headers


@pytest.mark.rfc("ST-03", "H-07")
def test_no_error_of_ours_has_a_status_of_proxies_or_networks():
    codes = {getattr(kind, "code", None) for kind in vars(errors).values()}
    assert codes - {None} == {400, 401, 403, 429, 503}


# --- Fetch


@pytest.mark.rfc("F-02", "F-10")
@pytest.mark.parametrize("methods", [["GET"], ["GET", "OPTIONS"]])
@pytest.mark.parametrize("guarded", ["view", "blueprint", "app"])
def test_a_preflight_is_never_judged(make_app, auth, methods, guarded):
    app, part = make_app(auth), Blueprint("part", __name__)
    view = auth.login_required(lambda: "fine") if guarded == "view" else lambda: "fine"
    part.add_url_rule("/", "view", view, methods=methods)
    if guarded != "view":
        auth.protect(part if guarded == "blueprint" else app)
    app.register_blueprint(part)
    assert app.test_client().get("/").status_code == 401
    answer = app.test_client().options("/", headers=PREFLIGHT)
    assert answer.status_code == 200
    assert "WWW-Authenticate" not in answer.headers
    assert answer.text == ""


@pytest.mark.rfc("F-03", "F-05", "F-06")
@pytest.mark.parametrize("allowed", [None, "*", "https://elsewhere.example"])
def test_a_script_reads_the_refusal_where_the_app_lets_it_read_anything(make_app, auth, allowed):
    app = make_app(auth)
    app.add_url_rule("/", "view", auth.login_required(lambda: "fine"))
    if allowed is not None:
        app.after_request(lambda answer: answer.headers.set("Access-Control-Allow-Origin", allowed) or answer)
    headers = app.test_client().get("/", headers=ORIGIN).headers
    # Named, for a star would not do with credentials; and nothing opened that the app keeps closed.
    assert headers.get("Access-Control-Expose-Headers") == (None if allowed is None else "WWW-Authenticate")
    assert headers.get("Access-Control-Allow-Origin") == allowed


@pytest.mark.rfc("F-06")
@pytest.mark.parametrize("exposed", ["*", "*, X-Request-Id"])
def test_a_star_of_the_app_does_not_stand_for_the_names(make_app, auth, exposed):
    """With credentials a browser reads ``*`` as the name of a field (Fetch, CORS protocol)."""
    app = make_app(auth)
    app.add_url_rule("/", "view", auth.login_required(lambda: "fine"))

    @app.after_request
    def cors(answer):
        answer.headers["Access-Control-Allow-Origin"] = ORIGIN["Origin"]
        answer.headers["Access-Control-Allow-Credentials"] = "true"
        answer.headers["Access-Control-Expose-Headers"] = exposed
        return answer

    told = app.test_client().get("/", headers=ORIGIN).headers["Access-Control-Expose-Headers"]
    assert "WWW-Authenticate" in [name.strip() for name in told.split(",")]


@pytest.mark.rfc("F-05")
@pytest.mark.parametrize("error", [TooManyAttempts, AuthUnavailable])
def test_a_script_reads_when_to_come_back(make_app, error):
    def load(token):
        raise error(retry_after=30)

    auth = Auth(Bearer(load))
    app = make_app(auth)
    app.add_url_rule("/", "view", auth.login_required(lambda: "fine"))
    app.after_request(lambda answer: answer.headers.set("Access-Control-Allow-Origin", "*") or answer)
    headers = app.test_client().get("/", headers={**ORIGIN, **GOOD}).headers
    assert (headers["Retry-After"], headers["Access-Control-Expose-Headers"]) == ("30", "Retry-After")


SCRIPTS = [
    {"X-Requested-With": "XMLHttpRequest"},
    {"HX-Request": "true"},
    {"Sec-Fetch-Mode": "cors", "Sec-Fetch-Site": "same-origin"},
    {"Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Site": "cross-site"},
]
OTHERS = [
    {},
    {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Site": "none"},
    {"Sec-Fetch-Mode": "cors"},  # Node
    {"Sec-Fetch-Site": "none"},
]


@pytest.mark.rfc("F-09")
@pytest.mark.parametrize("bare", [False, True])
@pytest.mark.parametrize(("sent", "script"), [(sent, True) for sent in SCRIPTS] + [(sent, False) for sent in OTHERS])
def test_a_script_is_offered_what_opens_no_password_box(make_app, sent, script, bare):
    """A true challenge all the same, on one line, which Firefox needs; programs and navigations get all of them."""
    auth = Auth(Basic(lambda name, password: None), APIKey(lambda key: None), Bearer(lambda token: None))
    app = make_app(auth)
    app.add_url_rule("/", "view", (lambda: ("", 401)) if bare else auth.login_required(lambda: "fine"))
    for headers in (sent, {**sent, "Authorization": "Basic YTpi"}, {**sent, "Authorization": "Bearer x"}):
        answer = app.test_client().get("/", headers=headers)
        assert answer.status_code == 401
        lines = answer.headers.getlist("WWW-Authenticate")
        names = [challenge.scheme for challenge in parse_challenges(lines)]
        assert names == (["Bearer", "ApiKey"] if script else ["Basic", "Bearer", "ApiKey"])
        assert len(lines) == (1 if script else 3)
        assert "Sec-Fetch-Mode" in answer.headers["Vary"]


@pytest.mark.rfc("F-09")
def test_a_script_is_offered_a_password_where_there_is_nothing_else(make_app):
    auth = Auth(Basic(lambda name, password: None))
    app = make_app(auth)
    app.add_url_rule("/", "view", auth.login_required(lambda: "fine"))
    answer = app.test_client().get("/", headers=SCRIPTS[0])
    assert_unauthorized(answer, scheme="Basic")
    assert "Sec-Fetch-Mode" not in answer.headers["Vary"]


@pytest.mark.rfc("H-38")
def test_no_credential_is_logged(serve, caplog):
    caplog.set_level(logging.DEBUG)
    serve(headers={"Authorization": "Bearer very-secret-token"})
    assert "very-secret-token" not in caplog.text

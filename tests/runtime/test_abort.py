"""The two ways to stop a view: the right status, the challenges in force, and a message that can't break anything."""

import re
from base64 import b64encode
from inspect import signature

import pytest
from flask import Flask, abort

from flask_unauthorized import (
    APIKey,
    Auth,
    Basic,
    Bearer,
    ExpiredCredentials,
    Forbidden,
    Identity,
    InvalidCredentials,
    MalformedCredentials,
    MissingCredentials,
    RevokedCredentials,
    StepUpRequired,
    TooManyAttempts,
    Unauthorized,
    abort_forbidden,
    abort_unauthorized,
)

GOOD = {"Authorization": "Bearer good"}
BAD = {"Authorization": "Bearer bad"}
BASIC = {"Authorization": "Basic " + b64encode(b"ada:pw").decode()}
KEY = {"X-API-Key": "good"}
LINE = re.compile(r'([A-Za-z]+) ((?:[a-z_]+="(?:[^"\\]|\\.)*"(?:, |\Z))+)')


def load(token):
    return Identity("ada", scopes={"read"}) if token == "good" else None


class Frozen(Unauthorized):
    """An error of the app's own."""

    error = "account_frozen"
    description = "The account is frozen."


class Site:
    """An app with three schemes, where one view aborts."""

    def __init__(self, make_app):
        self.bearer, self.key = Bearer(load), APIKey(load)
        self.basic = Basic(lambda user, password: password == "pw")
        self.auth = Auth(self.bearer, self.basic, self.key, realm="notes")
        self.app = make_app(self.auth)

    def aborts(self, stop, *, guard=None, hook=False, **demands):
        def view():
            stop()
            return "went on"

        if guard is not None:
            view = getattr(self.auth, guard)(**demands)(view)
        if hook:
            self.app.before_request(lambda: stop())
        self.app.add_url_rule("/", "view", view)
        return self

    def get(self, headers=None, accept="application/json"):
        return self.app.test_client().get("/", headers={"Accept": accept, **(headers or {})})


@pytest.fixture
def site(make_app):
    return Site(make_app)


def challenges(response):
    """Scheme -> parameters, by a parser of the test's own."""
    found = {}
    for line in response.headers.getlist("WWW-Authenticate"):
        match = LINE.fullmatch(line)
        assert match, line
        assert match[1] not in found
        found[match[1]] = dict(re.findall(r'([a-z_]+)="((?:[^"\\]|\\.)*)"', match[2]))
    return found


def errors(response):
    return {name: params.get("error") for name, params in challenges(response).items()}


# --- abort_unauthorized: which error


ALL_CLEAN = {"Basic": None, "Bearer": None, "ApiKey": None}


@pytest.mark.rfc("H-01", "B-09")
@pytest.mark.parametrize("hook", [False, True], ids=["view", "before_request"])
@pytest.mark.parametrize("guard", [None, "login_optional"])
@pytest.mark.parametrize(
    ("headers", "told"),
    [
        ({}, ALL_CLEAN),
        ({"Authorization": "Negotiate abc"}, ALL_CLEAN),
        (GOOD, ALL_CLEAN),
        (KEY, ALL_CLEAN),
        (BASIC, ALL_CLEAN),
    ],
    ids=["nothing", "other_scheme", "bearer", "key", "basic"],
)
def test_hdr_13_valid_credentials_are_not_called_invalid(site, guard, hook, headers, told):
    response = site.aborts(abort_unauthorized, guard=guard, hook=hook).get(headers)
    assert response.status_code == 401
    assert errors(response) == told
    assert list(challenges(response)) == ["Basic", "Bearer", "ApiKey"]
    assert {params["realm"] for params in challenges(response).values()} == {"notes"}
    assert response.headers.getlist("Cache-Control") == ["no-store"]
    assert set(response.json) == {"error", "message"}


@pytest.mark.rfc("H-01", "B-09")
def test_credentials_of_a_scheme_not_in_force_count_as_nothing(site):
    site.aborts(abort_unauthorized, guard="login_optional", via=site.key)
    assert errors(site.get(GOOD)) == errors(site.get(BAD)) == errors(site.get(KEY)) == {"ApiKey": None}


@pytest.mark.rfc("B-12", "SU-01", "H-01")
@pytest.mark.parametrize("where", ["guarded", "open", "hook"])
@pytest.mark.parametrize(
    ("error", "code"),
    [
        (InvalidCredentials, "invalid_token"),
        (ExpiredCredentials, "invalid_token"),
        (RevokedCredentials, "invalid_token"),
        (StepUpRequired, "insufficient_user_authentication"),
        (Frozen, "account_frozen"),
        (MissingCredentials, None),
        (Unauthorized, None),
    ],
)
def test_401t_the_error_is_told_in_the_challenge_of_the_scheme_that_was_sent(site, error, code, where):
    guard = "login_required" if where == "guarded" else None
    site.aborts(lambda: abort_unauthorized(error=error), guard=guard, hook=where == "hook")
    response = site.get(GOOD)
    assert response.status_code == 401
    assert errors(response) == {**ALL_CLEAN, "Bearer": code}
    if code is not None:
        assert challenges(response)["Bearer"]["error_description"] == response.json["message"] == error.description


@pytest.mark.rfc("SU-01")
@pytest.mark.parametrize(
    ("details", "demands", "told"),
    [
        ({"max_age": 300}, {}, {"max_age": "300"}),
        ({"max_age": 0}, {}, {"max_age": "0"}),
        ({"acr_values": "gold silver"}, {}, {"acr_values": "gold silver"}),
        ({"acr_values": ["gold"], "max_age": 5}, {}, {"acr_values": "gold", "max_age": "5"}),
        ({}, {}, {}),
    ],
    ids=str,
)
def test_details_of_a_step_up_go_into_the_challenge(site, details, demands, told):
    site.aborts(lambda: abort_unauthorized("sign in again", error=StepUpRequired, **details), guard="login_required")
    bearer = challenges(site.get(GOOD))["Bearer"]
    assert {name: bearer[name] for name in ("max_age", "acr_values") if name in bearer} == told
    assert (bearer["error"], bearer["error_description"]) == ("insufficient_user_authentication", "sign in again")


@pytest.mark.rfc("SU-01")
def test_a_step_up_without_details_names_those_of_the_view(make_app):
    auth = Auth(Bearer(lambda token: Identity("ada", acr="gold")), realm="notes")
    app = make_app(auth)
    view = auth.login_required(acr=["gold", "silver"])(lambda: abort_unauthorized(error=StepUpRequired))
    app.add_url_rule("/", "view", view)
    bearer = challenges(app.test_client().get("/", headers=GOOD))["Bearer"]
    assert bearer["acr_values"] == "gold silver"


@pytest.mark.rfc("B-10", "B-11")
@pytest.mark.parametrize("sent", ["Bearer a!", "Bearer a b", "Bearer a, Bearer b"])
def test_malformed_credentials_on_an_open_view_are_400(site, sent):
    response = site.aborts(abort_unauthorized).get({"Authorization": sent})
    assert response.status_code == 400
    assert errors(response)["Bearer"] == "invalid_request"


# --- abort_forbidden


@pytest.mark.rfc("H-02", "H-04")
@pytest.mark.parametrize("headers", [GOOD, KEY, BASIC], ids=["bearer", "key", "basic"])
def test_who_is_known_gets_403(site, headers):
    site.aborts(lambda: abort_forbidden("not yours"), guard="login_required")
    response = site.get(headers)
    assert response.status_code == 403
    assert response.json == {"error": "Forbidden", "message": "not yours"}
    assert set(errors(response).values()) <= {None}
    assert response.headers.getlist("Cache-Control") == ["no-store"]


@pytest.mark.rfc("H-01", "H-02")
@pytest.mark.parametrize("guard", ["login_optional", None])
@pytest.mark.parametrize("scopes", [None, {"write"}])
def test_who_is_not_known_gets_401(site, guard, scopes):
    response = site.aborts(lambda: abort_forbidden("not yours", scopes=scopes), guard=guard).get()
    assert response.status_code == 401
    assert errors(response) == ALL_CLEAN


@pytest.mark.rfc("B-13", "H-06")
@pytest.mark.parametrize(
    ("scopes", "told"),
    [({"write"}, "write"), ({"write", "admin"}, "admin write"), ("write admin", "admin write"), (["a", "a"], "a")],
    ids=["one", "set", "words", "doubled"],
)
def test_err_15_scopes_are_told_sorted(site, scopes, told):
    response = site.aborts(lambda: abort_forbidden(scopes=scopes), guard="login_required").get(GOOD)
    assert response.status_code == 403
    bearer = challenges(response)
    assert list(bearer) == ["Bearer"]
    assert (bearer["Bearer"]["error"], bearer["Bearer"]["scope"]) == ("insufficient_scope", told)


@pytest.mark.rfc("B-13")
@pytest.mark.parametrize("scopes", [(), "", set()], ids=repr)
def test_never_an_empty_scope(site, scopes):
    response = site.aborts(lambda: abort_forbidden(scopes=scopes), guard="login_required").get(GOOD)
    assert response.status_code == 403
    assert "scope=" not in response.headers["WWW-Authenticate"].replace("insufficient_scope", "")
    assert errors(response) == {"Bearer": "insufficient_scope"}


# --- messages (HDR-08)

MESSAGES = {
    "quote": 'say "friend" and enter',
    "backslash": "C:\\temp\\",
    "umlaut": "Zugriff für Žluť verweigert 🔒",
    "crlf": "x\r\nX-Injected: y\r\n\r\n<b>",
    "lf": "x\nSet-Cookie: a=b",
    "nul": "a\x00b\x7fc\x1b[31m",
    "tab": "a\tb",
    "5kB": "long " * 1024,
    "5kB_quotes": '"' * 5000,
    "params": 'x", Basic realm="p',
    "pattern": 'realm="evil", nonce=1',
    "line_separator": "a\u2028b",
    "surrogate": "a\ud800b",
}
ALPHABET = re.compile(r"[\x20-\x21\x23-\x5B\x5D-\x7E]{1,200}")


@pytest.mark.rfc("H-23", "H-24", "B-14")
@pytest.mark.parametrize("accept", ["application/json", "application/problem+json", "text/html", "text/plain"])
@pytest.mark.parametrize("message", MESSAGES)
def test_hdr_08_a_message_is_cleaned_for_the_header(site, message, accept):
    stop = site.aborts(lambda: abort_unauthorized(MESSAGES[message], error=InvalidCredentials), guard="login_required")
    response = stop.get(GOOD, accept)
    assert response.status_code == 401
    assert list(challenges(response)) == ["Basic", "Bearer", "ApiKey"]
    description = challenges(response)["Bearer"]["error_description"]
    assert ALPHABET.fullmatch(description)
    assert "=" not in description
    assert {"X-Injected", "Set-Cookie"}.isdisjoint(name for name, _ in response.headers)
    assert all(re.fullmatch(r"[\t\x20-\x7E]*", value) for _, value in response.headers)
    assert response.mimetype == accept


@pytest.mark.parametrize("message", MESSAGES)
@pytest.mark.parametrize("scopes", [None, {"write"}])
def test_hdr_08_of_a_403_too(site, message, scopes):
    stop = site.aborts(lambda: abort_forbidden(MESSAGES[message], scopes=scopes), guard="login_required")
    response = stop.get(GOOD)
    assert response.status_code == 403
    assert all(re.fullmatch(r"[\t\x20-\x7E]*", value) for _, value in response.headers)
    assert "X-Injected" not in response.headers
    if scopes:
        assert ALPHABET.fullmatch(challenges(response)["Bearer"]["error_description"])


@pytest.mark.parametrize("message", ["quote", "umlaut", "crlf", "5kB"])
def test_the_body_has_the_whole_message(site, message):
    site.aborts(lambda: abort_unauthorized(MESSAGES[message]), guard="login_required")
    assert site.get(GOOD).json["message"] == MESSAGES[message]


def test_lek_13_a_reason_cannot_break_the_explained_page(site):
    site.app.debug = True
    response = site.aborts(lambda: abort_unauthorized(reason="<b>\ud800\r\n")).get(accept="text/html")
    assert (response.status_code, response.mimetype) == (401, "text/html")
    assert "<b>" not in response.text


def test_a_message_of_nothing_sends_no_empty_description(site):
    response = site.aborts(lambda: abort_unauthorized(""), guard="login_required").get(GOOD)
    assert response.status_code == 401
    assert '""' not in str(response.headers)


def test_hdr_13_a_message_to_somebody_anonymous_stays_out_of_the_header(site):
    response = site.aborts(lambda: abort_unauthorized("please log in")).get()
    assert response.json["message"] == "please log in"
    assert "please" not in str(response.headers)


# --- the developer's mistakes


@pytest.mark.parametrize(
    "stop",
    [
        lambda: abort_unauthorized(error=Forbidden),
        lambda: abort_unauthorized(error=TooManyAttempts),
        lambda: abort_unauthorized(error=MalformedCredentials),
        lambda: abort_unauthorized(error=ValueError),
        lambda: abort_unauthorized(error=InvalidCredentials()),
        lambda: abort_unauthorized(error="invalid_token"),
        lambda: abort_unauthorized(5),
        lambda: abort_unauthorized(b"bytes"),
        lambda: abort_unauthorized("text", error=InvalidCredentials, max_age=5),
        lambda: abort_unauthorized(max_age=300),
        lambda: abort_unauthorized(error=StepUpRequired, max_age="300"),
        lambda: abort_unauthorized(error=StepUpRequired, max_age=True),
        lambda: abort_unauthorized(error=StepUpRequired, acr_values=[5]),
        lambda: abort_unauthorized("text", InvalidCredentials),
        lambda: abort_forbidden(5),
        lambda: abort_forbidden(scopes={5}),
        lambda: abort_forbidden("text", {"write"}),
    ],
    ids=range(17),
)
def test_a_mistake_is_a_type_error(site, stop):
    site.aborts(stop, guard="login_required")
    with pytest.raises(TypeError):
        site.get(GOOD)


@pytest.mark.parametrize("scope", ['a"b', "a\\b", "\u00e9", "a\tb", ""], ids=ascii)
def test_hdr_09_a_scope_that_is_no_token_is_refused(site, scope):
    site.aborts(lambda: abort_forbidden(scopes=[scope]), guard="login_required")
    with pytest.raises(ValueError, match="scope"):
        site.get(GOOD)


def test_what_was_refused_before_the_view_is_not_replaced(site):
    response = site.aborts(lambda: abort_forbidden("no"), guard="login_required").get(BAD)
    assert response.status_code == 401
    assert errors(response)["Bearer"] == "invalid_token"


# --- flask-restful replaces Flask's error handling


@pytest.mark.skipif(
    len(signature(Flask.handle_user_exception).parameters) > 2,
    reason="Flask-RESTful 0.3.10 replaces handle_user_exception(), to which Flask 3.2 passes one argument more",
)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("serve", [False, True], ids=["plain", "serve_challenge_on_401"])
@pytest.mark.parametrize("early", [True, False], ids=["api_first", "auth_first"])
@pytest.mark.parametrize(
    ("path", "headers", "error"),
    [("/abort", {}, None), ("/guarded", {}, None), ("/guarded", BAD, "invalid_token"), ("/tuple", {}, None)],
)
def test_flask_restful(early, serve, path, headers, error):
    from flask_restful import Api, Resource

    auth = Auth(Bearer(load), realm="notes")

    class Abort(Resource):
        def get(self):
            abort_unauthorized() if serve else abort(401)

    class Guarded(Resource):
        method_decorators = [auth.login_required]

        def get(self):
            return {"owner": auth.identity.subject}

    class Tuple(Resource):
        def get(self):
            return {"message": "no"}, 401

    app = Flask("restful")
    app.testing = True
    if not early:
        auth.init_app(app)
    api = Api(app, serve_challenge_on_401=serve)
    for resource in (Abort, Guarded, Tuple):
        api.add_resource(resource, f"/{resource.__name__.lower()}")
    if early:
        auth.init_app(app)
    client = app.test_client()
    response = client.get(path, headers=headers)
    assert response.status_code == 401
    assert response.json["message"]
    assert errors(response) == {"Bearer": error}
    assert challenges(response)["Bearer"]["realm"] == "notes"
    assert response.headers["Cache-Control"] == "no-store"
    assert client.get("/guarded", headers=GOOD).json == {"owner": "ada"}


# --- routes that nobody judged


@pytest.mark.parametrize(
    ("credentials", "status", "challenge"),
    [
        ("Bearer good", 403, None),
        (
            "Bearer x",
            401,
            'Bearer realm="r", error="invalid_token", error_description="The credentials are not valid."',
        ),
        (None, 401, 'Bearer realm="r"'),
    ],
)
def test_abort_forbidden_where_nobody_judged_asks_who_is_calling(auth, make_app, credentials, status, challenge):
    app = make_app(auth, UNAUTHORIZED_REALM="r")
    app.add_url_rule("/", "index", lambda: abort_forbidden("not you"))
    answer = app.test_client().get("/", headers={"Authorization": credentials} if credentials else {})
    assert (answer.status_code, answer.headers.get("WWW-Authenticate")) == (status, challenge)


def test_abort_unauthorized_is_401_whatever_a_junk_cookie_says(make_app):
    auth = Auth(APIKey(lambda key: None, cookie="key"))
    app = make_app(auth)
    app.add_url_rule("/", "index", lambda: abort_unauthorized("log in"), methods=["POST"])
    headers = {"Cookie": "key=junk", "Sec-Fetch-Site": "cross-site"}
    assert app.test_client().post("/", headers=headers).status_code == 401

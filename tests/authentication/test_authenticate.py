"""The order of judgment, pair by pair, and which credentials count."""

import itertools
import time

import pytest
from flask import Blueprint

from flask_unauthorized import (
    APIKey,
    Auth,
    Basic,
    Bearer,
    Challenge,
    Digest,
    DPoP,
    Forbidden,
    Identity,
    InsufficientScope,
    MalformedCredentials,
    Scheme,
    StepUpRequired,
)
from flask_unauthorized.loaders import StaticTokens
from flask_unauthorized.testing import assert_unauthorized
from flask_unauthorized.wire import parse_challenges
from tests.helpers import app_with_view, challenges_of, get_view


class Down(Exception):
    """A dependency's failure."""


class Flawed(Scheme[str]):
    """Credentials are a list of flaws, so that any two can come together."""

    name = "Flawed"
    reads = (("authorization", "flawed"),)

    def read(self, request, rest):
        if rest is not None and "syntax" in rest:
            raise MalformedCredentials
        return rest

    def verify(self, credentials, request):
        return self.load(credentials)

    def challenges(self, realm, error, request):
        said = {} if error is None or error.error is None else {"error": error.error}
        return (Challenge("Flawed", {"realm": realm, **said}),)


def _load(flaws: str):
    if "unavailable" in flaws:
        raise Down
    if "authenticity" in flaws:
        return None
    now = time.time()
    return Identity(
        "ada",
        scopes=set() if "scope" in flaws else {"read"},
        confirmation={"jkt": "x"} if "binding" in flaws else None,
        expires_at=now - 5 if "expiry" in flaws else now + 60,
        auth_time=now - 5000 if "step-up" in flaws else now,
    )


# What each flaw alone is answered with, in the order in which they are judged.
ORDER = {
    "syntax": (400, "invalid_request"),
    "unavailable": (503, None),
    "authenticity": (401, "invalid_token"),
    "binding": (401, "invalid_token"),
    "expiry": (401, "invalid_token"),
    "step-up": (401, "insufficient_user_authentication"),
    "scope": (403, "insufficient_scope"),
}
MESSAGES = {"binding": "The credentials are not valid.", "expiry": "The credentials have expired."}


@pytest.fixture
def flawed(make_app):
    auth = Auth(Flawed(_load), unavailable=(Down,))
    app = make_app(auth)
    view = auth.login_required(scopes={"read"}, max_age=60)(lambda: auth.identity.subject)
    app.add_url_rule("/", "index", view)
    return app.test_client()


def _answer(client, *flaws):
    answer = client.get("/", headers={"Authorization": f"Flawed {'+'.join(flaws)}"})
    lines = answer.headers.getlist("WWW-Authenticate")
    error = parse_challenges(lines)[0].get("error") if lines else None
    return (answer.status_code, error), answer


@pytest.mark.parametrize("flaw", ORDER)
def test_each_flaw_alone(flawed, flaw):
    assert _answer(flawed, flaw)[0] == ORDER[flaw]


@pytest.mark.parametrize(("first", "second"), list(itertools.combinations(ORDER, 2)))
def test_of_two_flaws_the_earlier_decides(flawed, first, second):
    told, answer = _answer(flawed, second, first)
    assert told == ORDER[first]
    if first in MESSAGES:
        assert answer.json["message"] == MESSAGES[first]


def test_no_flaw_is_let_in(flawed):
    assert flawed.get("/", headers={"Authorization": "Flawed none"}).text == "ada"


# --- which credentials count


@pytest.fixture
def calls():
    return []


@pytest.fixture
def client(make_app, calls):
    def loader(name):
        def load(*secret):
            calls.append((name, *secret))
            return Identity(name) if secret[-1] == "good" else None

        return load

    key, cookie = APIKey(loader("key")), APIKey(loader("cookie"), cookie="session")
    auth = Auth(Bearer(loader("bearer")), Basic(loader("basic")), key, cookie, realm="r")
    app = make_app(auth)
    app.add_url_rule("/", "all", auth.login_required(lambda: auth.identity.subject), methods=["GET", "POST"])
    bearer_only = auth.login_required(via=[auth.schemes[0], cookie])(lambda: auth.identity.subject)
    app.add_url_rule("/bearer", "bearer", bearer_only)
    optional = auth.login_optional(lambda: getattr(auth.get_identity(), "subject", "nobody"))
    app.add_url_rule("/optional", "optional", optional)
    return app.test_client(use_cookies=False)


@pytest.mark.rfc("H-28", "H-07", "B-09")
@pytest.mark.parametrize(
    ("path", "headers", "expected"),
    [
        pytest.param("/", {"Authorization": "Bearer good"}, "bearer", id="REQ-11"),
        pytest.param("/", {"Authorization": "bEARER   good "}, "bearer", id="REQ-12"),
        pytest.param("/", {"Authorization": "Bearer good, Bearer bad"}, 400, id="REQ-02"),
        pytest.param("/", {"Authorization": "Basic YTpnb29k,Bearer x"}, 400, id="REQ-03"),
        pytest.param("/bearer", {"Authorization": "Basic YTpnb29k, Bearer good"}, 400, id="REQ-01-hidden"),
        pytest.param("/bearer", {"Authorization": "Digest a=b, c=d", "Cookie": "session=good"}, "cookie", id="REQ-09"),
        pytest.param("/bearer", {"Authorization": "Foo x"}, 401, id="REQ-17"),
        pytest.param("/", {"Authorization": "Bearer\tgood"}, 400, id="REQ-13-TAB"),
        pytest.param("/", {"Authorization": "Bearer:good"}, 400, id="REQ-13-colon"),
        pytest.param("/", {"Authorization": "Bearer"}, 401, id="REQ-14"),
        pytest.param("/", {"Authorization": ""}, 401, id="empty"),
        pytest.param("/", {"Authorization": ",,,"}, 400, id="REQ-16-commas"),
        pytest.param("/", {"Authorization": "Bearer good", "X-API-Key": "good"}, 400, id="two-explicit"),
        pytest.param("/", {"Authorization": "Bearer bad", "Cookie": "session=good"}, 401, id="REQ-07"),
        pytest.param("/", {"Authorization": "Basic YTpiYWQ=", "Cookie": "session=good"}, 401, id="REQ-08"),
        pytest.param("/", {"Authorization": "Bearer good", "Cookie": "session=good"}, "bearer", id="REQ-10"),
        pytest.param("/", {"X-API-Key": "good", "Cookie": "session=good"}, "key", id="explicit-beats-ambient"),
        pytest.param("/", {"Proxy-Authorization": "Bearer good"}, 401, id="REQ-18"),
        pytest.param("/?access_token=good", {}, 401, id="REQ-22"),
        pytest.param("/optional", {}, "nobody", id="optional-nothing"),
        pytest.param("/optional", {"Authorization": "Bearer bad"}, 401, id="REQ-24"),
        pytest.param("/optional", {"Authorization": "Bearer a b"}, 400, id="REQ-24-malformed"),
        pytest.param("/optional", {"Authorization": "Bearer"}, "nobody", id="F-63"),
    ],
)
def test_which_credentials_count(client, path, headers, expected):
    answer = client.get(path, headers=headers)
    if isinstance(expected, str):
        assert (answer.status_code, answer.text) == (200, expected)
    else:
        assert answer.status_code == expected
        assert parse_challenges(answer.headers.getlist("WWW-Authenticate"))


def test_400_asks_no_loader(client, calls):
    for value in ("Bearer =", "Bearer a b", "Basic YTpnb29k,Bearer x", "Bearer " + "a" * 17000):
        assert client.get("/", headers={"Authorization": value}).status_code == 400
    assert calls == []


def test_only_the_tried_scheme_tells_the_error(client):
    lines = client.get("/", headers={"Authorization": "Bearer bad"}).headers.getlist("WWW-Authenticate")
    told = {challenge.scheme: challenge.get("error") for challenge in parse_challenges(lines)}
    assert told == {"Basic": None, "Bearer": "invalid_token", "ApiKey": None}


def test_a_credential_is_verified_once_whatever_is_asked(make_app, calls):
    auth = Auth(Bearer(lambda token: calls.append(token) or (Identity("ada") if token == "good" else None)))
    app = make_app(auth)

    @app.get("/")
    @auth.login_optional
    @auth.login_required
    def index():
        auth.require()
        with pytest.raises(Exception, match="403"):
            auth.require(roles={"boss"})
        return "x"

    @app.get("/caught")
    def caught():
        for _ in range(3):
            with pytest.raises(Exception, match="401"):
                auth.require()
        return "x"

    assert app.test_client().get("/", headers={"Authorization": "Bearer good"}).status_code == 200
    assert app.test_client().get("/caught", headers={"Authorization": "Bearer bad"}).status_code == 200
    assert calls == ["good", "bad"]


# --- demands


ADA_BY_TOKEN = {"good": Identity("ada")}


@pytest.mark.parametrize("name", ["Bearer a", "bearer a"])
def test_two_in_one_field_are_told_to_be_one(make_app, name):
    app = app_with_view(make_app, Auth(Bearer(ADA_BY_TOKEN.get)))
    answer = app.test_client().get("/", headers={"Authorization": f"Negotiate YII=, {name}"})
    assert (answer.status_code, answer.json["message"]) == (400, "More than one credential was sent. Send one.")


@pytest.mark.parametrize(
    ("sent", "message"),
    [
        ({"headers": [("Authorization", "Bearer good, Bearer good")]}, "More than one"),
        ({"headers": [("Authorization", "Bearer good,bearer good")]}, "More than one"),
        ({"headers": [("Authorization", "Bearer good, Basic YTpi")]}, "More than one"),
        ({"headers": [("Authorization", "Basic YTpi, Bearer good")]}, "More than one"),
        ({"headers": [("X-API-Key", "a,b")]}, "More than one"),
        ({"query_string": "access_token=a&access_token=b"}, "More than one"),
        ({"headers": [("Authorization", "Bearer good, good")]}, "The credentials are malformed."),
        ({"headers": [("Authorization", "Bearer good good")]}, "The credentials are malformed."),
        ({"headers": [("Authorization", "Basic YTpi,YTpi")]}, "The credentials are malformed."),
    ],
)
def test_whoever_sends_two_is_told_to_send_one(make_app, sent, message):
    """RFC 9110 §5.3: servers join the lines of a field by a comma, and Authorization isn't a list."""
    auth = Auth(Bearer(ADA_BY_TOKEN.get, query=True), Basic(lambda *_: None), APIKey(ADA_BY_TOKEN.get))
    answer = app_with_view(make_app, auth).test_client().get("/", **sent)
    assert answer.status_code == 400
    assert answer.json["message"].startswith(message)


def test_one_of_another_scheme_with_our_name_in_a_parameter_is_nothing(make_app):
    app = app_with_view(make_app, Auth(Bearer(ADA_BY_TOKEN.get)))
    for field in ('Foo a="x, bearer y"', "Foo a=b,bearer=c", "Foo x=bearer, y=z"):
        assert_unauthorized(app.test_client().get("/", headers={"Authorization": field}), error=None)


GOOD = {"Authorization": "Bearer good"}


@pytest.mark.rfc("H-08")
def test_credentials_may_come_first(make_app, auth):
    assert get_view(make_app, auth, headers=GOOD).status_code == 200


@pytest.mark.rfc("H-09")
@pytest.mark.parametrize("name", ["bearer", "BEARER", "bEaReR"])
def test_scheme_names_compare_without_case(make_app, auth, name):
    assert get_view(make_app, auth, headers={"Authorization": f"{name} good"}).status_code == 200


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
    ((name, params),) = challenges_of(app.test_client().get("/"))
    headers = {field: value.format(nonce=params.get("nonce")) for field, value in INCOMPLETE[sent].items()}
    answered = app.test_client().get("/", headers=headers)
    assert answered.status_code == 401
    assert [scheme for scheme, _ in challenges_of(answered)] == [name]


@pytest.mark.parametrize(
    ("demand", "error", "status"),
    [
        ({"scopes": {"admin"}}, InsufficientScope, 403),
        ({"max_age": 5}, StepUpRequired, 401),
        ({"roles": {"boss"}}, Forbidden, 403),
    ],
)
def test_a_demand_that_was_refused_stays_refused_in_the_same_request(auth, make_app, demand, error, status):
    app = make_app(auth)

    @auth.login_required(**demand)
    def wipe():
        raise AssertionError("the view must not run")

    @app.get("/")
    @auth.login_required
    def index():
        for _ in range(2):
            with pytest.raises(error) as caught:
                auth.require(**demand)
            assert type(caught.value) is error  # T-05
        return wipe()

    assert app.test_client().get("/", headers=GOOD).status_code == status


@pytest.mark.parametrize("scheme", [APIKey(lambda key: "x", query="key"), Bearer(lambda token: "x", query=True)])
def test_a_query_that_is_not_utf_8_is_400_not_500(scheme, make_app):
    auth = Auth(scheme)
    app = make_app(auth)
    app.add_url_rule("/", "index", auth.login_required(lambda: "x"))
    answer = app.test_client().get("/", environ_overrides={"QUERY_STRING": "a=\xff"})
    assert answer.status_code == 400
    assert answer.headers["WWW-Authenticate"]


def test_an_optional_helper_does_not_take_an_identity_that_fails_its_demands(make_app):
    key = APIKey(StaticTokens({"k": Identity("device")}))
    bearer = Bearer(StaticTokens({"t": Identity("ada", scopes={"admin"})}))
    auth = Auth(key, bearer)
    app = make_app(auth)

    @auth.login_optional(via=bearer, scopes={"admin"})
    def helper():
        return repr(auth.get_identity())

    @app.get("/")
    def index():
        auth.require(via=key)
        return helper()

    assert app.test_client().get("/", headers={"X-API-Key": "k"}).status_code == 401


def test_an_optional_demand_counts_for_who_was_identified_before(make_app):
    auth = Auth(Bearer({"plain": Identity("ada")}.get), APIKey({"plain": Identity("ada")}.get))
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


def test_a_plan_that_the_request_has_met_is_not_judged_again(make_app, monkeypatch):
    end = time.time() + 60
    auth = Auth(Bearer(lambda token: Identity("ada", expires_at=end)))

    def view():
        monkeypatch.setattr("flask_unauthorized.authentication.authorization.time", lambda: end + 1)
        return auth.require().subject

    client = app_with_view(make_app, auth, view).test_client()
    assert client.get("/", headers={"Authorization": "Bearer x"}).text == "ada"
    assert client.get("/", headers={"Authorization": "Bearer x"}).status_code == 401

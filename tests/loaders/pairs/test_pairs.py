"""Logins: what a pair holds, what its access token may do, how a login ends, and what can't be configured."""

import copy
import pickle
import time
from datetime import datetime, timedelta, timezone

import pytest
from flask import Flask

from flask_unauthorized import Auth, Basic, Bearer, ConfigurationError, ExpiredCredentials, Identity
from flask_unauthorized.jose import hmac_key
from flask_unauthorized.loaders import StaticTokens
from flask_unauthorized.loaders.pairs import GrantRefused, Pair, Pairs
from flask_unauthorized.loaders.stored import TokenFormat
from flask_unauthorized.testing import assert_sound
from tests.canaries import register
from tests.helpers import bearer_header

JKT = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"  # RFC 9449 section 6.1
TELLS = pytest.mark.tells_secrets("body", because="a token view sends the tokens")


# --- access tokens


def test_an_access_token_is_verified_without_a_query(pairs, app_of, statements, clock):
    pair = pairs.issue("42", scopes={"a"}, roles={"r"}, acr="mfa")
    client = app_of(pairs, scopes={"a"}, roles={"r"}, acr="mfa", max_age=60).test_client()
    client.get("/")
    statements.clear()
    answer = client.get("/", headers=bearer_header(pair.access))
    claims = {"family_id": pair.record.id, "token_prefix": pairs.prefix}
    assert answer.json == {"subject": "42", "scopes": ["a"], "claims": claims}
    assert statements == []


def test_an_access_token_expires(make_pairs, clock):
    pairs = make_pairs(access_lifetime=timedelta(minutes=5))
    pair = pairs.issue("42")
    assert pair.lifetime == 300
    clock.now += 299
    assert pairs(pair.access).subject == "42"
    clock.now += 3
    with pytest.raises(ExpiredCredentials):
        pairs(pair.access)


@pytest.mark.asvs("V7.5.3")
def test_a_recent_login_is_what_max_age_asks_for(pairs, app_of, clock):
    """What fresh=True is in Flask-JWT-Extended."""
    pair = pairs.issue("42")
    client = app_of(pairs, max_age=600).test_client()
    assert client.get("/", headers=bearer_header(pair.access)).status_code == 200
    clock.now += 601
    answer = client.get("/", headers=bearer_header(pairs.refresh(pair.refresh).access))
    assert answer.status_code == 401
    assert 'error="insufficient_user_authentication"' in answer.headers["WWW-Authenticate"]


@pytest.mark.parametrize(
    ("who", "given", "expected"),
    [
        ("42", None, 1_800_000_000),
        ("42", 1_700_000_000.9, 1_700_000_000),
        (Identity("42", auth_time=1_600_000_000), None, 1_600_000_000),
        (Identity("42", auth_time=1_600_000_000), 1_700_000_000, 1_700_000_000),
        (Identity("42"), None, None),  # it isn't known, so no view may call it recent
    ],
)
def test_the_time_of_the_login(pairs, clock, who, given, expected):
    assert pairs(pairs.issue(who, auth_time=given).access).auth_time == expected


@pytest.mark.parametrize(
    ("given", "error"),
    [(True, TypeError), ("now", TypeError), (datetime.now(timezone.utc), TypeError), (float("nan"), ValueError),
     (float("inf"), ValueError)],
)  # fmt: skip
def test_a_time_that_is_none_is_refused_before_a_row_is_written(pairs, given, error):
    with pytest.raises(error, match="auth_time must be seconds since 1970"):
        pairs.issue("42", auth_time=given)
    assert pairs.list("42") == []


def test_a_pair_never_gets_more_than_the_identity_that_it_is_issued_to(pairs, clock):
    who = Identity("42", scopes={"a"}, roles={"r"}, acr="pwd", expires_at=clock.now + 100)
    for more in ({"scopes": {"b"}}, {"roles": {"admin"}}):
        with pytest.raises(ValueError, match="can't get more than its owner has"):
            pairs.issue(who, **more)
    pair = pairs.issue(who, scopes={"a"})
    assert (pair.lifetime, pairs(pair.access).acr) == (100, "pwd")
    clock.now += 100
    with pytest.raises(GrantRefused):
        pairs.refresh(pair.refresh)


@pytest.mark.parametrize(("given", "expected"), [(None, {"pwd"}), ({"hwk"}, {"hwk"}), ((), set())])
def test_the_methods_are_those_given_or_else_those_of_the_identity(pairs, given, expected):  # as in auth.login()
    pair = pairs.issue(Identity("42", amr={"pwd"}), amr=given)
    assert pairs(pair.access).amr == expected


def test_a_pair_stays_bound_to_the_key_of_its_identity(pairs, status):
    pair = pairs.issue(Identity("42", confirmation={"jkt": JKT}))
    for one in (pair, pairs.refresh(pair.refresh)):
        assert one.as_dict()["token_type"] == "DPoP"
        assert pairs(one.access).confirmation == {"jkt": JKT}
        assert status(pairs, one.access) == 401  # Bearer checks no key


def test_the_user_is_looked_up_on_each_request(make_pairs, status):
    users = {"42": {"name": "Ada"}}
    pairs = make_pairs(user=lambda identity: users.get(identity.subject))
    pair = pairs.issue("42")
    assert pairs(pair.access).user == {"name": "Ada"}
    users.clear()
    assert status(pairs, pair.access) == 401


def test_user_must_return_the_same_subject(make_pairs):
    pairs = make_pairs(user=lambda identity: Identity("7"))
    pair = pairs.issue("42")
    with pytest.raises(TypeError, match="returned the identity of '7' for '42'"):
        pairs(pair.access)


def test_a_logout_that_counts_at_once(make_pairs, status):
    """The documented way: one query per request."""
    pairs = make_pairs(user=lambda identity: identity.subject if pairs.get(identity) else None)
    pair = pairs.issue("42")
    assert status(pairs, pair.access) == 200
    assert pairs.revoke(pair.refresh)
    assert status(pairs, pair.access) == 401


def test_other_loaders_stand_beside(pairs, status):
    pair = pairs.issue("42")
    other = StaticTokens({"another-token-of-ada-1": "ada"})
    register("another-token-of-ada-1")
    assert status(pairs, pair.access, other) == 200
    assert status(pairs, "another-token-of-ada-1", other) == 200
    assert (pairs.recognizes(pair.access), pairs.recognizes(pair.refresh)) == (True, False)


def test_beside_tokens_of_flask_jwt_extended(pairs, status):
    """While clients still hold its tokens, both are accepted, whichever loader comes first."""
    jwt_loader = pytest.importorskip("flask_unauthorized.loaders.jwt")
    import jwt

    secret = "a secret of 32 characters or more"
    now = int(time.time())
    claims = {"type": "access", "sub": "42", "iat": now, "nbf": now, "exp": now + 900, "jti": "1", "fresh": False}
    token = jwt.encode(claims, secret, "HS256")
    register(token)
    old = jwt_loader.JWT(
        None, audience=None, keys=hmac_key(secret, allow_short=True), algorithms=("HS256",), profile="jwt-extended"
    )
    assert status(pairs, token, old) == 200
    assert status(pairs, pairs.issue("42").access, old) == 200
    assert pairs.revoke(old(token)) is False


# --- responses


@TELLS
def test_the_response_is_that_of_rfc_6749(pairs, app_of):
    pair = pairs.issue("42", scopes={"b", "a"})
    answer = app_of(pairs).test_client().post("/token", data={"refresh_token": pair.refresh, "scope": "a"})
    assert (answer.status_code, answer.mimetype) == (200, "application/json")
    assert (answer.headers["Cache-Control"], answer.headers["Pragma"]) == ("no-store", "no-cache")
    assert {name: answer.json[name] for name in ("token_type", "expires_in", "scope")} == {
        "token_type": "Bearer", "expires_in": 900, "scope": "a",
    }  # fmt: skip
    assert answer.json.keys() == {"access_token", "token_type", "expires_in", "refresh_token", "scope"}
    assert pair.as_dict()["scope"] == "a b"
    assert "scope" not in pairs.issue("42").as_dict()  # the grammar of scope has no empty value


@pytest.mark.parametrize("accept", ["text/html", "application/problem+json", "*/*"])
@pytest.mark.parametrize(
    ("form", "body"),
    [
        ({}, {"error": "invalid_request", "error_description": "The parameter refresh_token is missing."}),
        ({"refresh_token": "junk-of-a-client"},
         {"error": "invalid_grant", "error_description": "The refresh token is not valid."}),
        ({"refresh_token": "junk-of-a-client", "scope": "ä"},
         {"error": "invalid_scope", "error_description": "The scope is malformed."}),
    ],
)  # fmt: skip
def test_a_refusal_is_that_of_rfc_6749(pairs, app_of, form, body, accept):
    answer = app_of(pairs).test_client().post("/token", data=form, headers={"Accept": accept})
    assert (answer.status_code, answer.mimetype, answer.json) == (400, "application/json", body)
    assert (answer.headers["Cache-Control"], answer.headers["Pragma"]) == ("no-store", "no-cache")
    assert "WWW-Authenticate" not in answer.headers
    assert_sound(answer)


def test_a_refusal_is_logged_with_its_reason(pairs, app_of, caplog):
    caplog.set_level("INFO", "flask_unauthorized")
    app_of(pairs).test_client().post("/token", data={"refresh_token": "junk-of-a-client"})
    assert caplog.messages == [
        "refused a refresh: invalid_grant (the token has another form than refresh tokens with prefix=notes, or a "
        "wrong checksum)"
    ]


@pytest.mark.parametrize("handled", [False, True])
def test_an_app_can_raise_and_handle_refusals(handled):
    app = Flask("app")

    @app.post("/token")
    def token():
        raise GrantRefused("unsupported_grant_type", "Only refresh_token is supported.")

    if handled:
        app.register_error_handler(GrantRefused, lambda error: ({"code": error.error}, 400))
    name = "code" if handled else "error"
    assert app.test_client().post("/token").json[name] == "unsupported_grant_type"


def test_a_refusal_can_be_copied_and_pickled():
    error = GrantRefused("invalid_grant", "Text.", "why")
    for other in (copy.copy(error), pickle.loads(pickle.dumps(error))):
        assert (other.error, other.description, other.reason, other.code) == ("invalid_grant", "Text.", "why", 400)


def test_a_pair_hides_its_tokens(pairs, engine, caplog):
    caplog.set_level("DEBUG")
    engine.echo = True  # logs statements with their parameters
    pair = pairs.issue("42")
    pairs.refresh(pair.refresh)
    pairs.revoke(pair.refresh)
    engine.echo = False
    assert repr(pair) == f"<Pair {pair.record.id}, notes_...{pair.refresh[24:28]}>"
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(pair)
    assert not [record for record in caplog.records if pair.refresh in record.getMessage()]
    assert any("INSERT" in record.getMessage() for record in caplog.records)


def test_scanners_can_find_refresh_tokens(pairs):
    import re

    token = pairs.issue("42").refresh
    assert re.search(pairs.format.pattern, f'T = "{token}"').group() == token
    assert re.search(TokenFormat("notes").pattern, token) is None
    assert len({pairs.issue("42").refresh for _ in range(50)}) == 50


# --- the end of logins


@TELLS
def test_logout_ends_the_login_of_the_access_token(pairs, app_of, clock):
    phone, laptop = pairs.issue("42", name="Phone"), pairs.issue("42", name="Laptop")
    client = app_of(pairs).test_client()
    for ended in (True, False):
        answer = client.post("/logout", headers=bearer_header(phone.access))
        assert answer.json == {"ended": ended}
    assert client.post("/token", data={"refresh_token": phone.refresh}).status_code == 400
    assert client.post("/token", data={"refresh_token": laptop.refresh}).status_code == 200
    assert [record.name for record in pairs.list("42")] == ["Laptop"]
    assert pairs.get(pairs(phone.access)) is None
    assert pairs.get(pairs(laptop.access)).name == "Laptop"


def test_a_login_ends_by_refresh_token_or_record(pairs, clock):
    first, second = pairs.issue("42"), pairs.issue("42")
    clock.now += 60
    pairs.refresh(pairs.refresh(first.refresh).refresh)
    clock.now += 60  # the first one was replaced long ago, and its owner may end the login with it
    assert [pairs.revoke(first.refresh), pairs.revoke(first.refresh)] == [True, False]
    assert [pairs.revoke(record) for record in pairs.list("42")] == [True]
    assert [pairs.revoke(other) for other in (None, "", "junk", "x" * 1_000_000, Identity("42"))] == [False] * 5
    with pytest.raises(TypeError, match="not int"):
        pairs.revoke(second.record.id)


def test_a_record_or_claim_of_another_owner_ends_nothing(pairs):
    pair = pairs.issue("42")
    assert not pairs.revoke(Identity("7", claims={"family_id": pair.record.id}))
    assert pairs.get(Identity("7", claims={"family_id": pair.record.id})) is None
    assert pairs.refresh(pair.refresh).refresh is not None


def test_revoke_all_ends_the_logins_of_one_owner(pairs):
    mine = [pairs.issue("Ada") for _ in range(3)]
    other = pairs.issue("ada")
    assert pairs.revoke_all("Ada") == 3
    for pair in mine:
        with pytest.raises(GrantRefused):
            pairs.refresh(pair.refresh)
    assert pairs.refresh(other.refresh).refresh is not None
    assert pairs.revoke_all("Ada") == 0


def test_signals(pairs, app_of):
    from flask_unauthorized.signals import token_issued, token_revoked

    seen = []

    def issued(sender, record):
        seen.append(("issued", record.id, record.state))

    def revoked(sender, record):
        seen.append(("revoked", record.id, record.state))

    with token_issued.connected_to(issued), token_revoked.connected_to(revoked), app_of(pairs).app_context():
        pair = pairs.issue("42")
        pairs.issue("42")
        pairs.revoke(pair.record)
        pairs.revoke(pair.record)
        pairs.revoke_all("42")
    assert seen == [
        ("issued", 1, "valid"), ("issued", 2, "valid"), ("revoked", 1, "revoked"), ("revoked", 2, "revoked"),
    ]  # fmt: skip


def test_prune_deletes_what_ended_long_ago(make_pairs, clock):
    pairs = make_pairs(idle=86_400, lifetime=7 * 86_400)
    pairs.revoke(pairs.issue("42").record)
    idle = pairs.issue("42")
    clock.now += 86_400 * 29
    assert pairs.prune() == 0
    living = pairs.issue("42")
    clock.now += 86_400 + 1
    assert pairs.prune() == 1  # revoked 30 days ago; the idle one ended one day later
    assert pairs.prune() == 0
    clock.now += 86_400
    assert pairs.prune() == 1
    with pytest.raises(GrantRefused):
        pairs.refresh(idle.refresh)
    assert living.record.owner == "42"


# --- configuration


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"prefix": "No"}, "can't begin a token"),
        ({"access_lifetime": 0}, "access_lifetime must be"),
        ({"access_lifetime": 86_401}, "access_lifetime must be"),
        ({"access_lifetime": 3600, "idle": 3600}, "no client can refresh in time"),
        ({"idle": 100 * 86_400}, "no client can refresh in time"),
        ({"lifetime": 2**40}, "lifetime must be"),
        ({"load": 7}, "load must be callable"),
        ({"user": 7}, "user must be callable"),
        ({"secret_key": ""}, "secret_key is empty"),
        ({"pepper": "short"}, "a pepper has 5 bytes"),
    ],
)
def test_what_cannot_be_configured(engine, options, text):
    with pytest.raises(ConfigurationError, match=text):
        Pairs(engine, **{"prefix": "notes", **options})


@pytest.mark.parametrize("options", [{"idle": 1.5}, {"lifetime": None}, {"access_lifetime": True}])
def test_times_of_another_type(engine, options):
    with pytest.raises(TypeError):
        Pairs(engine, prefix="notes", **options)


def test_missing_arguments_are_explained(engine):
    with pytest.raises(TypeError, match="Pairs\\(\\) needs prefix: write Pairs"):
        Pairs(engine)
    with pytest.raises(TypeError, match="did you mean idle"):
        Pairs(engine, prefix="notes", idele=7)


def test_the_check_finds_a_missing_table_and_a_missing_key(engine):
    app = Flask("app")
    pairs = Pairs(engine, prefix="notes")
    auth = Auth(Bearer(pairs), app=app)
    with pytest.raises(ConfigurationError, match="SECRET_KEY"):
        auth.check(app)
    app.config["SECRET_KEY"] = "s3cret-of-the-app-in-32-characters"
    with pytest.raises(ConfigurationError, match=r"the table 'auth_tokens' of Pairs .*run the migration"):
        auth.check(app)
    pairs.create_table()
    auth.check(app)


@pytest.mark.parametrize("bad", [{"name": ""}, {"name": "\n"}, {"scopes": {"a b"}}, {"scopes": {"x" * 5000}}])
def test_values_that_cannot_be_stored(pairs, bad):
    with pytest.raises(ValueError, match=r"."):
        pairs.issue("42", **bad)
    assert pairs.list("42") == []


@pytest.mark.parametrize("who", [None, 42, "", Identity(client_id="c"), b"42"])
def test_a_pair_belongs_to_a_subject(pairs, who):
    with pytest.raises(TypeError, match="the owner of a token is"):
        pairs.issue(who)


def test_an_identity_of_basic_can_get_a_pair(pairs, make_app):
    auth = Auth(Basic(lambda name, password: Identity(name, scopes={"a"}) if password == "correct horse" else None))
    app = make_app(auth)
    got = []

    @app.post("/login")
    @auth.login_required
    def login():
        got.append(pairs.issue(auth.identity, scopes={"a"}))
        return {}

    assert app.test_client().post("/login", auth=("ada", "correct horse")).status_code == 200
    assert isinstance(got[0], Pair)
    assert pairs(got[0].access).scopes == {"a"}

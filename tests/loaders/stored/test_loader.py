"""A stored token on a request: who is accepted, which refusals are told apart, and what a request costs."""

import logging
import traceback
from datetime import timedelta
from types import SimpleNamespace

import pytest
from flask import Flask
from sqlalchemy import create_engine, event, text

from flask_unauthorized import (
    Auth,
    AuthUnavailable,
    Bearer,
    ConfigurationError,
    DPoP,
    ExpiredCredentials,
    Identity,
    InvalidCredentials,
    RevokedCredentials,
)
from flask_unauthorized.loaders import SignedTokens
from flask_unauthorized.loaders.stored import StoredTokens
from flask_unauthorized.signals import token_reused
from tests.canaries import register
from tests.dpop_client import ORIGIN, Holder
from tests.helpers import bearer_header, challenges_of

READ = {"notes:read"}


def refusal(tokens, token):
    with pytest.raises((InvalidCredentials, AuthUnavailable)) as caught:
        tokens(token)
    return type(caught.value)


@pytest.mark.parametrize("header", [None, "X-Notes-Key"])
def test_one_object_serves_bearer_and_api_keys(tokens, ask, header):
    issued = tokens.issue("42", name="CI of notes", scopes=READ)
    answer = ask(tokens, issued.token, header)
    assert answer.status_code == 200
    claims = {"token_id": issued.record.id, "token_prefix": tokens.prefix}
    assert answer.json == {"subject": "42", "scopes": ["notes:read"], "claims": claims}


def test_a_token_without_the_scope_is_403_and_a_token_without_scopes_has_none(tokens, ask):
    for scopes in (set(), {"notes:write"}):
        answer = ask(tokens, tokens.issue("42", name="CI", scopes=scopes).token)
        assert (answer.status_code, challenges_of(answer)[0][1]["error"]) == (403, "insufficient_scope")


def test_the_identity_names_the_token(tokens):
    issued = tokens.issue("42", name="CI", scopes=READ, roles={"bot"}, lifetime=3600)
    identity = tokens(issued.token)
    assert identity == Identity(
        "42",
        scopes=READ,
        roles={"bot"},
        claims={"token_id": issued.record.id, "token_prefix": tokens.prefix},
        client_id=f"token:{issued.record.id}",
        expires_at=issued.record.expires_at.timestamp(),
    )
    assert (identity.auth_time, identity.acr) == (None, None)


def test_what_ended_is_told_apart(tokens, clock):
    expired = tokens.issue("42", name="a", lifetime=60)
    revoked = tokens.issue("42", name="b")
    rotated = tokens.issue("42", name="c")
    tokens.revoke(revoked.record.id, "42")
    successor = tokens.rotate(rotated.record.id, "42", overlap=60)
    clock.now += 59
    assert tokens(expired.token).subject == tokens(rotated.token).subject == tokens(successor.token).subject == "42"
    clock.now += 1
    assert refusal(tokens, expired.token) is ExpiredCredentials
    assert refusal(tokens, rotated.token) is RevokedCredentials
    assert refusal(tokens, revoked.token) is RevokedCredentials
    assert tokens(successor.token).subject == "42"
    unknown = tokens.format.make().arguments[0]
    assert refusal(tokens, unknown) is InvalidCredentials


def test_the_identity_expires_when_the_token_or_its_overlap_ends(tokens, clock):
    issued = tokens.issue("42", name="a", lifetime=timedelta(hours=2))
    assert tokens(issued.token).expires_at == int(clock.now) + 7200
    tokens.rotate(issued.record.id, "42", overlap=60)
    assert tokens(issued.token).expires_at == int(clock.now) + 60


@pytest.mark.parametrize(
    ("spoil", "status"),
    [
        (lambda token: token[:-1], 401),
        (lambda token: token[:-1] + ("0" if token[-1] != "0" else "1"), 401),
        (lambda token: "votes" + token[5:], 401),
        (lambda token: token.upper(), 401),
        (lambda token: token.replace("_", "-"), 401),
        (lambda token: token * 200, 401),
        (lambda token: "x" * 12_000, 401),
        (lambda token: token[:10] + "\uff11" + token[11:], 400),  # not the b64token alphabet of RFC 6750
    ],
)
def test_malformed_tokens_cost_no_query(tokens, ask, statements, spoil, status):
    token = tokens.issue("42", name="CI", scopes=READ).token
    assert ask(tokens, token).status_code == 200
    statements.clear()
    sent = spoil(token).encode("utf-8").decode("latin-1")
    answer = ask(tokens, sent)
    assert answer.status_code == status
    assert statements == []
    assert (status == 400) == (challenges_of(answer)[0][1]["error"] == "invalid_request")


def test_an_accepted_request_is_one_select_and_writes_once_per_interval(tokens, ask, statements, clock):
    token = tokens.issue("42", name="CI", scopes=READ).token
    assert ask(tokens, token).status_code == 200  # the check of the set-up, and the first use
    statements.clear()
    for _ in range(20):
        clock.now += 1
        assert ask(tokens, token).status_code == 200
    assert [one.split()[0] for one in statements] == ["SELECT"] * 20
    statements.clear()
    clock.now += 300
    assert ask(tokens, token).status_code == 200
    assert [one.split()[0] for one in statements] == ["SELECT", "UPDATE"]


def test_the_last_use_is_kept_to_the_interval(make_tokens, clock):
    tokens = make_tokens(last_used_every=100)
    issued = tokens.issue("42", name="CI")
    assert tokens.get(issued.record.id, "42").last_used_at is None
    for seconds, expected in ((10, 10), (99, 10), (1, 110), (50, 110)):
        clock.now += seconds
        tokens(issued.token)
        used = tokens.get(issued.record.id, "42").last_used_at
        assert used.timestamp() == 1_800_000_000 + expected


def test_another_process_that_wrote_the_last_use_spares_a_write(make_tokens, statements):
    one, other = make_tokens(), make_tokens()
    token = one.issue("42", name="CI").token
    one(token)
    statements.clear()
    other(token)
    assert [sql.split()[0] for sql in statements] == ["SELECT"]


def test_last_used_every_0_never_writes(make_tokens, statements):
    tokens = make_tokens(last_used_every=0)
    token = tokens.issue("42", name="CI").token
    statements.clear()
    tokens(token)
    assert [sql.split()[0] for sql in statements] == ["SELECT"]


def test_refused_tokens_write_no_last_use(tokens):
    issued = tokens.issue("42", name="CI")
    tokens.revoke(issued.record.id, "42")
    refusal(tokens, issued.token)
    assert tokens.get(issued.record.id, "42").last_used_at is None


def test_a_last_use_that_cannot_be_written_is_logged_once_and_accepts(make_tokens, engine, tmp_path, caplog):
    token = make_tokens().issue("42", name="CI").token
    read_only = create_engine(f"sqlite:///file:{tmp_path / 'tokens.db'}?mode=ro&uri=true")
    tokens = StoredTokens(read_only, prefix="notes", last_used_every=1)
    tokens._uses.is_due = lambda key: True
    with caplog.at_level(logging.WARNING):
        assert tokens(token).subject == tokens(token).subject == "42"
    read_only.dispose()
    assert len([one for one in caplog.messages if "the last use of a token was not written" in one]) == 1
    # To issue on it is a server-side failure.
    with pytest.raises(AuthUnavailable):
        tokens.issue("42", name="CI")


# --- load


def test_scopes_and_roles_are_bounded_by_what_the_owner_has_now(make_tokens):
    owners = {"42": Identity("42", scopes={"notes:read", "notes:write"}, roles={"staff", "admin"})}
    tokens = make_tokens(load=owners.get)
    issued = tokens.issue("42", name="CI", scopes={"notes:read", "notes:write"}, roles={"staff"})
    assert tokens(issued.token).scopes == {"notes:read", "notes:write"}
    owners["42"] = Identity("42", scopes={"notes:read", "more"}, roles={"admin"}, claims={"tenant": "a"}, user="ada")
    identity = tokens(issued.token)
    assert (identity.scopes, identity.roles) == ({"notes:read"}, set())
    claims = {"tenant": "a", "token_id": issued.record.id, "token_prefix": tokens.prefix}
    assert (dict(identity.claims), identity.user) == (claims, "ada")


def test_the_login_of_the_owner_is_not_that_of_the_token(make_tokens):
    tokens = make_tokens(load=lambda owner: Identity(owner, auth_time=5, acr="gold", expires_at=4e9))
    identity = tokens(tokens.issue("42", name="CI", lifetime=None).token)
    assert (identity.auth_time, identity.acr) == (None, None)


def test_the_identity_ends_with_that_of_the_owner(make_tokens, clock):
    tokens = make_tokens(load=lambda owner: Identity(owner, expires_at=clock.now + 5))
    assert tokens(tokens.issue("42", name="CI").token).expires_at == clock.now + 5


def test_a_user_object_has_no_scopes_so_those_of_the_token_count(make_tokens, ask):
    user = SimpleNamespace(id=42)
    tokens = make_tokens(load=lambda owner: user)
    token = tokens.issue("42", name="CI", scopes=READ).token
    assert tokens(token).user is user
    assert ask(tokens, token).status_code == 200


def test_an_owner_who_is_gone_ends_the_token(make_tokens, ask):
    owners = {"42": SimpleNamespace()}
    tokens = make_tokens(load=owners.get)
    issued = tokens.issue("42", name="CI", scopes=READ)
    assert ask(tokens, issued.token).status_code == 200
    owners.clear()
    assert refusal(tokens, issued.token) is RevokedCredentials
    with pytest.raises(ValueError, match="unknown or locked"):
        tokens.issue("42", name="CI")
    with pytest.raises(ValueError, match="unknown or locked"):
        tokens.rotate(issued.record.id, "42")


@pytest.mark.parametrize("result", [True, False, 42, "42", "", b"42"])
def test_what_load_may_not_return(make_tokens, result):
    answers = [object(), result]
    tokens = make_tokens(load=lambda owner: answers.pop(0))
    token = tokens.issue("42", name="CI").token
    with pytest.raises(TypeError, match="load= of StoredTokens returned"):
        tokens(token)


def test_load_may_be_async(make_tokens, ask):
    async def load(owner):
        return Identity(owner, scopes=READ)

    tokens = make_tokens(load=load)
    with Flask("shop").app_context():
        token = tokens.issue("42", name="CI", scopes=READ).token
    assert ask(tokens, token).status_code == 200


# --- bound to a key


def test_a_token_of_a_key_is_refused_as_a_bearer_token_and_as_a_key(tokens, ask):
    token = tokens.issue("42", name="CI", scopes=READ, jkt="A" * 43).token
    assert dict(tokens(token).confirmation) == {"jkt": "A" * 43}
    assert ask(tokens, token).status_code == 401
    assert ask(tokens, token, "X-Notes-Key").status_code == 401


def test_a_token_of_a_key_works_under_dpop(tokens, make_app):
    holder = Holder()
    bound = tokens.issue("42", name="CI", jkt=holder.jkt).token
    unbound = tokens.issue("42", name="CI").token
    auth = Auth(DPoP(tokens, origin=ORIGIN))
    app = make_app(auth)
    app.add_url_rule("/", "view", auth.login_required(lambda: auth.identity.subject))
    for token, status in ((bound, 200), (unbound, 401)):
        answer = app.test_client().get("/", base_url=ORIGIN, headers=holder.sent(token=token))
        assert answer.status_code == status


# --- several loaders, peppers, kinds, caches, replicas


def test_other_loaders_take_what_this_one_does_not_recognize(tokens, make_app, statements):
    signed = SignedTokens("login", 60, secret_key="s" * 32)
    auth = Auth(Bearer(tokens, signed))
    app = make_app(auth)
    app.add_url_rule("/", "view", auth.login_required(lambda: auth.identity.subject))
    app.test_client().get("/")
    statements.clear()
    token = signed.issue("ada")
    register(token)
    assert app.test_client().get("/", headers=bearer_header(token)).text == "ada"
    assert statements == []
    assert app.test_client().get("/", headers=bearer_header(tokens.issue("42", name="CI").token)).text == "42"


def test_peppers_are_changed_without_ending_tokens(make_tokens, statements):
    old, new = "o" * 16, "n" * 16
    first = make_tokens().issue("42", name="plain").token
    second = make_tokens(pepper=[old, None]).issue("42", name="old").token
    tokens = make_tokens(pepper=[new, old, None])
    third = tokens.issue("42", name="new").token
    statements.clear()
    assert [tokens(one).subject for one in (first, second, third)] == ["42"] * 3
    assert len([sql for sql in statements if sql.startswith("SELECT")]) == 3
    only_new = make_tokens(pepper=new)
    assert only_new(third).subject == "42"
    assert refusal(only_new, first) is refusal(only_new, second) is InvalidCredentials


def test_the_database_has_no_token_and_without_the_pepper_no_digest_of_it(make_tokens, engine):
    import hashlib

    issued = make_tokens().issue("42", name="CI")
    peppered = make_tokens(pepper="p" * 16).issue("42", name="CI")
    with engine.connect() as connection:
        dump = str(connection.execute(text("SELECT * FROM auth_tokens")).all())
    for one in (issued, peppered):
        assert one.token not in dump
        assert one.token[6:32] not in dump
    assert hashlib.sha256(issued.token.encode()).hexdigest() in dump
    assert hashlib.sha256(peppered.token.encode()).hexdigest() not in dump


def test_a_token_of_another_kind_is_unknown(make_tokens):
    class RefreshTokens(StoredTokens):
        kind = "refresh"

    access = make_tokens()
    refresh = RefreshTokens(access._database._bind(), prefix="notes")
    issued = refresh.issue("42", name="session")
    assert refresh(issued.token).subject == "42"
    assert refusal(access, issued.token) is InvalidCredentials
    assert access.get(issued.record.id, "42") is None
    assert access.list("42") == []
    assert not access.revoke(issued.record.id, "42")
    assert access.revoke_all("42") == 0
    assert refresh(issued.token).subject == "42"


def test_a_revoked_token_ends_at_once_unless_it_is_cached(make_tokens, statements, clock):
    tokens, caching = make_tokens(), make_tokens(cache=30)
    issued = tokens.issue("42", name="CI", lifetime=45)
    caching(issued.token)
    statements.clear()
    assert caching(issued.token).subject == "42"
    assert statements == []
    tokens.revoke(issued.record.id, "42")
    assert refusal(tokens, issued.token) is RevokedCredentials
    assert caching(issued.token).subject == "42"
    clock.now += 30
    assert refusal(caching, issued.token) is RevokedCredentials


def test_a_cached_token_expires_in_time(make_tokens, clock):
    tokens = make_tokens(cache=60)
    token = tokens.issue("42", name="CI", lifetime=10).token
    tokens(token)
    clock.now += 10
    assert refusal(tokens, token) is ExpiredCredentials


def test_the_replica_is_asked_and_the_primary_is_written(make_tokens, engine, tmp_path):
    replica = create_engine(f"sqlite:///{tmp_path / 'tokens.db'}")
    seen = {"primary": [], "replica": []}
    for name, one in (("primary", engine), ("replica", replica)):
        event.listen(one, "before_cursor_execute", lambda c, k, sql, *m, name=name: seen[name].append(sql.split()[0]))
    tokens = make_tokens(replica=replica)
    token = tokens.issue("42", name="CI").token
    for statements in seen.values():
        statements.clear()
    tokens(token)
    replica.dispose()
    assert seen == {"primary": ["UPDATE"], "replica": ["SELECT"]}


# --- reuse


def test_a_replaced_token_that_is_used_again_is_reported_and_its_successor_goes_on(tokens, ask, caplog, clock):
    old = tokens.issue("42", name="CI", scopes=READ)
    new = tokens.rotate(old.record.id, "42", overlap=0)
    seen = []

    def receive(app, record):
        seen.append(record)

    with token_reused.connected_to(receive), caplog.at_level(logging.WARNING):
        for _ in range(3):
            assert ask(tokens, old.token).status_code == 401
            assert ask(tokens, new.token).status_code == 200
        clock.now += 301
        assert ask(tokens, old.token).status_code == 401
    assert [(record.id, record.replaced_by) for record in seen] == [(old.record.id, new.record.id)] * 2
    assert len([one for one in caplog.messages if "was used after its end" in one]) == 2


# --- failures, and what never shows a token


def test_a_database_that_is_away_is_503(make_app, tmp_path, ask):
    tokens = StoredTokens(create_engine(f"sqlite:///{tmp_path / 'nowhere' / 'tokens.db'}"), prefix="notes")
    answer = ask(tokens, tokens.format.make().arguments[0])
    assert answer.status_code == 503
    assert "WWW-Authenticate" not in answer.headers


def test_a_missing_table_is_found_by_the_check_and_says_to_migrate(engine, make_app):
    auth = Auth(Bearer(StoredTokens(engine, prefix="notes")))
    app = make_app(auth)
    with pytest.raises(ConfigurationError, match="the table 'auth_tokens' of StoredTokens"):
        auth.check(app)


def test_a_missing_column_is_found_by_the_check(make_tokens, engine, make_app):
    auth = Auth(Bearer(make_tokens()))
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE auth_tokens DROP COLUMN data"))
    with pytest.raises(ConfigurationError, match="run the migration"):
        auth.check(make_app(auth))


def test_a_database_that_is_away_while_the_app_starts_is_logged(tmp_path, make_app, caplog):
    auth = Auth(Bearer(StoredTokens(create_engine(f"sqlite:///{tmp_path / 'no' / 't.db'}"), prefix="notes")))
    auth.check(make_app(auth))
    assert "the table of StoredTokens could not be checked" in caplog.text


def test_a_locked_file_is_503_after_a_quarter_of_a_second_and_a_read_goes_on(make_tokens, engine):
    tokens = make_tokens()
    token = tokens.issue("42", name="CI").token
    with engine.connect() as other:
        other.exec_driver_sql("BEGIN IMMEDIATE")
        assert tokens(token).subject == "42"  # its last use is not written
        with pytest.raises(AuthUnavailable):
            tokens.issue("42", name="CI")
    for block in (tokens._database.transaction, tokens._database.connection):
        with block() as connection:
            assert connection.exec_driver_sql("PRAGMA busy_timeout").scalar_one() == 250
    with engine.connect() as connection:  # the app's own patience is as it was: the default of sqlite3
        assert connection.exec_driver_sql("PRAGMA busy_timeout").scalar_one() == 5000


def test_a_failing_query_shows_no_token_in_the_local_variables_of_its_traceback(make_tokens, engine):
    tokens = make_tokens()
    token = tokens.issue("42", name="CI").token
    tokens.table.drop(engine)
    for act in (lambda: tokens(token), lambda: tokens.issue("42", name="CI")):
        with pytest.raises(ConfigurationError) as caught:
            act()
        frames = traceback.TracebackException.from_exception(caught.value, capture_locals=True).stack
        ours = [frame for frame in frames if "flask_unauthorized" in frame.filename]
        assert ours
        assert "notes_" not in str([frame.locals for frame in ours])


def test_the_echo_of_sql_shows_no_token(tmp_path, caplog):
    engine = create_engine(f"sqlite:///{tmp_path / 'echo.db'}", echo=True)
    tokens = StoredTokens(engine, prefix="notes")
    tokens.create_table()
    issued = tokens.issue("42", name="CI")
    tokens(issued.token)
    tokens.rotate(issued.record.id, "42")
    engine.dispose()
    assert "INSERT INTO auth_tokens" in caplog.text
    assert issued.token[6:] not in caplog.text


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"prefix": "No"}, ConfigurationError, "prefix='No'"),
        ({"load": 5}, ConfigurationError, "load must be callable"),
        ({"max_lifetime": 0}, ConfigurationError, "max_lifetime"),
        ({"max_lifetime": True}, TypeError, "max_lifetime"),
        ({"max_per_owner": 0}, ConfigurationError, "max_per_owner"),
        ({"last_used_every": None}, TypeError, "last_used_every"),
        ({"last_used_every": -1}, ConfigurationError, "last_used_every"),
        ({"cache": 61}, ConfigurationError, "cache"),
        ({"table": "tokens"}, TypeError, "table must be a Table"),
        ({"lifetime": 5}, TypeError, "max_lifetime"),
    ],
)
def test_arguments_that_are_refused(engine, options, error, text):
    with pytest.raises(error, match=text):
        StoredTokens(engine, **{"prefix": "notes", **options})


def test_a_forgotten_prefix_is_explained(engine):
    with pytest.raises(TypeError, match='write StoredTokens\\(engine, prefix="notes"\\)'):
        StoredTokens(engine)

"""Refreshing: who gets new tokens, and who ends the login."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import event, exc

from flask_unauthorized import AuthUnavailable, ConfigurationError, Identity
from flask_unauthorized.loaders.pairs import GrantRefused, Pairs
from flask_unauthorized.loaders.signed_tokens import SignedTokens
from flask_unauthorized.loaders.stored import StoredTokens
from tests.canaries import register

DAY = 86_400


def refusal(pairs, *args, **kwargs):
    """The error code and the private reason of a refused refresh."""
    with pytest.raises(GrantRefused) as caught:
        pairs.refresh(*args, **kwargs)
    assert caught.value.code == 400
    return caught.value.error, caught.value.reason


# --- what RFC 6749 and the rules of rotation say


def test_a_refresh_returns_new_tokens_for_the_same_login(pairs, clock):
    first = pairs.issue("42", scopes={"a", "b"}, roles={"r"})
    clock.now += 60
    second = pairs.refresh(first.refresh)
    assert second.access != first.access
    assert second.refresh not in (None, first.refresh)
    assert second.record.id == first.record.id
    assert (second.scopes, pairs(second.access).roles) == ({"a", "b"}, {"r"})
    assert second.record.owner == "42"


def test_the_login_time_stays_that_of_the_login(pairs, clock):
    """A refresh is no login: max_age= of a view must refuse its tokens later."""
    pair = pairs.issue("42", acr="mfa", amr={"pwd", "otp"})
    login = int(clock.now)
    for _ in range(3):
        clock.now += DAY
        pair = pairs.refresh(pair.refresh)
        identity = pairs(pair.access)
        assert (identity.auth_time, identity.acr, identity.amr) == (login, "mfa", {"pwd", "otp"})


def test_a_repetition_within_30_seconds_gets_an_access_token_and_keeps_its_refresh_token(pairs, clock):
    first = pairs.issue("42")
    second = pairs.refresh(first.refresh)
    for _ in range(3):
        clock.now += 10
        repeated = pairs.refresh(first.refresh)
        assert repeated.refresh is None
        assert pairs(repeated.access).subject == "42"
        assert "refresh_token" not in repeated.as_dict()
    assert pairs.refresh(second.refresh).refresh is not None


def test_a_lost_answer_costs_nothing(pairs, clock):
    """The client never got the successor. However often that happens, it gets another one after 30 seconds."""
    pair = pairs.issue("42")
    for _ in range(4):
        clock.now += 31
        got = pairs.refresh(pair.refresh)
        assert got.refresh is not None
    clock.now += DAY
    assert pairs.refresh(got.refresh).refresh is not None


def test_a_replaced_token_counts_30_seconds_after_its_successor_was_presented(pairs, clock, reused):
    first = pairs.issue("42")
    second = pairs.refresh(first.refresh)
    clock.now += DAY  # the client didn't use the successor: the first one stays valid
    third = pairs.refresh(second.refresh)
    clock.now += 30
    assert pairs.refresh(first.refresh).refresh is None
    clock.now += 1
    assert pairs.refresh(third.refresh).refresh is not None
    assert reused == []


def test_the_reuse_of_a_replaced_token_ends_the_login(pairs, app_of, clock, reused, caplog):
    first = pairs.issue("42", name="Phone")
    second = pairs.refresh(first.refresh)
    clock.now += 60
    third = pairs.refresh(second.refresh)
    clock.now += 31
    with app_of(pairs).app_context():
        error, reason = refusal(pairs, first.refresh)
    assert (error, reason) == ("invalid_grant", "a replaced token of login 1 was used")
    assert [(record.id, record.name, record.state) for record in reused] == [(1, "Phone", "revoked")]
    warnings = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert warnings == [
        "a replaced refresh token of login 1 was used, so the login was ended: an attacker has a copy, or a client "
        "restored an old one"
    ]
    for pair in (first, second, third):
        assert refusal(pairs, pair.refresh)[0] == "invalid_grant"
    assert len(reused) == 1
    assert pairs.list("42") == []
    assert pairs(third.access).subject == "42"  # signed: until it expires


@pytest.mark.parametrize("thief_first", [True, False])
def test_two_holders_of_one_token_end_the_login(pairs, clock, thief_first):
    """Both go on with what they receive. Whoever comes first, the login ends, at the latest in the second round."""
    held = dict.fromkeys(("owner", "thief"), pairs.issue("42").refresh)
    order = ("thief", "owner") if thief_first else ("owner", "thief")
    for _ in range(2):
        for who in order:
            clock.now += 60
            try:
                held[who] = pairs.refresh(held[who]).refresh or held[who]
            except GrantRefused:
                assert pairs.list("42") == []
                return
    pytest.fail("two clients shared one login")


def test_a_client_that_refreshes_twice_in_a_burst_loses_nothing(pairs, clock):
    pair = pairs.issue("42")
    token = pair.refresh
    for step in range(40):
        clock.now += 7
        got = pairs.refresh(token)
        again = pairs.refresh(token)
        assert again.refresh is None, step
        token = got.refresh or token


def test_scopes_can_be_narrowed_for_the_access_token_only(pairs, clock):
    """RFC 6749 section 6: the refresh token keeps its scope."""
    first = pairs.issue("42", scopes={"a", "b"})
    second = pairs.refresh(first.refresh, scopes="a")
    assert (second.scopes, pairs(second.access).scopes, second.as_dict()["scope"]) == ({"a"}, {"a"}, "a")
    clock.now += 60
    third = pairs.refresh(second.refresh)
    assert third.scopes == {"a", "b"}
    clock.now += 60
    assert pairs.refresh(third.refresh, scopes={"b"}).scopes == {"b"}


@pytest.mark.parametrize("scopes", ["c", "a c", " ", "a  b", 'a"', "ä", "a\nb", ["a", 1], 7, "x" * 1_000_000])
def test_other_scopes_are_refused_and_nothing_is_used_up(pairs, clock, scopes):
    first = pairs.issue("42", scopes={"a", "b"})
    assert refusal(pairs, first.refresh, scopes=scopes)[0] == "invalid_scope"
    assert pairs.refresh(first.refresh, scopes="").refresh is not None


def test_an_idle_login_ends(make_pairs, clock):
    pairs = make_pairs(idle=DAY, lifetime=10 * DAY)
    pair = pairs.issue("42")
    clock.now += DAY - 1
    pair = pairs.refresh(pair.refresh)
    assert len(pairs.list("42")) == 1
    clock.now += DAY
    assert pairs.list("42") == []
    error, reason = refusal(pairs, pair.refresh)
    assert error == "invalid_grant"
    assert reason == "login 1 was not refreshed for 86400 s, until 2027-01-17 07:59:59 UTC"


@pytest.mark.asvs("V10.4.8")
def test_a_login_ends_however_often_it_is_refreshed(make_pairs, clock):
    pairs = make_pairs(idle=DAY, lifetime=2 * DAY)
    pair = pairs.issue("42")
    for _ in range(3):
        clock.now += DAY / 2
        pair = pairs.refresh(pair.refresh)
    clock.now += DAY / 2 - 100
    last = pairs.refresh(pair.refresh)
    assert last.lifetime == 100  # the access token doesn't outlive the login
    assert pairs(last.access).expires_at == pair.record.expires_at.timestamp()
    clock.now += 100
    assert refusal(pairs, last.refresh) == ("invalid_grant", "login 1 reached its end at 2027-01-17 08:00:00 UTC")


def test_the_owner_is_asked_at_each_refresh(make_pairs, clock):
    owners = {"42": Identity("42", scopes={"a", "b"}, roles={"r"})}
    pairs = make_pairs(load=owners.get)
    first = pairs.issue("42", scopes={"a", "b"}, roles={"r"})
    owners["42"] = Identity("42", scopes={"b", "c"})
    second = pairs.refresh(first.refresh)
    assert (second.scopes, pairs(second.access).roles) == ({"b"}, set())
    kept = owners.pop("42")
    clock.now += 60
    assert refusal(pairs, second.refresh) == ("invalid_grant", "load= returned None for the owner of the login")
    owners["42"] = kept  # a locked user who was unlocked has not lost the login
    assert pairs.refresh(second.refresh).refresh is not None


def test_an_owner_who_is_gone_gets_no_pair(make_pairs, statements):
    pairs = make_pairs(load=lambda owner: None)
    statements.clear()
    with pytest.raises(GrantRefused):
        pairs.issue("42")
    assert statements == []


def test_load_must_return_the_owner(make_pairs):
    pairs = make_pairs(load=lambda owner: Identity("7"))
    with pytest.raises(TypeError, match="returned the identity of '7' for the owner '42'"):
        pairs.issue("42")


# --- bad input

BAD = [None, "", 7, ["a"], {}, b"x", True]
JUNK = [
    "x", "notes_", "a" * 1_000_000, "notes_" + "0" * 58, "\x00", "notes_\ud800", "ｎｏｔｅｓ_" + "0" * 58,
]  # fmt: skip


@pytest.mark.parametrize("sent", BAD, ids=repr)
def test_a_missing_token_is_an_invalid_request(pairs, statements, sent):
    statements.clear()
    assert refusal(pairs, sent)[0] == "invalid_request"
    assert statements == []


@pytest.mark.parametrize("sent", JUNK, ids=range(len(JUNK)))
def test_a_text_with_another_form_is_refused_without_a_query(pairs, statements, sent):
    statements.clear()
    assert refusal(pairs, sent) == (
        "invalid_grant",
        "the token has another form than refresh tokens with prefix=notes, or a wrong checksum",
    )
    assert statements == []


def test_each_changed_character_is_refused_without_a_query_and_ends_nothing(pairs, statements):
    token = pairs.issue("42").refresh
    statements.clear()
    for place, character in enumerate(token):
        changed = token[:place] + ("A" if character != "A" else "B") + token[place + 1 :]
        assert refusal(pairs, changed)[0] == "invalid_grant"
    for changed in (token + "\n", " " + token, token[:-1], token + "0", token.upper(), token.replace("_", "＿")):
        assert refusal(pairs, changed)[0] == "invalid_grant"
    assert statements == []
    assert pairs.refresh(token).refresh is not None


def test_an_unknown_token_is_refused(pairs):
    token = pairs.format.make_token(pairs.format.make_family()).arguments[0]
    register(token)
    assert refusal(pairs, token) == (
        "invalid_grant",
        "no login in the table auth_tokens has this digest: it was never issued, was pruned, or has another pepper=",
    )


def test_neither_token_is_accepted_as_the_other_one(pairs, status, engine):
    pair = pairs.issue("42")
    assert refusal(pairs, pair.access)[0] == "invalid_grant"
    assert status(pairs, pair.refresh) == 401
    assert status(pairs, pair.access) == 200
    stored = StoredTokens(engine, prefix="notes")
    personal = stored.issue("42", name="CI")
    register(personal.token)
    assert refusal(pairs, personal.token)[0] == "invalid_grant"
    assert status(stored, pair.refresh) == 401
    assert not pairs.revoke(personal.record)
    assert stored.list("42") == [personal.record]
    assert [record.id for record in pairs.list("42")] == [pair.record.id]


def test_two_apps_on_one_table_are_apart(make_pairs, clock):
    one, two = make_pairs(prefix="one"), make_pairs(prefix="one2")
    mine, theirs = one.issue("42"), two.issue("42")
    assert refusal(two, mine.refresh)[0] == "invalid_grant"
    with pytest.raises(Exception, match="not valid"):
        two(mine.access)
    assert [record.hint[:7] for record in one.list("42")] == ["one_..."]
    assert not two.revoke(mine.record)
    assert not two.revoke(one(mine.access))
    assert one.revoke_all("42") == 1
    assert two.refresh(theirs.refresh).refresh is not None
    clock.now += 40 * DAY
    assert (one.prune(ended_before=1), one.prune(ended_before=1), two.prune(ended_before=1)) == (1, 0, 1)


def test_another_key_or_purpose_is_refused(make_pairs, status):
    pairs, other = make_pairs(), make_pairs(secret_key="another secret of 32 characters.")
    assert status(pairs, other.issue("42").access) == 401
    forged = SignedTokens("pairs:notes", 900, secret_key="s3cret-of-the-app-in-32-characters").issue("42")
    register(forged)
    assert status(pairs, forged) == 401


def test_a_pepper_can_be_introduced(make_pairs):
    before = make_pairs().issue("42")
    pairs = make_pairs(pepper=["p" * 16, None])
    after = pairs.issue("42")
    assert pairs.refresh(before.refresh).refresh is not None
    assert pairs.refresh(after.refresh).refresh is not None
    assert refusal(make_pairs(pepper="q" * 16), after.refresh)[0] == "invalid_grant"


# --- failures


def test_a_database_that_is_away_is_503_and_uses_nothing_up(pairs, app_of, engine):
    pair = pairs.issue("42")
    client = app_of(pairs).test_client()

    def fail(connection, cursor, statement, *more):
        raise exc.OperationalError("SELECT", {}, OSError("away"))

    event.listen(engine, "before_cursor_execute", fail)
    answer = client.post("/token", data={"refresh_token": pair.refresh})
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert "WWW-Authenticate" not in answer.headers
    with pytest.raises(AuthUnavailable):
        pairs.issue("42")
    assert pairs(pair.access).subject == "42"  # no database is asked
    event.remove(engine, "before_cursor_execute", fail)
    assert pairs.refresh(pair.refresh).refresh is not None


@pytest.mark.parametrize("step", ["load", "sign", "before UPDATE", "after UPDATE", "answer"])
def test_a_crash_between_two_steps_locks_nobody_out(make_pairs, clock, monkeypatch, step):
    crash = {"now": False}

    def load(owner):
        if crash["now"] and step == "load":
            raise RuntimeError("crash")
        return object()

    pairs = make_pairs(load=load)
    pair = pairs.issue("42")

    def crashing(name, before):
        real = getattr(pairs, name)

        def run(*args, **kwargs):
            result = None if before else real(*args, **kwargs)
            if crash["now"]:
                raise RuntimeError("crash")
            return real(*args, **kwargs) if before else result

        monkeypatch.setattr(pairs, name, run)

    if step == "sign":
        crashing("_pair", True)
    elif step != "load":
        crashing("_rotate", step == "before UPDATE")
    crash["now"] = True
    with pytest.raises(RuntimeError):
        pairs.refresh(pair.refresh)
    crash["now"] = False
    again = pairs.refresh(pair.refresh)
    assert pairs(again.access).subject == "42"
    assert (again.refresh is None) is (step in ("after UPDATE", "answer"))  # nothing can fail after the UPDATE
    clock.now += 31
    token = pair.refresh
    for _ in range(3):
        clock.now += 60
        token = pairs.refresh(token).refresh
        assert token is not None


def test_without_a_key_no_row_stays(make_pairs, make_app, engine):
    pairs = make_pairs(secret_key=None)
    from flask import Flask

    with Flask("keyless").app_context(), pytest.raises(ConfigurationError, match="SECRET_KEY"):
        pairs.issue("42")
    assert pairs.list("42") == []


def test_a_stale_read_ends_no_login(pairs, clock, monkeypatch):
    """A database with several nodes may return a row as it was before the successor was issued."""
    first = pairs.issue("42")
    family = pairs.format.make_family()
    family.arguments = (first.refresh[: len("notes_") + 22],)
    stale = pairs._family(family)
    second = pairs.refresh(first.refresh)
    clock.now += 60
    rows = iter([stale])
    fresh = pairs._family
    monkeypatch.setattr(pairs, "_family", lambda family: next(rows, None) or fresh(family))
    assert pairs.refresh(second.refresh).refresh is not None


def test_a_driver_that_counts_no_rows_is_503(pairs, monkeypatch):
    pair = pairs.issue("42")
    monkeypatch.setattr(pairs, "_change", lambda *args: 0)
    with pytest.raises(AuthUnavailable) as caught:
        pairs.refresh(pair.refresh)
    assert caught.value.reason == (
        "Pairs: 8 attempts to write a login failed: does the driver count the rows of an UPDATE?"
    )


def test_of_eight_parallel_refreshes_one_gets_the_refresh_token(pairs):
    barrier = threading.Barrier(8)

    def refresh(token):
        barrier.wait()
        while True:
            try:
                return pairs.refresh(token)
            except AuthUnavailable:  # SQLite: another one writes
                continue

    with ThreadPoolExecutor(8) as pool:
        for _ in range(5):
            token = pairs.issue("42").refresh
            got = list(pool.map(refresh, [token] * 8))
            (new,) = [pair.refresh for pair in got if pair.refresh is not None]
            assert all(pairs(pair.access).subject == "42" for pair in got)
            assert pairs.refresh(new).refresh is not None


def test_a_revocation_wins_over_a_refresh_under_way(pairs, monkeypatch):
    pair = pairs.issue("42")
    rotate = Pairs._rotate

    def revoked_first(self, *args):
        assert pairs.revoke_all("42") == 1
        return rotate(self, *args)

    monkeypatch.setattr(Pairs, "_rotate", revoked_first)
    assert refusal(pairs, pair.refresh)[1].startswith("login 1 was revoked at ")

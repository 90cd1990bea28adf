"""Issue, list, rename, rotate, revoke, prune: whose tokens they are, what they grant, and how they end."""

import contextlib
import pickle
from datetime import datetime, timedelta, timezone

import pytest
from flask import Flask

from flask_unauthorized import Identity, RevokedCredentials, signals
from flask_unauthorized.loaders.stored import AlreadyRotated, Issued, TokenEnded, TooManyTokens, UnknownToken
from flask_unauthorized.schemes.secret import Secret

DAY = 86_400
READ, WRITE = {"notes:read"}, {"notes:read", "notes:write"}


def names(records):
    return [record.name for record in records]


@contextlib.contextmanager
def sent():
    """What the signals of tokens say while inside: their names and arguments."""
    seen = []
    kinds = ("token_issued", "token_revoked", "token_rotated", "token_reused")
    receivers = [
        (getattr(signals, kind), lambda app, kind=kind, **arguments: seen.append((kind, arguments))) for kind in kinds
    ]
    for signal, receive in receivers:
        signal.connect(receive, weak=False)
    try:
        with Flask("shop").app_context():
            yield seen
    finally:
        for signal, receive in receivers:
            signal.disconnect(receive)


# --- issue


def test_the_record_of_a_new_token(tokens, clock):
    issued = tokens.issue("42", name=" CI of notes ", scopes=WRITE, lifetime=timedelta(days=90))
    record = issued.record
    assert (record.owner, record.name, record.scopes, record.roles) == ("42", "CI of notes", WRITE, frozenset())
    assert record.created_at == datetime(2027, 1, 15, 8, 0, 0, tzinfo=timezone.utc)
    assert record.expires_at == record.created_at + timedelta(days=90)
    assert record.hint == f"notes_...{issued.token[32:36]}"
    assert (record.last_used_at, record.revoked_at, record.replaced_by, record.state) == (None, None, None, "valid")
    assert tokens.get(record.id, "42") == record


def test_an_issued_token_is_in_no_repr_and_no_pickle(tokens):
    issued = tokens.issue("42", name="CI")
    assert issued.token not in f"{issued!r} {issued} {issued.record!r} {tokens!r}"
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(issued)


def test_without_a_lifetime_the_longest_one_counts(make_tokens):
    for longest in (timedelta(days=366), 60):
        record = make_tokens(max_lifetime=longest).issue("42", name="CI").record
        span = longest if isinstance(longest, timedelta) else timedelta(seconds=longest)
        assert record.expires_at - record.created_at == span
    assert make_tokens(max_lifetime=None).issue("42", name="CI").record.expires_at is None


@pytest.mark.parametrize(
    ("lifetime", "error"),
    [
        (0, ValueError),
        (-1, ValueError),
        (0.5, ValueError),
        (float("nan"), ValueError),
        (float("inf"), ValueError),
        (timedelta(0), ValueError),
        (timedelta(days=367), ValueError),
        (10**30, ValueError),
        (True, TypeError),
        ("90", TypeError),
        (datetime(2030, 1, 1), TypeError),
    ],
)
def test_lifetimes_that_are_refused(tokens, lifetime, error):
    with pytest.raises(error, match="lifetime"):
        tokens.issue("42", name="CI", lifetime=lifetime)
    assert tokens.list("42") == []


def test_a_lifetime_beyond_the_year_9999_is_refused(make_tokens):
    with pytest.raises(ValueError, match="lifetime"):
        make_tokens(max_lifetime=None).issue("42", name="CI", lifetime=10**12)


MANY_MARKS = "x" + "\u0301\u0327" * 120_000  # normalizing them would take minutes


@pytest.mark.parametrize("name", ["", "   ", "x" * 101, "a\nb", "a\0b", "a\u202eb", "\ud800", None, 5, MANY_MARKS])
def test_names_that_are_refused(tokens, name):
    with pytest.raises((ValueError, TypeError), match="name"):
        tokens.issue("42", name=name)
    issued = tokens.issue("42", name="CI")
    with pytest.raises((ValueError, TypeError), match="name"):
        tokens.rename(issued.record.id, "42", name)
    assert names(tokens.list("42")) == ["CI"]


def test_a_name_is_stored_composed(tokens):
    assert tokens.issue("42", name="Cafe\u0301 \U0001f600").record.name == "Caf\u00e9 \U0001f600"


@pytest.mark.parametrize(
    ("scopes", "error"),
    [("notes:read", TypeError), ({"a b"}, ValueError), ({""}, ValueError), ({5}, TypeError), ({"ä"}, ValueError),
     ({"x" * 5000}, ValueError)],
)  # fmt: skip
@pytest.mark.parametrize("kind", ["scopes", "roles"])
def test_scopes_and_roles_that_are_refused(tokens, kind, scopes, error):
    with pytest.raises(error):
        tokens.issue("42", name="CI", **{kind: scopes})


@pytest.mark.parametrize("who", ["", None, 42, b"42", Identity(), Identity(client_id="robot")])
def test_owners_of_the_wrong_type(tokens, who):
    for act in (lambda: tokens.issue(who, name="CI"), lambda: tokens.list(who), lambda: tokens.revoke(1, who)):
        with pytest.raises(TypeError, match="Identity with a subject, or a subject"):
            act()


@pytest.mark.parametrize("who", ["x" * 256, "a\0b", "a\nb", "\ud800"])
def test_owners_that_no_database_could_hold(tokens, who):
    with pytest.raises(ValueError, match="printable"):
        tokens.issue(who, name="CI")


def test_an_identity_bounds_what_its_tokens_get(tokens):
    ada = Identity("42", scopes=READ, roles={"staff"})
    assert tokens.issue(ada, name="CI", scopes=READ, roles={"staff"}).record.owner == "42"
    with pytest.raises(ValueError, match="Missing scopes: notes:write"):
        tokens.issue(ada, name="CI", scopes=WRITE)
    with pytest.raises(ValueError, match="Missing roles: admin"):
        tokens.issue(ada, name="CI", roles={"admin"})


def test_what_load_returns_bounds_as_well(make_tokens):
    tokens = make_tokens(load=lambda owner: Identity(owner, scopes=READ))
    for who in ("42", Identity("42", scopes=WRITE)):
        with pytest.raises(ValueError, match="notes:write"):
            tokens.issue(who, name="CI", scopes=WRITE)


def test_a_token_cannot_issue_nor_rotate_one_with_more_than_it_has(tokens):
    weak = tokens.issue("42", name="weak", scopes=READ)
    strong = tokens.issue("42", name="strong", scopes=WRITE)
    caller = tokens(weak.token)
    with pytest.raises(ValueError, match="notes:write"):
        tokens.issue(caller, name="CI", scopes=WRITE)
    with pytest.raises(ValueError, match="notes:write"):
        tokens.rotate(strong.record.id, caller)
    assert tokens.get(strong.record.id, "42").replaced_by is None
    assert tokens.rotate(weak.record.id, caller).record.scopes == READ


def test_a_user_without_known_scopes_is_no_bound(tokens, make_app, auth):
    from flask_unauthorized.identity import BareIdentity

    assert tokens.issue(BareIdentity("42"), name="CI", scopes=READ).record.scopes == READ


def test_an_owner_has_so_many_valid_tokens(make_tokens, clock):
    tokens = make_tokens(max_per_owner=3)
    first, second, _ = (tokens.issue("42", name=name, lifetime=DAY) for name in "abc")
    with pytest.raises(TooManyTokens, match="3 are allowed"):
        tokens.issue("42", name="d")
    tokens.issue("43", name="a")
    tokens.rotate(first.record.id, "42")  # the old one has a successor, and isn't counted
    with pytest.raises(TooManyTokens):
        tokens.issue("42", name="d")
    tokens.revoke(second.record.id, "42")
    tokens.issue("42", name="d")
    clock.now += 2 * DAY
    tokens.issue("42", name="e")


# --- owners


OWNERS = ["Ada", "ada", "ada ", " ada", "äda", "a\u0308da", "ADA", "ada\u00a0", "42", "042"]


def test_no_owner_sees_or_changes_tokens_of_another(tokens):
    """The owners are equal for a database that ignores case, blanks or normalization."""
    issued = {}
    for who in OWNERS:
        if who.isprintable():
            issued[who] = tokens.issue(who, name=who.strip() or "x").record
    for who, record in issued.items():
        assert [one.id for one in tokens.list(who)] == [record.id]
        for other in set(issued) - {who}:
            assert tokens.get(record.id, other) is None
            assert not tokens.rename(record.id, other, "stolen")
            assert not tokens.revoke(record.id, other)
            with pytest.raises(UnknownToken):
                tokens.rotate(record.id, other)
    assert tokens.revoke_all("ada") == 1
    assert [who for who in issued if not tokens.list(who)] == ["ada"]


@pytest.mark.parametrize("number", [0, -1, 999, 2**63 - 1, 2**63, 10**40])
def test_ids_that_no_token_has(tokens, number):
    tokens.issue("42", name="CI")
    assert tokens.get(number, "42") is None
    assert not tokens.revoke(number, "42")
    assert not tokens.rename(number, "42", "x")
    with pytest.raises(UnknownToken):
        tokens.rotate(number, "42")
    assert len(tokens.list("42", after=number if number > 0 else 999)) in (0, 1)


@pytest.mark.parametrize("number", ["1", None, True, 1.0])
def test_ids_of_the_wrong_type(tokens, number):
    record = tokens.issue("42", name="CI").record
    with pytest.raises(TypeError, match="<int:id>"):
        tokens.revoke(number, "42")
    assert tokens.get(record.id, "42").state == "valid"


# --- list, rename


def test_lists_are_newest_first_in_pages_and_without_what_ended(tokens, clock):
    made = [tokens.issue("42", name=str(number), lifetime=60 if number == 2 else 600).record for number in range(5)]
    tokens.revoke(made[1].id, "42")
    tokens.rotate(made[3].id, "42", overlap=0)
    clock.now += 60
    assert names(tokens.list("42")) == ["3", "4", "0"]
    everything = tokens.list("42", include_ended=True)
    assert [one.name for one in everything] == ["3", "4", "3", "2", "1", "0"]
    first = tokens.list("42", include_ended=True, limit=2)
    second = tokens.list("42", include_ended=True, limit=2, after=first[-1].id)
    assert [one.id for one in first + second] == [one.id for one in everything][:4]


@pytest.mark.parametrize("limit", [0, 1001, True, "5"])
def test_limits_that_are_refused(tokens, limit):
    with pytest.raises(ValueError, match="limit"):
        tokens.list("42", limit=limit)


def test_a_token_gets_another_name(tokens):
    record = tokens.issue("42", name="CI").record
    assert tokens.rename(record.id, "42", "Deploy")
    assert names(tokens.list("42")) == ["Deploy"]


# --- revoke


def test_sto_20_revoke_says_whether_the_token_was_valid_and_refuses_it(tokens):
    issued = tokens.issue("42", name="CI")
    with sent() as seen:
        assert tokens.revoke(issued.record.id, "42") is True
        assert tokens.revoke(issued.record.id, "42") is False
        assert tokens.revoke(issued.record.id + 1, "42") is False
    assert [(kind, given["record"].state) for kind, given in seen] == [("token_revoked", "revoked")]
    with pytest.raises(RevokedCredentials):
        tokens(issued.token)


def test_an_expired_token_is_marked_as_revoked_all_the_same(tokens, clock):
    record = tokens.issue("42", name="CI", lifetime=60).record
    clock.now += 60
    assert tokens.revoke(record.id, "42") is False
    assert tokens.get(record.id, "42").revoked_at == record.expires_at


def test_revoke_all_leaves_one_and_other_owners(tokens, clock):
    made = [tokens.issue("42", name=str(number)) for number in range(4)]
    tokens.issue("43", name="other")
    tokens.revoke(made[0].record.id, "42")
    with sent() as seen:
        assert tokens.revoke_all("42", except_=made[1].record.id) == 2
        assert tokens.revoke_all("42", except_=made[1].record.id) == 0
    assert sorted(given["record"].name for _, given in seen) == ["2", "3"]
    assert names(tokens.list("42")) == ["1"]
    assert names(tokens.list("43")) == ["other"]
    assert tokens.revoke_all("42") == 1


# --- rotate


def test_a_rotation_keeps_what_the_token_grants_and_overlaps(tokens, clock):
    old = tokens.issue("42", name="CI", scopes=READ, roles={"bot"}, lifetime=90 * DAY, jkt="A" * 43)
    clock.now += 10 * DAY
    with sent() as seen:
        new = tokens.rotate(old.record.id, "42")
    assert new.token != old.token
    assert (new.record.name, new.record.scopes, new.record.roles) == ("CI", READ, {"bot"})
    assert new.record.expires_at - new.record.created_at == timedelta(days=90)
    before = tokens.get(old.record.id, "42")
    assert (before.replaced_by, before.ends_at) == (new.record.id, new.record.created_at + timedelta(hours=24))
    assert seen == [("token_rotated", {"record": before, "successor": new.record})]
    assert dict(tokens(new.token).confirmation) == {"jkt": "A" * 43}
    assert tokens(old.token).subject == "42"


def test_the_overlap_never_prolongs_the_old_token(tokens, clock):
    old = tokens.issue("42", name="CI", lifetime=60)
    new = tokens.rotate(old.record.id, "42", overlap=DAY, lifetime=DAY)
    assert tokens.get(old.record.id, "42").ends_at == old.record.expires_at
    assert new.record.expires_at - new.record.created_at == timedelta(days=1)


def test_no_overlap_for_a_token_that_leaked(tokens):
    for none in (0, timedelta(0)):
        old = tokens.issue("42", name="CI")
        tokens.rotate(old.record.id, "42", overlap=none)
        assert tokens.get(old.record.id, "42").state == "rotated"
        with pytest.raises(RevokedCredentials):
            tokens(old.token)


@pytest.mark.parametrize(
    ("overlap", "error"),
    [(-1, ValueError), (timedelta(days=31), ValueError), (float("nan"), ValueError), (False, TypeError),
     (True, TypeError), ("1", TypeError), (None, TypeError)],
)  # fmt: skip
def test_overlaps_that_are_refused(tokens, overlap, error):
    record = tokens.issue("42", name="CI").record
    with pytest.raises(error, match="overlap"):
        tokens.rotate(record.id, "42", overlap=overlap)
    assert tokens.get(record.id, "42") == record


def test_a_rotation_obeys_the_longest_lifetime(make_tokens):
    long = make_tokens(max_lifetime=100 * DAY).issue("42", name="CI").record
    tokens = make_tokens(max_lifetime=10 * DAY)
    with pytest.raises(ValueError, match="lifetime must be at most 10 days"):
        tokens.rotate(long.id, "42", lifetime=20 * DAY)
    new = tokens.rotate(long.id, "42").record
    assert new.expires_at - new.created_at == timedelta(days=10)


@pytest.mark.parametrize(
    ("lifetime", "message"),
    [
        (timedelta(days=100), "lifetime must be at most 90 days, not 100 days"),
        (timedelta(days=90, hours=1), "lifetime must be at most 90 days, not 90 days, 1:00:00"),
        (90 * DAY + 1, "lifetime must be at most 90 days, not 7776001 seconds"),
        (1e300, "lifetime must be at most 90 days, not 1e+300 seconds"),
        (-5, "lifetime must be at least one second, not -5 seconds"),
    ],
)
def test_a_form_can_show_which_lifetime_is_refused(make_tokens, lifetime, message):
    with pytest.raises(ValueError, match="lifetime") as refused:
        make_tokens(max_lifetime=90 * DAY).issue("42", name="CI", lifetime=lifetime)
    assert str(refused.value) == message


def test_a_token_for_ever_is_rotated_to_one(make_tokens):
    tokens = make_tokens(max_lifetime=None)
    old = tokens.issue("42", name="CI").record
    assert tokens.rotate(old.id, "42").record.expires_at is None
    assert tokens.get(old.id, "42").ends_at is not None


def test_a_second_click_is_told_of_the_successor(tokens):
    old = tokens.issue("42", name="CI").record
    new = tokens.rotate(old.id, "42")
    with pytest.raises(AlreadyRotated, match=f"token {old.id} was already replaced by token {new.record.id}") as caught:
        tokens.rotate(old.id, "42")
    assert caught.value.successor == new.record
    assert caught.value.record.replaced_by == new.record.id
    assert new.token not in str(caught.value.args)
    assert len(tokens.list("42")) == 2


@pytest.mark.parametrize("how", ["revoked", "expired"])
@pytest.mark.parametrize("again", [False, True])
def test_an_ended_token_is_not_rotated(tokens, clock, how, again):
    record = tokens.issue("42", name="CI", lifetime=60).record
    if how == "revoked":
        tokens.revoke(record.id, "42")
    else:
        clock.now += 60
    with pytest.raises(TokenEnded) as caught:
        tokens.rotate(record.id, "42", again=again)
    assert caught.value.record.id == record.id
    assert len(tokens.list("42", include_ended=True)) == 1


def test_a_revocation_between_the_look_and_the_change_wins(tokens, monkeypatch):
    record = tokens.issue("42", name="CI").record
    bounds = tokens._bounds

    def revoked_meanwhile(*args):
        tokens.revoke(record.id, "42")
        return bounds(*args)

    monkeypatch.setattr(tokens, "_bounds", revoked_meanwhile)
    with pytest.raises(TokenEnded, match="was revoked"):
        tokens.rotate(record.id, "42")
    assert tokens.list("42") == []
    assert len(tokens.list("42", include_ended=True)) == 1  # the new one was rolled back


def test_a_lost_answer_is_healed(tokens, clock):
    old = tokens.issue("42", name="CI")
    lost = tokens.rotate(old.record.id, "42")
    ends_at = tokens.get(old.record.id, "42").ends_at
    clock.now += 60
    new = tokens.rotate(old.record.id, "42", again=True)
    before = tokens.get(old.record.id, "42")
    assert (before.replaced_by, before.ends_at) == (new.record.id, ends_at)
    assert tokens(new.token).subject == tokens(old.token).subject == "42"
    with pytest.raises(RevokedCredentials):
        tokens(lost.token)


def test_a_used_successor_is_not_replaced_again(tokens):
    old = tokens.issue("42", name="CI")
    new = tokens.rotate(old.record.id, "42")
    tokens(new.token)
    with pytest.raises(AlreadyRotated):
        tokens.rotate(old.record.id, "42", again=True)
    assert tokens(new.token).subject == "42"


def test_after_the_overlap_the_answer_stays_lost(tokens, clock):
    old = tokens.issue("42", name="CI")
    tokens.rotate(old.record.id, "42", overlap=60)
    clock.now += 60
    with pytest.raises(AlreadyRotated):
        tokens.rotate(old.record.id, "42", again=True)
    assert len(tokens.list("42")) == 1  # the successor wasn't revoked


def test_again_without_a_rotation_is_a_rotation(tokens):
    old = tokens.issue("42", name="CI").record
    new = tokens.rotate(old.id, "42", again=True).record
    assert tokens.get(old.id, "42").replaced_by == new.id


def test_a_chain_of_rotations_has_one_family(tokens, engine):
    from sqlalchemy import text

    first = tokens.issue("42", name="CI").record
    second = tokens.rotate(first.id, "42").record
    tokens.rotate(second.id, "42")
    with engine.connect() as connection:
        assert connection.execute(text("SELECT family FROM auth_tokens ORDER BY id")).scalars().all() == [None, 1, 1]


# --- prune


def test_prune_deletes_what_ended_long_ago(tokens, clock):
    expired = tokens.issue("42", name="expired", lifetime=60)
    revoked = tokens.issue("42", name="revoked")
    rotated = tokens.issue("42", name="rotated")
    tokens.revoke(revoked.record.id, "42")
    tokens.rotate(rotated.record.id, "42", overlap=60)
    assert tokens.prune() == 0
    clock.now += 30 * DAY
    assert tokens.prune() == 0
    clock.now += 1
    assert tokens.prune() == 1  # the one that was revoked; the others ended a minute later
    clock.now += 61
    assert tokens.prune() == 2
    assert names(tokens.list("42", include_ended=True)) == ["rotated"]
    assert tokens.get(expired.record.id, "42") is None


@pytest.mark.parametrize("before", [0, -5, True, "30", float("nan")])
def test_prune_refuses_odd_times(tokens, before):
    with pytest.raises((ValueError, TypeError), match="ended_before"):
        tokens.prune(ended_before=before)


# --- signals


def test_signals_say_what_happened_and_hold_no_token(tokens):
    with sent() as seen:
        old = tokens.issue("42", name="CI")
        new = tokens.rotate(old.record.id, "42")
        tokens.revoke(new.record.id, "42")
    assert [kind for kind, _ in seen] == ["token_issued", "token_rotated", "token_revoked"]
    assert not any(token in repr(seen) for token in (old.token, new.token))


def test_a_rolled_back_rotation_sends_no_signal(tokens):
    old = tokens.issue("42", name="CI").record
    tokens.rotate(old.id, "42")
    with sent() as seen, pytest.raises(AlreadyRotated):
        tokens.rotate(old.id, "42")
    assert seen == []


def test_the_repr_of_issued_is_short():
    secret = Secret()
    secret.arguments = ("notes_x",)
    assert "notes_x" not in repr(Issued(secret, type("R", (), {"id": 1, "hint": "notes_...abcd"})))

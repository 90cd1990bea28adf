"""Revoked tokens: STO-19, STO-20, STO-22, JWS-17, CLM-16, LDR-21."""

import time
from datetime import timedelta

import pytest

from flask_unauthorized import AuthUnavailable, ConfigurationError, Identity, InvalidCredentials, RevokedCredentials
from flask_unauthorized.loaders.revocation import Revocations
from flask_unauthorized.stores.base import MAX_LIFETIME
from flask_unauthorized.stores.memory import MemoryStore
from flask_unauthorized.stores.sqlite import SQLiteStore
from tests.jose.conftest import jwt
from tests.jose.signing import ISSUER, b64, claims, header, signed, token, unb64


class Noting(MemoryStore):
    """Notes how long entries are to live."""

    def __init__(self):
        super().__init__()
        self.lifetimes = []

    def _put(self, key, value, lifetime):
        self.lifetimes.append(lifetime)
        super()._put(key, value, lifetime)


@pytest.fixture
def revocations():
    return Revocations(Noting())


def test_sto_19_a_token_is_revoked_and_others_are_not(behind, revocations):
    app = behind(jwt(revoked=revocations))
    good, other = token(), token(jti="other")
    identity = app.admits(good)
    assert revocations.revoke(identity) is True
    refused = app.refuses(good)
    assert "revoked" in refused.headers["WWW-Authenticate"]
    assert app.admits(other)
    assert app.admits(token(jti="another"))


def test_jws_17_every_spelling_of_a_revoked_token_is_refused(behind, revocations):
    app = behind(jwt(revoked=revocations, cache_size=10))
    good = token()
    revocations.revoke(app.admits(good))
    head, payload, proof = good.split(".")
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    octets = unb64(proof)
    high = b64(octets[:32] + (order - int.from_bytes(octets[32:], "big")).to_bytes(32, "big"))
    spellings = [
        good,
        f"{head}.{payload}.{high}",
        signed(header(), app.seen[0].claims | {}),
        f"{good}=",
        f"{head}=.{payload}.{proof}",
        f"{head}.{payload}.{proof[:-1]}{chr(ord(proof[-1]) + 1)}",
        good.replace("-", "+").replace("_", "/") + "=",
    ]
    # "=" before the end is outside of a b64token's alphabet, and so malformed (RFC 6750 §2.1).  # T-05
    assert [app.get(spelling).status_code for spelling in spellings] == [401] * 4 + [400] + [401] * 2
    assert len(app.seen) == 1


def test_sto_19_all_tokens_of_a_subject_up_to_now(revocations, monkeypatch):
    loader = jwt(revoked=revocations)
    now = int(time.time())
    before, same = token(iat=now - 30), token(iat=now, jti="same")
    assert loader(before)
    monkeypatch.setattr("flask_unauthorized.loaders.revocation.time", lambda: now + 0.75)
    revocations.revoke_subject(ISSUER, "ada")
    for old in (before, same):
        with pytest.raises(RevokedCredentials):
            loader(old)
    # F-33: the issuer's clock may be ahead by the leeway, in which it dates what it issued before.
    for ahead in (1, 30, 60):
        with pytest.raises(RevokedCredentials):
            loader(token(iat=now + ahead, jti=f"ahead {ahead}"))
    monkeypatch.setattr("flask_unauthorized.loaders.jwt.time", lambda: now + 90)
    assert loader(token(iat=now + 61, jti="new"))
    assert loader(token(iat=now - 30, sub="bob"))
    assert revocations.store.lifetimes == [MAX_LIFETIME]


def test_a_time_of_issue_with_a_fraction_is_compared_as_it_is(monkeypatch):  # F-33; RFC 7519 §2, NumericDate
    revocations = Revocations(MemoryStore(), leeway=0)
    loader = jwt(revoked=revocations, leeway=0)
    now = int(time.time()) - 10
    monkeypatch.setattr("flask_unauthorized.loaders.revocation.time", lambda: now + 0.75)
    revocations.revoke_subject(ISSUER, "ada")
    for iat in (now - 1, now, now + 0.25, now + 0.75):
        with pytest.raises(RevokedCredentials):
            loader(token(iat=iat, jti=f"old {iat}"))
    for iat in (now + 0.875, now + 1):
        assert loader(token(iat=iat, jti=f"new {iat}"))


@pytest.mark.parametrize("held", ["", "-1", "1e9", "nan", "inf", "١", "1.", "1 ", "0x10"])
def test_a_time_that_was_not_written_here_is_a_503(revocations, held):
    revocations.store.put("revoked-subject", f'["{ISSUER}", "ada"]', held, 60)
    with pytest.raises(AuthUnavailable) as caught:
        jwt(revoked=revocations)(token())
    assert caught.value.reason == (
        f"Revocations: the store holds a text of {len(held)} characters for a subject, expected seconds since 1970: "
        "give each app its own prefix="
    )


@pytest.mark.parametrize("lifetime", [3600, timedelta(hours=1)], ids=str)
def test_a_token_that_does_not_say_when_it_was_issued_is_older(revocations, lifetime):
    loader = jwt(revoked=revocations, profile="oidc-compat")
    assert loader(token(iat=...))
    revocations.revoke_subject(ISSUER, "ada", lifetime=lifetime)
    with pytest.raises(RevokedCredentials):
        loader(token(iat=...))
    # A token that is dated 60 s ahead ends at 3660 s, and the loader accepts it for 60 s more.
    assert revocations.store.lifetimes == [3600 + 60 + 60]


# F-33
@pytest.mark.parametrize("leeway", [0, 60, 300])
def test_the_leeway_of_the_loader_is_that_of_its_revocations(leeway, caplog):
    store = MemoryStore()
    revocations = Revocations(store, leeway=0)
    loader = jwt(revoked=revocations, leeway=leeway)
    ahead = token(iat=int(time.time()) + leeway - 1) if leeway else token()
    assert loader(ahead)
    revocations.revoke_subject(ISSUER, "ada")
    with pytest.raises(RevokedCredentials):
        loader(ahead)


@pytest.mark.parametrize("leeway", [-1, 3601])
def test_a_leeway_that_cannot_be_meant(leeway):
    with pytest.raises(ConfigurationError, match="leeway"):
        Revocations(MemoryStore(), leeway=leeway)
    with pytest.raises(TypeError, match="leeway"):
        Revocations(MemoryStore(), leeway=1.5)


def test_another_issuer_with_the_same_names_is_not_touched(revocations):
    other = "https://other.example"
    revocations.revoke(claims(iss=other))
    revocations.revoke_subject(other, "ada")
    assert jwt(revoked=revocations)(token())


def test_sto_20_revoking_says_whether_there_was_something_to_revoke(revocations):
    now = int(time.time())
    assert revocations.revoke(claims()) is True
    assert revocations.revoke(claims()) is False
    assert revocations.revoke(claims(jti="ended", exp=now - 10)) is False
    assert revocations.revoke(claims(jti="eternal", exp=...)) is True


@pytest.mark.asvs("V14.2.7")
def test_sto_22_an_entry_lives_as_long_as_the_token_could(revocations):
    now = time.time()
    for end, least in (
        (now + 600, 600),
        (now - 86_400, 1),
        (..., MAX_LIFETIME),
        (now + 10 * MAX_LIFETIME, MAX_LIFETIME),
    ):
        revocations.revoke(claims(exp=end))
        kept = revocations.store.lifetimes.pop()
        assert least <= kept <= least + 3601


def test_revoking_takes_an_identity_or_claims(revocations):
    identity = jwt()(token())
    assert revocations.revoke(identity)
    assert not revocations.revoke(dict(identity.claims))
    for nameless in (
        {},
        {"iss": ISSUER},
        {"jti": "x"},
        {"iss": 5, "jti": "x"},
        {"iss": ISSUER, "jti": 5},
        Identity("ada"),
    ):
        with pytest.raises(ValueError, match="iss and jti"):
            revocations.revoke(nameless)
    for issuer, subject in (("", "ada"), (ISSUER, ""), (None, "ada"), (ISSUER, 5)):
        with pytest.raises(ValueError, match="must be a text"):
            revocations.revoke_subject(issuer, subject)
    with pytest.raises(TypeError, match="Store"):
        Revocations({})


def test_entra_names_its_tokens_by_uti(revocations):
    loader = jwt(revoked=revocations, profile="oidc-compat")
    good = token(jti=..., uti="AAAA")
    revocations.revoke(loader(good))
    with pytest.raises(RevokedCredentials):
        loader(good)
    assert loader(token(jti=..., uti="BBBB"))


@pytest.mark.parametrize("name", [..., None, 5, [], "", "x" * 300])
def test_clm_16_a_token_without_a_name_cannot_be_let_in_while_tokens_are_revoked(revocations, name):
    for profile in ("rfc9068", "oidc-compat"):
        for loader in (jwt(revoked=revocations, profile=profile), jwt(revoked=lambda identity: False, profile=profile)):
            with pytest.raises(InvalidCredentials):
                loader(token(jti=name))
    assert revocations(Identity("ada")) is True


def test_sto_07_a_store_that_is_down_is_a_503(behind):
    class Down(MemoryStore):
        def _get(self, key):
            raise OSError("down")

    app = behind(jwt(revoked=Revocations(Down())))
    response = app.get(token())
    assert (response.status_code, response.headers.getlist("WWW-Authenticate")) == (503, [])


def test_sto_09_a_value_that_is_not_ours_is_a_503(revocations):
    revocations.store.put("revoked-subject", f'["{ISSUER}", "ada"]', "yesterday", 60)
    with pytest.raises(AuthUnavailable):
        jwt(revoked=revocations)(token())


@pytest.mark.parametrize("answer", [None, 0, 1, "yes", [], object()])
def test_ldr_21_an_answer_is_true_or_false(behind, answer):
    with pytest.raises(TypeError, match="return True or False"):
        behind(jwt(revoked=lambda identity: answer)).get(token())


def test_the_store_is_checked_and_several_workers_need_one_that_they_share(behind, caplog, tmp_path):
    asked = []

    class Asked(MemoryStore):
        def check(self):
            asked.append(True)

    app = behind(jwt(revoked=Revocations(Asked())))
    for _ in range(2):
        app.client.get(
            "/", headers={"Authorization": f"Bearer {token()}"}, environ_overrides={"wsgi.multiprocess": True}
        )
    assert asked == [True]
    assert caplog.text.count("several workers") == 1
    store = SQLiteStore(tmp_path / "revoked.db")
    shared = Revocations(store)
    shared.revoke(claims())
    with pytest.raises(RevokedCredentials):
        jwt(revoked=Revocations(store))(token())
    store.close()

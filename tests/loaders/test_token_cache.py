"""Tokens that were verified once and are cached."""

import threading
import time

import pytest

from flask_unauthorized import AuthUnavailable, ExpiredCredentials, InvalidCredentials, RevokedCredentials
from flask_unauthorized.jose import PyJWTEngine, public_key_pem, select_keys
from flask_unauthorized.loaders.jwt import JWT, Issuers
from flask_unauthorized.loaders.token_cache import TokenCache
from flask_unauthorized.wire.credentials import token_digest
from tests.jose.conftest import jwt
from tests.jose.signing import claims, header, pem, private, signed, token


class Counting(PyJWTEngine):
    """Counts the signatures that are checked."""

    def __init__(self):
        self.count = 0

    def verify(self, *args):
        self.count += 1
        return super().verify(*args)


class Changing:
    """Keys that change."""

    def __init__(self, *keys):
        self.keys = keys

    def candidates(self, kid, algorithm):
        if self.keys is None:
            raise AuthUnavailable(reason="the key server is down")
        return select_keys(self.keys, kid, algorithm)


def key(number=0, kid="k1"):
    return public_key_pem(pem("ES256", number), kid=kid)


def test_a_token_is_verified_once():
    engine = Counting()
    loader, good = jwt(cache_size=10, engine=engine), token()
    first = loader(good)
    assert [loader(good) for _ in range(5)] == [first] * 5
    assert engine.count == 1
    loader(token(sub="bob"))
    assert engine.count == 2


def test_without_it_each_time():
    engine = Counting()
    loader, good = jwt(engine=engine), token()
    loader(good)
    loader(good)
    assert engine.count == 2


def test_s_03_only_digests_are_kept():
    loader, good = jwt(cache_size=10), token()
    loader(good)
    kept = loader._cache._tokens
    assert list(kept) == [token_digest(good)]
    assert good not in repr(kept)
    assert good.split(".")[2] not in repr([vars(loader), kept])


def test_never_past_the_end(monkeypatch):
    now = time.time()
    loader = jwt(cache_size=10, leeway=0)
    good = token(exp=int(now) + 100)
    assert loader(good)
    for module in ("jwt", "token_cache"):
        monkeypatch.setattr(f"flask_unauthorized.loaders.{module}.time", lambda: now + 101)
    with pytest.raises(ExpiredCredentials):
        loader(good)
    assert len(loader._cache) == 0


def test_key_23_not_when_its_key_is_gone():
    keys = Changing(key())
    loader, good = jwt(keys=keys, cache_size=10), token()
    assert loader(good)
    keys.keys = (key(1),)
    with pytest.raises(InvalidCredentials):
        loader(good)
    keys.keys = (key(),)
    assert loader(good)


def test_not_when_another_key_has_its_name():
    keys = Changing(key(0))
    loader = jwt(keys=keys, cache_size=10)
    good, other = token(), signed(header(), claims(), key=private("ES256", 1))
    assert loader(good)
    keys.keys = (key(1),)
    assert loader(other)
    with pytest.raises(InvalidCredentials):
        loader(good)


def test_keys_that_are_published_anew_are_the_same_keys():
    keys, engine = Changing(key()), Counting()
    loader, good = jwt(keys=keys, cache_size=10, engine=engine), token()
    loader(good)
    keys.keys = (key(), key(1, "k2"))
    loader(good)
    assert engine.count == 1


def test_not_when_the_keys_cannot_be_known():
    keys = Changing(key())
    loader, good = jwt(keys=keys, cache_size=10), token()
    assert loader(good)
    keys.keys = None
    with pytest.raises(AuthUnavailable):
        loader(good)


def test_revocation_and_look_up_are_asked_each_time():
    gone, users = set(), {"ada": 1}
    loader, good = jwt(cache_size=10, revoked=lambda i: i.subject in gone, user=lambda i: users.get(i.subject)), token()
    assert loader(good).user == 1
    users["ada"] = 2
    assert loader(good).user == 2
    gone.add("ada")
    with pytest.raises(RevokedCredentials):
        loader(good)
    gone.clear()
    users.clear()
    with pytest.raises(InvalidCredentials):
        loader(good)


def test_what_was_refused_is_not_cached():
    loader = jwt(cache_size=10)
    for text in ("a.b.c", token(aud="x"), token(exp=1, iat=0), signed(header(), claims(), key=private("ES256", 1))):
        with pytest.raises(InvalidCredentials):
            loader(text)
    assert len(loader._cache) == 0


def test_another_spelling_is_another_token():
    loader, good = jwt(cache_size=10), token()
    loader(good)
    for other in (good + "=", good + ".", " " + good, good[:-1]):
        with pytest.raises(InvalidCredentials):
            loader(other)


def test_the_oldest_goes_first():
    engine = Counting()
    loader = jwt(cache_size=3, engine=engine)
    tokens = [token(jti=f"t{n}") for n in range(4)]
    for text in (*tokens[:3], tokens[0], tokens[3]):
        loader(text)
    assert (len(loader._cache), engine.count) == (3, 4)
    loader(tokens[0])  # used lately
    assert engine.count == 4
    loader(tokens[1])  # the oldest
    assert engine.count == 5


def test_an_entry_that_two_threads_add_is_as_young_as_the_second_says():
    cache = TokenCache(2)
    entry = jwt(cache_size=1)
    good = token()
    entry(good)
    verified = entry._cache.get(token_digest(good))
    for digest in (b"a", b"b", b"a", b"c"):
        cache.put(digest, verified)
    assert [cache.get(digest) for digest in (b"a", b"b", b"c")] == [verified, None, verified]


def test_an_issuer_among_several_has_a_cache():
    engine = Counting()
    other = JWT("https://other.example.com", audience="x", keys=key(1))
    for issuers in (
        Issuers(other, jwt(cache_size=10, engine=engine)),
        Issuers(jwt(cache_size=10, engine=engine), other),
    ):
        engine.count = 0
        good = token(jti=str(id(issuers)))
        assert issuers(good) == issuers(good)
        assert engine.count == 1


def test_threads_share_it():
    loader = jwt(cache_size=5)
    tokens = [token(jti=f"t{n}", sub=f"user-{n}") for n in range(12)]
    wrong = []

    def use(start):
        for turn in range(200):
            number = (start + turn) % len(tokens)
            if loader(tokens[number]).subject != f"user-{number}":
                wrong.append(number)

    threads = [threading.Thread(target=use, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert not wrong
    assert len(loader._cache) == 5


def test_removing_what_is_not_there():
    cache = TokenCache(2)
    cache.remove(b"x")
    assert cache.get(b"x") is None

"""Spans of time that developers give, and keywords that they misspell."""

from datetime import timedelta

import pytest

from flask_unauthorized import Auth, Bearer, ConfigurationError, Digest, DPoP, SessionCookie
from flask_unauthorized.loaders import Passwords, SignedTokens
from flask_unauthorized.loaders.introspection import Introspection
from flask_unauthorized.loaders.jwks import JWKS
from flask_unauthorized.loaders.jwt import JWT

URL = "https://id.example.com/"


def introspection(**options):
    return Introspection(URL, audience=None, client_id="a", client_secret="b", **options)


LIFETIMES = {
    "SignedTokens.lifetime": lambda value: SignedTokens("login", lifetime=value).lifetime,
    "SessionCookie.lifetime": lambda value: SessionCookie(str, lifetime=value).lifetime,
    "SessionCookie.idle": lambda value: SessionCookie(str, idle=value).idle,
    "Digest.nonce_lifetime": lambda value: Digest(str, nonce_lifetime=value).nonce_lifetime,
    "DPoP.nonce_lifetime": lambda value: DPoP(str, origin="https://a.example", nonce_lifetime=value).nonce_lifetime,
}
CACHES = {
    "JWKS.cache": lambda value: JWKS(URL, cache=value).cache,
    "JWKS.max_stale": lambda value: JWKS(URL, cache=30, max_stale=value).max_stale,
    "Passwords.cache": lambda value: Passwords({"ada": "x"}, cache=value),
    "Introspection.cache": lambda value: introspection(cache=value),
}


@pytest.mark.parametrize("given", [60, timedelta(minutes=1), timedelta(seconds=30, milliseconds=30_000)], ids=str)
@pytest.mark.parametrize("name", LIFETIMES)
def test_a_lifetime_is_a_number_of_seconds_or_a_timedelta(name, given):
    seconds = LIFETIMES[name](given)
    assert seconds == 60
    assert type(seconds) is int


@pytest.mark.parametrize(
    ("given", "error"),
    [
        (0, ConfigurationError), (timedelta(0), ConfigurationError), (timedelta(seconds=-1), ConfigurationError),
        (timedelta(days=365 * 100), ConfigurationError), (60.0, TypeError), (timedelta(seconds=60.5), TypeError),
        ("60", TypeError), (True, TypeError),
    ],
    ids=str,
)  # fmt: skip
@pytest.mark.parametrize("name", LIFETIMES)
def test_what_is_no_lifetime(name, given, error):
    with pytest.raises(error, match=name.partition(".")[2]):
        LIFETIMES[name](given)


@pytest.mark.parametrize("given", [90, 90.0, timedelta(seconds=90)], ids=repr)
def test_a_time_in_a_cache_is_a_number_of_seconds_or_a_timedelta(given):
    assert CACHES["JWKS.cache"](given) == 90
    assert CACHES["JWKS.max_stale"](given) == 90
    for name in ("Passwords.cache", "Introspection.cache"):
        CACHES[name](given)


@pytest.mark.parametrize(
    ("given", "error"),
    [(-1, ConfigurationError), (timedelta(days=-1), ConfigurationError), (timedelta(days=40), ConfigurationError),
     (float("nan"), ConfigurationError), ("60", TypeError), (True, TypeError), (None, TypeError)],
    ids=str,
)  # fmt: skip
@pytest.mark.parametrize("name", CACHES)
def test_what_is_no_time_in_a_cache(name, given, error):
    with pytest.raises(error, match=name.partition(".")[2]):
        CACHES[name](given)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SignedTokens("login", lifetme=60), "SignedTokens() has no keyword lifetme: did you mean lifetime?"),
        (lambda: SignedTokens("login", max_age=60),
         "SignedTokens() has no keyword max_age: it takes salt, lifetime, secret_key, load"),
        (lambda: SignedTokens("login"),
         'SignedTokens() needs lifetime: write SignedTokens("login", lifetime=3600), in seconds or as a timedelta'),
        (lambda: Passwords({"ada": "x"}, cached=60), "Passwords() has no keyword cached: did you mean cache?"),
        (lambda: introspection(cache_sise=5), "Introspection() has no keyword cache_sise: did you mean cache_size?"),
        (lambda: JWKS(URL, max_stal=5), "JWKS() has no keyword max_stal: did you mean max_stale?"),
        (lambda: JWT("a", audience="b", cachesize=5), "JWT() has no keyword cachesize: did you mean cache_size?"),
    ],
)  # fmt: skip
def test_a_keyword_that_is_misspelled_or_missing(make, message):
    with pytest.raises(TypeError) as caught:
        make()
    assert str(caught.value) == message


@pytest.mark.parametrize("method", ["login_required", "login_optional", "require"])
def test_an_unknown_keyword_names_the_nearest(method: str) -> None:
    auth = Auth(Bearer(lambda token: None))
    with pytest.raises(TypeError, match=rf"{method}\(\) has no keyword scope: did you mean scopes\?"):
        getattr(auth, method)(scope={"read"})


def test_an_argument_that_is_given_twice_is_not_missing():
    with pytest.raises(TypeError, match="got multiple values for argument 'hashes'"):
        Passwords({"ada": "x"}, hashes={"ada": "x"})

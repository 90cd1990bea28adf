"""Digest: the short way through what all clients send, and nonces without itsdangerous, say what the long way says."""

import base64
import hashlib
import time
from types import SimpleNamespace

import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st
from itsdangerous import Signer

from flask_unauthorized.errors import MalformedCredentials
from flask_unauthorized.schemes.digest_credentials import _parameters
from flask_unauthorized.schemes.nonces import Nonces
from flask_unauthorized.wire import parse_authorization
from flask_unauthorized.wire.grammar import GrammarError

PIECES = (
    'username="ada"', "nc=00000001", "qop=auth", 'uri="/a?b=c,d"', 'realm = "x, y"', 'opaque=""', 'a="\\""', 'b="é"',
    "NC=2", "qop=", "=x", "token68==", "token68", 'open="', ",", ", ", " ,\t", " ", '"', "\x7f", "\x00",
)  # fmt: skip


@given(
    st.one_of(st.lists(st.sampled_from(PIECES), max_size=12).map("".join), st.text(st.characters(max_codepoint=256)))
)
def test_parameters_are_those_of_the_one_strict_reader(rest):
    rest = rest.strip(" \t")
    try:
        parsed = parse_authorization(f"Digest {rest}")
    except GrammarError:
        with pytest.raises(MalformedCredentials):
            _parameters(rest)
    else:
        assert _parameters(rest) == {name.lower(): value for name, value in parsed.params}


@pytest.mark.parametrize(("count", "good"), [(32, True), (33, False)])
def test_as_many_parameters_as_the_reader_takes(count, good):
    rest = ", ".join(f"p{number}=v" for number in range(count))
    if good:
        assert len(_parameters(rest)) == count
    else:
        with pytest.raises(MalformedCredentials):
            _parameters(rest)


def test_parameters_are_read_in_linear_time_whatever_they_are():
    for rest in ("a=b," * 1000 + '"', "a=b, " * 30 + "a" * 3900, 'a="' + "b" * 4000, "a \t" * 1300):
        with pytest.raises(MalformedCredentials):
            _parameters(rest)


def signer(app, realm, keys):
    salt = f"flask_unauthorized.nonce\0digest\0{app.name}\0{realm}"
    return Signer(keys, salt=salt, key_derivation="hmac", digest_method=hashlib.sha256)


def minted(milliseconds):
    """A nonce's content, with the time as RFC 4648 §5 writes it."""
    octets = milliseconds.to_bytes(6, "big")
    return "x." + base64.urlsafe_b64encode(octets).decode().rstrip("=")


def test_nonces_are_signed_as_itsdangerous_signs():
    app = Flask("shop")
    app.config["SECRET_KEY"] = "new key"
    value, _, stamp = signer(app, "r", "new key").unsign(Nonces("digest").mint(app, "r")).decode().partition(".")
    assert len(value) == 12
    milliseconds = int.from_bytes(base64.urlsafe_b64decode(stamp), "big")
    assert abs(milliseconds / 1000 - time.time()) < 60


# F-39
@pytest.mark.parametrize(("now", "age"), [(1_700_000_000.999, 0.0), (1_700_000_001.0, 0.001), (1_700_000_005.5, 4.501)])
def test_the_age_of_a_nonce_has_milliseconds(monkeypatch, now, age):
    app = Flask("shop")
    app.config["SECRET_KEY"] = "new key"
    monkeypatch.setattr(time, "time", lambda: now)
    found = Nonces("digest").age(app, "r", signer(app, "r", "new key").sign(minted(1_700_000_000_999)).decode())
    assert found == pytest.approx(age, abs=1e-6)


def test_nonces_of_an_older_key_are_good_and_new_ones_have_the_new_key():
    app = Flask("shop")
    app.config.update(SECRET_KEY="new key", SECRET_KEY_FALLBACKS=["old key", "older key"])
    for key in ("new key", "old key", "older key"):
        assert Nonces("digest").age(app, "r", signer(app, "r", key).sign(minted(0)).decode()) is not None
    assert Nonces("digest").age(app, "r", signer(app, "r", "no key").sign(minted(0)).decode()) is None
    assert signer(app, "r", "new key").validate(Nonces("digest").mint(app, "r"))


def test_a_nonce_has_one_spelling():
    app = SimpleNamespace(config={"SECRET_KEY": "new key"}, name="shop")
    nonce = Nonces("digest").mint(app, "r")
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_="
    same = [last for last in alphabet if Nonces("digest").age(app, "r", nonce[:-1] + last) is not None]
    assert same == [nonce[-1]]  # base64 has four for the last letter, and itsdangerous takes them all

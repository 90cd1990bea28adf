"""F-25: key sets as servers write them against the RFCs, and a key in a proof, which has one form only."""

import base64
import json
import logging

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from flask_unauthorized.jose import public_key_jwk, read_key_set
from flask_unauthorized.wire.jws import JOSEError

from .conftest import RELAXED, jwt
from .signing import b64, jwk, number, private, token, unb64


def read(member):
    return read_key_set(json.dumps({"keys": [member]}).encode())


def spelled(algorithm, name, change):
    """A JWK whose member is spelled in another way."""
    made = jwk(algorithm, kid="k1")
    return {**made, name: change(made[name])}


def with_zeros(text, count=1):
    return b64(bytes(count) + unb64(text))


def padded(text):
    return base64.urlsafe_b64encode(unb64(text)).decode()


SPELLINGS = {
    "n with a zero, as Java's BigInteger writes it": ("RS256", "n", with_zeros),
    "n with three": ("RS256", "n", lambda text: with_zeros(text, 3)),
    "e in four octets": ("RS256", "e", with_zeros),
    "n padded": ("RS256", "n", padded),
    "n padded and with a zero": ("RS256", "n", lambda text: padded(with_zeros(text))),
    "x with a zero": ("ES256", "x", with_zeros),
    "y with a zero, P-521": ("ES512", "y", with_zeros),
    "x padded": ("ES256", "x", padded),
    "x of Ed25519 padded": ("EdDSA", "x", padded),
}


@pytest.mark.parametrize(("algorithm", "name", "change"), SPELLINGS.values(), ids=SPELLINGS)
def test_a_number_is_read_as_a_number(algorithm, name, change, caplog):
    member = spelled(algorithm, name, change)
    assert member != jwk(algorithm, kid="k1")
    with caplog.at_level(logging.WARNING):
        (key,) = read(member)
    assert key == public_key_jwk(jwk(algorithm, kid="k1"))
    assert jwt(algorithm, keys=key)(token(algorithm)).subject == "ada"
    (said,) = [record.getMessage() for record in caplog.records]
    assert said.startswith("key 0 of the set (kid 'k1') is used, but its issuer should correct it: ")
    with pytest.raises(JOSEError):  # a proof's own key: its thumbprint needs one form
        public_key_jwk(member)


@pytest.mark.parametrize(
    ("member", "texts"),
    [
        (spelled("RS256", "n", with_zeros), "n begins with a zero octet too many"),
        (spelled("ES256", "x", padded), "x is padded with '='"),
        ({**spelled("ES256", "x", padded), "use": None}, "use is null, x is padded with '='"),
    ],
)
def test_the_log_says_what_the_issuer_should_correct(member, texts, caplog):
    read(member)
    assert caplog.messages == [f"key 0 of the set (kid 'k1') is used, but its issuer should correct it: {texts}"]


@pytest.mark.parametrize(("curve", "size", "crv"), [(ec.SECP256R1(), 32, "P-256"), (ec.SECP521R1(), 66, "P-521")])
def test_a_short_coordinate_without_its_zeros(curve, size, crv, caplog):
    for scalar in range(1, 5000):  # the first point whose x is short: the same in each run
        point = ec.derive_private_key(scalar, curve).public_key().public_numbers()
        if point.x.bit_length() <= 8 * (size - 1):
            break
    made = {"kty": "EC", "crv": crv, "x": number(point.x), "y": number(point.y, size), "kid": "k1"}
    (key,) = read(made)
    assert key == public_key_jwk({**made, "x": number(point.x, size)})
    assert "x has" in caplog.text
    with pytest.raises(JOSEError):
        public_key_jwk(made)


@pytest.mark.parametrize("name", ["kid", "use", "alg", "key_ops"])
def test_null_is_absent(name, caplog):
    (key,) = read({**jwk("ES256"), name: None})
    assert key == public_key_jwk(jwk("ES256"))
    assert f"{name} is null" in caplog.text
    with pytest.raises(JOSEError):
        public_key_jwk({**jwk("ES256"), name: None})


def test_a_good_key_is_used_without_a_word(caplog):
    for algorithm in ("RS256", "ES256", "ES512", "EdDSA"):
        assert read(jwk(algorithm, kid="k1", use="sig", alg=algorithm, key_ops=["verify"], x5c=None))
    assert not caplog.records


@pytest.mark.parametrize("name", ["d", "p", "q", "dp", "dq", "qi", "oth", "k"])
def test_a_private_member_is_one_though_null(name):
    assert read({**jwk("RS256", kid="k1"), name: None}) == ()


def test_a_number_may_be_as_long_as_the_limit_of_1024_characters():
    member = spelled("RS256", "n", lambda text: with_zeros(text, 768 - len(unb64(text))))
    assert len(member["n"]) == 1024
    assert read(member) == (public_key_jwk(jwk("RS256", kid="k1")),)


@pytest.mark.parametrize(
    "member",
    [
        spelled("ES256", "x", lambda text: b64(b"\1" + unb64(text))),  # 33 octets, and none of them needless
        spelled("RS256", "n", lambda text: text.replace("A", "+", 1) + "+"),
        spelled("RS256", "n", lambda text: f" {text}"),
        spelled("RS256", "n", lambda text: f"={text}"),
        spelled("RS256", "n", lambda text: b64(bytes(1024) + unb64(text))),
        {**jwk("RS256"), "n": b64(bytes(300))},
        {**jwk("RS256"), "e": "="},
        {**jwk("ES256"), "x": "", "y": ""},
        {**jwk("ES256"), "x": None},
        {**jwk("ES256"), "kty": None},
        {**jwk("ES256"), "crv": None},
        {**jwk("ES256"), "kid": 5},
        {**jwk("ES256"), "use": "enc"},
        spelled("EdDSA", "x", with_zeros),  # octets, not a number
        {**jwk("RS256"), "n": number(2**1023 + 1)},
    ],
)
def test_what_stays_left_out(member):
    assert read(member) == ()


@RELAXED
@given(st.sampled_from(["RS256", "ES256", "ES512"]), st.integers(0, 4), st.booleans())
def test_every_number_of_zeros_is_the_same_key(algorithm, zeros, pad):
    def change(text):
        text = with_zeros(text, zeros)
        return padded(text) if pad else text

    name = "n" if algorithm == "RS256" else "y"
    assert read(spelled(algorithm, name, change)) == (public_key_jwk(jwk(algorithm, kid="k1")),)


def test_the_log_names_a_key_and_no_secret(caplog):
    secret = b64(private("ES256").private_numbers().private_value.to_bytes(32, "big"))
    assert read({**jwk("ES256"), "kid": "k\n1", "d": secret}) == ()
    assert r"(kid 'k\n1') is left out" in caplog.text
    assert secret not in caplog.text


def test_a_text_is_told_what_to_give():
    with pytest.raises(JOSEError, match="takes bytes, not a str: read the file with read_bytes"):
        read_key_set('{"keys": []}')

"""Keys: what is taken, what is left out, and that a key serves what it was made for. Cases KEY-… of the report."""

import base64
import contextlib
import json
import logging
import subprocess
import sys

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from flask_unauthorized import ConfigurationError
from flask_unauthorized.jose import (
    Key,
    StaticKeys,
    hmac_key,
    public_key_jwk,
    public_key_pem,
    read_key_set,
    select_keys,
)
from flask_unauthorized.jose.key_selection import MAX_CANDIDATES
from flask_unauthorized.wire.jws import JOSEError

from .conftest import RELAXED
from .signing import SECRET, b64, jwk, number, pem, private, unb64

RSA_PEM = pem("RS256")
ALL_RSA = {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}


def public_pem(key):
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


# A key of 192 bits, by OpenSSL: openssl ecparam -name prime192v1 -genkey | openssl ec -pubout
P192 = """-----BEGIN PUBLIC KEY-----
MEkwEwYHKoZIzj0CAQYIKoZIzj0DAQEDMgAExrXRdZTHi6lWkmvun2j9R+G5TPuG
FSpse2WIsg8Aaaz6DY6aIcmZR30LTLgpCRtL
-----END PUBLIC KEY-----
"""


# --- of a developer


@pytest.mark.rfc("JB-02")
@pytest.mark.parametrize(
    ("algorithm", "expected"),
    [("RS256", "RS256"), ("ES256", "ES256"), ("ES384", "ES384"), ("ES512", "ES512"), ("EdDSA", "EdDSA")],
)
def test_a_key_in_pem_serves_one_algorithm(algorithm, expected):
    key = public_key_pem(pem(algorithm), kid="a")
    assert (key.kid, key.algorithms) == ("a", {expected})
    assert public_key_pem(pem(algorithm).decode()) == public_key_pem(pem(algorithm))


def test_an_rsa_key_in_pem_serves_the_algorithm_it_is_made_for():
    for name in ALL_RSA:
        assert public_key_pem(RSA_PEM, algorithm=name).algorithms == {name}
    assert public_key_pem(pem("EdDSA"), algorithm="Ed25519").algorithms == {"Ed25519"}


@pytest.mark.rfc("JB-02")
@pytest.mark.parametrize(
    ("kind", "algorithm"),
    [
        ("RS256", "ES256"),
        ("RS256", "HS256"),
        ("RS256", "none"),
        ("ES256", "RS256"),
        ("ES256", "ES384"),
        ("EdDSA", "RS256"),
    ],
)
def test_key_03_a_key_of_another_family_is_refused_at_set_up(kind, algorithm):
    with pytest.raises(ConfigurationError, match=algorithm):
        public_key_pem(pem(kind), algorithm=algorithm)


@pytest.mark.parametrize(
    "text",
    [
        "",
        b"",
        "secret",
        RSA_PEM[:60],
        b"ssh-rsa AAAA",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----",
        json.dumps(jwk("RS256")),
        None,
        5,
        ["x"],
        "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----",
    ],
)
def test_key_01_what_is_no_public_key_in_pem_is_refused_at_set_up(text):
    with pytest.raises(ConfigurationError, match="public_key_pem"):
        public_key_pem(text)


def test_a_key_that_is_no_text_is_named_by_its_type():
    with pytest.raises(ConfigurationError) as raised:
        public_key_pem(5)
    assert str(raised.value) == "public_key_pem: the key must be a str or bytes, not int"


@pytest.mark.asvs("FAPI-5.4.1-3")
@pytest.mark.parametrize(
    "text",
    [
        P192,
        public_pem(ec.generate_private_key(ec.SECP256K1())),
        public_pem(ed448.Ed448PrivateKey.generate()),
    ],
    ids=["P-192", "secp256k1", "Ed448"],
)
def test_jws_26_keys_of_curves_that_are_not_spoken_are_refused_at_set_up(text):
    with pytest.raises(ConfigurationError, match="isn't spoken"):
        public_key_pem(text)


def test_key_02_of_a_private_key_only_the_public_half_is_kept(caplog):
    whole = private("ES256").private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    with caplog.at_level(logging.WARNING):
        key = public_key_pem(whole)
    assert isinstance(key.material, ec.EllipticCurvePublicKey)
    assert key == public_key_pem(pem("ES256"))
    assert "private key" in caplog.text
    assert whole.decode().splitlines()[1] not in caplog.text


def test_key_07_a_small_rsa_key_is_refused_at_set_up():
    with pytest.raises(ConfigurationError, match="1024 bits"):
        public_key_pem(public_pem(rsa.generate_private_key(65537, 1024)))


@pytest.mark.rfc("JB-05")
@pytest.mark.parametrize(("algorithm", "size"), [("HS256", 32), ("HS384", 48), ("HS512", 64)])
def test_key_06_a_secret_is_as_long_as_the_hash(algorithm, size):
    assert hmac_key(SECRET[:size], algorithm=algorithm).algorithms == {algorithm}
    for short in (b"", b"x", SECRET[: size - 1], "correct horse"):
        with pytest.raises(ConfigurationError, match=f"needs {size}"):
            hmac_key(short, algorithm=algorithm)


@pytest.mark.rfc("JB-02")
@pytest.mark.parametrize(
    "text",
    [
        RSA_PEM,
        RSA_PEM.decode(),
        b"\xef\xbb\xbf" + RSA_PEM,
        b"ssh-rsa " + b"A" * 60,
        b" ecdsa-sha2-nistp256 " + b"A" * 60,
    ],
)
def test_jws_03_key_01_a_public_key_is_no_secret(text):
    with pytest.raises(ConfigurationError, match="public_key_pem"):
        hmac_key(text)


@pytest.mark.parametrize("algorithm", ["RS256", "none", "", "hs256", None])
def test_hmac_keys_are_for_hmac(algorithm):
    with pytest.raises(ConfigurationError, match="HS256, HS384 and HS512"):
        hmac_key(SECRET, algorithm=algorithm)
    with pytest.raises(ConfigurationError, match="str or bytes"):
        hmac_key(None)


def test_cfg_06_a_line_end_behind_a_secret_is_warned_about(caplog):
    hmac_key(SECRET)
    assert not caplog.records
    assert hmac_key(SECRET + b"\n") != hmac_key(SECRET)
    assert "white space" in caplog.text
    assert SECRET.decode() not in caplog.text


def test_no_repr_shows_a_secret():
    key = hmac_key("a secret of thirty-two octets at least", kid="k\n1")
    assert repr(key) == r"<Key 'k\n1' for HS256>"
    assert "secret" not in repr(StaticKeys([key]))


@pytest.mark.parametrize("kid", [5, b"k", "x" * 257])
def test_key_11_a_kid_of_a_developer_is_a_short_string(kid):
    with pytest.raises(ConfigurationError, match="kid"):
        public_key_pem(RSA_PEM, kid=kid)


# --- JWK


@pytest.mark.parametrize(
    ("algorithm", "serves"),
    [
        ("RS256", ALL_RSA),
        ("ES256", {"ES256"}),
        ("ES384", {"ES384"}),
        ("ES512", {"ES512"}),
        ("EdDSA", {"EdDSA", "Ed25519"}),
    ],
)
def test_a_jwk_serves_its_family(algorithm, serves):
    key = public_key_jwk(jwk(algorithm, kid="a", use="sig", key_ops=["verify"], x5t="ignored"))
    assert (key.kid, key.algorithms) == ("a", serves)
    chosen = public_key_jwk(jwk(algorithm, alg=algorithm))
    assert chosen.algorithms == {algorithm}
    assert public_key_jwk(jwk(algorithm), algorithms={algorithm}).algorithms == {algorithm}
    assert chosen.thumbprint == key.thumbprint == public_key_pem(pem(algorithm)).thumbprint


def test_key_13_the_thumbprints_of_the_rfcs():
    # RFC 7638 §3.1 and RFC 8037 A.3
    modulus = (
        "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3ok"
        "njhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6"
        "qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awa"
        "pJzKnqDKgw"
    )
    key = public_key_jwk({"kty": "RSA", "n": modulus, "e": "AQAB", "alg": "RS256", "kid": "2011-04-29"})
    assert key.thumbprint == "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"
    key = public_key_jwk({"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"})
    assert key.thumbprint == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"


@pytest.mark.rfc("JB-04")
@pytest.mark.parametrize("algorithm", ["ES256", "ES384", "ES512"])
def test_key_07_a_point_off_its_curve_is_no_key(algorithm):
    good = jwk(algorithm)
    size = len(unb64(good["x"]))
    for change in (
        {"y": good["x"]},
        {"x": b64(bytes(size)), "y": b64(bytes(size))},
        {"x": b64(b"\xff" * size)},
        {"crv": "P-256" if algorithm != "ES256" else "P-384"},
    ):
        with pytest.raises(JOSEError):
            public_key_jwk({**good, **change})


EVEN = private("RS256").public_key().public_numbers().n - 1
# What a modulus of the broken generator shows (Nemec and others, 2017, §2): it is a power of 65537 modulo each
# small prime. This one is, and has 2 048 bits; that it is no product of two primes doesn't matter here.
_PRIMES = [n for n in range(2, 168) if all(n % d for d in range(2, n))]
_PRIMORIAL = 1
for _prime in _PRIMES:
    _PRIMORIAL *= _prime
ROCA = (1 << 2047) // _PRIMORIAL * _PRIMORIAL + _PRIMORIAL + pow(65537, 1234567, _PRIMORIAL)


@pytest.mark.asvs("V11.6.1")
@pytest.mark.parametrize(
    "change",
    [
        {"n": number(2**1023 + 1)},
        {"n": number(2**511 + 1)},
        {"n": number(2**16383 + 1)},
        {"n": number(2**4096 + 1)},
        {"n": number(2**2046 + 1)},
        {"n": number(EVEN)},
        {"n": number(ROCA)},
        {"e": number(1)},
        {"e": "AA"},
        {"e": number(65536)},
        {"e": number(2)},
        {"e": number(2**32 + 1)},
        {"e": number(2**64 + 1)},
        {"e": ""},
        {"n": ""},
        {"e": None},
        {"n": 5},
        {"n": "AAAA" + number(2**2047 + 1)},
        {"e": "AAEAAQ"},
        {"e": "AQAB=="},
        {"n": "!" * 342},
        {"n": "\ud800"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_key_07_key_08_rsa_keys_that_are_weak_dear_or_broken(change):
    with pytest.raises(JOSEError):
        public_key_jwk({**jwk("RS256"), **change})


def test_key_07_the_bounds_of_rsa_belong_to_it():
    for bits in (2048, 4096):
        modulus = (1 << (bits - 1)) + (1 << (bits // 2)) + 1
        for exponent in (3, 65537, 2**32 - 1):
            assert public_key_jwk({"kty": "RSA", "n": number(modulus), "e": number(exponent)}).algorithms == ALL_RSA
    assert ROCA.bit_length() == 2048
    with pytest.raises(JOSEError, match="ROCA"):
        public_key_jwk({**jwk("RS256"), "n": number(ROCA)})


# Every encoding of the eight points of small order on edwards25519: canonical and not (RFC 8032 §5.1.3, §5.2).
SMALL_ORDER = [
    "0100000000000000000000000000000000000000000000000000000000000000",
    "0100000000000000000000000000000000000000000000000000000000000080",
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0000000000000000000000000000000000000000000000000000000000000080",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
]


@pytest.mark.parametrize("point", SMALL_ORDER)
def test_jws_26_ed25519_keys_of_small_order_are_no_keys(point):
    octets = bytes.fromhex(point)
    with pytest.raises(JOSEError, match="small order"):
        public_key_jwk({"kty": "OKP", "crv": "Ed25519", "x": b64(octets)})
    with pytest.raises(ConfigurationError, match="small order"):
        public_key_pem(_pem_of_ed25519(octets))


def _pem_of_ed25519(octets):
    made = ed25519.Ed25519PublicKey.from_public_bytes(octets)
    return made.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


@pytest.mark.parametrize(
    "change",
    [
        {"use": "enc"},
        {"use": None},
        {"key_ops": ["sign"]},
        {"key_ops": []},
        {"key_ops": "verify"},
        {"key_ops": None},
        {"alg": "RS256"},
        {"alg": "ES384"},
        {"alg": "none"},
        {"alg": "ECDH-ES"},
        {"alg": None},
        {"alg": ["ES256"]},
        {"d": "AA"},
        {"k": "AA"},
        {"kid": 5},
        {"kid": None},
        {"kid": "x" * 257},
        {"kty": "ec"},
        {"kty": None},
        {"kty": "oct"},
        {"crv": "secp256k1"},
        {"crv": None},
        {"crv": ["P-256"]},
        {"crv": "p-256"},
        {"x": "AA"},
        {"y": None},
        {"x": 5},
    ],
    ids=lambda change: f"{change}"[:24],
)
def test_key_04_key_12_jwks_that_are_not_for_this(change):
    with pytest.raises(JOSEError):
        public_key_jwk({**jwk("ES256"), **change})


@pytest.mark.parametrize(
    "value",
    [
        None,
        [],
        "x",
        5,
        b"{}",
        {},
        {**jwk("EdDSA"), "crv": "X25519"},
        {**jwk("EdDSA"), "kty": "EC"},
        {"kty": "OKP", "crv": "Ed448", "x": b64(bytes(57))},
        {"kty": "OKP", "crv": "Ed25519"},
    ],
)
def test_what_is_no_jwk_is_our_error(value):
    with pytest.raises(JOSEError):
        public_key_jwk(value)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"kty": "oct"}, "a JWK that holds a secret: only public keys are read"),
        ({**jwk("EdDSA"), "crv": "X25519"}, "a JWK of a kind that isn't spoken (kty, crv)"),
        ({**jwk("EdDSA"), "x": b64(bytes(31))}, "a JWK whose x hasn't 32 octets"),
        ({**jwk("RS256"), "e": "AAEAAQ"}, "a JWK whose e begins with a zero (RFC 7518 §2, Base64urlUInt)"),
        (
            {**jwk("RS256"), "e": number(65536)},
            "an RSA key whose exponent is even, below 3 or above 2^32, or whose modulus is even",
        ),
    ],
)
def test_the_operator_reads_what_is_wrong_with_a_jwk(value, text):
    with pytest.raises(JOSEError) as raised:
        public_key_jwk(value)
    assert str(raised.value) == text


def test_key_11_a_kid_may_be_as_long_as_the_limit():
    kid = "x" * 256
    assert public_key_pem(RSA_PEM, kid=kid).kid == kid
    assert public_key_jwk({**jwk("ES256"), "kid": kid}).kid == kid


def test_a_jwk_for_none_of_the_algorithms_allowed():
    with pytest.raises(JOSEError, match="allowed"):
        public_key_jwk(jwk("ES256"), algorithms={"RS256"})


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.sampled_from(list(jwk("RS256").values())),
    lambda inner: st.lists(inner, max_size=2),
    max_leaves=3,
)
NAMES = st.sampled_from(["kty", "crv", "x", "y", "n", "e", "d", "use", "key_ops", "alg", "kid"])


@RELAXED
@given(st.sampled_from(["RS256", "ES256", "EdDSA"]), st.dictionaries(NAMES, JUNK, max_size=3))
def test_whatever_is_in_a_jwk_a_key_or_our_error(algorithm, changes):
    with contextlib.suppress(JOSEError):
        assert isinstance(public_key_jwk({**jwk(algorithm), **changes}), Key)


# --- sets


def keys_of(*members):
    return read_key_set(json.dumps({"keys": members}).encode())


@pytest.mark.rfc("JB-04")
def test_key_05_key_10_what_is_no_good_is_left_out_of_a_set(caplog):
    oct_key = {"kty": "oct", "k": b64(SECRET), "kid": "hs"}
    whole = {**jwk("ES256", 1), "d": "c2VjcmV0LW9mLXRoZS1rZXk"}
    broken = {**jwk("ES256"), "y": jwk("ES256")["x"]}
    small = {**jwk("RS256"), "n": number(2**1023 + 1)}
    with caplog.at_level(logging.WARNING):
        found = keys_of(oct_key, jwk("ES256", kid="good"), whole, broken, small, 5, None, {}, jwk("RS256", kid="too"))
    assert [key.kid for key in found] == ["good", "too"]
    assert len(caplog.records) == 7
    assert "key 0 of the set" in caplog.text
    for secret in (b64(SECRET), "c2VjcmV0LW9mLXRoZS1rZXk"):
        assert secret not in caplog.text


def test_keys_for_encryption_are_left_out_without_a_warning(caplog):
    with caplog.at_level(logging.WARNING):
        found = keys_of(jwk("RS256", use="enc"), jwk("RS256", alg="RSA-OAEP"), jwk("RS256", use="sig", alg="RS256"))
    assert [key.algorithms for key in found] == [{"RS256"}]
    assert not caplog.records


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"{}",
        b"[]",
        b"null",
        b'{"keys":null}',
        b'{"keys":{}}',
        b'{"keys":[}',
        b"<html>",
        b'{"keys":[],"keys":[]}',
        '{"keys":[]}'.encode("utf-16"),
        b'{"keys":[' + b"1," * 100 + b"1]}",
        b'{"keys":' + b"[" * 90_000,
    ],
)
def test_key_16_what_is_no_set_is_our_error(document):
    with pytest.raises(JOSEError):
        read_key_set(document)


def test_an_empty_set_has_no_keys():
    assert read_key_set(b'{"keys":[]}') == ()


def test_a_set_may_have_100_keys():
    unusable = json.dumps({"kty": "oct", "k": "AA"})
    usable = json.dumps(jwk("ES256"))
    assert len(read_key_set(f'{{"keys":[{",".join([unusable] * 99 + [usable])}]}}'.encode())) == 1


def test_key_12_members_of_a_set_may_have_more():
    assert keys_of(jwk("ES256", x5c=["MIIB"], extra={"a": [1]}, kid="k"))[0].kid == "k"


def test_the_same_key_read_from_two_formats_counts_once_in_a_set():
    assert {public_key_jwk(jwk("ES256", alg="ES256")), public_key_pem(pem("ES256"))} == {public_key_pem(pem("ES256"))}
    assert public_key_pem(pem("ES256")) != public_key_pem(pem("ES384"))


# --- selection


@pytest.mark.rfc("JB-02", "JB-09")
def test_key_04_key_09_keys_are_chosen_by_kid_and_algorithm():
    one, two, nameless = (
        public_key_jwk(jwk("ES256", n, **({"kid": k} if k else {}))) for n, k in enumerate(["a", "b", None])
    )
    rsa_key = public_key_jwk(jwk("RS256", kid="a"))
    keys = [one, two, nameless, rsa_key]
    assert select_keys(keys, "a", "ES256") == (one,)
    assert select_keys(keys, "a", "RS256") == (rsa_key,)
    assert select_keys(keys, "b", "RS256") == ()
    assert select_keys(keys, "c", "ES256") == (nameless,)
    assert select_keys(keys, None, "ES256") == (one, two, nameless)  # F-27: all that fit, while keys rotate
    assert select_keys(keys, None, "PS256") == (rsa_key,)
    assert select_keys(keys, "a", "HS256") == select_keys([], "a", "ES256") == ()
    for name in ("A", "a ", "", "../../dev/null", "' OR 1=1--", "\x00", "{{7*7}}"):
        assert one not in select_keys(keys, name, "ES256")


@pytest.mark.asvs("FAPI-5.4.3")
def test_key_09_at_most_four_keys_of_one_name_are_tried():
    keys = [public_key_jwk(jwk("ES256", n, kid="a")) for n in range(6)]
    assert select_keys(keys, "a", "ES256") == tuple(keys[:MAX_CANDIDATES])
    assert select_keys(keys, None, "ES256") == tuple(keys[:MAX_CANDIDATES])
    assert MAX_CANDIDATES == 4


@pytest.mark.parametrize("keys", [[], ["secret"], [pem("RS256")], [None], [private("ES256")]])
def test_static_keys_are_typed(keys):
    with pytest.raises(ConfigurationError):
        StaticKeys(keys)


def test_equal_keys_are_equal():
    assert public_key_jwk(jwk("ES256", kid="a")) == public_key_jwk(jwk("ES256", kid="a", x5t="x"))
    assert public_key_jwk(jwk("ES256", kid="a")) != public_key_jwk(jwk("ES256", kid="b"))
    assert public_key_jwk(jwk("ES256", 0)) != public_key_jwk(jwk("ES256", 1))


# --- the extra


def test_fau_05_without_the_extra_one_error_names_it():
    for missing in ("jwt.algorithms", "cryptography"):
        program = f"import sys; sys.modules[{missing!r}] = None; import flask_unauthorized.loaders.jwt"
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
        assert done.stderr.splitlines()[-1] == (
            "ImportError: flask_unauthorized.jose needs PyJWT and cryptography: pip install 'flask-unauthorized[jwt]'"
        )


def test_only_public_numbers_are_in_the_thumbprint():
    assert base64.urlsafe_b64decode(public_key_jwk(jwk("ES256")).thumbprint + "=")

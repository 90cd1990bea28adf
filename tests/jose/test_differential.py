"""A second opinion: joserfc, another implementation of JOSE. What it refuses for its signature, we refuse."""

import json
import time

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from joserfc import jws, jwt
from joserfc.jwk import ECKey, OKPKey, RSAKey

from flask_unauthorized import InvalidCredentials
from flask_unauthorized.jose import public_key_jwk
from flask_unauthorized.loaders.jwt import JWT

from .conftest import RELAXED
from .conftest import jwt as ours
from .signing import AUDIENCE, ISSUER, b64, claims, header, pem, signed, token, unb64

# Ed25519 is the new name of EdDSA (RFC 9864); joserfc warns of the old one, which providers still write.
KINDS = {"RS256": RSAKey, "PS256": RSAKey, "ES256": ECKey, "ES384": ECKey, "ES512": ECKey, "Ed25519": OKPKey}
REGISTRY = jws.JWSRegistry(algorithms=list(KINDS))


def other_key(algorithm):
    return KINDS[algorithm].import_key(pem(algorithm))


def they_verify(text, algorithm):
    """Whether joserfc takes the signature."""
    try:
        jws.deserialize_compact(text, other_key(algorithm), registry=REGISTRY)
    except Exception:
        return False
    return True


def we_admit(text, loader):
    try:
        loader(text)
    except InvalidCredentials:
        return False
    return True


@pytest.mark.rfc("J-04")
@pytest.mark.parametrize("algorithm", list(KINDS))
def test_what_joserfc_signs_is_taken_and_its_thumbprints_are_ours(algorithm):
    private = KINDS[algorithm].generate_key(
        2048
        if KINDS[algorithm] is RSAKey
        else {"ES256": "P-256", "ES384": "P-384", "ES512": "P-521", "Ed25519": "Ed25519"}[algorithm]
    )
    key = public_key_jwk({**private.as_dict(private=False), "kid": "k1"})
    made = jwt.encode(header(algorithm), claims(), private, algorithms=[algorithm])
    identity = JWT(ISSUER, audience=AUDIENCE, keys=key, algorithms=[algorithm])(made)
    assert (identity.subject, identity.scopes) == ("ada", {"notes:read", "notes:write"})
    assert key.thumbprint == private.thumbprint()


@pytest.mark.rfc("J-04")
@pytest.mark.parametrize("algorithm", list(KINDS))
@settings(RELAXED, max_examples=60)
@given(st.data())
def test_a_changed_token_is_never_let_in_and_joserfc_agrees(algorithm, data):
    good = token(algorithm)
    assert they_verify(good, algorithm)
    parts = good.split(".")
    place = data.draw(st.integers(0, 2))
    octets = bytearray(unb64(parts[place]))
    change = data.draw(st.sampled_from(["flip", "cut", "add", "swap"]))
    at = data.draw(st.integers(0, len(octets) - 1))
    if change == "flip":
        octets[at] ^= 1 << data.draw(st.integers(0, 7))
    elif change == "cut":
        del octets[at]
    elif change == "add":
        octets.insert(at, data.draw(st.integers(0, 255)))
    else:
        octets[at], octets[-1] = octets[-1], octets[at]
    parts[place] = b64(bytes(octets))
    changed = ".".join(parts)
    assume(changed != good)
    assert not we_admit(changed, ours(algorithm))
    # RSA signatures have the length of the key (RFC 8017 §8.1.2). joserfc takes one without its first octet, a zero.
    if place != 2 or unb64(good.split(".")[2]).lstrip(b"\0") != bytes(octets):
        assert not they_verify(changed, algorithm)


MEMBERS = st.dictionaries(
    st.sampled_from(["alg", "typ", "kid", "crit", "b64", "zip", "cty"]),
    st.sampled_from(["ES256", "none", "HS256", "at+jwt", "JWT", "k1", "", None, 5, [], ["x"], ["b64"], {}, True]),
    max_size=2,
)
VALUES = st.sampled_from(
    [None, True, 0, -1, 10**30, 1.5, "", "x", ISSUER, AUDIENCE, [], [AUDIENCE], {}, "ada", int(time.time()) + 900]
)
NAMES = st.sampled_from(["iss", "aud", "sub", "exp", "iat", "nbf", "jti", "client_id"])


@settings(RELAXED, max_examples=400)
@given(MEMBERS, st.dictionaries(NAMES, VALUES, max_size=2))
def test_whatever_we_admit_joserfc_verifies_and_validates(members, changes):
    text = signed({**header(), **members}, claims(**changes))
    if not we_admit(text, ours()):
        return
    decoded = jwt.decode(text, other_key("ES256"), algorithms=["ES256"])
    registry = jwt.JWTClaimsRegistry(
        leeway=60,
        iss={"essential": True, "value": ISSUER},
        aud={"essential": True, "value": AUDIENCE},
        sub={"essential": True},
        exp={"essential": True},
    )
    # F-25: nbf may be absent, and null counts as absent; joserfc refuses null.
    registry.validate({name: value for name, value in decoded.claims.items() if (name, value) != ("nbf", None)})
    assert decoded.header["typ"].lower() == "at+jwt"


@settings(RELAXED, max_examples=200)
@given(st.binary(max_size=60), st.binary(max_size=60))
def test_signed_rubbish_is_refused_by_one_kind_of_error(head, payload):
    loader = ours()
    assert not we_admit(signed(head, payload), loader)
    assert not we_admit(signed(header(), payload), loader)
    assert not we_admit(signed(head, json.dumps(claims()).encode()), loader)

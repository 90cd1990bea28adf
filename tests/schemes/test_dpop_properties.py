"""DPoP: whatever is sent, nobody else gets in, and nothing is our fault."""

import time

from hypothesis import example, given, settings
from hypothesis import strategies as st

from flask_unauthorized.wire.dpop import normal_uri, thumbprint
from tests.dpop_client import ORIGIN, TOKEN

from .dpop_served import HOLDER

# A plain word may stand in a message by itself (Hypothesis draws some from the source), and would look like a leak.
OCTETS = st.text(st.characters(min_codepoint=0x20, max_codepoint=0xFF, exclude_characters="\x7f"), max_size=200).filter(
    lambda text: not text.strip().isidentifier()
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
# Those that strict JSON lets through: no NaN, no infinity, no negative zero, no number of any length.
NUMBERS = st.integers(-(2**63), 2**63) | st.floats(allow_nan=False, allow_infinity=False).map(
    lambda number: number + 0.0
)
READABLE = st.none() | st.booleans() | NUMBERS | st.text(max_size=20) | st.lists(NUMBERS, max_size=3)
FEW = settings(max_examples=150, deadline=None)


def test_any_text_as_proof_and_as_token(dpop):
    @FEW
    @given(OCTETS, OCTETS)
    def check(proof, token):
        response = dpop.send({"Authorization": f"DPoP {token}", "DPoP": proof})
        assert response.status_code in (400, 401)

    check()
    assert dpop.ran == []


def test_any_claims_and_header_that_the_key_has_signed(dpop):
    names = st.sampled_from(["jti", "htm", "htu", "iat", "ath", "exp", "nbf", "nonce", "other"])
    members = st.sampled_from(["typ", "alg", "jwk", "kid", "crit", "cty", "x5c", "other"])

    @FEW
    @given(st.dictionaries(names, VALUES, max_size=3), st.dictionaries(members, VALUES, max_size=2))
    def check(claims, header):
        status = dpop.ask(header=header, **claims).status_code
        assert status in (200, 401)
        wrong = {"htm", "htu", "iat", "ath"}.intersection(claims) or {"typ", "alg", "jwk"}.intersection(header)
        if wrong:
            assert status == 401

    check()


def test_a_key_of_any_members(dpop):
    names = st.sampled_from(["kty", "crv", "x", "y", "n", "e", "d", "k"])

    @FEW
    @given(st.dictionaries(names, READABLE, min_size=1, max_size=3))
    @example({"n": 0.0})
    def check(changed):
        jwk = {**HOLDER.jwk, **changed}
        counts = {name: jwk[name] for name in ("kty", "crv", "x", "y")}
        private = not {"d", "k"}.isdisjoint(jwk)
        assert (dpop.ask(header={"jwk": jwk}).status_code == 200) is (counts == HOLDER.jwk and not private)

    check()


def test_a_good_proof_with_any_character_changed(dpop):
    proof = HOLDER.proof()

    @settings(max_examples=300, deadline=None)
    @given(st.integers(0, len(proof) - 1), st.sampled_from("ABCDEFGHabcdefgh0123456789-_.=+/ "))
    def check(place, character):
        changed = proof[:place] + character + proof[place + 1 :]
        if changed != proof:
            assert dpop.send({"Authorization": f"DPoP {TOKEN}", "DPoP": changed}).status_code == 401

    check()
    assert dpop.send({"Authorization": f"DPoP {TOKEN}", "DPoP": proof}).status_code == 200


def test_times_around_the_window(dpop):
    @FEW
    @given(st.floats(-1000, 1000))
    def check(seconds):
        before = time.time()
        status = dpop.ask(iat=before + seconds).status_code
        if -50 < seconds < 9:
            assert status == 200
        elif seconds < -61 or seconds > 60:
            assert status == 401

    check()


def test_normal_uris_stay_as_they_are_and_nothing_but_a_value_error_is_raised():
    parts = st.lists(
        st.sampled_from(["/", ".", "..", "%2e", "%2F", "%", "a", "~", "%7E", "?", "#", "@", ":", "é"]), max_size=9
    )

    @settings(max_examples=500, deadline=None)
    @given(st.sampled_from([ORIGIN, "https://a", "http://a:80", ""]), parts | st.lists(st.text(max_size=3), max_size=4))
    def check(origin, found):
        try:
            normal = normal_uri(origin + "".join(found))
        except ValueError:
            return
        assert normal_uri(normal) == normal
        assert "?" not in normal
        assert not {".", ".."}.intersection(normal.split("/")[3:])

    check()


def test_thumbprints_of_anything_raise_nothing_but_a_value_error():
    names = st.sampled_from(["kty", "crv", "x", "y", "n", "e"])

    @FEW
    @given(st.dictionaries(names, VALUES | st.sampled_from(["EC", "RSA", "OKP", "P-256", "AQAB"]), max_size=6))
    def check(jwk):
        try:
            assert len(thumbprint(jwk)) == 43
        except ValueError:
            return

    check()

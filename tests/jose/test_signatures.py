"""Signatures, through a whole app: who may sign, and with what. Cases JWS-… of the report."""

import hmac
import json
from types import SimpleNamespace

import pytest
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from hypothesis import given, settings
from hypothesis import strategies as st

from flask_unauthorized.jose import PyJWTEngine, hmac_key, public_key_jwk, public_key_pem, read_key_set
from flask_unauthorized.loaders.jwt import JWT
from flask_unauthorized.wire.jws import read_jws

from .conftest import RELAXED, jwt
from .signing import AUDIENCE, ISSUER, b64, claims, header, jwk, pem, private, signature, signed, token, unb64

ASYMMETRIC = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519"]
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551  # of P-256


def with_proof(octets, text=None):
    return f"{(text or token()).rpartition('.')[0]}.{b64(octets)}"


@pytest.mark.rfc("J-03", "J-04")
@pytest.mark.parametrize("algorithm", ASYMMETRIC)
def test_every_algorithm_works_and_only_with_its_key(api, algorithm):
    app = api(algorithm)
    assert app.admits(token(algorithm)).subject == "ada"
    app.refuses(signed(header(algorithm), claims(), algorithm, private(algorithm, 1)))
    app.refuses(with_proof(b"\x01" * len(unb64(token(algorithm).rpartition(".")[2])), token(algorithm)))


@pytest.mark.parametrize("algorithm", ["HS256", "HS384", "HS512"])
def test_a_shared_secret_works_where_it_is_asked_for(behind, algorithm):
    key = hmac_key(private(algorithm), algorithm=algorithm)
    app = behind(JWT(ISSUER, audience=AUDIENCE, keys=key, algorithms=[algorithm]))
    assert app.admits(token(algorithm)).subject == "ada"
    app.refuses(signed(header(algorithm), claims(), algorithm, private(algorithm, 1)))
    for other in {"HS256", "HS384", "HS512"} - {algorithm}:
        app.refuses(signed(header(other), claims(), other, private(algorithm)))


@pytest.mark.asvs("FAPI-5.4.1-1b", "V6.8.2")
@pytest.mark.rfc("J-02", "JB-01")
@pytest.mark.parametrize("name", ["none", "None", "NONE", "nOnE", "", None, [], {}, 5])
def test_jws_01_jws_02_no_algorithm_is_no_way_in(api, name):
    app, good = api(), token()
    content = f"{b64(json.dumps(header(name)).encode())}.{good.split('.')[1]}"
    for proof in (good.rpartition(".")[2], "", None):
        app.refuses(content if proof is None else f"{content}.{proof}")


@pytest.mark.asvs("V9.1.2")
@pytest.mark.rfc("JB-02")
@pytest.mark.parametrize("kind", ["RS256", "ES256", "EdDSA"])
def test_jws_03_a_public_key_is_no_secret(api, kind):
    app = api(kind)
    text = pem(kind)
    forms = [text, text.strip(), text.replace(b"\n", b"\r\n"), b"\xef\xbb\xbf" + text, b" " + text]
    forms += [json.dumps(jwk(kind)).encode(), unb64(b64(text)), b"".join(text.splitlines()[1:-1])]
    for secret in forms:
        for name in ("HS256", "HS384", "HS512"):
            app.refuses(signed(header(name), claims(), name, secret))


@pytest.mark.rfc("JB-01", "JB-02")
def test_jws_04_the_key_decides_and_not_the_token(api):
    for ours, theirs in (
        ("ES256", "RS256"),
        ("RS256", "PS256"),
        ("PS256", "RS256"),
        ("ES256", "ES384"),
        ("RS256", "RS512"),
    ):
        api(ours).refuses(signed(header(theirs), claims(), theirs))
    # The algorithm that the token names is allowed, and the key serves another one.
    app = api("RS256", algorithms=["RS256", "PS256"])
    app.refuses(signed(header("PS256"), claims(), "PS256", private("RS256")))


@pytest.mark.rfc("JB-01")
def test_an_allowed_key_of_a_set_is_not_used_for_an_algorithm_that_is_not_allowed(behind):
    keys = read_key_set(json.dumps({"keys": [jwk("RS256", kid="k1")]}).encode())
    app = behind(JWT(ISSUER, audience=AUDIENCE, keys=keys, algorithms=["RS256"]))
    assert app.admits(token("RS256"))
    app.refuses(signed(header("RS512"), claims(), "RS512", private("RS256")))


@pytest.mark.rfc("JB-02")
@pytest.mark.parametrize(
    ("stated", "taken"),
    [
        ({}, ["RS256", "PS256"]),
        ({"alg": "RS256"}, ["RS256"]),
        ({"alg": "PS256"}, ["PS256"]),
    ],
    ids=str,
)
def test_a_key_of_a_set_serves_what_it_states_or_the_allowed_ones_of_its_family(behind, stated, taken):
    keys = read_key_set(json.dumps({"keys": [jwk("RS256", kid="k1", **stated)]}).encode())
    app = behind(JWT(ISSUER, audience=AUDIENCE, keys=keys, algorithms=["RS256", "PS256", "ES256"]))
    for name in ("RS256", "PS256", "RS512", "PS512"):
        made = signed(header(name), claims(), name, private("RS256"))
        if name in taken:
            assert app.admits(made)
        else:
            app.refuses(made)
    app.refuses(signed(header("HS256"), claims(), "HS256", pem("RS256")))


@pytest.mark.rfc("J-10", "JB-14")
@pytest.mark.parametrize(
    "text",
    [
        "a", "a.b", "a.b.c", "....", "e30.e30.e30", "A" * 400, "-._~+/", "eyJ.eyJ.eyJ",
        # The encrypted token of RFC 7516 §A.1, in five parts, shortened (F-26).
        "eyJhbGciOiJSU0EtT0FFUCIsImVuYyI6IkEyNTZHQ00ifQ.OKOawDo13g.48V1_ALb6US04U3b.5eym8TW_c8Su.XFBoMYUZodetZdv",
    ],
)  # fmt: skip
def test_what_is_no_token_is_invalid_token(api, text):
    api().refuses(text)


@pytest.mark.rfc("J-10", "JB-16")
@pytest.mark.parametrize(
    "more",
    [
        {"crit": ["x"]},
        {"crit": []},
        {"crit": None},
        {"crit": 5},
        {"crit": "exp"},
        {"crit": [1]},
        {"crit": [[]]},
        {"crit": ["alg"]},
        {"crit": ["exp"], "exp": 1},
        {"b64": False},
        {"b64": False, "crit": ["b64"]},
        {"zip": "DEF"},
        {"enc": "A256GCM"},
        {"p2c": 10**9},
        {"cty": "JWT"},
        {"jwk": jwk("ES256")},
        {"kid": 5},
        {"kid": "x" * 300},
    ],
)
def test_jws_06_to_13_headers_that_are_refused_signed_and_not(api, more):
    app = api()
    app.refuses(signed(header(**more), claims()))
    app.refuses(with_proof(b"x" * 64, signed(header(**more), claims())))


@pytest.mark.asvs("FAPI-5.4.2", "V9.1.3")
@pytest.mark.rfc("JB-09")
@pytest.mark.parametrize("place", ["https://evil.example/keys", "http://169.254.169.254/", "file:///etc/passwd"])
def test_jws_18_jws_19_keys_come_from_nowhere_else(api, monkeypatch, place):
    def no_socket(*args, **kwargs):
        raise AssertionError("something was fetched")

    monkeypatch.setattr("socket.socket.connect", no_socket)
    monkeypatch.setattr("builtins.open", no_socket)
    app = api()
    for more in ({"jku": place}, {"x5u": place}, {"x5c": ["MIIB"]}, {"jwk": jwk("ES256", 1)}):
        app.refuses(signed(header(**more), claims(), key=private("ES256", 1)))


@pytest.mark.rfc("JB-09")
@pytest.mark.parametrize("kid", ["../../dev/null", "' OR 1=1--", "{{7*7}}", "\x00", "<script>", "k2", "K1", "k1 ", ""])
def test_key_11_a_kid_is_compared_and_nothing_else(api, kid):
    refused = api().refuses(signed(header(kid=kid), claims()))
    assert not kid.strip() or kid not in refused.text


def test_key_09_without_a_kid_four_keys_are_tried(api, behind):
    assert api().admits(signed(header(kid=...), claims()))
    keys = [public_key_pem(pem("ES256", n), kid=f"k{n}") for n in range(5)]
    two = behind(JWT(ISSUER, audience=AUDIENCE, keys=keys))
    for n in range(4):  # F-27: two keys stand while an issuer changes them
        assert two.admits(signed(header(kid=...), claims(), key=private("ES256", n)))
    two.refuses(signed(header(kid=...), claims(), key=private("ES256", 4)))
    two.refuses(signed(header(kid=...), claims(), key=private("ES256", 5)))
    assert two.admits(signed(header(kid="k1"), claims(), key=private("ES256", 1)))


@pytest.mark.rfc("J-04")
def test_jws_24_of_another_key_of_the_set(behind):
    keys = [public_key_pem(pem("ES256", n), kid=f"k{n}") for n in range(2)]
    app = behind(JWT(ISSUER, audience=AUDIENCE, keys=keys))
    app.refuses(signed(header(kid="k0"), claims(), key=private("ES256", 1)))
    for proof in (b"", b"x", b"x" * 1000, b"x" * 1024, b"x" * 1025):
        app.refuses(with_proof(proof))


def test_jws_23_broken_signatures_of_ecdsa(api):
    app, good = api(), token()
    proof = unb64(good.rpartition(".")[2])
    r, s = int.from_bytes(proof[:32], "big"), int.from_bytes(proof[32:], "big")

    def raw(one, two):
        return one.to_bytes(32, "big") + two.to_bytes(32, "big")

    assert app.admits(with_proof(raw(r, s), good))
    wrong = [
        raw(0, 0),
        raw(0, s),
        raw(r, 0),
        raw(ORDER, s),
        raw(r, ORDER),
        raw(1, 1),
        raw(s, r),
        encode_dss_signature(r, s),
    ]
    wrong += [proof[:63], proof + b"\0", b"\0" + proof, proof[:32], proof * 2]
    if r + ORDER < 2**256:
        wrong.append(raw(r + ORDER, s))
    for other in wrong:
        app.refuses(with_proof(other, good))


def test_jws_25_high_s_is_allowed_by_jose_so_a_signature_names_no_token(api):
    good = token()
    proof = unb64(good.rpartition(".")[2])
    other = proof[:32] + (ORDER - int.from_bytes(proof[32:], "big")).to_bytes(32, "big")
    assert other != proof
    assert api().admits(with_proof(other, good))


def test_jws_27_pss_with_another_salt(api):
    content = token("PS256").rpartition(".")[0]
    app = api("PS256")
    assert app.admits(with_proof(signature("PS256", private("PS256"), content.encode()), content + ".x"))
    for salt in (1, 20, 31, 33, 64):
        app.refuses(with_proof(signature("PS256", private("PS256"), content.encode(), salt), content + ".x"))


def test_jws_26_ed448_is_not_eddsa_here(api):
    from cryptography.hazmat.primitives.asymmetric import ed448

    app = api("EdDSA")
    app.refuses(signed(header("EdDSA"), claims(), "EdDSA", ed448.Ed448PrivateKey.generate()))


@pytest.mark.rfc("JB-06", "JB-12", "JB-15")
@pytest.mark.parametrize(
    "payload",
    [
        b"[]",
        b'"x"',
        b"1",
        b"null",
        b"not json",
        json.dumps(claims()).encode("utf-16"),
        b"\xef\xbb\xbf" + json.dumps(claims()).encode(),
        json.dumps(claims()).encode() + b" {}",
        json.dumps(claims())[:-1].encode() + b',"sub":"eve"}',
        json.dumps(claims())[:-1].encode() + b',"exp":9999999999}',
        json.dumps(claims())[:-1].encode() + b',"aud":"x"}',
        json.dumps(claims())[:-1].encode() + b',"x":NaN}',
        json.dumps(claims())[:-1].encode() + b',"x":1e999}',
        json.dumps(claims())[:-1].encode() + b',"x":-0}',
        json.dumps(claims())[:-1].encode() + b',"x":' + b"9" * 5000 + b"}",
        json.dumps(claims())[:-1].encode() + b',"x":' + b"[" * 500 + b"]" * 500 + b"}",
        json.dumps(claims())[:-1].encode() + b',"x":"\\ud800"}',
    ],
    ids=lambda payload: repr(payload[-24:]),
)
def test_jws_20_jws_22_jws_30_jws_31_payloads_that_are_refused_though_signed(api, payload):
    api().refuses(signed(header(), payload))


@pytest.mark.rfc("JB-15")
def test_jws_22_a_header_with_a_member_twice_though_signed(api):
    for head in (
        '{"alg":"ES256","typ":"at+jwt","kid":"k1","alg":"none"}',
        '{"kid":"x","alg":"ES256","typ":"at+jwt","kid":"k1"}',
    ):
        api().refuses(signed(head.encode(), claims()))


def test_jws_32_headers_as_providers_write_them(api):
    app = api()
    assert app.admits(signed(header(nonce="AQABAAAA", x5t="7_Zuf1tvkwLxYaHS3q6lUjUYIGw", vendor={"a": 1}), claims()))
    assert app.admits(signed(header(x="x" * 600), claims()))


def test_jws_21_nobody_gets_claims_from_a_text():
    import flask_unauthorized.jose
    import flask_unauthorized.loaders.jwt as module

    public = {name for name in vars(module) if not name.startswith("_")} | set(flask_unauthorized.jose.__all__)
    assert not {name for name in public if "decode" in name.lower() or "unverified" in name.lower()}
    assert not hasattr(read_jws(token()), "claims")


@pytest.mark.asvs("V11.2.5", "V16.5.3")
@pytest.mark.parametrize(
    "error", [TypeError, ValueError, RecursionError, MemoryError, UnsupportedAlgorithm, OSError, RuntimeError]
)
def test_jws_34_what_the_engine_raises_is_a_500_and_never_a_yes(make_app, behind, error):
    class Broken:
        def verify(self, algorithm, key, signing_input, signature):
            raise error("broken")

    app = behind(jwt(engine=Broken()))
    app.app.config.update(TESTING=False, PROPAGATE_EXCEPTIONS=False)
    assert app.get(token()).status_code == 500
    assert not app.seen
    # A token that is refused before a key is chosen never gets as far.
    app.refuses("a.b.c")
    app.refuses(signed(header(kid="other"), claims()))


@pytest.mark.parametrize("answer", [1, "yes", None, 0, [True]])
def test_an_engine_says_true_or_it_says_no(behind, answer):
    class Odd:
        def verify(self, *args):
            return answer

    behind(jwt(engine=Odd())).refuses(token())


def test_the_engine_refuses_what_the_key_does_not_serve():
    key = public_key_jwk(jwk("RS256", alg="RS256"))
    read = read_jws(signed(header("RS512"), claims(), "RS512", private("RS256")))
    assert PyJWTEngine().verify("RS512", key, read.signing_input, read.signature) is False
    assert PyJWTEngine().verify("none", key, read.signing_input, b"") is False


@pytest.mark.asvs("V6.8.2", "V9.1.1")
@settings(RELAXED, max_examples=300)
@given(st.data())
def test_one_changed_octet_never_lets_in(data):
    from flask_unauthorized import InvalidCredentials

    loader = _LOADER
    good = _GOOD
    place = data.draw(st.integers(0, len(good) - 1))
    sign = data.draw(st.characters(codec="ascii"))
    changed = good[:place] + sign + good[place + 1 :]
    if changed == good:
        return
    with pytest.raises(InvalidCredentials):
        loader(changed)


_LOADER = jwt(leeway=3600)
_GOOD = token()


def test_s_03_no_token_in_a_reason_and_none_in_a_traceback(behind, caplog):
    import sys
    import traceback

    def fails(identity):
        raise KeyError("the database is odd")

    loader = jwt(user=fails)
    good = token()
    for once in (loader, jwt(user=fails, cache_size=10)):
        for _ in range(2):
            try:
                once(good)
            except KeyError:
                frames = list(traceback.walk_tb(sys.exc_info()[2]))[1:]
                assert frames
                assert not any(good in repr(value) for frame, _ in frames for value in frame.f_locals.values())
            else:
                pytest.fail("nothing was raised")


@pytest.mark.parametrize("algorithm", ["HS256", "HS384", "HS512"])
def test_t_02_a_shared_secret_is_compared_in_constant_time(monkeypatch, algorithm):
    """T-02: with == the time of an answer would tell how many octets of a forged signature are right."""
    from flask_unauthorized.jose import engine

    compared = []

    def compare(expected, given):
        compared.append((type(expected), given))
        return hmac.compare_digest(expected, given)

    monkeypatch.setattr(engine, "hmac", SimpleNamespace(digest=hmac.digest, compare_digest=compare))
    key = hmac_key(private(algorithm), algorithm=algorithm)
    good = signature(algorithm, private(algorithm), b"signed")
    forged = bytes([good[0] ^ 1]) + good[1:]
    checked = engine.PyJWTEngine()
    assert [checked.verify(algorithm, key, b"signed", proof) for proof in (good, forged)] == [True, False]
    assert compared == [(bytes, good), (bytes, forged)]

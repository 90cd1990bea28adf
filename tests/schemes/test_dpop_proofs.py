"""DPoP: proofs that are broken, or for another request."""

import hashlib
import json
import time

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256

from tests.dpop_client import GONE, ORIGIN, TOKEN, Holder, b64, dump

from .dpop_served import HOLDER, STRANGER, Served, assert_proof_refused

RS256, PS256, ED25519 = Holder("RS256"), Holder("PS256"), Holder("Ed25519")
OTHER_PATHS = ["/other", "/P", "/p/", "//p", "/p/../q", "/p%2F", "/", ""]


def send(dpop, proof, **given):
    return dpop.send({"Authorization": f"DPoP {TOKEN}", "DPoP": proof}, **given)


# --- how many, and of what form


@pytest.mark.rfc("P-02", "P-26")
@pytest.mark.parametrize("headers", [{}, {"DPoP": ""}])
def test_dpo_01_no_proof(dpop, headers):
    assert_proof_refused(dpop, dpop.send({"Authorization": f"DPoP {TOKEN}", **headers}))
    assert dpop.asked == []


@pytest.mark.rfc("P-04")
@pytest.mark.parametrize("between", [",", ", ", " ", ",,", "\t"])
def test_dpo_02_two_proofs_in_one_line(dpop, between):
    assert_proof_refused(dpop, send(dpop, between.join([HOLDER.proof(), HOLDER.proof()])))
    assert_proof_refused(dpop, send(dpop, HOLDER.proof() + between))
    assert_proof_refused(dpop, send(dpop, between + HOLDER.proof()))


@pytest.mark.rfc("P-04")
def test_dpo_02_two_proofs_in_two_lines(dpop):
    lines = [("Authorization", f"DPoP {TOKEN}"), ("DPoP", HOLDER.proof()), ("DPoP", HOLDER.proof())]
    assert_proof_refused(dpop, dpop.send(lines))


@pytest.mark.rfc("P-05")
@pytest.mark.parametrize(
    "change",
    [
        lambda proof: "proof",
        lambda proof: "..",
        lambda proof: proof.rpartition(".")[0],
        lambda proof: proof + ".",
        lambda proof: proof + ".e30",
        lambda proof: "." + proof,
        lambda proof: proof.replace(".", "", 1),
        lambda proof: proof + "=",
        lambda proof: proof.replace(".", "=.", 1),
        lambda proof: " " + proof,
        lambda proof: proof.replace(".", " .", 1),
        lambda proof: proof + "\x80",
        lambda proof: proof + "*",
        lambda proof: f'"{proof}"',
        lambda proof: "DPoP " + proof,
        lambda proof: proof + "A" * 5000,
        lambda proof: "." * 4000,
        lambda proof: "a" * 4096,
    ],
)
def test_dpo_03_what_is_no_jwt(dpop, change):
    assert_proof_refused(dpop, send(dpop, change(HOLDER.proof())))


def test_a_proof_as_long_as_is_read_and_one_that_is_longer(dpop):
    def long(size):
        return HOLDER.proof(jti=f"{size:04}", odd="x" * size)

    room = 4096 - len(long(0))
    sizes = range(room * 3 // 4 - 4, room * 3 // 4 + 4)  # three octets are four characters
    found = {len(proof): proof for proof in map(long, sizes)}
    longest = max(length for length in found if length <= 4096)
    assert longest >= 4095
    assert send(dpop, found[longest]).status_code == 200
    dpop.ran.clear()
    assert_proof_refused(dpop, send(dpop, found[min(length for length in found if length > 4096)]))


@pytest.mark.rfc("P-05", "P-06")
@pytest.mark.parametrize(
    "payload",
    [b"", b"[]", b"null", b'"x"', b"1", b"{", b"{}", b"\xff", b'{"jti":"a","jti":"a"}', b"\xef\xbb\xbf{}", [1],
     b"[" * 900],
    ids=repr,
)  # fmt: skip
def test_dpo_03_payloads_that_are_no_object_of_claims(dpop, payload):
    assert_proof_refused(dpop, send(dpop, HOLDER.proof(payload=payload)))


@pytest.mark.rfc("P-06")
@pytest.mark.parametrize("name", ["jti", "htm", "htu", "iat", "ath"])
@pytest.mark.parametrize("value", [GONE, None, "", [], {}, True, ["GET"]])
def test_dpo_07_each_claim_is_needed_and_of_its_type(dpop, name, value):
    assert_proof_refused(dpop, dpop.ask(**{name: value}))


@pytest.mark.rfc("P-06")
@pytest.mark.parametrize("name", ["jti", "htm", "htu", "iat", "ath"])
def test_dpo_07_a_claim_twice(dpop, name):
    claims = {"jti": "once", "htm": "GET", "htu": ORIGIN + "/", "iat": int(time.time()), "ath": access_hash(TOKEN)}
    assert send(dpop, HOLDER.proof(payload=claims)).status_code == 200
    claims["jti"] = "twice"
    text = dump(claims)[:-1] + b"," + dump({name: claims[name]})[1:]
    dpop.ran.clear()
    assert_proof_refused(dpop, send(dpop, HOLDER.proof(payload=text)))


@pytest.mark.rfc("P-06", "P-07", "P-08")
@pytest.mark.parametrize("name", ["typ", "alg", "jwk"])
@pytest.mark.parametrize("value", [GONE, None, "", [], {}, 1, True])
def test_dpo_07_each_member_of_the_header_is_needed_and_of_its_type(dpop, name, value):
    assert_proof_refused(dpop, dpop.ask(header={name: value}))


def test_dpo_07_a_member_of_the_header_twice(dpop):
    for name, value in {"typ": "dpop+jwt", "alg": "ES256", "jwk": HOLDER.jwk}.items():
        text = dump({"typ": "dpop+jwt", "alg": "ES256", "jwk": HOLDER.jwk})[:-1] + b"," + dump({name: value})[1:]
        assert_proof_refused(dpop, dpop.ask(header=text))


# --- type, algorithm, key, signature


@pytest.mark.rfc("P-07", "JB-10")
@pytest.mark.parametrize("typ", ["JWT", "at+jwt", "dpop+JWT ", "dpop+jwt ", "DPOP+JWT", "application/dpop+jwt", "dpop"])
def test_dpo_04_another_type(dpop, typ):
    assert_proof_refused(dpop, dpop.ask(header={"typ": typ}))


@pytest.mark.asvs("FAPI-5.4.1-1a")
@pytest.mark.rfc("P-08")
@pytest.mark.parametrize("alg", ["none", "None", "NONE", "HS256", "RS256", "ES256K", "es256", "ES384", "ES256 ", "dir"])
def test_dpo_05_an_algorithm_that_is_not_taken(dpop, alg):
    assert_proof_refused(dpop, dpop.ask(header={"alg": alg}))
    assert_proof_refused(dpop, dpop.ask(header={"alg": alg}, sign=lambda octets: b""))


@pytest.mark.rfc("P-08")
def test_dpo_05_a_mac_with_the_public_key_as_its_secret(dpop):
    import hmac

    for secret in (dump(HOLDER.jwk), HOLDER.jwk["x"].encode(), b""):
        proof = HOLDER.proof(header={"alg": "HS256"}, sign=lambda octets, s=secret: hmac.digest(s, octets, "sha256"))
        assert_proof_refused(dpop, send(dpop, proof))


@pytest.mark.rfc("P-08")
def test_dpo_05_rs256_unless_it_is_named(make_app, dpop):
    dpop.confirmation = {"jkt": RS256.jkt}
    assert_proof_refused(dpop, dpop.ask(RS256))
    named = Served(make_app, algorithms=["RS256"])
    named.confirmation = {"jkt": RS256.jkt}
    assert named.ask(RS256).status_code == 200


@pytest.mark.parametrize(("holder", "alg"), [(Holder("EdDSA"), "ES256"), (RS256, "EdDSA"), (HOLDER, "PS256")])
def test_an_algorithm_for_another_kind_of_key(dpop, holder, alg):
    dpop.confirmation = {"jkt": holder.jkt}
    assert_proof_refused(dpop, dpop.ask(holder, header={"alg": alg}))


@pytest.mark.rfc("P-09")
@pytest.mark.parametrize(
    "sign",
    [
        pytest.param(lambda octets: flipped(HOLDER.sign(octets)), id="one bit"),
        pytest.param(STRANGER.sign, id="another key's"),
        pytest.param(lambda octets: bytes(64), id="zeros"),
        pytest.param(lambda octets: b"", id="none"),
        pytest.param(lambda octets: HOLDER.sign(octets) + b"\0", id="longer"),
        pytest.param(lambda octets: HOLDER.sign(octets)[:-1], id="shorter"),
        pytest.param(lambda octets: HOLDER.key.sign(octets, ec.ECDSA(SHA256())), id="DER"),
        pytest.param(lambda octets: HOLDER.sign(octets + b"x"), id="of other octets"),
        pytest.param(lambda octets: bytes(2000), id="two thousand octets"),
    ],
)
def test_dpo_06_a_signature_that_is_not_the_keys(dpop, sign):
    assert_proof_refused(dpop, dpop.ask(sign=sign))


@pytest.mark.rfc("P-09")
def test_dpo_06_a_good_signature_over_another_header_or_payload(dpop):
    parts, others = HOLDER.proof().split("."), HOLDER.proof(path="/other").split(".")
    assert_proof_refused(dpop, send(dpop, ".".join([parts[0], parts[1], others[2]])))
    assert_proof_refused(dpop, send(dpop, ".".join([parts[0], others[1], others[2]]), path="/"))


@pytest.mark.rfc("P-10")
@pytest.mark.parametrize(
    "jwk",
    [
        {**HOLDER.jwk, "d": "AAAA"},
        {**RS256.jwk, "p": "AAAA"},
        {**RS256.jwk, "oth": []},
        {**HOLDER.jwk, "k": "AAAA"},
        {"kty": "oct", "k": "AAAA"},
        {"kty": "oct"},
        {"kty": "EC", "x5c": ["AAAA"]},
        {"kty": "XX", "x": "AAAA"},
        {**HOLDER.jwk, "x": HOLDER.jwk["y"], "y": HOLDER.jwk["x"]},  # off the curve
        {**HOLDER.jwk, "x": b64(bytes(32)), "y": b64(bytes(32))},  # infinity
        {**HOLDER.jwk, "x": b64(b"\xff" * 32)},
        {**HOLDER.jwk, "crv": "P-384"},
        {**HOLDER.jwk, "crv": "secp256k1"},
        {"kty": "OKP", "crv": "X25519", "x": b64(bytes(32))},
        {"kty": "OKP", "crv": "Ed25519", "x": b64(bytes(32))},  # of small order
        {"kty": "OKP", "crv": "Ed448", "x": b64(b"\x01" * 57)},
        {**RS256.jwk, "e": b64(b"\x01")},
        {**RS256.jwk, "n": b64(b"\xff" * 128)},  # 1024 bits
        {**RS256.jwk, "n": b64(b"\xff" * 3000)},
        "key",
        [HOLDER.jwk],
    ],
)
def test_dpo_12_a_key_that_is_none_or_not_public(dpop, jwk):
    assert_proof_refused(dpop, dpop.ask(header={"jwk": jwk}))


@pytest.mark.rfc("P-10")
@pytest.mark.parametrize("algorithm", ["PS256", "ES256", "Ed25519"])
@pytest.mark.parametrize("member", ["d", "p", "q", "dp", "dq", "qi", "oth", "k"])
def test_dpo_12_a_key_with_a_private_member_of_any_kind(dpop, algorithm, member):
    """All else is right: the signature is that of the key, and the token is bound to it."""
    holder = {"PS256": PS256, "ES256": HOLDER, "Ed25519": ED25519}[algorithm]
    dpop.confirmation = {"jkt": holder.jkt}
    assert dpop.ask(holder).status_code == 200
    dpop.ran.clear()
    assert_proof_refused(dpop, dpop.ask(holder, header={"jwk": {**holder.jwk, member: "AAAA"}}))


@pytest.mark.parametrize("member", ["jku", "x5u", "x5c", "kid"])
def test_dpo_12_a_key_that_is_only_named(dpop, member):
    assert_proof_refused(dpop, dpop.ask(header={"jwk": GONE, member: "https://evil.example/key"}))


@pytest.mark.parametrize(
    "header",
    [{"crit": ["exp"]}, {"crit": []}, {"b64": False, "crit": ["b64"]}, {"zip": "DEF"}, {"cty": "JWT"}],
    ids=str,
)
def test_headers_that_ask_for_what_nobody_here_does(dpop, header):
    assert_proof_refused(dpop, dpop.ask(header=header))


# --- for this request


@pytest.mark.rfc("P-11")
@pytest.mark.parametrize("htm", ["POST", "get", "Get", "GET ", " GET", "GET\n", "*", "GET,POST"])
def test_dpo_08_another_method(dpop, htm):
    assert_proof_refused(dpop, dpop.ask(htm=htm))


@pytest.mark.rfc("P-11")
def test_dpo_33_a_proof_for_get_on_head_and_through_an_override(make_app):
    served = Served(make_app)
    sent = HOLDER.sent()
    assert served.send(sent, method="HEAD").status_code == 401
    assert served.send(sent, method="GET").status_code == 200
    application = served.app.wsgi_app

    def override(environ, start):
        environ["REQUEST_METHOD"] = environ.get("HTTP_X_HTTP_METHOD_OVERRIDE", environ["REQUEST_METHOD"])
        return application(environ, start)

    served.app.wsgi_app = override
    served.ran.clear()
    headers = {**HOLDER.sent(method="POST"), "X-HTTP-Method-Override": "DELETE"}
    assert_proof_refused(served, served.send(headers, method="POST"))


@pytest.mark.rfc("P-12")
@pytest.mark.parametrize(
    "htu",
    [
        *(ORIGIN + path for path in OTHER_PATHS),
        "https://api.example.org/p", "https://example.com/p", "https://api.example.com.:443/p", "https://api.example.com./p",
        "https://api.example.com:8443/p", "https://api.example.com:80/p", "http://api.example.com/p",
        "http://api.example.com:443/p", "https://ada@api.example.com/p", "https://ada:b@api.example.com/p",
        "https://api.example.com@evil.example/p", "https://evil.example/https://api.example.com/p",
        "/p", "//api.example.com/p", "api.example.com/p", "ftp://api.example.com/p", "https:api.example.com/p",
        "https://api.example.com\\p", "https://api.example.com/p\n", " https://api.example.com/p", "https://api.example.com/p%",
        "https://api.example.com/%70%2", "https://api.example.com/p%00", "https://api.example.com/p/.%2e/q",
        "https://api.example.com" + "/./" * 1000 + "p",
    ],
)  # fmt: skip
def test_dpo_09_another_address(dpop, htu):
    assert_proof_refused(dpop, dpop.ask(path="/p", htu=htu))


@pytest.mark.rfc("P-12", "P-13")
@pytest.mark.parametrize(
    ("path", "htu"),
    [
        ("/p", "HTTPS://API.Example.COM:443/p"),
        ("/p", ORIGIN + ":/p"),
        ("/p", ORIGIN + "/p?x=1#f"),
        ("/p?other=2", ORIGIN + "/p"),
        ("/p?other=2", ORIGIN + "/p?x=1"),
        ("/", ORIGIN),
        ("/~user", ORIGIN + "/%7Euser"),
        ("/%7Euser", ORIGIN + "/~user"),
        ("/a/c", ORIGIN + "/a/./b/../c"),
        ("/a%2Fb", ORIGIN + "/a%2fb"),
        ("/p", ORIGIN + "/%70"),
        ("/x%20y", ORIGIN + "/x%20y"),
        ("/%C3%BC", ORIGIN + "/%c3%bc"),
    ],
)
def test_dpo_10_another_spelling_of_the_address(dpop, path, htu):
    assert dpop.ask(path=path, htu=htu).status_code == 200


@pytest.mark.rfc("P-13")
def test_an_escaped_slash_is_no_slash(dpop):
    assert_proof_refused(dpop, dpop.ask(path="/a/b", htu=ORIGIN + "/a%2fb"))
    assert_proof_refused(dpop, dpop.ask(path="/a%2Fb", htu=ORIGIN + "/a/b"))


def access_hash(token, hashed="sha256"):
    return b64(hashlib.new(hashed, token.encode()).digest())


@pytest.mark.rfc("P-16")
@pytest.mark.parametrize(
    "ath",
    [
        access_hash(TOKEN) + "=",
        access_hash(TOKEN)[:-1],
        access_hash(TOKEN) + " ",
        hashlib.sha256(TOKEN.encode()).hexdigest(),
        "uOFIVFsTx4vHTaLxpydd1x5W3ezhKdfS97PswG95lNo",
        "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU",
        access_hash(TOKEN + " "),
        access_hash("DPoP " + TOKEN),
        access_hash(TOKEN, "sha512"),
        access_hash(TOKEN).lower(),
        TOKEN,
        "ä",
    ],
)
def test_dpo_16_another_hash_of_the_token(dpop, ath):
    assert_proof_refused(dpop, dpop.ask(ath=ath))


@pytest.mark.rfc("P-16")
def test_dpo_16_a_proof_for_another_token(dpop):
    sent = {**HOLDER.sent(token="another"), "Authorization": f"DPoP {TOKEN}"}
    assert_proof_refused(dpop, dpop.send(sent))


# --- made when


@pytest.mark.rfc("P-15")
@pytest.mark.parametrize("seconds", [-3600, -75, 25, 600, 3600, -(10**9), 10**30, -(10**30), 10**63])
def test_dpo_11_made_too_long_ago_or_in_the_future(dpop, seconds):
    assert_proof_refused(dpop, dpop.ask(iat=int(time.time()) + seconds))


@pytest.mark.rfc("P-15")
@pytest.mark.parametrize("seconds", [-45, -10, -0.5, 0, 5.5])
def test_dpo_31_made_a_little_earlier_or_later(dpop, seconds):
    assert dpop.ask(iat=time.time() + seconds).status_code == 200


@pytest.mark.rfc("P-15")
@pytest.mark.parametrize(
    "iat",
    [
        b"NaN",
        b"Infinity",
        b"-Infinity",
        b"1e999",
        b'"1700000000"',
        b"true",
        b"-1",
        b"0",
        b"-0",
        b"1" * 3000,
        b"1e3",
        b"[]",
    ],
)
def test_dpo_11_what_is_no_time(dpop, iat):
    claims = dump({"jti": "a", "htm": "GET", "htu": ORIGIN + "/", "ath": access_hash(TOKEN)})
    assert_proof_refused(dpop, send(dpop, HOLDER.proof(payload=claims[:-1] + b',"iat":' + iat + b"}")))


@pytest.mark.rfc("P-15")
@pytest.mark.parametrize(
    ("claims", "status"),
    [({"iat": -60}, 200), ({"iat": -60.5}, 401), ({"iat": 10}, 200), ({"iat": 10.5}, 401), ({"exp": 0}, 401),
     ({"exp": 0.5}, 200), ({"nbf": 10}, 200), ({"nbf": 10.5}, 401)],
    ids=str,
)  # fmt: skip
def test_the_ends_of_the_window(dpop, monkeypatch, claims, status):
    now = float(int(time.time()))
    monkeypatch.setattr(time, "time", lambda: now)
    assert dpop.ask(**{name: now + value for name, value in claims.items()}).status_code == status


def test_the_window_is_as_wide_as_it_was_set(make_app):
    narrow, wide = Served(make_app, window=5, ahead=0), Served(make_app, window=3600, ahead=600)
    for seconds in (-30, 30):
        assert narrow.ask(iat=int(time.time()) + seconds).status_code == 401
        assert wide.ask(iat=int(time.time()) + seconds).status_code == 200


@pytest.mark.parametrize("claims", [{"exp": -1}, {"exp": -3600}, {"nbf": 60}, {"nbf": 3600}], ids=str)
def test_dpo_30_a_proof_that_is_over_or_not_begun(dpop, claims):
    assert_proof_refused(dpop, dpop.ask(**{name: time.time() + value for name, value in claims.items()}))


@pytest.mark.parametrize("name", ["exp", "nbf"])
@pytest.mark.parametrize("value", ["1", None, True, [], {}], ids=repr)
def test_dpo_30_times_that_are_none(dpop, name, value):
    assert_proof_refused(dpop, dpop.ask(**{name: value}))


def test_dpo_30_a_proof_with_good_times(dpop):
    now = time.time()
    assert dpop.ask(exp=now + 30, nbf=now - 5).status_code == 200


# --- jti


@pytest.mark.rfc("P-20")
@pytest.mark.parametrize("jti", ["x" * 257, "ä" * 129, 1, 1.5, None, True, [], {}, ""], ids=lambda jti: repr(jti)[:9])
def test_dpo_25_names_of_proofs_that_are_too_long_or_no_text(dpop, jti):
    assert_proof_refused(dpop, dpop.ask(jti=jti))


@pytest.mark.rfc("P-20")
def test_dpo_25_a_name_of_a_megabyte(dpop):
    assert_proof_refused(dpop, dpop.ask(jti="x" * 2**20))


@pytest.mark.parametrize("jti", ["x" * 256, "\0", "ä☃", "a b", '"', "\ufffd"], ids=ascii)
def test_dpo_25_odd_names_count_once_as_all_others(dpop, jti):
    assert [dpop.ask(jti=jti).status_code for _ in range(2)] == [200, 401]


# --- more than is asked


@pytest.mark.parametrize(
    "given",
    [
        {"header": {"kid": "1", "x5c": ["AAAA"], "jku": "https://evil.example/", "odd": {"a": [1]}}},
        {
            "header": {
                "jwk": {**HOLDER.jwk, "kid": "1", "use": "sig", "alg": "ES256", "key_ops": ["verify"], "ext": True}
            }
        },
        {
            "nonce": "of another server",
            "sub": "eve",
            "odd": [None, {"a": 1.5}],
            "verify": False,
            "algorithms": ["none"],
        },
    ],
)
def test_dpo_31_more_members_change_nothing(dpop, given):
    assert dpop.ask(**given).json == {"who": "ada"}


def test_dpo_31_a_large_rsa_key(dpop):
    holder = Holder("PS256", bits=4096)
    dpop.confirmation = {"jkt": holder.jkt}
    assert len(json.dumps(holder.jwk)) > 550
    assert dpop.ask(holder).status_code == 200


def flipped(octets):
    return octets[:-1] + bytes([octets[-1] ^ 1])

"""The strict reader of compact JWS and JSON: what comes in from anybody. Cases JWS-… of the security report."""

import contextlib
import json
import math

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from flask_unauthorized.wire.jws import (
    MAX_DEPTH,
    MAX_HEADER,
    MAX_JWS,
    MAX_PAYLOAD,
    JOSEError,
    decode_base64url,
    encode_base64url,
    read_json_object,
    read_jws,
    unverified_issuer,
)
from tests.jose.conftest import RELAXED
from tests.jose.signing import b64, header, signed, token

RFC_7515_A1 = (
    "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxl"
    "LmNvbS9pc19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
)


def made(head, payload=b"{}", proof=b"x"):
    head = head if isinstance(head, bytes) else json.dumps(head).encode()
    return ".".join(map(b64, (head, payload, proof)))


# --- the form


@pytest.mark.rfc("JB-14")
def test_the_token_of_rfc_7515_a_1_is_read():
    read = read_jws(RFC_7515_A1)
    assert dict(read.header) == {"typ": "JWT", "alg": "HS256"}
    assert (read.algorithm, read.kid) == ("HS256", None)
    assert json.loads(read.payload) == {"iss": "joe", "exp": 1300819380, "http://example.com/is_root": True}
    assert read.signing_input.decode() == RFC_7515_A1.rpartition(".")[0]
    assert read.signature.hex().startswith("7418dfb49799e0254ffa607dd8adbbba16d4254d69d6bff0")


@pytest.mark.rfc("JB-14")
@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        "..",
        "...",
        "a.b",
        "a.b.c.d",
        "a.b.c.d.e",
        "{}",
        f"{RFC_7515_A1}.",
        f".{RFC_7515_A1}",
        " ",
        "é.é.é",
        f"{RFC_7515_A1}\n",
        f" {RFC_7515_A1}",
        RFC_7515_A1.replace(".", ". ", 1),
        RFC_7515_A1.replace("eyJ", "eyJ\n", 1),
        RFC_7515_A1 + "=",
        RFC_7515_A1.replace("-", "+", 1),
        RFC_7515_A1.replace("_", "/", 1),
        RFC_7515_A1[:-1],
        RFC_7515_A1[:-1] + "l",
        RFC_7515_A1 + "!",
        "\ud800.\ud800.\ud800",
        "\x00.\x00.\x00",
    ],
)
def test_jws_14_to_16_nothing_but_the_canonical_form_is_read(text):
    with pytest.raises(JOSEError):
        read_jws(text)


@pytest.mark.rfc("JB-14")
@pytest.mark.parametrize("part", [0, 1, 2])
def test_jws_13_no_part_may_be_empty(part):
    parts = RFC_7515_A1.split(".")
    parts[part] = ""
    with pytest.raises(JOSEError, match="is empty or longer"):
        read_jws(".".join(parts))


@pytest.mark.parametrize("value", [None, b"a.b.c", 5, [RFC_7515_A1]])
def test_what_is_no_text_is_no_token(value):
    with pytest.raises(JOSEError):
        read_jws(value)


@pytest.mark.asvs("V11.3.1")
@pytest.mark.rfc("JB-03", "JB-14")
def test_jws_06_an_encrypted_token_is_not_read():
    rfc_7516_a1 = (
        "eyJhbGciOiJSU0EtT0FFUCIsImVuYyI6IkEyNTZHQ00ifQ.OKOawDo13g.48V1_ALb6US04U3b.5eym8TW_c8Su.XFBoMYUZodetZdv"
    )
    for text in (
        rfc_7516_a1,
        made({"alg": "RS256", "enc": "A256GCM"}),
        made({"alg": "PBES2-HS256+A128KW", "p2c": 10**9}),
    ):
        with pytest.raises(JOSEError):
            read_jws(text)


def test_jws_08_the_json_forms_are_not_read():
    for text in ('{"payload":"e30","signatures":[]}', '{"payload":"e30","protected":"e30","signature":""}'):
        with pytest.raises(JOSEError):
            read_jws(text)


def test_limits_are_those_of_the_report():
    assert (MAX_HEADER, MAX_PAYLOAD, MAX_DEPTH) == (4096, 16384, 16)
    assert read_jws(made({"alg": "RS256", "x": "x" * 600})).header["x"]  # JWS-32
    for head, payload, proof in (
        ({"alg": "RS256", "x": "x" * MAX_HEADER}, b"{}", b"x"),
        ({"alg": "RS256"}, b" " * (MAX_PAYLOAD + 1), b"x"),
        ({"alg": "RS256"}, b"{}", b"x" * 1025),
    ):
        with pytest.raises(JOSEError, match="longer than allowed"):
            read_jws(made(head, payload, proof))
    with pytest.raises(JOSEError, match="longer than"):
        read_jws("." * (MAX_JWS + 1))
    with pytest.raises(JOSEError, match="longer than 10 characters"):
        read_jws(RFC_7515_A1, max_size=10)


def test_the_largest_allowed_token_is_read():
    head = b'{"alg":"RS256","x":"' + b"x" * (MAX_HEADER - 22) + b'"}'
    assert len(head) == MAX_HEADER
    read = read_jws(made(head, b" " * MAX_PAYLOAD, b"x" * 1024))
    assert (len(read.payload), len(read.signature)) == (MAX_PAYLOAD, 1024)


def test_nothing_of_a_token_is_in_its_repr():
    assert repr(read_jws(RFC_7515_A1)) == "<CompactJWS>"


# --- the header


@pytest.mark.rfc("J-02", "JB-01")
@pytest.mark.parametrize("name", ["none", "None", "NONE", "nOnE", "", None, [], {}, 256, True])
def test_jws_01_no_algorithm_is_no_token(name):
    with pytest.raises(JOSEError, match="names no algorithm"):
        read_jws(made({"alg": name, "typ": "at+jwt"}))
    with pytest.raises(JOSEError, match="names no algorithm"):
        read_jws(made({"typ": "at+jwt"}))


@pytest.mark.rfc("J-02", "JB-15", "JB-16")
@pytest.mark.parametrize(
    "head",
    [
        "eyJhbGciOiJub25lIiwidHlwIjoiYXQrand0In0",
        "eyJhbGciOiJOb25lIiwidHlwIjoiYXQrand0In0",
        "eyJhbGciOiJOT05FIiwidHlwIjoiYXQrand0In0",
        "eyJhbGciOiJuT25FIiwidHlwIjoiYXQrand0In0",
        "eyJhbGciOiJSUzI1NiIsImFsZyI6Im5vbmUiLCJ0eXAiOiJhdCtqd3QifQ",
        "eyJhbGciOiJSUzI1NiIsImNyaXQiOlsieC1tdXN0Il0sIngtbXVzdCI6MSwidHlwIjoiYXQrand0In0",
    ],
)
def test_the_headers_to_refuse_of_the_requirements(head):
    with pytest.raises(JOSEError):
        read_jws(f"{head}.e30.eA")


@pytest.mark.rfc("JB-16")
@pytest.mark.parametrize("crit", [["x"], [], None, 5, "exp", [1], [[]], ["alg"], ["exp"], ["b64"], {}])
def test_jws_09_to_12_any_crit_is_refused(crit):
    with pytest.raises(JOSEError, match="crit"):
        read_jws(made({"alg": "RS256", "crit": crit, "exp": 1, "b64": False, "x": 1}))


@pytest.mark.parametrize("more", [{"b64": False}, {"b64": "false"}, {"b64": True}, {"zip": "DEF"}, {"enc": None}])
def test_jws_07_jws_13_what_changes_the_payload_is_refused(more):
    with pytest.raises(JOSEError):
        read_jws(made({"alg": "RS256", **more}))


@pytest.mark.rfc("JB-09")
@pytest.mark.parametrize("kid", [5, None, [], {}, True, "x" * 257, "é" * 129])
def test_key_11_a_kid_is_a_short_string(kid):
    with pytest.raises(JOSEError, match="kid"):
        read_jws(made({"alg": "RS256", "kid": kid}))
    assert read_jws(made({"alg": "RS256", "kid": "x" * 256})).kid == "x" * 256


def test_clm_13_a_typ_is_a_string():
    for kind in (5, None, ["at+jwt"]):
        with pytest.raises(JOSEError, match="typ"):
            read_jws(made({"alg": "RS256", "typ": kind}))


@pytest.mark.rfc("JB-03")
@pytest.mark.parametrize("content", ["JWT", "jwt", "application/jwt", "Application/JWT"])
def test_jws_33_a_nested_token_is_refused(content):
    with pytest.raises(JOSEError, match="another token"):
        read_jws(made({"alg": "RS256", "cty": content}))


@pytest.mark.rfc("JB-09")
def test_jws_18_a_key_in_the_header_only_where_it_is_asked_for():
    with_key = made({"alg": "ES256", "jwk": {"kty": "EC"}})
    with pytest.raises(JOSEError, match="own key"):
        read_jws(with_key)
    assert read_jws(with_key, embedded_key=True).header["jwk"] == {"kty": "EC"}
    with pytest.raises(JOSEError, match="no key"):
        read_jws(made({"alg": "ES256"}), embedded_key=True)
    with pytest.raises(JOSEError, match="own key"):  # and what was read in one way isn't remembered for the other
        read_jws(with_key)


def test_jws_32_unknown_members_are_ignored():
    read = read_jws(made({"alg": "RS256", "nonce": "n", "x5t": "t", "jku": "https://x.example", "vendor": {"a": [1]}}))
    assert read.header["vendor"] == {"a": [1]}


def test_a_header_cannot_be_changed():
    with pytest.raises(TypeError):
        read_jws(RFC_7515_A1).header["alg"] = "none"


@pytest.mark.rfc("JB-14")
@pytest.mark.parametrize("head", [b"[]", b'"x"', b"1", b"null", b"", b"{", b"{}x", b"{} {}", b'{"alg":"RS256"}//'])
def test_jws_29_a_header_is_one_json_object(head):
    with pytest.raises(JOSEError):
        read_jws(made(head))


# --- JSON


def refused(text):
    with pytest.raises(JOSEError) as caught:
        read_json_object(text if isinstance(text, bytes) else text.encode())
    return str(caught.value)


@pytest.mark.rfc("JB-06")
@pytest.mark.parametrize(
    "coding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be", "utf-8-sig"]
)
def test_jws_20_json_is_utf_8_without_a_mark(coding):
    refused('{"sub":"ada"}'.encode(coding))


@pytest.mark.rfc("JB-06")
@pytest.mark.parametrize(
    "text",
    [
        b'{"a":"\xff"}',
        b'{"a":"\xed\xa0\x80"}',
        b'{"a":"\\ud800"}',
        b'{"\\udfff":1}',
        b'{"a":["\\uD83D x"]}',
        b'{"a":"\xc0\xaf"}',
    ],
)
def test_jws_20_json_is_unicode(text):
    refused(text)


def test_surrogates_in_pairs_are_characters_and_an_escaped_backslash_is_none():
    assert read_json_object(b'{"a":"\\ud83d\\ude00","b":"\\\\ud800"}') == {"a": "\U0001f600", "b": "\\ud800"}


@pytest.mark.rfc("JB-15")
@pytest.mark.parametrize(
    "text", ['{"a":1,"a":1}', '{"a":1,"\\u0061":2}', '{"x":{"a":1,"a":2}}', '{"x":[{"a":1,"b":2,"a":3}]}']
)
def test_jws_22_no_member_twice(text):
    assert "twice" in refused(text)


@pytest.mark.asvs("V15.3.5")
@pytest.mark.rfc("JB-12")
@pytest.mark.parametrize(
    "number",
    [
        "NaN",
        "Infinity",
        "-Infinity",
        "1e999",
        "-1e999",
        "-0",
        "-0.0",
        "-0e5",
        "9" * 5000,
        "1" + "0" * 400 + ".5",
        "0." + "1" * 100,
        "nan",
        "0x10",
        "1_000",
        "+1",
        "01",
    ],
)
def test_jws_30_numbers_are_finite_and_short(number):
    refused(f'{{"exp":{number}}}')
    refused(f'{{"a":[{{"b":{number}}}]}}')


def test_ordinary_numbers_are_read():
    read = read_json_object(b'{"a":0,"b":-5,"c":1.5e9,"d":1500000000,"e":0.0,"f":18446744073709551616}')
    assert read == {"a": 0, "b": -5, "c": 1.5e9, "d": 1500000000, "e": 0.0, "f": 2**64}


@pytest.mark.parametrize(
    "text",
    [
        "[]",
        '"x"',
        "1",
        "null",
        "true",
        "",
        " ",
        "{",
        "}",
        "{}{}",
        "{}x",
        "/**/{}",
        "{'a':1}",
        '{"a":1,}',
        '{"a"}',
        '{"a":"\n"}',
        '{"a":"\\x"}',
        "{" * 10,
        "\x00",
    ],
)
def test_jws_31_only_one_object(text):
    refused(text)


@pytest.mark.asvs("V15.2.2")
@pytest.mark.parametrize("opening", ["[", '{"a":'])
def test_lim_05_depth_is_bounded_before_parsing(opening):
    closing = {"[": "]", '{"a":': "}"}[opening]

    def nested(depth):
        return f'{{"x":{opening * (depth - 1)}1{closing * (depth - 1)}}}'

    assert read_json_object(nested(16).encode())
    assert "deeper" in refused(nested(17))
    assert "deeper" in refused(f'{{"x":{opening * 100_000}')
    assert read_json_object(nested(3).encode(), max_depth=3)
    with pytest.raises(JOSEError):
        read_json_object(nested(4).encode(), max_depth=3)


def test_the_bounds_of_depth_and_numbers_belong_to_what_is_allowed():
    deepest = "[" * 15 + "1" + "]" * 15
    assert read_json_object(f'{{"x":{deepest},"y":{deepest}}}'.encode())
    assert "deeper" in refused(f'{{"a":"]]]]}}}}","x":[{deepest}]}}')
    assert read_json_object(b'{"a":' + b"9" * 64 + b"}") == {"a": int("9" * 64)}
    assert read_json_object(b'{"a":0.' + b"5" * 62 + b"}")["a"] == float("0." + "5" * 62)
    assert "range" in refused('{"a":' + "9" * 65 + "}")
    assert "range" in refused('{"a":0.' + "5" * 63 + "}")


def test_brackets_in_strings_are_no_depth():
    text = json.dumps({"a": "[" * 50 + '"' + "{" * 50 + "\\", "b": [[]] * 20, "c": "]}"})
    assert read_json_object(text.encode())["c"] == "]}"


def test_strings_that_never_end_take_no_time():
    # Quadratic scanning of these would take minutes.
    for text in (b'{"' + b'\\"' * 200_000, b'{"' + b"[" * 400_000, b'"' * 400_001, b"\\" * 400_000, b"[{" * 200_000):
        refused(text)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64) | st.text() | st.floats(0, 1e300).filter(math.isfinite),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=12,
)


@RELAXED
@given(st.dictionaries(st.text(), JSON, max_size=4))
def test_what_python_writes_is_read_alike(value):
    try:
        text = json.dumps(value).encode()
        text.decode()
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return
    if sum(map(text.count, (b"[", b"{"))) <= MAX_DEPTH:
        assert read_json_object(text) == json.loads(text)


@RELAXED
@given(st.binary(max_size=200))
@example(b"\xef\xbb\xbf{}")
def test_octets_give_an_object_or_our_error(octets):
    with contextlib.suppress(JOSEError):
        assert isinstance(read_json_object(octets), dict)


@RELAXED
@given(st.text(alphabet=st.characters(codec=None), max_size=80))
def test_text_gives_a_token_or_our_error(text):
    for candidate in (text, f"{text}.{text}.{text}", f"{b64(text.encode(errors='ignore'))}.e30.eA"):
        with pytest.raises(JOSEError):
            read_jws(candidate)


# --- base64url


@RELAXED
@given(st.binary(max_size=100))
def test_base64url_goes_there_and_back(octets):
    assert encode_base64url(octets) == b64(octets)
    assert decode_base64url(b64(octets)) == octets


@RELAXED
@given(st.text(alphabet="AQgw-_+/=. \n!é", max_size=12))
def test_base64url_has_one_spelling(text):
    try:
        octets = decode_base64url(text)
    except JOSEError:
        return
    assert b64(octets) == text


@pytest.mark.parametrize("value", ["A", "AAAAA", "AB", "AAB", "QQ==", "Q Q", "QQ\n", "+A", "/A", "é", "\ud800"])
def test_jws_14_what_python_forgives_is_refused(value):
    with pytest.raises(JOSEError):
        decode_base64url(value)
    with pytest.raises(JOSEError):
        decode_base64url(value.encode(errors="ignore"))


def test_a_good_token_of_the_test_issuer_is_read():
    read = read_jws(token())
    assert dict(read.header) == header()
    assert read_jws(signed(header(), b'{"a":1}')).payload == b'{"a":1}'


def test_the_issuer_that_a_token_claims_rfc_7515_a1():
    assert unverified_issuer(RFC_7515_A1) == "joe"
    assert unverified_issuer(RFC_7515_A1[:-9]) == "joe"  # whatever the signature is


def with_payload(octets):
    return f"e30.{b64(octets)}.x"


OTHERS = {
    "empty": "", "opaque": "2YotnFZFEjr1zCsicMWpAA", "two parts": "e30.e30", "five parts": "e30.e30.e30.e30.e30",
    "no JSON": "e30.Zm9v.x", "no base64url": "e30.a*b=.x", "padding": "e30.e30=.x",
    "no header": RFC_7515_A1[RFC_7515_A1.index("."):], "a list": with_payload(b'["iss"]'), "without iss": "e30.e30.x",
    "a number": with_payload(b'{"iss":7}'), "null": with_payload(b'{"iss":null}'),
    "twice": with_payload(b'{"iss":"a","iss":"a"}'), "deep": with_payload(b"[" * 5000), "not ASCII": "\u00fc.\ud800.x",
}  # fmt: skip


@pytest.mark.parametrize("text", OTHERS.values(), ids=OTHERS)
def test_what_claims_no_issuer(text):
    assert unverified_issuer(text) is None


@RELAXED
@given(st.text() | st.text(alphabet="e30.Zm9v-_=", max_size=40))
def test_reading_the_claimed_issuer_never_fails(text):
    assert unverified_issuer(text) is None

"""What is said of a token or a JSON text that can't be read: the rule, never a value."""

import base64

import pytest

from flask_unauthorized.wire.jws import JOSEError, decode_base64url, encode_base64url, read_json_object, read_jws
from tests.jose.signing import b64


def said(read, *given, **options):
    with pytest.raises(JOSEError) as caught:
        read(*given, **options)
    return str(caught.value)


def token(header, payload="e30", signature="AA"):
    return f"{b64(header.encode())}.{payload}.{signature}"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, "a token must be text"),
        (b"a.b.c", "a token must be text"),
        ("a.b", "the token has not three parts: only the compact form of a signed token is read"),
        ("a.b.c.d", "the token has not three parts: only the compact form of a signed token is read"),
        (".e30.AA", "a part of the token is empty or longer than allowed"),
        (token('{"alg":"x"}', ""), "a part of the token is empty or longer than allowed"),
        (token('{"alg":"x"}', signature=""), "a part of the token is empty or longer than allowed"),
        (token("{"), "the header: not JSON"),
        (token("[]"), "the header: JSON that is not an object"),
        ("A.e30.AA", "the header: not base64url"),
        (token("{}"), "the header names no algorithm (alg)"),
        (token('{"alg":"None"}'), "the header names no algorithm (alg)"),
        (token('{"alg":"x","crit":[]}'), "the header asks for an extension (crit)"),
        (token('{"alg":"x","b64":true}'), "the header changes what is signed (b64)"),
        (token('{"alg":"x","zip":"DEF"}'), "the header is compressed (zip)"),
        (token('{"alg":"x","enc":"A"}'), "the header is that of an encrypted token (enc)"),
        (token('{"alg":"x","p2c":1}'), "the header is that of an encrypted token (p2c)"),
        (token('{"alg":"x","kid":1}'), "the header's kid is not a string"),
        (token('{"alg":"x","typ":1}'), "the header's typ is not a string"),
        (token('{"alg":"x","cty":1}'), "the header's cty is not a string"),
        (token('{"alg":"x","kid":"%s"}' % ("k" * 257)), "the header's kid is longer than 256 octets"),
        (token('{"alg":"x","cty":"application/JWT"}'), "the token holds another token (cty)"),
        (token('{"alg":"x","jwk":{}}'), "the header brings its own key (jwk)"),
        (token('{"alg":"x"}', "A"), "payload or signature: not base64url"),
        (token('{"alg":"x"}', "AB"), "payload or signature: not canonical base64url"),
        (token('{"alg":"x"}', signature="AA="), "payload or signature: not canonical base64url"),
    ],
)
def test_of_a_token(text, expected):
    assert said(read_jws, text) == expected


def test_of_a_token_that_should_bring_its_key_or_is_long():
    assert said(read_jws, token('{"alg":"x"}'), embedded_key=True) == "the header has no key (jwk)"
    assert said(read_jws, "x" * 11, max_size=10) == "the token is longer than 10 characters"
    assert said(read_jws, "x" * 10, max_size=10).startswith("the token has not three parts")


@pytest.mark.parametrize(
    ("octets", "expected"),
    [
        (b"", "not JSON"),
        (b"{}x", "not JSON"),
        (b"\xff", "JSON that is not Unicode text in UTF-8"),
        (b'{"a":"\\ud800"}', "JSON that is not Unicode text in UTF-8"),
        (b"[]", "JSON that is not an object"),
        (b'{"a":1,"a":1}', "JSON with a member twice"),
        (b'{"a":-0}', "JSON with a number out of range"),
        (b'{"a":-0.0}', "JSON with a number out of range"),
        (b'{"a":1e999}', "JSON with a number out of range"),
        (b'{"a":%s}' % (b"1" * 65), "JSON with a number out of range"),
        (b'{"a":NaN}', "JSON with NaN or Infinity"),
        (b'{"a":-Infinity}', "JSON with NaN or Infinity"),
        (b'{"a":' + b"[" * 16 + b"]" * 16 + b"}", "JSON nested deeper than 16"),
        (b'{"a":' + b"[" * 14 + b"[],[[]]" + b"]" * 14 + b"}", "JSON nested deeper than 16"),
    ],
)
def test_of_json(octets, expected):
    assert said(read_json_object, octets) == expected


@pytest.mark.parametrize(
    "octets", [b"", b"\0", b"\0\0\x17", b"\x5d\x75\xd7", b"\xff\xff\xff", b"\xfb\xef\xbe", b"\0\0"]
)
def test_base64url_is_that_of_python_without_its_padding(octets):
    text = base64.urlsafe_b64encode(octets).decode().rstrip("=")
    assert encode_base64url(octets) == text
    assert decode_base64url(text) == octets


@pytest.mark.parametrize(
    ("text", "expected"),
    [("\xe4", "not base64url"), (None, "not base64url"), ("A", "not base64url"), ("AB", "not canonical base64url"),
     ("A+A", "not canonical base64url"), ("AA==", "not canonical base64url")],
)  # fmt: skip
def test_of_base64url(text, expected):
    assert said(decode_base64url, text) == expected

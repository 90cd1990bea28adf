"""Reading ``Authorization``."""

import contextlib

import pytest

from flask_unauthorized.wire import GrammarError, parse_authorization


@pytest.mark.rfc("H-09", "H-12")
def test_parameters_are_read_without_case_and_quoted_or_not():
    plain, quoted = parse_authorization("Digest QOP=auth"), parse_authorization('digest qop="auth"')
    assert plain.get("qop") == quoted.get("Qop") == "auth"


@pytest.mark.rfc("H-13", "H-17", "H-19")
@pytest.mark.parametrize(
    ("value", "scheme", "token68", "params"),
    [
        ("Bearer mF_9.B5f-4.1JqM", "Bearer", "mF_9.B5f-4.1JqM", ()),
        ("BEARER  mF_9.B5f-4.1JqM", "BEARER", "mF_9.B5f-4.1JqM", ()),
        ("Bearer abc==", "Bearer", "abc==", ()),
        ("Bearer", "Bearer", None, ()),
        ("garbage", "garbage", None, ()),
        ("Bearer a=b", "Bearer", None, (("a", "b"),)),
        ('Digest ,, username="a\\"b", qop = auth', "Digest", None, (("username", 'a"b'), ("qop", "auth"))),
    ],
)
def test_credentials_are_read(value, scheme, token68, params):
    found = parse_authorization(value)
    assert (found.scheme, found.token68, found.params) == (scheme, token68, params)


@pytest.mark.rfc("H-36")
@pytest.mark.parametrize("character", [chr(code) for code in range(0x21, 0x100)])
def test_the_alphabet_of_a_token68(character):
    """RFC 9110 §11.2: ``1*( ALPHA / DIGIT / "-" / "." / "_" / "~" / "+" / "/" ) *"="``."""
    allowed = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/"
    if character in allowed:
        for token68 in (character, f"{character}==", f"a{character}"):
            assert parse_authorization(f"Bearer {token68}").token68 == token68
        with pytest.raises(GrammarError):
            parse_authorization(f"Bearer ={character}")
    else:
        for broken in (f"{character}a", f"a{character}a"):
            with contextlib.suppress(GrammarError):
                assert parse_authorization(f"Bearer {broken}").token68 is None


@pytest.mark.rfc("H-11", "H-28", "H-20")
@pytest.mark.parametrize(
    "value",
    [
        "Bearer a b", "Bearer a,Bearer b", "Bearer abc!", 'Bearer "abc"', "Bearer =a", "Bearer\tx", "Bearer a,",
        "Basic x, Bearer y", "Bearer a, DPoP b", ", Bearer a", ",", 'Digest username="a", username="b"', "Bearer a\x00",
        "Bearer \u0161", 'Digest username="a", Username="a"', 'Digest abc, username="a"', 'Digest username="a" abc',
    ],
)  # fmt: skip
def test_malformed_credentials_are_refused(value):
    with pytest.raises(GrammarError):
        parse_authorization(value)


@pytest.mark.parametrize("value", ["", " ", "\t"])
def test_an_empty_field_holds_no_credentials(value):
    assert parse_authorization(value) is None


def test_names_compare_without_case_and_the_repr_shows_no_secret():
    found = parse_authorization('Digest UserName="ada", response=5ec3e7')
    assert found.get("username") == "ada"
    assert found.get("nonce") is None
    assert "5ec3e7" not in repr(found)
    assert "5ec3e7" not in repr(parse_authorization("Bearer 5ec3e7"))

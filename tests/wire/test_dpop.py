"""DPoP by the examples of the RFCs: thumbprints, hashes, normal URIs, and the printed proof as a whole."""

import hashlib
import itertools
import re
import sys
import time

import pytest

from flask_unauthorized import Auth, DPoP, Identity
from flask_unauthorized.wire import dpop
from flask_unauthorized.wire.dpop import access_token_hash, key_members, normal_uri, thumbprint
from tests.dpop_client import b64

if sys.version_info >= (3, 11):
    from re import _constants as sre_constants
    from re import _parser as sre_parse
else:
    import sre_constants
    import sre_parse

TOKEN = "Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU"
KEY = {
    "kty": "EC",
    "crv": "P-256",
    "x": "l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs",
    "y": "9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA",
}
JKT = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"
PROOF = (  # RFC 9449 §7.1
    "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJo"
    "RjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19."
    "eyJqdGkiOiJlMWozVl9iS2ljOC1MQUVCIiwiaHRtIjoiR0VUIiwiaHR1IjoiaHR0cHM6Ly9yZXNvdXJjZS5leGFtcGxlLm9yZy9wcm90ZWN0ZWRy"
    "ZXNvdXJjZSIsImlhdCI6MTU2MjI2MjYxOCwiYXRoIjoiZlVIeU8ycjJaM0RaNTNFc05yV0JiMHhXWG9hTnk1OUlpS0NBcWtzbVFFbyJ9."
    "2oW9RP35yRqzhrtNP86L-Ey71EOptxRimPPToA1plemAgR6pxHF8y6-yqyVnmcw6Fy1dqd-jfxSYoMxhAJpLjA"
)
RSA = {  # RFC 7638 §3.1
    "kty": "RSA",
    "n": ""
    "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3ok"
    "njhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu"
    "6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8a"
    "wapJzKnqDKgw",
    "e": "AQAB",
}
ED25519 = {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}  # RFC 8037 A.3


@pytest.fixture
def app(make_app, monkeypatch):
    """The app of RFC 9449 §7.1, at the second in which its proof was made."""
    monkeypatch.setattr(time, "time", lambda: 1562262618.0)
    identity = Identity("somebody", confirmation={"jkt": JKT})
    auth = Auth(DPoP({TOKEN: identity}.get, origin="https://resource.example.org"))
    app = make_app(auth)
    app.add_url_rule("/protectedresource", "view", auth.login_required(lambda: "in"), methods=["GET", "POST"])
    return app


@pytest.mark.rfc("P-01", "P-09", "P-17")
def test_the_request_of_the_rfc_gets_in(app):
    sent = {"Authorization": f"DPoP {TOKEN}", "DPoP": PROOF}
    assert app.test_client().get("/protectedresource?x=1", headers=sent).text == "in"


@pytest.mark.parametrize("place", [3, 200, 400, -1, -40])
def test_the_proof_of_the_rfc_with_one_character_changed(app, place):
    characters = list(PROOF)
    characters[place] = "B" if characters[place] != "B" else "C"
    sent = {"Authorization": f"DPoP {TOKEN}", "DPoP": "".join(characters)}
    assert app.test_client().get("/protectedresource", headers=sent).status_code == 401


@pytest.mark.rfc("P-40")
@pytest.mark.parametrize(
    ("jwk", "expected"),
    [
        (KEY, JKT),
        (RSA, "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"),
        ({**RSA, "alg": "RS256", "kid": "2011-04-29"}, "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"),
        (ED25519, "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"),
        ({"use": "sig", **dict(reversed(ED25519.items())), "kid": "x"}, "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"),
    ],
)
def test_thumbprints_of_the_rfcs(jwk, expected):
    assert thumbprint(jwk) == expected


def test_members_that_count():
    assert key_members({**RSA, "alg": "RS256", "kid": "2011-04-29", "d": "x"}) == RSA


@pytest.mark.parametrize(
    "changed",
    [
        {"kty": None},
        {"kty": "oct"},
        {"kty": []},
        {"crv": None},
        {"crv": "secp256k1"},
        {"crv": "P-384"},
        {"crv": ["P-256"]},
        {"x": None},
        {"x": ""},
        {"x": 1},
        {"x": [1]},
        {"x": KEY["x"] + "="},
        {"x": KEY["x"] + "AA"},
        {"x": KEY["x"][:-4]},
        {"x": KEY["x"][:-1] + "t"},  # its spare bits are set
        {"x": KEY["x"][:-1] + "+"},
        {"x": KEY["x"][:-1] + "\n"},
        {"x": "ä" * 43},
    ],
    ids=str,
)
def test_a_key_with_two_spellings_would_have_two_thumbprints(changed):
    with pytest.raises(ValueError, match=r"kty|crv|x"):
        thumbprint({**KEY, **changed})


@pytest.mark.parametrize("e", ["AAEAAQ", "AQAB=", "", None, "AA"])
def test_a_number_with_zeros_in_front(e):
    with pytest.raises(ValueError, match=r"e has|e is"):
        thumbprint({**RSA, "e": e})


@pytest.mark.parametrize(
    ("jwk", "name"),
    [(KEY, "kty"), (KEY, "crv"), (KEY, "x"), (KEY, "y"), (RSA, "n"), (RSA, "e"), (ED25519, "crv"), (ED25519, "x")],
    ids=lambda value: value if isinstance(value, str) else value["kty"],
)
def test_each_member_is_needed(jwk, name):
    with pytest.raises(ValueError, match=f"^{name} "):
        thumbprint({member: value for member, value in jwk.items() if member != name})


@pytest.mark.rfc("P-16")
def test_hash_of_the_token_of_the_rfc():
    assert access_token_hash(TOKEN) == "fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo"
    assert access_token_hash("mF_9.B5f-4.1JqM") == "uOFIVFsTx4vHTaLxpydd1x5W3ezhKdfS97PswG95lNo"
    assert access_token_hash("") == b64(hashlib.sha256(b"").digest()) == "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU"


@pytest.mark.rfc("P-13")
@pytest.mark.parametrize(
    ("uri", "normal"),
    [
        ("HTTPS://Resource.Example.ORG:443/protectedresource", "https://resource.example.org/protectedresource"),
        ("https://resource.example.org:/p", "https://resource.example.org/p"),
        ("https://resource.example.org", "https://resource.example.org/"),
        ("https://resource.example.org?x", "https://resource.example.org/"),
        ("https://resource.example.org/%7Euser", "https://resource.example.org/~user"),
        ("https://resource.example.org/a/./b/../c", "https://resource.example.org/a/c"),
        ("https://resource.example.org/a%2fb", "https://resource.example.org/a%2Fb"),
        ("https://resource.example.org/x?q=1#f", "https://resource.example.org/x"),
        ("https://resource.example.org/x#f?q", "https://resource.example.org/x"),
        ("https://[2001:DB8::1]:443/p", "https://[2001:db8::1]/p"),
        ("https://resource.example.org/X", "https://resource.example.org/X"),
        ("https://resource.example.org/p/", "https://resource.example.org/p/"),
        ("http://resource.example.org:80/p", "http://resource.example.org/p"),
        ("https://resource.example.org:80/p", "https://resource.example.org:80/p"),
        ("https://resource.example.org:8443/p", "https://resource.example.org:8443/p"),
        ("https://resource.example.org:0443/p", "https://resource.example.org:0443/p"),
        # RFC 3986 §5.4.2, and what only looks like a dot segment
        ("https://a/b/c/../../../../g", "https://a/g"),
        ("https://a/b/c/%2E%2e/g", "https://a/b/g"),
        ("https://a/b/.", "https://a/b/"),
        ("https://a/b/..", "https://a/"),
        ("https://a/b/c/..", "https://a/b/"),
        ("https://a/b/c/.", "https://a/b/c/"),
        ("https://a/..g/g..", "https://a/..g/g.."),
        ("https://a//b//../c", "https://a//b/c"),
        ("https://a/%25%32", "https://a/%252"),
        ("https://a/x|[y]", "https://a/x|[y]"),
    ],
)
def test_normal_uris(uri, normal):
    assert normal_uri(uri) == normal
    assert normal_uri(normal) == normal


@pytest.mark.parametrize(
    "uri",
    [
        "", "/p", "//a/p", "a/p", "ftp://a/", "https:/a", "https://", "https:///p", "https://ada@a/", "https://a@b:c@d/",
        "https://a/%", "https://a/%4", "https://a/%zz", "https://a/ b", "https://a/ä", "https://ä/", "https://a/\\b",
        'https://a/"', "https://a/<b>", "https://a\n/", "https://a/\n", " https://a/", "https://a:x/", "https://a%2eb/",
        "https://[::1/", "https://a/" + "a" * 5000,
    ],
)  # fmt: skip
def test_what_is_no_uri_of_a_resource(uri):
    with pytest.raises(ValueError):
        normal_uri(uri)


# --- how long it takes to read a URI


def first_characters(parts, following):
    """Return the characters with which a text may begin that matches ``parts``, then something of ``following``."""
    found = set()
    for kind, value in parts:
        if kind is sre_constants.MAX_REPEAT:
            least, _, body = value
            found |= first_characters(body, set())
            if least == 0:
                continue
        elif kind is sre_constants.SUBPATTERN:
            inner = first_characters(value[-1], {None})
            found |= inner - {None}
            if None in inner:
                continue
        elif kind is sre_constants.BRANCH:
            for choice in value[1]:
                found |= first_characters(choice, set())
        elif kind is sre_constants.IN:
            for member, bounds in value:
                assert member in (sre_constants.LITERAL, sre_constants.RANGE)
                low, high = bounds if member is sre_constants.RANGE else (bounds, bounds)
                found |= {chr(code).lower() for code in range(low, high + 1)}
        else:
            assert kind is sre_constants.LITERAL, kind
            found.add(chr(value).lower())
        return found
    return found | following


def ambiguous_choices(parts, following):
    """Yield the characters at which a pattern could go on in two ways, so that a mismatch makes it try both."""
    for number, (kind, value) in enumerate(parts):
        then = first_characters(parts[number + 1 :], following)
        if kind is sre_constants.MAX_REPEAT:
            begins = first_characters(value[2], set())
            yield from begins & then
            again = set() if value[1] == 1 else begins
            yield from ambiguous_choices(value[2], again | then)
        elif kind is sre_constants.SUBPATTERN:
            yield from ambiguous_choices(value[-1], then)
        elif kind is sre_constants.BRANCH:
            begins = [first_characters(choice, then) for choice in value[1]]
            yield from (character for one, other in itertools.combinations(begins, 2) for character in one & other)
            for choice in value[1]:
                yield from ambiguous_choices(choice, then)


@pytest.mark.parametrize(
    ("pattern", "ambiguous"),
    [(dpop._URI.pattern, set()), (r"a*(?:#[!-~]*)*", {"#"}), (r"(?:xa|[xy]b)z", {"x"}), (r"(a*)?(b|a)", {"a"})],
    ids=["URI", "repeated fragment", "branch", "group"],
)
def test_dpo_09_a_uri_is_read_in_linear_time(pattern, ambiguous):
    """With one way to go on at each character, a match takes one step per character, whatever a client sends."""
    assert set(ambiguous_choices(list(sre_parse.parse(pattern, re.IGNORECASE)), set())) == ambiguous

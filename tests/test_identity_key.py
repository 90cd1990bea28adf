"""`Identity.key` names a caller among those of all issuers (OWASP ASVS 6.8.1, 10.3.3)."""

from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flask_unauthorized import Identity

TEXTS = st.text(min_size=1, alphabet=st.characters())  # surrogates included
NEAR = st.text(min_size=1, alphabet="a#%2|:\u00e4")
PAIRS = st.tuples(st.none() | TEXTS | NEAR, TEXTS | NEAR)


def key(pair):
    issuer, subject = pair
    return Identity(subject, issuer=issuer).key


@pytest.mark.asvs("V10.3.3")
@given(PAIRS, PAIRS)
def test_no_two_pairs_share_a_key(one, other):
    assert (key(one) == key(other)) is (one == other)


@given(PAIRS)
def test_issuer_and_subject_can_be_read_from_the_key(pair):
    issuer, separator, subject = key(pair).partition("#")
    assert separator == "#"
    assert unquote(issuer, errors="surrogatepass") == (pair[0] or "")
    assert unquote(subject, errors="surrogatepass") == pair[1]


@pytest.mark.parametrize(
    ("issuer", "subject", "expected"),
    [
        ("https://id.example.com", "42", "https://id.example.com#42"),
        ("https://id.example.com/a", "auth0|5", "https://id.example.com/a#auth0|5"),
        (None, "42", "#42"),
        (None, "https://id.example.com#42", "#https://id.example.com%2342"),
        ("a#b", "c", "a%23b#c"),
        ("a", "b#c", "a#b%23c"),
        ("id", "50% \u00e4", "id#50%25%20%C3%A4"),
        ("id", None, None),
    ],
)
def test_the_documented_form(issuer, subject, expected):
    assert Identity(subject, issuer=issuer).key == expected


@pytest.mark.asvs("V15.3.5")
@pytest.mark.parametrize("given", [{"issuer": ""}, {"issuer": 5}, {"amr": "hwk"}, {"amr": {5}}])
def test_issuer_and_amr_are_checked(given):
    with pytest.raises(TypeError, match=r"issuer|amr"):
        Identity("ada", **given)


@pytest.mark.asvs("V6.8.1", "V10.3.3")
def test_equal_subjects_of_two_issuers_are_two_callers():
    assert Identity("ada", issuer="a") != Identity("ada", issuer="b")

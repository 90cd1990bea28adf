"""`Identity.key` names a caller among those of all issuers (OWASP ASVS 6.8.1, 10.3.3)."""

from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flask_unauthorized import Auth, Bearer, Identity
from flask_unauthorized.jose import hmac_key
from flask_unauthorized.loaders.jwt import JWT, Issuers

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


def test_halves_of_surrogate_pairs_are_told_apart():
    assert len({Identity(subject).key for subject in ("\ud800", "\ud801", "?", "\ufffd")}) == 4


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


def issuers(*names, **options):
    keys = [hmac_key(b"k" * 32)]
    return [JWT(name, audience="api", keys=keys, algorithms=["HS256"], **options) for name in names]


SEVERAL = {
    "Issuers": lambda **options: [Bearer(Issuers(*issuers("https://a", "https://b", **options)))],
    "two loaders": lambda **options: [Bearer(*issuers("https://a", "https://b", **options))],
    "two schemes": lambda **options: [
        Bearer(*issuers("https://a", **options)), Bearer(*issuers("https://b", **options), name="Token")
    ],
}  # fmt: skip


@pytest.mark.parametrize("schemes", SEVERAL.values(), ids=SEVERAL)
@pytest.mark.parametrize(("options", "count"), [({}, 1), ({"user": None}, 0), ({"user": lambda identity: "u"}, 0)])
def test_check_warns_of_several_issuers(make_app, caplog, schemes, options, count):
    auth = Auth(*schemes(**options))
    app = make_app(auth)
    auth.check(app)
    auth.check(app)
    assert sum("tokens of several issuers" in message for message in caplog.messages) == count


def test_check_does_not_warn_of_one_issuer(make_app, caplog):
    auth = Auth(Bearer(*issuers("https://a")), Bearer(*issuers("https://a"), name="Token"))
    auth.check(make_app(auth))
    assert not any("tokens of several issuers" in message for message in caplog.messages)

"""Reading and writing challenges: every row of the vector tables, an independent parser, and properties."""

import contextlib
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flask_unauthorized.wire import Challenge, GrammarError, parse_authorization, parse_challenges
from flask_unauthorized.wire.grammar import DEFAULT_CREDENTIAL_LIMIT, MAX_CHALLENGES, MAX_EMPTY_ELEMENTS, MAX_PARAMS
from flask_unauthorized.wire.rules import check_realm, check_uri
from tests.independent import independent

BASIC_X = ("basic", {"realm": "x"})
DIGEST_NONCE = {"algorithm": "SHA-256", "nonce": "n", "realm": "r"}

# Field value -> scheme in lower case with its parameters or its token68 (requirements §20.5).
READ = [
    (
        r'Basic realm="simple", Newauth realm="apps", type=1, title="Login to \"apps\""',
        [("basic", {"realm": "simple"}), ("newauth", {"realm": "apps", "type": "1", "title": 'Login to "apps"'})],
    ),
    ('Bearer, DPoP algs="ES256 PS256"', [("bearer", {}), ("dpop", {"algs": "ES256 PS256"})]),
    ("Negotiate", [("negotiate", {})]),
    ("Negotiate 749efa7b23409c20b92356", [("negotiate", "749efa7b23409c20b92356")]),
    ('Negotiate YII=, Basic realm="x"', [("negotiate", "YII="), BASIC_X]),
    ('Newauth abc==, Basic realm="x"', [("newauth", "abc=="), BASIC_X]),
    ("Foo a=", [("foo", "a=")]),
    ("Foo a==", [("foo", "a==")]),
    ("Foo a=b", [("foo", {"a": "b"})]),
    ("Basic realm=", [("basic", "realm=")]),
    ("Foo a = b", [("foo", {"a": "b"})]),
    ('Foo a= "b"', [("foo", {"a": "b"})]),
    (', , Basic realm="x"', [BASIC_X]),
    (
        'Basic realm="x", , Digest realm="y",nonce="z",',
        [BASIC_X, ("digest", {"realm": "y", "nonce": "z"})],
    ),
    ('Basic , realm="x"', [BASIC_X]),
    ('Basic realm="x",Bearer,,,DPoP algs="ES256"', [BASIC_X, ("bearer", {}), ("dpop", {"algs": "ES256"})]),
    ("", []),
    (",", []),
    (" , ", []),
    ("bASIC REALM=x", [BASIC_X]),
    ('Basic realm=""', [("basic", {"realm": ""})]),
    (
        'Basic realm="a, b", Digest realm="c=d, Basic realm=e", nonce="n"',
        [("basic", {"realm": "a, b"}), ("digest", {"realm": "c=d, Basic realm=e", "nonce": "n"})],
    ),
    (r'Basic realm="a\\b\"c"', [("basic", {"realm": 'a\\b"c'})]),
    (r'Basic realm="\a\b"', [("basic", {"realm": "ab"})]),
    (
        'Bearer realm="a", error="invalid_token", Bearer realm="b"',
        [("bearer", {"realm": "a", "error": "invalid_token"}), ("bearer", {"realm": "b"})],
    ),
    (
        'Digest qop="auth, auth-int", algorithm=SHA-256, nonce="n", realm="r", '
        'Digest qop="auth", algorithm=MD5, nonce="n", realm="r"',
        [
            ("digest", {"qop": "auth, auth-int", **DIGEST_NONCE}),
            ("digest", {"qop": "auth", **DIGEST_NONCE, "algorithm": "MD5"}),
        ],
    ),
    ('Bearer error=invalid_token, scope="a b"', [("bearer", {"error": "invalid_token", "scope": "a b"})]),
    ('SCRAM-SHA-256 realm="r",sr=%hv', [("scram-sha-256", {"realm": "r", "sr": "%hv"})]),
    ("X username*=UTF-8''J%C3%A4", [("x", {"username*": "UTF-8''J%C3%A4"})]),
    (
        'PrivateToken challenge="abc=", token-key="123="',
        [("privatetoken", {"challenge": "abc=", "token-key": "123="})],
    ),
    ("Basic realm='x'", [("basic", {"realm": "'x'"})]),
    ('Basic  realm="x"', [BASIC_X]),
    ('Basic realm="caf\xe9"', [("basic", {"realm": "caf\xe9"})]),
]

BAD = [
    'Digest realm="r", realm="s"',
    'Digest realm="r", Realm="s"',
    'Basic realm="unterminated',
    'Basic realm="x\\"',
    'Basic realm="x" charset="UTF-8"',
    'Basic realm="x";charset=UTF-8',
    "Foo abc def",
    "Foo tok en=1",
    "Basic realm=x y",
    "Foo abc, def=1",
    'Basic\trealm="x"',
    'Basic, realm="x"',
    'Basic\t, realm="x"',
    'Basic realm="x", Bearer,realm="y"',
    'Basic ="x"',
    'Ba/sic realm="x"',
    'Basic realm="a\nb"',
    'Basic realm="a\x00b"',
    'Basic realm="\u0161"',
    'realm="x"',
]

PRINTED = [
    (Challenge("Basic", {"realm": "foo"}), 'Basic realm="foo"'),
    (Challenge("basic", {"charset": "UTF-8", "REALM": "foo"}), 'Basic REALM="foo", charset="UTF-8"'),
    (Challenge("Basic", {"realm": 'a"b\\c'}), r'Basic realm="a\"b\\c"'),
    (Challenge("Basic", {"realm": 'x", Basic realm="p'}), r'Basic realm="x\", Basic realm=\"p"'),
    (
        Challenge(
            "Digest",
            {
                "realm": "r",
                "qop": "auth",
                "algorithm": "SHA-256",
                "nonce": "n",
                "opaque": "o",
                "charset": "UTF-8",
                "userhash": "true",
            },
        ),
        'Digest realm="r", qop="auth", algorithm=SHA-256, nonce="n", opaque="o", charset=UTF-8, userhash=true',
    ),
    (
        Challenge(
            "Bearer",
            {"realm": "example", "error": "invalid_token", "error_description": "The access token expired"},
        ),
        'Bearer realm="example", error="invalid_token", error_description="The access token expired"',
    ),
    (Challenge("dpop", {"algs": "ES256 PS256"}), 'DPoP algs="ES256 PS256"'),
    (Challenge("scram-sha-256", {"realm": "r"}), 'SCRAM-SHA-256 realm="r"'),
    (Challenge("Negotiate", token68="YII="), "Negotiate YII="),
    (Challenge("Negotiate"), "Negotiate"),
    (Challenge("X", {"username*": "UTF-8''J%C3%A4"}), "X username*=UTF-8''J%C3%A4"),
]

REFUSED = [
    pytest.param("Basic", {}, id="BA-01-no-realm"),
    pytest.param("Basic", {"realm": "x", "charset": "latin-1"}, id="BA-02"),
    pytest.param("Basic", {"realm": "x", "error": "invalid_token"}, id="BA-03"),
    pytest.param("Bearer", {}, id="B-04-bare"),
    pytest.param("Bearer", {"realm": "x", "scope": 'a"b'}, id="B-06-quote"),
    pytest.param("Bearer", {"realm": "x", "scope": "a  b"}, id="B-06-two-blanks"),
    pytest.param("Bearer", {"realm": "x", "scope": ""}, id="B-06-empty"),
    pytest.param("Bearer", {"realm": "x", "error_description": 'say "x"'}, id="B-14"),
    pytest.param("Bearer", {"realm": "x", "error_uri": "/docs"}, id="B-16-relative"),
    pytest.param("Bearer", {"realm": "x", "error_uri": "https://u:p@x/"}, id="H-39"),
    pytest.param("Bearer", {"resource_metadata": 'https://x/", Basic realm="p'}, id="HDR-10"),
    pytest.param("DPoP", {"realm": "x", "scope": 'a"b'}, id="DPoP-scope"),
    pytest.param("DPoP", {"realm": "x", "error_description": 'say "x"'}, id="DPoP-error-description"),
    pytest.param("Digest", {"realm": "x"}, id="digest-no-nonce"),
    pytest.param("Digest", {"realm": "x", "nonce": "n"}, id="digest-no-qop"),
    pytest.param("Digest", {"realm": "x", "nonce": "n", "qop": "auth", "stale": "maybe"}, id="digest-stale"),
    pytest.param(
        "Digest", {"realm": "x", "nonce": "n", "qop": "auth", "algorithm": "a b"}, id="digest-bare-not-a-token"
    ),
    pytest.param("X", (("realm", "a"), ("Realm", "b")), id="HDR-11"),
    pytest.param("X", {"realm": "caf\xe9"}, id="HDR-05"),
    pytest.param("X", {"realm": "a\r\nX: y"}, id="HDR-04-CRLF"),
    pytest.param("X", {"realm": "a\x00"}, id="HDR-04-NUL"),
    pytest.param("X", {"realm": "a\x7f"}, id="HDR-04-DEL"),
    pytest.param("X", {"realm": "a" * 257}, id="HDR-07"),
    pytest.param("X", {"a b": "x"}, id="name-not-a-token"),
    pytest.param("X Y", {"realm": "x"}, id="scheme-not-a-token"),
    pytest.param("", {"realm": "x"}, id="scheme-empty"),
]


def _seen(challenges):
    return [(c.scheme.lower(), c.token68 or {name.lower(): value for name, value in c.params}) for c in challenges]


@pytest.mark.rfc("H-13", "H-17", "H-19")
@pytest.mark.parametrize(("value", "expected"), READ)
def test_challenges_are_read(value, expected):
    assert _seen(parse_challenges(value)) == expected


@pytest.mark.rfc("H-10", "H-20")
@pytest.mark.parametrize("value", BAD)
def test_malformed_challenges_are_refused(value):
    with pytest.raises(GrammarError):
        parse_challenges(value)


def test_several_lines_are_one_list():
    assert _seen(parse_challenges(['Basic realm="x"', "Bearer"])) == [BASIC_X, ("bearer", {})]


@pytest.mark.rfc("H-14", "H-15", "H-16")
@pytest.mark.parametrize(("challenge", "text"), PRINTED)
def test_challenges_are_printed(challenge, text):
    assert str(challenge) == text
    assert parse_challenges(text) == (challenge,)


# The registry of IANA, "HTTP Authentication Schemes".
REGISTERED = (
    "Basic", "Bearer", "Concealed", "Digest", "DPoP", "GNAP", "HOBA", "Mutual", "Negotiate", "OAuth", "PrivateToken",
    "SCRAM-SHA-1", "SCRAM-SHA-256", "vapid",
)  # fmt: skip


@pytest.mark.parametrize("name", REGISTERED)
def test_a_scheme_is_spelled_as_it_is_registered(name):
    params = {"realm": "x", "nonce": "n", "qop": "auth"} if name == "Digest" else {"realm": "x"}
    for spelling in (name.lower(), name.upper(), name):
        assert str(Challenge(spelling, params)).partition(" ")[0] == name


@pytest.mark.rfc("H-10", "H-23", "H-24")
@pytest.mark.parametrize(("scheme", "params"), REFUSED)
def test_what_must_not_be_sent_cannot_be_made(scheme, params):
    with pytest.raises(ValueError):
        Challenge(scheme, params)


@pytest.mark.rfc("H-20")
def test_token68_and_parameters_exclude_each_other():
    with pytest.raises(ValueError):
        Challenge("Negotiate", {"realm": "x"}, token68="abc")


def test_hdr_07_an_empty_realm_and_256_bytes_are_fine():
    assert str(Challenge("Basic", {"realm": ""})) == 'Basic realm=""'
    assert len(Challenge("Basic", {"realm": "a" * 256}).get("realm")) == 256


@pytest.mark.parametrize("wrong", [{"realm": 1}, {1: "x"}, {"realm": None}])
def test_what_is_no_text_is_a_type_error(wrong):
    with pytest.raises(TypeError):
        Challenge("X", wrong)


def test_a_challenge_is_a_value():
    challenge = Challenge("Bearer", {"realm": "x", "error": "invalid_token"})
    assert challenge == Challenge("BEARER", {"Error": "invalid_token", "Realm": "x"})
    assert hash(challenge) == hash(Challenge("bearer", {"error": "invalid_token", "realm": "x"}))
    assert challenge != Challenge("Bearer", {"realm": "X", "error": "invalid_token"})
    assert challenge.get("REALM") == "x"
    assert challenge.get("scope") is None
    assert list(challenge) == ["realm", "error"]
    assert pickle.loads(pickle.dumps(challenge)) == challenge
    with pytest.raises(AttributeError):
        challenge.scheme = "Basic"
    with pytest.raises(AttributeError):
        del challenge._params


# --- limits


def test_lim_01_sizes_are_capped():
    fits = "Bearer " + "a" * (DEFAULT_CREDENTIAL_LIMIT - 7)
    assert parse_authorization(fits).token68
    with pytest.raises(GrammarError):
        parse_authorization(fits + "a")
    assert parse_challenges("X " + "a" * (MAX_CHALLENGES - 2))
    with pytest.raises(GrammarError):
        parse_challenges("X " + "a" * (MAX_CHALLENGES - 1))


@pytest.mark.rfc("H-19")
def test_lim_08_parameters_and_empty_elements_are_capped():
    many = ", ".join(f"p{i}=1" for i in range(MAX_PARAMS))
    assert len(parse_authorization(f"X {many}").params) == MAX_PARAMS
    with pytest.raises(GrammarError):
        parse_authorization(f"X {many}, more=1")
    assert parse_challenges("," * MAX_EMPTY_ELEMENTS + "X")
    with pytest.raises(GrammarError):
        parse_challenges("," * (MAX_EMPTY_ELEMENTS + 1) + "X")
    assert parse_authorization("X a=1" + "," * MAX_EMPTY_ELEMENTS + "b=1").get("b") == "1"
    with pytest.raises(GrammarError):
        parse_authorization("X a=1" + "," * (MAX_EMPTY_ELEMENTS + 2) + "b=1")


# --- properties

printable = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=60)
tokens = st.text("abcdefghijklmnopqrstuvwxyzABCXYZ019!#$%&'*+-.^_`|~", min_size=1, max_size=12)
schemes = tokens.filter(lambda name: name.lower() not in ("basic", "bearer", "dpop", "digest"))
names = tokens.filter(lambda name: not name.endswith("*"))
challenges = st.builds(
    Challenge, schemes, st.lists(st.tuples(names, printable), max_size=6, unique_by=lambda pair: pair[0].lower())
)


@given(st.lists(challenges, min_size=1, max_size=5))
def test_hdr_18_what_is_printed_is_read_again(made):
    assert parse_challenges([str(challenge) for challenge in made]) == tuple(made)
    assert parse_challenges(", ".join(map(str, made))) == tuple(made)


@given(st.text(max_size=200) | st.text('Basic ="\\,\t\xe9x', max_size=60))
def test_parsers_raise_nothing_but_grammar_errors(text):
    for parse in (parse_challenges, parse_authorization):
        with contextlib.suppress(GrammarError):
            parse(text)


@pytest.mark.rfc("H-14", "H-15")
@given(st.text(max_size=60) | printable)
def test_hdr_03_no_realm_makes_a_second_challenge_or_a_second_line(realm):
    try:
        line = str(Challenge("Basic", {"realm": realm}))
    except ValueError:
        return
    assert line.isprintable()
    assert line.isascii()
    # Each character stands for itself, but the two that RFC 9110 §5.6.4 escapes.
    escaped = "".join({'"': r"\"", "\\": r"\\"}.get(character, character) for character in realm)
    assert line == f'Basic realm="{escaped}"'
    (challenge,) = parse_challenges(line)
    assert challenge.get("realm") == realm


@given(challenges)
def test_hdr_18_an_independent_parser_agrees(challenge):
    ((scheme, params),) = independent(str(challenge))
    assert scheme.lower() == challenge.scheme.lower()
    assert params == {name.lower(): value for name, value in challenge.params}


@pytest.mark.parametrize(("challenge", "text"), [row for row in PRINTED if row[0].params])
def test_an_independent_parser_agrees_on_the_vectors(challenge, text):
    ((_, params),) = independent(text)
    assert params == {name.lower(): value for name, value in challenge.params}


@pytest.mark.rfc("H-10", "H-16", "H-18")
@given(st.lists(st.tuples(st.sampled_from("abc"), st.text("xyz ,=", max_size=5)), max_size=4))
def test_nothing_empty_and_nothing_twice_goes_out(params):
    try:
        line = str(Challenge("Custom", params))
    except GrammarError:
        assert len({name for name, _ in params}) < len(params)
        return
    (challenge,) = parse_challenges(line)
    assert [name for name, _ in challenge.params] == [name for name, _ in params]
    bare = "".join(line.split('"')[::2])  # outside of the quoted strings
    assert bare.count(",") == max(0, len(params) - 1)
    assert not line.startswith(",")
    assert not line.endswith(",")
    assert " =" not in bare
    assert "= " not in bare


@pytest.mark.rfc("H-39")
def test_no_user_or_password_in_a_uri_of_ours():
    with pytest.raises(ValueError, match="must not hold a user or password"):
        check_uri("error_uri", "https://user:pw@docs.example/")
    with pytest.raises(ValueError, match="must not hold a user or password"):
        Challenge("Bearer", {"realm": "a", "error": "invalid_token", "error_uri": "https://user:pw@docs.example/"})
    with pytest.raises(ValueError, match="must not hold a user or password"):
        Challenge("Bearer", {"resource_metadata": "https://user@api.example/.well-known/oauth-protected-resource"})


# --- what the developer reads


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Challenge("Foo", {"a": "b"}, token68="c"), r"a token68 or parameters, not both \(RFC 9110 §11\.3\)"),
        (lambda: Challenge("Foo", token68="a b"), r"token68 holds a character outside A-Z a-z 0-9 - \. _ ~ \+ /"),
        (lambda: Challenge("bASIC", token68="abc"), "^a bASIC challenge has parameters, no token68$"),
        (lambda: Challenge("Basic", {"charset": "UTF-8"}), r"a Basic challenge needs a realm \(RFC 7617 §2\)"),
        (lambda: Challenge("Basic", {"realm": "a", "b": "c"}), "Basic has no parameter 'b': only realm and charset"),
        (lambda: Challenge("Basic", {"realm": "a", "charset": "x"}), r"charset='x': Basic knows only UTF-8 \(RFC 7617"),
        (
            lambda: Challenge("Digest", {"realm": "a", "qop": "auth"}),
            r"a Digest challenge needs nonce \(RFC 7616",
        ),
        (lambda: check_realm("café"), r"^realm='caf\\xe9' holds a character that cannot be sent safely"),
        (lambda: parse_authorization("Foo ✓"), "^a character beyond Latin-1, which no field value can hold$"),
        (lambda: parse_authorization(","), "commas without credentials"),
        (
            lambda: parse_authorization("Foo a=b, Bar c=d"),
            r"more than one set of credentials in one field \(RFC",
        ),
        (lambda: parse_authorization(", Foo a=b"), "a comma that separates nothing"),
        (lambda: parse_authorization("Foo abc,"), "a comma that separates nothing"),
    ],
)
def test_what_cannot_be_is_named(make, words):
    with pytest.raises((GrammarError, ValueError), match=words):
        make()


@pytest.mark.parametrize(
    ("name", "good", "bad", "words"),
    [
        ("stale", ("true", "FALSE"), "maybe", "stale='maybe': Digest allows true or false"),
        ("userhash", ("True", "false"), "1", "userhash='1': Digest allows true or false"),
        ("charset", ("UTF-8", "utf-8"), "latin-1", r"charset='latin-1': Digest allows utf-8 \(RFC 7616 §3\.3\)"),
    ],
)
def test_what_a_digest_challenge_may_say(name, good, bad, words):
    params = {"realm": "r", "nonce": "n", "qop": "auth"}
    for value in good:
        assert Challenge("Digest", {**params, name: value}).get(name) == value
    with pytest.raises(ValueError, match=words):
        Challenge("Digest", {**params, name: bad})


def test_challenges_are_values():
    one, same, other = Challenge("Foo", {"a": "b"}), Challenge("foo", {"A": "b"}), Challenge("Foo", token68="b=")
    assert one == same
    assert hash(one) == hash(same) != hash(other)
    assert one != "Foo"
    assert (one == "Foo") is False
    import pickle

    assert pickle.loads(pickle.dumps(other)) == other
    assert str(pickle.loads(pickle.dumps(other))) == "Foo b="
    with pytest.raises(AttributeError, match="immutable: scheme cannot be deleted"):
        del one.scheme

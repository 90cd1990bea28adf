"""Which new passwords are acceptable. The expected reasons are those of NIST SP 800-63B-4 §3.1.1.2 and ASVS 5, 6.2."""

import pytest
from flask import Flask

from flask_unauthorized import AuthUnavailable, ConfigurationError
from flask_unauthorized.loaders import acceptable
from flask_unauthorized.loaders.new_passwords import _common_passwords

GOOD = "seven green tables"


@pytest.mark.asvs("V6.2.5")
@pytest.mark.parametrize(
    ("password", "reason"),
    [
        (GOOD, None),
        ("correcthorsebatterystaple", None),
        ("aaaa bbbb cccc dddd", None),  # no rule of composition: neither digits nor capitals are needed
        ("\u00fc\u00f6\u00e4\u4e2d\u6587\U0001f600 table lamp", None),
        ("x1" + "long pass phrase " * 12, None),  # 6.2.9: 64 characters and more
        ("", "too_short"),
        ("fourteen chars", "too_short"),
        ("e\u0301" * 14, "too_short"),  # characters are counted after they are composed
        ("x" * 5000, "too_long"),
        ("x" * 10_000_000, "too_long"),
        ("seven \U0001f600 " * 600, "too_long"),
        ("seven green\x00tables", "malformed"),
        ("seven green\ntables", "malformed"),
        ("seven green tables\ud800", "malformed"),
        ("aaaaaaaaaaaaaaaaaaaa", "common"),
        ("abababababababababab", "common"),
        ("123456789012345", "common"),
        ("abcdefghijklmnopqr", "common"),
        ("zyxwvutsrqponmlkjih", "common"),
        ("qwertyuiopasdfghjkl", "common"),
        ("passwordpassword", "common"),
        ("PasswordPASSWORD", "common"),
        ("iloveyou12345678", "common"),
        ("\uff50\uff41\uff53\uff53\uff57\uff4f\uff52\uff44password", "common"),  # full-width letters
    ],
)
def test_the_first_rule_that_a_password_breaks_is_the_reason(password, reason):
    found = acceptable(password)
    assert (found.reason, bool(found)) == (reason, reason is None)


@pytest.mark.asvs("V6.2.4")
@pytest.mark.parametrize("password", ["password", "12345678", "Sunshine", "iloveyou", "trustno1", "football"])
def test_common_passwords_of_8_characters(password):
    assert acceptable(password, min_length=8).reason == "common"


@pytest.mark.asvs("V6.2.4")
def test_the_list_has_the_3000_that_asvs_demands():
    assert sum(len(password) >= 8 for password in _common_passwords()) >= 3000
    assert all(password == password.casefold() for password in _common_passwords())


@pytest.mark.parametrize(
    ("password", "reason"),
    [("ada.lovelace.1815", "context"), ("!!Ada.Lovelace@example.org!!", "context"), ("lovelaceadalovelace", "context"),
     ("acmenotes2026!!", "context"), ("ACME-NOTES-ACME-NOTES", "context"), ("Acme Notes abc 1", "context"),
     ("acmeacmeacmeada", "context"), ("ada.lovelace likes it", None), ("acme notes are great", None),
     ("bob ate an apple pie", None)],
)  # fmt: skip
def test_a_password_of_the_names_of_user_and_service_and_little_else(password, reason):
    """NIST SP 800-63B-4 section 3.1.1.2: the whole password is compared, with the names and what is made of them."""
    assert acceptable(password, name="Ada.Lovelace@example.org", service=("Acme Notes", "bob")).reason == reason
    assert acceptable(password, name="Acme", service="notes ada lovelace example org bob").reason == reason


@pytest.mark.parametrize(
    "name", ["a.b-c.d_e.f@g.h", "x1-y2-z3-a4-b5-c6", "li.wu", "jo@x.io", "\U0001f600-\U0001f603.ab"]
)
def test_a_name_without_a_long_word_is_no_password(name):
    """NIST SP 800-63B-4 section 3.1.1.2: the username and its derivatives."""
    for password in ((name * 15)[: -(-15 // len(name)) * len(name)], f"{name}{name}{name.upper()}2026!"):
        assert acceptable(password, name=name).reason == "context"
    assert acceptable("seven green tables", name=name)


def test_the_time_for_a_long_name_does_not_grow_with_its_square():
    """A form limits no name. All of these would take minutes."""
    for name in ("a" + "\u0301\u0327" * 250_000, " ".join(map(str, range(1_500_000)))):
        assert acceptable(GOOD, name=name)


def test_a_name_in_another_unicode_form():
    assert acceptable("ange\u0301lique-1234567", name="Ang\u00e9lique").reason == "context"


@pytest.mark.asvs("V6.2.12")
def test_breached_passwords_are_asked_last_and_composed():
    asked = []

    def breached(password):
        asked.append(password)
        return password.startswith("seven")

    assert acceptable(GOOD, breached=breached).reason == "breached"
    assert acceptable("e\u0301" + GOOD, breached=breached)
    assert not acceptable("short", breached=breached)
    assert asked == [GOOD, "\u00e9" + GOOD]


def test_breached_may_be_async():
    async def breached(password):
        return True

    with Flask("shop").test_request_context():
        assert acceptable(GOOD, breached=breached).reason == "breached"


@pytest.mark.parametrize("error", [OSError("down"), AuthUnavailable(reason="down")])
def test_an_outage_never_accepts_a_password(error):
    def breached(password):
        raise error

    with pytest.raises(type(error)):
        acceptable(GOOD, breached=breached)


@pytest.mark.parametrize("answer", [None, 0, "", "no"])
def test_breached_returns_a_bool(answer):
    with pytest.raises(TypeError, match="must return True or False"):
        acceptable(GOOD, breached=lambda password: answer)


@pytest.mark.parametrize(
    ("arguments", "error"),
    [({"min_length": 7}, ConfigurationError), ({"min_length": 65}, ConfigurationError),
     ({"min_length": True}, ConfigurationError), ({"min_length": "8"}, ConfigurationError),
     ({"breached": "yes"}, ConfigurationError), ({"name": None}, TypeError),
     ({"service": [7]}, TypeError), ({"service": None}, TypeError)],
)  # fmt: skip
def test_mistakes_are_explained(arguments, error):
    with pytest.raises(error):
        acceptable(GOOD, **arguments)
    with pytest.raises(TypeError, match="not NoneType"):
        acceptable(None)

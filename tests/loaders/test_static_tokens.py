"""StaticTokens."""

import hashlib
import secrets

import pytest
from flask import Flask

from flask_unauthorized import APIKey, Auth, ConfigurationError, Identity
from flask_unauthorized.loaders import StaticTokens

TOKEN = "t0ken-of-ada-0123456789"


@pytest.mark.parametrize("who", [Identity("ada", scopes={"read"}), "ada"], ids=["identity", "subject"])
def test_static_token_gives_its_identity(who):
    identity = StaticTokens({TOKEN: who, "other": "bob"})(TOKEN)
    assert identity.subject == "ada"
    assert who in (identity, "ada")


@pytest.mark.parametrize(
    "token", ["", "x", TOKEN.upper(), TOKEN[:-1], TOKEN + "0", f" {TOKEN}", f"{TOKEN}\n", "\ud800", "t0ken\u00e9", "*"]
)
def test_static_tokens_refuse_everything_else_API_04_API_06(token):
    assert StaticTokens({TOKEN: "ada"})(token) is None


@pytest.mark.asvs("V13.3.1")
def test_static_tokens_keep_digests_only_API_05():
    loader = StaticTokens({TOKEN: "ada"})
    kept = repr(loader) + repr([getattr(loader, name, None) for name in loader.__slots__])
    assert TOKEN not in kept
    assert hashlib.sha256(TOKEN.encode()).digest() in next(getattr(loader, name) for name in loader.__slots__)


@pytest.mark.asvs("V13.2.3", "V6.3.2")
@pytest.mark.parametrize("tokens", [{}, {"": "ada"}, {"tok\n": "ada"}, {" tok": "ada"}])
def test_empty_or_padded_static_tokens_are_refused_at_set_up(tokens):
    with pytest.raises(ConfigurationError):
        StaticTokens(tokens)


@pytest.mark.parametrize(
    "tokens", [{"tok": ""}, {"tok": None}, {b"tok": "ada"}, {None: "ada"}, [("tok", "ada")], "tok"]
)
def test_static_tokens_of_other_types_are_refused_at_set_up(tokens):
    with pytest.raises(TypeError):
        StaticTokens(tokens)


@pytest.mark.rfc("S-03")
def test_configured_tokens_are_kept_as_digests():
    tokens = StaticTokens({"s3cret-token": "ada"})
    kept = repr([getattr(tokens, name) for name in type(tokens).__slots__])
    assert "s3cret-token" not in kept
    assert repr(hashlib.sha256(b"s3cret-token").digest()) in kept


def test_static_tokens_recognize_their_own_alone():
    tokens = StaticTokens({TOKEN: "ada"})
    assert [tokens.recognizes(token) for token in (TOKEN, TOKEN[:-1], "", "\ud800")] == [True, False, False, False]


# --- short tokens


def checked(tokens, caplog, **config):
    app = Flask("shop")
    app.config.update(config)
    auth = Auth(APIKey(StaticTokens(tokens)), realm="shop")
    auth.init_app(app)
    auth.check(app)
    auth.check(app)
    return [(record.levelname, record.getMessage()) for record in caplog.records if "StaticTokens" in record.msg]


def test_tokens_of_fewer_than_22_characters_are_named_once_by_their_subjects(caplog):
    short, long = "c4nary" + "x" * 15, "y" * 22
    assert checked({short: Identity("ada"), "c4nary": "bob\n", long: "eve"}, caplog) == [
        (
            "WARNING",
            "StaticTokens: 2 of 3 tokens have fewer than 22 characters, so they can be guessed sooner than 128 random "
            r"bits: those of 'ada', 'bob\n'. Make new ones with secrets.token_urlsafe(32)",
        )
    ]
    assert "c4nary" not in caplog.text


def test_only_the_first_few_subjects_of_short_tokens_are_named(caplog):
    ((_, text),) = checked({f"token{n}": f"user{n}" for n in range(9)}, caplog)
    assert "9 of 9" in text
    assert "'user4', …." in text
    assert "user5" not in text


@pytest.mark.parametrize("config", [{"TESTING": True}, {"DEBUG": True}])
def test_short_tokens_may_be_used_in_tests_and_demos(caplog, config):
    assert checked({"demo": "ada"}, caplog, **config) == []


def test_long_tokens_are_not_named(caplog):
    assert checked({secrets.token_urlsafe(16): "ada"}, caplog) == []

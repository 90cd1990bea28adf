"""StaticTokens."""

import hashlib

import pytest

from flask_unauthorized import ConfigurationError, Identity
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


@pytest.mark.asvs("V11.2.4", "V13.3.1")
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

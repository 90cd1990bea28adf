"""How stored tokens look: prefix, random part, checksum, and what a scanner finds."""

import gzip
import hashlib
import hmac
import pickle
import re
import struct
import subprocess
import sys

import pytest

from flask_unauthorized import ConfigurationError
from flask_unauthorized.loaders.stored import TokenFormat
from flask_unauthorized.loaders.stored.format import Digests

NOTES = TokenFormat("notes")
DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def text_of(secret):
    return secret.arguments[0]


def crc_by_gzip(text):
    """CRC-32 as the trailer of a gzip file has it (RFC 1952 §2.3.1), which another implementation wrote."""
    return struct.unpack("<II", gzip.compress(text.encode())[-8:])[0]


@pytest.mark.asvs("V11.5.1")
def test_a_token_is_prefix_thirty_random_characters_and_the_checksum_of_all_before_it():
    text = text_of(NOTES.make())
    assert re.fullmatch(r"notes_[0-9A-Za-z]{36}", text)
    value = 0
    for digit in text[-6:]:
        value = value * 62 + DIGITS.index(digit)
    assert value == crc_by_gzip(text[:-6])


def test_a_known_token():
    # gzip says that the CRC-32 of "notes_" and thirty zeros is 656 848 082, which is iS4Bu to the base 62.
    assert crc_by_gzip("notes_" + "0" * 30) == 656_848_082 == 44 * 62**4 + 28 * 62**3 + 4 * 62**2 + 11 * 62 + 56
    assert NOTES.is_token("notes_" + "0" * 30 + "0iS4Bu")


def test_the_checksum_depends_on_the_prefix():
    text = text_of(NOTES.make())
    assert not TokenFormat("votes").is_token("v" + text[1:])


def test_no_two_tokens_are_equal_and_each_is_recognized():
    made = {text_of(NOTES.make()) for _ in range(1000)}
    assert len(made) == 1000
    assert all(map(NOTES.is_token, made))
    # All 62 characters are used: 30 000 draws miss one of them with a chance below 10 ** -200.
    assert set("".join(text[6:36] for text in made)) == set(DIGITS)


def test_each_change_of_one_character_is_refused():
    text = text_of(NOTES.make())
    changed = {text[:at] + other + text[at + 1 :] for at in range(len(text)) for other in DIGITS} - {text}
    assert len(changed) > 2500
    assert not any(map(NOTES.is_token, changed))


@pytest.mark.parametrize(
    "spoil",
    [
        lambda text: text[:-1],
        lambda text: text + "0",
        lambda text: text + "\n",
        lambda text: " " + text,
        lambda text: text.upper(),
        lambda text: "NOTES" + text[5:],
        lambda text: text.replace("_", "-"),
        lambda text: text[6:],
        lambda text: text[:10] + "\0" + text[11:],
        lambda text: text[:10] + "\uff11" + text[11:],  # a full-width digit
        lambda text: text[:10] + "\ud800" + text[11:],
        lambda text: text * 20_000,
        lambda text: "",
    ],
)
def test_other_texts_are_refused(spoil):
    assert not NOTES.is_token(spoil(text_of(NOTES.make())))


@pytest.mark.parametrize("prefix", ["", "n", "Notes", "1notes", "no_tes", "notes\n", "n" * 17, "nötes", None, 5])
def test_prefixes_that_are_refused(prefix):
    with pytest.raises(ConfigurationError, match="prefix="):
        TokenFormat(prefix)


@pytest.mark.parametrize("prefix", ["ab", "n2", "n" * 16])
def test_prefixes_that_are_accepted(prefix):
    text = text_of(TokenFormat(prefix).make())
    assert TokenFormat(prefix).is_token(text)
    assert len(text) <= 53


def test_the_pattern_finds_each_token_in_a_file():
    made = [text_of(NOTES.make()) for _ in range(1000)]
    page = "\n".join(f'TOKEN="{text}"  # {number}' for number, text in enumerate(made))
    assert re.findall(NOTES.pattern, page) == made


def test_the_maker_hides_the_token():
    made = NOTES.make()
    assert text_of(made) not in repr(made)
    with pytest.raises(TypeError):
        pickle.dumps(made)


def test_digests_are_sha_256_or_hmacs_the_newest_first():
    secret = NOTES.make()
    octets = text_of(secret).encode()
    plain = hashlib.sha256(octets).hexdigest()
    old, new = (hmac.new(key, octets, "sha256").hexdigest() for key in (b"o" * 16, b"n" * 16))
    assert Digests(None).of(secret) == [plain]
    assert Digests("n" * 16).of(secret) == [new]
    assert Digests([b"n" * 16, "o" * 16, None]).of(secret) == [new, old, plain]
    assert "nnnn" not in repr(Digests("n" * 16))


@pytest.mark.parametrize(
    ("pepper", "error", "text"),
    [
        ("short", ConfigurationError, "5 bytes"),
        ([], ConfigurationError, "no key"),
        ([None, "n" * 16], ConfigurationError, "new tokens get the first"),
        ([5], TypeError, "not int"),
    ],
)
def test_peppers_that_are_refused(pepper, error, text):
    with pytest.raises(error, match=text) as caught:
        Digests(pepper)
    assert "short" not in str(caught.value)


def test_the_format_needs_no_sqlalchemy():
    program = (
        "import sys; sys.modules['sqlalchemy'] = None\n"
        "from flask_unauthorized.loaders.stored import TokenFormat\n"
        "assert TokenFormat('notes').is_token(*TokenFormat('notes').make().arguments)\n"
        "try:\n    from flask_unauthorized.loaders.stored import StoredTokens\n"
        "except ImportError as error:\n    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "pip install 'flask-unauthorized[tokens]'" in done.stdout

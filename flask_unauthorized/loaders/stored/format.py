"""`TokenFormat`: how stored tokens look, and which digest of them is stored.

A token is ``prefix_`` followed by 36 letters and digits. The first 30 are random (178 bits). The last 6 are a checksum:
the CRC-32 (ISO 3309, as in gzip) of all that stands before it, as a number to the base 62 with the digits
``0-9A-Za-z``, padded with ``0`` on the left.

- The prefix tells people and secret scanners what a string is. A scanner that knows the checksum reports no other text.
- The checksum refuses truncated and mistyped tokens without a query. It isn't secret and proves nothing.
- There is one ``_`` and no other punctuation, so a double click selects the whole token.

The database has the SHA-256 of a token, or its HMAC with a pepper. A slow password hash would add nothing: 178 random
bits can't be guessed. An attacker can't aim at a digest either, so the time of the look-up reveals nothing.
"""

import hashlib
import hmac
import re
import secrets
import zlib
from collections.abc import Sequence
from typing import Final

from ...errors import ConfigurationError
from ...schemes.secret import Secret

ALPHABET: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
RANDOM_LENGTH: Final = 30
CHECKSUM_LENGTH: Final = 6
LEAST_PEPPER: Final = 16
"""Shortest pepper, in bytes."""
HINT_LENGTH: Final = 24
"""Longest hint, in characters."""
_PREFIX: Final = re.compile(r"[a-z][a-z0-9]{1,15}", re.ASCII)

Pepper = str | bytes
Peppers = Pepper | Sequence[Pepper | None] | None


class TokenFormat:
    """The format of the tokens with one prefix. It needs no database.

    Example:
        Find tokens that were committed by mistake::

            from flask_unauthorized.loaders.stored import TokenFormat

            tokens = TokenFormat("notes")
            assert not tokens.is_token("notes_of_a_meeting")

    Args:
        prefix: What the tokens begin with, such as ``"notes"``: 2 to 16 lower-case letters and digits, a letter first.

    Raises:
        ConfigurationError: ``prefix`` can't be used.
    """

    def __init__(self, prefix: str) -> None:
        if not isinstance(prefix, str) or _PREFIX.fullmatch(prefix) is None:
            raise ConfigurationError(
                f"prefix={prefix!a} can't begin a token: use 2 to 16 lower-case letters and digits, a letter first"
            )
        self.prefix = prefix
        self.pattern = rf"\b{prefix}_[0-9A-Za-z]{{{RANDOM_LENGTH + CHECKSUM_LENGTH}}}\b"
        """A regular expression for secret scanners. It finds each token, and texts whose checksum is wrong."""
        self._length = len(prefix) + 1 + RANDOM_LENGTH + CHECKSUM_LENGTH
        self._form = re.compile(rf"{prefix}_[0-9A-Za-z]+", re.ASCII)

    def is_token(self, text: str) -> bool:
        """Return whether a text has the form of a token and the right checksum.

        Nothing is looked up.

        Args:
            text: Any text.
        """
        if len(text) != self._length or self._form.fullmatch(text) is None:
            return False
        return checksum(text[:-CHECKSUM_LENGTH]) == text[-CHECKSUM_LENGTH:]

    def make(self) -> Secret:
        """Return a new token. The object hides it, because error reports show local variables."""
        start = f"{self.prefix}_{random_text(RANDOM_LENGTH)}"
        secret = Secret()
        secret.arguments = (start + checksum(start),)
        return secret

    def hint(self, secret: Secret) -> str:
        """Return what lists show of a token: its prefix and the last four of its random characters."""
        (text,) = secret.arguments
        return f"{self.prefix}_...{text[-CHECKSUM_LENGTH - 4 : -CHECKSUM_LENGTH]}"

    def __repr__(self) -> str:
        return f"<TokenFormat {self.prefix}>"


def random_text(length: int) -> str:
    """Return random letters and digits, of 5.95 bits each."""
    return "".join(secrets.choice(ALPHABET) for _ in range(length))


def checksum(text: str) -> str:
    """Return the checksum of the beginning of a token: six digits to the base 62."""
    number, digits = zlib.crc32(text.encode("ascii")), ""
    for _ in range(CHECKSUM_LENGTH):
        number, digit = divmod(number, len(ALPHABET))
        digits = ALPHABET[digit] + digits
    return digits


class Digests:
    """The digests of a token: with each pepper, or without one.

    Args:
        pepper: ``None``, one key, or several: the newest first, which new tokens get. ``None`` as a later member stands
            for tokens that were issued without a pepper.

    Raises:
        ConfigurationError: A pepper is shorter than 16 bytes, or there is none.
        TypeError: ``pepper`` has the wrong type.
    """

    def __init__(self, pepper: Peppers) -> None:
        given = [pepper] if pepper is None or isinstance(pepper, str | bytes) else list(pepper)
        self._keys = [None if one is None else _validated_pepper(one) for one in given]
        if not self._keys:
            raise ConfigurationError("pepper=[] has no key: give one at least, or leave pepper out")
        if self._keys[0] is None and len(self._keys) > 1:
            raise ConfigurationError("pepper=[None, …]: new tokens get the first, so give a key there and None later")

    def of(self, secret: Secret) -> list[str]:
        """Return the digests under which a token may be stored, as 64 hex digits each; new ones get the first."""
        (text,) = secret.arguments
        octets = text.encode("ascii")
        return [
            hashlib.sha256(octets).hexdigest() if key is None else hmac.digest(key, octets, "sha256").hex()
            for key in self._keys
        ]

    def __len__(self) -> int:
        return len(self._keys)

    def __repr__(self) -> str:
        return "<Digests>"


def _validated_pepper(pepper: Pepper) -> bytes:
    if not isinstance(pepper, str | bytes):
        raise TypeError(f"pepper must be str, bytes, or a list of these, not {type(pepper).__name__}")
    key = pepper.encode() if isinstance(pepper, str) else pepper
    if len(key) < LEAST_PEPPER:
        raise ConfigurationError(f"a pepper has {len(key)} bytes, at least {LEAST_PEPPER}: use secrets.token_hex()")
    return key

"""`StaticTokens`: a handful of configured tokens."""

from collections.abc import Mapping
from typing import Final

from flask import Flask

from ..errors import ConfigurationError
from ..identity import Identity
from ..logs import log
from ..wire.credentials import token_digest

MIN_TOKEN: Final = 22
"""Characters of 128 random bits in base64url, the least that ASVS 5 (11.5.1) accepts."""
_MAX_NAMED: Final = 5


class StaticTokens:
    """A loader for tokens or keys that are known when the app starts.

    It is made for long random tokens (``secrets.token_urlsafe(32)``). Only their SHA-256 digests are stored and
    compared, so neither a memory dump nor the time of a response reveals a token. Tokens of fewer than 22 characters
    can't have 128 random bits, so the log warns of them before an app's first request, outside of debug and testing.

    Example:
        Accept one token from the environment::

            import os
            from flask_unauthorized import Auth, Bearer, Identity
            from flask_unauthorized.loaders import StaticTokens

            token = os.environ.get("NOTES_TOKEN", "9Zk3v1xQ7mB4tY8wLr2c6A")
            auth = Auth(Bearer(StaticTokens({token: Identity("backup", scopes={"notes:read"})})), app=app)

    Args:
        tokens: A mapping of token to `Identity`, or to a subject.

    Raises:
        ConfigurationError: The mapping is empty, or a token is empty or has white space around it (a line end from a
            file or the environment).
        TypeError: A token or its owner has the wrong type.
    """

    __slots__ = ("_by_digest", "_short")

    def __init__(self, tokens: Mapping[str, Identity | str]) -> None:
        if not isinstance(tokens, Mapping):
            raise TypeError(
                f"StaticTokens takes a mapping of token to Identity or subject, not {type(tokens).__name__}"
            )
        if not tokens:
            raise ConfigurationError("StaticTokens without tokens rejects every caller: give at least one")
        self._by_digest = {token_digest(_validated_token(token)): _identity(who) for token, who in tokens.items()}
        short = (_identity(who).subject for token, who in tokens.items() if len(token) < MIN_TOKEN)
        self._short = [ascii(subject)[:80] for subject in short]

    def __call__(self, token: str) -> Identity | None:
        """Return the identity of ``token``, or ``None``."""
        # Callers can't choose a digest that shares a prefix with a stored one: the time of the look-up reveals nothing.
        return self._by_digest.get(token_digest(token))

    def check_app(self, app: Flask) -> None:
        """Warn of short tokens before an app's first request, once and without the tokens.

        Args:
            app: The app.
        """
        if not self._short or app.debug or app.testing:
            return
        short, self._short = self._short, []
        more = ", …" if len(short) > _MAX_NAMED else ""
        log.warning(
            "StaticTokens: %d of %d tokens have fewer than %d characters, so they can be guessed sooner than 128 "
            "random bits: those of %s%s. Make new ones with secrets.token_urlsafe(32)",
            len(short), len(self._by_digest), MIN_TOKEN, ", ".join(short[:_MAX_NAMED]), more,
        )  # fmt: skip

    def recognizes(self, token: str) -> bool:
        """Return whether ``token`` is one of the tokens. A scheme with several loaders asks the others for the rest."""
        return token_digest(token) in self._by_digest

    def __repr__(self) -> str:
        return f"<StaticTokens: {len(self._by_digest)} tokens>"


def _validated_token(token: str) -> str:
    if not isinstance(token, str):
        raise TypeError(f"a token must be a str, not {type(token).__name__}")
    if not token or token != token.strip():
        raise ConfigurationError("a token is empty or has white space around it, perhaps a line end: strip it")
    return token


def _identity(who: Identity | str) -> Identity:
    if isinstance(who, Identity):
        return who
    if not isinstance(who, str):
        raise TypeError(f"a token belongs to an Identity or a subject, not to a {type(who).__name__}")
    return Identity(who)

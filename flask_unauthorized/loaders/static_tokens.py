"""`StaticTokens`: a handful of configured tokens."""

from collections.abc import Mapping

from ..errors import ConfigurationError
from ..identity import Identity
from ..wire.credentials import token_digest


class StaticTokens:
    """A loader for tokens or keys known when the app starts: ``StaticTokens({"token": Identity("ada")})``.

    It is made for long random tokens (``secrets.token_urlsafe(32)``). Only their SHA-256 digests are stored and
    compared, so neither a memory dump nor the time of a response reveals a token.

    Args:
        tokens: A mapping of token to `Identity`, or to a subject.

    Raises:
        ConfigurationError: The mapping is empty, or a token is empty or has white space around it (a line end from a
            file or the environment).
        TypeError: A token or its owner has the wrong type.
    """

    __slots__ = ("_by_digest",)

    def __init__(self, tokens: Mapping[str, Identity | str]) -> None:
        if not isinstance(tokens, Mapping):
            raise TypeError(
                f"StaticTokens takes a mapping of token to Identity or subject, not {type(tokens).__name__}"
            )
        if not tokens:
            raise ConfigurationError("StaticTokens without tokens rejects every caller: give at least one")
        self._by_digest = {token_digest(_validated_token(token)): _identity(who) for token, who in tokens.items()}

    def __call__(self, token: str) -> Identity | None:
        """Return the identity of ``token``, or ``None``."""
        # Callers can't choose a digest that shares a prefix with a stored one: the time of the look-up reveals nothing.
        return self._by_digest.get(token_digest(token))

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

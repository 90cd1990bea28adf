"""`StaticTokens`: a handful of configured tokens."""

import hashlib
from collections.abc import Mapping

from ..errors import ConfigurationError
from ..identity import Identity


class StaticTokens:
    """A loader for tokens or keys known when the app starts: ``StaticTokens({"token": Identity("ada")})``.

    Values are identities, or subjects as ``str``. Only SHA-256 digests of the tokens are kept, and looked up by digest,
    so neither a dump nor the time of an answer tells one. Suited to long random tokens
    (``secrets.token_urlsafe(32)``). Raises `ConfigurationError` for an empty mapping, an empty token or one with white
    space around it (a line end from a file or the environment), `TypeError` for other types.
    """

    __slots__ = ("_by_digest",)

    def __init__(self, tokens: Mapping[str, Identity | str]) -> None:
        if not isinstance(tokens, Mapping):
            raise TypeError(
                f"StaticTokens takes a mapping of token to Identity or subject, not {type(tokens).__name__}"
            )
        if not tokens:
            raise ConfigurationError("StaticTokens without tokens lets nobody in: give at least one")
        self._by_digest = {_digest(_checked(token)): _identity(who) for token, who in tokens.items()}

    def __call__(self, token: str) -> Identity | None:
        """The identity of ``token``, or ``None``."""
        # Nobody can choose a digest that shares a prefix with a stored one: the look-up's time tells nothing.
        return self._by_digest.get(_digest(token))

    def __repr__(self) -> str:
        return f"<StaticTokens: {len(self._by_digest)} tokens>"


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


def _checked(token: str) -> str:
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

"""The app's secret keys."""

from typing import Any

from flask import Flask

from ..errors import ConfigurationError


def secret_keys(app: Flask, who: str) -> list[bytes]:
    """``SECRET_KEY_FALLBACKS`` and ``SECRET_KEY``, oldest first: itsdangerous signs with the last one.

    Raises `ConfigurationError`, in which ``who`` needs them, for an empty one, or a str instead of a list: its letters
    would be keys.
    """
    fallbacks: Any = app.config.get("SECRET_KEY_FALLBACKS") or ()
    newest = app.config.get("SECRET_KEY")
    if not fallbacks and newest and isinstance(newest, (str, bytes)):
        return [as_bytes(newest)]
    if isinstance(fallbacks, (str, bytes)):
        raise ConfigurationError("SECRET_KEY_FALLBACKS is a single text: write a list, [old_key]")
    keys = [*reversed(list(fallbacks)), newest]
    if not all(isinstance(key, (str, bytes)) and key for key in keys):
        raise ConfigurationError(
            f"{who} needs app.config['SECRET_KEY'], and neither it nor one of SECRET_KEY_FALLBACKS may be empty: use "
            "secrets.token_hex()"
        )
    return [as_bytes(key) for key in keys]


def as_bytes(secret: str | bytes) -> bytes:
    """The octets of a key."""
    return secret.encode() if isinstance(secret, str) else secret

"""The app's secret keys."""

from typing import Any

from flask import Flask

from ..errors import ConfigurationError


def secret_keys(app: Flask, needed_by: str) -> list[bytes]:
    """Return ``SECRET_KEY_FALLBACKS`` and ``SECRET_KEY``, oldest first.

    itsdangerous takes them in this order: it signs with the last key, and accepts signatures of all.

    Args:
        app: The app whose configuration is read.
        needed_by: What needs the keys, for the message.

    Returns:
        The keys as bytes. ``SECRET_KEY`` is the last one.

    Raises:
        ConfigurationError: If a key is missing or empty. Also if ``SECRET_KEY_FALLBACKS`` is one text instead of a
            list, because each of its letters would be a key.
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
            f"{needed_by} needs app.config['SECRET_KEY'], and neither it nor one of SECRET_KEY_FALLBACKS may be empty: "
            "use secrets.token_hex()"
        )
    return [as_bytes(key) for key in keys]


def as_bytes(secret: str | bytes) -> bytes:
    """Return a key as bytes; text is encoded as UTF-8."""
    return secret.encode() if isinstance(secret, str) else secret

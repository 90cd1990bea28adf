"""Signed nonces: any worker can check what another one minted, and nothing is kept until one is used."""

import functools
import hashlib
import secrets
import time
from typing import Any, Final

from flask import Flask
from itsdangerous import BadData, TimestampSigner
from itsdangerous.encoding import base64_decode, base64_encode

from ..keys import secret_keys

_ROOT: Final = "flask_unauthorized.nonce"
MAX_NONCE: Final = 256
"""Longest nonce that is looked at, in bytes; ours have 63."""
MAX_SKEW: Final = 60
"""How far in the future a nonce may have been minted, in seconds: workers' clocks differ."""


class Nonces:
    """Nonces of one purpose, ``"digest"``. One is good for the app and the realm that it was minted for.

    Signed by itsdangerous (HMAC-SHA-256) with ``SECRET_KEY``; those signed with one of ``SECRET_KEY_FALLBACKS`` are
    good too. Letters, digits, ``-``, ``_`` and ``.`` only, without padding: some clients cut at ``=``.
    """

    def __init__(self, purpose: str) -> None:
        self.purpose = purpose

    def mint(self, app: Flask, realm: str) -> str:
        """A fresh nonce with 72 random bits."""
        return self._signer(app, realm).sign(secrets.token_urlsafe(9)).decode("ascii")

    def age(self, app: Flask, realm: str, nonce: str) -> float | None:
        """Seconds since the nonce was minted, to the second, and below zero where the clock went back; ``None`` for
        one that isn't ours, or was minted for something else."""
        if len(nonce) > MAX_NONCE or not nonce.isascii():
            return None
        signer = self._signer(app, realm)
        try:
            signature = nonce.rpartition(".")[2]
            if base64_encode(base64_decode(signature)).decode("ascii") != signature:
                return (
                    None  # itsdangerous takes many spellings of one signature: padded, with line ends, spare bits set
                )
            _, minted = signer.unsign(nonce, return_timestamp=True)
        except (BadData, OverflowError, ValueError, OSError):
            return None
        return time.time() - minted.timestamp()

    def check(self, app: Flask) -> None:
        """Raises `ConfigurationError` where the app has no key."""
        secret_keys(app, f"a nonce for {self.purpose}")

    def _signer(self, app: Flask, realm: str) -> TimestampSigner:
        keys = tuple(secret_keys(app, f"a nonce for {self.purpose}"))
        return _signer(keys, f"{_ROOT}\0{self.purpose}\0{app.name}\0{realm}")


@functools.lru_cache(maxsize=64)
def _signer(keys: tuple[bytes, ...], salt: str) -> TimestampSigner:
    sha256: Any = hashlib.sha256
    return TimestampSigner(list(keys), salt=salt, key_derivation="hmac", digest_method=sha256)

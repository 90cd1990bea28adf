"""Signed nonces: any worker can check what another one minted, and nothing is kept until one is used."""

import functools
import hmac
import secrets
import time
from base64 import urlsafe_b64decode
from typing import Final

from flask import Flask

from ..wire.jws import encode_base64url
from .secret_keys import secret_keys

_ROOT: Final = "flask_unauthorized.nonce"
MAX_NONCE: Final = 256
"""Longest nonce that is looked at, in bytes. A minted one has 65."""
MAX_SKEW: Final = 60
"""How far in the future a nonce may have been minted, in seconds: workers' clocks differ."""


class Nonces:
    """Nonces of one purpose, ``"digest"``. One is good for the app and the realm that it was minted for.

    A nonce is signed with ``SECRET_KEY`` (HMAC-SHA-256, in the form of itsdangerous' `Signer`, at a fourth of its
    price). Nonces signed with one of ``SECRET_KEY_FALLBACKS`` are valid too. They hold letters, digits, ``-``, ``_``
    and ``.`` only, without padding, because some clients cut at ``=``.

    The time of minting has milliseconds. In whole seconds, a nonce minted late in a second would expire early.
    """

    def __init__(self, purpose: str) -> None:
        self.purpose = purpose
        self._who = f"a nonce for {purpose}"

    def mint(self, app: Flask, realm: str) -> str:
        """A fresh nonce with 72 random bits."""
        now = int(time.time() * 1000)
        minted = encode_base64url(now.to_bytes((now.bit_length() + 7) // 8, "big"))
        signed = f"{secrets.token_urlsafe(9)}.{minted}"
        return f"{signed}.{_signature(self._keys(app, realm)[0], signed)}"

    def age(self, app: Flask, realm: str, nonce: str) -> float | None:
        """Seconds since the nonce was minted, below zero if the clock went back.

        ``None`` for a nonce that no worker of this app minted for this purpose and realm.
        """
        if len(nonce) > MAX_NONCE or not nonce.isascii():
            return None
        signed, _, signature = nonce.rpartition(".")
        for key in self._keys(app, realm):
            if hmac.compare_digest(_signature(key, signed), signature):
                minted = signed.rpartition(".")[2]
                return time.time() - int.from_bytes(urlsafe_b64decode(minted + "=" * (-len(minted) % 4)), "big") / 1000
        return None

    def check(self, app: Flask) -> None:
        """Raises `ConfigurationError` where the app has no key."""
        secret_keys(app, self._who)

    def _keys(self, app: Flask, realm: str) -> tuple[hmac.HMAC, ...]:
        """What signs, and after it what signed before the keys changed."""
        return _derived(tuple(secret_keys(app, self._who)), self.purpose, app.name, realm)


@functools.lru_cache(maxsize=64)
def _derived(keys: tuple[bytes, ...], purpose: str, app_name: str, realm: str) -> tuple[hmac.HMAC, ...]:
    """Keys for nothing else, newest first, ready to be copied and used."""
    salt = f"{_ROOT}\0{purpose}\0{app_name}\0{realm}".encode()
    return tuple(hmac.new(hmac.digest(key, salt, "sha256"), digestmod="sha256") for key in reversed(keys))


def _signature(key: hmac.HMAC, signed: str) -> str:
    made = key.copy()
    made.update(signed.encode())
    return encode_base64url(made.digest())

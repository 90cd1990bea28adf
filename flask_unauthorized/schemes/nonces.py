"""Nonces for Digest (RFC 7616 §3.3) and DPoP (RFC 9449 §8, §9), without storage.

A nonce is ``random.time.signature``: 72 random bits, the time when it was made, and an HMAC over both.

- `Nonces.mint` makes one for a challenge.
- `Nonces.age` checks the signature of a nonce that comes back, and returns its age. Whether that is too old is decided
  by the scheme, which knows the lifetime. It accepts ages down to ``-MAX_CLOCK_SKEW``, because another worker may have
  made the nonce, and that worker's clock may be ahead.

Invariants:

- A nonce is valid for one purpose (a scheme), one app and one realm, because these three are part of the key.
- Every worker with the same ``SECRET_KEY`` can check it. One that was signed with a key of ``SECRET_KEY_FALLBACKS`` is
  valid, too, and new ones are signed with ``SECRET_KEY``.
- Nothing is stored for a nonce until it is used, so challenges can't fill a store. How often a nonce was used is the
  scheme's business: see `digest_replay`.
- It holds letters, digits, ``-``, ``_`` and ``.`` only, without padding, because some clients cut at ``=``.

Why it isn't simpler: the signature is that of itsdangerous' ``Signer``, and computing it here takes a fourth of the
time. Each 401 makes a nonce. The time has milliseconds, because a nonce with whole seconds would expire up to a second
early.
"""

import functools
import hmac
import secrets
import time
from base64 import urlsafe_b64decode
from typing import Final

from flask import Flask

from ..wire.jws import encode_base64url
from .secret_keys import secret_keys

MAX_NONCE: Final = 256
"""Longest nonce that is checked, in bytes. A nonce of this server has 65."""
_SALT_PREFIX: Final = "flask_unauthorized.nonce"


class Nonces:
    """The nonces of one scheme.

    Args:
        purpose: Separates the nonces of schemes, for example ``"digest"``.
    """

    def __init__(self, purpose: str) -> None:
        self.purpose = purpose
        self._key_needed_for = f"a nonce for {purpose}"

    def mint(self, app: Flask, realm: str) -> str:
        """Return a new nonce for ``app`` and ``realm``."""
        now = int(time.time() * 1000)
        minted = encode_base64url(now.to_bytes((now.bit_length() + 7) // 8, "big"))
        signed = f"{secrets.token_urlsafe(9)}.{minted}"
        return f"{signed}.{_signature(self._hmacs(app, realm)[0], signed)}"

    def age(self, app: Flask, realm: str, nonce: str) -> float | None:
        """Return the age of a nonce in seconds, ``None`` if it isn't authentic.

        It is authentic if it was made for this purpose, app and realm. The age is below zero if the clock went back, or
        is behind that of the worker that made the nonce.
        """
        if len(nonce) > MAX_NONCE or not nonce.isascii():
            return None
        signed, _, signature = nonce.rpartition(".")
        for key in self._hmacs(app, realm):
            if hmac.compare_digest(_signature(key, signed), signature):
                minted = signed.rpartition(".")[2]
                return time.time() - int.from_bytes(urlsafe_b64decode(minted + "=" * (-len(minted) % 4)), "big") / 1000
        return None

    def check(self, app: Flask) -> None:
        """Raise `ConfigurationError` if the app has no ``SECRET_KEY``."""
        secret_keys(app, self._key_needed_for)

    def _hmacs(self, app: Flask, realm: str) -> tuple[hmac.HMAC, ...]:
        return _keyed_hmacs(tuple(secret_keys(app, self._key_needed_for)), self.purpose, app.name, realm)


@functools.lru_cache(maxsize=64)
def _keyed_hmacs(keys: tuple[bytes, ...], purpose: str, app_name: str, realm: str) -> tuple[hmac.HMAC, ...]:
    """Return one HMAC object for each key, newest first, to copy and use for these nonces only."""
    salt = f"{_SALT_PREFIX}\0{purpose}\0{app_name}\0{realm}".encode()
    return tuple(hmac.new(hmac.digest(key, salt, "sha256"), digestmod="sha256") for key in reversed(keys))


def _signature(key: hmac.HMAC, signed: str) -> str:
    keyed = key.copy()
    keyed.update(signed.encode())
    return encode_base64url(keyed.digest())

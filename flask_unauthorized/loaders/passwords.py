"""`Passwords`: names and Werkzeug password hashes."""

import hmac
import logging
import secrets
import threading
import time
import unicodedata
from collections import OrderedDict
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, Final

from werkzeug.security import check_password_hash, generate_password_hash

from ..arguments import explains_arguments, validated_seconds
from ..errors import ConfigurationError
from ..locks import renew_after_fork
from ..schemes.base import Secret

log: Final = logging.getLogger("flask_unauthorized")
MAX_CACHED: Final = 1024
"""Most verified passwords that are cached."""
MAX_CACHE: Final = 300
"""Longest ``cache``, in seconds."""


class Passwords:
    """A loader for `Basic`: ``Passwords({"ada": generate_password_hash("…")})``, or a look-up ``name -> hash | None``.

    Names and passwords are compared in Unicode's form NFC. An unknown name takes as long as a wrong password, so
    that names can't be guessed by the time of a response, as long as the stored hashes use ``method`` too. A malformed
    stored hash rejects the password, and the log has an error.

    Args:
        hashes: The hashes of ``werkzeug.security`` by name, best made by `hash`; or a callable that returns the hash of
            a name, or ``None``.
        load: Turns the name into what any loader returns. Without it the name is the subject.
        cache: How long a verified password is cached, so that Basic need not compute a slow hash on each request: 0
            (not at all) to 300 seconds, as a number or a `timedelta`. Entries are keyed HMACs of name, password and
            stored hash, at most 1 024. A changed hash ends an entry.
        method: How new hashes are made: see `werkzeug.security.generate_password_hash`.

    Raises:
        ConfigurationError: There are no names, or ``cache`` is out of range.
        TypeError: A value has the wrong type.
    """

    @explains_arguments(hashes='write Passwords({"ada": generate_password_hash("...")}), or a look-up of a name')
    def __init__(
        self,
        hashes: Mapping[str, str] | Callable[[str], str | None],
        *,
        load: Callable[[str], Any] | None = None,
        cache: float | timedelta = 0,
        method: str = "scrypt",
    ) -> None:
        if isinstance(hashes, Mapping):
            if not hashes:
                raise ConfigurationError("Passwords without names rejects every caller: give at least one")
            stored = {unicodedata.normalize("NFC", name): value for name, value in hashes.items()}
            self._look_up: Callable[[str], str | None] = stored.get
        elif callable(hashes):
            self._look_up = hashes
        else:
            raise TypeError(f"Passwords takes a mapping of name to hash or a look-up, not {type(hashes).__name__}")
        self._load = load
        self._method = method
        self._dummy: str | None = None
        self._cache = validated_seconds("cache", cache, most=MAX_CACHE)  # 0: nothing is cached
        self._verified: OrderedDict[bytes, float] = OrderedDict()
        self._key = secrets.token_bytes(32)
        self._lock = threading.Lock()
        renew_after_fork(self)

    def __call__(self, name: str, password: str) -> Any:
        """Return the user of that name, or ``None`` if name or password is wrong."""
        name = unicodedata.normalize("NFC", name)
        # A traceback shows local variables, and what follows may fail. `Secret` has a ``repr`` that hides the password.
        secret = Secret()
        secret.arguments = (unicodedata.normalize("NFC", password),)
        del password
        if not self._matches(name, secret, self._look_up(name)):
            return None
        return name if self._load is None else self._load(name)

    def hash(self, password: str) -> str:
        """Return what to store for a password: a hash by ``method`` of its form NFC."""
        return generate_password_hash(unicodedata.normalize("NFC", password), method=self._method)

    def _matches(self, name: str, secret: Secret, stored: str | None) -> bool:
        if stored is None or not _is_hash(stored):
            self._spend_time(secret) if stored is None else self._log_malformed(secret)
            return False
        entry = self._entry_key(name, secret, stored) if self._cache else None
        if entry is not None and self._is_cached(entry):
            return True
        if not self._compare(stored, secret):
            return False
        if entry is not None:
            self._cache_entry(entry)
        return True

    def _compare(self, stored: str, secret: Secret) -> bool:
        try:
            return check_password_hash(stored, secret.arguments[0])
        except (ValueError, TypeError, OverflowError, MemoryError):  # what hashlib says to odd parameters
            self._log_malformed(secret)
            return False

    def _log_malformed(self, secret: Secret) -> None:
        log.error("the stored password hash of a user is malformed, so this user can't log in")
        self._spend_time(secret)

    def _spend_time(self, secret: Secret) -> None:
        """Take as long as a real comparison, so that names can't be guessed by the clock."""
        if self._dummy is None:
            # Made at the first call, not at import: it takes as long as a comparison.
            self._dummy = generate_password_hash(secrets.token_hex(), method=self._method)
        check_password_hash(self._dummy, secret.arguments[0])

    def _entry_key(self, name: str, secret: Secret, stored: str) -> bytes:
        parts = (part.encode("utf-8", "surrogatepass") for part in (name, *secret.arguments, stored))
        framed = b"".join(len(part).to_bytes(8, "big") + part for part in parts)
        return hmac.digest(self._key, framed, "sha256")

    def _is_cached(self, entry: bytes) -> bool:
        with self._lock:
            until = self._verified.get(entry)
            if until is not None and until > time.monotonic():
                return True
            self._verified.pop(entry, None)
            return False

    def _cache_entry(self, entry: bytes) -> None:
        with self._lock:
            self._verified[entry] = time.monotonic() + self._cache
            while len(self._verified) > MAX_CACHED:
                self._verified.popitem(last=False)

    def __repr__(self) -> str:
        return "<Passwords>"


def _is_hash(stored: Any) -> bool:
    """Return whether ``stored`` has the shape of a Werkzeug hash: ``method$salt$hex``."""
    if not isinstance(stored, str) or stored.count("$") < 2:
        return False
    method, _, rest = stored.partition("$")
    salt, _, digest = rest.partition("$")
    return method.split(":")[0] in ("scrypt", "pbkdf2") and bool(salt) and bool(digest)

"""`Passwords`: names and Werkzeug password hashes."""

import hmac
import logging
import secrets
import threading
import time
import unicodedata
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any, Final

from werkzeug.security import check_password_hash, generate_password_hash

from ..errors import ConfigurationError
from ..schemes.base import Secret
from ..stores.locks import renew_after_fork

log: Final = logging.getLogger("flask_unauthorized")
MAX_CACHED: Final = 1024
"""Most verified passwords that are remembered."""
MAX_CACHE: Final = 300
"""Longest time that one may be remembered, in seconds."""


class Passwords:
    """A loader for `Basic`: ``Passwords({"ada": generate_password_hash("…")})``, or a look-up ``name -> hash | None``.

    Hashes are those of ``werkzeug.security``, best made by `hash`. An unknown name costs the time of a hash made with
    ``method``, so it can't be told from a wrong password as long as the stored hashes use that method too. A malformed
    stored hash refuses and is logged. Names and passwords compare in NFC. ``load(name)`` may turn the
    name into what any loader returns; without it the name is the subject.

    ``cache`` (0 to 300 seconds, default 0: off) remembers verified passwords for that long, as keyed HMACs of name,
    password and stored hash, at most 1 024 of them: then Basic need not run scrypt on each request. A changed hash
    voids the entry.
    """

    def __init__(
        self,
        hashes: Mapping[str, str] | Callable[[str], str | None],
        *,
        load: Callable[[str], Any] | None = None,
        cache: float = 0,
        method: str = "scrypt",
    ) -> None:
        if isinstance(hashes, Mapping):
            if not hashes:
                raise ConfigurationError("Passwords without names lets nobody in: give at least one")
            stored = {unicodedata.normalize("NFC", name): value for name, value in hashes.items()}
            self._look_up: Callable[[str], str | None] = stored.get
        elif callable(hashes):
            self._look_up = hashes
        else:
            raise TypeError(f"Passwords takes a mapping of name to hash or a look-up, not {type(hashes).__name__}")
        if isinstance(cache, bool) or not isinstance(cache, (int, float)):
            raise TypeError(f"cache must be a number of seconds, not {cache!r}")
        if not 0 <= cache <= MAX_CACHE:
            raise ConfigurationError(f"cache={cache}: use 0 (off) to {MAX_CACHE} seconds")
        self._load = load
        self._method = method
        self._dummy: str | None = None
        self._cache = cache
        self._verified: OrderedDict[bytes, float] = OrderedDict()
        self._key = secrets.token_bytes(32)
        self._lock = threading.Lock()
        renew_after_fork(self)

    def __call__(self, name: str, password: str) -> Any:
        """The user of that name, or ``None`` where name or password is wrong."""
        name = unicodedata.normalize("NFC", name)
        # Wrapped at once: what follows may fail, and a traceback shows locals.
        secret = Secret()
        secret.loader_args = (unicodedata.normalize("NFC", password),)
        del password
        if not self._matches(name, secret, self._look_up(name)):
            return None
        return name if self._load is None else self._load(name)

    def hash(self, password: str) -> str:
        """What to store for a password: a hash by ``method`` of its NFC, for in NFC it is compared."""
        return generate_password_hash(unicodedata.normalize("NFC", password), method=self._method)

    def _matches(self, name: str, secret: Secret, stored: str | None) -> bool:
        if stored is None or not _is_hash(stored):
            self._spend_time(secret) if stored is None else self._malformed(secret)
            return False
        entry = self._entry(name, secret, stored) if self._cache else None
        if entry is not None and self._is_remembered(entry):
            return True
        if not self._compare(stored, secret):
            return False
        if entry is not None:
            self._remember(entry)
        return True

    def _compare(self, stored: str, secret: Secret) -> bool:
        try:
            return check_password_hash(stored, secret.loader_args[0])
        except (ValueError, TypeError, OverflowError, MemoryError):  # what hashlib says to odd parameters
            self._malformed(secret)
            return False

    def _malformed(self, secret: Secret) -> None:
        log.error("the stored password hash of a user is malformed: nobody can log in with it")
        self._spend_time(secret)

    def _spend_time(self, secret: Secret) -> None:
        """As long as a real comparison takes, so that names can't be guessed by the clock."""
        if self._dummy is None:
            # Made at the first call, not at import: it takes as long as a comparison.
            self._dummy = generate_password_hash(secrets.token_hex(), method=self._method)
        check_password_hash(self._dummy, secret.loader_args[0])

    def _entry(self, name: str, secret: Secret, stored: str) -> bytes:
        parts = (part.encode("utf-8", "surrogatepass") for part in (name, *secret.loader_args, stored))
        framed = b"".join(len(part).to_bytes(8, "big") + part for part in parts)
        return hmac.digest(self._key, framed, "sha256")

    def _is_remembered(self, entry: bytes) -> bool:
        with self._lock:
            until = self._verified.get(entry)
            if until is not None and until > time.monotonic():
                return True
            self._verified.pop(entry, None)
            return False

    def _remember(self, entry: bytes) -> None:
        with self._lock:
            self._verified[entry] = time.monotonic() + self._cache
            while len(self._verified) > MAX_CACHED:
                self._verified.popitem(last=False)

    def __repr__(self) -> str:
        return "<Passwords>"


def _is_hash(stored: Any) -> bool:
    """Whether ``stored`` has the shape of a Werkzeug hash: ``method$salt$hex``."""
    if not isinstance(stored, str) or stored.count("$") < 2:
        return False
    method, _, rest = stored.partition("$")
    salt, _, digest = rest.partition("$")
    return method.split(":")[0] in ("scrypt", "pbkdf2") and bool(salt) and bool(digest)

"""`Passwords`: names and password hashes.

Theory of operation
-------------------

A login takes these steps:

1. The stored hash is looked up and parsed (`password_hashes`). A malformed one rejects the password. One that can't be
   compared now, because its package is missing or its parameters are beyond the limits, is a 503.
2. With ``cache``, a pair that was verified before skips step 3.
3. The password is hashed and compared. At most ``concurrency`` hashes are at work in a process, because each takes
   memory (12 MiB or more) and a processor. The others wait, for a second at most, and are a 503 then.
4. ``load`` turns the name into a user.
5. With ``on_upgrade``, a new hash replaces a weaker one. Nothing that fails here refuses the login.

A login form may send names and passwords of any length. Those that are longer than `Basic` accepts are wrong: they are
never normalized, because a long run of marks would take minutes.

For an unknown name, step 3 hashes with a dummy that has the method and parameters of stored hashes. `password_costs`
chooses it. So neither the status nor the time of a response says whether a name exists.
"""

import hmac
import secrets
import threading
import time
import unicodedata
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from typing import Any, Final, Literal

from ..arguments import explains_arguments, validated_seconds
from ..errors import AuthUnavailable, ConfigurationError
from ..locks import renew_after_fork
from ..logs import log
from ..schemes.base import Secret
from ..schemes.basic import MAX_PASSWORD, MAX_USER
from ..schemes.run_async import resolve_awaitable
from .claims import validated_callable, validated_count
from .password_costs import Costs, validated_sample
from .password_hashes import StoredHash, default_method, hash_of_method, new_hash, read_hash

MAX_CACHED: Final = 1024
"""Most verified passwords that are cached."""
MAX_CACHE: Final = 300
"""Longest ``cache``, in seconds."""
MAX_WAIT: Final = 1.0
"""Longest wait until another hash is done, in seconds."""


class Passwords:
    """A loader for `Basic` that compares passwords with stored hashes.

    It reads Werkzeug's hashes, those of bcrypt and Flask-Bcrypt (``$2b$``, ``$2a$``, ``$2y$``; package ``bcrypt``), and
    those of Argon2 (``$argon2id$``, ``$argon2i$``, ``$argon2d$``; package ``argon2-cffi``).

    Names and passwords are compared in Unicode's form NFC. An unknown name takes as long as a wrong password, so
    that names can't be guessed by the time of a response. If the stored hashes differ in kind or cost, each unknown
    name costs as one of them. A malformed stored hash rejects the password, and the log has an error. bcrypt ignores
    what follows 72 bytes or a NUL, so a longer password doesn't match its hashes.

    Example:
        Look hashes up in your database::

            from flask_unauthorized import Auth, Basic
            from flask_unauthorized.loaders import Passwords

            def hash_of(name):
                user = find_user(name)
                return user.password_hash if user else None

            auth = Auth(Basic(Passwords(hash_of, load=find_user)), app=app)

    Args:
        hashes: The hashes by name, best made by `hash`; or a callable that returns the hash of a name, or ``None``.
        load: Turns the name into what any loader returns. Without it the name is the subject.
        cache: How long a verified password is cached, so that Basic need not compute a slow hash on each request: 0
            (not at all) to 300 seconds, as a number or a `timedelta`. Entries are keyed HMACs of name, password and
            stored hash, at most 1 024. A changed hash ends an entry.
        method: How new hashes are made: ``"argon2id:12288:3:1"`` (package ``argon2-cffi``: KiB of memory, passes and
            lanes; ``"argon2id"`` alone takes the package's defaults), or a method of
            `werkzeug.security.generate_password_hash`. The default is ``"argon2id:12288:3:1"`` if ``argon2-cffi`` is
            installed, or else ``"scrypt:32768:8:3"`` (ASVS 5 appendix C accepts both). Set it if some of the app's
            processes have the package and others haven't.
        concurrency: How many hashes one process computes at a time. Further ones wait for a second at most, and then
            raise `AuthUnavailable`. More than the processors of the host only takes more memory.
        on_upgrade: Called as ``on_upgrade(name, new_hash)`` after a login whose stored hash is weaker than what `hash`
            makes, or of another kind. Store the new hash. What it raises is logged and doesn't refuse the login.
        sample: For a look-up whose hashes differ in kind or cost: a function that returns stored hashes, such as those
            of 1 000 users. It is called once, at the first login. Unknown names cost what these hashes cost, in the
            same shares. Without it, each process learns the shares from the names that log in.

    Raises:
        ConfigurationError: There are no names, a value is out of range, or a package is missing.
        TypeError: A value has the wrong type.
    """

    @explains_arguments(hashes='write Passwords({"ada": generate_password_hash("...")}), or a look-up of a name')
    def __init__(
        self,
        hashes: Mapping[str, str] | Callable[[str], str | None],
        *,
        load: Callable[[str], Any] | None = None,
        cache: float | timedelta = 0,
        method: str | None = None,
        concurrency: int = 4,
        on_upgrade: Callable[[str, str], Any] | None = None,
        sample: Callable[[], Iterable[str | None]] | None = None,
    ) -> None:
        self._method = default_method() if method is None else method
        dummy, sample = _validated_method(self._method), validated_sample(sample, hashes)
        if isinstance(hashes, Mapping):
            if not hashes:
                raise ConfigurationError("Passwords without names rejects every caller: give at least one")
            stored = {unicodedata.normalize("NFC", name): value for name, value in hashes.items()}
            self._look_up: Callable[[str], str | None] = stored.get
            _check_all_installed(stored.values())
            self._costs = Costs(dummy, stored, None)
        elif callable(hashes):
            self._look_up = hashes
            self._costs = Costs(dummy, None, sample)
        else:
            raise TypeError(f"Passwords takes a mapping of name to hash or a look-up, not {type(hashes).__name__}")
        self._load = load
        self._cache = validated_seconds("cache", cache, most=MAX_CACHE)  # 0: nothing is cached
        self._verified: OrderedDict[bytes, float] = OrderedDict()
        self._key = secrets.token_bytes(32)
        self._missing: set[str] = set()
        self._slots = _Slots(validated_count("concurrency", concurrency))
        self._lock = threading.Lock()
        renew_after_fork(self)
        self._on_upgrade = validated_callable("on_upgrade", on_upgrade)
        # The parameters of a new hash can only be known from one.
        self._newest = None if on_upgrade is None else read_hash(self.hash("x"))

    def __call__(self, name: str, password: str) -> Any:
        """Return the user of that name, or ``None`` if name or password is wrong.

        Raises:
            AuthUnavailable: The password can't be compared now (503).
        """
        is_name = _is_text(name, MAX_USER)
        if is_name:
            name = unicodedata.normalize("NFC", name)
        # A traceback shows local variables, and what follows may fail. `Secret` has a ``repr`` that hides the password.
        secret = Secret()
        is_password = _is_text(password, MAX_PASSWORD)
        secret.arguments = (unicodedata.normalize("NFC", password) if is_password else "",)
        del password
        self._costs.prepare()
        stored = self._look_up(name) if is_name else None
        read = read_hash(stored)
        if read is None:
            self._spend_time(name, secret) if stored is None else self._log_malformed(name, secret)
            return None
        if not is_password:
            # It costs what every wrong password of this name costs. Another cost would tell that the name exists.
            self._compute(read.dummy(), secret)
            return None
        outcome = self._verify(name, secret, read)
        if outcome == "wrong":
            return None
        user = name if self._load is None else self._load(name)
        if outcome == "compared" and user is not None and user is not False:
            self._upgrade(name, secret, read)
        return user

    def hash(self, password: str) -> str:
        """Return what to store for a password: a hash by ``method`` of its form NFC.

        Args:
            password: The new password, at most 4 096 characters.

        Raises:
            AuthUnavailable: Too many hashes are at work (503).
            ValueError: The password is longer than 4096 characters, or has half of a surrogate pair. Call `acceptable`
                before.
        """
        if len(password) > MAX_PASSWORD:  # Its user could never log in.
            raise ValueError(
                f"the password has {len(password)} characters, expected at most {MAX_PASSWORD}: call acceptable() first"
            )
        secret = Secret()
        secret.arguments = (unicodedata.normalize("NFC", password),)
        del password
        return self._hash(secret)

    def _hash(self, secret: Secret) -> str:
        with self._slots.one():
            return new_hash(self._method, secret)

    def _verify(self, name: str, secret: Secret, read: StoredHash) -> Literal["wrong", "compared", "cached"]:
        if not self._cache:
            return "compared" if self._compare(name, read, secret) else "wrong"
        entry = self._entry_key(name, secret, read.text)
        if self._is_cached(entry):
            return "cached"
        if not self._compare(name, read, secret):
            return "wrong"
        self._cache_entry(entry)
        return "compared"

    def _compare(self, name: str, read: StoredHash, secret: Secret) -> bool:
        if read.missing_package is not None:
            self._costs.note(name, read)  # unknown names are a 503 as well
        is_right = self._compute(read, secret)
        if is_right is None:
            self._log_malformed(name, secret)
            return False
        self._costs.note(name, read)
        return is_right

    def _compute(self, read: StoredHash, secret: Secret) -> bool | None:
        """Return whether the password is right, or ``None`` if the library can't read the hash."""
        self._check_comparable(read)
        with self._slots.one():
            try:
                return read.matches(secret)
            except (ValueError, TypeError, OverflowError):  # what the libraries say to odd parameters
                return None
            except MemoryError:
                pass
        raise AuthUnavailable(
            reason=f"Passwords: too little memory for a hash of {read.memory} KiB, expected enough: lower concurrency="
        )

    def _check_comparable(self, read: StoredHash) -> None:
        """Raise `AuthUnavailable` for a hash that can't be compared here."""
        if read.too_costly:
            raise AuthUnavailable(
                reason=f"Passwords: a stored hash of {read.kind} has parameters beyond the limits, expected "
                "less work: give this user a new password"
            )
        package = read.missing_package
        if package is None:
            return
        if package not in self._missing:
            self._missing.add(package)
            log.error("Passwords: stored hashes need %s, which is not installed: pip install %s", package, package)
        raise AuthUnavailable(
            reason=f"Passwords: a stored hash of {read.kind} needs a package that is missing: pip install {package}"
        )

    def _log_malformed(self, name: str, secret: Secret) -> None:
        log.error("the stored password hash of a user is malformed, so this user can't log in")
        self._spend_time(name, secret)

    def _spend_time(self, name: str, secret: Secret) -> None:
        """Take as long as a real comparison, so that names can't be guessed by the clock."""
        self._compute(self._costs.dummy(name), secret)

    def _upgrade(self, name: str, secret: Secret, read: StoredHash) -> None:
        """Let ``on_upgrade`` store a new hash in place of a weaker one. Nothing that fails here is raised."""
        if self._on_upgrade is None or self._newest is None or not read.is_weaker_than(self._newest):
            return
        try:
            upgraded = self._hash(secret)
            # While it was computed, the user may have changed the password, and the old one must not come back.
            if self._look_up(name) == read.text:
                resolve_awaitable(self._on_upgrade(name, upgraded))
        except Exception as error:  # the login stands, whatever fails in the upgrade
            failure = type(error).__name__
        else:
            return
        # The text of the error isn't logged: that of a database error has the statement, and with it the hash.
        log.error("Passwords: %s while the hash of a user was upgraded, so the old one stays: see on_upgrade=", failure)

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


class _Slots:
    """Places for hashes at work. A child process begins with all of them free."""

    def __init__(self, count: int) -> None:
        self.count = count
        self._lock = threading.BoundedSemaphore(count)
        renew_after_fork(self, partial(threading.BoundedSemaphore, count))

    @contextmanager
    def one(self) -> Iterator[None]:
        """Hold a place. Raises `AuthUnavailable` if none is free within a second."""
        places = self._lock  # the same object is released, whatever a fork does in the meantime
        if not places.acquire(timeout=MAX_WAIT):
            raise AuthUnavailable(
                reason=f"Passwords: concurrency={self.count} is reached, and no hash was done within {MAX_WAIT:.0f} s: "
                "limit failed logins, add processors, or raise concurrency= if they are idle",
                retry_after=1,
            )
        try:
            yield
        finally:
            places.release()


def _is_text(value: str, most: int) -> bool:
    """Return whether a text has at most so many characters, and no half of a surrogate pair, as a JSON body may."""
    if len(value) > most:
        return False
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _validated_method(method: str) -> StoredHash:
    """Return a dummy hash by ``method``. Raises `ConfigurationError` if new hashes can't be made so."""
    dummy = hash_of_method(method)
    if dummy is None or dummy.too_costly:
        raise ConfigurationError(
            f"method={method!a} makes no hash within the limits: choose 'argon2id', or one such as "
            "'scrypt:32768:8:3' or 'pbkdf2:sha256:1000000'"
        )
    _check_installed(dummy)
    return dummy


def _check_all_installed(stored: Iterable[Any]) -> None:
    for read in map(read_hash, stored):
        if read is not None:
            _check_installed(read)


def _check_installed(found: StoredHash) -> None:
    package = found.missing_package
    if package is not None:
        raise ConfigurationError(f"Passwords: hashes of {found.kind} need {package}: pip install {package}")

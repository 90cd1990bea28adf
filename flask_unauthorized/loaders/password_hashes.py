"""Stored password hashes: which kinds `Passwords` reads, and what a comparison with one costs.

Theory of operation
-------------------

`read_hash` parses the text of a stored hash before anything is computed:

1. **Form.** Each kind has one regular expression. A text that matches none, or whose parameters can't be right, is
   malformed. Nothing of it reaches a library, because the libraries raise errors of many types for such texts.
2. **Cost.** The parameters say how much memory and work a comparison takes. Only the app writes hashes, but a
   damaged parameter must not take gigabytes or hours. Above the limits below, nothing is computed.
3. **Package.** Werkzeug's hashes need nothing. The others need a package that the app may lack.

`StoredHash.matches` compares. bcrypt ignores what follows the 72nd byte or a NUL of a password, so a longer password
is rejected and never cut: with a cut, two different passwords would open one account.

A `StoredHash` has a ``dummy``: a hash of the same kind and cost that fits no password. A comparison with it takes as
long, so the time of a response doesn't reveal whether the name is known.
"""

import functools
import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Final

from werkzeug.security import DEFAULT_PBKDF2_ITERATIONS, check_password_hash, generate_password_hash

from ..schemes.base import Secret

DEFAULT_ARGON2: Final = "argon2id:12288:3:1"
"""Memory in KiB, passes and lanes. Of what ASVS 5 (appendix C) accepts, it takes the least memory: 12 MiB."""
DEFAULT_SCRYPT: Final = "scrypt:32768:8:3"
"""N, r and p. Of what ASVS 5 accepts for scrypt, it takes the least memory: 32 MiB, as OpenSSL reuses it p times."""
MAX_MEMORY: Final = 256 * 1024
"""Most memory of one comparison, in KiB. Werkzeug's default takes 32 MiB, and that of argon2-cffi 64 MiB."""
MAX_SCRYPT_WORK: Final = 2**21
"""Largest N * r * p of scrypt, 8 times Werkzeug's default: about a second."""
MAX_ITERATIONS: Final = 10_000_000
"""Most iterations of PBKDF2, ten times Werkzeug's default: about three seconds."""
MAX_BCRYPT_COST: Final = 16
"""Highest cost of bcrypt, 16 times the work of the usual 12: about three seconds."""
MAX_ARGON2_WORK: Final = 2**22
"""Most KiB times passes of Argon2, 21 times argon2-cffi's default: about three seconds."""
MAX_LANES: Final = 64
"""Most lanes of Argon2, each of which is a thread."""
MAX_STORED: Final = 512
"""Longest text of a stored hash, in characters."""
MAX_BCRYPT: Final = 72
"""Most bytes of a password that bcrypt looks at."""

_SCRYPT: Final = re.compile(r"(scrypt)((?::[0-9]+)*)\$([^$]+)\$([0-9a-f]+)", re.ASCII)
_PBKDF2: Final = re.compile(r"(pbkdf2)((?::[a-z0-9_-]+)*)\$([^$]+)\$([0-9a-f]+)", re.ASCII)
_BCRYPT: Final = re.compile(r"(\$2[aby]\$([0-9]{2})\$)[./A-Za-z0-9]{53}", re.ASCII)
_ARGON2: Final = re.compile(
    r"(\$(argon2(?:id|i|d))(?:\$v=([0-9]+))?\$m=([0-9]+),t=([0-9]+),p=([0-9]+)\$)([A-Za-z0-9+/]+)\$([A-Za-z0-9+/]+)",
    re.ASCII,
)
_ARGON2_METHOD: Final = re.compile(r"argon2id(?::([0-9]{1,10}):([0-9]{1,10}):([0-9]{1,10}))?", re.ASCII)
_NUMBERS: Final = re.compile(r":([0-9]+):([0-9]+):([0-9]+)", re.ASCII)
_PACKAGES: Final = {"argon2": "argon2-cffi", "bcrypt": "bcrypt"}


@dataclass(frozen=True, slots=True, repr=False)
class StoredHash:
    """A hash whose parameters were read. Its ``repr`` shows no hash."""

    text: str
    kind: str
    """The algorithm, with the variant that counts: ``scrypt``, ``pbkdf2:sha256``, ``bcrypt``, ``argon2id``."""
    memory: int
    """Memory of a comparison, in KiB."""
    work: int
    """Work of a comparison, in steps of its kind."""
    dummy_text: str
    """A hash by the same method and parameters that fits no password. Hashes that cost the same have the same one."""
    too_costly: bool
    compare: Callable[[str, Secret], bool]
    module: str | None = None
    """The module that compares, if it isn't Werkzeug's."""

    def matches(self, secret: Secret) -> bool:
        """Return whether the password in ``secret`` is the one of this hash.

        Raises:
            ValueError, TypeError, OverflowError: The library can't read the hash.
            MemoryError: There is too little memory, or no thread for a lane.
        """
        return self.compare(self.text, secret)

    @property
    def missing_package(self) -> str | None:
        """The package that is needed to compare and isn't installed."""
        return None if self.module is None or _module(self.module) is not None else _PACKAGES[self.module]

    def dummy(self) -> "StoredHash":
        """Return a hash that takes as long to compare with, and fits no password."""
        return StoredHash(
            self.dummy_text, self.kind, self.memory, self.work, self.dummy_text, self.too_costly, self.compare,
            self.module,
        )  # fmt: skip

    def is_weaker_than(self, other: "StoredHash") -> bool:
        """Return whether this one is of another kind, or needs less memory or work than ``other``."""
        return self.kind != other.kind or self.memory < other.memory or self.work < other.work

    def __repr__(self) -> str:
        return f"<StoredHash {self.kind}>"


def read_hash(stored: Any) -> StoredHash | None:
    """Return a stored hash with its parameters, or ``None`` if it is malformed or of an unknown kind."""
    if not isinstance(stored, str) or len(stored) > MAX_STORED:
        return None
    for pattern, read in _READERS:
        found = pattern.fullmatch(stored)
        if found is not None:
            return read(found)
    return None


def new_hash(method: str, secret: Secret) -> str:
    """Return a new hash of the password in ``secret``."""
    password = secret.arguments[0]
    if method.startswith("argon2id"):
        hashed: str = _argon2_hasher(method).hash(password)
        return hashed
    return generate_password_hash(password, method=method)


def hash_of_method(method: str) -> StoredHash | None:
    """Return a dummy of what `new_hash` makes, or ``None`` for an unknown method. Nothing is computed."""
    if not method.startswith("argon2id"):
        return read_hash(f"{method}$x$0")
    found = _ARGON2_METHOD.fullmatch(method)
    if found is None:
        return None
    if found[1] is not None:
        memory, passes, lanes = map(int, found.groups())
    elif _module("argon2") is None:
        memory, passes, lanes = 65536, 3, 4
    else:
        hasher = _argon2_hasher(method)
        memory, passes, lanes = hasher.memory_cost, hasher.time_cost, hasher.parallelism
    return read_hash(f"$argon2id$v=19$m={memory},t={passes},p={lanes}${'A' * 22}${'A' * 43}")


def default_method() -> str:
    """Return how new hashes are made here: by Argon2 if its package is installed, or else by scrypt."""
    return DEFAULT_SCRYPT if _module("argon2") is None else DEFAULT_ARGON2


def _argon2_hasher(method: str) -> Any:
    """Return the hasher of a method that `hash_of_method` could read."""
    numbers = [int(number) for number in method.split(":")[1:]]
    return import_module("argon2").PasswordHasher(
        **dict(zip(("memory_cost", "time_cost", "parallelism"), numbers, strict=False))
    )


def _read_scrypt(found: re.Match[str]) -> StoredHash | None:
    numbers = _NUMBERS.fullmatch(found[2] or ":32768:8:1")
    if numbers is None:
        return None
    n, r, p = map(int, numbers.groups())
    if n < 2 or n & (n - 1) or not r or not p:
        return None
    work = n * r * p
    return StoredHash(
        found[0], "scrypt", n * r // 8, work, _werkzeug_dummy(found), work > MAX_SCRYPT_WORK, _compare_werkzeug
    )


def _read_pbkdf2(found: re.Match[str]) -> StoredHash | None:
    digest, _, number = (found[2][1:] or "sha256").partition(":")
    if digest not in hashlib.algorithms_available or not (number or "1").isdecimal():
        return None
    iterations = int(number) if number else DEFAULT_PBKDF2_ITERATIONS
    if not iterations:
        return None
    too_costly = iterations > MAX_ITERATIONS
    return StoredHash(
        found[0], f"pbkdf2:{digest}", 0, iterations, _werkzeug_dummy(found), too_costly, _compare_werkzeug
    )


def _werkzeug_dummy(found: re.Match[str]) -> str:
    return f"{found[1]}{found[2]}$x${'0' * len(found[4])}"


def _read_bcrypt(found: re.Match[str]) -> StoredHash | None:
    cost = int(found[2])
    if not 4 <= cost <= 31:
        return None
    dummy = found[1] + "." * 53
    return StoredHash(found[0], "bcrypt", 4, 2**cost, dummy, cost > MAX_BCRYPT_COST, _compare_bcrypt, "bcrypt")


def _read_argon2(found: re.Match[str]) -> StoredHash | None:
    head, kind, version, *numbers, salt, digest = found.groups()
    memory, passes, lanes = map(int, numbers)
    if version not in (None, "16", "19") or not passes or not lanes or memory < 8 * lanes:
        return None
    kind = kind if version == "19" else f"{kind} of version 16"
    work = memory * passes
    too_costly = memory > MAX_MEMORY or work > MAX_ARGON2_WORK or lanes > MAX_LANES
    dummy = f"{head}{'A' * len(salt)}${'A' * len(digest)}"
    return StoredHash(found[0], kind, memory, work, dummy, too_costly, _compare_argon2, "argon2")


def _compare_werkzeug(stored: str, secret: Secret) -> bool:
    return check_password_hash(stored, secret.arguments[0])


def _compare_bcrypt(stored: str, secret: Secret) -> bool:
    octets = secret.arguments[0].encode()
    if len(octets) <= MAX_BCRYPT and b"\0" not in octets:
        return bool(import_module("bcrypt").checkpw(octets, stored.encode()))
    import_module("bcrypt").checkpw(b"x", stored.encode())  # as long as for any other password
    return False


def _compare_argon2(stored: str, secret: Secret) -> bool:
    argon2 = import_module("argon2")
    try:
        return bool(argon2.PasswordHasher().verify(stored, secret.arguments[0]))
    except argon2.exceptions.VerifyMismatchError:
        return False
    except argon2.exceptions.VerificationError as error:
        # The library has one class for malformed hashes and for its own failures, and tells them apart in the text.
        is_failure = "allocation" in str(error) or "hreading" in str(error)
    except argon2.exceptions.InvalidHashError:
        is_failure = False
    raise MemoryError if is_failure else ValueError


_READERS: Final[tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], StoredHash | None]], ...]] = (
    (_SCRYPT, _read_scrypt),
    (_PBKDF2, _read_pbkdf2),
    (_BCRYPT, _read_bcrypt),
    (_ARGON2, _read_argon2),
)


@functools.cache
def _module(name: str) -> Any:
    """Return a module, or ``None`` if its package isn't installed."""
    try:
        return import_module(name)
    except ImportError:
        return None

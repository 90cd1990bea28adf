"""`Store`: the few atomic operations that replay protection and revocation need."""

import functools
import hashlib
import logging
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Final, ParamSpec, TypeVar

from flask import Flask

from ..errors import AuthUnavailable, ConfigurationError
from ..wire.grammar import is_token
from .window import WINDOW as WINDOW  # named in the docs of `Store.spend`

MIN_LIFETIME: Final = 1.0
"""Shortest life of an entry, in seconds; a shorter one counts as this."""
MAX_LIFETIME: Final = 10 * 366 * 86400.0
"""Longest life of an entry, in seconds."""
MAX_NUMBER: Final = 2**32 - 1
"""Highest number of a series: eight hex digits, as the nonce count of Digest (RFC 7616 §3.4)."""
MAX_VALUE: Final = 4096
"""Longest value, in bytes of UTF-8."""

log: Final = logging.getLogger("flask_unauthorized")
P = ParamSpec("P")
T = TypeVar("T")


class Store(ABC):
    """Base of all stores; subclass it for your own.

    Every operation is atomic across all threads and processes that share the store. ``purpose`` is a token such as
    ``"digest"`` and ``key`` is any text; the pair names an entry. ``prefix`` separates apps that share a store.
    ``strict`` raises an error instead of a warning in the log. The store gets ``prefix:purpose:`` and the SHA-256 of
    the key, never the key. ``lifetime`` is in seconds. An entry lives at least that long; an expired entry counts as
    absent.

    Raises `AuthUnavailable` (503) if the store can't be reached, is full, or holds a value that this library did not
    write.
    """

    shared: ClassVar[bool] = True
    """Whether processes share it. Where not, several workers each have their own."""
    single_process: bool = False
    """Whether the developer says that exactly one process serves, so that the store need not be shared."""
    trouble: ClassVar[tuple[type[Exception], ...]] = (OSError,)
    """The exceptions of the operations below that mean "it can't be asked"."""

    def __init__(self, *, prefix: str = "flask_unauthorized", strict: bool = False) -> None:
        if not isinstance(prefix, str) or not is_token(prefix):
            raise ConfigurationError(f"prefix must be a token such as 'my_app', not {prefix!a}")
        self.prefix = prefix
        self.strict = strict
        self._warned = False
        self._named: set[str] = set()

    # --- what callers use

    def claim(self, purpose: str, key: str, lifetime: float) -> bool:
        """``True`` for exactly one caller until ``lifetime`` is over: the first."""
        return self._asked(self._claim, self._stored(purpose, key), _checked(lifetime))

    def spend(self, purpose: str, key: str, number: int, lifetime: float) -> bool:
        """``True`` for exactly one caller with this ``number`` of the series ``key``.

        Numbers may come in any order and begin anywhere from 1 to 2**32 - 1; one that lies `WINDOW` or more behind the
        highest is refused, so that a series costs the same however long it is. The life is that of the whole series and
        begins with its first number.
        """
        if isinstance(number, bool) or not isinstance(number, int) or not 1 <= number <= MAX_NUMBER:
            raise ValueError(f"number must be an int from 1 to {MAX_NUMBER}, not {number!r}")
        stored, lifetime = self._stored(purpose, key), _checked(lifetime)
        try:  # as `_asked`, which costs each request a call more
            return self._spend(stored, number, lifetime)
        except self.trouble as trouble:
            raise self._failed(trouble) from None

    def increment(self, purpose: str, key: str, lifetime: float) -> int:
        """How often this was called for ``key``, this time included; the life begins with the first time."""
        return self._asked(self._increment, self._stored(purpose, key), _checked(lifetime))

    def put(self, purpose: str, key: str, value: str, lifetime: float) -> None:
        """Keeps ``value`` (at most 4 096 bytes of UTF-8) for ``lifetime``, in place of what was there."""
        if not isinstance(value, str):
            raise TypeError(f"value must be a str, not {type(value).__name__}")
        if len(value.encode()) > MAX_VALUE:
            raise ValueError(f"value is longer than {MAX_VALUE} bytes")
        self._asked(self._put, self._stored(purpose, key), value, _checked(lifetime))

    def get(self, purpose: str, key: str) -> str | None:
        """What was `put`, or ``None``."""
        return self._asked(self._get, self._stored(purpose, key))

    def check(self) -> None:  # noqa: B027  # most have nothing to check
        """Called before an app's first request; raises `ConfigurationError`, or warns in the log."""

    def check_processes(self, app: Flask, use: str) -> None:
        """Called before an app's first request by the scheme or loader that uses the store for ``use``.

        Logs a WARNING outside of debug and testing where processes don't share the store, because no server says
        reliably how many there are: serverless adapters, Granian and a second container claim to be the only one.
        With ``strict``, or ``UNAUTHORIZED_GUARD="strict"``, raises `ConfigurationError`.
        """
        if self.shared or self.single_process or app.debug or app.testing:
            return
        text = (
            f"{use} are kept in a {type(self).__name__}, which each process has for itself, so another process accepts "
            "them again: give store=SQLiteStore(path) or store=RedisStore(url), or where exactly one process serves, "
            "store=MemoryStore(single_process=True)"
        )
        if self.strict or app.config.get("UNAUTHORIZED_GUARD") == "strict":
            raise ConfigurationError(text)
        if use not in self._named:
            self._named.add(use)
            log.warning("%s", text)

    def check_workers(self, environ: Mapping[str, Any]) -> None:
        """Called with each request by who relies on the store: several workers need one that they share.

        Where it isn't, tells so in the log once; with ``strict`` raises `ConfigurationError`. ``wsgi.multiprocess`` may
        be wrong either way: see `check_processes`. ``single_process`` overrules it.
        """
        if self.shared or not environ.get("wsgi.multiprocess") or self._warned or self.single_process:
            return
        text = f"several workers serve, and each has its own {type(self).__name__}: use SQLiteStore or RedisStore"
        if self.strict:
            raise ConfigurationError(text)
        self._warned = True
        log.warning("%s", text)

    # --- what a store does; keys are short and safe here, lifetimes finite and at least `MIN_LIFETIME`

    @abstractmethod
    def _claim(self, key: str, lifetime: float) -> bool: ...

    @abstractmethod
    def _spend(self, key: str, number: int, lifetime: float) -> bool: ...

    @abstractmethod
    def _increment(self, key: str, lifetime: float) -> int: ...

    @abstractmethod
    def _put(self, key: str, value: str, lifetime: float) -> None: ...

    @abstractmethod
    def _get(self, key: str) -> str | None: ...

    # --- inside

    def _asked(self, operation: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return operation(*args, **kwargs)
        except self.trouble as trouble:
            raise self._failed(trouble) from None

    def _failed(self, trouble: Exception) -> AuthUnavailable:
        # Only the type of the exception: the text of a connection's may hold its password.
        return AuthUnavailable(
            reason=f"{type(self).__name__}: its back end raised {type(trouble).__name__}: look whether the store is "
            "reachable, writable and not full"
        )

    def _stored(self, purpose: str, key: str) -> str:
        return _space(self.prefix, purpose) + hashlib.sha256(key.encode(errors="surrogatepass")).hexdigest()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.prefix}>"


def checked_store(store: Store) -> Store:
    """``store`` if it is one; else `TypeError`."""
    if not isinstance(store, Store):
        raise TypeError(f"store must be a Store, not {store!r}: see flask_unauthorized.stores")
    return store


@functools.lru_cache(maxsize=64)
def _space(prefix: str, purpose: str) -> str:
    """What the keys of one purpose begin with."""
    if not is_token(purpose):
        raise ValueError(f"purpose must be a token such as 'digest', not {purpose!a}")
    return f"{prefix}:{purpose}:"


def _checked(lifetime: float) -> float:
    """A lifetime between the bounds, in seconds; `TypeError` or `ValueError` for what is none."""
    if isinstance(lifetime, bool) or not isinstance(lifetime, (int, float)):
        raise TypeError(f"lifetime must be a number of seconds, not {lifetime!r}")
    if math.isnan(lifetime) or lifetime <= 0 or lifetime > MAX_LIFETIME:
        raise ValueError(f"lifetime must be more than 0 and at most {MAX_LIFETIME:.0f} seconds, not {lifetime!r}")
    return max(MIN_LIFETIME, float(lifetime))

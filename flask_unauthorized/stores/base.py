"""`Store`, the base of all stores: a few atomic operations on entries that expire.

Replay protection, revocation and throttling need facts that all workers agree on. Every store offers five operations:

- `Store.claim` returns ``True`` to exactly one caller per key: the first.
- `Store.spend` returns ``True`` to exactly one caller per number of a series.
- `Store.increment` counts calls.
- `Store.put` and `Store.get` write and read a short text. `Store.get_many` reads several at once.

The stores of this package offer more, and `Store.can_replace` and `Store.can_throttle` say whether a store does:

- `Store.replace` changes a text only if it is still what the caller has read (compare and swap). Remembered logins and
  refresh tokens rotate with it.
- `Store.increment_many`, `Store.decrement` and `Store.forget` are for a throttle: it counts an attempt before it is
  verified, and gives the count back afterwards.

The public methods check their arguments, hash the key, and translate failures. A subclass implements the same five
operations with an underscore, and the others only for the features that need them. It may rely on this:

1. Keys are ``prefix:purpose:`` and a SHA-256, so they are short ASCII and hold no secret.
2. Lifetimes are finite, and at least `MIN_LIFETIME`. Numbers and values are within their bounds.
3. Exceptions in `Store.unavailable_errors` become `AuthUnavailable` (503), without their text, which may hold the
   password of a connection. All other exceptions are bugs and become a 500.

It must hold these invariants, for all threads and processes that share the store:

- Each operation is atomic. Two callers never both get ``True`` for the same claim or the same number.
- A live entry is never dropped, even if the store is full: forgetting a used nonce would accept it again. A full store
  raises `AuthUnavailable` for new entries. Entries of `EVICTABLE_PURPOSE` are the exception: clients choose how many
  there are, by sending random names. A store drops them before it refuses any other entry.
- An entry lives at least as long as ``lifetime`` says, by a clock that all sharing processes have in common. An expired
  entry counts as absent, and the next write replaces it.
- `_spend`, `_increment`, `_increment_many` and `_decrement` don't prolong an entry that exists. `_put` and `_replace`
  do.
- A counter that `_decrement` brings to 0 is removed. Otherwise refused attempts with random names would leave entries.
- An operation ends within a fraction of a second, because a request waits for it.

Why `spend` isn't a `claim` per number: a client may send thousands of numbers for one nonce. A window over the last
`WINDOW` numbers costs the same however long the series is, and accepts numbers that overtake each other. This is the
anti-replay window of RFC 4303 §3.4.3.
"""

import functools
import hashlib
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ClassVar, Final, NamedTuple, ParamSpec, TypeVar

from flask import Flask

from ..errors import AuthUnavailable, ConfigurationError
from ..logs import log
from ..wire.grammar import is_token

MIN_LIFETIME: Final = 1.0
"""Shortest life of an entry, in seconds. A shorter one counts as this."""
MAX_LIFETIME: Final = 10 * 366 * 86400.0
"""Longest life of an entry, in seconds."""
MAX_NUMBER: Final = 2**32 - 1
"""Highest number of a series: eight hex digits, as the nonce count of Digest (RFC 7616 §3.4)."""
MAX_VALUE: Final = 4096
"""Longest value, in bytes of UTF-8."""
WINDOW: Final = 64
"""How many of the highest numbers of a series can still be spent, if they haven't been."""
EMPTY_WINDOW: Final = (0, 0)
"""The window of a series of which no number was spent."""
EVICTABLE_PURPOSE: Final = "throttle"
"""The purpose whose entries may be dropped while they are alive. They never take the place of other entries."""
_WINDOW_MASK: Final = (1 << WINDOW) - 1

P = ParamSpec("P")
T = TypeVar("T")


class Count(NamedTuple):
    """A counter after `Store.increment_many`."""

    value: int
    """How often the counter was incremented, less how often it was decremented."""
    remaining: float
    """How long the counter still lasts, in seconds."""


class Store(ABC):
    """Base of all stores. Subclass it for a store of your own.

    A subclass implements `_claim`, `_spend`, `_increment`, `_put` and `_get`, and lists in `unavailable_errors` what
    they raise if the back end can't be reached. `_replace`, and the group of `_increment_many`, `_decrement` and
    `_forget`, are optional: without them, the features that need them raise `ConfigurationError`. The module's
    docstring says what each must hold;
    ``tests/stores/test_conformance.py`` checks it.

    Every public operation takes a ``purpose``, a token such as ``"digest"``, and a ``key``, any text. The pair names an
    entry. Every operation raises `AuthUnavailable` (503) if the store can't be reached, is full, or holds a value that
    this library did not write.

    Example:
        Use any store by its base class::

            from flask_unauthorized.stores.base import Store
            from flask_unauthorized.stores.memory import MemoryStore

            store: Store = MemoryStore(single_process=True)
            assert store.claim("invitation", "7f3a", lifetime=3600)
            assert not store.claim("invitation", "7f3a", lifetime=3600)

    Args:
        prefix: Separates apps that share a store: a token such as ``"my_app"``.
        strict: Raises `ConfigurationError` if the checks of the set-up otherwise log a warning.

    Raises:
        ConfigurationError: ``prefix`` isn't a token.
    """

    shared: ClassVar[bool] = True
    """Whether all processes share the entries. ``False`` if each process has its own."""
    single_process: bool = False
    """Whether the app says that exactly one process serves it, so that sharing isn't needed."""
    unavailable_errors: ClassVar[tuple[type[Exception], ...]] = (OSError,)
    """The exceptions with which the operations of a subclass say that the back end can't be reached."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        # A subclass of one of our stores may override `_get` alone, to decrypt values. `get_many` must not bypass it.
        nearest = next(vars(base) for base in cls.__mro__ if "_get" in vars(base) or "_get_many" in vars(base))
        if "_get_many" not in nearest:
            cls._get_many = Store._get_many  # type: ignore[method-assign]  # the one that calls `_get`

    def __init__(self, *, prefix: str = "flask_unauthorized", strict: bool = False) -> None:
        if not isinstance(prefix, str) or not is_token(prefix):
            raise ConfigurationError(f"prefix must be a token such as 'my_app', not {prefix!a}")
        self.prefix = prefix
        self.strict = strict
        self._evictable_start = _key_prefix(prefix, EVICTABLE_PURPOSE)  # what keys begin with that may be evicted
        self._workers_warned = False
        self._uses_warned: set[str] = set()

    # --- what schemes and loaders call

    def claim(self, purpose: str, key: str, lifetime: float) -> bool:
        """Return ``True`` to exactly one caller: the first until ``lifetime`` has passed.

        Args:
            purpose: A token that names the kind of entry.
            key: Any text.
            lifetime: How long the claim lasts, in seconds.

        Raises:
            AuthUnavailable: See `Store`.
            ValueError: An argument is outside of its bounds.
        """
        return self._call(self._claim, self._entry_key(purpose, key), _validated_lifetime(lifetime))

    def spend(self, purpose: str, key: str, number: int, lifetime: float) -> bool:
        """Return ``True`` to exactly one caller with this ``number`` of a series.

        Numbers may come in any order. One that lies `WINDOW` or more behind the highest is refused, so the cost doesn't
        grow with the length of the series.

        Args:
            purpose: A token that names the kind of series.
            key: The series: any text.
            number: From 1 to `MAX_NUMBER`.
            lifetime: How long the whole series lasts, in seconds. It begins with the first number.

        Raises:
            AuthUnavailable: See `Store`.
            ValueError: An argument is outside of its bounds.
        """
        if isinstance(number, bool) or not isinstance(number, int) or not 1 <= number <= MAX_NUMBER:
            raise ValueError(f"number must be an int from 1 to {MAX_NUMBER}, not {number!r}")
        entry_key, lifetime = self._entry_key(purpose, key), _validated_lifetime(lifetime)
        try:  # as in `_call`, which would cost each request another call
            return self._spend(entry_key, number, lifetime)
        except self.unavailable_errors as error:
            raise self._failed(error) from None

    def increment(self, purpose: str, key: str, lifetime: float) -> int:
        """Return how often this was called for ``key``, this call included.

        Args:
            purpose: A token that names the kind of counter.
            key: Any text.
            lifetime: How long the counter lasts, in seconds. It begins with the first call.

        Raises:
            AuthUnavailable: See `Store`.
            ValueError: An argument is outside of its bounds.
        """
        return self._call(self._increment, self._entry_key(purpose, key), _validated_lifetime(lifetime))

    def increment_many(self, purpose: str, counters: Iterable[tuple[str, float]]) -> list[Count]:
        """Increment several counters at once, and return each count with the rest of its lifetime.

        Args:
            purpose: A token that names the kind of counter. Those of `EVICTABLE_PURPOSE` have a place of their own.
            counters: Keys (any text), each with a lifetime in seconds. A lifetime begins with the first call, and the
                rest is never longer than it, even if a clock was set back.

        Returns:
            A `Count` for each counter, in the same order.

        Raises:
            AuthUnavailable: See `Store`.
            ConfigurationError: This store has no such counters, see `can_throttle`.
            ValueError: An argument is outside of its bounds.
        """
        entries = [(self._entry_key(purpose, key), _validated_lifetime(lifetime)) for key, lifetime in counters]
        return self._call(self._increment_many, entries)

    def decrement(self, purpose: str, *keys: str) -> None:
        """Take 1 from each counter. A counter that reaches 0 is removed, and absent counters stay absent.

        The lifetimes of the others stay. The next call of `increment_many` for a removed one begins a new lifetime.

        Args:
            purpose: The token that was given to `increment_many`.
            *keys: The keys of the counters.

        Raises:
            AuthUnavailable: See `Store`.
            ConfigurationError: This store has no such counters, see `can_throttle`.
        """
        self._call(self._decrement, [self._entry_key(purpose, key) for key in keys])

    def forget(self, purpose: str, *keys: str) -> None:
        """Remove entries of any kind. Absent entries stay absent.

        Args:
            purpose: The token that the entries were written with.
            *keys: The keys that the entries were written with.

        Raises:
            AuthUnavailable: See `Store`.
            ConfigurationError: This store can't remove entries, see `can_throttle`.
        """
        self._call(self._forget, [self._entry_key(purpose, key) for key in keys])

    @property
    def can_throttle(self) -> bool:
        """Whether the class of this store implements `increment_many`, `decrement` and `forget`."""
        names = ("_increment_many", "_decrement", "_forget")
        return all(getattr(type(self), name) is not getattr(Store, name) for name in names)

    def put(self, purpose: str, key: str, value: str, lifetime: float) -> None:
        """Store ``value``, in place of an earlier one.

        Args:
            purpose: A token that names the kind of value.
            key: Any text.
            value: At most 4 096 bytes of UTF-8.
            lifetime: How long the value lasts, in seconds.

        Raises:
            AuthUnavailable: See `Store`.
            TypeError: ``value`` isn't a ``str``.
            ValueError: An argument is outside of its bounds.
        """
        value = _validated_value("value", value)
        self._call(self._put, self._entry_key(purpose, key), value, _validated_lifetime(lifetime))

    def replace(self, purpose: str, key: str, old: str | None, new: str, lifetime: float) -> bool:
        """Store ``new`` if the value is ``old``, and return whether it was (compare and swap).

        Of several callers with the same ``old``, exactly one gets ``True``. The others change nothing. They read the
        value again, and decide anew.

        Args:
            purpose: A token that names the kind of value.
            key: Any text.
            old: The value that `get` returned. ``None`` stores ``new`` only if there is no live entry.
            new: At most 4 096 bytes of UTF-8.
            lifetime: How long ``new`` lasts, in seconds. On ``False`` the lifetime of the entry stays as it was.

        Raises:
            AuthUnavailable: See `Store`.
            ConfigurationError: This store can't replace, see `can_replace`.
            TypeError: A value isn't a ``str``.
            ValueError: An argument is outside of its bounds.
        """
        old, new = None if old is None else _validated_value("old", old), _validated_value("new", new)
        return self._call(self._replace, self._entry_key(purpose, key), old, new, _validated_lifetime(lifetime))

    @property
    def can_replace(self) -> bool:
        """Whether the class of this store implements `replace`."""
        return type(self)._replace is not Store._replace

    def get(self, purpose: str, key: str) -> str | None:
        """Return the value that was stored, or ``None`` if there is none or it has expired.

        Args:
            purpose: The token that was given to `put` or `replace`.
            key: The key that was given to `put` or `replace`.

        Raises:
            AuthUnavailable: See `Store`.
        """
        value = self._call(self._get, self._entry_key(purpose, key))
        if value is not None and not isinstance(value, str):  # Octets would never equal a text, such as "ended".
            raise self._not_a_text("_get()", value)
        return value

    def get_many(self, *entries: tuple[str, str]) -> list[str | None]:
        """Return the values of several entries, as `get` does, by one operation where the store can do that.

        Args:
            *entries: Pairs of the purpose and the key that were given to `put` or `replace`.

        Returns:
            A value for each entry, in the same order.

        Raises:
            AuthUnavailable: See `Store`.
        """
        prefix, keys = self.prefix, []
        for purpose, key in entries:  # as in `_entry_key`, which would cost each request a call for each entry
            keys.append(_key_prefix(prefix, purpose) + hashlib.sha256(key.encode(errors="surrogatepass")).hexdigest())
        try:  # as in `_call`
            values = self._get_many(keys)
        except self.unavailable_errors as error:
            raise self._failed(error) from None
        for value in values:
            if value is not None and not isinstance(value, str):
                raise self._not_a_text("_get_many()", value)
        return values

    def check(self) -> None:  # noqa: B027  # optional: most stores have nothing to check
        """Check the back end before an app's first request. Override it if there is something to check.

        Raises:
            ConfigurationError: The back end can't work. Log a warning instead if it only may not work.
        """

    def check_processes(self, app: Flask, use: str, *, consequence: str = "another process accepts them again") -> None:
        """Warn before an app's first request if the processes that serve it may not share this store.

        Each scheme or loader that relies on the store calls it. It doesn't count processes, because no server reports
        reliably how many there are: serverless adapters, Granian and a second container claim to be the only one.
        Nothing is logged in debug and testing, nor with ``single_process``.

        Args:
            app: The app.
            use: What the store is used for, such as ``"DPoP: used proofs"``.
            consequence: What happens if processes don't share it.

        Raises:
            ConfigurationError: In place of the warning, with ``strict`` or ``UNAUTHORIZED_GUARD="strict"``.
        """
        if self.shared or self.single_process or app.debug or app.testing:
            return
        text = (
            f"{use} are kept in a {type(self).__name__}, which each process has for itself, so "
            f"{consequence}: give store=SQLiteStore(path) or store=RedisStore(url), or where exactly one process "
            "serves, store=MemoryStore(single_process=True)"
        )
        if self.strict or app.config.get("UNAUTHORIZED_GUARD") == "strict":
            raise ConfigurationError(text)
        if use not in self._uses_warned:
            self._uses_warned.add(use)
            log.warning("%s", text)

    def check_workers(self, environ: Mapping[str, Any]) -> None:
        """Warn once if the server says that several workers serve, and they don't share this store.

        Called with each request that relies on the store. ``wsgi.multiprocess`` may be wrong either way, see
        `check_processes`; ``single_process`` overrules it.

        Args:
            environ: The WSGI environment of a request.

        Raises:
            ConfigurationError: In place of the warning, with ``strict``.
        """
        if self.shared or not environ.get("wsgi.multiprocess") or self._workers_warned or self.single_process:
            return
        text = f"several workers serve, and each has its own {type(self).__name__}: use SQLiteStore or RedisStore"
        if self.strict:
            raise ConfigurationError(text)
        self._workers_warned = True
        log.warning("%s", text)

    # --- what a subclass implements; see the module's docstring for what it may rely on and must hold

    @abstractmethod
    def _claim(self, key: str, lifetime: float) -> bool:
        """Add an entry and return ``True``, or return ``False`` if a live one exists."""

    @abstractmethod
    def _spend(self, key: str, number: int, lifetime: float) -> bool:
        """Return whether ``number`` could be spent. `advance_window` says whether it can."""

    @abstractmethod
    def _increment(self, key: str, lifetime: float) -> int:
        """Add 1 to a counter that starts at 0, and return the sum."""

    @abstractmethod
    def _put(self, key: str, value: str, lifetime: float) -> None:
        """Add an entry, or replace it together with its lifetime."""

    @abstractmethod
    def _get(self, key: str) -> str | None:
        """Return the value of a live entry, else ``None``."""

    # --- what a subclass may implement as well

    def _get_many(self, keys: Sequence[str]) -> list[str | None]:
        """Return what `_get` returns for each key. Override it if the back end can read them at once."""
        return [self._get(key) for key in keys]

    # --- for the features that need it

    def _replace(self, key: str, old: str | None, new: str, lifetime: float) -> bool:
        """Store ``new`` with its lifetime and return ``True``, if the live value is ``old`` (``None``: no entry)."""
        raise self._not_implemented("_replace")

    def _increment_many(self, counters: Sequence[tuple[str, float]]) -> list[Count]:
        """Add 1 to each counter (key and lifetime), as `_increment`. Shorten rests that are longer."""
        raise self._not_implemented("_increment_many")

    def _decrement(self, keys: Sequence[str]) -> None:
        """Take 1 from each live counter, and leave its lifetime as it is. Remove a counter that reaches 0."""
        raise self._not_implemented("_decrement")

    def _forget(self, keys: Sequence[str]) -> None:
        """Remove the entries."""
        raise self._not_implemented("_forget")

    # --- inside

    def _call(self, operation: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return operation(*args, **kwargs)
        except self.unavailable_errors as error:
            # Only the type: the text may hold the password of a connection.
            raise self._failed(error) from None

    def _entry_key(self, purpose: str, key: str) -> str:
        return _key_prefix(self.prefix, purpose) + hashlib.sha256(key.encode(errors="surrogatepass")).hexdigest()

    def _not_a_text(self, method: str, value: object) -> AuthUnavailable:
        return AuthUnavailable(
            reason=f"{type(self).__name__}: {method} returned a {type(value).__name__}: it must return a str or None"
        )

    def _not_implemented(self, method: str) -> ConfigurationError:
        return ConfigurationError(
            f"{type(self).__name__} has no method {method}: implement it, or use MemoryStore, SQLiteStore or RedisStore"
        )

    def _failed(self, error: Exception) -> AuthUnavailable:
        # Only the type of the exception: the text of a connection's may hold its password.
        return AuthUnavailable(
            reason=f"{type(self).__name__}: its back end raised {type(error).__name__}: look whether the store is "
            "reachable, writable and not full"
        )

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.prefix}>"


def advance_window(number: int, highest: int, seen: int) -> tuple[int, int] | None:
    """Return the window of a series after ``number`` was spent, or ``None`` if it can't be spent.

    For stores that keep a window as two integers. A series begins with `EMPTY_WINDOW`.

    Args:
        number: The number to spend, from 1 on.
        highest: The highest number that was spent.
        seen: The numbers up to ``highest`` that were spent: bit n stands for ``highest - n``.

    Returns:
        The new ``highest`` and ``seen``. ``None`` if ``number`` was spent before, or lies `WINDOW` or more behind.
    """
    ahead = number - highest
    if ahead > 0:
        return number, ((seen << ahead if ahead < WINDOW else 0) & _WINDOW_MASK) | 1
    if -ahead >= WINDOW:  # before the shift, whose result would have as many bits as the client wants
        return None
    bit = 1 << -ahead
    return None if seen & bit else (highest, seen | bit)


def validated_store(store: Store) -> Store:
    """Return ``store``.

    Raises:
        TypeError: It isn't a `Store`.
    """
    if not isinstance(store, Store):
        raise TypeError(f"store must be a Store, not {store!r}: see flask_unauthorized.stores")
    return store


@functools.lru_cache(maxsize=64)
def _key_prefix(prefix: str, purpose: str) -> str:
    if not is_token(purpose):
        raise ValueError(f"purpose must be a token such as 'digest', not {purpose!a}")
    return f"{prefix}:{purpose}:"


def _validated_value(name: str, value: str) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{name} must be a str, not {type(value).__name__}")
    if len(value.encode()) > MAX_VALUE:
        raise ValueError(f"{name} is longer than {MAX_VALUE} bytes")
    return value


def _validated_lifetime(lifetime: float) -> float:
    if isinstance(lifetime, bool) or not isinstance(lifetime, (int, float)):
        raise TypeError(f"lifetime must be a number of seconds, not {lifetime!r}")
    if math.isnan(lifetime) or lifetime <= 0 or lifetime > MAX_LIFETIME:
        raise ValueError(f"lifetime must be more than 0 and at most {MAX_LIFETIME:.0f} seconds, not {lifetime!r}")
    return max(MIN_LIFETIME, float(lifetime))

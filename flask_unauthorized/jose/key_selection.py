"""Finding the keys for a token: the `Keys` interface, and `StaticKeys`.

`JWT` asks its `Keys` for candidates by the key id and the algorithm in the token's header, and tries them in order.
The token can't name a key of its own: it chooses among the issuer's keys. `JWT` tries the first `MAX_CANDIDATES`,
so a token without a key id costs no more than that many checks of a signature. The limit stands there and not here,
because `LongKeys` first drops keys that are too short.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Final, Protocol, runtime_checkable

from flask import Flask

from ..errors import ConfigurationError
from ..logs import log
from .keys import Key

MAX_CANDIDATES: Final = 4
"""Most candidates that `JWT` tries for one token."""
MAX_NAMED: Final = 100
"""Most keys that the log names because they are too short."""


class Keys(Protocol):
    """The keys of an issuer. Implement it to take them from a place of your own."""

    def candidates(self, kid: str | None, algorithm: str) -> Sequence[Key]:
        """Return the keys to try for a token, the most probable first, or none. Only the first four are tried.

        Args:
            kid: The key id in the token's header, or ``None``.
            algorithm: The ``alg`` in the token's header.

        Raises:
            AuthUnavailable: The keys can't be known now (503).
        """
        ...


@runtime_checkable
class RenewableKeys(Keys, Protocol):
    """Keys that may have changed since they were looked up, also under the same key ids."""

    def newer(self, kid: str | None, algorithm: str, tried: Sequence[Key]) -> Sequence[Key]:
        """Return newer keys for a token whose candidates did not sign it, or none.

        Args:
            kid: The key id in the token's header, or ``None``.
            algorithm: The ``alg`` in the token's header.
            tried: All candidates of the first call.

        Raises:
            AuthUnavailable: The keys can't be known now (503).
        """
        ...


class StaticKeys:
    """Keys that never change."""

    def __init__(self, keys: Iterable[Key]) -> None:
        self._keys = tuple(keys)
        for key in self._keys:
            if not isinstance(key, Key):
                raise ConfigurationError(
                    f"a key must be made by hmac_key(), public_key_pem(), public_key_jwk() or read_key_set(): "
                    f"{type(key).__name__} is none"
                )
        if not self._keys:
            raise ConfigurationError("keys is empty: give one at least")
        pairs = {(kid, name) for key in self._keys for name in key.algorithms for kid in (key.kid, None)}
        self._selected = {(kid, name): select_keys(self._keys, kid, name) for kid, name in pairs}

    def candidates(self, kid: str | None, algorithm: str) -> Sequence[Key]:
        """Return the keys to try for a token: see `select_keys`."""
        selected = self._selected.get((kid, algorithm))
        return select_keys(self._keys, kid, algorithm) if selected is None else selected

    @property
    def kids(self) -> tuple[str | None, ...]:
        """The key ids, for the log."""
        return tuple(key.kid for key in self._keys)

    def __iter__(self) -> Iterator[Key]:
        return iter(self._keys)

    def __repr__(self) -> str:
        return f"<StaticKeys {list(self._keys)}>"


class LongKeys:
    """The keys of an issuer without RSA keys that are shorter than ``min_rsa_bits``, which the log names once.

    It wraps keys that may change, such as those that are fetched. `JWT` makes one only for a minimum above that of all
    keys.
    """

    def __init__(self, keys: Keys, min_rsa_bits: int) -> None:
        self.min_rsa_bits = min_rsa_bits
        self._keys = keys
        self._named: set[str] = set()

    def candidates(self, kid: str | None, algorithm: str) -> Sequence[Key]:
        """Return those of the keys to try that are long enough: see `Keys`."""
        return self._long_enough(self._keys.candidates(kid, algorithm))

    def newer(self, kid: str | None, algorithm: str, tried: Sequence[Key]) -> Sequence[Key]:
        """Return newer keys that are long enough: see `RenewableKeys`. None if the keys can't be renewed."""
        keys = self._keys
        if not isinstance(keys, RenewableKeys):
            return ()
        short = [key for key in keys.candidates(kid, algorithm) if key.is_shorter_than(self.min_rsa_bits)]
        return self._long_enough(keys.newer(kid, algorithm, (*tried, *short)))

    @property
    def kids(self) -> object:
        """The key ids, for the log; ``None`` if the keys don't have this attribute."""
        return getattr(self._keys, "kids", None)

    def check_app(self, app: Flask) -> None:
        """Check the keys before an app's first request, if they have such a check."""
        check = getattr(self._keys, "check_app", None)
        if callable(check):
            check(app)

    def _long_enough(self, keys: Sequence[Key]) -> Sequence[Key]:
        found = [key for key in keys if not key.is_shorter_than(self.min_rsa_bits)]
        if len(found) < len(keys):
            for key in keys:
                if key not in found and key.thumbprint not in self._named and len(self._named) < MAX_NAMED:
                    self._named.add(key.thumbprint)
                    log.warning(_SHORT, key, key.material.key_size, self.min_rsa_bits)
        return found

    def __repr__(self) -> str:
        return f"<LongKeys {self._keys!r}>"


_SHORT: Final = (
    "%r of the issuer has %d bits and min_rsa_bits=%d, so tokens by it are rejected: have the issuer replace it"
)


def select_keys(keys: Collection[Key], kid: str | None, algorithm: str) -> tuple[Key, ...]:
    """Return the keys that fit a token.

    Args:
        keys: All keys of the issuer.
        kid: The key id in the token's header. Keys with that id are tried, else keys without an id. ``None``: all keys
            that serve the algorithm, for issuers that write no key id even while they have two keys.
        algorithm: The ``alg`` in the token's header.
    """
    found: list[Key] = []
    if kid is not None:
        found = [key for key in keys if key.kid == kid and algorithm in key.algorithms]
    if not found:
        found = [key for key in keys if (kid is None or key.kid is None) and algorithm in key.algorithms]
    return tuple(found)

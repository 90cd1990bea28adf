"""Options that several schemes have, checked in one way."""

from collections.abc import Sequence

from ..errors import ConfigurationError


def chosen(what: str, given: Sequence[str], known: tuple[str, ...]) -> tuple[str, ...]:
    """``given``, which must be of ``known``; refuses what is unknown, twice, or nothing."""
    if isinstance(given, str):
        raise TypeError(f'{what}={given!r} is a bare string: write ("{given}",)')
    names = tuple(given)
    for name in names:
        if name not in known or names.count(name) > 1:
            raise ConfigurationError(f"{what} has {name!a} unknown or twice: choose from {', '.join(known)}")
    if not names:
        raise ConfigurationError(f"{what} is empty: choose from {', '.join(known)}")
    return names

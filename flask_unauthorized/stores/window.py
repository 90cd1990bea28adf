"""The window of a series of numbers: which of the last ones were spent."""

from typing import Final

WINDOW: Final = 64
"""How far behind the highest number of a series an unused one may come and still be spent."""
FIRST: Final = (0, 0)
"""The window of a series that has begun with nothing."""

_MASK: Final = (1 << WINDOW) - 1


def spent(number: int, highest: int, seen: int) -> tuple[int, int] | None:
    """The window after ``number`` was spent, ``None`` where it was before, or lies too far behind.

    Bit n of ``seen`` stands for ``highest - n``.
    """
    ahead = number - highest
    if ahead > 0:
        return number, ((seen << ahead if ahead < WINDOW else 0) & _MASK) | 1
    if -ahead >= WINDOW:  # before the shift: its result would have as many bits as the client wants
        return None
    bit = 1 << -ahead
    return None if seen & bit else (highest, seen | bit)

"""`Limit`: how many failures are free, and for how long they count."""

from datetime import timedelta
from typing import Any, Final

from ..arguments import validated_whole_seconds
from ..errors import ConfigurationError

DAY: Final = 86_400
MAX_FAILURES: Final = 1_000_000


class Limit:
    """A number of failures in a time.

    Example:
        Allow three failures in five minutes::

            from flask_unauthorized.stores.memory import MemoryStore
            from flask_unauthorized.throttle import Limit, Throttle

            throttle = Throttle(MemoryStore(single_process=True), per_pair=Limit(3, 300))

    Args:
        failures: How many failures a caller may have before each further attempt has to wait.
        seconds: The time in seconds, or a `timedelta`: at least one second, at most one day.

    Raises:
        ConfigurationError: If a value is out of range.
        TypeError: If a value has the wrong type.
    """

    __slots__ = ("failures", "seconds")

    def __init__(self, failures: int, seconds: int | timedelta) -> None:
        if isinstance(failures, bool) or not isinstance(failures, int):
            raise TypeError(f"failures must be an int, not {failures!r}: write such as Limit(5, 60)")
        if not 1 <= failures <= MAX_FAILURES:
            raise ConfigurationError(f"failures must be 1 to {MAX_FAILURES}, not {failures}")
        self.failures: Final = failures
        self.seconds: Final = validated_whole_seconds("the time of a Limit", seconds, least=1, most=DAY)

    def __repr__(self) -> str:
        return f"Limit({self.failures}, {self.seconds})"


def validated_limit(name: str, value: Any) -> Limit:
    """Return ``value``.

    Args:
        name: The name of the argument, for the message.
        value: What the developer passed.

    Raises:
        TypeError: If it isn't a `Limit`.
    """
    if not isinstance(value, Limit):
        raise TypeError(f"{name} must be a Limit such as Limit(5, 60), not {value!r}")
    return value

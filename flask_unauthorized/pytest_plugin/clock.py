"""`Clock`: moves the time that this package and the app read, so that tests need not sleep.

`time.time` and `time.monotonic` are replaced for the whole process, because stores read both and apps read them, too.
Modules of this package that have imported ``time`` or ``datetime`` by name get the moved ones. Code of others that has
done so, and the databases, keep their own time.
"""

import sys
import time
from datetime import datetime, timedelta, tzinfo
from typing import Any

_time, _monotonic = time.time, time.monotonic


class Clock:
    """The time of this process, which can be moved forward."""

    def __init__(self) -> None:
        self.offset = 0.0
        self._replaced: list[tuple[Any, str, Any, Any]] = []

    def advance(self, by: float | timedelta) -> None:
        """Move the time forward.

        Args:
            by: Seconds, or a `timedelta`. It must not be negative.
        """
        seconds = by.total_seconds() if isinstance(by, timedelta) else float(by)
        if not 0 <= seconds < float("inf"):
            raise ValueError(f"the clock can't move by {by!r}: pass seconds or a timedelta, 0 or more")
        if not self._replaced:
            self._replace()
        self.offset += seconds

    def restore(self) -> None:
        """Give the process its own time back.

        What another tool, such as freezegun, has replaced since is left alone. Otherwise what that tool had put there
        before would come back after its end. The moved time that it may keep stands still at no offset.
        """
        while self._replaced:
            owner, name, before, moved = self._replaced.pop()
            if getattr(owner, name) is moved:
                setattr(owner, name, before)
        self.offset = 0.0

    def _replace(self) -> None:
        def moved_time() -> float:
            return _time() + self.offset

        def moved_monotonic() -> float:
            return _monotonic() + self.offset

        self._set(time, "time", moved_time)
        self._set(time, "monotonic", moved_monotonic)
        moved_datetime = self._moved_datetime()
        for name, module in [*sys.modules.items()]:
            if name.startswith("flask_unauthorized.") and name != __name__:
                if getattr(module, "time", None) is _time:
                    self._set(module, "time", moved_time)
                if getattr(module, "datetime", None) is datetime:
                    self._set(module, "datetime", moved_datetime)

    def _moved_datetime(self) -> type[datetime]:
        clock = self

        class _Kind(type):
            def __instancecheck__(cls, instance: object) -> bool:
                return isinstance(instance, datetime)

        class _Moved(datetime, metaclass=_Kind):
            @classmethod
            def now(cls, tz: tzinfo | None = None) -> Any:
                return datetime.now(tz) + timedelta(seconds=clock.offset)

        return _Moved

    def _set(self, owner: Any, name: str, value: Any) -> None:
        self._replaced.append((owner, name, getattr(owner, name), value))
        setattr(owner, name, value)

"""A store whose operations can be interrupted: by another request, by an outage, or by the end of the process.

`Steps` counts the operations of one thread. `every_step` repeats a story for each of them, so that the other request
comes, or the process dies, before and after each operation.
"""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from flask_unauthorized.stores.memory import MemoryStore


class ProcessDied(BaseException):
    """The process ended here, so no handler of an exception may do anything about it."""


class Steps(MemoryStore):
    """A store that runs an action before or after one operation of a thread, once."""

    def __init__(self) -> None:
        super().__init__()
        self._plans = threading.local()

    def interrupt(self, action: Callable[[], Any], number: int, *, after: bool = False) -> None:
        """Run ``action`` at the operation of this number of this thread, counted from 1."""
        self._plans.left, self._plans.after, self._plans.action = number, after, action

    def let_go(self) -> bool:
        """Interrupt this thread no more. Return whether it was interrupted."""
        found, self._plans.action = getattr(self._plans, "action", None), None
        return found is None

    def _step(self, operation: Callable[..., Any], *args: Any) -> Any:
        plans = self._plans
        action = getattr(plans, "action", None)
        if action is None:
            return operation(self, *args)
        plans.left -= 1
        if plans.left:
            return operation(self, *args)
        plans.action = None
        if not plans.after:
            action()
            return operation(self, *args)
        found = operation(self, *args)
        action()
        return found


for _name in ("_get", "_get_many", "_put", "_replace", "_claim", "_increment"):

    def _counted(self: Steps, *args: Any, _real: Callable[..., Any] = getattr(MemoryStore, _name)) -> Any:
        return self._step(_real, *args)

    setattr(Steps, _name, _counted)


def every_step(most: int = 80) -> Iterator[int]:
    """Give 1, 2, 3 and so on. The caller ends the loop where nothing was interrupted."""
    yield from range(1, most)
    raise AssertionError(f"the request took {most} operations, or the loop doesn't end")


def in_another_request(action: Callable[[], Any]) -> Any:
    """Do it in a thread, which has contexts of its own."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(action).result(60)

"""Locks and `fork`."""

import os
import threading
from typing import Any, Final
from weakref import WeakSet

_holders: Final[WeakSet[Any]] = WeakSet()


def renew_after_fork(holder: Any) -> None:
    """Gives ``holder`` a new ``_lock`` in every child process: one that another thread held would stay locked there."""
    _holders.add(holder)


def _renew() -> None:
    for holder in _holders:
        holder._lock = threading.Lock()


if hasattr(os, "register_at_fork"):  # not on Windows, which doesn't fork
    os.register_at_fork(after_in_child=_renew)

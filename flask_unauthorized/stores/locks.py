"""Locks that survive `fork`.

A child process has only the thread that forked. If another thread held a lock at that moment, its copy in the child is
never released. So every holder of a lock is registered, and gets a new lock in each child.
"""

import os
import threading
from typing import Final, Protocol
from weakref import WeakSet


class _LockHolder(Protocol):
    _lock: threading.Lock


_holders: Final[WeakSet[_LockHolder]] = WeakSet()


def renew_after_fork(holder: _LockHolder) -> None:
    """Give ``holder`` a new ``_lock`` in every child process.

    Args:
        holder: An object with a `threading.Lock` in its attribute ``_lock``. It is not kept alive.
    """
    _holders.add(holder)


def _renew_locks() -> None:
    for holder in _holders:
        holder._lock = threading.Lock()


if hasattr(os, "register_at_fork"):  # not on Windows, which doesn't fork
    os.register_at_fork(after_in_child=_renew_locks)

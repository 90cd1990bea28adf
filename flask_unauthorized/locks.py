"""Locks that survive `fork`.

A child process has only the thread that forked. If another thread held a lock at that moment, its copy in the child is
never released, and the child's first request would wait forever. So every holder of a lock is registered, and gets a
new lock in each child. What the lock protects is still usable then: the holders change it so that it is valid between
any two instructions.
"""

import os
import threading
from collections.abc import Callable
from typing import Any, Final, Protocol
from weakref import WeakKeyDictionary


class _LockHolder(Protocol):
    _lock: Any


_make_lock_by_holder: Final[WeakKeyDictionary[_LockHolder, Callable[[], Any]]] = WeakKeyDictionary()


def renew_after_fork(holder: _LockHolder, make_lock: Callable[[], Any] = threading.Lock) -> None:
    """Give ``holder`` a new ``_lock`` in every child process.

    Args:
        holder: An object with a lock in its attribute ``_lock``. It is not kept alive.
        make_lock: Makes the lock: `threading.Lock` or `threading.RLock`.
    """
    _make_lock_by_holder[holder] = make_lock


def _renew_locks() -> None:
    for holder, make_lock in _make_lock_by_holder.items():
        holder._lock = make_lock()


if hasattr(os, "register_at_fork"):  # not on Windows, which doesn't fork
    os.register_at_fork(after_in_child=_renew_locks)

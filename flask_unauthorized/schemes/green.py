"""gevent: whether it has replaced threads by greenlets in this process."""

import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any


def threads_are_greenlets() -> bool:
    """Return whether gevent's monkey patching has replaced the `threading` module's threads.

    Looks at the loaded modules only: an app that doesn't use gevent never imports it because of this question.
    """
    monkey = sys.modules.get("gevent.monkey")
    return monkey is not None and bool(monkey.is_module_patched("threading"))


def in_real_thread(function: Callable[..., Any], *arguments: Any) -> Any:
    """Return what ``function`` returns in a thread of gevent's pool, and let other greenlets run in the meantime."""
    return import_module("gevent").get_hub().threadpool.apply(function, arguments)

"""Results of async loaders, for code that is not async.

A loader may be an ``async def`` function, while schemes and views are mostly sync. `resolve_awaitable` waits for its
result. Where the coroutine runs depends on what surrounds the call:

1. **gevent has replaced threads.** All requests share one thread, and only one event loop may run in it. The coroutine
   runs in a real thread of gevent's pool, so that other requests go on in the meantime.
2. **An event loop runs in this thread**, because the view is async. A loop can't be entered twice. The coroutine runs
   in a helper thread that has its own loop.
3. **Otherwise** Flask's own ``async_to_sync`` runs it (the extra ``flask[async]``).

In the first two cases a copy of the context goes along, so the loader finds ``request`` and ``current_app`` as usual.
Neither asyncio nor gevent is imported unless the app has done so, because an app without async loaders shouldn't pay
for them.
"""

import contextvars
import sys
import threading
from importlib import import_module
from typing import Any

from flask import current_app


def resolve_awaitable(value: Any) -> Any:
    """Return ``value``, or its result if it can be awaited.

    The test is for ``__await__``, because a wrapped loader may return another awaitable than a coroutine.

    Args:
        value: What a loader returned.

    Returns:
        ``value`` itself if it isn't awaitable, else its result. An exception of the coroutine is raised here.
    """
    if not hasattr(type(value), "__await__"):
        return value
    if threads_are_greenlets():
        import asyncio

        context = contextvars.copy_context()
        return import_module("gevent").get_hub().threadpool.apply(context.run, (asyncio.run, _await(value)))
    return _run_in_thread(value) if _is_loop_running() else current_app.async_to_sync(_await)(value)


def threads_are_greenlets() -> bool:
    """Return whether gevent's monkey patching has replaced the threads of the `threading` module."""
    monkey = sys.modules.get("gevent.monkey")
    return monkey is not None and bool(monkey.is_module_patched("threading"))


def _is_loop_running() -> bool:
    # Importing asyncio takes ten times as long as importing this package. If nothing has imported it, no loop runs.
    asyncio = sys.modules.get("asyncio")
    if asyncio is None:
        return False
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


async def _await(value: Any) -> Any:
    return await value


def _run_in_thread(value: Any) -> Any:
    """Await ``value`` in a helper thread with its own event loop."""
    import asyncio

    context = contextvars.copy_context()
    result: list[Any] = []
    failure: list[BaseException] = []

    def run() -> None:
        try:
            result.append(context.run(asyncio.run, _await(value)))
        except BaseException as error:  # raised again in the thread that waits
            failure.append(error)

    thread = threading.Thread(target=run, name="flask_unauthorized loader")
    thread.start()
    thread.join()
    if failure:
        # The list must not keep the error: its traceback holds this frame, which holds the list.
        raise failure.pop()
    return result[0]

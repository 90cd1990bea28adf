"""Waiting for loaders that are async, from code that is not."""

import contextvars
import sys
import threading
from typing import Any

from flask import current_app

from .green import in_real_thread, threads_are_greenlets


def settle(value: Any) -> Any:
    """``value``, or what it gives when awaited; coroutines are recognised however they were wrapped.

    Without a running loop the app's own ``async_to_sync`` does it (Flask's extra ``async``). Inside one (an async view)
    a helper thread with its own loop and a copy of the context does, so that the view's loop isn't entered twice.
    Under gevent all requests share one thread, in which only one loop may run: a thread of gevent's pool does it.
    """
    if not hasattr(type(value), "__await__"):
        return value
    if threads_are_greenlets():
        import asyncio

        return in_real_thread(contextvars.copy_context().run, asyncio.run, _wait(value))
    return _in_thread(value) if _loop_runs() else current_app.async_to_sync(_wait)(value)


def _loop_runs() -> bool:
    # Importing asyncio takes ten times as long as importing this package; where nobody has, no loop runs.
    asyncio = sys.modules.get("asyncio")
    if asyncio is None:
        return False
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


async def _wait(value: Any) -> Any:
    return await value


def _in_thread(value: Any) -> Any:
    import asyncio

    context = contextvars.copy_context()
    result: list[Any] = []
    failure: list[BaseException] = []

    def run() -> None:
        try:
            result.append(context.run(asyncio.run, _wait(value)))
        except BaseException as error:
            failure.append(error)

    thread = threading.Thread(target=run, name="flask_unauthorized loader")
    thread.start()
    thread.join()
    if failure:
        # Popped, so that this frame, which the traceback holds, doesn't hold the error in turn.
        raise failure.pop()
    return result[0]

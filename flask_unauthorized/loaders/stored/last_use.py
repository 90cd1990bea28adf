"""`Pacer`: lets something happen once per key and interval in this process, such as writing when a token was used.

A write on each request is what token tables fail with: all requests with one token queue for one row. So a process
tries it once per token and interval. It remembers `MOST` tokens, and may write more often if more are in use.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Hashable
from typing import Final

from ...locks import renew_after_fork

MOST: Final = 4096
"""How many keys a process remembers."""


class Pacer:
    """See the module.

    Args:
        interval: The interval in seconds.
    """

    def __init__(self, interval: float) -> None:
        self._interval = interval
        self._lock = threading.Lock()
        self._last: OrderedDict[Hashable, float] = OrderedDict()
        renew_after_fork(self)

    def is_due(self, key: Hashable) -> bool:
        """Return whether it may happen now. If so, the interval begins."""
        now = time.monotonic()
        with self._lock:
            last = self._last.get(key)
            if last is not None and now - last < self._interval:
                return False
            self._last[key] = now
            self._last.move_to_end(key)
            if len(self._last) > MOST:
                self._last.popitem(last=False)
            return True

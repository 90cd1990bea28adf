"""Limit failed attempts to log in: ``Basic(load, throttle=Throttle(store))``.

- ``Throttle``: the limits of schemes and login forms.
- ``Limit``: a number of failures in a time.
- ``Attempt``: one attempt of a login form, as ``throttle.attempt(name)`` returns it.
"""

from typing import TYPE_CHECKING

from ..lazy_names import lazy_names

if TYPE_CHECKING:
    from .limits import Limit as Limit
    from .throttle import Attempt as Attempt
    from .throttle import Throttle as Throttle
else:
    __getattr__, __dir__ = lazy_names(
        __name__,
        {".limits": ["Limit"], ".throttle": ["Attempt", "Throttle"]},
    )

__all__ = ["Attempt", "Limit", "Throttle"]

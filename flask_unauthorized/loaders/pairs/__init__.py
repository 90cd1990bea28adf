"""Access and refresh tokens for apps that log their own users in.

The access token is short-lived and signed. The refresh token is stored. The extra ``tokens`` has what this needs.

- ``Pairs``: the loader, which also issues, refreshes and revokes.
- ``Pair``: the two tokens that a client gets.
- ``GrantRefused``: the error with which a refresh is refused (400).
"""

from typing import TYPE_CHECKING

from ...lazy_names import lazy_names

if TYPE_CHECKING:
    from .pair import GrantRefused as GrantRefused
    from .pair import Pair as Pair
    from .pairs import Pairs as Pairs
else:
    __getattr__, __dir__ = lazy_names(__name__, {".pair": ["GrantRefused", "Pair"], ".pairs": ["Pairs"]})

__all__ = ["GrantRefused", "Pair", "Pairs"]

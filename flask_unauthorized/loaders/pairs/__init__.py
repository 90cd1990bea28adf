"""`Pairs`: a short signed access token and a stored refresh token, for apps that log their own users in.

The extra ``tokens`` has what it needs.
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

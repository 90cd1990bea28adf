"""`StoredTokens`: tokens that the app issues itself and keeps in its database (extra ``tokens``).

`TokenFormat` needs no SQLAlchemy, so that a secret scanner can use it alone.
"""

from typing import TYPE_CHECKING

from ...lazy_names import lazy_names

if TYPE_CHECKING:
    from .format import TokenFormat as TokenFormat
    from .records import AlreadyRotated as AlreadyRotated
    from .records import Issued as Issued
    from .records import TokenEnded as TokenEnded
    from .records import TokenRecord as TokenRecord
    from .records import TooManyTokens as TooManyTokens
    from .records import UnknownToken as UnknownToken
    from .table import StoredTokenMixin as StoredTokenMixin
    from .table import tokens_table as tokens_table
    from .tokens import StoredTokens as StoredTokens
else:
    __getattr__, __dir__ = lazy_names(
        __name__,
        {
            ".format": ["TokenFormat"],
            ".records": [
                "AlreadyRotated",
                "Issued",
                "TokenEnded",
                "TokenRecord",
                "TooManyTokens",
                "UnknownToken",
            ],
            ".table": ["StoredTokenMixin", "tokens_table"],
            ".tokens": ["StoredTokens"],
        },
    )

__all__ = [
    "StoredTokens", "StoredTokenMixin", "tokens_table", "TokenFormat", "TokenRecord", "Issued",
    "AlreadyRotated", "TokenEnded", "TooManyTokens", "UnknownToken",
]  # fmt: skip

"""Tokens that the app issues itself and keeps in its database.

The extra ``tokens`` has what this needs. ``TokenFormat`` needs no SQLAlchemy, so that a secret scanner can use it
alone.

- ``StoredTokens``: the loader, which also issues, lists, rotates and revokes tokens.
- ``Issued`` and ``TokenRecord``: a new token, and what the database has about a token.
- ``StoredTokenMixin`` and ``tokens_table``: the table, in a model or in the metadata of your app.
- ``UnknownToken``, ``TokenEnded``, ``AlreadyRotated`` and ``TooManyTokens``: why a call couldn't do its work.
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

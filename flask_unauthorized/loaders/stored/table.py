"""The table of stored tokens: as a ready table, or as a mixin for an app's own model.

All columns have plain types, and no column has a default of the server, so that Alembic writes the same migration for
each database and finds no difference afterwards. Two databases decide about two columns:

- The collations of MySQL and MariaDB ignore case and trailing blanks: ``WHERE owner = 'ada'`` finds Ada's tokens. So
  ``owner_key``, the SHA-256 of the owner, is what statements compare. ``owner`` is for reading only.
- MariaDB cuts off fractions of seconds. So all times are whole seconds, in UTC, and without a time zone.

``kind``, ``family`` and ``data`` are for other kinds of tokens in the same table. Each kind finds its own rows only:
a refresh token is never accepted as an access token. ``family`` is the first token of a chain of rotations.
"""

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from ...errors import ConfigurationError
from .format import HINT_LENGTH

try:
    from sqlalchemy import BigInteger, Column, DateTime, Integer, MetaData, String, Table, Text
    from sqlalchemy.orm import declared_attr
except ImportError as missing:
    raise ImportError("StoredTokens needs SQLAlchemy 2: pip install 'flask-unauthorized[tokens]'") from missing

if TYPE_CHECKING:
    from sqlalchemy.orm import Mapped

DEFAULT_NAME: Final = "auth_tokens"
MAX_OWNER: Final = 255
"""Longest owner, in characters."""
MAX_NAME: Final = 100
"""Longest name of a token, in characters."""
# SQLite counts up only in columns of the type INTEGER.
_NUMBER: Final = BigInteger().with_variant(Integer(), "sqlite")

_COLUMNS: Final[dict[str, Callable[[], Column[Any]]]] = {
    "id": lambda: Column("id", _NUMBER, primary_key=True, autoincrement=True),
    "kind": lambda: Column("kind", String(16), nullable=False),
    "digest": lambda: Column("digest", String(64), nullable=False, unique=True, index=True),
    "owner_key": lambda: Column("owner_key", String(64), nullable=False, index=True),
    "owner": lambda: Column("owner", String(MAX_OWNER), nullable=False),
    "name": lambda: Column("name", String(MAX_NAME), nullable=False),
    "scopes": lambda: Column("scopes", Text(), nullable=False),
    "roles": lambda: Column("roles", Text(), nullable=False),
    "hint": lambda: Column("hint", String(HINT_LENGTH), nullable=False),
    "jkt": lambda: Column("jkt", String(43), nullable=True),
    "created_at": lambda: Column("created_at", DateTime(), nullable=False),
    "expires_at": lambda: Column("expires_at", DateTime(), nullable=True),
    "last_used_at": lambda: Column("last_used_at", DateTime(), nullable=True),
    "revoked_at": lambda: Column("revoked_at", DateTime(), nullable=True),
    "ends_at": lambda: Column("ends_at", DateTime(), nullable=True),
    "replaced_by": lambda: Column("replaced_by", _NUMBER, nullable=True),
    "family": lambda: Column("family", _NUMBER, nullable=True, index=True),
    "data": lambda: Column("data", Text(), nullable=True),
}


def tokens_table(metadata: MetaData, name: str = DEFAULT_NAME, schema: str | None = None) -> Table:
    """Return a table for `StoredTokens` in your metadata.

    Example:
        Put the table into the migrations of your app::

            from sqlalchemy import MetaData, create_engine
            from flask_unauthorized.loaders.stored import StoredTokens, tokens_table

            metadata = MetaData()
            table = tokens_table(metadata, "api_tokens")
            tokens = StoredTokens(create_engine("sqlite:///tokens.db"), prefix="notes", table=table)

    Args:
        metadata: The metadata of your app, so that its migrations contain the table.
        name: The name of the table.
        schema: Its schema, on databases that have them.
    """
    return Table(name, metadata, *(make() for make in _COLUMNS.values()), schema=schema)


class StoredTokenMixin:
    """The columns of stored tokens, for a model of your own.

    Set ``__tablename__``. Further columns must be nullable or have a default, because `StoredTokens` doesn't know them.

    Example:
        Add a column to the table::

            from sqlalchemy import create_engine
            from sqlalchemy.orm import DeclarativeBase, Mapped
            from flask_unauthorized.loaders.stored import StoredTokenMixin, StoredTokens

            class Base(DeclarativeBase):
                pass

            class Token(StoredTokenMixin, Base):
                __tablename__ = "tokens"
                note: Mapped[str | None]

            tokens = StoredTokens(create_engine("sqlite:///tokens.db"), prefix="notes", table=Token)
    """

    if TYPE_CHECKING:
        id: Mapped[int]
        kind: Mapped[str]
        digest: Mapped[str]
        owner_key: Mapped[str]
        owner: Mapped[str]
        name: Mapped[str]
        scopes: Mapped[str]
        roles: Mapped[str]
        hint: Mapped[str]
        jkt: Mapped[str | None]
        created_at: Mapped[datetime]
        expires_at: Mapped[datetime | None]
        last_used_at: Mapped[datetime | None]
        revoked_at: Mapped[datetime | None]
        ends_at: Mapped[datetime | None]
        replaced_by: Mapped[int | None]
        family: Mapped[int | None]
        data: Mapped[str | None]


def _declared(make: Callable[[], Column[Any]]) -> Any:
    # Not a function with annotations: SQLAlchemy would take that of its result for that of the attribute.
    return declared_attr(lambda cls: make())


# A column that is a plain attribute of a mixin can't be used in models that are dataclasses.
for _name, _make in _COLUMNS.items():
    setattr(StoredTokenMixin, _name, _declared(_make))


def validated_table(given: Any, metadata: MetaData) -> Table:
    """Return the table of the tokens.

    Args:
        given: What the developer passed: a table, a mapped class, or ``None`` for the default table.
        metadata: Where the default table is, or will be.

    Raises:
        ConfigurationError: The table lacks columns.
        TypeError: ``given`` is neither.
    """
    table: Any
    if given is None:
        table = metadata.tables.get(DEFAULT_NAME)
        table = tokens_table(metadata) if table is None else table
    else:
        table = given if isinstance(given, Table) else getattr(given, "__table__", None)
    if not isinstance(table, Table):
        raise TypeError(f"table must be a Table or a mapped class, not {given!r}: see StoredTokenMixin")
    missing = [name for name in _COLUMNS if name not in table.c]
    if missing:
        raise ConfigurationError(
            f"the table {table.name!r} lacks {', '.join(missing)}: use tokens_table(metadata) or StoredTokenMixin"
        )
    return table

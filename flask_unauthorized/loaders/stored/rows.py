"""`TokenRows`: the statements of `StoredTokens` on the rows of its table.

Two requests may change one token at the same time. So no decision rests on a row that was read before:

1. Each change is one UPDATE whose WHERE says when it is allowed. The count of rows says whether it happened.
2. Every statement carries ``owner_key`` and ``kind``, so it can't find, change or list a token of another owner.
3. A rotation adds the new token and ends the old one in one transaction. The UPDATE of the old one demands that it was
   neither replaced nor revoked. Of two rotations, one commits. The other one is rolled back with its new token.

Revoking wins over rotating: a revoked token has no successor. The other way round, the successor is a token of its own.
"""

from datetime import timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, and_, insert, or_, select, update

from ...identity import Identity
from ...schemes.secret import Secret
from .loader import TokenLoader
from .records import AlreadyRotated, Issued, TokenEnded, TokenRecord
from .values import bounds_of, owner_key, record_of, stored_time
from .values import whole_seconds as validated_span

MAX_ID: Final = 2**63 - 1
"""Highest number in a column of the type BIGINT."""


class TokenRows(TokenLoader):
    """Reads and changes rows. It checks no argument but ids."""

    _max_lifetime: int | None

    def _bounds(self, who: Any, owner: str) -> tuple[Identity, ...]:
        """Return the identities whose scopes and roles bound those of a token. Raises `ValueError` for no owner."""
        found = None if self._load is None else self._owner(owner)
        if self._load is not None and found is None:
            raise ValueError("the owner of the token is unknown or locked: load= returned None")
        return (*bounds_of(who), *bounds_of(found))

    def _end(self, now: float, lifetime: float | timedelta | None) -> Any:
        """Return when a new token expires, ``None`` for never."""
        if lifetime is None:
            return None if self._max_lifetime is None else stored_time(int(now) + self._max_lifetime)
        span = validated_span("lifetime", lifetime, most=self._max_lifetime)
        try:
            return stored_time(int(now) + span)
        except (OverflowError, ValueError, OSError):
            raise ValueError(f"lifetime={lifetime} ends after the year 9999: use less, or leave it out") from None

    def _of(self, owner: str) -> tuple[ColumnElement[bool], ...]:
        """Return the conditions that every statement has: the owner and the kind."""
        columns = self.table.c
        return columns.owner_key == owner_key(owner), columns.kind == self.kind

    def _one(self, id: int, owner: str) -> tuple[ColumnElement[bool], ...]:  # noqa: A002  # the column's name
        """Return the conditions for one token of an owner."""
        return *self._of(owner), self.table.c.id == validated_id(id)

    def _is_valid(self, now: float) -> ColumnElement[bool]:
        columns, moment = self.table.c, stored_time(now)
        return and_(
            columns.revoked_at.is_(None),
            or_(columns.expires_at.is_(None), columns.expires_at > moment),
            or_(columns.ends_at.is_(None), columns.ends_at > moment),
        )

    def _select(self) -> Any:
        return select(*(column for column in self.table.c if column.name not in ("digest", "data")))

    def _record(self, connection: Connection, id: int, owner: str) -> TokenRecord | None:  # noqa: A002  # the column's name
        row = connection.execute(self._select().where(*self._one(id, owner))).one_or_none()
        return None if row is None else record_of(row)

    def _change(self, connection: Connection, values: dict[str, Any], *conditions: ColumnElement[bool]) -> int:
        """Run an UPDATE, and return how many rows it found."""
        return int(connection.execute(update(self.table).where(*conditions).values(**values)).rowcount)

    def _insert(self, connection: Connection, now: float, values: dict[str, Any]) -> Issued:
        """Make a token and add its row."""
        secret: Secret = self.format.make()
        values = {
            **values,
            "kind": self.kind,
            "digest": self._digests.of(secret)[0],
            "hint": self.format.hint(secret),
            "created_at": stored_time(now),
        }
        added = connection.execute(insert(self.table).values(**values))
        (number,) = added.inserted_primary_key or (None,)
        row = connection.execute(self._select().where(self.table.c.id == number)).one()
        return Issued(secret, record_of(row))

    def _replace(
        self, now: float, record: TokenRecord, values: dict[str, Any], ends_at: Any, again: bool
    ) -> tuple[Issued, TokenRecord]:
        """Add the new token and end the old one, in one transaction. Return both."""
        columns = self.table.c
        of_old = self._one(record.id, record.owner)
        by = record.replaced_by
        if again and by is not None:
            # The old one keeps its end. Its successor must not have been used, nor have ended in another way.
            ends_at = columns.ends_at
            condition = and_(columns.replaced_by == by, columns.ends_at > stored_time(now))
        else:
            condition = columns.replaced_by.is_(None)
        try:
            with self._database.transaction() as connection:
                if again and by is not None:
                    unused = (columns.last_used_at.is_(None), columns.replaced_by.is_(None), self._is_valid(now))
                    conditions = (*self._one(by, record.owner), *unused)
                    if not self._change(connection, {"revoked_at": stored_time(now)}, *conditions):
                        raise _Lost
                issued = self._insert(connection, now, values)
                replaced = {"replaced_by": issued.record.id, "ends_at": ends_at}
                # An old token that was revoked meanwhile must not get a successor.
                if not self._change(connection, replaced, *of_old, condition, columns.revoked_at.is_(None)):
                    raise _Lost
                old = self._record(connection, record.id, record.owner)
        except _Lost:
            raise self._lost(record) from None
        return issued, old or record

    def _lost(self, record: TokenRecord) -> Exception:
        """Return why a rotation was not possible, by what the row says now."""
        with self._database.connection() as connection:
            current = self._record(connection, record.id, record.owner) or record
            by = current.replaced_by
            successor = None if by is None else self._record(connection, by, record.owner)
        if current.revoked_at is not None or by is None:
            return TokenEnded(f"token {record.id} was revoked: issue a new one", current)
        return AlreadyRotated(f"token {record.id} was already replaced by token {by}", current, successor)


class _Lost(Exception):
    """Another request changed the token first. The transaction is rolled back."""


def validated_id(id: int) -> int:  # noqa: A002  # the column's name
    """Return the id of a token, or 0, which none has, for a number that no database can hold.

    Raises:
        TypeError: ``id`` isn't an `int`.
    """
    if isinstance(id, bool) or not isinstance(id, int):
        raise TypeError(f"the id of a token is an int, not {id!r}: write <int:id> in the rule of the view")
    return id if 0 < id <= MAX_ID else 0

"""`StoredTokens`: tokens that the app issues, lists, rotates and revokes.

This module has the public methods. They check what they get, and send the signals. `TokenLoader` verifies tokens,
and `TokenRows` has the statements. A signal is sent after its transaction was committed.
"""

import time
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any, Final

try:
    from sqlalchemy import delete, func, or_, select
except ImportError as missing:
    raise ImportError("StoredTokens needs SQLAlchemy 2: pip install 'flask-unauthorized[tokens]'") from missing

from ... import signals
from ...arguments import explains_arguments, validated_whole_seconds
from ...errors import ConfigurationError
from ...identity import Identity
from ..claims import validated_count
from .format import Peppers
from .records import Issued, TokenEnded, TokenRecord, TooManyTokens, UnknownToken
from .rows import TokenRows, validated_id
from .values import granted, joined, owner_key, owner_of, record_of, stored_time, thumbprint, token_name
from .values import whole_seconds as validated_span

MAX_OVERLAP: Final = 30 * 86_400
"""Longest overlap of a rotation, in seconds."""
MAX_LISTED: Final = 1000
"""Most records of one list."""


class StoredTokens(TokenRows):
    """Personal access tokens and API keys in your database.

    It is a loader for `Bearer`, `APIKey` and `DPoP`. A token is shown once, when it is issued. The database holds its
    digest. One object may serve several schemes.

    Every method takes ``who``, whom the tokens belong to: a subject, or the `Identity` of the caller. An identity also
    bounds the scopes and roles of the tokens that it issues or rotates, so a token can't get more than it has.

    Example:
        Let users make tokens for their programs::

            from sqlalchemy import create_engine
            from flask_unauthorized import Auth, Bearer
            from flask_unauthorized.loaders.stored import StoredTokens

            tokens = StoredTokens(create_engine("sqlite:///tokens.db"), prefix="notes")
            tokens.create_table()
            auth = Auth(Bearer(tokens), app=app)

            with app.app_context():
                issued = tokens.issue("ada", name="backup", scopes={"notes:read"})
                print(issued.token)  # notes_…, shown once

    Args:
        database: An `Engine`, a ``sessionmaker``, a scoped session, a callable that returns a `Session`, or the ``db``
            of Flask-SQLAlchemy. Tokens are written in transactions of their own.
        prefix: What the tokens begin with, such as ``"notes"``: 2 to 16 lower-case letters and digits.
        table: A model with `StoredTokenMixin`, or a table. Default: ``auth_tokens``, in the metadata of ``db`` if that
            was given.
        load: Gets the owner on each request and returns a user object, an `Identity` that bounds the token by its
            scopes and roles, or ``None`` for an owner who is deleted or locked. Default: the owner is the subject.
        max_lifetime: How long a token may live, in whole seconds or as a `timedelta`. ``None``: for ever.
        max_per_owner: How many valid tokens an owner may have.
        last_used_every: How precisely the last use is known, in seconds. 0: it isn't stored.
        pepper: A secret, apart from the database, that the digests depend on. A list has the newest first; its last
            member may be ``None`` for tokens from before.
        cache: How long a process may remember a token, in seconds, 60 at most. A revoked token stays valid as long.
        replica: Where tokens are looked up, as ``database``. A revoked token stays valid until the replica knows.

    Raises:
        ConfigurationError: A value is out of range, or the table lacks columns.
        TypeError: A value has the wrong type.
    """

    @explains_arguments(
        database='write StoredTokens(engine, prefix="notes")', prefix='write StoredTokens(engine, prefix="notes")'
    )
    def __init__(
        self,
        database: Any,
        *,
        prefix: str,
        table: Any = None,
        load: Callable[[str], Any] | None = None,
        max_lifetime: int | timedelta | None = timedelta(days=366),
        max_per_owner: int = 100,
        last_used_every: float | timedelta = 300,
        pepper: Peppers = None,
        cache: float | timedelta = 0,
        replica: Any = None,
    ) -> None:
        super().__init__(
            database,
            prefix=prefix,
            table=table,
            load=load,
            last_used_every=last_used_every,
            pepper=pepper,
            cache=cache,
            replica=replica,
        )
        self._max_lifetime = (
            None if max_lifetime is None else validated_whole_seconds("max_lifetime", max_lifetime, least=1)
        )
        self._max_per_owner = validated_count("max_per_owner", max_per_owner)

    def issue(
        self,
        who: Identity | str,
        *,
        name: str,
        scopes: Iterable[str] = (),
        roles: Iterable[str] = (),
        lifetime: float | timedelta | None = None,
        jkt: str | None = None,
    ) -> Issued:
        """Issue a token.

        Args:
            who: The owner. An identity must have all ``scopes`` and ``roles``.
            name: What the owner calls the token: 1 to 100 printable characters.
            scopes: What the token may do. Default: nothing.
            roles: The roles that it has.
            lifetime: How long it is valid, in seconds or as a `timedelta`. Default: ``max_lifetime``.
            jkt: The thumbprint of the client's key. Then the token is valid under `DPoP` only.

        Returns:
            The token with its record.

        Raises:
            TooManyTokens: The owner has ``max_per_owner`` valid tokens.
            ValueError: A value can't be used. The text can be shown in a form.
            TypeError: A value has the wrong type.
            AuthUnavailable: The database can't be reached.
        """
        owner = owner_of(who)
        now = time.time()
        expires = self._end(now, lifetime)
        bounds = self._bounds(who, owner)
        values = {
            "owner": owner,
            "owner_key": owner_key(owner),
            "name": token_name(name),
            "scopes": joined(granted("scopes", scopes, bounds)),
            "roles": joined(granted("roles", roles, bounds)),
            "jkt": thumbprint(jkt),
            "expires_at": expires,
        }
        columns = self.table.c
        living = select(func.count()).where(*self._of(owner), self._is_valid(now), columns.replaced_by.is_(None))
        with self._database.connection() as connection:
            count = connection.execute(living).scalar_one()
        if count >= self._max_per_owner:
            raise TooManyTokens(f"there are {count} valid tokens, and {self._max_per_owner} are allowed: revoke one")
        with self._database.transaction() as connection:
            issued = self._insert(connection, now, values)
        self._send(signals.token_issued, record=issued.record)
        return issued

    def list(
        self, who: Identity | str, *, include_ended: bool = False, after: int | None = None, limit: int = 100
    ) -> list[TokenRecord]:
        """Return records of an owner's tokens, the newest first.

        Args:
            who: The owner.
            include_ended: Whether to list tokens that have expired, were revoked or were rotated, too.
            after: The id of the last record of the previous page.
            limit: The most records to return, up to 1 000.

        Raises:
            ValueError: ``limit`` is out of range.
            AuthUnavailable: The database can't be reached.
        """
        if isinstance(limit, bool) or not isinstance(limit, int) or not 1 <= limit <= MAX_LISTED:
            raise ValueError(f"limit must be a whole number from 1 to {MAX_LISTED}, not {limit!r}")
        columns = self.table.c
        statement = self._select().where(*self._of(owner_of(who))).order_by(columns.id.desc()).limit(limit)
        if not include_ended:
            statement = statement.where(self._is_valid(time.time()))
        if after is not None:
            statement = statement.where(columns.id < validated_id(after))
        with self._database.connection() as connection:
            return [record_of(row) for row in connection.execute(statement)]

    def get(self, id: int, who: Identity | str) -> TokenRecord | None:  # noqa: A002  # as in the table
        """Return the record of a token, or ``None`` if there is none, or it belongs to another owner.

        Args:
            id: The id of the token.
            who: The owner.
        """
        with self._database.connection() as connection:
            return self._record(connection, id, owner_of(who))

    def rename(self, id: int, who: Identity | str, name: str) -> bool:  # noqa: A002  # the column's name
        """Give a token another name. Return whether it was found.

        Args:
            id: The id of the token.
            who: The owner.
            name: 1 to 100 printable characters.
        """
        values = {"name": token_name(name)}
        with self._database.transaction() as connection:
            return self._change(connection, values, *self._one(id, owner_of(who))) == 1

    def revoke(self, id: int, who: Identity | str) -> bool:  # noqa: A002  # the column's name
        """End a token now. Its successor, if it was rotated, is another token.

        Args:
            id: The id of the token.
            who: The owner.

        Returns:
            ``True`` if the token was valid until now. ``False`` if it had ended, is unknown, or has another owner.
        """
        owner, now = owner_of(who), time.time()
        revoked = {"revoked_at": stored_time(now)}
        columns = self.table.c
        with self._database.transaction() as connection:
            was_valid = self._change(connection, revoked, *self._one(id, owner), self._is_valid(now)) == 1
            is_new = was_valid or self._change(connection, revoked, *self._one(id, owner), columns.revoked_at.is_(None))
            record = self._record(connection, id, owner) if is_new else None
        if record is not None:
            self._send(signals.token_revoked, record=record)
        return was_valid

    def revoke_all(self, who: Identity | str, *, except_: int | None = None) -> int:
        """End all tokens of an owner, including those that a rotation makes meanwhile.

        Args:
            who: The owner.
            except_: The id of a token that stays, such as the one that the caller uses.

        Returns:
            How many tokens were revoked that had neither expired nor been revoked.
        """
        owner, now = owner_of(who), time.time()
        columns = self.table.c
        conditions = [*self._of(owner), columns.revoked_at.is_(None)]
        # A token that has been rotated out counts: a rotation that commits meanwhile must be seen in the next round.
        conditions.append(or_(columns.expires_at.is_(None), columns.expires_at > stored_time(now)))
        if except_ is not None:
            conditions.append(columns.id != except_)
        records: list[TokenRecord | None] = []
        total, count = 0, 1
        while count:
            with self._database.transaction() as connection:
                found = connection.execute(select(columns.id).where(*conditions)).scalars().all()
                count = self._change(connection, {"revoked_at": stored_time(now)}, *conditions)
                records += [self._record(connection, number, owner) for number in found]
            total += count
        for record in records:
            if record is not None and record.revoked_at is not None:
                self._send(signals.token_revoked, record=record)
        return total

    def rotate(
        self,
        id: int,  # noqa: A002  # the column's name
        who: Identity | str,
        *,
        overlap: float | timedelta = timedelta(hours=24),
        lifetime: float | timedelta | None = None,
        again: bool = False,
    ) -> Issued:
        """Replace a token by a new one with the same name, scopes and roles.

        Args:
            id: The id of the token.
            who: The owner. An identity must have all scopes and roles of the token.
            overlap: How long the old token stays valid, so that programs can be changed: in seconds or as a
                `timedelta`, 30 days at most, and never longer than it would have been. 0 if it leaked.
            lifetime: How long the new token is valid. Default: as long as the old one was at the beginning.
            again: The new token got lost on its way. Revoke the successor, if it was never used, and make another one.

        Returns:
            The new token with its record.

        Raises:
            AlreadyRotated: The token was rotated before; with ``again``, its successor was used or has ended.
            TokenEnded: The token has expired or was revoked.
            UnknownToken: There is none with this id, or it belongs to another owner.
            ValueError: A value can't be used.
            AuthUnavailable: The database can't be reached.
        """
        owner, now = owner_of(who), time.time()
        seconds = _validated_overlap(overlap)
        if again and not self._every:
            raise ConfigurationError("again=True needs last_used_every: without it, it isn't known what was used")
        with self._database.connection() as connection:
            old = connection.execute(self._select().where(*self._one(id, owner))).one_or_none()
        if old is None:
            raise UnknownToken(f"token {id!r} is unknown")
        record, bounds = record_of(old), self._bounds(who, owner)
        if record.revoked_at is not None or (old.expires_at is not None and old.expires_at <= stored_time(now)):
            raise TokenEnded(f"token {id} is {record.state}: issue a new one", record)
        values = {
            "owner": owner,
            "owner_key": old.owner_key,
            "name": old.name,
            "scopes": joined(granted("scopes", record.scopes, bounds)),
            "roles": joined(granted("roles", record.roles, bounds)),
            "jkt": old.jkt,
            "expires_at": self._end(now, self._lifetime_of(old) if lifetime is None else lifetime),
            "family": old.family or old.id,
        }
        end = stored_time(now + seconds)
        ends_at = end if old.expires_at is None else min(end, old.expires_at)
        issued, replaced = self._replace(now, record, values, ends_at, again)
        self._send(signals.token_rotated, record=replaced, successor=issued.record)
        return issued

    def prune(self, *, ended_before: float | timedelta = timedelta(days=30)) -> int:
        """Delete tokens that ended long ago. Run it from a scheduled job.

        Args:
            ended_before: How long ago, in seconds or as a `timedelta`. Until then, lists show how a token ended, and
                the use of a replaced one is reported.

        Returns:
            How many were deleted.
        """
        limit = stored_time(time.time() - validated_span("ended_before", ended_before, most=None))
        columns = self.table.c
        ended = (columns.expires_at < limit, columns.revoked_at < limit, columns.ends_at < limit)
        with self._database.transaction() as connection:
            return int(connection.execute(delete(self.table).where(columns.kind == self.kind, or_(*ended))).rowcount)

    def create_table(self) -> None:
        """Create the table and its indexes, unless it exists. Apps with migrations don't need this.

        Several workers may call it at the same time.
        """
        self._database.create_table()

    def _lifetime_of(self, row: Any) -> int | None:
        """Return how long a token lived from the beginning, at most ``max_lifetime``; ``None`` for ever."""
        if row.expires_at is None:
            return None
        span = int((row.expires_at - row.created_at).total_seconds())
        return span if self._max_lifetime is None else min(span, self._max_lifetime)


def _validated_overlap(overlap: float | timedelta) -> int:
    """Return the overlap of a rotation in whole seconds, which may be 0."""
    is_zero = overlap == timedelta(0) if isinstance(overlap, timedelta) else overlap == 0
    return 0 if is_zero and overlap is not False else validated_span("overlap", overlap, most=MAX_OVERLAP)

"""`TokenLoader`: the part of `StoredTokens` that verifies a token on each request.

1. A text with another form or a wrong checksum is rejected without a query.
2. One SELECT finds the row by the digest of the token and by ``kind``. There is no other query on most requests.
3. The row decides: revoked, rotated and past its overlap, expired. Only the holder of a real token learns which.
4. ``load`` says whether the owner still exists, and what the owner may do now. The scopes of the identity are those
   that both the token and the owner have. A user object has no scopes, so the token's alone count.
5. The time of the use is written, at most once per interval and process. If that fails, the request is still accepted.

Invariants:

- Times are compared in Python with the clock of the app, so that no database's time zone matters.
- A token that was replaced and is presented after its end may have been stolen. It is refused and reported, and its
  successor goes on: programs that missed the rotation do the same, and ending both tokens would end their service.
- No local variable holds the token when something may fail, because error reports show local variables.
"""

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from datetime import timedelta, timezone
from typing import Any, ClassVar, Final

from blinker import NamedSignal
from flask import Flask, current_app, has_app_context
from sqlalchemy import MetaData, Table, bindparam, or_, select, update

from ... import signals
from ...arguments import validated_seconds
from ...errors import AuthUnavailable, ConfigurationError, ExpiredCredentials, InvalidCredentials, RevokedCredentials
from ...events import log_event
from ...identity import Identity
from ...locks import renew_after_fork
from ...logs import log
from ...schemes.run_async import resolve_awaitable
from ...schemes.secret import Secret
from .database import Database, metadata_of
from .format import Digests, Peppers, TokenFormat
from .last_use import Pacer
from .records import TokenRecord
from .table import validated_table
from .values import record_of, stored_time

MAX_CACHE: Final = 60
"""Longest time for which a row may be cached, in seconds."""
MAX_CACHED: Final = 1024
"""Most rows that are cached."""
MAX_LAST_USED_EVERY: Final = 86_400
_REPORT_EVERY: Final = 300.0
"""How often the reuse of one token is reported, in seconds."""


class TokenLoader:
    """Verifies stored tokens. See `StoredTokens` for the arguments."""

    kind: ClassVar[str] = "access"
    """Which rows of the table belong to this class."""
    _label: ClassVar[str] = "StoredTokens"

    def __init__(
        self,
        database: Any,
        *,
        prefix: str,
        table: Any = None,
        load: Callable[[str], Any] | None = None,
        last_used_every: float | timedelta = 300,
        pepper: Peppers = None,
        cache: float | timedelta = 0,
        replica: Any = None,
    ) -> None:
        self.format = TokenFormat(prefix)
        self.prefix = prefix
        self.table: Table = validated_table(table, metadata_of(database) or MetaData())
        if load is not None and not callable(load):
            raise ConfigurationError(f"load must be callable, not {type(load).__name__}")
        self._load = load
        self._database = Database(database, self.table, self._label)
        self._replica = self._database if replica is None else Database(replica, self.table, self._label)
        self._digests = Digests(pepper)
        self._every = int(validated_seconds("last_used_every", last_used_every, most=MAX_LAST_USED_EVERY))
        self._uses = Pacer(self._every)
        self._reports = Pacer(_REPORT_EVERY)
        self._warned = False
        self._cache = _RowCache(validated_seconds("cache", cache, most=MAX_CACHE))
        columns = self.table.c
        self._find = select(
            *(column for column in columns if column.name not in ("digest", "owner_key", "data"))
        ).where(columns.digest.in_(bindparam("digests", expanding=True)), columns.kind == self.kind)

    def __call__(self, token: str) -> Identity:
        """Return the identity of a token.

        Raises:
            InvalidCredentials: The token isn't one of these.
            ExpiredCredentials: It has expired.
            RevokedCredentials: It was revoked or replaced, or its owner is gone.
            AuthUnavailable: The database can't be reached.
        """
        secret = Secret()
        secret.arguments = (token,)
        del token
        if not self.format.is_token(*secret.arguments):
            raise InvalidCredentials(
                reason=f"StoredTokens: the token has another form than those with prefix={self.prefix}, or a wrong "
                "checksum: it is of another kind, truncated or mistyped"
            )
        row = self._row(self._digests.of(secret))
        now = time.time()
        self._check_row(row, stored_time(now))
        identity = self._identity(row)
        if self._every:
            self._note_use(row, now)
        return identity

    def recognizes(self, token: str) -> bool:
        """Return whether ``token`` has the form of a token with this prefix. Nothing is verified.

        A scheme with several loaders doesn't ask this one for other tokens.
        """
        return self.format.is_token(token)

    def check_app(self, app: Flask) -> None:
        """Check that the table is there, before an app's first request.

        A database that can't be reached is logged only, because an app may start before its database.

        Raises:
            ConfigurationError: The table or one of its columns is missing.
        """
        try:
            with app.app_context(), self._database.connection() as connection:
                connection.execute(select(*self.table.c).limit(0))
        except AuthUnavailable as error:
            log.warning("the table of %s could not be checked: %s", self._label, error.reason)

    def _row(self, digests: list[str]) -> Any:
        row = self._cache.get(digests[0])
        if row is None:
            with self._replica.connection() as connection:
                row = connection.execute(self._find, {"digests": digests}).one_or_none()
            if row is None:
                raise InvalidCredentials(
                    reason=f"StoredTokens: no token of kind {self.kind!r} in the table {self.table.name} has this "
                    "digest: it was never issued, was pruned, or has another pepper="
                )
            self._cache.put(digests[0], row)
        return row

    def _check_row(self, row: Any, now: Any) -> None:
        """Refuse a token that has ended. ``now`` is a time as rows have it."""
        if row.revoked_at is not None:
            raise RevokedCredentials(reason=f"StoredTokens: token {row.id} was revoked at {row.revoked_at} UTC")
        if row.ends_at is not None and row.ends_at <= now:
            self._report_reuse(record_of(row))
            raise RevokedCredentials(
                reason=f"StoredTokens: token {row.id} was replaced by token {row.replaced_by}, and its overlap ended "
                f"at {row.ends_at} UTC"
            )
        if row.expires_at is not None and row.expires_at <= now:
            raise ExpiredCredentials(reason=f"StoredTokens: token {row.id} expired at {row.expires_at} UTC")

    def _identity(self, row: Any) -> Identity:
        owner = Identity(row.owner) if self._load is None else self._owner(row.owner)
        if owner is None:
            raise RevokedCredentials(reason=f"StoredTokens: load= returned None for the owner of token {row.id}")
        scopes, roles = frozenset(row.scopes.split()), frozenset(row.roles.split())
        ends = [
            one.replace(tzinfo=timezone.utc).timestamp() for one in (row.expires_at, row.ends_at) if one is not None
        ]
        token = {"token_id": row.id, "token_prefix": self.prefix}
        confirmation = None if row.jkt is None else {"jkt": row.jkt}
        if not isinstance(owner, Identity):
            return Identity(
                row.owner,
                scopes=scopes,
                roles=roles,
                claims=token,
                user=owner,
                client_id=f"token:{row.id}",
                expires_at=min(ends, default=None),
                confirmation=confirmation,
            )
        if self._load is not None:
            scopes, roles = scopes & owner.scopes, roles & owner.roles
            ends += [] if owner.expires_at is None else [owner.expires_at]
        return Identity(
            owner.subject or row.owner,
            scopes=scopes,
            roles=roles,
            claims={**owner.claims, **token},
            user=owner.user,
            client_id=f"token:{row.id}",
            expires_at=min(ends, default=None),
            confirmation=confirmation,
        )

    def _owner(self, owner: str) -> Any:
        """Return what ``load`` says of an owner: an identity, a user object, or ``None``."""
        found = resolve_awaitable(self._load(owner))  # type: ignore[misc]  # its callers know that there is one
        if isinstance(found, str | bytes | bool | int | float):
            raise TypeError(f"load= of {self._label} returned {found!r}: return a user, an Identity, or None")
        return found

    def _note_use(self, row: Any, now: float) -> None:
        """Write when a token was used. This never refuses a request."""
        before = stored_time(now - self._every)
        if (row.last_used_at is not None and row.last_used_at > before) or not self._uses.is_due(row.id):
            return
        columns = self.table.c
        statement = update(self.table).where(
            columns.id == row.id, or_(columns.last_used_at.is_(None), columns.last_used_at <= before)
        )
        try:
            with self._database.transaction() as connection:
                connection.execute(statement.values(last_used_at=stored_time(now)))
        except (AuthUnavailable, ConfigurationError) as error:
            if not self._warned:
                self._warned = True
                reason = error.reason if isinstance(error, AuthUnavailable) else error
                log.warning("the last use of a token was not written, which is logged once: %s", reason)

    def _reused_text(self, record: TokenRecord) -> str:
        return (
            f"token {record.id} was used after its end, although token {record.replaced_by} replaced it: a program "
            "missed the rotation, or an attacker has a copy"
        )

    def _report_reuse(self, record: TokenRecord) -> None:
        if self._reports.is_due(record.id):
            self._send(signals.token_reused, record=record)

    def _send(self, signal: NamedSignal, *, record: TokenRecord, **arguments: Any) -> None:
        """Log an event, and send its signal. Outside of an app's context there is no sender."""
        event = signal.name.removeprefix("unauthorized-").replace("-", "_")
        is_reused = signal is signals.token_reused
        log_event(
            logging.WARNING if is_reused else logging.INFO,
            event,
            "%s",
            self._reused_text(record) if is_reused else f"{self._label}: {event.replace('_', ' ')}, id {record.id}",
            subject=record.owner,
            reason_code="replayed" if is_reused else None,
            token_id=record.id,
            token_prefix=self.prefix,
        )
        if has_app_context():
            signals.send(signal, current_app._get_current_object(), record=record, **arguments)  # type: ignore[attr-defined]  # a proxy's method

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.prefix}>"


class _RowCache:
    """Rows by digest, for a few seconds. With ``seconds=0`` there are none."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._lock = threading.Lock()
        self._rows: OrderedDict[str, tuple[float, Any]] = OrderedDict()
        renew_after_fork(self)

    def get(self, digest: str) -> Any:
        """Return a row, or ``None``."""
        if not self._seconds:
            return None
        with self._lock:
            until, row = self._rows.get(digest, (0.0, None))
            if until > time.monotonic():
                return row
            self._rows.pop(digest, None)
            return None

    def put(self, digest: str, row: Any) -> None:
        """Keep a row."""
        if not self._seconds:
            return
        with self._lock:
            self._rows[digest] = (time.monotonic() + self._seconds, row)
            if len(self._rows) > MAX_CACHED:
                self._rows.popitem(last=False)

"""`Pairs`: a short signed access token, and a refresh token that the database knows.

A login is one row, which all of its tokens share: a family. `issue` adds the row. `refresh` does this:

1. A text with another form or a wrong checksum is refused without a query.
2. One SELECT finds the family by the part of the token that all its tokens share. A family that was revoked, was idle
   for too long, or has reached its end is refused.
3. `rotation.present` judges the token by the state of the family: rotated, repeated or reused.
4. Reused: a copy of the token is in use. The family ends, which is logged and sent as a signal.
5. ``load`` says whether the owner still exists, and what the owner may do now.
6. The access token is signed.
7. Rotated: one UPDATE writes the new state, on the condition that the row still has the state that was judged. If it
   hasn't, another request came first, and everything is done again from step 2.

Invariants:

- Of several requests with one token, one gets a new refresh token. The others get an access token only, for
  `REPEAT_SECONDS`.
- Nothing can fail after the UPDATE. If the answer with the new token is lost, the client presents the old one again and
  gets another new one, because a token is valid until its successor is presented.
- The end of a family by reuse is written on the same condition as a rotation. So no stale read ends a family.
- An access token never has more scopes and roles than the login and its owner have, and never outlives the family.
- No local variable holds a token when something may fail, because error reports show local variables.
"""

import json
import logging
import math
import time
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta, timezone
from typing import Any, ClassVar, Final

try:
    from sqlalchemy import ColumnElement, Connection, and_, delete, insert, or_, select
except ImportError as missing:
    raise ImportError("Pairs needs SQLAlchemy 2: pip install 'flask-unauthorized[tokens]'") from missing

from flask import Flask

from ... import signals
from ...arguments import explains_arguments, validated_whole_seconds
from ...errors import AuthUnavailable, ConfigurationError, InsufficientScope, InvalidCredentials, MalformedCredentials
from ...events import log_event
from ...identity import Identity, validated_methods
from ...rotation import Outcome, Rotation, present, secret_hash
from ...schemes.secret import Secret
from ...wire.rules import check_scope_token
from ..claims import check_parts, validated_callable, with_user
from ..stored.format import Peppers
from ..stored.records import TokenRecord
from ..stored.rows import TokenRows, validated_id
from ..stored.values import bounds_of, granted, joined, owner_key, owner_of, record_of, stored_time, token_name
from ..stored.values import whole_seconds as validated_span
from .access import FAMILY_CLAIM, SALT, AccessTokens
from .format import RefreshFormat
from .pair import GrantRefused, Pair

_REASON_CODES: Final = {
    "invalid_request": MalformedCredentials.reason_code,
    "invalid_scope": InsufficientScope.reason_code,
}
"""By the error code of a refused refresh; those of all others are that of invalid credentials."""
MAX_ACCESS_LIFETIME: Final = 86_400
"""Longest lifetime of an access token, in seconds: nothing ends it earlier."""
_ATTEMPTS: Final = 8
_ENDED: Final = "The refresh token has expired or was revoked. Log in again."


class Pairs(TokenRows):
    """Access tokens and refresh tokens for users who log in to your app.

    It is a loader for `Bearer` and `DPoP`. The access token is signed, so a request with it needs no query. Only
    ``user`` can reject it before it expires. The refresh token is random. The database holds its digest in the table of
    `StoredTokens`. Each refresh replaces it.

    Example:
        Serve a login and a refresh::

            from sqlalchemy import create_engine
            from flask_unauthorized import Auth, Bearer
            from flask_unauthorized.loaders.pairs import Pairs

            pairs = Pairs(create_engine("sqlite:///tokens.db"), prefix="notes")
            pairs.create_table()
            auth = Auth(Bearer(pairs), app=app)

            @app.post("/refresh")
            def refresh():
                return pairs.refresh(request.form.get("refresh_token")).response()

    Args:
        database: An `Engine`, a ``sessionmaker``, a scoped session, a callable that returns a `Session`, or the ``db``
            of Flask-SQLAlchemy.
        prefix: What refresh tokens begin with: 2 to 16 lower-case letters and digits. Apps that share a table need
            different prefixes.
        table: A model with `StoredTokenMixin`, or a table. Default: ``auth_tokens``.
        load: Gets the owner at each login and refresh, and returns a user object, an `Identity` that bounds the tokens
            by its scopes and roles, or ``None`` for an owner who is deleted or locked. Default: the owner is accepted.
        user: Looks up your user object for an `Identity` on each request; ``None`` rejects. It may be async.
        access_lifetime: How long an access token is valid, in whole seconds or as a `timedelta`; one day at most.
        idle: How long a login lasts without a refresh.
        lifetime: How long a login lasts in all.
        secret_key: The key of the access tokens. Default: ``SECRET_KEY`` and ``SECRET_KEY_FALLBACKS`` of the app.
        pepper: A secret, apart from the database, that the digests depend on, as in `StoredTokens`.

    Raises:
        ConfigurationError: A value is out of range, or the table lacks columns.
        TypeError: A value has the wrong type.
    """

    kind: ClassVar[str] = "refresh"
    _label: ClassVar[str] = "Pairs"
    format: RefreshFormat

    @explains_arguments(
        database='write Pairs(engine, prefix="notes")', prefix='write Pairs(engine, prefix="notes")'
    )  # fmt: skip
    def __init__(
        self,
        database: Any,
        *,
        prefix: str,
        table: Any = None,
        load: Callable[[str], Any] | None = None,
        user: Callable[[Identity], Any] | None = None,
        access_lifetime: int | timedelta = timedelta(minutes=15),
        idle: int | timedelta = timedelta(days=7),
        lifetime: int | timedelta = timedelta(days=90),
        secret_key: str | bytes | None = None,
        pepper: Peppers = None,
    ) -> None:
        super().__init__(database, prefix=prefix, table=table, load=load, last_used_every=0, pepper=pepper)
        self.format = RefreshFormat(prefix)
        access_seconds = validated_whole_seconds("access_lifetime", access_lifetime, least=1, most=MAX_ACCESS_LIFETIME)
        self._idle = validated_whole_seconds("idle", idle, least=1)
        self._lifetime = validated_whole_seconds("lifetime", lifetime, least=1)
        if not access_seconds < self._idle <= self._lifetime:
            raise ConfigurationError(
                f"access_lifetime={access_seconds} must be less than idle={self._idle}, and idle at most "
                f"lifetime={self._lifetime}, all in seconds: otherwise no client can refresh in time"
            )
        self._access = AccessTokens(f"{SALT}{prefix}", access_seconds, secret_key=secret_key)
        self._user = validated_callable("user", user)
        columns = self.table.c
        self._find = select(*(column for column in columns if column.name != "digest")).where(columns.kind == self.kind)

    def __call__(self, token: str) -> Identity:
        """Return the identity of an access token. Its claim ``family_id`` names the login.

        Raises:
            ExpiredCredentials: It has expired: the client must refresh.
            InvalidCredentials: The token isn't an access token of these pairs, or ``user`` returned ``None``.
        """
        identity = self._access(token)
        if self._user is None:
            return identity
        del token  # what follows may fail, and a traceback shows locals
        found = with_user(identity, self._user)
        if found.subject != identity.subject:
            raise TypeError(f"user= of Pairs returned the identity of {found.subject!r} for {identity.subject!r}")
        return found

    def recognizes(self, token: str) -> bool:
        """Return whether ``token`` has the form of an access token. Nothing is verified.

        A scheme with several loaders doesn't ask this one for other tokens.
        """
        return self._access.recognizes(token)

    def check_app(self, app: Flask) -> None:
        """Check that there are a key and the table, before an app's first request.

        Raises:
            ConfigurationError: The key, the table or one of its columns is missing.
        """
        check_parts(app, self._access, self._user)
        super().check_app(app)

    def issue(
        self,
        who: Identity | str,
        *,
        scopes: Iterable[str] = (),
        roles: Iterable[str] = (),
        name: str | None = None,
        acr: str | None = None,
        amr: Iterable[str] | None = None,
        auth_time: float | None = None,
    ) -> Pair[str]:
        """Begin a login. Call it when the user has just proved who they are.

        Args:
            who: The owner: a subject, or an `Identity`, which must have all ``scopes`` and ``roles``. A pair is bound
                to the key that the identity is bound to, and doesn't outlive it.
            scopes: What the access tokens may do. Default: nothing.
            roles: The roles that they have.
            name: What lists call the login, such as the device: 1 to 100 printable characters.
            acr: The authentication context class of the login. Default: that of the identity.
            amr: The methods of the login (RFC 8176), such as ``{"pwd", "otp"}``. Default: those of the identity.
            auth_time: When the user logged in, in seconds since 1970. Default: that of the identity, and now for a
                subject. An identity without one has none, so ``max_age=`` of a view refuses its tokens.

        Returns:
            Both tokens.

        Raises:
            GrantRefused: ``load`` returned ``None`` for the owner.
            ValueError: A value can't be used, or the owner lacks a scope or role.
            TypeError: A value has the wrong type.
            AuthUnavailable: The database can't be reached.
        """
        owner, now = owner_of(who), time.time()
        found = self._found(owner)
        bounds = (*bounds_of(who), *bounds_of(found))
        end = int(now) + self._lifetime
        login: dict[str, Any] = {"auth_time": _login_time(who, auth_time, now), "acr": acr}
        methods = validated_methods(() if amr is None else amr)
        if isinstance(who, Identity):
            methods = who.amr if amr is None else methods
            login["acr"] = who.acr if acr is None else acr
            login["cnf"] = None if who.confirmation is None else dict(who.confirmation)
            end = end if who.expires_at is None else min(end, int(who.expires_at))
        login["amr"] = sorted(methods) or None
        family = self.format.make_family()
        refresh = self.format.make_token(family)
        state = Rotation(secret_hash(*refresh.arguments))
        values = {
            "kind": self.kind,
            "digest": self._digests.of(family)[0],
            "owner": owner,
            "owner_key": owner_key(owner),
            "name": "" if name is None else token_name(name),
            "scopes": joined(granted("scopes", scopes, bounds)),
            "roles": joined(granted("roles", roles, bounds)),
            "hint": self.format.hint(family),
            "created_at": stored_time(now),
            "last_used_at": stored_time(now),
            "expires_at": stored_time(end),
            "data": _data(state, login),
        }
        with self._database.transaction() as connection:
            added = connection.execute(insert(self.table).values(**values))
            (number,) = added.inserted_primary_key or (None,)
            row = connection.execute(self._find.where(self.table.c.id == number)).one()
            # Within the transaction: if the token can't be signed, because SECRET_KEY is missing, no row stays.
            pair: Pair[str] = self._pair(row, self._identity_of(row, found, None), refresh, now)
        self._send(signals.token_issued, record=pair.record)
        return pair

    def refresh(self, refresh_token: str | None, *, scopes: str | Iterable[str] | None = None) -> Pair[str | None]:
        """Return new tokens for a refresh token (RFC 6749 §6).

        The refresh token stays valid until its successor is presented, and `REPEAT_SECONDS` (30) more. If the same one
        comes again within 30 seconds of its first use, the pair has no new refresh token: the client keeps the one that
        it has. A token that was replaced earlier ends the login, because a copy of it is in use.

        Args:
            refresh_token: What the client sent, ``None`` for nothing.
            scopes: The scopes of the access token, if the client wants fewer than the login has: the parameter
                ``scope`` of its request, or a collection. The refresh token keeps all. Default: all.

        Returns:
            An access token, and in most cases a refresh token.

        Raises:
            GrantRefused: 400. The token is not valid, or its login has ended; or a parameter is missing or malformed.
            AuthUnavailable: 503. The database can't be reached. The refresh token stays valid.
        """
        secret = Secret()
        secret.arguments = (refresh_token or "",)
        del refresh_token
        try:
            return self._refreshed(secret, _wanted(scopes))
        except GrantRefused as refused:
            log_event(
                logging.INFO,
                "refused",
                "refused a refresh: %s (%s)",
                refused.error,
                refused.reason,
                reason_code=_REASON_CODES.get(refused.error, InvalidCredentials.reason_code),
            )
            raise

    def get(self, who: Identity) -> TokenRecord | None:
        """Return the record of the login of an access token, ``None`` if it has ended or the token isn't of a pair.

        Args:
            who: The identity of the access token.
        """
        if FAMILY_CLAIM not in who.claims:
            return None
        statement = self._select().where(
            *self._one(who.claims[FAMILY_CLAIM], owner_of(who)), self._is_valid(time.time())
        )
        with self._database.connection() as connection:
            row = connection.execute(statement).one_or_none()
        return None if row is None else record_of(row)

    def list(self, who: Identity | str) -> list[TokenRecord]:
        """Return the logins of an owner that have not ended, the newest first, 1 000 at most.

        Args:
            who: The owner.
        """
        columns = self.table.c
        valid = self._select().where(*self._of(owner_of(who)), self._is_valid(time.time()))
        with self._database.connection() as connection:
            return [record_of(row) for row in connection.execute(valid.order_by(columns.id.desc()).limit(1000))]

    def revoke(self, login: Identity | TokenRecord | str | None) -> bool:
        """End a login: its refresh token now, its access tokens when they expire.

        Args:
            login: The identity of an access token, a refresh token, or a record. ``None`` or another text ends nothing.

        Returns:
            Whether the login is known and had not been revoked before.

        Raises:
            AuthUnavailable: The database can't be reached.
        """
        secret = Secret()
        if isinstance(login, str):
            secret.arguments = (login,)
            login = None
            if not self.format.is_token(*secret.arguments):
                return False
            digests = self._digests.of(self.format.family_of(secret))
            return self._end_where(self.table.c.digest.in_(digests), self.table.c.kind == self.kind)
        if isinstance(login, TokenRecord):
            return self._end_where(*self._one(login.id, login.owner))
        if isinstance(login, Identity) and FAMILY_CLAIM in login.claims:
            return self._end_where(*self._one(login.claims[FAMILY_CLAIM], owner_of(login)))
        if login is not None and not isinstance(login, Identity):
            raise TypeError(f"revoke() takes an Identity, a refresh token or a record, not {type(login).__name__}")
        return False

    def revoke_all(self, who: Identity | str) -> int:
        """End all logins of an owner. Return how many had neither expired nor been revoked.

        Args:
            who: The owner.
        """
        conditions = (*self._of(owner_of(who)), self._is_valid(time.time()))
        columns = self.table.c
        with self._database.connection() as connection:
            numbers = connection.execute(select(columns.id).where(*conditions)).scalars().all()
        return sum(self._end_where(*self._of(owner_of(who)), columns.id == number) for number in numbers)

    def prune(self, *, ended_before: float | timedelta = timedelta(days=30)) -> int:
        """Delete logins that ended long ago. Run it from a scheduled job.

        Args:
            ended_before: How long ago, in seconds or as a `timedelta`.

        Returns:
            How many were deleted.
        """
        span = validated_span("ended_before", ended_before, most=None)
        limit, now, columns = stored_time(time.time() - span), time.time(), self.table.c
        idle = columns.last_used_at < stored_time(now - span - self._idle)
        ended = or_(columns.expires_at < limit, columns.revoked_at < limit, idle)
        with self._database.transaction() as connection:
            return int(connection.execute(delete(self.table).where(*self._mine(), ended)).rowcount)

    def create_table(self) -> None:
        """Create the table and its indexes, unless it exists. Apps with migrations don't need this.

        Several workers may call it at the same time.
        """
        self._database.create_table()

    # --- a refresh

    def _refreshed(self, secret: Secret, wanted: frozenset[str] | None) -> Pair[str | None]:
        (text,) = secret.arguments
        if not isinstance(text, str) or not text:
            raise GrantRefused("invalid_request", "The parameter refresh_token is missing.", "no refresh token")
        is_token = self.format.is_token(text)
        del text
        if not is_token:
            raise GrantRefused(
                "invalid_grant",
                "The refresh token is not valid.",
                f"the token has another form than refresh tokens with prefix={self.prefix}, or a wrong checksum",
            )
        family = self.format.family_of(secret)
        successor = self.format.make_token(family)
        for _ in range(_ATTEMPTS):
            row, now = self._family(family), time.time()
            self._check_family(row, now)
            state, _ = _parsed(row.data)
            outcome, after = present(state, secret_hash(*secret.arguments), secret_hash(*successor.arguments), now)
            if outcome is Outcome.REUSED:
                if self._end_reused(row):
                    raise GrantRefused("invalid_grant", _ENDED, f"a replaced token of login {row.id} was used")
                continue
            identity = self._identity_of(row, self._found(row.owner), wanted)
            if outcome is Outcome.REPEATED:
                return self._pair(row, identity, None, now)
            pair: Pair[str | None] = self._pair(row, identity, successor, now)
            if self._rotate(row, after, now):
                return pair
        raise AuthUnavailable(
            reason=f"Pairs: {_ATTEMPTS} attempts to write a login failed: does the driver count the rows of an UPDATE?"
        )

    def _family(self, family: Secret) -> Any:
        statement = self._find.where(self.table.c.digest.in_(self._digests.of(family)))
        with self._database.connection() as connection:
            row = connection.execute(statement).one_or_none()
        if row is None:
            raise GrantRefused(
                "invalid_grant",
                "The refresh token is not valid.",
                f"no login in the table {self.table.name} has this digest: it was never issued, was pruned, or has "
                "another pepper=",
            )
        return row

    def _check_family(self, row: Any, now: float) -> None:
        """Refuse a login that has ended."""
        idle_end = row.last_used_at + timedelta(seconds=self._idle)
        if row.revoked_at is not None:
            reason = f"login {row.id} was revoked at {row.revoked_at} UTC"
        elif row.expires_at <= stored_time(now):
            reason = f"login {row.id} reached its end at {row.expires_at} UTC"
        elif idle_end <= stored_time(now):
            reason = f"login {row.id} was not refreshed for {self._idle} s, until {idle_end} UTC"
        else:
            return
        raise GrantRefused("invalid_grant", _ENDED, reason)

    def _rotate(self, row: Any, after: Rotation, now: float) -> bool:
        """Write the new state if the row still has the state that was judged. Return whether it had."""
        values = {"data": _data(after, _parsed(row.data)[1]), "last_used_at": stored_time(now)}
        with self._database.transaction() as connection:
            return self._change(connection, values, *self._as_judged(row)) == 1

    def _end_reused(self, row: Any) -> bool:
        """End a login whose replaced token was used. Return whether the row still had the state that was judged."""
        return self._end_where(*self._as_judged(row), signal=signals.token_reused)

    def _reused_text(self, record: TokenRecord) -> str:
        return (
            f"a replaced refresh token of login {record.id} was used, so the login was ended: an attacker has a copy, "
            "or a client restored an old one"
        )

    # --- rows

    def _mine(self) -> tuple[ColumnElement[bool], ...]:
        """Return the conditions for the logins of this prefix: other apps may have theirs in the same table."""
        columns = self.table.c
        return columns.kind == self.kind, columns.hint.startswith(f"{self.prefix}_", autoescape=True)

    def _of(self, owner: str) -> tuple[ColumnElement[bool], ...]:
        return *self._mine(), self.table.c.owner_key == owner_key(owner)

    def _one(self, id: int, owner: str) -> tuple[ColumnElement[bool], ...]:  # noqa: A002  # the column's name
        return *self._of(owner), self.table.c.id == validated_id(id)

    def _is_valid(self, now: float) -> ColumnElement[bool]:
        columns = self.table.c
        return and_(
            columns.revoked_at.is_(None),
            columns.expires_at > stored_time(now),
            columns.last_used_at > stored_time(now - self._idle),
        )

    def _as_judged(self, row: Any) -> tuple[ColumnElement[bool], ...]:
        columns = self.table.c
        return columns.id == row.id, columns.data == row.data, columns.revoked_at.is_(None)

    def _end_where(self, *conditions: ColumnElement[bool], signal: Any = signals.token_revoked) -> bool:
        """End the one login that meets the conditions, unless it was revoked. Return whether there was one."""
        columns = self.table.c
        with self._database.connection() as connection:
            number = connection.execute(select(columns.id).where(*conditions)).scalar_one_or_none()
        if number is None:
            return False
        with self._database.transaction() as connection:
            revoked = {"revoked_at": stored_time(time.time())}
            if not self._change(connection, revoked, *conditions, columns.id == number, columns.revoked_at.is_(None)):
                return False
            record = self._record_of(connection, number)
        self._send(signal, record=record)
        return True

    def _record_of(self, connection: Connection, number: int) -> TokenRecord:
        return record_of(connection.execute(self._select().where(self.table.c.id == number)).one())

    # --- what a pair holds

    def _found(self, owner: str) -> Any:
        """Return what ``load`` says of an owner, ``None`` without it. Raises `GrantRefused` if the owner is gone."""
        if self._load is None:
            return None
        found = self._owner(owner)
        if found is None:
            raise GrantRefused("invalid_grant", _ENDED, "load= returned None for the owner of the login")
        if isinstance(found, Identity) and found.subject not in (None, owner):
            raise TypeError(f"load= of Pairs returned the identity of {found.subject!r} for the owner {owner!r}")
        return found

    def _identity_of(self, row: Any, found: Any, wanted: frozenset[str] | None) -> Identity:
        """Return the identity of the next access token. Raises `GrantRefused` for scopes beyond those of the login."""
        scopes, roles = frozenset(row.scopes.split()), frozenset(row.roles.split())
        if wanted is not None:
            if not wanted <= scopes:
                raise GrantRefused(
                    "invalid_scope", "The scope exceeds what was granted at the login.", "scopes beyond the login's"
                )
            scopes = wanted
        for bound in bounds_of(found):
            scopes, roles = scopes & bound.scopes, roles & bound.roles
        _, login = _parsed(row.data)
        return Identity(
            row.owner,
            scopes=scopes,
            roles=roles,
            acr=login.get("acr"),
            amr=login.get("amr") or (),
            auth_time=login.get("auth_time"),
            confirmation=login.get("cnf"),
            claims={FAMILY_CLAIM: row.id, "token_prefix": self.prefix},
        )

    def _pair(self, row: Any, identity: Identity, refresh: Secret | None, now: float) -> Pair[Any]:
        end = int(row.expires_at.replace(tzinfo=timezone.utc).timestamp())
        lifetime = min(self._access.lifetime, end - int(now))
        access = self._access.sign(identity, end if lifetime < self._access.lifetime else None)
        bound_to_key = "jkt" in (identity.confirmation or {})
        return Pair(
            access,
            refresh,
            scopes=identity.scopes,
            lifetime=lifetime,
            token_type="DPoP" if bound_to_key else "Bearer",
            record=record_of(row),
        )


def _login_time(who: Identity | str, given: float | None, now: float) -> int | None:
    """Return when the user logged in, in whole seconds since 1970, rounded down: a view may demand a recent login."""
    moment = given
    if moment is None:
        moment = who.auth_time if isinstance(who, Identity) else now
    if moment is None:
        return None
    if isinstance(moment, bool | datetime) or not isinstance(moment, int | float):
        raise TypeError(f"auth_time must be seconds since 1970, not {moment!r}: write auth_time=moment.timestamp()")
    if not math.isfinite(moment):
        raise ValueError(f"auth_time must be seconds since 1970, not {moment}")
    return int(moment)


def _wanted(scopes: Any) -> frozenset[str] | None:
    """Return the scopes that a client asked for, ``None`` for all. Raises `GrantRefused`, because clients send them."""
    if scopes is None or scopes == "":
        return None
    try:
        wanted = frozenset(scopes.split(" ") if isinstance(scopes, str) else scopes)
        for one in wanted:
            check_scope_token(one)
    except (TypeError, ValueError):
        raise GrantRefused("invalid_scope", "The scope is malformed.", "a scope that isn't of RFC 6749 3.3") from None
    return wanted


def _data(state: Rotation, login: dict[str, Any]) -> str:
    """Return what the column ``data`` holds: the rotation in one line, and the login in another one."""
    present_ones = {name: value for name, value in login.items() if value is not None}
    return f"{state.to_text()}\n{json.dumps(present_ones, sort_keys=True)}"


def _parsed(data: str) -> tuple[Rotation, dict[str, Any]]:
    rotation, _, login = data.partition("\n")
    return Rotation.from_text(rotation), json.loads(login)

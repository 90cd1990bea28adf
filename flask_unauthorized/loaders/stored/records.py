"""What `StoredTokens` returns and raises: records of tokens, new tokens, and why a call could not do its work."""

from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Literal

from ...schemes.secret import Secret

State = Literal["valid", "expired", "revoked", "rotated"]


@dataclass(frozen=True, slots=True)
class TokenRecord:
    """What the database has about a token.

    It doesn't hold the token. All times are aware, in UTC.

    Example:
        List the tokens of a user::

            with app.app_context():
                for record in tokens.list("ada"):
                    print(record.id, record.name, record.hint, record.state)

    Attributes:
        id: The number of the token. It isn't secret.
        owner: Whom the token belongs to.
        name: What the owner calls it.
        scopes: The scopes that were granted when it was issued.
        roles: The roles that were granted when it was issued.
        hint: How lists show it: its prefix and four of its characters.
        created_at: When it was issued.
        expires_at: When it expires, ``None`` for never.
        last_used_at: When it was used last, with the precision of ``last_used_every``. ``None`` if it never was.
        revoked_at: When it was revoked.
        ends_at: When it ends because it was rotated.
        replaced_by: The id of the token that replaced it.
    """

    id: int
    owner: str
    name: str
    scopes: frozenset[str]
    roles: frozenset[str]
    hint: str
    created_at: datetime
    expires_at: datetime | None = None
    last_used_at: datetime | None = None
    revoked_at: datetime | None = None
    ends_at: datetime | None = None
    replaced_by: int | None = None

    @property
    def state(self) -> State:
        """Whether the token is valid now, and if not, why. A rotated token is valid until ``ends_at``."""
        now = datetime.now(timezone.utc)
        if self.revoked_at is not None:
            return "revoked"
        if self.ends_at is not None and self.ends_at <= now:
            return "rotated"
        return "expired" if self.expires_at is not None and self.expires_at <= now else "valid"


class Issued:
    """A new token with its record.

    Show `token` to its owner now, because it can't be read again. Neither its ``repr`` nor a pickle holds the token.

    Example:
        Show a new token once::

            with app.app_context():
                issued = tokens.issue("ada", name="backup")
                print(issued.token, issued.record.id)

    Attributes:
        record: What the database has about the token.
    """

    __slots__ = ("_secret", "record")

    def __init__(self, secret: Secret, record: TokenRecord) -> None:
        self._secret = secret
        self.record = record

    @property
    def token(self) -> str:
        """The token. Don't log or store it."""
        return self._secret.arguments[0]

    def __repr__(self) -> str:
        return f"<Issued {self.record.id}, {self.record.hint}>"

    def __reduce__(self) -> tuple[object, ...]:
        raise TypeError("an issued token is not pickled: show issued.token to its owner, and keep issued.record")


class UnknownToken(LookupError):
    """There is no token with this id, or it belongs to another owner.

    Example:
        Respond with 404 to an id that isn't one of the caller's::

            from flask_unauthorized.loaders.stored import UnknownToken

            with app.app_context():
                try:
                    tokens.rotate(42, "ada")
                except UnknownToken:
                    print("404")
    """


class TokenEnded(ValueError):
    """The token can't be rotated, because it has expired or was revoked.

    Example:
        Respond with 409 if the token has ended::

            from flask_unauthorized.loaders.stored import TokenEnded

            with app.app_context():
                record = tokens.issue("ada", name="backup").record
                tokens.revoke(record.id, "ada")
                try:
                    tokens.rotate(record.id, "ada")
                except TokenEnded as error:
                    print("409", error.record.state)  # revoked

    Attributes:
        record: The token that ended.
    """

    def __init__(self, message: str, record: TokenRecord) -> None:
        super().__init__(message, record)
        self.record = record

    def __str__(self) -> str:
        return str(self.args[0])


class AlreadyRotated(ValueError):
    """The token was rotated before, perhaps by a second click.

    Let the view respond with 409.

    Example:
        Tell the user which token has replaced this one::

            from flask_unauthorized.loaders.stored import AlreadyRotated

            with app.app_context():
                record = tokens.issue("ada", name="backup").record
                tokens.rotate(record.id, "ada")
                try:
                    tokens.rotate(record.id, "ada")
                except AlreadyRotated as error:
                    print("409", error.successor.hint)

    Attributes:
        record: The token that was rotated.
        successor: The token that replaced it, or ``None`` if that one was pruned.
    """

    def __init__(self, message: str, record: TokenRecord, successor: TokenRecord | None) -> None:
        super().__init__(message, record, successor)
        self.record = record
        self.successor = successor

    def __str__(self) -> str:
        return str(self.args[0])


class TooManyTokens(ValueError):
    """The owner has as many valid tokens as ``max_per_owner`` allows.

    Example:
        Ask the user to revoke a token first::

            from flask_unauthorized.loaders.stored import TooManyTokens

            with app.app_context():
                try:
                    tokens.issue("ada", name="the 101st")
                except TooManyTokens as error:
                    print("409", error)
    """

"""`Pair`, the two tokens that a client gets, and `GrantRefused`, why it gets none.

Both are responses of a token endpoint: RFC 6749 §5.1 and §5.2. Clients read their JSON, so it has the members that the
RFC names, whatever the request accepts. A refusal is a 400. A 401 would ask for a login of the client in the field
``Authorization``, which has nothing to do with a refresh token.
"""

import json
from typing import Any, Final, Generic, Literal, TypeVar

from flask import Response, jsonify
from werkzeug.exceptions import BadRequest

from ...schemes.secret import Secret
from ..stored.records import TokenRecord

GrantError = Literal[
    "invalid_grant", "invalid_request", "invalid_scope", "unauthorized_client", "unsupported_grant_type"
]
RefreshT = TypeVar("RefreshT", bound="str | None", covariant=True)
_NO_STORE: Final = {"Cache-Control": "no-store", "Pragma": "no-cache"}


class Pair(Generic[RefreshT]):
    """An access token, and the refresh token that gets the next one.

    Neither its ``repr`` nor a pickle holds the tokens.

    Example:
        Send both tokens to a user who has just proved who they are::

            from sqlalchemy import create_engine
            from flask_unauthorized.loaders.pairs import Pairs

            pairs = Pairs(create_engine("sqlite:///tokens.db"), prefix="notes")
            pairs.create_table()
            with app.app_context():
                pair = pairs.issue("ada", scopes={"notes:read"})
                response = pair.response()  # {"access_token": "…", "refresh_token": "notes_…", …}

    Attributes:
        scopes: What the access token may do.
        lifetime: How long the access token is valid, in seconds.
        token_type: ``"Bearer"``, or ``"DPoP"`` if the client proves a key.
        record: What the database has about the login.
    """

    __slots__ = ("_access", "_refresh", "lifetime", "record", "scopes", "token_type")

    def __init__(
        self,
        access: Secret,
        refresh: Secret | None,
        *,
        scopes: frozenset[str],
        lifetime: int,
        token_type: str,
        record: TokenRecord,
    ) -> None:
        self._access = access
        self._refresh = refresh
        self.scopes = scopes
        self.lifetime = lifetime
        self.token_type = token_type
        self.record = record

    @property
    def access(self) -> str:
        """The access token. Don't log it."""
        return self._access.arguments[0]

    @property
    def refresh(self) -> RefreshT:
        """The refresh token. ``None`` after a repeated request: the client keeps the one that it has."""
        return None if self._refresh is None else self._refresh.arguments[0]  # type: ignore[return-value]  # RefreshT

    def as_dict(self) -> dict[str, Any]:
        """Return the members of a token response (RFC 6749 §5.1).

        ``refresh_token`` is missing if there is no new one. Clients then keep the one that they have (RFC 6749 §6).
        """
        members: dict[str, Any] = {
            "access_token": self.access,
            "token_type": self.token_type,
            "expires_in": self.lifetime,
        }
        if self._refresh is not None:
            members["refresh_token"] = self.refresh
        if self.scopes:
            members["scope"] = " ".join(sorted(self.scopes))
        return members

    def response(self) -> Response:
        """Return a token response that no cache stores (RFC 6749 §5.1). It needs an app context."""
        response = jsonify(self.as_dict())
        response.headers.update(_NO_STORE)
        return response

    def __repr__(self) -> str:
        return f"<Pair {self.record.id}, {self.record.hint}>"

    def __reduce__(self) -> tuple[object, ...]:
        raise TypeError("a pair is not pickled: send pair.response() to the client, and keep pair.record")


class GrantRefused(BadRequest):
    """400: the client gets no tokens (RFC 6749 §5.2).

    The body is the JSON of that section, and is never cached. `Pairs.refresh` raises it.

    Example:
        Refuse a refresh from a view of your own::

            from flask_unauthorized.loaders.pairs import GrantRefused

            @app.post("/refresh")
            def refresh():
                raise GrantRefused("invalid_grant", "The refresh token has expired.")

    Args:
        error: The error code of RFC 6749 §5.2.
        description: The text for the client's developer: ASCII without quotes and backslashes.
        reason: The private reason, for the log.
    """

    def __init__(self, error: GrantError, description: str, reason: str | None = None) -> None:
        super().__init__(description)
        self.error = error
        self.reason = reason

    def get_body(self, environ: Any = None, scope: Any = None) -> str:
        """Return the JSON of RFC 6749 §5.2."""
        return json.dumps({"error": self.error, "error_description": self.description}) + "\n"

    def get_headers(self, environ: Any = None, scope: Any = None) -> list[tuple[str, str]]:
        """Return the content type and ``no-store``."""
        return [("Content-Type", "application/json"), *_NO_STORE.items()]

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.error, self.description, self.reason)

"""`Revocations`: a list, in a store, of tokens that are rejected before they expire.

Theory of operation
-------------------

There are two kinds of entries. One names a token by its issuer and ``jti``, and lives as long as the token could. The
other names a subject and a time; each token of that subject that was issued up to then is rejected. The issuer's clock
may be ahead of the app's, so the time is ``leeway`` in the future. `JWT` accepts an ``iat`` up to its own leeway in the
future, so it raises the one here (`cover`).

Every doubt rejects: a token without issuer or ``jti``, one without ``iat`` of a revoked subject. A store that can't be
asked, or that holds a value of someone else, is `AuthUnavailable` (503).
"""

import json
import re
from collections.abc import Mapping
from datetime import timedelta
from time import time
from typing import Any, Final

from flask import Flask, has_request_context, request

from ..arguments import validated_whole_seconds
from ..errors import AuthUnavailable
from ..identity import Identity
from ..stores.base import MAX_LIFETIME, MIN_LIFETIME, Store, validated_store
from .jwt_claims import token_id

GRACE: Final = 3600
"""How long an entry outlives the token's ``exp``, in seconds: the longest leeway."""

_SECONDS: Final = re.compile(r"[0-9]{1,15}(?:\.[0-9]+)?", re.ASCII)
_TOKENS: Final = "revoked-token"
_SUBJECTS: Final = "revoked-subject"


class Revocations:
    """A list of revoked tokens, for ``JWT(…, revoked=revocations)``.

    Several worker processes need a store that they share.

    Example:
        Let a logout end the token of the caller::

            from flask_unauthorized import Auth, Bearer
            from flask_unauthorized.loaders.jwt import JWT
            from flask_unauthorized.loaders.revocation import Revocations
            from flask_unauthorized.stores.sqlite import SQLiteStore

            revocations = Revocations(SQLiteStore("revoked.db"))
            auth = Auth(Bearer(JWT("https://id.example.com", audience="notes", revoked=revocations)), app=app)

            @app.post("/logout")
            @auth.login_required
            def logout():
                return {"revoked": revocations.revoke(auth.identity)}

    Args:
        store: Where the list is.
        leeway: How far ahead the issuer's clock may be: seconds or a `timedelta`. A `JWT` raises it to its own.

    Raises:
        ConfigurationError: ``leeway`` is out of range, or ``store`` is not a store.
    """

    def __init__(self, store: Store, *, leeway: int | timedelta = 60) -> None:
        self.store = validated_store(store)
        self.leeway = validated_whole_seconds("leeway", leeway, most=GRACE)

    def cover(self, leeway: int) -> None:
        """Raise ``leeway`` for a loader that accepts tokens whose ``iat`` is that many seconds in the future."""
        self.leeway = max(self.leeway, leeway)

    def revoke(self, who: Identity | Mapping[str, Any]) -> bool:
        """Revoke one token.

        Args:
            who: Its identity (``auth.identity`` in a logout view), or its claims.

        Returns:
            ``True`` if the token was valid until now, ``False`` if it had expired or was already revoked. The
            revocation is stored either way.

        Raises:
            ValueError: The claims have no ``iss`` or no ``jti``.
            AuthUnavailable: The store can't be asked.
        """
        claims = who.claims if isinstance(who, Identity) else who
        key = _token_key(claims)
        if key is None:
            raise ValueError("a token is revoked by its iss and jti, and these claims don't have both")
        end = claims.get("exp")
        now = time()
        known = self.store.get(_TOKENS, key) is not None
        # Without an end the token never dies by itself, so the entry lives as long as a store keeps anything.
        lifetime = end + GRACE - now if isinstance(end, (int, float)) else MAX_LIFETIME
        self.store.put(_TOKENS, key, "1", min(max(lifetime, MIN_LIFETIME), MAX_LIFETIME))
        return not known and (not isinstance(end, (int, float)) or end > now)

    def revoke_subject(self, issuer: str, subject: str, *, lifetime: float | timedelta = MAX_LIFETIME) -> None:
        """Revoke every token of a subject that was issued up to now (by ``iat``), or that has no ``iat``.

        The issuer's clock may be ahead, so tokens dated up to ``leeway`` seconds from now are revoked as well. A login
        that follows at once works when that time has passed.

        Args:
            issuer: The issuer of the tokens.
            subject: Their subject.
            lifetime: The longest lifetime of a token, in seconds or as a `timedelta`.

        Raises:
            ValueError: ``issuer`` or ``subject`` is empty, or ``lifetime`` is out of range.
            AuthUnavailable: The store can't be asked.
        """
        if isinstance(lifetime, timedelta):
            lifetime = lifetime.total_seconds()
        for name, value in (("issuer", issuer), ("subject", subject)):
            if not isinstance(value, str) or not value:
                raise ValueError(f"{name} must be a text that isn't empty, not {value!a}")
        # A token that is dated `leeway` from now ends that much later, and is accepted for another `leeway` then.
        entry_lifetime = min(lifetime + 2 * self.leeway, MAX_LIFETIME) if 0 < lifetime <= MAX_LIFETIME else lifetime
        # With the fraction of the second, since some issuers write one into ``iat``.
        self.store.put(_SUBJECTS, _key(issuer, subject), f"{time() + self.leeway:.6f}", entry_lifetime)

    def __call__(self, identity: Identity) -> bool:
        """Return whether the token of ``identity`` was revoked. One without issuer or ``jti`` counts as revoked."""
        if has_request_context():
            self.store.check_workers(request.environ)
        claims = identity.claims
        key = _token_key(claims)
        if key is None or self.store.get(_TOKENS, key) is not None:
            return True
        if identity.subject is None:
            return False
        since = self.store.get(_SUBJECTS, _key(claims["iss"], identity.subject))
        return since is not None and _is_before(claims.get("iat"), since)

    def check_app(self, app: Flask) -> None:
        """Check the store, before an app's first request."""
        self.store.check()
        self.store.check_processes(app, "Revocations: revoked tokens")

    def __repr__(self) -> str:
        return f"<Revocations in {self.store!r}>"


def _is_before(issued: Any, since: str) -> bool:
    if _SECONDS.fullmatch(since) is None:
        raise AuthUnavailable(
            reason=f"Revocations: the store holds a text of {len(since)} characters for a subject, expected seconds "
            "since 1970: give each app its own prefix="
        )
    return isinstance(issued, bool) or not isinstance(issued, (int, float)) or issued <= float(since)


def _token_key(claims: Mapping[str, Any]) -> str | None:
    issuer, name = claims.get("iss"), token_id(claims)
    return None if name is None or not isinstance(issuer, str) else _key(issuer, name)


def _key(issuer: str, name: str) -> str:
    return json.dumps([issuer, name])  # not joined by a sign that both may hold

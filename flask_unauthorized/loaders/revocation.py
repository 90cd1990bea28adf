"""`Revocations`: tokens that count no more though they have not ended, in a store."""

import json
import re
from collections.abc import Mapping
from time import time
from typing import Any, Final

from flask import Flask, has_request_context, request

from ..errors import AuthUnavailable, configured_seconds
from ..identity import Identity
from ..stores.base import MAX_LIFETIME, MIN_LIFETIME, Store, checked_store
from .jwt_claims import token_id

GRACE: Final = 3600
"""How long an entry outlives the token's ``exp``, in seconds: the longest leeway."""

_SECONDS: Final = re.compile(r"[0-9]{1,15}(?:\.[0-9]+)?", re.ASCII)
_TOKENS: Final = "revoked-token"
_SUBJECTS: Final = "revoked-subject"


class Revocations:
    """A list of revoked tokens, for ``JWT(…, revoked=revocations)``.

    ``leeway`` is how far ahead of ours the issuer's clock may be, in seconds: that of the ``JWT``, which raises it to
    its own.

    A token is named by its issuer and ``jti``, so every spelling of it is revoked, and its entry lives as long as the
    token could. ``revoke_subject`` ends everything that was issued to a subject so far; a new login works. Several
    workers need a store that they share. Raises `AuthUnavailable` where the store can't be asked.
    """

    def __init__(self, store: Store, *, leeway: int = 60) -> None:
        self.store = checked_store(store)
        self.leeway = configured_seconds("leeway", leeway, most=GRACE)

    def cover(self, leeway: int) -> None:
        """Called by a loader that accepts tokens whose ``iat`` is up to ``leeway`` seconds ahead of our clock."""
        self.leeway = max(self.leeway, leeway)

    def revoke(self, who: Identity | Mapping[str, Any]) -> bool:
        """Revokes one token, given as its identity or its claims: ``auth.identity`` in a logout view.

        Returns ``True`` if the token was valid until now, and ``False`` if it had expired or was already revoked. The
        revocation is stored either way.
        Raises `ValueError` for claims without ``iss`` and ``jti``.
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

    def revoke_subject(self, issuer: str, subject: str, *, lifetime: float = MAX_LIFETIME) -> None:
        """Revokes every token of ``subject`` that ``issuer`` issued up to now (by ``iat``), or without ``iat``.

        The issuer's clock may be ahead, so tokens dated up to ``leeway`` seconds from now are revoked as well: a login
        that follows at once works when that time has passed. ``lifetime`` is the longest life of a token, in seconds.
        """
        for name, value in (("issuer", issuer), ("subject", subject)):
            if not isinstance(value, str) or not value:
                raise ValueError(f"{name} must be a text that isn't empty, not {value!a}")
        # A token that is dated `leeway` from now ends that much later, and is accepted for another `leeway` then.
        kept = min(lifetime + 2 * self.leeway, MAX_LIFETIME) if 0 < lifetime <= MAX_LIFETIME else lifetime
        # With the fraction of the second, since some issuers write one into ``iat``.
        self.store.put(_SUBJECTS, _key(issuer, subject), f"{time() + self.leeway:.6f}", kept)

    def __call__(self, identity: Identity) -> bool:
        """Whether the token of ``identity`` was revoked; one that can't be named counts as revoked."""
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
        """Called before an app's first request: the store's own check."""
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

"""Loaders that are ready to use.

A loader is any callable that gets credentials and returns an `Identity`, a user, a subject, or ``None`` to reject them.

- ``Passwords``: names and password hashes, for `Basic`. ``acceptable`` says whether a new password may be chosen, and
  ``Acceptance`` why not.
- ``SignedTokens``: tokens that your app signs. They need no database.
- ``StaticTokens``: tokens that are known when the app starts.

Others are in modules of their own, because they need more packages or a network:

- `flask_unauthorized.loaders.jwt`: `JWT` and `Issuers`, for signed tokens of an authorization server.
- `flask_unauthorized.loaders.jwks`: `JWKS`, the keys at a URL.
- `flask_unauthorized.loaders.introspection`: `Introspection` asks an authorization server about each token.
- `flask_unauthorized.loaders.revocation`: `Revocations`, a list of tokens that ended early.
- `flask_unauthorized.loaders.stored`: `StoredTokens`, personal access tokens in your database.
- `flask_unauthorized.loaders.pairs`: `Pairs`, access and refresh tokens for users who log in to your app.
"""

from typing import TYPE_CHECKING

from ..lazy_names import lazy_names

if TYPE_CHECKING:
    from .new_passwords import Acceptance as Acceptance
    from .new_passwords import acceptable as acceptable
    from .passwords import Passwords as Passwords
    from .signed_tokens import SignedTokens as SignedTokens
    from .static_tokens import StaticTokens as StaticTokens
else:
    __getattr__, __dir__ = lazy_names(
        __name__,
        {
            ".new_passwords": ["Acceptance", "acceptable"],
            ".passwords": ["Passwords"],
            ".signed_tokens": ["SignedTokens"],
            ".static_tokens": ["StaticTokens"],
        },
    )

__all__ = ["Acceptance", "Passwords", "SignedTokens", "StaticTokens", "acceptable"]

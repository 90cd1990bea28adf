"""Loaders that are ready to use.

A loader is any callable that gets credentials and returns an `Identity`, a user, a subject, or ``None`` to reject them.
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

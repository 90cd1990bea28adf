"""Loaders that are ready to use. A loader is any callable: credentials in; an identity, a user or ``None`` out.

`jwt` and `introspection` are imported by path, because they need extras or an HTTP client.
"""

from .passwords import Passwords
from .signed_tokens import SignedTokens
from .static_tokens import StaticTokens

__all__ = ["Passwords", "SignedTokens", "StaticTokens"]

"""The schemes: how credentials are carried, and how their absence or failure is expressed."""

from typing import TYPE_CHECKING

from ..lazy_names import lazy_names

if TYPE_CHECKING:
    from .api_key import APIKey as APIKey
    from .base import Scheme as Scheme
    from .basic import Basic as Basic
    from .bearer import Bearer as Bearer
    from .digest import Digest as Digest
    from .dpop import DPoP as DPoP
    from .session.scheme import SessionCookie as SessionCookie
else:
    __getattr__, __dir__ = lazy_names(
        __name__,
        {
            ".api_key": ["APIKey"],
            ".base": ["Scheme"],
            ".basic": ["Basic"],
            ".bearer": ["Bearer"],
            ".digest": ["Digest"],
            ".dpop": ["DPoP"],
            ".session.scheme": ["SessionCookie"],
        },
    )

__all__ = ["APIKey", "Basic", "Bearer", "Digest", "DPoP", "Scheme", "SessionCookie"]

"""The schemes: how credentials are sent, and what a refusal asks for."""

from .api_key import APIKey
from .base import Scheme
from .basic import Basic
from .bearer import Bearer
from .digest import Digest
from .dpop import DPoP
from .session_cookie import SessionCookie

__all__ = ["APIKey", "Basic", "Bearer", "Digest", "DPoP", "Scheme", "SessionCookie"]

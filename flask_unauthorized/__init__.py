"""flask_unauthorized: the Flask extension with which an app never answers 401 wrongly."""

from .errors import (
    AuthError,
    AuthUnavailable,
    ConfigurationError,
    CrossSiteRequest,
    ExpiredCredentials,
    Forbidden,
    InsufficientScope,
    InvalidCredentials,
    InvalidProof,
    MalformedCredentials,
    MissingCredentials,
    NonceRequired,
    RevokedCredentials,
    StaleNonce,
    StepUpRequired,
    TooManyAttempts,
    Unauthorized,
)
from .extension import Auth
from .identity import Identity
from .policy.requirement import any_of
from .runtime.abort import abort_forbidden, abort_unauthorized
from .runtime.context import current_identity, current_user
from .schemes import APIKey, Basic, Bearer, Digest, DPoP, Scheme, SessionCookie
from .wire import Challenge

__version__ = "0.1.0"

__all__ = [
    "Auth", "Bearer", "Basic", "Digest", "DPoP", "APIKey", "SessionCookie", "Scheme", "Identity", "any_of",
    "current_user", "current_identity", "abort_unauthorized", "abort_forbidden", "Challenge",
    "AuthError", "Unauthorized", "MissingCredentials", "InvalidCredentials", "ExpiredCredentials",
    "RevokedCredentials", "StaleNonce", "InvalidProof", "NonceRequired", "StepUpRequired", "MalformedCredentials",
    "Forbidden", "CrossSiteRequest", "InsufficientScope", "TooManyAttempts", "AuthUnavailable", "ConfigurationError",
]  # fmt: skip

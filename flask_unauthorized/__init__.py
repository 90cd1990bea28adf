"""flask_unauthorized: the Flask extension that gets every 401 right."""

from typing import TYPE_CHECKING

from .lazy_names import lazy_names

if TYPE_CHECKING:
    from .errors import AuthError as AuthError
    from .errors import AuthUnavailable as AuthUnavailable
    from .errors import ConfigurationError as ConfigurationError
    from .errors import CrossSiteRequest as CrossSiteRequest
    from .errors import ExpiredCredentials as ExpiredCredentials
    from .errors import Forbidden as Forbidden
    from .errors import InsufficientScope as InsufficientScope
    from .errors import InvalidCredentials as InvalidCredentials
    from .errors import InvalidProof as InvalidProof
    from .errors import MalformedCredentials as MalformedCredentials
    from .errors import MissingCredentials as MissingCredentials
    from .errors import NonceRequired as NonceRequired
    from .errors import RevokedCredentials as RevokedCredentials
    from .errors import SessionStolen as SessionStolen
    from .errors import StaleNonce as StaleNonce
    from .errors import StepUpRequired as StepUpRequired
    from .errors import TooManyAttempts as TooManyAttempts
    from .errors import Unauthorized as Unauthorized
    from .extension import Auth as Auth
    from .identity import Identity as Identity
    from .policy.requirement import any_of as any_of
    from .runtime.abort import abort_forbidden as abort_forbidden
    from .runtime.abort import abort_unauthorized as abort_unauthorized
    from .runtime.context import current_identity as current_identity
    from .runtime.context import current_user as current_user
    from .schemes.api_key import APIKey as APIKey
    from .schemes.base import Scheme as Scheme
    from .schemes.basic import Basic as Basic
    from .schemes.bearer import Bearer as Bearer
    from .schemes.digest import Digest as Digest
    from .schemes.dpop import DPoP as DPoP
    from .schemes.session.scheme import SessionCookie as SessionCookie
    from .schemes.session.sha256_sessions import SHA256Sessions as SHA256Sessions
    from .wire.challenge import Challenge as Challenge
else:
    __getattr__, __dir__ = lazy_names(
        __name__,
        {
            ".errors": [
                "AuthError", "AuthUnavailable", "ConfigurationError", "CrossSiteRequest", "ExpiredCredentials",
                "Forbidden", "InsufficientScope", "InvalidCredentials", "InvalidProof", "MalformedCredentials",
                "MissingCredentials", "NonceRequired", "RevokedCredentials", "SessionStolen", "StaleNonce",
                "StepUpRequired", "TooManyAttempts", "Unauthorized",
            ],
            ".extension": ["Auth"],
            ".identity": ["Identity"],
            ".policy.requirement": ["any_of"],
            ".runtime.abort": ["abort_forbidden", "abort_unauthorized"],
            ".runtime.context": ["current_identity", "current_user"],
            ".schemes.api_key": ["APIKey"],
            ".schemes.base": ["Scheme"],
            ".schemes.basic": ["Basic"],
            ".schemes.bearer": ["Bearer"],
            ".schemes.digest": ["Digest"],
            ".schemes.dpop": ["DPoP"],
            ".schemes.session.scheme": ["SessionCookie"],
            ".schemes.session.sha256_sessions": ["SHA256Sessions"],
            ".wire.challenge": ["Challenge"],
        },
    )  # fmt: skip

__version__ = "0.1.0"

__all__ = [
    "Auth", "Bearer", "Basic", "Digest", "DPoP", "APIKey", "SessionCookie", "SHA256Sessions", "Scheme", "Identity",
    "any_of", "current_user", "current_identity", "abort_unauthorized", "abort_forbidden", "Challenge",
    "AuthError", "Unauthorized", "MissingCredentials", "InvalidCredentials", "ExpiredCredentials",
    "RevokedCredentials", "SessionStolen", "StaleNonce", "InvalidProof", "NonceRequired", "StepUpRequired",
    "MalformedCredentials", "Forbidden", "CrossSiteRequest", "InsufficientScope", "TooManyAttempts", "AuthUnavailable",
    "ConfigurationError",
]  # fmt: skip

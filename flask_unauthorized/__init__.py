"""Send a correct 401 for every request that lacks valid credentials.

This is the map of the package. Names without a module are imported from ``flask_unauthorized``.

Decorate views
    ``Auth`` ties all together. ``auth.login_required`` and ``auth.login_optional`` guard one view, ``auth.protect`` a
    whole app or blueprint, and ``auth.public`` opens a view again. ``any_of`` demands one of several scopes or roles.
    In a view, ``auth.require``, ``abort_unauthorized`` and ``abort_forbidden`` refuse a request.
    ``auth.check`` finds mistakes in the set-up.

Schemes
    A scheme reads credentials: ``Bearer``, ``Basic``, ``Digest``, ``DPoP``, ``APIKey``, ``SessionCookie``, and
    ``RemoteUser`` of ``flask_unauthorized.schemes.remote_user``. Subclass ``Scheme`` for one of your own, and write its
    ``Challenge``. ``flask_unauthorized.certificates`` finds the certificate of a client.

Loaders
    A loader is a function that gets the credentials and returns the caller. ``flask_unauthorized.loaders`` has ready
    ones, such as ``Passwords``. ``JWT``, ``Introspection`` and those for tokens in your database are in its modules.

People in browsers
    ``auth.login``, ``auth.logout`` and ``auth.next_url`` serve a login page, ``auth.confirm`` a second factor.
    ``auth.sessions`` and ``auth.end_sessions`` list and end logins. ``SHA256Sessions`` signs Flask's session.
    ``flask_unauthorized.throttle`` limits failed attempts. ``flask_unauthorized.stores`` has what workers share.

Who is calling
    ``current_user`` and ``current_identity`` are the caller of the request, also in templates. ``auth.user`` and
    ``auth.identity`` are the same with types, for guarded views. An ``Identity`` has subject, scopes and roles.

Errors
    ``flask_unauthorized.errors`` explains them. Each refusal is an ``AuthError``. ``auth.renderer`` and ``auth.texts``
    change what callers read.

    - 400: ``MalformedCredentials``
    - 401: ``Unauthorized``, with ``MissingCredentials``, ``InvalidCredentials``, ``ExpiredCredentials``,
      ``RevokedCredentials``, ``SessionStolen``, ``StaleNonce``, ``InvalidProof``, ``NonceRequired``, ``StepUpRequired``
    - 403: ``Forbidden``, with ``InsufficientScope`` and ``CrossSiteRequest``
    - 429: ``TooManyAttempts``; 503: ``AuthUnavailable``
    - A mistake in your set-up: ``ConfigurationError``

Log and metrics
    ``flask_unauthorized.events`` has the fields of the log. ``flask_unauthorized.signals`` has a signal for each event.

Other programs
    ``auth.protected_resource`` tells clients where to get tokens. ``auth.forward_auth`` serves reverse proxies,
    ``auth.backchannel_logout`` an OpenID provider. ``flask_unauthorized.wire`` reads and writes header fields, and
    ``flask_unauthorized.jose`` reads keys.

Testing
    ``flask_unauthorized.testing`` checks responses, and sends requests as a caller of your choice.

Commands and settings
    ``flask unauthorized --help`` lists the commands: ``check`` finds mistakes in the set-up, ``tokens`` manages the
    tokens in your database. Settings are keys of ``app.config`` that begin with ``UNAUTHORIZED_``, such as
    ``UNAUTHORIZED_GUARD``.

Examples in docstrings share a few names: ``app`` is a Flask app, ``auth`` its ``Auth``, ``tokens`` a ``StoredTokens``.
``request`` and ``redirect`` are those of Flask. Functions such as ``find_user`` and ``load_user`` are yours.
"""

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

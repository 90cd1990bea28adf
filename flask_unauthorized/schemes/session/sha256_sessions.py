"""`SHA256Sessions`: Flask's session, signed with HMAC-SHA-256 in place of HMAC-SHA-1.

Flask signs the cookie of its session with HMAC-SHA-1. No known attack forges such a signature, but rules for
cryptography list SHA-1 as one to be replaced (OWASP ASVS 5, appendix C). This interface changes the signature alone.
Name, flags and content of the cookie, keys and lifetimes stay as Flask has them.

1. Flask builds the serializer. So its keys, their order and ``SECRET_KEY_FALLBACKS`` are those of the installed Flask.
2. Its signer uses SHA-256, also to derive the key. What it signs has no other signature.
3. Cookies from before are read with SHA-1 by the same keys, unless the app says otherwise. Their age is limited by
   ``PERMANENT_SESSION_LIFETIME`` as before. Flask writes a cookie when the session changes, so an old one is replaced
   then.
"""

import hashlib
from typing import Any, Final

from flask import Flask
from flask.sessions import SecureCookieSessionInterface
from itsdangerous import URLSafeTimedSerializer

from ...arguments import explains_arguments, validated_flag

_OF_FLASK: Final = SecureCookieSessionInterface.digest_method


class SHA256Sessions(SecureCookieSessionInterface):
    """Sign the cookie of Flask's session with HMAC-SHA-256.

    Flask itself signs with HMAC-SHA-1. Write ``app.session_interface = SHA256Sessions()``.

    Example:
        Sign sessions with SHA-256, and refuse cookies that were signed with SHA-1::

            from flask_unauthorized import SHA256Sessions

            app.session_interface = SHA256Sessions(read_sha1=False)

    Args:
        read_sha1: Also read cookies that Flask has signed with HMAC-SHA-1, so that the change logs no user out.
            Set it to ``False`` when ``PERMANENT_SESSION_LIFETIME`` has passed since.

    Raises:
        TypeError: If ``read_sha1`` isn't a ``bool``.
    """

    digest_method = staticmethod(hashlib.sha256)

    @explains_arguments()
    def __init__(self, *, read_sha1: bool = True) -> None:
        self.read_sha1 = validated_flag("read_sha1", read_sha1)

    def get_signing_serializer(self, app: Flask) -> URLSafeTimedSerializer | None:
        """Return the serializer of the session, as Flask builds it; ``None`` if the app has no ``SECRET_KEY``."""
        serializer = super().get_signing_serializer(app)
        if serializer is not None:
            of_flask: dict[str, Any] = {"key_derivation": self.key_derivation, "digest_method": _OF_FLASK}
            serializer.fallback_signers = [of_flask] if self.read_sha1 else []
        return serializer

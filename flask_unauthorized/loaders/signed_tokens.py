"""`SignedTokens`: tokens that the app signs itself, with a time limit."""

import hashlib
import re
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final

from flask import Flask, current_app
from itsdangerous import BadData, SignatureExpired, URLSafeTimedSerializer

from ..arguments import explains_arguments, validated_whole_seconds
from ..errors import ConfigurationError, ExpiredCredentials, InvalidCredentials
from ..errors.text import shown
from ..identity import Identity
from ..schemes.secret_keys import as_bytes, secret_keys

# Payload (compressed after a dot), time in 2 to 8 octets, signature of 32 octets. A JWT with HS256 has its claims in
# place of the time, which are longer.
_FORM: Final = re.compile(r"\.?[A-Za-z0-9_-]+\.[A-Za-z0-9_-]{3,11}\.[A-Za-z0-9_-]{43}", re.ASCII)
_ROOT: Final = "flask_unauthorized.SignedTokens:"
_WHO: Final = "SignedTokens without secret_key="


class SignedTokens:
    """A loader and maker of signed tokens, without a database.

    They are signed by itsdangerous with HMAC-SHA-256, and can't be revoked. A token carries subject, scopes and roles,
    readable by anyone who holds it. With ``load``, a user who was deleted or locked after the token was issued is
    rejected, and the scopes and roles are those that ``load`` returns.

    Example:
        Issue a token for an hour::

            from flask_unauthorized import Auth, Bearer, Identity
            from flask_unauthorized.loaders import SignedTokens

            tokens = SignedTokens("api", lifetime=3600)
            auth = Auth(Bearer(tokens), app=app)

            with app.app_context():
                token = tokens.issue(Identity("ada", scopes={"notes:read"}))

    Args:
        salt: Names the purpose. A token for one purpose is not accepted for another.
        lifetime: How long a token is valid: whole seconds, or a `timedelta`.
        secret_key: The key. Default: ``SECRET_KEY`` and ``SECRET_KEY_FALLBACKS`` of the current app; the newest signs,
            all verify.
        load: Turns the subject into what any loader returns, on each request.

    Raises:
        ConfigurationError: ``salt`` or ``secret_key`` is empty, or ``lifetime`` is below one second.
        TypeError: ``lifetime`` is not a time.
    """

    @explains_arguments(lifetime='write SignedTokens("login", lifetime=3600), in seconds or as a timedelta')
    def __init__(
        self,
        salt: str,
        lifetime: int | timedelta,
        *,
        secret_key: str | bytes | None = None,
        load: Callable[[str], Any] | None = None,
    ) -> None:
        if not isinstance(salt, str) or not salt:
            raise ConfigurationError(
                'SignedTokens needs a salt that names the purpose: SignedTokens("login", lifetime=3600)'
            )
        if secret_key is not None and not secret_key:
            raise ConfigurationError("secret_key is empty: use secrets.token_hex()")
        self.salt = salt
        self.lifetime = validated_whole_seconds("lifetime", lifetime, least=1)
        self._secret_key = secret_key
        self._load = load

    def issue(self, who: Identity | str) -> str:
        """Return a token, in the alphabet of Bearer tokens.

        Args:
            who: An `Identity` with a subject, or a subject.

        Raises:
            TypeError: ``who`` is neither.
        """
        identity = Identity(who) if isinstance(who, str) else who
        if not isinstance(identity, Identity) or identity.subject is None:
            raise TypeError("a token is issued to an Identity with a subject, or to a subject")
        content = [identity.subject, sorted(identity.scopes), sorted(identity.roles)]
        return self._signed(content)

    def __call__(self, token: str) -> Any:
        """Return the identity in ``token``, or what ``load`` returns.

        Raises:
            ExpiredCredentials: The token is older than ``lifetime``.
            InvalidCredentials: It was not issued with this key for this purpose.
        """
        content, issued = self._verified(token)
        if not _is_content_of_token(content):
            raise InvalidCredentials(
                reason=f"SignedTokens: the token for salt={shown(self.salt)} holds type {type(content).__name__}, "
                "expected the list that issue() writes"
            )
        del token  # what follows may fail, and a traceback shows locals
        subject, scopes, roles = content
        if self._load is not None:
            return self._load(subject)
        return Identity(subject, scopes=scopes, roles=roles, expires_at=issued + self.lifetime + 1)

    def _verified(self, token: str) -> tuple[Any, float]:
        """Return what was signed, and when: in seconds since 1970. Raises what a call raises."""
        try:
            content, signed_at = self._serializer().loads(token, max_age=self.lifetime, return_timestamp=True)
        except SignatureExpired as expired:
            age = 0 if expired.date_signed is None else time.time() - expired.date_signed.timestamp()
            raise ExpiredCredentials(
                reason=f"SignedTokens: the token is {age:.0f} s old, and lifetime={self.lifetime}: issue a new one"
            ) from None
        except (BadData, OverflowError, ValueError, OSError):
            raise InvalidCredentials(
                reason=f"SignedTokens: the token is not signed for salt={shown(self.salt)} by one of the keys: "
                "secret_key=, or SECRET_KEY and SECRET_KEY_FALLBACKS"
            ) from None
        return content, signed_at.timestamp()

    def recognizes(self, token: str) -> bool:
        """Return whether ``token`` has the form of what `issue` returns. Nothing is verified.

        A scheme with several loaders doesn't ask this one for other tokens.
        """
        return _FORM.fullmatch(token) is not None

    def check_app(self, app: Flask) -> None:
        """Check that there is a key, before an app's first request."""
        if self._secret_key is None:
            secret_keys(app, _WHO)

    def _signed(self, content: Any) -> str:
        token = self._serializer().dumps(content)
        return token if isinstance(token, str) else token.decode("ascii")

    def _serializer(self) -> URLSafeTimedSerializer:
        return URLSafeTimedSerializer(self._keys(), salt=_ROOT + self.salt, signer_kwargs=_SIGNER)

    def _keys(self) -> list[bytes]:
        """Oldest first: itsdangerous signs with the last one."""
        if self._secret_key is not None:
            return [as_bytes(self._secret_key)]
        return secret_keys(current_app, _WHO)

    def __repr__(self) -> str:
        return f"<SignedTokens {self.salt!r}, {self.lifetime} s>"


_SIGNER: Final = {"digest_method": hashlib.sha256, "key_derivation": "hmac"}


def _is_content_of_token(content: Any) -> bool:
    if not isinstance(content, list) or len(content) != 3:
        return False
    subject, scopes, roles = content
    return (
        isinstance(subject, str)
        and subject != ""
        and all(isinstance(names, list) and all(isinstance(name, str) for name in names) for names in (scopes, roles))
    )

"""`LogoutTokens`: the logout tokens of an OpenID provider (OpenID Connect Back-Channel Logout 1.0 §2.4 and §2.6).

Theory of operation
-------------------

A logout token is a JWT with the keys of the provider's ID tokens. So form, keys, signature, issuer, audience and times
are checked by the code of `JWT`. The rest of §2.6 is checked here, in this order:

1. The audience. Every one that the token names must be in ``audience=``, as §2.6 step 4 demands by the words "in the
   same way they are validated in ID Tokens" (OpenID Connect Core §3.1.3.7 step 3).
2. ``events`` is an object with the member `LOGOUT_EVENT`, whose value is an object too.
3. There is no ``nonce``, not even ``null``.
4. There is a ``sub``, a ``sid``, or both.
5. There is a ``jti``. The endpoint accepts each one once.

About ``typ`` the standard says in §2.4: "It is RECOMMENDED that Logout Tokens be explicitly typed." It demands no type,
and Keycloak sends ``JWT``. So a missing type and ``JWT`` are accepted, and each other type than ``logout+jwt`` is
rejected. This is safe, because ``events`` is required and ``nonce`` is forbidden: no ID token and no access token has
that form. ``require_typ=True`` accepts ``logout+jwt`` only (ASVS 10.5.5 asks for it).

Encrypted tokens are rejected.
"""

from collections.abc import Collection, Iterable
from dataclasses import replace
from datetime import timedelta
from time import time
from typing import Final, NamedTuple

from flask import Flask

from ..arguments import validated_flag
from ..errors import ConfigurationError, InvalidCredentials
from ..jose import Engine, Key, Keys
from ..stores.base import MAX_LIFETIME
from .claims import MAX_TEXT, Claims, check_parts, kind_of, shown_names, validated_names
from .jwt import DEFAULT_ALGORITHMS, JWT
from .jwt_claims import MAX_JTI, text_claim
from .jwt_profiles import LOGOUT_TOKEN

LOGOUT_EVENT: Final = "http://schemas.openid.net/event/backchannel-logout"
"""The member of ``events`` that makes a token a logout token."""


class LogoutToken(NamedTuple):
    """What a valid logout token says."""

    subject: str | None
    """The user at the provider (``sub``); ``None`` if only the session is named."""
    sid: str | None
    """The session at the provider; ``None`` if all sessions of the user are meant."""
    jti: str
    """The name of the token, which the issuer never gives twice."""
    end: float
    """When the token can't be accepted any more, in seconds since 1970."""


class LogoutTokens:
    """Verifies the logout tokens of one provider.

    Args:
        issuer: The exact ``iss``.
        audience: The client ids of the app at the provider.
        keys: See `JWT`.
        algorithms: See `JWT`.
        leeway: See `JWT`.
        ahead: See `JWT`.
        require_typ: Whether ``typ`` must be ``logout+jwt``.
        engine: See `JWT`.
        proxy: See `JWT`.

    Raises:
        ConfigurationError: A value is out of range, or values don't fit together.
        TypeError: A value has the wrong type.
    """

    def __init__(
        self,
        issuer: str,
        *,
        audience: str | Collection[str],
        keys: Keys | Key | Iterable[Key] | None = None,
        algorithms: Collection[str] = DEFAULT_ALGORITHMS,
        leeway: int | timedelta = 60,
        ahead: int | timedelta | None = None,
        require_typ: bool = False,
        engine: Engine | None = None,
        proxy: str | None = None,
    ) -> None:
        if audience is None:
            raise ConfigurationError(
                "audience=None would accept logout tokens for other apps: give your client id at the provider"
            )
        self._audiences = validated_names("audience", audience)
        profile = LOGOUT_TOKEN
        if validated_flag("require_typ", require_typ):
            profile = replace(profile, typ_values=frozenset({"logout+jwt"}), allows_missing_typ=False)
        self._jwt = JWT(
            issuer,
            audience=self._audiences,
            keys=keys,
            algorithms=algorithms,
            leeway=leeway,
            ahead=ahead,
            engine=engine,
            proxy=proxy,
        )
        self.issuer: Final = issuer
        # Not an argument of `JWT`, because no scheme may accept these tokens.
        self._jwt._rules = replace(self._jwt._rules, profile=profile)

    def __call__(self, token: str) -> LogoutToken:
        """Return what ``token`` says.

        Raises:
            InvalidCredentials: It isn't a valid logout token.
            ExpiredCredentials: It has expired.
            AuthUnavailable: The keys can't be known now (503).
        """
        try:
            claims = self._jwt._verified_claims(token)
        finally:
            del token  # a traceback shows locals
        now = time()
        end = self._jwt._rules.check_origin(claims, now)
        if end is None or end - now > MAX_LIFETIME:
            raise _refused("exp lies more than ten years in the future, and jti is kept until then")
        self._check_all_audiences(claims["aud"])
        _check_event(claims)
        if "nonce" in claims:
            raise _refused("the token has a nonce, as an ID token has: a logout token must not")
        subject, sid = _optional_text(claims, "sub"), _optional_text(claims, "sid")
        if subject is None and sid is None:
            raise _refused(
                "the token has neither sub nor sid, and must name a user or a session: the issuer has to correct that"
            )
        return LogoutToken(subject, sid, text_claim(claims, "jti", MAX_JTI), end)

    def check_app(self, app: Flask) -> None:
        """Check the keys before an app's first request."""
        check_parts(app, self._jwt._keys)  # not `JWT.check_app`, because no caller has these tokens

    def _check_all_audiences(self, audience: str | list[str]) -> None:
        named = {audience} if isinstance(audience, str) else set(audience)
        if not named <= self._audiences:
            raise _refused(
                f"aud also names {shown_names(sorted(named - self._audiences))}: audience= must list all that you trust"
            )

    def __repr__(self) -> str:
        return f"<LogoutTokens {self.issuer}>"


def _check_event(claims: Claims) -> None:
    events = claims.get("events")
    if not isinstance(events, dict):
        raise _refused(f"events is {kind_of(events)}, expected an object with {LOGOUT_EVENT}")
    if not isinstance(events.get(LOGOUT_EVENT), dict):
        raise _refused(f"events has {kind_of(events.get(LOGOUT_EVENT))} for {LOGOUT_EVENT}, expected an object")


def _optional_text(claims: Claims, name: str) -> str | None:
    return None if claims.get(name) is None else text_claim(claims, name, MAX_TEXT)


def _refused(reason: str) -> InvalidCredentials:
    return InvalidCredentials(reason=reason)

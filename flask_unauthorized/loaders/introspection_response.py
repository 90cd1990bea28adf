"""`ResponseRules`: from an introspection response to an `Identity` (RFC 7662 §2.2).

Theory of operation
-------------------

Two kinds of wrong responses must not be confused, because their status differs:

- The server says that the token isn't valid, or not for this app: `InvalidCredentials` or `ExpiredCredentials` (401).
- The server's response isn't one of RFC 7662: `AuthUnavailable` (503). No client can correct that.

Order: ``active``, then the types of all members that decide something (503), then the kind of token, the times, the
issuer and the audience (401), then the members of the identity. ``active: false`` is looked at before the types,
because a server may leave everything else out then.

What a member grants fails closed: a malformed ``scope``, ``acr`` or ``amr`` grants nothing. ``cnf`` and
``authorization_details`` take something away, so a malformed one rejects the token. Many servers call refresh tokens
and ID tokens active as well, so the kind is checked.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from ..errors import AuthUnavailable, ExpiredCredentials, InvalidCredentials
from ..errors.codes import with_code
from ..errors.text import shown
from ..identity import Identity
from ..wire.rules import MAX_CLOCK_SKEW
from .claims import (
    CONFIRMATIONS,
    MAX_TEXT,
    NO_NAMES,
    Claims,
    RolesClaim,
    identity_class,
    is_confirmation,
    strings,
    text_or_none,
    time_or_none,
)


@dataclass(frozen=True, slots=True)
class ResponseRules:
    """What the responses of one server must say. `Introspection` documents the options."""

    audiences: frozenset[str] | None
    issuer: str | None
    subject: str
    roles_claim: RolesClaim | None
    restricts: bool = False
    """Whether only views that look at the ``authorization_details`` of a token may accept it."""

    def identity(self, response: Claims, now: float) -> Identity:
        """Return the identity of a token that is valid at ``now`` (seconds since 1970).

        Raises:
            InvalidCredentials: The token is not valid, or not for this app.
            ExpiredCredentials: It has expired.
            AuthUnavailable: The response is not one of RFC 7662.
        """
        active = response.get("active")
        if not isinstance(active, bool):
            came = f"{shown(active)}, not true or false" if "active" in response else "missing"
            error = f"; error is {shown(response['error'])}" if "error" in response else ""
            raise AuthUnavailable(
                reason=f"active in the introspection response is {came} (RFC 7662 section 2.2){error}"
            )
        if not active:
            raise InvalidCredentials(reason="the authorization server says that the token isn't active (active: false)")
        for name, (is_right, expected) in _MEMBERS.items():
            value = response.get(name)
            if value is not None and not is_right(value):  # null counts as absent
                raise _wrong_type(name, value, expected)
        _check_kind(response)
        expires_at = self._check_times(response, now)
        self._check_issuer(response)
        self._check_audience(response)
        kind = identity_class(response, restricts=self.restricts)
        return kind(
            _text(response, self.subject),
            scopes=_scopes(response.get("scope")),
            roles=NO_NAMES if self.roles_claim is None else self.roles_claim.roles(response),
            acr=text_or_none(response.get("acr")),
            auth_time=time_or_none(response.get("auth_time")),
            claims=response,
            client_id=_text(response, "client_id"),
            expires_at=expires_at,
            confirmation=_confirmation(response),
            issuer=text_or_none(response.get("iss")) or self.issuer,
            amr=strings(response.get("amr")),
        )

    def _check_times(self, response: Claims, now: float) -> float | None:
        expires_at, begins_at = response.get("exp"), response.get("nbf")
        if expires_at is not None and expires_at <= now:
            raise ExpiredCredentials(
                reason=f"exp has passed, though the authorization server says active: exp is {shown(expires_at)}, "
                f"and it is {now:.0f} here"
            )
        if begins_at is not None and begins_at > now + MAX_CLOCK_SKEW:
            raise InvalidCredentials(
                reason=f"nbf has not come, though the authorization server says active: nbf is {shown(begins_at)}, "
                f"and it is {now:.0f} here"
            )
        end: float | None = expires_at
        return end

    def _check_issuer(self, response: Claims) -> None:
        """Refuse another issuer. The endpoint is the issuer's own, so it may leave the name out."""
        issuer = response.get("iss")
        if self.issuer is not None and issuer not in (None, self.issuer):
            raise InvalidCredentials(reason=f"iss is {shown(issuer, 80)}, and issuer={shown(self.issuer, 80)}")

    def _check_audience(self, response: Claims) -> None:
        if self.audiences is None:
            return
        audience = response.get("aud")
        if audience is None:
            raise InvalidCredentials(
                reason=f"the authorization server names no aud, and audience={shown(self.audiences, 60)}: "
                "audience=None accepts tokens without one"
            )
        if self.audiences.isdisjoint([audience] if isinstance(audience, str) else audience):
            raise with_code(
                InvalidCredentials(reason=f"aud is {shown(audience, 80)}, and audience={shown(self.audiences, 80)}"),
                "wrong_audience",
            )


# --- whether it is a response of RFC 7662


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_time(value: Any) -> bool:
    return time_or_none(value) is not None


def _is_audience(value: Any) -> bool:
    return isinstance(value, str) or (isinstance(value, list) and all(isinstance(one, str) for one in value))


def _is_binding(value: Any) -> bool:
    """Return whether a known way of binding has a text. Unknown ways are refused later, as invalid."""
    return isinstance(value, dict) and all(isinstance(value[name], str) for name in CONFIRMATIONS & value.keys())


_MEMBERS: Final[Mapping[str, tuple[Callable[[Any], bool], str]]] = {
    "iss": (_is_text, "text"),
    "sub": (_is_text, "text"),
    "client_id": (_is_text, "text"),
    "exp": (_is_time, "a number"),
    "nbf": (_is_time, "a number"),
    "aud": (_is_audience, "text or a list of texts"),
    "cnf": (_is_binding, "an object that names a key"),
}
"""The members on which a decision rests or which name the caller. Wrong ``scope`` or ``acr`` grant nothing instead."""


def _wrong_type(name: str, value: Any, expected: str) -> AuthUnavailable:
    came = f"{type(value).__name__} and not {expected}"
    return AuthUnavailable(
        reason=f"{name} in the introspection response has the wrong type: {came} (RFC 7662 section 2.2)"
    )


# --- whether it is an access token

_OTHER_KINDS: Final = frozenset({"refresh", "refresh_token", "offline", "id", "id_token"})
_KINDS: Final[Mapping[str, frozenset[str]]] = {
    "typ": frozenset({"bearer", "dpop", "jwt", "at+jwt"}),  # Keycloak; it says "Refresh", "Offline" or "ID" otherwise
    "token_use": frozenset({"access", "access_token"}),  # Cognito, Ory Hydra
}
"""Members that name the kind of token, and their values in lower case for an access token."""
_NOT_KINDS: Final[Mapping[str, frozenset[str]]] = {
    "token_type": _OTHER_KINDS,
    "type": _OTHER_KINDS,
    "purpose": _OTHER_KINDS,
}
"""Members that say other things too, and their values for what isn't an access token."""


def _check_kind(response: Claims) -> None:
    """Refuses refresh tokens and ID tokens, which many servers call active as well (RFC 7662 §2.1)."""
    for name, accepted in _KINDS.items():
        value = response.get(name)
        if value is not None and _kind(value) not in accepted:
            raise _no_access_token(name, value)
    for name, refused in _NOT_KINDS.items():
        if _kind(response.get(name)) in refused:
            raise _no_access_token(name, response[name])


def _kind(value: Any) -> str | None:
    return value.lower().removeprefix("application/") if isinstance(value, str) else None


def _no_access_token(name: str, value: Any) -> InvalidCredentials:
    return InvalidCredentials(
        reason=f"{name} is {shown(value, 60)}, so this is not an access token: send the access token"
    )


# --- the members


def _text(response: Claims, name: str) -> str | None:
    value = response.get(name)
    if value is None or value == "":
        return None
    if not isinstance(value, str) or len(value) > MAX_TEXT:
        raise _wrong_type(name, value, f"text of at most {MAX_TEXT} characters")
    return value


def _scopes(scope: Any) -> list[str]:
    """Return the scopes of a list with spaces (§2.2) or of an array, which some servers send. Else return none."""
    if isinstance(scope, str):
        return [one for one in scope.split(" ") if one]
    if isinstance(scope, list) and all(isinstance(one, str) for one in scope):
        return scope
    return []


def _confirmation(response: Claims) -> Mapping[str, str] | None:
    """Return the key that the token is bound to. A scheme that can't verify its proof then refuses the token."""
    confirmation = response.get("cnf")
    kind = response.get("token_type")
    if confirmation is None:
        if isinstance(kind, str) and kind.lower() == "dpop":
            raise InvalidCredentials(reason="token_type is DPoP, but cnf names no key (RFC 9449 section 6.2)")
        if "cnf" in response:
            raise InvalidCredentials(reason="cnf is null, so it names no key (RFC 7800 section 3.1)")
        return None
    if not is_confirmation(confirmation):
        raise InvalidCredentials(
            reason=f"cnf binds the token by {shown(sorted(confirmation))}, and only a text for {shown(CONFIRMATIONS)} "
            "is known here (RFC 7800 section 3.1)"
        )
    bound: Mapping[str, str] = confirmation
    return bound

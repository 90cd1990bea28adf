"""What an introspection answer says of a token, and whose identity that makes (RFC 7662 §2.2)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from ..errors import AuthUnavailable, ExpiredCredentials, InvalidCredentials
from ..identity import Identity
from .claims import MAX_TEXT, Claims, RolesClaim, is_confirmation, roles_at, text_or_none, time_or_none

SKEW: Final = 60
"""How far ahead of ours the server's clock may be, in seconds."""


@dataclass(frozen=True, slots=True)
class Policy:
    """What the answers of one server must say; made by `Introspection`, which says what each means."""

    audiences: frozenset[str] | None
    issuer: str | None
    subject: str
    roles_claim: RolesClaim | None

    def identity(self, answer: Claims, now: float) -> Identity:
        """Whose the token is, when it is good at ``now`` (seconds since 1970).

        Raises `InvalidCredentials` or `ExpiredCredentials` where it isn't, and `AuthUnavailable` where the answer says
        it in a way that cannot be understood: that is not the client's fault.
        """
        if answer.get("active") is not True:
            raise InvalidCredentials(reason="the authorization server says that the token isn't active")
        expires_at = self._check_times(answer, now)
        self._check_issuer(answer)
        self._check_audience(answer)
        return Identity(
            _text(answer, self.subject),
            scopes=_scopes(answer.get("scope")),
            roles=roles_at(answer, self.roles_claim),
            acr=text_or_none(answer.get("acr")),
            auth_time=time_or_none(answer.get("auth_time")),
            claims=answer,
            client_id=_text(answer, "client_id"),
            expires_at=expires_at,
            confirmation=_confirmation(answer),
        )

    def _check_times(self, answer: Claims, now: float) -> float | None:
        expires_at, begins_at = _time(answer, "exp"), _time(answer, "nbf")
        if expires_at is not None and expires_at <= now:
            raise ExpiredCredentials(reason="exp has passed, though the authorization server says active")
        if begins_at is not None and begins_at > now + SKEW:
            raise InvalidCredentials(reason="nbf has not come, though the authorization server says active")
        return expires_at

    def _check_issuer(self, answer: Claims) -> None:
        """The endpoint is the issuer's own, so it may leave the name out; another name is refused."""
        if self.issuer is not None and answer.get("iss") not in (None, self.issuer):
            raise InvalidCredentials(reason="iss is not the issuer")

    def _check_audience(self, answer: Claims) -> None:
        if self.audiences is None:
            return
        audience = answer.get("aud")
        named = audience if isinstance(audience, list) else [audience]
        if not any(isinstance(one, str) and one in self.audiences for one in named):
            hint = "" if "aud" in answer else ": the authorization server names none; audience=None doesn't ask for it"
            raise InvalidCredentials(reason=f"aud is not one of audience{hint}")


def _broken(name: str) -> AuthUnavailable:
    return AuthUnavailable(reason=f"{name} in the introspection answer has the wrong type (RFC 7662 §2.2)")


def _time(answer: Claims, name: str) -> float | None:
    value = answer.get(name)
    if value is not None and time_or_none(value) is None:
        raise _broken(name)
    return value


def _text(answer: Claims, name: str) -> str | None:
    value = answer.get(name)
    if value is None or value == "":
        return None
    if not isinstance(value, str) or len(value) > MAX_TEXT:
        raise _broken(name)
    return value


def _scopes(scope: Any) -> list[str]:
    """A list with blanks (§2.2); some servers send an array. Of anything else, no scopes."""
    if isinstance(scope, str):
        return [one for one in scope.split(" ") if one]
    if isinstance(scope, list) and all(isinstance(one, str) for one in scope):
        return scope
    return []


def _confirmation(answer: Claims) -> Mapping[str, str] | None:
    """The key that the token is bound to; a scheme that doesn't prove it then refuses the token."""
    confirmation = answer.get("cnf")
    kind = answer.get("token_type")
    if confirmation is None:
        if isinstance(kind, str) and kind.lower() == "dpop":
            raise InvalidCredentials(reason="token_type is DPoP, but no key is named (RFC 9449 §6.2)")
        if "cnf" in answer:
            raise InvalidCredentials(reason="cnf names no key")
        return None
    if not is_confirmation(confirmation):
        raise InvalidCredentials(reason="cnf binds the token in a way that isn't known here (RFC 7800 §3.1)")
    bound: Mapping[str, str] = confirmation
    return bound

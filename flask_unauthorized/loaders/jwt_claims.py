"""Which claims an access token must have, and whose identity they make (RFC 9068 §2.2 and §4, RFC 7519 §4.1)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from ..errors import ExpiredCredentials, InvalidCredentials
from ..identity import Identity
from .claims import MAX_TEXT, Claims, is_confirmation, roles_at, strings, text_or_none, time_or_none
from .jwt_profiles import Profile

MAX_TIME: Final = 253_402_300_799
"""Latest time that counts, in seconds since 1970: the end of the year 9999."""
MAX_JTI: Final = 256
"""Longest ``jti``, in characters."""

_NONE: Final[frozenset[str]] = frozenset()
_NOT_IN_SCOPES: Final = str.maketrans("", "", "".join(map(chr, (0x20, 0x21, *range(0x23, 0x5C), *range(0x5D, 0x7F)))))


@dataclass(frozen=True, slots=True)
class Policy:
    """What the claims of one issuer must say; made by `JWT`, which says what each means."""

    issuer: str
    audiences: frozenset[str] | None
    profile: Profile
    leeway: int
    allow_eternal: bool
    roles_path: tuple[str, ...] | None
    required: tuple[tuple[str, frozenset[str]], ...]
    needs_id: bool

    def check_type(self, header: Mapping[str, Any]) -> None:
        """Refuses a token of another kind (RFC 8725 §3.11). The name is a media type (RFC 7515 §4.1.9)."""
        kind = header.get("typ")
        if kind is None:
            if not self.profile.untyped:
                raise _refused("no typ")
        elif kind.lower().removeprefix("application/") not in self.profile.types:
            raise _refused("typ is that of another kind of token")

    def identity(self, claims: Claims, now: float) -> Identity:
        """Whose the token is, when it is good at ``now``. Raises `InvalidCredentials`, `ExpiredCredentials`."""
        if claims.get("iss") != self.issuer:
            raise _refused("iss is not the issuer")
        self._check_audience(claims.get("aud"))
        end = self._check_times(claims, now)
        if self.profile.foreign:
            self._check_kind(claims)
        subject = _text(claims, "sub", MAX_TEXT)
        for name in self.profile.demanded:
            _text(claims, name, MAX_TEXT)
        self._check_id(claims)
        for name, accepted in self.required:
            if not _holds(claims.get(name), accepted):
                raise _refused("a claim that is required has another value")
        return Identity(
            subject,
            scopes=self._scopes(claims),
            roles=roles_at(claims, self.roles_path),
            acr=text_or_none(claims.get("acr")),
            auth_time=time_or_none(claims.get("auth_time")),
            claims=claims,
            client_id=self._client(claims),
            expires_at=end,
            confirmation=_confirmation(claims["cnf"]) if "cnf" in claims else None,
        )

    def _client(self, claims: Claims) -> str | None:
        for name in self.profile.clients:
            value = claims.get(name)
            if isinstance(value, str) and value:
                return value
        return None

    def _check_audience(self, audience: Any) -> None:
        if self.audiences is None:
            return
        if isinstance(audience, str) and audience in self.audiences:
            return
        named = [audience] if isinstance(audience, str) else audience
        if not isinstance(named, list) or not all(isinstance(name, str) for name in named):
            raise _refused("no good aud")
        if self.audiences.isdisjoint(named):
            raise _refused("aud names others")

    def _check_times(self, claims: Claims, now: float) -> float | None:
        end = _time(claims, "exp", needed=not self.allow_eternal)
        if end is not None and now >= end + self.leeway:
            raise ExpiredCredentials(reason="exp has passed")
        issued = _time(claims, "iat", needed=self.profile.dated)
        start = _time(claims, "nbf", needed=False)
        if start is not None and start > now + self.leeway:
            raise _refused("nbf lies in the future")
        if issued is not None and issued > now + self.leeway:
            raise _refused("iat lies in the future")
        if issued is not None and end is not None and issued > end:
            raise _refused("iat is after exp")
        return None if end is None else end + self.leeway

    def _check_kind(self, claims: Claims) -> None:
        for name in self.profile.foreign:
            if name in claims:
                raise _refused("a claim that only another kind of token has")
        named = [name in claims and not _is_one_of(_lower(claims[name]), own) for name, own in self.profile.kinds]
        other = [_is_one_of(_lower(claims.get(name)), kinds) for name, kinds in self.profile.not_kinds]
        if any(named) or any(other):
            raise _refused("a claim names another kind of token")

    def _check_id(self, claims: Claims) -> None:
        if "jti" in claims:
            _text(claims, "jti", MAX_JTI)
        elif self.profile.identified or (self.needs_id and not text_or_none(claims.get("uti"))):
            raise _refused("no jti")

    def _scopes(self, claims: Claims) -> frozenset[str]:
        for name in self.profile.scopes:
            if name in claims:
                return _scopes(claims[name], self.profile.scope_lists)
        return _NONE


def token_id(claims: Claims) -> str | None:
    """``jti``, or ``uti``, which Entra writes in its place."""
    return text_or_none(claims.get("jti")) or text_or_none(claims.get("uti"))


def _refused(reason: str) -> InvalidCredentials:
    return InvalidCredentials(reason=reason)


def _text(claims: Claims, name: str, longest: int) -> str:
    """A claim that must be text that can be logged and shown: not empty, bounded, without controls."""
    value = claims.get(name)
    if not isinstance(value, str) or not value or len(value) > longest or not value.isprintable():
        raise _refused(f"no good {name}")
    return value


def _time(claims: Claims, name: str, *, needed: bool) -> float | None:
    """A NumericDate (RFC 7519 §2)."""
    if name not in claims and not needed:
        return None
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not -MAX_TIME <= value <= MAX_TIME:
        raise _refused(f"no good {name}")
    return value


def _lower(value: Any) -> str | None:
    return value.lower() if isinstance(value, str) else None


def _is_one_of(value: Any, accepted: frozenset[str]) -> bool:
    return isinstance(value, str) and value in accepted


def _holds(value: Any, accepted: frozenset[str]) -> bool:
    """Whether a claim has one of the accepted values, or is a list with one."""
    return _is_one_of(value, accepted) or (isinstance(value, list) and any(_is_one_of(one, accepted) for one in value))


def _scopes(value: Any, lists: bool) -> frozenset[str]:
    """Scope tokens with single blanks between (RFC 6749 §3.3); for anything else no scope at all, never all."""
    if isinstance(value, str):
        # Splitting on blanks alone: with a tab or a line end in it, a scope isn't what it looks like.
        return _NONE if value.translate(_NOT_IN_SCOPES) else frozenset(value.split(" ")) - {""}
    names = strings(value) if lists else _NONE
    return _NONE if any(not name or " " in name or name.translate(_NOT_IN_SCOPES) for name in names) else names


def _confirmation(value: Any) -> Mapping[str, str]:
    """``cnf`` (RFC 7800): the key to which the token is bound. A way of binding that nobody checks is no binding."""
    if not is_confirmation(value):
        raise _refused("cnf binds in a way that isn't checked")
    bound: Mapping[str, str] = value
    return bound

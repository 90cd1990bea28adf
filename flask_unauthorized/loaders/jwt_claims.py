"""`ClaimRules`: from the claims of a verified token to an `Identity` (RFC 9068 §2.2 and §4, RFC 7519 §4.1).

Theory of operation
-------------------

`ClaimRules.identity` checks in this order: issuer, audience, times, kind of token, subject and client, ``jti``, then
``required_claims``. The order decides which reason the log names if several rules are broken: the first one
should be what the developer has to correct first.

- A claim that *limits* the token (``aud``, ``exp``, ``nbf``, ``cnf``, ``authorization_details``) rejects it if it is
  malformed. A claim that *grants* something (``scope``, roles, ``acr``, ``amr``, ``auth_time``) grants nothing if it
  is malformed.
- An optional claim that is ``null`` counts as absent, as some issuers write it. ``cnf`` and
  ``authorization_details`` never do, because they limit who may use the token, and for what.
- A reason shows a claim's value only if the claim names a kind of token, a client or a tenant (`_SHOWN`). Other claims
  may hold personal data, so their JSON type is shown. A reason ends with the fix.

Access tokens and ID tokens of one issuer have the same keys, so the kind is checked in two ways: by ``typ`` in the
header (`ClaimRules.check_type`, before the signature), and for issuers that don't write it by claims (`_check_kind`,
with the data in `jwt_profiles`).
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

from ..errors import ExpiredCredentials, InvalidCredentials
from ..errors.codes import with_code
from ..identity import Identity
from ..policy.details import CLAIM as DETAILS_CLAIM
from .claims import (
    CONFIRMATIONS,
    MAX_TEXT,
    NO_NAMES,
    Claims,
    RolesClaim,
    identity_class,
    is_confirmation,
    kind_of,
    shown_claim,
    shown_names,
    strings,
    text_or_none,
    time_or_none,
)
from .jwt_profiles import PROFILES, Profile

MAX_TIME: Final = 253_402_300_799
"""Latest time that counts, in seconds since 1970: the end of the year 9999."""
MAX_JTI: Final = 256
"""Longest ``jti``, in characters."""

_ISSUERS_FAULT: Final = "the issuer has to correct that"
# Claims whose value the log may show: kinds of token, and names of clients and tenants.
_SHOWN: Final = frozenset({"aud", "azp", "appid", "cid", "client_id", "iss", "tid", "token_use", "typ"})

_NOT_IN_SCOPES: Final = str.maketrans("", "", "".join(map(chr, (0x20, 0x21, *range(0x23, 0x5C), *range(0x5D, 0x7F)))))


@dataclass(frozen=True, slots=True)
class ClaimRules:
    """What the claims of one issuer's tokens must say. `JWT` documents the options."""

    issuer: str | None
    """``None``: the token must not have ``iss``."""
    audiences: frozenset[str] | None
    profile: Profile
    leeway: int
    ahead: int
    allow_eternal: bool
    roles_claim: RolesClaim | None
    required: tuple[tuple[str, frozenset[str] | None], ...]
    """Names and accepted values; ``None`` for any value (`ANY`)."""
    needs_id: bool
    restricts: bool = False
    """Whether only views that look at the ``authorization_details`` of a token may accept it."""

    def check_type(self, header: Mapping[str, Any]) -> None:
        """Reject a token of another kind (RFC 8725 §3.11). ``typ`` is a media type (RFC 7515 §4.1.9)."""
        kind = header.get("typ")
        if kind is None:
            if not self.profile.allows_missing_typ:
                raise self._refused_type(None)
        elif kind.lower().removeprefix("application/") not in self.profile.typ_values:
            raise self._refused_type(kind)

    def identity(self, claims: Claims, header: Mapping[str, Any], now: float) -> Identity:
        """Return the identity, if the token is valid at ``now``. Raises `InvalidCredentials`, `ExpiredCredentials`."""
        end = self.check_origin(claims, now)
        if self.profile.names_kind_in_claims:
            self._check_kind(claims, header)
        client = self._client(claims)
        subject = self._subject(claims, client)
        for name in self.profile.required_text_claims:
            text_claim(claims, name, MAX_TEXT, self.profile.missing_fix)
        self._check_id(claims)
        if self.required:
            self._check_required(claims)
        kind = Identity
        if DETAILS_CLAIM in claims:
            kind = identity_class(claims, restricts=self.restricts)
        methods = claims.get("amr")
        return kind(
            subject,
            scopes=self._granted_scopes(claims),
            roles=NO_NAMES if self.roles_claim is None else self.roles_claim.roles(claims),
            acr=text_or_none(claims.get("acr")),
            auth_time=self._login_time(claims, now),
            claims=claims,
            client_id=client,
            expires_at=end,
            confirmation=_confirmation(claims["cnf"]) if "cnf" in claims else None,
            issuer=self.issuer,
            amr=NO_NAMES if methods is None else strings(methods),
        )

    def cacheable_until(self, identity: Identity) -> float | None:
        """Return when a cached identity ends: with the token, or already when its login is no longer fresh."""
        end = identity.expires_at
        fresh = time_or_none(identity.claims.get("fresh")) if self.profile.reads_fresh else None
        if fresh is None or identity.auth_time is None:
            return end
        return fresh if end is None else min(fresh, end)

    def _login_time(self, claims: Claims, now: float) -> float | None:
        """Return when the user logged in. ``fresh`` is ``True``, or the time up to which the token is fresh."""
        if not self.profile.reads_fresh:
            return time_or_none(claims.get("auth_time"))
        fresh = claims.get("fresh")
        until = time_or_none(fresh)
        return time_or_none(claims["iat"]) if fresh is True or (until is not None and now < until) else None

    def check_origin(self, claims: Claims, now: float) -> float | None:
        """Check issuer, audience and times, which limit tokens of every kind.

        Returns:
            When the token can't be accepted any more, in seconds since 1970. ``None`` if it never ends.
        """
        if claims.get("iss") != self.issuer:
            raise self._refused_issuer(claims.get("iss"))
        self._check_audience(claims.get("aud"))
        return self._check_times(claims, now)

    def _refused_type(self, kind: str | None) -> InvalidCredentials:
        other = PROFILES["oidc-compat"]
        fix = "no profile takes such a token"
        if self.profile.required_kind is not None:
            fix = "Flask-JWT-Extended writes no other"
        elif self.profile.limits is not None:
            fix = "the issuer has to write access tokens of RFC 9068"
        elif not self.profile.is_access_token:
            fix = "the issuer has to send a token of that type"
        elif other.allows_missing_typ if kind is None else _media_type(kind) in other.typ_values:
            fix = "profile='oidc-compat' takes it"
        elif kind is not None and _media_type(kind) == "":
            fix = "the issuer must name the type"
        return _refused(f"typ is {shown_claim(kind)}, expected {_one_of(self.profile.typ_values)}: {fix}")

    def _refused_issuer(self, issuer: Any) -> InvalidCredentials:
        if self.issuer is None:
            return _refused(f"iss is {shown_claim(issuer)}, expected none: give issuer= that text to take such tokens")
        fix = "the issuer must write it" if issuer is None else "issuer= must be the exact text"
        return _refused(f"iss is {shown_claim(issuer)}, expected {shown_claim(self.issuer)}: {fix}")

    def _client(self, claims: Claims) -> str | None:
        for name in self.profile.client_claims:
            value = claims.get(name)
            if isinstance(value, str) and value:
                return value
        return None

    def _subject(self, claims: Claims, client: str | None) -> str | None:
        subject = claims.get("sub")
        if self.profile.allows_integer_sub and type(subject) is int:  # True is an int as well
            return str(subject)
        if isinstance(subject, str) and 0 < len(subject) <= MAX_TEXT and subject.isprintable():
            return subject
        self._check_client_alone(claims, client)
        return None

    def _granted_scopes(self, claims: Claims) -> frozenset[str]:
        for name in self.profile.scope_claims:
            if claims.get(name) is not None:
                return _scopes(claims[name], self.profile.allows_scope_list)
        return NO_NAMES

    def _check_client_alone(self, claims: Claims, client: str | None) -> None:
        """Reject a token without a subject, unless it names its client and the profile accepts that."""
        fix = "profile='oidc-compat' takes a token that names its client alone"
        if self.profile.allows_integer_sub or self.profile.limits is not None:
            fix = self.profile.missing_fix
        if self.profile.allows_missing_sub:
            if claims.get("sub") is None and client is not None:
                if len(client) <= MAX_TEXT and client.isprintable():
                    return
                raise _refused(f"the client's name is not a string of 1 to {MAX_TEXT} printable characters")
            fix = f"it may be absent only beside one of {shown_names(list(self.profile.client_claims))}"
        text_claim(claims, "sub", MAX_TEXT, fix)

    def _check_audience(self, audience: Any) -> None:
        if self.audiences is None:
            return
        if isinstance(audience, str) and audience in self.audiences:
            return
        named = [audience] if isinstance(audience, str) else audience
        texts = isinstance(named, list) and all(isinstance(name, str) for name in named)
        if texts and not self.audiences.isdisjoint(named):
            return
        raise with_code(
            _refused(
                f"aud is {shown_claim(audience)}, expected {_one_of(self.audiences)}: "
                "have the issuer name this API, or set audience="
            ),
            "wrong_audience",
        )

    def _check_times(self, claims: Claims, now: float) -> float | None:
        end = _time(claims, "exp", needed=not self.allow_eternal, fix=self.profile.without_exp)
        if end is not None and now >= end + self.leeway:
            raise ExpiredCredentials(
                reason=f"exp has passed {now - end:.0f} s ago and leeway={self.leeway}: get a new token"
            )
        issued = _time(claims, "iat", needed=self.profile.requires_iat, fix=self.profile.missing_fix)
        start = None if claims.get("nbf") is None else _time(claims, "nbf", needed=True)
        if start is not None and start > now + self.ahead:
            raise self._too_early("nbf", start - now)
        if issued is not None and issued > now + self.ahead:
            raise self._too_early("iat", issued - now)
        if issued is not None and end is not None and issued > end:
            raise _refused("iat is after exp, and must come before it: the issuer has to correct that")
        return None if end is None else end + self.leeway

    def _too_early(self, name: str, seconds: float) -> InvalidCredentials:
        return _refused(
            f"{name} lies {seconds:.0f} s in the future and ahead={self.ahead}: set the clocks right, or ahead="
        )

    def _check_kind(self, claims: Claims, header: Mapping[str, Any]) -> None:
        """Reject ID tokens and others. Evidence for an access token outweighs an ambiguous claim."""
        if self.profile.required_kind is not None:
            _check_required_kind(claims, *self.profile.required_kind)
        for name in self.profile.forbidden_claims:
            if claims.get(name) is not None:
                raise _refused(f"claim {name!r} marks a token of another kind: send the access token")
        for name in self.profile.id_token_claims:
            if claims.get(name) is not None and not self._is_access_token(claims, header):
                raise _refused(
                    f"claim {name!r} marks an ID token: send the access token; the issuer can tell one by the header "
                    "typ at+jwt, or the claim typ 'Bearer'"
                )
        for name, own in self.profile.access_token_kinds:
            if claims.get(name) is not None and not _is_one_of(_lower(claims[name]), own):
                raise _refused(
                    f"claim {name!r} is {shown_claim(claims[name])}, expected {_one_of(own)}: send the access token"
                )
        for name, others in self.profile.other_token_kinds:
            if _is_one_of(_lower(claims.get(name)), others):
                raise _refused(
                    f"claim {name!r} is {shown_claim(claims[name])}, expected none of {shown_names(sorted(others))}: "
                    "send the access token"
                )

    def _is_access_token(self, claims: Claims, header: Mapping[str, Any]) -> bool:
        """Return whether header or claims say that this is an access token."""
        if _media_type(header.get("typ") or "") == "at+jwt":
            return True
        return any(
            all(
                bool(text_or_none(claims.get(name))) if values is None else _is_one_of(_lower(claims.get(name)), values)
                for name, values in group.items()
            )
            for group in self.profile.access_token_evidence
        )

    def _check_id(self, claims: Claims) -> None:
        if claims.get("jti") is not None:
            text_claim(claims, "jti", MAX_JTI)
        elif self.profile.requires_jti:
            text_claim(claims, "jti", MAX_JTI, self.profile.missing_fix)
        elif self.needs_id and not text_or_none(claims.get("uti")):
            raise _refused("jti is absent, expected a string, because revoked= needs it (or Entra's uti)")

    def _check_required(self, claims: Claims) -> None:
        for name, accepted in self.required:
            value = claims.get(name)
            if value in (None, "", [], {}) if accepted is None else not _holds(value, accepted):
                if name == "cnf" and self.profile.demands_binding:
                    raise _refused(
                        "cnf is absent, expected the key or certificate that the token is bound to: profile='fapi2' "
                        "takes no other tokens, so the issuer must bind them"
                    )
                came = shown_claim(value) if name in _SHOWN else kind_of(value)
                expected = "a value" if accepted is None else _one_of(accepted)
                raise _refused(f"claim {shown_claim(name)} is {came}, expected {expected}: required_claims= demands it")


def _check_required_kind(claims: Claims, name: str, value: str) -> None:
    if claims.get(name) != value:
        raise _refused(
            f"claim {name!r} is {shown_claim(claims.get(name))}, expected {value!r}: send the access token. A token of "
            "another purpose that the same secret signed isn't one"
        )


def token_id(claims: Claims) -> str | None:
    """Return ``jti``, or ``uti``, which Entra writes in its place."""
    return text_or_none(claims.get("jti")) or text_or_none(claims.get("uti"))


def _refused(reason: str) -> InvalidCredentials:
    return InvalidCredentials(reason=reason)


def _media_type(kind: str) -> str:
    return kind.lower().removeprefix("application/")


def _one_of(names: Collection[str]) -> str:
    return shown_claim(*names) if len(names) == 1 else f"one of {shown_names(sorted(names))}"


def text_claim(claims: Claims, name: str, longest: int, fix: str = _ISSUERS_FAULT) -> str:
    """Return a claim that must be text for a log: not empty, bounded, without control characters."""
    value = claims.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= longest or not value.isprintable():
        came = f"a string of {len(value)} characters" if isinstance(value, str) and value else kind_of(value)
        raise _refused(f"{name} is {came}, expected a string of 1 to {longest} printable characters: {fix}")
    return value


def _time(claims: Claims, name: str, *, needed: bool, fix: str = _ISSUERS_FAULT) -> float | None:
    """Return a NumericDate (RFC 7519 §2)."""
    value = claims.get(name)
    if value is None and not needed:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not -MAX_TIME <= value <= MAX_TIME:
        fix = fix if value is None else _ISSUERS_FAULT
        raise _refused(
            f"{name} is {kind_of(value)}, expected a number of seconds since 1970 up to the year 9999: {fix}"
        )
    number: float = value
    return number


def _lower(value: Any) -> str | None:
    return value.lower() if isinstance(value, str) else None


def _is_one_of(value: Any, accepted: frozenset[str]) -> bool:
    return isinstance(value, str) and value in accepted


def _holds(value: Any, accepted: frozenset[str]) -> bool:
    """Return whether a claim has one of the accepted values, or is a list with one."""
    return _is_one_of(value, accepted) or (isinstance(value, list) and any(_is_one_of(one, accepted) for one in value))


def _scopes(value: Any, lists: bool) -> frozenset[str]:
    """Scope tokens with single blanks between (RFC 6749 §3.3); for anything else no scope at all, never all."""
    if isinstance(value, str):
        # Splitting on blanks alone: with a tab or a line end in it, a scope isn't what it looks like.
        return NO_NAMES if value.translate(_NOT_IN_SCOPES) else frozenset(value.split(" ")) - {""}
    names = strings(value) if lists else NO_NAMES
    return NO_NAMES if any(not name or " " in name or name.translate(_NOT_IN_SCOPES) for name in names) else names


def _confirmation(value: Any) -> Mapping[str, str]:
    """Return ``cnf`` (RFC 7800), the key to which the token is bound. Reject unknown ways of binding."""
    if not is_confirmation(value):
        raise _refused(
            f"cnf is {'null' if value is None else kind_of(value)}, expected an object with {_one_of(CONFIRMATIONS)} "
            "and nothing else: no setting skips a binding"
        )
    bound: Mapping[str, str] = value
    return bound

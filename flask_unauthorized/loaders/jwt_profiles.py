"""The profiles of access tokens (RFC 9068, FAPI 2.0, other providers, Flask-JWT-Extended), and logout tokens.

This is data: `jwt_claims` reads it. A comment names the provider that needs an entry.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final


@dataclass(frozen=True, slots=True)
class Profile:
    """What an access token must have beyond signature, issuer, audience, times and subject."""

    typ_values: frozenset[str]
    """Values of ``typ``, lower case, without ``application/``."""
    allows_missing_typ: bool
    """Whether ``typ`` may be absent."""
    required_text_claims: tuple[str, ...]
    """Further claims that must be text."""
    requires_jti: bool
    """Whether ``jti`` must be present."""
    requires_iat: bool
    """Whether ``iat`` must be present."""
    client_claims: tuple[str, ...]
    """Claims that may name the client. The first one present counts."""
    scope_claims: tuple[str, ...]
    """Claims that may hold the scopes. The first one present counts."""
    allows_scope_list: bool
    """Whether scopes may be a list."""
    names_kind_in_claims: bool = False
    """Whether claims tell access tokens from others, by the members below."""
    allows_missing_sub: bool = False
    """Whether ``sub`` may be absent if the client is named: the client acts for itself then (RFC 6749 §4.4)."""
    forbidden_claims: tuple[str, ...] = ()
    """Claims that no access token has."""
    id_token_claims: tuple[str, ...] = ()
    """Claims that mark an ID token, unless `access_token_evidence` or ``typ: at+jwt`` marks an access token."""
    access_token_evidence: tuple[Mapping[str, frozenset[str] | None], ...] = ()
    """Groups of claims that only an access token has: name and values, in lower case, or ``None`` for any text."""
    access_token_kinds: tuple[tuple[str, frozenset[str]], ...] = ()
    """Claims that name the kind of token, and their values, in lower case, in an access token."""
    other_token_kinds: tuple[tuple[str, frozenset[str]], ...] = ()
    """Claims with several uses, and the values that mark another kind of token."""
    required_kind: tuple[str, str] | None = None
    """A claim that must be present, and its only value in an access token."""
    allows_missing_iss: bool = False
    """Whether ``issuer`` may be ``None``, for tokens without ``iss``."""
    allows_integer_sub: bool = False
    """Whether ``sub`` may be an integer, whose text is the subject then."""
    reads_fresh: bool = False
    """Whether ``fresh`` says that the token was issued at a login."""
    missing_fix: str = "profile='oidc-compat' does without"
    """What to do about a required claim that is absent."""
    is_access_token: bool = True
    """Whether these are access tokens, so that a message may point to another profile of `JWT`."""
    without_exp: str = "allow_eternal=True does without"
    """What the log says to do about a token without ``exp``."""
    demands_binding: bool = False
    """Whether ``cnf`` must be present, so that the token is bound to a key or a certificate."""
    limits: "Limits | None" = None
    """Limits on the arguments of `JWT`; ``None`` for those that hold for all profiles."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a security profile says of the arguments of `JWT`. The defaults are within these limits."""

    standard: str
    """The name of the security profile, for messages."""
    algorithms: tuple[str, ...]
    """The only algorithms that the issuer may use, which are the default as well."""
    algorithms_source: str
    leeway: int
    """Default of ``leeway``, in seconds."""
    max_leeway: int
    ahead: int
    """Default and least value of ``ahead``, in seconds."""
    max_ahead: int
    ahead_source: str


PROFILES: Final = {
    "rfc9068": Profile(
        typ_values=frozenset({"at+jwt"}),
        allows_missing_typ=False,
        required_text_claims=("client_id",),
        requires_jti=True,
        requires_iat=True,
        client_claims=("client_id",),
        scope_claims=("scope",),
        allows_scope_list=False,
    ),
    "oidc-compat": Profile(
        typ_values=frozenset({"at+jwt", "jwt"}),
        allows_missing_typ=True,
        required_text_claims=(),
        requires_jti=False,
        requires_iat=False,
        client_claims=("client_id", "azp", "cid", "appid"),
        scope_claims=("scope", "scp"),
        allows_scope_list=True,
        names_kind_in_claims=True,
        allows_missing_sub=True,
        # Only an ID token has the hashes (OpenID Connect Core §3.3.2.11), only a logout token or another event has the
        # last (RFC 8417 §2.2).
        forbidden_claims=("at_hash", "c_hash", "s_hash", "events"),
        # Keycloak up to 24, ForgeRock and authentik copy the nonce of an ID token (Core §2) into the access token.
        id_token_claims=("nonce",),
        access_token_evidence=(
            {"typ": frozenset({"bearer", "dpop", "at+jwt"})},  # Keycloak; its ID token says "ID"
            {"tokenName": frozenset({"access_token"})},  # ForgeRock; its ID token says "id_token"
            {"token_use": frozenset({"access"})},  # Cognito; its ID token says "id"
            # authentik makes the access token of the ID token, and adds azp and uid.
            {"acr": frozenset({"goauthentik.io/providers/oauth2/default"}), "azp": None, "uid": None},
        ),
        # These providers name the kind in a claim, others in the header. Flask-JWT-Extended has "type".
        access_token_kinds=(
            ("token_use", frozenset({"access"})),
            ("typ", frozenset({"bearer", "dpop", "jwt", "at+jwt"})),
            ("tokenName", frozenset({"access_token"})),
        ),
        other_token_kinds=(("type", frozenset({"refresh", "id"})),),
    ),
    "jwt-extended": Profile(
        typ_values=frozenset({"jwt"}),
        allows_missing_typ=False,
        required_text_claims=(),
        requires_jti=True,
        requires_iat=True,
        client_claims=(),
        scope_claims=("scope",),
        allows_scope_list=True,
        names_kind_in_claims=True,
        # Apps sign links in mails with the same secret, and those tokens have no type. Flask-JWT-Extended itself takes
        # a token without one for an access token.
        required_kind=("type", "access"),
        allows_missing_iss=True,
        allows_integer_sub=True,
        reads_fresh=True,
        missing_fix="Flask-JWT-Extended writes it into each token",
    ),
}

# FAPI 2.0 Security Profile. It leaves the form of access tokens open, so the form is that of RFC 9068.
PROFILES["fapi2"] = replace(
    PROFILES["rfc9068"],
    demands_binding=True,
    missing_fix="the issuer has to correct that",
    without_exp="the issuer has to correct that",
    limits=Limits(
        standard="FAPI 2.0 Security Profile",
        algorithms=("PS256", "ES256", "EdDSA", "Ed25519"),
        algorithms_source="§5.4.1",
        leeway=0,
        max_leeway=60,
        ahead=10,
        max_ahead=60,
        ahead_source="§5.3.2.1",
    ),
)

# It stands outside of `PROFILES`, so that no scheme accepts a logout token as an access token. Keycloak writes the type
# JWT. `logout_tokens` quotes what the standard says about the type, and checks the other claims.
LOGOUT_TOKEN: Final = Profile(
    typ_values=frozenset({"logout+jwt", "jwt"}),
    allows_missing_typ=True,
    required_text_claims=(),
    requires_jti=True,
    requires_iat=True,
    client_claims=(),
    scope_claims=(),
    allows_scope_list=False,
    is_access_token=False,
    without_exp="the issuer has to correct that",
    missing_fix="the issuer has to correct that",
)

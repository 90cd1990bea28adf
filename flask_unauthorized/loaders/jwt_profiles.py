"""The two profiles of access tokens: RFC 9068, and what providers wrote before it and write beside it.

This is data: `jwt_claims` reads it. A comment names the provider that needs an entry.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Profile:
    """What is demanded of a token beyond signature, issuer, audience, times and subject."""

    types: frozenset[str]
    """Values of ``typ``, lower case, without ``application/``."""
    untyped: bool
    """Whether ``typ`` may be absent."""
    demanded: tuple[str, ...]
    """Further claims that must be text."""
    identified: bool
    """Whether ``jti`` must be there."""
    dated: bool
    """Whether ``iat`` must be there."""
    clients: tuple[str, ...]
    """Claims that may name the client; the first that does counts."""
    scopes: tuple[str, ...]
    """Claims that may hold the scopes; the first that is there counts."""
    scope_lists: bool
    """Whether scopes may be a list."""
    subjectless: bool = False
    """Whether ``sub`` may be absent where the client is named: it speaks for itself (RFC 6749 §4.4)."""
    foreign: tuple[str, ...] = ()
    """Claims that no access token has."""
    ambiguous: tuple[str, ...] = ()
    """Claims that mark an ID token, unless `evidence` or ``typ: at+jwt`` says that this is an access token."""
    evidence: tuple[Mapping[str, frozenset[str] | None], ...] = ()
    """Groups of claims that only an access token has: name and values, in lower case, or ``None`` for any text."""
    kinds: tuple[tuple[str, frozenset[str]], ...] = ()
    """Claims that name the kind of token, and their values, in lower case, in an access token."""
    not_kinds: tuple[tuple[str, frozenset[str]], ...] = ()
    """Claims with several uses, and the values that mark another kind of token."""


PROFILES: Final = {
    "rfc9068": Profile(
        types=frozenset({"at+jwt"}),
        untyped=False,
        demanded=("client_id",),
        identified=True,
        dated=True,
        clients=("client_id",),
        scopes=("scope",),
        scope_lists=False,
    ),
    "oidc-compat": Profile(
        types=frozenset({"at+jwt", "jwt"}),
        untyped=True,
        demanded=(),
        identified=False,
        dated=False,
        clients=("client_id", "azp", "cid", "appid"),
        scopes=("scope", "scp"),
        scope_lists=True,
        subjectless=True,
        # Only an ID token has the hashes (OpenID Connect Core §3.3.2.11), only a logout token or another event has the
        # last (RFC 8417 §2.2).
        foreign=("at_hash", "c_hash", "s_hash", "events"),
        # Keycloak up to 24, ForgeRock and authentik copy the nonce of an ID token (Core §2) into the access token.
        ambiguous=("nonce",),
        evidence=(
            {"typ": frozenset({"bearer", "dpop", "at+jwt"})},  # Keycloak; its ID token says "ID"
            {"tokenName": frozenset({"access_token"})},  # ForgeRock; its ID token says "id_token"
            {"token_use": frozenset({"access"})},  # Cognito; its ID token says "id"
            # authentik makes the access token of the ID token, and adds azp and uid.
            {"acr": frozenset({"goauthentik.io/providers/oauth2/default"}), "azp": None, "uid": None},
        ),
        # These say in the claims what others say in the header; Flask-JWT-Extended has "type".
        kinds=(
            ("token_use", frozenset({"access"})),
            ("typ", frozenset({"bearer", "dpop", "jwt", "at+jwt"})),
            ("tokenName", frozenset({"access_token"})),
        ),
        not_kinds=(("type", frozenset({"refresh", "id"})),),
    ),
}

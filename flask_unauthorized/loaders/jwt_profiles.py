"""The two profiles of access tokens: RFC 9068, and what providers made of it before and beside."""

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
    foreign: tuple[str, ...] = ()
    """Claims that no access token has."""
    kinds: tuple[tuple[str, frozenset[str]], ...] = ()
    """Claims that name the kind of token, and their values, in lower case, in an access token."""
    not_kinds: tuple[tuple[str, frozenset[str]], ...] = ()
    """The same for claims that say other things too: their values in what is no access token."""


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
        # An ID token shows itself by these (OpenID Connect Core §2, §3.3.2.11), a logout token or another event by the
        # last (RFC 8417 §2.2).
        foreign=("nonce", "at_hash", "c_hash", "s_hash", "events"),
        # Cognito and Keycloak say in the claims what others say in the header; Flask-JWT-Extended has "type".
        kinds=(
            ("token_use", frozenset({"access"})),
            ("typ", frozenset({"bearer", "dpop", "jwt", "at+jwt"})),
        ),
        not_kinds=(("type", frozenset({"refresh", "id"})),),
    ),
}

"""`AccessTokens`: the signed access tokens of `Pairs`.

Such a token holds subject, scopes, roles, and a mapping: the number of its family, when and how its owner logged in,
and the key that it is bound to. Nothing is looked up when it is verified.
"""

from ...errors import InvalidCredentials
from ...errors.text import shown
from ...identity import Identity
from ...schemes.secret import Secret
from ..signed_tokens import SignedTokens

FAMILY_CLAIM = "family_id"
SALT = "pairs:"
"""What the salt of access tokens begins with. The prefix of `Pairs` follows."""


class AccessTokens(SignedTokens):
    """Makes and verifies access tokens. The arguments are those of `SignedTokens`."""

    def sign(self, identity: Identity, ends_at: int | None) -> Secret:
        """Return a token for an identity, which has the claim ``family_id``.

        Args:
            identity: The caller.
            ends_at: When the token expires, in seconds since 1970. ``None``: after its lifetime.
        """
        login = {
            "family": identity.claims[FAMILY_CLAIM],
            "auth_time": identity.auth_time,
            "acr": identity.acr,
            "amr": sorted(identity.amr) or None,
            "cnf": None if identity.confirmation is None else dict(identity.confirmation),
            "exp": ends_at,
        }
        present = {name: value for name, value in login.items() if value is not None}
        token = Secret()
        token.arguments = (self._signed([identity.subject, sorted(identity.scopes), sorted(identity.roles), present]),)
        return token

    def __call__(self, token: str) -> Identity:
        """Return the identity in ``token``.

        Raises:
            ExpiredCredentials: The token is older than its lifetime.
            InvalidCredentials: It was not issued with this key for this prefix.
        """
        content, issued = self._verified(token)
        del token  # what follows may fail, and a traceback shows locals
        if not isinstance(content, list) or len(content) != 4 or not isinstance(content[3], dict):
            raise InvalidCredentials(
                reason=f"Pairs: the token for salt={shown(self.salt)} holds type {type(content).__name__}, expected "
                "the list that Pairs writes: SignedTokens have another salt="
            )
        subject, scopes, roles, login = content
        end = issued + self.lifetime + 1
        return Identity(
            subject,
            scopes=scopes,
            roles=roles,
            acr=login.get("acr"),
            amr=login.get("amr", ()),
            auth_time=login.get("auth_time"),
            claims={FAMILY_CLAIM: login["family"], "token_prefix": self.salt.removeprefix(SALT)},
            confirmation=login.get("cnf"),
            expires_at=min(end, login.get("exp", end)),
        )

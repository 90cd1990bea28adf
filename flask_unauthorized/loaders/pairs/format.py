"""`RefreshFormat`: how refresh tokens look.

A refresh token is ``prefix_``, 22 characters that all tokens of one family share, 30 that are new in each token, and a
checksum. The first part finds the family in the database, even if the token was replaced long ago. Otherwise the reuse
of an old token would look like a token that was never issued. Each part is random and has more than 128 bits.

Alphabet and checksum are those of `TokenFormat`. The length differs from that of stored tokens, so both may have the
same prefix.
"""

from typing import Final

from ...schemes.secret import Secret
from ..stored.format import CHECKSUM_LENGTH, RANDOM_LENGTH, TokenFormat, checksum, random_text

FAMILY_LENGTH: Final = 22


class RefreshFormat(TokenFormat):
    """The format of the refresh tokens with one prefix. It needs no database.

    Args:
        prefix: What the tokens begin with: 2 to 16 lower-case letters and digits, a letter first.

    Raises:
        ConfigurationError: ``prefix`` can't be used.
    """

    def __init__(self, prefix: str) -> None:
        super().__init__(prefix)
        length = FAMILY_LENGTH + RANDOM_LENGTH + CHECKSUM_LENGTH
        self.pattern = rf"\b{prefix}_[0-9A-Za-z]{{{length}}}\b"
        self._length = len(prefix) + 1 + length

    def make_family(self) -> Secret:
        """Return the part that the tokens of a new family share."""
        family = Secret()
        family.arguments = (f"{self.prefix}_{random_text(FAMILY_LENGTH)}",)
        return family

    def family_of(self, token: Secret) -> Secret:
        """Return the part of a token that its family shares."""
        family = Secret()
        family.arguments = (token.arguments[0][: len(self.prefix) + 1 + FAMILY_LENGTH],)
        return family

    def make_token(self, family: Secret) -> Secret:
        """Return a new token of a family."""
        token = Secret()
        token.arguments = (family.arguments[0] + random_text(RANDOM_LENGTH),)
        token.arguments = (token.arguments[0] + checksum(token.arguments[0]),)
        return token

    def hint(self, secret: Secret) -> str:
        """Return what lists show of a family: the prefix and four of the shared characters."""
        return f"{self.prefix}_...{secret.arguments[0][-4:]}"

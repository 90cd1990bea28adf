"""Reading ``Authorization`` (RFC 9110 §11.6.2): one set of credentials, by the grammar that challenges follow too."""

import hashlib
from dataclasses import dataclass, field

from .grammar import DEFAULT_CREDENTIAL_LIMIT, GrammarError, read_elements


@dataclass(frozen=True, slots=True)
class Credentials:
    """One set of credentials (RFC 9110 §11.4). Its ``repr`` shows the scheme only, because the rest is secret.

    Attributes:
        scheme: The scheme's name, as it was sent.
        params: The parameters as (name, unescaped value), in the order of the field; `get` looks one up.
        token68: The value in place of parameters, or ``None``.
    """

    scheme: str
    params: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    token68: str | None = field(default=None, repr=False)

    def get(self, name: str) -> str | None:
        """Return the value of a parameter, or ``None``; names compare without case (RFC 9110 §11.2)."""
        wanted = name.lower()
        return next((value for key, value in self.params if key.lower() == wanted), None)


def parse_authorization(value: str, *, max_size: int = DEFAULT_CREDENTIAL_LIMIT) -> Credentials | None:
    """Parse an ``Authorization`` field value.

    Example:
        Take the field apart::

            from flask_unauthorized.wire import parse_authorization

            credentials = parse_authorization('Digest username="ada", nc=00000001')
            assert credentials.scheme.lower() == "digest"
            assert credentials.get("username") == "ada"

    Args:
        value: The field value.
        max_size: The longest value that is read, in bytes. Default: 16 KiB.

    Returns:
        The credentials, or ``None`` if the value is empty.

    Raises:
        GrammarError: If the value is malformed or too long, has more than 32 parameters, a parameter twice, or more
            than one set of credentials. The field is not a list (RFC 9110 §5.3).
    """
    elements = read_elements(value, max_size)
    if not elements:
        if "," in value:
            raise GrammarError("commas without credentials")
        return None
    if len(elements) > 1:
        raise GrammarError("more than one set of credentials in one field (RFC 9110 §5.3)")
    (element,) = elements
    stripped = value.strip(" \t")
    # A list of challenges may have empty elements; one set of credentials has no comma first, and none after a token68.
    if stripped.startswith(",") or (not element.params and stripped.endswith(",")):
        raise GrammarError("a comma that separates nothing")
    return Credentials(element.scheme, element.params, element.token68)


def token_digest(token: str) -> bytes:
    """Return the SHA-256 of a token: the key under which tables and caches have it, so that they hold no token.

    Callers can't choose a digest that resembles a stored one, so the time of a look-up reveals nothing.
    """
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()

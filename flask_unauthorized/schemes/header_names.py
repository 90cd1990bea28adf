"""Names of header fields that an app chooses for credentials.

A server turns the name of a field into a key of the environ, and some names don't arrive under the key that one
expects. A scheme with such a name would refuse all callers, or read what belongs to another scheme. So names are
checked when the scheme is made.
"""

from typing import Final

from ..errors import ConfigurationError
from ..wire.grammar import is_token

_OF_OTHER_SCHEMES: Final = frozenset({"authorization", "proxy-authorization", "cookie"})
_WITHOUT_PREFIX: Final = frozenset({"content-type", "content-length"})
"""Fields whose keys don't begin with ``HTTP_`` (PEP 3333)."""


def validated_header(name: str) -> str:
    """Return the name of a header field that may carry credentials.

    Args:
        name: What the developer passed as ``header``.

    Raises:
        ConfigurationError: If it isn't a token, belongs to another scheme, or has an underscore.
        TypeError: If it isn't a string.
    """
    if not isinstance(name, str):
        raise TypeError(f"the name of the header must be a str, not {type(name).__name__}")
    if not is_token(name):
        raise ConfigurationError(f"header={name!a} is not a token: use letters, digits and - (RFC 9110 §5.1)")
    if name.lower() in _OF_OTHER_SCHEMES:
        raise ConfigurationError(f"header={name!r} belongs to another scheme: use a name of your own, X-API-Key")
    if name.lower() in _WITHOUT_PREFIX:
        raise ConfigurationError(f"header={name!r} describes the body: use a name of your own, X-API-Key")
    if "_" in name:
        dashed = name.removeprefix("HTTP_").replace("_", "-").title()
        raise ConfigurationError(f"header={name!r} has an underscore, which servers drop: write {dashed!r}")
    return name

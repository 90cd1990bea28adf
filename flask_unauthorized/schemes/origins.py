"""Other sites that an app trusts."""

from collections.abc import Iterable
from urllib.parse import urlsplit

from ..errors import ConfigurationError


def trusted(origins: Iterable[str], name: str = "trusted_origins") -> frozenset[str]:
    """Origins (RFC 6454), in lower case; `TypeError` or `ConfigurationError` for what is none."""
    if isinstance(origins, str):
        raise TypeError(f'{name}={origins!r} is a bare string: write {{"{origins}"}}')
    return frozenset(_origin(origin) for origin in origins)


def _origin(origin: str) -> str:
    parts = urlsplit(origin)
    if parts.scheme not in ("http", "https") or f"{parts.scheme}://{parts.netloc}" != origin.lower() or "@" in origin:
        raise ConfigurationError(f"trusted origin {origin!a} is not an origin: write https://host or https://host:port")
    return origin.lower()

"""Other sites that an app trusts."""

from collections.abc import Iterable
from urllib.parse import urlsplit

from ..errors import ConfigurationError


def trusted(origins: Iterable[str], name: str = "trusted_origins") -> frozenset[str]:
    """Origins (RFC 6454), in lower case; `TypeError` or `ConfigurationError` for what is none."""
    if isinstance(origins, str):
        raise TypeError(f'{name}={origins!r} is a bare string: write {{"{origins}"}}')
    return frozenset(_origin(name, origin) for origin in origins)


def _origin(name: str, origin: str) -> str:
    """``origin`` as browsers write it (RFC 6454 §6.2): with a port only where it isn't the usual one."""
    if not isinstance(origin, str):
        raise TypeError(f"{name} must hold str, not {type(origin).__name__}")
    text = origin.lower()
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    if (
        parts.scheme not in ("http", "https")
        or not parts.hostname
        or f"{parts.scheme}://{parts.netloc}" != text
        or not text.isascii()
        or not text.isprintable()
        or "@" in text
        or " " in text
    ):
        raise ConfigurationError(
            f"{name} has {origin!a}, which is not an origin: write https://host or https://host:port, the host in ASCII"
        )
    usual = {"http": 80, "https": 443}[parts.scheme]
    return text if port is not None and port != usual else text.removesuffix(f":{usual}").removesuffix(":")

"""The metadata that an authorization server publishes (RFC 8414, OpenID Connect Discovery 1.0)."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from ..errors import ConfigurationError
from ..http_client.client import FetchError, Get, read_url
from ..wire.jws import JOSEError, read_json_object


def metadata_urls(issuer: str) -> tuple[str, str]:
    """Where the metadata of ``issuer`` may be: RFC 8414 §3.1, then OpenID Connect Discovery §4."""
    parts = urlsplit(issuer)
    origin, path = f"{parts.scheme}://{parts.netloc}", parts.path.removesuffix("/")
    return (
        f"{origin}/.well-known/oauth-authorization-server{path}",
        f"{origin}{path}/.well-known/openid-configuration",
    )


def check_issuer(issuer: str, *, allow_http_loopback: bool = False) -> None:
    """Refuses what is no issuer (RFC 8414 §2): `ConfigurationError`, `TypeError` for no ``str``."""
    read_url(issuer, allow_http_loopback=allow_http_loopback)
    if "?" in issuer:
        raise ConfigurationError(f"issuer {issuer!a} must have no query (RFC 8414 §2)")


def discover(issuer: str, get: Get) -> Mapping[str, Any]:
    """The metadata of ``issuer``, from the first place that has it.

    Its ``issuer`` must be the same to the letter (RFC 8414 §3.3, §4), else it isn't used. Raises `FetchError`.
    """
    troubles = []
    for url in metadata_urls(issuer):
        try:
            return _read(issuer, url, get(url))
        except FetchError as trouble:
            if trouble.status is None:  # the server can't be reached: the other place lies on the same
                raise
            troubles.append(str(trouble))
    raise FetchError("; ".join(troubles), status=0)


def member_url(
    metadata: Mapping[str, Any], name: str, *, allow_http_loopback: bool = False, any_url: bool = False
) -> str:
    """The URL in a member of the metadata. Raises `FetchError` where there is none, or none that is fetched.

    ``any_url`` is for a fetch of the user's, which itself decides what URL it takes.
    """
    url = metadata.get(name)
    if not isinstance(url, str):
        raise FetchError(f"the metadata has no {name}", status=200)
    try:
        if not any_url:
            read_url(url, allow_http_loopback=allow_http_loopback)
    except ConfigurationError:
        raise FetchError(f"{name} in the metadata is no https:// URL that is fetched", status=200) from None
    return url


def _read(issuer: str, url: str, octets: bytes) -> Mapping[str, Any]:
    try:
        metadata: Mapping[str, Any] = read_json_object(octets)
    except JOSEError:
        raise FetchError(f"{url}: no JSON object", status=200) from None
    if metadata.get("issuer") != issuer:
        raise FetchError(f"{url}: the issuer in it is not {issuer!a} to the letter (RFC 8414 section 3.3)", status=200)
    return metadata
